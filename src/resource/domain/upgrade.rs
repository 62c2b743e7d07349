//! Upgrades the engine: waits until the domain is idle, lets AWS check, upgrades, and waits until it is done. A run
//! that was killed on the way goes on from whatever it finds.

use aws_sdk_opensearch::operation::get_upgrade_status::GetUpgradeStatusOutput;
use aws_sdk_opensearch::types::{DomainStatus, UpgradeStatus, UpgradeStep};

use crate::aws::{self, Session};
use crate::error::{ErrorKind, Result};
use crate::resource::domain::progress::{self, Phase};
use crate::resource::domain::refusal::Attempts;
use crate::resource::domain::{SHOWS_AFTER, in_force, is_missing, label};
use crate::resource::{Kind, Readiness};
use crate::wait::Polling;

/// Brings the engine to `target`. Returns at once where it is there already.
///
/// # Errors
/// Fails with what AWS's check found, or with what broke the upgrade; still under way at the deadline.
pub(super) async fn upgrade(session: &Session, name: &str, target: &str) -> Result<()> {
    let mut polling = Polling::new(&session.waiting, Kind::Domain, name);
    while !polling.is_ready(in_force(session, name).await?).await? {}
    if let Some(status) = session.domain(name).await?
        && status.engine_version() == Some(target)
    {
        return Ok(());
    }
    send(session, name, target, Mode::Check).await?;
    await_outcome(session, name, target, Mode::Check).await?;
    send(session, name, target, Mode::Upgrade).await?;
    await_outcome(session, name, target, Mode::Upgrade).await
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Check,
    Upgrade,
}

async fn send(session: &Session, name: &str, target: &str, mode: Mode) -> Result<()> {
    let mut attempts = Attempts::new(session, name, "es:UpgradeDomain");
    loop {
        let call = session.aws.opensearch.upgrade_domain().domain_name(name).target_version(target);
        match call.perform_check_only(mode == Mode::Check).send().await {
            Ok(_) => return Ok(()),
            Err(error) => attempts.again(error).await.map_err(|error| {
                let ways = format!("`aws opensearch get-compatible-versions --domain-name {name}` lists the ways");
                if error.kind == ErrorKind::Failed { error.hint(ways) } else { error }
            })?,
        }
    }
}

async fn await_outcome(session: &Session, name: &str, target: &str, mode: Mode) -> Result<()> {
    let mut polling = Polling::new(&session.waiting, Kind::Domain, name);
    let mut unseen = 0;
    while !polling.is_ready(outcome(session, name, target, mode, &mut unseen).await?).await? {}
    Ok(())
}

/// Tells how far a check or an upgrade is; `unseen` counts how often an upgrade did not show.
async fn outcome(session: &Session, name: &str, target: &str, mode: Mode, unseen: &mut u32) -> Result<Readiness> {
    // What is told of an older upgrade is not about this one.
    let found = upgrade_status(session, name).await?.filter(|found| {
        found.upgrade_name().is_none_or(|told| !told.to_lowercase().contains("search_") || told.contains(target))
    });
    let step = found.as_ref().and_then(|found| found.upgrade_step().cloned());
    let result = found.as_ref().and_then(|found| found.step_status().cloned());
    if result == Some(UpgradeStatus::Failed) {
        return Ok(Readiness::Failed(failure(session, name, target, mode).await));
    }
    let Some(status) = session.ask_domain(name).await? else {
        return Ok(Readiness::Failed("was deleted during its upgrade".to_owned()));
    };
    let shown = status.upgrade_processing == Some(true);
    let passed = matches!(result, Some(UpgradeStatus::Succeeded | UpgradeStatus::SucceededWithIssues));
    match mode {
        Mode::Check if passed && !shown => Ok(Readiness::Ready),
        Mode::Check => Ok(Readiness::pending(format!("checking the upgrade to {target}"))),
        Mode::Upgrade if has_arrived(&status, target) => Ok(Readiness::Ready),
        Mode::Upgrade => {
            *unseen = if shown { 0 } else { *unseen + 1 };
            if *unseen > SHOWS_AFTER && progress::phase(&status) == Phase::Settled {
                return Ok(Readiness::Failed(format!(
                    "AWS took the upgrade to {target} and does not show it; the engine is {}",
                    status.engine_version().unwrap_or("unknown")
                )));
            }
            Ok(Readiness::Pending { why: format!("upgrading to {target}"), stage: stage(step.as_ref()) })
        }
    }
}

fn has_arrived(status: &DomainStatus, target: &str) -> bool {
    status.engine_version() == Some(target)
        && status.upgrade_processing != Some(true)
        && status.processing != Some(true)
}

/// The three steps of an upgrade.
fn stage(step: Option<&UpgradeStep>) -> Option<(u32, u32)> {
    match step? {
        UpgradeStep::PreUpgradeCheck => Some((1, 3)),
        UpgradeStep::Snapshot => Some((2, 3)),
        UpgradeStep::Upgrade => Some((3, 3)),
        _ => None,
    }
}

async fn upgrade_status(session: &Session, name: &str) -> Result<Option<GetUpgradeStatusOutput>> {
    match session.aws.opensearch.get_upgrade_status().domain_name(name).send().await {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(aws::failure(&label(name), "es:GetUpgradeStatus", error)),
    }
}

/// Words a failed check or upgrade with the issues that the newest entry of the history names.
async fn failure(session: &Session, name: &str, target: &str, mode: Mode) -> String {
    let history = session.aws.opensearch.get_upgrade_history().domain_name(name).send().await;
    let issues: Vec<String> = match history {
        Ok(answer) => answer
            .upgrade_histories()
            .first()
            .map(|newest| newest.steps_list().iter().flat_map(|step| step.issues().to_vec()).collect())
            .unwrap_or_default(),
        // The outcome is known; only its reasons are not.
        Err(error) => vec![aws::failure(&label(name), "es:GetUpgradeHistory", error).message],
    };
    let reasons = if issues.is_empty() { "AWS gives no reason".to_owned() } else { issues.join("; ") };
    match mode {
        Mode::Check => format!("AWS's check refuses the upgrade to {target}: {reasons}; nothing was changed"),
        Mode::Upgrade => format!("the upgrade to {target} failed: {reasons}"),
    }
}
