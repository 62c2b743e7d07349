//! Everything that exists in the emulated account, and the one place that hands a request to its service.

use std::net::SocketAddr;

use jiff::Timestamp;

use crate::{
    blobs::Blobs,
    firehose, iam, logs, models, opensearch,
    request::{Request, Service},
    response::{self, Response},
    s3, sts,
    table::Stored,
    tagging,
    timing::Timing,
};

/// Everything that exists. A service adds a field here and its tables to `World::tables`.
#[derive(Clone, Debug, Default)]
pub struct World {
    /// Roles.
    pub iam: iam::State,
    /// Buckets and objects.
    pub s3: s3::State,
    /// Log groups.
    pub logs: logs::State,
    /// Domains and what is inside them.
    pub opensearch: opensearch::State,
    /// Delivery streams.
    pub firehose: firehose::State,
    /// The bodies of objects.
    pub blobs: Blobs,
}

impl World {
    /// Every table, by the name it has in the journal.
    pub(crate) fn tables(&mut self) -> Vec<(&'static str, &mut dyn Stored)> {
        let Self { iam, s3, logs, opensearch, firehose, blobs: _ } = self;
        let mut tables = iam.tables();
        tables.extend(s3.tables());
        tables.extend(logs.tables());
        tables.extend(opensearch.tables());
        tables.extend(firehose.tables());
        tables
    }
}

/// What a service knows besides the world and the request.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The emulated time.
    pub now: Timestamp,
    /// How long things take.
    pub timing: &'a Timing,
    /// The account of the emulator.
    pub account: &'a str,
    /// Where the emulator listens: domain endpoints are below it.
    pub address: SocketAddr,
}

impl Context<'_> {
    /// An ARN of this account; region and account are given as they stand in the ARN.
    #[must_use]
    pub fn arn(&self, service: &str, region: &str, resource: &str) -> String {
        format!("arn:{}:{service}:{region}:{}:{resource}", partition(region), self.account)
    }

    /// Who calls: an IAM user of the account, named after the access key's kind.
    #[must_use]
    pub fn caller_arn(&self, region: &str) -> String {
        format!("arn:{}:iam::{}:user/local", partition(region), self.account)
    }
}

/// The partition of a region.
#[must_use]
pub fn partition(region: &str) -> &'static str {
    if region.starts_with("cn-") {
        "aws-cn"
    } else if region.starts_with("us-gov-") {
        "aws-us-gov"
    } else if region.starts_with("eusc-") {
        "aws-eusc"
    } else {
        "aws"
    }
}

/// What a request needs to be allowed, as IAM names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permission {
    /// Such as `iam:CreateRole`.
    pub action: String,
    /// The ARN it is asked for, or `*`.
    pub resource: String,
}

impl Permission {
    /// A permission on a resource.
    #[must_use]
    pub fn new(action: impl Into<String>, resource: impl Into<String>) -> Self {
        Self { action: action.into(), resource: resource.into() }
    }
}

/// The permissions that a request needs, all of them.
pub(crate) fn permissions(world: &World, context: &Context<'_>, request: &Request) -> Vec<Permission> {
    match request.service {
        Service::Iam => iam::permissions(context, request),
        // GetCallerIdentity cannot be denied (IAM user guide).
        Service::Sts | Service::Browser | Service::Unknown => Vec::new(),
        Service::S3 => s3::permissions(context, request),
        Service::Logs => logs::permissions(context, request),
        Service::Tagging => tagging::permissions(request),
        Service::OpenSearch | Service::Domain => opensearch::permissions(world, context, request),
        Service::Firehose => firehose::permissions(context, request),
    }
}

/// Answers a request, changing the world where it says so.
pub(crate) fn handle(world: &mut World, context: &Context<'_>, request: &Request) -> Response {
    if let Some(refusal) = models::refusal(request) {
        return refusal;
    }
    match request.service {
        Service::Iam => iam::handle(world, context, request),
        Service::Sts => sts::handle(context, request),
        Service::S3 => s3::handle(world, context, request),
        Service::Logs => logs::handle(world, context, request),
        Service::Tagging => tagging::handle(world, context, request),
        Service::OpenSearch => opensearch::handle(world, context, request),
        Service::Domain => opensearch::handle_domain(world, context, request),
        Service::Browser => opensearch::handle_browser(world, context, request),
        Service::Firehose => firehose::handle(world, context, request),
        Service::Unknown => response::error(
            request,
            404,
            "UnknownServiceException",
            "the emulator has no such service; the scope of the signature decides which is meant",
        ),
    }
}

/// Lets time pass: stages end, buffers are delivered. Called before each request and by a ticker.
pub(crate) fn tick(world: &mut World, context: &Context<'_>) {
    opensearch::tick(world, context);
    firehose::tick(world, context);
}
