//! The S3 bucket that keeps all records. Statements and lifecycle rules that do not begin with `ekk` are left alone.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::plan::{Step, Work};
use crate::resource::{HazardNote, Kind, Observed, Settings, Verdict};

/// The bucket as ekk manages it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BucketSettings {
    /// The region it is in.
    pub region: String,
    /// Whether all four switches of Block Public Access are on.
    pub public_access_blocked: bool,
    /// Default encryption.
    pub encryption: BucketEncryption,
    /// ekk's own policy statements by Sid, canonical; Sids begin with `ekk`.
    pub policy: BTreeMap<String, serde_json::Value>,
    /// ekk's own lifecycle rules by ID; IDs begin with `ekk`.
    pub lifecycle: BTreeMap<String, LifecycleRule>,
}

/// Default encryption of a bucket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BucketEncryption {
    /// `AES256` or `aws:kms`.
    pub algorithm: String,
    /// ARN of the KMS key, with `aws:kms`.
    pub kms_key: Option<String>,
}

/// One lifecycle rule of ekk's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LifecycleRule {
    /// Keys that it applies to; empty for all.
    pub prefix: String,
    /// Days after which objects expire.
    pub expire_days: Option<u32>,
    /// Days after which versions that are not current expire.
    pub expire_noncurrent_days: Option<u32>,
    /// Days after which an unfinished multipart upload is removed.
    pub abort_uploads_days: Option<u32>,
}

/// What S3 assigns.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct BucketFacts {}

impl Settings for BucketSettings {
    const KIND: Kind = Kind::Bucket;

    type Facts = BucketFacts;

    fn judge(_pointer: &str, _before: &Self, _after: &Self) -> Verdict {
        Verdict::InPlace
    }

    fn hazard_of_deleting(_observed: &Observed<Self>) -> Option<HazardNote> {
        None
    }

    fn work(step: Step<Self>) -> Work {
        Work::Bucket(step)
    }
}
