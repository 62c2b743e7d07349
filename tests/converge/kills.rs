//! A run loses its process at every call, before and after the call took effect; the next run converges, nothing is
//! orphaned and nothing made twice.

use std::time::Duration;

use ekk::stack::Strays;
use ekk_emulator::Moment;

use crate::fixture::{Cloud, STACKS, Way};

const BEFORE: &str = "stack: logs\ntags: { team: a }\n";
const AFTER: &str = "stack: logs\ntags: { team: b }\nindex: { name: renamed }\nstream: { retry_seconds: 9 }\n\
                     domain: { instance_count: 2 }\nbucket: { expire_days: 30 }\nerror_log: { retention_days: 7 }\n";

/// No run takes as long as this; one that does, hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs until the nth call from now is reached and then is gone, as a process that is killed. Returns false when the
/// run ended before it made so many calls.
async fn killed_at(cloud: &Cloud, text: &str, way: Way, number: usize, moment: Moment) -> bool {
    let reached = cloud.control().stall_at(number, moment);
    tokio::select! {
        () = tokio::time::sleep(PATIENCE) => panic!("killed at call {number}, {moment:?}: the run hangs"),
        reached = reached => {
            reached.expect("the emulator runs");
            true
        }
        report = cloud.go(text, way) => {
            let report = report.expect("an undisturbed run ends well");
            assert!(report.is_done(), "{report:#?}");
            false
        }
    }
}

fn last_calls(cloud: &Cloud) -> Vec<String> {
    let requests = cloud.control().requests();
    let last = requests.iter().rev().take(6).rev();
    last.map(|request| format!("{:?} {} {:?}", request.service, request.operation, request.status)).collect()
}

async fn assert_whole(cloud: &Cloud, text: &str, number: usize, moment: Moment) {
    let again = tokio::time::timeout(PATIENCE, cloud.up(text)).await;
    assert!(again.is_ok(), "killed at call {number}, {moment:?}: the next run hangs after {:?}", last_calls(cloud));
    cloud.assert_converged(text).await;
    let live = cloud.live(text).await.expect("a read");
    assert_eq!(live.strays, Strays::Known(Vec::new()), "killed at call {number}, {moment:?}");
}

#[tokio::test]
async fn up_is_killed_at_every_call() {
    for moment in [Moment::Before, Moment::After] {
        let mut number = 1;
        loop {
            let cloud = Cloud::start().await;
            if !killed_at(&cloud, STACKS[1], Way::Up, number, moment).await {
                break;
            }
            assert_whole(&cloud, STACKS[1], number, moment).await;
            number += 1;
        }
        assert!(number > 40, "only {number} calls were killed");
    }
}

#[tokio::test]
async fn an_update_is_killed_at_every_call() {
    for moment in [Moment::Before, Moment::After] {
        let mut number = 1;
        loop {
            let cloud = Cloud::start().await;
            cloud.up(BEFORE).await;
            if !killed_at(&cloud, AFTER, Way::Up, number, moment).await {
                break;
            }
            assert_whole(&cloud, AFTER, number, moment).await;
            number += 1;
        }
        assert!(number > 30, "only {number} calls were killed");
    }
}

#[tokio::test]
async fn down_is_killed_at_every_call() {
    for moment in [Moment::Before, Moment::After] {
        let mut number = 1;
        loop {
            let cloud = Cloud::start().await;
            cloud.up(STACKS[1]).await;
            if !killed_at(&cloud, STACKS[1], Way::DownWithBackup, number, moment).await {
                break;
            }
            cloud.down(STACKS[1], Way::DownWithBackup).await;
            let plan = cloud.plan(STACKS[1], Way::DownWithBackup).await.expect("a plan");
            assert!(plan.is_empty(), "killed at call {number}, {moment:?}: {:?}", plan.changes);
            let live = cloud.live(STACKS[1]).await.expect("a read");
            assert!(live.bucket.present().is_none());
            assert_eq!(live.strays, Strays::Known(Vec::new()));
            number += 1;
        }
        assert!(number > 25, "only {number} calls were killed");
    }
}
