//! A domain: what it was asked to be, what it still is, and how the answers describe it.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::options::{Options, changes, on};
use crate::{clock::after, engine::EngineVersion, world::Context};

/// A domain.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Domain {
    /// Its name.
    pub name: String,
    /// Its region.
    pub region: String,
    /// Its ARN.
    pub arn: String,
    /// Its engine, as it is now.
    pub version: EngineVersion,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// When it was created.
    pub created: Timestamp,
    /// What was asked for last, whether it is in force yet or not.
    pub(crate) options: Options,
    pub(crate) option_dates: BTreeMap<String, OptionDates>,
    /// The last change, running or over; the first is the creation.
    pub(crate) change: Change,
    /// None for ever when the creation failed.
    pub(crate) endpoint_at: Option<Timestamp>,
    pub(crate) dashboards_at: Option<Timestamp>,
    /// Whether a state that lasts no time was shown to one read.
    pub(crate) shown: Shown,
    pub(crate) deleting_since: Option<Timestamp>,
    /// What no answer names.
    pub(crate) master_user: Option<Value>,
    pub(crate) upgrades: Vec<Upgrade>,
    pub(crate) dry_run: Option<DryRun>,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Shown {
    pub(crate) missing_endpoint: bool,
    pub(crate) missing_dashboards: bool,
    pub(crate) deletion: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct OptionDates {
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
    pub(crate) version: u64,
}

/// A validation that fails, as a test orders it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValidationFailure {
    /// Such as `SubnetNotFound`.
    pub code: String,
    /// What the service says.
    pub message: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Change {
    pub(crate) id: String,
    pub(crate) kind: ChangeKind,
    pub(crate) started: Timestamp,
    pub(crate) stage_length: Duration,
    pub(crate) stages: Vec<String>,
    /// What is in force until the change is over.
    pub(crate) before: Options,
    pub(crate) failure: Option<ValidationFailure>,
    pub(crate) cancelled: Option<Timestamp>,
    /// Whether a read has seen it running.
    pub(crate) shown: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ChangeKind {
    Create,
    Update,
    Upgrade { to: EngineVersion },
}

/// How far a change is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    Running {
        stage: usize,
    },
    /// The validation failed, and the domain stays in processing until somebody cancels.
    Failed,
    Cancelled,
    Completed,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Upgrade {
    pub(crate) id: String,
    pub(crate) from: EngineVersion,
    pub(crate) to: EngineVersion,
    pub(crate) started: Timestamp,
    pub(crate) step_length: Duration,
    pub(crate) check_only: bool,
    pub(crate) failure: Option<ValidationFailure>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct DryRun {
    pub(crate) id: String,
    pub(crate) started: Timestamp,
    pub(crate) length: Duration,
    pub(crate) deployment: String,
    pub(crate) message: String,
    pub(crate) options: Options,
    pub(crate) failure: Option<ValidationFailure>,
}

impl Change {
    pub(crate) fn end(&self) -> Timestamp {
        let stages = u32::try_from(self.stages.len()).unwrap_or(u32::MAX);
        after(self.started, self.stage_length.saturating_mul(stages))
    }

    /// How far it is by the clock.
    pub(crate) fn progress(&self, now: Timestamp) -> Progress {
        if self.cancelled.is_some() {
            return Progress::Cancelled;
        }
        if self.failure.is_some() && now >= after(self.started, self.stage_length) {
            return Progress::Failed;
        }
        if now >= self.end() {
            return Progress::Completed;
        }
        let passed = now.duration_since(self.started).as_millis();
        let length = i128::try_from(self.stage_length.as_millis()).unwrap_or(i128::MAX).max(1);
        let stage = usize::try_from(passed / length).unwrap_or(0).min(self.stages.len().saturating_sub(1));
        Progress::Running { stage }
    }

    /// How far a read sees it: a change without a duration runs for one read.
    pub(crate) fn visible(&self, now: Timestamp) -> Progress {
        match self.progress(now) {
            Progress::Completed if self.stage_length.is_zero() && !self.shown => Progress::Running { stage: 0 },
            progress @ (Progress::Running { stage: _ }
            | Progress::Failed
            | Progress::Cancelled
            | Progress::Completed) => progress,
        }
    }
}

impl Domain {
    /// Where the domain's keys begin in what is inside the domains.
    pub(crate) fn scope(&self) -> String {
        format!("{}/{}/", self.region, self.name)
    }

    /// Whether requests reach the domain.
    #[must_use]
    pub fn is_reachable(&self, now: Timestamp) -> bool {
        self.deleting_since.is_none() && self.endpoint_at.is_some_and(|at| now >= at)
    }

    /// Whether a change is under way or stuck, so that another one is refused.
    pub(crate) fn is_busy(&self, now: Timestamp) -> bool {
        match self.change.progress(now) {
            Progress::Running { stage: _ } | Progress::Failed => true,
            Progress::Cancelled | Progress::Completed => false,
        }
    }

    /// The options that are in force.
    pub(crate) fn in_force(&self, now: Timestamp) -> &Options {
        match self.change.progress(now) {
            Progress::Running { stage: _ } | Progress::Failed => &self.change.before,
            Progress::Cancelled | Progress::Completed => &self.options,
        }
    }

    /// Whether it is gone for good.
    pub(crate) fn is_gone(&self, context: &Context<'_>) -> bool {
        let wait = context.timing.domain_delete;
        self.deleting_since
            .is_some_and(|since| context.now >= after(since, wait) && (!wait.is_zero() || self.shown.deletion))
    }

    /// How many nodes hold data.
    pub(crate) fn data_nodes(&self, now: Timestamp) -> i64 {
        self.in_force(now).get("ClusterConfig").and_then(|cluster| cluster.get("InstanceCount")?.as_i64()).unwrap_or(1)
    }

    /// The disk of each data node, in bytes; 10 GiB for an instance type with a store of its own.
    pub(crate) fn disk_bytes(&self, now: Timestamp) -> u64 {
        let size = self.in_force(now).get("EBSOptions").and_then(|volume| volume.get("VolumeSize")?.as_u64());
        size.unwrap_or(10) << 30
    }

    /// An advanced option in force.
    pub(crate) fn advanced_option(&self, now: Timestamp, name: &str) -> Option<String> {
        Some(self.in_force(now).get("AdvancedOptions")?.get(name)?.as_str()?.to_owned())
    }

    /// Whether fine-grained access control is in force.
    pub(crate) fn has_fine_grained_access(&self, now: Timestamp) -> bool {
        on(self.in_force(now), "AdvancedSecurityOptions", "Enabled")
    }

    /// `DomainStatus`. A state that lasts no time counts as shown by it.
    pub(crate) fn status(&mut self, context: &Context<'_>) -> Value {
        let now = context.now;
        let progress = self.change.visible(now);
        let running = matches!(progress, Progress::Running { stage: _ } | Progress::Failed);
        let options = if running { &self.change.before } else { &self.options };
        let mut status = Map::new();
        for (name, value) in options {
            status.insert(name.clone(), value.clone());
        }
        let desired = options.get("AutoTuneOptions").cloned().unwrap_or_else(|| json!({}));
        status.insert(
            "AutoTuneOptions".to_owned(),
            json!({"State": desired["DesiredState"], "UseOffPeakWindow": desired["UseOffPeakWindow"] == true}),
        );
        if let Some(network) = status.get_mut("VPCOptions") {
            network["VPCId"] = json!("vpc-00000000");
            network["AvailabilityZones"] = json!([format!("{}a", self.region)]);
        }
        let processing_status = match (self.deleting_since, running, self.change.kind) {
            (Some(_), _, _) => "Deleting",
            (None, false, _) => "Active",
            (None, true, ChangeKind::Create) => "Creating",
            (None, true, ChangeKind::Update) => "Modifying",
            (None, true, ChangeKind::Upgrade { to: _ }) => "UpgradingEngineVersion",
        };
        let account = context.account;
        let facts = json!({
            "DomainId": format!("{account}/{}", self.name),
            "DomainName": self.name,
            "ARN": self.arn,
            "Created": true,
            "Deleted": self.deleting_since.is_some(),
            "Processing": running || self.deleting_since.is_some(),
            "UpgradeProcessing": running && matches!(self.change.kind, ChangeKind::Upgrade { to: _ }),
            "EngineVersion": self.version.to_string(),
            "DomainProcessingStatus": processing_status,
            "ChangeProgressDetails": self.change_details(progress, now),
            "ModifyingProperties": if running { self.modifying_properties() } else { json!([]) },
            "ServiceSoftwareOptions": {
                "CurrentVersion": format!("{}_R20261001", self.version.to_string().replace('.', "_")),
                "NewVersion": "",
                "UpdateAvailable": false,
                "Cancellable": false,
                "UpdateStatus": "COMPLETED",
                "Description": "There is no software update available for this domain.",
                "AutomatedUpdateDate": 0.0,
                "OptionalDeployment": true,
            },
        });
        status.extend(facts.as_object().cloned().unwrap_or_default());
        if self.shows_endpoint(context, running) {
            let endpoint = format!("{}/domain/{}/{}", context.address, self.region, self.name);
            if self.options.contains_key("VPCOptions") {
                status.insert("Endpoints".to_owned(), json!({"vpc": endpoint}));
            } else {
                status.insert("Endpoint".to_owned(), json!(endpoint));
            }
        }
        self.change.shown = true;
        if self.deleting_since.is_some() {
            self.shown.deletion = true;
        }
        Value::Object(status)
    }

    /// The endpoint comes later than the end of the creation, and by one read where there is no wait.
    fn shows_endpoint(&mut self, context: &Context<'_>, running: bool) -> bool {
        if !self.is_reachable(context.now) || (running && self.change.kind == ChangeKind::Create) {
            return false;
        }
        let before = self.shown.missing_endpoint;
        self.shown.missing_endpoint = true;
        before || !context.timing.endpoint_delay.is_zero()
    }

    pub(crate) fn change_details(&self, progress: Progress, now: Timestamp) -> Value {
        json!({
            "ChangeId": self.change.id,
            "Message": self.change.failure.as_ref().map_or("", |failure| failure.message.as_str()),
            "ConfigChangeStatus": config_change_status(progress),
            "InitiatedBy": "CUSTOMER",
            "StartTime": seconds(self.change.started),
            "LastUpdatedTime": seconds(now.min(self.change.end())),
        })
    }

    pub(crate) fn modifying_properties(&self) -> Value {
        changes(&self.change.before, &self.options)
            .into_iter()
            .map(|change| {
                let plain = !change.before.is_object() && !change.after.is_object();
                json!({
                    "Name": change.name,
                    "ActiveValue": as_text(&change.before),
                    "PendingValue": as_text(&change.after),
                    "ValueType": if plain { "PLAIN_TEXT" } else { "STRINGIFIED_JSON" },
                })
            })
            .collect()
    }

    /// `DomainConfig`: what was asked for, with the state of each option.
    pub(crate) fn config(&mut self, context: &Context<'_>) -> Value {
        let now = context.now;
        let progress = self.change.visible(now);
        let running = matches!(progress, Progress::Running { stage: _ } | Progress::Failed);
        let changing: Vec<String> = match (running, self.change.kind) {
            (false, _) => Vec::new(),
            (true, ChangeKind::Create) => self.options.keys().cloned().chain(["EngineVersion".to_owned()]).collect(),
            (true, ChangeKind::Update) => changes(&self.change.before, &self.options)
                .into_iter()
                .map(|change| change.name.split('.').next().unwrap_or_default().to_owned())
                .collect(),
            (true, ChangeKind::Upgrade { to: _ }) => vec!["EngineVersion".to_owned()],
        };
        let mut config = Map::new();
        let version = match self.change.kind {
            ChangeKind::Upgrade { to } if running => to,
            ChangeKind::Upgrade { to: _ } | ChangeKind::Create | ChangeKind::Update => self.version,
        };
        let options = self.options.iter().map(|(name, value)| (name.clone(), value.clone()));
        for (name, value) in options.chain([("EngineVersion".to_owned(), json!(version.to_string()))]) {
            let dates = self.option_dates.get(&name);
            let (created, updated, update_version) =
                dates.map_or((self.created, self.created, 1), |dates| (dates.created, dates.updated, dates.version));
            let mut status = json!({
                "CreationDate": seconds(created),
                "UpdateDate": seconds(updated),
                "UpdateVersion": update_version,
                "State": if changing.contains(&name) { "Processing" } else { "Active" },
                "PendingDeletion": false,
            });
            let mut value = value;
            if name == "AutoTuneOptions" {
                status["State"] = value["DesiredState"].clone();
                value["RollbackOnDisable"] = json!("NO_ROLLBACK");
                value["MaintenanceSchedules"] = json!([]);
            }
            config.insert(name, json!({"Options": value, "Status": status}));
        }
        config.insert("ChangeProgressDetails".to_owned(), self.change_details(progress, now));
        config.insert("ModifyingProperties".to_owned(), if running { self.modifying_properties() } else { json!([]) });
        self.change.shown = true;
        Value::Object(config)
    }

    /// `ChangeProgressStatus`.
    pub(crate) fn change_progress(&mut self, now: Timestamp) -> Value {
        let progress = self.change.visible(now);
        let names: Vec<String> = match self.change.kind {
            ChangeKind::Create => Vec::new(),
            ChangeKind::Update => {
                changes(&self.change.before, &self.options).into_iter().map(|change| change.name).collect()
            }
            ChangeKind::Upgrade { to: _ } => vec!["EngineVersion".to_owned()],
        };
        let (status, pending, completed) = match progress {
            Progress::Running { stage: _ } => ("PROCESSING", names, Vec::new()),
            Progress::Failed => ("FAILED", names, Vec::new()),
            Progress::Cancelled => ("FAILED", Vec::new(), Vec::new()),
            Progress::Completed => ("COMPLETED", Vec::new(), names),
        };
        let stages: Vec<Value> = self
            .change
            .stages
            .iter()
            .enumerate()
            .map(|(at, name)| {
                let (status, description) = match progress {
                    Progress::Running { stage } if at == stage => ("IN_PROGRESS", String::new()),
                    Progress::Running { stage } if at > stage => ("PENDING", String::new()),
                    Progress::Failed if at == 0 => {
                        let failure = self.change.failure.as_ref();
                        ("FAILED", failure.map_or_else(String::new, |one| format!("{}: {}", one.code, one.message)))
                    }
                    Progress::Failed => ("PENDING", String::new()),
                    Progress::Cancelled => ("CANCELLED", String::new()),
                    Progress::Running { stage: _ } | Progress::Completed => ("COMPLETED", String::new()),
                };
                json!({"Name": name, "Status": status, "Description": description, "LastUpdated": seconds(now)})
            })
            .collect();
        let failures: Vec<Value> = match (progress, &self.change.failure) {
            (Progress::Failed, Some(failure)) => {
                vec![json!({"Code": failure.code, "Message": failure.message, "Severity": "Critical"})]
            }
            (_, _) => Vec::new(),
        };
        self.change.shown = true;
        json!({
            "ChangeId": self.change.id,
            "StartTime": seconds(self.change.started),
            "Status": status,
            "PendingProperties": pending,
            "CompletedProperties": completed,
            "TotalNumberOfStages": self.change.stages.len(),
            "ChangeProgressStages": stages,
            "LastUpdatedTime": seconds(now.min(self.change.end())),
            "ConfigChangeStatus": config_change_status(progress),
            "InitiatedBy": "CUSTOMER",
            "ValidationFailures": failures,
        })
    }
}

impl Upgrade {
    /// The step that it is in, and its status.
    pub(crate) fn step(&self, now: Timestamp) -> (&'static str, &'static str) {
        const STEPS: [&str; 3] = ["PRE_UPGRADE_CHECK", "SNAPSHOT", "UPGRADE"];
        let last = if self.check_only { 0 } else { STEPS.len() - 1 };
        for (at, step) in STEPS.iter().enumerate().take(last + 1) {
            let end = after(self.started, self.step_length.saturating_mul(u32::try_from(at + 1).unwrap_or(1)));
            if now < end {
                return (step, "IN_PROGRESS");
            }
            if self.failure.is_some() {
                return (step, "FAILED");
            }
        }
        (STEPS[last], "SUCCEEDED")
    }

    pub(crate) fn name(&self) -> String {
        let kind = if self.check_only { "Pre-Upgrade Check" } else { "Upgrade" };
        format!("{kind} from {} to {}", self.from, self.to)
    }

    /// One entry of GetUpgradeHistory.
    pub(crate) fn history(&self, now: Timestamp) -> Value {
        let (step, status) = self.step(now);
        let issues: Vec<String> =
            self.failure.iter().map(|failure| format!("{}: {}", failure.code, failure.message)).collect();
        json!({
            "UpgradeName": self.name(),
            "StartTimestamp": seconds(self.started),
            "UpgradeStatus": status,
            "StepsList": [{
                "UpgradeStep": step,
                "UpgradeStepStatus": status,
                "Issues": if status == "FAILED" { issues } else { Vec::new() },
                "ProgressPercent": if status == "IN_PROGRESS" { 50.0 } else { 100.0 },
            }],
        })
    }
}

impl DryRun {
    /// `DryRunProgressStatus`.
    pub(crate) fn status(&self, now: Timestamp) -> Value {
        let over = now >= after(self.started, self.length);
        let (status, failures) = match (&self.failure, over) {
            (_, false) => ("in_progress", Vec::new()),
            (None, true) => ("succeeded", Vec::new()),
            (Some(failure), true) => ("failed", vec![json!({"Code": failure.code, "Message": failure.message})]),
        };
        json!({
            "DryRunId": self.id,
            "DryRunStatus": status,
            "CreationDate": self.started.to_string(),
            "UpdateDate": now.to_string(),
            "ValidationFailures": failures,
        })
    }
}

fn config_change_status(progress: Progress) -> &'static str {
    match progress {
        Progress::Running { stage: 0 } => "Validating",
        Progress::Running { stage: _ } => "ApplyingChanges",
        Progress::Failed => "ValidationFailed",
        Progress::Cancelled => "Cancelled",
        Progress::Completed => "Completed",
    }
}

/// A moment as REST-JSON writes it.
pub(crate) fn seconds(moment: Timestamp) -> Value {
    #[expect(clippy::cast_precision_loss, reason = "a double holds every millisecond of the years in use")]
    let seconds = moment.as_millisecond() as f64 / 1_000.0;
    json!(seconds)
}

fn as_text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}
