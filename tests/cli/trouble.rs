//! What stands between a user and AWS: credentials, permissions, region, network. Each is said with its way out.

use std::time::{Duration, Instant};

use crate::account::Account;
use crate::place::Place;

#[test]
fn missing_credentials_are_said_with_the_ways_to_get_some() {
    let mut account = Account::instant();
    account.place.unset("AWS_ACCESS_KEY_ID");
    account.place.unset("AWS_SECRET_ACCESS_KEY");
    account.place.write("ekk.yaml", "stack: logs\n");
    insta::assert_snapshot!(account.place.ekk(&["plan"]));
    assert_eq!(account.control.requests().len(), 0);
}

#[test]
fn credentials_that_do_not_work_are_told_apart() {
    let mut account = Account::instant();
    account.place.write("ekk.yaml", "stack: logs\n");
    for (key, name) in [
        ("AKIAEXPIREDTOKEN0001", "expired_token"),
        ("AKIAINVALIDKEY000001", "unknown_key"),
        ("AKIAWRONGSECRET00001", "wrong_secret"),
    ] {
        account.place.set("AWS_ACCESS_KEY_ID", key);
        insta::assert_snapshot!(name, account.place.ekk(&["up", "--yes"]).with(1));
    }
    assert_eq!(account.writes(), Vec::<String>::new());
}

#[test]
fn a_missing_region_is_a_mistake_on_the_command_line() {
    let mut account = Account::instant();
    account.place.unset("AWS_REGION");
    account.place.write("ekk.yaml", "stack: logs\n");
    insta::assert_snapshot!(account.place.ekk(&["plan"]));
    account.place.ekk(&["plan", "--region", "eu-central-1"]).with(0).says("eu-central-1");
}

#[test]
fn a_profile_that_is_not_there_is_named() {
    let mut account = Account::instant();
    account.place.unset("AWS_ACCESS_KEY_ID");
    account.place.unset("AWS_SECRET_ACCESS_KEY");
    account.place.write("ekk.yaml", "stack: logs\n");
    let ended = account.place.ekk(&["plan", "--profile", "acme"]).with(1);
    assert!(ended.err.contains("acme"), "{ended}");
    insta::assert_snapshot!(ended);
}

#[test]
fn missing_permissions_to_read_are_named_all_at_once() {
    let account = Account::instant();
    account.place.write("ekk.yaml", "stack: logs\n");
    account.control.deny("iam:GetRole");
    account.control.deny("firehose:DescribeDeliveryStream");
    insta::assert_snapshot!(account.place.ekk(&["up", "--yes"]));
    assert_eq!(account.writes(), Vec::<String>::new());
}

#[test]
fn who_may_look_at_a_part_is_shown_that_part() {
    let account = Account::instant();
    account.bring_up("stack: logs\n");
    account.control.deny("iam:GetRole");
    for words in [&["status"][..], &["status", "logs"]] {
        let ended = account.place.ekk(words).with(1).says("not known: role logs-firehose-eu-west-1: iam:GetRole:");
        ended.says("  stream          logs").complains("allow iam:GetRole to the caller");
    }
    account.control.deny("firehose:DescribeDeliveryStream");
    let ended = account.place.ekk(&["list"]).with(0).says("unknown");
    ended.says("stream logs: firehose:DescribeDeliveryStream: AccessDeniedException:");
}

#[test]
fn a_profile_that_is_named_wins_over_keys_in_the_environment() {
    let account = Account::instant();
    account.place.write("ekk.yaml", "stack: logs\n");
    account.place.write(
        "../home/.aws/credentials",
        "[acme]\naws_access_key_id = AKIAACMEACMEACMEACME\naws_secret_access_key = secret\n",
    );
    let seen = |words: &[&str]| {
        account.control.clear_requests();
        account.place.ekk(words).with(0);
        let requests = account.control.requests();
        assert!(requests.len() > 5, "{requests:?}");
        let signed_with = |key: &str| {
            let of_key = format!("Credential={key}/");
            requests.iter().all(|request| {
                let signature = request.headers.get("authorization").and_then(|value| value.to_str().ok());
                signature.is_some_and(|signature| signature.contains(&of_key))
            })
        };
        (signed_with("AKIAACMEACMEACMEACME"), signed_with("AKIAIOSFODNN7EXAMPLE"))
    };
    assert_eq!(seen(&["plan", "--profile", "acme"]), (true, false));
    assert_eq!(seen(&["plan"]), (false, true));
}

#[test]
fn a_missing_permission_to_write_is_named_and_the_rest_is_done() {
    let account = Account::instant();
    account.place.write("ekk.yaml", "stack: logs\n");
    account.control.deny("logs:CreateLogGroup");
    insta::assert_snapshot!("denied", account.place.ekk(&["up", "--yes"]).with(1));
    account.control.clear_faults();
    account.place.ekk(&["up", "--yes"]).with(0).says("Up logs: 2 created");
    account.assert_converged();
}

#[test]
fn no_network_is_said_within_seconds() {
    let mut place = Place::new();
    // A port that was free a moment ago: nobody listens there.
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port").port();
    place.set("AWS_ENDPOINT_URL", &format!("http://127.0.0.1:{port}"));
    place.set("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE");
    place.set("AWS_SECRET_ACCESS_KEY", "secret");
    place.set("AWS_REGION", "eu-west-1");
    place.write("ekk.yaml", "stack: logs\n");
    let began = Instant::now();
    let ended = place.ekk(&["plan"]);
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    insta::assert_snapshot!(ended);
}

#[test]
fn the_secret_is_said_nowhere() {
    let account = Account::instant();
    account.place.write("ekk.yaml", "stack: logs\n");
    for words in [&["plan", "-v"][..], &["plan", "-o", "json"], &["up", "--yes", "-v"], &["status", "-v"]] {
        let ended = account.place.ekk(words).with(0);
        assert!(!format!("{}{}", ended.out, ended.err).contains("wJalrXUtnFEMI"), "{ended}");
    }
}
