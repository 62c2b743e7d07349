use std::time::Duration;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::ValidationFailure;
use crate::{
    Timing, World,
    request::Request,
    world::{self, Context},
};

/// A service on its own: a world, a clock and the waits.
struct Service {
    world: World,
    now: Timestamp,
    timing: Timing,
}

const DOMAIN: &str = "/2021-01-01/opensearch/domain/logs";
const CONFIG: &str = "/2021-01-01/opensearch/domain/logs/config";
const PROGRESS: &str = "/2021-01-01/opensearch/domain/logs/progress";
const ARN: &str = "arn:aws:es:eu-west-1:123456789012:domain/logs";
const INSIDE: &str = "/domain/eu-west-1/logs";

#[derive(Clone, Copy)]
enum Signature {
    Present,
    Missing,
}

impl Service {
    fn new(timing: Timing) -> Self {
        Self { world: World::default(), now: "2026-11-23T12:00:00Z".parse().unwrap(), timing }
    }

    /// Each stage takes ten seconds, the endpoint five more and Dashboards another five.
    fn with_stages() -> Self {
        let mut timing = Timing::instant();
        timing.domain_stage = Duration::from_secs(10);
        timing.endpoint_delay = Duration::from_secs(5);
        timing.dashboards_delay = Duration::from_secs(5);
        timing.domain_delete = Duration::from_secs(10);
        Self::new(timing)
    }

    fn send(
        &mut self,
        signature: Signature,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> (u16, Value) {
        let mut builder = http::Request::builder().method(method).uri(path);
        if let Signature::Present = signature {
            builder = builder.header("x-amz-date", "20261123T120000Z").header(
                "authorization",
                "AWS4-HMAC-SHA256 Credential=AKIALOCAL/20261123/eu-west-1/es/aws4_request, SignedHeaders=host, Signature=00",
            );
        }
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        let (parts, ()) = builder.body(()).unwrap().into_parts();
        let request = Request::read(parts, Bytes::copy_from_slice(body));
        let context = Context {
            now: self.now,
            timing: &self.timing,
            account: "123456789012",
            address: "127.0.0.1:4599".parse().unwrap(),
        };
        world::tick(&mut self.world, &context);
        let response = world::handle(&mut self.world, &context, &request);
        let mut answer: Value = serde_json::from_slice(&response.body).unwrap_or(Value::Null);
        if let Some((_, code)) = response.headers.iter().find(|(name, _)| name == "x-amzn-errortype") {
            answer["code"] = json!(code);
        }
        (response.status, answer)
    }

    fn call(&mut self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.send(Signature::Present, method, path, &[], body.as_bytes())
    }

    fn ask_inside(&mut self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let headers = [("content-type", "application/json"), ("osd-xsrf", "true"), ("kbn-xsrf", "true")];
        self.send(Signature::Present, method, &format!("{INSIDE}{path}"), &headers, body.as_bytes())
    }

    fn get(&mut self, path: &str) -> Value {
        self.call("GET", path, &Value::Null).1
    }

    fn status(&mut self) -> Value {
        self.get(DOMAIN)["DomainStatus"].clone()
    }

    fn create(&mut self, changes: &Value) -> (u16, Value) {
        let mut body = spec();
        for (key, value) in changes.as_object().unwrap() {
            body[key] = value.clone();
        }
        self.call("POST", "/2021-01-01/opensearch/domain", &body)
    }

    fn update(&mut self, body: &Value) -> (u16, Value) {
        self.call("POST", CONFIG, body)
    }

    fn pass(&mut self, seconds: i64) {
        self.now += SignedDuration::from_secs(seconds);
    }

    fn ready() -> Self {
        let mut service = Self::with_stages();
        assert_eq!(service.create(&json!({})).0, 200);
        service.pass(100);
        service
    }
}

fn policy(principal: &Value) -> String {
    json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": principal, "Action": "es:ESHttp*", "Resource": format!("{ARN}/*"),
    }]})
    .to_string()
}

fn spec() -> Value {
    json!({
        "DomainName": "logs",
        "EngineVersion": "OpenSearch_2.19",
        "ClusterConfig": {"InstanceType": "t3.small.search", "InstanceCount": 1},
        "EBSOptions": {"EBSEnabled": true, "VolumeType": "gp3", "VolumeSize": 10},
        "EncryptionAtRestOptions": {"Enabled": true},
        "NodeToNodeEncryptionOptions": {"Enabled": true},
        "DomainEndpointOptions": {"EnforceHTTPS": true, "TLSSecurityPolicy": "Policy-Min-TLS-1-2-2019-07"},
        "AccessPolicies": policy(&json!({"AWS": "arn:aws:iam::123456789012:root"})),
        "TagList": [{"Key": "ekk:stack", "Value": "logs"}],
    })
}

fn is_validation(answer: &(u16, Value)) -> bool {
    answer.0 == 400 && answer.1["code"] == "ValidationException"
}

#[test]
fn a_domain_is_created_in_stages_and_its_endpoint_comes_later() {
    let mut service = Service::with_stages();
    let (status, answer) = service.create(&json!({}));
    assert_eq!((status, &answer["DomainStatus"]["Processing"]), (200, &json!(true)));
    assert_eq!(answer["DomainStatus"].get("Endpoint"), None);
    service.pass(25);
    let progress = service.get(PROGRESS)["ChangeProgressStatus"].clone();
    assert_eq!((&progress["Status"], &progress["TotalNumberOfStages"]), (&json!("PROCESSING"), &json!(6)));
    let states: Vec<_> = progress["ChangeProgressStages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|stage| stage["Status"].as_str().unwrap())
        .collect();
    assert_eq!(states, ["COMPLETED", "COMPLETED", "IN_PROGRESS", "PENDING", "PENDING", "PENDING"]);
    assert_eq!(service.status()["DomainProcessingStatus"], "Creating");
    service.pass(36);
    let between = service.status();
    assert_eq!((&between["Processing"], between.get("Endpoint")), (&json!(false), None));
    service.pass(5);
    let ready = service.status();
    assert_eq!(ready["Endpoint"], "127.0.0.1:4599/domain/eu-west-1/logs");
    assert_eq!(service.get(PROGRESS)["ChangeProgressStatus"]["Status"], "COMPLETED");
}

#[test]
fn states_without_a_wait_are_shown_to_one_read_each() {
    let mut service = Service::new(Timing::instant());
    service.create(&json!({}));
    let first = service.status();
    assert_eq!((&first["Processing"], first.get("Endpoint")), (&json!(true), None));
    let second = service.status();
    assert_eq!((&second["Processing"], second.get("Endpoint")), (&json!(false), None));
    assert!(service.status().get("Endpoint").is_some());
    assert_eq!(service.ask_inside("GET", "/_dashboards/api/status", &Value::Null).0, 503);
    assert_eq!(service.ask_inside("GET", "/_dashboards/api/status", &Value::Null).0, 200);
    service.call("DELETE", DOMAIN, &Value::Null);
    assert_eq!(service.status()["DomainProcessingStatus"], "Deleting");
    assert_eq!(service.call("GET", DOMAIN, &Value::Null).0, 409);
}

#[test]
fn what_is_not_there_is_a_conflict() {
    let mut service = Service::with_stages();
    for (method, path) in [("GET", DOMAIN), ("DELETE", DOMAIN), ("GET", CONFIG), ("GET", PROGRESS)] {
        let (status, answer) = service.call(method, path, &Value::Null);
        assert_eq!((status, &answer["code"]), (409, &json!("ResourceNotFoundException")), "{method} {path}");
    }
    let (status, answer) =
        service.call("POST", "/2021-01-01/opensearch/domain-info", &json!({"DomainNames": ["logs"]}));
    assert_eq!((status, answer), (200, json!({"DomainStatusList": []})));
}

#[test]
fn creating_a_name_again_returns_the_domain_as_it_is() {
    let mut service = Service::ready();
    let (status, answer) =
        service.create(&json!({"ClusterConfig": {"InstanceType": "t3.medium.search", "InstanceCount": 2}}));
    assert_eq!(status, 200);
    assert_eq!(answer["DomainStatus"]["ClusterConfig"]["InstanceType"], "t3.small.search");
}

#[test]
fn a_name_is_taken_until_its_domain_is_gone() {
    let mut service = Service::ready();
    service.ask_inside("PUT", "/a/_doc/1", &json!({"x": 1}));
    assert_eq!(service.call("DELETE", DOMAIN, &Value::Null).1["DomainStatus"]["Deleted"], true);
    let refused = service.create(&json!({}));
    assert!(is_validation(&refused));
    assert_eq!(refused.1["message"], "Domain is still being deleted");
    assert_eq!(service.ask_inside("GET", "/a/_doc/1", &Value::Null).0, 503);
    service.pass(10);
    assert_eq!(service.create(&json!({})).0, 200);
    service.pass(100);
    assert_eq!(service.ask_inside("GET", "/a/_doc/1", &Value::Null).0, 404);
}

#[test]
fn the_service_adds_what_nobody_sent() {
    let mut service = Service::ready();
    let status = service.status();
    assert_eq!(
        status["AdvancedOptions"],
        json!({"override_main_response_version": "false", "rest.action.multi.allow_explicit_index": "true"})
    );
    assert_eq!(status["EBSOptions"]["Iops"], 3000);
    assert_eq!(status["AutoTuneOptions"]["State"], "DISABLED");
    assert!(status["EncryptionAtRestOptions"]["KmsKeyId"].as_str().unwrap().starts_with("arn:aws:kms:eu-west-1:"));
    let config = service.get(CONFIG)["DomainConfig"].clone();
    assert_eq!(config["EngineVersion"]["Options"], "OpenSearch_2.19");
    assert_eq!(config["OffPeakWindowOptions"]["Options"]["Enabled"], true);
}

#[test]
fn a_volume_takes_what_its_type_has() {
    let refused = |volumes: Value| {
        let (status, answer) = Service::with_stages().create(&json!({"EBSOptions": volumes}));
        assert_eq!((status, &answer["code"]), (400, &json!("ValidationException")), "{volumes}: {answer}");
        answer["message"].as_str().unwrap().to_owned()
    };
    let volumes = |kind: &str, more: Value| {
        let mut volumes = json!({"EBSEnabled": true, "VolumeType": kind, "VolumeSize": 10});
        volumes.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        volumes
    };
    let iops = "Iops is valid for gp3 and io1 volumes only, not for";
    let throughput = "Throughput is valid for gp3 volumes only, not for";
    assert_eq!(refused(volumes("gp2", json!({"Iops": 3000}))), format!("{iops} gp2"));
    assert_eq!(refused(volumes("standard", json!({"Iops": 3000}))), format!("{iops} standard"));
    assert_eq!(refused(volumes("gp2", json!({"Throughput": 125}))), format!("{throughput} gp2"));
    assert_eq!(refused(volumes("io1", json!({"Iops": 1000, "Throughput": 125}))), format!("{throughput} io1"));
    assert_eq!(refused(json!({"EBSEnabled": true, "VolumeSize": 10, "Throughput": 125})), format!("{throughput} gp2"));
    // What a domain has of an earlier type goes, and is no mistake of the request's.
    let mut service = Service::ready();
    let (status, answer) = service.update(&json!({"EBSOptions": volumes("gp2", json!({"Iops": null}))}));
    assert_eq!(status, 200, "{answer}");
    let options = &answer["DomainConfig"]["EBSOptions"]["Options"];
    assert_eq!(options, &json!({"EBSEnabled": true, "VolumeType": "gp2", "VolumeSize": 10}));
}

#[test]
fn an_instance_type_that_only_the_local_aws_does_not_know_is_told_as_such() {
    let cluster = json!({"InstanceType": "z9zz.large.search", "InstanceCount": 1});
    let (status, answer) = Service::with_stages().create(&json!({"ClusterConfig": cluster}));
    assert_eq!((status, &answer["code"]), (400, &json!("ValidationException")));
    let told = "the local AWS does not know the instance type 'z9zz.large.search' at 'clusterConfig.instanceType'";
    assert_eq!(answer["message"], told);
}

#[test]
fn a_request_inside_is_signed_for_the_domain_s_region() {
    let mut service = Service::ready();
    let headers = [
        ("x-amz-date", "20261123T120000Z"),
        (
            "authorization",
            "AWS4-HMAC-SHA256 Credential=AKIALOCAL/20261123/us-east-1/es/aws4_request, SignedHeaders=host, Signature=00",
        ),
    ];
    for path in ["/", "/_dashboards/api/status", "/_search"] {
        let (status, answer) = service.send(Signature::Missing, "GET", &format!("{INSIDE}{path}"), &headers, b"");
        assert_eq!((status, &answer["code"]), (403, &json!("InvalidSignatureException")), "{path}: {answer}");
        assert_eq!(answer["Message"], "Credential should be scoped to a valid region, not 'us-east-1'. ");
    }
    assert_eq!(service.ask_inside("GET", "/", &Value::Null).0, 200);
}

#[test]
fn what_aws_refuses_is_refused() {
    let with = |option: &str, value: Value| json!({option: value});
    let cluster = |value: Value| {
        let mut cluster = json!({"InstanceType": "m6g.large.search", "InstanceCount": 2});
        for (key, one) in value.as_object().unwrap() {
            cluster[key] = one.clone();
        }
        json!({"ClusterConfig": cluster})
    };
    for wrong in [
        with("DomainName", json!("lo")),
        with("DomainName", json!("Logs")),
        with("DomainName", json!("a-name-that-is-too-long-by-one")),
        with("EngineVersion", json!("OpenSearch_2.18")),
        with("EngineVersion", json!("Elasticsearch_6.8")),
        with("Foo", json!(1)),
        with("ClusterConfig", json!({"InstanceTyp": "t3.small.search"})),
        cluster(json!({"InstanceType": "m6g.large.elasticsearch"})),
        cluster(json!({"InstanceCount": 0})),
        cluster(json!({"InstanceCount": 11})),
        cluster(
            json!({"DedicatedMasterEnabled": true, "DedicatedMasterType": "m6g.large.search", "DedicatedMasterCount": 1}),
        ),
        cluster(
            json!({"DedicatedMasterEnabled": true, "DedicatedMasterType": "m6g.large.search", "DedicatedMasterCount": 4}),
        ),
        cluster(json!({"DedicatedMasterEnabled": true, "DedicatedMasterCount": 3})),
        cluster(json!({"ZoneAwarenessEnabled": true, "InstanceCount": 3})),
        cluster(json!({"ZoneAwarenessEnabled": true, "ZoneAwarenessConfig": {"AvailabilityZoneCount": 3}})),
        cluster(json!({"ZoneAwarenessEnabled": true, "ZoneAwarenessConfig": {"AvailabilityZoneCount": 4}})),
        cluster(json!({"MultiAZWithStandbyEnabled": true})),
        cluster(json!({"WarmEnabled": true, "WarmType": "ultrawarm1.medium.search", "WarmCount": 2})),
        with("EBSOptions", json!({"EBSEnabled": false})),
        with("EBSOptions", json!({"EBSEnabled": true, "VolumeSize": 9})),
        with("EBSOptions", json!({"EBSEnabled": true, "VolumeType": "gp3", "VolumeSize": 101})),
        with("EBSOptions", json!({"EBSEnabled": true, "VolumeType": "gp3", "VolumeSize": 10, "Iops": 100})),
        with("EBSOptions", json!({"EBSEnabled": true, "VolumeType": "gp4", "VolumeSize": 10})),
        with("ClusterConfig", json!({"InstanceType": "i3.large.search", "InstanceCount": 1})),
        with("DomainEndpointOptions", json!({"EnforceHTTPS": true, "TLSSecurityPolicy": "TLS-1-2"})),
        with("AdvancedOptions", json!({"foo": "bar"})),
        with("AutoTuneOptions", json!({"DesiredState": "ENABLED"})),
        with("OffPeakWindowOptions", json!({"Enabled": false})),
        with("VPCOptions", json!({"SubnetIds": ["subnet-1"]})),
        with("AdvancedSecurityOptions", json!({"Enabled": true})),
        with("TagList", json!([{"Key": "aws:x", "Value": "y"}])),
        with("AccessPolicies", json!(policy(&json!("*")))),
        with("AccessPolicies", json!(policy(&json!({"AWS": ["*"]})))),
    ] {
        let mut service = Service::with_stages();
        let answer = service.create(&wrong);
        assert!(is_validation(&answer), "{wrong} gave {answer:?}");
        assert_eq!(service.get("/2021-01-01/domain")["DomainNames"], json!([]));
    }
    let mut service = Service::with_stages();
    let (status, answer) =
        service.create(&with("AdvancedOptions", json!({"rest.action.multi.allow_explicit_index": true})));
    assert_eq!((status, &answer["code"]), (400, &json!("SerializationException")));
}

#[test]
fn fine_grained_access_needs_all_encryption_and_a_master_user() {
    let security =
        json!({"Enabled": true, "MasterUserOptions": {"MasterUserARN": "arn:aws:iam::123456789012:user/local"}});
    let mut service = Service::with_stages();
    let without = service
        .create(&json!({"AdvancedSecurityOptions": security, "NodeToNodeEncryptionOptions": {"Enabled": false}}));
    assert!(is_validation(&without));
    assert_eq!(service.create(&json!({"AdvancedSecurityOptions": security})).0, 200);
    service.pass(100);
    // The master user can only be written.
    assert_eq!(service.status()["AdvancedSecurityOptions"].get("MasterUserOptions"), None);
    assert_eq!(service.ask_inside("GET", "/", &Value::Null).0, 200);
    service.world.opensearch.domains.get_mut("eu-west-1/logs").unwrap().master_user = Some(json!({}));
    let (status, answer) = service.ask_inside("GET", "/", &Value::Null);
    assert_eq!((status, &answer["error"]["type"]), (403, &json!("security_exception")));
}

#[test]
fn a_policy_that_names_nobody_is_an_invalid_type() {
    for principal in [
        json!({"AWS": "arn:aws:iam::123456789012:role/missing"}),
        json!({"AWS": "arn:aws:iam::123456789012:user/missing"}),
        json!({"AWS": "arn:aws:iam::123456789012:role/*"}),
    ] {
        let mut service = Service::with_stages();
        let (status, answer) = service.create(&json!({"AccessPolicies": policy(&principal)}));
        assert_eq!((status, &answer["code"]), (409, &json!("InvalidTypeException")), "{principal}");
        assert!(answer["message"].as_str().unwrap().starts_with("Error setting policy"));
    }
    let mut service = Service::with_stages();
    assert_eq!(service.create(&json!({"AccessPolicies": "{"})).1["code"], "InvalidTypeException");
}

#[test]
fn an_account_in_a_policy_comes_back_as_its_root() {
    let mut service = Service::with_stages();
    service.create(&json!({"AccessPolicies": policy(&json!({"AWS": "123456789012"}))}));
    let stored: Value = serde_json::from_str(service.status()["AccessPolicies"].as_str().unwrap()).unwrap();
    assert_eq!(stored["Statement"][0]["Principal"]["AWS"], "arn:aws:iam::123456789012:root");
}

#[test]
fn an_update_waits_for_the_change_before() {
    let mut service = Service::with_stages();
    service.create(&json!({}));
    let grow = json!({"EBSOptions": {"VolumeSize": 20}});
    let refused = service.update(&grow);
    assert!(is_validation(&refused));
    assert!(refused.1["message"].as_str().unwrap().starts_with("A change/update is in progress."));
    service.pass(100);
    let (status, answer) = service.update(&grow);
    assert_eq!(status, 200);
    let volumes = &answer["DomainConfig"]["EBSOptions"];
    // What the request left out keeps its value.
    assert_eq!(
        volumes["Options"],
        json!({"EBSEnabled": true, "VolumeType": "gp3", "VolumeSize": 20, "Iops": 3000, "Throughput": 125})
    );
    assert_eq!(volumes["Status"]["State"], "Processing");
    assert_eq!(answer["DomainConfig"]["ClusterConfig"]["Status"]["State"], "Active");
    let status = service.status();
    assert_eq!(
        (&status["EBSOptions"]["VolumeSize"], &status["DomainProcessingStatus"]),
        (&json!(10), &json!("Modifying"))
    );
    assert_eq!(
        status["ModifyingProperties"],
        json!([{"Name": "EBSOptions.VolumeSize", "ActiveValue": "10", "PendingValue": "20", "ValueType": "PLAIN_TEXT"}])
    );
    assert!(is_validation(&service.update(&grow)));
    service.pass(100);
    assert_eq!(service.status()["EBSOptions"]["VolumeSize"], 20);
    assert_eq!(service.status()["ModifyingProperties"], json!([]));
    assert_eq!(service.get(CONFIG)["DomainConfig"]["EBSOptions"]["Status"]["UpdateVersion"], 2);
}

#[test]
fn an_update_without_a_change_changes_nothing() {
    let mut service = Service::ready();
    assert_eq!(service.update(&json!({"EBSOptions": {"VolumeSize": 10}})).0, 200);
    assert_eq!(service.status()["Processing"], false);
}

#[test]
fn a_key_and_some_instance_types_need_encryption_at_rest() {
    let off = json!({"Enabled": false});
    for wrong in [
        json!({"EncryptionAtRestOptions": {"Enabled": false, "KmsKeyId": "1234abcd-12ab-34cd-56ef-1234567890ab"}}),
        json!({"EncryptionAtRestOptions": off, "ClusterConfig": {"InstanceType": "or1.medium.search"}}),
    ] {
        assert!(is_validation(&Service::with_stages().create(&wrong)), "{wrong}");
    }
    assert_eq!(Service::with_stages().create(&json!({"EncryptionAtRestOptions": off})).0, 200);
}

#[test]
fn encryption_is_switched_on_by_a_second_cluster() {
    let mut service = Service::with_stages();
    let both = |enabled: bool| {
        json!({
            "EncryptionAtRestOptions": {"Enabled": enabled},
            "NodeToNodeEncryptionOptions": {"Enabled": enabled},
        })
    };
    assert_eq!(service.create(&both(false)).0, 200);
    service.pass(100);
    for option in ["EncryptionAtRestOptions", "NodeToNodeEncryptionOptions"] {
        let (status, answer) = service.update(&json!({option: {"Enabled": true}, "DryRun": true}));
        assert_eq!((status, &answer["DryRunResults"]["DeploymentType"]), (200, &json!("Blue/Green")), "{option}");
    }
    assert_eq!(service.update(&both(true)).0, 200);
    service.pass(100);
    assert_eq!(service.status()["NodeToNodeEncryptionOptions"], json!({"Enabled": true}));
    let (_, refused) = service.update(&both(false));
    assert_eq!(refused["message"], "Encryption at rest cannot be disabled once it is enabled");
}

#[test]
fn what_can_never_be_taken_back_is_refused() {
    let mut service = Service::ready();
    for wrong in [
        json!({"EncryptionAtRestOptions": {"Enabled": false}}),
        json!({"EncryptionAtRestOptions": {"KmsKeyId": "arn:aws:kms:eu-west-1:123456789012:key/another"}}),
        json!({"NodeToNodeEncryptionOptions": {"Enabled": false}}),
        json!({"EngineVersion": "OpenSearch_3.1"}),
        json!({"TagList": []}),
    ] {
        assert!(is_validation(&service.update(&wrong)), "{wrong}");
    }
}

#[test]
fn a_dry_run_tells_the_deployment_and_changes_nothing() {
    let mut service = Service::ready();
    for (change, deployment) in [
        (json!({"ClusterConfig": {"InstanceType": "t3.medium.search"}}), "Blue/Green"),
        (json!({"ClusterConfig": {"InstanceCount": 2}}), "Blue/Green"),
        (json!({"EBSOptions": {"VolumeSize": 20}}), "Blue/Green"),
        (json!({"DomainEndpointOptions": {"TLSSecurityPolicy": "Policy-Min-TLS-1-2-PFS-2023-10"}}), "DynamicUpdate"),
        (json!({"AccessPolicies": ""}), "DynamicUpdate"),
        (json!({"EBSOptions": {"VolumeSize": 10}}), "None"),
    ] {
        let mut body = change.clone();
        body["DryRun"] = json!(true);
        let (status, answer) = service.update(&body);
        assert_eq!((status, &answer["DryRunResults"]["DeploymentType"]), (200, &json!(deployment)), "{change}");
        assert_eq!(service.status()["Processing"], false);
    }
    service.update(&json!({"EBSOptions": {"VolumeSize": 20}}));
    let (_, busy) = service.update(&json!({"EBSOptions": {"VolumeSize": 30}, "DryRun": true}));
    assert_eq!(busy["DryRunResults"]["DeploymentType"], "Undetermined");
    assert!(is_validation(&service.update(&json!({"EBSOptions": {"VolumeSize": 900}, "DryRun": true}))));
}

#[test]
fn a_verbose_dry_run_is_validated_later() {
    let mut service = Service::ready();
    let dry_run = "/2021-01-01/opensearch/domain/logs/dryRun";
    assert_eq!(service.call("GET", dry_run, &Value::Null).0, 409);
    let failure = ValidationFailure { code: "RedCluster".to_owned(), message: "red".to_owned() };
    service.world.opensearch.failing_validations.insert("eu-west-1/logs".to_owned(), failure);
    let body = json!({"EBSOptions": {"VolumeSize": 20}, "DryRun": true, "DryRunMode": "Verbose"});
    let (_, answer) = service.update(&body);
    let id = answer["DryRunProgressStatus"]["DryRunId"].as_str().unwrap().to_owned();
    assert_eq!(answer["DryRunProgressStatus"]["DryRunStatus"], "in_progress");
    service.pass(10);
    let later = service.get(&format!("{dry_run}?dryRunId={id}&loadDryRunConfig=true"));
    assert_eq!(later["DryRunProgressStatus"]["DryRunStatus"], "failed");
    assert_eq!(later["DryRunProgressStatus"]["ValidationFailures"][0]["Code"], "RedCluster");
    assert_eq!(later["DryRunConfig"]["EBSOptions"]["VolumeSize"], 20);
}

#[test]
fn a_failed_validation_leaves_the_domain_in_processing_until_it_is_cancelled() {
    let mut service = Service::ready();
    let failure = ValidationFailure { code: "InsufficientInstanceCapacity".to_owned(), message: "no room".to_owned() };
    service.world.opensearch.failing_validations.insert("eu-west-1/logs".to_owned(), failure);
    service.update(&json!({"ClusterConfig": {"InstanceType": "t3.medium.search"}}));
    service.pass(10_000);
    let status = service.status();
    assert_eq!(
        (&status["Processing"], &status["ClusterConfig"]["InstanceType"]),
        (&json!(true), &json!("t3.small.search"))
    );
    assert_eq!(status["ChangeProgressDetails"]["ConfigChangeStatus"], "ValidationFailed");
    let progress = service.get(PROGRESS)["ChangeProgressStatus"].clone();
    assert_eq!(
        (&progress["Status"], &progress["ValidationFailures"][0]["Code"]),
        (&json!("FAILED"), &json!("InsufficientInstanceCapacity"))
    );
    assert!(is_validation(&service.update(&json!({"EBSOptions": {"VolumeSize": 20}}))));
    let cancel = format!("{CONFIG}/cancel");
    assert_eq!(service.call("POST", &cancel, &json!({"DryRun": true})).0, 200);
    assert_eq!(service.status()["Processing"], true);
    assert_eq!(
        service.call("POST", &cancel, &json!({})).1["CancelledChangeProperties"][0]["PropertyName"],
        "ClusterConfig.InstanceType"
    );
    assert_eq!(service.status()["Processing"], false);
    assert_eq!(service.call("POST", &cancel, &json!({})).1["code"], "DisabledOperationException");
    assert_eq!(service.update(&json!({"EBSOptions": {"VolumeSize": 20}})).0, 200);
}

#[test]
fn a_failed_creation_never_has_an_endpoint() {
    let mut service = Service::with_stages();
    let failure = ValidationFailure { code: "SubnetNotFound".to_owned(), message: "no such subnet".to_owned() };
    service.world.opensearch.failing_validations.insert("eu-west-1/logs".to_owned(), failure);
    service.create(&json!({}));
    service.pass(10_000);
    let status = service.status();
    assert_eq!((&status["Processing"], status.get("Endpoint")), (&json!(true), None));
    assert_eq!(service.call("DELETE", DOMAIN, &Value::Null).0, 200);
}

#[test]
fn tags_need_the_arn_and_there_are_few() {
    let mut service = Service::ready();
    let tags = format!("/2021-01-01/tags/?arn={ARN}");
    assert_eq!(service.get(&tags)["TagList"], json!([{"Key": "ekk:stack", "Value": "logs"}]));
    service.call("POST", "/2021-01-01/tags", &json!({"ARN": ARN, "TagList": [{"Key": "team", "Value": "a"}]}));
    service.call("POST", "/2021-01-01/tags-removal", &json!({"ARN": ARN, "TagKeys": ["ekk:stack"]}));
    assert_eq!(service.get(&tags)["TagList"], json!([{"Key": "team", "Value": "a"}]));
    let many: Vec<Value> = (0..10).map(|number| json!({"Key": number.to_string(), "Value": ""})).collect();
    let (status, answer) = service.call("POST", "/2021-01-01/tags", &json!({"ARN": ARN, "TagList": many}));
    assert_eq!((status, &answer["code"]), (409, &json!("LimitExceededException")));
    assert!(is_validation(&service.call("POST", "/2021-01-01/tags", &json!({"ARN": "arn:x", "TagList": []}))));
}

#[test]
fn an_upgrade_goes_through_its_check_and_its_steps() {
    let mut service = Service::ready();
    let upgrade = "/2021-01-01/opensearch/upgradeDomain";
    assert!(is_validation(&service.call(
        "POST",
        upgrade,
        &json!({"DomainName": "logs", "TargetVersion": "OpenSearch_2.17"})
    )));
    let to = json!({"DomainName": "logs", "TargetVersion": "OpenSearch_3.1", "PerformCheckOnly": true});
    assert_eq!(service.call("POST", upgrade, &to).0, 200);
    let state = "/2021-01-01/opensearch/upgradeDomain/logs/status";
    assert_eq!(service.get(state)["StepStatus"], "IN_PROGRESS");
    service.pass(10);
    assert_eq!(service.get(state)["StepStatus"], "SUCCEEDED");
    assert_eq!(service.status()["EngineVersion"], "OpenSearch_2.19");
    service.call("POST", upgrade, &json!({"DomainName": "logs", "TargetVersion": "OpenSearch_3.1"}));
    assert_eq!(service.status()["DomainProcessingStatus"], "UpgradingEngineVersion");
    service.pass(15);
    assert_eq!(service.get(state)["UpgradeStep"], "SNAPSHOT");
    service.pass(15);
    let status = service.status();
    assert_eq!((&status["EngineVersion"], &status["Processing"]), (&json!("OpenSearch_3.1"), &json!(false)));
    assert_eq!(status["AdvancedOptions"].get("override_main_response_version"), None);
    assert_eq!(service.get(&format!("{upgrade}/logs/history"))["UpgradeHistories"].as_array().unwrap().len(), 2);
    assert_eq!(
        service.get("/2021-01-01/opensearch/compatibleVersions?domainName=logs")["CompatibleVersions"][0]["TargetVersions"],
        json!(["OpenSearch_3.3", "OpenSearch_3.5"])
    );
}

#[test]
fn a_failed_upgrade_check_never_starts_the_upgrade() {
    let mut service = Service::ready();
    let failure = ValidationFailure { code: "RedCluster".to_owned(), message: "red".to_owned() };
    service.world.opensearch.failing_validations.insert("eu-west-1/logs".to_owned(), failure);
    service.call(
        "POST",
        "/2021-01-01/opensearch/upgradeDomain",
        &json!({"DomainName": "logs", "TargetVersion": "OpenSearch_3.1"}),
    );
    service.pass(100);
    assert_eq!(service.get("/2021-01-01/opensearch/upgradeDomain/logs/status")["StepStatus"], "FAILED");
    assert_eq!(service.status()["EngineVersion"], "OpenSearch_2.19");
}

#[test]
fn requests_inside_pass_the_domain_s_policy() {
    let mut service = Service::ready();
    assert_eq!(service.ask_inside("GET", "/", &Value::Null).1["version"]["distribution"], "opensearch");
    let (status, answer) = service.send(Signature::Missing, "GET", INSIDE, &[], b"");
    assert_eq!(status, 403);
    assert!(
        answer["Message"].as_str().unwrap().starts_with("User: anonymous is not authorized to perform: es:ESHttpGet")
    );
    let others = policy(&json!({"AWS": "arn:aws:iam::999999999999:root"}));
    service.update(&json!({"AccessPolicies": others}));
    service.pass(100);
    let (status, answer) = service.ask_inside("GET", "/", &Value::Null);
    assert_eq!(status, 403);
    assert!(
        answer["Message"].as_str().unwrap().starts_with("User: arn:aws:iam::123456789012:user/local is not authorized")
    );
}

#[test]
fn query_parameters_of_signed_posts_are_ignored() {
    let mut service = Service::ready();
    let pattern = "/_dashboards/api/saved_objects/index-pattern/x";
    let body = json!({"attributes": {"title": "a"}});
    assert_eq!(service.ask_inside("POST", pattern, &body).0, 200);
    assert_eq!(service.ask_inside("POST", &format!("{pattern}?overwrite=true"), &body).0, 409);
}

/// Asks the page for a browser, as a browser does.
fn browse(service: &mut Service, method: &str, path: &str, headers: &[(&str, &str)], body: &Value) -> (u16, Value) {
    let own =
        [("host", "127.0.0.1:4599"), ("content-type", "application/json"), ("osd-xsrf", "true"), ("kbn-xsrf", "true")];
    let named = |name: &str| headers.iter().any(|(sent, _)| *sent == name);
    let headers: Vec<_> = own.into_iter().filter(|(name, _)| !named(name)).chain(headers.iter().copied()).collect();
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let path = format!("/_dashboards/eu-west-1/logs{path}");
    service.send(Signature::Missing, method, &path, &headers, body.as_bytes())
}

const SEARCH: &str = "/internal/search/opensearch";

#[test]
fn the_page_is_for_browsers_of_this_machine_and_for_looking_only() {
    let mut service = Service::ready();
    let search = json!({"params": {"index": "logs", "body": {}}});
    let mut asked = |method: &str, path: &str, headers: &[(&str, &str)]| {
        let body = if method == "POST" { &search } else { &Value::Null };
        browse(&mut service, method, path, headers, body).0
    };
    assert_eq!(asked("GET", "", &[]), 302);
    assert_eq!(asked("GET", "/app/discover", &[]), 200);
    assert_eq!(asked("GET", "/stand-in/discover.js", &[("sec-fetch-site", "same-origin")]), 200);
    assert_eq!(asked("POST", SEARCH, &[("origin", "http://127.0.0.1:4599")]), 200);
    assert_eq!(asked("GET", "/app/discover", &[("host", "rebound.example.com:4599")]), 403);
    assert_eq!(asked("POST", SEARCH, &[("origin", "http://127.0.0.1:3000")]), 403);
    assert_eq!(asked("GET", "/stand-in/discover.js", &[("sec-fetch-site", "cross-site")]), 403);
    let pattern = "/api/saved_objects/index-pattern/x";
    for (method, path) in [("POST", pattern), ("PUT", pattern), ("DELETE", pattern)] {
        assert_eq!(asked(method, path, &[]), 405, "{method} {path}");
    }
    assert_eq!(asked("GET", "/_search", &[]), 404);
    // The domain's own address is as strict as ever.
    let own = format!("{INSIDE}/_dashboards/app/discover");
    assert_eq!(service.send(Signature::Missing, "GET", &own, &[], b"").0, 403);
    assert_eq!(service.send(Signature::Present, "GET", &own, &[], b"").0, 200);
}

#[test]
fn the_stand_in_searches_what_is_in_the_domain() {
    let mut service = Service::ready();
    let (status, _) = service.ask_inside("PUT", "/logs-1/_doc/1", &json!({"message": "hello", "n": 1}));
    assert_eq!(status, 201);
    service.pass(2);
    let search = |body: Value| json!({"params": {"index": "logs-*", "body": body}});
    let (status, answer) = browse(&mut service, "POST", SEARCH, &[], &search(json!({"size": 5})));
    assert_eq!((status, &answer["isRunning"]), (200, &json!(false)));
    assert_eq!(answer["rawResponse"]["hits"]["total"], json!({"value": 1, "relation": "eq"}));
    assert_eq!(answer["rawResponse"]["hits"]["hits"][0]["_source"]["message"], "hello");
    let (status, answer) = browse(&mut service, "POST", SEARCH, &[], &search(json!({"sort": ["message"]})));
    assert_eq!(status, 400);
    assert!(answer["message"].as_str().unwrap().starts_with("Text fields are not optimised"), "{answer}");
    let (status, answer) = browse(&mut service, "POST", SEARCH, &[("osd-xsrf", "")], &search(json!({"query": 1})));
    assert_eq!((status, &answer["statusCode"]), (400, &json!(400)));
    for wrong in [json!({}), json!({"params": {"index": "a/b", "body": {}}}), json!({"params": {"body": {}}})] {
        assert_eq!(browse(&mut service, "POST", SEARCH, &[], &wrong).0, 400, "{wrong}");
    }
}

#[test]
fn each_family_has_its_own_dashboards_path() {
    for (version, own, other) in [
        ("OpenSearch_2.19", "/_dashboards", "/_plugin/kibana"),
        ("Elasticsearch_7.10", "/_plugin/kibana", "/_dashboards"),
    ] {
        let mut service = Service::with_stages();
        service.create(&json!({"EngineVersion": version}));
        service.pass(66);
        assert_eq!(service.ask_inside("GET", &format!("{own}/api/status"), &Value::Null).0, 503);
        service.pass(5);
        assert_eq!(service.ask_inside("GET", &format!("{own}/api/status"), &Value::Null).0, 200);
        assert_eq!(service.ask_inside("GET", &format!("{other}/api/status"), &Value::Null).0, 404);
    }
}

#[test]
fn nobody_answers_where_no_domain_is_and_never_with_a_404() {
    let mut service = Service::with_stages();
    assert_eq!(service.ask_inside("GET", "/_index_template/x", &Value::Null).0, 503);
    service.create(&json!({}));
    service.pass(61);
    assert_eq!(service.ask_inside("GET", "/_index_template/x", &Value::Null).0, 503);
    service.pass(5);
    assert_eq!(service.ask_inside("GET", "/_index_template/x", &Value::Null).0, 404);
}

#[test]
fn a_body_of_more_than_ten_mebibytes_is_too_much_for_a_small_node() {
    let mut service = Service::ready();
    let body = vec![b' '; (10 << 20) + 1];
    let headers = [("content-type", "application/json")];
    assert_eq!(service.send(Signature::Present, "POST", &format!("{INSIDE}/_bulk"), &headers, &body).0, 413);
}

#[test]
fn lists_are_paged() {
    let mut service = Service::with_stages();
    let first = service.get("/2021-01-01/opensearch/versions?maxResults=2");
    assert_eq!(first["Versions"], json!(["OpenSearch_3.5", "OpenSearch_3.3"]));
    let next = service.get(&format!(
        "/2021-01-01/opensearch/versions?maxResults=1&nextToken={}",
        first["NextToken"].as_str().unwrap()
    ));
    assert_eq!(next["Versions"], json!(["OpenSearch_3.1"]));
    let limits = service.get("/2021-01-01/opensearch/instanceTypeLimits/OpenSearch_2.19/t3.small.search");
    assert_eq!(
        limits["LimitsByRole"]["data"]["StorageTypes"][1]["StorageTypeLimits"][1]["LimitValues"],
        json!(["100"])
    );
    let details =
        service.get("/2021-01-01/opensearch/instanceTypeDetails/OpenSearch_2.19?instanceType=t3.small.search");
    assert_eq!(details["InstanceTypeDetails"].as_array().unwrap().len(), 1);
}
