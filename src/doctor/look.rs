//! Reads everything that may tell why no logs arrive, all at once. Judges nothing, writes nothing; what cannot be read
//! stands as its error.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_cloudwatchlogs::types::FilteredLogEvent;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::seen::{
    Blocks, Conflict, Disk, DiskThreshold, Disks, Failures, Fields, Index, Inside, LogErrors, Mapped, Seen, TimeField,
    Times,
};
use crate::aws::{Described, ServerClock, Session, failure};
use crate::backup::{FailedDocument, Layout, ObjectReader, Piece, derived_id};
use crate::error::{Error, Result};
use crate::located::expression;
use crate::objects::{Bucket, Listed, ReadError, failed_since, newest_record};
use crate::opensearch::{DataPlane, Found, Path, Reach, told};
use crate::resource::bucket::BucketSettings;
use crate::resource::domain::DomainSettings;
use crate::resource::index_pattern::IndexPatternSettings;
use crate::resource::index_template::IndexTemplateSettings;
use crate::resource::log_group::LogGroupSettings;
use crate::resource::role::RoleSettings;
use crate::resource::stream::StreamSettings;
use crate::resource::{Manage as _, Observed, Read};
use crate::stack::{Names, Origin};
use crate::verify::matches_pattern;

/// How far back errors and failed documents count as of now.
const LATELY: SignedDuration = SignedDuration::from_hours(24);
/// How far back it is looked first.
const JUST_NOW: SignedDuration = SignedDuration::from_hours(1);
/// How many failed documents are looked at, so that a bucket full of them does not take for ever.
const MOST_FAILURES: u64 = 5_000;
/// How many ids are asked for at a time; an engine takes 65,536 (index.max_terms_count).
const MOST_IDS: usize = 1_000;
/// How many events of the error log are looked at.
const MOST_EVENTS: usize = 2_000;
/// A time that far ahead of AWS's clock is wrong, and not late delivery.
const AHEAD: SignedDuration = SignedDuration::from_mins(5);

/// A stack whose delivery stream was found, by its file or by its name.
#[derive(Clone, Debug)]
pub struct Subject {
    /// All names; those that the live stream delivers to and with, where it is there.
    pub names: Names,
    /// The stream.
    pub stream: Result<Read<StreamSettings>>,
    /// The time field that the file names, where there is a file; else the index pattern's counts.
    pub time_field: Option<String>,
    /// The time field of the first edition.
    pub default_time_field: &'static str,
    /// This machine's offset from UTC.
    pub offset: SignedDuration,
}

/// Looks at a stack.
pub async fn look(session: &Session, subject: Subject) -> Seen {
    let Subject { names, stream, time_field, default_time_field, offset } = subject;
    let here = Timestamp::now();
    let clock = ServerClock::default();
    // Its answer does not count, only when it was given: a signature that the clock spoils has one, too.
    let tick = session.aws.sts.get_caller_identity().customize().interceptor(clock.clone()).send();
    let described = session.domain(&names.domain);
    let live = stream.as_ref().ok().and_then(Read::present);
    // Boxed, since the SDK's futures are large.
    let (_, role, may_not, bucket, log_group, domain, template, pattern, described) = futures_util::join!(
        tick,
        Box::pin(RoleSettings::read(session, &names)),
        Box::pin(permissions(session, &names)),
        Box::pin(BucketSettings::read(session, &names)),
        Box::pin(LogGroupSettings::read(session, &names)),
        Box::pin(DomainSettings::read(session, &names)),
        Box::pin(IndexTemplateSettings::read(session, &names)),
        Box::pin(IndexPatternSettings::read(session, &names)),
        described,
    );
    let server = clock.read().and_then(|time| Timestamp::try_from(time).ok());
    // The header counts whole seconds.
    let skew = server.map(|server| here.duration_since(server)).map(|skew| match skew.abs().as_secs() {
        0..=1 => SignedDuration::ZERO,
        _ => skew,
    });
    let now = server.unwrap_or(here);
    let title = pattern.as_ref().ok().and_then(Read::present);
    let time_field = time_field
        .or_else(|| title.map(|title| title.settings.time_field.clone()).filter(|field| !field.is_empty()))
        .unwrap_or_else(|| default_time_field.to_owned());
    let title = title.map(|title| title.settings.title.clone());
    let (errors, (failures, newest_backup), inside, role_mapping) = futures_util::join!(
        Box::pin(logged(session, &log_group, live, now)),
        Box::pin(in_bucket(session, &bucket, live, now)),
        Box::pin(inside(session, &names, live, title.as_deref(), &time_field, now)),
        Box::pin(role_mapping(session, &names, described.ok().flatten(), role.as_ref().ok().and_then(Read::present))),
    );
    let failures = match failures {
        Ok(failures) => Ok(with_those_back(session, &names, failures).await),
        Err(error) => Err(error),
    };
    Seen {
        role: with_permissions(role, may_not),
        names,
        now,
        skew,
        offset,
        stream,
        bucket,
        log_group,
        domain,
        template,
        pattern,
        errors,
        failures,
        newest_backup,
        role_mapping,
        inside,
        changes: None,
    }
}

/// Reads the role as one that exists without ekk: then IAM's simulator is asked what it may not do.
async fn permissions(session: &Session, names: &Names) -> Result<Read<RoleSettings>> {
    let names = Names { role_origin: Origin::Existing, ..names.clone() };
    RoleSettings::read(session, &names).await
}

fn with_permissions(
    role: Result<Read<RoleSettings>>,
    may_not: Result<Read<RoleSettings>>,
) -> Result<Read<RoleSettings>> {
    let Ok(Read::Present(mut role)) = role else { return role };
    match may_not {
        Ok(Read::Present(may_not)) => {
            role.facts.not_allowed = may_not.facts.not_allowed;
            role.facts.unchecked = may_not.facts.unchecked;
        }
        Ok(Read::Absent | Read::Unknown(_)) => {}
        Err(error) => role.facts.unchecked = Some(error.message),
    }
    Ok(Read::Present(role))
}

/// Reads what Firehose logged lately, by code, the most frequent first.
async fn logged(
    session: &Session,
    log_group: &Result<Read<LogGroupSettings>>,
    stream: Option<&Observed<StreamSettings>>,
    now: Timestamp,
) -> Result<Vec<LogErrors>> {
    let Some(logging) = stream.map(|stream| &stream.settings.logging).filter(|logging| logging.enabled) else {
        return Ok(Vec::new());
    };
    let (Some(group), Ok(Read::Present(there))) = (&logging.log_group, log_group) else { return Ok(Vec::new()) };
    let streams: Vec<String> = logging.destination_stream.iter().chain(&logging.backup_stream).cloned().collect();
    // A missing log stream would fail the whole call.
    let streams: Vec<String> = streams.into_iter().filter(|stream| there.settings.streams.contains(stream)).collect();
    if streams.is_empty() {
        return Ok(Vec::new());
    }
    let before = |ago| now.saturating_sub(ago).unwrap_or(now);
    let mut by_code: BTreeMap<String, LogErrors> = BTreeMap::new();
    let mut read = 0;
    // Events come oldest first: where there are more than are looked at, the newest are what tells how it is now.
    for (from, until) in [(before(JUST_NOW), None), (before(LATELY), Some(before(JUST_NOW)))] {
        let events = session.aws.logs.filter_log_events().log_group_name(group);
        let events = events.set_log_stream_names(Some(streams.clone())).start_time(from.as_millisecond());
        // What is at the end time itself is returned, too.
        let events = events.set_end_time(until.map(|until| until.as_millisecond() - 1));
        let mut pages = events.into_paginator().send();
        'pages: while let Some(page) = pages.next().await {
            let page = page.map_err(|error| failure(&format!("log group {group}"), "logs:FilterLogEvents", error))?;
            for event in page.events() {
                if read == MOST_EVENTS {
                    break 'pages;
                }
                read += 1;
                take_event(&mut by_code, event, now);
            }
        }
    }
    let mut errors: Vec<LogErrors> = by_code.into_values().collect();
    errors.sort_by_key(|errors| std::cmp::Reverse(errors.count));
    Ok(errors)
}

fn take_event(by_code: &mut BTreeMap<String, LogErrors>, event: &FilteredLogEvent, now: Timestamp) {
    let message = event.message().unwrap_or_default();
    let told: Value = serde_json::from_str(message).unwrap_or_default();
    let text = |key: &str| told[key].as_str().map(ToOwned::to_owned);
    let code = text("errorCode").unwrap_or_else(|| "an error".to_owned());
    let newest = event.timestamp().and_then(|at| Timestamp::from_millisecond(at).ok()).unwrap_or(now);
    let text = text("message").or_else(|| text("errorMessage")).unwrap_or_else(|| message.to_owned());
    let text = words(&text);
    let entry = by_code.entry(code.clone()).or_insert_with(|| LogErrors { code, count: 0, newest, text: text.clone() });
    entry.count += 1;
    if newest > entry.newest {
        (entry.newest, entry.text) = (newest, text);
    }
}

/// Returns an engine's words without the JSON that they stand in.
fn words(message: &str) -> String {
    match serde_json::from_str::<Value>(message) {
        Ok(error) if error.is_object() => told(&json!({ "error": error })),
        Ok(_) | Err(_) => message.to_owned(),
    }
}

/// Reads which documents failed lately, and when the backup was written last.
async fn in_bucket(
    session: &Session,
    bucket: &Result<Read<BucketSettings>>,
    stream: Option<&Observed<StreamSettings>>,
    now: Timestamp,
) -> (Result<Vec<Failed>>, Result<Option<Timestamp>>) {
    let (Some(stream), Ok(Read::Present(_))) = (stream, bucket) else { return (Ok(Vec::new()), Ok(None)) };
    let backup = &stream.settings.backup;
    let Some((_, bucket)) = backup.bucket_arn.split_once(":::") else { return (Ok(Vec::new()), Ok(None)) };
    let bucket = match Bucket::of(session, bucket).await {
        Ok(bucket) => bucket,
        Err(error) => return (Err(error.clone()), Err(error)),
    };
    let name = stream.facts.arn.rsplit('/').next().unwrap_or_default();
    let layout =
        Layout { stream: name.to_owned(), prefix: backup.prefix.clone(), error_prefix: backup.error_prefix.clone() };
    let newest =
        async { if backup.documents == "AllDocuments" { newest_record(&bucket, &layout).await } else { Ok(None) } };
    futures_util::join!(failed(&bucket, &layout, now), newest)
}

/// Documents that failed for one reason, with their ids in the index that they were for.
struct Failed {
    failures: Failures,
    ids: BTreeSet<String>,
}

async fn failed(bucket: &Bucket<'_>, layout: &Layout, now: Timestamp) -> Result<Vec<Failed>> {
    let from = now.saturating_sub(LATELY).unwrap_or(now);
    let mut objects = failed_since(bucket, layout, from).await?;
    objects.sort_by_key(|(_, name)| std::cmp::Reverse(name.time));
    let mut by_cause: BTreeMap<(String, String), Failed> = BTreeMap::new();
    let mut read = 0;
    let mut is_capped = false;
    for (object, name) in objects {
        if read >= MOST_FAILURES {
            is_capped = true;
            break;
        }
        let mut reader = ObjectReader::new(name.compression);
        let mut tell = |piece: Piece| {
            let Piece::Value { offset, text } = piece else { return };
            let Ok(document) = FailedDocument::read(&text) else { return };
            read += 1;
            let index = document.index.unwrap_or_else(|| "an index".to_owned());
            let code = document.error_code.unwrap_or_else(|| "an error".to_owned());
            let entry = by_cause.entry((index.clone(), code.clone())).or_insert_with(|| {
                let text = document.error_message.as_deref().map(words).unwrap_or_default();
                let object = place(bucket, &object);
                let failures = Failures { code, count: 0, back: 0, is_capped: false, text, index, object };
                Failed { failures, ids: BTreeSet::new() }
            });
            // As `ekk replay` gives it one.
            entry.ids.insert(document.id.unwrap_or_else(|| derived_id(&object.key, offset)));
        };
        let done = async {
            let mut body = bucket.read(&object.key).await?;
            while let Some(bytes) = body.next().await? {
                reader.push(&bytes, &mut tell);
            }
            reader.end(&mut tell);
            Ok(())
        };
        match done.await {
            // One object that cannot be read hides nothing of the others; `ekk replay` tells of it.
            Ok(()) | Err(ReadError::Object(_)) => {}
            Err(ReadError::All(error)) => return Err(error),
        }
    }
    let mut found: Vec<Failed> = by_cause.into_values().collect();
    for Failed { failures, ids } in &mut found {
        failures.count = ids.len() as u64;
        failures.is_capped = is_capped;
    }
    found.sort_by_key(|found| std::cmp::Reverse(found.failures.count));
    Ok(found)
}

/// Counts which of the failed documents are in their index by now. Where that cannot be told, they count as missing.
async fn with_those_back(session: &Session, names: &Names, found: Vec<Failed>) -> Vec<Failures> {
    let plane = match DataPlane::reach(session, names).await {
        Ok(Reach::Ready(plane)) if !found.is_empty() => Some(plane),
        Ok(Reach::Ready(_) | Reach::Absent | Reach::Unknown(_)) | Err(_) => None,
    };
    let mut failures = Vec::new();
    for Failed { failures: mut one, ids } in found {
        let ids: Vec<String> = ids.into_iter().collect();
        for some in ids.chunks(MOST_IDS) {
            let Some(plane) = &plane else { break };
            match plane.count(&one.index, &json!({"ids": {"values": some}})).await {
                Ok(Some(count)) => one.back += count,
                Ok(None) | Err(_) => break,
            }
        }
        failures.push(one);
    }
    failures
}

fn place(bucket: &Bucket<'_>, object: &Listed) -> String {
    format!("s3://{}/{}", bucket.name, object.key)
}

/// Reads which roles inside the domain Firehose's role is mapped to, where the domain has fine-grained access control.
async fn role_mapping(
    session: &Session,
    names: &Names,
    domain: Described,
    role: Option<&Observed<RoleSettings>>,
) -> Result<Option<Mapped>> {
    let has_it = domain
        .as_ref()
        .and_then(|domain| domain.advanced_security_options())
        .is_some_and(|options| options.enabled() == Some(true));
    let (true, Some(role)) = (has_it, role) else { return Ok(None) };
    let plane = match DataPlane::reach(session, names).await? {
        Reach::Ready(plane) => plane,
        Reach::Absent | Reach::Unknown(_) => return Ok(None),
    };
    let path = plane.engine().security(&["api", "rolesmapping"]);
    let mappings = ask(&plane, path, &[]).await?;
    let names = mappings.as_object().into_iter().flatten();
    let roles = names.filter(|(_, mapping)| backs(mapping, &role.facts.arn)).map(|(name, _)| name.clone()).collect();
    Ok(Some(Mapped { arn: role.facts.arn.clone(), roles }))
}

/// Tells whether a mapping names a role; patterns with `*` are the plugin's own.
fn backs(mapping: &Value, arn: &str) -> bool {
    let named = mapping["backend_roles"].as_array().into_iter().flatten().filter_map(Value::as_str);
    named.into_iter().any(|pattern| matches_pattern(pattern, arn))
}

async fn ask(plane: &DataPlane<'_>, path: Path, query: &[(&str, &str)]) -> Result<Value> {
    match plane.get(path, query).await? {
        Found::Present(answer) => Ok(answer),
        Found::Absent => Ok(Value::Null),
        Found::Unknown(why) => Err(Error::failed(why)),
    }
}

/// Asks what is inside the domain; `None` where there is none, or none that can be asked.
async fn inside(
    session: &Session,
    names: &Names,
    stream: Option<&Observed<StreamSettings>>,
    title: Option<&str>,
    time_field: &str,
    now: Timestamp,
) -> Option<Inside> {
    let plane = match DataPlane::reach(session, names).await {
        Ok(Reach::Ready(plane)) => plane,
        Ok(Reach::Absent | Reach::Unknown(_)) | Err(_) => return None,
    };
    let health = match ask(&plane, Path::of(&["_cluster", "health"]), &[]).await {
        Ok(health) => health,
        Err(error) => return Some(Inside::silent(error)),
    };
    let index = stream.map_or(&names.index, |stream| &stream.settings.index);
    let rotation = stream.map_or("OneWeek", |stream| stream.settings.rotation.as_str());
    let of_stream = match expression(&plane, index, rotation).await {
        Ok(of_stream) => of_stream,
        Err(error) => return Some(Inside::silent(error)),
    };
    let flat = [("flat_settings", "true")];
    let with_defaults = [("flat_settings", "true"), ("include_defaults", "true")];
    let (indices, settings, cluster, allocation, mappings, times) = futures_util::join!(
        plane.indices("*"),
        ask(&plane, Path::of(&[&of_stream, "_settings"]), &flat),
        ask(&plane, Path::of(&["_cluster", "settings"]), &with_defaults),
        ask(&plane, Path::of(&["_cat", "allocation"]), &[("format", "json"), ("bytes", "b")]),
        ask(&plane, Path::of(&[&of_stream, "_mapping"]), &[]),
        times(&plane, &of_stream, time_field, now),
    );
    let indices = indices.map(|indices| {
        let of_users = indices.into_iter().filter(|index| !index.name.starts_with('.'));
        of_users
            .map(|index| Index {
                of_stream: matches_pattern(&of_stream, &index.name),
                in_pattern: title.map(|title| matches_pattern(title, &index.name)),
                name: index.name,
                health: index.health,
                documents: index.documents,
            })
            .collect()
    });
    Some(Inside {
        blocks: both(&cluster, &settings, blocks),
        shards: cluster.as_ref().map_err(Clone::clone).and_then(|cluster| {
            shards(&health, cluster)
                .ok_or_else(|| Error::failed("the cluster does not tell how many shards it may hold"))
        }),
        fields: both(&settings, &mappings, fields),
        conflicts: mappings.as_ref().map(conflicts).map_err(Clone::clone),
        time_field: mappings.as_ref().map(|mappings| time_fields(mappings, time_field)).map_err(Clone::clone),
        health: Ok(health["status"].as_str().unwrap_or_default().to_owned()),
        disks: allocation.map(|allocation| Disks {
            nodes: disks(&allocation),
            threshold: cluster.as_ref().map_or(DiskThreshold::Enabled, disk_threshold),
        }),
        indices,
        times,
    })
}

impl Inside {
    /// A domain that does not answer.
    fn silent(error: Error) -> Self {
        let nothing = || Error::failed("the domain does not answer");
        Self {
            health: Err(error),
            indices: Err(nothing()),
            blocks: Err(nothing()),
            disks: Err(nothing()),
            shards: Err(nothing()),
            fields: Err(nothing()),
            conflicts: Err(nothing()),
            time_field: Err(nothing()),
            times: Err(nothing()),
        }
    }
}

fn both<T>(one: &Result<Value>, other: &Result<Value>, read: impl Fn(&Value, &Value) -> T) -> Result<T> {
    match (one, other) {
        (Ok(one), Ok(other)) => Ok(read(one, other)),
        (Err(error), _) | (_, Err(error)) => Err(error.clone()),
    }
}

/// Engines answer settings as texts.
fn is_true(value: &Value) -> bool {
    value.as_str() == Some("true") || value.as_bool() == Some(true)
}

fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// Returns a setting of the cluster, as the engine ranks its levels.
fn in_force<'a>(cluster: &'a Value, setting: &str) -> Option<&'a Value> {
    ["transient", "persistent", "defaults"].iter().find_map(|level| cluster[*level].get(setting))
}

fn blocks(cluster: &Value, settings: &Value) -> Blocks {
    let mut of_cluster = BTreeSet::new();
    for level in ["persistent", "transient"] {
        let set = cluster[level].as_object().into_iter().flatten();
        of_cluster.extend(
            set.filter(|(key, value)| key.starts_with("cluster.blocks.") && is_true(value)).map(|(key, _)| key.clone()),
        );
    }
    let mut of_indices = Vec::new();
    for (index, entry) in settings.as_object().into_iter().flatten() {
        let set = entry["settings"].as_object().into_iter().flatten();
        // A block on reads or metadata alone stops no delivery.
        let stops = |key: &str| {
            ["index.blocks.write", "index.blocks.read_only", "index.blocks.read_only_allow_delete"].contains(&key)
        };
        of_indices.extend(
            set.filter(|(key, value)| stops(key) && is_true(value)).map(|(key, _)| (index.clone(), key.clone())),
        );
    }
    Blocks { of_cluster: of_cluster.into_iter().collect(), of_indices }
}

fn shards(health: &Value, cluster: &Value) -> Option<(u64, u64)> {
    const LIMIT: &str = "cluster.max_shards_per_node";
    let limit = in_force(cluster, LIMIT).and_then(number)?;
    let nodes = health["number_of_data_nodes"].as_u64()?;
    let there = health["active_shards"].as_u64()? + health["unassigned_shards"].as_u64().unwrap_or_default();
    Some((there, limit * nodes))
}

fn disk_threshold(cluster: &Value) -> DiskThreshold {
    match in_force(cluster, "cluster.routing.allocation.disk.threshold_enabled") {
        Some(value) if !is_true(value) => DiskThreshold::Disabled,
        Some(_) | None => DiskThreshold::Enabled,
    }
}

fn disks(allocation: &Value) -> Vec<Disk> {
    let nodes = allocation.as_array().into_iter().flatten();
    // The row of shards without a node has no disk.
    nodes
        .filter_map(|node| {
            Some(Disk {
                node: node["node"].as_str().unwrap_or_default().to_owned(),
                used: number(&node["disk.used"])?,
                total: number(&node["disk.total"])?,
            })
        })
        .collect()
}

fn fields(settings: &Value, mappings: &Value) -> Vec<Fields> {
    // The default of every engine (index.mapping.total_fields.limit).
    const DEFAULT: u64 = 1000;
    let counted = mappings.as_object().into_iter().flatten().map(|(index, mapping)| Fields {
        index: index.clone(),
        count: count_of(&mapping["mappings"]),
        limit: number(&settings[index]["settings"]["index.mapping.total_fields.limit"]).unwrap_or(DEFAULT),
    });
    counted.collect()
}

/// Counts as the engine does: each field, each object, and each field of a field.
fn count_of(mapping: &Value) -> u64 {
    ["properties", "fields"]
        .iter()
        .flat_map(|below| mapping[*below].as_object().into_iter().flatten())
        .map(|(_, field)| 1 + count_of(field))
        .sum()
}

/// Collects the type of each field by its path; an object has the type `object`.
fn types(mapping: &Value, path: &str, take: &mut impl FnMut(String, &str)) {
    for (name, field) in mapping["properties"].as_object().into_iter().flatten() {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        take(path.clone(), field["type"].as_str().unwrap_or("object"));
        types(field, &path, take);
    }
}

fn conflicts(mappings: &Value) -> Vec<Conflict> {
    let mut by_field: BTreeMap<String, BTreeMap<String, Vec<String>>> = BTreeMap::new();
    for (index, mapping) in mappings.as_object().into_iter().flatten() {
        types(&mapping["mappings"], "", &mut |path, kind| {
            by_field.entry(path).or_default().entry(kind.to_owned()).or_default().push(index.clone());
        });
    }
    let several = by_field.into_iter().filter(|(_, types)| types.len() > 1);
    several.map(|(field, types)| Conflict { field, types: types.into_iter().collect() }).collect()
}

fn time_fields(mappings: &Value, field: &str) -> Vec<TimeField> {
    let of = |index: &str, mapping: &Value| {
        let mut kind = None;
        types(&mapping["mappings"], "", &mut |path, found| {
            if path == field {
                kind = Some(found.to_owned());
            }
        });
        TimeField { index: index.to_owned(), kind }
    };
    mappings.as_object().into_iter().flatten().map(|(index, mapping)| of(index, mapping)).collect()
}

async fn times(plane: &DataPlane<'_>, indices: &str, field: &str, now: Timestamp) -> Result<Times> {
    let limit = now.saturating_add(AHEAD).unwrap_or(now);
    let ahead = json!({"range": {field: {"gt": limit.to_string(), "format": "strict_date_optional_time"}}});
    let without = json!({"bool": {"must_not": [{"exists": {"field": field}}]}});
    let newest = json!({
        "size": 1,
        "query": {"exists": {"field": field}},
        "sort": [{field: {"order": "desc", "unmapped_type": "date"}}],
    });
    let all = json!({"match_all": {}});
    let (documents, without, ahead, newest) = futures_util::join!(
        plane.count(indices, &all),
        plane.count(indices, &without),
        plane.count(indices, &ahead),
        plane.search(indices, &newest),
    );
    let count = |answer: std::result::Result<Option<u64>, crate::opensearch::Refusal>| -> Result<u64> {
        Ok(answer.map_err(Error::from)?.unwrap_or_default())
    };
    // Where the field is text in some index, neither the range nor the order means anything: that it is, is a finding.
    let newest = newest.ok().flatten().and_then(|found| found.hits.into_iter().next());
    let newest = newest.and_then(|hit| Timestamp::from_millisecond(hit.sort.first()?.as_i64()?).ok());
    Ok(Times {
        field: field.to_owned(),
        documents: count(documents)?,
        without: count(without)?,
        ahead: count(ahead).unwrap_or_default(),
        newest,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_counted_as_the_engine_counts_them() {
        let mapping = json!({"properties": {
            "message": {"type": "text", "fields": {"keyword": {"type": "keyword"}}},
            "client": {"properties": {"ip": {"type": "ip"}}},
        }});
        assert_eq!(count_of(&mapping), 4);
    }

    #[test]
    fn a_field_with_two_types_is_a_conflict_and_the_same_type_twice_is_none() {
        let of = |kind: &str| json!({"mappings": {"properties": {"code": {"type": kind}, "m": {"type": "text"}}}});
        let found = conflicts(&json!({"a": of("long"), "b": of("keyword"), "c": of("long")}));
        let types = vec![
            ("keyword".to_owned(), vec!["b".to_owned()]),
            ("long".to_owned(), vec!["a".to_owned(), "c".to_owned()]),
        ];
        assert_eq!(found, [Conflict { field: "code".to_owned(), types }]);
    }

    #[test]
    fn blocks_are_read_from_cluster_and_index_and_reads_are_let_be() {
        let cluster = json!({"persistent": {"cluster.blocks.read_only": "true"}, "transient": {}});
        let settings = json!({
            "logs-1": {"settings": {"index.blocks.read_only_allow_delete": "true", "index.blocks.metadata": "true"}},
            "logs-2": {"settings": {"index.blocks.write": "false"}},
        });
        let expected = Blocks {
            of_cluster: vec!["cluster.blocks.read_only".to_owned()],
            of_indices: vec![("logs-1".to_owned(), "index.blocks.read_only_allow_delete".to_owned())],
        };
        assert_eq!(blocks(&cluster, &settings), expected);
    }

    #[test]
    fn the_limit_of_shards_is_that_of_all_nodes() {
        let health = json!({"number_of_data_nodes": 2, "active_shards": 1990, "unassigned_shards": 5});
        let cluster = json!({"persistent": {}, "transient": {}, "defaults": {"cluster.max_shards_per_node": "1000"}});
        assert_eq!(shards(&health, &cluster), Some((1995, 2000)));
    }

    #[test]
    fn a_full_disk_blocks_nothing_where_the_cluster_says_so() {
        const SETTING: &str = "cluster.routing.allocation.disk.threshold_enabled";
        let of = |level: &str, value: Value| {
            disk_threshold(&json!({"defaults": {SETTING: "true"}, level: {SETTING: value}}))
        };
        assert_eq!(of("defaults", json!("true")), DiskThreshold::Enabled);
        assert_eq!(of("persistent", json!("false")), DiskThreshold::Disabled);
        assert_eq!(of("transient", json!(false)), DiskThreshold::Disabled);
        assert_eq!(disk_threshold(&json!({"persistent": {}, "transient": {}})), DiskThreshold::Enabled);
    }

    #[test]
    fn a_role_is_mapped_by_its_arn_or_by_a_pattern() {
        let arn = "arn:aws:iam::123456789012:role/ekk/logs-firehose";
        assert!(backs(&json!({"backend_roles": [arn]}), arn));
        assert!(backs(&json!({"backend_roles": ["arn:aws:iam::123456789012:role/*"]}), arn));
        assert!(!backs(&json!({"backend_roles": ["admins"], "users": [arn]}), arn));
    }
}
