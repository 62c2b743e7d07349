use std::time::Duration;

use aws_sdk_iam::Client;
use ekk_emulator::{Control, Effect, Emulator, Fault, Moment, Options, Service, Timing};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

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

/// Sends a request as it stands and returns status line, headers and body.
pub(crate) async fn raw(emulator: &Emulator, request: &str) -> String {
    raw_bytes(emulator, request.as_bytes()).await
}

pub(crate) async fn raw_bytes(emulator: &Emulator, request: &[u8]) -> String {
    let mut stream = tokio::net::TcpStream::connect(emulator.address()).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn a_request_without_a_signature_is_refused_as_each_service_does() {
    let emulator = emulator().await;
    let form = "Action=ListRoles&Version=2010-05-08";
    let iam =
        format!("POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{form}", form.len());
    let answer = raw(&emulator, &iam).await;
    assert!(
        answer.starts_with("HTTP/1.1 403") && answer.contains("<Code>MissingAuthenticationToken</Code>"),
        "{answer}"
    );
    let logs = "POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-amz-target: Logs_20140328.DescribeLogGroups\r\ncontent-length: 2\r\n\r\n{}";
    let answer = raw(&emulator, logs).await;
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("MissingAuthenticationTokenException"), "{answer}");
    let answer = raw(&emulator, "GET /2021-01-01/domain HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 403") && answer.contains("MissingAuthenticationTokenException"), "{answer}");
    let answer = raw(&emulator, "GET /bucket?tagging HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 403") && answer.contains("<Code>AccessDenied</Code>"), "{answer}");
}

#[tokio::test]
async fn a_connection_is_kept_alive_and_a_stop_ends_it() {
    let emulator = emulator().await;
    let mut stream = tokio::net::TcpStream::connect(emulator.address()).await.unwrap();
    let mut buffer = [0; 4096];
    for _ in 0..2 {
        stream.write_all(b"GET /bucket HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        assert!(stream.read(&mut buffer).await.unwrap() > 0);
    }
    let address = emulator.address();
    emulator.stop().await;
    assert_eq!(stream.read(&mut buffer).await.unwrap(), 0);
    tokio::net::TcpStream::connect(address).await.unwrap_err();
}
