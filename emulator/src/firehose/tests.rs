use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::FailedFolder;
use crate::{
    Timing, World, iam, logs,
    request::Request,
    s3,
    world::{self, Context},
};

const ROLE: &str = "arn:aws:iam::123456789012:role/ekk/firehose";
const DOMAIN: &str = "arn:aws:es:eu-west-1:123456789012:domain/logs";
const GROUP: &str = "/aws/kinesisfirehose/logs";

struct Service {
    world: World,
    now: Timestamp,
    timing: Timing,
}

impl Service {
    /// A role that has spread, a bucket, a domain that answers and a log group; nothing waits but the buffers.
    fn new() -> Self {
        let mut timing = Timing::instant();
        timing.stream_create = Duration::from_secs(10);
        timing.stream_delete = Duration::from_secs(10);
        timing.stream_encryption = Duration::from_secs(10);
        timing.role_propagation = Duration::from_secs(10);
        timing.buffer_scale = 1.0;
        let mut service = Self { world: World::default(), now: "2026-11-23T11:00:00Z".parse().unwrap(), timing };
        service.world.s3.buckets.insert("backup", s3::Bucket::new("eu-west-1", "123456789012", service.now));
        service.put_role(&policy());
        let group = logs::LogGroup {
            name: GROUP.to_owned(),
            created: 0,
            retention_days: None,
            kms_key: None,
            tags: BTreeMap::new(),
        };
        service.world.logs.groups.insert(format!("eu-west-1/{GROUP}"), group);
        let stream = logs::LogStream { name: "DestinationDelivery".to_owned(), created: 0, taken: 0 };
        service.world.logs.streams.insert(format!("eu-west-1/{GROUP}:DestinationDelivery"), stream);
        let domain = json!({
            "DomainName": "logs",
            "EngineVersion": "OpenSearch_2.19",
            "ClusterConfig": {"InstanceType": "t3.small.search", "InstanceCount": 1},
            "EBSOptions": {"EBSEnabled": true, "VolumeType": "gp3", "VolumeSize": 10},
        });
        let (status, answer) = service.send("es", "/2021-01-01/opensearch/domain", "", &domain);
        assert_eq!(status, 200, "{answer}");
        service.now = "2026-11-23T12:00:00Z".parse().unwrap();
        service
    }

    /// A stream that is active.
    fn with_stream(changes: &Value) -> Self {
        let mut service = Self::new();
        let (status, answer) = service.create(changes);
        assert_eq!(status, 200, "{answer}");
        service.pass(10);
        service
    }

    fn put_role(&mut self, policy: &Value) {
        let trust = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": "firehose.amazonaws.com"}, "Action": "sts:AssumeRole",
        }]});
        let grants = iam::Grants {
            trust: trust.to_string(),
            inline: BTreeMap::from([("ekk-firehose".to_owned(), policy.to_string())]),
            attached: BTreeSet::new(),
        };
        let role = iam::Role {
            name: "firehose".to_owned(),
            path: "/ekk/".to_owned(),
            arn: ROLE.to_owned(),
            id: "AROA".to_owned(),
            created: self.now,
            description: None,
            max_session_seconds: 3_600,
            boundary: None,
            tags: BTreeMap::new(),
            instance_profiles: BTreeSet::new(),
            grants,
            grants_before: None,
            changed: self.now,
        };
        self.world.iam.roles.insert("firehose", role);
    }

    fn context(&self) -> Context<'_> {
        Context {
            now: self.now,
            timing: &self.timing,
            account: "123456789012",
            address: "127.0.0.1:4599".parse().unwrap(),
        }
    }

    fn send(&mut self, service: &str, path: &str, target: &str, body: &Value) -> (u16, Value) {
        let (parts, ()) = http::Request::builder()
            .method("POST")
            .uri(path)
            .header("x-amz-date", "20261123T120000Z")
            .header(
                "authorization",
                format!("AWS4-HMAC-SHA256 Credential=AKIALOCAL/20261123/eu-west-1/{service}/aws4_request, SignedHeaders=host, Signature=00"),
            )
            .header("x-amz-target", target)
            .header("content-type", "application/json")
            .body(())
            .unwrap()
            .into_parts();
        let request = Request::read(parts, Bytes::from(body.to_string()));
        let mut world = std::mem::take(&mut self.world);
        world::tick(&mut world, &self.context());
        let response = world::handle(&mut world, &self.context(), &request);
        self.world = world;
        (response.status, serde_json::from_slice(&response.body).unwrap_or(Value::Null))
    }

    fn call(&mut self, operation: &str, body: &Value) -> (u16, Value) {
        let mut body = body.clone();
        if operation != "ListDeliveryStreams" {
            body.as_object_mut().unwrap().entry("DeliveryStreamName").or_insert(json!("logs"));
        }
        self.send("firehose", "/", &format!("Firehose_20150804.{operation}"), &body)
    }

    fn create(&mut self, changes: &Value) -> (u16, Value) {
        let mut destination = destination();
        for (key, value) in changes.as_object().unwrap() {
            destination[key] = value.clone();
        }
        self.call("CreateDeliveryStream", &json!({"AmazonopensearchserviceDestinationConfiguration": destination}))
    }

    fn describe(&mut self) -> Value {
        self.call("DescribeDeliveryStream", &json!({})).1["DeliveryStreamDescription"].clone()
    }

    fn update(&mut self, version: &str, update: &Value) -> (u16, Value) {
        self.call(
            "UpdateDestination",
            &json!({
                "CurrentDeliveryStreamVersionId": version,
                "DestinationId": "destinationId-000000000001",
                "AmazonopensearchserviceDestinationUpdate": update,
            }),
        )
    }

    fn put(&mut self, records: &[&str]) -> (u16, Value) {
        let records: Vec<Value> =
            records.iter().map(|record| json!({"Data": BASE64_STANDARD.encode(record)})).collect();
        self.call("PutRecordBatch", &json!({"Records": records}))
    }

    /// Lets time pass, second by second where something may happen.
    fn pass(&mut self, seconds: i64) {
        self.now += SignedDuration::from_secs(seconds);
        let mut world = std::mem::take(&mut self.world);
        world::tick(&mut world, &self.context());
        self.world = world;
    }

    fn objects(&self) -> Vec<(String, String)> {
        self.world
            .s3
            .objects
            .iter()
            .map(|(key, _)| {
                let key = key.strip_prefix("backup/").unwrap_or(key).to_owned();
                let body = s3::object_body(&self.world, "backup", &key).unwrap_or_default();
                (key, String::from_utf8_lossy(&body).into_owned())
            })
            .collect()
    }

    /// Ids and sources of an index's documents.
    fn documents(&mut self, index: &str) -> Vec<(String, Value)> {
        self.now += SignedDuration::from_secs(2);
        let (_, answer) = self.send(
            "es",
            &format!("/domain/eu-west-1/logs/{index}/_search"),
            "",
            &json!({"size": 100, "sort": [{"_id": "asc"}]}),
        );
        answer["hits"]["hits"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|hit| (hit["_id"].as_str().unwrap().to_owned(), hit["_source"].clone()))
            .collect()
    }

    fn logged(&self) -> usize {
        self.world.logs.events.len()
    }
}

fn policy() -> Value {
    json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["s3:AbortMultipartUpload", "s3:GetBucketLocation", "s3:GetObject", "s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:PutObject"],
         "Resource": ["arn:aws:s3:::backup", "arn:aws:s3:::backup/*"]},
        {"Effect": "Allow", "Action": ["es:DescribeDomain", "es:DescribeDomains", "es:DescribeDomainConfig", "es:ESHttpPost", "es:ESHttpPut", "es:ESHttpGet"],
         "Resource": [DOMAIN, format!("{DOMAIN}/*")]},
        {"Effect": "Allow", "Action": "logs:PutLogEvents", "Resource": format!("arn:aws:logs:eu-west-1:123456789012:log-group:{GROUP}:log-stream:*")},
    ]})
}

fn policy_without(action: &str) -> Value {
    serde_json::from_str(&policy().to_string().replace(&format!("\"{action}\""), "\"iam:Nothing\"")).unwrap()
}

fn destination() -> Value {
    json!({
        "RoleARN": ROLE,
        "DomainARN": DOMAIN,
        "IndexName": "logs",
        "IndexRotationPeriod": "OneDay",
        "BufferingHints": {"IntervalInSeconds": 60, "SizeInMBs": 5},
        "RetryOptions": {"DurationInSeconds": 300},
        "S3BackupMode": "AllDocuments",
        "CloudWatchLoggingOptions": {"Enabled": true, "LogGroupName": GROUP, "LogStreamName": "DestinationDelivery"},
        "S3Configuration": {"RoleARN": ROLE, "BucketARN": "arn:aws:s3:::backup"},
    })
}

fn code(answer: &(u16, Value)) -> &str {
    answer.1["__type"].as_str().unwrap_or("none")
}

#[test]
fn a_stream_is_created_and_becomes_active() {
    let mut service = Service::new();
    let (status, answer) = service.create(&json!({}));
    assert_eq!(
        (status, &answer["DeliveryStreamARN"]),
        (200, &json!("arn:aws:firehose:eu-west-1:123456789012:deliverystream/logs"))
    );
    assert_eq!(service.describe()["DeliveryStreamStatus"], "CREATING");
    assert_eq!(code(&service.put(&["{}"])), "ResourceNotFoundException");
    assert_eq!(code(&service.call("DeleteDeliveryStream", &json!({}))), "ResourceInUseException");
    service.pass(10);
    let stream = service.describe();
    assert_eq!((&stream["DeliveryStreamStatus"], &stream["VersionId"]), (&json!("ACTIVE"), &json!("1")));
    assert_eq!(code(&service.create(&json!({}))), "ResourceInUseException");
}

#[test]
fn states_without_a_wait_are_shown_to_one_read_each() {
    let mut service = Service::new();
    service.timing.stream_create = Duration::ZERO;
    service.timing.stream_delete = Duration::ZERO;
    service.create(&json!({}));
    assert_eq!(service.describe()["DeliveryStreamStatus"], "CREATING");
    assert_eq!(service.describe()["DeliveryStreamStatus"], "ACTIVE");
    service.call("DeleteDeliveryStream", &json!({}));
    assert_eq!(service.describe()["DeliveryStreamStatus"], "DELETING");
    assert_eq!(code(&service.call("DescribeDeliveryStream", &json!({}))), "ResourceNotFoundException");
}

#[test]
fn describe_gives_the_defaults_that_nobody_sent() {
    let mut service = Service::new();
    let minimal = json!({"AmazonopensearchserviceDestinationConfiguration": {
        "RoleARN": ROLE, "DomainARN": DOMAIN, "IndexName": "logs",
        "S3Configuration": {"RoleARN": ROLE, "BucketARN": "arn:aws:s3:::backup"},
    }});
    assert_eq!(service.call("CreateDeliveryStream", &minimal).0, 200);
    let destination = service.describe()["Destinations"][0]["AmazonopensearchserviceDestinationDescription"].clone();
    assert_eq!(destination["IndexRotationPeriod"], "OneDay");
    assert_eq!(destination["BufferingHints"], json!({"IntervalInSeconds": 300, "SizeInMBs": 5}));
    assert_eq!(destination["S3BackupMode"], "FailedDocumentsOnly");
    assert_eq!(destination["DocumentIdOptions"]["DefaultDocumentIdFormat"], "FIREHOSE_DEFAULT");
    assert_eq!(destination["S3DestinationDescription"]["CompressionFormat"], "UNCOMPRESSED");
    assert_eq!(destination.get("S3Configuration"), None);
}

#[test]
fn what_aws_refuses_at_creation_is_refused() {
    let backup = |member: &str, value: Value| {
        let mut backup = destination()["S3Configuration"].clone();
        backup[member] = value;
        json!({"S3Configuration": backup})
    };
    for (wrong, expected) in [
        (json!({"IndexRotationPeriod": "weekly"}), "ValidationException"),
        (json!({"IndexName": ""}), "ValidationException"),
        (json!({"IndexName": "x".repeat(81)}), "ValidationException"),
        (json!({"BufferingHints": {"IntervalInSeconds": 901, "SizeInMBs": 5}}), "ValidationException"),
        (json!({"BufferingHints": {"IntervalInSeconds": 60, "SizeInMBs": 101}}), "ValidationException"),
        (json!({"RetryOptions": {"DurationInSeconds": 7_201}}), "ValidationException"),
        (json!({"S3BackupMode": "All"}), "ValidationException"),
        (json!({"DocumentIdOptions": {"DefaultDocumentIdFormat": "NONE"}}), "ValidationException"),
        (json!({"RoleARN": "firehose"}), "ValidationException"),
        (json!({"ClusterEndpoint": "https://x"}), "InvalidArgumentException"),
        (json!({"TypeName": "_doc"}), "InvalidArgumentException"),
        (json!({"CloudWatchLoggingOptions": {"Enabled": true, "LogGroupName": GROUP}}), "InvalidArgumentException"),
        (json!({"Foo": 1}), "ValidationException"),
        (
            json!({"VpcConfiguration": {"SubnetIds": ["a"], "SecurityGroupIds": ["b"], "RoleARN": ROLE}}),
            "InvalidArgumentException",
        ),
        (backup("BufferingHints", json!({"SizeInMBs": 5})), "InvalidArgumentException"),
        (backup("BufferingHints", json!({"SizeInMBs": 129, "IntervalInSeconds": 60})), "ValidationException"),
        (backup("BucketARN", json!("backup")), "ValidationException"),
        (backup("CompressionFormat", json!("gzip")), "ValidationException"),
        (backup("CompressionFormat", json!("ZIP")), "InvalidArgumentException"),
        (backup("Prefix", json!("!{timestamp:yyyy}/")), "InvalidArgumentException"),
        (backup("Prefix", json!("x".repeat(1_025))), "ValidationException"),
        (json!({"DomainARN": "arn:aws:es:eu-west-1:123456789012:domain/missing"}), "InvalidArgumentException"),
    ] {
        let mut service = Service::new();
        let answer = service.create(&wrong);
        assert_eq!(code(&answer), expected, "{wrong} gave {answer:?}");
        assert_eq!(service.call("ListDeliveryStreams", &json!({})).1["DeliveryStreamNames"], json!([]));
    }
    let mut service = Service::new();
    for name in ["", "a b", &"x".repeat(65)] {
        assert_eq!(
            code(&service.call("CreateDeliveryStream", &json!({"DeliveryStreamName": name}))),
            "ValidationException"
        );
    }
}

#[test]
fn a_role_that_has_not_spread_is_refused_in_aws_s_words() {
    let mut service = Service::new();
    service.put_role(&policy());
    let (_, answer) = service.create(&json!({}));
    assert_eq!(answer["message"], format!("Firehose is unable to assume role {ROLE}. Please check the role provided."));
    service.pass(10);
    assert_eq!(service.create(&json!({})).0, 200);
}

#[test]
fn each_missing_permission_has_its_own_message() {
    for (action, words) in [
        ("es:DescribeDomain", "Delivery Role is not authorized to describe the Elasticsearch domain"),
        ("es:ESHttpPost", "Verify that the IAM role has access to the Elasticsearch domain"),
        ("es:ESHttpGet", "Verify that the IAM role has access to the Elasticsearch domain"),
        ("s3:PutObject", "is not authorized to perform: s3:PutObject"),
        ("s3:ListBucket", "is not authorized to perform: s3:ListBucket"),
    ] {
        let mut service = Service::new();
        service.put_role(&policy_without(action));
        service.pass(100);
        let answer = service.create(&json!({}));
        assert_eq!(code(&answer), "InvalidArgumentException");
        assert!(answer.1["message"].as_str().unwrap().contains(words), "{action} gave {answer:?}");
    }
}

#[test]
fn a_domain_that_does_not_answer_yet_is_refused() {
    let mut service = Service::new();
    service.world.opensearch.domains.get_mut("eu-west-1/logs").unwrap().endpoint_at = None;
    let answer = service.create(&json!({}));
    assert_eq!(code(&answer), "InvalidArgumentException");
    assert!(answer.1["message"].as_str().unwrap().contains("is not active"));
}

#[test]
fn a_creation_that_fails_keeps_the_name_until_it_is_deleted() {
    let mut service = Service::new();
    let failure = ("UNKNOWN_ERROR".to_owned(), "ordered by a test".to_owned());
    service.world.firehose.failing_creations.insert("eu-west-1/logs".to_owned(), failure);
    service.create(&json!({}));
    service.pass(10);
    let stream = service.describe();
    assert_eq!(
        (&stream["DeliveryStreamStatus"], &stream["FailureDescription"]["Type"]),
        (&json!("CREATING_FAILED"), &json!("UNKNOWN_ERROR"))
    );
    assert_eq!(code(&service.create(&json!({}))), "ResourceInUseException");
    assert_eq!(service.call("DeleteDeliveryStream", &json!({})).0, 200);
    service.pass(10);
    assert_eq!(service.create(&json!({})).0, 200);
}

#[test]
fn an_update_merges_and_raises_the_version() {
    let mut service = Service::with_stream(&json!({}));
    let update = json!({
        "RetryOptions": {"DurationInSeconds": 0},
        "S3Update": {"Prefix": "all/"},
    });
    assert_eq!(service.update("1", &update).0, 200);
    let stream = service.describe();
    assert_eq!(stream["VersionId"], "2");
    let destination = &stream["Destinations"][0]["AmazonopensearchserviceDestinationDescription"];
    assert_eq!(destination["RetryOptions"]["DurationInSeconds"], 0);
    assert_eq!(destination["BufferingHints"]["IntervalInSeconds"], 60);
    assert_eq!(
        (&destination["S3DestinationDescription"]["Prefix"], &destination["S3DestinationDescription"]["BucketARN"]),
        (&json!("all/"), &json!("arn:aws:s3:::backup"))
    );
    assert_eq!(code(&service.update("1", &update)), "ConcurrentModificationException");
    assert_eq!(service.describe()["VersionId"], "2");
}

#[test]
fn what_an_update_cannot_change_is_refused() {
    let mut service = Service::with_stream(&json!({}));
    for unknown in [
        json!({"S3BackupMode": "FailedDocumentsOnly"}),
        json!({"VpcConfiguration": {}}),
        json!({"S3Configuration": {}}),
    ] {
        assert_eq!(code(&service.update("1", &unknown)), "ValidationException", "{unknown}");
    }
    for wrong in [
        json!({"RoleARN": "arn:aws:iam::123456789012:role/missing"}),
        json!({"DomainARN": "arn:aws:es:eu-west-1:123456789012:domain/missing"}),
    ] {
        assert_eq!(code(&service.update("1", &wrong)), "InvalidArgumentException", "{wrong}");
    }
    assert_eq!(service.describe()["VersionId"], "1");
    let other = json!({"CurrentDeliveryStreamVersionId": "1", "DestinationId": "destinationId-2", "AmazonopensearchserviceDestinationUpdate": {}});
    assert_eq!(code(&service.call("UpdateDestination", &other)), "InvalidArgumentException");
}

#[test]
fn lists_are_sorted_and_ten_long() {
    let mut service = Service::new();
    for number in (0..12).rev() {
        let body = json!({"DeliveryStreamName": format!("s{number:02}"), "AmazonopensearchserviceDestinationConfiguration": destination()});
        assert_eq!(service.call("CreateDeliveryStream", &body).0, 200);
    }
    let (_, first) = service.call("ListDeliveryStreams", &json!({}));
    assert_eq!(first["DeliveryStreamNames"].as_array().unwrap().len(), 10);
    assert_eq!((&first["DeliveryStreamNames"][0], &first["HasMoreDeliveryStreams"]), (&json!("s00"), &json!(true)));
    let (_, rest) =
        service.call("ListDeliveryStreams", &json!({"ExclusiveStartDeliveryStreamName": "s09", "Limit": 100}));
    assert_eq!(rest, json!({"DeliveryStreamNames": ["s10", "s11"], "HasMoreDeliveryStreams": false}));
}

#[test]
fn tags_are_by_name() {
    let mut service = Service::with_stream(&json!({}));
    assert_eq!(service.call("TagDeliveryStream", &json!({"Tags": [{"Key": "a", "Value": "1"}, {"Key": "b"}]})).0, 200);
    assert_eq!(service.call("UntagDeliveryStream", &json!({"TagKeys": ["b"]})).0, 200);
    let (_, tags) = service.call("ListTagsForDeliveryStream", &json!({}));
    assert_eq!(tags, json!({"Tags": [{"Key": "a", "Value": "1"}], "HasMoreTags": false}));
    assert_eq!(code(&service.call("TagDeliveryStream", &json!({"Tags": [{"Key": "aws:x"}]}))), "ValidationException");
    let many: Vec<Value> = (0..50).map(|number| json!({"Key": number.to_string()})).collect();
    assert_eq!(code(&service.call("TagDeliveryStream", &json!({"Tags": many}))), "LimitExceededException");
}

#[test]
fn encryption_takes_time_to_start_and_to_stop() {
    let mut service = Service::with_stream(&json!({}));
    let status = |service: &mut Service| service.describe()["DeliveryStreamEncryptionConfiguration"]["Status"].clone();
    assert_eq!(status(&mut service), "DISABLED");
    let start = json!({"DeliveryStreamEncryptionConfigurationInput": {"KeyType": "AWS_OWNED_CMK"}});
    assert_eq!(service.call("StartDeliveryStreamEncryption", &start).0, 200);
    assert_eq!(status(&mut service), "ENABLING");
    assert_eq!(code(&service.call("StopDeliveryStreamEncryption", &json!({}))), "ResourceInUseException");
    assert_eq!(service.put(&["{}"]).1["Encrypted"], false);
    service.pass(10);
    assert_eq!(status(&mut service), "ENABLED");
    assert_eq!(service.put(&["{}"]).1["Encrypted"], true);
    service.call("StopDeliveryStreamEncryption", &json!({}));
    assert_eq!(status(&mut service), "DISABLING");
    let wrong = json!({"DeliveryStreamEncryptionConfigurationInput": {"KeyType": "CUSTOMER_MANAGED_CMK"}});
    assert_eq!(code(&service.call("StartDeliveryStreamEncryption", &wrong)), "InvalidArgumentException");
}

#[test]
fn records_land_in_the_rotated_index_after_the_buffer_time() {
    let mut service = Service::with_stream(&json!({}));
    service.put(&["{\"n\":1}\n", "{\"n\":2}\n"]);
    service.pass(59);
    assert!(service.documents("logs-2026-11-23").is_empty());
    service.pass(1);
    let found = service.documents("logs-2026-11-23");
    assert_eq!(found.iter().map(|(_, source)| source["n"].as_i64().unwrap()).collect::<Vec<_>>(), [1, 2]);
    let id = &found[0].0;
    assert!(id.len() == 51 && id.ends_with(".0") && id.starts_with("49"), "{id}");
}

#[test]
fn the_index_goes_by_arrival_and_not_by_delivery() {
    let mut service = Service::with_stream(&json!({}));
    service.now = "2026-11-23T23:59:30Z".parse().unwrap();
    service.put(&["{}\n"]);
    service.pass(60);
    assert_eq!(service.documents("logs-2026-11-23").len(), 1);
    assert!(service.documents("logs-2026-11-24").is_empty());
}

#[test]
fn enough_bytes_do_not_wait_for_the_time() {
    let mut service = Service::with_stream(&json!({"BufferingHints": {"IntervalInSeconds": 900, "SizeInMBs": 1}}));
    let record = format!("{{\"a\":\"{}\"}}\n", "x".repeat(600_000));
    service.put(&[&record]);
    assert!(service.documents("logs-*").is_empty());
    service.put(&[&record]);
    service.pass(0);
    assert_eq!(service.documents("logs-*").len(), 2);
}

#[test]
fn without_document_ids_the_domain_assigns_them() {
    let mut service =
        Service::with_stream(&json!({"DocumentIdOptions": {"DefaultDocumentIdFormat": "NO_DOCUMENT_ID"}}));
    service.put(&["{}\n"]);
    service.pass(60);
    assert_eq!(service.documents("logs-*")[0].0.len(), 20);
}

#[test]
fn all_documents_are_backed_up_back_to_back() {
    let mut service = Service::with_stream(&json!({}));
    service.put(&["{\"n\":1}", "{\"n\":2}\n"]);
    service.pass(300);
    let objects = service.objects();
    assert_eq!(objects.len(), 1);
    assert!(objects[0].0.starts_with("2026/11/23/12/logs-1-2026-11-23-12-00-10-"), "{}", objects[0].0);
    assert_eq!(objects[0].1, "{\"n\":1}{\"n\":2}\n");
    assert_eq!(service.world.firehose.records.len(), 0);
}

#[test]
fn a_backup_can_be_gzipped_and_prefixed() {
    let backup =
        json!({"RoleARN": ROLE, "BucketARN": "arn:aws:s3:::backup", "Prefix": "all/", "CompressionFormat": "GZIP"});
    let mut service = Service::with_stream(&json!({"S3Configuration": backup}));
    service.put(&["{}\n"]);
    service.pass(300);
    let objects = service.objects();
    let key = &objects[0].0;
    assert!(key.starts_with("all/2026/11/23/12/logs-1-") && key.ends_with(".gz"), "{key}");
}

#[test]
fn a_refused_document_goes_straight_to_the_failed_folder() {
    let mut service = Service::with_stream(&json!({"S3BackupMode": "FailedDocumentsOnly"}));
    service.put(&["{\"n\":1}\n", "{\"n\":\"many\"}\n", "not json\n", "[1]\n"]);
    service.pass(60);
    assert_eq!(service.documents("logs-*").len(), 1);
    let objects = service.objects();
    assert_eq!(objects.len(), 1);
    assert!(objects[0].0.starts_with("AmazonOpenSearchService-failed/2026/11/23/12/logs-1-"), "{}", objects[0].0);
    let failed: Vec<Value> = objects[0].1.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(failed.len(), 3);
    assert_eq!((&failed[0]["errorCode"], &failed[0]["attemptsMade"]), (&json!("400"), &json!(1)));
    assert_eq!(failed[0]["esIndexName"], "logs-2026-11-23");
    assert_eq!(failed[0]["rawData"], BASE64_STANDARD.encode("{\"n\":\"many\"}\n"));
    assert!(failed[0]["errorMessage"].as_str().unwrap().contains("mapper_parsing_exception"));
    assert_eq!(service.logged(), 1);
}

#[test]
fn a_failed_document_has_an_id_only_where_firehose_gives_one() {
    for (format, has_id) in [("FIREHOSE_DEFAULT", true), ("NO_DOCUMENT_ID", false)] {
        let mut service = Service::with_stream(&json!({
            "S3BackupMode": "FailedDocumentsOnly",
            "DocumentIdOptions": {"DefaultDocumentIdFormat": format},
        }));
        service.put(&["not json\n"]);
        service.pass(60);
        let failed: Value = serde_json::from_str(service.objects()[0].1.trim()).unwrap();
        assert_eq!(failed["esDocumentId"].is_string(), has_id, "{format}");
    }
}

#[test]
fn the_failed_folder_can_be_the_other_one_and_below_its_own_prefix() {
    let backup =
        json!({"RoleARN": ROLE, "BucketARN": "arn:aws:s3:::backup", "Prefix": "all/", "ErrorOutputPrefix": "errors/"});
    let mut service = Service::with_stream(&json!({"S3Configuration": backup}));
    service.world.firehose.failed_folder = FailedFolder::Underscore;
    service.put(&["x"]);
    service.pass(60);
    assert!(service.objects()[0].0.starts_with("errors/AmazonOpenSearchService_failed/2026/"));
}

#[test]
fn an_index_name_that_opensearch_refuses_is_noticed_at_delivery_only() {
    let mut service = Service::with_stream(&json!({"IndexName": "Logs", "S3BackupMode": "FailedDocumentsOnly"}));
    service.put(&["{}\n"]);
    service.pass(60);
    assert!(service.objects()[0].1.contains("invalid_index_name_exception"));
}

#[test]
fn a_domain_that_fails_is_tried_again_until_the_retry_time_is_over() {
    let mut service = Service::with_stream(&json!({"S3BackupMode": "FailedDocumentsOnly"}));
    service.world.opensearch.unavailable.insert("eu-west-1/logs".to_owned(), 503);
    service.put(&["{\"n\":1}\n"]);
    service.pass(60);
    service.pass(299);
    assert!(service.objects().is_empty());
    service.pass(1);
    let objects = service.objects();
    assert_eq!(objects.len(), 1);
    let failed: Value = serde_json::from_str(&objects[0].1).unwrap();
    assert_eq!((&failed["errorCode"], &failed["attemptsMade"]), (&json!("503"), &json!(2)));
    service.world.opensearch.unavailable.clear();
    service.pass(1_000);
    assert!(service.documents("logs-*").is_empty());
}

#[test]
fn a_domain_that_comes_back_gets_its_documents_with_the_ids_of_the_first_try() {
    let mut service = Service::with_stream(&json!({"RetryOptions": {"DurationInSeconds": 7200}}));
    service.world.opensearch.unavailable.insert("eu-west-1/logs".to_owned(), 429);
    service.put(&["{\"n\":1}\n"]);
    service.pass(60);
    service.world.opensearch.unavailable.clear();
    service.pass(300);
    assert_eq!(service.documents("logs-*").len(), 1);
}

#[test]
fn without_a_retry_time_the_first_failure_is_the_last() {
    let mut service =
        Service::with_stream(&json!({"RetryOptions": {"DurationInSeconds": 0}, "S3BackupMode": "FailedDocumentsOnly"}));
    service.world.opensearch.unavailable.insert("eu-west-1/logs".to_owned(), 503);
    service.put(&["{}\n"]);
    service.pass(60);
    assert_eq!(service.objects().len(), 1);
}

#[test]
fn a_role_that_lost_its_permissions_delivers_nothing() {
    let mut service = Service::with_stream(&json!({}));
    service.put(&["{}\n"]);
    service.put_role(&policy_without("s3:PutObject"));
    service.world.iam.roles.get_mut("firehose").unwrap().changed = "2026-11-23T00:00:00Z".parse().unwrap();
    service.pass(300);
    assert!(service.objects().is_empty());
    assert_eq!(service.documents("logs-*").len(), 1);
    service.put_role(&policy_without("es:ESHttpPost"));
    service.world.iam.roles.get_mut("firehose").unwrap().changed = "2026-11-23T00:00:00Z".parse().unwrap();
    service.put(&["{\"later\":1}\n"]);
    service.pass(60);
    assert_eq!(service.documents("logs-*").len(), 1);
    // The backup that could not be written before is written now: nothing was lost.
    assert!(service.objects().iter().any(|(_, body)| body.starts_with("{}\n")));
    // A day later what nobody took is gone.
    service.pass(90_000);
    assert_eq!(service.world.firehose.records.len(), 0);
}

#[test]
fn nothing_is_logged_where_the_log_stream_is_missing() {
    let mut service = Service::with_stream(&json!({}));
    service.world.logs.streams.remove(&format!("eu-west-1/{GROUP}:DestinationDelivery"));
    service.put(&["x"]);
    service.pass(60);
    assert_eq!((service.logged(), service.objects().len()), (0, 1));
}

#[test]
fn a_stream_that_is_deleted_delivers_its_buffer_late() {
    let mut service = Service::with_stream(&json!({}));
    service.put(&["{\"n\":1}\n"]);
    service.call("DeleteDeliveryStream", &json!({}));
    assert_eq!(code(&service.put(&["{}\n"])), "ResourceNotFoundException");
    assert!(service.objects().is_empty());
    service.pass(10);
    assert_eq!(service.objects().len(), 1);
    assert_eq!(service.documents("logs-*").len(), 1);
    assert_eq!(code(&service.call("DescribeDeliveryStream", &json!({}))), "ResourceNotFoundException");
}

#[test]
fn a_batch_that_fails_in_part_is_answered_in_its_order() {
    let mut service = Service::with_stream(&json!({}));
    service.world.firehose.failing_records.insert("eu-west-1/logs".to_owned(), BTreeSet::from([1]));
    let (status, answer) = service.put(&["{\"n\":0}\n", "{\"n\":1}\n", "{\"n\":2}\n"]);
    assert_eq!((status, &answer["FailedPutCount"]), (200, &json!(1)));
    assert_eq!(answer["RequestResponses"][1]["ErrorCode"], "ServiceUnavailableException");
    assert!(answer["RequestResponses"][2]["RecordId"].is_string());
    service.pass(60);
    let found: Vec<_> = service.documents("logs-*").into_iter().map(|(_, source)| source["n"].clone()).collect();
    assert_eq!(found, [json!(0), json!(2)]);
}

#[test]
fn batches_and_records_have_their_limits() {
    let mut service = Service::with_stream(&json!({}));
    assert_eq!(code(&service.put(&[])), "ValidationException");
    assert_eq!(code(&service.put(&vec!["{}"; 501])), "ValidationException");
    assert_eq!(service.put(&vec!["{}"; 500]).0, 200);
    let largest = "x".repeat(1_024_000);
    assert_eq!(service.put(&[&largest]).0, 200);
    let larger = "x".repeat(1_024_001);
    assert_eq!(code(&service.put(&[&larger])), "ValidationException");
    let quarter = "x".repeat(1_000_000);
    assert_eq!(code(&service.put(&[&quarter, &quarter, &quarter, &quarter, &quarter])), "InvalidArgumentException");
    let record = json!({"Record": {"Data": BASE64_STANDARD.encode("{}")}});
    assert!(service.call("PutRecord", &record).1["RecordId"].is_string());
}

#[test]
fn other_sources_and_destinations_are_refused() {
    let mut service = Service::new();
    for wrong in [
        json!({"DeliveryStreamType": "KinesisStreamAsSource", "AmazonopensearchserviceDestinationConfiguration": destination()}),
        json!({"ExtendedS3DestinationConfiguration": {"RoleARN": ROLE, "BucketARN": "arn:aws:s3:::backup"}}),
        json!({"DirectPutSourceConfiguration": {"ThroughputHintInMBs": 1}, "MSKSourceConfiguration": null}),
        json!({}),
    ] {
        assert_eq!(code(&service.call("CreateDeliveryStream", &wrong)), "InvalidArgumentException", "{wrong}");
    }
}
