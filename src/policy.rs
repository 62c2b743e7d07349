//! Policy documents: `policies/*.json` filled with ARNs, and the one canonical form in which two documents that mean the
//! same are equal. Never asks AWS.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value, json};

use crate::error::{Error, Result};
use crate::target::Target;

const FIREHOSE_TRUST: &str = include_str!("../policies/firehose-trust.json");
const FIREHOSE_ROLE: &str = include_str!("../policies/firehose-role.json");
const DOMAIN_ACCESS: &str = include_str!("../policies/domain-access.json");
const BUCKET: &str = include_str!("../policies/bucket.json");
const PRODUCER: &str = include_str!("../policies/producer.json");
const READER: &str = include_str!("../policies/reader.json");
const OPERATOR: &str = include_str!("../policies/operator.json");

/// Statements of a bucket policy whose Sid begins so are ekk's own; all others are left alone.
pub const OWN_PREFIX: &str = "ekk";

/// The service that assumes the role.
pub const FIREHOSE: &str = "firehose.amazonaws.com";

/// A policy document. Comparison and JSON go by its canonical form; what is sent to AWS ([`Document::text`]) keeps the
/// Sids, which a reader in the console wants and which mean nothing.
#[derive(Clone, Debug)]
pub struct Document {
    canonical: Value,
    text: String,
}

impl Document {
    fn new(document: &Value) -> Self {
        Self { canonical: canonical_document(document), text: document.to_string() }
    }

    /// Returns the document as AWS takes it.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the canonical form, without Sids.
    #[must_use]
    pub fn canonical(&self) -> &Value {
        &self.canonical
    }

    /// Returns the canonical statements.
    #[must_use]
    pub fn statements(&self) -> &[Value] {
        self.canonical["Statement"].as_array().map_or(&[], Vec::as_slice)
    }

    /// Tells whether a statement lets a service assume the role that carries this trust. Conditions are not judged:
    /// what Firehose sends with the call is not documented in full.
    #[must_use]
    pub fn lets_assume(&self, service: &str) -> bool {
        self.statements().iter().any(|statement| {
            let names = |value: &Value, wanted: &str| {
                value.as_array().is_some_and(|items| {
                    items.iter().filter_map(Value::as_str).any(|item| matches_pattern(item, wanted))
                })
            };
            let principal = &statement["Principal"];
            statement["Effect"] == "Allow"
                && (names(&principal["Service"], service) || principal["AWS"] == json!(["*"]))
                && names(&statement["Action"], "sts:AssumeRole")
        })
    }

    /// Returns the AWS principals that are allowed anything.
    #[must_use]
    pub fn principals(&self) -> Vec<&str> {
        self.statements()
            .iter()
            .filter(|statement| statement["Effect"] == "Allow")
            .filter_map(|statement| statement["Principal"]["AWS"].as_array())
            .flatten()
            .filter_map(Value::as_str)
            .collect()
    }

    /// Tells whether any statement speaks of an action, by its exact name.
    #[must_use]
    pub fn names_action(&self, action: &str) -> bool {
        self.statements()
            .iter()
            .filter_map(|statement| statement["Action"].as_array())
            .flatten()
            .any(|named| named.as_str() == Some(action))
    }
}

impl PartialEq for Document {
    fn eq(&self, other: &Self) -> bool {
        self.canonical == other.canonical
    }
}

impl Serialize for Document {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        self.canonical.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        Value::deserialize(deserializer).map(|value| Self::new(&value))
    }
}

/// What Firehose may do with the role of one stream, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirehoseGrants {
    /// ARN of the backup bucket.
    pub bucket_arn: String,
    /// ARN of the KMS key that the bucket encrypts with, if any. (A key of the stream's own encryption needs nothing
    /// here: Firehose makes itself a grant on it, with the rights of who creates the stream.)
    pub bucket_key: Option<String>,
    /// ARN of the domain.
    pub domain_arn: String,
    /// The index, before rotation adds its suffix.
    pub index: String,
    /// ARN of the log group, without `:*`; `None` without error logging.
    pub log_group_arn: Option<String>,
    /// The log streams in it.
    pub log_streams: BTreeSet<String>,
}

/// Returns who may assume the role: Firehose, and nobody else.
///
/// There is no condition. The Firehose developer guide shows none, and `aws:SourceArn` in this place is not documented
/// there.
#[must_use]
pub fn firehose_trust() -> Document {
    Document::new(&fill(FIREHOSE_TRUST, &[]))
}

/// Returns what the role may do.
#[must_use]
pub fn firehose_permissions(grants: &FirehoseGrants, target: &Target) -> Document {
    let FirehoseGrants { bucket_arn, bucket_key, domain_arn, index, log_group_arn, log_streams } = grants;
    let log_stream_arns = match log_group_arn {
        Some(group) if !log_streams.is_empty() => {
            Fill::Many(log_streams.iter().map(|stream| format!("{group}:log-stream:{stream}")).collect())
        }
        Some(_) | None => Fill::Absent,
    };
    let values = [
        ("bucket_arn", Fill::One(bucket_arn)),
        ("bucket_key", bucket_key.as_deref().map_or(Fill::Absent, Fill::One)),
        ("region", Fill::One(&target.region)),
        ("domain_arn", Fill::One(domain_arn)),
        ("index", Fill::One(index)),
        ("log_stream_arns", log_stream_arns),
    ];
    Document::new(&fill(FIREHOSE_ROLE, &values))
}

/// Returns the domain's access policy: these principals, signed requests. `[target.account_root_arn()]` stands for all
/// IAM principals of the account.
#[must_use]
pub fn domain_access(domain_arn: &str, principals: &[String]) -> Document {
    let values = [("domain_arn", Fill::One(domain_arn)), ("principals", Fill::Many(principals.to_vec()))];
    Document::new(&fill(DOMAIN_ACCESS, &values))
}

/// Returns what an application needs to ship to a stream, as IAM takes it.
#[must_use]
pub fn producer(stream_arn: &str) -> Value {
    fill(PRODUCER, &[("stream_arn", Fill::One(stream_arn))])
}

/// Where a person who looks at a stack looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReaderGrants {
    /// ARN of the delivery stream.
    pub stream_arn: String,
    /// ARN of the domain.
    pub domain_arn: String,
    /// ARN of the backup bucket.
    pub bucket_arn: String,
    /// ARN of the error log, without `:*`.
    pub log_group_arn: String,
}

/// Returns what a person needs who looks at a stack and its records, as IAM takes it.
#[must_use]
pub fn reader(grants: &ReaderGrants) -> Value {
    let ReaderGrants { stream_arn, domain_arn, bucket_arn, log_group_arn } = grants;
    let values = [
        ("stream_arn", Fill::One(stream_arn)),
        ("domain_arn", Fill::One(domain_arn)),
        ("bucket_arn", Fill::One(bucket_arn)),
        ("log_group_arn", Fill::One(log_group_arn)),
    ];
    fill(READER, &values)
}

/// Returns what who verifies a stack and brings its failed documents back needs, as IAM takes it: a reader's permissions, and
/// those to write.
#[must_use]
pub fn operator(grants: &ReaderGrants) -> Value {
    let mut document = reader(grants);
    let values = [("stream_arn", Fill::One(&grants.stream_arn)), ("domain_arn", Fill::One(&grants.domain_arn))];
    let mut own = fill(OPERATOR, &values);
    if let (Some(statements), Some(own)) = (document["Statement"].as_array_mut(), own["Statement"].as_array_mut()) {
        statements.append(own);
    }
    document
}

/// Returns ekk's own statements of the bucket policy by Sid, canonical: nothing without TLS.
#[must_use]
pub fn bucket_statements(bucket_arn: &str) -> BTreeMap<String, Value> {
    own_statements_of(&fill(BUCKET, &[("bucket_arn", Fill::One(bucket_arn))]))
}

/// Reads a document as AWS answers it: JSON, URL-encoded where it comes from IAM.
///
/// # Errors
/// Fails when it is not a JSON object.
pub fn parse(text: &str) -> Result<Document> {
    Ok(Document::new(&parse_value(text)?))
}

/// Reads ekk's own statements, canonical and by Sid, out of a bucket policy.
///
/// # Errors
/// Fails when it is not a JSON object.
pub fn own_statements(text: &str) -> Result<BTreeMap<String, Value>> {
    Ok(own_statements_of(&parse_value(text)?))
}

/// Returns a bucket policy in which ekk's own statements are `own` and all others are as they were; `None` when no
/// statement is left.
///
/// # Errors
/// Fails when `text` is not a JSON object.
pub fn with_own_statements(text: Option<&str>, own: &BTreeMap<String, Value>) -> Result<Option<String>> {
    let mut document = match text {
        Some(text) => parse_value(text)?,
        None => json!({ "Version": "2012-10-17" }),
    };
    let mut statements: Vec<Value> =
        statements_of(&document).into_iter().filter(|one| own_sid(one).is_none()).collect();
    statements.extend(own.iter().map(|(sid, statement)| {
        let mut statement = terse(statement);
        statement["Sid"] = json!(sid);
        statement
    }));
    if statements.is_empty() {
        return Ok(None);
    }
    document["Statement"] = Value::Array(statements);
    Ok(Some(document.to_string()))
}

/// Returns a document that allows everything that either allows, so that a role serves the old and the new targets of a
/// stream while they change. A denial stays only where both deny.
#[must_use]
pub fn union(one: &Document, other: &Document) -> Document {
    let is_kept =
        |statement: &&Value, among: &Document| statement["Effect"] != "Deny" || among.statements().contains(statement);
    let statements: Vec<&Value> = one
        .statements()
        .iter()
        .filter(|statement| is_kept(statement, other))
        .chain(other.statements().iter().filter(|statement| is_kept(statement, one)))
        .collect();
    let version = one.canonical["Version"].as_str().max(other.canonical["Version"].as_str());
    let canonical = canonical_document(&json!({ "Version": version, "Statement": statements }));
    let text = json!({
        "Version": version,
        "Statement": canonical["Statement"].as_array().into_iter().flatten().map(terse).collect::<Vec<_>>(),
    })
    .to_string();
    Document { canonical, text }
}

/// Tells whether one canonical statement surely speaks of everything that the other speaks of. What cannot be compared
/// counts as not covered.
#[must_use]
pub fn covers(wide: &Value, narrow: &Value) -> bool {
    let lists = |wide: &Value, narrow: &Value| match (wide.as_array(), narrow.as_array()) {
        (Some(wide), Some(narrow)) => narrow.iter().all(|item| {
            let item = item.as_str().unwrap_or_default();
            wide.iter().filter_map(Value::as_str).any(|pattern| {
                // A question mark stands for one character, and a star in `item` for any number of them.
                pattern == item || (!pattern.contains('?') && matches_pattern(pattern, item))
            })
        }),
        (_, _) => wide == narrow,
    };
    let same = |key: &str| wide[key] == narrow[key];
    let everybody = json!({ "AWS": ["*"] });
    same("Effect")
        && (same("Principal") || wide["Principal"] == everybody)
        && ["NotPrincipal", "NotAction", "NotResource", "Condition"].into_iter().all(same)
        && lists(&wide["Action"], &narrow["Action"])
        && lists(&wide["Resource"], &narrow["Resource"])
}

/// The value of a placeholder.
#[derive(Clone, Debug)]
enum Fill<'a> {
    One(&'a str),
    /// Stands for a whole string, which becomes a list.
    Many(Vec<String>),
    /// The statements that mention it are left out.
    Absent,
}

/// Fills an embedded template.
///
/// A placeholder without a value, or a value without a placeholder, is a mistake in this file or in `policies/`; both
/// are found by the first test that fills the template.
fn fill(template: &str, values: &[(&str, Fill<'_>)]) -> Value {
    for (name, _) in values {
        assert!(template.contains(&placeholder(name)), "no policy mentions {{{{{name}}}}}");
    }
    let mut document: Value = serde_json::from_str(template).expect("an embedded policy is JSON");
    if let Some(statements) = document["Statement"].as_array_mut() {
        statements.retain(|statement| {
            let text = statement.to_string();
            !values.iter().any(|(name, value)| matches!(value, Fill::Absent) && text.contains(&placeholder(name)))
        });
    }
    fill_value(&mut document, values);
    let text = document.to_string();
    assert!(!text.contains("{{"), "a placeholder without a value: {text}");
    document
}

fn placeholder(name: &str) -> String {
    format!("{{{{{name}}}}}")
}

fn fill_value(value: &mut Value, values: &[(&str, Fill<'_>)]) {
    match value {
        Value::String(text) => {
            for (name, filling) in values {
                match filling {
                    Fill::One(one) => *text = text.replace(&placeholder(name), one),
                    Fill::Many(many) if *text == placeholder(name) => {
                        *value = json!(many);
                        return;
                    }
                    Fill::Many(_) | Fill::Absent => {}
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| fill_value(item, values)),
        Value::Object(fields) => fields.values_mut().for_each(|field| fill_value(field, values)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn parse_value(text: &str) -> Result<Value> {
    let text = text.trim();
    // JSON in the clear begins with a brace, which URL encoding never leaves as it is.
    let decoded = if text.starts_with('{') { text.to_owned() } else { percent_decoded(text) };
    match serde_json::from_str(&decoded) {
        Ok(document @ Value::Object(_)) => Ok(document),
        Ok(_) => Err(Error::failed("a policy document is not a JSON object")),
        Err(error) => Err(Error::failed(format!("a policy document is not JSON: {error}"))),
    }
}

/// Decodes RFC 3986, as IAM encodes documents; a plus sign stands for itself.
fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = tail.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            Some(_) | None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn own_statements_of(document: &Value) -> BTreeMap<String, Value> {
    statements_of(document)
        .iter()
        .filter_map(|statement| Some((own_sid(statement)?.to_owned(), canonical_statement(statement))))
        .collect()
}

fn own_sid(statement: &Value) -> Option<&str> {
    statement["Sid"].as_str().filter(|sid| sid.starts_with(OWN_PREFIX))
}

fn statements_of(document: &Value) -> Vec<Value> {
    match &document["Statement"] {
        Value::Array(statements) => statements.clone(),
        Value::Null => Vec::new(),
        single => vec![single.clone()],
    }
}

/// Drops what means nothing (Id, Sid, order, repetition) and puts statements that differ in their resources alone
/// together.
fn canonical_document(document: &Value) -> Value {
    let mut resources: BTreeMap<String, (Value, BTreeSet<String>)> = BTreeMap::new();
    let mut whole: BTreeMap<String, Value> = BTreeMap::new();
    for statement in statements_of(document) {
        let statement = canonical_statement(&statement);
        match strings(&statement["Resource"]) {
            Some(named) => {
                let mut rest = statement.clone();
                if let Some(fields) = rest.as_object_mut() {
                    fields.remove("Resource");
                }
                resources.entry(rest.to_string()).or_insert_with(|| (rest, BTreeSet::new())).1.extend(named);
            }
            None => {
                whole.insert(statement.to_string(), statement);
            }
        }
    }
    for (mut statement, named) in resources.into_values() {
        statement["Resource"] = json!(named);
        let statement = sorted(&statement);
        whole.insert(statement.to_string(), statement);
    }
    // Without the key, AWS reads a document by the rules of 2008.
    let version = document["Version"].as_str().unwrap_or("2008-10-17");
    json!({ "Version": version, "Statement": whole.into_values().collect::<Vec<_>>() })
}

fn canonical_statement(statement: &Value) -> Value {
    let Some(fields) = statement.as_object() else { return statement.clone() };
    let fields: BTreeMap<String, Value> = fields
        .iter()
        .filter(|(key, _)| *key != "Sid")
        .filter_map(|(key, value)| {
            let value = match key.as_str() {
                "Action" | "NotAction" => list(value, spelled),
                "Resource" | "NotResource" => list(value, ToOwned::to_owned),
                "Principal" | "NotPrincipal" => canonical_principal(value),
                "Condition" if value.as_object().is_some_and(Map::is_empty) => return None,
                "Condition" => canonical_condition(value),
                _ => value.clone(),
            };
            Some((key.clone(), value))
        })
        .collect();
    sorted(&json!(fields))
}

/// `"*"` means `{"AWS": "*"}`, and an account's number means its root.
fn canonical_principal(principal: &Value) -> Value {
    match principal {
        Value::Object(kinds) => {
            let kinds: BTreeMap<&String, Value> =
                kinds.iter().map(|(kind, who)| (kind, list(who, account_number))).collect();
            json!(kinds)
        }
        other => json!({ "AWS": list(other, account_number) }),
    }
}

fn account_number(principal: &str) -> String {
    let parts: Vec<&str> = principal.split(':').collect();
    match parts.as_slice() {
        ["arn", _, "iam", "", account, "root"] => (*account).to_owned(),
        _ => principal.to_owned(),
    }
}

fn canonical_condition(condition: &Value) -> Value {
    let Some(operators) = condition.as_object() else { return condition.clone() };
    let operators: BTreeMap<&String, Value> = operators
        .iter()
        .map(|(operator, tests)| {
            let Some(tests) = tests.as_object() else { return (operator, tests.clone()) };
            let of_truth = operator.to_ascii_lowercase().contains("bool") || operator.starts_with("Null");
            let tests: BTreeMap<String, Value> = tests
                .iter()
                .map(|(key, values)| {
                    let value = |value: &str| if of_truth { value.to_ascii_lowercase() } else { value.to_owned() };
                    (spelled(key), list(values, value))
                })
                .collect();
            (operator, json!(tests))
        })
        .collect();
    json!(operators)
}

/// IAM reads actions and condition keys without regard to case. Those that ekk writes are spelled as it writes them,
/// all others in lower case.
fn spelled(word: &str) -> String {
    static KNOWN: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| {
        let mut known = BTreeMap::new();
        for template in [FIREHOSE_TRUST, FIREHOSE_ROLE, DOMAIN_ACCESS, BUCKET] {
            let document: Value = serde_json::from_str(template).expect("an embedded policy is JSON");
            for statement in statements_of(&document) {
                let actions = strings(&statement["Action"]).unwrap_or_default();
                let keys = statement["Condition"].as_object().into_iter().flat_map(Map::values);
                let keys = keys.filter_map(Value::as_object).flat_map(Map::keys).cloned();
                known.extend(actions.into_iter().chain(keys).map(|word| (word.to_ascii_lowercase(), word)));
            }
        }
        known
    });
    let lower = word.to_ascii_lowercase();
    KNOWN.get(&lower).cloned().unwrap_or(lower)
}

/// Returns a sorted list without repetitions; a single value is a list of one.
fn list(value: &Value, spelling: impl Fn(&str) -> String) -> Value {
    let items = match value {
        Value::Array(items) => items.as_slice(),
        single => std::slice::from_ref(single),
    };
    let items: BTreeSet<String> = items
        .iter()
        .map(|item| match item {
            Value::String(text) => spelling(text),
            other => spelling(&other.to_string()),
        })
        .collect();
    json!(items)
}

fn strings(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Array(items) => items.iter().map(|item| item.as_str().map(ToOwned::to_owned)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
    }
}

/// Puts keys in order, whatever order the JSON library keeps them in.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields: BTreeMap<&String, Value> = fields.iter().map(|(key, value)| (key, sorted(value))).collect();
            json!(fields)
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

/// Writes a canonical statement as people do: a list of one as its element, everybody as `"*"`.
fn terse(statement: &Value) -> Value {
    let mut statement = statement.clone();
    for key in ["Action", "NotAction", "Resource", "NotResource"] {
        if let Some(value) = statement.get_mut(key) {
            *value = single(value);
        }
    }
    for key in ["Principal", "NotPrincipal"] {
        if let Some(value) = statement.get_mut(key) {
            if *value == json!({ "AWS": ["*"] }) {
                *value = json!("*");
            } else if let Some(kinds) = value.as_object_mut() {
                kinds.values_mut().for_each(|who| *who = single(who));
            }
        }
    }
    let operators = statement.get_mut("Condition").and_then(Value::as_object_mut);
    for tests in operators.into_iter().flat_map(Map::values_mut).filter_map(Value::as_object_mut) {
        tests.values_mut().for_each(|values| *values = single(values));
    }
    statement
}

fn single(value: &Value) -> Value {
    match value.as_array().map(Vec::as_slice) {
        Some([one]) => one.clone(),
        Some(_) | None => value.clone(),
    }
}

/// Matches IAM's `*` and `?`, without regard to case, in time that grows with the product of the lengths at most: the
/// pattern may be anybody's.
fn matches_pattern(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut position) = (0, 0);
    let mut last_star = None;
    while position < text.len() {
        match (pattern.get(at), last_star) {
            (Some(b'*'), _) => {
                last_star = Some((at, position));
                at += 1;
            }
            (Some(one), _) if *one == b'?' || one.eq_ignore_ascii_case(&text[position]) => {
                at += 1;
                position += 1;
            }
            (Some(_) | None, Some((star, tried))) => {
                last_star = Some((star, tried + 1));
                at = star + 1;
                position = tried + 1;
            }
            (Some(_) | None, None) => return false,
        }
    }
    pattern[at..].iter().all(|rest| *rest == b'*')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn target() -> Target {
        Target { partition: "aws".to_owned(), region: "eu-west-1".to_owned(), account: "123456789012".to_owned() }
    }

    fn grants() -> FirehoseGrants {
        let target = target();
        FirehoseGrants {
            bucket_arn: target.bucket_arn("logging-test-110520"),
            bucket_key: None,
            domain_arn: target.domain_arn("logging-test"),
            index: "logging-test".to_owned(),
            log_group_arn: Some(target.log_group_arn("/aws/kinesisfirehose/logging-test")),
            log_streams: BTreeSet::from(["BackupDelivery".to_owned(), "DestinationDelivery".to_owned()]),
        }
    }

    fn document(text: &str) -> Document {
        parse(text).expect("a document")
    }

    fn sids(document: &Document) -> Vec<String> {
        let value: Value = serde_json::from_str(document.text()).expect("JSON");
        statements_of(&value).iter().filter_map(|one| one["Sid"].as_str().map(ToOwned::to_owned)).collect()
    }

    #[test]
    fn the_role_of_the_articles_stack_may_do_what_firehose_needs_and_no_more() {
        let target = target();
        insta::assert_json_snapshot!("role", firehose_permissions(&grants(), &target));
        insta::assert_json_snapshot!("trust", firehose_trust());
        insta::assert_json_snapshot!(
            "domain",
            domain_access(&target.domain_arn("logging-test"), &[target.account_root_arn()])
        );
        insta::assert_json_snapshot!("bucket", bucket_statements(&target.bucket_arn("logging-test-110520")));
    }

    #[test]
    fn without_logging_and_keys_the_role_may_neither_log_nor_decrypt() {
        let mut grants = grants();
        grants.log_group_arn = None;
        let document = firehose_permissions(&grants, &target());
        assert_eq!(sids(&document), ["BackupBucket", "BackupObjects", "DomainWrite", "DomainRead"]);
        assert!(!document.text().contains("logs:"));
        assert!(!document.text().contains("kms:"));
    }

    #[test]
    fn a_key_of_the_bucket_is_granted_through_s3_alone() {
        let mut grants = grants();
        grants.bucket_key = Some("arn:aws:kms:eu-west-1:123456789012:key/k".to_owned());
        let document = firehose_permissions(&grants, &target());
        let key = document
            .statements()
            .iter()
            .find(|statement| statement["Action"][0] == "kms:Decrypt")
            .expect("a statement for the key");
        assert_eq!(key["Resource"], json!(["arn:aws:kms:eu-west-1:123456789012:key/k"]));
        assert_eq!(key["Condition"]["StringLike"]["kms:ViaService"], json!(["s3.eu-west-1.amazonaws.*"]));
    }

    #[test]
    fn even_two_stacks_with_the_longest_names_fit_into_a_roles_quota() {
        let longest = |letter: &str| {
            let target = target();
            FirehoseGrants {
                bucket_arn: target.bucket_arn(&letter.repeat(63)),
                bucket_key: Some(format!("arn:aws:kms:eu-west-1:123456789012:key/{}", letter.repeat(36))),
                domain_arn: target.domain_arn(&letter.repeat(28)),
                index: letter.repeat(80),
                log_group_arn: Some(target.log_group_arn(&letter.repeat(512))),
                log_streams: grants().log_streams,
            }
        };
        let both =
            union(&firehose_permissions(&longest("a"), &target()), &firehose_permissions(&longest("b"), &target()));
        // IAM quotas: 10,240 characters for all inline policies of a role, white space not counted.
        assert!(both.text().len() < 10_240, "{}", both.text().len());
    }

    #[test]
    fn what_iam_answers_url_encoded_equals_what_was_sent() {
        let sent = firehose_trust();
        let encoded: String = sent.text().bytes().map(|byte| format!("%{byte:02X}")).collect();
        assert_eq!(document(&encoded), sent);
        assert_eq!(percent_decoded("a%2Bb+c%zz%"), "a+b+c%zz%");
    }

    #[test]
    fn a_document_that_means_the_same_is_equal() {
        let sent = document(
            r#"{"Version":"2012-10-17","Id":"x","Statement":[
              {"Sid":"A","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":["es:ESHttpGet","es:ESHttpPut"],"Resource":"a"},
              {"Sid":"B","Effect":"Deny","Principal":"*","Action":"s3:*","Resource":["b","c"],"Condition":{"Bool":{"aws:SecureTransport":false}}}]}"#,
        );
        let answered = document(
            r#"{"Statement":[
              {"Effect":"Deny","Principal":{"AWS":["*"]},"Action":["s3:*"],"Resource":["c","b","b"],"Condition":{"Bool":{"AWS:securetransport":["False"]}}},
              {"Effect":"Allow","Principal":{"AWS":["123456789012"]},"Action":["ES:eshttpput","es:ESHttpGet"],"Resource":["a"],"Condition":{}}],
             "Version":"2012-10-17"}"#,
        );
        assert_eq!(sent, answered);
        assert_eq!(json!(sent), json!(answered));
    }

    #[test]
    fn a_document_that_means_something_else_differs() {
        let sent = document(r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"a:b","Resource":"x"}}"#);
        for other in [
            r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"a:b","Resource":"x"}}"#,
            r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"a:c","Resource":"x"}}"#,
            r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"a:b","Resource":"X"}}"#,
            r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"a:b","NotResource":"x"}}"#,
            r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"a:b","Resource":"x","Condition":{"Bool":{"a:b":"true"}}}}"#,
            r#"{"Statement":{"Effect":"Allow","Action":"a:b","Resource":"x"}}"#,
        ] {
            assert_ne!(sent, document(other), "{other}");
        }
    }

    #[test]
    fn what_is_no_document_is_refused() {
        parse("[]").expect_err("a list");
        parse("%7B").expect_err("half an object");
    }

    #[test]
    fn the_trust_of_another_service_does_not_let_firehose_in() {
        assert!(firehose_trust().lets_assume(FIREHOSE));
        let other = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}}"#;
        assert!(!document(other).lets_assume(FIREHOSE));
        assert!(document(&other.replace("ec2", "firehose").replace("sts:AssumeRole", "sts:*")).lets_assume(FIREHOSE));
    }

    #[test]
    fn statements_of_others_stay_in_a_bucket_policy() {
        let own = bucket_statements("arn:aws:s3:::b");
        let theirs = r#"{"Version":"2008-10-17","Id":"keep","Statement":{"Sid":"Theirs","Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/x"}}"#;
        let merged = with_own_statements(Some(theirs), &own).expect("JSON").expect("two statements");
        assert_eq!(own_statements(&merged).expect("JSON"), own);
        let value: Value = serde_json::from_str(&merged).expect("JSON");
        assert_eq!(value["Id"], "keep");
        assert_eq!(value["Version"], "2008-10-17");
        assert_eq!(value["Statement"][0]["Sid"], "Theirs");
        assert_eq!(value["Statement"][1]["Principal"], "*");

        let without = with_own_statements(Some(&merged), &BTreeMap::new()).expect("JSON").expect("theirs");
        assert!(!without.contains("ekk"));
        let alone = with_own_statements(None, &own).expect("JSON").expect("ours");
        assert_eq!(with_own_statements(Some(&alone), &BTreeMap::new()).expect("JSON"), None);
    }

    #[test]
    fn a_statement_covers_what_is_narrower_and_nothing_else() {
        let wide =
            canonical_statement(&json!({"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":["b","b/*"]}));
        let with = |key: &str, value: Value| {
            let mut other = json!({"Effect":"Deny","Principal":"*","Action":"s3:Get*","Resource":"b/x/*"});
            other[key] = value;
            canonical_statement(&other)
        };
        assert!(covers(&wide, &with("Principal", json!({ "Service": "x" }))));
        assert!(!covers(&wide, &with("Effect", json!("Allow"))));
        assert!(!covers(&wide, &with("Action", json!("es:Get"))));
        assert!(!covers(&wide, &with("Resource", json!("c"))));
        assert!(!covers(&wide, &with("Condition", json!({ "Bool": { "aws:SecureTransport": "false" } }))));
    }

    #[test]
    fn a_pattern_matches_as_iam_matches_and_in_bounded_time() {
        for (pattern, text, expected) in [
            ("s3:*", "s3:GetObject", true),
            ("S3:get*", "s3:GetObject", true),
            ("s3:Get?bject", "s3:GetObject", true),
            ("*", "", true),
            ("s3:Get*Tagging", "s3:GetBucketTagging", true),
            ("s3:Get*Tagging", "s3:GetBucketPolicy", false),
            ("s3:Get", "s3:GetObject", false),
            ("?", "", false),
        ] {
            assert_eq!(matches_pattern(pattern, text), expected, "{pattern} {text}");
        }
        assert!(!matches_pattern(&"*a".repeat(500), &"a".repeat(499)));
    }

    #[test]
    fn a_denial_survives_a_union_only_where_both_deny() {
        let deny = |resource: &str| {
            document(&format!(
                r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"a:b","Resource":"*"}},{{"Effect":"Deny","Action":"a:c","Resource":"{resource}"}}]}}"#
            ))
        };
        assert_eq!(union(&deny("x"), &deny("x")), deny("x"));
        assert!(!union(&deny("x"), &deny("y")).text().contains("Deny"));
    }

    fn statement() -> impl Strategy<Value = Value> {
        let words = |from: &'static [&'static str]| prop::sample::subsequence(from, 1..=from.len());
        (
            prop::sample::select(vec!["Allow", "Deny"]),
            words(&["s3:GetObject", "s3:PutObject", "es:ESHttpGet", "x:Y"]),
            words(&["arn:a", "arn:b", "*"]),
            prop::option::of(words(&["1", "true", "x"])),
            prop::option::of(words(&["123456789012", "arn:aws:iam::123456789013:root", "*"])),
        )
            .prop_map(|(effect, actions, resources, values, principals)| {
                let mut statement = json!({ "Effect": effect, "Action": actions, "Resource": resources });
                if let Some(values) = values {
                    statement["Condition"] = json!({ "StringLike": { "aws:PrincipalTag/x": values } });
                }
                if let Some(principals) = principals {
                    statement["Principal"] = json!({ "AWS": principals });
                }
                statement
            })
    }

    fn some_document() -> impl Strategy<Value = Value> {
        prop::collection::vec(statement(), 0..6)
            .prop_map(|statements| json!({ "Version": "2012-10-17", "Statement": statements }))
    }

    fn reversed(value: &Value) -> Value {
        match value {
            Value::Array(items) => items.iter().rev().map(reversed).collect(),
            Value::Object(fields) => fields.iter().map(|(key, value)| (key.clone(), reversed(value))).collect(),
            other => other.clone(),
        }
    }

    proptest! {
        #[test]
        fn the_canonical_form_is_its_own_canonical_form(value in some_document()) {
            let once = Document::new(&value);
            prop_assert_eq!(&Document::new(once.canonical()), &once);
            prop_assert_eq!(&document(once.text()), &once);
        }

        #[test]
        fn order_and_lists_of_one_mean_nothing(value in some_document()) {
            let mut other = reversed(&value);
            other["Statement"] = statements_of(&other).iter().map(terse).collect();
            prop_assert_eq!(Document::new(&value), Document::new(&other));
        }

        #[test]
        fn a_union_is_idempotent_and_takes_either_order(one in some_document(), other in some_document()) {
            let (one, other) = (Document::new(&one), Document::new(&other));
            let both = union(&one, &other);
            prop_assert_eq!(&both, &union(&other, &one));
            prop_assert_eq!(&both, &union(&both, &both));
            prop_assert_eq!(&document(both.text()), &both);
            prop_assert_eq!(union(&one, &one), one);
        }

        #[test]
        fn a_union_allows_whatever_either_allows(one in some_document(), other in some_document()) {
            let (one, other) = (Document::new(&one), Document::new(&other));
            let both = union(&one, &other);
            let allows = |document: &Document, statement: &Value| {
                document.statements().iter().any(|wide| {
                    ["Effect", "Action", "Principal", "Condition"].iter().all(|key| wide[*key] == statement[*key])
                        && statement["Resource"].as_array().into_iter().flatten().all(|resource| {
                            wide["Resource"].as_array().is_some_and(|all| all.contains(resource))
                        })
                })
            };
            for document in [&one, &other] {
                for statement in document.statements().iter().filter(|statement| statement["Effect"] == "Allow") {
                    prop_assert!(allows(&both, statement));
                }
            }
        }
    }
}
