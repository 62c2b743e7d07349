//! Uploads in parts.

use std::{collections::BTreeMap, fmt::Write as _};

use bytes::{Bytes, BytesMut};
use md5::{Digest as _, Md5};
use serde::Deserialize;

use super::{
    Part, Upload, body, date, invalid_argument,
    listing::Shape,
    malformed_xml,
    object::{self, query_number},
    parse,
};
use crate::{
    query::{element, optional_element},
    request::Request,
    response::{Failure, Response},
    world::{Context, World},
};

/// Every part but the last has at least this (S3 user guide, multipart upload limits).
const LEAST_PART_BYTES: usize = 5 << 20;
const PAGE: usize = 1000;

/// Begins an upload.
pub(super) fn create(
    world: &mut World,
    context: &Context<'_>,
    request: &Request,
    bucket: &str,
    key: &str,
) -> Result<Response, Failure> {
    let id = uuid::Uuid::new_v4().simple().to_string();
    let headers = object::kept_headers(request, &[])?;
    let upload = Upload { key: key.to_owned(), begun: context.now, headers, parts: BTreeMap::new() };
    world.s3.uploads.insert(format!("{bucket}/{id}"), upload);
    Ok(Response::xml(
        200,
        &format!(
            "<InitiateMultipartUploadResult xmlns=\"{}\">{}{}{}</InitiateMultipartUploadResult>",
            super::NAMESPACE,
            element("Bucket", bucket),
            element("Key", key),
            element("UploadId", &id)
        ),
    ))
}

/// Takes a part, in place of one of the same number.
pub(super) fn upload_part(
    world: &mut World,
    context: &Context<'_>,
    request: &Request,
    bucket: &str,
    key: &str,
    body: Bytes,
) -> Result<Response, Failure> {
    let id = upload_id(world, request, bucket, key)?;
    let number: u16 = request
        .query("partNumber")
        .and_then(|number| number.parse().ok())
        .filter(|number| (1..=10_000).contains(number))
        .ok_or_else(|| invalid_argument("Part number must be an integer between 1 and 10000, inclusive"))?;
    let etag = body::hex(&Md5::digest(&body));
    let size = body.len();
    let blob = world
        .blobs
        .put(body)
        .map_err(|error| Failure::new(500, "InternalError", format!("the emulator cannot keep the body: {error}")))?;
    let upload = world.s3.uploads.get_mut(&id).ok_or_else(no_such_upload)?;
    let part = Part { blob, size, etag: etag.clone(), modified: context.now };
    if let Some(old) = upload.parts.insert(number, part) {
        world.blobs.remove(&old.blob);
    }
    let mut answer = Response::empty(200).with_header("etag", format!("\"{etag}\""));
    for name in body::CHECKSUMS {
        if let Some(value) = request.header(name) {
            answer = answer.with_header(name, value);
        }
    }
    Ok(answer)
}

/// Makes the parts an object.
pub(super) fn complete(
    world: &mut World,
    context: &Context<'_>,
    request: &Request,
    bucket: &str,
    key: &str,
    body: &Bytes,
) -> Result<Response, Failure> {
    let id = upload_id(world, request, bucket, key)?;
    object::check_condition(world, request, bucket, key)?;
    let CompleteMultipartUpload { _namespace: _, parts: named } = parse(body)?;
    if named.is_empty() {
        return Err(malformed_xml());
    }
    if !named.is_sorted_by(|one, next| one.part_number < next.part_number) {
        return Err(Failure::new(
            400,
            "InvalidPartOrder",
            "The list of parts was not in ascending order. The parts list must be specified in order by part number.",
        ));
    }
    let upload = world.s3.uploads.get(&id).cloned().ok_or_else(no_such_upload)?;
    let mut whole = BytesMut::new();
    let mut digests = Md5::new();
    for (index, CompletedPart { part_number, etag }) in named.iter().enumerate() {
        let part = upload
            .parts
            .get(part_number)
            .filter(|part| part.etag == etag.trim_matches('"'))
            .ok_or_else(|| {
                Failure::new(
                    400,
                    "InvalidPart",
                    "One or more of the specified parts could not be found. The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.",
                )
            })?;
        if index + 1 < named.len() && part.size < LEAST_PART_BYTES {
            return Err(Failure::new(
                400,
                "EntityTooSmall",
                "Your proposed upload is smaller than the minimum allowed size",
            ));
        }
        let bytes = world
            .blobs
            .get(&part.blob)
            .map_err(|error| Failure::new(500, "InternalError", format!("the emulator has lost a part: {error}")))?;
        digests.update(Md5::digest(&bytes));
        whole.extend_from_slice(&bytes);
    }
    let etag = format!("{}-{}", body::hex(&digests.finalize()), named.len());
    let version =
        object::store_with_etag(world, context, bucket, key, whole.freeze(), upload.headers.clone(), etag.clone())?;
    forget(world, &id, &upload);
    let mut answer = Response::xml(
        200,
        &format!(
            "<CompleteMultipartUploadResult xmlns=\"{}\">{}{}<ETag>&quot;{etag}&quot;</ETag></CompleteMultipartUploadResult>",
            super::NAMESPACE,
            element("Bucket", bucket),
            element("Key", key)
        ),
    );
    if version.id != "null" {
        answer = answer.with_header("x-amz-version-id", version.id);
    }
    Ok(answer)
}

/// Gives an upload up.
pub(super) fn abort(world: &mut World, request: &Request, bucket: &str, key: &str) -> Result<Response, Failure> {
    let id = upload_id(world, request, bucket, key)?;
    let upload = world.s3.uploads.get(&id).cloned().ok_or_else(no_such_upload)?;
    forget(world, &id, &upload);
    Ok(Response::empty(204))
}

fn forget(world: &mut World, id: &str, upload: &Upload) {
    world.s3.uploads.remove(id);
    for part in upload.parts.values() {
        world.blobs.remove(&part.blob);
    }
}

/// Lists unfinished uploads, by key and then by time.
pub(super) fn list(world: &World, context: &Context<'_>, request: &Request, bucket: &str) -> Result<Response, Failure> {
    let most = query_number(request, "max-uploads", PAGE)?;
    if request.query("delimiter").is_some_and(|delimiter| !delimiter.is_empty()) {
        return Err(Failure::new(501, "NotImplemented", "the emulator lists uploads without a delimiter only"));
    }
    let shape = Shape::read(request)?;
    let key_marker = request.query("key-marker").unwrap_or_default();
    let id_marker = request.query("upload-id-marker").unwrap_or_default();
    let inside = format!("{bucket}/");
    let mut uploads: Vec<(&str, &str, &Upload)> = world
        .s3
        .uploads
        .with_prefix(&inside)
        .map(|(path, upload)| (upload.key.as_str(), &path[inside.len()..], upload))
        .filter(|(key, id, _)| {
            key.starts_with(shape.prefix)
                && (*key > key_marker || (*key == key_marker && !id_marker.is_empty() && *id > id_marker))
        })
        .collect();
    uploads.sort_by_key(|(key, id, _)| (*key, *id));
    let truncated = uploads.len() > most;
    uploads.truncate(most);
    let next = uploads.last().filter(|_| truncated);
    let mut entries = String::new();
    for (key, id, upload) in &uploads {
        let _ = write!(
            entries,
            "<Upload>{}{}<Initiator><ID>{account}</ID></Initiator><Owner><ID>{account}</ID></Owner><StorageClass>STANDARD</StorageClass>{}</Upload>",
            element("Key", &shape.encode(key)),
            element("UploadId", id),
            element("Initiated", &date(upload.begun)),
            account = context.account
        );
    }
    Ok(Response::xml(
        200,
        &format!(
            "<ListMultipartUploadsResult xmlns=\"{}\">{}{}{}{}{}{}<MaxUploads>{most}</MaxUploads><IsTruncated>{truncated}</IsTruncated>{entries}</ListMultipartUploadsResult>",
            super::NAMESPACE,
            element("Bucket", bucket),
            shape.xml(),
            element("KeyMarker", &shape.encode(key_marker)),
            element("UploadIdMarker", id_marker),
            optional_element("NextKeyMarker", next.map(|(key, _, _)| shape.encode(key)).as_deref()),
            optional_element("NextUploadIdMarker", next.map(|(_, id, _)| *id)),
        ),
    ))
}

/// Lists the parts of an upload.
pub(super) fn list_parts(world: &World, request: &Request, bucket: &str, key: &str) -> Result<Response, Failure> {
    let id = upload_id(world, request, bucket, key)?;
    let upload = world.s3.uploads.get(&id).ok_or_else(no_such_upload)?;
    let most = query_number(request, "max-parts", PAGE)?;
    let behind: u16 = request.query("part-number-marker").and_then(|number| number.parse().ok()).unwrap_or(0);
    let mut numbers: Vec<u16> = upload.parts.keys().copied().filter(|number| *number > behind).collect();
    let truncated = numbers.len() > most;
    numbers.truncate(most);
    let next = numbers.last().filter(|_| truncated).map(ToString::to_string);
    let mut entries = String::new();
    for number in &numbers {
        let Part { blob: _, size, etag, modified } = &upload.parts[number];
        let _ = write!(
            entries,
            "<Part><PartNumber>{number}</PartNumber>{}<ETag>&quot;{etag}&quot;</ETag><Size>{size}</Size></Part>",
            element("LastModified", &date(*modified))
        );
    }
    Ok(Response::xml(
        200,
        &format!(
            "<ListPartsResult xmlns=\"{}\">{}{}{}{}<MaxParts>{most}</MaxParts><IsTruncated>{truncated}</IsTruncated>{entries}</ListPartsResult>",
            super::NAMESPACE,
            element("Bucket", bucket),
            element("Key", key),
            element("UploadId", request.query("uploadId").unwrap_or_default()),
            optional_element("NextPartNumberMarker", next.as_deref()),
        ),
    ))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CompleteMultipartUpload {
    #[serde(rename = "@xmlns")]
    _namespace: Option<String>,
    #[serde(rename = "Part", default)]
    parts: Vec<CompletedPart>,
}

/// Checksums of the parts may stand beside these and are not kept.
#[derive(Debug, Deserialize)]
struct CompletedPart {
    #[serde(rename = "PartNumber")]
    part_number: u16,
    #[serde(rename = "ETag")]
    etag: String,
}

/// The key of the upload that a request names, which must be of this object.
fn upload_id(world: &World, request: &Request, bucket: &str, key: &str) -> Result<String, Failure> {
    let id = format!("{bucket}/{}", request.query("uploadId").unwrap_or_default());
    match world.s3.uploads.get(&id) {
        Some(upload) if upload.key == key => Ok(id),
        Some(_) | None => Err(no_such_upload()),
    }
}

fn no_such_upload() -> Failure {
    Failure::new(
        404,
        "NoSuchUpload",
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.",
    )
}
