//! `ekk list`: all stacks of this account and region.

use super::{prepare, print, print_json};
use crate::cli::{Format, List, Talk};
use crate::error::{Exit, Result};
use crate::overview;
use crate::render;

/// Runs `ekk list`.
pub(super) async fn run(args: List, talk: Talk) -> Result<Exit> {
    let (session, header) = prepare::place(&args.place, talk).await?;
    let stacks = overview::all(&session).await?;
    match args.output.format {
        Format::Json => print_json(&render::overview_json(&stacks, &header))?,
        Format::Text => print(&render::overview(&stacks, &header))?,
        Format::Markdown => print(&format!("```\n{}```\n", render::plain(&render::overview(&stacks, &header))))?,
    }
    Ok(Exit::Done)
}
