//! Asks a person, and reads `--expect`.

use std::io::{BufRead as _, IsTerminal as _};
use std::path::Path;

use serde_json::Value;

use super::tell;
use crate::cli::Apply;
use crate::error::{Error, ErrorKind, Result};
use crate::plan::Plan;

/// Tells whether there is a person to ask.
fn can_ask() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Asks a question that only `y` or `yes` answers with yes.
pub(super) fn yes(question: &str) -> Result<bool> {
    let answer = ask(&format!("{question} [y/N] "))?;
    Ok(matches!(answer.to_lowercase().as_str(), "y" | "yes"))
}

/// Asks for a word to be typed.
pub(super) fn typed(question: &str, word: &str) -> Result<bool> {
    Ok(ask(&format!("{question} "))? == word)
}

fn ask(question: &str) -> Result<String> {
    tell(question);
    let mut answer = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut answer)
        .map_err(|error| Error::new(ErrorKind::Usage, format!("the answer could not be read: {error}")))?;
    Ok(answer.trim().to_owned())
}

/// The least part of a fingerprint that names a plan: 32 bits.
const SHORTEST: usize = 8;

/// What `--expect FINGERPRINT|PLAN.json` names.
#[derive(Debug)]
pub(super) enum Expectation {
    /// A fingerprint, or the beginning of one.
    Fingerprint(String),
    /// What `ekk plan --out` wrote: its path, and each plan in it.
    File(String, Vec<Value>),
}

/// Looks at what answers the question in advance, before anything is sent: no answer and nobody to ask is a mistake
/// on the command line, and so is an expectation that cannot be read.
pub(super) fn prepared(apply: &Apply, question: Question) -> Result<Option<Expectation>> {
    let expectation = apply.expect.as_deref().map(expectation).transpose()?;
    match question {
        Question::None => {}
        Question::Asked => {
            if !apply.yes && expectation.is_none() && !can_ask() {
                return Err(Error::usage("there is no terminal to ask on")
                    .hint("pass --yes, or --expect with the plan's fingerprint"));
            }
        }
    }
    Ok(expectation)
}

/// Whether a command asks before it changes anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Question {
    /// It never asks.
    None,
    /// It asks unless it is answered in advance.
    Asked,
}

fn expectation(expect: &str) -> Result<Expectation> {
    let is_fingerprint =
        expect.len() >= SHORTEST && expect.len() <= 64 && expect.bytes().all(|b| b.is_ascii_hexdigit());
    if is_fingerprint && !Path::new(expect).exists() {
        return Ok(Expectation::Fingerprint(expect.to_lowercase()));
    }
    let text = std::fs::read_to_string(expect).map_err(|error| {
        Error::usage(format!("--expect {expect}: {error}"))
            .hint("pass a fingerprint of 8 hexadecimal digits or more, or a file that `ekk plan --out` wrote")
    })?;
    let plans = serde_json::from_str(&text).ok().and_then(|json: Value| json["stacks"].as_array().cloned());
    let plans = plans.ok_or_else(|| {
        Error::usage(format!("--expect {expect}: it is not a plan")).hint("write it with `ekk plan --out FILE`")
    })?;
    Ok(Expectation::File(expect.to_owned(), plans))
}

/// Checks a plan against `--expect`.
pub(super) fn expected(plan: &Plan, expectation: &Expectation) -> Result<()> {
    let wanted = match expectation {
        Expectation::Fingerprint(fingerprint) => fingerprint,
        Expectation::File(path, plans) => plans
            .iter()
            .find(|known| known["stack"] == plan.stack.as_str() && known["region"] == plan.target.region.as_str())
            .and_then(|known| known["fingerprint"].as_str())
            .filter(|fingerprint| fingerprint.len() == 64)
            .ok_or_else(|| {
                Error::refused(format!(
                    "--expect {path}: no plan of stack {} in {} stands in it",
                    plan.stack, plan.target.region
                ))
                .hint("write it with `ekk plan --out FILE`")
            })?,
    };
    let found = plan.fingerprint();
    if found.starts_with(wanted) {
        return Ok(());
    }
    Err(Error::refused(format!(
        "stack {}: the plan is not the one that was looked at: its fingerprint is {}, expected was {}",
        plan.stack,
        &found[..16],
        &wanted[..wanted.len().min(16)]
    ))
    .hint("look at the plan above; if it is what you want, pass its fingerprint"))
}
