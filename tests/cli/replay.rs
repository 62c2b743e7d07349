//! Failed documents come back, exactly once, whatever else lies in the bucket.

use std::io::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ekk_emulator::firehose::FailedFolder;
use ekk_emulator::{Effect, Fault, Occurrence, Service};
use flate2::Compression;
use flate2::write::GzEncoder;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::recovery::{Stack, steady};

/// Lines of a log, each with its number.
fn lines(count: usize) -> Vec<String> {
    let line = |number| json!({"asctime": "2026-11-23T12:00:00+0000", "message": "hello", "number": number});
    (0..count).map(|number| format!("{}\n", line(number))).collect()
}

fn numbers(stack: &Stack) -> Vec<u64> {
    let mut numbers: Vec<u64> =
        stack.documents().values().map(|(_, source)| source["number"].as_u64().expect("a number")).collect();
    numbers.sort_unstable();
    numbers
}

fn failed(fields: Value) -> String {
    let mut document = json!({
        "attemptsMade": "1", "arrivalTimestamp": 1_795_435_200_500_u64, "errorCode": "503", "errorMessage": "down",
        "attemptEndingTimestamp": 1_795_435_300_500_u64, "esIndexName": "logs-2026-w48", "esTypeName": "",
    });
    for (key, value) in fields.as_object().expect("fields") {
        document[key] = value.clone();
    }
    document.to_string()
}

fn raw(record: &str) -> String {
    BASE64_STANDARD.encode(record)
}

fn gzip(text: &str) -> Vec<u8> {
    // Not compressed, so that half of it is the same whatever the compressor.
    let mut encoder = GzEncoder::new(Vec::new(), Compression::none());
    encoder.write_all(text.as_bytes()).expect("memory");
    encoder.finish().expect("memory")
}

/// A name that Firehose gives.
fn name(number: u8) -> String {
    format!("logs-1-2026-11-23-12-00-{number:02}-0f8fad5b-d9cb-469f-a165-70867728950e")
}

const FOLDER: &str = "AmazonOpenSearchService-failed/2026/11/23/12";

/// The domain refuses for longer than the retry time, and then heals.
fn outage(spec: &str, folder: FailedFolder, count: usize) -> Stack {
    let stack = Stack::buffering(spec);
    stack.account.control.world(|world| world.firehose.failed_folder = folder);
    stack.make_domain_answer(Some(503));
    stack.put(&lines(count));
    // The buffer, and then the retry time.
    for _ in 0..3 {
        stack.pass(301);
    }
    stack.make_domain_answer(None);
    assert_eq!(numbers_or_none(&stack), 0, "nothing reached the domain");
    stack
}

fn numbers_or_none(stack: &Stack) -> usize {
    stack.documents().len()
}

#[test]
fn after_an_outage_every_document_comes_back_exactly_once() {
    for (folder, spelled) in [
        (FailedFolder::Hyphen, "AmazonOpenSearchService-failed/"),
        (FailedFolder::Underscore, "AmazonOpenSearchService_failed/"),
    ] {
        let stack = outage("stack: logs\n", folder, 25);
        assert!(stack.keys().iter().any(|key| key.starts_with(spelled)), "{:?}", stack.keys());
        let before = stack.keys();
        insta::assert_snapshot!("after_an_outage", steady(&stack.ekk(&["replay"])));
        assert_eq!(numbers(&stack), (0..25).collect::<Vec<_>>());
        let there = stack.documents();
        assert!(there.values().all(|(index, _)| index.starts_with("logs-20")), "{there:?}");
        insta::assert_snapshot!("a_second_time", steady(&stack.ekk(&["replay"])));
        assert_eq!(stack.documents(), there);
        assert_eq!(stack.most_versions(), 1);
        assert_eq!(stack.keys(), before, "the bucket is as it was");
    }
}

#[test]
fn documents_without_an_id_come_back_exactly_once_too_and_by_the_stacks_name() {
    let spec = "stack: logs\nstream: { document_ids: NO_DOCUMENT_ID }\nindex: { rotation: NoRotation }\n\
                backup: { compression: GZIP, prefix: a/, error_prefix: 'bad/!{firehose:error-output-type}/!{timestamp:yyyy}/' }\n";
    let stack = outage(spec, FailedFolder::Hyphen, 7);
    stack.ekk(&["replay", "logs"]).with(0).says("7  logs");
    let there = stack.documents();
    assert_eq!(there.len(), 7);
    stack.ekk(&["replay", "logs"]).with(0).says("7  left as it is");
    assert_eq!(stack.documents(), there);
}

#[test]
fn a_dry_run_reads_everything_and_writes_nothing() {
    let stack = outage("stack: logs\n", FailedFolder::Hyphen, 3);
    stack.account.control.clear_requests();
    insta::assert_snapshot!(steady(&stack.ekk(&["replay", "--dry-run"])));
    assert_eq!(stack.account.writes(), Vec::<String>::new());
}

#[test]
fn a_document_that_spoils_its_whole_request_costs_no_other() {
    let stack = Stack::instant("stack: logs\n");
    let of_id = |number: u64, id: &str| {
        failed(json!({"rawData": raw(&format!("{{\"number\":{number}}}\n")), "esDocumentId": id}))
    };
    let documents = [of_id(1, "a"), of_id(2, &"x".repeat(513)), of_id(3, "c"), of_id(4, "d"), of_id(5, "e")];
    stack.put_object(&format!("{FOLDER}/{}", name(1)), documents.concat());
    let ended = stack.ekk(&["replay"]).with(1);
    let ended = ended.says("its id is 513 bytes long, and an index takes 512");
    ended.says("brought back            4");
    assert_eq!(numbers(&stack), [1, 3, 4, 5]);
    // What else an engine may refuse as a whole is found by halves.
    let refused =
        Effect::Error { status: 400, code: "illegal_argument_exception".to_owned(), message: "no".to_owned() };
    let mut fault = Fault::on(Service::Domain, "ESHttpPost", refused);
    fault.path_contains = Some("_bulk".to_owned());
    fault.occurrence = Occurrence::First(3);
    stack.account.control.fault(fault);
    let ended = stack.ekk(&["replay"]).with(1).says("failed again            1  POST /_bulk: 400");
    ended.says("there already           3  left as it is");
}

#[test]
fn a_time_in_which_nothing_failed_is_said_to_be_empty() {
    let stack = outage("stack: logs\n", FailedFolder::Hyphen, 3);
    for words in [["replay", "--until", "2020-01-01"], ["replay", "--since", "2999-01-01"]] {
        let ended = stack.ekk(&words).with(0);
        ended.says("Nothing to bring back: no failed documents of that time below s3://");
    }
    stack.ekk(&["replay"]).with(0);
    assert_eq!(numbers(&stack).len(), 3);
}

#[test]
fn what_is_bad_is_said_line_by_line_and_the_rest_comes_back() {
    let stack = Stack::instant("stack: logs\n");
    let good = |number: u64| {
        failed(json!({"rawData": raw(&format!("{{\"number\":{number}}}\n")), "esDocumentId": format!("id-{number}")}))
    };
    stack.put_object(&format!("{FOLDER}/readme.txt"), "not ours");
    stack.put_object(&format!("{FOLDER}/{}", name(1)), format!("{}garbage\n{}{}", good(1), good(2), good(3)));
    let half = gzip(&(0..40).map(|number| good(1000 + number) + "\n").collect::<String>());
    stack.put_object(&format!("{FOLDER}/{}.gz", name(2)), &half[..half.len() / 2]);
    stack.put_object(
        &format!("{FOLDER}/{}.gz", name(3)),
        gzip(
            &[
                failed(json!({"rawData": raw("not json\n"), "esDocumentId": "x"})),
                failed(json!({"rawData": "*", "esDocumentId": "x"})),
                failed(json!({"rawData": raw("{}"), "esIndexName": ".kibana_1"})),
                failed(json!({"rawData": raw("{}"), "esIndexName": null})),
                failed(json!({"rawData": raw("{\"number\":4,\n \"a\":1}\n"), "osDocumentId": 4, "esDocumentId": ""})),
                failed(json!({"rawData": raw("{\"number\":5,\"asctime\":\"never\"}\n"), "esDocumentId": "5"})),
                "{\"message\": \"no failed document\"}".to_owned(),
            ]
            .concat(),
        ),
    );
    stack.put_object(&format!("{FOLDER}/{}.snappy", name(4)), b"\xff\x06\x00\x00sNaPpY".as_slice());
    stack.put_object(&format!("{FOLDER}/other-{}", name(5)), good(6));
    stack.put_object(&format!("processing-failed/2026/11/23/12/{}", name(6)), good(7));
    stack.put_object(&format!("elasticsearch-failed/2026/11/23/12/{}", name(7)), good(8));
    let ended = stack.ekk(&["replay"]).with(1);
    insta::assert_snapshot!(steady(&ended));
    let there = stack.documents();
    // What stands whole in the half of the gzip.
    let restored = there.keys().filter(|id| id.starts_with("id-10")).count();
    assert!((1..40).contains(&restored), "{restored}");
    for id in ["id-1", "id-2", "id-3", "4", "id-8"] {
        assert!(there.contains_key(id), "{id}");
    }
    assert_eq!(there.len(), restored + 5);
}

#[test]
fn an_empty_bucket_has_nothing_to_bring_back() {
    let stack = Stack::instant("stack: logs\n");
    insta::assert_snapshot!("empty_bucket", steady(&stack.ekk(&["replay"])));
    let json: Value = serde_json::from_str(&stack.ekk(&["replay", "-o", "json"]).with(0).out).expect("JSON");
    insta::assert_json_snapshot!("empty_bucket_as_json", json);
    stack.ekk(&["replay", "--all", "--into", "logs-restored"]).with(0).says("Nothing to bring back");
}

#[test]
fn what_the_domain_takes_later_is_sent_again_and_the_rest_is_not() {
    let stack = outage("stack: logs\n", FailedFolder::Hyphen, 12);
    let control = &stack.account.control;
    let mut fault = Fault::on(
        Service::Domain,
        "ESHttpPost",
        Effect::Error {
            status: 429,
            code: "es_rejected_execution_exception".to_owned(),
            message: "the queue is full".to_owned(),
        },
    );
    fault.path_contains = Some("_bulk".to_owned());
    control.fault(fault.first(2));
    control.clear_requests();
    stack.ekk(&["replay", "-q"]).with(0);
    let sent = control.requests().iter().filter(|request| request.path.contains("_bulk")).count();
    assert_eq!(sent, 3);
    assert_eq!(numbers(&stack).len(), 12);
}

#[test]
fn a_run_that_is_interrupted_is_gone_through_again() {
    let stack = outage("stack: logs\n", FailedFolder::Hyphen, 2500);
    let mut fault = Fault::on(Service::Domain, "ESHttpPost", Effect::Delay(std::time::Duration::from_secs(600)));
    fault.path_contains = Some("_bulk".to_owned());
    stack.account.control.fault(fault.nth(2));
    let child = stack.account.place.start(&mut stack.account.place.binary(&["replay"]));
    crate::recovery::until(|| numbers_or_none(&stack) >= 1000);
    kill(Pid::from_raw(child.id().try_into().expect("a process")), Signal::SIGINT).expect("it runs");
    stack.account.place.end(child).with(130).says("The same command goes on");
    stack.account.control.clear_faults();
    stack.ekk(&["replay"]).with(0).says("left as it is");
    assert_eq!(numbers(&stack), (0..2500).collect::<Vec<_>>());
    assert_eq!(stack.most_versions(), 1);
}

#[test]
fn all_records_are_restored_into_an_index_of_their_own() {
    let stack = Stack::instant("stack: logs\nbackup: { compression: GZIP }\n");
    let records = lines(40);
    stack.put(&records[..20]);
    // Records without a newline, one after the other, are told apart all the same.
    stack.put(&records[20..].iter().map(|record| record.trim().to_owned()).collect::<Vec<_>>());
    crate::recovery::until(|| numbers_or_none(&stack) == 40);
    let live = stack.documents();
    insta::assert_snapshot!("restored", steady(&stack.ekk(&["replay", "--all", "--into", "logs-restored"])));
    let all = stack.documents();
    let restored: Vec<u64> = all
        .values()
        .filter(|(index, _)| index == "logs-restored")
        .map(|(_, source)| source["number"].as_u64().expect("a number"))
        .collect();
    assert_eq!(restored.len(), 40);
    assert_eq!(all.len(), live.len() + 40);
    stack.ekk(&["replay", "--all", "--into", "logs-restored"]).with(0).says("40  left as it is");
    assert_eq!(stack.documents(), all);
}

#[test]
fn an_index_that_must_not_be_restored_into_is_refused() {
    let stack = Stack::instant("stack: logs\n");
    for (name, into) in [("elsewhere", "other"), ("of_firehose", "logs-2026-w48"), ("no_name", "Logs-Restored")] {
        insta::assert_snapshot!(name, stack.ekk(&["replay", "--all", "--into", into]));
    }
    stack.inside(async |plane| {
        plane.delete(ekk::opensearch::Path::of(&["_index_template", "logs"])).await.expect("it goes");
    });
    insta::assert_snapshot!("no_template", stack.ekk(&["replay", "--all", "--into", "logs-restored"]));
    stack.ekk(&["replay", "--all"]).with(2).complains("--into");
    stack.ekk(&["replay", "--since", "2026-11-24", "--until", "2026-11-23"]).with(2).complains("is not before");
}

#[test]
fn only_the_time_that_was_asked_for_is_brought_back() {
    let stack = Stack::instant("stack: logs\n");
    let at = |number: u64, moment: &str| {
        let moment: jiff::Timestamp = moment.parse().expect("a time");
        let record = raw(&format!("{{\"number\":{number}}}"));
        failed(
            json!({"rawData": record, "esDocumentId": number.to_string(), "arrivalTimestamp": moment.as_millisecond()}),
        )
    };
    let documents = [at(1, "2026-11-23T11:59:59Z"), at(2, "2026-11-23T12:00:00Z"), at(3, "2026-11-23T13:00:00Z")];
    stack.put_object(&format!("{FOLDER}/{}", name(1)), documents.concat());
    let old =
        "AmazonOpenSearchService-failed/2020/01/01/00/logs-1-2020-01-01-00-00-00-0f8fad5b-d9cb-469f-a165-70867728950e";
    stack.put_object(old, at(4, "2020-01-01T00:00:00Z"));
    let words = ["replay", "--since", "2026-11-23T12:00:00Z", "--until", "2026-11-23T13:00:00Z"];
    stack.ekk(&words).with(0).says("1  logs-2026-w48");
    assert_eq!(numbers(&stack), [2]);
}

#[test]
fn a_missing_permission_is_named() {
    let stack = outage("stack: logs\n", FailedFolder::Hyphen, 1);
    for (action, name) in [("s3:ListBucket", "list"), ("s3:GetObject", "get"), ("es:ESHttpPost", "post")] {
        stack.account.control.deny(action);
        stack.ekk(&["replay"]).with(1).complains(&format!("allow {action}"));
        stack.account.control.clear_faults();
        assert_eq!(numbers_or_none(&stack), 0, "{name}");
    }
}

#[test]
fn an_operator_may_do_what_a_reader_may_and_write_what_the_two_commands_write() {
    let stack = Stack::instant("stack: logs\n");
    let policy = |who: &str| -> Vec<Value> {
        let document: Value = serde_json::from_str(&stack.ekk(&["policy", who, "logs"]).with(0).out).expect("JSON");
        document["Statement"].as_array().expect("statements").clone()
    };
    let (reader, operator) = (policy("reader"), policy("operator"));
    assert_eq!(operator[..reader.len()], reader);
    insta::assert_json_snapshot!(operator[reader.len()..]);
}
