//! What AWS's dry run of a domain's change means for the plan. The answer stands in for the table of known costs.

use super::{Plan, Refusal, Step, Work};
use crate::preflight::{Deployment, DryRun, Preflight};
use crate::resource::domain::DomainSettings;
use crate::resource::{Hazard, HazardNote, Kind, Managed, Observed, within};

impl Plan {
    /// Returns the change of a live domain that a dry run could be asked for: what is live, what is wanted, and the
    /// pointers that differ.
    #[must_use]
    pub fn domain_update(&self) -> Option<(&Observed<DomainSettings>, &Managed<DomainSettings>, Vec<String>)> {
        self.changes.iter().find_map(|change| match &change.work {
            Work::Domain(Step::Update(before, after)) => Some((before.as_ref(), after, change.pointers())),
            Work::Domain(Step::Create(_) | Step::Replace(..) | Step::Delete(_) | Step::Wait | Step::Settle(_))
            | Work::Role(_)
            | Work::Bucket(_)
            | Work::LogGroup(_)
            | Work::IndexTemplate(_)
            | Work::Stream(_)
            | Work::IndexPattern(_) => None,
        })
    }

    /// Takes what AWS said of the domain's change into the plan.
    pub fn take_dry_run(&mut self, preflight: Preflight) {
        let Some(change) = self.changes.iter_mut().find(|change| matches!(change.work, Work::Domain(Step::Update(..))))
        else {
            return;
        };
        // An engine upgrade is a change of its own, which a dry run does not cover.
        let upgrades = change.fields.iter().any(|field| within(&field.pointer, "/engine_version"));
        let is_blue_green = |note: &HazardNote| note.hazard == Hazard::BlueGreen;
        match preflight {
            Preflight::NotAsked(why) => change.notes.push(format!("AWS was not asked for a dry run: {why}")),
            Preflight::Answer(DryRun { deployment, failures }) => {
                match deployment {
                    Deployment::BlueGreen => {
                        change.notes.push("AWS's dry run says blue/green".to_owned());
                        if !change.hazards.iter().any(is_blue_green) {
                            change.hazards.push(HazardNote::new(Hazard::BlueGreen, BLUE_GREEN));
                        }
                    }
                    Deployment::DynamicUpdate | Deployment::None => {
                        change.notes.push("AWS's dry run says in place, without a second cluster".to_owned());
                        if !upgrades {
                            change.hazards.retain(|note| !is_blue_green(note));
                        }
                    }
                    Deployment::Undetermined => {
                        change
                            .notes
                            .push("AWS's dry run could not tell; the table of known changes decides".to_owned());
                    }
                }
                let name = change.name.clone();
                self.refusals.extend(failures.into_iter().map(|failure| Refusal {
                    kind: Kind::Domain,
                    name: name.clone(),
                    field: None,
                    why: format!("AWS's dry run refuses the change: {failure}"),
                    hint: "mend what the reason names, then run the same command again".to_owned(),
                }));
            }
        }
    }
}

/// OpenSearch Service Developer Guide, "Making configuration changes" and "Charges for configuration changes".
const BLUE_GREEN: &str = "a second cluster is built and the data moved; often over an hour; both are billed for the \
                          first hour; logs keep flowing";
