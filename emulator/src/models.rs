//! Refuses what AWS's own service models refuse, before any service sees it: members that are unknown, missing, of the
//! wrong type, or outside of their enums, patterns, lengths and ranges. It knows nothing of what exists.
//!
//! `models/table.json` is made from botocore's models by `tests/real/generate_models.py`, for the operations that the
//! emulator has. Where the models lag behind AWS, or a pattern cannot be said in Rust, `models/exceptions.json` says
//! why and what counts instead.
//!
//! AWS ignores a member that it does not know; here it is refused, for it is a mistake.

mod wire;

use std::{
    collections::BTreeMap,
    sync::{LazyLock, OnceLock},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use regex_lite::Regex;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    request::{Request, Service, as_text},
    response::{Failure, Response},
};

static MODELS: LazyLock<Models> =
    LazyLock::new(|| serde_json::from_str(include_str!("models/table.json")).expect("the table is made by a script"));

#[derive(Debug, Deserialize)]
struct Models {
    /// General categories of characters as the insides of character classes: the engine has none.
    categories: BTreeMap<String, String>,
    services: BTreeMap<String, Model>,
}

/// What a service's requests are made of.
#[derive(Debug, Deserialize)]
struct Model {
    protocol: Protocol,
    operations: BTreeMap<String, Operation>,
    shapes: BTreeMap<String, Shape>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Protocol {
    Json,
    Query,
    RestJson,
    RestXml,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Operation {
    /// Members in the path, the query and the headers.
    outside: Vec<Outside>,
    /// The path, where it has labels.
    uri: Option<String>,
    /// The parameters that belong to the operation's address.
    query: Vec<String>,
    /// The root element of an XML body.
    document: Option<String>,
    /// The shape of the body.
    body: Option<String>,
    /// The body is bytes or text that no model describes.
    opaque: bool,
    /// There must be a body.
    required: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Outside {
    place: Place,
    /// As on the wire; a header's in lower case.
    name: String,
    shape: String,
    #[serde(default)]
    required: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Place {
    Label,
    Query,
    Header,
    /// All headers that begin with the name.
    Headers,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
enum Shape {
    Structure {
        /// By their names on the wire.
        members: BTreeMap<String, Member>,
    },
    List {
        item: String,
        /// The items' element in XML; `member` where none is named.
        item_name: Option<String>,
        min: Option<f64>,
        max: Option<f64>,
    },
    Map {
        key: String,
        value: String,
        min: Option<f64>,
        max: Option<f64>,
    },
    String {
        #[serde(default)]
        one_of: Vec<String>,
        pattern: Option<Pattern>,
        min: Option<f64>,
        max: Option<f64>,
        /// It appears in no message.
        #[serde(default)]
        sensitive: bool,
    },
    #[serde(alias = "long")]
    Integer {
        min: Option<f64>,
        max: Option<f64>,
    },
    #[serde(alias = "float")]
    Double {
        min: Option<f64>,
        max: Option<f64>,
    },
    Boolean {},
    Timestamp {},
    Blob {
        min: Option<f64>,
        max: Option<f64>,
    },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Member {
    shape: String,
    #[serde(default)]
    required: bool,
    /// The list has no element of its own in XML.
    #[serde(default)]
    flattened: bool,
    /// It is an attribute in XML.
    #[serde(default)]
    attribute: bool,
}

/// A pattern, which holds for the whole value.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pattern {
    /// As the model has it.
    shown: String,
    fits: String,
    /// What a value must not begin with: the engine does not look ahead.
    begins_not: Option<String>,
    #[serde(skip)]
    compiled: OnceLock<(Regex, Option<Regex>)>,
}

impl Pattern {
    fn matches(&self, text: &str) -> bool {
        let (fits, begins_not) = self.compiled.get_or_init(|| {
            let compiled = |pattern: &str, end: &str| {
                let mut pattern = pattern.to_owned();
                for (name, characters) in &MODELS.categories {
                    pattern = pattern.replace(&format!("\\p{{{name}}}"), characters);
                }
                Regex::new(&format!("^(?:{pattern}){end}")).expect("a test compiles every pattern")
            };
            (compiled(&self.fits, "$"), self.begins_not.as_deref().map(|pattern| compiled(pattern, "")))
        });
        fits.is_match(text) && !begins_not.as_ref().is_some_and(|pattern| pattern.is_match(text))
    }
}

/// What is wrong with a member.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Problem {
    Unknown,
    WrongType,
    /// The value as AWS shows it, and the constraint that it breaks.
    Breaks(String, String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Fault {
    /// The member's path, as AWS writes it: `tags.1.member.key`.
    at: String,
    problem: Problem,
}

/// Where a member of a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Address,
    Headers,
    Body,
}

/// The service's own refusal of a request that breaks its model; none where it keeps to it, or has no operation.
pub(crate) fn refusal(request: &Request) -> Option<Response> {
    let (model, operation) = model_of(request)?;
    let faults = match model.faults(operation, request) {
        Ok(faults) => faults,
        Err(failure) => return Some(failure.answer(request)),
    };
    failure(request.service, &faults).map(|failure| failure.answer(request))
}

fn model_of(request: &Request) -> Option<(&'static Model, &'static Operation)> {
    let name = match request.service {
        Service::Iam => "iam",
        Service::Sts => "sts",
        Service::S3 => "s3",
        Service::Logs => "logs",
        Service::Tagging => "resourcegroupstaggingapi",
        Service::OpenSearch => "opensearch",
        Service::Firehose => "firehose",
        Service::Domain | Service::Browser | Service::Unknown => return None,
    };
    let model = MODELS.services.get(name)?;
    Some((model, model.operations.get(&request.operation)?))
}

/// Puts what is wrong into the service's words (API references, common errors; Amazon S3 API reference, error responses).
fn failure(service: Service, faults: &[(Part, Fault)]) -> Option<Failure> {
    let (first_part, first) = faults.first()?;
    if service == Service::S3 {
        return Some(match (first_part, &first.problem) {
            (Part::Body, _) => Failure::new(
                400,
                "MalformedXML",
                "The XML you provided was not well-formed or did not validate against our published schema",
            ),
            (Part::Address | Part::Headers, Problem::Unknown) => Failure::new(
                501,
                "NotImplemented",
                format!("A header or query you provided implies functionality that is not implemented: {}", first.at),
            ),
            (Part::Address | Part::Headers, Problem::WrongType) => {
                Failure::new(400, "InvalidArgument", format!("Provided value of {} is of the wrong type", first.at))
            }
            (Part::Address | Part::Headers, Problem::Breaks(value, constraint)) => {
                Failure::new(400, "InvalidArgument", format!("{value} at '{}': {constraint}", first.at))
            }
        });
    }
    let is_query = matches!(service, Service::Iam | Service::Sts);
    let code = match service {
        Service::Iam | Service::Sts => "ValidationError",
        Service::Logs | Service::Tagging => "InvalidParameterException",
        Service::Firehose
        | Service::OpenSearch
        | Service::S3
        | Service::Domain
        | Service::Browser
        | Service::Unknown => "ValidationException",
    };
    if let Some((_, fault)) = faults.iter().find(|(_, fault)| fault.problem == Problem::WrongType) {
        let code = if is_query { "MalformedInput" } else { "SerializationException" };
        return Some(Failure::new(400, code, format!("the value of {} is of the wrong type", fault.at)));
    }
    if let Some((_, fault)) = faults.iter().find(|(_, fault)| fault.problem == Problem::Unknown) {
        return Some(Failure::new(400, code, format!("Unknown parameter in input: \"{}\"", fault.at)));
    }
    let broken: Vec<String> = faults
        .iter()
        .filter_map(|(_, fault)| match &fault.problem {
            Problem::Breaks(value, constraint) => {
                Some(format!("{value} at '{}' failed to satisfy constraint: {constraint}", fault.at))
            }
            Problem::Unknown | Problem::WrongType => None,
        })
        .collect();
    let errors = if broken.len() == 1 { "error" } else { "errors" };
    Some(Failure::new(400, code, format!("{} validation {errors} detected: {}", broken.len(), broken.join("; "))))
}

impl Model {
    /// Everything that is wrong with a request.
    ///
    /// # Errors
    ///
    /// The body cannot be read at all.
    fn faults(&self, operation: &Operation, request: &Request) -> Result<Vec<(Part, Fault)>, Failure> {
        let mut faults = Vec::new();
        if matches!(self.protocol, Protocol::RestJson | Protocol::RestXml) {
            for (part, fault) in self.outside(operation, request) {
                faults.push((part, fault));
            }
        }
        let mut in_body = Vec::new();
        match (&operation.body, wire::body(self, operation, request, &mut in_body)?) {
            (Some(shape), Some(value)) => self.check(shape, &value, "", &mut in_body),
            (Some(_), None) if operation.required => in_body.push(missing("body")),
            (_, None) => {}
            (None, Some(value)) => {
                for name in value.as_object().into_iter().flat_map(serde_json::Map::keys) {
                    in_body.push(Fault { at: name.clone(), problem: Problem::Unknown });
                }
            }
        }
        faults.extend(in_body.into_iter().map(|fault| (Part::Body, fault)));
        Ok(faults)
    }

    /// What is wrong in the path, the query and the headers.
    fn outside(&self, operation: &Operation, request: &Request) -> Vec<(Part, Fault)> {
        /// The SDKs name the operation once more, where S3 ignores it.
        const OPERATION_AGAIN: &str = "x-id";
        let mut found = Vec::new();
        let mut known = vec![OPERATION_AGAIN];
        known.extend(operation.query.iter().map(String::as_str));
        let labels = operation.uri.as_deref().map(|uri| wire::labels(uri, &request.path)).unwrap_or_default();
        for Outside { place, name, shape, required } in &operation.outside {
            let (part, texts) = match place {
                // Whose bucket and which key a path means is more than its labels say.
                Place::Label if request.service == Service::S3 => continue,
                Place::Headers => continue,
                Place::Label => (Part::Address, labels.get(name.as_str()).cloned().into_iter().collect()),
                Place::Query => {
                    known.push(name);
                    let texts = request.query.iter().filter(|(key, _)| key == name).map(|(_, text)| text.clone());
                    (Part::Address, texts.collect())
                }
                Place::Header => {
                    let texts = request.headers.get_all(name).iter().filter_map(as_text).map(str::to_owned);
                    (Part::Headers, texts.collect())
                }
            };
            let texts: Vec<String> = texts;
            let mut faults = Vec::new();
            match &self.shapes[shape] {
                Shape::List { item, .. } if !texts.is_empty() => {
                    let items = texts.iter().flat_map(|text| match place {
                        Place::Header => text.split(',').map(str::trim).collect(),
                        Place::Label | Place::Query | Place::Headers => vec![text.as_str()],
                    });
                    let items = items.map(|text| wire::from_text(&self.shapes[item], text)).collect();
                    self.check(shape, &Value::Array(items), &camel(name), &mut faults);
                }
                scalar => match &texts[..] {
                    [text] => self.check(shape, &wire::from_text(scalar, text), &camel(name), &mut faults),
                    [] if *required => faults.push(missing(&camel(name))),
                    [] => {}
                    // Which of them counts is not documented.
                    [_, ..] => faults.push(twice(&camel(name), &texts)),
                },
            }
            found.extend(faults.into_iter().map(|fault| (part, fault)));
        }
        // A signature may stand in the query.
        let is_known = |name: &str| known.contains(&name) || name.starts_with("X-Amz-");
        for (name, _) in request.query.iter().filter(|(name, _)| !is_known(name)) {
            found.push((Part::Address, Fault { at: name.clone(), problem: Problem::Unknown }));
        }
        let is_known = |header: &str| {
            wire::is_common_header(header)
                || operation.outside.iter().any(|outside| match outside.place {
                    Place::Header => outside.name == header,
                    Place::Headers => header.starts_with(&outside.name),
                    Place::Label | Place::Query => false,
                })
        };
        for name in request.headers.keys().map(http::HeaderName::as_str) {
            if name.starts_with("x-amz") && !is_known(name) {
                found.push((Part::Headers, Fault { at: name.to_owned(), problem: Problem::Unknown }));
            }
        }
        found
    }

    /// Checks a value and all that is in it. `null` is as good as not there.
    fn check(&self, name: &str, value: &Value, at: &str, faults: &mut Vec<Fault>) {
        let shape = &self.shapes[name];
        match (shape, value) {
            (Shape::Structure { members }, Value::Object(given)) => {
                for (key, inner) in given.iter().filter(|(_, inner)| !inner.is_null()) {
                    match members.get(key) {
                        Some(member) => self.check(&member.shape, inner, &inside(at, key), faults),
                        None => faults.push(Fault { at: inside(at, key), problem: Problem::Unknown }),
                    }
                }
                for (key, _) in
                    members.iter().filter(|(key, member)| member.required && given.get(*key).is_none_or(Value::is_null))
                {
                    faults.push(missing(&inside(at, key)));
                }
            }
            (Shape::List { item, item_name: _, min, max }, Value::Array(items)) => {
                check_length(items.len(), (*min, *max), || shown(value, false), at, faults);
                for (number, inner) in (1..).zip(items) {
                    self.check(item, inner, &format!("{at}.{number}.member"), faults);
                }
            }
            (Shape::Map { key, value: inner_shape, min, max }, Value::Object(entries)) => {
                check_length(entries.len(), (*min, *max), || shown(value, false), at, faults);
                for (name, inner) in entries {
                    self.check(key, &Value::String(name.clone()), &format!("{at}.{name}.key"), faults);
                    self.check(inner_shape, inner, &format!("{at}.{name}.member"), faults);
                }
            }
            (Shape::String { one_of, pattern, min, max, sensitive }, Value::String(text)) => {
                let said = || shown(value, *sensitive);
                check_length(text.chars().count(), (*min, *max), said, at, faults);
                if !one_of.is_empty() && !one_of.contains(text) {
                    faults.push(breaks(at, said(), format!("satisfy enum value set: [{}]", one_of.join(", "))));
                }
                if let Some(pattern) = pattern.as_ref().filter(|pattern| !pattern.matches(text)) {
                    faults.push(breaks(at, said(), format!("satisfy regular expression pattern: {}", pattern.shown)));
                }
            }
            (Shape::Integer { min, max } | Shape::Double { min, max }, Value::Number(number))
                if matches!(shape, Shape::Double { .. }) || number.is_i64() =>
            {
                let number = number.as_f64().unwrap_or_default();
                if let Some(least) = min.filter(|least| number < *least) {
                    let constraint = format!("have value greater than or equal to {least}");
                    faults.push(breaks(at, shown(value, false), constraint));
                }
                if let Some(most) = max.filter(|most| number > *most) {
                    let constraint = format!("have value less than or equal to {most}");
                    faults.push(breaks(at, shown(value, false), constraint));
                }
            }
            (Shape::Blob { min, max }, Value::String(text)) => match BASE64_STANDARD.decode(text) {
                Ok(bytes) => {
                    let said = || format!("Value '{} bytes'", bytes.len());
                    check_length(bytes.len(), (*min, *max), said, at, faults);
                }
                Err(_) => faults.push(Fault { at: at.to_owned(), problem: Problem::WrongType }),
            },
            (Shape::Boolean {}, Value::Bool(_)) | (Shape::Timestamp {}, Value::Number(_)) => {}
            (
                Shape::Structure { .. }
                | Shape::List { .. }
                | Shape::Map { .. }
                | Shape::String { .. }
                | Shape::Integer { .. }
                | Shape::Double { .. }
                | Shape::Blob { .. }
                | Shape::Boolean {}
                | Shape::Timestamp {},
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_),
            ) => faults.push(Fault { at: at.to_owned(), problem: Problem::WrongType }),
        }
    }
}

fn check_length(
    length: usize,
    (min, max): (Option<f64>, Option<f64>),
    said: impl Fn() -> String,
    at: &str,
    faults: &mut Vec<Fault>,
) {
    #[expect(clippy::as_conversions, reason = "no request is so long that a float cannot count it")]
    let length = length as f64;
    if let Some(least) = min.filter(|least| length < *least) {
        faults.push(breaks(at, said(), format!("have length greater than or equal to {least}")));
    }
    if let Some(most) = max.filter(|most| length > *most) {
        faults.push(breaks(at, said(), format!("have length less than or equal to {most}")));
    }
}

fn breaks(at: &str, said: String, must: String) -> Fault {
    Fault { at: at.to_owned(), problem: Problem::Breaks(said, format!("Member must {must}")) }
}

/// A member that has one value and was given several.
fn twice(at: &str, texts: &[String]) -> Fault {
    breaks(at, format!("Values '{}'", texts.join("', '")), "stand there once".to_owned())
}

fn missing(at: &str) -> Fault {
    breaks(at, "Value null".to_owned(), "not be null".to_owned())
}

/// A value as AWS shows it in its messages; what is secret is left out.
fn shown(value: &Value, is_sensitive: bool) -> String {
    match value {
        _ if is_sensitive => "Value".to_owned(),
        Value::String(text) => format!("Value '{text}'"),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            format!("Value '{value}'")
        }
    }
}

fn inside(at: &str, name: &str) -> String {
    if at.is_empty() { camel(name) } else { format!("{at}.{}", camel(name)) }
}

/// A member's name as AWS writes it in messages: with a small first letter.
fn camel(name: &str) -> String {
    let mut name = name.to_owned();
    if let Some(first) = name.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    name
}

#[cfg(test)]
mod tests;
