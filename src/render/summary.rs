//! What a resource is, in one line and a few details, from the work that makes it.

use crate::plan::{Step, Work};
use crate::resource::Settings;
use crate::resource::domain::{Cluster, DomainSettings, Volume};
use crate::resource::stream::StreamSettings;

/// How long a domain takes, as the reader will find it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speed {
    /// Minutes, and money.
    Aws,
    /// Seconds.
    Local,
}

/// One line of details: label and text.
pub(super) type Line = (&'static str, String);

/// Returns what stands behind a new resource's name.
pub(super) fn headline(work: &Work, speed: Speed) -> String {
    match work {
        Work::Role(_) => "for Firehose; may write to this stack's bucket, domain and log only".to_owned(),
        Work::Bucket(step) => match settings(step) {
            Some(bucket) => {
                let key = if bucket.encryption.kms_key.is_some() { "encrypted with your key" } else { "encrypted" };
                let expiry = bucket.lifecycle.values().find_map(|rule| rule.expire_days);
                let expiry = expiry.map(|days| format!(", objects expire after {days} days")).unwrap_or_default();
                format!("private, TLS only, {key}{expiry}; kept by `ekk down`")
            }
            None => String::new(),
        },
        Work::LogGroup(step) => match settings(step).and_then(|group| group.retention_days) {
            Some(days) => format!("Firehose's own errors, {days} days"),
            None => "Firehose's own errors".to_owned(),
        },
        Work::Domain(_) => match speed {
            Speed::Aws => "15-30 min; billed by the hour from then on".to_owned(),
            Speed::Local => "seconds here; 15-30 min on AWS".to_owned(),
        },
        Work::IndexTemplate(step) => match settings(step) {
            Some(template) => {
                let patterns: Vec<&str> = template.index_patterns.iter().map(String::as_str).collect();
                let replicas = super::counted(template.replicas as usize, "replica", "replicas");
                format!("{}: {replicas}; counts from the next index on", patterns.join(", "))
            }
            None => String::new(),
        },
        Work::Stream(step) => match settings(step) {
            Some(stream) => format!("Direct PUT to index {}, {}", stream.index, stream.rotation),
            None => String::new(),
        },
        Work::IndexPattern(step) => match settings(step) {
            Some(pattern) => {
                format!("time field {}; becomes the default pattern where there is none", pattern.time_field)
            }
            None => String::new(),
        },
    }
}

/// Returns the details that a reader of a plan wants to see without `-v`.
pub(super) fn details(work: &Work) -> Vec<Line> {
    match work {
        Work::Domain(step) => settings(step).map(domain_details).unwrap_or_default(),
        Work::Stream(step) => settings(step).map(stream_details).unwrap_or_default(),
        Work::Role(_) | Work::Bucket(_) | Work::LogGroup(_) | Work::IndexTemplate(_) | Work::IndexPattern(_) => {
            Vec::new()
        }
    }
}

fn domain_details(domain: &DomainSettings) -> Vec<Line> {
    let engine = match &domain.engine_version {
        Some(version) => version.clone(),
        None => format!("{}  default, stays until the file says otherwise", crate::resource::domain::PROVED_ENGINE),
    };
    let mut lines = vec![("engine_version", engine), ("instances", instances(&domain.cluster, &domain.volume))];
    if domain.cluster.dedicated_masters.enabled {
        let masters = &domain.cluster.dedicated_masters;
        let count = masters.count.unwrap_or_default();
        lines.push(("masters", format!("{count} x {}", masters.instance_type.as_deref().unwrap_or_default())));
    }
    let at_rest = match (&domain.encryption_at_rest.enabled, &domain.encryption_at_rest.kms_key) {
        (false, _) => "not at rest".to_owned(),
        (true, Some(key)) => format!("at rest with {key}"),
        (true, None) => "at rest".to_owned(),
    };
    let between = if domain.node_to_node_encryption { "between nodes" } else { "not between nodes" };
    lines.push(("encryption", format!("{at_rest}, {between}")));
    lines.push(("access", access(domain)));
    lines
}

fn access(domain: &DomainSettings) -> String {
    let Some(policy) = &domain.access_policy else { return "none".to_owned() };
    let principals = policy.principals();
    match principals.as_slice() {
        [] => "see -v".to_owned(),
        [one] if one.ends_with(":root") || one.bytes().all(|byte| byte.is_ascii_digit()) => {
            let account = one.split(':').nth(4).unwrap_or(one);
            format!("IAM principals of {account}, signed requests only")
        }
        several => format!("{}, signed requests only", several.join(", ")),
    }
}

fn instances(cluster: &Cluster, volume: &Volume) -> String {
    let zones = if cluster.availability_zones > 1 {
        format!(" in {} zones", cluster.availability_zones)
    } else {
        String::new()
    };
    let storage = match (volume.enabled, &volume.volume_type, volume.size_gib) {
        (true, Some(volume_type), Some(size)) => format!(", {volume_type} {size} GiB each"),
        (true, _, _) => String::new(),
        (false, _, _) => ", instance store".to_owned(),
    };
    format!("{} x {}{zones}{storage}", cluster.instance_count, cluster.instance_type)
}

fn stream_details(stream: &StreamSettings) -> Vec<Line> {
    let backup = &stream.backup;
    let bucket = backup.bucket_arn.rsplit(':').next().unwrap_or(&backup.bucket_arn);
    let delivery =
        format!("buffer {} s or {} MiB, retry {} s", stream.buffer.seconds, stream.buffer.mib, stream.retry_seconds);
    let copies = format!(
        "{} to s3://{bucket}/{}, every {} s or {} MiB",
        backup.documents, backup.prefix, backup.buffer.seconds, backup.buffer.mib
    );
    vec![("delivery", delivery), ("backup", copies)]
}

fn settings<T: Settings>(step: &Step<T>) -> Option<&T> {
    match step {
        Step::Create(wanted) | Step::Settle(wanted) => Some(&wanted.settings),
        Step::Update(_, wanted) | Step::Replace(_, wanted) => Some(&wanted.settings),
        Step::Delete(observed) => Some(&observed.settings),
        Step::Wait => None,
    }
}
