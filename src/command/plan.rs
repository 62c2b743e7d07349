//! `ekk plan`: what `up` or `down` would do, and nothing else.

use super::prepare::{self, File, Prepared, quoted};
use super::tally::Tally;
use super::{mention, print, tell};
use crate::aws::Session;
use crate::cli::{Allow, Format, Place, PlanArgs, Talk, Up};
use crate::error::{Error, Exit, Result};
use crate::guard;
use crate::plan::{self, Plan, Verb};
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
    let mut tally = Tally::new(&files, "planned");
    let sources: Vec<String> = files.iter().map(|file| file.source.clone()).collect();
    for file in files {
        let source = file.source.clone();
        let asked = Asked { wanted, allow: &args.allow, place: &args.place, local: local.as_deref() };
        let planned = match make(file, &asked, Deadline::Never, Progress::silent()).await {
            Ok(planned) => planned,
            Err(error) => {
                tally.failed(&source, &error);
                continue;
            }
        };
        let objections = guard::objections(&planned.plan, &args.allow.allowed);
        show(&planned, args.output.format, talk)?;
        if !objections.is_empty() {
            let places = &planned.prepared.file.loaded.places;
            let why = render::objections(&planned.plan, &objections, &source, places, &planned.command());
            let verb = if args.destroy { "down" } else { "up" };
            tell(&format!("`ekk {verb}` would be {why}"));
        }
        let exit = match (args.exit_code, objections.is_empty(), planned.plan.is_empty()) {
            (false, _, _) | (true, true, true) => Exit::Done,
            (true, false, _) => Exit::Refused,
            (true, true, false) => Exit::ChangesPending,
        };
        tally.ended(&source, exit, render::plan_json(&planned.plan));
    }
    tally.print(args.output.format)?;
    if let Some(path) = &args.out {
        let text = serde_json::to_string_pretty(&tally.json()).map_err(|error| Error::failed(error.to_string()))?;
        std::fs::write(path, text + "\n")
            .map_err(|error| Error::failed(format!("--out {}: {error}", path.display())))?;
        let command = command(
            wanted,
            &prepare::flags(&args.place),
            &sources.iter().map(|one| quoted(one)).collect::<Vec<_>>().join(" "),
        );
        mention(talk, &format!("The plan is kept in {}: `{command} --expect {0}` does exactly it.\n", path.display()));
    }
    Ok(tally.exit())
}

/// Returns what a user types to have a plan done.
fn command(wanted: Wanted, flags: &str, sources: &str) -> String {
    match wanted {
        Wanted::Up => format!("ekk up{flags} {sources}"),
        Wanted::Down(Backup::Keep) => format!("ekk down{flags} {sources}"),
        Wanted::Down(Backup::Delete) => format!("ekk down --delete-backup{flags} {sources}"),
    }
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
    /// The flags that lead to the same place again.
    pub(super) flags: String,
    wanted: Wanted,
}

impl Planned {
    /// Returns what a user types to have this plan done.
    pub(super) fn command(&self) -> String {
        command(self.wanted, &self.flags, &quoted(&self.prepared.file.source))
    }

    /// Returns what a user types to have another command look at this stack in this place.
    pub(super) fn command_of(&self, verb: &str) -> String {
        let Names { stack, region, .. } = &self.plan.names;
        let (flags, source) = (&self.flags, &self.prepared.file.source);
        match source.as_str() {
            // What came by standard input is gone; its stack has a name.
            "-" if flags.contains("--region ") => format!("ekk {verb}{flags} {stack}"),
            "-" => format!("ekk {verb}{flags} --region {region} {stack}"),
            _ => format!("ekk {verb}{flags} {}", quoted(source)),
        }
    }

    /// As [`local_page`].
    pub(super) fn local_page(&self) -> Option<String> {
        local_page(&self.header, &self.plan.names)
    }

    /// Returns what leads a person to the stack's Dashboards: the address of the local page, or the command.
    pub(super) fn way_to_dashboards(&self) -> String {
        self.local_page().unwrap_or_else(|| self.command_of("dashboards"))
    }
}

/// Returns the address of the page that stands for Dashboards on the local AWS; on AWS there is none, since the domain's
/// own address answers a browser 403.
pub(super) fn local_page(header: &Header, names: &Names) -> Option<String> {
    let Names { region, domain, .. } = names;
    header.local.as_ref().map(|address| format!("{address}/_dashboards/{region}/{domain}/"))
}

/// Reads what is live and plans. Writes nothing.
pub(super) async fn make(file: File, asked: &Asked<'_>, deadline: Deadline, progress: Progress) -> Result<Planned> {
    planned(file, asked, deadline, progress, read::live).await
}

/// The same for who only looks: what cannot be read is unknown, and told beside the plan.
pub(super) async fn make_as_far_as_seen(file: File, asked: &Asked<'_>) -> Result<(Planned, Option<Error>)> {
    let mut unread = None;
    let read = async |session: &Session, names: &Names| {
        let (live, error) = read::as_far_as_seen(session, names).await?;
        unread = error;
        Ok(live)
    };
    let planned = planned(file, asked, Deadline::Never, Progress::silent(), read).await?;
    Ok((planned, unread))
}

async fn planned(
    file: File,
    asked: &Asked<'_>,
    deadline: Deadline,
    progress: Progress,
    read: impl AsyncFnOnce(&Session, &Names) -> Result<Live>,
) -> Result<Planned> {
    let prepared = prepare::connect(file, asked.place, asked.local, deadline, progress).await?;
    // Without an identity (no network, no credentials) the reads fail as well, each after all its retries: they are
    // not waited for.
    let (live, header) = futures_util::try_join!(
        async { Ok(read(&prepared.session, &prepared.names).await) },
        prepared.header(asked.local)
    )?;
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
    let flags = prepare::flags(asked.place);
    Ok(Planned { prepared, header, plan, live, flags, wanted: asked.wanted })
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
