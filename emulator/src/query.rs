//! The Query protocol of IAM and STS: a form asks, XML answers.

use std::{collections::BTreeMap, fmt::Write as _};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use quick_xml::escape::escape;

use crate::{
    request::{Request, decode_pairs},
    response::{Failure, Response},
};

/// The parameters of a form.
#[derive(Clone, Debug)]
pub(crate) struct Form {
    pairs: BTreeMap<String, String>,
}

impl Form {
    pub(crate) fn read(request: &Request) -> Self {
        let text = std::str::from_utf8(&request.body).unwrap_or_default();
        Self { pairs: decode_pairs(text).into_iter().collect() }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.pairs.get(name).map(String::as_str)
    }

    pub(crate) fn required(&self, name: &str) -> Result<&str, Failure> {
        self.get(name).ok_or_else(|| {
            let mut member = name.to_owned();
            member[..1].make_ascii_lowercase();
            invalid(format!(
                "1 validation error detected: Value null at '{member}' failed to satisfy constraint: Member must not be null"
            ))
        })
    }

    /// A list of plain values, `NAME.member.1` and so on.
    pub(crate) fn list(&self, name: &str) -> Vec<&str> {
        (1..).map_while(|number| self.get(&format!("{name}.member.{number}"))).collect()
    }

    /// A list of tags, in their order.
    pub(crate) fn tags(&self, name: &str) -> Result<Vec<(String, String)>, Failure> {
        let mut tags = Vec::new();
        for number in 1.. {
            let prefix = format!("{name}.member.{number}.");
            if !self.pairs.keys().any(|key| key.starts_with(&prefix)) {
                break;
            }
            let key = self.required(&format!("{prefix}Key"))?;
            let value = self.required(&format!("{prefix}Value"))?;
            tags.push((key.to_owned(), value.to_owned()));
        }
        Ok(tags)
    }

    /// The page of a list that Marker and MaxItems ask for, and the marker of the next one.
    pub(crate) fn page<T>(&self, items: Vec<T>) -> Result<(Vec<T>, Option<String>), Failure> {
        let most = match self.get("MaxItems") {
            None => 100,
            Some(text) => {
                text.parse().ok().filter(|number| (1..=1000).contains(number)).ok_or_else(|| {
                    invalid(format!(
                        "1 validation error detected: Value '{text}' at 'maxItems' failed to satisfy constraint: Member must have value between 1 and 1000"
                    ))
                })?
            }
        };
        let skipped: usize = match self.get("Marker") {
            None => 0,
            Some(marker) => BASE64_STANDARD
                .decode(marker)
                .ok()
                .and_then(|bytes| String::from_utf8(bytes).ok()?.parse().ok())
                .ok_or_else(|| invalid("Invalid Marker."))?,
        };
        let left = items.len().saturating_sub(skipped);
        let next = (left > most).then(|| BASE64_STANDARD.encode((skipped + most).to_string()));
        Ok((items.into_iter().skip(skipped).take(most).collect(), next))
    }
}

fn invalid(message: impl Into<String>) -> Failure {
    Failure::new(400, "ValidationError", message)
}

/// An element with text.
pub(crate) fn element(name: &str, text: &str) -> String {
    format!("<{name}>{}</{name}>", escape(text))
}

/// An element with text, or nothing.
pub(crate) fn optional_element(name: &str, text: Option<&str>) -> String {
    text.map(|text| element(name, text)).unwrap_or_default()
}

/// A list whose items are XML already.
pub(crate) fn members(name: &str, items: impl IntoIterator<Item = String>) -> String {
    let mut xml = format!("<{name}>");
    for item in items {
        let _ = write!(xml, "<member>{item}</member>");
    }
    let _ = write!(xml, "</{name}>");
    xml
}

/// What ends a paged list.
pub(crate) fn page_end(next: Option<&str>) -> String {
    format!("<IsTruncated>{}</IsTruncated>{}", next.is_some(), optional_element("Marker", next))
}

/// The answer of an operation; one without a result has none.
pub(crate) fn answer(request: &Request, namespace: &str, result: Option<&str>) -> Response {
    let operation = &request.operation;
    let result = result.map(|result| format!("<{operation}Result>{result}</{operation}Result>")).unwrap_or_default();
    let mut answer = Response::xml(
        200,
        &format!(
            "<{operation}Response xmlns=\"{namespace}\">{result}<ResponseMetadata><RequestId>{}</RequestId></ResponseMetadata></{operation}Response>",
            request.id
        ),
    );
    answer.headers = vec![("content-type".to_owned(), "text/xml".to_owned())];
    answer
}
