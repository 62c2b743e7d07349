//! What is wrong inside the domain: health, blocks, disks, mappings, and times that nobody sees.

use jiff::SignedDuration;

use super::{Cause, Commands, Finding, ago, is_absent, present, told};
use crate::bytes::Bytes;
use crate::doctor::seen::{Blocks, Conflict, Disk, DiskThreshold, Disks, Fields, Inside, Seen, TimeField, Times};
use crate::render::counted;
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
/// What Discover shows when it is opened: the last 15 minutes.
const SHOWN: SignedDuration = SignedDuration::from_mins(15);
/// After this time without a record somebody wonders.
const QUIET: SignedDuration = SignedDuration::from_hours(24);
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
    health(inside, findings);
    room(inside, findings);
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
            findings.push(
                Finding::error(
                    Cause::PatternOutside,
                    format!("index pattern {} does not cover the stream's indices, such as {example}", settings.title),
                    format!("dashboards: {{ index_pattern: {index}-* }}"),
                )
                .about("dashboards.index_pattern"),
            );
        }
    }
}

fn health(inside: &Inside, findings: &mut Vec<Finding>) {
    let Ok(health) = &inside.health else { return };
    let with = |state: &str| -> Vec<&str> {
        let indices = inside.indices.iter().flatten();
        indices.filter(|index| index.health == state).map(|index| index.name.as_str()).collect()
    };
    match health.as_str() {
        "red" => findings.push(
            Finding::error(
                Cause::ClusterRed,
                "the cluster is red: primary shards are missing, and what they held cannot be read or written",
                "restore the red indices from the automated snapshots, or delete them (Developer Guide, \"Red cluster status\")",
            )
            .with(listed("red", &with("red"))),
        ),
        "yellow" => findings.push(
            Finding::warning(
                Cause::ClusterYellow,
                "the cluster is yellow: replicas are missing, a node that fails takes documents with it",
                "one node takes no replica: index.replicas 0, or a second node (domain.instance_count)",
            )
            .with(listed("yellow", &with("yellow")))
            .about("index.replicas"),
        ),
        _ => {}
    }
    if let Ok(Blocks { of_cluster, of_indices }) = &inside.blocks {
        let blocks: Vec<String> = of_cluster
            .iter()
            .cloned()
            .chain(of_indices.iter().map(|(index, setting)| format!("{index}: {setting}")))
            .collect();
        if !blocks.is_empty() {
            findings.push(
                Finding::error(
                    Cause::WritesBlocked,
                    "the domain blocks writes: documents are retried, then go to the failed folder",
                    "give it room (domain.volume.size_gib) or delete old indices, then set the block to null",
                )
                .with(listed("blocked", &blocks.iter().map(String::as_str).collect::<Vec<_>>()))
                .about("domain.volume.size_gib"),
            );
        }
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

fn room(inside: &Inside, findings: &mut Vec<Finding>) {
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
        let mend = "log fewer different keys, or raise index.total_fields_limit";
        let finding = if count >= limit {
            Finding::error(Cause::FieldLimit, format!("{says}: a record with a new field is refused"), mend)
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
                format!(
                    "index: {{ fields: {{ {field}: {} }} }}, which counts from the next index on",
                    kinds.first().unwrap_or(&"keyword")
                ),
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
        findings.push(
            Finding::error(
                Cause::TimeNotADate,
                format!("{time_field} is {kind} in index {index}, not a date: Discover does not show its records by time"),
                format!(
                    "it was made before the template: the next index is right; `_reindex` it into one that begins with {}-",
                    seen.names.index
                ),
            )
            .with([format!("{} shows whether the template is there now", commands.of("status"))]),
        );
    }
    for index in inside.indices.iter().flatten() {
        if index.of_stream && index.in_pattern == Some(false) && index.documents > 0 {
            findings.push(
                Finding::error(
                    Cause::OtherIndex,
                    format!(
                        "index {} holds {} that index pattern {} does not cover",
                        index.name,
                        counted(usize::try_from(index.documents).unwrap_or(usize::MAX), "document", "documents"),
                        seen.names.index_pattern_title
                    ),
                    "dashboards.index_pattern, or a second pattern in Dashboards",
                )
                .about("dashboards.index_pattern"),
            );
        }
    }
}

/// Judges the documents' times; returns whether they are in the way of judging when something arrived.
fn times(seen: &Seen, inside: &Inside, findings: &mut Vec<Finding>) -> bool {
    let Ok(Times { field, documents, without, ahead, newest }) = &inside.times else { return true };
    let mut trouble = false;
    if *without > 0 {
        trouble = without == documents;
        findings.push(
            Finding::error(
                Cause::TimeMissing,
                format!("{without} of {documents} documents without {field}, which Discover does not show"),
                "log with that field (ekk.JsonFormatter does), or name the field that they have (index.time_field)",
            )
            .about("index.time_field"),
        );
    }
    let Some(newest) = newest else { return trouble };
    let off = newest.duration_since(seen.now);
    if *ahead > 0 {
        findings.push(
            Finding::error(
                Cause::TimeAhead,
                format!(
                    "the time of {} is in the future, by up to {}: Discover ends at now",
                    counted(usize::try_from(*ahead).unwrap_or(usize::MAX), "document", "documents"),
                    told(off)
                ),
                "log the zone with the time: ekk.JsonFormatter does, or datefmt=\"%Y-%m-%dT%H:%M:%S%z\"",
            )
            .with(zone(seen, off)),
        );
        return true;
    }
    // Only what arrived lately and says an old time is behind; the rest is merely old.
    if let Ok(Some(arrived)) = seen.newest_backup {
        let behind = arrived.duration_since(*newest);
        let is_lately = seen.now.duration_since(arrived) < QUIET;
        if behind > SHOWN + SHOWN && is_lately {
            findings.push(
                Finding::error(
                    Cause::TimeBehind,
                    format!(
                        "the newest {field} lies {} before the newest arrival: Discover opens with the last 15 min",
                        told(behind)
                    ),
                    "log the zone with the time: ekk.JsonFormatter does, or datefmt=\"%Y-%m-%dT%H:%M:%S%z\"",
                )
                .with(zone(seen, -behind)),
            );
            return true;
        }
    }
    trouble
}

/// Python's own time is local and names no zone, so that it is read as UTC: then the shift is the machine's offset.
fn zone(seen: &Seen, shift: SignedDuration) -> Vec<String> {
    let near = |offset: SignedDuration| (shift - offset).abs() < SignedDuration::from_mins(10);
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
    let backup = seen.newest_backup.as_ref().ok().copied().flatten();
    let arrived = backup.max(*newest);
    let mend = format!(
        "see whether the application sends to stream {}; {} sends one record through",
        seen.names.of(Kind::Stream),
        commands.of("verify")
    );
    match arrived {
        None if *documents == 0 => findings.push(Finding::warning(
            Cause::NothingArrived,
            "no record has ever arrived: neither in the index nor in the backup",
            mend,
        )),
        Some(then) if seen.now.duration_since(then) > QUIET => findings.push(Finding::warning(
            Cause::NothingNew,
            format!("the newest record came {}", ago(seen.now, then)),
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
