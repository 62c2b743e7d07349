//! What is inside a domain, end to end over real HTTP: the index template and the index pattern are made, read back,
//! changed and deleted, against the emulated engines; `tests/engines/` has the real ones.

mod stand_in;

use std::collections::BTreeMap;
use std::sync::Mutex;

use ekk::error::ErrorKind;
use ekk::resource::index_pattern::IndexPatternSettings;
use ekk::resource::index_template::{IndexTemplateSettings, TimeFormat, mappings};
use ekk::resource::{Goal, Manage as _, Managed, Observed, Owner, Read, Readiness, Settings};
use ekk_emulator::dashboards::{self, Dashboards, Tenancy};
use ekk_emulator::engine::{self, Engine, EngineVersion, ExplicitIndex};
use stand_in::{Answer, Came, Fate, StandIn, names};

const ENGINES: [&str; 4] = ["OpenSearch_3.1", "OpenSearch_2.19", "Elasticsearch_7.10", "Elasticsearch_7.4"];

/// Where the domain is below the stand-in's address.
const DOMAIN: &str = "/domain/logs";

/// A control plane that knows one domain, with something inside it.
async fn domain(version: &str, inside: impl Fn(&Came) -> Answer + Send + Sync + 'static) -> StandIn {
    let version = version.to_owned();
    StandIn::start(move |came| {
        if let Some(path) = came.path.strip_prefix(DOMAIN) {
            return inside(&Came { path: path.to_owned(), ..came.clone() });
        }
        if came.path != "/2021-01-01/opensearch/domain/logs" {
            return Answer::json(404, "{}");
        }
        let status = serde_json::json!({"DomainStatus": {
            "DomainId": "000000000000/logs",
            "DomainName": "logs",
            "ARN": "arn:aws:es:eu-west-1:000000000000:domain/logs",
            "Created": true,
            "Deleted": false,
            "Processing": false,
            "Endpoint": format!("{}{DOMAIN}", came.header("host").expect("a host")),
            "EngineVersion": version,
            "ClusterConfig": {},
        }});
        Answer::json(200, &status.to_string())
    })
    .await
}

/// The emulated engine with its Dashboards, as a domain with fine-grained access has them: a caller who names no tenant
/// works in a private one.
fn emulated(version: &str) -> impl Fn(&Came) -> Answer + Send + Sync + use<> {
    let version: EngineVersion = version.parse().expect("an engine");
    let data = Mutex::new((engine::Data::default(), dashboards::Data::default()));
    move |came| {
        let mut data = data.lock().expect("a lock");
        let (inside, saved) = &mut *data;
        let method: http::Method = came.method.parse().expect("a method");
        let (path, query) = came.path.split_once('?').unwrap_or((&came.path, ""));
        // A domain ignores the query of a signed POST.
        let query: Vec<(String, String)> = if method == http::Method::POST { "" } else { query }
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
        let scope = "eu-west-1/logs/".to_owned();
        let now = jiff::Timestamp::now();
        let response = if let Some(path) = path.strip_prefix(dashboards::base(version)) {
            let mut headers = http::HeaderMap::new();
            for (name, value) in &came.headers {
                let name: http::HeaderName = name.parse().expect("a header");
                headers.insert(name, value.parse().expect("a value"));
            }
            let readiness = dashboards::Readiness::Ready;
            let tenancy = Tenancy::OfUser("ci".to_owned());
            Dashboards { data: saved, scope, version, readiness, tenancy }.handle(
                dashboards::Ask { method: &method, path, query: &query, headers: &headers, body: &came.body },
                now,
            )
        } else {
            let mut engine = Engine {
                data: inside,
                scope,
                version,
                data_nodes: 1,
                disk_bytes: 10 << 30,
                cluster_name: "000000000000:logs".to_owned(),
                refresh_scale: 0.0,
                explicit_index: ExplicitIndex::Allowed,
                claims_elasticsearch: false,
            };
            let media_type = came.header("content-type");
            engine.handle(engine::Ask { method: &method, path, query: &query, media_type, body: &came.body }, now)
        };
        let content_type = response.headers.iter().find(|(name, _)| name == "content-type");
        let content_type = content_type.map(|(_, value)| value.as_str()).unwrap_or_default();
        Answer::new(response.status, content_type, String::from_utf8(response.body.to_vec()).expect("UTF-8"))
    }
}

fn template() -> Managed<IndexTemplateSettings> {
    let fields = [("duration_ms", "float"), ("client.address", "ip")];
    let fields = fields.map(|(name, kind)| (name.to_owned(), kind.to_owned())).into();
    Managed {
        settings: IndexTemplateSettings {
            index_patterns: ["logs".to_owned(), "logs-*".to_owned()].into(),
            priority: 100,
            shards: 1,
            replicas: 0,
            refresh_interval: Some("30s".to_owned()),
            total_fields_limit: Some(2000),
            mappings: mappings("asctime", TimeFormat::EpochSecond, &fields),
        },
        tags: BTreeMap::new(),
    }
}

fn pattern() -> Managed<IndexPatternSettings> {
    Managed {
        settings: IndexPatternSettings {
            title: "logs-*".to_owned(),
            time_field: "asctime".to_owned(),
            some_default: true,
        },
        tags: BTreeMap::new(),
    }
}

async fn present<T: ekk::resource::Manage>(stand_in: &StandIn) -> Observed<T> {
    match T::read(&stand_in.session().await, &names()).await.expect("an answer") {
        Read::Present(observed) => *observed,
        Read::Absent => panic!("absent"),
        Read::Unknown(why) => panic!("unknown: {why}"),
    }
}

async fn is_absent<T: ekk::resource::Manage>(stand_in: &StandIn) -> bool {
    T::read(&stand_in.session().await, &names()).await.expect("an answer") == Read::Absent
}

/// The pointers that differ at the top, as a plan finds them.
fn pointers<T: Settings>(before: &T, after: &T) -> Vec<String> {
    let json = |settings: &T| serde_json::to_value(settings).expect("JSON");
    let (before, after) = (json(before), json(after));
    let keys = after.as_object().expect("an object").keys();
    keys.filter(|key| before[key.as_str()] != after[key.as_str()]).map(|key| format!("/{key}")).collect()
}

#[tokio::test]
async fn another_template_of_the_same_priority_is_named_with_a_way_out() {
    let stand_in = domain("OpenSearch_2.19", emulated("OpenSearch_2.19")).await;
    let session = stand_in.session().await;
    let mut others = names();
    others.index_template = "others".into();
    IndexTemplateSettings::create(&session, &others, &template()).await.expect("created");
    let error = IndexTemplateSettings::create(&session, &names(), &template()).await.expect_err("an overlap");
    assert!(error.message.contains("others"), "{error}");
    assert!(error.hints[0].contains("priority 100"), "{:?}", error.hints);
}

#[tokio::test]
async fn a_template_of_another_stack_is_not_overwritten_by_a_create() {
    let stand_in = domain("OpenSearch_2.19", emulated("OpenSearch_2.19")).await;
    let session = stand_in.session().await;
    let mut others = names();
    others.stack = "others".into();
    IndexTemplateSettings::create(&session, &others, &template()).await.expect("created");
    let live = present::<IndexTemplateSettings>(&stand_in).await;
    assert_eq!(live.owner, Owner::Other { stack: "others".into(), region: "eu-west-1".into() });
    let error = IndexTemplateSettings::create(&session, &names(), &template()).await.expect_err("not ours");
    assert_eq!(error.kind, ErrorKind::Refused);
}

#[tokio::test]
async fn a_pattern_lives_in_every_engine() {
    for version in ENGINES {
        let stand_in = domain(version, emulated(version)).await;
        let session = stand_in.session().await;
        assert!(is_absent::<IndexPatternSettings>(&stand_in).await);
        IndexPatternSettings::create(&session, &names(), &pattern()).await.expect("created");
        let before = present::<IndexPatternSettings>(&stand_in).await;
        assert_eq!(before.settings, pattern().settings, "{version}");
        assert_eq!((before.facts.id.as_str(), &before.owner), ("ekk-logs", &Owner::Ours));
        let mut after = pattern();
        after.settings.time_field = "time".to_owned();
        let pointers = pointers(&before.settings, &after.settings);
        IndexPatternSettings::update(&session, &names(), &before, &after, &pointers).await.expect("updated");
        let live = present::<IndexPatternSettings>(&stand_in).await;
        assert_eq!(live.settings, after.settings);
        IndexPatternSettings::delete(&session, &names(), &live).await.expect("deleted");
        assert!(is_absent::<IndexPatternSettings>(&stand_in).await);
        let gone = IndexPatternSettings::readiness(&session, &names(), Goal::Gone).await.expect("an answer");
        assert_eq!(gone, Readiness::Ready);
        // The default went with it, or nobody would ever mend it.
        IndexPatternSettings::create(&session, &names(), &pattern()).await.expect("created");
        assert!(present::<IndexPatternSettings>(&stand_in).await.settings.some_default);
        for came in stand_in.came().iter().filter(|came| came.path.starts_with(DOMAIN)) {
            assert!(came.method == "GET" || !came.path.contains('?'), "a query on {} {}", came.method, came.path);
            assert_eq!(came.path.contains("/api/"), came.header("securitytenant") == Some("global"), "{}", came.path);
            assert!(came.header("authorization").is_some_and(|value| value.contains("/es/aws4_request")));
        }
    }
}

fn dashboards_request(method: &str, path: &str, body: &str) -> Came {
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    Came {
        method: method.to_owned(),
        path: format!("/_dashboards{path}"),
        headers: vec![
            header("osd-xsrf", "true"),
            header("content-type", "application/json"),
            header("securitytenant", "global"),
        ],
        body: body.as_bytes().to_vec(),
    }
}

#[tokio::test]
async fn a_pattern_of_the_same_title_is_taken_with_its_id_and_stays_ours() {
    let behind = emulated("OpenSearch_2.19");
    let theirs = r#"{"attributes":{"title":"logs-*","timeFieldName":"when","fieldFormatMap":"{}"}}"#;
    behind(&dashboards_request("POST", "/api/saved_objects/index-pattern/theirs", theirs));
    let stand_in = domain("OpenSearch_2.19", behind).await;
    let session = stand_in.session().await;
    IndexTemplateSettings::create(&session, &names(), &template()).await.expect("created");
    let before = present::<IndexPatternSettings>(&stand_in).await;
    assert_eq!((before.facts.id.as_str(), &before.owner), ("theirs", &Owner::Nobody));

    let pointers = pointers(&before.settings, &pattern().settings);
    IndexPatternSettings::update(&session, &names(), &before, &pattern(), &pointers).await.expect("adopted");
    let adopted = present::<IndexPatternSettings>(&stand_in).await;
    assert_eq!((adopted.facts.id.as_str(), &adopted.owner), ("theirs", &Owner::Ours));
    assert_eq!(adopted.settings, pattern().settings);

    // A later change of the template keeps the note.
    let before = present::<IndexTemplateSettings>(&stand_in).await;
    let mut after = template();
    after.settings.replicas = 1;
    IndexTemplateSettings::update(&session, &names(), &before, &after, &["/replicas".to_owned()])
        .await
        .expect("updated");
    assert_eq!(present::<IndexPatternSettings>(&stand_in).await.owner, Owner::Ours);
    IndexPatternSettings::delete(&session, &names(), &adopted).await.expect("deleted");
    assert!(is_absent::<IndexPatternSettings>(&stand_in).await);
}

#[tokio::test]
async fn where_both_exist_ours_wins() {
    let behind = emulated("OpenSearch_2.19");
    let body = r#"{"attributes":{"title":"logs-*","timeFieldName":"asctime"}}"#;
    behind(&dashboards_request("POST", "/api/saved_objects/index-pattern/a-theirs", body));
    behind(&dashboards_request("POST", "/api/saved_objects/index-pattern/ekk-logs", body));
    let stand_in = domain("OpenSearch_2.19", behind).await;
    let live = present::<IndexPatternSettings>(&stand_in).await;
    assert_eq!((live.facts.id.as_str(), &live.owner), ("ekk-logs", &Owner::Ours));
}

#[tokio::test]
async fn a_pattern_in_a_private_tenant_is_not_seen_and_ours_is_global() {
    let behind = emulated("OpenSearch_2.19");
    let mut private = dashboards_request(
        "POST",
        "/api/saved_objects/index-pattern/ekk-logs",
        r#"{"attributes":{"title":"logs-*","timeFieldName":"asctime"}}"#,
    );
    private.headers.retain(|(name, _)| name != "securitytenant");
    behind(&private);
    let stand_in = domain("OpenSearch_2.19", behind).await;
    assert!(is_absent::<IndexPatternSettings>(&stand_in).await);
}

#[tokio::test]
async fn the_users_own_default_and_formatting_stay() {
    let behind = emulated("OpenSearch_2.19");
    let settings = "/api/opensearch-dashboards/settings";
    behind(&dashboards_request("POST", settings, r#"{"changes":{"defaultIndex":"mine"}}"#));
    let stand_in = domain("OpenSearch_2.19", behind).await;
    let session = stand_in.session().await;
    IndexPatternSettings::create(&session, &names(), &pattern()).await.expect("created");
    let before = present::<IndexPatternSettings>(&stand_in).await;
    IndexPatternSettings::delete(&session, &names(), &before).await.expect("deleted");
    let defaults = stand_in.came().iter().filter(|came| came.method != "GET" && came.path.ends_with(settings)).count();
    assert_eq!(defaults, 0, "the default is the user's");
}

#[tokio::test]
async fn dashboards_that_are_not_up_are_unknown_to_a_read_and_waited_for_by_a_write() {
    let stand_in = domain("OpenSearch_2.19", emulated("OpenSearch_2.19")).await;
    let not_yet = || {
        let body = "OpenSearch Dashboards server is not ready yet".to_owned();
        Fate::Answered(Answer::new(503, "text/plain", body))
    };
    for _ in 0..3 {
        stand_in.meet("GET", "/_dashboards/api/saved_objects", not_yet());
    }
    let read = IndexPatternSettings::read(&stand_in.session().await, &names()).await.expect("no error");
    let Read::Unknown(why) = read else { panic!("{read:?}") };
    assert!(why.contains("503 OpenSearch Dashboards server is not ready yet"), "{why}");
    for _ in 0..20 {
        stand_in.meet("GET", "/_dashboards/api/saved_objects", not_yet());
    }
    let session = stand_in.session().await;
    IndexPatternSettings::create(&session, &names(), &pattern()).await.expect("waited for");
    present::<IndexPatternSettings>(&stand_in).await;
}

#[tokio::test]
async fn what_is_forbidden_is_unknown_to_a_read_and_an_error_to_a_write() {
    let stand_in = domain("OpenSearch_2.19", emulated("OpenSearch_2.19")).await;
    let body = r#"{"Message":"User: arn:aws:iam::1:user/a is not authorized to perform: es:ESHttpPut"}"#;
    stand_in.meet("GET", "/_index_template", Fate::Answered(Answer::json(403, body)));
    let session = stand_in.session().await;
    let read = IndexTemplateSettings::read(&session, &names()).await.expect("no error");
    assert!(matches!(&read, Read::Unknown(why) if why.contains("allow es:ESHttpGet")), "{read:?}");
    stand_in.meet("PUT", "/_index_template", Fate::Answered(Answer::json(403, body)));
    let error = IndexTemplateSettings::create(&session, &names(), &template()).await.expect_err("forbidden");
    assert_eq!(error.kind, ErrorKind::Denied);
    assert!(error.hints[0].starts_with("allow es:ESHttpPut on arn:aws:es:eu-west-1:000000000000:domain/logs/*"));
}

#[tokio::test]
async fn a_lost_answer_is_met_by_doing_it_again() {
    let stand_in = domain("OpenSearch_2.19", emulated("OpenSearch_2.19")).await;
    let session = stand_in.session().await;
    stand_in.meet("PUT", "/_index_template", Fate::AnswerLost);
    stand_in.meet("POST", "/_dashboards/api/saved_objects", Fate::AnswerLost);
    stand_in.meet("POST", "/_dashboards/api/opensearch", Fate::AnswerLost);
    IndexTemplateSettings::create(&session, &names(), &template()).await.expect("created");
    IndexPatternSettings::create(&session, &names(), &pattern()).await.expect("created");
    assert_eq!(present::<IndexTemplateSettings>(&stand_in).await.settings, template().settings);
    assert_eq!(present::<IndexPatternSettings>(&stand_in).await.settings, pattern().settings);
}

#[tokio::test]
async fn a_run_that_was_killed_between_pattern_and_default_is_mended_by_the_next() {
    let stand_in = domain("OpenSearch_2.19", emulated("OpenSearch_2.19")).await;
    let session = stand_in.session().await;
    stand_in.meet("POST", "/_dashboards/api/opensearch", Fate::Answered(Answer::json(400, "{}")));
    IndexPatternSettings::create(&session, &names(), &pattern()).await.expect_err("stopped half-way");
    let before = present::<IndexPatternSettings>(&stand_in).await;
    let pointers = pointers(&before.settings, &pattern().settings);
    assert_eq!(pointers, ["/some_default"]);
    let puts = || stand_in.came().iter().filter(|came| came.method == "PUT").count();
    let puts_before = puts();
    IndexPatternSettings::update(&session, &names(), &before, &pattern(), &pointers).await.expect("mended");
    assert_eq!(present::<IndexPatternSettings>(&stand_in).await.settings, pattern().settings);
    assert_eq!(puts(), puts_before, "what does not differ is not sent");
}
