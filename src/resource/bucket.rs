//! The S3 bucket that keeps all records. Statements and lifecycle rules that do not begin with `ekk` are left alone, and
//! so is versioning.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use aws_sdk_s3::Client;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::types::{
    AbortIncompleteMultipartUpload, BucketLifecycleConfiguration, BucketLocationConstraint, CreateBucketConfiguration,
    Delete, EncodingType, ExpirationStatus, LifecycleExpiration, LifecycleRule as S3Rule, LifecycleRuleFilter,
    NoncurrentVersionExpiration, ObjectIdentifier, PublicAccessBlockConfiguration, ServerSideEncryption,
    ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration, ServerSideEncryptionRule, Tag, Tagging,
};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextRef;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::aws::{Session, code, failure, is_denied, text};
use crate::bytes::Bytes;
use crate::error::{Error, ErrorKind, Result, both};
use crate::objects::key_of;
use crate::plan::{Step, Work};
use crate::policy::{self, OWN_PREFIX};
use crate::resource::{
    Condition, Goal, Hazard, HazardNote, Kind, Manage, Managed, Observed, Owner, Read, Readiness, Settings, Verdict,
    WantedTags, tag_changes, tags_to_set, within,
};
use crate::retry::{self, until_settled};
use crate::stack::{Names, Origin};
use crate::wait::Event;

/// The bucket as ekk manages it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BucketSettings {
    /// The region it is in.
    pub region: String,
    /// Whether all four switches of Block Public Access are on.
    pub public_access_blocked: bool,
    /// Default encryption.
    pub encryption: BucketEncryption,
    /// ekk's own policy statements by Sid, canonical; Sids begin with `ekk`.
    pub policy: BTreeMap<String, Value>,
    /// ekk's own lifecycle rules by ID; IDs begin with `ekk`.
    pub lifecycle: BTreeMap<String, LifecycleRule>,
    /// Live side only, never compared: a run was killed while it made the bucket, and nothing is in it yet. Then no
    /// lifecycle rule can delete anything.
    #[serde(skip)]
    pub holds_nothing: bool,
}

/// Default encryption of a bucket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BucketEncryption {
    /// `AES256` or `aws:kms`.
    pub algorithm: String,
    /// ARN of the KMS key, with `aws:kms`.
    pub kms_key: Option<String>,
}

/// One lifecycle rule of ekk's. What it does not do is left out, so that taking it away is a difference.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LifecycleRule {
    /// Keys that it applies to; empty for all.
    pub prefix: String,
    /// Days after which objects expire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expire_days: Option<u32>,
    /// Days after which versions that are not current expire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expire_noncurrent_days: Option<u32>,
    /// Days after which an unfinished multipart upload is removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abort_uploads_days: Option<u32>,
}

/// What S3 tells beside the settings.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct BucketFacts {
    /// What is in it, where somebody asked ([`contents`]).
    pub contents: Option<Contents>,
    /// For an existing bucket: why it could not be checked. A warning, not a lack.
    pub unchecked: Option<String>,
}

/// What is in a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Contents {
    /// Objects, every version counted.
    pub objects: u64,
    /// Bytes of all of them.
    pub bytes: u64,
    /// Whether counting stopped before the end.
    pub is_capped: bool,
}

impl std::fmt::Display for Contents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let more = if self.is_capped { "more than " } else { "" };
        let objects = if self.objects == 1 { "object" } else { "objects" };
        write!(f, "{more}{} {objects}, {}", self.objects, Bytes(self.bytes))
    }
}

impl Settings for BucketSettings {
    const KIND: Kind = Kind::Bucket;

    type Facts = BucketFacts;

    fn judge(pointer: &str, before: &Self, after: &Self) -> Verdict {
        if within(pointer, "/region") {
            return Verdict::Impossible(format!(
                "it is in {}, and S3 cannot move a bucket to {}: name another one (`bucket.name`), or let the stack \
                 live in {}",
                before.region, after.region, before.region
            ));
        }
        if within(pointer, "/public_access_blocked") && !after.public_access_blocked {
            return Verdict::InPlaceWith(HazardNote::new(
                Hazard::WidenAccess,
                "public access is no longer blocked, so a policy or an ACL may open the bucket to the world",
            ));
        }
        if within(pointer, "/policy")
            && let Some(note) = widening(&before.policy, &after.policy)
        {
            return Verdict::InPlaceWith(note);
        }
        if within(pointer, "/lifecycle")
            && let Some(note) = earlier_expiry(before, after)
        {
            return Verdict::InPlaceWith(note);
        }
        Verdict::InPlace
    }

    fn hazard_of_deleting(observed: &Observed<Self>) -> Option<HazardNote> {
        let contents = observed.facts.contents.map(|contents| format!(" ({contents})")).unwrap_or_default();
        Some(HazardNote::new(
            Hazard::DeleteData,
            format!("every object, version and unfinished upload in it is deleted for good{contents}"),
        ))
    }

    fn check_existing(observed: &Observed<Self>, needed: &Self) -> Vec<String> {
        let (live, wanted) = (&observed.settings.region, &needed.region);
        if live == wanted {
            return Vec::new();
        }
        vec![format!("it is in {live}, and the stack is in {wanted}")]
    }

    fn work(step: Step<Self>) -> Work {
        Work::Bucket(step)
    }
}

/// Says what becomes possible that was not: a denial that goes or shrinks, a permission that comes or grows.
fn widening(before: &BTreeMap<String, Value>, after: &BTreeMap<String, Value>) -> Option<HazardNote> {
    let lost = |one: &BTreeMap<String, Value>, other: &BTreeMap<String, Value>, effect: &str| {
        one.iter()
            .filter(|(_, statement)| statement["Effect"] == effect)
            .find(|(_, statement)| !other.values().any(|wide| policy::covers(wide, statement)))
            .map(|(sid, _)| sid.clone())
    };
    let why = match (lost(before, after, "Deny"), lost(after, before, "Allow")) {
        (Some(sid), _) => format!("the statement {sid} denies less than before, or goes"),
        (None, Some(sid)) => format!("the statement {sid} allows more than before"),
        (None, None) => return None,
    };
    Some(HazardNote::new(Hazard::WidenAccess, why))
}

/// Says what expires that would have stayed, or earlier than it would have.
fn earlier_expiry(before: &BucketSettings, after: &BucketSettings) -> Option<HazardNote> {
    if before.holds_nothing {
        return None;
    }
    let is_earlier = |old: Option<u32>, new: Option<u32>| match (old, new) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(old), Some(new)) => new < old,
    };
    after.lifecycle.iter().find_map(|(id, new)| {
        let none = LifecycleRule::default();
        let same_keys = |old: &&LifecycleRule| new.prefix.starts_with(&old.prefix);
        let old = before.lifecycle.get(id).filter(same_keys).unwrap_or(&none);
        let (what, days) = if is_earlier(old.expire_days, new.expire_days) {
            ("objects", new.expire_days)
        } else if is_earlier(old.expire_noncurrent_days, new.expire_noncurrent_days) {
            ("versions that are not current", new.expire_noncurrent_days)
        } else {
            return None;
        };
        let days = days.unwrap_or_default();
        Some(HazardNote::new(
            Hazard::DeleteData,
            format!("S3 deletes {what} older than {days} days, those that are there now among them (rule {id})"),
        ))
    })
}

impl Manage for BucketSettings {
    async fn read(session: &Session, names: &Names) -> Result<Read<Self>> {
        match names.bucket_origin {
            Origin::Managed => read_managed(session, names).await,
            Origin::Existing => read_existing(session, names).await,
        }
    }

    async fn create(session: &Session, names: &Names, after: &Managed<Self>) -> Result<()> {
        let place = Place::of(session, names).await?;
        let BucketSettings { region, public_access_blocked, encryption, policy, lifecycle, holds_nothing: _ } =
            &after.settings;
        let mut configuration = CreateBucketConfiguration::builder().set_tags(Some(s3_tags(tags_to_set(&after.tags))?));
        // S3 API reference, CreateBucket: us-east-1 is the one region that must not be named.
        if region != "us-east-1" {
            configuration = configuration.location_constraint(BucketLocationConstraint::from(region.as_str()));
        }
        let create =
            place.client.create_bucket().bucket(&place.name).create_bucket_configuration(configuration.build());
        let attempts = Attempts::default();
        let send = || create.clone().customize().interceptor(attempts.clone()).send();
        let was_there = match until_settled(session, is_passing, send).await {
            Ok(_) => false,
            // After a lost answer it is this call's own work, and without tags where the server ignores them here.
            Err(error) if code(&error) == Some("BucketAlreadyOwnedByYou") => !attempts.are_many(),
            Err(error) if code(&error) == Some("BucketAlreadyExists") => return Err(foreign(&place)),
            Err(error) => {
                return Err(failure(&place.label(), "s3:CreateBucket", error)
                    .hint_if_denied("a bucket is made with its tags, which takes s3:TagResource"));
            }
        };
        // us-east-1 answers 200 for a bucket that the account has already, so only the tags say whose it is.
        let tags = get_tags(session, &place).await?;
        match Owner::from_tags(&tags, &names.stack, &names.region) {
            Owner::Nobody if was_there => {
                return Err(Error::refused(format!(
                    "{}: it was made meanwhile and is not this stack's",
                    place.label()
                ))
                .hint("plan again; --adopt=bucket takes it"));
            }
            Owner::Other { stack, region } => {
                return Err(Error::refused(format!("{}: it belongs to the stack {stack} in {region}", place.label()))
                    .hint("choose another `bucket.name`"));
            }
            Owner::Ours | Owner::Nobody => {}
        }
        write_tags(session, &place, tags, &after.tags).await?;
        put_public_access_block(session, &place, *public_access_blocked).await?;
        put_encryption(session, &place, encryption).await?;
        if !lifecycle.is_empty() {
            put_lifecycle(session, &place, lifecycle).await?;
        }
        // The policy comes last: a bucket with our tags and without it was left half-made.
        put_policy(session, &place, policy).await
    }

    async fn update(
        session: &Session,
        names: &Names,
        _before: &Observed<Self>,
        after: &Managed<Self>,
        pointers: &[String],
    ) -> Result<()> {
        let place = Place::of(session, names).await?;
        let differs = |prefix: &str| pointers.iter().any(|pointer| within(pointer, prefix));
        let BucketSettings { region: _, public_access_blocked, encryption, policy, lifecycle, holds_nothing: _ } =
            &after.settings;
        // The tags come first: a bucket that is being adopted is ours before anything else of it changes.
        if differs("/tags") {
            let tags = get_tags(session, &place).await?;
            write_tags(session, &place, tags, &after.tags).await?;
        }
        if differs("/public_access_blocked") {
            put_public_access_block(session, &place, *public_access_blocked).await?;
        }
        if differs("/encryption") {
            put_encryption(session, &place, encryption).await?;
        }
        if differs("/lifecycle") {
            put_lifecycle(session, &place, lifecycle).await?;
        }
        if differs("/policy") {
            put_policy(session, &place, policy).await?;
        }
        Ok(())
    }

    async fn delete(session: &Session, names: &Names, _before: &Observed<Self>) -> Result<()> {
        let place = Place::of(session, names).await?;
        let mut removed = 0;
        let mut fruitless = 0;
        loop {
            let Some(now) = empty(session, &place, removed).await? else { return Ok(()) };
            removed += now;
            fruitless = if now == 0 { fruitless + 1 } else { 0 };
            let delete = place.client.delete_bucket().bucket(&place.name).expected_bucket_owner(&place.owner);
            match until_settled(session, is_passing, || delete.clone().send()).await {
                Ok(_) => return Ok(()),
                Err(error) if code(&error) == Some("NoSuchBucket") => return Ok(()),
                // Firehose flushes late: what it wrote meanwhile goes in the next round.
                Err(error) if code(&error) == Some("BucketNotEmpty") && fruitless < retry::ATTEMPTS => {
                    retry::pause(session, fruitless).await;
                }
                Err(error) => return Err(failure(&place.label(), "s3:DeleteBucket", error)),
            }
        }
    }

    async fn readiness(session: &Session, names: &Names, goal: Goal) -> Result<Readiness> {
        let place = Place::of(session, names).await?;
        let head = place.client.head_bucket().bucket(&place.name).expected_bucket_owner(&place.owner).send().await;
        let is_there = match head {
            Ok(_) => true,
            Err(error) if status(&error) == Some(404) => false,
            Err(error) => return Err(failure(&place.label(), "s3:ListBucket", error)),
        };
        Ok(match (goal, is_there) {
            (Goal::InForce, true) | (Goal::Gone, false) => Readiness::Ready,
            (Goal::InForce, false) => Readiness::pending("S3 does not show it yet"),
            (Goal::Gone, true) => Readiness::pending("S3 still shows it"),
        })
    }
}

/// How many pages of 1,000 versions are looked at to tell what is in a bucket.
const COUNTED_PAGES: u32 = 10;

/// Counts what is in the bucket, up to 10,000 versions, for what a deletion loses.
///
/// # Errors
/// Fails as s3:ListBucketVersions does.
pub async fn contents(session: &Session, names: &Names) -> Result<Contents> {
    let place = Place::of(session, names).await?;
    let mut contents = Contents { objects: 0, bytes: 0, is_capped: false };
    let mut from = Some(Marker::default());
    let mut pages = 0;
    while let Some(marker) = from {
        if pages == COUNTED_PAGES {
            contents.is_capped = true;
            break;
        }
        let Some(page) = list_versions(&place, marker, None).await? else { break };
        contents.objects += page.objects;
        contents.bytes += page.bytes;
        from = page.next;
        pages += 1;
    }
    Ok(contents)
}

/// A bucket as calls address it. The owner goes with every call, so that one of the same name in another account is
/// never read or written.
struct Place {
    client: Client,
    region: String,
    name: String,
    owner: String,
}

impl Place {
    async fn of(session: &Session, names: &Names) -> Result<Self> {
        let name = session.name(&names.bucket).await?;
        let owner = session.target().await?.account.clone();
        Ok(Self { client: session.aws.s3.clone(), region: session.aws.region.clone(), name, owner })
    }

    fn in_region(&self, region: String) -> Self {
        let config = self.client.config().to_builder().region(aws_sdk_s3::config::Region::new(region.clone())).build();
        Self { client: Client::from_conf(config), region, name: self.name.clone(), owner: self.owner.clone() }
    }

    fn label(&self) -> String {
        format!("bucket {}", self.name)
    }
}

/// Counts how often a call is sent: the SDK sends it again after a lost answer, and does not tell.
#[derive(Clone, Debug, Default)]
struct Attempts(Arc<AtomicU32>);

impl Attempts {
    fn are_many(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 1
    }
}

#[dyn_dispatch_hint]
impl Intercept for Attempts {
    fn name(&self) -> &'static str {
        "Attempts"
    }

    fn read_before_attempt(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

fn foreign(place: &Place) -> Error {
    Error::refused(format!(
        "{}: the name belongs to another account: bucket names are global; choose another `bucket.name`",
        place.label()
    ))
}

/// Tells whether S3's answer passes by itself: another change of the bucket is under way, it was deleted a moment ago,
/// or it was made a moment ago.
fn is_passing(code: &str, _text: &str) -> bool {
    matches!(code, "OperationAborted" | "ConflictingOperation")
}

fn is_passing_on_a_new_bucket(code: &str, text: &str) -> bool {
    is_passing(code, text) || code == "NoSuchBucket"
}

/// What one of the five reading calls answered.
enum Found<T> {
    Value(T),
    NotSet,
    NoBucket,
    Elsewhere(String),
    /// With what would be said if the bucket is the caller's; and whether AWS speaks of a missing permission.
    Denied(Error, bool),
}

fn sort<T, E>(place: &Place, action: &str, not_set: &str, answer: Result<T, SdkError<E>>) -> Result<Found<T>>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let error = match answer {
        Ok(value) => return Ok(Found::Value(value)),
        Err(error) => error,
    };
    if let Some(region) = other_region(place, &error) {
        return Ok(Found::Elsewhere(region));
    }
    match code(&error) {
        Some("NoSuchBucket") => Ok(Found::NoBucket),
        Some(code) if code == not_set => Ok(Found::NotSet),
        Some(code) if is_denied(code) => {
            let names_permission = text(&error).unwrap_or_default().contains("not authorized to perform");
            Ok(Found::Denied(failure(&place.label(), action, error), names_permission))
        }
        Some(_) | None => Err(failure(&place.label(), action, error)),
    }
}

/// Returns the region that S3 sends the caller to, if it is another one.
fn other_region<E>(place: &Place, error: &SdkError<E>) -> Option<String> {
    let raw = error.raw_response()?;
    let region = raw.headers().get("x-amz-bucket-region")?;
    let is_redirect = matches!(raw.status().as_u16(), 301 | 307 | 400);
    (is_redirect && region != place.region).then(|| region.to_owned())
}

fn status<E>(error: &SdkError<E, HttpResponse>) -> Option<u16> {
    Some(error.raw_response()?.status().as_u16())
}

async fn read_managed(session: &Session, names: &Names) -> Result<Read<BucketSettings>> {
    let place = Place::of(session, names).await?;
    let looked = match look(&place).await? {
        Looked::Elsewhere(region) => {
            let there = place.in_region(region);
            match look(&there).await? {
                Looked::Elsewhere(region) => {
                    return Err(Error::failed(format!(
                        "{}: S3 sends from {} to {region}",
                        place.label(),
                        there.region
                    )));
                }
                looked @ (Looked::Absent | Looked::There(_)) => looked,
            }
        }
        looked @ (Looked::Absent | Looked::There(_)) => looked,
    };
    let (tags, mut settings) = match looked {
        Looked::There(found) => *found,
        Looked::Absent | Looked::Elsewhere(_) => return Ok(Read::Absent),
    };
    let owner = Owner::from_tags(&tags, &names.stack, &names.region);
    // The policy is written last, so one more call is spent on a half-made bucket alone.
    if owner == Owner::Ours && settings.policy.is_empty() {
        let first = list_versions(&place, Marker::default(), Some(1)).await?;
        settings.holds_nothing = first.is_some_and(|page| page.keys.is_empty());
    }
    Ok(Read::Present(Box::new(Observed {
        settings,
        facts: BucketFacts::default(),
        tags,
        owner,
        condition: Condition::Settled,
    })))
}

enum Looked {
    Absent,
    Elsewhere(String),
    There(Box<(BTreeMap<String, String>, BucketSettings)>),
}

/// Asks for everything at once; five calls, one round trip.
async fn look(place: &Place) -> Result<Looked> {
    let Place { client, region, name, owner } = place;
    let (tags, encryption, public, policy, lifecycle) = tokio::join!(
        client.get_bucket_tagging().bucket(name).expected_bucket_owner(owner).send(),
        client.get_bucket_encryption().bucket(name).expected_bucket_owner(owner).send(),
        client.get_public_access_block().bucket(name).expected_bucket_owner(owner).send(),
        client.get_bucket_policy().bucket(name).expected_bucket_owner(owner).send(),
        client.get_bucket_lifecycle_configuration().bucket(name).expected_bucket_owner(owner).send(),
    );
    let tags = sort(place, "s3:GetBucketTagging", "NoSuchTagSet", tags)?;
    if let Found::NoBucket = tags {
        return Ok(Looked::Absent);
    }
    let encryption =
        sort(place, "s3:GetEncryptionConfiguration", "ServerSideEncryptionConfigurationNotFoundError", encryption)?;
    let public = sort(place, "s3:GetBucketPublicAccessBlock", "NoSuchPublicAccessBlockConfiguration", public)?;
    let policy = sort(place, "s3:GetBucketPolicy", "NoSuchBucketPolicy", policy)?;
    let lifecycle = sort(place, "s3:GetLifecycleConfiguration", "NoSuchLifecycleConfiguration", lifecycle)?;
    // S3 answers a name of another account and a missing permission alike, but only the latter names the action, and
    // it seldom hits all five.
    let are_bare = [
        tags.is_bare_denial(),
        encryption.is_bare_denial(),
        public.is_bare_denial(),
        policy.is_bare_denial(),
        lifecycle.is_bare_denial(),
    ];
    if are_bare == [true; 5] {
        let label = place.label();
        let error = Error::refused(format!("{label}: it is another account's, or this caller may not look at it"));
        return Err(error
            .hint("if it is another account's: bucket names are global, choose another `bucket.name`")
            .hint(
                "if it is this account's: allow s3:GetBucketTagging, s3:GetEncryptionConfiguration, \
             s3:GetBucketPublicAccessBlock, s3:GetBucketPolicy and s3:GetLifecycleConfiguration to the caller",
            ));
    }
    let redirect = [
        tags.other_region(),
        encryption.other_region(),
        public.other_region(),
        policy.other_region(),
        lifecycle.other_region(),
    ];
    if let Some(region) = redirect.into_iter().flatten().next() {
        return Ok(Looked::Elsewhere(region));
    }
    let (((tags, encryption), (public, policy)), lifecycle) = both(
        both(both(tags.settled(), encryption.settled()), both(public.settled(), policy.settled())),
        lifecycle.settled(),
    )?;
    let tags = tags.map(|answer| tag_map(answer.tag_set)).unwrap_or_default();
    let policy = match policy.and_then(|answer| answer.policy) {
        Some(text) => policy::own_statements(&text).map_err(|error| error.context(place.label()))?,
        None => BTreeMap::new(),
    };
    let encryption = encryption.and_then(|answer| answer.server_side_encryption_configuration);
    let settings = BucketSettings {
        region: region.clone(),
        public_access_blocked: public
            .and_then(|answer| answer.public_access_block_configuration)
            .is_some_and(|switches| is_blocked(&switches)),
        encryption: read_encryption(encryption.as_ref()),
        policy,
        lifecycle: lifecycle.and_then(|answer| answer.rules).unwrap_or_default().iter().filter_map(own_rule).collect(),
        holds_nothing: false,
    };
    Ok(Looked::There(Box::new((tags, settings))))
}

impl<T> Found<T> {
    fn is_bare_denial(&self) -> bool {
        matches!(self, Self::Denied(_, false))
    }

    fn other_region(&self) -> Option<String> {
        match self {
            Self::Elsewhere(region) => Some(region.clone()),
            Self::Value(_) | Self::NotSet | Self::NoBucket | Self::Denied(_, _) => None,
        }
    }

    fn settled(self) -> Result<Option<T>> {
        match self {
            Self::Value(value) => Ok(Some(value)),
            Self::NotSet | Self::NoBucket | Self::Elsewhere(_) => Ok(None),
            Self::Denied(error, _) => Err(error),
        }
    }
}

/// Asks no more than where an existing bucket is. It may belong to another account, and that the caller may not look
/// into it says nothing about Firehose's role.
async fn read_existing(session: &Session, names: &Names) -> Result<Read<BucketSettings>> {
    let place = Place::of(session, names).await?;
    let (region, unchecked) = match place.client.head_bucket().bucket(&place.name).send().await {
        Ok(answer) => (answer.bucket_region.unwrap_or_else(|| place.region.clone()), None),
        Err(error) => {
            let header = |raw: &HttpResponse| raw.headers().get("x-amz-bucket-region").map(ToOwned::to_owned);
            let region = error.raw_response().and_then(header);
            match (status(&error), region) {
                (Some(404), _) => return Ok(Read::Absent),
                (Some(403), region) => (
                    region.unwrap_or_else(|| place.region.clone()),
                    Some(
                        "S3 answers 403 to the caller (s3:ListBucket), so nobody looked whether it is there".to_owned(),
                    ),
                ),
                (Some(_), Some(region)) => (region, None),
                (_, _) => return Err(failure(&place.label(), "s3:ListBucket", error)),
            }
        }
    };
    Ok(Read::Present(Box::new(Observed {
        settings: BucketSettings {
            region,
            public_access_blocked: false,
            encryption: read_encryption(None),
            policy: BTreeMap::new(),
            lifecycle: BTreeMap::new(),
            holds_nothing: false,
        },
        facts: BucketFacts { contents: None, unchecked },
        tags: BTreeMap::new(),
        owner: Owner::Nobody,
        condition: Condition::Settled,
    })))
}

fn is_blocked(switches: &PublicAccessBlockConfiguration) -> bool {
    let PublicAccessBlockConfiguration {
        block_public_acls,
        ignore_public_acls,
        block_public_policy,
        restrict_public_buckets,
        ..
    } = switches;
    [block_public_acls, ignore_public_acls, block_public_policy, restrict_public_buckets]
        .into_iter()
        .all(|switch| *switch == Some(true))
}

fn read_encryption(configuration: Option<&ServerSideEncryptionConfiguration>) -> BucketEncryption {
    let default = configuration
        .and_then(|configuration| configuration.rules().first())
        .and_then(ServerSideEncryptionRule::apply_server_side_encryption_by_default);
    match default {
        Some(default) => BucketEncryption {
            algorithm: default.sse_algorithm().as_str().to_owned(),
            kms_key: default.kms_master_key_id().map(ToOwned::to_owned),
        },
        None => BucketEncryption { algorithm: "none".to_owned(), kms_key: None },
    }
}

fn own_rule(rule: &S3Rule) -> Option<(String, LifecycleRule)> {
    let id = rule.id().filter(|id| id.starts_with(OWN_PREFIX))?;
    let filter = rule.filter();
    #[expect(deprecated, reason = "older tools write the prefix of a rule beside its filter")]
    let prefix = filter
        .and_then(|filter| filter.prefix().or_else(|| filter.and().and_then(|and| and.prefix())))
        .or_else(|| rule.prefix())
        .unwrap_or_default();
    let mut read = LifecycleRule { prefix: prefix.to_owned(), ..LifecycleRule::default() };
    // A rule that somebody switched off does nothing.
    if *rule.status() == ExpirationStatus::Enabled {
        let days = |days: Option<i32>| days.and_then(|days| u32::try_from(days).ok());
        read.expire_days = days(rule.expiration().and_then(LifecycleExpiration::days));
        read.expire_noncurrent_days =
            days(rule.noncurrent_version_expiration().and_then(NoncurrentVersionExpiration::noncurrent_days));
        read.abort_uploads_days = days(
            rule.abort_incomplete_multipart_upload().and_then(AbortIncompleteMultipartUpload::days_after_initiation),
        );
    }
    Some((id.to_owned(), read))
}

fn s3_rule(id: &str, rule: &LifecycleRule) -> Result<S3Rule> {
    let LifecycleRule { prefix, expire_days, expire_noncurrent_days, abort_uploads_days } = rule;
    let days = |days: u32| i32::try_from(days).unwrap_or(i32::MAX);
    S3Rule::builder()
        .id(id)
        .status(ExpirationStatus::Enabled)
        .filter(LifecycleRuleFilter::builder().prefix(prefix).build())
        .set_expiration(expire_days.map(|expire| LifecycleExpiration::builder().days(days(expire)).build()))
        .set_noncurrent_version_expiration(
            expire_noncurrent_days
                .map(|expire| NoncurrentVersionExpiration::builder().noncurrent_days(days(expire)).build()),
        )
        .set_abort_incomplete_multipart_upload(
            abort_uploads_days
                .map(|abort| AbortIncompleteMultipartUpload::builder().days_after_initiation(days(abort)).build()),
        )
        .build()
        .map_err(|error| Error::failed(format!("lifecycle rule {id}: {error}")))
}

async fn get_tags(session: &Session, place: &Place) -> Result<BTreeMap<String, String>> {
    let get = place.client.get_bucket_tagging().bucket(&place.name).expected_bucket_owner(&place.owner);
    match until_settled(session, is_passing_on_a_new_bucket, || get.clone().send()).await {
        Ok(answer) => Ok(tag_map(answer.tag_set)),
        Err(error) if code(&error) == Some("NoSuchTagSet") => Ok(BTreeMap::new()),
        Err(error) => Err(failure(&place.label(), "s3:GetBucketTagging", error)),
    }
}

fn tag_map(tags: Vec<Tag>) -> BTreeMap<String, String> {
    tags.into_iter().map(|tag| (tag.key, tag.value)).collect()
}

fn s3_tags(tags: BTreeMap<String, String>) -> Result<Vec<Tag>> {
    tags.into_iter()
        .map(|(key, value)| {
            Tag::builder().key(key).value(value).build().map_err(|error| Error::failed(format!("a tag: {error}")))
        })
        .collect()
}

/// PutBucketTagging replaces the whole set, so it is sent with all that others put there (CloudFormation's `aws:` tags
/// too, without which S3 refuses the call).
async fn write_tags(
    session: &Session,
    place: &Place,
    mut tags: BTreeMap<String, String>,
    wanted: &WantedTags,
) -> Result<()> {
    let (set, remove) = tag_changes(&tags, wanted);
    if set.is_empty() && remove.is_empty() {
        return Ok(());
    }
    tags.extend(set);
    for key in &remove {
        tags.remove(key);
    }
    let tagging = Tagging::builder()
        .set_tag_set(Some(s3_tags(tags)?))
        .build()
        .map_err(|error| Error::failed(format!("{}: tags: {error}", place.label())))?;
    let put =
        place.client.put_bucket_tagging().bucket(&place.name).expected_bucket_owner(&place.owner).tagging(tagging);
    until_settled(session, is_passing_on_a_new_bucket, || put.clone().send())
        .await
        .map_err(|error| failure(&place.label(), "s3:PutBucketTagging", error))?;
    Ok(())
}

async fn put_public_access_block(session: &Session, place: &Place, is_blocked: bool) -> Result<()> {
    let switches = PublicAccessBlockConfiguration::builder()
        .block_public_acls(is_blocked)
        .ignore_public_acls(is_blocked)
        .block_public_policy(is_blocked)
        .restrict_public_buckets(is_blocked)
        .build();
    let put = place
        .client
        .put_public_access_block()
        .bucket(&place.name)
        .expected_bucket_owner(&place.owner)
        .public_access_block_configuration(switches);
    until_settled(session, is_passing_on_a_new_bucket, || put.clone().send())
        .await
        .map_err(|error| failure(&place.label(), "s3:PutBucketPublicAccessBlock", error))?;
    Ok(())
}

async fn put_encryption(session: &Session, place: &Place, encryption: &BucketEncryption) -> Result<()> {
    let get = place.client.get_bucket_encryption().bucket(&place.name).expected_bucket_owner(&place.owner);
    let live = match until_settled(session, is_passing_on_a_new_bucket, || get.clone().send()).await {
        Ok(answer) => answer.server_side_encryption_configuration,
        Err(error) if code(&error) == Some("ServerSideEncryptionConfigurationNotFoundError") => None,
        Err(error) => return Err(failure(&place.label(), "s3:GetEncryptionConfiguration", error)),
    };
    if read_encryption(live.as_ref()) == *encryption {
        return Ok(());
    }
    let BucketEncryption { algorithm, kms_key } = encryption;
    let default = ServerSideEncryptionByDefault::builder()
        .sse_algorithm(ServerSideEncryption::from(algorithm.as_str()))
        .set_kms_master_key_id(kms_key.clone())
        .build()
        .map_err(|error| Error::failed(format!("{}: encryption: {error}", place.label())))?;
    let blocked = live.and_then(|live| live.rules.into_iter().next()).and_then(|rule| rule.blocked_encryption_types);
    let rule = ServerSideEncryptionRule::builder()
        .apply_server_side_encryption_by_default(default)
        // One data key for the bucket and not for each object: fewer calls to KMS, which are billed.
        .set_bucket_key_enabled(algorithm.starts_with("aws:kms").then_some(true))
        .set_blocked_encryption_types(blocked)
        .build();
    let configuration = ServerSideEncryptionConfiguration::builder()
        .rules(rule)
        .build()
        .map_err(|error| Error::failed(format!("{}: encryption: {error}", place.label())))?;
    let put = place
        .client
        .put_bucket_encryption()
        .bucket(&place.name)
        .expected_bucket_owner(&place.owner)
        .server_side_encryption_configuration(configuration);
    until_settled(session, is_passing_on_a_new_bucket, || put.clone().send())
        .await
        .map_err(|error| failure(&place.label(), "s3:PutEncryptionConfiguration", error))?;
    Ok(())
}

/// PutBucketLifecycleConfiguration replaces all rules, so it is sent with those of others.
async fn put_lifecycle(session: &Session, place: &Place, own: &BTreeMap<String, LifecycleRule>) -> Result<()> {
    let get = place.client.get_bucket_lifecycle_configuration().bucket(&place.name).expected_bucket_owner(&place.owner);
    let (rules, smallest_transition) =
        match until_settled(session, is_passing_on_a_new_bucket, || get.clone().send()).await {
            Ok(answer) => (answer.rules.unwrap_or_default(), answer.transition_default_minimum_object_size),
            Err(error) if code(&error) == Some("NoSuchLifecycleConfiguration") => (Vec::new(), None),
            Err(error) => return Err(failure(&place.label(), "s3:GetLifecycleConfiguration", error)),
        };
    let mut rules: Vec<S3Rule> =
        rules.into_iter().filter(|rule| !rule.id().is_some_and(|id| id.starts_with(OWN_PREFIX))).collect();
    for (id, rule) in own {
        rules.push(s3_rule(id, rule)?);
    }
    if rules.is_empty() {
        let delete = place.client.delete_bucket_lifecycle().bucket(&place.name).expected_bucket_owner(&place.owner);
        until_settled(session, is_passing_on_a_new_bucket, || delete.clone().send())
            .await
            .map_err(|error| failure(&place.label(), "s3:PutLifecycleConfiguration", error))?;
        return Ok(());
    }
    let configuration = BucketLifecycleConfiguration::builder()
        .set_rules(Some(rules))
        .build()
        .map_err(|error| Error::failed(format!("{}: lifecycle: {error}", place.label())))?;
    let put = place
        .client
        .put_bucket_lifecycle_configuration()
        .bucket(&place.name)
        .expected_bucket_owner(&place.owner)
        .set_transition_default_minimum_object_size(smallest_transition)
        .lifecycle_configuration(configuration);
    until_settled(session, is_passing_on_a_new_bucket, || put.clone().send())
        .await
        .map_err(|error| failure(&place.label(), "s3:PutLifecycleConfiguration", error))?;
    Ok(())
}

/// PutBucketPolicy replaces the whole document, so it is sent with the statements of others.
async fn put_policy(session: &Session, place: &Place, own: &BTreeMap<String, Value>) -> Result<()> {
    let get = place.client.get_bucket_policy().bucket(&place.name).expected_bucket_owner(&place.owner);
    let live = match until_settled(session, is_passing_on_a_new_bucket, || get.clone().send()).await {
        Ok(answer) => answer.policy,
        Err(error) if code(&error) == Some("NoSuchBucketPolicy") => None,
        Err(error) => return Err(failure(&place.label(), "s3:GetBucketPolicy", error)),
    };
    let merged = policy::with_own_statements(live.as_deref(), own).map_err(|error| error.context(place.label()))?;
    match merged {
        Some(text) => {
            let put =
                place.client.put_bucket_policy().bucket(&place.name).expected_bucket_owner(&place.owner).policy(text);
            until_settled(session, is_passing_on_a_new_bucket, || put.clone().send())
                .await
                .map_err(|error| failure(&place.label(), "s3:PutBucketPolicy", error))?;
        }
        None if live.is_some() => {
            let delete = place.client.delete_bucket_policy().bucket(&place.name).expected_bucket_owner(&place.owner);
            until_settled(session, is_passing_on_a_new_bucket, || delete.clone().send())
                .await
                .map_err(|error| failure(&place.label(), "s3:DeleteBucketPolicy", error))?;
        }
        None => {}
    }
    Ok(())
}

/// From where a listing of versions goes on.
#[derive(Clone, Debug, Default, PartialEq)]
struct Marker {
    key: Option<String>,
    version: Option<String>,
}

/// One page of a listing of versions.
struct Page {
    /// Versions and delete markers.
    keys: Vec<ObjectIdentifier>,
    objects: u64,
    bytes: u64,
    next: Option<Marker>,
}

/// Lists versions and delete markers; `None` when there is no such bucket.
async fn list_versions(place: &Place, from: Marker, most: Option<i32>) -> Result<Option<Page>> {
    let answer = place
        .client
        .list_object_versions()
        .encoding_type(EncodingType::Url)
        .bucket(&place.name)
        .expected_bucket_owner(&place.owner)
        .set_max_keys(most)
        .set_key_marker(from.key)
        .set_version_id_marker(from.version)
        .send()
        .await;
    let page = match answer {
        Ok(page) => page,
        Err(error) if code(&error) == Some("NoSuchBucket") => return Ok(None),
        Err(error) => return Err(failure(&place.label(), "s3:ListBucketVersions", error)),
    };
    let encoding = page.encoding_type.clone();
    let decoded = |key: Option<String>| key.map(|key| key_of(&key, encoding.as_ref()));
    let next = (page.is_truncated == Some(true))
        .then(|| Marker { key: decoded(page.next_key_marker.clone()), version: page.next_version_id_marker.clone() });
    let versions = page.versions.unwrap_or_default();
    let bytes = versions.iter().filter_map(|version| u64::try_from(version.size.unwrap_or_default()).ok()).sum();
    let objects = versions.len() as u64;
    let versions = versions.into_iter().map(|version| (version.key, version.version_id));
    let markers = page.delete_markers.unwrap_or_default().into_iter().map(|marker| (marker.key, marker.version_id));
    let keys = versions
        .chain(markers)
        .map(|(key, version)| {
            ObjectIdentifier::builder()
                .set_key(decoded(key))
                .set_version_id(version)
                .build()
                .map_err(|error| Error::failed(format!("{}: s3:ListBucketVersions: {error}", place.label())))
        })
        .collect::<Result<Vec<_>>>()?;
    Ok(Some(Page { keys, objects, bytes, next }))
}

/// How many deletions of up to 1,000 keys are under way at a time.
const DELETIONS_AT_ONCE: usize = 4;

/// Removes every version, delete marker and unfinished upload that is there now; returns how many, or `None` when there
/// is no such bucket. `before` is what earlier rounds removed, for the progress alone.
async fn empty(session: &Session, place: &Place, before: u64) -> Result<Option<u64>> {
    let mut removed = 0;
    let tell = |removed: u64| {
        if removed > 0 {
            let why = format!("emptying it; removed so far: {}", before + removed);
            session.waiting.progress.tell(Kind::Bucket, Event::Waiting { why, stage: None });
        }
    };
    let mut under_way = FuturesUnordered::new();
    let mut from = Some(Marker::default());
    while let Some(marker) = from {
        let Some(page) = list_versions(place, marker, None).await? else { return Ok(None) };
        let (in_one_call, one_by_one): (Vec<_>, Vec<_>) =
            page.keys.into_iter().partition(|identifier| fits_xml(identifier.key()));
        if !in_one_call.is_empty() {
            under_way.push(delete_objects(place, in_one_call));
        }
        for identifier in one_by_one {
            removed += delete_object(place, identifier).await?;
        }
        while under_way.len() >= DELETIONS_AT_ONCE {
            removed += under_way.next().await.unwrap_or(Ok(0))?;
            tell(removed);
        }
        from = page.next;
    }
    while let Some(now) = under_way.next().await {
        removed += now?;
        tell(removed);
    }
    removed += abort_uploads(place).await?;
    Ok(Some(removed))
}

/// Tells whether XML can hold a key, as the body of DeleteObjects has to.
fn fits_xml(key: &str) -> bool {
    !key.chars().any(
        |letter| matches!(letter, '\u{0}'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}'),
    )
}

async fn delete_object(place: &Place, identifier: ObjectIdentifier) -> Result<u64> {
    let delete = place.client.delete_object().bucket(&place.name).expected_bucket_owner(&place.owner);
    let delete = delete.key(identifier.key).set_version_id(identifier.version_id);
    delete.send().await.map_err(|error| {
        failure(&place.label(), "s3:DeleteObjectVersion", error)
            .hint_if_denied("allow s3:DeleteObject and s3:DeleteObjectVersion to the caller")
    })?;
    Ok(1)
}

async fn delete_objects(place: &Place, keys: Vec<ObjectIdentifier>) -> Result<u64> {
    let all = keys.len() as u64;
    let delete = Delete::builder()
        .set_objects(Some(keys))
        .quiet(true)
        .build()
        .map_err(|error| Error::failed(format!("{}: s3:DeleteObjects: {error}", place.label())))?;
    let answer = place
        .client
        .delete_objects()
        .bucket(&place.name)
        .expected_bucket_owner(&place.owner)
        .delete(delete)
        .send()
        .await
        .map_err(|error| failure(&place.label(), "s3:DeleteObjectVersion", error))?;
    let errors = answer.errors.unwrap_or_default();
    // What only failed for the moment is there in the next listing.
    let lasting = errors.iter().find(|error| {
        !matches!(error.code(), Some("InternalError" | "SlowDown" | "ServiceUnavailable" | "OperationAborted"))
    });
    match lasting {
        None => Ok(all - errors.len() as u64),
        Some(error) => {
            let code = error.code().unwrap_or("unknown error");
            let text = error.message().unwrap_or("no message");
            let message = format!(
                "{}: s3:DeleteObjectVersion: {code}: {text} ({} and {} others of {all})",
                place.label(),
                error.key().unwrap_or_default(),
                errors.len() - 1,
            );
            let kind = if is_denied(code) { ErrorKind::Denied } else { ErrorKind::Failed };
            Err(Error::new(kind, message).hint_if_denied(
                "allow s3:DeleteObject and s3:DeleteObjectVersion to the caller; an Object Lock lasts until its date",
            ))
        }
    }
}

async fn abort_uploads(place: &Place) -> Result<u64> {
    let mut aborted = 0;
    let mut key = None;
    let mut upload = None;
    loop {
        let answer = place
            .client
            .list_multipart_uploads()
            .encoding_type(EncodingType::Url)
            .bucket(&place.name)
            .expected_bucket_owner(&place.owner)
            .set_key_marker(key)
            .set_upload_id_marker(upload)
            .send()
            .await;
        let page = match answer {
            Ok(page) => page,
            Err(error) if code(&error) == Some("NoSuchBucket") => return Ok(aborted),
            Err(error) => return Err(failure(&place.label(), "s3:ListBucketMultipartUploads", error)),
        };
        let decoded = |key: Option<&str>| key.map(|key| key_of(key, page.encoding_type()));
        for upload in page.uploads() {
            let abort = place
                .client
                .abort_multipart_upload()
                .bucket(&place.name)
                .expected_bucket_owner(&place.owner)
                .set_key(decoded(upload.key()))
                .set_upload_id(upload.upload_id.clone())
                .send()
                .await;
            match abort {
                Err(error) if code(&error) != Some("NoSuchUpload") => {
                    return Err(failure(&place.label(), "s3:AbortMultipartUpload", error));
                }
                Ok(_) | Err(_) => aborted += 1,
            }
        }
        if page.is_truncated != Some(true) {
            return Ok(aborted);
        }
        key = decoded(page.next_key_marker());
        upload = page.next_upload_id_marker;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> BucketSettings {
        BucketSettings {
            region: "eu-west-1".to_owned(),
            public_access_blocked: true,
            encryption: BucketEncryption { algorithm: "AES256".to_owned(), kms_key: None },
            policy: policy::bucket_statements("arn:aws:s3:::b"),
            lifecycle: BTreeMap::from([("ekk-expiry".to_owned(), expiry(30))]),
            holds_nothing: false,
        }
    }

    fn expiry(days: u32) -> LifecycleRule {
        LifecycleRule { prefix: String::new(), expire_days: Some(days), ..LifecycleRule::default() }
    }

    fn hazard(verdict: &Verdict) -> Option<Hazard> {
        match verdict {
            Verdict::InPlaceWith(note) => Some(note.hazard),
            Verdict::InPlace => None,
            Verdict::Replace(_) | Verdict::Impossible(_) => panic!("{verdict:?}"),
        }
    }

    #[test]
    fn a_bucket_does_not_move_to_another_region() {
        let mut after = settings();
        after.region = "us-east-1".to_owned();
        let Verdict::Impossible(why) = BucketSettings::judge("/region", &settings(), &after) else { panic!() };
        assert!(why.contains("`bucket.name`"), "{why}");
    }

    #[test]
    fn access_is_widened_by_less_denial_and_by_more_permission() {
        let closed = settings();
        let mut open = settings();
        open.public_access_blocked = false;
        assert_eq!(hazard(&BucketSettings::judge("/public_access_blocked", &open, &closed)), None);
        assert_eq!(hazard(&BucketSettings::judge("/public_access_blocked", &closed, &open)), Some(Hazard::WidenAccess));

        let mut without = settings();
        without.policy.clear();
        assert_eq!(hazard(&BucketSettings::judge("/policy/ekkTlsOnly", &without, &closed)), None);
        assert_eq!(hazard(&BucketSettings::judge("/policy/ekkTlsOnly", &closed, &without)), Some(Hazard::WidenAccess));

        let mut narrower = settings();
        let denial = narrower.policy.get_mut("ekkTlsOnly").expect("a statement");
        denial["Action"] = serde_json::json!(["s3:GetObject"]);
        assert_eq!(hazard(&BucketSettings::judge("/policy/ekkTlsOnly/Action", &narrower, &closed)), None);
        assert_eq!(
            hazard(&BucketSettings::judge("/policy/ekkTlsOnly/Action", &closed, &narrower)),
            Some(Hazard::WidenAccess)
        );
    }

    #[test]
    fn a_changed_encryption_is_harmless() {
        let mut after = settings();
        after.encryption = BucketEncryption { algorithm: "aws:kms".to_owned(), kms_key: Some("k".to_owned()) };
        assert_eq!(BucketSettings::judge("/encryption/algorithm", &settings(), &after), Verdict::InPlace);
    }

    #[test]
    fn only_earlier_expiry_deletes_data() {
        let with = |rule: Option<LifecycleRule>| {
            let mut settings = settings();
            settings.lifecycle = rule.into_iter().map(|rule| ("ekk-expiry".to_owned(), rule)).collect();
            settings
        };
        let judge = |before: &BucketSettings, after: &BucketSettings| {
            hazard(&BucketSettings::judge("/lifecycle/ekk-expiry", before, after))
        };
        let (none, month, year) = (with(None), with(Some(expiry(30))), with(Some(expiry(365))));
        assert_eq!(judge(&none, &month), Some(Hazard::DeleteData));
        assert_eq!(judge(&year, &month), Some(Hazard::DeleteData));
        assert_eq!(judge(&month, &year), None);
        assert_eq!(judge(&month, &none), None);

        let mut of_some = expiry(30);
        of_some.prefix = "raw/".to_owned();
        assert_eq!(judge(&month, &with(Some(of_some.clone()))), None);
        assert_eq!(judge(&with(Some(of_some)), &month), Some(Hazard::DeleteData));

        let uploads = LifecycleRule { abort_uploads_days: Some(7), ..LifecycleRule::default() };
        assert_eq!(judge(&none, &with(Some(uploads))), None);

        let mut half_made = none;
        half_made.holds_nothing = true;
        assert_eq!(judge(&half_made, &month), None);
    }

    #[test]
    fn what_a_deletion_loses_is_counted_where_it_is_known() {
        let mut observed = Observed {
            settings: settings(),
            facts: BucketFacts::default(),
            tags: BTreeMap::new(),
            owner: Owner::Ours,
            condition: Condition::Settled,
        };
        let note = BucketSettings::hazard_of_deleting(&observed).expect("a hazard");
        assert_eq!(note.why, "every object, version and unfinished upload in it is deleted for good");
        observed.facts.contents = Some(Contents { objects: 3, bytes: 5 * 1024 * 1024 + 512 * 1024, is_capped: false });
        let note = BucketSettings::hazard_of_deleting(&observed).expect("a hazard");
        assert_eq!(
            note.why,
            "every object, version and unfinished upload in it is deleted for good (3 objects, 5.5 MiB)"
        );
        let many = Contents { objects: 10_000, bytes: 12, is_capped: true };
        assert_eq!(many.to_string(), "more than 10000 objects, 12 bytes");
    }

    #[test]
    fn an_existing_bucket_must_be_in_the_stacks_region() {
        let mut live = settings();
        live.region = "us-east-1".to_owned();
        let observed = Observed {
            settings: live,
            facts: BucketFacts::default(),
            tags: BTreeMap::new(),
            owner: Owner::Nobody,
            condition: Condition::Settled,
        };
        assert_eq!(
            BucketSettings::check_existing(&observed, &settings()),
            ["it is in us-east-1, and the stack is in eu-west-1"]
        );
    }

    #[test]
    fn a_rule_reads_back_as_it_was_written() {
        let rule = LifecycleRule {
            prefix: "raw/".to_owned(),
            expire_days: Some(30),
            expire_noncurrent_days: Some(7),
            abort_uploads_days: Some(3),
        };
        let written = s3_rule("ekk-expiry", &rule).expect("a rule");
        assert_eq!(own_rule(&written), Some(("ekk-expiry".to_owned(), rule.clone())));
        assert_eq!(own_rule(&s3_rule("theirs", &rule).expect("a rule")), None);

        let mut off = written;
        off.status = ExpirationStatus::Disabled;
        assert_eq!(own_rule(&off).map(|(_, rule)| rule.expire_days), Some(None));
    }
}
