//! What Firehose tells of a document that the domain did not take, and the record in it.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use jiff::Timestamp;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

/// With or without its padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A document that the domain did not take (Firehose guide, data delivery failure handling). The guide shows its fields in
/// quotes and tells no types, so numbers may come as texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedDocument {
    /// The id that Firehose meant it to have; `None` where the domain was to give one.
    pub id: Option<String>,
    /// The rotated index; `None` where it is not told.
    pub index: Option<String>,
    /// When the record came to Firehose.
    pub arrived: Option<Timestamp>,
    /// The HTTP status that the domain answered with.
    pub error_code: Option<String>,
    /// What it answered.
    pub error_message: Option<String>,
    /// The record as it was sent.
    pub record: Vec<u8>,
}

impl FailedDocument {
    /// Reads one. Fields that are not known are passed over.
    ///
    /// # Errors
    /// Says what is missing or wrong.
    pub fn read(text: &[u8]) -> Result<Self, String> {
        let mut fields: Map<String, Value> =
            serde_json::from_slice(text).map_err(|error| format!("not a failed document: {error}"))?;
        let record = match fields.remove("rawData") {
            Some(Value::String(data)) => {
                BASE64.decode(data.trim()).map_err(|error| format!("its rawData is not base64: {error}"))?
            }
            Some(_) => return Err("its rawData is no text".to_owned()),
            None => return Err("not a failed document: it has no rawData".to_owned()),
        };
        // The second spelling is that of serverless collections.
        let mut one_of = |names: &[&str]| names.iter().find_map(|name| fields.remove(*name).and_then(text_of));
        Ok(Self {
            id: one_of(&["esDocumentId", "osDocumentId"]),
            index: one_of(&["esIndexName", "osIndexName"]),
            arrived: one_of(&["arrivalTimestamp"]).and_then(|text| moment(&text)),
            error_code: one_of(&["errorCode"]),
            error_message: one_of(&["errorMessage"]),
            record,
        })
    }
}

/// A text, or a number as one; what is empty is not told.
fn text_of(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text).filter(|text| !text.trim().is_empty()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Milliseconds since 1970, as in the guide's other examples, or a time in words.
fn moment(text: &str) -> Option<Timestamp> {
    match text.trim().parse::<i64>() {
        Ok(milliseconds) => Timestamp::from_millisecond(milliseconds).ok(),
        Err(_) => text.trim().parse().ok(),
    }
}

/// Returns a record as one line of a bulk request: a JSON object.
///
/// # Errors
/// Says why it is none: no domain will ever take it.
pub fn record_line(record: &[u8]) -> Result<String, String> {
    let text = std::str::from_utf8(record).map_err(|_| "the record is not UTF-8".to_owned())?.trim();
    if text.is_empty() {
        return Err("the record is empty".to_owned());
    }
    if let Err(error) = serde_json::from_str::<IgnoredAny>(text) {
        let error = error.to_string();
        let why = error.split_once(" at line ").map_or(error.as_str(), |(why, _)| why);
        return Err(format!("the record is not one JSON value: {why}"));
    }
    if !text.starts_with('{') {
        return Err("the record is no JSON object".to_owned());
    }
    // A line break stands between tokens only: within a string it would not be JSON.
    Ok(text.replace(['\n', '\r'], " "))
}

/// Returns the id of a document that has none of its own. It follows from where the document lies, so that bringing it back
/// twice makes one document.
#[must_use]
pub fn derived_id(key: &str, offset: u64) -> String {
    let hash = Sha256::new().chain_update(key).chain_update([0]).chain_update(offset.to_string()).finalize();
    let digits: String = hash.iter().take(20).map(|byte| format!("{byte:02x}")).collect();
    format!("ekk-{digits}")
}

#[cfg(test)]
mod tests {
    use base64::prelude::BASE64_STANDARD;
    use serde_json::json;

    use super::*;

    fn read(document: &Value) -> Result<FailedDocument, String> {
        FailedDocument::read(document.to_string().as_bytes())
    }

    fn wanted() -> FailedDocument {
        FailedDocument {
            id: Some("49".to_owned()),
            index: Some("logs-2026-w48".to_owned()),
            arrived: Some("2026-11-23T12:00:00.5Z".parse().expect("a time")),
            error_code: Some("400".to_owned()),
            error_message: Some("mapper_parsing_exception".to_owned()),
            record: b"{\"a\":1}\n".to_vec(),
        }
    }

    #[test]
    fn fields_are_read_in_both_spellings_as_texts_and_as_numbers() {
        let raw = BASE64_STANDARD.encode(b"{\"a\":1}\n");
        let as_texts = json!({
            "attemptsMade": "8", "arrivalTimestamp": "1795435200500", "errorCode": "400",
            "errorMessage": "mapper_parsing_exception", "attemptEndingTimestamp": "1795435300500",
            "rawData": raw, "esDocumentId": "49", "esIndexName": "logs-2026-w48", "esTypeName": "",
        });
        assert_eq!(read(&as_texts), Ok(wanted()));
        let as_numbers = json!({
            "arrivalTimestamp": 1_795_435_200_500_u64, "errorCode": 400, "subsequenceNumber": 0, "dataId": {"x": []},
            "errorMessage": "mapper_parsing_exception", "rawData": raw.trim_end_matches('='),
            "osDocumentId": 49, "osIndexName": "logs-2026-w48",
        });
        assert_eq!(read(&as_numbers), Ok(wanted()));
        let in_words = json!({
            "arrivalTimestamp": "2026-11-23T12:00:00.500Z", "errorCode": "400", "esDocumentId": "49",
            "osDocumentId": "50", "errorMessage": "mapper_parsing_exception", "rawData": raw,
            "esIndexName": "logs-2026-w48",
        });
        assert_eq!(read(&in_words), Ok(wanted()));
    }

    #[test]
    fn what_is_not_told_is_none() {
        let found = read(&json!({"rawData": "e30=", "esDocumentId": "", "esIndexName": null, "arrivalTimestamp": "x"}));
        let nothing = FailedDocument {
            id: None,
            index: None,
            arrived: None,
            error_code: None,
            error_message: None,
            record: b"{}".to_vec(),
        };
        assert_eq!(found, Ok(nothing));
    }

    #[test]
    fn without_a_record_it_is_no_failed_document() {
        let why = |document: Value| read(&document).expect_err("no record");
        assert_eq!(why(json!({"message": "hi"})), "not a failed document: it has no rawData");
        assert_eq!(why(json!({"rawData": 1})), "its rawData is no text");
        assert_eq!(why(json!({"rawData": "*"})), "its rawData is not base64: Invalid symbol 42, offset 0.");
    }

    #[test]
    fn a_record_is_one_object_in_one_line() {
        assert_eq!(record_line(b"{\"a\":1}\n"), Ok("{\"a\":1}".to_owned()));
        assert_eq!(record_line(b"{\r\n \"a\": 1.10\n}\n"), Ok("{   \"a\": 1.10 }".to_owned()));
        let why = |record: &[u8]| record_line(record).expect_err("no object");
        assert_eq!(why(b"oops"), "the record is not one JSON value: expected value");
        assert_eq!(why(b"{\"a\":1}{\"a\":2}"), "the record is not one JSON value: trailing characters");
        assert_eq!(why(b"[1]"), "the record is no JSON object");
        assert_eq!(why(b"\xff"), "the record is not UTF-8");
        assert_eq!(why(b" \n"), "the record is empty");
    }

    #[test]
    fn a_derived_id_follows_from_the_place_alone() {
        assert_eq!(derived_id("a/b.gz", 7), derived_id("a/b.gz", 7));
        assert_eq!(derived_id("a/b.gz", 7).len(), 44);
        assert_ne!(derived_id("a/b.gz", 7), derived_id("a/b.gz", 8));
        assert_ne!(derived_id("a1", 1), derived_id("a", 11));
    }
}
