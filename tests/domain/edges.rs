//! Answers that an honest server gives rarely, and a careless one always.

use std::collections::BTreeMap;

use ekk::error::ErrorKind;
use ekk::policy;
use ekk::preflight::{self, Deployment, DryRun, Preflight};
use ekk::resource::domain::{Cluster, DedicatedMasters, DomainSettings, EncryptionAtRest, EndpointOptions, Volume};
use ekk::resource::{Condition, Goal, Manage as _, Managed, Observed, Owner, Read, Readiness, TAG_REGION, TAG_STACK};
use ekk::stack::{Names, Origin};
use ekk::wait::Deadline;
use serde_json::{Value, json};

use crate::scripted::{Answer, Call, Scripted, waiting};

/// An id of a change or a dry run, of the form that AWS takes back.
const ID: &str = "00000000-0000-4000-8000-00000000000c";

const DOMAIN: &str = "/2021-01-01/opensearch/domain";
const LOGS: &str = "GET /2021-01-01/opensearch/domain/logs";

pub(crate) fn names() -> Names {
    Names {
        stack: "logs".to_owned(),
        region: "eu-west-1".to_owned(),
        role: "logs-firehose".to_owned(),
        role_path: "/ekk/".to_owned(),
        role_origin: Origin::Managed,
        bucket: "logs".to_owned(),
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

pub(crate) fn wanted(account: &str) -> Managed<DomainSettings> {
    let settings = DomainSettings {
        engine_version: None,
        cluster: Cluster {
            instance_type: "t3.small.search".to_owned(),
            instance_count: 1,
            availability_zones: 1,
            dedicated_masters: DedicatedMasters { enabled: false, instance_type: None, count: None },
        },
        volume: Volume {
            enabled: true,
            volume_type: Some("gp3".to_owned()),
            size_gib: Some(10),
            iops: None,
            throughput_mib: None,
        },
        encryption_at_rest: EncryptionAtRest { enabled: true, kms_key: None },
        node_to_node_encryption: true,
        endpoint: EndpointOptions { enforce_https: true, tls_policy: "Policy-Min-TLS-1-2-2019-07".to_owned() },
        access_policy: Some(policy::domain_access(
            &format!("arn:aws:es:eu-west-1:{account}:domain/logs"),
            &[format!("arn:aws:iam::{account}:root")],
        )),
    };
    let tags = BTreeMap::from([
        (TAG_STACK.to_owned(), Some("logs".to_owned())),
        (TAG_REGION.to_owned(), Some("eu-west-1".to_owned())),
    ]);
    Managed { settings, tags }
}

fn status(more: &Value) -> Value {
    let mut status = json!({
        "DomainId": "123456789012/logs",
        "DomainName": "logs",
        "ARN": "arn:aws:es:eu-west-1:123456789012:domain/logs",
        "EngineVersion": "OpenSearch_2.17",
        "Created": true,
        "Deleted": false,
        "Processing": false,
        "UpgradeProcessing": false,
        "DomainProcessingStatus": "Active",
        "Endpoint": "search-logs-x.eu-west-1.es.amazonaws.com",
        "ClusterConfig": { "InstanceType": "t3.small.search", "InstanceCount": 1 },
        "EBSOptions": { "EBSEnabled": true, "VolumeType": "gp3", "VolumeSize": 10 },
    });
    for (key, value) in more.as_object().expect("an object") {
        status[key] = value.clone();
    }
    json!({ "DomainStatus": status })
}

fn idle() -> Answer {
    Answer::Ok(status(&json!({})))
}

fn our_tags() -> Answer {
    Answer::Ok(json!({ "TagList": [
        { "Key": "ekk:stack", "Value": "logs" }, { "Key": "ekk:region", "Value": "eu-west-1" },
    ] }))
}

const MISSING: Answer = Answer::Error(409, "ResourceNotFoundException", "Domain not found: logs");
const BUSY: Answer = Answer::Error(
    400,
    "ValidationException",
    "A change/update is in progress. Please wait for it to complete before requesting another change.",
);
const NOT_IMPLEMENTED: Answer = Answer::Error(501, "InternalFailure", "not yet implemented");

fn observed() -> Observed<DomainSettings> {
    let mut settings = wanted("123456789012").settings;
    settings.engine_version = Some("OpenSearch_2.17".to_owned());
    Observed {
        settings,
        facts: ekk::resource::domain::DomainFacts {
            arn: "arn:aws:es:eu-west-1:123456789012:domain/logs".to_owned(),
            engine_version: "OpenSearch_2.17".to_owned(),
            endpoint: Some("search-logs-x.eu-west-1.es.amazonaws.com".to_owned()),
        },
        tags: BTreeMap::from([
            (TAG_STACK.to_owned(), "logs".to_owned()),
            (TAG_REGION.to_owned(), "eu-west-1".to_owned()),
        ]),
        owner: Owner::Ours,
        condition: Condition::Settled,
    }
}

fn larger() -> (Managed<DomainSettings>, Vec<String>) {
    let mut after = wanted("123456789012");
    after.settings.volume.size_gib = Some(20);
    (after, vec!["/volume/size_gib".to_owned()])
}

async fn dry_run(script: impl Fn(usize, &Call) -> Answer + Send + Sync + 'static) -> ekk::error::Result<Preflight> {
    let server = Scripted::start(script).await;
    let (after, pointers) = larger();
    preflight::ask(&server.session, &names(), &observed(), &after, &pointers).await
}

#[tokio::test]
async fn a_server_that_ignores_the_dry_run_is_an_error() {
    let error = dry_run(|_, call| match call.line.as_str() {
        LOGS => idle(),
        _ => Answer::Ok(json!({ "DomainConfig": {} })),
    })
    .await
    .expect_err("it may have applied the change");
    assert_eq!(
        error.message,
        "domain logs: es:UpdateDomainConfig: the server answered a dry run without its results: it ignores DryRun and \
         may have made the change, which does not show so far"
    );
}

#[tokio::test]
async fn a_change_that_an_ignored_dry_run_made_is_told() {
    let error = dry_run(|nth, call| match (call.line.as_str(), idle()) {
        (LOGS, Answer::Ok(mut body)) => {
            let gib = if nth == 1 { 10 } else { 20 };
            let volume = json!({ "EBSEnabled": true, "VolumeType": "gp3", "VolumeSize": gib });
            body["DomainStatus"]["EBSOptions"] = volume;
            Answer::Ok(body)
        }
        _ => Answer::Ok(json!({ "DomainConfig": {} })),
    })
    .await
    .expect_err("it has applied the change");
    assert_eq!(
        error.message,
        "domain logs: es:UpdateDomainConfig: the server answered a dry run without its results: it ignores DryRun and \
         has made the change: volume.size_gib 10 -> 20"
    );
    assert!(error.hints[0].starts_with("use --no-dry-run with this server; `ekk up --no-dry-run`"), "{error:?}");
}

#[tokio::test]
async fn the_dry_run_tells_blue_green_and_what_validation_finds() {
    let answer = dry_run(|nth, call| {
        if call.line == LOGS {
            return idle();
        }
        if call.line.contains("/dryRun") {
            let state = if nth < 3 { "IN_PROGRESS" } else { "FAILED" };
            let failures = json!([{ "Code": "RedCluster", "Message": "The cluster is red" }]);
            let failures = if nth < 3 { json!([]) } else { failures };
            return Answer::Ok(json!({ "DryRunProgressStatus": {
                "DryRunId": ID, "DryRunStatus": state, "CreationDate": "x", "UpdateDate": "x",
                "ValidationFailures": failures,
            } }));
        }
        assert_eq!((&call.body["DryRun"], &call.body["DryRunMode"]), (&json!(true), &json!("Verbose")));
        assert_eq!(call.body["EBSOptions"]["VolumeSize"], 20);
        assert_eq!(call.body["AdvancedOptions"], Value::Null);
        Answer::Ok(json!({
            "DryRunResults": { "DeploymentType": "Blue/Green", "Message": "x" },
            "DryRunProgressStatus": {
                "DryRunId": ID, "DryRunStatus": "PENDING", "CreationDate": "x", "UpdateDate": "x",
            },
        }))
    })
    .await
    .expect("an answer");
    let Preflight::Answer(DryRun { deployment, failures }) = answer else { panic!("{answer:?}") };
    assert_eq!(deployment, Deployment::BlueGreen);
    assert_eq!(failures.len(), 1);
    assert!(failures[0].starts_with("RedCluster: The cluster is red ("), "{failures:?}");
}

#[tokio::test]
async fn a_dry_run_that_is_denied_leaves_it_to_the_table() {
    let answer = dry_run(|_, call| match call.line.as_str() {
        LOGS => idle(),
        _ => Answer::Error(403, "AccessDeniedException", "User x is not authorized"),
    })
    .await
    .expect("no error");
    let Preflight::NotAsked(why) = answer else { panic!("{answer:?}") };
    assert!(why.contains("es:UpdateDomainConfig"), "{why}");
}

#[tokio::test]
async fn tags_and_a_busy_domain_are_not_dry_run() {
    let server = Scripted::start(|_, _| idle()).await;
    let (after, pointers) = larger();
    let tags = ["/tags/team".to_owned(), "/engine_version".to_owned()];
    let answer = preflight::ask(&server.session, &names(), &observed(), &after, &tags).await.expect("no error");
    assert!(matches!(answer, Preflight::NotAsked(_)));
    let mut busy = observed();
    busy.condition = Condition::Changing("changing".to_owned());
    let answer = preflight::ask(&server.session, &names(), &busy, &after, &pointers).await.expect("no error");
    assert_eq!(answer, Preflight::NotAsked("the domain is changing".to_owned()));
    assert!(server.calls("/config").is_empty());
}

#[tokio::test]
async fn reading_an_idle_domain_takes_one_description_and_one_list_of_tags() {
    let server = Scripted::start(|_, call| if call.line.contains("/tags") { our_tags() } else { idle() }).await;
    let Read::Present(found) = DomainSettings::read(&server.session, &names()).await.expect("read") else {
        panic!("present")
    };
    assert_eq!((found.owner, found.condition), (Owner::Ours, Condition::Settled));
    assert_eq!(found.facts.engine_version, "OpenSearch_2.17");
    assert_eq!(server.calls("").len(), 2);
}

#[tokio::test]
async fn a_missing_domain_is_absent_whatever_its_tags_answer() {
    let server = Scripted::start(|_, _| MISSING).await;
    let found = DomainSettings::read(&server.session, &names()).await.expect("read");
    assert_eq!(found, Read::Absent);
}

#[tokio::test]
async fn a_missing_progress_api_is_not_an_error() {
    let server = Scripted::start(|_, call| match call.line.as_str() {
        LOGS => Answer::Ok(status(&json!({ "Processing": true, "DomainProcessingStatus": null }))),
        _ => NOT_IMPLEMENTED,
    })
    .await;
    let found = DomainSettings::readiness(&server.session, &names(), Goal::InForce).await.expect("no error");
    assert_eq!(found, Readiness::pending("changing"));
}

#[tokio::test]
async fn a_name_that_somebody_else_took_in_the_meantime_fails_loudly() {
    let server = Scripted::start(|_, call| {
        if call.line.contains("/tags") {
            return Answer::Ok(json!({ "TagList": [
                { "Key": "ekk:stack", "Value": "other" }, { "Key": "ekk:region", "Value": "eu-west-1" },
            ] }));
        }
        idle()
    })
    .await;
    let error = DomainSettings::create(&server.session, &names(), &wanted("123456789012")).await.expect_err("not ours");
    assert!(error.message.contains("belongs to stack other in eu-west-1"), "{error}");
}

#[tokio::test]
async fn a_create_carries_its_tags_and_waits_for_the_old_domain_and_for_roles() {
    let server = Scripted::start(|nth, call| {
        if call.line.contains("/tags") {
            return our_tags();
        }
        if call.line != format!("POST {DOMAIN}") {
            return idle();
        }
        match nth {
            1 => Answer::Error(400, "ValidationException", "Domain is still being deleted"),
            2 => Answer::Ok(status(&json!({ "Deleted": true }))),
            3 => Answer::Error(409, "InvalidTypeException", "Error setting policy: [x]"),
            _ => idle(),
        }
    })
    .await;
    DomainSettings::create(&server.session, &names(), &wanted("123456789012")).await.expect("made");
    let creates = server.calls(&format!("POST {DOMAIN}"));
    assert_eq!(creates.len(), 4);
    let sent = &creates[0].body;
    assert_eq!(sent["TagList"].as_array().map(Vec::len), Some(2));
    assert_eq!(sent["EngineVersion"], ekk::resource::domain::PROVED_ENGINE);
    assert_eq!(sent["EncryptionAtRestOptions"]["Enabled"], true);
    assert_eq!(sent["NodeToNodeEncryptionOptions"]["Enabled"], true);
    assert_eq!(sent["DomainEndpointOptions"]["EnforceHTTPS"], true);
}

#[tokio::test]
async fn a_policy_that_stays_wrong_is_told_in_awss_words() {
    let server = Scripted::start(|_, call| {
        if call.line.starts_with("POST") {
            return Answer::Error(409, "InvalidTypeException", "Error setting policy: [x]");
        }
        MISSING
    })
    .await;
    let error = DomainSettings::create(&server.session, &names(), &wanted("123456789012")).await.expect_err("refused");
    assert!(error.message.ends_with("es:CreateDomain: InvalidTypeException: Error setting policy: [x]"), "{error}");
}

#[tokio::test]
async fn an_update_waits_for_the_change_that_is_under_way_and_then_goes_once() {
    let server = Scripted::start(|nth, call| {
        if call.line.contains("/progress") {
            return Answer::Ok(json!({ "ChangeProgressStatus": { "Status": "PROCESSING" } }));
        }
        if call.line.starts_with("POST") {
            return if nth < 3 { BUSY } else { Answer::Ok(json!({ "DomainConfig": {} })) };
        }
        // Busy at first, then idle while AWS refuses still.
        if nth == 2 { Answer::Ok(status(&json!({ "Processing": true }))) } else { idle() }
    })
    .await;
    let (after, pointers) = larger();
    DomainSettings::update(&server.session, &names(), &observed(), &after, &pointers).await.expect("changed");
    assert_eq!(server.calls("/config").len(), 3);
}

#[tokio::test]
async fn without_waiting_a_busy_domain_is_still_under_way() {
    let mut server = Scripted::start(|_, call| {
        if call.line.starts_with("POST") {
            return BUSY;
        }
        Answer::Ok(status(&json!({ "Processing": true })))
    })
    .await;
    server.session.waiting = waiting(Deadline::Now);
    let (after, pointers) = larger();
    let error = DomainSettings::update(&server.session, &names(), &observed(), &after, &pointers)
        .await
        .expect_err("nobody waits");
    assert_eq!(error.kind, ErrorKind::StillUnderWay);
}

#[tokio::test]
async fn an_update_stops_at_a_failed_validation_with_awss_codes() {
    let change = |state: &str| json!({ "ChangeId": ID, "ConfigChangeStatus": state, "Message": "failed" });
    let server = Scripted::start(move |nth, call| {
        if call.line.starts_with("POST") {
            return Answer::Ok(json!({ "DomainConfig": { "ChangeProgressDetails": change("Pending") } }));
        }
        if call.line.contains("/progress") {
            assert!(call.line.ends_with(&format!("changeid={ID}")), "{}", call.line);
            return Answer::Ok(json!({ "ChangeProgressStatus": {
                "ChangeId": ID, "Status": "FAILED", "ConfigChangeStatus": "ValidationFailed",
                "ValidationFailures": [{ "Code": "TooManyShards", "Message": "1,200 shards" }],
            } }));
        }
        // The description is stale at first, then the validation runs, then it has failed.
        match nth {
            1 | 2 => idle(),
            3 => Answer::Ok(status(&json!({ "Processing": true, "ChangeProgressDetails": change("Validating") }))),
            _ => {
                Answer::Ok(status(&json!({ "Processing": true, "ChangeProgressDetails": change("ValidationFailed") })))
            }
        }
    })
    .await;
    let (after, pointers) = larger();
    let error =
        DomainSettings::update(&server.session, &names(), &observed(), &after, &pointers).await.expect_err("failed");
    assert!(error.message.contains("TooManyShards: 1,200 shards (delete old indexes"), "{error}");
    assert!(error.message.contains("cancel-domain-config-change --domain-name logs"), "{error}");
}

#[tokio::test]
async fn only_tags_that_differ_are_written_and_those_of_others_stay() {
    let server = Scripted::start(|_, _| Answer::Ok(json!({}))).await;
    let mut before = observed();
    before.tags.insert("cost".to_owned(), "9".to_owned());
    before.tags.insert("old".to_owned(), "x".to_owned());
    let mut after = wanted("123456789012");
    after.tags.insert("team".to_owned(), Some("a".to_owned()));
    after.tags.insert("old".to_owned(), None);
    let pointers = ["/tags/team".to_owned(), "/tags/old".to_owned()];
    DomainSettings::update(&server.session, &names(), &before, &after, &pointers).await.expect("tagged");
    assert_eq!(server.calls("/tags")[0].body["TagList"], json!([{ "Key": "team", "Value": "a" }]));
    assert_eq!(server.calls("/tags-removal")[0].body["TagKeys"], json!(["old"]));
    assert!(server.calls("/config").is_empty());
}

#[tokio::test]
async fn a_domain_is_gone_when_it_is_missing_three_times_everywhere() {
    let server = Scripted::start(|nth, call| {
        // Stale: there, missing, there again, then missing.
        if call.line == LOGS && (nth == 1 || nth == 3) { idle() } else { MISSING }
    })
    .await;
    let gone = async || DomainSettings::readiness(&server.session, &names(), Goal::Gone).await.expect("no error");
    assert_eq!(gone().await, Readiness::pending("deleting"));
    assert_eq!(gone().await, Readiness::pending("deleting"));
    assert_eq!(gone().await, Readiness::Ready);
    assert_eq!(server.calls(LOGS).iter().filter(|call| call.line == LOGS).count(), 6);
}

#[tokio::test]
async fn deleting_what_is_gone_is_success_and_a_busy_domain_is_waited_for() {
    let server = Scripted::start(|nth, call| {
        if !call.line.starts_with("DELETE") {
            return idle();
        }
        if nth == 1 { BUSY } else { MISSING }
    })
    .await;
    DomainSettings::delete(&server.session, &names(), &observed()).await.expect("gone");
    assert_eq!(server.calls("DELETE").len(), 2);
}

#[tokio::test]
async fn an_upgrade_is_checked_first_and_waited_for() {
    let server = Scripted::start(|nth, call| {
        if call.line.contains("/upgradeDomain") && call.line.starts_with("POST") {
            return Answer::Ok(json!({ "DomainName": "logs", "TargetVersion": "OpenSearch_2.19" }));
        }
        if call.line.contains("/upgradeDomain") {
            // Nothing yet, checking, checked; then upgrading.
            return match nth {
                1 => MISSING,
                2 => Answer::Ok(json!({ "UpgradeStep": "PRE_UPGRADE_CHECK", "StepStatus": "IN_PROGRESS" })),
                3 => Answer::Ok(json!({ "UpgradeStep": "PRE_UPGRADE_CHECK", "StepStatus": "SUCCEEDED_WITH_ISSUES" })),
                _ => Answer::Ok(json!({ "UpgradeStep": "UPGRADE", "StepStatus": "IN_PROGRESS" })),
            };
        }
        match nth {
            0..=5 => idle(),
            6 => Answer::Ok(status(&json!({ "UpgradeProcessing": true }))),
            _ => Answer::Ok(status(&json!({ "EngineVersion": "OpenSearch_2.19" }))),
        }
    })
    .await;
    let mut after = wanted("123456789012");
    after.settings.engine_version = Some("OpenSearch_2.19".to_owned());
    let pointers = ["/engine_version".to_owned()];
    DomainSettings::update(&server.session, &names(), &observed(), &after, &pointers).await.expect("upgraded");
    let sent = server.calls("POST /2021-01-01/opensearch/upgradeDomain");
    let checks: Vec<&Value> = sent.iter().map(|call| &call.body["PerformCheckOnly"]).collect();
    assert_eq!(checks, [&json!(true), &json!(false)]);
    assert!(server.calls("/config").is_empty());
}

#[tokio::test]
async fn an_upgrade_that_the_check_refuses_changes_nothing() {
    let server = Scripted::start(|_, call| {
        if call.line.ends_with("/history") {
            let steps = json!([{ "UpgradeStep": "PRE_UPGRADE_CHECK", "Issues": ["index old is from 1.x"] }]);
            return Answer::Ok(json!({ "UpgradeHistories": [{ "StepsList": steps }] }));
        }
        if call.line.ends_with("/status") {
            return Answer::Ok(json!({ "UpgradeStep": "PRE_UPGRADE_CHECK", "StepStatus": "FAILED" }));
        }
        if call.line.starts_with("POST") { Answer::Ok(json!({})) } else { idle() }
    })
    .await;
    let mut after = wanted("123456789012");
    after.settings.engine_version = Some("OpenSearch_2.19".to_owned());
    let pointers = ["/engine_version".to_owned()];
    let error =
        DomainSettings::update(&server.session, &names(), &observed(), &after, &pointers).await.expect_err("refused");
    assert!(error.message.contains("index old is from 1.x; nothing was changed"), "{error}");
    assert_eq!(server.calls("POST").len(), 1);
}

#[tokio::test]
async fn an_upgrade_that_an_earlier_run_finished_is_not_sent_again() {
    let server = Scripted::start(|_, _| Answer::Ok(status(&json!({ "EngineVersion": "OpenSearch_2.19" })))).await;
    let mut after = wanted("123456789012");
    after.settings.engine_version = Some("OpenSearch_2.19".to_owned());
    let pointers = ["/engine_version".to_owned()];
    DomainSettings::update(&server.session, &names(), &observed(), &after, &pointers).await.expect("done");
    assert!(server.calls("POST").is_empty());
}
