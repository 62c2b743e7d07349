//! Turns a text into records for Firehose: JSON objects as they are, one line each, and plain lines as objects of their
//! own. What cannot become a record is told with its line, and the rest goes on. Holds one record at a time, never a
//! whole file. Sends nothing.

use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;
use jiff::Zoned;
use serde_json::json;

/// The most that one record may hold, before base64 (Firehose quotas: 1,000 KiB).
pub const LARGEST_RECORD: usize = 1_024_000;

/// The most that an object over several lines may take before its indentation is taken out; what goes on for longer never
/// was one.
const LARGEST_OBJECT: usize = 4 * LARGEST_RECORD;

/// How many bytes of a file say whether it is text.
const LOOKED_AT: usize = 8192;

/// What one step through a text gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A record, with a newline at its end.
    Record(Vec<u8>),
    /// Something that cannot be sent.
    Fault {
        /// The line, counted from 1; `None` where the whole source is meant.
        line: Option<u64>,
        /// Why; lower case, no full stop.
        why: String,
    },
}

/// Reads a source, unpacked where it is gzip. Ends after the first fault that the rest cannot be read behind.
pub struct Records {
    reader: Box<dyn BufRead + Send>,
    /// Bytes of lines that were read ahead and belong to no record yet, with the line that each begins at.
    ahead: Vec<u8>,
    /// The line that `ahead` begins with.
    line: u64,
    /// The line that the last step began at.
    began: u64,
    /// How far the object at the front of `ahead` was looked through.
    scan: Scan,
    state: State,
    clock: fn() -> Zoned,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing was read.
    Fresh,
    /// In the middle.
    Going,
    /// The source gives no more; `ahead` may still hold lines.
    Drained,
    /// All was given out.
    Over,
}

impl std::fmt::Debug for Records {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Records").field("line", &self.line).field("state", &self.state).finish_non_exhaustive()
    }
}

impl Records {
    /// Reads from a source; `clock` gives the time of a plain line, which has none of its own.
    ///
    /// # Errors
    /// Fails where the source cannot be read at all.
    pub fn new(source: impl Read + Send + 'static, clock: fn() -> Zoned) -> io::Result<Self> {
        let mut plain = BufReader::with_capacity(64 * 1024, source);
        let is_gzip = fill(&mut plain)?.starts_with(&[0x1f, 0x8b]);
        let reader: Box<dyn BufRead + Send> =
            if is_gzip { Box::new(BufReader::new(MultiGzDecoder::new(plain))) } else { Box::new(plain) };
        Ok(Self { reader, ahead: Vec::new(), line: 1, began: 1, scan: Scan::default(), state: State::Fresh, clock })
    }

    /// Returns the line that the last step began at, counted from 1.
    #[must_use]
    pub fn began_at(&self) -> u64 {
        self.began
    }

    fn begin(&mut self) -> Option<Step> {
        self.state = State::Going;
        let start = match fill(&mut self.reader) {
            Ok(start) => start,
            Err(error) => return Some(self.unreadable(&error)),
        };
        let whole = |why: &str| Some(Step::Fault { line: None, why: why.to_owned() });
        let fault = if start.is_empty() {
            whole("is empty")
        } else if start.starts_with(&[0xff, 0xfe]) || start.starts_with(&[0xfe, 0xff]) {
            whole("is UTF-16; records are UTF-8 (`iconv -f UTF-16 -t UTF-8` turns it)")
        } else if is_binary(&start[..start.len().min(LOOKED_AT)]) {
            whole("is binary, not text")
        } else if is_array_of_objects(start) {
            whole("is one JSON array; a record is an object (`jq -c '.[]'` takes it apart)")
        } else {
            if start.starts_with(b"\xef\xbb\xbf") {
                self.reader.consume(3);
            }
            return None;
        };
        self.state = State::Over;
        fault
    }

    /// Reads one more line into `ahead`; a line that is longer than a record may be is left out but for its beginning.
    fn read_line(&mut self) -> Result<Line, Step> {
        let start = self.ahead.len();
        let mut length = 0_usize;
        loop {
            let available = match self.reader.fill_buf() {
                Ok(available) => available,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(self.unreadable(&error)),
            };
            if available.is_empty() {
                self.state = State::Drained;
                return Ok(if length == 0 { Line::None } else { self.judged(start, length) });
            }
            let end = available.iter().position(|byte| *byte == b'\n');
            let taken = end.map_or(available.len(), |end| end + 1);
            length += taken;
            // Two bytes more than fit are kept, so that what is too long is seen to be.
            let room = (LARGEST_RECORD + 2).saturating_sub(self.ahead.len() - start).min(taken);
            self.ahead.extend_from_slice(&available[..room]);
            self.reader.consume(taken);
            if end.is_some() {
                return Ok(self.judged(start, length));
            }
        }
    }

    fn judged(&mut self, start: usize, length: usize) -> Line {
        if length <= LARGEST_RECORD {
            return Line::Read;
        }
        self.ahead.truncate(start);
        Line::TooLong(length)
    }

    fn unreadable(&mut self, error: &io::Error) -> Step {
        self.state = State::Over;
        let lost = if self.ahead.is_empty() { None } else { Some(self.line) };
        self.drop_ahead();
        let why = match error.kind() {
            io::ErrorKind::UnexpectedEof => "the gzip file ends in the middle; what follows is missing".to_owned(),
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
                format!("the gzip file is damaged; what follows is missing ({error})")
            }
            _ => format!("cannot be read further: {error}"),
        };
        Step::Fault { line: lost.or(Some(self.line)), why }
    }

    fn drop_ahead(&mut self) {
        self.ahead.clear();
        self.scan = Scan::default();
    }

    /// Takes the first line out of `ahead`, without its line break.
    fn take_line(&mut self) -> Vec<u8> {
        self.scan = Scan::default();
        let end = self.ahead.iter().position(|byte| *byte == b'\n').map_or(self.ahead.len(), |end| end + 1);
        let rest = self.ahead.split_off(end);
        let mut line = std::mem::replace(&mut self.ahead, rest);
        while line.last().is_some_and(|byte| *byte == b'\n' || *byte == b'\r') {
            line.pop();
        }
        self.line += 1;
        line
    }

    /// Takes an object of `length` bytes off the front of `ahead`, what reaches to the end of a comma behind it, and the rest
    /// of its line where that is blank.
    fn take_object(&mut self, length: usize, comma: usize) -> Vec<u8> {
        self.scan = Scan::default();
        let mut object: Vec<u8> = self.ahead.drain(..length).collect();
        self.ahead.drain(..comma);
        self.line += count_lines(&object);
        let blank = self.ahead.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r')).count();
        if self.ahead.get(blank) == Some(&b'\n') {
            self.ahead.drain(..=blank);
            self.line += 1;
        }
        object = on_one_line(&object);
        object
    }

    /// Returns the record or fault at the front of `ahead`, which holds a line at least; `None` where more has to be read.
    fn next_of_ahead(&mut self) -> Next {
        let blank = self.ahead.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r')).count();
        match self.ahead.get(blank) {
            None => {
                self.drop_ahead();
                return Next::Nothing;
            }
            Some(b'\n') => {
                self.take_line();
                return Next::Nothing;
            }
            Some(b'{') => match self.scan.go_on(&self.ahead[blank..]) {
                Scanned::Ends(end) => match std::str::from_utf8(&self.ahead[blank..blank + end]) {
                    Ok(text) if serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok() => {
                        let comma = match what_follows(&self.ahead[blank + end..]) {
                            Follows::NoText { comma } => Some(comma),
                            // A line that only begins with an object is a line.
                            Follows::Text => text.contains('\n').then_some(0),
                        };
                        if let Some(comma) = comma {
                            self.ahead.drain(..blank);
                            return Next::Step(self.record(end, comma));
                        }
                    }
                    // It has the form of an object and is no JSON: its first line is text.
                    Ok(_) => {}
                    Err(error) => {
                        let (line, byte) = (Some(self.line), error.valid_up_to() + 1);
                        self.ahead.drain(..blank);
                        self.take_object(end, 0);
                        let why = format!("byte {byte} of the JSON object that begins here is not UTF-8");
                        return Next::Step(Step::Fault { line, why });
                    }
                },
                Scanned::None => {}
                Scanned::Breaks(end) => return Next::Step(self.unended(blank + end)),
                Scanned::Open if self.state == State::Drained || self.ahead.len() > LARGEST_OBJECT => {
                    return Next::Step(self.unended(self.ahead.len()));
                }
                Scanned::Open => return Next::More,
            },
            Some(_) => {}
        }
        let line = self.line;
        self.began = line;
        let text = self.take_line();
        Next::Step(self.plain(line, text))
    }

    /// Takes an object that does not end off the front of `ahead`: its first line, and those before `end` that are plainly
    /// its own. What follows is looked at anew, so that one line that was cut costs no other.
    fn unended(&mut self, end: usize) -> Step {
        let first = self.line;
        self.began = first;
        let behind = self.ahead.len() - end;
        let begin = self.take_line();
        while self.ahead.len() > behind {
            let length = self.ahead.iter().position(|byte| *byte == b'\n').unwrap_or(self.ahead.len());
            let with_break = (length + 1).min(self.ahead.len());
            if self.ahead.len() - with_break < behind || !goes_on_with(&self.ahead[..length]) {
                break;
            }
            self.take_line();
        }
        let last = self.line - 1;
        if last == first && begin.trim_ascii() == b"{" {
            // A brace alone begins many a thing.
            return self.plain(first, begin);
        }
        let rest = if last > first { format!(" (lines {first} to {last})") } else { String::new() };
        Step::Fault { line: Some(first), why: format!("the JSON object that begins here does not end{rest}") }
    }

    fn record(&mut self, length: usize, comma: usize) -> Step {
        let line = self.line;
        self.began = line;
        let mut record = self.take_object(length, comma);
        record.push(b'\n');
        if record.len() > LARGEST_RECORD { too_long(line, record.len()) } else { Step::Record(record) }
    }

    fn plain(&self, line: u64, text: Vec<u8>) -> Step {
        let text = match String::from_utf8(text) {
            Ok(text) => text,
            Err(error) => {
                let column = error.utf8_error().valid_up_to() + 1;
                return Step::Fault { line: Some(line), why: format!("byte {column} of the line is not UTF-8") };
            }
        };
        // A log that was cut while it was written begins with a hole.
        let text = text.trim_matches('\0');
        if text.contains('\0') {
            return Step::Fault { line: Some(line), why: "is binary, not text".to_owned() };
        }
        let asctime = (self.clock)().strftime("%Y-%m-%dT%H:%M:%S%.3f%z").to_string();
        let record = format!("{}\n", json!({"asctime": asctime, "message": text})).into_bytes();
        if record.len() > LARGEST_RECORD { too_long(line, record.len()) } else { Step::Record(record) }
    }
}

enum Line {
    Read,
    TooLong(usize),
    None,
}

enum Next {
    Step(Step),
    Nothing,
    More,
}

impl Iterator for Records {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        if self.state == State::Fresh
            && let Some(fault) = self.begin()
        {
            return Some(fault);
        }
        let mut more = self.ahead.is_empty();
        loop {
            if self.state == State::Over {
                return None;
            }
            if more && self.state == State::Going {
                match self.read_line() {
                    Ok(Line::Read | Line::None) => {}
                    Ok(Line::TooLong(length)) => {
                        let line = self.line + count_lines(&self.ahead);
                        if self.ahead.is_empty() {
                            self.line += 1;
                        } else {
                            // It would have belonged to the object that was begun, which is now no object.
                            let begun = self.line;
                            self.drop_ahead();
                            self.line = line + 1;
                            return Some(too_long(begun, length));
                        }
                        return Some(too_long(line, length));
                    }
                    Err(fault) => return Some(fault),
                }
            }
            if self.ahead.is_empty() {
                if self.state == State::Drained {
                    self.state = State::Over;
                    return None;
                }
                more = true;
                continue;
            }
            match self.next_of_ahead() {
                Next::Step(step) => return Some(step),
                Next::Nothing => more = self.ahead.is_empty(),
                Next::More => more = true,
            }
        }
    }
}

fn fill(reader: &mut impl BufRead) -> io::Result<&[u8]> {
    loop {
        match reader.fill_buf() {
            Ok(_) => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    reader.fill_buf()
}

fn too_long(line: u64, length: usize) -> Step {
    Step::Fault {
        line: Some(line),
        why: format!("is {length} bytes long as a record; Firehose takes {LARGEST_RECORD} (1,000 KiB)"),
    }
}

fn count_lines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}

/// What stands behind an object on its last line.
enum Follows {
    /// Nothing, or another object; a comma between the two ends here.
    NoText { comma: usize },
    /// Something else.
    Text,
}

fn what_follows(rest: &[u8]) -> Follows {
    let blank = |from: usize| rest[from..].iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r')).count();
    let mut at = blank(0);
    let mut comma = 0;
    if rest.get(at) == Some(&b',') {
        comma = at + 1;
        at = comma + blank(comma);
    }
    match rest.get(at) {
        None | Some(b'\n' | b'{') => Follows::NoText { comma },
        Some(_) => Follows::Text,
    }
}

/// Tells whether the beginning of a file is no text. Holes alone, which a log has that was cut while it was written, make it
/// none.
fn is_binary(start: &[u8]) -> bool {
    let is_control = |byte: &u8| matches!(byte, 0x01..=0x08 | 0x0e..=0x1a | 0x1c..=0x1f);
    start.contains(&0) && (start.iter().any(is_control) || start.iter().all(|byte| *byte == 0))
}

/// An array whose first element is an object, and no log line such as `[2026-11-24] started`.
fn is_array_of_objects(start: &[u8]) -> bool {
    let mut bytes = start.iter().filter(|byte| !byte.is_ascii_whitespace());
    bytes.next() == Some(&b'[') && bytes.next() == Some(&b'{') && bytes.next() == Some(&b'"')
}

/// Tells whether a line looks like one inside an object over several lines: indented, or nothing but its end.
fn goes_on_with(line: &[u8]) -> bool {
    line.first().is_some_and(|byte| matches!(byte, b' ' | b'\t'))
        || line.iter().all(|byte| matches!(byte, b'}' | b']' | b',' | b'\r'))
}

/// Follows the form of a JSON object, line for line as the text grows, until it ends or can be none. What stands within
/// strings and numbers is not looked at.
#[derive(Clone, Debug, Default)]
struct Scan {
    at: usize,
    /// The brackets that are open, outermost first.
    open: Vec<u8>,
    due: Due,
    within: Within,
    /// Where the line begins that was reached, after the first one.
    line: Option<usize>,
}

/// What may come next, beside blanks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Due {
    #[default]
    Value,
    /// A value, or the end of the list.
    FirstValue,
    Key,
    /// A key, or the end of the object.
    FirstKey,
    Colon,
    /// A comma, or the end of what is open.
    Comma,
}

/// In what more than one byte long the scan is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Within {
    #[default]
    Nothing,
    String,
    /// Behind a backslash in a string.
    Escape,
    /// A number, `true`, `false` or `null`.
    Word,
}

/// What a scan has found.
enum Scanned {
    /// The object ends here.
    Ends(usize),
    /// It may go on for more lines.
    Open,
    /// The first line is none of an object.
    None,
    /// It cannot go on beyond the line that ends here.
    Breaks(usize),
}

impl Scan {
    /// Looks on where the last call ended; the text is the same, and may be longer.
    fn go_on(&mut self, text: &[u8]) -> Scanned {
        for byte in text.iter().skip(self.at) {
            self.at += 1;
            match (self.within, byte) {
                // JSON has no line break in a string.
                (Within::String | Within::Escape, b'\n') => return Scanned::Breaks(self.at),
                (Within::Escape, _) => self.within = Within::String,
                (Within::String, b'\\') => self.within = Within::Escape,
                (Within::String, b'"') => self.within = Within::Nothing,
                (Within::String, _) => {}
                (Within::Word, b'a'..=b'z' | b'0'..=b'9' | b'E' | b'+' | b'-' | b'.') => {}
                (Within::Word | Within::Nothing, byte) => {
                    self.within = Within::Nothing;
                    match byte {
                        b'\n' => self.line = Some(self.at),
                        b' ' | b'\t' | b'\r' => {}
                        byte if !self.take(*byte) => return self.line.map_or(Scanned::None, Scanned::Breaks),
                        _ if self.open.is_empty() => return Scanned::Ends(self.at),
                        _ => {}
                    }
                }
            }
        }
        Scanned::Open
    }

    /// Takes a byte where none is left to be read; returns whether it may stand there.
    fn take(&mut self, byte: u8) -> bool {
        let in_object = self.open.last() == Some(&b'{');
        (self.due, self.within) = match (self.due, byte) {
            (Due::Value | Due::FirstValue, b'{') => {
                self.open.push(byte);
                (Due::FirstKey, Within::Nothing)
            }
            (Due::Value | Due::FirstValue, b'[') => {
                self.open.push(byte);
                (Due::FirstValue, Within::Nothing)
            }
            (Due::Value | Due::FirstValue, b'"') => (Due::Comma, Within::String),
            (Due::Value | Due::FirstValue, b't' | b'f' | b'n' | b'-' | b'0'..=b'9') => (Due::Comma, Within::Word),
            (Due::Key | Due::FirstKey, b'"') => (Due::Colon, Within::String),
            (Due::Colon, b':') => (Due::Value, Within::Nothing),
            (Due::Comma, b',') => (if in_object { Due::Key } else { Due::Value }, Within::Nothing),
            (Due::Comma | Due::FirstKey, b'}') if in_object => {
                self.open.pop();
                (Due::Comma, Within::Nothing)
            }
            (Due::Comma | Due::FirstValue, b']') if !in_object => {
                self.open.pop();
                (Due::Comma, Within::Nothing)
            }
            _ => return false,
        };
        true
    }
}

/// Takes the line breaks and indentation out of a JSON text; its values stay as they were written.
fn on_one_line(text: &[u8]) -> Vec<u8> {
    if !text.contains(&b'\n') && !text.contains(&b'\r') {
        return text.to_vec();
    }
    let mut line = Vec::with_capacity(text.len());
    let mut is_string = false;
    let mut is_escaped = false;
    for byte in text {
        if is_string {
            match byte {
                _ if is_escaped => is_escaped = false,
                b'\\' => is_escaped = true,
                b'"' => is_string = false,
                _ => {}
            }
        } else if byte.is_ascii_whitespace() {
            continue;
        } else if *byte == b'"' {
            is_string = true;
        }
        line.push(*byte);
    }
    line
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write as _};

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    const NOW: &str = "2026-11-24T03:00:00.5+01:00[Europe/Berlin]";

    fn noon() -> Zoned {
        let fixed = jiff::tz::TimeZone::fixed(jiff::tz::offset(1));
        "2026-11-24T02:00:00.5Z".parse::<jiff::Timestamp>().expect(NOW).to_zoned(fixed)
    }

    fn told(bytes: impl Into<Vec<u8>>) -> Vec<String> {
        let records = Records::new(Cursor::new(bytes.into()), noon).expect("a source");
        records
            .map(|step| match step {
                Step::Record(bytes) => String::from_utf8(bytes).expect("UTF-8"),
                Step::Fault { line, why } => format!("{}: {why}", line.map_or("-".to_owned(), |line| line.to_string())),
            })
            .collect()
    }

    fn plain(message: &str) -> String {
        format!("{}\n", json!({"asctime": "2026-11-24T03:00:00.500+0100", "message": message}))
    }

    fn packed(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).expect("memory");
        encoder.finish().expect("memory")
    }

    #[test]
    fn objects_go_as_they_are_and_plain_lines_become_objects_with_the_time() {
        assert_eq!(
            told("{\"a\": 1.50,\"b\":12345678901234567890123}\r\n\nhello \"you\"\n{\"c\":\"\\u00e4\"}"),
            ["{\"a\": 1.50,\"b\":12345678901234567890123}\n", &plain("hello \"you\""), "{\"c\":\"\\u00e4\"}\n"]
        );
    }

    #[test]
    fn objects_over_several_lines_and_side_by_side_are_taken_apart() {
        assert_eq!(
            told("{\n  \"a\": \"x } y\",\n  \"b\": [1, {\"c\": 2}]\n}\n{\"d\":1}{\"e\":2} {\"f\":3}\nlast\n"),
            ["{\"a\":\"x } y\",\"b\":[1,{\"c\":2}]}\n", "{\"d\":1}\n", "{\"e\":2}\n", "{\"f\":3}\n", &plain("last")]
        );
    }

    #[test]
    fn what_only_looks_like_an_object_is_a_line() {
        assert_eq!(
            told("{'a': 1}\n{\"a\": oops}\n[2026] {x}\n{\n{\"b\":1}\n"),
            [plain("{'a': 1}"), plain("{\"a\": oops}"), plain("[2026] {x}"), plain("{"), "{\"b\":1}\n".to_owned()]
        );
    }

    #[test]
    fn an_object_that_does_not_end_is_told_with_its_first_line() {
        assert_eq!(
            told("a\n{\"b\":\n1\n"),
            [plain("a"), "2: the JSON object that begins here does not end".to_owned(), plain("1")]
        );
        assert_eq!(
            told("{\"id\":5} processed in 3 ms\n{\"a\":1},\n{\"b\":2} , {\"c\":3}\n"),
            [
                plain("{\"id\":5} processed in 3 ms"),
                "{\"a\":1}\n".to_owned(),
                "{\"b\":2}\n".to_owned(),
                "{\"c\":3}\n".to_owned()
            ]
        );
        // Such a line waits for nothing that follows.
        assert_eq!(
            told("{\"user\": bob logged in\nnext\n{\"a\": 1,\nheld\n"),
            [
                plain("{\"user\": bob logged in"),
                plain("next"),
                "3: the JSON object that begins here does not end".to_owned(),
                plain("held")
            ]
        );
        assert_eq!(told("{\n  \"a\": [\n    1,"), ["1: the JSON object that begins here does not end (lines 1 to 3)"]);
    }

    #[test]
    fn a_line_that_was_cut_costs_no_other() {
        for cut in [
            "{\"a\": 1",
            "{\"a\": 1,",
            "{\"a\":",
            "{\"a",
            "{\"a\": \"b",
            "{\"a\": \"b\\",
            "{\"a\": {\"b\": [1",
            "{\"a\": [",
        ] {
            let rest = "{\"c\": \"d\"}\n{\"e\": {\"f\": 2}}\nplain\n{\n  \"g\": 3\n}\n";
            let whole = [
                "{\"c\": \"d\"}\n".to_owned(),
                "{\"e\": {\"f\": 2}}\n".to_owned(),
                plain("plain"),
                "{\"g\":3}\n".to_owned(),
            ];
            let found = told(format!("{cut}\n{rest}"));
            assert_eq!(found[0], "1: the JSON object that begins here does not end", "{cut}");
            assert_eq!(found[1..], whole, "{cut}");
        }
    }

    #[test]
    fn the_lines_of_an_object_that_was_cut_go_with_it_and_no_others() {
        let cut = "{\n  \"a\": 1,\n  \"b\": \"text\n";
        let told = told(format!("{cut}  indented\n{{\"c\":1}}\n"));
        assert_eq!(
            told,
            [
                "1: the JSON object that begins here does not end (lines 1 to 3)".to_owned(),
                plain("  indented"),
                "{\"c\":1}\n".to_owned()
            ]
        );
    }

    #[test]
    fn what_is_no_text_is_told_and_not_sent() {
        assert_eq!(told(""), ["-: is empty"]);
        assert_eq!(told("ELF\0\x01rest"), ["-: is binary, not text"]);
        assert_eq!(
            told(b"\xff\xfea\0".as_slice()),
            ["-: is UTF-16; records are UTF-8 (`iconv -f UTF-16 -t UTF-8` turns it)"]
        );
        assert_eq!(
            told("[ {\"a\":1} ]"),
            ["-: is one JSON array; a record is an object (`jq -c '.[]'` takes it apart)"]
        );
        assert_eq!(told("\u{feff}a\n"), [plain("a")]);
        assert_eq!(told("\0\0\0a\nb\0c\nd\n"), [plain("a"), "2: is binary, not text".to_owned(), plain("d")]);
        assert_eq!(told("\0\0\0"), ["-: is binary, not text"]);
    }

    #[test]
    fn a_line_that_is_not_utf_8_is_told_and_the_rest_goes_on() {
        assert_eq!(
            told(b"a\nb\xffc\nd\n".as_slice()),
            [plain("a"), "2: byte 2 of the line is not UTF-8".into(), plain("d")]
        );
        assert_eq!(
            told(b"{\"a\":\"\xff\"}\n".as_slice()),
            ["1: byte 7 of the JSON object that begins here is not UTF-8"]
        );
    }

    #[test]
    fn a_line_over_the_limit_is_told_and_the_rest_goes_on() {
        let fits = format!("{{\"a\":\"{}\"}}", "x".repeat(LARGEST_RECORD - 9));
        assert_eq!(told(format!("{fits}\n")), [format!("{fits}\n")]);
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(LARGEST_RECORD - 8));
        let why = |line: u64, length: usize| {
            format!("{line}: is {length} bytes long as a record; Firehose takes 1024000 (1,000 KiB)")
        };
        assert_eq!(told(format!("a\n{long}\nb\n")), [plain("a"), why(2, LARGEST_RECORD + 1), plain("b")]);
        let endless = "y".repeat(3 * LARGEST_RECORD);
        assert_eq!(told(format!("{endless}\nb\n")), [why(1, 3 * LARGEST_RECORD + 1), plain("b")]);
    }

    #[test]
    fn gzip_is_unpacked_and_half_a_gzip_is_told() {
        let text: String = (0..5000).map(|number| format!("{{\"number\":{}}}\n", number * 7919 % 5003)).collect();
        let whole: Vec<String> = text.lines().map(|line| format!("{line}\n")).collect();
        assert_eq!(told(packed(text.as_bytes())), whole);
        let mut half = packed(text.as_bytes());
        half.truncate(half.len() / 2);
        let told = told(half);
        let (last, before) = told.split_last().expect("something");
        assert!(last.ends_with("the gzip file ends in the middle; what follows is missing"), "{last}");
        assert_eq!(before, &whole[..before.len()]);
    }
}
