//! The CloudWatch log group in which Firehose reports its own errors, with its two streams. Other streams in it are left
//! alone.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_cloudwatchlogs::types::LogGroup;
use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};

use crate::aws::{Session, code, failure};
use crate::error::{Error, Result, both};
use crate::plan::{Step, Work};
use crate::resource::{
    Condition, Goal, Hazard, HazardNote, Kind, Manage, Managed, Observed, Owner, Read, Readiness, Settings, Verdict,
    tag_changes, tags_to_set, within,
};
use crate::retry::until_settled;
use crate::stack::Names;

/// The log stream for errors of the delivery to the domain.
pub const DESTINATION_STREAM: &str = "DestinationDelivery";
/// The log stream for errors of the backup to the bucket.
pub const BACKUP_STREAM: &str = "BackupDelivery";

/// The log group as ekk manages it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogGroupSettings {
    /// Days that events are kept; `None` on the live side is "for ever".
    pub retention_days: Option<u32>,
    /// Which of ekk's two log streams are there.
    pub streams: BTreeSet<String>,
    /// Live side only, never compared: there is no log stream in it, be it because a run was killed while it made the
    /// group. Then a shorter retention cannot delete anything.
    #[serde(skip)]
    pub holds_nothing: bool,
}

/// What CloudWatch Logs assigns.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct LogGroupFacts {
    /// Stored bytes, for what a deletion loses.
    pub stored_bytes: Option<u64>,
}

impl Settings for LogGroupSettings {
    const KIND: Kind = Kind::LogGroup;

    type Facts = LogGroupFacts;

    fn judge(pointer: &str, before: &Self, after: &Self) -> Verdict {
        if within(pointer, "/retention_days")
            && !before.holds_nothing
            && let Some(days) = after.retention_days
            && before.retention_days.is_none_or(|kept| days < kept)
        {
            return Verdict::InPlaceWith(HazardNote::new(
                Hazard::DeleteData,
                format!("events older than {days} days are deleted, those that are there now among them"),
            ));
        }
        Verdict::InPlace
    }

    fn hazard_of_deleting(observed: &Observed<Self>) -> Option<HazardNote> {
        let bytes = observed.facts.stored_bytes.filter(|bytes| *bytes > 0)?;
        Some(HazardNote::new(
            Hazard::DeleteData,
            format!("Firehose's error messages in it are deleted ({bytes} bytes)"),
        ))
    }

    fn work(step: Step<Self>) -> Work {
        Work::LogGroup(step)
    }
}

impl Manage for LogGroupSettings {
    async fn read(session: &Session, names: &Names) -> Result<Read<Self>> {
        let name = session.name(&names.log_group).await?;
        let (group, streams, tags) = tokio::join!(find(session, &name), streams(session, &name), tags(session, &name));
        let (group, (streams, tags)) = both(group, both(streams, tags))?;
        let (Some(group), Some(tags)) = (group, tags) else { return Ok(Read::Absent) };
        let Streams { own, others } = streams;
        Ok(Read::Present(Box::new(Observed {
            settings: LogGroupSettings {
                retention_days: group.retention_in_days.and_then(|days| u32::try_from(days).ok()),
                holds_nothing: own.is_empty() && others == Others::None,
                streams: own,
            },
            facts: LogGroupFacts { stored_bytes: group.stored_bytes.and_then(|bytes| u64::try_from(bytes).ok()) },
            owner: Owner::from_tags(&tags, &names.stack, &names.region),
            tags,
            condition: Condition::Settled,
        })))
    }

    async fn create(session: &Session, names: &Names, after: &Managed<Self>) -> Result<()> {
        let name = session.name(&names.log_group).await?;
        let LogGroupSettings { retention_days, streams, holds_nothing: _ } = &after.settings;
        let create = session
            .aws
            .logs
            .create_log_group()
            .log_group_name(&name)
            .set_tags(Some(tags_to_set(&after.tags).into_iter().collect()));
        match until_settled(session, is_passing, || create.clone().send()).await {
            Ok(_) => {}
            Err(error) if code(&error) == Some("ResourceAlreadyExistsException") => {
                accept_own(session, names, &name).await?;
            }
            Err(error) => {
                return Err(failure(&label(&name), "logs:CreateLogGroup", error)
                    .hint_if_denied("a log group is made with its tags, which takes logs:TagResource"));
            }
        }
        // The retention comes before the streams: a group without streams was left half-made, and setting its retention
        // cannot delete anything.
        if let Some(days) = retention_days {
            put_retention(session, &name, *days).await?;
        }
        create_streams(session, &name, streams).await
    }

    async fn update(
        session: &Session,
        names: &Names,
        before: &Observed<Self>,
        after: &Managed<Self>,
        pointers: &[String],
    ) -> Result<()> {
        let name = session.name(&names.log_group).await?;
        let differs = |prefix: &str| pointers.iter().any(|pointer| within(pointer, prefix));
        let LogGroupSettings { retention_days, streams, holds_nothing: _ } = &after.settings;
        // The tags come first: a group that is being adopted is ours before anything else of it changes.
        if differs("/tags") {
            write_tags(session, &name, &before.tags, after).await?;
        }
        if let (true, Some(days)) = (differs("/retention_days"), retention_days) {
            put_retention(session, &name, *days).await?;
        }
        if differs("/streams") {
            let missing = streams.difference(&before.settings.streams).cloned().collect();
            create_streams(session, &name, &missing).await?;
        }
        Ok(())
    }

    async fn delete(session: &Session, names: &Names, _before: &Observed<Self>) -> Result<()> {
        let name = session.name(&names.log_group).await?;
        let delete = session.aws.logs.delete_log_group().log_group_name(&name);
        match until_settled(session, is_passing, || delete.clone().send()).await {
            Err(error) if code(&error) != Some(NOT_FOUND) => Err(failure(&label(&name), "logs:DeleteLogGroup", error)),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    async fn readiness(session: &Session, names: &Names, goal: Goal) -> Result<Readiness> {
        let name = session.name(&names.log_group).await?;
        let is_there = find(session, &name).await?.is_some();
        Ok(match (goal, is_there) {
            (Goal::InForce, true) | (Goal::Gone, false) => Readiness::Ready,
            (Goal::InForce, false) => Readiness::pending("CloudWatch Logs does not show it yet"),
            (Goal::Gone, true) => Readiness::pending("CloudWatch Logs still shows it"),
        })
    }
}

const NOT_FOUND: &str = "ResourceNotFoundException";

fn label(name: &str) -> String {
    format!("log group {name}")
}

/// Tells whether the answer passes by itself: another change of the group is under way.
fn is_passing(code: &str, _text: &str) -> bool {
    code == "OperationAbortedException"
}

/// DescribeLogGroups takes a prefix and no name.
async fn find(session: &Session, name: &str) -> Result<Option<LogGroup>> {
    let mut groups = session.aws.logs.describe_log_groups().log_group_name_prefix(name).into_paginator().items().send();
    while let Some(group) = groups.next().await {
        let group = group.map_err(|error| failure(&label(name), "logs:DescribeLogGroups", error))?;
        if group.log_group_name() == Some(name) {
            return Ok(Some(group));
        }
    }
    Ok(None)
}

struct Streams {
    /// Those of ekk's two that are there.
    own: BTreeSet<String>,
    others: Others,
}

#[derive(PartialEq)]
enum Others {
    None,
    Some,
}

/// Looks for ekk's two streams, until both are found.
async fn streams(session: &Session, name: &str) -> Result<Streams> {
    let wanted = [DESTINATION_STREAM, BACKUP_STREAM];
    let mut found = Streams { own: BTreeSet::new(), others: Others::None };
    let mut streams = session.aws.logs.describe_log_streams().log_group_name(name).into_paginator().items().send();
    while found.own.len() < wanted.len() {
        match streams.next().await {
            Some(Ok(stream)) => match stream.log_stream_name {
                Some(stream) if wanted.contains(&stream.as_str()) => {
                    found.own.insert(stream);
                }
                Some(_) | None => found.others = Others::Some,
            },
            Some(Err(error)) if code(&error) != Some(NOT_FOUND) => {
                return Err(failure(&label(name), "logs:DescribeLogStreams", error));
            }
            Some(Err(_)) | None => break,
        }
    }
    Ok(found)
}

/// Returns the tags, or `None` when there is no such group.
async fn tags(session: &Session, name: &str) -> Result<Option<BTreeMap<String, String>>> {
    let arn = session.target().await?.log_group_arn(name);
    match session.aws.logs.list_tags_for_resource().resource_arn(arn).send().await {
        Ok(answer) => Ok(Some(answer.tags.unwrap_or_default().into_iter().collect())),
        Err(error) if code(&error) == Some(NOT_FOUND) => Ok(None),
        Err(error) => Err(failure(&label(name), "logs:ListTagsForResource", error)),
    }
}

/// Accepts that the group is there already when it is ours: an answer was lost, or another run was quicker.
async fn accept_own(session: &Session, names: &Names, name: &str) -> Result<()> {
    let tags = tags(session, name).await?.unwrap_or_default();
    match Owner::from_tags(&tags, &names.stack, &names.region) {
        Owner::Ours => Ok(()),
        Owner::Nobody => Err(Error::refused(format!("{}: it was made meanwhile and is not this stack's", label(name)))
            .hint("plan again; --adopt=log-group takes it")),
        Owner::Other { stack, region } => {
            Err(Error::refused(format!("{}: it belongs to the stack {stack} in {region}", label(name)))
                .hint("choose another `stream.name` or `error_log.name`"))
        }
    }
}

async fn put_retention(session: &Session, name: &str, days: u32) -> Result<()> {
    let days = i32::try_from(days).unwrap_or(i32::MAX);
    let put = session.aws.logs.put_retention_policy().log_group_name(name).retention_in_days(days);
    until_settled(session, is_passing, || put.clone().send())
        .await
        .map_err(|error| failure(&label(name), "logs:PutRetentionPolicy", error))?;
    Ok(())
}

async fn create_streams(session: &Session, name: &str, streams: &BTreeSet<String>) -> Result<()> {
    try_join_all(streams.iter().map(async |stream| {
        let create = session.aws.logs.create_log_stream().log_group_name(name).log_stream_name(stream);
        match until_settled(session, is_passing, || create.clone().send()).await {
            Err(error) if code(&error) != Some("ResourceAlreadyExistsException") => {
                Err(failure(&label(name), "logs:CreateLogStream", error))
            }
            Ok(_) | Err(_) => Ok(()),
        }
    }))
    .await?;
    Ok(())
}

async fn write_tags(
    session: &Session,
    name: &str,
    live: &BTreeMap<String, String>,
    after: &Managed<LogGroupSettings>,
) -> Result<()> {
    let (set, remove) = tag_changes(live, &after.tags);
    let arn = session.target().await?.log_group_arn(name);
    if !set.is_empty() {
        let tag = session.aws.logs.tag_resource().resource_arn(&arn).set_tags(Some(set.into_iter().collect()));
        until_settled(session, is_passing, || tag.clone().send())
            .await
            .map_err(|error| failure(&label(name), "logs:TagResource", error))?;
    }
    if !remove.is_empty() {
        let untag = session.aws.logs.untag_resource().resource_arn(&arn).set_tag_keys(Some(remove));
        until_settled(session, is_passing, || untag.clone().send())
            .await
            .map_err(|error| failure(&label(name), "logs:UntagResource", error))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept_for(days: Option<u32>) -> LogGroupSettings {
        LogGroupSettings {
            retention_days: days,
            streams: BTreeSet::from([DESTINATION_STREAM.to_owned(), BACKUP_STREAM.to_owned()]),
            holds_nothing: false,
        }
    }

    fn hazard(before: &LogGroupSettings, after: &LogGroupSettings) -> Option<Hazard> {
        match LogGroupSettings::judge("/retention_days", before, after) {
            Verdict::InPlaceWith(note) => Some(note.hazard),
            Verdict::InPlace => None,
            verdict @ (Verdict::Replace(_) | Verdict::Impossible(_)) => panic!("{verdict:?}"),
        }
    }

    #[test]
    fn a_shorter_retention_deletes_data_and_a_longer_one_does_not() {
        assert_eq!(hazard(&kept_for(Some(30)), &kept_for(Some(14))), Some(Hazard::DeleteData));
        assert_eq!(hazard(&kept_for(None), &kept_for(Some(14))), Some(Hazard::DeleteData));
        assert_eq!(hazard(&kept_for(Some(14)), &kept_for(Some(30))), None);
    }

    #[test]
    fn a_group_that_a_killed_run_left_without_streams_is_finished_without_a_hazard() {
        let half_made = LogGroupSettings { streams: BTreeSet::new(), holds_nothing: true, ..kept_for(None) };
        assert_eq!(hazard(&half_made, &kept_for(Some(14))), None);
    }

    #[test]
    fn missing_streams_are_harmless() {
        assert_eq!(LogGroupSettings::judge("/streams", &kept_for(Some(14)), &kept_for(Some(14))), Verdict::InPlace);
    }

    #[test]
    fn deleting_a_group_with_events_deletes_data() {
        let mut observed = Observed {
            settings: kept_for(Some(14)),
            facts: LogGroupFacts { stored_bytes: Some(0) },
            tags: BTreeMap::new(),
            owner: Owner::Ours,
            condition: Condition::Settled,
        };
        assert_eq!(LogGroupSettings::hazard_of_deleting(&observed), None);
        observed.facts.stored_bytes = Some(12);
        assert_eq!(LogGroupSettings::hazard_of_deleting(&observed).map(|note| note.hazard), Some(Hazard::DeleteData));
    }
}
