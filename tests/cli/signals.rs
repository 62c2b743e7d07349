//! Ctrl-C and SIGTERM in the middle of `up` and `down`: it says what was done, and the same command goes on from there.

use std::io::{BufRead as _, BufReader};
use std::time::Duration;

use ekk_emulator::Timing;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::account::Account;
use crate::place::Ended;

/// Runs the binary until it has told all of this, then sends the signal and returns what was left.
fn interrupted(account: &Account, words: &[&str], told: &[&str], signal: Signal) -> Ended {
    let mut child = account.place.start(&mut account.place.binary(words));
    let mut errors = BufReader::new(child.stderr.take().expect("a pipe"));
    let mut text = String::new();
    while !told.iter().all(|part| text.contains(part)) {
        let length = errors.read_line(&mut text).expect("UTF-8");
        assert_ne!(length, 0, "it ended before it was interrupted: {text}");
    }
    kill(Pid::from_raw(child.id().try_into().expect("a process")), signal).expect("it runs");
    std::io::Read::read_to_string(&mut errors, &mut text).expect("UTF-8");
    let mut ended = account.place.end(child);
    ended.err = text;
    ended
}

/// The domain takes an hour and the rest no time.
fn slow_domain() -> Timing {
    Timing { domain_stage: Duration::from_secs(3600), domain_delete: Duration::from_secs(3600), ..Timing::instant() }
}

const FIRST_HALF: [&str; 4] = ["role: done", "bucket: done", "log group: done", "domain: "];

#[test]
fn ctrl_c_ends_up_and_the_same_command_goes_on() {
    let account = Account::start(slow_domain());
    account.place.write("ekk.yaml", "stack: logs\n");
    let ended = interrupted(&account, &["up", "--yes"], &FIRST_HALF, Signal::SIGINT).with(130);
    insta::assert_snapshot!("up_interrupted", ended);
    account.control.advance(Duration::from_secs(24 * 3600));
    account.place.ekk(&["up", "--yes"]).with(0);
    account.assert_converged();
    assert_eq!((account.count("CreateDomain"), account.count("CreateRole")), (1, 1));
}

#[test]
fn sigterm_is_as_ctrl_c() {
    let account = Account::start(slow_domain());
    account.place.write("ekk.yaml", "stack: logs\n");
    let ended = interrupted(&account, &["up", "--yes", "-o", "json"], &FIRST_HALF, Signal::SIGTERM).with(130);
    let report: serde_json::Value = serde_json::from_str(&ended.out).expect("JSON, although it was ended");
    let ends: Vec<String> = report["stacks"][0]["outcomes"]
        .as_array()
        .expect("outcomes")
        .iter()
        .map(|outcome| format!("{} {}", outcome["kind"], outcome["end"]["end"]))
        .collect();
    insta::assert_snapshot!("sigterm", ends.join("\n"));
    account.control.advance(Duration::from_secs(24 * 3600));
    account.place.ekk(&["up", "--yes"]).with(0);
    account.assert_converged();
}

#[test]
fn ctrl_c_ends_down_and_the_same_command_goes_on() {
    let account = Account::start(slow_domain());
    account.place.write("ekk.yaml", "stack: logs\n");
    account.place.ekk(&["up", "--yes", "--no-wait"]).with(5);
    account.control.advance(Duration::from_secs(24 * 3600));
    account.place.ekk(&["up", "--yes"]).with(0);
    let words = ["down", "--yes", "--allow", "delete-data"];
    let told = ["stream: done", "role: done", "log group: done", "domain: deleting"];
    let ended = interrupted(&account, &words, &told, Signal::SIGINT).with(130);
    insta::assert_snapshot!("down_interrupted", ended);
    account.control.advance(Duration::from_secs(24 * 3600));
    account.place.ekk(&words).with(0);
    insta::assert_snapshot!("down_after_it", account.place.ekk(&["status"]));
}
