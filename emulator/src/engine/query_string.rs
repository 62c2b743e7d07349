//! Reads Lucene's query string, as its classic parser and the engines' own additions to it do (Lucene's
//! `QueryParser.jj`, OpenSearch's `QueryStringQueryParser`). What it does not support it refuses; it finds nothing itself.

use serde_json::{Map, Value, json};

use super::failure::Failure;
use super::search::{Case, How, Mark, Query, not_supported};

/// How deep parentheses may stand in each other, so that a text cannot exhaust the stack.
const DEEPEST: usize = 100;

/// Reads a text. `fields` is where a word without a field is looked for, `default` how words side by side are joined.
pub(super) fn read(text: &str, fields: &[String], default: How) -> Result<Query, Failure> {
    if text.trim().is_empty() {
        return Ok(Query::None);
    }
    let tokens = tokens(text)?;
    let mut parser = Parser { text, tokens: &tokens, next: 0, depth: 0, fields, default };
    let clauses = parser.clauses(None)?;
    if parser.peek().is_some() {
        return Err(parser.unreadable());
    }
    Ok(joined(clauses))
}

/// A piece of a text. Escapes are still in it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    And,
    Or,
    Not,
    Plus,
    Minus,
    Open,
    Close,
    Colon,
    Star,
    Quoted(String),
    Term(String),
    /// A word that ends with its only star, which is not in it.
    Prefix(String),
    Wildcard(String),
    Range {
        from: Bound,
        to: Bound,
    },
}

/// An end of a range: its text, none where it is open, and whether it belongs to the range.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Bound {
    text: Option<String>,
    edge: Edge,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Edge {
    Included,
    Excluded,
}

/// Whether a clause must be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Occurs {
    Must,
    May,
    Never,
}

/// What stands between a clause and the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Conjunction {
    None,
    And,
    Or,
}

struct Parser<'a> {
    text: &'a str,
    tokens: &'a [Token],
    next: usize,
    depth: usize,
    fields: &'a [String],
    default: How,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next)
    }

    fn take(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.next).cloned();
        self.next += 1;
        token
    }

    fn unreadable(&self) -> Failure {
        unreadable(self.text)
    }

    /// Clauses up to a closing parenthesis or the end, as Lucene's `addClause` joins them: AND makes both of its sides
    /// needed, and OR, where every word is needed else, makes both optional.
    fn clauses(&mut self, field: Option<&str>) -> Result<Vec<(Occurs, Query)>, Failure> {
        let mut clauses: Vec<(Occurs, Query)> = Vec::new();
        let every_word = self.default == How::EveryWord;
        loop {
            if let Some(text) = self.several_words() {
                let text = unescaped(&text).ok_or_else(|| self.unreadable())?;
                clauses.push((if every_word { Occurs::Must } else { Occurs::May }, self.word(field, &text)));
                continue;
            }
            let is_first = clauses.is_empty();
            if !is_first && matches!(self.peek(), None | Some(Token::Close)) {
                return Ok(clauses);
            }
            let conjunction = if is_first {
                Conjunction::None
            } else if self.peek() == Some(&Token::And) {
                Conjunction::And
            } else if self.peek() == Some(&Token::Or) {
                Conjunction::Or
            } else {
                Conjunction::None
            };
            if conjunction != Conjunction::None {
                self.next += 1;
            }
            let modifier = self.peek().cloned();
            if matches!(modifier, Some(Token::Plus | Token::Minus | Token::Not)) {
                self.next += 1;
            }
            let is_never = matches!(modifier, Some(Token::Minus | Token::Not));
            let is_needed = modifier == Some(Token::Plus);
            let query = self.clause(field)?;
            if let Some((before @ (Occurs::Must | Occurs::May), _)) = clauses.last_mut() {
                match conjunction {
                    Conjunction::And => *before = Occurs::Must,
                    Conjunction::Or if every_word => *before = Occurs::May,
                    Conjunction::Or | Conjunction::None => {}
                }
            }
            let must =
                if every_word { conjunction != Conjunction::Or } else { conjunction == Conjunction::And || is_needed };
            let occurs = match (is_never, must) {
                (true, _) => Occurs::Never,
                (false, true) => Occurs::Must,
                (false, false) => Occurs::May,
            };
            clauses.push((occurs, query));
        }
    }

    /// Words side by side, which are looked for as one text: a keyword is compared with all of them, and where every word is
    /// needed, all must be in one field. A word that an operator follows is not one of them (Lucene's `MultiTerm`).
    fn several_words(&mut self) -> Option<String> {
        let mut words: Vec<&str> = Vec::new();
        while let Some(Token::Term(word)) = self.tokens.get(self.next + words.len()) {
            let behind = self.tokens.get(self.next + words.len() + 1);
            if !words.is_empty() && matches!(behind, Some(Token::Colon | Token::Star | Token::And | Token::Or)) {
                break;
            }
            words.push(word);
        }
        if words.len() < 2 {
            return None;
        }
        self.next += words.len();
        Some(words.join(" "))
    }

    fn clause(&mut self, field: Option<&str>) -> Result<Query, Failure> {
        let own_field = match self.tokens.get(self.next..self.next + 2) {
            Some([Token::Term(name), Token::Colon]) => Some(unescaped(name).ok_or_else(|| self.unreadable())?),
            Some([Token::Star, Token::Colon]) => Some("*".to_owned()),
            Some(_) | None => None,
        };
        if own_field.is_some() {
            self.next += 2;
        }
        let field = own_field.as_deref().or(field);
        match self.take() {
            Some(Token::Open) => {
                self.depth += 1;
                if self.depth > DEEPEST {
                    return Err(self.unreadable());
                }
                let clauses = self.clauses(field)?;
                if self.take() != Some(Token::Close) {
                    return Err(self.unreadable());
                }
                self.depth -= 1;
                Ok(joined(clauses))
            }
            Some(Token::Term(word)) => {
                let word = unescaped(&word).ok_or_else(|| self.unreadable())?;
                Ok(self.word(field, &word))
            }
            Some(Token::Quoted(phrase)) => {
                let phrase = unescaped(&phrase).ok_or_else(|| self.unreadable())?;
                Ok(match field {
                    Some("_exists_") => Query::Exists { field: phrase },
                    _ => self.each(field, |field| words(field, phrase.clone(), How::Phrase)),
                })
            }
            Some(Token::Star) => Ok(match field {
                Some("*") => Query::All,
                Some(field) => Query::Exists { field: field.to_owned() },
                None if self.fields == ["*"] => Query::All,
                None => self.each(None, |field| Query::Exists { field }),
            }),
            Some(Token::Prefix(word)) => {
                let word = unescaped(&word).ok_or_else(|| self.unreadable())?;
                let pattern: Vec<Mark> = word.chars().map(Mark::Is).chain([Mark::Any]).collect();
                Ok(self.each(field, |field| Query::Wildcard {
                    field,
                    pattern: pattern.clone(),
                    case: Case::OfTheField,
                }))
            }
            Some(Token::Wildcard(word)) => {
                let pattern = Mark::read(&word);
                Ok(self.each(field, |field| Query::Wildcard {
                    field,
                    pattern: pattern.clone(),
                    case: Case::OfTheField,
                }))
            }
            Some(Token::Range { from, to }) => self.range(field, &from, &to),
            Some(Token::And | Token::Or | Token::Not | Token::Plus | Token::Minus | Token::Close | Token::Colon)
            | None => Err(self.unreadable()),
        }
    }

    /// A word, or the end of a range that it begins with.
    fn word(&self, field: Option<&str>, word: &str) -> Query {
        if field == Some("_exists_") {
            return Query::Exists { field: word.to_owned() };
        }
        // A sign alone is a word, and `>=` alone is what is more than `=`.
        let signs = [(">=", "gte", 2), ("<=", "lte", 2), (">", "gt", 1), ("<", "lt", 1)];
        for (sign, bound, longer_than) in signs {
            if let Some(value) = word.strip_prefix(sign)
                && word.len() > longer_than
            {
                let bounds = Map::from_iter([(bound.to_owned(), json!(value))]);
                return self.each(field, |field| Query::Range {
                    field,
                    bounds: bounds.clone(),
                    case: Case::OfTheField,
                });
            }
        }
        self.each(field, |field| words(field, word.to_owned(), self.default))
    }

    fn range(&self, field: Option<&str>, from: &Bound, to: &Bound) -> Result<Query, Failure> {
        let mut bounds = Map::new();
        for (bound, included, excluded) in [(from, "gte", "gt"), (to, "lte", "lt")] {
            let Some(text) = &bound.text else { continue };
            let name = if bound.edge == Edge::Included { included } else { excluded };
            let text = unescaped(text).ok_or_else(|| self.unreadable())?;
            bounds.insert(name.to_owned(), Value::String(text));
        }
        Ok(self.each(field, |field| Query::Range { field, bounds: bounds.clone(), case: Case::OfTheField }))
    }

    /// A query for the field that was named, or for each where a word is looked for else.
    fn each(&self, field: Option<&str>, one: impl Fn(String) -> Query) -> Query {
        match (field, self.fields) {
            (Some(field), _) => one(field.to_owned()),
            (None, [field]) => one(field.clone()),
            (None, fields) => Query::Any(fields.iter().cloned().map(one).collect()),
        }
    }
}

fn words(field: String, text: String, how: How) -> Query {
    if field == "_id" { Query::Ids([text].into()) } else { Query::Words { field, text, how } }
}

/// Puts clauses together. What is only forbidden stands for everything else (`Queries.fixNegativeQueryIfNeeded`).
fn joined(clauses: Vec<(Occurs, Query)>) -> Query {
    let is_needed = clauses.iter().any(|(occurs, _)| *occurs == Occurs::Must);
    let (mut every, mut any) = (Vec::new(), Vec::new());
    for (occurs, one) in clauses {
        match occurs {
            Occurs::Must => every.push(one),
            Occurs::Never => every.push(Query::Not(Box::new(one))),
            Occurs::May => any.push(one),
        }
    }
    // Beside what must be there, what may be there only raises a score.
    if !is_needed && !any.is_empty() {
        every.push(Query::Any(any));
    }
    Query::Every(every)
}

/// The error of a text that is none.
fn unreadable(text: &str) -> Failure {
    Failure::new(400, "search_phase_execution_exception", "all shards failed").caused_by(Failure::new(
        400,
        "query_shard_exception",
        format!("Failed to parse query [{text}]"),
    ))
}

fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\r' | '\u{3000}')
}

/// Whether a word may begin with a character that is not escaped.
fn begins_a_word(character: char) -> bool {
    !is_space(character) && !"+-!():^[]\"{}~*?\\/".contains(character)
}

fn tokens(text: &str) -> Result<Vec<Token>, Failure> {
    let characters: Vec<char> = text.chars().collect();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(character) = characters.get(at).copied() {
        let next = characters.get(at + 1).copied();
        let single = match character {
            // Before a space these are words of their own.
            '+' | '-' | '!' if next.is_some_and(is_space) => Some(Token::Term(character.to_string())),
            '+' => Some(Token::Plus),
            '-' => Some(Token::Minus),
            '!' => Some(Token::Not),
            '(' => Some(Token::Open),
            ')' => Some(Token::Close),
            ':' => Some(Token::Colon),
            _ => None,
        };
        if let Some(token) = single {
            found.push(token);
            at += 1;
            continue;
        }
        match character {
            space if is_space(space) => at += 1,
            '"' => {
                let (phrase, end) = quoted(&characters, at).ok_or_else(|| unreadable(text))?;
                found.push(Token::Quoted(phrase));
                at = end;
            }
            '[' | '{' => {
                let (range, end) = range(&characters, at).ok_or_else(|| unreadable(text))?;
                found.push(range);
                at = end;
            }
            '/' if characters[at + 1..].contains(&'/') => {
                return Err(not_supported("query_string", "a regular expression in /…/; a slash alone is \\/"));
            }
            '~' | '^' if !found.is_empty() => {
                return Err(not_supported("query_string", &format!("{character} behind a word")));
            }
            '*' | '?' | '\\' => at = word(text, &characters, at, &mut found)?,
            other if begins_a_word(other) => at = word(text, &characters, at, &mut found)?,
            _ => return Err(unreadable(text)),
        }
    }
    Ok(found)
}

/// Takes the word at a place, and returns where it ends.
fn word(text: &str, characters: &[char], start: usize, found: &mut Vec<Token>) -> Result<usize, Failure> {
    let mut at = start;
    let mut stars = Vec::new();
    while let Some(character) = characters.get(at).copied() {
        match character {
            '\\' if at + 1 < characters.len() => at += 1,
            // Lucene: "Term can not end with escape character".
            '\\' => return Err(unreadable(text)),
            '*' | '?' => stars.push(at),
            '-' | '+' => {}
            other if begins_a_word(other) => {}
            _ => break,
        }
        at += 1;
    }
    let word: String = characters[start..at].iter().collect();
    found.push(match (word.as_str(), &stars[..]) {
        ("AND" | "&&", _) => Token::And,
        ("OR" | "||", _) => Token::Or,
        ("NOT", _) => Token::Not,
        ("*", _) => Token::Star,
        (_, []) => Token::Term(word),
        (_, [only]) if *only + 1 == at && characters[*only] == '*' => Token::Prefix(word[..word.len() - 1].to_owned()),
        (_, _) => Token::Wildcard(word),
    });
    Ok(at)
}

/// The inside of the quotes that begin at a place, and where they end.
fn quoted(characters: &[char], start: usize) -> Option<(String, usize)> {
    let mut inside = String::new();
    let mut at = start + 1;
    loop {
        match *characters.get(at)? {
            '"' => return Some((inside, at + 1)),
            '\\' => {
                inside.push('\\');
                inside.push(*characters.get(at + 1)?);
                at += 2;
            }
            other => {
                inside.push(other);
                at += 1;
            }
        }
    }
}

/// The range that begins at a place, and where it ends.
fn range(characters: &[char], start: usize) -> Option<(Token, usize)> {
    let mut at = start + 1;
    let mut parts: Vec<Option<String>> = Vec::new();
    let ends_with = loop {
        match *characters.get(at)? {
            space if is_space(space) => at += 1,
            end @ (']' | '}') => break end,
            '"' => {
                let (text, end) = quoted(characters, at)?;
                parts.push(Some(text));
                at = end;
            }
            _ => {
                let end = characters[at..].iter().position(|one| matches!(one, ' ' | ']' | '}'))? + at;
                let text: String = characters[at..end].iter().collect();
                parts.push(if text == "*" { None } else { Some(text) });
                at = end;
            }
        }
    };
    let [from, between, to] = &parts[..] else { return None };
    if between.as_deref() != Some("TO") {
        return None;
    }
    let edge = |included: bool| if included { Edge::Included } else { Edge::Excluded };
    let from = Bound { text: from.clone(), edge: edge(characters[start] == '[') };
    let to = Bound { text: to.clone(), edge: edge(ends_with == ']') };
    Some((Token::Range { from, to }, at + 1))
}

/// A text without its escapes, `\uXXXX` among them; none where one is not complete.
fn unescaped(text: &str) -> Option<String> {
    let mut plain = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            plain.push(character);
            continue;
        }
        match characters.next()? {
            'u' => {
                let digits: String = characters.by_ref().take(4).collect();
                let is_hex = digits.len() == 4 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
                plain.push(is_hex.then(|| u32::from_str_radix(&digits, 16).ok()).flatten().and_then(char::from_u32)?);
            }
            other => plain.push(other),
        }
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::{How, read};

    fn shown(text: &str) -> String {
        match read(text, &["*".to_owned()], How::AnyWord) {
            Ok(query) => format!("{query:?}"),
            Err(failure) => format!("{failure:?}"),
        }
    }

    #[test]
    fn what_lucene_refuses_is_refused() {
        for text in [
            "a AND",
            "AND",
            "OR a",
            "a OR OR b",
            "a:",
            ":a",
            "a:b:c",
            "(a",
            "a)",
            "()",
            "a:()",
            "a:(b",
            "\"a",
            "[1 TO 2",
            "[1]",
            "[1 2]",
            "a:+b",
            "+-a",
            "NOT NOT a",
            "a\\",
            "mess*:a",
            "^2",
            "~2",
            "/a",
            "\\u00",
            "]",
        ] {
            assert!(shown(text).contains("query_shard_exception"), "{text}: {}", shown(text));
        }
        assert!(shown(&"(".repeat(100_000)).contains("query_shard_exception"));
    }

    #[test]
    fn what_is_not_supported_is_said() {
        for text in ["pay~", "pay^2", "\"a b\"~3", "/pay.*/", "(a)^2"] {
            assert!(shown(text).contains("the local AWS does not support"), "{text}: {}", shown(text));
        }
    }

    #[test]
    fn the_same_is_read_however_it_is_written() {
        for (one, other) in [
            ("a AND b", "a && b"),
            ("a OR b", "a || b"),
            ("NOT a", "-a"),
            ("NOT a", "!a"),
            ("+a +b", "a AND b"),
            ("level:ERROR", "level : ERROR"),
            ("level:ERROR", "level:\\ERROR"),
            ("level:ERROR", "level:\\u0045RROR"),
            ("n:>5", "n:{5 TO *}"),
            ("n:<=5", "n:[* TO \"5\"]"),
            ("n:(a \"b\")", "(n:a n:\"b\")"),
            ("n:(a b)", "(n:a\\ b)"),
            ("", "  "),
        ] {
            assert_eq!(shown(one), shown(other), "{one}");
        }
    }
}
