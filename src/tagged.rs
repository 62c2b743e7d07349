//! What carries ekk's tags in this account and region, through the Resource Groups Tagging API: buckets, domains, streams
//! and log groups, by stack. That API knows no roles, and shows a change of tags only after a while. Reads only.

use std::collections::BTreeMap;

use aws_sdk_resourcegroupstagging::types::TagFilter;

use crate::aws::{Session, failure};
use crate::error::Result;
use crate::resource::{Kind, TAG_REGION, TAG_STACK};

/// A resource that carries a stack's tags.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tagged {
    /// Which kind.
    pub kind: Kind,
    /// Its name.
    pub name: String,
}

/// Which stacks are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which<'a> {
    /// All of this account and region.
    All,
    /// One, by the value of its tag `ekk:stack`.
    Stack(&'a str),
}

/// Returns what carries the tags of each stack of this region, sorted.
///
/// # Errors
/// Fails as tag:GetResources does.
pub async fn stacks(session: &Session, which: Which<'_>) -> Result<BTreeMap<String, Vec<Tagged>>> {
    let of_stack = TagFilter::builder().key(TAG_STACK);
    let of_stack = match which {
        // A key without a value takes every value.
        Which::All => of_stack,
        Which::Stack(stack) => of_stack.values(stack),
    };
    let of_region = TagFilter::builder().key(TAG_REGION).values(&session.aws.region);
    let request = session.aws.tagging.get_resources().tag_filters(of_stack.build()).tag_filters(of_region.build());
    // The most that a page holds.
    let mut pages = request.resources_per_page(100).into_paginator().items().send();
    let mut stacks: BTreeMap<String, Vec<Tagged>> = BTreeMap::new();
    while let Some(resource) = pages.next().await {
        let resource = resource.map_err(|error| failure("stacks", "tag:GetResources", error))?;
        let stack = resource.tags().iter().find(|tag| tag.key() == TAG_STACK).map(|tag| tag.value().to_owned());
        if let (Some(stack), Some(found)) = (stack, resource.resource_arn().and_then(kind_and_name)) {
            stacks.entry(stack).or_default().push(found);
        }
    }
    for resources in stacks.values_mut() {
        resources.sort();
    }
    Ok(stacks)
}

/// Reads kind and name out of an ARN; `None` for what ekk does not make.
fn kind_and_name(arn: &str) -> Option<Tagged> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", _, service, _, _, resource] = parts.as_slice() else { return None };
    let (kind, name) = match *service {
        "s3" => (Kind::Bucket, Some(*resource)),
        "es" => (Kind::Domain, resource.strip_prefix("domain/")),
        "firehose" => (Kind::Stream, resource.strip_prefix("deliverystream/")),
        "logs" => (Kind::LogGroup, resource.strip_prefix("log-group:").map(|name| name.trim_end_matches(":*"))),
        _ => return None,
    };
    // A bucket's objects and a log group's streams have ARNs too.
    let name = name.filter(|name| !name.contains(':') && (kind == Kind::LogGroup || !name.contains('/')))?;
    Some(Tagged { kind, name: name.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kind_and_name_are_read_out_of_an_arn() {
        let tagged = |kind, name: &str| Some(Tagged { kind, name: name.to_owned() });
        for (arn, expected) in [
            ("arn:aws:s3:::b", tagged(Kind::Bucket, "b")),
            ("arn:aws:s3:::b/key", None),
            ("arn:aws:es:eu-west-1:123456789012:domain/logs", tagged(Kind::Domain, "logs")),
            ("arn:aws:firehose:eu-west-1:123456789012:deliverystream/logs", tagged(Kind::Stream, "logs")),
            ("arn:aws:logs:eu-west-1:123456789012:log-group:/a/b", tagged(Kind::LogGroup, "/a/b")),
            ("arn:aws:logs:eu-west-1:123456789012:log-group:/a/b:*", tagged(Kind::LogGroup, "/a/b")),
            ("arn:aws:logs:eu-west-1:123456789012:log-group:/a/b:log-stream:c", None),
            ("arn:aws:kms:eu-west-1:123456789012:key/k", None),
            ("logs", None),
        ] {
            assert_eq!(kind_and_name(arn), expected, "{arn}");
        }
    }
}
