//! Text to a tree of nodes with their places. Knows YAML and nothing about specs; refuses what could explode.

use std::collections::HashMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span};

use super::fault::{Fault, Place};

/// How deep a file may nest; a spec needs four levels.
const DEPTH: usize = 32;

/// How many nodes a file may have once its aliases are written out; a spec needs a few hundred.
const NODES: usize = 20_000;

/// A value with its place.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) content: Content,
}

/// What a value is, before anything is known about what it should be.
#[derive(Clone, Debug)]
pub(super) enum Content {
    /// A scalar, as written between its quotes.
    Scalar(String, Style),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping in the order of the file; keys may repeat.
    Map(Vec<(Node, Node)>),
}

/// Whether a scalar stands in quotes (or in a block), and so is text whatever it looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// Without quotes: the YAML 1.2 core schema decides what it is.
    Plain,
    /// In quotes or a block: text.
    Quoted,
}

/// What a scalar is by the YAML 1.2 core schema.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scalar<'a> {
    Null,
    Bool(bool),
    Whole(i128),
    Fraction,
    Text(&'a str),
}

impl Node {
    /// Returns what a scalar is; `None` for lists and maps.
    pub(super) fn scalar(&self) -> Option<Scalar<'_>> {
        match &self.content {
            Content::Scalar(text, Style::Quoted) => Some(Scalar::Text(text)),
            Content::Scalar(text, Style::Plain) => Some(resolve(text)),
            Content::List(_) | Content::Map(_) => None,
        }
    }

    /// Returns how many nodes it holds, itself included.
    fn size(&self) -> usize {
        match &self.content {
            Content::Scalar(..) => 1,
            Content::List(items) => 1 + items.iter().map(Self::size).sum::<usize>(),
            Content::Map(entries) => 1 + entries.iter().map(|(key, value)| key.size() + value.size()).sum::<usize>(),
        }
    }
}

/// Reads the one document of a file.
pub(super) fn parse(text: &str) -> Result<Node, Fault> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    refuse_tabs(text)?;
    let mut builder = Builder { lines: text.lines().collect(), ..Builder::default() };
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            let place = place_of(Span::empty(*error.marker()));
            let line = builder.lines.get(place.line - 1).copied().unwrap_or_default();
            Fault::at(place, "", format!("this is not YAML: {}", error.info()), way_out(line, error.info()))
        })?;
        builder.take(event, span)?;
    }
    builder.root.ok_or_else(|| Fault::at(START, "", "the file is empty", "one line is enough: `stack: NAME`"))
}

/// Guesses what broke a line, by the slips that are common in a spec.
fn way_out(line: &str, info: &str) -> &'static str {
    if line.contains("{account}") || line.contains("{region}") {
        "put a name with {account} or {region} in quotes: a bare { begins a section"
    } else if line.contains("!{") {
        "put a prefix with !{…} in quotes"
    } else if info.contains("quoted scalar") {
        "close the quotes"
    } else if info.contains("mapping values are not allowed") {
        "keys of one section begin in the same column, and a value with `: ` in it wants quotes"
    } else {
        ""
    }
}

const START: Place = Place { line: 1, column: 1, length: 1 };

/// Gathers events without recursion, so that the depth of a file cannot exhaust the stack.
#[derive(Default)]
struct Builder<'a> {
    lines: Vec<&'a str>,
    open: Vec<Open>,
    anchors: HashMap<usize, (Node, usize)>,
    nodes: usize,
    root: Option<Node>,
}

struct Open {
    place: Place,
    anchor: usize,
    content: OpenContent,
}

enum OpenContent {
    List(Vec<Node>),
    Map(Vec<(Node, Node)>, Option<Node>),
}

impl Builder<'_> {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Fault> {
        let place = place_of(span);
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(_) if self.root.is_some() => Err(Fault::at(
                place,
                "",
                "a second document begins here",
                "one file is one stack; put each in a file of its own and name the folder",
            )),
            Event::DocumentStart(_) => Ok(()),
            Event::Alias(anchor) => {
                let Some((node, size)) = self.anchors.get(&anchor).cloned() else {
                    return Err(Fault::at(place, "", "an alias inside of what it stands for", "write the value out"));
                };
                self.count(size, place)?;
                self.add(node, 0)
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.count(1, place)?;
                let place = Place { length: self.extent(place, &text, style), ..place };
                let quoted = match tag {
                    None => style != ScalarStyle::Plain,
                    Some(tag) if tag.is_yaml_core_schema() && tag.suffix == "str" => true,
                    Some(tag) => return Err(tagged(&tag.to_string(), place)),
                };
                // An empty plain scalar is `null` and has no extent of its own.
                let style = if quoted { Style::Quoted } else { Style::Plain };
                self.add(Node { place, content: Content::Scalar(text.into_owned(), style) }, anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                self.open(place, anchor, tag.map(|tag| tag.to_string()), OpenContent::List(Vec::new()))
            }
            Event::MappingStart(anchor, tag) => {
                self.open(place, anchor, tag.map(|tag| tag.to_string()), OpenContent::Map(Vec::new(), None))
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(Open { place, anchor, content }) = self.open.pop() else {
                    return Ok(());
                };
                let content = match content {
                    OpenContent::List(items) => Content::List(items),
                    OpenContent::Map(entries, _) => Content::Map(entries),
                };
                self.add(Node { place, content }, anchor)
            }
        }
    }

    /// Measures a scalar as it is written: the parser's span of a quoted one goes on to the next token.
    fn extent(&self, place: Place, text: &str, style: ScalarStyle) -> usize {
        let line = self.lines.get(place.line - 1).copied().unwrap_or_default();
        let mut written = line.chars().skip(place.column - 1);
        let rest = written.clone().count().max(1);
        let length = match style {
            ScalarStyle::Plain => text.chars().count(),
            ScalarStyle::Literal | ScalarStyle::Folded => 1,
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => {
                let quote = written.next();
                let mut escaped = false;
                let inner = written.take_while(|c| {
                    let ends = !escaped && Some(*c) == quote;
                    escaped = !escaped && style == ScalarStyle::DoubleQuoted && *c == '\\';
                    !ends
                });
                inner.count() + 2
            }
        };
        length.clamp(1, rest)
    }

    fn open(&mut self, place: Place, anchor: usize, tag: Option<String>, content: OpenContent) -> Result<(), Fault> {
        if let Some(tag) = tag {
            return Err(tagged(&tag, place));
        }
        if self.open.len() == DEPTH {
            return Err(Fault::at(place, "", format!("nested deeper than {DEPTH} levels"), "a spec needs four"));
        }
        self.count(1, place)?;
        self.open.push(Open { place, anchor, content });
        Ok(())
    }

    fn add(&mut self, node: Node, anchor: usize) -> Result<(), Fault> {
        if anchor != 0 {
            self.anchors.insert(anchor, (node.clone(), node.size()));
        }
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open { place: _, anchor: _, content: OpenContent::List(items) }) => items.push(node),
            Some(Open { place: _, anchor: _, content: OpenContent::Map(entries, key) }) => match key.take() {
                None => {
                    if matches!(&node.content, Content::Scalar(text, Style::Plain) if text == "<<") {
                        let message = "`<<` is not a key: YAML 1.2 has no merge keys";
                        return Err(Fault::at(node.place, "", message, "write the keys out"));
                    }
                    *key = Some(node);
                }
                Some(key) => entries.push((key, node)),
            },
        }
        Ok(())
    }

    fn count(&mut self, nodes: usize, place: Place) -> Result<(), Fault> {
        self.nodes += nodes;
        if self.nodes > NODES {
            return Err(Fault::at(place, "", format!("more than {NODES} values"), "a spec needs a few dozen"));
        }
        Ok(())
    }
}

fn tagged(tag: &str, place: Place) -> Fault {
    Fault::at(place, "", format!("a YAML tag, `{tag}`, has no meaning here"), "remove it")
}

/// Refuses tabs in the indentation at once: the parser's own message for them depends on what stands around them.
fn refuse_tabs(text: &str) -> Result<(), Fault> {
    for (number, line) in text.lines().enumerate() {
        let indentation = line.chars().take_while(|c| matches!(c, ' ' | '\t'));
        let rest = line.trim_start_matches([' ', '\t']);
        if rest.is_empty() || rest.starts_with('#') {
            continue;
        }
        if let Some(column) = indentation.into_iter().position(|c| c == '\t') {
            let place = Place { line: number + 1, column: column + 1, length: 1 };
            return Err(Fault::at(place, "", "a tab in the indentation", "YAML wants spaces"));
        }
    }
    Ok(())
}

fn place_of(span: Span) -> Place {
    let Span { start, end } = span;
    let column = start.col() + 1;
    // What goes on over several lines is marked at its first character.
    let length = if end.line() == start.line() { end.col().saturating_sub(start.col()) } else { 1 };
    Place { line: line_of(start), column, length: length.max(1) }
}

fn line_of(marker: Marker) -> usize {
    marker.line().max(1)
}

/// Decides what a plain scalar is by the YAML 1.2 core schema (YAML 1.2.2 §10.3.2): `yes` and `1_000` are text.
fn resolve(text: &str) -> Scalar<'_> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Scalar::Null,
        "true" | "True" | "TRUE" => return Scalar::Bool(true),
        "false" | "False" | "FALSE" => return Scalar::Bool(false),
        _ => {}
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().map_or(Scalar::Fraction, Scalar::Whole);
    }
    for (prefix, radix) in [("0o", 8), ("0x", 16)] {
        if let Some(digits) = text.strip_prefix(prefix)
            && !digits.is_empty()
            && digits.chars().all(|c| c.is_digit(radix))
        {
            return i128::from_str_radix(digits, radix).map_or(Scalar::Fraction, Scalar::Whole);
        }
    }
    if matches!(digits, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") || is_fraction(digits) {
        return Scalar::Fraction;
    }
    Scalar::Text(text)
}

fn is_fraction(digits: &str) -> bool {
    digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && digits.bytes().any(|byte| byte.is_ascii_digit())
        && digits.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-'))
        && digits.parse::<f64>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> String {
        let Fault { path: _, place, message, help: _ } = parse(text).expect_err("a fault");
        let place = place.expect("a place");
        format!("{}:{} {message}", place.line, place.column)
    }

    #[test]
    fn places_count_from_one_and_span_the_value_with_its_quotes() {
        let node = parse("a: 1\nb:\n  cé: 'weekly'   # comment\n").expect("YAML");
        let Content::Map(entries) = node.content else { panic!("a map") };
        let Content::Map(inner) = &entries[1].1.content else { panic!("a map") };
        assert_eq!(inner[0].0.place, Place { line: 3, column: 3, length: 2 });
        assert_eq!(inner[0].1.place, Place { line: 3, column: 7, length: 8 });
        assert_eq!(entries[0].1.place, Place { line: 1, column: 4, length: 1 });
    }

    #[test]
    fn what_is_no_spec_at_all_is_refused_with_its_place() {
        assert_eq!(fault(""), "1:1 the file is empty");
        assert_eq!(fault("# only\n\n# comments\n"), "1:1 the file is empty");
        assert_eq!(fault("stack: a\n---\nstack: b\n"), "2:1 a second document begins here");
        assert_eq!(fault("index:\n\tname: a\n"), "2:1 a tab in the indentation");
        assert_eq!(fault("stack: !ref a\n"), "1:8 a YAML tag, `!ref`, has no meaning here");
        assert_eq!(fault("a: &a {b: *a}\n"), "1:11 an alias inside of what it stands for");
        assert_eq!(fault("a: &a {b: 1}\nc:\n  <<: *a\n"), "3:3 `<<` is not a key: YAML 1.2 has no merge keys");
        assert_eq!(fault(&"[".repeat(100)), "1:33 nested deeper than 32 levels");
        assert_eq!(
            parse("bucket: { name: {account}-x }\n").expect_err("a fault").help,
            "put a name with {account} or {region} in quotes: a bare { begins a section"
        );
    }

    #[test]
    fn an_alias_stands_for_its_value() {
        let node = parse("a: &size 5\nb: *size\n").expect("YAML");
        let Content::Map(entries) = node.content else { panic!("a map") };
        assert_eq!(entries[1].1.scalar(), Some(Scalar::Whole(5)));
    }

    #[test]
    fn anchors_that_multiply_are_refused() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let uses = vec![format!("*a{}", level - 1); 10].join(", ");
            text.push_str(&format!("a{level}: &a{level} [{uses}]\n"));
        }
        assert!(fault(&text).ends_with("more than 20000 values"));
    }

    #[test]
    fn scalars_follow_the_core_schema() {
        for (text, scalar) in [
            ("012", Scalar::Whole(12)),
            ("0x1f", Scalar::Whole(31)),
            ("-1", Scalar::Whole(-1)),
            ("1e3", Scalar::Fraction),
            (".5", Scalar::Fraction),
            ("2.19", Scalar::Fraction),
            ("yes", Scalar::Text("yes")),
            ("1_000", Scalar::Text("1_000")),
            ("1.2.3", Scalar::Text("1.2.3")),
            ("-", Scalar::Text("-")),
            ("~", Scalar::Null),
            ("True", Scalar::Bool(true)),
        ] {
            assert_eq!(resolve(text), scalar, "{text}");
        }
    }
}
