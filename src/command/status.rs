//! `ekk status`: each resource as it is live, and which settings differ from the file.

use super::plan::{Asked, Planned, Wanted, make};
use super::tally::Tally;
use super::{prepare, print};
use crate::aws::{DomainScheme, Session};
use crate::cli::{self, Allow, Format, Talk};
use crate::error::{Exit, Result};
use crate::plan::{Action, FieldChange};
use crate::render::{self, ResourceStatus, StackStatus, State};
use crate::resource::bucket::BucketSettings;
use crate::resource::domain::DomainSettings;
use crate::resource::index_pattern::IndexPatternSettings;
use crate::resource::index_template::IndexTemplateSettings;
use crate::resource::log_group::LogGroupSettings;
use crate::resource::role::RoleSettings;
use crate::resource::stream::StreamSettings;
use crate::resource::{Condition, Goal, Kind, Manage, Owner, Read, Readiness};
use crate::stack::Slot;
use crate::wait::{Deadline, Progress};

/// Runs `ekk status`.
pub(super) async fn run(args: cli::Status, talk: Talk) -> Result<Exit> {
    let files = prepare::load(&args.stacks)?;
    let local = prepare::place_of(&args.place, talk).await?;
    // Nothing is written, so what nobody owns is compared as if it were to be adopted; its owner stands as a difference.
    let allow = Allow { allowed: Vec::new(), adopt: Some(Vec::new()), no_dry_run: true };
    let mut tally = Tally::new(&files, "looked at");
    for file in files {
        let source = file.source.clone();
        let asked = Asked { wanted: Wanted::Up, allow: &allow, place: &args.place, local: local.as_deref() };
        let found = async {
            let made = make(file, &asked, Deadline::Never, Progress::silent()).await?;
            Ok((status_of(&made).await?, made.header))
        };
        match found.await {
            Ok((status, header)) => {
                match args.output.format {
                    Format::Text => print(&render::status(&status, &header))?,
                    Format::Markdown => print(&render::status_markdown(&status, &header))?,
                    Format::Json => {}
                }
                tally.ended(&source, Exit::Done, render::status_json(&status, &header));
            }
            Err(error) => tally.failed(&source, &error),
        }
    }
    tally.print(args.output.format)?;
    Ok(tally.exit())
}

async fn status_of(made: &Planned) -> Result<StackStatus> {
    let session = &made.prepared.session;
    let resources = vec![
        resource::<RoleSettings>(session, made).await?,
        resource::<BucketSettings>(session, made).await?,
        resource::<LogGroupSettings>(session, made).await?,
        resource::<DomainSettings>(session, made).await?,
        resource::<IndexTemplateSettings>(session, made).await?,
        resource::<StreamSettings>(session, made).await?,
        resource::<IndexPatternSettings>(session, made).await?,
    ];
    let scheme = match session.aws.domain_scheme {
        DomainScheme::Https => "https",
        DomainScheme::Http => "http",
    };
    let endpoint = made.live.domain.present().and_then(|domain| domain.facts.endpoint.as_ref());
    let dashboards = endpoint.map(|_| made.way_to_dashboards());
    Ok(StackStatus {
        stack: made.plan.stack.clone(),
        resources,
        strays: made.live.strays.clone(),
        endpoint: endpoint.map(|endpoint| format!("{scheme}://{endpoint}")),
        dashboards,
    })
}

async fn resource<T: Manage + Slot>(session: &Session, made: &Planned) -> Result<ResourceStatus> {
    let names = &made.plan.names;
    let state = match T::live(&made.live) {
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
                    Readiness::Failed(reason) => State::Broken(if reason.is_empty() { why.clone() } else { reason }),
                }
            }
        },
    };
    Ok(ResourceStatus {
        kind: T::KIND,
        name: names.of(T::KIND).to_owned(),
        state,
        differences: differences(made, T::KIND),
    })
}

/// The settings in which a live resource differs from the file, as the plan found them.
fn differences(made: &Planned, kind: Kind) -> Vec<FieldChange> {
    made.plan
        .changes
        .iter()
        .filter(|change| {
            change.kind == kind
                && matches!(change.action, Action::Update | Action::Replace)
                && change.buffered_seconds == 0
        })
        .flat_map(|change| change.fields.clone())
        .chain(
            made.plan
                .refusals
                .iter()
                .filter(|refusal| refusal.kind == kind)
                .filter_map(|refusal| refusal.field.clone()),
        )
        .collect()
}
