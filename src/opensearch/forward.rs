//! A browser's request on its way to a domain: signed as it is sent, and its answer handed on as it comes. Judges nothing
//! but whether AWS took the credentials.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{PayloadChecksumKind, SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime_api::client::interceptors::context::Output;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::ser_de::DeserializeResponse;
use aws_smithy_runtime_api::client::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::timeout::TimeoutConfig;
use bytes::Bytes;
use http::{HeaderMap, Method, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame};
use serde_json::Value;
use tokio::sync::Mutex;

use super::{DataPlane, Engine, Origin, Signed, Untaken, page, told, untaken};
use crate::aws::{Aws, Connection, Session, causes};
use crate::error::{Error, Result};
use crate::wait::{Deadline, Progress, Waiting};

/// How long the domain may take to begin its answer: Dashboards' own queries end after 300 s (OpenSearch Service guide,
/// using Dashboards).
const ANSWER_BEGINS_WITHIN: Duration = Duration::from_secs(310);

/// Longer texts of a refusal are none of AWS's own.
const LONGEST_REFUSAL_BYTES: usize = 64 << 10;

/// A domain to which requests are handed on.
#[derive(Debug)]
pub struct Upstream {
    connection: Connection,
    session: Mutex<Arc<Session>>,
    origin: Origin,
    engine: Engine,
    domain: String,
}

/// A request to hand on. What is hop-by-hop, and what only the browser may know, is out of its headers already.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// The method.
    pub method: Method,
    /// The path below the domain's endpoint, encoded by [`encoded_path`].
    pub path: String,
    /// The query parameters, decoded.
    pub query: Vec<(String, String)>,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// Why there is no answer of the domain's to hand on.
#[derive(Clone, Debug)]
pub enum NotForwarded {
    /// There are no credentials.
    NoCredentials(Error),
    /// AWS does not take the credentials or the signature; the error holds AWS's words.
    Untaken(Untaken, Error),
    /// No connection, or no answer in time.
    Unreachable(Error),
    /// The request cannot be signed.
    Unsignable(Error),
}

impl Upstream {
    /// Makes one for the domain of a plane. It has a session of its own, which can be made anew.
    ///
    /// # Errors
    /// As [`Aws::connect`].
    pub async fn new(plane: &DataPlane<'_>, connection: Connection) -> Result<Self> {
        let session = fresh(&connection, plane.session).await?;
        Ok(Self {
            connection,
            session: Mutex::new(Arc::new(session)),
            origin: plane.origin.clone(),
            engine: plane.engine,
            domain: plane.domain.clone(),
        })
    }

    /// Returns the live engine.
    #[must_use]
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// Returns the part of a `Location` or of a cookie's path that means the same below another origin, where it points at
    /// this domain: `/x` of `https://DOMAIN/x`. Anything else comes back as it is.
    #[must_use]
    pub fn below_origin<'l>(&self, location: &'l str) -> &'l str {
        let path = location.split_once("://").map_or(location, |(_, rest)| {
            rest.strip_prefix(self.origin.authority.as_str()).filter(|rest| rest.starts_with('/')).unwrap_or(location)
        });
        match path.strip_prefix(self.origin.prefix.as_str()) {
            Some("") => "/",
            Some(rest) if rest.starts_with(['/', '?', '#']) => rest,
            Some(_) | None => path,
        }
    }

    /// Sends a request. Where AWS does not take the credentials the configuration is read anew, and with others the request
    /// is sent once more: it had no effect.
    ///
    /// # Errors
    /// Fails as [`NotForwarded`] says; whatever the domain answers else is no error.
    pub async fn send(&self, outgoing: &Outgoing) -> Result<Response<SdkBody>, NotForwarded> {
        let session = Arc::clone(&*self.session.lock().await);
        let trouble = match self.try_with(&session, outgoing).await {
            Err(trouble) => trouble,
            answer @ Ok(_) => return answer,
        };
        match &trouble {
            NotForwarded::NoCredentials(_) | NotForwarded::Untaken(Untaken::Expired | Untaken::Invalid, _) => {}
            // Other credentials change nothing about these.
            NotForwarded::Untaken(Untaken::Clock, _) | NotForwarded::Unreachable(_) | NotForwarded::Unsignable(_) => {
                return Err(trouble);
            }
        }
        match self.log_in_again(&session).await {
            Some(renewed) => self.try_with(&renewed, outgoing).await,
            None => Err(trouble),
        }
    }

    /// Returns a session that may have other credentials than the one that was refused.
    async fn log_in_again(&self, refused: &Arc<Session>) -> Option<Arc<Session>> {
        let mut session = self.session.lock().await;
        // Of many requests at once the first reads the configuration for all of them.
        if Arc::ptr_eq(&session, refused) {
            *session = Arc::new(fresh(&self.connection, refused).await.ok()?);
        }
        Some(Arc::clone(&session))
    }

    async fn try_with(&self, session: &Session, outgoing: &Outgoing) -> Result<Response<SdkBody>, NotForwarded> {
        let credentials = session.credentials().await.map_err(NotForwarded::NoCredentials)?;
        let request = outgoing.signed(&self.origin, &session.aws.region, credentials, SystemTime::now());
        let request =
            request.map_err(|why| NotForwarded::Unsignable(Error::failed(format!("{outgoing}: not signed: {why}"))))?;
        let answer = self.exchange(session, request).await.map_err(|why| {
            let message = format!("{outgoing}: domain {} does not answer: {why}", self.domain);
            NotForwarded::Unreachable(Error::failed(message).hint(match &self.connection.local {
                Some(address) => format!("the local AWS at {address} does not run: `ekk local` starts it again"),
                None => {
                    "check the network and HTTPS_PROXY; a domain in a VPC answers from inside that VPC only".to_owned()
                }
            }))
        })?;
        let answer = answer.try_into_http1x().map_err(|why| {
            NotForwarded::Unreachable(Error::failed(format!("{outgoing}: not an answer of HTTP: {why}")))
        })?;
        let answer = with_short_refusal(answer).await.map_err(|why| {
            let message = format!("{outgoing}: the answer of {} broke off: {why}", self.domain);
            NotForwarded::Unreachable(Error::failed(message))
        })?;
        match refused_credentials(&answer) {
            Some((why, text)) => Err(NotForwarded::Untaken(why, Error::failed(text))),
            None => Ok(answer),
        }
    }

    async fn exchange(&self, session: &Session, request: HttpRequest) -> Result<HttpResponse, String> {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(5))
            .operation_attempt_timeout(ANSWER_BEGINS_WITHIN)
            .build();
        let operation = Operation::builder()
            .service_name("opensearch data plane")
            .operation_name("forward")
            .http_client(session.aws.http.clone())
            .endpoint_url(&self.origin.scheme_and_authority())
            .no_auth()
            .no_retry()
            .timeout_config(timeouts)
            // How fast an answer streams is a matter between the domain and the browser.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .serializer(|request: Signed| Ok(request.0))
            .deserializer_impl::<Streamed, std::convert::Infallible>(TakeWhole)
            .build();
        match operation.invoke(Signed(request)).await {
            Ok(Streamed(response)) => Ok(response),
            Err(error) => Err(causes(&error).join(": ")),
        }
    }
}

async fn fresh(connection: &Connection, like: &Session) -> Result<Session> {
    let waiting = Waiting { pace: like.waiting.pace, deadline: Deadline::Never, progress: Progress::silent() };
    Ok(Session::new(Aws::connect(connection).await?, waiting))
}

/// Reads the body of a 403 that may be AWS's own, so that it can be judged; a longer one goes on streaming from its begin.
async fn with_short_refusal(
    answer: Response<SdkBody>,
) -> Result<Response<SdkBody>, Box<dyn std::error::Error + Send + Sync>> {
    if answer.status() != StatusCode::FORBIDDEN || answer.headers().contains_key(header::CONTENT_ENCODING) {
        return Ok(answer);
    }
    let (parts, mut body) = answer.into_parts();
    let mut begin = Vec::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            begin.extend_from_slice(&data);
        }
        if begin.len() > LONGEST_REFUSAL_BYTES {
            let whole = Resumed { begin: Some(Bytes::from(begin)), rest: body };
            return Ok(Response::from_parts(parts, SdkBody::from_body_1_x(whole)));
        }
    }
    Ok(Response::from_parts(parts, SdkBody::from(Bytes::from(begin))))
}

/// A body whose begin was read before.
struct Resumed {
    begin: Option<Bytes>,
    rest: SdkBody,
}

impl Body for Resumed {
    type Data = Bytes;
    type Error = aws_smithy_types::body::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        match self.begin.take() {
            Some(begin) => Poll::Ready(Some(Ok(Frame::data(begin)))),
            None => Pin::new(&mut self.rest).poll_frame(context),
        }
    }
}

/// What a 403 of AWS's own front says, as the type of its error and its text. `None` where Dashboards or the engine wrote it,
/// and for an answer that was not read.
fn told_by_aws(answer: &Response<SdkBody>) -> Option<(&str, String)> {
    if answer.status() != StatusCode::FORBIDDEN {
        return None;
    }
    let body = answer.body().bytes()?;
    let code = answer.headers().get("x-amzn-errortype").and_then(|code| code.to_str().ok()).unwrap_or_default();
    match serde_json::from_slice::<Value>(body) {
        // `statusCode` and `error` are of Dashboards, `error` and `status` of the engine.
        Ok(json) if ["statusCode", "error", "status"].iter().any(|key| json.get(key).is_some()) => None,
        Ok(json) => Some((code, told(&json))),
        // Without its type a text of AWS's cannot be told from a page of anybody's.
        Err(_) if code.is_empty() => None,
        Err(_) => Some((code, page(body))),
    }
}

/// Tells whether an answer is AWS's refusal of the credentials, and in which words.
fn refused_credentials(answer: &Response<SdkBody>) -> Option<(Untaken, String)> {
    let (code, text) = told_by_aws(answer)?;
    Some((untaken(code, &text)?, text))
}

/// A refusal of a caller whom AWS knows, and who may not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    /// What is not allowed, such as `es:ESHttpGet`.
    pub action: String,
    /// AWS's words.
    pub text: String,
}

/// Tells whether an answer is AWS's refusal by IAM or by the domain's access policy.
#[must_use]
pub fn denied(answer: &Response<SdkBody>) -> Option<Denied> {
    let (_, text) = told_by_aws(answer)?;
    let (_, rest) = text.split_once("is not authorized to perform: ")?;
    let action = rest.split_whitespace().next()?.trim_end_matches(['.', ',', ';']).to_owned();
    Some(Denied { action, text })
}

impl Outgoing {
    /// Signs for the service `es`. Only what decides is signed: the method, the path, the query, the body and its type.
    /// What is encoded is encoded strictly, so that nobody on the way can read it in another way than it was signed.
    fn signed(
        &self,
        origin: &Origin,
        region: &str,
        credentials: Credentials,
        now: SystemTime,
    ) -> Result<HttpRequest, Box<dyn std::error::Error + Send + Sync>> {
        let Self { method, path, query, headers, body } = self;
        let mut uri = format!("{}{}{path}", origin.scheme_and_authority(), origin.prefix);
        for (at, (key, value)) in query.iter().enumerate() {
            uri.push(if at == 0 { '?' } else { '&' });
            super::push_encoded(&mut uri, key.as_bytes());
            uri.push('=');
            super::push_encoded(&mut uri, value.as_bytes());
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
        let content_type = headers.get(header::CONTENT_TYPE).map(http::HeaderValue::to_str).transpose()?;
        let signed_headers = content_type.iter().map(|value| ("content-type", *value));
        let signable = SignableRequest::new(method.as_str(), uri.as_str(), signed_headers, SignableBody::Bytes(body))?;
        let (instructions, _signature) = sign(signable, &params.into())?.into_parts();
        let mut request = http::Request::builder().method(method.clone()).uri(&uri);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let mut request = request.body(SdkBody::from(body.clone()))?;
        instructions.apply_to_request_http1x(&mut request);
        Ok(HttpRequest::try_from(request)?)
    }
}

impl fmt::Display for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

/// Encodes a path as Signature Version 4 wants it, from one that is encoded in whatever way a browser does. Empty segments
/// are left out.
///
/// # Errors
/// Refuses a segment that leads elsewhere than it seems to (`..`, in any spelling).
pub fn encoded_path(path: &str) -> Result<String, String> {
    let mut encoded = String::new();
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        let decoded: Vec<u8> = percent_encoding::percent_decode_str(segment).collect();
        let leads_elsewhere =
            decoded.split(|byte| matches!(byte, b'/' | b'\\')).any(|part| part == b"." || part == b"..");
        if leads_elsewhere || decoded.contains(&0) {
            return Err(format!("the path {path} leads elsewhere than it seems to"));
        }
        encoded.push('/');
        super::push_encoded(&mut encoded, &decoded);
    }
    if path.ends_with('/') {
        encoded.push('/');
    }
    Ok(encoded)
}

/// An answer whose body has not been read; it may be secret, so it prints nothing.
struct Streamed(HttpResponse);

impl fmt::Debug for Streamed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Streamed")
    }
}

/// Takes an answer as soon as its headers are there.
#[derive(Debug)]
struct TakeWhole;

impl DeserializeResponse for TakeWhole {
    fn deserialize_streaming_with_config(
        &self,
        response: &mut HttpResponse,
        _: &ConfigBag,
    ) -> Option<Result<Output, OrchestratorError<aws_smithy_runtime_api::client::interceptors::context::Error>>> {
        let mut taken = HttpResponse::new(response.status(), SdkBody::taken());
        std::mem::swap(&mut taken, response);
        Some(Ok(Output::erase(Streamed(taken))))
    }

    fn deserialize_nonstreaming_with_config(
        &self,
        _: &HttpResponse,
        _: &ConfigBag,
    ) -> Result<Output, OrchestratorError<aws_smithy_runtime_api::client::interceptors::context::Error>> {
        Err(OrchestratorError::other("the answer was taken before"))
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn a_path_is_encoded_once_however_the_browser_wrote_it() {
        for (sent, encoded) in [
            ("/_dashboards/app/discover", "/_dashboards/app/discover"),
            ("/_dashboards/", "/_dashboards/"),
            ("/_dashboards//api/status", "/_dashboards/api/status"),
            ("/api/saved_objects/index-pattern/logs-*", "/api/saved_objects/index-pattern/logs-%2A"),
            ("/api/saved_objects/index-pattern/logs-%2a", "/api/saved_objects/index-pattern/logs-%2A"),
            ("/a%20b/%C3%A4%FF/x:y,z", "/a%20b/%C3%A4%FF/x%3Ay%2Cz"),
            ("/app/...", "/app/..."),
        ] {
            assert_eq!(encoded_path(sent).as_deref(), Ok(encoded), "{sent}");
        }
        for sent in ["/_dashboards/../_search", "/a/%2e%2E/b", "/a/..%2fb", "/a/b%5c..%5cc", "/./a", "/a%00"] {
            encoded_path(sent).expect_err(sent);
        }
    }

    #[test]
    fn a_post_and_its_body_are_signed_and_the_other_headers_pass() {
        let outgoing = Outgoing {
            method: Method::GET,
            path: "/_dashboards/api/saved_objects/_find".to_owned(),
            query: vec![("type".to_owned(), "index-pattern".to_owned()), ("search".to_owned(), "a b+*".to_owned())],
            headers: HeaderMap::from_iter([
                (header::ACCEPT_ENCODING, "gzip, br".parse().expect("a header")),
                (header::CONTENT_TYPE, "application/json".parse().expect("a header")),
            ]),
            body: Bytes::from_static(b"{}"),
        };
        let origin = Origin::parse("search-logs.example.com", crate::aws::DomainScheme::Https).expect("an endpoint");
        let credentials = Credentials::new("AKIDEXAMPLE", "secret", Some("session".to_owned()), None, "test");
        let now = UNIX_EPOCH + Duration::from_secs(1_440_938_160);
        let signed = outgoing.signed(&origin, "us-east-1", credentials, now).expect("a request");
        assert_eq!(
            signed.uri(),
            "https://search-logs.example.com/_dashboards/api/saved_objects/_find?type=index-pattern&search=a%20b%2B%2A"
        );
        let header = |name: &str| signed.headers().get(name).unwrap_or_default().to_owned();
        assert_eq!(header("accept-encoding"), "gzip, br");
        let authorization = header("authorization");
        assert!(
            authorization.starts_with(
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/es/aws4_request, \
                 SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date;x-amz-security-token, Signature="
            ),
            "{authorization}"
        );
    }
}
