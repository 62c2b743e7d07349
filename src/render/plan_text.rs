//! A plan for a person, on a terminal or in a pull request.

use std::fmt::Write as _;

use anstyle::Style;

use super::summary::{self, Speed};
use super::{BAD, BOLD, CHANGED, DIM, GOOD, Header, counted};
use crate::plan::{Action, Change, FieldChange, Plan, Verb};
use crate::stack::Strays;

/// How much a plan shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// What a reader decides by.
    Short,
    /// Every setting, defaults included.
    Every,
}

/// Column of the kind, so that what stands behind it lines up.
const KIND_WIDTH: usize = 15;

/// Renders a plan.
#[must_use]
pub fn plan(plan: &Plan, header: &Header, detail: Detail) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "{header} · stack {BOLD}{}{BOLD:#}: {}", plan.stack, state(plan));
    let speed = if header.local.is_some() { Speed::Local } else { Speed::Aws };
    let width = name_width(plan);
    let mut folded = 0;
    for change in &plan.changes {
        folded += write_change(&mut text, change, speed, detail, width);
    }
    for (kind, name, why) in &plan.kept {
        let _ = writeln!(text, "{DIM}={DIM:#} {kind:KIND_WIDTH$} {name:width$} {DIM}{why}{DIM:#}");
    }
    if detail == Detail::Every {
        for (kind, name) in &plan.unchanged {
            let _ = writeln!(text, "{DIM}= {kind:KIND_WIDTH$} {name:width$} same{DIM:#}");
        }
    }
    write_strays(&mut text, &plan.strays);
    let _ = writeln!(text, "{}", totals(plan, folded));
    for warning in &plan.warnings {
        let _ = writeln!(text, "{CHANGED}!{CHANGED:#} {warning}");
    }
    if !plan.is_empty() {
        let _ = writeln!(text, "{DIM}fingerprint{DIM:#} {}", &plan.fingerprint()[..16]);
    }
    text
}

/// Renders a plan for a pull request's comment: a diff block that the site colours, with the hazards below it.
#[must_use]
pub fn plan_markdown(plan: &Plan, header: &Header) -> String {
    let mut text = String::new();
    let verb = match plan.verb {
        Verb::Up => "up",
        Verb::Down => "down",
    };
    let _ = writeln!(text, "### `ekk {verb}` · {} · {}\n", plan.stack, state(plan));
    let _ = writeln!(text, "{header}\n");
    if !plan.is_empty() {
        text.push_str("```diff\n");
        let width = name_width(plan);
        for change in &plan.changes {
            let mut block = String::new();
            write_change(&mut block, change, Speed::Aws, Detail::Short, width);
            let marker = match change.action {
                Action::Create => '+',
                Action::Delete => '-',
                Action::Update | Action::Replace | Action::Wait | Action::Settle => '!',
            };
            for (index, line) in super::plain(&block).lines().enumerate() {
                // The first line begins with a marker of its own.
                let line = if index == 0 { line.trim_start_matches(['+', '~', '-', '±', '…']) } else { line };
                let _ = writeln!(text, "{marker}{line}");
            }
        }
        text.push_str("```\n\n");
    }
    for change in &plan.changes {
        for note in &change.hazards {
            let _ = writeln!(
                text,
                "- :warning: **{}** of {} `{}`: {} (`--allow {}:{}`)",
                note.hazard,
                change.kind,
                change.name,
                note.why,
                note.hazard,
                change.kind.flag()
            );
        }
    }
    for refusal in &plan.refusals {
        let _ = writeln!(text, "- :no_entry: {} `{}`: {}. {}.", refusal.kind, refusal.name, refusal.why, refusal.hint);
    }
    for warning in &plan.warnings {
        let _ = writeln!(text, "- {warning}");
    }
    let mut strays = String::new();
    write_strays(&mut strays, &plan.strays);
    for line in super::plain(&strays).lines() {
        let _ = writeln!(text, "- {}", line.trim_start_matches("! "));
    }
    let _ = writeln!(text, "\n{}", super::plain(&totals(plan, 0)));
    if !plan.is_empty() {
        let _ = writeln!(text, "\nfingerprint `{}`", &plan.fingerprint()[..16]);
    }
    text
}

fn state(plan: &Plan) -> String {
    let nothing_there = plan.unchanged.is_empty()
        && plan.refusals.is_empty()
        && plan.changes.iter().all(|change| change.action == Action::Create);
    match plan.verb {
        Verb::Up if plan.is_empty() && plan.refusals.is_empty() => "as the file says".to_owned(),
        Verb::Up if nothing_there => "not there yet".to_owned(),
        Verb::Up => counted(plan.changes.len(), "change", "changes"),
        Verb::Down if plan.is_empty() => "nothing of it is there".to_owned(),
        Verb::Down => "to be deleted".to_owned(),
    }
}

fn totals(plan: &Plan, folded: usize) -> String {
    if plan.is_empty() && plan.refusals.is_empty() {
        return match plan.verb {
            Verb::Up => format!(
                "Nothing to do: {} as the file says.",
                counted(plan.unchanged.len(), "resource is", "resources are")
            ),
            Verb::Down => "Nothing to delete.".to_owned(),
        };
    }
    let replaced = plan.count(Action::Replace);
    let mut text = format!(
        "Plan: {} to create, {} to change, {} to delete",
        plan.count(Action::Create),
        plan.count(Action::Update),
        plan.count(Action::Delete)
    );
    if replaced > 0 {
        let _ = write!(text, ", {replaced} to replace");
    }
    let waiting = plan.count(Action::Wait) + plan.count(Action::Settle);
    if waiting > 0 {
        let _ = write!(text, ", {waiting} to wait for");
    }
    if folded > 0 {
        let _ = write!(text, " ({} folded, -v shows them)", counted(folded, "setting", "settings"));
    }
    text.push('.');
    text
}

/// Writes a line for each resource that is ours and no longer named.
pub(super) fn write_strays(text: &mut String, strays: &Strays) {
    match strays {
        Strays::Known(strays) => {
            for stray in strays {
                let _ = writeln!(
                    text,
                    "{CHANGED}!{CHANGED:#} {} {} carries this stack's tags and is named nowhere: left as it is",
                    stray.kind, stray.name
                );
            }
        }
        Strays::Unknown(why) => {
            let _ = writeln!(text, "{CHANGED}!{CHANGED:#} what is ours and no longer named could not be listed: {why}");
        }
    }
}

fn name_width(plan: &Plan) -> usize {
    let changed = plan.changes.iter().map(|change| change.name.as_str());
    let unchanged = plan.unchanged.iter().map(|(_, name)| name.as_str());
    super::column(changed.chain(unchanged).chain(plan.kept.iter().map(|(_, name, _)| name.as_str())))
}

/// Writes one change and returns how many of its settings were folded.
fn write_change(text: &mut String, change: &Change, speed: Speed, detail: Detail, width: usize) -> usize {
    let (marker, style) = marker(change.action);
    let behind = match change.action {
        Action::Create | Action::Settle => summary::headline(&change.work, speed),
        Action::Update => String::new(),
        Action::Replace => "deleted and made anew".to_owned(),
        Action::Delete => String::new(),
        Action::Wait => "is still being changed".to_owned(),
    };
    let kind = change.kind;
    let line = format!("{kind:KIND_WIDTH$} {:width$} {behind}", change.name);
    let _ = writeln!(text, "{style}{marker}{style:#} {}", line.trim_end());
    let folded = match (change.action, detail) {
        (Action::Create | Action::Settle, Detail::Short) => {
            let details = summary::details(&change.work);
            for (label, value) in &details {
                let _ = writeln!(text, "    {label:15} {value}");
            }
            change.fields.len()
        }
        (Action::Create | Action::Settle, Detail::Every) => {
            for field in &change.fields {
                let _ = writeln!(text, "    {}", new_field(field));
            }
            0
        }
        (Action::Update | Action::Replace | Action::Delete | Action::Wait, _) => {
            for field in &change.fields {
                let _ = writeln!(text, "    {}", changed_field(field, detail));
            }
            0
        }
    };
    for note in &change.notes {
        let _ = writeln!(text, "    {DIM}{note}{DIM:#}");
    }
    for note in &change.hazards {
        let _ = writeln!(text, "    {BAD}{}{BAD:#}: {}", note.hazard, note.why);
    }
    folded
}

/// Returns the sign of an action, and its colour.
pub(super) fn marker(action: Action) -> (&'static str, Style) {
    match action {
        Action::Create => ("+", GOOD),
        Action::Update => ("~", CHANGED),
        Action::Replace => ("±", BAD),
        Action::Delete => ("-", BAD),
        Action::Wait | Action::Settle => ("…", DIM),
    }
}

fn new_field(field: &FieldChange) -> String {
    let shown = field.to_string();
    shown.replacen(" none -> ", "  ", 1)
}

/// A policy or mapping is too long for a line: that it changes is said, and `-v` shows it.
fn changed_field(field: &FieldChange, detail: Detail) -> String {
    let shown = field.to_string();
    let is_long = shown.chars().count() > 110;
    if is_long && detail == Detail::Short {
        let name = shown.split(' ').next().unwrap_or_default();
        format!("{name} changes (-v shows it)")
    } else {
        shown
    }
}
