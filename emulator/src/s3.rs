//! Simple Storage Service: buckets, what is set on them, and the objects in them. Buckets are found by path, or by a
//! host name below `localhost`.

pub(crate) mod body;
pub mod bucket;
pub mod lifecycle;
mod listing;
mod multipart;
mod object;

use std::collections::BTreeMap;

use bytes::Bytes;
use http::Method;
use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    query::{element, with_references},
    request::{Caller, Request, decode},
    response::{self, Failure, Response},
    table::{Stored, Table},
    world::{Context, Permission, World},
};

const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

/// Buckets and objects.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// Buckets by name, those of other accounts among them.
    pub buckets: Table<Bucket>,
    /// Objects by `BUCKET/KEY`.
    pub objects: Table<Object>,
    /// Unfinished uploads by `BUCKET/ID`.
    pub uploads: Table<Upload>,
    /// When a bucket was deleted, by name.
    pub deleted: Table<Timestamp>,
    /// What cannot be deleted, as under a retention of Object Lock, by `BUCKET/KEY`.
    pub locked: Table<bool>,
    /// Set by a test: the tags of CreateBucket are ignored, as servers do that know S3 from before it took them (moto 5.2.5
    /// among them).
    pub ignores_tags_of_new_buckets: bool,
}

impl State {
    pub(crate) fn tables(&mut self) -> Vec<(&'static str, &mut dyn Stored)> {
        let Self { buckets, objects, uploads, deleted, locked, ignores_tags_of_new_buckets: _ } = self;
        vec![
            ("s3.buckets", buckets),
            ("s3.objects", objects),
            ("s3.uploads", uploads),
            ("s3.deleted", deleted),
            ("s3.locked", locked),
        ]
    }

    /// The buckets of a region by ARN, with their tags.
    pub(crate) fn tagged(&self, context: &Context<'_>, region: &str) -> Vec<(String, BTreeMap<String, String>)> {
        self.buckets
            .iter()
            .filter(|(_, bucket)| bucket.region == region && bucket.owner == context.account)
            .map(|(name, bucket)| (bucket_arn(region, name), bucket.tags.clone().unwrap_or_default()))
            .collect()
    }

    /// The bodies that objects and parts name.
    pub(crate) fn blob_ids(&self) -> impl Iterator<Item = String> {
        let versions = self.objects.iter().flat_map(|(_, object)| &object.versions);
        let parts = self.uploads.iter().flat_map(|(_, upload)| upload.parts.values());
        versions
            .filter_map(|version| version.content.as_ref())
            .map(|content| content.blob.clone())
            .chain(parts.map(|part| part.blob.clone()))
    }
}

/// A bucket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bucket {
    /// Where it is.
    pub region: String,
    /// The account that owns it.
    pub owner: String,
    /// When it was created.
    pub created: Timestamp,
    /// Its tags; none if it has no set of them at all.
    pub tags: Option<BTreeMap<String, String>>,
    /// Its default encryption.
    pub encryption: bucket::Encryption,
    /// What public access it blocks; none if that was deleted.
    pub public_access_block: Option<bucket::PublicAccessBlock>,
    /// Who owns its objects; none if that was deleted.
    pub ownership: Option<String>,
    /// `Enabled` or `Suspended`; none if it never had versions.
    pub versioning: Option<String>,
    /// Its policy.
    pub policy: Option<String>,
    /// Its lifecycle.
    pub lifecycle: Option<lifecycle::Lifecycle>,
}

impl Bucket {
    /// A new bucket, as AWS makes them since April 2023: no public access, no ACLs, encrypted.
    #[must_use]
    pub fn new(region: &str, owner: &str, created: Timestamp) -> Self {
        Self {
            region: region.to_owned(),
            owner: owner.to_owned(),
            created,
            tags: None,
            encryption: bucket::Encryption::default(),
            public_access_block: Some(bucket::PublicAccessBlock::everything()),
            ownership: Some("BucketOwnerEnforced".to_owned()),
            versioning: None,
            policy: None,
            lifecycle: None,
        }
    }
}

/// All versions of an object, the newest last; never empty.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Object {
    /// The versions.
    pub versions: Vec<Version>,
}

/// A version of an object, or a marker that it is deleted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Version {
    /// Its id; `null` where the bucket has no versions.
    pub id: String,
    /// When it was made.
    pub modified: Timestamp,
    /// What it holds; none in a delete marker.
    pub content: Option<Content>,
}

/// What a version of an object holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Content {
    /// Where its body is.
    pub blob: String,
    /// The length of its body.
    pub size: usize,
    /// Its entity tag, without quotes.
    pub etag: String,
    /// The headers that come back with it: content type and encoding, own metadata, checksum.
    pub headers: BTreeMap<String, String>,
}

/// An unfinished upload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Upload {
    /// The object it is for.
    pub key: String,
    /// When it began.
    pub begun: Timestamp,
    /// The headers that will come back with the object.
    pub headers: BTreeMap<String, String>,
    /// Its parts by number.
    pub parts: BTreeMap<u16, Part>,
}

/// A part of an upload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// Where its body is.
    pub blob: String,
    /// The length of its body.
    pub size: usize,
    /// Its entity tag, without quotes.
    pub etag: String,
    /// When it came.
    pub modified: Timestamp,
}

/// Writes an object for a service of AWS.
///
/// # Errors
///
/// There is no such bucket, or the disk refuses the body.
pub fn put_object(
    world: &mut World,
    context: &Context<'_>,
    bucket: &str,
    key: &str,
    body: Bytes,
    content_type: &str,
) -> Result<(), Failure> {
    if !world.s3.buckets.contains_key(bucket) {
        return Err(no_such_bucket());
    }
    let headers = BTreeMap::from([("content-type".to_owned(), content_type.to_owned())]);
    object::store(world, context, bucket, key, body, headers).map(drop)
}

/// Reads the newest version of an object.
#[must_use]
pub fn object_body(world: &World, bucket: &str, key: &str) -> Option<Bytes> {
    let content = world.s3.objects.get(&format!("{bucket}/{key}"))?.versions.last()?.content.as_ref()?;
    world.blobs.get(&content.blob).ok()
}

/// Which bucket and key a request is for; both decoded, the key without its leading slash, empty if there is none.
pub(crate) fn bucket_and_key(request: &Request) -> (String, String) {
    let path = request.path.strip_prefix('/').unwrap_or(&request.path);
    let host = request.header("host").unwrap_or_default();
    let host = host.split_once(':').map_or(host, |(name, _)| name);
    if let Some(bucket) = host.strip_suffix(".localhost") {
        return (bucket.to_owned(), decode(path));
    }
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    (decode(bucket), decode(key))
}

/// The parameters that make a request one about a part of a bucket or object.
const SUBRESOURCES: [&str; 31] = [
    "accelerate",
    "acl",
    "analytics",
    "attributes",
    "cors",
    "delete",
    "encryption",
    "intelligent-tiering",
    "inventory",
    "legal-hold",
    "lifecycle",
    "location",
    "logging",
    "metrics",
    "notification",
    "object-lock",
    "ownershipControls",
    "policy",
    "policyStatus",
    "publicAccessBlock",
    "replication",
    "requestPayment",
    "restore",
    "retention",
    "select",
    "session",
    "tagging",
    "torrent",
    "uploads",
    "versioning",
    "versions",
];

/// The operation that method, path and query amount to.
pub(crate) fn operation(request: &Request) -> String {
    let (bucket, key) = bucket_and_key(request);
    let subresource = request.query.iter().map(|(name, _)| name.as_str()).find(|name| SUBRESOURCES.contains(name));
    let part = request.query("partNumber").is_some();
    let upload = request.query("uploadId").is_some();
    let copy = request.header("x-amz-copy-source").is_some();
    let method = request.method.as_str();
    let operation = if bucket.is_empty() {
        match (method, subresource) {
            ("GET", None) => "ListBuckets",
            _ => "",
        }
    } else if key.is_empty() {
        match (method, subresource) {
            ("PUT", None) => "CreateBucket",
            ("HEAD", None) => "HeadBucket",
            ("DELETE", None) => "DeleteBucket",
            ("GET", None) if request.query("list-type") == Some("2") => "ListObjectsV2",
            ("GET", Some("location")) => "GetBucketLocation",
            ("GET", Some("versions")) => "ListObjectVersions",
            ("GET", Some("uploads")) => "ListMultipartUploads",
            ("POST", Some("delete")) => "DeleteObjects",
            ("GET", Some("tagging")) => "GetBucketTagging",
            ("PUT", Some("tagging")) => "PutBucketTagging",
            ("DELETE", Some("tagging")) => "DeleteBucketTagging",
            ("GET", Some("encryption")) => "GetBucketEncryption",
            ("PUT", Some("encryption")) => "PutBucketEncryption",
            ("DELETE", Some("encryption")) => "DeleteBucketEncryption",
            ("GET", Some("publicAccessBlock")) => "GetPublicAccessBlock",
            ("PUT", Some("publicAccessBlock")) => "PutPublicAccessBlock",
            ("DELETE", Some("publicAccessBlock")) => "DeletePublicAccessBlock",
            ("GET", Some("ownershipControls")) => "GetBucketOwnershipControls",
            ("PUT", Some("ownershipControls")) => "PutBucketOwnershipControls",
            ("DELETE", Some("ownershipControls")) => "DeleteBucketOwnershipControls",
            ("GET", Some("versioning")) => "GetBucketVersioning",
            ("PUT", Some("versioning")) => "PutBucketVersioning",
            ("GET", Some("policy")) => "GetBucketPolicy",
            ("PUT", Some("policy")) => "PutBucketPolicy",
            ("DELETE", Some("policy")) => "DeleteBucketPolicy",
            ("GET", Some("lifecycle")) => "GetBucketLifecycleConfiguration",
            ("PUT", Some("lifecycle")) => "PutBucketLifecycleConfiguration",
            ("DELETE", Some("lifecycle")) => "DeleteBucketLifecycle",
            _ => "",
        }
    } else {
        match (method, subresource) {
            ("PUT", None) if copy => "",
            ("PUT", None) if part && upload => "UploadPart",
            ("PUT", None) => "PutObject",
            ("GET", None) if upload => "ListParts",
            ("GET", None) => "GetObject",
            ("HEAD", None) => "HeadObject",
            ("DELETE", None) if upload => "AbortMultipartUpload",
            ("DELETE", None) => "DeleteObject",
            ("POST", Some("uploads")) => "CreateMultipartUpload",
            ("POST", None) if upload => "CompleteMultipartUpload",
            _ => "",
        }
    };
    operation.to_owned()
}

pub(crate) fn permissions(context: &Context<'_>, request: &Request) -> Vec<Permission> {
    let (bucket, key) = bucket_and_key(request);
    let versioned = request.query("versionId").is_some();
    let action = match request.operation.as_str() {
        "ListBuckets" => "ListAllMyBuckets",
        "HeadBucket" | "ListObjectsV2" => "ListBucket",
        "ListObjectVersions" => "ListBucketVersions",
        "ListMultipartUploads" => "ListBucketMultipartUploads",
        "ListParts" => "ListMultipartUploadParts",
        "GetBucketEncryption" => "GetEncryptionConfiguration",
        "PutBucketEncryption" | "DeleteBucketEncryption" => "PutEncryptionConfiguration",
        "GetPublicAccessBlock" => "GetBucketPublicAccessBlock",
        "PutPublicAccessBlock" | "DeletePublicAccessBlock" => "PutBucketPublicAccessBlock",
        "DeleteBucketOwnershipControls" => "PutBucketOwnershipControls",
        "DeleteBucketTagging" => "PutBucketTagging",
        "GetBucketLifecycleConfiguration" => "GetLifecycleConfiguration",
        "PutBucketLifecycleConfiguration" | "DeleteBucketLifecycle" => "PutLifecycleConfiguration",
        "GetObject" | "HeadObject" if versioned => "GetObjectVersion",
        "HeadObject" => "GetObject",
        "DeleteObject" if versioned => "DeleteObjectVersion",
        "DeleteObjects" => "DeleteObject",
        "CreateMultipartUpload" | "UploadPart" | "CompleteMultipartUpload" => "PutObject",
        same => same,
    };
    let arn = bucket_arn(&request.region, &bucket);
    let resource = match request.operation.as_str() {
        "ListBuckets" => "*".to_owned(),
        "DeleteObjects" => format!("{arn}/*"),
        _ if key.is_empty() => arn,
        _ => format!("{arn}/{key}"),
    };
    let mut permissions = vec![Permission::new(format!("s3:{action}"), &resource)];
    if request.operation == "CreateBucket" && !context.account.is_empty() {
        let text = std::str::from_utf8(&request.body).unwrap_or_default();
        if text.contains("<Tag>") {
            permissions.push(Permission::new("s3:TagResource", &resource));
        }
        if request.header("x-amz-object-ownership").is_some() {
            permissions.push(Permission::new("s3:PutBucketOwnershipControls", &resource));
        }
    }
    permissions
}

pub(crate) fn handle(world: &mut World, context: &Context<'_>, request: &Request) -> Response {
    answer(world, context, request).unwrap_or_else(|failure| failure.answer(request))
}

fn answer(world: &mut World, context: &Context<'_>, request: &Request) -> Result<Response, Failure> {
    if request.operation.is_empty() {
        return Ok(response::unknown_operation(request));
    }
    let body = body::read(request)?;
    let (name, key) = bucket_and_key(request);
    match request.operation.as_str() {
        "ListBuckets" => return bucket::list(world, context, request),
        "CreateBucket" => return bucket::create(world, context, request, &name, &body),
        _ => {}
    }
    let bucket = world.s3.buckets.get(&name).ok_or_else(no_such_bucket)?;
    // Nothing but a 403 is said of a bucket of another account.
    if bucket.owner != context.account
        || request.header("x-amz-expected-bucket-owner").is_some_and(|expected| expected != bucket.owner)
    {
        return Err(access_denied());
    }
    if request.operation == "GetBucketLocation" && request.region == "us-east-1" {
        return Ok(bucket::location(bucket));
    }
    if bucket.region != request.region {
        return Ok(redirect(request, &name, &bucket.region));
    }
    if key.len() > 1024 {
        return Err(Failure::new(400, "KeyTooLongError", "Your key is too long"));
    }
    match request.operation.as_str() {
        "HeadBucket" => Ok(Response::empty(200)
            .with_header("x-amz-bucket-region", &bucket.region)
            .with_header("x-amz-access-point-alias", "false")),
        "DeleteBucket" => bucket::delete(world, context, &name),
        "GetBucketLocation" => Ok(bucket::location(bucket)),
        "ListObjectsV2" => listing::objects(world, request, &name),
        "ListObjectVersions" => listing::versions(world, context, request, &name),
        "ListMultipartUploads" => multipart::list(world, context, request, &name),
        "DeleteObjects" => object::delete_many(world, context, request, &name, &body),
        "CreateMultipartUpload" => multipart::create(world, context, request, &name, &key),
        "UploadPart" => multipart::upload_part(world, context, request, &name, &key, body),
        "ListParts" => multipart::list_parts(world, request, &name, &key),
        "CompleteMultipartUpload" => multipart::complete(world, context, request, &name, &key, &body),
        "AbortMultipartUpload" => multipart::abort(world, request, &name, &key),
        "PutObject" => object::put(world, context, request, &name, &key, body),
        "GetObject" | "HeadObject" => object::get(world, request, &name, &key),
        "DeleteObject" => object::delete(world, context, request, &name, &key),
        _ => {
            if request.method == Method::PUT && !body::has_checksum(request) {
                return Err(body::missing_checksum());
            }
            let mut changed = bucket.clone();
            let answer = bucket::setting(&mut changed, request, &name, &body)?;
            if changed != *bucket {
                world.s3.buckets.insert(name, changed);
            }
            Ok(answer)
        }
    }
}

/// The answer to a call that is signed for another region than the bucket's (Amazon S3 user guide, making requests).
fn redirect(request: &Request, name: &str, region: &str) -> Response {
    let china = if crate::world::partition(region) == "aws-cn" { ".cn" } else { "" };
    let xml = format!(
        "<Error><Code>PermanentRedirect</Code><Message>The bucket you are attempting to access must be addressed using the \
         specified endpoint. Please send all future requests to this endpoint.</Message>{}{}<RequestId>{}</RequestId>\
         <HostId>emulator</HostId></Error>",
        element("Endpoint", &format!("{name}.s3.{region}.amazonaws.com{china}")),
        element("Bucket", name),
        request.id
    );
    // An answer to HEAD has no body.
    let answer = if request.method == Method::HEAD { Response::empty(301) } else { Response::xml(301, &xml) };
    answer.with_header("x-amz-bucket-region", region)
}

/// Reads XML into its schema.
fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    let text = std::str::from_utf8(body).map_err(|_| malformed_xml())?;
    quick_xml::de::from_str(text).map_err(|_| malformed_xml())
}

/// Writes XML with its root element and namespace.
fn to_xml<T: Serialize>(root: &str, value: &T) -> Result<String, Failure> {
    let text = quick_xml::se::to_string_with_root(root, value)
        .map_err(|error| Failure::new(500, "InternalError", error.to_string()))?;
    Ok(with_references(&text.replacen(&format!("<{root}"), &format!("<{root} xmlns=\"{NAMESPACE}\""), 1)))
}

fn malformed_xml() -> Failure {
    Failure::new(
        400,
        "MalformedXML",
        "The XML you provided was not well-formed or did not validate against our published schema",
    )
}

fn no_such_bucket() -> Failure {
    Failure::new(404, "NoSuchBucket", "The specified bucket does not exist")
}

fn access_denied() -> Failure {
    Failure::new(403, "AccessDenied", "Access Denied")
}

fn invalid_argument(message: impl Into<String>) -> Failure {
    Failure::new(400, "InvalidArgument", message)
}

fn bucket_arn(region: &str, name: &str) -> String {
    format!("arn:{}:s3:::{name}", crate::world::partition(region))
}

/// A moment as S3 writes it in XML.
fn date(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string()
}

/// A moment as HTTP headers have it.
fn http_date(moment: Timestamp) -> String {
    moment.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// Whether the request was signed in its Authorization header.
fn is_signed_in_header(request: &Request) -> bool {
    matches!(request.caller, Caller::Signed { .. }) && request.header("authorization").is_some()
}
