//! The shapes of a stack: its names, what is desired, what is live.

use serde::Serialize;

use crate::resource::bucket::BucketSettings;
use crate::resource::domain::DomainSettings;
use crate::resource::index_pattern::IndexPatternSettings;
use crate::resource::index_template::IndexTemplateSettings;
use crate::resource::log_group::LogGroupSettings;
use crate::resource::role::RoleSettings;
use crate::resource::stream::StreamSettings;
use crate::resource::{Kind, Managed, Read, Settings};
use crate::target::Target;

/// Every resource's name. `{region}` is filled; `{account}` may still stand in a name until the account is known, so
/// that a read by plain name need not wait for it ([`Names::filled`], `Session::name`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// The stack; the value of the tag `ekk:stack`.
    pub stack: String,
    /// The region; the value of the tag `ekk:region`.
    pub region: String,
    /// The IAM role that Firehose assumes.
    pub role: String,
    /// The path of a role that ekk makes; begins and ends with a slash.
    pub role_path: String,
    /// Whether the role is ekk's or one that exists and is only checked.
    pub role_origin: Origin,
    /// The backup bucket.
    pub bucket: String,
    /// Whether the bucket is ekk's or one that exists and is only checked.
    pub bucket_origin: Origin,
    /// The log group of Firehose's own errors.
    pub log_group: String,
    /// The domain.
    pub domain: String,
    /// The index that Firehose writes to, before rotation adds its suffix.
    pub index: String,
    /// The index template inside the domain.
    pub index_template: String,
    /// The delivery stream.
    pub stream: String,
    /// The saved object's id, `ekk-<stack>`.
    pub index_pattern: String,
    /// The title of the index pattern, such as `logging-test-*`.
    pub index_pattern_title: String,
}

/// Where a resource comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// ekk makes, changes and deletes it.
    Managed,
    /// It exists; ekk checks and never writes it.
    Existing,
}

impl Names {
    /// Returns the names with the account filled in.
    #[must_use]
    pub fn filled(&self, target: &Target) -> Self {
        let Self {
            stack,
            region,
            role,
            role_path,
            role_origin,
            bucket,
            bucket_origin,
            log_group,
            domain,
            index,
            index_template,
            stream,
            index_pattern,
            index_pattern_title,
        } = self;
        Self {
            stack: stack.clone(),
            region: region.clone(),
            role: target.fill(role),
            role_path: role_path.clone(),
            role_origin: *role_origin,
            bucket: target.fill(bucket),
            bucket_origin: *bucket_origin,
            log_group: target.fill(log_group),
            domain: target.fill(domain),
            index: target.fill(index),
            index_template: target.fill(index_template),
            stream: target.fill(stream),
            index_pattern: index_pattern.clone(),
            index_pattern_title: target.fill(index_pattern_title),
        }
    }

    /// Returns the name that stands for a kind in a plan.
    #[must_use]
    pub fn of(&self, kind: Kind) -> &str {
        match kind {
            Kind::Role => &self.role,
            Kind::Bucket => &self.bucket,
            Kind::LogGroup => &self.log_group,
            Kind::Domain => &self.domain,
            Kind::IndexTemplate => &self.index_template,
            Kind::Stream => &self.stream,
            Kind::IndexPattern => &self.index_pattern_title,
        }
    }
}

/// What is wanted of one resource.
#[derive(Clone, Debug, PartialEq, Default)]
pub enum Intent<T> {
    /// It must be there, with these settings.
    Managed(Managed<T>),
    /// It exists and must satisfy these settings; never written.
    Existing(T),
    /// It stays as it is, whether there or not (the bucket when a stack goes down).
    Keep,
    /// It must not be there.
    #[default]
    Nothing,
}

impl<T> Intent<T> {
    /// Returns the settings that a stack needs of it, managed or not.
    #[must_use]
    pub fn settings(&self) -> Option<&T> {
        match self {
            Self::Managed(managed) => Some(&managed.settings),
            Self::Existing(settings) => Some(settings),
            Self::Keep | Self::Nothing => None,
        }
    }
}

/// The complete desired state. The default is "nothing": a delete is a plan towards it.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Desired {
    /// The role.
    pub role: Intent<RoleSettings>,
    /// The bucket.
    pub bucket: Intent<BucketSettings>,
    /// The log group.
    pub log_group: Intent<LogGroupSettings>,
    /// The domain.
    pub domain: Intent<DomainSettings>,
    /// The index template.
    pub index_template: Intent<IndexTemplateSettings>,
    /// The stream.
    pub stream: Intent<StreamSettings>,
    /// The index pattern.
    pub index_pattern: Intent<IndexPatternSettings>,
}

/// The live state, as read.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Live {
    /// The role.
    pub role: Read<RoleSettings>,
    /// The bucket.
    pub bucket: Read<BucketSettings>,
    /// The log group.
    pub log_group: Read<LogGroupSettings>,
    /// The domain.
    pub domain: Read<DomainSettings>,
    /// The index template.
    pub index_template: Read<IndexTemplateSettings>,
    /// The stream.
    pub stream: Read<StreamSettings>,
    /// The index pattern.
    pub index_pattern: Read<IndexPatternSettings>,
    /// What carries this stack's tags and is named nowhere.
    pub strays: Strays,
}

impl Live {
    /// Returns a live state in which nothing is there.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            role: Read::Absent,
            bucket: Read::Absent,
            log_group: Read::Absent,
            domain: Read::Absent,
            index_template: Read::Absent,
            stream: Read::Absent,
            index_pattern: Read::Absent,
            strays: Strays::Known(Vec::new()),
        }
    }
}

/// What carries this stack's tags and is named nowhere any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Strays {
    /// All that was found.
    Known(Vec<Stray>),
    /// It could not be looked up (usually a missing permission, which the text names).
    Unknown(String),
}

/// A resource that is ours by its tags and that the spec does not name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Stray {
    /// Which kind.
    pub kind: Kind,
    /// Its name.
    pub name: String,
}

/// Reads the same field of [`Desired`] and [`Live`] by a type, for code that is generic over [`Settings`].
pub trait Slot: Settings {
    /// Returns what is desired of this kind.
    fn desired(desired: &Desired) -> &Intent<Self>;
    /// Returns what is live of this kind.
    fn live(live: &Live) -> &Read<Self>;
    /// Returns where to put what was read of this kind.
    fn live_mut(live: &mut Live) -> &mut Read<Self>;
}

macro_rules! slot {
    ($settings:ty, $field:ident) => {
        impl Slot for $settings {
            fn desired(desired: &Desired) -> &Intent<Self> {
                &desired.$field
            }
            fn live(live: &Live) -> &Read<Self> {
                &live.$field
            }
            fn live_mut(live: &mut Live) -> &mut Read<Self> {
                &mut live.$field
            }
        }
    };
}

slot!(RoleSettings, role);
slot!(BucketSettings, bucket);
slot!(LogGroupSettings, log_group);
slot!(DomainSettings, domain);
slot!(IndexTemplateSettings, index_template);
slot!(StreamSettings, stream);
slot!(IndexPatternSettings, index_pattern);
