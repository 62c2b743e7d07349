//! What a stack's template promises to the records of an application.

use serde_json::{Value, json};

use crate::engine::Engine;
use crate::template::write_template;

/// Indexes records by their place, as Firehose does, and returns the item of each.
fn index(engine: &Engine, records: &[Value]) -> Vec<Value> {
    let lines: Vec<Value> = records
        .iter()
        .enumerate()
        .flat_map(|(at, record)| [json!({"index": {"_index": "logs-2020-w20", "_id": at.to_string()}}), record.clone()])
        .collect();
    let (status, answer) = engine.bulk(&lines);
    assert_eq!(status, 200, "{}: {answer}", engine.version);
    let items = answer["items"].as_array().expect("items").clone();
    let any = items.iter().any(|item| item["index"].get("error").is_some());
    assert_eq!(answer["errors"], json!(any), "{}", engine.version);
    items.into_iter().map(|item| item["index"].clone()).collect()
}

/// Ids and sort values of a search.
fn found(engine: &Engine, search: &Value) -> Vec<(String, Value)> {
    let (status, answer) = engine.call("POST", "/logs,logs-*/_search?ignore_unavailable=true", Some(search));
    assert_eq!(status, 200, "{}: {answer}", engine.version);
    let hits = answer["hits"]["hits"].as_array().expect("hits");
    hits.iter().map(|hit| (hit["_id"].as_str().expect("an id").to_owned(), hit["sort"][0].clone())).collect()
}

/// 2020-05-11T12:44:44Z in milliseconds.
const MOMENT: i64 = 1_589_201_084_000;

pub(crate) async fn every_form_of_pythons_time_is_a_date_and_sorts(engine: &Engine) {
    write_template(engine).await;
    // Each is later than the one before, in the form that is named behind it.
    let forms = [
        (json!("2020-05-11T14:44:44+0200"), 0, "%Y-%m-%dT%H:%M:%S%z"),
        (json!("2020-05-11T14:44:45+02:00"), 1_000, "isoformat() with a zone"),
        (json!("2020-05-11T12:44:46Z"), 2_000, "UTC, said"),
        (json!("2020-05-11T12:44:47"), 3_000, "isoformat() without a zone, read as UTC"),
        (json!("2020-05-11T14:44:48.123+0200"), 4_123, "milliseconds"),
        (json!("2020-05-11T14:44:49,123+0200"), 5_123, "milliseconds behind a comma"),
        (json!("2020-05-11T14:44:50.123456+02:00"), 6_123, "isoformat() with microseconds"),
        (json!("2020-05-11 12:44:51,123"), 7_123, "logging's own default"),
        (json!("2020-05-11 12:44:52"), 8_000, "%Y-%m-%d %H:%M:%S"),
        (json!(1_589_201_093), 9_000, "int(time.time())"),
        (json!(1_589_201_094.123), 10_123, "time.time(), record.created"),
        (json!("1589201095.5"), 11_500, "the same as text"),
    ];
    let records: Vec<Value> = forms.iter().rev().map(|(time, ..)| json!({"asctime": time})).collect();
    for (item, (time, _, form)) in index(engine, &records).iter().zip(forms.iter().rev()) {
        assert_eq!(item["status"], 201, "{} {time} ({form}): {item}", engine.version);
    }
    let last = forms.len() - 1;
    let expected: Vec<(String, Value)> =
        forms.iter().enumerate().map(|(at, (_, after, _))| ((last - at).to_string(), json!(MOMENT + after))).collect();
    let sorted = json!({"size": 100, "sort": [{"asctime": {"order": "asc"}}]});
    assert_eq!(found(engine, &sorted), expected, "{}", engine.version);
    let later = json!({"size": 100, "sort": [{"asctime": "desc"}], "query": {"range": {"asctime": {
        "gte": "2020-05-11T12:44:52Z", "lt": "2020-05-11T12:44:55Z"}}}});
    let later: Vec<String> = found(engine, &later).into_iter().map(|(id, _)| id).collect();
    assert_eq!(later, ["1", "2", "3"], "{}", engine.version);
}

pub(crate) async fn what_is_no_time_costs_that_record_only(engine: &Engine) {
    write_template(engine).await;
    for wrong in [json!("yesterday"), json!("2020-05-11 14:44"), json!("11.05.2020"), json!(true), json!({"at": 1})] {
        let right = json!({"asctime": "2020-05-11 14:44:44,123"});
        let items = index(engine, &[right.clone(), json!({"asctime": wrong}), right]);
        let statuses: Vec<&Value> = items.iter().map(|item| &item["status"]).collect();
        assert!([200, 201].iter().any(|good| statuses == [&json!(good), &json!(400), &json!(good)]), "{items:?}");
        assert_eq!(items[1]["error"]["type"], "mapper_parsing_exception", "{} {}", engine.version, items[1]);
        let reason = items[1]["error"]["reason"].as_str().expect("a reason");
        assert!(reason.starts_with("failed to parse field [asctime] of type [date]"), "{}: {reason}", engine.version);
    }
    let all: Vec<String> = found(engine, &json!({"sort": ["asctime"]})).into_iter().map(|(id, _)| id).collect();
    assert_eq!(all, ["0", "2"], "{}", engine.version);
}

pub(crate) async fn fields_that_clash_cost_no_record_but_where_text_meets_object(engine: &Engine) {
    write_template(engine).await;
    // What a field holds first, what it holds next, and whether the second record is kept.
    let clashes = [
        (json!(1), json!("one"), true),
        (json!(1), json!(1.5), true),
        (json!(1), json!(9_223_372_036_854_775_808_u64), true),
        (json!(1), json!(true), true),
        (json!(1), json!(["x", 2, null]), true),
        (json!(1.5), json!("one and a half"), true),
        (json!("2020-05-11"), json!("A-17"), true),
        (json!("2020-05-11T14:44:44Z"), json!("never"), true),
        (json!("10.0.0.1"), json!("localhost"), true),
        (json!("text"), json!(1), true),
        (json!("text"), json!(false), true),
        (json!("text"), json!("x".repeat(40_000)), true),
        (json!(true), json!("yes"), true),
        (json!(true), json!(1), true),
        (json!(null), json!({"a": 1}), true),
        (json!({"a": 1}), json!({"a": "one", "b": 2}), true),
        (json!({"a": 1}), json!(null), true),
        (json!([]), json!("x"), true),
        (json!([1, 2]), json!([1, 2.5, "x"]), true),
        (json!("text"), json!({"a": 1}), false),
        (json!(true), json!({"a": 1}), false),
        (json!({"a": 1}), json!("text"), false),
        (json!({"a": 1}), json!(1), false),
        (json!({"a": 1}), json!([{"a": 2}, "text"]), false),
    ];
    for (at, (first, next, is_kept)) in clashes.iter().enumerate() {
        let field = format!("extra_{at}");
        let items = index(engine, &[json!({&field: first}), json!({&field: next})]);
        assert!(items[0].get("error").is_none(), "{} {first}: {}", engine.version, items[0]);
        let what =
            format!("{} {first} then {}: {}", engine.version, next.to_string().get(..60).unwrap_or("…"), items[1]);
        if *is_kept {
            assert!(items[1].get("error").is_none(), "{what}");
        } else {
            assert_eq!(items[1]["status"], 400, "{what}");
            assert_eq!(items[1]["error"]["type"], "mapper_parsing_exception", "{what}");
        }
    }
    // A number that meets an object costs the record up to OpenSearch 3.1.
    let items = index(engine, &[json!({"number": 1}), json!({"number": {"a": 1}})]);
    let is_lost = items[1]["status"] == 400;
    assert_eq!(is_lost, engine.version.as_str() < "OpenSearch_3.2", "{} {}", engine.version, items[1]);
    // A list that mixes kinds costs its record where the field is new: each value makes a mapping of its own.
    for (at, mixed) in [json!([1, "two"]), json!([1, 2.5]), json!([true, 1]), json!(["a", {"b": 1}])].iter().enumerate()
    {
        let items = index(engine, &[json!({format!("mixed_{at}"): mixed})]);
        assert_eq!(items[0]["status"], 400, "{} {mixed}: {}", engine.version, items[0]);
        assert_eq!(items[0]["error"]["type"], "illegal_argument_exception", "{} {mixed}", engine.version);
    }
    // The fields that the file names keep a record, too.
    let items = index(engine, &[json!({"duration_ms": "long", "client": {"address": "localhost"}, "levelname": 3})]);
    assert!(items[0].get("error").is_none(), "{} {}", engine.version, items[0]);
}

pub(crate) async fn the_first_index_leaves_one_node_green(engine: &Engine) {
    write_template(engine).await;
    index(engine, &[json!({"asctime": "2020-05-11T14:44:44Z"})]);
    let (_, health) = engine.get("/_cluster/health?wait_for_status=green&timeout=30s");
    assert_eq!((&health["status"], &health["unassigned_shards"]), (&json!("green"), &json!(0)), "{}", engine.version);
    let (_, indices) = engine.get("/_cat/indices?format=json&bytes=b");
    let index = &indices.as_array().expect("rows")[0];
    let told = ["index", "health", "pri", "rep", "docs.count"].map(|key| index[key].as_str().unwrap_or_default());
    assert_eq!(told, ["logs-2020-w20", "green", "1", "0", "1"], "{}", engine.version);
    assert!(index["store.size"].as_str().is_some_and(|size| size.parse::<u64>().is_ok()), "{index}");
}

pub(crate) async fn a_bulk_request_as_firehose_sends_it_is_found_by_a_search(engine: &Engine) {
    write_template(engine).await;
    let record = |second: u32, level: &str, message: &str| json!({"asctime": format!("2020-05-11T14:44:{second:02}+0200"), "levelname": level, "message": message});
    // With ids of its own, and (NO_DOCUMENT_ID) with none.
    let (status, answer) = engine.bulk(&[
        json!({"index": {"_index": "logs-2020-w20", "_id": "a"}}),
        record(1, "INFO", "payment accepted"),
        json!({"index": {"_index": "logs-2020-w20", "_id": "b"}}),
        record(2, "ERROR", "payment refused: card expired"),
        json!({"index": {"_index": "logs-2020-w20"}}),
        record(3, "ERROR", "no connection"),
    ]);
    let statuses: Vec<&Value> =
        answer["items"].as_array().expect("items").iter().map(|item| &item["index"]["status"]).collect();
    assert_eq!((status, statuses), (200, vec![&json!(201); 3]), "{}: {answer}", engine.version);
    let ids = |search: &Value| -> Vec<String> { found(engine, search).into_iter().map(|(id, _)| id).collect() };
    let newest = json!({"size": 2, "sort": [{"asctime": {"order": "desc", "unmapped_type": "date"}}]});
    assert_eq!(ids(&newest)[1], "b", "{}", engine.version);
    let filtered = |query: &str| {
        json!({"size": 10, "sort": [{"asctime": {"order": "asc"}}], "query": {"bool": {"filter": [
            {"query_string": {"query": query}},
            {"range": {"asctime": {"gte": "2020-05-11T12:00:00Z"}}},
        ]}}})
    };
    assert_eq!(ids(&filtered("payment")), ["a", "b"], "{}", engine.version);
    assert_eq!(ids(&filtered("payment AND levelname:ERROR")), ["b"], "{}", engine.version);
    assert_eq!(ids(&filtered("\"card expired\"")), ["b"], "{}", engine.version);
    assert_eq!(ids(&filtered("nothing")), [""; 0], "{}", engine.version);
    let (_, count) = engine.get("/logs-*/_count?q=levelname:ERROR");
    assert_eq!(count["count"], 2, "{}", engine.version);
}

pub(crate) async fn what_is_created_by_its_id_again_is_left_as_it_is(engine: &Engine) {
    write_template(engine).await;
    let create = |message: &str| {
        engine.bulk(&[
            json!({"create": {"_index": "logs-2020-w20", "_id": "a"}}),
            json!({"asctime": "2020-05-11T14:44:44Z", "message": message}),
        ])
    };
    assert_eq!(create("first").1["items"][0]["create"]["status"], 201, "{}", engine.version);
    let again = create("second").1["items"][0]["create"].clone();
    assert_eq!(
        (&again["status"], &again["error"]["type"]),
        (&json!(409), &json!("version_conflict_engine_exception")),
        "{}",
        engine.version
    );
    let (status, document) = engine.get("/logs-2020-w20/_doc/a");
    assert_eq!((status, &document["_source"]["message"]), (200, &json!("first")), "{}", engine.version);
}
