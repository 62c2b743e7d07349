//! What was found at each hop.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use super::Backup;
use crate::error::Exit;

/// What a run found.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The value of the marker field.
    pub marker: String,
    /// When the record was made.
    pub sent: Timestamp,
    /// Each hop, in the record's order.
    pub findings: Vec<Finding>,
    /// The index in which it was found.
    pub index: Option<String>,
    /// What became of its document.
    pub removal: Removal,
}

/// A station on the record's way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hop {
    /// Firehose takes it.
    Accepted,
    /// It is found in the domain.
    Index,
    /// It is found in the backup.
    Backup,
}

/// What is known of one hop.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Which.
    pub hop: Hop,
    /// What became of the record there.
    pub state: State,
    /// How long after it was sent.
    pub seconds: Option<f64>,
    /// More in words.
    pub detail: String,
}

/// What became of the record at a hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is still looked for.
    Pending,
    /// It is there.
    Found,
    /// It was lost, or is where nobody finds it.
    Lost,
    /// It could not be looked for.
    NotKnown,
    /// Time ran out.
    NotYet,
    /// Nobody wanted to know, or there is nothing to look for.
    NotAsked,
}

/// What became of the document in the index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Removal {
    /// None was found.
    NothingToRemove,
    /// These copies were removed, each by index and id.
    Removed(BTreeSet<String>),
    /// It is still there; why.
    Failed(String),
}

impl Report {
    /// Begins: nothing is known yet.
    #[must_use]
    pub fn new(marker: String, sent: Timestamp, backup: Backup) -> Self {
        let finding = |hop, state, detail: &str| Finding { hop, state, seconds: None, detail: detail.to_owned() };
        let in_backup = match backup {
            Backup::All { seconds: _, mib: _ } => finding(Hop::Backup, State::Pending, ""),
            Backup::FailedOnly => finding(
                Hop::Backup,
                State::NotAsked,
                "nothing to look for: the bucket gets only what fails (FailedDocumentsOnly)",
            ),
            Backup::NotAsked => finding(Hop::Backup, State::NotAsked, "not looked for (--no-backup)"),
        };
        Self {
            marker,
            sent,
            findings: vec![
                finding(Hop::Accepted, State::Pending, ""),
                finding(Hop::Index, State::Pending, ""),
                in_backup,
            ],
            index: None,
            removal: Removal::NothingToRemove,
        }
    }

    pub(super) fn settle(&mut self, hop: Hop, state: State, after: Option<Duration>, detail: String) {
        if let Some(finding) = self.findings.iter_mut().find(|finding| finding.hop == hop) {
            *finding = Finding { hop, state, seconds: after.map(|after| after.as_secs_f64()), detail };
        }
    }

    /// Notes that a document is gone. Until the next refresh a search still finds it, so that it may go twice.
    pub(super) fn note_removed(&mut self, index: &str, id: &str) {
        let document = format!("{index}/{id}");
        match &mut self.removal {
            Removal::Removed(documents) => {
                documents.insert(document);
            }
            Removal::NothingToRemove | Removal::Failed(_) => {
                self.removal = Removal::Removed(BTreeSet::from([document]));
            }
        }
    }

    /// Returns what became of the record at a hop.
    #[must_use]
    pub fn state(&self, hop: Hop) -> State {
        self.findings.iter().find(|finding| finding.hop == hop).map_or(State::NotAsked, |finding| finding.state)
    }

    pub(super) fn is_pending(&self, hop: Hop) -> bool {
        self.state(hop) == State::Pending
    }

    /// Returns how the command ends: 1 where the record was lost or could not be looked for, 5 where it may still come.
    #[must_use]
    pub fn exit(&self) -> Exit {
        let of_hops = self.findings.iter().fold(Exit::Done, |exit, finding| {
            exit.worst(match finding.state {
                State::Found | State::NotAsked => Exit::Done,
                State::Lost | State::NotKnown => Exit::Failed,
                State::Pending | State::NotYet => Exit::StillUnderWay,
            })
        });
        match self.removal {
            Removal::Failed(_) => of_hops.worst(Exit::Failed),
            Removal::NothingToRemove | Removal::Removed(_) => of_hops,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_that_is_found_again_before_the_refresh_is_removed_once() {
        let mut report = Report::new("m".to_owned(), Timestamp::UNIX_EPOCH, Backup::NotAsked);
        for id in ["a", "a", "b"] {
            report.note_removed("logs-2026-w48", id);
        }
        let documents = ["logs-2026-w48/a", "logs-2026-w48/b"].map(str::to_owned);
        assert_eq!(report.removal, Removal::Removed(documents.into()));
    }
}
