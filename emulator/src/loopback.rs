//! Who may talk to a server on loopback: programs of this machine and its own pages, but no page of anybody else's that
//! a browser on this machine happens to show.
//!
//! A browser sends requests to 127.0.0.1 for any page on the web. Three of its own headers tell where they come from:
//! `Host` (DNS rebinding: a foreign name that resolves to loopback), `Origin` (a foreign page's POST or fetch) and
//! `Sec-Fetch-Site` (whatever else a foreign page embeds). Another port of this machine is foreign, too, although a
//! cookie's `SameSite` does not think so.

use std::net::IpAddr;

use http::{HeaderMap, Method, header};

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stranger {
    /// `Host` is missing, or names something else than this machine.
    Host,
    /// `Origin` is another page than this server's own.
    Origin,
    /// The browser says that another site's page embeds or fetches this.
    Embedded,
}

impl Stranger {
    /// The reason, for the one who is refused.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Host => "this server is reached by 127.0.0.1 or localhost only, not by another name",
            Self::Origin => "the request comes from a page of another origin",
            Self::Embedded => "another site's page embeds or fetches this",
        }
    }
}

/// Returns why a request is refused, if it is. A person who follows a link from elsewhere is let in; what that page does by
/// itself is not. Whatever port `Host` names is fine: it may be forwarded from another machine.
#[must_use]
pub fn stranger(method: &Method, headers: &HeaderMap) -> Option<Stranger> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let says = |name: &str, word: &str| text(name).is_some_and(|value| value.eq_ignore_ascii_case(word));
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next().and_then(|host| host.to_str().ok()), hosts.next()) else {
        return Some(Stranger::Host);
    };
    if !is_loopback(host) {
        return Some(Stranger::Host);
    }
    if headers.contains_key(header::ORIGIN)
        && text("origin").is_none_or(|origin| origin.strip_prefix("http://") != Some(host))
    {
        return Some(Stranger::Origin);
    }
    let follows_a_link =
        *method == Method::GET && says("sec-fetch-mode", "navigate") && says("sec-fetch-dest", "document");
    let mut sites = headers.get_all("sec-fetch-site").iter();
    let (site, another) = (sites.next(), sites.next());
    let is_fine = match site {
        None => true,
        // What is not known may be another word for a foreign page.
        Some(_) => {
            another.is_none()
                && (says("sec-fetch-site", "none")
                    || says("sec-fetch-site", "same-origin")
                    || (follows_a_link
                        && (says("sec-fetch-site", "cross-site") || says("sec-fetch-site", "same-site"))))
        }
    };
    if is_fine { None } else { Some(Stranger::Embedded) }
}

/// Whether a `Host` header, with or without a port, is a name of this machine that no DNS answers for.
fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        Some(_) | None => host,
    };
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue, Method};

    use super::{Stranger, stranger};

    fn judged(method: Method, headers: &[(&'static str, &'static str)]) -> Option<Stranger> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        stranger(&method, &map)
    }

    #[test]
    fn only_names_of_this_machine_are_a_host() {
        for host in ["127.0.0.1:4566", "localhost:1", "LOCALHOST", "[::1]:80", "127.0.0.2"] {
            assert_eq!(judged(Method::GET, &[("host", host)]), None, "{host}");
        }
        for host in
            ["rebound.example.com:4566", "127.0.0.1.example.com", "localhost.example.com", "10.0.0.1", "", ":80"]
        {
            assert_eq!(judged(Method::GET, &[("host", host)]), Some(Stranger::Host), "{host}");
        }
        assert_eq!(judged(Method::GET, &[]), Some(Stranger::Host));
        let two = [("host", "localhost"), ("host", "localhost")];
        assert_eq!(judged(Method::GET, &two), Some(Stranger::Host));
    }

    #[test]
    fn an_origin_must_be_the_server_s_own_port_included() {
        let host = ("host", "127.0.0.1:4566");
        assert_eq!(judged(Method::POST, &[host, ("origin", "http://127.0.0.1:4566")]), None);
        for origin in
            ["http://127.0.0.1:3000", "https://127.0.0.1:4566", "http://localhost:4566", "null", "https://a.b"]
        {
            assert_eq!(judged(Method::POST, &[host, ("origin", origin)]), Some(Stranger::Origin), "{origin}");
        }
    }

    #[test]
    fn a_link_from_elsewhere_may_be_followed_and_nothing_be_embedded() {
        let host = ("host", "127.0.0.1:4566");
        for site in ["cross-site", "same-site"] {
            let link = [host, ("sec-fetch-site", site), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
            assert_eq!(judged(Method::GET, &link), None, "{site}");
            assert_eq!(judged(Method::POST, &link), Some(Stranger::Embedded), "{site}");
            for (mode, target) in [("no-cors", "image"), ("navigate", "iframe"), ("cors", "empty")] {
                let embedded = [host, ("sec-fetch-site", site), ("sec-fetch-mode", mode), ("sec-fetch-dest", target)];
                assert_eq!(judged(Method::GET, &embedded), Some(Stranger::Embedded), "{site} {mode}");
            }
        }
        for site in ["none", "same-origin", "Same-Origin"] {
            assert_eq!(judged(Method::POST, &[host, ("sec-fetch-site", site)]), None, "{site}");
        }
        for site in ["Cross-Site", "SAME-SITE", "elsewhere", "", "same-origin, cross-site"] {
            let embedded = [host, ("sec-fetch-site", site)];
            assert_eq!(judged(Method::GET, &embedded), Some(Stranger::Embedded), "{site}");
        }
        let unknown = [("sec-fetch-site", "elsewhere"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
        assert_eq!(judged(Method::GET, &[&[host], &unknown[..]].concat()), Some(Stranger::Embedded));
        let two = [host, ("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")];
        assert_eq!(judged(Method::GET, &two), Some(Stranger::Embedded));
    }
}
