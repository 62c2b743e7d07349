//! The OpenSearch Service domain. A domain is never replaced: what AWS cannot change in place is impossible here.

mod access;
mod judge;
mod progress;
mod refusal;
mod upgrade;
pub(crate) mod wire;

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;

use aws_sdk_opensearch::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_opensearch::types::{ConfigChangeStatus, DomainStatus, Tag};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use futures_util::future::{Either, join, select};
use serde::{Deserialize, Serialize};

use crate::aws::{self, Described, Session};
use crate::error::{Error, Result};
use crate::plan::{Step, Work};
use crate::policy::Document;
use crate::resource::domain::refusal::Attempts;
use crate::resource::{
    Condition, Goal, Hazard, HazardNote, Kind, Manage, Managed, Observed, Owner, Read, Readiness, Settings, Verdict,
    tag_changes, tags_to_set, within,
};
use crate::stack::Names;
use crate::wait::{self, Polling};

pub(crate) use progress::failure as validation_failure;
pub(crate) use refusal::is_busy;

/// The domain as ekk manages it. In change, these are the *requested* settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DomainSettings {
    /// `OpenSearch_X.Y` or `Elasticsearch_X.Y`. `None` is not managed: ekk chooses at creation and leaves it alone.
    pub engine_version: Option<String>,
    /// Nodes.
    pub cluster: Cluster,
    /// Storage of each data node.
    pub volume: Volume,
    /// Encryption at rest.
    pub encryption_at_rest: EncryptionAtRest,
    /// Whether traffic between nodes is encrypted.
    pub node_to_node_encryption: bool,
    /// The endpoint's rules.
    pub endpoint: EndpointOptions,
    /// The access policy, canonical; `None` where there is none.
    pub access_policy: Option<Document>,
}

/// Nodes of a domain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cluster {
    /// Such as `t3.small.search`.
    pub instance_type: String,
    /// Data nodes.
    pub instance_count: u32,
    /// 1 (no zone awareness), 2 or 3.
    pub availability_zones: u32,
    /// Dedicated masters.
    pub dedicated_masters: DedicatedMasters,
}

/// Dedicated master nodes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DedicatedMasters {
    /// Whether there are any.
    pub enabled: bool,
    /// Their instance type; `None` when there are none.
    pub instance_type: Option<String>,
    /// 3 or 5; `None` when there are none.
    pub count: Option<u32>,
}

/// EBS storage of each data node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Volume {
    /// False for instance-store types.
    pub enabled: bool,
    /// `gp3`, `gp2`, `io1` or `standard`.
    #[serde(rename = "type")]
    pub volume_type: Option<String>,
    /// Size in GiB.
    pub size_gib: Option<u32>,
    /// Provisioned IOPS; `None` is not managed.
    pub iops: Option<u32>,
    /// Throughput in MiB/s; `None` is not managed.
    pub throughput_mib: Option<u32>,
}

/// Encryption at rest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EncryptionAtRest {
    /// Whether it is on.
    pub enabled: bool,
    /// ARN of the KMS key; `None` is AWS's own key and not managed.
    pub kms_key: Option<String>,
}

/// The endpoint's rules.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EndpointOptions {
    /// Whether plain HTTP is refused.
    pub enforce_https: bool,
    /// Such as `Policy-Min-TLS-1-2-2019-07`.
    pub tls_policy: String,
}

/// What OpenSearch Service assigns.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct DomainFacts {
    /// The ARN.
    pub arn: String,
    /// The live engine version, whether it is managed or not.
    pub engine_version: String,
    /// The endpoint without a scheme; may carry a port and a path. `None` while there is none yet.
    pub endpoint: Option<String>,
}

impl Settings for DomainSettings {
    const KIND: Kind = Kind::Domain;

    type Facts = DomainFacts;

    fn judge(pointer: &str, before: &Self, after: &Self) -> Verdict {
        judge::judge(pointer, before, after)
    }

    fn hazard_of_deleting(_observed: &Observed<Self>) -> Option<HazardNote> {
        Some(HazardNote::new(Hazard::DeleteData, "all documents and the automated snapshots are gone for good"))
    }

    fn work(step: Step<Self>) -> Work {
        Work::Domain(step)
    }
}

impl Manage for DomainSettings {
    async fn read(session: &Session, names: &Names) -> Result<Read<Self>> {
        let name = session.name(&names.domain).await?;
        let (described, tags) = described_with_tags(session, &name).await?;
        let Some(status) = described else { return Ok(Read::Absent) };
        let label = label(&name);
        let in_force = wire::settings(&status).map_err(|error| error.context(&label))?;
        let condition = progress::condition(&status);
        let settings = match condition {
            // While it is being made, a domain is described as it was asked for.
            Condition::Changing(_) if wire::endpoint(&status).is_some() => requested(session, &name, in_force).await?,
            Condition::Changing(_) | Condition::Settled | Condition::Deleting | Condition::Broken(_) => in_force,
        };
        let owner = Owner::from_tags(&tags, &names.stack, &names.region);
        Ok(Read::Present(Box::new(Observed { settings, facts: wire::facts(&status), tags, owner, condition })))
    }

    async fn create(session: &Session, names: &Names, after: &Managed<Self>) -> Result<()> {
        let name = session.name(&names.domain).await?;
        let label = label(&name);
        let Managed { settings, tags } = after;
        let groups = wire::Groups::all(settings);
        let tags = tag_list(&label, &tags_to_set(tags))?;
        let engine = settings.engine_version.as_deref().unwrap_or(PROVED_ENGINE);
        let mut attempts = Attempts::new(session, &name, "es:CreateDomain");
        loop {
            let call = groups.create(&session.aws.opensearch, &name).engine_version(engine);
            match call.set_tag_list(Some(tags.clone())).send().await {
                // The old domain of that name, on its way out.
                Ok(answer) if answer.domain_status().is_some_and(|status| status.deleted == Some(true)) => {
                    attempts.wait(refusal::STILL_DELETED).await?;
                }
                Ok(_) => break,
                // AWS returns the existing domain instead; other servers tell.
                Err(error) if aws::code(&error) == Some("ResourceAlreadyExistsException") => break,
                Err(error) => attempts.again(error).await?,
            }
        }
        is_ours(session, names, &name).await
    }

    async fn update(
        session: &Session,
        names: &Names,
        before: &Observed<Self>,
        after: &Managed<Self>,
        pointers: &[String],
    ) -> Result<()> {
        let name = session.name(&names.domain).await?;
        write_tags(session, &name, before, after).await?;
        change(session, &name, &after.settings, pointers).await?;
        match &after.settings.engine_version {
            Some(target) if pointers.iter().any(|pointer| within(pointer, "/engine_version")) => {
                upgrade::upgrade(session, &name, target).await
            }
            Some(_) | None => Ok(()),
        }
    }

    async fn delete(session: &Session, names: &Names, _before: &Observed<Self>) -> Result<()> {
        let name = session.name(&names.domain).await?;
        let mut attempts = Attempts::new(session, &name, "es:DeleteDomain");
        loop {
            match session.aws.opensearch.delete_domain().domain_name(&name).send().await {
                Ok(_) => return Ok(()),
                Err(error) if is_missing(&error) => return Ok(()),
                Err(error) => attempts.again(error).await?,
            }
        }
    }

    async fn readiness(session: &Session, names: &Names, goal: Goal) -> Result<Readiness> {
        let name = session.name(&names.domain).await?;
        match goal {
            Goal::InForce => in_force(session, &name).await,
            Goal::Gone => gone(session, &name).await,
        }
    }
}

/// Reads condition and facts out of a description.
#[must_use]
pub fn described(status: &DomainStatus) -> (Condition, DomainFacts) {
    (progress::condition(status), wire::facts(status))
}

/// The engine of a new domain where the file names none: the newest that this release was proved with.
pub const PROVED_ENGINE: &str = "OpenSearch_2.19";

/// How often a missing domain must be missing before it is believed: what OpenSearch Service knows of a domain lives in
/// more than one place, and an answer may be stale (Terraform's provider learnt the same).
const BELIEVED_AFTER: u32 = 3;

fn label(name: &str) -> String {
    format!("domain {name}")
}

/// Describes the domain and lists its tags, two round trips deep at most: the ARN that ListTags needs comes from the
/// description or from the caller's identity, whichever is known first.
async fn described_with_tags(session: &Session, name: &str) -> Result<(Described, BTreeMap<String, String>)> {
    let described = pin!(session.domain(name));
    let target = pin!(session.target());
    match select(described, target).await {
        Either::Left((described, target)) => {
            // Polled on in each case, because others may wait for the very call that is under way here.
            let Some(status) = described? else {
                drop(target.await);
                return Ok((None, BTreeMap::new()));
            };
            let (tags, _) = join(tags(session, name, status.arn()), target).await;
            Ok((Some(Arc::clone(&status)), tags?))
        }
        Either::Right((target, described)) => {
            let arn = target?.domain_arn(name);
            let (tags, described) = join(tags(session, name, &arn), described).await;
            match described? {
                Some(status) => Ok((Some(status), tags?)),
                None => Ok((None, BTreeMap::new())),
            }
        }
    }
}

/// Lists tags; a domain that is not there, or not yet, has none.
async fn tags(session: &Session, name: &str, arn: &str) -> Result<BTreeMap<String, String>> {
    match session.aws.opensearch.list_tags().arn(arn).send().await {
        Ok(answer) => Ok(answer.tag_list().iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect()),
        Err(error) if is_missing(&error) => Ok(BTreeMap::new()),
        Err(error) => Err(aws::failure(&label(name), "es:ListTags", error)),
    }
}

async fn requested(session: &Session, name: &str, in_force: DomainSettings) -> Result<DomainSettings> {
    match session.aws.opensearch.describe_domain_config().domain_name(name).send().await {
        Ok(answer) => match answer.domain_config() {
            Some(config) => wire::requested(in_force, config).map_err(|error| error.context(label(name))),
            None => Ok(in_force),
        },
        Err(error) if is_missing(&error) => Ok(in_force),
        Err(error) => Err(aws::failure(&label(name), "es:DescribeDomainConfig", error)),
    }
}

fn tag_list(label: &str, tags: &BTreeMap<String, String>) -> Result<Vec<Tag>> {
    tags.iter()
        .map(|(key, value)| {
            Tag::builder()
                .key(key)
                .value(value)
                .build()
                .map_err(|error| Error::failed(format!("{label}: tag {key}: {error}")))
        })
        .collect()
}

/// Makes sure that the domain which CreateDomain answered with is the one it made: for a name that is taken, AWS
/// returns the existing domain and reports no error.
async fn is_ours(session: &Session, names: &Names, name: &str) -> Result<()> {
    let arn = session.target().await?.domain_arn(name);
    for attempt in 0.. {
        match Owner::from_tags(&tags(session, name, &arn).await?, &names.stack, &names.region) {
            Owner::Ours => break,
            // Tags may take a moment to show.
            Owner::Nobody if attempt < BELIEVED_AFTER => wait::pause(&session.waiting, attempt).await,
            owner @ (Owner::Nobody | Owner::Other { .. }) => {
                let whose = match owner {
                    Owner::Other { stack, region } => format!("stack {stack} in {region}"),
                    Owner::Nobody | Owner::Ours => "nobody that its tags name".to_owned(),
                };
                return Err(Error::failed(format!(
                    "{}: es:CreateDomain: a domain of this name was made in the meantime and belongs to {whose}; \
                     nothing of it was changed",
                    label(name)
                ))
                .hint("give the domain another `name`, or look at it and run again with --adopt=domain"));
            }
        }
    }
    // Until the new domain shows, it would be taken for one that was deleted.
    for attempt in 0..SHOWS_AFTER {
        if session.ask_domain(name).await?.is_some() {
            return Ok(());
        }
        wait::pause(&session.waiting, attempt).await;
    }
    Ok(())
}

/// How often a write is looked for before it is taken as done unseen; about 40 s on AWS.
const SHOWS_AFTER: u32 = 10;

async fn write_tags(
    session: &Session,
    name: &str,
    before: &Observed<DomainSettings>,
    after: &Managed<DomainSettings>,
) -> Result<()> {
    let (set, remove) = tag_changes(&before.tags, &after.tags);
    let label = label(name);
    let client = &session.aws.opensearch;
    if !set.is_empty() {
        let tags = tag_list(&label, &set)?;
        let call = client.add_tags().arn(&before.facts.arn).set_tag_list(Some(tags));
        call.send().await.map_err(|error| aws::failure(&label, "es:AddTags", error))?;
    }
    if !remove.is_empty() {
        let call = client.remove_tags().arn(&before.facts.arn).set_tag_keys(Some(remove));
        call.send().await.map_err(|error| aws::failure(&label, "es:RemoveTags", error))?;
    }
    Ok(())
}

/// Sends the one UpdateDomainConfig, and returns once AWS has begun to apply it or has refused it.
async fn change(session: &Session, name: &str, after: &DomainSettings, pointers: &[String]) -> Result<()> {
    let mut attempts = Attempts::new(session, name, "es:UpdateDomainConfig");
    let answer = loop {
        // Anew each time: what is taken over from the live domain may be another after the change that is waited for.
        let live = session.domain(name).await?;
        let groups = wire::Groups::changed(after, pointers, live.as_deref());
        if groups.is_empty() {
            return Ok(());
        }
        match groups.update(&session.aws.opensearch, name).send().await {
            Ok(answer) => break answer,
            Err(error) => attempts.again(error).await?,
        }
    };
    let change = answer.domain_config().and_then(|config| config.change_progress_details());
    let Some(id) = change.and_then(|change| change.change_id()) else { return Ok(()) };
    // A description from before the change would pass for "in force", so the change is waited for until it shows, and
    // on until it is validated: afterwards a failure is no longer to be told from that of an older change.
    let mut polling = Polling::new(&session.waiting, Kind::Domain, name);
    let mut unseen = 0;
    while !polling.is_ready(begun(session, name, id, &mut unseen).await?).await? {}
    Ok(())
}

/// Tells whether a change shows and is validated; `unseen` counts how often it did not show.
async fn begun(session: &Session, name: &str, id: &str, unseen: &mut u32) -> Result<Readiness> {
    let Some(status) = session.ask_domain(name).await? else {
        return Ok(Readiness::Failed("was deleted while it was being changed".to_owned()));
    };
    let Some(shown) = status.change_progress_details().filter(|shown| shown.change_id() == Some(id)) else {
        *unseen += 1;
        return Ok(if *unseen > SHOWS_AFTER {
            Readiness::Ready
        } else {
            Readiness::pending("waiting for the change to begin")
        });
    };
    match shown.config_change_status() {
        Some(ConfigChangeStatus::Pending | ConfigChangeStatus::Initializing | ConfigChangeStatus::Validating) => {
            Ok(Readiness::pending("validating the change"))
        }
        Some(ConfigChangeStatus::ValidationFailed | ConfigChangeStatus::Cancelled) => {
            Ok(progress::of_failed(session, name, &status).await)
        }
        Some(_) | None => Ok(Readiness::Ready),
    }
}

async fn in_force(session: &Session, name: &str) -> Result<Readiness> {
    for attempt in 0..BELIEVED_AFTER {
        if let Some(status) = session.ask_domain(name).await? {
            return Ok(progress::readiness(session, name, &status).await);
        }
        wait::pause(&session.waiting, attempt).await;
    }
    Ok(Readiness::Failed("is not there any more".to_owned()))
}

async fn gone(session: &Session, name: &str) -> Result<Readiness> {
    for attempt in 0..BELIEVED_AFTER {
        if attempt > 0 {
            wait::pause(&session.waiting, attempt).await;
        }
        if session.ask_domain(name).await?.is_some() {
            return Ok(Readiness::pending("deleting"));
        }
        match session.aws.opensearch.describe_domain_config().domain_name(name).send().await {
            Ok(_) => return Ok(Readiness::pending("deleting")),
            Err(error) if is_missing(&error) => {}
            Err(error) => return Err(aws::failure(&label(name), "es:DescribeDomainConfig", error)),
        }
    }
    Ok(Readiness::Ready)
}

/// Tells whether AWS answered that there is no such domain. OpenSearch Service answers 409 then, so the code counts.
fn is_missing<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    aws::code(error) == Some("ResourceNotFoundException")
}

#[cfg(test)]
pub(crate) mod tests {
    use aws_sdk_opensearch::types::DomainProcessingStatusType;

    use super::*;
    use crate::policy;

    /// The article's domain.
    pub(crate) fn settings() -> DomainSettings {
        DomainSettings {
            engine_version: Some("OpenSearch_2.19".to_owned()),
            cluster: Cluster {
                instance_type: "t3.small.search".to_owned(),
                instance_count: 1,
                availability_zones: 1,
                dedicated_masters: DedicatedMasters { enabled: false, instance_type: None, count: None },
            },
            volume: Volume {
                enabled: true,
                volume_type: Some("gp3".to_owned()),
                size_gib: Some(10),
                iops: None,
                throughput_mib: None,
            },
            encryption_at_rest: EncryptionAtRest { enabled: true, kms_key: None },
            node_to_node_encryption: true,
            endpoint: EndpointOptions { enforce_https: true, tls_policy: "Policy-Min-TLS-1-2-2019-07".to_owned() },
            access_policy: Some(
                policy::parse(
                    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow",
                    "Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":"es:ESHttp*",
                    "Resource":"arn:aws:es:eu-west-1:123456789012:domain/logs/*"}]}"#,
                )
                .expect("a policy"),
            ),
        }
    }

    /// A domain as it is described once it is idle.
    pub(crate) fn status() -> DomainStatus {
        DomainStatus::builder()
            .domain_id("123456789012/logs")
            .domain_name("logs")
            .arn("arn:aws:es:eu-west-1:123456789012:domain/logs")
            .engine_version("OpenSearch_2.19")
            .endpoint("search-logs-x.eu-west-1.es.amazonaws.com")
            .processing(false)
            .upgrade_processing(false)
            .domain_processing_status(DomainProcessingStatusType::Active)
            .build()
            .expect("a whole status")
    }
}
