//! Index templates, composable and legacy: what a new index starts with.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::failure::Failure;
use super::mapping::{Mapping, preview};
use super::pattern::{matches_pattern, patterns_overlap};
use super::settings::{self, Settings, Stage};
use super::{Answer, Ask, Engine};

/// A template of either kind.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Template {
    index_patterns: Vec<String>,
    /// `priority`, or `order` of a legacy template.
    priority: Option<i64>,
    version: Option<Value>,
    meta: Option<Value>,
    settings: Option<Settings>,
    mappings: Option<Value>,
}

/// What templates give to a new index.
#[derive(Debug, Default)]
pub(crate) struct Start {
    pub(crate) settings: Settings,
    pub(crate) mapping: Mapping,
}

impl Engine<'_> {
    /// What the templates give to an index of a name. A composable template beats all legacy ones.
    pub(crate) fn start_of(&self, index: &str) -> Result<Start, Failure> {
        let fits = |template: &&Template| template.index_patterns.iter().any(|pattern| matches_pattern(pattern, index));
        let templates = |table| -> Vec<&Template> {
            crate::table::Table::with_prefix(table, &self.scope).map(|(_, template)| template).filter(fits).collect()
        };
        let composable: Vec<&Template> = templates(&self.data.composable);
        let chosen = match composable.into_iter().max_by_key(|template| template.priority.unwrap_or(0)) {
            Some(best) => vec![best],
            None => {
                let mut legacy = templates(&self.data.legacy);
                legacy.sort_by_key(|template| template.priority.unwrap_or(0));
                legacy
            }
        };
        let mut start = Start::default();
        for template in chosen {
            start.settings.extend(template.settings.clone().unwrap_or_default());
            if let Some(mappings) = &template.mappings {
                start.mapping.merge(Mapping::read(mappings)?)?;
            }
        }
        Ok(start)
    }

    pub(super) fn get_composable(&self, ask: Ask<'_>, name: Option<&str>) -> Result<Answer, Failure> {
        ask.allow(&["local"])?;
        let found: Vec<Value> = self
            .data
            .composable
            .with_prefix(&self.scope)
            .map(|(key, template)| (&key[self.scope.len()..], template))
            .filter(|(key, _)| name.is_none_or(|name| name_fits(name, key)))
            .map(|(key, template)| json!({"name": key, "index_template": template.composable()}))
            .collect();
        if let Some(name) = name
            && found.is_empty()
            && !name.contains('*')
        {
            return Err(Failure::new(
                404,
                "resource_not_found_exception",
                format!("index template matching [{name}] not found"),
            ));
        }
        // A pattern that none fits is a 404 with an empty list.
        let status = if name.is_some() && found.is_empty() { 404 } else { 200 };
        Ok(Answer::Json(status, json!({"index_templates": found})))
    }

    pub(super) fn put_composable(&mut self, ask: Ask<'_>, name: &str) -> Result<Value, Failure> {
        ask.allow(&["create", "cause"])?;
        let body = ask.needed_json()?;
        let Some(body) = body.as_object() else {
            return Err(unknown_field("index_template", "?"));
        };
        check_name(name)?;
        let mut template = Template {
            index_patterns: match body.get("index_patterns") {
                None => return Err(Failure::illegal_argument("Required [index_patterns]")),
                Some(Value::Array(none)) if none.is_empty() => {
                    return Err(Failure::illegal_argument("There must be at least one pattern, zero given"));
                }
                Some(written) => patterns(name, Some(written))?,
            },
            priority: None,
            version: None,
            meta: None,
            settings: None,
            mappings: None,
        };
        for (key, value) in body {
            match key.as_str() {
                "index_patterns" => {}
                "priority" => {
                    let wrong = |cause| {
                        let reason = format!("[1:1] [index_template] failed to parse field [{key}]");
                        Failure::new(400, "x_content_parse_exception", reason).caused_by(cause)
                    };
                    let priority = whole(key, value).map_err(wrong)?;
                    if priority < 0 {
                        return Err(Failure::new(
                            400,
                            "action_request_validation_exception",
                            "Validation Failed: 1: index template priority must be >= 0;",
                        ));
                    }
                    template.priority = Some(priority);
                }
                "version" => template.version = Some(json!(whole(key, value)?)),
                "_meta" => template.meta = Some(value.clone()),
                "composed_of" if value.as_array().is_some_and(Vec::is_empty) => {}
                "composed_of" => {
                    return Err(invalid(
                        name,
                        &format!(
                            "index template [{name}] specifies component templates {} that do not exist",
                            preview(value)
                        ),
                    ));
                }
                "template" => {
                    if let Some(written) = value.get("settings") {
                        settings::read(written, Stage::Creation).map_err(|failure| {
                            invalid(name, &format!("Validation Failed: 1: {};", failure.reason()))
                        })?;
                    }
                    template.read_body("template", value)?;
                }
                other => return Err(unknown_field("index_template", other)),
            }
        }
        template.check().map_err(|failure| {
            let cause = Failure::illegal_argument(format!("invalid composite mappings for [{name}]"));
            let reason = format!("composable template [{name}] template after composition is invalid");
            Failure::illegal_argument(reason).caused_by(cause.caused_by(failure))
        })?;
        let key = format!("{}{name}", self.scope);
        if ask.flag("create")? == Some(true) && self.data.composable.contains_key(&key) {
            return Err(Failure::illegal_argument(format!("index template [{name}] already exists")));
        }
        for (other_key, other) in self.data.composable.with_prefix(&self.scope) {
            if *other_key != key
                && template.priority.unwrap_or(0) == other.priority.unwrap_or(0)
                && template
                    .index_patterns
                    .iter()
                    .any(|one| other.index_patterns.iter().any(|pattern| patterns_overlap(one, pattern)))
            {
                let other_name = &other_key[self.scope.len()..];
                return Err(Failure::illegal_argument(format!(
                    "index template [{name}] has index patterns [{}] matching patterns from existing templates \
                     [{other_name}] with patterns ({other_name} => [{}]) that have the same priority [{}], multiple \
                     index templates may not match during index creation, please use a different priority",
                    template.index_patterns.join(", "),
                    other.index_patterns.join(", "),
                    template.priority.unwrap_or(0)
                )));
            }
        }
        self.data.composable.insert(key, template);
        Ok(json!({"acknowledged": true}))
    }

    pub(super) fn delete_composable(&mut self, ask: Ask<'_>, name: &str) -> Result<Value, Failure> {
        ask.allow(&[])?;
        let scope = self.scope.clone();
        delete(&mut self.data.composable, &scope, name)
    }

    pub(super) fn get_legacy(&self, ask: Ask<'_>, name: &str) -> Result<Answer, Failure> {
        ask.allow(&["local"])?;
        let found: Map<String, Value> = self
            .data
            .legacy
            .with_prefix(&self.scope)
            .map(|(key, template)| (&key[self.scope.len()..], template))
            .filter(|(key, _)| name_fits(name, key))
            .map(|(key, template)| (key.to_owned(), template.legacy()))
            .collect();
        let status = if found.is_empty() && !name.contains('*') { 404 } else { 200 };
        Ok(Answer::Json(status, Value::Object(found)))
    }

    pub(super) fn put_legacy(&mut self, ask: Ask<'_>, name: &str) -> Result<Value, Failure> {
        ask.allow(&["create", "order"])?;
        let body = ask.needed_json()?;
        let Some(body) = body.as_object() else {
            return Err(unknown_field("template", "?"));
        };
        check_name(name)?;
        let mut template = Template {
            index_patterns: patterns(name, body.get("index_patterns"))?,
            priority: Some(0),
            version: None,
            meta: None,
            settings: None,
            mappings: None,
        };
        if let Some(order) = ask.parameter("order") {
            template.priority = Some(whole("order", &json!(order))?);
        }
        for (key, value) in body {
            match key.as_str() {
                "index_patterns" => {}
                "order" => template.priority = Some(whole(key, value)?),
                "version" => template.version = Some(json!(whole(key, value)?)),
                "settings" | "mappings" | "aliases" => template.read_body("template", &json!({key: value}))?,
                other => {
                    return Err(Failure::new(
                        400,
                        "parse_exception",
                        format!("unknown key [{other}] in the template "),
                    ));
                }
            }
        }
        template.check()?;
        let key = format!("{}{name}", self.scope);
        if ask.flag("create")? == Some(true) && self.data.legacy.contains_key(&key) {
            return Err(Failure::illegal_argument(format!("index_template [{name}] already exists")));
        }
        self.data.legacy.insert(key, template);
        Ok(json!({"acknowledged": true}))
    }

    pub(super) fn delete_legacy(&mut self, ask: Ask<'_>, name: &str) -> Result<Value, Failure> {
        ask.allow(&[])?;
        let scope = self.scope.clone();
        delete(&mut self.data.legacy, &scope, name)
    }
}

impl Template {
    /// Reads the settings, mappings and aliases.
    fn read_body(&mut self, parent: &str, body: &Value) -> Result<(), Failure> {
        for (key, value) in body.as_object().into_iter().flatten() {
            match key.as_str() {
                "settings" => self.settings = Some(settings::read(value, Stage::Creation)?),
                "mappings" => self.mappings = Some(value.clone()),
                "aliases" if value.as_object().is_some_and(Map::is_empty) => {}
                "aliases" => {
                    return Err(Failure::illegal_argument("the local AWS does not support [aliases]"));
                }
                other => return Err(unknown_field(parent, other)),
            }
        }
        Ok(())
    }

    fn check(&self) -> Result<(), Failure> {
        match &self.mappings {
            Some(mappings) => Mapping::read(mappings).map(|_| ()).map_err(|failure| {
                Failure::mapper_parsing(format!("Failed to parse mapping [_doc]: {}", failure.reason()))
            }),
            None => Ok(()),
        }
    }

    fn composable(&self) -> Value {
        let Self { index_patterns, priority, version, meta, settings, mappings } = self;
        let mut template = Map::new();
        if let Some(settings) = settings {
            template.insert("settings".to_owned(), settings::nested(settings));
        }
        if let Some(mappings) = mappings {
            template.insert("mappings".to_owned(), mappings.clone());
        }
        let mut written = json!({"index_patterns": index_patterns, "composed_of": [], "template": template});
        for (key, value) in [
            ("priority", priority.map(|priority| json!(priority))),
            ("version", version.clone()),
            ("_meta", meta.clone()),
        ] {
            if let Some(value) = value {
                written[key] = value;
            }
        }
        written
    }

    fn legacy(&self) -> Value {
        let Self { index_patterns, priority, version, meta: _, settings, mappings } = self;
        let mut written = json!({
            "order": priority.unwrap_or(0),
            "index_patterns": index_patterns,
            "settings": settings.as_ref().map_or_else(|| json!({}), settings::nested),
            "mappings": mappings.clone().unwrap_or_else(|| json!({})),
            "aliases": {},
        });
        if let Some(version) = version {
            written["version"] = version.clone();
        }
        written
    }
}

fn delete(table: &mut crate::table::Table<Template>, scope: &str, name: &str) -> Result<Value, Failure> {
    let keys: Vec<String> = table
        .with_prefix(scope)
        .map(|(key, _)| key.clone())
        .filter(|key| name_fits(name, &key[scope.len()..]))
        .collect();
    if keys.is_empty() && name != "*" {
        return Err(Failure::new(404, "index_template_missing_exception", format!("index_template [{name}] missing")));
    }
    for key in keys {
        table.remove(&key);
    }
    Ok(json!({"acknowledged": true}))
}

fn name_fits(asked: &str, name: &str) -> bool {
    asked.split(',').any(|one| matches_pattern(one, name))
}

fn patterns(name: &str, written: Option<&Value>) -> Result<Vec<String>, Failure> {
    let patterns: Vec<String> = match written {
        Some(Value::Array(patterns)) => patterns.iter().map(preview).collect(),
        Some(Value::String(pattern)) => vec![pattern.clone()],
        Some(_) | None => Vec::new(),
    };
    if patterns.is_empty() {
        return Err(Failure::new(
            400,
            "action_request_validation_exception",
            "Validation Failed: 1: index patterns are missing;",
        ));
    }
    for pattern in &patterns {
        let wrong = if pattern.starts_with('_') {
            "must not start with '_'"
        } else if pattern.contains([' ', ',', '#', ':', '"', '\\', '/', '|', '<', '>', '?']) {
            "must not contain the following characters [ , \", *, \\, <, |, ,, >, /, ?]"
        } else {
            continue;
        };
        return Err(invalid(name, &format!("Validation Failed: 1: index_pattern [{pattern}] {wrong};")));
    }
    Ok(patterns)
}

fn check_name(name: &str) -> Result<(), Failure> {
    let wrong = if name.contains([' ', ',', '#', '*']) {
        "name must not contain a space, a ',', a '#' or a '*'"
    } else if name.starts_with('_') {
        "name must not start with '_'"
    } else if name.chars().any(char::is_uppercase) {
        "name must be lower cased"
    } else {
        return Ok(());
    };
    Err(invalid(name, &format!("Validation Failed: 1: {wrong};")))
}

fn invalid(name: &str, why: &str) -> Failure {
    Failure::new(400, "invalid_index_template_exception", format!("index_template [{name}] invalid, cause [{why}]"))
}

fn unknown_field(parser: &str, field: &str) -> Failure {
    Failure::new(400, "x_content_parse_exception", format!("[1:1] [{parser}] unknown field [{field}]"))
}

fn whole(key: &str, value: &Value) -> Result<i64, Failure> {
    preview(value)
        .parse()
        .map_err(|_| Failure::illegal_argument(format!("Failed to parse [{key}] with value [{}]", preview(value))))
}
