//! What the YAML file says, as types, with nothing filled in; and how a file becomes one.
//! A file is refused with all its faults at once. Nothing here asks AWS, and no default is applied.

mod check;
mod edition;
mod fault;
mod meant;
mod rules;
mod schema;
mod source;
mod table;
mod tree;
mod values;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use self::edition::{DEFAULT_EDITION, Edition};
pub use self::fault::{Fault, Faults, Place, Warning};
pub(crate) use self::meant::closest;
pub use self::rules::brings_its_own_disks;
pub use self::schema::{json_schema, key_reference};
pub use self::source::{Source, distinct, find};

/// Tells whether a word has the form of a stack's name.
#[must_use]
pub fn is_stack_name(word: &str) -> bool {
    values::stack(word).is_ok()
}

/// One stack, as its file says it. What the file does not name is `None` or empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Which set of defaults.
    #[serde(default, skip_serializing_if = "is_unsaid")]
    pub edition: Option<u32>,
    /// The stack's name; the value of the tag `ekk:stack`.
    pub stack: String,
    /// The only account that the stack may live in, twelve digits.
    #[serde(default, skip_serializing_if = "is_unsaid")]
    pub account: Option<String>,
    /// The region.
    #[serde(default, skip_serializing_if = "is_unsaid")]
    pub region: Option<String>,
    /// Tags by key; `None` means that the tag must not be there.
    #[serde(default, skip_serializing_if = "is_unsaid")]
    pub tags: BTreeMap<String, Option<String>>,
    /// The OpenSearch Service domain.
    #[serde(default, skip_serializing_if = "is_unsaid")]
    pub domain: DomainSpec,
    /// The index and its template.
    #[serde(default, skip_serializing_if = "is_unsaid")]
    pub index: IndexSpec,
    /// The delivery stream.
    #[serde(default, skip_serializing_if = "is_unsaid")]
    pub stream: StreamSpec,
    /// What the stream writes to the bucket.
    #[serde(default, skip_serializing_if = "is_unsaid")]
    pub backup: BackupSpec,
    /// The backup bucket.
    #[serde(default, skip_serializing_if = "is_unsaid")]
    pub bucket: BucketSpec,
    /// The role that Firehose assumes.
    #[serde(default, skip_serializing_if = "is_unsaid")]
    pub role: RoleSpec,
    /// The log group of Firehose's own errors.
    #[serde(default, skip_serializing_if = "is_unsaid")]
    pub error_log: ErrorLogSpec,
    /// What is made in Dashboards or Kibana.
    #[serde(default, skip_serializing_if = "is_unsaid")]
    pub dashboards: DashboardsSpec,
}

/// A spec that was found without fault, with the places of its keys and what may hurt.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What the file says.
    pub spec: Spec,
    /// Where each key stands.
    pub places: Places,
    /// What is legal but will hurt.
    pub warnings: Vec<Warning>,
}

impl Spec {
    /// Reads and checks one file. No call to AWS is made.
    ///
    /// # Errors
    /// Returns every fault of the file, each with its place where it has one.
    pub fn load(source: &Source) -> Result<Loaded, Faults> {
        let name = source.name();
        let text = source.read()?;
        let faults = |faults: Vec<Fault>| Faults::in_text(&name, &text, faults);
        let root = tree::parse(&text).map_err(|fault| faults(vec![fault]))?;
        let checked = check::check(&root);
        let mut found = checked.faults;
        let mut warnings = Vec::new();
        match serde_yaml::from_value::<Self>(checked.value) {
            Ok(spec) => {
                let findings = rules::apply(&spec, &checked.wrong);
                found.extend(findings.faults.into_iter().map(|finding| finding.into_fault(&checked.places)));
                warnings.extend(findings.warnings.into_iter().map(|finding| finding.into_warning(&checked.places)));
                if found.is_empty() {
                    return Ok(Loaded { spec, places: checked.places, warnings });
                }
            }
            // The table admits only what the types take (a test generates from the table); this arm keeps a gap between
            // the two from becoming a panic.
            Err(error) => found.push(Fault::nowhere("", format!("the spec cannot be read: {error}"), "")),
        }
        Err(faults(found))
    }
}

/// Where each key of a file stands, by its dotted path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    by_path: BTreeMap<String, Place>,
}

impl Places {
    /// Returns the line of a key such as `domain.instance_type`, counted from 1; `None` where the file does not say it.
    #[must_use]
    pub fn line_of(&self, path: &str) -> Option<usize> {
        self.by_path.get(path).map(|place| place.line)
    }

    /// Returns the place of a key, else of the nearest section around it.
    fn nearest(&self, path: &str) -> Option<Place> {
        let mut path = path;
        loop {
            if let Some(place) = self.by_path.get(path) {
                return Some(*place);
            }
            path = path.rsplit_once('.')?.0;
        }
    }

    fn note(&mut self, path: &str, place: Place) {
        self.by_path.insert(path.to_owned(), place);
    }
}

/// The OpenSearch Service domain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DomainSpec {
    /// The domain's name.
    #[serde(skip_serializing_if = "is_unsaid")]
    pub name: Option<String>,
    /// `OpenSearch_X.Y` or `Elasticsearch_X.Y`.
    #[serde(skip_serializing_if = "is_unsaid")]
    pub engine_version: Option<String>,
    /// Instance type of the data nodes.
    #[serde(skip_serializing_if = "is_unsaid")]
    pub instance_type: Option<String>,
    /// Number of data nodes.
    #[serde(skip_serializing_if = "is_unsaid")]
    pub instance_count: Option<u32>,
    /// 1, 2 or 3.
    #[serde(skip_serializing_if = "is_unsaid")]
    pub availability_zones: Option<u32>,
    /// Dedicated master nodes.
    #[serde(skip_serializing_if = "is_unsaid")]
    pub dedicated_masters: Option<DedicatedMastersSpec>,
    /// Storage of each data node.
    #[serde(skip_serializing_if = "is_unsaid")]
    pub volume: Option<VolumeSpec>,
    /// Encryption at rest and between nodes.
    #[serde(skip_serializing_if = "is_unsaid")]
    pub encryption: DomainEncryptionSpec,
    /// The oldest TLS that the endpoint speaks.
    #[serde(skip_serializing_if = "is_unsaid")]
    pub tls_policy: Option<TlsPolicy>,
    /// Who may send requests.
    #[serde(skip_serializing_if = "is_unsaid")]
    pub access: AccessSpec,
}

/// Dedicated master nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DedicatedMastersSpec {
    /// Their instance type.
    pub instance_type: String,
    /// 3 or 5.
    #[serde(default, skip_serializing_if = "is_unsaid")]
    pub count: Option<u32>,
}

/// Storage of each data node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VolumeSpec {
    /// The EBS volume type, or none.
    #[serde(rename = "type", skip_serializing_if = "is_unsaid")]
    pub volume_type: Option<VolumeType>,
    /// Size in GiB.
    #[serde(skip_serializing_if = "is_unsaid")]
    pub size_gib: Option<u32>,
    /// Provisioned operations per second.
    #[serde(skip_serializing_if = "is_unsaid")]
    pub iops: Option<u32>,
    /// Provisioned throughput in MiB per second.
    #[serde(skip_serializing_if = "is_unsaid")]
    pub throughput_mib: Option<u32>,
}

/// Encryption of the domain, at rest and between its nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DomainEncryptionSpec {
    /// Whether data at rest is encrypted.
    #[serde(skip_serializing_if = "is_unsaid")]
    pub at_rest: Option<bool>,
    /// Whether traffic between nodes is encrypted.
    #[serde(skip_serializing_if = "is_unsaid")]
    pub node_to_node: Option<bool>,
    /// ARN of a KMS key.
    #[serde(skip_serializing_if = "is_unsaid")]
    pub kms_key: Option<String>,
}

/// Who may send requests to the domain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AccessSpec {
    /// ARNs of IAM principals.
    #[serde(skip_serializing_if = "is_unsaid")]
    pub principals: Vec<String>,
}

/// The index that Firehose writes to, and its template.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IndexSpec {
    /// The index's name, before rotation adds its suffix.
    #[serde(skip_serializing_if = "is_unsaid")]
    pub name: Option<String>,
    /// How often a new index begins.
    #[serde(skip_serializing_if = "is_unsaid")]
    pub rotation: Option<Rotation>,
    /// The field that holds a record's time.
    #[serde(skip_serializing_if = "is_unsaid")]
    pub time_field: Option<String>,
    /// What a number in the time field counts.
    #[serde(skip_serializing_if = "is_unsaid")]
    pub time_format: Option<TimeFormat>,
    /// Field name to OpenSearch field type.
    #[serde(skip_serializing_if = "is_unsaid")]
    pub fields: BTreeMap<String, String>,
    /// Primary shards of each index.
    #[serde(skip_serializing_if = "is_unsaid")]
    pub shards: Option<u32>,
    /// Copies of each primary shard.
    #[serde(skip_serializing_if = "is_unsaid")]
    pub replicas: Option<u32>,
    /// How soon documents can be found, such as `30s`.
    #[serde(skip_serializing_if = "is_unsaid")]
    pub refresh_interval: Option<String>,
    /// How many fields an index may have.
    #[serde(skip_serializing_if = "is_unsaid")]
    pub total_fields_limit: Option<u32>,
}

/// The delivery stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StreamSpec {
    /// The stream's name.
    #[serde(skip_serializing_if = "is_unsaid")]
    pub name: Option<String>,
    /// How long Firehose goes on trying, in seconds.
    #[serde(skip_serializing_if = "is_unsaid")]
    pub retry_seconds: Option<u32>,
    /// How much Firehose gathers before it writes to the domain.
    #[serde(skip_serializing_if = "is_unsaid")]
    pub buffer: BufferSpec,
    /// Who chooses the id of a document.
    #[serde(skip_serializing_if = "is_unsaid")]
    pub document_ids: Option<DocumentIds>,
    /// Encryption of what the stream holds.
    #[serde(skip_serializing_if = "is_unsaid")]
    pub encryption: StreamEncryptionSpec,
}

/// How much Firehose gathers before it writes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BufferSpec {
    /// Longest wait, in seconds.
    #[serde(skip_serializing_if = "is_unsaid")]
    pub seconds: Option<u32>,
    /// Largest amount, in MiB.
    #[serde(skip_serializing_if = "is_unsaid")]
    pub mib: Option<u32>,
}

/// Server-side encryption of the stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StreamEncryptionSpec {
    /// Whose key, or none.
    #[serde(rename = "type", skip_serializing_if = "is_unsaid")]
    pub key_type: Option<StreamKeyType>,
    /// ARN of the customer's key.
    #[serde(skip_serializing_if = "is_unsaid")]
    pub key: Option<String>,
}

/// What the stream writes to the bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BackupSpec {
    /// Which documents.
    #[serde(skip_serializing_if = "is_unsaid")]
    pub documents: Option<BackupDocuments>,
    /// What stands before the key of each object.
    #[serde(skip_serializing_if = "is_unsaid")]
    pub prefix: Option<String>,
    /// The same for failed documents.
    #[serde(skip_serializing_if = "is_unsaid")]
    pub error_prefix: Option<String>,
    /// Compression of the objects.
    #[serde(skip_serializing_if = "is_unsaid")]
    pub compression: Option<Compression>,
    /// How much Firehose gathers before it writes to the bucket.
    #[serde(skip_serializing_if = "is_unsaid")]
    pub buffer: BufferSpec,
}

/// The backup bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BucketSpec {
    /// The name of a bucket that ekk makes.
    #[serde(skip_serializing_if = "is_unsaid")]
    pub name: Option<String>,
    /// The name of a bucket that is there: checked, never written.
    #[serde(skip_serializing_if = "is_unsaid")]
    pub existing: Option<String>,
    /// After how many days backups are deleted.
    #[serde(skip_serializing_if = "is_unsaid")]
    pub expire_days: Option<u32>,
    /// After how many days unfinished uploads are deleted.
    #[serde(skip_serializing_if = "is_unsaid")]
    pub abort_uploads_days: Option<u32>,
    /// ARN of the KMS key that objects are encrypted with.
    #[serde(skip_serializing_if = "is_unsaid")]
    pub kms_key: Option<String>,
}

/// The role that Firehose assumes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RoleSpec {
    /// The name of a role that ekk makes.
    #[serde(skip_serializing_if = "is_unsaid")]
    pub name: Option<String>,
    /// The name of a role that is there: checked, never written.
    #[serde(skip_serializing_if = "is_unsaid")]
    pub existing: Option<String>,
    /// The role's path.
    #[serde(skip_serializing_if = "is_unsaid")]
    pub path: Option<String>,
    /// ARN of the managed policy that bounds the role.
    #[serde(skip_serializing_if = "is_unsaid")]
    pub permissions_boundary: Option<String>,
}

/// The log group of Firehose's own errors.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ErrorLogSpec {
    /// The log group's name.
    #[serde(skip_serializing_if = "is_unsaid")]
    pub name: Option<String>,
    /// How many days events are kept.
    #[serde(skip_serializing_if = "is_unsaid")]
    pub retention_days: Option<u32>,
    /// Whether there is one at all.
    #[serde(skip_serializing_if = "is_unsaid")]
    pub enabled: Option<bool>,
}

/// What is made in Dashboards or Kibana.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DashboardsSpec {
    /// The title of the index pattern.
    #[serde(skip_serializing_if = "is_unsaid")]
    pub index_pattern: Option<String>,
}

/// A closed set of words that are the same in the file, in the type and in the schema.
macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($(#[$variant_about:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$variant_about])* #[serde(rename = $word)] $variant,)+
        }

        impl $name {
            /// Every word, in the order of the documentation.
            pub const WORDS: &[&str] = &[$($word),+];

            /// Returns the word of the file, which is AWS's own.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }
    };
}

words! {
    /// How often Firehose begins a new index.
    Rotation {
        /// Never.
        NoRotation = "NoRotation",
        /// Each hour.
        OneHour = "OneHour",
        /// Each day.
        OneDay = "OneDay",
        /// Each week.
        OneWeek = "OneWeek",
        /// Each month.
        OneMonth = "OneMonth",
    }
}

words! {
    /// What a number in the time field counts.
    TimeFormat {
        /// Seconds since 1970, with or without a fraction.
        EpochSecond = "epoch_second",
        /// Milliseconds since 1970.
        EpochMillis = "epoch_millis",
    }
}

words! {
    /// The EBS volume type of data nodes.
    VolumeType {
        /// General purpose, third generation.
        Gp3 = "gp3",
        /// General purpose, second generation.
        Gp2 = "gp2",
        /// Provisioned IOPS.
        Io1 = "io1",
        /// Magnetic.
        Standard = "standard",
        /// No EBS volume: the instance brings its own disks.
        None = "none",
    }
}

words! {
    /// The oldest TLS that the domain's endpoint speaks.
    TlsPolicy {
        /// TLS 1.2 and newer.
        Tls12 = "Policy-Min-TLS-1-2-2019-07",
        /// TLS 1.2 with forward secrecy, and TLS 1.3.
        Tls12Pfs = "Policy-Min-TLS-1-2-PFS-2023-10",
        /// RFC 9151 with FIPS cryptography.
        Tls12Fips = "Policy-Min-TLS-1-2-RFC9151-FIPS-2024-08",
    }
}

words! {
    /// Who chooses the id of a document.
    DocumentIds {
        /// Firehose, the same in each of its retries.
        FirehoseDefault = "FIREHOSE_DEFAULT",
        /// The domain: cheaper to index, but a retry may duplicate.
        NoDocumentId = "NO_DOCUMENT_ID",
    }
}

words! {
    /// Whose key encrypts what the stream holds.
    StreamKeyType {
        /// A key that AWS owns.
        AwsOwned = "AWS_OWNED_CMK",
        /// A KMS key of the customer.
        CustomerManaged = "CUSTOMER_MANAGED_CMK",
        /// No server-side encryption.
        None = "none",
    }
}

words! {
    /// Which documents the backup holds.
    BackupDocuments {
        /// All that are sent.
        AllDocuments = "AllDocuments",
        /// Only those that the domain did not take.
        FailedDocumentsOnly = "FailedDocumentsOnly",
    }
}

words! {
    /// Compression of the backup's objects.
    Compression {
        /// None.
        Uncompressed = "UNCOMPRESSED",
        /// gzip.
        Gzip = "GZIP",
        /// zip.
        Zip = "ZIP",
        /// Snappy.
        Snappy = "Snappy",
        /// Snappy in Hadoop's framing.
        HadoopSnappy = "HADOOP_SNAPPY",
    }
}

fn is_unsaid<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests {
    use proptest::collection::{btree_map, vec};
    use proptest::option;
    use proptest::prelude::{
        BoxedStrategy, Just, ProptestConfig, Strategy as _, any, prop_assert, prop_assert_eq, prop_oneof, proptest,
    };
    use proptest::strategy::Union;
    use proptest::string::string_regex;
    use serde_json::Value;

    use super::*;

    /// Makes values from the schema, so that a key of the table that the types do not take is found.
    fn values_of(schema: &Value) -> BoxedStrategy<Value> {
        if let Some(words) = schema["enum"].as_array() {
            return Union::new(words.iter().cloned().map(Just)).boxed();
        }
        if let Some(any) = schema["anyOf"].as_array() {
            // The second is the form with a placeholder (which the first test of names covers) or null.
            let first = match any[0].get("type") {
                Some(_) => values_of(&any[0]),
                None => texts(any[0]["pattern"].as_str().expect("a pattern")),
            };
            return if any[1]["type"] == "null" { prop_oneof![first, Just(Value::Null)].boxed() } else { first };
        }
        match schema["type"].as_str() {
            Some("object") if schema["additionalProperties"] == Value::Bool(false) => {
                let required: Vec<&str> =
                    schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
                let mut fields: BoxedStrategy<Vec<(String, Option<Value>)>> = Just(Vec::new()).boxed();
                for (name, schema) in schema["properties"].as_object().expect("properties") {
                    let value = values_of(schema);
                    let value = if required.contains(&name.as_str()) {
                        value.prop_map(Some).boxed()
                    } else {
                        option::weighted(0.3, value).boxed()
                    };
                    let name = name.clone();
                    fields = (fields, value)
                        .prop_map(move |(mut fields, value)| {
                            fields.push((name.clone(), value));
                            fields
                        })
                        .boxed();
                }
                fields
                    .prop_map(|fields| {
                        Value::Object(fields.into_iter().filter_map(|(name, value)| Some((name, value?))).collect())
                    })
                    .boxed()
            }
            Some("object") => {
                let keys = texts(schema["propertyNames"]["pattern"].as_str().expect("a pattern"));
                btree_map(
                    keys.prop_map(|key| key.as_str().unwrap_or_default().to_owned()),
                    values_of(&schema["additionalProperties"]),
                    0..4,
                )
                .prop_map(|map| Value::Object(map.into_iter().collect()))
                .boxed()
            }
            Some("array") => vec(values_of(&schema["items"]), 1..3).prop_map(Value::Array).boxed(),
            Some("integer") => {
                let (min, max) = (schema["minimum"].as_u64().expect("min"), schema["maximum"].as_u64().expect("max"));
                prop_oneof![Just(min), Just(max), min..=max].prop_map(Value::from).boxed()
            }
            Some("boolean") => any::<bool>().prop_map(Value::from).boxed(),
            Some("string") => match schema["pattern"].as_str() {
                Some(pattern) => texts(pattern),
                None => texts("^[A-Za-z0-9/_=.-]{0,40}$"),
            },
            other => panic!("{other:?} in the schema"),
        }
    }

    fn texts(pattern: &str) -> BoxedStrategy<Value> {
        let inner = pattern.trim_start_matches('^').trim_end_matches('$').to_owned();
        string_regex(&inner).expect("a pattern").prop_map(Value::from).boxed()
    }

    fn documents() -> BoxedStrategy<Value> {
        values_of(&serde_json::from_str(&json_schema()).expect("JSON"))
    }

    /// Names that the schema's patterns cannot rule out.
    fn is_reserved(fault: &str) -> bool {
        const RESERVED: &[&str] = &[
            "begins with `",
            "ends with `",
            "looks like an IP address",
            "two dots side by side",
            "is OpenSearch's own field",
            "is characters long",
            "keeps such names",
            "no bucket may be named",
            "does not begin and end",
            "an empty part",
        ];
        RESERVED.iter().any(|reserved| fault.contains(reserved))
    }

    /// Reads a text without the rules across keys.
    fn read(text: &str) -> (Vec<Fault>, Result<Spec, serde_yaml::Error>) {
        let checked = check::check(&tree::parse(text).expect("YAML"));
        (checked.faults, serde_yaml::from_value(checked.value))
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_the_schema_allows_is_read_and_written_and_read_again(document in documents()) {
            let text = serde_yaml::to_string(&document).expect("YAML");
            let (faults, spec) = read(&text);
            for fault in &faults {
                prop_assert!(is_reserved(&fault.message), "{fault:?}\n{text}");
            }
            let spec = spec.expect("the types take what the table takes");
            let again = serde_yaml::to_string(&spec).expect("YAML");
            let (_, again) = read(&again);
            prop_assert_eq!(again.expect("what was written can be read"), spec);
        }
    }
}
