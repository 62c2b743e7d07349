//! Amazon Data Firehose: delivery streams by Direct PUT into a domain, with a bucket for what fails or for everything.

mod delivery;
mod destination;
mod naming;

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{
    clock::after,
    json_input::Input,
    request::Request,
    response::{self, Failure, Response},
    table::{Stored, Table},
    world::{Context, Permission, World},
};
use delivery::Flush;
use destination::{Destination, invalid};

const TARGET: &str = "Firehose_20150804";
const DESTINATION_ID: &str = "destinationId-000000000001";
const LARGEST_BATCH_BYTES: usize = 4 << 20;
const MOST_TAGS: usize = 50;
const MOST_ENCRYPTION_CHANGES_A_DAY: usize = 25;

/// Delivery streams and what waits in them.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// Streams by `REGION/NAME`.
    pub streams: Table<Stream>,
    /// Records that are not yet where they belong, by `REGION/NAME/NUMBER`.
    pub records: Table<Record>,
    /// What waits in each stream's buffers; found out again where it is missing.
    pending: BTreeMap<String, Pending>,
    /// The folder of failed documents, on which AWS's own pages differ.
    pub failed_folder: FailedFolder,
    /// Streams (`REGION/NAME`) whose creation fails, with the type and the details. For tests; not kept over a restart.
    pub failing_creations: BTreeMap<String, (String, String)>,
    /// Streams (`REGION/NAME`) of whose next batch these records are not taken. For tests; not kept over a restart.
    pub failing_records: BTreeMap<String, BTreeSet<usize>>,
}

/// What the folder of failed documents is called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FailedFolder {
    /// `AmazonOpenSearchService-failed`: API reference and the guide's list of error output types.
    #[default]
    Hyphen,
    /// `AmazonOpenSearchService_failed`: the guide's page on delivery failures.
    Underscore,
}

impl FailedFolder {
    fn name(self) -> &'static str {
        match self {
            Self::Hyphen => "AmazonOpenSearchService-failed",
            Self::Underscore => "AmazonOpenSearchService_failed",
        }
    }
}

impl State {
    pub(crate) fn tables(&mut self) -> Vec<(&'static str, &mut dyn Stored)> {
        let Self { streams, records, pending: _, failed_folder: _, failing_creations: _, failing_records: _ } = self;
        vec![("firehose.streams", streams), ("firehose.records", records)]
    }
}

/// A delivery stream.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Stream {
    /// Its name.
    pub name: String,
    /// Its region.
    pub region: String,
    /// Its ARN.
    pub arn: String,
    /// Its version, which each change raises by one.
    pub version: u64,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    created: Timestamp,
    updated: Option<Timestamp>,
    active_at: Timestamp,
    failure: Option<(String, String)>,
    deleting_since: Option<Timestamp>,
    flushed: bool,
    shown: Shown,
    destination: Destination,
    encryption: Encryption,
    next_record: u64,
    retry: Option<Retry>,
}

/// Which states that last no time were shown to one read.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Shown {
    creating: bool,
    deleting: bool,
    encryption: bool,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Encryption {
    key_type: Option<String>,
    key_arn: Option<String>,
    /// What it is, or will be at `settled_at`.
    enabled: bool,
    settled_at: Option<Timestamp>,
    changes: Vec<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Retry {
    first: Timestamp,
    attempts: u32,
    next: Timestamp,
}

/// A record that was taken and is not yet where it belongs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// As it was sent, in base64.
    data: String,
    bytes: usize,
    arrived: Timestamp,
    document_id: String,
    indexed: bool,
    backed_up: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Pending {
    oldest_document: Option<Timestamp>,
    document_bytes: usize,
    oldest_backup: Option<Timestamp>,
    backup_bytes: usize,
}

impl Pending {
    fn add(&mut self, record: &Record) {
        let older = |known: Option<Timestamp>| Some(known.map_or(record.arrived, |known| known.min(record.arrived)));
        if !record.indexed {
            self.oldest_document = older(self.oldest_document);
            self.document_bytes += record.bytes;
        }
        if !record.backed_up {
            self.oldest_backup = older(self.oldest_backup);
            self.backup_bytes += record.bytes;
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Creating,
    CreatingFailed,
    Active,
    Deleting,
}

impl Stream {
    /// Its status by the clock.
    fn status(&self, now: Timestamp) -> Status {
        match (self.deleting_since, &self.failure) {
            (Some(_), _) => Status::Deleting,
            (None, _) if now < self.active_at => Status::Creating,
            (None, Some(_)) => Status::CreatingFailed,
            (None, None) => Status::Active,
        }
    }

    fn is_gone(&self, context: &Context<'_>) -> bool {
        let wait = context.timing.stream_delete;
        self.deleting_since
            .is_some_and(|since| context.now >= after(since, wait) && (!wait.is_zero() || self.shown.deleting))
    }

    fn encryption_status(&self, context: &Context<'_>, seen: bool) -> &'static str {
        let settled = self.encryption.settled_at.is_none_or(|at| context.now >= at)
            && (seen || !context.timing.stream_encryption.is_zero() || self.encryption.settled_at.is_none());
        match (self.encryption.enabled, settled) {
            (true, true) => "ENABLED",
            (true, false) => "ENABLING",
            (false, true) => "DISABLED",
            (false, false) => "DISABLING",
        }
    }

    /// `DeliveryStreamDescription`. A state that lasts no time counts as shown by it.
    fn describe(&mut self, context: &Context<'_>) -> Value {
        let status = match self.status(context.now) {
            Status::Active | Status::CreatingFailed
                if context.timing.stream_create.is_zero() && !self.shown.creating =>
            {
                Status::Creating
            }
            status @ (Status::Creating | Status::CreatingFailed | Status::Active | Status::Deleting) => status,
        };
        let name = match status {
            Status::Creating => "CREATING",
            Status::CreatingFailed => "CREATING_FAILED",
            Status::Active => "ACTIVE",
            Status::Deleting => "DELETING",
        };
        let mut encryption = json!({"Status": self.encryption_status(context, self.shown.encryption)});
        if let Some(kind) = &self.encryption.key_type {
            encryption["KeyType"] = json!(kind);
        }
        if let Some(arn) = &self.encryption.key_arn {
            encryption["KeyARN"] = json!(arn);
        }
        self.shown.creating = true;
        self.shown.encryption = true;
        if self.deleting_since.is_some() {
            self.shown.deleting = true;
        }
        let mut description = json!({
            "DeliveryStreamName": self.name,
            "DeliveryStreamARN": self.arn,
            "DeliveryStreamStatus": name,
            "DeliveryStreamEncryptionConfiguration": encryption,
            "DeliveryStreamType": "DirectPut",
            "VersionId": self.version.to_string(),
            "CreateTimestamp": seconds(self.created),
            "Destinations": [{
                "DestinationId": DESTINATION_ID,
                "AmazonopensearchserviceDestinationDescription": self.destination,
            }],
            "HasMoreDestinations": false,
        });
        if let Some(updated) = self.updated {
            description["LastUpdateTimestamp"] = seconds(updated);
        }
        if status == Status::CreatingFailed
            && let Some((kind, details)) = &self.failure
        {
            description["FailureDescription"] = json!({"Type": kind, "Details": details});
        }
        description
    }
}

/// The operation that a request names.
pub(crate) fn operation(request: &Request) -> String {
    request.target_operation(TARGET)
}

pub(crate) fn permissions(context: &Context<'_>, request: &Request) -> Vec<Permission> {
    let body: Value = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
    let resource = match body["DeliveryStreamName"].as_str() {
        Some(name) => context.arn("firehose", &request.region, &format!("deliverystream/{name}")),
        None => "*".to_owned(),
    };
    let mut permissions = vec![Permission::new(format!("firehose:{}", request.operation), &resource)];
    // Tagging while creating is a permission of its own, and without it nothing is created (API reference).
    if request.operation == "CreateDeliveryStream" && body["Tags"].as_array().is_some_and(|tags| !tags.is_empty()) {
        permissions.push(Permission::new("firehose:TagDeliveryStream", &resource));
    }
    let mut roles = BTreeSet::new();
    for destination in ["AmazonopensearchserviceDestinationConfiguration", "AmazonopensearchserviceDestinationUpdate"] {
        let destination = &body[destination];
        for role in
            [&destination["RoleARN"], &destination["S3Configuration"]["RoleARN"], &destination["S3Update"]["RoleARN"]]
        {
            roles.extend(role.as_str());
        }
    }
    permissions.extend(roles.into_iter().map(|role| Permission::new("iam:PassRole", role)));
    permissions
}

pub(crate) fn handle(world: &mut World, context: &Context<'_>, request: &Request) -> Response {
    let call = Call { region: &request.region, input: Input::read(request, "InvalidArgumentException") };
    let result = match request.operation.as_str() {
        "CreateDeliveryStream" => create(world, context, &call).map(Some),
        "DescribeDeliveryStream" => describe(world, context, &call).map(Some),
        "ListDeliveryStreams" => list(world, &call).map(Some),
        "DeleteDeliveryStream" => delete(world, context, &call).map(Some),
        "UpdateDestination" => update_destination(world, context, &call).map(Some),
        "PutRecord" => put_record(world, context, &call).map(Some),
        "PutRecordBatch" => put_record_batch(world, context, &call).map(Some),
        "StartDeliveryStreamEncryption" => start_encryption(world, context, &call).map(Some),
        "StopDeliveryStreamEncryption" => stop_encryption(world, context, &call).map(Some),
        "TagDeliveryStream" => tag(world, context, &call).map(Some),
        "UntagDeliveryStream" => untag(world, context, &call).map(Some),
        "ListTagsForDeliveryStream" => list_tags(world, context, &call).map(Some),
        _ => Ok(None),
    };
    match result {
        Ok(Some(answer)) => Response::json_1_1(200, &answer),
        Ok(None) => response::unknown_operation(request),
        Err(failure) => failure.answer(request),
    }
}

/// The streams of a region, by ARN, with their tags.
pub(crate) fn tagged(world: &World, _context: &Context<'_>, region: &str) -> Vec<(String, BTreeMap<String, String>)> {
    world
        .firehose
        .streams
        .with_prefix(&format!("{region}/"))
        .map(|(_, stream)| (stream.arn.clone(), stream.tags.clone()))
        .collect()
}

/// Lets time pass: buffers are delivered, deleted streams go.
pub(crate) fn tick(world: &mut World, context: &Context<'_>) {
    let keys: Vec<String> = world.firehose.streams.keys().cloned().collect();
    for key in keys {
        let Some(stream) = world.firehose.streams.get(&key) else {
            continue;
        };
        let over = stream.deleting_since.is_some_and(|since| context.now >= after(since, context.timing.stream_delete));
        let (flushed, gone) = (stream.flushed, stream.is_gone(context));
        if over && !flushed {
            // What is in the buffer of a stream that goes is delivered late, while it is still being deleted.
            delivery::deliver(world, context, &key, Flush::Everything);
            if let Some(stream) = world.firehose.streams.get_mut(&key) {
                stream.flushed = true;
            }
        } else if !over {
            delivery::deliver(world, context, &key, Flush::Due);
        }
        if gone {
            remove(world, &key);
        }
    }
}

fn remove(world: &mut World, key: &str) {
    world.firehose.streams.remove(key);
    world.firehose.pending.remove(key);
    let prefix = format!("{key}/");
    let records: Vec<String> = world.firehose.records.with_prefix(&prefix).map(|(key, _)| key.clone()).collect();
    for record in records {
        world.firehose.records.remove(&record);
    }
}

struct Call<'r> {
    region: &'r str,
    input: Input,
}

impl Call<'_> {
    fn name(&self) -> &str {
        self.input.required_text("DeliveryStreamName")
    }

    fn key(&self) -> String {
        format!("{}/{}", self.region, self.name())
    }

    fn stream<'w>(&self, world: &'w mut World, context: &Context<'_>) -> Result<&'w mut Stream, Failure> {
        let name = self.name();
        world.firehose.streams.get_mut(&self.key()).ok_or_else(|| not_found(name, context))
    }

    /// Refuses members that the emulator does not have.
    fn only(&self, known: &[&str]) -> Result<(), Failure> {
        match self.input.names().find(|name| !known.contains(name)) {
            Some(name) => invalid(format!("the local AWS does not support {name}")),
            None => Ok(()),
        }
    }
}

fn not_found(name: &str, context: &Context<'_>) -> Failure {
    Failure::new(
        400,
        "ResourceNotFoundException",
        format!("Firehose {name} under account {} not found.", context.account),
    )
}

fn in_use<T>(message: impl Into<String>) -> Result<T, Failure> {
    Err(Failure::new(400, "ResourceInUseException", message))
}

fn create(world: &mut World, context: &Context<'_>, call: &Call<'_>) -> Result<Value, Failure> {
    const OTHER_DESTINATIONS: [&str; 8] = [
        "S3DestinationConfiguration",
        "ExtendedS3DestinationConfiguration",
        "RedshiftDestinationConfiguration",
        "ElasticsearchDestinationConfiguration",
        "SplunkDestinationConfiguration",
        "HttpEndpointDestinationConfiguration",
        "AmazonOpenSearchServerlessDestinationConfiguration",
        "SnowflakeDestinationConfiguration",
    ];
    let (name, key) = (call.name().to_owned(), call.key());
    let input = &call.input;
    if let Some(other) = OTHER_DESTINATIONS.iter().find(|other| input.get(other).is_some()) {
        return invalid(format!("the local AWS does not support {other}"));
    }
    call.only(&[
        "DeliveryStreamName",
        "DeliveryStreamType",
        "DirectPutSourceConfiguration",
        "DeliveryStreamEncryptionConfigurationInput",
        "AmazonopensearchserviceDestinationConfiguration",
        "Tags",
    ])?;
    match input.text("DeliveryStreamType") {
        None | Some("DirectPut") => {}
        Some(other) => return invalid(format!("the local AWS does not support the source {other}")),
    }
    let Some(written) = input.get("AmazonopensearchserviceDestinationConfiguration").and_then(Value::as_object) else {
        return invalid("Exactly one destination configuration must be provided");
    };
    let destination = destination::create(written)?;
    let tags = read_tags(input)?;
    check_tag_count(tags.len())?;
    let mut encryption = Encryption::default();
    if let Some(wanted) = input.get("DeliveryStreamEncryptionConfigurationInput") {
        encryption = read_encryption(wanted)?;
        encryption.settled_at =
            Some(after(context.now, context.timing.stream_create + context.timing.stream_encryption));
    }
    if let Some(existing) = world.firehose.streams.get(&key) {
        // A stream that needed no time to go may be gone though nobody has looked.
        let gone = existing
            .deleting_since
            .is_some_and(|since| context.now > after(since, context.timing.stream_delete) && existing.flushed);
        if !gone {
            return in_use(format!("Firehose {name} under accountId {} already exists", context.account));
        }
        remove(world, &key);
    }
    let arn = context.arn("firehose", call.region, &format!("deliverystream/{name}"));
    destination::check_access(world, context, &arn, &destination)?;
    let stream = Stream {
        name,
        region: call.region.to_owned(),
        arn: arn.clone(),
        version: 1,
        tags,
        created: context.now,
        updated: None,
        active_at: after(context.now, context.timing.stream_create),
        failure: world.firehose.failing_creations.remove(&key),
        deleting_since: None,
        flushed: false,
        shown: Shown::default(),
        destination,
        encryption,
        next_record: 0,
        retry: None,
    };
    world.firehose.streams.insert(key, stream);
    Ok(json!({"DeliveryStreamARN": arn}))
}

fn describe(world: &mut World, context: &Context<'_>, call: &Call<'_>) -> Result<Value, Failure> {
    call.only(&["DeliveryStreamName", "Limit", "ExclusiveStartDestinationId"])?;
    let stream = call.stream(world, context)?;
    Ok(json!({"DeliveryStreamDescription": stream.describe(context)}))
}

fn list(world: &World, call: &Call<'_>) -> Result<Value, Failure> {
    call.only(&["Limit", "DeliveryStreamType", "ExclusiveStartDeliveryStreamName"])?;
    // Ten is the documented default.
    let limit = usize::try_from(call.input.integer("Limit").unwrap_or(10)).unwrap_or(10);
    let start = call.input.text("ExclusiveStartDeliveryStreamName");
    let direct = call.input.text("DeliveryStreamType").is_none_or(|kind| kind == "DirectPut");
    let names: Vec<&String> = world
        .firehose
        .streams
        .with_prefix(&format!("{}/", call.region))
        .map(|(_, stream)| &stream.name)
        .filter(|name| direct && start.is_none_or(|start| name.as_str() > start))
        .collect();
    let more = names.len() > limit;
    let page: Vec<&String> = names.into_iter().take(limit).collect();
    Ok(json!({"DeliveryStreamNames": page, "HasMoreDeliveryStreams": more}))
}

fn delete(world: &mut World, context: &Context<'_>, call: &Call<'_>) -> Result<Value, Failure> {
    call.only(&["DeliveryStreamName", "AllowForceDelete"])?;
    let stream = call.stream(world, context)?;
    if stream.status(context.now) == Status::Creating {
        return in_use(format!("Firehose {} is being created and cannot be deleted", stream.name));
    }
    stream.deleting_since.get_or_insert(context.now);
    Ok(json!({}))
}

fn update_destination(world: &mut World, context: &Context<'_>, call: &Call<'_>) -> Result<Value, Failure> {
    call.only(&[
        "DeliveryStreamName",
        "CurrentDeliveryStreamVersionId",
        "DestinationId",
        "AmazonopensearchserviceDestinationUpdate",
    ])?;
    let input = &call.input;
    let version = input.required_text("CurrentDeliveryStreamVersionId");
    let destination_id = input.required_text("DestinationId");
    let Some(written) = input.get("AmazonopensearchserviceDestinationUpdate").and_then(Value::as_object) else {
        return invalid("The destination to update must be given, and of the type that it has");
    };
    let stream = call.stream(world, context)?;
    if stream.status(context.now) != Status::Active {
        return in_use(format!("Firehose {} is not in ACTIVE state", stream.name));
    }
    if stream.version.to_string() != version {
        return Err(Failure::new(
            400,
            "ConcurrentModificationException",
            format!(
                "Cannot update firehose: {} since the current version id: {} and specified version id: {version} do not match",
                stream.name, stream.version
            ),
        ));
    }
    if destination_id != DESTINATION_ID {
        return invalid(format!("Destination {destination_id} is not found on firehose {}", stream.name));
    }
    let arn = stream.arn.clone();
    let updated = destination::update(&stream.destination, written)?;
    destination::check_access(world, context, &arn, &updated)?;
    let stream = call.stream(world, context)?;
    stream.destination = updated;
    stream.version += 1;
    stream.updated = Some(context.now);
    Ok(json!({}))
}

fn put_record(world: &mut World, context: &Context<'_>, call: &Call<'_>) -> Result<Value, Failure> {
    call.only(&["DeliveryStreamName", "Record"])?;
    let (data, bytes) = read_record(call.input.get("Record").unwrap_or(&Value::Null));
    let encrypted = check_taking(world, context, call)?;
    let id = take(world, context, call, vec![(data, bytes)])?.pop().unwrap_or_default();
    Ok(json!({"RecordId": id, "Encrypted": encrypted}))
}

fn put_record_batch(world: &mut World, context: &Context<'_>, call: &Call<'_>) -> Result<Value, Failure> {
    call.only(&["DeliveryStreamName", "Records"])?;
    let read: Vec<(String, usize)> = call.input.list("Records").unwrap_or_default().iter().map(read_record).collect();
    let records = read.len();
    let total: usize = read.iter().map(|(_, bytes)| bytes).sum();
    if total > LARGEST_BATCH_BYTES {
        return invalid("Records size exceeds 4 MB limit");
    }
    let encrypted = check_taking(world, context, call)?;
    let refused = world.firehose.failing_records.remove(&call.key()).unwrap_or_default();
    let taken: Vec<(String, usize)> =
        read.into_iter().enumerate().filter(|(at, _)| !refused.contains(at)).map(|(_, record)| record).collect();
    let mut ids = take(world, context, call, taken)?.into_iter();
    // The answers stand in the order of the records, whatever became of each.
    let responses: Vec<Value> = (0..records)
        .map(|at| {
            if refused.contains(&at) {
                json!({"ErrorCode": "ServiceUnavailableException", "ErrorMessage": "Slow down."})
            } else {
                json!({"RecordId": ids.next()})
            }
        })
        .collect();
    let failed = responses.iter().filter(|response| response.get("ErrorCode").is_some()).count();
    Ok(json!({"FailedPutCount": failed, "Encrypted": encrypted, "RequestResponses": responses}))
}

/// A record's data, still in base64, and its length without.
fn read_record(record: &Value) -> (String, usize) {
    let data = record["Data"].as_str().unwrap_or_default();
    (data.to_owned(), BASE64_STANDARD.decode(data).map_or(0, |bytes| bytes.len()))
}

/// Whether a stream takes records, and whether it encrypts them.
fn check_taking(world: &mut World, context: &Context<'_>, call: &Call<'_>) -> Result<bool, Failure> {
    let stream = call.stream(world, context)?;
    if stream.status(context.now) != Status::Active {
        return Err(not_found(&stream.name, context));
    }
    Ok(stream.encryption_status(context, true) == "ENABLED")
}

fn take(
    world: &mut World,
    context: &Context<'_>,
    call: &Call<'_>,
    records: Vec<(String, usize)>,
) -> Result<Vec<String>, Failure> {
    let key = call.key();
    let mut pending = delivery::pending_of(world, &key);
    let stream = call.stream(world, context)?;
    let first = stream.next_record;
    stream.next_record += records.len() as u64;
    let born = stream.created.as_microsecond();
    let backed_up = stream.destination.get("S3BackupMode") != Some(&json!("AllDocuments"));
    let mut ids = Vec::with_capacity(records.len());
    for (number, (data, bytes)) in (first..).zip(records) {
        let record = Record {
            data,
            bytes,
            arrived: context.now,
            // 49 digits, a dot and the place in the record, which the retries of the record keep.
            document_id: format!("49{born:017}{number:030}.0"),
            indexed: false,
            backed_up,
        };
        pending.add(&record);
        world.firehose.records.insert(format!("{key}/{number:020}"), record);
        ids.push(BASE64_STANDARD.encode(format!("{}{number:020}", uuid::Uuid::new_v4())));
    }
    world.firehose.pending.insert(key, pending);
    Ok(ids)
}

fn read_encryption(written: &Value) -> Result<Encryption, Failure> {
    let key_arn = written["KeyARN"].as_str().map(str::to_owned);
    match written["KeyType"].as_str() {
        Some("AWS_OWNED_CMK") if key_arn.is_none() => {}
        Some("AWS_OWNED_CMK") => {
            return invalid("KeyARN cannot be given with KeyType AWS_OWNED_CMK");
        }
        Some(_) if key_arn.is_some() => {}
        Some(_) | None => {
            return invalid("KeyARN is required with KeyType CUSTOMER_MANAGED_CMK");
        }
    }
    Ok(Encryption {
        key_type: written["KeyType"].as_str().map(str::to_owned),
        key_arn,
        enabled: true,
        settled_at: None,
        changes: Vec::new(),
    })
}

fn start_encryption(world: &mut World, context: &Context<'_>, call: &Call<'_>) -> Result<Value, Failure> {
    call.only(&["DeliveryStreamName", "DeliveryStreamEncryptionConfigurationInput"])?;
    let wanted = match call.input.get("DeliveryStreamEncryptionConfigurationInput") {
        Some(wanted) => read_encryption(wanted)?,
        None => read_encryption(&json!({"KeyType": "AWS_OWNED_CMK"}))?,
    };
    change_encryption(world, context, call, wanted)
}

fn stop_encryption(world: &mut World, context: &Context<'_>, call: &Call<'_>) -> Result<Value, Failure> {
    call.only(&["DeliveryStreamName"])?;
    change_encryption(world, context, call, Encryption::default())
}

fn change_encryption(
    world: &mut World,
    context: &Context<'_>,
    call: &Call<'_>,
    mut wanted: Encryption,
) -> Result<Value, Failure> {
    let stream = call.stream(world, context)?;
    if stream.status(context.now) != Status::Active {
        return in_use(format!("Firehose {} is not in ACTIVE state", stream.name));
    }
    if stream.encryption_status(context, true).ends_with("ING") {
        return in_use(format!("The encryption of firehose {} is being changed", stream.name));
    }
    let mut changes = stream.encryption.changes.clone();
    changes.retain(|change| context.now.duration_since(*change) < SignedDuration::from_hours(24));
    if changes.len() >= MOST_ENCRYPTION_CHANGES_A_DAY {
        return Err(Failure::new(
            400,
            "LimitExceededException",
            "Encryption can be started and stopped 25 times a day for each delivery stream",
        ));
    }
    changes.push(context.now);
    wanted.changes = changes;
    wanted.settled_at = Some(after(context.now, context.timing.stream_encryption));
    stream.encryption = wanted;
    stream.shown.encryption = false;
    Ok(json!({}))
}

fn tag(world: &mut World, context: &Context<'_>, call: &Call<'_>) -> Result<Value, Failure> {
    call.only(&["DeliveryStreamName", "Tags"])?;
    let tags = read_tags(&call.input)?;
    let stream = call.stream(world, context)?;
    check_settled(stream, context)?;
    let mut all = stream.tags.clone();
    all.extend(tags);
    check_tag_count(all.len())?;
    stream.tags = all;
    Ok(json!({}))
}

fn untag(world: &mut World, context: &Context<'_>, call: &Call<'_>) -> Result<Value, Failure> {
    call.only(&["DeliveryStreamName", "TagKeys"])?;
    let keys: Vec<String> = call.input.texts("TagKeys").unwrap_or_default().into_iter().map(str::to_owned).collect();
    let stream = call.stream(world, context)?;
    check_settled(stream, context)?;
    stream.tags.retain(|key, _| !keys.contains(key));
    Ok(json!({}))
}

fn list_tags(world: &mut World, context: &Context<'_>, call: &Call<'_>) -> Result<Value, Failure> {
    call.only(&["DeliveryStreamName", "ExclusiveStartTagKey", "Limit"])?;
    let limit = usize::try_from(call.input.integer("Limit").unwrap_or(50)).unwrap_or(50);
    let start = call.input.text("ExclusiveStartTagKey").map(str::to_owned);
    let stream = call.stream(world, context)?;
    let tags: Vec<Value> = stream
        .tags
        .iter()
        .filter(|(key, _)| start.as_ref().is_none_or(|start| *key > start))
        .map(|(key, value)| json!({"Key": key, "Value": value}))
        .collect();
    let more = tags.len() > limit;
    let page: Vec<Value> = tags.into_iter().take(limit).collect();
    Ok(json!({"Tags": page, "HasMoreTags": more}))
}

fn check_settled(stream: &Stream, context: &Context<'_>) -> Result<(), Failure> {
    match stream.status(context.now) {
        Status::Active | Status::CreatingFailed => Ok(()),
        Status::Creating | Status::Deleting => in_use(format!("Firehose {} is not in ACTIVE state", stream.name)),
    }
}

fn read_tags(input: &Input) -> Result<BTreeMap<String, String>, Failure> {
    let mut tags = BTreeMap::new();
    for tag in input.list("Tags").unwrap_or_default() {
        let tag: Map<String, Value> = tag.as_object().cloned().unwrap_or_default();
        let key = tag.get("Key").and_then(Value::as_str).unwrap_or_default();
        // A tag's value may be left out.
        let value = tag.get("Value").and_then(Value::as_str).unwrap_or_default();
        // The model refuses only the small letters.
        if key.to_lowercase().starts_with("aws:") {
            return invalid(format!("the tag key {key} begins with aws:, which is reserved"));
        }
        if tags.insert(key.to_owned(), value.to_owned()).is_some() {
            return invalid(format!("The tag key {key} is given twice"));
        }
    }
    Ok(tags)
}

fn check_tag_count(count: usize) -> Result<(), Failure> {
    if count > MOST_TAGS {
        return Err(Failure::new(400, "LimitExceededException", "A delivery stream can have at most 50 tags"));
    }
    Ok(())
}

fn seconds(moment: Timestamp) -> Value {
    #[expect(clippy::cast_precision_loss, reason = "a double holds every millisecond of the years in use")]
    let seconds = moment.as_millisecond() as f64 / 1_000.0;
    json!(seconds)
}

#[cfg(test)]
mod tests;
