//! Any valid spec comes up; any two with the same names lead from one to the other.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::fixture::{Cloud, Way};

/// Settings that can be changed in any direction: what AWS cannot undo is not generated.
fn spec() -> impl Strategy<Value = String> {
    let rotation = prop::sample::select(vec!["NoRotation", "OneHour", "OneDay", "OneWeek", "OneMonth"]);
    let instance = prop::sample::select(vec!["t3.small.search", "m6g.large.search"]);
    let compression = prop::sample::select(vec!["UNCOMPRESSED", "GZIP"]);
    let ids = prop::sample::select(vec!["FIREHOSE_DEFAULT", "NO_DOCUMENT_ID"]);
    let retention = prop::sample::select(vec![1, 14, 90, 3653]);
    let team = prop::sample::select(vec!["a", "b", "null"]);
    let documents = prop::sample::select(vec!["AllDocuments", "FailedDocumentsOnly"]);
    let time_format = prop::sample::select(vec!["epoch_second", "epoch_millis"]);
    (
        (rotation, instance, compression, ids, retention),
        (team, documents, time_format),
        (0..=7200_u32, 0..=900_u32, 1..=100_u32, 1..=4_u32, 10..=100_u32),
        (1..=3_u32, prop::option::of(1..=3650_u32), prop::option::of(1..=60_u32)),
    )
        .prop_map(
            |(
                (rotation, instance, compression, ids, retention),
                (team, documents, time_format),
                (retry, seconds, mib, count, size),
                (shards, expire, refresh),
            )| {
                let expire = expire.map(|days| format!("bucket: {{ expire_days: {days} }}\n")).unwrap_or_default();
                let refresh = refresh.map(|s| format!(", refresh_interval: {s}s")).unwrap_or_default();
                format!(
                    "stack: logs\ntags: {{ team: {team} }}\n\
                     domain: {{ instance_type: {instance}, instance_count: {count}, volume: {{ type: gp3, size_gib: {size} }} }}\n\
                     index: {{ rotation: {rotation}, shards: {shards}, time_format: {time_format}{refresh} }}\n\
                     dashboards: {{ index_pattern: \"logs*\" }}\n\
                     stream: {{ retry_seconds: {retry}, buffer: {{ seconds: {seconds}, mib: {mib} }}, document_ids: {ids} }}\n\
                     backup: {{ documents: {documents}, compression: {compression} }}\n\
                     error_log: {{ retention_days: {retention} }}\n{expire}"
                )
            },
        )
}

#[test]
fn any_spec_comes_up_and_leads_to_any_other() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut runner = TestRunner::new(Config { cases: 24, failure_persistence: None, ..Config::default() });
    runner
        .run(&(spec(), spec()), |(first, second)| {
            runtime.block_on(async {
                let cloud = Cloud::start().await;
                cloud.up(&first).await;
                cloud.assert_converged(&first).await;
                cloud.up(&second).await;
                cloud.assert_converged(&second).await;
                cloud.down(&second, Way::DownWithBackup).await;
            });
            Ok(())
        })
        .expect("every pair converges");
}
