//! What is wrong with a file, where, and what was probably meant; and how that is shown.

use std::fmt::{self, Write as _};

use super::Places;
use crate::error::{Error, ErrorKind};

/// How many faults are shown; a file with more has one cause.
const SHOWN: usize = 50;

/// How much of a source line is shown around the place.
const WINDOW: usize = 100;

/// A place in a file, counted from 1 in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column of its first character.
    pub column: usize,
    /// How many characters it spans, at least 1.
    pub length: usize,
}

/// One fault of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The dotted path of the key; empty where it is about the file.
    pub path: String,
    /// Where it stands; `None` where the file could not be read as text.
    pub place: Option<Place>,
    /// What was found and why it cannot be.
    pub message: String,
    /// What was expected or probably meant; may be empty.
    pub help: String,
}

impl Fault {
    pub(super) fn at(place: Place, path: &str, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { path: path.to_owned(), place: Some(place), message: message.into(), help: help.into() }
    }

    pub(super) fn nowhere(path: &str, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { path: path.to_owned(), place: None, message: message.into(), help: help.into() }
    }
}

/// Something legal that will hurt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The dotted path of the key.
    pub path: String,
    /// Where the key or the section around it stands; `None` where the file names neither.
    pub place: Option<Place>,
    /// What will hurt. Lower case, no full stop.
    pub message: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// What a rule across keys found, before it has a place.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) path: String,
    pub(super) message: String,
    pub(super) help: String,
}

impl Finding {
    pub(super) fn into_fault(self, places: &Places) -> Fault {
        let Self { path, message, help } = self;
        let place = places.nearest(&path).or_else(|| places.nearest("stack"));
        Fault { path, place, message, help }
    }

    pub(super) fn into_warning(self, places: &Places) -> Warning {
        let Self { path, message, help } = self;
        let message = if help.is_empty() { message } else { format!("{message}; {help}") };
        let place = places.nearest(&path);
        Warning { path, place, message }
    }
}

/// All faults of one file, with the text that shows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults {
    source: String,
    faults: Vec<Fault>,
    lines: Vec<String>,
}

impl Faults {
    /// Keeps the lines that the faults point to; `text` may be the start of a large file.
    pub(super) fn in_text(source: &str, text: &str, mut faults: Vec<Fault>) -> Self {
        faults.sort_by_key(|fault| fault.place);
        let lines: Vec<&str> = text.strip_prefix('\u{feff}').unwrap_or(text).lines().collect();
        let lines = faults
            .iter()
            .take(SHOWN)
            .map(|fault| {
                let line = fault.place.and_then(|place| lines.get(place.line.checked_sub(1)?).copied());
                line.unwrap_or_default().to_owned()
            })
            .collect();
        Self { source: source.to_owned(), faults, lines }
    }

    /// Makes one fault that is about the file and not its text.
    pub(super) fn of_file(source: &str, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::in_text(source, "", vec![Fault::nowhere("", message, help)])
    }

    /// Returns what was read: a path, or `standard input`.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Returns the faults in the order of the file.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// Returns the first line, such as `2 faults in stacks/logging-test.yaml`.
    #[must_use]
    pub fn headline(&self) -> String {
        let count = self.faults.len();
        let noun = if count == 1 { "fault" } else { "faults" };
        format!("{count} {noun} in {}", self.source)
    }
}

impl fmt::Display for Faults {
    /// Shows every fault with its line, carets under it and what was probably meant.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.headline())?;
        for (fault, line) in self.faults.iter().zip(&self.lines) {
            let Fault { path, place, message, help } = fault;
            f.write_str("\n  ")?;
            f.write_str(&self.source)?;
            if let Some(place) = place {
                write!(f, ":{}:{}", place.line, place.column)?;
            }
            f.write_str("  ")?;
            if !path.is_empty() {
                write!(f, "{}: ", printable(path))?;
            }
            f.write_str(&printable(message))?;
            match place {
                Some(place) => f.write_str(&marked(line, *place, help))?,
                None if help.is_empty() => {}
                None => write!(f, "\n  {}", printable(help))?,
            }
        }
        if let Some(more @ 1..) = self.faults.len().checked_sub(SHOWN) {
            write!(f, "\n  and {more} more")?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

impl From<Faults> for Error {
    /// Says that nothing was sent, and shows every fault.
    fn from(faults: Faults) -> Self {
        Self::new(ErrorKind::InvalidSpec, format!("nothing was sent to AWS: {faults}"))
    }
}

/// Shows a source line with carets under a place and the help behind them.
fn marked(line: &str, place: Place, help: &str) -> String {
    let characters: Vec<char> = line.chars().collect();
    let start = (place.column - 1).min(characters.len());
    let length = place.length.min((characters.len() - start).max(1));
    let from = start.saturating_sub(WINDOW / 2);
    let to = characters.len().min(from + WINDOW);
    let mut shown: String = characters[from..to].iter().collect();
    if from > 0 {
        shown.insert(0, '…');
    }
    if to < characters.len() {
        shown.push('…');
    }
    let indent = start - from + usize::from(from > 0);
    let carets = length.min(WINDOW / 2);
    let mut text = format!("\n  {:>3} | {}", place.line, printable(&shown));
    let gutter = place.line.to_string().len().max(3);
    let marks = format!("{}{}", " ".repeat(indent), "^".repeat(carets));
    let _ = write!(text, "\n  {} | {marks} {}", " ".repeat(gutter), printable(help));
    text.truncate(text.trim_end().len());
    text
}

/// Replaces what would move the cursor or colour the terminal; a spec may come from anywhere.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c == '\t' {
                ' '
            } else if is_unprintable(c) {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect()
}

fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_shown_with_its_line_carets_and_help() {
        let text = "stack: logging-test\nindex:\n  rotation: weekly\n";
        let place = Place { line: 3, column: 13, length: 6 };
        let fault = Fault::at(place, "index.rotation", "`weekly` is not a rotation", "did you mean OneWeek?");
        let faults = Faults::in_text("a.yaml", text, vec![fault]);
        assert_eq!(
            faults.to_string(),
            "1 fault in a.yaml\n  a.yaml:3:13  index.rotation: `weekly` is not a rotation\n    3 |   rotation: weekly\n      \
             |             ^^^^^^ did you mean OneWeek?"
        );
    }

    #[test]
    fn an_escape_sequence_in_a_file_does_not_reach_the_terminal() {
        let text = "stack: \u{1b}[31mred";
        let place = Place { line: 1, column: 8, length: 8 };
        let faults = Faults::in_text("a.yaml", text, vec![Fault::at(place, "stack", "`\u{1b}[31mred`", "")]);
        assert!(!faults.to_string().contains('\u{1b}'));
    }

    #[test]
    fn a_long_line_is_cut_around_the_place() {
        let text = format!("{}X{}", "a".repeat(5000), "b".repeat(5000));
        let place = Place { line: 1, column: 5001, length: 1 };
        let shown = Faults::in_text("a.yaml", &text, vec![Fault::at(place, "", "m", "h")]).to_string();
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines[2].chars().position(|c| c == 'X'), lines[3].chars().position(|c| c == '^'));
        assert!(lines.iter().all(|line| line.chars().count() < 120));
    }
}
