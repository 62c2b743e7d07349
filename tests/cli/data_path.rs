//! The commands that ship, show and list logs, from a stack that is up: by its file and by its name alone.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::account::{Account, REGION};
use crate::recovery::until;

/// A stack named `shop` that is up, seen from a folder without its file.
fn shop() -> Account {
    let mut account = Account::instant();
    account.place.set("TZ", "UTC");
    account.bring_up("stack: shop\n");
    std::fs::remove_file(account.place.path("ekk.yaml")).expect("the file");
    account
}

fn line(time: &str, level: &str, message: &str) -> String {
    format!("{}\n", json!({"asctime": time, "levelname": level, "name": "app", "message": message}))
}

/// Asks until the records can be found: an index refreshes once a second.
fn logs_until(account: &Account, words: &[&str], part: &str) -> String {
    for _ in 0..200 {
        let ended = account.place.ekk(words).with(0);
        if ended.out.contains(part) {
            return ended.out;
        }
        std::thread::sleep(std::time::Duration::from_millis(25));
    }
    panic!("{words:?} never said {part:?}");
}

#[test]
fn records_that_are_put_are_seen_in_the_order_of_their_time() {
    let account = shop();
    let text = line("2026-11-24T10:00:02+0000", "ERROR", "second")
        + &line("2026-11-24T10:00:01+0000", "INFO", "first")
        + &line("2026-11-24T11:00:03+0100", "DEBUG", "third");
    account.place.write("app.log", text);
    let put = account.place.ekk(&["put", "shop", "app.log"]).with(0);
    insta::assert_snapshot!("put", put);
    let all = logs_until(&account, &["logs", "shop"], "third");
    insta::assert_snapshot!("logs", all);
    let errors = account.place.ekk(&["tail", "shop", "--level", "warning", "-o", "json"]).with(0);
    let record: Value = serde_json::from_str(&errors.out).expect("one line of JSON");
    assert_eq!((&record["record"]["message"], &record["time"]), (&json!("second"), &json!("2026-11-24T10:00:02Z")));
    let some = account.place.ekk(&["logs", "shop", "-n", "1", "--query", "message:first"]).with(0);
    assert_eq!(some.out, "2026-11-24 10:00:01.000 INFO     app first\n");
    let since = account.place.ekk(&["logs", "shop", "--since", "2026-11-24T10:00:02Z"]).with(0);
    assert_eq!(since.out.lines().count(), 2, "{since}");
    account.place.ekk(&["logs", "shop", "--query", "message:nothing"]).with(0).complains("None of the 3 records");
}

#[test]
fn records_from_before_a_change_of_rotation_are_seen_too() {
    let mut account = Account::instant();
    account.place.set("TZ", "UTC");
    for (rotation, time, message) in
        [("NoRotation", "2026-11-24T10:00:01Z", "before"), ("OneWeek", "2026-11-24T10:00:02Z", "after")]
    {
        account.bring_up(&format!("stack: shop\nindex: {{ rotation: {rotation} }}\n"));
        account.place.write("app.log", line(time, "INFO", message));
        account.place.ekk(&["put", "shop", "app.log"]).with(0);
        logs_until(&account, &["logs", "shop"], message);
    }
    let all = account.place.ekk(&["logs", "shop"]).with(0);
    assert_eq!(all.out, "2026-11-24 10:00:01.000 INFO     app before\n2026-11-24 10:00:02.000 INFO     app after\n");
}

#[test]
fn a_file_names_its_stack_as_well() {
    let account = shop();
    account.place.write("ekk.yaml", "stack: shop\n");
    account.place.ekk_reading(&["put", "ekk.yaml"], "hello\n").with(0).says("Put 1 record, ");
    logs_until(&account, &["logs"], "hello");
}

#[test]
fn what_follows_is_shown_once_and_late_times_are_no_hindrance() {
    let account = shop();
    account.place.ekk_reading(&["put", "shop"], &line("2026-11-24T10:00:00+0000", "INFO", "old")).with(0);
    logs_until(&account, &["logs", "shop"], "old");
    let mut child = account.place.start(&mut account.place.binary(&["logs", "shop", "-f"]));
    let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut next = || {
        let mut text = String::new();
        out.read_line(&mut text).expect("UTF-8");
        text
    };
    assert!(next().ends_with("app old\n"));
    // Hours before what was shown, as a time without its zone is.
    account.place.ekk_reading(&["put", "shop"], &line("2026-11-24T02:00:00+0000", "INFO", "late")).with(0);
    assert!(next().ends_with("app late\n"));
    account.place.ekk_reading(&["put", "shop"], &line("2026-11-24T10:00:01+0000", "INFO", "new")).with(0);
    assert!(next().ends_with("app new\n"));
    // Its reader goes; the next record finds that out.
    drop(out);
    account.place.ekk_reading(&["put", "shop"], "more\n").with(0);
    account.place.end(child).with(0);
}

#[test]
fn what_was_read_and_not_sent_is_told_at_an_interrupt() {
    let account = shop();
    let mut child = account.place.start(account.place.binary(&["put", "shop"]).stdin(Stdio::piped()));
    let mut input = child.stdin.take().expect("a pipe");
    input.write_all(b"before\n{\"user\": bob\nnext\n{\"a\": 1,\n").expect("it reads");
    // What has the form of no object waits for nothing; the last line may be half of one.
    until(|| account.count("PutRecordBatch") > 0);
    kill(Pid::from_raw(i32::try_from(child.id()).expect("a process")), Signal::SIGINT).expect("it runs");
    let ended = account.place.end(child).with(130);
    drop(input);
    // The answer may have been on its way still.
    let is_known = ended.out.contains("Put 3 records, ");
    let told = if is_known {
        "3: interrupted: this was the last that was sent"
    } else {
        "1: interrupted: of 3 records from here"
    };
    ended.complains(&format!("standard input:{told}"));
}

#[test]
fn the_words_of_every_library_are_levels() {
    let account = shop();
    let line = |number: u32, field: &str, level: Value| {
        format!("{}\n", json!({"asctime": format!("2026-11-24T10:00:{number:02}Z"), field: level, "number": number}))
    };
    let words = [
        json!("err"),
        json!("Error"),
        json!("SEVERE"),
        json!("panic"),
        json!("Fatal"),
        json!("info"),
        json!("Warning"),
    ];
    let text: String = (1..).zip(words).map(|(number, word)| line(number, "level", word)).collect();
    account.place.write("app.log", text + &line(8, "severity", json!("ALERT")));
    account.place.ekk(&["put", "shop", "app.log"]).with(0);
    let errors = logs_until(&account, &["logs", "shop", "--level", "error"], "number=8");
    let found: Vec<&str> = errors.lines().filter_map(|line| line.split("number=").nth(1)).collect();
    assert_eq!(found, ["1", "2", "3", "4", "5", "8"]);
    account.place.ekk(&["logs", "shop", "--level", "warn"]).with(0).says("number=7");
    account.place.ekk(&["logs", "shop", "--query", "\""]).with(1).complains("is the --query right? it was: \"");
}

#[test]
fn a_reader_that_goes_is_no_failure() {
    let account = shop();
    account.place.ekk_reading(&["put", "shop"], "hello\n").with(0);
    logs_until(&account, &["logs", "shop"], "hello");
    let mut child = account.place.start(&mut account.place.binary(&["logs", "shop", "-q"]));
    drop(child.stdout.take());
    let ended = account.place.end(child).with(0);
    assert_eq!(ended.err, "");
}

#[test]
fn before_anything_was_delivered_it_says_so() {
    let account = shop();
    let ended = account.place.ekk(&["logs", "shop"]).with(0);
    assert_eq!(ended.out, "");
    ended.complains("There is no index shop-* yet: nothing was delivered. The stream delivers after 60 s or 5 MiB.");
}

#[test]
fn bad_input_is_told_line_by_line_and_the_rest_goes() {
    let account = shop();
    let place = &account.place;
    place.write("good.log", "one\n");
    place.write("binary", [0x7f, b'E', b'L', b'F', 0, 1, 2]);
    place.write("mixed.log", [&b"two\nb\xffd\n"[..], &b"x".repeat(1_100_000), b"\nthree\n"].concat());
    place.write("empty.log", "");
    place.write("array.json", "[{\"a\": 1}]\n");
    let words = ["put", "shop", "good.log", "binary", "mixed.log", "empty.log", "array.json"];
    let ended = place.ekk(&words).with(1);
    insta::assert_snapshot!("bad_input", ended);
    logs_until(&account, &["logs", "shop"], "three");
    let ended = place.ekk(&["put", "shop", "good.log", "empty.log", "-o", "json"]).with(1);
    let said: Value = serde_json::from_str(&ended.out).expect("JSON");
    assert_eq!((&said["records"], &said["not_sent"]), (&json!(1), &json!(1)));
    assert_eq!(said["faults"], json!([{"source": "empty.log", "line": null, "why": "is empty"}]));
}

#[test]
fn nothing_is_sent_before_every_argument_was_looked_at() {
    let account = shop();
    account.control.clear_requests();
    account.place.write("good.log", "one\n");
    let ended = account.place.ekk(&["put", "shop", "good.log", "missing.log", "."]).with(2);
    insta::assert_snapshot!("put_missing", ended);
    assert_eq!(account.control.requests().len(), 0);
}

#[test]
fn records_that_firehose_did_not_take_are_sent_again_in_their_order() {
    let account = shop();
    let text: String = (0..1200).map(|number| format!("{{\"number\":{number}}}\n")).collect();
    account.place.write("numbers.log", text);
    let failing = (0..500).step_by(7).collect();
    account.control.world(|world| world.firehose.failing_records.insert(format!("{REGION}/shop"), failing));
    let put = account.place.ekk(&["put", "shop", "numbers.log", "-o", "json"]).with(0);
    let said: Value = serde_json::from_str(&put.out).expect("JSON");
    assert_eq!((&said["records"], &said["not_sent"]), (&json!(1200), &json!(0)));
    assert!(said["sent_again"].as_u64() > Some(0), "{said}");
    let found = logs_until(&account, &["logs", "shop", "-n", "2000", "-o", "json"], "\"number\":1199");
    assert_eq!(found.lines().count(), 1200);
}

#[test]
fn who_may_not_put_is_told_what_is_missing() {
    let account = shop();
    account.control.deny("firehose:PutRecordBatch");
    let ended = account.place.ekk_reading(&["put", "shop"], "one\ntwo\n").with(1);
    let ended = ended.complains("standard input:1: was not sent, nor was what follows");
    ended.complains("allow firehose:PutRecordBatch to the caller").says("Put 0 records").says("2 not sent");
}

#[test]
fn a_stack_that_is_not_there_is_told_with_those_that_are() {
    let account = shop();
    insta::assert_snapshot!("no_such_stack", account.place.ekk(&["logs", "shpo"]).with(1));
    account.place.ekk(&["logs", "no-file.yaml"]).with(2).complains("no-file.yaml  is not there");
    account.place.write("shop/readme.txt", "a folder of the stack's name");
    account.place.ekk(&["logs", "shop"]).with(0);
}

#[test]
fn a_stack_is_looked_at_by_its_name() {
    let account = shop();
    insta::assert_snapshot!("status_by_name", account.place.ekk(&["status", "shop"]));
    account.place.write("ekk.yaml", "stack: shop\nstream: { retry_seconds: 60 }\n");
    let both = account.place.ekk(&["status", "-o", "json", "ekk.yaml", "shop"]).with(0);
    let said: Value = serde_json::from_str(&both.out).expect("JSON");
    let differs = |stack: usize| {
        let resources = said["stacks"][stack]["resources"].as_array().expect("resources").iter();
        resources.map(|resource| resource["differs"].as_array().map(Vec::len)).collect::<Vec<_>>()
    };
    assert_eq!(differs(0), [Some(0), Some(0), Some(0), Some(0), Some(0), Some(1), Some(0)]);
    assert_eq!(differs(1), [None; 7]);
    account.place.ekk(&["status", "shpo"]).with(1).complains("did you mean shop?");
    account.place.ekk(&["status", "no-file.yaml"]).with(2).complains("no-file.yaml  is not there");
}

#[test]
fn half_a_stack_says_what_is_missing() {
    let account = shop();
    account.control.deny("firehose:CreateDeliveryStream");
    account.place.write("half.yaml", "stack: half\n");
    account.place.ekk(&["up", "--yes", "half.yaml"]).with(1);
    insta::assert_snapshot!("put_into_half_a_stack", account.place.ekk_reading(&["put", "half"], "x\n").with(1));
    let list = account.place.ekk(&["list"]).with(0).says("half-made");
    list.says("no stream");
}

#[test]
fn the_list_shows_every_stack_with_its_state() {
    let account = shop();
    account.place.write("b.yaml", "stack: books\nindex: { rotation: NoRotation }\n");
    account.place.ekk(&["up", "--yes", "b.yaml"]).with(0);
    account.control.clear_requests();
    let listed = account.place.ekk(&["list", "-o", "json"]).with(0);
    let mut said: Value = serde_json::from_str(&listed.out).expect("JSON");
    for stack in said["stacks"].as_array_mut().expect("stacks") {
        assert!(stack["endpoint"].as_str().is_some_and(|endpoint| endpoint.starts_with("http://")), "{stack}");
        stack["endpoint"] = json!("[endpoint]");
    }
    insta::assert_json_snapshot!("json_list", said);
    assert_eq!(account.count("DescribeDomains"), 1);
    account.place.ekk(&["down", "--yes", "--allow", "delete-data", "b.yaml"]).with(0);
    insta::assert_snapshot!("list_after_a_down", account.place.ekk(&["list"]));
}

#[test]
fn the_permissions_of_who_ships_and_who_looks_are_bare_json() {
    let account = shop();
    let producer = account.place.ekk(&["policy", "producer", "shop"]).with(0);
    assert_eq!(producer.err, "");
    insta::assert_snapshot!("policy_producer", producer.out);
    insta::assert_snapshot!("policy_reader", account.place.ekk(&["policy", "reader", "shop"]).with(0).out);
    account.place.write("new.yaml", "stack: new\nstream: { name: app }\n");
    let producer = account.place.ekk(&["policy", "producer", "new.yaml"]).with(0);
    producer.says("deliverystream/app");
}
