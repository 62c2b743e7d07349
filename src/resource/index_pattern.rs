//! The index pattern (a saved object of Dashboards or Kibana) in the global tenant.

use serde::{Deserialize, Serialize};

use crate::plan::{Step, Work};
use crate::resource::{HazardNote, Kind, Observed, Settings, Verdict};

/// The index pattern as ekk manages it. The user's own formatting and the `fields` that Dashboards adds are not ours.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IndexPatternSettings {
    /// Such as `logging-test-*`.
    pub title: String,
    /// The time field.
    pub time_field: String,
    /// Whether any pattern is the default one. Wanted true: where there is none, ekk's becomes it.
    pub some_default: bool,
}

/// What Dashboards assigns.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct IndexPatternFacts {
    /// The saved object's id: `ekk-<stack>`, or that of an adopted pattern.
    pub id: String,
}

impl Settings for IndexPatternSettings {
    const KIND: Kind = Kind::IndexPattern;

    type Facts = IndexPatternFacts;

    fn judge(_pointer: &str, _before: &Self, _after: &Self) -> Verdict {
        Verdict::InPlace
    }

    fn hazard_of_deleting(_observed: &Observed<Self>) -> Option<HazardNote> {
        None
    }

    fn work(step: Step<Self>) -> Work {
        Work::IndexPattern(step)
    }
}
