//! The mapping of an index: which fields it has, what a new document adds to it, and which documents it refuses.
//! It must refuse exactly what the real engines refuse, since every refusal is a record in the failed folder.

use std::collections::BTreeMap;
use std::net::IpAddr;

use base64::Engine as _;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::date_format::{DateFormat, Rounding};
use super::failure::Failure;
use super::pattern::matches_pattern;

/// Where a document's fields may go beyond the mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dynamic {
    Adds,
    Ignores,
    Refuses,
}

/// What the settings of an index say about its documents.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) total_fields: usize,
    pub(crate) depth: usize,
    pub(crate) ignore_malformed: Option<bool>,
    pub(crate) index_ignore_malformed_wins: bool,
    pub(crate) ignore_malformed_covers_objects: bool,
}

/// The mapping of one index.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Mapping {
    /// `_meta`, `date_detection`, `dynamic_templates` and the like, as they were written.
    root: Map<String, Value>,
    properties: BTreeMap<String, Field>,
}

/// One field.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Field {
    /// `object` or `nested`.
    Object { parameters: Map<String, Value>, properties: BTreeMap<String, Field> },
    /// A field that holds values.
    Leaf(Leaf),
}

/// A field that holds values.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Leaf {
    pub(crate) kind: Kind,
    pub(crate) parameters: Map<String, Value>,
    pub(crate) fields: BTreeMap<String, Leaf>,
}

/// The field types that the emulator knows; all others are refused, as unknown ones are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    Alias,
    Binary,
    Boolean,
    Byte,
    Date,
    Double,
    Float,
    GeoPoint,
    HalfFloat,
    Integer,
    Ip,
    Keyword,
    Long,
    ScaledFloat,
    Short,
    Text,
}

impl Kind {
    fn read(name: &str) -> Option<Self> {
        serde_json::from_value(json!(name)).ok()
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Alias => "alias",
            Self::Binary => "binary",
            Self::Boolean => "boolean",
            Self::Byte => "byte",
            Self::Date => "date",
            Self::Double => "double",
            Self::Float => "float",
            Self::GeoPoint => "geo_point",
            Self::HalfFloat => "half_float",
            Self::Integer => "integer",
            Self::Ip => "ip",
            Self::Keyword => "keyword",
            Self::Long => "long",
            Self::ScaledFloat => "scaled_float",
            Self::Short => "short",
            Self::Text => "text",
        }
    }

    fn whole_range(self) -> Option<(f64, f64)> {
        match self {
            Self::Byte => Some((-128.0, 127.0)),
            Self::Short => Some((-32_768.0, 32_767.0)),
            Self::Integer => Some((f64::from(i32::MIN), f64::from(i32::MAX))),
            Self::Long => Some((-9_223_372_036_854_775_808.0, 9_223_372_036_854_775_807.0)),
            Self::Alias
            | Self::Binary
            | Self::Boolean
            | Self::Date
            | Self::Double
            | Self::Float
            | Self::GeoPoint
            | Self::HalfFloat
            | Self::Ip
            | Self::Keyword
            | Self::ScaledFloat
            | Self::Text => None,
        }
    }

    pub(crate) fn is_number(self) -> bool {
        matches!(self, Self::Double | Self::Float | Self::HalfFloat | Self::ScaledFloat) || self.whole_range().is_some()
    }

    fn parameters(self) -> &'static [&'static str] {
        match self {
            Self::Alias => &["path"],
            Self::Binary => &["doc_values", "store", "meta"],
            Self::Boolean => &["boost", "copy_to", "doc_values", "index", "meta", "null_value", "store"],
            Self::Date => &[
                "boost",
                "copy_to",
                "doc_values",
                "format",
                "ignore_malformed",
                "index",
                "locale",
                "meta",
                "null_value",
                "store",
            ],
            Self::GeoPoint => {
                &["copy_to", "doc_values", "ignore_malformed", "ignore_z_value", "index", "meta", "store"]
            }
            Self::Ip => &["boost", "copy_to", "doc_values", "ignore_malformed", "index", "meta", "null_value", "store"],
            Self::Keyword => &[
                "boost",
                "copy_to",
                "doc_values",
                "eager_global_ordinals",
                "ignore_above",
                "index",
                "index_options",
                "meta",
                "norms",
                "null_value",
                "split_queries_on_whitespace",
                "store",
            ],
            Self::ScaledFloat => &[
                "boost",
                "coerce",
                "copy_to",
                "doc_values",
                "ignore_malformed",
                "index",
                "meta",
                "null_value",
                "scaling_factor",
                "store",
            ],
            Self::Text => &[
                "boost",
                "copy_to",
                "eager_global_ordinals",
                "fielddata",
                "index",
                "index_options",
                "index_phrases",
                "meta",
                "norms",
                "position_increment_gap",
                "store",
                "term_vector",
            ],
            Self::Byte | Self::Double | Self::Float | Self::HalfFloat | Self::Integer | Self::Long | Self::Short => &[
                "boost",
                "coerce",
                "copy_to",
                "doc_values",
                "ignore_malformed",
                "index",
                "meta",
                "null_value",
                "store",
            ],
        }
    }
}

const ROOT_PARAMETERS: [&str; 9] = [
    "_meta",
    "_routing",
    "_source",
    "date_detection",
    "dynamic",
    "dynamic_date_formats",
    "dynamic_templates",
    "numeric_detection",
    "properties",
];

/// Fields that an index keeps about a document; a document cannot hold them itself.
const METADATA_FIELDS: [&str; 9] =
    ["_feature", "_field_names", "_id", "_ignored", "_index", "_routing", "_seq_no", "_source", "_version"];

const DYNAMIC_MATCHES: [&str; 7] = ["object", "string", "long", "double", "boolean", "date", "binary"];

impl Mapping {
    /// Reads what a request says, refusing what the engines do not know.
    pub(crate) fn read(written: &Value) -> Result<Self, Failure> {
        let Some(written) = written.as_object() else {
            return Err(Failure::mapper_parsing(
                "Expected map for property [mappings] but got a class java.lang.String",
            ));
        };
        let unknown: Vec<_> = written
            .iter()
            .filter(|(key, _)| !ROOT_PARAMETERS.contains(&key.as_str()))
            .map(|(key, value)| format!("[{key} : {}]", preview(value)))
            .collect();
        if !unknown.is_empty() {
            return Err(Failure::mapper_parsing(format!(
                "Root mapping definition has unsupported parameters:  {}",
                unknown.join(" ")
            )));
        }
        if let Some(dynamic) = written.get("dynamic") {
            read_dynamic(dynamic)?;
        }
        for key in ["date_detection", "numeric_detection"] {
            if let Some(value) = written.get(key) {
                read_flag(key, value)?;
            }
        }
        if let Some(templates) = written.get("dynamic_templates") {
            check_dynamic_templates(templates)?;
        }
        if let Some(formats) = written.get("dynamic_date_formats") {
            for format in formats.as_array().into_iter().flatten() {
                DateFormat::read(format.as_str().unwrap_or_default()).map_err(Failure::illegal_argument)?;
            }
        }
        let mut root = written.clone();
        write_dynamic(&mut root);
        let properties = root.remove("properties").map_or(Ok(BTreeMap::new()), |value| read_properties(&value))?;
        Ok(Self { root, properties })
    }

    /// The mapping as `GET _mapping` gives it.
    pub(crate) fn written(&self) -> Value {
        let mut written = self.root.clone();
        if !self.properties.is_empty() {
            written.insert("properties".to_owned(), write_properties(&self.properties));
        }
        Value::Object(written)
    }

    /// Lays a newer mapping over this one. A field keeps its type for ever.
    pub(crate) fn merge(&mut self, newer: Self) -> Result<(), Failure> {
        let Self { root, properties } = newer;
        merge_properties(&mut self.properties, properties, "")?;
        self.root.extend(root);
        Ok(())
    }

    /// Refuses a mapping with more fields or more depth than the index allows.
    pub(crate) fn check_limits(&self, limits: Limits) -> Result<(), Failure> {
        if count(&self.properties) > limits.total_fields {
            return Err(Failure::illegal_argument(format!(
                "Limit of total fields [{}] has been exceeded",
                limits.total_fields
            )));
        }
        check_depth(&self.properties, 1, "", limits.depth)
    }

    /// The leaf at a path, following aliases and multi-fields, and the path at which its values stand in a document.
    pub(crate) fn leaf(&self, path: &str) -> Option<(&Leaf, String)> {
        let mut properties = &self.properties;
        let mut walked = Vec::new();
        let mut parts = path.split('.');
        while let Some(part) = parts.next() {
            walked.push(part);
            match properties.get(part)? {
                Field::Object { parameters: _, properties: inner } => properties = inner,
                Field::Leaf(leaf) if leaf.kind == Kind::Alias => {
                    return self.leaf(leaf.parameters.get("path")?.as_str()?);
                }
                Field::Leaf(leaf) => {
                    let leaf = match parts.next() {
                        Some(name) => leaf.fields.get(name)?,
                        None => leaf,
                    };
                    return parts.next().is_none().then(|| (leaf, walked.join(".")));
                }
            }
        }
        None
    }

    /// Whether a path is a field or an object that holds some.
    pub(crate) fn has(&self, path: &str) -> bool {
        let mut properties = &self.properties;
        for part in path.split('.') {
            match properties.get(part) {
                Some(Field::Object { parameters: _, properties: inner }) => properties = inner,
                Some(Field::Leaf(_)) => return true,
                None => return false,
            }
        }
        true
    }

    /// Every path with a leaf, for queries that name no field.
    pub(crate) fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        collect_paths(&self.properties, "", &mut paths);
        paths
    }

    /// Adds what a document brings, or says why the document is refused. A refused document changes nothing.
    pub(crate) fn accept(&mut self, id: &str, document: &Map<String, Value>, limits: Limits) -> Result<(), Failure> {
        let mut next = self.clone();
        let mut reader = Reader { root: &self.root, id, limits, added: false };
        let dynamic = match self.root.get("dynamic") {
            Some(written) => read_dynamic(written)?,
            None => Dynamic::Adds,
        };
        if let Some(key) = document.keys().find(|key| METADATA_FIELDS.contains(&key.as_str())) {
            let reason = format!(
                "failed to parse field [{key}] of type [{key}] in document with id '{id}'. Preview of field's value: '{}'",
                preview(&document[key])
            );
            return Err(Failure::mapper_parsing(reason).caused_by(Failure::mapper_parsing(format!(
                "Field [{key}] is a metadata field and cannot be added inside a document. Use the index API request \
                 parameters."
            ))));
        }
        reader.object(Some(&self.properties), &mut next.properties, document, "", dynamic)?;
        if reader.added {
            next.check_limits(limits)?;
            *self = next;
        }
        Ok(())
    }
}

struct Reader<'a> {
    root: &'a Map<String, Value>,
    id: &'a str,
    limits: Limits,
    added: bool,
}

impl Reader<'_> {
    /// Reads an object. `known` is what the index had before this document, `properties` has this document's fields, too.
    fn object(
        &mut self,
        known: Option<&BTreeMap<String, Field>>,
        properties: &mut BTreeMap<String, Field>,
        object: &Map<String, Value>,
        path: &str,
        dynamic: Dynamic,
    ) -> Result<(), Failure> {
        for (key, value) in object {
            if key.is_empty() {
                return Err(Failure::mapper_parsing("failed to parse")
                    .caused_by(Failure::illegal_argument("field name cannot be an empty string")));
            }
            // As Java splits: dots at the end are nothing.
            let trimmed = key.trim_end_matches('.');
            let (name, rest) = match trimmed.split_once('.') {
                None if !trimmed.is_empty() => (trimmed, None),
                Some((name, rest)) if trimmed.split('.').all(|part| !part.trim().is_empty()) => (name, Some(rest)),
                Some(_) | None => {
                    return Err(Failure::mapper_parsing("failed to parse").caused_by(Failure::illegal_argument(
                        format!(
                            "object field starting or ending with a [.] makes object resolution ambiguous: [{key}]"
                        ),
                    )));
                }
            };
            // `a.b: 1` is the same as `a: {b: 1}` to the engines.
            let nested;
            let value = match rest {
                Some(rest) => {
                    nested = json!({rest: value});
                    &nested
                }
                None => value,
            };
            self.field(known, properties, name, value, &join(path, name), dynamic)?;
        }
        Ok(())
    }

    fn field(
        &mut self,
        known: Option<&BTreeMap<String, Field>>,
        properties: &mut BTreeMap<String, Field>,
        name: &str,
        value: &Value,
        path: &str,
        dynamic: Dynamic,
    ) -> Result<(), Failure> {
        if value.is_null() {
            return Ok(());
        }
        if let Value::Array(elements) = value {
            let is_point = matches!(properties.get(name), Some(Field::Leaf(leaf)) if leaf.kind == Kind::GeoPoint);
            if !is_point || !elements.iter().all(Value::is_number) {
                return elements
                    .iter()
                    .try_for_each(|element| self.field(known, properties, name, element, path, dynamic));
            }
        }
        let known = known.and_then(|known| known.get(name));
        if known.is_none() {
            match dynamic {
                Dynamic::Adds => {
                    // Each value of a field that is new makes a mapping of its own, and only then are they laid over
                    // each other: a first `[1, "two"]` costs its record, which a later one does not.
                    let parent = path.rsplit_once('.').map_or("", |(parent, _)| parent);
                    let field = self.invent(name, path, value)?;
                    if let Field::Leaf(leaf) = &field {
                        self.leaf(leaf, path, value)?;
                    }
                    let is_object = matches!(field, Field::Object { parameters: _, properties: _ });
                    merge_properties(properties, BTreeMap::from([(name.to_owned(), field)]), parent)?;
                    self.added = true;
                    if !is_object {
                        return Ok(());
                    }
                }
                Dynamic::Ignores => return Ok(()),
                Dynamic::Refuses => {
                    let parent = path.rsplit_once('.').map_or("_doc", |(parent, _)| parent);
                    return Err(Failure::new(
                        400,
                        "strict_dynamic_mapping_exception",
                        format!(
                            "mapping set to strict, dynamic introduction of [{name}] within [{parent}] is not allowed"
                        ),
                    ));
                }
            }
        }
        match properties.get_mut(name) {
            None => Ok(()),
            Some(Field::Object { parameters, properties: inner }) => {
                if parameters.get("enabled").and_then(flag) == Some(false) {
                    return Ok(());
                }
                let dynamic = match parameters.get("dynamic") {
                    Some(written) => read_dynamic(written)?,
                    None => dynamic,
                };
                let known = match known {
                    Some(Field::Object { parameters: _, properties }) => Some(properties),
                    Some(Field::Leaf(_)) | None => None,
                };
                match value {
                    Value::Object(object) => self.object(known, inner, object, path, dynamic),
                    Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                        Err(Failure::mapper_parsing(format!(
                            "object mapping for [{path}] tried to parse field [{name}] as object, but found a concrete value"
                        )))
                    }
                }
            }
            Some(Field::Leaf(leaf)) => self.leaf(leaf, path, value),
        }
    }

    fn leaf(&self, leaf: &Leaf, path: &str, value: &Value) -> Result<(), Failure> {
        self.value(leaf, path, value)?;
        leaf.fields.iter().try_for_each(|(sub, field)| self.value(field, &join(path, sub), value))
    }

    fn value(&self, leaf: &Leaf, path: &str, value: &Value) -> Result<(), Failure> {
        let Err(refusal) = leaf.read(value) else {
            return Ok(());
        };
        let own = leaf.parameters.get("ignore_malformed").and_then(flag);
        let of_index = self.limits.ignore_malformed;
        let lenient = match (own, of_index) {
            (_, Some(true)) if self.limits.index_ignore_malformed_wins => true,
            (Some(own), _) => own,
            (None, of_index) => of_index.unwrap_or(false),
        };
        let can_be_lenient = leaf.kind.parameters().contains(&"ignore_malformed");
        let is_covered = refusal.of_value == Malformed::Value
            || (self.limits.ignore_malformed_covers_objects && leaf.kind.is_number() && value.is_object());
        if lenient && can_be_lenient && is_covered {
            return Ok(());
        }
        if let Some(whole) = refusal.whole {
            return Err(*whole);
        }
        Err(Failure::mapper_parsing(format!(
            "failed to parse field [{path}] of type [{}] in document with id '{}'. Preview of field's value: '{}'",
            leaf.kind.name(),
            self.id,
            preview(value)
        ))
        .caused_by(*refusal.cause))
    }

    /// The field that dynamic mapping makes of a value.
    fn invent(&self, name: &str, path: &str, value: &Value) -> Result<Field, Failure> {
        let detected = match value {
            Value::Object(_) => "object",
            Value::Bool(_) => "boolean",
            Value::Number(number) if number.is_f64() => "double",
            Value::Number(_) => "long",
            Value::String(text) => self.detect(text),
            Value::Null | Value::Array(_) => return Ok(empty_object()),
        };
        if let Some(mapping) = self.dynamic_template(name, path, detected) {
            let mut written = substitute(mapping, name, default_type(detected));
            if let Some(written) = written.as_object_mut()
                && !written.contains_key("type")
                && !written.contains_key("properties")
            {
                written.insert("type".to_owned(), json!(default_type(detected)));
            }
            return read_field(path, &written);
        }
        let written = match detected {
            "object" => return Ok(empty_object()),
            "string" => {
                json!({"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 256}}})
            }
            "date" => match self.detected_format(value.as_str().unwrap_or_default()) {
                Some(format) if format != DYNAMIC_FORMATS[0] => {
                    json!({"type": "date", "format": format})
                }
                Some(_) | None => json!({"type": "date"}),
            },
            other => json!({"type": default_type(other)}),
        };
        read_field(path, &written)
    }

    fn detect(&self, text: &str) -> &'static str {
        let on = |key: &str, default: bool| self.root.get(key).and_then(flag).unwrap_or(default);
        let could_be_a_date = text.contains([':', '-', '/']);
        if on("date_detection", true) && could_be_a_date && self.detected_format(text).is_some() {
            return "date";
        }
        if on("numeric_detection", false) {
            if text.parse::<i64>().is_ok() {
                return "long";
            }
            if text.parse::<f64>().is_ok() {
                return "double";
            }
        }
        "string"
    }

    fn detected_format(&self, text: &str) -> Option<String> {
        let own = self.root.get("dynamic_date_formats").and_then(Value::as_array);
        let formats: Vec<&str> = match own {
            Some(formats) => formats.iter().filter_map(Value::as_str).collect(),
            None => DYNAMIC_FORMATS.to_vec(),
        };
        formats
            .into_iter()
            .find(|format| {
                DateFormat::read(format).is_ok_and(|format| format.milliseconds(text, Rounding::Down).is_some())
            })
            .map(str::to_owned)
    }

    fn dynamic_template(&self, name: &str, path: &str, detected: &str) -> Option<&Value> {
        let templates = self.root.get("dynamic_templates")?.as_array()?;
        templates.iter().filter_map(Value::as_object).flat_map(Map::values).find_map(|template| {
            let says = |key: &str| template.get(key).and_then(Value::as_str);
            let fits = says("match_mapping_type").is_none_or(|kind| kind == "*" || kind == detected)
                && says("match").is_none_or(|pattern| matches_pattern(pattern, name))
                && says("path_match").is_none_or(|pattern| matches_pattern(pattern, path))
                && !says("unmatch").is_some_and(|pattern| matches_pattern(pattern, name))
                && !says("path_unmatch").is_some_and(|pattern| matches_pattern(pattern, path));
            if fits { template.get("mapping") } else { None }
        })
    }
}

/// What dynamic date detection tries (Elasticsearch and OpenSearch reference, dynamic field mapping).
const DYNAMIC_FORMATS: [&str; 2] = ["strict_date_optional_time", "yyyy/MM/dd HH:mm:ss||yyyy/MM/dd||epoch_millis"];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Malformed {
    /// A value of the wrong form, which `ignore_malformed` lets pass.
    Value,
    /// An object where a value is expected, which nothing lets pass.
    Shape,
}

struct Refusal {
    of_value: Malformed,
    cause: Box<Failure>,
    whole: Option<Box<Failure>>,
}

impl Refusal {
    fn of_value(reason: String) -> Self {
        Self { of_value: Malformed::Value, cause: Box::new(Failure::illegal_argument(reason)), whole: None }
    }

    fn of_shape(kind: &'static str, reason: &str) -> Self {
        Self { of_value: Malformed::Shape, cause: Box::new(Failure::new(400, kind, reason)), whole: None }
    }
}

/// What a value is to a search.
#[derive(Clone, Debug, PartialEq, PartialOrd)]
pub(crate) enum Term {
    /// A number, a date in milliseconds, or a boolean as 0 and 1.
    Number(f64),
    /// A whole number that a double cannot hold.
    Whole(i64),
    /// A word, a keyword, an address.
    Word(String),
}

impl Leaf {
    /// The value as this field holds it; `None` where it is left out (null, an empty number).
    fn read(&self, value: &Value) -> Result<Option<Term>, Refusal> {
        if value.is_object() && self.kind != Kind::GeoPoint {
            return Err(match self.kind {
                Kind::Long | Kind::Integer | Kind::Short | Kind::Byte => Refusal::of_shape(
                    "input_coercion_exception",
                    "Current token (START_OBJECT) not numeric, can not use numeric value accessors",
                ),
                Kind::Double | Kind::Float | Kind::HalfFloat | Kind::ScaledFloat => Refusal::of_shape(
                    "parsing_exception",
                    "Current token (START_OBJECT) not numeric, can not use numeric value accessors",
                ),
                Kind::Alias
                | Kind::Binary
                | Kind::Boolean
                | Kind::Date
                | Kind::GeoPoint
                | Kind::Ip
                | Kind::Keyword
                | Kind::Text => Refusal::of_shape("illegal_state_exception", "Can't get text on a START_OBJECT at 1:1"),
            });
        }
        match self.kind {
            Kind::Text => Ok(Some(Term::Word(preview(value)))),
            Kind::Keyword => self.keyword(value),
            Kind::Boolean => boolean(value).map(Some),
            Kind::Date => self.date(value),
            Kind::Ip => address(value).map(Some),
            // What is neither stored nor kept in columns is never decoded.
            Kind::Binary
                if !["doc_values", "store"]
                    .iter()
                    .any(|key| self.parameters.get(*key).and_then(flag) == Some(true)) =>
            {
                Ok(None)
            }
            Kind::Binary => {
                let text = value.as_str().unwrap_or_default();
                match base64::engine::general_purpose::STANDARD.decode(text) {
                    Ok(_) => Ok(None),
                    Err(_) => Err(Refusal::of_value("Illegal base64 character".to_owned())),
                }
            }
            Kind::GeoPoint => point(value),
            Kind::Alias => Err(Refusal {
                of_value: Malformed::Shape,
                cause: Box::new(Failure::illegal_argument("alias")),
                whole: Some(Box::new(Failure::mapper_parsing("Cannot write to a field alias."))),
            }),
            Kind::Byte
            | Kind::Double
            | Kind::Float
            | Kind::HalfFloat
            | Kind::Integer
            | Kind::Long
            | Kind::ScaledFloat
            | Kind::Short => self.number(value),
        }
    }

    /// The values of this field in a document, for searching and sorting; malformed ones are not there.
    pub(crate) fn terms(&self, value: &Value) -> Option<Term> {
        self.read(value).ok().flatten()
    }

    /// The format of a date field.
    pub(crate) fn date_format(&self) -> DateFormat {
        let written = self.parameters.get("format").and_then(Value::as_str).unwrap_or(DateFormat::DEFAULT);
        // The format was read when the mapping was; the default stands in for a state file that was edited by hand.
        DateFormat::read(written).or_else(|_| DateFormat::read(DateFormat::DEFAULT)).expect("the default format is one")
    }

    fn keyword(&self, value: &Value) -> Result<Option<Term>, Refusal> {
        let text = preview(value);
        if let Some(most) = self.parameters.get("ignore_above").and_then(Value::as_u64)
            && text.chars().count() as u64 > most
        {
            return Ok(None);
        }
        // Lucene's longest term.
        if text.len() > 32_766 {
            let reason = "Document contains at least one immense term (whose UTF8 encoding is longer than the max \
                          length 32766), all of which were skipped.";
            return Err(Refusal {
                of_value: Malformed::Shape,
                cause: Box::new(Failure::illegal_argument(reason)),
                whole: Some(Box::new(Failure::illegal_argument(reason))),
            });
        }
        Ok(Some(Term::Word(text)))
    }

    fn date(&self, value: &Value) -> Result<Option<Term>, Refusal> {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Bool(_) | Value::Null | Value::Array(_) | Value::Object(_) => preview(value),
        };
        let format = self.date_format();
        match format.milliseconds(&text, Rounding::Down) {
            // Dates are far below 2^53 milliseconds.
            #[expect(clippy::cast_precision_loss, reason = "a double holds every millisecond of the years in use")]
            Some(milliseconds) => Ok(Some(Term::Number(milliseconds as f64))),
            None => {
                let mut refusal =
                    Refusal::of_value(format!("failed to parse date field [{text}] with format [{format}]"));
                refusal.cause = Box::new(refusal.cause.caused_by(Failure::new(
                    400,
                    "date_time_parse_exception",
                    "Failed to parse with all enclosed parsers",
                )));
                Err(refusal)
            }
        }
    }

    fn number(&self, value: &Value) -> Result<Option<Term>, Refusal> {
        let kind = self.kind;
        let coerce = self.parameters.get("coerce").and_then(flag).unwrap_or(true);
        let number = match value {
            Value::Number(number) => number.clone(),
            Value::String(text) if !coerce => {
                return Err(Refusal::of_value(format!("{} value passed as String: {text}", kind.name())));
            }
            Value::String(text) if text.is_empty() => return Ok(None),
            Value::String(text) => match serde_json::from_str::<serde_json::Number>(text.trim()) {
                Ok(number) => number,
                Err(_) => return Err(Refusal::of_value(format!("For input string: \"{text}\""))),
            },
            Value::Bool(_) | Value::Null | Value::Array(_) | Value::Object(_) => {
                return Err(Refusal::of_value(format!(
                    "Current token (VALUE_{}) not numeric, can not use numeric value accessors",
                    preview(value).to_uppercase()
                )));
            }
        };
        let Some((low, high)) = kind.whole_range() else {
            let value = number.as_f64().unwrap_or(f64::NAN);
            let finite = match kind {
                #[expect(clippy::cast_possible_truncation, reason = "the overflow is what is looked for")]
                Kind::Float => (value as f32).is_finite(),
                Kind::HalfFloat => value.abs() < 65_520.0,
                Kind::Alias
                | Kind::Binary
                | Kind::Boolean
                | Kind::Byte
                | Kind::Date
                | Kind::Double
                | Kind::GeoPoint
                | Kind::Integer
                | Kind::Ip
                | Kind::Keyword
                | Kind::Long
                | Kind::ScaledFloat
                | Kind::Short
                | Kind::Text => value.is_finite(),
            };
            if !finite {
                return Err(Refusal::of_value(format!(
                    "[{}] supports only finite values, but got [{value}]",
                    kind.name()
                )));
            }
            return Ok(Some(Term::Number(value)));
        };
        if kind == Kind::Long
            && let Some(whole) = number.as_i64()
        {
            return Ok(Some(Term::Whole(whole)));
        }
        let value = number.as_f64().unwrap_or(f64::NAN);
        if !coerce && value.fract() != 0.0 {
            return Err(Refusal::of_value(format!("Value [{number}] has a decimal part")));
        }
        if !(low..=high).contains(&value) || (kind == Kind::Long && value >= high) {
            return Err(Refusal::of_value(format!("Value [{number}] is out of range for a {}", kind.name())));
        }
        Ok(Some(Term::Number(value.trunc())))
    }
}

fn boolean(value: &Value) -> Result<Term, Refusal> {
    match value {
        Value::Bool(value) => Ok(Term::Number(f64::from(u8::from(*value)))),
        Value::String(text) if text == "true" => Ok(Term::Number(1.0)),
        Value::String(text) if text == "false" || text.is_empty() => Ok(Term::Number(0.0)),
        Value::Null | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
            Err(Refusal::of_value(format!(
                "Failed to parse value [{}] as only [true] or [false] are allowed.",
                preview(value)
            )))
        }
    }
}

fn address(value: &Value) -> Result<Term, Refusal> {
    let text = preview(value);
    text.parse::<IpAddr>()
        .map(|address| Term::Word(address.to_string()))
        .map_err(|_| Refusal::of_value(format!("'{text}' is not an IP string literal.")))
}

fn point(value: &Value) -> Result<Option<Term>, Refusal> {
    let pair = match value {
        Value::Object(object) => {
            object.get("lat").and_then(Value::as_f64).zip(object.get("lon").and_then(Value::as_f64))
        }
        Value::Array(numbers) => match numbers.as_slice() {
            [longitude, latitude] => latitude.as_f64().zip(longitude.as_f64()),
            _ => None,
        },
        Value::String(geohash) if is_geohash(geohash) => return Ok(None),
        Value::String(text) => text
            .split_once(',')
            .and_then(|(latitude, longitude)| latitude.trim().parse().ok().zip(longitude.trim().parse().ok())),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    };
    match pair {
        Some((latitude, longitude)) if latitude.abs() <= 90.0 && longitude.abs() <= 180.0 => Ok(None),
        Some(_) | None => {
            Err(Refusal::of_value("failed to parse geo_point: field must be either lat/lon or geohash".to_owned()))
        }
    }
}

/// Any text of these letters is a place: `true`, too.
fn is_geohash(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|letter| "0123456789bcdefghjkmnpqrstuvwxyz".contains(letter))
}

fn read_properties(written: &Value) -> Result<BTreeMap<String, Field>, Failure> {
    let Some(written) = written.as_object() else {
        return Err(Failure::mapper_parsing("Expected map for property [properties]"));
    };
    written
        .iter()
        .map(|(name, field)| {
            if name.trim().is_empty() {
                return Err(Failure::illegal_argument("name cannot be empty string"));
            }
            if name.contains('.') {
                return Err(Failure::mapper_parsing(format!(
                    "the local AWS does not read the dotted name [{name}] in a mapping, write nested properties"
                )));
            }
            Ok((name.clone(), read_field(name, field)?))
        })
        .collect()
}

fn read_field(name: &str, written: &Value) -> Result<Field, Failure> {
    let Some(written) = written.as_object() else {
        return Err(Failure::mapper_parsing(format!("Expected map for property [fields] on field [{name}]")));
    };
    let kind = match written.get("type") {
        Some(kind) => preview(kind),
        None if written.contains_key("properties")
            || written.contains_key("dynamic")
            || written.contains_key("enabled") =>
        {
            "object".to_owned()
        }
        None if written.is_empty() => "object".to_owned(),
        None => {
            return Err(Failure::mapper_parsing(format!("No type specified for field [{name}]")));
        }
    };
    if kind == "object" || kind == "nested" {
        for (key, value) in written {
            match key.as_str() {
                "type" => {}
                "dynamic" => {
                    read_dynamic(value)?;
                }
                "enabled" | "include_in_parent" | "include_in_root" => {
                    read_flag(key, value)?;
                }
                "properties" => {}
                other => return Err(unknown_parameter(other, name, &kind)),
            }
        }
        let mut parameters = written.clone();
        write_dynamic(&mut parameters);
        let properties =
            parameters.remove("properties").map_or(Ok(BTreeMap::new()), |value| read_properties(&value))?;
        if kind == "object" {
            parameters.remove("type");
        }
        return Ok(Field::Object { parameters, properties });
    }
    Ok(Field::Leaf(read_leaf(name, &kind, written)?))
}

fn read_leaf(name: &str, kind_name: &str, written: &Map<String, Value>) -> Result<Leaf, Failure> {
    let Some(kind) = Kind::read(kind_name) else {
        return Err(Failure::mapper_parsing(format!("No handler for type [{kind_name}] declared on field [{name}]")));
    };
    let mut parameters = Map::new();
    let mut fields = BTreeMap::new();
    for (key, value) in written {
        match key.as_str() {
            "type" => {}
            "fields" => {
                for (sub, field) in value.as_object().into_iter().flatten() {
                    let Some(field) = field.as_object() else {
                        return Err(Failure::mapper_parsing(format!(
                            "Expected map for property [fields] on field [{name}]"
                        )));
                    };
                    let kind = field
                        .get("type")
                        .map(preview)
                        .ok_or_else(|| Failure::mapper_parsing(format!("no type specified for property [{sub}]")))?;
                    fields.insert(sub.clone(), read_leaf(sub, &kind, field)?);
                }
            }
            key if kind.parameters().contains(&key) => {
                check_parameter(name, key, value)?;
                parameters.insert(key.to_owned(), value.clone());
            }
            other => return Err(unknown_parameter(other, name, kind_name)),
        }
    }
    if kind == Kind::Alias && !parameters.contains_key("path") {
        return Err(Failure::mapper_parsing(format!("The [path] property must be specified for field [{name}].")));
    }
    if kind == Kind::ScaledFloat && !parameters.contains_key("scaling_factor") {
        return Err(Failure::mapper_parsing("Field [scaling_factor] is required".to_owned()));
    }
    Ok(Leaf { kind, parameters, fields })
}

fn check_parameter(name: &str, key: &str, value: &Value) -> Result<(), Failure> {
    match key {
        "format" => {
            let written = value.as_str().unwrap_or_default();
            DateFormat::read(written)
                .map(|_| ())
                .map_err(|why| Failure::mapper_parsing(format!("Error parsing [format] on field [{name}]: {why}")))
        }
        "ignore_malformed"
        | "coerce"
        | "doc_values"
        | "index"
        | "store"
        | "norms"
        | "fielddata"
        | "eager_global_ordinals" => read_flag(key, value).map(|_| ()),
        "ignore_above" => match value.as_i64() {
            Some(0..) => Ok(()),
            Some(_) | None => Err(Failure::mapper_parsing(format!(
                "Failed to parse value [{}] for [ignore_above] on field [{name}]",
                preview(value)
            ))),
        },
        _ => Ok(()),
    }
}

fn unknown_parameter(key: &str, name: &str, kind: &str) -> Failure {
    Failure::mapper_parsing(format!("unknown parameter [{key}] on mapper [{name}] of type [{kind}]"))
}

fn check_dynamic_templates(written: &Value) -> Result<(), Failure> {
    let wrong = || Failure::mapper_parsing("A dynamic template must be defined with a name");
    for template in written.as_array().ok_or_else(wrong)? {
        let Some((name, body)) = template.as_object().filter(|one| one.len() == 1).and_then(|one| one.iter().next())
        else {
            return Err(wrong());
        };
        let Some(body) = body.as_object() else {
            return Err(wrong());
        };
        for (key, value) in body {
            match key.as_str() {
                "match" | "unmatch" | "path_match" | "path_unmatch" => {}
                "mapping" => {
                    // A wrong type would only be noticed with the first document; the engines warn, the emulator refuses.
                    let written = substitute(value, "field", "text");
                    if written.get("type").is_some() {
                        read_field(name, &written)?;
                    }
                }
                "match_mapping_type" => {
                    let kind = preview(value);
                    if kind != "*" && !DYNAMIC_MATCHES.contains(&kind.as_str()) {
                        return Err(Failure::mapper_parsing(
                            format!("No field type matched on [{kind}], possible values are {DYNAMIC_MATCHES:?}")
                                .replace('"', ""),
                        ));
                    }
                }
                "match_pattern" if value == "simple" => {}
                "match_pattern" => {
                    return Err(Failure::mapper_parsing(format!(
                        "the local AWS knows no match_pattern but [simple], and dynamic template [{name}] says [{}]",
                        preview(value)
                    )));
                }
                other => {
                    return Err(Failure::illegal_argument(format!("Illegal dynamic template parameter: [{other}]")));
                }
            }
        }
        if !body.contains_key("mapping") {
            return Err(Failure::mapper_parsing(format!("template [{name}] must have a [mapping]")));
        }
        if !["match", "path_match", "match_mapping_type"].iter().any(|key| body.contains_key(*key)) {
            return Err(Failure::mapper_parsing(
                "template must have match, path_match or match_mapping_type set".to_owned(),
            ));
        }
    }
    Ok(())
}

fn read_dynamic(written: &Value) -> Result<Dynamic, Failure> {
    match preview(written).as_str() {
        "true" => Ok(Dynamic::Adds),
        "false" => Ok(Dynamic::Ignores),
        "strict" => Ok(Dynamic::Refuses),
        other => Err(Failure::mapper_parsing(format!("No enum constant for dynamic [{other}]"))),
    }
}

/// The engines give `dynamic` back as text, whatever it was written as.
fn write_dynamic(parameters: &mut Map<String, Value>) {
    if let Some(dynamic) = parameters.get_mut("dynamic") {
        *dynamic = json!(preview(dynamic));
    }
}

fn read_flag(key: &str, value: &Value) -> Result<bool, Failure> {
    flag(value).ok_or_else(|| {
        Failure::mapper_parsing(format!(
            "Could not convert [{key}] to boolean: failed to parse value [{}] as only [true] or [false] are allowed",
            preview(value)
        ))
    })
}

pub(crate) fn flag(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(value) => Some(*value),
        Value::String(text) if text == "true" => Some(true),
        Value::String(text) if text == "false" => Some(false),
        Value::Null | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn merge_properties(
    into: &mut BTreeMap<String, Field>,
    newer: BTreeMap<String, Field>,
    path: &str,
) -> Result<(), Failure> {
    for (name, field) in newer {
        let path = join(path, &name);
        match (into.get_mut(&name), field) {
            (None, field) => {
                into.insert(name, field);
            }
            (
                Some(Field::Object { parameters, properties }),
                Field::Object { parameters: newer_parameters, properties: newer_properties },
            ) => {
                merge_properties(properties, newer_properties, &path)?;
                parameters.extend(newer_parameters);
            }
            (Some(Field::Leaf(old)), Field::Leaf(new)) => {
                if old.kind != new.kind {
                    return Err(Failure::illegal_argument(format!(
                        "mapper [{path}] cannot be changed from type [{}] to [{}]",
                        old.kind.name(),
                        new.kind.name()
                    )));
                }
                for key in ["format", "doc_values", "index", "store", "scaling_factor"] {
                    if old.parameters.get(key) != new.parameters.get(key) {
                        return Err(Failure::illegal_argument(format!(
                            "Mapper for [{path}] conflicts with existing mapper:\n\tCannot update parameter [{key}]"
                        )));
                    }
                }
                old.parameters = new.parameters;
                old.fields.extend(new.fields);
            }
            (Some(Field::Object { parameters: _, properties: _ }), Field::Leaf(_)) => {
                return Err(Failure::illegal_argument(format!(
                    "can't merge a non object mapping [{path}] with an object mapping"
                )));
            }
            (Some(Field::Leaf(_)), Field::Object { parameters: _, properties: _ }) => {
                return Err(Failure::illegal_argument(format!(
                    "can't merge a non object mapping [{path}] with an object mapping"
                )));
            }
        }
    }
    Ok(())
}

fn write_properties(properties: &BTreeMap<String, Field>) -> Value {
    properties.iter().map(|(name, field)| (name.clone(), write_field(field))).collect()
}

fn write_field(field: &Field) -> Value {
    match field {
        Field::Object { parameters, properties } => {
            let mut written = parameters.clone();
            if properties.is_empty() {
                written.entry("type").or_insert_with(|| json!("object"));
            } else {
                written.insert("properties".to_owned(), write_properties(properties));
            }
            Value::Object(written)
        }
        Field::Leaf(leaf) => write_leaf(leaf),
    }
}

fn write_leaf(leaf: &Leaf) -> Value {
    let mut written = leaf.parameters.clone();
    written.insert("type".to_owned(), json!(leaf.kind.name()));
    if !leaf.fields.is_empty() {
        let fields = leaf.fields.iter().map(|(name, field)| (name.clone(), write_leaf(field))).collect();
        written.insert("fields".to_owned(), fields);
    }
    Value::Object(written)
}

fn count(properties: &BTreeMap<String, Field>) -> usize {
    properties
        .values()
        .map(|field| match field {
            Field::Object { parameters: _, properties } => 1 + count(properties),
            Field::Leaf(leaf) => 1 + leaf.fields.len(),
        })
        .sum()
}

fn check_depth(properties: &BTreeMap<String, Field>, depth: usize, path: &str, most: usize) -> Result<(), Failure> {
    for (name, field) in properties {
        if let Field::Object { parameters: _, properties } = field {
            let path = join(path, name);
            if depth + 1 > most {
                return Err(Failure::illegal_argument(format!(
                    "Limit of mapping depth [{most}] has been exceeded due to object field [{path}]"
                )));
            }
            check_depth(properties, depth + 1, &path, most)?;
        }
    }
    Ok(())
}

fn collect_paths(properties: &BTreeMap<String, Field>, path: &str, paths: &mut Vec<String>) {
    for (name, field) in properties {
        let path = join(path, name);
        match field {
            Field::Object { parameters: _, properties } => collect_paths(properties, &path, paths),
            Field::Leaf(_) => paths.push(path),
        }
    }
}

fn empty_object() -> Field {
    Field::Object { parameters: Map::new(), properties: BTreeMap::new() }
}

fn default_type(detected: &str) -> &str {
    match detected {
        "string" => "text",
        "double" => "float",
        other => other,
    }
}

fn substitute(mapping: &Value, name: &str, dynamic_type: &str) -> Value {
    match mapping {
        Value::String(text) => json!(text.replace("{name}", name).replace("{dynamic_type}", dynamic_type)),
        Value::Object(object) => object
            .iter()
            .map(|(key, value)| (key.replace("{name}", name), substitute(value, name, dynamic_type)))
            .collect(),
        Value::Array(elements) => elements.iter().map(|value| substitute(value, name, dynamic_type)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => mapping.clone(),
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// A value as the engines print it in messages: text without quotes, objects in Java's form.
pub(crate) fn preview(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(object) => {
            let inner: Vec<_> = object.iter().map(|(key, value)| format!("{key}={}", preview(value))).collect();
            format!("{{{}}}", inner.join(", "))
        }
        Value::Array(elements) => {
            let inner: Vec<_> = elements.iter().map(preview).collect();
            format!("[{}]", inner.join(", "))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}
