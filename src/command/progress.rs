//! Shows what happens while a plan is applied: a live line for each resource on a terminal, elsewhere one plain line a
//! change of state. Everything goes to standard error.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::sync::Mutex;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::tell;
use crate::cli::{Color, Talk};
use crate::render::{self, took};
use crate::resource::Kind;
use crate::wait::{Event, Progress};

/// Makes the progress of one stack; `label` stands before each line where several stacks run at once.
pub(super) fn progress(talk: Talk, label: Option<String>) -> Progress {
    if talk.quiet {
        return Progress::silent();
    }
    let label = label.map(|label| format!("{label}: ")).unwrap_or_default();
    if is_live(talk) {
        let lines = Lines { screen: MultiProgress::new(), bars: Mutex::new(BTreeMap::new()), label };
        Progress::new(move |kind, event| lines.show(kind, &event))
    } else {
        Progress::new(move |kind, event| {
            if let Some(text) = plain_line(kind, &event) {
                tell(&format!("  {label}{text}\n"));
            }
        })
    }
}

/// Tells whether standard error shows what changes in its place.
pub(super) fn is_live(talk: Talk) -> bool {
    // Where the terminal cannot move its cursor, live lines would show nothing at all.
    let is_dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
    let is_plain = talk.color == Color::Never || std::env::var_os("NO_COLOR").is_some() || is_dumb;
    !talk.quiet && !is_plain && std::io::stderr().is_terminal()
}

fn plain_line(kind: Kind, event: &Event) -> Option<String> {
    match event {
        Event::Started => None,
        Event::Waiting { why, stage: Some((stage, of)) } => Some(format!("{kind}: {why}, stage {stage} of {of}")),
        Event::Waiting { why, stage: None } => Some(format!("{kind}: {why}")),
        Event::Done(duration) => Some(format!("{kind}: done in {}", took(duration.as_secs_f64()))),
        Event::Failed(message) => Some(format!("{kind}: failed: {}", first_line(message))),
        Event::StillUnderWay(why) => Some(format!("{kind}: left to AWS: {}", first_line(why))),
        Event::NotAttempted(why) => Some(format!("{kind}: not attempted, {why}")),
    }
}

struct Lines {
    screen: MultiProgress,
    bars: Mutex<BTreeMap<Kind, ProgressBar>>,
    label: String,
}

impl Lines {
    fn show(&self, kind: Kind, event: &Event) {
        let Ok(mut bars) = self.bars.lock() else { return };
        let bar = bars.entry(kind).or_insert_with(|| self.bar(kind)).clone();
        match event {
            Event::Started => {
                // A kind with two changes (a role that is widened and narrowed) begins a second line.
                if bar.is_finished() {
                    bars.insert(kind, self.bar(kind));
                }
            }
            Event::Waiting { why, stage: Some((stage, of)) } => {
                bar.set_message(format!("{why}, stage {stage} of {of}"));
            }
            Event::Waiting { why, stage: None } => bar.set_message(why.clone()),
            Event::Done(duration) => {
                let style = render::GOOD;
                self.finish(&bar, &format!("{style}✓{style:#} {kind:15} {}", took(duration.as_secs_f64())));
            }
            Event::Failed(message) => {
                let style = render::BAD;
                self.finish(&bar, &format!("{style}x{style:#} {kind:15} {}", first_line(message)));
            }
            Event::StillUnderWay(why) => {
                let style = render::CHANGED;
                self.finish(&bar, &format!("{style}…{style:#} {kind:15} left to AWS: {}", first_line(why)));
            }
            Event::NotAttempted(why) => self.finish(&bar, &format!("· {kind:15} not attempted, {why}")),
        }
    }

    fn bar(&self, kind: Kind) -> ProgressBar {
        let bar = self.screen.add(ProgressBar::new_spinner());
        // The template is a constant; the default style would do where it could not be read.
        let style = ProgressStyle::with_template("  {prefix}{spinner} {msg:.dim} {elapsed:.dim}")
            .unwrap_or_else(|_| ProgressStyle::default_spinner());
        bar.set_style(style);
        bar.set_prefix(self.label.clone());
        bar.set_message(format!("{kind:15}"));
        bar.enable_steady_tick(Duration::from_millis(120));
        bar
    }

    fn finish(&self, bar: &ProgressBar, text: &str) {
        let style =
            ProgressStyle::with_template("  {prefix}{msg}").unwrap_or_else(|_| ProgressStyle::default_spinner());
        bar.set_style(style);
        bar.finish_with_message(text.to_owned());
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}
