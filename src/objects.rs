//! Objects of a bucket: listed in pages and read as they come. Never writes.

use std::time::Duration;

use aws_sdk_s3::primitives::{ByteStream, DateTimeFormat};
use aws_sdk_s3::types::EncodingType;
use jiff::Timestamp;
use percent_encoding::percent_decode_str;

use crate::aws::{Session, code, failure, is_denied, text};
use crate::backup::{Key, Layout, Name};
use crate::error::{Error, Result};

/// How often a body that broke off is asked for again from where it broke.
const BODY_ATTEMPTS: u32 = 4;
/// Pause before that.
const BODY_PAUSE: Duration = Duration::from_millis(500);

/// A bucket as calls address it. The owner goes with every call, so that one of the same name in another account is never
/// read.
#[derive(Debug)]
pub struct Bucket<'s> {
    session: &'s Session,
    /// Its name.
    pub name: String,
    owner: String,
}

/// An object as a listing shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its key.
    pub key: String,
    /// Its size in bytes, as it is stored.
    pub size: u64,
    /// When it was written, by S3's clock.
    pub modified: Option<Timestamp>,
}

/// Why an object cannot be read.
#[derive(Debug)]
pub enum ReadError {
    /// This one alone; why.
    Object(String),
    /// None of them.
    All(Error),
}

impl<'s> Bucket<'s> {
    /// Names a bucket. Sends nothing but sts:GetCallerIdentity, where nobody has asked it yet.
    ///
    /// # Errors
    /// As [`Session::caller`].
    pub async fn of(session: &'s Session, name: &str) -> Result<Self> {
        let owner = session.target().await?.account.clone();
        Ok(Self { session, name: name.to_owned(), owner })
    }

    fn label(&self) -> String {
        format!("bucket {}", self.name)
    }

    /// Returns the folders that follow a prefix, each with the prefix before and a slash behind it.
    ///
    /// # Errors
    /// Fails as s3:ListBucket does.
    pub async fn folders(&self, prefix: &str) -> Result<Vec<String>> {
        let list = self.session.aws.s3.list_objects_v2().bucket(&self.name).expected_bucket_owner(&self.owner);
        let list = list.encoding_type(EncodingType::Url).prefix(prefix).delimiter("/");
        let mut pages = list.into_paginator().send();
        let mut folders = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| failure(&self.label(), "s3:ListBucket", error))?;
            let encoding = page.encoding_type();
            folders.extend(page.common_prefixes().iter().filter_map(|one| Some(key_of(one.prefix()?, encoding))));
        }
        Ok(folders)
    }

    /// Lists what lies below a prefix, in the order of the keys, behind a key.
    #[must_use]
    pub fn list(&self, prefix: &str, behind: &str) -> Listing<'_> {
        Listing { bucket: self, prefix: prefix.to_owned(), next: Some(Next::Behind(behind.to_owned())) }
    }

    /// Begins to read an object.
    ///
    /// # Errors
    /// Fails as s3:GetObject does; what concerns this object alone (it went, it is archived) is told apart.
    pub async fn read(&self, key: &str) -> Result<Body<'_>, ReadError> {
        let mut body = Body { bucket: self, key: key.to_owned(), etag: None, taken: 0, stream: None };
        body.open().await?;
        Ok(body)
    }
}

/// A listing, page by page: no more than one page is held.
#[derive(Debug)]
pub struct Listing<'b> {
    bucket: &'b Bucket<'b>,
    prefix: String,
    next: Option<Next>,
}

#[derive(Debug)]
enum Next {
    Behind(String),
    Token(String),
}

impl Listing<'_> {
    /// Returns the next page, of a thousand objects at most; `None` after the last.
    ///
    /// # Errors
    /// Fails as s3:ListBucket does.
    pub async fn next(&mut self) -> Result<Option<Vec<Listed>>> {
        let Some(next) = self.next.take() else { return Ok(None) };
        let Bucket { session, name, owner } = self.bucket;
        let list = session.aws.s3.list_objects_v2().bucket(name).expected_bucket_owner(owner);
        let list = list.encoding_type(EncodingType::Url).prefix(&self.prefix);
        let list = match next {
            Next::Behind(key) if key.is_empty() => list,
            Next::Behind(key) => list.start_after(key),
            Next::Token(token) => list.continuation_token(token),
        };
        let page = list.send().await.map_err(|error| failure(&self.bucket.label(), "s3:ListBucket", error))?;
        self.next = page.next_continuation_token().map(|token| Next::Token(token.to_owned()));
        let encoding = page.encoding_type;
        let listed = page.contents.unwrap_or_default().into_iter().filter_map(|object| {
            let modified = object.last_modified.and_then(|at| at.fmt(DateTimeFormat::DateTime).ok()?.parse().ok());
            let size = object.size.and_then(|size| u64::try_from(size).ok()).unwrap_or_default();
            Some(Listed { key: key_of(&object.key?, encoding.as_ref()), size, modified })
        });
        Ok(Some(listed.collect()))
    }
}

/// An object that is being read. A connection that breaks is taken up again from the byte where it broke.
#[derive(Debug)]
pub struct Body<'b> {
    bucket: &'b Bucket<'b>,
    key: String,
    etag: Option<String>,
    taken: u64,
    stream: Option<ByteStream>,
}

impl Body<'_> {
    /// Returns the next bytes; `None` at the end.
    ///
    /// # Errors
    /// As [`Bucket::read`].
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, ReadError> {
        let mut attempt = 0;
        loop {
            if self.stream.is_none() {
                self.open().await?;
            }
            let Some(stream) = &mut self.stream else { return Ok(None) };
            let why = match stream.next().await {
                None => return Ok(None),
                Some(Ok(bytes)) => {
                    self.taken += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                    return Ok(Some(bytes.to_vec()));
                }
                Some(Err(error)) => error.to_string(),
            };
            attempt += 1;
            if attempt == BODY_ATTEMPTS {
                return Err(ReadError::Object(format!("its transfer breaks off at byte {}: {why}", self.taken)));
            }
            self.stream = None;
            tokio::time::sleep(BODY_PAUSE.min(self.bucket.session.pace().longest)).await;
        }
    }

    async fn open(&mut self) -> Result<(), ReadError> {
        let Bucket { session, name, owner } = self.bucket;
        let mut get = session.aws.s3.get_object().bucket(name).expected_bucket_owner(owner).key(&self.key);
        if self.taken > 0 {
            get = get.range(format!("bytes={}-", self.taken)).set_if_match(self.etag.clone());
        }
        match get.send().await {
            Ok(answer) => {
                self.etag = answer.e_tag;
                self.stream = Some(answer.body);
                Ok(())
            }
            Err(error) => {
                let said = code(&error).unwrap_or_default().to_owned();
                let told = text(&error).unwrap_or_default().to_owned();
                if error.as_service_error().is_none() || is_denied(&said) {
                    let label = format!("{}: {}", self.bucket.label(), self.key);
                    return Err(ReadError::All(
                        failure(&label, "s3:GetObject", error)
                            .hint_if_denied("where the bucket has a key of its own, kms:Decrypt on that key, too"),
                    ));
                }
                Err(ReadError::Object(match said.as_str() {
                    "NoSuchKey" => "it is not there any more".to_owned(),
                    "InvalidObjectState" => "it is archived: restore it first (s3:RestoreObject)".to_owned(),
                    _ => format!("s3:GetObject: {said}: {told}"),
                }))
            }
        }
    }
}

/// Lists the objects of failed documents that Firehose wrote from an hour on.
///
/// # Errors
/// Fails as s3:ListBucket does.
pub async fn failed_since(bucket: &Bucket<'_>, layout: &Layout, from: Timestamp) -> Result<Vec<(Listed, Name)>> {
    let places = if layout.failed_folder_comes_first() {
        let folders = bucket.folders(layout.failed_below()).await?;
        let failed = folders.into_iter().filter(|folder| layout.is_failed_folder(folder));
        failed.map(|folder| (folder.clone(), format!("{folder}{}", hour(from)))).collect()
    } else {
        vec![(layout.failed_below().to_owned(), String::new())]
    };
    let mut found = Vec::new();
    for (place, behind) in places {
        let mut listing = bucket.list(&place, &behind);
        while let Some(page) = listing.next().await? {
            found.extend(page.into_iter().filter_map(|object| match layout.classify(&object.key) {
                Key::FailedDocuments(name) if name.time >= from => Some((object, name)),
                Key::FailedDocuments(_)
                | Key::Records(_)
                | Key::ProcessingFailed
                | Key::OtherStream(_)
                | Key::ForeignInFailedFolder
                | Key::Foreign => None,
            }));
        }
    }
    Ok(found)
}

/// Lists the objects of the backup of all records that Firehose wrote from an hour on.
///
/// # Errors
/// Fails as s3:ListBucket does.
pub async fn records_since(bucket: &Bucket<'_>, layout: &Layout, from: Timestamp) -> Result<Vec<(Listed, Name)>> {
    let below = layout.records_below();
    let behind = if layout.date_comes_first() { format!("{below}{}", hour(from)) } else { String::new() };
    records(bucket, layout, below, &behind, from).await
}

async fn records(
    bucket: &Bucket<'_>,
    layout: &Layout,
    below: &str,
    behind: &str,
    from: Timestamp,
) -> Result<Vec<(Listed, Name)>> {
    let mut listing = bucket.list(below, behind);
    let mut found = Vec::new();
    while let Some(page) = listing.next().await? {
        found.extend(page.into_iter().filter_map(|object| match layout.classify(&object.key) {
            Key::Records(name) if name.time >= from => Some((object, name)),
            Key::Records(_)
            | Key::FailedDocuments(_)
            | Key::ProcessingFailed
            | Key::OtherStream(_)
            | Key::ForeignInFailedFolder
            | Key::Foreign => None,
        }));
    }
    Ok(found)
}

/// Returns when the newest object of the backup of all records was begun; `None` where there is none, or where the date
/// stands behind an expression in the prefix, so that only a listing of everything could tell.
///
/// # Errors
/// Fails as s3:ListBucket does.
pub async fn newest_record(bucket: &Bucket<'_>, layout: &Layout) -> Result<Option<Timestamp>> {
    if !layout.date_comes_first() {
        return Ok(None);
    }
    // Year, month, day and hour are folders, so that four short listings lead to the last one.
    let mut folder = layout.records_below().to_owned();
    for digits in [4, 2, 2, 2] {
        let folders = bucket.folders(&folder).await?;
        let of_date = |one: &&String| {
            let name = one[folder.len()..].trim_end_matches('/');
            name.len() == digits && name.bytes().all(|byte| byte.is_ascii_digit())
        };
        let Some(last) = folders.iter().filter(of_date).max() else { return Ok(None) };
        folder = last.clone();
    }
    let found = records(bucket, layout, &folder, "", Timestamp::MIN).await?;
    Ok(found.into_iter().filter_map(|(object, name)| object.modified.or(Some(name.time))).max())
}

/// Reads a key as a listing gives it. A key may hold characters that XML cannot, so that listings are asked for it encoded; a
/// server that does not know of that says so by leaving the encoding out (S3 API reference, `EncodingType`).
#[must_use]
pub fn key_of(answered: &str, encoding: Option<&EncodingType>) -> String {
    match encoding {
        // A space is a plus sign there.
        Some(EncodingType::Url) => percent_decode_str(&answered.replace('+', " ")).decode_utf8_lossy().into_owned(),
        Some(_) | None => answered.to_owned(),
    }
}

fn hour(moment: Timestamp) -> String {
    moment.strftime("%Y/%m/%d/%H").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_as_it_was_encoded() {
        for (answered, encoding, key) in
            [("a+b%2Bc%01/%C3%A4", Some(EncodingType::Url), "a b+c\u{1}/\u{e4}"), ("a+b%2Bc", None, "a+b%2Bc")]
        {
            assert_eq!(key_of(answered, encoding.as_ref()), key);
        }
    }
}
