//! Which instance types there are, and how much storage each can have.

use serde_json::{Value, json};

/// An instance type as far as its name and the guide's table of quotas tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InstanceType<'a> {
    pub(crate) family: &'a str,
    pub(crate) size: &'a str,
}

/// Where an instance type keeps data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Storage {
    /// On volumes of at most so many GiB, by type.
    Volume { gp2: u64, gp3: u64 },
    /// On its own disks; volumes are refused.
    OwnDisks,
}

const SIZES: [&str; 13] = [
    "nano", "micro", "small", "medium", "large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "9xlarge", "12xlarge",
    "16xlarge", "24xlarge",
];

/// Families with volumes: name, first size, last size, and the row of the table of volume limits.
const WITH_VOLUMES: [(&str, &str, &str, Row); 24] = [
    ("c5", "large", "9xlarge", Row::Compute),
    ("c6g", "large", "12xlarge", Row::Compute),
    ("c7g", "large", "16xlarge", Row::Compute),
    ("c7i", "large", "24xlarge", Row::Compute),
    ("c8g", "large", "24xlarge", Row::Compute),
    ("m4", "large", "4xlarge", Row::General),
    ("m5", "large", "24xlarge", Row::General),
    ("m6g", "large", "12xlarge", Row::General),
    ("m7g", "medium", "16xlarge", Row::General),
    ("m7i", "large", "24xlarge", Row::General),
    ("m8g", "medium", "24xlarge", Row::General),
    ("om2", "medium", "16xlarge", Row::General),
    ("or1", "medium", "16xlarge", Row::Memory),
    ("or2", "medium", "16xlarge", Row::Memory),
    ("r4", "large", "16xlarge", Row::Memory),
    ("r5", "large", "24xlarge", Row::Memory),
    ("r6g", "large", "12xlarge", Row::Memory),
    ("r7g", "medium", "16xlarge", Row::Memory),
    ("r7i", "large", "24xlarge", Row::Memory),
    ("r8g", "medium", "24xlarge", Row::Memory),
    ("t2", "micro", "medium", Row::Burstable),
    ("t3", "small", "medium", Row::Burstable),
    ("c4", "large", "8xlarge", Row::Compute),
    ("r3", "large", "8xlarge", Row::Memory),
];

const WITH_OWN_DISKS: [(&str, &str, &str); 9] = [
    ("i2", "xlarge", "2xlarge"),
    ("i3", "large", "16xlarge"),
    ("i4i", "large", "16xlarge"),
    ("i4g", "large", "16xlarge"),
    ("i7i", "large", "24xlarge"),
    ("i8g", "large", "24xlarge"),
    ("im4gn", "large", "16xlarge"),
    ("oi2", "large", "24xlarge"),
    ("r6gd", "large", "16xlarge"),
];

#[derive(Clone, Copy)]
enum Row {
    Burstable,
    Compute,
    General,
    Memory,
}

impl<'a> InstanceType<'a> {
    /// Reads `t3.small.search`; `None` if there is no such type.
    pub(crate) fn read(name: &'a str) -> Option<Self> {
        let (family, rest) = name.split_once('.')?;
        let size = rest.strip_suffix(".search")?;
        let instance_type = Self { family, size };
        instance_type.storage().map(|_| instance_type)
    }

    /// All types, by name.
    pub(crate) fn all() -> Vec<InstanceType<'static>> {
        let volumes = WITH_VOLUMES.iter().map(|(family, first, last, _)| (*family, *first, *last));
        let mut all: Vec<InstanceType<'static>> = volumes
            .chain(WITH_OWN_DISKS)
            .flat_map(|(family, first, last)| {
                SIZES
                    .iter()
                    .filter(move |size| rank(first) <= rank(size) && rank(size) <= rank(last))
                    .map(move |size| InstanceType { family, size })
            })
            .collect();
        all.sort_by_key(|one| (one.family, rank(one.size)));
        all
    }

    pub(crate) fn name(self) -> String {
        format!("{}.{}.search", self.family, self.size)
    }

    /// Burstable types have no Auto-Tune, no warm storage and no standby.
    pub(crate) fn is_burstable(self) -> bool {
        self.family.starts_with('t')
    }

    /// The old generation has no encryption at rest.
    pub(crate) fn can_encrypt(self) -> bool {
        !["t2", "r3", "i2", "m3"].contains(&self.family)
    }

    /// OpenSearch optimized instances keep their data in S3 and take encrypted domains only.
    pub(crate) fn must_encrypt(self) -> bool {
        ["or1", "or2", "om2"].contains(&self.family)
    }

    /// The largest HTTP body in bytes (OpenSearch Service guide, network quotas).
    pub(crate) fn largest_body(self) -> usize {
        if self.is_burstable() || rank(self.size) <= rank("large") { 10 << 20 } else { 100 << 20 }
    }

    /// Where it keeps data (OpenSearch Service guide, EBS volume size quotas).
    pub(crate) fn storage(self) -> Option<Storage> {
        let within = |first: &str, last: &str| {
            SIZES.contains(&self.size) && rank(first) <= rank(self.size) && rank(self.size) <= rank(last)
        };
        if WITH_OWN_DISKS.iter().any(|(family, first, last)| *family == self.family && within(first, last)) {
            return Some(Storage::OwnDisks);
        }
        let (.., row) =
            WITH_VOLUMES.iter().find(|(family, first, last, _)| *family == self.family && within(first, last))?;
        let (gp2, gp3) = match (row, self.size) {
            (Row::Burstable, "micro" | "small") if self.family == "t2" => (35, 35),
            (Row::Burstable, "medium") if self.family == "t2" => (35, 35),
            (Row::Burstable, "small") => (100, 100),
            (Row::Burstable, _) => (200, 200),
            (Row::Compute, "large") => (256, 256),
            (Row::Compute, "xlarge") => (512, 512),
            (Row::Compute, "2xlarge") => (1_024, 1_024),
            (Row::Compute, _) => (1_536, 1_536),
            (Row::General, "medium") => (256, 512),
            (Row::General, "large") => (512, 1_024),
            (Row::General, "xlarge") => (1_024, 2_048),
            (Row::General, "2xlarge") => (1_536, 3_072),
            (Row::General, "4xlarge") => (3_072, 6_144),
            (Row::General, _) => (6_144, 12_288),
            (Row::Memory, "medium") => (512, 1_024),
            (Row::Memory, "large") => (1_024, 2_048),
            (Row::Memory, "xlarge") => (1_536, 3_072),
            (Row::Memory, "2xlarge") => (3_072, 6_144),
            (Row::Memory, _) => (6_144, 12_288),
        };
        Some(Storage::Volume { gp2, gp3 })
    }

    /// One entry of ListInstanceTypeDetails.
    pub(crate) fn details(self) -> Value {
        json!({
            "InstanceType": self.name(),
            "EncryptionEnabled": self.can_encrypt(),
            "CognitoEnabled": true,
            "AppLogsEnabled": true,
            "AdvancedSecurityEnabled": self.can_encrypt(),
            "WarmEnabled": !self.is_burstable(),
            "InstanceRole": ["Data", "Master"],
        })
    }

    /// The answer of DescribeInstanceTypeLimits.
    pub(crate) fn limits(self) -> Value {
        let limit = |name: &str, value: u64| json!({"LimitName": name, "LimitValues": [value.to_string()]});
        let storage_types = match self.storage() {
            Some(Storage::Volume { gp2, gp3 }) => [("gp2", gp2), ("gp3", gp3)]
                .into_iter()
                .map(|(kind, most)| {
                    json!({
                        "StorageTypeName": "ebs",
                        "StorageSubTypeName": kind,
                        "StorageTypeLimits": [limit("MinimumVolumeSize", 10), limit("MaximumVolumeSize", most)],
                    })
                })
                .collect(),
            Some(Storage::OwnDisks) | None => vec![json!({"StorageTypeName": "instance", "StorageSubTypeName": ""})],
        };
        let burstable = self.is_burstable();
        json!({"LimitsByRole": {
            "data": {
                "StorageTypes": storage_types,
                "InstanceLimits": {"InstanceCountLimits": {"MinimumInstanceCount": 1, "MaximumInstanceCount": if burstable { 10 } else { 80 }}},
                "AdditionalLimits": [limit("MaximumNumberOfDataNodesWithoutMasterNode", 10)],
            },
            "master": {
                "InstanceLimits": {"InstanceCountLimits": {"MinimumInstanceCount": 3, "MaximumInstanceCount": 5}},
                "AdditionalLimits": [limit("MaximumNumberOfDataNodesSupported", if burstable { 10 } else { 80 })],
            },
        }})
    }
}

fn rank(size: &str) -> usize {
    SIZES.iter().position(|one| *one == size).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::{InstanceType, Storage};

    #[test]
    fn only_types_that_exist_are_read() {
        for name in ["t3.small.search", "m7g.large.search", "r6gd.16xlarge.search", "or2.medium.search"] {
            assert!(InstanceType::read(name).is_some(), "{name}");
        }
        for name in ["t3.small", "t3.small.elasticsearch", "t3.large.search", "z9.large.search", "m5.huge.search"] {
            assert!(InstanceType::read(name).is_none(), "{name}");
        }
    }

    #[test]
    fn storage_follows_the_guide() {
        let storage = |name| InstanceType::read(name).unwrap().storage().unwrap();
        assert_eq!(storage("t3.small.search"), Storage::Volume { gp2: 100, gp3: 100 });
        assert_eq!(storage("r6g.large.search"), Storage::Volume { gp2: 1_024, gp3: 2_048 });
        assert_eq!(storage("i3.large.search"), Storage::OwnDisks);
    }
}
