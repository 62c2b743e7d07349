//! Gives a role time to spread: IAM is eventually consistent, and Firehose checks a role when it is named.
//!
//! What to retry is not told by a list of wordings, which AWS outgrows, but by time: any InvalidArgumentException for a
//! minute, and for five where the role is that new. A refusal that speaks of nothing like a role is tried three times.

use std::time::{Duration, SystemTime};

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use tokio::time::Instant;

use crate::aws::{ServerClock, Session, code, failure, text};
use crate::error::{Error, ErrorKind, Result};
use crate::resource::Kind;
use crate::wait::{Event, pause};

/// How often a refusal that speaks of no role is tried.
const TRIES_OF_ANYTHING_ELSE: u32 = 3;

/// The retries of one call that names a role.
#[derive(Debug)]
pub(super) struct Spread<'s> {
    session: &'s Session,
    role_arn: &'s str,
    attempts: u32,
    since: Instant,
    young: Option<bool>,
}

impl<'s> Spread<'s> {
    pub(super) fn new(session: &'s Session, role_arn: &'s str) -> Self {
        Self { session, role_arn, attempts: 0, since: Instant::now(), young: None }
    }

    /// Takes the call's error: `None` after a pause, when the call is to be tried again, else the error back.
    ///
    /// # Errors
    /// [`ErrorKind::StillUnderWay`] with AWS's message when the deadline ends the retries early.
    pub(super) async fn is_over<E>(
        &mut self,
        resource: &str,
        action: &str,
        error: SdkError<E, HttpResponse>,
    ) -> Result<Option<SdkError<E, HttpResponse>>>
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        if code(&error) != Some("InvalidArgumentException") {
            return Ok(Some(error));
        }
        self.attempts += 1;
        let speaks_of_a_role = speaks_of_a_role(text(&error).unwrap_or_default());
        if !speaks_of_a_role && self.attempts >= TRIES_OF_ANYTHING_ELSE {
            return Ok(Some(error));
        }
        let elapsed = self.since.elapsed();
        let pace = self.session.pace();
        if elapsed >= pace.role_spread_most
            || elapsed >= pace.role_spread_least && !self.is_young(pace.role_spread_most).await
        {
            return Ok(Some(error));
        }
        if self.session.waiting.deadline.is_over() {
            let Error { kind: _, message, hints: _ } = failure(resource, action, error);
            return Err(Error::new(ErrorKind::StillUnderWay, message)
                .hint("IAM may need a minute more; the same command takes up from there"));
        }
        let why = format!("waiting for IAM (attempt {}, {} s)", self.attempts + 1, elapsed.as_secs());
        self.session.waiting.progress.tell(Kind::Stream, Event::Waiting { why, stage: None });
        pause(&self.session.waiting, self.attempts - 1).await;
        Ok(None)
    }

    /// Words the error that ended the retries: AWS's own message, with a way out where it speaks of a role.
    pub(super) fn failure<E>(&self, resource: &str, action: &str, error: SdkError<E, HttpResponse>) -> Error
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let about_a_role =
            code(&error) == Some("InvalidArgumentException") && speaks_of_a_role(text(&error).unwrap_or_default());
        let error = failure(resource, action, error);
        if about_a_role {
            error.hint(format!(
                "{} s of retries did not help, so it is not IAM's delay: check the trust and the permissions of {}",
                self.since.elapsed().as_secs(),
                self.role_arn
            ))
        } else {
            error
        }
    }

    /// Tells whether this run wrote the role, or the role is younger than `age`; IAM is asked once.
    async fn is_young(&mut self, age: Duration) -> bool {
        if self.session.role_was_written() {
            return true;
        }
        match self.young {
            Some(young) => young,
            None => {
                let young = role_age(self.session, self.role_arn).await.is_some_and(|known| known < age);
                self.young = Some(young);
                young
            }
        }
    }
}

fn speaks_of_a_role(text: &str) -> bool {
    let text = text.to_lowercase();
    ["role", "token", "access", "assume", "authoriz"].iter().any(|word| text.contains(word))
}

/// Returns how old the role is by IAM's own clock, or `None` where IAM does not say (no permission, no such role).
async fn role_age(session: &Session, role_arn: &str) -> Option<Duration> {
    let name = role_arn.rsplit('/').next()?;
    let clock = ServerClock::default();
    let asked = session.aws.iam.get_role().role_name(name).customize().interceptor(clock.clone()).send().await.ok()?;
    let created = SystemTime::try_from(*asked.role()?.create_date()).ok()?;
    let now = clock.read().unwrap_or_else(SystemTime::now);
    Some(now.duration_since(created).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wording_of_a_role_that_is_not_ready_is_known_as_such() {
        for text in [
            "Firehose is unable to assume role arn:aws:iam::1:role/x. Please check the role provided.",
            "Verify that the IAM role has access to the Elasticsearch domain",
            "Delivery Role is not authorized to describe the Elasticsearch domain",
            "The security token included in the request is invalid.",
            "Access was denied when calling Glue",
        ] {
            assert!(speaks_of_a_role(text), "{text}");
        }
        assert!(!speaks_of_a_role("Buffering interval must be at most 900"));
    }
}
