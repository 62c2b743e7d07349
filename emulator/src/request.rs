//! Reads a request: which service and operation it is for, by whom and for which region. It decides nothing else.

use bytes::Bytes;
use http::{HeaderMap, Method};
use percent_encoding::percent_decode_str;

use crate::{firehose, iam, logs, opensearch, s3, sts, tagging};

/// A service that the emulator has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Service {
    /// Identity and Access Management.
    Iam,
    /// Security Token Service.
    Sts,
    /// Simple Storage Service.
    S3,
    /// CloudWatch Logs.
    Logs,
    /// Resource Groups Tagging API.
    Tagging,
    /// OpenSearch Service: the control plane.
    OpenSearch,
    /// A domain's own address: OpenSearch and Dashboards.
    Domain,
    /// The local server's own page for a person's browser, which is no part of AWS.
    Browser,
    /// Amazon Data Firehose.
    Firehose,
    /// Anything else.
    Unknown,
}

impl Service {
    fn of_signing_name(name: &str) -> Self {
        match name {
            "iam" => Self::Iam,
            "sts" => Self::Sts,
            "s3" => Self::S3,
            "logs" => Self::Logs,
            "tagging" => Self::Tagging,
            "es" => Self::OpenSearch,
            "firehose" => Self::Firehose,
            _ => Self::Unknown,
        }
    }

    fn of_target(target: &str) -> Self {
        match target.split_once('.').map_or(target, |(prefix, _)| prefix) {
            "Firehose_20150804" => Self::Firehose,
            "Logs_20140328" => Self::Logs,
            "ResourceGroupsTaggingAPI_20170126" => Self::Tagging,
            _ => Self::Unknown,
        }
    }
}

/// Who signed a request, as far as its signature says; the signature itself is not checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// No signature.
    Anonymous,
    /// A signature of the right form.
    Signed {
        /// The access key.
        access_key: String,
    },
    /// An Authorization header that is not a complete AWS4-HMAC-SHA256 signature.
    Malformed,
}

/// A request, read whole.
#[derive(Clone, Debug)]
pub struct Request {
    /// The id that the answer carries.
    pub id: String,
    /// Which service it is for.
    pub service: Service,
    /// The region of the signature's scope, or of the path for a domain; `us-east-1` where none is named.
    pub region: String,
    /// The region of the signature's scope; none without a signature.
    pub signed_region: Option<String>,
    /// Who signed it.
    pub caller: Caller,
    /// The operation as AWS names it; for a domain the action, such as `ESHttpPut`; empty if there is no such one.
    pub operation: String,
    /// The HTTP method.
    pub method: Method,
    /// The path as sent, still percent-encoded.
    pub path: String,
    /// Path and query as sent.
    pub target: String,
    /// The decoded query parameters in their order; one without `=` has an empty value.
    pub query: Vec<(String, String)>,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as sent.
    pub body: Bytes,
}

impl Request {
    /// Reads a request whose body is complete.
    #[must_use]
    pub fn read(parts: http::request::Parts, body: Bytes) -> Self {
        let http::request::Parts { method, uri, headers, .. } = parts;
        let sent = uri.path_and_query().map_or_else(|| uri.path().to_owned(), ToString::to_string);
        let query = decode_pairs(uri.query().unwrap_or_default());
        let scope = Scope::read(&headers, &query);
        let target = headers.get("x-amz-target").and_then(as_text).unwrap_or_default();
        let path = uri.path().to_owned();
        let mut service = match &scope {
            Scope::Signed { service, .. } => Service::of_signing_name(service),
            Scope::None | Scope::Malformed => guess(target, &path, &body),
        };
        let mut region = match &scope {
            Scope::Signed { region, .. } => region.clone(),
            Scope::None | Scope::Malformed => "us-east-1".to_owned(),
        };
        let signed_region = matches!(scope, Scope::Signed { .. }).then(|| region.clone());
        if service == Service::OpenSearch
            && let Some(domain) = DomainPath::read(&path)
        {
            service = Service::Domain;
            region = domain.region.to_owned();
        }
        let caller = match scope {
            Scope::Signed { access_key, .. } => Caller::Signed { access_key },
            Scope::None => Caller::Anonymous,
            Scope::Malformed => Caller::Malformed,
        };
        let mut request = Self {
            id: uuid::Uuid::new_v4().to_string(),
            service,
            region,
            signed_region,
            caller,
            operation: String::new(),
            method,
            path,
            target: sent,
            query,
            headers,
            body,
        };
        request.operation = match service {
            Service::Iam => iam::operation(&request),
            Service::Sts => sts::operation(&request),
            Service::S3 => s3::operation(&request),
            Service::Logs => logs::operation(&request),
            Service::Tagging => tagging::operation(&request),
            Service::OpenSearch => opensearch::operation(&request),
            Service::Domain => opensearch::domain_operation(&request),
            Service::Browser => "Look".to_owned(),
            Service::Firehose => firehose::operation(&request),
            Service::Unknown => String::new(),
        };
        request
    }

    /// A header as text. What is no text is not there: [`Request::unreadable_header`] is refused before anything is read.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        as_text(self.headers.get(name)?)
    }

    /// A header that no service could read, as it is not UTF-8; what nobody here reads is let be.
    #[must_use]
    pub fn unreadable_header(&self) -> Option<&str> {
        const UNREAD: [http::HeaderName; 3] = [http::header::COOKIE, http::header::REFERER, http::header::USER_AGENT];
        let mut headers = self.headers.iter().filter(|(name, _)| !UNREAD.contains(name));
        headers.find(|(_, value)| as_text(value).is_none()).map(|(name, _)| name.as_str())
    }

    /// The first query parameter of a name.
    #[must_use]
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The operation that X-Amz-Target names, if its prefix is this service's.
    #[must_use]
    pub fn target_operation(&self, prefix: &str) -> String {
        self.header("x-amz-target")
            .and_then(|target| target.strip_prefix(prefix)?.strip_prefix('.'))
            .unwrap_or_default()
            .to_owned()
    }

    /// Whether the operation changes anything, by its name (a dry run does not).
    #[must_use]
    pub fn is_write(&self) -> bool {
        match self.service {
            Service::Domain => opensearch::domain_request_is_write(self),
            // The page only looks.
            Service::Browser => false,
            Service::OpenSearch if opensearch::is_dry_run(self) => false,
            Service::Iam
            | Service::Sts
            | Service::S3
            | Service::Logs
            | Service::Tagging
            | Service::OpenSearch
            | Service::Firehose
            | Service::Unknown => {
                const READS: [&str; 7] = ["Get", "List", "Describe", "Head", "Filter", "Simulate", "Test"];
                !self.operation.is_empty() && !READS.iter().any(|verb| self.operation.starts_with(verb))
            }
        }
    }
}

/// The parts of a path below a domain's endpoint, `/domain/REGION/NAME/…`, or below its page for a browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DomainPath<'a> {
    /// The domain's region.
    pub region: &'a str,
    /// The domain's name.
    pub name: &'a str,
    /// The path that the domain sees, still percent-encoded, with its leading slash.
    pub rest: &'a str,
}

impl<'a> DomainPath<'a> {
    /// Splits a path, if it is below a domain's endpoint.
    #[must_use]
    pub fn read(path: &'a str) -> Option<Self> {
        Self::below("/domain/", path)
            .map(|found| Self { rest: if found.rest.is_empty() { "/" } else { found.rest }, ..found })
    }

    /// Splits a path, if it is below a domain's page for a browser, `/_dashboards/REGION/NAME/…`. No bucket can have such
    /// a name, so that it hides nothing of S3's.
    #[must_use]
    pub fn for_browser(path: &'a str) -> Option<Self> {
        Self::below("/_dashboards/", path)
    }

    fn below(prefix: &str, path: &'a str) -> Option<Self> {
        let path = path.strip_prefix(prefix)?;
        let (region, path) = path.split_once('/')?;
        let (name, rest) = path.find('/').map_or((path, ""), |slash| path.split_at(slash));
        Some(Self { region, name, rest })
    }
}

/// A header's value as text: UTF-8, though HTTP's own grammar has ASCII alone.
pub(crate) fn as_text(value: &http::HeaderValue) -> Option<&str> {
    std::str::from_utf8(value.as_bytes()).ok()
}

/// Decodes `a=b&c=d`, in which `+` is a space.
#[must_use]
pub fn decode_pairs(text: &str) -> Vec<(String, String)> {
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(&key.replace('+', " ")), decode(&value.replace('+', " ")))
        })
        .collect()
}

/// Decodes percent-encoding.
#[must_use]
pub fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

enum Scope {
    None,
    Malformed,
    Signed { access_key: String, region: String, service: String },
}

impl Scope {
    fn read(headers: &HeaderMap, query: &[(String, String)]) -> Self {
        if let Some(header) = headers.get(http::header::AUTHORIZATION) {
            let Some(fields) = as_text(header).and_then(|text| text.strip_prefix("AWS4-HMAC-SHA256 ")) else {
                return Self::Malformed;
            };
            let field =
                |name: &str| fields.split(',').find_map(|field| field.trim().strip_prefix(name)?.strip_prefix('='));
            let dated = headers.contains_key("x-amz-date") || headers.contains_key(http::header::DATE);
            let (Some(credential), Some(_), Some(_), true) =
                (field("Credential"), field("SignedHeaders"), field("Signature"), dated)
            else {
                return Self::Malformed;
            };
            return Self::of_credential(credential);
        }
        let parameter = |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        match parameter("X-Amz-Credential") {
            Some(credential) if parameter("X-Amz-Signature").is_some() => Self::of_credential(credential),
            Some(_) => Self::Malformed,
            None => Self::None,
        }
    }

    fn of_credential(credential: &str) -> Self {
        let parts: Vec<&str> = credential.split('/').collect();
        let [access_key, date, region, service, "aws4_request"] = parts[..] else {
            return Self::Malformed;
        };
        if access_key.is_empty() || date.len() != 8 || region.is_empty() {
            return Self::Malformed;
        }
        Self::Signed { access_key: access_key.to_owned(), region: region.to_owned(), service: service.to_owned() }
    }
}

/// The service of a request without a scope, by its shape.
fn guess(target: &str, path: &str, body: &Bytes) -> Service {
    if !target.is_empty() {
        return Service::of_target(target);
    }
    if DomainPath::read(path).is_some() {
        return Service::Domain;
    }
    if DomainPath::for_browser(path).is_some() {
        return Service::Browser;
    }
    if path.starts_with("/2021-01-01/") {
        return Service::OpenSearch;
    }
    let text = std::str::from_utf8(body).unwrap_or_default();
    if text.contains("Version=2010-05-08") {
        Service::Iam
    } else if text.contains("Version=2011-06-15") {
        Service::Sts
    } else {
        Service::S3
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{Caller, DomainPath, Request, Service};

    fn read(builder: http::request::Builder) -> Request {
        let (parts, ()) = builder.body(()).unwrap().into_parts();
        Request::read(parts, Bytes::new())
    }

    fn signed(service: &str) -> http::request::Builder {
        http::Request::builder().header("x-amz-date", "20260101T000000Z").header(
            "authorization",
            format!("AWS4-HMAC-SHA256 Credential=AKIA/20260101/eu-west-1/{service}/aws4_request, SignedHeaders=host, Signature=00"),
        )
    }

    #[test]
    fn the_scope_decides_service_and_region() {
        let request = read(signed("firehose").header("x-amz-target", "Firehose_20150804.PutRecord").uri("/"));
        assert_eq!(
            (request.service, request.region.as_str(), request.operation.as_str()),
            (Service::Firehose, "eu-west-1", "PutRecord")
        );
    }

    #[test]
    fn a_path_below_an_endpoint_is_the_domain_s() {
        let request = read(signed("es").uri("/domain/eu-west-1/logs/_cluster/health?pretty"));
        assert_eq!((request.service, request.query("pretty")), (Service::Domain, Some("")));
        assert_eq!(
            DomainPath::read(&request.path),
            Some(DomainPath { region: "eu-west-1", name: "logs", rest: "/_cluster/health" })
        );
    }

    #[test]
    fn an_incomplete_signature_is_not_one() {
        let request = read(http::Request::builder().header("authorization", "AWS4-HMAC-SHA256 Credential=x").uri("/"));
        assert_eq!(request.caller, Caller::Malformed);
    }
}
