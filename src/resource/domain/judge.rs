//! Judges each change of a domain from a table, with no call to AWS. Where a live, idle domain changes, AWS's own dry
//! run may know better than the table whether a second cluster is built.

use std::fmt;
use std::str::FromStr;

use crate::resource::domain::{DomainSettings, access};
use crate::resource::{Hazard, HazardNote, Verdict, within};

/// Judges the change of one setting.
pub(super) fn judge(pointer: &str, before: &DomainSettings, after: &DomainSettings) -> Verdict {
    if within(pointer, "/engine_version") {
        return match (&before.engine_version, &after.engine_version) {
            (Some(from), Some(to)) => upgrade(from, to),
            (None, _) | (_, None) => Verdict::InPlace,
        };
    }
    if within(pointer, "/cluster") {
        return cluster(pointer, before, after);
    }
    if within(pointer, "/volume") {
        return volume(pointer, before, after);
    }
    if within(pointer, "/encryption_at_rest") {
        return encryption_at_rest(before, after);
    }
    if within(pointer, "/node_to_node_encryption") {
        return match (before.node_to_node_encryption, after.node_to_node_encryption) {
            (true, false) => Verdict::Impossible(new_domain(
                "encryption between nodes cannot be switched off again; remove `node_to_node: false`, or",
            )),
            (false, true) => blue_green(
                "a second cluster with encryption between nodes is built, and it cannot be switched off again",
            ),
            (true, true) | (false, false) => Verdict::InPlace,
        };
    }
    if within(pointer, "/endpoint") {
        return endpoint(pointer, before, after);
    }
    if within(pointer, "/access_policy") {
        return access_policy(before, after);
    }
    Verdict::InPlace
}

fn blue_green(why: impl Into<String>) -> Verdict {
    Verdict::InPlaceWith(HazardNote::new(Hazard::BlueGreen, why))
}

fn new_domain(why: impl fmt::Display) -> String {
    format!(
        "{why} give the domain a new `name`, so that a second one is made, and remove the old one once it is no longer needed"
    )
}

fn cluster(pointer: &str, before: &DomainSettings, after: &DomainSettings) -> Verdict {
    let (from, to) = (&before.cluster, &after.cluster);
    let masters_stay = from.dedicated_masters.enabled && to.dedicated_masters.enabled;
    if within(pointer, "/cluster/instance_count") && masters_stay {
        return Verdict::InPlace;
    }
    if within(pointer, "/cluster/instance_count") {
        return blue_green("without dedicated masters, another number of nodes is usually a second cluster");
    }
    if within(pointer, "/cluster/instance_type") {
        return blue_green("another instance type is a second cluster; both are billed for its first hour");
    }
    if within(pointer, "/cluster/availability_zones") {
        return blue_green("another number of zones is a second cluster, whose nodes are spread anew");
    }
    if within(pointer, "/cluster/dedicated_masters/enabled") {
        return blue_green("dedicated masters come and go with a second cluster");
    }
    blue_green("dedicated masters are usually changed by a second cluster")
}

fn volume(pointer: &str, before: &DomainSettings, after: &DomainSettings) -> Verdict {
    let (from, to) = (&before.volume, &after.volume);
    if within(pointer, "/volume/size_gib") && to.size_gib < from.size_gib && to.enabled {
        return blue_green("a smaller volume is a second cluster, and AWS refuses it if the documents do not fit");
    }
    blue_green("another volume is usually a second cluster to which the documents move")
}

fn encryption_at_rest(before: &DomainSettings, after: &DomainSettings) -> Verdict {
    let (from, to) = (&before.encryption_at_rest, &after.encryption_at_rest);
    if from.enabled && !to.enabled {
        return Verdict::Impossible(new_domain(
            "encryption at rest cannot be switched off again; remove `at_rest: false`, or",
        ));
    }
    if from.enabled && to.kms_key.is_some() && from.kms_key != to.kms_key {
        return Verdict::Impossible(new_domain("the key of a domain that is encrypted at rest cannot be changed;"));
    }
    if !from.enabled && to.enabled {
        return blue_green("a second, encrypted cluster is built, and encryption cannot be switched off again");
    }
    Verdict::InPlace
}

fn endpoint(pointer: &str, before: &DomainSettings, after: &DomainSettings) -> Verdict {
    let (from, to) = (&before.endpoint, &after.endpoint);
    if within(pointer, "/endpoint/enforce_https") && from.enforce_https && !to.enforce_https {
        return Verdict::InPlaceWith(HazardNote::new(
            Hazard::WidenAccess,
            "requests over plain HTTP are accepted: anyone on the way can read and change them",
        ));
    }
    if within(pointer, "/endpoint/tls_policy") && !takes_old_tls(&from.tls_policy) && takes_old_tls(&to.tls_policy) {
        return Verdict::InPlaceWith(HazardNote::new(
            Hazard::WidenAccess,
            "clients with TLS 1.0 and 1.1, which are broken, are let in again",
        ));
    }
    Verdict::InPlace
}

fn takes_old_tls(policy: &str) -> bool {
    policy.starts_with("Policy-Min-TLS-1-0") || policy.starts_with("Policy-Min-TLS-1-1")
}

fn access_policy(before: &DomainSettings, after: &DomainSettings) -> Verdict {
    let Some(to) = &after.access_policy else { return Verdict::InPlace };
    match access::widened(before.access_policy.as_ref(), to) {
        Some(what) => Verdict::InPlaceWith(HazardNote::new(Hazard::WidenAccess, what)),
        None => Verdict::InPlace,
    }
}

/// An engine and its version, in the order in which AWS upgrades.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct EngineVersion {
    family: Family,
    major: u32,
    minor: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Family {
    Elasticsearch,
    OpenSearch,
}

impl FromStr for EngineVersion {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (family, number) = text.split_once('_').ok_or(())?;
        let family = match family {
            "Elasticsearch" => Family::Elasticsearch,
            "OpenSearch" => Family::OpenSearch,
            _ => return Err(()),
        };
        let (major, minor) = number.split_once('.').ok_or(())?;
        Ok(Self { family, major: major.parse().map_err(|_| ())?, minor: minor.parse().map_err(|_| ())? })
    }
}

/// Judges an engine change by the upgrade paths of the Developer Guide ("Upgrading Amazon OpenSearch Service domains").
fn upgrade(from: &str, to: &str) -> Verdict {
    let (Ok(old), Ok(new)) = (from.parse::<EngineVersion>(), to.parse::<EngineVersion>()) else {
        // A spelling that this release does not know: AWS's own pre-check decides.
        return blue_green(upgrade_note(from, to));
    };
    if new < old {
        return Verdict::Impossible(new_domain(format!(
            "{from} cannot go back to {to}: OpenSearch Service has no downgrade;"
        )));
    }
    match stop_over(old, new) {
        Some(first) => {
            Verdict::Impossible(format!("{from} cannot become {to} in one step; write `engine_version: {first}` first"))
        }
        None => blue_green(upgrade_note(from, to)),
    }
}

fn upgrade_note(from: &str, to: &str) -> String {
    format!(
        "the upgrade from {from} to {to} builds a second cluster, takes hours and cannot be undone; AWS checks first \
         whether it can be done"
    )
}

/// The last releases of a generation, past which no direct way leads.
const STATIONS: [(EngineVersion, &str); 4] = [
    (EngineVersion { family: Family::Elasticsearch, major: 5, minor: 6 }, "Elasticsearch_5.6"),
    (EngineVersion { family: Family::Elasticsearch, major: 6, minor: 8 }, "Elasticsearch_6.8"),
    (EngineVersion { family: Family::OpenSearch, major: 1, minor: 3 }, "OpenSearch_1.3"),
    (EngineVersion { family: Family::OpenSearch, major: 2, minor: 19 }, "OpenSearch_2.19"),
];

/// Returns the version to upgrade to first, where there is no direct way.
fn stop_over(old: EngineVersion, new: EngineVersion) -> Option<&'static str> {
    let generation = |version: EngineVersion| (version.family, version.major);
    let station = STATIONS.into_iter().find(|(station, _)| old < *station && generation(new) > generation(*station))?;
    Some(station.1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy;
    use crate::resource::domain::tests::settings;

    fn hazard(pointer: &str, change: impl Fn(&mut DomainSettings)) -> Option<Hazard> {
        let before = settings();
        let mut after = before.clone();
        change(&mut after);
        match judge(pointer, &before, &after) {
            Verdict::InPlace => None,
            Verdict::InPlaceWith(note) => Some(note.hazard),
            verdict @ (Verdict::Replace(_) | Verdict::Impossible(_)) => panic!("{verdict:?}"),
        }
    }

    #[test]
    fn another_instance_type_is_blue_green() {
        assert_eq!(
            hazard("/cluster/instance_type", |after| after.cluster.instance_type = "m7g.large.search".into()),
            Some(Hazard::BlueGreen)
        );
    }

    #[test]
    fn another_count_is_blue_green_without_dedicated_masters_only() {
        let mut before = settings();
        let mut after = before.clone();
        after.cluster.instance_count = 4;
        assert!(matches!(judge("/cluster/instance_count", &before, &after), Verdict::InPlaceWith(_)));
        before.cluster.dedicated_masters.enabled = true;
        assert!(matches!(judge("/cluster/instance_count", &before, &after), Verdict::InPlaceWith(_)));
        after.cluster.dedicated_masters.enabled = true;
        assert_eq!(judge("/cluster/instance_count", &before, &after), Verdict::InPlace);
    }

    #[test]
    fn zones_masters_and_volumes_are_blue_green() {
        let blue_green = Some(Hazard::BlueGreen);
        assert_eq!(hazard("/cluster/availability_zones", |after| after.cluster.availability_zones = 2), blue_green);
        assert_eq!(
            hazard("/cluster/dedicated_masters/enabled", |after| after.cluster.dedicated_masters.enabled = true),
            blue_green
        );
        assert_eq!(hazard("/volume/size_gib", |after| after.volume.size_gib = Some(20)), blue_green);
        assert_eq!(hazard("/volume/iops", |after| after.volume.iops = Some(4000)), blue_green);
    }

    #[test]
    fn a_smaller_volume_says_that_the_documents_must_fit() {
        let before = settings();
        let mut after = before.clone();
        after.volume.size_gib = Some(5);
        let Verdict::InPlaceWith(note) = judge("/volume/size_gib", &before, &after) else { panic!("a hazard") };
        assert!(note.why.contains("do not fit"), "{}", note.why);
    }

    #[test]
    fn encryption_goes_on_but_never_off() {
        let on = settings();
        let mut off = on.clone();
        off.encryption_at_rest.enabled = false;
        off.node_to_node_encryption = false;
        for (pointer, key) in [("/encryption_at_rest/enabled", "at_rest"), ("/node_to_node_encryption", "node_to_node")]
        {
            let Verdict::Impossible(why) = judge(pointer, &on, &off) else { panic!("{pointer} goes off") };
            assert!(why.contains(&format!("remove `{key}: false`, or give the domain a new `name`")), "{why}");
            let Verdict::InPlaceWith(note) = judge(pointer, &off, &on) else { panic!("{pointer} goes on") };
            assert_eq!(note.hazard, Hazard::BlueGreen);
        }
    }

    #[test]
    fn the_key_of_an_encrypted_domain_stays() {
        let before = settings();
        let mut after = before.clone();
        after.encryption_at_rest.kms_key = Some("arn:aws:kms:eu-west-1:123456789012:key/b".into());
        assert!(matches!(judge("/encryption_at_rest/kms_key", &before, &after), Verdict::Impossible(_)));
        let mut plain = before;
        plain.encryption_at_rest.enabled = false;
        assert!(matches!(judge("/encryption_at_rest/kms_key", &plain, &after), Verdict::InPlaceWith(_)));
    }

    #[test]
    fn a_weaker_endpoint_widens_access_and_a_stronger_one_does_not() {
        let widen = Some(Hazard::WidenAccess);
        assert_eq!(hazard("/endpoint/enforce_https", |after| after.endpoint.enforce_https = false), widen);
        let old = "Policy-Min-TLS-1-0-2019-07";
        assert_eq!(hazard("/endpoint/tls_policy", |after| after.endpoint.tls_policy = old.into()), widen);
        let new = "Policy-Min-TLS-1-2-PFS-2023-10";
        assert_eq!(hazard("/endpoint/tls_policy", |after| after.endpoint.tls_policy = new.into()), None);
        let mut weak = settings();
        weak.endpoint.enforce_https = false;
        weak.endpoint.tls_policy = old.into();
        assert_eq!(judge("/endpoint/enforce_https", &weak, &settings()), Verdict::InPlace);
        assert_eq!(judge("/endpoint/tls_policy", &weak, &settings()), Verdict::InPlace);
    }

    #[test]
    fn an_access_policy_that_lets_in_more_is_a_hazard_and_one_that_lets_in_less_is_not() {
        let narrow = settings();
        let mut wide = settings();
        wide.access_policy = Some(
            policy::parse(
                r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},
                "Action":"es:*","Resource":"arn:aws:es:eu-west-1:123456789012:domain/logs/*"}]}"#,
            )
            .expect("a policy"),
        );
        let Verdict::InPlaceWith(note) = judge("/access_policy/Statement/0/Principal", &narrow, &wide) else {
            panic!("wider")
        };
        assert_eq!(note.hazard, Hazard::WidenAccess);
        assert_eq!(judge("/access_policy/Statement/0/Principal", &wide, &narrow), Verdict::InPlace);
    }

    #[test]
    fn tags_are_changed_in_place() {
        assert_eq!(hazard("/tags/team", |_| {}), None);
    }

    fn engine(from: &str, to: &str) -> Verdict {
        let mut before = settings();
        before.engine_version = Some(from.into());
        let mut after = before.clone();
        after.engine_version = Some(to.into());
        judge("/engine_version", &before, &after)
    }

    #[test]
    fn an_upgrade_is_blue_green_and_cannot_be_undone() {
        for (from, to) in [
            ("OpenSearch_2.17", "OpenSearch_2.19"),
            ("OpenSearch_1.3", "OpenSearch_2.19"),
            ("OpenSearch_2.19", "OpenSearch_3.1"),
            ("Elasticsearch_7.10", "OpenSearch_1.3"),
            ("Elasticsearch_6.8", "Elasticsearch_7.10"),
        ] {
            let Verdict::InPlaceWith(note) = engine(from, to) else { panic!("{from} to {to}") };
            assert_eq!(note.hazard, Hazard::BlueGreen);
            assert!(note.why.contains("cannot be undone"), "{}", note.why);
        }
    }

    #[test]
    fn a_downgrade_is_impossible() {
        for (from, to) in [
            ("OpenSearch_2.19", "OpenSearch_2.17"),
            ("OpenSearch_2.9", "OpenSearch_1.3"),
            ("OpenSearch_1.0", "Elasticsearch_7.10"),
        ] {
            let Verdict::Impossible(why) = engine(from, to) else { panic!("{from} to {to}") };
            assert!(why.contains("no downgrade"), "{why}");
        }
    }

    #[test]
    fn two_steps_at_once_are_impossible_and_the_first_is_named() {
        for (from, to, first) in [
            ("Elasticsearch_7.10", "OpenSearch_2.19", "OpenSearch_1.3"),
            ("OpenSearch_1.0", "OpenSearch_2.19", "OpenSearch_1.3"),
            ("OpenSearch_1.3", "OpenSearch_3.1", "OpenSearch_2.19"),
            ("OpenSearch_2.9", "OpenSearch_3.1", "OpenSearch_2.19"),
            ("Elasticsearch_6.5", "OpenSearch_1.3", "Elasticsearch_6.8"),
            ("Elasticsearch_5.6", "Elasticsearch_7.10", "Elasticsearch_6.8"),
            ("Elasticsearch_5.1", "Elasticsearch_6.8", "Elasticsearch_5.6"),
        ] {
            let Verdict::Impossible(why) = engine(from, to) else { panic!("{from} to {to}") };
            assert!(why.contains(&format!("`engine_version: {first}`")), "{why}");
        }
    }
}
