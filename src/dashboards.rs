//! A door to a domain's Dashboards or Kibana for one person's browser: a server on loopback that signs what the browser asks
//! with the person's own credentials, so that the domain itself stays closed.
//!
//! It hands on what is below Dashboards' own path and nothing else. It never listens on another address, and lets in only
//! who opened the address with the secret.

mod cookies;
mod credentials;
mod door;
mod page;
mod read_only;
mod signed_posts;

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Either, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use sha2::{Digest as _, Sha256};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::error::{Error, Result};
use crate::opensearch::forward::{NotForwarded, Outgoing, Upstream, denied, encoded_path};
use crate::target::Target;
pub use credentials::CredentialsFrom;
use door::Door;
use signed_posts::Way;

/// The largest body that any domain takes (OpenSearch Service guide, network quotas).
const LARGEST_BODY_BYTES: usize = 100 << 20;
/// How long the end waits for answers under way.
const FAREWELL: Duration = Duration::from_secs(1);
/// Ports from which a stack's own is taken: below those that systems give away, and none that browsers refuse.
const FIRST_PORT: u16 = 20_000;
const PORTS: u16 = 10_000;

/// Whether Dashboards may be changed through the door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Whatever the credentials may do.
    ReadWrite,
    /// Only what is known to read.
    ReadOnly,
}

/// Which port to listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// This one or none.
    Exactly(u16),
    /// The stack's own, else a free one.
    OfStack(u16),
}

impl Port {
    /// Returns the port of a stack: the same each time, so that a bookmark and a browser's settings stay.
    #[must_use]
    pub fn of_stack(stack: &str, target: &Target) -> Self {
        let digest = Sha256::digest(format!("{stack}/{}/{}", target.account, target.region));
        let number = u16::from_be_bytes([digest[0], digest[1]]);
        Self::OfStack(FIRST_PORT + number % PORTS)
    }
}

/// What is behind the door, and for whom.
#[derive(Debug)]
pub struct Behind {
    /// The domain.
    pub upstream: Upstream,
    /// The path of Discover, with what it is opened on.
    pub discover: String,
    /// Whether it may be changed.
    pub access: Access,
    /// Where the credentials come from.
    pub credentials: CredentialsFrom,
    /// What starts this door again.
    pub again: String,
    /// What prints the permissions of who looks.
    pub permissions: String,
}

/// A door that listens.
#[derive(Debug)]
pub struct Proxy {
    listener: TcpListener,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    behind: Behind,
    door: Door,
}

type Body = Either<Full<Bytes>, SdkBody>;

impl Proxy {
    /// Listens on loopback. The address says which port was free.
    ///
    /// # Errors
    /// Fails when exactly the port that was asked for is taken.
    pub async fn listen(behind: Behind, port: Port) -> Result<Self> {
        let bind = |port: u16| TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        let failed = |port: u16, error: &io::Error| Error::failed(format!("127.0.0.1:{port}: {error}"));
        let listener = match port {
            Port::Exactly(port) => bind(port)
                .await
                .map_err(|error| failed(port, &error).hint("without --port it takes the stack's own, or a free one"))?,
            Port::OfStack(port) => match bind(port).await {
                Ok(listener) => listener,
                Err(_) => bind(0).await.map_err(|error| failed(0, &error))?,
            },
        };
        let port = listener.local_addr().map_err(|error| failed(0, &error))?.port();
        Ok(Self { listener, shared: Arc::new(Shared { behind, door: Door::new(port) }) })
    }

    /// Returns the port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.shared.door.port
    }

    /// Returns the address that lets a browser in, as often as it is opened. Secret.
    #[must_use]
    pub fn address(&self) -> String {
        self.shared.door.address()
    }

    /// Returns an address that lets one browser in, once: for a command line, which others on this machine can see.
    #[must_use]
    pub fn address_for_once(&self) -> String {
        self.shared.door.address_for_once()
    }

    /// Serves until `ended` resolves.
    pub async fn serve(self, ended: impl Future<Output = ()>) {
        let Self { listener, shared } = self;
        let (stop, stopped) = watch::channel(false);
        let mut connections = JoinSet::new();
        let mut ended = std::pin::pin!(ended);
        loop {
            tokio::select! {
                () = &mut ended => break,
                accepted = listener.accept() => {
                    if let Ok((stream, _)) = accepted {
                        connections.spawn(serve_connection(stream, Arc::clone(&shared), stopped.clone()));
                    }
                }
                Some(_) = connections.join_next() => {}
            }
        }
        drop(listener);
        // The receivers are the connections.
        let _ = stop.send(true);
        let all_done = async { while connections.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(FAREWELL, all_done).await;
    }
}

async fn serve_connection(stream: TcpStream, shared: Arc<Shared>, mut stopped: watch::Receiver<bool>) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(shared.answer(request).await) }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        // An error here is a browser that went away.
        _ = connection.as_mut() => return,
        _ = stopped.wait_for(|stopped| *stopped) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

impl Shared {
    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        match self.forward(&parts, body).await {
            Ok(answer) => answer,
            Err(refusal) => refusal.answer(&parts.headers).map(Either::Left),
        }
    }

    async fn forward(&self, parts: &http::request::Parts, body: Incoming) -> Result<Response<Body>, page::Refusal> {
        let discover = &self.behind.discover;
        if parts.method == Method::CONNECT {
            return Err(page::Refusal::tunnel());
        }
        if let Some(answer) = self.door.let_in(parts, discover)? {
            return Ok(answer.map(Either::Left));
        }
        let upstream = &self.behind.upstream;
        let base = upstream.engine().dashboards_base();
        let path = encoded_path(parts.uri.path()).map_err(page::Refusal::bad_request)?;
        if path == "/" || path.is_empty() {
            return Ok(door::redirect(discover).map(Either::Left));
        }
        let Some(below) = path.strip_prefix(base).filter(|rest| rest.is_empty() || rest.starts_with('/')) else {
            return Err(page::Refusal::elsewhere(&path, discover));
        };
        let segments = segments(below);
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let query = pairs(parts.uri.query().unwrap_or_default());
        match self.behind.access {
            Access::ReadWrite => {}
            Access::ReadOnly if read_only::reads(&parts.method, &segments, &query) => {}
            Access::ReadOnly => return Err(page::Refusal::read_only(&parts.method, &path)),
        }
        // Which of two would count is not said anywhere, and one of them would not be signed.
        if parts.headers.get_all(header::CONTENT_TYPE).iter().count() > 1 {
            return Err(page::Refusal::bad_request("Content-Type is there more than once".to_owned()));
        }
        let body = Limited::new(body, LARGEST_BODY_BYTES).collect().await.map_err(|_| page::Refusal::too_large())?;
        let headers = self.headers_to_send(&parts.headers);
        let asked =
            Outgoing { method: parts.method.clone(), path: path.clone(), query, headers, body: body.to_bytes() };
        let answer = match signed_posts::way(&asked.method, &segments, &asked.query) {
            Way::AsItIs => self.send(&asked).await?,
            Way::Instead { method, path, query, tenant } => {
                let headers = with_tenant(asked.headers.clone(), tenant);
                let path = path.unwrap_or_else(|| asked.path.clone());
                self.send(&Outgoing { method, path, query, headers, body: asked.body.clone() }).await?
            }
            Way::CreateOrUpdate { tenant } => {
                let headers = with_tenant(asked.headers.clone(), tenant);
                self.create_or_update(Outgoing { headers, ..asked }).await?
            }
            Way::Refused(why) => return Err(page::Refusal::ignored_parameters(&why)),
        };
        if page::is_shown(&parts.headers)
            && let Some(denied) = denied(&answer)
        {
            return Err(page::Refusal::denied(&denied, &self.behind.permissions));
        }
        Ok(self.rewritten(answer).map(Either::Right))
    }

    async fn send(&self, outgoing: &Outgoing) -> Result<Response<SdkBody>, page::Refusal> {
        self.behind.upstream.send(outgoing).await.map_err(|why| match why {
            NotForwarded::NoCredentials(error) => page::Refusal::no_credentials(&error, &self.behind),
            NotForwarded::Untaken(why, error) => page::Refusal::untaken(why, &error, &self.behind),
            NotForwarded::Unreachable(error) => page::Refusal::unreachable(&error),
            NotForwarded::Unsignable(error) => page::Refusal::bad_request(error.message),
        })
    }

    /// Does what `overwrite=true` would: creates, and where the object is there, changes it. The answer is the last one's.
    async fn create_or_update(&self, asked: Outgoing) -> Result<Response<SdkBody>, page::Refusal> {
        let mut outgoing = Outgoing { query: Vec::new(), ..asked };
        let created = self.send(&outgoing).await?;
        if created.status() != StatusCode::CONFLICT {
            return Ok(created);
        }
        let Some(update) = signed_posts::body_of_update(&outgoing.body) else { return Ok(created) };
        outgoing.method = Method::PUT;
        outgoing.body = update;
        self.send(&outgoing).await
    }

    /// What the domain is to see: nothing of this hop, nothing of where the browser thinks it is, and of the cookies only
    /// those that the domain has set through this door.
    fn headers_to_send(&self, sent: &HeaderMap) -> HeaderMap {
        const BROWSER_ONLY: [HeaderName; 7] = [
            header::HOST,
            header::CONTENT_LENGTH,
            header::EXPECT,
            header::AUTHORIZATION,
            header::COOKIE,
            header::ORIGIN,
            header::REFERER,
        ];
        let mut headers = without_hop_by_hop(sent);
        for name in BROWSER_ONLY {
            headers.remove(name);
        }
        let ours: Vec<HeaderName> =
            headers.keys().filter(|name| is_not_for_the_domain(name.as_str())).cloned().collect();
        for name in ours {
            headers.remove(name);
        }
        headers.remove(header::FORWARDED);
        if let Some(cookies) = cookies::to_domain(sent, &self.door.prefix()) {
            headers.insert(header::COOKIE, cookies);
        }
        headers
    }

    /// The domain's answer as the browser is to see it: addresses below this door, cookies of this door, and nothing that
    /// opens it to pages of others.
    fn rewritten(&self, answer: Response<SdkBody>) -> Response<SdkBody> {
        let (mut parts, body) = answer.into_parts();
        let mut headers = without_hop_by_hop(&parts.headers);
        let open: Vec<HeaderName> =
            headers.keys().filter(|name| name.as_str().starts_with("access-control-")).cloned().collect();
        for name in open {
            headers.remove(name);
        }
        // A browser would clear what other servers of 127.0.0.1 keep, and ask for a password that this door never takes.
        headers.remove("clear-site-data");
        headers.remove(header::WWW_AUTHENTICATE);
        headers.remove(header::STRICT_TRANSPORT_SECURITY);
        headers.remove(header::ALT_SVC);
        let upstream = &self.behind.upstream;
        let location = headers.get(header::LOCATION).and_then(|value| value.to_str().ok()).map(ToOwned::to_owned);
        if let Some(location) = location
            && let Ok(location) = HeaderValue::from_str(upstream.below_origin(&location))
        {
            headers.insert(header::LOCATION, location);
        }
        let set = cookies::from_domain(&headers, &self.door.prefix(), |path| upstream.below_origin(path).to_owned());
        headers.remove(header::SET_COOKIE);
        for cookie in set {
            headers.append(header::SET_COOKIE, cookie);
        }
        let says_deny = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"DENY");
        let frames = if headers.get_all(header::X_FRAME_OPTIONS).iter().any(says_deny) { "DENY" } else { "SAMEORIGIN" };
        headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static(frames));
        headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
        parts.headers = headers;
        parts.version = http::Version::HTTP_11;
        Response::from_parts(parts, body)
    }
}

/// Adds the header that names a tenant; `signed_posts::way` gives only what a header can name.
fn with_tenant(mut headers: HeaderMap, tenant: Option<String>) -> HeaderMap {
    if let Some(tenant) = tenant.and_then(|tenant| HeaderValue::from_str(&tenant).ok()) {
        headers.insert("securitytenant", tenant);
    }
    headers
}

/// Tells headers that only this door may set, that tell of the browser, or that would have the domain's side take the request
/// for another one than was judged and signed.
fn is_not_for_the_domain(name: &str) -> bool {
    const ANOTHER_REQUEST: [&str; 6] = [
        "x-http-method-override",
        "x-http-method",
        "x-method-override",
        "x-original-url",
        "x-rewrite-url",
        "x-real-ip",
    ];
    ANOTHER_REQUEST.contains(&name) || ["x-amz-", "sec-", "x-forwarded"].iter().any(|begun| name.starts_with(begun))
}

/// Leaves out what belongs to one connection (RFC 9110 section 7.6.1).
fn without_hop_by_hop(headers: &HeaderMap) -> HeaderMap {
    const HOP_BY_HOP: [&str; 9] = [
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];
    let named: Vec<String> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect();
    let is_kept =
        |name: &HeaderName| !HOP_BY_HOP.contains(&name.as_str()) && !named.iter().any(|one| one == name.as_str());
    headers.iter().filter(|(name, _)| is_kept(name)).fold(HeaderMap::new(), |mut kept, (name, value)| {
        kept.append(name, value.clone());
        kept
    })
}

/// The decoded segments of a path.
fn segments(path: &str) -> Vec<String> {
    path.split('/').filter(|segment| !segment.is_empty()).map(decoded).collect()
}

/// The decoded query parameters; `+` is a space, as in forms.
fn pairs(query: &str) -> Vec<(String, String)> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(&key.replace('+', " ")), decoded(&value.replace('+', " ")))
        })
        .collect()
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_has_the_same_port_each_time_and_another_stack_another() {
        let target = |account: &str, region: &str| {
            Target::from_caller_arn(&format!("arn:aws:iam::{account}:user/x"), region).expect("a target")
        };
        let here = target("123456789012", "eu-west-1");
        assert_eq!(Port::of_stack("logs", &here), Port::of_stack("logs", &here));
        let others = [
            Port::of_stack("logs2", &here),
            Port::of_stack("logs", &target("123456789013", "eu-west-1")),
            Port::of_stack("logs", &target("123456789012", "eu-west-2")),
        ];
        for other in others {
            assert_ne!(other, Port::of_stack("logs", &here));
            assert!(matches!(other, Port::OfStack(20_000..=29_999)), "{other:?}");
        }
    }

    #[test]
    fn what_belongs_to_one_connection_stays_on_it() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "keep-alive, X-Private"),
            ("x-private", "1"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "websocket"),
            ("accept", "text/html"),
            ("set-cookie", "a=1"),
            ("set-cookie", "b=2"),
        ] {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let kept = without_hop_by_hop(&headers);
        let names: Vec<&str> = kept.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["accept", "set-cookie", "set-cookie"]);
    }
}
