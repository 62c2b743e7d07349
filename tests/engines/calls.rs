//! The calls that are sent to an emulated engine and to a real one of the same version, in this order: what `ekk`,
//! Firehose, Dashboards and a person who looks send, and what goes wrong with it.

use serde_json::{Value, json};

use crate::engine::Call;
use crate::stand_in::Came;

const JSON: Option<&str> = Some("application/json");
const NDJSON: Option<&str> = Some("application/x-ndjson");

struct Calls(Vec<(&'static str, Call)>);

impl Calls {
    fn raw(&mut self, name: &'static str, method: &'static str, target: &str, media: Option<&'static str>, body: &str) {
        assert!(self.0.iter().all(|(other, _)| *other != name), "two calls are named {name}");
        self.0.push((name, Call { method, target: target.to_owned(), media_type: media, body: body.to_owned() }));
    }

    fn bare(&mut self, name: &'static str, method: &'static str, target: &str) {
        self.raw(name, method, target, None, "");
    }

    fn json(&mut self, name: &'static str, method: &'static str, target: &str, body: &Value) {
        self.raw(name, method, target, JSON, &body.to_string());
    }

    fn bulk(&mut self, name: &'static str, target: &str, lines: &[Value]) {
        let body: String = lines.iter().map(|line| format!("{line}\n")).collect();
        self.raw(name, "POST", target, NDJSON, &body);
    }
}

/// All calls, each with a name of its own. `template` is the request by which `ekk` writes its template.
pub(crate) fn calls(template: &Came) -> Vec<(&'static str, Call)> {
    let mut calls = Calls(Vec::new());
    templates(&mut calls, template);
    what_is_missing(&mut calls);
    indexes(&mut calls);
    documents(&mut calls);
    bulks(&mut calls);
    dates(&mut calls);
    clashes(&mut calls);
    mappings(&mut calls);
    searches(&mut calls);
    ends(&mut calls);
    calls.0
}

fn templates(calls: &mut Calls, template: &Came) {
    let body = String::from_utf8(template.body.clone()).expect("UTF-8");
    let written: Value = serde_json::from_str(&body).expect("JSON");
    calls.bare("template that is missing", "GET", "/_index_template/logs");
    calls.bare("head of a template that is missing", "HEAD", "/_index_template/logs");
    calls.raw("ekk's template", "PUT", &template.path, JSON, &body);
    calls.bare("template read back", "GET", "/_index_template/logs");
    calls.bare("head of a template", "HEAD", "/_index_template/logs");
    calls.bare("templates by pattern", "GET", "/_index_template/lo*");
    calls.bare("templates by a pattern that none fits", "GET", "/_index_template/none*");
    calls.bare("all templates", "GET", "/_index_template");
    calls.json("template of the same priority", "PUT", "/_index_template/other", &written);
    calls.raw("template again, only when new", "PUT", "/_index_template/logs?create=true", JSON, &body);
    calls.raw("template in half a JSON", "PUT", "/_index_template/half", JSON, "{\"index_patterns\": [\"half\"");
    calls.raw("template with no body", "PUT", "/_index_template/half", None, "");
    calls.raw("template as plain text", "PUT", "/_index_template/half", Some("text/plain"), &body);
    calls.raw("template without a media type", "PUT", "/_index_template/half", None, &body);
    calls.raw("template as a list", "PUT", "/_index_template/half", JSON, "[]");
    let own = |template: Value| json!({"index_patterns": ["own-*"], "priority": 7, "template": template});
    let properties = |properties: Value| own(json!({"mappings": {"properties": properties}}));
    for (name, body) in [
        ("template without patterns", json!({"template": {}})),
        ("template with no patterns", json!({"index_patterns": [], "template": {}})),
        ("template with an unknown key", json!({"index_patterns": ["own-*"], "x": 1})),
        ("template with an unknown key inside", own(json!({"x": 1}))),
        ("template with a priority in words", json!({"index_patterns": ["own-*"], "priority": "high"})),
        ("template with a negative priority", json!({"index_patterns": ["own-*"], "priority": -1})),
        ("template with a pattern in capitals", json!({"index_patterns": ["Own-*"]})),
        ("template with a pattern with a space", json!({"index_patterns": ["own *"]})),
        ("template of parts that are missing", json!({"index_patterns": ["own-*"], "composed_of": ["part"]})),
        ("template with an unknown type", properties(json!({"a": {"type": "strange"}}))),
        ("template with a field of no type", properties(json!({"a": {"format": "x"}}))),
        ("template with an unknown parameter", properties(json!({"a": {"type": "date", "x": 1}}))),
        ("template with a wrong date format", properties(json!({"a": {"type": "date", "format": "bbb"}}))),
        ("template with a flag in words", properties(json!({"a": {"type": "long", "ignore_malformed": "perhaps"}}))),
        ("template with a wrong ignore_above", properties(json!({"a": {"type": "keyword", "ignore_above": "x"}}))),
        ("template with an unknown key of mappings", own(json!({"mappings": {"x": 1}}))),
        ("template with an unknown setting", own(json!({"settings": {"strange": 1}}))),
        ("template with shards in words", own(json!({"settings": {"number_of_shards": "many"}}))),
        ("template with no shards", own(json!({"settings": {"number_of_shards": 0}}))),
        ("template with negative replicas", own(json!({"settings": {"number_of_replicas": -1}}))),
        ("template with a time without unit", own(json!({"settings": {"refresh_interval": "5"}}))),
        (
            "template with a wrong dynamic template",
            own(json!({"mappings": {"dynamic_templates": [{"a": {"match_mapping_type": "strange", "mapping": {}}}]}})),
        ),
    ] {
        calls.json(name, "PUT", "/_index_template/own", &body);
    }
    calls.json("template with a name in capitals", "PUT", "/_index_template/Own", &own(json!({})));
    calls.json("template with a comma in its name", "PUT", "/_index_template/a,b", &own(json!({})));
    calls.json("template with a name that begins with _", "PUT", "/_index_template/_own", &own(json!({})));
    calls.json(
        "template with everything",
        "PUT",
        "/_index_template/own",
        &json!({"index_patterns": ["own-*", "mine"], "priority": 7, "version": 3, "_meta": {"a": "b"}, "composed_of": [],
            "template": {
                "settings": {"index": {"number_of_shards": "2", "refresh_interval": "5s"}, "number_of_replicas": 0},
                "mappings": {"dynamic": "strict", "properties": {"a": {"properties": {"b": {"type": "ip"}}}}},
        }}),
    );
    calls.bare("template with everything, read back", "GET", "/_index_template/own");
    calls.json("template by POST", "POST", "/_index_template/own", &own(json!({})));
    calls.bare("template deleted", "DELETE", "/_index_template/own");
    calls.bare("template deleted again", "DELETE", "/_index_template/own");
    calls.bare("templates deleted by a pattern that none fits", "DELETE", "/_index_template/none*");
    calls.bare("legacy template that is missing", "GET", "/_template/old");
    let old = json!({"index_patterns": ["old-*"], "order": 3, "settings": {"number_of_shards": 1, "number_of_replicas": 0},
        "mappings": {"properties": {"a": {"type": "keyword"}}}});
    calls.json("legacy template", "PUT", "/_template/old", &old);
    calls.bare("legacy template read back", "GET", "/_template/old");
    calls.json(
        "legacy template with an unknown key",
        "PUT",
        "/_template/old",
        &json!({"index_patterns": ["o"], "x": 1}),
    );
    calls.json("legacy template without patterns", "PUT", "/_template/old", &json!({"order": 1}));
    calls.bare("legacy template deleted", "DELETE", "/_template/old");
    calls.bare("legacy template deleted again", "DELETE", "/_template/old");
    // From here on everything but `five` has one primary and no copy.
    calls.json(
        "template for all the other indexes",
        "PUT",
        "/_index_template/plain",
        &json!({"index_patterns": ["plain*", "dates*", "clash*", "strict*"], "priority": 5,
            "template": {"settings": {"number_of_shards": 1, "number_of_replicas": 0}}}),
    );
}

fn what_is_missing(calls: &mut Calls) {
    calls.bare("index that is missing", "GET", "/none");
    calls.bare("head of an index that is missing", "HEAD", "/none");
    calls.bare("mapping of an index that is missing", "GET", "/none/_mapping");
    calls.bare("settings of an index that is missing", "GET", "/none/_settings");
    calls.bare("statistics of an index that is missing", "GET", "/none/_stats");
    calls.bare("search of an index that is missing", "GET", "/none/_search");
    calls.bare("search of an index that may be missing", "GET", "/none/_search?ignore_unavailable=true");
    calls.bare("search of a pattern that none fits", "GET", "/none*/_search");
    calls.bare("search of a pattern that one must fit", "GET", "/none*/_search?allow_no_indices=false");
    calls.bare("count of an index that is missing", "GET", "/none/_count");
    calls.bare("document of an index that is missing", "GET", "/none/_doc/1");
    calls.bare("source of an index that is missing", "GET", "/none/_source/1");
    calls.bare("document deleted from an index that is missing", "DELETE", "/none/_doc/1");
    calls.bare("refresh of an index that is missing", "POST", "/none/_refresh");
    calls.bare("index deleted that is missing", "DELETE", "/none");
    calls.bare("index that is missing, in cat", "GET", "/_cat/indices/none?format=json");
    calls.bare("health of an index that is missing", "GET", "/_cluster/health/none?timeout=1s");
    calls.bare("fields of an index that is missing", "GET", "/none/_field_caps?fields=*");
    calls.bare("all mappings of nothing", "GET", "/_mapping");
    calls.bare("cat of nothing", "GET", "/_cat/indices?format=json");
    calls.bare("search of nothing", "GET", "/_search");
    calls.bare("health of nothing", "GET", "/_cluster/health");
    calls.bare("unknown route", "GET", "/_strange");
    calls.bare("unknown route below an index", "GET", "/none/_strange");
    calls.bare("wrong method of a search", "PUT", "/none/_search");
    calls.bare("wrong method of an index", "POST", "/none");
    calls.bare("wrong method of a template", "PATCH", "/_index_template/logs");
    calls.bare("unknown parameter", "GET", "/_cluster/health?strange=1");
    calls.bare("greeting", "GET", "/");
}

fn indexes(calls: &mut Calls) {
    calls.json("index", "PUT", "/plain-1", &json!({"mappings": {"properties": {"n": {"type": "integer"}}}}));
    calls.bare("index again", "PUT", "/plain-1");
    calls.bare("head of an index", "HEAD", "/plain-1");
    calls.bare("index read", "GET", "/plain-1");
    calls.bare("index with no name of its own", "PUT", "/plain-2");
    calls.bare("mapping of an empty index", "GET", "/plain-2/_mapping");
    calls.bare("name in capitals", "PUT", "/Plain");
    calls.bare("name with a leading hyphen", "PUT", "/-plain");
    calls.bare("name with a colon", "PUT", "/plain:x");
    calls.json("index with an unknown key", "PUT", "/plain-3", &json!({"x": 1}));
    calls.json("index with an unknown setting", "PUT", "/plain-3", &json!({"settings": {"strange": 1}}));
    calls.json(
        "index with an unknown type",
        "PUT",
        "/plain-3",
        &json!({"mappings": {"properties": {"a": {"type": "strange"}}}}),
    );
    calls.raw("index in half a JSON", "PUT", "/plain-3", JSON, "{\"settings\": ");
    calls.bare("settings", "GET", "/plain-1/_settings");
    calls.json("settings changed", "PUT", "/plain-1/_settings", &json!({"index": {"refresh_interval": "7s"}}));
    calls.json("settings that never change", "PUT", "/plain-1/_settings", &json!({"index": {"number_of_shards": 3}}));
    calls.json("settings that are unknown", "PUT", "/plain-1/_settings", &json!({"strange": 3}));
    calls.json("settings of an index that is missing, changed", "PUT", "/none/_settings", &json!({"priority": 3}));
    calls.bare("settings changed, read back", "GET", "/plain-1/_settings");
    calls.json("index with a copy", "PUT", "/plain-2/_settings", &json!({"number_of_replicas": 1}));
    calls.bare("health with a copy too many", "GET", "/_cluster/health/plain-2?wait_for_status=yellow&timeout=10s");
    calls.bare("health that never comes", "GET", "/_cluster/health?wait_for_status=green&timeout=1s");
    calls.json("index with no copy", "PUT", "/plain-2/_settings", &json!({"number_of_replicas": 0}));
    calls.bare("health in the end", "GET", "/_cluster/health?wait_for_status=green&timeout=10s");
    calls.bare("cat", "GET", "/_cat/indices?format=json&bytes=b");
    calls.bare("cat of some columns", "GET", "/_cat/indices/plain-*?format=json&h=index,health,docs.count&s=index");
    calls.bare("index with the service's own settings", "PUT", "/five");
    calls.bare("settings of the service", "GET", "/five/_settings");
    calls.bare("index deleted", "DELETE", "/five");
}

fn documents(calls: &mut Calls) {
    calls.json("document", "PUT", "/plain-1/_doc/1?refresh=true", &json!({"n": 1, "text": "one"}));
    calls.json("document again", "PUT", "/plain-1/_doc/1?refresh=true", &json!({"n": 2}));
    calls.bare("document read", "GET", "/plain-1/_doc/1");
    calls.bare("head of a document", "HEAD", "/plain-1/_doc/1");
    calls.bare("source of a document", "GET", "/plain-1/_source/1");
    calls.bare("document that is missing", "GET", "/plain-1/_doc/2");
    calls.bare("source that is missing", "GET", "/plain-1/_source/2");
    calls.json("document created twice", "PUT", "/plain-1/_create/1", &json!({"n": 3}));
    calls.json("document created twice by op_type", "PUT", "/plain-1/_doc/1?op_type=create", &json!({"n": 3}));
    calls.json("document created", "PUT", "/plain-1/_create/2?refresh=true", &json!({"n": 3}));
    calls.json("document without an id", "POST", "/plain-1/_doc?refresh=true", &json!({"n": 4}));
    calls.json("document that does not fit", "PUT", "/plain-1/_doc/3", &json!({"n": "four"}));
    calls.raw("document in half a JSON", "PUT", "/plain-1/_doc/3", JSON, "{\"n\": ");
    calls.raw("document with a field twice", "PUT", "/plain-1/_doc/3", JSON, "{\"n\": 1, \"n\": 1}");
    calls.raw("document that is a list", "PUT", "/plain-1/_doc/3", JSON, "[1]");
    calls.raw("document with no body", "PUT", "/plain-1/_doc/3", None, "");
    calls.raw("document as a form", "PUT", "/plain-1/_doc/3", Some("application/x-www-form-urlencoded"), "a=b");
    calls.bare("document deleted", "DELETE", "/plain-1/_doc/2?refresh=true");
    calls.bare("document deleted again", "DELETE", "/plain-1/_doc/2?refresh=true");
    calls.json(
        "documents deleted by query",
        "POST",
        "/plain-1/_delete_by_query?refresh=true",
        &json!({"query": {"term": {"n": 4}}}),
    );
    calls.bare("count after it all", "GET", "/plain-1/_count");
}

fn bulks(calls: &mut Calls) {
    let record = json!({"asctime": "2020-05-11T14:44:44+0200", "levelname": "INFO", "message": "one two three"});
    let with = |time: &str| json!({"asctime": time, "levelname": "ERROR", "message": "four", "ms": 1.5});
    calls.bulk(
        "bulk of Firehose",
        "/_bulk?refresh=true",
        &[
            json!({"index": {"_index": "logs-2020-w20", "_id": "a"}}),
            record.clone(),
            json!({"index": {"_index": "logs-2020-w20", "_id": "b"}}),
            with("yesterday"),
            json!({"index": {"_index": "logs-2020-w20", "_id": "c"}}),
            with("2020-05-11 12:44:45,123"),
            json!({"index": {"_index": "logs-2020-w20", "_id": "a"}}),
            record.clone(),
        ],
    );
    calls.bulk(
        "bulk without ids",
        "/_bulk?refresh=true",
        &[
            json!({"index": {"_index": "plain-1"}}),
            json!({"n": 5}),
            json!({"index": {"_index": "plain-1"}}),
            json!({"n": "x"}),
        ],
    );
    calls.bulk(
        "bulk that creates",
        "/logs-2020-w20/_bulk?refresh=true",
        &[
            json!({"create": {"_id": "a"}}),
            record.clone(),
            json!({"create": {"_id": "d"}}),
            with("2020-05-11T12:44:46Z"),
        ],
    );
    calls.bulk(
        "bulk that deletes",
        "/_bulk?refresh=true",
        &[
            json!({"delete": {"_index": "logs-2020-w20", "_id": "d"}}),
            json!({"delete": {"_index": "logs-2020-w20", "_id": "zzz"}}),
            json!({"delete": {"_index": "none", "_id": "a"}}),
        ],
    );
    calls.bulk("bulk into a wrong name", "/_bulk", &[json!({"index": {"_index": "Wrong"}}), record.clone()]);
    calls.bulk("bulk of an unknown action", "/_bulk", &[json!({"put": {"_index": "plain-1"}}), record.clone()]);
    calls.bulk(
        "bulk with an unknown parameter",
        "/_bulk",
        &[json!({"index": {"_index": "plain-1", "x": 1}}), record.clone()],
    );
    calls.bulk("bulk without an index", "/_bulk", &[json!({"index": {}}), record.clone()]);
    calls.bulk(
        "bulk with a type",
        "/_bulk",
        &[json!({"index": {"_index": "plain-1", "_type": "_doc", "_id": "t"}}), json!({"n": 1})],
    );
    calls.bulk(
        "bulk with an empty id",
        "/_bulk",
        &[json!({"index": {"_index": "plain-1", "_id": ""}}), json!({"n": 1})],
    );
    calls.bulk(
        "bulk with an id that is too long",
        "/_bulk",
        &[json!({"index": {"_index": "plain-1", "_id": "i".repeat(513)}}), json!({"n": 1})],
    );
    calls.bulk(
        "bulk with a source that is a list",
        "/_bulk",
        &[json!({"index": {"_index": "plain-1", "_id": "l"}}), json!([1])],
    );
    calls.raw("bulk with no body", "POST", "/_bulk", NDJSON, "");
    calls.raw(
        "bulk with fields twice",
        "POST",
        "/_bulk",
        NDJSON,
        "{\"index\":{\"_index\":\"plain-1\",\"_id\":\"w\"}}\n{\"n\":1,\"n\":2}\n\
         {\"index\":{\"_index\":\"plain-1\",\"_id\":\"x\"}}\n{\"o\":{\"p\":1,\"p\":1}}\n",
    );
    calls.raw(
        "bulk without a newline at its end",
        "POST",
        "/_bulk",
        NDJSON,
        "{\"index\":{\"_index\":\"plain-1\"}}\n{\"n\":1}",
    );
    calls.raw("bulk with an action that is no JSON", "POST", "/_bulk", NDJSON, "index\n{\"n\":1}\n");
    calls.raw(
        "bulk with a source that is no JSON",
        "POST",
        "/_bulk",
        NDJSON,
        "{\"index\":{\"_index\":\"plain-1\",\"_id\":\"s\"}}\n{\"n\":\n{\"index\":{\"_index\":\"plain-1\",\"_id\":\"u\"}}\n{\"n\":1}\n",
    );
    calls.raw(
        "bulk as plain text",
        "POST",
        "/_bulk",
        Some("text/plain"),
        "{\"index\":{\"_index\":\"plain-1\"}}\n{\"n\":1}\n",
    );
    calls.bare("wrong method of a bulk", "GET", "/_bulk");
    // Of the bulks above some are taken without a refresh: when they can be found would be a matter of speed.
    calls.bare("refresh after the bulks", "POST", "/plain-1/_refresh");
    calls.bare("count of what was delivered", "GET", "/logs-*/_count");
    calls.bare("mapping of what was delivered", "GET", "/logs-2020-w20/_mapping");
    calls.bare("settings of what was delivered", "GET", "/logs-2020-w20/_settings");
}

fn dates(calls: &mut Calls) {
    let format = "strict_date_optional_time||yyyy-MM-dd HH:mm:ss,SSS||yyyy-MM-dd HH:mm:ss";
    calls.json(
        "index of dates",
        "PUT",
        "/dates",
        &json!({"mappings": {"date_detection": false, "properties": {
            "second": {"type": "date", "format": format!("{format}||epoch_second")},
            "millis": {"type": "date", "format": format!("{format}||epoch_millis")},
            "default": {"type": "date"},
        }}}),
    );
    let forms = [
        json!("2020-05-11T14:44:44+0200"),
        json!("2020-05-11T14:44:44+02:00"),
        json!("2020-05-11T14:44:44+02"),
        json!("2020-05-11T14:44:44-0330"),
        json!("2020-05-11T14:44:44Z"),
        json!("2020-05-11T14:44:44z"),
        json!("2020-05-11T14:44:44"),
        json!("2020-05-11T14:44"),
        json!("2020-05-11T14"),
        json!("2020-05-11T"),
        json!("2020-05-11"),
        json!("2020-05"),
        json!("2020"),
        json!("2020-5-11"),
        json!("20200511"),
        json!("2020-05-11T14:44:44.1Z"),
        json!("2020-05-11T14:44:44.123Z"),
        json!("2020-05-11T14:44:44.123456Z"),
        json!("2020-05-11T14:44:44.123456789Z"),
        json!("2020-05-11T14:44:44.1234567890Z"),
        json!("2020-05-11T14:44:44,123+0200"),
        json!("2020-05-11 14:44:44,123"),
        json!("2020-05-11 14:44:44.123"),
        json!("2020-05-11 14:44:44"),
        json!("2020-05-11 14:44:44 +0200"),
        json!("2020-05-11 14:44:44+0200"),
        json!("2020-05-11 14:44:44,123456"),
        json!("2020-05-11T14:44:44 +0200"),
        json!("2020-05-11T14:44:44CEST"),
        json!("2020-05-11T14:44:44+25:00"),
        json!("2020-02-30T14:44:44Z"),
        json!("2020-05-11T24:00:00Z"),
        json!("2020-05-11T14:60:00Z"),
        json!("2020-05-11T14:44:60Z"),
        json!("2020-13-11"),
        json!("May 11 2020"),
        json!(" 2020-05-11"),
        json!("2020-05-11 "),
        json!(""),
        json!(1_589_201_084),
        json!(1_589_201_084.123),
        json!(1_589_201_084.123_456_7),
        json!(1_589_201_084_123_u64),
        json!("1589201084"),
        json!("1589201084.5"),
        json!("1589201084."),
        json!(-1),
        json!(-1.5),
        json!(0),
        json!(0.0),
        json!(1e9),
        json!("1e9"),
        json!(12),
        json!("99999"),
        json!(true),
        json!(null),
        json!([]),
        json!(["2020-05-11", "2021-05-11"]),
        json!({"a": 1}),
    ];
    let mut lines = Vec::new();
    for field in ["second", "millis", "default"] {
        for (at, form) in forms.iter().enumerate() {
            lines.push(json!({"index": {"_index": "dates", "_id": format!("{field}-{at:02}")}}));
            lines.push(json!({field: form}));
        }
    }
    calls.bulk("dates", "/_bulk?refresh=true", &lines);
    for (name, field) in
        [("dates by seconds", "second"), ("dates by milliseconds", "millis"), ("dates by default", "default")]
    {
        calls.json(
            name,
            "POST",
            "/dates/_search",
            &json!({"size": 200, "_source": false, "query": {"exists": {"field": field}}, "sort": [{field: "asc"}, {"_id": "asc"}]}),
        );
    }
    for (name, bounds) in [
        ("range by date", json!({"gte": "2020-05-11", "lt": "2020-05-12"})),
        ("range by date rounded up", json!({"gt": "2020-05-10", "lte": "2020-05-11"})),
        ("range by date math", json!({"gte": "2020-05-11||/M", "lt": "2020-05-11||+1d/d"})),
        ("range by now", json!({"lt": "now-1d/d"})),
        ("range of its own format", json!({"gte": "11.05.2020", "format": "dd.MM.yyyy"})),
        ("range by a wrong date", json!({"gte": "yesterday"})),
        ("range by a number", json!({"gte": 1_589_201_084, "lte": 1_589_201_085})),
        ("range by wrong math", json!({"gte": "now-1x"})),
    ] {
        calls.json(
            name,
            "POST",
            "/dates/_search",
            &json!({"size": 200, "_source": false, "query": {"range": {"second": bounds}}, "sort": ["_id"]}),
        );
    }
}

fn clashes(calls: &mut Calls) {
    // By the engine's own dynamic mapping, and by ekk's template.
    let values = [
        ("whole", json!(1)),
        ("fraction", json!(1.5)),
        ("huge", json!(9_223_372_036_854_775_808_u64)),
        ("flag", json!(true)),
        ("word", json!("word")),
        ("empty", json!("")),
        ("digits", json!("12")),
        ("date", json!("2020-05-11")),
        ("time", json!("2020-05-11T14:44:44Z")),
        ("slashes", json!("2020/05/11")),
        ("list", json!([1, "two"])),
        ("nothing", json!(null)),
        ("none", json!([])),
        ("object", json!({"a": 1})),
        ("objects", json!([{"a": 1}, {"a": "x"}])),
    ];
    for (name, mapping, index) in [
        ("clashes by the engine's own mapping", "mapping after the engine's own clashes", "clash"),
        ("clashes by ekk's template", "mapping after the clashes by ekk's template", "logs-clash"),
    ] {
        let mut lines = Vec::new();
        for (first, value) in &values {
            for (next, other) in &values {
                for one in [value, other] {
                    lines.push(
                        json!({"index": {"_index": index, "_id": format!("{first}-{next}-{}", lines.len() % 4)}}),
                    );
                    lines.push(json!({format!("{first}_{next}"): one}));
                }
            }
        }
        for (id, document) in [
            ("dotted", json!({"a.b": 1, "a": {"c": 2}})),
            ("dot at the end", json!({"dot.": 1})),
            ("dot in front", json!({".dot": 1})),
            ("two dots", json!({"a..b": 1})),
            ("only a dot", json!({".": 1})),
            ("no name", json!({"": 1})),
            ("a blank name", json!({" ": 1})),
            ("deep", json!({"d": {"e": {"f": {"g": [{"h": 1}]}}}})),
            ("meta", json!({"_id": "x"})),
            ("underscore", json!({"_own": 1})),
            ("long text", json!({"long": "x".repeat(40_000)})),
        ] {
            lines.push(json!({"index": {"_index": index, "_id": id}}));
            lines.push(document);
        }
        calls.bulk(name, "/_bulk?refresh=true", &lines);
        calls.bare(mapping, "GET", &format!("/{index}/_mapping"));
    }
}

fn mappings(calls: &mut Calls) {
    let fields = json!({"mappings": {"properties": {
        "byte": {"type": "byte"}, "short": {"type": "short"}, "integer": {"type": "integer"}, "long": {"type": "long"},
        "float": {"type": "float"}, "double": {"type": "double"}, "half_float": {"type": "half_float"},
        "scaled": {"type": "scaled_float", "scaling_factor": 100}, "boolean": {"type": "boolean"}, "ip": {"type": "ip"},
        "keyword": {"type": "keyword", "ignore_above": 5}, "term": {"type": "keyword"}, "text": {"type": "text"},
        "binary": {"type": "binary"}, "point": {"type": "geo_point"}, "object": {"type": "object", "enabled": false},
        "fixed": {"type": "object", "dynamic": "strict"}, "quiet": {"type": "object", "dynamic": false},
        "exact": {"type": "integer", "coerce": false},
    }}});
    calls.json("index of every type", "PUT", "/strict-types", &fields);
    let mut lines = Vec::new();
    for field in [
        "byte",
        "short",
        "integer",
        "long",
        "float",
        "double",
        "half_float",
        "scaled",
        "boolean",
        "ip",
        "keyword",
        "term",
        "text",
        "binary",
        "point",
        "object",
        "fixed",
        "quiet",
        "exact",
    ] {
        for (at, value) in [
            json!(1),
            json!(1.9),
            json!("1.9"),
            json!("x"),
            json!(""),
            json!(true),
            json!("true"),
            json!(300),
            json!(70_000),
            json!(5_000_000_000_u64),
            json!(9_223_372_036_854_775_807_i64),
            json!(-9_223_372_036_854_775_808_i64),
            json!(1e39),
            json!("10.0.0.1"),
            json!("::1"),
            json!("aGVsbG8="),
            json!("52.5,13.4"),
            json!({"lat": 52.5, "lon": 13.4}),
            json!([13.4, 52.5]),
            json!({"lat": 120, "lon": 13.4}),
            json!("x".repeat(40_000)),
            json!({"x": 1}),
            json!([1, 2]),
            json!(null),
        ]
        .into_iter()
        .enumerate()
        {
            lines.push(json!({"index": {"_index": "strict-types", "_id": format!("{field}-{at:02}")}}));
            lines.push(json!({field: value}));
        }
    }
    calls.bulk("values of every type", "/_bulk?refresh=true", &lines);
    for (name, body) in [
        ("mapping with a new field", json!({"properties": {"new": {"type": "date", "format": "epoch_second"}}})),
        ("mapping with another type", json!({"properties": {"long": {"type": "keyword"}}})),
        ("mapping with another format", json!({"properties": {"new": {"type": "date", "format": "epoch_millis"}}})),
        (
            "mapping with an object for a field",
            json!({"properties": {"long": {"properties": {"a": {"type": "long"}}}}}),
        ),
        ("mapping with a field for an object", json!({"properties": {"quiet": {"type": "long"}}})),
        ("mapping with a wrong type", json!({"properties": {"more": {"type": "strange"}}})),
        ("mapping with an unknown key", json!({"x": {}})),
        (
            "mapping with more of a field",
            json!({"properties": {"text": {"type": "text", "fields": {"raw": {"type": "keyword"}}}}}),
        ),
    ] {
        calls.json(name, "PUT", "/strict-types/_mapping", &body);
    }
    calls.json("mapping of an index that is missing, changed", "PUT", "/none/_mapping", &json!({"properties": {}}));
    calls.bare("mapping of every type", "GET", "/strict-types/_mapping");
    calls.json(
        "index of few fields",
        "PUT",
        "/strict-few",
        &json!({"settings": {"index.mapping.total_fields.limit": 2}, "mappings": {"properties": {"a": {"type": "long"}}}}),
    );
    calls.bulk(
        "more fields than allowed",
        "/_bulk",
        &[
            json!({"index": {"_index": "strict-few", "_id": "1"}}),
            json!({"a": 1, "b": 1}),
            json!({"index": {"_index": "strict-few", "_id": "2"}}),
            json!({"a": 1, "b": 1, "c": 1}),
        ],
    );
    calls.json(
        "index that blocks writes",
        "PUT",
        "/strict-few/_settings",
        &json!({"index.blocks.read_only_allow_delete": true}),
    );
    calls.bulk(
        "bulk into a block",
        "/_bulk",
        &[json!({"index": {"_index": "strict-few", "_id": "3"}}), json!({"a": 1})],
    );
    calls.json("document into a block", "PUT", "/strict-few/_doc/3", &json!({"a": 1}));
    calls.json(
        "index that takes writes again",
        "PUT",
        "/strict-few/_settings",
        &json!({"index.blocks.read_only_allow_delete": null}),
    );
    calls.json("document after a block", "PUT", "/strict-few/_doc/3", &json!({"a": 1}));
}

/// What people type: Lucene's query string.
const QUERY_STRINGS: [(&str, &str); 99] = [
    ("query_string: parentheses", "(payment OR connection) AND levelname:ERROR"),
    ("query_string: parentheses, forbidden", "payment AND NOT (refused OR slow)"),
    ("query_string: parentheses that only forbid", "payment AND (NOT refused)"),
    ("query_string: parentheses that only forbid, alone", "(NOT payment)"),
    (
        "query_string: parentheses in parentheses",
        "((payment OR connection) AND (levelname:ERROR OR levelname:INFO)) -expired",
    ),
    ("query_string: signs for AND, OR and NOT", "payment && !refused || connection"),
    ("query_string: a plus", "+payment service"),
    ("query_string: a plus and a minus", "+payment -service -refused"),
    ("query_string: only a minus", "-payment"),
    ("query_string: a minus before a space", "payment - refused"),
    ("query_string: AND before OR", "levelname:INFO OR levelname:ERROR AND payment"),
    ("query_string: a field of several words", "levelname:(INFO OR DEBUG)"),
    ("query_string: a field of several words, side by side", "message:(payment service)"),
    ("query_string: a keyword of several words", "levelname:(INFO DEBUG)"),
    ("query_string: words before an operator", "payment service AND refused"),
    ("query_string: a field in a field", "levelname:(INFO OR message:connection)"),
    ("query_string: a phrase of a field", r#"message:"No connection""#),
    ("query_string: a phrase of a keyword", r#"message.keyword:"payment accepted""#),
    ("query_string: a range", "ms:[3 TO 700]"),
    ("query_string: a range without its ends", "ms:{3 TO 700}"),
    ("query_string: a range of mixed ends", "ms:[3 TO 700}"),
    ("query_string: an open range", "ms:[700 TO *]"),
    ("query_string: a range of everything", "ms:[* TO *]"),
    ("query_string: a range of a keyword", "levelname:[E TO J]"),
    ("query_string: a range of a text", "message:[a TO b]"),
    ("query_string: a range of a text in capitals", "message:[A TO B]"),
    ("query_string: a range of times", r#"asctime:["2020-05-11T12:44:02Z" TO "2020-05-11T12:44:03Z"]"#),
    ("query_string: a range of days", "asctime:[2020-05-11 TO 2020-05-12]"),
    ("query_string: a range of days without the last", "asctime:[2020-05-10 TO 2020-05-11}"),
    ("query_string: a range of no field", "[3 TO 12]"),
    ("query_string: a range without TO", "ms:[3 700]"),
    ("query_string: more than", "ms:>12"),
    ("query_string: at least", "ms:>=12"),
    ("query_string: less than", "ms:<12"),
    ("query_string: at most", "ms:<=12"),
    ("query_string: more than, with spaces", "ms : >12"),
    ("query_string: more than without a field", ">12"),
    ("query_string: more than a day", "asctime:>2020-05-10"),
    ("query_string: a day", "asctime:2020-05-11"),
    ("query_string: a flag", "ok:true"),
    ("query_string: an address", "client.address:10.1.2.3"),
    ("query_string: a range of addresses", "client.address:[10.0.0.0 TO 10.2.0.0]"),
    ("query_string: a wildcard", "message:pay?ent"),
    ("query_string: a wildcard in capitals", "message:PAY*"),
    ("query_string: a wildcard in capitals within", "message:P*T"),
    ("query_string: a wildcard at the beginning", "message:*ment"),
    ("query_string: a wildcard of a keyword", "levelname:?R*"),
    ("query_string: a wildcard of a keyword in small letters", "levelname:err*"),
    ("query_string: a wildcard of no field", "serv*"),
    ("query_string: a star of a number", "ms:7*"),
    ("query_string: a wildcard of a number", "ms:7?0"),
    ("query_string: a star of a field", "user.name:*"),
    ("query_string: a star of a field that is missing", "strange:*"),
    ("query_string: a star of all fields", "*:*"),
    ("query_string: a word of all fields", "*:payment"),
    ("query_string: a pattern of fields", r#"mess\*:payment"#),
    ("query_string: a bare pattern of fields", "mess*:payment"),
    ("query_string: an escaped colon", r#"message.keyword:payment\ refused\:\ card\ expired"#),
    ("query_string: an escaped hyphen", r#"message:payment\-service_2"#),
    ("query_string: an escaped star", r#"message.keyword:payment\*"#),
    ("query_string: an escaped slash", r#"message:\/api\/v1"#),
    ("query_string: an escaped letter", r#"levelname:\u0045RROR"#),
    ("query_string: an escape at the end", r#"payment\"#),
    ("query_string: _exists_ of nothing", "_exists_:strange"),
    ("query_string: _exists_ of an object", "_exists_:user"),
    ("query_string: NOT _exists_", "NOT _exists_:strange"),
    ("query_string: _exists_ in quotes", r#"_exists_:"user.name""#),
    ("query_string: spaces around the colon", "levelname : ERROR"),
    ("query_string: spaces behind the colon", "levelname: ERROR"),
    ("query_string: small and and or", "payment and service"),
    ("query_string: a word with a hyphen", "message:payment-service_2"),
    ("query_string: a host", "message:db-1.example.com"),
    ("query_string: a word that only looks like an operator", "ANDROID"),
    ("query_string: an id", "_id:1"),
    ("query_string: an index", "_index:logs-search"),
    ("query_string: a field that is missing", "strange:x"),
    ("query_string: a number by a word", "ms:x"),
    ("query_string: nothing", ""),
    ("query_string: blanks", "   "),
    ("query_string: AND at the end", "payment AND"),
    ("query_string: AND alone", "AND"),
    ("query_string: OR at the beginning", "OR payment"),
    ("query_string: two operators", "payment OR OR service"),
    ("query_string: NOT at the end", "payment NOT"),
    ("query_string: two NOTs", "NOT NOT payment"),
    ("query_string: a field of nothing", "levelname:"),
    ("query_string: a colon at the beginning", ":ERROR"),
    ("query_string: two colons", "levelname:ERROR:x"),
    ("query_string: a parenthesis that is open", "(payment"),
    ("query_string: a parenthesis too many", "payment)"),
    ("query_string: parentheses of nothing", "()"),
    ("query_string: a field of parentheses that are open", "levelname:(ERROR"),
    ("query_string: a range that is open", "ms:[3 TO 700"),
    ("query_string: a range of one", "ms:[3]"),
    ("query_string: a bracket too many", "ms:3]"),
    ("query_string: a plus behind a colon", "levelname:+ERROR"),
    ("query_string: a minus behind a colon", "ms:-5"),
    ("query_string: a slash", "/api"),
    ("query_string: a boost of nothing", "^2"),
];

fn searches(calls: &mut Calls) {
    let record = |second: u32, level: &str, message: &str, ms: Value| {
        json!({"asctime": format!("2020-05-11T14:44:{second:02}+0200"), "levelname": level, "message": message,
            "ms": ms, "user": {"name": "ada"}, "ok": second.is_multiple_of(2), "client": {"address": "10.1.2.3"}})
    };
    let records = [
        record(1, "INFO", "payment accepted", json!(12)),
        record(2, "ERROR", "payment refused: card expired", json!(700)),
        record(3, "ERROR", "No connection to db-1.example.com", json!(1)),
        record(4, "WARNING", "slow answer of the payment service, payment-service_2", json!(9_000)),
        record(4, "DEBUG", "GET /api/v1/users?id=7", json!(3)),
    ];
    let lines: Vec<Value> = records
        .iter()
        .enumerate()
        .flat_map(|(at, record)| [json!({"index": {"_index": "logs-search", "_id": at.to_string()}}), record.clone()])
        .collect();
    calls.bulk("records to search", "/_bulk?refresh=true", &lines);
    let newest = json!([{"asctime": {"order": "desc", "unmapped_type": "date"}}, {"_id": "asc"}]);
    let page = |query: Value| json!({"query": query, "sort": ["_id"], "size": 50, "_source": false});
    for (name, body) in [
        ("everything", json!({"sort": newest})),
        ("newest two", json!({"sort": newest, "size": 2})),
        ("next two by search_after", json!({"sort": newest, "size": 2, "search_after": [1_589_201_084_000_u64, "3"]})),
        ("search_after without a sort", json!({"search_after": [1]})),
        ("search_after of a wrong length", json!({"sort": newest, "search_after": [1]})),
        ("from", json!({"sort": newest, "from": 3, "size": 2})),
        ("no hits at all", json!({"size": 0, "track_total_hits": true})),
        ("no total", json!({"size": 1, "track_total_hits": false, "sort": newest})),
        ("some fields", json!({"sort": newest, "_source": ["asctime", "user.*"], "size": 1})),
        ("without some fields", json!({"sort": newest, "_source": {"excludes": ["message", "user"]}, "size": 1})),
        ("sorted by text", json!({"sort": [{"message": "asc"}]})),
        ("sorted by what is not mapped", json!({"sort": [{"strange": "asc"}]})),
        (
            "sorted by what may not be mapped",
            json!({"sort": [{"strange": {"order": "asc", "unmapped_type": "long"}}], "size": 0}),
        ),
        ("sorted by a number", json!({"sort": [{"ms": "desc"}]})),
        ("sorted by a keyword", json!({"sort": ["message.keyword"]})),
        ("sorted by a flag", json!({"sort": [{"ok": "asc"}, "_id"]})),
        ("sorted by an address", json!({"sort": ["client.address", "_id"]})),
        ("sorted by _doc", json!({"sort": ["_doc"]})),
        ("a window that is too large", json!({"from": 9_999, "size": 2})),
        ("a size in words", json!({"size": "many"})),
        ("a negative size", json!({"size": -1})),
        ("an unknown key", json!({"strange": 1})),
        ("an unknown query", json!({"query": {"strange": {}}})),
        ("an empty query", json!({"query": {}})),
        ("two queries", json!({"query": {"match_all": {}, "match_none": {}}})),
        ("a query that is a text", json!({"query": "x"})),
    ] {
        calls.json(name, "POST", "/logs-search/_search", &body);
    }
    for (name, query) in [
        ("match", json!({"match": {"message": "payment service"}})),
        ("match of all words", json!({"match": {"message": {"query": "payment service", "operator": "and"}}})),
        ("match of a number by a word", json!({"match": {"ms": "x"}})),
        ("match_phrase", json!({"match_phrase": {"message": "card expired"}})),
        ("match_phrase over a host", json!({"match_phrase": {"message": "db-1.example.com"}})),
        ("match_phrase_prefix", json!({"match_phrase_prefix": {"message": "card exp"}})),
        ("multi_match", json!({"multi_match": {"query": "ERROR", "fields": ["levelname", "message"]}})),
        ("term", json!({"term": {"levelname": "ERROR"}})),
        ("term in other letters", json!({"term": {"levelname": "error"}})),
        ("term of a text", json!({"term": {"message": "No"}})),
        ("term of a text in small letters", json!({"term": {"message": "no"}})),
        ("term of a flag", json!({"term": {"ok": true}})),
        ("term of an address", json!({"term": {"client.address": "10.1.2.3"}})),
        ("term of a number by a word", json!({"term": {"ms": "x"}})),
        ("term of a time", json!({"term": {"asctime": "2020-05-11T12:44:44Z"}})),
        ("terms", json!({"terms": {"levelname": ["ERROR", "WARNING"]}})),
        ("ids", json!({"ids": {"values": ["1", "4", "9"]}})),
        ("exists", json!({"exists": {"field": "user.name"}})),
        ("exists of an object", json!({"exists": {"field": "user"}})),
        ("exists of nothing", json!({"exists": {"field": "strange"}})),
        ("prefix", json!({"prefix": {"levelname": "ERR"}})),
        ("wildcard", json!({"wildcard": {"message.keyword": "*payment*"}})),
        ("range of a number", json!({"range": {"ms": {"gte": 3, "lt": 700}}})),
        ("range of a keyword", json!({"range": {"levelname": {"gte": "E", "lt": "J"}}})),
        ("range of an address", json!({"range": {"client.address": {"gte": "10.0.0.0", "lt": "10.2.0.0"}}})),
        (
            "range of times",
            json!({"range": {"asctime": {"gte": "2020-05-11T12:44:02Z", "lt": "2020-05-11T12:44:04Z"}}}),
        ),
        (
            "bool",
            json!({"bool": {"must": [{"match": {"message": "payment"}}], "must_not": [{"term": {"levelname": "INFO"}}],
                "filter": [{"range": {"asctime": {"gte": "2020-05-11T12:44:00Z"}}}]}}),
        ),
        (
            "bool of one of two",
            json!({"bool": {"should": [{"term": {"levelname": "INFO"}}, {"term": {"levelname": "DEBUG"}}]}}),
        ),
        (
            "bool of one of two, which must be",
            json!({"bool": {"filter": [{"match_all": {}}], "minimum_should_match": 1, "should": [{"term": {"levelname": "INFO"}}]}}),
        ),
        ("bool with an unknown key", json!({"bool": {"strange": []}})),
        ("query_string", json!({"query_string": {"query": "payment"}})),
        ("query_string over two words", json!({"query_string": {"query": "payment service"}})),
        (
            "query_string over two words, both",
            json!({"query_string": {"query": "payment service", "default_operator": "AND"}}),
        ),
        ("query_string with a field", json!({"query_string": {"query": "levelname:ERROR AND message:payment"}})),
        ("query_string with OR", json!({"query_string": {"query": "levelname:INFO OR levelname:DEBUG"}})),
        ("query_string with NOT", json!({"query_string": {"query": "payment AND NOT levelname:ERROR"}})),
        ("query_string with a minus", json!({"query_string": {"query": "payment -refused"}})),
        ("query_string with a phrase", json!({"query_string": {"query": "message:\"card expired\""}})),
        ("query_string with a star", json!({"query_string": {"query": "mess*:pay* AND levelname:E*"}})),
        ("query_string of a number", json!({"query_string": {"query": "ms:700"}})),
        ("query_string of everything", json!({"query_string": {"query": "*"}})),
        ("query_string with _exists_", json!({"query_string": {"query": "_exists_:user.name"}})),
        (
            "query_string with a default field",
            json!({"query_string": {"query": "accepted", "default_field": "message"}}),
        ),
        ("query_string with an open quote", json!({"query_string": {"query": "\"open"}})),
        ("query_string without a query", json!({"query_string": {}})),
        ("simple_query_string", json!({"simple_query_string": {"query": "payment", "fields": ["message"]}})),
    ] {
        calls.json(name, "POST", "/logs-search/_search", &page(query));
    }
    for (name, text) in QUERY_STRINGS {
        calls.json(name, "POST", "/logs-search/_search", &page(json!({"query_string": {"query": text}})));
    }
    for (name, options) in [
        ("query_string where all are needed, with OR", json!({"query": "payment service OR refused"})),
        ("query_string where all are needed, with a plus behind OR", json!({"query": "payment OR +refused"})),
        (
            "query_string where all are needed, in parentheses",
            json!({"query": "levelname:ERROR (payment OR connection)"}),
        ),
        ("query_string where all are needed, of a word with a hyphen", json!({"query": "message:payment-accepted"})),
        ("query_string where all are needed, with NOT", json!({"query": "payment NOT refused"})),
        ("query_string that is lenient", json!({"query": "ms:x OR levelname:INFO", "lenient": true})),
        ("query_string where all are needed, over two fields", json!({"query": "ERROR payment"})),
        ("query_string where all are needed, beside a field", json!({"query": "slow answer levelname:WARNING"})),
        ("query_string where all are needed, before an operator", json!({"query": "card payment AND levelname:ERROR"})),
        ("query_string where all are needed, around NOT", json!({"query": "slow service NOT refused payment"})),
        ("query_string of a number by a word, strictly", json!({"query": "ms:x", "lenient": false})),
        ("query_string with a wildcard of a number, strictly", json!({"query": "ms:7*", "lenient": false})),
        ("query_string of a number by a word, beside a field", json!({"query": "ms:x", "default_field": "message"})),
        (
            "query_string with a wildcard of a number, beside a field",
            json!({"query": "ms:7*", "default_field": "message"}),
        ),
        ("query_string of some fields", json!({"query": "ERROR payment", "fields": ["message", "levelname"]})),
        (
            "query_string of some fields with a range",
            json!({"query": "[E TO J]", "fields": ["levelname", "message.keyword"]}),
        ),
    ] {
        let mut options = options;
        if name.contains("all are needed") || name.contains("some fields") {
            options["default_operator"] = json!("AND");
        }
        calls.json(name, "POST", "/logs-search/_search", &page(json!({"query_string": options})));
    }
    for (name, text) in [
        ("query_string with a fuzzy word", "paymnt~"),
        ("query_string with a boost", "payment^2"),
        ("query_string with a regular expression", "message:/pay.*/"),
        ("query_string with a loose phrase", "\"payment service\"~5"),
    ] {
        calls.json(name, "POST", "/logs-search/_search", &page(json!({"query_string": {"query": text}})));
    }
    calls.raw("search in half a JSON", "POST", "/logs-search/_search", JSON, "{\"query\": ");
    calls.raw("search as plain text", "POST", "/logs-search/_search", Some("text/plain"), "{}");
    calls.bare(
        "search by its address",
        "GET",
        "/logs-search/_search?q=levelname:ERROR&sort=asctime:desc&size=1&_source=levelname",
    );
    calls.bare("search by an address with an unknown parameter", "GET", "/logs-search/_search?strange=1");
    calls.bare("total as a number", "GET", "/logs-search/_search?rest_total_hits_as_int=true&size=0");
    // As `ekk` copies an index: page by page, shard by shard, with nothing in the body of a GET.
    let by_number = json!({"query": {"range": {"_seq_no": {"gt": 1}}}, "sort": [{"_seq_no": {"order": "asc"}}]});
    calls.json("search by sequence number", "POST", "/logs-search/_search", &by_number);
    let source: String = by_number.to_string().bytes().fold(String::new(), |text, byte| text + &format!("%{byte:02X}"));
    let target = format!("/logs-search/_search?source={source}");
    calls.bare(
        "search by source",
        "GET",
        &format!("{target}&source_content_type=application/json&preference=_shards:0"),
    );
    calls.bare("search by source of no type", "GET", &target);
    calls.bare("search of a shard that is missing", "GET", "/logs-search/_search?preference=_shards:7");
    calls.json("count of a query", "POST", "/logs-search/_count", &json!({"query": {"term": {"levelname": "ERROR"}}}));
    calls.json("count with an unknown key", "POST", "/logs-search/_count", &json!({"size": 1}));
    calls.bare("search of two indexes", "GET", "/logs-search,plain-1/_count");
    calls.bare("search of some of the indexes", "GET", "/logs-s*,-plain-*/_count");
    calls.bare("fields", "GET", "/logs-search/_field_caps?fields=*");
    calls.bare("one field", "GET", "/logs-*/_field_caps?fields=levelname,strange");
    calls.bare(
        "part of an answer",
        "GET",
        "/logs-search/_search?filter_path=hits.total.value,hits.hits._id&size=1&sort=asctime",
    );
}

fn ends(calls: &mut Calls) {
    calls.bare(
        "cat in the end",
        "GET",
        "/_cat/indices/logs-search,plain-1?format=json&bytes=b&h=index,health,status,pri,rep,docs.count",
    );
    calls.bare("statistics", "GET", "/logs-search/_stats?filter_path=_all.primaries.docs,indices.*.total.docs");
    calls.bare("refresh", "POST", "/logs-search/_refresh");
    calls.bare("indexes deleted by pattern", "DELETE", "/logs-*");
    calls.bare("health after all", "GET", "/_cluster/health?wait_for_status=green&timeout=10s");
}
