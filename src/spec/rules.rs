//! Rules across keys: what AWS would refuse although each key is sound by itself, and what is legal but will hurt.
//! A rule is skipped when one of its keys is at fault already.

use std::collections::BTreeSet;

use super::fault::Finding;
use super::values::{self, Arn, REGIONS, RESERVED_STARTS, two_numbers};
use super::{
    BackupDocuments, DEFAULT_EDITION, DomainEncryptionSpec, Edition, Rotation, Spec, StreamKeyType, TimeFormat,
    VolumeSpec, VolumeType,
};

/// What all rules found.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) faults: Vec<Finding>,
    pub(super) warnings: Vec<Finding>,
}

impl Findings {
    fn refuse(&mut self, path: impl Into<String>, message: impl Into<String>, help: impl Into<String>) {
        self.faults.push(Finding { path: path.into(), message: message.into(), help: help.into() });
    }

    fn warn(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.warnings.push(Finding { path: path.into(), message: message.into(), help: String::new() });
    }
}

/// A rule across keys.
pub(super) struct Rule {
    /// The keys that it reads, or the sections around them.
    keys: &'static [&'static str],
    /// What it says, for the reference.
    pub(super) says: &'static str,
    check: fn(&Facts<'_>, &mut Findings),
}

/// Applies every rule whose keys are sound.
pub(super) fn apply(spec: &Spec, wrong: &BTreeSet<String>) -> Findings {
    let mut findings = Findings::default();
    let facts = Facts::of(spec);
    for rule in RULES {
        let is_wrong = |key: &&str| wrong.iter().any(|path| touches(path, key));
        if !rule.keys.iter().any(is_wrong) {
            (rule.check)(&facts, &mut findings);
        }
    }
    findings
}

/// Whether one path is the other or lies inside of it.
fn touches(one: &str, other: &str) -> bool {
    let (short, long) = if one.len() < other.len() { (one, other) } else { (other, one) };
    long.strip_prefix(short).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// The spec with the values that rules compare, said or by default.
struct Facts<'a> {
    spec: &'a Spec,
    edition: Edition,
    instance_type: &'a str,
    /// Such as `t3` and `small`.
    family: &'a str,
    size: &'a str,
    nodes: u32,
    zones: u32,
    replicas: u32,
    rotation: Rotation,
    index: &'a str,
}

impl<'a> Facts<'a> {
    fn of(spec: &'a Spec) -> Self {
        let number = spec.edition.unwrap_or(DEFAULT_EDITION);
        let edition = Edition::numbered(number).unwrap_or(Edition::ONE);
        let domain = &spec.domain;
        let instance_type = domain.instance_type.as_deref().unwrap_or(edition.instance_type);
        let (family, size) = family_and_size(instance_type);
        let nodes = domain.instance_count.unwrap_or(edition.instance_count);
        let default_replicas = if nodes == 1 { edition.replicas_of_one_node } else { edition.replicas };
        Self {
            spec,
            edition,
            instance_type,
            family,
            size,
            nodes,
            zones: domain.availability_zones.unwrap_or(edition.availability_zones),
            replicas: spec.index.replicas.unwrap_or(default_replicas),
            rotation: spec.index.rotation.unwrap_or(edition.rotation),
            index: spec.index.name.as_deref().unwrap_or(&spec.stack),
        }
    }

    fn volume(&self) -> VolumeSpec {
        self.spec.domain.volume.clone().unwrap_or_default()
    }

    /// The volume's type and size as they will be; `None` without a volume.
    fn disk(&self) -> Option<(VolumeType, u32)> {
        let VolumeSpec { volume_type, size_gib, iops: _, throughput_mib: _ } = self.volume();
        if volume_type == Some(VolumeType::None)
            || (self.spec.domain.volume.is_none() && disks(self.family) == Disks::OwnOnly)
        {
            return None;
        }
        Some((volume_type.unwrap_or(self.edition.volume_type), size_gib.unwrap_or(self.edition.volume_gib)))
    }

    fn is_burstable(&self) -> bool {
        is_burstable(self.family)
    }

    fn engine(&self) -> Option<(&str, u32, u32)> {
        let (family, version) = self.spec.domain.engine_version.as_deref()?.split_once('_')?;
        let (major, minor) = two_numbers(version)?;
        Some((family, major, minor))
    }
}

fn family_and_size(instance_type: &str) -> (&str, &str) {
    let mut parts = instance_type.split('.');
    (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
}

fn is_burstable(family: &str) -> bool {
    matches!(family, "t2" | "t3")
}

/// Where an instance type keeps its data.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Disks {
    /// On disks of its own; EBS is refused.
    OwnOnly,
    /// On EBS; it has no disks.
    EbsOnly,
    /// On either, or not known to this release: AWS decides.
    Either,
}

/// OpenSearch Service Developer Guide, EBS volume size quotas and OpenSearch optimized instances.
fn disks(family: &str) -> Disks {
    match family {
        "i3" | "i3en" | "i4g" | "i4i" | "i7i" | "i7ie" | "i8g" | "im4gn" | "oi2" | "r6gd" | "r7gd" | "r8gd" => {
            Disks::OwnOnly
        }
        "t2" | "t3" | "m4" | "m5" | "m6g" | "m7g" | "m7i" | "m8g" | "c4" | "c5" | "c6g" | "c7g" | "c7i" | "c8g"
        | "r4" | "r5" | "r6g" | "r7g" | "r7i" | "r8g" | "or1" | "or2" | "om2" => Disks::EbsOnly,
        _ => Disks::Either,
    }
}

/// Tells whether an instance type has disks of its own and takes no EBS volume.
#[must_use]
pub fn brings_its_own_disks(instance_type: &str) -> bool {
    disks(family_and_size(instance_type).0) == Disks::OwnOnly
}

fn is_optimized(family: &str) -> bool {
    matches!(family, "or1" | "or2" | "om2" | "oi2")
}

/// Families of Graviton processors carry a `g` behind their generation; OpenSearch's own are Graviton, too.
fn is_graviton(family: &str) -> bool {
    let generation = family.find(|c: char| c.is_ascii_digit()).unwrap_or(family.len());
    is_optimized(family) || family[generation..].contains('g')
}

/// Instance types that AWS calls previous generation: no gp3.
fn is_previous_generation(family: &str) -> bool {
    matches!(family, "t2" | "m3" | "m4" | "c4" | "r3" | "r4" | "i2")
}

/// The largest gp2 and gp3 volume in GiB; `None` where this release does not know (Developer Guide, EBS volume size quotas).
fn largest_volume(family: &str, size: &str) -> Option<(u32, u32)> {
    const TIB: u32 = 1024;
    Some(match (family, size) {
        ("t2", _) => (35, 0),
        ("t3", "small") => (100, 100),
        ("t3", "medium") => (200, 200),
        ("m3", "medium") | ("c4", "large") => (100, 0),
        ("m3" | "r3" | "i2", _) | ("m4", "large") | ("c4", "xlarge") => (512, 0),
        ("m4", "xlarge") | ("c4", "2xlarge") | ("r4", "large") => (TIB, 0),
        ("m4" | "c4" | "r4", _) => (TIB * 3 / 2, 0),
        ("m5" | "m6g", "large") => (512, TIB),
        ("m5" | "m6g", "xlarge") => (TIB, 2 * TIB),
        ("m5" | "m6g", "2xlarge") => (TIB * 3 / 2, 3 * TIB),
        ("m5" | "m6g", "4xlarge") => (3 * TIB, 6 * TIB),
        ("m6g", "8xlarge") => (6 * TIB, 12 * TIB),
        ("m5" | "m6g", "12xlarge") => (9 * TIB, 18 * TIB),
        ("c5" | "c6g", "large") => (256, 256),
        ("c5" | "c6g", "xlarge") => (512, 512),
        ("c5" | "c6g", "2xlarge") => (TIB, TIB),
        ("c5" | "c6g", "4xlarge") => (TIB * 3 / 2, TIB * 3 / 2),
        ("r5" | "r6g", "large") => (TIB, 2 * TIB),
        ("r5" | "r6g", "xlarge") => (TIB * 3 / 2, 3 * TIB),
        ("r5" | "r6g", "2xlarge") => (3 * TIB, 6 * TIB),
        ("r5" | "r6g", "4xlarge") => (6 * TIB, 12 * TIB),
        ("r6g", "8xlarge") => (8 * TIB, 16 * TIB),
        ("r5" | "r6g", "12xlarge") => (12 * TIB, 24 * TIB),
        _ => return None,
    })
}

/// Every rule across keys, in the order of the reference.
pub(super) static RULES: &[Rule] = &[
    Rule {
        keys: &["region"],
        says: "A region that this release does not know is a warning.",
        check: |facts, findings| {
            let Some(region) = facts.spec.region.as_deref().filter(|region| !REGIONS.contains(region)) else {
                return;
            };
            let meant = super::meant::closest(region, REGIONS.iter().copied())
                .map_or_else(String::new, |meant| format!("; did you mean {meant}?"));
            findings.warn("region", format!("`{region}` is not a region that this release knows{meant}"));
        },
    },
    Rule {
        keys: &["stack", "bucket"],
        says: "A bucket named after the stack must be a name that S3 takes.",
        check: |facts, findings| {
            let bucket = &facts.spec.bucket;
            let start = RESERVED_STARTS.iter().find(|start| facts.spec.stack.starts_with(**start));
            if let (None, None, Some(start)) = (&bucket.name, &bucket.existing, start) {
                findings.refuse(
                    "stack",
                    format!("no bucket may be named `{start}…`"),
                    "name the bucket: `bucket: { name: … }`",
                );
            }
        },
    },
    Rule {
        keys: &["tags"],
        says: "At most 48 tags, beside ekk's own two; none that differ only in case, which IAM takes for one. More than 8 are a warning: AWS's papers disagree whether a domain takes 10 or 50.",
        check: |facts, findings| {
            let tags = &facts.spec.tags;
            let set = tags.values().filter(|value| value.is_some()).count();
            if set > 48 {
                findings.refuse("tags", format!("{set} tags and ekk's own two are more than 50"), "AWS takes 50");
            } else if set > 8 {
                findings
                    .warn("tags", format!("{set} tags and ekk's own two: AWS may take no more than 10 on a domain"));
            }
            let mut lower = BTreeSet::new();
            for key in tags.keys() {
                if !lower.insert(key.to_lowercase()) {
                    findings.refuse(
                        "tags",
                        format!("`{key}` stands here in two spellings"),
                        "IAM takes tags that differ only in case for one",
                    );
                }
            }
        },
    },
    Rule {
        keys: &["domain.engine_version"],
        says: "A version that this release does not know is a warning: AWS decides. Elasticsearch before 7.10 costs extra.",
        check: |facts, findings| {
            let Some((family, major, minor)) = facts.engine() else {
                return;
            };
            let known: &[(u32, u32)] = match family {
                "OpenSearch" => OPENSEARCH_VERSIONS,
                _ => ELASTICSEARCH_VERSIONS,
            };
            if !known.contains(&(major, minor)) {
                findings.warn(
                    "domain.engine_version",
                    format!("this release does not know {family}_{major}.{minor}; AWS decides"),
                );
            } else if family == "Elasticsearch" && minor < 10 {
                findings.warn(
                    "domain.engine_version",
                    "standard support for Elasticsearch before 7.10 has ended: AWS bills extended support",
                );
            }
        },
    },
    Rule {
        keys: &["domain.instance_count", "domain.availability_zones"],
        says: "At least one data node in each zone; a number that does not divide evenly is a warning.",
        check: |facts, findings| {
            let (nodes, zones) = (facts.nodes, facts.zones);
            if nodes < zones {
                findings.refuse(
                    "domain.availability_zones",
                    format!("{zones} zones with {nodes} data {}", plural(nodes, "node")),
                    format!("instance_count of {zones} or more"),
                );
            } else if nodes % zones != 0 {
                findings.warn(
                    "domain.instance_count",
                    format!("{nodes} data nodes do not spread evenly over {zones} zones"),
                );
            }
        },
    },
    Rule {
        keys: &["domain.instance_count", "domain.instance_type", "domain.dedicated_masters"],
        says: "More than 10 data nodes need dedicated masters, which then cannot be t2 or t3; t2 goes up to 10 data nodes.",
        check: |facts, findings| {
            let masters = facts.spec.domain.dedicated_masters.as_ref();
            let nodes = facts.nodes;
            if nodes > 10 && facts.family == "t2" {
                findings.refuse(
                    "domain.instance_count",
                    format!("{nodes} data nodes of {}", facts.instance_type),
                    "AWS takes at most 10 of a t2 type",
                );
            }
            match masters {
                None if nodes > 10 => findings.refuse(
                    "domain.instance_count",
                    format!("{nodes} data nodes without dedicated masters"),
                    "AWS wants `dedicated_masters` above 10 data nodes",
                ),
                None if nodes == 2 => findings.warn(
                    "domain.instance_count",
                    "two data nodes without dedicated masters: when one fails, the other cannot go on alone",
                ),
                None => {}
                Some(masters) if nodes > 10 && is_burstable(family_and_size(&masters.instance_type).0) => findings
                    .refuse(
                        "domain.dedicated_masters.instance_type",
                        format!("{} as dedicated masters of {nodes} data nodes", masters.instance_type),
                        "AWS takes t2 and t3 masters for at most 10 data nodes",
                    ),
                Some(_) => {}
            }
            if nodes > 80 {
                findings
                    .warn("domain.instance_count", format!("{nodes} data nodes: AWS's quota is 80 until it is raised"));
            }
        },
    },
    Rule {
        keys: &["domain.instance_type", "domain.encryption.at_rest"],
        says: "t2, m3 and r3 cannot encrypt at rest, so they want `at_rest: false`; OpenSearch optimized instances always do.",
        check: |facts, findings| {
            let at_rest = facts.spec.domain.encryption.at_rest.unwrap_or(true);
            if at_rest && matches!(facts.family, "t2" | "m3" | "r3") {
                findings.refuse(
                    "domain.instance_type",
                    format!("{} cannot encrypt data at rest", facts.instance_type),
                    "t3.small.search can; or say `encryption: { at_rest: false }`",
                );
            } else if !at_rest && is_optimized(facts.family) {
                findings.refuse(
                    "domain.encryption.at_rest",
                    format!("{} must encrypt data at rest", facts.instance_type),
                    "remove `at_rest: false`",
                );
            }
        },
    },
    Rule {
        keys: &["domain.encryption"],
        says: "A key is for data at rest only, so it does not go with `at_rest: false`. Encryption that is off is a warning.",
        check: |facts, findings| {
            let DomainEncryptionSpec { at_rest, node_to_node, kms_key } = &facts.spec.domain.encryption;
            if *at_rest == Some(false) && kms_key.is_some() {
                findings.refuse(
                    "domain.encryption.kms_key",
                    "a key without encryption at rest",
                    "remove `at_rest: false`, or the key",
                );
            }
            if *at_rest == Some(false) {
                findings.warn(
                    "domain.encryption.at_rest",
                    "the documents and their snapshots lie on AWS's disks unencrypted",
                );
            }
            if *node_to_node == Some(false) {
                findings.warn("domain.encryption.node_to_node", "the documents go between the nodes unencrypted");
            }
        },
    },
    Rule {
        keys: &["domain.instance_type", "domain.volume"],
        says: "Instance types with disks of their own take no volume; the others need one.",
        check: |facts, findings| {
            let Some(volume) = &facts.spec.domain.volume else {
                return;
            };
            let VolumeSpec { volume_type, size_gib, iops, throughput_mib } = volume;
            if *volume_type == Some(VolumeType::None) {
                if size_gib.or(*iops).or(*throughput_mib).is_some() {
                    findings.refuse(
                        "domain.volume",
                        "a volume of type none has no size, iops or throughput",
                        "remove them",
                    );
                } else if disks(facts.family) == Disks::EbsOnly {
                    findings.refuse(
                        "domain.volume.type",
                        format!("{} has no disks of its own", facts.instance_type),
                        "it needs a volume, such as `{ type: gp3, size_gib: 10 }`",
                    );
                }
            } else if disks(facts.family) == Disks::OwnOnly {
                findings.refuse(
                    "domain.volume",
                    format!("{} takes no volume: it has disks of its own", facts.instance_type),
                    "remove `volume`",
                );
            }
        },
    },
    Rule {
        keys: &["domain.instance_type", "domain.volume"],
        says: "A volume's type and size must be what the instance type takes: no gp3 for previous generations, gp3 or io1 for OpenSearch optimized instances, no magnetic disks for Graviton.",
        check: |facts, findings| {
            let Some((volume_type, size)) = facts.disk() else {
                return;
            };
            let it = facts.instance_type;
            if disks(facts.family) == Disks::OwnOnly {
                return;
            }
            match volume_type {
                VolumeType::Gp3 if is_previous_generation(facts.family) => {
                    findings.refuse(
                        "domain.volume.type",
                        format!("{it} takes no gp3 volume"),
                        "`volume: { type: gp2 }`, or a newer instance type",
                    );
                    return;
                }
                VolumeType::Gp2 | VolumeType::Standard if is_optimized(facts.family) => {
                    findings.refuse(
                        "domain.volume.type",
                        format!("{it} takes no {} volume", volume_type.word()),
                        "gp3 or io1",
                    );
                    return;
                }
                VolumeType::Standard if is_graviton(facts.family) => {
                    findings.refuse("domain.volume.type", format!("{it} takes no magnetic volume"), "gp3");
                    return;
                }
                VolumeType::Gp3 | VolumeType::Gp2 | VolumeType::Io1 | VolumeType::Standard | VolumeType::None => {}
            }
            let largest = match (volume_type, largest_volume(facts.family, facts.size)) {
                (VolumeType::Standard, Some((gp2, _))) => Some(gp2.min(100)),
                (VolumeType::Standard, None) => Some(100),
                (VolumeType::Gp2, Some((gp2, _))) => Some(gp2),
                (VolumeType::Gp3, Some((_, gp3))) => Some(gp3),
                (VolumeType::Gp2 | VolumeType::Gp3, None) | (VolumeType::Io1 | VolumeType::None, _) => None,
            };
            if let Some(largest) = largest.filter(|largest| size > *largest) {
                findings.refuse(
                    "domain.volume.size_gib",
                    format!("{it} takes at most {largest} GiB of {}", volume_type.word()),
                    format!("10 to {largest}"),
                );
            }
        },
    },
    Rule {
        keys: &["domain.volume"],
        says: "`iops` is for gp3 (3,000 to 16,000 for each 3 TiB) and io1 (to 16,000), `throughput_mib` for gp3 (125 to 1,000 for each 3 TiB).",
        check: |facts, findings| {
            let VolumeSpec { volume_type: _, size_gib: _, iops, throughput_mib } = facts.volume();
            let Some((volume_type, size)) = facts.disk() else {
                return;
            };
            let parts = size.div_ceil(3 * 1024);
            let iops_range = match volume_type {
                VolumeType::Gp3 => Some((3000, 16_000 * parts)),
                VolumeType::Io1 => Some((100, 16_000)),
                VolumeType::Gp2 | VolumeType::Standard | VolumeType::None => None,
            };
            match (iops, iops_range) {
                (Some(_), None) => findings.refuse(
                    "domain.volume.iops",
                    format!("{} takes no iops", volume_type.word()),
                    "they are for gp3 and io1",
                ),
                (Some(iops), Some((min, max))) if iops < min || iops > max => findings.refuse(
                    "domain.volume.iops",
                    format!("{iops} is out of range for {size} GiB of {}", volume_type.word()),
                    format!("{min} to {max}"),
                ),
                (Some(_) | None, _) => {}
            }
            match (throughput_mib, volume_type) {
                (Some(throughput), VolumeType::Gp3) if throughput > 1000 * parts => findings.refuse(
                    "domain.volume.throughput_mib",
                    format!("{throughput} is out of range for {size} GiB of gp3"),
                    format!("125 to {}", 1000 * parts),
                ),
                (None, _) | (Some(_), VolumeType::Gp3) => {}
                (Some(_), VolumeType::Gp2 | VolumeType::Io1 | VolumeType::Standard | VolumeType::None) => findings
                    .refuse(
                        "domain.volume.throughput_mib",
                        format!("{} takes no throughput", volume_type.word()),
                        "it is for gp3",
                    ),
            }
        },
    },
    Rule {
        keys: &["domain.engine_version", "domain.instance_type", "domain.dedicated_masters", "index.refresh_interval"],
        says: "OpenSearch optimized instances (or1, or2, om2, oi2) need OpenSearch 2.11 or later, Graviton masters, and a refresh interval of 10 s or more. m6g, c6g, r6g and r6gd need Elasticsearch 7.9 or OpenSearch.",
        check: |facts, findings| {
            let it = facts.instance_type;
            if let (Some(("Elasticsearch", _, minor)), "m6g" | "c6g" | "r6g" | "r6gd") = (facts.engine(), facts.family)
                && minor < 9
            {
                findings.refuse(
                    "domain.instance_type",
                    format!("{it} does not run Elasticsearch 7.{minor}"),
                    "Elasticsearch 7.9 or later, or any OpenSearch",
                );
            }
            if !is_optimized(facts.family) {
                return;
            }
            if let Some((family, major, minor)) = facts.engine()
                && (family != "OpenSearch" || (major, minor) < (2, 11))
            {
                findings.refuse(
                    "domain.instance_type",
                    format!("{it} does not run {family} {major}.{minor}"),
                    "OpenSearch 2.11 or later",
                );
            }
            if let Some(masters) = &facts.spec.domain.dedicated_masters
                && !is_graviton(family_and_size(&masters.instance_type).0)
            {
                findings.refuse(
                    "domain.dedicated_masters.instance_type",
                    format!("{it} does not work with masters of {}", masters.instance_type),
                    "it wants Graviton masters, such as m7g.large.search",
                );
            }
            let millis = facts.spec.index.refresh_interval.as_deref().and_then(milliseconds);
            if millis.is_some_and(|millis| millis < 10_000) {
                findings.refuse("index.refresh_interval", format!("{it} refreshes every 10 s at most"), "10s or more");
            }
        },
    },
    Rule {
        keys: &[
            "domain.instance_type",
            "domain.instance_count",
            "domain.availability_zones",
            "domain.dedicated_masters",
        ],
        says: "t3 instances for a domain of production size are a warning.",
        check: |facts, findings| {
            if facts.is_burstable()
                && (facts.zones > 1 || facts.spec.domain.dedicated_masters.is_some() || facts.nodes > 3)
            {
                findings.warn(
                    "domain.instance_type",
                    format!(
                        "{} is for tests: a burst uses up its CPU credits, and it takes no request above 10 MiB",
                        facts.instance_type
                    ),
                );
            }
        },
    },
    Rule {
        keys: &["account", "region", "domain.encryption.kms_key", "stream.encryption.key", "bucket.kms_key"],
        says: "A KMS key must be in the stack's region; one of another account is a warning.",
        check: |facts, findings| {
            let spec = facts.spec;
            for (path, key) in [
                ("domain.encryption.kms_key", &spec.domain.encryption.kms_key),
                ("stream.encryption.key", &spec.stream.encryption.key),
                ("bucket.kms_key", &spec.bucket.kms_key),
            ] {
                let Some(arn) = key.as_deref().and_then(Arn::parse) else {
                    continue;
                };
                if let Some(region) = spec.region.as_deref().filter(|region| *region != arn.region) {
                    findings.refuse(
                        path,
                        format!("the key is in {} and the stack in {region}", arn.region),
                        format!("a key of {region}"),
                    );
                }
                if let Some(account) = spec.account.as_deref().filter(|account| *account != arn.account) {
                    findings.warn(path, format!("the key belongs to {} and the stack to {account}: its policy must let the stack's account use it", arn.account));
                }
            }
        },
    },
    Rule {
        keys: &["account", "role.permissions_boundary"],
        says: "A permissions boundary is a policy of the stack's own account, or AWS's.",
        check: |facts, findings| {
            let boundary = facts.spec.role.permissions_boundary.as_deref().and_then(Arn::parse);
            if let (Some(arn), Some(account)) = (boundary, facts.spec.account.as_deref())
                && arn.account != "aws"
                && arn.account != account
            {
                findings.refuse(
                    "role.permissions_boundary",
                    format!("the policy belongs to {} and the stack to {account}", arn.account),
                    format!("a policy of {account}"),
                );
            }
        },
    },
    Rule {
        keys: &["index", "domain.instance_count"],
        says: "A replica that no node can hold is a warning, and so is a single node or none.",
        check: |facts, findings| {
            let (nodes, replicas) = (facts.nodes, facts.replicas);
            if replicas >= nodes {
                findings.warn(
                    "index.replicas",
                    format!(
                        "{replicas} {} on {nodes} data {}: the domain stays yellow",
                        plural(replicas, "replica"),
                        plural(nodes, "node")
                    ),
                );
            } else if replicas == 0 && nodes > 1 {
                findings.warn("index.replicas", "no replicas: a node that fails takes its documents with it");
            } else if nodes == 1 {
                let small = if matches!(facts.size, "micro" | "small" | "medium") { "small " } else { "" };
                findings.warn(
                    "domain.instance_count",
                    format!("one {small}node without a replica: writes stop when the disk is nearly full"),
                );
            }
        },
    },
    Rule {
        keys: &["index.fields", "index.time_field", "domain.engine_version"],
        says: "`fields` may name the time field only as a date, nothing below a field that is a value, and types only that the engine knows.",
        check: |facts, findings| {
            let index = &facts.spec.index;
            let time_field = index.time_field.as_deref().unwrap_or(facts.edition.time_field);
            for (name, field_type) in &index.fields {
                let path = format!("index.fields.{name}");
                if name == time_field && field_type != "date" {
                    findings.refuse(
                        &path,
                        format!("the time field `{name}` cannot be `{field_type}`"),
                        "remove it here: the template makes it a date",
                    );
                }
                let is_below =
                    |inner: &str, outer: &str| inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('.'));
                let is_value = !matches!(field_type.as_str(), "object" | "nested");
                let mut all = index.fields.keys().map(String::as_str).chain([time_field]);
                let below = all.find(|inner| is_value && is_below(inner, name));
                if let Some(inner) = below {
                    findings.refuse(
                        &path,
                        format!("`{inner}` lies below `{name}`, which is a value"),
                        "a field is either a value or an object",
                    );
                } else if is_below(name, time_field) {
                    findings.refuse(
                        &path,
                        format!("`{name}` lies below the time field `{time_field}`, which is a value"),
                        "a field is either a value or an object",
                    );
                }
                let Some((engine, major, minor)) = facts.engine() else {
                    continue;
                };
                let since = SINCE.iter().find(|(newer, _)| newer == field_type).map(|(_, since)| *since);
                if let Some(since) = since
                    && (engine != "OpenSearch" || (major, minor) < since)
                {
                    findings.refuse(
                        &path,
                        format!("{engine} {major}.{minor} does not know the type `{field_type}` of `{name}`"),
                        format!("OpenSearch {}.{} does", since.0, since.1),
                    );
                }
            }
        },
    },
    Rule {
        keys: &["index.refresh_interval"],
        says: "A refresh interval of `-1` is a warning.",
        check: |facts, findings| {
            if facts.spec.index.refresh_interval.as_deref() == Some("-1") {
                findings.warn(
                    "index.refresh_interval",
                    "documents cannot be found until something else refreshes the index",
                );
            }
        },
    },
    Rule {
        keys: &["stack", "index.name", "index.rotation", "dashboards.index_pattern"],
        says: "The index pattern must match the index, with the suffix of its rotation.",
        check: |facts, findings| {
            let Some(pattern) = facts.spec.dashboards.index_pattern.as_deref() else {
                return;
            };
            let samples = samples(facts.index, facts.rotation);
            let matched = samples.iter().filter(|sample| covers(pattern, sample)).count();
            let meant = match facts.rotation {
                Rotation::NoRotation => facts.index.to_owned(),
                Rotation::OneHour | Rotation::OneDay | Rotation::OneWeek | Rotation::OneMonth => {
                    format!("{}-*", facts.index)
                }
            };
            if matched == 0 {
                findings.refuse(
                    "dashboards.index_pattern",
                    format!("`{pattern}` cannot match {}", samples[0]),
                    format!("did you mean {meant}?"),
                );
            } else if matched < samples.len() {
                findings.warn(
                    "dashboards.index_pattern",
                    format!("`{pattern}` will not match every index; `{meant}` would"),
                );
            }
        },
    },
    Rule {
        keys: &["stream.retry_seconds"],
        says: "No retries at all are a warning.",
        check: |facts, findings| {
            if facts.spec.stream.retry_seconds == Some(0) {
                findings.warn(
                    "stream.retry_seconds",
                    "no retries: what a busy domain does not take at once goes to the failed documents",
                );
            }
        },
    },
    Rule {
        keys: &["stream.encryption"],
        says: "CUSTOMER_MANAGED_CMK needs a key, and only it takes one.",
        check: |facts, findings| {
            let encryption = &facts.spec.stream.encryption;
            let key_type = encryption.key_type.unwrap_or(facts.edition.stream_encryption);
            match (key_type, &encryption.key) {
                (StreamKeyType::CustomerManaged, None) => findings.refuse(
                    "stream.encryption.type",
                    "CUSTOMER_MANAGED_CMK without a key",
                    "add `key: arn:aws:kms:…`",
                ),
                (StreamKeyType::AwsOwned | StreamKeyType::None, Some(_)) => findings.refuse(
                    "stream.encryption.key",
                    format!("a key with the type {}", key_type.word()),
                    "`type: CUSTOMER_MANAGED_CMK` takes one",
                ),
                (StreamKeyType::CustomerManaged, Some(_)) | (StreamKeyType::AwsOwned | StreamKeyType::None, None) => {}
            }
        },
    },
    Rule {
        keys: &["backup.prefix", "backup.error_prefix"],
        says: "A prefix with an expression needs an error prefix with `!{firehose:error-output-type}`.",
        check: |facts, findings| {
            let has_expression = |prefix: &Option<String>| {
                prefix
                    .as_deref()
                    .and_then(|prefix| values::expressions(prefix).ok())
                    .is_some_and(|found| !found.is_empty())
            };
            let backup = &facts.spec.backup;
            if has_expression(&backup.prefix) && !has_expression(&backup.error_prefix) {
                let path = if backup.error_prefix.is_some() { "backup.error_prefix" } else { "backup.prefix" };
                findings.refuse(
                    path,
                    "a prefix with an expression needs an error prefix with the kind of failure",
                    "such as `error_prefix: \"failed/!{firehose:error-output-type}/\"`",
                );
            }
        },
    },
    Rule {
        keys: &["backup.documents", "bucket.expire_days"],
        says: "Backups that expire within a week are a warning.",
        check: |facts, findings| {
            let documents = facts.spec.backup.documents.unwrap_or(facts.edition.backup_documents);
            if let Some(days @ ..7) = facts.spec.bucket.expire_days {
                let what = match documents {
                    BackupDocuments::AllDocuments => "all backups, failed documents among them,",
                    BackupDocuments::FailedDocumentsOnly => "failed documents",
                };
                findings.warn("bucket.expire_days", format!("{what} are gone after {days} {}", plural(days, "day")));
            }
        },
    },
    Rule {
        keys: &["bucket"],
        says: "A bucket is either `name`d or `existing`; one that exists is not written, so nothing of it can be set.",
        check: |facts, findings| {
            let bucket = &facts.spec.bucket;
            if bucket.existing.is_none() {
                return;
            }
            if bucket.name.is_some() {
                findings.refuse(
                    "bucket.existing",
                    "`name` and `existing` exclude each other",
                    "`name` for a bucket that ekk makes, `existing` for one that is there",
                );
            }
            for (path, is_said) in [
                ("bucket.expire_days", bucket.expire_days.is_some()),
                ("bucket.abort_uploads_days", bucket.abort_uploads_days.is_some()),
            ] {
                if is_said {
                    findings.refuse(
                        path,
                        "an existing bucket is never written",
                        "set it where the bucket is made, or remove it",
                    );
                }
            }
        },
    },
    Rule {
        keys: &["role"],
        says: "The same for a role, but for its `path`, which says where an existing one is.",
        check: |facts, findings| {
            let role = &facts.spec.role;
            if role.existing.is_none() {
                return;
            }
            if role.name.is_some() {
                findings.refuse(
                    "role.existing",
                    "`name` and `existing` exclude each other",
                    "`name` for a role that ekk makes, `existing` for one that is there",
                );
            }
            if role.permissions_boundary.is_some() {
                findings.refuse(
                    "role.permissions_boundary",
                    "an existing role is never written",
                    "set it where the role is made, or remove it",
                );
            }
        },
    },
    Rule {
        keys: &["error_log"],
        says: "Settings of an error log that is not enabled are a warning.",
        check: |facts, findings| {
            let log = &facts.spec.error_log;
            if log.enabled == Some(false) && (log.name.is_some() || log.retention_days.is_some()) {
                findings.warn("error_log.enabled", "the other settings of error_log have no effect while it is off");
            }
        },
    },
    Rule {
        keys: &["index.time_format", "index.fields"],
        says: "With epoch_millis, numbers that Python's logging writes are read as 1970: a warning.",
        check: |facts, findings| {
            if facts.spec.index.time_format == Some(TimeFormat::EpochMillis) {
                findings.warn(
                    "index.time_format",
                    "seconds, as Python's logging counts, are then read as milliseconds: records land in 1970",
                );
            }
        },
    },
];

/// Versions on AWS (ListVersions), newest last.
const OPENSEARCH_VERSIONS: &[(u32, u32)] = &[
    (1, 0),
    (1, 1),
    (1, 2),
    (1, 3),
    (2, 3),
    (2, 5),
    (2, 7),
    (2, 9),
    (2, 11),
    (2, 13),
    (2, 15),
    (2, 17),
    (2, 19),
    (3, 1),
    (3, 3),
    (3, 5),
];
const ELASTICSEARCH_VERSIONS: &[(u32, u32)] = &[(7, 1), (7, 4), (7, 7), (7, 8), (7, 9), (7, 10)];

/// Field types that came after the first OpenSearch, which no Elasticsearch of AWS knows either (OpenSearch documentation).
const SINCE: &[(&str, (u32, u32))] =
    &[("flat_object", (2, 7)), ("unsigned_long", (2, 8)), ("match_only_text", (2, 12)), ("wildcard", (2, 15))];

fn plural(count: u32, noun: &str) -> String {
    if count == 1 { noun.to_owned() } else { format!("{noun}s") }
}

/// Reads `30s` in milliseconds; `None` for never.
fn milliseconds(interval: &str) -> Option<u64> {
    let digits = interval.trim_end_matches(|c: char| c.is_ascii_lowercase());
    let amount: u64 = digits.parse().ok()?;
    Some(match &interval[digits.len()..] {
        "nanos" => amount / 1_000_000,
        "micros" => amount / 1000,
        "ms" => amount,
        "s" => amount * 1000,
        "m" => amount * 60_000,
        "h" => amount * 3_600_000,
        _ => amount * 86_400_000,
    })
}

/// Names that an index may have over the years, to hold a pattern against. How weeks are numbered at a year's turn is
/// not documented, so both spellings of both ends stand here; nothing else computes such names.
fn samples(index: &str, rotation: Rotation) -> Vec<String> {
    let suffixes: &[&str] = match rotation {
        Rotation::NoRotation => return vec![index.to_owned()],
        Rotation::OneHour => &["2026-11-23-13", "2027-01-01-00", "2031-10-05-09"],
        Rotation::OneDay => &["2026-11-23", "2027-01-01", "2031-10-05"],
        Rotation::OneWeek => &["2026-w48", "2027-w01", "2031-w53"],
        Rotation::OneMonth => &["2026-11", "2027-01", "2031-10"],
    };
    suffixes.iter().map(|suffix| format!("{index}-{suffix}")).collect()
}

/// Whether an index pattern covers a name: parts between commas, `*` for anything, a leading `-` takes away.
fn covers(pattern: &str, name: &str) -> bool {
    let mut covered = false;
    for part in pattern.split(',') {
        match part.strip_prefix('-') {
            Some(part) if covered && glob(part, name) => covered = false,
            Some(_) => {}
            None => covered = covered || glob(part, name),
        }
    }
    covered
}

/// Matches `*`, in time linear in both for each star.
fn glob(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else {
        return rest.is_empty();
    };
    for part in parts {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Source;

    fn load(text: &str) -> Result<Vec<String>, Vec<String>> {
        match Spec::load(&Source::text("a.yaml", text)) {
            Ok(loaded) => {
                Ok(loaded.warnings.iter().map(|warning| format!("{}: {}", warning.path, warning.message)).collect())
            }
            Err(faults) => {
                Err(faults.faults().iter().map(|fault| format!("{}: {}", fault.path, fault.message)).collect())
            }
        }
    }

    fn domain(keys: &str) -> Result<Vec<String>, Vec<String>> {
        load(&format!("stack: logs\ndomain: {{ {keys} }}\n"))
    }

    #[track_caller]
    fn refused(result: Result<Vec<String>, Vec<String>>, expected: &str) {
        assert_eq!(result.expect_err("a fault"), [expected]);
    }

    #[track_caller]
    fn warned(result: Result<Vec<String>, Vec<String>>, expected: &str) {
        let warnings = result.expect("no fault");
        assert!(warnings.iter().any(|warning| warning == expected), "{warnings:?}");
    }

    #[test]
    fn zones_need_nodes() {
        refused(domain("availability_zones: 3"), "domain.availability_zones: 3 zones with 1 data node");
        refused(
            domain("availability_zones: 3, instance_count: 2, instance_type: m7g.large.search"),
            "domain.availability_zones: 3 zones with 2 data nodes",
        );
        warned(
            domain("availability_zones: 2, instance_count: 3, instance_type: m7g.large.search"),
            "domain.instance_count: 3 data nodes do not spread evenly over 2 zones",
        );
    }

    #[test]
    fn many_nodes_need_masters_that_are_not_burstable() {
        refused(
            domain("instance_count: 11, instance_type: m7g.large.search"),
            "domain.instance_count: 11 data nodes without dedicated masters",
        );
        refused(
            domain(
                "instance_count: 11, instance_type: m7g.large.search, dedicated_masters: { instance_type: t3.small.search }",
            ),
            "domain.dedicated_masters.instance_type: t3.small.search as dedicated masters of 11 data nodes",
        );
        domain("instance_count: 10, instance_type: m7g.large.search").expect("10 need none");
    }

    #[test]
    fn volumes_fit_the_instance_type() {
        refused(
            domain("volume: { size_gib: 101 }"),
            "domain.volume.size_gib: t3.small.search takes at most 100 GiB of gp3",
        );
        domain("volume: { size_gib: 100 }").expect("the largest");
        refused(
            domain("instance_type: t3.medium.search, volume: { size_gib: 201 }"),
            "domain.volume.size_gib: t3.medium.search takes at most 200 GiB of gp3",
        );
        refused(
            domain("instance_type: m5.large.search, volume: { type: gp2, size_gib: 513 }"),
            "domain.volume.size_gib: m5.large.search takes at most 512 GiB of gp2",
        );
        refused(domain("instance_type: r4.large.search"), "domain.volume.type: r4.large.search takes no gp3 volume");
        refused(
            domain("instance_type: i3.large.search, volume: { size_gib: 20 }"),
            "domain.volume: i3.large.search takes no volume: it has disks of its own",
        );
        refused(domain("volume: { type: none }"), "domain.volume.type: t3.small.search has no disks of its own");
        refused(
            domain("instance_type: or1.medium.search, volume: { type: gp2 }"),
            "domain.volume.type: or1.medium.search takes no gp2 volume",
        );
        refused(
            domain("instance_type: m6g.large.search, volume: { type: standard }"),
            "domain.volume.type: m6g.large.search takes no magnetic volume",
        );
        for keys in [
            "instance_type: i3.large.search",
            "instance_type: i3.large.search, volume: { type: none }",
            "instance_type: x9.large.search, volume: { size_gib: 5000 }",
        ] {
            domain(keys).expect(keys);
        }
    }

    #[test]
    fn provisioned_speed_is_for_the_types_that_take_it() {
        refused(domain("volume: { type: gp2, iops: 3000 }"), "domain.volume.iops: gp2 takes no iops");
        refused(domain("volume: { iops: 2999 }"), "domain.volume.iops: 2999 is out of range for 10 GiB of gp3");
        refused(domain("volume: { iops: 16001 }"), "domain.volume.iops: 16001 is out of range for 10 GiB of gp3");
        domain("instance_type: r6g.4xlarge.search, volume: { size_gib: 4096, iops: 32000, throughput_mib: 2000 }")
            .expect("two times 3 TiB");
        refused(
            domain("volume: { type: io1, throughput_mib: 200 }"),
            "domain.volume.throughput_mib: io1 takes no throughput",
        );
        refused(
            domain("volume: { throughput_mib: 1001 }"),
            "domain.volume.throughput_mib: 1001 is out of range for 10 GiB of gp3",
        );
    }

    #[test]
    fn old_instances_that_cannot_encrypt_are_refused() {
        refused(
            domain("instance_type: t2.small.search, volume: { type: gp2 }"),
            "domain.instance_type: t2.small.search cannot encrypt data at rest",
        );
        domain("instance_type: t2.small.search, volume: { type: gp2 }, encryption: { at_rest: false }")
            .expect("none is asked for");
    }

    #[test]
    fn optimized_instances_are_always_encrypted() {
        refused(
            domain("instance_type: or1.large.search, engine_version: OpenSearch_2.19, encryption: { at_rest: false }"),
            "domain.encryption.at_rest: or1.large.search must encrypt data at rest",
        );
    }

    #[test]
    fn a_key_encrypts_data_at_rest_only() {
        let key = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab";
        refused(
            domain(&format!("encryption: {{ at_rest: false, kms_key: '{key}' }}")),
            "domain.encryption.kms_key: a key without encryption at rest",
        );
        domain(&format!("encryption: {{ at_rest: true, node_to_node: false, kms_key: '{key}' }}")).expect("a key");
    }

    #[test]
    fn encryption_that_is_off_is_told() {
        let at_rest = "domain.encryption.at_rest: the documents and their snapshots lie on AWS's disks unencrypted";
        let node_to_node = "domain.encryption.node_to_node: the documents go between the nodes unencrypted";
        let told = |keys: &str| -> Vec<String> {
            let mut warnings = domain(keys).expect("no fault");
            warnings.retain(|warning| warning.starts_with("domain.encryption"));
            warnings
        };
        assert_eq!(told("encryption: { at_rest: false }"), [at_rest]);
        assert_eq!(told("encryption: { node_to_node: false }"), [node_to_node]);
        assert_eq!(told("encryption: { at_rest: false, node_to_node: false }"), [at_rest, node_to_node]);
        assert_eq!(told("encryption: { at_rest: true, node_to_node: true }"), Vec::<String>::new());
    }

    #[test]
    fn optimized_instances_have_wishes() {
        refused(
            domain("instance_type: or1.large.search, engine_version: OpenSearch_2.9"),
            "domain.instance_type: or1.large.search does not run OpenSearch 2.9",
        );
        refused(
            domain(
                "instance_type: or1.large.search, instance_count: 3, dedicated_masters: { instance_type: m5.large.search }",
            ),
            "domain.dedicated_masters.instance_type: or1.large.search does not work with masters of m5.large.search",
        );
        refused(
            load("stack: logs\ndomain: { instance_type: or1.large.search }\nindex: { refresh_interval: 5s }"),
            "index.refresh_interval: or1.large.search refreshes every 10 s at most",
        );
        refused(
            domain("instance_type: m6g.large.search, engine_version: Elasticsearch_7.8"),
            "domain.instance_type: m6g.large.search does not run Elasticsearch 7.8",
        );
    }

    #[test]
    fn versions_and_regions_that_are_not_known_are_aws_s_to_decide() {
        warned(
            domain("engine_version: OpenSearch_2.4"),
            "domain.engine_version: this release does not know OpenSearch_2.4; AWS decides",
        );
        warned(
            load("stack: logs\nregion: eu-wset-1"),
            "region: `eu-wset-1` is not a region that this release knows; did you mean eu-west-1?",
        );
        warned(
            domain("engine_version: Elasticsearch_7.4"),
            "domain.engine_version: standard support for Elasticsearch before 7.10 has ended: AWS bills extended support",
        );
    }

    #[test]
    fn a_pattern_must_match_the_index() {
        let with = |pattern: &str, rotation: &str| {
            load(&format!(
                "stack: logs\nindex: {{ rotation: {rotation} }}\ndashboards: {{ index_pattern: \"{pattern}\" }}"
            ))
        };
        refused(with("log-*", "OneWeek"), "dashboards.index_pattern: `log-*` cannot match logs-2026-w48");
        refused(with("logs", "OneDay"), "dashboards.index_pattern: `logs` cannot match logs-2026-11-23");
        refused(with("logs-*", "NoRotation"), "dashboards.index_pattern: `logs-*` cannot match logs");
        warned(
            with("logs-2026-*", "OneDay"),
            "dashboards.index_pattern: `logs-2026-*` will not match every index; `logs-*` would",
        );
        for (pattern, rotation) in [
            ("logs-*", "OneWeek"),
            ("*", "OneHour"),
            ("other-*,logs-*", "OneMonth"),
            ("logs", "NoRotation"),
            ("l*s*", "NoRotation"),
        ] {
            assert!(with(pattern, rotation).expect(pattern).iter().all(|warning| !warning.contains("match")));
        }
        refused(
            with("logs-*,-logs-*", "OneDay"),
            "dashboards.index_pattern: `logs-*,-logs-*` cannot match logs-2026-11-23",
        );
    }

    #[test]
    fn expressions_in_a_prefix_need_an_error_prefix() {
        refused(
            load("stack: logs\nbackup: { prefix: 'logs/!{timestamp:yyyy}/' }"),
            "backup.prefix: a prefix with an expression needs an error prefix with the kind of failure",
        );
        refused(
            load("stack: logs\nbackup: { prefix: 'logs/!{timestamp:yyyy}/', error_prefix: failed/ }"),
            "backup.error_prefix: a prefix with an expression needs an error prefix with the kind of failure",
        );
        load("stack: logs\nbackup: { prefix: 'logs/!{timestamp:yyyy}/', error_prefix: 'failed/!{firehose:error-output-type}/' }").expect("both");
    }

    #[test]
    fn keys_of_kms_belong_to_the_stacks_region() {
        let key = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab";
        let with = |region: &str, account: &str| {
            load(&format!(
                "stack: logs\nregion: {region}\naccount: '{account}'\ndomain: {{ encryption: {{ kms_key: '{key}' }} }}"
            ))
        };
        refused(
            with("us-east-1", "123456789012"),
            "domain.encryption.kms_key: the key is in eu-west-1 and the stack in us-east-1",
        );
        warned(
            with("eu-west-1", "210987654321"),
            "domain.encryption.kms_key: the key belongs to 123456789012 and the stack to 210987654321: its policy must let the stack's account use it",
        );
        assert!(!with("eu-west-1", "123456789012").expect("the same").iter().any(|warning| warning.contains("kms")));
    }

    #[test]
    fn a_streams_key_and_its_type_go_together() {
        let key = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab";
        refused(
            load("stack: logs\nstream: { encryption: { type: CUSTOMER_MANAGED_CMK } }"),
            "stream.encryption.type: CUSTOMER_MANAGED_CMK without a key",
        );
        refused(
            load(&format!("stack: logs\nstream: {{ encryption: {{ key: '{key}' }} }}")),
            "stream.encryption.key: a key with the type AWS_OWNED_CMK",
        );
        load(&format!("stack: logs\nstream: {{ encryption: {{ type: CUSTOMER_MANAGED_CMK, key: '{key}' }} }}"))
            .expect("both");
    }

    #[test]
    fn what_exists_is_not_set() {
        refused(
            load("stack: logs\nbucket: { existing: theirs, name: ours }"),
            "bucket.existing: `name` and `existing` exclude each other",
        );
        refused(
            load("stack: logs\nbucket: { existing: theirs, expire_days: 30 }"),
            "bucket.expire_days: an existing bucket is never written",
        );
        refused(
            load("stack: logs\nrole: { existing: theirs, permissions_boundary: 'arn:aws:iam::aws:policy/x' }"),
            "role.permissions_boundary: an existing role is never written",
        );
        load("stack: logs\nbucket: { existing: theirs }\nrole: { existing: theirs, path: /a/ }").expect("sound");
    }

    #[test]
    fn the_time_field_is_a_date() {
        refused(
            load("stack: logs\nindex: { fields: { asctime: keyword } }"),
            "index.fields.asctime: the time field `asctime` cannot be `keyword`",
        );
        refused(
            load("stack: logs\nindex: { fields: { asctime.raw: keyword } }"),
            "index.fields.asctime.raw: `asctime.raw` lies below the time field `asctime`, which is a value",
        );
        refused(
            load("stack: logs\nindex: { fields: { user: keyword, user.name: keyword } }"),
            "index.fields.user: `user.name` lies below `user`, which is a value",
        );
        load("stack: logs\nindex: { fields: { asctime: date, user: object, user.name: keyword } }").expect("sound");
        refused(
            load(
                "stack: logs\ndomain: { engine_version: Elasticsearch_7.10 }\nindex: { fields: { labels: flat_object } }",
            ),
            "index.fields.labels: Elasticsearch 7.10 does not know the type `flat_object` of `labels`",
        );
    }

    #[test]
    fn what_is_legal_but_hurts_is_said() {
        warned(
            load("stack: logs"),
            "domain.instance_count: one small node without a replica: writes stop when the disk is nearly full",
        );
        warned(
            load("stack: logs\nindex: { replicas: 1 }"),
            "index.replicas: 1 replica on 1 data node: the domain stays yellow",
        );
        warned(
            load("stack: logs\nstream: { retry_seconds: 0 }"),
            "stream.retry_seconds: no retries: what a busy domain does not take at once goes to the failed documents",
        );
        warned(
            load("stack: logs\nbucket: { expire_days: 1 }"),
            "bucket.expire_days: all backups, failed documents among them, are gone after 1 day",
        );
        warned(
            domain("instance_count: 2"),
            "domain.instance_count: two data nodes without dedicated masters: when one fails, the other cannot go on alone",
        );
        let tags: String = (0..9).map(|n| format!("t{n}: x, ")).collect();
        warned(
            load(&format!("stack: logs\ntags: {{ {tags} }}")),
            "tags: 9 tags and ekk's own two: AWS may take no more than 10 on a domain",
        );
    }

    #[test]
    fn tags_that_iam_takes_for_one_are_refused() {
        refused(load("stack: logs\ntags: { Team: a, team: b }"), "tags: `team` stands here in two spellings");
    }

    #[test]
    fn a_rule_does_not_judge_a_key_that_is_at_fault() {
        refused(
            domain("instance_type: m5.huge, volume: { size_gib: 500 }"),
            "domain.instance_type: `m5.huge` is not an instance type",
        );
    }

    #[test]
    fn stars_match_anything_in_between() {
        for (pattern, name, matches) in [
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "aXcYb", false),
            ("*", "", true),
            ("a*a", "a", false),
            ("ab", "ab", true),
        ] {
            assert_eq!(glob(pattern, name), matches, "{pattern} {name}");
        }
    }
}
