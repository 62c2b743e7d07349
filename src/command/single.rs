//! What the verbs share that look after the records of one stack.

use serde_json::json;

use super::{print_json, tell_error};
use crate::backup::Layout;
use crate::cli::Format;
use crate::error::{Error, Exit, Result};
use crate::located::Located;
use crate::plan::FORMAT;

/// Returns how the stack's delivery stream lays out its bucket.
pub(super) fn layout(located: &Located) -> Result<Layout> {
    let backup = &located.stream()?.settings.backup;
    Ok(Layout {
        stream: located.names.stream.clone(),
        prefix: backup.prefix.clone(),
        error_prefix: backup.error_prefix.clone(),
    })
}

/// Tells of an error, in the result too where a program reads it.
pub(super) fn fail(error: &Error, format: Format, stack: &str) -> Result<Exit> {
    tell_error(error);
    match format {
        Format::Json => {
            let told = json!({"message": error.message, "hints": error.hints, "exit": error.exit().code()});
            print_json(&json!({"format": FORMAT, "stack": stack, "error": told}))?;
        }
        Format::Text | Format::Markdown => {}
    }
    Ok(error.exit())
}
