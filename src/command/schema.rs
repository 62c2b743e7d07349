//! `ekk schema`: the spec's JSON Schema.

use super::print;
use crate::error::{Exit, Result};
use crate::spec;

/// Runs `ekk schema`.
pub(super) fn run() -> Result<Exit> {
    print(&spec::json_schema())?;
    Ok(Exit::Done)
}
