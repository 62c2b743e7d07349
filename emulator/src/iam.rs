//! Identity and Access Management: roles and what they may do. A role or a change of one is seen here at once, but by
//! other services only after [`crate::Timing::role_propagation`].

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};

use crate::{
    clock::after,
    policy_document::{self, Kind, Question, Verdict},
    query::{self, Form, element, members, optional_element, page_end},
    request::Request,
    response::{self, Failure, Response},
    table::{Stored, Table},
    world::{Context, Permission, World, partition},
};

const NAMESPACE: &str = "https://iam.amazonaws.com/doc/2010-05-08/";
/// The quotas that every account starts with (IAM user guide, IAM and STS quotas); white space is not counted.
const TRUST_POLICY_CHARACTERS: usize = 2_048;
const INLINE_POLICY_CHARACTERS: usize = 10_240;
const ATTACHED_POLICIES: usize = 10;
const MANAGED_POLICY_CHARACTERS: usize = 6_144;
const TAGS: usize = 50;
/// RFC 3986: what IAM leaves as it is in the documents it returns.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Roles and managed policies.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// Roles by their names in lower case.
    pub roles: Table<Role>,
    /// The account's own managed policies, ARN to document.
    pub managed_policies: Table<String>,
    /// The account's alias, if any, as a key.
    pub aliases: Table<bool>,
}

impl State {
    pub(crate) fn tables(&mut self) -> Vec<(&'static str, &mut dyn Stored)> {
        let Self { roles, managed_policies, aliases } = self;
        vec![("iam.roles", roles), ("iam.managed_policies", managed_policies), ("iam.aliases", aliases)]
    }

    /// The role of a name, which is matched to the letter.
    #[must_use]
    pub fn role(&self, name: &str) -> Option<&Role> {
        self.roles.get(&name.to_lowercase()).filter(|role| role.name == name)
    }
}

/// A role.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// Its path, with a slash at both ends.
    pub path: String,
    /// Its ARN.
    pub arn: String,
    /// Its unique id, another one each time a role of this name is created.
    pub id: String,
    /// When it was created.
    pub created: Timestamp,
    /// Its description.
    pub description: Option<String>,
    /// How long a session may last, in seconds.
    pub max_session_seconds: u32,
    /// The ARN of its permissions boundary.
    pub boundary: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// The instance profiles that hold it.
    pub instance_profiles: BTreeSet<String>,
    /// What it says now.
    pub grants: Grants,
    /// What other services went by when it was last changed; none while they did not know the role.
    pub grants_before: Option<Grants>,
    /// When it was last changed.
    pub changed: Timestamp,
}

/// What a role says about who may assume it and what it may do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Grants {
    /// Who may assume it.
    pub trust: String,
    /// Inline policies by name.
    pub inline: BTreeMap<String, String>,
    /// The ARNs of attached policies.
    pub attached: BTreeSet<String>,
}

impl Role {
    /// Changes what the role says; others go by what it said before until that has spread.
    fn change(&mut self, context: &Context<'_>, change: impl FnOnce(&mut Grants)) {
        if context.now >= after(self.changed, context.timing.role_propagation) {
            self.grants_before = Some(self.grants.clone());
        }
        change(&mut self.grants);
        self.changed = context.now;
    }
}

/// Whether a service that assumes a role may do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permit {
    /// It may.
    Allowed,
    /// It will be able to, once the role has spread.
    NotPropagated,
    /// It can assume the role, which does not allow this.
    Denied,
    /// There is no such role.
    NoRole,
    /// The role does not let the service assume it.
    TrustWrong,
}

/// Whether Firehose may do something with a role, on behalf of a stream (`source_arn`).
#[must_use]
pub fn may(
    world: &World,
    context: &Context<'_>,
    role_arn: &str,
    source_arn: &str,
    action: &str,
    resource: &str,
) -> Permit {
    let Some((_, role)) = world.iam.roles.iter().find(|(_, role)| role.arn == role_arn) else {
        return Permit::NoRole;
    };
    let now = judge(world, context, role, &role.grants, source_arn, action, resource);
    if context.now >= after(role.changed, context.timing.role_propagation) {
        return now;
    }
    let before = match &role.grants_before {
        Some(grants) => judge(world, context, role, grants, source_arn, action, resource),
        None => Permit::NotPropagated,
    };
    match (before, now) {
        (Permit::Allowed, _) => Permit::Allowed,
        (_, Permit::Allowed) => Permit::NotPropagated,
        (_, refused) => refused,
    }
}

fn judge(
    world: &World,
    context: &Context<'_>,
    role: &Role,
    grants: &Grants,
    source_arn: &str,
    action: &str,
    resource: &str,
) -> Permit {
    let conditions = BTreeMap::from([
        ("sts:externalid".to_owned(), context.account.to_owned()),
        ("aws:sourceaccount".to_owned(), context.account.to_owned()),
        ("aws:sourcearn".to_owned(), source_arn.to_owned()),
        ("aws:securetransport".to_owned(), "true".to_owned()),
    ]);
    let assume = Question {
        action: "sts:AssumeRole",
        resource: None,
        principal: Some(("Service", "firehose.amazonaws.com")),
        conditions: conditions.clone(),
    };
    if policy_document::judge(&grants.trust, &assume) != Verdict::Allowed {
        return Permit::TrustWrong;
    }
    permitted(world, role, grants, &Question { action, resource: Some(resource), principal: None, conditions })
}

/// What a role's own policies and its boundary say.
fn permitted(world: &World, role: &Role, grants: &Grants, question: &Question<'_>) -> Permit {
    let mut verdicts: Vec<Verdict> =
        grants.inline.values().map(|document| policy_document::judge(document, question)).collect();
    for arn in &grants.attached {
        verdicts.push(match world.iam.managed_policies.get(arn) {
            Some(document) => policy_document::judge(document, question),
            None if arn.ends_with("/AdministratorAccess") => Verdict::Allowed,
            None => Verdict::Silent,
        });
    }
    let bounded = role.boundary.as_ref().is_some_and(|arn| {
        world
            .iam
            .managed_policies
            .get(arn)
            .is_some_and(|document| policy_document::judge(document, question) != Verdict::Allowed)
    });
    if bounded || verdicts.contains(&Verdict::Denied) || !verdicts.contains(&Verdict::Allowed) {
        Permit::Denied
    } else {
        Permit::Allowed
    }
}

/// The operation that the form names.
pub(crate) fn operation(request: &Request) -> String {
    Form::read(request).get("Action").unwrap_or_default().to_owned()
}

pub(crate) fn permissions(context: &Context<'_>, request: &Request) -> Vec<Permission> {
    let form = Form::read(request);
    let global = format!("arn:{}:iam::{}", partition(&request.region), context.account);
    let resource = match form.get("RoleName") {
        Some(name) => format!("{global}:role{}{name}", form.get("Path").unwrap_or("/")),
        None if request.operation == "ListRoles" => {
            format!("{global}:role{}", form.get("PathPrefix").unwrap_or("/"))
        }
        None => "*".to_owned(),
    };
    let mut permissions = vec![Permission::new(format!("iam:{}", request.operation), &resource)];
    if request.operation == "CreateRole" && form.get("Tags.member.1.Key").is_some() {
        permissions.push(Permission::new("iam:TagRole", resource));
    }
    permissions
}

pub(crate) fn handle(world: &mut World, context: &Context<'_>, request: &Request) -> Response {
    let form = Form::read(request);
    if form.get("Version") != Some("2010-05-08") {
        return response::unknown_operation(request);
    }
    let result = match request.operation.as_str() {
        "CreateRole" => create_role(world, context, request, &form).map(Some),
        "GetRole" => get_role(world, &form).map(Some),
        "ListRoles" => list_roles(world, &form).map(Some),
        "UpdateAssumeRolePolicy" => update_assume_role_policy(world, context, &form),
        "UpdateRole" => update_role(world, &form).map(Some),
        "PutRolePolicy" => put_role_policy(world, context, &form),
        "GetRolePolicy" => get_role_policy(world, &form).map(Some),
        "DeleteRolePolicy" => delete_role_policy(world, context, &form),
        "ListRolePolicies" => list_role_policies(world, &form).map(Some),
        "ListAttachedRolePolicies" => list_attached_role_policies(world, &form).map(Some),
        "AttachRolePolicy" => attach_role_policy(world, context, &form),
        "DetachRolePolicy" => detach_role_policy(world, context, &form),
        "ListInstanceProfilesForRole" => list_instance_profiles(world, context, &form).map(Some),
        "TagRole" => tag_role(world, &form),
        "UntagRole" => untag_role(world, &form),
        "ListRoleTags" => list_role_tags(world, &form).map(Some),
        "PutRolePermissionsBoundary" => put_boundary(world, context, &form),
        "DeleteRolePermissionsBoundary" => delete_boundary(world, &form),
        "DeleteRole" => delete_role(world, &form),
        "CreatePolicy" => create_policy(world, context, request, &form).map(Some),
        "DeletePolicy" => delete_policy(world, &form),
        "SimulatePrincipalPolicy" => simulate_principal_policy(world, &form).map(Some),
        "ListAccountAliases" => list_account_aliases(world, &form).map(Some),
        _ => return response::unknown_operation(request),
    };
    match result {
        Ok(result) => query::answer(request, NAMESPACE, result.as_deref()),
        Err(failure) => failure.answer(request),
    }
}

fn create_role(world: &mut World, context: &Context<'_>, request: &Request, form: &Form) -> Result<String, Failure> {
    let name = form.required("RoleName");
    let path = form.get("Path").unwrap_or("/");
    let trust = form.required("AssumeRolePolicyDocument");
    check_trust(world, context, trust)?;
    let description = form.get("Description").map(str::to_owned);
    let max_session_seconds = session_seconds(form);
    let mut tags = BTreeMap::new();
    add_tags(&mut tags, form.tags("Tags"))?;
    let boundary = form.get("PermissionsBoundary").map(str::to_owned);
    if let Some(arn) = &boundary {
        check_managed_policy(world, arn, "Scope ARN")?;
    }
    // Names are told apart without regard to case (IAM user guide, IAM identifiers).
    if world.iam.roles.contains_key(&name.to_lowercase()) {
        return Err(Failure::new(409, "EntityAlreadyExists", format!("Role with name {name} already exists.")));
    }
    let role = Role {
        name: name.to_owned(),
        arn: format!("arn:{}:iam::{}:role{path}{name}", partition(&request.region), context.account),
        path: path.to_owned(),
        id: unique_id("AROA"),
        created: context.now,
        description,
        max_session_seconds,
        boundary,
        tags,
        instance_profiles: BTreeSet::new(),
        grants: Grants { trust: trust.to_owned(), inline: BTreeMap::new(), attached: BTreeSet::new() },
        grants_before: None,
        changed: context.now,
    };
    let xml = format!("<Role>{}</Role>", role_xml(&role, Detail::Full));
    world.iam.roles.insert(name.to_lowercase(), role);
    Ok(xml)
}

fn get_role(world: &World, form: &Form) -> Result<String, Failure> {
    Ok(format!("<Role>{}</Role>", role_xml(role(world, form)?, Detail::Full)))
}

fn list_roles(world: &World, form: &Form) -> Result<String, Failure> {
    let prefix = form.get("PathPrefix").unwrap_or("/");
    let roles: Vec<&Role> =
        world.iam.roles.iter().map(|(_, role)| role).filter(|role| role.path.starts_with(prefix)).collect();
    let (roles, next) = form.page(roles)?;
    let roles = roles.into_iter().map(|role| role_xml(role, Detail::Listed));
    Ok(members("Roles", roles) + &page_end(next.as_deref()))
}

fn update_assume_role_policy(world: &mut World, context: &Context<'_>, form: &Form) -> Result<Option<String>, Failure> {
    let trust = form.required("PolicyDocument").to_owned();
    role(world, form)?;
    check_trust(world, context, &trust)?;
    role_mut(world, form)?.change(context, |grants| grants.trust = trust);
    Ok(None)
}

fn update_role(world: &mut World, form: &Form) -> Result<String, Failure> {
    let description = form.get("Description").map(str::to_owned);
    // Without a value the default of one hour is applied, not the value before (IAM API reference, UpdateRole).
    let max_session_seconds = session_seconds(form);
    let role = role_mut(world, form)?;
    if description.is_some() {
        role.description = description;
    }
    role.max_session_seconds = max_session_seconds;
    Ok(String::new())
}

fn put_role_policy(world: &mut World, context: &Context<'_>, form: &Form) -> Result<Option<String>, Failure> {
    let name = form.required("PolicyName").to_owned();
    let document = form.required("PolicyDocument").to_owned();
    let role = role_mut(world, form)?;
    policy_document::check(&document, Kind::Identity).map_err(malformed)?;
    let others = role.grants.inline.iter().filter(|(other, _)| **other != name);
    let size = counted(&document) + others.map(|(_, document)| counted(document)).sum::<usize>();
    if size > INLINE_POLICY_CHARACTERS {
        return Err(Failure::new(
            409,
            "LimitExceeded",
            format!("Maximum policy size of {INLINE_POLICY_CHARACTERS} bytes exceeded for role {}", role.name),
        ));
    }
    role.change(context, |grants| {
        grants.inline.insert(name, document);
    });
    Ok(None)
}

fn get_role_policy(world: &World, form: &Form) -> Result<String, Failure> {
    let name = form.required("PolicyName");
    let role = role(world, form)?;
    let document = role.grants.inline.get(name).ok_or_else(|| no_policy(name))?;
    Ok(element("RoleName", &role.name) + &element("PolicyName", name) + &element("PolicyDocument", &encoded(document)))
}

fn delete_role_policy(world: &mut World, context: &Context<'_>, form: &Form) -> Result<Option<String>, Failure> {
    let name = form.required("PolicyName").to_owned();
    let role = role_mut(world, form)?;
    if !role.grants.inline.contains_key(&name) {
        return Err(no_policy(&name));
    }
    role.change(context, |grants| {
        grants.inline.remove(&name);
    });
    Ok(None)
}

fn list_role_policies(world: &World, form: &Form) -> Result<String, Failure> {
    let names: Vec<&String> = role(world, form)?.grants.inline.keys().collect();
    let (names, next) = form.page(names)?;
    let names = names.into_iter().map(|name| query::escaped(name));
    Ok(members("PolicyNames", names) + &page_end(next.as_deref()))
}

fn list_attached_role_policies(world: &World, form: &Form) -> Result<String, Failure> {
    let arns: Vec<&String> = role(world, form)?.grants.attached.iter().collect();
    let (arns, next) = form.page(arns)?;
    let policies = arns
        .into_iter()
        .map(|arn| element("PolicyName", arn.rsplit('/').next().unwrap_or(arn)) + &element("PolicyArn", arn));
    Ok(members("AttachedPolicies", policies) + &page_end(next.as_deref()))
}

fn attach_role_policy(world: &mut World, context: &Context<'_>, form: &Form) -> Result<Option<String>, Failure> {
    let arn = form.required("PolicyArn").to_owned();
    role(world, form)?;
    check_managed_policy(world, &arn, "Policy")?;
    let role = role_mut(world, form)?;
    if role.grants.attached.len() >= ATTACHED_POLICIES && !role.grants.attached.contains(&arn) {
        return Err(Failure::new(
            409,
            "LimitExceeded",
            format!("Cannot exceed quota for PoliciesPerRole: {ATTACHED_POLICIES}"),
        ));
    }
    role.change(context, |grants| {
        grants.attached.insert(arn);
    });
    Ok(None)
}

fn detach_role_policy(world: &mut World, context: &Context<'_>, form: &Form) -> Result<Option<String>, Failure> {
    let arn = form.required("PolicyArn").to_owned();
    let role = role_mut(world, form)?;
    if !role.grants.attached.contains(&arn) {
        return Err(Failure::new(404, "NoSuchEntity", format!("Policy {arn} was not found.")));
    }
    role.change(context, |grants| {
        grants.attached.remove(&arn);
    });
    Ok(None)
}

/// Evaluates each action on each resource by the role's own policies and its boundary. Nothing of the request's context
/// is known, so a statement with a condition does not match.
fn simulate_principal_policy(world: &World, form: &Form) -> Result<String, Failure> {
    let source = form.required("PolicySourceArn");
    let actions = form.list("ActionNames");
    let Some((_, role)) = world.iam.roles.iter().find(|(_, role)| role.arn == source) else {
        return Err(Failure::new(404, "NoSuchEntity", format!("The role with arn {source} cannot be found.")));
    };
    let resources = match form.list("ResourceArns") {
        resources if resources.is_empty() => vec!["*"],
        resources => resources,
    };
    let mut results = Vec::new();
    for action in actions {
        for resource in &resources {
            let question = Question { action, resource: Some(resource), principal: None, conditions: BTreeMap::new() };
            let decision = match permitted(world, role, &role.grants, &question) {
                Permit::Allowed => "allowed",
                Permit::NotPropagated | Permit::Denied | Permit::NoRole | Permit::TrustWrong => "implicitDeny",
            };
            results.push(
                element("EvalActionName", action)
                    + &element("EvalResourceName", resource)
                    + &element("EvalDecision", decision),
            );
        }
    }
    let (results, next) = form.page(results)?;
    Ok(members("EvaluationResults", results) + &page_end(next.as_deref()))
}

fn list_instance_profiles(world: &World, context: &Context<'_>, form: &Form) -> Result<String, Failure> {
    let role = role(world, form)?;
    let (names, next) = form.page(role.instance_profiles.iter().collect())?;
    let profiles = names.into_iter().map(|name: &String| {
        element("Path", "/")
            + &element("InstanceProfileName", name)
            + &element("InstanceProfileId", "AIPAEMULATEDPROFILE00")
            + &element("Arn", &format!("arn:aws:iam::{}:instance-profile/{name}", context.account))
            + &element("CreateDate", &date(role.created))
            + &members("Roles", [role_xml(role, Detail::Listed)])
    });
    Ok(members("InstanceProfiles", profiles) + &page_end(next.as_deref()))
}

fn tag_role(world: &mut World, form: &Form) -> Result<Option<String>, Failure> {
    let tags = form.tags("Tags");
    let mut merged = role(world, form)?.tags.clone();
    add_tags(&mut merged, tags)?;
    role_mut(world, form)?.tags = merged;
    Ok(None)
}

fn untag_role(world: &mut World, form: &Form) -> Result<Option<String>, Failure> {
    let keys = form.list("TagKeys");
    let role = role_mut(world, form)?;
    role.tags.retain(|key, _| !keys.contains(&key.as_str()));
    Ok(None)
}

fn list_role_tags(world: &World, form: &Form) -> Result<String, Failure> {
    let (tags, next) = form.page(role(world, form)?.tags.iter().collect())?;
    let tags = tags.into_iter().map(|(key, value): (&String, &String)| element("Key", key) + &element("Value", value));
    Ok(members("Tags", tags) + &page_end(next.as_deref()))
}

fn put_boundary(world: &mut World, context: &Context<'_>, form: &Form) -> Result<Option<String>, Failure> {
    let arn = form.required("PermissionsBoundary").to_owned();
    role(world, form)?;
    check_managed_policy(world, &arn, "Scope ARN")?;
    let role = role_mut(world, form)?;
    role.change(context, |_| {});
    role.boundary = Some(arn);
    Ok(None)
}

fn delete_boundary(world: &mut World, form: &Form) -> Result<Option<String>, Failure> {
    let role = role_mut(world, form)?;
    if role.boundary.take().is_none() {
        return Err(Failure::new(
            404,
            "NoSuchEntity",
            format!("The role with name {} does not have a permissions boundary.", role.name),
        ));
    }
    Ok(None)
}

fn delete_role(world: &mut World, form: &Form) -> Result<Option<String>, Failure> {
    let role = role(world, form)?;
    let conflict = |message: &str| Err(Failure::new(409, "DeleteConflict", message));
    if !role.instance_profiles.is_empty() {
        return conflict("Cannot delete entity, must remove roles from instance profile first.");
    }
    if !role.grants.inline.is_empty() {
        return conflict("Cannot delete entity, must delete policies first.");
    }
    if !role.grants.attached.is_empty() {
        return conflict("Cannot delete entity, must detach all policies first.");
    }
    let key = role.name.to_lowercase();
    world.iam.roles.remove(&key);
    Ok(None)
}

fn create_policy(world: &mut World, context: &Context<'_>, request: &Request, form: &Form) -> Result<String, Failure> {
    let name = form.required("PolicyName");
    let path = form.get("Path").unwrap_or("/");
    let document = form.required("PolicyDocument");
    policy_document::check(document, Kind::Identity).map_err(malformed)?;
    if counted(document) > MANAGED_POLICY_CHARACTERS {
        return Err(Failure::new(
            409,
            "LimitExceeded",
            format!("Cannot exceed quota for PolicySize: {MANAGED_POLICY_CHARACTERS}"),
        ));
    }
    let arn = format!("arn:{}:iam::{}:policy{path}{name}", partition(&request.region), context.account);
    if world.iam.managed_policies.contains_key(&arn) {
        return Err(Failure::new(409, "EntityAlreadyExists", format!("A policy called {name} already exists.")));
    }
    world.iam.managed_policies.insert(&arn, document.to_owned());
    Ok(format!(
        "<Policy>{}{}{}{}{}</Policy>",
        element("PolicyName", name),
        element("Arn", &arn),
        element("Path", path),
        element("DefaultVersionId", "v1"),
        element("CreateDate", &date(context.now)),
    ))
}

fn delete_policy(world: &mut World, form: &Form) -> Result<Option<String>, Failure> {
    let arn = form.required("PolicyArn");
    let used = world
        .iam
        .roles
        .iter()
        .any(|(_, role)| role.grants.attached.contains(arn) || role.boundary.as_deref() == Some(arn));
    if used {
        return Err(Failure::new(409, "DeleteConflict", "Cannot delete a policy attached to entities."));
    }
    match world.iam.managed_policies.remove(arn) {
        Some(_) => Ok(None),
        None => Err(Failure::new(404, "NoSuchEntity", format!("Policy {arn} was not found."))),
    }
}

fn list_account_aliases(world: &World, form: &Form) -> Result<String, Failure> {
    let (aliases, next) = form.page(world.iam.aliases.keys().cloned().collect())?;
    Ok(members("AccountAliases", aliases) + &page_end(next.as_deref()))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Detail {
    Full,
    /// ListRoles leaves out tags and boundary (IAM API reference, ListRoles).
    Listed,
}

fn role_xml(role: &Role, detail: Detail) -> String {
    let mut xml = element("Path", &role.path)
        + &element("RoleName", &role.name)
        + &element("RoleId", &role.id)
        + &element("Arn", &role.arn)
        + &element("CreateDate", &date(role.created))
        + &element("AssumeRolePolicyDocument", &encoded(&role.grants.trust))
        + &optional_element("Description", role.description.as_deref())
        + &element("MaxSessionDuration", &role.max_session_seconds.to_string());
    if detail == Detail::Full {
        if let Some(arn) = &role.boundary {
            xml += &format!(
                "<PermissionsBoundary>{}{}</PermissionsBoundary>",
                element("PermissionsBoundaryType", "PermissionsBoundaryPolicy"),
                element("PermissionsBoundaryArn", arn)
            );
        }
        if !role.tags.is_empty() {
            xml +=
                &members("Tags", role.tags.iter().map(|(key, value)| element("Key", key) + &element("Value", value)));
        }
        xml += "<RoleLastUsed/>";
    }
    xml
}

fn role<'a>(world: &'a World, form: &Form) -> Result<&'a Role, Failure> {
    let name = form.required("RoleName");
    world.iam.role(name).ok_or_else(|| no_role(name))
}

fn role_mut<'a>(world: &'a mut World, form: &Form) -> Result<&'a mut Role, Failure> {
    let name = form.required("RoleName");
    world.iam.roles.get_mut(&name.to_lowercase()).filter(|role| role.name == name).ok_or_else(|| no_role(name))
}

fn no_role(name: &str) -> Failure {
    Failure::new(404, "NoSuchEntity", format!("The role with name {name} cannot be found."))
}

fn no_policy(name: &str) -> Failure {
    Failure::new(404, "NoSuchEntity", format!("The role policy with name {name} cannot be found."))
}

fn invalid(message: impl Into<String>) -> Failure {
    Failure::new(400, "ValidationError", message)
}

fn malformed(why: String) -> Failure {
    Failure::new(400, "MalformedPolicyDocument", why)
}

/// How long a session may last: an hour by default.
fn session_seconds(form: &Form) -> u32 {
    form.get("MaxSessionDuration").and_then(|text| text.parse().ok()).unwrap_or(3600)
}

fn check_trust(world: &World, context: &Context<'_>, document: &str) -> Result<(), Failure> {
    policy_document::check(document, Kind::Trust).map_err(malformed)?;
    if counted(document) > TRUST_POLICY_CHARACTERS {
        return Err(Failure::new(
            409,
            "LimitExceeded",
            format!("Cannot exceed quota for ACLSizePerRole: {TRUST_POLICY_CHARACTERS}"),
        ));
    }
    // A principal of the own account must exist (IAM user guide, troubleshooting policies).
    let own_role = format!(":iam::{}:role/", context.account);
    let document: serde_json::Value = serde_json::from_str(document).unwrap_or_default();
    let statements = match &document["Statement"] {
        serde_json::Value::Array(statements) => statements.iter().collect(),
        statement => vec![statement],
    };
    for statement in statements {
        let names = match &statement["Principal"]["AWS"] {
            serde_json::Value::Array(names) => names.iter().collect(),
            name => vec![name],
        };
        for name in names.into_iter().filter_map(serde_json::Value::as_str) {
            if name.contains(&own_role) && !world.iam.roles.iter().any(|(_, role)| role.arn == name) {
                return Err(malformed(format!("Invalid principal in policy: \"AWS\":\"{name}\"")));
            }
        }
    }
    Ok(())
}

/// AWS's own policies are taken to exist; the account's must have been created.
fn check_managed_policy(world: &World, arn: &str, what: &str) -> Result<(), Failure> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let [_, _, "iam", "", owner, name] = parts[..] else {
        return Err(invalid(format!("ARN {arn} is not valid.")));
    };
    if !name.starts_with("policy/") {
        return Err(invalid(format!("ARN {arn} is not valid.")));
    }
    if owner == "aws" || world.iam.managed_policies.contains_key(arn) {
        return Ok(());
    }
    Err(Failure::new(404, "NoSuchEntity", format!("{what} {arn} does not exist or is not attachable.")))
}

fn add_tags(tags: &mut BTreeMap<String, String>, added: Vec<(String, String)>) -> Result<(), Failure> {
    let mut seen = BTreeSet::new();
    for (key, value) in added {
        if key.to_lowercase().starts_with("aws:") {
            return Err(Failure::new(
                400,
                "InvalidInput",
                "Tag keys starting with 'aws:' are reserved for system use.",
            ));
        }
        if !seen.insert(key.to_lowercase()) {
            return Err(Failure::new(
                400,
                "InvalidInput",
                "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
            ));
        }
        // A key in another case replaces the value and keeps the case it had (IAM user guide, tags).
        let known = tags.keys().find(|known| known.to_lowercase() == key.to_lowercase()).cloned();
        tags.insert(known.unwrap_or(key), value);
    }
    if tags.len() > TAGS {
        return Err(Failure::new(
            409,
            "LimitExceeded",
            format!("The number of tags has reached the maximum limit of {TAGS}."),
        ));
    }
    Ok(())
}

/// The size of a document as quotas count it.
fn counted(document: &str) -> usize {
    document.chars().filter(|character| !character.is_whitespace()).count()
}

/// A document as IAM returns it.
fn encoded(document: &str) -> String {
    utf8_percent_encode(&policy_document::with_single_elements_as_strings(document), UNRESERVED).to_string()
}

fn date(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn unique_id(prefix: &str) -> String {
    let random = uuid::Uuid::new_v4().simple().to_string().to_uppercase();
    format!("{prefix}{}", &random[..17])
}
