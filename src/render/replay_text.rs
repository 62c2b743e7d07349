//! What `ekk replay` did, for a person and for a program.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{BAD, BOLD, CHANGED, DIM, GOOD, Header, counted};
use crate::error::Exit;
use crate::plan::FORMAT;
use crate::replay::{Causes, Left, Mode, Report};

/// Where a run read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayedFrom {
    /// `records` or `failed documents`.
    pub kind: &'static str,
    /// ` of that time` where only a part was asked for, else nothing.
    pub time: &'static str,
    /// The part of the bucket, as `s3://BUCKET/PREFIX`.
    pub place: String,
}

/// Renders the counts and the causes.
#[must_use]
pub fn replay(report: &Report, mode: Mode, exit: Exit, header: &Header, stack: &str, from: &ReplayedFrom) -> String {
    let ReplayedFrom { kind, time, place } = from;
    let mut text = format!("{header} · stack {BOLD}{stack}{BOLD:#}\n");
    if report.documents == 0 && exit == Exit::Done {
        write_left(&mut text, report);
        let _ = writeln!(text, "Nothing to bring back: no {kind}{time} below {place}.");
        return text;
    }
    match mode {
        Mode::DryRun => {
            for (index, count) in &report.by_index {
                let _ = writeln!(text, "  {DIM}would go to{DIM:#}     {count:>9}  {index}");
            }
            for (why, (count, _)) in &report.first_causes.0 {
                let _ = writeln!(text, "  {DIM}failed before{DIM:#}   {count:>9}  {why}");
            }
        }
        Mode::Create => {
            for (index, count) in &report.created {
                let _ = writeln!(text, "  {GOOD}brought back{GOOD:#}    {count:>9}  {index}");
            }
            if report.already_there > 0 {
                let _ = writeln!(text, "  {DIM}there already{DIM:#}   {:>9}  left as it is", report.already_there);
            }
        }
    }
    write_causes(&mut text, "failed again", &report.refused);
    write_causes(&mut text, "not readable", &report.unreadable);
    if report.damaged > 0 {
        let what = "not to be read, or not to the end";
        let _ = writeln!(text, "  {BAD}objects{BAD:#}         {:>9}  {what}", report.damaged);
    }
    write_left(&mut text, report);
    let documents = counted_long(report.documents, "document", "documents");
    let objects = counted_long(report.objects, "object", "objects");
    let end = match (mode, exit) {
        (Mode::DryRun, _) => format!(
            "Nothing was written: a dry run over {documents} in {objects} below {place}. What is there already would be left."
        ),
        (Mode::Create, Exit::Interrupted) => {
            "Interrupted. The same command goes on: what is there already is left.".to_owned()
        }
        (Mode::Create, Exit::Done) if report.documents == 1 => {
            format!("The one document of {objects} is in the domain.")
        }
        (Mode::Create, Exit::Done) => format!("All {documents} of {objects} are in the domain."),
        (Mode::Create, _) => {
            format!("Not everything is in the domain. What is not stays below {place}; the same command tries again.")
        }
    };
    let _ = writeln!(text, "{end}");
    text
}

fn write_causes(text: &mut String, label: &str, causes: &Causes) {
    for (why, (count, places)) in &causes.0 {
        let _ = writeln!(text, "  {BAD}{label}{BAD:#}    {count:>9}  {why}");
        for place in places {
            let _ = writeln!(text, "  {:15} {:>9}  {DIM}{} at byte {}{DIM:#}", "", "", place.key, place.offset);
        }
    }
}

fn write_left(text: &mut String, report: &Report) {
    let Left { processing_failed, other_streams, foreign } = &report.left;
    let mut line = |count: u64, what: &str| {
        if count > 0 {
            let _ = writeln!(text, "  {CHANGED}left{CHANGED:#}            {count:>9}  {what}");
        }
    };
    line(*processing_failed, "processing-failed: what a Lambda transformation could not process");
    for (stream, count) in other_streams {
        line(*count, &format!("of delivery stream {stream}"));
    }
    line(*foreign, "whose keys are none that the stream gives");
    line(report.outside_window, "documents outside the time that was asked for");
}

fn counted_long(count: u64, one: &str, many: &str) -> String {
    counted(usize::try_from(count).unwrap_or(usize::MAX), one, many)
}

/// Returns what was done as JSON. `error` is what ended the run early.
#[must_use]
pub fn replay_json(
    report: &Report,
    mode: Mode,
    exit: Exit,
    header: &Header,
    stack: &str,
    error: Option<&str>,
) -> Value {
    let causes = |causes: &Causes| -> Vec<Value> {
        let of = |(why, (count, places)): (&String, &(u64, Vec<crate::replay::Place>))| {
            let places: Vec<Value> =
                places.iter().map(|place| json!({"key": &*place.key, "offset": place.offset})).collect();
            json!({"cause": why, "count": count, "places": places})
        };
        causes.0.iter().map(of).collect()
    };
    let Report {
        objects,
        documents,
        by_index,
        first_causes,
        created,
        already_there,
        refused,
        unreadable,
        damaged,
        outside_window,
        left,
    } = report;
    let Left { processing_failed, other_streams, foreign } = left;
    let first_causes: BTreeMap<&String, u64> = first_causes.0.iter().map(|(why, (count, _))| (why, *count)).collect();
    json!({
        "format": FORMAT,
        "stack": stack,
        "partition": header.target.partition,
        "account": header.target.account,
        "region": header.target.region,
        "dry_run": mode == Mode::DryRun,
        "objects": objects,
        "documents": documents,
        "by_index": by_index,
        "failed_before": first_causes,
        "brought_back": created,
        "already_there": already_there,
        "failed_again": causes(refused),
        "not_readable": causes(unreadable),
        "damaged_objects": damaged,
        "left": {
            "processing_failed": processing_failed,
            "other_streams": other_streams,
            "foreign": foreign,
            "outside_time": outside_window,
        },
        "error": error,
        "exit": exit.code(),
    })
}
