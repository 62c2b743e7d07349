//! `ekk status`: each resource as it is live, and, where there is a file, which settings differ from it.

use std::ffi::OsStr;

use super::plan::{Asked, Wanted, local_page, make_as_far_as_seen};
use super::prepare::{File, Opened};
use super::tally::Tally;
use super::{prepare, print, tell_error};
use crate::aws::{DomainScheme, Session};
use crate::cli::{self, Allow, Format, Place, Talk};
use crate::error::{Error, Exit, Result};
use crate::located::Depth;
use crate::plan::{Action, FieldChange, Plan};
use crate::read;
use crate::render::{self, Header, ResourceStatus, StackStatus, State};
use crate::resource::bucket::BucketSettings;
use crate::resource::domain::DomainSettings;
use crate::resource::index_pattern::IndexPatternSettings;
use crate::resource::index_template::IndexTemplateSettings;
use crate::resource::log_group::LogGroupSettings;
use crate::resource::role::RoleSettings;
use crate::resource::stream::StreamSettings;
use crate::resource::{Condition, Goal, Kind, Manage, Owner, Read, Readiness};
use crate::stack::{Live, Names, Slot};

/// Runs `ekk status`.
pub(super) async fn run(args: cli::Status, talk: Talk) -> Result<Exit> {
    let cli::Status { stacks, place, output } = args;
    let (mut names, mut in_files) = (Vec::new(), Vec::new());
    for stack in &stacks {
        match prepare::name_of(stack.as_os_str()) {
            Some(name) => names.push(name),
            None => in_files.push(stack),
        }
    }
    // Without any argument there is a file all the same.
    let files = if in_files.is_empty() && !names.is_empty() { Vec::new() } else { prepare::load(&in_files)? };
    let local = prepare::place_of(&place, talk).await?;
    let mut tally = Tally::new(&files, "looked at").and_named(&names);
    for file in files {
        let source = file.source.clone();
        let found = Box::pin(of_file(file, &place, local.as_deref())).await;
        tell(&mut tally, &source, found, output.format)?;
    }
    for name in names {
        let found = Box::pin(of_name(name, &place, talk)).await;
        tell(&mut tally, name, found, output.format)?;
    }
    tally.print(output.format)?;
    Ok(tally.exit())
}

/// A stack as far as it could be seen, and what could not be.
struct Looked {
    status: StackStatus,
    header: Header,
    unread: Option<Error>,
}

fn tell(tally: &mut Tally, source: &str, looked: Result<Looked>, format: Format) -> Result<()> {
    match looked {
        Ok(Looked { status, header, unread }) => {
            match format {
                Format::Text => print(&render::status(&status, &header))?,
                Format::Markdown => print(&render::status_markdown(&status, &header))?,
                Format::Json => {}
            }
            let exit = unread.as_ref().map_or(Exit::Done, Error::exit);
            unread.iter().for_each(tell_error);
            tally.ended(source, exit, render::status_json(&status, &header));
        }
        Err(error) => tally.failed(source, &error),
    }
    Ok(())
}

/// Looks at the stack of a file, and compares it with that.
async fn of_file(file: File, place: &Place, local: Option<&str>) -> Result<Looked> {
    // Nothing is written, so what nobody owns is compared as if it were to be adopted; its owner stands as a difference.
    let allow = Allow { allowed: Vec::new(), adopt: Some(Vec::new()), no_dry_run: true };
    let asked = Asked { wanted: Wanted::Up, allow: &allow, place, local };
    let (made, unread) = make_as_far_as_seen(file, &asked).await?;
    let seen = Seen {
        session: &made.prepared.session,
        names: &made.plan.names,
        live: &made.live,
        plan: Some(&made.plan),
        dashboards: made.way_to_dashboards(),
    };
    Ok(Looked { status: seen.status().await?, header: made.header, unread })
}

/// Looks at the stack of a name, with nothing to compare it with.
async fn of_name(name: &str, place: &Place, talk: Talk) -> Result<Looked> {
    let opened = prepare::open(Some(OsStr::new(name)), place, talk, Depth::IndexPattern).await?;
    let Opened { word, session, header, stack, file: _ } = opened;
    let names = &stack.names;
    let (live, unread) = read::as_far_as_seen(&session, names).await?;
    let dashboards =
        local_page(&header, names).unwrap_or_else(|| format!("ekk dashboards{} {word}", prepare::flags(place)));
    let seen = Seen { session: &session, names, live: &live, plan: None, dashboards };
    Ok(Looked { status: seen.status().await?, header, unread })
}

/// A stack that was looked at.
struct Seen<'a> {
    session: &'a Session,
    names: &'a Names,
    live: &'a Live,
    /// What would make it as its file says, where it has one.
    plan: Option<&'a Plan>,
    dashboards: String,
}

impl Seen<'_> {
    async fn status(self) -> Result<StackStatus> {
        let resources = vec![
            self.resource::<RoleSettings>().await?,
            self.resource::<BucketSettings>().await?,
            self.resource::<LogGroupSettings>().await?,
            self.resource::<DomainSettings>().await?,
            self.resource::<IndexTemplateSettings>().await?,
            self.resource::<StreamSettings>().await?,
            self.resource::<IndexPatternSettings>().await?,
        ];
        let scheme = match self.session.aws.domain_scheme {
            DomainScheme::Https => "https",
            DomainScheme::Http => "http",
        };
        let endpoint = self.live.domain.present().and_then(|domain| domain.facts.endpoint.as_ref());
        Ok(StackStatus {
            stack: self.names.stack.clone(),
            resources,
            strays: self.live.strays.clone(),
            endpoint: endpoint.map(|endpoint| format!("{scheme}://{endpoint}")),
            dashboards: endpoint.map(|_| self.dashboards),
        })
    }

    async fn resource<T: Manage + Slot>(&self) -> Result<ResourceStatus> {
        let Self { session, names, live, plan, dashboards: _ } = self;
        let state = match T::live(live) {
            Read::Absent => State::Absent,
            Read::Unknown(why) => State::Unknown(why.clone()),
            Read::Present(observed) => match (&observed.owner, &observed.condition) {
                (Owner::Other { stack, region }, _) => State::NotOurs(format!("belongs to stack {stack} in {region}")),
                (Owner::Ours | Owner::Nobody, Condition::Settled) => State::Ready,
                (Owner::Ours | Owner::Nobody, Condition::Deleting) => State::Deleting,
                (Owner::Ours | Owner::Nobody, Condition::Broken(why)) => State::Broken(why.clone()),
                (Owner::Ours | Owner::Nobody, Condition::Changing(why)) => {
                    match T::readiness(session, names, Goal::InForce).await? {
                        Readiness::Ready => State::Ready,
                        Readiness::Pending { why, stage } => State::Changing { why, stage },
                        Readiness::Failed(reason) => {
                            State::Broken(if reason.is_empty() { why.clone() } else { reason })
                        }
                    }
                }
            },
        };
        Ok(ResourceStatus {
            kind: T::KIND,
            name: names.of(T::KIND).to_owned(),
            state,
            differences: plan.map(|plan| differences(plan, T::KIND)),
        })
    }
}

/// The settings in which a live resource differs from the file, as the plan found them.
fn differences(plan: &Plan, kind: Kind) -> Vec<FieldChange> {
    plan.changes
        .iter()
        .filter(|change| {
            change.kind == kind
                && matches!(change.action, Action::Update | Action::Replace)
                && change.buffered_seconds == 0
        })
        .flat_map(|change| change.fields.clone())
        .chain(plan.refusals.iter().filter(|refusal| refusal.kind == kind).filter_map(|refusal| refusal.field.clone()))
        .collect()
}
