//! What is refused, and that nothing at all was written then: hazards, expectations, owners, other places, no answer.

use ekk_emulator::Timing;

use crate::account::Account;
use crate::place::Ended;

/// Runs what must be refused, and fails the test where anything was written.
#[track_caller]
fn refused(account: &Account, words: &[&str], code: i32) -> Ended {
    account.control.clear_requests();
    let ended = account.place.ekk(words).with(code);
    assert_eq!(account.writes(), Vec::<String>::new(), "{ended}");
    ended
}

const BIGGER: &str = "stack: logs\ndomain:\n  instance_type: m7g.large.search\n";

#[test]
fn without_a_terminal_an_answer_is_required_before_anything_is_sent() {
    let account = Account::instant();
    account.place.write("ekk.yaml", "stack: logs\n");
    insta::assert_snapshot!("up_without_an_answer", refused(&account, &["up"], 2));
    insta::assert_snapshot!("down_without_an_answer", refused(&account, &["down", "--allow", "delete-data"], 2));
    assert_eq!(account.control.requests().len(), 0);
    // The file on standard input leaves nobody to ask either.
    account.place.ekk_reading(&["up", "-"], "stack: logs\n").with(2).complains("no terminal");
    assert_eq!(account.control.requests().len(), 0);
}

#[test]
fn a_hazard_is_refused_until_it_is_named() {
    let account = Account::instant();
    account.bring_up("stack: logs\n");
    account.place.write("ekk.yaml", BIGGER);
    insta::assert_snapshot!("a_hazard", refused(&account, &["up", "--yes"], 4));
    refused(&account, &["up", "--yes", "--allow", "replace"], 4);
    refused(&account, &["up", "--yes", "--allow", "blue-green:stream"], 4);
    insta::assert_snapshot!("a_hazard_by_the_table", refused(&account, &["up", "--yes", "--no-dry-run"], 4));
    account.place.ekk(&["up", "--yes", "--allow", "blue-green:domain"]).with(0).says("Up logs: 1 changed");
    account.assert_converged();
}

#[test]
fn a_domain_is_deleted_only_when_that_is_allowed() {
    let account = Account::instant();
    account.bring_up("stack: logs\n");
    insta::assert_snapshot!("down_without_allowance", refused(&account, &["down", "--yes"], 4));
    account.place.ekk(&["down", "--yes", "--allow", "delete-data:domain"]).with(0);
    refused(&account, &["down", "--yes", "--delete-backup", "--allow", "delete-data:domain"], 4)
        .complains("--allow delete-data:bucket");
}

#[test]
fn exactly_the_plan_that_was_looked_at_is_done() {
    let account = Account::instant();
    let place = &account.place;
    place.write("ekk.yaml", "stack: logs\n");
    insta::assert_snapshot!("a_plan_is_kept", place.ekk(&["plan", "--out", "plan.json"]));
    let kept: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(place.path("plan.json")).expect("the plan")).expect("JSON");
    let fingerprint = kept["stacks"][0]["fingerprint"].as_str().expect("a fingerprint").to_owned();
    assert_eq!(kept["format"], 1);
    place.write("ekk.yaml", "stack: logs\nstream: { retry_seconds: 10 }\n");
    insta::assert_snapshot!("another_plan", refused(&account, &["up", "--expect", "plan.json"], 4));
    refused(&account, &["up", "--yes", "--expect", &fingerprint[..8]], 4);
    place.write("other.yaml", "stack: other\n");
    insta::assert_snapshot!(
        "a_plan_of_another_stack",
        refused(&account, &["up", "other.yaml", "--expect", "plan.json"], 4)
    );
    place.write("ekk.yaml", "stack: logs\n");
    place.ekk(&["up", "--expect", &fingerprint[..8].to_uppercase()]).with(0);
    refused(&account, &["up", "--expect", "plan.json"], 4);
    // It grants no hazard.
    place.write("ekk.yaml", BIGGER);
    place.ekk(&["plan", "--out", "plan.json"]).with(0);
    refused(&account, &["up", "--expect", "plan.json"], 4).complains("--allow blue-green:domain");
    place.ekk(&["up", "--expect", "plan.json", "--allow", "blue-green"]).with(0);
}

#[test]
fn an_expectation_that_cannot_be_read_is_a_mistake_on_the_command_line() {
    let account = Account::instant();
    account.place.write("ekk.yaml", "stack: logs\n");
    account.place.write("wrong.json", "{\"resources\": []}");
    let told: Vec<String> = ["missing.json", "wrong.json", "1234567", "ekk.yaml"]
        .iter()
        .map(|expect| format!("$ ekk up --expect {expect}\n{}", refused(&account, &["up", "--expect", expect], 2)))
        .collect();
    insta::assert_snapshot!(told.join("\n"));
    assert_eq!(account.control.requests().len(), 0);
}

#[test]
fn what_carries_no_tag_is_taken_over_only_when_that_is_said() {
    let account = Account::instant();
    let place = &account.place;
    account.bring_up("stack: logs\n");
    account.control.world(|world| {
        let key = world.logs.groups.keys().next().expect("a log group").clone();
        let group = world.logs.groups.get_mut(&key).expect("it is there");
        group.tags.clear();
    });
    insta::assert_snapshot!("a_log_group_of_nobody", refused(&account, &["up", "--yes"], 4));
    refused(&account, &["up", "--yes", "--adopt=bucket"], 4);
    insta::assert_snapshot!("adopted", place.ekk(&["up", "--yes", "--adopt=log-group"]).with(0));
    account.assert_converged();
}

#[test]
fn another_account_or_region_than_the_file_names_is_refused() {
    let account = Account::instant();
    account.place.write("ekk.yaml", "stack: logs\naccount: \"123456789012\"\n");
    insta::assert_snapshot!("another_account", refused(&account, &["up", "--yes"], 4));
    account.place.write("ekk.yaml", "stack: logs\nregion: us-east-1\n");
    insta::assert_snapshot!("another_region", refused(&account, &["up", "--yes", "--region", "eu-west-1"], 4));
    // The file's region goes before that of the environment.
    account.place.ekk(&["plan"]).with(0).says("us-east-1");
}

#[test]
fn the_same_names_of_another_region_are_refused() {
    let account = Account::instant();
    account.bring_up("stack: logs\nrole: { name: logs-firehose }\n");
    let ended = refused(&account, &["up", "--yes", "--region", "us-east-1"], 4);
    insta::assert_snapshot!(ended);
}

#[test]
fn nobody_waits_and_the_same_command_completes_it() {
    let slow = Timing { domain_stage: std::time::Duration::from_secs(60), ..Timing::instant() };
    for flags in [&["--no-wait"][..], &["--timeout", "3s"]] {
        let account = Account::start(slow.clone());
        let place = &account.place;
        place.write("ekk.yaml", "stack: logs\n");
        let left = place.ekk(&[&["up", "--yes"], flags].concat()).with(5);
        insta::assert_snapshot!(format!("left_with_{}", flags[0].trim_start_matches('-')), left);
        insta::assert_snapshot!(
            format!("status_after_{}", flags[0].trim_start_matches('-')),
            place.ekk(&["status"]).with(0)
        );
        account.control.advance(std::time::Duration::from_secs(3600));
        place.ekk(&["up", "--yes"]).with(0);
        account.assert_converged();
        assert_eq!(account.count("CreateDomain"), 1);
    }
}
