//! What became of a plan, for a person.

use std::fmt::Write as _;

use super::{BAD, BOLD, CHANGED, DIM, GOOD, Header, counted, took};
use crate::apply::{End, Interruption, Report};
use crate::plan::{Action, Plan, Verb};

/// Renders a report: a line for each change that is not done, what was done, and what to do next.
#[must_use]
pub fn report(
    plan: &Plan,
    report: &Report,
    interruption: Interruption,
    seconds: f64,
    next: &[(&str, String)],
    header: &Header,
) -> String {
    let mut text = String::new();
    for outcome in &report.outcomes {
        let what = format!("{} {}", outcome.kind, outcome.name);
        match &outcome.end {
            End::Done => {}
            End::Failed { message, hints, .. } => {
                let _ = writeln!(text, "{BAD}x{BAD:#} {}", failure(&what, message));
                for hint in hints {
                    let _ = writeln!(text, "  {hint}");
                }
            }
            End::StillUnderWay { why } => {
                let _ = writeln!(text, "{CHANGED}…{CHANGED:#} {}", failure(&what, why));
            }
            End::NotAttempted { why } => {
                let _ = writeln!(text, "{DIM}·{DIM:#} {what}: not attempted, {why}");
            }
        }
    }
    let _ = writeln!(text, "{}", totals(plan, report, interruption, seconds, header));
    if report.is_done() {
        for (label, value) in next {
            let _ = writeln!(text, "  {DIM}{label:10}{DIM:#} {value}");
        }
    } else {
        let _ = writeln!(text, "The same command takes up from there.");
    }
    text
}

/// Renders a report for a pull request's comment.
#[must_use]
pub fn report_markdown(
    plan: &Plan,
    report: &Report,
    interruption: Interruption,
    seconds: f64,
    header: &Header,
) -> String {
    let mut text = format!("### `ekk {}` · {}\n\n{header}\n\n", verb(plan.verb), plan.stack);
    text.push_str("| resource | name | action | end | time |\n|---|---|---|---|---|\n");
    for outcome in &report.outcomes {
        let end = match &outcome.end {
            End::Done => "done".to_owned(),
            End::Failed { message, .. } => format!("failed: {message}"),
            End::StillUnderWay { why } => format!("still under way: {why}"),
            End::NotAttempted { why } => format!("not attempted: {why}"),
        };
        let _ = writeln!(
            text,
            "| {} | `{}` | {} | {} | {} |",
            outcome.kind,
            outcome.name,
            outcome.action,
            end.replace('|', "\\|").replace('\n', " "),
            took(outcome.seconds)
        );
    }
    let _ = writeln!(text, "\n{}", super::plain(&totals(plan, report, interruption, seconds, header)));
    text
}

/// Most messages begin with their resource already.
fn failure(what: &str, message: &str) -> String {
    if message.starts_with(what) { message.to_owned() } else { format!("{what}: {message}") }
}

fn verb(verb: Verb) -> &'static str {
    match verb {
        Verb::Up => "up",
        Verb::Down => "down",
    }
}

fn totals(plan: &Plan, report: &Report, interruption: Interruption, seconds: f64, header: &Header) -> String {
    let done = |action: Action| {
        report.outcomes.iter().filter(|outcome| outcome.end == End::Done && outcome.action == action).count()
    };
    let words = [
        (done(Action::Create), "created"),
        (done(Action::Update), "changed"),
        (done(Action::Replace), "replaced"),
        (done(Action::Delete), "deleted"),
        (done(Action::Wait) + done(Action::Settle), "settled"),
        (report.ended(|end| matches!(end, End::Failed { .. })).count(), "failed"),
        (report.ended(|end| matches!(end, End::StillUnderWay { .. })).count(), "still under way"),
        (report.ended(|end| matches!(end, End::NotAttempted { .. })).count(), "not attempted"),
    ];
    let counts: Vec<String> =
        words.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
    let counts = if counts.is_empty() { counted(0, "change", "changes") } else { counts.join(", ") };
    let style = if report.is_done() { GOOD } else { CHANGED };
    let (name, place) = match plan.verb {
        Verb::Up => ("Up", String::new()),
        Verb::Down => ("Down", format!(" from {}", header.account())),
    };
    let interrupted = match interruption {
        Interruption::None => "",
        Interruption::Interrupted => "Interrupted. AWS goes on with what was started. ",
    };
    let stack = &plan.stack;
    format!("{interrupted}{style}{BOLD}{name} {stack}{BOLD:#}{style:#}: {counts}{place} in {}.", took(seconds))
}
