//! Why a plan is refused, with the line of the file and the flag that would allow it.

use std::fmt::Write as _;

use super::plan_text::marker;
use super::{BAD, counted, key_in_file};
use crate::guard::Objections;
use crate::plan::{Change, Plan};
use crate::spec::Places;

/// Renders what stands in a plan's way. `source` is the file as the user named it, `places` says where its keys stand,
/// and `command` is what does this plan, to which the flags are added that would allow it.
#[must_use]
pub fn objections(plan: &Plan, objections: &Objections, source: &str, places: &Places, command: &str) -> String {
    let mut text = String::new();
    let hazards = objections.not_allowed.len();
    let mut counts = Vec::new();
    if hazards > 0 {
        counts.push(counted(hazards, "hazard", "hazards"));
    }
    if !objections.refusals.is_empty() {
        counts.push(counted(objections.refusals.len(), "obstacle", "obstacles"));
    }
    let _ = writeln!(text, "{BAD}refused{BAD:#} (exit 4), nothing was changed: {} in {source}", counts.join(" and "));
    for refusal in &objections.refusals {
        let line = refusal.field.as_ref().and_then(|field| line_of(places, refusal.kind, &field.pointer));
        let line = line.map(|line| format!("     line {line}")).unwrap_or_default();
        let _ = writeln!(text, "  {BAD}x{BAD:#} {} {}: {}{line}", refusal.kind, refusal.name, refusal.why);
        let _ = writeln!(text, "    {}", refusal.hint);
    }
    let mut flags: Vec<String> = Vec::new();
    for not_allowed in &objections.not_allowed {
        let change = &plan.changes[not_allowed.change];
        let (marker, _) = marker(change.action);
        let _ = writeln!(text, "  {BAD}{marker}{BAD:#} {}", headline(change, places));
        let _ = writeln!(text, "    {}: {}", not_allowed.note.hazard, not_allowed.note.why);
        let flag = format!("--allow {}", not_allowed.flag);
        if !flags.contains(&flag) {
            flags.push(flag);
        }
    }
    if !flags.is_empty() && objections.refusals.is_empty() {
        let _ = writeln!(text, "    to do it: {command} {}", flags.join(" "));
    }
    text
}

fn headline(change: &Change, places: &Places) -> String {
    let mut text = format!("{} {}", change.kind, change.name);
    if let [field] = change.fields.as_slice() {
        let _ = write!(text, "  {field}");
        if let Some(line) = line_of(places, change.kind, &field.pointer) {
            let _ = write!(text, "     line {line}");
        }
    } else if !change.fields.is_empty() {
        let names: Vec<String> = change
            .fields
            .iter()
            .map(|field| {
                let name = field.pointer.trim_start_matches('/').replace('/', ".");
                match line_of(places, change.kind, &field.pointer) {
                    Some(line) => format!("{name} (line {line})"),
                    None => name,
                }
            })
            .collect();
        let _ = write!(text, "  {}", names.join(", "));
    }
    text
}

fn line_of(places: &Places, kind: crate::resource::Kind, pointer: &str) -> Option<usize> {
    places.line_of(&key_in_file(kind, pointer)?)
}
