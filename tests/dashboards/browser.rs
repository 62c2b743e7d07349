//! As much of a browser as a door notices: it keeps the cookie, and shows what it heard.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A browser at a door.
pub(crate) struct Browser {
    port: u16,
    cookie: Option<String>,
}

/// An answer, whole.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Browser {
    /// Opens the address that the door gave, and keeps the cookie.
    pub(crate) async fn let_in(address: &str) -> Self {
        let rest = address.strip_prefix("http://127.0.0.1:").expect("an address on loopback");
        let (port, path) = rest.split_once('/').expect("a path");
        let mut browser = Self::without_cookie(port.parse().expect("a port"));
        let heard = browser.ask("GET", &format!("/{path}"), &[], "").await.with(303);
        let cookie = heard.all("set-cookie").first().copied().expect("a cookie").to_owned();
        assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Strict"), "{cookie}");
        browser.cookie = cookie.split(';').next().map(ToOwned::to_owned);
        browser
    }

    pub(crate) fn without_cookie(port: u16) -> Self {
        Self { port, cookie: None }
    }

    /// Sends a request and hears the whole answer.
    pub(crate) async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Heard {
        let mut connection = self.send(method, path, headers, body).await;
        let mut heard = Vec::new();
        connection.read_to_end(&mut heard).await.expect("an answer");
        Heard::read(&heard)
    }

    /// Sends a request.
    pub(crate) async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> TcpStream {
        let own = [("host", format!("127.0.0.1:{}", self.port)), ("connection", "close".to_owned())];
        let mut head = format!("{method} {} HTTP/1.1\r\ncontent-length: {}\r\n", path.replace(' ', "%20"), body.len());
        for (name, value) in &own {
            if !headers.iter().any(|(sent, _)| sent == name) {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
        }
        if let Some(cookie) = &self.cookie {
            head.push_str(&format!("cookie: {cookie}\r\n"));
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let mut connection = TcpStream::connect(("127.0.0.1", self.port)).await.expect("the door listens");
        connection.write_all(format!("{head}\r\n{body}").as_bytes()).await.expect("it reads");
        connection
    }
}

impl Heard {
    /// Reads an answer.
    pub(crate) fn read(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("headers");
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).expect("a status");
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
            .collect();
        let mut body = bytes[end + 4..].to_vec();
        if headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked") {
            body = joined(&body);
        }
        Self { status, headers, body }
    }

    /// Fails the test with the answer, unless it has this status.
    #[track_caller]
    pub(crate) fn with(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{:?}\n{}", self.headers, self.text());
        self
    }

    /// The values of a header.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Joins chunks.
fn joined(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|window| window == b"\r\n").expect("a chunk's size");
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).expect("text"), 16).expect("a size");
        if size == 0 {
            return body;
        }
        body.extend_from_slice(&rest[end + 2..end + 2 + size]);
        rest = &rest[end + 2 + size + 2..];
    }
}
