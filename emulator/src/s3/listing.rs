//! Lists of objects and of their versions, in pages.

use std::fmt::Write as _;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{date, invalid_argument, object::query_number};
use crate::{
    query::{element, optional_element},
    request::Request,
    response::{Failure, Response},
    world::{Context, World},
};

const PAGE: usize = 1000;
/// What stays readable in a list with `encoding-type=url`.
const URL_ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'*').remove(b'/');

/// ListObjectsV2.
pub(super) fn objects(world: &World, request: &Request, bucket: &str) -> Result<Response, Failure> {
    let shape = Shape::read(request)?;
    let most = query_number(request, "max-keys", PAGE)?;
    let token = match request.query("continuation-token") {
        None => None,
        Some(token) => Some(
            BASE64_STANDARD
                .decode(token)
                .ok()
                .and_then(|bytes| String::from_utf8(bytes).ok())
                .ok_or_else(|| invalid_argument("The continuation token provided is incorrect"))?,
        ),
    };
    let behind = token.clone().or_else(|| request.query("start-after").map(str::to_owned)).unwrap_or_default();
    let mut contents = String::new();
    let mut prefixes: Vec<String> = Vec::new();
    let mut count = 0;
    let mut last = String::new();
    let mut truncated = false;
    for (path, object) in world.s3.objects.with_prefix(&format!("{bucket}/{}", shape.prefix)) {
        let key = &path[bucket.len() + 1..];
        let Some(version) = object.versions.last() else {
            continue;
        };
        let Some(content) = &version.content else {
            continue;
        };
        let common = shape.common_prefix(key);
        if key <= behind.as_str()
            || common
                .as_ref()
                .is_some_and(|common| prefixes.last() == Some(common) || behind.starts_with(common.as_str()))
        {
            continue;
        }
        if count == most {
            truncated = most > 0;
            break;
        }
        count += 1;
        match common {
            Some(common) => {
                last.clone_from(&common);
                prefixes.push(common);
            }
            None => {
                key.clone_into(&mut last);
                let _ = write!(
                    contents,
                    "<Contents>{}{}<ETag>&quot;{}&quot;</ETag><Size>{}</Size><StorageClass>STANDARD</StorageClass></Contents>",
                    element("Key", &shape.encode(key)),
                    element("LastModified", &date(version.modified)),
                    content.etag,
                    content.size
                );
            }
        }
    }
    let next = truncated.then(|| BASE64_STANDARD.encode(&last));
    Ok(Response::xml(
        200,
        &format!(
            "<ListBucketResult xmlns=\"{}\">{}{}{}{}{}<KeyCount>{count}</KeyCount><MaxKeys>{most}</MaxKeys><IsTruncated>{truncated}</IsTruncated>{contents}{}</ListBucketResult>",
            super::NAMESPACE,
            element("Name", bucket),
            shape.xml(),
            optional_element("StartAfter", request.query("start-after").map(|after| shape.encode(after)).as_deref()),
            optional_element("ContinuationToken", request.query("continuation-token")),
            optional_element("NextContinuationToken", next.as_deref()),
            shape.common_prefixes(&prefixes)
        ),
    ))
}

/// ListObjectVersions: newest first for each key.
pub(super) fn versions(
    world: &World,
    context: &Context<'_>,
    request: &Request,
    bucket: &str,
) -> Result<Response, Failure> {
    let shape = Shape::read(request)?;
    let most = query_number(request, "max-keys", PAGE)?;
    let key_marker = request.query("key-marker").unwrap_or_default();
    let version_marker = request.query("version-id-marker").filter(|id| !id.is_empty());
    if version_marker.is_some() && key_marker.is_empty() {
        return Err(invalid_argument("A version-id marker cannot be specified without a key marker."));
    }
    let mut entries = String::new();
    let mut prefixes: Vec<String> = Vec::new();
    let mut count = 0;
    let mut last: Option<(String, Option<String>)> = None;
    let mut truncated = false;
    'keys: for (path, object) in world.s3.objects.with_prefix(&format!("{bucket}/{}", shape.prefix)) {
        let key = &path[bucket.len() + 1..];
        if key < key_marker || (key == key_marker && version_marker.is_none() && !key_marker.is_empty()) {
            continue;
        }
        if let Some(common) = shape.common_prefix(key) {
            if prefixes.last() == Some(&common) || (!key_marker.is_empty() && key_marker.starts_with(common.as_str())) {
                continue;
            }
            if count == most {
                truncated = true;
                break;
            }
            count += 1;
            last = Some((common.clone(), None));
            prefixes.push(common);
            continue;
        }
        // Behind the marker, if this is its key; a version that is gone since then hides nothing.
        let mut passed = key != key_marker
            || version_marker.is_none_or(|marker| !object.versions.iter().any(|version| version.id == marker));
        for (index, version) in object.versions.iter().rev().enumerate() {
            if !passed {
                passed = version_marker == Some(version.id.as_str());
                continue;
            }
            if count == most {
                truncated = true;
                break 'keys;
            }
            count += 1;
            last = Some((key.to_owned(), Some(version.id.clone())));
            let common = format!(
                "{}{}<IsLatest>{}</IsLatest>{}<Owner><ID>{}</ID></Owner>",
                element("Key", &shape.encode(key)),
                element("VersionId", &version.id),
                index == 0,
                element("LastModified", &date(version.modified)),
                context.account
            );
            let _ = match &version.content {
                Some(content) => write!(
                    entries,
                    "<Version>{common}<ETag>&quot;{}&quot;</ETag><Size>{}</Size><StorageClass>STANDARD</StorageClass></Version>",
                    content.etag, content.size
                ),
                None => write!(entries, "<DeleteMarker>{common}</DeleteMarker>"),
            };
        }
    }
    let (next_key, next_version) = match (truncated, last) {
        (true, Some((key, version))) => (Some(shape.encode(&key)), version),
        _ => (None, None),
    };
    Ok(Response::xml(
        200,
        &format!(
            "<ListVersionsResult xmlns=\"{}\">{}{}{}{}<MaxKeys>{most}</MaxKeys><IsTruncated>{truncated}</IsTruncated>{}{}{entries}{}</ListVersionsResult>",
            super::NAMESPACE,
            element("Name", bucket),
            shape.xml(),
            element("KeyMarker", &shape.encode(key_marker)),
            element("VersionIdMarker", version_marker.unwrap_or_default()),
            optional_element("NextKeyMarker", next_key.as_deref()),
            optional_element("NextVersionIdMarker", next_version.as_deref()),
            shape.common_prefixes(&prefixes)
        ),
    ))
}

/// What a list is narrowed to and how it is written.
pub(super) struct Shape<'a> {
    pub(super) prefix: &'a str,
    delimiter: Option<&'a str>,
    encoding: Encoding,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Plain,
    Url,
}

impl<'a> Shape<'a> {
    pub(super) fn read(request: &'a Request) -> Result<Self, Failure> {
        let encoding = match request.query("encoding-type") {
            None => Encoding::Plain,
            Some("url") => Encoding::Url,
            Some(_) => {
                return Err(invalid_argument("Invalid Encoding Method specified in Request"));
            }
        };
        Ok(Self {
            prefix: request.query("prefix").unwrap_or_default(),
            delimiter: request.query("delimiter").filter(|delimiter| !delimiter.is_empty()),
            encoding,
        })
    }

    fn common_prefix(&self, key: &str) -> Option<String> {
        let delimiter = self.delimiter?;
        let rest = &key[self.prefix.len()..];
        let end = rest.find(delimiter)? + delimiter.len();
        Some(key[..self.prefix.len() + end].to_owned())
    }

    pub(super) fn encode(&self, text: &str) -> String {
        match self.encoding {
            Encoding::Plain => text.to_owned(),
            Encoding::Url => utf8_percent_encode(text, URL_ENCODED).to_string().replace("%20", "+"),
        }
    }

    pub(super) fn xml(&self) -> String {
        let encoding = (self.encoding == Encoding::Url).then_some("url");
        let delimiter = self.delimiter.map(|delimiter| self.encode(delimiter));
        element("Prefix", &self.encode(self.prefix))
            + &optional_element("Delimiter", delimiter.as_deref())
            + &optional_element("EncodingType", encoding)
    }

    fn common_prefixes(&self, prefixes: &[String]) -> String {
        prefixes
            .iter()
            .map(|prefix| format!("<CommonPrefixes>{}</CommonPrefixes>", element("Prefix", &self.encode(prefix))))
            .collect()
    }
}
