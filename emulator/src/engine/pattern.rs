//! Names with `*`, as index patterns and templates use them.

/// Whether a name fits a pattern in which `*` stands for any number of characters.
pub(crate) fn matches_pattern(pattern: &str, name: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(mut name) = name.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<_> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        match name.find(part) {
            Some(at) => name = &name[at + part.len()..],
            None => return false,
        }
    }
    name.ends_with(last)
}

/// Whether some name fits both patterns.
pub(crate) fn patterns_overlap(one: &str, other: &str) -> bool {
    let one: Vec<_> = one.chars().collect();
    let other: Vec<_> = other.chars().collect();
    // reached[j]: the first i characters of `one` and the first j of `other` can describe the same text.
    let mut reached = vec![false; other.len() + 1];
    reached[0] = true;
    for j in 1..=other.len() {
        reached[j] = reached[j - 1] && other[j - 1] == '*';
    }
    for i in 1..=one.len() {
        let mut next = vec![false; other.len() + 1];
        next[0] = reached[0] && one[i - 1] == '*';
        for j in 1..=other.len() {
            let (a, b) = (one[i - 1], other[j - 1]);
            next[j] = match (a == '*', b == '*') {
                (false, false) => reached[j - 1] && a == b,
                (true, true) | (true, false) | (false, true) => {
                    let keep_one = a == '*' && (reached[j] || next[j - 1]);
                    let keep_other = b == '*' && (next[j - 1] || reached[j]);
                    keep_one || keep_other || reached[j - 1]
                }
            };
        }
        reached = next;
    }
    reached[other.len()]
}

#[cfg(test)]
mod tests {
    use super::{matches_pattern, patterns_overlap};

    #[test]
    fn a_star_stands_for_any_text() {
        assert!(matches_pattern("logs-*", "logs-2026-w48"));
        assert!(matches_pattern("*", "x"));
        assert!(matches_pattern("a*b*c", "axxbyyc"));
        assert!(!matches_pattern("logs-*", "logs"));
        assert!(!matches_pattern("logs", "logs-1"));
        assert!(!matches_pattern("a*ba", "aba-b"));
    }

    #[test]
    fn patterns_overlap_where_one_name_fits_both() {
        assert!(patterns_overlap("logs-*", "logs-a*"));
        assert!(patterns_overlap("*-a", "logs-*"));
        assert!(patterns_overlap("logs", "logs"));
        assert!(!patterns_overlap("logs", "logs-*"));
        assert!(!patterns_overlap("logs-*", "metrics-*"));
        assert!(!patterns_overlap("a*x", "a*y"));
    }
}
