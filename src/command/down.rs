//! `ekk down`: deletes what this stack owns, in the safe order, after saying what will be lost.

use std::time::Instant;

use super::confirm::Question;
use super::plan::{Asked, Backup, Planned, Wanted, make};
use super::progress::progress;
use super::tally::Tally;
use super::up::{announce, check, deadline, exit_of, interrupt, tell_report};
use super::{confirm, prepare, tell};
use crate::apply::{self, Permissions, Report};
use crate::cli::{Allow, Down, Talk};
use crate::error::{Error, Exit, Result};
use crate::guard::Allowance;
use crate::losses;
use crate::plan::Action;
use crate::render;
use crate::resource::Hazard;

/// Runs `ekk down`.
pub(super) async fn run(args: Down, talk: Talk) -> Result<Exit> {
    let stacks: Vec<_> = args.stack.iter().collect();
    let mut files = prepare::load(&stacks)?;
    let file = match (files.pop(), files.is_empty()) {
        (Some(file), true) => file,
        (Some(_) | None, _) => {
            return Err(Error::usage("`ekk down` takes one stack a call").hint("name one file"));
        }
    };
    let mut tally = Tally::new(std::slice::from_ref(&file), "down");
    let source = file.source.clone();
    let expectation = confirm::prepared(&args.apply, Question::Asked)?;
    let local = prepare::place_of(&args.place, talk).await?;
    let backup = if args.delete_backup { Backup::Delete } else { Backup::Keep };
    // Deleting adopts nothing, and a domain that goes is not asked for a dry run.
    let allow = Allow { allowed: args.allowed.clone(), adopt: None, no_dry_run: true };
    let asked = Asked { wanted: Wanted::Down(backup), allow: &allow, place: &args.place, local: local.as_deref() };
    let made = make(file, &asked, deadline(&args.apply), progress(talk, None)).await?;
    announce(&made, args.output.format, talk)?;
    if made.plan.is_empty() {
        let nothing = Report { outcomes: Vec::new() };
        tally.ended(&source, Exit::Done, render::report_json(&made.plan, &nothing, 0.0));
        tally.print(args.output.format)?;
        return Ok(tally.exit());
    }
    for loss in losses::of(&made.prepared.session, &made.plan).await {
        tell(&format!("{}will be lost{:#}: {loss}\n", render::BAD, render::BAD));
    }
    let is_answered = args.apply.yes || expectation.is_some();
    let mut allowed = args.allowed.clone();
    if !is_answered {
        // The stack's name, typed, stands for this flag.
        allowed.push(Allowance { hazard: Hazard::DeleteData, kind: None });
    }
    // Nobody is asked about what would be refused anyway.
    if let Some(objections) = check(&made, &allowed, expectation.as_ref())? {
        tell(&objections);
        tally.stopped(&source, Exit::Refused, render::plain(&objections).trim_end(), &[]);
        tally.print(args.output.format)?;
        return Ok(tally.exit());
    }
    if !is_answered && !agrees(&made)? {
        tell("Nothing was deleted.\n");
        tally.stopped(&source, Exit::Refused, "the answer was no", &[]);
        tally.print(args.output.format)?;
        return Ok(tally.exit());
    }
    let permissions = Permissions { allowed, ..Permissions::default() };
    let began = Instant::now();
    let (report, interruption) = apply::apply(&made.prepared.session, &made.plan, &permissions, interrupt()).await;
    let elapsed = began.elapsed();
    tell_report(&made, &report, interruption, elapsed, args.output.format, talk)?;
    let json = render::report_json(&made.plan, &report, elapsed.as_secs_f64());
    tally.ended(&source, exit_of(&report, interruption), json);
    tally.print(args.output.format)?;
    Ok(tally.exit())
}

/// Asks for the stack's name where data would be lost, else for a yes.
fn agrees(made: &Planned) -> Result<bool> {
    let stack = &made.plan.stack;
    let place = format!("{}, {}", made.header.account(), made.header.target.region);
    let loses_data =
        made.plan.changes.iter().any(|change| change.hazards.iter().any(|note| note.hazard == Hazard::DeleteData));
    if loses_data {
        return confirm::typed(&format!("To delete it from {place}, type the stack's name ({stack}):"), stack);
    }
    let deletes = made.plan.count(Action::Delete);
    confirm::yes(&format!("Delete {} from {place}?", render::counted(deletes, "resource", "resources")))
}
