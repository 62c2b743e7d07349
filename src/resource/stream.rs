//! The Firehose delivery stream: Direct PUT into the domain's index, with the backup bucket beside it.

use serde::{Deserialize, Serialize};

use crate::plan::{Step, Work};
use crate::resource::{HazardNote, Kind, Observed, Settings, Verdict};

/// The stream as ekk manages it. Every setting is sent whole: AWS merges an UpdateDestination, others replace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StreamSettings {
    /// ARN of the role that Firehose assumes.
    pub role_arn: String,
    /// ARN of the domain.
    pub domain_arn: String,
    /// The index, before rotation adds its suffix.
    pub index: String,
    /// `NoRotation`, `OneHour`, `OneDay`, `OneWeek` or `OneMonth`.
    pub rotation: String,
    /// How long a failed request is retried, in seconds.
    pub retry_seconds: u32,
    /// When a batch goes to the domain.
    pub buffer: Buffer,
    /// `FIREHOSE_DEFAULT` or `NO_DOCUMENT_ID`.
    pub document_ids: String,
    /// The backup bucket.
    pub backup: Backup,
    /// Error logging.
    pub logging: Logging,
    /// Server-side encryption.
    pub encryption: StreamEncryption,
}

/// Buffering hints: whichever comes first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Buffer {
    /// Seconds.
    pub seconds: u32,
    /// MiB.
    pub mib: u32,
}

/// The backup in S3.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Backup {
    /// `AllDocuments` or `FailedDocumentsOnly`; AWS cannot change it.
    pub documents: String,
    /// ARN of the bucket.
    pub bucket_arn: String,
    /// Prefix of keys.
    pub prefix: String,
    /// Prefix of keys of failed documents.
    pub error_prefix: String,
    /// When an object is written.
    pub buffer: Buffer,
    /// `UNCOMPRESSED`, `GZIP`, `ZIP`, `Snappy` or `HADOOP_SNAPPY`.
    pub compression: String,
}

/// Firehose's own error logging.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Logging {
    /// Whether it is on.
    pub enabled: bool,
    /// The log group; `None` when off.
    pub log_group: Option<String>,
    /// The log stream of the delivery to the domain; `None` when off.
    pub destination_stream: Option<String>,
    /// The log stream of the backup; `None` when off.
    pub backup_stream: Option<String>,
}

/// Server-side encryption of a stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StreamEncryption {
    /// Whether it is on.
    pub enabled: bool,
    /// `AWS_OWNED_CMK` or `CUSTOMER_MANAGED_CMK`; `None` when off.
    pub key_type: Option<String>,
    /// ARN of the key, with `CUSTOMER_MANAGED_CMK`.
    pub key_arn: Option<String>,
}

/// What Firehose assigns.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct StreamFacts {
    /// The ARN.
    pub arn: String,
    /// The version that an UpdateDestination must name.
    pub version_id: String,
    /// The destination that an UpdateDestination must name.
    pub destination_id: String,
}

impl Settings for StreamSettings {
    const KIND: Kind = Kind::Stream;

    type Facts = StreamFacts;

    fn judge(_pointer: &str, _before: &Self, _after: &Self) -> Verdict {
        Verdict::InPlace
    }

    fn hazard_of_deleting(_observed: &Observed<Self>) -> Option<HazardNote> {
        None
    }

    fn work(step: Step<Self>) -> Work {
        Work::Stream(step)
    }
}
