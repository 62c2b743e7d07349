//! Policy documents: `policies/*.json` filled with ARNs, and the one canonical form in which two documents are equal.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A policy document in canonical form: two documents that mean the same are equal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Document(Value);
