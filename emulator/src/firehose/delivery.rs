//! From the buffer to the domain and to the bucket. A record leaves the buffer only when it is where it belongs, so that
//! a restart loses nothing.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::Method;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{
    Pending, Record, Retry, Stream,
    destination::{bucket_name, domain_of, number, says},
    naming::{Output, gzip, object_key, rotated_index},
};
use crate::{
    clock::after,
    engine::Ask,
    iam::{self, Permit},
    logs, opensearch, s3,
    world::{Context, World},
};

/// What the guide says about how often Firehose tries again, in seconds.
const RETRY_EVERY_SECONDS: u64 = 300;
/// How long records wait at most while nothing takes them.
const RETENTION: SignedDuration = SignedDuration::from_hours(24);
/// Below the smallest limit of a domain on one request.
const LARGEST_BULK_BYTES: usize = 5 << 20;

/// Which records a delivery takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flush {
    /// Those that have waited long enough, or are enough.
    Due,
    /// All of them, since the stream goes.
    Everything,
}

/// Delivers what is due of one stream.
pub(crate) fn deliver(world: &mut World, context: &Context<'_>, key: &str, flush: Flush) {
    let pending = pending_of(world, key);
    if pending.oldest_document.is_none() && pending.oldest_backup.is_none() {
        return;
    }
    let Some(stream) = world.firehose.streams.get(key) else {
        return;
    };
    let is_due = |at: Option<Timestamp>| at.is_some_and(|at| flush == Flush::Everything || context.now >= at);
    let documents = is_due(documents_due(context, stream, &pending));
    let backup = is_due(backup_due(context, stream, &pending));
    let oldest = pending.oldest_document.into_iter().chain(pending.oldest_backup).min();
    let expired = oldest.is_some_and(|arrived| is_expired(context, arrived));
    // This is asked with every request: the records themselves are walked only where something happens to them.
    if !documents && !backup && !expired {
        return;
    }
    let stream = stream.clone();
    if documents {
        deliver_documents(world, context, key, &stream, flush);
    }
    if backup {
        deliver_backup(world, context, key, &stream);
    }
    if expired {
        drop_expired(world, context, key);
    }
    world.firehose.pending.remove(key);
    pending_of(world, key);
}

/// What waits in a stream's buffers; counted once, and then kept up to date.
pub(crate) fn pending_of(world: &mut World, key: &str) -> Pending {
    if let Some(pending) = world.firehose.pending.get(key) {
        return *pending;
    }
    let mut pending = Pending::default();
    for (_, record) in world.firehose.records.with_prefix(&format!("{key}/")) {
        pending.add(record);
    }
    world.firehose.pending.insert(key.to_owned(), pending);
    pending
}

fn documents_due(context: &Context<'_>, stream: &Stream, pending: &Pending) -> Option<Timestamp> {
    let oldest = pending.oldest_document?;
    if let Some(retry) = &stream.retry {
        return Some(retry.next);
    }
    due(
        context,
        oldest,
        pending.document_bytes,
        number(&stream.destination, "BufferingHints", "IntervalInSeconds"),
        number(&stream.destination, "BufferingHints", "SizeInMBs"),
    )
}

fn backup_due(context: &Context<'_>, stream: &Stream, pending: &Pending) -> Option<Timestamp> {
    let backup = stream.destination.get("S3DestinationDescription")?.as_object()?;
    due(
        context,
        pending.oldest_backup?,
        pending.backup_bytes,
        number(backup, "BufferingHints", "IntervalInSeconds"),
        number(backup, "BufferingHints", "SizeInMBs"),
    )
}

fn due(context: &Context<'_>, oldest: Timestamp, bytes: usize, seconds: u64, mebibytes: u64) -> Option<Timestamp> {
    let enough = usize::try_from(mebibytes).ok()?.saturating_mul(1 << 20);
    Some(if bytes >= enough { oldest } else { after(oldest, context.timing.buffering(seconds)) })
}

/// What became of one document.
enum Outcome {
    Indexed,
    /// The document is at fault, and trying again is of no use.
    Refused {
        code: u16,
        message: String,
    },
    /// The domain is at fault.
    Transient {
        code: u16,
        message: String,
    },
}

struct Waiting {
    key: String,
    record: Record,
    index: String,
}

fn deliver_documents(world: &mut World, context: &Context<'_>, key: &str, stream: &Stream, flush: Flush) {
    let index = says(&stream.destination, "IndexName");
    let period = says(&stream.destination, "IndexRotationPeriod");
    let waiting: Vec<Waiting> = world
        .firehose
        .records
        .with_prefix(&format!("{key}/"))
        .filter(|(_, record)| !record.indexed)
        .map(|(key, record)| Waiting {
            key: key.clone(),
            record: record.clone(),
            index: rotated_index(index, period, record.arrived),
        })
        .collect();
    let attempts = stream.retry.as_ref().map_or(1, |retry| retry.attempts + 1);
    let outcomes = send(world, context, stream, &waiting);
    let mut refused = Vec::new();
    let mut transient = Vec::new();
    for (one, outcome) in waiting.into_iter().zip(outcomes) {
        match outcome {
            Outcome::Indexed => settle_document(world, &one.key),
            Outcome::Refused { code, message } => refused.push((one, code, message)),
            Outcome::Transient { code, message } => transient.push((one, code, message)),
        }
    }
    if !refused.is_empty() {
        log_document_failure(world, context, stream, &refused[0].2);
        fail(world, context, stream, refused, attempts);
    }
    let retry = if let Some((_, _, message)) = transient.first() {
        log_document_failure(world, context, stream, message);
        let first = stream.retry.as_ref().map_or(context.now, |retry| retry.first);
        let duration = number(&stream.destination, "RetryOptions", "DurationInSeconds");
        let deadline = after(first, context.timing.buffering(duration));
        let tried_after_the_first = stream.retry.is_some();
        let spent = duration == 0 || (context.now >= deadline && tried_after_the_first) || flush == Flush::Everything;
        if spent {
            fail(world, context, stream, transient, attempts);
            None
        } else {
            let next = after(context.now, context.timing.buffering(RETRY_EVERY_SECONDS)).min(deadline);
            Some(Retry { first, attempts, next })
        }
    } else {
        None
    };
    if stream.retry != retry
        && let Some(stream) = world.firehose.streams.get_mut(key)
    {
        stream.retry = retry;
    }
}

/// Sends documents in bulk requests that index, never create (Firehose guide).
fn send(world: &mut World, context: &Context<'_>, stream: &Stream, waiting: &[Waiting]) -> Vec<Outcome> {
    if let Err((code, message)) = reach(world, context, stream) {
        return waiting.iter().map(|_| Outcome::Transient { code, message: message.clone() }).collect();
    }
    let Some(domain_key) = domain_of(world, &stream.destination).map(|(key, _)| key.clone()) else {
        return Vec::new();
    };
    let ids =
        stream.destination.get("DocumentIdOptions").map(|one| one["DefaultDocumentIdFormat"] == "FIREHOSE_DEFAULT");
    let mut outcomes: Vec<Option<Outcome>> = waiting.iter().map(|_| None).collect();
    let mut sent: Vec<usize> = Vec::new();
    let mut body = String::new();
    let mut requests = Vec::new();
    for (at, one) in waiting.iter().enumerate() {
        let text = match line(&one.record.data) {
            Ok(text) => text,
            Err(message) => {
                outcomes[at] = Some(Outcome::Refused { code: 400, message });
                continue;
            }
        };
        let mut action = json!({"_index": one.index});
        if ids == Some(true) {
            action["_id"] = json!(one.record.document_id);
        }
        if !body.is_empty() && body.len() + text.len() > LARGEST_BULK_BYTES {
            requests.push((std::mem::take(&mut sent), std::mem::take(&mut body)));
        }
        body.push_str(&json!({"index": action}).to_string());
        body.push('\n');
        body.push_str(&text);
        body.push('\n');
        sent.push(at);
    }
    if !sent.is_empty() {
        requests.push((sent, body));
    }
    for (sent, body) in requests {
        let Some(mut engine) = opensearch::engine(&mut world.opensearch, context, &domain_key) else {
            continue;
        };
        let ask = Ask {
            method: &Method::POST,
            path: "/_bulk",
            query: &[],
            media_type: Some("application/x-ndjson"),
            body: body.as_bytes(),
        };
        let response = engine.handle(ask, context.now);
        let answer: Value = serde_json::from_slice(&response.body).unwrap_or(Value::Null);
        for (place, at) in sent.into_iter().enumerate() {
            outcomes[at] = Some(outcome(response.status, &answer, place));
        }
    }
    outcomes
        .into_iter()
        .map(|outcome| outcome.unwrap_or(Outcome::Transient { code: 503, message: "no answer".to_owned() }))
        .collect()
}

/// Whether the domain can be reached with the stream's role.
fn reach(world: &World, context: &Context<'_>, stream: &Stream) -> Result<(), (u16, String)> {
    let Some((key, domain)) =
        domain_of(world, &stream.destination).filter(|(_, domain)| domain.is_reachable(context.now))
    else {
        return Err((503, "Could not connect to the OpenSearch domain".to_owned()));
    };
    let role = says(&stream.destination, "RoleARN");
    let resource = format!("{}/_bulk", domain.arn);
    let denied = opensearch::denies(domain, context.now, role, "es:ESHttpPost", &resource);
    if denied || iam::may(world, context, role, &stream.arn, "es:ESHttpPost", &resource) != Permit::Allowed {
        return Err((403, format!("{role} is not authorized to perform: es:ESHttpPost on resource: {resource}")));
    }
    if domain.has_fine_grained_access(context.now) && !opensearch::is_master(domain, role) {
        return Err((403, "security_exception: no permissions for [indices:data/write/bulk]".to_owned()));
    }
    match world.opensearch.unavailable.get(key) {
        Some(status) => Err((*status, "the domain was made unavailable by a test".to_owned())),
        None => Ok(()),
    }
}

fn outcome(status: u16, answer: &Value, place: usize) -> Outcome {
    let item = &answer["items"][place]["index"];
    let code = item["status"].as_u64().and_then(|code| u16::try_from(code).ok()).unwrap_or(status);
    // Written out for a failure only: the whole answer, once for each of its items, would take minutes.
    let message = || item.get("error").unwrap_or(answer).to_string();
    match code {
        200..=299 => Outcome::Indexed,
        429 | 500..=599 => Outcome::Transient { code, message: message() },
        _ => Outcome::Refused { code, message: message() },
    }
}

/// A record as one line of a bulk request: one JSON object, with at most a newline at its end.
fn line(data: &str) -> Result<String, String> {
    let malformed = |why: &str| {
        json!({"type": "mapper_parsing_exception", "reason": "failed to parse", "caused_by": {"type": "not_x_content_exception", "reason": why}}).to_string()
    };
    let bytes = BASE64_STANDARD.decode(data).map_err(|_| malformed("not base64"))?;
    let text = String::from_utf8(bytes).map_err(|_| malformed("not UTF-8"))?;
    let text = text.trim_end_matches(['\n', '\r']);
    if text.contains('\n') {
        return Err(malformed("a record must be a single line"));
    }
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Object(_)) => Ok(text.to_owned()),
        Ok(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
            Err(malformed("a record must be a JSON object"))
        }
        Err(error) => Err(malformed(&error.to_string())),
    }
}

/// Writes documents that could not be indexed to the bucket (Firehose guide, data delivery failure handling).
fn fail(world: &mut World, context: &Context<'_>, stream: &Stream, failed: Vec<(Waiting, u16, String)>, attempts: u32) {
    let Some(oldest) = failed.iter().map(|(one, ..)| one.record.arrived).min() else {
        return;
    };
    let has_ids = stream
        .destination
        .get("DocumentIdOptions")
        .is_some_and(|one| one["DefaultDocumentIdFormat"] == "FIREHOSE_DEFAULT");
    let mut body = String::new();
    for (one, code, message) in &failed {
        let mut document = json!({
            "attemptsMade": attempts,
            "arrivalTimestamp": one.record.arrived.as_millisecond(),
            "errorCode": code.to_string(),
            "errorMessage": message,
            "attemptEndingTimestamp": context.now.as_millisecond(),
            "rawData": one.record.data,
            "esIndexName": one.index,
            "esTypeName": says(&stream.destination, "TypeName"),
        });
        // Where the domain gives the ids, Firehose has none to tell.
        if has_ids {
            document["esDocumentId"] = json!(one.record.document_id);
        }
        body.push_str(&document.to_string());
        body.push('\n');
    }
    let folder = world.firehose.failed_folder.name();
    if put(world, context, stream, Output::Failed(folder), oldest, body.into_bytes()) {
        for (one, ..) in failed {
            settle_document(world, &one.key);
        }
    }
}

fn deliver_backup(world: &mut World, context: &Context<'_>, key: &str, stream: &Stream) {
    let waiting: Vec<(String, Record)> = world
        .firehose
        .records
        .with_prefix(&format!("{key}/"))
        .filter(|(_, record)| !record.backed_up)
        .map(|(key, record)| (key.clone(), record.clone()))
        .collect();
    let Some(oldest) = waiting.iter().map(|(_, record)| record.arrived).min() else {
        return;
    };
    let mut body = Vec::new();
    for (_, record) in &waiting {
        // Records back to back: nothing is put between them (Firehose guide).
        body.extend(BASE64_STANDARD.decode(&record.data).unwrap_or_default());
    }
    if put(world, context, stream, Output::Backup, oldest, body) {
        for (key, _) in waiting {
            settle(world, &key, |record| record.backed_up = true);
        }
    }
}

/// Writes an object with the backup's role. What cannot be written stays in the buffer.
fn put(
    world: &mut World,
    context: &Context<'_>,
    stream: &Stream,
    output: Output<'_>,
    oldest: Timestamp,
    body: Vec<u8>,
) -> bool {
    let Some(backup) = stream.destination.get("S3DestinationDescription").and_then(Value::as_object) else {
        return false;
    };
    let error_prefix = says(backup, "ErrorOutputPrefix");
    let prefix = match output {
        // Without a prefix of their own, failed documents go below that of all documents (Firehose guide).
        Output::Failed(_) if !error_prefix.is_empty() => error_prefix,
        Output::Failed(_) | Output::Backup => says(backup, "Prefix"),
    };
    let (body, suffix, media_type) = match says(backup, "CompressionFormat") {
        "GZIP" => (gzip(&body), ".gz", "application/x-gzip"),
        _ => (body, "", "application/octet-stream"),
    };
    let key = object_key(prefix, output, &stream.name, stream.version, oldest, suffix);
    let bucket_arn = says(backup, "BucketARN");
    let bucket = bucket_name(bucket_arn).unwrap_or_default();
    let role = says(backup, "RoleARN");
    let logging =
        stream.destination.get("S3DestinationDescription").and_then(|one| one.get("CloudWatchLoggingOptions"));
    let resource = format!("{bucket_arn}/{key}");
    let result = match iam::may(world, context, role, &stream.arn, "s3:PutObject", &resource) {
        Permit::Allowed => s3::put_object(world, context, bucket, &key, Bytes::from(body), media_type)
            .map_err(|failure| (format!("S3.{}", failure.code), failure.message)),
        Permit::NotPropagated | Permit::Denied | Permit::NoRole | Permit::TrustWrong => Err((
            "S3.AccessDenied".to_owned(),
            format!("Access was denied. {role} is not authorized to perform: s3:PutObject on resource: {resource}"),
        )),
    };
    match result {
        Ok(()) => true,
        Err((code, message)) => {
            log(world, context, stream, logging, role, &code, &message);
            false
        }
    }
}

fn log_document_failure(world: &mut World, context: &Context<'_>, stream: &Stream, message: &str) {
    let logging = stream.destination.get("CloudWatchLoggingOptions");
    let role = says(&stream.destination, "RoleARN");
    log(world, context, stream, logging, role, "OS.ServiceException", message);
}

/// Writes an error, if logging is on, the group and stream exist and the role may.
fn log(
    world: &mut World,
    context: &Context<'_>,
    stream: &Stream,
    logging: Option<&Value>,
    role: &str,
    code: &str,
    message: &str,
) {
    let Some(logging) = logging.filter(|one| one["Enabled"] == true) else {
        return;
    };
    let (Some(group), Some(log_stream)) = (logging["LogGroupName"].as_str(), logging["LogStreamName"].as_str()) else {
        return;
    };
    let arn = context.arn("logs", &stream.region, &format!("log-group:{group}:log-stream:{log_stream}"));
    if iam::may(world, context, role, &stream.arn, "logs:PutLogEvents", &arn) != Permit::Allowed {
        return;
    }
    let text = json!({
        "deliveryStreamARN": stream.arn,
        "destination": stream.destination.get("DomainARN").or_else(|| stream.destination.get("ClusterEndpoint")),
        "deliveryStreamVersionId": stream.version,
        "message": message,
        "errorCode": code,
    });
    // Firehose creates neither group nor stream: without them the error is written nowhere.
    logs::put_event(world, context, &stream.region, group, log_stream, &text.to_string());
}

fn settle_document(world: &mut World, key: &str) {
    settle(world, key, |record| record.indexed = true);
}

/// Notes where a record has arrived, and lets go of it when it is everywhere.
fn settle(world: &mut World, key: &str, note: impl FnOnce(&mut Record)) {
    let Some(mut record) = world.firehose.records.get(key).cloned() else {
        return;
    };
    note(&mut record);
    if record.indexed && record.backed_up {
        world.firehose.records.remove(key);
    } else {
        world.firehose.records.insert(key, record);
    }
}

fn is_expired(context: &Context<'_>, arrived: Timestamp) -> bool {
    context.now.duration_since(arrived) > RETENTION
}

fn drop_expired(world: &mut World, context: &Context<'_>, key: &str) {
    let expired: Vec<String> = world
        .firehose
        .records
        .with_prefix(&format!("{key}/"))
        .filter(|(_, record)| is_expired(context, record.arrived))
        .map(|(key, _)| key.clone())
        .collect();
    for key in expired {
        world.firehose.records.remove(&key);
    }
}
