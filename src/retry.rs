//! Sends one call again while AWS says that something else has to settle first. Throttling, 5xx and lost connections are
//! the SDK's own business and do not come here.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::aws::{Session, code, text};
use crate::wait::{self, Deadline, Waiting};

/// How often a call is sent. With the pauses of [`crate::wait::Pace::AWS`] a little more than a minute in all.
pub const ATTEMPTS: u32 = 12;

/// Sends `call` until it answers anything but an error that `settles` (told its code and text) says will pass.
///
/// # Errors
/// The last answer, when it is an error.
pub async fn until_settled<T, E, F>(
    session: &Session,
    settles: impl Fn(&str, &str) -> bool,
    mut call: impl FnMut() -> F,
) -> Result<T, SdkError<E, HttpResponse>>
where
    F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    E: ProvideErrorMetadata,
{
    let mut attempt = 0;
    loop {
        let error = match call().await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        attempt += 1;
        let passes = code(&error).is_some_and(|code| settles(code, text(&error).unwrap_or_default()));
        if !passes || attempt == ATTEMPTS {
            return Err(error);
        }
        pause(session, attempt - 1).await;
    }
}

/// Pauses before a call is sent again. Not waiting for what takes long does not mean to repeat a call without a pause.
pub async fn pause(session: &Session, attempt: u32) {
    let deadline = match session.waiting.deadline {
        Deadline::Now => Deadline::Never,
        deadline @ (Deadline::At(_) | Deadline::Never) => deadline,
    };
    wait::pause(&Waiting { deadline, ..session.waiting.clone() }, attempt).await;
}
