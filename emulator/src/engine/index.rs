//! Indexes: made, described, searched and deleted.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::document::Document;
use super::failure::Failure;
use super::mapping::{Limits, Mapping, preview};
use super::pattern::matches_pattern;
use super::search::{Candidate, How, Leniency, Query, Sort, sort_value};
use super::settings::{self, Settings, Stage};
use super::{Answer, Ask, Engine, strict_json};

/// An index without its documents.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Index {
    pub(crate) uuid: String,
    pub(crate) created_milliseconds: i64,
    pub(crate) settings: Settings,
    pub(crate) mapping: Mapping,
    pub(crate) next_sequence_number: u64,
    pub(crate) deleted_documents: u64,
}

impl Index {
    fn shards(&self) -> i64 {
        settings::number(&self.settings, "index.number_of_shards").unwrap_or(1)
    }

    /// The copies beside the primary, with those that `auto_expand_replicas` asks for on so many nodes.
    fn replicas(&self, nodes: i64) -> i64 {
        let expanded = self.settings.get("index.auto_expand_replicas").and_then(Value::as_str).and_then(|range| {
            let (low, high) = range.split_once('-')?;
            let high = if high == "all" { nodes - 1 } else { high.parse().ok()? };
            Some((nodes - 1).clamp(low.parse().ok()?, high.max(low.parse().ok()?)))
        });
        expanded.or_else(|| settings::number(&self.settings, "index.number_of_replicas")).unwrap_or(1)
    }

    /// Copies that no node can hold, since two copies of a shard never share one.
    fn unassigned(&self, nodes: i64) -> i64 {
        self.shards() * (self.replicas(nodes) - (nodes - 1)).max(0)
    }

    /// Why no document may be written: by hand it is forbidden, and on a full disk it is to be tried again later.
    pub(crate) fn write_block(&self) -> Option<(u16, &'static str)> {
        [
            ("index.blocks.read_only", 403, "FORBIDDEN/5/index read-only (api)"),
            ("index.blocks.write", 403, "FORBIDDEN/8/index write (api)"),
            (
                "index.blocks.read_only_allow_delete",
                429,
                "TOO_MANY_REQUESTS/12/disk usage exceeded flood-stage watermark, index has read-only-allow-delete block",
            ),
        ]
        .into_iter()
        .find(|(name, ..)| settings::flag(&self.settings, name) == Some(true))
        .map(|(_, status, why)| (status, why))
    }
}

impl Engine<'_> {
    /// The settings of an index that bear on its documents.
    pub(crate) fn limits(&self, settings: &Settings) -> Limits {
        let limit = |name: &str, default: usize| {
            settings::number(settings, name).and_then(|number| usize::try_from(number).ok()).unwrap_or(default)
        };
        Limits {
            total_fields: limit("index.mapping.total_fields.limit", 1_000),
            depth: limit("index.mapping.depth.limit", 20),
            ignore_malformed: settings::flag(settings, "index.mapping.ignore_malformed"),
            index_ignore_malformed_wins: self.version.index_ignore_malformed_wins(),
            ignore_malformed_covers_objects: self.version.ignore_malformed_covers_objects(),
        }
    }

    pub(crate) fn index(&self, name: &str) -> Option<&Index> {
        self.data.indexes.get(&self.index_key(name))
    }

    pub(crate) fn index_key(&self, name: &str) -> String {
        format!("{}{name}", self.scope)
    }

    pub(crate) fn documents(&self, index: &str) -> impl Iterator<Item = (String, &Document)> {
        let prefix = format!("{}{index}/", self.scope);
        let length = prefix.len();
        self.data
            .documents
            .range(prefix.clone()..)
            .take_while(move |(key, _)| key.starts_with(&prefix))
            .map(move |(key, document)| (key[length..].to_owned(), document))
    }

    /// Makes an index of what its templates say and then of what the request says.
    pub(crate) fn create_index(
        &mut self,
        name: &str,
        own_settings: Settings,
        own_mapping: Option<Mapping>,
        now: Timestamp,
    ) -> Result<(), Failure> {
        check_index_name(name)?;
        if let Some(existing) = self.index(name) {
            return Err(Failure::new(
                400,
                "resource_already_exists_exception",
                format!("index [{name}/{}] already exists", existing.uuid),
            )
            .on_index(name));
        }
        let super::template::Start { settings: mut all, mut mapping } = self.start_of(name)?;
        all.extend(own_settings);
        // Defaults of the service: five primaries and one replica (OpenSearch Service guide, sizing).
        for (key, default) in [("index.number_of_shards", "5"), ("index.number_of_replicas", "1")] {
            all.entry(key.to_owned()).or_insert_with(|| json!(default));
        }
        if let Some(own) = own_mapping {
            mapping.merge(own)?;
        }
        mapping.check_limits(self.limits(&all))?;
        let index = Index {
            uuid: uuid::Uuid::new_v4().simple().to_string()[..22].to_owned(),
            created_milliseconds: now.as_millisecond(),
            settings: all,
            mapping,
            next_sequence_number: 0,
            deleted_documents: 0,
        };
        let key = self.index_key(name);
        self.data.indexes.insert(key, index);
        Ok(())
    }

    pub(super) fn put_index(&mut self, ask: Ask<'_>, name: &str, now: Timestamp) -> Result<Value, Failure> {
        ask.allow(&["wait_for_active_shards"])?;
        let body = ask.json()?.unwrap_or_else(|| json!({}));
        let mut own_settings = Settings::new();
        let mut own_mapping = None;
        for (key, value) in body.as_object().into_iter().flatten() {
            match key.as_str() {
                "settings" => own_settings = settings::read(value, Stage::Creation)?,
                "mappings" => own_mapping = Some(read_mapping(value)?),
                "aliases" if value.as_object().is_some_and(Map::is_empty) => {}
                "aliases" => {
                    return Err(Failure::illegal_argument("the local AWS does not support [aliases]"));
                }
                other => {
                    return Err(Failure::new(
                        400,
                        "parse_exception",
                        format!("unknown key [{other}] for create index"),
                    ));
                }
            }
        }
        self.create_index(name, own_settings, own_mapping, now)?;
        Ok(json!({"acknowledged": true, "shards_acknowledged": true, "index": name}))
    }

    pub(super) fn get_index(&self, ask: Ask<'_>, expression: &str) -> Result<Value, Failure> {
        ask.allow(&["local", "include_defaults"])?;
        self.describe(ask, expression, |name, index| {
            json!({"aliases": {}, "mappings": index.mapping.written(), "settings": written_settings(name, index)})
        })
    }

    pub(super) fn get_mapping(&self, ask: Ask<'_>, expression: &str) -> Result<Value, Failure> {
        ask.allow(&["local"])?;
        self.describe(ask, expression, |_, index| json!({"mappings": index.mapping.written()}))
    }

    pub(super) fn get_settings(&self, ask: Ask<'_>, expression: &str) -> Result<Value, Failure> {
        ask.allow(&["local"])?;
        let is_flat = ask.flag("flat_settings")? == Some(true);
        self.describe(ask, expression, |name, index| {
            let settings = written_settings(name, index);
            json!({"settings": if is_flat { flat(&settings) } else { settings }})
        })
    }

    pub(super) fn put_mapping(&mut self, ask: Ask<'_>, expression: &str) -> Result<Value, Failure> {
        ask.allow(&["write_index_only"])?;
        let newer = Mapping::read(&ask.needed_json()?)?;
        let names = self.resolve_some(ask, expression)?;
        for name in &names {
            let Some(index) = self.index(name) else {
                continue;
            };
            let mut mapping = index.mapping.clone();
            mapping.merge(newer.clone())?;
            mapping.check_limits(self.limits(&index.settings))?;
            if let Some(index) = self.data.indexes.get_mut(&self.index_key(name)) {
                index.mapping = mapping;
            }
        }
        Ok(json!({"acknowledged": true}))
    }

    pub(super) fn put_settings(&mut self, ask: Ask<'_>, expression: &str) -> Result<Value, Failure> {
        ask.allow(&["preserve_existing"])?;
        let body = ask.needed_json()?;
        let body = body.get("settings").unwrap_or(&body);
        let newer = settings::read(body, Stage::Open)?;
        let reset = settings::reset(body);
        for name in self.resolve_some(ask, expression)? {
            let key = self.index_key(&name);
            if let Some(index) = self.data.indexes.get_mut(&key) {
                index.settings.extend(newer.clone());
                index.settings.retain(|name, _| !reset.contains(name));
                // What every index has goes back to its default.
                index.settings.entry("index.number_of_replicas".to_owned()).or_insert_with(|| json!("1"));
            }
        }
        Ok(json!({"acknowledged": true}))
    }

    pub(super) fn delete_index(&mut self, ask: Ask<'_>, expression: &str) -> Result<Value, Failure> {
        ask.allow(&[])?;
        for name in self.resolve(ask, expression)? {
            let ids: Vec<String> = self.documents(&name).map(|(id, _)| id).collect();
            for id in ids {
                self.data.documents.remove(&format!("{}{name}/{id}", self.scope));
            }
            let key = self.index_key(&name);
            self.data.indexes.remove(&key);
        }
        Ok(json!({"acknowledged": true}))
    }

    pub(super) fn health(&self, ask: Ask<'_>, expression: &str) -> Result<Answer, Failure> {
        ask.allow(&["level", "local", "wait_for_status"])?;
        let nodes = self.data_nodes;
        let names = self.resolve(ask, expression);
        let missing = names.is_err();
        let indexes: Vec<&Index> = names.unwrap_or_default().iter().filter_map(|name| self.index(name)).collect();
        let primaries: i64 = indexes.iter().map(|index| index.shards()).sum();
        let unassigned: i64 = indexes.iter().map(|index| index.unassigned(nodes)).sum();
        let all: i64 = indexes.iter().map(|index| index.shards() * (1 + index.replicas(nodes))).sum();
        let status = match (missing, unassigned) {
            (true, _) => "red",
            (false, 0) => "green",
            (false, _) => "yellow",
        };
        let rank = |status: &str| ["green", "yellow", "red"].iter().position(|one| *one == status);
        let timed_out = match ask.parameter("wait_for_status") {
            Some(wanted) => match rank(wanted) {
                Some(wanted) => rank(status) > Some(wanted),
                None => {
                    return Err(Failure::illegal_argument(format!("unknown cluster health status [{wanted}]")));
                }
            },
            None => missing,
        };
        #[expect(clippy::cast_precision_loss, reason = "a percentage of few shards")]
        let percent = if all == 0 { 100.0 } else { 100.0 * (all - unassigned) as f64 / all as f64 };
        let body = json!({
            "cluster_name": self.cluster_name,
            "status": status,
            "timed_out": timed_out,
            "number_of_nodes": nodes,
            "number_of_data_nodes": nodes,
            "discovered_master": true,
            "active_primary_shards": primaries,
            "active_shards": all - unassigned,
            "relocating_shards": 0,
            "initializing_shards": 0,
            "unassigned_shards": unassigned,
            "delayed_unassigned_shards": 0,
            "number_of_pending_tasks": 0,
            "number_of_in_flight_fetch": 0,
            "task_max_waiting_in_queue_millis": 0,
            "active_shards_percent_as_number": percent,
        });
        Ok(Answer::Json(if timed_out { 408 } else { 200 }, body))
    }

    pub(super) fn cat_indices(&self, ask: Ask<'_>, expression: &str, now: Timestamp) -> Result<Answer, Failure> {
        ask.allow(&["bytes", "h", "health", "s", "v"])?;
        for unsupported in ["health", "s"] {
            if ask.parameter(unsupported).is_some() {
                return Err(Failure::illegal_argument(format!("the local AWS does not support [{unsupported}] here")));
            }
        }
        let in_bytes = ask.parameter("bytes").is_some();
        let columns: Vec<String> = match ask.parameter("h") {
            Some(columns) => columns.split(',').map(str::to_owned).collect(),
            None => [
                "health",
                "status",
                "index",
                "uuid",
                "pri",
                "rep",
                "docs.count",
                "docs.deleted",
                "store.size",
                "pri.store.size",
            ]
            .map(str::to_owned)
            .to_vec(),
        };
        let mut rows = Vec::new();
        for name in self.resolve(ask, expression)? {
            let Some(index) = self.index(&name) else {
                continue;
            };
            let Counts { documents, bytes } = self.counts(&name, now);
            let copies = u64::try_from(1 + index.replicas(self.data_nodes)).unwrap_or(1);
            let size = |bytes: u64| {
                if in_bytes { bytes.to_string() } else { human(bytes) }
            };
            let mut row = Map::new();
            for column in &columns {
                let value = match column.as_str() {
                    "health" if index.unassigned(self.data_nodes) == 0 => "green".to_owned(),
                    "health" => "yellow".to_owned(),
                    "status" => "open".to_owned(),
                    "index" => name.clone(),
                    "uuid" => index.uuid.clone(),
                    "pri" => index.shards().to_string(),
                    "rep" => index.replicas(self.data_nodes).to_string(),
                    "docs.count" => documents.to_string(),
                    "docs.deleted" => index.deleted_documents.to_string(),
                    "store.size" => size(bytes * copies),
                    "pri.store.size" => size(bytes),
                    "creation.date" => index.created_milliseconds.to_string(),
                    other => {
                        return Err(Failure::illegal_argument(format!(
                            "the local AWS does not know the column [{other}]"
                        )));
                    }
                };
                row.insert(column.clone(), json!(value));
            }
            rows.push(row);
        }
        if ask.parameter("format") == Some("json") {
            return Ok(json!(rows).into());
        }
        let mut text = String::new();
        if ask.flag("v")? == Some(true) {
            text.push_str(&columns.join(" "));
            text.push('\n');
        }
        for row in rows {
            let cells: Vec<String> = columns.iter().filter_map(|column| row.get(column)).map(preview).collect();
            text.push_str(&cells.join(" "));
            text.push('\n');
        }
        Ok(Answer::Text(text))
    }

    pub(super) fn stats(&self, ask: Ask<'_>, expression: &str, now: Timestamp) -> Result<Value, Failure> {
        ask.allow(&["level"])?;
        let mut all = (0, 0, 0, 0);
        let mut indexes = Map::new();
        let figures = |documents: u64, deleted: u64, bytes: u64| {
            json!({
                "docs": {"count": documents, "deleted": deleted},
                "store": {"size_in_bytes": bytes, "reserved_in_bytes": 0},
            })
        };
        for name in self.resolve(ask, expression)? {
            let Some(index) = self.index(&name) else {
                continue;
            };
            let Counts { documents, bytes } = self.counts(&name, now);
            let copies = u64::try_from(1 + index.replicas(self.data_nodes).min(self.data_nodes - 1)).unwrap_or(1);
            let deleted = index.deleted_documents;
            all = (all.0 + documents, all.1 + deleted, all.2 + bytes, all.3 + bytes * copies);
            indexes.insert(
                name,
                json!({
                    "uuid": index.uuid,
                    "primaries": figures(documents, deleted, bytes),
                    "total": figures(documents * copies, deleted * copies, bytes * copies),
                }),
            );
        }
        Ok(json!({
            "_shards": self.shards_answer(indexes.keys().map(String::as_str)),
            "_all": {"primaries": figures(all.0, all.1, all.2), "total": figures(all.0, all.1, all.3)},
            "indices": indexes,
        }))
    }

    pub(super) fn refresh(&mut self, ask: Ask<'_>, expression: &str, now: Timestamp) -> Result<Value, Failure> {
        ask.allow(&[])?;
        let names = self.resolve(ask, expression)?;
        for name in &names {
            self.refresh_index(name, now);
        }
        Ok(json!({"_shards": self.shards_answer(names.iter().map(String::as_str))}))
    }

    /// Lets searches see everything that was written so far.
    pub(crate) fn refresh_index(&mut self, name: &str, now: Timestamp) {
        let now = now.as_millisecond();
        let hidden: Vec<String> = self
            .documents(name)
            .filter(|(_, document)| document.searchable_at_milliseconds > now)
            .map(|(id, _)| id)
            .collect();
        for id in hidden {
            if let Some(document) = self.data.documents.get_mut(&format!("{}{name}/{id}", self.scope)) {
                document.searchable_at_milliseconds = now;
            }
        }
    }

    pub(super) fn search(&self, ask: Ask<'_>, expression: &str, now: Timestamp) -> Result<Value, Failure> {
        ask.allow(&[
            "_source",
            "default_operator",
            "df",
            "from",
            "preference",
            "q",
            "rest_total_hits_as_int",
            "search_type",
            "size",
            "sort",
            "source",
            "source_content_type",
            "track_total_hits",
        ])?;
        let mut search = Search::default();
        search.read_body(body_or_source(ask)?.as_ref())?;
        search.read_parameters(ask)?;
        let only_shard = read_preference(ask)?;
        let names = self.resolve(ask, expression)?;
        let mut hits = Vec::new();
        for name in &names {
            let Some(index) = self.index(name) else {
                continue;
            };
            let most = settings::number(&index.settings, "index.max_result_window").unwrap_or(10_000);
            let end = i64::try_from(search.from + search.size).unwrap_or(i64::MAX);
            if end > most {
                return Err(shards_failed(Failure::illegal_argument(format!(
                    "Result window is too large, from + size must be less than or equal to: [{most}] but was [{end}]. \
                     See the scroll api for a more efficient way to request large data sets."
                ))));
            }
            for sort in &search.sort {
                sort.check(&index.mapping).map_err(shards_failed)?;
            }
            for (id, document) in self.documents(name) {
                if document.searchable_at_milliseconds > now.as_millisecond()
                    || only_shard.is_some_and(|shard| shard != shard_of(&id, index.shards()))
                {
                    continue;
                }
                let candidate = Candidate {
                    id: &id,
                    index: name,
                    source: &document.source,
                    mapping: &index.mapping,
                    sequence_number: document.sequence_number,
                    leniency: Leniency::Strict,
                };
                if !search.query.finds(candidate, now).map_err(shards_failed)? {
                    continue;
                }
                let keys: Vec<_> = search.sort.iter().map(|sort| sort.key(candidate)).collect();
                hits.push((keys, name, id, document));
            }
        }
        hits.sort_by(|(one_keys, ..), (other_keys, ..)| {
            search
                .sort
                .iter()
                .zip(one_keys.iter().zip(other_keys))
                .map(|(sort, (one, other))| sort.order(one.as_ref(), other.as_ref()))
                .find(|order| order.is_ne())
                .unwrap_or(std::cmp::Ordering::Equal)
        });
        let found = hits.len();
        let sorted = !search.sort.is_empty();
        let from = usize::try_from(search.from).unwrap_or(usize::MAX);
        let size = usize::try_from(search.size).unwrap_or(usize::MAX);
        let page: Vec<Value> = hits
            .into_iter()
            .skip(from)
            .take(size)
            .map(|(keys, name, id, document)| {
                let mut hit =
                    json!({"_index": name, "_id": id, "_score": if sorted { Value::Null } else { json!(1.0) }});
                if self.version.names_types() {
                    hit["_type"] = json!("_doc");
                }
                if let Some(source) = search.source.of(&document.source) {
                    hit["_source"] = source;
                }
                if sorted {
                    hit["sort"] = keys.into_iter().map(sort_value).collect();
                }
                hit
            })
            .collect();
        let mut answer = json!({
            "took": 1,
            "timed_out": false,
            "_shards": self.searched_shards(names.iter().map(String::as_str)),
            "hits": {
                "max_score": if sorted || found == 0 { Value::Null } else { json!(1.0) },
                "hits": page,
            },
        });
        let (value, relation) = match search.track {
            Some(most) if found > most => (most, "gte"),
            Some(_) | None => (found, "eq"),
        };
        if ask.flag("rest_total_hits_as_int")? == Some(true) {
            answer["hits"]["total"] = json!(value);
        } else if search.track != Some(0) {
            answer["hits"]["total"] = json!({"value": value, "relation": relation});
        }
        Ok(answer)
    }

    pub(super) fn count(&self, ask: Ask<'_>, expression: &str, now: Timestamp) -> Result<Value, Failure> {
        ask.allow(&["default_operator", "df", "q"])?;
        let mut search = Search::default();
        let body = ask.json()?;
        if let Some((key, _)) =
            body.as_ref().and_then(Value::as_object).into_iter().flatten().find(|(key, _)| *key != "query")
        {
            return Err(Failure::parsing(format!("request does not support [{key}]")));
        }
        search.read_body(body.as_ref())?;
        search.read_parameters(ask)?;
        let names = self.resolve(ask, expression)?;
        let found = self.find(&names, &search.query, now)?.len();
        Ok(json!({"count": found, "_shards": self.searched_shards(names.iter().map(String::as_str))}))
    }

    pub(super) fn delete_by_query(&mut self, ask: Ask<'_>, expression: &str, now: Timestamp) -> Result<Value, Failure> {
        ask.allow(&["conflicts", "refresh", "wait_for_completion"])?;
        if ask.flag("wait_for_completion")? == Some(false) {
            return Err(Failure::illegal_argument("the local AWS does not support [wait_for_completion=false]"));
        }
        let body = ask.needed_json()?;
        if let Some((key, _)) = body.as_object().into_iter().flatten().find(|(key, _)| *key != "query") {
            return Err(Failure::parsing(format!("unknown field [{key}]")));
        }
        let query = body.get("query").ok_or_else(|| {
            Failure::new(400, "action_request_validation_exception", "Validation Failed: 1: query is missing;")
        })?;
        let query = Query::read(query)?;
        let names = self.resolve(ask, expression)?;
        let found = self.find(&names, &query, now)?;
        for (index, id) in &found {
            self.data.documents.remove(&format!("{}{index}/{id}", self.scope));
            let key = self.index_key(index);
            if let Some(index) = self.data.indexes.get_mut(&key) {
                index.deleted_documents += 1;
            }
        }
        if ask.flag("refresh")? == Some(true) {
            for name in &names {
                self.refresh_index(name, now);
            }
        }
        Ok(json!({
            "took": 1,
            "timed_out": false,
            "total": found.len(),
            "deleted": found.len(),
            "batches": usize::from(!found.is_empty()),
            "version_conflicts": 0,
            "noops": 0,
            "retries": {"bulk": 0, "search": 0},
            "throttled_millis": 0,
            "requests_per_second": -1.0,
            "throttled_until_millis": 0,
            "failures": [],
        }))
    }

    fn find(&self, names: &[String], query: &Query, now: Timestamp) -> Result<Vec<(String, String)>, Failure> {
        let mut found = Vec::new();
        for name in names {
            let Some(index) = self.index(name) else {
                continue;
            };
            for (id, document) in self.documents(name) {
                let candidate = Candidate {
                    id: &id,
                    index: name,
                    source: &document.source,
                    mapping: &index.mapping,
                    sequence_number: document.sequence_number,
                    leniency: Leniency::Strict,
                };
                if document.searchable_at_milliseconds <= now.as_millisecond()
                    && query.finds(candidate, now).map_err(shards_failed)?
                {
                    found.push((name.clone(), id));
                }
            }
        }
        Ok(found)
    }

    /// The indexes that an expression names: names, patterns, `_all`, exclusions after a pattern.
    pub(super) fn resolve(&self, ask: Ask<'_>, expression: &str) -> Result<Vec<String>, Failure> {
        let all = || self.data.indexes.with_prefix(&self.scope).map(|(key, _)| key[self.scope.len()..].to_owned());
        let mut found: BTreeMap<String, ()> = BTreeMap::new();
        let ignore_missing = ask.flag("ignore_unavailable")? == Some(true);
        for one in expression.split(',') {
            let one = if one == "_all" { "*" } else { one };
            if let Some(excluded) = one.strip_prefix('-').filter(|_| !found.is_empty()) {
                found.retain(|name, ()| !matches_pattern(excluded, name));
            } else if one.contains('*') {
                let hits: Vec<String> = all().filter(|name| matches_pattern(one, name)).collect();
                if hits.is_empty() && ask.flag("allow_no_indices")? == Some(false) {
                    return Err(Failure::index_not_found(one));
                }
                found.extend(hits.into_iter().map(|name| (name, ())));
            } else if self.index(one).is_some() {
                found.insert(one.to_owned(), ());
            } else if !ignore_missing {
                return Err(Failure::index_not_found(one));
            }
        }
        Ok(found.into_keys().collect())
    }

    fn resolve_some(&self, ask: Ask<'_>, expression: &str) -> Result<Vec<String>, Failure> {
        let names = self.resolve(ask, expression)?;
        if names.is_empty() { Err(Failure::index_not_found(expression)) } else { Ok(names) }
    }

    fn describe(&self, ask: Ask<'_>, expression: &str, what: impl Fn(&str, &Index) -> Value) -> Result<Value, Failure> {
        let names = self.resolve(ask, expression)?;
        Ok(names.iter().filter_map(|name| Some((name.clone(), what(name, self.index(name)?)))).collect())
    }

    /// The bytes that an index takes, without copies.
    pub(super) fn stored_bytes(&self, name: &str, now: Timestamp) -> u64 {
        self.counts(name, now).bytes
    }

    fn counts(&self, name: &str, now: Timestamp) -> Counts {
        let mut counts = Counts { documents: 0, bytes: 208 };
        for (_, document) in self.documents(name) {
            counts.documents += u64::from(document.searchable_at_milliseconds <= now.as_millisecond());
            counts.bytes += document.source.to_string().len() as u64;
        }
        counts
    }

    fn shards_answer<'n>(&self, names: impl Iterator<Item = &'n str>) -> Value {
        let (mut total, mut placed) = (0, 0);
        for index in names.filter_map(|name| self.index(name)) {
            let copies = index.shards() * (1 + index.replicas(self.data_nodes));
            total += copies;
            placed += copies - index.unassigned(self.data_nodes);
        }
        json!({"total": total, "successful": placed, "failed": 0})
    }

    fn searched_shards<'n>(&self, names: impl Iterator<Item = &'n str>) -> Value {
        let total: i64 = names.filter_map(|name| self.index(name)).map(Index::shards).sum();
        json!({"total": total, "successful": total, "skipped": 0, "failed": 0})
    }

    /// `_shards` of a write to one index.
    pub(crate) fn written_shards(&self, name: &str) -> Value {
        let replicas = self.index(name).map_or(0, |index| index.replicas(self.data_nodes));
        json!({"total": 1 + replicas, "successful": (1 + replicas).min(self.data_nodes), "failed": 0})
    }
}

/// The body, or what stands in its place among the parameters of a GET.
fn body_or_source(ask: Ask<'_>) -> Result<Option<Value>, Failure> {
    let Some(source) = ask.parameter("source") else { return ask.json() };
    if ask.parameter("source_content_type") != Some("application/json") {
        return Err(Failure::new(
            500,
            "illegal_state_exception",
            "source and source_content_type parameters are required".to_owned(),
        ));
    }
    strict_json::from_slice(source.as_bytes())
        .map(Some)
        .map_err(|error| Failure::new(400, "parse_exception", format!("[source] is not JSON: {error}")))
}

/// The one shard that is to be searched.
fn read_preference(ask: Ask<'_>) -> Result<Option<i64>, Failure> {
    match ask.parameter("preference") {
        None => Ok(None),
        Some(preference) => match preference.strip_prefix("_shards:").and_then(|shard| shard.parse().ok()) {
            Some(shard) => Ok(Some(shard)),
            None => {
                Err(Failure::illegal_argument(format!("the local AWS does not support [preference] as [{preference}]")))
            }
        },
    }
}

/// The shard that holds a document: by its id, evenly (FNV-1a; an engine's own hash is another).
fn shard_of(id: &str, shards: i64) -> i64 {
    let hash = id.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    i64::from(hash) % shards.max(1)
}

/// Writes nested settings with dotted names, as `flat_settings` asks for.
fn flat(settings: &Value) -> Value {
    fn write(path: &str, value: &Value, out: &mut Map<String, Value>) {
        match value {
            Value::Object(below) => {
                for (key, value) in below {
                    let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                    write(&path, value, out);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                out.insert(path.to_owned(), value.clone());
            }
        }
    }
    let mut out = Map::new();
    write("", settings, &mut out);
    Value::Object(out)
}

struct Counts {
    documents: u64,
    bytes: u64,
}

struct Search {
    query: Query,
    sort: Vec<Sort>,
    from: u64,
    size: u64,
    /// How many hits are counted exactly; `None` for all, 0 for not at all.
    track: Option<usize>,
    source: SourceFilter,
}

impl Default for Search {
    fn default() -> Self {
        Self {
            query: Query::All,
            sort: Vec::new(),
            from: 0,
            size: 10,
            track: Some(10_000),
            source: SourceFilter::default(),
        }
    }
}

impl Search {
    fn read_body(&mut self, body: Option<&Value>) -> Result<(), Failure> {
        for (key, value) in body.and_then(Value::as_object).into_iter().flatten() {
            match key.as_str() {
                "query" => self.query = Query::read(value)?,
                "sort" => self.sort = Sort::read(value)?,
                "from" => self.from = natural(key, value)?,
                "size" => self.size = natural(key, value)?,
                "track_total_hits" => self.track = read_track(value)?,
                "_source" => self.source = SourceFilter::read(value)?,
                "timeout" | "version" if value.is_string() => {}
                other => {
                    return Err(Failure::parsing(format!(
                        "Unknown key for a {} in [{other}].",
                        match value {
                            Value::Object(_) => "START_OBJECT",
                            Value::Array(_) => "START_ARRAY",
                            Value::Bool(_) => "VALUE_BOOLEAN",
                            Value::Number(_) => "VALUE_NUMBER",
                            Value::String(_) => "VALUE_STRING",
                            Value::Null => "VALUE_NULL",
                        }
                    )));
                }
            }
        }
        Ok(())
    }

    fn read_parameters(&mut self, ask: Ask<'_>) -> Result<(), Failure> {
        if let Some(text) = ask.parameter("q") {
            let fields = vec![ask.parameter("df").unwrap_or("*").to_owned()];
            let how = match ask.parameter("default_operator").map(str::to_lowercase) {
                Some(operator) if operator == "and" => How::EveryWord,
                Some(_) | None => How::AnyWord,
            };
            self.query = Query::read_text(text, &fields, how, None)?;
        }
        if let Some(from) = ask.parameter("from") {
            self.from = natural("from", &json!(from))?;
        }
        if let Some(size) = ask.parameter("size") {
            self.size = natural("size", &json!(size))?;
        }
        if let Some(sort) = ask.parameter("sort") {
            self.sort = Sort::read(&sort.split(',').map(|one| json!(one)).collect())?;
        }
        if let Some(track) = ask.parameter("track_total_hits") {
            self.track = read_track(&serde_json::from_str(track).unwrap_or_else(|_| json!(track)))?;
        }
        if ask.flag("rest_total_hits_as_int")? == Some(true) {
            self.track = None;
        }
        match ask.parameter("_source") {
            Some("true") => self.source = SourceFilter::default(),
            Some("false") => self.source = SourceFilter::Nothing,
            Some(fields) => self.source = SourceFilter::read(&fields.split(',').map(|one| json!(one)).collect())?,
            None => {}
        }
        Ok(())
    }
}

enum SourceFilter {
    Nothing,
    Some { includes: Vec<String>, excludes: Vec<String> },
}

impl Default for SourceFilter {
    fn default() -> Self {
        Self::Some { includes: Vec::new(), excludes: Vec::new() }
    }
}

impl SourceFilter {
    fn read(written: &Value) -> Result<Self, Failure> {
        let list = |value: Option<&Value>| -> Vec<String> {
            match value {
                Some(Value::Array(elements)) => elements.iter().map(preview).collect(),
                Some(value) => vec![preview(value)],
                None => Vec::new(),
            }
        };
        match written {
            Value::Bool(true) => Ok(Self::default()),
            Value::Bool(false) => Ok(Self::Nothing),
            Value::String(_) | Value::Array(_) => {
                Ok(Self::Some { includes: list(Some(written)), excludes: Vec::new() })
            }
            Value::Object(object) => {
                if let Some((key, _)) = object.iter().find(|(key, _)| *key != "includes" && *key != "excludes") {
                    return Err(Failure::parsing(format!("Unknown key for a VALUE_STRING in [{key}].")));
                }
                Ok(Self::Some { includes: list(object.get("includes")), excludes: list(object.get("excludes")) })
            }
            Value::Null | Value::Number(_) => {
                Err(Failure::parsing("Expected one of [VALUE_BOOLEAN, START_OBJECT] for [_source]"))
            }
        }
    }

    fn of(&self, source: &Value) -> Option<Value> {
        match self {
            Self::Nothing => None,
            Self::Some { includes, excludes } => {
                Some(prune(source, "", includes, excludes).unwrap_or_else(|| json!({})))
            }
        }
    }
}

fn prune(value: &Value, path: &str, includes: &[String], excludes: &[String]) -> Option<Value> {
    let names = |patterns: &[String]| {
        patterns.iter().any(|pattern| {
            matches_pattern(pattern, path)
                || path.strip_prefix(pattern.as_str()).is_some_and(|rest| rest.starts_with('.'))
        })
    };
    if !path.is_empty() && names(excludes) {
        return None;
    }
    match value {
        Value::Object(object) => {
            let kept: Map<String, Value> = object
                .iter()
                .filter_map(|(key, inner)| {
                    let below = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                    prune(inner, &below, includes, excludes).map(|inner| (key.clone(), inner))
                })
                .collect();
            (path.is_empty() || !kept.is_empty() || includes.is_empty() || names(includes))
                .then_some(Value::Object(kept))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            (includes.is_empty() || names(includes)).then(|| value.clone())
        }
    }
}

fn read_mapping(written: &Value) -> Result<Mapping, Failure> {
    Mapping::read(written)
        .map_err(|failure| Failure::mapper_parsing(format!("Failed to parse mapping [_doc]: {}", failure.reason())))
}

fn read_track(value: &Value) -> Result<Option<usize>, Failure> {
    match value {
        Value::Bool(true) => Ok(None),
        Value::Bool(false) => Ok(Some(0)),
        other => natural("track_total_hits", other).map(|most| usize::try_from(most).ok()),
    }
}

fn natural(key: &str, value: &Value) -> Result<u64, Failure> {
    let text = preview(value);
    text.parse()
        .map_err(|_| Failure::illegal_argument(format!("[{key}] parameter cannot be negative or text, found [{text}]")))
}

fn written_settings(name: &str, index: &Index) -> Value {
    let mut all = index.settings.clone();
    all.insert("index.creation_date".to_owned(), json!(index.created_milliseconds.to_string()));
    all.insert("index.provided_name".to_owned(), json!(name));
    all.insert("index.uuid".to_owned(), json!(index.uuid));
    settings::nested(&all)
}

/// The rules of index names (OpenSearch reference, create index).
pub(crate) fn check_index_name(name: &str) -> Result<(), Failure> {
    let why = if name.chars().any(char::is_uppercase) {
        "must be lowercase"
    } else if name.starts_with(['_', '-', '+']) {
        "must not start with '_', '-', or '+'"
    } else if name.contains(['\\', '/', '*', '?', '"', '<', '>', '|', ' ', ',']) {
        "must not contain the following characters [ , \", *, \\, <, |, ,, >, /, ?]"
    } else if name.contains('#') {
        "must not contain '#'"
    } else if name.contains(':') {
        "must not contain ':'"
    } else if name == "." || name == ".." {
        "must not be '.' or '..'"
    } else if name.len() > 255 {
        "index name is too long, (more than 255 bytes)"
    } else if name.is_empty() {
        "must not be empty"
    } else {
        return Ok(());
    };
    Err(Failure::new(400, "invalid_index_name_exception", format!("Invalid index name [{name}], {why}")).on_index(name))
}

fn shards_failed(cause: Failure) -> Failure {
    Failure::new(cause.status, "search_phase_execution_exception", "all shards failed").caused_by(cause)
}

fn human(bytes: u64) -> String {
    match bytes {
        0..1_024 => format!("{bytes}b"),
        1_024..1_048_576 => format!("{:.1}kb", bytes as f64 / 1_024.0),
        _ => format!("{:.1}mb", bytes as f64 / 1_048_576.0),
    }
}
