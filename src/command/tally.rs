//! What became of each of several stacks: one summary, the worst code, and the JSON of all in the order of the files.

use serde_json::{Value, json};

use super::prepare::File;
use super::{print, print_json};
use crate::cli::Format;
use crate::error::{Error, Exit, Result};
use crate::plan::FORMAT;

/// The stacks of one command, and how each ended so far.
#[derive(Debug)]
pub(super) struct Tally {
    stacks: Vec<Counted>,
    /// What is said of a stack that ended well.
    done: &'static str,
}

#[derive(Debug)]
struct Counted {
    source: String,
    stack: String,
    end: Option<(Exit, Value)>,
}

impl Tally {
    /// Begins with all files; `done` is what is said of a stack that ended well.
    pub(super) fn new(files: &[File], done: &'static str) -> Self {
        let stacks = files
            .iter()
            .map(|file| Counted { source: file.source.clone(), stack: file.loaded.spec.stack.clone(), end: None })
            .collect();
        Self { stacks, done }
    }

    /// Adds stacks that were named without a file; each is its own source.
    pub(super) fn and_named(mut self, names: &[&str]) -> Self {
        let named = |name: &&str| Counted { source: (*name).to_owned(), stack: (*name).to_owned(), end: None };
        self.stacks.extend(names.iter().map(named));
        self
    }

    /// Notes how the stack of a file ended.
    pub(super) fn ended(&mut self, source: &str, exit: Exit, json: Value) {
        if let Some(counted) = self.stacks.iter_mut().find(|counted| counted.source == source) {
            counted.end = Some((exit, json));
        }
    }

    /// Tells of an error, and notes that the stack of a file ended with it.
    pub(super) fn failed(&mut self, source: &str, error: &Error) {
        super::tell_error(error);
        self.stopped(source, error.exit(), &error.message, &error.hints);
    }

    /// Notes that the stack of a file was not touched, and why.
    pub(super) fn stopped(&mut self, source: &str, exit: Exit, message: &str, hints: &[String]) {
        let Some(counted) = self.stacks.iter().find(|counted| counted.source == source) else { return };
        let error = json!({"message": message, "hints": hints, "exit": exit.code()});
        let json = json!({"format": FORMAT, "stack": counted.stack, "error": error});
        self.ended(source, exit, json);
    }

    /// Returns the worst code so far.
    pub(super) fn exit(&self) -> Exit {
        self.stacks
            .iter()
            .filter_map(|counted| counted.end.as_ref())
            .fold(Exit::Done, |worst, (exit, _)| worst.worst(*exit))
    }

    /// Returns the JSON of all stacks.
    pub(super) fn json(&self) -> Value {
        let stacks: Vec<&Value> =
            self.stacks.iter().filter_map(|counted| counted.end.as_ref()).map(|(_, json)| json).collect();
        json!({"format": FORMAT, "stacks": stacks})
    }

    /// Prints the JSON where that was asked for, else the summary of several stacks.
    pub(super) fn print(&self, format: Format) -> Result<()> {
        match format {
            Format::Json => print_json(&self.json()),
            Format::Text | Format::Markdown if self.stacks.len() > 1 => print(&self.summary()),
            Format::Text | Format::Markdown => Ok(()),
        }
    }

    fn summary(&self) -> String {
        let endings = [
            (Exit::Done, self.done),
            (Exit::ChangesPending, "with changes to do"),
            (Exit::StillUnderWay, "still under way"),
            (Exit::Refused, "refused"),
            (Exit::Failed, "failed"),
            (Exit::Invalid, "invalid"),
            (Exit::Interrupted, "interrupted"),
        ];
        let parts: Vec<String> = endings
            .iter()
            .filter_map(|(exit, word)| {
                let stacks: Vec<&str> = self
                    .stacks
                    .iter()
                    .filter(|counted| counted.end.as_ref().is_some_and(|(end, _)| end == exit))
                    .map(|counted| counted.stack.as_str())
                    .collect();
                (!stacks.is_empty()).then(|| format!("{} {word} ({})", stacks.len(), stacks.join(", ")))
            })
            .collect();
        format!("{} stacks: {}.\n", self.stacks.len(), parts.join(", "))
    }
}
