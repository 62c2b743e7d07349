use std::time::Duration;

use aws_sdk_iam::Client;
use ekk_emulator::{Control, Effect, Emulator, Fault, Moment, Options, Service, Timing};

use crate::{code, emulator, sdk, sdk_with_key};

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"firehose.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

fn client(emulator: &Emulator) -> Client {
    Client::new(&sdk(emulator, "eu-west-1"))
}

async fn create_role(client: &Client, name: &str) -> Result<(), Box<aws_sdk_iam::Error>> {
    let create = client.create_role().role_name(name).assume_role_policy_document(TRUST);
    create.send().await.map(drop).map_err(|error| Box::new(error.into()))
}

fn role_exists(control: &Control, name: &str) -> bool {
    control.world(|world| world.iam.role(name).is_some())
}

#[tokio::test]
async fn the_caller_is_a_user_of_the_account() {
    let options = Options { account: "123456789012".to_owned(), ..Options::in_memory(Timing::instant()) };
    let emulator = Emulator::start(options).await.unwrap();
    let sts = aws_sdk_sts::Client::new(&sdk(&emulator, "cn-north-1"));
    let identity = sts.get_caller_identity().send().await.unwrap();
    assert_eq!(identity.account(), Some("123456789012"));
    assert_eq!(identity.arn(), Some("arn:aws-cn:iam::123456789012:user/local"));
}

#[tokio::test]
async fn an_address_beyond_loopback_is_refused() {
    let options = Options { listen: "0.0.0.0:0".parse().unwrap(), ..Options::in_memory(Timing::instant()) };
    assert_eq!(Emulator::start(options).await.unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
}

#[tokio::test]
async fn special_access_keys_are_refused() {
    let emulator = emulator().await;
    let call = |key: &str| Client::new(&sdk_with_key(&emulator, "eu-west-1", key)).get_role().role_name("r").send();
    assert_eq!(code(call("AKIAEXPIRED").await), "ExpiredToken");
    assert_eq!(code(call("AKIAINVALID").await), "InvalidClientTokenId");
    assert_eq!(code(call("AKIAWRONGSECRET").await), "SignatureDoesNotMatch");
    assert_eq!(code(call("AKIADENIED").await), "AccessDenied");
}

#[tokio::test]
async fn a_denied_action_is_named() {
    let emulator = emulator().await;
    emulator.control().deny("iam:CreateRole");
    let error = create_role(&client(&emulator), "r").await.unwrap_err();
    let text = format!("{error:?}");
    assert!(
        text.contains("User: arn:aws:iam::000000000000:user/local is not authorized to perform: iam:CreateRole on resource: arn:aws:iam::000000000000:role/r"),
        "{text}"
    );
    assert!(!role_exists(emulator.control(), "r"));
}

#[tokio::test]
async fn a_lost_answer_comes_after_the_effect() {
    let emulator = emulator().await;
    let control = emulator.control();
    control.fault(Fault::on(Service::Iam, "CreateRole", Effect::DropConnection(Moment::After)).nth(1));
    control.fault(Fault::on(Service::Iam, "CreateRole", Effect::DropConnection(Moment::Before)).nth(2));
    let client = client(&emulator);
    create_role(&client, "after").await.unwrap_err();
    create_role(&client, "before").await.unwrap_err();
    assert!(role_exists(control, "after"));
    assert!(!role_exists(control, "before"));
    assert_eq!(control.requests().iter().map(|request| request.status).collect::<Vec<_>>(), [None, None]);
}

#[tokio::test]
async fn throttling_hits_the_first_calls_only() {
    let emulator = emulator().await;
    emulator.control().fault(Fault::everywhere(Effect::Throttle).first(1));
    let client = client(&emulator);
    assert_eq!(code(client.list_roles().send().await), "Throttling");
    client.list_roles().send().await.unwrap();
}

#[tokio::test]
async fn a_stale_read_sees_the_world_before_the_last_write() {
    let emulator = emulator().await;
    emulator.control().fault(Fault::on(Service::Iam, "GetRole", Effect::StaleRead).first(1));
    let client = client(&emulator);
    create_role(&client, "r").await.unwrap();
    assert_eq!(code(client.get_role().role_name("r").send().await), "NoSuchEntity");
    client.get_role().role_name("r").send().await.unwrap();
}

#[tokio::test]
async fn a_stalled_request_says_how_far_it_came_and_never_answers() {
    let emulator = emulator().await;
    let control = emulator.control();
    for (moment, name) in [(Moment::Before, "before"), (Moment::After, "after")] {
        let reached = control.stall_at(2, moment);
        let client = client(&emulator);
        create_role(&client, &format!("{name}-1")).await.unwrap();
        let stalled = format!("{name}-2");
        tokio::select! {
            _ = create_role(&client, &stalled) => panic!("a stalled request was answered"),
            reached = reached => reached.unwrap(),
        }
        assert_eq!(role_exists(control, &stalled), moment == Moment::After);
    }
    emulator.stop().await;
}

#[tokio::test]
async fn a_delayed_request_is_answered_later() {
    let emulator = emulator().await;
    emulator.control().fault(Fault::everywhere(Effect::Delay(Duration::from_millis(30))).first(1));
    let begun = std::time::Instant::now();
    create_role(&client(&emulator), "r").await.unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(30));
}

#[tokio::test]
async fn the_state_survives_a_restart_and_a_torn_last_line() {
    let folder = tempfile::tempdir().unwrap();
    let options = || Options { state: Some(folder.path().to_owned()), ..Options::in_memory(Timing::instant()) };
    let emulator = Emulator::start(options()).await.unwrap();
    create_role(&client(&emulator), "kept").await.unwrap();
    create_role(&client(&emulator), "gone").await.unwrap();
    client(&emulator).delete_role().role_name("gone").send().await.unwrap();
    // A process that is killed runs no destructor: what is on disk now is all there will be.
    let journal = folder.path().join("journal");
    let mut killed = std::fs::read(&journal).unwrap();
    emulator.stop().await;
    killed.extend_from_slice("{\"iam.roles\":{\"tornä".as_bytes());
    killed.pop();
    std::fs::write(&journal, killed).unwrap();

    let emulator = Emulator::start(options()).await.unwrap();
    assert!(role_exists(emulator.control(), "kept"));
    assert!(!role_exists(emulator.control(), "gone"));
}

#[tokio::test]
async fn two_emulators_do_not_share_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let options = || Options { state: Some(folder.path().to_owned()), ..Options::in_memory(Timing::instant()) };
    let first = Emulator::start(options()).await.unwrap();
    assert_eq!(Emulator::start(options()).await.unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    first.stop().await;
    Emulator::start(options()).await.unwrap();
}

#[tokio::test]
async fn what_is_not_there_is_an_unknown_operation() {
    let emulator = emulator().await;
    assert_eq!(code(client(&emulator).list_users().send().await), "InvalidAction");
}
