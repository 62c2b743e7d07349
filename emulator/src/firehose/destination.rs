//! The OpenSearch destination of a stream: what a request may say, the service's defaults, and the merge of an update.

use serde_json::{Map, Value, json};

use super::naming::check_prefixes;
use crate::{
    iam::{self, Permit},
    opensearch,
    response::Failure,
    world::{Context, World},
};

/// A destination as DescribeDeliveryStream gives it.
pub(crate) type Destination = Map<String, Value>;

pub(crate) fn invalid<T>(message: impl Into<String>) -> Result<T, Failure> {
    Err(Failure::new(400, "InvalidArgumentException", message))
}

/// Reads the configuration of a new stream and fills in the service's defaults.
pub(crate) fn create(written: &Map<String, Value>) -> Result<Destination, Failure> {
    let defaults = json!({
        "TypeName": "",
        "IndexRotationPeriod": "OneDay",
        "BufferingHints": {"IntervalInSeconds": 300, "SizeInMBs": 5},
        "RetryOptions": {"DurationInSeconds": 300},
        "S3BackupMode": "FailedDocumentsOnly",
        "ProcessingConfiguration": {"Enabled": false, "Processors": []},
        "CloudWatchLoggingOptions": {"Enabled": false},
        "DocumentIdOptions": {"DefaultDocumentIdFormat": "FIREHOSE_DEFAULT"},
    });
    let mut destination = defaults.as_object().cloned().unwrap_or_default();
    let mut own = written.clone();
    own.retain(|_, value| !value.is_null());
    let backup = own.remove("S3Configuration");
    let backup_defaults = json!({
        "Prefix": "",
        "ErrorOutputPrefix": "",
        "BufferingHints": {"IntervalInSeconds": 300, "SizeInMBs": 5},
        "CompressionFormat": "UNCOMPRESSED",
        "EncryptionConfiguration": {"NoEncryptionConfig": "NoEncryption"},
        "CloudWatchLoggingOptions": {"Enabled": false},
    });
    let mut all_backup = backup_defaults.as_object().cloned().unwrap_or_default();
    let given = backup.as_ref().and_then(Value::as_object).into_iter().flatten();
    all_backup.extend(given.filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.clone(), value.clone())));
    complete_hints(&mut own);
    destination.extend(own);
    destination.insert("S3DestinationDescription".to_owned(), Value::Object(all_backup));
    check(&destination)?;
    Ok(destination)
}

/// Lays an update over a destination: a member that is left out keeps its value, one that is sent replaces it whole;
/// those of the backup likewise, one level deeper (API reference, UpdateDestination: in the S3 destination, if
/// EncryptionConfiguration is not specified, the existing one is maintained).
pub(crate) fn update(current: &Destination, written: &Map<String, Value>) -> Result<Destination, Failure> {
    let mut own = written.clone();
    own.retain(|_, value| !value.is_null());
    let backup = own.remove("S3Update");
    let mut destination = current.clone();
    // A domain is named in one of two ways.
    if own.contains_key("DomainARN") {
        destination.remove("ClusterEndpoint");
    }
    if own.contains_key("ClusterEndpoint") {
        destination.remove("DomainARN");
    }
    complete_hints(&mut own);
    destination.extend(own);
    if let Some(Value::Object(backup)) = backup
        && let Some(all) = destination.get_mut("S3DestinationDescription").and_then(Value::as_object_mut)
    {
        all.extend(backup.into_iter().filter(|(_, value)| !value.is_null()));
    }
    check(&destination)?;
    Ok(destination)
}

/// Of the buffering hints of the index one may be left out, and is then the default.
fn complete_hints(own: &mut Map<String, Value>) {
    if let Some(hints) = own.get_mut("BufferingHints").and_then(Value::as_object_mut) {
        hints.entry("IntervalInSeconds").or_insert(json!(300));
        hints.entry("SizeInMBs").or_insert(json!(5));
    }
}

fn check(destination: &Destination) -> Result<(), Failure> {
    match (destination.contains_key("DomainARN"), destination.contains_key("ClusterEndpoint")) {
        (true, false) | (false, true) => {}
        (true, true) => return invalid("Specify either ClusterEndpoint or DomainARN, not both"),
        (false, false) => return invalid("Either ClusterEndpoint or DomainARN must be specified"),
    }
    let processing = object(destination, "ProcessingConfiguration")?;
    if processing.get("Enabled") == Some(&json!(true)) {
        return invalid("the local AWS does not support ProcessingConfiguration");
    }
    if destination.contains_key("VpcConfiguration") {
        return invalid("the local AWS does not support VpcConfiguration");
    }
    check_logging(object(destination, "CloudWatchLoggingOptions")?)?;
    check_backup(object(destination, "S3DestinationDescription")?)
}

fn check_backup(backup: &Map<String, Value>) -> Result<(), Failure> {
    let hints = object(backup, "BufferingHints")?;
    // "If you specify a value for one, you must also provide a value for the other" (API reference, BufferingHints).
    if hints.len() != 2 {
        return invalid("BufferingHints of S3 need both IntervalInSeconds and SizeInMBs");
    }
    let compression = says(backup, "CompressionFormat");
    if compression != "UNCOMPRESSED" && compression != "GZIP" {
        return invalid(format!("the local AWS does not support CompressionFormat {compression}"));
    }
    let encryption = object(backup, "EncryptionConfiguration")?;
    match (encryption.get("NoEncryptionConfig"), encryption.get("KMSEncryptionConfig")) {
        (Some(none), None) if none == "NoEncryption" => {}
        (None, Some(key))
            if key.get("AWSKMSKeyARN").and_then(Value::as_str).is_some_and(|arn| arn.contains(":kms:")) => {}
        _ => {
            return invalid("EncryptionConfiguration needs either NoEncryptionConfig or KMSEncryptionConfig");
        }
    }
    check_logging(object(backup, "CloudWatchLoggingOptions")?)?;
    check_prefixes(says(backup, "Prefix"), says(backup, "ErrorOutputPrefix")).or_else(invalid)
}

fn check_logging(logging: &Map<String, Value>) -> Result<(), Failure> {
    if logging.get("Enabled") == Some(&json!(true))
        && (says(logging, "LogGroupName").is_empty() || says(logging, "LogStreamName").is_empty())
    {
        return invalid("LogGroupName and LogStreamName are mandatory when CloudWatch logging is enabled");
    }
    Ok(())
}

/// Asks what the service asks when a stream is created or changed: the domain, and whether the roles can be used.
pub(crate) fn check_access(
    world: &World,
    context: &Context<'_>,
    stream_arn: &str,
    destination: &Destination,
) -> Result<(), Failure> {
    let role = says(destination, "RoleARN");
    // A role that cannot be assumed is noticed before the domain is.
    assume(world, context, role, stream_arn)?;
    let Some((_, domain)) = domain_of(world, destination) else {
        let named = destination.get("DomainARN").or_else(|| destination.get("ClusterEndpoint"));
        return invalid(format!("Domain not found: {}", named.and_then(Value::as_str).unwrap_or_default()));
    };
    if !domain.is_reachable(context.now) {
        return invalid(format!("Domain {} is not active", domain.arn));
    }
    let type_name = says(destination, "TypeName");
    if !type_name.is_empty() {
        return invalid(format!("TypeName must be empty for {}", domain.version));
    }
    for action in ["es:DescribeDomain", "es:DescribeDomains", "es:DescribeDomainConfig"] {
        if iam::may(world, context, role, stream_arn, action, &domain.arn) != Permit::Allowed {
            return invalid("Delivery Role is not authorized to describe the Elasticsearch domain.");
        }
    }
    for (action, path) in [("es:ESHttpPost", "/_bulk"), ("es:ESHttpPut", "/_bulk"), ("es:ESHttpGet", "/_nodes")] {
        if iam::may(world, context, role, stream_arn, action, &format!("{}{path}", domain.arn)) != Permit::Allowed {
            return invalid(
                "Could not connect to the Elasticsearch domain. Verify that the IAM role has access to the \
                 Elasticsearch domain.",
            );
        }
    }
    if domain.has_fine_grained_access(context.now) && !opensearch::is_master(domain, role) {
        return invalid("Verify that the IAM role has access to the cluster endpoint.");
    }
    let backup = object(destination, "S3DestinationDescription")?;
    let backup_role = says(backup, "RoleARN");
    assume(world, context, backup_role, stream_arn)?;
    let bucket = says(backup, "BucketARN");
    for (action, resource) in [
        ("s3:PutObject", format!("{bucket}/x")),
        ("s3:AbortMultipartUpload", format!("{bucket}/x")),
        ("s3:GetBucketLocation", bucket.to_owned()),
        ("s3:ListBucket", bucket.to_owned()),
    ] {
        if iam::may(world, context, backup_role, stream_arn, action, &resource) != Permit::Allowed {
            return invalid(format!(
                "Access was denied. {backup_role} is not authorized to perform: {action} on resource: {resource}"
            ));
        }
    }
    Ok(())
}

fn assume(world: &World, context: &Context<'_>, role: &str, stream_arn: &str) -> Result<(), Failure> {
    let refused = match iam::may(world, context, role, stream_arn, "sts:AssumeRole", "*") {
        Permit::NoRole | Permit::TrustWrong => true,
        // Nobody else knows the role yet.
        Permit::NotPropagated | Permit::Denied | Permit::Allowed => {
            let known = world.iam.roles.iter().find(|(_, one)| one.arn == role);
            known.is_some_and(|(_, one)| {
                one.grants_before.is_none()
                    && context.now < crate::clock::after(one.changed, context.timing.role_propagation)
            })
        }
    };
    if refused {
        return invalid(format!("Firehose is unable to assume role {role}. Please check the role provided."));
    }
    Ok(())
}

/// The domain that a destination names, with its key.
pub(crate) fn domain_of<'w>(
    world: &'w World,
    destination: &Destination,
) -> Option<(&'w String, &'w opensearch::Domain)> {
    match (destination.get("DomainARN"), destination.get("ClusterEndpoint")) {
        (Some(arn), _) => world.opensearch.by_arn(arn.as_str()?),
        (None, Some(endpoint)) => {
            let (_, path) = endpoint.as_str()?.split_once("/domain/")?;
            world.opensearch.domains.iter().find(|(key, _)| path.trim_end_matches('/') == key.as_str())
        }
        (None, None) => None,
    }
}

/// The name in a bucket's ARN.
pub(crate) fn bucket_name(arn: &str) -> Option<&str> {
    arn.split_once(":s3:::").filter(|_| arn.starts_with("arn:")).map(|(_, name)| name)
}

/// A text of a destination that was checked.
pub(crate) fn says<'d>(object: &'d Map<String, Value>, name: &str) -> &'d str {
    object.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A number of an object inside a destination that was checked.
pub(crate) fn number(destination: &Map<String, Value>, object: &str, name: &str) -> u64 {
    destination.get(object).and_then(|inner| inner.get(name)?.as_u64()).unwrap_or_default()
}

fn object<'d>(object: &'d Map<String, Value>, name: &str) -> Result<&'d Map<String, Value>, Failure> {
    match object.get(name).and_then(Value::as_object) {
        Some(inner) => Ok(inner),
        None => Err(wrong_type(name)),
    }
}

fn wrong_type(name: &str) -> Failure {
    Failure::new(400, "SerializationException", format!("the value of {name} is of the wrong type"))
}
