//! A bucket's lifecycle: what AWS takes as one. Nothing expires here.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{bucket::Tag, invalid_argument, malformed_xml};
use crate::response::Failure;

/// The rules of a bucket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lifecycle {
    #[serde(rename = "@xmlns", default, skip_serializing)]
    _namespace: Option<String>,
    /// The rules.
    #[serde(rename = "Rule", default)]
    pub rules: Vec<Rule>,
}

/// A rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names are those of the S3 API reference")]
pub struct Rule {
    #[serde(rename = "ID", default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<Filter>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    pub status: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiration: Option<Expiration>,
    #[serde(rename = "Transition", default, skip_serializing_if = "Vec::is_empty")]
    pub transitions: Vec<Transition>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noncurrent_version_expiration: Option<NoncurrentVersion>,
    #[serde(rename = "NoncurrentVersionTransition", default, skip_serializing_if = "Vec::is_empty")]
    pub noncurrent_version_transitions: Vec<NoncurrentVersion>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abort_incomplete_multipart_upload: Option<AbortIncompleteMultipartUpload>,
}

/// What a rule is for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names are those of the S3 API reference")]
pub struct Filter {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    #[serde(rename = "Tag", default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<Tag>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object_size_greater_than: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object_size_less_than: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub and: Option<And>,
}

/// Several conditions at once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names are those of the S3 API reference")]
pub struct And {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    #[serde(rename = "Tag", default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Tag>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object_size_greater_than: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object_size_less_than: Option<u64>,
}

/// When objects expire.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names are those of the S3 API reference")]
pub struct Expiration {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expired_object_delete_marker: Option<bool>,
}

/// When objects move to another storage class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names are those of the S3 API reference")]
pub struct Transition {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<i64>,
    pub storage_class: String,
}

/// What becomes of versions that are not the newest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names are those of the S3 API reference")]
pub struct NoncurrentVersion {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noncurrent_days: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newer_noncurrent_versions: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_class: Option<String>,
}

/// When unfinished uploads are aborted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names are those of the S3 API reference")]
pub struct AbortIncompleteMultipartUpload {
    pub days_after_initiation: i64,
}

/// The lifecycle as it is stored, with ids where none were given.
pub(super) fn checked(mut lifecycle: Lifecycle) -> Result<Lifecycle, Failure> {
    if lifecycle.rules.is_empty() || lifecycle.rules.len() > 1000 {
        return Err(malformed_xml());
    }
    let mut ids = BTreeSet::new();
    for rule in &mut lifecycle.rules {
        check_rule(rule)?;
        let id = rule.id.get_or_insert_with(|| uuid::Uuid::new_v4().to_string()).clone();
        if id.len() > 255 {
            return Err(invalid_argument("ID length should not exceed allowed limit of 255"));
        }
        if !ids.insert(id) {
            return Err(invalid_argument("Rule ID must be unique. Found same ID for more than one rule"));
        }
    }
    Ok(lifecycle)
}

fn check_rule(rule: &Rule) -> Result<(), Failure> {
    let Rule {
        id: _,
        filter,
        prefix,
        status,
        expiration,
        transitions,
        noncurrent_version_expiration,
        noncurrent_version_transitions,
        abort_incomplete_multipart_upload,
    } = rule;
    if !matches!(status.as_str(), "Enabled" | "Disabled") || filter.is_some() == prefix.is_some() {
        return Err(malformed_xml());
    }
    let by_tag_or_size = filter.as_ref().map(check_filter).transpose()? == Some(Reach::TagOrSize);
    let has_action = expiration.is_some()
        || !transitions.is_empty()
        || noncurrent_version_expiration.is_some()
        || !noncurrent_version_transitions.is_empty()
        || abort_incomplete_multipart_upload.is_some();
    if !has_action {
        return Err(Failure::new(400, "InvalidRequest", "At least one action needs to be specified in a rule"));
    }
    if let Some(Expiration { date, days, expired_object_delete_marker }) = expiration {
        let given = usize::from(date.is_some())
            + usize::from(days.is_some())
            + usize::from(expired_object_delete_marker.is_some());
        if given != 1 {
            return Err(malformed_xml());
        }
        positive(*days, "'Days' for Expiration action must be a positive integer")?;
    }
    for Transition { date, days, storage_class } in transitions {
        const CLASSES: [&str; 6] =
            ["GLACIER", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "DEEP_ARCHIVE", "GLACIER_IR"];
        if date.is_some() == days.is_some() || !CLASSES.contains(&storage_class.as_str()) {
            return Err(malformed_xml());
        }
        let early =
            matches!(storage_class.as_str(), "STANDARD_IA" | "ONEZONE_IA") && days.is_some_and(|days| days < 30);
        if early || days.is_some_and(|days| days < 0) {
            return Err(invalid_argument(format!(
                "'Days' in Transition action must be greater than or equal to 30 for storageClass '{storage_class}'"
            )));
        }
        if let (Some(leaves), Some(moves)) = (expiration.as_ref().and_then(|expiration| expiration.days), days)
            && leaves <= *moves
        {
            return Err(invalid_argument(
                "'Days' in the Expiration action must be greater than 'Days' in the Transition action",
            ));
        }
    }
    if let Some(NoncurrentVersion { noncurrent_days, newer_noncurrent_versions, storage_class }) =
        noncurrent_version_expiration
    {
        if noncurrent_days.is_none() || storage_class.is_some() {
            return Err(malformed_xml());
        }
        positive(
            *noncurrent_days,
            "'NoncurrentDays' for NoncurrentVersionExpiration action must be a positive integer",
        )?;
        if newer_noncurrent_versions.is_some_and(|count| !(1..=100).contains(&count)) {
            return Err(invalid_argument("'NewerNoncurrentVersions' must be between 1 and 100"));
        }
    }
    if let Some(AbortIncompleteMultipartUpload { days_after_initiation }) = abort_incomplete_multipart_upload {
        positive(
            Some(*days_after_initiation),
            "'DaysAfterInitiation' for AbortIncompleteMultipartUpload action must be a positive integer",
        )?;
        if by_tag_or_size {
            return Err(Failure::new(
                400,
                "InvalidRequest",
                "AbortIncompleteMultipartUpload cannot be specified with tags or object sizes",
            ));
        }
    }
    Ok(())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    Prefix,
    TagOrSize,
}

fn check_filter(filter: &Filter) -> Result<Reach, Failure> {
    let Filter { prefix, tag, object_size_greater_than, object_size_less_than, and } = filter;
    let by_size = object_size_greater_than.is_some() || object_size_less_than.is_some();
    let given = [
        prefix.is_some(),
        tag.is_some(),
        object_size_greater_than.is_some(),
        object_size_less_than.is_some(),
        and.is_some(),
    ];
    // More than one condition needs And.
    if given.iter().filter(|given| **given).count() > 1 {
        return Err(malformed_xml());
    }
    if let Some(And { prefix, tags, object_size_greater_than, object_size_less_than }) = and {
        let sizes = usize::from(object_size_greater_than.is_some()) + usize::from(object_size_less_than.is_some());
        if usize::from(prefix.is_some()) + tags.len() + sizes < 2 {
            return Err(malformed_xml());
        }
        return Ok(Reach::TagOrSize);
    }
    Ok(if tag.is_some() || by_size { Reach::TagOrSize } else { Reach::Prefix })
}

fn positive(days: Option<i64>, message: &str) -> Result<(), Failure> {
    if days.is_some_and(|days| days < 1) { Err(invalid_argument(message)) } else { Ok(()) }
}
