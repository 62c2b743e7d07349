//! Documents on their way into one bulk request, and what its answer says of each. Pure.

use std::rc::Rc;

use serde_json::Value;

use crate::opensearch::{Created, NewDocument};

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

/// Documents of one request.
#[derive(Debug, Default)]
pub(super) struct Batch {
    documents: Vec<NewDocument>,
    places: Vec<Place>,
    bytes: usize,
}

/// What became of one document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It was created.
    Created,
    /// Its id was there, and it stays as it is.
    AlreadyThere,
    /// It may be taken later: 429 or 5xx.
    Later(String),
    /// It will not be taken as it is.
    Refused(String),
}

impl Batch {
    pub(super) fn len(&self) -> usize {
        self.documents.len()
    }

    pub(super) fn push(&mut self, document: NewDocument, place: Place) {
        self.bytes += document.source.len() + document.index.len() + document.id.len() + 48;
        self.documents.push(document);
        self.places.push(place);
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes >= MOST_BYTES || self.documents.len() >= MOST_DOCUMENTS
    }

    /// Takes the second half of its documents out.
    pub(super) fn split(&mut self) -> Self {
        let half = self.len() / 2;
        let (documents, places) = (self.documents.split_off(half), self.places.split_off(half));
        let mut other = Self::default();
        for (document, place) in documents.into_iter().zip(places) {
            other.push(document, place);
        }
        self.bytes -= other.bytes;
        other
    }

    /// Returns where the first of its documents was found.
    pub(super) fn first_place(&self) -> Option<&Place> {
        self.places.first()
    }

    pub(super) fn documents(&self) -> &[NewDocument] {
        &self.documents
    }

    /// Pairs each document with what became of it.
    pub(super) fn fates(self, outcomes: Vec<Created>) -> impl Iterator<Item = (NewDocument, Place, Fate)> {
        let Self { documents, places, bytes: _ } = self;
        let fates = outcomes.into_iter().map(fate);
        documents.into_iter().zip(places).zip(fates).map(|((document, place), fate)| (document, place, fate))
    }
}

fn fate(outcome: Created) -> Fate {
    match outcome {
        Created::Done => Fate::Created,
        Created::WasThere => Fate::AlreadyThere,
        Created::Refused { status: 429 | 500..=599, why } => Fate::Later(without_document(&why)),
        Created::Refused { status: _, why } => Fate::Refused(without_document(&why)),
    }
}

/// Returns the cause in a message in which the engine's words may stand as JSON, without what belongs to one document alone.
#[must_use]
pub fn cause_in(message: &str) -> String {
    let error = serde_json::from_str::<Value>(message).unwrap_or_default();
    let words = match (error["type"].as_str(), error["reason"].as_str()) {
        (Some(kind), Some(reason)) => without_document(&format!("{kind}: {reason}")),
        (Some(_), None) | (None, _) => without_document(message),
    };
    match words.char_indices().nth(200) {
        Some((end, _)) => format!("{}…", &words[..end]),
        None => words,
    }
}

/// Cuts off id and value, which the engine puts last, so that a thousand documents with one cause are one line.
fn without_document(reason: &str) -> String {
    let line = reason.split_whitespace().collect::<Vec<_>>().join(" ");
    let end = [" in document with id '", ". Preview of field's value"].iter().filter_map(|mark| line.find(mark)).min();
    line[..end.unwrap_or(line.len())].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_heal_is_sent_again() {
        let refused = |status| fate(Created::Refused { status, why: "why".to_owned() });
        assert_eq!(fate(Created::Done), Fate::Created);
        assert_eq!(fate(Created::WasThere), Fate::AlreadyThere);
        for status in [429, 500, 503] {
            assert_eq!(refused(status), Fate::Later("why".to_owned()), "{status}");
        }
        for status in [400, 403, 404, 413] {
            assert_eq!(refused(status), Fate::Refused("why".to_owned()), "{status}");
        }
    }

    #[test]
    fn one_cause_reads_the_same_for_all_its_documents() {
        let reason = |id: &str, value: &str| {
            format!(
                "failed to parse field [asctime] of type [date] in document with id '{id}'. Preview of field's value: '{value}'"
            )
        };
        let wanted = "mapper_parsing_exception: failed to parse field [asctime] of type [date]";
        assert_eq!(without_document(&format!("mapper_parsing_exception: {}", reason("1", "it is 'y'"))), wanted);
        let as_json = serde_json::json!({"type": "mapper_parsing_exception", "reason": reason("2", "x")}).to_string();
        assert_eq!(cause_in(&as_json), wanted);
        assert_eq!(cause_in("Could not connect"), "Could not connect");
        assert_eq!(cause_in(&"ä".repeat(300)).chars().count(), 201);
    }

    #[test]
    fn a_batch_is_full_by_its_bytes_or_by_its_documents() {
        let document =
            |length: usize| NewDocument { index: "logs".to_owned(), id: "1".to_owned(), source: "x".repeat(length) };
        let place = Place { key: "k".into(), offset: 0 };
        let mut batch = Batch::default();
        for _ in 0..5 {
            assert!(!batch.is_full());
            batch.push(document(1 << 20), place.clone());
        }
        assert!(batch.is_full());
        let mut batch = Batch::default();
        for _ in 0..MOST_DOCUMENTS {
            assert!(!batch.is_full());
            batch.push(document(10), place.clone());
        }
        assert!(batch.is_full());
    }
}
