//! Throttling, server errors, lost answers and stale reads on the way up: it converges all the same.

use ekk::apply::End;
use ekk::plan::Action;
use ekk::resource::Kind;
use std::collections::BTreeSet;

use ekk_emulator::{Effect, Fault, Moment, Service};

use crate::fixture::{Cloud, STACKS, Way, count};

#[tokio::test]
async fn throttling_of_every_operation_once_is_survived() {
    let cloud = Cloud::start().await;
    for service in [Service::Iam, Service::S3, Service::Logs, Service::OpenSearch, Service::Firehose] {
        let mut fault = Fault::everywhere(Effect::Throttle).first(2);
        fault.service = Some(service);
        cloud.control().fault(fault);
    }
    cloud.up(STACKS[1]).await;
    cloud.assert_converged(STACKS[1]).await;
}

#[tokio::test]
async fn a_lost_answer_of_every_create_is_survived_and_nothing_is_made_twice() {
    for (service, operation) in [
        (Service::Iam, "CreateRole"),
        (Service::Iam, "PutRolePolicy"),
        (Service::S3, "CreateBucket"),
        (Service::S3, "PutBucketPolicy"),
        (Service::Logs, "CreateLogGroup"),
        (Service::Logs, "CreateLogStream"),
        (Service::OpenSearch, "CreateDomain"),
        (Service::Firehose, "CreateDeliveryStream"),
    ] {
        let cloud = Cloud::start().await;
        let lost = Fault::on(service, operation, Effect::DropConnection(Moment::After)).nth(1);
        cloud.control().fault(lost);
        cloud.up(STACKS[1]).await;
        assert!(count(&cloud.control().requests(), service, operation) >= 2, "{operation} was not lost");
        cloud.assert_converged(STACKS[1]).await;
    }
}

#[tokio::test]
async fn a_server_error_of_every_operation_once_is_survived() {
    let cloud = Cloud::start().await;
    cloud.up(STACKS[1]).await;
    let requests = cloud.control().requests().into_iter();
    let operations: BTreeSet<(Service, String)> =
        requests.map(|request| (request.service, request.operation)).collect();
    for (status, code) in [(500, "InternalFailure"), (503, "ServiceUnavailable")] {
        let cloud = Cloud::start().await;
        for (service, operation) in &operations {
            let error = Effect::Error { status, code: code.to_owned(), message: "busy".to_owned() };
            cloud.control().fault(Fault::on(*service, operation, error).nth(1));
        }
        cloud.up(STACKS[1]).await;
        cloud.control().clear_faults();
        cloud.assert_converged(STACKS[1]).await;
    }
}

#[tokio::test]
async fn an_engine_without_dashboards_is_told_at_once_by_every_run() {
    let cloud = Cloud::start().await;
    // What an engine answers to a path that it does not have; there is no such domain on AWS.
    let message = "no handler found for uri [/_dashboards/api] and method [GET]";
    let error = Effect::Error { status: 400, code: "BadRequest".to_owned(), message: message.to_owned() };
    let mut no_dashboards = Fault::everywhere(error);
    no_dashboards.path_contains = Some("/_dashboards/".to_owned());
    cloud.control().fault(no_dashboards);
    // The first run creates the pattern, the second cannot know whether it is there.
    for action in [Action::Create, Action::Settle] {
        cloud.control().clear_requests();
        let report = cloud.go(STACKS[1], Way::Up).await.expect("a run");
        let failed: Vec<_> = report.ended(|end| *end != End::Done).collect();
        let [outcome] = failed.as_slice() else { panic!("{report:#?}") };
        assert_eq!((outcome.kind, outcome.action), (Kind::IndexPattern, action));
        let End::Failed { message: told, hints, refused: false } = &outcome.end else { panic!("{outcome:?}") };
        assert!(told.starts_with("index pattern logging-test-*: GET /_dashboards/"), "{told}");
        assert!(told.ends_with(message), "{told}");
        assert_eq!(
            hints.as_slice(),
            ["the engine itself answered: there is no Dashboards behind this endpoint, as there always is on AWS; \
                 look where AWS_ENDPOINT_URL leads"]
        );
        let asked = cloud.control().requests().iter().filter(|asked| asked.path.contains("/_dashboards/")).count();
        assert!(asked < 10, "{asked} requests to what is not there");
    }
}

#[tokio::test]
async fn a_denied_call_names_the_permission_and_the_rest_is_done() {
    let cloud = Cloud::start().await;
    cloud.control().deny("logs:CreateLogGroup");
    let report = cloud.go(STACKS[1], Way::Up).await.expect("a run");
    assert!(!report.is_done());
    let text = format!("{report:?}");
    assert!(text.contains("logs:CreateLogGroup"), "{text}");
}

#[tokio::test]
async fn all_missing_permissions_to_read_are_named_at_once() {
    let cloud = Cloud::start().await;
    for action in ["iam:GetRole", "logs:DescribeLogGroups", "firehose:DescribeDeliveryStream"] {
        cloud.control().deny(action);
    }
    let error = cloud.plan(STACKS[1], Way::Up).await.expect_err("nothing may be read");
    for action in ["iam:GetRole", "logs:DescribeLogGroups", "firehose:DescribeDeliveryStream"] {
        assert!(error.message.contains(action), "{action} is not named: {}", error.message);
        assert!(error.hints.iter().any(|hint| hint.contains(action)), "{:?}", error.hints);
    }
}

#[tokio::test]
async fn reads_that_are_older_than_the_last_write_are_survived() {
    for (service, operation) in [
        (Service::Iam, "GetRole"),
        (Service::S3, "HeadBucket"),
        (Service::Logs, "DescribeLogGroups"),
        (Service::Logs, "DescribeLogStreams"),
        (Service::OpenSearch, "DescribeDomain"),
        (Service::OpenSearch, "ListTags"),
        (Service::Firehose, "DescribeDeliveryStream"),
    ] {
        for way in [Way::Up, Way::Down] {
            let cloud = Cloud::start().await;
            if let Way::Down | Way::DownWithBackup = way {
                cloud.up(STACKS[1]).await;
            }
            // The first read is the plan's own; the next ones come after a write.
            cloud.control().fault(Fault::on(service, operation, Effect::StaleRead).first(4));
            let report = cloud.go(STACKS[1], way).await.expect("a run");
            cloud.control().clear_faults();
            if !report.is_done() {
                // It may have to be said again, but never be wrong for good.
                let again = cloud.go(STACKS[1], way).await.expect("a second run");
                assert!(again.is_done(), "{operation}, {way:?}: {again:#?}");
            }
            if let Way::Up = way {
                cloud.assert_converged(STACKS[1]).await;
            } else {
                assert!(cloud.plan(STACKS[1], way).await.expect("a plan").is_empty(), "{operation}, {way:?}");
            }
        }
    }
}
