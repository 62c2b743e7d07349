//! What a file means in one place: every name and every setting, said or by the defaults of its edition. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::{Error, Result};
use crate::policy::{self, FirehoseGrants};
use crate::resource::bucket::{BucketEncryption, BucketSettings, LifecycleRule};
use crate::resource::domain::{Cluster, DedicatedMasters, DomainSettings, EncryptionAtRest, EndpointOptions, Volume};
use crate::resource::index_pattern::IndexPatternSettings;
use crate::resource::index_template::{self, IndexTemplateSettings, TimeFormat};
use crate::resource::log_group::{BACKUP_STREAM, DESTINATION_STREAM, LogGroupSettings};
use crate::resource::role::RoleSettings;
use crate::resource::stream::{
    Backup, Buffer, DIRECT_PUT, Logging, OPENSEARCH_SERVICE, StreamEncryption, StreamSettings,
};
use crate::resource::{Managed, TAG_REGION, TAG_STACK, WantedTags};
use crate::spec::{self, BufferSpec, DEFAULT_EDITION, Edition, Rotation, Spec, StreamKeyType, VolumeSpec, VolumeType};
use crate::stack::{Desired, Intent, Names, Origin};
use crate::target::Target;

/// The lifecycle rule that deletes old backups.
pub const EXPIRE_RULE: &str = "ekk-expire-backups";

/// The lifecycle rule that deletes unfinished uploads.
pub const ABORT_RULE: &str = "ekk-abort-uploads";

/// Returns every resource's name and everything that is wanted of it.
#[must_use]
pub fn resolve(spec: &Spec, target: &Target) -> (Names, Desired) {
    let edition = edition(spec);
    let names = names(spec, &target.region).filled(target);
    let tags = tags(spec, &names);
    let role = role(spec, &names, target);
    let bucket = bucket(spec, &names, target);
    let desired = Desired {
        role: by_origin(names.role_origin, role, &tags),
        bucket: by_origin(names.bucket_origin, bucket, &tags),
        log_group: match has_error_log(spec) {
            true => managed(log_group(spec, &edition), &tags),
            false => Intent::Nothing,
        },
        domain: managed(domain(spec, &edition, &names, target), &tags),
        index_template: managed(index_template(spec, &edition, &names), &own_tags(&names)),
        stream: managed(stream(spec, &edition, &names, target), &tags),
        index_pattern: managed(index_pattern(spec, &edition, &names), &WantedTags::new()),
    };
    (names, desired)
}

/// Returns every resource's name. `{region}` is filled; `{account}` stands until the account is known, so that a read by
/// plain name need not wait for it ([`Names::filled`]).
#[must_use]
pub fn names(spec: &Spec, region: &str) -> Names {
    let edition = edition(spec);
    let named = |said: Option<&String>, default: &str| {
        said.map_or_else(|| default.replace("{stack}", &spec.stack), Clone::clone).replace("{region}", region)
    };
    let stream = named(spec.stream.name.as_ref(), edition.name);
    let index = named(spec.index.name.as_ref(), edition.name);
    let title = match rotation(spec, &edition) {
        Rotation::NoRotation => edition.index_pattern_without_rotation,
        Rotation::OneHour | Rotation::OneDay | Rotation::OneWeek | Rotation::OneMonth => edition.index_pattern,
    };
    let origin = |existing: Option<&String>| if existing.is_some() { Origin::Existing } else { Origin::Managed };
    let role_origin = origin(spec.role.existing.as_ref());
    let default_path = match role_origin {
        Origin::Managed => edition.role_path,
        Origin::Existing => edition.existing_role_path,
    };
    Names {
        stack: spec.stack.clone(),
        region: region.to_owned(),
        role: named(spec.role.existing.as_ref().or(spec.role.name.as_ref()), edition.role),
        role_path: spec.role.path.clone().unwrap_or_else(|| default_path.to_owned()),
        role_origin,
        bucket: named(spec.bucket.existing.as_ref().or(spec.bucket.name.as_ref()), edition.bucket),
        bucket_origin: origin(spec.bucket.existing.as_ref()),
        log_group: named(spec.error_log.name.as_ref(), &edition.log_group.replace("{stream}", &stream)),
        domain: named(spec.domain.name.as_ref(), edition.name),
        index_template: index.clone(),
        index_pattern: format!("ekk-{}", spec.stack),
        index_pattern_title: named(spec.dashboards.index_pattern.as_ref(), &title.replace("{index}", &index)),
        index,
        stream,
    }
}

/// Checks that a stack may live where the credentials and the configuration point to.
///
/// # Errors
/// Refuses another account or region than the file names.
pub fn check_place(spec: &Spec, target: &Target) -> Result<()> {
    let Target { partition: _, region, account } = target;
    if let Some(named) = spec.account.as_ref().filter(|named| *named != account) {
        return Err(Error::refused(format!("stack {}: the file names account {named}, this is {account}", spec.stack))
            .hint("use credentials of that account, or change `account:`"));
    }
    if let Some(named) = spec.region.as_ref().filter(|named| *named != region) {
        return Err(Error::refused(format!("stack {}: the file names region {named}, this is {region}", spec.stack))
            .hint("leave out --region, or change `region:`"));
    }
    Ok(())
}

fn edition(spec: &Spec) -> Edition {
    Edition::numbered(spec.edition.unwrap_or(DEFAULT_EDITION)).unwrap_or(Edition::ONE)
}

fn rotation(spec: &Spec, edition: &Edition) -> Rotation {
    spec.index.rotation.unwrap_or(edition.rotation)
}

fn has_error_log(spec: &Spec) -> bool {
    spec.error_log.enabled.unwrap_or(true)
}

/// The tags of the file and the two by which ekk knows what it owns.
fn tags(spec: &Spec, names: &Names) -> WantedTags {
    let mut tags = spec.tags.clone();
    tags.extend(own_tags(names));
    tags
}

fn own_tags(names: &Names) -> WantedTags {
    WantedTags::from([
        (TAG_STACK.to_owned(), Some(names.stack.clone())),
        (TAG_REGION.to_owned(), Some(names.region.clone())),
    ])
}

fn managed<T>(settings: T, tags: &WantedTags) -> Intent<T> {
    Intent::Managed(Managed { settings, tags: tags.clone() })
}

fn by_origin<T>(origin: Origin, settings: T, tags: &WantedTags) -> Intent<T> {
    match origin {
        Origin::Managed => managed(settings, tags),
        Origin::Existing => Intent::Existing(settings),
    }
}

fn role(spec: &Spec, names: &Names, target: &Target) -> RoleSettings {
    let has_log = has_error_log(spec);
    let grants = FirehoseGrants {
        bucket_arn: target.bucket_arn(&names.bucket),
        bucket_key: spec.bucket.kms_key.clone(),
        domain_arn: target.domain_arn(&names.domain),
        index: names.index.clone(),
        log_group_arn: has_log.then(|| target.log_group_arn(&names.log_group)),
        log_streams: if has_log { log_streams() } else { BTreeSet::new() },
    };
    RoleSettings {
        path: names.role_path.clone(),
        trust: policy::firehose_trust(),
        policy: Some(policy::firehose_permissions(&grants, target)),
        permissions_boundary: spec.role.permissions_boundary.clone(),
    }
}

fn bucket(spec: &Spec, names: &Names, target: &Target) -> BucketSettings {
    let mut lifecycle = BTreeMap::new();
    let nothing = LifecycleRule {
        prefix: String::new(),
        expire_days: None,
        expire_noncurrent_days: None,
        abort_uploads_days: None,
    };
    if let Some(days) = spec.bucket.expire_days {
        // In a versioned bucket an expired object is kept as an older version, which would stay for ever.
        let rule = LifecycleRule { expire_days: Some(days), expire_noncurrent_days: Some(days), ..nothing.clone() };
        lifecycle.insert(EXPIRE_RULE.to_owned(), rule);
    }
    if let Some(days) = spec.bucket.abort_uploads_days {
        lifecycle.insert(ABORT_RULE.to_owned(), LifecycleRule { abort_uploads_days: Some(days), ..nothing });
    }
    BucketSettings {
        region: target.region.clone(),
        public_access_blocked: true,
        encryption: BucketEncryption {
            algorithm: if spec.bucket.kms_key.is_some() { "aws:kms" } else { "AES256" }.to_owned(),
            kms_key: spec.bucket.kms_key.clone(),
        },
        policy: policy::bucket_statements(&target.bucket_arn(&names.bucket)),
        lifecycle,
        holds_nothing: false,
    }
}

fn log_streams() -> BTreeSet<String> {
    BTreeSet::from([DESTINATION_STREAM.to_owned(), BACKUP_STREAM.to_owned()])
}

fn log_group(spec: &Spec, edition: &Edition) -> LogGroupSettings {
    LogGroupSettings {
        retention_days: Some(spec.error_log.retention_days.unwrap_or(edition.error_log_days)),
        streams: log_streams(),
        holds_nothing: false,
    }
}

fn domain(spec: &Spec, edition: &Edition, names: &Names, target: &Target) -> DomainSettings {
    let said = &spec.domain;
    let instance_type = said.instance_type.clone().unwrap_or_else(|| edition.instance_type.to_owned());
    let principals = match said.access.principals.as_slice() {
        [] => vec![target.account_root_arn()],
        principals => principals.to_vec(),
    };
    DomainSettings {
        engine_version: said.engine_version.clone(),
        volume: volume(said.volume.as_ref(), edition, &instance_type),
        cluster: Cluster {
            instance_type,
            instance_count: said.instance_count.unwrap_or(edition.instance_count),
            availability_zones: said.availability_zones.unwrap_or(edition.availability_zones),
            dedicated_masters: match &said.dedicated_masters {
                None => DedicatedMasters { enabled: false, instance_type: None, count: None },
                Some(masters) => DedicatedMasters {
                    enabled: true,
                    instance_type: Some(masters.instance_type.clone()),
                    count: Some(masters.count.unwrap_or(edition.dedicated_masters)),
                },
            },
        },
        encryption_at_rest: EncryptionAtRest {
            enabled: said.encryption.at_rest.unwrap_or(edition.encryption_at_rest),
            kms_key: said.encryption.kms_key.clone(),
        },
        node_to_node_encryption: said.encryption.node_to_node.unwrap_or(edition.node_to_node_encryption),
        endpoint: EndpointOptions {
            enforce_https: true,
            tls_policy: said.tls_policy.unwrap_or(edition.tls_policy).word().to_owned(),
        },
        access_policy: Some(policy::domain_access(&target.domain_arn(&names.domain), &principals)),
    }
}

fn volume(said: Option<&VolumeSpec>, edition: &Edition, instance_type: &str) -> Volume {
    let none = Volume { enabled: false, volume_type: None, size_gib: None, iops: None, throughput_mib: None };
    let said = match said {
        None if spec::brings_its_own_disks(instance_type) => return none,
        None => VolumeSpec::default(),
        Some(said) => said.clone(),
    };
    let VolumeSpec { volume_type, size_gib, iops, throughput_mib } = said;
    match volume_type.unwrap_or(edition.volume_type) {
        VolumeType::None => none,
        volume_type @ (VolumeType::Gp3 | VolumeType::Gp2 | VolumeType::Io1 | VolumeType::Standard) => Volume {
            enabled: true,
            volume_type: Some(volume_type.word().to_owned()),
            size_gib: Some(size_gib.unwrap_or(edition.volume_gib)),
            iops,
            throughput_mib,
        },
    }
}

fn index_template(spec: &Spec, edition: &Edition, names: &Names) -> IndexTemplateSettings {
    let said = &spec.index;
    let nodes = spec.domain.instance_count.unwrap_or(edition.instance_count);
    let default_replicas = if nodes == 1 { edition.replicas_of_one_node } else { edition.replicas };
    let time_format = match said.time_format.unwrap_or(edition.time_format) {
        spec::TimeFormat::EpochSecond => TimeFormat::EpochSecond,
        spec::TimeFormat::EpochMillis => TimeFormat::EpochMillis,
    };
    IndexTemplateSettings {
        index_patterns: BTreeSet::from([names.index.clone(), format!("{}-*", names.index)]),
        priority: edition.template_priority,
        shards: said.shards.unwrap_or(edition.shards),
        replicas: said.replicas.unwrap_or(default_replicas),
        refresh_interval: said.refresh_interval.clone(),
        total_fields_limit: said.total_fields_limit,
        mappings: index_template::mappings(time_field(spec, edition), time_format, &said.fields),
    }
}

fn time_field<'a>(spec: &'a Spec, edition: &'a Edition) -> &'a str {
    spec.index.time_field.as_deref().unwrap_or(edition.time_field)
}

fn stream(spec: &Spec, edition: &Edition, names: &Names, target: &Target) -> StreamSettings {
    let (said, backup) = (&spec.stream, &spec.backup);
    let has_log = has_error_log(spec);
    let log = |value: &str| has_log.then(|| value.to_owned());
    StreamSettings {
        source: DIRECT_PUT.to_owned(),
        destination: OPENSEARCH_SERVICE.to_owned(),
        role_arn: target.role_arn(&names.role_path, &names.role),
        domain_arn: target.domain_arn(&names.domain),
        index: names.index.clone(),
        rotation: rotation(spec, edition).word().to_owned(),
        retry_seconds: said.retry_seconds.unwrap_or(edition.retry_seconds),
        buffer: buffer(&said.buffer, edition.stream_buffer),
        document_ids: said.document_ids.unwrap_or(edition.document_ids).word().to_owned(),
        backup: Backup {
            documents: backup.documents.unwrap_or(edition.backup_documents).word().to_owned(),
            bucket_arn: target.bucket_arn(&names.bucket),
            prefix: backup.prefix.clone().unwrap_or_else(|| edition.backup_prefix.to_owned()),
            error_prefix: backup.error_prefix.clone().unwrap_or_default(),
            buffer: buffer(&backup.buffer, edition.backup_buffer),
            compression: backup.compression.unwrap_or(edition.compression).word().to_owned(),
        },
        logging: Logging {
            enabled: has_log,
            log_group: log(&names.log_group),
            destination_stream: log(DESTINATION_STREAM),
            backup_stream: log(BACKUP_STREAM),
        },
        encryption: match said.encryption.key_type.unwrap_or(edition.stream_encryption) {
            StreamKeyType::None => StreamEncryption { enabled: false, key_type: None, key_arn: None },
            key_type @ (StreamKeyType::AwsOwned | StreamKeyType::CustomerManaged) => StreamEncryption {
                enabled: true,
                key_type: Some(key_type.word().to_owned()),
                key_arn: said.encryption.key.clone(),
            },
        },
    }
}

fn buffer(said: &BufferSpec, (seconds, mib): (u32, u32)) -> Buffer {
    let BufferSpec { seconds: said_seconds, mib: said_mib } = said;
    Buffer { seconds: said_seconds.unwrap_or(seconds), mib: said_mib.unwrap_or(mib) }
}

fn index_pattern(spec: &Spec, edition: &Edition, names: &Names) -> IndexPatternSettings {
    IndexPatternSettings {
        title: names.index_pattern_title.clone(),
        time_field: time_field(spec, edition).to_owned(),
        some_default: true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::spec::Source;

    fn target() -> Target {
        Target { partition: "aws".to_owned(), region: "eu-west-1".to_owned(), account: "123456789012".to_owned() }
    }

    #[track_caller]
    fn spec(text: &str) -> Spec {
        Spec::load(&Source::text("a.yaml", text)).unwrap_or_else(|faults| panic!("{faults}")).spec
    }

    #[track_caller]
    fn resolved(text: &str) -> (Names, Desired) {
        resolve(&spec(text), &target())
    }

    #[track_caller]
    fn settings<T>(intent: &Intent<T>) -> &T {
        match intent {
            Intent::Managed(managed) => &managed.settings,
            Intent::Existing(_) | Intent::Keep | Intent::Nothing => panic!("not managed"),
        }
    }

    #[test]
    fn one_line_names_everything() {
        let (names, _) = resolved("stack: logs");
        assert_eq!(
            names,
            Names {
                stack: "logs".to_owned(),
                region: "eu-west-1".to_owned(),
                role: "logs-firehose-eu-west-1".to_owned(),
                role_path: "/ekk/".to_owned(),
                role_origin: Origin::Managed,
                bucket: "logs-123456789012-eu-west-1".to_owned(),
                bucket_origin: Origin::Managed,
                log_group: "/aws/kinesisfirehose/logs".to_owned(),
                domain: "logs".to_owned(),
                index: "logs".to_owned(),
                index_template: "logs".to_owned(),
                stream: "logs".to_owned(),
                index_pattern: "ekk-logs".to_owned(),
                index_pattern_title: "logs-*".to_owned(),
            }
        );
    }

    #[test]
    fn a_role_is_made_where_strays_are_looked_for() {
        assert_eq!(Edition::ONE.role_path, crate::resource::role::DEFAULT_PATH);
    }

    #[test]
    fn before_the_account_is_known_its_placeholder_stands() {
        assert_eq!(names(&spec("stack: logs"), "eu-west-1").bucket, "logs-{account}-eu-west-1");
        let named = names(&spec("stack: logs\nbucket: { name: 'a-{region}-{account}' }"), "eu-west-1");
        assert_eq!(named.bucket, "a-eu-west-1-{account}");
        assert_eq!(named.filled(&target()).bucket, "a-eu-west-1-123456789012");
    }

    #[test]
    fn one_line_is_the_whole_default_domain() {
        let (_, desired) = resolved("stack: logs");
        assert_eq!(
            serde_json::to_value(settings(&desired.domain)).expect("JSON"),
            json!({
                "engine_version": null,
                "cluster": {
                    "instance_type": "t3.small.search",
                    "instance_count": 1,
                    "availability_zones": 1,
                    "dedicated_masters": { "enabled": false, "instance_type": null, "count": null },
                },
                "volume": { "enabled": true, "type": "gp3", "size_gib": 10, "iops": null, "throughput_mib": null },
                "encryption_at_rest": { "enabled": true, "kms_key": null },
                "node_to_node_encryption": true,
                "endpoint": { "enforce_https": true, "tls_policy": "Policy-Min-TLS-1-2-2019-07" },
                "access_policy": policy::domain_access(
                    "arn:aws:es:eu-west-1:123456789012:domain/logs",
                    &["arn:aws:iam::123456789012:root".to_owned()],
                ),
            })
        );
    }

    #[test]
    fn one_line_is_the_whole_default_stream() {
        let (_, desired) = resolved("stack: logs");
        assert_eq!(
            serde_json::to_value(settings(&desired.stream)).expect("JSON"),
            json!({
                "source": "DirectPut",
                "destination": "AmazonOpenSearchService",
                "role_arn": "arn:aws:iam::123456789012:role/ekk/logs-firehose-eu-west-1",
                "domain_arn": "arn:aws:es:eu-west-1:123456789012:domain/logs",
                "index": "logs",
                "rotation": "OneWeek",
                "retry_seconds": 300,
                "buffer": { "seconds": 60, "mib": 5 },
                "document_ids": "FIREHOSE_DEFAULT",
                "backup": {
                    "documents": "AllDocuments",
                    "bucket_arn": "arn:aws:s3:::logs-123456789012-eu-west-1",
                    "prefix": "",
                    "error_prefix": "",
                    "buffer": { "seconds": 300, "mib": 5 },
                    "compression": "UNCOMPRESSED",
                },
                "logging": {
                    "enabled": true,
                    "log_group": "/aws/kinesisfirehose/logs",
                    "destination_stream": "DestinationDelivery",
                    "backup_stream": "BackupDelivery",
                },
                "encryption": { "enabled": true, "key_type": "AWS_OWNED_CMK", "key_arn": null },
            })
        );
    }

    #[test]
    fn one_line_is_the_whole_default_rest() {
        let (_, desired) = resolved("stack: logs");
        let bucket = settings(&desired.bucket);
        assert!(bucket.public_access_blocked && bucket.lifecycle.is_empty());
        assert_eq!(bucket.region, "eu-west-1");
        assert_eq!(bucket.encryption, BucketEncryption { algorithm: "AES256".to_owned(), kms_key: None });
        assert_eq!(bucket.policy, policy::bucket_statements("arn:aws:s3:::logs-123456789012-eu-west-1"));
        let log_group = settings(&desired.log_group);
        assert_eq!(
            log_group,
            &LogGroupSettings { retention_days: Some(14), streams: log_streams(), holds_nothing: false }
        );
        let role = settings(&desired.role);
        assert_eq!(role.trust, policy::firehose_trust());
        assert_eq!(role.permissions_boundary, None);
        let IndexTemplateSettings {
            index_patterns,
            priority,
            shards,
            replicas,
            refresh_interval,
            total_fields_limit,
            mappings,
        } = settings(&desired.index_template);
        assert_eq!(index_patterns, &BTreeSet::from(["logs".to_owned(), "logs-*".to_owned()]));
        assert_eq!((*priority, *shards, *replicas), (100, 1, 0));
        assert_eq!((refresh_interval, total_fields_limit), (&None, &None));
        assert_eq!(*mappings, index_template::mappings("asctime", TimeFormat::EpochSecond, &BTreeMap::new()));
        let pattern = settings(&desired.index_pattern);
        assert_eq!((pattern.title.as_str(), pattern.time_field.as_str()), ("logs-*", "asctime"));
        assert!(pattern.some_default);
    }

    #[test]
    fn the_roles_policy_names_this_stack_alone() {
        let (_, desired) = resolved("stack: logs");
        let text = settings(&desired.role).policy.as_ref().map(|policy| policy.canonical().to_string());
        let text = text.expect("a policy");
        for arn in [
            "arn:aws:s3:::logs-123456789012-eu-west-1/*",
            "arn:aws:es:eu-west-1:123456789012:domain/logs/*",
            "arn:aws:logs:eu-west-1:123456789012:log-group:/aws/kinesisfirehose/logs:log-stream:BackupDelivery",
        ] {
            assert!(text.contains(arn), "{arn} in {text}");
        }
        assert!(!text.contains("kms:"));
    }

    #[test]
    fn every_resource_that_can_carry_tags_gets_the_files_and_ekks_own() {
        let (_, desired) = resolved("stack: logs\ntags: { team: platform, old: null }");
        let tags = |intent: &Intent<DomainSettings>| match intent {
            Intent::Managed(managed) => managed.tags.clone(),
            Intent::Existing(_) | Intent::Keep | Intent::Nothing => WantedTags::new(),
        };
        let wanted = WantedTags::from([
            ("ekk:region".to_owned(), Some("eu-west-1".to_owned())),
            ("ekk:stack".to_owned(), Some("logs".to_owned())),
            ("old".to_owned(), None),
            ("team".to_owned(), Some("platform".to_owned())),
        ]);
        assert_eq!(tags(&desired.domain), wanted);
    }

    #[test]
    fn without_rotation_the_pattern_is_the_index() {
        let (names, desired) = resolved("stack: logs\nindex: { rotation: NoRotation, name: app }");
        assert_eq!(names.index_pattern_title, "app");
        assert_eq!(settings(&desired.stream).rotation, "NoRotation");
    }

    #[test]
    fn several_nodes_hold_a_replica() {
        let (_, desired) = resolved("stack: logs\ndomain: { instance_count: 3 }");
        assert_eq!(settings(&desired.index_template).replicas, 1);
        let (_, desired) = resolved("stack: logs\ndomain: { instance_count: 3 }\nindex: { replicas: 2 }");
        assert_eq!(settings(&desired.index_template).replicas, 2);
    }

    #[test]
    fn instances_with_disks_of_their_own_get_no_volume() {
        for text in ["instance_type: i3.large.search", "instance_type: i2.xlarge.search, volume: { type: none }"] {
            let (_, desired) = resolved(&format!("stack: logs\ndomain: {{ {text} }}"));
            let volume = &settings(&desired.domain).volume;
            assert!(!volume.enabled && volume.volume_type.is_none() && volume.size_gib.is_none(), "{text}");
        }
    }

    #[test]
    fn half_a_buffer_is_filled_up() {
        let (_, desired) = resolved("stack: logs\nstream: { buffer: { mib: 1 } }\nbackup: { buffer: { seconds: 60 } }");
        assert_eq!(settings(&desired.stream).buffer, Buffer { seconds: 60, mib: 1 });
        assert_eq!(settings(&desired.stream).backup.buffer, Buffer { seconds: 60, mib: 5 });
    }

    #[test]
    fn masters_are_three_unless_said() {
        let (_, desired) = resolved("stack: logs\ndomain: { dedicated_masters: { instance_type: m7g.large.search } }");
        assert_eq!(settings(&desired.domain).cluster.dedicated_masters.count, Some(3));
    }

    #[test]
    fn an_error_log_that_is_off_is_nowhere() {
        let (_, desired) = resolved("stack: logs\nerror_log: { enabled: false }");
        assert_eq!(desired.log_group, Intent::Nothing);
        assert!(!settings(&desired.stream).logging.enabled);
        assert_eq!(settings(&desired.stream).logging.log_group, None);
        let policy = settings(&desired.role).policy.as_ref().map(|policy| policy.canonical().to_string());
        assert!(!policy.expect("a policy").contains("logs:PutLogEvents"));
    }

    #[test]
    fn what_exists_is_needed_and_not_managed() {
        let (names, desired) = resolved("stack: logs\nrole: { existing: theirs }\nbucket: { existing: theirs-too }");
        assert!(matches!(&desired.role, Intent::Existing(_)) && matches!(&desired.bucket, Intent::Existing(_)));
        assert_eq!((names.role.as_str(), names.bucket.as_str()), ("theirs", "theirs-too"));
        assert_eq!(settings(&desired.stream).role_arn, "arn:aws:iam::123456789012:role/theirs");
        let (_, desired) = resolved("stack: logs\nrole: { existing: theirs, path: /ci/ }");
        assert_eq!(settings(&desired.stream).role_arn, "arn:aws:iam::123456789012:role/ci/theirs");
    }

    #[test]
    fn each_encryption_of_a_domain_can_be_off() {
        let of = |keys: &str| {
            let (_, desired) = resolved(&format!("stack: logs\ndomain: {{ encryption: {{ {keys} }} }}"));
            let domain = settings(&desired.domain);
            (domain.encryption_at_rest.enabled, domain.node_to_node_encryption)
        };
        assert_eq!(of("at_rest: false"), (false, true));
        assert_eq!(of("node_to_node: false"), (true, false));
        assert_eq!(of("at_rest: false, node_to_node: false"), (false, false));
    }

    #[test]
    fn what_the_file_says_arrives() {
        let key = "arn:aws:kms:eu-west-1:123456789012:key/k1";
        let (names, desired) = resolved(&format!(
            "
stack: logs
domain:
  name: search
  engine_version: OpenSearch_2.19
  instance_type: r6g.large.search
  instance_count: 3
  availability_zones: 3
  volume: {{ type: gp3, size_gib: 200, iops: 4000, throughput_mib: 250 }}
  encryption: {{ kms_key: '{key}' }}
  tls_policy: Policy-Min-TLS-1-2-PFS-2023-10
  access: {{ principals: ['arn:aws:iam::123456789012:role/reader'] }}
index: {{ time_field: at, time_format: epoch_millis, fields: {{ ip: ip }}, shards: 2, refresh_interval: 30s, total_fields_limit: 2000 }}
stream:
  document_ids: NO_DOCUMENT_ID
  encryption: {{ type: CUSTOMER_MANAGED_CMK, key: '{key}' }}
backup: {{ documents: FailedDocumentsOnly, prefix: a/, error_prefix: b/, compression: GZIP }}
bucket: {{ expire_days: 30, abort_uploads_days: 7, kms_key: '{key}' }}
role: {{ name: r, path: /x/, permissions_boundary: 'arn:aws:iam::aws:policy/p' }}
error_log: {{ name: errors, retention_days: 30 }}
dashboards: {{ index_pattern: 'logs*' }}
"
        ));
        assert_eq!(
            (names.domain.as_str(), names.log_group.as_str(), names.role_path.as_str()),
            ("search", "errors", "/x/")
        );
        let domain = settings(&desired.domain);
        assert_eq!(domain.engine_version.as_deref(), Some("OpenSearch_2.19"));
        assert_eq!(
            (domain.volume.size_gib, domain.volume.iops, domain.volume.throughput_mib),
            (Some(200), Some(4000), Some(250))
        );
        assert_eq!(domain.encryption_at_rest.kms_key.as_deref(), Some(key));
        assert_eq!(domain.endpoint.tls_policy, "Policy-Min-TLS-1-2-PFS-2023-10");
        assert_eq!(
            domain.access_policy,
            Some(policy::domain_access(
                "arn:aws:es:eu-west-1:123456789012:domain/search",
                &["arn:aws:iam::123456789012:role/reader".to_owned()]
            ))
        );
        let template = settings(&desired.index_template);
        let fields = BTreeMap::from([("ip".to_owned(), "ip".to_owned())]);
        assert_eq!(template.mappings, index_template::mappings("at", TimeFormat::EpochMillis, &fields));
        assert_eq!(
            (template.shards, template.refresh_interval.as_deref(), template.total_fields_limit),
            (2, Some("30s"), Some(2000))
        );
        let stream = settings(&desired.stream);
        assert_eq!(stream.document_ids, "NO_DOCUMENT_ID");
        assert_eq!(stream.encryption.key_arn.as_deref(), Some(key));
        assert_eq!(stream.backup.documents, "FailedDocumentsOnly");
        assert_eq!((stream.backup.prefix.as_str(), stream.backup.error_prefix.as_str()), ("a/", "b/"));
        assert_eq!(stream.backup.compression, "GZIP");
        let bucket = settings(&desired.bucket);
        assert_eq!(bucket.encryption.algorithm, "aws:kms");
        assert_eq!(bucket.lifecycle[EXPIRE_RULE].expire_days, Some(30));
        assert_eq!(bucket.lifecycle[ABORT_RULE].abort_uploads_days, Some(7));
        let role = settings(&desired.role);
        assert_eq!(role.permissions_boundary.as_deref(), Some("arn:aws:iam::aws:policy/p"));
        assert!(role.policy.as_ref().expect("a policy").canonical().to_string().contains(key));
        assert_eq!(settings(&desired.index_pattern).title, "logs*");
    }

    #[test]
    fn another_account_or_region_than_the_file_names_is_refused() {
        let refused = |text: &str| check_place(&spec(text), &target()).expect_err("refused").message;
        assert_eq!(
            refused("stack: logs\naccount: '210987654321'"),
            "stack logs: the file names account 210987654321, this is 123456789012"
        );
        assert_eq!(
            refused("stack: logs\nregion: us-east-1"),
            "stack logs: the file names region us-east-1, this is eu-west-1"
        );
        check_place(&spec("stack: logs\naccount: '123456789012'\nregion: eu-west-1"), &target()).expect("here");
    }

    #[test]
    fn another_partition_has_its_own_arns() {
        let target = Target { partition: "aws-cn".to_owned(), region: "cn-north-1".to_owned(), ..target() };
        let (_, desired) = resolve(&spec("stack: logs"), &target);
        assert_eq!(settings(&desired.stream).domain_arn, "arn:aws-cn:es:cn-north-1:123456789012:domain/logs");
    }
}
