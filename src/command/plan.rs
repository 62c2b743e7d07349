//! `ekk plan`: what `up` or `down` would do, and nothing else.

use serde_json::json;

use super::prepare::{self, File, Prepared};
use super::{mention, print, print_json, tell};
use crate::cli::{Allow, Format, Place, PlanArgs, Talk, Up};
use crate::error::{Error, Exit, Result};
use crate::guard;
use crate::plan::{self, FORMAT, Plan, Verb};
use crate::preflight::{self, Preflight};
use crate::read;
use crate::render::{self, Detail, Header};
use crate::resolve;
use crate::stack::{Desired, Intent, Live, Names, Origin};
use crate::wait::{Deadline, Progress};

/// Runs `ekk plan`.
pub(super) async fn run(args: PlanArgs, talk: Talk) -> Result<Exit> {
    let files = prepare::load(&args.stacks)?;
    let local = prepare::place_of(&args.place, talk).await?;
    let wanted = match (args.destroy, args.delete_backup) {
        (false, _) => Wanted::Up,
        (true, false) => Wanted::Down(Backup::Keep),
        (true, true) => Wanted::Down(Backup::Delete),
    };
    let mut exit = Exit::Done;
    let mut plans = Vec::new();
    for file in files {
        let asked = Asked { wanted, allow: &args.allow, place: &args.place, local: local.as_deref() };
        let planned = match make(file, &asked, Deadline::Never, Progress::silent()).await {
            Ok(planned) => planned,
            Err(error) => {
                super::tell_error(&error);
                exit = exit.worst(error.exit());
                continue;
            }
        };
        let objections = guard::objections(&planned.plan, &args.allow.allowed);
        show(&planned, args.output.format, talk)?;
        if !objections.is_empty() {
            let source = &planned.prepared.file.source;
            let why = render::objections(&planned.plan, &objections, source, &planned.prepared.file.loaded.places);
            let verb = if args.destroy { "down" } else { "up" };
            tell(&format!("`ekk {verb}` would be {why}"));
        }
        if args.exit_code {
            exit = exit.worst(match (objections.is_empty(), planned.plan.is_empty()) {
                (false, _) => Exit::Refused,
                (true, false) => Exit::ChangesPending,
                (true, true) => Exit::Done,
            });
        }
        plans.push(render::plan_json(&planned.plan));
    }
    let json = json!({"format": FORMAT, "stacks": plans});
    if args.output.format == Format::Json {
        print_json(&json)?;
    }
    if let Some(path) = &args.out {
        let text = serde_json::to_string_pretty(&json).map_err(|error| Error::failed(error.to_string()))?;
        std::fs::write(path, text + "\n")
            .map_err(|error| Error::failed(format!("--out {}: {error}", path.display())))?;
        mention(talk, &format!("The plan is kept in {}: `ekk up --expect {0}` does exactly it.\n", path.display()));
    }
    Ok(exit)
}

/// Returns the arguments of `ekk plan` that mean `ekk up --dry-run`.
pub(super) fn dry_run(up: Up) -> PlanArgs {
    let Up { stacks, dry_run: _, place, apply: _, allow, output } = up;
    PlanArgs { stacks, destroy: false, delete_backup: false, exit_code: false, out: None, place, allow, output }
}

/// Which plan is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Towards what the file says.
    Up,
    /// Towards nothing.
    Down(Backup),
}

/// What becomes of the backup bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Backup {
    /// It stays.
    Keep,
    /// It goes, with every record in it.
    Delete,
}

/// What a plan is made from, beside the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    pub(super) wanted: Wanted,
    pub(super) allow: &'a Allow,
    pub(super) place: &'a Place,
    pub(super) local: Option<&'a str>,
}

/// A plan with everything that was needed to make it.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) prepared: Prepared,
    pub(super) header: Header,
    pub(super) plan: Plan,
    pub(super) live: Live,
}

/// Reads what is live and plans. Writes nothing.
pub(super) async fn make(file: File, asked: &Asked<'_>, deadline: Deadline, progress: Progress) -> Result<Planned> {
    let prepared = prepare::connect(file, asked.place, asked.local, deadline, progress).await?;
    let (live, header) =
        futures_util::join!(read::live(&prepared.session, &prepared.names), prepared.header(asked.local));
    let header = header?;
    let spec = &prepared.file.loaded.spec;
    resolve::check_place(spec, &header.target)?;
    let live = live?;
    let names = prepared.names.filled(&header.target);
    let (verb, desired) = match asked.wanted {
        Wanted::Up => (Verb::Up, resolve::resolve(spec, &header.target).1),
        Wanted::Down(Backup::Keep) => (Verb::Down, Desired { bucket: Intent::Keep, ..Desired::default() }),
        Wanted::Down(Backup::Delete) => (Verb::Down, Desired::default()),
    };
    let desired = match verb {
        Verb::Up => desired,
        Verb::Down => keep_existing(&names, desired),
    };
    let mut plan = plan::plan(verb, &header.target, &names, &desired, &live, &asked.allow.adopt());
    if verb == Verb::Up {
        plan.warnings.extend(prepared.file.loaded.warnings.iter().map(ToString::to_string));
    }
    let answer = match plan.domain_update() {
        None => None,
        Some(_) if asked.allow.no_dry_run => {
            Some(Preflight::NotAsked("--no-dry-run: the costs are those of the table of known changes".to_owned()))
        }
        Some((before, after, pointers)) => {
            Some(preflight::ask(&prepared.session, &names, before, after, &pointers).await?)
        }
    };
    if let Some(answer) = answer {
        plan.take_dry_run(answer);
    }
    Ok(Planned { prepared, header, plan, live })
}

/// What exists without ekk is never deleted, so it is not read as something that must go.
fn keep_existing(names: &Names, desired: Desired) -> Desired {
    let kept = |origin: Origin| origin == Origin::Existing;
    Desired {
        role: if kept(names.role_origin) { Intent::Keep } else { desired.role },
        bucket: if kept(names.bucket_origin) { Intent::Keep } else { desired.bucket },
        ..desired
    }
}

/// Prints a plan in the form that was asked for; JSON is printed at the end, for all stacks at once.
pub(super) fn show(planned: &Planned, format: Format, talk: Talk) -> Result<()> {
    let detail = if talk.verbose { Detail::Every } else { Detail::Short };
    match format {
        Format::Text => print(&render::plan(&planned.plan, &planned.header, detail)),
        Format::Markdown => print(&render::plan_markdown(&planned.plan, &planned.header)),
        Format::Json => Ok(()),
    }
}
