//! The OpenSearch Service domain.

use serde::{Deserialize, Serialize};

use crate::plan::{Step, Work};
use crate::policy::Document;
use crate::resource::{HazardNote, Kind, Observed, Settings, Verdict};

/// The domain as ekk manages it. In change, these are the *requested* settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DomainSettings {
    /// `OpenSearch_X.Y` or `Elasticsearch_X.Y`. `None` is not managed: ekk chooses at creation and leaves it alone.
    pub engine_version: Option<String>,
    /// Nodes.
    pub cluster: Cluster,
    /// Storage of each data node.
    pub volume: Volume,
    /// Encryption at rest.
    pub encryption_at_rest: EncryptionAtRest,
    /// Whether traffic between nodes is encrypted.
    pub node_to_node_encryption: bool,
    /// The endpoint's rules.
    pub endpoint: EndpointOptions,
    /// The access policy, canonical; `None` where there is none.
    pub access_policy: Option<Document>,
}

/// Nodes of a domain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cluster {
    /// Such as `t3.small.search`.
    pub instance_type: String,
    /// Data nodes.
    pub instance_count: u32,
    /// 1 (no zone awareness), 2 or 3.
    pub availability_zones: u32,
    /// Dedicated masters.
    pub dedicated_masters: DedicatedMasters,
}

/// Dedicated master nodes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DedicatedMasters {
    /// Whether there are any.
    pub enabled: bool,
    /// Their instance type; `None` when there are none.
    pub instance_type: Option<String>,
    /// 3 or 5; `None` when there are none.
    pub count: Option<u32>,
}

/// EBS storage of each data node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Volume {
    /// False for instance-store types.
    pub enabled: bool,
    /// `gp3`, `gp2`, `io1` or `standard`.
    #[serde(rename = "type")]
    pub volume_type: Option<String>,
    /// Size in GiB.
    pub size_gib: Option<u32>,
    /// Provisioned IOPS; `None` is not managed.
    pub iops: Option<u32>,
    /// Throughput in MiB/s; `None` is not managed.
    pub throughput_mib: Option<u32>,
}

/// Encryption at rest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EncryptionAtRest {
    /// Whether it is on.
    pub enabled: bool,
    /// ARN of the KMS key; `None` is AWS's own key and not managed.
    pub kms_key: Option<String>,
}

/// The endpoint's rules.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EndpointOptions {
    /// Whether plain HTTP is refused.
    pub enforce_https: bool,
    /// Such as `Policy-Min-TLS-1-2-2019-07`.
    pub tls_policy: String,
}

/// What OpenSearch Service assigns.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct DomainFacts {
    /// The ARN.
    pub arn: String,
    /// The live engine version, whether it is managed or not.
    pub engine_version: String,
    /// The endpoint without a scheme; may carry a port and a path. `None` while there is none yet.
    pub endpoint: Option<String>,
}

impl Settings for DomainSettings {
    const KIND: Kind = Kind::Domain;

    type Facts = DomainFacts;

    fn judge(_pointer: &str, _before: &Self, _after: &Self) -> Verdict {
        Verdict::InPlace
    }

    fn hazard_of_deleting(_observed: &Observed<Self>) -> Option<HazardNote> {
        None
    }

    fn work(step: Step<Self>) -> Work {
        Work::Domain(step)
    }
}
