//! What a browser is told instead of the domain's answer: a page for a person, JSON for a script.

use bytes::Bytes;
use ekk_emulator::loopback::Stranger;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use http_body_util::Full;
use serde_json::json;

use super::{Behind, CredentialsFrom};
use crate::error::Error;
use crate::opensearch::Untaken;
use crate::opensearch::forward::Denied;

/// Why something is not handed on.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    title: String,
    /// What it is about, in a sentence each.
    lines: Vec<String>,
    /// What to run.
    command: Option<String>,
    /// Where to go on.
    link: Option<(String, &'static str)>,
}

impl Refusal {
    fn new(status: StatusCode, title: &str, lines: Vec<String>) -> Self {
        Self { status, title: title.to_owned(), lines, command: None, link: None }
    }

    #[cfg(test)]
    pub(super) fn status(&self) -> u16 {
        self.status.as_u16()
    }

    pub(super) fn stranger(stranger: Stranger) -> Self {
        Self::new(StatusCode::FORBIDDEN, "Not let in", vec![format!("Refused: {}.", stranger.reason())])
    }

    pub(super) fn no_token() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "Not let in",
            vec![
                "This browser has not been let in.".to_owned(),
                "Open the address that `ekk dashboards` printed: type or paste it, since a link from another page does not \
                 carry the cookie along."
                    .to_owned(),
            ],
        )
    }

    pub(super) fn wrong_token() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "Not let in",
            vec![
                "The token in this address is not, or no longer, the right one.".to_owned(),
                "Each run of `ekk dashboards` has its own: open the address that the one which runs now has printed."
                    .to_owned(),
            ],
        )
    }

    pub(super) fn tunnel() -> Self {
        let line = "This is a server and no proxy for other addresses: it opens no tunnel.".to_owned();
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "Not handed on", vec![line])
    }

    pub(super) fn bad_request(why: String) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "Not handed on", vec![why])
    }

    pub(super) fn elsewhere(path: &str, discover: &str) -> Self {
        let mut refusal = Self::new(
            StatusCode::NOT_FOUND,
            "Nothing here",
            vec![format!("{path} is not below Dashboards, and nothing else of the domain is behind this door.")],
        );
        refusal.link = Some((discover.to_owned(), "Go to Discover"));
        refusal
    }

    pub(super) fn read_only(method: &Method, path: &str) -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "Read only",
            vec![format!(
                "`ekk dashboards` runs with --read-only, and {method} {path} is not on its list of requests that only read."
            )],
        )
    }

    pub(super) fn too_large() -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "Too large",
            vec!["The request broke off, or its body is larger than 100 MiB, which no domain takes.".to_owned()],
        )
    }

    pub(super) fn ignored_parameters(parameters: &str) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "Not handed on",
            vec![format!(
                "`ekk dashboards` signs requests, and a domain ignores the query parameters of signed POST requests; this \
                 one would be something else without {parameters}"
            )],
        )
    }

    /// 403 and not 401, here and below, which the pages of Dashboards take for the end of a login of theirs.
    pub(super) fn no_credentials(error: &Error, behind: &Behind) -> Self {
        // The SDK's own words for a login that has ended.
        let title = if error.message.to_lowercase().contains("expired") {
            "The AWS credentials have expired"
        } else {
            "There are no AWS credentials"
        };
        Self::credentials(title, error, behind)
    }

    pub(super) fn untaken(why: Untaken, error: &Error, behind: &Behind) -> Self {
        match why {
            Untaken::Expired => Self::credentials("The AWS credentials have expired", error, behind),
            Untaken::Invalid => Self::credentials("AWS does not take the credentials", error, behind),
            Untaken::Clock => Self::new(
                StatusCode::FORBIDDEN,
                "This machine's clock is wrong",
                vec![
                    error.message.clone(),
                    "AWS takes a signature for some minutes around its own time only. The credentials are not at fault: set \
                     the clock of the machine that `ekk dashboards` runs on, best by its time synchronisation, then reload \
                     this page."
                        .to_owned(),
                ],
            ),
        }
    }

    /// Says what to do, by where the credentials come from.
    fn credentials(title: &str, error: &Error, behind: &Behind) -> Self {
        let again = &behind.again;
        let (line, command) = match &behind.credentials {
            CredentialsFrom::Environment => (
                "They come from the environment of the command that serves this page, which cannot get others: set new ones \
                 in a terminal, end it with Ctrl-C, and start it again there."
                    .to_owned(),
                Some(again.clone()),
            ),
            CredentialsFrom::SingleSignOn(profile) => (
                "Log in again in a terminal, then reload this page; `ekk dashboards` goes on with them.".to_owned(),
                Some(match profile.as_str() {
                    "default" => "aws sso login".to_owned(),
                    profile => format!("aws sso login --profile {profile}"),
                }),
            ),
            CredentialsFrom::Program(profile) => (
                format!(
                    "They come from the program that `credential_process` of the profile {profile} names: have it give new \
                     ones, then reload this page."
                ),
                None,
            ),
            CredentialsFrom::Keys(profile) => (
                format!(
                    "They are keys that stand in the AWS configuration, profile {profile}: put valid ones in their place, \
                     then reload this page; `ekk dashboards` goes on with them."
                ),
                None,
            ),
            CredentialsFrom::Elsewhere => (
                "No variables, keys or login were there when `ekk dashboards` started. Get credentials in a terminal \
                 (`aws configure sso`, AWS_PROFILE, or a role of this machine), end it with Ctrl-C, and start it again there."
                    .to_owned(),
                Some(again.clone()),
            ),
        };
        let mut refusal = Self::new(StatusCode::FORBIDDEN, title, vec![error.message.clone(), line]);
        refusal.command = command;
        refusal
    }

    /// AWS knows the caller, and the caller may not.
    pub(super) fn denied(denied: &Denied, permissions: &str) -> Self {
        let Denied { action, text } = denied;
        let mut refusal = Self::new(
            StatusCode::FORBIDDEN,
            "A permission is missing",
            vec![
                text.clone(),
                format!(
                    "Your credentials lack {action} on this domain. Both your own IAM policy and the domain's access policy \
                     must let it pass; the command prints what who looks at Dashboards needs, for whoever gives permissions."
                ),
            ],
        );
        refusal.command = Some(permissions.to_owned());
        refusal
    }

    pub(super) fn unreachable(error: &Error) -> Self {
        let mut lines = vec![error.message.clone()];
        lines.extend(error.hints.iter().cloned());
        Self::new(StatusCode::BAD_GATEWAY, "The domain does not answer", lines)
    }

    /// Words it for who asked: a page where the browser shows it, JSON where a script asked.
    pub(super) fn answer(&self, asked: &HeaderMap) -> Response<Full<Bytes>> {
        let (media_type, body) =
            if is_shown(asked) { ("text/html; charset=utf-8", self.page()) } else { ("application/json", self.json()) };
        let mut answer = Response::new(Full::new(Bytes::from(body)));
        *answer.status_mut() = self.status;
        for (name, value) in [
            (header::CONTENT_TYPE, media_type),
            (header::CACHE_CONTROL, "no-store"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::REFERRER_POLICY, "no-referrer"),
            (
                header::CONTENT_SECURITY_POLICY,
                "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
            ),
        ] {
            answer.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        answer
    }

    /// The form of Dashboards' own errors, which its pages know to show.
    fn json(&self) -> String {
        let mut message = self.lines.join(" ");
        if let Some(command) = &self.command {
            message.push_str(&format!(" Run: {command}"));
        }
        let status = self.status;
        json!({
            "statusCode": status.as_u16(),
            "error": status.canonical_reason().unwrap_or_default(),
            "message": message,
        })
        .to_string()
    }

    fn page(&self) -> String {
        let title = escaped(&self.title);
        let mut body: String = self.lines.iter().map(|line| format!("<p>{}</p>\n", escaped(line))).collect();
        if let Some(command) = &self.command {
            body.push_str(&format!("<pre>{}</pre>\n", escaped(command)));
        }
        if let Some((to, words)) = &self.link {
            body.push_str(&format!("<p><a href=\"{}\">{words}</a></p>\n", escaped(to)));
        }
        format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title} · ekk dashboards</title>\n\
             <meta name=\"viewport\" content=\"width=device-width\"><meta name=\"color-scheme\" content=\"light dark\">\n\
             <style>{STYLE}</style></head>\n<body><main><h1>{title}</h1>\n{body}<footer>ekk dashboards</footer></main></body></html>\n"
        )
    }
}

/// Tells whether the browser shows the answer as a page.
pub(super) fn is_shown(asked: &HeaderMap) -> bool {
    let text = |name: &str| asked.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match text("sec-fetch-dest") {
        "" => text("accept").contains("text/html"),
        target => target == "document",
    }
}

const STYLE: &str = "html{font:16px/1.5 system-ui,sans-serif}main{max-width:44rem;margin:12vh auto;padding:0 1.5rem}\
h1{font-size:1.5rem}p{overflow-wrap:anywhere}pre{padding:.8rem 1rem;border:1px solid GrayText;border-radius:6px;\
white-space:pre-wrap}footer{margin-top:3rem;font-size:.85rem;color:GrayText}";

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_aws_or_an_address_says_becomes_markup() {
        let denied = Denied {
            action: "es:<i>".to_owned(),
            text: "User: <script>alert('1')</script> & \"more\" is not authorized to perform: es:<i>".to_owned(),
        };
        let page = Refusal::denied(&denied, "ekk policy reader '<b>'").page();
        assert!(page.contains("<title>A permission is missing · ekk dashboards</title>"), "{page}");
        assert!(
            page.contains("User: &lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt; &amp; &quot;more&quot; is not"),
            "{page}"
        );
        assert!(page.contains("lack es:&lt;i&gt; on this domain"), "{page}");
        assert!(page.contains("<pre>ekk policy reader &#39;&lt;b&gt;&#39;</pre>"), "{page}");
        let page = Refusal::elsewhere("/<img>", "/x\"y").page();
        assert!(page.contains("/&lt;img&gt; is not below") && page.contains("href=\"/x&quot;y\""), "{page}");
    }
}
