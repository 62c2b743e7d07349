//! The members of a JSON request that keeps to its model (`models.rs`).

use serde_json::{Map, Value};

use crate::{request::Request, response::Failure};

/// The members of a request. What is of another type than its model says has been refused before.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    members: Map<String, Value>,
    /// The code that the service refuses a bad value with.
    invalid: &'static str,
}

impl Input {
    /// Reads a body; one that is no object belongs to no operation and has no members.
    pub(crate) fn read(request: &Request, invalid: &'static str) -> Self {
        Self { members: serde_json::from_slice(&request.body).unwrap_or_default(), invalid }
    }

    /// The names of all members.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.members.keys().map(String::as_str)
    }

    /// A member, if it is there and not null.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.members.get(name).filter(|value| !value.is_null())
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str()
    }

    /// A text that the model requires.
    pub(crate) fn required_text(&self, name: &str) -> &str {
        self.text(name).unwrap_or_default()
    }

    pub(crate) fn integer(&self, name: &str) -> Option<i64> {
        self.get(name)?.as_i64()
    }

    pub(crate) fn boolean(&self, name: &str) -> Option<bool> {
        self.get(name)?.as_bool()
    }

    pub(crate) fn list(&self, name: &str) -> Option<&[Value]> {
        self.get(name)?.as_array().map(Vec::as_slice)
    }

    /// A list of texts.
    pub(crate) fn texts(&self, name: &str) -> Option<Vec<&str>> {
        Some(self.list(name)?.iter().filter_map(Value::as_str).collect())
    }

    /// A map of texts.
    pub(crate) fn text_map(&self, name: &str) -> Option<Vec<(&str, &str)>> {
        let map = self.get(name)?.as_object()?;
        Some(map.iter().filter_map(|(key, value)| Some((key.as_str(), value.as_str()?))).collect())
    }

    /// A refusal of a value in the service's words.
    pub(crate) fn refuse(&self, message: impl Into<String>) -> Failure {
        Failure::new(400, self.invalid, message)
    }
}
