//! The stand-in for Discover: one page of a user interface, which says what it is, and the search that it asks. It is no
//! part of Dashboards or Kibana, and shows records and nothing else.

use http::Method;
use serde_json::{Value, json};

use super::{Ask, Dashboards, Readiness, Refusal, error, json_response, object, only, refuse, text};
use crate::{engine::Family, response::Response};

const PAGE: &str = include_str!("discover.html");
const STYLE: &str = include_str!("discover.css");
const SCRIPT: &str = include_str!("discover.js");

/// Where the page is, below the place where Dashboards begin.
pub(crate) const AT: &str = "/app/discover";

/// What a request to the stand-in is for.
pub(crate) enum Wanted {
    /// This answer.
    Answer(Response),
    /// What the engine finds.
    Search {
        /// The indexes, as a path's segment that is not encoded.
        indexes: String,
        /// A search's body.
        body: Value,
    },
}

/// Returns what a request wants of the stand-in; `None` where it is for somebody else, or Dashboards are not ready.
/// `mount` is the path under which Dashboards are asked.
pub(crate) fn wanted(dashboards: &Dashboards<'_>, ask: Ask<'_>, mount: &str) -> Option<Wanted> {
    if dashboards.readiness == Readiness::NotYet {
        return None;
    }
    let strategy = match dashboards.version.family {
        Family::OpenSearch => "/internal/search/opensearch",
        Family::Elasticsearch => "/internal/search/es",
    };
    let is_read = *ask.method == Method::GET || *ask.method == Method::HEAD;
    let answer = match ask.path {
        AT if is_read => asset("text/html; charset=utf-8", PAGE),
        "/stand-in/discover.css" if is_read => asset("text/css; charset=utf-8", STYLE),
        "/stand-in/discover.js" if is_read => asset("text/javascript; charset=utf-8", SCRIPT),
        // Where the releases of Dashboards and Kibana have or had Discover; what stands behind `#` stays.
        "" | "/" | "/app/home" | "/app/kibana" | "/app/data-explorer/discover" if is_read => {
            Response::empty(302).with_header("location", format!("{mount}{AT}"))
        }
        path if path == strategy && *ask.method == Method::POST => match search(dashboards, ask) {
            Ok(wanted) => return Some(wanted),
            Err(Refusal { status, message }) => json_response(status, &error(status, &message)),
        },
        _ => return None,
    };
    Some(Wanted::Answer(answer))
}

fn search(dashboards: &Dashboards<'_>, ask: Ask<'_>) -> Result<Wanted, Refusal> {
    dashboards.check_forgery(ask)?;
    ask.allow(&[])?;
    let sent = ask.json()?;
    only(&sent, &["params"])?;
    let params = Value::Object(object(&sent, "params")?.clone());
    only(&params, &["index", "body"])?;
    let indexes = text(&params, "index")?;
    if indexes.is_empty() || indexes.contains(['/', '%']) {
        return refuse(400, "[request body.params.index]: expected the name or the pattern of an index");
    }
    Ok(Wanted::Search { indexes: indexes.to_owned(), body: Value::Object(object(&params, "body")?.clone()) })
}

/// Puts what the engine found into the shape of a search strategy's answer.
pub(crate) fn found(answer: &Response) -> Response {
    let raw: Value = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
    if answer.status != 200 {
        let mut cause = &raw["error"];
        while cause["caused_by"].is_object() {
            cause = &cause["caused_by"];
        }
        let reason = cause["reason"].as_str().unwrap_or("the engine refused the search");
        let mut body = error(answer.status, reason);
        body["attributes"] = json!({"error": raw["error"]});
        return json_response(answer.status, &body);
    }
    let shards = raw["_shards"].clone();
    let answer = json!({
        "isPartial": false,
        "isRunning": false,
        "rawResponse": raw,
        "total": shards["total"],
        "loaded": shards["successful"],
    });
    json_response(200, &answer)
}

fn asset(media_type: &str, text: &str) -> Response {
    // Whatever a record holds, the page loads nothing from elsewhere, runs no script but its own, and is in no frame.
    const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                          img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    Response::text(200, media_type, text.to_owned())
        .with_header("content-security-policy", POLICY)
        .with_header("x-content-type-options", "nosniff")
        .with_header("x-frame-options", "DENY")
        .with_header("referrer-policy", "no-referrer")
        .with_header("cross-origin-resource-policy", "same-origin")
        .with_header("cache-control", "no-store")
}
