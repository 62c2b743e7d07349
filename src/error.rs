//! What failed, how bad it is, and what to do next. Wording belongs to the stage that fails; only the kind is shared.

use std::fmt;
use std::process::ExitCode;

/// How a run ended, as the exit code tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Everything is as the file says (0).
    Done,
    /// A call or a check failed (1).
    Failed,
    /// The command line or the spec is wrong; nothing was sent to AWS (2).
    Invalid,
    /// `plan --exit-code` found something to do (3).
    ChangesPending,
    /// A hazard, an owner or an impossible change stands in the way; nothing was touched (4).
    Refused,
    /// Started and left, or out of time; the same command goes on from there (5).
    StillUnderWay,
    /// Ctrl-C (130).
    Interrupted,
}

impl Exit {
    /// Returns the process's exit code.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Invalid => 2,
            Self::ChangesPending => 3,
            Self::Refused => 4,
            Self::StillUnderWay => 5,
            Self::Interrupted => 130,
        }
    }

    /// Returns the worse of two outcomes, in the order that several stacks are summed up with: 130, 2, 1, 4, 5, 3, 0.
    #[must_use]
    pub fn worst(self, other: Self) -> Self {
        fn rank(exit: Exit) -> u8 {
            match exit {
                Exit::Done => 0,
                Exit::ChangesPending => 1,
                Exit::StillUnderWay => 2,
                Exit::Refused => 3,
                Exit::Failed => 4,
                Exit::Invalid => 5,
                Exit::Interrupted => 6,
            }
        }
        if rank(other) > rank(self) { other } else { self }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// What kind of trouble an [`Error`] is; decides the exit code and the first word of the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// AWS, the network or the file system said no.
    Failed,
    /// AWS said that the caller may not do this.
    Denied,
    /// The command line is wrong.
    Usage,
    /// The spec is wrong.
    InvalidSpec,
    /// ekk will not do this unless it is allowed or mended.
    Refused,
    /// Time ran out, or nobody wanted to wait; AWS goes on.
    StillUnderWay,
    /// Ctrl-C.
    Interrupted,
}

/// An error with a way out: the message says what failed, each hint what to do next.
#[derive(Clone, Debug)]
pub struct Error {
    /// What kind of trouble it is.
    pub kind: ErrorKind,
    /// What failed: resource, operation, AWS's code and text. Lower case, no full stop.
    pub message: String,
    /// What to do next, one sentence each.
    pub hints: Vec<String>,
}

/// A result whose error is ekk's own.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Makes an error of a kind.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hints: Vec::new() }
    }

    /// Makes the plain failure.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Failed, message)
    }

    /// Makes an error of usage.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Usage, message)
    }

    /// Makes a refusal.
    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Refused, message)
    }

    /// Adds a way out.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Puts what was being done in front of the message.
    #[must_use]
    pub fn context(mut self, doing: impl fmt::Display) -> Self {
        self.message = format!("{doing}: {}", self.message);
        self
    }

    /// Adds a way out where AWS refused for want of a permission.
    #[must_use]
    pub fn hint_if_denied(self, hint: impl Into<String>) -> Self {
        if self.kind == ErrorKind::Denied { self.hint(hint) } else { self }
    }

    /// Returns how a run that ends with this error exits.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self.kind {
            ErrorKind::Failed | ErrorKind::Denied => Exit::Failed,
            ErrorKind::Usage | ErrorKind::InvalidSpec => Exit::Invalid,
            ErrorKind::Refused => Exit::Refused,
            ErrorKind::StillUnderWay => Exit::StillUnderWay,
            ErrorKind::Interrupted => Exit::Interrupted,
        }
    }
}

/// Returns both results of calls that were sent together. Where both fail for want of a permission, the error names
/// both permissions; else the graver error counts.
///
/// # Errors
/// When either failed.
pub fn both<A, B>(one: Result<A>, other: Result<B>) -> Result<(A, B)> {
    match (one, other) {
        (Ok(one), Ok(other)) => Ok((one, other)),
        (Err(error), Ok(_)) | (Ok(_), Err(error)) => Err(error),
        (Err(mut error), Err(next)) if error.kind == ErrorKind::Denied && next.kind == ErrorKind::Denied => {
            error.hints.extend(next.hints.into_iter().filter(|hint| !error.hints.contains(hint)).collect::<Vec<_>>());
            Err(error)
        }
        (Err(error), Err(next)) => Err(if error.kind == ErrorKind::Denied { next } else { error }),
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_missing_permissions_are_named_at_once() {
        let denied = |action: &str| Error::new(ErrorKind::Denied, action).hint(format!("allow {action}"));
        let error = both::<(), ()>(both::<(), ()>(Err(denied("a")), Err(denied("b"))).map(|_| ()), Err(denied("a")))
            .expect_err("two permissions");
        assert_eq!(error.message, "a");
        assert_eq!(error.hints, ["allow a", "allow b"]);
        let graver = both::<(), ()>(Err(denied("a")), Err(Error::failed("no network"))).expect_err("no network");
        assert_eq!(graver.message, "no network");
        assert_eq!(both(Ok(1), Ok(2)).expect("both"), (1, 2));
    }

    #[test]
    fn several_stacks_end_with_the_worst_code() {
        let order = [Exit::Done, Exit::ChangesPending, Exit::StillUnderWay, Exit::Refused, Exit::Failed];
        for pair in order.windows(2) {
            assert_eq!(pair[0].worst(pair[1]), pair[1]);
            assert_eq!(pair[1].worst(pair[0]), pair[1]);
        }
    }
}
