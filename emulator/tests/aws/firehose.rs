use std::time::Duration;

use aws_sdk_firehose::{
    Client,
    primitives::Blob,
    types::{
        AmazonopensearchserviceBufferingHints, AmazonopensearchserviceDestinationConfiguration,
        AmazonopensearchserviceDestinationUpdate, AmazonopensearchserviceRetryOptions,
        AmazonopensearchserviceS3BackupMode, BufferingHints, DeliveryStreamStatus, Record, S3DestinationConfiguration,
        Tag,
    },
};
use ekk_emulator::{Emulator, Options, Timing};

use crate::{
    code,
    opensearch::{ask, create_domain},
    sdk,
};

const ROLE: &str = "arn:aws:iam::000000000000:role/writer";
const DOMAIN: &str = "arn:aws:es:eu-west-1:000000000000:domain/logs";
const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"firehose.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
const POLICY: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*","es:*"],"Resource":"*"}]}"#;

fn client(emulator: &Emulator) -> Client {
    Client::new(&sdk(emulator, "eu-west-1"))
}

/// Buffers wait as long as on AWS, and everything else is there at once.
fn timing() -> Timing {
    Timing { buffer_scale: 1.0, ..Timing::instant() }
}

fn destination() -> AmazonopensearchserviceDestinationConfiguration {
    AmazonopensearchserviceDestinationConfiguration::builder()
        .role_arn(ROLE)
        .domain_arn(DOMAIN)
        .index_name("logs")
        .buffering_hints(
            AmazonopensearchserviceBufferingHints::builder().interval_in_seconds(60).size_in_mbs(5).build(),
        )
        .s3_backup_mode(AmazonopensearchserviceS3BackupMode::AllDocuments)
        .s3_configuration(
            S3DestinationConfiguration::builder()
                .role_arn(ROLE)
                .bucket_arn("arn:aws:s3:::backup")
                .prefix("all/")
                .buffering_hints(BufferingHints::builder().interval_in_seconds(120).size_in_mbs(5).build())
                .build()
                .unwrap(),
        )
        .build()
        .unwrap()
}

/// Everything that a stream needs.
async fn prepare(emulator: &Emulator) {
    let config = sdk(emulator, "eu-west-1");
    let iam = aws_sdk_iam::Client::new(&config);
    iam.create_role().role_name("writer").assume_role_policy_document(TRUST).send().await.unwrap();
    iam.put_role_policy().role_name("writer").policy_name("ekk").policy_document(POLICY).send().await.unwrap();
    let s3 = aws_sdk_s3::Client::new(&config);
    let place = aws_sdk_s3::types::CreateBucketConfiguration::builder()
        .location_constraint(aws_sdk_s3::types::BucketLocationConstraint::EuWest1)
        .build();
    s3.create_bucket().bucket("backup").create_bucket_configuration(place).send().await.unwrap();
    create_domain(emulator).await;
}

async fn create(client: &Client) -> Result<(), Box<aws_sdk_firehose::Error>> {
    client
        .create_delivery_stream()
        .delivery_stream_name("logs")
        .tags(Tag::builder().key("ekk:stack").value("logs").build().unwrap())
        .amazonopensearchservice_destination_configuration(destination())
        .send()
        .await
        .map(drop)
        .map_err(|error| Box::new(error.into()))
}

async fn put(client: &Client, text: &str) {
    let record = Record::builder().data(Blob::new(text)).build().unwrap();
    let answer = client.put_record_batch().delivery_stream_name("logs").records(record).send().await.unwrap();
    assert_eq!(answer.failed_put_count(), 0);
}

async fn objects(emulator: &Emulator) -> Vec<String> {
    let s3 = aws_sdk_s3::Client::new(&sdk(emulator, "eu-west-1"));
    let listed = s3.list_objects_v2().bucket("backup").send().await.unwrap();
    listed.contents().iter().filter_map(|object| object.key().map(str::to_owned)).collect()
}

#[tokio::test]
async fn a_record_goes_through_the_stream_into_the_index_and_the_backup() {
    let emulator = Emulator::start(Options::in_memory(timing())).await.unwrap();
    emulator.control().set_clock("2026-11-23T12:00:00Z".parse().unwrap());
    prepare(&emulator).await;
    let client = client(&emulator);
    create(&client).await.unwrap();
    assert_eq!(
        code(
            client
                .create_delivery_stream()
                .delivery_stream_name("logs")
                .amazonopensearchservice_destination_configuration(destination())
                .send()
                .await
        ),
        "ResourceInUseException"
    );
    let described = client.describe_delivery_stream().delivery_stream_name("logs").send().await.unwrap();
    let stream = described.delivery_stream_description.unwrap();
    assert_eq!((stream.delivery_stream_status(), stream.version_id()), (&DeliveryStreamStatus::Creating, "1"));
    put(&client, "{\"message\":\"hello\"}\n").await;
    emulator.control().advance(Duration::from_secs(61));
    emulator.control().advance(Duration::from_secs(2));
    let found = ask(&emulator, "GET", "/logs-2026-11-23/_search", "").await;
    assert!(found.contains("\"message\":\"hello\""), "{found}");
    assert!(objects(&emulator).await.is_empty());
    emulator.control().advance(Duration::from_secs(60));
    let keys = objects(&emulator).await;
    assert!(keys.len() == 1 && keys[0].starts_with("all/2026/11/23/12/logs-1-2026-11-23-12-00-"), "{keys:?}");
}

#[tokio::test]
async fn records_in_the_buffer_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let options = || Options { state: Some(folder.path().to_owned()), ..Options::in_memory(timing()) };
    let emulator = Emulator::start(options()).await.unwrap();
    prepare(&emulator).await;
    create(&client(&emulator)).await.unwrap();
    put(&client(&emulator), "{\"message\":\"kept\"}\n").await;
    emulator.stop().await;

    let emulator = Emulator::start(options()).await.unwrap();
    emulator.control().advance(Duration::from_secs(125));
    emulator.control().advance(Duration::from_secs(2));
    let found = ask(&emulator, "GET", "/logs-*/_search", "").await;
    assert!(found.contains("\"message\":\"kept\""), "{found}");
    assert_eq!(objects(&emulator).await.len(), 1);
}

#[tokio::test]
async fn an_update_needs_the_current_version_and_keeps_what_it_does_not_name() {
    let emulator = Emulator::start(Options::in_memory(timing())).await.unwrap();
    prepare(&emulator).await;
    let client = client(&emulator);
    create(&client).await.unwrap();
    let update = |version: &str| {
        client
            .update_destination()
            .delivery_stream_name("logs")
            .current_delivery_stream_version_id(version)
            .destination_id("destinationId-000000000001")
            .amazonopensearchservice_destination_update(
                AmazonopensearchserviceDestinationUpdate::builder()
                    .retry_options(AmazonopensearchserviceRetryOptions::builder().duration_in_seconds(0).build())
                    .build(),
            )
            .send()
    };
    update("1").await.unwrap();
    assert_eq!(code(update("1").await), "ConcurrentModificationException");
    let described = client.describe_delivery_stream().delivery_stream_name("logs").send().await.unwrap();
    let stream = described.delivery_stream_description.unwrap();
    assert_eq!(stream.version_id(), "2");
    let destination = stream.destinations()[0].amazonopensearchservice_destination_description().unwrap();
    assert_eq!(destination.retry_options().unwrap().duration_in_seconds(), Some(0));
    assert_eq!(destination.buffering_hints().unwrap().interval_in_seconds(), Some(60));
}

#[tokio::test]
async fn a_missing_permission_to_tag_fails_the_whole_creation() {
    let emulator = Emulator::start(Options::in_memory(timing())).await.unwrap();
    prepare(&emulator).await;
    emulator.control().deny("firehose:TagDeliveryStream");
    let client = client(&emulator);
    create(&client).await.unwrap_err();
    let listed = client.list_delivery_streams().send().await.unwrap();
    assert!(listed.delivery_stream_names().is_empty());
    emulator.control().clear_faults();
    create(&client).await.unwrap();
    let listed = client.list_delivery_streams().send().await.unwrap();
    assert_eq!(listed.delivery_stream_names(), ["logs"]);
}
