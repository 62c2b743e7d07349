//! Maps [`DomainSettings`] to OpenSearch Service's own shapes and back. Pure; an absent member has AWS's default.

use aws_sdk_opensearch::Client;
use aws_sdk_opensearch::operation::create_domain::builders::CreateDomainFluentBuilder;
use aws_sdk_opensearch::operation::update_domain_config::builders::UpdateDomainConfigFluentBuilder;
use aws_sdk_opensearch::types::{
    ClusterConfig, DomainConfig, DomainEndpointOptions, DomainStatus, EbsOptions, EncryptionAtRestOptions,
    NodeToNodeEncryptionOptions, VolumeType, ZoneAwarenessConfig,
};

use crate::error::Result;
use crate::policy::{self, Document};
use crate::resource::domain::{
    Cluster, DedicatedMasters, DomainFacts, DomainSettings, EncryptionAtRest, EndpointOptions, Volume,
};
use crate::resource::within;

/// What an update sends: each group whole, because it is not documented how deep AWS merges one. A group that is `None`
/// stays as it is. AdvancedOptions are never among them: OpenSearch 3.x refuses its own defaults when they are echoed.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Groups {
    cluster: Option<ClusterConfig>,
    volume: Option<EbsOptions>,
    encryption_at_rest: Option<EncryptionAtRestOptions>,
    node_to_node: Option<NodeToNodeEncryptionOptions>,
    endpoint: Option<DomainEndpointOptions>,
    access_policies: Option<String>,
}

impl Groups {
    /// Returns all groups, for a domain that is being made.
    pub(super) fn all(settings: &DomainSettings) -> Self {
        let DomainSettings {
            engine_version: _,
            cluster,
            volume,
            encryption_at_rest,
            node_to_node_encryption,
            endpoint,
            access_policy,
        } = settings;
        Self {
            cluster: Some(to_cluster(cluster, None)),
            volume: Some(to_volume(volume, None)),
            encryption_at_rest: Some(to_encryption_at_rest(encryption_at_rest)),
            node_to_node: Some(NodeToNodeEncryptionOptions::builder().enabled(*node_to_node_encryption).build()),
            endpoint: Some(to_endpoint(endpoint, None)),
            access_policies: access_policy.as_ref().map(|policy| policy.text().to_owned()),
        }
    }

    /// Returns the groups in which something differs. Members that ekk does not manage (warm nodes, a custom endpoint,
    /// IOPS that the spec does not name) are taken over from `live`.
    pub(crate) fn changed(after: &DomainSettings, pointers: &[String], live: Option<&DomainStatus>) -> Self {
        let differs = |group: &str| pointers.iter().any(|pointer| within(pointer, group));
        // Instance type and volume limit each other, so that AWS checks them together.
        let nodes = differs("/cluster") || differs("/volume");
        let all = Self::all(after);
        Self {
            cluster: nodes.then(|| to_cluster(&after.cluster, live.and_then(DomainStatus::cluster_config))),
            volume: nodes.then(|| to_volume(&after.volume, live.and_then(DomainStatus::ebs_options))),
            encryption_at_rest: all.encryption_at_rest.filter(|_| differs("/encryption_at_rest")),
            node_to_node: all.node_to_node.filter(|_| differs("/node_to_node_encryption")),
            endpoint: differs("/endpoint")
                .then(|| to_endpoint(&after.endpoint, live.and_then(DomainStatus::domain_endpoint_options))),
            access_policies: all.access_policies.filter(|_| differs("/access_policy")),
        }
    }

    /// Tells whether there is nothing to send.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Makes the create call.
    pub(super) fn create(&self, client: &Client, name: &str) -> CreateDomainFluentBuilder {
        let Self { cluster, volume, encryption_at_rest, node_to_node, endpoint, access_policies } = self.clone();
        client
            .create_domain()
            .domain_name(name)
            .set_cluster_config(cluster)
            .set_ebs_options(volume)
            .set_encryption_at_rest_options(encryption_at_rest)
            .set_node_to_node_encryption_options(node_to_node)
            .set_domain_endpoint_options(endpoint)
            .set_access_policies(access_policies)
    }

    /// Makes the one update call.
    pub(crate) fn update(&self, client: &Client, name: &str) -> UpdateDomainConfigFluentBuilder {
        let Self { cluster, volume, encryption_at_rest, node_to_node, endpoint, access_policies } = self.clone();
        client
            .update_domain_config()
            .domain_name(name)
            .set_cluster_config(cluster)
            .set_ebs_options(volume)
            .set_encryption_at_rest_options(encryption_at_rest)
            .set_node_to_node_encryption_options(node_to_node)
            .set_domain_endpoint_options(endpoint)
            .set_access_policies(access_policies)
    }
}

fn to_cluster(wanted: &Cluster, live: Option<&ClusterConfig>) -> ClusterConfig {
    let Cluster { instance_type, instance_count, availability_zones, dedicated_masters } = wanted;
    let DedicatedMasters { enabled, instance_type: master_type, count: master_count } = dedicated_masters;
    let zones = (*availability_zones > 1)
        .then(|| ZoneAwarenessConfig::builder().availability_zone_count(signed(*availability_zones)).build());
    let mut cluster = ClusterConfig::builder()
        .instance_type(instance_type.as_str().into())
        .instance_count(signed(*instance_count))
        .zone_awareness_enabled(zones.is_some())
        .set_zone_awareness_config(zones)
        .dedicated_master_enabled(*enabled);
    if *enabled {
        cluster = cluster
            .set_dedicated_master_type(master_type.as_deref().map(Into::into))
            .set_dedicated_master_count(master_count.map(signed));
    }
    let Some(live) = live else { return cluster.build() };
    if live.warm_enabled == Some(true) {
        cluster = cluster
            .warm_enabled(true)
            .set_warm_type(live.warm_type.clone())
            .set_warm_count(live.warm_count)
            .set_cold_storage_options(live.cold_storage_options.clone());
    }
    if live.multi_az_with_standby_enabled == Some(true) {
        cluster = cluster.multi_az_with_standby_enabled(true);
    }
    cluster.set_node_options(live.node_options.clone().filter(|options| !options.is_empty())).build()
}

fn to_volume(wanted: &Volume, live: Option<&EbsOptions>) -> EbsOptions {
    let Volume { enabled, volume_type, size_gib, iops, throughput_mib } = wanted;
    let ebs = EbsOptions::builder().ebs_enabled(*enabled);
    if !enabled {
        return ebs.build();
    }
    // What gp3 includes depends on type and size, so that the live figures hold for the same volume only.
    let same = live.filter(|live| {
        live.volume_type.as_ref().map(VolumeType::as_str) == volume_type.as_deref()
            && live.volume_size == size_gib.map(signed)
    });
    ebs.set_volume_type(volume_type.as_deref().map(Into::into))
        .set_volume_size(size_gib.map(signed))
        .set_iops(iops.map(signed).or_else(|| same?.iops))
        .set_throughput(throughput_mib.map(signed).or_else(|| same?.throughput))
        .build()
}

fn to_encryption_at_rest(wanted: &EncryptionAtRest) -> EncryptionAtRestOptions {
    let EncryptionAtRest { enabled, kms_key } = wanted;
    let key = kms_key.clone().filter(|_| *enabled);
    EncryptionAtRestOptions::builder().enabled(*enabled).set_kms_key_id(key).build()
}

fn to_endpoint(wanted: &EndpointOptions, live: Option<&DomainEndpointOptions>) -> DomainEndpointOptions {
    let EndpointOptions { enforce_https, tls_policy } = wanted;
    let endpoint =
        DomainEndpointOptions::builder().enforce_https(*enforce_https).tls_security_policy(tls_policy.as_str().into());
    match live {
        Some(live) if live.custom_endpoint_enabled == Some(true) => endpoint
            .custom_endpoint_enabled(true)
            .set_custom_endpoint(live.custom_endpoint.clone())
            .set_custom_endpoint_certificate_arn(live.custom_endpoint_certificate_arn.clone())
            .build(),
        Some(_) | None => endpoint.build(),
    }
}

/// Reads the settings of a described domain.
pub(super) fn settings(status: &DomainStatus) -> Result<DomainSettings> {
    Ok(DomainSettings {
        engine_version: status.engine_version.clone(),
        cluster: from_cluster(&status.cluster_config.clone().unwrap_or_else(|| ClusterConfig::builder().build())),
        volume: from_volume(&status.ebs_options.clone().unwrap_or_else(|| EbsOptions::builder().build())),
        encryption_at_rest: status.encryption_at_rest_options.as_ref().map_or_else(no_encryption, from_encryption),
        node_to_node_encryption: status.node_to_node_encryption_options.as_ref().is_some_and(is_on),
        endpoint: from_endpoint(
            &status.domain_endpoint_options.clone().unwrap_or_else(|| DomainEndpointOptions::builder().build()),
        ),
        access_policy: from_policy(status.access_policies())?,
    })
}

/// Puts the *requested* settings of a domain in change over those that are in force.
pub(super) fn requested(in_force: DomainSettings, config: &DomainConfig) -> Result<DomainSettings> {
    let DomainSettings {
        engine_version,
        cluster,
        volume,
        encryption_at_rest,
        node_to_node_encryption,
        endpoint,
        access_policy,
    } = in_force;
    let pending_version = config
        .engine_version()
        .map(|version| version.options.clone())
        .filter(|version| !version.is_empty() && engine_version.as_ref() != Some(version))
        .or_else(|| pending_engine_version(config));
    Ok(DomainSettings {
        engine_version: pending_version.or(engine_version),
        cluster: config.cluster_config().and_then(|group| group.options()).map_or(cluster, from_cluster),
        volume: config.ebs_options().and_then(|group| group.options()).map_or(volume, from_volume),
        encryption_at_rest: config
            .encryption_at_rest_options()
            .and_then(|group| group.options())
            .map_or(encryption_at_rest, from_encryption),
        node_to_node_encryption: config
            .node_to_node_encryption_options()
            .and_then(|group| group.options())
            .map_or(node_to_node_encryption, is_on),
        endpoint: config.domain_endpoint_options().and_then(|group| group.options()).map_or(endpoint, from_endpoint),
        access_policy: match config.access_policies() {
            Some(group) => from_policy(Some(group.options()))?,
            None => access_policy,
        },
    })
}

fn pending_engine_version(config: &DomainConfig) -> Option<String> {
    config
        .modifying_properties()
        .iter()
        .find(|property| property.name() == Some("EngineVersion"))
        .and_then(|property| property.pending_value.clone())
}

/// Reads what AWS assigned.
pub(super) fn facts(status: &DomainStatus) -> DomainFacts {
    DomainFacts {
        arn: status.arn().to_owned(),
        engine_version: status.engine_version().unwrap_or_default().to_owned(),
        endpoint: endpoint(status),
    }
}

/// Returns the endpoint without a scheme. A domain inside a VPC has it in a map.
pub(super) fn endpoint(status: &DomainStatus) -> Option<String> {
    let found = status.endpoint().or_else(|| status.endpoints()?.get("vpc").map(String::as_str))?;
    let bare = found.trim_start_matches("https://").trim_start_matches("http://").trim_end_matches('/');
    (!bare.is_empty()).then(|| bare.to_owned())
}

fn from_cluster(live: &ClusterConfig) -> Cluster {
    let zones = live.zone_awareness_config().and_then(ZoneAwarenessConfig::availability_zone_count);
    let masters = live.dedicated_master_enabled.unwrap_or(false);
    Cluster {
        instance_type: live.instance_type().map(|found| found.as_str().to_owned()).unwrap_or_default(),
        instance_count: unsigned(live.instance_count.unwrap_or(1)),
        availability_zones: if live.zone_awareness_enabled == Some(true) { unsigned(zones.unwrap_or(2)) } else { 1 },
        dedicated_masters: DedicatedMasters {
            enabled: masters,
            instance_type: live.dedicated_master_type().filter(|_| masters).map(|found| found.as_str().to_owned()),
            count: live.dedicated_master_count.filter(|_| masters).map(unsigned),
        },
    }
}

fn from_volume(live: &EbsOptions) -> Volume {
    let enabled = live.ebs_enabled.unwrap_or(false);
    let figure = |figure: Option<i32>| figure.filter(|figure| enabled && *figure > 0).map(unsigned);
    Volume {
        enabled,
        volume_type: live.volume_type().filter(|_| enabled).map(|found| found.as_str().to_owned()),
        size_gib: figure(live.volume_size),
        iops: figure(live.iops),
        throughput_mib: figure(live.throughput),
    }
}

fn from_encryption(live: &EncryptionAtRestOptions) -> EncryptionAtRest {
    let enabled = live.enabled.unwrap_or(false);
    let kms_key = live.kms_key_id.clone().filter(|key| enabled && !key.is_empty());
    EncryptionAtRest { enabled, kms_key }
}

fn no_encryption() -> EncryptionAtRest {
    EncryptionAtRest { enabled: false, kms_key: None }
}

fn is_on(live: &NodeToNodeEncryptionOptions) -> bool {
    live.enabled.unwrap_or(false)
}

fn from_endpoint(live: &DomainEndpointOptions) -> EndpointOptions {
    EndpointOptions {
        enforce_https: live.enforce_https.unwrap_or(false),
        tls_policy: live
            .tls_security_policy()
            .map_or_else(|| "Policy-Min-TLS-1-0-2019-07".to_owned(), |found| found.as_str().to_owned()),
    }
}

fn from_policy(live: Option<&str>) -> Result<Option<Document>> {
    match live {
        None | Some("") => Ok(None),
        Some(text) => policy::parse(text).map(Some).map_err(|error| error.context("access policy")),
    }
}

fn signed(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn unsigned(number: i32) -> u32 {
    u32::try_from(number).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use aws_sdk_opensearch::types::{
        AccessPoliciesStatus, ClusterConfigStatus, ModifyingProperties, OpenSearchWarmPartitionInstanceType,
        VersionStatus,
    };
    use proptest::option;
    use proptest::prelude::{Just, Strategy, any, prop_oneof};
    use proptest::{prop_assert, prop_assert_eq, proptest};

    use super::*;
    use crate::resource::domain::tests::{settings as example, status};

    fn clusters() -> impl Strategy<Value = Cluster> {
        let masters = prop_oneof![
            Just(DedicatedMasters { enabled: false, instance_type: None, count: None }),
            ("[a-z][0-9][.](small|large)[.]search", prop_oneof![Just(3_u32), Just(5)]).prop_map(|(kind, count)| {
                DedicatedMasters { enabled: true, instance_type: Some(kind), count: Some(count) }
            }),
        ];
        ("[a-z][0-9][.](small|large)[.]search", 1_u32..80, 1_u32..=3, masters).prop_map(
            |(instance_type, instance_count, availability_zones, dedicated_masters)| Cluster {
                instance_type,
                instance_count,
                availability_zones,
                dedicated_masters,
            },
        )
    }

    fn volumes() -> impl Strategy<Value = Volume> {
        let on = (
            prop_oneof![Just("gp2"), Just("gp3"), Just("io1"), Just("standard"), Just("gp9")],
            10_u32..3000,
            option::of(3000_u32..16000),
            option::of(125_u32..1000),
        )
            .prop_map(|(kind, size, iops, throughput_mib)| Volume {
                enabled: true,
                volume_type: Some(kind.to_owned()),
                size_gib: Some(size),
                iops,
                throughput_mib,
            });
        let off = Volume { enabled: false, volume_type: None, size_gib: None, iops: None, throughput_mib: None };
        prop_oneof![on, Just(off)]
    }

    fn all_settings() -> impl Strategy<Value = DomainSettings> {
        let at_rest = prop_oneof![
            Just(EncryptionAtRest { enabled: false, kms_key: None }),
            option::of("arn:aws:kms:eu-west-1:123456789012:key/[0-9a-f]{8}")
                .prop_map(|kms_key| EncryptionAtRest { enabled: true, kms_key }),
        ];
        let endpoint = (any::<bool>(), "Policy-Min-TLS-1-[0-9]-20[0-9]{2}-07")
            .prop_map(|(enforce_https, tls_policy)| EndpointOptions { enforce_https, tls_policy });
        let policy = prop_oneof![Just(None), Just(example().access_policy)];
        (clusters(), volumes(), at_rest, any::<bool>(), endpoint, policy).prop_map(
            |(cluster, volume, encryption_at_rest, node_to_node_encryption, endpoint, access_policy)| DomainSettings {
                engine_version: Some("OpenSearch_2.19".to_owned()),
                cluster,
                volume,
                encryption_at_rest,
                node_to_node_encryption,
                endpoint,
                access_policy,
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_sent_is_read_back_as_the_same_settings(wanted in all_settings()) {
            let Groups { cluster, volume, encryption_at_rest, node_to_node, endpoint, access_policies } =
                Groups::all(&wanted);
            let described = DomainStatus::builder()
                .domain_id("123456789012/logs")
                .domain_name("logs")
                .arn("arn:aws:es:eu-west-1:123456789012:domain/logs")
                .engine_version("OpenSearch_2.19")
                .set_cluster_config(cluster)
                .set_ebs_options(volume)
                .set_encryption_at_rest_options(encryption_at_rest)
                .set_node_to_node_encryption_options(node_to_node)
                .set_domain_endpoint_options(endpoint)
                .set_access_policies(access_policies)
                .build()
                .expect("a whole status");
            prop_assert_eq!(settings(&described).expect("readable"), wanted);
        }

        #[test]
        fn nothing_that_differs_is_nothing_that_is_sent(wanted in all_settings()) {
            prop_assert!(Groups::changed(&wanted, &[], None).is_empty());
            prop_assert!(Groups::changed(&wanted, &["/tags/team".to_owned(), "/engine_version".to_owned()], None).is_empty());
        }
    }

    #[test]
    fn a_domain_described_without_members_has_awss_defaults() {
        let bare = DomainStatus::builder()
            .domain_id("1/logs")
            .domain_name("logs")
            .arn("arn:aws:es:eu-west-1:123456789012:domain/logs")
            .cluster_config(ClusterConfig::builder().build())
            .build()
            .expect("a whole status");
        let read = settings(&bare).expect("readable");
        assert_eq!(read.cluster.instance_count, 1);
        assert_eq!(read.cluster.availability_zones, 1);
        assert!(!read.volume.enabled);
        assert!(!read.encryption_at_rest.enabled);
        assert_eq!(read.endpoint.tls_policy, "Policy-Min-TLS-1-0-2019-07");
        assert_eq!(read.access_policy, None);
        assert_eq!(facts(&bare).endpoint, None);
    }

    #[test]
    fn a_volume_change_sends_cluster_and_volume_whole_and_nothing_else() {
        let Groups { cluster, volume, encryption_at_rest, node_to_node, endpoint, access_policies } =
            Groups::changed(&example(), &["/volume/size_gib".to_owned()], None);
        assert_eq!(cluster.expect("the nodes").instance_count, Some(1));
        assert_eq!(volume.expect("the volume").volume_size, Some(10));
        assert_eq!((encryption_at_rest, node_to_node, endpoint, access_policies), (None, None, None, None));
    }

    #[test]
    fn members_of_a_group_that_are_not_managed_are_sent_back_as_they_are() {
        let mut live = status();
        live.cluster_config = Some(
            ClusterConfig::builder()
                .warm_enabled(true)
                .warm_type(OpenSearchWarmPartitionInstanceType::Ultrawarm1MediumSearch)
                .warm_count(2)
                .build(),
        );
        live.domain_endpoint_options = Some(
            DomainEndpointOptions::builder().custom_endpoint_enabled(true).custom_endpoint("logs.example.com").build(),
        );
        let pointers = ["/cluster/instance_count".to_owned(), "/endpoint/tls_policy".to_owned()];
        let groups = Groups::changed(&example(), &pointers, Some(&live));
        let (cluster, endpoint) = (groups.cluster.expect("nodes"), groups.endpoint.expect("endpoint"));
        assert_eq!(cluster.warm_count, Some(2));
        assert_eq!(endpoint.custom_endpoint.as_deref(), Some("logs.example.com"));
    }

    #[test]
    fn iops_that_nobody_named_hold_for_the_same_volume_only() {
        let mut live = status();
        live.ebs_options =
            Some(EbsOptions::builder().ebs_enabled(true).volume_type("gp3".into()).volume_size(10).iops(4000).build());
        let mut wanted = example();
        let pointers = ["/volume/throughput_mib".to_owned()];
        let groups = Groups::changed(&wanted, &pointers, Some(&live));
        assert_eq!(groups.volume.expect("the volume").iops, Some(4000));
        wanted.volume.size_gib = Some(20);
        let groups = Groups::changed(&wanted, &pointers, Some(&live));
        assert_eq!(groups.volume.expect("the volume").iops, None);
    }

    #[test]
    fn a_domain_in_change_is_read_as_it_was_requested() {
        let config = DomainConfig::builder()
            .cluster_config(
                ClusterConfigStatus::builder()
                    .options(
                        ClusterConfig::builder().instance_type("m7g.large.search".into()).instance_count(3).build(),
                    )
                    .build(),
            )
            .access_policies(AccessPoliciesStatus::builder().options("").build().expect("a policy"))
            .engine_version(VersionStatus::builder().options("OpenSearch_2.19").build().expect("a version"))
            .modifying_properties(
                ModifyingProperties::builder().name("EngineVersion").pending_value("OpenSearch_3.1").build(),
            )
            .build();
        let read = requested(example(), &config).expect("readable");
        assert_eq!(read.cluster.instance_type, "m7g.large.search");
        assert_eq!(read.volume, example().volume);
        assert_eq!(read.access_policy, None);
        assert_eq!(read.engine_version.as_deref(), Some("OpenSearch_3.1"));
    }

    #[test]
    fn an_endpoint_may_carry_port_and_path_and_loses_its_scheme() {
        let mut live = status();
        live.endpoint = Some("http://127.0.0.1:4566/domain/eu-west-1/logs/".to_owned());
        assert_eq!(endpoint(&live).as_deref(), Some("127.0.0.1:4566/domain/eu-west-1/logs"));
        live.endpoint = None;
        live.endpoints = Some([("vpc".to_owned(), "vpc-logs-x.eu-west-1.es.amazonaws.com".to_owned())].into());
        assert_eq!(endpoint(&live).as_deref(), Some("vpc-logs-x.eu-west-1.es.amazonaws.com"));
    }
}
