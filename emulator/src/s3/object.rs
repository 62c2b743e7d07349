//! Objects: put, get, delete, with conditions and versions.

use std::{collections::BTreeMap, fmt::Write as _};

use bytes::Bytes;
use http::Method;
use md5::{Digest as _, Md5};
use serde::Deserialize;

use super::{Content, Object, Version, body, bucket, http_date, invalid_argument, malformed_xml, parse};
use crate::{
    query::{element, optional_element},
    request::{Request, as_text},
    response::{Failure, Response},
    world::{Context, World},
};

/// Puts an object, if the conditions hold.
pub(super) fn put(
    world: &mut World,
    context: &Context<'_>,
    request: &Request,
    bucket: &str,
    key: &str,
    body: Bytes,
) -> Result<Response, Failure> {
    check_condition(world, request, bucket, key)?;
    let headers = kept_headers(request, &body)?;
    let version = store(world, context, bucket, key, body, headers)?;
    Ok(stored(&version))
}

/// The answer to an object that was stored.
pub(super) fn stored(version: &Version) -> Response {
    let mut answer = Response::empty(200).with_header("x-amz-server-side-encryption", "AES256");
    if version.id != "null" {
        answer = answer.with_header("x-amz-version-id", &version.id);
    }
    if let Some(Content { blob: _, size: _, etag, headers }) = &version.content {
        answer = answer.with_header("etag", format!("\"{etag}\""));
        for (name, value) in headers.iter().filter(|(name, _)| name.starts_with("x-amz-checksum-")) {
            answer = answer.with_header(name, value);
        }
    }
    answer
}

/// Stores a version of an object, in place of the one without a version where the bucket makes no versions.
pub(super) fn store(
    world: &mut World,
    context: &Context<'_>,
    bucket: &str,
    key: &str,
    body: Bytes,
    headers: BTreeMap<String, String>,
) -> Result<Version, Failure> {
    let etag = body::hex(&Md5::digest(&body));
    store_with_etag(world, context, bucket, key, body, headers, etag)
}

pub(super) fn store_with_etag(
    world: &mut World,
    context: &Context<'_>,
    bucket: &str,
    key: &str,
    body: Bytes,
    headers: BTreeMap<String, String>,
    etag: String,
) -> Result<Version, Failure> {
    let size = body.len();
    let blob = world
        .blobs
        .put(body)
        .map_err(|error| Failure::new(500, "InternalError", format!("the emulator cannot keep the body: {error}")))?;
    let content = Content { blob, size, etag, headers };
    let version = Version { id: next_id(world, bucket)?, modified: context.now, content: Some(content) };
    append(world, bucket, key, version.clone());
    Ok(version)
}

fn append(world: &mut World, bucket: &str, key: &str, version: Version) {
    let path = format!("{bucket}/{key}");
    let mut object = world.s3.objects.get(&path).cloned().unwrap_or_default();
    if version.id == "null" {
        object.versions.retain(|old| {
            let stays = old.id != "null";
            if let (false, Some(content)) = (stays, &old.content) {
                world.blobs.remove(&content.blob);
            }
            stays
        });
    }
    object.versions.push(version);
    world.s3.objects.insert(path, object);
}

fn next_id(world: &World, bucket: &str) -> Result<String, Failure> {
    Ok(match bucket::existing(world, bucket)?.versioning.as_deref() {
        Some("Enabled") => uuid::Uuid::new_v4().simple().to_string(),
        _ => "null".to_owned(),
    })
}

/// Reads an object, or with HEAD what is known of it.
pub(super) fn get(world: &World, request: &Request, bucket: &str, key: &str) -> Result<Response, Failure> {
    let object = world.s3.objects.get(&format!("{bucket}/{key}")).ok_or_else(no_such_key)?;
    let wanted = request.query("versionId");
    let version = match wanted {
        Some(id) => object.versions.iter().find(|version| version.id == id).ok_or_else(no_such_version)?,
        None => object.versions.last().ok_or_else(no_such_key)?,
    };
    let Some(content) = &version.content else {
        let failure = if wanted.is_some() {
            Failure::new(405, "MethodNotAllowed", "The specified method is not allowed against this resource.")
        } else {
            no_such_key()
        };
        return Ok(failure
            .answer(request)
            .with_header("x-amz-delete-marker", "true")
            .with_header("x-amz-version-id", &version.id));
    };
    let Content { blob, size, etag, headers } = content;
    if request.header("if-match").is_some_and(|expected| !same_etag(expected, etag)) {
        return Err(precondition_failed());
    }
    if request.header("if-none-match").is_some_and(|known| known == "*" || same_etag(known, etag)) {
        return Ok(Response::empty(304).with_header("etag", format!("\"{etag}\"")));
    }
    let mut answer = Response::empty(200)
        .with_header("etag", format!("\"{etag}\""))
        .with_header("last-modified", http_date(version.modified))
        .with_header("accept-ranges", "bytes")
        .with_header("x-amz-server-side-encryption", "AES256");
    if version.id != "null" {
        answer = answer.with_header("x-amz-version-id", &version.id);
    }
    let range = request.header("range").map(|range| read_range(range, *size)).transpose()?;
    for (name, value) in headers {
        let is_checksum = name.starts_with("x-amz-checksum-");
        // A checksum is told when it was asked for, and speaks of the whole.
        if !is_checksum || (range.is_none() && request.header("x-amz-checksum-mode") == Some("ENABLED")) {
            answer = answer.with_header(name, value);
        }
    }
    let (first, end) = range.unwrap_or((0, *size));
    if range.is_some() {
        answer.status = 206;
        answer = answer.with_header("content-range", format!("bytes {first}-{}/{size}", end - 1));
    }
    if request.method == Method::HEAD {
        return Ok(answer.with_header("content-length", (end - first).to_string()));
    }
    let whole = world
        .blobs
        .get(blob)
        .map_err(|error| Failure::new(500, "InternalError", format!("the emulator has lost a body: {error}")))?;
    answer.body = whole.slice(first..end);
    Ok(answer)
}

/// Deletes an object, or puts a marker where there are versions.
pub(super) fn delete(
    world: &mut World,
    context: &Context<'_>,
    request: &Request,
    bucket: &str,
    key: &str,
) -> Result<Response, Failure> {
    if request.header("if-match").is_some() {
        check_condition(world, request, bucket, key)?;
    }
    let deleted = delete_one(world, context, bucket, key, request.query("versionId"))?;
    let mut answer = Response::empty(204);
    if deleted.is_marker {
        answer = answer.with_header("x-amz-delete-marker", "true");
    }
    if let Some(id) = deleted.version {
        answer = answer.with_header("x-amz-version-id", id);
    }
    Ok(answer)
}

/// Deletes up to a thousand objects or versions, each of which may fail for itself.
pub(super) fn delete_many(
    world: &mut World,
    context: &Context<'_>,
    request: &Request,
    bucket: &str,
    body: &Bytes,
) -> Result<Response, Failure> {
    if !body::has_checksum(request) {
        return Err(body::missing_checksum());
    }
    let Delete { _namespace: _, objects, quiet } = parse(body)?;
    if objects.is_empty() || objects.len() > 1000 {
        return Err(malformed_xml());
    }
    let mut xml = format!("<DeleteResult xmlns=\"{}\">", super::NAMESPACE);
    for ObjectIdentifier { key, version_id, etag } in objects {
        let version_element = optional_element("VersionId", version_id.as_deref());
        let current = current_etag(world, bucket, &key);
        let result = match etag {
            Some(expected) if !current.is_some_and(|current| same_etag(&expected, &current)) => {
                Err(precondition_failed())
            }
            Some(_) | None => delete_one(world, context, bucket, &key, version_id.as_deref()),
        };
        match result {
            Err(failure) => {
                let _ = write!(
                    xml,
                    "<Error>{}{version_element}{}{}</Error>",
                    element("Key", &key),
                    element("Code", failure.code),
                    element("Message", &failure.message)
                );
            }
            Ok(_) if quiet => {}
            Ok(Deleted { is_marker, version }) => {
                let marker = if is_marker {
                    element("DeleteMarker", "true") + &optional_element("DeleteMarkerVersionId", version.as_deref())
                } else {
                    String::new()
                };
                let _ = write!(xml, "<Deleted>{}{version_element}{marker}</Deleted>", element("Key", &key));
            }
        }
    }
    xml += "</DeleteResult>";
    Ok(Response::xml(200, &xml))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Delete {
    #[serde(rename = "@xmlns")]
    _namespace: Option<String>,
    #[serde(rename = "Object", default)]
    objects: Vec<ObjectIdentifier>,
    #[serde(rename = "Quiet", default)]
    quiet: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ObjectIdentifier {
    #[serde(rename = "Key")]
    key: String,
    #[serde(rename = "VersionId")]
    version_id: Option<String>,
    #[serde(rename = "ETag")]
    etag: Option<String>,
}

struct Deleted {
    is_marker: bool,
    version: Option<String>,
}

fn delete_one(
    world: &mut World,
    context: &Context<'_>,
    bucket: &str,
    key: &str,
    version: Option<&str>,
) -> Result<Deleted, Failure> {
    let path = format!("{bucket}/{key}");
    let versioning = bucket::existing(world, bucket)?.versioning.is_some();
    match version {
        Some(id) => {
            if world.s3.locked.contains_key(&path) {
                return Err(Failure::new(
                    403,
                    "AccessDenied",
                    "Access Denied because object protected by object lock.",
                ));
            }
            let is_marker = remove_versions(world, &path, |version| version.id == id);
            Ok(Deleted { is_marker, version: Some(id.to_owned()) })
        }
        None if versioning => {
            let id = next_id(world, bucket)?;
            append(world, bucket, key, Version { id: id.clone(), modified: context.now, content: None });
            Ok(Deleted { is_marker: true, version: Some(id) })
        }
        None => {
            if world.s3.locked.contains_key(&path) {
                return Err(super::access_denied());
            }
            remove_versions(world, &path, |_| true);
            Ok(Deleted { is_marker: false, version: None })
        }
    }
}

/// Removes versions for good, and says whether a marker was among them.
fn remove_versions(world: &mut World, path: &str, doomed: impl Fn(&Version) -> bool) -> bool {
    let Some(Object { versions }) = world.s3.objects.get(path).cloned() else {
        return false;
    };
    let (gone, left): (Vec<Version>, Vec<Version>) = versions.into_iter().partition(doomed);
    for content in gone.iter().filter_map(|version| version.content.as_ref()) {
        world.blobs.remove(&content.blob);
    }
    if left.is_empty() {
        world.s3.objects.remove(path);
    } else if !gone.is_empty() {
        world.s3.objects.insert(path, Object { versions: left });
    }
    gone.iter().any(|version| version.content.is_none())
}

/// Refuses a write whose If-Match or If-None-Match does not hold. A delete marker counts as nothing.
pub(super) fn check_condition(world: &World, request: &Request, bucket: &str, key: &str) -> Result<(), Failure> {
    let current = current_etag(world, bucket, key);
    match request.header("if-none-match") {
        None => {}
        Some("*") if current.is_some() => return Err(precondition_failed()),
        Some("*") => {}
        Some(_) => {
            return Err(Failure::new(
                501,
                "NotImplemented",
                "A header you provided implies functionality that is not implemented",
            ));
        }
    }
    match (request.header("if-match"), current) {
        (None, _) => Ok(()),
        (Some(_), None) => Err(no_such_key()),
        (Some("*"), Some(_)) => Ok(()),
        (Some(expected), Some(current)) if same_etag(expected, &current) => Ok(()),
        (Some(_), Some(_)) => Err(precondition_failed()),
    }
}

fn current_etag(world: &World, bucket: &str, key: &str) -> Option<String> {
    let object = world.s3.objects.get(&format!("{bucket}/{key}"))?;
    object.versions.last()?.content.as_ref().map(|content| content.etag.clone())
}

/// The headers of a request that come back with the object.
pub(super) fn kept_headers(request: &Request, whole: &[u8]) -> Result<BTreeMap<String, String>, Failure> {
    const KEPT: [&str; 5] = ["cache-control", "content-disposition", "content-language", "content-type", "expires"];
    // With BucketOwnerEnforced, the default, only these ACLs are accepted (S3 user guide, Object Ownership).
    if request.header("x-amz-acl").is_some_and(|acl| !matches!(acl, "private" | "bucket-owner-full-control")) {
        return Err(Failure::new(400, "AccessControlListNotSupported", "The bucket does not allow ACLs"));
    }
    if request.header("x-amz-tagging").is_some() {
        return Err(Failure::new(501, "NotImplemented", "the emulator has no tags of objects"));
    }
    let mut kept = BTreeMap::from([("content-type".to_owned(), "binary/octet-stream".to_owned())]);
    for (name, value) in &request.headers {
        let Some(value) = as_text(value) else { continue };
        if KEPT.contains(&name.as_str())
            || name.as_str().starts_with("x-amz-meta-")
            || body::CHECKSUMS.contains(&name.as_str())
        {
            // S3 gives other characters back in a form of its own (Amazon S3 user guide, object metadata).
            if !value.is_ascii() {
                return Err(Failure::new(501, "NotImplemented", format!("the emulator keeps only ASCII in {name}")));
            }
            kept.insert(name.as_str().to_owned(), value.to_owned());
        }
    }
    // aws-chunked is how the body travelled and is not kept.
    let encodings: Vec<&str> = request
        .header("content-encoding")
        .unwrap_or_default()
        .split(',')
        .map(str::trim)
        .filter(|encoding| !encoding.is_empty() && *encoding != "aws-chunked")
        .collect();
    if !encodings.is_empty() {
        kept.insert("content-encoding".to_owned(), encodings.join(", "));
    }
    if let Some(name) = request.header("x-amz-trailer")
        && let Some(value) = name.strip_prefix("x-amz-checksum-").and_then(|algorithm| body::checksum(algorithm, whole))
    {
        kept.insert(name.to_owned(), value);
    }
    Ok(kept)
}

fn read_range(range: &str, size: usize) -> Result<(usize, usize), Failure> {
    let unsatisfiable = || Failure::new(416, "InvalidRange", "The requested range is not satisfiable");
    let (first, last) =
        range.strip_prefix("bytes=").and_then(|range| range.split_once('-')).ok_or_else(unsatisfiable)?;
    // Rust's own parser takes a plus sign.
    let number = |text: &str| match text.parse::<usize>() {
        Ok(number) if !text.starts_with('+') => Ok(number),
        Ok(_) | Err(_) => Err(unsatisfiable()),
    };
    let (first, end) = match (first, last) {
        ("", suffix) => (size.saturating_sub(number(suffix)?), size),
        (first, "") => (number(first)?, size),
        (first, last) => (number(first)?, number(last)?.saturating_add(1).min(size)),
    };
    if first >= end { Err(unsatisfiable()) } else { Ok((first, end)) }
}

fn same_etag(given: &str, etag: &str) -> bool {
    given.trim_matches('"') == etag
}

pub(super) fn no_such_key() -> Failure {
    Failure::new(404, "NoSuchKey", "The specified key does not exist.")
}

fn no_such_version() -> Failure {
    Failure::new(404, "NoSuchVersion", "The specified version does not exist.")
}

fn precondition_failed() -> Failure {
    Failure::new(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
}

/// A number in a query, within its range.
pub(super) fn query_number(request: &Request, name: &str, default: usize) -> Result<usize, Failure> {
    match request.query(name) {
        None => Ok(default),
        Some(text) => text
            .parse::<usize>()
            .map(|number| number.min(default))
            .map_err(|_| invalid_argument(format!("Provided {name} not an integer or within integer range"))),
    }
}
