//! An error as OpenSearch words it: a type, a reason, a status, and what caused it.

use serde_json::{Map, Value, json};

/// An answer that is not a success. It is kept in no index and only ever written as JSON.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) status: u16,
    kind: &'static str,
    reason: String,
    caused_by: Option<Box<Failure>>,
    index: Option<String>,
}

impl Failure {
    pub(crate) fn new(status: u16, kind: &'static str, reason: impl Into<String>) -> Self {
        Self { status, kind, reason: reason.into(), caused_by: None, index: None }
    }

    pub(crate) fn illegal_argument(reason: impl Into<String>) -> Self {
        Self::new(400, "illegal_argument_exception", reason)
    }

    pub(crate) fn mapper_parsing(reason: impl Into<String>) -> Self {
        Self::new(400, "mapper_parsing_exception", reason)
    }

    pub(crate) fn parsing(reason: impl Into<String>) -> Self {
        Self::new(400, "parsing_exception", reason)
    }

    pub(crate) fn index_not_found(index: &str) -> Self {
        Self {
            index: Some(index.to_owned()),
            ..Self::new(404, "index_not_found_exception", format!("no such index [{index}]"))
        }
    }

    pub(crate) fn caused_by(mut self, cause: Self) -> Self {
        self.caused_by = Some(Box::new(cause));
        self
    }

    pub(crate) fn on_index(mut self, index: &str) -> Self {
        self.index = Some(index.to_owned());
        self
    }

    /// The error of one item of a bulk answer.
    pub(crate) fn cause(&self) -> Value {
        let mut cause = self.plain();
        if let Some(inner) = &self.caused_by {
            cause.insert("caused_by".to_owned(), inner.cause());
        }
        Value::Object(cause)
    }

    /// The body of a whole answer.
    pub(crate) fn body(&self) -> Value {
        let mut error = self.plain();
        if let Some(inner) = &self.caused_by {
            error.insert("caused_by".to_owned(), inner.cause());
        }
        error.insert("root_cause".to_owned(), json!([self.plain()]));
        json!({"error": error, "status": self.status})
    }

    pub(crate) fn reason(&self) -> &str {
        &self.reason
    }

    fn plain(&self) -> Map<String, Value> {
        let mut plain = Map::new();
        plain.insert("type".to_owned(), json!(self.kind));
        plain.insert("reason".to_owned(), json!(self.reason));
        if let Some(index) = &self.index {
            plain.insert("index".to_owned(), json!(index));
            if self.kind == "index_not_found_exception" {
                plain.insert("index_uuid".to_owned(), json!("_na_"));
                plain.insert("resource.type".to_owned(), json!("index_or_alias"));
                plain.insert("resource.id".to_owned(), json!(index));
            }
        }
        plain
    }
}
