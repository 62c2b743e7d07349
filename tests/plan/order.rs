//! Which change waits for which.

use ekk::plan::{Plan, Step, Work};
use ekk::resource::Kind;
use ekk::stack::Live;

use crate::fixture::{Stack, edit, lines};

/// For each change of a kind, the kinds that it waits for.
fn waits(plan: &Plan, kind: Kind) -> Vec<Vec<Kind>> {
    plan.changes
        .iter()
        .filter(|change| change.kind == kind)
        .map(|change| change.after.iter().map(|needed| plan.changes[*needed].kind).collect())
        .collect()
}

#[test]
fn a_new_stack_begins_with_what_needs_nothing() {
    let stack = Stack::article();
    let plan = stack.up(&Live::empty());
    for kind in [Kind::Role, Kind::Bucket, Kind::LogGroup, Kind::Domain] {
        assert_eq!(waits(&plan, kind), vec![Vec::<Kind>::new()], "{kind}");
    }
    assert_eq!(waits(&plan, Kind::IndexTemplate), vec![vec![Kind::Domain]]);
    assert_eq!(waits(&plan, Kind::IndexPattern), vec![vec![Kind::Domain]]);
    assert_eq!(
        waits(&plan, Kind::Stream),
        vec![vec![Kind::Role, Kind::Bucket, Kind::LogGroup, Kind::Domain, Kind::IndexTemplate]]
    );
}

#[test]
fn a_blue_green_of_hours_holds_up_nothing() {
    let stack = Stack::article();
    let mut live = stack.live();
    edit(&mut live.domain, |domain| domain.settings.cluster.instance_count = 2);
    edit(&mut live.stream, |stream| stream.settings.retry_seconds = 9);
    edit(&mut live.index_template, |template| template.settings.replicas = 5);
    let plan = stack.up(&live);
    assert_eq!(waits(&plan, Kind::Stream), vec![vec![Kind::IndexTemplate]]);
    assert_eq!(waits(&plan, Kind::IndexTemplate), vec![Vec::<Kind>::new()]);
}

#[test]
fn down_begins_with_the_stream_and_ends_with_the_bucket() {
    let stack = Stack::article();
    let plan = stack.down_with_backup(&stack.live());
    assert_eq!(lines(&plan), ["delete stream", "delete domain", "delete role", "delete log group", "delete bucket"]);
    assert_eq!(waits(&plan, Kind::Role), vec![vec![Kind::Stream]]);
    assert_eq!(waits(&plan, Kind::Bucket), vec![vec![Kind::Stream, Kind::Domain, Kind::Role, Kind::LogGroup]]);
}

/// The same stack, whose stream still writes to another index.
fn with_another_index() -> (Stack, Live) {
    let old = Stack::of("stack: logs\nindex: { name: old }\n");
    let stack = Stack::of("stack: logs\nindex: { name: new }\n");
    (stack, old.live())
}

#[test]
fn when_the_streams_targets_change_the_role_is_widened_first_and_narrowed_last() {
    let (stack, live) = with_another_index();
    let plan = stack.up(&live);
    let roles: Vec<usize> = (0..plan.changes.len()).filter(|index| plan.changes[*index].kind == Kind::Role).collect();
    let stream = plan.changes.iter().position(|change| change.kind == Kind::Stream).expect("the stream changes");
    let [widen, narrow] = roles.as_slice() else { panic!("{:?}", lines(&plan)) };
    assert!(plan.changes[stream].after.contains(widen));
    assert_eq!(plan.changes[*narrow].after, vec![stream]);
    assert_eq!(plan.changes[*narrow].buffered_seconds, 300);
    assert_eq!(plan.changes[*widen].buffered_seconds, 0);
}

#[test]
fn killed_after_widening_the_next_plan_changes_the_stream_and_narrows() {
    let (stack, mut live) = with_another_index();
    let first = stack.up(&live);
    let wide = first
        .changes
        .iter()
        .find_map(|change| match &change.work {
            Work::Role(Step::Update(_, after)) => Some(after.settings.clone()),
            _ => None,
        })
        .expect("the role is widened");
    edit(&mut live.role, |role| role.settings = wide);
    let plan = stack.up(&live);
    let kinds: Vec<Kind> = plan.changes.iter().map(|change| change.kind).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == Kind::Role).count(), 1, "{:?}", lines(&plan));
    let role = plan.changes.iter().find(|change| change.kind == Kind::Role).expect("the role is narrowed");
    assert_eq!(role.buffered_seconds, 300);
    assert_eq!(waits(&plan, Kind::Role), vec![vec![Kind::Stream]]);
    assert!(!waits(&plan, Kind::Stream)[0].contains(&Kind::Role), "the two would wait for each other");
}

#[test]
fn killed_before_narrowing_the_next_plan_narrows() {
    let (stack, live) = with_another_index();
    let first = stack.up(&live);
    let wide = first
        .changes
        .iter()
        .find_map(|change| match &change.work {
            Work::Role(Step::Update(_, after)) => Some(after.settings.clone()),
            _ => None,
        })
        .expect("the role is widened");
    let mut live = stack.live();
    edit(&mut live.role, |role| role.settings = wide);
    assert_eq!(lines(&stack.up(&live)), ["update role /policy"]);
}
