//! What every verb begins with that reads or looks after the logs of one stack: find it by its file or by its name.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use serde_json::{Value, json};

use super::prepare::{self, flags};
use super::{print_json, tell_error};
use crate::aws::{Aws, Connection, Session};
use crate::backup::Layout;
use crate::cli::{Format, Place, Talk};
use crate::error::{Error, Exit, Result};
use crate::located::{self, Depth, Located};
use crate::plan::FORMAT;
use crate::render::Header;
use crate::spec;
use crate::wait::{Deadline, Pace, Progress, Waiting};

/// A stack that was found.
#[derive(Debug)]
pub(super) struct Found {
    /// The session.
    pub(super) session: Session,
    /// The stack.
    pub(super) located: Located,
    /// The first line of the output.
    pub(super) header: Header,
    /// What a user types to name it again, with the flags that lead to the same place.
    pub(super) word: String,
}

/// Finds the stack that is meant: a file where there is one of that name, else a stack that lives.
pub(super) async fn locate(
    stack: Option<&OsString>,
    place: &Place,
    talk: Talk,
    depth: Depth,
    progress: Progress,
) -> Result<Found> {
    let by_name = stack.and_then(|word| name(word));
    let file = match by_name {
        Some(_) => None,
        None => {
            let mut files = prepare::load(&stack.into_iter().collect::<Vec<_>>())?;
            match (files.pop(), files.is_empty()) {
                (Some(file), true) => Some(file),
                (Some(_) | None, _) => return Err(Error::usage("this takes one stack a call").hint("name one file")),
            }
        }
    };
    let local = prepare::place_of(place, talk).await?;
    match (by_name, file) {
        (None, Some(file)) => {
            let word = format!("{}{}", file.source, flags(place));
            let prepared = prepare::connect(file, place, local.as_deref(), Deadline::Never, progress).await?;
            let header = prepared.header(local.as_deref()).await?;
            let located = located::by_names(&prepared.session, &prepared.names, depth).await?;
            Ok(Found { session: prepared.session, located, header, word })
        }
        (by_name, _) => {
            let stack = by_name.unwrap_or_default();
            let connection = Connection {
                region: place.region.clone(),
                profile: place.profile.clone(),
                local: local.clone(),
                quick_retries: false,
            };
            let aws = Aws::connect(&connection).await?;
            let pace = if local.is_some() { Pace::LOCAL } else { Pace::AWS };
            let session = Session::new(aws, Waiting { pace, deadline: Deadline::Never, progress });
            let located = located::by_tag(&session, &stack, depth).await?;
            let caller = session.caller().await?;
            let header = Header { target: caller.target.clone(), alias: None, caller: caller.arn.clone(), local };
            Ok(Found { session, located, header, word: format!("{stack}{}", flags(place)) })
        }
    }
}

/// Returns the name of a stack, where the word is no file and has the form of one.
fn name(word: &OsStr) -> Option<String> {
    let text = word.to_str()?;
    (text != "-" && !Path::new(word).exists() && spec::is_stack_name(text)).then(|| text.to_owned())
}

/// Returns how the stack's delivery stream lays out its bucket.
pub(super) fn layout(located: &Located) -> Result<Layout> {
    let backup = &located.stream()?.settings.backup;
    Ok(Layout {
        stream: located.names.stream.clone(),
        prefix: backup.prefix.clone(),
        error_prefix: backup.error_prefix.clone(),
    })
}

/// Prints the result of one stack as JSON, in the same frame as that of several.
pub(super) fn print_stack(entry: &Value) -> Result<()> {
    print_json(&json!({"format": FORMAT, "stacks": [entry]}))
}

/// Tells of an error, in the result too where a program reads it.
pub(super) fn fail(error: &Error, format: Format, stack: &str) -> Result<Exit> {
    tell_error(error);
    match format {
        Format::Json => {
            let told = json!({"message": error.message, "hints": error.hints, "exit": error.exit().code()});
            print_stack(&json!({"format": FORMAT, "stack": stack, "error": told}))?;
        }
        Format::Text | Format::Markdown => {}
    }
    Ok(error.exit())
}
