//! What a single text value must look like: the naming rules of AWS and OpenSearch, each with what was probably meant.

/// Why a value is refused: what is wrong with it, and what to write instead.
#[derive(Debug)]
pub(super) struct Complaint {
    pub(super) message: String,
    pub(super) help: String,
}

type Verdict = Result<(), Complaint>;

/// The longest region name there is (`ap-southeast-1`), for lengths that must hold anywhere.
pub(super) const LONGEST_REGION: &str = "ap-southeast-1";

/// Stands for the account in a name while the account is not known.
pub(super) const ANY_ACCOUNT: &str = "123456789012";

fn refuse(message: impl Into<String>, help: impl Into<String>) -> Verdict {
    Err(Complaint { message: message.into(), help: help.into() })
}

/// Shortens what is quoted in a message.
pub(super) fn quoted(value: &str) -> String {
    if value.chars().count() <= 60 {
        return format!("`{value}`");
    }
    let start: String = value.chars().take(50).collect();
    format!("`{start}…`")
}

/// Fills `{account}` and `{region}`; any other brace is a fault.
pub(super) fn fill(value: &str, account: &str, region: &str) -> Result<String, Complaint> {
    let mut filled = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(start) = rest.find(['{', '}']) {
        filled.push_str(&rest[..start]);
        rest = &rest[start..];
        let Some(end) = rest.find('}').filter(|_| rest.starts_with('{')) else {
            return Err(Complaint {
                message: format!("{} has a brace without its other half", quoted(value)),
                help: "a name may hold {account} and {region}".to_owned(),
            });
        };
        let placeholder = &rest[1..end];
        filled.push_str(match placeholder {
            "account" => account,
            "region" => region,
            other => {
                let meant = super::meant::closest(other, ["account", "region"])
                    .map_or_else(String::new, |meant| format!("did you mean {{{meant}}}? "));
                return Err(Complaint {
                    message: format!("`{{{other}}}` is not a placeholder"),
                    help: format!("{meant}a name may hold {{account}} and {{region}}"),
                });
            }
        });
        rest = &rest[end + 1..];
    }
    filled.push_str(rest);
    Ok(filled)
}

/// Refuses by length, and by the first character that is not allowed.
fn made_of(value: &str, what: &str, lengths: (usize, usize), allowed: &str, is_allowed: fn(char) -> bool) -> Verdict {
    let (min, max) = lengths;
    if let Some(wrong) = value.chars().find(|c| !is_allowed(*c)) {
        let lower = value.to_lowercase();
        let hyphened = lower.replace(['_', ' ', '.'], "-");
        let meant = [lower, hyphened].into_iter().find(|meant| meant.chars().all(is_allowed));
        let meant = meant.map_or_else(String::new, |meant| format!("did you mean {meant}? "));
        return refuse(format!("{} holds `{wrong}`", quoted(value)), format!("{meant}{what} is made of {allowed}"));
    }
    let length = value.chars().count();
    if length < min || length > max {
        return refuse(
            format!("{} is {length} characters long", quoted(value)),
            format!("{what} has {min} to {max} characters"),
        );
    }
    Ok(())
}

fn is_lower_or_digit(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit()
}

/// A stack: so short and plain that every resource can be named after it.
pub(super) fn stack(value: &str) -> Verdict {
    domain(value)
}

/// A domain (OpenSearch Service API reference, DomainName).
pub(super) fn domain(value: &str) -> Verdict {
    made_of(value, "it", (3, 28), "lower-case letters, digits and hyphens", |c| is_lower_or_digit(c) || c == '-')?;
    if !value.starts_with(|c: char| c.is_ascii_lowercase()) {
        return refuse(format!("{} does not begin with a letter", quoted(value)), "begin with a lower-case letter");
    }
    Ok(())
}

/// An account.
pub(super) fn account(value: &str) -> Verdict {
    let digits: String = value.chars().filter(char::is_ascii_digit).collect();
    if digits.len() == 12 && value.chars().all(|c| c.is_ascii_digit()) {
        return Ok(());
    }
    let meant = if digits.len() == 12 { format!("did you mean \"{digits}\"? ") } else { String::new() };
    refuse(format!("{} is not an account", quoted(value)), format!("{meant}an account has 12 digits"))
}

/// A region, by its form; which regions there are is AWS's to say.
pub(super) fn region(value: &str) -> Verdict {
    let lower = value.to_lowercase().replace(['_', ' '], "-");
    if is_region(value) {
        return Ok(());
    }
    let zone = lower.strip_suffix(|c: char| c.is_ascii_lowercase()).filter(|region| is_region(region));
    let help = match zone {
        Some(region) => format!("that is an availability zone; did you mean {region}?"),
        None if is_region(&lower) => format!("did you mean {lower}?"),
        None => match super::meant::closest(value, REGIONS.iter().copied()) {
            Some(region) => format!("did you mean {region}?"),
            None => "a region looks like eu-west-1".to_owned(),
        },
    };
    refuse(format!("{} is not a region", quoted(value)), help)
}

fn is_region(value: &str) -> bool {
    let parts: Vec<&str> = value.split('-').collect();
    let [area, places @ .., number] = parts.as_slice() else {
        return false;
    };
    (2..=4).contains(&area.len())
        && !places.is_empty()
        && value.len() <= 26
        && std::iter::once(area)
            .chain(places)
            .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase()))
        && (1..=2).contains(&number.len())
        && number.bytes().all(|b| b.is_ascii_digit())
}

/// The regions that were known when this was written; another one is only a warning.
pub(super) const REGIONS: &[&str] = &[
    "af-south-1",
    "ap-east-1",
    "ap-east-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-south-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-central-1",
    "ca-west-1",
    "cn-north-1",
    "cn-northwest-1",
    "eu-central-1",
    "eu-central-2",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "eusc-de-east-1",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "mx-central-1",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-gov-east-1",
    "us-gov-west-1",
    "us-west-1",
    "us-west-2",
];

/// A tag's key; the limits of the strictest of the services (IAM API reference, Tag).
pub(super) fn tag_key(value: &str) -> Verdict {
    let lower = value.to_lowercase();
    if lower.starts_with("aws:") {
        return refuse(format!("{} begins with `aws:`", quoted(value)), "such keys are AWS's own");
    }
    if lower.starts_with("ekk:") {
        return refuse(
            format!("{} begins with `ekk:`", quoted(value)),
            "such keys say what ekk owns; it sets them itself",
        );
    }
    made_of(value, "a tag's key", (1, 128), TAG_CHARACTERS, is_tag_character)
}

/// A tag's value.
pub(super) fn tag_value(value: &str) -> Verdict {
    made_of(value, "a tag's value", (0, 256), TAG_CHARACTERS, is_tag_character)
}

const TAG_CHARACTERS: &str = "letters, digits, spaces and _ . : / = + - @";

fn is_tag_character(c: char) -> bool {
    c.is_alphanumeric() || c == ' ' || "_.:/=+-@".contains(c)
}

/// An engine version of a family that ekk can work with.
pub(super) fn engine_version(value: &str) -> Verdict {
    const FORM: &str = "it looks like OpenSearch_2.19 or Elasticsearch_7.10";
    let Some((family, version)) = value.split_once('_') else {
        let digits = value.trim_start_matches(|c: char| !c.is_ascii_digit());
        let help = match two_numbers(digits) {
            Some((7, 10)) => "did you mean Elasticsearch_7.10?".to_owned(),
            Some((1..=3, _)) => format!("did you mean OpenSearch_{digits}?"),
            Some(_) | None => FORM.to_owned(),
        };
        return refuse(format!("{} is not an engine version", quoted(value)), help);
    };
    let Some((major, minor)) = two_numbers(version) else {
        return refuse(format!("{} is not an engine version", quoted(value)), FORM);
    };
    match (family, major) {
        ("OpenSearch", 1..=3) | ("Elasticsearch", 7) => Ok(()),
        ("Elasticsearch", ..7) => refuse(
            format!("Elasticsearch {major}.{minor} is too old"),
            "before 7.0 an index holds typed documents, which the template and the stream would have to name; 7.x works",
        ),
        ("OpenSearch" | "Elasticsearch", _) => refuse(
            format!("{family} {major}.{minor} is not known to this release"),
            "OpenSearch 1.x to 3.x and Elasticsearch 7.x are",
        ),
        (family, _) => {
            let help = super::meant::closest(family, ["OpenSearch", "Elasticsearch"])
                .map_or_else(|| FORM.to_owned(), |family| format!("did you mean {family}_{version}?"));
            refuse(format!("{} is not an engine version", quoted(value)), help)
        }
    }
}

/// Reads `X.Y`.
pub(super) fn two_numbers(version: &str) -> Option<(u32, u32)> {
    let (major, minor) = version.split_once('.')?;
    let number = |text: &str| {
        let digits = (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse().ok()).flatten()
    };
    Some((number(major)?, number(minor)?))
}

/// An instance type, by its form; which types there are is AWS's to say.
pub(super) fn instance_type(value: &str) -> Verdict {
    let lower = value.trim().to_lowercase();
    let bare = lower.strip_suffix(".elasticsearch").or_else(|| lower.strip_suffix(".search")).unwrap_or(&lower);
    let bare = bare.strip_prefix("db.").unwrap_or(bare);
    let meant = format!("{bare}.search");
    if !is_instance_type(&meant) {
        return refuse(format!("{} is not an instance type", quoted(value)), "it looks like t3.small.search");
    }
    if meant.starts_with("ultrawarm") {
        return refuse(format!("{} is for warm nodes", quoted(value)), "warm nodes are not supported yet");
    }
    if meant != value {
        return refuse(format!("{} is not an instance type", quoted(value)), format!("did you mean {meant}?"));
    }
    Ok(())
}

fn is_instance_type(value: &str) -> bool {
    let parts: Vec<&str> = value.split('.').collect();
    let [family, size, "search"] = parts.as_slice() else {
        return false;
    };
    let size_is_known = matches!(*size, "nano" | "micro" | "small" | "medium" | "large" | "xlarge")
        || size
            .strip_suffix("xlarge")
            .is_some_and(|n| (1..=3).contains(&n.len()) && n.bytes().all(|b| b.is_ascii_digit()));
    size_is_known
        && family.len() <= 12
        && family.starts_with(|c: char| c.is_ascii_lowercase())
        && family.bytes().any(|b| b.is_ascii_digit())
        && family.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// The ARN of a KMS key. Neither an alias nor a bare id: AWS answers with the key's ARN, and every plan would differ.
pub(super) fn kms_key(value: &str) -> Verdict {
    const FORM: &str = "it looks like arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    let Some(arn) = Arn::parse(value) else {
        return refuse(format!("{} is not the ARN of a key", quoted(value)), FORM);
    };
    if arn.service == "kms" && arn.resource.starts_with("alias/") {
        return refuse(
            format!("{} is an alias", quoted(value)),
            "name the key itself: AWS answers with the key's ARN, and every plan would show a change",
        );
    }
    let id = arn.resource.strip_prefix("key/").unwrap_or_default();
    let is_id = (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if arn.service != "kms" || !is_region(arn.region) || !is_account(arn.account) || !is_id {
        return refuse(format!("{} is not the ARN of a key", quoted(value)), FORM);
    }
    Ok(())
}

/// The ARN of an IAM principal; never the world.
pub(super) fn principal(value: &str) -> Verdict {
    const FORM: &str = "it looks like arn:aws:iam::123456789012:role/NAME";
    if value == "*" {
        return refuse("`*` is the whole world", "name the ARNs of roles, users or accounts (…:root)");
    }
    if is_account(value) {
        return refuse(
            format!("{} is a bare account", quoted(value)),
            format!("did you mean arn:aws:iam::{value}:root?"),
        );
    }
    let Some(arn) = Arn::parse(value) else {
        return refuse(format!("{} is not the ARN of a principal", quoted(value)), FORM);
    };
    if arn.service == "sts" {
        return refuse(
            format!("{} is a session and not a principal that lasts", quoted(value)),
            "name the role itself, with its path: arn:aws:iam::ACCOUNT:role/NAME",
        );
    }
    let named = arn.resource.strip_prefix("role/").or_else(|| arn.resource.strip_prefix("user/"));
    let is_named = named.is_some_and(|name| !name.is_empty() && name.chars().all(is_iam_path_character));
    if arn.service != "iam"
        || !arn.region.is_empty()
        || !is_account(arn.account)
        || !(is_named || arn.resource == "root")
    {
        return refuse(format!("{} is not the ARN of a principal", quoted(value)), FORM);
    }
    Ok(())
}

/// The ARN of a managed policy.
pub(super) fn managed_policy(value: &str) -> Verdict {
    let is_policy = Arn::parse(value).is_some_and(|arn| {
        let name = arn.resource.strip_prefix("policy/").unwrap_or_default();
        arn.service == "iam"
            && arn.region.is_empty()
            && (is_account(arn.account) || arn.account == "aws")
            && !name.is_empty()
            && name.chars().all(is_iam_path_character)
    });
    if is_policy {
        return Ok(());
    }
    refuse(
        format!("{} is not the ARN of a managed policy", quoted(value)),
        "it looks like arn:aws:iam::123456789012:policy/NAME",
    )
}

fn is_iam_path_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || "+=,.@_/-".contains(c)
}

fn is_account(value: &str) -> bool {
    value.len() == 12 && value.bytes().all(|byte| byte.is_ascii_digit())
}

/// The parts of an ARN that rules ask for.
pub(super) struct Arn<'a> {
    pub(super) service: &'a str,
    pub(super) region: &'a str,
    pub(super) account: &'a str,
    pub(super) resource: &'a str,
}

impl<'a> Arn<'a> {
    pub(super) fn parse(value: &'a str) -> Option<Self> {
        let parts: Vec<&str> = value.splitn(6, ':').collect();
        match parts.as_slice() {
            ["arn", partition, service, region, account, resource]
                if ["aws", "aws-cn", "aws-us-gov", "aws-eusc", "aws-iso", "aws-iso-b"].contains(partition) =>
            {
                Some(Self { service, region, account, resource })
            }
            _ => None,
        }
    }
}

/// An index: OpenSearch's naming rules, and Firehose's length (Firehose API reference, IndexName).
pub(super) fn index(value: &str) -> Verdict {
    if value.starts_with('.') {
        return refuse(format!("{} begins with a dot", quoted(value)), "such indexes are OpenSearch's own");
    }
    let lead = value.starts_with(['_', '-', '+']);
    if lead {
        let meant = value.trim_start_matches(['_', '-', '+']);
        return refuse(
            format!("{} begins with `{}`", quoted(value), &value[..1]),
            if meant.is_empty() { "begin with a letter or digit".to_owned() } else { format!("did you mean {meant}?") },
        );
    }
    if value.ends_with("-*") || value.ends_with('*') {
        return refuse(
            format!("{} is a pattern", quoted(value)),
            format!(
                "did you mean {}? Firehose adds the date itself",
                value.trim_end_matches(['*', '-']).to_lowercase()
            ),
        );
    }
    made_of(value, "it", (1, 80), "lower-case letters, digits and - _ . = @ ~", |c| {
        is_lower_or_digit(c) || "-_.=@~".contains(c)
    })?;
    if !value.starts_with(is_lower_or_digit) {
        return refuse(format!("{} does not begin with a letter or digit", quoted(value)), "begin with one");
    }
    Ok(())
}

/// A field of a document.
pub(super) fn field(value: &str) -> Verdict {
    const OWN: &[&str] = &[
        "_id",
        "_index",
        "_source",
        "_type",
        "_routing",
        "_field_names",
        "_ignored",
        "_meta",
        "_size",
        "_seq_no",
        "_version",
    ];
    if OWN.contains(&value) {
        return refuse(format!("{} is OpenSearch's own field", quoted(value)), "choose another name");
    }
    if value.len() > 255 {
        return refuse(format!("{} is {} bytes long", quoted(value), value.len()), "a field's name has at most 255");
    }
    let is_segment = |segment: &str| {
        !segment.is_empty() && segment.chars().all(|c| c.is_ascii_alphanumeric() || "_@$-".contains(c) || c >= '\u{a1}')
    };
    if !value.split('.').all(is_segment) {
        return refuse(
            format!("{} is not the name of a field", quoted(value)),
            "letters, digits and _ @ $ -, with single dots between levels",
        );
    }
    Ok(())
}

/// An OpenSearch field type that needs nothing but its name.
pub(super) fn field_type(value: &str) -> Verdict {
    if FIELD_TYPES.contains(&value) {
        return Ok(());
    }
    const MEANT: &[(&str, &str)] = &[
        ("string", "keyword"),
        ("str", "keyword"),
        ("int", "integer"),
        ("number", "double"),
        ("decimal", "double"),
        ("bool", "boolean"),
        ("datetime", "date"),
        ("timestamp", "date"),
        ("time", "date"),
        ("bigint", "long"),
        ("int64", "long"),
        ("int32", "integer"),
        ("float64", "double"),
        ("float32", "float"),
        ("ipaddress", "ip"),
        ("json", "object"),
        ("dict", "object"),
        ("map", "object"),
        ("flattened", "flat_object"),
    ];
    const WITH_MORE: &[&str] =
        &["alias", "scaled_float", "knn_vector", "join", "token_count", "star_tree", "constant_keyword"];
    if WITH_MORE.contains(&value) {
        return refuse(
            format!("`{value}` needs more than its name"),
            "only types that do not are supported: keyword, long, double, ip, date, …",
        );
    }
    let plain = super::meant::plain(value);
    let meant = MEANT
        .iter()
        .find(|(other, _)| *other == plain)
        .map(|(_, meant)| *meant)
        .or_else(|| super::meant::closest(value, FIELD_TYPES.iter().copied()));
    refuse(
        format!("{} is not a field type", quoted(value)),
        meant.map_or_else(|| format!("one of {}", FIELD_TYPES.join(" ")), |meant| format!("did you mean {meant}?")),
    )
}

/// Field types that need nothing but their name (OpenSearch documentation, supported field types).
pub(super) const FIELD_TYPES: &[&str] = &[
    "keyword",
    "text",
    "boolean",
    "byte",
    "short",
    "integer",
    "long",
    "unsigned_long",
    "half_float",
    "float",
    "double",
    "date",
    "date_nanos",
    "ip",
    "binary",
    "object",
    "nested",
    "flat_object",
    "match_only_text",
    "wildcard",
    "search_as_you_type",
    "completion",
    "geo_point",
    "geo_shape",
    "integer_range",
    "long_range",
    "float_range",
    "double_range",
    "date_range",
    "ip_range",
    "rank_feature",
    "rank_features",
    "percolator",
];

/// A time as OpenSearch writes it, such as `30s`; `-1` is never.
pub(super) fn refresh_interval(value: &str) -> Verdict {
    let digits = value.trim_end_matches(|c: char| c.is_ascii_lowercase());
    let unit = &value[digits.len()..];
    let is_number = !digits.is_empty() && digits.len() <= 9 && digits.bytes().all(|b| b.is_ascii_digit());
    if value == "-1" || (is_number && matches!(unit, "nanos" | "micros" | "ms" | "s" | "m" | "h" | "d")) {
        return Ok(());
    }
    let help = match super::meant::number(value, "seconds") {
        Some(seconds) => format!("did you mean {seconds}s?"),
        None => "it looks like 30s, 1m or 500ms; \"-1\" is never".to_owned(),
    };
    refuse(format!("{} is not a time with a unit", quoted(value)), help)
}

/// A stream (Firehose API reference, DeliveryStreamName).
pub(super) fn stream(value: &str) -> Verdict {
    made_of(value, "it", (1, 64), "letters, digits and _ . -", |c| c.is_ascii_alphanumeric() || "_.-".contains(c))
}

/// A role (IAM API reference, RoleName).
pub(super) fn role(value: &str) -> Verdict {
    if let Some(arn) = Arn::parse(value)
        && let Some((_, name)) = arn.resource.rsplit_once('/')
    {
        return refuse(format!("{} is an ARN", quoted(value)), format!("the name alone: did you mean {name}?"));
    }
    made_of(value, "it", (1, 64), "letters, digits and _ + = , . @ -", |c| {
        c.is_ascii_alphanumeric() || "_+=,.@-".contains(c)
    })
}

/// The path of a role (IAM API reference, Path).
pub(super) fn role_path(value: &str) -> Verdict {
    let inner = value.trim_matches('/');
    if !value.starts_with('/') || !value.ends_with('/') {
        return refuse(
            format!("{} does not begin and end with a slash", quoted(value)),
            format!("did you mean /{inner}/?"),
        );
    }
    if value.contains("//") {
        return refuse(format!("{} has an empty part", quoted(value)), "one slash between two parts");
    }
    made_of(value, "it", (1, 512), "letters, digits and . , + @ = _ -", is_iam_path_character)
}

/// A bucket (S3 User Guide, bucket naming rules).
pub(super) fn bucket(value: &str) -> Verdict {
    if let Some(name) = value.strip_prefix("s3://").or_else(|| value.strip_prefix("arn:aws:s3:::")) {
        let name = name.split('/').next().unwrap_or(name);
        return refuse(format!("{} is more than a name", quoted(value)), format!("did you mean {name}?"));
    }
    if value.contains('_') {
        let meant = value.replace('_', "-").to_lowercase();
        return refuse(format!("{} holds `_`", quoted(value)), format!("did you mean {meant}?"));
    }
    made_of(value, "a bucket's name", (3, 63), "lower-case letters, digits, hyphens and dots", |c| {
        is_lower_or_digit(c) || c == '-' || c == '.'
    })?;
    let ends = value.starts_with(is_lower_or_digit) && value.ends_with(is_lower_or_digit);
    if !ends {
        return refuse(
            format!("{} does not begin and end with a letter or digit", quoted(value)),
            "begin and end with one",
        );
    }
    if value.contains("..") {
        return refuse(format!("{} has two dots side by side", quoted(value)), "S3 refuses such names");
    }
    if value.split('.').count() == 4 && value.split('.').all(|part| part.parse::<u8>().is_ok()) {
        return refuse(format!("{} looks like an IP address", quoted(value)), "S3 refuses such names");
    }
    if let Some(start) = RESERVED_STARTS.iter().find(|start| value.starts_with(**start)) {
        return refuse(format!("{} begins with `{start}`", quoted(value)), "S3 keeps such names for itself");
    }
    if let Some(end) = RESERVED_ENDS.iter().find(|end| value.ends_with(**end)) {
        return refuse(format!("{} ends with `{end}`", quoted(value)), "S3 keeps such names for itself");
    }
    Ok(())
}

pub(super) const RESERVED_STARTS: &[&str] = &["xn--", "sthree-", "amzn-s3-demo-"];
const RESERVED_ENDS: &[&str] = &["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3", "-an"];

/// A log group (CloudWatch Logs API reference, LogGroupName).
pub(super) fn log_group(value: &str) -> Verdict {
    if value.starts_with("aws/") {
        return refuse(format!("{} begins with `aws/`", quoted(value)), format!("did you mean /{value}?"));
    }
    made_of(value, "it", (1, 512), "letters, digits and . - _ / #", |c| {
        c.is_ascii_alphanumeric() || ".-_/#".contains(c)
    })
}

/// The title of an index pattern.
pub(super) fn index_pattern(value: &str) -> Verdict {
    made_of(value, "it", (1, 255), "lower-case letters, digits and - _ . = @ ~ * ,", |c| {
        is_lower_or_digit(c) || "-_.=@~*,".contains(c)
    })
}

/// What stands before the keys of backup objects (Firehose Developer Guide, custom prefixes).
pub(super) fn prefix(value: &str) -> Verdict {
    expressions(value).map(|found| found.contains(&Expression::ErrorOutputType)).and_then(|has_error_type| {
        if has_error_type {
            return refuse(
                "`!{firehose:error-output-type}` has no meaning in `prefix`",
                "it belongs into backup.error_prefix",
            );
        }
        Ok(())
    })
}

/// The same for failed documents.
pub(super) fn error_prefix(value: &str) -> Verdict {
    let found = expressions(value)?;
    if !found.is_empty() && !found.contains(&Expression::ErrorOutputType) {
        return refuse(
            format!("{} has expressions but not `!{{firehose:error-output-type}}`", quoted(value)),
            "Firehose wants it in every error prefix with an expression",
        );
    }
    Ok(())
}

/// An expression of Firehose in a prefix.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Expression {
    Timestamp,
    ErrorOutputType,
    RandomString,
}

/// Reads the expressions of a prefix.
pub(super) fn expressions(value: &str) -> Result<Vec<Expression>, Complaint> {
    let complain = |message: String, help: &str| Err(Complaint { message, help: help.to_owned() });
    if value.len() > 1024 {
        return complain(format!("{} is {} bytes long", quoted(value), value.len()), "a prefix has at most 1024");
    }
    if value.contains(|c: char| c.is_control()) {
        return complain(format!("{} holds a control character", quoted(value)), "a prefix is part of an object's key");
    }
    let mut found = Vec::new();
    let mut rest = value;
    loop {
        let plain_end = rest.find("!{").unwrap_or(rest.len());
        let plain = &rest[..plain_end];
        if plain.contains("{account}") || plain.contains("{region}") {
            return complain("a placeholder stands in a prefix".to_owned(), "{account} and {region} are for names");
        }
        if plain_end == rest.len() {
            return Ok(found);
        }
        let after = &rest[plain_end + 2..];
        let Some(end) = after.find('}') else {
            return complain(format!("`!{{{after}` has no end"), "close it with }");
        };
        let expression = &after[..end];
        let (namespace, detail) = expression.split_once(':').unwrap_or((expression, ""));
        found.push(match (namespace, detail) {
            ("timestamp", pattern) => {
                date_pattern(pattern)?;
                Expression::Timestamp
            }
            ("firehose", "error-output-type") => Expression::ErrorOutputType,
            ("firehose", "random-string") => Expression::RandomString,
            ("partitionKeyFromQuery" | "partitionKeyFromLambda", _) => {
                return complain(
                    format!("`!{{{expression}}}` needs dynamic partitioning"),
                    "a backup has none; use timestamp or firehose",
                );
            }
            _ => {
                return complain(
                    format!("`!{{{expression}}}` is not an expression of Firehose"),
                    "!{timestamp:yyyy/MM/dd}, !{firehose:random-string} or !{firehose:error-output-type}",
                );
            }
        });
        rest = &after[end + 1..];
    }
}

/// Checks a pattern of Java's DateTimeFormatter: known letters, and quotes in pairs.
fn date_pattern(pattern: &str) -> Verdict {
    if pattern.is_empty() {
        return refuse("`!{timestamp:}` has no format", "such as !{timestamp:yyyy/MM/dd}");
    }
    let mut outside = String::new();
    for (part, text) in pattern.split('\'').enumerate() {
        if part % 2 == 0 {
            outside.push_str(text);
        }
    }
    if pattern.matches('\'').count() % 2 == 1 {
        return refuse(format!("{} has a quote without its other half", quoted(pattern)), "quotes stand in pairs");
    }
    match outside.chars().find(|c| c.is_ascii_alphabetic() && !"GuyDMLdQqYwWEecFahKkHmsSAnNVvzOXxZpB".contains(*c)) {
        Some(letter) => refuse(
            format!("`{letter}` in {} is no letter of a date format", quoted(pattern)),
            "yyyy year, MM month, dd day, HH hour; put other text in single quotes",
        ),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn help(verdict: Verdict) -> String {
        verdict.expect_err("a complaint").help
    }

    #[test]
    fn instance_types_are_known_by_their_form_and_mended() {
        for value in
            ["t3.small.search", "or1.medium.search", "r6gd.16xlarge.search", "im4gn.2xlarge.search", "m7g.large.search"]
        {
            instance_type(value).expect(value);
        }
        assert_eq!(help(instance_type("t3.small")), "did you mean t3.small.search?");
        assert_eq!(help(instance_type("m5.large.elasticsearch")), "did you mean m5.large.search?");
        assert_eq!(help(instance_type("T3.Small.Search")), "did you mean t3.small.search?");
        assert_eq!(help(instance_type("small")), "it looks like t3.small.search");
        assert_eq!(help(instance_type("ultrawarm1.medium.search")), "warm nodes are not supported yet");
    }

    #[test]
    fn engine_versions_are_known_by_family_and_major() {
        for value in ["OpenSearch_1.0", "OpenSearch_2.19", "OpenSearch_3.5", "Elasticsearch_7.10"] {
            engine_version(value).expect(value);
        }
        assert_eq!(help(engine_version("2.19")), "did you mean OpenSearch_2.19?");
        assert_eq!(help(engine_version("opensearch_2.19")), "did you mean OpenSearch_2.19?");
        assert_eq!(help(engine_version("OpenSearch-2.19")), "did you mean OpenSearch_2.19?");
        assert!(engine_version("Elasticsearch_6.8").expect_err("old").message.contains("too old"));
        engine_version("OpenSearch_4.0").expect_err("unknown");
    }

    #[test]
    fn bucket_names_follow_s3() {
        for value in ["logging-test-110520", "a.b.c", "123"] {
            bucket(value).expect(value);
        }
        for value in
            ["ab", "Logs", "-logs", "logs-", "a..b", "192.168.0.1", "xn--logs", "logs-s3alias", "logs--x-s3", "logs-an"]
        {
            bucket(value).expect_err(value);
        }
        assert_eq!(help(bucket("my_logs")), "did you mean my-logs?");
        assert_eq!(
            help(bucket("Logs")),
            "did you mean logs? a bucket's name is made of lower-case letters, digits, hyphens and dots"
        );
        assert_eq!(help(bucket("s3://logs/x")), "did you mean logs?");
    }

    #[test]
    fn prefixes_follow_firehose() {
        for value in
            ["", "logs/", "logs/!{timestamp:yyyy/MM/dd}/", "!{timestamp:'year='yyyy}/!{firehose:random-string}/"]
        {
            prefix(value).expect(value);
        }
        for value in [
            "!{timestamp:}",
            "!{timestamp:yyyy",
            "!{time:yyyy}",
            "!{firehose:error-output-type}/",
            "!{timestamp:'yyyy}",
            "{account}/",
        ] {
            prefix(value).expect_err(value);
        }
        error_prefix("failed/").expect("plain");
        error_prefix("failed/!{firehose:error-output-type}/").expect("with the type");
        error_prefix("failed/!{timestamp:yyyy}/").expect_err("without the type");
    }

    #[test]
    fn placeholders_are_two_and_no_more() {
        assert_eq!(fill("logs-{account}-{region}", "1", "eu").expect("known"), "logs-1-eu");
        assert_eq!(
            fill("logs-{acount}", "1", "eu").expect_err("slip").help,
            "did you mean {account}? a name may hold {account} and {region}"
        );
        for value in ["{", "}", "a{b", "a}b{", "{}"] {
            fill(value, "1", "eu").expect_err(value);
        }
    }

    #[test]
    fn regions_are_known_by_their_form_and_mended() {
        for value in REGIONS {
            region(value).expect(value);
        }
        assert_eq!(help(region("eu-west-1a")), "that is an availability zone; did you mean eu-west-1?");
        assert_eq!(help(region("EU-WEST-1")), "did you mean eu-west-1?");
        assert_eq!(help(region("euwest1")), "did you mean eu-west-1?");
    }

    #[test]
    fn principals_are_named_and_never_the_world() {
        principal("arn:aws:iam::123456789012:role/team/ci").expect("a role");
        principal("arn:aws:iam::123456789012:root").expect("an account");
        principal("*").expect_err("the world");
        principal("arn:aws:sts::123456789012:assumed-role/ci/x").expect_err("a session");
        assert_eq!(help(principal("123456789012")), "did you mean arn:aws:iam::123456789012:root?");
    }

    #[test]
    fn keys_are_named_by_their_arn() {
        kms_key("arn:aws:kms:eu-west-1:123456789012:key/mrk-1234abcd12ab34cd56ef1234567890ab").expect("a key");
        kms_key("arn:aws:kms:eu-west-1:123456789012:alias/logs").expect_err("an alias");
        kms_key("1234abcd-12ab-34cd-56ef-1234567890ab").expect_err("an id");
    }

    #[test]
    fn times_have_a_unit() {
        refresh_interval("30s").expect("seconds");
        refresh_interval("-1").expect("never");
        assert_eq!(help(refresh_interval("30")), "did you mean 30s?");
        assert_eq!(help(refresh_interval("5min")), "did you mean 300s?");
    }
}
