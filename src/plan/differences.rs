//! Which settings differ, as JSON pointers. A `null` on the desired side is not managed and never differs.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One setting or tag that changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldChange {
    /// A JSON pointer into the settings, or `/tags/KEY`, or `/owner`.
    pub pointer: String,
    /// The live value; `None` where there is none.
    pub before: Option<Value>,
    /// The wanted value; `None` where there shall be none.
    pub after: Option<Value>,
}

impl FieldChange {
    /// Makes the change of a tag.
    pub(super) fn tag(key: &str, before: Option<String>, after: Option<String>) -> Self {
        Self {
            pointer: format!("/tags/{}", escape(key)),
            before: before.map(Value::String),
            after: after.map(Value::String),
        }
    }

    /// Makes the change of owner that adopting is.
    pub(super) fn owner(stack: &str) -> Self {
        Self { pointer: "/owner".to_owned(), before: None, after: Some(Value::String(stack.to_owned())) }
    }
}

impl fmt::Display for FieldChange {
    /// Writes `cluster.instance_type t3.small.search -> m7g.large.search`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.pointer.trim_start_matches('/').replace('/', ".").replace("~1", "/").replace("~0", "~");
        write!(f, "{name} {} -> {}", Shown(self.before.as_ref()), Shown(self.after.as_ref()))
    }
}

struct Shown<'a>(Option<&'a Value>);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None | Some(Value::Null) => f.write_str("none"),
            Some(Value::String(text)) if text.is_empty() => f.write_str("\"\""),
            Some(Value::String(text)) => f.write_str(text),
            Some(other) => write!(f, "{other}"),
        }
    }
}

/// Returns every setting of something new.
pub(super) fn of_new(wanted: &Value) -> Vec<FieldChange> {
    let mut fields = Vec::new();
    collect(String::new(), None, wanted, &mut fields);
    fields
}

/// Returns the settings in which `wanted` differs from `live`.
pub(super) fn between(live: &Value, wanted: &Value) -> Vec<FieldChange> {
    let mut fields = Vec::new();
    collect(String::new(), Some(live), wanted, &mut fields);
    fields
}

fn collect(pointer: String, live: Option<&Value>, wanted: &Value, fields: &mut Vec<FieldChange>) {
    match (live, wanted) {
        (_, Value::Null) => {}
        (Some(live), wanted) if live == wanted => {}
        (Some(Value::Object(live)), Value::Object(entries)) if !is_document(wanted) => {
            for (key, value) in entries {
                collect(format!("{pointer}/{}", escape(key)), live.get(key), value, fields);
            }
            for (key, value) in live.iter().filter(|(key, _)| !entries.contains_key(*key)) {
                fields.push(FieldChange {
                    pointer: format!("{pointer}/{}", escape(key)),
                    before: Some(value.clone()),
                    after: None,
                });
            }
        }
        (None, Value::Object(entries)) if !entries.is_empty() && !is_document(wanted) => {
            for (key, value) in entries {
                collect(format!("{pointer}/{}", escape(key)), None, value, fields);
            }
        }
        (live, wanted) => fields.push(FieldChange {
            pointer,
            before: live.filter(|live| !live.is_null()).cloned(),
            after: Some(wanted.clone()),
        }),
    }
}

/// A policy document is one setting: half of one means nothing.
fn is_document(value: &Value) -> bool {
    value.get("Statement").is_some() || value.get("Effect").is_some()
}

/// Escapes a key for a JSON pointer (RFC 6901).
fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pointers(live: &Value, wanted: &Value) -> Vec<String> {
        between(live, wanted).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_not_managed_never_differs() {
        assert!(pointers(&json!({"a": 1, "b": {"c": 2}}), &json!({"a": null, "b": {"c": null}})).is_empty());
    }

    #[test]
    fn each_differing_leaf_is_named() {
        assert_eq!(
            pointers(&json!({"a": 1, "b": {"c": 2, "d": 3}}), &json!({"a": 1, "b": {"c": 9, "d": 3}})),
            ["b.c 2 -> 9"]
        );
    }

    #[test]
    fn an_entry_that_only_the_live_side_has_goes() {
        assert_eq!(pointers(&json!({"rules": {"x": 1, "y": 2}}), &json!({"rules": {"x": 1}})), ["rules.y 2 -> none"]);
    }

    #[test]
    fn a_setting_that_is_not_there_yet_comes() {
        assert_eq!(pointers(&json!({"size": null}), &json!({"size": 10})), ["size none -> 10"]);
    }

    #[test]
    fn a_policy_document_is_one_setting() {
        let fields = between(
            &json!({"policy": {"Version": "2012-10-17", "Statement": [1]}}),
            &json!({"policy": {"Version": "2012-10-17", "Statement": [2]}}),
        );
        assert_eq!(fields.len(), 1);
        assert_eq!(fields[0].pointer, "/policy");
    }

    #[test]
    fn a_key_with_a_slash_is_escaped() {
        assert_eq!(of_new(&json!({"a/b": 1}))[0].pointer, "/a~1b");
        assert_eq!(of_new(&json!({"a/b": 1}))[0].to_string(), "a/b none -> 1");
    }
}
