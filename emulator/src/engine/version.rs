//! Which engine a domain runs, and what follows from it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// OpenSearch, or the Elasticsearch that came before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// Elasticsearch up to 7.10.
    Elasticsearch,
    /// OpenSearch from 1.0.
    OpenSearch,
}

/// `OpenSearch_2.19` or `Elasticsearch_7.10`, as AWS writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EngineVersion {
    /// The product.
    pub family: Family,
    /// 2 of 2.19.
    pub major: u32,
    /// 19 of 2.19.
    pub minor: u32,
}

impl EngineVersion {
    /// Whether `_index_template` exists: Elasticsearch brought it with 7.8.
    pub(crate) fn has_composable_templates(self) -> bool {
        self.family == Family::OpenSearch || (self.major, self.minor) >= (7, 8)
    }

    /// Whether answers still name the document type `_doc`; OpenSearch 2.0 dropped it.
    pub(crate) fn names_types(self) -> bool {
        self.family == Family::Elasticsearch || self.major < 2
    }

    /// Whether `index.mapping.ignore_malformed: true` wins over a field's own `false`, as measured on OpenSearch 2.5.0 to
    /// 3.1.0 (and not on Elasticsearch 7.10.2, OpenSearch 1.3.13 to 2.3.0, 3.2.0 and later).
    pub(crate) fn index_ignore_malformed_wins(self) -> bool {
        self.family == Family::OpenSearch && ((2, 5)..(3, 2)).contains(&(self.major, self.minor))
    }

    /// Whether a number field that ignores what is malformed takes an object, too, as measured on OpenSearch 3.2.0, 3.3.2
    /// and 3.5.0 (and not on 2.19.1, 3.0.0 or 3.1.0).
    pub(crate) fn ignore_malformed_covers_objects(self) -> bool {
        self.family == Family::OpenSearch && (self.major, self.minor) >= (3, 2)
    }

    /// The body of `GET /`.
    pub(crate) fn greeting(self, cluster: &str, compatibility: Compatibility) -> Value {
        let Self { family, major, minor } = self;
        let lucene = self.lucene();
        let mut version = json!({
            "number": format!("{major}.{minor}.0"),
            "build_type": "tar",
            "build_hash": "unknown",
            "build_date": "2026-01-01T00:00:00.000000Z",
            "build_snapshot": false,
            "lucene_version": lucene,
            "minimum_wire_compatibility_version": "6.8.0",
            "minimum_index_compatibility_version": "6.0.0-beta1",
        });
        let tagline = match (family, compatibility) {
            (Family::Elasticsearch, Compatibility::AsItIs | Compatibility::ClaimsElasticsearch) => {
                version["build_flavor"] = json!("oss");
                "You Know, for Search"
            }
            (Family::OpenSearch, Compatibility::AsItIs) => {
                version["distribution"] = json!("opensearch");
                "The OpenSearch Project: https://opensearch.org/"
            }
            (Family::OpenSearch, Compatibility::ClaimsElasticsearch) => {
                version["number"] = json!("7.10.2");
                "The OpenSearch Project: https://opensearch.org/"
            }
        };
        json!({
            "name": "local-node-1",
            "cluster_name": cluster,
            "cluster_uuid": "bG9jYWwtZWtrLWNsdXN0ZXI",
            "version": version,
            "tagline": tagline,
        })
    }

    fn lucene(self) -> &'static str {
        match (self.family, self.major, self.minor) {
            (Family::Elasticsearch, _, 10..) => "8.7.0",
            (Family::Elasticsearch, _, 0..10) => "8.5.1",
            (Family::OpenSearch, 0..=1, _) => "8.10.1",
            (Family::OpenSearch, 2, _) => "9.12.1",
            (Family::OpenSearch, 3.., _) => "10.3.2",
        }
    }
}

/// Whether `override_main_response_version` is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compatibility {
    AsItIs,
    ClaimsElasticsearch,
}

impl fmt::Display for EngineVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { family, major, minor } = self;
        let family = match family {
            Family::Elasticsearch => "Elasticsearch",
            Family::OpenSearch => "OpenSearch",
        };
        write!(formatter, "{family}_{major}.{minor}")
    }
}

impl FromStr for EngineVersion {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not an engine version");
        let (family, number) = text.split_once('_').ok_or_else(wrong)?;
        let family = match family {
            "Elasticsearch" => Family::Elasticsearch,
            "OpenSearch" => Family::OpenSearch,
            _ => return Err(wrong()),
        };
        let (major, minor) = number.split_once('.').ok_or_else(wrong)?;
        Ok(Self { family, major: major.parse().map_err(|_| wrong())?, minor: minor.parse().map_err(|_| wrong())? })
    }
}

impl TryFrom<String> for EngineVersion {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<EngineVersion> for String {
    fn from(version: EngineVersion) -> Self {
        version.to_string()
    }
}
