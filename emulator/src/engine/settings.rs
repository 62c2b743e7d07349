//! The settings of an index: which there are, what they may hold, and how the engines give them back (as strings).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::failure::Failure;
use super::mapping::preview;

/// Settings by their full names, each a string or a list of strings.
pub(crate) type Settings = BTreeMap<String, Value>;

#[derive(Clone, Copy)]
enum Form {
    /// A whole number of at least so much.
    Number(i64),
    /// A number within a range, set at creation only.
    FinalNumber(i64, i64),
    Flag,
    /// Such as `5s`, or -1.
    Time,
    Text,
    /// Text that is set at creation only.
    FinalText,
}

const KNOWN: [(&str, Form); 36] = [
    ("index.auto_expand_replicas", Form::Text),
    ("index.blocks.metadata", Form::Flag),
    ("index.blocks.read", Form::Flag),
    ("index.blocks.read_only", Form::Flag),
    ("index.blocks.read_only_allow_delete", Form::Flag),
    ("index.blocks.write", Form::Flag),
    ("index.codec", Form::FinalText),
    ("index.default_pipeline", Form::Text),
    ("index.hidden", Form::Flag),
    ("index.highlight.max_analyzed_offset", Form::Number(1)),
    ("index.mapping.coerce", Form::FinalText),
    ("index.mapping.depth.limit", Form::Number(1)),
    ("index.mapping.field_name_length.limit", Form::Number(1)),
    ("index.mapping.ignore_malformed", Form::Flag),
    ("index.mapping.nested_fields.limit", Form::Number(0)),
    ("index.mapping.nested_objects.limit", Form::Number(0)),
    ("index.mapping.total_fields.limit", Form::Number(0)),
    ("index.max_inner_result_window", Form::Number(1)),
    ("index.max_ngram_diff", Form::Number(0)),
    ("index.max_result_window", Form::Number(1)),
    ("index.max_terms_count", Form::Number(1)),
    ("index.number_of_replicas", Form::Number(0)),
    ("index.number_of_routing_shards", Form::FinalNumber(1, 1024)),
    ("index.number_of_shards", Form::FinalNumber(1, 1024)),
    ("index.opendistro.index_state_management.policy_id", Form::Text),
    ("index.opendistro.index_state_management.rollover_alias", Form::Text),
    ("index.plugins.index_state_management.policy_id", Form::Text),
    ("index.plugins.index_state_management.rollover_alias", Form::Text),
    ("index.priority", Form::Number(0)),
    ("index.query.default_field", Form::Text),
    ("index.refresh_interval", Form::Time),
    ("index.routing.allocation.total_shards_per_node", Form::Number(-1)),
    ("index.search.idle.after", Form::Time),
    ("index.translog.durability", Form::Text),
    ("index.translog.flush_threshold_size", Form::Text),
    ("index.translog.sync_interval", Form::Time),
];

/// Which settings a request may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// An index is made, or a template for one.
    Creation,
    /// The index exists and is open.
    Open,
}

/// Reads settings in any of their forms: nested, dotted, with `index.` or without.
pub(crate) fn read(written: &Value, stage: Stage) -> Result<Settings, Failure> {
    let mut flat = Settings::new();
    let Some(object) = written.as_object() else {
        return Err(Failure::parsing("Unknown token for settings, an object was expected"));
    };
    flatten("", object, &mut flat);
    let mut settings = Settings::new();
    for (name, value) in flat {
        let name = if name.starts_with("index.") { name } else { format!("index.{name}") };
        let Some((_, form)) = KNOWN.iter().find(|(known, _)| *known == name) else {
            return Err(Failure::illegal_argument(format!(
                "unknown setting [{name}] please check that any required plugins are installed, or check the \
                 breaking changes documentation for removed settings"
            )));
        };
        check(&name, *form, &value)?;
        if stage == Stage::Open && matches!(form, Form::FinalNumber(..) | Form::FinalText) {
            return Err(Failure::illegal_argument(format!(
                "Can't update non dynamic settings [[{name}]] for open indices"
            )));
        }
        settings.insert(name, value);
    }
    Ok(settings)
}

/// The settings that a request writes as null: they go back to their defaults.
pub(crate) fn reset(written: &Value) -> BTreeSet<String> {
    fn nulls(prefix: &str, value: &Value, into: &mut BTreeSet<String>) {
        match value {
            Value::Null => {
                into.insert(if prefix.starts_with("index.") { prefix.to_owned() } else { format!("index.{prefix}") });
            }
            Value::Object(object) => {
                for (key, inner) in object {
                    let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                    nulls(&name, inner, into);
                }
            }
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {}
        }
    }
    let mut reset = BTreeSet::new();
    nulls("", written, &mut reset);
    reset
}

/// Settings as an answer nests them.
pub(crate) fn nested(settings: &Settings) -> Value {
    let mut root = Map::new();
    for (name, value) in settings {
        let mut at = &mut root;
        let mut parts = name.split('.').peekable();
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                at.insert(part.to_owned(), value.clone());
                break;
            }
            let next = at.entry(part).or_insert_with(|| json!({}));
            let Some(next) = next.as_object_mut() else {
                break;
            };
            at = next;
        }
    }
    Value::Object(root)
}

/// A whole number of the settings.
pub(crate) fn number(settings: &Settings, name: &str) -> Option<i64> {
    settings.get(name)?.as_str()?.parse().ok()
}

/// A flag of the settings.
pub(crate) fn flag(settings: &Settings, name: &str) -> Option<bool> {
    settings.get(name)?.as_str()?.parse().ok()
}

/// How long a new document stays out of searches; `None` for ever, until somebody refreshes.
pub(crate) fn refresh_interval(settings: &Settings) -> Option<Duration> {
    match settings.get("index.refresh_interval").and_then(Value::as_str) {
        None => Some(Duration::from_secs(1)),
        Some("-1") => None,
        Some(text) => time(text),
    }
}

fn flatten(prefix: &str, object: &Map<String, Value>, into: &mut Settings) {
    for (key, value) in object {
        let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match value {
            Value::Object(inner) => flatten(&name, inner, into),
            Value::Null => {}
            Value::Array(elements) => {
                into.insert(name, elements.iter().map(|element| json!(preview(element))).collect());
            }
            Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                into.insert(name, json!(preview(value)));
            }
        }
    }
}

fn check(name: &str, form: Form, value: &Value) -> Result<(), Failure> {
    let text = value.as_str().unwrap_or_default();
    let wrong =
        |why: &str| Err(Failure::illegal_argument(format!("Failed to parse value [{text}] for setting [{name}]{why}")));
    match form {
        Form::Number(least) => match text.parse::<i64>() {
            Ok(number) if number >= least => Ok(()),
            Ok(_) => wrong(&format!(" must be >= {least}")),
            Err(_) => wrong(""),
        },
        Form::FinalNumber(least, most) => match text.parse::<i64>() {
            Ok(number) if number < least => wrong(&format!(" must be >= {least}")),
            Ok(number) if number > most => wrong(&format!(" must be <= {most}")),
            Ok(_) => Ok(()),
            Err(_) => wrong(""),
        },
        Form::Flag => match text {
            "true" | "false" => Ok(()),
            _ => Err(Failure::illegal_argument(format!(
                "Failed to parse value [{text}] as only [true] or [false] are allowed."
            ))),
        },
        Form::Time if text == "-1" || time(text).is_some() => Ok(()),
        Form::Time => Err(Failure::illegal_argument(format!(
            "failed to parse setting [{name}] with value [{text}] as a time value: unit is missing or unrecognized"
        ))),
        Form::Text | Form::FinalText => Ok(()),
    }
}

fn time(text: &str) -> Option<Duration> {
    let split = text.find(|character: char| !character.is_ascii_digit())?;
    let (number, unit) = text.split_at(split);
    let number: u64 = number.parse().ok()?;
    Some(match unit {
        "nanos" => Duration::from_nanos(number),
        "micros" => Duration::from_micros(number),
        "ms" => Duration::from_millis(number),
        "s" => Duration::from_secs(number),
        "m" => Duration::from_secs(number * 60),
        "h" => Duration::from_secs(number * 3_600),
        "d" => Duration::from_secs(number * 86_400),
        _ => return None,
    })
}
