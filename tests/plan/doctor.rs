//! What `ekk doctor` says: a healthy stack has no finding, and each cause is found where it alone is wrong.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use ekk::doctor::{
    Blocks, Cause, Commands, Conflict, Disk, DiskThreshold, Disks, Failures, Fields, Finding, Index, Inside, LogErrors,
    Mapped, NamedBy, Seen, Severity, TimeField, Times, findings,
};
use ekk::error::Error;
use ekk::resource::{Condition, Observed, Owner, Read, Settings};
use ekk::stack::Live;
use jiff::{SignedDuration, Timestamp};

use crate::fixture::Stack;

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
        failures: Ok(Vec::new()),
        newest_backup: Ok(Some(at("2026-11-24T11:56:00Z"))),
        role_mapping: Ok(None),
        inside: Some(Inside {
            health: Ok("green".to_owned()),
            indices: Ok(vec![index(INDEX)]),
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
        is_capped: false,
        text: "mapper_parsing_exception: failed to parse field [asctime]".to_owned(),
        index: INDEX.to_owned(),
        object: "s3://logging-test-110520/AmazonOpenSearchService-failed/2026/11/24/11/x".to_owned(),
    }
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
            seen.failures = Ok(vec![Failures { back: 31, ..failures() }]);
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
        (Cause::RoleNotMapped, "", |seen| {
            let arn = "arn:aws:iam::123456789012:role/ekk/logging-test-firehose".to_owned();
            seen.role_mapping = Ok(Some(Mapped { arn, roles: Vec::new() }));
        }),
        (Cause::BucketMissing, "", |seen| seen.bucket = Ok(Read::Absent)),
        (Cause::BucketElsewhere, "", |seen| {
            edit(&mut seen.bucket, |bucket| bucket.settings.region = "us-east-1".to_owned());
        }),
        (Cause::FailedDocuments, "", |seen| {
            seen.failures = Ok(vec![failures()]);
        }),
        (Cause::FailedDocuments, "some of which are back", |seen| {
            seen.failures = Ok(vec![Failures { back: 30, ..failures() }]);
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
        (Cause::WritesBlocked, "", |seen| {
            inside(seen).blocks = Ok(Blocks {
                of_cluster: vec!["cluster.blocks.create_index".to_owned()],
                of_indices: vec![(INDEX.to_owned(), "index.blocks.read_only_allow_delete".to_owned())],
            });
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
        (Cause::FieldLimit, "near", |seen| {
            inside(seen).fields = Ok(vec![Fields { index: INDEX.to_owned(), count: 950, limit: 1000 }]);
        }),
        (Cause::MappingConflict, "", |seen| {
            inside(seen).conflicts = Ok(vec![Conflict {
                field: "status".to_owned(),
                types: vec![
                    ("keyword".to_owned(), vec!["logging-test-2026-w47".to_owned()]),
                    ("long".to_owned(), vec![INDEX.to_owned()]),
                ],
            }]);
        }),
        (Cause::TimeNotADate, "", |seen| {
            inside(seen).time_field = Ok(vec![TimeField { index: INDEX.to_owned(), kind: Some("text".to_owned()) }]);
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
        (Cause::TimeMissing, "", |seen| times(seen).without = 7),
        (Cause::TimeAhead, "by this machine's zone", |seen| {
            times(seen).ahead = 12;
            times(seen).newest = Some(at("2026-11-24T12:59:00Z"));
        }),
        (Cause::TimeAhead, "by another zone", |seen| {
            times(seen).ahead = 12;
            times(seen).newest = Some(at("2026-11-24T17:29:00Z"));
        }),
        (Cause::TimeBehind, "", |seen| times(seen).newest = Some(at("2026-11-24T06:56:00Z"))),
        (Cause::NothingArrived, "", |seen| {
            *times(seen) = Times { documents: 0, newest: None, ..times(seen).clone() };
            inside(seen).indices = Ok(Vec::new());
            seen.newest_backup = Ok(None);
        }),
        (Cause::NothingNew, "", |seen| {
            times(seen).newest = Some(at("2026-11-20T11:56:00Z"));
            seen.newest_backup = Ok(Some(at("2026-11-20T12:01:00Z")));
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
    times(&mut seen).without = 7;
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
