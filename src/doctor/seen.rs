//! What was read of a stack, before anybody judges it. What could not be read stands as its error.

use jiff::{SignedDuration, Timestamp};

use crate::error::Error;
use crate::resource::Read;
use crate::resource::bucket::BucketSettings;
use crate::resource::domain::DomainSettings;
use crate::resource::index_pattern::IndexPatternSettings;
use crate::resource::index_template::IndexTemplateSettings;
use crate::resource::log_group::LogGroupSettings;
use crate::resource::role::RoleSettings;
use crate::resource::stream::StreamSettings;
use crate::stack::Names;

/// A stack, seen.
#[derive(Clone, Debug)]
pub struct Seen {
    /// All names; those that the live stream delivers to and with, where it is there.
    pub names: Names,
    /// When it was looked at, by AWS's clock where it is known.
    pub now: Timestamp,
    /// How far this machine's clock is ahead of AWS's; `None` where no answer told.
    pub skew: Option<SignedDuration>,
    /// This machine's offset from UTC.
    pub offset: SignedDuration,
    /// The delivery stream.
    pub stream: Result<Read<StreamSettings>, Error>,
    /// The role, and what IAM's simulator says it may not do.
    pub role: Result<Read<RoleSettings>, Error>,
    /// The bucket.
    pub bucket: Result<Read<BucketSettings>, Error>,
    /// The log group of Firehose's errors.
    pub log_group: Result<Read<LogGroupSettings>, Error>,
    /// The domain, by the control plane.
    pub domain: Result<Read<DomainSettings>, Error>,
    /// The index template.
    pub template: Result<Read<IndexTemplateSettings>, Error>,
    /// The index pattern.
    pub pattern: Result<Read<IndexPatternSettings>, Error>,
    /// What Firehose logged lately, by code.
    pub errors: Result<Vec<LogErrors>, Error>,
    /// Which documents failed lately.
    pub failures: Result<Failed, Error>,
    /// What the backup of all records tells of arrivals.
    pub backup: Result<Backup, Error>,
    /// Where the domain has fine-grained access control: the roles inside that Firehose's role is mapped to.
    pub role_mapping: Result<Option<Mapped>, Error>,
    /// What is inside the domain; `None` where there is no domain to ask.
    pub inside: Option<Inside>,
    /// What differs from the file, where there is a file.
    pub changes: Option<Result<Vec<String>, Error>>,
}

/// Errors of one code in Firehose's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogErrors {
    /// AWS's code, such as `ES.ServiceException`.
    pub code: String,
    /// How often it was logged; Firehose logs a sample.
    pub count: u64,
    /// When it was logged last.
    pub newest: Timestamp,
    /// The newest text.
    pub text: String,
}

/// Documents that failed lately.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failed {
    /// By their cause, the most frequent first.
    pub causes: Vec<Failures>,
    /// Whether only the newest were looked at.
    pub is_capped: bool,
}

/// Documents that failed for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failures {
    /// The code, such as `400`.
    pub code: String,
    /// How many, each document once.
    pub count: u64,
    /// How many of them are in their index by now: they were brought back.
    pub back: u64,
    /// The text of one of them.
    pub text: String,
    /// The indices that they were for.
    pub indices: Vec<String>,
    /// Where one of them lies.
    pub object: String,
    /// Why `ekk replay` can never bring them back; `None` where it can.
    pub never: Option<String>,
}

impl Failures {
    /// Tells whether all of them are in their index by now.
    #[must_use]
    pub fn are_back(&self) -> bool {
        self.back >= self.count
    }
}

/// What the backup tells of arrivals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Backup {
    /// The bucket gets what fails and nothing else.
    FailedOnly,
    /// The date stands behind an expression in the prefix, so that only a listing of everything could tell.
    NotKnown,
    /// The bucket gets all records.
    All {
        /// When the newest object was written; `None` where there is none.
        newest: Option<Timestamp>,
        /// The times of records beside their arrival, the newest first.
        arrivals: Vec<Arrival>,
    },
}

/// One object of the backup. Records of `ekk verify` do not count, and an object that holds nothing else is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// When it was written.
    pub written: Timestamp,
    /// The oldest time that its records say.
    pub oldest: Timestamp,
    /// The newest.
    pub newest: Timestamp,
}

/// What Firehose's role is mapped to inside the domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapped {
    /// The ARN of Firehose's role.
    pub arn: String,
    /// The roles that it is mapped to.
    pub roles: Vec<String>,
}

/// What is inside a domain. Each question stands for itself, since a caller may be allowed some of them only.
#[derive(Clone, Debug)]
pub struct Inside {
    /// `green`, `yellow` or `red`; the first question, and the one that shows whether the domain answers.
    pub health: Result<String, Error>,
    /// All indices, those of the system left out.
    pub indices: Result<Vec<Index>, Error>,
    /// The index that the stream writes to now, by its name; `None` where there is none yet.
    pub newest_index: Option<String>,
    /// What blocks writes.
    pub blocks: Result<Blocks, Error>,
    /// The disks.
    pub disks: Result<Disks, Error>,
    /// Shards that are there and that may be, each over the whole cluster.
    pub shards: Result<(u64, u64), Error>,
    /// How many fields each index has, and how many it may have.
    pub fields: Result<Vec<Fields>, Error>,
    /// Fields that have several types.
    pub conflicts: Result<Vec<Conflict>, Error>,
    /// The type of the time field in each index that has one of that name.
    pub time_field: Result<Vec<TimeField>, Error>,
    /// The documents' times.
    pub times: Result<Times, Error>,
}

/// An index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    /// Its name.
    pub name: String,
    /// `green`, `yellow` or `red`; empty for a closed one.
    pub health: String,
    /// Documents.
    pub documents: u64,
    /// Whether the stream writes to it.
    pub of_stream: bool,
    /// Whether the index pattern covers it; `None` where that is not known.
    pub in_pattern: Option<bool>,
}

/// What blocks writes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Blocks {
    /// Settings of the cluster, such as `cluster.blocks.read_only`.
    pub of_cluster: Vec<String>,
    /// Index and setting, such as `index.blocks.read_only_allow_delete`.
    pub of_indices: Vec<(String, String)>,
}

/// The disks of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disks {
    /// One a node.
    pub nodes: Vec<Disk>,
    /// Whether a full one makes its indices read-only.
    pub threshold: DiskThreshold,
}

/// `cluster.routing.allocation.disk.threshold_enabled`, which is on by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskThreshold {
    /// From the flood stage on, indices of the node are made read-only.
    Enabled,
    /// Documents are taken until the disk has no room at all.
    Disabled,
}

/// The disk of one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disk {
    /// The node.
    pub node: String,
    /// Bytes in use.
    pub used: u64,
    /// Bytes in all.
    pub total: u64,
}

/// The fields of an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fields {
    /// The index.
    pub index: String,
    /// How many it has, multi-fields and objects counted as the engine counts them.
    pub count: u64,
    /// How many it may have.
    pub limit: u64,
}

/// A field with several types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The field.
    pub field: String,
    /// Each type, with the indices that have it.
    pub types: Vec<(String, Vec<String>)>,
}

/// The time field of one index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeField {
    /// The index.
    pub index: String,
    /// Its type; `None` where the index has no such field.
    pub kind: Option<String>,
}

/// The times of the documents in the stream's indices.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// The field.
    pub field: String,
    /// All documents.
    pub documents: u64,
    /// Those without the time field.
    pub without: u64,
    /// Those whose time is more than five minutes ahead of AWS's clock.
    pub ahead: u64,
    /// The newest time.
    pub newest: Option<Timestamp>,
    /// The documents that came last; `None` where they could not be looked at.
    pub lately: Option<Lately>,
}

/// The documents that the newest index took last: they tell how it is now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lately {
    /// How many were looked at.
    pub documents: u64,
    /// Those without the time field.
    pub without: u64,
    /// Those whose time is more than five minutes ahead of AWS's clock.
    pub ahead: u64,
}

/// Something that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// What it is, such as `the stream`.
    pub what: String,
    /// What was answered.
    pub why: String,
    /// What to do.
    pub hints: Vec<String>,
}

impl Seen {
    /// Returns what could not be read.
    #[must_use]
    pub fn unread(&self) -> Vec<Unread> {
        let Self {
            names: _,
            now: _,
            skew: _,
            offset: _,
            stream,
            role,
            bucket,
            log_group,
            domain,
            template,
            pattern,
            errors,
            failures,
            backup,
            role_mapping,
            inside,
            changes,
        } = self;
        let mut unread = Vec::new();
        note(&mut unread, "the stream", reading(stream));
        note(&mut unread, "the role", reading(role));
        if let Ok(Read::Present(role)) = role
            && let Some(why) = &role.facts.unchecked
        {
            unread.push(Unread { what: "the role's permissions".to_owned(), why: why.clone(), hints: Vec::new() });
        }
        note(&mut unread, "the bucket", reading(bucket));
        note(&mut unread, "the log group", reading(log_group));
        note(&mut unread, "Firehose's error log", failed(errors));
        note(&mut unread, "the failed documents", failed(failures));
        note(&mut unread, "the backup", failed(backup));
        note(&mut unread, "the domain", reading(domain));
        note(&mut unread, "the mapping of Firehose's role", failed(role_mapping));
        if let Some(inside) = inside {
            let Inside {
                health,
                indices,
                newest_index: _,
                blocks,
                disks,
                shards,
                fields,
                conflicts,
                time_field,
                times,
            } = inside;
            // A domain that does not answer is a finding of its own.
            if health.is_ok() {
                note(&mut unread, "the index template", reading(template));
                note(&mut unread, "the index pattern", reading(pattern));
                note(&mut unread, "the indices", failed(indices));
                note(&mut unread, "what blocks writes", failed(blocks));
                note(&mut unread, "the disks", failed(disks));
                note(&mut unread, "the shards", failed(shards));
                note(&mut unread, "the fields", failed(fields));
                note(&mut unread, "conflicts of the mappings", failed(conflicts));
                note(&mut unread, "the time field", failed(time_field));
                note(&mut unread, "the documents' times", failed(times));
            }
        }
        if let Some(changes) = changes {
            note(&mut unread, "what differs from the file", failed(changes));
        }
        unread
    }
}

fn note(unread: &mut Vec<Unread>, what: &str, why: Option<(String, Vec<String>)>) {
    unread.extend(why.map(|(why, hints)| Unread { what: what.to_owned(), why, hints }));
}

fn failed<T>(read: &Result<T, Error>) -> Option<(String, Vec<String>)> {
    read.as_ref().err().map(|error| (error.message.clone(), error.hints.clone()))
}

fn reading<T: crate::resource::Settings>(read: &Result<Read<T>, Error>) -> Option<(String, Vec<String>)> {
    match read {
        Ok(Read::Unknown(why)) => Some((why.clone(), Vec::new())),
        Ok(Read::Absent | Read::Present(_)) => None,
        Err(error) => Some((error.message.clone(), error.hints.clone())),
    }
}
