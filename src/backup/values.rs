//! Splits a text into the JSON values that stand in it one after the other, with or without anything between them.

use serde::de::IgnoredAny;
use serde_json::Deserializer;

use super::Piece;

/// No record of Firehose's is as long: 1,000 KiB before base64, and what is told of it when it failed.
const LONGEST_VALUE: usize = 8 << 20;

/// Finds JSON objects in a text that comes in pieces of any size. What is none is told with its place. After something
/// broken it goes on behind it: behind its last brace where its braces are balanced, else in the next line, since a record
/// is a single line.
#[derive(Debug, Default)]
pub(super) struct Splitter {
    /// What was not settled yet; its first byte stands at `offset` of the text.
    buffer: Vec<u8>,
    offset: u64,
    /// A value is not tried again before so much is there, so that a long one is not read over and over.
    wanted: usize,
    skipping: Option<Skipping>,
}

/// A part that is no value and is being passed over.
#[derive(Debug)]
struct Skipping {
    start: u64,
    why: String,
    until: Until,
}

#[derive(Debug)]
enum Until {
    /// The next line or the next value.
    LineOrValue,
    /// The end of what was opened, or the next line.
    Balanced { depth: u32, place: Place },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Outside,
    InString,
    AfterBackslash,
}

impl Splitter {
    /// Takes the next piece of the text.
    pub(super) fn push(&mut self, text: &[u8], tell: &mut impl FnMut(Piece)) {
        self.buffer.extend_from_slice(text);
        if self.skipping.is_some() || self.buffer.len() >= self.wanted {
            self.settle(End::MoreComes, tell);
        }
    }

    /// Takes the end of the text.
    pub(super) fn end(&mut self, tell: &mut impl FnMut(Piece)) {
        self.settle(End::OfText, tell);
        if let Some(skipping) = self.skipping.take() {
            tell(skipping.piece(self.offset));
        }
    }

    fn settle(&mut self, end: End, tell: &mut impl FnMut(Piece)) {
        let mut at = 0;
        self.wanted = 0;
        while at < self.buffer.len() {
            if let Some(skipping) = &mut self.skipping {
                let Some(length) = skipping.pass(&self.buffer[at..]) else {
                    at = self.buffer.len();
                    break;
                };
                at += length;
                let place = self.offset + index(at);
                tell(skipping.piece(place));
                self.skipping = None;
                continue;
            }
            let first = self.buffer[at];
            if first.is_ascii_whitespace() {
                at += 1;
                continue;
            }
            let start = self.offset + index(at);
            if !matches!(first, b'{' | b'[' | b'"') {
                self.skipping = Some(Skipping { start, why: "no JSON object".to_owned(), until: Until::LineOrValue });
                continue;
            }
            let rest = &self.buffer[at..];
            let mut values = Deserializer::from_slice(rest).into_iter::<IgnoredAny>();
            match values.next() {
                Some(Ok(_)) if values.byte_offset() > LONGEST_VALUE => self.skip(start, too_long()),
                Some(Ok(_)) => {
                    let length = values.byte_offset();
                    tell(if first == b'{' {
                        Piece::Value { offset: start, text: rest[..length].to_vec() }
                    } else {
                        Piece::Unreadable {
                            offset: start,
                            length: index(length),
                            why: "a JSON value that is no object".to_owned(),
                        }
                    });
                    at += length;
                }
                Some(Err(error)) if error.is_eof() && rest.len() > LONGEST_VALUE => self.skip(start, too_long()),
                Some(Err(error)) if end == End::MoreComes && may_go_on(&error, rest) => {
                    self.wanted = (rest.len() * 2).min(LONGEST_VALUE + 1);
                    break;
                }
                Some(Err(error)) if error.is_eof() => self.skip(start, "it ends in the middle".to_owned()),
                Some(Err(error)) => self.skip(start, reason(&error)),
                None => break,
            }
        }
        self.buffer.drain(..at);
        self.offset += index(at);
    }

    fn skip(&mut self, start: u64, why: String) {
        let until = Until::Balanced { depth: 0, place: Place::Outside };
        self.skipping = Some(Skipping { start, why, until });
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    MoreComes,
    OfText,
}

impl Skipping {
    /// Returns how much of a text belongs to what is passed over, where its end is in the text.
    fn pass(&mut self, text: &[u8]) -> Option<usize> {
        match &mut self.until {
            Until::LineOrValue => text.iter().position(|byte| matches!(byte, b'\n' | b'{')),
            Until::Balanced { depth, place } => {
                for (at, byte) in text.iter().enumerate() {
                    *place = match (*place, byte) {
                        // JSON's strings hold no line breaks as such.
                        (_, b'\n') => return Some(at),
                        (Place::InString, b'\\') => Place::AfterBackslash,
                        (Place::InString, b'"') => Place::Outside,
                        (Place::InString | Place::AfterBackslash, _) | (Place::Outside, b'"') => Place::InString,
                        (Place::Outside, b'{' | b'[') => {
                            *depth = depth.saturating_add(1);
                            Place::Outside
                        }
                        (Place::Outside, b'}' | b']') => {
                            *depth = depth.saturating_sub(1);
                            if *depth == 0 {
                                return Some(at + 1);
                            }
                            Place::Outside
                        }
                        (Place::Outside, _) => Place::Outside,
                    };
                }
                None
            }
        }
    }

    fn piece(&self, end: u64) -> Piece {
        Piece::Unreadable { offset: self.start, length: end - self.start, why: self.why.clone() }
    }
}

/// Tells whether more of a text may heal it: a number that is cut behind its sign or point is a plain error to serde_json.
fn may_go_on(error: &serde_json::Error, text: &[u8]) -> bool {
    if error.is_eof() {
        return true;
    }
    let line_start = match error.line() {
        0 | 1 => 0,
        line => text.iter().enumerate().filter(|(_, byte)| **byte == b'\n').nth(line - 2).map_or(0, |(at, _)| at + 1),
    };
    line_start + error.column() + 1 >= text.len()
}

fn too_long() -> String {
    format!("longer than {} MiB", LONGEST_VALUE >> 20)
}

/// Returns why a text is not JSON, without serde_json's place: that is within the value and says nothing to a reader.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let why = text.split_once(" at line ").map_or(text.as_str(), |(why, _)| why);
    format!("not JSON: {why}")
}

fn index(at: usize) -> u64 {
    u64::try_from(at).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Splits a text that comes in pieces of this size.
    fn split(text: &[u8], size: usize) -> Vec<Piece> {
        let mut splitter = Splitter::default();
        let mut pieces = Vec::new();
        for chunk in text.chunks(size.max(1)) {
            splitter.push(chunk, &mut |piece| pieces.push(piece));
        }
        splitter.end(&mut |piece| pieces.push(piece));
        pieces
    }

    /// The same in one word each: `0:{"a":1}` for a value, `0+3 why` for what is none.
    fn shown(text: &str) -> Vec<String> {
        let all = split(text.as_bytes(), text.len());
        for size in 1..text.len() {
            assert_eq!(split(text.as_bytes(), size), all, "pieces of {size}: {text}");
        }
        all.into_iter()
            .map(|piece| match piece {
                Piece::Value { offset, text } => format!("{offset}:{}", String::from_utf8(text).expect("UTF-8")),
                Piece::Unreadable { offset, length, why } => format!("{offset}+{length} {why}"),
                Piece::Damaged { why } => why,
            })
            .collect()
    }

    #[test]
    fn values_stand_back_to_back_or_apart() {
        assert_eq!(shown(r#"{"a":1}{"b":"}{"}"#), [r#"0:{"a":1}"#, r#"7:{"b":"}{"}"#]);
        assert_eq!(shown("{\"a\":1}\n\r\n {\"b\":\n2}\n"), ["0:{\"a\":1}", "11:{\"b\":\n2}"]);
        assert_eq!(shown(""), Vec::<String>::new());
        assert_eq!(shown(" \n\t\n"), Vec::<String>::new());
    }

    #[test]
    fn what_is_no_object_is_told_with_its_place() {
        assert_eq!(shown("oops {\"a\":1}\n"), ["0+5 no JSON object", "5:{\"a\":1}"]);
        assert_eq!(shown("{\"a\":1}oops\n{\"b\":2}"), ["0:{\"a\":1}", "7+4 no JSON object", "12:{\"b\":2}"]);
        assert_eq!(shown("12 true\n"), ["0+7 no JSON object"]);
        assert_eq!(shown("[{\"a\":1}]{\"b\":2}"), ["0+9 a JSON value that is no object", "9:{\"b\":2}"]);
        assert_eq!(shown("\"{\"{\"b\":2}"), ["0+3 a JSON value that is no object", "3:{\"b\":2}"]);
    }

    #[test]
    fn behind_a_broken_value_the_next_one_is_found() {
        assert_eq!(shown(r#"{"a":oops}{"b":2}"#), ["0+10 not JSON: expected value", r#"10:{"b":2}"#]);
        assert_eq!(
            shown("{\"a\":{\"x\":\n{\"b\":2}\n{\"c\":3}\n"),
            ["0+10 not JSON: expected `,` or `}`", "11:{\"b\":2}", "19:{\"c\":3}"]
        );
        assert_eq!(
            shown("{\"a\":\"cut sho\n{\"b\":2}\n"),
            ["0+13 not JSON: control character (\\u0000-\\u001F) found while parsing a string", "14:{\"b\":2}"]
        );
        assert_eq!(shown("{\"a\":1}{\"b\":"), ["0:{\"a\":1}", "7+5 it ends in the middle"]);
        assert_eq!(shown("}{\"b\":2}"), ["0+1 no JSON object", "1:{\"b\":2}"]);
    }

    #[test]
    fn a_value_that_is_too_long_is_not_kept() {
        let long = format!("{{\"a\":\"{}\"}}{{\"b\":2}}", "x".repeat(LONGEST_VALUE));
        let mut splitter = Splitter::default();
        let mut pieces = Vec::new();
        let mut most = 0;
        for chunk in long.as_bytes().chunks(1 << 16) {
            splitter.push(chunk, &mut |piece| pieces.push(piece));
            most = most.max(splitter.buffer.len());
        }
        splitter.end(&mut |piece| pieces.push(piece));
        assert!(most <= 2 * LONGEST_VALUE + (1 << 16), "{most}");
        let length = index(LONGEST_VALUE + 8);
        assert_eq!(
            pieces,
            [
                Piece::Unreadable { offset: 0, length, why: "longer than 8 MiB".to_owned() },
                Piece::Value { offset: length, text: b"{\"b\":2}".to_vec() },
            ]
        );
    }

    fn value() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<f64>().prop_map(Into::into),
            ".{0,12}".prop_map(Into::into),
            Just("}{\"\\\n[".into()),
        ];
        let deep = leaf.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
                prop::collection::hash_map(".{0,6}", inner, 0..4)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        });
        prop::collection::hash_map("[a-z]{1,4}", deep, 0..4)
            .prop_map(|map| serde_json::Value::Object(map.into_iter().collect()))
    }

    /// Between two values: nothing, white space, or a line that is none.
    fn between() -> impl Strategy<Value = (String, bool)> {
        prop_oneof![
            Just((String::new(), false)),
            "[ \n\r\t]{1,3}".prop_map(|space| (space, false)),
            "[a-z}\\],:0-9]{1,8}\n".prop_map(|garbage| (garbage, true)),
        ]
    }

    proptest! {
        #[test]
        fn every_value_is_found_whatever_stands_between_and_however_it_comes(
            parts in prop::collection::vec((value(), between(), any::<bool>()), 0..12),
            size in 1_usize..200,
        ) {
            let mut text = String::new();
            let mut wanted = Vec::new();
            let mut garbage = 0;
            for (value, (between, is_garbage), is_pretty) in parts {
                let written = if is_pretty { format!("{value:#}") } else { value.to_string() };
                wanted.push((index(text.len()), written.clone()));
                text.push_str(&written);
                text.push_str(&between);
                garbage += usize::from(is_garbage);
            }
            let pieces = split(text.as_bytes(), size);
            let mut found = Vec::new();
            let mut bad = 0;
            for piece in pieces {
                match piece {
                    Piece::Value { offset, text } => found.push((offset, String::from_utf8(text).expect("UTF-8"))),
                    Piece::Unreadable { .. } | Piece::Damaged { .. } => bad += 1,
                }
            }
            prop_assert_eq!(found, wanted);
            prop_assert_eq!(bad, garbage);
        }

        #[test]
        fn every_byte_is_in_a_value_or_told_or_white(
            text in prop::collection::vec(prop::sample::select(b"{}[]\",:\\ \n19ax\xff".to_vec()), 0..80),
            size in 1_usize..80,
        ) {
            let mut covered = vec![false; text.len()];
            for piece in split(&text, size) {
                let (offset, length) = match piece {
                    Piece::Value { offset, text } => (offset, text.len()),
                    Piece::Unreadable { offset, length, .. } => (offset, usize::try_from(length).expect("short")),
                    Piece::Damaged { .. } => continue,
                };
                let offset = usize::try_from(offset).expect("short");
                for place in &mut covered[offset..offset + length] {
                    prop_assert!(!*place, "told twice");
                    *place = true;
                }
            }
            for (byte, covered) in text.iter().zip(covered) {
                prop_assert!(covered || byte.is_ascii_whitespace(), "lost in silence: {}", byte);
            }
        }
    }
}
