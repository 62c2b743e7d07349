//! What a stack gets for a key that its file does not name: the one table of defaults. Data only; `resolve` applies it.
//! A stack that lives keeps its edition, so nothing here may change once it is released: a new default is a new edition.

use super::{BackupDocuments, Compression, DocumentIds, Rotation, StreamKeyType, TimeFormat, TlsPolicy, VolumeType};

/// The edition of a file that names none. It is 1 for ever.
pub const DEFAULT_EDITION: u32 = 1;

/// One set of defaults. Names hold `{stack}`, `{account}`, `{region}`, `{stream}` and `{index}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edition {
    /// Its number, the value of the key `edition`.
    pub number: u32,
    /// Name of domain, stream and index.
    pub name: &'static str,
    /// Name of the bucket; bucket names are global.
    pub bucket: &'static str,
    /// Name of the role; role names are not regional.
    pub role: &'static str,
    /// Path of a role that ekk makes.
    pub role_path: &'static str,
    /// Path of a role that is there already.
    pub existing_role_path: &'static str,
    /// Name of the log group.
    pub log_group: &'static str,
    /// Title of the index pattern where the index rotates.
    pub index_pattern: &'static str,
    /// Title of the index pattern with `NoRotation`.
    pub index_pattern_without_rotation: &'static str,
    /// Instance type of the data nodes.
    pub instance_type: &'static str,
    /// Number of data nodes.
    pub instance_count: u32,
    /// 1 is no zone awareness.
    pub availability_zones: u32,
    /// Number of dedicated masters where there are any.
    pub dedicated_masters: u32,
    /// Type of the volume, except for instance types that bring their own disks.
    pub volume_type: VolumeType,
    /// Size of the volume in GiB.
    pub volume_gib: u32,
    /// Whether the domain encrypts data at rest.
    pub encryption_at_rest: bool,
    /// Whether the domain encrypts traffic between its nodes.
    pub node_to_node_encryption: bool,
    /// The oldest TLS that the endpoint speaks.
    pub tls_policy: TlsPolicy,
    /// How often a new index begins.
    pub rotation: Rotation,
    /// The field that holds a record's time.
    pub time_field: &'static str,
    /// What a number in it counts.
    pub time_format: TimeFormat,
    /// Which template wins where several match an index.
    pub template_priority: u32,
    /// Primary shards of an index.
    pub shards: u32,
    /// Replicas on one data node, which could not hold any.
    pub replicas_of_one_node: u32,
    /// Replicas on several data nodes.
    pub replicas: u32,
    /// How long Firehose goes on trying, in seconds.
    pub retry_seconds: u32,
    /// The stream's buffer in seconds and MiB.
    pub stream_buffer: (u32, u32),
    /// Who chooses the id of a document.
    pub document_ids: DocumentIds,
    /// Whose key encrypts what the stream holds.
    pub stream_encryption: StreamKeyType,
    /// Which documents the backup holds.
    pub backup_documents: BackupDocuments,
    /// What stands before the key of each backup object.
    pub backup_prefix: &'static str,
    /// The backup's buffer in seconds and MiB.
    pub backup_buffer: (u32, u32),
    /// Compression of the backup.
    pub compression: Compression,
    /// How many days Firehose's own errors are kept.
    pub error_log_days: u32,
}

impl Edition {
    /// The first edition: the article's stack.
    pub const ONE: Self = Self {
        number: 1,
        name: "{stack}",
        bucket: "{stack}-{account}-{region}",
        role: "{stack}-firehose-{region}",
        role_path: "/ekk/",
        existing_role_path: "/",
        log_group: "/aws/kinesisfirehose/{stream}",
        index_pattern: "{index}-*",
        index_pattern_without_rotation: "{index}",
        instance_type: "t3.small.search",
        instance_count: 1,
        availability_zones: 1,
        dedicated_masters: 3,
        volume_type: VolumeType::Gp3,
        volume_gib: 10,
        encryption_at_rest: true,
        node_to_node_encryption: true,
        tls_policy: TlsPolicy::Tls12,
        rotation: Rotation::OneWeek,
        time_field: "asctime",
        time_format: TimeFormat::EpochSecond,
        template_priority: 100,
        shards: 1,
        replicas_of_one_node: 0,
        replicas: 1,
        retry_seconds: 300,
        stream_buffer: (60, 5),
        document_ids: DocumentIds::FirehoseDefault,
        stream_encryption: StreamKeyType::AwsOwned,
        backup_documents: BackupDocuments::AllDocuments,
        backup_prefix: "",
        backup_buffer: (300, 5),
        compression: Compression::Uncompressed,
        error_log_days: 14,
    };

    /// Every edition that this release knows.
    pub const NUMBERS: &[u64] = &[1];

    /// Returns an edition by its number.
    #[must_use]
    pub const fn numbered(number: u32) -> Option<Self> {
        match number {
            1 => Some(Self::ONE),
            _ => None,
        }
    }
}
