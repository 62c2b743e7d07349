//! The options of a domain: what a request may say, what the service adds unasked, and what it refuses.

use serde_json::{Map, Value, json};

use super::instance_types::{InstanceType, Storage};
use crate::{
    engine::{EngineVersion, Family},
    policy_document::{self, Kind},
    response::Failure,
    world::{Context, World, partition},
};

/// The options of a domain by their names, each complete.
pub(crate) type Options = Map<String, Value>;

/// Where a domain is, for what follows from it.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) region: &'a str,
    pub(crate) version: EngineVersion,
}

/// The options that a domain of the emulator can have.
const KNOWN: [&str; 20] = [
    "ClusterConfig",
    "EBSOptions",
    "AccessPolicies",
    "IPAddressType",
    "SnapshotOptions",
    "VPCOptions",
    "CognitoOptions",
    "EncryptionAtRestOptions",
    "NodeToNodeEncryptionOptions",
    "AdvancedOptions",
    "LogPublishingOptions",
    "DomainEndpointOptions",
    "AdvancedSecurityOptions",
    "AutoTuneOptions",
    "OffPeakWindowOptions",
    "SoftwareUpdateOptions",
    "DeploymentStrategyOptions",
    "IdentityCenterOptions",
    "AIMLOptions",
    "AutomatedSnapshotPauseOptions",
];

pub(crate) fn refuse<T>(message: impl Into<String>) -> Result<T, Failure> {
    Err(Failure::new(400, "ValidationException", message))
}

/// The options of a request, with everything else of the request left out. What the emulator does not have is refused.
pub(crate) fn read(body: &Map<String, Value>, beside: &[&str]) -> Result<Options, Failure> {
    let given = body.iter().filter(|(key, value)| !beside.contains(&key.as_str()) && !value.is_null());
    given
        .map(|(key, value)| {
            if KNOWN.contains(&key.as_str()) {
                Ok((key.clone(), value.clone()))
            } else {
                refuse(format!("the local AWS does not support {key}"))
            }
        })
        .collect()
}

/// Lays a request over the options of a domain: what a request leaves out keeps its value, member by member.
pub(crate) fn merge(options: &mut Options, request: &Options) {
    for (name, value) in request {
        match (options.get_mut(name), value) {
            (Some(Value::Object(old)), Value::Object(new)) => {
                old.extend(new.iter().map(|(key, value)| (key.clone(), value.clone())));
            }
            _ => {
                options.insert(name.clone(), value.clone());
            }
        }
    }
}

/// Refuses what a request says of a volume whose type has no such thing. What a domain keeps of an earlier type goes with it.
pub(crate) fn check_volume(options: &Options, request: &Options) -> Result<(), Failure> {
    let member = |options: &Options, name: &str| {
        options.get("EBSOptions").and_then(|volumes| volumes.get(name)).filter(|value| !value.is_null()).cloned()
    };
    let kind = member(options, "VolumeType").unwrap_or_else(|| json!("gp2"));
    let kind = kind.as_str().unwrap_or_default();
    for (name, kinds) in [("Iops", &["gp3", "io1"][..]), ("Throughput", &["gp3"])] {
        if member(request, name).is_some() && !kinds.contains(&kind) {
            return refuse(format!("{name} is valid for {} volumes only, not for {kind}", kinds.join(" and ")));
        }
    }
    Ok(())
}

/// What every domain starts with.
pub(crate) fn defaults(version: EngineVersion) -> Options {
    let mut advanced = json!({"rest.action.multi.allow_explicit_index": "true"});
    // The setting is gone in OpenSearch 3.0 (release notes).
    if version.family == Family::OpenSearch && version.major < 3 {
        advanced["override_main_response_version"] = json!("false");
    }
    let defaults = json!({
        "ClusterConfig": {
            "InstanceType": "m5.large.search",
            "InstanceCount": 1,
            "DedicatedMasterEnabled": false,
            "ZoneAwarenessEnabled": false,
            "WarmEnabled": false,
            "ColdStorageOptions": {"Enabled": false},
            "MultiAZWithStandbyEnabled": false,
        },
        "EBSOptions": {"EBSEnabled": false},
        "AccessPolicies": "",
        "IPAddressType": "ipv4",
        "SnapshotOptions": {"AutomatedSnapshotStartHour": 0},
        "CognitoOptions": {"Enabled": false},
        "EncryptionAtRestOptions": {"Enabled": false},
        "NodeToNodeEncryptionOptions": {"Enabled": false},
        "AdvancedOptions": advanced,
        "DomainEndpointOptions": {
            "EnforceHTTPS": false,
            "TLSSecurityPolicy": "Policy-Min-TLS-1-0-2019-07",
            "CustomEndpointEnabled": false,
        },
        "AdvancedSecurityOptions": {
            "Enabled": false, "InternalUserDatabaseEnabled": false, "AnonymousAuthEnabled": false
        },
        "OffPeakWindowOptions": {
            "Enabled": true, "OffPeakWindow": {"WindowStartTime": {"Hours": 22, "Minutes": 0}}
        },
        "SoftwareUpdateOptions": {
            "AutoSoftwareUpdateEnabled": false, "UseLatestServiceSoftwareForBlueGreen": false
        },
    });
    match defaults {
        Value::Object(defaults) => defaults,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Options::new(),
    }
}

/// Checks complete options and fills in what follows from them.
pub(crate) fn complete(
    world: &World,
    context: &Context<'_>,
    place: Place<'_>,
    options: &mut Options,
) -> Result<(), Failure> {
    for unsupported in ["IdentityCenterOptions", "AIMLOptions", "AutomatedSnapshotPauseOptions"] {
        if options.contains_key(unsupported) {
            return refuse(format!("the local AWS does not support {unsupported}"));
        }
    }
    complete_cluster(options)?;
    complete_volumes(options)?;
    check_encryption(context, place, options)?;
    check_security(place, options)?;
    check_endpoint(options)?;
    check_advanced_options(place, options)?;
    check_network(world, options)?;
    check_logs(options)?;
    complete_auto_tune(options)?;
    check_windows(options)?;
    if on(options, "CognitoOptions", "Enabled") {
        return refuse("the local AWS does not support CognitoOptions");
    }
    complete_policy(world, context, place, options)
}

fn complete_cluster(options: &mut Options) -> Result<(), Failure> {
    let Some(cluster) = options.get_mut("ClusterConfig").and_then(Value::as_object_mut) else {
        return refuse("ClusterConfig is missing");
    };
    let instance_type = known_type(cluster, "InstanceType", "clusterConfig.instanceType")?;
    let count = number(cluster, "InstanceCount")?.unwrap_or(1);
    if !(1..=80).contains(&count) {
        return refuse(format!("Instance count must be between 1 and 80, but was {count}"));
    }
    let masters = flag(cluster, "DedicatedMasterEnabled")?;
    if masters {
        let master_type = known_type(cluster, "DedicatedMasterType", "clusterConfig.dedicatedMasterType")?;
        match number(cluster, "DedicatedMasterCount")? {
            Some(3 | 5) => {}
            Some(_) | None => {
                return refuse("You must choose either three or five dedicated master nodes");
            }
        }
        if InstanceType::read(&master_type).is_some_and(InstanceType::is_burstable) && count > 10 {
            return refuse("T2 and T3 instance types can be dedicated masters of at most ten data nodes");
        }
    } else {
        cluster.remove("DedicatedMasterType");
        cluster.remove("DedicatedMasterCount");
        if count > 10 {
            return refuse("Dedicated master nodes are required for more than ten data nodes");
        }
    }
    if flag(cluster, "ZoneAwarenessEnabled")? {
        let zones = cluster
            .entry("ZoneAwarenessConfig")
            .or_insert_with(|| json!({}))
            .as_object_mut()
            .map(|config| config.entry("AvailabilityZoneCount").or_insert(json!(2)).clone());
        match zones.as_ref().and_then(Value::as_i64) {
            Some(2) if count % 2 == 0 => {}
            Some(2) => {
                return refuse("You must choose an even number of data nodes for a two Availability Zone deployment");
            }
            Some(3) if count >= 3 => {}
            Some(3) => {
                return refuse(
                    "You must choose a minimum of three data nodes for a three Availability Zone deployment",
                );
            }
            Some(_) | None => return refuse("AvailabilityZoneCount must be 2 or 3"),
        }
    } else {
        cluster.remove("ZoneAwarenessConfig");
    }
    let burstable = InstanceType::read(&instance_type).is_some_and(InstanceType::is_burstable);
    if flag(cluster, "MultiAZWithStandbyEnabled")? {
        let zones = cluster.get("ZoneAwarenessConfig").and_then(|config| config.get("AvailabilityZoneCount"));
        if !masters || zones != Some(&json!(3)) || count % 3 != 0 || burstable {
            return refuse(
                "Multi-AZ with Standby needs three Availability Zones, dedicated master nodes, data nodes in \
                 multiples of three, and no T2 or T3 instance types",
            );
        }
    }
    if flag(cluster, "WarmEnabled")? {
        if !masters || burstable {
            return refuse("UltraWarm needs dedicated master nodes and no T2 or T3 data nodes");
        }
        let kind = cluster.get("WarmType").and_then(Value::as_str).unwrap_or_default();
        if !["ultrawarm1.medium.search", "ultrawarm1.large.search", "ultrawarm1.xlarge.search"].contains(&kind) {
            return refuse(format!("Invalid UltraWarm instance type {kind:?}"));
        }
        if number(cluster, "WarmCount")?.is_none_or(|count| !(2..=150).contains(&count)) {
            return refuse("WarmCount must be between 2 and 150");
        }
    } else {
        cluster.remove("WarmType");
        cluster.remove("WarmCount");
        let cold = cluster.get("ColdStorageOptions").and_then(|cold| cold.get("Enabled"));
        if cold == Some(&json!(true)) {
            return refuse("Cold storage requires UltraWarm");
        }
    }
    if cluster.get("NodeOptions").and_then(Value::as_array).is_some_and(|nodes| !nodes.is_empty()) {
        return refuse("the local AWS does not support ClusterConfig.NodeOptions");
    }
    Ok(())
}

fn complete_volumes(options: &mut Options) -> Result<(), Failure> {
    let instance_type = instance_type(options);
    let Some(storage) = InstanceType::read(&instance_type).and_then(InstanceType::storage) else {
        return refuse(format!("Invalid instance type: {instance_type}"));
    };
    let Some(volumes) = options.get_mut("EBSOptions").and_then(Value::as_object_mut) else {
        return refuse("EBSOptions is missing");
    };
    let enabled = flag(volumes, "EBSEnabled")?;
    let (gp2, gp3) = match (storage, enabled) {
        (Storage::OwnDisks, true) => {
            return refuse(format!("EBS volumes are not supported for the instance type {instance_type}"));
        }
        (Storage::Volume { .. }, false) => {
            return refuse(format!("EBS storage must be selected for the instance type {instance_type}"));
        }
        (Storage::OwnDisks, false) => {
            volumes.retain(|key, _| key == "EBSEnabled");
            return Ok(());
        }
        (Storage::Volume { gp2, gp3 }, true) => (gp2, gp3),
    };
    let kind = volumes.entry("VolumeType").or_insert(json!("gp2")).as_str().unwrap_or_default().to_owned();
    let most = match kind.as_str() {
        "gp3" => gp3,
        "standard" => gp2.min(100),
        "gp2" | "io1" => gp2,
        other => return refuse(format!("Invalid EBS volume type: {other}")),
    };
    let size = number(volumes, "VolumeSize")?.unwrap_or(10);
    let most_signed = i64::try_from(most).unwrap_or(i64::MAX);
    if !(10..=most_signed).contains(&size) {
        return refuse(format!(
            "Volume size must be between 10 and {most} for {kind} volumes on {instance_type}, but was {size}"
        ));
    }
    volumes.insert("VolumeSize".to_owned(), json!(size));
    match (kind.as_str(), number(volumes, "Iops")?) {
        ("gp3", iops) => {
            let iops = iops.unwrap_or(3_000);
            if !(3_000..=16_000).contains(&iops) {
                return refuse(format!("Iops must be between 3000 and 16000 for gp3 volumes, but was {iops}"));
            }
            volumes.insert("Iops".to_owned(), json!(iops));
        }
        ("io1", Some(1_000..=16_000)) => {}
        ("io1", _) => return refuse("Iops must be between 1000 and 16000 for io1 volumes"),
        (_, _) => {
            volumes.remove("Iops");
        }
    }
    if kind == "gp3" {
        let throughput = number(volumes, "Throughput")?.unwrap_or(125);
        if !(125..=1_000).contains(&throughput) {
            return refuse(format!("Throughput must be between 125 and 1000, but was {throughput}"));
        }
        volumes.insert("Throughput".to_owned(), json!(throughput));
    } else {
        volumes.remove("Throughput");
    }
    Ok(())
}

fn check_encryption(context: &Context<'_>, place: Place<'_>, options: &mut Options) -> Result<(), Failure> {
    let instance_type = instance_type(options);
    let Some(encryption) = options.get_mut("EncryptionAtRestOptions").and_then(Value::as_object_mut) else {
        return refuse("EncryptionAtRestOptions is missing");
    };
    let instance = InstanceType::read(&instance_type);
    if !flag(encryption, "Enabled")? {
        if encryption.get("KmsKeyId").is_some_and(|key| !key.is_null()) {
            return refuse("KmsKeyId needs encryption at rest");
        }
        if instance.is_some_and(InstanceType::must_encrypt) {
            return refuse(format!("The instance type {instance_type} needs encryption at rest"));
        }
        return Ok(());
    }
    if !instance.is_some_and(InstanceType::can_encrypt) {
        return refuse(format!("Encryption at rest is not supported for the instance type {instance_type}"));
    }
    let Place { region, version: _ } = place;
    // Without a key of the request's the service's own key stands in the answer.
    let own = context.arn("kms", region, "key/00000000-0000-4000-8000-00000000aa00");
    let key = encryption.entry("KmsKeyId").or_insert_with(|| json!(own));
    let key = key.as_str().unwrap_or_default().to_owned();
    if !key.starts_with("arn:") {
        encryption.insert("KmsKeyId".to_owned(), json!(context.arn("kms", region, &format!("key/{key}"))));
    }
    Ok(())
}

fn check_security(place: Place<'_>, options: &mut Options) -> Result<(), Failure> {
    let encrypted = on(options, "EncryptionAtRestOptions", "Enabled");
    let between_nodes = on(options, "NodeToNodeEncryptionOptions", "Enabled");
    let https = on(options, "DomainEndpointOptions", "EnforceHTTPS");
    let Some(security) = options.get_mut("AdvancedSecurityOptions").and_then(Value::as_object_mut) else {
        return refuse("AdvancedSecurityOptions is missing");
    };
    for unsupported in ["SAMLOptions", "JWTOptions", "IAMFederationOptions"] {
        if security.get(unsupported).is_some_and(|value| value.get("Enabled") == Some(&json!(true))) {
            return refuse(format!("the local AWS does not support AdvancedSecurityOptions.{unsupported}"));
        }
    }
    if !flag(security, "Enabled")? {
        return Ok(());
    }
    let Place { region: _, version } = place;
    if version.family == Family::Elasticsearch && (version.major, version.minor) < (6, 7) {
        return refuse("Fine-grained access control needs OpenSearch or Elasticsearch 6.7 or later");
    }
    if !encrypted || !between_nodes || !https {
        return refuse(
            "You must enable node-to-node encryption, encryption at rest and HTTPS for fine-grained access control",
        );
    }
    Ok(())
}

/// Checks the master user, who is kept apart from the options because no answer ever names him.
pub(crate) fn check_master_user(security: &Map<String, Value>) -> Result<(), Failure> {
    let master = security.get("MasterUserOptions");
    let says = |key: &str| master.and_then(|master| master.get(key)).and_then(Value::as_str);
    if security.get("InternalUserDatabaseEnabled") == Some(&json!(true)) {
        let name_fits = says("MasterUserName").is_some_and(|name| (1..=64).contains(&name.chars().count()));
        let password_fits = says("MasterUserPassword").is_some_and(|password| {
            (8..=128).contains(&password.chars().count())
                && password.chars().any(char::is_uppercase)
                && password.chars().any(char::is_lowercase)
                && password.chars().any(|one| one.is_ascii_digit())
                && password.chars().any(|one| !one.is_alphanumeric())
        });
        if !name_fits || !password_fits {
            return refuse(
                "The master user needs a name, and a password of at least 8 characters with upper-case and \
                 lower-case letters, a number and a special character",
            );
        }
    } else if says("MasterUserARN").is_none() {
        return refuse("You must provide a master user ARN, or enable the internal user database");
    }
    Ok(())
}

fn check_endpoint(options: &Options) -> Result<(), Failure> {
    let says = |key: &str| options.get("DomainEndpointOptions").and_then(|one| one.get(key));
    if says("CustomEndpointEnabled") == Some(&json!(true)) {
        return refuse("the local AWS does not support DomainEndpointOptions.CustomEndpoint");
    }
    Ok(())
}

fn check_advanced_options(place: Place<'_>, options: &Options) -> Result<(), Failure> {
    let Place { region: _, version } = place;
    for key in options.get("AdvancedOptions").and_then(Value::as_object).into_iter().flat_map(Map::keys) {
        let known = match key.as_str() {
            "rest.action.multi.allow_explicit_index"
            | "indices.fielddata.cache.size"
            | "indices.query.bool.max_clause_count" => true,
            "override_main_response_version" => version.family == Family::OpenSearch && version.major < 3,
            _ => false,
        };
        if !known {
            return refuse(format!("Unrecognized advanced option '{key}' passed in advanced-options-map"));
        }
    }
    Ok(())
}

fn check_network(world: &World, options: &Options) -> Result<(), Failure> {
    let Some(network) = options.get("VPCOptions") else {
        return Ok(());
    };
    if world.iam.role("AWSServiceRoleForAmazonOpenSearchService").is_none() {
        return refuse(
            "Before you can proceed, you must enable a service-linked role to give Amazon OpenSearch Service \
             permissions to access your VPC.",
        );
    }
    let subnets = network.get("SubnetIds").and_then(Value::as_array).map_or(0, Vec::len);
    let zones = options
        .get("ClusterConfig")
        .and_then(|cluster| cluster.get("ZoneAwarenessConfig")?.get("AvailabilityZoneCount")?.as_u64())
        .unwrap_or(1);
    if subnets as u64 != zones {
        return refuse(format!("You must specify exactly {zones} subnets, one for each Availability Zone"));
    }
    Ok(())
}

fn check_logs(options: &Options) -> Result<(), Failure> {
    let publishing = options.get("LogPublishingOptions").and_then(Value::as_object).into_iter().flatten();
    for (_, option) in publishing {
        if option.get("Enabled") == Some(&json!(true)) {
            // The resource policy that this needs cannot be made in the emulator's CloudWatch Logs.
            return refuse(format!(
                "The Resource Access Policy specified for the CloudWatch Logs log group {} does not grant sufficient \
                 permissions for Amazon OpenSearch Service to create a log stream. Please check the Resource Access \
                 Policy.",
                option.get("CloudWatchLogsLogGroupArn").and_then(Value::as_str).unwrap_or_default()
            ));
        }
    }
    Ok(())
}

fn complete_auto_tune(options: &mut Options) -> Result<(), Failure> {
    let burstable = InstanceType::read(&instance_type(options)).is_some_and(InstanceType::is_burstable);
    let standby = on(options, "ClusterConfig", "MultiAZWithStandbyEnabled");
    let own = if burstable { "DISABLED" } else { "ENABLED" };
    let tune =
        options.entry("AutoTuneOptions").or_insert_with(|| json!({"DesiredState": own, "UseOffPeakWindow": false}));
    match tune.get("DesiredState").and_then(Value::as_str) {
        Some("ENABLED") if burstable => refuse("Auto-Tune is not supported in t2/t3 instances"),
        Some("DISABLED") if standby => refuse("Multi-AZ with Standby needs Auto-Tune"),
        Some(_) => Ok(()),
        None => {
            tune["DesiredState"] = json!(own);
            Ok(())
        }
    }
}

fn check_windows(options: &Options) -> Result<(), Failure> {
    let hour = options.get("SnapshotOptions").and_then(|one| one.get("AutomatedSnapshotStartHour"));
    if hour.and_then(Value::as_i64).is_none_or(|hour| !(0..=23).contains(&hour)) {
        return refuse("AutomatedSnapshotStartHour must be between 0 and 23");
    }
    let Some(window) = options.get("OffPeakWindowOptions") else {
        return Ok(());
    };
    if window.get("Enabled") == Some(&json!(false)) {
        return refuse("The off-peak window cannot be disabled on domains created after February 16, 2023");
    }
    let start = |key: &str, most: i64| {
        window
            .get("OffPeakWindow")
            .and_then(|window| window.get("WindowStartTime"))
            .is_none_or(|start| start.get(key).and_then(Value::as_i64).is_some_and(|one| (0..=most).contains(&one)))
    };
    if start("Hours", 23) && start("Minutes", 59) { Ok(()) } else { refuse("Invalid off-peak window start time") }
}

/// Checks the access policy and writes it as the service gives it back.
fn complete_policy(
    world: &World,
    context: &Context<'_>,
    place: Place<'_>,
    options: &mut Options,
) -> Result<(), Failure> {
    let written = options.get("AccessPolicies").and_then(Value::as_str).unwrap_or_default().to_owned();
    if written.trim().is_empty() {
        options.insert("AccessPolicies".to_owned(), json!(""));
        return Ok(());
    }
    let wrong = || Failure::new(409, "InvalidTypeException", format!("Error setting policy: [{written}]"));
    policy_document::check(&written, Kind::Resource).map_err(|_| wrong())?;
    let mut document: Value = serde_json::from_str(&written).map_err(|_| wrong())?;
    let guarded = on(options, "AdvancedSecurityOptions", "Enabled") || options.contains_key("VPCOptions");
    let statements = match document.get_mut("Statement") {
        Some(Value::Array(statements)) => statements.iter_mut().collect(),
        Some(statement) => vec![statement],
        None => Vec::new(),
    };
    for statement in statements {
        if statement.get("NotPrincipal").is_some() {
            return Err(wrong());
        }
        let mut open = statement.get("Principal") == Some(&json!("*"));
        if let Some(principals) = statement.get_mut("Principal").and_then(|kinds| kinds.get_mut("AWS")) {
            let names = match principals {
                Value::Array(names) => names.iter_mut().collect(),
                one => vec![one],
            };
            for name in names {
                let text = name.as_str().unwrap_or_default().to_owned();
                open |= text == "*";
                if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
                    *name = json!(format!("arn:{}:iam::{text}:root", partition(place.region)));
                } else if text != "*" && !principal_exists(world, context, place.region, &text) {
                    return Err(wrong());
                }
            }
        }
        let conditioned = statement.get("Condition").and_then(Value::as_object).is_some_and(|one| !one.is_empty());
        if open && !conditioned && !guarded && statement["Effect"] == "Allow" {
            return refuse("Apply a restrictive access policy to your domain");
        }
    }
    options.insert("AccessPolicies".to_owned(), json!(document.to_string()));
    Ok(())
}

/// Whether a principal exists, as far as the service finds out: those of other accounts are taken on trust.
fn principal_exists(world: &World, context: &Context<'_>, region: &str, arn: &str) -> bool {
    let own = format!("arn:{}:iam::{}:", partition(region), context.account);
    match arn.strip_prefix(&own) {
        Some("root") => true,
        Some(rest) if rest.starts_with("user/") => arn == context.caller_arn(region),
        Some(rest) => match rest.strip_prefix("role/") {
            Some(path) => {
                let name = path.rsplit('/').next().unwrap_or(path);
                world.iam.role(name).is_some_and(|role| role.arn == arn)
            }
            None => false,
        },
        None => arn.starts_with("arn:") && arn.contains(":iam::") && !arn.contains('*'),
    }
}

/// What can never be changed back.
pub(crate) fn check_transition(before: &Options, after: &Options) -> Result<(), Failure> {
    for (option, what) in [
        ("EncryptionAtRestOptions", "Encryption at rest"),
        ("NodeToNodeEncryptionOptions", "Node-to-node encryption"),
        ("AdvancedSecurityOptions", "Fine-grained access control"),
    ] {
        if on(before, option, "Enabled") && !on(after, option, "Enabled") {
            return refuse(format!("{what} cannot be disabled once it is enabled"));
        }
    }
    let key = |options: &Options| options.get("EncryptionAtRestOptions").and_then(|one| one.get("KmsKeyId")).cloned();
    if key(before).is_some() && key(before) != key(after) {
        return refuse("The KMS key of encryption at rest cannot be changed");
    }
    if before.contains_key("VPCOptions") != after.contains_key("VPCOptions") {
        return refuse("A domain cannot be moved between a VPC and a public endpoint");
    }
    if before.get("IPAddressType") == Some(&json!("dualstack"))
        && after.get("IPAddressType") != before.get("IPAddressType")
    {
        return refuse("A dual-stack domain cannot be moved back to IPv4");
    }
    Ok(())
}

/// How a change is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deployment {
    None,
    DynamicUpdate,
    BlueGreen,
}

impl Deployment {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "None",
            Self::DynamicUpdate => "DynamicUpdate",
            Self::BlueGreen => "Blue/Green",
        }
    }

    pub(crate) fn message(self) -> &'static str {
        match self {
            Self::None => "This request doesn't include any configuration changes.",
            Self::DynamicUpdate => "This change doesn't require a blue/green deployment.",
            Self::BlueGreen => "This change will require a blue/green deployment.",
        }
    }
}

/// How a change is carried out (OpenSearch Service guide, configuration changes).
pub(crate) fn deployment(before: &Options, after: &Options) -> Deployment {
    let changed = changes(before, after);
    if changed.is_empty() {
        return Deployment::None;
    }
    let masters =
        on(before, "ClusterConfig", "DedicatedMasterEnabled") && on(after, "ClusterConfig", "DedicatedMasterEnabled");
    let in_place = changed.iter().all(|change| match change.name.as_str() {
        "ClusterConfig.InstanceCount" | "ClusterConfig.WarmCount" => masters,
        name => {
            let option = name.split('.').next().unwrap_or(name);
            let switched = name == "AdvancedSecurityOptions.Enabled";
            !switched
                && ![
                    "ClusterConfig",
                    "EBSOptions",
                    "VPCOptions",
                    "EncryptionAtRestOptions",
                    "NodeToNodeEncryptionOptions",
                    "CognitoOptions",
                    "AdvancedOptions",
                    "IPAddressType",
                ]
                .contains(&option)
        }
    });
    if in_place { Deployment::DynamicUpdate } else { Deployment::BlueGreen }
}

/// A member of an option that differs.
#[derive(Clone, Debug)]
pub(crate) struct Changed {
    pub(crate) name: String,
    pub(crate) before: Value,
    pub(crate) after: Value,
}

/// What differs between two sets of options, member by member.
pub(crate) fn changes(before: &Options, after: &Options) -> Vec<Changed> {
    let mut found = Vec::new();
    for name in before.keys().chain(after.keys().filter(|name| !before.contains_key(*name))) {
        let (old, new) = (before.get(name).unwrap_or(&Value::Null), after.get(name).unwrap_or(&Value::Null));
        match (old, new) {
            // Names of advanced options hold dots themselves.
            (Value::Object(old), Value::Object(new)) if name != "AdvancedOptions" => {
                for key in old.keys().chain(new.keys().filter(|key| !old.contains_key(*key))) {
                    let (old, new) = (old.get(key).unwrap_or(&Value::Null), new.get(key).unwrap_or(&Value::Null));
                    if old != new {
                        found.push(Changed { name: format!("{name}.{key}"), before: old.clone(), after: new.clone() });
                    }
                }
            }
            (old, new) if old != new => {
                found.push(Changed { name: name.clone(), before: old.clone(), after: new.clone() });
            }
            (_, _) => {}
        }
    }
    found
}

/// Whether a flag of an option is on.
pub(crate) fn on(options: &Options, option: &str, member: &str) -> bool {
    options.get(option).and_then(|value| value.get(member)) == Some(&json!(true))
}

/// The instance type of the data nodes.
pub(crate) fn instance_type(options: &Options) -> String {
    options
        .get("ClusterConfig")
        .and_then(|cluster| cluster.get("InstanceType")?.as_str())
        .unwrap_or_default()
        .to_owned()
}

fn known_type(cluster: &Map<String, Value>, key: &str, path: &str) -> Result<String, Failure> {
    let name = cluster.get(key).and_then(Value::as_str).unwrap_or_default();
    if InstanceType::read(name).is_none() {
        // AWS may have it by now: its own words for a wrong value would send the reader after a mistake that is none.
        return refuse(format!("the local AWS does not know the instance type '{name}' at '{path}'"));
    }
    Ok(name.to_owned())
}

fn flag(object: &Map<String, Value>, key: &str) -> Result<bool, Failure> {
    match object.get(key) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(value)) => Ok(*value),
        Some(_) => refuse(format!("Invalid type for parameter {key}")),
    }
}

fn number(object: &Map<String, Value>, key: &str) -> Result<Option<i64>, Failure> {
    match object.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_i64() {
            Some(number) => Ok(Some(number)),
            None => refuse(format!("Invalid type for parameter {key}")),
        },
    }
}
