//! Which change waits for which. Order belongs to the change, not to the kind: a domain that is being made holds up
//! what needs its endpoint, a domain that is being changed holds up nothing.

use super::{Action, Change, Plan, Step, Verb, Work};
use crate::policy;
use crate::resource::{Kind, Managed, within};
use crate::stack::Live;

/// Splits the role's update where the stream's targets change, and fills [`Change::after`].
pub(super) fn put_in_order(plan: &mut Plan, live: &Live) {
    match plan.verb {
        Verb::Up => {
            widen_first_and_narrow_last(plan);
            order_up(plan, live);
        }
        Verb::Down => order_down(plan),
    }
}

fn order_up(plan: &mut Plan, live: &Live) {
    let domain_has_no_endpoint =
        live.domain.present().is_none_or(|domain| domain.facts.endpoint.is_none() || plan_replaces_domain(plan));
    // What is deleted or narrowed comes behind the stream, so the stream cannot wait for it.
    let comes_last = |change: &Change| change.action == Action::Delete || change.buffered_seconds > 0;
    let position = |kind: Kind| plan.changes.iter().position(|change| change.kind == kind && !comes_last(change));
    let domain = position(Kind::Domain).filter(|_| domain_has_no_endpoint);
    let (role, bucket, log_group) = (position(Kind::Role), position(Kind::Bucket), position(Kind::LogGroup));
    let (template, stream) = (position(Kind::IndexTemplate), position(Kind::Stream));
    let after: Vec<Vec<usize>> = plan
        .changes
        .iter()
        .enumerate()
        .map(|(index, change)| {
            let needs: &[Option<usize>] = match (change.kind, change.action) {
                // It is narrowed, or deleted, only when the stream no longer needs it.
                (Kind::Role, _) if change.buffered_seconds > 0 => &[stream],
                (_, Action::Delete) => &[stream],
                (Kind::Role | Kind::Bucket | Kind::LogGroup | Kind::Domain, _) => &[],
                (Kind::IndexTemplate | Kind::IndexPattern, _) => &[domain],
                // The template comes before the stream: it counts for indexes that do not exist yet.
                (Kind::Stream, _) => &[role, bucket, log_group, domain, template],
            };
            needs.iter().copied().flatten().filter(|needed| *needed != index).collect()
        })
        .collect();
    for (change, after) in plan.changes.iter_mut().zip(after) {
        change.after = after;
    }
}

fn plan_replaces_domain(plan: &Plan) -> bool {
    plan.changes.iter().any(|change| matches!(change.work, Work::Domain(Step::Replace(..))))
}

/// Backwards: the stream first, since it still flushes, and the bucket last.
fn order_down(plan: &mut Plan) {
    plan.changes.sort_by_key(|change| match change.kind {
        Kind::Stream => 0,
        Kind::IndexPattern | Kind::IndexTemplate => 1,
        Kind::Domain => 2,
        Kind::Role => 3,
        Kind::LogGroup => 4,
        Kind::Bucket => 5,
    });
    let count = plan.changes.len();
    let stream = plan.changes.iter().position(|change| change.kind == Kind::Stream);
    for (index, change) in plan.changes.iter_mut().enumerate() {
        change.after = match change.kind {
            Kind::Stream => Vec::new(),
            Kind::Bucket => (0..count).filter(|other| *other != index).collect(),
            Kind::Role | Kind::LogGroup | Kind::Domain | Kind::IndexTemplate | Kind::IndexPattern => {
                stream.into_iter().collect()
            }
        };
    }
}

/// Where the stream's targets change, the role first allows the old and the new ones, then the stream changes, and the
/// role is narrowed after the longest buffer interval. Killed in between, the next plan narrows.
fn widen_first_and_narrow_last(plan: &mut Plan) {
    let stream = plan.changes.iter().find_map(|change| match &change.work {
        Work::Stream(Step::Update(before, _)) if changes_targets(change) => Some(before.clone()),
        Work::Role(_)
        | Work::Bucket(_)
        | Work::LogGroup(_)
        | Work::Domain(_)
        | Work::IndexTemplate(_)
        | Work::Stream(_)
        | Work::IndexPattern(_) => None,
    });
    let Some(stream) = stream else { return };
    let buffered_seconds = stream.settings.buffer.seconds.max(stream.settings.backup.buffer.seconds).max(1);
    let Some(position) = plan.changes.iter().position(|change| change.kind == Kind::Role) else { return };
    let Work::Role(Step::Update(before, after)) = plan.changes[position].work.clone() else { return };
    let (Some(old), Some(new)) = (&before.settings.policy, &after.settings.policy) else { return };
    let both = policy::union(old, new);
    if both == *new {
        return;
    }
    let is_policy = |pointer: &str| within(pointer, "/policy");
    let mut narrow = plan.changes[position].clone();
    narrow.fields.retain(|field| is_policy(&field.pointer));
    narrow.buffered_seconds = buffered_seconds;
    for field in &mut narrow.fields {
        field.before = serde_json::to_value(&both).ok();
    }
    narrow.hazards.clear();
    narrow.notes =
        vec![format!("narrowed again {buffered_seconds} s (the longest buffer) after the stream has its new targets")];
    let mut widened = before.clone();
    widened.settings.policy = Some(both.clone());
    narrow.work = Work::Role(Step::Update(widened, after.clone()));

    let wide_settings = crate::resource::role::RoleSettings { policy: Some(both.clone()), ..after.settings.clone() };
    let wide = &mut plan.changes[position];
    if both == *old {
        wide.fields.retain(|field| !is_policy(&field.pointer));
    } else {
        wide.notes.push("first allows the old and the new targets of the stream".to_owned());
        for field in wide.fields.iter_mut().filter(|field| is_policy(&field.pointer)) {
            field.after = serde_json::to_value(&both).ok();
        }
    }
    wide.work = Work::Role(Step::Update(before, Managed { settings: wide_settings, tags: after.tags }));
    if wide.fields.is_empty() {
        plan.changes.remove(position);
    }
    plan.changes.push(narrow);
}

fn changes_targets(change: &Change) -> bool {
    let targets = ["/role_arn", "/domain_arn", "/index", "/backup/bucket_arn", "/logging", "/encryption"];
    change.fields.iter().any(|field| targets.iter().any(|target| within(&field.pointer, target)))
}
