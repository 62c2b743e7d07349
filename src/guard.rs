//! Refuses a plan whose hazards were not allowed, and names the flag. Pure.

use std::fmt;
use std::str::FromStr;

use crate::plan::{Plan, Refusal};
use crate::resource::{Hazard, HazardNote, Kind};

/// One `--allow HAZARD[:RESOURCE]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// The hazard.
    pub hazard: Hazard,
    /// The resource; `None` allows it for all.
    pub kind: Option<Kind>,
}

impl Allowance {
    fn covers(self, hazard: Hazard, kind: Kind) -> bool {
        self.hazard == hazard && self.kind.is_none_or(|allowed| allowed == kind)
    }
}

impl FromStr for Allowance {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word.split_once(':') {
            None => Ok(Self { hazard: word.parse()?, kind: None }),
            Some((hazard, kind)) => Ok(Self { hazard: hazard.parse()?, kind: Some(kind.parse()?) }),
        }
    }
}

impl fmt::Display for Allowance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            None => write!(f, "{}", self.hazard),
            Some(kind) => write!(f, "{}:{}", self.hazard, kind.flag()),
        }
    }
}

/// A hazard of a plan that was not allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAllowed {
    /// Index of the change in the plan.
    pub change: usize,
    /// The hazard and what it means.
    pub note: HazardNote,
    /// The flag that would allow it.
    pub flag: Allowance,
}

/// Everything that stands in a plan's way.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Objections {
    /// What cannot be applied, whatever is allowed.
    pub refusals: Vec<Refusal>,
    /// What could be allowed and was not.
    pub not_allowed: Vec<NotAllowed>,
}

impl Objections {
    /// Tells whether nothing stands in the way.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.refusals.is_empty() && self.not_allowed.is_empty()
    }
}

/// Looks for what stands in a plan's way. One objection means that nothing at all is touched.
#[must_use]
pub fn objections(plan: &Plan, allowed: &[Allowance]) -> Objections {
    let mut not_allowed: Vec<NotAllowed> = Vec::new();
    for (index, change) in plan.changes.iter().enumerate() {
        for note in &change.hazards {
            if !allowed.iter().any(|allowance| allowance.covers(note.hazard, change.kind)) {
                let flag = Allowance { hazard: note.hazard, kind: Some(change.kind) };
                not_allowed.push(NotAllowed { change: index, note: note.clone(), flag });
            }
        }
    }
    Objections { refusals: plan.refusals.clone(), not_allowed }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_allowance_is_read_with_and_without_a_resource() {
        assert_eq!("blue-green".parse::<Allowance>(), Ok(Allowance { hazard: Hazard::BlueGreen, kind: None }));
        let one: Allowance = "replace:log-group".parse().expect("an allowance");
        assert!(one.covers(Hazard::Replace, Kind::LogGroup));
        assert!(!one.covers(Hazard::Replace, Kind::Stream));
        assert_eq!(one.to_string(), "replace:log-group");
    }

    #[test]
    fn an_unknown_word_is_answered_with_the_known_ones() {
        let error = "delete".parse::<Allowance>().expect_err("not a hazard");
        assert!(error.contains("delete-data"), "{error}");
        "replace:stram".parse::<Allowance>().expect_err("not a resource");
    }
}
