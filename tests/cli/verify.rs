//! One record on its way: each hop that it passes, and each that can lose it.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Child;

use ekk::opensearch::Path;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::account::REGION;
use crate::recovery::{Stack, steady};

/// Starts `ekk verify` and returns it once Firehose has taken the record.
fn sent(stack: &Stack, words: &[&str]) -> (Child, BufReader<std::process::ChildStderr>) {
    let place = &stack.account.place;
    let mut child = place.start(&mut place.binary(&[&["verify"], words].concat()));
    let mut errors = BufReader::new(child.stderr.take().expect("a pipe"));
    let mut text = String::new();
    while !text.contains("stream: done") {
        assert_ne!(errors.read_line(&mut text).expect("UTF-8"), 0, "it ended before it had sent: {text}");
    }
    (child, errors)
}

/// Returns how it ended, with what it said after the record was sent.
fn end(stack: &Stack, (child, mut errors): (Child, BufReader<std::process::ChildStderr>)) -> crate::place::Ended {
    let mut text = String::new();
    errors.read_to_string(&mut text).expect("UTF-8");
    let mut ended = stack.account.place.end(child);
    ended.err = text;
    ended
}

#[test]
fn a_record_is_found_in_the_index_and_in_the_backup_and_removed_again() {
    let stack = Stack::instant("stack: logs\n");
    let ended = stack.ekk(&["verify"]);
    insta::assert_snapshot!("works", steady(&ended));
    assert_eq!(stack.documents().len(), 0, "its document was removed");
    let backup = stack.text_below("20");
    let line: Value = serde_json::from_str(&backup).expect("one line");
    assert_eq!(line["levelname"], "INFO");
    assert!(line["message"].as_str().expect("a text").contains(line["ekk_verify"].as_str().expect("a text")));
    // The name alone does, too; and a program reads the same.
    let ended = stack.ekk(&["verify", "logs", "-o", "json"]).with(0);
    let mut report: Value = serde_json::from_str(&ended.out).expect("JSON");
    assert_eq!(report["marker"]["value"].as_str().expect("a marker").len(), 32);
    report["marker"]["value"] = json!("[marker]");
    report["index"] = json!("[index]");
    for hop in 0..3 {
        assert!(report["hops"][hop]["seconds"].is_number(), "{report}");
        report["hops"][hop]["seconds"] = json!(0);
    }
    insta::assert_json_snapshot!("works_as_json", report);
}

#[test]
fn the_backup_has_a_buffer_of_its_own() {
    let stack = Stack::buffering("stack: logs\n");
    let child = sent(&stack, &[]);
    stack.pass(61);
    stack.pass(240);
    let ended = end(&stack, child).with(0);
    assert!(ended.out.contains("written every 300 s or 5 MiB"), "{ended}");
}

#[test]
fn a_bucket_for_failures_alone_and_no_backup_are_said() {
    let stack =
        Stack::instant("stack: logs\nbackup: { documents: FailedDocumentsOnly }\nindex: { rotation: NoRotation }\n");
    insta::assert_snapshot!("failed_documents_only", steady(&stack.ekk(&["verify", "-q"])));
    let stack = Stack::instant("stack: logs\n");
    insta::assert_snapshot!("no_backup", steady(&stack.ekk(&["verify", "-q", "--no-backup"])));
}

#[test]
fn a_record_that_the_mapping_refuses_is_lost_with_the_domains_own_words() {
    let stack = Stack::instant("stack: logs\nindex: { rotation: NoRotation }\n");
    let mapping = json!({"mappings": {"properties": {"ekk_verify": {"type": "date"}}}});
    stack.inside(async |plane| plane.put(Path::of(&["logs"]), &mapping).await.expect("an index"));
    insta::assert_snapshot!(steady(&stack.ekk(&["verify", "-q"])));
    assert_eq!(stack.documents().len(), 0);
}

#[test]
fn a_time_field_that_is_no_date_is_told() {
    let stack = Stack::instant("stack: logs\nindex: { rotation: NoRotation }\n");
    // An index that was there before its template.
    let mapping = json!({"mappings": {"properties": {"asctime": {"type": "text"}}}});
    stack.inside(async |plane| {
        plane.delete(Path::of(&["_index_template", "logs"])).await.expect("it goes");
        plane.put(Path::of(&["logs"]), &mapping).await.expect("an index");
    });
    insta::assert_snapshot!(steady(&stack.ekk(&["verify", "-q"])));
    assert_eq!(stack.documents().len(), 0, "it is removed all the same");
}

#[test]
fn an_index_that_the_pattern_does_not_show_is_told() {
    let stack = Stack::instant("stack: logs\n");
    let other = json!({"attributes": {"title": "other-*"}});
    stack.inside(async |plane| {
        let path = plane.engine().dashboards(&["api", "saved_objects", "index-pattern", "ekk-logs"]);
        plane.put(path, &other).await.expect("it is changed");
    });
    insta::assert_snapshot!(steady(&stack.ekk(&["verify", "-q"])));
}

#[test]
fn a_domain_that_goes_down_on_the_way_loses_the_record_to_the_failed_folder() {
    let stack = Stack::buffering("stack: logs\n");
    let child = sent(&stack, &[]);
    stack.make_domain_answer(Some(503));
    for _ in 0..3 {
        stack.pass(301);
    }
    let ended = end(&stack, child).with(1);
    insta::assert_snapshot!(steady(&ended));
}

#[test]
fn where_nothing_can_be_seen_nothing_is_sent() {
    let stack = Stack::instant("stack: logs\n");
    stack.make_domain_answer(Some(503));
    insta::assert_snapshot!("domain_is_down", stack.ekk(&["verify"]));
    stack.make_domain_answer(None);
    stack.account.control.deny("s3:ListBucket");
    insta::assert_snapshot!("may_not_list", stack.ekk(&["verify"]));
    stack.ekk(&["verify", "--no-backup", "-q"]).with(0);
    stack.account.control.clear_faults();
    stack.account.control.deny("es:ESHttpPost");
    stack.ekk(&["verify"]).with(1).complains("allow es:ESHttpPost");
    stack.account.control.clear_faults();
    let before = stack.account.count("PutRecord");
    assert_eq!(before, 1, "only the one without the backup was sent");
    stack.account.control.deny("firehose:PutRecord");
    stack.ekk(&["verify"]).with(1).complains("allow firehose:PutRecord");
}

#[test]
fn a_document_that_may_not_be_removed_is_told() {
    let stack = Stack::instant("stack: logs\n");
    stack.account.control.deny("es:ESHttpDelete");
    stack.ekk(&["verify", "-q"]).with(1).says("is still in the index (ekk_verify: ").says("allow es:ESHttpDelete");
}

#[test]
fn a_backup_that_may_not_be_written_is_told_in_firehose_s_words() {
    let stack = Stack::instant("stack: logs\nbackup: { buffer: { seconds: 0, mib: 1 } }\n");
    stack.account.control.world(|world| {
        let role = world.iam.roles.get_mut(&format!("logs-firehose-{REGION}")).expect("a role");
        for policy in role.grants.inline.values_mut() {
            *policy = policy.replace("s3:PutObject", "s3:GetObjectAcl");
        }
    });
    let ended = stack.ekk(&["verify", "--timeout", "3s"]).with(5);
    let ended = ended.says("not in the backup yet").says("Firehose's error log says: S3.AccessDenied");
    ended.says("The record is in the index and not in the backup yet; `ekk doctor ekk.yaml` says more.");
}

#[test]
fn what_is_not_there_within_the_time_may_still_come() {
    let stack = Stack::buffering("stack: logs\n");
    insta::assert_snapshot!(steady(&stack.ekk(&["verify", "-q", "--timeout", "1s"])));
}

#[test]
fn ctrl_c_says_what_remains() {
    let stack = Stack::buffering("stack: logs\n");
    let child = sent(&stack, &[]);
    kill(Pid::from_raw(child.0.id().try_into().expect("a process")), Signal::SIGINT).expect("it runs");
    let ended = end(&stack, child).with(130);
    insta::assert_snapshot!(steady(&ended));
}

#[test]
fn on_the_local_aws_the_path_is_proved_within_seconds() {
    let folder = crate::local::Folder::new();
    let buffers = "stream: { buffer: { seconds: 1, mib: 1 } }\nbackup: { buffer: { seconds: 1, mib: 1 } }\n";
    folder.0.write("ekk.yaml", format!("stack: logs\n{buffers}"));
    folder.ekk(&["up", "--local", "-q"]).with(0);
    folder.ekk(&["verify", "--local", "logs"]).with(0).says("The path works.");
    folder.ekk(&["replay", "--local"]).with(0).says("Nothing to bring back");
}
