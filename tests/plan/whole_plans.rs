//! Whole plans as a person reads them.

use ekk::guard;
use ekk::render::{self, Detail, Header};
use ekk::resource::Hazard;
use ekk::spec::{Source, Spec};
use ekk::stack::Live;

use crate::fixture::{Stack, edit};

fn header(stack: &Stack) -> Header {
    Header {
        target: stack.target.clone(),
        alias: Some("acme-dev".to_owned()),
        caller: "arn:aws:sts::123456789012:assumed-role/AWSReservedSSO_Admin_1/anna".to_owned(),
        local: None,
    }
}

#[test]
fn the_articles_stack_that_is_not_there_yet() {
    let stack = Stack::article();
    let plan = stack.up(&Live::empty());
    insta::assert_snapshot!(render::plain(&render::plan(&plan, &header(&stack), Detail::Short)));
}

#[test]
fn every_setting_of_the_articles_stack() {
    let stack = Stack::article();
    let plan = stack.up(&Live::empty());
    insta::assert_snapshot!(render::plain(&render::plan(&plan, &header(&stack), Detail::Every)));
}

#[test]
fn nothing_to_do() {
    let stack = Stack::article();
    let plan = stack.up(&stack.live());
    insta::assert_snapshot!(render::plain(&render::plan(&plan, &header(&stack), Detail::Short)));
}

#[test]
fn going_down() {
    let stack = Stack::article();
    let plan = stack.down(&stack.live());
    insta::assert_snapshot!(render::plain(&render::plan(&plan, &header(&stack), Detail::Short)));
}

#[test]
fn a_refused_plan_names_the_line_and_the_flag() {
    let text = "stack: logs\ndomain:\n  instance_type: m7g.large.search\n  volume: { size_gib: 50 }\n";
    let stack = Stack::of(text);
    let mut live = stack.live();
    edit(&mut live.domain, |domain| domain.settings.cluster.instance_type = "t3.small.search".to_owned());
    let plan = stack.up(&live);
    let loaded = Spec::load(&Source::text("logs.yaml", text)).expect("a valid spec");
    let objections = guard::objections(&plan, &[]);
    assert_eq!(objections.not_allowed[0].note.hazard, Hazard::BlueGreen);
    insta::assert_snapshot!(render::plain(&render::objections(
        &plan,
        &objections,
        "logs.yaml",
        &loaded.places,
        "ekk up logs.yaml"
    )));
    assert!(guard::objections(&plan, &["blue-green:domain".parse().expect("an allowance")]).is_empty());
}

#[test]
fn a_changed_plan_for_a_pull_request() {
    let stack = Stack::article();
    let mut live = stack.live();
    edit(&mut live.stream, |stream| stream.settings.backup.documents = "FailedDocumentsOnly".to_owned());
    edit(&mut live.log_group, |group| group.settings.retention_days = None);
    let plan = stack.up(&live);
    insta::assert_snapshot!(render::plan_markdown(&plan, &header(&stack)));
}

#[test]
fn the_fingerprint_counts_the_work_and_not_the_facts() {
    let stack = Stack::article();
    let mut live = stack.live();
    edit(&mut live.stream, |stream| stream.settings.retry_seconds = 9);
    let one = stack.up(&live).fingerprint();
    edit(&mut live.stream, |stream| stream.facts.version_id = "77".to_owned());
    assert_eq!(stack.up(&live).fingerprint(), one);
    edit(&mut live.stream, |stream| stream.settings.retry_seconds = 8);
    assert_ne!(stack.up(&live).fingerprint(), one);
}
