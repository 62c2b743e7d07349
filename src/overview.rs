//! All stacks of an account and region, each with its state: what carries the tags, then streams and domains described,
//! then the clusters asked for their health. Three round trips deep, whatever the number of stacks. Reads only.

use std::collections::BTreeMap;

use aws_sdk_opensearch::types::DomainStatus;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

use crate::aws::{Session, failure};
use crate::error::{ErrorKind, Result};
use crate::opensearch::DataPlane;
use crate::render::{Life, StackOverview};
use crate::resource::stream::StreamSettings;
use crate::resource::{Condition, Kind, domain, stream as delivery};
use crate::tagged::{self, Tagged, Which};

/// The most domains of one DescribeDomains; the service refuses a sixth.
const DOMAINS_AT_ONCE: usize = 5;
/// DescribeDeliveryStream takes one name, and five calls a second (Firehose quotas).
const CALLS_AT_ONCE: usize = 5;

/// Reads the state of every stack, sorted by name.
///
/// # Errors
/// Fails as tag:GetResources, es:DescribeDomains and firehose:DescribeDeliveryStream do. A cluster that does not tell its
/// health is no failure.
pub async fn all(session: &Session) -> Result<Vec<StackOverview>> {
    let stacks = Box::pin(tagged::stacks(session, Which::All)).await?;
    let of = |kind: Kind| -> Vec<String> {
        stacks.values().flatten().filter(|one| one.kind == kind).map(|one| one.name.clone()).collect()
    };
    let (streams, domains) = futures_util::try_join!(
        Box::pin(streams(session, of(Kind::Stream))),
        Box::pin(domains(session, of(Kind::Domain)))
    )?;
    let health = health(session, &domains).await;
    Ok(stacks.iter().map(|(stack, carriers)| overview(stack, carriers, &streams, &domains, &health, session)).collect())
}

/// Each stream that is there; one that this caller may not look at with AWS's words.
type Streams = BTreeMap<String, Result<(Condition, StreamSettings), String>>;

async fn streams(session: &Session, names: Vec<String>) -> Result<Streams> {
    let described = stream::iter(names.into_iter().map(async |name| {
        match Box::pin(delivery::described(session, &name)).await {
            Ok(found) => Ok(found.map(|found| (name, Ok(found)))),
            // Of one stack's reader; the other stacks are none of its business.
            Err(error) if error.kind == ErrorKind::Denied => Ok(Some((name, Err(error.message)))),
            Err(error) => Err(error),
        }
    }));
    Ok(described.buffer_unordered(CALLS_AT_ONCE).try_collect::<Vec<_>>().await?.into_iter().flatten().collect())
}

async fn domains(session: &Session, names: Vec<String>) -> Result<BTreeMap<String, DomainStatus>> {
    let chunks: Vec<Vec<String>> = names.chunks(DOMAINS_AT_ONCE).map(<[String]>::to_vec).collect();
    let described = stream::iter(chunks.into_iter().map(async |names| {
        let request = session.aws.opensearch.describe_domains().set_domain_names(Some(names));
        request.send().await.map_err(|error| failure("domains", "es:DescribeDomains", error))
    }));
    let answers: Vec<_> = described.buffer_unordered(CALLS_AT_ONCE).try_collect().await?;
    let found = answers.into_iter().flat_map(|answer| answer.domain_status_list);
    Ok(found.map(|status| (status.domain_name().to_owned(), status)).collect())
}

async fn health(session: &Session, domains: &BTreeMap<String, DomainStatus>) -> BTreeMap<String, String> {
    let asked = stream::iter(domains.iter().map(async |(name, status)| {
        let plane = DataPlane::at(session, status).ok()?;
        Some((name.clone(), Box::pin(plane.health()).await.ok()?))
    }));
    asked.buffer_unordered(CALLS_AT_ONCE).collect::<Vec<_>>().await.into_iter().flatten().collect()
}

fn overview(
    stack: &str,
    carriers: &[Tagged],
    streams: &Streams,
    domains: &BTreeMap<String, DomainStatus>,
    health: &BTreeMap<String, String>,
    session: &Session,
) -> StackOverview {
    let of = |kind: Kind| -> Vec<String> {
        carriers.iter().filter(|one| one.kind == kind).map(|one| one.name.clone()).collect()
    };
    let stream_names = of(Kind::Stream);
    let found = stream_names.iter().find_map(|name| Some((name.clone(), streams.get(name)?)));
    let denied = found.as_ref().and_then(|(_, stream)| stream.as_ref().err());
    let stream = found.as_ref().and_then(|(name, stream)| Some((name.clone(), stream.as_ref().ok()?)));
    // The stream says which domain counts; without one, the only one that carries the tags.
    let delivered = stream.as_ref().and_then(|(_, (_, settings))| settings.domain_arn.split_once(":domain/"));
    let domain_name = delivered.map(|(_, name)| name.to_owned()).or_else(|| of(Kind::Domain).into_iter().next());
    let domain = domain_name.as_ref().and_then(|name| domains.get(name));
    let described = domain.map(domain::described);
    let scheme = match session.aws.domain_scheme {
        crate::aws::DomainScheme::Https => "https",
        crate::aws::DomainScheme::Http => "http",
    };
    let facts = described.as_ref().map(|(_, facts)| facts);
    StackOverview {
        stack: stack.to_owned(),
        life: match denied {
            Some(why) => Life::Unknown(why.clone()),
            None => life(stream.as_ref().map(|(_, (condition, _))| condition), described.as_ref().map(|(one, _)| one)),
        },
        health: domain_name.as_ref().and_then(|name| health.get(name)).cloned(),
        engine_version: facts.map(|facts| facts.engine_version.clone()),
        endpoint: facts.and_then(|facts| facts.endpoint.as_ref()).map(|endpoint| format!("{scheme}://{endpoint}")),
        stream: stream.as_ref().map(|(name, _)| name.clone()),
        index: stream.as_ref().map(|(_, (_, settings))| settings.index.clone()),
        rotation: stream.as_ref().map(|(_, (_, settings))| settings.rotation.clone()),
        domain: domain.and(domain_name),
        buckets: of(Kind::Bucket),
    }
}

/// Judges what carries the tags and is really there; the tags of what was deleted show for a while.
fn life(stream: Option<&Condition>, domain: Option<&Condition>) -> Life {
    let (stream, domain) = match (stream, domain) {
        (Some(stream), Some(domain)) => (stream, domain),
        (Some(_), None) => return Life::HalfMade("no domain".to_owned()),
        (None, Some(Condition::Changing(why))) => return Life::Changing(format!("domain {why}")),
        (None, Some(Condition::Deleting)) => return Life::Deleting,
        (None, Some(Condition::Settled)) => return Life::HalfMade("no stream".to_owned()),
        (None, Some(Condition::Broken(why))) => return Life::Broken(format!("domain {why}")),
        (None, None) => return Life::Down,
    };
    for (kind, condition) in [("stream", stream), ("domain", domain)] {
        match condition {
            Condition::Broken(why) => return Life::Broken(format!("{kind} {why}")),
            Condition::Deleting => return Life::Deleting,
            Condition::Changing(_) | Condition::Settled => {}
        }
    }
    for (kind, condition) in [("domain", domain), ("stream", stream)] {
        match condition {
            Condition::Changing(why) => return Life::Changing(format!("{kind} {why}")),
            Condition::Broken(_) | Condition::Deleting | Condition::Settled => {}
        }
    }
    Life::Ready
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_is_as_its_stream_and_its_domain_are() {
        let changing = Condition::Changing("CREATING".to_owned());
        let broken = Condition::Broken("KMS".to_owned());
        let settled = Some(&Condition::Settled);
        for (stream, domain, expected) in [
            (settled, settled, Life::Ready),
            (settled, None, Life::HalfMade("no domain".to_owned())),
            (None, settled, Life::HalfMade("no stream".to_owned())),
            (None, None, Life::Down),
            (None, Some(&changing), Life::Changing("domain CREATING".to_owned())),
            (Some(&changing), settled, Life::Changing("stream CREATING".to_owned())),
            (Some(&broken), Some(&changing), Life::Broken("stream KMS".to_owned())),
            (settled, Some(&Condition::Deleting), Life::Deleting),
        ] {
            assert_eq!(life(stream, domain), expected);
        }
    }
}
