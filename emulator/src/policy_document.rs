//! Policy documents: whether AWS would take one, and what it allows.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::control::wildcard_matches;

/// What a document says about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// A statement allows it and none denies it.
    Allowed,
    /// No statement speaks of it.
    Silent,
    /// A statement denies it.
    Denied,
}

/// A request to be judged.
#[derive(Clone, Debug)]
pub(crate) struct Question<'a> {
    pub(crate) action: &'a str,
    pub(crate) resource: Option<&'a str>,
    /// The type and name of who asks, such as `Service` and `firehose.amazonaws.com`.
    pub(crate) principal: Option<(&'a str, &'a str)>,
    /// The condition keys that are known, in lower case.
    pub(crate) conditions: BTreeMap<String, String>,
}

/// Judges a request by a document that [`check`] has passed.
pub(crate) fn judge(document: &str, question: &Question<'_>) -> Verdict {
    let document: Value = serde_json::from_str(document).unwrap_or(Value::Null);
    let mut verdict = Verdict::Silent;
    for statement in as_list(document.get("Statement")) {
        let denies = statement["Effect"] == "Deny";
        // A condition that cannot be judged counts against the caller.
        if !speaks_of(statement, question) || !condition_holds(statement, question).unwrap_or(denies) {
            continue;
        }
        if denies {
            return Verdict::Denied;
        }
        verdict = Verdict::Allowed;
    }
    verdict
}

/// Writes lists of one element as that element, as IAM returns stored documents.
pub(crate) fn with_single_elements_as_strings(document: &str) -> String {
    let Ok(mut document) = serde_json::from_str::<Value>(document) else {
        return document.to_owned();
    };
    let unwrap = |value: &mut Value| {
        if let Value::Array(items) = value
            && items.len() == 1
            && items[0].is_string()
        {
            *value = items.remove(0);
        }
    };
    let statements = match document.get_mut("Statement") {
        Some(Value::Array(statements)) => statements.iter_mut().collect(),
        Some(statement) => vec![statement],
        None => Vec::new(),
    };
    for statement in statements {
        for (key, value) in statement.as_object_mut().into_iter().flatten() {
            match (key.as_str(), value) {
                ("Action" | "NotAction" | "Resource" | "NotResource", value) => unwrap(value),
                ("Principal" | "NotPrincipal", Value::Object(kinds)) => {
                    kinds.values_mut().for_each(unwrap);
                }
                _ => {}
            }
        }
    }
    document.to_string()
}

/// Which kind of document is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Says what its owner may do: no principal.
    Identity,
    /// Says who may assume a role: no resource.
    Trust,
    /// Stands on a resource: principal and resource.
    Resource,
}

/// Why AWS would refuse a document, in IAM's words.
pub(crate) fn check(document: &str, kind: Kind) -> Result<(), String> {
    let document: Value = serde_json::from_str(document).map_err(|_| "This policy contains invalid Json".to_owned())?;
    let Value::Object(fields) = &document else {
        return Err("This policy contains invalid Json".to_owned());
    };
    if let Some(unknown) = fields.keys().find(|key| !matches!(key.as_str(), "Version" | "Id" | "Statement")) {
        return Err(format!("Syntax error: unknown policy element {unknown}"));
    }
    match fields.get("Version").and_then(Value::as_str) {
        Some("2012-10-17") => {}
        Some("2008-10-17") if kind != Kind::Identity => {}
        _ => return Err("Policy document must be version 2012-10-17 or greater.".to_owned()),
    }
    let statements = as_list(fields.get("Statement"));
    if statements.is_empty() {
        return Err("Syntax errors in policy.".to_owned());
    }
    let mut ids = Vec::new();
    for statement in statements {
        check_statement(statement, kind)?;
        if let Some(id) = statement.get("Sid").and_then(Value::as_str) {
            if ids.contains(&id) {
                return Err("Statement IDs (SID) in a single policy must be unique.".to_owned());
            }
            ids.push(id);
        }
    }
    Ok(())
}

fn check_statement(statement: &Value, kind: Kind) -> Result<(), String> {
    const KNOWN: [&str; 9] =
        ["Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"];
    let Value::Object(fields) = statement else {
        return Err("Syntax errors in policy.".to_owned());
    };
    if fields.keys().any(|key| !KNOWN.contains(&key.as_str())) {
        return Err("Syntax errors in policy.".to_owned());
    }
    if !matches!(fields.get("Effect").and_then(Value::as_str), Some("Allow" | "Deny")) {
        return Err("Syntax errors in policy.".to_owned());
    }
    if let Some(id) = fields.get("Sid")
        && !id.as_str().is_some_and(|id| kind == Kind::Resource || id.bytes().all(|byte| byte.is_ascii_alphanumeric()))
    {
        return Err("Statement IDs (SID) can only contain alphanumeric characters.".to_owned());
    }
    let actions = strings(fields.get("Action").or_else(|| fields.get("NotAction")))?;
    if actions.is_empty() || (fields.contains_key("Action") && fields.contains_key("NotAction")) {
        return Err("Policy statement must contain actions.".to_owned());
    }
    for action in actions {
        let named = action.split_once(':').is_some_and(|(service, name)| !service.is_empty() && !name.is_empty());
        if action != "*" && !named {
            return Err("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.".to_owned());
        }
    }
    let has_principal = fields.contains_key("Principal") || fields.contains_key("NotPrincipal");
    let has_resource = fields.contains_key("Resource") || fields.contains_key("NotResource");
    match kind {
        Kind::Identity if has_principal => {
            return Err("Policy document should not specify a principal.".to_owned());
        }
        Kind::Trust | Kind::Resource if !has_principal => {
            return Err("Missing required field Principal".to_owned());
        }
        Kind::Trust if has_resource => return Err("Has prohibited field Resource".to_owned()),
        Kind::Identity | Kind::Resource if !has_resource => {
            return Err("Policy statement must contain resources.".to_owned());
        }
        Kind::Identity | Kind::Trust | Kind::Resource => {}
    }
    for resource in strings(fields.get("Resource").or_else(|| fields.get("NotResource")))? {
        let parts: Vec<&str> = resource.splitn(6, ':').collect();
        if resource != "*" && !(parts.len() == 6 && parts[0] == "arn") {
            return Err(format!("Resource {resource} must be in ARN format or \"*\"."));
        }
        if resource != "*" && !matches!(parts[1], "aws" | "aws-cn" | "aws-us-gov" | "aws-eusc" | "*") {
            return Err(format!("Partition \"{}\" is not valid for resource \"{resource}\".", parts[1]));
        }
    }
    match fields.get("Principal").or_else(|| fields.get("NotPrincipal")) {
        None => {}
        Some(Value::String(anyone)) if anyone == "*" => {}
        Some(Value::Object(kinds)) if !kinds.is_empty() => {
            for (principal_kind, names) in kinds {
                if !matches!(principal_kind.as_str(), "AWS" | "Service" | "Federated" | "CanonicalUser") {
                    return Err("Syntax errors in policy.".to_owned());
                }
                for name in strings(Some(names))? {
                    if principal_kind == "Service" && !name.contains(".amazonaws.com") {
                        return Err(format!("Invalid principal in policy: \"SERVICE\":\"{name}\""));
                    }
                }
            }
        }
        Some(_) => return Err("Invalid principal in policy.".to_owned()),
    }
    match fields.get("Condition") {
        None => Ok(()),
        Some(Value::Object(operators)) if operators.values().all(Value::is_object) => Ok(()),
        Some(_) => Err("Syntax errors in policy.".to_owned()),
    }
}

fn speaks_of(statement: &Value, question: &Question<'_>) -> bool {
    let one = |value: Option<&Value>, name: &str| {
        strings(value).is_ok_and(|patterns| {
            patterns.iter().any(|pattern| wildcard_matches(&pattern.to_lowercase(), &name.to_lowercase()))
        })
    };
    let action = match statement.get("Action") {
        Some(actions) => one(Some(actions), question.action),
        None => !one(statement.get("NotAction"), question.action),
    };
    let resource = question.resource.is_none_or(|name| {
        let matches =
            |value| strings(value).is_ok_and(|patterns| patterns.iter().any(|pattern| wildcard_matches(pattern, name)));
        match statement.get("Resource") {
            Some(resources) => matches(Some(resources)),
            None => !matches(statement.get("NotResource")),
        }
    });
    let principal = question.principal.is_none_or(|(kind, name)| match statement.get("Principal") {
        Some(Value::String(anyone)) => anyone == "*",
        Some(principals) => {
            strings(principals.get(kind)).is_ok_and(|names| names.iter().any(|known| *known == "*" || *known == name))
        }
        None => false,
    });
    action && resource && principal
}

/// Whether all conditions hold; none if one is of a kind that is not known here.
fn condition_holds(statement: &Value, question: &Question<'_>) -> Option<bool> {
    let Some(operators) = statement.get("Condition").and_then(Value::as_object) else {
        return Some(true);
    };
    let mut all = true;
    for (operator, keys) in operators {
        for (key, expected) in keys.as_object()? {
            let actual = question.conditions.get(&key.to_lowercase())?;
            let expected = strings(Some(expected)).ok()?;
            all &= match operator.as_str() {
                "StringEquals" => expected.contains(&actual.as_str()),
                "StringNotEquals" => !expected.contains(&actual.as_str()),
                "Bool" => expected.iter().any(|value| value.eq_ignore_ascii_case(actual)),
                "StringLike" | "ArnLike" | "ArnEquals" => {
                    expected.iter().any(|pattern| wildcard_matches(pattern, actual))
                }
                _ => return None,
            };
        }
    }
    Some(all)
}

fn as_list(value: Option<&Value>) -> Vec<&Value> {
    match value {
        Some(Value::Array(items)) => items.iter().collect(),
        Some(value) => vec![value],
        None => Vec::new(),
    }
}

fn strings(value: Option<&Value>) -> Result<Vec<&str>, String> {
    as_list(value)
        .into_iter()
        .map(|item| match item {
            Value::String(text) => Ok(text.as_str()),
            Value::Bool(true) => Ok("true"),
            Value::Bool(false) => Ok("false"),
            Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                Err("Syntax errors in policy.".to_owned())
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::{Kind, Question, Verdict, check, judge, with_single_elements_as_strings};

    fn asked<'a>(action: &'a str, resource: &'a str) -> Question<'a> {
        Question { action, resource: Some(resource), principal: None, conditions: BTreeMap::new() }
    }

    #[test]
    fn a_deny_wins_over_an_allow() {
        let document = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "s3:*", "Resource": "*"},
            {"Effect": "Deny", "Action": ["s3:PutObject"], "Resource": ["arn:aws:s3:::b/secret/*"]},
        ]})
        .to_string();
        assert_eq!(judge(&document, &asked("s3:PutObject", "arn:aws:s3:::b/x")), Verdict::Allowed);
        assert_eq!(judge(&document, &asked("s3:PutObject", "arn:aws:s3:::b/secret/x")), Verdict::Denied);
        assert_eq!(judge(&document, &asked("es:ESHttpPut", "arn:aws:s3:::b/x")), Verdict::Silent);
    }

    #[test]
    fn a_condition_that_is_not_known_never_helps_the_caller() {
        let statement = |effect: &str| {
            json!({"Version": "2012-10-17", "Statement": {"Effect": effect, "Action": "s3:*", "Resource": "*",
                "Condition": {"NumericLessThan": {"s3:max-keys": "3"}}}})
            .to_string()
        };
        assert_eq!(judge(&statement("Allow"), &asked("s3:PutObject", "*")), Verdict::Silent);
        assert_eq!(judge(&statement("Deny"), &asked("s3:PutObject", "*")), Verdict::Denied);
    }

    #[test]
    fn a_trust_document_with_a_resource_is_refused() {
        let document = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
            "Principal": {"Service": "firehose.amazonaws.com"}, "Resource": "*"}]});
        assert_eq!(check(&document.to_string(), Kind::Trust), Err("Has prohibited field Resource".to_owned()));
    }

    #[test]
    fn a_list_of_one_comes_back_as_a_string() {
        let document =
            json!({"Statement": [{"Action": ["a:b"], "Resource": ["x", "y"], "Principal": {"Service": ["z"]}}]});
        assert_eq!(
            with_single_elements_as_strings(&document.to_string()),
            json!({"Statement": [{"Action": "a:b", "Resource": ["x", "y"], "Principal": {"Service": "z"}}]})
                .to_string()
        );
    }
}
