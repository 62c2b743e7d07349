//! Sends one marked record through the whole path and looks for it at each hop: in the domain, and in the backup. Says how
//! long each took, or which one lost it and why. Takes its document out of the index again; its line stays in the backup.

mod evidence;
mod report;

use std::time::{Duration, Instant};

use aws_sdk_firehose::types::Record;
use serde_json::json;

use crate::aws::{Session, failure};
use crate::backup::Layout;
use crate::error::{Error, Result};
use crate::objects::Bucket;
use crate::opensearch::{Cause, DataPlane, Found, Hit, Path, Refusal};
use crate::resource::Kind;
use crate::wait::{Event, Waiting, pause};

use self::evidence::{Backups, Evidence};
pub use self::report::{Finding, Hop, Removal, Report, State};

/// The field that marks a record of `ekk verify`; users filter by it.
pub const MARKER_FIELD: &str = "ekk_verify";

/// What is to be verified.
#[derive(Debug)]
pub struct Task<'t> {
    /// The session.
    pub session: &'t Session,
    /// The delivery stream.
    pub stream: String,
    /// The stream's index, before rotation adds its suffix.
    pub index: String,
    /// The index pattern that people look through; `None` where it is not known.
    pub pattern: Option<String>,
    /// The field that must be a date; `None` where it is not known.
    pub time_field: Option<String>,
    /// The domain.
    pub domain: &'t DataPlane<'t>,
    /// How long the stream buffers, and how long it tries.
    pub delivery: Delivery,
    /// The backup bucket.
    pub bucket: Bucket<'t>,
    /// How the stream lays it out.
    pub layout: Layout,
    /// Whether the record is looked for in the backup.
    pub backup: Backup,
    /// Firehose's own errors: the log group and its streams; `None` where logging is off.
    pub error_log: Option<ErrorLog>,
    /// For how long it is looked for, at most.
    pub patience: Patience,
}

/// The hints that the stream was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// A batch goes to the domain after so many seconds,
    pub seconds: u32,
    /// or so many MiB.
    pub mib: u32,
    /// A request that fails is tried again for so many seconds.
    pub retry_seconds: u32,
}

/// Where Firehose writes what went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorLog {
    /// The log group.
    pub group: String,
    /// Its streams that this delivery stream writes to.
    pub streams: Vec<String>,
}

/// Whether the record is looked for in the backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backup {
    /// The bucket gets all records, after so many seconds or so many MiB.
    All {
        /// Seconds.
        seconds: u32,
        /// MiB.
        mib: u32,
    },
    /// The bucket gets what fails, and nothing else.
    FailedOnly,
    /// `--no-backup`.
    NotAsked,
}

/// For how long each hop is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// For the domain.
    pub domain: Duration,
    /// For the backup.
    pub backup: Duration,
}

impl Patience {
    /// Derives it from the stream's own times: its buffer, its tries, and then as long as AWS takes beyond its hints.
    /// `second` is how long one second of Firehose takes.
    #[must_use]
    pub fn derived(delivery: Delivery, backup: Backup, second: Duration) -> Self {
        const BEYOND: u32 = 120;
        // A machine that is loaded is slow whatever a second of Firehose takes.
        const AT_LEAST: Duration = Duration::from_secs(10);
        let in_backup = match backup {
            Backup::All { seconds, mib: _ } => seconds,
            Backup::FailedOnly | Backup::NotAsked => 0,
        };
        Self {
            domain: second * (delivery.seconds + delivery.retry_seconds + BEYOND) + AT_LEAST,
            backup: second * (in_backup + BEYOND) + AT_LEAST,
        }
    }
}

/// Verifies. What was found stands in `report` even where this fails or is dropped.
///
/// # Errors
/// Fails, before anything is sent, where the caller may not look or the domain does not answer; and where Firehose does not
/// take the record.
pub async fn run(task: &Task<'_>, report: &mut Report, waiting: &Waiting) -> Result<()> {
    let mut evidence = Evidence::before(task).await?;
    let mut backups = Backups::before(task).await?;
    look(task, &report.marker).await.map_err(|refusal| {
        refusal.error.context("nothing was sent: the record could not be looked for").hint("`ekk doctor` says more")
    })?;
    let began = Instant::now();
    send(task, report, began).await?;
    let progress = &waiting.progress;
    progress.tell(Kind::Stream, Event::Done(began.elapsed()));
    let Delivery { seconds, mib, retry_seconds: _ } = task.delivery;
    let why = format!("waiting for the record (buffer {seconds} s or {mib} MiB)");
    progress.tell(Kind::Domain, Event::Waiting { why, stage: None });
    if let Backup::All { seconds, mib } = task.backup {
        let why = format!("waiting for the record (written every {seconds} s or {mib} MiB)");
        progress.tell(Kind::Bucket, Event::Waiting { why, stage: None });
    }
    let mut attempt = 0;
    loop {
        if report.is_pending(Hop::Index) {
            look_in_the_domain(task, report, &mut evidence, began).await?;
            tell(report, Hop::Index, Kind::Domain, waiting);
        }
        if report.is_pending(Hop::Backup) {
            backups.look(task, report, &mut evidence, began).await;
            tell(report, Hop::Backup, Kind::Bucket, waiting);
        }
        // What the domain did not take makes the verdict; the backup is of no more interest then.
        if !report.is_pending(Hop::Index)
            && (!report.is_pending(Hop::Backup) || report.state(Hop::Index) != State::Found)
        {
            break;
        }
        pause(waiting, attempt).await;
        attempt += 1;
    }
    // Firehose delivers at least once: a second copy may have come since.
    if report.removal != Removal::NothingToRemove {
        remove(task, report).await;
    }
    Ok(())
}

fn tell(report: &Report, hop: Hop, kind: Kind, waiting: &Waiting) {
    let Some(Finding { state, seconds, detail, hop: _ }) = report.findings.iter().find(|one| one.hop == hop) else {
        return;
    };
    let event = match state {
        State::Pending => return,
        State::Found => Event::Done(Duration::from_secs_f64(seconds.unwrap_or_default())),
        State::Lost | State::NotKnown => Event::Failed(detail.clone()),
        State::NotYet => Event::StillUnderWay(detail.clone()),
        State::NotAsked => return,
    };
    waiting.progress.tell(kind, event);
}

/// Sends the record. It is an ordinary line of a log, but for the field that marks it.
async fn send(task: &Task<'_>, report: &mut Report, began: Instant) -> Result<()> {
    let mut record = json!({
        "levelname": "INFO",
        "name": "ekk.verify",
        "message": format!("ekk verify {}: a test of the path from Firehose to this index; it is removed again", report.marker),
        MARKER_FIELD: report.marker,
    });
    let now = report.sent.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string();
    record[task.time_field.as_deref().unwrap_or("asctime")] = json!(now);
    let data = format!("{record}\n").into_bytes();
    let record = Record::builder()
        .data(data.into())
        .build()
        .map_err(|error| Error::failed(format!("stream {}: {error}", task.stream)))?;
    task.session
        .aws
        .firehose
        .put_record()
        .delivery_stream_name(&task.stream)
        .record(record)
        .send()
        .await
        .map_err(|error| failure(&format!("stream {}", task.stream), "firehose:PutRecord", error))?;
    report.settle(Hop::Accepted, State::Found, Some(began.elapsed()), String::new());
    Ok(())
}

/// Looks for the record in all indexes, so that one that lies outside the pattern is found, too.
async fn look(task: &Task<'_>, marker: &str) -> Result<Vec<Hit>, Refusal> {
    // The marker is one word of letters and digits, so that a text finds it as well as a keyword; where the field was not
    // indexed, it still stands in the message.
    let query = json!({
        "size": 100,
        "_source": [MARKER_FIELD],
        "query": {"bool": {"minimum_should_match": 1, "should": [
            {"match": {MARKER_FIELD: marker}},
            {"match_phrase": {"message": marker}},
        ]}},
    });
    let found = match task.domain.search("*", &query).await {
        // Fine-grained access control may show the caller this stack's indexes alone.
        Err(refusal) if refusal.cause == Cause::Forbidden => {
            task.domain.search(&format!("{}*", task.index), &query).await?
        }
        found => found?,
    };
    let hits = found.map(|found| found.hits).unwrap_or_default();
    Ok(hits.into_iter().filter(|hit| hit.source[MARKER_FIELD] == marker).collect())
}

async fn look_in_the_domain(
    task: &Task<'_>,
    report: &mut Report,
    evidence: &mut Evidence,
    began: Instant,
) -> Result<()> {
    match look(task, &report.marker).await {
        Ok(hits) if hits.is_empty() => {
            if let Some(why) = evidence.of_loss(task, &report.marker).await {
                report.settle(Hop::Index, State::Lost, Some(began.elapsed()), why);
            } else if began.elapsed() >= task.patience.domain {
                let took = crate::render::took(began.elapsed().as_secs_f64());
                let hints = evidence.hints().join("; ");
                let hints = if hints.is_empty() { "no error is told anywhere".to_owned() } else { hints };
                report.settle(Hop::Index, State::NotYet, None, format!("not there after {took}: {hints}"));
            }
        }
        Ok(hits) => {
            let (state, detail) = judge(task, &hits[0].index).await?;
            report.settle(Hop::Index, state, Some(began.elapsed()), detail);
            report.index = Some(hits[0].index.clone());
            remove(task, report).await;
        }
        Err(refusal) if refusal.is_transient() => {
            evidence.note_domain(refusal.error.message);
            // A domain that is down now may be up again before Firehose gives up.
            if let Some(why) = evidence.of_loss(task, &report.marker).await {
                report.settle(Hop::Index, State::Lost, Some(began.elapsed()), why);
            } else if began.elapsed() >= task.patience.domain {
                report.settle(Hop::Index, State::NotKnown, None, evidence.hints().join("; "));
            }
        }
        Err(refusal) => {
            let Error { kind: _, message, hints } = refusal.error;
            report.settle(Hop::Index, State::NotKnown, None, [vec![message], hints].concat().join("; "));
        }
    }
    Ok(())
}

/// Judges where the record was found: people must see it there, and its time must be a date.
async fn judge(task: &Task<'_>, index: &str) -> Result<(State, String)> {
    if let Some(pattern) = task.pattern.as_deref().filter(|pattern| !matches_pattern(pattern, index)) {
        return Ok((
            State::Lost,
            format!("it is in index {index}, which index pattern {pattern} does not show: Discover never finds it"),
        ));
    }
    let Some(field) = &task.time_field else { return Ok((State::Found, String::new())) };
    let found = task.domain.get(Path::of(&[index, "_mapping"]), &[]).await?;
    let Found::Present(mapping) = found else { return Ok((State::Found, String::new())) };
    let pointer: String = field.split('.').map(|part| format!("/properties/{part}")).collect();
    let mappings = mapping.as_object().and_then(|all| all.values().next()).map(|one| &one["mappings"]);
    match mappings.and_then(|mappings| mappings.pointer(&pointer)).and_then(|field| field["type"].as_str()) {
        Some(kind @ ("date" | "date_nanos")) => Ok((State::Found, format!("{field} is a {kind}"))),
        Some(other) => Ok((
            State::Lost,
            format!(
                "it is in index {index}, but {field} is mapped as {other} and not as a date: Discover's time filter does \
                 not find it; the index template counts from the next index on"
            ),
        )),
        None => Ok((State::Lost, format!("it is in index {index}, but {field} is not mapped at all"))),
    }
}

/// Tells whether an index pattern shows an index. It may be a list, in which `-` excludes.
#[must_use]
pub fn matches_pattern(pattern: &str, index: &str) -> bool {
    let (without, with): (Vec<&str>, Vec<&str>) =
        pattern.split(',').map(str::trim).partition(|one| one.starts_with('-'));
    let matches = |one: &str| {
        let mut parts = one.split('*');
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = index.strip_prefix(first) else { return false };
        let parts: Vec<&str> = parts.collect();
        let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
        for part in middle {
            match rest.find(part) {
                Some(at) => rest = &rest[at + part.len()..],
                None => return false,
            }
        }
        rest.ends_with(last)
    };
    with.into_iter().any(matches) && !without.into_iter().any(|one| matches(&one[1..]))
}

/// Takes every copy of the record out of the indexes, by the ids that a search finds.
async fn remove(task: &Task<'_>, report: &mut Report) {
    let hits = match look(task, &report.marker).await {
        Ok(hits) => hits,
        Err(refusal) => {
            report.removal = Removal::Failed(refusal.error.message);
            return;
        }
    };
    for Hit { index, id, source: _, sort: _ } in hits {
        match task.domain.delete_document(&index, &id).await {
            Ok(()) => report.note_removed(&index, &id),
            Err(refusal) => {
                let Error { kind: _, message, hints } = refusal.error;
                report.removal = Removal::Failed([vec![message], hints].concat().join("; "));
                return;
            }
        }
    }
}

/// Makes the marker of a run: one word of letters and digits.
#[must_use]
pub fn new_marker() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_pattern_shows_what_it_matches() {
        for (pattern, index, shows) in [
            ("logs-*", "logs-2026-w48", true),
            ("logs-*", "logs", false),
            ("logs", "logs", true),
            ("logs", "logs-2026", false),
            ("*", "logs", true),
            ("a-*,logs-*", "logs-1", true),
            ("logs-*,-logs-old*", "logs-old-1", false),
            ("l*s-*-w*", "logs-2026-w48", true),
            ("l*s-*-w*", "logs-2026-48", false),
        ] {
            assert_eq!(matches_pattern(pattern, index), shows, "{pattern} {index}");
        }
    }

    #[test]
    fn each_run_has_a_marker_of_its_own_that_is_one_word() {
        let (one, other) = (new_marker(), new_marker());
        assert_ne!(one, other);
        assert!(one.chars().all(char::is_alphanumeric), "{one}");
    }

    #[test]
    fn the_time_is_derived_from_the_streams_own() {
        let delivery = Delivery { seconds: 60, mib: 5, retry_seconds: 300 };
        let patience = Patience::derived(delivery, Backup::All { seconds: 300, mib: 5 }, Duration::from_secs(1));
        assert_eq!(patience, Patience { domain: Duration::from_secs(490), backup: Duration::from_secs(430) });
    }
}
