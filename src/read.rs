//! Reads what is live, all at once. Judges nothing.

use crate::aws::Session;
use crate::error::{Error, ErrorKind, Result};
use crate::resource::bucket::BucketSettings;
use crate::resource::domain::DomainSettings;
use crate::resource::index_pattern::IndexPatternSettings;
use crate::resource::index_template::IndexTemplateSettings;
use crate::resource::log_group::LogGroupSettings;
use crate::resource::role::RoleSettings;
use crate::resource::stream::StreamSettings;
use crate::resource::{Kind, Manage, Read};
use crate::stack::{Live, Names, Strays};
use crate::strays;

/// Reads every resource of a stack, and what carries its tags and is named nowhere.
///
/// Everything that is found by plain name goes out together with the question who is asking; what needs the account,
/// an ARN or the domain's endpoint follows: two round trips deep.
///
/// # Errors
/// Names everything that failed, so that all missing permissions are seen at once.
pub async fn live(session: &Session, names: &Names) -> Result<Live> {
    match as_far_as_seen(session, names).await? {
        (live, None) => Ok(live),
        (_, Some(error)) => Err(error),
    }
}

/// The same for who only looks: what cannot be read is unknown, and the error names all of it.
///
/// # Errors
/// Fails where nobody is asking, or nothing at all can be read.
pub async fn as_far_as_seen(session: &Session, names: &Names) -> Result<(Live, Option<Error>)> {
    // Boxed, since the SDK's futures are large and nine of them would fill a thread's stack.
    let (caller, role, bucket, log_group, domain, index_template, stream, index_pattern, strays) = futures_util::join!(
        session.caller(),
        Box::pin(RoleSettings::read(session, names)),
        Box::pin(BucketSettings::read(session, names)),
        Box::pin(LogGroupSettings::read(session, names)),
        Box::pin(DomainSettings::read(session, names)),
        Box::pin(IndexTemplateSettings::read(session, names)),
        Box::pin(StreamSettings::read(session, names)),
        Box::pin(IndexPatternSettings::read(session, names)),
        Box::pin(strays::find(session, names)),
    );
    // Without an identity every other call fails for the same reason.
    caller?;
    let mut errors = Vec::new();
    let live = Live {
        role: or_note(role, &mut errors),
        bucket: or_note(bucket, &mut errors),
        log_group: or_note(log_group, &mut errors),
        domain: or_note(domain, &mut errors),
        index_template: or_note(index_template, &mut errors),
        stream: or_note(stream, &mut errors),
        index_pattern: or_note(index_pattern, &mut errors),
        strays: strays.unwrap_or_else(|error| Strays::Unknown(error.message)),
    };
    match errors.len() {
        0 => Ok((live, None)),
        all if all == Kind::ALL.len() => Err(all_of(errors)),
        _ => Ok((live, Some(all_of(errors)))),
    }
}

fn or_note<T: Manage>(read: Result<Read<T>>, errors: &mut Vec<Error>) -> Read<T> {
    read.unwrap_or_else(|error| {
        let why = error.message.clone();
        errors.push(error);
        Read::Unknown(why)
    })
}

/// Puts several errors into one; it is a matter of permission when all of them are.
fn all_of(errors: Vec<Error>) -> Error {
    let kind =
        if errors.iter().all(|error| error.kind == ErrorKind::Denied) { ErrorKind::Denied } else { ErrorKind::Failed };
    let mut messages: Vec<String> = Vec::new();
    let mut hints: Vec<String> = Vec::new();
    for error in errors {
        // The same call can fail for several resources (one DescribeDomain serves three).
        if !messages.contains(&error.message) {
            messages.push(error.message);
        }
        for hint in error.hints {
            if !hints.contains(&hint) {
                hints.push(hint);
            }
        }
    }
    Error { kind, message: messages.join("\n  "), hints }
}
