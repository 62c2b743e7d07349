//! The CloudWatch log group in which Firehose reports its own errors, with its two streams.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::plan::{Step, Work};
use crate::resource::{HazardNote, Kind, Observed, Settings, Verdict};

/// The log stream for errors of the delivery to the domain.
pub const DESTINATION_STREAM: &str = "DestinationDelivery";
/// The log stream for errors of the backup to the bucket.
pub const BACKUP_STREAM: &str = "BackupDelivery";

/// The log group as ekk manages it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogGroupSettings {
    /// Days that events are kept; `None` on the live side is "for ever".
    pub retention_days: Option<u32>,
    /// Which of ekk's two log streams are there.
    pub streams: BTreeSet<String>,
}

/// What CloudWatch Logs assigns.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct LogGroupFacts {
    /// Stored bytes, for what a deletion loses.
    pub stored_bytes: Option<u64>,
}

impl Settings for LogGroupSettings {
    const KIND: Kind = Kind::LogGroup;

    type Facts = LogGroupFacts;

    fn judge(_pointer: &str, _before: &Self, _after: &Self) -> Verdict {
        Verdict::InPlace
    }

    fn hazard_of_deleting(_observed: &Observed<Self>) -> Option<HazardNote> {
        None
    }

    fn work(step: Step<Self>) -> Work {
        Work::LogGroup(step)
    }
}
