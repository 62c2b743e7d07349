//! Compares what is desired with what is live. Pure, total, never asks AWS.

use serde::Serialize;

use crate::resource::bucket::BucketSettings;
use crate::resource::domain::DomainSettings;
use crate::resource::index_pattern::IndexPatternSettings;
use crate::resource::index_template::IndexTemplateSettings;
use crate::resource::log_group::LogGroupSettings;
use crate::resource::role::RoleSettings;
use crate::resource::stream::StreamSettings;
use crate::resource::{Managed, Observed, Settings};

/// One thing to do to one resource, with everything that doing it needs.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(bound = "")]
pub enum Step<T: Settings> {
    /// Create it.
    Create(Managed<T>),
    /// Update it in place.
    Update(Box<Observed<T>>, Managed<T>),
    /// Delete it and create it again.
    Replace(Box<Observed<T>>, Managed<T>),
    /// Delete it.
    Delete(Box<Observed<T>>),
    /// Wait until what was asked for before is in force.
    Wait,
    /// Read it once the domain answers, and settle what differs then.
    Settle(Managed<T>),
}

/// The typed work of a change.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum Work {
    /// Of the role.
    Role(Step<RoleSettings>),
    /// Of the bucket.
    Bucket(Step<BucketSettings>),
    /// Of the log group.
    LogGroup(Step<LogGroupSettings>),
    /// Of the domain.
    Domain(Step<DomainSettings>),
    /// Of the index template.
    IndexTemplate(Step<IndexTemplateSettings>),
    /// Of the stream.
    Stream(Step<StreamSettings>),
    /// Of the index pattern.
    IndexPattern(Step<IndexPatternSettings>),
}
