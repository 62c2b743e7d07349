//! The table as a JSON Schema for editors and as the reference in `docs/spec.md`. Makes text, decides nothing.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::rules::RULES;
use super::table::{FIELD_TYPE_WHAT, KEYS, Key, Need, Nulls, Placeholders, Shape, Text};
use super::values::FIELD_TYPES;

/// Returns the JSON Schema of a spec (draft-07, which every YAML editor knows).
#[must_use]
pub fn json_schema() -> String {
    let mut schema = section(KEYS);
    if let Value::Object(object) = &mut schema {
        object.insert("$schema".to_owned(), "http://json-schema.org/draft-07/schema#".into());
        object.insert("title".to_owned(), "ekk stack".into());
        object.insert(
            "description".to_owned(),
            "One EKK logging stack on AWS. `stack: NAME` is a whole spec; every other key has a default.".into(),
        );
    }
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}

fn section(keys: &[Key]) -> Value {
    let mut properties = Map::new();
    for key in keys {
        let mut schema = shape(&key.shape);
        if let Value::Object(object) = &mut schema {
            let about = match key.default {
                "" => key.about.to_owned(),
                default => format!("{} Default: {default}.", key.about),
            };
            object.insert("description".to_owned(), about.into());
            if let Some(default) = default_value(key) {
                object.insert("default".to_owned(), default);
            }
        }
        properties.insert(key.name.to_owned(), schema);
    }
    let required: Vec<&str> = keys.iter().filter(|key| key.need == Need::Required).map(|key| key.name).collect();
    let mut schema = json!({ "type": "object", "additionalProperties": false, "properties": properties });
    if let (Value::Object(object), false) = (&mut schema, required.is_empty()) {
        object.insert("required".to_owned(), required.into());
    }
    schema
}

/// Returns a default that is one value and not a rule.
fn default_value(key: &Key) -> Option<Value> {
    match &key.shape {
        Shape::Number { min: _, max: _, unit: _ } | Shape::OneNumber { what: _, numbers: _, unit: _ } => {
            key.default.parse::<u64>().ok().map(Value::from)
        }
        Shape::Switch | Shape::Word { what: _, words: _, meant: _ } | Shape::Text(_) => {
            let word = key.default.strip_prefix('`')?.strip_suffix('`')?;
            if word.contains(['{', '`']) {
                return None;
            }
            Some(match (&key.shape, word) {
                (Shape::Switch, "true") => true.into(),
                (Shape::Switch, _) => false.into(),
                _ => word.into(),
            })
        }
        Shape::Section(_) | Shape::Map { keys: _, values: _, nulls: _ } | Shape::List(_) => None,
    }
}

fn shape(shape: &Shape) -> Value {
    match shape {
        Shape::Section(keys) => section(keys),
        Shape::Text(rule) => text(rule),
        Shape::Word { what: _, words, meant: _ } => json!({ "type": "string", "enum": words }),
        Shape::Number { min, max, unit: _ } => {
            json!({ "type": "integer", "minimum": min, "maximum": max })
        }
        Shape::OneNumber { what: _, numbers, unit: _ } => json!({ "type": "integer", "enum": numbers }),
        Shape::Switch => json!({ "type": "boolean" }),
        Shape::Map { keys, values, nulls } => {
            let value = match nulls {
                Nulls::Taken => json!({ "anyOf": [text(values), { "type": "null" }] }),
                Nulls::Refused => text(values),
            };
            json!({ "type": "object", "propertyNames": { "pattern": keys.pattern }, "additionalProperties": value })
        }
        Shape::List(item) => json!({ "type": "array", "minItems": 1, "items": text(item) }),
    }
}

fn text(rule: &Text) -> Value {
    if rule.what == FIELD_TYPE_WHAT {
        return json!({ "type": "string", "enum": FIELD_TYPES });
    }
    match (rule.pattern, rule.placeholders) {
        ("", _) => json!({ "type": "string" }),
        (pattern, Placeholders::None) => json!({ "type": "string", "pattern": pattern }),
        // With a placeholder the length is not known before the stack's place is.
        (pattern, Placeholders::Filled) => json!({
            "type": "string",
            "anyOf": [{ "pattern": pattern }, { "pattern": "\\{(account|region)\\}" }],
        }),
    }
}

/// Returns the tables of keys and the list of rules across keys, in Markdown.
#[must_use]
pub fn key_reference() -> String {
    let mut text = String::new();
    table(&mut text, "", KEYS);
    for key in KEYS {
        if let Shape::Section(keys) = key.shape {
            let _ = write!(text, "\n### `{}:`\n\n{}\n\n", key.name, key.about);
            table(&mut text, "", keys);
        }
    }
    text.push_str("\n### Rules across keys\n\nBeside the range of each key, these are checked before anything is sent to AWS:\n\n");
    for rule in RULES {
        let _ = writeln!(text, "- {}", rule.says);
    }
    text
}

fn table(text: &mut String, path: &str, keys: &[Key]) {
    if path.is_empty() {
        text.push_str("| key | takes | default | |\n|---|---|---|---|\n");
    }
    for key in keys {
        let name = format!("{path}{}", key.name);
        let default = match (key.need, key.default) {
            (Need::Required, _) => "required",
            (Need::Optional, default) => default,
        };
        let _ = writeln!(text, "| `{name}` | {} | {default} | {} |", takes(&key.shape), key.about);
        if let (Shape::Section(inner), true) = (&key.shape, !std::ptr::eq(keys, KEYS)) {
            table(text, &format!("{name}."), inner);
        }
    }
}

fn takes(shape: &Shape) -> String {
    match shape {
        Shape::Section(_) => "keys".to_owned(),
        Shape::Text(rule) => rule.what.to_owned(),
        Shape::Word { what: _, words, meant: _ } => {
            words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
        }
        Shape::Number { min, max, unit } => format!("{min} to {max} {unit}").trim_end().to_owned(),
        Shape::OneNumber { what: _, numbers, unit } => {
            let numbers = numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
            format!("{numbers} {unit}").trim_end().to_owned()
        }
        Shape::Switch => "`true`, `false`".to_owned(),
        Shape::Map { keys, values, nulls } => match nulls {
            Nulls::Taken => format!("{}: {}, or `null`", keys.what, values.what),
            Nulls::Refused => format!("{}: {}", keys.what, values.what),
        },
        Shape::List(item) => format!("a list, each {}", item.what),
    }
}
