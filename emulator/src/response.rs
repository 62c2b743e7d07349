//! Answers, and the shape in which each service says that something went wrong.

use bytes::Bytes;
use http::Method;
use quick_xml::escape::escape;
use serde_json::{Value, json};

use crate::{
    query::is_in_xml,
    request::{Request, Service},
};

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// Headers beside those that every answer has.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
}

impl Response {
    /// An answer without a body.
    #[must_use]
    pub fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Bytes::new() }
    }

    /// An answer of the JSON 1.1 protocol.
    #[must_use]
    pub fn json_1_1(status: u16, body: &Value) -> Self {
        Self::text(status, "application/x-amz-json-1.1", body.to_string())
    }

    /// An answer in plain JSON.
    #[must_use]
    pub fn json(status: u16, body: &Value) -> Self {
        Self::text(status, "application/json", body.to_string())
    }

    /// An answer in XML; the declaration is added.
    #[must_use]
    pub fn xml(status: u16, body: &str) -> Self {
        Self::text(status, "application/xml", format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{body}"))
    }

    /// An answer of any media type.
    #[must_use]
    pub fn text(status: u16, media_type: &str, body: String) -> Self {
        Self { status, headers: vec![("content-type".to_owned(), media_type.to_owned())], body: Bytes::from(body) }
    }

    /// Adds a header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

/// An error in the shape of the request's service.
#[must_use]
pub fn error(request: &Request, status: u16, code: &str, message: &str) -> Response {
    match request.service {
        Service::Iam | Service::Sts => {
            let namespace = if request.service == Service::Iam {
                "https://iam.amazonaws.com/doc/2010-05-08/"
            } else {
                "https://sts.amazonaws.com/doc/2011-06-15/"
            };
            let kind = if status >= 500 { "Receiver" } else { "Sender" };
            Response::xml(
                status,
                &format!(
                    "<ErrorResponse xmlns=\"{namespace}\"><Error><Type>{kind}</Type><Code>{}</Code><Message>{}</Message></Error><RequestId>{}</RequestId></ErrorResponse>",
                    said(code),
                    said(message),
                    request.id
                ),
            )
        }
        // An answer to HEAD has no body, and the status says all.
        Service::S3 if request.method == Method::HEAD => Response::empty(status),
        Service::S3 => Response::xml(
            status,
            &format!(
                "<Error><Code>{}</Code><Message>{}</Message><RequestId>{}</RequestId><HostId>emulator</HostId></Error>",
                said(code),
                said(message),
                request.id
            ),
        ),
        Service::Logs | Service::Tagging | Service::Firehose => {
            Response::json_1_1(status, &json!({ "__type": code, "message": message }))
        }
        Service::OpenSearch | Service::Browser | Service::Unknown => {
            Response::json(status, &json!({ "message": message })).with_header("x-amzn-errortype", code)
        }
        Service::Domain => Response::json(status, &json!({ "Message": message })).with_header("x-amzn-errortype", code),
    }
}

/// A text of an error in XML. What XML cannot hold is replaced, so that every error can be read.
fn said(text: &str) -> String {
    let readable = |character| if is_in_xml(character) { character } else { char::REPLACEMENT_CHARACTER };
    escape(text.chars().map(readable).collect::<String>()).into_owned()
}

/// An operation that the service does not have.
#[must_use]
pub fn unknown_operation(request: &Request) -> Response {
    match request.service {
        Service::Iam | Service::Sts => {
            error(request, 400, "InvalidAction", "Could not find operation in the API of this version")
        }
        Service::S3 => error(
            request,
            501,
            "NotImplemented",
            "A header or query you provided implies functionality that is not implemented.",
        ),
        Service::Logs | Service::Tagging | Service::Firehose => {
            Response::json_1_1(400, &json!({ "__type": "UnknownOperationException" }))
        }
        Service::OpenSearch | Service::Domain | Service::Browser | Service::Unknown => {
            Response::json(404, &json!({ "message": null }))
                .with_header("x-amzn-errortype", "UnknownOperationException")
        }
    }
}

/// The service's own answer to too many calls.
#[must_use]
pub fn throttled(request: &Request) -> Response {
    match request.service {
        Service::Iam | Service::Sts => error(request, 400, "Throttling", "Rate exceeded"),
        Service::S3 => error(request, 503, "SlowDown", "Please reduce your request rate."),
        Service::Logs | Service::Firehose => error(request, 400, "ThrottlingException", "Rate exceeded"),
        Service::Tagging => error(request, 400, "ThrottledException", "Rate exceeded"),
        Service::OpenSearch => error(request, 429, "ThrottlingException", "Rate exceeded"),
        Service::Domain | Service::Browser | Service::Unknown => {
            error(request, 429, "TooManyRequests", "429 Too Many Requests /")
        }
    }
}

/// The service's own way to say that the caller may not do this.
#[must_use]
pub fn access_denied(request: &Request, caller: &str, action: &str, resource: &str) -> Response {
    let identity = "because no identity-based policy allows the action";
    match request.service {
        Service::Iam | Service::Sts => error(
            request,
            403,
            "AccessDenied",
            &format!("User: {caller} is not authorized to perform: {action} on resource: {resource} {identity}"),
        ),
        Service::S3 => error(
            request,
            403,
            "AccessDenied",
            &format!("User: {caller} is not authorized to perform: {action} on resource: \"{resource}\" {identity}"),
        ),
        Service::Logs | Service::Tagging | Service::Firehose => error(
            request,
            400,
            "AccessDeniedException",
            &format!("User: {caller} is not authorized to perform: {action} on resource: {resource} {identity}"),
        ),
        Service::OpenSearch | Service::Browser | Service::Unknown => error(
            request,
            403,
            "AccessDeniedException",
            &format!("User: {caller} is not authorized to perform: {action} on resource: {resource} {identity}"),
        ),
        Service::Domain => error(
            request,
            403,
            "AccessDeniedException",
            &format!("User: {caller} is not authorized to perform: {action} with an explicit deny"),
        ),
    }
}

/// The answer to a request without a signature. A domain decides by its own access policy.
#[must_use]
pub fn unsigned(request: &Request) -> Response {
    match request.service {
        Service::Iam | Service::Sts => {
            error(request, 403, "MissingAuthenticationToken", "Request is missing Authentication Token")
        }
        Service::S3 | Service::Domain => error(request, 403, "AccessDenied", "Access Denied"),
        Service::Logs | Service::Tagging | Service::Firehose => {
            error(request, 400, "MissingAuthenticationTokenException", "Missing Authentication Token")
        }
        Service::OpenSearch | Service::Browser | Service::Unknown => {
            error(request, 403, "MissingAuthenticationTokenException", "Missing Authentication Token")
        }
    }
}

/// The answer to a header that cannot be read: taken for absent, a condition or an owner in it would not hold anything.
#[must_use]
pub fn unreadable_header(request: &Request, name: &str) -> Response {
    let code = match request.service {
        Service::Iam | Service::Sts => "ValidationError",
        Service::S3 => "InvalidArgument",
        Service::Logs | Service::Tagging | Service::Firehose => "SerializationException",
        Service::OpenSearch | Service::Domain | Service::Browser | Service::Unknown => "ValidationException",
    };
    error(request, 400, code, &format!("the header {name} is not UTF-8"))
}

/// The answer to a signature that lacks a part.
#[must_use]
pub fn malformed_signature(request: &Request) -> Response {
    let (status, code) = match request.service {
        Service::Iam | Service::Sts => (400, "IncompleteSignature"),
        Service::S3 => (400, "AuthorizationHeaderMalformed"),
        Service::Logs | Service::Tagging | Service::Firehose => (400, "IncompleteSignatureException"),
        Service::OpenSearch | Service::Domain | Service::Browser | Service::Unknown => {
            (403, "IncompleteSignatureException")
        }
    };
    error(
        request,
        status,
        code,
        "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. \
         Authorization header requires 'SignedHeaders' parameter. Authorization header requires existence of either a \
         'X-Amz-Date' or a 'Date' header.",
    )
}

/// The answer to an access key that stands for trouble, if this is one: keys that begin with `AKIAEXPIRED`,
/// `AKIAINVALID` or `AKIAWRONGSECRET`.
#[must_use]
pub fn refused_key(request: &Request, access_key: &str) -> Option<Response> {
    let json_like = !matches!(request.service, Service::Iam | Service::Sts | Service::S3);
    let refusal = |status, query_code, s3_code, json_code, message| {
        let code = match request.service {
            Service::Iam | Service::Sts => query_code,
            Service::S3 => s3_code,
            Service::Logs
            | Service::Tagging
            | Service::OpenSearch
            | Service::Domain
            | Service::Firehose
            | Service::Browser
            | Service::Unknown => json_code,
        };
        Some(error(request, status, code, message))
    };
    if access_key.starts_with("AKIAEXPIRED") {
        let status = match request.service {
            Service::S3 | Service::Logs | Service::Tagging | Service::Firehose => 400,
            Service::Iam
            | Service::Sts
            | Service::OpenSearch
            | Service::Domain
            | Service::Browser
            | Service::Unknown => 403,
        };
        refusal(
            status,
            "ExpiredToken",
            "ExpiredToken",
            "ExpiredTokenException",
            "The security token included in the request is expired",
        )
    } else if access_key.starts_with("AKIAINVALID") {
        refusal(
            if json_like && request.service != Service::OpenSearch && request.service != Service::Domain {
                400
            } else {
                403
            },
            "InvalidClientTokenId",
            "InvalidAccessKeyId",
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        )
    } else if access_key.starts_with("AKIAWRONGSECRET") {
        refusal(
            if json_like && request.service != Service::OpenSearch && request.service != Service::Domain {
                400
            } else {
                403
            },
            "SignatureDoesNotMatch",
            "SignatureDoesNotMatch",
            "InvalidSignatureException",
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method.",
        )
    } else {
        None
    }
}

/// Why an operation is refused, before it takes its service's shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The HTTP status.
    pub status: u16,
    /// The error's code.
    pub code: &'static str,
    /// Its message.
    pub message: String,
}

impl Failure {
    /// A refusal.
    #[must_use]
    pub fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    /// The answer in the shape of the request's service.
    #[must_use]
    pub fn answer(&self, request: &Request) -> Response {
        error(request, self.status, self.code, &self.message)
    }
}
