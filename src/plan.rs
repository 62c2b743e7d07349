//! Compares what is desired with what is live. Pure, total, never asks AWS.

mod differences;
mod dry_run;
mod order;

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

pub use self::differences::FieldChange;
use crate::resource::bucket::BucketSettings;
use crate::resource::domain::DomainSettings;
use crate::resource::index_pattern::IndexPatternSettings;
use crate::resource::index_template::IndexTemplateSettings;
use crate::resource::log_group::LogGroupSettings;
use crate::resource::role::RoleSettings;
use crate::resource::stream::StreamSettings;
use crate::resource::{
    Condition, HazardNote, Kind, Managed, Observed, Owner, Read, Settings, Verdict, tag_changes, tags_to_set,
};
use crate::stack::{Desired, Intent, Live, Names, Slot, Strays};
use crate::target::Target;

/// The version of the plan's JSON shape and of the fingerprint.
pub const FORMAT: u32 = 1;

/// Everything that would be done to one stack, as printable data with the typed work inside.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// What was asked for.
    pub verb: Verb,
    /// The stack.
    pub stack: String,
    /// Where it lives.
    pub target: Target,
    /// Its names, filled.
    pub names: Names,
    /// What will be done, in an order in which each change comes after those that it needs.
    pub changes: Vec<Change>,
    /// What is there and as wanted.
    pub unchanged: Vec<(Kind, String)>,
    /// What stays although the stack goes, and why.
    pub kept: Vec<(Kind, String, String)>,
    /// Why this plan cannot be applied, whatever is allowed.
    pub refusals: Vec<Refusal>,
    /// What carries this stack's tags and is named nowhere any more.
    pub strays: Strays,
    /// What is legal and may hurt.
    pub warnings: Vec<String>,
}

/// What a plan is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// Towards what the file says.
    Up,
    /// Towards nothing.
    Down,
}

/// One change of one resource.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Which kind.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// What happens to it.
    pub action: Action,
    /// Which settings and tags differ; all of them for a create.
    pub fields: Vec<FieldChange>,
    /// What it may cost.
    pub hazards: Vec<HazardNote>,
    /// What a reader should know; one sentence each, lower case, no full stop.
    pub notes: Vec<String>,
    /// Indexes of the changes that must be done first.
    pub after: Vec<usize>,
    /// Seconds of Firehose buffering that must pass first, so that what is under way still finds its permissions.
    pub buffered_seconds: u32,
    /// What it needs to be done.
    pub work: Work,
}

/// What happens to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It is made.
    Create,
    /// It is changed in place.
    Update,
    /// It is deleted and made anew.
    Replace,
    /// It is deleted.
    Delete,
    /// What was asked for before is waited for.
    Wait,
    /// It is read once the domain answers, and settled then.
    Settle,
}

/// Why a plan cannot be applied.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Refusal {
    /// Which kind.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// The setting, where it is about one.
    pub field: Option<FieldChange>,
    /// What stands in the way; lower case, no full stop.
    pub why: String,
    /// What to do instead.
    pub hint: String,
}

/// One thing to do to one resource, with everything that doing it needs.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(bound = "")]
pub enum Step<T: Settings> {
    /// Create it.
    Create(Managed<T>),
    /// Update it in place.
    Update(Box<Observed<T>>, Managed<T>),
    /// Delete it, wait until its name is free, and create it.
    Replace(Box<Observed<T>>, Managed<T>),
    /// Delete it.
    Delete(Box<Observed<T>>),
    /// Wait until what was asked for before is in force.
    Wait,
    /// Read it once the domain answers, and settle what differs then.
    Settle(Managed<T>),
}

/// The typed work of a change.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum Work {
    /// Of the role.
    Role(Step<RoleSettings>),
    /// Of the bucket.
    Bucket(Step<BucketSettings>),
    /// Of the log group.
    LogGroup(Step<LogGroupSettings>),
    /// Of the domain.
    Domain(Step<DomainSettings>),
    /// Of the index template.
    IndexTemplate(Step<IndexTemplateSettings>),
    /// Of the stream.
    Stream(Step<StreamSettings>),
    /// Of the index pattern.
    IndexPattern(Step<IndexPatternSettings>),
}

/// Which resources without an owner may be taken over (`--adopt`, `--adopt=RESOURCE`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Adopt {
    /// None.
    #[default]
    Nothing,
    /// Those kinds.
    Only(Vec<Kind>),
    /// All of the stack's.
    All,
}

impl Adopt {
    /// Tells whether a kind may be taken over.
    #[must_use]
    pub fn includes(&self, kind: Kind) -> bool {
        match self {
            Self::Nothing => false,
            Self::Only(kinds) => kinds.contains(&kind),
            Self::All => true,
        }
    }
}

/// Compares and decides. `names` must be filled.
#[must_use]
pub fn plan(verb: Verb, target: &Target, names: &Names, desired: &Desired, live: &Live, adopt: &Adopt) -> Plan {
    let mut plan = Plan {
        verb,
        stack: names.stack.clone(),
        target: target.clone(),
        names: names.clone(),
        changes: Vec::new(),
        unchanged: Vec::new(),
        kept: Vec::new(),
        refusals: Vec::new(),
        strays: live.strays.clone(),
        warnings: Vec::new(),
    };
    let domain_goes = domain_goes(desired, live);
    plan.consider::<RoleSettings>(desired, live, adopt);
    plan.consider::<BucketSettings>(desired, live, adopt);
    plan.consider::<LogGroupSettings>(desired, live, adopt);
    plan.consider::<DomainSettings>(desired, live, adopt);
    if !domain_goes {
        // What is inside a domain that goes is left to go with it, so that `down` works with no data plane.
        plan.consider::<IndexTemplateSettings>(desired, live, adopt);
    }
    plan.consider::<StreamSettings>(desired, live, adopt);
    if !domain_goes {
        plan.consider::<IndexPatternSettings>(desired, live, adopt);
    }
    warn_of_other_policies(&mut plan, live);
    warn_of_what_was_not_checked(&mut plan, live);
    order::put_in_order(&mut plan, live);
    plan
}

/// Plans one kind alone; what `apply` does for a kind that could not be known before the domain answered.
#[must_use]
pub fn plan_kind<T: Slot>(target: &Target, names: &Names, wanted: &Managed<T>, read: &Read<T>, adopt: &Adopt) -> Plan {
    let mut plan = plan(Verb::Up, target, names, &Desired::default(), &Live::empty(), adopt);
    plan.consider_one(&Intent::Managed(wanted.clone()), read, adopt);
    plan
}

fn domain_goes(desired: &Desired, live: &Live) -> bool {
    matches!(desired.domain, Intent::Nothing)
        && match &live.domain {
            Read::Absent => true,
            Read::Present(observed) => observed.owner == Owner::Ours,
            Read::Unknown(_) => false,
        }
}

fn warn_of_other_policies(plan: &mut Plan, live: &Live) {
    if plan.verb == Verb::Down {
        return;
    }
    if let Some(role) = live.role.present()
        && !role.facts.other_policies.is_empty()
        && plan.names.role_origin == crate::stack::Origin::Managed
    {
        let policies = role.facts.other_policies.join(", ");
        plan.warnings.push(format!("role {}: other policies widen it and are left alone: {policies}", plan.names.role));
    }
}

fn warn_of_what_was_not_checked(plan: &mut Plan, live: &Live) {
    let role = live.role.present().map(|role| (Kind::Role, &role.facts.unchecked));
    let bucket = live.bucket.present().map(|bucket| (Kind::Bucket, &bucket.facts.unchecked));
    for (kind, unchecked) in role.into_iter().chain(bucket) {
        let name = plan.names.of(kind).to_owned();
        plan.warnings.extend(unchecked.iter().map(|what| format!("{kind} {name}: {what}")));
    }
}

impl Plan {
    /// Tells whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Returns how many changes have an action.
    #[must_use]
    pub fn count(&self, action: Action) -> usize {
        self.changes.iter().filter(|change| change.action == action).count()
    }

    /// Returns a SHA-256 over format version, verb, stack, place and each change with its fields, in order. Facts, times
    /// and what a dry run said do not count: the same work has the same fingerprint.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let changes: Vec<Value> =
            self.changes.iter().map(|change| json!([change.kind, change.name, change.action, change.fields])).collect();
        let Target { partition, region, account } = &self.target;
        let work = json!([FORMAT, self.verb, self.stack, partition, account, region, changes]);
        Sha256::digest(work.to_string()).iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
    }

    fn consider<T: Slot>(&mut self, desired: &Desired, live: &Live, adopt: &Adopt) {
        self.consider_one(T::desired(desired), T::live(live), adopt);
    }

    fn consider_one<T: Slot>(&mut self, intent: &Intent<T>, read: &Read<T>, adopt: &Adopt) {
        let name = self.names.of(T::KIND).to_owned();
        match (intent, read) {
            (Intent::Managed(wanted), Read::Absent) => self.create(name, wanted, Vec::new()),
            (Intent::Managed(wanted), Read::Unknown(why)) => self.settle(name, wanted, why),
            (Intent::Managed(wanted), Read::Present(observed)) => self.compare(name, wanted, observed, adopt),
            (Intent::Existing(needed), read) => self.check_existing(name, needed, read),
            (Intent::Keep, Read::Present(observed)) => match observed.owner {
                Owner::Ours => self.kept.push((T::KIND, name, "kept".to_owned())),
                Owner::Nobody | Owner::Other { .. } => {}
            },
            (Intent::Keep, Read::Absent | Read::Unknown(_)) | (Intent::Nothing, Read::Absent) => {}
            (Intent::Nothing, Read::Present(observed)) => self.delete(name, observed),
            (Intent::Nothing, Read::Unknown(why)) => self.kept.push((T::KIND, name, format!("not known: {why}"))),
        }
    }

    fn create<T: Slot>(&mut self, name: String, wanted: &Managed<T>, notes: Vec<String>) {
        let mut fields = differences::of_new(&json_of(&wanted.settings));
        fields.extend(
            tags_to_set(&wanted.tags).into_iter().map(|(key, value)| FieldChange::tag(&key, None, Some(value))),
        );
        self.push(name, Action::Create, fields, Vec::new(), notes, T::work(Step::Create(wanted.clone())));
    }

    fn settle<T: Slot>(&mut self, name: String, wanted: &Managed<T>, why: &str) {
        let notes = vec![format!("settled once the domain answers: {why}")];
        let fields = differences::of_new(&json_of(&wanted.settings));
        self.push(name, Action::Settle, fields, Vec::new(), notes, T::work(Step::Settle(wanted.clone())));
    }

    fn compare<T: Slot>(&mut self, name: String, wanted: &Managed<T>, observed: &Observed<T>, adopt: &Adopt) {
        let mut notes = Vec::new();
        let mut fields = Vec::new();
        match &observed.owner {
            Owner::Ours => {}
            Owner::Other { stack, region } => {
                return self.refuse::<T>(
                    name,
                    None,
                    format!("it belongs to stack {stack} in {region} (tags ekk:stack and ekk:region)"),
                    format!("give this stack's {} another name in the file", T::KIND),
                );
            }
            Owner::Nobody if adopt.includes(T::KIND) => {
                notes.push("adopted: `ekk down` will delete it from then on".to_owned());
                fields.push(FieldChange::owner(&self.stack));
            }
            Owner::Nobody => {
                return self.refuse::<T>(
                    name,
                    None,
                    "it is there and carries no tag ekk:stack: ekk did not make it".to_owned(),
                    format!(
                        "pass --adopt={} to take it over (`ekk down` will delete it from then on), or give it another name",
                        T::KIND.flag()
                    ),
                );
            }
        }
        match &observed.condition {
            Condition::Settled | Condition::Changing(_) => {}
            Condition::Deleting => {
                notes.push("waits until the old one is gone".to_owned());
                self.create(name, wanted, notes);
                return self.turn_last_into_replace(observed, wanted);
            }
            Condition::Broken(why) => match T::KIND {
                Kind::Role | Kind::LogGroup | Kind::IndexTemplate | Kind::Stream | Kind::IndexPattern => {
                    notes.push(format!("the one that is there failed and is cleaned up first: {why}"));
                    self.create(name, wanted, notes);
                    return self.turn_last_into_replace(observed, wanted);
                }
                Kind::Domain | Kind::Bucket => {
                    return self.refuse::<T>(
                        name,
                        None,
                        why.clone(),
                        "mend it as the reason says, then run the same command again".to_owned(),
                    );
                }
            },
        }
        let judged = self.judge(&name, wanted, observed);
        fields.extend(judged.fields);
        if judged.impossible {
            return;
        }
        if fields.is_empty() {
            return match &observed.condition {
                Condition::Changing(why) => {
                    notes.push(why.clone());
                    self.push(name, Action::Wait, fields, Vec::new(), notes, T::work(Step::Wait));
                }
                Condition::Settled | Condition::Deleting | Condition::Broken(_) => self.unchanged.push((T::KIND, name)),
            };
        }
        if T::KIND == Kind::IndexTemplate {
            notes.push("counts from the next index on; those that are there keep their mapping".to_owned());
        }
        let observed = Box::new(observed.clone());
        let (action, step) = if judged.replace {
            (Action::Replace, Step::Replace(observed, wanted.clone()))
        } else {
            (Action::Update, Step::Update(observed, wanted.clone()))
        };
        self.push(name, action, fields, judged.hazards, notes, T::work(step));
    }

    fn judge<T: Slot>(&mut self, name: &str, wanted: &Managed<T>, observed: &Observed<T>) -> Judged {
        let mut judged = Judged::default();
        for field in differences::between(&json_of(&observed.settings), &json_of(&wanted.settings)) {
            match T::judge(&field.pointer, &observed.settings, &wanted.settings) {
                Verdict::InPlace => {}
                Verdict::InPlaceWith(note) => judged.add_hazard(note),
                Verdict::Replace(note) => {
                    judged.replace = true;
                    judged.add_hazard(note);
                }
                Verdict::Impossible(instead) => {
                    judged.impossible = true;
                    let why = format!("{field} cannot be changed");
                    self.refuse::<T>(name.to_owned(), Some(field.clone()), why, instead);
                }
            }
            judged.fields.push(field);
        }
        let (set, remove) = tag_changes(&observed.tags, &wanted.tags);
        for (key, value) in set {
            judged.fields.push(FieldChange::tag(&key, observed.tags.get(&key).cloned(), Some(value)));
        }
        for key in remove {
            judged.fields.push(FieldChange::tag(&key, observed.tags.get(&key).cloned(), None));
        }
        judged
    }

    /// A create behind something that must go first is a replace without a hazard: nothing that works is lost.
    fn turn_last_into_replace<T: Slot>(&mut self, observed: &Observed<T>, wanted: &Managed<T>) {
        if let Some(change) = self.changes.last_mut() {
            change.work = T::work(Step::Replace(Box::new(observed.clone()), wanted.clone()));
        }
    }

    fn delete<T: Slot>(&mut self, name: String, observed: &Observed<T>) {
        match &observed.owner {
            Owner::Ours => {}
            Owner::Nobody => {
                if self.verb == Verb::Down {
                    self.kept.push((T::KIND, name, "not this stack's: it carries no tag ekk:stack".to_owned()));
                }
                return;
            }
            Owner::Other { stack, region } => {
                if self.verb == Verb::Down {
                    self.kept.push((
                        T::KIND,
                        name,
                        format!("not this stack's: it belongs to stack {stack} in {region}"),
                    ));
                }
                return;
            }
        }
        let (hazards, notes) = match &observed.condition {
            // What is already going costs nothing more; it is only waited for.
            Condition::Deleting => (Vec::new(), vec!["is being deleted".to_owned()]),
            Condition::Settled | Condition::Changing(_) | Condition::Broken(_) => {
                (T::hazard_of_deleting(observed).into_iter().collect(), Vec::new())
            }
        };
        let work = T::work(Step::Delete(Box::new(observed.clone())));
        self.push(name, Action::Delete, Vec::new(), hazards, notes, work);
    }

    fn check_existing<T: Slot>(&mut self, name: String, needed: &T, read: &Read<T>) {
        match read {
            Read::Absent => self.refuse::<T>(
                name,
                None,
                format!("`{}.existing` names it, and it is not there", T::KIND.section()),
                format!("create it, or name it `{}.name` and let ekk make it", T::KIND.section()),
            ),
            Read::Unknown(why) => self.warnings.push(format!("{} {name} could not be checked: {why}", T::KIND)),
            Read::Present(observed) => {
                for problem in T::check_existing(observed, needed) {
                    let hint = format!("mend the {} (ekk never writes an existing one)", T::KIND);
                    self.refuse::<T>(name.clone(), None, problem, hint);
                }
                if !self.refusals.iter().any(|refusal| refusal.kind == T::KIND) {
                    self.unchanged.push((T::KIND, name));
                }
            }
        }
    }

    fn refuse<T: Slot>(&mut self, name: String, field: Option<FieldChange>, why: String, hint: String) {
        self.refusals.push(Refusal { kind: T::KIND, name, field, why, hint });
    }

    fn push(
        &mut self,
        name: String,
        action: Action,
        fields: Vec<FieldChange>,
        hazards: Vec<HazardNote>,
        notes: Vec<String>,
        work: Work,
    ) {
        let kind = work.kind();
        self.changes.push(Change {
            kind,
            name,
            action,
            fields,
            hazards,
            notes,
            after: Vec::new(),
            buffered_seconds: 0,
            work,
        });
    }
}

#[derive(Default)]
struct Judged {
    fields: Vec<FieldChange>,
    hazards: Vec<HazardNote>,
    replace: bool,
    impossible: bool,
}

impl Judged {
    fn add_hazard(&mut self, note: HazardNote) {
        if !self.hazards.contains(&note) {
            self.hazards.push(note);
        }
    }
}

impl Change {
    /// Returns the JSON pointers of the settings and tags that differ.
    #[must_use]
    pub fn pointers(&self) -> Vec<String> {
        self.fields.iter().map(|field| field.pointer.clone()).collect()
    }
}

impl Work {
    /// Returns the kind of resource that this work is of.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Role(_) => Kind::Role,
            Self::Bucket(_) => Kind::Bucket,
            Self::LogGroup(_) => Kind::LogGroup,
            Self::Domain(_) => Kind::Domain,
            Self::IndexTemplate(_) => Kind::IndexTemplate,
            Self::Stream(_) => Kind::Stream,
            Self::IndexPattern(_) => Kind::IndexPattern,
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Replace => "replace",
            Self::Delete => "delete",
            Self::Wait => "wait",
            Self::Settle => "settle",
        })
    }
}

fn json_of<T: Settings>(settings: &T) -> Value {
    // Settings are maps with string keys, numbers and strings: they always have a JSON form.
    serde_json::to_value(settings).unwrap_or(Value::Null)
}
