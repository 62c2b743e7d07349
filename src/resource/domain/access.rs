//! Tells whether one access policy lets in what another did not. It errs on the side of "wider".

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::policy::Document;

/// Says what `after` allows and `before` did not, or `None` where it allows the same or less. Where there was no
/// policy, any is wider.
pub(super) fn widened(before: Option<&Document>, after: &Document) -> Option<String> {
    let old = before.map(statements).unwrap_or_default();
    let new = statements(after);
    let (old_allow, old_deny): (Vec<&Statement>, Vec<&Statement>) = old.iter().partition(|found| found.allows);
    let (new_allow, new_deny): (Vec<&Statement>, Vec<&Statement>) = new.iter().partition(|found| found.allows);
    if let Some(wider) = new_allow.iter().find(|wanted| !old_allow.iter().any(|known| known.covers(wanted))) {
        return Some(format!("{} may {} from now on", list(&wider.principals), list(&wider.actions)));
    }
    // A refusal that is no longer there lets in what it kept out.
    let lost = old_deny.iter().find(|known| !new_deny.iter().any(|wanted| wanted.covers(known)))?;
    Some(format!("{} is no longer refused to {}", list(&lost.actions), list(&lost.principals)))
}

struct Statement {
    allows: bool,
    principals: BTreeSet<String>,
    actions: BTreeSet<String>,
    resources: BTreeSet<String>,
    conditions: Map<String, Value>,
    /// `NotPrincipal`, `NotAction` and `NotResource`, which turn the comparison round: such statements cover equal ones
    /// only.
    negated: Map<String, Value>,
}

impl Statement {
    /// Tells whether whatever `other` matches, this one matches too.
    fn covers(&self, other: &Self) -> bool {
        // A condition narrows: what has none covers what has any, else they must be the same.
        let conditions = self.conditions.is_empty() || self.conditions == other.conditions;
        conditions
            && self.negated == other.negated
            && all_match(&self.principals, &other.principals, u8::eq)
            && all_match(&self.actions, &other.actions, u8::eq_ignore_ascii_case)
            && all_match(&self.resources, &other.resources, u8::eq)
    }
}

/// Whether two letters are the same: IAM ignores the case of actions alone.
type Same = fn(&u8, &u8) -> bool;

fn all_match(patterns: &BTreeSet<String>, wanted: &BTreeSet<String>, same: Same) -> bool {
    wanted.iter().all(|wanted| patterns.iter().any(|pattern| matches(pattern.as_bytes(), wanted.as_bytes(), same)))
}

/// Matches as IAM does: `*` stands for any text, `?` for one character. A pattern on the other side is plain text, so
/// that `es:*` matches `es:ESHttp*` and not the other way round.
fn matches(pattern: &[u8], text: &[u8], same: Same) -> bool {
    let (mut pattern, mut text) = (pattern, text);
    // Where to go on when the last `*` has to take one letter more. An earlier one never has to.
    let mut again: Option<(&[u8], &[u8])> = None;
    loop {
        match (pattern.split_first(), text.split_first()) {
            (None, None) => return true,
            (Some((b'*', rest)), _) => {
                again = text.split_first().map(|(_, shorter)| (pattern, shorter));
                pattern = rest;
            }
            (Some((wanted, rest)), Some((found, shorter)))
                if same(wanted, found) || (*wanted == b'?' && *found != b'*') =>
            {
                (pattern, text) = (rest, shorter);
            }
            (_, _) => match again {
                Some(retry) => (pattern, text) = retry,
                None => return false,
            },
        }
    }
}

fn statements(document: &Document) -> Vec<Statement> {
    document.statements().iter().map(statement).collect()
}

fn statement(value: &Value) -> Statement {
    let conditions = value.get("Condition").and_then(Value::as_object).cloned().unwrap_or_default();
    let negated = ["NotPrincipal", "NotAction", "NotResource"]
        .into_iter()
        .filter_map(|key| Some((key.to_owned(), value.get(key)?.clone())))
        .collect();
    Statement {
        allows: value.get("Effect").and_then(Value::as_str) == Some("Allow"),
        principals: value.get("Principal").map(principals).unwrap_or_default(),
        actions: value.get("Action").map(texts).unwrap_or_default(),
        resources: value.get("Resource").map(texts).unwrap_or_default(),
        conditions,
        negated,
    }
}

/// Returns principals without their kind for AWS (`*` is the same as `{"AWS": "*"}`), and with it for others.
fn principals(value: &Value) -> BTreeSet<String> {
    let Some(kinds) = value.as_object() else { return texts(value) };
    let mut all = BTreeSet::new();
    for (kind, found) in kinds {
        for found in texts(found) {
            all.insert(match kind.as_str() {
                "AWS" => found,
                _ => format!("{kind}:{found}"),
            });
        }
    }
    all
}

fn texts(value: &Value) -> BTreeSet<String> {
    match value {
        Value::Array(found) => found.iter().filter_map(Value::as_str).map(ToOwned::to_owned).collect(),
        one => one.as_str().map(ToOwned::to_owned).into_iter().collect(),
    }
}

fn list(found: &BTreeSet<String>) -> String {
    if found.is_empty() {
        return "others than those named".to_owned();
    }
    let words: Vec<&str> = found.iter().map(|word| if word == "*" { "everyone" } else { word.as_str() }).collect();
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy;

    fn allow(principal: &str, action: &str, rest: &str) -> String {
        format!(
            r#"{{"Effect":"Allow","Principal":{{"AWS":{principal}}},"Action":{action},
            "Resource":"arn:aws:es:eu-west-1:123456789012:domain/logs/*"{rest}}}"#
        )
    }

    fn document(statements: &[String]) -> Document {
        policy::parse(&format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(",")))
            .expect("a policy")
    }

    const ACCOUNT: &str = r#""arn:aws:iam::123456789012:root""#;
    const ROLE: &str = r#""arn:aws:iam::123456789012:role/a""#;
    const HTTP: &str = r#""es:ESHttp*""#;

    #[test]
    fn the_same_policy_is_not_wider() {
        let same = document(&[allow(ACCOUNT, HTTP, "")]);
        assert_eq!(widened(Some(&same), &same), None);
    }

    #[test]
    fn an_account_is_the_same_as_its_root() {
        let root = document(&[allow(ACCOUNT, HTTP, "")]);
        let number = document(&[allow(r#""123456789012""#, HTTP, "")]);
        assert_eq!(widened(Some(&root), &number), None);
        assert_eq!(widened(Some(&number), &root), None);
    }

    #[test]
    fn any_policy_is_wider_than_none() {
        assert!(widened(None, &document(&[allow(ACCOUNT, HTTP, "")])).is_some());
    }

    #[test]
    fn another_principal_is_wider_and_named() {
        let one = document(&[allow(ACCOUNT, HTTP, "")]);
        let two = document(&[allow(&format!("[{ACCOUNT},\"arn:aws:iam::999999999999:root\"]"), HTTP, "")]);
        let what = widened(Some(&one), &two).expect("wider");
        assert!(what.contains("999999999999"), "{what}");
        assert_eq!(widened(Some(&two), &one), None);
        let world = document(&[allow("\"*\"", HTTP, "")]);
        assert_eq!(widened(Some(&one), &world).as_deref(), Some("everyone may es:ESHttp* from now on"));
        assert_eq!(widened(Some(&world), &one), None);
    }

    #[test]
    fn more_actions_are_wider_by_their_patterns() {
        let few = document(&[allow(ROLE, r#"["es:ESHttpGet","es:ESHttpPost"]"#, "")]);
        let http = document(&[allow(ROLE, HTTP, "")]);
        let all = document(&[allow(ROLE, r#""es:*""#, "")]);
        assert_eq!(widened(Some(&http), &few), None);
        assert_eq!(widened(Some(&all), &http), None);
        assert!(widened(Some(&few), &http).is_some());
        assert!(widened(Some(&http), &all).is_some());
    }

    #[test]
    fn a_condition_that_goes_is_wider() {
        let condition = r#","Condition":{"IpAddress":{"aws:SourceIp":["203.0.113.0/24"]}}"#;
        let with = document(&[allow("\"*\"", HTTP, condition)]);
        let without = document(&[allow("\"*\"", HTTP, "")]);
        assert!(widened(Some(&with), &without).is_some());
        assert_eq!(widened(Some(&without), &with), None);
    }

    #[test]
    fn a_refusal_that_goes_is_wider() {
        let deny = allow(ROLE, HTTP, "").replace("Allow", "Deny");
        let with = document(&[allow(ACCOUNT, HTTP, ""), deny]);
        let without = document(&[allow(ACCOUNT, HTTP, "")]);
        assert!(widened(Some(&with), &without).is_some());
        assert_eq!(widened(Some(&without), &with), None);
    }

    #[test]
    fn a_pattern_matches_as_iam_matches() {
        let any_case: Same = u8::eq_ignore_ascii_case;
        assert!(matches(b"es:ESHttp*", b"es:eshttpGet", any_case));
        assert!(!matches(b"es:ESHttp*", b"es:eshttpGet", u8::eq));
        assert!(matches(b"*", b"", u8::eq));
        assert!(matches(b"a?c*", b"abcd", u8::eq));
        assert!(matches(b"*ab*cd", b"aababcdcd", u8::eq));
        assert!(!matches(b"*ab*cd", b"aababcdc", u8::eq));
        assert!(!matches(b"a?c", b"a*c", u8::eq));
        assert!(!matches(b"es:ESHttp*", b"es:*", any_case));
        assert!(!matches("*a".repeat(40).as_bytes(), "a".repeat(39).as_bytes(), u8::eq));
    }
}
