use aws_sdk_resourcegroupstagging::{Client, types::TagFilter};
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration, Tag};
use ekk_emulator::Emulator;

use crate::{code, emulator, sdk};

async fn with_a_group_and_a_bucket() -> Emulator {
    let emulator = emulator().await;
    let config = sdk(&emulator, "eu-west-1");
    for stack in ["x", "y"] {
        let tag = Tag::builder().key("ekk:stack").value(stack).build().unwrap();
        let configuration = CreateBucketConfiguration::builder()
            .location_constraint(BucketLocationConstraint::EuWest1)
            .tags(tag)
            .build();
        let s3 = aws_sdk_s3::Client::new(&config);
        let name = format!("bucket-{stack}");
        s3.create_bucket().bucket(name).create_bucket_configuration(configuration).send().await.unwrap();
        let logs = aws_sdk_cloudwatchlogs::Client::new(&config);
        logs.create_log_group().log_group_name(format!("group-{stack}")).tags("ekk:stack", stack).send().await.unwrap();
    }
    emulator
}

fn filter(value: &str) -> TagFilter {
    TagFilter::builder().key("ekk:stack").values(value).build()
}

async fn found(
    request: aws_sdk_resourcegroupstagging::operation::get_resources::builders::GetResourcesFluentBuilder,
) -> Vec<String> {
    let answer = request.send().await.unwrap();
    answer.resource_tag_mapping_list().iter().filter_map(|found| found.resource_arn().map(str::to_owned)).collect()
}

#[tokio::test]
async fn what_carries_a_tag_is_found_in_its_region_only() {
    let emulator = with_a_group_and_a_bucket().await;
    let client = Client::new(&sdk(&emulator, "eu-west-1"));
    let group = "arn:aws:logs:eu-west-1:000000000000:log-group:group-x";
    assert_eq!(found(client.get_resources().tag_filters(filter("x"))).await, [group, "arn:aws:s3:::bucket-x"]);
    let buckets = client.get_resources().tag_filters(filter("x")).resource_type_filters("s3:bucket");
    assert_eq!(found(buckets).await, ["arn:aws:s3:::bucket-x"]);
    let groups = client.get_resources().tag_filters(filter("x")).resource_type_filters("logs:log-group");
    assert_eq!(found(groups).await, [group]);
    let elsewhere = Client::new(&sdk(&emulator, "us-east-1"));
    assert!(found(elsewhere.get_resources()).await.is_empty());
}

#[tokio::test]
async fn tagged_resources_come_in_pages_that_end_with_an_empty_token() {
    let emulator = with_a_group_and_a_bucket().await;
    let client = Client::new(&sdk(&emulator, "eu-west-1"));
    let first = client.get_resources().resources_per_page(3).send().await.unwrap();
    assert_eq!(first.resource_tag_mapping_list().len(), 3);
    let next = client.get_resources().resources_per_page(3).pagination_token(first.pagination_token().unwrap());
    let second = next.send().await.unwrap();
    assert_eq!((second.resource_tag_mapping_list().len(), second.pagination_token()), (1, Some("")));
    assert_eq!(code(client.get_resources().resources_per_page(0).send().await), "InvalidParameterException");
}
