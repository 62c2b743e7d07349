//! CloudWatch Logs: groups, streams and events.

use std::collections::BTreeMap;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{
    json_input::Input,
    request::Request,
    response::{self, Failure, Response},
    table::{Stored, Table},
    world::{Context, Permission, World, partition},
};

const TARGET: &str = "Logs_20140328";
const TAGS: usize = 50;
/// The only values that PutRetentionPolicy takes (CloudWatch Logs API reference).
const RETENTIONS: [i64; 22] =
    [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];
const DAY_MILLISECONDS: i64 = 24 * 60 * 60 * 1000;
const EVENTS_A_PAGE: i64 = 10_000;
const BATCH_BYTES: usize = 1_048_576;

/// Log groups. No name holds a colon, so that one separates them in a key.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// Groups by `REGION/GROUP`.
    pub groups: Table<LogGroup>,
    /// Streams by `REGION/GROUP:STREAM`.
    pub streams: Table<LogStream>,
    /// Events by `REGION/GROUP:STREAM:NUMBER`, the number with its leading zeros.
    pub events: Table<LogEvent>,
}

impl State {
    pub(crate) fn tables(&mut self) -> Vec<(&'static str, &mut dyn Stored)> {
        let Self { groups, streams, events } = self;
        vec![("logs.groups", groups), ("logs.streams", streams), ("logs.events", events)]
    }

    /// The groups of a region, by ARN (without `:*`), with their tags.
    pub(crate) fn tagged(&self, context: &Context<'_>, region: &str) -> Vec<(String, BTreeMap<String, String>)> {
        self.groups
            .with_prefix(&format!("{region}/"))
            .map(|(_, group)| (group_arn(context, region, &group.name), group.tags.clone()))
            .collect()
    }
}

/// A log group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogGroup {
    /// Its name.
    pub name: String,
    /// When it was created, in milliseconds since 1970.
    pub created: i64,
    /// After how many days events expire; none is never.
    pub retention_days: Option<i64>,
    /// The key that encrypts it.
    pub kms_key: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// A stream of a group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogStream {
    /// Its name.
    pub name: String,
    /// When it was created, in milliseconds since 1970.
    pub created: i64,
    /// How many events it ever took.
    pub taken: u64,
}

/// An event of a stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogEvent {
    /// When it happened, in milliseconds since 1970.
    pub timestamp: i64,
    /// When it came, likewise.
    pub ingested: i64,
    /// Its text.
    pub message: String,
}

/// Writes an event for a service of AWS; false if the group or the stream does not exist, for no service creates them.
pub fn put_event(
    world: &mut World,
    context: &Context<'_>,
    region: &str,
    group: &str,
    stream: &str,
    message: &str,
) -> bool {
    let now = context.now.as_millisecond();
    append(
        &mut world.logs,
        &format!("{region}/{group}:{stream}"),
        vec![LogEvent { timestamp: now, ingested: now, message: message.to_owned() }],
    )
}

fn append(state: &mut State, key: &str, events: Vec<LogEvent>) -> bool {
    let Some(stream) = state.streams.get_mut(key) else {
        return false;
    };
    for event in events {
        state.events.insert(format!("{key}:{:020}", stream.taken), event);
        stream.taken += 1;
    }
    true
}

/// The operation that X-Amz-Target names.
pub(crate) fn operation(request: &Request) -> String {
    request.target_operation(TARGET)
}

pub(crate) fn permissions(context: &Context<'_>, request: &Request) -> Vec<Permission> {
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let group = body["logGroupName"].as_str().or_else(|| body["logGroupNamePrefix"].as_str()).unwrap_or_default();
    let resource = match body["resourceArn"].as_str() {
        Some(arn) => arn.to_owned(),
        None => format!(
            "{}:log-stream:{}",
            group_arn(context, &request.region, group),
            body["logStreamName"].as_str().unwrap_or_default()
        ),
    };
    let mut permissions = vec![Permission::new(format!("logs:{}", request.operation), &resource)];
    if request.operation == "CreateLogGroup" && body["tags"].as_object().is_some_and(|tags| !tags.is_empty()) {
        permissions.push(Permission::new("logs:TagResource", resource));
    }
    permissions
}

pub(crate) fn handle(world: &mut World, context: &Context<'_>, request: &Request) -> Response {
    let logs = &mut world.logs;
    let input = Input::read(request, "InvalidParameterException");
    let region = request.region.as_str();
    let result = match request.operation.as_str() {
        "CreateLogGroup" => create_group(logs, context, region, &input).map(Some),
        "DeleteLogGroup" => delete_group(logs, region, &input).map(Some),
        "DescribeLogGroups" => describe_groups(logs, context, region, &input).map(Some),
        "CreateLogStream" => create_stream(logs, context, region, &input).map(Some),
        "DeleteLogStream" => delete_stream(logs, region, &input).map(Some),
        "DescribeLogStreams" => describe_streams(logs, context, region, &input).map(Some),
        "PutRetentionPolicy" => put_retention(logs, region, &input).map(Some),
        "DeleteRetentionPolicy" => delete_retention(logs, region, &input).map(Some),
        "TagResource" => tag(logs, context, region, &input).map(Some),
        "UntagResource" => untag(logs, context, region, &input).map(Some),
        "ListTagsForResource" => list_tags(logs, context, region, &input).map(Some),
        "PutLogEvents" => put_events(logs, context, region, &input).map(Some),
        "GetLogEvents" => get_events(logs, region, &input).map(Some),
        "FilterLogEvents" => filter_events(logs, region, &input).map(Some),
        _ => Ok(None),
    };
    match result {
        Ok(Some(Value::Null)) => Response {
            headers: vec![("content-type".to_owned(), "application/x-amz-json-1.1".to_owned())],
            ..Response::empty(200)
        },
        Ok(Some(answer)) => Response::json_1_1(200, &answer),
        Ok(None) => response::unknown_operation(request),
        Err(failure) => failure.answer(request),
    }
}

fn create_group(logs: &mut State, context: &Context<'_>, region: &str, input: &Input) -> Result<Value, Failure> {
    let name = group_name(input)?;
    // The classes differ in what they can do, and the emulator has but one.
    if input.text("logGroupClass").is_some_and(|class| class != "STANDARD") {
        return Err(input.refuse("the emulator has log groups of class STANDARD only"));
    }
    if input.boolean("deletionProtectionEnabled") == Some(true) {
        return Err(input.refuse("the emulator has no deletion protection of log groups"));
    }
    let kms_key = input.text("kmsKeyId");
    if kms_key.is_some_and(|arn| !arn.starts_with("arn:") || !arn.contains(":kms:")) {
        return Err(input.refuse("The specified KMS key does not exist or is not allowed to be used"));
    }
    let mut tags = BTreeMap::new();
    add_tags(&mut tags, &input.text_map("tags").unwrap_or_default(), input)?;
    let key = format!("{region}/{name}");
    if logs.groups.contains_key(&key) {
        return Err(already_exists("log group"));
    }
    logs.groups.insert(
        key,
        LogGroup {
            name: name.to_owned(),
            created: context.now.as_millisecond(),
            retention_days: None,
            kms_key: kms_key.map(str::to_owned),
            tags,
        },
    );
    Ok(Value::Null)
}

fn delete_group(logs: &mut State, region: &str, input: &Input) -> Result<Value, Failure> {
    let key = existing_group(logs, region, input)?;
    logs.groups.remove(&key);
    let of_group = format!("{key}:");
    for stream in keys_with(&logs.streams, &of_group) {
        logs.streams.remove(&stream);
    }
    for event in keys_with(&logs.events, &of_group) {
        logs.events.remove(&event);
    }
    Ok(Value::Null)
}

fn describe_groups(logs: &State, context: &Context<'_>, region: &str, input: &Input) -> Result<Value, Failure> {
    let prefix = input.text("logGroupNamePrefix");
    let pattern = input.text("logGroupNamePattern");
    if prefix.is_some() && pattern.is_some() {
        return Err(input.refuse("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters."));
    }
    for unknown in ["logGroupIdentifiers", "includeLinkedAccounts", "accountIdentifiers"] {
        if input.get(unknown).is_some_and(|value| *value != json!(false)) {
            return Err(input.refuse(format!("the emulator does not know {unknown}")));
        }
    }
    let groups: Vec<&LogGroup> = logs
        .groups
        .with_prefix(&format!("{region}/{}", prefix.unwrap_or_default()))
        .map(|(_, group)| group)
        .filter(|group| pattern.is_none_or(|pattern| group.name.contains(pattern)))
        .collect();
    let (groups, next) = page(groups, input)?;
    let groups: Vec<Value> = groups
        .into_iter()
        .map(|group| {
            let LogGroup { name, created, retention_days, kms_key, tags: _ } = group;
            let arn = group_arn(context, region, name);
            let stored: usize =
                logs.events.with_prefix(&format!("{region}/{name}:")).map(|(_, event)| event.message.len()).sum();
            let mut shown = json!({
                "logGroupName": name,
                "creationTime": created,
                "metricFilterCount": 0,
                "arn": format!("{arn}:*"),
                "logGroupArn": arn,
                "storedBytes": stored,
                "logGroupClass": "STANDARD",
            });
            if let Some(days) = retention_days {
                shown["retentionInDays"] = json!(days);
            }
            if let Some(key) = kms_key {
                shown["kmsKeyId"] = json!(key);
            }
            shown
        })
        .collect();
    Ok(with_token(json!({ "logGroups": groups }), next))
}

fn create_stream(logs: &mut State, context: &Context<'_>, region: &str, input: &Input) -> Result<Value, Failure> {
    let name = input.required_text("logStreamName");
    let group = existing_group(logs, region, input)?;
    let key = format!("{group}:{name}");
    if logs.streams.contains_key(&key) {
        return Err(already_exists("log stream"));
    }
    logs.streams.insert(key, LogStream { name: name.to_owned(), created: context.now.as_millisecond(), taken: 0 });
    Ok(Value::Null)
}

fn delete_stream(logs: &mut State, region: &str, input: &Input) -> Result<Value, Failure> {
    let key = existing_stream(logs, region, input)?;
    logs.streams.remove(&key);
    for event in keys_with(&logs.events, &format!("{key}:")) {
        logs.events.remove(&event);
    }
    Ok(Value::Null)
}

fn describe_streams(logs: &State, context: &Context<'_>, region: &str, input: &Input) -> Result<Value, Failure> {
    let group = existing_group(logs, region, input)?;
    let prefix = input.text("logStreamNamePrefix");
    let by_time = match input.text("orderBy") {
        None | Some("LogStreamName") => false,
        Some(_) if prefix.is_some() => {
            return Err(input.refuse("Cannot order by LastEventTime with a logStreamNamePrefix."));
        }
        Some(_) => true,
    };
    let mut streams: Vec<Value> = logs
        .streams
        .with_prefix(&format!("{group}:{}", prefix.unwrap_or_default()))
        .map(|(key, stream)| {
            let LogStream { name, created, taken: _ } = stream;
            let group_name = group.split_once('/').map_or(group.as_str(), |(_, name)| name);
            let mut shown = json!({
                "logStreamName": name,
                "creationTime": created,
                "arn": format!("{}:log-stream:{name}", group_arn(context, region, group_name)),
                "storedBytes": 0,
            });
            let events: Vec<&LogEvent> = logs.events.with_prefix(&format!("{key}:")).map(|(_, event)| event).collect();
            if let (Some(first), Some(last)) = (events.first(), events.last()) {
                shown["firstEventTimestamp"] = json!(first.timestamp);
                shown["lastEventTimestamp"] = json!(last.timestamp);
                shown["lastIngestionTime"] = json!(last.ingested);
                shown["uploadSequenceToken"] = json!("unused");
            }
            shown
        })
        .collect();
    if by_time {
        streams.sort_by_key(|stream| stream["lastEventTimestamp"].as_i64().unwrap_or_default());
    }
    if input.boolean("descending") == Some(true) {
        streams.reverse();
    }
    let (streams, next) = page(streams, input)?;
    Ok(with_token(json!({ "logStreams": streams }), next))
}

fn put_retention(logs: &mut State, region: &str, input: &Input) -> Result<Value, Failure> {
    let days = input.integer("retentionInDays").unwrap_or_default();
    if !RETENTIONS.contains(&days) {
        return Err(input.refuse(format!(
            "1 validation error detected: Value '{days}' at 'retentionInDays' failed to satisfy constraint: Member must satisfy enum value set: {RETENTIONS:?}"
        )));
    }
    set_retention(logs, region, input, Some(days))
}

fn delete_retention(logs: &mut State, region: &str, input: &Input) -> Result<Value, Failure> {
    set_retention(logs, region, input, None)
}

fn set_retention(logs: &mut State, region: &str, input: &Input, days: Option<i64>) -> Result<Value, Failure> {
    let key = existing_group(logs, region, input)?;
    if let Some(group) = logs.groups.get_mut(&key) {
        group.retention_days = days;
    }
    Ok(Value::Null)
}

fn tag(logs: &mut State, context: &Context<'_>, region: &str, input: &Input) -> Result<Value, Failure> {
    let key = tagged_group(logs, context, region, input)?;
    let tags = input.text_map("tags").unwrap_or_default();
    let mut merged = logs.groups.get(&key).map(|group| group.tags.clone()).unwrap_or_default();
    add_tags(&mut merged, &tags, input)?;
    if let Some(group) = logs.groups.get_mut(&key) {
        group.tags = merged;
    }
    Ok(Value::Null)
}

fn untag(logs: &mut State, context: &Context<'_>, region: &str, input: &Input) -> Result<Value, Failure> {
    let key = tagged_group(logs, context, region, input)?;
    let names = input.texts("tagKeys").unwrap_or_default();
    if let Some(group) = logs.groups.get_mut(&key) {
        group.tags.retain(|name, _| !names.contains(&name.as_str()));
    }
    Ok(Value::Null)
}

fn list_tags(logs: &State, context: &Context<'_>, region: &str, input: &Input) -> Result<Value, Failure> {
    let key = tagged_group(logs, context, region, input)?;
    Ok(json!({ "tags": logs.groups.get(&key).map(|group| &group.tags) }))
}

fn put_events(logs: &mut State, context: &Context<'_>, region: &str, input: &Input) -> Result<Value, Failure> {
    let key = existing_stream(logs, region, input)?;
    let given = input.list("logEvents").unwrap_or_default();
    let now = context.now.as_millisecond();
    let mut events = Vec::new();
    let mut size = 0;
    for event in given {
        let timestamp = event["timestamp"].as_i64().unwrap_or_default();
        let message = event["message"].as_str().unwrap_or_default();
        size += message.len() + 26;
        events.push(LogEvent { timestamp, ingested: now, message: message.to_owned() });
    }
    if size > BATCH_BYTES {
        return Err(input.refuse(format!("Upload too large: {size} bytes exceeds limit of {BATCH_BYTES}")));
    }
    if !events.is_sorted_by_key(|event| event.timestamp) {
        return Err(input.refuse("Log events in a single PutLogEvents request must be in chronological order."));
    }
    if events.last().map(|event| event.timestamp) > events.first().map(|event| event.timestamp + DAY_MILLISECONDS) {
        return Err(
            input.refuse("The batch of log events in a single PutLogEvents request cannot span more than 24 hours.")
        );
    }
    let too_old = events.iter().filter(|event| event.timestamp < now - 14 * DAY_MILLISECONDS).count();
    let too_new = events.iter().filter(|event| event.timestamp > now + DAY_MILLISECONDS / 12).count();
    let mut rejected = Map::new();
    if too_old > 0 {
        rejected.insert("tooOldLogEventEndIndex".to_owned(), json!(too_old));
    }
    if too_new > 0 {
        rejected.insert("tooNewLogEventStartIndex".to_owned(), json!(events.len() - too_new));
    }
    events.truncate(events.len() - too_new);
    append(logs, &key, events.split_off(too_old));
    let mut answer = json!({ "nextSequenceToken": "unused" });
    if !rejected.is_empty() {
        answer["rejectedLogEventsInfo"] = Value::Object(rejected);
    }
    Ok(answer)
}

fn get_events(logs: &State, region: &str, input: &Input) -> Result<Value, Failure> {
    let key = existing_stream(logs, region, input)?;
    let limit = usize::try_from(input.integer("limit").unwrap_or(EVENTS_A_PAGE)).unwrap_or(1);
    let events: Vec<&LogEvent> =
        within(logs, &format!("{key}:"), input, EndTime::Excluded).map(|(_, event)| event).collect();
    let from_head = input.boolean("startFromHead") == Some(true);
    // A token is the direction and the number of the event it stands before.
    let begin = match input.text("nextToken").map(|token| token.split_once('/')) {
        None if from_head => 0,
        None => events.len().saturating_sub(limit),
        Some(Some(("f", number))) => token_number(number, input)?,
        Some(Some(("b", number))) => token_number(number, input)?.saturating_sub(limit),
        Some(_) => return Err(input.refuse("The specified nextToken is invalid.")),
    };
    let end = begin.saturating_add(limit).min(events.len());
    let shown: Vec<Value> = events
        .get(begin..end)
        .unwrap_or_default()
        .iter()
        .map(|event| json!({ "timestamp": event.timestamp, "ingestionTime": event.ingested, "message": event.message }))
        .collect();
    Ok(json!({
        "events": shown,
        "nextForwardToken": format!("f/{:020}", end),
        "nextBackwardToken": format!("b/{:020}", begin),
    }))
}

fn filter_events(logs: &State, region: &str, input: &Input) -> Result<Value, Failure> {
    let group = existing_group(logs, region, input)?;
    let names = input.texts("logStreamNames");
    let prefix = input.text("logStreamNamePrefix");
    if names.is_some() && prefix.is_some() {
        return Err(input.refuse("logStreamNames and logStreamNamePrefix are mutually exclusive."));
    }
    let pattern = input.text("filterPattern").unwrap_or_default();
    if pattern.contains(['{', '[', '?', '-', '%']) {
        return Err(input.refuse("Invalid filter pattern: the emulator knows plain terms only"));
    }
    let terms: Vec<&str> = pattern.split_whitespace().map(|term| term.trim_matches('"')).collect();
    let of_group = format!("{group}:");
    let mut found = Vec::new();
    for (key, event) in within(logs, &of_group, input, EndTime::Included) {
        let Some((stream, number)) = key[of_group.len()..].split_once(':') else {
            continue;
        };
        let meant = names.as_ref().is_none_or(|names| names.contains(&stream))
            && prefix.is_none_or(|prefix| stream.starts_with(prefix));
        if meant && terms.iter().all(|term| event.message.contains(term)) {
            found.push(json!({
                "logStreamName": stream,
                "timestamp": event.timestamp,
                "ingestionTime": event.ingested,
                "message": event.message,
                "eventId": format!("{}{number}", event.timestamp),
            }));
        }
    }
    found.sort_by_key(|event| event["timestamp"].as_i64().unwrap_or_default());
    let (events, next) = page_of(found, input, EVENTS_A_PAGE)?;
    Ok(with_token(json!({ "events": events, "searchedLogStreams": [] }), next))
}

/// What is at the end time itself FilterLogEvents still returns, and GetLogEvents does not (API reference of both).
#[derive(Clone, Copy)]
enum EndTime {
    Included,
    Excluded,
}

fn within<'a>(
    logs: &'a State,
    prefix: &str,
    input: &Input,
    end: EndTime,
) -> impl Iterator<Item = (&'a String, &'a LogEvent)> {
    let from = input.integer("startTime").unwrap_or(0);
    let until = input.integer("endTime").unwrap_or(i64::MAX);
    let last = match end {
        EndTime::Included => until,
        EndTime::Excluded => until.saturating_sub(1),
    };
    logs.events.with_prefix(prefix).filter(move |(_, event)| (from..=last).contains(&event.timestamp))
}

fn token_number(text: &str, input: &Input) -> Result<usize, Failure> {
    text.parse().map_err(|_| input.refuse("The specified nextToken is invalid."))
}

fn page<T>(items: Vec<T>, input: &Input) -> Result<(Vec<T>, Option<String>), Failure> {
    page_of(items, input, 50)
}

fn page_of<T>(items: Vec<T>, input: &Input, most: i64) -> Result<(Vec<T>, Option<String>), Failure> {
    let limit = usize::try_from(input.integer("limit").unwrap_or(most)).unwrap_or(1);
    let skipped = match input.text("nextToken") {
        None => 0,
        Some(token) => BASE64_STANDARD
            .decode(token)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok()?.parse().ok())
            .ok_or_else(|| input.refuse("The specified nextToken is invalid."))?,
    };
    let next =
        (items.len().saturating_sub(skipped) > limit).then(|| BASE64_STANDARD.encode((skipped + limit).to_string()));
    Ok((items.into_iter().skip(skipped).take(limit).collect(), next))
}

fn with_token(mut answer: Value, next: Option<String>) -> Value {
    if let Some(token) = next {
        answer["nextToken"] = json!(token);
    }
    answer
}

fn keys_with<V>(table: &Table<V>, prefix: &str) -> Vec<String> {
    table.with_prefix(prefix).map(|(key, _)| key.clone()).collect()
}

fn group_arn(context: &Context<'_>, region: &str, name: &str) -> String {
    context.arn("logs", region, &format!("log-group:{name}"))
}

fn is_group_name(name: &str) -> bool {
    name.len() <= 512 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_/#".contains(&byte))
}

fn group_name(input: &Input) -> Result<&str, Failure> {
    let name = input.required_text("logGroupName");
    if name.starts_with("aws/") {
        return Err(input.refuse("Log groups starting with AWS/ are reserved for AWS."));
    }
    Ok(name)
}

fn existing_group(logs: &State, region: &str, input: &Input) -> Result<String, Failure> {
    let name = match (input.text("logGroupName"), input.text("logGroupIdentifier")) {
        (None, Some(identifier)) => identifier.rsplit(':').next().unwrap_or(identifier),
        (Some(_), Some(_)) => {
            return Err(input.refuse("Specify either logGroupName or logGroupIdentifier."));
        }
        (_, None) => group_name(input)?,
    };
    let key = format!("{region}/{name}");
    if logs.groups.contains_key(&key) { Ok(key) } else { Err(not_found("log group")) }
}

fn existing_stream(logs: &State, region: &str, input: &Input) -> Result<String, Failure> {
    let name = input.required_text("logStreamName");
    let group = existing_group(logs, region, input)?;
    let key = format!("{group}:{name}");
    if logs.streams.contains_key(&key) { Ok(key) } else { Err(not_found("log stream")) }
}

/// The group of a tagging call, whose ARN must not end with `:*`.
fn tagged_group(logs: &State, context: &Context<'_>, region: &str, input: &Input) -> Result<String, Failure> {
    let arn = input.required_text("resourceArn");
    let expected = group_arn(context, region, "");
    let well_formed = arn.starts_with(&format!("arn:{}:logs:", partition(region)));
    match arn.strip_prefix(&expected) {
        Some(name) if is_group_name(name) && !name.is_empty() => {
            let key = format!("{region}/{name}");
            if logs.groups.contains_key(&key) { Ok(key) } else { Err(not_found("log group")) }
        }
        None if well_formed => Err(not_found("log group")),
        Some(_) | None => Err(input.refuse(format!("Invalid resource ARN: {arn}"))),
    }
}

fn not_found(what: &str) -> Failure {
    Failure::new(400, "ResourceNotFoundException", format!("The specified {what} does not exist."))
}

fn already_exists(what: &str) -> Failure {
    Failure::new(400, "ResourceAlreadyExistsException", format!("The specified {what} already exists"))
}

fn add_tags(tags: &mut BTreeMap<String, String>, added: &[(&str, &str)], input: &Input) -> Result<(), Failure> {
    for (key, value) in added {
        if key.to_lowercase().starts_with("aws:") {
            return Err(input.refuse(format!("the tag key {key} begins with aws:, which is reserved")));
        }
        tags.insert((*key).to_owned(), (*value).to_owned());
    }
    if tags.len() > TAGS {
        return Err(Failure::new(
            400,
            "TooManyTagsException",
            format!("A resource can have no more than {TAGS} tags."),
        ));
    }
    Ok(())
}
