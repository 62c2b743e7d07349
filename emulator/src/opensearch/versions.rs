//! Which engines the service has, and which may be upgraded to which.

use crate::engine::{EngineVersion, Family};

/// Newest first, as ListVersions gives them (as of 2026).
pub(crate) const VERSIONS: [&str; 34] = [
    "OpenSearch_3.5",
    "OpenSearch_3.3",
    "OpenSearch_3.1",
    "OpenSearch_2.19",
    "OpenSearch_2.17",
    "OpenSearch_2.15",
    "OpenSearch_2.13",
    "OpenSearch_2.11",
    "OpenSearch_2.9",
    "OpenSearch_2.7",
    "OpenSearch_2.5",
    "OpenSearch_2.3",
    "OpenSearch_1.3",
    "OpenSearch_1.2",
    "OpenSearch_1.1",
    "OpenSearch_1.0",
    "Elasticsearch_7.10",
    "Elasticsearch_7.9",
    "Elasticsearch_7.8",
    "Elasticsearch_7.7",
    "Elasticsearch_7.4",
    "Elasticsearch_7.1",
    "Elasticsearch_6.8",
    "Elasticsearch_6.7",
    "Elasticsearch_6.5",
    "Elasticsearch_6.4",
    "Elasticsearch_6.3",
    "Elasticsearch_6.2",
    "Elasticsearch_6.0",
    "Elasticsearch_5.6",
    "Elasticsearch_5.5",
    "Elasticsearch_5.3",
    "Elasticsearch_5.1",
    "Elasticsearch_2.3",
];

/// What CreateDomain takes when no version is named.
pub(crate) const NEWEST: &str = VERSIONS[0];

/// The version of a name, if the service has it.
pub(crate) fn known(name: &str) -> Option<EngineVersion> {
    VERSIONS.contains(&name).then(|| name.parse().ok()).flatten()
}

/// Whether the emulator has an engine for a version; indexes with document types, before 7.0, it has not.
pub(crate) fn is_emulated(version: EngineVersion) -> bool {
    version.family == Family::OpenSearch || version.major >= 7
}

/// What a version may be upgraded to in one step (OpenSearch Service guide, upgrade paths).
pub(crate) fn targets(from: EngineVersion) -> Vec<EngineVersion> {
    let step = |to: EngineVersion| match (from.family, to.family) {
        (Family::Elasticsearch, Family::Elasticsearch) => {
            to.major == from.major || (from.major, from.minor) >= (5, 6) && to.major == from.major + 1
        }
        (Family::Elasticsearch, Family::OpenSearch) => {
            to.major == 1 && (from.major == 7 || (from.major, from.minor) == (6, 8))
        }
        (Family::OpenSearch, Family::OpenSearch) => {
            to.major == from.major
                || (from.major, from.minor) == (1, 3) && to.major == 2
                || (from.major, from.minor) == (2, 19) && to.major == 3
        }
        (Family::OpenSearch, Family::Elasticsearch) => false,
    };
    VERSIONS.iter().rev().filter_map(|name| name.parse().ok()).filter(|to| *to > from && step(*to)).collect()
}

#[cfg(test)]
mod tests {
    use super::targets;

    fn names(from: &str) -> Vec<String> {
        targets(from.parse().unwrap()).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_upgrade_goes_upward_and_over_one_major_version() {
        assert_eq!(names("OpenSearch_2.17"), ["OpenSearch_2.19"]);
        assert_eq!(names("OpenSearch_2.19"), ["OpenSearch_3.1", "OpenSearch_3.3", "OpenSearch_3.5"]);
        assert!(names("OpenSearch_1.3").contains(&"OpenSearch_2.3".to_owned()));
        assert!(!names("OpenSearch_1.2").contains(&"OpenSearch_2.3".to_owned()));
        assert_eq!(
            names("Elasticsearch_7.10"),
            ["OpenSearch_1.0", "OpenSearch_1.1", "OpenSearch_1.2", "OpenSearch_1.3"]
        );
        assert!(names("OpenSearch_3.5").is_empty());
    }
}
