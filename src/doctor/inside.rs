//! What is wrong inside the domain: health, blocks, disks, mappings, and times that nobody sees.

use jiff::{SignedDuration, Timestamp};

use super::{Cause, Commands, Finding, ago, is_absent, present, told};
use crate::bytes::Bytes;
use crate::doctor::documents as counted;
use crate::doctor::seen::{
    Arrival, Backup, Blocks, Conflict, Disk, DiskThreshold, Disks, Fields, Index, Inside, Lately, Seen, TimeField,
    Times,
};
use crate::resource::Kind;
use crate::verify::matches_pattern;

/// The share of a disk from which writes are blocked (`cluster.routing.allocation.disk.watermark.flood_stage`); AWS
/// blocks earlier on small volumes: below 20 % or 20 GiB of free storage, whichever is less (Developer Guide,
/// "ClusterBlockException").
const DISK_FULL_PERCENT: u64 = 95;
/// From here on a full disk is near.
const DISK_NEAR_PERCENT: u64 = 80;
/// The share of a limit that is near.
const NEAR_PERCENT: u64 = 90;
/// After this time without a record somebody wonders.
const QUIET: SignedDuration = SignedDuration::from_hours(24);
/// All zones' offsets but a few are whole half-hours.
const HALF_AN_HOUR: SignedDuration = SignedDuration::from_mins(30);
/// How far a shift may be from a zone's offset, and two shifts from each other, to be the same.
const NEAR: SignedDuration = SignedDuration::from_mins(10);
/// The farthest zone.
const FARTHEST_ZONE: SignedDuration = SignedDuration::from_hours(14);
/// Of the documents that came last, one in so many without a time, or with one in the future, is no exception any more.
const ONE_IN: u64 = 20;
/// How many names are told of many.
const NAMED: usize = 5;

pub(super) fn findings(seen: &Seen, commands: &Commands, findings: &mut Vec<Finding>) {
    template_and_pattern(seen, commands, findings);
    let Some(inside) = &seen.inside else { return };
    if let Err(error) = &inside.health {
        findings.push(
            Finding::error(
                Cause::DomainSilent,
                format!("domain {} does not answer this caller", seen.names.domain),
                error.hints.first().cloned().unwrap_or_else(|| "look at the domain's health in the console".to_owned()),
            )
            .with([error.message.clone()]),
        );
        return;
    }
    health(seen, inside, commands, findings);
    blocks(inside, commands, findings);
    room(inside, commands, findings);
    mappings(seen, inside, commands, findings);
    let has_time_trouble = times(seen, inside, findings);
    if !has_time_trouble {
        arrivals(seen, inside, commands, findings);
    }
}

fn template_and_pattern(seen: &Seen, commands: &Commands, findings: &mut Vec<Finding>) {
    let names = &seen.names;
    // Without a domain everything inside it is absent, which the domain's own finding says.
    if present(&seen.domain).is_none() {
        return;
    }
    if is_absent(&seen.template) {
        findings.push(
            Finding::error(
                Cause::TemplateMissing,
                format!("index template {} is not there: a new index guesses its types", names.index_template),
                commands.up(),
            )
            .about("index"),
        );
    }
    if is_absent(&seen.pattern) {
        findings.push(
            Finding::error(
                Cause::PatternMissing,
                format!("no index pattern {}: Discover does not show these records", names.index_pattern_title),
                commands.up(),
            )
            .about("dashboards"),
        );
    }
    let Some(pattern) = present(&seen.pattern) else { return };
    let settings = &pattern.settings;
    if let Some(Ok(times)) = seen.inside.as_ref().map(|inside| &inside.times)
        && settings.time_field != times.field
    {
        let has = if settings.time_field.is_empty() { "none".to_owned() } else { settings.time_field.clone() };
        findings.push(
            Finding::error(
                Cause::PatternTimeField,
                format!(
                    "the time field of index pattern {} is {has}, that of the records {}",
                    settings.title, times.field
                ),
                commands.up(),
            )
            .about("index.time_field"),
        );
    }
    if let Some(stream) = present(&seen.stream) {
        let index = &stream.settings.index;
        let example =
            if stream.settings.rotation == "NoRotation" { index.clone() } else { format!("{index}-2026-w01") };
        if !matches_pattern(&settings.title, &example) {
            let says =
                format!("index pattern {} does not cover the stream's indices, such as {example}", settings.title);
            // What the file says of the index is right then, and what the stream says is not.
            let is_astray = seen.changes.iter().flatten().flatten().any(|change| change == "stream index");
            findings.push(if is_astray {
                Finding::error(Cause::PatternOutside, says, commands.up())
                    .with(["the stream's index was changed outside the file".to_owned()])
                    .about("index.name")
            } else {
                let title = if stream.settings.rotation == "NoRotation" { index.clone() } else { format!("{index}-*") };
                Finding::error(Cause::PatternOutside, says, format!("dashboards: {{ index_pattern: {title} }}"))
                    .about("dashboards.index_pattern")
            });
        }
    }
}

fn is_newest(inside: &Inside, index: &str) -> bool {
    inside.newest_index.as_deref().is_none_or(|newest| newest == index)
}

/// An error where it concerns what arrives now; what is in an older index stays as it is until that index goes.
fn by_age(inside: &Inside, index: &str, cause: Cause, says: String, mend: String) -> Finding {
    if is_newest(inside, index) { Finding::error(cause, says, mend) } else { Finding::warning(cause, says, mend) }
}

/// The file counts for new indices only; one that is there is mended where it is, and one of somebody else not by the file.
fn yellow(seen: &Seen, indices: &[&Index], commands: &Commands) -> Finding {
    let says = "the cluster is yellow: replicas are missing, a node that fails takes documents with it";
    let names: Vec<&str> = indices.iter().map(|index| index.name.as_str()).collect();
    let ours: Vec<&str> = indices.iter().filter(|index| index.of_stream).map(|index| index.name.as_str()).collect();
    let set = |names: &[&str]| {
        let which = if names.len() > NAMED { "INDEX,INDEX".to_owned() } else { names.join(",") };
        commands.put_setting(&which, "index.number_of_replicas", "0")
    };
    let wants_none = present(&seen.template).is_some_and(|template| template.settings.replicas == 0);
    let mend = if names.is_empty() {
        "none of the indices is: one of the system's own, or a shard on its way".to_owned()
    } else if ours.is_empty() {
        format!("none of these is this stack's; on one node {}", set(&names))
    } else if wants_none {
        format!("new indices have none; for those that are there {}", set(&ours))
    } else {
        format!(
            "a second node (domain.instance_count), or index: {{ replicas: 0 }} for new indices and {} for those that are there",
            set(&ours)
        )
    };
    let finding = Finding::warning(Cause::ClusterYellow, says, mend).with(listed("yellow", &names));
    if ours.is_empty() || wants_none { finding } else { finding.about("index.replicas") }
}

fn health(seen: &Seen, inside: &Inside, commands: &Commands, findings: &mut Vec<Finding>) {
    let Ok(health) = &inside.health else { return };
    let with = |state: &str| -> Vec<&Index> {
        inside.indices.iter().flatten().filter(|index| index.health == state).collect()
    };
    match health.as_str() {
        "red" => findings.push(
            Finding::error(
                Cause::ClusterRed,
                "the cluster is red: primary shards are missing, and what they held cannot be read or written",
                "restore the red indices from the automated snapshots, or delete them (Developer Guide, \"Red cluster status\")",
            )
            .with(listed("red", &with("red").iter().map(|index| index.name.as_str()).collect::<Vec<_>>())),
        ),
        "yellow" => findings.push(yellow(seen, &with("yellow"), commands)),
        _ => {}
    }
}

/// The block that a full disk sets; the other ones are a person's.
const OF_THE_DISK: &str = "index.blocks.read_only_allow_delete";
/// AWS sets it where a node has too little room, and takes it away again.
const OF_THE_CLUSTERS_DISKS: &str = "cluster.blocks.create_index";

fn blocks(inside: &Inside, commands: &Commands, findings: &mut Vec<Finding>) {
    const ROOM: &str = "give it room (domain.volume.size_gib) or delete old indices";
    let Ok(Blocks { of_cluster, of_indices }) = &inside.blocks else { return };
    for setting in of_cluster {
        let says =
            format!("the cluster blocks writes ({setting}): documents are retried, then go to the failed folder");
        let null = format!("{{\"{setting}\": null}}");
        findings.push(if setting == OF_THE_CLUSTERS_DISKS {
            let mend = format!("{ROOM}; AWS takes the block away then");
            Finding::error(Cause::WritesBlocked, says, mend).about("domain.volume.size_gib")
        } else {
            let dashboards = commands.of("dashboards");
            let put = format!("`PUT _cluster/settings {{\"persistent\": {null}, \"transient\": {null}}}`");
            Finding::error(Cause::WritesBlocked, says, format!("{put} in Dev Tools ({dashboards})"))
        });
    }
    let mut by_setting: Vec<(&str, Vec<&str>)> = Vec::new();
    for (index, setting) in of_indices {
        match by_setting.iter_mut().find(|(known, _)| known == setting) {
            Some((_, indices)) => indices.push(index),
            None => by_setting.push((setting, vec![index])),
        }
    }
    for (setting, indices) in by_setting {
        let lift = |indices: &[&str]| {
            let which = if indices.len() > NAMED { "INDEX,INDEX".to_owned() } else { indices.join(",") };
            commands.put_setting(&which, setting, "null")
        };
        let is_of_now = indices.iter().any(|index| is_newest(inside, index));
        let finding = if setting == OF_THE_DISK {
            let says = "a full disk has blocked writes: documents are retried, then go to the failed folder";
            Finding::error(Cause::WritesBlocked, says, format!("{ROOM}, then {}", lift(&indices)))
                .about("domain.volume.size_gib")
        } else if is_of_now {
            let says = format!("somebody has blocked writes ({setting}): documents go to the failed folder");
            Finding::error(Cause::WritesBlocked, says, lift(&indices))
        } else {
            let says = format!(
                "somebody has blocked writes to older indices ({setting}): what is late goes to the failed folder"
            );
            Finding::warning(Cause::WritesBlocked, says, lift(&indices))
        };
        findings.push(finding.with(listed("blocked", &indices)));
    }
}

fn disk_full(disk: &Disk, threshold: DiskThreshold) -> Option<Finding> {
    let Disk { node, used, total } = disk;
    let percent = (used * 100).checked_div(*total)?;
    if percent < DISK_NEAR_PERCENT {
        return None;
    }
    let says = format!("the disk of node {node} is {percent} % full: {} of {}", Bytes(*used), Bytes(*total));
    let mend = "domain.volume.size_gib, or delete old indices";
    let finding = match threshold {
        DiskThreshold::Enabled if percent >= DISK_FULL_PERCENT => Finding::error(Cause::DiskFull, says, mend),
        DiskThreshold::Enabled => Finding::warning(Cause::DiskFull, says, mend),
        DiskThreshold::Disabled => Finding::warning(Cause::DiskFull, says, mend).with([
            "cluster.routing.allocation.disk.threshold_enabled is false: indices stay writable until it has no room at all"
                .to_owned(),
        ]),
    };
    Some(finding.about("domain.volume.size_gib"))
}

fn room(inside: &Inside, commands: &Commands, findings: &mut Vec<Finding>) {
    if let Ok(Disks { nodes, threshold }) = &inside.disks {
        findings.extend(nodes.iter().filter_map(|disk| disk_full(disk, *threshold)));
    }
    if let Ok((shards, limit)) = inside.shards
        && shards * 100 >= limit * NEAR_PERCENT
    {
        let says = format!("the cluster holds {shards} of at most {limit} shards");
        let mend = "fewer and larger indices (index.rotation, index.shards), delete old ones, or more nodes";
        findings.push(if shards >= limit {
            Finding::error(Cause::ShardLimit, format!("{says}: no new index can be made"), mend)
        } else {
            Finding::warning(Cause::ShardLimit, says, mend)
        });
    }
    for Fields { index, count, limit } in inside.fields.iter().flatten() {
        if count * 100 < limit * NEAR_PERCENT {
            continue;
        }
        let says = format!("index {index} has {count} of at most {limit} fields");
        let set = commands.put_setting(index, "index.mapping.total_fields.limit", &(limit * 2).to_string());
        let more = limit * 2;
        let mend = format!(
            "log fewer different keys, or index: {{ total_fields_limit: {more} }} for new indices and {set} for this one"
        );
        let finding = if count >= limit {
            let says = format!("{says}: a record with a new field is refused");
            by_age(inside, index, Cause::FieldLimit, says, mend)
        } else {
            Finding::warning(Cause::FieldLimit, says, mend)
        };
        findings.push(finding.about("index.total_fields_limit"));
    }
}

fn mappings(seen: &Seen, inside: &Inside, commands: &Commands, findings: &mut Vec<Finding>) {
    let time_field = inside.times.as_ref().map(|times| times.field.clone()).unwrap_or_default();
    for Conflict { field, types } in inside.conflicts.iter().flatten() {
        // The time field has a finding of its own.
        if *field == time_field {
            continue;
        }
        let kinds: Vec<&str> = types.iter().map(|(kind, _)| kind.as_str()).collect();
        if kinds.iter().all(|kind| shown_as(kind) == shown_as(kinds[0])) {
            continue;
        }
        let evidence = types
            .iter()
            .flat_map(|(kind, indices)| listed(kind, &indices.iter().map(String::as_str).collect::<Vec<_>>()));
        findings.push(
            Finding::warning(
                Cause::MappingConflict,
                format!(
                    "field {field} is {} in different indices: Discover cannot sort or filter by it",
                    kinds.join(" and ")
                ),
                match takes_all(&kinds) {
                    Some(kind) => {
                        format!("index: {{ fields: {{ {field}: {kind} }} }}, which counts from the next index on")
                    }
                    None => "give one of the two another name in the application: no type takes objects and values"
                        .to_owned(),
                },
            )
            .with(evidence)
            .about("index.fields"),
        );
    }
    for TimeField { index, kind } in inside.time_field.iter().flatten() {
        let Some(kind) = kind else { continue };
        if kind == "date" || kind == "date_nanos" {
            continue;
        }
        let rotates = present(&seen.stream).is_none_or(|stream| stream.settings.rotation != "NoRotation");
        let name = &seen.names.index;
        let mend = if rotates {
            format!(
                "it was made before the template: the next index is right; `_reindex` it into one that begins with {name}-"
            )
        } else {
            "it was made before the template: `_reindex` it into another one, delete it, and `_reindex` that back"
                .to_owned()
        };
        findings.push(
            by_age(
                inside,
                index,
                Cause::TimeNotADate,
                format!(
                    "{time_field} is {kind} in index {index}, not a date: Discover does not show its records by time"
                ),
                mend,
            )
            .with([format!("{} shows whether the template is there now", commands.of("status"))]),
        );
    }
    // Where the pattern covers none of what arrives, that is the finding, and its mend mends this.
    let Some(pattern) = present(&seen.pattern) else { return };
    if findings.iter().any(|finding| finding.cause == Cause::PatternOutside) {
        return;
    }
    for index in inside.indices.iter().flatten() {
        if index.of_stream && index.in_pattern == Some(false) && index.documents > 0 {
            findings.push(
                by_age(
                    inside,
                    &index.name,
                    Cause::OtherIndex,
                    format!(
                        "index {} holds {} that index pattern {} does not cover",
                        index.name,
                        counted(index.documents),
                        pattern.settings.title
                    ),
                    format!(
                        "dashboards: {{ index_pattern: \"{},{}\" }}, or a second pattern in Dashboards",
                        pattern.settings.title, index.name
                    ),
                )
                .about("dashboards.index_pattern"),
            );
        }
    }
}

/// What Discover takes a type for; types of one kind are no conflict to it.
fn shown_as(kind: &str) -> &str {
    match kind {
        "long" | "integer" | "short" | "byte" | "unsigned_long" | "double" | "float" | "half_float"
        | "scaled_float" => "number",
        "text" | "keyword" | "match_only_text" | "constant_keyword" | "wildcard" => "string",
        "date" | "date_nanos" => "date",
        "object" | "nested" | "flat_object" | "flattened" => "object",
        other => other,
    }
}

/// Returns the type that takes all values of several; `None` where none does.
fn takes_all<'k>(kinds: &[&'k str]) -> Option<&'k str> {
    if kinds.iter().any(|kind| shown_as(kind) == "object") {
        return None;
    }
    let strings = ["text", "keyword", "match_only_text", "wildcard"];
    Some(
        strings.into_iter().find_map(|string| kinds.iter().find(|kind| **kind == string).copied()).unwrap_or("keyword"),
    )
}

/// Judges the documents' times; returns whether they are in the way of judging when something arrived.
fn times(seen: &Seen, inside: &Inside, findings: &mut Vec<Finding>) -> bool {
    let Ok(Times { field, documents, without, ahead, newest, lately }) = &inside.times else { return true };
    // A document stays until its index goes; only what arrives now can be mended.
    let last = lately.unwrap_or(Lately { documents: *documents, without: *without, ahead: *ahead });
    let graded = |of_last: u64, cause, says: String, mend: &str| {
        if of_last > 0 && of_last * ONE_IN >= last.documents {
            Finding::error(cause, says, mend)
        } else {
            Finding::warning(cause, says, mend).with([match of_last {
                0 => format!("none of the {} that came last", last.documents),
                some => format!("{some} of the {} that came last", last.documents),
            }])
        }
    };
    let mut trouble = false;
    if *without > 0 {
        trouble = without == documents;
        let says = format!("{without} of {documents} documents without {field}, which Discover does not show");
        let mend = "log with that field (ekk.JsonFormatter does), or name the field that they have (index.time_field)";
        findings.push(graded(last.without, Cause::TimeMissing, says, mend).about("index.time_field"));
    }
    let Some(newest) = newest else { return trouble };
    let off = newest.duration_since(seen.now);
    if *ahead > 0 {
        let says =
            format!("the time of {} is in the future, by up to {}: Discover ends at now", counted(*ahead), told(off));
        findings.push(graded(last.ahead, Cause::TimeAhead, says, LOG_THE_ZONE).with(zone(seen, off)));
        return true;
    }
    if let Ok(Backup::All { newest: _, arrivals }) = &seen.backup
        && let Some(finding) = behind(seen, field, arrivals, *newest)
    {
        findings.push(finding);
        return true;
    }
    trouble
}

const LOG_THE_ZONE: &str = "log the zone with the time: ekk.JsonFormatter does, or datefmt=\"%Y-%m-%dT%H:%M:%S%z\"";

/// Old records that arrive late (a file that is put, a spool) are as far behind as they are old. A wrong time is a shift that
/// is near a zone's, the same in all records of an object, and in another object as well; or in all that there is to see.
fn behind(seen: &Seen, field: &str, arrivals: &[Arrival], newest: Timestamp) -> Option<Finding> {
    let seconds = present(&seen.stream).map_or(300, |stream| stream.settings.backup.buffer.seconds);
    let buffer = SignedDuration::from_secs(i64::from(seconds));
    // A record waits between nothing and the whole buffer.
    let shift = |arrival: &Arrival| -> Option<SignedDuration> {
        let Arrival { written, oldest, newest } = arrival;
        let shift = written.duration_since(*newest) - buffer / 2;
        let is_one = newest.duration_since(*oldest) <= buffer + NEAR;
        let is_lately = seen.now.duration_since(*written) < QUIET;
        (is_one && is_lately && is_near_a_zone(shift, NEAR)).then_some(shift)
    };
    let [last, others @ ..] = arrivals else { return None };
    let first = shift(last)?;
    let repeats = others.iter().filter_map(shift).any(|other| (other - first).abs() <= NEAR);
    // Nothing that is newer shows that the clocks of this stack's records are right.
    let is_all = last.written.duration_since(newest) > HALF_AN_HOUR && is_near_a_zone(first, buffer / 2 + NEAR / 5);
    if repeats || is_all {
        let says = format!("{field} lies {} before the arrival: Discover opens with the last 15 min", told(first));
        return Some(Finding::error(Cause::TimeBehind, says, LOG_THE_ZONE).with(zone(seen, -first)));
    }
    // One object alone may be an old file as well.
    let says = format!("{field} lies {} before the arrival in the newest object of the backup", told(first));
    let why = "these may be old records that were sent late, which is no harm".to_owned();
    Some(Finding::warning(Cause::TimeBehind, says, LOG_THE_ZONE).with(zone(seen, -first)).with([why]))
}

/// All zones west of Greenwich are whole half-hours.
fn is_near_a_zone(shift: SignedDuration, near: SignedDuration) -> bool {
    let beyond = shift.as_secs().rem_euclid(HALF_AN_HOUR.as_secs());
    let from_the_nearest = beyond.min(HALF_AN_HOUR.as_secs() - beyond);
    (HALF_AN_HOUR - near..=FARTHEST_ZONE + near).contains(&shift) && from_the_nearest <= near.as_secs()
}

/// Python's own time is local and names no zone, so that it is read as UTC: then the shift is the machine's offset.
fn zone(seen: &Seen, shift: SignedDuration) -> Vec<String> {
    let near = |offset: SignedDuration| (shift - offset).abs() < NEAR;
    let hours = shift.as_secs().abs() / 3600;
    if !seen.offset.is_zero() && near(seen.offset) {
        vec!["that is this machine's offset from UTC: local time was logged without its zone".to_owned()]
    } else if (1..=14).contains(&hours) && (shift.as_secs().abs() % 1800 < 600 || shift.as_secs().abs() % 1800 > 1200) {
        vec!["that is near a whole half-hour: local time may have been logged without its zone".to_owned()]
    } else {
        vec!["a wrong clock on the machine that logs does that, too".to_owned()]
    }
}

fn arrivals(seen: &Seen, inside: &Inside, commands: &Commands, findings: &mut Vec<Finding>) {
    let Ok(Times { documents, newest, .. }) = &inside.times else { return };
    let (backup, nowhere) = match &seen.backup {
        Ok(Backup::All { newest, arrivals: _ }) => {
            (*newest, "no record has ever arrived: neither in the index nor in the backup")
        }
        Ok(Backup::FailedOnly) => (None, "no record is in the index, and the bucket gets none but what fails"),
        Ok(Backup::NotKnown) | Err(_) => (None, "no record is in the index"),
    };
    let arrived = backup.max(*newest);
    let mend = format!(
        "see whether the application sends to stream {}; {} sends one record through",
        seen.names.of(Kind::Stream),
        commands.of("verify")
    );
    match arrived {
        None if *documents == 0 => findings.push(Finding::warning(Cause::NothingArrived, nowhere, mend)),
        Some(then) if seen.now.duration_since(then) > QUIET => findings.push(Finding::warning(
            Cause::NothingNew,
            match backup {
                Some(_) => format!("the newest record came {}", ago(seen.now, then)),
                None => format!("the newest record in the index is of {}", ago(seen.now, then)),
            },
            mend,
        )),
        None | Some(_) => {}
    }
}

/// Names a few of many.
fn listed(what: &str, names: &[&str]) -> Vec<String> {
    if names.is_empty() {
        return Vec::new();
    }
    let more = if names.len() > NAMED { format!(" and {} more", names.len() - NAMED) } else { String::new() };
    let shown: Vec<&str> = names.iter().take(NAMED).copied().collect();
    vec![format!("{what}: {}{more}", shown.join(", "))]
}
