//! The names that Firehose gives: of rotated indexes and of objects, always by UTC.

use jiff::{Timestamp, civil::Weekday, tz::TimeZone};

/// The index of a record that arrived at a moment (Firehose guide, index rotation).
pub(crate) fn rotated_index(index: &str, period: &str, arrived: Timestamp) -> String {
    let at = arrived.to_zoned(TimeZone::UTC);
    match period {
        "OneHour" => format!("{index}-{}", at.strftime("%Y-%m-%d-%H")),
        "OneDay" => format!("{index}-{}", at.strftime("%Y-%m-%d")),
        "OneWeek" => {
            let (year, week) = week_of(arrived);
            format!("{index}-{year}-w{week:02}")
        }
        "OneMonth" => format!("{index}-{}", at.strftime("%Y-%m")),
        _ => index.to_owned(),
    }
}

/// The year and week of a moment. The guide's older page counts by ISO (its example of 2016-02-25 is w08); the newer
/// page says that weeks begin on Sunday and that week 1 is the first with a Saturday in the year (which makes the same
/// day w09). The newer one is taken here; what happens at the turn of the year is in neither, and a week that ends in
/// the new year is counted to it.
fn week_of(moment: Timestamp) -> (i16, i16) {
    let date = moment.to_zoned(TimeZone::UTC).date();
    let to_saturday = i64::from(Weekday::Saturday.to_sunday_zero_offset() - date.weekday().to_sunday_zero_offset());
    let saturday = date.checked_add(jiff::Span::new().days(to_saturday)).unwrap_or(date);
    (saturday.year(), (saturday.day_of_year() - 1) / 7 + 1)
}

/// Which kind of object a prefix is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output<'a> {
    /// Records as they came.
    Backup,
    /// Documents that could not be indexed, under this folder.
    Failed(&'a str),
}

/// The key of an object (Firehose guide, custom prefixes and object name format).
pub(crate) fn object_key(
    prefix: &str,
    output: Output<'_>,
    stream: &str,
    version: u64,
    arrived: Timestamp,
    suffix: &str,
) -> String {
    let at = arrived.to_zoned(TimeZone::UTC);
    let mut key = String::new();
    let mut folder = match output {
        Output::Backup => None,
        Output::Failed(folder) => Some(folder),
    };
    let mut dated = false;
    for part in parts(prefix) {
        match part {
            Part::Text(text) => key.push_str(text),
            Part::Expression("timestamp", pattern) => {
                dated = true;
                key.push_str(&at.strftime(&strftime_pattern(pattern).unwrap_or_default()).to_string());
            }
            Part::Expression("firehose", "error-output-type") => {
                key.push_str(folder.take().unwrap_or_default());
            }
            Part::Expression("firehose", "random-string") => {
                key.push_str(&uuid::Uuid::new_v4().simple().to_string()[..11]);
            }
            Part::Expression(_, _) => {}
        }
    }
    // No slash is added to a prefix (Firehose guide).
    if let Some(folder) = folder {
        key.push_str(folder);
        key.push('/');
    }
    if !dated {
        key.push_str(&at.strftime("%Y/%m/%d/%H/").to_string());
    }
    let time = at.strftime("%Y-%m-%d-%H-%M-%S");
    format!("{key}{stream}-{version}-{time}-{}{suffix}", uuid::Uuid::new_v4())
}

/// Why AWS would refuse the pair of prefixes.
pub(crate) fn check_prefixes(prefix: &str, error_prefix: &str) -> Result<(), String> {
    let mut has_expression = false;
    for part in parts(prefix) {
        if let Part::Expression(namespace, value) = part {
            has_expression = true;
            if (namespace, value) == ("firehose", "error-output-type") {
                return Err("Prefix cannot contain !{firehose:error-output-type}".to_owned());
            }
            check_expression(namespace, value)?;
        }
    }
    let mut names_type = false;
    let mut error_has_expression = false;
    for part in parts(error_prefix) {
        if let Part::Expression(namespace, value) = part {
            error_has_expression = true;
            names_type |= (namespace, value) == ("firehose", "error-output-type");
            check_expression(namespace, value)?;
        }
    }
    if has_expression && error_prefix.is_empty() {
        return Err("ErrorOutputPrefix cannot be empty when Prefix contains expressions".to_owned());
    }
    if (has_expression || error_has_expression) && !names_type {
        return Err("ErrorOutputPrefix must contain !{firehose:error-output-type}".to_owned());
    }
    Ok(())
}

fn check_expression(namespace: &str, value: &str) -> Result<(), String> {
    match (namespace, value) {
        ("timestamp", pattern) if strftime_pattern(pattern).is_some() => Ok(()),
        ("firehose", "error-output-type" | "random-string") => Ok(()),
        (namespace, value) => Err(format!("The expression !{{{namespace}:{value}}} is not supported")),
    }
}

enum Part<'p> {
    Text(&'p str),
    Expression(&'p str, &'p str),
}

/// The texts and the `!{namespace:value}` expressions of a prefix; one that is not closed is an unknown expression.
fn parts(prefix: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = prefix;
    while let Some(start) = rest.find("!{") {
        parts.push(Part::Text(&rest[..start]));
        let inner = &rest[start + 2..];
        let Some(end) = inner.find('}') else {
            parts.push(Part::Expression("", inner));
            return parts;
        };
        let (namespace, value) = inner[..end].split_once(':').unwrap_or((&inner[..end], ""));
        parts.push(Part::Expression(namespace, value));
        rest = &inner[end + 1..];
    }
    parts.push(Part::Text(rest));
    parts
}

/// The part of Java's date patterns that prefixes use.
fn strftime_pattern(java: &str) -> Option<String> {
    let mut pattern = String::new();
    let mut characters = java.chars().peekable();
    while let Some(letter) = characters.next() {
        if letter == '\'' {
            for literal in characters.by_ref().take_while(|one| *one != '\'') {
                pattern.push(literal);
            }
            continue;
        }
        if !letter.is_ascii_alphabetic() {
            if letter == '%' {
                return None;
            }
            pattern.push(letter);
            continue;
        }
        let mut count = 1;
        while characters.next_if_eq(&letter).is_some() {
            count += 1;
        }
        pattern.push_str(match (letter, count) {
            ('y' | 'Y' | 'u', 4) => "%Y",
            ('M', 2) => "%m",
            ('d', 2) => "%d",
            ('H', 2) => "%H",
            ('m', 2) => "%M",
            ('s', 2) => "%S",
            _ => return None,
        });
    }
    (!pattern.is_empty()).then_some(pattern)
}

/// A gzip file of stored blocks: what every reader of gzip takes, without a compressor.
pub(crate) fn gzip(data: &[u8]) -> Vec<u8> {
    let mut file = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let mut blocks = data.chunks(0xffff).peekable();
    if blocks.peek().is_none() {
        file.extend([1, 0, 0, 0xff, 0xff]);
    }
    while let Some(block) = blocks.next() {
        let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
        file.push(u8::from(blocks.peek().is_none()));
        file.extend(length.to_le_bytes());
        file.extend((!length).to_le_bytes());
        file.extend(block);
    }
    file.extend(crc32(data).to_le_bytes());
    let size = u32::try_from(data.len() % (1 << 32)).unwrap_or(0);
    file.extend(size.to_le_bytes());
    file
}

fn crc32(data: &[u8]) -> u32 {
    !data.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| if sum & 1 == 1 { (sum >> 1) ^ 0xedb8_8320 } else { sum >> 1 })
    })
}

#[cfg(test)]
mod tests {
    use super::{Output, check_prefixes, crc32, gzip, object_key, rotated_index};

    fn index(period: &str, moment: &str) -> String {
        rotated_index("myindex", period, moment.parse().unwrap())
    }

    #[test]
    fn indexes_rotate_by_the_time_of_arrival_in_utc() {
        let moment = "2016-02-25T23:30:00-02:00";
        assert_eq!(index("NoRotation", moment), "myindex");
        assert_eq!(index("OneHour", moment), "myindex-2016-02-26-01");
        assert_eq!(index("OneDay", moment), "myindex-2016-02-26");
        assert_eq!(index("OneMonth", moment), "myindex-2016-02");
    }

    #[test]
    fn weeks_begin_on_sunday_and_week_1_has_the_first_saturday() {
        for (moment, name) in [
            ("2016-02-25T00:00:00Z", "myindex-2016-w09"),
            ("2026-11-21T23:59:59Z", "myindex-2026-w47"),
            ("2026-11-22T00:00:00Z", "myindex-2026-w48"),
            ("2026-01-01T00:00:00Z", "myindex-2026-w01"),
            ("2026-12-31T00:00:00Z", "myindex-2027-w01"),
        ] {
            assert_eq!(index("OneWeek", moment), name, "{moment}");
        }
    }

    fn key(prefix: &str, output: Output<'_>) -> String {
        let key = object_key(prefix, output, "logs", 2, "2026-11-23T12:34:56Z".parse().unwrap(), ".gz");
        // The UUID at the end is another one each time.
        format!("{}{}", &key[..key.len() - 39], &key[key.len() - 3..])
    }

    #[test]
    fn keys_are_dated_and_name_stream_and_version() {
        assert_eq!(key("", Output::Backup), "2026/11/23/12/logs-2-2026-11-23-12-34-56-.gz");
        assert_eq!(key("a", Output::Backup), "a2026/11/23/12/logs-2-2026-11-23-12-34-56-.gz");
        assert_eq!(
            key("a/", Output::Failed("AmazonOpenSearchService-failed")),
            "a/AmazonOpenSearchService-failed/2026/11/23/12/logs-2-2026-11-23-12-34-56-.gz"
        );
        assert_eq!(key("x/!{timestamp:yyyy-MM}/", Output::Backup), "x/2026-11/logs-2-2026-11-23-12-34-56-.gz");
        assert_eq!(
            key("e/!{firehose:error-output-type}/!{timestamp:yyyy}/", Output::Failed("f")),
            "e/f/2026/logs-2-2026-11-23-12-34-56-.gz"
        );
    }

    #[test]
    fn an_expression_in_the_prefix_needs_an_error_prefix_with_the_type() {
        assert!(check_prefixes("a/", "").is_ok());
        assert!(check_prefixes("a/", "b/").is_ok());
        assert!(check_prefixes("!{timestamp:yyyy}/", "b/!{firehose:error-output-type}/").is_ok());
        for (prefix, error_prefix) in [
            ("!{timestamp:yyyy}/", ""),
            ("!{timestamp:yyyy}/", "b/"),
            ("!{firehose:error-output-type}/", "!{firehose:error-output-type}/"),
            ("!{timestamp:QQ}/", "!{firehose:error-output-type}/"),
            ("!{foo:bar}/", "!{firehose:error-output-type}/"),
            ("!{timestamp:yyyy", "!{firehose:error-output-type}/"),
        ] {
            assert!(check_prefixes(prefix, error_prefix).is_err(), "{prefix} {error_prefix}");
        }
    }

    #[test]
    fn a_gzip_file_has_its_checksum_and_length() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        let file = gzip(b"123456789");
        assert_eq!(&file[..15], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 1, 9, 0, 0xf6, 0xff]);
        assert_eq!(&file[24..], [0x26, 0x39, 0xf4, 0xcb, 9, 0, 0, 0]);
    }
}
