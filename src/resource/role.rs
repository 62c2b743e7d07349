//! The IAM role that Firehose assumes: path, trust, one inline policy, boundary. Other policies on it are left alone until
//! it is deleted.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_iam::types::{PolicyEvaluationDecisionType, Role, Tag};
use futures_util::future::{join_all, try_join_all};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::aws::{Session, code, failure, is_denied, text};
use crate::error::{Error, Result, both};
use crate::plan::{Step, Work};
use crate::policy::{self, Document, FIREHOSE, FirehoseGrants};
use crate::resource::log_group::{BACKUP_STREAM, DESTINATION_STREAM};
use crate::resource::{
    Condition, Goal, Hazard, HazardNote, Kind, Manage, Managed, Observed, Owner, Read, Readiness, Settings, Verdict,
    tag_changes, tags_to_set, within,
};
use crate::retry::until_settled;
use crate::stack::{Names, Origin};
use crate::target::Target;

/// The name of the one inline policy that ekk owns.
pub const POLICY_NAME: &str = "ekk-firehose";

/// The path of roles that ekk makes, unless the spec names another.
pub const DEFAULT_PATH: &str = "/ekk/";

/// The role as ekk manages it. Its name is in `Names`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoleSettings {
    /// The path; begins and ends with a slash. IAM cannot change it.
    pub path: String,
    /// Who may assume it, as a canonical document.
    pub trust: Document,
    /// The inline policy `ekk-firehose`, as a canonical document; `None` where it is not there yet.
    pub policy: Option<Document>,
    /// ARN of the permissions boundary; `None` is not managed.
    pub permissions_boundary: Option<String>,
}

/// What IAM assigns.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RoleFacts {
    /// The ARN, with its path.
    pub arn: String,
    /// Seconds since the epoch by IAM's clock.
    pub created: i64,
    /// Names of other inline and attached policies, which widen the role.
    pub other_policies: Vec<String>,
    /// For an existing role: what IAM's policy simulator says is not allowed (`action on resource`).
    pub not_allowed: Vec<String>,
    /// For an existing role: why the simulator could not be asked. A warning, not a lack.
    pub unchecked: Option<String>,
}

impl Settings for RoleSettings {
    const KIND: Kind = Kind::Role;

    type Facts = RoleFacts;

    fn judge(pointer: &str, before: &Self, after: &Self) -> Verdict {
        if within(pointer, "/path") {
            return Verdict::Replace(HazardNote::new(
                Hazard::Replace,
                format!(
                    "IAM cannot move a role from {} to {}: it is deleted and made anew; until the stream knows the new \
                     one, records wait in Firehose (24 hours at most)",
                    before.path, after.path
                ),
            ));
        }
        Verdict::InPlace
    }

    fn hazard_of_deleting(_observed: &Observed<Self>) -> Option<HazardNote> {
        None
    }

    fn check_existing(observed: &Observed<Self>, needed: &Self) -> Vec<String> {
        let mut lacks = Vec::new();
        if !observed.settings.trust.lets_assume(FIREHOSE) {
            lacks.push(format!("its trust policy does not let {FIREHOSE} assume it"));
        }
        let is_needed = |missing: &&String| {
            let action = missing.split_once(" on ").map_or(missing.as_str(), |(action, _)| action);
            needed.policy.as_ref().is_none_or(|policy| policy.names_action(action))
        };
        lacks
            .extend(observed.facts.not_allowed.iter().filter(is_needed).map(|missing| format!("it may not {missing}")));
        lacks
    }

    fn work(step: Step<Self>) -> Work {
        Work::Role(step)
    }
}

/// Returns the description of a role that ekk makes. It names the stack because `iam:ListRoles` answers descriptions but
/// no tags, so that looking for strays asks only for those roles that may be ours.
#[must_use]
pub fn description(stack: &str, region: &str) -> String {
    format!("{DESCRIPTION_START}{stack} in {region}")
}

/// How the description of a role begins that ekk made.
pub const DESCRIPTION_START: &str = "Firehose role of the ekk stack ";

impl Manage for RoleSettings {
    async fn read(session: &Session, names: &Names) -> Result<Read<Self>> {
        let name = session.name(&names.role).await?;
        match names.role_origin {
            Origin::Managed => read_managed(session, names, &name).await,
            Origin::Existing => read_existing(session, names, &name).await,
        }
    }

    async fn create(session: &Session, names: &Names, after: &Managed<Self>) -> Result<()> {
        let name = session.name(&names.role).await?;
        let RoleSettings { path, trust, policy, permissions_boundary } = &after.settings;
        let create = session
            .aws
            .iam
            .create_role()
            .role_name(&name)
            .path(path)
            .description(description(&names.stack, &names.region))
            .assume_role_policy_document(trust.text())
            .set_permissions_boundary(permissions_boundary.clone())
            .set_tags(Some(iam_tags(tags_to_set(&after.tags))?));
        session.note_role_written();
        match until_settled(session, is_passing, || create.clone().send()).await {
            Ok(_) => {}
            Err(error) if code(&error) == Some("EntityAlreadyExists") => accept_own(session, names, &name).await?,
            Err(error) => {
                return Err(failure(&label(&name), "iam:CreateRole", error).hint_if_denied(
                    "a role is made with its tags, which takes iam:TagRole, and iam:PutRolePermissionsBoundary where \
                     it has a boundary",
                ));
            }
        }
        match policy {
            Some(policy) => put_policy(session, &name, policy).await,
            None => Ok(()),
        }
    }

    async fn update(
        session: &Session,
        names: &Names,
        before: &Observed<Self>,
        after: &Managed<Self>,
        pointers: &[String],
    ) -> Result<()> {
        let name = session.name(&names.role).await?;
        let differs = |prefix: &str| pointers.iter().any(|pointer| within(pointer, prefix));
        let RoleSettings { path: _, trust, policy, permissions_boundary } = &after.settings;
        // The tags come first: a role that is being adopted is ours before anything else of it changes.
        if differs("/tags") {
            write_tags(session, &name, &before.tags, after).await?;
        }
        if differs("/trust") {
            let update = session.aws.iam.update_assume_role_policy().role_name(&name).policy_document(trust.text());
            until_settled(session, is_passing, || update.clone().send())
                .await
                .map_err(|error| failure(&label(&name), "iam:UpdateAssumeRolePolicy", error))?;
            session.note_role_written();
        }
        if let (true, Some(policy)) = (differs("/policy"), policy) {
            put_policy(session, &name, policy).await?;
        }
        if let (true, Some(boundary)) = (differs("/permissions_boundary"), permissions_boundary) {
            let put = session.aws.iam.put_role_permissions_boundary().role_name(&name).permissions_boundary(boundary);
            until_settled(session, is_passing, || put.clone().send())
                .await
                .map_err(|error| failure(&label(&name), "iam:PutRolePermissionsBoundary", error))?;
            session.note_role_written();
        }
        Ok(())
    }

    async fn delete(session: &Session, names: &Names, _before: &Observed<Self>) -> Result<()> {
        let name = session.name(&names.role).await?;
        // What stands on the role is asked anew: IAM refuses to delete a role that still carries anything.
        let (inline, attached) = tokio::join!(inline_policies(session, &name), attached_policies(session, &name));
        let (inline, attached) = both(inline, attached)?;
        try_join_all(inline.iter().map(async |policy| {
            let delete = session.aws.iam.delete_role_policy().role_name(&name).policy_name(policy);
            match until_settled(session, is_passing, || delete.clone().send()).await {
                Err(error) if code(&error) != Some("NoSuchEntity") => {
                    Err(failure(&label(&name), "iam:DeleteRolePolicy", error))
                }
                Ok(_) | Err(_) => Ok(()),
            }
        }))
        .await?;
        try_join_all(attached.iter().map(async |(_, arn)| {
            let detach = session.aws.iam.detach_role_policy().role_name(&name).policy_arn(arn);
            match until_settled(session, is_passing, || detach.clone().send()).await {
                Err(error) if code(&error) != Some("NoSuchEntity") => {
                    Err(failure(&label(&name), "iam:DetachRolePolicy", error))
                }
                Ok(_) | Err(_) => Ok(()),
            }
        }))
        .await?;
        let delete = session.aws.iam.delete_role().role_name(&name);
        // The deletions above may not have spread yet; an instance profile will not go by waiting.
        let passes = |code: &str, text: &str| {
            is_passing(code, text) || (code == "DeleteConflict" && !text.contains("instance profile"))
        };
        match until_settled(session, passes, || delete.clone().send()).await {
            Err(error) if code(&error) == Some("DeleteConflict") => {
                Err(failure(&label(&name), "iam:DeleteRole", error).hint(format!(
                    "ekk made no instance profile: take the role out of it \
                     (`aws iam list-instance-profiles-for-role --role-name {name}`), then run the same command again"
                )))
            }
            Err(error) if code(&error) != Some("NoSuchEntity") => Err(failure(&label(&name), "iam:DeleteRole", error)),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    async fn readiness(session: &Session, names: &Names, goal: Goal) -> Result<Readiness> {
        let name = session.name(&names.role).await?;
        let is_there = get_role(session, &name).await?.is_some();
        Ok(match (goal, is_there) {
            (Goal::InForce, true) | (Goal::Gone, false) => Readiness::Ready,
            (Goal::InForce, false) => Readiness::pending("IAM does not show it yet"),
            (Goal::Gone, true) => Readiness::pending("IAM still shows it"),
        })
    }
}

fn label(name: &str) -> String {
    format!("role {name}")
}

/// Tells whether IAM's answer passes by itself: another change of the role is under way, what the policy names has not
/// spread yet, or the role itself, just made, has not.
fn is_passing(code: &str, text: &str) -> bool {
    match code {
        "ConcurrentModification" | "ConcurrentModificationException" => true,
        "MalformedPolicyDocument" | "MalformedPolicyDocumentException" => text.contains("Invalid principal"),
        _ => false,
    }
}

async fn read_managed(session: &Session, names: &Names, name: &str) -> Result<Read<RoleSettings>> {
    let (role, policy, inline, attached) = tokio::join!(
        get_role(session, name),
        get_policy(session, name),
        inline_policies(session, name),
        attached_policies(session, name),
    );
    let ((role, policy), (inline, attached)) = both(both(role, policy), both(inline, attached))?;
    let Some(role) = role else { return Ok(Read::Absent) };
    let mut observed = observe(names, &role, policy)?;
    observed.facts.other_policies = inline
        .into_iter()
        .filter(|policy| policy != POLICY_NAME)
        .chain(attached.into_iter().map(|(policy, _)| policy))
        .collect();
    Ok(Read::Present(Box::new(observed)))
}

async fn read_existing(session: &Session, names: &Names, name: &str) -> Result<Read<RoleSettings>> {
    let Some(role) = get_role(session, name).await? else { return Ok(Read::Absent) };
    let mut observed = observe(names, &role, None)?;
    let target = session.target().await?;
    match simulate(session, names, target, role.arn()).await? {
        Simulated::NotAllowed(missing) => observed.facts.not_allowed = missing.into_iter().collect(),
        Simulated::Unchecked(why) => observed.facts.unchecked = Some(why),
    }
    Ok(Read::Present(Box::new(observed)))
}

fn observe(names: &Names, role: &Role, policy: Option<Document>) -> Result<Observed<RoleSettings>> {
    let tags: BTreeMap<String, String> =
        role.tags().iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect();
    let trust = policy::parse(role.assume_role_policy_document().unwrap_or("{}"))
        .map_err(|error| error.context("the role's trust policy"))?;
    Ok(Observed {
        settings: RoleSettings {
            path: role.path().to_owned(),
            trust,
            policy,
            permissions_boundary: role
                .permissions_boundary()
                .and_then(|boundary| boundary.permissions_boundary_arn())
                .map(ToOwned::to_owned),
        },
        facts: RoleFacts {
            arn: role.arn().to_owned(),
            created: role.create_date().secs(),
            other_policies: Vec::new(),
            not_allowed: Vec::new(),
            unchecked: None,
        },
        owner: Owner::from_tags(&tags, &names.stack, &names.region),
        tags,
        condition: Condition::Settled,
    })
}

async fn get_role(session: &Session, name: &str) -> Result<Option<Role>> {
    match session.aws.iam.get_role().role_name(name).send().await {
        Ok(answer) => Ok(answer.role),
        Err(error) if code(&error) == Some("NoSuchEntity") => Ok(None),
        Err(error) => Err(failure(&label(name), "iam:GetRole", error)),
    }
}

async fn get_policy(session: &Session, name: &str) -> Result<Option<Document>> {
    match session.aws.iam.get_role_policy().role_name(name).policy_name(POLICY_NAME).send().await {
        Ok(answer) => policy::parse(answer.policy_document()).map(Some).map_err(|error| error.context(label(name))),
        Err(error) if code(&error) == Some("NoSuchEntity") => Ok(None),
        Err(error) => Err(failure(&label(name), "iam:GetRolePolicy", error)),
    }
}

async fn inline_policies(session: &Session, name: &str) -> Result<Vec<String>> {
    let mut policies = Vec::new();
    let mut pages = session.aws.iam.list_role_policies().role_name(name).into_paginator().send();
    while let Some(page) = pages.next().await {
        match page {
            Ok(page) => policies.extend(page.policy_names),
            Err(error) if code(&error) == Some("NoSuchEntity") => break,
            Err(error) => return Err(failure(&label(name), "iam:ListRolePolicies", error)),
        }
    }
    Ok(policies)
}

/// Returns name and ARN of each attached policy.
async fn attached_policies(session: &Session, name: &str) -> Result<Vec<(String, String)>> {
    let mut policies = Vec::new();
    let mut pages = session.aws.iam.list_attached_role_policies().role_name(name).into_paginator().send();
    while let Some(page) = pages.next().await {
        match page {
            Ok(page) => policies.extend(
                page.attached_policies
                    .unwrap_or_default()
                    .into_iter()
                    .map(|policy| (policy.policy_name.unwrap_or_default(), policy.policy_arn.unwrap_or_default())),
            ),
            Err(error) if code(&error) == Some("NoSuchEntity") => break,
            Err(error) => return Err(failure(&label(name), "iam:ListAttachedRolePolicies", error)),
        }
    }
    Ok(policies)
}

async fn put_policy(session: &Session, name: &str, policy: &Document) -> Result<()> {
    let put = session.aws.iam.put_role_policy().role_name(name).policy_name(POLICY_NAME).policy_document(policy.text());
    session.note_role_written();
    // A role that was made a moment ago may not be known everywhere yet.
    let passes = |code: &str, text: &str| is_passing(code, text) || code == "NoSuchEntity";
    until_settled(session, passes, || put.clone().send())
        .await
        .map_err(|error| failure(&label(name), "iam:PutRolePolicy", error))?;
    Ok(())
}

async fn write_tags(
    session: &Session,
    name: &str,
    live: &BTreeMap<String, String>,
    after: &Managed<RoleSettings>,
) -> Result<()> {
    let (set, remove) = tag_changes(live, &after.tags);
    if !set.is_empty() {
        let tag = session.aws.iam.tag_role().role_name(name).set_tags(Some(iam_tags(set)?));
        until_settled(session, is_passing, || tag.clone().send())
            .await
            .map_err(|error| failure(&label(name), "iam:TagRole", error))?;
    }
    if !remove.is_empty() {
        let untag = session.aws.iam.untag_role().role_name(name).set_tag_keys(Some(remove));
        until_settled(session, is_passing, || untag.clone().send())
            .await
            .map_err(|error| failure(&label(name), "iam:UntagRole", error))?;
    }
    Ok(())
}

/// Accepts that the role is there already when it is ours: an answer was lost, or another run was quicker.
async fn accept_own(session: &Session, names: &Names, name: &str) -> Result<()> {
    let Some(role) = get_role(session, name).await? else {
        return Err(Error::failed(format!(
            "{}: iam:CreateRole: EntityAlreadyExists, yet it cannot be read",
            label(name)
        ))
        .hint("a role's name counts regardless of case: choose another `role.name`"));
    };
    match observe(names, &role, None)?.owner {
        Owner::Ours => Ok(()),
        Owner::Nobody => Err(Error::refused(format!("{}: it was made meanwhile and is not this stack's", label(name)))
            .hint("plan again; --adopt=role takes it")),
        Owner::Other { stack, region } => {
            Err(Error::refused(format!("{}: it belongs to the stack {stack} in {region}", label(name)))
                .hint("choose another `role.name`"))
        }
    }
}

fn iam_tags(tags: BTreeMap<String, String>) -> Result<Vec<Tag>> {
    tags.into_iter()
        .map(|(key, value)| {
            Tag::builder().key(key).value(value).build().map_err(|error| Error::failed(format!("a tag: {error}")))
        })
        .collect()
}

/// What IAM's policy simulator says of an existing role.
enum Simulated {
    NotAllowed(BTreeSet<String>),
    Unchecked(String),
}

/// Asks IAM's policy simulator whether an existing role may do what ekk would let its own role do, one question for each
/// statement, all at once. Keys are not asked for: which key the bucket uses is not in the names.
async fn simulate(session: &Session, names: &Names, target: &Target, role_arn: &str) -> Result<Simulated> {
    let names = names.filled(target);
    let domain_arn = target.domain_arn(&names.domain);
    let policy = policy::firehose_permissions(
        &FirehoseGrants {
            bucket_arn: target.bucket_arn(&names.bucket),
            bucket_key: None,
            domain_arn: domain_arn.clone(),
            index: names.index.clone(),
            log_group_arn: Some(target.log_group_arn(&names.log_group)),
            log_streams: BTreeSet::from([DESTINATION_STREAM.to_owned(), BACKUP_STREAM.to_owned()]),
        },
        target,
    );
    let listed = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(Value::as_str).map(ToOwned::to_owned).collect()
    };
    let answers = join_all(policy.statements().iter().map(|statement| {
        session
            .aws
            .iam
            .simulate_principal_policy()
            .policy_source_arn(role_arn)
            .set_action_names(Some(listed(&statement["Action"])))
            .set_resource_arns(Some(listed(&statement["Resource"])))
            .into_paginator()
            .items()
            .send()
            .try_collect()
    }))
    .await;
    let mut missing = BTreeSet::new();
    for answer in answers {
        let results = match answer {
            Ok(results) => results,
            Err(error) => return unchecked(&names.role, error),
        };
        for result in results {
            let of_resources = result
                .resource_specific_results()
                .iter()
                .map(|one| (one.eval_resource_name().to_owned(), one.eval_resource_decision().clone()));
            let mut decisions: Vec<(String, PolicyEvaluationDecisionType)> = of_resources.collect();
            if decisions.is_empty() {
                let resource = result.eval_resource_name().unwrap_or("*").to_owned();
                decisions.push((resource, result.eval_decision().clone()));
            }
            let action = result.eval_action_name();
            missing.extend(
                decisions
                    .into_iter()
                    .filter(|(_, decision)| *decision != PolicyEvaluationDecisionType::Allowed)
                    .filter(|(resource, _)| concerns(action, resource, &domain_arn))
                    .map(|(resource, _)| format!("{action} on {resource}")),
            );
        }
    }
    Ok(Simulated::NotAllowed(missing))
}

/// A statement grants all of its actions on all of its resources, where Firehose describes the domain itself and speaks
/// HTTP to what is below it.
fn concerns(action: &str, resource: &str, domain_arn: &str) -> bool {
    if action.starts_with("es:Describe") {
        resource == domain_arn
    } else if action.starts_with("es:ESHttp") {
        resource != domain_arn
    } else {
        true
    }
}

fn unchecked<E>(name: &str, error: aws_sdk_iam::error::SdkError<E>) -> Result<Simulated>
where
    E: aws_sdk_iam::error::ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let (Some(code), text) = (code(&error), text(&error).unwrap_or_default()) else {
        return Err(failure(&label(name), "iam:SimulatePrincipalPolicy", error));
    };
    Ok(Simulated::Unchecked(if is_denied(code) {
        "the caller lacks iam:SimulatePrincipalPolicy".to_owned()
    } else {
        format!("iam:SimulatePrincipalPolicy: {code}: {text}")
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> RoleSettings {
        RoleSettings {
            path: DEFAULT_PATH.to_owned(),
            trust: policy::firehose_trust(),
            policy: None,
            permissions_boundary: None,
        }
    }

    fn observed(settings: RoleSettings, facts: RoleFacts) -> Observed<RoleSettings> {
        Observed { settings, facts, tags: BTreeMap::new(), owner: Owner::Nobody, condition: Condition::Settled }
    }

    #[test]
    fn all_but_the_path_changes_in_place() {
        let before = settings();
        let mut after = settings();
        after.path = "/logging/".to_owned();
        for pointer in ["/trust", "/policy", "/policy/Statement/0/Resource", "/permissions_boundary", "/tags/team"] {
            assert_eq!(RoleSettings::judge(pointer, &before, &after), Verdict::InPlace, "{pointer}");
        }
        let Verdict::Replace(note) = RoleSettings::judge("/path", &before, &after) else { panic!("replaced") };
        assert_eq!(note.hazard, Hazard::Replace);
        assert!(note.why.contains("from /ekk/ to /logging/"), "{}", note.why);
    }

    #[test]
    fn an_existing_role_must_trust_firehose() {
        let mut live = settings();
        live.trust = policy::parse(
            r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}}"#,
        )
        .expect("a document");
        assert_eq!(
            RoleSettings::check_existing(&observed(live, RoleFacts::default()), &settings()),
            ["its trust policy does not let firehose.amazonaws.com assume it"]
        );
    }

    #[test]
    fn an_existing_role_lacks_only_what_the_stack_needs() {
        let mut needed = settings();
        needed.policy = Some(
            policy::parse(
                r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:PutObject","Resource":"*"}}"#,
            )
            .expect("a document"),
        );
        let facts = RoleFacts {
            not_allowed: vec!["logs:PutLogEvents on g".to_owned(), "s3:PutObject on b/*".to_owned()],
            ..RoleFacts::default()
        };
        assert_eq!(
            RoleSettings::check_existing(&observed(settings(), facts), &needed),
            ["it may not s3:PutObject on b/*"]
        );
    }

    #[test]
    fn firehose_describes_the_domain_and_speaks_to_what_is_below() {
        assert!(concerns("es:DescribeDomain", "d", "d"));
        assert!(!concerns("es:DescribeDomain", "d/*", "d"));
        assert!(!concerns("es:ESHttpPost", "d", "d"));
        assert!(concerns("es:ESHttpPost", "d/*", "d"));
        assert!(concerns("s3:PutObject", "b/*", "d"));
    }

    #[test]
    fn only_what_has_not_spread_is_tried_again() {
        assert!(is_passing("MalformedPolicyDocument", "Invalid principal in policy"));
        assert!(!is_passing("MalformedPolicyDocument", "Syntax errors in policy."));
        assert!(is_passing("ConcurrentModification", ""));
        assert!(!is_passing("LimitExceeded", ""));
    }
}
