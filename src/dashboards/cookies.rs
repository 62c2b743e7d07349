//! Cookies between a browser at this door and the domain behind it. A browser sends the cookies of 127.0.0.1 to every port
//! of it, so each cookie of the domain bears the door's own prefix here, and no other one reaches the domain.

use http::{HeaderMap, HeaderValue, header};

/// What the door's own cookie is named behind its prefix.
pub(super) const OWN: &str = "door";

/// The cookies that a browser sent.
pub(super) fn sent(headers: &HeaderMap) -> Vec<(&str, &str)> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .collect()
}

/// The `Cookie` header for the domain, with the names that it gave.
pub(super) fn to_domain(headers: &HeaderMap, prefix: &str) -> Option<HeaderValue> {
    let pairs: Vec<String> = sent(headers)
        .into_iter()
        .filter_map(|(name, value)| Some((name.strip_prefix(prefix)?, value)))
        .filter(|(name, _)| *name != OWN)
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    if pairs.is_empty() { None } else { HeaderValue::from_str(&pairs.join("; ")).ok() }
}

/// The `Set-Cookie` headers for the browser: under the door's prefix, on its host, and without `Secure`, since loopback is
/// plain HTTP. One with the name of the door's own is left out: it would end the browser's way in.
pub(super) fn from_domain(headers: &HeaderMap, prefix: &str, path_here: impl Fn(&str) -> String) -> Vec<HeaderValue> {
    let rewritten = |cookie: &str| {
        let mut attributes = cookie.split(';').map(str::trim);
        let mut written = format!("{prefix}{}", attributes.next().unwrap_or_default());
        for attribute in attributes.filter(|attribute| !attribute.is_empty()) {
            let (name, value) = attribute.split_once('=').unwrap_or((attribute, ""));
            match name.to_ascii_lowercase().as_str() {
                "domain" | "secure" => {}
                // Without `Secure` a browser takes no cookie for all sites, and nothing here is for other sites.
                "samesite" if value.eq_ignore_ascii_case("none") => written.push_str("; SameSite=Lax"),
                "path" => {
                    written.push_str("; Path=");
                    written.push_str(&path_here(value));
                }
                _ => {
                    written.push_str("; ");
                    written.push_str(attribute);
                }
            }
        }
        written
    };
    headers
        .get_all(header::SET_COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .filter(|cookie| cookie.split([';', '=']).next().is_none_or(|name| name.trim() != OWN))
        .filter_map(|cookie| HeaderValue::from_str(&rewritten(cookie)).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_domain_s_own_cookies_reach_it() {
        let mut headers = HeaderMap::new();
        headers.append("cookie", HeaderValue::from_static("ekk-20123-door=secret; jupyter=x; ekk-20123-security=a=b"));
        headers.append("cookie", HeaderValue::from_static("ekk-20124-security=of another; ekk-20123-t=1"));
        assert_eq!(to_domain(&headers, "ekk-20123-"), Some(HeaderValue::from_static("security=a=b; t=1")));
        assert_eq!(to_domain(&HeaderMap::new(), "ekk-20123-"), None);
    }

    #[test]
    fn a_cookie_of_the_domain_is_one_of_this_door() {
        let mut headers = HeaderMap::new();
        let cookie =
            "security=Fe26.2**; Domain=logs.example.com; Path=/base/_dashboards; Secure; HttpOnly; SameSite=None";
        headers.append("set-cookie", HeaderValue::from_static(cookie));
        headers.append("set-cookie", HeaderValue::from_static("plain=1"));
        for own in ["door=x; Path=/", " door = x", "door"] {
            headers.append("set-cookie", HeaderValue::from_str(own).expect("a header"));
        }
        let path = |path: &str| path.strip_prefix("/base").unwrap_or(path).to_owned();
        assert_eq!(
            from_domain(&headers, "ekk-20123-", path),
            ["ekk-20123-security=Fe26.2**; Path=/_dashboards; HttpOnly; SameSite=Lax", "ekk-20123-plain=1"]
        );
    }
}
