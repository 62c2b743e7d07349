//! Reads what a request says out of its protocol, by the shapes of its model. It judges nothing: what cannot be read as
//! its shape is handed on as text, which the check then refuses.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{Timestamp, civil, fmt::rfc2822};
use quick_xml::{
    NsReader,
    escape::resolve_predefined_entity,
    events::{BytesStart, Event},
    name::ResolveResult,
};
use serde_json::{Map, Value};

use super::{Fault, Model, Operation, Problem, Protocol, Shape, camel, twice};
use crate::{
    request::{Request, decode, decode_pairs},
    response::Failure,
    s3,
};

/// The body as a value; none if there is none.
///
/// # Errors
///
/// It is not of the protocol's form.
pub(super) fn body(
    model: &Model,
    operation: &Operation,
    request: &Request,
    faults: &mut Vec<Fault>,
) -> Result<Option<Value>, Failure> {
    match model.protocol {
        Protocol::Json | Protocol::RestJson => {
            if model.protocol == Protocol::RestJson && request.body.is_empty() {
                return Ok(operation.body.as_ref().map(|_| Value::Object(Map::new())));
            }
            match serde_json::from_slice(&request.body) {
                Ok(value @ Value::Object(_)) => Ok(Some(value)),
                Ok(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) | Err(_) => {
                    Err(Failure::new(400, "SerializationException", "the request body is not a JSON object"))
                }
            }
        }
        Protocol::Query => Ok(Some(form(model, operation, request, faults))),
        Protocol::RestXml => {
            let (Some(shape), Some(root)) = (&operation.body, &operation.document) else {
                return Ok(None);
            };
            // A body that its checksums do not vouch for is refused by the service, in its own order.
            let Ok(body) = s3::body::read(request) else {
                return Ok(Some(Value::Null));
            };
            if body.is_empty() {
                return Ok(None);
            }
            let malformed = Fault { at: root.clone(), problem: Problem::WrongType };
            match std::str::from_utf8(&body).ok().and_then(Element::parse) {
                Some(element) if element.name == *root && element.is_in_one_namespace() => {
                    Ok(Some(from_element(model, &model.shapes[shape], &element, faults)))
                }
                Some(_) | None => {
                    faults.push(malformed);
                    Ok(None)
                }
            }
        }
    }
}

/// A value from a header, the query, the path, a form or the text of an element.
pub(super) fn from_text(shape: &Shape, text: &str) -> Value {
    let read = match shape {
        // Rust's own parsers take a plus sign, and `inf`.
        Shape::Integer { .. } if is_number(text) => text.parse::<i64>().ok().map(Value::from),
        Shape::Double { .. } if is_number(text) => text.parse::<f64>().ok().map(Value::from),
        Shape::Boolean {} => text.parse::<bool>().ok().map(Value::from),
        Shape::Timestamp {} => is_time(text).then(|| Value::from(0)),
        Shape::Integer { .. }
        | Shape::Double { .. }
        | Shape::String { .. }
        | Shape::Blob { .. }
        | Shape::Structure { .. }
        | Shape::List { .. }
        | Shape::Map { .. } => None,
    };
    read.unwrap_or_else(|| Value::String(text.to_owned()))
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    digits.starts_with(|first: char| first.is_ascii_digit())
}

fn is_time(text: &str) -> bool {
    text.parse::<Timestamp>().is_ok()
        || text.parse::<civil::Date>().is_ok()
        || rfc2822::parse(text).is_ok()
        || (is_number(text) && text.parse::<f64>().is_ok())
}

/// What stands in a path for the labels of a template; nothing where the path is another.
pub(super) fn labels<'t>(template: &'t str, path: &str) -> BTreeMap<&'t str, String> {
    let (wanted, given) = (template.trim_matches('/').split('/'), path.trim_matches('/').split('/'));
    wanted
        .zip(given)
        .filter_map(|(wanted, given)| Some((wanted.strip_prefix('{')?.strip_suffix('}')?, decode(given))))
        .collect()
}

/// Whether a header belongs to the protocol or to every operation that has a body.
pub(super) fn is_common_header(name: &str) -> bool {
    const NAMES: [&str; 8] = [
        "x-amz-date",
        "x-amz-content-sha256",
        "x-amz-security-token",
        "x-amz-user-agent",
        "x-amz-target",
        "x-amz-trailer",
        "x-amz-decoded-content-length",
        "x-amz-sdk-checksum-algorithm",
    ];
    NAMES.contains(&name) || name.starts_with("x-amz-checksum-") || name.starts_with("x-amz-meta-")
}

fn form(model: &Model, operation: &Operation, request: &Request, faults: &mut Vec<Fault>) -> Value {
    let text = std::str::from_utf8(&request.body).unwrap_or_default();
    let mut pairs: BTreeMap<String, String> = BTreeMap::new();
    for (name, text) in decode_pairs(text) {
        if let Some(first) = pairs.get(&name) {
            faults.push(twice(&camel(&name), &[first.clone(), text.clone()]));
        }
        pairs.insert(name, text);
    }
    let mut used = BTreeSet::from(["Action".to_owned(), "Version".to_owned()]);
    let mut value = match &operation.body {
        Some(shape) => from_form(model, &model.shapes[shape], &pairs, "", &mut used),
        None => Value::Object(Map::new()),
    };
    if let Value::Object(members) = &mut value {
        for (name, text) in pairs.into_iter().filter(|(name, _)| !used.contains(name)) {
            members.insert(name, Value::String(text));
        }
    }
    value
}

fn from_form(
    model: &Model,
    shape: &Shape,
    pairs: &BTreeMap<String, String>,
    prefix: &str,
    used: &mut BTreeSet<String>,
) -> Value {
    let is_there = |key: &str| {
        pairs.contains_key(key) || {
            let inside = format!("{key}.");
            pairs.range(inside.clone()..).next().is_some_and(|(known, _)| known.starts_with(&inside))
        }
    };
    match shape {
        Shape::Structure { members } => {
            let mut read = Map::new();
            for (name, member) in members {
                let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                if is_there(&key) {
                    read.insert(name.clone(), from_form(model, &model.shapes[&member.shape], pairs, &key, used));
                }
            }
            Value::Object(read)
        }
        Shape::List { item, .. } => {
            // A list without items is sent as its bare name.
            if pairs.get(prefix).is_some_and(String::is_empty) {
                used.insert(prefix.to_owned());
            }
            let keys = (1..).map(|number| format!("{prefix}.member.{number}")).take_while(|key| is_there(key));
            let keys: Vec<String> = keys.collect();
            keys.iter().map(|key| from_form(model, &model.shapes[item], pairs, key, used)).collect()
        }
        Shape::Map { .. }
        | Shape::String { .. }
        | Shape::Integer { .. }
        | Shape::Double { .. }
        | Shape::Boolean {}
        | Shape::Timestamp {}
        | Shape::Blob { .. } => match pairs.get(prefix) {
            Some(text) => {
                used.insert(prefix.to_owned());
                from_text(shape, text)
            }
            // Something stands below a name that has nothing below it.
            None => Value::Array(Vec::new()),
        },
    }
}

fn from_element(model: &Model, shape: &Shape, element: &Element, faults: &mut Vec<Fault>) -> Value {
    match shape {
        Shape::Structure { members } => {
            let mut read = Map::new();
            for (name, text) in element
                .attributes
                .iter()
                .filter(|(name, _)| members.get(name.as_str()).is_some_and(|member| member.attribute))
            {
                read.insert(name.clone(), Value::String(text.clone()));
            }
            for child in &element.children {
                let Some(member) = members.get(&child.name) else {
                    read.insert(child.name.clone(), Value::String(child.text.clone()));
                    continue;
                };
                match &model.shapes[&member.shape] {
                    Shape::List { item, .. } if member.flattened => {
                        let value = from_element(model, &model.shapes[item], child, faults);
                        match read.entry(child.name.clone()).or_insert_with(|| Value::Array(Vec::new())) {
                            Value::Array(items) => items.push(value),
                            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {}
                        }
                    }
                    inner if !read.contains_key(&child.name) => {
                        read.insert(child.name.clone(), from_element(model, inner, child, faults));
                    }
                    _ => faults.push(Fault { at: child.name.clone(), problem: Problem::WrongType }),
                }
            }
            Value::Object(read)
        }
        Shape::List { item, item_name, .. } => {
            let expected = item_name.as_deref().unwrap_or("member");
            let mut items = Vec::new();
            for child in &element.children {
                if child.name == expected {
                    items.push(from_element(model, &model.shapes[item], child, faults));
                } else {
                    faults.push(Fault { at: child.name.clone(), problem: Problem::Unknown });
                }
            }
            Value::Array(items)
        }
        Shape::Map { .. } => Value::Null,
        scalar @ (Shape::String { .. }
        | Shape::Integer { .. }
        | Shape::Double { .. }
        | Shape::Boolean {}
        | Shape::Timestamp {}
        | Shape::Blob { .. }) => {
            if element.children.is_empty() {
                from_text(scalar, &element.text)
            } else {
                Value::Array(Vec::new())
            }
        }
    }
}

/// The namespace of all that S3 is sent, which may be left out.
const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

/// An XML element; names are without their prefixes.
#[derive(Debug, Default, PartialEq)]
struct Element {
    name: String,
    namespace: Option<String>,
    attributes: Vec<(String, String)>,
    text: String,
    children: Vec<Element>,
}

impl Element {
    /// The root element of a document; none if it is not well-formed.
    fn parse(text: &str) -> Option<Self> {
        let mut reader = NsReader::from_str(text);
        // The outermost holds the root.
        let mut open = vec![Self::default()];
        loop {
            let (namespace, event) = reader.read_resolved_event().ok()?;
            match event {
                // No document of S3's is nearly as deep, and what is deeper could not be dropped on the stack.
                Event::Start(_) if open.len() > 100 => return None,
                Event::Start(start) => open.push(Self::begin(&start, &namespace)?),
                Event::Empty(start) => open.last_mut()?.children.push(Self::begin(&start, &namespace)?),
                Event::End(_) => {
                    let element = open.pop()?;
                    open.last_mut()?.children.push(element);
                }
                Event::Text(text) => open.last_mut()?.text.push_str(&text.xml10_content()),
                Event::CData(text) => open.last_mut()?.text.push_str(&text.xml10_content()),
                Event::GeneralRef(reference) => {
                    let into = &mut open.last_mut()?.text;
                    match reference.resolve_char_ref().ok()? {
                        Some(character) => into.push(character),
                        None => into.push_str(resolve_predefined_entity(&reference)?),
                    }
                }
                Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
                Event::DocType(_) => return None,
                Event::Eof => break,
            }
        }
        let [document] = &mut open[..] else { return None };
        let mut roots = std::mem::take(&mut document.children);
        let root = roots.pop()?;
        (roots.is_empty() && document.text.trim().is_empty()).then_some(root)
    }

    fn is_in_one_namespace(&self) -> bool {
        fn all_in(element: &Element, namespace: Option<&str>) -> bool {
            element.namespace.as_deref() == namespace && element.children.iter().all(|child| all_in(child, namespace))
        }
        all_in(self, None) || all_in(self, Some(NAMESPACE))
    }

    fn begin(start: &BytesStart<'_>, namespace: &ResolveResult<'_>) -> Option<Self> {
        let namespace = match namespace {
            ResolveResult::Unbound => None,
            ResolveResult::Bound(namespace) => Some(namespace.into_inner().to_owned()),
            ResolveResult::Unknown(_) => return None,
        };
        let mut attributes = Vec::new();
        for attribute in start.attributes() {
            let attribute = attribute.ok()?;
            attributes.push((attribute.key.local_name().into_inner().to_owned(), attribute.value.into_owned()));
        }
        let name = start.local_name().into_inner().to_owned();
        Some(Self { name, namespace, attributes, text: String::new(), children: Vec::new() })
    }
}
