//! Writes every exchange into a folder, one JSON line each, for a check of what was sent and answered against AWS's
//! models. A thing of the tests: nothing is written unless `EKK_RECORD` names the folder.
//!
//! A proxy in front of another server writes the same lines. Each is an object:
//!
//! | key | what |
//! |---|---|
//! | `via` | who answered: `emulator`, `localstack`, `moto`; `stand-in` for a server of a single test |
//! | `method`, `target` | the method; path and query as sent |
//! | `headers`, `response_headers` | name (lower case) to value; a signature is left out of `authorization`, a session token altogether |
//! | `body_base64`, `response_body_base64` | the bodies; of objects of S3 and of requests to a domain's own address the first KiB |
//! | `status` | the status; `null` where the client got no answer |
//! | `service`, `operation` | as this emulator read them; a proxy leaves them out |
//! | `injected` | `true` where a test ordered the answer; left out otherwise |

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Map, Value, json};

use crate::{
    request::{Request, Service},
    response::Response,
};

/// The environment variable that names the folder.
const VARIABLE: &str = "EKK_RECORD";
/// How much is kept of a body that no model describes.
const OPAQUE_BODY_BYTES: usize = 1024;

/// The folder that `EKK_RECORD` names.
#[must_use]
pub fn folder() -> Option<PathBuf> {
    std::env::var_os(VARIABLE).filter(|folder| !folder.is_empty()).map(PathBuf::from)
}

/// The file of one server of this process.
#[derive(Debug)]
pub struct Recorder {
    file: Mutex<File>,
}

/// Where an answer came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The world's.
    World,
    /// A test ordered it.
    Injected,
}

impl Recorder {
    /// Begins a file for a server of this kind.
    ///
    /// # Errors
    ///
    /// The folder cannot be written.
    pub fn create(folder: &Path, kind: &str) -> io::Result<Self> {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        fs::create_dir_all(folder)?;
        let name = format!("{kind}-{}-{}.jsonl", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let file = OpenOptions::new().create(true).append(true).open(folder.join(name))?;
        Ok(Self { file: Mutex::new(file) })
    }

    pub(crate) fn write(&self, request: &Request, answer: Option<&Response>, origin: Origin) -> io::Result<()> {
        self.append(&line(request, answer, origin))
    }

    /// Writes what a client sent to a stand-in, whose answers prove nothing.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn write_sent(&self, method: &str, target: &str, headers: &[(String, String)], body: &[u8]) -> io::Result<()> {
        let headers = headers.iter().map(|(name, value)| (name.to_lowercase(), value.clone()));
        self.append(&json!({
            "via": "stand-in",
            "method": method,
            "target": target,
            "headers": without_secrets(headers),
            "body_base64": BASE64_STANDARD.encode(body),
            "status": null,
        }))
    }

    /// One line is one write, so that a kill leaves whole lines.
    fn append(&self, line: &Value) -> io::Result<()> {
        let line = format!("{line}\n");
        self.file.lock().unwrap_or_else(PoisonError::into_inner).write_all(line.as_bytes())
    }
}

fn line(request: &Request, answer: Option<&Response>, origin: Origin) -> Value {
    let Request {
        id: _,
        service,
        region: _,
        signed_region: _,
        caller: _,
        operation,
        method,
        path: _,
        target,
        query: _,
        headers,
        body,
    } = request;
    let object_body = |operations: [&str; 2]| {
        *service == Service::Domain || (*service == Service::S3 && operations.contains(&operation.as_str()))
    };
    let sent = headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
    let mut line = json!({
        "via": "emulator",
        "service": format!("{service:?}").to_lowercase(),
        "operation": operation,
        "method": method.as_str(),
        "target": target,
        "headers": without_secrets(sent),
        "body_base64": encoded(body, object_body(["PutObject", "UploadPart"])),
        "status": answer.map(|answer| answer.status),
    });
    if let Some(Response { status: _, headers, body }) = answer {
        let headers: Map<String, Value> =
            headers.iter().map(|(name, value)| (name.to_lowercase(), json!(value))).collect();
        line["response_headers"] = Value::Object(headers);
        line["response_body_base64"] = json!(encoded(body, object_body(["GetObject", "GetObject"])));
    }
    if origin == Origin::Injected {
        line["injected"] = json!(true);
    }
    line
}

fn encoded(body: &[u8], is_opaque: bool) -> String {
    let kept = if is_opaque { &body[..body.len().min(OPAQUE_BODY_BYTES)] } else { body };
    BASE64_STANDARD.encode(kept)
}

fn without_secrets(headers: impl Iterator<Item = (String, String)>) -> Map<String, Value> {
    headers
        .filter(|(name, _)| !matches!(name.as_str(), "x-amz-security-token" | "cookie"))
        .map(|(name, value)| {
            let shown = match (name.as_str(), value.split_once("Signature=")) {
                ("authorization", Some((scope, _))) => format!("{scope}Signature=-"),
                // Basic authentication holds a password.
                ("authorization", None) => "-".to_owned(),
                _ => value,
            };
            (name, json!(shown))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::json;

    use super::{Origin, line};
    use crate::{request::Request, response::Response};

    fn request(service: &str, target: &str, body: &'static [u8]) -> Request {
        let builder = http::Request::builder()
            .method("PUT")
            .uri(target)
            .header("x-amz-date", "20260101T000000Z")
            .header("x-amz-security-token", "secret")
            .header(
                "authorization",
                format!("AWS4-HMAC-SHA256 Credential=AKIA/20260101/eu-west-1/{service}/aws4_request, SignedHeaders=host, Signature=5ec3e7"),
            );
        let (parts, ()) = builder.body(()).unwrap().into_parts();
        Request::read(parts, Bytes::from_static(body))
    }

    #[test]
    fn a_line_holds_the_exchange_without_its_secrets() {
        let request = request("s3", "/b?tagging&x=%2F", b"<Tagging/>");
        let answer = Response::empty(204).with_header("X-Own", "1");
        assert_eq!(
            line(&request, Some(&answer), Origin::World),
            json!({
                "via": "emulator",
                "service": "s3",
                "operation": "PutBucketTagging",
                "method": "PUT",
                "target": "/b?tagging&x=%2F",
                "headers": {
                    "x-amz-date": "20260101T000000Z",
                    "authorization": "AWS4-HMAC-SHA256 Credential=AKIA/20260101/eu-west-1/s3/aws4_request, SignedHeaders=host, Signature=-",
                },
                "body_base64": "PFRhZ2dpbmcvPg==",
                "status": 204,
                "response_headers": {"x-own": "1"},
                "response_body_base64": "",
            })
        );
    }

    #[test]
    fn an_object_is_cut_and_an_ordered_answer_is_marked() {
        static BODY: [u8; 3000] = [b'x'; 3000];
        let request = request("s3", "/b/key", &BODY);
        let line = line(&request, None, Origin::Injected);
        assert_eq!(line["body_base64"].as_str().map(str::len), Some(1368));
        assert_eq!((&line["injected"], &line["status"]), (&json!(true), &json!(null)));
    }
}
