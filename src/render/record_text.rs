//! A log record as a person reads it in a terminal: time, level, logger, message, what else it holds, and the stack trace
//! below. Characters that would steer the terminal are shown and not obeyed.

use std::fmt::Write as _;

use anstyle::Style;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use super::{BAD, BOLD, CHANGED, DIM, GOOD};

const LEVELS: [&str; 4] = ["levelname", "level", "severity", "log.level"];
const LOGGERS: [&str; 3] = ["name", "logger", "logger_name"];
const MESSAGES: [&str; 4] = ["message", "msg", "event", "log"];
const TRACES: [&str; 6] = ["exc_info", "exc_text", "exception", "traceback", "stack_trace", "stack_info"];

/// Renders one record; each line ends with a line break.
#[must_use]
pub fn record(record: &Value, time: Option<Timestamp>, time_field: &str, zone: &TimeZone) -> String {
    let Some(fields) = record.as_object() else { return format!("{}\n", harmless(&record.to_string())) };
    let mut rest = fields.clone();
    let written = rest.remove(time_field);
    let time = match (time, written) {
        (Some(time), _) => time.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S%.3f").to_string(),
        (None, Some(written)) => text_of(&written),
        (None, None) => "no time".to_owned(),
    };
    let level = take(&mut rest, &LEVELS).map(|level| text_of(&level).to_uppercase()).unwrap_or_default();
    let style = style_of(&level);
    let mut line = format!("{DIM}{}{DIM:#} {style}{:8}{style:#}", harmless(&time), harmless(&level));
    if let Some(logger) = take(&mut rest, &LOGGERS) {
        let _ = write!(line, " {BOLD}{}{BOLD:#}", harmless(&text_of(&logger)));
    }
    let message = take(&mut rest, &MESSAGES).map(|message| text_of(&message)).unwrap_or_default();
    let traces: Vec<String> = TRACES
        .iter()
        .filter_map(|field| if rest.get(*field)?.is_string() { rest.remove(*field) } else { None })
        .map(|trace| text_of(&trace))
        .filter(|trace| !trace.trim().is_empty())
        .collect();
    let mut lines = message.lines();
    if let Some(first) = lines.next() {
        let _ = write!(line, " {}", harmless(first));
    }
    for (key, value) in &rest {
        if !value.is_null() {
            let _ = write!(line, " {DIM}{}={}{DIM:#}", harmless(key), harmless(&short(value)));
        }
    }
    line.push('\n');
    for more in lines {
        let _ = writeln!(line, "    {}", harmless(more));
    }
    for trace in traces {
        for more in trace.lines() {
            let _ = writeln!(line, "    {style}{}{style:#}", harmless(more));
        }
    }
    line
}

fn take(fields: &mut Map<String, Value>, names: &[&str]) -> Option<Value> {
    names.iter().find_map(|name| if fields.get(*name)?.is_object() { None } else { fields.remove(*name) })
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

/// A value behind its key: bare where it is one word.
fn short(value: &Value) -> String {
    match value {
        Value::String(text)
            if !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c == '"' || c == '=') =>
        {
            text.clone()
        }
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            value.to_string()
        }
    }
}

fn style_of(level: &str) -> Style {
    match level {
        "CRITICAL" | "FATAL" | "EMERGENCY" | "ERROR" => BAD,
        "WARNING" | "WARN" => CHANGED,
        "INFO" | "NOTICE" => GOOD,
        "DEBUG" | "TRACE" => DIM,
        _ => Style::new(),
    }
}

/// Shows control characters by their codes: a record must not move the cursor or rename the window of who reads it.
fn harmless(text: &str) -> String {
    let steers =
        |c: char| c.is_control() && c != '\t' || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if !text.contains(steers) {
        return text.to_owned();
    }
    text.chars().map(|c| if steers(c) { c.escape_unicode().to_string() } else { c.to_string() }).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown(value: Value, time: Option<i64>) -> String {
        let time = time.map(|time| Timestamp::from_millisecond(time).expect("a time"));
        super::super::plain(&record(&value, time, "asctime", &TimeZone::fixed(jiff::tz::offset(1))))
    }

    #[test]
    fn a_record_is_one_line_in_local_time() {
        let value = json!({
            "asctime": "2020-05-11T12:44:44.123+00:00", "levelname": "INFO", "name": "app", "message": "hello world",
            "user": "anna", "text": "a b", "number": 7, "nothing": null,
        });
        let expected = "2020-05-11 13:44:44.123 INFO     app hello world number=7 text=\"a b\" user=anna\n";
        assert_eq!(shown(value, Some(1_589_201_084_123)), expected);
    }

    #[test]
    fn a_stack_trace_stands_below_its_record_line_by_line() {
        let trace = "Traceback (most recent call last):\n  File \"a.py\", line 1\nNameError: x";
        let value = json!({"levelname": "ERROR", "message": "failed\nbadly", "exc_info": trace});
        let expected = "no time ERROR    failed\n    badly\n    Traceback (most recent call last):\n      File \"a.py\", \
                        line 1\n    NameError: x\n";
        assert_eq!(shown(value, None), expected);
    }

    #[test]
    fn records_of_other_libraries_are_understood_and_a_time_that_was_not_read_is_shown_as_written() {
        let value = json!({"asctime": "yesterday", "level": "warn", "logger": "x", "event": "odd", "exc_info": true});
        assert_eq!(shown(value, None), "yesterday WARN     x odd exc_info=true\n");
        assert_eq!(shown(json!("bare"), None), "\"bare\"\n");
    }

    #[test]
    fn a_record_cannot_steer_the_terminal() {
        let value = json!({"message": "a\u{1b}[2Jb\u{202e}c\td"});
        assert_eq!(shown(value, Some(0)), "1970-01-01 01:00:00.000          a\\u{1b}[2Jb\\u{202e}c\td\n");
    }
}
