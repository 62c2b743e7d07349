//! OpenSearch Service: domains, and the way to what is inside them.

use std::collections::BTreeMap;

use crate::{
    request::Request,
    response::{self, Response},
    table::Stored,
    world::{Context, Permission, World},
};

/// Domains.
#[derive(Clone, Debug, Default)]
pub struct State {}

impl State {
    pub(crate) fn tables(&mut self) -> Vec<(&'static str, &mut dyn Stored)> {
        Vec::new()
    }
}

/// The operation that a request names.
pub(crate) fn operation(request: &Request) -> String {
    let segments: Vec<&str> = request.path.trim_matches('/').split('/').collect();
    let operation = match (request.method.as_str(), &segments[..]) {
        ("POST", ["2021-01-01", "opensearch", "domain"]) => "CreateDomain",
        ("GET", ["2021-01-01", "opensearch", "domain", _]) => "DescribeDomain",
        ("DELETE", ["2021-01-01", "opensearch", "domain", _]) => "DeleteDomain",
        ("POST", ["2021-01-01", "opensearch", "domain-info"]) => "DescribeDomains",
        ("GET", ["2021-01-01", "opensearch", "domain", _, "config"]) => "DescribeDomainConfig",
        ("POST", ["2021-01-01", "opensearch", "domain", _, "config"]) => "UpdateDomainConfig",
        ("POST", ["2021-01-01", "opensearch", "domain", _, "config", "cancel"]) => "CancelDomainConfigChange",
        ("GET", ["2021-01-01", "opensearch", "domain", _, "dryRun"]) => "DescribeDryRunProgress",
        ("GET", ["2021-01-01", "opensearch", "domain", _, "progress"]) => "DescribeDomainChangeProgress",
        ("GET", ["2021-01-01", "domain"]) => "ListDomainNames",
        ("GET", ["2021-01-01", "tags"]) => "ListTags",
        ("POST", ["2021-01-01", "tags"]) => "AddTags",
        ("POST", ["2021-01-01", "tags-removal"]) => "RemoveTags",
        ("GET", ["2021-01-01", "opensearch", "versions"]) => "ListVersions",
        ("GET", ["2021-01-01", "opensearch", "compatibleVersions"]) => "GetCompatibleVersions",
        ("POST", ["2021-01-01", "opensearch", "upgradeDomain"]) => "UpgradeDomain",
        ("GET", ["2021-01-01", "opensearch", "upgradeDomain", _, "status"]) => "GetUpgradeStatus",
        ("GET", ["2021-01-01", "opensearch", "upgradeDomain", _, "history"]) => "GetUpgradeHistory",
        ("GET", ["2021-01-01", "opensearch", "instanceTypeDetails", _]) => "ListInstanceTypeDetails",
        ("GET", ["2021-01-01", "opensearch", "instanceTypeLimits", _, _]) => "DescribeInstanceTypeLimits",
        _ => "",
    };
    operation.to_owned()
}

pub(crate) fn permissions(_world: &World, _context: &Context<'_>, _request: &Request) -> Vec<Permission> {
    Vec::new()
}

pub(crate) fn handle(_world: &mut World, _context: &Context<'_>, request: &Request) -> Response {
    response::unknown_operation(request)
}

/// The action of a request to a domain's own address, such as `ESHttpPut`.
pub(crate) fn domain_operation(request: &Request) -> String {
    let method = request.method.as_str();
    let (first, rest) = method.split_at(1.min(method.len()));
    format!("ESHttp{first}{}", rest.to_lowercase())
}

/// Whether a request to a domain's own address changes anything there.
pub(crate) fn domain_request_is_write(request: &Request) -> bool {
    const READING_POSTS: [&str; 7] = ["_search", "_count", "_msearch", "_mget", "_analyze", "_field_caps", "_simulate"];
    match request.method.as_str() {
        "GET" | "HEAD" => false,
        "POST" => !request.path.split('/').any(|segment| READING_POSTS.contains(&segment)),
        _ => true,
    }
}

/// Whether a request asks only what a change would do.
pub(crate) fn is_dry_run(request: &Request) -> bool {
    request.operation == "UpdateDomainConfig"
        && serde_json::from_slice::<serde_json::Value>(&request.body)
            .is_ok_and(|body| body.get("DryRun") == Some(&serde_json::Value::Bool(true)))
}

/// Answers a request to a domain's own address.
pub(crate) fn handle_domain(_world: &mut World, _context: &Context<'_>, request: &Request) -> Response {
    response::unknown_operation(request)
}

/// Lets time pass: stages of domains end.
pub(crate) fn tick(_world: &mut World, _context: &Context<'_>) {}

/// The resources of a region by ARN, with their tags, for the Resource Groups Tagging API.
pub(crate) fn tagged(_world: &World, _context: &Context<'_>, _region: &str) -> Vec<(String, BTreeMap<String, String>)> {
    Vec::new()
}
