//! Reads dates as the date fields of OpenSearch and Elasticsearch do: `a||b`, the first format that fits wins.
//! It must never accept a form that the real engines refuse.

use std::fmt;

/// What fills the parts of a date that a text leaves out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rounding {
    /// The first moment: a document's value, `gte` and `lt`.
    Down,
    /// The last millisecond: `lte` and `gt`.
    Up,
}

/// One or more formats, in the order in which they are tried.
#[derive(Debug)]
pub(crate) struct DateFormat {
    written: String,
    patterns: Vec<Pattern>,
}

impl DateFormat {
    /// The format of a date field that names none.
    pub(crate) const DEFAULT: &str = "strict_date_optional_time||epoch_millis";

    /// Reads `a||b`. The error is the engine's own text.
    pub(crate) fn read(written: &str) -> Result<Self, String> {
        let patterns = written
            .split("||")
            .map(|one| Pattern::read(one).map_err(|why| format!("Invalid format: [{one}]: {why}")))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self { written: written.to_owned(), patterns })
    }

    /// Milliseconds since 1970 in UTC, or `None` where no format fits.
    pub(crate) fn milliseconds(&self, text: &str, rounding: Rounding) -> Option<i64> {
        self.patterns.iter().find_map(|pattern| pattern.milliseconds(text, rounding))
    }
}

impl fmt::Display for DateFormat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.written)
    }
}

/// Days since 1970-01-01 of a date in the proleptic Gregorian calendar; jiff stops at the year 9999, the engines do not.
pub(crate) fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year - era * 400;
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Year, month and day of a number of days since 1970-01-01.
pub(crate) fn date_of_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted - era * 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_index + 2) / 5 + 1;
    let month = if month_index < 10 { month_index + 3 } else { month_index - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

/// Days in a month of a year.
pub(crate) fn days_in_month(year: i64, month: i64) -> i64 {
    let (next_year, next_month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    days_since_epoch(next_year, next_month, 1) - days_since_epoch(year, month, 1)
}

#[derive(Debug)]
enum Pattern {
    EpochMilliseconds,
    EpochSeconds,
    Pieces(Vec<Piece>),
}

#[derive(Debug)]
enum Piece {
    Year { least: usize, most: usize },
    Month { least: usize },
    Day { least: usize },
    Hour { least: usize },
    Minute { least: usize },
    Second { least: usize },
    Fraction { least: usize, most: usize },
    Offset(Offset),
    Literal(char),
    Either(char, char),
    Optional(Vec<Piece>),
}

#[derive(Clone, Copy, Debug)]
enum Offset {
    /// `Z`, `+02`, `+0200` or `+02:00`.
    Any,
    /// `+0200`.
    Basic,
    /// `+02:00`, and `Z` for zero.
    ColonOrZulu,
    /// `+0200`, and `Z` for zero.
    BasicOrZulu,
    /// `+02`, `+0230`, and `Z` for zero.
    HoursOrZulu,
}

impl Pattern {
    fn read(written: &str) -> Result<Self, String> {
        Ok(match written {
            "epoch_millis" => Self::EpochMilliseconds,
            "epoch_second" => Self::EpochSeconds,
            "strict_date_optional_time" | "strict_date_optional_time_nanos" => {
                Self::Pieces(optional_time(Width::Strict))
            }
            "date_optional_time" => Self::Pieces(optional_time(Width::Lenient)),
            "strict_date" | "strict_year_month_day" => Self::java("yyyy-MM-dd")?,
            "basic_date" => Self::java("yyyyMMdd")?,
            "strict_date_time" => Self::java("yyyy-MM-dd'T'HH:mm:ss.SSSXXX")?,
            "strict_date_time_no_millis" => Self::java("yyyy-MM-dd'T'HH:mm:ssXXX")?,
            "strict_date_hour_minute_second" => Self::java("yyyy-MM-dd'T'HH:mm:ss")?,
            "strict_date_hour_minute_second_millis" | "strict_date_hour_minute_second_fraction" => {
                Self::java("yyyy-MM-dd'T'HH:mm:ss.SSS")?
            }
            "" => return Err("No date pattern provided".to_owned()),
            other => Self::java(other)?,
        })
    }

    fn java(written: &str) -> Result<Self, String> {
        let mut characters = written.chars().peekable();
        let pieces = java_pieces(&mut characters, 0)?;
        Ok(Self::Pieces(pieces))
    }

    fn milliseconds(&self, text: &str, rounding: Rounding) -> Option<i64> {
        match self {
            Self::EpochMilliseconds => epoch(text, 1),
            Self::EpochSeconds => epoch(text, 1_000),
            Self::Pieces(pieces) => {
                let mut found = Found::default();
                let rest = take_all(pieces, text.as_bytes(), &mut found)?;
                if !rest.is_empty() {
                    return None;
                }
                found.milliseconds(rounding)
            }
        }
    }
}

/// A number in milliseconds, of which one unit has `scale`. Down to nanoseconds, a dot at the end is nothing, and the
/// fraction of negative seconds counts upwards: the engines read -1.5 s as half a second before 1970, and -1.5 ms as -2.
fn epoch(text: &str, scale: i64) -> Option<i64> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let finest = if scale == 1 { 6 } else { 9 };
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) || fraction.len() > finest {
        return None;
    }
    let nanoseconds = format!("{fraction:0<9}").parse::<i64>().ok()?;
    let part = match scale {
        1 if sign < 0 && nanoseconds > 0 => -1,
        _ => nanoseconds * scale / 1_000_000_000,
    };
    (sign * whole.parse::<i64>().ok()?).checked_mul(scale)?.checked_add(part)
}

#[derive(Clone, Copy)]
enum Width {
    Strict,
    Lenient,
}

fn optional_time(width: Width) -> Vec<Piece> {
    let (year, least) = match width {
        Width::Strict => (4, 2),
        Width::Lenient => (1, 1),
    };
    vec![
        Piece::Year { least: year, most: 4 },
        Piece::Optional(vec![
            Piece::Literal('-'),
            Piece::Month { least },
            Piece::Optional(vec![Piece::Literal('-'), Piece::Day { least }]),
        ]),
        Piece::Optional(vec![
            Piece::Literal('T'),
            Piece::Optional(vec![
                Piece::Hour { least },
                Piece::Optional(vec![
                    Piece::Literal(':'),
                    Piece::Minute { least },
                    Piece::Optional(vec![
                        Piece::Literal(':'),
                        Piece::Second { least },
                        Piece::Optional(vec![Piece::Either('.', ','), Piece::Fraction { least: 1, most: 9 }]),
                    ]),
                ]),
                Piece::Optional(vec![Piece::Offset(Offset::Any)]),
            ]),
        ]),
    ]
}

fn java_pieces(characters: &mut std::iter::Peekable<std::str::Chars<'_>>, depth: usize) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    while let Some(character) = characters.next() {
        match character {
            '\'' => {
                let mut any = false;
                loop {
                    match characters.next() {
                        Some('\'') => break,
                        Some(literal) => {
                            any = true;
                            pieces.push(Piece::Literal(literal));
                        }
                        None => {
                            return Err("Pattern ends with an incomplete string literal".to_owned());
                        }
                    }
                }
                if !any {
                    pieces.push(Piece::Literal('\''));
                }
            }
            '[' => pieces.push(Piece::Optional(java_pieces(characters, depth + 1)?)),
            ']' if depth == 0 => {
                return Err("Pattern invalid as it contains ] without previous [".to_owned());
            }
            ']' => return Ok(pieces),
            letter if letter.is_ascii_alphabetic() => {
                let mut count = 1;
                while characters.next_if_eq(&letter).is_some() {
                    count += 1;
                }
                pieces.push(java_letter(letter, count)?);
            }
            literal => pieces.push(Piece::Literal(literal)),
        }
    }
    Ok(pieces)
}

fn java_letter(letter: char, count: usize) -> Result<Piece, String> {
    let too_many = || Err(format!("Too many pattern letters: {letter}"));
    if "MdHms".contains(letter) && count > 2 {
        // MMM and the like are names of months, which depend on a locale; nothing in the product writes them.
        return too_many();
    }
    Ok(match letter {
        'y' | 'u' => Piece::Year { least: count, most: count.max(4) },
        'M' => Piece::Month { least: count },
        'd' => Piece::Day { least: count },
        'H' => Piece::Hour { least: count },
        'm' => Piece::Minute { least: count },
        's' => Piece::Second { least: count },
        'S' if count <= 9 => Piece::Fraction { least: count, most: count },
        'Z' if count <= 3 => Piece::Offset(Offset::Basic),
        'X' if count == 1 => Piece::Offset(Offset::HoursOrZulu),
        'X' if count == 2 => Piece::Offset(Offset::BasicOrZulu),
        'X' | 'Z' if count <= 5 => Piece::Offset(Offset::ColonOrZulu),
        'x' if count == 2 => Piece::Offset(Offset::Basic),
        'S' | 'X' | 'Z' => return too_many(),
        other => return Err(format!("Unknown pattern letter: {other}")),
    })
}

#[derive(Clone, Copy, Debug, Default)]
struct Found {
    year: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    hour: Option<i64>,
    minute: Option<i64>,
    second: Option<i64>,
    nanosecond: Option<i64>,
    offset_seconds: i64,
}

impl Found {
    fn milliseconds(self, rounding: Rounding) -> Option<i64> {
        let Self { year, month, day, hour, minute, second, nanosecond, offset_seconds } = self;
        let fill = |low: i64, high: i64| match rounding {
            Rounding::Down => low,
            Rounding::Up => high,
        };
        let year = year.unwrap_or(1970);
        let month = month.unwrap_or_else(|| fill(1, 12));
        if !(1..=12).contains(&month) {
            return None;
        }
        let last_day = days_in_month(year, month);
        let day = day.unwrap_or_else(|| fill(1, last_day));
        let hour = hour.unwrap_or_else(|| fill(0, 23));
        let minute = minute.unwrap_or_else(|| fill(0, 59));
        let second = second.unwrap_or_else(|| fill(0, 59));
        let nanosecond = nanosecond.unwrap_or_else(|| fill(0, 999_999_999));
        if !(1..=last_day).contains(&day) || hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let seconds = days_since_epoch(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
        Some((seconds - offset_seconds) * 1_000 + nanosecond / 1_000_000)
    }
}

fn take_all<'t>(pieces: &[Piece], text: &'t [u8], found: &mut Found) -> Option<&'t [u8]> {
    let mut rest = text;
    for piece in pieces {
        rest = take(piece, rest, found)?;
    }
    Some(rest)
}

fn take<'t>(piece: &Piece, text: &'t [u8], found: &mut Found) -> Option<&'t [u8]> {
    let number = |least: usize, most: usize| digits(text, least, most);
    let (value, rest) = match piece {
        Piece::Optional(pieces) => {
            let mut tried = *found;
            return Some(take_all(pieces, text, &mut tried).map_or(text, |rest| {
                *found = tried;
                rest
            }));
        }
        Piece::Literal(literal) => {
            let mut buffer = [0; 4];
            return text.strip_prefix(literal.encode_utf8(&mut buffer).as_bytes());
        }
        Piece::Either(one, other) => {
            let first = char::from(*text.first()?);
            return (first == *one || first == *other).then(|| &text[1..]);
        }
        Piece::Offset(offset) => {
            let (seconds, rest) = offset_seconds(*offset, text)?;
            found.offset_seconds = seconds;
            return Some(rest);
        }
        Piece::Fraction { least, most } => {
            let (_, rest) = number(*least, *most)?;
            let written = std::str::from_utf8(&text[..text.len() - rest.len()]).ok()?;
            found.nanosecond = Some(format!("{written:0<9}").parse().ok()?);
            return Some(rest);
        }
        Piece::Year { least, most } => number(*least, *most)?,
        Piece::Month { least }
        | Piece::Day { least }
        | Piece::Hour { least }
        | Piece::Minute { least }
        | Piece::Second { least } => number(*least, 2)?,
    };
    match piece {
        Piece::Year { least: _, most: _ } => found.year = Some(value),
        Piece::Month { least: _ } => found.month = Some(value),
        Piece::Day { least: _ } => found.day = Some(value),
        Piece::Hour { least: _ } => found.hour = Some(value),
        Piece::Minute { least: _ } => found.minute = Some(value),
        Piece::Second { least: _ } => found.second = Some(value),
        Piece::Fraction { least: _, most: _ }
        | Piece::Offset(_)
        | Piece::Literal(_)
        | Piece::Either(_, _)
        | Piece::Optional(_) => return None,
    }
    Some(rest)
}

fn digits(text: &[u8], least: usize, most: usize) -> Option<(i64, &[u8])> {
    let count = text.iter().take(most).take_while(|byte| byte.is_ascii_digit()).count();
    if count < least {
        return None;
    }
    let value = std::str::from_utf8(&text[..count]).ok()?.parse().ok()?;
    Some((value, &text[count..]))
}

fn offset_seconds(offset: Offset, text: &[u8]) -> Option<(i64, &[u8])> {
    let (zulu, colon, plain, hours_only) = match offset {
        Offset::Any => (true, true, true, true),
        Offset::Basic => (false, false, true, false),
        Offset::ColonOrZulu => (true, true, false, false),
        Offset::BasicOrZulu => (true, false, true, false),
        Offset::HoursOrZulu => (true, false, true, true),
    };
    if zulu && let Some(rest) = text.strip_prefix(b"Z") {
        return Some((0, rest));
    }
    let sign = match text.first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, rest) = digits(&text[1..], 2, 2)?;
    let minutes = if let Some(after) = rest.strip_prefix(b":").filter(|_| colon) {
        Some(digits(after, 2, 2)?)
    } else if plain {
        digits(rest, 2, 2)
    } else {
        None
    };
    let (minutes, rest) = match minutes {
        Some(minutes) => minutes,
        None if hours_only => (0, rest),
        None => return None,
    };
    (hours <= 18 && minutes <= 59).then_some((sign * (hours * 3_600 + minutes * 60), rest))
}

#[cfg(test)]
mod tests {
    use super::{DateFormat, Rounding, date_of_days, days_since_epoch};

    fn read(format: &str, text: &str) -> Option<i64> {
        DateFormat::read(format).unwrap().milliseconds(text, Rounding::Down)
    }

    const ISO: &str = "strict_date_optional_time";
    /// 2020-05-11T14:44:44Z.
    const MOMENT: i64 = 1_589_208_284_000;

    #[test]
    fn iso_forms_are_read_with_and_without_a_zone() {
        assert_eq!(read(ISO, "2020-05-11T14:44:44Z"), Some(MOMENT));
        assert_eq!(read(ISO, "2020-05-11T14:44:44"), Some(MOMENT));
        assert_eq!(read(ISO, "2020-05-11T14:44:44+0200"), Some(MOMENT - 7_200_000));
        assert_eq!(read(ISO, "2020-05-11T14:44:44+02:00"), Some(MOMENT - 7_200_000));
        assert_eq!(read(ISO, "2020-05-11T14:44:44,123+0200"), Some(MOMENT - 7_200_000 + 123));
        assert_eq!(read(ISO, "2020-05-11T14:44:44.5"), Some(MOMENT + 500));
        assert_eq!(read(ISO, "2020-05-11"), Some(days_since_epoch(2020, 5, 11) * 86_400_000));
    }

    #[test]
    fn the_default_format_of_python_logging_is_not_iso() {
        assert_eq!(read(ISO, "2020-05-11 14:44:44,123"), None);
        assert_eq!(read(ISO, "2020-05-11 14:44:44"), None);
        assert_eq!(read(ISO, "2020-05-11T14:44:44 +0200"), None);
        assert_eq!(read(ISO, "2020-05-11T14:44:44CEST"), None);
    }

    #[test]
    fn the_default_format_of_python_logging_needs_its_own_pattern() {
        assert_eq!(read("yyyy-MM-dd HH:mm:ss,SSS", "2020-05-11 14:44:44,123"), Some(MOMENT + 123));
        assert_eq!(read("yyyy-MM-dd HH:mm:ss,SSS", "2020-05-11 14:44:44"), None);
        assert_eq!(read("yyyy-MM-dd HH:mm:ss", "2020-05-11 14:44:44"), Some(MOMENT));
    }

    #[test]
    fn the_first_epoch_format_takes_the_number() {
        assert_eq!(read("epoch_second||epoch_millis", "1589208284.123"), Some(MOMENT + 123));
        assert_eq!(read("epoch_millis||epoch_second", "1589208284.123"), Some(1_589_208_284));
        let year_52329 = read("epoch_second", "1589201084123").unwrap();
        assert_eq!(date_of_days(year_52329.div_euclid(86_400_000)).0, 52_329);
    }

    #[test]
    fn numbers_are_read_as_the_engines_read_them() {
        // Measured on Elasticsearch 7.10.2 and OpenSearch 1.3.13, 2.19.1 and 3.5.0.
        assert_eq!(read("epoch_second", "1589208284."), Some(MOMENT));
        assert_eq!(read("epoch_second", "-1.5"), Some(-500));
        assert_eq!(read("epoch_millis", "-1.5"), Some(-2));
        assert_eq!(read("epoch_millis", "1589208284.123456"), Some(1_589_208_284));
        assert_eq!(read("epoch_millis", "1589208284.1234567"), None);
        assert_eq!(read("epoch_second", "1e9"), None);
    }

    #[test]
    fn a_text_that_leaves_parts_out_is_rounded_as_asked() {
        let format = DateFormat::read(ISO).unwrap();
        let next_month = days_since_epoch(2020, 3, 1) * 86_400_000;
        assert_eq!(format.milliseconds("2020-02", Rounding::Up), Some(next_month - 1));
        assert_eq!(format.milliseconds("2020-02-30", Rounding::Down), None);
    }

    #[test]
    fn an_unknown_format_is_refused() {
        let error = DateFormat::read("foo").unwrap_err();
        assert_eq!(error, "Invalid format: [foo]: Unknown pattern letter: f");
    }
}
