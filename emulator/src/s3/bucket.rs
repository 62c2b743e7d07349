//! Buckets, and what is set on them.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Bucket, access_denied, bucket_arn, date, invalid_argument, lifecycle, malformed_xml, no_such_bucket, parse, to_xml,
};
use crate::{
    clock::after,
    policy_document::{self, Kind},
    query::{element, optional_element},
    request::Request,
    response::{self, Failure, Response},
    world::{Context, World},
};

const TAGS: usize = 50;
const POLICY_BYTES: usize = 20 * 1024;

/// Creates a bucket.
pub(super) fn create(
    world: &mut World,
    context: &Context<'_>,
    request: &Request,
    name: &str,
    body: &Bytes,
) -> Result<Response, Failure> {
    check_name(name)?;
    if request.header("x-amz-bucket-namespace").is_some()
        || request.header("x-amz-bucket-object-lock-enabled") == Some("true")
    {
        return Err(Failure::new(501, "NotImplemented", "the emulator has neither bucket namespaces nor Object Lock"));
    }
    // New buckets take no ACL that opens them (S3 user guide, default settings since April 2023).
    if request.header("x-amz-acl").is_some_and(|acl| acl != "private") {
        return Err(Failure::new(
            400,
            "InvalidBucketAclWithBlockPublicAccessError",
            "Bucket cannot have public ACLs set with BlockPublicAccess enabled",
        ));
    }
    let ownership = match request.header("x-amz-object-ownership") {
        None => "BucketOwnerEnforced",
        Some(ownership) => checked_ownership(ownership)?,
    };
    let configuration: CreateBucketConfiguration =
        if body.is_empty() { CreateBucketConfiguration::default() } else { parse(body)? };
    let CreateBucketConfiguration { _namespace: _, location_constraint, tags } = configuration;
    check_location(&request.region, location_constraint.as_deref())?;
    let tags = tags.map(|tags| checked_tags(tags.tags)).transpose()?.filter(|tags| !tags.is_empty());
    if let Some(existing) = world.s3.buckets.get(name) {
        if existing.owner != context.account {
            return Err(Failure::new(
                409,
                "BucketAlreadyExists",
                "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again.",
            ));
        }
        // Only us-east-1 takes it as done, for the sake of old clients (S3 API reference, CreateBucket).
        if request.region == "us-east-1" && existing.region == "us-east-1" && tags.is_none() {
            return Ok(created(name));
        }
        return Err(Failure::new(
            409,
            "BucketAlreadyOwnedByYou",
            "Your previous request to create the named bucket succeeded and you already own it.",
        ));
    }
    if let Some(deleted) = world.s3.deleted.get(name) {
        if context.now < after(*deleted, context.timing.bucket_settle) {
            return Err(Failure::new(
                409,
                "OperationAborted",
                "A conflicting conditional operation is currently in progress against this resource. Please try again.",
            ));
        }
        world.s3.deleted.remove(name);
    }
    let bucket = Bucket {
        tags: tags.filter(|_| !world.s3.ignores_tags_of_new_buckets),
        ownership: Some(ownership.to_owned()),
        ..Bucket::new(&request.region, context.account, context.now)
    };
    world.s3.buckets.insert(name, bucket);
    Ok(created(name))
}

/// Deletes a bucket that is empty.
pub(super) fn delete(world: &mut World, context: &Context<'_>, name: &str) -> Result<Response, Failure> {
    let inside = format!("{name}/");
    // Unfinished uploads count too: AWS's guide asks to abort them first.
    if world.s3.objects.with_prefix(&inside).next().is_some() || world.s3.uploads.with_prefix(&inside).next().is_some()
    {
        return Err(Failure::new(
            409,
            "BucketNotEmpty",
            "The bucket you tried to delete is not empty. You must delete all versions in the bucket.",
        ));
    }
    world.s3.buckets.remove(name);
    if !context.timing.bucket_settle.is_zero() {
        world.s3.deleted.insert(name, context.now);
    }
    Ok(Response::empty(204))
}

/// Lists the account's buckets.
pub(super) fn list(world: &World, context: &Context<'_>, request: &Request) -> Result<Response, Failure> {
    let most = match request.query("max-buckets") {
        None => 10_000,
        Some(number) => number
            .parse()
            .ok()
            .filter(|number| (1..=10_000).contains(number))
            .ok_or_else(|| invalid_argument("Argument max-buckets must be an integer between 1 and 10000"))?,
    };
    let prefix = request.query("prefix").unwrap_or_default();
    let behind = request.query("continuation-token").unwrap_or_default();
    let mut names = Vec::new();
    let mut next = None;
    for (name, bucket) in &world.s3.buckets {
        let in_region = request.query("bucket-region").is_none_or(|region| region == bucket.region);
        if bucket.owner != context.account || !name.starts_with(prefix) || name.as_str() <= behind || !in_region {
            continue;
        }
        if names.len() == most {
            next = names.last().map(|(name, _): &(&String, &Bucket)| (*name).clone());
            break;
        }
        names.push((name, bucket));
    }
    let buckets: String = names
        .iter()
        .map(|(name, bucket)| {
            format!(
                "<Bucket>{}{}{}</Bucket>",
                element("Name", name),
                element("CreationDate", &date(bucket.created)),
                element("BucketRegion", &bucket.region)
            )
        })
        .collect();
    Ok(Response::xml(
        200,
        &format!(
            "<ListAllMyBucketsResult xmlns=\"{}\"><Owner><ID>{}</ID></Owner><Buckets>{buckets}</Buckets>{}</ListAllMyBucketsResult>",
            super::NAMESPACE,
            context.account,
            optional_element("ContinuationToken", next.as_deref())
        ),
    ))
}

/// Where a bucket is; us-east-1 has no name for itself.
pub(super) fn location(bucket: &Bucket) -> Response {
    let region = if bucket.region == "us-east-1" { "" } else { &bucket.region };
    Response::xml(200, &format!("<LocationConstraint xmlns=\"{}\">{region}</LocationConstraint>", super::NAMESPACE))
}

/// Reads, sets or deletes what is set on a bucket.
pub(super) fn setting(bucket: &mut Bucket, request: &Request, name: &str, body: &Bytes) -> Result<Response, Failure> {
    match request.operation.as_str() {
        "GetBucketTagging" => {
            let tags =
                bucket.tags.as_ref().ok_or_else(|| Failure::new(404, "NoSuchTagSet", "The TagSet does not exist"))?;
            let tags: String = tags
                .iter()
                .map(|(key, value)| format!("<Tag>{}{}</Tag>", element("Key", key), element("Value", value)))
                .collect();
            Ok(Response::xml(
                200,
                &format!("<Tagging xmlns=\"{}\"><TagSet>{tags}</TagSet></Tagging>", super::NAMESPACE),
            ))
        }
        "PutBucketTagging" => {
            let Tagging { _namespace: _, tag_set } = parse(body)?;
            // The whole set is replaced.
            bucket.tags = Some(checked_tags(tag_set.tags)?);
            Ok(Response::empty(204))
        }
        "DeleteBucketTagging" => {
            bucket.tags = None;
            Ok(Response::empty(204))
        }
        "GetBucketEncryption" => {
            Ok(Response::xml(200, &to_xml("ServerSideEncryptionConfiguration", &bucket.encryption)?))
        }
        "PutBucketEncryption" => {
            bucket.encryption = checked_encryption(parse(body)?)?;
            Ok(Response::empty(200))
        }
        "DeleteBucketEncryption" => {
            bucket.encryption = Encryption::default();
            Ok(Response::empty(204))
        }
        "GetPublicAccessBlock" => {
            let block = bucket.public_access_block.as_ref().ok_or_else(|| {
                Failure::new(
                    404,
                    "NoSuchPublicAccessBlockConfiguration",
                    "The public access block configuration was not found",
                )
            })?;
            Ok(Response::xml(200, &to_xml("PublicAccessBlockConfiguration", block)?))
        }
        "PutPublicAccessBlock" => {
            bucket.public_access_block = Some(parse(body)?);
            Ok(Response::empty(200))
        }
        "DeletePublicAccessBlock" => {
            bucket.public_access_block = None;
            Ok(Response::empty(204))
        }
        "GetBucketOwnershipControls" => {
            let ownership = bucket.ownership.as_ref().ok_or_else(|| {
                Failure::new(404, "OwnershipControlsNotFoundError", "The bucket ownership controls were not found")
            })?;
            Ok(Response::xml(
                200,
                &format!(
                    "<OwnershipControls xmlns=\"{}\"><Rule>{}</Rule></OwnershipControls>",
                    super::NAMESPACE,
                    element("ObjectOwnership", ownership)
                ),
            ))
        }
        "PutBucketOwnershipControls" => {
            let OwnershipControls { _namespace: _, rules } = parse(body)?;
            let [OwnershipRule { object_ownership }] = &rules[..] else {
                return Err(malformed_xml());
            };
            bucket.ownership = Some(checked_ownership(object_ownership)?.to_owned());
            Ok(Response::empty(200))
        }
        "DeleteBucketOwnershipControls" => {
            bucket.ownership = None;
            Ok(Response::empty(204))
        }
        "GetBucketVersioning" => Ok(Response::xml(
            200,
            &format!(
                "<VersioningConfiguration xmlns=\"{}\">{}</VersioningConfiguration>",
                super::NAMESPACE,
                optional_element("Status", bucket.versioning.as_deref())
            ),
        )),
        "PutBucketVersioning" => {
            let VersioningConfiguration { _namespace: _, status, mfa_delete } = parse(body)?;
            if mfa_delete.is_some_and(|mfa| mfa != "Disabled") {
                return Err(Failure::new(501, "NotImplemented", "the emulator has no MFA delete"));
            }
            if !matches!(status.as_str(), "Enabled" | "Suspended") {
                return Err(malformed_xml());
            }
            bucket.versioning = Some(status);
            Ok(Response::empty(200))
        }
        "GetBucketPolicy" => {
            let policy = bucket
                .policy
                .as_ref()
                .ok_or_else(|| Failure::new(404, "NoSuchBucketPolicy", "The bucket policy does not exist"))?;
            Ok(Response::text(200, "application/json", policy_document::with_single_elements_as_strings(policy)))
        }
        "PutBucketPolicy" => {
            bucket.policy = Some(checked_policy(bucket, name, body)?);
            Ok(Response::empty(204))
        }
        "DeleteBucketPolicy" => {
            bucket.policy = None;
            Ok(Response::empty(204))
        }
        "GetBucketLifecycleConfiguration" => {
            let lifecycle = bucket.lifecycle.as_ref().ok_or_else(|| {
                Failure::new(404, "NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist")
            })?;
            Ok(Response::xml(200, &to_xml("LifecycleConfiguration", lifecycle)?)
                .with_header("x-amz-transition-default-minimum-object-size", "all_storage_classes_128K"))
        }
        "PutBucketLifecycleConfiguration" => {
            bucket.lifecycle = Some(lifecycle::checked(parse(body)?)?);
            Ok(Response::empty(200)
                .with_header("x-amz-transition-default-minimum-object-size", "all_storage_classes_128K"))
        }
        "DeleteBucketLifecycle" => {
            bucket.lifecycle = None;
            Ok(Response::empty(204))
        }
        _ => Ok(response::unknown_operation(request)),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct CreateBucketConfiguration {
    #[serde(rename = "@xmlns")]
    _namespace: Option<String>,
    #[serde(rename = "LocationConstraint")]
    location_constraint: Option<String>,
    #[serde(rename = "Tags")]
    tags: Option<TagSet>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tagging {
    #[serde(rename = "@xmlns")]
    _namespace: Option<String>,
    #[serde(rename = "TagSet")]
    tag_set: TagSet,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct TagSet {
    #[serde(rename = "Tag", default)]
    tags: Vec<Tag>,
}

/// A tag as XML has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tag {
    /// Its key.
    #[serde(rename = "Key")]
    pub key: String,
    /// Its value.
    #[serde(rename = "Value")]
    pub value: String,
}

/// How a bucket encrypts what comes without instructions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Encryption {
    #[serde(rename = "@xmlns", default, skip_serializing)]
    _namespace: Option<String>,
    /// Exactly one rule.
    #[serde(rename = "Rule", default)]
    pub rules: Vec<EncryptionRule>,
}

/// The rule of a bucket's encryption.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EncryptionRule {
    /// The algorithm and key.
    #[serde(rename = "ApplyServerSideEncryptionByDefault")]
    pub by_default: EncryptionByDefault,
    /// Whether a bucket key spares calls to KMS.
    #[serde(rename = "BucketKeyEnabled", default)]
    pub bucket_key: bool,
}

/// The algorithm and key of a bucket's encryption.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EncryptionByDefault {
    /// `AES256`, `aws:kms` or `aws:kms:dsse`.
    #[serde(rename = "SSEAlgorithm")]
    pub algorithm: String,
    /// The key, for the latter two.
    #[serde(rename = "KMSMasterKeyID", default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

impl Default for Encryption {
    fn default() -> Self {
        let by_default = EncryptionByDefault { algorithm: "AES256".to_owned(), key: None };
        Self { _namespace: None, rules: vec![EncryptionRule { by_default, bucket_key: false }] }
    }
}

/// What public access a bucket blocks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublicAccessBlock {
    #[serde(rename = "@xmlns", default, skip_serializing)]
    _namespace: Option<String>,
    /// New public ACLs.
    #[serde(rename = "BlockPublicAcls", default)]
    pub block_public_acls: bool,
    /// Public ACLs that exist.
    #[serde(rename = "IgnorePublicAcls", default)]
    pub ignore_public_acls: bool,
    /// New public policies.
    #[serde(rename = "BlockPublicPolicy", default)]
    pub block_public_policy: bool,
    /// Access through public policies that exist.
    #[serde(rename = "RestrictPublicBuckets", default)]
    pub restrict_public_buckets: bool,
}

impl PublicAccessBlock {
    /// All four.
    #[must_use]
    pub fn everything() -> Self {
        Self {
            _namespace: None,
            block_public_acls: true,
            ignore_public_acls: true,
            block_public_policy: true,
            restrict_public_buckets: true,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OwnershipControls {
    #[serde(rename = "@xmlns")]
    _namespace: Option<String>,
    #[serde(rename = "Rule", default)]
    rules: Vec<OwnershipRule>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OwnershipRule {
    #[serde(rename = "ObjectOwnership")]
    object_ownership: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct VersioningConfiguration {
    #[serde(rename = "@xmlns")]
    _namespace: Option<String>,
    #[serde(rename = "Status")]
    status: String,
    #[serde(rename = "MfaDelete")]
    mfa_delete: Option<String>,
}

fn created(name: &str) -> Response {
    Response::empty(200).with_header("location", format!("/{name}"))
}

fn check_location(region: &str, constraint: Option<&str>) -> Result<(), Failure> {
    match constraint {
        None | Some("") if region == "us-east-1" => Ok(()),
        // us-east-1 is no value of this element.
        Some("us-east-1") => {
            Err(Failure::new(400, "InvalidLocationConstraint", "The specified location-constraint is not valid"))
        }
        Some(constraint) if constraint == region => Ok(()),
        other => Err(Failure::new(
            400,
            "IllegalLocationConstraintException",
            format!(
                "The {} location constraint is incompatible for the region specific endpoint this request was sent to.",
                other.filter(|constraint| !constraint.is_empty()).unwrap_or("unspecified")
            ),
        )),
    }
}

/// The rules for names of general purpose buckets (S3 user guide).
fn check_name(name: &str) -> Result<(), Failure> {
    let bytes = name.as_bytes();
    let known = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(byte);
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let looks_like_an_address = name.split('.').count() == 4 && name.split('.').all(|part| part.parse::<u8>().is_ok());
    let reserved = ["xn--", "sthree-", "amzn-s3-demo-"].iter().any(|prefix| name.starts_with(prefix))
        || ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3", "-an"].iter().any(|suffix| name.ends_with(suffix));
    let well_formed = (3..=63).contains(&name.len())
        && bytes.iter().all(known)
        && edge(bytes.first())
        && edge(bytes.last())
        && !name.contains("..");
    if !well_formed || looks_like_an_address || reserved {
        return Err(Failure::new(400, "InvalidBucketName", "The specified bucket is not valid."));
    }
    Ok(())
}

fn checked_ownership(ownership: &str) -> Result<&str, Failure> {
    if matches!(ownership, "BucketOwnerEnforced" | "BucketOwnerPreferred" | "ObjectWriter") {
        Ok(ownership)
    } else {
        Err(malformed_xml())
    }
}

fn checked_tags(given: Vec<Tag>) -> Result<BTreeMap<String, String>, Failure> {
    let invalid = |message: &str| Failure::new(400, "InvalidTag", message);
    let known =
        |character: char| character.is_alphanumeric() || character.is_whitespace() || "_.:/=+-@".contains(character);
    let mut tags = BTreeMap::new();
    for Tag { key, value } in given {
        if !(1..=128).contains(&key.chars().count()) || !key.chars().all(known) {
            return Err(invalid("The TagKey you have provided is invalid"));
        }
        if value.chars().count() > 256 || !value.chars().all(known) {
            return Err(invalid("The TagValue you have provided is invalid"));
        }
        if key.to_lowercase().starts_with("aws:") {
            return Err(invalid("System tags cannot be added/updated by requester"));
        }
        if tags.insert(key, value).is_some() {
            return Err(invalid("Cannot provide multiple Tags with the same key"));
        }
    }
    if tags.len() > TAGS {
        return Err(Failure::new(400, "BadRequest", format!("Bucket tag count cannot be greater than {TAGS}")));
    }
    Ok(tags)
}

fn checked_encryption(encryption: Encryption) -> Result<Encryption, Failure> {
    let [EncryptionRule { by_default: EncryptionByDefault { algorithm, key }, bucket_key: _ }] = &encryption.rules[..]
    else {
        return Err(malformed_xml());
    };
    match (algorithm.as_str(), key) {
        ("AES256", None) | ("aws:kms" | "aws:kms:dsse", _) => Ok(encryption),
        ("AES256", Some(_)) => Err(invalid_argument(
            "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse",
        )),
        _ => Err(malformed_xml()),
    }
}

fn checked_policy(bucket: &Bucket, name: &str, body: &Bytes) -> Result<String, Failure> {
    let malformed = |why: String| Failure::new(400, "MalformedPolicy", why);
    let text = std::str::from_utf8(body).map_err(|_| malformed("Policies must be valid JSON".to_owned()))?;
    if text.len() > POLICY_BYTES {
        return Err(malformed(format!("Policies are limited to {POLICY_BYTES} bytes")));
    }
    policy_document::check(text, Kind::Resource).map_err(malformed)?;
    let document: Value = serde_json::from_str(text).unwrap_or_default();
    let arn = bucket_arn(&bucket.region, name);
    let statements = match &document["Statement"] {
        Value::Array(statements) => statements.iter().collect(),
        statement => vec![statement],
    };
    for statement in statements {
        let resources = match &statement["Resource"] {
            Value::Array(resources) => resources.iter().collect(),
            resource => vec![resource],
        };
        for resource in resources.into_iter().filter_map(Value::as_str) {
            if resource != arn && !resource.starts_with(&format!("{arn}/")) {
                return Err(malformed("Policy has invalid resource".to_owned()));
            }
        }
        let open = statement["Effect"] == "Allow"
            && statement.get("Condition").is_none()
            && (statement["Principal"] == "*" || statement["Principal"]["AWS"] == "*");
        if open && bucket.public_access_block.as_ref().is_some_and(|block| block.block_public_policy) {
            return Err(access_denied());
        }
    }
    Ok(text.to_owned())
}

/// The bucket of a request that was found before.
pub(super) fn existing<'a>(world: &'a World, name: &str) -> Result<&'a Bucket, Failure> {
    world.s3.buckets.get(name).ok_or_else(no_such_bucket)
}
