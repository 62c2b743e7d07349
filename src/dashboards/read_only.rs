//! Which requests only read. Dashboards search and fetch with POST, so the method alone does not tell; what is not on the
//! list is taken to write.

use http::Method;

use super::signed_posts::engine_request;

/// Tells whether a request to Dashboards or Kibana, by its decoded segments below their base, is known to read only.
pub(super) fn reads(method: &Method, segments: &[&str], query: &[(String, String)]) -> bool {
    match method.as_str() {
        "GET" | "HEAD" => match segments {
            // Makes a report anew, and counts who follows a short address.
            ["api", "reporting", "generateReport", ..] | ["goto", ..] => false,
            _ => true,
        },
        "OPTIONS" => true,
        "POST" => match segments {
            ["internal", "search", strategy] | ["internal", "search", strategy, _] => SEARCHES.contains(strategy),
            ["internal", "_msearch"]
            | ["elasticsearch", "_msearch"]
            | ["api", "saved_objects", "_bulk_get" | "_export"]
            | ["api", "opensearch-dashboards" | "kibana", "suggestions", "values", _]
            | ["api", "core", "capabilities"]
            | ["api", "metrics", "vis", "data"]
            | ["api", "timelion" | "timeline", "run"]
            // SQL can delete where the domain allows it; PPL has no such statement.
            | ["api", "enhancements", "search", "ppl"] => true,
            ["elasticsearch", index, "_search"] => is_index(index),
            // Dev Tools: what the engine is asked decides.
            ["api", "console", "proxy"] => {
                engine_request(query).is_some_and(|asked| {
                    let segments: Vec<&str> = asked.segments.iter().map(String::as_str).collect();
                    engine_reads(&asked.method, &segments)
                })
            }
            _ => false,
        },
        _ => false,
    }
}

/// The search strategies of Dashboards and of Kibana that hand the engine a `_search` and nothing else. Plugins bring others,
/// such as SQL, which can delete.
const SEARCHES: [&str; 3] = ["opensearch", "opensearch-with-long-numerals", "es"];

/// Tells whether a request to the engine itself is known to read only.
pub(super) fn engine_reads(method: &Method, segments: &[&str]) -> bool {
    match method.as_str() {
        // Open Distro's SQL takes a statement as a parameter, too, and one of them deletes.
        "GET" | "HEAD" => !matches!(segments, ["_sql"] | ["_opendistro" | "_plugins", "_sql"]),
        "POST" => match segments {
            ["_search" | "_count" | "_msearch" | "_mget" | "_field_caps" | "_analyze"] | ["_validate", "query"] => true,
            [index, "_search" | "_count" | "_msearch" | "_mget" | "_field_caps" | "_analyze"]
            | [index, "_validate", "query"]
            | [index, "_explain" | "_termvectors", _] => is_index(index),
            _ => false,
        },
        _ => false,
    }
}

/// The name of an index never begins with an underscore, that of an operation always does. Nor has it what could be read as
/// the end of a segment or of a path by somebody on the way.
fn is_index(segment: &str) -> bool {
    let ends_something = |letter: char| matches!(letter, '/' | '\\' | '?' | '#') || letter.is_control();
    !segment.is_empty() && !segment.starts_with('_') && !segment.contains(ends_something)
}

#[cfg(test)]
mod tests {
    use super::super::signed_posts::{Way, way};
    use super::*;
    use crate::opensearch::forward::encoded_path;

    fn is_read(method: &str, path: &str) -> bool {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let segments = super::super::segments(path);
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        reads(&method.parse().expect("a method"), &segments, &super::super::pairs(query))
    }

    /// What reads, one of each form at least.
    const READS: [(&str, &str); 39] = [
        ("GET", "/app/discover"),
        ("GET", "/api/saved_objects/_find?type=index-pattern"),
        ("HEAD", "/api/status"),
        ("OPTIONS", "/api/status"),
        ("POST", "/internal/search/opensearch"),
        ("POST", "/internal/search/opensearch-with-long-numerals"),
        ("POST", "/internal/search/es/1"),
        ("POST", "/internal/_msearch"),
        ("POST", "/elasticsearch/_msearch?rest_total_hits_as_int=true"),
        ("POST", "/elasticsearch/logs-*/_search"),
        ("POST", "/api/saved_objects/_bulk_get"),
        ("POST", "/api/saved_objects/_export"),
        ("POST", "/api/opensearch-dashboards/suggestions/values/logs-*"),
        ("POST", "/api/kibana/suggestions/values/logs-*"),
        ("POST", "/api/core/capabilities"),
        ("POST", "/api/metrics/vis/data"),
        ("POST", "/api/timelion/run"),
        ("POST", "/api/enhancements/search/ppl"),
        ("POST", "/api/console/proxy?path=_cat/indices&method=GET"),
        ("POST", "/api/console/proxy?path=%2Flogs-*%2F_search%3Fsize%3D1&method=POST"),
        ("POST", "/api/console/proxy?path=_validate/query&method=POST"),
        ("POST", "/internal/search/opensearch/1"),
        ("POST", "/internal/search/opensearch-with-long-numerals/1"),
        ("POST", "/internal/search/es"),
        ("POST", "/api/timeline/run"),
        ("POST", "/elasticsearch/_msearch"),
        ("POST", "/api/console/proxy?path=logs-*&method=HEAD"),
        ("POST", "/api/console/proxy?path=_search&method=POST"),
        ("POST", "/api/console/proxy?path=_msearch&method=POST"),
        ("POST", "/api/console/proxy?path=_mget&method=POST"),
        ("POST", "/api/console/proxy?path=_count&method=POST"),
        ("POST", "/api/console/proxy?path=_field_caps&method=POST"),
        ("POST", "/api/console/proxy?path=_analyze&method=POST"),
        ("POST", "/api/console/proxy?path=logs-*/_msearch&method=POST"),
        ("POST", "/api/console/proxy?path=logs-*/_count&method=POST"),
        ("POST", "/api/console/proxy?path=logs-*/_validate/query&method=POST"),
        ("POST", "/api/console/proxy?path=logs-1/_mget&method=POST"),
        ("POST", "/api/console/proxy?path=logs-1/_explain/1&method=POST"),
        ("POST", "/api/console/proxy?path=logs-1/_termvectors/1&method=POST"),
    ];

    /// What writes, or is not known.
    const NO_READS: [(&str, &str); 42] = [
        ("PUT", "/api/saved_objects/index-pattern/x"),
        ("DELETE", "/api/saved_objects/index-pattern/x"),
        ("PATCH", "/api/x"),
        ("POST", "/api/saved_objects/index-pattern/x"),
        ("POST", "/api/saved_objects/index-pattern"),
        ("POST", "/api/saved_objects/_bulk_create"),
        ("POST", "/api/saved_objects/_import"),
        ("POST", "/api/opensearch-dashboards/settings"),
        ("POST", "/api/ui_metric/report"),
        ("POST", "/api/enhancements/search/sql"),
        ("POST", "/internal/search/sql"),
        ("POST", "/internal/search/sqlasync"),
        ("POST", "/internal/search/ppl"),
        ("POST", "/internal/search/ese"),
        ("POST", "/internal/search"),
        ("POST", "/internal/search/es/1/2"),
        ("POST", "/internal/search/opensearch%2F..sql"),
        ("POST", "/elasticsearch/a%2Fb/_search"),
        ("POST", "/elasticsearch/%5Fall/_search"),
        ("POST", "/api/console/proxy?path=_dashboards/goto/x&method=GET"),
        ("POST", "/api/console/proxy?path=_dashboards/api/reporting/generateReport/x&method=GET"),
        ("POST", "/api/console/proxy?path=%255Fdashboards/goto/x&method=GET"),
        ("POST", "/api/console/proxy?path=_plugin/kibana/goto/x&method=HEAD"),
        ("POST", "/api/console/proxy?path=_opendistro/_sql?sql=DELETE%2BFROM%2Bx&method=GET"),
        ("POST", "/api/console/proxy?path=a%252Fb/_search&method=POST"),
        ("POST", "/api/console/proxy?path=a%253Fb/_search&method=POST"),
        ("POST", "/api/console/proxy?path=a%2523b/_search&method=POST"),
        ("POST", "/api/console/proxy?path=a%250Ab/_search&method=POST"),
        ("POST", "/api/ism/apiCaller"),
        ("POST", "/elasticsearch/_bulk"),
        ("POST", "/elasticsearch/_all/_search/template"),
        ("POST", "/api/console/proxy?path=logs&method=DELETE"),
        ("POST", "/api/console/proxy?path=logs/_doc/_search&method=POST"),
        ("POST", "/api/console/proxy?path=logs/_delete_by_query&method=POST"),
        ("POST", "/api/console/proxy?path=logs/_search/../_delete_by_query&method=POST"),
        ("POST", "/api/console/proxy?path=_doc/_search&method=POST"),
        ("POST", "/api/console/proxy?method=GET"),
        ("POST", "/api/console/proxy?path=a&method=GET&path=b"),
        ("POST", "/"),
        ("GET", "/api/reporting/generateReport/1"),
        ("GET", "/goto/abc"),
        ("BREW", "/app/discover"),
    ];

    #[test]
    fn what_reads_passes() {
        for (method, path) in READS {
            assert!(is_read(method, path), "{method} {path}");
        }
    }

    #[test]
    fn what_writes_or_is_not_known_is_refused() {
        for (method, path) in NO_READS {
            assert!(!is_read(method, path), "{method} {path}");
        }
    }

    /// What reaches the domain, as IAM sees it: an action and a resource. `None` for what no permission would help.
    fn asked_of_iam(base: &str, method: &str, path: &str) -> Option<(String, String)> {
        let (below, query) = path.split_once('?').unwrap_or((path, ""));
        let segments = super::super::segments(below);
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let own = encoded_path(&format!("{base}{below}")).expect("a path");
        let (method, path) = match way(&method.parse().expect("a method"), &segments, &super::super::pairs(query)) {
            Way::AsItIs | Way::CreateOrUpdate { tenant: _ } => (method.to_owned(), own),
            Way::Instead { method, path, query: _, tenant: _ } => (method.to_string(), path.unwrap_or(own)),
            Way::Refused(_) => return None,
        };
        let (first, rest) = method.split_at(1);
        Some((format!("es:ESHttp{first}{}", rest.to_lowercase()), format!("arn:aws:es:x:1:domain/logs{path}")))
    }

    /// Tells whether `ekk policy reader` allows it.
    fn reader_may((action, resource): &(String, String)) -> bool {
        let policy = crate::policy::reader(&crate::policy::ReaderGrants {
            stream_arn: "arn:aws:firehose:x:1:deliverystream/logs".to_owned(),
            domain_arn: "arn:aws:es:x:1:domain/logs".to_owned(),
            bucket_arn: "arn:aws:s3:::logs".to_owned(),
            log_group_arn: "arn:aws:logs:x:1:log-group:logs".to_owned(),
        });
        let holds = |value: &serde_json::Value, text: &str| {
            let one = std::slice::from_ref(value);
            let words = value.as_array().map_or(one, Vec::as_slice).iter().filter_map(serde_json::Value::as_str);
            words.into_iter().any(|pattern| ekk_emulator::control::wildcard_matches(pattern, text))
        };
        let statements = policy["Statement"].as_array().expect("statements");
        statements
            .iter()
            .any(|statement| holds(&statement["Action"], action) && holds(&statement["Resource"], resource))
    }

    /// `*` of IAM stands for any text, slashes included, so that these cannot be told apart from searches of an index.
    const LIKE_A_READ_TO_IAM: [&str; 4] = ["_doc/_search", "b/_search", "/%5Fall/_search", "/search/es/1/2"];

    #[test]
    fn the_reader_s_policy_allows_what_reads_and_no_other_post() {
        for base in ["/_dashboards", "/_plugin/kibana"] {
            // OPTIONS has no action of IAM's that a policy could name; no page of Dashboards sends it.
            for (method, path) in READS.into_iter().filter(|(method, _)| *method != "OPTIONS") {
                let asked = asked_of_iam(base, method, path).expect("it is sent");
                assert!(reader_may(&asked), "{method} {base}{path}: {asked:?}");
            }
            for (method, path) in NO_READS.into_iter().filter(|(method, _)| *method != "GET") {
                if LIKE_A_READ_TO_IAM.iter().any(|part| path.contains(part)) {
                    continue;
                }
                if let Some(asked) = asked_of_iam(base, method, path)
                    && !asked.0.ends_with("Get")
                {
                    assert!(!reader_may(&asked), "{method} {base}{path}: {asked:?}");
                }
            }
        }
    }
}
