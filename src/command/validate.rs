//! `ekk validate`: the file alone, offline.

use super::{prepare, print, tell};
use crate::cli::{Talk, Validate};
use crate::error::{Exit, Result};
use crate::render::CHANGED;

/// Runs `ekk validate`.
pub(super) fn run(args: &Validate, talk: Talk) -> Result<Exit> {
    for file in prepare::load(&args.stacks)? {
        for warning in &file.loaded.warnings {
            let place = warning.place.map(|place| format!(":{}:{}", place.line, place.column)).unwrap_or_default();
            tell(&format!("{CHANGED}warning{CHANGED:#} {}{place}  {warning}\n", file.source));
        }
        if !talk.quiet {
            print(&format!("{}: stack {} is valid.\n", file.source, file.loaded.spec.stack))?;
        }
    }
    Ok(Exit::Done)
}
