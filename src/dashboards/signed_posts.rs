//! What is done about query parameters of POST requests: a domain ignores them on signed ones (OpenSearch Service guide,
//! signing requests), so that what a browser asked for would silently be something else. Where the same can be said in
//! another way it is; else the request is refused with the reason.

use bytes::Bytes;
use http::{HeaderValue, Method};
use serde_json::{Value, json};

use super::read_only::engine_reads;
use super::{pairs, segments};
use crate::opensearch::forward::encoded_path;

/// How a request goes to the domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// As it came: it is no POST, or has no query parameters.
    AsItIs,
    /// As another request that means the same.
    Instead {
        /// Its method.
        method: Method,
        /// Its path below the domain's endpoint, where it is another one.
        path: Option<String>,
        /// Its query parameters.
        query: Vec<(String, String)>,
        /// The tenant, for a header.
        tenant: Option<String>,
    },
    /// A POST, and a PUT where the object is there.
    CreateOrUpdate {
        /// The tenant, for a header.
        tenant: Option<String>,
    },
    /// Not at all; what the parameters would have meant.
    Refused(String),
}

/// A request that Dev Tools have Dashboards send to the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EngineRequest {
    pub(super) method: Method,
    /// Encoded.
    pub(super) path: String,
    /// Decoded.
    pub(super) segments: Vec<String>,
    pub(super) query: Vec<(String, String)>,
}

/// Parameters that change how an answer looks and not what it says.
const LOOKS: [&str; 4] = ["pretty", "human", "format", "error_trace"];

/// Decides how a request to Dashboards or Kibana goes, by its decoded segments below their base.
pub(super) fn way(method: &Method, segments: &[&str], query: &[(String, String)]) -> Way {
    if *method != Method::POST || query.is_empty() {
        return Way::AsItIs;
    }
    match segments {
        ["api", "console", "proxy"] => return dev_tools(query),
        // Kibana up to 7.7 hands searches of the browser on to the engine, which takes them as GET, too.
        ["elasticsearch", path @ ..] if engine_reads(&Method::POST, path) => {
            let path = encoded_path(&format!("/{}", path.join("/"))).ok();
            return Way::Instead { method: Method::GET, path, query: query.to_vec(), tenant: None };
        }
        _ => {}
    }
    let mut tenant = None;
    let mut left: Vec<&str> = Vec::new();
    for (key, value) in query {
        match key.as_str() {
            "securitytenant" | "security_tenant" | "securityTenant_" => tenant = Some(value.clone()),
            // Off is what each of them is without the parameter.
            _ if value.is_empty() || value == "false" => {}
            // As Dashboards' own schema reads it: in any case of letters, and nothing else than these two.
            "overwrite" if value.eq_ignore_ascii_case("false") => {}
            "overwrite" if !value.eq_ignore_ascii_case("true") => {
                return Way::Refused(format!("overwrite, which is `true` or `false` and not `{value}`"));
            }
            _ => left.push(key),
        }
    }
    // A header holds less than an address, and without its tenant the request would go to another one.
    if let Some(named) = &tenant
        && HeaderValue::from_str(named).is_err()
    {
        return Way::Refused(format!("the tenant `{named}`, which no header can name"));
    }
    match (&left[..], segments) {
        ([], _) => Way::Instead { method: Method::POST, path: None, query: Vec::new(), tenant },
        (["overwrite"], ["api", "saved_objects", kind, _]) if !kind.starts_with('_') => Way::CreateOrUpdate { tenant },
        // Without an id nothing can be there before.
        (["overwrite"], ["api", "saved_objects", kind]) if !kind.starts_with('_') => {
            Way::Instead { method: Method::POST, path: None, query: Vec::new(), tenant }
        }
        (["overwrite"], ["api", "saved_objects", "_import"]) => {
            Way::Refused("overwrite: choose to be asked about each conflict instead".to_owned())
        }
        (left, _) => Way::Refused(left.join(", ")),
    }
}

/// Sends what Dev Tools ask straight to the engine, as Dashboards would.
fn dev_tools(query: &[(String, String)]) -> Way {
    let Some(asked) = engine_request(query) else {
        return Way::Refused(
            "path and method, of which each is needed once, and the path is one of the engine".to_owned(),
        );
    };
    let EngineRequest { method, path, segments, mut query } = asked;
    let path = Some(path);
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    if method != Method::POST {
        if !query.iter().any(|(key, _)| key == "pretty") {
            query.push(("pretty".to_owned(), "true".to_owned()));
        }
        return Way::Instead { method, path, query, tenant: None };
    }
    if query.iter().all(|(key, _)| LOOKS.contains(&key.as_str())) {
        return Way::Instead { method, path, query: Vec::new(), tenant: None };
    }
    if engine_reads(&method, &segments) {
        return Way::Instead { method: Method::GET, path, query, tenant: None };
    }
    let names: Vec<&str> = query.iter().map(|(key, _)| key.as_str()).filter(|key| !LOOKS.contains(key)).collect();
    Way::Refused(names.join(", "))
}

/// Reads the parameters of Dev Tools' requests; `None` where they are not whole or lead elsewhere than they seem to.
pub(super) fn engine_request(query: &[(String, String)]) -> Option<EngineRequest> {
    let only = |name: &str| {
        let mut values = query.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
        match (values.next(), values.next()) {
            (Some(value), None) => Some(value),
            _ => None,
        }
    };
    // What else the releases send is the form of numbers; a data source is another cluster.
    let names_a_source = query.iter().any(|(key, value)| key == "dataSourceId" && !value.is_empty());
    let method = only("method")?.to_ascii_uppercase();
    if names_a_source || !["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"].contains(&method.as_str()) {
        return None;
    }
    let (path, query) = only("path")?.split_once('?').unwrap_or((only("path")?, ""));
    if is_dashboards_own(path) {
        return None;
    }
    let path = encoded_path(&format!("/{}", path.trim_start_matches('/'))).ok()?;
    Some(EngineRequest { method: method.parse().ok()?, segments: segments(&path), path, query: pairs(query) })
}

/// Tells whether a path that is meant for the engine leads to Dashboards or Kibana, which are below the same endpoint: what is
/// asked of them is judged by other rules. It is decoded until nothing is left to decode, since nobody knows how often those
/// on the way do.
fn is_dashboards_own(path: &str) -> bool {
    const MOST_LAYERS: usize = 8;
    let mut plain = path.to_owned();
    let is_plain = (0..MOST_LAYERS).any(|_| {
        let once_more = super::decoded(&plain);
        let is_plain = once_more == plain;
        plain = once_more;
        is_plain
    });
    if !is_plain {
        return true;
    }
    let plain = plain.to_lowercase();
    let mut parts = plain.split(['/', '\\']).map(str::trim).filter(|part| !part.is_empty());
    match parts.next() {
        Some("_plugin") => parts.next().is_some_and(|part| part.starts_with("kibana")),
        Some(first) => first.starts_with("_dashboards"),
        None => false,
    }
}

/// Returns the body of an update from that of a create, which may say more; `None` where it is none.
pub(super) fn body_of_update(create: &[u8]) -> Option<Bytes> {
    let create: Value = serde_json::from_slice(create).ok()?;
    let attributes = create.get("attributes")?;
    let mut update = json!({"attributes": attributes});
    if let Some(references) = create.get("references") {
        update["references"] = references.clone();
    }
    Some(Bytes::from(update.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way_of(method: &str, path: &str) -> Way {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let segments = segments(path);
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        way(&method.parse().expect("a method"), &segments, &pairs(query))
    }

    fn instead(method: Method, path: Option<&str>, query: &str) -> Way {
        Way::Instead { method, path: path.map(ToOwned::to_owned), query: pairs(query), tenant: None }
    }

    #[test]
    fn only_posts_with_parameters_are_touched() {
        assert_eq!(way_of("GET", "/api/saved_objects/_find?type=x"), Way::AsItIs);
        assert_eq!(way_of("PUT", "/api/x?a=b"), Way::AsItIs);
        assert_eq!(way_of("POST", "/internal/search/opensearch"), Way::AsItIs);
    }

    #[test]
    fn what_is_off_anyway_is_left_out_and_a_tenant_becomes_a_header() {
        assert_eq!(
            way_of("POST", "/api/saved_objects/_import?overwrite=false&createNewCopies=&dataSourceId"),
            instead(Method::POST, None, "")
        );
        assert_eq!(
            way_of("POST", "/api/saved_objects/_bulk_get?security_tenant=global"),
            Way::Instead { method: Method::POST, path: None, query: Vec::new(), tenant: Some("global".to_owned()) }
        );
    }

    #[test]
    fn an_object_is_overwritten_by_creating_or_updating_it() {
        assert_eq!(
            way_of("POST", "/api/saved_objects/dashboard/x?overwrite=true"),
            Way::CreateOrUpdate { tenant: None }
        );
        assert_eq!(
            way_of("POST", "/api/saved_objects/dashboard/x?overwrite=True&security_tenant=private"),
            Way::CreateOrUpdate { tenant: Some("private".to_owned()) }
        );
        for off in ["overwrite=false", "overwrite=FALSE", "overwrite=", "overwrite"] {
            assert_eq!(
                way_of("POST", &format!("/api/saved_objects/dashboard/x?{off}")),
                instead(Method::POST, None, ""),
                "{off}"
            );
        }
        for other in ["overwrite=1", "overwrite=yes", "overwrite=true&overwrite=true", "overwrite=true%20"] {
            let way = way_of("POST", &format!("/api/saved_objects/dashboard/x?{other}"));
            assert!(matches!(way, Way::Refused(_)), "{other}: {way:?}");
        }
        assert_eq!(way_of("POST", "/api/saved_objects/dashboard?overwrite=true"), instead(Method::POST, None, ""));
        let create = br#"{"attributes":{"title":"a"},"references":[],"migrationVersion":{"dashboard":"7.9.3"}}"#;
        assert_eq!(
            body_of_update(create).as_deref(),
            Some(br#"{"attributes":{"title":"a"},"references":[]}"#.as_slice())
        );
        assert_eq!(body_of_update(b"[]"), None);
    }

    #[test]
    fn dev_tools_reach_the_engine_by_themselves() {
        let proxy =
            |path: &str, method: &str| way_of("POST", &format!("/api/console/proxy?path={path}&method={method}"));
        assert_eq!(
            proxy("_cat%2Findices%3Fv%3Dtrue", "GET"),
            instead(Method::GET, Some("/_cat/indices"), "v=true&pretty=true")
        );
        assert_eq!(proxy("%2Flogs-*%2F_search", "POST"), instead(Method::POST, Some("/logs-%2A/_search"), ""));
        assert_eq!(proxy("logs%2F_search%3Fpretty", "post"), instead(Method::POST, Some("/logs/_search"), ""));
        assert_eq!(proxy("logs%2F_search%3Fsize%3D0", "POST"), instead(Method::GET, Some("/logs/_search"), "size=0"));
        assert_eq!(
            proxy("logs%2F_doc%2F1%3Frefresh%3Dtrue", "PUT"),
            instead(Method::PUT, Some("/logs/_doc/1"), "refresh=true&pretty=true")
        );
        assert_eq!(
            proxy("_reindex%3Fpretty%26wait_for_completion%3Dfalse", "POST"),
            Way::Refused("wait_for_completion".to_owned())
        );
        for (path, method) in
            [("_cat", "TRACE"), ("a%2F..%2Fb", "GET"), ("a&path=b", "GET"), ("a&dataSourceId=x", "GET")]
        {
            assert!(matches!(proxy(path, method), Way::Refused(_)), "{method} {path}");
        }
    }

    #[test]
    fn dev_tools_reach_the_engine_and_never_dashboards() {
        for path in [
            "_dashboards%2Fgoto%2Fx",
            "%2F_dashboards%2Fapi%2Freporting%2FgenerateReport%2Fx",
            "%2F%2F_dashboards",
            "_DASHBOARDS%2Fgoto%2Fx",
            "%255Fdashboards%2Fgoto%2Fx",
            "%25255Fdashboards%2Fgoto%2Fx",
            "_dashboards%252Fgoto%252Fx",
            "_dashboards%3Ba%2Fgoto%2Fx",
            "_dashboards%3Fa%3Db",
            "_plugin%2Fkibana%2Fgoto%2Fx",
            "_plugin%252Fkibana%2Fgoto%2Fx",
            "_plugin%5Ckibana%2Fgoto%2Fx",
            "_plugin%2F%2Fkibana",
        ] {
            for method in ["GET", "PUT", "DELETE", "POST"] {
                let way = way_of("POST", &format!("/api/console/proxy?path={path}&method={method}"));
                assert!(matches!(way, Way::Refused(_)), "{method} {path}: {way:?}");
            }
        }
        let own = |path: &str| way_of("POST", &format!("/api/console/proxy?path={path}&method=DELETE"));
        for path in ["/_plugins/_ism/policies/x", "/x/_dashboards", "/_plugin/other"] {
            assert_eq!(own(path), instead(Method::DELETE, Some(path), "pretty=true"), "{path}");
        }
    }

    #[test]
    fn a_tenant_that_no_header_can_name_is_refused_and_not_forgotten() {
        let way = way_of("POST", "/api/saved_objects/dashboard/x?overwrite=true&security_tenant=%C3%A4%0A");
        assert!(matches!(way, Way::Refused(_)), "{way:?}");
    }

    #[test]
    fn the_searches_of_old_kibana_go_to_the_engine_as_get() {
        assert_eq!(
            way_of("POST", "/elasticsearch/_msearch?rest_total_hits_as_int=true&ignore_throttled=true"),
            instead(Method::GET, Some("/_msearch"), "rest_total_hits_as_int=true&ignore_throttled=true")
        );
        assert_eq!(way_of("POST", "/elasticsearch/_bulk?refresh=true"), Way::Refused("refresh".to_owned()));
    }

    #[test]
    fn what_would_silently_be_something_else_is_refused() {
        assert_eq!(
            way_of("POST", "/api/saved_objects/_bulk_create?overwrite=true"),
            Way::Refused("overwrite".to_owned())
        );
        assert_eq!(
            way_of("POST", "/api/saved_objects/_import?overwrite=true"),
            Way::Refused("overwrite: choose to be asked about each conflict instead".to_owned())
        );
        assert_eq!(way_of("POST", "/api/x?a=1&b=2&c=false"), Way::Refused("a, b".to_owned()));
    }
}
