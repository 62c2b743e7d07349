//! Many writes in one request, each with its own outcome.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::document::{Operation, Refresh, generated_id, read_refresh};
use super::failure::Failure;
use super::mapping::preview;
use super::{Ask, Engine, ExplicitIndex, strict_json};

enum Action {
    Write(Operation, Value),
    Unreadable(String),
    Delete,
}

struct Line {
    name: &'static str,
    index: String,
    id: Option<String>,
    action: Action,
}

impl Engine<'_> {
    pub(super) fn bulk(&mut self, ask: Ask<'_>, default: Option<&str>, now: Timestamp) -> Result<Value, Failure> {
        ask.allow(&["refresh", "wait_for_active_shards"])?;
        let refresh = read_refresh(ask)?;
        // Nothing is written before the whole request was read: one bad line refuses all.
        let lines = self.read_lines(ask.body, default)?;
        let mut errors = false;
        let mut items = Vec::with_capacity(lines.len());
        let mut touched = std::collections::BTreeSet::new();
        for line in lines {
            let Line { name, index, id, action } = line;
            let outcome = match action {
                Action::Write(operation, source) => self.write(operation, &index, id.as_deref(), &source, refresh, now),
                Action::Unreadable(why) => Err(Failure::mapper_parsing("failed to parse").caused_by(Failure::new(
                    400,
                    "json_parse_exception",
                    why,
                ))),
                Action::Delete => self.delete(&index, id.as_deref().unwrap_or_default()),
            };
            let item = match outcome {
                Ok(written) => {
                    let mut item = self.written(&index, &written);
                    item["status"] = json!(written.status);
                    touched.insert(index);
                    item
                }
                Err(failure) => {
                    errors = true;
                    let mut item = json!({
                        "_index": index, "_id": id, "status": failure.status, "error": failure.cause()
                    });
                    if self.version.names_types() {
                        item["_type"] = json!("_doc");
                    }
                    item
                }
            };
            items.push(json!({name: item}));
        }
        if refresh == Refresh::AtOnce {
            for index in touched {
                self.refresh_index(&index, now);
            }
        }
        Ok(json!({"took": 1, "errors": errors, "items": items}))
    }

    fn read_lines(&self, body: &[u8], default: Option<&str>) -> Result<Vec<Line>, Failure> {
        let text = std::str::from_utf8(body).map_err(|_| Failure::illegal_argument("Invalid UTF-8"))?;
        if text.trim().is_empty() {
            return Err(Failure::new(400, "parse_exception", "request body is required"));
        }
        if !text.ends_with('\n') {
            return Err(Failure::illegal_argument("The bulk request must be terminated by a newline [\\n]"));
        }
        let mut lines = Vec::new();
        let mut texts = text.lines().enumerate();
        while let Some((at, line)) = texts.next() {
            if line.is_empty() {
                continue;
            }
            let number = at + 1;
            let (name, parameters) = read_action(number, line)?;
            let mut index = default.map(str::to_owned);
            let mut id = None;
            for (key, value) in &parameters {
                match key.as_str() {
                    "_index" if self.explicit_index == ExplicitIndex::Refused => {
                        return Err(Failure::illegal_argument("explicit index in bulk is not allowed"));
                    }
                    "_index" => index = Some(preview(value)),
                    "_id" => id = Some(preview(value)),
                    "_type" if self.version.names_types() && value == "_doc" => {}
                    other => {
                        return Err(Failure::illegal_argument(format!(
                            "Action/metadata line [{number}] contains an unknown parameter [{other}]"
                        )));
                    }
                }
            }
            let Some(index) = index.filter(|index| !index.is_empty()) else {
                return Err(Failure::new(
                    400,
                    "action_request_validation_exception",
                    "Validation Failed: 1: index is missing;",
                ));
            };
            if let Some(id) = id.as_ref().filter(|id| id.len() > 512) {
                return Err(Failure::new(
                    400,
                    "action_request_validation_exception",
                    format!(
                        "Validation Failed: 1: id [{id}] is too long, must be no longer than 512 bytes but was: {};",
                        id.len()
                    ),
                ));
            }
            let action = if name == "delete" {
                if id.is_none() {
                    return Err(Failure::new(
                        400,
                        "action_request_validation_exception",
                        "Validation Failed: 1: id is missing;",
                    ));
                }
                Action::Delete
            } else {
                let Some((_, source)) = texts.next() else {
                    return Err(Failure::illegal_argument(format!(
                        "Malformed action/metadata line [{number}], no requests added"
                    )));
                };
                let operation = if name == "create" { Operation::Create } else { Operation::Index };
                match strict_json::from_slice(source.as_bytes()) {
                    Ok(source) => Action::Write(operation, source),
                    Err(error) => Action::Unreadable(error.to_string()),
                }
            };
            let id = id.or_else(|| Some(generated_id()));
            lines.push(Line { name, index, id, action });
        }
        Ok(lines)
    }
}

fn read_action(number: usize, line: &str) -> Result<(&'static str, Map<String, Value>), Failure> {
    let malformed =
        |what: &str| Failure::illegal_argument(format!("Malformed action/metadata line [{number}], {what}"));
    let parsed = serde_json::from_str::<Value>(line)
        .map_err(|error| Failure::new(400, "json_parse_exception", format!("Unrecognized token: {error}")))?;
    let Value::Object(object) = parsed else {
        return Err(malformed("expected START_OBJECT"));
    };
    let mut entries = object.into_iter();
    let (Some((action, parameters)), None) = (entries.next(), entries.next()) else {
        return Err(malformed("expected one field"));
    };
    let name = match action.as_str() {
        "index" => "index",
        "create" => "create",
        "delete" => "delete",
        "update" => return Err(malformed("the local AWS does not support [update]")),
        other => {
            return Err(malformed(&format!(
                "expected field [create], [delete], [index] or [update] but found [{other}]"
            )));
        }
    };
    match parameters {
        Value::Object(parameters) => Ok((name, parameters)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Err(malformed("expected START_OBJECT"))
        }
    }
}
