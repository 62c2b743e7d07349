//! What `ekk doctor` says: a healthy stack has no finding, and each cause is found where it alone is wrong.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use ekk::doctor::{
    Arrival, Backup, Blocks, Cause, Commands, Conflict, Disk, DiskThreshold, Disks, Failed, Failures, Fields, Finding,
    Index, Inside, Lately, LogErrors, Mapped, NamedBy, Seen, Severity, TimeField, Times, findings,
};
use ekk::error::Error;
use ekk::resource::{Condition, Observed, Owner, Read, Settings};
use ekk::stack::{Live, Origin};
use jiff::{SignedDuration, Timestamp};

use crate::fixture::Stack;

const OLDER: &str = "logging-test-2026-w47";
const INDEX: &str = "logging-test-2026-w48";

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn commands() -> Commands {
    Commands { stack: " stack.yaml".to_owned(), named_by: NamedBy::File }
}

/// The article's stack a minute after its last record, with nothing wrong.
fn healthy() -> Seen {
    let stack = Stack::article();
    let Live { role, bucket, log_group, domain, index_template, stream, index_pattern, strays: _ } = stack.live();
    Seen {
        names: stack.names,
        now: at("2026-11-24T12:00:00Z"),
        skew: Some(SignedDuration::ZERO),
        offset: SignedDuration::from_hours(1),
        stream: Ok(stream),
        role: Ok(role),
        bucket: Ok(bucket),
        log_group: Ok(log_group),
        domain: Ok(domain),
        template: Ok(index_template),
        pattern: Ok(index_pattern),
        errors: Ok(Vec::new()),
        failures: Ok(Failed::default()),
        backup: Ok(Backup::All {
            newest: Some(at("2026-11-24T11:56:00Z")),
            arrivals: vec![
                arrival("2026-11-24T11:56:00Z", "2026-11-24T11:55:00Z"),
                arrival("2026-11-24T11:36:00Z", "2026-11-24T11:32:00Z"),
            ],
        }),
        role_mapping: Ok(None),
        inside: Some(Inside {
            health: Ok("green".to_owned()),
            indices: Ok(vec![index(INDEX)]),
            newest_index: Some(INDEX.to_owned()),
            blocks: Ok(Blocks::default()),
            disks: Ok(one_disk(4, 10)),
            shards: Ok((5, 1000)),
            fields: Ok(vec![Fields { index: INDEX.to_owned(), count: 40, limit: 1000 }]),
            conflicts: Ok(Vec::new()),
            time_field: Ok(vec![TimeField { index: INDEX.to_owned(), kind: Some("date".to_owned()) }]),
            times: Ok(Times {
                field: "asctime".to_owned(),
                documents: 100,
                without: 0,
                ahead: 0,
                newest: Some(at("2026-11-24T11:59:00Z")),
                lately: Some(Lately { documents: 100, without: 0, ahead: 0 }),
            }),
        }),
        changes: Some(Ok(Vec::new())),
    }
}

fn logged(code: &str, newest: &str) -> LogErrors {
    let text = "Error received from the domain: 503 Service Unavailable".to_owned();
    LogErrors { code: code.to_owned(), count: 12, newest: at(newest), text }
}

fn failures() -> Failures {
    Failures {
        code: "400".to_owned(),
        count: 31,
        back: 0,
        text: "mapper_parsing_exception: failed to parse field [asctime]".to_owned(),
        indices: vec![INDEX.to_owned()],
        object: "s3://logging-test-110520/AmazonOpenSearchService-failed/2026/11/24/11/x".to_owned(),
        never: None,
    }
}

fn failed(seen: &mut Seen, causes: Vec<Failures>) {
    seen.failures = Ok(Failed { causes, is_capped: false });
}

/// An object whose records all say one time.
fn arrival(written: &str, time: &str) -> Arrival {
    Arrival { written: at(written), oldest: at(time), newest: at(time) }
}

fn backed_up(seen: &mut Seen, arrivals: Vec<Arrival>) {
    seen.backup = Ok(Backup::All { newest: arrivals.first().map(|arrival| arrival.written), arrivals });
}

fn conflict(one: &str, other: &str) -> Vec<Conflict> {
    let types = vec![(one.to_owned(), vec![OLDER.to_owned()]), (other.to_owned(), vec![INDEX.to_owned()])];
    vec![Conflict { field: "status".to_owned(), types }]
}

fn block(index: &str, setting: &str) -> Blocks {
    Blocks { of_cluster: Vec::new(), of_indices: vec![(index.to_owned(), setting.to_owned())] }
}

fn theirs(seen: &mut Seen) {
    seen.names.role_origin = Origin::Existing;
    edit(&mut seen.role, |role| role.owner = Owner::Nobody);
}

fn one_disk(used_gib: u64, total_gib: u64) -> Disks {
    let disk = Disk { node: "one".to_owned(), used: used_gib << 30, total: total_gib << 30 };
    Disks { nodes: vec![disk], threshold: DiskThreshold::Enabled }
}

fn index(name: &str) -> Index {
    Index { name: name.to_owned(), health: "green".to_owned(), documents: 100, of_stream: true, in_pattern: Some(true) }
}

fn edit<T: Settings>(read: &mut Result<Read<T>, Error>, change: impl FnOnce(&mut Observed<T>)) {
    match read {
        Ok(Read::Present(observed)) => change(observed),
        Ok(Read::Absent | Read::Unknown(_)) | Err(_) => panic!("it is there"),
    }
}

fn inside(seen: &mut Seen) -> &mut Inside {
    seen.inside.as_mut().expect("a domain")
}

fn times(seen: &mut Seen) -> &mut Times {
    inside(seen).times.as_mut().expect("times")
}

fn empty(seen: &mut Seen) {
    *times(seen) = Times { documents: 0, newest: None, lately: None, ..times(seen).clone() };
    inside(seen).indices = Ok(Vec::new());
    inside(seen).newest_index = None;
}

/// What it is, and what makes it so.
type Case = (&'static str, fn(&mut Seen));

/// A cause, which variant of it, and what makes it, and nothing else, wrong.
type Trouble = (Cause, &'static str, fn(&mut Seen));

fn troubles() -> Vec<Trouble> {
    vec![
        (Cause::ClockSkew, "seven minutes ahead", |seen| seen.skew = Some(SignedDuration::from_mins(7))),
        (Cause::ClockSkew, "a minute behind", |seen| seen.skew = Some(SignedDuration::from_secs(-60))),
        (Cause::StreamMissing, "", |seen| seen.stream = Ok(Read::Absent)),
        (Cause::NotOurs, "another stack's stream", |seen| {
            edit(&mut seen.stream, |stream| {
                stream.owner = Owner::Other { stack: "other".to_owned(), region: "eu-west-1".to_owned() };
            });
        }),
        (Cause::NotOurs, "nobody's domain", |seen| edit(&mut seen.domain, |domain| domain.owner = Owner::Nobody)),
        (Cause::StreamNotReady, "encryption under way", |seen| {
            edit(&mut seen.stream, |stream| {
                stream.condition = Condition::Changing("encryption is being enabled".to_owned());
                stream.facts.status = "ACTIVE".to_owned();
            });
        }),
        (Cause::StreamBroken, "a key that was taken away", |seen| {
            edit(&mut seen.stream, |stream| {
                stream.condition = Condition::Broken("KMS_ACCESS_DENIED: the grant was retired".to_owned());
                stream.facts.status = "CREATING_FAILED".to_owned();
            });
        }),
        (Cause::StreamBroken, "deleted", |seen| {
            edit(&mut seen.stream, |stream| stream.condition = Condition::Deleting);
        }),
        (Cause::StreamElsewhere, "", |seen| {
            edit(&mut seen.stream, |stream| stream.settings.destination = "ExtendedS3".to_owned());
        }),
        (Cause::ErrorLogOff, "", |seen| {
            edit(&mut seen.stream, |stream| stream.settings.logging.enabled = false);
        }),
        (Cause::ErrorLogMissing, "no group", |seen| seen.log_group = Ok(Read::Absent)),
        (Cause::ErrorLogMissing, "one stream", |seen| {
            edit(&mut seen.log_group, |group| {
                group.settings.streams.remove("BackupDelivery");
            });
        }),
        (Cause::DeliveryErrors, "since the newest record", |seen| {
            seen.errors = Ok(vec![logged("ES.ServiceException", "2026-11-24T11:59:30Z")]);
        }),
        (Cause::DeliveryErrors, "before records that were delivered", |seen| {
            seen.errors = Ok(vec![logged("ES.ServiceException", "2026-11-24T11:40:00Z")]);
        }),
        (Cause::DeliveryErrors, "of the backup, since its newest object", |seen| {
            seen.errors = Ok(vec![logged("S3.AccessDenied", "2026-11-24T11:57:00Z")]);
        }),
        (Cause::DeliveryErrors, "of documents that were brought back", |seen| {
            seen.errors = Ok(vec![logged("ES.ServiceException", "2026-11-24T11:59:30Z")]);
            failed(seen, vec![Failures { back: 31, ..failures() }]);
        }),
        (Cause::DeliveryErrors, "of an overload", |seen| {
            let text = "es_rejected_execution_exception: rejected execution".to_owned();
            seen.errors = Ok(vec![LogErrors { text, ..logged("OS.429", "2026-11-24T11:59:30Z") }]);
        }),
        (Cause::DeliveryErrors, "of a role that ekk does not write", |seen| {
            theirs(seen);
            seen.errors = Ok(vec![logged("S3.AccessDenied", "2026-11-24T11:57:00Z")]);
        }),
        (Cause::RoleMissing, "", |seen| seen.role = Ok(Read::Absent)),
        (Cause::RoleTrust, "", |seen| {
            let nobody = ekk::policy::parse(r#"{"Version": "2012-10-17", "Statement": []}"#).expect("a policy");
            edit(&mut seen.role, |role| role.settings.trust = nobody);
        }),
        (Cause::RolePermissions, "", |seen| {
            edit(&mut seen.role, |role| {
                role.facts.not_allowed = vec!["s3:PutObject on arn:aws:s3:::logging-test-110520/*".to_owned()];
            });
        }),
        (Cause::RolePermissions, "of one that exists without ekk", |seen| {
            theirs(seen);
            edit(&mut seen.role, |role| {
                role.facts.not_allowed = vec!["s3:PutObject on arn:aws:s3:::logging-test-110520/*".to_owned()];
            });
        }),
        (Cause::RoleTrust, "of one that exists without ekk", |seen| {
            theirs(seen);
            let nobody = ekk::policy::parse(r#"{"Version": "2012-10-17", "Statement": []}"#).expect("a policy");
            edit(&mut seen.role, |role| role.settings.trust = nobody);
        }),
        (Cause::RoleNotMapped, "", |seen| {
            let arn = "arn:aws:iam::123456789012:role/ekk/logging-test-firehose".to_owned();
            seen.role_mapping = Ok(Some(Mapped { arn, roles: Vec::new() }));
        }),
        (Cause::BucketMissing, "", |seen| seen.bucket = Ok(Read::Absent)),
        (Cause::BucketElsewhere, "", |seen| {
            edit(&mut seen.bucket, |bucket| bucket.settings.region = "us-east-1".to_owned());
        }),
        (Cause::FailedDocuments, "", |seen| failed(seen, vec![failures()])),
        (Cause::FailedDocuments, "some of which are back", |seen| {
            failed(seen, vec![Failures { back: 30, ..failures() }]);
        }),
        (Cause::FailedDocuments, "more than were looked at", |seen| {
            seen.failures = Ok(Failed { causes: vec![failures()], is_capped: true });
        }),
        (Cause::FailedDocuments, "more than were looked at, and those are back", |seen| {
            let causes = vec![Failures { count: 5_000, back: 5_000, ..failures() }];
            seen.failures = Ok(Failed { causes, is_capped: true });
        }),
        (Cause::FailedDocuments, "for several indices, with a limit", |seen| {
            let text = "illegal_argument_exception: Limit of total fields [1000] has been exceeded".to_owned();
            failed(seen, vec![Failures { text, indices: vec![OLDER.to_owned(), INDEX.to_owned()], ..failures() }]);
        }),
        (Cause::FailedDocuments, "of a domain that could not be reached", |seen| {
            let text = "Could not connect to the OpenSearch domain".to_owned();
            failed(seen, vec![Failures { code: "503".to_owned(), text, ..failures() }]);
        }),
        (Cause::FailedDocuments, "of an index that a person blocked", |seen| {
            let text = "cluster_block_exception: index [x] blocked by: [FORBIDDEN/8/index write (api)];".to_owned();
            failed(seen, vec![Failures { code: "403".to_owned(), text, ..failures() }]);
        }),
        (Cause::FailedDocuments, "which never come back", |seen| {
            let never = |why: &str, count| Failures { never: Some(why.to_owned()), count, ..failures() };
            let index = "its index `.kibana` is none that Firehose writes to";
            failed(seen, vec![never("the record is no JSON object", 3), never(index, 1)]);
        }),
        (Cause::FailedDocuments, "for indices that nobody may write", |seen| {
            let never = Some("its index `.kibana` is none that Firehose writes to".to_owned());
            failed(seen, vec![Failures { never, count: 1, ..failures() }]);
        }),
        (Cause::DomainMissing, "", |seen| {
            seen.domain = Ok(Read::Absent);
            seen.template = Ok(Read::Absent);
            seen.pattern = Ok(Read::Absent);
            seen.inside = None;
        }),
        (Cause::DomainNotReady, "", |seen| {
            edit(&mut seen.domain, |domain| {
                domain.condition = Condition::Changing("Copying shards to new nodes".to_owned());
            });
        }),
        (Cause::DomainBroken, "", |seen| {
            edit(&mut seen.domain, |domain| domain.condition = Condition::Broken("Isolated".to_owned()));
        }),
        (Cause::DomainSilent, "", |seen| {
            inside(seen).health = Err(Error::failed("GET /_cluster/health: 403 User is not authorized")
                .hint("allow es:ESHttpGet on arn:aws:es:eu-west-1:123456789012:domain/logging-test/* to the caller"));
        }),
        (Cause::ClusterRed, "", |seen| {
            inside(seen).health = Ok("red".to_owned());
            inside(seen).indices = Ok(vec![Index { health: "red".to_owned(), ..index(INDEX) }]);
        }),
        (Cause::ClusterYellow, "", |seen| {
            inside(seen).health = Ok("yellow".to_owned());
            let yellow = |name: String| Index { health: "yellow".to_owned(), ..index(&name) };
            inside(seen).indices = Ok((1..=8).map(|week| yellow(format!("logging-test-2026-w{week:02}"))).collect());
        }),
        (Cause::ClusterYellow, "where new indices have a replica as well", |seen| {
            edit(&mut seen.template, |template| template.settings.replicas = 1);
            inside(seen).health = Ok("yellow".to_owned());
            inside(seen).indices = Ok(vec![Index { health: "yellow".to_owned(), ..index(INDEX) }]);
        }),
        (Cause::ClusterYellow, "where new indices have no replica", |seen| {
            edit(&mut seen.template, |template| template.settings.replicas = 0);
            inside(seen).health = Ok("yellow".to_owned());
            let yellow = |name: &str| Index { health: "yellow".to_owned(), ..index(name) };
            inside(seen).indices = Ok(vec![index(INDEX), yellow(OLDER)]);
        }),
        (Cause::ClusterYellow, "by somebody else's index", |seen| {
            inside(seen).health = Ok("yellow".to_owned());
            let theirs = Index { health: "yellow".to_owned(), of_stream: false, ..index("shop") };
            inside(seen).indices = Ok(vec![index(INDEX), theirs]);
        }),
        (Cause::WritesBlocked, "by AWS", |seen| {
            let of_cluster = vec!["cluster.blocks.create_index".to_owned()];
            inside(seen).blocks = Ok(Blocks { of_cluster, of_indices: Vec::new() });
        }),
        (Cause::WritesBlocked, "by a person, everywhere", |seen| {
            let of_cluster = vec!["cluster.blocks.read_only".to_owned()];
            inside(seen).blocks = Ok(Blocks { of_cluster, of_indices: Vec::new() });
        }),
        (Cause::WritesBlocked, "by a full disk", |seen| {
            inside(seen).blocks = Ok(block(INDEX, "index.blocks.read_only_allow_delete"));
        }),
        (Cause::WritesBlocked, "by a person", |seen| inside(seen).blocks = Ok(block(INDEX, "index.blocks.write"))),
        (Cause::WritesBlocked, "by a person, in an older index", |seen| {
            inside(seen).blocks = Ok(block(OLDER, "index.blocks.write"));
        }),
        (Cause::DiskFull, "full", |seen| {
            inside(seen).disks = Ok(one_disk(96, 100));
        }),
        (Cause::DiskFull, "nearly", |seen| {
            inside(seen).disks = Ok(one_disk(85, 100));
        }),
        (Cause::DiskFull, "full, and it blocks nothing", |seen| {
            inside(seen).disks = Ok(Disks { threshold: DiskThreshold::Disabled, ..one_disk(96, 100) });
        }),
        (Cause::ShardLimit, "reached", |seen| inside(seen).shards = Ok((1000, 1000))),
        (Cause::ShardLimit, "near", |seen| inside(seen).shards = Ok((900, 1000))),
        (Cause::FieldLimit, "reached", |seen| {
            inside(seen).fields = Ok(vec![Fields { index: INDEX.to_owned(), count: 1000, limit: 1000 }]);
        }),
        (Cause::FieldLimit, "reached by an older index", |seen| {
            inside(seen).fields = Ok(vec![Fields { index: OLDER.to_owned(), count: 1000, limit: 1000 }]);
        }),
        (Cause::FieldLimit, "near", |seen| {
            inside(seen).fields = Ok(vec![Fields { index: INDEX.to_owned(), count: 950, limit: 1000 }]);
        }),
        (Cause::MappingConflict, "", |seen| inside(seen).conflicts = Ok(conflict("keyword", "long"))),
        (Cause::MappingConflict, "of numbers and text", |seen| inside(seen).conflicts = Ok(conflict("long", "text"))),
        (Cause::MappingConflict, "of dates and numbers", |seen| inside(seen).conflicts = Ok(conflict("date", "long"))),
        (Cause::MappingConflict, "of objects and text", |seen| inside(seen).conflicts = Ok(conflict("object", "text"))),
        (Cause::TimeNotADate, "", |seen| {
            inside(seen).time_field = Ok(vec![TimeField { index: INDEX.to_owned(), kind: Some("text".to_owned()) }]);
        }),
        (Cause::TimeNotADate, "without rotation", |seen| {
            edit(&mut seen.stream, |stream| stream.settings.rotation = "NoRotation".to_owned());
            edit(&mut seen.pattern, |pattern| pattern.settings.title = "logging-test*".to_owned());
            inside(seen).time_field = Ok(vec![TimeField { index: INDEX.to_owned(), kind: Some("text".to_owned()) }]);
        }),
        (Cause::TimeNotADate, "in an older index", |seen| {
            inside(seen).time_field = Ok(vec![TimeField { index: OLDER.to_owned(), kind: Some("text".to_owned()) }]);
        }),
        (Cause::TemplateMissing, "", |seen| seen.template = Ok(Read::Absent)),
        (Cause::PatternMissing, "", |seen| seen.pattern = Ok(Read::Absent)),
        (Cause::PatternTimeField, "", |seen| {
            edit(&mut seen.pattern, |pattern| pattern.settings.time_field = "@timestamp".to_owned());
        }),
        (Cause::PatternOutside, "", |seen| {
            edit(&mut seen.pattern, |pattern| pattern.settings.title = "logs-*".to_owned());
        }),
        (Cause::OtherIndex, "", |seen| {
            let before = Index { in_pattern: Some(false), ..index("logging-test") };
            inside(seen).indices = Ok(vec![index(INDEX), before]);
        }),
        (Cause::OtherIndex, "where records arrive now", |seen| {
            inside(seen).indices = Ok(vec![Index { in_pattern: Some(false), ..index(INDEX) }]);
        }),
        (Cause::TimeMissing, "", |seen| {
            times(seen).without = 7;
            times(seen).lately = Some(Lately { documents: 100, without: 7, ahead: 0 });
        }),
        (Cause::TimeMissing, "in one of many", |seen| {
            (times(seen).documents, times(seen).without) = (102_000, 1);
            times(seen).lately = Some(Lately { documents: 100, without: 1, ahead: 0 });
        }),
        (Cause::TimeMissing, "long ago", |seen| times(seen).without = 7),
        (Cause::TimeAhead, "long ago", |seen| {
            times(seen).ahead = 1;
            times(seen).newest = Some(at("2027-11-24T12:00:00Z"));
        }),
        (Cause::TimeAhead, "by this machine's zone", |seen| {
            times(seen).ahead = 12;
            times(seen).lately = Some(Lately { documents: 100, without: 0, ahead: 12 });
            times(seen).newest = Some(at("2026-11-24T12:59:00Z"));
        }),
        (Cause::TimeAhead, "by another zone", |seen| {
            times(seen).ahead = 12;
            times(seen).lately = Some(Lately { documents: 100, without: 0, ahead: 12 });
            times(seen).newest = Some(at("2026-11-24T17:29:00Z"));
        }),
        (Cause::TimeBehind, "in object after object", |seen| {
            let (one, other) = ("2026-11-24T06:54:00Z", "2026-11-24T06:31:00Z");
            backed_up(seen, vec![arrival("2026-11-24T11:56:00Z", one), arrival("2026-11-24T11:36:00Z", other)]);
        }),
        (Cause::TimeBehind, "in all that there is", |seen| {
            times(seen).newest = Some(at("2026-11-24T06:54:00Z"));
            backed_up(seen, vec![arrival("2026-11-24T11:56:00Z", "2026-11-24T06:54:00Z")]);
        }),
        (Cause::TimeBehind, "in one object", |seen| {
            backed_up(seen, vec![arrival("2026-11-24T11:56:00Z", "2026-11-24T06:54:00Z")]);
        }),
        (Cause::NothingArrived, "", |seen| {
            empty(seen);
            backed_up(seen, Vec::new());
        }),
        (Cause::NothingArrived, "and there is no backup of all records", |seen| {
            empty(seen);
            seen.backup = Ok(Backup::FailedOnly);
        }),
        (Cause::NothingNew, "", |seen| {
            times(seen).newest = Some(at("2026-11-20T11:56:00Z"));
            backed_up(seen, vec![arrival("2026-11-20T12:01:00Z", "2026-11-20T11:56:00Z")]);
        }),
        (Cause::NothingNew, "in the index, which alone is known", |seen| {
            times(seen).newest = Some(at("2026-11-20T11:56:00Z"));
            seen.backup = Ok(Backup::FailedOnly);
        }),
        (Cause::NotAsTheFile, "", |seen| {
            seen.changes = Some(Ok(vec!["stream retry_seconds".to_owned(), "role to be made".to_owned()]));
        }),
        (Cause::NotLookedAt, "a permission", |seen| {
            seen.errors = Err(Error::failed("log group x: logs:FilterLogEvents: AccessDeniedException: no")
                .hint("allow logs:FilterLogEvents to the caller"));
        }),
    ]
}

#[test]
fn a_healthy_stack_has_no_finding() {
    assert_eq!(findings(&healthy(), &commands()), []);
}

#[test]
fn what_looks_wrong_and_is_not_has_no_finding() {
    let cases: [Case; 7] = [
        ("types that Discover takes for one", |seen| {
            let pairs = [("double", "long"), ("keyword", "text"), ("date", "date_nanos"), ("float", "integer")];
            inside(seen).conflicts = Ok(pairs.into_iter().flat_map(|(one, other)| conflict(one, other)).collect());
        }),
        ("ekk verify in a quiet stack: its line counts as an arrival, and has no time", |seen| {
            times(seen).newest = Some(at("2026-11-24T02:00:00Z"));
            let newest = Some(at("2026-11-24T11:56:00Z"));
            seen.backup = Ok(Backup::All { newest, arrivals: Vec::new() });
        }),
        ("an old file of several hours", |seen| {
            let file = Arrival {
                written: at("2026-11-24T11:56:00Z"),
                oldest: at("2026-11-23T05:00:00Z"),
                newest: at("2026-11-24T06:54:00Z"),
            };
            backed_up(seen, vec![file]);
        }),
        ("an old line, and what arrives now is right", |seen| {
            let old = arrival("2026-11-24T11:36:00Z", "2026-11-24T06:34:00Z");
            backed_up(seen, vec![arrival("2026-11-24T11:56:00Z", "2026-11-24T11:55:00Z"), old]);
        }),
        ("documents that are back", |seen| failed(seen, vec![Failures { back: 31, ..failures() }])),
        ("a role that need not log, since Firehose does not", |seen| {
            edit(&mut seen.role, |role| role.facts.not_allowed = vec!["logs:PutLogEvents on *".to_owned()]);
            edit(&mut seen.stream, |stream| stream.settings.logging.enabled = false);
        }),
        ("a role that exists without ekk", theirs),
    ];
    for (case, make) in cases {
        let mut seen = healthy();
        make(&mut seen);
        let found = findings(&seen, &commands());
        let found: Vec<&Finding> = found.iter().filter(|finding| finding.cause != Cause::ErrorLogOff).collect();
        assert!(found.is_empty(), "{case}: {found:#?}");
    }
}

#[test]
fn the_ten_most_frequent_causes_are_told_and_the_rest_is_counted() {
    let mut seen = healthy();
    let one = |number: u64| Failures { count: 100 - number, text: format!("cause {number}"), ..failures() };
    failed(&mut seen, (0..13).map(one).collect());
    let found = findings(&seen, &commands());
    assert_eq!(found.len(), 11);
    assert_eq!(found[0].evidence[0], "cause 0");
    assert_eq!(found[10].says, "267 documents failed in the last 24 hours for 3 other causes");
}

#[test]
fn one_bad_document_does_not_hide_that_an_outage_has_passed() {
    let mut seen = healthy();
    seen.errors = Ok(vec![logged("ES.ServiceException", "2026-11-24T11:40:00Z")]);
    failed(&mut seen, vec![Failures { count: 1, ..failures() }]);
    let found = findings(&seen, &commands());
    let told: Vec<(Severity, Cause)> = found.iter().map(|finding| (finding.severity, finding.cause)).collect();
    assert_eq!(told, [(Severity::Error, Cause::FailedDocuments), (Severity::Warning, Cause::DeliveryErrors)]);
}

#[test]
fn documents_of_a_domain_that_is_gone_are_not_an_overload() {
    let mut seen = healthy();
    (seen.domain, seen.template, seen.pattern, seen.inside) =
        (Ok(Read::Absent), Ok(Read::Absent), Ok(Read::Absent), None);
    let text = "Could not connect to the OpenSearch domain".to_owned();
    failed(&mut seen, vec![Failures { code: "503".to_owned(), text, ..failures() }]);
    let mend = "the domain is not there: ekk up stack.yaml, then ekk replay stack.yaml";
    assert_eq!(findings(&seen, &commands())[0].mend, mend);
}

#[test]
fn an_index_that_was_changed_outside_the_file_has_one_mend() {
    let mut seen = healthy();
    edit(&mut seen.stream, |stream| stream.settings.index = "other".to_owned());
    inside(&mut seen).indices = Ok(vec![Index { in_pattern: Some(false), ..index("other-2026-w48") }]);
    inside(&mut seen).newest_index = Some("other-2026-w48".to_owned());
    seen.changes = Some(Ok(vec!["stream index".to_owned()]));
    let found = findings(&seen, &commands());
    let told: Vec<(Cause, &str)> = found.iter().map(|finding| (finding.cause, finding.mend.as_str())).collect();
    assert_eq!(
        told,
        [
            (Cause::PatternOutside, "ekk up stack.yaml"),
            (Cause::NotAsTheFile, "ekk plan stack.yaml, then ekk up stack.yaml")
        ]
    );
}

#[test]
fn the_pattern_is_named_by_which_it_is_judged() {
    let mut seen = healthy();
    seen.names.index_pattern_title = "nowhere-*".to_owned();
    inside(&mut seen).indices = Ok(vec![Index { in_pattern: Some(false), ..index(INDEX) }]);
    let says = "index logging-test-2026-w48 holds 100 documents that index pattern logging-test-* does not cover";
    assert_eq!(findings(&seen, &commands())[0].says, says);
}

#[test]
fn each_cause_is_found_where_it_alone_is_wrong() {
    let mut told = String::new();
    let mut covered = BTreeSet::new();
    for (cause, variant, trouble) in troubles() {
        let mut seen = healthy();
        trouble(&mut seen);
        let found = findings(&seen, &commands());
        let causes: Vec<Cause> = found.iter().map(|finding| finding.cause).collect();
        assert_eq!(causes, [cause], "{variant}: {found:#?}");
        covered.insert(cause);
        for Finding { severity, cause, says, evidence, mend, key } in found {
            let _ = writeln!(told, "{severity:?} {cause} {variant}\n  {says}");
            for line in evidence {
                let _ = writeln!(told, "    {line}");
            }
            let _ = writeln!(told, "  to mend it: {mend} {key:?}\n");
        }
    }
    assert_eq!(covered, Cause::ALL.into_iter().collect(), "every cause has its test");
    insta::assert_snapshot!(told);
}

#[test]
fn the_worst_is_told_first_and_one_refusal_only_once() {
    let mut seen = healthy();
    let denied = || Error::failed("x: AccessDenied").hint("allow it");
    seen.errors = Err(denied());
    seen.failures = Err(denied());
    (times(&mut seen).without, times(&mut seen).lately) = (7, None);
    inside(&mut seen).disks = Ok(one_disk(85, 100));
    let found: Vec<(Severity, Cause)> =
        findings(&seen, &commands()).into_iter().map(|finding| (finding.severity, finding.cause)).collect();
    assert_eq!(
        found,
        [
            (Severity::Error, Cause::TimeMissing),
            (Severity::Warning, Cause::DiskFull),
            (Severity::Blind, Cause::NotLookedAt)
        ]
    );
}

#[test]
fn a_stack_that_was_named_without_its_file_is_not_told_to_be_brought_up_by_its_name() {
    let mut seen = healthy();
    seen.stream = Ok(Read::Absent);
    let commands = Commands { stack: " logging-test".to_owned(), named_by: NamedBy::Name };
    assert_eq!(findings(&seen, &commands)[0].mend, "`ekk up` with the file of this stack");
}

#[test]
fn every_cause_stands_in_the_papers() {
    let paper = include_str!("../../docs/troubleshooting.md");
    for cause in Cause::ALL {
        assert!(paper.contains(&format!("| `{cause}` |")), "docs/troubleshooting.md does not explain {cause}");
    }
}
