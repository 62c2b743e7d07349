//! Does what a plan says, each change as soon as those that it needs are done. Makes no decision of its own.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use serde::Serialize;
use tokio::sync::watch;

use crate::aws::Session;
use crate::error::{Error, ErrorKind, Result};
use crate::guard::{self, Allowance};
use crate::plan::{Action, Adopt, Change, Plan, Step, Work, plan_kind};
use crate::resource::{Goal, Kind, Manage, Managed, Read, Readiness};
use crate::stack::Slot;
use crate::wait::{self, Event};

/// What became of a plan.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Each change, in the order of the plan.
    pub outcomes: Vec<Outcome>,
}

/// What became of one change.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outcome {
    /// Which kind.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// What was to happen to it.
    pub action: Action,
    /// How it ended.
    pub end: End,
    /// How long it took, in seconds.
    pub seconds: f64,
}

/// How a change ended.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "end")]
pub enum End {
    /// It is done and in force.
    Done,
    /// It failed.
    Failed {
        /// What failed.
        message: String,
        /// What to do next.
        hints: Vec<String>,
        /// Whether ekk refused it rather than AWS.
        refused: bool,
    },
    /// AWS goes on with it.
    StillUnderWay {
        /// What it waits for.
        why: String,
    },
    /// It was not attempted.
    NotAttempted {
        /// What it waits for.
        why: String,
    },
}

/// What applying needs beyond the plan, for kinds that can be known only once the domain answers.
#[derive(Clone, Debug, Default)]
pub struct Permissions {
    /// What `--allow` named.
    pub allowed: Vec<Allowance>,
    /// What `--adopt` named.
    pub adopt: Adopt,
}

/// Applies a plan. Ends early when `interrupted` resolves: what runs is dropped, AWS goes on, and the next run
/// converges.
pub async fn apply(
    session: &Session,
    plan: &Plan,
    permissions: &Permissions,
    interrupted: impl Future<Output = ()>,
) -> (Report, Interruption) {
    let began = Instant::now();
    let (senders, receivers): (Vec<_>, Vec<_>) = plan.changes.iter().map(|_| watch::channel(Gate::Closed)).unzip();
    let begun: Vec<AtomicBool> = plan.changes.iter().map(|_| AtomicBool::new(false)).collect();
    let mut running: FuturesUnordered<_> = plan
        .changes
        .iter()
        .zip(&begun)
        .enumerate()
        .map(|(index, (change, begun))| {
            let needed: Vec<_> = change.after.iter().map(|needed| receivers[*needed].clone()).collect();
            Box::pin(async move { (index, run(session, plan, change, needed, permissions, begun).await) })
        })
        .collect();
    let mut ends: Vec<Option<(End, Duration)>> = vec![None; plan.changes.len()];
    let mut interruption = Interruption::None;
    let interrupted = std::pin::pin!(interrupted);
    let mut interrupted = futures_util::future::FutureExt::fuse(interrupted);
    loop {
        futures_util::select_biased! {
            () = interrupted => {
                interruption = Interruption::Interrupted;
                break;
            }
            ended = running.next() => {
                let Some((index, (end, took))) = ended else { break };
                let change = &plan.changes[index];
                session.waiting.progress.tell(change.kind, event_of(&end, took));
                // A closed channel would mean that nobody waits for this change.
                let _ = senders[index].send(if end == End::Done { Gate::Open } else { Gate::Stuck(blame(change, &end)) });
                ends[index] = Some((end, took));
            }
        }
    }
    drop(running);
    let outcomes = plan
        .changes
        .iter()
        .zip(ends)
        .zip(&begun)
        .map(|((change, end), begun)| {
            let why = "interrupted".to_owned();
            let (end, took) = match end {
                Some(ended) => ended,
                None if begun.load(Ordering::Relaxed) => (End::StillUnderWay { why }, began.elapsed()),
                None => (End::NotAttempted { why }, Duration::ZERO),
            };
            Outcome {
                kind: change.kind,
                name: change.name.clone(),
                action: change.action,
                end,
                seconds: took.as_secs_f64(),
            }
        })
        .collect();
    (Report { outcomes }, interruption)
}

/// Whether a run was ended from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interruption {
    /// It came to its own end.
    None,
    /// Ctrl-C.
    Interrupted,
}

#[derive(Clone, Debug)]
enum Gate {
    Closed,
    Open,
    Stuck(String),
}

fn event_of(end: &End, took: Duration) -> Event {
    match end {
        End::Done => Event::Done(took),
        End::Failed { message, .. } => Event::Failed(message.clone()),
        End::StillUnderWay { why } => Event::StillUnderWay(why.clone()),
        End::NotAttempted { why } => Event::NotAttempted(why.clone()),
    }
}

fn blame(change: &Change, end: &End) -> String {
    match end {
        End::Done => String::new(),
        End::Failed { .. } => format!("the {} failed", change.kind),
        End::StillUnderWay { .. } => format!("waits for the {}", change.kind),
        End::NotAttempted { why } => why.clone(),
    }
}

async fn run(
    session: &Session,
    plan: &Plan,
    change: &Change,
    needed: Vec<watch::Receiver<Gate>>,
    permissions: &Permissions,
    begun: &AtomicBool,
) -> (End, Duration) {
    for mut gate in needed {
        let state = gate.wait_for(|state| !matches!(state, Gate::Closed)).await;
        match state.as_deref() {
            Ok(Gate::Open) => {}
            Ok(Gate::Stuck(why)) => return (End::NotAttempted { why: why.clone() }, Duration::ZERO),
            Ok(Gate::Closed) | Err(_) => {
                return (End::NotAttempted { why: "the run ended".to_owned() }, Duration::ZERO);
            }
        }
    }
    let began = Instant::now();
    begun.store(true, Ordering::Relaxed);
    session.waiting.progress.tell(change.kind, Event::Started);
    let end = match do_change(session, plan, change, permissions).await {
        Ok(()) => End::Done,
        Err(error) => match error.kind {
            ErrorKind::StillUnderWay => End::StillUnderWay { why: error.message },
            ErrorKind::Refused => End::Failed { message: error.message, hints: error.hints, refused: true },
            ErrorKind::Failed
            | ErrorKind::Denied
            | ErrorKind::Usage
            | ErrorKind::InvalidSpec
            | ErrorKind::Interrupted => End::Failed { message: error.message, hints: error.hints, refused: false },
        },
    };
    (end, began.elapsed())
}

async fn do_change(session: &Session, plan: &Plan, change: &Change, permissions: &Permissions) -> Result<()> {
    let_buffers_pass(session, change).await?;
    let doing = Doing { session, plan, permissions };
    let pointers = change.pointers();
    // Boxed, since the SDK's futures are large and one branch's would make room for all.
    match &change.work {
        Work::Role(step) => Box::pin(doing.step(step, &pointers)).await,
        Work::Bucket(step) => Box::pin(doing.step(step, &pointers)).await,
        Work::LogGroup(step) => Box::pin(doing.step(step, &pointers)).await,
        Work::Domain(step) => Box::pin(doing.step(step, &pointers)).await,
        Work::IndexTemplate(step) => Box::pin(doing.step(step, &pointers)).await,
        Work::Stream(step) => Box::pin(doing.step(step, &pointers)).await,
        Work::IndexPattern(step) => Box::pin(doing.step(step, &pointers)).await,
    }
}

/// Records that Firehose took before the stream changed are still delivered to the old targets.
async fn let_buffers_pass(session: &Session, change: &Change) -> Result<()> {
    if change.buffered_seconds == 0 {
        return Ok(());
    }
    let until = Instant::now() + session.pace().buffered_second * change.buffered_seconds;
    wait::until_ready(&session.waiting, change.kind, &change.name, async || {
        Ok(if Instant::now() >= until {
            Readiness::Ready
        } else {
            Readiness::pending("waiting until the stream's old buffers are delivered")
        })
    })
    .await
}

struct Doing<'a> {
    session: &'a Session,
    plan: &'a Plan,
    permissions: &'a Permissions,
}

impl Doing<'_> {
    async fn step<T: Manage + Slot>(&self, step: &Step<T>, pointers: &[String]) -> Result<()> {
        let Self { session, plan, .. } = self;
        match step {
            Step::Create(wanted) => {
                T::create(session, &plan.names, wanted).await?;
                self.wait::<T>(Goal::InForce).await
            }
            Step::Update(before, wanted) => {
                T::update(session, &plan.names, before, wanted, pointers).await?;
                self.wait::<T>(Goal::InForce).await
            }
            Step::Replace(before, wanted) => {
                T::delete(session, &plan.names, before).await?;
                self.wait::<T>(Goal::Gone).await?;
                T::create(session, &plan.names, wanted).await?;
                self.wait::<T>(Goal::InForce).await
            }
            Step::Delete(before) => {
                T::delete(session, &plan.names, before).await?;
                self.wait::<T>(Goal::Gone).await
            }
            Step::Wait => self.wait::<T>(Goal::InForce).await,
            Step::Settle(wanted) => self.settle(wanted).await,
        }
    }

    async fn wait<T: Manage>(&self, goal: Goal) -> Result<()> {
        let Self { session, plan, .. } = self;
        wait::until_ready(&session.waiting, T::KIND, plan.names.of(T::KIND), async || {
            T::readiness(session, &plan.names, goal).await
        })
        .await
    }

    /// Reads a kind that could not be known before, as soon as the domain answers, and does what differs: the same
    /// plan, the same guard.
    async fn settle<T: Manage + Slot>(&self, wanted: &Managed<T>) -> Result<()> {
        let Self { session, plan, permissions } = self;
        let name = plan.names.of(T::KIND);
        let mut known = None;
        let since = Instant::now();
        wait::until_ready(&session.waiting, T::KIND, name, async || {
            session.ask_domain(&plan.names.domain).await?;
            match T::read(session, &plan.names).await? {
                Read::Unknown(why) if since.elapsed() < session.pace().answers_within => {
                    T::can_be_known(session, &plan.names).await?;
                    Ok(Readiness::pending(why))
                }
                Read::Unknown(why) => Ok(Readiness::Failed(why)),
                read @ (Read::Absent | Read::Present(_)) => {
                    known = Some(read);
                    Ok(Readiness::Ready)
                }
            }
        })
        .await?;
        let Some(read) = known else { return Ok(()) };
        let settled = plan_kind(&plan.target, &plan.names, wanted, &read, &permissions.adopt);
        let objections = guard::objections(&settled, &permissions.allowed);
        if let Some(refusal) = objections.refusals.first() {
            return Err(Error::refused(format!("{} {name}: {}", T::KIND, refusal.why)).hint(refusal.hint.clone()));
        }
        if let Some(hazard) = objections.not_allowed.first() {
            return Err(Error::refused(format!("{} {name}: {}", T::KIND, hazard.note.why))
                .hint(format!("to do it: --allow {}", hazard.flag)));
        }
        for change in &settled.changes {
            Box::pin(do_change(session, &settled, change, permissions)).await?;
        }
        Ok(())
    }
}

impl Report {
    /// Returns the outcomes that ended in a certain way.
    pub fn ended(&self, how: impl Fn(&End) -> bool) -> impl Iterator<Item = &Outcome> {
        self.outcomes.iter().filter(move |outcome| how(&outcome.end))
    }

    /// Tells whether everything is done.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.outcomes.iter().all(|outcome| outcome.end == End::Done)
    }
}
