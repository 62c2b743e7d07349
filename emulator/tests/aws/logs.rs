use aws_sdk_cloudwatchlogs::{
    Client,
    types::{InputLogEvent, OrderBy},
};
use ekk_emulator::{Emulator, logs, world::Context};

use crate::{code, emulator, sdk};

const ARN: &str = "arn:aws:logs:eu-west-1:000000000000:log-group:/aws/kinesisfirehose/s";

fn client(emulator: &Emulator) -> Client {
    Client::new(&sdk(emulator, "eu-west-1"))
}

async fn create(client: &Client, name: &str) {
    client.create_log_group().log_group_name(name).tags("ekk:stack", "x").send().await.unwrap();
}

#[tokio::test]
async fn a_group_is_found_by_prefix_and_its_arn_ends_with_a_star() {
    let emulator = emulator().await;
    let client = client(&emulator);
    create(&client, "/aws/kinesisfirehose/s").await;
    create(&client, "/aws/kinesisfirehose/s2").await;
    let found = client.describe_log_groups().log_group_name_prefix("/aws/kinesisfirehose/s").send().await.unwrap();
    assert_eq!(found.log_groups().len(), 2);
    let group = &found.log_groups()[0];
    assert_eq!((group.arn(), group.log_group_arn()), (Some(format!("{ARN}:*").as_str()), Some(ARN)));
    assert_eq!(group.retention_in_days(), None);
}

#[tokio::test]
async fn groups_of_another_region_are_not_seen() {
    let emulator = emulator().await;
    create(&client(&emulator), "g").await;
    let elsewhere = Client::new(&sdk(&emulator, "us-east-1"));
    assert!(elsewhere.describe_log_groups().send().await.unwrap().log_groups().is_empty());
}

#[tokio::test]
async fn what_logs_refuse_is_refused() {
    let emulator = emulator().await;
    let client = client(&emulator);
    create(&client, "g").await;
    let create = |name: &str| client.create_log_group().log_group_name(name).send();
    assert_eq!(code(create("g").await), "ResourceAlreadyExistsException");
    assert_eq!(code(create("aws/x").await), "InvalidParameterException");
    assert_eq!(code(create("with space").await), "InvalidParameterException");
    let retention = client.put_retention_policy().log_group_name("g");
    assert_eq!(code(retention.clone().retention_in_days(15).send().await), "InvalidParameterException");
    retention.retention_in_days(14).send().await.unwrap();
    let stream = |name: &str| client.create_log_stream().log_group_name("g").log_stream_name(name).send();
    assert_eq!(code(stream("a:b").await), "InvalidParameterException");
    stream("a").await.unwrap();
    assert_eq!(code(stream("a").await), "ResourceAlreadyExistsException");
    let absent = client.create_log_stream().log_group_name("absent").log_stream_name("a").send().await;
    assert_eq!(code(absent), "ResourceNotFoundException");
    assert_eq!(code(client.delete_log_group().log_group_name("absent").send().await), "ResourceNotFoundException");
}

#[tokio::test]
async fn tag_calls_take_the_arn_without_its_star() {
    let emulator = emulator().await;
    let client = client(&emulator);
    create(&client, "/aws/kinesisfirehose/s").await;
    let with_star = client.list_tags_for_resource().resource_arn(format!("{ARN}:*")).send().await;
    assert_eq!(code(with_star), "InvalidParameterException");
    client.tag_resource().resource_arn(ARN).tags("team", "y").send().await.unwrap();
    client.untag_resource().resource_arn(ARN).tag_keys("ekk:stack").send().await.unwrap();
    let tags = client.list_tags_for_resource().resource_arn(ARN).send().await.unwrap().tags.unwrap();
    assert_eq!(tags.into_iter().collect::<Vec<_>>(), [("team".to_owned(), "y".to_owned())]);
}

#[tokio::test]
async fn groups_and_streams_come_in_pages() {
    let emulator = emulator().await;
    let client = client(&emulator);
    for number in 0..53 {
        create(&client, &format!("g{number:02}")).await;
    }
    let first = client.describe_log_groups().send().await.unwrap();
    assert_eq!(first.log_groups().len(), 50);
    let second = client.describe_log_groups().next_token(first.next_token().unwrap()).send().await.unwrap();
    assert_eq!((second.log_groups().len(), second.next_token()), (3, None));
    assert_eq!(code(client.describe_log_groups().limit(51).send().await), "InvalidParameterException");
}

#[tokio::test]
async fn events_are_read_back_and_go_with_their_group() {
    let emulator = emulator().await;
    let client = client(&emulator);
    let control = emulator.control();
    create(&client, "g").await;
    client.create_log_stream().log_group_name("g").log_stream_name("s").send().await.unwrap();
    let now = control.now().as_millisecond();
    let event =
        |timestamp: i64, message: &str| InputLogEvent::builder().timestamp(timestamp).message(message).build().unwrap();
    let put = || client.put_log_events().log_group_name("g").log_stream_name("s");
    put().log_events(event(now - 2, "one")).log_events(event(now - 1, "two")).send().await.unwrap();
    let backwards = put().log_events(event(now, "b")).log_events(event(now - 5, "a")).send().await;
    assert_eq!(code(backwards), "InvalidParameterException");
    let old = put().log_events(event(now - 15 * 86_400_000, "old")).send().await.unwrap();
    assert_eq!(old.rejected_log_events_info().unwrap().too_old_log_event_end_index(), Some(1));

    let timing = ekk_emulator::Timing::instant();
    let context = Context { now: control.now(), timing: &timing, account: "000000000000", address: emulator.address() };
    assert!(control.world(|world| logs::put_event(world, &context, "eu-west-1", "g", "s", "from firehose")));
    assert!(!control.world(|world| logs::put_event(world, &context, "eu-west-1", "g", "absent", "x")));

    let get = || client.get_log_events().log_group_name("g").log_stream_name("s");
    let first = get().start_from_head(true).limit(2).send().await.unwrap();
    let messages = |events: &[aws_sdk_cloudwatchlogs::types::OutputLogEvent]| -> Vec<String> {
        events.iter().map(|event| event.message().unwrap().to_owned()).collect()
    };
    assert_eq!(messages(first.events()), ["one", "two"]);
    let rest = get().next_token(first.next_forward_token().unwrap()).send().await.unwrap();
    assert_eq!(messages(rest.events()), ["from firehose"]);
    let filtered = client.filter_log_events().log_group_name("g").filter_pattern("fire").send().await.unwrap();
    assert_eq!(filtered.events()[0].message(), Some("from firehose"));
    let before = client.filter_log_events().log_group_name("g").end_time(now - 1).send().await.unwrap();
    assert_eq!(before.events().last().and_then(|event| event.message()), Some("two"));
    let before = get().start_from_head(true).end_time(now - 1).send().await.unwrap();
    assert_eq!(messages(before.events()), ["one"]);
    let streams =
        client.describe_log_streams().log_group_name("g").order_by(OrderBy::LastEventTime).send().await.unwrap();
    assert!(streams.log_streams()[0].last_event_timestamp().is_some());

    client.delete_log_group().log_group_name("g").send().await.unwrap();
    assert!(control.world(|world| world.logs.streams.is_empty() && world.logs.events.is_empty()));
}
