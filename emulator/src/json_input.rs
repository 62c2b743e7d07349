//! The members of a JSON request: what is missing or of another type is refused as AWS does.

use serde_json::{Map, Value};

use crate::{request::Request, response::Failure};

/// The members of a request.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    members: Map<String, Value>,
    /// The code that the service refuses a bad value with.
    invalid: &'static str,
}

impl Input {
    /// Reads a body, which must be an object.
    pub(crate) fn read(request: &Request, invalid: &'static str) -> Result<Self, Failure> {
        match serde_json::from_slice(&request.body) {
            Ok(Value::Object(members)) => Ok(Self { members, invalid }),
            Ok(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) | Err(_) => {
                Err(Failure::new(400, "SerializationException", "the request body is not a JSON object"))
            }
        }
    }

    /// The names of all members.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.members.keys().map(String::as_str)
    }

    /// A member, if it is there and not null.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.members.get(name).filter(|value| !value.is_null())
    }

    pub(crate) fn text(&self, name: &str) -> Result<Option<&str>, Failure> {
        self.get(name).map(|value| value.as_str().ok_or_else(|| wrong_type(name))).transpose()
    }

    pub(crate) fn integer(&self, name: &str) -> Result<Option<i64>, Failure> {
        self.get(name).map(|value| value.as_i64().ok_or_else(|| wrong_type(name))).transpose()
    }

    pub(crate) fn boolean(&self, name: &str) -> Result<Option<bool>, Failure> {
        self.get(name).map(|value| value.as_bool().ok_or_else(|| wrong_type(name))).transpose()
    }

    pub(crate) fn list(&self, name: &str) -> Result<Option<&[Value]>, Failure> {
        self.get(name).map(|value| value.as_array().map(Vec::as_slice).ok_or_else(|| wrong_type(name))).transpose()
    }

    /// A list of texts.
    pub(crate) fn texts(&self, name: &str) -> Result<Option<Vec<&str>>, Failure> {
        let Some(values) = self.list(name)? else {
            return Ok(None);
        };
        values.iter().map(|value| value.as_str().ok_or_else(|| wrong_type(name))).collect::<Result<_, _>>().map(Some)
    }

    /// A map of texts.
    pub(crate) fn text_map(&self, name: &str) -> Result<Option<Vec<(&str, &str)>>, Failure> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        let map = value.as_object().ok_or_else(|| wrong_type(name))?;
        map.iter()
            .map(|(key, value)| Ok((key.as_str(), value.as_str().ok_or_else(|| wrong_type(name))?)))
            .collect::<Result<_, _>>()
            .map(Some)
    }

    pub(crate) fn required<T>(&self, name: &str, value: Option<T>) -> Result<T, Failure> {
        value.ok_or_else(|| {
            self.refuse(format!(
                "1 validation error detected: Value null at '{name}' failed to satisfy constraint: Member must not be null"
            ))
        })
    }

    pub(crate) fn required_text(&self, name: &str) -> Result<&str, Failure> {
        self.required(name, self.text(name)?)
    }

    /// A number within its range.
    pub(crate) fn ranged(&self, name: &str, least: i64, most: i64) -> Result<Option<i64>, Failure> {
        let value = self.integer(name)?;
        match value {
            Some(number) if number < least => Err(self.refuse(format!(
                "1 validation error detected: Value '{number}' at '{name}' failed to satisfy constraint: Member must have value greater than or equal to {least}"
            ))),
            Some(number) if number > most => Err(self.refuse(format!(
                "1 validation error detected: Value '{number}' at '{name}' failed to satisfy constraint: Member must have value less than or equal to {most}"
            ))),
            Some(_) | None => Ok(value),
        }
    }

    /// A refusal of a value in the service's words.
    pub(crate) fn refuse(&self, message: impl Into<String>) -> Failure {
        Failure::new(400, self.invalid, message)
    }
}

fn wrong_type(name: &str) -> Failure {
    Failure::new(400, "SerializationException", format!("the value of {name} is of the wrong type"))
}
