//! Sends a write until AWS takes it: waits for a domain that is busy or still being deleted, and gives roles named in a
//! policy time to spread. What waiting cannot heal is returned at once.

use std::time::Instant;

use aws_sdk_opensearch::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use crate::aws::{self, Session};
use crate::error::Result;
use crate::resource::domain::{label, progress};
use crate::resource::{Kind, Readiness};
use crate::wait::Polling;

/// A write that is sent until AWS takes it: the caller's loop sends, [`Attempts::again`] judges a refusal.
pub(super) struct Attempts<'a> {
    session: &'a Session,
    name: &'a str,
    action: &'a str,
    polling: Polling<'a>,
    idle_since: Option<Instant>,
    spreading_since: Option<Instant>,
}

impl<'a> Attempts<'a> {
    /// Begins. `action` is the call in IAM's form.
    pub(super) fn new(session: &'a Session, name: &'a str, action: &'a str) -> Self {
        let polling = Polling::new(&session.waiting, Kind::Domain, name);
        Self { session, name, action, polling, idle_since: None, spreading_since: None }
    }

    /// Waits for something that stands in the way and passes.
    ///
    /// # Errors
    /// Still under way at the deadline.
    pub(super) async fn wait(&mut self, why: &str) -> Result<()> {
        self.polling.is_ready(Readiness::pending(why)).await.map(|_| ())
    }

    /// Waits where the refusal passes; the caller sends again then.
    ///
    /// # Errors
    /// Fails with what AWS refuses for good, and at the deadline.
    pub(super) async fn again<E>(&mut self, error: SdkError<E, HttpResponse>) -> Result<()>
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let refusal = refusal(aws::code(&error).unwrap_or_default(), aws::text(&error).unwrap_or_default());
        let error = aws::failure(&label(self.name), self.action, error);
        match refusal {
            Refusal::Busy => match change_under_way(self.session, self.name).await? {
                // AWS refuses for a while after it has told that the domain is active.
                Readiness::Ready if is_over(self.session, &mut self.idle_since) => Err(error),
                Readiness::Ready => self.wait("waiting for AWS to take another change").await,
                other @ (Readiness::Pending { .. } | Readiness::Failed(_)) => {
                    self.polling.is_ready(other).await.map(|_| ())
                }
            },
            Refusal::StillDeleted => self.wait(STILL_DELETED).await,
            Refusal::NotSpread if is_over(self.session, &mut self.spreading_since) => Err(error),
            Refusal::NotSpread => {
                self.wait("waiting until OpenSearch Service knows a role that the policy names").await
            }
            Refusal::ServiceLinkedRole => Err(error.hint(
                "the account lacks OpenSearch Service's service-linked role: run `aws iam create-service-linked-role \
                 --aws-service-name opensearchservice.amazonaws.com` once, then the same command again",
            )),
            Refusal::Limit => {
                Err(error.hint("a quota of the account is reached: ask AWS for more in Service Quotas, or make room"))
            }
            Refusal::ForGood => Err(error),
        }
    }
}

/// The reason for which a create waits.
pub(super) const STILL_DELETED: &str = "waiting until the old domain is deleted";

/// Tells whether what began at `since` has lasted as long as a role may take to spread.
fn is_over(session: &Session, since: &mut Option<Instant>) -> bool {
    since.get_or_insert_with(Instant::now).elapsed() >= session.pace().role_spread_most
}

async fn change_under_way(session: &Session, name: &str) -> Result<Readiness> {
    match session.ask_domain(name).await? {
        Some(status) => Ok(match progress::readiness(session, name, &status).await {
            Readiness::Pending { why, stage } => {
                Readiness::Pending { why: format!("waiting for another change: {why}"), stage }
            }
            other @ (Readiness::Ready | Readiness::Failed(_)) => other,
        }),
        None => Ok(Readiness::Ready),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    Busy,
    StillDeleted,
    NotSpread,
    ServiceLinkedRole,
    Limit,
    ForGood,
}

/// Tells refusals apart. Code and wording, since OpenSearch Service has one code for most of them; the wordings are
/// those that Terraform's provider has met.
fn refusal(code: &str, text: &str) -> Refusal {
    let says = |words: &str| text.to_lowercase().contains(words);
    match code {
        "ConflictException" => Refusal::Busy,
        "LimitExceededException" => Refusal::Limit,
        "InvalidTypeException" if says("error setting policy") => Refusal::NotSpread,
        "ValidationException" if says("still being deleted") => Refusal::StillDeleted,
        "ValidationException" if says("update is in progress") || says("another change") || says("in progress") => {
            Refusal::Busy
        }
        "ValidationException" if says("service-linked role") => Refusal::ServiceLinkedRole,
        "ValidationException"
            if [
                "must be allowed to use the passed role",
                "has not propagated yet",
                "authentication error",
                "must be authorised to describe",
                "the passed role must authorize",
                "the resource access policy specified for the cloudwatch logs log group",
            ]
            .into_iter()
            .any(says) =>
        {
            Refusal::NotSpread
        }
        _ => Refusal::ForGood,
    }
}

/// Tells whether AWS refuses because another change of the domain is under way.
pub(crate) fn is_busy(code: &str, text: &str) -> bool {
    refusal(code, text) == Refusal::Busy
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_told_apart_by_code_and_wording() {
        for (code, text, wanted) in [
            (
                "ValidationException",
                "A change/update is in progress. Please wait for it to complete before requesting another change.",
                Refusal::Busy,
            ),
            ("ConflictException", "", Refusal::Busy),
            ("ValidationException", "Domain is still being deleted", Refusal::StillDeleted),
            ("InvalidTypeException", "Error setting policy: [{...}]", Refusal::NotSpread),
            ("ValidationException", "The passed role has not propagated yet", Refusal::NotSpread),
            (
                "ValidationException",
                "Before you can proceed, you must enable a service-linked role to give Amazon ES permissions",
                Refusal::ServiceLinkedRole,
            ),
            ("LimitExceededException", "Too many domains", Refusal::Limit),
            ("ValidationException", "Volume size must be between 10 and 100", Refusal::ForGood),
            ("InvalidTypeException", "Invalid instance type", Refusal::ForGood),
            ("AccessDeniedException", "not authorized: in progress", Refusal::ForGood),
        ] {
            assert_eq!(refusal(code, text), wanted, "{code}: {text}");
        }
    }
}
