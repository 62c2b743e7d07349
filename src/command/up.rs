//! `ekk up`: shows the plan, then does it.

use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt as _};
use tokio::signal::unix::{SignalKind, signal};

use super::confirm::{Expectation, Question};
use super::plan::{Asked, Planned, Wanted, make};
use super::progress::progress;
use super::tally::Tally;
use super::{confirm, mention, prepare, print, tell};
use crate::apply::{self, End, Interruption, Permissions, Report};
use crate::cli::{Apply, Format, Talk, Up};
use crate::error::{Exit, Result};
use crate::guard::{self, Allowance};
use crate::plan::Verb;
use crate::render::{self, Detail};
use crate::wait::Deadline;

/// How many stacks are applied at the same time.
const STACKS_AT_ONCE: usize = 8;

/// Runs `ekk up`.
pub(super) async fn run(args: Up, talk: Talk) -> Result<Exit> {
    let files = prepare::load(&args.stacks)?;
    let question = if args.place.local { Question::None } else { Question::Asked };
    let expectation = confirm::prepared(&args.apply, question)?;
    let local = prepare::place_of(&args.place, talk).await?;
    let several = files.len() > 1;
    let mut tally = Tally::new(&files, "done");
    let mut planned = Vec::new();
    for file in files {
        let source = file.source.clone();
        let asked = Asked { wanted: Wanted::Up, allow: &args.allow, place: &args.place, local: local.as_deref() };
        let label = several.then(|| file.loaded.spec.stack.clone());
        match make(file, &asked, deadline(&args.apply), progress(talk, label)).await {
            Ok(made) => planned.push(made),
            Err(error) => tally.failed(&source, &error),
        }
    }
    let mut agreed = Vec::new();
    for made in planned {
        announce(&made, args.output.format, talk)?;
        let source = &made.prepared.file.source;
        match check(&made, &args.allow.allowed, expectation.as_ref()) {
            Err(error) => tally.failed(source, &error),
            Ok(Some(objections)) => {
                tell(&objections);
                tally.stopped(source, Exit::Refused, render::plain(&objections).trim_end(), &[]);
            }
            Ok(None) if made.plan.is_empty() => {
                let nothing = Report { outcomes: Vec::new() };
                tally.ended(source, Exit::Done, render::report_json(&made.plan, &nothing, 0.0));
            }
            Ok(None) => agreed.push(made),
        }
    }
    if !agreed.is_empty() {
        match ask(&agreed, &args.apply, question)? {
            Answer::Yes => {
                let permissions = Permissions { allowed: args.allow.allowed.clone(), adopt: args.allow.adopt() };
                do_all(agreed, &permissions, args.output.format, talk, &mut tally).await?;
            }
            Answer::No => {
                tell("Nothing was changed.\n");
                for made in &agreed {
                    tally.stopped(&made.prepared.file.source, Exit::Refused, "the answer was no", &[]);
                }
            }
        }
    }
    tally.print(args.output.format)?;
    Ok(tally.exit())
}

/// Tells when long waits end.
pub(super) fn deadline(apply: &Apply) -> Deadline {
    match (apply.no_wait, apply.timeout) {
        (true, _) => Deadline::Now,
        (false, Some(timeout)) => Deadline::At(Instant::now() + timeout),
        (false, None) => Deadline::Never,
    }
}

/// Shows the plan before it is done; with a form for programs, on standard error.
pub(super) fn announce(made: &Planned, format: Format, talk: Talk) -> Result<()> {
    let detail = if talk.verbose { Detail::Every } else { Detail::Short };
    let text = render::plan(&made.plan, &made.header, detail);
    match format {
        Format::Text => print(&text),
        Format::Json | Format::Markdown => {
            mention(talk, &text);
            Ok(())
        }
    }
}

/// Checks what stands in the way and what was expected, before anything is touched. Returns the objections, in words.
pub(super) fn check(made: &Planned, allowed: &[Allowance], expect: Option<&Expectation>) -> Result<Option<String>> {
    let objections = guard::objections(&made.plan, allowed);
    if !objections.is_empty() {
        let file = &made.prepared.file;
        let (source, places) = (&file.source, &file.loaded.places);
        return Ok(Some(render::objections(&made.plan, &objections, source, places, &made.command())));
    }
    if let Some(expect) = expect {
        confirm::expected(&made.plan, expect)?;
    }
    Ok(None)
}

enum Answer {
    Yes,
    No,
}

fn ask(agreed: &[Planned], apply: &Apply, question: Question) -> Result<Answer> {
    if question == Question::None || apply.yes || apply.expect.is_some() {
        return Ok(Answer::Yes);
    }
    let changes: usize = agreed.iter().map(|made| made.plan.changes.len()).sum();
    let places: Vec<String> = agreed
        .iter()
        .map(|made| format!("{}, {}", made.header.account(), made.header.target.region))
        .collect::<std::collections::BTreeSet<_>>()
        .into_iter()
        .collect();
    let question = format!("Do {} in {}?", render::counted(changes, "change", "changes"), places.join(" and "));
    Ok(if confirm::yes(&question)? { Answer::Yes } else { Answer::No })
}

/// Applies several plans at the same time and reports each as it ends.
async fn do_all(
    agreed: Vec<Planned>,
    permissions: &Permissions,
    format: Format,
    talk: Talk,
    tally: &mut Tally,
) -> Result<()> {
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let mut printed = Ok(());
    let work = stream::iter(&agreed)
        .map(|made| {
            let mut stopped = stopped.clone();
            async move {
                let began = Instant::now();
                let interrupted = async move {
                    // A closed channel means that the run is over anyway.
                    let _ = stopped.wait_for(|stopped| *stopped).await;
                };
                let (report, interruption) =
                    apply::apply(&made.prepared.session, &made.plan, permissions, interrupted).await;
                (made, report, interruption, began.elapsed())
            }
        })
        .buffer_unordered(STACKS_AT_ONCE);
    let mut work = std::pin::pin!(work);
    let mut interrupt = std::pin::pin!(interrupt());
    loop {
        tokio::select! {
            () = &mut interrupt, if !*stopped.borrow() => {
                // The receivers live as long as the work does.
                let _ = stop.send(true);
            }
            ended = work.next() => {
                let Some((made, report, interruption, elapsed)) = ended else { break };
                let json = render::report_json(&made.plan, &report, elapsed.as_secs_f64());
                tally.ended(&made.prepared.file.source, exit_of(&report, interruption), json);
                // A reader that went away must not end the work on the other stacks.
                printed = printed.and(tell_report(made, &report, interruption, elapsed, format, talk));
            }
        }
    }
    printed
}

/// Resolves at Ctrl-C and at SIGTERM. Listens from this call on, not from the first poll.
pub(super) fn interrupt() -> impl Future<Output = ()> {
    let signals = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    async move {
        // Where a signal cannot be listened for, its default action ends the process, which is as safe.
        let (Ok(mut interrupt), Ok(mut terminate)) = signals else { return std::future::pending().await };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }
}

/// Returns how a run with this report exits.
pub(super) fn exit_of(report: &Report, interruption: Interruption) -> Exit {
    if interruption == Interruption::Interrupted {
        return Exit::Interrupted;
    }
    report.outcomes.iter().fold(Exit::Done, |exit, outcome| {
        exit.worst(match &outcome.end {
            End::Done | End::NotAttempted { .. } => Exit::Done,
            End::Failed { refused: true, .. } => Exit::Refused,
            End::Failed { refused: false, .. } => Exit::Failed,
            End::StillUnderWay { .. } => Exit::StillUnderWay,
        })
    })
}

/// Prints what became of one plan; JSON is printed at the end, for all stacks at once.
pub(super) fn tell_report(
    made: &Planned,
    report: &Report,
    interruption: Interruption,
    elapsed: Duration,
    format: Format,
    talk: Talk,
) -> Result<()> {
    let seconds = elapsed.as_secs_f64();
    match format {
        Format::Text => {
            let next = if talk.quiet || made.plan.verb == Verb::Down { Vec::new() } else { next_steps(made) };
            print(&render::report(&made.plan, report, interruption, seconds, &next, &made.header))
        }
        Format::Markdown => print(&render::report_markdown(&made.plan, report, interruption, seconds, &made.header)),
        Format::Json => Ok(()),
    }
}

/// What a user does next: where to send, and where to look.
fn next_steps(made: &Planned) -> Vec<(String, String)> {
    let names = &made.plan.names;
    let source = &made.prepared.file.source;
    let region = &made.header.target.region;
    let mut next =
        vec![("send".to_owned(), format!("JSON records, one a line, to delivery stream {} in {region}", names.stream))];
    if made.header.local.is_some() {
        next.push(("point".to_owned(), "a program at it: ekk local run -- CMD".to_owned()));
    }
    next.push(("see".to_owned(), made.way_to_dashboards()));
    next.push(("look".to_owned(), format!("ekk status{} {source}", made.flags)));
    next
}
