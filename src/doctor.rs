//! Why no logs arrive: what was read of a stack, turned into findings, each with AWS's own words and what mends it. Pure;
//! [`look`] reads, and nothing here writes.

mod inside;
pub mod look;
mod seen;

use std::fmt;

use jiff::{SignedDuration, Timestamp};

pub use self::seen::{
    Arrival, Backup, Blocks, Conflict, Disk, DiskThreshold, Disks, Failed, Failures, Fields, Index, Inside, Lately,
    LogErrors, Mapped, Seen, TimeField, Times, Unread,
};
use crate::error::Error;
use crate::policy::FIREHOSE;
use crate::render::counted;
use crate::resource::log_group::{BACKUP_STREAM, DESTINATION_STREAM};
use crate::resource::stream::{OPENSEARCH_SERVICE, StreamSettings};
use crate::resource::{Condition, Kind, Observed, Owner, Read, Settings};
use crate::stack::{Names, Origin};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Records do not arrive, are lost, or are not seen.
    Error,
    /// They may be, soon or partly.
    Warning,
    /// Something could not be looked at.
    Blind,
}

/// What can be wrong. Each stands in docs/troubleshooting.md by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// This machine's clock is wrong.
    ClockSkew,
    /// There is no delivery stream.
    StreamMissing,
    /// It is another stack's.
    NotOurs,
    /// It is being made or changed.
    StreamNotReady,
    /// It failed, or is being deleted.
    StreamBroken,
    /// It delivers to something else than a domain.
    StreamElsewhere,
    /// It does not log its errors.
    ErrorLogOff,
    /// Its log group or a log stream in it is missing.
    ErrorLogMissing,
    /// It logged errors lately.
    DeliveryErrors,
    /// There is no role.
    RoleMissing,
    /// Firehose may not assume it.
    RoleTrust,
    /// It may not do what Firehose does with it.
    RolePermissions,
    /// The domain's fine-grained access control does not know it.
    RoleNotMapped,
    /// There is no bucket.
    BucketMissing,
    /// It is in another region.
    BucketElsewhere,
    /// Documents failed lately.
    FailedDocuments,
    /// There is no domain.
    DomainMissing,
    /// It is being made or changed.
    DomainNotReady,
    /// It failed, is isolated or is being deleted.
    DomainBroken,
    /// It does not answer.
    DomainSilent,
    /// Primary shards are missing.
    ClusterRed,
    /// Replicas are missing.
    ClusterYellow,
    /// Writes are blocked.
    WritesBlocked,
    /// A disk is full or nearly so.
    DiskFull,
    /// The cluster holds as many shards as it may, or nearly so.
    ShardLimit,
    /// An index has as many fields as it may, or nearly so.
    FieldLimit,
    /// A field has one type here and another there.
    MappingConflict,
    /// The time field is no date in an index.
    TimeNotADate,
    /// There is no index template.
    TemplateMissing,
    /// There is no index pattern.
    PatternMissing,
    /// It has another time field than the documents.
    PatternTimeField,
    /// It does not cover the index that the stream writes to.
    PatternOutside,
    /// Documents lie in an index that the pattern does not cover.
    OtherIndex,
    /// Documents have no time.
    TimeMissing,
    /// Times lie in the future.
    TimeAhead,
    /// Times lie hours behind their arrival.
    TimeBehind,
    /// Nothing has arrived at all.
    NothingArrived,
    /// Nothing has arrived for a while.
    NothingNew,
    /// The stack is not as its file says.
    NotAsTheFile,
    /// Something could not be looked at.
    NotLookedAt,
}

impl Cause {
    /// All causes, in the order in which they are told.
    pub const ALL: [Self; 40] = [
        Self::ClockSkew,
        Self::StreamMissing,
        Self::NotOurs,
        Self::StreamNotReady,
        Self::StreamBroken,
        Self::StreamElsewhere,
        Self::ErrorLogOff,
        Self::ErrorLogMissing,
        Self::DeliveryErrors,
        Self::RoleMissing,
        Self::RoleTrust,
        Self::RolePermissions,
        Self::RoleNotMapped,
        Self::BucketMissing,
        Self::BucketElsewhere,
        Self::FailedDocuments,
        Self::DomainMissing,
        Self::DomainNotReady,
        Self::DomainBroken,
        Self::DomainSilent,
        Self::ClusterRed,
        Self::ClusterYellow,
        Self::WritesBlocked,
        Self::DiskFull,
        Self::ShardLimit,
        Self::FieldLimit,
        Self::MappingConflict,
        Self::TimeNotADate,
        Self::TemplateMissing,
        Self::PatternMissing,
        Self::PatternTimeField,
        Self::PatternOutside,
        Self::OtherIndex,
        Self::TimeMissing,
        Self::TimeAhead,
        Self::TimeBehind,
        Self::NothingArrived,
        Self::NothingNew,
        Self::NotAsTheFile,
        Self::NotLookedAt,
    ];

    /// Returns its name, such as `stream-missing`.
    #[must_use]
    pub fn name(self) -> String {
        let mut name = String::new();
        for letter in format!("{self:?}").chars() {
            if letter.is_ascii_uppercase() && !name.is_empty() {
                name.push('-');
            }
            name.push(letter.to_ascii_lowercase());
        }
        name
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name())
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What it is.
    pub cause: Cause,
    /// One plain sentence, with its numbers; lower case, no full stop.
    pub says: String,
    /// AWS's own words, and the like.
    pub evidence: Vec<String>,
    /// What mends it: a command or a line of YAML.
    pub mend: String,
    /// The key of the file that it is about, where there is one.
    pub key: Option<&'static str>,
}

impl Finding {
    fn new(severity: Severity, cause: Cause, says: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { severity, cause, says: says.into(), evidence: Vec::new(), mend: mend.into(), key: None }
    }

    fn error(cause: Cause, says: impl Into<String>, mend: impl Into<String>) -> Self {
        Self::new(Severity::Error, cause, says, mend)
    }

    fn warning(cause: Cause, says: impl Into<String>, mend: impl Into<String>) -> Self {
        Self::new(Severity::Warning, cause, says, mend)
    }

    fn with(mut self, evidence: impl IntoIterator<Item = String>) -> Self {
        self.evidence.extend(evidence);
        self
    }

    fn about(mut self, key: &'static str) -> Self {
        self.key = Some(key);
        self
    }
}

/// The commands that mend, as a user types them to name the same stack again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commands {
    /// What follows the verb: the flags of the place and the word for the stack.
    pub stack: String,
    /// Whether that word is a file, which `up` needs.
    pub named_by: NamedBy,
}

/// How the stack was named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamedBy {
    /// By its file.
    File,
    /// By its name alone.
    Name,
}

impl Commands {
    fn up(&self) -> String {
        match self.named_by {
            NamedBy::File => format!("ekk up{}", self.stack),
            NamedBy::Name => "`ekk up` with the file of this stack".to_owned(),
        }
    }

    fn of(&self, verb: &str) -> String {
        format!("ekk {verb}{}", self.stack)
    }

    /// What a person sends in Dev Tools to change a setting of indices that are there.
    fn put_setting(&self, indices: &str, setting: &str, value: &str) -> String {
        format!("`PUT {indices}/_settings {{\"{setting}\": {value}}}` in Dev Tools ({})", self.of("dashboards"))
    }
}

/// The difference of clocks from which signatures are refused (AWS refuses more than five minutes).
const SKEW_ERROR: SignedDuration = SignedDuration::from_mins(5);
/// From here on times are shifted enough to be noticed.
const SKEW_WARNING: SignedDuration = SignedDuration::from_secs(30);

/// How many differences from the file are told; `ekk plan` has them all.
const MOST_CHANGES: usize = 8;
/// How many causes of failed documents are told, the most frequent ones; the rest is counted.
const MOST_CAUSES: usize = 10;

/// Judges what was seen, in the order of [`Cause::ALL`], errors first.
#[must_use]
pub fn findings(seen: &Seen, commands: &Commands) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(clock(seen));
    stream(seen, commands, &mut findings);
    error_log(seen, commands, &mut findings);
    role(seen, commands, &mut findings);
    bucket(seen, commands, &mut findings);
    failed_documents(seen, commands, &mut findings);
    domain(seen, commands, &mut findings);
    inside::findings(seen, commands, &mut findings);
    findings.extend(file(seen, commands));
    blind(seen, &mut findings);
    findings.sort_by_key(|finding| (finding.severity, finding.cause));
    findings
}

fn clock(seen: &Seen) -> Option<Finding> {
    let skew = seen.skew?;
    let off = skew.abs();
    let way = if skew.is_positive() { "ahead of" } else { "behind" };
    let says = format!("this machine's clock is {} {way} AWS's", told(off));
    let mend = "set the clock by NTP (timedatectl set-ntp true)";
    if off >= SKEW_ERROR {
        let why = "AWS refuses signatures that are more than 5 min off, so nothing can be sent from here";
        Some(Finding::error(Cause::ClockSkew, says, mend).with([why.to_owned()]))
    } else if off >= SKEW_WARNING {
        let why = "records that are logged here carry that shift in their time";
        Some(Finding::warning(Cause::ClockSkew, says, mend).with([why.to_owned()]))
    } else {
        None
    }
}

/// Returns what is there of a resource that was read; what was not readable is told by [`blind`].
fn present<T: Settings>(read: &Result<Read<T>, Error>) -> Option<&Observed<T>> {
    read.as_ref().ok().and_then(Read::present)
}

fn is_absent<T: Settings>(read: &Result<Read<T>, Error>) -> bool {
    matches!(read, Ok(Read::Absent))
}

fn not_ours<T: Settings>(names: &Names, observed: &Observed<T>) -> Option<Finding> {
    match &observed.owner {
        Owner::Ours => None,
        Owner::Nobody | Owner::Other { .. } if T::KIND == Kind::Role || T::KIND == Kind::Bucket => None,
        Owner::Nobody => Some(Finding::warning(
            Cause::NotOurs,
            format!("{} {} carries no tag of ekk", T::KIND, names.of(T::KIND)),
            "`ekk up --adopt` of the file takes it over",
        )),
        Owner::Other { stack, region } => Some(Finding::error(
            Cause::NotOurs,
            format!("{} {} belongs to stack {stack} in {region}", T::KIND, names.of(T::KIND)),
            format!("give it another name in the file ({})", T::KIND.section()),
        )),
    }
}

fn stream(seen: &Seen, commands: &Commands, findings: &mut Vec<Finding>) {
    let name = &seen.names.stream;
    if is_absent(&seen.stream) {
        findings.push(
            Finding::error(
                Cause::StreamMissing,
                format!("delivery stream {name} is not there: every record that is sent to it is refused"),
                commands.up(),
            )
            .about("stream"),
        );
    }
    let Some(stream) = present(&seen.stream) else { return };
    findings.extend(not_ours(&seen.names, stream));
    match &stream.condition {
        Condition::Settled => {}
        Condition::Changing(why) => findings.push(
            Finding::warning(
                Cause::StreamNotReady,
                format!("delivery stream {name} is not ready ({})", stream.facts.status),
                format!("wait: {} waits for it", commands.up()),
            )
            .with([why.clone()]),
        ),
        Condition::Deleting => findings.push(Finding::error(
            Cause::StreamBroken,
            format!("delivery stream {name} is being deleted: records are refused"),
            commands.up(),
        )),
        Condition::Broken(why) => findings.push(
            Finding::error(
                Cause::StreamBroken,
                format!("delivery stream {name} takes no records ({})", stream.facts.status),
                format!("{} makes it anew", commands.up()),
            )
            .with([why.clone()]),
        ),
    }
    let StreamSettings { destination, logging, .. } = &stream.settings;
    if destination != OPENSEARCH_SERVICE {
        findings.push(Finding::error(
            Cause::StreamElsewhere,
            format!("delivery stream {name} delivers to {destination}, not to the domain"),
            format!("{} --allow replace:stream", commands.up()),
        ));
    }
    if !logging.enabled {
        findings.push(
            Finding::warning(
                Cause::ErrorLogOff,
                "Firehose does not log its errors, so that nobody can say why a delivery fails",
                "error_log: { enabled: true }",
            )
            .about("error_log.enabled"),
        );
    }
}

fn error_log(seen: &Seen, commands: &Commands, findings: &mut Vec<Finding>) {
    let is_on = present(&seen.stream).is_none_or(|stream| stream.settings.logging.enabled);
    let group = &seen.names.log_group;
    if is_on && is_absent(&seen.log_group) {
        findings.push(
            Finding::warning(
                Cause::ErrorLogMissing,
                format!("log group {group} is not there: Firehose's errors are written nowhere"),
                commands.up(),
            )
            .about("error_log"),
        );
    }
    if let Some(log_group) = present(&seen.log_group) {
        let missing: Vec<&str> = [DESTINATION_STREAM, BACKUP_STREAM]
            .into_iter()
            .filter(|stream| !log_group.settings.streams.contains(*stream))
            .collect();
        if is_on && !missing.is_empty() {
            findings.push(Finding::warning(
                Cause::ErrorLogMissing,
                format!("log group {group} has no log stream {}: those errors are written nowhere", missing.join(", ")),
                commands.up(),
            ));
        }
    }
    let Ok(errors) = &seen.errors else { return };
    for LogErrors { code, count, newest, text } in errors {
        let says = format!("Firehose logged {code} {}, last {}", times(*count), ago(seen.now, *newest));
        let remedy = remedy_of(code, text, seen, commands);
        findings.push(match passed(seen, code, text, *newest) {
            Some(since) => Finding::warning(Cause::DeliveryErrors, says, remedy).with([text.clone(), since.to_owned()]),
            None => Finding::error(Cause::DeliveryErrors, says, remedy).with([text.clone()]),
        });
    }
}

/// Tells what has succeeded since an error was logged, so that it need not concern anybody now; `None` where nothing is known.
fn passed(seen: &Seen, code: &str, text: &str, logged: Timestamp) -> Option<&'static str> {
    let causes = seen.failures.as_ref().map(|failed| failed.causes.as_slice()).unwrap_or_default();
    let (never, others): (Vec<&Failures>, Vec<&Failures>) = causes.iter().partition(|one| one.never.is_some());
    if others.iter().all(|one| one.are_back()) {
        if !others.is_empty() {
            return Some("the documents that failed are in the index again");
        }
        if !never.is_empty() && is_about_the_document(code, text) {
            return Some("what failed can never be delivered as it is");
        }
    }
    let delivered = if code.starts_with("S3.") {
        match &seen.backup {
            Ok(Backup::All { newest, arrivals: _ }) => *newest,
            Ok(Backup::FailedOnly | Backup::NotKnown) | Err(_) => None,
        }
    } else {
        seen.inside.as_ref().and_then(|inside| inside.times.as_ref().ok()).and_then(|times| times.newest)
    };
    // A time in the future proves nothing.
    delivered.filter(|delivered| (logged..=seen.now).contains(delivered) && *delivered != logged)?;
    Some("records that came later were delivered")
}

/// Tells whether the domain refused one document for what it holds.
fn is_about_the_document(code: &str, text: &str) -> bool {
    let low = format!("{code} {text}").to_lowercase();
    code == "400" || ["mapper", "parsing", "illegal_argument", "strict_dynamic"].iter().any(|word| low.contains(word))
}

/// What mends an error that Firehose logged or noted on a failed document, by the family of its code and text.
fn remedy_of(code: &str, text: &str, seen: &Seen, commands: &Commands) -> String {
    let low = format!("{code} {text}").to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| low.contains(word));
    if has(&["kms"]) {
        "let the role use the key: its key policy must allow kms:GenerateDataKey and kms:Decrypt".to_owned()
    } else if let Some(limit) = limit_of_fields(&low) {
        let (set, again) =
            (commands.put_setting("INDEX", "index.mapping.total_fields.limit", &limit), commands.of("replay"));
        format!(
            "index: {{ total_fields_limit: {limit} }}, which counts from the next index on; for one that is there {set}; then \
             {again}"
        )
    } else if is_about_the_document(code, text) {
        format!(
            "send what the field's type takes, or give the field another type (index.fields), then {}",
            commands.of("replay")
        )
    } else if has(&["index write (api)", "index read-only (api)"]) {
        // Engines word the disk's own block differently: `read-only / allow delete`, or by the watermark.
        let setting = if has(&["index write (api)"]) { "index.blocks.write" } else { "index.blocks.read_only" };
        format!("{}; then {}", commands.put_setting("INDEX", setting, "null"), commands.of("replay"))
    } else if has(&["block", "disk", "read-only", "read_only"]) {
        "give the domain room: volume.size_gib, or delete old indexes".to_owned()
    } else if has(&["accessdenied", "access denied", "forbidden", "not authorized", "security_exception", "assumerole"])
        || code == "403"
    {
        match is_ekks_role(seen) {
            true => format!("{} gives role {} its permissions back", commands.up(), seen.names.role),
            false => format!("{}, which ekk never writes", of_theirs(seen, "what Firehose needs")),
        }
    } else if has(&["429", "rejected", "throttl", "circuit_breaking"]) {
        "the domain is overloaded: more or larger nodes (domain.instance_type, instance_count)".to_owned()
    } else if is_absent(&seen.domain) {
        format!("the domain is not there: {}, then {}", commands.up(), commands.of("replay"))
    } else if low.starts_with('5') || has(&["could not connect", "unavailable", "timed out", "timeout"]) {
        let (status, again) = (commands.of("status"), commands.of("replay"));
        format!("the domain could not be reached: {status} shows how it is now; once it is well, {again}")
    } else {
        format!("{} shows whether the path works now", commands.of("verify"))
    }
}

/// Returns the limit to raise to, where an engine says that an index has all the fields it may have.
fn limit_of_fields(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("limit of total fields [")?;
    let limit: u64 = rest.split_once(']')?.0.parse().ok()?;
    Some(limit.saturating_mul(2).to_string())
}

/// Tells whether `ekk up` may write the role.
fn is_ekks_role(seen: &Seen) -> bool {
    seen.names.role_origin == Origin::Managed && present(&seen.role).is_none_or(|role| role.owner == Owner::Ours)
}

fn of_theirs(seen: &Seen, what: &str) -> String {
    format!("give role {} {what} (iam:PutRolePolicy)", seen.names.role)
}

fn role(seen: &Seen, commands: &Commands, findings: &mut Vec<Finding>) {
    let name = &seen.names.role;
    let is_ekks = is_ekks_role(seen);
    if is_absent(&seen.role) {
        findings.push(
            Finding::error(
                Cause::RoleMissing,
                format!("role {name} is not there: Firehose can write to nothing"),
                match is_ekks {
                    true => commands.up(),
                    false => "make it, or name it `role.name` and let ekk make it".to_owned(),
                },
            )
            .about("role"),
        );
    }
    if let Some(role) = present(&seen.role) {
        if !role.settings.trust.lets_assume(FIREHOSE) {
            findings.push(Finding::error(
                Cause::RoleTrust,
                format!("role {name} does not let {FIREHOSE} assume it"),
                match is_ekks {
                    true => commands.up(),
                    false => format!(
                        "let {FIREHOSE} assume it in its trust policy, which ekk never writes (iam:UpdateAssumeRolePolicy)"
                    ),
                },
            ));
        }
        // Where Firehose logs nothing, its role need not log.
        let logs = present(&seen.stream).is_none_or(|stream| stream.settings.logging.enabled);
        let missing: Vec<&String> =
            role.facts.not_allowed.iter().filter(|missing| logs || !missing.starts_with("logs:")).collect();
        if !missing.is_empty() {
            let mend = match is_ekks {
                true => commands.up(),
                false => format!("{}, which ekk never writes", of_theirs(seen, "these permissions")),
            };
            findings.push(
                Finding::error(
                    Cause::RolePermissions,
                    format!("role {name} may not do what Firehose does with it"),
                    mend,
                )
                .with(missing.into_iter().map(|missing| format!("not allowed: {missing}"))),
            );
        }
    }
    if let Ok(Some(mapped)) = &seen.role_mapping
        && mapped.roles.is_empty()
    {
        findings.push(
            Finding::error(
                Cause::RoleNotMapped,
                format!("the domain has fine-grained access control, and role {name} is mapped to no role in it"),
                format!("in Dashboards, Security, Roles: map {} as a backend role", mapped.arn),
            )
            .with(["Firehose gets 403 until then".to_owned()]),
        );
    }
}

fn bucket(seen: &Seen, commands: &Commands, findings: &mut Vec<Finding>) {
    let name = &seen.names.bucket;
    if is_absent(&seen.bucket) {
        findings.push(
            Finding::error(
                Cause::BucketMissing,
                format!("bucket {name} is not there: Firehose stops delivering and drops records after 24 hours"),
                commands.up(),
            )
            .about("bucket"),
        );
    }
    if let Some(bucket) = present(&seen.bucket)
        && bucket.settings.region != seen.names.region
    {
        findings.push(
            Finding::error(
                Cause::BucketElsewhere,
                format!("bucket {name} is in {}, the stream in {}", bucket.settings.region, seen.names.region),
                "name a bucket of this region (bucket.name)",
            )
            .about("bucket.name"),
        );
    }
}

fn failed_documents(seen: &Seen, commands: &Commands, findings: &mut Vec<Finding>) {
    let Ok(Failed { causes, is_capped }) = &seen.failures else { return };
    let replay = commands.of("replay");
    let many = |count: u64| {
        let many = documents(count);
        if *is_capped { format!("at least {many}") } else { many }
    };
    let (never, others): (Vec<&Failures>, Vec<&Failures>) = causes.iter().partition(|one| one.never.is_some());
    let missing: Vec<&Failures> = others.iter().copied().filter(|one| !one.are_back()).collect();
    for failures in missing.iter().take(MOST_CAUSES) {
        let Failures { code, count, back, text, indices, object, never: _ } = failures;
        let others = if *back > 0 { format!(" ({back} others are back)") } else { String::new() };
        findings.push(
            Finding::error(
                Cause::FailedDocuments,
                format!(
                    "{} for {} failed in the last 24 hours with {code}{others}",
                    many(count.saturating_sub(*back)),
                    first_of(indices)
                ),
                remedy_of(code, text, seen, commands),
            )
            .with([text.clone(), format!("they lie in {object}; {replay} brings them back")]),
        );
    }
    if let Some(rest) = missing.get(MOST_CAUSES..).filter(|rest| !rest.is_empty()) {
        let count = rest.iter().map(|one| one.count.saturating_sub(one.back)).sum();
        let causes = counted(rest.len(), "other cause", "other causes");
        findings.push(Finding::error(
            Cause::FailedDocuments,
            format!("{} failed in the last 24 hours for {causes}", many(count)),
            format!("{replay} --dry-run counts them by cause"),
        ));
    }
    if missing.is_empty() && *is_capped && !others.is_empty() {
        let newest = documents(others.iter().map(|one| one.count).sum());
        findings.push(Finding::warning(
            Cause::FailedDocuments,
            format!(
                "of those that failed in the last 24 hours the newest {newest} are all back; the rest was not looked at"
            ),
            format!("{replay} brings back what is missing, if anything is"),
        ));
    }
    if never.is_empty() {
        return;
    }
    let told = never.iter().take(MOST_CAUSES).map(|one| {
        let why = one.never.as_deref().unwrap_or_default();
        format!("{}: {why}, such as in {}", documents(one.count), one.object)
    });
    findings.push(
        Finding::warning(
            Cause::FailedDocuments,
            format!(
                "{} of the last 24 hours can never be brought back: ekk replay leaves them, and they stay in the bucket",
                many(never.iter().map(|one| one.count).sum())
            ),
            if never.iter().any(|one| one.never.as_deref().is_some_and(|why| why.starts_with("the record"))) {
                "send each record as one JSON object (ekk.JsonFormatter does)"
            } else {
                "read them in the bucket; only the index that Firehose was told to write to is written to"
            },
        )
        .with(told),
    );
}

fn documents(count: u64) -> String {
    counted(usize::try_from(count).unwrap_or(usize::MAX), "document", "documents")
}

fn first_of(indices: &[String]) -> String {
    match indices {
        [] => "an index".to_owned(),
        [one] => one.clone(),
        [first, others @ ..] => format!("{first} and {}", counted(others.len(), "other index", "other indices")),
    }
}

fn domain(seen: &Seen, commands: &Commands, findings: &mut Vec<Finding>) {
    let name = &seen.names.domain;
    if is_absent(&seen.domain) {
        findings.push(
            Finding::error(
                Cause::DomainMissing,
                format!("domain {name} is not there: records wait in Firehose, then go to the failed folder"),
                commands.up(),
            )
            .about("domain"),
        );
    }
    let Some(domain) = present(&seen.domain) else { return };
    findings.extend(not_ours(&seen.names, domain));
    match &domain.condition {
        Condition::Settled => {}
        Condition::Changing(why) => findings.push(
            Finding::warning(
                Cause::DomainNotReady,
                format!("domain {name} is in change"),
                format!("wait: {} waits for it", commands.up()),
            )
            .with([why.clone()]),
        ),
        Condition::Deleting => {
            findings.push(Finding::error(
                Cause::DomainBroken,
                format!("domain {name} is being deleted"),
                commands.up(),
            ));
        }
        Condition::Broken(why) => findings.push(
            Finding::error(Cause::DomainBroken, format!("domain {name} has failed"), commands.up()).with([why.clone()]),
        ),
    }
}

fn file(seen: &Seen, commands: &Commands) -> Option<Finding> {
    let changes = seen.changes.as_ref()?.as_ref().ok()?;
    if changes.is_empty() {
        return None;
    }
    let more = if changes.len() > MOST_CHANGES {
        format!(" and {} more", changes.len() - MOST_CHANGES)
    } else {
        String::new()
    };
    let shown: Vec<&str> = changes.iter().take(MOST_CHANGES).map(String::as_str).collect();
    let says = format!("the stack is not as its file says: {}{more}", shown.join(", "));
    Some(Finding::warning(Cause::NotAsTheFile, says, format!("{}, then {}", commands.of("plan"), commands.up())))
}

fn blind(seen: &Seen, findings: &mut Vec<Finding>) {
    let mut told: Vec<String> = Vec::new();
    for Unread { what, why, hints } in seen.unread() {
        // One missing permission or one silent domain hides several things.
        if told.contains(&why) {
            continue;
        }
        told.push(why.clone());
        let mend = if hints.is_empty() { "see what it says, then look again".to_owned() } else { hints.join("; ") };
        findings.push(
            Finding::new(Severity::Blind, Cause::NotLookedAt, format!("could not look at {what}"), mend).with([why]),
        );
    }
}

/// Words a length of time, roughly: `40 s`, `12 min`, `2 h`, `3 days`.
fn told(duration: SignedDuration) -> String {
    let seconds = duration.abs().as_secs();
    match seconds {
        0..=99 => format!("{seconds} s"),
        100..=5_999 => format!("{} min", (seconds + 30) / 60),
        6_000..=172_799 => {
            let (hours, minutes) = (seconds / 3600, seconds % 3600 / 60);
            if minutes == 0 { format!("{hours} h") } else { format!("{hours} h {minutes} min") }
        }
        _ => format!("{} days", seconds / 86_400),
    }
}

fn ago(now: Timestamp, then: Timestamp) -> String {
    format!("{} ago", told(now.duration_since(then)))
}

fn times(count: u64) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_named_by_its_words() {
        assert_eq!(Cause::TimeNotADate.name(), "time-not-a-date");
        assert_eq!(Cause::NotOurs.name(), "not-ours");
    }

    #[test]
    fn a_length_of_time_is_told_roughly() {
        let of = |seconds| told(SignedDuration::from_secs(seconds));
        assert_eq!(
            [of(0), of(-99), of(100), of(5_999), of(7_200), of(9_000), of(200_000)],
            ["0 s", "99 s", "2 min", "100 min", "2 h", "2 h 30 min", "2 days"]
        );
    }
}
