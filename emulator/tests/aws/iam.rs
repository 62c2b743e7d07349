use std::time::Duration;

use aws_sdk_iam::{Client, types::Tag};
use ekk_emulator::{
    Emulator, Options, Timing,
    iam::{Permit, may},
    world::Context,
};

use crate::{code, emulator, sdk};

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":["firehose.amazonaws.com"]},"Action":["sts:AssumeRole"]}]}"#;
const PUT: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:PutObject"],"Resource":["arn:aws:s3:::logs/*"]}]}"#;
const ROLE: &str = "arn:aws:iam::000000000000:role/ekk/writer";

fn client(emulator: &Emulator) -> Client {
    Client::new(&sdk(emulator, "eu-west-1"))
}

async fn create_role(client: &Client) {
    let tag = Tag::builder().key("ekk:stack").value("a b/ä").build().unwrap();
    client
        .create_role()
        .role_name("writer")
        .path("/ekk/")
        .assume_role_policy_document(TRUST)
        .tags(tag)
        .send()
        .await
        .unwrap();
}

#[tokio::test]
async fn a_role_is_read_back_as_it_was_created() {
    let emulator = emulator().await;
    let client = client(&emulator);
    create_role(&client).await;
    let role = client.get_role().role_name("writer").send().await.unwrap().role.unwrap();
    assert_eq!(role.arn(), ROLE);
    assert!(role.role_id().starts_with("AROA"));
    assert_eq!((role.tags()[0].key(), role.tags()[0].value()), ("ekk:stack", "a b/ä"));
    // IAM returns documents URL-encoded, and lists of one as strings.
    let document = role.assume_role_policy_document().unwrap();
    assert!(document.starts_with("%7B%22Statement%22%3A%5B"), "{document}");
    assert!(document.contains("%22Action%22%3A%22sts%3AAssumeRole%22"), "{document}");
}

#[tokio::test]
async fn a_role_s_name_is_taken_in_any_case() {
    let emulator = emulator().await;
    let client = client(&emulator);
    create_role(&client).await;
    let again = client.create_role().role_name("WRITER").assume_role_policy_document(TRUST).send().await;
    assert_eq!(code(again), "EntityAlreadyExists");
    assert_eq!(code(client.get_role().role_name("WRITER").send().await), "NoSuchEntity");
}

#[tokio::test]
async fn what_iam_refuses_is_refused() {
    let emulator = emulator().await;
    let client = client(&emulator);
    let create = |name: &str| client.create_role().role_name(name).assume_role_policy_document(TRUST);
    assert_eq!(code(create("with space").send().await), "ValidationError");
    assert_eq!(code(create(&"x".repeat(65)).send().await), "ValidationError");
    assert_eq!(code(create("r").path("ekk").send().await), "ValidationError");
    assert_eq!(code(create("r").max_session_duration(60).send().await), "ValidationError");
    assert_eq!(code(create("r").assume_role_policy_document("{}").send().await), "MalformedPolicyDocument");
    assert_eq!(code(create("r").assume_role_policy_document(PUT).send().await), "MalformedPolicyDocument");
    let boundary = "arn:aws:iam::000000000000:policy/absent";
    assert_eq!(code(create("r").permissions_boundary(boundary).send().await), "NoSuchEntity");
    let reserved = Tag::builder().key("aws:x").value("").build().unwrap();
    assert_eq!(code(create("r").tags(reserved).send().await), "InvalidInput");
    assert!(client.list_roles().send().await.unwrap().roles().is_empty());
}

#[tokio::test]
async fn a_role_with_policies_is_not_deleted() {
    let emulator = emulator().await;
    let client = client(&emulator);
    create_role(&client).await;
    client.put_role_policy().role_name("writer").policy_name("p").policy_document(PUT).send().await.unwrap();
    assert_eq!(code(client.delete_role().role_name("writer").send().await), "DeleteConflict");
    client.delete_role_policy().role_name("writer").policy_name("p").send().await.unwrap();
    let aws_managed = "arn:aws:iam::aws:policy/AdministratorAccess";
    client.attach_role_policy().role_name("writer").policy_arn(aws_managed).send().await.unwrap();
    assert_eq!(code(client.delete_role().role_name("writer").send().await), "DeleteConflict");
    client.detach_role_policy().role_name("writer").policy_arn(aws_managed).send().await.unwrap();
    client.delete_role().role_name("writer").send().await.unwrap();
    assert_eq!(code(client.delete_role().role_name("writer").send().await), "NoSuchEntity");
}

#[tokio::test]
async fn inline_policies_of_a_role_count_together() {
    let emulator = emulator().await;
    let client = client(&emulator);
    create_role(&client).await;
    let large = |count: usize| {
        let resources: Vec<String> = (0..count).map(|number| format!("\"arn:aws:s3:::{number:0>80}\"")).collect();
        format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"s3:*","Resource":[{}]}}]}}"#,
            resources.join(",")
        )
    };
    let put = |name: &str, document: String| {
        client.put_role_policy().role_name("writer").policy_name(name).policy_document(document)
    };
    put("a", large(70)).send().await.unwrap();
    assert_eq!(code(put("b", large(70)).send().await), "LimitExceeded");
    put("a", large(90)).send().await.unwrap();
    let names = client.list_role_policies().role_name("writer").send().await.unwrap();
    assert_eq!(names.policy_names(), ["a"]);
}

#[tokio::test]
async fn lists_come_in_pages() {
    let emulator = emulator().await;
    let client = client(&emulator);
    for number in 0..5 {
        let name = format!("r{number}");
        client.create_role().role_name(name).path("/ekk/").assume_role_policy_document(TRUST).send().await.unwrap();
    }
    client.create_role().role_name("other").assume_role_policy_document(TRUST).send().await.unwrap();
    let first = client.list_roles().path_prefix("/ekk/").max_items(3).send().await.unwrap();
    assert!(first.is_truncated());
    let second = client.list_roles().path_prefix("/ekk/").marker(first.marker().unwrap()).send().await.unwrap();
    let names: Vec<&str> =
        first.roles().iter().chain(second.roles()).map(aws_sdk_iam::types::Role::role_name).collect();
    assert_eq!(names, ["r0", "r1", "r2", "r3", "r4"]);
    assert!(first.roles().iter().all(|role| role.tags().is_empty()));
}

#[tokio::test]
async fn tags_are_merged_and_taken_away_by_key() {
    let emulator = emulator().await;
    let client = client(&emulator);
    create_role(&client).await;
    let team = Tag::builder().key("team").value("x").build().unwrap();
    client.tag_role().role_name("writer").tags(team).send().await.unwrap();
    client.untag_role().role_name("writer").tag_keys("ekk:stack").send().await.unwrap();
    let tags = client.list_role_tags().role_name("writer").send().await.unwrap();
    assert_eq!(tags.tags().iter().map(Tag::key).collect::<Vec<_>>(), ["team"]);
}

#[tokio::test]
async fn a_role_and_each_change_of_it_spread_only_after_a_while() {
    let timing = Timing { role_propagation: Duration::from_secs(10), ..Timing::instant() };
    let emulator = Emulator::start(Options::in_memory(timing.clone())).await.unwrap();
    let client = client(&emulator);
    let control = emulator.control();
    let permit = || {
        let context =
            Context { now: control.now(), timing: &timing, account: "000000000000", address: emulator.address() };
        control.world(|world| may(world, &context, ROLE, "arn:stream", "s3:PutObject", "arn:aws:s3:::logs/x"))
    };
    assert_eq!(permit(), Permit::NoRole);
    create_role(&client).await;
    client.put_role_policy().role_name("writer").policy_name("p").policy_document(PUT).send().await.unwrap();
    assert_eq!(permit(), Permit::NotPropagated);
    control.advance(Duration::from_secs(11));
    assert_eq!(permit(), Permit::Allowed);
    client.delete_role_policy().role_name("writer").policy_name("p").send().await.unwrap();
    assert_eq!(permit(), Permit::Allowed);
    control.advance(Duration::from_secs(11));
    assert_eq!(permit(), Permit::Denied);
    let other = TRUST.replace("firehose", "lambda");
    client.update_assume_role_policy().role_name("writer").policy_document(other).send().await.unwrap();
    control.advance(Duration::from_secs(11));
    assert_eq!(permit(), Permit::TrustWrong);
}
