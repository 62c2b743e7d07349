//! The index template inside the domain: it makes the time field a date in every form that Python writes.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::plan::{Step, Work};
use crate::resource::{HazardNote, Kind, Observed, Settings, Verdict};

/// The template as ekk manages it, neutral to the engine: `_index_template` and `_template` carry the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IndexTemplateSettings {
    /// `<index>` and `<index>-*`.
    pub index_patterns: BTreeSet<String>,
    /// Which template wins where several match.
    pub priority: u32,
    /// Primary shards.
    pub shards: u32,
    /// Copies beside the primary.
    pub replicas: u32,
    /// Such as `30s`; `None` is not managed.
    pub refresh_interval: Option<String>,
    /// Limit of fields in a mapping; `None` is not managed.
    pub total_fields_limit: Option<u32>,
    /// The mappings, canonical.
    pub mappings: serde_json::Value,
}

/// What the engine assigns: nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct IndexTemplateFacts {}

impl Settings for IndexTemplateSettings {
    const KIND: Kind = Kind::IndexTemplate;

    type Facts = IndexTemplateFacts;

    fn judge(_pointer: &str, _before: &Self, _after: &Self) -> Verdict {
        Verdict::InPlace
    }

    fn hazard_of_deleting(_observed: &Observed<Self>) -> Option<HazardNote> {
        None
    }

    fn work(step: Step<Self>) -> Work {
        Work::IndexTemplate(step)
    }
}
