//! `up`, `plan`, `status` and `down` as a user sees them, from nothing to nothing.

use serde_json::Value;

use crate::account::Account;
use crate::place::{Ended, project};

fn article() -> String {
    std::fs::read_to_string(project("stacks/logging-test.yaml")).expect("the article's stack")
}

#[test]
fn a_stack_comes_up_stays_changes_and_goes_down() {
    let account = Account::instant();
    let place = &account.place;
    place.write("ekk.yaml", article());
    insta::assert_snapshot!("first_plan", place.ekk(&["plan"]));
    assert_eq!(account.writes(), Vec::<String>::new());
    insta::assert_snapshot!("first_up", place.ekk(&["up", "--yes"]));
    account.control.clear_requests();
    insta::assert_snapshot!("second_up", place.ekk(&["up", "--yes"]));
    assert_eq!(account.writes(), Vec::<String>::new());
    insta::assert_snapshot!("status", place.ekk(&["status"]));
    let changed = article().replace("retry_seconds: 300", "retry_seconds: 600");
    assert_ne!(changed, article());
    place.write("ekk.yaml", changed);
    insta::assert_snapshot!("status_of_a_changed_file", place.ekk(&["status"]));
    insta::assert_snapshot!("up_of_a_changed_file", place.ekk(&["up", "--yes"]));
    account.assert_converged();
    insta::assert_snapshot!("plan_of_going_down", place.ekk(&["plan", "--destroy"]));
    insta::assert_snapshot!("down", place.ekk(&["down", "--yes", "--allow", "delete-data"]));
    insta::assert_snapshot!("down_again", place.ekk(&["down", "--yes", "--allow", "delete-data"]));
    insta::assert_snapshot!("status_of_nothing", place.ekk(&["status"]));
    insta::assert_snapshot!(
        "down_with_the_bucket",
        place.ekk(&["down", "--yes", "--allow", "delete-data", "--delete-backup"])
    );
}

/// The JSON that was printed, with what differs from run to run taken out.
fn json(ended: &Ended) -> Value {
    fn steady(value: &mut Value) {
        match value {
            Value::Object(object) => {
                for (key, value) in object {
                    match key.as_str() {
                        "seconds" => {
                            assert!(value.is_f64(), "{value}");
                            *value = Value::from("[time]");
                        }
                        "endpoint" if value.is_string() => *value = Value::from("[endpoint]"),
                        _ => steady(value),
                    }
                }
            }
            Value::Array(values) => values.iter_mut().for_each(steady),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut value = serde_json::from_str(&ended.out).unwrap_or_else(|error| panic!("{error}: {ended}"));
    steady(&mut value);
    value
}

#[test]
fn every_verb_speaks_json() {
    let account = Account::instant();
    let place = &account.place;
    place.write("ekk.yaml", "stack: logs\n");
    let planned = json(&place.ekk(&["plan", "-o", "json"]).with(0));
    insta::assert_json_snapshot!("json_plan", planned);
    let up = place.ekk(&["up", "--yes", "-o", "json"]).with(0);
    assert!(up.err.contains("Plan: 7 to create"), "the plan is for the person who waits: {up}");
    insta::assert_json_snapshot!("json_up", json(&up));
    assert_eq!(json(&up)["stacks"][0]["fingerprint"], planned["stacks"][0]["fingerprint"]);
    let quiet = place.ekk(&["up", "--yes", "-q", "-o", "json"]).with(0);
    assert_eq!(quiet.err, "");
    insta::assert_json_snapshot!("json_up_with_nothing_to_do", json(&quiet));
    insta::assert_json_snapshot!("json_status", json(&place.ekk(&["status", "-o", "json"]).with(0)));
    let down = place.ekk(&["down", "--yes", "--allow", "delete-data", "-o", "json"]).with(0);
    insta::assert_json_snapshot!("json_down", json(&down));
    let nothing = place.ekk(&["down", "--yes", "--allow", "delete-data", "-o", "json"]).with(0);
    assert_eq!(json(&nothing)["stacks"][0]["done"], true);
}

#[test]
fn every_verb_speaks_markdown() {
    let account = Account::instant();
    let place = &account.place;
    place.write("ekk.yaml", "stack: logs\n");
    insta::assert_snapshot!("markdown_plan", place.ekk(&["plan", "-o", "markdown"]).out);
    insta::assert_snapshot!("markdown_up", place.ekk(&["up", "--yes", "-o", "markdown"]));
    insta::assert_snapshot!("markdown_status", place.ekk(&["status", "-o", "markdown"]));
    insta::assert_snapshot!("markdown_down", place.ekk(&["down", "--yes", "--allow", "delete-data", "-o", "markdown"]));
}

#[test]
fn a_dry_run_is_a_plan() {
    let account = Account::instant();
    account.place.write("ekk.yaml", "stack: logs\n");
    let dry = account.place.ekk(&["up", "--dry-run"]);
    let plan = account.place.ekk(&["plan"]);
    assert_eq!((dry.code, &dry.out, &dry.err), (plan.code, &plan.out, &plan.err));
    assert_eq!(account.writes(), Vec::<String>::new());
}

#[test]
fn the_exit_code_of_a_plan_tells_whether_something_is_to_do() {
    let account = Account::instant();
    let place = &account.place;
    place.write("ekk.yaml", "stack: logs\n");
    place.ekk(&["plan"]).with(0);
    place.ekk(&["plan", "--exit-code"]).with(3);
    account.bring_up("stack: logs\n");
    place.ekk(&["plan", "--exit-code"]).with(0);
    place.write(
        "ekk.yaml",
        "stack: logs\nstream: { encryption: { type: none } }\ndomain: { instance_type: m7g.large.search }\n",
    );
    insta::assert_snapshot!(place.ekk(&["plan", "--exit-code"]).with(4));
    place.ekk(&["plan"]).with(0);
    place.ekk(&["plan", "--exit-code", "--allow", "blue-green"]).with(3);
    assert_eq!(account.writes(), Vec::<String>::new());
}

#[test]
fn verbose_shows_every_setting_and_quiet_no_progress() {
    let account = Account::instant();
    let place = &account.place;
    place.write("ekk.yaml", "stack: logs\n");
    insta::assert_snapshot!("verbose_plan", place.ekk(&["plan", "-v"]));
    let quiet = place.ekk(&["up", "-q", "--yes"]).with(0);
    assert_eq!(quiet.err, "");
    insta::assert_snapshot!("quiet_up", quiet);
    insta::assert_snapshot!("verbose_plan_of_nothing", place.ekk(&["plan", "-v"]));
}

#[test]
fn colour_comes_when_asked_for_and_never_into_a_pipe() {
    let mut account = Account::instant();
    account.place.write("ekk.yaml", "stack: logs\n");
    let escapes = |words: &[&str], account: &Account| account.place.ekk(words).with(0).out.contains('\u{1b}');
    assert!(!escapes(&["plan"], &account));
    assert!(escapes(&["plan", "--color", "always"], &account));
    assert!(escapes(&["--color=always", "plan"], &account));
    assert!(!escapes(&["plan", "--color", "never"], &account));
    account.place.set("NO_COLOR", "1");
    assert!(!escapes(&["plan"], &account));
    account.place.unset("NO_COLOR");
    account.place.write("ekk.yaml", "stack: Logs\n");
    let faulty = account.place.ekk(&["plan", "--color", "always"]).with(2);
    assert!(faulty.err.contains('\u{1b}'), "{faulty}");
}

#[test]
fn a_plan_into_a_closed_pipe_fails_and_up_does_nothing_then() {
    let account = Account::instant();
    let place = &account.place;
    place.write("ekk.yaml", "stack: logs\n");
    for words in [&["plan"][..], &["up", "--yes"], &["status"], &["plan", "-o", "json"]] {
        let mut child = place.start(&mut place.binary(words));
        drop(child.stdout.take());
        let ended = place.end(child).with(1);
        assert_eq!(ended.err, "error (exit 1): standard output: Broken pipe (os error 32)\n");
    }
    assert_eq!(account.writes(), Vec::<String>::new());
}

#[test]
fn several_stacks_are_all_tried_and_the_worst_code_counts() {
    let account = Account::instant();
    let place = &account.place;
    place.write("stacks/a.yaml", "stack: first\n");
    place.write("stacks/b.yaml", "stack: second\naccount: \"123456789012\"\n");
    place.write("stacks/c.yaml", "stack: third\n");
    let up = place.ekk(&["up", "--yes", "stacks", "-o", "json"]).with(4);
    let done: Vec<_> =
        json(&up)["stacks"].as_array().expect("stacks").iter().map(|stack| stack["stack"].clone()).collect();
    assert!(done.contains(&Value::from("first")) && done.contains(&Value::from("third")), "{up}");
    insta::assert_snapshot!("several_plans", place.ekk(&["plan", "stacks", "--exit-code"]));
    insta::assert_snapshot!("several_states", place.ekk(&["status", "stacks"]));
    account.control.deny("firehose:CreateDeliveryStream");
    place.write("stacks/c.yaml", "stack: third\nstream: { name: renamed }\n");
    let up = place.ekk(&["up", "--yes", "stacks"]).with(1);
    insta::assert_snapshot!("several_ups", up);
}
