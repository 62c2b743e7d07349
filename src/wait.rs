//! The one polling loop: deadline, back-off, progress. Never sleeps before the first question, and never destroys
//! anything because time ran out.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind, Result};
use crate::resource::{Kind, Readiness};

/// How long to pause between questions. Real runs back off from quick to slow; tests set every pause to zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    /// Pause after the first question.
    pub first: Duration,
    /// Longest pause.
    pub longest: Duration,
    /// Real time for each second of Firehose buffering that has to pass before a role may be narrowed.
    pub buffered_second: Duration,
    /// For how long a Firehose call is retried at least while a role may not have spread yet.
    pub role_spread_least: Duration,
    /// For how long it is retried where this run wrote the role, or the role is younger than that.
    pub role_spread_most: Duration,
    /// For how long a domain in force, or Dashboards behind it, may stay without an answer: its address is not in DNS at
    /// once, and Dashboards answers 503 for a while after that.
    pub answers_within: Duration,
}

impl Pace {
    /// The pace on AWS. Control planes allow 5 calls/s for an operation (Firehose quotas), so no question is asked
    /// more often than every half second.
    pub const AWS: Self = Self {
        first: Duration::from_millis(500),
        longest: Duration::from_secs(15),
        buffered_second: Duration::from_secs(1),
        role_spread_least: Duration::from_secs(60),
        role_spread_most: Duration::from_secs(300),
        answers_within: Duration::from_secs(600),
    };

    /// The pace on the embedded local AWS, which takes seconds where AWS takes minutes.
    pub const LOCAL: Self = Self {
        first: Duration::from_millis(25),
        longest: Duration::from_millis(200),
        // What its Firehose takes; a test of `local` holds the two together.
        buffered_second: Duration::from_millis(50),
        role_spread_least: Duration::from_secs(60),
        role_spread_most: Duration::from_secs(300),
        answers_within: Duration::from_secs(30),
    };

    /// Returns the pause after the `attempt`th question, counted from 0; it grows by half each time.
    #[must_use]
    pub fn pause(&self, attempt: u32) -> Duration {
        self.first.mul_f64(1.5_f64.powi(i32::try_from(attempt.min(64)).unwrap_or(64))).min(self.longest)
    }
}

/// When waiting ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deadline {
    /// Out of time at this moment (`--timeout`).
    At(Instant),
    /// Do not wait for what takes long (`--no-wait`).
    Now,
    /// Wait as long as AWS takes.
    Never,
}

impl Deadline {
    /// Tells whether there is no time left.
    #[must_use]
    pub fn is_over(self) -> bool {
        match self {
            Self::At(instant) => Instant::now() >= instant,
            Self::Now => true,
            Self::Never => false,
        }
    }
}

/// What happens to a resource while a plan is applied, as it happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Work on it began.
    Started,
    /// It waits, and for what; stage k of n where AWS tells it.
    Waiting {
        /// The reason.
        why: String,
        /// Stage k of n.
        stage: Option<(u32, u32)>,
    },
    /// It is as wanted.
    Done(Duration),
    /// It failed.
    Failed(String),
    /// Time ran out, or nobody wanted to wait; AWS goes on with it.
    StillUnderWay(String),
    /// It was not attempted, because something that it needs failed.
    NotAttempted(String),
}

/// Where events go: a function that must not block.
#[derive(Clone)]
pub struct Progress(Arc<dyn Fn(Kind, Event) + Send + Sync>);

impl Progress {
    /// Sends events to a function.
    pub fn new(sink: impl Fn(Kind, Event) + Send + Sync + 'static) -> Self {
        Self(Arc::new(sink))
    }

    /// Drops events.
    #[must_use]
    pub fn silent() -> Self {
        Self::new(|_, _| {})
    }

    /// Tells of one event.
    pub fn tell(&self, kind: Kind, event: Event) {
        (self.0)(kind, event);
    }
}

impl std::fmt::Debug for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Progress")
    }
}

/// What the loop needs to know.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// How long to pause.
    pub pace: Pace,
    /// When to give up.
    pub deadline: Deadline,
    /// Whom to tell.
    pub progress: Progress,
}

/// Asks `question` until it answers [`Readiness::Ready`]. Each change of the reason or the stage is told.
///
/// # Errors
/// [`ErrorKind::StillUnderWay`] at the deadline; AWS's reason on [`Readiness::Failed`]; whatever `question` fails with.
pub async fn until_ready<F>(waiting: &Waiting, kind: Kind, name: &str, mut question: F) -> Result<()>
where
    F: AsyncFnMut() -> Result<Readiness>,
{
    let mut polling = Polling::new(waiting, kind, name);
    while !polling.is_ready(question().await?).await? {}
    Ok(())
}

/// The same loop turned inside out, for a caller that keeps state between the questions or whose future must be `Send`
/// (which the compiler cannot prove of an async closure).
#[derive(Debug)]
pub struct Polling<'a> {
    waiting: &'a Waiting,
    kind: Kind,
    name: &'a str,
    attempt: u32,
    told: Option<(String, Option<(u32, u32)>)>,
}

impl<'a> Polling<'a> {
    /// Begins. Nothing was asked yet.
    #[must_use]
    pub fn new(waiting: &'a Waiting, kind: Kind, name: &'a str) -> Self {
        Self { waiting, kind, name, attempt: 0, told: None }
    }

    /// Returns true for what is ready. For what is pending it tells the reason where that has changed, pauses, and
    /// returns false: ask again.
    ///
    /// # Errors
    /// [`ErrorKind::StillUnderWay`] at the deadline; AWS's reason on [`Readiness::Failed`].
    pub async fn is_ready(&mut self, readiness: Readiness) -> Result<bool> {
        let Self { waiting, kind, name, attempt, told } = self;
        let (why, stage) = match readiness {
            Readiness::Ready => return Ok(true),
            Readiness::Failed(reason) => return Err(Error::failed(format!("{kind} {name}: {reason}"))),
            Readiness::Pending { why, stage } => (why, stage),
        };
        if waiting.deadline.is_over() {
            return Err(Error::new(ErrorKind::StillUnderWay, format!("{kind} {name}: still {why}"))
                .hint("AWS goes on; the same command takes up from there"));
        }
        let now = Some((why.clone(), stage));
        if *told != now {
            waiting.progress.tell(*kind, Event::Waiting { why, stage });
            *told = now;
        }
        pause(waiting, *attempt).await;
        *attempt += 1;
        Ok(false)
    }
}

/// Pauses after the `attempt`th try, but never beyond the deadline.
pub async fn pause(waiting: &Waiting, attempt: u32) {
    let pause = waiting.pace.pause(attempt);
    let pause = match waiting.deadline {
        Deadline::At(instant) => pause.min(instant.saturating_duration_since(Instant::now())),
        Deadline::Now => Duration::ZERO,
        Deadline::Never => pause,
    };
    tokio::time::sleep(pause).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(deadline: Deadline) -> Waiting {
        let pace = Pace { first: Duration::ZERO, longest: Duration::ZERO, ..Pace::AWS };
        Waiting { pace, deadline, progress: Progress::silent() }
    }

    #[tokio::test]
    async fn the_first_question_is_asked_at_once_and_a_failure_ends_the_loop() {
        let mut asked = 0;
        let error = until_ready(&waiting(Deadline::Never), Kind::Domain, "logs", async || {
            asked += 1;
            Ok(if asked < 3 { Readiness::pending("creating") } else { Readiness::Failed("RedCluster: red".into()) })
        })
        .await
        .expect_err("a failed validation");
        assert_eq!(error.message, "domain logs: RedCluster: red");
        assert_eq!(asked, 3);
    }

    #[tokio::test]
    async fn without_waiting_one_question_is_asked() {
        let error =
            until_ready(&waiting(Deadline::Now), Kind::Domain, "logs", async || Ok(Readiness::pending("creating")))
                .await
                .expect_err("still under way");
        assert_eq!(error.kind, ErrorKind::StillUnderWay);
    }

    #[test]
    fn pauses_grow_to_the_longest() {
        assert_eq!(Pace::AWS.pause(0), Duration::from_millis(500));
        assert!(Pace::AWS.pause(3) > Pace::AWS.pause(2));
        assert_eq!(Pace::AWS.pause(1000), Duration::from_secs(15));
    }
}
