//! Turns plans, reports and states into text, Markdown and JSON. Pure: colours are written in and stripped at the
//! stream that is not a terminal.

mod doctor_text;
mod json;
mod objections;
mod overview_text;
mod plan_text;
mod record_text;
mod replay_text;
mod report_text;
mod status_text;
mod summary;
mod verify_text;

use std::fmt;

use anstyle::{AnsiColor, Style};

pub use self::doctor_text::{Examined, differing, doctor, doctor_json, doctor_markdown};
pub use self::json::{plan as plan_json, report as report_json, status as status_json};
pub use self::objections::objections;
pub use self::overview_text::{Life, StackOverview, overview, overview_json};
pub use self::plan_text::{Detail, plan, plan_markdown};
pub use self::record_text::record;
pub use self::replay_text::{ReplayedFrom, replay, replay_json};
pub use self::report_text::{report, report_markdown};
pub use self::status_text::{ResourceStatus, StackStatus, State, status, status_markdown};
pub use self::verify_text::{LineInBackup, verify, verify_json};
use crate::resource::Kind;
use crate::target::Target;

/// What is green: made, done.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// What is yellow: changed, warned of.
pub const CHANGED: Style = AnsiColor::Yellow.on_default();
/// What is red: deleted, failed, refused.
pub const BAD: Style = AnsiColor::Red.on_default();
/// What is dim: explanations.
pub const DIM: Style = Style::new().dimmed();
/// What is bold: names and counts.
pub const BOLD: Style = Style::new().bold();

/// Where a run works and as whom; the first line of every output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Partition, region and account.
    pub target: Target,
    /// The account's alias, where it was asked for and may be read.
    pub alias: Option<String>,
    /// The caller's ARN.
    pub caller: String,
    /// The address of the embedded local AWS, when it is that.
    pub local: Option<String>,
}

impl Header {
    /// Returns the account as a person names it: its alias, else its number.
    #[must_use]
    pub fn account(&self) -> &str {
        match (&self.local, &self.alias) {
            (Some(_), _) => "the local AWS",
            (None, Some(alias)) => alias,
            (None, None) => &self.target.account,
        }
    }
}

impl fmt::Display for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { target, alias, caller, local } = self;
        match local {
            Some(address) => write!(f, "local AWS {address} · {}", target.region),
            None => {
                write!(f, "AWS {}", target.account)?;
                if let Some(alias) = alias {
                    write!(f, " ({alias})")?;
                }
                write!(f, " · {} · as {}", target.region, short_caller(caller))
            }
        }
    }
}

/// Shortens a caller's ARN: `sso/anna`, `ci/run-7`, `user/anna`.
fn short_caller(arn: &str) -> String {
    let resource = arn.splitn(6, ':').nth(5).unwrap_or(arn);
    let resource = resource.strip_prefix("assumed-role/").unwrap_or(resource);
    match resource.split_once('/') {
        Some((role, session)) if role.starts_with("AWSReservedSSO_") => format!("sso/{session}"),
        Some(_) | None => resource.to_owned(),
    }
}

/// Returns a text without its colours.
#[must_use]
pub fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

/// Returns the dotted path of the key in the file that a setting comes from, where one key decides it.
#[must_use]
pub fn key_in_file(kind: Kind, pointer: &str) -> Option<String> {
    let key = match (kind, pointer) {
        (_, "/owner") => return None,
        (Kind::Role, "/permissions_boundary") => "role.permissions_boundary",
        (Kind::Role, _) => "role",
        (Kind::Bucket, "/encryption/kms_key" | "/encryption/algorithm") => "bucket.kms_key",
        (Kind::Bucket, pointer) if pointer.starts_with("/lifecycle") => "bucket.expire_days",
        (Kind::Bucket, _) => "bucket",
        (Kind::LogGroup, "/retention_days") => "error_log.retention_days",
        (Kind::LogGroup, _) => "error_log",
        (Kind::Domain, "/engine_version") => "domain.engine_version",
        (Kind::Domain, "/cluster/instance_type") => "domain.instance_type",
        (Kind::Domain, "/cluster/instance_count") => "domain.instance_count",
        (Kind::Domain, "/cluster/availability_zones") => "domain.availability_zones",
        (Kind::Domain, "/cluster/dedicated_masters/instance_type") => "domain.dedicated_masters.instance_type",
        (Kind::Domain, "/cluster/dedicated_masters/count") => "domain.dedicated_masters.count",
        (Kind::Domain, "/cluster/dedicated_masters/enabled") => "domain.dedicated_masters",
        (Kind::Domain, "/volume/type" | "/volume/enabled") => "domain.volume.type",
        (Kind::Domain, "/volume/size_gib") => "domain.volume.size_gib",
        (Kind::Domain, "/volume/iops") => "domain.volume.iops",
        (Kind::Domain, "/volume/throughput_mib") => "domain.volume.throughput_mib",
        (Kind::Domain, "/encryption_at_rest/enabled") => "domain.encryption.at_rest",
        (Kind::Domain, "/encryption_at_rest/kms_key") => "domain.encryption.kms_key",
        (Kind::Domain, "/node_to_node_encryption") => "domain.encryption.node_to_node",
        (Kind::Domain, "/endpoint/tls_policy") => "domain.tls_policy",
        (Kind::Domain, "/access_policy") => "domain.access.principals",
        (Kind::Domain, _) => "domain",
        (Kind::IndexTemplate, "/shards") => "index.shards",
        (Kind::IndexTemplate, "/replicas") => "index.replicas",
        (Kind::IndexTemplate, "/refresh_interval") => "index.refresh_interval",
        (Kind::IndexTemplate, "/total_fields_limit") => "index.total_fields_limit",
        (Kind::IndexTemplate, "/index_patterns") => "index.name",
        (Kind::IndexTemplate, pointer) if pointer.starts_with("/mappings/properties") => "index.fields",
        (Kind::IndexTemplate, _) => "index",
        (Kind::Stream, "/index") => "index.name",
        (Kind::Stream, "/rotation") => "index.rotation",
        (Kind::Stream, "/retry_seconds") => "stream.retry_seconds",
        (Kind::Stream, "/buffer/seconds") => "stream.buffer.seconds",
        (Kind::Stream, "/buffer/mib") => "stream.buffer.mib",
        (Kind::Stream, "/document_ids") => "stream.document_ids",
        (Kind::Stream, "/backup/documents") => "backup.documents",
        (Kind::Stream, "/backup/prefix") => "backup.prefix",
        (Kind::Stream, "/backup/error_prefix") => "backup.error_prefix",
        (Kind::Stream, "/backup/compression") => "backup.compression",
        (Kind::Stream, "/backup/buffer/seconds") => "backup.buffer.seconds",
        (Kind::Stream, "/backup/buffer/mib") => "backup.buffer.mib",
        (Kind::Stream, "/role_arn") => "role.name",
        (Kind::Stream, "/domain_arn") => "domain.name",
        (Kind::Stream, "/backup/bucket_arn") => "bucket.name",
        (Kind::Stream, pointer) if pointer.starts_with("/encryption") => "stream.encryption.type",
        (Kind::Stream, pointer) if pointer.starts_with("/logging") => "error_log",
        (Kind::Stream, _) => "stream",
        (Kind::IndexPattern, "/title") => "dashboards.index_pattern",
        (Kind::IndexPattern, "/time_field") => "index.time_field",
        (Kind::IndexPattern, _) => "dashboards",
    };
    match pointer.strip_prefix("/tags/") {
        Some(tag) => Some(format!("tags.{}", tag.replace("~1", "/").replace("~0", "~"))),
        None => Some(key.to_owned()),
    }
}

/// Writes a duration as a person says it: `0.8 s`, `17 s`, `6 min 12 s`, `1 h 5 min`.
#[must_use]
pub fn took(seconds: f64) -> String {
    let whole = seconds.round();
    if seconds < 9.95 {
        format!("{seconds:.1} s")
    } else if whole < 60.0 {
        format!("{whole:.0} s")
    } else if whole < 3600.0 {
        let (minutes, rest) = ((whole / 60.0).floor(), whole % 60.0);
        if rest == 0.0 || minutes >= 10.0 {
            format!("{minutes:.0} min")
        } else {
            format!("{minutes:.0} min {rest:.0} s")
        }
    } else {
        let minutes = (whole / 60.0).round();
        format!("{:.0} h {:.0} min", (minutes / 60.0).floor(), minutes % 60.0)
    }
}

/// Returns the width of the column of names, so that what stands behind them lines up. The rare very long name juts out
/// rather than push everything away.
fn column<'a>(names: impl Iterator<Item = &'a str>) -> usize {
    names.map(|name| name.chars().count()).filter(|width| *width <= 30).fold(26, usize::max)
}

/// Writes a count with its noun.
#[must_use]
pub fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_is_shortened() {
        assert_eq!(short_caller("arn:aws:sts::1:assumed-role/AWSReservedSSO_Admin_0a1b/anna"), "sso/anna");
        assert_eq!(short_caller("arn:aws:sts::1:assumed-role/ci/run-7"), "ci/run-7");
        assert_eq!(short_caller("arn:aws:iam::1:user/anna"), "user/anna");
        assert_eq!(short_caller("arn:aws:iam::1:root"), "root");
    }

    #[test]
    fn durations_read_well() {
        assert_eq!(took(0.84), "0.8 s");
        assert_eq!(took(17.2), "17 s");
        assert_eq!(took(372.0), "6 min 12 s");
        assert_eq!(took(1020.0), "17 min");
        assert_eq!(took(3900.0), "1 h 5 min");
    }
}
