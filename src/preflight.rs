//! Asks AWS what only AWS knows before a domain is changed: whether the change builds a second cluster, and whether it
//! would be refused. A dry run; it must never change anything.

use aws_sdk_opensearch::operation::update_domain_config::UpdateDomainConfigOutput;
use aws_sdk_opensearch::types::{DryRunMode, DryRunProgressStatus, DryRunResults};
use serde::Serialize;
use serde_json::Value;

use crate::aws::{self, Session};
use crate::error::{Error, Result};
use crate::resource::domain::{DomainSettings, is_busy, validation_failure, wire};
use crate::resource::{Condition, Manage as _, Managed, Observed, Read};
use crate::stack::Names;
use crate::wait;

/// What came of asking.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Preflight {
    /// AWS answered.
    Answer(DryRun),
    /// It was not asked, or could not tell; why. The offline table decides then.
    NotAsked(String),
}

/// AWS's answer to a dry run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DryRun {
    /// How AWS would make the change.
    pub deployment: Deployment,
    /// Why AWS would refuse the change: its codes and texts, each with a remedy where one is known. Empty where the
    /// change would pass.
    pub failures: Vec<String>,
}

/// How AWS would make a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Deployment {
    /// With a second cluster, to which the documents move.
    BlueGreen,
    /// In place.
    DynamicUpdate,
    /// Not at all: there is nothing to change.
    None,
    /// AWS cannot tell.
    Undetermined,
}

/// Asks AWS what the change from `before` to `after` would be. `pointers` are those that differ. Tags and the engine
/// version do not go through a dry run.
///
/// # Errors
/// Fails when the server ignored the dry run, and so may have made the change; and where it cannot be reached.
pub async fn ask(
    session: &Session,
    names: &Names,
    before: &Observed<DomainSettings>,
    after: &Managed<DomainSettings>,
    pointers: &[String],
) -> Result<Preflight> {
    match &before.condition {
        Condition::Settled => {}
        Condition::Changing(why) => return Ok(Preflight::NotAsked(format!("the domain is {why}"))),
        Condition::Deleting => return Ok(Preflight::NotAsked("the domain is being deleted".to_owned())),
        Condition::Broken(why) => return Ok(Preflight::NotAsked(format!("the domain is broken: {why}"))),
    }
    let name = session.name(&names.domain).await?;
    let live = session.domain(&name).await?;
    let groups = wire::Groups::changed(&after.settings, pointers, live.as_deref());
    if groups.is_empty() {
        return Ok(Preflight::NotAsked("a dry run does not cover tags and the engine version".to_owned()));
    }
    let call = groups.update(&session.aws.opensearch, &name).dry_run(true).dry_run_mode(DryRunMode::Verbose);
    let answer = match call.send().await {
        Ok(answer) => answer,
        Err(error) => {
            let code = aws::code(&error).unwrap_or_default().to_owned();
            let text = aws::text(&error).unwrap_or_default().to_owned();
            return refused(&code, &text).ok_or_else(|| aws::failure(&label(&name), "es:UpdateDomainConfig", error));
        }
    };
    let UpdateDomainConfigOutput { dry_run_results, dry_run_progress_status, .. } = answer;
    if dry_run_results.is_none() && dry_run_progress_status.is_none() {
        return Err(ignored(session, names, before, after, pointers).await?);
    }
    let (results, progress) = validated(session, &name, dry_run_results, dry_run_progress_status).await?;
    Ok(Preflight::Answer(DryRun {
        deployment: results.map_or(Deployment::Undetermined, |results| deployment(results.deployment_type())),
        failures: progress
            .map(|progress| progress.validation_failures().iter().filter_map(validation_failure).collect())
            .unwrap_or_default(),
    }))
}

fn label(name: &str) -> String {
    format!("domain {name}")
}

/// Reads a refusal of the dry run: some say that it cannot be asked now, some are AWS's answer to the change itself.
fn refused(code: &str, text: &str) -> Option<Preflight> {
    if aws::is_denied(code) {
        return Some(Preflight::NotAsked(format!("the caller may not es:UpdateDomainConfig: {text}")));
    }
    if is_busy(code, text) {
        return Some(Preflight::NotAsked(format!("the domain is busy: {text}")));
    }
    match code {
        "UnknownOperationException" | "NotImplemented" | "DisabledOperationException" => {
            Some(Preflight::NotAsked(format!("the server has no dry run: {text}")))
        }
        "ResourceNotFoundException" => Some(Preflight::NotAsked("the domain is not there any more".to_owned())),
        "ValidationException" | "InvalidTypeException" | "LimitExceededException" => Some(Preflight::Answer(DryRun {
            deployment: Deployment::Undetermined,
            failures: vec![format!("{code}: {text}")],
        })),
        _ => None,
    }
}

/// Words that a server ignored the dry run, after a look at what it made of the call.
async fn ignored(
    session: &Session,
    names: &Names,
    before: &Observed<DomainSettings>,
    after: &Managed<DomainSettings>,
    pointers: &[String],
) -> Result<Error> {
    let name = session.name(&names.domain).await?;
    session.ask_domain(&name).await?;
    let made = match DomainSettings::read(session, names).await? {
        Read::Present(now) => made(&before.settings, &now.settings, &after.settings, pointers),
        Read::Absent | Read::Unknown(_) => Vec::new(),
    };
    let told = format!(
        "{}: es:UpdateDomainConfig: the server answered a dry run without its results: it ignores DryRun",
        label(&name)
    );
    Ok(if made.is_empty() {
        Error::failed(format!("{told} and may have made the change, which does not show so far"))
            .hint("run the plan again with --no-dry-run and look whether the domain has changed")
    } else {
        Error::failed(format!("{told} and has made the change: {}", made.join(", "))).hint(
            "use --no-dry-run with this server; `ekk up --no-dry-run` with the former settings in the file takes the \
             change back where AWS allows it",
        )
    })
}

/// Returns what is now as it is wanted and was not before, such as `cluster.instance_count 1 -> 2`.
fn made(before: &DomainSettings, now: &DomainSettings, wanted: &DomainSettings, pointers: &[String]) -> Vec<String> {
    let json = |settings: &DomainSettings| serde_json::to_value(settings).unwrap_or_default();
    let (before, now, wanted) = (json(before), json(now), json(wanted));
    let at = |settings: &Value, pointer: &str| settings.pointer(pointer).cloned().unwrap_or_default();
    let word = |value: &Value| value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
    pointers
        .iter()
        .filter(|pointer| at(&now, pointer) == at(&wanted, pointer) && at(&now, pointer) != at(&before, pointer))
        .map(|pointer| {
            let key = pointer.trim_start_matches('/').replace('/', ".");
            match at(&now, pointer) {
                // A policy would fill the screen.
                Value::Object(_) | Value::Array(_) => key,
                now @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => {
                    format!("{key} {} -> {}", word(&at(&before, pointer)), word(&now))
                }
            }
        })
        .collect()
}

/// Polls the validation that a verbose dry run starts. What is known by the end of the patience is what counts: the
/// plan must not hang on advice.
async fn validated(
    session: &Session,
    name: &str,
    results: Option<DryRunResults>,
    progress: Option<DryRunProgressStatus>,
) -> Result<(Option<DryRunResults>, Option<DryRunProgressStatus>)> {
    let Some(mut progress) = progress else { return Ok((results, None)) };
    let mut results = results;
    for attempt in 0..VALIDATED_AFTER {
        if is_over(progress.dry_run_status()) && results.is_some() {
            break;
        }
        wait::pause(&session.waiting, attempt).await;
        let id = progress.dry_run_id().to_owned();
        let call = session.aws.opensearch.describe_dry_run_progress().domain_name(name).dry_run_id(id);
        match call.send().await {
            Ok(answer) => {
                results = answer.dry_run_results.or(results);
                progress = answer.dry_run_progress_status.unwrap_or(progress);
            }
            // The service answered the dry run itself; only the validation stays unknown.
            Err(error) if error.as_service_error().is_some() => break,
            Err(error) => return Err(aws::failure(&label(name), "es:DescribeDryRunProgress", error)),
        }
    }
    Ok((results, Some(progress)))
}

/// How often the validation is asked for; about 40 s on AWS.
const VALIDATED_AFTER: u32 = 10;

/// Tells whether a validation has come to its end. The words for its states are not documented, so those that sound
/// like waiting are told apart from all others.
fn is_over(status: &str) -> bool {
    let status = status.to_lowercase();
    !["pending", "progress", "processing", "validating", "initializing", "running"]
        .iter()
        .any(|word| status.contains(word))
}

fn deployment(kind: Option<&str>) -> Deployment {
    match kind {
        Some("Blue/Green") => Deployment::BlueGreen,
        Some("DynamicUpdate") => Deployment::DynamicUpdate,
        Some("None") => Deployment::None,
        Some(_) | None => Deployment::Undetermined,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn awss_words_for_a_deployment_are_read() {
        assert_eq!(deployment(Some("Blue/Green")), Deployment::BlueGreen);
        assert_eq!(deployment(Some("DynamicUpdate")), Deployment::DynamicUpdate);
        assert_eq!(deployment(Some("None")), Deployment::None);
        assert_eq!(deployment(Some("Undetermined")), Deployment::Undetermined);
        assert_eq!(deployment(None), Deployment::Undetermined);
    }

    #[test]
    fn a_refusal_is_either_the_answer_or_no_answer() {
        let not_asked = |code, text| matches!(refused(code, text), Some(Preflight::NotAsked(_)));
        assert!(not_asked("AccessDeniedException", "User is not authorized"));
        assert!(not_asked("ValidationException", "A change/update is in progress. Please wait."));
        assert!(not_asked("UnknownOperationException", ""));
        let Some(Preflight::Answer(answer)) = refused("ValidationException", "Volume size must be at least 10") else {
            panic!("AWS's own answer")
        };
        assert_eq!(answer.failures, vec!["ValidationException: Volume size must be at least 10".to_owned()]);
        assert_eq!(refused("InternalException", ""), None);
    }

    #[test]
    fn a_validation_is_over_when_it_does_not_sound_like_waiting() {
        assert!(!is_over("IN_PROGRESS"));
        assert!(!is_over("Validating"));
        assert!(is_over("COMPLETED"));
        assert!(is_over("failed"));
    }
}
