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
            ["internal", "search", ..]
            | ["internal", "_msearch"]
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

/// Tells whether a request to the engine itself is known to read only.
pub(super) fn engine_reads(method: &Method, segments: &[&str]) -> bool {
    match method.as_str() {
        "GET" | "HEAD" => true,
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

/// The name of an index never begins with an underscore, that of an operation always does.
fn is_index(segment: &str) -> bool {
    !segment.starts_with('_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_read(method: &str, path: &str) -> bool {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let segments = super::super::segments(path);
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        reads(&method.parse().expect("a method"), &segments, &super::super::pairs(query))
    }

    #[test]
    fn what_reads_passes() {
        for (method, path) in [
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
        ] {
            assert!(is_read(method, path), "{method} {path}");
        }
    }

    #[test]
    fn what_writes_or_is_not_known_is_refused() {
        for (method, path) in [
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
        ] {
            assert!(!is_read(method, path), "{method} {path}");
        }
    }
}
