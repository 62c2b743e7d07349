//! A domain's own address: who may pass, and which of the programs behind it answers.

use std::collections::BTreeMap;

use http::Method;
use jiff::Timestamp;
use serde_json::json;

use super::{Domain, State, instance_types::InstanceType, options};
use crate::{
    dashboards::{self, Dashboards, Readiness, Tenancy, discover},
    engine::{self, Engine, ExplicitIndex, Family},
    loopback,
    policy_document::{self, Question, Verdict},
    request::{Caller, DomainPath, Request},
    response::{self, Response},
    world::{Context, World, partition},
};

/// Answers a request to a domain's own address.
pub(crate) fn handle(world: &mut World, context: &Context<'_>, request: &Request) -> Response {
    let Some(path) = DomainPath::read(&request.path) else {
        return nobody();
    };
    let key = format!("{}/{}", path.region, path.name);
    let Some(domain) = world.opensearch.domains.get(&key) else {
        return nobody();
    };
    if !domain.is_reachable(context.now) {
        return nobody();
    }
    // The front of a domain checks the scope before the domain's own policy decides.
    if let Some(region) = request.signed_region.as_deref().filter(|region| *region != path.region) {
        let why = format!("Credential should be scoped to a valid region, not '{region}'. ");
        return response::error(request, 403, "InvalidSignatureException", &why);
    }
    if let Some(refusal) = refuse_caller(domain, context, request, path) {
        return refusal;
    }
    if let Some(status) = world.opensearch.unavailable.get(&key) {
        return Response::json(*status, &json!({"Message": "the domain was made unavailable by a test"}));
    }
    let instance_type = options::instance_type(domain.in_force(context.now));
    let largest = InstanceType::read(&instance_type).map_or(10 << 20, InstanceType::largest_body);
    if request.body.len() > largest {
        return Response::json(413, &json!({"Message": format!("Request size exceeded {largest} bytes")}));
    }
    // Query parameters of signed POST requests are ignored (OpenSearch Service guide, signing requests).
    let ignored = request.method == Method::POST && matches!(request.caller, Caller::Signed { access_key: _ });
    let query = if ignored { &[] } else { request.query.as_slice() };
    let base = dashboards::base(domain.version);
    if let Some(rest) = below(path.rest, base) {
        return to_dashboards(world, context, request, &key, rest, query);
    }
    for family in [Family::OpenSearch, Family::Elasticsearch] {
        let other = dashboards::base(engine::EngineVersion { family, ..domain.version });
        if below(path.rest, other).is_some() {
            return Response::json(404, &json!({"Message": format!("nothing answers at {other} of this domain")}));
        }
    }
    let Some(mut engine) = engine(&mut world.opensearch, context, &key) else {
        return nobody();
    };
    let ask = engine::Ask {
        method: &request.method,
        path: path.rest,
        query,
        media_type: request.header("content-type"),
        body: &request.body,
    };
    engine.handle(ask, context.now)
}

/// Answers a person's browser at the local server's own page. A browser cannot sign, and the domain's own address stays as
/// strict as AWS's, so the page has a door of its own: for browsers of this machine, not for pages of others, and for
/// looking only. Whoever runs a program here can sign with anything anyway, so a secret would keep nobody out.
pub(crate) fn handle_browser(world: &mut World, context: &Context<'_>, request: &Request) -> Response {
    let refused = |status, why: &str| Response::text(status, "text/plain; charset=utf-8", format!("{why}\n"));
    if let Some(stranger) = loopback::stranger(&request.method, &request.headers) {
        return refused(403, stranger.reason());
    }
    let Some(path) = DomainPath::for_browser(&request.path) else {
        return refused(404, "there is no such page");
    };
    let key = format!("{}/{}", path.region, path.name);
    match world.opensearch.domains.get(&key) {
        None => return refused(404, &format!("there is no domain {} in {}", path.name, path.region)),
        Some(domain) if !domain.is_reachable(context.now) => {
            return refused(503, &format!("domain {} has no endpoint yet", path.name));
        }
        Some(_) => {}
    }
    let is_search = request.method == Method::POST && path.rest.starts_with("/internal/search/");
    if request.method != Method::GET && request.method != Method::HEAD && !is_search {
        return refused(405, "this page is for looking only");
    }
    to_dashboards(world, context, request, &key, path.rest, &request.query)
}

/// The engine of a domain.
pub(crate) fn engine<'w>(state: &'w mut State, context: &Context<'_>, key: &str) -> Option<Engine<'w>> {
    let State { domains, inside, dashboards: _, failing_validations: _, unavailable: _ } = state;
    let domain = domains.get(key)?;
    let now = context.now;
    let says = |option: &str, value: &str| domain.advanced_option(now, option).as_deref() == Some(value);
    Some(Engine {
        scope: domain.scope(),
        version: domain.version,
        data_nodes: domain.data_nodes(now),
        disk_bytes: domain.disk_bytes(now),
        cluster_name: format!("{}:{}", context.account, domain.name),
        refresh_scale: context.timing.buffer_scale,
        explicit_index: if says("rest.action.multi.allow_explicit_index", "false") {
            ExplicitIndex::Refused
        } else {
            ExplicitIndex::Allowed
        },
        claims_elasticsearch: says("override_main_response_version", "true"),
        data: inside,
    })
}

fn to_dashboards(
    world: &mut World,
    context: &Context<'_>,
    request: &Request,
    key: &str,
    path: &str,
    query: &[(String, String)],
) -> Response {
    let Some(domain) = world.opensearch.domains.get(key) else {
        return nobody();
    };
    let (version, scope) = (domain.version, domain.scope());
    let by_clock = domain.dashboards_at.is_some_and(|at| context.now >= at);
    let readiness = if by_clock && (!context.timing.dashboards_delay.is_zero() || domain.shown.missing_dashboards) {
        Readiness::Ready
    } else {
        Readiness::NotYet
    };
    let tenancy = if domain.has_fine_grained_access(context.now) {
        Tenancy::OfUser(context.caller_arn(&domain.region))
    } else {
        Tenancy::None
    };
    if by_clock
        && readiness == Readiness::NotYet
        && let Some(domain) = world.opensearch.domains.get_mut(key)
    {
        domain.shown.missing_dashboards = true;
    }
    let mut dashboards = Dashboards { data: &mut world.opensearch.dashboards, scope, version, readiness, tenancy };
    let ask = dashboards::Ask { method: &request.method, path, query, headers: &request.headers, body: &request.body };
    let mount = request.path.strip_suffix(path).unwrap_or_default();
    let (indexes, body) = match discover::wanted(&dashboards, ask, mount) {
        None => return dashboards.handle(ask, context.now),
        Some(discover::Wanted::Answer(answer)) => return answer,
        Some(discover::Wanted::Search { indexes, body }) => (indexes, body.to_string()),
    };
    let Some(mut engine) = engine(&mut world.opensearch, context, key) else {
        return nobody();
    };
    // What Dashboards add to a search of their own.
    let query = ["ignore_unavailable", "track_total_hits"].map(|name| (name.to_owned(), "true".to_owned()));
    let ask = engine::Ask {
        method: &Method::GET,
        path: &format!("/{indexes}/_search"),
        query: &query,
        media_type: Some("application/json"),
        body: body.as_bytes(),
    };
    discover::found(&engine.handle(ask, context.now))
}

/// What a name without a domain behind it gives: never the 404 of something that is missing inside a domain.
fn nobody() -> Response {
    Response::text(503, "text/plain", "no domain answers at this address".to_owned())
}

fn below<'p>(path: &'p str, base: &str) -> Option<&'p str> {
    path.strip_prefix(base).filter(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The domain's own access policy, and then fine-grained access control.
fn refuse_caller(domain: &Domain, context: &Context<'_>, request: &Request, path: DomainPath<'_>) -> Option<Response> {
    let in_force = domain.in_force(context.now);
    let policy = in_force.get("AccessPolicies").and_then(serde_json::Value::as_str).unwrap_or_default();
    let action = format!("es:{}", request.operation);
    let resource = format!("{}{}", domain.arn, path.rest);
    let caller = match &request.caller {
        Caller::Signed { access_key: _ } => context.caller_arn(&domain.region),
        Caller::Anonymous | Caller::Malformed => "anonymous".to_owned(),
    };
    let root = format!("arn:{}:iam::{}:root", partition(&domain.region), context.account);
    let names: Vec<&str> = match &request.caller {
        Caller::Signed { access_key: _ } => vec![&caller, &root],
        // Only what is open to everybody is open to nobody in particular.
        Caller::Anonymous | Caller::Malformed => vec!["*"],
    };
    let verdicts: Vec<Verdict> = names
        .into_iter()
        .map(|name| {
            let question = Question {
                action: &action,
                resource: Some(&resource),
                principal: Some(("AWS", name)),
                conditions: BTreeMap::new(),
            };
            policy_document::judge(policy, &question)
        })
        .collect();
    let why = if verdicts.contains(&Verdict::Denied) {
        "with an explicit deny in a resource-based policy"
    } else if verdicts.contains(&Verdict::Allowed) {
        return refuse_unmapped(domain, context, &caller);
    } else if policy.is_empty() && matches!(request.caller, Caller::Signed { access_key: _ }) {
        // Without a policy of the domain's, the caller's own permissions decide; callers have them all.
        return refuse_unmapped(domain, context, &caller);
    } else {
        &format!("because no resource-based policy allows the {action} action")
    };
    Some(response::error(
        request,
        403,
        "AccessDeniedException",
        &format!("User: {caller} is not authorized to perform: {action} {why}"),
    ))
}

/// With fine-grained access control only the master user is mapped; the emulator has no other mappings.
fn refuse_unmapped(domain: &Domain, context: &Context<'_>, caller: &str) -> Option<Response> {
    if !domain.has_fine_grained_access(context.now) || is_master(domain, caller) {
        return None;
    }
    let reason = format!("no permissions for [] and User [name={caller}, backend_roles=[], requestedTenant=null]");
    Some(Response::json(
        403,
        &json!({
            "error": {
                "root_cause": [{"type": "security_exception", "reason": reason}],
                "type": "security_exception",
                "reason": reason,
            },
            "status": 403,
        }),
    ))
}

/// Whether a principal is the domain's master user.
pub(crate) fn is_master(domain: &Domain, arn: &str) -> bool {
    domain.master_user.as_ref().and_then(|master| master.get("MasterUserARN")).and_then(|one| one.as_str()) == Some(arn)
}

/// Whether the domain's policy denies something to a role that its own permissions allow it.
pub(crate) fn denies(domain: &Domain, now: Timestamp, role: &str, action: &str, resource: &str) -> bool {
    let policy = domain.in_force(now).get("AccessPolicies").and_then(serde_json::Value::as_str).unwrap_or_default();
    let question =
        Question { action, resource: Some(resource), principal: Some(("AWS", role)), conditions: BTreeMap::new() };
    policy_document::judge(policy, &question) == Verdict::Denied
}
