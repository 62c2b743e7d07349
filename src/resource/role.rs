//! The IAM role that Firehose assumes: trust, one inline policy, boundary. Other policies on it are left alone.

use serde::{Deserialize, Serialize};

use crate::plan::{Step, Work};
use crate::policy::Document;
use crate::resource::{HazardNote, Kind, Observed, Settings, Verdict};

/// The name of the one inline policy that ekk owns.
pub const POLICY_NAME: &str = "ekk-firehose";

/// The role as ekk manages it. Its name and path are in `Names`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoleSettings {
    /// Who may assume it, as a canonical document.
    pub trust: Document,
    /// The inline policy `ekk-firehose`, as a canonical document; `None` where it is not there yet.
    pub policy: Option<Document>,
    /// ARN of the permissions boundary; `None` is not managed.
    pub permissions_boundary: Option<String>,
}

/// What IAM assigns.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RoleFacts {
    /// The ARN, with its path.
    pub arn: String,
    /// Seconds since the epoch by IAM's clock.
    pub created: i64,
    /// Names of other inline and attached policies, which widen the role.
    pub other_policies: Vec<String>,
    /// For an existing role: what IAM's policy simulator says is not allowed (`action on resource`), or why it could
    /// not be asked.
    pub not_allowed: Vec<String>,
}

impl Settings for RoleSettings {
    const KIND: Kind = Kind::Role;

    type Facts = RoleFacts;

    fn judge(_pointer: &str, _before: &Self, _after: &Self) -> Verdict {
        Verdict::InPlace
    }

    fn hazard_of_deleting(_observed: &Observed<Self>) -> Option<HazardNote> {
        None
    }

    fn work(step: Step<Self>) -> Work {
        Work::Role(step)
    }
}
