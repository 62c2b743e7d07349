//! An engine that answers: the emulated one in this process, or a real one over HTTP.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

use ekk_emulator::engine::{Ask, Data, Engine as Emulated, EngineVersion, ExplicitIndex};
use serde_json::{Value, json};

use crate::stand_in::{Answer, Came, StandIn};

/// The versions that are compared; a real one is told apart by major and minor.
pub(crate) const VERSIONS: [&str; 4] = ["Elasticsearch_7.10", "OpenSearch_1.3", "OpenSearch_2.19", "OpenSearch_3.5"];

/// One test at a time writes to the real engines.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Where the domain is below the stand-in's address.
const DOMAIN: &str = "/domain/logs";

#[derive(Clone)]
pub(crate) struct Engine {
    /// As AWS writes it: `OpenSearch_2.19`.
    pub(crate) version: String,
    behind: Behind,
}

#[derive(Clone)]
enum Behind {
    Emulated(Arc<Mutex<Data>>),
    Real(String),
}

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: &'static str,
    /// Path and query.
    pub(crate) target: String,
    pub(crate) media_type: Option<&'static str>,
    pub(crate) body: String,
}

/// The emulated engines, empty.
pub(crate) fn emulated() -> Vec<Engine> {
    VERSIONS.iter().map(|version| Engine::emulated(version)).collect()
}

/// The engines that `EKK_REAL_ENGINES` names.
pub(crate) fn real() -> Vec<Engine> {
    let named = std::env::var("EKK_REAL_ENGINES").expect("EKK_REAL_ENGINES");
    named
        .split(',')
        .map(|engine| {
            let (version, address) = engine.split_once('@').expect("ENGINE@HOST:PORT");
            // OpenSearch_2.19.1 is OpenSearch_2.19 to AWS.
            let version: Vec<&str> = version.splitn(3, '.').take(2).collect();
            let version = version.join(".");
            Engine { version, behind: Behind::Real(address.to_owned()) }
        })
        .collect()
}

impl Engine {
    pub(crate) fn emulated(version: &str) -> Self {
        Self { version: version.to_owned(), behind: Behind::Emulated(Arc::default()) }
    }

    /// Empties a real engine, for as long as the guard lives.
    pub(crate) async fn alone(&self) -> tokio::sync::MutexGuard<'static, ()> {
        let guard = ALONE.lock().await;
        // Hidden and system indexes stay.
        self.get("/_cluster/health?wait_for_status=yellow&timeout=30s");
        for (method, target) in [("DELETE", "/*"), ("DELETE", "/_index_template/*"), ("DELETE", "/_template/*")] {
            let (status, answer) = self.call(method, target, None);
            assert!(status == 200 || status == 404, "{method} {target}: {status} {answer}");
        }
        guard
    }

    pub(crate) fn get(&self, target: &str) -> (u16, Value) {
        self.call("GET", target, None)
    }

    pub(crate) fn call(&self, method: &'static str, target: &str, body: Option<&Value>) -> (u16, Value) {
        self.send(&Call {
            method,
            target: target.to_owned(),
            media_type: body.map(|_| "application/json"),
            body: body.map(Value::to_string).unwrap_or_default(),
        })
    }

    /// A bulk request as Firehose sends it: the lines as they are, the index in each action.
    pub(crate) fn bulk(&self, lines: &[Value]) -> (u16, Value) {
        let body = lines.iter().map(|line| format!("{line}\n")).collect();
        self.send(&Call {
            method: "POST",
            target: "/_bulk?refresh=true".to_owned(),
            media_type: Some("application/x-ndjson"),
            body,
        })
    }

    /// Status and body; a body that is no JSON is a text.
    pub(crate) fn send(&self, call: &Call) -> (u16, Value) {
        let came = Came {
            method: call.method.to_owned(),
            path: call.target.clone(),
            headers: call.media_type.map(|kind| ("content-type".to_owned(), kind.to_owned())).into_iter().collect(),
            body: call.body.clone().into_bytes(),
        };
        let answer = self.answer(&came);
        let body = if answer.body.is_empty() { Value::Null } else { json!(answer.body) };
        (answer.status, serde_json::from_str(&answer.body).unwrap_or(body))
    }

    fn answer(&self, came: &Came) -> Answer {
        match &self.behind {
            Behind::Emulated(data) => answer_of_the_emulator(&self.version, data, came),
            Behind::Real(address) => answer_of_a_real_engine(address, came),
        }
    }

    /// A control plane that knows one domain, which is this engine.
    pub(crate) async fn domain(&self) -> StandIn {
        let engine = self.clone();
        StandIn::start(move |came| {
            if let Some(path) = came.path.strip_prefix(DOMAIN) {
                return engine.answer(&Came { path: path.to_owned(), ..came.clone() });
            }
            if came.path != "/2021-01-01/opensearch/domain/logs" {
                return Answer::json(404, "{}");
            }
            let status = json!({"DomainStatus": {
                "DomainId": "000000000000/logs",
                "DomainName": "logs",
                "ARN": "arn:aws:es:eu-west-1:000000000000:domain/logs",
                "Created": true,
                "Deleted": false,
                "Processing": false,
                "Endpoint": format!("{}{DOMAIN}", came.header("host").expect("a host")),
                "EngineVersion": engine.version,
                "ClusterConfig": {},
            }});
            Answer::json(200, &status.to_string())
        })
        .await
    }
}

fn answer_of_the_emulator(version: &str, data: &Mutex<Data>, came: &Came) -> Answer {
    let version: EngineVersion = version.parse().expect("an engine");
    let mut data = data.lock().expect("a lock");
    let mut engine = Emulated {
        data: &mut data,
        scope: "eu-west-1/logs/".to_owned(),
        version,
        data_nodes: 1,
        disk_bytes: 10 << 30,
        cluster_name: "000000000000:logs".to_owned(),
        refresh_scale: 1.0,
        explicit_index: ExplicitIndex::Allowed,
        claims_elasticsearch: false,
    };
    let method: http::Method = came.method.parse().expect("a method");
    let (path, query) = came.path.split_once('?').unwrap_or((&came.path, ""));
    let query: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(key, value)| (key.to_owned(), decoded(value)))
        .collect();
    let media_type = came.header("content-type");
    let response = engine
        .handle(Ask { method: &method, path, query: &query, media_type, body: &came.body }, jiff::Timestamp::now());
    let content_type = response.headers.iter().find(|(name, _)| name == "content-type");
    let content_type = content_type.map(|(_, value)| value.as_str()).unwrap_or_default();
    Answer::new(response.status, content_type, String::from_utf8(response.body.to_vec()).expect("UTF-8"))
}

/// A query's value without its percent signs.
fn decoded(value: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let hex = [rest.next().expect("a digit"), rest.next().expect("a digit")];
                let hex = std::str::from_utf8(&hex).expect("two digits");
                bytes.push(u8::from_str_radix(hex, 16).expect("two digits"));
            }
            byte => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).expect("UTF-8")
}

/// Sends a request on over a connection of its own.
fn answer_of_a_real_engine(address: &str, came: &Came) -> Answer {
    let mut connection = TcpStream::connect(address).expect("a connection");
    let mut head = format!("{} {} HTTP/1.0\r\nhost: {address}\r\n", came.method, came.path);
    if let Some(content_type) = came.header("content-type") {
        head.push_str(&format!("content-type: {content_type}\r\n"));
    }
    if !came.body.is_empty() {
        head.push_str(&format!("content-length: {}\r\n", came.body.len()));
    }
    head.push_str("\r\n");
    connection.write_all(&[head.as_bytes(), &came.body].concat()).expect("sent");
    let mut answer = String::new();
    connection.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    let content_type = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-type"))
        .map(|(_, value)| value.trim().to_owned())
        .unwrap_or_default();
    Answer::new(status, &content_type, body.to_owned())
}
