use std::time::Duration;

use aws_sdk_opensearch::{
    Client,
    types::{
        ClusterConfig, DomainProcessingStatusType, EbsOptions, OpenSearchPartitionInstanceType, OptionState,
        OverallChangeStatus, Tag, VolumeType,
    },
};
use ekk_emulator::{Emulator, Options, Timing};

use crate::{code, emulator, sdk, server::raw};

fn client(emulator: &Emulator) -> Client {
    Client::new(&sdk(emulator, "eu-west-1"))
}

/// Creates the domain `logs`, the smallest that there is.
pub(crate) async fn create_domain(emulator: &Emulator) {
    client(emulator)
        .create_domain()
        .domain_name("logs")
        .engine_version("OpenSearch_2.19")
        .cluster_config(
            ClusterConfig::builder()
                .instance_type(OpenSearchPartitionInstanceType::T3SmallSearch)
                .instance_count(1)
                .build(),
        )
        .ebs_options(EbsOptions::builder().ebs_enabled(true).volume_type(VolumeType::Gp3).volume_size(10).build())
        .tag_list(Tag::builder().key("ekk:stack").value("logs").build().unwrap())
        .send()
        .await
        .unwrap();
}

/// A signed request to the domain's own address, and the answer with its head.
pub(crate) async fn ask(emulator: &Emulator, method: &str, path: &str, body: &str) -> String {
    let request = format!(
        "{method} /domain/eu-west-1/logs{path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
         x-amz-date: 20261123T120000Z\r\nosd-xsrf: true\r\ncontent-type: application/json\r\n\
         authorization: AWS4-HMAC-SHA256 Credential=AKIA/20261123/eu-west-1/es/aws4_request, SignedHeaders=host, \
         Signature=00\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    raw(emulator, &request).await
}

#[tokio::test]
async fn a_domain_goes_through_its_states_and_then_answers_at_its_endpoint() {
    let emulator = emulator().await;
    let client = client(&emulator);
    assert_eq!(code(client.describe_domain().domain_name("logs").send().await), "ResourceNotFoundException");
    create_domain(&emulator).await;
    let mut seen = Vec::new();
    let status = loop {
        let status = client.describe_domain().domain_name("logs").send().await.unwrap().domain_status.unwrap();
        seen.push((status.processing().unwrap(), status.endpoint().is_some()));
        if status.endpoint().is_some() {
            break status;
        }
    };
    assert_eq!(seen, [(true, false), (false, false), (false, true)]);
    assert_eq!(status.domain_processing_status(), Some(&DomainProcessingStatusType::Active));
    assert_eq!(status.endpoint(), Some(format!("{}/domain/eu-west-1/logs", emulator.address()).as_str()));
    let answer = ask(&emulator, "GET", "", "").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("\"distribution\":\"opensearch\""), "{answer}");
    let pattern = "/_dashboards/api/saved_objects/index-pattern/x";
    let body = "{\"attributes\":{\"title\":\"logs-*\"}}";
    assert!(ask(&emulator, "POST", pattern, body).await.starts_with("HTTP/1.1 503"));
    assert!(ask(&emulator, "POST", pattern, body).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_change_is_seen_by_every_call_until_it_is_over() {
    let timing = Timing { domain_stage: Duration::from_secs(10), ..Timing::instant() };
    let emulator = Emulator::start(Options::in_memory(timing)).await.unwrap();
    let client = client(&emulator);
    create_domain(&emulator).await;
    emulator.control().advance(Duration::from_secs(60));
    let grow =
        || client.update_domain_config().domain_name("logs").ebs_options(EbsOptions::builder().volume_size(20).build());
    let dry = grow().dry_run(true).send().await.unwrap();
    assert_eq!(dry.dry_run_results.unwrap().deployment_type(), Some("Blue/Green"));
    grow().send().await.unwrap();
    assert_eq!(code(grow().send().await), "ValidationException");
    let config = client.describe_domain_config().domain_name("logs").send().await.unwrap().domain_config.unwrap();
    let volumes = config.ebs_options.unwrap();
    assert_eq!(volumes.status().unwrap().state(), &OptionState::Processing);
    assert_eq!(volumes.options().unwrap().volume_size(), Some(20));
    let progress = || async {
        let answer = client.describe_domain_change_progress().domain_name("logs").send().await.unwrap();
        answer.change_progress_status.unwrap()
    };
    let running = progress().await;
    assert_eq!(running.status(), Some(&OverallChangeStatus::Processing));
    assert_eq!((running.total_number_of_stages(), running.change_progress_stages().len()), (7, 7));
    emulator.control().advance(Duration::from_secs(70));
    assert_eq!(progress().await.status(), Some(&OverallChangeStatus::Completed));
    let status = client.describe_domain().domain_name("logs").send().await.unwrap().domain_status.unwrap();
    assert_eq!(status.ebs_options().unwrap().volume_size(), Some(20));
}

#[tokio::test]
async fn documents_templates_and_patterns_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let options = || Options { state: Some(folder.path().to_owned()), ..Options::in_memory(Timing::instant()) };
    let emulator = Emulator::start(options()).await.unwrap();
    create_domain(&emulator).await;
    ask(&emulator, "PUT", "/_index_template/t", "{\"index_patterns\":[\"a*\"],\"priority\":7}").await;
    ask(&emulator, "PUT", "/a1/_doc/1", "{\"n\":1}").await;
    ask(&emulator, "GET", "/_dashboards/api/status", "").await;
    ask(&emulator, "POST", "/_dashboards/api/saved_objects/index-pattern/x", "{\"attributes\":{\"title\":\"a*\"}}")
        .await;
    emulator.stop().await;

    let emulator = Emulator::start(options()).await.unwrap();
    assert!(ask(&emulator, "GET", "/_index_template/t", "").await.contains("\"priority\":7"));
    assert!(ask(&emulator, "GET", "/a1/_doc/1", "").await.contains("\"n\":1"));
    let pattern = ask(&emulator, "GET", "/_dashboards/api/saved_objects/index-pattern/x", "").await;
    assert!(pattern.contains("\"title\":\"a*\""), "{pattern}");
}

#[tokio::test]
async fn tags_are_found_by_arn() {
    let emulator = emulator().await;
    create_domain(&emulator).await;
    let client = client(&emulator);
    let arn = "arn:aws:es:eu-west-1:000000000000:domain/logs";
    client.add_tags().arn(arn).tag_list(Tag::builder().key("a").value("b").build().unwrap()).send().await.unwrap();
    client.remove_tags().arn(arn).tag_keys("ekk:stack").send().await.unwrap();
    let tags = client.list_tags().arn(arn).send().await.unwrap();
    assert_eq!(tags.tag_list().iter().map(Tag::key).collect::<Vec<_>>(), ["a"]);
    emulator.control().deny("es:ListTags");
    assert_eq!(code(client.list_tags().arn(arn).send().await), "AccessDeniedException");
}
