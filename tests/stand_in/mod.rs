//! An address in front of what a test puts behind it: each request is kept, and may be answered by the test instead, or
//! lose its answer.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ekk::aws::{Aws, Connection, Session};
use ekk::stack::{Names, Origin};
use ekk::wait::{Deadline, Pace, Progress, Waiting};
use ekk_emulator::recorder::{self, Recorder};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// One request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Came {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Came {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The operation of a JSON 1.1 service, else the path.
    pub(crate) fn target(&self) -> &str {
        self.header("x-amz-target").unwrap_or(&self.path)
    }
}

/// An answer of a test's own.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) body: String,
    /// The Date header.
    pub(crate) date: Option<String>,
    /// Further headers.
    pub(crate) headers: Vec<(&'static str, String)>,
}

impl Answer {
    pub(crate) fn json(status: u16, body: &str) -> Self {
        Self::new(status, "application/json", body.to_owned())
    }

    pub(crate) fn new(status: u16, content_type: &str, body: String) -> Self {
        Self { status, content_type: content_type.to_owned(), body, date: None, headers: Vec::new() }
    }
}

/// What becomes of a request before or after what stands behind has seen it.
#[derive(Clone, Debug)]
pub(crate) enum Fate {
    /// It is answered by this, and what stands behind never sees it.
    Answered(Answer),
    /// It takes effect, and the connection breaks without an answer.
    AnswerLost,
}

type Behind = dyn Fn(&Came) -> Answer + Send + Sync;

struct Shared {
    behind: Box<Behind>,
    came: Mutex<Vec<Came>>,
    fates: Mutex<VecDeque<(String, String, Fate)>>,
    recorder: Option<Recorder>,
}

/// The running stand-in.
pub(crate) struct StandIn {
    shared: Arc<Shared>,
    address: String,
}

impl StandIn {
    pub(crate) async fn start(behind: impl Fn(&Came) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let recorder = recorder::folder().map(|folder| Recorder::create(&folder, "stand-in").expect("a folder"));
        let (came, fates) = (Mutex::default(), Mutex::default());
        let shared = Arc::new(Shared { behind: Box::new(behind), came, fates, recorder });
        let serving = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(serve(connection, Arc::clone(&serving)));
            }
        });
        Self { shared, address }
    }

    pub(crate) async fn session(&self) -> Session {
        let connection = Connection {
            region: Some("eu-west-1".to_owned()),
            profile: None,
            local: Some(format!("http://{}", self.address)),
            quick_retries: true,
        };
        let pace = Pace { first: Duration::from_millis(1), longest: Duration::from_millis(2), ..Pace::LOCAL };
        let waiting = Waiting { pace, deadline: Deadline::Never, progress: Progress::silent() };
        Session::new(Aws::connect(&connection).await.expect("clients"), waiting)
    }

    /// The next request of this method whose operation or path contains `part` meets this fate; each is met once.
    pub(crate) fn meet(&self, method: &str, part: &str, fate: Fate) {
        self.shared.fates.lock().expect("a lock").push_back((method.to_owned(), part.to_owned(), fate));
    }

    /// What came.
    pub(crate) fn came(&self) -> Vec<Came> {
        self.shared.came.lock().expect("a lock").clone()
    }
}

async fn serve(mut connection: TcpStream, shared: Arc<Shared>) {
    let mut buffer = Vec::new();
    while let Some(came) = next(&mut connection, &mut buffer).await {
        if let Some(recorder) = &shared.recorder {
            recorder.write_sent(&came.method, &came.path, &came.headers, &came.body).expect("a writable folder");
        }
        shared.came.lock().expect("a lock").push(came.clone());
        let fate = {
            let mut fates = shared.fates.lock().expect("a lock");
            let at = fates.iter().position(|(method, part, _)| *method == came.method && came.target().contains(part));
            at.and_then(|at| fates.remove(at)).map(|(_, _, fate)| fate)
        };
        let answer = match fate {
            Some(Fate::Answered(answer)) => answer,
            Some(Fate::AnswerLost) => {
                (shared.behind)(&came);
                return;
            }
            None => (shared.behind)(&came),
        };
        let Answer { status, content_type, body, date, headers } = answer;
        let date = date.map(|date| format!("date: {date}\r\n")).unwrap_or_default();
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let head = format!(
            "HTTP/1.1 {status} X\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\n{date}{headers}\r\n",
            body.len()
        );
        if connection.write_all(&[head.as_bytes(), body.as_bytes()].concat()).await.is_err() {
            return;
        }
    }
}

async fn next(connection: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Came> {
    loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
            let mut lines = head.split("\r\n");
            let mut first = lines.next()?.split(' ');
            let (method, path) = (first.next()?.to_owned(), first.next()?.to_owned());
            let headers: Vec<(String, String)> = lines
                .filter_map(|line| line.split_once(':'))
                .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
                .collect();
            let length = headers.iter().find(|(name, _)| name == "content-length");
            let length: usize = length.and_then(|(_, value)| value.parse().ok()).unwrap_or_default();
            if buffer.len() >= end + 4 + length {
                let body = buffer[end + 4..end + 4 + length].to_vec();
                buffer.drain(..end + 4 + length);
                return Some(Came { method, path, headers, body });
            }
        }
        if connection.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}

/// The names of the stack `logs`.
pub(crate) fn names() -> Names {
    Names {
        stack: "logs".into(),
        region: "eu-west-1".into(),
        role: "logs-firehose".into(),
        role_path: "/ekk/".into(),
        role_origin: Origin::Managed,
        bucket: "logs-bucket".into(),
        bucket_origin: Origin::Managed,
        log_group: "/aws/kinesisfirehose/logs".into(),
        domain: "logs".into(),
        index: "logs".into(),
        index_template: "logs".into(),
        stream: "logs".into(),
        index_pattern: "ekk-logs".into(),
        index_pattern_title: "logs-*".into(),
    }
}
