//! The door to Dashboards over real HTTP: who is let in, what reaches the domain and how it is signed, and what comes back.

mod browser;
mod signature;
#[path = "../stand_in/mod.rs"]
mod stand_in;

use std::sync::Arc;

use ekk::aws::Connection;
use ekk::dashboards::{Access, Behind, CredentialsFrom, Port, Proxy};
use ekk::opensearch::forward::Upstream;
use ekk::opensearch::{DataPlane, Reach};
use stand_in::{Answer, Came, Fate, StandIn, names};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::Notify;

use browser::{Browser, Heard};

/// Where the domain is below the stand-in's address.
const DOMAIN: &str = "/domain/eu-west-1/logs";

/// The control plane's answer for a domain whose endpoint is this.
fn described(endpoint: &str) -> Answer {
    let status = serde_json::json!({"DomainStatus": {
        "DomainId": "000000000000/logs",
        "DomainName": "logs",
        "ARN": "arn:aws:es:eu-west-1:000000000000:domain/logs",
        "Created": true,
        "Endpoint": endpoint,
        "EngineVersion": "OpenSearch_2.19",
        "ClusterConfig": {},
    }});
    Answer::json(200, &status.to_string())
}

/// A domain that answers so, and a browser that was let in at its door.
struct Site {
    stand_in: StandIn,
    browser: Browser,
    port: u16,
}

impl Site {
    async fn new(access: Access, inside: impl Fn(&Came) -> Answer + Send + Sync + 'static) -> Self {
        let stand_in = StandIn::start(move |came| match came.path.strip_prefix(DOMAIN) {
            Some(path) => inside(&Came { path: path.to_owned(), ..came.clone() }),
            None => described(&format!("{}{DOMAIN}", came.header("host").expect("a host"))),
        })
        .await;
        let proxy = proxy(&stand_in, access, Port::OfStack(0)).await;
        let (port, address) = (proxy.port(), proxy.address());
        tokio::spawn(proxy.serve(std::future::pending()));
        Self { stand_in, browser: Browser::let_in(&address).await, port }
    }

    /// What reached the domain.
    fn arrived(&self) -> Vec<Came> {
        let inside =
            |came: &Came| came.path.strip_prefix(DOMAIN).map(|path| Came { path: path.to_owned(), ..came.clone() });
        self.stand_in.came().iter().filter_map(inside).collect()
    }

    fn lines(&self) -> Vec<String> {
        self.arrived().iter().map(|came| format!("{} {}", came.method, came.path)).collect()
    }
}

async fn proxy(stand_in: &StandIn, access: Access, port: Port) -> Proxy {
    let session = stand_in.session().await;
    let Reach::Ready(plane) = DataPlane::reach(&session, &names()).await.expect("an answer") else {
        panic!("there is no domain");
    };
    let came = stand_in.came();
    let host = came.last().and_then(|came| came.header("host")).expect("a host");
    let local = Some(format!("http://{host}"));
    let connection = Connection { region: Some("eu-west-1".to_owned()), local, ..Connection::default() };
    let upstream = Upstream::new(&plane, connection).await.expect("clients");
    let behind = Behind {
        discover: upstream.engine().discover(Some("ekk-logs")),
        upstream,
        access,
        credentials: CredentialsFrom::SingleSignOn("acme".to_owned()),
        again: "ekk dashboards logs".to_owned(),
        permissions: "ekk policy reader logs".to_owned(),
    };
    Proxy::listen(behind, port).await.expect("a port")
}

fn fine(_: &Came) -> Answer {
    Answer::json(200, "{}")
}

#[tokio::test]
async fn what_a_browser_asks_arrives_signed_and_without_what_is_the_browser_s_own() {
    let site = Site::new(Access::ReadWrite, fine).await;
    let own = [
        ("referer", "http://127.0.0.1/_dashboards/"),
        ("authorization", "Basic eDp5"),
        ("x-amz-security-token", "stolen"),
        ("x-forwarded-for", "1.2.3.4"),
        ("x-forwarded-host", "elsewhere"),
        ("x-real-ip", "1.2.3.4"),
        ("x-original-url", "/_search"),
        ("x-rewrite-url", "/_search"),
        ("x-http-method-override", "DELETE"),
        ("sec-fetch-site", "same-origin"),
        ("connection", "close, x-hop"),
        ("x-hop", "1"),
        ("te", "trailers"),
        ("osd-version", "2.19.0"),
        ("accept-encoding", "gzip, br"),
        ("cookie", "elsewhere=1"),
    ];
    let path = "/_dashboards/api/saved_objects/_find?type=index-pattern&search=a+b%2Ac&fields=%C3%A4&flag";
    site.browser.ask("GET", path, &own, "").await.with(200);
    let origin = format!("http://127.0.0.1:{}", site.port);
    let body = r#"{"params":{"index":"logs-*","body":{}}}"#;
    let json = [("content-type", "application/json"), ("origin", origin.as_str())];
    site.browser.ask("POST", "/_dashboards/internal/search/opensearch", &json, body).await.with(200);
    site.browser.ask("PUT", "/_dashboards/api/saved_objects/index-pattern/a b*", &json, "{}").await.with(200);

    let arrived = site.arrived();
    assert_eq!(
        site.lines(),
        [
            "GET /_dashboards/api/saved_objects/_find?type=index-pattern&search=a%20b%2Ac&fields=%C3%A4&flag=",
            "POST /_dashboards/internal/search/opensearch",
            "PUT /_dashboards/api/saved_objects/index-pattern/a%20b%2A",
        ]
    );
    assert_eq!(String::from_utf8_lossy(&arrived[1].body), body);
    for came in &arrived {
        let whole = Came { path: format!("{DOMAIN}{}", came.path), ..came.clone() };
        signature::check(&whole, "eu-west-1");
        for name in [
            "referer",
            "origin",
            "cookie",
            "x-amz-security-token",
            "x-forwarded-for",
            "x-forwarded-host",
            "x-real-ip",
            "x-original-url",
            "x-rewrite-url",
            "x-http-method-override",
            "sec-fetch-site",
            "x-hop",
            "te",
        ] {
            assert_eq!(came.header(name), None, "{name} of {}", came.path);
        }
    }
    assert_eq!(arrived[0].header("osd-version"), Some("2.19.0"));
    assert_eq!(arrived[0].header("accept-encoding"), Some("gzip, br"));
}

#[tokio::test]
async fn an_answer_comes_back_as_it_is_but_for_what_names_the_domain() {
    let site = Site::new(Access::ReadWrite, |came| {
        let host = came.header("host").expect("a host");
        let mut answer = Answer::new(302, "text/plain", "\u{1f}not gzip, and not looked at".to_owned());
        answer.headers = vec![
            ("content-encoding", "gzip".to_owned()),
            ("location", format!("http://{host}{DOMAIN}/_dashboards/app/home?x=1#/y")),
            ("set-cookie", format!("security=a=b; Path={DOMAIN}/_dashboards; Domain={host}; Secure; HttpOnly")),
            ("set-cookie", "other=2".to_owned()),
            ("set-cookie", "door=x; Path=/".to_owned()),
            ("clear-site-data", "\"*\"".to_owned()),
            ("www-authenticate", "Basic".to_owned()),
            ("strict-transport-security", "max-age=9".to_owned()),
            ("access-control-allow-origin", "*".to_owned()),
            ("keep-alive", "timeout=5".to_owned()),
            ("osd-name", "node".to_owned()),
        ];
        answer
    })
    .await;
    let heard = site.browser.ask("GET", "/_dashboards/", &[], "").await.with(302);
    assert_eq!(heard.body, "\u{1f}not gzip, and not looked at".as_bytes());
    assert_eq!(heard.all("location"), ["/_dashboards/app/home?x=1#/y"]);
    let prefix = format!("ekk-{}-", site.port);
    assert_eq!(
        heard.all("set-cookie"),
        [format!("{prefix}security=a=b; Path=/_dashboards; HttpOnly"), format!("{prefix}other=2")]
    );
    assert_eq!((heard.all("content-encoding"), heard.all("osd-name")), (vec!["gzip"], vec!["node"]));
    assert_eq!(
        (heard.all("x-frame-options"), heard.all("cross-origin-resource-policy")),
        (vec!["SAMEORIGIN"], vec!["same-origin"])
    );
    for name in [
        "strict-transport-security",
        "access-control-allow-origin",
        "keep-alive",
        "clear-site-data",
        "www-authenticate",
    ] {
        assert_eq!(heard.all(name), Vec::<&str>::new(), "{name}");
    }
    let cookies = format!("{prefix}security=a=b; jupyter=mine");
    site.browser.ask("GET", "/_dashboards/api/status", &[("cookie", &cookies)], "").await.with(302);
    assert_eq!(site.arrived()[1].header("cookie"), Some("security=a=b"));
}

#[tokio::test]
async fn who_may_be_framed_by_nobody_stays_so() {
    let site = Site::new(Access::ReadWrite, |_| {
        let mut answer = Answer::json(200, "{}");
        answer.headers = vec![("x-frame-options", "deny".to_owned())];
        answer
    })
    .await;
    let heard = site.browser.ask("GET", "/_dashboards/", &[], "").await.with(200);
    assert_eq!(heard.all("x-frame-options"), ["DENY"]);
}

#[tokio::test]
async fn a_target_with_a_host_of_its_own_and_a_tunnel_are_refused() {
    let site = Site::new(Access::ReadWrite, fine).await;
    let page = "/_dashboards/app/discover";
    let foreign = format!("http://rebound.example.com:{}{page}", site.port);
    site.browser.ask("GET", &foreign, &[], "").await.with(403);
    site.browser.ask("CONNECT", "127.0.0.1:443", &[], "").await.with(405);
    let two = [("content-type", "application/json"), ("content-type", "text/plain")];
    site.browser.ask("POST", "/_dashboards/internal/search/opensearch", &two, "{}").await.with(400);
    assert_eq!(site.lines(), Vec::<String>::new());
    let own = format!("http://127.0.0.1:{}{page}", site.port);
    site.browser.ask("GET", &own, &[], "").await.with(200);
    assert_eq!(site.lines(), [format!("GET {page}")]);
}

#[tokio::test]
async fn nobody_is_let_in_without_the_secret_or_from_elsewhere() {
    let site = Site::new(Access::ReadWrite, fine).await;
    let stranger = Browser::without_cookie(site.port);
    let page = "/_dashboards/app/discover";
    for (path, headers) in [
        (page, vec![]),
        ("/", vec![]),
        ("/?token=", vec![]),
        ("/?token=0123456789abcdef0123456789abcdef", vec![]),
        (page, vec![("cookie", "ekk-door=1")]),
    ] {
        stranger.ask("GET", path, &headers, "").await.with(403);
    }
    for headers in [
        vec![("host", "rebound.example.com")],
        vec![("origin", "http://127.0.0.1:3000")],
        vec![("origin", "null")],
        vec![("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "image")],
        vec![("sec-fetch-site", "same-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")],
        vec![("sec-fetch-site", "Cross-Site")],
        vec![("sec-fetch-site", "elsewhere")],
    ] {
        site.browser.ask("GET", page, &headers, "").await.with(403);
    }
    assert_eq!(site.lines(), Vec::<String>::new());
    site.browser.ask("GET", page, &[("sec-fetch-site", "none")], "").await.with(200);
    assert_eq!(site.lines(), [format!("GET {page}")]);
}

#[tokio::test]
async fn only_dashboards_are_behind_the_door() {
    let site = Site::new(Access::ReadWrite, fine).await;
    let discover = "/_dashboards/app/discover?security_tenant=global#/?_a=(index:'ekk-logs')";
    assert_eq!(site.browser.ask("GET", "/", &[], "").await.with(303).all("location"), [discover]);
    for (path, status) in [
        ("/_search", 404),
        ("/_cat/indices", 404),
        ("/_dashboardsx", 404),
        ("/favicon.ico", 404),
        ("/_plugin/kibana/", 404),
        ("/_dashboards/../_search", 400),
        ("/_dashboards/%2e%2e/_search", 400),
        ("/_dashboards/..%2f_search", 400),
    ] {
        site.browser.ask("GET", path, &[], "").await.with(status);
    }
    assert_eq!(site.lines(), Vec::<String>::new());
}

#[tokio::test]
async fn what_a_post_says_in_its_query_is_said_in_another_way_or_refused() {
    let site = Site::new(Access::ReadWrite, |came| match (came.method.as_str(), came.path.as_str()) {
        ("POST", "/_dashboards/api/saved_objects/dashboard/there") => Answer::json(409, r#"{"statusCode":409}"#),
        _ => Answer::json(200, "{}"),
    })
    .await;
    let post = async |path: &str, body: &str| {
        site.browser.ask("POST", path, &[("content-type", "application/json")], body).await
    };
    let object = r#"{"attributes":{"title":"a"},"migrationVersion":{"dashboard":"7.9.3"}}"#;
    post("/_dashboards/api/saved_objects/dashboard/new?overwrite=true", object).await.with(200);
    post("/_dashboards/api/saved_objects/dashboard/there?overwrite=true", object).await.with(200);
    post("/_dashboards/api/saved_objects/dashboard/there", object).await.with(409);
    post("/_dashboards/api/saved_objects/_bulk_get?security_tenant=team", "[]").await.with(200);
    post("/_dashboards/api/console/proxy?path=logs-*%2F_search%3Fsize%3D1&method=POST", "{}").await.with(200);
    post("/_dashboards/api/console/proxy?path=_cat%2Findices&method=GET", "").await.with(200);
    let of_a_tenant = "?overwrite=true&security_tenant=private";
    post(&format!("/_dashboards/api/saved_objects/dashboard/there{of_a_tenant}"), object).await.with(200);
    post("/_dashboards/api/saved_objects/dashboard/new?overwrite=1", object).await.with(400);
    let refused = post("/_dashboards/api/saved_objects/_import?overwrite=true", "").await.with(400);
    assert!(refused.text().contains("ignores the query parameters of signed POST requests"), "{}", refused.text());
    assert_eq!(
        site.lines(),
        [
            "POST /_dashboards/api/saved_objects/dashboard/new",
            "POST /_dashboards/api/saved_objects/dashboard/there",
            "PUT /_dashboards/api/saved_objects/dashboard/there",
            "POST /_dashboards/api/saved_objects/dashboard/there",
            "POST /_dashboards/api/saved_objects/_bulk_get",
            "GET /logs-%2A/_search?size=1",
            "GET /_cat/indices?pretty=true",
            "POST /_dashboards/api/saved_objects/dashboard/there",
            "PUT /_dashboards/api/saved_objects/dashboard/there",
        ]
    );
    let arrived = site.arrived();
    assert_eq!(String::from_utf8_lossy(&arrived[2].body), r#"{"attributes":{"title":"a"}}"#);
    assert_eq!(arrived[4].header("securitytenant"), Some("team"));
    for written in &arrived[7..] {
        assert_eq!(written.header("securitytenant"), Some("private"), "{}", written.method);
    }
    for came in &arrived {
        signature::check(&Came { path: format!("{DOMAIN}{}", came.path), ..came.clone() }, "eu-west-1");
    }
}

#[tokio::test]
async fn with_read_only_what_writes_never_arrives() {
    let site = Site::new(Access::ReadOnly, fine).await;
    let pattern = "/_dashboards/api/saved_objects/index-pattern/x";
    for (method, path) in [
        ("PUT", pattern),
        ("POST", pattern),
        ("DELETE", pattern),
        ("POST", "/_dashboards/api/opensearch-dashboards/settings"),
        ("POST", "/_dashboards/api/console/proxy?path=logs&method=DELETE"),
        ("POST", "/_dashboards/api/console/proxy?path=_dashboards%2Fgoto%2Fx&method=GET"),
        ("POST", "/_dashboards/api/console/proxy?path=_dashboards%2Fapi%2Freporting%2FgenerateReport%2Fx&method=GET"),
        ("POST", "/_dashboards/internal/search/sql"),
    ] {
        let refused = site.browser.ask(method, path, &[], "").await.with(403);
        assert!(refused.text().contains("--read-only"), "{}", refused.text());
    }
    assert_eq!(site.lines(), Vec::<String>::new());
    site.browser.ask("POST", "/_dashboards/internal/search/opensearch", &[], "{}").await.with(200);
    site.browser.ask("GET", pattern, &[], "").await.with(200);
    assert_eq!(site.lines(), ["POST /_dashboards/internal/search/opensearch".to_owned(), format!("GET {pattern}")]);
}

const EXPIRED: &str = r#"{"message":"The security token included in the request is expired"}"#;

#[tokio::test]
async fn expired_credentials_are_read_anew_and_then_the_page_says_what_to_run() {
    let site = Site::new(Access::ReadWrite, fine).await;
    let expire = || site.stand_in.meet("GET", "/app/discover", Fate::Answered(Answer::json(403, EXPIRED)));
    let page = "/_dashboards/app/discover";
    // Once: who has logged in again meanwhile sees nothing of it.
    expire();
    site.browser.ask("GET", page, &[("sec-fetch-dest", "document")], "").await.with(200);
    expire();
    expire();
    let shown = site.browser.ask("GET", page, &[("sec-fetch-dest", "document")], "").await.with(403);
    assert_eq!(shown.all("content-type"), ["text/html; charset=utf-8"]);
    let text = shown.text();
    for part in ["The AWS credentials have expired", "<pre>aws sso login --profile acme</pre>", "reload this page"] {
        assert!(text.contains(part), "{text}");
    }
    expire();
    expire();
    let told = site.browser.ask("GET", page, &[("sec-fetch-dest", "empty")], "").await.with(403);
    assert_eq!(told.all("content-type"), ["application/json"]);
    let told: serde_json::Value = serde_json::from_slice(&told.body).expect("JSON");
    assert_eq!((&told["statusCode"], &told["error"]), (&403.into(), &"Forbidden".into()));
    assert!(told["message"].as_str().expect("text").ends_with("Run: aws sso login --profile acme"), "{told}");
}

/// What another 403 says is not about the credentials, whichever words it holds: it comes once, and as it came.
#[tokio::test]
async fn another_403_comes_through_whole_and_is_asked_for_once() {
    let long = format!(r#"{{"message":"{}"}}"#, "The security token included in the request is expired ".repeat(4000));
    let answers = [
        r#"{"Message":"User: x is not authorized to perform: es:ESHttpGet"}"#,
        r#"{"statusCode":403,"error":"Forbidden","message":"no permission for saved object: signature expired sale"}"#,
        r#"{"statusCode":403,"message":"The security token included in the request is expired"}"#,
        r#"{"error":{"type":"security_exception","reason":"Signature expired"},"status":403}"#,
        &long,
    ];
    let site = Site::new(Access::ReadWrite, fine).await;
    for answer in answers {
        site.stand_in.meet("GET", "/api/x", Fate::Answered(Answer::json(403, answer)));
        let heard = site.browser.ask("GET", "/_dashboards/api/x", &[], "").await.with(403);
        assert_eq!(heard.text(), answer);
    }
    assert_eq!(site.stand_in.came().iter().filter(|came| came.path.ends_with("/api/x")).count(), answers.len());
}

#[tokio::test]
async fn a_wrong_clock_is_told_and_no_login_is_asked_for() {
    let site = Site::new(Access::ReadWrite, fine).await;
    let late = r#"{"message":"Signature expired: 20260101T000000Z is now earlier than 20260101T010000Z"}"#;
    site.stand_in.meet("GET", "/app/discover", Fate::Answered(Answer::json(403, late)));
    let page = "/_dashboards/app/discover";
    let text = site.browser.ask("GET", page, &[("accept", "text/html")], "").await.with(403).text();
    for part in ["<h1>This machine&#39;s clock is wrong</h1>", "20260101T010000Z", "set the clock of the machine"] {
        assert!(text.contains(part), "{text}");
    }
    assert!(!text.contains("aws sso login"), "{text}");
}

#[tokio::test]
async fn a_missing_permission_is_a_page_for_a_person_and_aws_s_own_words_for_a_script() {
    let site = Site::new(Access::ReadWrite, fine).await;
    let denied = r#"{"Message":"User: arn:aws:iam::1:user/a is not authorized to perform: es:ESHttpGet because x"}"#;
    let page = "/_dashboards/app/discover";
    site.stand_in.meet("GET", "/app/discover", Fate::Answered(Answer::json(403, denied)));
    let text = site.browser.ask("GET", page, &[("accept", "text/html")], "").await.with(403).text();
    for part in [
        "<h1>A permission is missing</h1>",
        "User: arn:aws:iam::1:user/a is not authorized to perform: es:ESHttpGet because x",
        "lack es:ESHttpGet on this domain",
        "<pre>ekk policy reader logs</pre>",
    ] {
        assert!(text.contains(part), "{text}");
    }
    site.stand_in.meet("GET", "/app/discover", Fate::Answered(Answer::json(403, denied)));
    let script = [("accept", "text/html"), ("sec-fetch-dest", "empty")];
    assert_eq!(site.browser.ask("GET", page, &script, "").await.with(403).text(), denied);
}

#[tokio::test]
async fn a_domain_that_does_not_answer_is_said() {
    let site = Site::new(Access::ReadWrite, fine).await;
    site.stand_in.meet("GET", "/api/status", Fate::AnswerLost);
    let heard = site.browser.ask("GET", "/_dashboards/api/status", &[("accept", "text/html")], "").await.with(502);
    assert!(heard.text().contains("The domain does not answer"), "{}", heard.text());
    assert!(heard.text().contains("does not run: `ekk local` starts it again"), "{}", heard.text());
    assert!(!heard.text().contains("VPC"), "{}", heard.text());
}

#[tokio::test]
async fn an_answer_is_handed_on_as_it_comes() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let go_on = Arc::new(Notify::new());
    let wait = Arc::clone(&go_on);
    tokio::spawn(async move {
        let (mut connection, _) = listener.accept().await.expect("a connection");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(connection.read_u8().await.expect("a request"));
        }
        let begin = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n";
        connection.write_all(begin.as_bytes()).await.expect("it is read");
        wait.notified().await;
        connection.write_all(b"4\r\nlast\r\n0\r\n\r\n").await.expect("it is read");
    });
    let stand_in = StandIn::start(move |_| described(&address.to_string())).await;
    let proxy = proxy(&stand_in, Access::ReadWrite, Port::OfStack(0)).await;
    let address = proxy.address();
    tokio::spawn(proxy.serve(std::future::pending()));
    let browser = Browser::let_in(&address).await;
    let mut connection = browser.send("GET", "/_dashboards/api/slow", &[], "").await;
    let mut heard = Vec::new();
    while !heard.windows(5).any(|window| window == b"first") {
        assert_ne!(connection.read_buf(&mut heard).await.expect("an answer"), 0, "it ended before");
    }
    go_on.notify_one();
    connection.read_to_end(&mut heard).await.expect("the rest");
    assert_eq!(Heard::read(&heard).body, b"firstlast");
}

#[tokio::test]
async fn a_port_that_is_taken_is_told_from_one_that_must_be() {
    let site = Site::new(Access::ReadWrite, fine).await;
    let other = proxy(&site.stand_in, Access::ReadWrite, Port::OfStack(site.port)).await;
    assert_ne!(other.port(), site.port);
    assert!(other.address().starts_with(&format!("http://127.0.0.1:{}/?token=", other.port())), "{}", other.address());
}

#[tokio::test]
async fn the_end_closes_the_door() {
    let site = Site::new(Access::ReadWrite, fine).await;
    let proxy = proxy(&site.stand_in, Access::ReadWrite, Port::OfStack(0)).await;
    let (port, address) = (proxy.port(), proxy.address());
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(proxy.serve(async move { drop(ended.await) }));
    let _connection =
        Browser::let_in(&address).await.send("GET", "/_dashboards/", &[("connection", "keep-alive")], "").await;
    end.send(()).expect("it serves");
    serving.await.expect("it ends");
    TcpListener::bind(("127.0.0.1", port)).await.expect("the port is free again");
}
