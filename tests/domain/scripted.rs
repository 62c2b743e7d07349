//! A server on loopback that answers each call as a test's script says, for what a well-behaved emulator never does.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ekk::aws::{Aws, Connection, Session};
use ekk::wait::{Deadline, Pace, Progress, Waiting};
use ekk_emulator::recorder::{self, Recorder};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// One call as it came.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// Method and path, such as `GET /2021-01-01/opensearch/domain/logs`.
    pub(crate) line: String,
    /// The body; null where it is none or no JSON.
    pub(crate) body: Value,
}

/// What a script answers.
pub(crate) enum Answer {
    /// 200 with this body.
    Ok(Value),
    /// An error of OpenSearch Service: status, code and text.
    Error(u16, &'static str, &'static str),
}

/// A running script.
pub(crate) struct Scripted {
    /// A session against it.
    pub(crate) session: Session,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl Scripted {
    /// Starts a server that answers `script(nth call of this line, call)`, counted from 1. Who is asking is answered
    /// by itself: account 123456789012.
    pub(crate) async fn start(script: impl Fn(usize, &Call) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let calls: Arc<Mutex<Vec<Call>>> = Arc::default();
        let seen = Arc::clone(&calls);
        let script = Arc::new(script);
        let recorder = recorder::folder().map(|folder| Recorder::create(&folder, "stand-in").expect("a folder"));
        let recorder = Arc::new(recorder);
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let (seen, script, recorder) = (Arc::clone(&seen), Arc::clone(&script), Arc::clone(&recorder));
                tokio::spawn(async move { serve(connection, &seen, recorder.as_ref().as_ref(), &*script).await });
            }
        });
        let connection = Connection {
            region: Some("eu-west-1".to_owned()),
            local: Some(format!("http://{address}")),
            ..Connection::default()
        };
        let aws = Aws::connect(&connection).await.expect("clients");
        Self { session: Session::new(aws, waiting(Deadline::Never)), calls }
    }

    /// The calls so far whose line contains `part`.
    pub(crate) fn calls(&self, part: &str) -> Vec<Call> {
        let calls = self.calls.lock().expect("no test panicked");
        calls.iter().filter(|call| call.line.contains(part)).cloned().collect()
    }
}

/// Waits without pauses worth the name.
pub(crate) fn waiting(deadline: Deadline) -> Waiting {
    let pace = Pace {
        first: Duration::from_millis(1),
        longest: Duration::from_millis(2),
        role_spread_least: Duration::from_millis(50),
        role_spread_most: Duration::from_millis(50),
        ..Pace::LOCAL
    };
    Waiting { pace, deadline, progress: Progress::silent() }
}

async fn serve(
    mut connection: TcpStream,
    seen: &Mutex<Vec<Call>>,
    recorder: Option<&Recorder>,
    script: &(impl Fn(usize, &Call) -> Answer + Sync),
) {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    let (head, body) = loop {
        let Ok(read) = connection.read(&mut chunk).await else { return };
        if read == 0 {
            return;
        }
        bytes.extend_from_slice(chunk.get(..read).unwrap_or_default());
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse::<usize>().ok())
            .unwrap_or(0);
        if body.len() >= length {
            break (head.to_owned(), body.to_owned());
        }
    };
    let line = head.lines().next().unwrap_or_default().trim_end_matches(" HTTP/1.1").to_owned();
    if let (Some(recorder), Some((method, target))) = (recorder, line.split_once(' ')) {
        let headers = head.lines().skip(1).filter_map(|line| line.split_once(": "));
        let headers: Vec<(String, String)> = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        recorder.write_sent(method, target, &headers, body.as_bytes()).expect("a writable folder");
    }
    let (status, kind, error, text) = if line == "POST /" {
        (200, "text/xml", "", CALLER.to_owned())
    } else {
        let call = Call { line: line.clone(), body: serde_json::from_str(&body).unwrap_or(Value::Null) };
        let nth = {
            let mut seen = seen.lock().expect("no test panicked");
            seen.push(call.clone());
            seen.iter().filter(|call| call.line == line).count()
        };
        match script(nth, &call) {
            Answer::Ok(value) => (200, "application/json", "", value.to_string()),
            Answer::Error(status, code, text) => {
                (status, "application/json", code, json!({ "message": text }).to_string())
            }
        }
    };
    let answer = format!(
        "HTTP/1.1 {status} x\r\ncontent-type: {kind}\r\nx-amzn-errortype: {error}\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n{text}",
        text.len()
    );
    // A client that is gone is no concern of the server.
    drop(connection.write_all(answer.as_bytes()).await);
}

const CALLER: &str = "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
<Arn>arn:aws:iam::123456789012:user/x</Arn><UserId>x</UserId><Account>123456789012</Account>\
</GetCallerIdentityResult></GetCallerIdentityResponse>";
