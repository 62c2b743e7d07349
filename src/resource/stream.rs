//! The Firehose delivery stream: Direct PUT into the domain's index, with the backup bucket beside it.

mod spread;
mod wire;

use std::collections::BTreeMap;

use aws_sdk_firehose::operation::describe_delivery_stream::DescribeDeliveryStreamError;
use aws_sdk_firehose::types::{
    DeliveryStreamDescription, DeliveryStreamEncryptionStatus as Encryption, DeliveryStreamStatus as Status,
    DeliveryStreamType, FailureDescription, Tag,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use serde::{Deserialize, Serialize};

use crate::aws::{Session, code, failure};
use crate::error::{Error, Result};
use crate::plan::{Step, Work};
use crate::resource::stream::spread::Spread;
use crate::resource::{
    Condition, Goal, Hazard, HazardNote, Kind, Manage, Managed, Observed, Owner, Read, Readiness, Settings, Verdict,
    tag_changes, tags_to_set, within,
};
use crate::stack::Names;
use crate::wait::{Polling, pause};

/// The one source that ekk makes.
pub const DIRECT_PUT: &str = "DirectPut";
/// The one destination that ekk makes: a domain, by its ARN and its public endpoint.
pub const OPENSEARCH_SERVICE: &str = "AmazonOpenSearchService";

/// The stream as ekk manages it. Every setting is sent whole: AWS merges an UpdateDestination, others replace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StreamSettings {
    /// Where records come from: [`DIRECT_PUT`]; a live stream may have another source.
    pub source: String,
    /// Where they go: [`OPENSEARCH_SERVICE`]; a live stream may have another destination (`ExtendedS3`), or reach a
    /// domain in a way that ekk does not make (`AmazonOpenSearchService through a VPC`).
    pub destination: String,
    /// ARN of the role that Firehose assumes.
    pub role_arn: String,
    /// ARN of the domain.
    pub domain_arn: String,
    /// The index, before rotation adds its suffix.
    pub index: String,
    /// `NoRotation`, `OneHour`, `OneDay`, `OneWeek` or `OneMonth`.
    pub rotation: String,
    /// How long a failed request is retried, in seconds.
    pub retry_seconds: u32,
    /// When a batch goes to the domain.
    pub buffer: Buffer,
    /// `FIREHOSE_DEFAULT` or `NO_DOCUMENT_ID`.
    pub document_ids: String,
    /// The backup bucket.
    pub backup: Backup,
    /// Error logging.
    pub logging: Logging,
    /// Server-side encryption.
    pub encryption: StreamEncryption,
}

/// Buffering hints: whichever comes first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Buffer {
    /// Seconds.
    pub seconds: u32,
    /// MiB.
    pub mib: u32,
}

/// The backup in S3.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Backup {
    /// `AllDocuments` or `FailedDocumentsOnly`; AWS cannot change it.
    pub documents: String,
    /// ARN of the bucket.
    pub bucket_arn: String,
    /// Prefix of keys.
    pub prefix: String,
    /// Prefix of keys of failed documents.
    pub error_prefix: String,
    /// When an object is written.
    pub buffer: Buffer,
    /// `UNCOMPRESSED`, `GZIP`, `ZIP`, `Snappy` or `HADOOP_SNAPPY`.
    pub compression: String,
}

/// Firehose's own error logging.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Logging {
    /// Whether it is on.
    pub enabled: bool,
    /// The log group; `None` when off.
    pub log_group: Option<String>,
    /// The log stream of the delivery to the domain; `None` when off.
    pub destination_stream: Option<String>,
    /// The log stream of the backup; `None` when off.
    pub backup_stream: Option<String>,
}

/// Server-side encryption of a stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StreamEncryption {
    /// Whether it is on.
    pub enabled: bool,
    /// `AWS_OWNED_CMK` or `CUSTOMER_MANAGED_CMK`; `None` when off.
    pub key_type: Option<String>,
    /// ARN of the key, with `CUSTOMER_MANAGED_CMK`.
    pub key_arn: Option<String>,
}

/// What Firehose assigns.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct StreamFacts {
    /// The ARN.
    pub arn: String,
    /// The version that an UpdateDestination must name.
    pub version_id: String,
    /// The destination that an UpdateDestination must name.
    pub destination_id: String,
    /// `ACTIVE`, `CREATING_FAILED` and the like.
    pub status: String,
}

const CREATE: &str = "firehose:CreateDeliveryStream";
const UPDATE: &str = "firehose:UpdateDestination";

const CUSTOMER_MANAGED: &str = "CUSTOMER_MANAGED_CMK";

impl Settings for StreamSettings {
    const KIND: Kind = Kind::Stream;

    type Facts = StreamFacts;

    fn judge(pointer: &str, before: &Self, after: &Self) -> Verdict {
        const REFUSED: &str = "the stream is deleted and made anew: what it holds is flushed first, and records that \
                               are sent in between are refused (ResourceNotFoundException), so producers must retry";
        if within(pointer, "/source") || within(pointer, "/destination") || within(pointer, "/backup/documents") {
            return Verdict::Replace(HazardNote::new(
                Hazard::Replace,
                format!("Firehose cannot change this of a live stream; {REFUSED}"),
            ));
        }
        if within(pointer, "/encryption") {
            let customers = |settings: &Self| settings.encryption.key_type.as_deref() == Some(CUSTOMER_MANAGED);
            if customers(before) && !customers(after) {
                return Verdict::InPlaceWith(HazardNote::new(
                    Hazard::WidenAccess,
                    "records that wait in the stream are no longer guarded by your own key and its policy",
                ));
            }
        }
        Verdict::InPlace
    }

    /// Deleting a stream loses nothing that AWS has accepted: it is flushed first.
    fn hazard_of_deleting(_observed: &Observed<Self>) -> Option<HazardNote> {
        None
    }

    fn work(step: Step<Self>) -> Work {
        Work::Stream(step)
    }
}

impl Manage for StreamSettings {
    async fn read(session: &Session, names: &Names) -> Result<Read<Self>> {
        let name = session.name(&names.stream).await?;
        let (described, tags) = futures_util::try_join!(describe(session, &name), tags(session, &name))?;
        let (Some(stream), Some(tags)) = (described, tags) else { return Ok(Read::Absent) };
        Ok(Read::Present(Box::new(observed(&stream, tags, names))))
    }

    async fn create(session: &Session, names: &Names, after: &Managed<Self>) -> Result<()> {
        let name = session.name(&names.stream).await?;
        let Managed { settings, tags } = after;
        let resource = format!("stream {name}");
        let destination = wire::configuration(settings, &resource)?;
        let encryption = wire::encryption(&settings.encryption, &resource)?;
        let tags: Vec<Tag> = wire::tags(&tags_to_set(tags), &resource)?;
        let mut polling = Polling::new(&session.waiting, Kind::Stream, &name);
        let mut spread = Spread::new(session, &settings.role_arn);
        loop {
            let request = session
                .aws
                .firehose
                .create_delivery_stream()
                .delivery_stream_name(&name)
                .delivery_stream_type(DeliveryStreamType::DirectPut)
                .set_delivery_stream_encryption_configuration_input(encryption.clone())
                .set_tags((!tags.is_empty()).then(|| tags.clone()))
                .amazonopensearchservice_destination_configuration(destination.clone());
            let Err(error) = request.send().await else { return Ok(()) };
            let Some(taken) = spread.is_over(&resource, CREATE, error).await? else { continue };
            if code(&taken) != Some("ResourceInUseException") {
                return Err(spread.failure(&resource, CREATE, taken));
            }
            // The name is taken: by ourselves where an answer was lost, or by what is still being deleted.
            match Self::read(session, names).await? {
                Read::Present(live) if live.condition == Condition::Deleting => {
                    let _ = polling.is_ready(Readiness::pending("waiting for the old stream to be gone")).await?;
                }
                Read::Present(live) if live.owner == Owner::Ours => return Ok(()),
                Read::Present(_) | Read::Unknown(_) => {
                    return Err(failure(&resource, CREATE, taken));
                }
                Read::Absent => {
                    let _ = polling.is_ready(Readiness::pending("waiting for the name to be free")).await?;
                }
            }
        }
    }

    async fn update(
        session: &Session,
        names: &Names,
        _before: &Observed<Self>,
        after: &Managed<Self>,
        pointers: &[String],
    ) -> Result<()> {
        let name = session.name(&names.stream).await?;
        let resource = format!("stream {name}");
        // What changes meanwhile refuses every change; and the tags and version of a while ago may be old.
        settled(session, &name, &resource).await?;
        update_tags(session, &name, &resource, after).await?;
        let is_destination = |pointer: &String| !within(pointer, "/tags") && !within(pointer, "/encryption");
        if pointers.iter().any(is_destination) {
            update_destination(session, &name, &resource, &after.settings).await?;
        }
        if pointers.iter().any(|pointer| within(pointer, "/encryption")) {
            update_encryption(session, &name, &resource, &after.settings.encryption).await?;
        }
        Ok(())
    }

    async fn delete(session: &Session, names: &Names, _before: &Observed<Self>) -> Result<()> {
        let name = session.name(&names.stream).await?;
        let resource = format!("stream {name}");
        let mut polling = Polling::new(&session.waiting, Kind::Stream, &name);
        loop {
            let Some(stream) = describe(session, &name).await? else { return Ok(()) };
            let status = stream.delivery_stream_status();
            // A stream that is being made cannot be deleted.
            if *status == Status::Creating {
                let _ = polling.is_ready(Readiness::pending("waiting for the creation to end before deleting")).await?;
                continue;
            }
            if *status == Status::Deleting {
                return Ok(());
            }
            // Force gives up a KMS grant that could not be retired, so it is for a deletion that failed alone.
            let force = *status == Status::DeletingFailed;
            let delete = session.aws.firehose.delete_delivery_stream().delivery_stream_name(&name);
            match delete.set_allow_force_delete(force.then_some(true)).send().await {
                Ok(_) => return Ok(()),
                Err(error) if code(&error) == Some("ResourceNotFoundException") => return Ok(()),
                Err(error) if code(&error) == Some("ResourceInUseException") => {
                    let _ = polling.is_ready(Readiness::pending("waiting for a change to end before deleting")).await?;
                }
                Err(error) => return Err(failure(&resource, "firehose:DeleteDeliveryStream", error)),
            }
        }
    }

    async fn readiness(session: &Session, names: &Names, goal: Goal) -> Result<Readiness> {
        let name = session.name(&names.stream).await?;
        let described = describe(session, &name).await?;
        Ok(match goal {
            Goal::InForce => in_force(described.as_ref()),
            Goal::Gone => gone(described.as_ref()),
        })
    }
}

fn in_force(stream: Option<&DeliveryStreamDescription>) -> Readiness {
    // A describe just after the create may be answered from before it.
    let Some(stream) = stream else { return Readiness::pending("waiting for the stream to be visible") };
    match stream.delivery_stream_status() {
        Status::Active => match encryption_status(stream) {
            Some(Encryption::Enabling) => Readiness::pending("encryption is being enabled"),
            Some(Encryption::Disabling) => Readiness::pending("encryption is being disabled"),
            // A failed attempt of long ago must not fail what has nothing to do with it; the one who asks for
            // encryption waits for its outcome.
            _ => Readiness::Ready,
        },
        Status::Creating => Readiness::pending("creating"),
        Status::Deleting => Readiness::Failed("is being deleted".to_owned()),
        status => Readiness::Failed(told(status, stream.failure_description())),
    }
}

fn gone(stream: Option<&DeliveryStreamDescription>) -> Readiness {
    let Some(stream) = stream else { return Readiness::Ready };
    match stream.delivery_stream_status() {
        Status::DeletingFailed => {
            Readiness::Failed(told(stream.delivery_stream_status(), stream.failure_description()))
        }
        Status::Deleting => Readiness::pending("deleting; what it holds is flushed first"),
        _ => Readiness::pending("waiting for the deletion to begin"),
    }
}

fn told(status: &Status, failure: Option<&FailureDescription>) -> String {
    match failure {
        Some(failure) => format!("{status}: {}: {}", failure.r#type().as_str(), failure.details()),
        None => format!("{status}, and Firehose gives no reason"),
    }
}

fn encryption_status(stream: &DeliveryStreamDescription) -> Option<&Encryption> {
    stream.delivery_stream_encryption_configuration().and_then(|encryption| encryption.status())
}

fn condition(stream: &DeliveryStreamDescription) -> Condition {
    match stream.delivery_stream_status() {
        Status::Active => match encryption_status(stream) {
            Some(status @ (Encryption::Enabling | Encryption::Disabling)) => {
                Condition::Changing(format!("encryption is {status}"))
            }
            _ => Condition::Settled,
        },
        Status::Creating => Condition::Changing("CREATING".to_owned()),
        Status::Deleting => Condition::Deleting,
        status => Condition::Broken(told(status, stream.failure_description())),
    }
}

fn observed(
    stream: &DeliveryStreamDescription,
    tags: BTreeMap<String, String>,
    names: &Names,
) -> Observed<StreamSettings> {
    Observed {
        settings: wire::settings(stream),
        facts: StreamFacts {
            arn: stream.delivery_stream_arn().to_owned(),
            version_id: stream.version_id().to_owned(),
            destination_id: stream
                .destinations()
                .first()
                .map(|one| one.destination_id().to_owned())
                .unwrap_or_default(),
            status: stream.delivery_stream_status().as_str().to_owned(),
        },
        owner: Owner::from_tags(&tags, &names.stack, &names.region),
        tags,
        condition: condition(stream),
    }
}

/// Describes a stream by one call, without its tags.
///
/// # Errors
/// Fails as firehose:DescribeDeliveryStream does.
pub async fn described(session: &Session, name: &str) -> Result<Option<(Condition, StreamSettings)>> {
    Ok(describe(session, name).await?.map(|stream| (condition(&stream), wire::settings(&stream))))
}

async fn describe(session: &Session, name: &str) -> Result<Option<DeliveryStreamDescription>> {
    let answer: Result<_, SdkError<DescribeDeliveryStreamError, HttpResponse>> =
        session.aws.firehose.describe_delivery_stream().delivery_stream_name(name).send().await;
    match answer {
        Ok(answer) => match answer.delivery_stream_description {
            Some(stream) => Ok(Some(stream)),
            None => Err(Error::failed(format!("stream {name}: firehose:DescribeDeliveryStream: an empty answer"))),
        },
        Err(error) if code(&error) == Some("ResourceNotFoundException") => Ok(None),
        Err(error) => Err(failure(&format!("stream {name}"), "firehose:DescribeDeliveryStream", error)),
    }
}

/// Reads all tags; `None` when there is no such stream.
async fn tags(session: &Session, name: &str) -> Result<Option<BTreeMap<String, String>>> {
    let mut tags = BTreeMap::new();
    let mut after: Option<String> = None;
    loop {
        let request = session.aws.firehose.list_tags_for_delivery_stream().delivery_stream_name(name);
        let answer = match request.set_exclusive_start_tag_key(after.take()).send().await {
            Ok(answer) => answer,
            Err(error) if code(&error) == Some("ResourceNotFoundException") => return Ok(None),
            Err(error) => return Err(failure(&format!("stream {name}"), "firehose:ListTagsForDeliveryStream", error)),
        };
        for tag in answer.tags() {
            tags.insert(tag.key().to_owned(), tag.value().unwrap_or_default().to_owned());
        }
        match answer.tags().last() {
            Some(last) if answer.has_more_tags() => after = Some(last.key().to_owned()),
            Some(_) | None => return Ok(Some(tags)),
        }
    }
}

/// Waits until nothing changes, and returns the stream as it is then.
async fn settled(session: &Session, name: &str, resource: &str) -> Result<DeliveryStreamDescription> {
    let mut polling = Polling::new(&session.waiting, Kind::Stream, name);
    loop {
        let stream = describe(session, name).await?;
        let readiness = in_force(stream.as_ref());
        match (readiness, stream) {
            (Readiness::Ready, Some(stream)) => return Ok(stream),
            (_, None) => return Err(Error::failed(format!("{resource}: is gone"))),
            (readiness, Some(_)) => {
                let _ = polling.is_ready(readiness).await?;
            }
        }
    }
}

async fn update_tags(session: &Session, name: &str, resource: &str, after: &Managed<StreamSettings>) -> Result<()> {
    let live = tags(session, name).await?.unwrap_or_default();
    let (set, remove) = tag_changes(&live, &after.tags);
    if !set.is_empty() {
        let tags = wire::tags(&set, resource)?;
        let request = session.aws.firehose.tag_delivery_stream().delivery_stream_name(name).set_tags(Some(tags));
        request.send().await.map_err(|error| failure(resource, "firehose:TagDeliveryStream", error))?;
    }
    if !remove.is_empty() {
        let request = session.aws.firehose.untag_delivery_stream().delivery_stream_name(name);
        let request = request.set_tag_keys(Some(remove));
        request.send().await.map_err(|error| failure(resource, "firehose:UntagDeliveryStream", error))?;
    }
    Ok(())
}

/// How often somebody else may get in between describe and update before that is an error.
const RACES: u32 = 5;

async fn update_destination(session: &Session, name: &str, resource: &str, settings: &StreamSettings) -> Result<()> {
    let update = wire::update(settings, resource)?;
    let mut races = 0;
    let mut spread = Spread::new(session, &settings.role_arn);
    loop {
        let stream = settled(session, name, resource).await?;
        let destination_id = stream.destinations().first().map(|one| one.destination_id().to_owned());
        let request = session
            .aws
            .firehose
            .update_destination()
            .delivery_stream_name(name)
            .current_delivery_stream_version_id(stream.version_id())
            .set_destination_id(destination_id)
            .amazonopensearchservice_destination_update(update.clone());
        let Err(error) = request.send().await else { return Ok(()) };
        let Some(error) = spread.is_over(resource, UPDATE, error).await? else { continue };
        match code(&error) {
            // Values are sent whole, so the same update on the newer version is right, after somebody else's change
            // and after a lost answer alike.
            Some("ConcurrentModificationException" | "ResourceInUseException") if races < RACES => {
                pause(&session.waiting, races).await;
                races += 1;
            }
            _ => return Err(spread.failure(resource, UPDATE, error)),
        }
    }
}

async fn update_encryption(session: &Session, name: &str, resource: &str, encryption: &StreamEncryption) -> Result<()> {
    settled(session, name, resource).await?;
    match wire::encryption(encryption, resource)? {
        Some(input) => {
            let request = session.aws.firehose.start_delivery_stream_encryption().delivery_stream_name(name);
            let request = request.delivery_stream_encryption_configuration_input(input);
            let started = request.send().await;
            started.map_err(|error| failure(resource, "firehose:StartDeliveryStreamEncryption", error))?;
        }
        None => {
            let request = session.aws.firehose.stop_delivery_stream_encryption().delivery_stream_name(name);
            let stopped = request.send().await;
            stopped.map_err(|error| failure(resource, "firehose:StopDeliveryStreamEncryption", error))?;
        }
    }
    let stream = settled(session, name, resource).await?;
    let status = encryption_status(&stream);
    match status {
        Some(Encryption::EnablingFailed | Encryption::DisablingFailed) => {
            let described = stream.delivery_stream_encryption_configuration();
            let why = described.and_then(|encryption| encryption.failure_description());
            let why = why.map(|why| format!("{}: {}", why.r#type().as_str(), why.details())).unwrap_or_default();
            let status = status.map(Encryption::as_str).unwrap_or_default();
            Err(Error::failed(format!("{resource}: encryption: {status}: {why}"))
                .hint("check the key's policy and state, then run the same command again"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_firehose::types::DeliveryStreamFailureType;

    use super::wire::tests::{described, wanted};
    use super::*;

    fn judged(pointer: &str, change: impl Fn(&mut StreamSettings)) -> Verdict {
        let mut after = wanted();
        change(&mut after);
        StreamSettings::judge(pointer, &wanted(), &after)
    }

    fn broken(status: Status) -> DeliveryStreamDescription {
        let mut stream = described(&wanted(), Encryption::Enabled);
        stream.delivery_stream_status = status;
        let failure = FailureDescription::builder().r#type(DeliveryStreamFailureType::KmsKeyNotFound).details("no key");
        stream.failure_description = Some(failure.build().expect("a failure"));
        stream
    }

    #[test]
    fn the_backup_mode_replaces_the_stream() {
        let verdict = judged("/backup/documents", |after| after.backup.documents = "FailedDocumentsOnly".into());
        let Verdict::Replace(note) = verdict else { panic!("{verdict:?}") };
        assert_eq!(note.hazard, Hazard::Replace);
        assert!(note.why.contains("ResourceNotFoundException"), "{}", note.why);
    }

    #[test]
    fn another_source_or_destination_replaces_the_stream() {
        for pointer in ["/source", "/destination"] {
            assert!(matches!(judged(pointer, |_| {}), Verdict::Replace(_)), "{pointer}");
        }
    }

    #[test]
    fn everything_else_changes_in_place() {
        for pointer in
            ["/role_arn", "/index", "/rotation", "/buffer/seconds", "/backup/prefix", "/logging", "/encryption"]
        {
            assert_eq!(judged(pointer, |after| after.index = "other".into()), Verdict::InPlace, "{pointer}");
        }
    }

    #[test]
    fn giving_up_ones_own_key_widens_access_and_taking_one_does_not() {
        let mut customers = wanted();
        customers.encryption.key_type = Some("CUSTOMER_MANAGED_CMK".into());
        let off = StreamSettings::judge("/encryption/key_type", &customers, &wanted());
        assert!(matches!(off, Verdict::InPlaceWith(HazardNote { hazard: Hazard::WidenAccess, why: _ })));
        assert_eq!(StreamSettings::judge("/encryption/key_type", &wanted(), &customers), Verdict::InPlace);
    }

    #[test]
    fn a_failed_stream_is_broken_and_says_why() {
        let stream = broken(Status::CreatingFailed);
        let why = "CREATING_FAILED: KMS_KEY_NOT_FOUND: no key".to_owned();
        assert_eq!(condition(&stream), Condition::Broken(why.clone()));
        assert_eq!(in_force(Some(&stream)), Readiness::Failed(why));
        assert!(matches!(condition(&broken(Status::DeletingFailed)), Condition::Broken(_)));
        assert!(matches!(gone(Some(&broken(Status::DeletingFailed))), Readiness::Failed(_)));
    }

    #[test]
    fn a_stream_in_change_is_waited_for() {
        let enabling = described(&wanted(), Encryption::Enabling);
        assert!(matches!(condition(&enabling), Condition::Changing(_)));
        assert!(matches!(in_force(Some(&enabling)), Readiness::Pending { .. }));
        assert_eq!(condition(&broken(Status::Deleting)), Condition::Deleting);
        assert!(matches!(in_force(None), Readiness::Pending { .. }));
        assert_eq!(gone(None), Readiness::Ready);
    }
}
