//! Who is let in: a browser of this machine that opened the address with the secret. The address gives it a cookie and
//! leads on, so that the secret stands in no other address.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use ekk_emulator::loopback::{self, Stranger};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use http_body_util::Full;
use sha2::{Digest as _, Sha256};

use super::page::Refusal;
use super::{cookies, pairs};

/// The secrets of one run; none outlives it.
pub(super) struct Door {
    pub(super) port: u16,
    /// Stands in the address that is printed.
    token: String,
    /// Stands in an address that opens once.
    once: Mutex<Option<String>>,
    /// Stands in the cookie.
    session: String,
}

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Door({})", self.port)
    }
}

impl Door {
    pub(super) fn new(port: u16) -> Self {
        Self { port, token: secret(), once: Mutex::new(None), session: secret() }
    }

    pub(super) fn address(&self) -> String {
        format!("http://127.0.0.1:{}/?token={}", self.port, self.token)
    }

    pub(super) fn address_for_once(&self) -> String {
        let once = secret();
        let address = format!("http://127.0.0.1:{}/?token={once}", self.port);
        *self.once.lock().unwrap_or_else(PoisonError::into_inner) = Some(once);
        address
    }

    /// What the names of all cookies of this door begin with: a browser sends the cookies of 127.0.0.1 to every port, and
    /// two doors must not take each other's.
    pub(super) fn prefix(&self) -> String {
        format!("ekk-{}-", self.port)
    }

    fn cookie_name(&self) -> String {
        format!("{}{}", self.prefix(), cookies::OWN)
    }

    /// Returns the answer to who shows the secret, `None` for who has been let in before.
    pub(super) fn let_in(&self, parts: &Parts, discover: &str) -> Result<Option<Response<Full<Bytes>>>, Refusal> {
        if let Some(stranger) = loopback::stranger(&parts.method, &parts.headers) {
            return Err(Refusal::stranger(stranger));
        }
        // A target with a host of its own goes before `Host` (RFC 9112 section 3.2.2), so that it must be the same.
        let host = parts.headers.get(header::HOST).map(HeaderValue::as_bytes);
        if parts.uri.authority().is_some_and(|named| host != Some(named.as_str().as_bytes())) {
            return Err(Refusal::stranger(Stranger::Host));
        }
        if parts.uri.path() == "/"
            && let Some((_, token)) =
                pairs(parts.uri.query().unwrap_or_default()).iter().find(|(key, _)| key == "token")
        {
            if parts.method != Method::GET || !self.opens(token) {
                return Err(Refusal::wrong_token());
            }
            let mut answer = redirect(discover);
            let cookie = format!("{}={}; Path=/; HttpOnly; SameSite=Strict", self.cookie_name(), self.session);
            if let Ok(cookie) = HeaderValue::from_str(&cookie) {
                answer.headers_mut().insert(header::SET_COOKIE, cookie);
            }
            return Ok(Some(answer));
        }
        if self.knows(&parts.headers) { Ok(None) } else { Err(Refusal::no_token()) }
    }

    fn opens(&self, token: &str) -> bool {
        if is_same(token, &self.token) {
            return true;
        }
        let mut once = self.once.lock().unwrap_or_else(PoisonError::into_inner);
        let opens = once.as_deref().is_some_and(|once| is_same(token, once));
        if opens {
            *once = None;
        }
        opens
    }

    fn knows(&self, headers: &HeaderMap) -> bool {
        let name = self.cookie_name();
        cookies::sent(headers).iter().any(|(sent, value)| *sent == name && is_same(value, &self.session))
    }
}

/// 122 bits of the system's randomness.
fn secret() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

/// Compares without telling by its time how much is right.
fn is_same(one: &str, other: &str) -> bool {
    Sha256::digest(one) == Sha256::digest(other)
}

/// Leads on, with a GET.
pub(super) fn redirect(to: &str) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = StatusCode::SEE_OTHER;
    let headers = answer.headers_mut();
    if let Ok(to) = HeaderValue::from_str(to) {
        headers.insert(header::LOCATION, to);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    answer
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn parts(uri: &str, headers: &[(&'static str, &str)]) -> Parts {
        let mut request = Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).expect("a request").into_parts().0
    }

    const HOST: (&str, &str) = ("host", "127.0.0.1:20123");

    fn path(address: &str) -> &str {
        address.strip_prefix("http://127.0.0.1:20123").expect("this port")
    }

    #[test]
    fn the_address_gives_a_cookie_and_leads_on() {
        let door = Door::new(20_123);
        let answer = door.let_in(&parts(path(&door.address()), &[HOST]), "/_dashboards/app/discover#/");
        let answer = answer.expect("it is let in").expect("an answer");
        assert_eq!(
            (answer.status(), &answer.headers()["location"]),
            (StatusCode::SEE_OTHER, &HeaderValue::from_static("/_dashboards/app/discover#/"))
        );
        let cookie = answer.headers()["set-cookie"].to_str().expect("text").to_owned();
        assert!(
            cookie.starts_with("ekk-20123-door=") && cookie.ends_with("; Path=/; HttpOnly; SameSite=Strict"),
            "{cookie}"
        );
        assert!(!cookie.contains(&door.token), "the address's secret is in no cookie");
        let cookie = cookie.split(';').next().expect("a pair");
        let again = door.let_in(&parts("/_dashboards/", &[HOST, ("cookie", &format!("a=b; {cookie}"))]), "/");
        assert!(again.expect("it is let in").is_none());
    }

    #[test]
    fn nobody_else_is_let_in() {
        let door = Door::new(20_123);
        let refused = |parts: Parts| door.let_in(&parts, "/").expect_err("it is refused").status();
        assert_eq!(refused(parts("/_dashboards/", &[HOST])), 403);
        assert_eq!(refused(parts("/?token=", &[HOST])), 403);
        assert_eq!(refused(parts(&format!("/?token={}", secret()), &[HOST])), 403);
        assert_eq!(refused(parts("/_dashboards/", &[HOST, ("cookie", "ekk-20123-door=x")])), 403);
        let other = format!("ekk-20124-door={}", door.session);
        assert_eq!(refused(parts("/_dashboards/", &[HOST, ("cookie", &other)])), 403);
        assert_eq!(refused(parts(path(&door.address()), &[("host", "rebound.example.com")])), 403);
        let token = path(&door.address()).to_owned();
        for authority in ["rebound.example.com", "127.0.0.1:1", "x@127.0.0.1:20123"] {
            assert_eq!(refused(parts(&format!("http://{authority}{token}"), &[HOST])), 403, "{authority}");
        }
        assert!(door.let_in(&parts(&format!("http://127.0.0.1:20123{token}"), &[HOST]), "/").is_ok());
    }

    #[test]
    fn an_address_for_once_opens_once() {
        let door = Door::new(20_123);
        let address = door.address_for_once();
        let open = || door.let_in(&parts(path(&address), &[HOST]), "/").is_ok();
        assert!(open());
        assert!(!open());
        assert!(door.let_in(&parts(path(&door.address()), &[HOST]), "/").is_ok());
    }
}
