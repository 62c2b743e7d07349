use http::Method;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Ask, Data, Engine, ExplicitIndex};

struct Domain {
    data: Data,
    version: &'static str,
    nodes: i64,
    now: Timestamp,
}

impl Domain {
    fn new(version: &'static str) -> Self {
        Self { data: Data::default(), version, nodes: 1, now: "2026-11-23T12:00:00Z".parse().unwrap() }
    }

    fn ask_raw(&mut self, method: Method, path_and_query: &str, body: &str) -> (u16, Value) {
        let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
        let query = crate::request::decode_pairs(query);
        let now = self.now;
        let mut engine = Engine {
            data: &mut self.data,
            scope: "eu-west-1/logs/".to_owned(),
            version: self.version.parse().unwrap(),
            data_nodes: self.nodes,
            disk_bytes: 10 << 30,
            cluster_name: "000000000000:logs".to_owned(),
            refresh_scale: 1.0,
            explicit_index: ExplicitIndex::Allowed,
            claims_elasticsearch: false,
        };
        let media_type = (!body.is_empty()).then_some("application/json");
        let ask = Ask { method: &method, path, query: &query, media_type, body: body.as_bytes() };
        let response = engine.handle(ask, now);
        let body = serde_json::from_slice(&response.body).unwrap_or(Value::Null);
        (response.status, body)
    }

    fn get(&mut self, path: &str) -> (u16, Value) {
        self.ask_raw(Method::GET, path, "")
    }

    fn put(&mut self, path: &str, body: &Value) -> (u16, Value) {
        self.ask_raw(Method::PUT, path, &body.to_string())
    }

    fn post(&mut self, path: &str, body: &Value) -> (u16, Value) {
        self.ask_raw(Method::POST, path, &body.to_string())
    }

    /// Writes one document and returns its item's error, if any.
    fn index(&mut self, index: &str, document: &Value) -> Option<Value> {
        let body = format!("{{\"index\":{{\"_index\":\"{index}\"}}}}\n{document}\n");
        let (status, answer) = self.ask_raw(Method::POST, "/_bulk?refresh=true", &body);
        assert_eq!(status, 200, "{answer}");
        let item = &answer["items"][0]["index"];
        assert_eq!(answer["errors"], json!(item.get("error").is_some()));
        item.get("error").cloned()
    }

    fn found(&mut self, query: &Value) -> Vec<String> {
        let body = json!({"query": query, "sort": [{"_id": "asc"}], "size": 100});
        let (status, answer) = self.post("/logs/_search", &body);
        assert_eq!(status, 200, "{answer}");
        answer["hits"]["hits"].as_array().unwrap().iter().map(|hit| hit["_id"].as_str().unwrap().to_owned()).collect()
    }

    fn seed(&mut self, documents: &[(&str, Value)]) {
        for (id, document) in documents {
            let (status, answer) = self.put(&format!("/logs/_doc/{id}?refresh=true"), document);
            assert!(status < 300, "{answer}");
        }
    }
}

/// The template that the product writes for its index.
fn template() -> Value {
    json!({"index_patterns": ["logs", "logs-*"], "priority": 100, "template": {
        "settings": {"number_of_shards": 1, "number_of_replicas": 0},
        "mappings": {"date_detection": false, "_meta": {"ekk": "logs"},
            "dynamic_templates": [
                {"whole": {"match_mapping_type": "long", "mapping": {"type": "long", "ignore_malformed": true}}},
                {"fraction": {"match_mapping_type": "double", "mapping": {"type": "double", "ignore_malformed": true}}}],
            "properties": {"asctime": {"type": "date",
                "format": "strict_date_optional_time||yyyy-MM-dd HH:mm:ss,SSS||yyyy-MM-dd HH:mm:ss||epoch_second"}}}}})
}

fn kind(error: Option<&Value>) -> &str {
    error.and_then(|error| error["type"].as_str()).unwrap_or("none")
}

#[test]
fn the_greeting_names_the_engine() {
    let (_, opensearch) = Domain::new("OpenSearch_2.19").get("/");
    assert_eq!(
        (&opensearch["version"]["distribution"], &opensearch["version"]["number"]),
        (&json!("opensearch"), &json!("2.19.0"))
    );
    let (_, elasticsearch) = Domain::new("Elasticsearch_7.10").get("/");
    assert_eq!(elasticsearch["tagline"], "You Know, for Search");
    assert_eq!(elasticsearch["version"].get("distribution"), None);
}

#[test]
fn one_node_with_a_replica_is_yellow_and_without_is_green() {
    let mut domain = Domain::new("OpenSearch_2.19");
    assert_eq!(domain.get("/_cluster/health").1["status"], "green");
    domain.put("/a", &json!({"settings": {"number_of_replicas": 1}}));
    assert_eq!(domain.get("/_cluster/health").1["status"], "yellow");
    domain.nodes = 2;
    assert_eq!(domain.get("/_cluster/health/a").1["status"], "green");
    domain.nodes = 1;
    domain.put("/b", &json!({"settings": {"index": {"number_of_replicas": "0"}}}));
    assert_eq!(domain.get("/_cluster/health/b").1["status"], "green");
    assert_eq!(domain.get("/_cluster/health/b?wait_for_status=green").0, 200);
    assert_eq!(domain.get("/_cluster/health?wait_for_status=green").0, 408);
}

#[test]
fn a_template_comes_back_with_its_settings_as_strings_under_index() {
    let mut domain = Domain::new("OpenSearch_2.19");
    assert_eq!(domain.put("/_index_template/ekk-logs", &template()), (200, json!({"acknowledged": true})));
    let (status, answer) = domain.get("/_index_template/ekk-logs");
    assert_eq!(status, 200);
    let stored = &answer["index_templates"][0];
    assert_eq!(stored["name"], "ekk-logs");
    assert_eq!(
        stored["index_template"]["template"]["settings"],
        json!({"index": {"number_of_shards": "1", "number_of_replicas": "0"}})
    );
    assert_eq!(stored["index_template"]["template"]["mappings"], template()["template"]["mappings"]);
    assert_eq!(stored["index_template"]["composed_of"], json!([]));
}

#[test]
fn a_template_that_is_missing_is_a_404_for_get_and_delete() {
    let mut domain = Domain::new("OpenSearch_2.19");
    let (status, answer) = domain.get("/_index_template/x");
    assert_eq!((status, &answer["error"]["type"]), (404, &json!("resource_not_found_exception")));
    let (status, answer) = domain.ask_raw(Method::DELETE, "/_index_template/x", "");
    assert_eq!((status, &answer["error"]["type"]), (404, &json!("index_template_missing_exception")));
}

#[test]
fn overlapping_templates_of_one_priority_are_refused() {
    let mut domain = Domain::new("OpenSearch_2.19");
    domain.put("/_index_template/a", &json!({"index_patterns": ["logs-*"], "priority": 100}));
    let (status, answer) = domain.put("/_index_template/b", &json!({"index_patterns": ["logs-a*"], "priority": 100}));
    assert_eq!(status, 400);
    assert!(answer["error"]["reason"].as_str().unwrap().contains("that have the same priority [100]"), "{answer}");
    let higher = json!({"index_patterns": ["logs-a*"], "priority": 101});
    assert_eq!(domain.put("/_index_template/b", &higher).0, 200);
}

#[test]
fn a_template_with_an_unknown_key_setting_type_or_parameter_is_refused() {
    for wrong in [
        json!({"index_patterns": ["a"], "prority": 1}),
        json!({"index_patterns": ["a"], "template": {"settings": {"number_of_shard": 1}}}),
        json!({"index_patterns": ["a"], "template": {"settings": {"number_of_replicas": -1}}}),
        json!({"index_patterns": ["a"], "template": {"mappings": {"properties": {"x": {"type": "dat"}}}}}),
        json!({"index_patterns": ["a"], "template": {"mappings": {"properties": {"x": {"type": "date", "fromat": "y"}}}}}),
        json!({"index_patterns": ["a"], "template": {"mappings": {"properties": {"x": {"type": "date", "format": "asctime"}}}}}),
        json!({"index_patterns": ["a"], "template": {"mappings": {"date_detections": false}}}),
        json!({"index_patterns": ["_a-*"]}),
        json!({"index_patterns": []}),
    ] {
        let mut domain = Domain::new("OpenSearch_2.19");
        let (status, answer) = domain.put("/_index_template/t", &wrong);
        assert_eq!(status, 400, "{wrong} gave {answer}");
        assert_eq!(domain.get("/_index_template/t").0, 404);
    }
}

#[test]
fn composable_templates_begin_with_elasticsearch_7_8() {
    let mut old = Domain::new("Elasticsearch_7.7");
    assert_eq!(old.put("/_index_template/t", &template()).0, 405);
    assert_eq!(Domain::new("Elasticsearch_7.8").put("/_index_template/t", &template()).0, 200);
    let legacy = json!({"index_patterns": ["logs*"], "order": 1, "settings": {"number_of_shards": 1}});
    assert_eq!(old.put("/_template/t", &legacy).0, 200);
    let (_, stored) = old.get("/_template/t");
    assert_eq!(stored["t"]["settings"], json!({"index": {"number_of_shards": "1"}}));
    assert_eq!(old.get("/_template/missing"), (404, json!({})));
}

#[test]
fn a_composable_template_beats_all_legacy_ones() {
    let mut domain = Domain::new("OpenSearch_2.19");
    domain.put(
        "/_template/old",
        &json!({"index_patterns": ["logs*"], "order": 999, "settings": {"number_of_replicas": 2}}),
    );
    domain.put("/logs-legacy", &json!({}));
    domain.put("/_index_template/new", &template());
    domain.put("/logs-new", &json!({}));
    let (_, settings) = domain.get("/logs-*/_settings");
    assert_eq!(settings["logs-legacy"]["settings"]["index"]["number_of_replicas"], "2");
    assert_eq!(settings["logs-new"]["settings"]["index"]["number_of_replicas"], "0");
}

#[test]
fn a_template_acts_on_new_indexes_only() {
    let mut domain = Domain::new("OpenSearch_2.19");
    domain.index("logs-1", &json!({"asctime": "2020-05-11 14:44:44,123"}));
    domain.put("/_index_template/t", &template());
    domain.index("logs-2", &json!({"asctime": "2020-05-11 14:44:44,123"}));
    let (_, mappings) = domain.get("/_mapping");
    assert_eq!(mappings["logs-1"]["mappings"]["properties"]["asctime"]["type"], "text");
    assert_eq!(mappings["logs-2"]["mappings"]["properties"]["asctime"]["type"], "date");
}

#[test]
fn iso_asctime_maps_itself_to_a_date_and_python_s_default_to_text() {
    let mut domain = Domain::new("OpenSearch_2.19");
    domain.index("a", &json!({"asctime": "2020-05-11T14:44:44+0200"}));
    domain.index("b", &json!({"asctime": "2020-05-11 14:44:44,123"}));
    let (_, mappings) = domain.get("/_mapping");
    assert_eq!(mappings["a"]["mappings"]["properties"]["asctime"], json!({"type": "date"}));
    assert_eq!(
        mappings["b"]["mappings"]["properties"]["asctime"],
        json!({"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 256}}})
    );
}

#[test]
fn the_four_forms_of_asctime_sort_right() {
    let mut domain = Domain::new("OpenSearch_2.19");
    domain.put("/_index_template/t", &template());
    domain.seed(&[
        ("4", json!({"asctime": 1_589_208_287.5})),
        ("1", json!({"asctime": "2020-05-11 14:44:44,123"})),
        ("3", json!({"asctime": "2020-05-11T16:44:46+0200"})),
        ("2", json!({"asctime": "2020-05-11 14:44:45"})),
    ]);
    let (_, answer) = domain.post("/logs/_search", &json!({"sort": [{"asctime": "desc"}]}));
    let hits = answer["hits"]["hits"].as_array().unwrap();
    let ids: Vec<_> = hits.iter().map(|hit| hit["_id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["4", "3", "2", "1"]);
    assert_eq!(hits[0]["sort"], json!([1_589_208_287_500_i64]));
}

#[test]
fn an_unparsable_asctime_is_a_400_for_that_record_only() {
    let mut domain = Domain::new("OpenSearch_2.19");
    domain.put("/_index_template/t", &template());
    let body = "{\"index\":{\"_index\":\"logs\",\"_id\":\"1\"}}\n{\"asctime\":\"soon\"}\n\
                {\"index\":{\"_index\":\"logs\",\"_id\":\"2\"}}\n{\"asctime\":\"2020-05-11T14:44:44Z\"}\n";
    let (status, answer) = domain.ask_raw(Method::POST, "/_bulk", body);
    assert_eq!((status, &answer["errors"]), (200, &json!(true)));
    let failed = &answer["items"][0]["index"];
    assert_eq!(failed["status"], 400);
    assert_eq!(failed["error"]["type"], "mapper_parsing_exception");
    assert_eq!(
        failed["error"]["reason"],
        "failed to parse field [asctime] of type [date] in document with id '1'. Preview of field's value: 'soon'"
    );
    assert_eq!(failed["error"]["caused_by"]["type"], "illegal_argument_exception");
    assert_eq!(answer["items"][1]["index"]["status"], 201);
}

#[test]
fn a_word_in_a_number_field_keeps_its_record_where_malformed_values_are_ignored() {
    let mut domain = Domain::new("OpenSearch_2.19");
    domain.put("/_index_template/t", &template());
    assert_eq!(domain.index("logs", &json!({"n": 1})), None);
    assert_eq!(domain.index("logs", &json!({"n": "many"})), None);
    assert_eq!(domain.found(&json!({"range": {"n": {"gte": 0}}})).len(), 1);
    assert_eq!(domain.found(&json!({"match_all": {}})).len(), 2);
}

#[test]
fn without_a_template_the_first_record_decides_and_later_ones_are_lost() {
    let mut domain = Domain::new("OpenSearch_2.19");
    domain.index("logs", &json!({"order": "2020-05-11", "n": 1, "extra": "text", "deep": {"a": 1}}));
    for lost in [
        json!({"order": "A-17"}),
        json!({"n": "many"}),
        json!({"extra": {"a": 1}}),
        json!({"deep": "flat"}),
        json!({"deep": {"a": "x"}}),
    ] {
        let error = domain.index("logs", &lost);
        assert_eq!(kind(error.as_ref()), "mapper_parsing_exception", "{lost}");
    }
    assert_eq!(domain.found(&json!({"match_all": {}})).len(), 1);
}

#[test]
fn ignore_malformed_saves_neither_text_against_object_nor_number_against_object() {
    let mut domain = Domain::new("OpenSearch_2.19");
    domain.put("/_index_template/t", &template());
    domain.index("logs", &json!({"extra": "text", "n": 1}));
    assert_eq!(kind(domain.index("logs", &json!({"extra": {"a": 1}})).as_ref()), "mapper_parsing_exception");
    assert_eq!(kind(domain.index("logs", &json!({"n": {"a": 1}})).as_ref()), "mapper_parsing_exception");
}

#[test]
fn the_index_setting_ignore_malformed_wins_over_the_field_on_opensearch_2_19_only() {
    let index = json!({
        "settings": {"index.mapping.ignore_malformed": true},
        "mappings": {"properties": {"asctime": {"type": "date", "ignore_malformed": false}}},
    });
    for (version, outcome) in [
        ("OpenSearch_2.19", "none"),
        ("OpenSearch_1.3", "mapper_parsing_exception"),
        ("Elasticsearch_7.10", "mapper_parsing_exception"),
    ] {
        let mut domain = Domain::new(version);
        assert_eq!(domain.put("/logs", &index).0, 200);
        assert_eq!(kind(domain.index("logs", &json!({"asctime": "soon"})).as_ref()), outcome, "{version}");
    }
}

#[test]
fn a_refused_record_adds_no_field() {
    let mut domain = Domain::new("OpenSearch_2.19");
    domain.put("/logs", &json!({"mappings": {"properties": {"n": {"type": "long"}}}}));
    assert_eq!(kind(domain.index("logs", &json!({"a_new_one": 1, "n": "x"})).as_ref()), "mapper_parsing_exception");
    let (_, mapping) = domain.get("/logs/_mapping");
    assert_eq!(mapping["logs"]["mappings"], json!({"properties": {"n": {"type": "long"}}}));
}

#[test]
fn the_limit_of_fields_refuses_the_record_that_exceeds_it() {
    let mut domain = Domain::new("OpenSearch_2.19");
    domain.put("/logs", &json!({"settings": {"index.mapping.total_fields.limit": 2}}));
    assert_eq!(domain.index("logs", &json!({"a": 1, "b": 2})), None);
    let error = domain.index("logs", &json!({"c": 3})).unwrap();
    assert_eq!(error["reason"], "Limit of total fields [2] has been exceeded");
}

#[test]
fn strict_and_switched_off_dynamic_mapping_are_kept() {
    let mut domain = Domain::new("OpenSearch_2.19");
    domain.put("/a", &json!({"mappings": {"dynamic": "strict"}}));
    domain.put("/b", &json!({"mappings": {"dynamic": false}}));
    assert_eq!(kind(domain.index("a", &json!({"x": 1})).as_ref()), "strict_dynamic_mapping_exception");
    assert_eq!(domain.index("b", &json!({"x": 1})), None);
    assert_eq!(domain.get("/b/_mapping").1["b"]["mappings"], json!({"dynamic": "false"}));
}

#[test]
fn numbers_out_of_range_and_addresses_that_are_none_are_refused() {
    let mut domain = Domain::new("OpenSearch_2.19");
    domain.put("/logs", &json!({"mappings": {"properties": {"i": {"type": "integer"}, "l": {"type": "long"}, "ip": {"type": "ip"}, "b": {"type": "boolean"}}}}));
    for wrong in [
        json!({"i": 2_147_483_648_i64}),
        json!({"l": 9_223_372_036_854_775_808_u64}),
        json!({"ip": "here"}),
        json!({"b": "yes"}),
    ] {
        assert_eq!(kind(domain.index("logs", &wrong).as_ref()), "mapper_parsing_exception", "{wrong}");
    }
    for right in [
        json!({"i": "17"}),
        json!({"i": 1.9}),
        json!({"l": i64::MAX}),
        json!({"ip": "::1"}),
        json!({"b": "true"}),
        json!({"i": null}),
    ] {
        assert_eq!(domain.index("logs", &right), None, "{right}");
    }
}

#[test]
fn a_field_keeps_its_type() {
    let mut domain = Domain::new("OpenSearch_2.19");
    domain.put("/logs", &json!({"mappings": {"properties": {"a": {"type": "keyword"}}}}));
    let (status, answer) = domain.put("/logs/_mapping", &json!({"properties": {"a": {"type": "date"}}}));
    assert_eq!(
        (status, answer["error"]["reason"].as_str().unwrap()),
        (400, "mapper [a] cannot be changed from type [keyword] to [date]")
    );
    assert_eq!(domain.put("/logs/_mapping", &json!({"properties": {"b": {"type": "date"}}})).0, 200);
}

#[test]
fn queries_find_what_they_say() {
    let mut domain = Domain::new("OpenSearch_2.19");
    domain.put("/_index_template/t", &template());
    domain.seed(&[
        ("1", json!({"asctime": "2020-05-11T14:44:44Z", "levelname": "ERROR", "message": "Disk is full", "n": 1})),
        ("2", json!({"asctime": "2020-05-12T14:44:44Z", "levelname": "INFO", "message": "disk checked", "n": 2, "user": {"name": "anna"}})),
        ("3", json!({"asctime": "2026-11-23T11:00:00Z", "levelname": "INFO", "message": "all fine", "n": 3.5})),
    ]);
    for (query, ids) in [
        (json!({"match": {"message": "DISK"}}), vec!["1", "2"]),
        (json!({"match": {"message": {"query": "disk full", "operator": "and"}}}), vec!["1"]),
        (json!({"match_phrase": {"message": "is full"}}), vec!["1"]),
        (json!({"term": {"levelname.keyword": "INFO"}}), vec!["2", "3"]),
        (json!({"term": {"levelname": "INFO"}}), vec![]),
        (json!({"terms": {"levelname.keyword": ["ERROR", "FATAL"]}}), vec!["1"]),
        (json!({"range": {"asctime": {"gte": "2020-05-12", "lte": "2020-05-12"}}}), vec!["2"]),
        (json!({"range": {"asctime": {"gte": "now-2h"}}}), vec!["3"]),
        (json!({"range": {"n": {"gt": 1, "lt": 3}}}), vec!["2"]),
        (json!({"exists": {"field": "user"}}), vec!["2"]),
        (json!({"exists": {"field": "user.name"}}), vec!["2"]),
        (json!({"ids": {"values": ["1", "3"]}}), vec!["1", "3"]),
        (json!({"prefix": {"levelname.keyword": "ER"}}), vec!["1"]),
        (json!({"bool": {"must": [{"match": {"message": "disk"}}], "must_not": {"term": {"n": 1}}}}), vec!["2"]),
        (json!({"bool": {"should": [{"term": {"n": 1}}, {"term": {"n": 2}}]}}), vec!["1", "2"]),
        (json!({"query_string": {"query": "levelname:ERROR OR message:fine"}}), vec!["1", "3"]),
        (json!({"query_string": {"query": "disk AND NOT full"}}), vec!["2"]),
        (json!({"query_string": {"query": "disk full", "default_operator": "and"}}), vec!["1"]),
        (json!({"query_string": {"query": "full OR fine", "default_operator": "and"}}), vec!["1", "3"]),
        (json!({"query_string": {"query": "disk NOT full", "default_operator": "and"}}), vec!["2"]),
        (json!({"query_string": {"query": "full fine AND disk"}}), vec![]),
        (json!({"simple_query_string": {"query": "\"is full\"", "fields": ["message"]}}), vec!["1"]),
    ] {
        assert_eq!(domain.found(&query), ids, "{query}");
    }
}

#[test]
fn a_query_string_finds_what_people_type() {
    let mut domain = Domain::new("OpenSearch_2.19");
    domain.put("/_index_template/t", &template());
    domain.seed(&[
        ("1", json!({"asctime": "2020-05-11T14:44:44Z", "levelname": "ERROR", "message": "Disk is full", "n": 1})),
        ("2", json!({"asctime": "2020-05-12T14:44:44Z", "levelname": "INFO", "message": "disk checked", "n": 2, "user": {"name": "anna"}})),
        ("3", json!({"asctime": "2026-11-23T11:00:00Z", "levelname": "WARNING", "message": "all fine: *", "n": 3.5})),
    ]);
    for (text, ids) in [
        ("(disk OR fine) AND NOT full", vec!["2", "3"]),
        ("disk && !(checked || fine)", vec!["1"]),
        ("levelname:(ERROR OR INFO)", vec!["1", "2"]),
        ("levelname.keyword:(ERROR INFO)", vec![]),
        ("levelname : ERROR", vec!["1"]),
        ("message:\"is full\"", vec!["1"]),
        ("n:[1 TO 2]", vec!["1", "2"]),
        ("n:{1 TO 3}", vec!["2"]),
        ("n:>=2", vec!["2", "3"]),
        ("n:<2", vec!["1"]),
        ("asctime:>2020-05-11", vec!["2", "3"]),
        ("message:[A TO CH]", vec!["3"]),
        ("_exists_:user.name", vec!["2"]),
        ("user.name:*", vec!["2"]),
        ("message:CH*ED", vec!["2"]),
        ("message:f?ne", vec!["3"]),
        ("message.keyword:all\\ fine\\:\\ \\*", vec!["3"]),
        ("+disk -checked", vec!["1"]),
        ("(NOT disk)", vec!["3"]),
        ("n:x", vec![]),
    ] {
        assert_eq!(domain.found(&json!({"query_string": {"query": text}})), ids, "{text}");
    }
    // All words are needed in one field.
    for (text, ids) in [("ERROR full", vec![]), ("ERROR AND full", vec!["1"]), ("is full", vec!["1"])] {
        let query = json!({"query_string": {"query": text, "default_operator": "and"}});
        assert_eq!(domain.found(&query), ids, "{text}");
    }
    let (status, answer) =
        domain.post("/logs/_search", &json!({"query": {"query_string": {"query": "n:x", "lenient": false}}}));
    assert_eq!((status, &answer["error"]["type"]), (400, &json!("search_phase_execution_exception")));
}

#[test]
fn an_unknown_query_or_search_key_is_refused() {
    let mut domain = Domain::new("OpenSearch_2.19");
    domain.put("/logs", &json!({}));
    for wrong in [
        json!({"query": {"fuzzy": {"a": "b"}}}),
        json!({"aggs": {}}),
        json!({"query": {"match": {"a": {"query": "b", "analyser": "x"}}}}),
        json!({"query": {"term": {"a": 1, "b": 2}}}),
        json!({"query": {"match_all": {}, "match_none": {}}}),
    ] {
        assert_eq!(domain.post("/logs/_search", &wrong).0, 400, "{wrong}");
    }
    assert_eq!(domain.get("/logs/_search?siz=1").0, 400);
}

#[test]
fn sorting_by_text_is_refused() {
    let mut domain = Domain::new("OpenSearch_2.19");
    domain.seed(&[("1", json!({"asctime": "2020-05-11 14:44:44,123"}))]);
    let (status, answer) = domain.post("/logs/_search", &json!({"sort": ["asctime"]}));
    assert_eq!((status, &answer["error"]["caused_by"]["type"]), (400, &json!("illegal_argument_exception")));
    assert_eq!(domain.post("/logs/_search", &json!({"sort": ["missing"]})).0, 400);
}

#[test]
fn a_search_pages_counts_and_filters_the_source() {
    let mut domain = Domain::new("OpenSearch_2.19");
    for number in 0..5 {
        domain.seed(&[(number.to_string().as_str(), json!({"n": number, "a": {"b": 1, "c": 2}}))]);
    }
    let (_, answer) = domain.post(
        "/logs/_search",
        &json!({"from": 1, "size": 2, "sort": [{"n": "desc"}], "_source": ["n", "a.b"], "track_total_hits": 3}),
    );
    let hits = &answer["hits"];
    assert_eq!(hits["total"], json!({"value": 3, "relation": "gte"}));
    assert_eq!(hits["hits"][0]["_source"], json!({"n": 3, "a": {"b": 1}}));
    assert_eq!(hits["hits"].as_array().unwrap().len(), 2);
    assert_eq!(domain.get("/logs/_count").1["count"], 5);
    assert_eq!(domain.get("/logs/_search?size=10001").0, 400);
    assert_eq!(domain.get("/logs/_count?filter_path=count").1, json!({"count": 5}));
}

#[test]
fn a_document_is_found_only_after_the_refresh_interval() {
    let mut domain = Domain::new("OpenSearch_2.19");
    domain.put("/logs/_doc/1", &json!({"n": 1}));
    assert_eq!(domain.get("/logs/_count").1["count"], 0);
    assert_eq!(domain.get("/logs/_doc/1").1["found"], true);
    domain.now += SignedDuration::from_millis(1_001);
    assert_eq!(domain.get("/logs/_count").1["count"], 1);
    domain.put("/logs/_doc/2", &json!({"n": 1}));
    domain.ask_raw(Method::POST, "/logs/_refresh", "");
    assert_eq!(domain.get("/logs/_count").1["count"], 2);
}

#[test]
fn bulk_answers_each_item_in_its_place() {
    let mut domain = Domain::new("OpenSearch_2.19");
    let body = "{\"index\":{\"_id\":\"1\"}}\n{\"a\":1}\n{\"create\":{\"_id\":\"1\"}}\n{\"a\":2}\n\
                {\"index\":{\"_id\":\"1\"}}\n{\"a\":3}\n{\"delete\":{\"_id\":\"9\"}}\n{\"index\":{\"_index\":\"Upper\"}}\n{}\n\
                {\"index\":{\"_id\":\"5\"}}\nnot json\n{\"delete\":{\"_id\":\"1\"}}\n";
    let (status, answer) = domain.ask_raw(Method::POST, "/logs/_bulk", body);
    assert_eq!(status, 200);
    let statuses: Vec<_> = answer["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item.as_object().unwrap().values().next().unwrap()["status"].as_u64().unwrap())
        .collect();
    assert_eq!(statuses, [201, 409, 200, 404, 400, 400, 200]);
    assert_eq!(answer["items"][1]["create"]["error"]["type"], "version_conflict_engine_exception");
    assert_eq!(answer["items"][4]["index"]["error"]["type"], "invalid_index_name_exception");
}

#[test]
fn a_bulk_request_with_a_bad_line_writes_nothing() {
    let mut domain = Domain::new("OpenSearch_2.19");
    for wrong in [
        "{\"index\":{\"_id\":\"1\"}}\n{\"a\":1}",
        "{\"index\":{\"_id\":\"1\"}}\n{\"a\":1}\n{\"upsert\":{}}\n{}\n",
        "{\"index\":{\"_id\":\"1\"}}\n{\"a\":1}\n{\"index\":{\"_foo\":1}}\n{}\n",
        "\n",
    ] {
        assert_eq!(domain.ask_raw(Method::POST, "/logs/_bulk", wrong).0, 400, "{wrong}");
    }
    assert_eq!(domain.get("/logs").0, 404);
}

#[test]
fn a_missing_index_is_a_404_and_a_pattern_without_a_match_is_not() {
    let mut domain = Domain::new("OpenSearch_2.19");
    for path in ["/x", "/x/_search", "/x/_mapping", "/x/_stats", "/x/_doc/1"] {
        let (status, answer) = domain.get(path);
        assert_eq!((status, &answer["error"]["type"]), (404, &json!("index_not_found_exception")), "{path}");
    }
    assert_eq!(domain.get("/x-*/_mapping"), (200, json!({})));
    assert_eq!(domain.get("/x-*/_search").1["hits"]["total"]["value"], 0);
    assert_eq!(domain.ask_raw(Method::HEAD, "/x", "").0, 404);
}

#[test]
fn a_cluster_tells_its_limit_of_shards_and_how_full_its_disks_are() {
    let mut domain = Domain::new("OpenSearch_2.19");
    let (status, settings) = domain.get("/_cluster/settings?include_defaults=true&flat_settings=true");
    let defaults = json!({"cluster.max_shards_per_node": "1000"});
    assert_eq!((status, settings), (200, json!({"persistent": {}, "transient": {}, "defaults": defaults})));
    assert_eq!(domain.get("/_cluster/settings"), (200, json!({"persistent": {}, "transient": {}})));
    let used = |domain: &mut Domain| {
        let (status, nodes) = domain.get("/_cat/allocation?format=json&bytes=b");
        assert_eq!((status, &nodes[0]["disk.total"]), (200, &json!((10_u64 << 30).to_string())));
        nodes[0]["disk.used"].as_str().expect("a number").parse::<u64>().expect("a number")
    };
    let before = used(&mut domain);
    assert_eq!(domain.put("/x/_doc/1", &json!({"message": "a".repeat(5000)})).0, 201);
    assert!(used(&mut domain) > before + 5000);
}

#[test]
fn settings_are_flat_where_that_is_asked_for() {
    let mut domain = Domain::new("OpenSearch_2.19");
    assert_eq!(domain.put("/x", &json!({"settings": {"index": {"number_of_replicas": 0}}})).0, 200);
    assert_eq!(domain.put("/x/_settings", &json!({"index.blocks.write": true})).0, 200);
    let settings = domain.get("/x/_settings?flat_settings=true").1["x"]["settings"].clone();
    assert_eq!(
        (&settings["index.blocks.write"], &settings["index.number_of_replicas"]),
        (&json!("true"), &json!("0")),
        "{settings}"
    );
    assert_eq!(domain.get("/x/_settings").1["x"]["settings"]["index"]["blocks"]["write"], "true");
}

#[test]
fn what_is_not_supported_is_refused_and_never_ignored() {
    let mut domain = Domain::new("OpenSearch_2.19");
    for path in ["/_nodes", "/_cat/health", "/_cat/allocation", "/a/b/c", "/_plugins/_ism/policies/x"] {
        let (status, answer) = domain.get(path);
        assert_eq!(status, 400, "{path}");
        assert!(answer.get("error").is_some(), "{path}");
    }
    assert_eq!(domain.ask_raw(Method::DELETE, "/a/_search", "").0, 405);
    assert_eq!(domain.put("/a", &json!({"aliases": {"b": {}}})).0, 400);
    assert_eq!(domain.put("/a", &json!({"setings": {}})).0, 400);
}

#[test]
fn a_body_needs_a_json_content_type() {
    let mut data = Data::default();
    let mut engine = Engine {
        data: &mut data,
        scope: "r/d/".to_owned(),
        version: "OpenSearch_2.19".parse().unwrap(),
        data_nodes: 1,
        disk_bytes: 10 << 30,
        cluster_name: String::new(),
        refresh_scale: 1.0,
        explicit_index: ExplicitIndex::Refused,
        claims_elasticsearch: true,
    };
    let mut ask = Ask { method: &Method::PUT, path: "/a", query: &[], media_type: None, body: b"{}" };
    assert_eq!(engine.handle(ask, Timestamp::UNIX_EPOCH).status, 406);
    ask.media_type = Some("application/json; charset=utf-8");
    assert_eq!(engine.handle(ask, Timestamp::UNIX_EPOCH).status, 200);
}

#[test]
fn bulk_lines_name_no_index_where_the_domain_forbids_it() {
    let mut data = Data::default();
    let mut engine = Engine {
        data: &mut data,
        scope: "r/d/".to_owned(),
        version: "OpenSearch_2.19".parse().unwrap(),
        data_nodes: 1,
        disk_bytes: 10 << 30,
        cluster_name: String::new(),
        refresh_scale: 1.0,
        explicit_index: ExplicitIndex::Refused,
        claims_elasticsearch: true,
    };
    let body = b"{\"index\":{\"_index\":\"a\"}}\n{}\n";
    let ask = Ask { method: &Method::POST, path: "/_bulk", query: &[], media_type: Some("application/json"), body };
    let response = engine.handle(ask, Timestamp::UNIX_EPOCH);
    assert_eq!(response.status, 400);
    let greeting = engine.handle(
        Ask { method: &Method::GET, path: "/", query: &[], media_type: None, body: b"" },
        Timestamp::UNIX_EPOCH,
    );
    let greeting: Value = serde_json::from_slice(&greeting.body).unwrap();
    assert_eq!((&greeting["version"]["number"], greeting["version"].get("distribution")), (&json!("7.10.2"), None));
}

#[test]
fn indexes_are_listed_with_strings() {
    let mut domain = Domain::new("OpenSearch_2.19");
    domain.put("/_index_template/t", &template());
    domain.seed(&[("1", json!({"a": 1}))]);
    let (_, rows) = domain.get("/_cat/indices/logs*?format=json&bytes=b");
    assert_eq!(
        (&rows[0]["health"], &rows[0]["docs.count"], &rows[0]["pri"], &rows[0]["rep"]),
        (&json!("green"), &json!("1"), &json!("1"), &json!("0"))
    );
    let (_, stats) = domain.get("/logs/_stats");
    assert_eq!(stats["_all"]["primaries"]["docs"]["count"], 1);
}

#[test]
fn delete_by_query_deletes_what_it_finds() {
    let mut domain = Domain::new("OpenSearch_2.19");
    domain.seed(&[("1", json!({"a": 1})), ("2", json!({"a": 2}))]);
    let (status, answer) = domain.post("/logs/_delete_by_query", &json!({"query": {"term": {"a": 1}}}));
    assert_eq!((status, &answer["deleted"]), (200, &json!(1)));
    assert_eq!(domain.found(&json!({"match_all": {}})), ["2"]);
    assert_eq!(domain.ask_raw(Method::DELETE, "/logs", "").0, 200);
    assert_eq!(domain.get("/logs").0, 404);
    assert_eq!(domain.put("/logs", &json!({})).0, 200);
    assert_eq!(domain.get("/logs/_doc/2").0, 404);
}

#[test]
fn elasticsearch_and_opensearch_1_name_the_type() {
    assert_eq!(Domain::new("Elasticsearch_7.10").put("/a/_doc/1", &json!({})).1["_type"], "_doc");
    assert_eq!(Domain::new("OpenSearch_2.19").put("/a/_doc/1", &json!({})).1.get("_type"), None);
}

// What follows was measured on Elasticsearch 7.10.2 and OpenSearch 1.3.13, 2.19.1 and 3.5.0 by tests/engines/.

#[test]
fn a_new_list_that_mixes_kinds_costs_its_record_and_a_later_one_does_not() {
    let mut domain = Domain::new("OpenSearch_2.19");
    domain.put("/_index_template/logs", &template());
    for mixed in
        [json!([1, "two"]), json!([1, 2.5]), json!([true, "x"]), json!(["a", {"b": 1}]), json!([{"b": 1}, "a"])]
    {
        let error = domain.index("logs", &json!({"list": mixed}));
        assert_eq!(kind(error.as_ref()), "illegal_argument_exception", "{mixed}");
    }
    assert_eq!(domain.get("/logs/_mapping").1["logs"]["mappings"]["properties"].get("list"), None);
    assert_eq!(kind(domain.index("logs", &json!({"list": [1, 2]})).as_ref()), "none");
    assert_eq!(kind(domain.index("logs", &json!({"list": [1, "two", 2.5]})).as_ref()), "none");
}

#[test]
fn a_document_holds_no_field_of_the_index_s_own() {
    let mut domain = Domain::new("OpenSearch_2.19");
    for field in ["_id", "_index", "_source", "_version", "_seq_no", "_routing", "_ignored", "_field_names"] {
        assert_eq!(kind(domain.index("logs", &json!({field: 1})).as_ref()), "mapper_parsing_exception", "{field}");
    }
    assert_eq!(kind(domain.index("logs", &json!({"_own": 1})).as_ref()), "none");
}

#[test]
fn dots_at_the_end_of_a_name_are_nothing_and_a_blank_name_is_one() {
    let mut domain = Domain::new("OpenSearch_2.19");
    for name in ["dot.", " "] {
        assert_eq!(kind(domain.index("logs", &json!({name: 1})).as_ref()), "none", "{name}");
    }
    for name in [".dot", "a..b", ".", "", "a. .b"] {
        assert_eq!(kind(domain.index("logs", &json!({name: 1})).as_ref()), "mapper_parsing_exception", "{name}");
    }
    let properties = domain.get("/logs/_mapping").1["logs"]["mappings"]["properties"].clone();
    assert_eq!(properties, json!({"dot": {"type": "long"}, " ": {"type": "long"}}));
}

#[test]
fn a_number_that_ignores_what_is_malformed_takes_an_object_since_opensearch_3_2() {
    for (version, outcome) in [
        ("Elasticsearch_7.10", "mapper_parsing_exception"),
        ("OpenSearch_2.19", "mapper_parsing_exception"),
        ("OpenSearch_3.1", "mapper_parsing_exception"),
        ("OpenSearch_3.5", "none"),
    ] {
        let mut domain = Domain::new(version);
        domain.put("/_index_template/logs", &template());
        domain.index("logs", &json!({"number": 1}));
        assert_eq!(kind(domain.index("logs", &json!({"number": {"a": 1}})).as_ref()), outcome, "{version}");
    }
}

#[test]
fn the_index_s_own_leniency_wins_from_opensearch_2_5_to_3_1() {
    for (version, outcome) in [
        ("Elasticsearch_7.10", "mapper_parsing_exception"),
        ("OpenSearch_2.3", "mapper_parsing_exception"),
        ("OpenSearch_2.5", "none"),
        ("OpenSearch_3.1", "none"),
        ("OpenSearch_3.2", "mapper_parsing_exception"),
    ] {
        let mut domain = Domain::new(version);
        let field = json!({"asctime": {"type": "date", "ignore_malformed": false}});
        let body = json!({"settings": {"index.mapping.ignore_malformed": true}, "mappings": {"properties": field}});
        assert_eq!(domain.put("/logs", &body).0, 200);
        assert_eq!(kind(domain.index("logs", &json!({"asctime": "x"})).as_ref()), outcome, "{version}");
    }
}

#[test]
fn a_full_disk_says_too_many_requests_until_the_block_is_reset() {
    let mut domain = Domain::new("OpenSearch_2.19");
    domain.put("/logs", &json!({}));
    for (block, status) in [("read_only_allow_delete", 429), ("write", 403), ("read_only", 403)] {
        let block = format!("index.blocks.{block}");
        assert_eq!(domain.put("/logs/_settings", &json!({&block: true})).0, 200);
        let (refused, answer) = domain.put("/logs/_doc/1", &json!({"a": 1}));
        assert_eq!((refused, &answer["error"]["type"]), (status, &json!("cluster_block_exception")), "{block}");
        assert_eq!(domain.put("/logs/_settings", &json!({&block: null})).0, 200);
        assert!(domain.put("/logs/_doc/1", &json!({"a": 1})).0 < 300, "{block}");
    }
}

#[test]
fn an_invalid_template_names_its_cause_innermost() {
    let mut domain = Domain::new("OpenSearch_2.19");
    let body = json!({"index_patterns": ["a"], "template": {"mappings": {"properties": {"a": {"type": "strange"}}}}});
    let (status, answer) = domain.put("/_index_template/a", &body);
    let error = &answer["error"];
    assert_eq!((status, &error["type"]), (400, &json!("illegal_argument_exception")));
    assert_eq!(error["reason"], "composable template [a] template after composition is invalid");
    let cause = error["caused_by"]["caused_by"]["reason"].as_str().unwrap();
    assert!(cause.contains("No handler for type [strange]"), "{cause}");
    for (body, kind) in [
        (json!({}), "illegal_argument_exception"),
        (json!({"index_patterns": []}), "illegal_argument_exception"),
        (json!({"index_patterns": ["a"], "priority": -1}), "action_request_validation_exception"),
        (json!({"index_patterns": ["a"], "priority": "high"}), "x_content_parse_exception"),
        (
            json!({"index_patterns": ["a"], "template": {"settings": {"strange": 1}}}),
            "invalid_index_template_exception",
        ),
    ] {
        let (status, answer) = domain.put("/_index_template/a", &body);
        assert_eq!((status, &answer["error"]["type"]), (400, &json!(kind)), "{body}");
    }
    assert_eq!(domain.put("/_index_template/a", &json!({"index_patterns": ["Capitals"]})).0, 200);
    assert_eq!(domain.get("/_index_template/none*"), (404, json!({"index_templates": []})));
}

#[test]
fn an_id_that_is_too_long_costs_the_whole_bulk_request() {
    let mut domain = Domain::new("OpenSearch_2.19");
    let body = format!("{}\n{{\"a\":1}}\n", json!({"index": {"_index": "logs", "_id": "i".repeat(513)}}));
    let (status, answer) = domain.ask_raw(Method::POST, "/_bulk", &body);
    assert_eq!((status, &answer["error"]["type"]), (400, &json!("action_request_validation_exception")));
    let (status, answer) = domain.ask_raw(Method::POST, "/_bulk", "index\n{}\n");
    assert_eq!((status, &answer["error"]["type"]), (400, &json!("json_parse_exception")));
}

#[test]
fn any_text_of_geohash_letters_is_a_place_and_a_binary_is_not_decoded() {
    let mut domain = Domain::new("OpenSearch_2.19");
    let properties = json!({"point": {"type": "geo_point"}, "binary": {"type": "binary"}});
    domain.put("/logs", &json!({"mappings": {"properties": properties, "dynamic": false}}));
    assert_eq!(domain.get("/logs/_mapping").1["logs"]["mappings"]["dynamic"], "false");
    assert_eq!(kind(domain.index("logs", &json!({"point": "true"})).as_ref()), "none");
    assert_eq!(kind(domain.index("logs", &json!({"point": "a"})).as_ref()), "mapper_parsing_exception");
    assert_eq!(kind(domain.index("logs", &json!({"binary": "no base64!"})).as_ref()), "none");
}

#[test]
fn a_field_with_a_bare_star_is_no_query_string() {
    let mut domain = Domain::new("OpenSearch_2.19");
    domain.seed(&[("1", json!({"message": "payment"}))]);
    let (status, answer) =
        domain.post("/logs/_search", &json!({"query": {"query_string": {"query": "mess*:payment"}}}));
    assert_eq!((status, &answer["error"]["type"]), (400, &json!("search_phase_execution_exception")));
    let (status, answer) = domain.get("/none/_source/1");
    assert_eq!((status, &answer["error"]["type"]), (404, &json!("index_not_found_exception")));
}

#[test]
fn sequence_numbers_count_up_and_a_shard_can_be_searched_alone() {
    let mut domain = Domain::new("OpenSearch_2.19");
    let (status, _) = domain.put("/logs", &json!({"settings": {"index": {"number_of_shards": 3}}}));
    assert_eq!(status, 200);
    for number in 0..20 {
        assert_eq!(domain.index("logs", &json!({"number": number})), None);
    }
    let source = json!({
        "query": {"range": {"_seq_no": {"gt": 4}}}, "sort": [{"_seq_no": {"order": "asc"}}], "size": 100
    });
    let encoded: String = source.to_string().bytes().fold(String::new(), |text, byte| text + &format!("%{byte:02X}"));
    let mut found = Vec::new();
    for shard in 0..3 {
        let path =
            format!("/logs/_search?preference=_shards:{shard}&source={encoded}&source_content_type=application/json");
        let (status, answer) = domain.get(&path);
        assert_eq!(status, 200, "{answer}");
        let hits = answer["hits"]["hits"].as_array().unwrap().clone();
        let numbers: Vec<i64> = hits.iter().map(|hit| hit["sort"][0].as_i64().unwrap()).collect();
        assert!(numbers.is_sorted() && !numbers.is_empty(), "{numbers:?}");
        found.extend(numbers);
    }
    found.sort_unstable();
    assert_eq!(found, (5..20).collect::<Vec<i64>>());
    // Measured on Elasticsearch 7.10.2 and OpenSearch 1.3.13 to 3.5.0.
    let (status, answer) = domain.get(&format!("/logs/_search?source={encoded}"));
    assert_eq!((status, &answer["error"]["type"]), (500, &json!("illegal_state_exception")));
    let (status, _) = domain.get("/logs/_search?preference=_local");
    assert_eq!(status, 400);
}
