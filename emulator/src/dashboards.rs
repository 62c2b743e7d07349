//! The part of OpenSearch Dashboards, and of Kibana before it, that answers programs: saved objects and settings. There
//! is no user interface but a stand-in for Discover; every other path is a 404.

pub(crate) mod discover;

use std::collections::BTreeMap;

use base64::Engine as _;
use http::{HeaderMap, Method};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{
    engine::{EngineVersion, Family, words},
    request::{as_text, decode},
    response::Response,
    table::{Stored, Table},
};

/// What all domains' Dashboards keep. Each key begins with the scope of its domain and the tenant.
#[derive(Clone, Debug, Default)]
pub struct Data {
    objects: Table<SavedObject>,
    settings: Table<Map<String, Value>>,
}

/// A saved object, such as an index pattern.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SavedObject {
    attributes: Map<String, Value>,
    references: Value,
    updated_at: Timestamp,
    sequence_number: u64,
}

impl Data {
    pub(crate) fn tables(&mut self) -> Vec<(&'static str, &mut dyn Stored)> {
        let Self { objects, settings } = self;
        vec![("saved-objects", objects), ("dashboards-settings", settings)]
    }

    /// Deletes everything that a domain's Dashboards kept.
    pub(crate) fn delete_domain(&mut self, scope: &str) {
        let keys: Vec<String> = self.objects.with_prefix(scope).map(|(key, _)| key.clone()).collect();
        for key in keys {
            self.objects.remove(&key);
        }
        let keys: Vec<String> = self.settings.with_prefix(scope).map(|(key, _)| key.clone()).collect();
        for key in keys {
            self.settings.remove(&key);
        }
    }
}

/// Whether Dashboards have come up behind their endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// Every request is answered 503.
    NotYet,
    /// Requests are answered.
    Ready,
}

/// Whether objects belong to tenants, which fine-grained access control brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tenancy {
    /// Everybody sees the same objects, and tenant headers are ignored.
    None,
    /// Who names no tenant works in a private one.
    OfUser(String),
}

/// One domain's Dashboards for as long as one request takes.
#[derive(Debug)]
pub struct Dashboards<'a> {
    /// What all domains' Dashboards keep.
    pub data: &'a mut Data,
    /// Where this domain's keys begin, with a slash at the end.
    pub scope: String,
    /// The domain's engine, which decides between OpenSearch Dashboards and Kibana.
    pub version: EngineVersion,
    /// Whether they have come up.
    pub readiness: Readiness,
    /// Whether objects belong to tenants.
    pub tenancy: Tenancy,
}

/// A request to Dashboards.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// The HTTP method.
    pub method: &'a Method,
    /// The path below [`base`], still percent-encoded.
    pub path: &'a str,
    /// The decoded query parameters that arrive.
    pub query: &'a [(String, String)],
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The body.
    pub body: &'a [u8],
}

/// Where Dashboards are below a domain's endpoint (OpenSearch Service guide, using Dashboards).
#[must_use]
pub fn base(version: EngineVersion) -> &'static str {
    match version.family {
        Family::OpenSearch => "/_dashboards",
        Family::Elasticsearch => "/_plugin/kibana",
    }
}

/// The types of saved objects that exist; others are refused.
const TYPES: [&str; 7] = ["config", "dashboard", "index-pattern", "query", "search", "url", "visualization"];

struct Refusal {
    status: u16,
    message: String,
}

fn refuse<T>(status: u16, message: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal { status, message: message.into() })
}

impl Ask<'_> {
    fn header(&self, name: &str) -> Option<&str> {
        as_text(self.headers.get(name)?)
    }

    fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn allow(&self, known: &[&str]) -> Result<(), Refusal> {
        const TENANTS: [&str; 3] = ["securityTenant_", "securitytenant", "security_tenant"];
        match self.query.iter().find(|(key, _)| !known.contains(&key.as_str()) && !TENANTS.contains(&key.as_str())) {
            Some((key, _)) => refuse(400, format!("[request query.{key}]: definition for this key is missing")),
            None => Ok(()),
        }
    }

    fn json(&self) -> Result<Value, Refusal> {
        let media_type = self.header("content-type").map(|full| full.split(';').next().unwrap_or_default().trim());
        if media_type != Some("application/json") {
            return refuse(415, "Unsupported Media Type");
        }
        serde_json::from_slice(self.body).or_else(|_| refuse(400, "Invalid request payload JSON format"))
    }
}

impl Dashboards<'_> {
    /// Answers a request.
    pub fn handle(&mut self, ask: Ask<'_>, now: Timestamp) -> Response {
        match self.route(ask, now) {
            Ok(body) => json_response(200, &body),
            Err(Refusal { status: 503, message }) => Response::text(503, "text/plain; charset=utf-8", message),
            Err(Refusal { status, message }) => json_response(status, &error(status, &message)),
        }
        .with_header(self.name_header(), "local")
    }

    fn route(&mut self, ask: Ask<'_>, now: Timestamp) -> Result<Value, Refusal> {
        if self.readiness == Readiness::NotYet {
            let product = match self.version.family {
                Family::OpenSearch => "OpenSearch Dashboards",
                Family::Elasticsearch => "Kibana",
            };
            return refuse(503, format!("{product} server is not ready yet"));
        }
        if *ask.method != Method::GET && *ask.method != Method::HEAD {
            self.check_forgery(ask)?;
        }
        let tenant = self.tenant(ask);
        let segments: Vec<String> =
            ask.path.trim_matches('/').split('/').filter(|part| !part.is_empty()).map(decode).collect();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let settings = match self.version.family {
            Family::OpenSearch => "opensearch-dashboards",
            Family::Elasticsearch => "kibana",
        };
        match (ask.method.as_str(), &segments[..]) {
            ("GET", ["api", "status"]) => Ok(self.status(now)),
            ("GET", ["api", "saved_objects", "_find"]) => self.find(ask, &tenant),
            ("POST", ["api", "saved_objects", "_bulk_create"]) => self.bulk_create(ask, &tenant, now),
            ("POST", ["api", "saved_objects", "_bulk_get"]) => self.bulk_get(ask, &tenant),
            (_, ["api", "saved_objects", name, ..]) if name.starts_with('_') => refuse(404, "Not Found"),
            ("POST", ["api", "saved_objects", kind]) => {
                let id = uuid::Uuid::new_v4().to_string();
                self.create_one(ask, &tenant, kind, &id, now)
            }
            ("POST", ["api", "saved_objects", kind, id]) => self.create_one(ask, &tenant, kind, id, now),
            ("GET", ["api", "saved_objects", kind, id]) => self.get(ask, &tenant, kind, id),
            ("PUT", ["api", "saved_objects", kind, id]) => self.update(ask, &tenant, kind, id, now),
            ("DELETE", ["api", "saved_objects", kind, id]) => self.delete(ask, &tenant, kind, id),
            ("GET", ["api", product, "settings"]) if *product == settings => {
                ask.allow(&[])?;
                Ok(self.settings_answer(&tenant))
            }
            ("POST", ["api", product, "settings"]) if *product == settings => {
                let body = ask.json()?;
                only(&body, &["changes"])?;
                let changes = object(&body, "changes")?.clone();
                self.change_settings(&tenant, changes);
                Ok(self.settings_answer(&tenant))
            }
            ("POST", ["api", product, "settings", key]) if *product == settings => {
                let body = ask.json()?;
                only(&body, &["value"])?;
                let value = body.get("value").cloned().unwrap_or(Value::Null);
                self.change_settings(&tenant, Map::from_iter([((*key).to_owned(), value)]));
                Ok(self.settings_answer(&tenant))
            }
            ("DELETE", ["api", product, "settings", key]) if *product == settings => {
                self.change_settings(&tenant, Map::from_iter([((*key).to_owned(), Value::Null)]));
                Ok(self.settings_answer(&tenant))
            }
            _ => refuse(404, "Not Found"),
        }
    }

    /// Writes what a browser does when it opens an index pattern: the field list that no program sends.
    pub fn fill_in_fields(&mut self, tenant: &str, id: &str, fields: &Value) {
        if let Some(object) = self.data.objects.get_mut(&format!("{}{tenant}/index-pattern/{id}", self.scope)) {
            object.attributes.insert("fields".to_owned(), json!(fields.to_string()));
            object.sequence_number += 1;
        }
    }

    fn name_header(&self) -> &'static str {
        match self.version.family {
            Family::OpenSearch => "osd-name",
            Family::Elasticsearch => "kbn-name",
        }
    }

    /// The header that proves that no foreign page sent the request. OpenSearch Dashboards do not take Kibana's.
    fn check_forgery(&self, ask: Ask<'_>) -> Result<(), Refusal> {
        let prefix = match self.version.family {
            Family::OpenSearch => "osd",
            Family::Elasticsearch => "kbn",
        };
        let number = self.number();
        match ask.header(&format!("{prefix}-version")) {
            Some(sent) if sent != number => refuse(
                400,
                format!(
                    "Browser client is out of date, please refresh the page (\"{prefix}-version\" header was \
                     \"{sent}\" but should be \"{number}\")"
                ),
            ),
            Some(_) => Ok(()),
            None if ask.header(&format!("{prefix}-xsrf")).is_some() => Ok(()),
            None => refuse(400, format!("Request must contain a {prefix}-xsrf header.")),
        }
    }

    /// The tenant by the security plugin's order: query, header, and then private.
    fn tenant(&self, ask: Ask<'_>) -> String {
        let user = match &self.tenancy {
            Tenancy::None => return "global".to_owned(),
            Tenancy::OfUser(user) => user,
        };
        let named = ["securityTenant_", "securitytenant", "security_tenant"]
            .into_iter()
            .find_map(|name| ask.parameter(name))
            .or_else(|| ask.header("securitytenant"));
        match named.map(str::to_lowercase).as_deref() {
            Some("" | "global") => "global".to_owned(),
            None | Some("private" | "__user__") => format!("private:{}", user.replace('/', "|")),
            Some(other) => format!("named:{}", other.replace('/', "|")),
        }
    }

    fn number(&self) -> String {
        format!("{}.{}.0", self.version.major, self.version.minor)
    }

    fn status(&self, now: Timestamp) -> Value {
        json!({
            "name": "local",
            "uuid": "00000000-0000-4000-8000-000000000000",
            "version": {
                "number": self.number(), "build_hash": "unknown", "build_number": 1, "build_snapshot": false
            },
            "status": {
                "overall": {
                    "since": now.to_string(),
                    "state": "green",
                    "title": "Green",
                    "nickname": "Looking good",
                    "icon": "success",
                    "uiColor": "secondary",
                },
                "statuses": [],
            },
        })
    }

    fn key(&self, tenant: &str, kind: &str, id: &str) -> String {
        format!("{}{tenant}/{kind}/{id}", self.scope)
    }

    fn create(
        &mut self,
        tenant: &str,
        written: &Value,
        names: (&str, &str),
        overwrite: Overwrite,
        now: Timestamp,
    ) -> Result<Value, Refusal> {
        let (kind, id) = names;
        check_type(kind)?;
        let attributes = object(written, "attributes")?.clone();
        let references = written.get("references").cloned().unwrap_or_else(|| json!([]));
        let key = self.key(tenant, kind, id);
        let sequence_number = match (self.data.objects.get(&key), overwrite) {
            (Some(_), Overwrite::Refused) => {
                return refuse(409, format!("Saved object [{kind}/{id}] conflict"));
            }
            (Some(existing), Overwrite::Allowed) => existing.sequence_number + 1,
            (None, _) => 1,
        };
        let saved = SavedObject { attributes, references, updated_at: now, sequence_number };
        let answer = self.written(kind, id, &saved);
        self.data.objects.insert(key, saved);
        Ok(answer)
    }

    fn create_one(
        &mut self,
        ask: Ask<'_>,
        tenant: &str,
        kind: &str,
        id: &str,
        now: Timestamp,
    ) -> Result<Value, Refusal> {
        ask.allow(&["overwrite"])?;
        let body = ask.json()?;
        only(&body, &["attributes", "references", "migrationVersion", "initialNamespaces"])?;
        self.create(tenant, &body, (kind, id), overwrite(ask)?, now)
    }

    fn bulk_create(&mut self, ask: Ask<'_>, tenant: &str, now: Timestamp) -> Result<Value, Refusal> {
        ask.allow(&["overwrite"])?;
        let overwrite = overwrite(ask)?;
        let body = ask.json()?;
        let Some(elements) = body.as_array() else {
            return refuse(400, "[request body]: expected value of type [array]");
        };
        for element in elements {
            only(element, &["type", "id", "attributes", "references", "migrationVersion", "version"])?;
            object(element, "attributes")?;
            check_type(text(element, "type")?)?;
        }
        let mut saved = Vec::new();
        for element in elements {
            let kind = text(element, "type")?;
            let generated = uuid::Uuid::new_v4().to_string();
            let id = element.get("id").and_then(Value::as_str).unwrap_or(&generated);
            saved.push(match self.create(tenant, element, (kind, id), overwrite, now) {
                Ok(created) => created,
                Err(Refusal { status, message }) => {
                    json!({"type": kind, "id": id, "error": error(status, &message)})
                }
            });
        }
        Ok(json!({"saved_objects": saved}))
    }

    fn bulk_get(&self, ask: Ask<'_>, tenant: &str) -> Result<Value, Refusal> {
        ask.allow(&[])?;
        let body = ask.json()?;
        let Some(elements) = body.as_array() else {
            return refuse(400, "[request body]: expected value of type [array]");
        };
        let mut found = Vec::new();
        for element in elements {
            let (kind, id) = (text(element, "type")?, text(element, "id")?);
            found.push(match self.data.objects.get(&self.key(tenant, kind, id)) {
                Some(saved) => self.written(kind, id, saved),
                None => json!({"type": kind, "id": id, "error": error(404, &missing(kind, id))}),
            });
        }
        Ok(json!({"saved_objects": found}))
    }

    fn get(&self, ask: Ask<'_>, tenant: &str, kind: &str, id: &str) -> Result<Value, Refusal> {
        ask.allow(&[])?;
        match self.data.objects.get(&self.key(tenant, kind, id)) {
            Some(saved) => Ok(self.written(kind, id, saved)),
            None => refuse(404, missing(kind, id)),
        }
    }

    fn update(&mut self, ask: Ask<'_>, tenant: &str, kind: &str, id: &str, now: Timestamp) -> Result<Value, Refusal> {
        ask.allow(&[])?;
        let body = ask.json()?;
        only(&body, &["attributes", "references", "version"])?;
        let attributes = object(&body, "attributes")?.clone();
        let key = self.key(tenant, kind, id);
        let Some(saved) = self.data.objects.get_mut(&key) else {
            return refuse(404, missing(kind, id));
        };
        if let Some(expected) = body.get("version").and_then(Value::as_str)
            && expected != version(saved)
        {
            return refuse(409, format!("Saved object [{kind}/{id}] conflict"));
        }
        saved.attributes.extend(attributes.clone());
        if let Some(references) = body.get("references") {
            saved.references = references.clone();
        }
        saved.updated_at = now;
        saved.sequence_number += 1;
        let saved = saved.clone();
        let mut answer = self.written(kind, id, &saved);
        // The answer repeats what was sent, and not what the object holds now.
        answer["attributes"] = Value::Object(attributes);
        Ok(answer)
    }

    fn delete(&mut self, ask: Ask<'_>, tenant: &str, kind: &str, id: &str) -> Result<Value, Refusal> {
        ask.allow(&["force"])?;
        match self.data.objects.remove(&self.key(tenant, kind, id)) {
            Some(_) => Ok(json!({})),
            None => refuse(404, missing(kind, id)),
        }
    }

    fn find(&self, ask: Ask<'_>, tenant: &str) -> Result<Value, Refusal> {
        ask.allow(&["type", "search", "search_fields", "per_page", "page", "fields", "default_search_operator"])?;
        let kinds: Vec<&str> =
            ask.query.iter().filter(|(key, _)| key == "type").map(|(_, kind)| kind.as_str()).collect();
        if kinds.is_empty() {
            return refuse(400, "[request query.type]: expected at least one defined value but got [undefined]");
        }
        let number = |name: &str, default: usize| match ask.parameter(name) {
            None => Ok(default),
            Some(text) => text.parse().or_else(|_| {
                refuse(400, format!("[request query.{name}]: expected value of type [number] but got [string]"))
            }),
        };
        let (page, per_page) = (number("page", 1)?, number("per_page", 20)?);
        let search_fields: Vec<&str> =
            ask.query.iter().filter(|(key, _)| key == "search_fields").map(|(_, field)| field.as_str()).collect();
        let fields: Vec<&str> =
            ask.query.iter().filter(|(key, _)| key == "fields").map(|(_, field)| field.as_str()).collect();
        let all = ask.parameter("default_search_operator").is_some_and(|operator| operator.eq_ignore_ascii_case("and"));
        let mut found = Vec::new();
        for kind in kinds {
            let prefix = format!("{}{tenant}/{kind}/", self.scope);
            for (key, saved) in self.data.objects.with_prefix(&prefix) {
                let fits = ask.parameter("search").is_none_or(|search| fits(saved, &search_fields, search, all));
                if fits {
                    let mut one = self.written(kind, &key[prefix.len()..], saved);
                    if !fields.is_empty()
                        && let Some(attributes) = one["attributes"].as_object_mut()
                    {
                        attributes.retain(|name, _| fields.contains(&name.as_str()));
                    }
                    one["score"] = json!(0);
                    found.push(one);
                }
            }
        }
        let total = found.len();
        let saved: Vec<Value> = found.into_iter().skip(page.saturating_sub(1) * per_page).take(per_page).collect();
        Ok(json!({"page": page, "per_page": per_page, "total": total, "saved_objects": saved}))
    }

    fn settings_answer(&self, tenant: &str) -> Value {
        let key = format!("{}{tenant}", self.scope);
        let mut settings: BTreeMap<&str, Value> = BTreeMap::from([("buildNum", json!({"userValue": 1}))]);
        for (name, value) in self.data.settings.get(&key).into_iter().flatten() {
            settings.insert(name, json!({"userValue": value}));
        }
        json!({"settings": settings})
    }

    fn change_settings(&mut self, tenant: &str, changes: Map<String, Value>) {
        let key = format!("{}{tenant}", self.scope);
        let mut settings = self.data.settings.get(&key).cloned().unwrap_or_default();
        for (name, value) in changes {
            if value.is_null() {
                settings.remove(&name);
            } else {
                settings.insert(name, value);
            }
        }
        self.data.settings.insert(key, settings);
    }

    fn written(&self, kind: &str, id: &str, saved: &SavedObject) -> Value {
        let SavedObject { attributes, references, updated_at, sequence_number: _ } = saved;
        let mut written = json!({
            "type": kind,
            "id": id,
            "attributes": attributes,
            "references": references,
            "updated_at": format!("{updated_at:.3}"),
            "version": version(saved),
        });
        if kind == "index-pattern" {
            written["migrationVersion"] = json!({"index-pattern": "7.6.0"});
        }
        if self.version.family == Family::OpenSearch || (self.version.major, self.version.minor) >= (7, 10) {
            written["namespaces"] = json!(["default"]);
        }
        written
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Overwrite {
    Refused,
    Allowed,
}

fn overwrite(ask: Ask<'_>) -> Result<Overwrite, Refusal> {
    match ask.parameter("overwrite") {
        None | Some("false") => Ok(Overwrite::Refused),
        Some("true") => Ok(Overwrite::Allowed),
        Some(_) => refuse(400, "[request query.overwrite]: expected value of type [boolean] but got [string]"),
    }
}

fn version(saved: &SavedObject) -> String {
    base64::engine::general_purpose::STANDARD.encode(format!("[{},1]", saved.sequence_number))
}

/// Whether an object's text has the words of a search: any of them, or all; `*` ends a word that is only begun.
fn fits(saved: &SavedObject, fields: &[&str], search: &str, all: bool) -> bool {
    let text: Vec<String> = saved
        .attributes
        .iter()
        .filter(|(name, _)| fields.is_empty() || fields.iter().any(|field| field.split('^').next() == Some(name)))
        .filter_map(|(_, value)| value.as_str())
        .flat_map(words)
        .collect();
    if let Some(phrase) = search.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        let wanted = words(phrase);
        return !wanted.is_empty() && text.windows(wanted.len()).any(|window| window == wanted);
    }
    let has = |token: &str| match token.strip_suffix('*') {
        Some("") => true,
        Some(begun) => {
            let mut begun = words(begun);
            let last = begun.pop();
            begun.iter().all(|word| text.contains(word))
                && last.is_none_or(|last| text.iter().any(|word| word.starts_with(&last)))
        }
        None => words(token).iter().any(|word| text.contains(word)),
    };
    let mut tokens = search.split_whitespace();
    if all { tokens.all(has) } else { tokens.any(has) }
}

fn check_type(kind: &str) -> Result<(), Refusal> {
    if TYPES.contains(&kind) {
        return Ok(());
    }
    refuse(400, format!("Unsupported saved object type: '{kind}': Bad Request"))
}

fn object<'a>(body: &'a Value, key: &str) -> Result<&'a Map<String, Value>, Refusal> {
    match body.get(key) {
        Some(Value::Object(object)) => Ok(object),
        other => refuse(
            400,
            format!(
                "[request body.{key}]: expected value of type [object] but got [{}]",
                if other.is_none() { "undefined" } else { "string" }
            ),
        ),
    }
}

fn text<'a>(body: &'a Value, key: &str) -> Result<&'a str, Refusal> {
    match body.get(key).and_then(Value::as_str) {
        Some(text) => Ok(text),
        None => refuse(400, format!("[request body.{key}]: expected value of type [string] but got [undefined]")),
    }
}

fn only(body: &Value, known: &[&str]) -> Result<(), Refusal> {
    let Some(object) = body.as_object() else {
        return refuse(400, "[request body]: expected a plain object value");
    };
    match object.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => refuse(400, format!("[request body.{key}]: definition for this key is missing")),
        None => Ok(()),
    }
}

fn missing(kind: &str, id: &str) -> String {
    format!("Saved object [{kind}/{id}] not found")
}

fn error(status: u16, message: &str) -> Value {
    let name = match status {
        400 => "Bad Request",
        404 => "Not Found",
        409 => "Conflict",
        415 => "Unsupported Media Type",
        _ => "Internal Server Error",
    };
    json!({"statusCode": status, "error": name, "message": message})
}

fn json_response(status: u16, body: &Value) -> Response {
    Response::text(status, "application/json; charset=utf-8", body.to_string())
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue, Method};
    use jiff::Timestamp;
    use serde_json::{Value, json};

    use super::{Ask, Dashboards, Data, Readiness, Tenancy};

    struct Site {
        data: Data,
        version: &'static str,
        readiness: Readiness,
        tenancy: Tenancy,
        headers: Vec<(&'static str, &'static str)>,
    }

    impl Site {
        fn new(version: &'static str) -> Self {
            Self {
                data: Data::default(),
                version,
                readiness: Readiness::Ready,
                tenancy: Tenancy::None,
                headers: vec![("osd-xsrf", "true"), ("kbn-xsrf", "true")],
            }
        }

        fn dashboards(&mut self) -> Dashboards<'_> {
            Dashboards {
                data: &mut self.data,
                scope: "eu-west-1/logs/".to_owned(),
                version: self.version.parse().unwrap(),
                readiness: self.readiness,
                tenancy: self.tenancy.clone(),
            }
        }

        fn ask(&mut self, method: Method, path_and_query: &str, body: &Value) -> (u16, Value) {
            let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
            let query = crate::request::decode_pairs(query);
            let mut headers = HeaderMap::new();
            headers.insert("content-type", HeaderValue::from_static("application/json"));
            for (name, value) in &self.headers {
                headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
            }
            let body = body.to_string();
            let ask = Ask { method: &method, path, query: &query, headers: &headers, body: body.as_bytes() };
            let response = self.dashboards().handle(ask, Timestamp::UNIX_EPOCH);
            (response.status, serde_json::from_slice(&response.body).unwrap_or(Value::Null))
        }

        fn create(&mut self) -> (u16, Value) {
            self.ask(Method::POST, PATTERN, &pattern())
        }

        fn get(&mut self, path: &str) -> (u16, Value) {
            self.ask(Method::GET, path, &Value::Null)
        }
    }

    const PATTERN: &str = "/api/saved_objects/index-pattern/ekk-logs";

    fn pattern() -> Value {
        json!({"attributes": {"title": "logs-*", "timeFieldName": "asctime"}})
    }

    #[test]
    fn an_index_pattern_is_made_once_changed_and_deleted() {
        let mut site = Site::new("OpenSearch_2.19");
        assert_eq!(site.get(PATTERN).0, 404);
        let (status, created) = site.create();
        assert_eq!((status, &created["attributes"]["title"]), (200, &json!("logs-*")));
        assert_eq!(created["migrationVersion"], json!({"index-pattern": "7.6.0"}));
        assert_eq!(created["references"], json!([]));
        let (status, again) = site.create();
        assert_eq!((status, &again["message"]), (409, &json!("Saved object [index-pattern/ekk-logs] conflict")));
        let change = json!({"attributes": {"timeFieldName": "created"}});
        let (status, changed) = site.ask(Method::PUT, PATTERN, &change);
        assert_eq!((status, &changed["attributes"]), (200, &change["attributes"]));
        let (_, read) = site.get(PATTERN);
        assert_eq!(read["attributes"], json!({"title": "logs-*", "timeFieldName": "created"}));
        assert_ne!(read["version"], created["version"]);
        assert_eq!(site.ask(Method::DELETE, PATTERN, &Value::Null), (200, json!({})));
        assert_eq!(site.ask(Method::PUT, PATTERN, &pattern()).0, 404);
    }

    #[test]
    fn a_write_needs_the_product_s_own_header() {
        let mut site = Site::new("OpenSearch_2.19");
        site.headers = vec![("kbn-xsrf", "true")];
        let (status, answer) = site.create();
        assert_eq!((status, &answer["message"]), (400, &json!("Request must contain a osd-xsrf header.")));
        site.headers = vec![("osd-version", "1.0.0")];
        assert_eq!(site.create().0, 400);
        site.headers = vec![("osd-version", "2.19.0")];
        assert_eq!(site.create().0, 200);
        let mut kibana = Site::new("Elasticsearch_7.10");
        kibana.headers = vec![("osd-xsrf", "true")];
        assert_eq!(kibana.create().0, 400);
        kibana.headers = vec![("kbn-xsrf", "true")];
        assert_eq!(kibana.create().0, 200);
        kibana.headers.clear();
        assert_eq!(kibana.get(PATTERN).0, 200);
    }

    #[test]
    fn settings_hold_the_default_pattern() {
        for (version, path) in
            [("OpenSearch_2.19", "/api/opensearch-dashboards/settings"), ("Elasticsearch_7.10", "/api/kibana/settings")]
        {
            let mut site = Site::new(version);
            assert_eq!(site.get(path).1["settings"].get("defaultIndex"), None);
            let (status, answer) = site.ask(Method::POST, path, &json!({"changes": {"defaultIndex": "x"}}));
            assert_eq!((status, &answer["settings"]["defaultIndex"]["userValue"]), (200, &json!("x")));
            site.ask(Method::POST, path, &json!({"changes": {"defaultIndex": null}}));
            assert_eq!(site.get(path).1["settings"].get("defaultIndex"), None);
        }
        assert_eq!(Site::new("OpenSearch_2.19").get("/api/kibana/settings").0, 404);
    }

    #[test]
    fn nothing_is_answered_before_it_has_come_up() {
        let mut site = Site::new("OpenSearch_2.19");
        site.readiness = Readiness::NotYet;
        assert_eq!(site.get("/api/status"), (503, Value::Null));
        site.readiness = Readiness::Ready;
        assert_eq!(site.get("/api/status").1["status"]["overall"]["state"], "green");
    }

    #[test]
    fn the_private_tenant_is_the_default_with_fine_grained_access_control() {
        let mut site = Site::new("OpenSearch_2.19");
        site.tenancy = Tenancy::OfUser("arn:aws:iam::1:user/anna".to_owned());
        site.create();
        site.headers.push(("securitytenant", "global"));
        assert_eq!(site.get(PATTERN).0, 404);
        assert_eq!(site.create().0, 200);
        site.headers.pop();
        site.tenancy = Tenancy::OfUser("arn:aws:iam::1:user/bob".to_owned());
        assert_eq!(site.get(PATTERN).0, 404);
        assert_eq!(site.get(&format!("{PATTERN}?security_tenant=global")).0, 200);
    }

    #[test]
    fn without_fine_grained_access_control_the_tenant_is_ignored() {
        let mut site = Site::new("OpenSearch_2.19");
        site.headers.push(("securitytenant", "private"));
        site.create();
        site.headers.pop();
        assert_eq!(site.get(PATTERN).0, 200);
    }

    #[test]
    fn find_looks_for_words_of_the_title() {
        let mut site = Site::new("OpenSearch_2.19");
        site.create();
        let other = json!([{"type": "index-pattern", "id": "b", "attributes": {"title": "metrics-*"}}, {"type": "index-pattern", "id": "ekk-logs", "attributes": {}}]);
        let (status, made) = site.ask(Method::POST, "/api/saved_objects/_bulk_create", &other);
        assert_eq!((status, &made["saved_objects"][1]["error"]["statusCode"]), (200, &json!(409)));
        let find = "/api/saved_objects/_find?type=index-pattern";
        assert_eq!(site.get(find).1["total"], 2);
        let (_, found) = site.get(&format!("{find}&search_fields=title&search=logs*&fields=title"));
        assert_eq!((&found["total"], &found["saved_objects"][0]["id"]), (&json!(1), &json!("ekk-logs")));
        assert_eq!(found["saved_objects"][0]["attributes"], json!({"title": "logs-*"}));
        assert_eq!(site.get("/api/saved_objects/_find").0, 400);
        assert_eq!(site.get(&format!("{find}&per_page=1")).1["saved_objects"].as_array().unwrap().len(), 1);
    }

    #[test]
    fn what_is_malformed_or_unknown_is_refused() {
        let mut site = Site::new("OpenSearch_2.19");
        assert_eq!(site.ask(Method::POST, PATTERN, &json!({"title": "x"})).0, 400);
        assert_eq!(site.ask(Method::POST, PATTERN, &json!({"attributes": {}, "foo": 1})).0, 400);
        assert_eq!(site.ask(Method::POST, "/api/saved_objects/foo/1", &pattern()).0, 400);
        assert_eq!(site.get("/app/home").0, 404);
    }

    #[test]
    fn a_browser_adds_the_field_list() {
        let mut site = Site::new("OpenSearch_2.19");
        site.create();
        site.dashboards().fill_in_fields("global", "ekk-logs", &json!([{"name": "asctime"}]));
        assert_eq!(site.get(PATTERN).1["attributes"]["fields"], "[{\"name\":\"asctime\"}]");
    }
}
