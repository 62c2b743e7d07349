//! A tree against the table: every fault with its place, and what is sound as a value to deserialise.
//! What is at fault is left out of the value, so that the rules can still judge the rest.

use std::collections::{BTreeMap, BTreeSet};

use serde_yaml::{Mapping, Value};

use super::fault::{Fault, Place};
use super::table::{KEYS, Key, LATER, Need, Nulls, Placeholders, Shape, Text};
use super::tree::{Content, Node, Scalar, Style};
use super::values::{self, ANY_ACCOUNT, Complaint, LONGEST_REGION, quoted};
use super::{Places, meant};

/// The outcome of a check.
pub(super) struct Checked {
    pub(super) value: Value,
    pub(super) places: Places,
    pub(super) faults: Vec<Fault>,
    /// The dotted paths that were left out.
    pub(super) wrong: BTreeSet<String>,
}

/// Checks a whole file.
pub(super) fn check(root: &Node) -> Checked {
    let mut checker = Checker {
        account: said(root, "account").unwrap_or(ANY_ACCOUNT).to_owned(),
        region: said(root, "region").unwrap_or(LONGEST_REGION).to_owned(),
        places: Places::default(),
        faults: Vec::new(),
        wrong: BTreeSet::new(),
    };
    let mut value = match &root.content {
        Content::Map(entries) => checker.section("", root.place, entries, KEYS),
        Content::Scalar(..) | Content::List(_) => {
            let message = format!("a spec has keys, and here is {}", found(root));
            let help = match written(root).split_once(':') {
                Some((key, value)) if !value.is_empty() => format!("did you mean `{key}: {value}`, with a space?"),
                Some(_) | None => "one line is enough: `stack: NAME`".to_owned(),
            };
            checker.faults.push(Fault::at(root.place, "", message, help));
            Mapping::new()
        }
    };
    // The rules about all other keys need a name to work with.
    if !value.contains_key("stack") {
        value.insert("stack".into(), "abc".into());
        checker.wrong.insert("stack".to_owned());
    }
    let Checker { account: _, region: _, places, faults, wrong } = checker;
    Checked { value: Value::Mapping(value), places, faults, wrong }
}

/// Returns a text at the top, when it is sound: lengths of names depend on it.
fn said<'a>(root: &'a Node, name: &str) -> Option<&'a str> {
    let Content::Map(entries) = &root.content else {
        return None;
    };
    let (_, value) =
        entries.iter().find(|(key, _)| matches!(&key.content, Content::Scalar(text, _) if text == name))?;
    let Some(Scalar::Text(text)) = value.scalar() else {
        return None;
    };
    let sound = match name {
        "account" => values::account(text).is_ok(),
        _ => values::region(text).is_ok(),
    };
    sound.then_some(text)
}

struct Checker {
    account: String,
    region: String,
    places: Places,
    faults: Vec<Fault>,
    wrong: BTreeSet<String>,
}

/// Says what a node is, for "found …".
fn found(node: &Node) -> String {
    match (&node.content, node.scalar()) {
        (Content::List(_), _) => "a list".to_owned(),
        (Content::Map(_), _) => "a section".to_owned(),
        (Content::Scalar(..), Some(Scalar::Null)) => "nothing".to_owned(),
        (Content::Scalar(text, _), Some(Scalar::Bool(_))) => format!("the switch {}", quoted(text)),
        (Content::Scalar(text, _), Some(Scalar::Whole(_) | Scalar::Fraction)) => {
            format!("the number {}", quoted(text))
        }
        (Content::Scalar(text, _), Some(Scalar::Text(_)) | None) => {
            format!("the text {}", quoted(text))
        }
    }
}

/// Returns what stands between the quotes.
fn written(node: &Node) -> &str {
    match &node.content {
        Content::Scalar(text, _) => text,
        Content::List(_) | Content::Map(_) => "",
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// Names a section in a message.
fn section_name(path: &str) -> &str {
    if path.is_empty() { "a spec" } else { path }
}

impl Checker {
    fn fault(&mut self, place: Place, path: &str, message: impl Into<String>, help: impl Into<String>) {
        self.faults.push(Fault::at(place, path, message, help));
        self.wrong.insert(path.to_owned());
    }

    /// Marks what a place of its own would not show: a section is marked at its key.
    fn mark(node: &Node, key: Place) -> Place {
        match &node.content {
            Content::Scalar(text, style) if !text.is_empty() || *style == Style::Quoted => node.place,
            Content::Scalar(..) | Content::List(_) | Content::Map(_) => key,
        }
    }

    fn section(&mut self, path: &str, place: Place, entries: &[(Node, Node)], keys: &'static [Key]) -> Mapping {
        let mut mapping = Mapping::new();
        let mut seen: BTreeMap<&str, Place> = BTreeMap::new();
        for (key, value) in entries {
            let Content::Scalar(name, _) = &key.content else {
                self.fault(key.place, path, "a key must be a word", "");
                continue;
            };
            let here = join(path, name);
            if let Some(first) = seen.get(name.as_str()) {
                let message = format!("{} stands here twice", quoted(name));
                self.fault(key.place, &here, message, format!("the first is in line {}", first.line));
                continue;
            }
            seen.insert(name, key.place);
            let Some(known) = keys.iter().find(|known| known.name == *name) else {
                let (message, help) = unknown(path, name, keys);
                self.fault(key.place, &here, message, help);
                continue;
            };
            self.places.note(&here, key.place);
            if let Some(value) = self.value(&here, key.place, value, known) {
                mapping.insert(known.name.into(), value);
            }
        }
        for known in keys {
            if known.need == Need::Required && !seen.contains_key(known.name) {
                let (what, example) = match &known.shape {
                    Shape::Text(text) => (text.what, if path.is_empty() { "logging-test" } else { "m7g.large.search" }),
                    _ => ("a value", "…"),
                };
                let message = format!("{} needs `{}`, {what}", section_name(path), known.name);
                self.fault(place, &join(path, known.name), message, format!("such as `{}: {example}`", known.name));
            }
        }
        mapping
    }

    fn value(&mut self, path: &str, key: Place, node: &Node, known: &'static Key) -> Option<Value> {
        let place = Self::mark(node, key);
        if node.scalar() == Some(Scalar::Null) {
            let help = match known.shape {
                Shape::Section(keys) => format!("remove it, or give it keys: {}", names(keys)),
                _ => "remove the line for the default".to_owned(),
            };
            self.fault(place, path, format!("`{}` is empty", known.name), help);
            return None;
        }
        match &known.shape {
            Shape::Section(keys) => match &node.content {
                Content::Map(entries) => {
                    let mapping = self.section(path, key, entries, keys);
                    // A section without its required keys cannot be deserialised.
                    let whole =
                        keys.iter().all(|known| known.need == Need::Optional || mapping.contains_key(known.name));
                    whole.then_some(Value::Mapping(mapping))
                }
                Content::Scalar(..) | Content::List(_) => {
                    let help = match (known.name, node.scalar()) {
                        ("volume", Some(Scalar::Text("none"))) => "did you mean `volume: { type: none }`?".to_owned(),
                        _ => format!("its keys are {}", names(keys)),
                    };
                    self.fault(place, path, format!("a section was expected, found {}", found(node)), help);
                    None
                }
            },
            Shape::Text(text) => self.text(path, place, node, text).map(Value::String),
            Shape::Word { what, words, meant } => self.word(path, place, node, what, words, meant),
            Shape::Number { min, max, unit } => {
                let number =
                    self.number(path, place, node, unit, &|n| (*min..=*max).contains(&n), &format!("{min} to {max}"))?;
                if (*min..=*max).contains(&number) {
                    return Some(Value::Number(number.into()));
                }
                let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
                self.fault(place, path, format!("{number}{unit} is out of range"), format!("{min} to {max}{unit}"));
                None
            }
            Shape::OneNumber { what, numbers, unit } => {
                let list = numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(" ");
                let number = self.number(path, place, node, unit, &|n| numbers.contains(&n), &list)?;
                if numbers.contains(&number) {
                    return Some(Value::Number(number.into()));
                }
                // The next one above keeps what the smaller number would have kept.
                let meant = numbers.iter().find(|known| **known > number).or(numbers.last());
                let meant =
                    meant.filter(|_| numbers.len() > 3).map_or_else(String::new, |n| format!("did you mean {n}? "));
                self.fault(place, path, format!("{number} is not {what}"), format!("{meant}({list})"));
                None
            }
            Shape::Switch => self.switch(path, place, node),
            Shape::Map { keys, values, nulls } => self.map(path, place, node, keys, values, *nulls),
            Shape::List(item) => self.list(path, place, node, item),
        }
    }

    fn text(&mut self, path: &str, place: Place, node: &Node, rule: &'static Text) -> Option<String> {
        let text = match node.scalar() {
            Some(Scalar::Text(text)) => text,
            Some(Scalar::Bool(_) | Scalar::Whole(_) | Scalar::Fraction | Scalar::Null) => {
                let written = written(node);
                let help = match (rule.check)(written) {
                    Ok(()) => format!("in quotes it is one: \"{written}\""),
                    Err(Complaint { message: _, help }) => help,
                };
                self.fault(place, path, format!("{} was expected, found {}", rule.what, found(node)), help);
                return None;
            }
            None => {
                let inner = match &node.content {
                    Content::Map(entries) => entries.iter().map(|(_, value)| value).collect::<Vec<_>>(),
                    Content::List(items) => items.iter().collect(),
                    Content::Scalar(..) => Vec::new(),
                };
                let help = match inner.as_slice() {
                    [only] if (rule.check)(written(only)).is_ok() => format!("did you mean {}, alone?", written(only)),
                    _ => String::new(),
                };
                self.fault(place, path, format!("{} was expected, found {}", rule.what, found(node)), help);
                return None;
            }
        };
        let outcome = match rule.placeholders {
            Placeholders::Filled => {
                values::fill(text, &self.account, &self.region).and_then(|filled| (rule.check)(&filled))
            }
            Placeholders::None => (rule.check)(text),
        };
        match outcome {
            Ok(()) => Some(text.to_owned()),
            Err(Complaint { message, help }) => {
                self.fault(place, path, message, help);
                None
            }
        }
    }

    fn word(
        &mut self,
        path: &str,
        place: Place,
        node: &Node,
        what: &str,
        words: &[&str],
        synonyms: &[(&str, &str)],
    ) -> Option<Value> {
        let written = written(node);
        if words.contains(&written) && matches!(node.scalar(), Some(Scalar::Text(_))) {
            return Some(Value::String(written.to_owned()));
        }
        let list = words.join(" ");
        if matches!(node.content, Content::List(_) | Content::Map(_)) {
            self.fault(place, path, format!("{what} was expected, found {}", found(node)), format!("one of {list}"));
            return None;
        }
        let plain = meant::plain(written);
        let synonym = synonyms.iter().find(|(other, _)| *other == plain).map(|(_, word)| *word);
        let help = match synonym.or_else(|| meant::closest(written, words.iter().copied())) {
            Some(word) => format!("did you mean {word}? ({list})"),
            None => format!("one of {list}"),
        };
        self.fault(place, path, format!("{} is not {what}", quoted(written)), help);
        None
    }

    /// Returns a whole number, in range or not.
    fn number(
        &mut self,
        path: &str,
        place: Place,
        node: &Node,
        unit: &str,
        is_taken: &dyn Fn(u64) -> bool,
        range: &str,
    ) -> Option<u64> {
        if let Some(Scalar::Whole(number)) = node.scalar() {
            if let Ok(number) = u64::try_from(number) {
                return Some(number);
            }
            self.fault(place, path, format!("{number} is out of range"), range);
            return None;
        }
        let written = written(node);
        let of = if unit.is_empty() { String::new() } else { format!(" of {unit}") };
        let help = match meant::number(written, unit).filter(|number| is_taken(*number)) {
            Some(number) => {
                format!("did you mean {number}?{}", if unit.is_empty() { String::new() } else { format!(" ({unit})") })
            }
            None => range.to_owned(),
        };
        self.fault(place, path, format!("a whole number{of} was expected, found {}", found(node)), help);
        None
    }

    fn switch(&mut self, path: &str, place: Place, node: &Node) -> Option<Value> {
        if let Some(Scalar::Bool(on)) = node.scalar() {
            return Some(Value::Bool(on));
        }
        let help = match written(node).to_lowercase().as_str() {
            "yes" | "y" | "on" | "true" | "1" | "enabled" => "did you mean true?",
            "no" | "n" | "off" | "false" | "0" | "disabled" => "did you mean false?",
            _ => "true or false",
        };
        self.fault(place, path, format!("true or false was expected, found {}", found(node)), help);
        None
    }

    fn map(
        &mut self,
        path: &str,
        place: Place,
        node: &Node,
        keys: &'static Text,
        values: &'static Text,
        nulls: Nulls,
    ) -> Option<Value> {
        let Content::Map(entries) = &node.content else {
            self.fault(
                place,
                path,
                format!("names with values were expected, found {}", found(node)),
                "such as { name: value }",
            );
            return None;
        };
        let mut mapping = Mapping::new();
        let mut seen: BTreeMap<String, Place> = BTreeMap::new();
        for (key, value) in entries {
            let Some(name) = self.text(path, key.place, key, keys) else {
                continue;
            };
            let here = join(path, &name);
            if let Some(first) = seen.get(&name) {
                let message = format!("{} stands here twice", quoted(&name));
                self.fault(key.place, &here, message, format!("the first is in line {}", first.line));
                continue;
            }
            self.places.note(&here, key.place);
            if value.scalar() == Some(Scalar::Null) && nulls == Nulls::Taken {
                mapping.insert(name.clone().into(), Value::Null);
            } else if let Some(text) = self.text(&here, Self::mark(value, key.place), value, values) {
                mapping.insert(name.clone().into(), text.into());
            }
            seen.insert(name, key.place);
        }
        Some(Value::Mapping(mapping))
    }

    fn list(&mut self, path: &str, place: Place, node: &Node, rule: &'static Text) -> Option<Value> {
        let Content::List(items) = &node.content else {
            let help = match node.scalar() {
                Some(Scalar::Text(text)) => match (rule.check)(text) {
                    Ok(()) => format!("did you mean [\"{text}\"]?"),
                    Err(Complaint { message: _, help }) => help,
                },
                _ => format!("a list has {} after each hyphen", rule.what),
            };
            self.fault(place, path, format!("a list was expected, found {}", found(node)), help);
            return None;
        };
        if items.is_empty() {
            self.fault(place, path, "the list is empty", "remove it for the default");
            return None;
        }
        let mut list = Vec::with_capacity(items.len());
        for (number, item) in items.iter().enumerate() {
            let here = format!("{path}[{number}]");
            if let Some(text) = self.text(&here, Self::mark(item, item.place), item, rule) {
                self.places.note(&here, item.place);
                list.push(Value::String(text));
            } else {
                self.wrong.insert(path.to_owned());
            }
        }
        Some(Value::Sequence(list))
    }
}

fn names(keys: &[Key]) -> String {
    keys.iter().map(|key| key.name).collect::<Vec<_>>().join(" ")
}

/// Says what an unknown key is and what was probably meant: a sibling, also under another tool's name, a key of a later
/// release, a key of another section, and last a slip of the keyboard.
fn unknown(path: &str, name: &str, keys: &'static [Key]) -> (String, String) {
    let message = format!("{} is not a key of {}", quoted(name), section_name(path));
    let plain = meant::plain(name);
    let did_you_mean = |path: &str| (message.clone(), format!("did you mean {path}?"));
    if let Some(key) = keys.iter().find(|key| meant::plain(key.name) == plain || key.also.contains(&plain.as_str())) {
        return did_you_mean(key.name);
    }
    if let Some((_, what)) = LATER.iter().find(|(later, _)| *later == plain) {
        return (format!("{} is not supported yet", quoted(name)), format!("{what} comes with a later release"));
    }
    if let Some(other) = elsewhere("", KEYS, &plain) {
        return did_you_mean(&other);
    }
    match meant::closest(name, keys.iter().map(|key| key.name)) {
        Some(key) => did_you_mean(key),
        None => (message, format!("its keys are {}", names(keys))),
    }
}

/// Finds a key by its own name or another tool's anywhere in the table.
fn elsewhere(path: &str, keys: &'static [Key], plain: &str) -> Option<String> {
    // Too common to mean a key of another section.
    if matches!(plain, "name" | "type" | "key" | "count" | "size" | "arn" | "mode") {
        return None;
    }
    for key in keys {
        if meant::plain(key.name) == plain || key.also.contains(&plain) {
            return Some(join(path, key.name));
        }
    }
    for key in keys {
        if let Shape::Section(inner) = key.shape {
            let here = join(path, key.name);
            // `dedicatedMasterCount` and `bufferSeconds` name their section too.
            let rest = plain.strip_prefix(&meant::plain(key.name)).unwrap_or(plain);
            if let Some(found) = elsewhere(&here, inner, plain).or_else(|| direct(&here, inner, rest)) {
                return Some(found);
            }
        }
    }
    None
}

fn direct(path: &str, keys: &'static [Key], plain: &str) -> Option<String> {
    let key = keys.iter().find(|key| meant::plain(key.name) == plain && !plain.is_empty());
    key.filter(|key| !matches!(key.name, "name" | "type" | "key" | "count")).map(|key| join(path, key.name))
}
