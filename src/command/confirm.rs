//! Asks a person, and reads `--expect`.

use std::io::{BufRead as _, IsTerminal as _};
use std::path::Path;

use serde_json::Value;

use super::tell;
use crate::error::{Error, ErrorKind, Result};
use crate::plan::Plan;

/// Tells whether there is a person to ask.
pub(super) fn can_ask() -> bool {
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

/// Checks a plan against `--expect FINGERPRINT|PLAN.json`.
pub(super) fn expected(plan: &Plan, expect: &str) -> Result<()> {
    let wanted = wanted(plan, expect)?;
    let found = plan.fingerprint();
    if found.starts_with(&wanted) {
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

fn wanted(plan: &Plan, expect: &str) -> Result<String> {
    let is_fingerprint =
        expect.len() >= SHORTEST && expect.len() <= 64 && expect.bytes().all(|b| b.is_ascii_hexdigit());
    if is_fingerprint && !Path::new(expect).exists() {
        return Ok(expect.to_lowercase());
    }
    let text = std::fs::read_to_string(expect).map_err(|error| {
        Error::usage(format!("--expect {expect}: {error}"))
            .hint("pass a fingerprint of 8 hexadecimal digits or more, or a file that `ekk plan --out` wrote")
    })?;
    let not_a_plan = || {
        Error::usage(format!(
            "--expect {expect}: no plan of stack {} in {} stands in it",
            plan.stack, plan.target.region
        ))
        .hint("write it with `ekk plan --out FILE`")
    };
    let json: Value = serde_json::from_str(&text).map_err(|_| not_a_plan())?;
    let plans = json["stacks"].as_array().ok_or_else(not_a_plan)?;
    plans
        .iter()
        .find(|known| known["stack"] == plan.stack.as_str() && known["region"] == plan.target.region.as_str())
        .and_then(|known| known["fingerprint"].as_str())
        .filter(|fingerprint| fingerprint.len() == 64)
        .map(ToOwned::to_owned)
        .ok_or_else(not_a_plan)
}
