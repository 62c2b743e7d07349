//! `ekk replay`: brings failed documents, or all records, from the backup bucket back into the domain.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use jiff::Zoned;
use serde_json::Value;

use super::logs::moment;
use super::prepare::{self, Opened};
use super::progress::is_live;
use super::single::{fail, layout};
use super::up::interrupt;
use super::{mention, print, print_json, tell, tell_error};
use crate::bytes::Bytes;
use crate::cli::{self, Format, Talk};
use crate::error::{Error, Exit, Result};
use crate::located::{Depth, Located};
use crate::objects::Bucket;
use crate::opensearch::{DataPlane, Found, Path};
use crate::render;
use crate::replay::{self, Event, Mode, Report, Task, What, Window};
use crate::verify::matches_pattern;

/// Runs `ekk replay`.
pub(super) async fn run(args: cli::Replay, talk: Talk) -> Result<Exit> {
    let window = window(&args)?;
    if let Some(into) = args.into.as_ref().filter(|into| !replay::is_index_name(into)) {
        return Err(Error::usage(format!("`{into}` is no name of an index")));
    }
    let depth = if args.dry_run { Depth::Stream } else { Depth::Domain };
    let opened = prepare::open(args.stack.as_deref(), &args.place, talk, depth).await?;
    let stack = opened.stack.names.stack.clone();
    match replay_opened(&args, window, talk, opened).await {
        Ok(exit) => Ok(exit),
        Err(error) => fail(&error, args.output.format, &stack),
    }
}

async fn replay_opened(args: &cli::Replay, window: Window, talk: Talk, opened: Opened) -> Result<Exit> {
    let Opened { word: _, session, header, stack: located, file: _ } = opened;
    let settings = &located.stream()?.settings;
    let mode = if args.dry_run { Mode::DryRun } else { Mode::Create };
    let what = match &args.into {
        Some(into) => {
            check_target(&located, into)?;
            What::AllRecords { into: into.clone() }
        }
        None => What::FailedDocuments {
            unrotated_index: (settings.rotation == "NoRotation").then(|| settings.index.clone()),
        },
    };
    let domain = match mode {
        Mode::DryRun => None,
        Mode::Create => Some(located.data_plane(&session).await?),
    };
    if let (Some(domain), What::AllRecords { into }) = (&domain, &what) {
        check_template(domain, into).await?;
    }
    let bucket = Bucket::of(&session, located.bucket()).await?;
    let layout = layout(&located)?;
    let (kind, below) = match &what {
        What::AllRecords { into: _ } => ("records", layout.records_below()),
        What::FailedDocuments { unrotated_index: _ } => ("failed documents", layout.failed_below()),
    };
    let time = if window.is_bounded() { " of that time" } else { "" };
    let place = render::ReplayedFrom { kind, time, place: format!("s3://{}/{below}", bucket.name) };
    let task = Task { bucket, layout, what, window, to: domain.as_deref(), waiting: &session.waiting };
    let mut report = Report::default();
    let screen = Screen::new(talk);
    let show = |event| screen.show(event);
    let (exit, error) = tokio::select! {
        done = replay::run(&task, &mut report, &show) => match done {
            Ok(()) if report.is_whole() => (Exit::Done, None),
            Ok(()) => (Exit::Failed, None),
            Err(error) => (error.exit(), Some(error)),
        },
        () = interrupt() => (Exit::Interrupted, None),
    };
    screen.end();
    let stack = &located.names.stack;
    let outside = outside_the_pattern(&located, &report);
    match args.output.format {
        // Where nothing was read, the error says it all.
        Format::Text if error.is_some() && report.objects == 0 => {}
        Format::Text => print(&render::replay(&report, mode, exit, &header, stack, &place))?,
        Format::Markdown => {
            let text = render::replay(&report, mode, exit, &header, stack, &place);
            print(&format!("```text\n{}```\n", render::plain(&text)))?;
        }
        Format::Json => {
            let message = error.as_ref().map(|error| error.message.as_str());
            print_json(&render::replay_json(&report, mode, exit, &header, stack, message))?;
        }
    }
    for note in outside {
        mention(talk, &format!("! {note}\n"));
    }
    if let Some(error) = error {
        tell_error(&error);
    }
    Ok(exit)
}

fn window(args: &cli::Replay) -> Result<Window> {
    let now = Zoned::now();
    let read = |flag: &str, text: &Option<String>| text.as_deref().map(|text| moment(flag, text, &now)).transpose();
    let since = read("--since", &args.since).map_err(Error::usage)?;
    let until = read("--until", &args.until).map_err(Error::usage)?;
    match (since, until) {
        (Some(since), Some(until)) if since >= until => {
            Err(Error::usage(format!("--since {since} is not before --until {until}")))
        }
        (since, until) => Ok(Window { since, until }),
    }
}

/// Checks by its name whether records may be restored into an index.
fn check_target(located: &Located, into: &str) -> Result<()> {
    let settings = &located.stream()?.settings;
    let index = &settings.index;
    let advice = format!("name one such as {index}-restored");
    if into == index || into.strip_prefix(&format!("{index}-")).is_some_and(is_rotation) {
        let why = "Firehose writes there under ids of its own, so that records which are there would be there twice";
        return Err(Error::refused(format!("index {into}: {why}")).hint(advice));
    }
    if into.strip_prefix(&format!("{index}-")).is_none_or(str::is_empty) {
        let why = format!("lies outside this stack's indexes ({index}-*), whose template makes its time a date");
        return Err(Error::refused(format!("index {into}: {why}")).hint(advice));
    }
    Ok(())
}

/// Tells whether a suffix is one that Firehose gives: `2026`, `2026-11`, `2026-11-23`, `2026-11-23-12`, `2026-w48`.
fn is_rotation(suffix: &str) -> bool {
    let digits = |part: &str, count| part.len() == count && part.bytes().all(|byte| byte.is_ascii_digit());
    let parts: Vec<&str> = suffix.split('-').collect();
    match parts.as_slice() {
        [year, week] if week.starts_with('w') => digits(year, 4) && digits(&week[1..], 2),
        [year, rest @ ..] => digits(year, 4) && rest.len() <= 3 && rest.iter().all(|part| digits(part, 2)),
        [] => false,
    }
}

/// Checks that a template covers the index: without one, its time would become a text.
async fn check_template(domain: &DataPlane<'_>, into: &str) -> Result<()> {
    let is_composable = domain.engine().has_composable_templates();
    let path = Path::of(&[if is_composable { "_index_template" } else { "_template" }]);
    let templates = match domain.get(path, &[]).await? {
        Found::Present(templates) => templates,
        Found::Absent => Value::Null,
        Found::Unknown(why) => return Err(Error::failed(format!("the domain does not answer: {why}"))),
    };
    let composable = templates["index_templates"].as_array().into_iter().flatten().map(|one| &one["index_template"]);
    let legacy = templates.as_object().into_iter().filter(|_| !is_composable).flat_map(|all| all.values());
    let covers = |template: &Value| {
        let patterns = template["index_patterns"].as_array().into_iter().flatten().filter_map(Value::as_str);
        patterns.into_iter().any(|pattern| matches_pattern(pattern, into))
    };
    if composable.chain(legacy).any(covers) {
        return Ok(());
    }
    Err(Error::refused(format!("index {into}: no index template covers it, so its time would become a text"))
        .hint("`ekk up` of the stack's file makes the template"))
}

/// Says which of the indexes that were written to Discover does not show.
fn outside_the_pattern(located: &Located, report: &Report) -> Vec<String> {
    let title = &located.names.index_pattern_title;
    let outside = report.created.keys().filter(|index| !matches_pattern(title, index));
    outside
        .map(|index| format!("index {index} lies outside index pattern {title}: Discover does not show it there"))
        .collect()
}

/// Shows how far a run is: a bar on a terminal, elsewhere a line now and then. Notes stand above it.
struct Screen {
    talk: Talk,
    bar: Option<ProgressBar>,
    state: Mutex<Seen>,
}

struct Seen {
    objects: u64,
    read: u64,
    told: Instant,
}

/// How often a line is written where there is no terminal.
const TOLD_EVERY: Duration = Duration::from_secs(10);

impl Screen {
    fn new(talk: Talk) -> Self {
        let bar = (is_live(talk)).then(|| {
            let bar = ProgressBar::no_length();
            if let Ok(style) = ProgressStyle::with_template("  {bar:30} {bytes} of {total_bytes}, {msg}") {
                bar.set_style(style);
            }
            bar
        });
        Self { talk, bar, state: Mutex::new(Seen { objects: 0, read: 0, told: Instant::now() }) }
    }

    fn show(&self, event: Event) {
        let Ok(mut seen) = self.state.lock() else { return };
        match event {
            Event::Listed { objects, bytes } => {
                seen.objects = objects;
                match &self.bar {
                    Some(bar) => bar.set_length(bytes),
                    None => {
                        let count = usize::try_from(objects).unwrap_or(usize::MAX);
                        self.line(&format!("{}, {}", render::counted(count, "object", "objects"), Bytes(bytes)));
                    }
                }
            }
            Event::Read { bytes } => {
                seen.read += 1;
                match &self.bar {
                    Some(bar) => {
                        bar.inc(bytes);
                        bar.set_message(format!("{} of {} objects", seen.read, seen.objects));
                    }
                    None if seen.told.elapsed() >= TOLD_EVERY => {
                        seen.told = Instant::now();
                        self.line(&format!("{} of {} objects", seen.read, seen.objects));
                    }
                    None => {}
                }
            }
            Event::Note(note) => {
                let text = format!("! {note}\n");
                match &self.bar {
                    Some(bar) => bar.suspend(|| tell(&text)),
                    None => tell(&text),
                }
            }
            Event::Busy(why) => match &self.bar {
                Some(bar) => bar.set_message(format!("the domain is busy: {why}")),
                None => self.line(&format!("the domain is busy, trying again: {why}")),
            },
        }
    }

    fn line(&self, text: &str) {
        mention(self.talk, &format!("  {text}\n"));
    }

    fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_rotation;

    #[test]
    fn the_suffixes_of_firehose_are_known() {
        for suffix in ["2026-11-23-12", "2026-11-23", "2026-w48", "2026-11"] {
            assert!(is_rotation(suffix), "{suffix}");
        }
        for suffix in ["restored", "2026-restored", "2026-11-23-12-00", "26-11", "", "2026-w4", "2026-w"] {
            assert!(!is_rotation(suffix), "{suffix}");
        }
    }
}
