//! What was probably meant by a word that is not known.

/// Words longer than this are not compared: a near miss of a key is short, and the comparison is quadratic.
const LONGEST: usize = 48;

/// Lower case without what separates words, so that `instanceType`, `InstanceType` and `instance-type` are one.
pub(super) fn plain(word: &str) -> String {
    word.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).take(LONGEST + 1).collect()
}

/// Returns the candidate that is the same but for its spelling or a slip or two.
pub(crate) fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = plain(word);
    if word.is_empty() || word.len() > LONGEST {
        return None;
    }
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let other = plain(candidate);
        let distance = if other == word {
            0
        } else if word.len() >= 4 && (other.starts_with(&word) || word.starts_with(&other) && other.len() >= 4) {
            1
        } else {
            strsim::damerau_levenshtein(&word, &other)
        };
        let allowed = (word.chars().count().max(other.chars().count()) / 3).min(4);
        if distance <= allowed && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Reads a number that was written with a unit, such as `60s`, `5 MiB`, `2 weeks` or `1_000`; the result is in seconds,
/// MiB, GiB or days, whichever `unit` names, or the bare number.
pub(super) fn number(text: &str, unit: &str) -> Option<u64> {
    let text = text.trim().replace(['_', ','], "").to_lowercase();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let amount: u64 = text[..end].parse().ok()?;
    let rest = text[end..].trim();
    let (factor, divisor) = match (unit, rest) {
        (_, "") | (_, ".0") => (1, 1),
        ("seconds", "s" | "sec" | "secs" | "second" | "seconds") => (1, 1),
        ("seconds", "m" | "min" | "mins" | "minute" | "minutes") => (60, 1),
        ("seconds", "h" | "hour" | "hours") => (3600, 1),
        ("MiB", "m" | "mb" | "mib") | ("MiB/s", "m" | "mb" | "mib" | "mib/s" | "mb/s") => (1, 1),
        ("MiB", "k" | "kb" | "kib") => (1, 1024),
        ("MiB", "g" | "gb" | "gib") => (1024, 1),
        ("GiB", "g" | "gb" | "gib") => (1, 1),
        ("GiB", "t" | "tb" | "tib") => (1024, 1),
        ("days", "d" | "day" | "days") => (1, 1),
        ("days", "w" | "week" | "weeks") => (7, 1),
        ("days", "month" | "months") => (30, 1),
        ("days", "y" | "year" | "years") => (365, 1),
        _ => return None,
    };
    amount.checked_mul(factor).map(|amount| amount / divisor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spelling_and_slips_are_forgiven_and_other_words_are_not() {
        let keys = ["instance_type", "instance_count", "volume", "name"];
        assert_eq!(closest("instanceType", keys), Some("instance_type"));
        assert_eq!(closest("instance-cuont", keys), Some("instance_count"));
        assert_eq!(closest("volumes", keys), Some("volume"));
        assert_eq!(closest("nane", keys), Some("name"));
        assert_eq!(closest("colour", keys), None);
        assert_eq!(closest("", keys), None);
        assert_eq!(closest(&"n".repeat(1_000_000), keys), None);
    }

    #[test]
    fn numbers_with_units_are_understood() {
        assert_eq!(number("60s", "seconds"), Some(60));
        assert_eq!(number("5 min", "seconds"), Some(300));
        assert_eq!(number("5MB", "MiB"), Some(5));
        assert_eq!(number("2 weeks", "days"), Some(14));
        assert_eq!(number("1_000", ""), Some(1000));
        assert_eq!(number("10.0", "GiB"), Some(10));
        assert_eq!(number("5 apples", "MiB"), None);
        assert_eq!(number("99999999999999999999s", "seconds"), None);
    }
}
