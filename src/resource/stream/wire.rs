//! The stream's settings in Firehose's own shapes, and back. Pure.

use std::collections::BTreeMap;

use aws_sdk_firehose::types::{
    AmazonopensearchserviceBufferingHints, AmazonopensearchserviceDestinationConfiguration,
    AmazonopensearchserviceDestinationDescription, AmazonopensearchserviceDestinationUpdate,
    AmazonopensearchserviceRetryOptions, BufferingHints, CloudWatchLoggingOptions, DeliveryStreamDescription,
    DeliveryStreamEncryptionConfiguration, DeliveryStreamEncryptionConfigurationInput,
    DeliveryStreamEncryptionStatus as Encryption, DestinationDescription, DocumentIdOptions,
    S3DestinationConfiguration, S3DestinationDescription, S3DestinationUpdate, Tag,
};
use aws_smithy_types::error::operation::BuildError;

use crate::error::{Error, Result};
use crate::resource::stream::{Backup, Buffer, Logging, OPENSEARCH_SERVICE, StreamEncryption, StreamSettings};

/// Returns what CreateDeliveryStream takes.
pub(super) fn configuration(
    settings: &StreamSettings,
    resource: &str,
) -> Result<AmazonopensearchserviceDestinationConfiguration> {
    let StreamSettings {
        source: _,
        destination: _,
        role_arn,
        domain_arn,
        index,
        rotation,
        retry_seconds,
        buffer,
        document_ids,
        backup,
        logging,
        encryption: _,
    } = settings;
    let Backup { documents, bucket_arn, prefix, error_prefix, buffer: backup_buffer, compression } = backup;
    let Logs { destination: destination_logs, backup: backup_logs } = logs(logging);
    let s3 = S3DestinationConfiguration::builder()
        .role_arn(role_arn)
        .bucket_arn(bucket_arn)
        .prefix(prefix)
        .error_output_prefix(error_prefix)
        .buffering_hints(s3_hints(backup_buffer))
        .compression_format(compression.as_str().into())
        .cloud_watch_logging_options(backup_logs)
        .build();
    AmazonopensearchserviceDestinationConfiguration::builder()
        .role_arn(role_arn)
        .domain_arn(domain_arn)
        .index_name(index)
        .index_rotation_period(rotation.as_str().into())
        .buffering_hints(hints(buffer))
        .retry_options(retry(*retry_seconds))
        .s3_backup_mode(documents.as_str().into())
        .s3_configuration(s3.map_err(|error| unbuilt(resource, &error))?)
        .cloud_watch_logging_options(destination_logs)
        .document_id_options(ids(document_ids, resource)?)
        .build()
        .map_err(|error| unbuilt(resource, &error))
}

/// Returns what UpdateDestination takes: everything but the backup mode, which it cannot change.
pub(super) fn update(settings: &StreamSettings, resource: &str) -> Result<AmazonopensearchserviceDestinationUpdate> {
    let StreamSettings {
        source: _,
        destination: _,
        role_arn,
        domain_arn,
        index,
        rotation,
        retry_seconds,
        buffer,
        document_ids,
        backup,
        logging,
        encryption: _,
    } = settings;
    let Backup { documents: _, bucket_arn, prefix, error_prefix, buffer: backup_buffer, compression } = backup;
    let Logs { destination: destination_logs, backup: backup_logs } = logs(logging);
    let s3 = S3DestinationUpdate::builder()
        .role_arn(role_arn)
        .bucket_arn(bucket_arn)
        .prefix(prefix)
        .error_output_prefix(error_prefix)
        .buffering_hints(s3_hints(backup_buffer))
        .compression_format(compression.as_str().into())
        .cloud_watch_logging_options(backup_logs)
        .build();
    Ok(AmazonopensearchserviceDestinationUpdate::builder()
        .role_arn(role_arn)
        .domain_arn(domain_arn)
        .index_name(index)
        .index_rotation_period(rotation.as_str().into())
        .buffering_hints(hints(buffer))
        .retry_options(retry(*retry_seconds))
        .s3_update(s3)
        .cloud_watch_logging_options(destination_logs)
        .document_id_options(ids(document_ids, resource)?)
        .build())
}

/// Returns what CreateDeliveryStream and StartDeliveryStreamEncryption take; `None` when encryption is off.
pub(super) fn encryption(
    encryption: &StreamEncryption,
    resource: &str,
) -> Result<Option<DeliveryStreamEncryptionConfigurationInput>> {
    let StreamEncryption { enabled, key_type, key_arn } = encryption;
    if !enabled {
        return Ok(None);
    }
    DeliveryStreamEncryptionConfigurationInput::builder()
        .key_type(key_type.as_deref().unwrap_or("AWS_OWNED_CMK").into())
        .set_key_arn(key_arn.clone())
        .build()
        .map(Some)
        .map_err(|error| unbuilt(resource, &error))
}

/// Returns tags as Firehose takes them.
pub(super) fn tags(tags: &BTreeMap<String, String>, resource: &str) -> Result<Vec<Tag>> {
    tags.iter()
        .map(|(key, value)| Tag::builder().key(key).value(value).build().map_err(|error| unbuilt(resource, &error)))
        .collect()
}

/// Reads the settings of a described stream, whatever its source and destination.
pub(super) fn settings(stream: &DeliveryStreamDescription) -> StreamSettings {
    let shape = stream.destinations().first();
    let empty = AmazonopensearchserviceDestinationDescription::builder().build();
    let live = shape.and_then(|shape| shape.amazonopensearchservice_destination_description()).unwrap_or(&empty);
    let s3 = live.s3_destination_description();
    let s3_role = s3.map(S3DestinationDescription::role_arn).unwrap_or_default();
    let role = live.role_arn().unwrap_or_default();
    StreamSettings {
        source: stream.delivery_stream_type().as_str().to_owned(),
        destination: kind(shape),
        // ekk gives both halves the same role.
        role_arn: if s3.is_none() || s3_role == role { role.to_owned() } else { format!("{role}, backup {s3_role}") },
        domain_arn: live.domain_arn().or(live.cluster_endpoint()).unwrap_or_default().to_owned(),
        index: live.index_name().unwrap_or_default().to_owned(),
        rotation: live.index_rotation_period().map_or("OneDay", |period| period.as_str()).to_owned(),
        retry_seconds: seconds(
            live.retry_options().and_then(AmazonopensearchserviceRetryOptions::duration_in_seconds),
            300,
        ),
        buffer: {
            let hints = live.buffering_hints();
            Buffer {
                seconds: seconds(hints.and_then(AmazonopensearchserviceBufferingHints::interval_in_seconds), 300),
                mib: seconds(hints.and_then(AmazonopensearchserviceBufferingHints::size_in_mbs), 5),
            }
        },
        document_ids: live
            .document_id_options()
            .map_or("FIREHOSE_DEFAULT", |ids| ids.default_document_id_format().as_str())
            .to_owned(),
        backup: Backup {
            documents: live.s3_backup_mode().map_or("FailedDocumentsOnly", |mode| mode.as_str()).to_owned(),
            bucket_arn: s3.map(|s3| s3.bucket_arn().to_owned()).unwrap_or_default(),
            prefix: s3.and_then(|s3| s3.prefix()).unwrap_or_default().to_owned(),
            error_prefix: s3.and_then(|s3| s3.error_output_prefix()).unwrap_or_default().to_owned(),
            buffer: {
                let hints = s3.and_then(|s3| s3.buffering_hints());
                Buffer {
                    seconds: seconds(hints.and_then(BufferingHints::interval_in_seconds), 300),
                    mib: seconds(hints.and_then(BufferingHints::size_in_mbs), 5),
                }
            },
            compression: s3.map_or("UNCOMPRESSED", |s3| s3.compression_format().as_str()).to_owned(),
        },
        logging: logging(live.cloud_watch_logging_options(), s3.and_then(|s3| s3.cloud_watch_logging_options())),
        encryption: live_encryption(stream.delivery_stream_encryption_configuration()),
    }
}

/// Names a destination; one that ekk does not make gets a name that never equals [`OPENSEARCH_SERVICE`].
fn kind(shape: Option<&DestinationDescription>) -> String {
    let Some(shape) = shape else { return "none".to_owned() };
    if let Some(live) = shape.amazonopensearchservice_destination_description() {
        let through_a_vpc = live.vpc_configuration_description().is_some();
        return if through_a_vpc {
            format!("{OPENSEARCH_SERVICE} through a VPC")
        } else {
            OPENSEARCH_SERVICE.to_owned()
        };
    }
    // Firehose describes an ExtendedS3 destination as S3 too, so plain S3 comes last.
    let others = [
        ("Elasticsearch", shape.elasticsearch_destination_description().is_some()),
        ("AmazonOpenSearchServerless", shape.amazon_open_search_serverless_destination_description().is_some()),
        ("Redshift", shape.redshift_destination_description().is_some()),
        ("Splunk", shape.splunk_destination_description().is_some()),
        ("HttpEndpoint", shape.http_endpoint_destination_description().is_some()),
        ("Snowflake", shape.snowflake_destination_description().is_some()),
        ("Iceberg", shape.iceberg_destination_description().is_some()),
        ("ExtendedS3", shape.extended_s3_destination_description().is_some()),
        ("S3", shape.s3_destination_description().is_some()),
    ];
    others.iter().find(|(_, there)| *there).map_or("unknown", |(name, _)| name).to_owned()
}

struct Logs {
    destination: CloudWatchLoggingOptions,
    backup: CloudWatchLoggingOptions,
}

fn logs(logging: &Logging) -> Logs {
    let Logging { enabled, log_group, destination_stream, backup_stream } = logging;
    let half = |stream: &Option<String>| {
        let options = CloudWatchLoggingOptions::builder().enabled(*enabled);
        if *enabled {
            options.set_log_group_name(log_group.clone()).set_log_stream_name(stream.clone()).build()
        } else {
            options.build()
        }
    };
    Logs { destination: half(destination_stream), backup: half(backup_stream) }
}

fn logging(destination: Option<&CloudWatchLoggingOptions>, backup: Option<&CloudWatchLoggingOptions>) -> Logging {
    let on = |half: Option<&CloudWatchLoggingOptions>| half.filter(|half| half.enabled() == Some(true)).cloned();
    let (destination, backup) = (on(destination), on(backup));
    let group = |half: &Option<CloudWatchLoggingOptions>| {
        half.as_ref().and_then(|half| half.log_group_name()).map(ToOwned::to_owned)
    };
    let stream = |half: &Option<CloudWatchLoggingOptions>| {
        half.as_ref().and_then(|half| half.log_stream_name()).map(ToOwned::to_owned)
    };
    let log_group = group(&destination).or_else(|| group(&backup));
    let backup_stream = match group(&backup) {
        // ekk gives both halves the same group; a colon can stand in no stream's name.
        Some(other) if Some(&other) != log_group.as_ref() => {
            Some(format!("{other}:{}", stream(&backup).unwrap_or_default()))
        }
        Some(_) | None => stream(&backup),
    };
    Logging {
        enabled: destination.is_some() || backup.is_some(),
        log_group,
        destination_stream: stream(&destination),
        backup_stream,
    }
}

/// Reads the requested encryption: what is being enabled counts as on, what failed to be enabled as off.
fn live_encryption(encryption: Option<&DeliveryStreamEncryptionConfiguration>) -> StreamEncryption {
    let off = StreamEncryption { enabled: false, key_type: None, key_arn: None };
    let Some(encryption) = encryption else { return off };
    match encryption.status() {
        Some(Encryption::Enabled | Encryption::Enabling | Encryption::DisablingFailed) => StreamEncryption {
            enabled: true,
            key_type: encryption.key_type().map(|key_type| key_type.as_str().to_owned()),
            key_arn: encryption.key_arn().map(ToOwned::to_owned),
        },
        Some(_) | None => off,
    }
}

fn hints(buffer: &Buffer) -> AmazonopensearchserviceBufferingHints {
    let Buffer { seconds, mib } = buffer;
    AmazonopensearchserviceBufferingHints::builder().interval_in_seconds(wire(*seconds)).size_in_mbs(wire(*mib)).build()
}

fn s3_hints(buffer: &Buffer) -> BufferingHints {
    let Buffer { seconds, mib } = buffer;
    BufferingHints::builder().interval_in_seconds(wire(*seconds)).size_in_mbs(wire(*mib)).build()
}

fn retry(seconds: u32) -> AmazonopensearchserviceRetryOptions {
    AmazonopensearchserviceRetryOptions::builder().duration_in_seconds(wire(seconds)).build()
}

fn ids(format: &str, resource: &str) -> Result<DocumentIdOptions> {
    let options = DocumentIdOptions::builder().default_document_id_format(format.into());
    options.build().map_err(|error| unbuilt(resource, &error))
}

/// Firehose's numbers are signed; the spec's are far below the limit.
fn wire(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn seconds(number: Option<i32>, default: u32) -> u32 {
    number.and_then(|number| u32::try_from(number).ok()).unwrap_or(default)
}

fn unbuilt(resource: &str, error: &BuildError) -> Error {
    Error::failed(format!("{resource}: {error}"))
}

#[cfg(test)]
pub(super) mod tests {
    use aws_sdk_firehose::types::{
        DeliveryStreamStatus, DeliveryStreamType, ExtendedS3DestinationDescription, VpcConfigurationDescription,
    };
    use proptest::prelude::*;

    use super::*;
    use crate::resource::stream::DIRECT_PUT;

    /// The article's stream.
    pub(crate) fn wanted() -> StreamSettings {
        StreamSettings {
            source: DIRECT_PUT.into(),
            destination: OPENSEARCH_SERVICE.into(),
            role_arn: "arn:aws:iam::123456789012:role/ekk/logs-firehose".into(),
            domain_arn: "arn:aws:es:eu-west-1:123456789012:domain/logs".into(),
            index: "logs".into(),
            rotation: "OneWeek".into(),
            retry_seconds: 300,
            buffer: Buffer { seconds: 60, mib: 5 },
            document_ids: "FIREHOSE_DEFAULT".into(),
            backup: Backup {
                documents: "AllDocuments".into(),
                bucket_arn: "arn:aws:s3:::logs-110520".into(),
                prefix: String::new(),
                error_prefix: String::new(),
                buffer: Buffer { seconds: 300, mib: 5 },
                compression: "UNCOMPRESSED".into(),
            },
            logging: Logging {
                enabled: true,
                log_group: Some("/aws/kinesisfirehose/logs".into()),
                destination_stream: Some("DestinationDelivery".into()),
                backup_stream: Some("BackupDelivery".into()),
            },
            encryption: StreamEncryption { enabled: true, key_type: Some("AWS_OWNED_CMK".into()), key_arn: None },
        }
    }

    /// Describes a stream the way Firehose does: the fields of the configuration under other names.
    pub(crate) fn described(settings: &StreamSettings, status: Encryption) -> DeliveryStreamDescription {
        let sent = configuration(settings, "stream logs").expect("a configuration");
        let s3 = sent.s3_configuration.expect("a backup");
        let s3 = S3DestinationDescription::builder()
            .role_arn(s3.role_arn)
            .bucket_arn(s3.bucket_arn)
            .set_prefix(s3.prefix)
            .set_error_output_prefix(s3.error_output_prefix)
            .set_buffering_hints(s3.buffering_hints)
            .set_compression_format(s3.compression_format)
            .encryption_configuration(aws_sdk_firehose::types::EncryptionConfiguration::builder().build())
            .set_cloud_watch_logging_options(s3.cloud_watch_logging_options)
            .build()
            .expect("a description");
        let live = AmazonopensearchserviceDestinationDescription::builder()
            .role_arn(sent.role_arn)
            .set_domain_arn(sent.domain_arn)
            .index_name(sent.index_name)
            .set_index_rotation_period(sent.index_rotation_period)
            .set_buffering_hints(sent.buffering_hints)
            .set_retry_options(sent.retry_options)
            .set_s3_backup_mode(sent.s3_backup_mode)
            .s3_destination_description(s3)
            .set_cloud_watch_logging_options(sent.cloud_watch_logging_options)
            .set_document_id_options(sent.document_id_options);
        let destination = DestinationDescription::builder()
            .destination_id("destinationId-000000000001")
            .amazonopensearchservice_destination_description(live.build())
            .build()
            .expect("a destination");
        let encryption = encryption(&settings.encryption, "stream logs").expect("an encryption");
        let encryption = DeliveryStreamEncryptionConfiguration::builder()
            .status(if encryption.is_some() { status } else { Encryption::Disabled })
            .set_key_type(encryption.as_ref().map(|encryption| encryption.key_type.clone()))
            .set_key_arn(encryption.and_then(|encryption| encryption.key_arn));
        with(destination).delivery_stream_encryption_configuration(encryption.build()).build().expect("a stream")
    }

    fn with(
        destination: DestinationDescription,
    ) -> aws_sdk_firehose::types::builders::DeliveryStreamDescriptionBuilder {
        DeliveryStreamDescription::builder()
            .delivery_stream_name("logs")
            .delivery_stream_arn("arn:aws:firehose:eu-west-1:123456789012:deliverystream/logs")
            .delivery_stream_status(DeliveryStreamStatus::Active)
            .delivery_stream_type(DeliveryStreamType::DirectPut)
            .version_id("1")
            .destinations(destination)
            .has_more_destinations(false)
    }

    fn any_settings() -> impl Strategy<Value = StreamSettings> {
        let buffer = || (0..=900u32, 1..=100u32).prop_map(|(seconds, mib)| Buffer { seconds, mib });
        let of = |words: &'static [&'static str]| proptest::sample::select(words).prop_map(str::to_owned);
        let logging = prop_oneof![
            Just(Logging { enabled: false, log_group: None, destination_stream: None, backup_stream: None }),
            "[a-z/]{1,9}".prop_map(|group| Logging {
                enabled: true,
                log_group: Some(group),
                destination_stream: Some("DestinationDelivery".into()),
                backup_stream: Some("BackupDelivery".into()),
            }),
        ];
        let encryption = prop_oneof![
            Just(StreamEncryption { enabled: false, key_type: None, key_arn: None }),
            Just(StreamEncryption { enabled: true, key_type: Some("AWS_OWNED_CMK".into()), key_arn: None }),
            "[a-z]{1,9}".prop_map(|key| StreamEncryption {
                enabled: true,
                key_type: Some("CUSTOMER_MANAGED_CMK".into()),
                key_arn: Some(key),
            }),
        ];
        let backup = (
            of(&["AllDocuments", "FailedDocumentsOnly"]),
            "[a-z/]{0,9}",
            "[a-z/]{0,9}",
            buffer(),
            of(&["UNCOMPRESSED", "GZIP", "ZIP", "Snappy", "HADOOP_SNAPPY"]),
        )
            .prop_map(|(documents, prefix, error_prefix, buffer, compression)| Backup {
                documents,
                bucket_arn: "arn:aws:s3:::b".into(),
                prefix,
                error_prefix,
                buffer,
                compression,
            });
        (
            "[a-z-]{1,20}",
            of(&["NoRotation", "OneHour", "OneDay", "OneWeek", "OneMonth"]),
            0..=7200u32,
            buffer(),
            of(&["FIREHOSE_DEFAULT", "NO_DOCUMENT_ID"]),
            backup,
            logging,
            encryption,
        )
            .prop_map(|(index, rotation, retry_seconds, buffer, document_ids, backup, logging, encryption)| {
                StreamSettings {
                    index,
                    rotation,
                    retry_seconds,
                    buffer,
                    document_ids,
                    backup,
                    logging,
                    encryption,
                    ..wanted()
                }
            })
    }

    proptest! {
        #[test]
        fn what_is_created_is_read_back(wanted in any_settings()) {
            prop_assert_eq!(settings(&described(&wanted, Encryption::Enabled)), wanted);
        }

        #[test]
        fn an_update_sends_the_same_whole_values(wanted in any_settings()) {
            let created = configuration(&wanted, "stream logs").expect("a configuration");
            let update = update(&wanted, "stream logs").expect("an update");
            prop_assert_eq!(update.role_arn, Some(created.role_arn));
            prop_assert_eq!(update.domain_arn, created.domain_arn);
            prop_assert_eq!(update.index_name, Some(created.index_name));
            prop_assert_eq!(update.index_rotation_period, created.index_rotation_period);
            prop_assert_eq!(update.buffering_hints, created.buffering_hints);
            prop_assert_eq!(update.retry_options, created.retry_options);
            prop_assert_eq!(update.cloud_watch_logging_options, created.cloud_watch_logging_options);
            prop_assert_eq!(update.document_id_options, created.document_id_options);
            let (s3, created) = (update.s3_update.expect("s3"), created.s3_configuration.expect("s3"));
            prop_assert_eq!(s3.role_arn, Some(created.role_arn));
            prop_assert_eq!(s3.bucket_arn, Some(created.bucket_arn));
            prop_assert_eq!(s3.prefix, created.prefix);
            prop_assert_eq!(s3.error_output_prefix, created.error_output_prefix);
            prop_assert_eq!(s3.buffering_hints, created.buffering_hints);
            prop_assert_eq!(s3.compression_format, created.compression_format);
            prop_assert_eq!(s3.cloud_watch_logging_options, created.cloud_watch_logging_options);
        }
    }

    #[test]
    fn encryption_that_failed_to_start_counts_as_off() {
        assert!(settings(&described(&wanted(), Encryption::Enabling)).encryption.enabled);
        assert!(!settings(&described(&wanted(), Encryption::EnablingFailed)).encryption.enabled);
        assert!(!settings(&described(&wanted(), Encryption::Disabling)).encryption.enabled);
    }

    #[test]
    fn a_stream_to_another_destination_is_named_as_such() {
        let s3 = ExtendedS3DestinationDescription::builder()
            .role_arn("r")
            .bucket_arn("b")
            .compression_format(aws_sdk_firehose::types::CompressionFormat::Gzip)
            .buffering_hints(BufferingHints::builder().build())
            .encryption_configuration(aws_sdk_firehose::types::EncryptionConfiguration::builder().build())
            .build()
            .expect("a description");
        let destination = DestinationDescription::builder().destination_id("d").extended_s3_destination_description(s3);
        let stream = with(destination.build().expect("a destination"))
            .delivery_stream_type(DeliveryStreamType::KinesisStreamAsSource)
            .build()
            .expect("a stream");
        let settings = settings(&stream);
        assert_eq!((settings.source.as_str(), settings.destination.as_str()), ("KinesisStreamAsSource", "ExtendedS3"));
    }

    #[test]
    fn a_way_through_a_vpc_is_not_the_same_destination() {
        let mut stream = described(&wanted(), Encryption::Enabled);
        let vpc = VpcConfigurationDescription::builder()
            .subnet_ids("s")
            .role_arn("r")
            .security_group_ids("g")
            .vpc_id("v")
            .build()
            .expect("a description");
        if let Some(live) = &mut stream.destinations[0].amazonopensearchservice_destination_description {
            live.vpc_configuration_description = Some(vpc);
        }
        assert_eq!(settings(&stream).destination, "AmazonOpenSearchService through a VPC");
    }

    #[test]
    fn halves_with_different_roles_or_groups_do_not_equal_ours() {
        let mut stream = described(&wanted(), Encryption::Enabled);
        let live = stream.destinations[0].amazonopensearchservice_destination_description.as_mut().expect("opensearch");
        let s3 = live.s3_destination_description.as_mut().expect("a backup");
        s3.role_arn = "other".into();
        if let Some(options) = &mut s3.cloud_watch_logging_options {
            options.log_group_name = Some("/elsewhere".into());
        }
        let settings = settings(&stream);
        assert_eq!(settings.role_arn, format!("{}, backup other", wanted().role_arn));
        assert_eq!(settings.logging.backup_stream.as_deref(), Some("/elsewhere:BackupDelivery"));
    }
}
