//! `ekk put`: ships lines or JSON from files or standard input through the stack's delivery stream.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use jiff::Zoned;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::up::interrupt;
use super::{mention, prepare, print, print_json, tell};
use crate::bytes::Bytes;
use crate::cli::{Format, Put, Talk};
use crate::error::{Error, ErrorKind, Exit, Result};
use crate::local;
use crate::located::Depth;
use crate::records::{Records, Step};
use crate::render::{BAD, BOLD, counted, took};
use crate::resource::Observed;
use crate::resource::stream::StreamSettings;
use crate::ship::{self, Batch, Shipment};

/// After this time a record that waits for others to share its batch is sent all the same.
const WAITS_AT_MOST: Duration = Duration::from_secs(1);
/// Steps that are read ahead of the sending; each holds one record at most, so memory stays bounded.
const READ_AHEAD: usize = 64;
/// Faults that are listed in JSON; all of them are counted, and told on standard error.
const LISTED: usize = 1000;

/// Runs `ekk put`.
pub(super) async fn run(args: Put, talk: Talk) -> Result<Exit> {
    let sources = sources(&args)?;
    let opened = prepare::open(Some(args.stack.as_os_str()), &args.place, talk, Depth::Stream).await;
    let opened = opened.map_err(|error| match error.kind {
        // `ekk put app.log`: the log was read as a spec.
        ErrorKind::InvalidSpec if args.files.is_empty() => {
            error.hint(format!("the stack comes first: ekk put STACK {}", args.stack.display()))
        }
        ErrorKind::InvalidSpec
        | ErrorKind::Failed
        | ErrorKind::Denied
        | ErrorKind::Usage
        | ErrorKind::Refused
        | ErrorKind::StillUnderWay
        | ErrorKind::Interrupted => error,
    })?;
    let stream = opened.stack.active_stream()?.clone();
    let name = opened.stack.names.stream.clone();
    mention(talk, &format!("{} · stack {BOLD}{}{BOLD:#}\n", opened.header, opened.stack.names.stack));
    let began = Instant::now();
    let mut shipping = Shipping::new(&opened, &name, &sources, talk);
    let end = shipping.run().await;
    shipping.bar.finish_and_clear();
    let Shipping { sum, .. } = shipping;
    let seconds = began.elapsed().as_secs_f64();
    match args.output.format {
        Format::Json => print_json(&summary_json(&sum, &opened.stack.names.stack, &name, seconds))?,
        Format::Text | Format::Markdown => print(&summary(&sum, &name, seconds))?,
    }
    if sum.records > 0 {
        let flags = prepare::flags(&args.place);
        let second = if opened.header.local.is_some() { local::buffered_second() } else { Duration::from_secs(1) };
        mention(talk, &format!("They can be found {}: ekk logs{flags} {}\n", within(&stream, second), opened.word));
    }
    match end {
        End::Interrupted => Ok(Exit::Interrupted),
        End::GivenUp(error) => Err(error),
        End::Through if sum.faults > 0 => Ok(Exit::Failed),
        End::Through => Ok(Exit::Done),
    }
}

/// Where records come from.
#[derive(Clone, Debug)]
enum Source {
    Stdin,
    File(PathBuf),
}

impl Source {
    fn name(&self) -> String {
        match self {
            Self::Stdin => "standard input".to_owned(),
            Self::File(path) => path.display().to_string(),
        }
    }

    fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        Ok(match self {
            Self::Stdin => Box::new(io::stdin()),
            Self::File(path) => Box::new(File::open(path)?),
        })
    }
}

/// Checks every argument before anything is sent.
fn sources(args: &Put) -> Result<Vec<Source>> {
    if args.files.is_empty() && args.stack.as_os_str() != "-" && io::stdin().is_terminal() {
        return Err(Error::usage("no file is named, and standard input is this terminal")
            .hint("name files, or pipe something into it: `app | ekk put STACK`"));
    }
    let mut wrong = Vec::new();
    let mut found = Vec::new();
    for path in &args.files {
        if path.as_os_str() == "-" {
            found.push(Source::Stdin);
            continue;
        }
        let told = |why: &str| format!("{}: {why}", path.display());
        match std::fs::metadata(path) {
            Err(error) => wrong.push(told(&error.to_string())),
            Ok(about) if about.is_dir() => wrong.push(told("is a folder, not a file")),
            // Opening a pipe or a device would take something out of it, or wait.
            Ok(about) if !about.is_file() => found.push(Source::File(path.clone())),
            Ok(_) => match File::open(path) {
                Ok(_) => found.push(Source::File(path.clone())),
                Err(error) => wrong.push(told(&error.to_string())),
            },
        }
    }
    if args.files.is_empty() {
        found.push(Source::Stdin);
    }
    let of_stdin = found.iter().filter(|source| matches!(source, Source::Stdin)).count();
    if of_stdin > 1 || (of_stdin == 1 && args.stack.as_os_str() == "-") {
        wrong.push("standard input can be read only once".to_owned());
    }
    if wrong.is_empty() { Ok(found) } else { Err(Error::usage(wrong.join("\n  "))) }
}

/// What is counted.
#[derive(Debug, Default)]
struct Sum {
    records: u64,
    bytes: u64,
    again: u64,
    faults: u64,
    /// Records of the batch that was on its way at an interrupt.
    unknown: u64,
    listed: Vec<Value>,
}

enum End {
    Through,
    Interrupted,
    GivenUp(Error),
}

struct Shipping<'a> {
    opened: &'a prepare::Opened,
    stream: &'a str,
    sources: &'a [Source],
    sum: Sum,
    bar: ProgressBar,
    read: Arc<AtomicU64>,
    /// Source and line of the last record that was sent.
    last: Option<(usize, u64)>,
}

/// What the reading thread says: of which source, at which line.
struct Said {
    source: usize,
    line: u64,
    step: Step,
}

impl<'a> Shipping<'a> {
    fn new(opened: &'a prepare::Opened, stream: &'a str, sources: &'a [Source], talk: Talk) -> Self {
        let read = Arc::new(AtomicU64::new(0));
        Self { opened, stream, sources, sum: Sum::default(), bar: bar(sources, talk), read, last: None }
    }

    async fn run(&mut self) -> End {
        let mut said = read_in_thread(self.sources.to_vec(), Arc::clone(&self.read));
        let mut interrupted = std::pin::pin!(interrupt());
        let mut batch = Batch::default();
        let mut due: Option<tokio::time::Instant> = None;
        loop {
            let next = tokio::select! {
                () = &mut interrupted => return self.interrupted(batch),
                said = said.recv() => said.map(Some),
                () = at(due) => Some(None),
            };
            match next {
                Some(Some(Said { source, line, step: Step::Record(bytes) })) => {
                    if !batch.has_room(bytes.len())
                        && let Some(end) = self.send(std::mem::take(&mut batch), interrupted.as_mut()).await
                    {
                        return end;
                    }
                    if batch.is_empty() {
                        due = Some(tokio::time::Instant::now() + WAITS_AT_MOST);
                    }
                    batch.add(Shipment { source, bytes, line });
                }
                Some(Some(Said { source, line: _, step: Step::Fault { line, why } })) => self.fault(source, line, &why),
                time_or_end => {
                    due = None;
                    if let Some(end) = self.send(std::mem::take(&mut batch), interrupted.as_mut()).await {
                        return end;
                    }
                    if time_or_end.is_none() {
                        return End::Through;
                    }
                }
            }
            self.bar.set_position(self.read.load(Ordering::Relaxed));
        }
    }

    /// Sends a batch; returns how it ends where it cannot go on.
    async fn send(&mut self, batch: Batch, interrupted: std::pin::Pin<&mut impl Future<Output = ()>>) -> Option<End> {
        if batch.is_empty() {
            return None;
        }
        let first = batch.first().cloned();
        let last = batch.last().map(|shipment| (shipment.source, shipment.line));
        let sent = batch.len() as u64;
        let shipped = tokio::select! {
            shipped = ship::batch(&self.opened.session, self.stream, batch) => shipped,
            () = interrupted => {
                if let Some(Shipment { source, line, .. }) = first {
                    let records = counted(usize::try_from(sent).unwrap_or(usize::MAX), "record", "records");
                    let why = format!(
                        "interrupted: of {records} from here on it is not known whether Firehose took them; what follows them \
                         was not sent"
                    );
                    self.note(source, Some(line), &why);
                    self.sum.unknown = sent;
                }
                return Some(End::Interrupted);
            }
        };
        let ship::Shipped { records, bytes, again, refused, given_up } = shipped;
        self.sum.records += records;
        self.sum.bytes += bytes;
        self.sum.again += again;
        for (Shipment { source, line, bytes: _ }, why) in refused {
            self.fault(source, Some(line), &format!("refused by Firehose: {why}"));
        }
        self.bar.set_message(format!("{} records", self.sum.records));
        if given_up.is_none() {
            self.last = last;
        }
        let (left, error) = given_up?;
        if let Some(Shipment { source, line, .. }) = left.first() {
            self.fault(*source, Some(*line), "was not sent, nor was what follows");
            self.sum.faults += left.len() as u64 - 1;
        }
        Some(End::GivenUp(error))
    }

    fn interrupted(&mut self, batch: Batch) -> End {
        match (batch.first(), self.last) {
            (Some(Shipment { source, line, .. }), _) => {
                let (source, line) = (*source, *line);
                self.fault(source, Some(line), "interrupted: was not sent, nor was what follows");
                self.sum.faults += batch.len() as u64 - 1;
            }
            // What was read behind it may be half an object still.
            (None, Some((source, line))) => {
                self.note(source, Some(line), "interrupted: this was the last that was sent");
            }
            (None, None) => {}
        }
        End::Interrupted
    }

    fn fault(&mut self, source: usize, line: Option<u64>, why: &str) {
        self.sum.faults += 1;
        self.note(source, line, why);
    }

    fn note(&mut self, source: usize, line: Option<u64>, why: &str) {
        let name = self.sources.get(source).map(Source::name).unwrap_or_default();
        let place = line.map_or_else(|| name.clone(), |line| format!("{name}:{line}"));
        self.bar.suspend(|| tell(&format!("{BAD}{place}{BAD:#}: {why}\n")));
        if self.sum.listed.len() < LISTED {
            self.sum.listed.push(json!({"source": name, "line": line, "why": why}));
        }
    }
}

async fn at(due: Option<tokio::time::Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

/// Reads in a thread of its own: standard input may be silent for hours, while what was read must go.
fn read_in_thread(sources: Vec<Source>, read: Arc<AtomicU64>) -> mpsc::Receiver<Said> {
    let (sender, receiver) = mpsc::channel(READ_AHEAD);
    std::thread::spawn(move || {
        for (number, source) in sources.iter().enumerate() {
            let say = |line: u64, step: Step| sender.blocking_send(Said { source: number, line, step }).is_ok();
            let unreadable = |error: io::Error| Step::Fault { line: None, why: format!("cannot be read: {error}") };
            let opened =
                source.open().and_then(|inner| Records::new(Counting { inner, read: Arc::clone(&read) }, Zoned::now));
            match opened {
                Err(error) => {
                    if !say(0, unreadable(error)) {
                        return;
                    }
                }
                Ok(mut records) => {
                    // Not a `for`, since the line is asked for in between.
                    while let Some(step) = records.next() {
                        if !say(records.began_at(), step) {
                            return;
                        }
                    }
                }
            }
        }
    });
    receiver
}

/// Counts the bytes that were read of the files as they lie on the disk.
struct Counting {
    inner: Box<dyn Read + Send>,
    read: Arc<AtomicU64>,
}

impl Read for Counting {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.read.fetch_add(length as u64, Ordering::Relaxed);
        Ok(length)
    }
}

fn bar(sources: &[Source], talk: Talk) -> ProgressBar {
    if talk.quiet || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let sizes: Option<Vec<u64>> = sources
        .iter()
        .map(|source| match source {
            Source::Stdin => None,
            Source::File(path) => {
                std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file).map(|about| about.len())
            }
        })
        .collect();
    let (bar, template) = match sizes {
        Some(sizes) => (
            ProgressBar::new(sizes.iter().sum()),
            "  {bar:30} {bytes} of {total_bytes}, {msg} {bytes_per_sec:.dim} {eta:.dim}",
        ),
        None => (ProgressBar::new_spinner(), "  {spinner} {bytes}, {msg} {elapsed:.dim}"),
    };
    bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

/// After which time a record is found, by the stream's buffer.
fn within(stream: &Observed<StreamSettings>, second: Duration) -> String {
    let buffer = &stream.settings.buffer;
    let seconds = (second * buffer.seconds).as_secs();
    format!("after {seconds} s or {} MiB, as the stream buffers", buffer.mib)
}

fn summary(sum: &Sum, stream: &str, seconds: f64) -> String {
    let count = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
    let records = counted(count(sum.records), "record", "records");
    let mut text = format!("Put {records}, {} into stream {stream} in {}", Bytes(sum.bytes), took(seconds));
    if sum.again > 0 {
        text.push_str(&format!("; {} sent again", sum.again));
    }
    if sum.unknown > 0 {
        text.push_str(&format!("; {BAD}of {} it is not known{BAD:#}", sum.unknown));
    }
    if sum.faults > 0 {
        text.push_str(&format!("; {BAD}{} not sent{BAD:#}", sum.faults));
    }
    text + ".\n"
}

fn summary_json(sum: &Sum, stack: &str, stream: &str, seconds: f64) -> Value {
    let Sum { records, bytes, again, faults, unknown, listed } = sum;
    json!({
        "format": crate::plan::FORMAT,
        "stack": stack,
        "stream": stream,
        "records": records,
        "bytes": bytes,
        "sent_again": again,
        "not_sent": faults,
        "not_known": unknown,
        "faults": listed,
        "seconds": seconds,
    })
}
