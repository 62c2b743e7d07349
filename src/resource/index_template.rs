//! The index template inside the domain: it makes the time field a date in every form that Python writes. It counts for
//! indexes made from then on; what is indexed already is never touched.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::aws::Session;
use crate::error::{Error, Result};
use crate::opensearch::{DataPlane, Engine, Found, Path, Reach, names_inside};
use crate::plan::{Step, Work};
use crate::resource::{
    Condition, Goal, HazardNote, Kind, Manage, Managed, Observed, Owner, Read, Readiness, Settings, TAG_REGION,
    TAG_STACK, Verdict, tag_changes,
};
use crate::stack::Names;

/// The template as ekk manages it, neutral to the engine: `_index_template` and `_template` carry the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IndexTemplateSettings {
    /// `<index>` and `<index>-*`.
    pub index_patterns: BTreeSet<String>,
    /// Which template wins where several match.
    pub priority: u32,
    /// Primary shards.
    pub shards: u32,
    /// Copies beside the primary.
    pub replicas: u32,
    /// Such as `30s`; `None` is not managed.
    pub refresh_interval: Option<String>,
    /// Limit of fields in a mapping; `None` is not managed.
    pub total_fields_limit: Option<u32>,
    /// The mappings, canonical.
    pub mappings: Value,
}

/// What the engine assigns: nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct IndexTemplateFacts {}

/// What a bare number in the time field means. No format tells the two apart, so the file has to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeFormat {
    /// Seconds, with a fraction or without: what Python's `time.time()` gives.
    EpochSecond,
    /// Milliseconds.
    EpochMillis,
}

/// Builds the mappings of a stack's indexes: the time field as a date in the forms of Python's logging, the fields that
/// the file names, and rules for all others that keep a record whose value does not fit.
///
/// Dynamic date detection is off: a first `order: "2020-05-11"` would make a date field, and a later `A-17` would cost
/// its record. `ignore_malformed` stands on each field and not in the index's settings, since on OpenSearch 2.19 the
/// setting wins over the time field's own `false`, and records would be kept without their time. A first `true` makes a
/// keyword: no engine lets a boolean field ignore a later `"yes"`.
#[must_use]
pub fn mappings(time_field: &str, time_format: TimeFormat, fields: &BTreeMap<String, String>) -> Value {
    let number = match time_format {
        TimeFormat::EpochSecond => "epoch_second",
        TimeFormat::EpochMillis => "epoch_millis",
    };
    let time = json!({
        "type": "date",
        "format": format!("strict_date_optional_time||yyyy-MM-dd HH:mm:ss,SSS||yyyy-MM-dd HH:mm:ss||{number}"),
    });
    let mut properties = Map::new();
    for (name, field_type) in fields {
        insert_field(&mut properties, name, field(field_type));
    }
    insert_field(&mut properties, time_field, time);
    json!({
        "date_detection": false,
        "dynamic_templates": [
            {"whole": {"match_mapping_type": "long", "mapping": {"type": "long", "ignore_malformed": true}}},
            {"fraction": {"match_mapping_type": "double", "mapping": {"type": "double", "ignore_malformed": true}}},
            {"flag": {"match_mapping_type": "boolean", "mapping": {"type": "keyword", "ignore_above": 8191}}},
            {"text": {"match_mapping_type": "string", "mapping": text()}},
        ],
        "properties": properties,
    })
}

fn text() -> Value {
    json!({"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 256}}})
}

fn field(field_type: &str) -> Value {
    match field_type {
        "text" => text(),
        // Lucene refuses a term above 32,766 bytes and the record with it; a character takes up to four.
        "keyword" => json!({"type": "keyword", "ignore_above": 8191}),
        "long" | "integer" | "short" | "byte" | "double" | "float" | "half_float" | "unsigned_long" | "date"
        | "date_nanos" | "ip" | "geo_point" | "geo_shape" => json!({"type": field_type, "ignore_malformed": true}),
        // The others (boolean, binary, object, ranges) know no `ignore_malformed` in every engine.
        _ => json!({"type": field_type}),
    }
}

/// Puts `a.b` as `b` below `a`, since that is how an index stores it.
fn insert_field(properties: &mut Map<String, Value>, name: &str, mapping: Value) {
    match name.split_once('.') {
        None => {
            properties.insert(name.to_owned(), mapping);
        }
        Some((outer, inner)) => {
            let outer = properties.entry(outer).or_insert_with(|| json!({}));
            if let Some(outer) = outer.as_object_mut() {
                let below = outer.entry("properties").or_insert_with(|| json!({}));
                if let Some(below) = below.as_object_mut() {
                    insert_field(below, inner, mapping);
                }
            }
        }
    }
}

impl Settings for IndexTemplateSettings {
    const KIND: Kind = Kind::IndexTemplate;

    type Facts = IndexTemplateFacts;

    fn judge(_pointer: &str, _before: &Self, _after: &Self) -> Verdict {
        Verdict::InPlace
    }

    fn hazard_of_deleting(_observed: &Observed<Self>) -> Option<HazardNote> {
        None
    }

    fn work(step: Step<Self>) -> Work {
        Work::IndexTemplate(step)
    }
}

impl Manage for IndexTemplateSettings {
    async fn read(session: &Session, names: &Names) -> Result<Read<Self>> {
        let names = names_inside(session, names).await?;
        let plane = match DataPlane::reach(session, &names).await? {
            Reach::Absent => return Ok(Read::Absent),
            Reach::Unknown(why) => return Ok(Read::Unknown(why)),
            Reach::Ready(plane) => plane,
        };
        Ok(match find(&plane, &names).await? {
            Found::Absent => Read::Absent,
            Found::Unknown(why) => Read::Unknown(why),
            Found::Present(template) => Read::Present(Box::new(observed(plane.engine(), &template, &names))),
        })
    }

    async fn can_be_known(session: &Session, names: &Names) -> Result<()> {
        let names = names_inside(session, names).await?;
        match DataPlane::reach(session, &names).await? {
            Reach::Ready(plane) => {
                let asked = plane.lets_in(path(plane.engine(), &names)).await;
                asked.map_err(|error| error.context(format!("index template {}", names.index_template)))
            }
            Reach::Absent | Reach::Unknown(_) => Ok(()),
        }
    }

    async fn create(session: &Session, names: &Names, after: &Managed<Self>) -> Result<()> {
        let names = names_inside(session, names).await?;
        let plane = DataPlane::answering(session, &names, Kind::IndexTemplate, path).await?;
        // PUT replaces, so what somebody made since the plan is looked at first.
        if let Found::Present(template) = find(&plane, &names).await? {
            match observed(plane.engine(), &template, &names).owner {
                Owner::Ours => {}
                Owner::Nobody | Owner::Other { .. } => {
                    return Err(Error::refused(format!(
                        "index template {}: was made by somebody else in the meantime",
                        names.index_template
                    ))
                    .hint("run the same command again to see it in the plan"));
                }
            }
        }
        put(&plane, &names, after, &json!({})).await
    }

    async fn update(
        session: &Session,
        names: &Names,
        _before: &Observed<Self>,
        after: &Managed<Self>,
        _pointers: &[String],
    ) -> Result<()> {
        let names = names_inside(session, names).await?;
        let plane = DataPlane::answering(session, &names, Kind::IndexTemplate, path).await?;
        let live = match find(&plane, &names).await? {
            Found::Present(template) => template,
            Found::Absent => json!({}),
            Found::Unknown(why) => {
                return Err(Error::failed(format!("index template {}: {why}", names.index_template)));
            }
        };
        put(&plane, &names, after, &live).await
    }

    async fn delete(session: &Session, names: &Names, _before: &Observed<Self>) -> Result<()> {
        let names = names_inside(session, names).await?;
        let plane = match DataPlane::reach(session, &names).await? {
            Reach::Absent => return Ok(()),
            Reach::Ready(plane) => plane,
            Reach::Unknown(_) => DataPlane::answering(session, &names, Kind::IndexTemplate, path).await?,
        };
        let deleted = plane.delete(path(plane.engine(), &names)).await;
        deleted.map_err(|refusal| refusal.error.context(format!("index template {}", names.index_template)))
    }

    async fn readiness(session: &Session, names: &Names, goal: Goal) -> Result<Readiness> {
        let names = names_inside(session, names).await?;
        let found = match DataPlane::reach(session, &names).await? {
            Reach::Absent => Found::Absent,
            Reach::Unknown(why) => Found::Unknown(why),
            Reach::Ready(plane) => plane.get(path(plane.engine(), &names), &[]).await?,
        };
        Ok(match (goal, found) {
            (Goal::InForce, Found::Present(_)) | (Goal::Gone, Found::Absent) => Readiness::Ready,
            (Goal::InForce, Found::Absent) => Readiness::pending("waiting for the template to be visible"),
            (Goal::Gone, Found::Present(_)) => Readiness::pending("waiting for the template to be gone"),
            (Goal::InForce | Goal::Gone, Found::Unknown(why)) => Readiness::pending(why),
        })
    }
}

/// Notes in the template's mark, in which template and pattern live in one domain, that a pattern under an id that is
/// not ekk's was adopted. The pattern itself has no room for a mark.
///
/// # Errors
/// Fails when there is no template to carry the note, and as a write does.
pub(crate) async fn note_adopted_pattern(plane: &DataPlane<'_>, names: &Names, id: &str) -> Result<()> {
    let mut template = match find(plane, names).await? {
        Found::Present(template) => template,
        Found::Absent => {
            return Err(Error::failed(format!(
                "index template {}: is not there to carry the note",
                names.index_template
            )));
        }
        Found::Unknown(why) => return Err(Error::failed(format!("index template {}: {why}", names.index_template))),
    };
    let mut meta = meta(plane.engine(), &template).as_object().cloned().unwrap_or_default();
    meta.insert(ADOPTED_PATTERN.to_owned(), json!(id));
    *meta_mut(plane.engine(), &mut template) = Value::Object(meta);
    plane.put(path(plane.engine(), names), &template).await?;
    Ok(())
}

/// Returns the id that [`note_adopted_pattern`] noted.
///
/// # Errors
/// Fails when there are no credentials to sign with.
pub(crate) async fn adopted_pattern(plane: &DataPlane<'_>, names: &Names) -> Result<Option<String>> {
    Ok(match find(plane, names).await? {
        Found::Present(template) => {
            let Observed { settings: _, facts: _, tags, owner, condition: _ } =
                observed(plane.engine(), &template, names);
            if owner == Owner::Ours { tags.get(ADOPTED_PATTERN).cloned() } else { None }
        }
        Found::Absent | Found::Unknown(_) => None,
    })
}

const ADOPTED_PATTERN: &str = "ekk:index-pattern";

fn path(engine: Engine, names: &Names) -> Path {
    Path::of(&[if engine.has_composable_templates() { "_index_template" } else { "_template" }, &names.index_template])
}

/// Reads the template in the form in which it is put, without the list around it.
async fn find(plane: &DataPlane<'_>, names: &Names) -> Result<Found> {
    let found = plane.get(path(plane.engine(), names), &[]).await?;
    Ok(match found {
        Found::Present(answer) => match unwrapped(plane.engine(), answer, &names.index_template) {
            Some(template) => Found::Present(template),
            None => Found::Absent,
        },
        Found::Absent => Found::Absent,
        Found::Unknown(why) => Found::Unknown(why),
    })
}

fn unwrapped(engine: Engine, mut answer: Value, name: &str) -> Option<Value> {
    if engine.has_composable_templates() {
        let templates = answer["index_templates"].as_array_mut()?;
        let template = templates.iter_mut().find(|template| template["name"] == name)?;
        Some(template["index_template"].take())
    } else {
        answer.as_object_mut()?.remove(name)
    }
}

fn observed(engine: Engine, template: &Value, names: &Names) -> Observed<IndexTemplateSettings> {
    let tags: BTreeMap<String, String> = meta(engine, template)
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect();
    Observed {
        settings: settings(engine, template),
        facts: IndexTemplateFacts {},
        owner: Owner::from_tags(&tags, &names.stack, &names.region),
        tags,
        condition: Condition::Settled,
    }
}

fn settings(engine: Engine, template: &Value) -> IndexTemplateSettings {
    let patterns = template["index_patterns"].as_array().into_iter().flatten();
    let (priority, inner) =
        if engine.has_composable_templates() { ("priority", &template["template"]) } else { ("order", template) };
    let flat = flattened(&inner["settings"]);
    let number = |key: &str| flat.get(key).and_then(whole);
    IndexTemplateSettings {
        index_patterns: patterns.filter_map(Value::as_str).map(ToOwned::to_owned).collect(),
        priority: whole(&template[priority]).unwrap_or_default(),
        shards: number(SHARDS).unwrap_or(1),
        replicas: number(REPLICAS).unwrap_or(1),
        refresh_interval: flat.get(REFRESH).and_then(Value::as_str).map(ToOwned::to_owned),
        total_fields_limit: number(FIELDS_LIMIT),
        mappings: canonical_mappings(engine, &inner["mappings"]),
    }
}

const SHARDS: &str = "index.number_of_shards";
const REPLICAS: &str = "index.number_of_replicas";
const REFRESH: &str = "index.refresh_interval";
const FIELDS_LIMIT: &str = "index.mapping.total_fields.limit";

/// Reads a whole number that an engine may return as a string.
fn whole(value: &Value) -> Option<u32> {
    match value {
        Value::String(text) => text.parse().ok(),
        value => value.as_u64().and_then(|number| u32::try_from(number).ok()),
    }
}

/// Brings settings, which may be nested, dotted or without `index.` in front, to dotted keys as the engine stores them.
fn flattened(settings: &Value) -> BTreeMap<String, Value> {
    fn walk(prefix: &str, value: &Value, flat: &mut BTreeMap<String, Value>) {
        match value {
            Value::Object(inner) => {
                for (key, value) in inner {
                    let key = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                    walk(&key, value, flat);
                }
            }
            Value::Null => {}
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                let key = if prefix.starts_with("index.") { prefix.to_owned() } else { format!("index.{prefix}") };
                flat.insert(key, value.clone());
            }
        }
    }
    let mut flat = BTreeMap::new();
    walk("", settings, &mut flat);
    flat
}

fn canonical_mappings(engine: Engine, mappings: &Value) -> Value {
    // Engines before OpenSearch 2.0 can still name the one type.
    let mappings = match mappings.as_object() {
        Some(only) if only.len() == 1 && only.contains_key("_doc") => &mappings["_doc"],
        _ => mappings,
    };
    let mut mappings = if mappings.is_null() { json!({}) } else { mappings.clone() };
    if !engine.has_composable_templates()
        && let Some(mappings) = mappings.as_object_mut()
    {
        mappings.remove("_meta");
    }
    mappings
}

/// The mark stands in the template's own `_meta`, which no index inherits; a legacy template has none, so there it
/// stands in that of its mappings.
fn meta(engine: Engine, template: &Value) -> &Value {
    if engine.has_composable_templates() {
        &template["_meta"]
    } else {
        let mappings = &template["mappings"];
        if mappings["_doc"].is_object() { &mappings["_doc"]["_meta"] } else { &mappings["_meta"] }
    }
}

fn meta_mut(engine: Engine, template: &mut Value) -> &mut Value {
    if engine.has_composable_templates() { &mut template["_meta"] } else { &mut template["mappings"]["_meta"] }
}

/// Returns the template to put: ours over what is live, so that what others added beside our settings stays.
fn body(engine: Engine, names: &Names, after: &Managed<IndexTemplateSettings>, live: &Value) -> Value {
    let Managed { settings, tags } = after;
    let IndexTemplateSettings {
        index_patterns,
        priority,
        shards,
        replicas,
        refresh_interval,
        total_fields_limit,
        mappings,
    } = settings;
    let composable = engine.has_composable_templates();
    let mut template = if live.is_object() { live.clone() } else { json!({}) };
    let mut meta: Map<String, Value> = meta(engine, live).as_object().cloned().unwrap_or_default();
    let known = meta.iter().filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect();
    let (set, remove) = tag_changes(&known, tags);
    for key in remove {
        meta.remove(&key);
    }
    meta.extend(set.into_iter().map(|(key, value)| (key, Value::String(value))));
    meta.insert(TAG_STACK.to_owned(), json!(names.stack));
    meta.insert(TAG_REGION.to_owned(), json!(names.region));

    let mut flat = flattened(if composable { &live["template"]["settings"] } else { &live["settings"] });
    flat.insert(SHARDS.to_owned(), json!(shards.to_string()));
    flat.insert(REPLICAS.to_owned(), json!(replicas.to_string()));
    if let Some(interval) = refresh_interval {
        flat.insert(REFRESH.to_owned(), json!(interval));
    }
    if let Some(limit) = total_fields_limit {
        flat.insert(FIELDS_LIMIT.to_owned(), json!(limit.to_string()));
    }

    template["index_patterns"] = json!(index_patterns);
    template[if composable { "priority" } else { "order" }] = json!(priority);
    let inner = if composable { &mut template["template"] } else { &mut template };
    inner["settings"] = json!(flat);
    inner["mappings"] = mappings.clone();
    *meta_mut(engine, &mut template) = Value::Object(meta);
    template
}

async fn put(plane: &DataPlane<'_>, names: &Names, after: &Managed<IndexTemplateSettings>, live: &Value) -> Result<()> {
    let body = body(plane.engine(), names, after, live);
    let Err(refusal) = plane.put(path(plane.engine(), names), &body).await else { return Ok(()) };
    let error = refusal.error.context(format!("index template {}", names.index_template));
    Err(if error.message.contains("same priority") {
        error.hint(format!(
            "another template with priority {} matches the same indexes: delete that one, narrow its patterns or give it \
             another priority",
            after.settings.priority
        ))
    } else {
        error
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::stack::Origin;

    pub(crate) fn names() -> Names {
        Names {
            stack: "logs".into(),
            region: "eu-west-1".into(),
            role: "logs-firehose".into(),
            role_path: "/ekk/".into(),
            role_origin: Origin::Managed,
            bucket: "logs-bucket".into(),
            bucket_origin: Origin::Managed,
            log_group: "/aws/kinesisfirehose/logs".into(),
            domain: "logs".into(),
            index: "logs".into(),
            index_template: "logs".into(),
            stream: "logs".into(),
            index_pattern: "ekk-logs".into(),
            index_pattern_title: "logs-*".into(),
        }
    }

    fn engine(version: &str) -> Engine {
        version.parse().expect("an engine")
    }

    fn wanted() -> Managed<IndexTemplateSettings> {
        Managed {
            settings: IndexTemplateSettings {
                index_patterns: ["logs".to_owned(), "logs-*".to_owned()].into(),
                priority: 100,
                shards: 1,
                replicas: 0,
                refresh_interval: None,
                total_fields_limit: None,
                mappings: mappings("asctime", TimeFormat::EpochSecond, &BTreeMap::new()),
            },
            tags: BTreeMap::new(),
        }
    }

    /// What OpenSearch 2.x answers to GET `_index_template/logs`: settings as strings below `index`, and things that
    /// nobody sent.
    fn recorded() -> Value {
        json!({"index_templates": [{"name": "logs", "index_template": {
            "index_patterns": ["logs", "logs-*"],
            "template": {
                "settings": {"index": {"number_of_shards": "1", "number_of_replicas": "0"}},
                "mappings": {
                    "dynamic_templates": [
                        {"whole": {"mapping": {"ignore_malformed": true, "type": "long"}, "match_mapping_type": "long"}},
                        {"fraction": {"mapping": {"ignore_malformed": true, "type": "double"}, "match_mapping_type": "double"}},
                        {"flag": {"mapping": {"ignore_above": 8191, "type": "keyword"}, "match_mapping_type": "boolean"}},
                        {"text": {"mapping": {"fields": {"keyword": {"ignore_above": 256, "type": "keyword"}}, "type": "text"}, "match_mapping_type": "string"}},
                    ],
                    "date_detection": false,
                    "properties": {"asctime": {
                        "format": "strict_date_optional_time||yyyy-MM-dd HH:mm:ss,SSS||yyyy-MM-dd HH:mm:ss||epoch_second",
                        "type": "date",
                    }},
                },
            },
            "composed_of": [],
            "priority": 100,
            "_meta": {"ekk:stack": "logs", "ekk:region": "eu-west-1"},
        }}]})
    }

    #[test]
    fn what_an_engine_stored_equals_what_was_wanted() {
        let engine = engine("OpenSearch_2.19");
        let template = unwrapped(engine, recorded(), "logs").expect("the template");
        let observed = observed(engine, &template, &names());
        assert_eq!(observed.settings, wanted().settings);
        assert_eq!(observed.owner, Owner::Ours);
    }

    #[test]
    fn a_legacy_template_carries_its_mark_in_the_mappings() {
        let engine = engine("Elasticsearch_7.7");
        let put = body(engine, &names(), &wanted(), &json!({}));
        assert_eq!(put["order"], 100);
        assert_eq!(put["mappings"]["_meta"]["ekk:stack"], "logs");
        let template = unwrapped(engine, json!({"logs": put}), "logs").expect("the template");
        let observed = observed(engine, &template, &names());
        assert_eq!(observed.settings, wanted().settings);
        assert_eq!(observed.owner, Owner::Ours);
    }

    #[test]
    fn what_others_added_stays() {
        let engine = engine("OpenSearch_2.19");
        let mut live = unwrapped(engine, recorded(), "logs").expect("the template");
        live["template"]["settings"]["index"]["codec"] = json!("best_compression");
        live["template"]["settings"]["index"]["refresh_interval"] = json!("30s");
        live["template"]["aliases"] = json!({"all": {}});
        live["_meta"]["owner"] = json!("ops");
        let mut after = wanted();
        after.settings.replicas = 1;
        let put = body(engine, &names(), &after, &live);
        assert_eq!(put["template"]["settings"]["index.codec"], "best_compression");
        assert_eq!(put["template"]["settings"]["index.refresh_interval"], "30s");
        assert_eq!(put["template"]["settings"]["index.number_of_replicas"], "1");
        assert_eq!(put["template"]["aliases"], json!({"all": {}}));
        assert_eq!(put["_meta"]["owner"], "ops");
    }

    #[test]
    fn an_unmarked_template_is_nobodys_and_adopting_marks_it() {
        let engine = engine("OpenSearch_2.19");
        let mut live = unwrapped(engine, recorded(), "logs").expect("the template");
        live["_meta"] = json!({"owner": "ops"});
        assert_eq!(observed(engine, &live, &names()).owner, Owner::Nobody);
        let put = body(engine, &names(), &wanted(), &live);
        assert_eq!(observed(engine, &put, &names()).owner, Owner::Ours);
    }

    #[test]
    fn settings_are_the_same_in_every_spelling() {
        let spellings = [
            json!({"number_of_shards": 2}),
            json!({"index": {"number_of_shards": "2"}}),
            json!({"index.number_of_shards": "2"}),
        ];
        for spelling in spellings {
            let flat = flattened(&spelling);
            assert_eq!(flat.get(SHARDS).and_then(whole), Some(2), "{spelling}");
        }
    }

    #[test]
    fn a_named_field_ignores_what_is_malformed_where_its_type_can() {
        let fields = [("duration_ms", "float"), ("http.status", "short"), ("ok", "boolean"), ("id", "keyword")];
        let fields = fields.map(|(name, kind)| (name.to_owned(), kind.to_owned())).into();
        let mappings = mappings("asctime", TimeFormat::EpochMillis, &fields);
        let properties = &mappings["properties"];
        assert_eq!(properties["duration_ms"], json!({"type": "float", "ignore_malformed": true}));
        assert_eq!(properties["http"]["properties"]["status"], json!({"type": "short", "ignore_malformed": true}));
        assert_eq!(properties["ok"], json!({"type": "boolean"}));
        assert_eq!(properties["id"], json!({"type": "keyword", "ignore_above": 8191}));
        let time = &properties["asctime"];
        assert!(time["format"].as_str().is_some_and(|format| format.ends_with("||epoch_millis")));
        assert!(time.get("ignore_malformed").is_none(), "a record without its time is worth nothing");
    }

    fn any_settings() -> impl Strategy<Value = IndexTemplateSettings> {
        (
            proptest::collection::btree_set("[a-z]{1,8}(-\\*)?", 1..4),
            0..1000u32,
            1..10u32,
            0..3u32,
            proptest::option::of("[1-9][0-9]?s"),
            proptest::option::of(1..5000u32),
            proptest::collection::btree_map("[a-z]{1,5}", prop_oneof![Just("ip"), Just("long"), Just("text")], 0..4),
        )
            .prop_map(
                |(index_patterns, priority, shards, replicas, refresh_interval, total_fields_limit, fields)| {
                    let fields = fields.into_iter().map(|(name, kind)| (name, kind.to_owned())).collect();
                    IndexTemplateSettings {
                        index_patterns,
                        priority,
                        shards,
                        replicas,
                        refresh_interval,
                        total_fields_limit,
                        mappings: mappings("asctime", TimeFormat::EpochSecond, &fields),
                    }
                },
            )
    }

    proptest! {
        #[test]
        fn what_is_put_is_read_back(
            settings in any_settings(),
            version in prop_oneof![Just("OpenSearch_2.19"), Just("Elasticsearch_7.10"), Just("Elasticsearch_7.4")],
        ) {
            let engine = engine(version);
            let after = Managed { settings, tags: BTreeMap::new() };
            let put = body(engine, &names(), &after, &json!({}));
            prop_assert_eq!(&observed(engine, &put, &names()).settings, &after.settings);
            let again = body(engine, &names(), &after, &put);
            prop_assert_eq!(observed(engine, &again, &names()).settings, after.settings);
        }
    }
}
