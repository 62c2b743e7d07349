//! Finds what carries this stack's tags and is named nowhere any more. Reads only; what is found is left as it is.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

use crate::aws::{Session, failure};
use crate::error::{Error, ErrorKind, Result};
use crate::resource::role::{DEFAULT_PATH, DESCRIPTION_START, description};
use crate::resource::{Kind, Owner};
use crate::stack::{Names, Stray, Strays};
use crate::tagged::{self, Tagged, Which};

/// How many roles are asked for their tags at a time.
const ROLES_AT_ONCE: usize = 5;

/// Finds strays: buckets, domains, streams and log groups through the Resource Groups Tagging API, which shows a change
/// of tags only after a while; roles, which that API does not cover, by listing under ekk's path.
///
/// A plan is good without it, so what cannot be looked up is told and is no failure.
///
/// # Errors
/// Fails as sts:GetCallerIdentity does.
pub async fn find(session: &Session, names: &Names) -> Result<Strays> {
    let names = session.names(names).await?;
    let (tagged, roles) = tokio::join!(tagged_strays(session, &names), roles(session, &names));
    let found = match (tagged, roles) {
        (Ok(tagged), Ok(roles)) => tagged.into_iter().chain(roles).collect::<BTreeSet<Stray>>(),
        (Err(error), Ok(_)) | (Ok(_), Err(error)) => return Ok(Strays::Unknown(in_words(&error))),
        (Err(one), Err(other)) => {
            return Ok(Strays::Unknown(format!("{}; {}", in_words(&one), in_words(&other))));
        }
    };
    Ok(Strays::Known(found.into_iter().collect()))
}

fn in_words(error: &Error) -> String {
    match error.kind {
        ErrorKind::Denied => error.hints.first().cloned().unwrap_or_else(|| error.message.clone()),
        ErrorKind::Failed
        | ErrorKind::Usage
        | ErrorKind::InvalidSpec
        | ErrorKind::Refused
        | ErrorKind::StillUnderWay
        | ErrorKind::Interrupted => error.message.clone(),
    }
}

async fn tagged_strays(session: &Session, names: &Names) -> Result<Vec<Stray>> {
    let mut stacks = tagged::stacks(session, Which::Stack(&names.stack)).await?;
    let carriers = stacks.remove(&names.stack).unwrap_or_default();
    let strays = carriers.into_iter().map(|Tagged { kind, name }| Stray { kind, name });
    Ok(strays.filter(|stray| !is_named(stray, names)).collect())
}

fn is_named(stray: &Stray, names: &Names) -> bool {
    names.of(stray.kind) == stray.name
}

async fn roles(session: &Session, names: &Names) -> Result<Vec<Stray>> {
    let mut candidates = Vec::new();
    for path in paths(names) {
        let mut roles = session.aws.iam.list_roles().path_prefix(path).into_paginator().items().send();
        while let Some(role) = roles.next().await {
            let role = role.map_err(|error| failure("strays", "iam:ListRoles", error))?;
            if role.role_name() != names.role && may_be_ours(role.description(), names) {
                candidates.push(role.role_name().to_owned());
            }
        }
    }
    let owners = stream::iter(candidates.into_iter().map(async |name| {
        let tags = tags(session, &name).await?;
        Ok::<_, Error>((name, Owner::from_tags(&tags, &names.stack, &names.region)))
    }));
    let owners: Vec<(String, Owner)> = owners.buffer_unordered(ROLES_AT_ONCE).try_collect().await?;
    Ok(owners
        .into_iter()
        .filter(|(_, owner)| *owner == Owner::Ours)
        .map(|(name, _)| Stray { kind: Kind::Role, name })
        .collect())
}

/// Returns the paths under which roles of ekk's are looked for. The root path is not one of them: every role of the
/// account is below it.
fn paths(names: &Names) -> BTreeSet<&str> {
    let own = Some(names.role_path.as_str()).filter(|path| !path.starts_with(DEFAULT_PATH) && *path != "/");
    own.into_iter().chain([DEFAULT_PATH]).collect()
}

/// A role that ekk made says in its description for which stack; any other has to be asked for its tags.
fn may_be_ours(described: Option<&str>, names: &Names) -> bool {
    match described {
        Some(described) if described.starts_with(DESCRIPTION_START) => {
            described == description(&names.stack, &names.region)
        }
        Some(_) | None => true,
    }
}

async fn tags(session: &Session, name: &str) -> Result<BTreeMap<String, String>> {
    let mut tags = BTreeMap::new();
    let mut pages = session.aws.iam.list_role_tags().role_name(name).into_paginator().items().send();
    while let Some(tag) = pages.next().await {
        match tag {
            Ok(tag) => tags.insert(tag.key, tag.value),
            // It went while we looked.
            Err(error) if crate::aws::code(&error) == Some("NoSuchEntity") => break,
            Err(error) => return Err(failure(&format!("role {name}"), "iam:ListRoleTags", error)),
        };
    }
    Ok(tags)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::Origin;

    fn names() -> Names {
        Names {
            stack: "logs".to_owned(),
            region: "eu-west-1".to_owned(),
            role: "logs-firehose".to_owned(),
            role_path: DEFAULT_PATH.to_owned(),
            role_origin: Origin::Managed,
            bucket: "logs-bucket".to_owned(),
            bucket_origin: Origin::Managed,
            log_group: "/aws/kinesisfirehose/logs".to_owned(),
            domain: "logs".to_owned(),
            index: "logs".to_owned(),
            index_template: "logs".to_owned(),
            stream: "logs".to_owned(),
            index_pattern: "ekk-logs".to_owned(),
            index_pattern_title: "logs-*".to_owned(),
        }
    }

    fn stray(kind: Kind, name: &str) -> Stray {
        Stray { kind, name: name.to_owned() }
    }

    #[test]
    fn what_is_named_is_no_stray() {
        assert!(is_named(&stray(Kind::Stream, "logs"), &names()));
        assert!(!is_named(&stray(Kind::Bucket, "logs"), &names()));
    }

    #[test]
    fn roles_are_looked_for_under_ekks_path_and_the_specs() {
        let mut names = names();
        assert_eq!(paths(&names), BTreeSet::from(["/ekk/"]));
        names.role_path = "/ekk/logs/".to_owned();
        assert_eq!(paths(&names), BTreeSet::from(["/ekk/"]));
        names.role_path = "/team/".to_owned();
        assert_eq!(paths(&names), BTreeSet::from(["/ekk/", "/team/"]));
        names.role_path = "/".to_owned();
        assert_eq!(paths(&names), BTreeSet::from(["/ekk/"]));
    }

    #[test]
    fn a_role_that_says_it_is_another_stacks_is_not_asked() {
        let names = names();
        assert!(may_be_ours(None, &names));
        assert!(may_be_ours(Some("made by hand"), &names));
        assert!(may_be_ours(Some(&description("logs", "eu-west-1")), &names));
        assert!(!may_be_ours(Some(&description("logs", "us-east-1")), &names));
    }

    #[test]
    fn a_missing_permission_is_named() {
        let error = Error::new(ErrorKind::Denied, "strays: x").hint("allow tag:GetResources to the caller");
        assert_eq!(in_words(&error), "allow tag:GetResources to the caller");
    }
}
