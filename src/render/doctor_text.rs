//! What `ekk doctor` found, for a person and for a program.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{BAD, BOLD, CHANGED, DIM, GOOD, Header, counted, plain};
use crate::doctor::{Finding, Severity};
use crate::error::Exit;
use crate::plan::{Action, FORMAT, Plan};
use crate::resource::Kind;
use crate::spec::Places;

/// A stack that was looked at.
#[derive(Clone, Debug)]
pub struct Examined<'a> {
    /// What was found, the worst first.
    pub findings: &'a [Finding],
    /// Its name.
    pub stack: &'a str,
    /// Where it is, and who looked.
    pub header: &'a Header,
    /// Its file and where its keys stand, where it was named by that.
    pub file: Option<(&'a str, &'a Places)>,
    /// The command that sends a record through.
    pub verify: String,
}

/// Renders the findings, the worst first.
#[must_use]
pub fn doctor(examined: &Examined<'_>) -> String {
    let Examined { findings, stack, header, file: _, verify } = examined;
    let mut text = format!("{header} · stack {BOLD}{stack}{BOLD:#}\n");
    for finding in *findings {
        let Finding { severity, cause, says, evidence, mend, key: _ } = finding;
        let (style, mark) = match severity {
            Severity::Error => (BAD, "x"),
            Severity::Warning => (CHANGED, "!"),
            Severity::Blind => (DIM, "?"),
        };
        let _ = writeln!(text, "{style}{mark}{style:#} {says}  {DIM}{cause}{DIM:#}");
        for line in evidence {
            let _ = writeln!(text, "    {DIM}{}{DIM:#}", line.replace('\n', " "));
        }
        let place = examined.place(finding).map(|place| format!("  {DIM}({place}){DIM:#}")).unwrap_or_default();
        let _ = writeln!(text, "    to mend it: {mend}{place}");
    }
    let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let (errors, warnings, blind) = (count(Severity::Error), count(Severity::Warning), count(Severity::Blind));
    let unseen = if blind > 0 {
        format!("; {} could not be looked at", counted(blind, "thing", "things"))
    } else {
        String::new()
    };
    if errors == 0 && warnings == 0 {
        let _ = writeln!(
            text,
            "{GOOD}Nothing found{GOOD:#} in stream, error log, role, bucket, failed documents, domain, indices, mappings, \
             times and clocks{unseen}."
        );
        let _ = writeln!(text, "{verify} sends a record through the whole path.");
    } else {
        let errors = counted(errors, "error", "errors");
        let _ = writeln!(text, "{errors}, {}{unseen}.", counted(warnings, "warning", "warnings"));
    }
    text
}

impl Examined<'_> {
    /// Returns the line of the file that a finding is about.
    fn place(&self, finding: &Finding) -> Option<String> {
        let (source, places) = self.file?;
        let line = places.line_of(finding.key?)?;
        Some(format!("{source}:{line}"))
    }
}

/// The same for a comment.
#[must_use]
pub fn doctor_markdown(examined: &Examined<'_>) -> String {
    format!("```text\n{}```\n", plain(&doctor(examined)))
}

/// The same for a program.
#[must_use]
pub fn doctor_json(examined: &Examined<'_>, exit: Exit) -> Value {
    let Examined { findings, stack, header, file: _, verify: _ } = examined;
    let findings: Vec<Value> = findings
        .iter()
        .map(|finding| {
            let Finding { severity, cause, says, evidence, mend, key } = finding;
            let severity = match severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
                Severity::Blind => "blind",
            };
            json!({
                "severity": severity,
                "cause": cause.name(),
                "says": says,
                "evidence": evidence,
                "mend": mend,
                "key": key,
                "place": examined.place(finding),
            })
        })
        .collect();
    json!({
        "format": FORMAT,
        "stack": stack,
        "partition": header.target.partition,
        "account": header.target.account,
        "region": header.target.region,
        "findings": findings,
        "exit": exit.code(),
    })
}

/// Names what a plan would change: `stream retry_seconds`, `domain is missing`.
#[must_use]
pub fn differing(plan: &Plan) -> Vec<String> {
    let mut named: Vec<String> = Vec::new();
    for change in &plan.changes {
        match change.action {
            Action::Create | Action::Replace => named.push(format!("{} to be made", change.kind)),
            Action::Delete => named.push(format!("{} to go", change.kind)),
            // What is under way, or hidden by a domain that does not answer, has its own finding.
            Action::Wait | Action::Settle => {}
            Action::Update => named.extend(
                change.fields.iter().map(|field| format!("{}{}", change.kind, field.pointer.replace('/', " "))),
            ),
        }
    }
    // What an existing role lacks is a list, which its own finding has.
    let mut refused: Vec<(Kind, &str, usize)> = Vec::new();
    for refusal in &plan.refusals {
        match refused.iter_mut().find(|(kind, _, _)| *kind == refusal.kind) {
            Some((_, _, more)) => *more += 1,
            None => refused.push((refusal.kind, &refusal.why, 0)),
        }
    }
    named.extend(refused.into_iter().map(|(kind, why, more)| match more {
        0 => format!("{kind}: {why}"),
        more => format!("{kind}: {why} and {more} more"),
    }));
    named
}
