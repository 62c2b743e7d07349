//! What a run did, counted; its size does not grow with the documents.

use std::collections::BTreeMap;

use crate::backup::FailedDocument;

use super::batch::{Place, cause_in};

/// Said of what a Lambda transformation could not process.
pub(super) const PROCESSING_FAILED_IS_LEFT: &str =
    "left, it is what a Lambda transformation could not process, and no document of an index";
/// After so many notes of one kind only the count goes on.
pub(super) const MOST_NOTES: u64 = 100;
/// How many causes are kept apart.
const MOST_CAUSES: usize = 50;
/// How many places stand with a cause.
const MOST_PLACES: usize = 3;

/// What a run found and did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Objects that were read.
    pub objects: u64,
    /// Documents that were to be brought back.
    pub documents: u64,
    /// The same by index.
    pub by_index: BTreeMap<String, u64>,
    /// Why they had failed the first time, where that is told.
    pub first_causes: Causes,
    /// Documents that were created, by index.
    pub created: BTreeMap<String, u64>,
    /// Documents whose id was there already.
    pub already_there: u64,
    /// Documents that the domain refused, by cause.
    pub refused: Causes,
    /// Parts of objects that are no document, by cause.
    pub unreadable: Causes,
    /// Objects that could not be read, or not to their end.
    pub damaged: u64,
    /// Documents outside the time that was asked for.
    pub outside_window: u64,
    /// What was left on purpose.
    pub left: Left,
}

/// What was left because it is not this stack's to bring back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// Folders or objects of what a Lambda transformation could not process.
    pub processing_failed: u64,
    /// Objects of other streams.
    pub other_streams: BTreeMap<String, u64>,
    /// Objects whose names are none of Firehose's.
    pub foreign: u64,
}

/// A part of an object that is no document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Where it begins.
    pub place: Place,
    /// How many bytes it is long.
    pub length: u64,
    /// Why it is none.
    pub why: String,
}

/// Counts by cause, each with its first places.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Causes(pub BTreeMap<String, (u64, Vec<Place>)>);

impl Causes {
    /// Counts one.
    pub(super) fn take(&mut self, why: &str, place: &Place) {
        let is_new = !self.0.contains_key(why);
        let why = if is_new && self.0.len() >= MOST_CAUSES { "other causes" } else { why };
        let (count, places) = self.0.entry(why.to_owned()).or_default();
        *count += 1;
        if places.len() < MOST_PLACES {
            places.push(place.clone());
        }
    }

    /// Returns the sum of all causes.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.values().map(|(count, _)| count).sum()
    }
}

impl Report {
    /// Tells whether everything that was found is in the domain now.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.refused.count() == 0 && self.unreadable.count() == 0 && self.damaged == 0
    }

    /// Returns how many documents were created.
    #[must_use]
    pub fn created_in_all(&self) -> u64 {
        self.created.values().sum()
    }

    pub(super) fn take_created(&mut self, index: &str) {
        match self.created.get_mut(index) {
            Some(count) => *count += 1,
            None => {
                self.created.insert(index.to_owned(), 1);
            }
        }
    }

    pub(super) fn take_first_cause(&mut self, document: &FailedDocument, place: &Place) {
        let FailedDocument { id: _, index: _, arrived: _, error_code, error_message, record: _ } = document;
        let message = error_message.as_deref().map(cause_in);
        let why = match (error_code, message) {
            (Some(code), Some(message)) => format!("{code} {message}"),
            (Some(only), None) => only.clone(),
            (None, Some(only)) => only,
            (None, None) => "no cause is told".to_owned(),
        };
        self.first_causes.take(&why, place);
    }

    /// Counts what is no document, and returns a line for it, as long as there are not too many of them.
    pub(super) fn take_unreadable(&mut self, unreadable: &Unreadable) -> Option<String> {
        let Unreadable { place, length, why } = unreadable;
        self.unreadable.take(why, place);
        let count = self.unreadable.count();
        (count <= MOST_NOTES).then(|| {
            let more = if count == MOST_NOTES { " (further ones are only counted)" } else { "" };
            format!("{} at byte {}: {why}, {length} bytes{more}", place.key, place.offset)
        })
    }
}
