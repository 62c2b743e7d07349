//! The rules of the design that only a live run can show.

use ekk::plan::Adopt;
use ekk::resolve;
use ekk::resource::Kind;
use ekk_emulator::Service;

use crate::fixture::{Cloud, STACKS, Way, count, spec, writes};

#[tokio::test]
async fn what_somebody_else_made_is_taken_only_when_adopted() {
    let cloud = Cloud::start().await;
    let session = cloud.session(Some("eu-west-1")).await;
    session
        .aws
        .logs
        .create_log_group()
        .log_group_name("/aws/kinesisfirehose/logging-test")
        .send()
        .await
        .expect("a log group");
    let plan = cloud.plan(STACKS[1], Way::Up).await.expect("a plan");
    assert_eq!(plan.refusals.len(), 1);
    let report = cloud.go_adopting(STACKS[1], Way::Up, Adopt::Only(vec![Kind::LogGroup])).await.expect("a run");
    assert!(report.is_done(), "{report:#?}");
    cloud.assert_converged(STACKS[1]).await;
}

#[tokio::test]
async fn tags_of_others_survive_every_run() {
    let cloud = Cloud::start().await;
    cloud.up(STACKS[1]).await;
    let session = cloud.session(Some("eu-west-1")).await;
    let tag = aws_sdk_firehose::types::Tag::builder().key("cost").value("9").build().expect("a tag");
    session
        .aws
        .firehose
        .tag_delivery_stream()
        .delivery_stream_name("logging-test")
        .tags(tag)
        .send()
        .await
        .expect("a tag");
    cloud.assert_converged(STACKS[1]).await;
    let changed = STACKS[1].replace("stack: logging-test\n", "stack: logging-test\ntags: { team: b }\n");
    cloud.up(&changed).await;
    let live = cloud.live(&changed).await.expect("a read");
    let tags = &live.stream.present().expect("the stream").tags;
    assert_eq!(tags.get("cost").map(String::as_str), Some("9"));
    assert_eq!(tags.get("team").map(String::as_str), Some("b"));
}

#[tokio::test]
async fn two_runs_at_once_converge() {
    let cloud = Cloud::start().await;
    let (one, other) = futures_util::join!(cloud.go(STACKS[1], Way::Up), cloud.go(STACKS[1], Way::Up));
    let done = one.is_ok_and(|report| report.is_done()) || other.is_ok_and(|report| report.is_done());
    if !done {
        cloud.up(STACKS[1]).await;
    }
    cloud.assert_converged(STACKS[1]).await;
    assert!(count(&cloud.control().requests(), Service::OpenSearch, "CreateDomain") <= 2);
}

#[tokio::test]
async fn when_the_index_is_renamed_the_role_is_widened_before_and_narrowed_after_the_stream() {
    let cloud = Cloud::start().await;
    cloud.up("stack: logs\n").await;
    cloud.control().clear_requests();
    let renamed = "stack: logs\nindex: { name: other }\n";
    cloud.up(renamed).await;
    let order: Vec<String> = cloud
        .control()
        .requests()
        .into_iter()
        .filter(|request| matches!(request.operation.as_str(), "PutRolePolicy" | "UpdateDestination"))
        .map(|request| request.operation)
        .collect();
    assert_eq!(order, ["PutRolePolicy", "UpdateDestination", "PutRolePolicy"]);
    cloud.assert_converged(renamed).await;
}

#[tokio::test]
async fn an_existing_role_and_bucket_carry_a_stack_and_stay_as_they_are() {
    let text = "stack: logs\nrole: { existing: theirs }\nbucket: { existing: their-bucket }\n";
    let cloud = Cloud::start().await;
    let session = cloud.session(Some("eu-west-1")).await;
    let (_, desired) = resolve::resolve(&spec(text), session.target().await.expect("an identity"));
    let needed = desired.role.settings().expect("what the stack needs of the role");
    let policy = needed.policy.as_ref().expect("a policy");
    let iam = &session.aws.iam;
    iam.create_role()
        .role_name("theirs")
        .assume_role_policy_document(needed.trust.text())
        .send()
        .await
        .expect("a role");
    let place = aws_sdk_s3::types::CreateBucketConfiguration::builder()
        .location_constraint(aws_sdk_s3::types::BucketLocationConstraint::EuWest1)
        .build();
    session
        .aws
        .s3
        .create_bucket()
        .bucket("their-bucket")
        .create_bucket_configuration(place)
        .send()
        .await
        .expect("a bucket");

    let plan = cloud.plan(text, Way::Up).await.expect("a plan");
    assert!(plan.refusals.iter().all(|refusal| refusal.kind == Kind::Role), "{:?}", plan.refusals);
    assert!(plan.refusals.iter().any(|refusal| refusal.why.contains("s3:PutObject")), "{:?}", plan.refusals);

    iam.put_role_policy()
        .role_name("theirs")
        .policy_name("write")
        .policy_document(policy.text())
        .send()
        .await
        .expect("a policy");
    cloud.up(text).await;
    cloud.assert_converged(text).await;
    cloud.control().clear_requests();
    cloud.down(text, Way::Down).await;
    let touched: Vec<String> = writes(&cloud.control().requests())
        .into_iter()
        .filter(|write| write.starts_with("Iam") || write.starts_with("S3"))
        .collect();
    assert_eq!(touched, Vec::<String>::new());
    assert!(cloud.live(text).await.expect("a read").role.present().is_some());
}
