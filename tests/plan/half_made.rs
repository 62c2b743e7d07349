//! What a killed run leaves behind is planned on from there.

use ekk::plan::Action;
use ekk::resource::{Condition, Read};

use crate::fixture::{Stack, edit, lines};

#[test]
fn a_domain_that_is_being_made_is_waited_for_and_what_is_inside_is_settled_then() {
    let stack = Stack::article();
    let mut live = stack.live();
    edit(&mut live.domain, |domain| {
        domain.condition = Condition::Changing("creating".to_owned());
        domain.facts.endpoint = None;
    });
    live.index_template = Read::Unknown("the domain has no endpoint yet".to_owned());
    live.index_pattern = Read::Unknown("the domain has no endpoint yet".to_owned());
    live.stream = Read::Absent;
    let plan = stack.up(&live);
    assert_eq!(lines(&plan), ["wait domain", "settle index template", "create stream", "settle index pattern"]);
    assert!(!plan.is_empty());
}

#[test]
fn a_change_under_way_is_waited_for_and_not_sent_again() {
    let stack = Stack::article();
    let mut live = stack.live();
    edit(&mut live.domain, |domain| domain.condition = Condition::Changing("blue/green".to_owned()));
    assert_eq!(lines(&stack.up(&live)), ["wait domain"]);
}

#[test]
fn a_stream_that_failed_to_be_made_is_made_anew_without_a_hazard() {
    let stack = Stack::article();
    let mut live = stack.live();
    edit(&mut live.stream, |stream| stream.condition = Condition::Broken("KMS_ACCESS_DENIED: no grant".to_owned()));
    let plan = stack.up(&live);
    assert_eq!(lines(&plan), ["create stream"]);
    assert!(plan.changes[0].hazards.is_empty());
    assert!(plan.changes[0].notes[0].contains("KMS_ACCESS_DENIED"));
}

#[test]
fn a_domain_that_is_broken_is_never_made_anew() {
    let stack = Stack::article();
    let mut live = stack.live();
    edit(&mut live.domain, |domain| domain.condition = Condition::Broken("validation failed".to_owned()));
    let plan = stack.up(&live);
    assert_eq!(lines(&plan), Vec::<String>::new());
    assert_eq!(plan.refusals[0].why, "validation failed");
}

#[test]
fn a_domain_that_is_being_deleted_is_waited_for_and_made_again() {
    let stack = Stack::article();
    let mut live = stack.live();
    edit(&mut live.domain, |domain| domain.condition = Condition::Deleting);
    live.index_template = Read::Absent;
    live.index_pattern = Read::Absent;
    let plan = stack.up(&live);
    assert_eq!(plan.changes[0].action, Action::Create);
    assert!(plan.changes[0].hazards.is_empty());
    assert!(plan.changes[0].notes[0].contains("waits until the old one is gone"));
}

#[test]
fn a_role_without_its_policy_gets_it() {
    let stack = Stack::article();
    let mut live = stack.live();
    edit(&mut live.role, |role| role.settings.policy = None);
    assert_eq!(lines(&stack.up(&live)), ["update role /policy"]);
}

#[test]
fn what_is_inside_a_domain_that_goes_is_left_to_go_with_it() {
    let stack = Stack::article();
    let mut live = stack.live();
    live.index_template = Read::Unknown("unreachable".to_owned());
    live.index_pattern = Read::Unknown("unreachable".to_owned());
    let plan = stack.down(&live);
    assert_eq!(lines(&plan), ["delete stream", "delete domain", "delete role", "delete log group"]);
    assert_eq!(plan.kept.len(), 1);
}
