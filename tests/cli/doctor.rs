//! Why no logs arrive: each place that can be broken in the emulated account is found and named by the binary.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ekk::opensearch::Path;
use ekk_emulator::{Effect, Fault, Service};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::account::REGION;
use crate::recovery::Stack;

fn record(minutes_from_now: i64) -> String {
    let time = Timestamp::now() + SignedDuration::from_mins(minutes_from_now);
    json!({"asctime": time.to_string(), "message": "x"}).to_string() + "\n"
}

/// A stack with one record in its index and in its backup.
fn healthy() -> Stack {
    let stack = Stack::instant("stack: logs\n");
    stack.put(&[record(0)]);
    stack.pass(301);
    assert_eq!(stack.documents().len(), 1);
    stack
}

/// The causes that are told, each with its severity, and the exit code.
fn told(stack: &Stack) -> (i32, Vec<String>) {
    let ended = stack.ekk(&["doctor", "-o", "json"]);
    let report: Value = serde_json::from_str(&ended.out).unwrap_or_else(|error| panic!("{error}: {ended}"));
    let text = |finding: &Value, key: &str| finding[key].as_str().expect("text").to_owned();
    let findings = report["findings"].as_array().expect("a list").iter();
    let told = findings.map(|finding| format!("{} {}", text(finding, "severity"), text(finding, "cause"))).collect();
    assert_eq!(report["exit"], ended.code, "{ended}");
    (ended.code, told)
}

#[test]
fn nothing_is_found_in_a_stack_that_works_by_its_file_and_by_its_name() {
    let stack = healthy();
    for words in [&["doctor"][..], &["doctor", "logs"]] {
        let ended = stack.ekk(words).with(0);
        assert!(ended.out.contains("Nothing found in stream"), "{ended}");
        assert!(!ended.out.contains("could not"), "{ended}");
    }
}

#[test]
fn it_writes_nothing() {
    let stack = healthy();
    stack.account.control.clear_requests();
    stack.ekk(&["doctor"]).with(0);
    let writes: Vec<String> =
        stack.account.control.requests().into_iter().filter(|one| one.is_write).map(|one| one.operation).collect();
    // Searches and counts are POSTs.
    assert!(writes.iter().all(|operation| operation == "ESHttpPost"), "{writes:?}");
}

#[test]
fn an_outage_is_named_and_replay_ends_it() {
    let stack = healthy();
    stack.make_domain_answer(Some(503));
    stack.put(&[record(0), record(0)]);
    stack.pass(60);
    stack.pass(400);
    let (code, told_now) = told(&stack);
    assert_eq!(code, 1);
    assert!(told_now.contains(&"error failed-documents".to_owned()), "{told_now:?}");
    assert!(told_now.contains(&"error delivery-errors".to_owned()), "{told_now:?}");
    assert!(told_now.contains(&"error domain-silent".to_owned()), "{told_now:?}");
    let ended = stack.ekk(&["doctor"]);
    assert!(ended.out.contains("2 documents for logs-"), "{ended}");
    assert!(ended.out.contains("ekk replay ekk.yaml"), "{ended}");
    stack.make_domain_answer(None);
    stack.ekk(&["replay"]).with(0);
    assert_eq!(stack.documents().len(), 3);
    // What failed is where it belongs; that it failed is of yesterday.
    let (code, told_now) = told(&stack);
    assert_eq!((code, told_now), (0, vec!["warning delivery-errors".to_owned()]));
    let ended = stack.ekk(&["doctor"]);
    assert!(ended.out.contains("the documents that failed are in the index again"), "{ended}");
}

#[test]
fn the_newest_errors_are_told_however_many_there_were_before() {
    let stack = healthy();
    let now = stack.account.control.now().as_millisecond();
    let logged = |millisecond: i64, code: &str| ekk_emulator::logs::LogEvent {
        timestamp: millisecond,
        ingested: millisecond,
        message: json!({"errorCode": code, "errorMessage": "refused"}).to_string(),
    };
    stack.account.control.world(|world| {
        let events = &mut world.logs.events;
        let key = |number: i64| format!("{REGION}//aws/kinesisfirehose/logs:DestinationDelivery:{number:020}");
        for number in 0..2_500 {
            events.insert(key(number), logged(now - 10 * 3_600_000 + number, "OS.Old"));
        }
        events.insert(key(2_500), logged(now - 1_000, "OS.New"));
    });
    let ended = stack.ekk(&["doctor"]);
    assert!(ended.out.contains("Firehose logged OS.New once, last"), "{ended}");
    assert!(ended.out.contains("Firehose logged OS.Old 1999 times, last"), "{ended}");
}

#[test]
fn a_role_that_lost_its_permissions_is_named() {
    let stack = healthy();
    stack.account.control.world(|world| {
        let role = world.iam.roles.get_mut(&format!("logs-firehose-{REGION}")).expect("a role");
        role.grants.inline.clear();
    });
    let (code, told) = told(&stack);
    assert_eq!((code, &told[0]), (1, &"error role-permissions".to_owned()));
    assert!(told.contains(&"warning not-as-the-file".to_owned()), "{told:?}");
}

#[test]
fn a_stream_with_another_index_than_its_file_is_told_by_the_words_that_choose_its_mend() {
    let stack = healthy();
    stack.account.place.write("ekk.yaml", "stack: logs\nindex: { name: other }\n");
    let ended = stack.ekk(&["doctor"]);
    assert!(ended.out.contains("the stack is not as its file says: ") && ended.out.contains("stream index"), "{ended}");
    assert!(!ended.out.contains("pattern-outside"), "{ended}");
}

#[test]
fn what_is_inside_the_domain_is_looked_at() {
    let stack = healthy();
    let index = stack.documents().into_values().next().expect("a document").0;
    stack.inside(async |plane| {
        let block = json!({"index.blocks.read_only_allow_delete": true});
        plane.put(Path::of(&[&index, "_settings"]), &block).await.expect("a block");
        plane.delete(Path::of(&["_index_template", "logs"])).await.expect("no template");
        let text = json!({"mappings": {"properties": {"asctime": {"type": "text"}, "message": {"type": "long"}}}});
        plane.put(Path::of(&["logs-2020-w01"]), &text).await.expect("an index");
    });
    let (code, told) = told(&stack);
    assert_eq!(code, 1);
    for cause in [
        "error writes-blocked",
        "error template-missing",
        // In an index of 2020, to which nothing is written any more.
        "warning time-not-a-date",
        "warning mapping-conflict",
        "warning cluster-yellow",
    ] {
        assert!(told.contains(&cause.to_owned()), "no {cause}: {told:?}");
    }
}

#[test]
fn a_time_in_the_future_is_told_by_how_much() {
    let stack = healthy();
    stack.put(&[record(120)]);
    stack.pass(61);
    assert_eq!(stack.documents().len(), 2);
    let ended = stack.ekk(&["doctor"]).with(1);
    assert!(ended.out.contains("the time of 1 document is in the future, by up to 2 h"), "{ended}");
}

#[test]
fn verify_in_a_quiet_stack_and_an_old_file_are_no_wrong_time() {
    let stack = healthy();
    stack.pass(5 * 3600);
    stack.ekk(&["verify", "-q"]).with(0);
    assert_eq!(told(&stack), (0, Vec::new()));
    let old: Vec<String> = (0..100).map(|number| record(-60 * 24 + 10 * number)).collect();
    stack.put(&old);
    stack.pass(301);
    assert_eq!(stack.documents().len(), 101);
    assert_eq!(told(&stack), (0, Vec::new()));
}

#[test]
fn times_that_lie_a_zone_behind_in_object_after_object_are_told() {
    let stack = Stack::instant("stack: logs\n");
    stack.put(&[record(-300)]);
    stack.pass(301);
    // It is all that there is.
    assert_eq!(told(&stack), (1, vec!["error time-behind".to_owned()]));
    stack.pass(900);
    stack.put(&[record(-280)]);
    stack.pass(301);
    assert_eq!(told(&stack), (1, vec!["error time-behind".to_owned()]));
}

#[test]
fn an_old_record_before_one_of_now_is_no_wrong_time() {
    let stack = Stack::instant("stack: logs\n");
    stack.put(&[record(-300)]);
    stack.pass(301);
    stack.put(&[record(0)]);
    stack.pass(301);
    assert_eq!(told(&stack), (0, Vec::new()));
}

#[test]
fn nothing_is_wrong_right_after_up_verify_and_a_record_whatever_the_bucket_and_the_rotation() {
    for spec in [
        "stack: logs\n",
        "stack: logs\nindex: { rotation: NoRotation }\n",
        "stack: logs\nbackup: { documents: FailedDocumentsOnly }\nindex: { rotation: OneDay }\n",
        "stack: logs\nerror_log: { enabled: false }\n",
    ] {
        let stack = Stack::instant(spec);
        let expected = |also: &[&str]| {
            let off = spec.contains("error_log").then_some("warning error-log-off");
            (0, off.into_iter().chain(also.iter().copied()).map(ToOwned::to_owned).collect::<Vec<String>>())
        };
        assert_eq!(told(&stack), expected(&["warning nothing-arrived"]), "{spec}");
        stack.ekk(&["verify", "-q"]).with(0);
        let alone: &[&str] = if spec.contains("FailedDocumentsOnly") { &["warning nothing-arrived"] } else { &[] };
        assert_eq!(told(&stack), expected(alone), "{spec}");
        stack.put(&[record(0)]);
        stack.pass(301);
        assert_eq!(told(&stack), expected(&[]), "{spec}");
    }
}

#[test]
fn a_role_that_exists_without_ekk_is_not_mended_by_up() {
    let stack = healthy();
    let role = format!("logs-firehose-{REGION}");
    stack.account.place.write("ekk.yaml", format!("stack: logs\nrole: {{ existing: {role}, path: /ekk/ }}\n"));
    assert_eq!(told(&stack), (0, Vec::new()));
    stack.account.control.world(|world| world.iam.roles.get_mut(&role).expect("a role").grants.inline.clear());
    let ended = stack.ekk(&["doctor"]).with(1);
    assert!(ended.out.contains("to mend it: give role logs-firehose-eu-west-1 these permissions"), "{ended}");
    let differs = ended.out.lines().find(|line| line.contains("not-as-the-file")).unwrap_or_default();
    assert!(differs.contains("and ") && differs.len() < 200, "{ended}");
}

/// A failed document of a minute ago, as Firehose writes it.
fn failed_document(number: usize, index: &str) -> String {
    let record = json!({"asctime": Timestamp::now().to_string(), "message": number.to_string()}).to_string();
    let message = json!({"type": "mapper_parsing_exception", "reason": format!("no, in document with id '{number}'")});
    json!({
        "errorCode": "400", "errorMessage": message.to_string(), "rawData": BASE64_STANDARD.encode(record),
        "esDocumentId": number.to_string(), "esIndexName": index,
    })
    .to_string()
}

fn failed_key(stack: &Stack, minutes_ago: i64) -> String {
    let time = stack.account.control.now() - SignedDuration::from_mins(minutes_ago);
    let id = "0a1b2c3d-0000-4000-8000-000000000000";
    let folder = time.strftime("AmazonOpenSearchService-failed/%Y/%m/%d/%H");
    format!("{folder}/logs-1-{}-{id}", time.strftime("%Y-%m-%d-%H-%M-%S"))
}

#[test]
fn a_replay_of_more_documents_than_are_looked_at_ends_green() {
    let stack = healthy();
    let index = stack.documents().into_values().next().expect("a document").0;
    let objects = [(1, 0..5_000), (5, 5_000..5_100)];
    for (minutes_ago, numbers) in objects {
        let body: String = numbers.map(|number| failed_document(number, &index)).collect();
        stack.put_object(&failed_key(&stack, minutes_ago), body);
    }
    let ended = stack.ekk(&["doctor"]).with(1);
    assert!(ended.out.contains("at least 5000 documents for logs-"), "{ended}");
    stack.ekk(&["replay", "-q"]).with(0);
    let ended = stack.ekk(&["doctor"]).with(0);
    assert!(ended.out.contains("the newest 5000 documents are all back"), "{ended}");
}

#[test]
fn what_is_no_json_object_is_told_to_stay_in_the_bucket() {
    let stack = healthy();
    stack.put(&["oops\n".to_owned(), record(0)]);
    stack.pass(301);
    assert_eq!(stack.documents().len(), 2);
    let (code, told) = told(&stack);
    assert_eq!((code, told.contains(&"warning failed-documents".to_owned())), (0, true), "{told:?}");
    let ended = stack.ekk(&["doctor"]);
    assert!(ended.out.contains("1 document of the last 24 hours can never be brought back"), "{ended}");
}

#[test]
fn one_document_without_its_time_among_many_is_no_error() {
    let stack = healthy();
    stack.put(&["{\"message\": \"x\"}\n".to_owned()]);
    stack.pass(301);
    assert_eq!(told(&stack), (1, vec!["error time-missing".to_owned()]));
    stack.put(&vec![record(5); 40]);
    stack.pass(301);
    assert_eq!(told(&stack), (0, vec!["warning time-missing".to_owned()]));
}

#[test]
fn what_may_not_be_read_is_told_and_the_rest_is_judged() {
    let stack = healthy();
    for action in ["logs:FilterLogEvents", "s3:ListBucket", "iam:SimulatePrincipalPolicy"] {
        stack.account.control.deny(action);
    }
    let ended = stack.ekk(&["doctor"]).with(0);
    assert!(ended.out.contains("could not look at Firehose's error log"), "{ended}");
    assert!(ended.out.contains("allow logs:FilterLogEvents to the caller"), "{ended}");
    assert!(ended.out.contains("could not look at the role's permissions"), "{ended}");
}

#[test]
fn a_missing_stream_and_a_stack_that_is_not_there_are_told() {
    let stack = Stack::instant("stack: logs\n");
    stack.account.control.fault(Fault::on(
        Service::Firehose,
        "DescribeDeliveryStream",
        Effect::Error { status: 400, code: "ResourceNotFoundException".to_owned(), message: "not there".to_owned() },
    ));
    let (code, told) = told(&stack);
    assert_eq!((code, &told[0]), (1, &"error stream-missing".to_owned()));
    let ended = stack.ekk(&["doctor", "nobody"]).with(1);
    assert!(ended.err.contains("no stack nobody"), "{ended}");
}
