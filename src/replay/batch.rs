//! Documents on their way into one bulk request, and what its answer says of each. Pure.

use std::rc::Rc;

use serde_json::{Value, json};

/// Half of what the smallest nodes take in one request (10 MiB), so that the actions and one long record more fit in it.
const MOST_BYTES: usize = 5 << 20;
/// More of them make no request quicker.
const MOST_DOCUMENTS: usize = 1000;

/// Where a document was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The object.
    pub key: Rc<str>,
    /// Where it begins in the object's text, in bytes.
    pub offset: u64,
}

/// A document that is to be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) index: String,
    pub(super) id: String,
    /// One line of JSON.
    pub(super) line: String,
    pub(super) place: Place,
}

/// Documents of one request.
#[derive(Debug, Default)]
pub(super) struct Batch {
    entries: Vec<Entry>,
    bytes: usize,
}

/// What became of one document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Created,
    AlreadyThere,
    /// It may be taken later: 429 or 5xx.
    Later(String),
    /// It will not be taken as it is.
    Refused(String),
}

impl Batch {
    pub(super) fn of(entries: Vec<Entry>) -> Self {
        let bytes = entries.iter().map(size).sum();
        Self { entries, bytes }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn push(&mut self, entry: Entry) {
        self.bytes += size(&entry);
        self.entries.push(entry);
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes >= MOST_BYTES || self.entries.len() >= MOST_DOCUMENTS
    }

    /// The body of `_bulk`: create, never index, so that what is there already is left.
    pub(super) fn body(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(self.bytes + self.entries.len() * 96);
        for Entry { index, id, line, place: _ } in &self.entries {
            let action = json!({"create": {"_index": index, "_id": id}});
            body.extend_from_slice(action.to_string().as_bytes());
            body.push(b'\n');
            body.extend_from_slice(line.as_bytes());
            body.push(b'\n');
        }
        body
    }

    /// Pairs each document with what the answer says of it.
    pub(super) fn fates(self, answer: &Value) -> Vec<(Entry, Fate)> {
        let item = |at: usize| &answer["items"][at]["create"];
        self.entries.into_iter().enumerate().map(|(at, entry)| (entry, fate(item(at)))).collect()
    }
}

fn size(entry: &Entry) -> usize {
    entry.line.len() + entry.index.len() + entry.id.len() + 48
}

fn fate(item: &Value) -> Fate {
    let error = &item["error"];
    match item["status"].as_u64() {
        Some(200..=299) => Fate::Created,
        Some(409) if error["type"].as_str().is_none_or(|kind| kind.starts_with("version_conflict")) => {
            Fate::AlreadyThere
        }
        Some(429 | 500..=599) => Fate::Later(cause(error)),
        Some(_) => Fate::Refused(cause(error)),
        // Without an item nothing is known of the document, and creating it once more is no harm.
        None => Fate::Later("the answer says nothing of it".to_owned()),
    }
}

/// The engine's words without what belongs to one document alone, so that a thousand documents with one cause are one line.
fn cause(error: &Value) -> String {
    let words = |error: &Value| match (error["type"].as_str(), error["reason"].as_str()) {
        (Some(kind), Some(reason)) => format!("{kind}: {}", without_document(reason)),
        (Some(only), None) | (None, Some(only)) => without_document(only),
        (None, None) => error.to_string(),
    };
    let outer = words(error);
    let inner = &error["caused_by"];
    if inner.is_object() && outer.ends_with("failed to parse") { format!("{outer}: {}", words(inner)) } else { outer }
}

/// The same for a message in which the engine's words may stand as JSON.
pub(super) fn cause_in(message: &str) -> String {
    match serde_json::from_str::<Value>(message) {
        Ok(error) if error["type"].is_string() || error["reason"].is_string() => cause(&error),
        Ok(_) | Err(_) => {
            let words = without_document(message);
            match words.char_indices().nth(200) {
                Some((end, _)) => format!("{}…", &words[..end]),
                None => words,
            }
        }
    }
}

/// Cuts off id and value, which the engine puts last.
fn without_document(reason: &str) -> String {
    let line = reason.split_whitespace().collect::<Vec<_>>().join(" ");
    let end = [" in document with id '", ". Preview of field's value"].iter().filter_map(|mark| line.find(mark)).min();
    line[..end.unwrap_or(line.len())].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: &str) -> Entry {
        let place = Place { key: "k".into(), offset: 0 };
        Entry { index: "logs-2026".to_owned(), id: id.to_owned(), line: "{\"a\":1}".to_owned(), place }
    }

    #[test]
    fn the_body_creates_each_document_by_its_id() {
        let batch = Batch::of(vec![entry("1"), entry("a\"b")]);
        let wanted = "{\"create\":{\"_id\":\"1\",\"_index\":\"logs-2026\"}}\n{\"a\":1}\n\
                      {\"create\":{\"_id\":\"a\\\"b\",\"_index\":\"logs-2026\"}}\n{\"a\":1}\n";
        assert_eq!(String::from_utf8(batch.body()).expect("UTF-8"), wanted);
    }

    #[test]
    fn each_document_has_its_own_fate() {
        let answer = json!({"errors": true, "items": [
            {"create": {"status": 201}},
            {"create": {"status": 409, "error": {"type": "version_conflict_engine_exception", "reason": "[2]: there"}}},
            {"create": {"status": 429, "error": {"type": "rejected_execution_exception", "reason": "full"}}},
            {"create": {"status": 503, "error": {"type": "unavailable_shards_exception", "reason": "red"}}},
            {"create": {"status": 400, "error": {"type": "mapper_parsing_exception", "reason": "bad"}}},
        ]});
        let batch = Batch::of((1..=6).map(|id| entry(&id.to_string())).collect());
        let fates: Vec<Fate> = batch.fates(&answer).into_iter().map(|(_, fate)| fate).collect();
        assert_eq!(
            fates,
            [
                Fate::Created,
                Fate::AlreadyThere,
                Fate::Later("rejected_execution_exception: full".to_owned()),
                Fate::Later("unavailable_shards_exception: red".to_owned()),
                Fate::Refused("mapper_parsing_exception: bad".to_owned()),
                Fate::Later("the answer says nothing of it".to_owned()),
            ]
        );
    }

    #[test]
    fn one_cause_reads_the_same_for_all_its_documents() {
        let of = |id: &str, value: &str| {
            cause(&json!({"type": "mapper_parsing_exception", "reason": format!(
                "failed to parse field [asctime] of type [date] in document with id '{id}'. Preview of field's value: '{value}'"
            )}))
        };
        assert_eq!(of("1", "x"), of("2", "it is 'y'"));
        assert_eq!(of("1", "x"), "mapper_parsing_exception: failed to parse field [asctime] of type [date]");
        let inner = json!({"type": "mapper_parsing_exception", "reason": "failed to parse", "caused_by":
            {"type": "illegal_argument_exception", "reason": "Limit of total fields [1000] has been exceeded"}});
        assert_eq!(
            cause(&inner),
            "mapper_parsing_exception: failed to parse: illegal_argument_exception: Limit of total fields [1000] has been \
             exceeded"
        );
    }
}
