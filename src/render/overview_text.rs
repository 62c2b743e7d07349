//! All stacks of an account and region, for a person.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::status_text::host_of;
use super::{BAD, BOLD, CHANGED, DIM, GOOD, Header};
use crate::plan::FORMAT;

/// One stack, as `ekk list` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackOverview {
    /// Its name.
    pub stack: String,
    /// How it is.
    pub life: Life,
    /// `green`, `yellow` or `red`; `None` where the cluster does not tell.
    pub health: Option<String>,
    /// The engine.
    pub engine_version: Option<String>,
    /// The domain's endpoint, with its scheme.
    pub endpoint: Option<String>,
    /// The delivery stream.
    pub stream: Option<String>,
    /// The index, before rotation adds its suffix.
    pub index: Option<String>,
    /// The index's rotation.
    pub rotation: Option<String>,
    /// The domain.
    pub domain: Option<String>,
    /// The buckets that carry its tags.
    pub buckets: Vec<String>,
}

/// How a stack is, by its stream and its domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Life {
    /// Both are in force.
    Ready,
    /// Something is being made or changed.
    Changing(String),
    /// Something is missing.
    HalfMade(String),
    /// It is being deleted.
    Deleting,
    /// Something failed; AWS's reason.
    Broken(String),
    /// This caller may not look; AWS's reason.
    Unknown(String),
    /// Neither is there: what is left carries its tags still, such as the bucket that `ekk down` keeps.
    Down,
}

impl Life {
    fn word(&self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Changing(_) => "changing",
            Self::HalfMade(_) => "half-made",
            Self::Deleting => "deleting",
            Self::Broken(_) => "failed",
            Self::Unknown(_) => "unknown",
            Self::Down => "down",
        }
    }

    fn why(&self) -> Option<&str> {
        match self {
            Self::Changing(why) | Self::HalfMade(why) | Self::Broken(why) | Self::Unknown(why) => Some(why),
            Self::Ready | Self::Deleting | Self::Down => None,
        }
    }
}

/// Renders all stacks.
#[must_use]
pub fn overview(stacks: &[StackOverview], header: &Header) -> String {
    let mut text = format!("{header}\n");
    if stacks.is_empty() {
        text.push_str("No stacks here; `ekk up FILE` makes one.\n");
    }
    let width = stacks.iter().map(|stack| stack.stack.len()).max().unwrap_or_default();
    for stack in stacks {
        let style = match stack.life {
            Life::Ready => GOOD,
            Life::Changing(_) | Life::Deleting => CHANGED,
            Life::HalfMade(_) | Life::Broken(_) => BAD,
            Life::Unknown(_) | Life::Down => DIM,
        };
        let health = match stack.health.as_deref() {
            Some("green") => format!("{GOOD}{:8}{GOOD:#}", "green"),
            Some("yellow") => format!("{CHANGED}{:8}{CHANGED:#}", "yellow"),
            Some(other) => format!("{BAD}{other:8}{BAD:#}"),
            None => format!("{:8}", "-"),
        };
        let mut places: Vec<String> = Vec::new();
        places.extend(stack.life.why().map(ToOwned::to_owned));
        if let (Some(stream), Some(index)) = (&stack.stream, &stack.index) {
            let rotation = stack.rotation.as_deref().unwrap_or_default();
            places.push(format!("stream {stream} to index {index}, {rotation}"));
        }
        places.extend(stack.engine_version.clone().filter(|version| !version.is_empty()));
        places.extend(stack.endpoint.as_deref().map(|endpoint| host_of(endpoint).to_owned()));
        if stack.life == Life::Down && !stack.buckets.is_empty() {
            places.push(format!("bucket {} is kept", stack.buckets.join(", ")));
        }
        let line = format!(
            "  {BOLD}{:width$}{BOLD:#}  {style}{:9}{style:#}  {health} {DIM}{}{DIM:#}",
            stack.stack,
            stack.life.word(),
            places.join(" · ")
        );
        let _ = writeln!(text, "{line}");
    }
    text
}

/// Returns all stacks as JSON.
#[must_use]
pub fn overview_json(stacks: &[StackOverview], header: &Header) -> Value {
    let stacks: Vec<Value> = stacks
        .iter()
        .map(|one| {
            let StackOverview {
                stack,
                life,
                health,
                engine_version,
                endpoint,
                stream,
                index,
                rotation,
                domain,
                buckets,
            } = one;
            json!({
                "stack": stack,
                "state": life.word(),
                "why": life.why(),
                "health": health,
                "engine_version": engine_version,
                "endpoint": endpoint,
                "stream": stream,
                "index": index,
                "rotation": rotation,
                "domain": domain,
                "buckets": buckets,
            })
        })
        .collect();
    json!({
        "format": FORMAT,
        "partition": header.target.partition,
        "account": header.target.account,
        "region": header.target.region,
        "stacks": stacks,
    })
}
