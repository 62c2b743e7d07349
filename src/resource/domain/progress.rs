//! Says how far a domain is: from its status, and from the stages of its change while one is under way. Failures that
//! waiting cannot heal are told with AWS's codes and what to do about each.

use aws_sdk_opensearch::types::{
    ChangeProgressStatusDetails, ConfigChangeStatus, DomainProcessingStatusType, DomainStatus, InitiatedBy,
    OverallChangeStatus, ValidationFailure,
};

use crate::aws::{self, Session};
use crate::resource::domain::wire;
use crate::resource::{Condition, Readiness};

/// What the status of a domain says by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Everything that was asked for is in force. AWS may be at its own maintenance.
    Settled,
    /// A create, change or upgrade is under way; what it is called.
    Busy(&'static str),
    /// It is being deleted.
    Deleting,
    /// AWS took it off the network, because a required software update was not made.
    Isolated,
}

const CREATING: &str = "creating";

/// Reads the phase.
pub(super) fn phase(status: &DomainStatus) -> Phase {
    if status.deleted == Some(true) {
        return Phase::Deleting;
    }
    let doing = match status.domain_processing_status() {
        Some(DomainProcessingStatusType::Deleting) => return Phase::Deleting,
        Some(DomainProcessingStatusType::Isolated) => return Phase::Isolated,
        Some(DomainProcessingStatusType::Creating) => Some(CREATING),
        Some(DomainProcessingStatusType::Modifying) => Some("changing"),
        Some(DomainProcessingStatusType::Upgrading) => Some("upgrading the engine"),
        Some(_) | None => None,
    };
    let made = wire::endpoint(status).is_some();
    // AWS's own maintenance (service software, Auto-Tune) changes no setting; it may last for hours.
    let change = status.change_progress_details();
    let maintenance = change.and_then(|change| change.initiated_by()) == Some(&InitiatedBy::Service)
        || status.domain_processing_status() == Some(&DomainProcessingStatusType::Updating);
    if status.upgrade_processing == Some(true) {
        return Phase::Busy("upgrading the engine");
    }
    if !made {
        // The endpoint may appear only after Processing has ended.
        return Phase::Busy(if status.processing == Some(true) { CREATING } else { "waiting for its endpoint" });
    }
    if maintenance {
        return Phase::Settled;
    }
    match (doing, status.processing) {
        (Some(doing), _) => Phase::Busy(doing),
        (None, Some(true)) => Phase::Busy("changing"),
        (None, Some(false) | None) => Phase::Settled,
    }
}

/// Returns the condition in which a domain was found, with no further call.
pub(super) fn condition(status: &DomainStatus) -> Condition {
    match phase(status) {
        Phase::Settled => Condition::Settled,
        Phase::Deleting => Condition::Deleting,
        Phase::Isolated => Condition::Broken(ISOLATED.to_owned()),
        Phase::Busy(doing) => {
            let change = status.change_progress_details();
            match change.and_then(|change| change.config_change_status()) {
                Some(ConfigChangeStatus::ValidationFailed) => {
                    let message = change.and_then(|change| change.message()).unwrap_or_default();
                    Condition::Changing(
                        format!("{doing}: validation failed: {message}").trim_end_matches(": ").to_owned(),
                    )
                }
                Some(_) | None => Condition::Changing(doing.to_owned()),
            }
        }
    }
}

const ISOLATED: &str = "isolated: AWS took the domain off the network because a required software update was not made; \
                        start the update in the console (or `aws opensearch start-service-software-update`), else AWS \
                        deletes the domain";

/// Tells whether what was asked for is in force. Asks for the stages of a change only while one is under way.
pub(super) async fn readiness(session: &Session, name: &str, status: &DomainStatus) -> Readiness {
    let doing = match phase(status) {
        Phase::Settled => return Readiness::Ready,
        Phase::Deleting => return Readiness::Failed("is being deleted".to_owned()),
        Phase::Isolated => return Readiness::Failed(ISOLATED.to_owned()),
        Phase::Busy(doing) => doing,
    };
    of_busy(session, name, status, doing).await
}

/// Words the failure of a change whose status says that it failed; the stages tell why.
pub(super) async fn of_failed(session: &Session, name: &str, status: &DomainStatus) -> Readiness {
    of_busy(session, name, status, "changing").await
}

async fn of_busy(session: &Session, name: &str, status: &DomainStatus, doing: &str) -> Readiness {
    let change = status.change_progress_details();
    let answer = session
        .aws
        .opensearch
        .describe_domain_change_progress()
        .domain_name(name)
        .set_change_id(change.and_then(|change| change.change_id.clone()))
        .send()
        .await;
    match answer {
        Ok(answer) => {
            if let Some(details) = answer.change_progress_status() {
                return match of_change(name, doing, details) {
                    // The status knows sooner than the stages that it came to nothing.
                    Readiness::Pending { why, stage } => {
                        stuck(name, doing, status).unwrap_or(Readiness::Pending { why, stage })
                    }
                    other @ (Readiness::Ready | Readiness::Failed(_)) => other,
                };
            }
        }
        // The stages are told for the reader's sake; a server without them, or a caller who may not see them, waits
        // just as well.
        Err(error) if aws::code(&error).is_some_and(aws::is_denied) => {
            let why = format!("{doing} (its stages are hidden: es:DescribeDomainChangeProgress is not allowed)");
            return stuck(name, doing, status).unwrap_or_else(|| Readiness::pending(why));
        }
        Err(_) => {}
    }
    stuck(name, doing, status).unwrap_or_else(|| Readiness::pending(doing))
}

/// Reads from the status alone that a change can come to no end.
fn stuck(name: &str, doing: &str, status: &DomainStatus) -> Option<Readiness> {
    let change = status.change_progress_details()?;
    let outcome = outcome(change.config_change_status()?)?;
    let message = change.message().unwrap_or("AWS gives no reason");
    Some(Readiness::Failed(format!("{outcome}: {message}; {}", way_out(name, doing))))
}

fn outcome(status: &ConfigChangeStatus) -> Option<&'static str> {
    match status {
        ConfigChangeStatus::ValidationFailed => Some("the change failed AWS's validation"),
        ConfigChangeStatus::Cancelled => Some("the change was cancelled"),
        ConfigChangeStatus::PendingUserInput => Some("the change waits for an answer that only the console can give"),
        _ => None,
    }
}

fn way_out(name: &str, doing: &str) -> String {
    if doing == CREATING {
        return "it holds no documents yet: delete it with `ekk down`, correct what is named and run the same command \
                again"
            .to_owned();
    }
    format!(
        "give the change up with `aws opensearch cancel-domain-config-change --domain-name {name}`, correct what is \
         named and run the same command again"
    )
}

/// Reads the stages of a change.
pub(super) fn of_change(name: &str, doing: &str, details: &ChangeProgressStatusDetails) -> Readiness {
    let failures: Vec<String> = details.validation_failures().iter().filter_map(failure).collect();
    let failed_stages: Vec<String> = details
        .change_progress_stages()
        .iter()
        .filter(|stage| stage.status().is_some_and(|status| status.eq_ignore_ascii_case("FAILED")))
        .map(|stage| [stage.name(), stage.description()].into_iter().flatten().collect::<Vec<_>>().join(": "))
        .collect();
    let failed = match details.status() {
        Some(OverallChangeStatus::Failed) => Some("the change failed"),
        Some(_) | None => None,
    };
    if let Some(outcome) = details.config_change_status().and_then(outcome).or(failed) {
        let reasons = if failures.is_empty() { failed_stages } else { failures };
        let reasons = if reasons.is_empty() { vec!["AWS gives no reason".to_owned()] } else { reasons };
        return Readiness::Failed(format!("{outcome}: {}; {}", reasons.join("; "), way_out(name, doing)));
    }
    let stages = details.change_progress_stages();
    let is_over = |status: &str| ["COMPLETED", "SUCCEEDED"].iter().any(|over| status.eq_ignore_ascii_case(over));
    let current = stages.iter().position(|stage| !stage.status().is_some_and(is_over));
    let total =
        u32::try_from(details.total_number_of_stages).unwrap_or(0).max(u32::try_from(stages.len()).unwrap_or(0));
    match current.and_then(|index| Some((u32::try_from(index).ok()? + 1, stages.get(index)?))) {
        Some((number, stage)) => {
            let why = stage.name().map_or_else(|| doing.to_owned(), |stage| format!("{doing} ({stage})"));
            Readiness::Pending { why, stage: Some((number, total)) }
        }
        None => Readiness::pending(doing),
    }
}

/// Words one of AWS's validation failures, with what to do where it is known.
pub(crate) fn failure(found: &ValidationFailure) -> Option<String> {
    let told: Vec<&str> = [found.code(), found.message()].into_iter().flatten().collect();
    if told.is_empty() {
        return None;
    }
    let told = told.join(": ");
    Some(match found.code().and_then(remedy) {
        Some(remedy) => format!("{told} ({remedy})"),
        None => told,
    })
}

/// Returns what to do about a validation failure, by its code (Developer Guide, "Making configuration changes").
fn remedy(code: &str) -> Option<&'static str> {
    Some(match code {
        "InsufficientInstanceCapacity" => "AWS has too few instances of this type now: try later or take another type",
        "RedCluster" => "make the cluster green or yellow first: some index has lost a primary shard",
        "TooManyRequests" => "the cluster is overloaded: send less, or wait until it calms down",
        "InsufficientStorageCapacity" => "the documents would not fit: delete old indexes or take a larger volume",
        "ShardMovementBlocked" => {
            "a setting forbids shards to move: look for index.routing.allocation and cluster.routing"
        }
        "TooManyShards" => "delete old indexes, or take more nodes: a node holds 1,000 shards",
        "Cluster.Index.WriteBlock" => "an index is blocked for writing: free disk space and take the block away",
        "KMSKeyNotEnabled" => "enable the KMS key and let OpenSearch Service use it",
        "SecurityGroupNotFound" => "the security group is not there any more",
        "SubnetNotFound" => "the subnet is not there any more",
        "SLRNotConfigured" => "the account lacks OpenSearch Service's service-linked role",
        "InsufficientFreeIPsForSubnets" => "the subnet has too few free addresses",
        "InvalidCertificate" => "the certificate of the custom endpoint is not valid",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use aws_sdk_opensearch::types::{ChangeProgressDetails, ChangeProgressStage};

    use super::*;
    use crate::resource::domain::tests::status;

    fn change(status: ConfigChangeStatus) -> ChangeProgressDetails {
        ChangeProgressDetails::builder().config_change_status(status).message("too few instances").build()
    }

    #[test]
    fn a_domain_is_settled_when_it_is_idle_and_has_its_endpoint() {
        assert_eq!(phase(&status()), Phase::Settled);
        assert_eq!(condition(&status()), Condition::Settled);
    }

    #[test]
    fn processing_may_have_ended_before_the_endpoint_is_there() {
        let mut live = status();
        live.endpoint = None;
        assert_eq!(phase(&live), Phase::Busy("waiting for its endpoint"));
        live.processing = Some(true);
        live.domain_processing_status = Some(DomainProcessingStatusType::Creating);
        assert_eq!(phase(&live), Phase::Busy("creating"));
    }

    #[test]
    fn an_endpoint_while_processing_is_not_settled() {
        let mut live = status();
        live.processing = Some(true);
        live.domain_processing_status = None;
        assert_eq!(phase(&live), Phase::Busy("changing"));
        live.processing = Some(false);
        live.upgrade_processing = Some(true);
        assert_eq!(phase(&live), Phase::Busy("upgrading the engine"));
    }

    #[test]
    fn awss_own_maintenance_is_not_waited_for() {
        let mut live = status();
        live.processing = Some(true);
        live.domain_processing_status = Some(DomainProcessingStatusType::Updating);
        assert_eq!(phase(&live), Phase::Settled);
        live.domain_processing_status = Some(DomainProcessingStatusType::Modifying);
        live.change_progress_details =
            Some(ChangeProgressDetails::builder().initiated_by(InitiatedBy::Service).build());
        assert_eq!(phase(&live), Phase::Settled);
    }

    #[test]
    fn an_isolated_domain_is_broken_until_its_software_is_updated() {
        let mut live = status();
        live.domain_processing_status = Some(DomainProcessingStatusType::Isolated);
        let Condition::Broken(why) = condition(&live) else { panic!("broken") };
        assert!(why.contains("start-service-software-update"), "{why}");
    }

    #[test]
    fn a_deleted_domain_is_deleting_whatever_else_it_says() {
        let mut live = status();
        live.deleted = Some(true);
        live.processing = Some(true);
        assert_eq!(condition(&live), Condition::Deleting);
    }

    #[test]
    fn a_failed_validation_is_told_by_the_status_too() {
        let mut live = status();
        live.processing = Some(true);
        live.change_progress_details = Some(change(ConfigChangeStatus::ValidationFailed));
        assert_eq!(condition(&live), Condition::Changing("changing: validation failed: too few instances".into()));
        let Some(Readiness::Failed(why)) = stuck("logs", "changing", &live) else { panic!("stuck") };
        assert!(why.contains("too few instances") && why.contains("cancel-domain-config-change"), "{why}");
        live.change_progress_details = Some(change(ConfigChangeStatus::ApplyingChanges));
        assert_eq!(stuck("logs", "changing", &live), None);
    }

    fn stages(of: &[(&str, &str)]) -> ChangeProgressStatusDetails {
        let stages = of.iter().map(|(name, status)| ChangeProgressStage::builder().name(*name).status(*status).build());
        ChangeProgressStatusDetails::builder()
            .status(OverallChangeStatus::Processing)
            .total_number_of_stages(6)
            .set_change_progress_stages(Some(stages.collect()))
            .build()
    }

    #[test]
    fn the_first_stage_that_is_not_complete_is_told() {
        let found =
            stages(&[("Validation", "COMPLETED"), ("Creating a new environment", "IN_PROGRESS"), ("x", "PENDING")]);
        assert_eq!(
            of_change("logs", "changing", &found),
            Readiness::Pending { why: "changing (Creating a new environment)".into(), stage: Some((2, 6)) }
        );
        assert_eq!(of_change("logs", "changing", &stages(&[])), Readiness::pending("changing"));
    }

    #[test]
    fn a_failed_validation_stops_with_code_text_and_remedy() {
        let mut details = stages(&[("Validation", "FAILED")]);
        details.config_change_status = Some(ConfigChangeStatus::ValidationFailed);
        details.validation_failures = Some(vec![
            ValidationFailure::builder().code("InsufficientInstanceCapacity").message("No m7g.large.search").build(),
        ]);
        let Readiness::Failed(why) = of_change("logs", "changing", &details) else { panic!("failed") };
        assert_eq!(
            why,
            "the change failed AWS's validation: InsufficientInstanceCapacity: No m7g.large.search (AWS has too few \
             instances of this type now: try later or take another type); give the change up with `aws opensearch \
             cancel-domain-config-change --domain-name logs`, correct what is named and run the same command again"
        );
    }

    #[test]
    fn a_failed_stage_without_validation_failures_is_named() {
        let mut details = stages(&[("Validation", "COMPLETED"), ("Copying shards", "FAILED")]);
        details.status = Some(OverallChangeStatus::Failed);
        let Readiness::Failed(why) = of_change("logs", "changing", &details) else { panic!("failed") };
        assert!(why.starts_with("the change failed: Copying shards; "), "{why}");
    }
}
