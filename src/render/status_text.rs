//! The live state of a stack, for a person.

use std::fmt::Write as _;

use super::plan_text::write_strays;
use super::{BAD, BOLD, CHANGED, DIM, GOOD, Header};
use crate::plan::FieldChange;
use crate::resource::Kind;
use crate::stack::Strays;

/// A stack as it is live.
#[derive(Clone, Debug, PartialEq)]
pub struct StackStatus {
    /// Its name.
    pub stack: String,
    /// Each resource that the file or the stack's tags name.
    pub resources: Vec<ResourceStatus>,
    /// What carries this stack's tags and is named nowhere any more.
    pub strays: Strays,
    /// The domain's endpoint, with its scheme.
    pub endpoint: Option<String>,
    /// What leads a person to its Dashboards, a command or an address, where the domain has an endpoint.
    pub dashboards: Option<String>,
}

/// One resource as it is live.
#[derive(Clone, Debug, PartialEq)]
pub struct ResourceStatus {
    /// Which kind.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// How it is.
    pub state: State,
    /// Which settings differ from the file; `None` where there is no file.
    pub differences: Option<Vec<FieldChange>>,
}

/// How a resource is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Not there.
    Absent,
    /// In force.
    Ready,
    /// Being made or changed.
    Changing {
        /// What AWS does.
        why: String,
        /// Stage k of n, where AWS tells it.
        stage: Option<(u32, u32)>,
    },
    /// Being deleted.
    Deleting,
    /// It failed, with AWS's reason.
    Broken(String),
    /// It cannot be seen now.
    Unknown(String),
    /// It is there and is not this stack's.
    NotOurs(String),
}

/// Renders the live state.
#[must_use]
pub fn status(status: &StackStatus, header: &Header) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "{header} · stack {BOLD}{}{BOLD:#}", status.stack);
    let width = super::column(status.resources.iter().map(|resource| resource.name.as_str()));
    for resource in &status.resources {
        let (style, state) = match &resource.state {
            State::Absent => (BAD, "not there".to_owned()),
            State::Ready => (GOOD, "ready".to_owned()),
            State::Changing { why, stage: Some((stage, of)) } => (CHANGED, format!("{why}, stage {stage} of {of}")),
            State::Changing { why, stage: None } => (CHANGED, why.clone()),
            State::Deleting => (CHANGED, "being deleted".to_owned()),
            State::Broken(why) => (BAD, format!("failed: {why}")),
            State::Unknown(why) => (CHANGED, format!("not known: {why}")),
            State::NotOurs(why) => (BAD, why.clone()),
        };
        let differences = resource.differences.as_deref();
        let same = match (&resource.state, differences) {
            (State::Ready | State::Changing { .. }, Some([])) => format!("{DIM}same{DIM:#}"),
            (State::Ready | State::Changing { .. }, Some(_)) => format!("{CHANGED}differs{CHANGED:#}"),
            (State::Ready | State::Changing { .. }, None) => String::new(),
            (State::Absent | State::Deleting | State::Broken(_) | State::Unknown(_) | State::NotOurs(_), _) => {
                String::new()
            }
        };
        let state = format!("{style}{state}{style:#}");
        let line = format!("  {:15} {:width$} {state}  {same}", resource.kind, resource.name);
        let _ = writeln!(text, "{}", line.trim_end());
        for field in differences.unwrap_or_default() {
            let shown = field.to_string();
            if shown.chars().count() > 110 {
                let _ = writeln!(text, "    {}", shown.split(' ').next().unwrap_or_default());
            } else {
                let _ = writeln!(text, "    {shown}");
            }
        }
    }
    if let Some(endpoint) = &status.endpoint {
        let _ = writeln!(text, "  {DIM}endpoint{DIM:#}        {}, signed requests only", host_of(endpoint));
    }
    if let Some(dashboards) = &status.dashboards {
        let _ = writeln!(text, "  {DIM}dashboards{DIM:#}      {dashboards}");
    }
    write_strays(&mut text, &status.strays);
    text
}

/// Returns an endpoint as AWS gives it, without a scheme: as an address it would answer a browser 403.
pub(super) fn host_of(endpoint: &str) -> &str {
    endpoint.split_once("://").map_or(endpoint, |(_, host)| host)
}

/// Renders the live state for a pull request's comment.
#[must_use]
pub fn status_markdown(status_of: &StackStatus, header: &Header) -> String {
    let mut text = String::new();
    let plain = super::plain(&status(status_of, header));
    let mut lines = plain.lines();
    let _ = writeln!(text, "### {}\n\n```", lines.next().unwrap_or_default());
    for line in lines {
        let _ = writeln!(text, "{line}");
    }
    text.push_str("```\n");
    text
}
