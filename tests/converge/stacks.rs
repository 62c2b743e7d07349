//! Every stack in `stacks/`, there and back.

use ekk::plan::{Action, Adopt};
use ekk::resource::{Kind, Read};
use ekk::stack::{Stray, Strays};

use crate::fixture::{Cloud, STACKS, Way};

#[tokio::test]
async fn every_stack_comes_up_and_the_second_plan_is_empty() {
    for text in STACKS {
        let cloud = Cloud::start().await;
        cloud.up(text).await;
        cloud.assert_converged(text).await;
    }
}

#[tokio::test]
async fn down_leaves_nothing_but_the_bucket_and_then_not_even_that() {
    for text in STACKS {
        let cloud = Cloud::start().await;
        cloud.up(text).await;
        cloud.down(text, Way::Down).await;
        let live = cloud.live(text).await.expect("a read");
        assert!(live.bucket.present().is_some(), "the bucket is kept");
        assert!(matches!(live.role, Read::Absent));
        assert!(matches!(live.log_group, Read::Absent));
        assert!(matches!(live.domain, Read::Absent));
        assert!(matches!(live.stream, Read::Absent));
        assert_eq!(live.strays, Strays::Known(Vec::new()));
        assert!(cloud.plan(text, Way::Down).await.expect("a plan").is_empty());

        cloud.down(text, Way::DownWithBackup).await;
        assert!(matches!(cloud.live(text).await.expect("a read").bucket, Read::Absent));
    }
}

#[tokio::test]
async fn a_stack_comes_up_again_after_it_went_down() {
    let text = STACKS[1];
    let cloud = Cloud::start().await;
    cloud.up(text).await;
    cloud.down(text, Way::Down).await;
    cloud.up(text).await;
    cloud.assert_converged(text).await;
}

#[tokio::test]
async fn a_renamed_kind_leaves_its_old_one_as_a_stray() {
    let before = "stack: logs\n";
    for (kind, old, after) in [
        (
            Kind::Stream,
            "logs",
            "stack: logs\nstream: { name: another }\nerror_log: { name: /aws/kinesisfirehose/logs }\n",
        ),
        (Kind::Domain, "logs", "stack: logs\ndomain: { name: another }\n"),
        (Kind::Bucket, "logs-000000000000-eu-west-1", "stack: logs\nbucket: { name: another-bucket-1 }\n"),
        (Kind::Role, "logs-firehose-eu-west-1", "stack: logs\nrole: { name: another }\n"),
        (Kind::LogGroup, "/aws/kinesisfirehose/logs", "stack: logs\nerror_log: { name: /another }\n"),
    ] {
        let cloud = Cloud::start().await;
        cloud.up(before).await;
        cloud.up(after).await;
        let plan = cloud.plan(after, Way::Up).await.expect("a plan");
        assert!(plan.is_empty(), "{kind}: {:?}", plan.changes);
        assert_eq!(plan.strays, Strays::Known(vec![Stray { kind, name: old.to_owned() }]));
    }
}

#[tokio::test]
async fn another_stacks_resource_is_never_written_over() {
    let cloud = Cloud::start().await;
    cloud.up("stack: theirs\n").await;
    let ours = "stack: ours\ndomain: { name: theirs }\nrole: { name: theirs-firehose-eu-west-1 }\n";
    let (_, plan) = cloud.plan_with(ours, Way::Up, &Adopt::All).await.expect("a plan");
    let refused: Vec<Kind> = plan.refusals.iter().map(|refusal| refusal.kind).collect();
    assert!(refused.contains(&Kind::Domain) && refused.contains(&Kind::Role), "{refused:?}");
    assert!(plan.changes.iter().all(|change| change.kind != Kind::Domain && change.kind != Kind::Role));
}

#[tokio::test]
async fn the_same_file_in_two_regions_never_shares_a_role_or_bucket() {
    let cloud = Cloud::start().await;
    let named = "stack: logs\nregion: REGION\nrole: { name: shared-role }\nbucket: { name: shared-bucket }\n";
    cloud.up(&named.replace("REGION", "eu-west-1")).await;
    let plan = cloud.plan(&named.replace("REGION", "us-west-2"), Way::Up).await;
    match plan {
        Ok(plan) => {
            let refused: Vec<Kind> = plan.refusals.iter().map(|refusal| refusal.kind).collect();
            assert_eq!(refused, [Kind::Role, Kind::Bucket]);
        }
        Err(error) => assert!(error.message.contains("shared-bucket"), "{error}"),
    }
    // With the names by default there is nothing to share.
    let by_default = "stack: logs\nregion: REGION\n";
    cloud.up(&by_default.replace("REGION", "ap-south-1")).await;
    cloud.up(&by_default.replace("REGION", "us-west-2")).await;
    cloud.assert_converged(&by_default.replace("REGION", "ap-south-1")).await;
}

#[tokio::test]
async fn a_changed_line_is_exactly_that_line_in_the_plan() {
    let cloud = Cloud::start().await;
    let text = STACKS[1];
    cloud.up(text).await;
    let changed = text.replace("retry_seconds: 300", "retry_seconds: 600");
    let plan = cloud.plan(&changed, Way::Up).await.expect("a plan");
    let fields: Vec<String> =
        plan.changes.iter().flat_map(|change| change.fields.iter().map(ToString::to_string)).collect();
    assert_eq!(fields, ["retry_seconds 300 -> 600"]);
    assert_eq!(plan.changes[0].action, Action::Update);
    cloud.up(&changed).await;
    cloud.assert_converged(&changed).await;
}
