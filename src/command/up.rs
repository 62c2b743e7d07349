//! `ekk up`: shows the plan, then does it.

use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt as _};
use serde_json::{Value, json};

use super::plan::{Asked, Planned, Wanted, make};
use super::progress::progress;
use super::{confirm, mention, prepare, print, print_json, tell};
use crate::apply::{self, End, Interruption, Permissions, Report};
use crate::cli::{Apply, Format, Talk, Up};
use crate::error::{Error, Exit, Result};
use crate::guard::{self, Allowance};
use crate::plan::{FORMAT, Verb};
use crate::render::{self, Detail};
use crate::wait::Deadline;

/// How many stacks are applied at the same time.
const STACKS_AT_ONCE: usize = 8;

/// Runs `ekk up`.
pub(super) async fn run(args: Up, talk: Talk) -> Result<Exit> {
    let files = prepare::load(&args.stacks)?;
    let local = prepare::place_of(&args.place, talk).await?;
    let several = files.len() > 1;
    let mut exit = Exit::Done;
    let mut planned = Vec::new();
    for file in files {
        let asked = Asked { wanted: Wanted::Up, allow: &args.allow, place: &args.place, local: local.as_deref() };
        let label = several.then(|| file.loaded.spec.stack.clone());
        match make(file, &asked, deadline(&args.apply), progress(talk, label)).await {
            Ok(made) => planned.push(made),
            Err(error) => {
                super::tell_error(&error);
                exit = exit.worst(error.exit());
            }
        }
    }
    let mut agreed = Vec::new();
    let mut reports = Vec::new();
    for made in planned {
        announce(&made, args.output.format, talk)?;
        match check(&made, &args.allow.allowed, args.apply.expect.as_deref()) {
            Err(error) => {
                super::tell_error(&error);
                exit = exit.worst(error.exit());
            }
            Ok(Some(refused)) => exit = exit.worst(refused),
            Ok(None) if made.plan.is_empty() => {
                let nothing = Report { outcomes: Vec::new() };
                reports.push(render::report_json(&made.plan, &nothing, 0.0));
            }
            Ok(None) => agreed.push(made),
        }
    }
    if !agreed.is_empty() {
        match ask(&agreed, &args.apply, local.is_some())? {
            Answer::Yes => {
                let permissions = Permissions { allowed: args.allow.allowed.clone(), adopt: args.allow.adopt() };
                let (ended, values) = do_all(agreed, &permissions, args.output.format, talk).await?;
                exit = exit.worst(ended);
                reports.extend(values);
            }
            Answer::No => {
                tell("Nothing was changed.\n");
                exit = exit.worst(Exit::Refused);
            }
        }
    }
    if args.output.format == Format::Json {
        print_json(&json!({"format": FORMAT, "stacks": reports}))?;
    }
    Ok(exit)
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

/// Checks what stands in the way and what was expected, before anything is touched.
pub(super) fn check(made: &Planned, allowed: &[Allowance], expect: Option<&str>) -> Result<Option<Exit>> {
    let objections = guard::objections(&made.plan, allowed);
    if !objections.is_empty() {
        let file = &made.prepared.file;
        tell(&render::objections(&made.plan, &objections, &file.source, &file.loaded.places));
        return Ok(Some(Exit::Refused));
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

fn ask(agreed: &[Planned], apply: &Apply, is_local: bool) -> Result<Answer> {
    if apply.yes || apply.expect.is_some() || is_local {
        return Ok(Answer::Yes);
    }
    if !confirm::can_ask() {
        return Err(no_terminal());
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

pub(super) fn no_terminal() -> Error {
    Error::usage("there is no terminal to ask on").hint("pass --yes, or --expect with the plan's fingerprint")
}

/// Applies several plans at the same time and reports each as it ends.
async fn do_all(
    agreed: Vec<Planned>,
    permissions: &Permissions,
    format: Format,
    talk: Talk,
) -> Result<(Exit, Vec<Value>)> {
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let mut exit = Exit::Done;
    let mut values = Vec::new();
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
                exit = exit.worst(exit_of(&report, interruption));
                values.push(tell_report(made, &report, interruption, elapsed, format, talk)?);
            }
        }
    }
    Ok((exit, values))
}

/// Resolves at Ctrl-C, and at SIGTERM where there is one.
pub(super) async fn interrupt() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    // Where no signal can be listened for, the default action ends the process, which is as safe.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
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

/// Prints what became of one plan and returns it as JSON.
pub(super) fn tell_report(
    made: &Planned,
    report: &Report,
    interruption: Interruption,
    elapsed: Duration,
    format: Format,
    talk: Talk,
) -> Result<Value> {
    let seconds = elapsed.as_secs_f64();
    match format {
        Format::Text => {
            let next = if talk.quiet || made.plan.verb == Verb::Down { Vec::new() } else { next_steps(made) };
            print(&render::report(&made.plan, report, interruption, seconds, &next, &made.header))?;
        }
        Format::Markdown => {
            print(&render::report_markdown(&made.plan, report, interruption, seconds, &made.header))?;
        }
        Format::Json => {}
    }
    Ok(render::report_json(&made.plan, report, seconds))
}

/// What a user does next: where to send, and where to look.
fn next_steps(made: &Planned) -> Vec<(String, String)> {
    let names = &made.plan.names;
    let source = &made.prepared.file.source;
    let mut next = vec![("send".to_owned(), format!("JSON records, one a line, to delivery stream {}", names.stream))];
    if made.header.local.is_some() {
        next.push(("point".to_owned(), "a program at it: ekk local run -- CMD".to_owned()));
        next.push(("look".to_owned(), format!("ekk status --local {source}")));
    } else {
        next.push(("look".to_owned(), format!("ekk status {source}")));
    }
    next
}
