//! The documented JSON shapes (docs/cli.md). A key is never renamed within a format version.

use serde_json::{Value, json};

use super::{Header, StackStatus, State};
use crate::apply::Report;
use crate::plan::{FORMAT, Plan};
use crate::stack::Strays;

/// Returns a plan as JSON.
#[must_use]
pub fn plan(plan: &Plan) -> Value {
    let changes: Vec<Value> = plan
        .changes
        .iter()
        .map(|change| {
            json!({
                "kind": change.kind,
                "name": change.name,
                "action": change.action,
                "fields": change.fields,
                "hazards": change.hazards,
                "notes": change.notes,
                "after": change.after,
            })
        })
        .collect();
    let unchanged: Vec<Value> = plan.unchanged.iter().map(|(kind, name)| json!({"kind": kind, "name": name})).collect();
    let kept: Vec<Value> =
        plan.kept.iter().map(|(kind, name, why)| json!({"kind": kind, "name": name, "why": why})).collect();
    json!({
        "format": FORMAT,
        "verb": plan.verb,
        "stack": plan.stack,
        "partition": plan.target.partition,
        "account": plan.target.account,
        "region": plan.target.region,
        "fingerprint": plan.fingerprint(),
        "changes": changes,
        "unchanged": unchanged,
        "kept": kept,
        "refusals": plan.refusals,
        "strays": strays(&plan.strays),
        "warnings": plan.warnings,
    })
}

/// Returns what became of a plan as JSON.
#[must_use]
pub fn report(plan: &Plan, report: &Report, seconds: f64) -> Value {
    json!({
        "format": FORMAT,
        "verb": plan.verb,
        "stack": plan.stack,
        "partition": plan.target.partition,
        "account": plan.target.account,
        "region": plan.target.region,
        "fingerprint": plan.fingerprint(),
        "done": report.is_done(),
        "seconds": seconds,
        "outcomes": report.outcomes,
    })
}

/// Returns the live state of a stack as JSON.
#[must_use]
pub fn status(status: &StackStatus, header: &Header) -> Value {
    let resources: Vec<Value> = status
        .resources
        .iter()
        .map(|resource| {
            let (state, why, stage) = match &resource.state {
                State::Absent => ("absent", None, None),
                State::Ready => ("ready", None, None),
                State::Changing { why, stage } => ("changing", Some(why), *stage),
                State::Deleting => ("deleting", None, None),
                State::Broken(why) => ("broken", Some(why), None),
                State::Unknown(why) => ("unknown", Some(why), None),
                State::NotOurs(why) => ("not-ours", Some(why), None),
            };
            json!({
                "kind": resource.kind,
                "name": resource.name,
                "state": state,
                "why": why,
                "stage": stage,
                "differs": resource.differences,
            })
        })
        .collect();
    json!({
        "format": FORMAT,
        "stack": status.stack,
        "partition": header.target.partition,
        "account": header.target.account,
        "region": header.target.region,
        "endpoint": status.endpoint,
        "dashboards": status.dashboards,
        "resources": resources,
        "strays": strays(&status.strays),
    })
}

fn strays(strays: &Strays) -> Value {
    match strays {
        Strays::Known(strays) => json!(strays),
        Strays::Unknown(why) => json!({"unknown": why}),
    }
}
