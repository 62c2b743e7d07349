//! Starting from equal, one setting is changed, and exactly that setting stands in the plan: for every setting of every
//! kind, so that a new setting is covered without a new test.

use ekk::plan::{Action, Plan};
use ekk::resource::{Read, Settings};
use ekk::stack::{Live, Slot};
use serde_json::{Value, json};

use crate::fixture::{Stack, edit, lines};

#[test]
fn equal_is_nothing_to_do() {
    for text in
        ["stack: logs", include_str!("../../stacks/logging-test.yaml"), include_str!("../../stacks/production.yaml")]
    {
        let stack = Stack::of(&text.replace("{region}", "eu-west-1"));
        let plan = stack.up(&stack.live());
        assert_eq!(lines(&plan), Vec::<String>::new(), "{text}");
        assert!(plan.refusals.is_empty(), "{:?}", plan.refusals);
    }
}

#[test]
fn every_setting_of_the_role_is_seen() {
    every_setting_is_seen(|live| &mut live.role);
}

#[test]
fn every_setting_of_the_bucket_is_seen() {
    every_setting_is_seen(|live| &mut live.bucket);
}

#[test]
fn every_setting_of_the_log_group_is_seen() {
    every_setting_is_seen(|live| &mut live.log_group);
}

#[test]
fn every_setting_of_the_domain_is_seen() {
    every_setting_is_seen(|live| &mut live.domain);
}

#[test]
fn every_setting_of_the_index_template_is_seen() {
    every_setting_is_seen(|live| &mut live.index_template);
}

#[test]
fn every_setting_of_the_stream_is_seen() {
    every_setting_is_seen(|live| &mut live.stream);
}

#[test]
fn every_setting_of_the_index_pattern_is_seen() {
    every_setting_is_seen(|live| &mut live.index_pattern);
}

fn every_setting_is_seen<T: Slot>(read: impl Fn(&mut Live) -> &mut Read<T>) {
    let stack = Stack::of(include_str!("../../stacks/production.yaml"));
    let wanted = match T::desired(&stack.desired).settings() {
        Some(settings) => serde_json::to_value(settings).expect("settings have a JSON form"),
        None => panic!("the stack has no {}", T::KIND),
    };
    let mut seen = 0;
    for pointer in leaves(String::new(), &wanted) {
        let mut live = stack.live();
        let Some(changed) = with_another_value::<T>(read(&mut live), &pointer) else { continue };
        edit(read(&mut live), |observed| observed.settings = changed);
        let plan = stack.up(&live);
        assert_eq!(seen_in(&plan, T::KIND), vec![pointer.clone()], "{} {pointer}", T::KIND);
        seen += 1;
    }
    assert!(seen > 0, "no setting of {} was tried", T::KIND);
}

/// A policy and a mapping are compared as a whole or by what is inside: the pointer that is seen is the changed one or
/// one above it.
fn seen_in(plan: &Plan, kind: ekk::resource::Kind) -> Vec<String> {
    let changes = plan
        .changes
        .iter()
        .filter(|change| change.kind == kind && matches!(change.action, Action::Update | Action::Replace))
        .flat_map(ekk::plan::Change::pointers);
    let refusals =
        plan.refusals.iter().filter(|refusal| refusal.kind == kind).filter_map(|refusal| refusal.field.as_ref());
    changes.chain(refusals.map(|field| field.pointer.clone())).collect()
}

fn leaves(pointer: String, value: &Value) -> Vec<String> {
    match value {
        Value::Null => Vec::new(),
        Value::Object(entries) if value.get("Statement").is_none() && value.get("Effect").is_none() => entries
            .iter()
            .flat_map(|(key, value)| leaves(format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1")), value))
            .collect(),
        _ => vec![pointer],
    }
}

/// Returns the live settings with another value at a pointer, if the type takes it.
fn with_another_value<T: Settings>(read: &Read<T>, pointer: &str) -> Option<T> {
    let mut settings = serde_json::to_value(&read.present()?.settings).ok()?;
    let value = settings.pointer_mut(pointer)?;
    *value = match &*value {
        Value::Bool(value) => json!(!value),
        Value::Number(number) => json!(number.as_u64()? + 1),
        Value::String(text) => json!(format!("{text}x")),
        Value::Array(items) => {
            let mut items = items.clone();
            items.push(json!("another"));
            Value::Array(items)
        }
        Value::Object(entries) => {
            let mut entries = entries.clone();
            entries.insert("Sid".to_owned(), json!("another"));
            entries.insert("Effect".to_owned(), json!("Deny"));
            entries.remove("Statement");
            Value::Object(entries)
        }
        Value::Null => return None,
    };
    serde_json::from_value(settings).ok()
}
