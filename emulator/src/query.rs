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

    /// A text that the model requires.
    pub(crate) fn required(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }

    /// A list of plain values, `NAME.member.1` and so on.
    pub(crate) fn list(&self, name: &str) -> Vec<&str> {
        (1..).map_while(|number| self.get(&format!("{name}.member.{number}"))).collect()
    }

    /// A list of tags, in their order.
    pub(crate) fn tags(&self, name: &str) -> Vec<(String, String)> {
        (1..)
            .map(|number| format!("{name}.member.{number}."))
            .map_while(|prefix| {
                let key = self.get(&format!("{prefix}Key"))?;
                Some((key.to_owned(), self.required(&format!("{prefix}Value")).to_owned()))
            })
            .collect()
    }

    /// The page of a list that Marker and MaxItems ask for, and the marker of the next one.
    pub(crate) fn page<T>(&self, items: Vec<T>) -> Result<(Vec<T>, Option<String>), Failure> {
        let most = self.get("MaxItems").and_then(|text| text.parse().ok()).unwrap_or(100);
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
    format!("<{name}>{}</{name}>", escaped(text))
}

/// A text inside an element. What XML 1.0 cannot hold is a character reference, as S3 writes the keys of objects: parsers
/// of XML 1.0 refuse that, too, and a list with `encoding-type=url` is the way out (Amazon S3 user guide, naming objects).
/// A carriage return is one because parsers make a line feed of it.
pub(crate) fn escaped(text: &str) -> String {
    with_references(&escape(text))
}

/// XML in which characters that it cannot hold are character references.
pub(crate) fn with_references(xml: &str) -> String {
    let mut written = String::with_capacity(xml.len());
    for character in xml.chars() {
        if character != '\r' && is_in_xml(character) {
            written.push(character);
        } else {
            let _ = write!(written, "&#x{:x};", u32::from(character));
        }
    }
    written
}

/// Whether XML 1.0 can hold a character (its production 2).
pub(crate) fn is_in_xml(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
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
