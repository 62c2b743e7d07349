//! What `ekk verify` found, for a person and for a program.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{BAD, BOLD, CHANGED, DIM, GOOD, Header, took};
use crate::error::Exit;
use crate::plan::FORMAT;
use crate::verify::{Finding, Hop, MARKER_FIELD, Removal, Report, State};

/// Where a verified record is afterwards, as far as the stack's settings decide it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineInBackup {
    /// The bucket gets all records.
    Stays,
    /// The bucket gets only what fails.
    Never,
}

/// Renders the hops and the verdict. `again` is the command that says more.
#[must_use]
pub fn verify(report: &Report, line: LineInBackup, header: &Header, stack: &str, again: &str) -> String {
    let mut text = format!("{header} · stack {BOLD}{stack}{BOLD:#}\n");
    for finding in &report.findings {
        let Finding { hop, state, seconds, detail } = finding;
        let (style, mark) = match state {
            State::Found => (GOOD, "✓"),
            State::Lost => (BAD, "x"),
            State::NotKnown => (BAD, "?"),
            State::NotYet | State::Pending => (CHANGED, "…"),
            State::NotAsked => (DIM, "·"),
        };
        let time = seconds.map(took).unwrap_or_default();
        let detail = if detail.is_empty() { String::new() } else { format!("   {DIM}{detail}{DIM:#}") };
        let line = format!("  {style}{mark}{style:#} {:36} {time:>7}{detail}", heading(report, *hop, *state));
        let _ = writeln!(text, "{}", line.trim_end());
    }
    let _ = writeln!(text, "{}", verdict(report, line, again));
    text
}

fn heading(report: &Report, hop: Hop, state: State) -> String {
    match (hop, state) {
        (Hop::Accepted, State::Found) => "accepted by Firehose".to_owned(),
        (Hop::Accepted, State::Pending | State::Lost | State::NotKnown | State::NotYet | State::NotAsked) => {
            "not sent".to_owned()
        }
        (Hop::Index, State::Found) => match &report.index {
            Some(index) => format!("found in {index}"),
            None => "found in the index".to_owned(),
        },
        (Hop::Index, State::Lost) if report.index.is_some() => "where nobody finds it".to_owned(),
        (Hop::Index, State::Lost) => "lost on the way to the index".to_owned(),
        (Hop::Index, State::NotKnown) => "the index cannot be looked at".to_owned(),
        (Hop::Index, State::NotYet | State::Pending) => "not in the index yet".to_owned(),
        (Hop::Index, State::NotAsked) => "the index".to_owned(),
        (Hop::Backup, State::Found) => "in the backup".to_owned(),
        (Hop::Backup, State::Lost) => "lost on the way to the backup".to_owned(),
        (Hop::Backup, State::NotKnown) => "the backup cannot be looked at".to_owned(),
        (Hop::Backup, State::NotYet | State::Pending) => "not in the backup yet".to_owned(),
        (Hop::Backup, State::NotAsked) => "the backup".to_owned(),
    }
}

fn verdict(report: &Report, line: LineInBackup, again: &str) -> String {
    let marked = format!("{MARKER_FIELD}: {}", report.marker);
    let was_sent = report.state(Hop::Accepted) == State::Found;
    let was_found = report.state(Hop::Index) == State::Found;
    let first = match report.exit() {
        Exit::Done => "The path works.".to_owned(),
        Exit::StillUnderWay if was_found => {
            format!("The record is in the index and not in the backup yet; {again} says more.")
        }
        Exit::StillUnderWay => format!("The record is not there yet; {again} says more."),
        Exit::Failed | Exit::Invalid | Exit::ChangesPending | Exit::Refused | Exit::Interrupted => {
            format!("The path is not proved; {again} says more.")
        }
    };
    let is_lost = report.state(Hop::Index) == State::Lost;
    let index = match &report.removal {
        _ if !was_sent => None,
        Removal::Removed(_) => Some("The record was removed from the index".to_owned()),
        Removal::Failed(why) => Some(format!("The record is still in the index ({marked}): {why}")),
        Removal::NothingToRemove if is_lost => None,
        Removal::NothingToRemove => Some(format!("Should it still come, it is marked {marked}")),
    };
    let backup = match (was_sent, line) {
        (true, LineInBackup::Stays) if matches!(report.state(Hop::Backup), State::NotYet | State::NotKnown) => None,
        (true, LineInBackup::Stays) => Some("its line stays in the backup"),
        (true, LineInBackup::Never) | (false, _) => None,
    };
    match (index, backup) {
        (Some(index), Some(backup)) => format!("{first} {index}; {backup}."),
        (Some(index), None) => format!("{first} {index}."),
        (None, Some(_)) => format!("{first} The record's line stays in the backup."),
        (None, None) => first,
    }
}

/// Returns what was found as JSON.
#[must_use]
pub fn verify_json(report: &Report, header: &Header, stack: &str, exit: Exit) -> Value {
    let hops: Vec<Value> = report
        .findings
        .iter()
        .map(|Finding { hop, state, seconds, detail }| {
            let hop = match hop {
                Hop::Accepted => "accepted",
                Hop::Index => "index",
                Hop::Backup => "backup",
            };
            let state = match state {
                State::Pending => "pending",
                State::Found => "found",
                State::Lost => "lost",
                State::NotKnown => "not-known",
                State::NotYet => "not-yet",
                State::NotAsked => "not-asked",
            };
            json!({"hop": hop, "state": state, "seconds": seconds, "detail": detail})
        })
        .collect();
    let (removed, why) = match &report.removal {
        Removal::NothingToRemove => (0, None),
        Removal::Removed(documents) => (documents.len(), None),
        Removal::Failed(why) => (0, Some(why)),
    };
    json!({
        "format": FORMAT,
        "stack": stack,
        "partition": header.target.partition,
        "account": header.target.account,
        "region": header.target.region,
        "marker": {"field": MARKER_FIELD, "value": report.marker},
        "index": report.index,
        "hops": hops,
        "removed": removed,
        "not_removed": why,
        "exit": exit.code(),
    })
}
