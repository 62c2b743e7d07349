//! The contract of a resource: [`Settings`] decides, [`Manage`] acts. A stage that is generic over [`Settings`] alone
//! cannot call AWS.

pub mod bucket;
pub mod domain;
pub mod index_pattern;
pub mod index_template;
pub mod log_group;
pub mod role;
pub mod stream;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::aws::Session;
use crate::error::Result;
use crate::plan::Step;
use crate::stack::Names;

/// The kinds of resource, in the order that a plan shows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The IAM role that Firehose assumes.
    Role,
    /// The S3 bucket that keeps all records.
    Bucket,
    /// The CloudWatch log group of Firehose's own errors.
    LogGroup,
    /// The OpenSearch Service domain.
    Domain,
    /// The index template inside the domain.
    IndexTemplate,
    /// The delivery stream.
    Stream,
    /// The index pattern in Dashboards or Kibana.
    IndexPattern,
}

impl Kind {
    /// All kinds, in the order of a plan.
    pub const ALL: [Self; 7] =
        [Self::Role, Self::Bucket, Self::LogGroup, Self::Domain, Self::IndexTemplate, Self::Stream, Self::IndexPattern];

    /// Returns the word on a command line (`log-group`), as in `--allow replace:log-group`.
    #[must_use]
    pub fn flag(self) -> &'static str {
        match self {
            Self::Role => "role",
            Self::Bucket => "bucket",
            Self::LogGroup => "log-group",
            Self::Domain => "domain",
            Self::IndexTemplate => "index-template",
            Self::Stream => "stream",
            Self::IndexPattern => "index-pattern",
        }
    }

    /// Returns the section of the spec that describes it (`error_log`).
    #[must_use]
    pub fn section(self) -> &'static str {
        match self {
            Self::Role => "role",
            Self::Bucket => "bucket",
            Self::LogGroup => "error_log",
            Self::Domain => "domain",
            Self::IndexTemplate => "index",
            Self::Stream => "stream",
            Self::IndexPattern => "dashboards",
        }
    }

    /// Tells whether it lives inside the domain and goes with it.
    #[must_use]
    pub fn is_inside_the_domain(self) -> bool {
        match self {
            Self::IndexTemplate | Self::IndexPattern => true,
            Self::Role | Self::Bucket | Self::LogGroup | Self::Domain | Self::Stream => false,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.flag().replace('-', " "))
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(word: &str) -> std::result::Result<Self, String> {
        Self::ALL.into_iter().find(|kind| kind.flag() == word).ok_or_else(|| {
            let known: Vec<&str> = Self::ALL.iter().map(|kind| kind.flag()).collect();
            format!("`{word}` is not a resource ({})", known.join(" "))
        })
    }
}

/// What a change may cost. A closed set: each is refused until it is allowed by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hazard {
    /// Documents or records are gone for good.
    DeleteData,
    /// The domain builds a second cluster and moves the data; both are billed for the first hour.
    BlueGreen,
    /// Records may be refused or lost while it happens.
    InterruptDelivery,
    /// More principals can reach something than before.
    WidenAccess,
    /// The resource is deleted and made anew.
    Replace,
}

impl Hazard {
    /// All hazards.
    pub const ALL: [Self; 5] =
        [Self::DeleteData, Self::BlueGreen, Self::InterruptDelivery, Self::WidenAccess, Self::Replace];

    /// Returns the word on a command line, as in `--allow blue-green`.
    #[must_use]
    pub fn flag(self) -> &'static str {
        match self {
            Self::DeleteData => "delete-data",
            Self::BlueGreen => "blue-green",
            Self::InterruptDelivery => "interrupt-delivery",
            Self::WidenAccess => "widen-access",
            Self::Replace => "replace",
        }
    }
}

impl fmt::Display for Hazard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.flag())
    }
}

impl FromStr for Hazard {
    type Err = String;

    fn from_str(word: &str) -> std::result::Result<Self, String> {
        Self::ALL.into_iter().find(|hazard| hazard.flag() == word).ok_or_else(|| {
            let known: Vec<&str> = Self::ALL.iter().map(|hazard| hazard.flag()).collect();
            format!("`{word}` is not a hazard ({})", known.join(" "))
        })
    }
}

/// A hazard together with what it means here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HazardNote {
    /// Which hazard.
    pub hazard: Hazard,
    /// What will happen, in plain words; lower case, no full stop.
    pub why: String,
}

impl HazardNote {
    /// Makes a note.
    pub fn new(hazard: Hazard, why: impl Into<String>) -> Self {
        Self { hazard, why: why.into() }
    }
}

/// What changing one setting takes. A verdict has a direction: before and after are not the same as after and before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// An update in place, harmless.
    InPlace,
    /// An update in place that may hurt.
    InPlaceWith(HazardNote),
    /// AWS cannot change it: delete and create again.
    Replace(HazardNote),
    /// ekk will not do it; says what to do instead.
    Impossible(String),
}

/// Settings of a resource as ekk manages them: the same type stands on the desired and on the live side and is compared
/// as JSON. A `null` on the desired side is not managed: never compared, never sent.
pub trait Settings: Clone + fmt::Debug + PartialEq + Serialize + for<'de> Deserialize<'de> + Send + Sync {
    /// Which kind of resource this is.
    const KIND: Kind;

    /// What AWS assigns and is never compared: endpoint, version id, destination id, creation date.
    type Facts: Clone + fmt::Debug + Default + PartialEq + Serialize + Send + Sync;

    /// Judges the change of one setting; `pointer` is a JSON pointer such as `/cluster/instance_type`, to be matched by
    /// whole segments (see [`within`]). It is called once for each pointer that differs.
    fn judge(pointer: &str, before: &Self, after: &Self) -> Verdict;

    /// Returns the hazard of deleting it, if data or delivery depends on it.
    fn hazard_of_deleting(observed: &Observed<Self>) -> Option<HazardNote>;

    /// Names what an existing resource, which ekk never writes, lacks for this stack; one sentence each.
    fn check_existing(observed: &Observed<Self>, needed: &Self) -> Vec<String> {
        let (_, _) = (observed, needed);
        Vec::new()
    }

    /// Puts typed work of this kind into a plan.
    fn work(step: Step<Self>) -> crate::plan::Work;
}

/// Tells whether `pointer` is `prefix` or lies below it, by whole segments: `/vpc` does not contain `/vpc_endpoint`.
#[must_use]
pub fn within(pointer: &str, prefix: &str) -> bool {
    pointer.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A resource that ekk can read and write. Only `apply` and the files under `resource/` call the writing half.
pub trait Manage: Settings {
    /// Reads what is live. Judges nothing; a missing resource is `Read::Absent`, not an error.
    fn read(session: &Session, names: &Names) -> impl Future<Output = Result<Read<Self>>> + Send;

    /// Asked when a read came back as `Read::Unknown`: an error says that waiting for an answer would be in vain.
    fn can_be_known(_session: &Session, _names: &Names) -> impl Future<Output = Result<()>> + Send {
        std::future::ready(Ok(()))
    }

    /// Creates it, carrying the tags from the first call on. Finding it already there (a lost answer, a retry by the
    /// SDK) is success when it is ours.
    fn create(session: &Session, names: &Names, after: &Managed<Self>) -> impl Future<Output = Result<()>> + Send;

    /// Updates it in place. Every managed setting that AWS takes in one call is sent whole. `pointers` are those that
    /// differ, including `/tags/KEY`.
    fn update(
        session: &Session,
        names: &Names,
        before: &Observed<Self>,
        after: &Managed<Self>,
        pointers: &[String],
    ) -> impl Future<Output = Result<()>> + Send;

    /// Starts deleting it. Finding it gone is success.
    fn delete(session: &Session, names: &Names, before: &Observed<Self>) -> impl Future<Output = Result<()>> + Send;

    /// Tells whether what was asked for is in force; asked repeatedly by the polling loop, so one round trip deep.
    fn readiness(session: &Session, names: &Names, goal: Goal) -> impl Future<Output = Result<Readiness>> + Send;
}

/// What a readiness question waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// Created or changed, and in force.
    InForce,
    /// Deleted, and its name free again.
    Gone,
}

/// How far a resource is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// The goal is reached.
    Ready,
    /// On its way.
    Pending {
        /// The reason, such as AWS's stage name.
        why: String,
        /// Stage k of n, where AWS tells it.
        stage: Option<(u32, u32)>,
    },
    /// It will not heal by waiting; AWS's codes and texts.
    Failed(String),
}

impl Readiness {
    /// Makes a pending state without stages.
    pub fn pending(why: impl Into<String>) -> Self {
        Self::Pending { why: why.into(), stage: None }
    }
}

/// Settings that the spec wants, with the tags.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Managed<T> {
    /// The settings.
    pub settings: T,
    /// The tags that ekk owns; `None` means that the tag must not be there. Tags not named here are left alone.
    pub tags: WantedTags,
}

/// Tags as the spec wants them.
pub type WantedTags = BTreeMap<String, Option<String>>;

/// Returns the tags of a create call: those that must be there.
#[must_use]
pub fn tags_to_set(wanted: &WantedTags) -> BTreeMap<String, String> {
    wanted.iter().filter_map(|(key, value)| Some((key.clone(), value.clone()?))).collect()
}

/// Returns what to set and what to remove so that `live` carries the wanted tags and keeps all others.
#[must_use]
pub fn tag_changes(live: &BTreeMap<String, String>, wanted: &WantedTags) -> (BTreeMap<String, String>, Vec<String>) {
    let mut set = BTreeMap::new();
    let mut remove = Vec::new();
    for (key, value) in wanted {
        match value {
            Some(value) if live.get(key) != Some(value) => {
                set.insert(key.clone(), value.clone());
            }
            None if live.contains_key(key) => remove.push(key.clone()),
            Some(_) | None => {}
        }
    }
    (set, remove)
}

/// What was read of one resource.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(bound = "")]
pub enum Read<T: Settings> {
    /// It is not there.
    Absent,
    /// It is there.
    Present(Box<Observed<T>>),
    /// It cannot be known now (a domain that is being made, is red, unreachable or forbids it hides what is inside).
    /// Never means create or delete.
    Unknown(String),
}

impl<T: Settings> Read<T> {
    /// Returns what was observed, if it is there.
    #[must_use]
    pub fn present(&self) -> Option<&Observed<T>> {
        match self {
            Self::Present(observed) => Some(observed),
            Self::Absent | Self::Unknown(_) => None,
        }
    }
}

/// A live resource: its settings, AWS's own facts, its tags and owner.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(bound = "")]
pub struct Observed<T: Settings> {
    /// What is comparable: for a resource in change, the *requested* settings.
    pub settings: T,
    /// What AWS assigned.
    pub facts: T::Facts,
    /// All tags that it carries (empty where the kind has none).
    pub tags: BTreeMap<String, String>,
    /// Whose it is.
    pub owner: Owner,
    /// Whether it is in force, still changing, half-made or broken, as far as `read` could see at no extra call.
    pub condition: Condition,
}

/// In which condition a live resource was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Condition {
    /// In force.
    Settled,
    /// A create or change is under way; a re-run waits instead of sending it again.
    Changing(String),
    /// Being deleted; must be gone before it can be made anew.
    Deleting,
    /// Made and failed for good (a stream in CREATING_FAILED): must be deleted and made anew. AWS's reason.
    Broken(String),
}

/// Whose a live resource is, by its tags `ekk:stack` and `ekk:region` or by a mark inside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Owner {
    /// This stack, in this region.
    Ours,
    /// Nobody said; `--adopt` may take it.
    Nobody,
    /// Another stack or another region; always refused.
    Other {
        /// The value of `ekk:stack`.
        stack: String,
        /// The value of `ekk:region`.
        region: String,
    },
}

/// The tag that says which stack owns a resource.
pub const TAG_STACK: &str = "ekk:stack";
/// The tag that says in which region that stack lives.
pub const TAG_REGION: &str = "ekk:region";

impl Owner {
    /// Reads the owner from tags.
    #[must_use]
    pub fn from_tags(tags: &BTreeMap<String, String>, stack: &str, region: &str) -> Self {
        match (tags.get(TAG_STACK), tags.get(TAG_REGION)) {
            (None, _) => Self::Nobody,
            (Some(found), Some(found_region)) if found == stack && found_region == region => Self::Ours,
            (Some(found), found_region) => {
                Self::Other { stack: found.clone(), region: found_region.cloned().unwrap_or_default() }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_pointer_is_matched_by_whole_segments() {
        assert!(within("/vpc/subnets", "/vpc"));
        assert!(within("/vpc", "/vpc"));
        assert!(!within("/vpc_endpoint", "/vpc"));
    }

    #[test]
    fn tags_of_others_stay() {
        let live = tags(&[("team", "a"), ("cost", "9"), ("old", "x")]);
        let wanted = WantedTags::from([
            ("team".to_owned(), Some("b".to_owned())),
            ("old".to_owned(), None),
            ("gone".to_owned(), None),
        ]);
        let (set, remove) = tag_changes(&live, &wanted);
        assert_eq!(set, tags(&[("team", "b")]));
        assert_eq!(remove, vec!["old".to_owned()]);
    }

    #[test]
    fn a_stack_of_another_region_is_not_ours() {
        let live = tags(&[(TAG_STACK, "logs"), (TAG_REGION, "eu-west-1")]);
        assert_eq!(Owner::from_tags(&live, "logs", "eu-west-1"), Owner::Ours);
        assert!(matches!(Owner::from_tags(&live, "logs", "us-east-1"), Owner::Other { .. }));
        assert_eq!(Owner::from_tags(&BTreeMap::new(), "logs", "eu-west-1"), Owner::Nobody);
    }
}
