//! What tells where the record is: the backup, the failed documents, and the log of Firehose's own errors.

use std::collections::{BTreeSet, HashSet};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

use super::{Hop, Report, State, Task};
use crate::backup::{FailedDocument, Name, ObjectReader, Piece};
use crate::error::{Error, Result};
use crate::error_log::Within;
use crate::objects::{Listed, ReadError, failed_since, records_since};
use crate::render::took;
use crate::replay::cause_in;

/// How far this machine's clock may go before Firehose's.
const SKEW: SignedDuration = SignedDuration::from_hours(1);
/// How many events of the log are read.
const MOST_EVENTS: usize = 1_000;
/// How many of the log's errors are told.
const MOST_ERRORS: usize = 3;

/// What was found out about a record that does not come.
#[derive(Debug)]
pub(super) struct Evidence {
    since: Timestamp,
    /// Failed documents that were there before, or were looked through.
    known: HashSet<String>,
    errors: BTreeSet<String>,
    domain: Option<String>,
    /// What cannot be looked at, each once.
    blind: BTreeSet<String>,
}

impl Evidence {
    /// Notes what was there before anything was sent.
    pub(super) async fn before(task: &Task<'_>) -> Result<Self> {
        let mut evidence = Self {
            since: Timestamp::now(),
            known: HashSet::new(),
            errors: BTreeSet::new(),
            domain: None,
            blind: BTreeSet::new(),
        };
        match evidence.failed_objects(task).await {
            Ok(objects) => evidence.known = objects.into_iter().map(|(object, _)| object.key).collect(),
            Err(error) => evidence.note_blind(&error),
        }
        Ok(evidence)
    }

    pub(super) fn note_domain(&mut self, message: String) {
        self.domain = Some(message);
    }

    /// A missing permission to look at what only explains is no failure, but it is told where an explanation is missing.
    fn note_blind(&mut self, error: &Error) {
        let hints = error.hints.join("; ");
        self.blind.insert(if hints.is_empty() { error.message.clone() } else { hints });
    }

    /// Returns what Firehose says about the record among the failed documents: then it is lost for sure. Reads the log of
    /// errors by the way.
    pub(super) async fn of_loss(&mut self, task: &Task<'_>, marker: &str) -> Option<String> {
        self.look_at_the_log(task).await;
        let objects = match self.failed_objects(task).await {
            Ok(objects) => objects,
            Err(error) => {
                self.note_blind(&error);
                return None;
            }
        };
        for (object, name) in objects {
            if self.known.contains(&object.key) {
                continue;
            }
            let mut lost = None;
            let read = read_values(task, &object, &name, |text| {
                let Ok(document) = FailedDocument::read(text) else { return };
                if contains(&document.record, marker) {
                    let code = document.error_code.unwrap_or_default();
                    let message = document.error_message.as_deref().map(cause_in).unwrap_or_default();
                    lost = Some(format!("{code} {message}").trim().to_owned());
                }
            });
            match read.await {
                Ok(_) => {
                    self.known.insert(object.key.clone());
                }
                Err(ReadError::Object(why)) => {
                    self.blind.insert(format!("{}: {why}", object.key));
                    self.known.insert(object.key.clone());
                }
                Err(ReadError::All(error)) => self.note_blind(&error),
            }
            if let Some(why) = lost {
                return Some(format!(
                    "the domain did not take it: {why}; it lies in s3://{}/{}",
                    task.bucket.name, object.key
                ));
            }
        }
        None
    }

    /// Returns what may be the reason, where nothing is sure.
    pub(super) fn hints(&self) -> Vec<String> {
        let domain = self.domain.iter().map(|why| format!("the domain does not answer: {why}"));
        let errors = self.errors.iter().map(|error| format!("Firehose's error log says: {error}"));
        let blind = self.blind.iter().map(|why| format!("not looked at: {why}"));
        domain.chain(errors).chain(blind).collect()
    }

    async fn failed_objects(&self, task: &Task<'_>) -> Result<Vec<(Listed, Name)>> {
        failed_since(&task.bucket, &task.layout, before(self.since)).await
    }

    /// Reads what Firehose has logged since.
    async fn look_at_the_log(&mut self, task: &Task<'_>) {
        if let Err(error) = self.read_log(task).await {
            self.note_blind(&error);
        }
    }

    async fn read_log(&mut self, task: &Task<'_>) -> Result<()> {
        let Some(log) = &task.error_log else { return Ok(()) };
        let within = Within { since: self.since, until: None, most: MOST_EVENTS };
        for error in within.read(task.session, &log.group, &log.streams).await? {
            if self.errors.len() < MOST_ERRORS {
                self.errors.insert(match error.code {
                    Some(code) => format!("{code}: {}", error.text),
                    None => error.text,
                });
            }
        }
        Ok(())
    }
}

/// The search in the backup.
#[derive(Debug)]
pub(super) struct Backups {
    since: Timestamp,
    /// Objects that were there before, or were looked through.
    known: HashSet<String>,
    /// When it was last listed, and how long that took: a bucket whose keys do not begin with their date is listed whole.
    last: Option<(Instant, Duration)>,
}

impl Backups {
    /// Notes what was there before anything was sent.
    ///
    /// # Errors
    /// Fails where the bucket may not be listed.
    pub(super) async fn before(task: &Task<'_>) -> Result<Self> {
        let mut backups = Self { since: Timestamp::now(), known: HashSet::new(), last: None };
        match task.backup {
            super::Backup::All { seconds: _, mib: _ } => {
                let objects = backups
                    .objects(task)
                    .await
                    .map_err(|error| error.context("nothing was sent").hint("--no-backup does without the backup"))?;
                backups.known = objects.into_iter().map(|(object, _)| object.key).collect();
            }
            super::Backup::FailedOnly | super::Backup::NotAsked => {}
        }
        Ok(backups)
    }

    /// Looks through what has come since.
    pub(super) async fn look(&mut self, task: &Task<'_>, report: &mut Report, evidence: &mut Evidence, began: Instant) {
        if self.last.is_some_and(|(when, duration)| when.elapsed() < duration * 5) {
            return;
        }
        let started = Instant::now();
        let found = self.find(task, &report.marker).await;
        self.last = Some((Instant::now(), started.elapsed()));
        match found {
            Ok(Some(_)) => report.settle(Hop::Backup, State::Found, Some(began.elapsed()), written_every(task)),
            Ok(None) if began.elapsed() >= task.patience.backup => {
                let after = took(began.elapsed().as_secs_f64());
                evidence.look_at_the_log(task).await;
                let hints = evidence.hints();
                let hints = if hints.is_empty() { String::new() } else { format!(": {}", hints.join("; ")) };
                report.settle(Hop::Backup, State::NotYet, None, format!("not there after {after}{hints}"));
            }
            Ok(None) => {}
            Err(ReadError::Object(why)) => report.settle(Hop::Backup, State::NotKnown, None, why),
            Err(ReadError::All(error)) => {
                let Error { kind: _, message, hints } = error;
                report.settle(Hop::Backup, State::NotKnown, None, [vec![message], hints].concat().join("; "));
            }
        }
    }

    async fn find(&mut self, task: &Task<'_>, marker: &str) -> Result<Option<String>, ReadError> {
        for (object, name) in self.objects(task).await.map_err(ReadError::All)? {
            if self.known.contains(&object.key) {
                continue;
            }
            let mut is_found = false;
            let damage = read_values(task, &object, &name, |text| is_found |= contains(text, marker)).await?;
            if is_found {
                return Ok(Some(object.key));
            }
            if let Some(why) = damage {
                return Err(ReadError::Object(format!("{}: {why}", object.key)));
            }
            self.known.insert(object.key);
        }
        Ok(None)
    }

    async fn objects(&self, task: &Task<'_>) -> Result<Vec<(Listed, Name)>> {
        records_since(&task.bucket, &task.layout, before(self.since)).await
    }
}

fn written_every(task: &Task<'_>) -> String {
    match task.backup {
        super::Backup::All { seconds, mib } => format!("written every {seconds} s or {mib} MiB"),
        super::Backup::FailedOnly | super::Backup::NotAsked => String::new(),
    }
}

fn before(moment: Timestamp) -> Timestamp {
    moment.saturating_sub(SKEW).unwrap_or(moment)
}

/// Reads an object's values; returns why it cannot be read to its end.
async fn read_values(
    task: &Task<'_>,
    object: &Listed,
    name: &Name,
    mut take: impl FnMut(&[u8]),
) -> Result<Option<String>, ReadError> {
    let mut reader = ObjectReader::new(name.compression);
    let mut damage = None;
    let mut tell = |piece: Piece| match piece {
        Piece::Value { offset: _, text } => take(&text),
        Piece::Unreadable { .. } => {}
        Piece::Damaged { why } => damage = Some(why),
    };
    let mut body = task.bucket.read(&object.key).await?;
    while let Some(bytes) = body.next().await? {
        reader.push(&bytes, &mut tell);
    }
    reader.end(&mut tell);
    Ok(damage)
}

fn contains(text: &[u8], marker: &str) -> bool {
    text.windows(marker.len()).any(|window| window == marker.as_bytes())
}
