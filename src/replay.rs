//! Brings documents from the backup bucket back into the domain. Creates and never overwrites: each document has an id
//! that is the same in every run, so that what is there already is left, and a run that was stopped is gone through again.
//! The bucket is never written.

mod batch;
mod report;

use std::rc::Rc;

use jiff::{SignedDuration, Timestamp};

use crate::backup::{
    FailedDocument, Key, Layout, Name, ObjectReader, PROCESSING_FAILED, Piece, derived_id, record_line,
};
use crate::error::{Error, Result};
use crate::objects::{Bucket, Listed, ReadError};
use crate::opensearch::{Cause, DataPlane, NewDocument};
use crate::wait::{Waiting, pause};

use self::batch::{Batch, Fate};
pub use self::batch::{Place, cause_in};
pub use self::report::{Causes, Left, Report, Unreadable};

/// How often documents that the domain takes later (429, 5xx) are sent: with the pauses on AWS, two minutes in all.
const ROUNDS: u32 = 16;
/// What of an object is looked through at a time.
const SLICE: usize = 16 << 10;
/// The longest id that an index takes, in bytes; one that is longer makes the engine refuse the whole request.
const LONGEST_ID: usize = 512;
/// How much later than its time an object's records may have come, and how much earlier: Firehose keeps a record for a day,
/// and tries for two hours at most. The guide does not say which of an object's moments stands in its key.
const SPREAD: SignedDuration = SignedDuration::from_hours(26);

/// What is to be brought back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Documents that the domain did not take, each into the index it was meant for. One that names no index goes into
    /// this, where the stream does not rotate.
    FailedDocuments {
        /// The stream's index without rotation.
        unrotated_index: Option<String>,
    },
    /// All records, into this index.
    AllRecords {
        /// The index.
        into: String,
    },
}

/// Whether anything is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Documents are created.
    Create,
    /// Everything is read and nothing is written.
    DryRun,
}

/// A time from which and a time until which.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// Not before this.
    pub since: Option<Timestamp>,
    /// Not at this or later.
    pub until: Option<Timestamp>,
}

impl Window {
    /// Tells whether it leaves anything out.
    #[must_use]
    pub fn is_bounded(&self) -> bool {
        self.since.is_some() || self.until.is_some()
    }

    fn has(&self, moment: Timestamp) -> bool {
        self.since.is_none_or(|since| moment >= since) && self.until.is_none_or(|until| moment < until)
    }

    /// The same, for objects of failed documents, which tell themselves when they came.
    fn widened(&self) -> Self {
        Self {
            since: self.since.map(|since| since.saturating_sub(SPREAD).unwrap_or(since)),
            until: self.until.map(|until| until.saturating_add(SPREAD).unwrap_or(until)),
        }
    }
}

/// One run.
#[derive(Debug)]
pub struct Task<'t> {
    /// The bucket.
    pub bucket: Bucket<'t>,
    /// How the stream lays it out.
    pub layout: Layout,
    /// What is to be brought back.
    pub what: What,
    /// From when and until when.
    pub window: Window,
    /// Where to, or only looking.
    pub to: Option<&'t DataPlane<'t>>,
    /// How to wait.
    pub waiting: &'t Waiting,
}

/// What happens, as it happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// So many objects of so many bytes lie there.
    Listed {
        /// Objects.
        objects: u64,
        /// Bytes as they are stored.
        bytes: u64,
    },
    /// An object was read to its end.
    Read {
        /// Its bytes as they are stored.
        bytes: u64,
    },
    /// Something cannot be brought back, or was left; one line.
    Note(String),
    /// The domain is busy; why.
    Busy(String),
}

/// Goes through the bucket. What was done stands in `report` even where this fails or is dropped.
///
/// # Errors
/// Fails when the bucket cannot be listed or read at all, or the domain does not take anything.
pub async fn run(task: &Task<'_>, report: &mut Report, tell: &dyn Fn(Event)) -> Result<()> {
    let places = places(task, report, tell).await?;
    let mut objects = 0;
    let mut bytes = 0;
    for place in &places {
        let mut listing = task.bucket.list(place, &task.first_key(place));
        while let Some(page) = listing.next().await? {
            let is_last = page.last().is_some_and(|last| task.is_behind(last, place));
            for object in page.iter().filter(|object| task.is_meant(&object.key)) {
                objects += 1;
                bytes += object.size;
            }
            if is_last {
                break;
            }
        }
    }
    tell(Event::Listed { objects, bytes });
    let mut batch = Batch::default();
    for place in &places {
        let mut listing = task.bucket.list(place, &task.first_key(place));
        while let Some(page) = listing.next().await? {
            let is_last = page.last().is_some_and(|last| task.is_behind(last, place));
            for object in &page {
                take_object(task, object, &mut batch, report, tell).await?;
            }
            if is_last {
                break;
            }
        }
    }
    send(task, &mut batch, report, tell).await
}

/// Returns the prefixes below which is looked. Where the folder of failed documents follows the prefix at once, it is found
/// by its spelling, and what lies beside it is not listed.
async fn places(task: &Task<'_>, report: &mut Report, tell: &dyn Fn(Event)) -> Result<Vec<String>> {
    let layout = &task.layout;
    match &task.what {
        What::AllRecords { into: _ } => Ok(vec![layout.records_below().to_owned()]),
        What::FailedDocuments { unrotated_index: _ } if layout.failed_folder_comes_first() => {
            let mut found = Vec::new();
            for folder in task.bucket.folders(layout.failed_below()).await? {
                if layout.is_failed_folder(&folder) {
                    found.push(folder);
                } else if folder == format!("{}{PROCESSING_FAILED}/", layout.failed_below()) {
                    report.left.processing_failed += 1;
                    tell(Event::Note(format!("{folder}: {}", report::PROCESSING_FAILED_IS_LEFT)));
                }
            }
            Ok(found)
        }
        What::FailedDocuments { unrotated_index: _ } => Ok(vec![layout.failed_below().to_owned()]),
    }
}

impl Task<'_> {
    fn object_window(&self) -> Window {
        match self.what {
            What::FailedDocuments { unrotated_index: _ } => self.window.widened(),
            What::AllRecords { into: _ } => self.window,
        }
    }

    /// Tells whether keys below a place begin with their date, so that a listing can begin and end at an hour.
    fn is_dated(&self) -> bool {
        match self.what {
            What::FailedDocuments { unrotated_index: _ } => self.layout.failed_folder_comes_first(),
            What::AllRecords { into: _ } => self.layout.date_comes_first(),
        }
    }

    /// The key behind which a listing begins.
    fn first_key(&self, place: &str) -> String {
        match self.object_window().since.filter(|_| self.is_dated()) {
            Some(since) => format!("{place}{}", since.strftime("%Y/%m/%d/%H")),
            None => String::new(),
        }
    }

    /// Tells whether all that follows an object in a listing is too late.
    fn is_behind(&self, object: &Listed, place: &str) -> bool {
        let Some(until) = self.object_window().until.filter(|_| self.is_dated()) else { return false };
        let Some(date) = object.key.strip_prefix(place).and_then(|rest| rest.get(..13)) else { return false };
        // What follows in the order of keys and is no date (a folder of failed documents) does not end the listing early:
        // letters come behind digits.
        date.starts_with(|first: char| first.is_ascii_digit()) && *date > *until.strftime("%Y/%m/%d/%H").to_string()
    }

    /// Returns the name of an object that is to be read.
    fn meant(&self, key: &str) -> Option<Name> {
        let name = match (self.layout.classify(key), &self.what) {
            (Key::FailedDocuments(name), What::FailedDocuments { unrotated_index: _ })
            | (Key::Records(name), What::AllRecords { into: _ }) => name,
            (
                Key::FailedDocuments(_)
                | Key::Records(_)
                | Key::ProcessingFailed
                | Key::OtherStream(_)
                | Key::ForeignInFailedFolder
                | Key::Foreign,
                _,
            ) => return None,
        };
        Some(name).filter(|name| self.object_window().has(name.time))
    }

    fn is_meant(&self, key: &str) -> bool {
        self.meant(key).is_some()
    }
}

/// Reads one object, if it is meant, and sends what is full.
async fn take_object(
    task: &Task<'_>,
    object: &Listed,
    batch: &mut Batch,
    report: &mut Report,
    tell: &dyn Fn(Event),
) -> Result<()> {
    let Some(name) = task.meant(&object.key) else {
        leave(task, &object.key, report, tell);
        return Ok(());
    };
    report.objects += 1;
    let key: Rc<str> = object.key.as_str().into();
    let mut reader = ObjectReader::new(name.compression);
    let mut pieces = Vec::new();
    let outcome = async {
        let mut body = task.bucket.read(&key).await?;
        while let Some(bytes) = body.next().await? {
            for slice in bytes.chunks(SLICE) {
                reader.push(slice, &mut |piece| pieces.push(piece));
                for piece in pieces.drain(..) {
                    take_piece(task, &key, &name, piece, batch, report, tell);
                    if batch.is_full() {
                        send(task, batch, report, tell).await.map_err(ReadError::All)?;
                    }
                }
            }
        }
        Ok(())
    };
    let outcome = outcome.await;
    reader.end(&mut |piece| pieces.push(piece));
    match outcome {
        Ok(()) => {}
        Err(ReadError::Object(why)) => pieces.push(Piece::Damaged { why }),
        Err(ReadError::All(error)) => return Err(error),
    }
    for piece in pieces {
        take_piece(task, &key, &name, piece, batch, report, tell);
    }
    tell(Event::Read { bytes: object.size });
    Ok(())
}

/// Says why an object is left, where it lies among those that are meant.
fn leave(task: &Task<'_>, key: &str, report: &mut Report, tell: &dyn Fn(Event)) {
    match (task.layout.classify(key), &task.what) {
        (Key::OtherStream(stream), _) => {
            let count = report.left.other_streams.entry(stream.clone()).or_default();
            *count += 1;
            if *count == 1 {
                tell(Event::Note(format!("{key}: left, it is of delivery stream {stream}")));
            }
        }
        (Key::ProcessingFailed, What::FailedDocuments { unrotated_index: _ }) => {
            report.left.processing_failed += 1;
            if report.left.processing_failed == 1 {
                tell(Event::Note(format!("{key}: {}", report::PROCESSING_FAILED_IS_LEFT)));
            }
        }
        // A folder that somebody made by hand is an object without a content.
        (Key::ForeignInFailedFolder, What::FailedDocuments { unrotated_index: _ }) if !key.ends_with('/') => {
            report.left.foreign += 1;
            tell(Event::Note(format!("{key}: left, its name is none that Firehose gives")));
        }
        (Key::Foreign, What::AllRecords { into: _ }) if !key.ends_with('/') => {
            report.left.foreign += 1;
            if report.left.foreign <= report::MOST_NOTES {
                tell(Event::Note(format!("{key}: left, its key is none that the stream gives to records")));
            }
        }
        (
            Key::Records(_)
            | Key::FailedDocuments(_)
            | Key::ProcessingFailed
            | Key::ForeignInFailedFolder
            | Key::Foreign,
            _,
        ) => {}
    }
}

fn take_piece(
    task: &Task<'_>,
    key: &Rc<str>,
    name: &Name,
    piece: Piece,
    batch: &mut Batch,
    report: &mut Report,
    tell: &dyn Fn(Event),
) {
    let unreadable = match piece {
        Piece::Value { offset, text } => {
            let place = Place { key: Rc::clone(key), offset };
            match document(task, name, &place, &text, report) {
                Ok(None) => return,
                Ok(Some(document)) => {
                    batch.push(document, place);
                    return;
                }
                Err(why) => Unreadable { place, length: text.len() as u64, why },
            }
        }
        Piece::Unreadable { offset, length, why } => {
            Unreadable { place: Place { key: Rc::clone(key), offset }, length, why }
        }
        Piece::Damaged { why } => {
            report.damaged += 1;
            tell(Event::Note(format!("{key}: {why}")));
            return;
        }
    };
    if let Some(note) = report.take_unreadable(&unreadable) {
        tell(Event::Note(note));
    }
}

/// Makes a document of a value; `None` for what is outside the time that was asked for.
fn document(
    task: &Task<'_>,
    name: &Name,
    place: &Place,
    text: &[u8],
    report: &mut Report,
) -> Result<Option<NewDocument>, String> {
    let Place { key, offset } = place;
    let (index, id, source) = match &task.what {
        What::AllRecords { into } => (into.clone(), derived_id(key, *offset), record_line(text)?),
        What::FailedDocuments { unrotated_index } => {
            let document = FailedDocument::read(text)?;
            if !task.window.has(document.arrived.unwrap_or(name.time)) {
                report.outside_window += 1;
                return Ok(None);
            }
            report.take_first_cause(&document, place);
            let FailedDocument { id, index, arrived: _, error_code: _, error_message: _, record } = document;
            let source = record_line(&record)?;
            let index = index.or_else(|| unrotated_index.clone()).ok_or("it names no index")?;
            if !is_index_name(&index) {
                return Err(format!("its index `{index}` is none that Firehose writes to"));
            }
            if let Some(id) = id.as_ref().filter(|id| id.len() > LONGEST_ID) {
                return Err(format!("its id is {} bytes long, and an index takes {LONGEST_ID}", id.len()));
            }
            (index, id.unwrap_or_else(|| derived_id(key, *offset)), source)
        }
    };
    report.documents += 1;
    *report.by_index.entry(index.clone()).or_default() += 1;
    Ok(Some(NewDocument { index, id, source }))
}

/// Tells whether an index may have this name and is none of the system's.
#[must_use]
pub fn is_index_name(name: &str) -> bool {
    let is_plain = |letter: char| {
        !letter.is_uppercase() && !letter.is_whitespace() && !r#",:"*+/\|?#><"#.contains(letter) && !letter.is_control()
    };
    !name.is_empty() && name.len() <= 255 && !name.starts_with(['.', '_', '-', '+']) && name.chars().all(is_plain)
}

/// Sends a batch until each of its documents has its fate.
async fn send(task: &Task<'_>, batch: &mut Batch, report: &mut Report, tell: &dyn Fn(Event)) -> Result<()> {
    let batch = std::mem::take(batch);
    let Some(domain) = task.to else { return Ok(()) };
    let mut left = vec![batch];
    let mut round = 0;
    while let Some(mut batch) = left.pop() {
        if batch.len() == 0 {
            continue;
        }
        let outcomes = match domain.create_documents(batch.documents()).await {
            Ok(outcomes) => outcomes,
            // One document that an engine cannot even begin with makes it refuse the whole request.
            Err(refusal) if refusal.cause == Cause::Other => {
                if batch.len() > 1 {
                    let second = batch.split();
                    left.extend([second, batch]);
                } else if let Some(place) = batch.first_place() {
                    report.refused.take(&refusal.error.message, place);
                }
                continue;
            }
            Err(refusal) => return Err(refusal.into()),
        };
        let mut later = Batch::default();
        let mut why_later = String::new();
        for (document, place, fate) in batch.fates(outcomes) {
            match fate {
                Fate::Created => report.take_created(&document.index),
                Fate::AlreadyThere => report.already_there += 1,
                Fate::Refused(why) => report.refused.take(&why, &place),
                Fate::Later(why) => {
                    why_later = why;
                    later.push(document, place);
                }
            }
        }
        if later.len() == 0 {
            continue;
        }
        round += 1;
        if round == ROUNDS || task.waiting.deadline.is_over() {
            let documents = crate::render::counted(later.len(), "document", "documents");
            return Err(Error::failed(format!("the domain does not take {documents}: {why_later}"))
                .hint("run the same command again once the domain is well; what is there by then is left"));
        }
        tell(Event::Busy(why_later));
        pause(task.waiting, round - 1).await;
        left.push(later);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_indexes_of_users_are_written_to() {
        for name in ["logs", "logs-2026-w48", "a.b_c-1+2"] {
            assert_eq!(is_index_name(name), !name.contains('+'), "{name}");
        }
        for name in ["", ".kibana_1", "_all", "-x", "Logs", "logs-*", "a,b", "a b", "a/b"] {
            assert!(!is_index_name(name), "{name}");
        }
    }
}
