//! Signed HTTP to a domain and to its Dashboards. Follows no redirect, since a signature covers the path, and cannot put
//! query parameters on a POST: a domain ignores them there.

mod documents;
pub mod forward;

use std::fmt;
use std::fmt::Write as _;
use std::str::FromStr;
use std::time::{Duration, Instant, SystemTime};

use aws_credential_types::Credentials;
use aws_sdk_opensearch::types::DomainStatus;
use aws_sigv4::http_request::{PayloadChecksumKind, SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::timeout::TimeoutConfig;
use http::Method;
use serde_json::{Value, json};

use crate::aws::{DomainScheme, Session, causes};
use crate::error::{Error, ErrorKind, Result};
use crate::resource::{Kind, Readiness};
use crate::stack::Names;
use crate::wait::{Polling, pause};

pub use documents::{Created, Hit, IndexState, NewDocument, Searched};

/// Whether what is inside the domain can be asked.
#[derive(Debug)]
pub enum Reach<'s> {
    /// There is no domain, so there is nothing inside it.
    Absent,
    /// It cannot be asked now; why.
    Unknown(String),
    /// It has an endpoint.
    Ready(Box<DataPlane<'s>>),
}

/// Fills the account in the names of what is inside a domain, and only there: the bucket's default name holds it, and a
/// read of what is inside must not wait for sts:GetCallerIdentity because of that.
///
/// # Errors
/// As [`Session::caller`].
pub async fn names_inside(session: &Session, names: &Names) -> Result<Names> {
    Ok(Names {
        domain: session.name(&names.domain).await?,
        index_template: session.name(&names.index_template).await?,
        index_pattern_title: session.name(&names.index_pattern_title).await?,
        ..names.clone()
    })
}

/// A domain's own address.
#[derive(Debug)]
pub struct DataPlane<'s> {
    session: &'s Session,
    origin: Origin,
    domain: String,
    domain_arn: String,
    engine: Engine,
}

/// What a GET found.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// It is not there (404).
    Absent,
    /// It is there.
    Present(Value),
    /// The domain did not say: unreachable, busy, red or forbidden. Never means that it is not there.
    Unknown(String),
}

/// Why a domain or Dashboards did not do what was asked.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// What kind of refusal it is.
    pub cause: Cause,
    /// The same as an error with hints.
    pub error: Error,
}

/// What kind of refusal a [`Refusal`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// There are no credentials to sign with.
    Credentials,
    /// No connection, or no whole answer in time.
    Unreachable,
    /// 429, 502, 503 or 504.
    Busy,
    /// 500: it may pass at once, or stand for a fault that no waiting heals.
    InternalError,
    /// 401, a redirect, or a page where JSON is due: a login page stands in front.
    NotAuthenticated,
    /// 403.
    Forbidden,
    /// 404.
    NotFound,
    /// 409.
    Conflict,
    /// The engine itself answered what was meant for Dashboards. On AWS they are always there; other servers have none.
    NoDashboards,
    /// Any other status.
    Other,
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        refusal.error
    }
}

impl Refusal {
    /// Tells whether it may heal by waiting.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self.cause {
            Cause::Unreachable | Cause::Busy => true,
            Cause::Credentials
            | Cause::InternalError
            | Cause::NotAuthenticated
            | Cause::Forbidden
            | Cause::NotFound
            | Cause::Conflict
            | Cause::NoDashboards
            | Cause::Other => false,
        }
    }
}

/// How often a request is tried while the domain is unreachable or busy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Patience {
    /// The caller polls.
    Once,
    /// A few times: a read that fails is merely unknown.
    Reading,
    /// As often as a write is worth.
    Writing,
}

impl Patience {
    /// Returns how often a request is tried that ends with this cause.
    fn attempts(self, cause: Cause) -> u32 {
        match (cause, self) {
            (Cause::Unreachable | Cause::Busy, Self::Once) => 1,
            (Cause::Unreachable | Cause::Busy, Self::Reading) => 3,
            (Cause::Unreachable | Cause::Busy, Self::Writing) => 8,
            // For one who polls, too: what stays is an error at once, and not after minutes.
            (Cause::InternalError, Self::Once | Self::Reading | Self::Writing) => 3,
            (
                Cause::Credentials
                | Cause::NotAuthenticated
                | Cause::Forbidden
                | Cause::NotFound
                | Cause::Conflict
                | Cause::NoDashboards
                | Cause::Other,
                Self::Once | Self::Reading | Self::Writing,
            ) => 1,
        }
    }
}

impl<'s> DataPlane<'s> {
    /// Finds the domain's address in what DescribeDomain last answered. Sends nothing to the domain itself.
    ///
    /// # Errors
    /// Fails as es:DescribeDomain does.
    pub async fn reach(session: &'s Session, names: &Names) -> Result<Reach<'s>> {
        let name = session.name(&names.domain).await?;
        let described = session.domain(&name).await?;
        Ok(match described {
            None => Reach::Absent,
            Some(status) => match Self::at(session, &status) {
                Ok(plane) => Reach::Ready(Box::new(plane)),
                Err(why) => Reach::Unknown(format!("domain {name} {why}")),
            },
        })
    }

    /// Finds the address in a domain's description. Sends nothing.
    ///
    /// # Errors
    /// Says why there is none: no endpoint yet, being deleted, an engine that is not known.
    pub fn at(session: &'s Session, status: &DomainStatus) -> Result<Self, String> {
        let (origin, engine) = address(status, session.aws.domain_scheme)?;
        let (domain, domain_arn) = (status.domain_name().to_owned(), status.arn().to_owned());
        Ok(Self { session, origin, domain, domain_arn, engine })
    }

    /// Waits until the domain has an endpoint and answers a GET of `probe`: a new endpoint is not in DNS at once, and
    /// Dashboards answers 503 for a while after that.
    ///
    /// # Errors
    /// Fails when there is no domain, on a refusal that does not heal by waiting, after ten minutes without an answer,
    /// and as [`Polling::is_ready`] at the deadline.
    pub async fn answering(
        session: &'s Session,
        names: &Names,
        kind: Kind,
        probe: fn(Engine, &Names) -> Path,
    ) -> Result<Box<Self>> {
        let since = Instant::now();
        let mut polling = Polling::new(&session.waiting, kind, names.of(kind));
        loop {
            let readiness = match Self::knocked(session, names, kind, probe, since).await? {
                Ok(plane) => return Ok(plane),
                Err(readiness) => readiness,
            };
            let _ = polling.is_ready(readiness).await?;
        }
    }

    /// Asks once: the plane when it answers, else how far it is.
    async fn knocked(
        session: &'s Session,
        names: &Names,
        kind: Kind,
        probe: fn(Engine, &Names) -> Path,
        since: Instant,
    ) -> Result<Result<Box<Self>, Readiness>> {
        let mut reach = DataPlane::reach(session, names).await?;
        match &reach {
            Reach::Ready(_) => {}
            Reach::Absent | Reach::Unknown(_) => {
                // What was described before may be older than the endpoint.
                session.ask_domain(&session.name(&names.domain).await?).await?;
                reach = DataPlane::reach(session, names).await?;
            }
        }
        let plane = match reach {
            Reach::Ready(plane) => plane,
            Reach::Absent => return Ok(Err(Readiness::Failed(format!("there is no domain {}", names.domain)))),
            Reach::Unknown(why) => return Ok(Err(Readiness::pending(format!("waiting: {why}")))),
        };
        let request = Request::get(probe(plane.engine, names), &[]);
        match plane.exchange(&request, Patience::Once).await {
            Ok(_) => Ok(Ok(plane)),
            Err(refusal) if refusal.cause == Cause::NotFound => Ok(Ok(plane)),
            Err(refusal) if refusal.is_transient() && since.elapsed() < session.pace().answers_within => {
                // What was asked stands before the first colon, and says nothing to who waits.
                let why = refusal.error.message.split_once(": ").map_or("no answer", |(_, why)| why);
                Ok(Err(Readiness::pending(format!("waiting for an answer ({why})"))))
            }
            Err(refusal) => Err(refusal.error.context(format!("{kind} {}", names.of(kind)))),
        }
    }

    /// Returns the live engine.
    #[must_use]
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// Reads. A failure to answer is not an error but [`Found::Unknown`]; a few short retries come first.
    ///
    /// # Errors
    /// Fails when there are no credentials to sign with.
    pub async fn get(&self, path: Path, query: &[(&str, &str)]) -> Result<Found> {
        match self.exchange(&Request::get(path, query), Patience::Reading).await {
            Ok(body) => Ok(Found::Present(body)),
            Err(Refusal { cause, error }) => match cause {
                Cause::NotFound => Ok(Found::Absent),
                Cause::Credentials => Err(error),
                Cause::Unreachable
                | Cause::Busy
                | Cause::InternalError
                | Cause::NotAuthenticated
                | Cause::Forbidden
                | Cause::Conflict
                | Cause::NoDashboards
                | Cause::Other => {
                    let Error { kind: _, message, hints } = error;
                    Ok(Found::Unknown(match hints.first() {
                        Some(hint) => format!("{message} ({hint})"),
                        None => message,
                    }))
                }
            },
        }
    }

    /// Asks once whether Dashboards, in whatever state, are behind the endpoint at all.
    ///
    /// # Errors
    /// Fails where the engine itself answers in their place, which no waiting changes.
    pub async fn has_dashboards(&self) -> Result<()> {
        match self.exchange(&Request::get(self.engine.dashboards_settings(), &[]), Patience::Once).await {
            Err(Refusal { cause: Cause::NoDashboards, error }) => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Asks once for something inside. A domain in change says nothing for good: its access policy may be what changes.
    ///
    /// # Errors
    /// Fails where the caller is not let in by IAM, by the plugin inside or by a login page, which no waiting changes.
    pub async fn lets_in(&self, path: Path) -> Result<()> {
        if self.session.domain(&self.domain).await?.is_some_and(|status| status.processing() == Some(true)) {
            return Ok(());
        }
        match self.exchange(&Request::get(path, &[]), Patience::Once).await {
            Err(Refusal { cause: Cause::Forbidden | Cause::NotAuthenticated, error }) => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Counts the documents and the bytes of all indices, those of the system left out.
    ///
    /// # Errors
    /// Fails when the domain does not answer.
    pub async fn size_of_all_indices(&self) -> Result<(u64, u64)> {
        let found = self.get(Path::of(&["_cat", "indices"]), &[("format", "json"), ("bytes", "b")]).await?;
        let indices = match found {
            Found::Present(Value::Array(indices)) => indices,
            Found::Present(_) | Found::Absent => Vec::new(),
            Found::Unknown(why) => return Err(Error::failed(why)),
        };
        // The numbers come as strings, and as null for a closed index.
        let number = |index: &Value, key: &str| index[key].as_str().and_then(|text| text.parse::<u64>().ok());
        let of_users = |index: &&Value| index["index"].as_str().is_some_and(|name| !name.starts_with('.'));
        Ok(indices.iter().filter(of_users).fold((0, 0), |(documents, bytes), index| {
            (
                documents + number(index, "docs.count").unwrap_or_default(),
                bytes + number(index, "store.size").unwrap_or_default(),
            )
        }))
    }

    /// Writes with PUT.
    ///
    /// # Errors
    /// Fails on every status but 2xx; 429, 5xx and a lost connection are retried first.
    pub async fn put(&self, path: Path, body: &Value) -> Result<Value, Refusal> {
        self.exchange(&Request::with_body(Method::PUT, path, body), Patience::Writing).await
    }

    /// Writes with POST, which takes no query parameters: a domain ignores them on a signed POST.
    ///
    /// # Errors
    /// As [`DataPlane::put`]. After a lost answer the retry may find its own work: [`Cause::Conflict`].
    pub async fn post(&self, path: Path, body: &Value) -> Result<Value, Refusal> {
        self.exchange(&Request::with_body(Method::POST, path, body), Patience::Writing).await
    }

    /// Deletes; finding it gone is success.
    ///
    /// # Errors
    /// As [`DataPlane::put`].
    pub async fn delete(&self, path: Path) -> Result<(), Refusal> {
        let request = Request { method: Method::DELETE, ..Request::get(path, &[]) };
        match self.exchange(&request, Patience::Writing).await {
            Ok(_) => Ok(()),
            Err(refusal) if refusal.cause == Cause::NotFound => Ok(()),
            Err(refusal) => Err(refusal),
        }
    }

    async fn exchange(&self, request: &Request, patience: Patience) -> Result<Value, Refusal> {
        let mut attempt = 0;
        loop {
            let outcome = match self.once(request).await {
                Ok(answer) => judge(request, answer, &self.domain_arn),
                Err(refusal) => Err(refusal),
            };
            attempt += 1;
            match outcome {
                Err(refusal)
                    if attempt < patience.attempts(refusal.cause) && !self.session.waiting.deadline.is_over() =>
                {
                    pause(&self.session.waiting, attempt - 1).await;
                }
                outcome => return outcome,
            }
        }
    }

    async fn once(&self, request: &Request) -> Result<Answer, Refusal> {
        let credentials =
            self.session.credentials().await.map_err(|error| Refusal { cause: Cause::Credentials, error })?;
        let signed = request
            .signed(&self.origin, &self.session.aws.region, credentials, SystemTime::now())
            .map_err(|why| Refusal { cause: Cause::Other, error: Error::failed(format!("{request}: {why}")) })?;
        // The SDK's own limits, so that the connections are shared with its clients' connector.
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(5))
            .operation_attempt_timeout(Duration::from_secs(30))
            .build();
        let operation = Operation::builder()
            .service_name("opensearch data plane")
            .operation_name("request")
            .http_client(self.session.aws.http.clone())
            .endpoint_url(&self.origin.scheme_and_authority())
            .no_auth()
            .no_retry()
            .timeout_config(timeouts)
            .serializer(|request: Signed| Ok(request.0))
            .deserializer::<Answer, std::convert::Infallible>(Answer::read)
            .build();
        operation.invoke(Signed(signed)).await.map_err(|error| {
            let why = causes(&error).join(": ");
            let error = Error::failed(format!("{request}: domain {} does not answer: {why}", self.domain))
                .hint("check the network and HTTPS_PROXY; a domain in a VPC answers from inside that VPC only");
            Refusal { cause: Cause::Unreachable, error }
        })
    }
}

/// Returns where a described domain answers and which engine it runs, or why that is not known.
fn address(status: &DomainStatus, scheme: DomainScheme) -> Result<(Origin, Engine), String> {
    if status.deleted() == Some(true) {
        return Err("is being deleted".to_owned());
    }
    let in_vpc = || status.endpoints().and_then(|endpoints| endpoints.get("vpc")).map(String::as_str);
    let Some(endpoint) = status.endpoint().or_else(in_vpc) else {
        return Err("has no endpoint yet".to_owned());
    };
    let origin = Origin::parse(endpoint, scheme)?;
    let engine = status.engine_version().unwrap_or_default().parse()?;
    Ok((origin, engine))
}

/// Scheme, host, port and leading path of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Origin {
    scheme: &'static str,
    authority: String,
    prefix: String,
}

impl Origin {
    /// Reads an endpoint as AWS gives it: without a scheme. A stand-in's may carry a port and a path.
    fn parse(endpoint: &str, scheme: DomainScheme) -> Result<Self, String> {
        let bare = endpoint.split_once("://").map_or(endpoint, |(_, bare)| bare);
        let (authority, path) = bare.split_once('/').unwrap_or((bare, ""));
        if authority.is_empty() || authority.parse::<http::uri::Authority>().is_err() {
            return Err(format!("has the endpoint `{endpoint}`, which is no host"));
        }
        let path = path.trim_matches('/');
        let prefix = if path.is_empty() { String::new() } else { format!("/{path}") };
        let scheme = match scheme {
            DomainScheme::Https => "https",
            DomainScheme::Http => "http",
        };
        Ok(Self { scheme, authority: authority.to_owned(), prefix })
    }

    fn scheme_and_authority(&self) -> String {
        format!("{}://{}", self.scheme, self.authority)
    }
}

/// The engine of a domain, as far as addresses and forms depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Engine {
    /// The product.
    pub family: Family,
    /// 2 of 2.19.
    pub major: u32,
    /// 19 of 2.19.
    pub minor: u32,
}

/// The two products behind the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Elasticsearch, with Kibana.
    Elasticsearch,
    /// OpenSearch, with Dashboards.
    OpenSearch,
}

impl FromStr for Engine {
    type Err = String;

    fn from_str(version: &str) -> Result<Self, String> {
        let unknown = || format!("runs `{version}`, which is no known engine");
        let (family, number) = version.split_once('_').ok_or_else(unknown)?;
        let family = match family {
            "OpenSearch" => Family::OpenSearch,
            "Elasticsearch" => Family::Elasticsearch,
            _ => return Err(unknown()),
        };
        let (major, minor) = number.split_once('.').ok_or_else(unknown)?;
        let number = |digits: &str| digits.parse().map_err(|_| unknown());
        Ok(Self { family, major: number(major)?, minor: number(minor)? })
    }
}

impl Engine {
    /// Tells whether `_index_template` exists: Elasticsearch brought it with 7.8, and OpenSearch always had it.
    #[must_use]
    pub fn has_composable_templates(self) -> bool {
        match self.family {
            Family::OpenSearch => true,
            Family::Elasticsearch => (self.major, self.minor) >= (7, 8),
        }
    }

    /// Returns the name of its user interface.
    #[must_use]
    pub fn dashboards_name(self) -> &'static str {
        match self.family {
            Family::OpenSearch => "Dashboards",
            Family::Elasticsearch => "Kibana",
        }
    }

    /// Returns where Dashboards or Kibana begin below the domain's endpoint.
    #[must_use]
    pub fn dashboards_base(self) -> &'static str {
        match self.family {
            Family::OpenSearch => "/_dashboards",
            Family::Elasticsearch => "/_plugin/kibana",
        }
    }

    /// Returns the address of Discover below the domain's endpoint, on an index pattern where one is named by its id.
    /// OpenSearch Dashboards since 2.10 turn this form into their own; Kibana 7 keeps it for old links. The tenant is named
    /// because it may be a private one by default, where the pattern is not.
    #[must_use]
    pub fn discover(self, index_pattern: Option<&str>) -> String {
        let mut address = format!("{}/app/", self.dashboards_base());
        address.push_str(match self.family {
            Family::OpenSearch => "discover?security_tenant=global#/",
            Family::Elasticsearch => "kibana?security_tenant=global#/discover",
        });
        if let Some(id) = index_pattern {
            // Rison: in quotes `!` escapes itself and a quote.
            let quoted = id.replace('!', "!!").replace('\'', "!'");
            address.push_str("?_a=(index:'");
            push_encoded(&mut address, quoted.as_bytes());
            address.push_str("')");
        }
        address
    }

    /// Returns a path inside Dashboards or Kibana. The old path only redirects after an upgrade, and a redirect would
    /// spoil the signature, so the path follows the live engine.
    #[must_use]
    pub fn dashboards(self, segments: &[&str]) -> Path {
        let base: &[&str] = match self.family {
            Family::OpenSearch => &["_dashboards"],
            Family::Elasticsearch => &["_plugin", "kibana"],
        };
        Path { surface: Surface::Dashboards, path: encode(&[base, segments].concat()) }
    }

    /// Returns a path of the security plugin, which fine-grained access control is.
    #[must_use]
    pub fn security(self, segments: &[&str]) -> Path {
        let plugin = match self.family {
            Family::OpenSearch => "_plugins",
            Family::Elasticsearch => "_opendistro",
        };
        Path::of(&[&[plugin, "_security"], segments].concat())
    }

    /// Returns the path of the advanced settings of Dashboards or Kibana.
    #[must_use]
    pub fn dashboards_settings(self) -> Path {
        self.dashboards(match self.family {
            Family::OpenSearch => &["api", "opensearch-dashboards", "settings"],
            Family::Elasticsearch => &["api", "kibana", "settings"],
        })
    }
}

/// A path on a domain, encoded; it has no query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    surface: Surface,
    path: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Surface {
    Engine,
    Dashboards,
}

impl Path {
    /// Makes a path to the engine itself from its segments, not encoded yet.
    #[must_use]
    pub fn of(segments: &[&str]) -> Self {
        Self { surface: Surface::Engine, path: encode(segments) }
    }
}

fn encode(segments: &[&str]) -> String {
    let mut path = String::new();
    for segment in segments {
        path.push('/');
        push_encoded(&mut path, segment.as_bytes());
    }
    path
}

/// Encodes all but RFC 3986's unreserved characters, as Signature Version 4 wants it.
fn push_encoded(out: &mut String, bytes: &[u8]) {
    for byte in bytes {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(*byte)),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
}

/// One request. Only [`Request::get`] takes a query.
#[derive(Clone, Debug)]
struct Request {
    method: Method,
    path: Path,
    query: String,
    media_type: &'static str,
    body: Vec<u8>,
}

const JSON: &str = "application/json";
const JSON_LINES: &str = "application/x-ndjson";

impl Request {
    fn get(path: Path, query: &[(&str, &str)]) -> Self {
        let mut encoded = String::new();
        for (key, value) in query {
            encoded.push(if encoded.is_empty() { '?' } else { '&' });
            push_encoded(&mut encoded, key.as_bytes());
            encoded.push('=');
            push_encoded(&mut encoded, value.as_bytes());
        }
        Self { method: Method::GET, path, query: encoded, media_type: JSON, body: Vec::new() }
    }

    fn with_body(method: Method, path: Path, body: &Value) -> Self {
        let body = body.to_string().into_bytes();
        Self { method, path, query: String::new(), media_type: JSON, body }
    }

    /// A POST of JSON, one value a line.
    fn of_lines(path: Path, body: Vec<u8>) -> Self {
        Self { method: Method::POST, path, query: String::new(), media_type: JSON_LINES, body }
    }

    /// Signs for the service `es`, which is the data plane's name too.
    fn signed(
        &self,
        origin: &Origin,
        region: &str,
        credentials: Credentials,
        now: SystemTime,
    ) -> Result<HttpRequest, Box<dyn std::error::Error + Send + Sync>> {
        let Self { method, path, query, media_type, body } = self;
        let uri = format!("{}{}{}{query}", origin.scheme_and_authority(), origin.prefix, path.path);
        let mut headers = vec![("accept", "application/json")];
        if !body.is_empty() {
            headers.push(("content-type", *media_type));
        }
        match path.surface {
            Surface::Engine => {}
            // Dashboards wants osd-xsrf and Kibana kbn-xsrf, any value, and each ignores the other's. Without a tenant
            // named, an object could land in the private tenant of the caller, where nobody sees it.
            Surface::Dashboards => {
                headers.extend([("osd-xsrf", "true"), ("kbn-xsrf", "true"), ("securitytenant", "global")]);
            }
        }
        let mut settings = SigningSettings::default();
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        let identity = credentials.into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(region)
            .name("es")
            .time(now)
            .settings(settings)
            .build()?;
        let signable =
            SignableRequest::new(method.as_str(), uri.as_str(), headers.iter().copied(), SignableBody::Bytes(body))?;
        let (instructions, _signature) = sign(signable, &params.into())?.into_parts();
        let mut request = http::Request::builder().method(method.clone()).uri(&uri);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let mut request = request.body(SdkBody::from(body.as_slice()))?;
        instructions.apply_to_request_http1x(&mut request);
        Ok(HttpRequest::try_from(request)?)
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path.path)
    }
}

/// A signed request on its way; its headers are secret, so it prints nothing.
struct Signed(HttpRequest);

impl fmt::Debug for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signed")
    }
}

/// What came back, whatever the status.
#[derive(Clone, Debug)]
struct Answer {
    status: u16,
    content_type: String,
    location: Option<String>,
    body: Vec<u8>,
}

impl Answer {
    fn read(response: &HttpResponse) -> Result<Self, OrchestratorError<std::convert::Infallible>> {
        let body = response.body().bytes().ok_or_else(|| OrchestratorError::other("the answer's body is missing"))?;
        Ok(Self {
            status: response.status().as_u16(),
            content_type: response.headers().get("content-type").unwrap_or_default().to_owned(),
            location: response.headers().get("location").map(ToOwned::to_owned),
            body: body.to_vec(),
        })
    }

    /// Returns the body where it is JSON by its type and by itself.
    fn json(&self) -> Option<Value> {
        if !self.content_type.contains("json") {
            return None;
        }
        if self.body.is_empty() { Some(Value::Null) } else { serde_json::from_slice(&self.body).ok() }
    }
}

fn judge(request: &Request, answer: Answer, domain_arn: &str) -> Result<Value, Refusal> {
    let Answer { status, content_type: _, ref location, ref body } = answer;
    let json = answer.json();
    let refused = |cause: Cause, what: &str| Refusal { cause, error: Error::failed(format!("{request}: {what}")) };
    let told = || match &json {
        Some(json) => told(json),
        None => page(body),
    };
    match status {
        200..=299 => json.ok_or_else(|| {
            let mut refusal =
                refused(Cause::NotAuthenticated, &format!("not authenticated: {status} with {}", page(body)));
            refusal.error = refusal.error.hint(NOT_AUTHENTICATED);
            refusal
        }),
        300..=399 | 401 => {
            let place = location.as_deref().map(|place| format!(", redirected to {place}")).unwrap_or_default();
            let mut refusal =
                refused(Cause::NotAuthenticated, &format!("not authenticated: {status} {}{place}", told()));
            refusal.error = refusal.error.hint(NOT_AUTHENTICATED);
            Err(refusal)
        }
        403 => Err(forbidden(request, &told(), domain_arn)),
        404 if json.is_some() => Err(refused(Cause::NotFound, &format!("{status} {}", told()))),
        409 => Err(refused(Cause::Conflict, &format!("{status} {}", told()))),
        500 => Err(refused(Cause::InternalError, &format!("{status} {}", told()))),
        429 | 502 | 503 | 504 => Err(refused(Cause::Busy, &format!("{status} {}", told()))),
        _ => {
            let text = told();
            if request.path.surface == Surface::Dashboards && text.contains("no handler found") {
                let mut refusal = refused(Cause::NoDashboards, &format!("{status} {text}"));
                refusal.error = refusal.error.hint(NO_DASHBOARDS);
                return Err(refusal);
            }
            Err(refused(Cause::Other, &format!("{status} {text}")))
        }
    }
}

const NO_DASHBOARDS: &str = "the engine itself answered: there is no Dashboards behind this endpoint, as there always is on \
                             AWS; look where AWS_ENDPOINT_URL leads";

const NOT_AUTHENTICATED: &str =
    "a login page (Cognito, SAML or a user database) stands in front: the caller's IAM identity must be let in";

/// Words a 403. The checks come in this order: IAM with the domain's access policy, then the security plugin inside.
fn forbidden(request: &Request, text: &str, domain_arn: &str) -> Refusal {
    let permission = match request.method {
        Method::GET => "es:ESHttpGet",
        Method::HEAD => "es:ESHttpHead",
        Method::PUT => "es:ESHttpPut",
        Method::DELETE => "es:ESHttpDelete",
        _ => "es:ESHttpPost",
    };
    let error = Error::new(ErrorKind::Denied, format!("{request}: 403 {text}"));
    let low = text.to_lowercase();
    let error = if low.contains("no permissions for") || low.contains("security_exception") {
        error.hint(
            "map the caller to a role inside the domain (Dashboards, Security, Roles) that allows it: with fine-grained \
             access control IAM alone is not enough",
        )
    } else if low.contains("cluster_block") || low.contains("forbidden/") {
        error.hint("the domain blocks writes: its disk is nearly full, or it is short of memory")
    } else if let Some(untaken) = untaken("", text) {
        error.hint(match untaken {
            Untaken::Clock => {
                "set this machine's clock: AWS takes a signature for some minutes around its own time only"
            }
            Untaken::Expired | Untaken::Invalid => {
                "AWS does not take these credentials: log in again, and check AWS_PROFILE and this machine's clock"
            }
        })
    } else {
        error.hint(format!(
            "allow {permission} on {domain_arn}/* to the caller, in its IAM policy or in the domain's access policy"
        ))
    };
    Refusal { cause: Cause::Forbidden, error }
}

/// Why AWS does not take who signs, whatever that one may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untaken {
    /// The credentials have ended.
    Expired,
    /// They are not known, or the signature is not theirs.
    Invalid,
    /// The signature is of another time than AWS's: this machine's clock is wrong.
    Clock,
}

/// Reads AWS's refusal of credentials or of a signature from the type of its error and from its text; `None` for any other
/// one. Only AWS's own words count, from their begin: names and texts of a person's hold words such as `expired`, too.
fn untaken(code: &str, text: &str) -> Option<Untaken> {
    // As it comes in a header (`X:http://...`) and in a body (`aws#X`).
    let code = code.split(':').next().unwrap_or_default();
    let code = code.rsplit('#').next().unwrap_or_default().trim();
    let begins = |words: &[&str]| words.iter().any(|words| text.starts_with(words));
    // What is late comes under the code of a wrong signature, so that the text counts first.
    if begins(&["Signature expired", "Signature not yet current"]) || code == "RequestTimeTooSkewed" {
        return Some(Untaken::Clock);
    }
    if begins(&["The security token included in the request is expired"])
        || ["ExpiredTokenException", "ExpiredToken"].contains(&code)
    {
        return Some(Untaken::Expired);
    }
    let is_invalid = begins(&[
        "The security token included in the request is invalid",
        "The request signature we calculated does not match",
        "Missing Authentication Token",
    ]) || [
        "UnrecognizedClientException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
    ]
    .contains(&code);
    is_invalid.then_some(Untaken::Invalid)
}

/// Returns code and text of an answer in JSON, in the words of the engine, of Dashboards or of AWS's front.
pub fn told(json: &Value) -> String {
    let text = |value: &Value| value.as_str().map(ToOwned::to_owned);
    let error = &json["error"];
    // What is wrong with a template stands in the innermost cause only.
    let mut cause = &error["caused_by"];
    while cause["caused_by"].is_object() {
        cause = &cause["caused_by"];
    }
    let joined = match (text(&error["type"]), text(&error["reason"])) {
        (Some(code), Some(reason)) => Some(match text(&cause["reason"]) {
            Some(cause) if !reason.contains(&cause) => format!("{code}: {reason}: {cause}"),
            Some(_) | None => format!("{code}: {reason}"),
        }),
        (Some(only), None) | (None, Some(only)) => Some(only),
        (None, None) => None,
    };
    let message = || text(&json["message"]).or_else(|| text(&json["Message"]));
    let told = match (joined, text(error), message()) {
        (Some(joined), _, _) => joined,
        (None, Some(error), Some(message)) if message != error => format!("{error}: {message}"),
        (None, _, Some(message)) => message,
        (None, Some(error), None) => error,
        (None, None, None) => json.to_string(),
    };
    shortened(&told)
}

/// Returns what a message says, without the JSON that an engine's error stands in.
#[must_use]
pub fn told_in(message: &str) -> String {
    match serde_json::from_str::<Value>(message) {
        Ok(error) if error["type"].is_string() || error["reason"].is_string() => told(&json!({ "error": error })),
        Ok(error) if error.is_object() => shortened(message),
        Ok(_) | Err(_) => message.to_owned(),
    }
}

/// Describes a body that is not JSON.
fn page(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let text = text.trim();
    if text.is_empty() {
        "an empty body".to_owned()
    } else if text.starts_with('<') {
        "a page in HTML".to_owned()
    } else {
        shortened(text)
    }
}

fn shortened(text: &str) -> String {
    const LONGEST: usize = 600;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use serde_json::json;

    use super::*;

    fn origin(endpoint: &str) -> Origin {
        Origin::parse(endpoint, DomainScheme::Https).expect("an endpoint")
    }

    fn engine(version: &str) -> Engine {
        version.parse().expect("an engine")
    }

    fn answer(status: u16, content_type: &str, body: &str) -> Answer {
        Answer { status, content_type: content_type.to_owned(), location: None, body: body.as_bytes().to_vec() }
    }

    fn refusal(status: u16, content_type: &str, body: &str) -> Refusal {
        let request = Request::get(Path::of(&["_index_template", "logs"]), &[]);
        judge(&request, answer(status, content_type, body), "arn:aws:es:eu-west-1:1:domain/logs")
            .expect_err("a refusal")
    }

    #[test]
    fn an_endpoint_may_carry_port_and_path() {
        assert_eq!(
            origin("search-logs-x.eu-west-1.es.amazonaws.com").scheme_and_authority(),
            "https://search-logs-x.eu-west-1.es.amazonaws.com"
        );
        let local =
            Origin::parse("127.0.0.1:4588/opensearch/eu-west-1/logs/", DomainScheme::Http).expect("an endpoint");
        assert_eq!(local.scheme_and_authority(), "http://127.0.0.1:4588");
        assert_eq!(local.prefix, "/opensearch/eu-west-1/logs");
        Origin::parse("", DomainScheme::Https).expect_err("no host");
    }

    #[test]
    fn a_domain_without_an_endpoint_is_not_reachable_yet() {
        let status = |builder: aws_sdk_opensearch::types::builders::DomainStatusBuilder| {
            let cluster = aws_sdk_opensearch::types::ClusterConfig::builder().build();
            let status = builder.domain_id("1/logs").domain_name("logs").arn("arn").cluster_config(cluster);
            status.engine_version("OpenSearch_2.19").build().expect("a status")
        };
        let why = address(&status(DomainStatus::builder()), DomainScheme::Https).expect_err("no endpoint");
        assert_eq!(why, "has no endpoint yet");
        let deleted = status(DomainStatus::builder().endpoint("x.example.com").deleted(true));
        assert_eq!(address(&deleted, DomainScheme::Https).expect_err("deleted"), "is being deleted");
        let in_vpc = status(DomainStatus::builder().endpoints("vpc", "vpc-logs.example.com"));
        let (origin, engine) = address(&in_vpc, DomainScheme::Https).expect("an address");
        assert_eq!(origin.authority, "vpc-logs.example.com");
        assert_eq!(engine, Engine { family: Family::OpenSearch, major: 2, minor: 19 });
    }

    #[test]
    fn the_engine_decides_paths_and_the_form_of_templates() {
        let opensearch = engine("OpenSearch_1.0");
        assert!(opensearch.has_composable_templates());
        assert_eq!(opensearch.dashboards(&["api", "status"]).path, "/_dashboards/api/status");
        assert_eq!(opensearch.dashboards_settings().path, "/_dashboards/api/opensearch-dashboards/settings");
        let elasticsearch = engine("Elasticsearch_7.7");
        assert!(!elasticsearch.has_composable_templates());
        assert!(engine("Elasticsearch_7.10").has_composable_templates());
        assert_eq!(elasticsearch.dashboards_settings().path, "/_plugin/kibana/api/kibana/settings");
        "Solr_9.1".parse::<Engine>().expect_err("no known engine");
    }

    #[test]
    fn discover_opens_on_the_pattern_in_the_form_that_every_release_takes() {
        assert_eq!(
            engine("OpenSearch_2.19").discover(Some("ekk-logs")),
            "/_dashboards/app/discover?security_tenant=global#/?_a=(index:'ekk-logs')"
        );
        assert_eq!(
            engine("Elasticsearch_7.10").discover(Some("it's a !")),
            "/_plugin/kibana/app/kibana?security_tenant=global#/discover?_a=(index:'it%21%27s%20a%20%21%21')"
        );
        assert_eq!(engine("OpenSearch_1.3").discover(None), "/_dashboards/app/discover?security_tenant=global#/");
    }

    #[test]
    fn a_path_is_signed_as_it_is_sent() {
        let request = Request::with_body(
            Method::POST,
            engine("OpenSearch_2.19").dashboards(&["api", "saved_objects", "index-pattern", "ekk logs/*"]),
            &json!({"attributes": {}}),
        );
        let credentials = Credentials::new("AKIDEXAMPLE", "secret", Some("session".to_owned()), None, "test");
        let now = UNIX_EPOCH + Duration::from_secs(1_440_938_160);
        let signed = request
            .signed(&origin("search-logs.example.com"), "us-east-1", credentials, now)
            .expect("a signed request");
        assert_eq!(
            signed.uri(),
            "https://search-logs.example.com/_dashboards/api/saved_objects/index-pattern/ekk%20logs%2F%2A"
        );
        let header = |name: &str| signed.headers().get(name).unwrap_or_default().to_owned();
        assert_eq!(header("securitytenant"), "global");
        assert_eq!(header("osd-xsrf"), "true");
        assert_eq!(header("x-amz-security-token"), "session");
        assert_eq!(
            header("x-amz-content-sha256"),
            "45beb2c084b5532fbfd873bedf7a1a3a6e14b205c310a19af29817d1788ccf24",
            "the SHA-256 of the body"
        );
        let authorization = header("authorization");
        assert!(
            authorization.starts_with(
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/es/aws4_request, \
                 SignedHeaders=accept;content-type;host;kbn-xsrf;osd-xsrf;securitytenant;x-amz-content-sha256;x-amz-date;\
                 x-amz-security-token, Signature="
            ),
            "{authorization}"
        );
    }

    #[test]
    fn a_request_to_the_engine_names_no_tenant() {
        let request = Request::get(Path::of(&["_cat", "indices"]), &[("format", "json"), ("h", "index,docs.count")]);
        let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "test");
        let signed = request.signed(&origin("h:9200/base"), "us-east-1", credentials, UNIX_EPOCH).expect("a request");
        assert_eq!(signed.uri(), "https://h:9200/base/_cat/indices?format=json&h=index%2Cdocs.count");
        assert!(signed.headers().get("securitytenant").is_none());
        assert!(signed.headers().get("content-type").is_none());
    }

    #[test]
    fn a_page_where_json_is_due_means_a_login() {
        for (status, content_type, body) in [
            (200, "text/html; charset=utf-8", "<html>login</html>"),
            (302, "text/html", ""),
            (401, "text/plain", "Unauthorized"),
        ] {
            let refusal = refusal(status, content_type, body);
            assert_eq!(refusal.cause, Cause::NotAuthenticated, "{status}");
            assert!(!refusal.is_transient());
            assert_eq!(refusal.error.hints, vec![NOT_AUTHENTICATED.to_owned()]);
        }
    }

    #[test]
    fn the_two_kinds_of_403_get_different_advice() {
        let iam = refusal(
            403,
            "application/json",
            r#"{"Message":"User: arn:aws:iam::1:user/a is not authorized to perform: es:ESHttpGet"}"#,
        );
        assert_eq!(iam.error.kind, ErrorKind::Denied);
        assert!(iam.error.hints[0].starts_with("allow es:ESHttpGet on arn:aws:es:eu-west-1:1:domain/logs/*"));
        let inside = refusal(
            403,
            "application/json",
            r#"{"error":{"type":"security_exception","reason":"no permissions for [indices:admin/index_template/get] and User"},"status":403}"#,
        );
        assert!(inside.error.hints[0].starts_with("map the caller to a role inside the domain"));
        assert_eq!(
            inside.error.message,
            "GET /_index_template/logs: 403 security_exception: no permissions for [indices:admin/index_template/get] and User"
        );
    }

    #[test]
    fn only_aws_s_own_words_are_about_the_credentials() {
        for (code, text, why) in [
            ("", "The security token included in the request is expired", Some(Untaken::Expired)),
            ("ExpiredTokenException:http://internal.amazon.com/coral/", "gone", Some(Untaken::Expired)),
            ("", "The security token included in the request is invalid.", Some(Untaken::Invalid)),
            ("com.amazon.coral.service#UnrecognizedClientException", "", Some(Untaken::Invalid)),
            (
                "",
                "The request signature we calculated does not match the signature you provided.",
                Some(Untaken::Invalid),
            ),
            ("MissingAuthenticationToken", "x", Some(Untaken::Invalid)),
            ("InvalidSignatureException", "Signature expired: 1 is now earlier than 2", Some(Untaken::Clock)),
            ("", "Signature not yet current: 2 is still later than 1", Some(Untaken::Clock)),
            ("", "no permission for saved object: signature expired sale", None),
            ("AccessDeniedException", "User: expired is not authorized to perform: es:ESHttpGet", None),
        ] {
            assert_eq!(untaken(code, text), why, "{code} {text}");
        }
        let late = refusal(403, "application/json", r#"{"message":"Signature expired: 1 is now earlier than 2"}"#);
        assert!(late.error.hints[0].starts_with("set this machine's clock"), "{:?}", late.error.hints);
        let denied = r#"{"Message":"User: arn:aws:iam::1:user/expired is not authorized to perform: es:ESHttpGet"}"#;
        let denied = refusal(403, "application/json", denied);
        assert!(denied.error.hints[0].starts_with("allow es:ESHttpGet"), "{:?}", denied.error.hints);
    }

    #[test]
    fn the_innermost_cause_is_told_too() {
        // As OpenSearch 2.19.1 answers a template with an unknown type.
        let body = r#"{"error":{"root_cause":[{"type":"illegal_argument_exception","reason":"composable template [logs] template after composition is invalid"}],"type":"illegal_argument_exception","reason":"composable template [logs] template after composition is invalid","caused_by":{"type":"illegal_argument_exception","reason":"invalid composite mappings for [logs]","caused_by":{"type":"mapper_parsing_exception","reason":"Failed to parse mapping [_doc]: No handler for type [strange] declared on field [a]","caused_by":{"type":"mapper_parsing_exception","reason":"No handler for type [strange] declared on field [a]"}}}},"status":400}"#;
        assert_eq!(
            refusal(400, "application/json", body).error.message,
            "GET /_index_template/logs: 400 illegal_argument_exception: composable template [logs] template after \
             composition is invalid: No handler for type [strange] declared on field [a]"
        );
    }

    #[test]
    fn what_is_busy_may_heal_and_a_missing_route_is_told_from_a_missing_object() {
        assert!(refusal(503, "text/html", "<html>").is_transient());
        assert!(refusal(429, "application/json", "{}").is_transient());
        assert_eq!(refusal(404, "application/json", r#"{"statusCode":404}"#).cause, Cause::NotFound);
        assert_eq!(refusal(404, "text/html", "<html>").cause, Cause::Other);
        assert_eq!(refusal(409, "application/json", r#"{"message":"exists"}"#).cause, Cause::Conflict);
    }

    #[test]
    fn an_answer_in_json_is_taken_whatever_its_charset() {
        let request = Request::get(Path::of(&["x"]), &[]);
        let body =
            judge(&request, answer(200, "application/json; charset=UTF-8", r#"{"a":1}"#), "arn").expect("a body");
        assert_eq!(body, json!({"a": 1}));
    }

    #[test]
    fn long_texts_are_cut() {
        assert_eq!(shortened("a\n  b"), "a b");
        assert_eq!(shortened(&"ä".repeat(1000)).chars().count(), 601);
    }
}
