//! What is inside a domain: a small OpenSearch or Elasticsearch of templates, indexes and documents.
//!
//! What it does not know it refuses in the engines' own error shape; it must never answer 200 to what it ignored.

mod bulk;
mod cluster;
mod date_format;
mod document;
mod failure;
mod index;
mod mapping;
mod pattern;
mod query_string;
mod search;
mod settings;
mod strict_json;
mod template;
mod version;

use bytes::Bytes;
use http::Method;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::request::decode;
use crate::response::Response;
use crate::table::{Stored, Table};

pub use document::Document;
pub use index::Index;
pub(crate) use search::words;
pub use template::Template;
pub use version::{EngineVersion, Family};

use failure::Failure;
use version::Compatibility;

/// What is inside all domains. Each key begins with the scope of its domain, `REGION/DOMAIN/`.
#[derive(Clone, Debug, Default)]
pub struct Data {
    composable: Table<Template>,
    legacy: Table<Template>,
    indexes: Table<Index>,
    documents: Table<Document>,
}

impl Data {
    pub(crate) fn tables(&mut self) -> Vec<(&'static str, &mut dyn Stored)> {
        let Self { composable, legacy, indexes, documents } = self;
        vec![
            ("index-templates", composable),
            ("legacy-templates", legacy),
            ("indexes", indexes),
            ("documents", documents),
        ]
    }

    /// Deletes everything that was inside a domain.
    pub(crate) fn delete_domain(&mut self, scope: &str) {
        let Self { composable, legacy, indexes, documents } = self;
        remove_scope(composable, scope);
        remove_scope(legacy, scope);
        remove_scope(indexes, scope);
        remove_scope(documents, scope);
    }
}

fn remove_scope<V>(table: &mut Table<V>, scope: &str) {
    let keys: Vec<String> = table.with_prefix(scope).map(|(key, _)| key.clone()).collect();
    for key in keys {
        table.remove(&key);
    }
}

/// One domain's engine for as long as one request takes.
#[derive(Debug)]
pub struct Engine<'a> {
    /// What is inside all domains.
    pub data: &'a mut Data,
    /// Where this domain's keys begin, with a slash at the end.
    pub scope: String,
    /// The engine and its version.
    pub version: EngineVersion,
    /// How many nodes hold data, which decides how many copies can be placed.
    pub data_nodes: i64,
    /// The disk of each of them, in bytes.
    pub disk_bytes: u64,
    /// `ACCOUNT:DOMAIN`.
    pub cluster_name: String,
    /// How many seconds one second of the refresh interval takes.
    pub refresh_scale: f64,
    /// Whether a bulk request may name an index in its lines, `rest.action.multi.allow_explicit_index`.
    pub explicit_index: ExplicitIndex,
    /// Whether `GET /` claims to be Elasticsearch 7.10.2, `override_main_response_version`.
    pub claims_elasticsearch: bool,
}

/// `rest.action.multi.allow_explicit_index`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExplicitIndex {
    /// A bulk line may name its index.
    Allowed,
    /// It may not, and Firehose cannot deliver.
    Refused,
}

/// A request to an engine, below the domain's endpoint.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// The HTTP method.
    pub method: &'a Method,
    /// The path that the domain sees, still percent-encoded.
    pub path: &'a str,
    /// The decoded query parameters.
    pub query: &'a [(String, String)],
    /// The media type of the body.
    pub media_type: Option<&'a str>,
    /// The body.
    pub body: &'a [u8],
}

impl Ask<'_> {
    fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn flag(&self, name: &str) -> Result<Option<bool>, Failure> {
        match self.parameter(name) {
            None => Ok(None),
            Some("" | "true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(other) => Err(Failure::illegal_argument(format!(
                "Failed to parse value [{other}] as only [true] or [false] are allowed."
            ))),
        }
    }

    /// Refuses parameters that the route does not know.
    fn allow(&self, known: &[&str]) -> Result<(), Failure> {
        const EVERYWHERE: [&str; 6] = ["error_trace", "filter_path", "flat_settings", "format", "human", "pretty"];
        const COMMON: [&str; 6] = [
            "allow_no_indices",
            "cluster_manager_timeout",
            "expand_wildcards",
            "ignore_unavailable",
            "master_timeout",
            "timeout",
        ];
        let unknown = self
            .query
            .iter()
            .map(|(key, _)| key.as_str())
            .find(|key| !EVERYWHERE.contains(key) && !COMMON.contains(key) && !known.contains(key));
        match unknown {
            Some(key) => Err(Failure::illegal_argument(format!(
                "request [{}] contains unrecognized parameter: [{key}]",
                self.path
            ))),
            None => Ok(()),
        }
    }

    /// The body as JSON; `None` where there is none.
    fn json(&self) -> Result<Option<Value>, Failure> {
        if self.body.iter().all(u8::is_ascii_whitespace) {
            return Ok(None);
        }
        strict_json::from_slice(self.body).map(Some).map_err(|error| {
            Failure::new(400, "parse_exception", "request body is not JSON").caused_by(Failure::new(
                400,
                "json_parse_exception",
                error.to_string(),
            ))
        })
    }

    fn needed_json(&self) -> Result<Value, Failure> {
        self.json()?.ok_or_else(|| Failure::new(400, "parse_exception", "request body is required"))
    }
}

/// What a route answers.
#[derive(Debug)]
enum Answer {
    Json(u16, Value),
    Text(String),
}

impl From<Value> for Answer {
    fn from(body: Value) -> Self {
        Self::Json(200, body)
    }
}

impl Engine<'_> {
    /// Answers a request, and changes what is inside the domain where it says so.
    pub fn handle(&mut self, ask: Ask<'_>, now: Timestamp) -> Response {
        let answer = self.route(ask, now);
        let response = match answer {
            Ok(Answer::Json(status, body)) => match filter(ask.parameter("filter_path"), body) {
                Ok(body) => json_response(status, &body),
                Err(failure) => json_response(failure.status, &failure.body()),
            },
            Ok(Answer::Text(text)) => Response::text(200, "text/plain; charset=UTF-8", text),
            Err(Refused::Failure(failure)) => json_response(failure.status, &failure.body()),
            Err(Refused::Plain(status, reason)) => json_response(status, &json!({"error": reason, "status": status})),
        };
        if ask.method == Method::HEAD { Response { body: Bytes::new(), ..response } } else { response }
    }

    fn route(&mut self, ask: Ask<'_>, now: Timestamp) -> Result<Answer, Refused> {
        if !ask.body.is_empty() {
            let media_type = ask.media_type.map(|full| full.split(';').next().unwrap_or_default().trim());
            if !matches!(media_type, Some("application/json" | "application/x-ndjson")) {
                return Err(Refused::Plain(
                    406,
                    format!("Content-Type header [{}] is not supported", ask.media_type.unwrap_or_default()),
                ));
            }
        }
        let segments: Vec<String> =
            ask.path.trim_matches('/').split('/').filter(|part| !part.is_empty()).map(decode).collect();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let method = match *ask.method {
            Method::GET => Verb::Get,
            Method::HEAD => Verb::Head,
            Method::POST => Verb::Post,
            Method::PUT => Verb::Put,
            Method::DELETE => Verb::Delete,
            _ => return Err(self.wrong_method(ask, &[])),
        };
        match (&segments[..], method) {
            ([], Verb::Get | Verb::Head) => {
                ask.allow(&[])?;
                Ok(self.greeting().into())
            }
            (["_cluster", "health"], Verb::Get) => Ok(self.health(ask, "*")?),
            (["_cluster", "health", index], Verb::Get) => Ok(self.health(ask, index)?),
            (["_cluster", "settings"], Verb::Get) => Ok(self.cluster_settings(ask)?.into()),
            (["_cat", "allocation"], Verb::Get) => self.cat_allocation(ask, now),
            (["_cat", "indices"], Verb::Get) => Ok(self.cat_indices(ask, "*", now)?),
            (["_cat", "indices", index], Verb::Get) => Ok(self.cat_indices(ask, index, now)?),
            (["_index_template"], Verb::Get) if self.version.has_composable_templates() => {
                Ok(self.get_composable(ask, None)?)
            }
            (["_index_template", name], _) if self.version.has_composable_templates() => match method {
                Verb::Get | Verb::Head => Ok(self.get_composable(ask, Some(name))?),
                Verb::Put | Verb::Post => Ok(self.put_composable(ask, name)?.into()),
                Verb::Delete => Ok(self.delete_composable(ask, name)?.into()),
            },
            // Before Elasticsearch 7.8 this is read as INDEX/TYPE, which takes documents and nothing else.
            (["_index_template", _], _) => Err(self.wrong_method(ask, &["POST"])),
            (["_template"], Verb::Get) => Ok(self.get_legacy(ask, "*")?),
            (["_template", name], _) => match method {
                Verb::Get | Verb::Head => Ok(self.get_legacy(ask, name)?),
                Verb::Put | Verb::Post => Ok(self.put_legacy(ask, name)?.into()),
                Verb::Delete => Ok(self.delete_legacy(ask, name)?.into()),
            },
            (["_bulk"], Verb::Post | Verb::Put) => Ok(self.bulk(ask, None, now)?.into()),
            ([index, "_bulk"], Verb::Post | Verb::Put) => Ok(self.bulk(ask, Some(index), now)?.into()),
            (["_search"], Verb::Get | Verb::Post) => Ok(self.search(ask, "*", now)?.into()),
            ([index, "_search"], Verb::Get | Verb::Post) => Ok(self.search(ask, index, now)?.into()),
            (["_count"], Verb::Get | Verb::Post) => Ok(self.count(ask, "*", now)?.into()),
            ([index, "_count"], Verb::Get | Verb::Post) => Ok(self.count(ask, index, now)?.into()),
            ([index, "_delete_by_query"], Verb::Post) => Ok(self.delete_by_query(ask, index, now)?.into()),
            (["_refresh"], Verb::Get | Verb::Post) => Ok(self.refresh(ask, "*", now)?.into()),
            ([index, "_refresh"], Verb::Get | Verb::Post) => Ok(self.refresh(ask, index, now)?.into()),
            (["_stats"], Verb::Get) => Ok(self.stats(ask, "*", now)?.into()),
            ([index, "_stats"], Verb::Get) => Ok(self.stats(ask, index, now)?.into()),
            (["_mapping"], Verb::Get) => Ok(self.get_mapping(ask, "*")?.into()),
            ([index, "_mapping"], Verb::Get) => Ok(self.get_mapping(ask, index)?.into()),
            ([index, "_mapping"], Verb::Put | Verb::Post) => Ok(self.put_mapping(ask, index)?.into()),
            (["_settings"], Verb::Get) => Ok(self.get_settings(ask, "*")?.into()),
            ([index, "_settings"], Verb::Get) => Ok(self.get_settings(ask, index)?.into()),
            ([index, "_settings"], Verb::Put) => Ok(self.put_settings(ask, index)?.into()),
            ([index, "_doc"], Verb::Post) => Ok(self.write_document(ask, index, None, now)?),
            ([index, "_doc", id], _) => match method {
                Verb::Get | Verb::Head => Ok(self.get_document(ask, index, id)?),
                Verb::Put | Verb::Post => Ok(self.write_document(ask, index, Some(id), now)?),
                Verb::Delete => Ok(self.delete_document(ask, index, id, now)?),
            },
            ([index, "_create", id], Verb::Put | Verb::Post) => Ok(self.create_document(ask, index, id, now)?),
            ([index, "_source", id], Verb::Get | Verb::Head) => Ok(self.get_source(ask, index, id)?),
            ([index], _) if !index.starts_with('_') || *index == "_all" => match method {
                Verb::Get => Ok(self.get_index(ask, index)?.into()),
                Verb::Head => {
                    let found = self.resolve(ask, index)?;
                    let status = if found.is_empty() { 404 } else { 200 };
                    Ok(Answer::Json(status, Value::Null))
                }
                Verb::Put => Ok(self.put_index(ask, index, now)?.into()),
                Verb::Delete => Ok(self.delete_index(ask, index)?.into()),
                Verb::Post => Err(self.wrong_method(ask, &["DELETE", "GET", "HEAD", "PUT"])),
            },
            (
                ["_search" | "_count" | "_refresh"] | [_, "_search" | "_count" | "_refresh"] | ["_bulk"] | [_, "_bulk"],
                _,
            ) => Err(self.wrong_method(ask, &["GET", "POST"])),
            ([index, "_doc"], _) if !index.starts_with('_') => Err(self.wrong_method(ask, &["POST"])),
            ([name, ..], _) if name.starts_with('_') => Err(Refused::Failure(Failure::illegal_argument(format!(
                "the local AWS does not support [{} {}]",
                ask.method, ask.path
            )))),
            ([_, ..], _) => {
                Err(Refused::Plain(400, format!("no handler found for uri [{}] and method [{}]", ask.path, ask.method)))
            }
            ([], _) => Err(self.wrong_method(ask, &["GET", "HEAD"])),
        }
    }

    #[expect(clippy::unused_self, reason = "reads as the other answers of the route")]
    fn wrong_method(&self, ask: Ask<'_>, allowed: &[&str]) -> Refused {
        Refused::Plain(
            405,
            format!(
                "Incorrect HTTP method for uri [{}] and method [{}], allowed: [{}]",
                ask.path,
                ask.method,
                allowed.join(", ")
            ),
        )
    }

    fn greeting(&self) -> Value {
        let compatibility =
            if self.claims_elasticsearch { Compatibility::ClaimsElasticsearch } else { Compatibility::AsItIs };
        self.version.greeting(&self.cluster_name, compatibility)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verb {
    Get,
    Head,
    Post,
    Put,
    Delete,
}

#[derive(Debug)]
enum Refused {
    Failure(Failure),
    Plain(u16, String),
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

fn json_response(status: u16, body: &Value) -> Response {
    Response::text(status, "application/json; charset=UTF-8", body.to_string())
}

fn filter(paths: Option<&str>, body: Value) -> Result<Value, Failure> {
    let Some(paths) = paths.filter(|paths| !paths.is_empty()) else {
        return Ok(body);
    };
    let paths: Vec<Vec<&str>> = paths.split(',').map(|path| path.split('.').collect()).collect();
    if paths.iter().flatten().any(|part| part.starts_with('-') || *part == "**") {
        return Err(Failure::illegal_argument("the local AWS knows neither exclusions nor ** in [filter_path]"));
    }
    let paths: Vec<&[&str]> = paths.iter().map(Vec::as_slice).collect();
    Ok(keep(&body, &paths).unwrap_or_else(|| json!({})))
}

fn keep(value: &Value, paths: &[&[&str]]) -> Option<Value> {
    if paths.iter().any(|path| path.is_empty()) {
        return Some(value.clone());
    }
    match value {
        Value::Object(object) => {
            let kept: Map<String, Value> = object
                .iter()
                .filter_map(|(key, inner)| {
                    let below: Vec<&[&str]> = paths
                        .iter()
                        .filter_map(|path| {
                            let (first, rest) = path.split_first()?;
                            pattern::matches_pattern(first, key).then_some(rest)
                        })
                        .collect();
                    if below.is_empty() { None } else { Some((key.clone(), keep(inner, &below)?)) }
                })
                .collect();
            (!kept.is_empty()).then_some(Value::Object(kept))
        }
        Value::Array(elements) => {
            let kept: Vec<Value> = elements.iter().filter_map(|element| keep(element, paths)).collect();
            (!kept.is_empty()).then_some(Value::Array(kept))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

#[cfg(test)]
mod tests;
