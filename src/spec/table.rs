//! Every key of a spec: what it takes, what it is for, what it is when it is not said, what other tools call it.
//! The check of a file, the JSON Schema and the reference are made from this table and from nothing else.

use super::values;
use super::{
    BackupDocuments, Compression, DocumentIds, Edition, Rotation, StreamKeyType, TimeFormat, TlsPolicy, VolumeType,
};

/// One key.
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) shape: Shape,
    /// What holds without it, for people; empty where nothing does.
    pub(super) default: &'static str,
    /// What it is for, in a sentence.
    pub(super) about: &'static str,
    /// What AWS, CloudFormation, Terraform and habit call it, in the spelling of `meant::plain`.
    pub(super) also: &'static [&'static str],
    pub(super) need: Need,
}

/// Whether a section can do without a key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    Required,
    Optional,
}

/// What a key takes.
pub(super) enum Shape {
    /// Keys of its own.
    Section(&'static [Key]),
    /// A text with a rule.
    Text(&'static Text),
    /// One of a few words.
    Word { what: &'static str, words: &'static [&'static str], meant: &'static [(&'static str, &'static str)] },
    /// A whole number in a range.
    Number { min: u64, max: u64, unit: &'static str },
    /// One of a few whole numbers.
    OneNumber { what: &'static str, numbers: &'static [u64], unit: &'static str },
    /// true or false.
    Switch,
    /// Any keys, each with a text.
    Map { keys: &'static Text, values: &'static Text, nulls: Nulls },
    /// A list of texts, at least one.
    List(&'static Text),
}

/// Whether a map takes `null`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Nulls {
    Taken,
    Refused,
}

/// The rule of a text.
pub(super) struct Text {
    /// What it is, with its article.
    pub(super) what: &'static str,
    /// A pattern for editors. Every text that matches it also passes `check`, but for reserved names (a test generates).
    pub(super) pattern: &'static str,
    pub(super) placeholders: Placeholders,
    pub(super) check: fn(&str) -> Result<(), values::Complaint>,
}

/// Whether a text may hold `{account}` and `{region}`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Placeholders {
    Filled,
    None,
}

const STACK: Text = Text {
    what: "a stack's name",
    pattern: "^[a-z][a-z0-9-]{2,27}$",
    placeholders: Placeholders::None,
    check: values::stack,
};
const ACCOUNT: Text =
    Text { what: "an account", pattern: "^[0-9]{12}$", placeholders: Placeholders::None, check: values::account };
const REGION: Text = Text {
    what: "a region",
    pattern: "^[a-z]{2,4}(-[a-z]{2,9}){1,2}-[1-9]$",
    placeholders: Placeholders::None,
    check: values::region,
};
const TAG_KEY: Text = Text {
    what: "a tag's key",
    pattern: "^[A-Za-z0-9 _./=+@-][A-Za-z0-9 _.:/=+@-]{0,127}$",
    placeholders: Placeholders::None,
    check: values::tag_key,
};
const TAG_VALUE: Text = Text {
    what: "a tag's value",
    pattern: "^[A-Za-z0-9 _.:/=+@-]{0,256}$",
    placeholders: Placeholders::None,
    check: values::tag_value,
};
const DOMAIN: Text = Text {
    what: "a domain's name",
    pattern: "^[a-z][a-z0-9-]{2,27}$",
    placeholders: Placeholders::Filled,
    check: values::domain,
};
const ENGINE_VERSION: Text = Text {
    what: "an engine version",
    pattern: "^(OpenSearch_[123]|Elasticsearch_7)\\.[0-9]{1,2}$",
    placeholders: Placeholders::None,
    check: values::engine_version,
};
const INSTANCE_TYPE: Text = Text {
    what: "an instance type",
    pattern: "^[a-z]{1,3}[0-9][a-z]{0,3}\\.(micro|small|medium|large|xlarge|[0-9]{1,2}xlarge)\\.search$",
    placeholders: Placeholders::None,
    check: values::instance_type,
};
const KMS_KEY: Text = Text {
    what: "the ARN of a KMS key",
    pattern: "^arn:aws(-cn|-us-gov|-eusc)?:kms:[a-z]{2,4}(-[a-z]{2,9}){1,2}-[1-9]:[0-9]{12}:key/[A-Za-z0-9-]{1,64}$",
    placeholders: Placeholders::None,
    check: values::kms_key,
};
const PRINCIPAL: Text = Text {
    what: "the ARN of an IAM principal",
    pattern: "^arn:aws(-cn|-us-gov|-eusc)?:iam::[0-9]{12}:(root|(role|user)/[A-Za-z0-9+=,.@_/-]{1,200})$",
    placeholders: Placeholders::None,
    check: values::principal,
};
const MANAGED_POLICY: Text = Text {
    what: "the ARN of a managed policy",
    pattern: "^arn:aws(-cn|-us-gov|-eusc)?:iam::([0-9]{12}|aws):policy/[A-Za-z0-9+=,.@_/-]{1,200}$",
    placeholders: Placeholders::None,
    check: values::managed_policy,
};
const INDEX: Text = Text {
    what: "an index's name",
    pattern: "^[a-z0-9][a-z0-9._=@~-]{0,79}$",
    placeholders: Placeholders::Filled,
    check: values::index,
};
const FIELD: Text = Text {
    what: "a field's name",
    pattern: "^[A-Za-z0-9@$-][A-Za-z0-9_@$-]{0,60}(\\.[A-Za-z0-9_@$-]{1,60}){0,3}$",
    placeholders: Placeholders::None,
    check: values::field,
};
const REFRESH_INTERVAL: Text = Text {
    what: "a time",
    pattern: "^(-1|[0-9]{1,9}(nanos|micros|ms|s|m|h|d))$",
    placeholders: Placeholders::None,
    check: values::refresh_interval,
};
const STREAM: Text = Text {
    what: "a stream's name",
    pattern: "^[A-Za-z0-9_.-]{1,64}$",
    placeholders: Placeholders::Filled,
    check: values::stream,
};
const PREFIX: Text = Text { what: "a prefix", pattern: "", placeholders: Placeholders::None, check: values::prefix };
const ERROR_PREFIX: Text =
    Text { what: "a prefix", pattern: "", placeholders: Placeholders::None, check: values::error_prefix };
const BUCKET: Text = Text {
    what: "a bucket's name",
    pattern: "^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
    placeholders: Placeholders::Filled,
    check: values::bucket,
};
const ROLE: Text = Text {
    what: "a role's name",
    pattern: "^[A-Za-z0-9_+=,.@-]{1,64}$",
    placeholders: Placeholders::Filled,
    check: values::role,
};
const ROLE_PATH: Text = Text {
    what: "a path",
    pattern: "^/([A-Za-z0-9+=,.@_-]{1,100}/){0,4}$",
    placeholders: Placeholders::None,
    check: values::role_path,
};
const LOG_GROUP: Text = Text {
    what: "a log group's name",
    pattern: "^[A-Za-z0-9._/#-]{1,512}$",
    placeholders: Placeholders::Filled,
    check: values::log_group,
};
const INDEX_PATTERN: Text = Text {
    what: "an index pattern",
    pattern: "^[a-z0-9._=@~*,-]{1,255}$",
    placeholders: Placeholders::Filled,
    check: values::index_pattern,
};
/// In the schema its words are listed: an editor offers them.
const FIELD_TYPE: Text =
    Text { what: "a field type", pattern: "", placeholders: Placeholders::None, check: values::field_type };

pub(super) const FIELD_TYPE_WHAT: &str = FIELD_TYPE.what;

const fn key(name: &'static str, shape: Shape, default: &'static str, about: &'static str) -> Key {
    Key { name, shape, default, about, also: &[], need: Need::Optional }
}

impl Key {
    const fn required(mut self) -> Self {
        self.need = Need::Required;
        self
    }

    const fn also(mut self, also: &'static [&'static str]) -> Self {
        self.also = also;
        self
    }
}

const fn seconds(min: u64, max: u64) -> Shape {
    Shape::Number { min, max, unit: "seconds" }
}

const fn mib(min: u64, max: u64) -> Shape {
    Shape::Number { min, max, unit: "MiB" }
}

const fn count(min: u64, max: u64) -> Shape {
    Shape::Number { min, max, unit: "" }
}

/// The keys of a file, in the order of the documentation.
pub(super) static KEYS: &[Key] = &[
    key(
        "edition",
        Shape::OneNumber { what: "an edition", numbers: Edition::NUMBERS, unit: "" },
        "1",
        "Which set of defaults. Defaults never move under a stack that lives: new ones come as a new edition.",
    )
    .also(&["version", "schemaversion", "apiversion"]),
    key(
        "stack",
        Shape::Text(&STACK),
        "",
        "Names what has no name of its own; the value of the tag `ekk:stack` by which ekk knows what it owns.",
    )
    .required()
    .also(&["stackname", "name"]),
    key(
        "account",
        Shape::Text(&ACCOUNT),
        "any",
        "The only account that the stack may live in, in quotes; credentials of another one are refused.",
    )
    .also(&["accountid", "awsaccount", "awsaccountid"]),
    key(
        "region",
        Shape::Text(&REGION),
        "the AWS configuration chain decides",
        "The region of the stack; another one is refused.",
    )
    .also(&["awsregion"]),
    key(
        "tags",
        Shape::Map { keys: &TAG_KEY, values: &TAG_VALUE, nulls: Nulls::Taken },
        "none",
        "Tags of every resource that can carry them. Tags that the file does not name stay; `null` means that it must not be there.",
    )
    .also(&["labels", "taglist"]),
    key("domain", Shape::Section(DOMAIN_KEYS), "", "The OpenSearch Service domain.")
        .also(&["opensearch", "elasticsearch", "cluster", "clusterconfig", "es"]),
    key("index", Shape::Section(INDEX_KEYS), "", "The index that Firehose writes to, and its template. A template counts from the next index on.")
        .also(&["indextemplate", "template"]),
    key("stream", Shape::Section(STREAM_KEYS), "", "The Direct PUT delivery stream.")
        .also(&["firehose", "deliverystream", "kinesis"]),
    key("backup", Shape::Section(BACKUP_KEYS), "", "What the stream writes to the bucket.")
        .also(&["s3backup", "s3configuration", "s3destination"]),
    key("bucket", Shape::Section(BUCKET_KEYS), "", "The bucket that the backup goes to.").also(&["s3", "s3bucket"]),
    key("role", Shape::Section(ROLE_KEYS), "", "The role that Firehose assumes.").also(&["iamrole", "iam", "firehoserole"]),
    key("error_log", Shape::Section(ERROR_LOG_KEYS), "", "The log group of Firehose's own errors.")
        .also(&["logs", "logging", "cloudwatch", "cloudwatchlogging", "cloudwatchloggingoptions"]),
    key("dashboards", Shape::Section(DASHBOARDS_KEYS), "", "What is made in OpenSearch Dashboards, or Kibana by engine.")
        .also(&["kibana", "dashboard"]),
];

static DOMAIN_KEYS: &[Key] =
    &[
        key("name", Shape::Text(&DOMAIN), "`{stack}`", "The domain's name; it cannot be changed later.")
            .also(&["domainname"]),
        key(
            "engine_version",
            Shape::Text(&ENGINE_VERSION),
            "at creation the newest that this release was proved with, left alone afterwards",
            "OpenSearch 1.x to 3.x or Elasticsearch 7.x. It can be raised, never lowered.",
        )
        .also(&["engine", "opensearchversion", "elasticsearchversion"]),
        key("instance_type", Shape::Text(&INSTANCE_TYPE), "`t3.small.search`", "Instance type of the data nodes.")
            .also(&["type", "nodetype", "datanodeinstancetype"]),
        key("instance_count", count(1, 1000), "1", "Number of data nodes.").also(&[
            "count",
            "nodes",
            "nodecount",
            "datanodes",
        ]),
        key(
            "availability_zones",
            Shape::OneNumber { what: "a number of zones", numbers: &[1, 2, 3], unit: "" },
            "1",
            "Over how many zones the data nodes are spread; more than one is AWS's zone awareness.",
        )
        .also(&[
            "availabilityzonecount",
            "zoneawareness",
            "zoneawarenessenabled",
            "zoneawarenessconfig",
            "zones",
            "az",
            "multiaz",
            "zonecount",
        ]),
        key(
            "dedicated_masters",
            Shape::Section(MASTER_KEYS),
            "none",
            "Dedicated master nodes; AWS wants them above 10 data nodes.",
        )
        .also(&["masters", "master", "dedicatedmaster", "dedicatedmasterenabled", "masternodes"]),
        key(
            "volume",
            Shape::Section(VOLUME_KEYS),
            "gp3, 10 GiB; none where the instance type brings its own disks",
            "EBS storage of each data node.",
        )
        .also(&["ebs", "ebsoptions", "storage", "disk"]),
        key(
            "encryption",
            Shape::Section(DOMAIN_ENCRYPTION_KEYS),
            "both, with AWS's own key",
            "Encryption at rest and between nodes. AWS switches either on later, never off.",
        )
        .also(&["encryptatrest", "encryptionatrest", "encryptionatrestoptions", "nodetonodeencryptionoptions"]),
        key(
            "tls_policy",
            Shape::Word { what: "a TLS policy", words: TlsPolicy::WORDS, meant: TLS_MEANT },
            "`Policy-Min-TLS-1-2-2019-07`",
            "The oldest TLS that the endpoint speaks; plain HTTP never works.",
        )
        .also(&["tlssecuritypolicy", "tls", "domainendpointoptions"]),
        key(
            "access",
            Shape::Section(ACCESS_KEYS),
            "the account's own IAM principals",
            "Who may send requests to the domain, all of them signed.",
        )
        .also(&["accesspolicy", "accesspolicies", "policy"]),
    ];

const TLS_MEANT: &[(&str, &str)] = &[
    ("policymintls10201907", "Policy-Min-TLS-1-2-2019-07"),
    ("12", "Policy-Min-TLS-1-2-2019-07"),
    ("tls12", "Policy-Min-TLS-1-2-2019-07"),
    ("tlsv12", "Policy-Min-TLS-1-2-2019-07"),
    ("13", "Policy-Min-TLS-1-2-PFS-2023-10"),
    ("tls13", "Policy-Min-TLS-1-2-PFS-2023-10"),
    ("tlsv13", "Policy-Min-TLS-1-2-PFS-2023-10"),
    ("pfs", "Policy-Min-TLS-1-2-PFS-2023-10"),
    ("fips", "Policy-Min-TLS-1-2-RFC9151-FIPS-2024-08"),
];

static MASTER_KEYS: &[Key] = &[
    key("instance_type", Shape::Text(&INSTANCE_TYPE), "", "Their instance type.")
        .required()
        .also(&["type", "dedicatedmastertype"]),
    key(
        "count",
        Shape::OneNumber { what: "a number of dedicated masters", numbers: &[3, 5], unit: "" },
        "3",
        "How many.",
    )
    .also(&["dedicatedmastercount", "instancecount"]),
];

static VOLUME_KEYS: &[Key] = &[
    key(
        "type",
        Shape::Word {
            what: "a volume type",
            words: VolumeType::WORDS,
            meant: &[
                ("ssd", "gp3"),
                ("io2", "io1"),
                ("magnetic", "standard"),
                ("ebs", "gp3"),
                ("nvme", "none"),
                ("instancestore", "none"),
            ],
        },
        "`gp3`",
        "The EBS volume type; `none` where the instance type brings its own disks.",
    )
    .also(&["volumetype", "ebsvolumetype"]),
    // No instance type takes more than this by far; the limits of single types are rules.
    key("size_gib", Shape::Number { min: 10, max: 65_536, unit: "GiB" }, "10", "Size for each data node.").also(&[
        "size",
        "sizegb",
        "volumesize",
        "ebsvolumesize",
        "gib",
        "gb",
    ]),
    key("iops", count(100, 1_000_000), "the type's own", "Provisioned operations per second, for gp3 and io1.")
        .also(&["ebsiops"]),
    key(
        "throughput_mib",
        Shape::Number { min: 125, max: 100_000, unit: "MiB/s" },
        "the type's own",
        "Provisioned throughput in MiB per second, for gp3.",
    )
    .also(&["throughput", "ebsthroughput"]),
];

static DOMAIN_ENCRYPTION_KEYS: &[Key] = &[
    key("at_rest", Shape::Switch, "`true`", "Whether data at rest is encrypted, snapshots included.").also(&[
        "enabled",
        "encryptatrest",
        "encryptionatrest",
        "rest",
    ]),
    key("node_to_node", Shape::Switch, "`true`", "Whether traffic between nodes is encrypted.").also(&[
        "nodetonodeencryption",
        "betweennodes",
        "intransit",
        "n2n",
    ]),
    key(
        "kms_key",
        Shape::Text(&KMS_KEY),
        "AWS's own key",
        "ARN of a KMS key in the domain's region, for data at rest; it cannot be changed later.",
    )
    .also(&["kmskeyid", "key", "kmskeyarn", "kms"]),
];

static ACCESS_KEYS: &[Key] = &[key(
    "principals",
    Shape::List(&PRINCIPAL),
    "the account",
    "ARNs of the IAM roles, users or accounts that may send signed requests; never the world.",
)
.also(&["principal", "iamprincipals", "roles", "arns"])];

static INDEX_KEYS: &[Key] = &[
    key("name", Shape::Text(&INDEX), "`{stack}`", "The index's name, before rotation adds its suffix.")
        .also(&["indexname"]),
    key(
        "rotation",
        Shape::Word { what: "a rotation", words: Rotation::WORDS, meant: ROTATION_MEANT },
        "`OneWeek`",
        "How often Firehose begins a new index, by the time of arrival in UTC.",
    )
    .also(&["indexrotation", "indexrotationperiod", "rotationperiod", "rotate"]),
    key(
        "time_field",
        Shape::Text(&FIELD),
        "`asctime`",
        "The field that holds a record's time; a date in the template.",
    )
    .also(&["timefieldname", "timestampfield", "timestamp"]),
    key(
        "time_format",
        Shape::Word {
            what: "a time format",
            words: TimeFormat::WORDS,
            meant: &[
                ("seconds", "epoch_second"),
                ("epochseconds", "epoch_second"),
                ("s", "epoch_second"),
                ("milliseconds", "epoch_millis"),
                ("millis", "epoch_millis"),
                ("ms", "epoch_millis"),
            ],
        },
        "`epoch_second`",
        "What a number in the time field counts. Texts as Python writes them are taken either way.",
    ),
    key(
        "fields",
        Shape::Map { keys: &FIELD, values: &FIELD_TYPE, nulls: Nulls::Refused },
        "free",
        "Field name to OpenSearch field type. Other fields are mapped as they come.",
    )
    .also(&["mappings", "properties", "mapping"]),
    key("shards", count(1, 1024), "1", "Primary shards of each index.").also(&["numberofshards", "primaryshards"]),
    key("replicas", count(0, 20), "0 on one data node, else 1", "Copies of each primary shard.")
        .also(&["numberofreplicas"]),
    key(
        "refresh_interval",
        Shape::Text(&REFRESH_INTERVAL),
        "OpenSearch's own",
        "How soon documents can be found, such as `30s`.",
    )
    .also(&["refresh"]),
    key("total_fields_limit", count(1, 100_000), "OpenSearch's own, 1000", "How many fields an index may have.")
        .also(&["fieldslimit", "totalfields", "fieldlimit"]),
];

const ROTATION_MEANT: &[(&str, &str)] = &[
    ("none", "NoRotation"),
    ("never", "NoRotation"),
    ("off", "NoRotation"),
    ("no", "NoRotation"),
    ("hourly", "OneHour"),
    ("hour", "OneHour"),
    ("1h", "OneHour"),
    ("60m", "OneHour"),
    ("daily", "OneDay"),
    ("day", "OneDay"),
    ("1d", "OneDay"),
    ("24h", "OneDay"),
    ("weekly", "OneWeek"),
    ("week", "OneWeek"),
    ("1w", "OneWeek"),
    ("7d", "OneWeek"),
    ("monthly", "OneMonth"),
    ("month", "OneMonth"),
    ("1m", "OneMonth"),
    ("30d", "OneMonth"),
];

static STREAM_KEYS: &[Key] = &[
    key("name", Shape::Text(&STREAM), "`{stack}`", "The stream's name; it cannot be changed later.")
        .also(&["streamname", "deliverystreamname"]),
    key("retry_seconds", seconds(0, 7200), "300", "How long Firehose goes on trying before a document counts as failed; 0 is not at all.")
        .also(&["retry", "retryduration", "retryoptions", "durationinseconds", "retries"]),
    key("buffer", Shape::Section(STREAM_BUFFER_KEYS), "60 s or 5 MiB", "How much Firehose gathers before it writes to the domain, whichever comes first.")
        .also(&["buffering", "bufferinghints"]),
    key(
        "document_ids",
        Shape::Word {
            what: "a choice",
            words: DocumentIds::WORDS,
            meant: &[("firehose", "FIREHOSE_DEFAULT"), ("default", "FIREHOSE_DEFAULT"), ("none", "NO_DOCUMENT_ID"), ("opensearch", "NO_DOCUMENT_ID")],
        },
        "`FIREHOSE_DEFAULT`",
        "Who chooses the id of a document: Firehose, the same in each retry, or the domain, cheaper but a retry may duplicate.",
    )
    .also(&["documentid", "documentidoptions", "defaultdocumentidformat"]),
    key("encryption", Shape::Section(STREAM_ENCRYPTION_KEYS), "with a key that AWS owns", "Encryption of what the stream holds.")
        .also(&["sse", "serversideencryption", "deliverystreamencryptionconfigurationinput"]),
];

static STREAM_BUFFER_KEYS: &[Key] = &[
    key("seconds", seconds(0, 900), "60", "Longest wait.").also(&[
        "interval",
        "intervalinseconds",
        "bufferinginterval",
        "bufferinterval",
    ]),
    key("mib", mib(1, 100), "5", "Largest amount.").also(&["size", "sizeinmbs", "mb", "bufferingsize", "buffersize"]),
];

static STREAM_ENCRYPTION_KEYS: &[Key] = &[
    key(
        "type",
        Shape::Word {
            what: "a kind of key",
            words: StreamKeyType::WORDS,
            meant: &[
                ("aws", "AWS_OWNED_CMK"),
                ("awsowned", "AWS_OWNED_CMK"),
                ("kms", "CUSTOMER_MANAGED_CMK"),
                ("customer", "CUSTOMER_MANAGED_CMK"),
                ("cmk", "CUSTOMER_MANAGED_CMK"),
                ("off", "none"),
            ],
        },
        "`AWS_OWNED_CMK`",
        "Whose key, or none.",
    )
    .also(&["keytype"]),
    key("key", Shape::Text(&KMS_KEY), "", "ARN of the key, for `CUSTOMER_MANAGED_CMK`.")
        .also(&["keyarn", "kmskey", "kmskeyid"]),
];

static BACKUP_KEYS: &[Key] = &[
    key(
        "documents",
        Shape::Word {
            what: "a choice of documents",
            words: BackupDocuments::WORDS,
            meant: &[("all", "AllDocuments"), ("failed", "FailedDocumentsOnly"), ("faileddocuments", "FailedDocumentsOnly"), ("failedonly", "FailedDocumentsOnly"), ("enabled", "AllDocuments"), ("disabled", "FailedDocumentsOnly")],
        },
        "`AllDocuments`",
        "All documents, or only those that the domain did not take. AWS cannot change it: the stream is replaced.",
    )
    .also(&["s3backupmode", "backupmode", "mode"]),
    key("prefix", Shape::Text(&PREFIX), "empty", "What stands before the key of each object; end it with a slash to make it a folder. Firehose's expressions work.")
        .also(&["s3prefix"]),
    key("error_prefix", Shape::Text(&ERROR_PREFIX), "the prefix", "The same for failed documents.")
        .also(&["erroroutputprefix", "s3erroroutputprefix"]),
    key(
        "compression",
        Shape::Word { what: "a compression", words: Compression::WORDS, meant: &[("none", "UNCOMPRESSED"), ("gz", "GZIP"), ("off", "UNCOMPRESSED")] },
        "`UNCOMPRESSED`",
        "Compression of the objects.",
    )
    .also(&["compressionformat"]),
    key("buffer", Shape::Section(BACKUP_BUFFER_KEYS), "300 s or 5 MiB", "How much Firehose gathers before it writes to the bucket, whichever comes first.")
        .also(&["buffering", "bufferinghints"]),
];

static BACKUP_BUFFER_KEYS: &[Key] = &[
    key("seconds", seconds(0, 900), "300", "Longest wait.").also(&[
        "interval",
        "intervalinseconds",
        "bufferinginterval",
        "bufferinterval",
    ]),
    key("mib", mib(1, 128), "5", "Largest amount.").also(&["size", "sizeinmbs", "mb", "bufferingsize", "buffersize"]),
];

static BUCKET_KEYS: &[Key] = &[
    key("name", Shape::Text(&BUCKET), "`{stack}-{account}-{region}`", "The name of a bucket that ekk makes.")
        .also(&["bucketname"]),
    key("existing", Shape::Text(&BUCKET), "", "The name of a bucket that is there: checked, never written or deleted.")
        .also(&["bucketarn", "arn"]),
    key(
        "expire_days",
        Shape::Number { min: 1, max: 36_500, unit: "days" },
        "never",
        "After how many days backups are deleted.",
    )
    .also(&[
        "expire",
        "expiration",
        "expirationdays",
        "expirationindays",
        "expiry",
        "lifecycle",
        "retention",
        "retentiondays",
    ]),
    key(
        "abort_uploads_days",
        Shape::Number { min: 1, max: 36_500, unit: "days" },
        "never",
        "After how many days unfinished uploads are deleted.",
    )
    .also(&["abortincompletemultipartupload", "daysafterinitiation", "abortuploads"]),
    key("kms_key", Shape::Text(&KMS_KEY), "S3's own key", "ARN of the KMS key that objects are encrypted with.")
        .also(&["kmskeyid", "kmskeyarn", "awskmskeyarn", "key", "encryption"]),
];

static ROLE_KEYS: &[Key] = &[
    key("name", Shape::Text(&ROLE), "`{stack}-firehose-{region}`", "The name of a role that ekk makes.")
        .also(&["rolename"]),
    key("existing", Shape::Text(&ROLE), "", "The name of a role that is there: checked, never written or deleted.")
        .also(&["rolearn", "arn"]),
    key(
        "path",
        Shape::Text(&ROLE_PATH),
        "`/ekk/`",
        "The path of the role; an existing one is looked for at `/` when it is not said.",
    )
    .also(&["rolepath"]),
    key(
        "permissions_boundary",
        Shape::Text(&MANAGED_POLICY),
        "none",
        "ARN of the managed policy that bounds the role.",
    )
    .also(&["boundary", "permissionsboundaryarn"]),
];

/// What CloudWatch Logs takes (CloudWatch Logs API reference, PutRetentionPolicy).
const RETENTION_DAYS: &[u64] =
    &[1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

static ERROR_LOG_KEYS: &[Key] = &[
    key("name", Shape::Text(&LOG_GROUP), "`/aws/kinesisfirehose/{stream}`", "The log group's name.").also(&[
        "loggroup",
        "loggroupname",
        "group",
    ]),
    key(
        "retention_days",
        Shape::OneNumber { what: "a retention of CloudWatch Logs", numbers: RETENTION_DAYS, unit: "days" },
        "14",
        "How many days events are kept.",
    )
    .also(&["retention", "retentionindays", "days"]),
    key("enabled", Shape::Switch, "`true`", "Whether Firehose's own errors are written at all."),
];

static DASHBOARDS_KEYS: &[Key] = &[key(
    "index_pattern",
    Shape::Text(&INDEX_PATTERN),
    "`{index}-*`, or `{index}` with `NoRotation`",
    "The title of the index pattern; it must match the index.",
)
.also(&["pattern", "title", "indexpatterntitle"])];

/// What is planned and not there yet, in the spelling of `meant::plain`, with the word for the message.
pub(super) const LATER: &[(&str, &str)] = &[
    ("vpc", "a domain in a VPC"),
    ("vpcoptions", "a domain in a VPC"),
    ("vpcconfiguration", "a domain in a VPC"),
    ("network", "a domain in a VPC"),
    ("subnets", "a domain in a VPC"),
    ("subnetids", "a domain in a VPC"),
    ("securitygroups", "a domain in a VPC"),
    ("securitygroupids", "a domain in a VPC"),
    ("ipaddresstype", "dual-stack addresses"),
    ("finegrainedaccess", "fine-grained access control"),
    ("finegrainedaccesscontrol", "fine-grained access control"),
    ("fgac", "fine-grained access control"),
    ("advancedsecurity", "fine-grained access control"),
    ("advancedsecurityoptions", "fine-grained access control"),
    ("masteruser", "fine-grained access control"),
    ("masteruseroptions", "fine-grained access control"),
    ("jwt", "JWT sign-in"),
    ("identitycenter", "IAM Identity Center"),
    ("cognito", "Cognito sign-in"),
    ("cognitooptions", "Cognito sign-in"),
    ("saml", "SAML sign-in"),
    ("samloptions", "SAML sign-in"),
    ("retention", "retention of indexes"),
    ("ism", "retention of indexes"),
    ("ismpolicy", "retention of indexes"),
    ("deleteafter", "retention of indexes"),
    ("deleteafterdays", "retention of indexes"),
    ("alarms", "alarms"),
    ("alarm", "alarms"),
    ("notifications", "alarms"),
    ("customendpoint", "a custom endpoint"),
    ("lambda", "processing of records"),
    ("processing", "processing of records"),
    ("processors", "processing of records"),
    ("processingconfiguration", "processing of records"),
    ("transform", "processing of records"),
    ("logpublishing", "the domain's own logs"),
    ("logpublishingoptions", "the domain's own logs"),
    ("slowlogs", "the domain's own logs"),
    ("auditlogs", "the domain's own logs"),
    ("ultrawarm", "warm nodes"),
    ("warm", "warm nodes"),
    ("warmnodes", "warm nodes"),
    ("cold", "cold storage"),
    ("coldstorage", "cold storage"),
    ("coordinators", "coordinator nodes"),
    ("nodeoptions", "coordinator nodes"),
    ("standby", "Multi-AZ with standby"),
    ("multiazwithstandby", "Multi-AZ with standby"),
    ("multiazwithstandbyenabled", "Multi-AZ with standby"),
    ("autotune", "Auto-Tune"),
    ("autotuneoptions", "Auto-Tune"),
    ("offpeakwindow", "the off-peak window"),
    ("offpeakwindowoptions", "the off-peak window"),
    ("softwareupdates", "automatic software updates"),
    ("softwareupdateoptions", "automatic software updates"),
    ("advancedoptions", "advanced options"),
    ("users", "users"),
    ("readers", "users"),
    ("savedobjects", "dashboards of one's own"),
    ("source", "another source than Direct PUT"),
    ("kinesisstream", "another source than Direct PUT"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::meant::plain;

    fn walk(keys: &'static [Key], see: &mut dyn FnMut(&'static [Key], &'static Key)) {
        for key in keys {
            see(keys, key);
            if let Shape::Section(inner) = key.shape {
                walk(inner, see);
            }
        }
    }

    #[test]
    fn other_names_are_spelled_plainly_and_name_one_sibling_only() {
        walk(KEYS, &mut |siblings, key| {
            for also in key.also {
                assert_eq!(plain(also), *also, "{}", key.name);
                let owners =
                    siblings.iter().filter(|sibling| sibling.also.contains(also) || plain(sibling.name) == *also);
                assert_eq!(owners.count(), 1, "{also} of {}", key.name);
            }
        });
        for (later, _) in LATER {
            assert_eq!(plain(later), *later);
        }
    }

    #[test]
    fn every_key_says_what_it_is_for() {
        walk(KEYS, &mut |_, key| assert!(key.about.ends_with('.'), "{}", key.name));
    }
}
