//! Which documents a query finds, and in which order. There is no relevance: every hit scores 1.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::date_format::{DateFormat, Rounding, date_of_days, days_in_month, days_since_epoch};
use super::failure::Failure;
use super::mapping::{Kind, Leaf, Mapping, Term, preview};
use super::query_string;

/// A document as a query sees it.
#[derive(Clone, Copy)]
pub(crate) struct Candidate<'a> {
    pub(crate) id: &'a str,
    pub(crate) index: &'a str,
    pub(crate) source: &'a Value,
    pub(crate) mapping: &'a Mapping,
    pub(crate) sequence_number: u64,
    pub(crate) leniency: Leniency,
}

/// What a value is that its field cannot have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leniency {
    /// An error.
    Strict,
    /// Not found.
    Lenient,
}

/// A query, checked and ready to be asked of documents.
#[derive(Debug)]
pub(crate) enum Query {
    All,
    None,
    Any(Vec<Query>),
    Every(Vec<Query>),
    Not(Box<Query>),
    Terms {
        field: String,
        values: Vec<Value>,
    },
    Words {
        field: String,
        text: String,
        how: How,
    },
    Range {
        field: String,
        bounds: Map<String, Value>,
        case: Case,
    },
    Exists {
        field: String,
    },
    Ids(BTreeSet<String>),
    Wildcard {
        field: String,
        pattern: Vec<Mark>,
        case: Case,
    },
    /// A query to which a value that its field cannot have is no error.
    Lenient(Box<Query>),
    /// `should` with a number of clauses that must hold.
    AtLeast {
        least: usize,
        clauses: Vec<Query>,
    },
}

/// How the words of a text must be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    AnyWord,
    EveryWord,
    Phrase,
    /// A phrase whose last word is only begun.
    PhrasePrefix,
}

impl Query {
    /// Reads a query of the query DSL.
    pub(crate) fn read(written: &Value) -> Result<Self, Failure> {
        let Some(object) = written.as_object() else {
            return Err(Failure::parsing("[_na] query malformed, must start with start_object"));
        };
        let mut clauses = object.iter();
        let Some((name, body)) = clauses.next() else {
            return Err(Failure::illegal_argument("query malformed, empty clause found"));
        };
        if let Some((second, _)) = clauses.next() {
            return Err(Failure::parsing(format!(
                "[{name}] malformed query, expected [END_OBJECT] but found [{second}]"
            )));
        }
        match name.as_str() {
            "match_all" => Ok(Self::All),
            "match_none" => Ok(Self::None),
            "match" => {
                let (field, body) = one_field(name, body)?;
                let how = match parameter(body, "operator").map(|operator| preview(operator).to_lowercase()) {
                    Some(operator) if operator == "and" => How::EveryWord,
                    Some(_) | None => How::AnyWord,
                };
                only(name, body, &["query", "operator", "boost", "lenient", "fuzziness", "minimum_should_match"])?;
                for unsupported in ["fuzziness", "minimum_should_match"] {
                    if parameter(body, unsupported).is_some() {
                        return Err(not_supported(name, unsupported));
                    }
                }
                Ok(Self::Words { field, text: preview(needed(name, body, "query")?), how })
            }
            "match_phrase" | "match_phrase_prefix" => {
                let (field, body) = one_field(name, body)?;
                only(name, body, &["query", "boost"])?;
                let how = if name == "match_phrase" { How::Phrase } else { How::PhrasePrefix };
                Ok(Self::Words { field, text: preview(needed(name, body, "query")?), how })
            }
            "multi_match" => {
                only(name, body, &["query", "fields", "type", "operator", "lenient"])?;
                if body.get("type").is_some_and(|kind| kind != "best_fields" && kind != "phrase") {
                    return Err(not_supported(name, "type"));
                }
                let how =
                    if body.get("type").is_some_and(|kind| kind == "phrase") { How::Phrase } else { How::AnyWord };
                let text = preview(needed(name, body, "query")?);
                let fields = names(body.get("fields")).unwrap_or_else(|| vec!["*".to_owned()]);
                Ok(Self::Any(fields.into_iter().map(|field| Self::Words { field, text: text.clone(), how }).collect()))
            }
            "term" => {
                let (field, body) = one_field(name, body)?;
                only(name, body, &["value", "boost"])?;
                if field == "_id" {
                    return Ok(Self::Ids(BTreeSet::from([preview(needed(name, body, "value")?)])));
                }
                Ok(Self::Terms { field, values: vec![needed(name, body, "value")?.clone()] })
            }
            "terms" => {
                let mut fields = body.as_object().into_iter().flatten().filter(|(key, _)| *key != "boost");
                match (fields.next(), fields.next()) {
                    (Some((field, Value::Array(values))), None) => {
                        Ok(Self::Terms { field: field.clone(), values: values.clone() })
                    }
                    _ => Err(Failure::parsing("[terms] query requires one field name, followed by array of terms")),
                }
            }
            "range" => {
                let (field, body) = one_field(name, body)?;
                only(name, body, &["gte", "gt", "lte", "lt", "format", "time_zone", "boost", "from", "to"])?;
                for unsupported in ["time_zone", "from", "to"] {
                    if parameter(body, unsupported).is_some() {
                        return Err(not_supported(name, unsupported));
                    }
                }
                let bounds = body.as_object().cloned().unwrap_or_default();
                Ok(Self::Range { field, bounds, case: Case::OfTheQuery })
            }
            "exists" => {
                only(name, body, &["field", "boost"])?;
                Ok(Self::Exists { field: preview(needed(name, body, "field")?) })
            }
            "ids" => {
                only(name, body, &["values", "boost"])?;
                Ok(Self::Ids(names(body.get("values")).unwrap_or_default().into_iter().collect()))
            }
            "prefix" => {
                let (field, body) = one_field(name, body)?;
                only(name, body, &["value", "boost"])?;
                let value = preview(needed(name, body, "value")?);
                let pattern = value.chars().map(Mark::Is).chain([Mark::Any]).collect();
                Ok(Self::Wildcard { field, pattern, case: Case::OfTheQuery })
            }
            "wildcard" => {
                let (field, body) = one_field(name, body)?;
                only(name, body, &["value", "wildcard", "boost"])?;
                let pattern = parameter(body, "wildcard").map_or_else(|| needed(name, body, "value"), Ok)?;
                Ok(Self::Wildcard { field, pattern: Mark::read(&preview(pattern)), case: Case::OfTheQuery })
            }
            "constant_score" => {
                only(name, body, &["filter", "boost"])?;
                Self::read(needed(name, body, "filter")?)
            }
            "bool" => Self::read_bool(body),
            "query_string" | "simple_query_string" => Self::read_query_string(name, body),
            other => Err(Failure::parsing(format!("unknown query [{other}]"))),
        }
    }

    /// Reads `q=…` of a search by URI, or the text of a query_string. A search over all fields is lenient where it does not
    /// say otherwise.
    pub(crate) fn read_text(
        text: &str,
        fields: &[String],
        default: How,
        leniency: Option<Leniency>,
    ) -> Result<Self, Failure> {
        let query = query_string::read(text, fields, default)?;
        let of_the_fields = if fields == ["*"] { Leniency::Lenient } else { Leniency::Strict };
        Ok(match leniency.unwrap_or(of_the_fields) {
            Leniency::Lenient => Self::Lenient(Box::new(query)),
            Leniency::Strict => query,
        })
    }

    fn read_query_string(name: &str, body: &Value) -> Result<Self, Failure> {
        only(
            name,
            body,
            &["query", "fields", "default_field", "default_operator", "lenient", "analyze_wildcard", "boost"],
        )?;
        let text = preview(needed(name, body, "query")?);
        let fields = names(body.get("fields"))
            .or_else(|| names(body.get("default_field")))
            .unwrap_or_else(|| vec!["*".to_owned()]);
        let default = match body.get("default_operator").map(|operator| preview(operator).to_lowercase()) {
            Some(operator) if operator == "and" => How::EveryWord,
            Some(_) | None => How::AnyWord,
        };
        if name == "simple_query_string" {
            return simple(&text, &fields, default);
        }
        let leniency = body
            .get("lenient")
            .map(|lenient| if preview(lenient) == "true" { Leniency::Lenient } else { Leniency::Strict });
        Self::read_text(&text, &fields, default, leniency)
    }

    fn read_bool(body: &Value) -> Result<Self, Failure> {
        only("bool", body, &["must", "filter", "must_not", "should", "minimum_should_match", "boost"])?;
        let clauses = |key: &str| match body.get(key) {
            None => Ok(Vec::new()),
            Some(Value::Array(clauses)) => clauses.iter().map(Self::read).collect::<Result<Vec<_>, _>>(),
            Some(one) => Self::read(one).map(|query| vec![query]),
        };
        let mut every = clauses("must")?;
        every.append(&mut clauses("filter")?);
        let should = clauses("should")?;
        let least = match body.get("minimum_should_match") {
            None => usize::from(every.is_empty() && !should.is_empty()),
            Some(written) => preview(written).parse().map_err(|_| not_supported("bool", "minimum_should_match"))?,
        };
        every.extend(clauses("must_not")?.into_iter().map(|query| Self::Not(Box::new(query))));
        if least > 0 {
            every.push(Self::AtLeast { least, clauses: should });
        }
        Ok(Self::Every(every))
    }

    /// Whether a document is found.
    pub(crate) fn finds(&self, candidate: Candidate<'_>, now: Timestamp) -> Result<bool, Failure> {
        let all = |queries: &[Self]| -> Result<bool, Failure> {
            for query in queries {
                if !query.finds(candidate, now)? {
                    return Ok(false);
                }
            }
            Ok(true)
        };
        match self {
            Self::All => Ok(true),
            Self::None => Ok(false),
            Self::Every(queries) => all(queries),
            Self::Any(clauses) => at_least(1, clauses, candidate, now),
            Self::AtLeast { least, clauses } => at_least(*least, clauses, candidate, now),
            Self::Not(query) => Ok(!query.finds(candidate, now)?),
            Self::Ids(ids) => Ok(ids.contains(candidate.id)),
            Self::Exists { field } => Ok(exists(candidate, field)),
            Self::Terms { field, values } => each_field(candidate, field, |leaf, path| {
                let mut found = false;
                for value in values {
                    found = found || has_term(candidate, leaf, path, value)?;
                }
                Ok(found)
            }),
            Self::Words { field, text, how } => {
                each_field(candidate, field, |leaf, path| has_words(candidate, leaf, path, text, *how))
            }
            Self::Range { field, bounds, case } => {
                each_field(candidate, field, |leaf, path| in_range(candidate, leaf, path, bounds, *case, now))
            }
            Self::Wildcard { field, pattern, case } => {
                each_field(candidate, field, |leaf, path| has_pattern(candidate, leaf, path, pattern, *case))
            }
            Self::Lenient(query) => query.finds(Candidate { leniency: Leniency::Lenient, ..candidate }, now),
        }
    }
}

/// In which letters a text field is asked, whose words are all in small ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    /// In those of the query, as the query DSL does.
    OfTheQuery,
    /// In small ones, as a query string does.
    OfTheField,
}

impl Case {
    fn of(self, leaf: &Leaf, text: &str) -> String {
        if self == Self::OfTheField && leaf.kind == Kind::Text { text.to_lowercase() } else { text.to_owned() }
    }
}

/// A part of a pattern with wildcards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// `*`
    Any,
    /// `?`
    One,
    /// This character.
    Is(char),
}

impl Mark {
    /// Reads a pattern, in which a backslash takes a character for itself.
    pub(crate) fn read(pattern: &str) -> Vec<Self> {
        let mut marks = Vec::new();
        let mut characters = pattern.chars();
        while let Some(character) = characters.next() {
            marks.push(match character {
                '*' => Self::Any,
                '?' => Self::One,
                '\\' => Self::Is(characters.next().unwrap_or('\\')),
                other => Self::Is(other),
            });
        }
        marks
    }

    fn match_all(marks: &[Self], text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        // Where the last star stands, and how much it has taken: a star before it never needs to take more.
        let mut star: Option<(usize, usize)> = None;
        let (mut at, mut mark) = (0, 0);
        while at < text.len() {
            match marks.get(mark) {
                Some(Self::Any) => {
                    star = Some((mark, at));
                    mark += 1;
                }
                Some(Self::One) => (at, mark) = (at + 1, mark + 1),
                Some(Self::Is(wanted)) if *wanted == text[at] => (at, mark) = (at + 1, mark + 1),
                Some(Self::Is(_)) | None => {
                    let Some((place, taken)) = star else { return false };
                    star = Some((place, taken + 1));
                    (at, mark) = (taken + 1, place + 1);
                }
            }
        }
        marks[mark..].iter().all(|mark| *mark == Self::Any)
    }
}

/// What a search orders its hits by.
#[derive(Debug)]
pub(crate) struct Sort {
    field: String,
    direction: Direction,
    missing: Direction,
    unmapped: Unmapped,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    First,
    Last,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unmapped {
    Refused,
    Missing,
}

impl Sort {
    /// Reads `sort` of a search's body, or one `field:desc` of its URI.
    pub(crate) fn read(written: &Value) -> Result<Vec<Self>, Failure> {
        let one = |written: &Value| -> Result<Self, Failure> {
            match written {
                Value::String(text) => {
                    let (field, order) = text.split_once(':').unwrap_or((text, "asc"));
                    Self::of(field, order)
                }
                Value::Object(object) if object.len() == 1 => {
                    let Some((field, how)) = object.iter().next() else {
                        return Err(Failure::illegal_argument("malformed sort format"));
                    };
                    if let Value::String(order) = how {
                        return Self::of(field, order);
                    }
                    only("sort", how, &["order", "missing", "unmapped_type", "format", "mode", "numeric_type"])?;
                    for unsupported in ["format", "mode", "numeric_type"] {
                        if how.get(unsupported).is_some() {
                            return Err(not_supported("sort", unsupported));
                        }
                    }
                    let mut sort = Self::of(field, &how.get("order").map_or_else(|| "asc".to_owned(), preview))?;
                    if how.get("missing").is_some_and(|missing| missing == "_first") {
                        sort.missing = Direction::First;
                    }
                    if how.get("unmapped_type").is_some() {
                        sort.unmapped = Unmapped::Missing;
                    }
                    Ok(sort)
                }
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                    Err(Failure::illegal_argument(
                        "malformed sort format, within the sort array, an object, or an actual string are allowed",
                    ))
                }
            }
        };
        match written {
            Value::Array(elements) => elements.iter().map(one).collect(),
            Value::Object(object) => object.iter().map(|(field, how)| one(&json!({field: how}))).collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(vec![one(written)?]),
        }
    }

    fn of(field: &str, order: &str) -> Result<Self, Failure> {
        let direction = match order.to_lowercase().as_str() {
            "asc" => Direction::First,
            "desc" => Direction::Last,
            other => {
                return Err(Failure::illegal_argument(format!("Unknown SortOrder [{other}]")));
            }
        };
        Ok(Self { field: field.to_owned(), direction, missing: Direction::Last, unmapped: Unmapped::Refused })
    }

    /// Refuses what an index cannot be sorted by.
    pub(crate) fn check(&self, mapping: &Mapping) -> Result<(), Failure> {
        if ["_doc", "_score", "_id", "_seq_no"].contains(&self.field.as_str()) {
            return Ok(());
        }
        match mapping.leaf(&self.field) {
            None if self.unmapped == Unmapped::Missing => Ok(()),
            None => Err(Failure::new(
                400,
                "query_shard_exception",
                format!("No mapping found for [{}] in order to sort on", self.field),
            )),
            Some((leaf, _)) if leaf.kind == Kind::Text => Err(Failure::illegal_argument(format!(
                "Text fields are not optimised for operations that require per-document field data like aggregations \
                 and sorting, so these operations are disabled by default. Please use a keyword field instead. \
                 Alternatively, set fielddata=true on [{}] in order to load field data by uninverting the inverted \
                 index. Note that this can use significant memory.",
                self.field
            ))),
            Some(_) => Ok(()),
        }
    }

    /// The value that a document is sorted by.
    pub(crate) fn key(&self, candidate: Candidate<'_>) -> Option<Term> {
        match self.field.as_str() {
            "_doc" => return None,
            "_score" => return Some(Term::Number(1.0)),
            "_id" => return Some(Term::Word(candidate.id.to_owned())),
            "_seq_no" => return Some(sequence_number(candidate)),
            _ => {}
        }
        let (leaf, path) = candidate.mapping.leaf(&self.field)?;
        let terms = values_at(candidate.source, &path).into_iter().filter_map(|value| leaf.terms(value));
        let smaller = |one: &Term, other: &Term| compare(one, other);
        match self.direction {
            Direction::First => terms.min_by(smaller),
            Direction::Last => terms.max_by(smaller),
        }
    }

    /// The order of two documents by this sort.
    pub(crate) fn order(&self, one: Option<&Term>, other: Option<&Term>) -> Ordering {
        match (one, other) {
            (Some(one), Some(other)) => match self.direction {
                Direction::First => compare(one, other),
                Direction::Last => compare(other, one),
            },
            (None, None) => Ordering::Equal,
            (missing, _) => {
                let before = if missing.is_none() { Ordering::Less } else { Ordering::Greater };
                match self.missing {
                    Direction::First => before,
                    Direction::Last => before.reverse(),
                }
            }
        }
    }
}

/// A term as a hit's `sort` gives it.
pub(crate) fn sort_value(term: Option<Term>) -> Value {
    match term {
        None => Value::Null,
        Some(Term::Whole(whole)) => json!(whole),
        #[expect(clippy::cast_possible_truncation, reason = "the number was found to be whole and small")]
        Some(Term::Number(number)) if number.fract() == 0.0 && number.abs() < 9e15 => {
            json!(number as i64)
        }
        Some(Term::Number(number)) => json!(number),
        Some(Term::Word(word)) => json!(word),
    }
}

/// The values at a path of a document, through arrays and dotted names.
pub(crate) fn values_at<'v>(source: &'v Value, path: &str) -> Vec<&'v Value> {
    let mut found = Vec::new();
    collect(source, path, &mut found);
    found
}

fn collect<'v>(value: &'v Value, path: &str, found: &mut Vec<&'v Value>) {
    match value {
        Value::Array(elements) => elements.iter().for_each(|element| collect(element, path, found)),
        Value::Null => {}
        _ if path.is_empty() => found.push(value),
        Value::Object(object) => {
            for (key, inner) in object {
                if key == path {
                    collect(inner, "", found);
                } else if let Some(rest) = path.strip_prefix(key.as_str()).and_then(|rest| rest.strip_prefix('.')) {
                    collect(inner, rest, found);
                }
            }
        }
        Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The words of a text as the standard analyzer makes them.
pub(crate) fn words(text: &str) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    let mut words = Vec::new();
    let mut word = String::new();
    for (at, character) in characters.iter().enumerate() {
        let neighbours = || {
            let before = at.checked_sub(1).and_then(|before| characters.get(before))?;
            Some((*before, *characters.get(at + 1)?))
        };
        let inside = match character {
            '_' => true,
            '.' | '\'' => neighbours().is_some_and(|(before, next)| {
                (before.is_alphabetic() && next.is_alphabetic()) || (before.is_numeric() && next.is_numeric())
            }),
            ',' => neighbours().is_some_and(|(before, next)| before.is_numeric() && next.is_numeric()),
            other => other.is_alphanumeric(),
        };
        if inside {
            word.extend(character.to_lowercase());
        } else if !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

fn at_least(least: usize, clauses: &[Query], candidate: Candidate<'_>, now: Timestamp) -> Result<bool, Failure> {
    let mut found = 0;
    for clause in clauses {
        found += usize::from(clause.finds(candidate, now)?);
    }
    Ok(found >= least)
}

/// Asks a field, or each one that a pattern names, until one answers yes.
fn each_field(
    candidate: Candidate<'_>,
    field: &str,
    mut ask: impl FnMut(&Leaf, &str) -> Result<bool, Failure>,
) -> Result<bool, Failure> {
    let field = field.split('^').next().unwrap_or_default();
    if field == "_index" {
        let leaf = Leaf { kind: Kind::Keyword, parameters: Map::new(), fields: std::collections::BTreeMap::new() };
        return ask(&leaf, "_index");
    }
    if field == "_seq_no" {
        let leaf = Leaf { kind: Kind::Long, parameters: Map::new(), fields: std::collections::BTreeMap::new() };
        return ask(&leaf, "_seq_no");
    }
    if !field.contains('*') {
        let found = candidate.mapping.leaf(field).map_or(Ok(false), |(leaf, path)| ask(leaf, &path));
        return if candidate.leniency == Leniency::Lenient { Ok(found.unwrap_or(false)) } else { found };
    }
    for path in candidate.mapping.paths() {
        if super::pattern::matches_pattern(field, &path)
            && let Some((leaf, path)) = candidate.mapping.leaf(&path)
            // A query over all fields is lenient: what cannot be a date or a number is not found there.
            && ask(leaf, &path).unwrap_or(false)
        {
            return Ok(true);
        }
    }
    Ok(false)
}

fn terms_of(candidate: Candidate<'_>, leaf: &Leaf, path: &str) -> Vec<Term> {
    if path == "_index" {
        return vec![Term::Word(candidate.index.to_owned())];
    }
    if path == "_seq_no" {
        return vec![sequence_number(candidate)];
    }
    values_at(candidate.source, path).into_iter().filter_map(|value| leaf.terms(value)).collect()
}

fn sequence_number(candidate: Candidate<'_>) -> Term {
    Term::Whole(i64::try_from(candidate.sequence_number).unwrap_or(i64::MAX))
}

fn words_of(candidate: Candidate<'_>, leaf: &Leaf, path: &str) -> Vec<String> {
    terms_of(candidate, leaf, path)
        .into_iter()
        .flat_map(|term| match term {
            Term::Word(text) if leaf.kind == Kind::Text => words(&text),
            Term::Word(text) => vec![text],
            Term::Number(_) | Term::Whole(_) => Vec::new(),
        })
        .collect()
}

fn has_term(candidate: Candidate<'_>, leaf: &Leaf, path: &str, value: &Value) -> Result<bool, Failure> {
    let text = preview(value);
    if leaf.kind == Kind::Text {
        return Ok(words_of(candidate, leaf, path).contains(&text));
    }
    if leaf.kind == Kind::Keyword {
        return Ok(terms_of(candidate, leaf, path).contains(&Term::Word(text)));
    }
    if leaf.kind == Kind::Date {
        let bounds = Map::from_iter([("gte".to_owned(), value.clone()), ("lte".to_owned(), value.clone())]);
        return in_range(candidate, leaf, path, &bounds, Case::OfTheQuery, Timestamp::UNIX_EPOCH);
    }
    match leaf.terms(value) {
        Some(wanted) => {
            Ok(terms_of(candidate, leaf, path).iter().any(|term| compare(term, &wanted) == Ordering::Equal))
        }
        None if leaf.kind.is_number() => Err(Failure::new(
            400,
            "query_shard_exception",
            format!("failed to create query: For input string: \"{text}\""),
        )),
        None => Ok(false),
    }
}

fn has_words(candidate: Candidate<'_>, leaf: &Leaf, path: &str, text: &str, how: How) -> Result<bool, Failure> {
    if leaf.kind != Kind::Text {
        return has_term(candidate, leaf, path, &json!(text));
    }
    let wanted = words(text);
    if wanted.is_empty() {
        return Ok(false);
    }
    // Each value of the field is a text of its own: a phrase does not span two of them.
    let texts: Vec<Vec<String>> = terms_of(candidate, leaf, path)
        .into_iter()
        .filter_map(|term| match term {
            Term::Word(text) => Some(words(&text)),
            Term::Number(_) | Term::Whole(_) => None,
        })
        .collect();
    let has = |word: &String| texts.iter().any(|text| text.contains(word));
    Ok(match how {
        How::AnyWord => wanted.iter().any(has),
        How::EveryWord => wanted.iter().all(has),
        How::Phrase => texts.iter().any(|text| text.windows(wanted.len()).any(|window| window == wanted)),
        How::PhrasePrefix => texts.iter().any(|text| {
            text.windows(wanted.len()).any(|window| {
                window.iter().zip(&wanted).enumerate().all(|(at, (found, wanted_word))| {
                    if at + 1 == wanted.len() { found.starts_with(wanted_word.as_str()) } else { found == wanted_word }
                })
            })
        }),
    })
}

fn has_pattern(
    candidate: Candidate<'_>,
    leaf: &Leaf,
    path: &str,
    pattern: &[Mark],
    case: Case,
) -> Result<bool, Failure> {
    if leaf.kind != Kind::Text && leaf.kind != Kind::Keyword {
        return Err(Failure::new(
            400,
            "query_shard_exception",
            format!("Can only use wildcard queries on keyword, text and wildcard fields - not on [{path}]"),
        ));
    }
    let pattern: Vec<Mark> = pattern
        .iter()
        .flat_map(|mark| match mark {
            Mark::Is(character) => case.of(leaf, &character.to_string()).chars().map(Mark::Is).collect(),
            Mark::Any | Mark::One => vec![*mark],
        })
        .collect();
    Ok(words_of(candidate, leaf, path).iter().any(|word| Mark::match_all(&pattern, word)))
}

fn exists(candidate: Candidate<'_>, field: &str) -> bool {
    if !candidate.mapping.has(field) {
        return false;
    }
    match candidate.mapping.leaf(field) {
        Some((leaf, path)) => {
            let values = values_at(candidate.source, &path);
            match leaf.kind {
                Kind::GeoPoint | Kind::Binary => !values.is_empty(),
                Kind::Alias
                | Kind::Boolean
                | Kind::Byte
                | Kind::Date
                | Kind::Double
                | Kind::Float
                | Kind::HalfFloat
                | Kind::Integer
                | Kind::Ip
                | Kind::Keyword
                | Kind::Long
                | Kind::ScaledFloat
                | Kind::Short
                | Kind::Text => values.into_iter().any(|value| leaf.terms(value).is_some()),
            }
        }
        None => values_at(candidate.source, field)
            .into_iter()
            .any(|value| value.as_object().is_some_and(|object| object.values().any(|inner| !inner.is_null()))),
    }
}

fn in_range(
    candidate: Candidate<'_>,
    leaf: &Leaf,
    path: &str,
    bounds: &Map<String, Value>,
    case: Case,
    now: Timestamp,
) -> Result<bool, Failure> {
    let mut limits = Vec::new();
    for (key, fits) in [
        ("gte", (|order| order != Ordering::Less) as fn(Ordering) -> bool),
        ("gt", |order| order == Ordering::Greater),
        ("lte", |order| order != Ordering::Greater),
        ("lt", |order| order == Ordering::Less),
    ] {
        let Some(bound) = bounds.get(key).filter(|bound| !bound.is_null()) else {
            continue;
        };
        let term = if leaf.kind == Kind::Date {
            let rounding = if key == "lte" || key == "gt" { Rounding::Up } else { Rounding::Down };
            Term::Number(date_bound(leaf, bounds, bound, rounding, now)?)
        } else if leaf.kind == Kind::Text {
            Term::Word(case.of(leaf, &preview(bound)))
        } else {
            leaf.terms(bound).ok_or_else(|| {
                Failure::new(
                    400,
                    "query_shard_exception",
                    format!("failed to create query: For input string: \"{}\"", preview(bound)),
                )
            })?
        };
        limits.push((term, fits));
    }
    let terms: Vec<Term> = if leaf.kind == Kind::Text {
        words_of(candidate, leaf, path).into_iter().map(Term::Word).collect()
    } else {
        terms_of(candidate, leaf, path)
    };
    Ok(terms.iter().any(|term| limits.iter().all(|(limit, fits)| fits(compare(term, limit)))))
}

/// A date of a range in milliseconds: a date by the format, or one with date math.
fn date_bound(
    leaf: &Leaf,
    bounds: &Map<String, Value>,
    bound: &Value,
    rounding: Rounding,
    now: Timestamp,
) -> Result<f64, Failure> {
    let format = match bounds.get("format") {
        Some(format) => DateFormat::read(&preview(format)).map_err(Failure::illegal_argument)?,
        None => leaf.date_format(),
    };
    let text = preview(bound);
    let wrong =
        || Failure::new(400, "parse_exception", format!("failed to parse date field [{text}] with format [{format}]"));
    let (start, math) = match text.strip_prefix("now") {
        Some(math) => (now.as_millisecond(), math),
        None => {
            let (date, math) = text.split_once("||").unwrap_or((&text, ""));
            let rounding = if math.is_empty() { rounding } else { Rounding::Down };
            (format.milliseconds(date, rounding).ok_or_else(wrong)?, math)
        }
    };
    let milliseconds = date_math(start, math, rounding).ok_or_else(wrong)?;
    #[expect(clippy::cast_precision_loss, reason = "a double holds every millisecond of the years in use")]
    Ok(milliseconds as f64)
}

fn date_math(start: i64, math: &str, rounding: Rounding) -> Option<i64> {
    let mut at = start;
    let mut rest = math;
    while let Some(operation) = rest.chars().next() {
        rest = &rest[1..];
        let digits = rest.len() - rest.trim_start_matches(|character: char| character.is_ascii_digit()).len();
        let amount: i64 = if digits == 0 { 1 } else { rest[..digits].parse().ok()? };
        rest = &rest[digits..];
        let unit = rest.chars().next()?;
        rest = &rest[unit.len_utf8()..];
        at = match operation {
            '+' => add(at, amount, unit)?,
            '-' => add(at, -amount, unit)?,
            '/' if digits == 0 => {
                let floor = floor(at, unit)?;
                match rounding {
                    Rounding::Down => floor,
                    Rounding::Up => add(floor, 1, unit)? - 1,
                }
            }
            _ => return None,
        };
    }
    Some(at)
}

const DAY: i64 = 86_400_000;

fn fixed(unit: char) -> Option<i64> {
    Some(match unit {
        's' => 1_000,
        'm' => 60_000,
        'h' | 'H' => 3_600_000,
        'd' => DAY,
        'w' => 7 * DAY,
        _ => return None,
    })
}

fn add(at: i64, amount: i64, unit: char) -> Option<i64> {
    if let Some(length) = fixed(unit) {
        return at.checked_add(amount.checked_mul(length)?);
    }
    let months = match unit {
        'M' => amount,
        'y' => amount.checked_mul(12)?,
        _ => return None,
    };
    let (year, month, day) = date_of_days(at.div_euclid(DAY));
    let total = (year * 12 + month - 1).checked_add(months)?;
    let (year, month) = (total.div_euclid(12), total.rem_euclid(12) + 1);
    let day = day.min(days_in_month(year, month));
    Some(days_since_epoch(year, month, day) * DAY + at.rem_euclid(DAY))
}

fn floor(at: i64, unit: char) -> Option<i64> {
    let days = at.div_euclid(DAY);
    let (year, month, _) = date_of_days(days);
    Some(match unit {
        // The epoch was a Thursday, and weeks begin on Monday.
        'w' => (days - (days + 3).rem_euclid(7)) * DAY,
        'M' => days_since_epoch(year, month, 1) * DAY,
        'y' => days_since_epoch(year, 1, 1) * DAY,
        other => at - at.rem_euclid(fixed(other)?),
    })
}

fn compare(one: &Term, other: &Term) -> Ordering {
    match (one, other) {
        (Term::Whole(one), Term::Whole(other)) => one.cmp(other),
        (Term::Word(one), Term::Word(other)) => one.cmp(other),
        (Term::Word(_), Term::Number(_) | Term::Whole(_)) => Ordering::Greater,
        (Term::Number(_) | Term::Whole(_), Term::Word(_)) => Ordering::Less,
        (one, other) => as_double(one).total_cmp(&as_double(other)),
    }
}

fn as_double(term: &Term) -> f64 {
    match term {
        Term::Number(number) => *number,
        #[expect(clippy::cast_precision_loss, reason = "only compared with a number that is a double already")]
        Term::Whole(whole) => *whole as f64,
        Term::Word(_) => f64::NAN,
    }
}

fn one_field<'a>(name: &str, body: &'a Value) -> Result<(String, &'a Value), Failure> {
    let mut fields = body.as_object().into_iter().flatten();
    match (fields.next(), fields.next()) {
        (Some((field, body)), None) => Ok((field.clone(), body)),
        (Some((one, _)), Some((other, _))) => Err(Failure::parsing(format!(
            "[{name}] query doesn't support multiple fields, found [{one}] and [{other}]"
        ))),
        (None, _) => Err(Failure::parsing(format!("[{name}] query malformed, no field name"))),
    }
}

fn parameter<'a>(body: &'a Value, key: &str) -> Option<&'a Value> {
    body.as_object()?.get(key)
}

/// The value of a parameter that the short form, where the body is the value itself, leaves out.
fn needed<'a>(name: &str, body: &'a Value, key: &str) -> Result<&'a Value, Failure> {
    match body {
        Value::Object(object) => {
            object.get(key).ok_or_else(|| Failure::parsing(format!("{name} must be provided with a [{key}]")))
        }
        Value::Null => Err(Failure::parsing(format!("{name} must be provided with a [{key}]"))),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Ok(body),
    }
}

fn only(name: &str, body: &Value, known: &[&str]) -> Result<(), Failure> {
    match body.as_object().into_iter().flatten().find(|(key, _)| !known.contains(&key.as_str())) {
        Some((key, _)) => Err(Failure::parsing(format!("[{name}] query does not support [{key}]"))),
        None => Ok(()),
    }
}

/// Words and phrases of a simple_query_string, which knows no syntax errors and other operators.
fn simple(text: &str, fields: &[String], default: How) -> Result<Query, Failure> {
    let is_operator = |piece: &str| piece.starts_with(['+', '-']) || piece.contains(['|', '(', ')', '*', '~', '\\']);
    let mut clauses = Vec::new();
    for (at, piece) in text.split('"').enumerate() {
        let (pieces, how) =
            if at % 2 == 1 { (vec![piece], How::Phrase) } else { (piece.split(' ').collect(), default) };
        for piece in pieces.into_iter().filter(|piece| !piece.is_empty()) {
            if how != How::Phrase && is_operator(piece) {
                return Err(not_supported("simple_query_string", piece));
            }
            let one = |field: &String| Query::Words { field: field.clone(), text: piece.to_owned(), how };
            clauses.push(Query::Any(fields.iter().map(one).collect()));
        }
    }
    Ok(match (clauses.is_empty(), default) {
        (true, _) => Query::None,
        (false, How::EveryWord) => Query::Every(clauses),
        (false, How::AnyWord | How::Phrase | How::PhrasePrefix) => Query::Any(clauses),
    })
}

pub(super) fn not_supported(name: &str, what: &str) -> Failure {
    Failure::parsing(format!("the local AWS does not support [{what}] in [{name}]"))
}

fn names(value: Option<&Value>) -> Option<Vec<String>> {
    match value? {
        Value::Array(elements) => Some(elements.iter().map(preview).collect()),
        other => Some(vec![preview(other)]),
    }
}
