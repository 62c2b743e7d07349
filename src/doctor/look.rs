//! Reads everything that may tell why no logs arrive, all at once. Judges nothing, writes nothing; what cannot be read
//! stands as its error.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::seen::{
    Arrival, Backup, Blocks, Conflict, Disk, DiskThreshold, Disks, Failed, Failures, Fields, Index, Inside, Lately,
    LogErrors, Mapped, Seen, TimeField, Times,
};
use crate::aws::{Described, ServerClock, Session};
use crate::backup::{FailedDocument, Layout, Name, ObjectReader, Piece, derived_id, record_line};
use crate::error::{Error, Result};
use crate::error_log::{LogError, Within};
use crate::located::expression;
use crate::objects::{Bucket, Listed, ReadError, failed_since, newest_record, records_since};
use crate::opensearch::{DataPlane, Found, Path, Reach, told_in};
use crate::replay::{cause_in, is_index_name};
use crate::resource::bucket::BucketSettings;
use crate::resource::domain::DomainSettings;
use crate::resource::index_pattern::IndexPatternSettings;
use crate::resource::index_template::IndexTemplateSettings;
use crate::resource::log_group::LogGroupSettings;
use crate::resource::role::RoleSettings;
use crate::resource::stream::StreamSettings;
use crate::resource::{Manage as _, Observed, Read};
use crate::stack::{Names, Origin};
use crate::verify::{MARKER_FIELD, matches_pattern};

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
/// How far before the newest object of the backup others are looked for.
const ARRIVALS_WITHIN: SignedDuration = SignedDuration::from_hours(3);
/// Objects closer to each other may come of one file that was sent at once; Firehose buffers for 15 minutes at most.
const ARRIVALS_APART: SignedDuration = SignedDuration::from_mins(15);
/// How many objects of the backup are read,
const MOST_ARRIVALS: usize = 3;
/// and how many bytes of each.
const MOST_ARRIVAL_BYTES: usize = 256 << 10;
/// How many of the documents that came last tell how it is now.
const MOST_LATELY: u64 = 100;
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
    let (errors, (failures, backup), inside, role_mapping) = futures_util::join!(
        Box::pin(logged(session, &log_group, live, now)),
        Box::pin(in_bucket(session, &bucket, live, &time_field, now)),
        Box::pin(inside(session, &names, live, title.as_deref(), &time_field, now)),
        Box::pin(role_mapping(session, &names, described.ok().flatten(), role.as_ref().ok().and_then(Read::present))),
    );
    let failures = match failures {
        Ok((found, is_capped)) => Ok(Failed { causes: with_those_back(session, &names, found).await, is_capped }),
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
        backup,
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
    // Where there are more than are looked at, the newest are what tells how it is now.
    let just_now = Within { since: before(JUST_NOW), until: None, most: MOST_EVENTS };
    let mut read = just_now.read(session, group, &streams).await?;
    let until = before(JUST_NOW + SignedDuration::from_millis(1));
    let earlier = Within { since: before(LATELY), until: Some(until), most: MOST_EVENTS - read.len() };
    read.extend(earlier.read(session, group, &streams).await?);
    let mut by_code: BTreeMap<String, LogErrors> = BTreeMap::new();
    for LogError { code, text, at } in read {
        let code = code.unwrap_or_else(|| "an error".to_owned());
        let newest = at.unwrap_or(now);
        let entry =
            by_code.entry(code.clone()).or_insert_with(|| LogErrors { code, count: 0, newest, text: text.clone() });
        entry.count += 1;
        if newest > entry.newest {
            (entry.newest, entry.text) = (newest, text);
        }
    }
    let mut errors: Vec<LogErrors> = by_code.into_values().collect();
    errors.sort_by_key(|errors| std::cmp::Reverse(errors.count));
    Ok(errors)
}

/// Reads which documents failed lately, whether all of them were looked at, and what the backup tells of arrivals.
async fn in_bucket(
    session: &Session,
    bucket: &Result<Read<BucketSettings>>,
    stream: Option<&Observed<StreamSettings>>,
    time_field: &str,
    now: Timestamp,
) -> (Result<(Vec<FailedIds>, bool)>, Result<Backup>) {
    let nothing = || (Ok((Vec::new(), false)), Ok(Backup::NotKnown));
    let (Some(stream), Ok(Read::Present(_))) = (stream, bucket) else { return nothing() };
    let backup = &stream.settings.backup;
    let Some((_, bucket)) = backup.bucket_arn.split_once(":::") else { return nothing() };
    let bucket = match Bucket::of(session, bucket).await {
        Ok(bucket) => bucket,
        Err(error) => return (Err(error.clone()), Err(error)),
    };
    let name = stream.facts.arn.rsplit('/').next().unwrap_or_default();
    let layout =
        Layout { stream: name.to_owned(), prefix: backup.prefix.clone(), error_prefix: backup.error_prefix.clone() };
    let backed_up = async {
        if backup.documents != "AllDocuments" {
            return Ok(Backup::FailedOnly);
        }
        if !layout.date_comes_first() {
            return Ok(Backup::NotKnown);
        }
        let newest = newest_record(&bucket, &layout).await?;
        let arrivals = match newest {
            Some(newest) => arrivals(&bucket, &layout, time_field, newest).await?,
            None => Vec::new(),
        };
        Ok(Backup::All { newest, arrivals })
    };
    let settings = &stream.settings;
    let unrotated_index = (settings.rotation == "NoRotation").then_some(settings.index.as_str());
    futures_util::join!(failed(&bucket, &layout, unrotated_index, now), backed_up)
}

/// Reads the times of records in a few of the newest objects, so that they can be compared with their arrival.
async fn arrivals(bucket: &Bucket<'_>, layout: &Layout, time_field: &str, newest: Timestamp) -> Result<Vec<Arrival>> {
    let from = newest.saturating_sub(ARRIVALS_WITHIN).unwrap_or(newest);
    let mut objects = records_since(bucket, layout, from).await?;
    objects.sort_by_key(|(_, name)| std::cmp::Reverse(name.time));
    let mut found: Vec<Arrival> = Vec::new();
    for (object, name) in objects {
        if found.len() == MOST_ARRIVALS {
            break;
        }
        let written = object.modified.unwrap_or(name.time);
        if found.last().is_some_and(|later| later.written.duration_since(written) < ARRIVALS_APART) {
            continue;
        }
        let times = times_in(bucket, &object, &name, time_field).await?;
        if let (Some(oldest), Some(newest)) = (times.iter().min(), times.iter().max()) {
            found.push(Arrival { written, oldest: *oldest, newest: *newest });
        }
    }
    Ok(found)
}

/// Returns the times of the records with which an object begins.
async fn times_in(bucket: &Bucket<'_>, object: &Listed, name: &Name, time_field: &str) -> Result<Vec<Timestamp>> {
    let mut times = Vec::new();
    let mut reader = ObjectReader::new(name.compression);
    let mut tell = |piece: Piece| {
        let Piece::Value { offset: _, text } = piece else { return };
        let record: Value = serde_json::from_slice(&text).unwrap_or_default();
        if record.get(MARKER_FIELD).is_none() {
            times.extend(time_of(&record, time_field));
        }
    };
    let done = async {
        let mut body = bucket.read(&object.key).await?;
        let mut taken = 0;
        while taken < MOST_ARRIVAL_BYTES
            && let Some(bytes) = body.next().await?
        {
            taken += bytes.len();
            reader.push(&bytes, &mut tell);
        }
        Ok(())
    };
    match done.await {
        // One object that cannot be read hides nothing of the others.
        Ok(()) | Err(ReadError::Object(_)) => Ok(times),
        Err(ReadError::All(error)) => Err(error),
    }
}

/// Reads a record's time as the engine does: without a zone it is UTC, and a number counts from 1970. `None` where it is
/// no time that is known here.
fn time_of(record: &Value, field: &str) -> Option<Timestamp> {
    // From here on a number of seconds would be in the year 5138.
    const MILLISECONDS: f64 = 1e11;
    let pointer = format!("/{}", field.replace('.', "/"));
    match record.get(field).or_else(|| record.pointer(&pointer))? {
        Value::String(text) => {
            let text = text.trim().replace(',', ".");
            let zoneless = || text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok();
            text.parse().ok().or_else(|| zoneless().map(|zoned| zoned.timestamp()))
        }
        Value::Number(number) => {
            let number = number.as_f64()?;
            let seconds = if number.abs() < MILLISECONDS { number } else { number / 1000.0 };
            Timestamp::UNIX_EPOCH.checked_add(SignedDuration::try_from_secs_f64(seconds).ok()?).ok()
        }
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Documents that failed for one reason, with their ids by the index that they were for.
struct FailedIds {
    failures: Failures,
    ids: BTreeMap<String, BTreeSet<String>>,
}

/// Says why a failed document can never be brought back, as `ekk replay` does; else in which index it belongs.
fn destination(document: &FailedDocument, unrotated_index: Option<&str>) -> std::result::Result<String, String> {
    record_line(&document.record)?;
    let index = document.index.as_deref().or(unrotated_index).ok_or("it names no index")?;
    if !is_index_name(index) {
        return Err(format!("its index `{index}` is none that Firehose writes to"));
    }
    Ok(index.to_owned())
}

async fn failed(
    bucket: &Bucket<'_>,
    layout: &Layout,
    unrotated_index: Option<&str>,
    now: Timestamp,
) -> Result<(Vec<FailedIds>, bool)> {
    let from = now.saturating_sub(LATELY).unwrap_or(now);
    let mut objects = failed_since(bucket, layout, from).await?;
    objects.sort_by_key(|(_, name)| std::cmp::Reverse(name.time));
    let mut by_cause: BTreeMap<(Option<String>, String, String), FailedIds> = BTreeMap::new();
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
            let (index, never) = match destination(&document, unrotated_index) {
                Ok(index) => (index, None),
                Err(why) => (document.index.unwrap_or_else(|| "an index".to_owned()), Some(why)),
            };
            let code = document.error_code.unwrap_or_else(|| "an error".to_owned());
            let message = document.error_message.unwrap_or_default();
            // What can never be brought back is one with its like, whatever the engine said of it.
            let cause = if never.is_none() { cause_in(&message) } else { String::new() };
            let entry = by_cause.entry((never.clone(), code.clone(), cause)).or_insert_with(|| {
                let (text, object) = (told_in(&message), place(bucket, &object));
                let failures = Failures { code, count: 0, back: 0, text, indices: Vec::new(), object, never };
                FailedIds { failures, ids: BTreeMap::new() }
            });
            // As `ekk replay` gives it one.
            let id = document.id.unwrap_or_else(|| derived_id(&object.key, offset));
            entry.ids.entry(index).or_default().insert(id);
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
    let mut found: Vec<FailedIds> = by_cause.into_values().collect();
    for FailedIds { failures, ids } in &mut found {
        failures.count = ids.values().map(|ids| ids.len() as u64).sum();
        failures.indices = ids.keys().cloned().collect();
    }
    found.sort_by_key(|found| std::cmp::Reverse(found.failures.count));
    Ok((found, is_capped))
}

/// Counts which of the failed documents are in their index by now. Where that cannot be told, they count as missing.
async fn with_those_back(session: &Session, names: &Names, found: Vec<FailedIds>) -> Vec<Failures> {
    let plane = match DataPlane::reach(session, names).await {
        Ok(Reach::Ready(plane)) if !found.is_empty() => Some(plane),
        Ok(Reach::Ready(_) | Reach::Absent | Reach::Unknown(_)) | Err(_) => None,
    };
    let mut failures = Vec::new();
    for FailedIds { failures: mut one, ids } in found {
        for (index, ids) in ids {
            let ids: Vec<String> = ids.into_iter().collect();
            for some in ids.chunks(MOST_IDS) {
                // An index that may not be named could stand for others.
                let Some(plane) = plane.as_ref().filter(|_| one.never.is_none()) else { break };
                match plane.count(&index, &json!({"ids": {"values": some}})).await {
                    Ok(Some(count)) => one.back += count,
                    Ok(None) | Err(_) => break,
                }
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
    let of_stream_now = mappings.as_ref().ok().and_then(Value::as_object).into_iter().flatten();
    let newest_index = newest_index(of_stream_now.map(|(index, _)| index.as_str()), index, rotation);
    let times = match (times, &newest_index) {
        (Ok(times), Some(newest)) => Ok(Times { lately: lately(&plane, newest, time_field, now).await, ..times }),
        (times, _) => times,
    };
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
        newest_index,
        times,
    })
}

/// Returns the index that the stream writes to now. The names of one rotation are in the order of their time; those of
/// another one may be there as well, and so may what `ekk replay --into` made.
fn newest_index<'n>(names: impl Iterator<Item = &'n str>, index: &str, rotation: &str) -> Option<String> {
    let form = match rotation {
        "OneHour" => "0000-00-00-00",
        "OneDay" => "0000-00-00",
        "OneMonth" => "0000-00",
        _ => "0000-w00",
    };
    let names: Vec<&str> = names.collect();
    let plain = names.iter().find(|name| **name == index).copied();
    let dated: Vec<&str> = names
        .into_iter()
        .filter(|name| {
            let suffix = name.strip_prefix(index).and_then(|rest| rest.strip_prefix('-'));
            suffix.is_some_and(|suffix| suffix.starts_with(|first: char| first.is_ascii_digit()))
        })
        .collect();
    let formed = dated.iter().filter(|name| {
        let suffix = &name[index.len() + 1..];
        suffix.replace(|letter: char| letter.is_ascii_digit(), "0") == form
    });
    let first = if rotation == "NoRotation" { plain } else { formed.max().copied() };
    first.or_else(|| dated.iter().max().copied()).or(plain).map(ToOwned::to_owned)
}

impl Inside {
    /// A domain that does not answer.
    fn silent(error: Error) -> Self {
        let nothing = || Error::failed("the domain does not answer");
        Self {
            health: Err(error),
            indices: Err(nothing()),
            newest_index: None,
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
        lately: None,
    })
}

/// Looks at the documents that an index took last.
async fn lately(plane: &DataPlane<'_>, index: &str, field: &str, now: Timestamp) -> Option<Lately> {
    let limit = now.saturating_add(AHEAD).unwrap_or(now);
    // What has no time is sorted by the largest or the smallest number that there is.
    let by_time = json!({field: {"order": "desc", "unmapped_type": "date", "missing": "_last"}});
    let last = json!({"size": MOST_LATELY, "_source": false, "sort": [{"_seq_no": {"order": "desc"}}, by_time]});
    let found = plane.search(index, &last).await.ok().flatten()?;
    let mut lately = Lately::default();
    for hit in found.hits {
        lately.documents += 1;
        match hit.sort.get(1).and_then(Value::as_i64).and_then(|time| Timestamp::from_millisecond(time).ok()) {
            Some(time) if time > limit => lately.ahead += 1,
            Some(_) => {}
            None => lately.without += 1,
        }
    }
    Some(lately)
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
    fn a_time_is_read_as_the_engine_reads_it() {
        let wanted = "2026-11-24T11:59:00Z".parse().ok();
        for time in [
            json!("2026-11-24T11:59:00Z"),
            json!("2026-11-24T12:59:00+01:00"),
            json!("2026-11-24T12:59:00+0100"),
            json!("2026-11-24 11:59:00,000"),
            json!("2026-11-24T11:59:00"),
            json!(1_795_521_540),
            json!(1_795_521_540_000_i64),
        ] {
            assert_eq!(time_of(&json!({"at": time}), "at"), wanted, "{time}");
        }
        assert_eq!(time_of(&json!({"log": {"at": "2026-11-24T11:59:00Z"}}), "log.at"), wanted);
        assert_eq!(time_of(&json!({"at": "noon"}), "at"), None);
    }

    #[test]
    fn the_newest_index_is_the_one_that_the_rotation_writes_to() {
        let of = |names: &[&str], rotation| newest_index(names.iter().copied(), "logs", rotation);
        let all = ["logs", "logs-2026-11-24", "logs-2026-w47", "logs-2026-w48", "logs-restored"];
        assert_eq!(of(&all, "OneWeek").as_deref(), Some("logs-2026-w48"));
        assert_eq!(of(&all, "OneDay").as_deref(), Some("logs-2026-11-24"));
        assert_eq!(of(&all, "NoRotation").as_deref(), Some("logs"));
        assert_eq!(of(&["logs", "logs-2026-w48"], "OneDay").as_deref(), Some("logs-2026-w48"));
        assert_eq!(of(&["logs"], "OneDay").as_deref(), Some("logs"));
        assert_eq!(of(&["logs-restored"], "OneDay"), None);
    }

    #[test]
    fn what_replay_refuses_never_comes_back() {
        let of = |record: &str, index: Option<&str>| {
            let document = FailedDocument {
                id: None,
                index: index.map(ToOwned::to_owned),
                arrived: None,
                error_code: None,
                error_message: None,
                record: record.as_bytes().to_vec(),
            };
            destination(&document, Some("logs"))
        };
        assert_eq!(of("{}", Some("logs-1")), Ok("logs-1".to_owned()));
        assert_eq!(of("{}", None), Ok("logs".to_owned()));
        assert_eq!(of("[1]", Some("logs-1")), Err("the record is no JSON object".to_owned()));
        assert_eq!(of("{}", Some(".kibana")), Err("its index `.kibana` is none that Firehose writes to".to_owned()));
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
