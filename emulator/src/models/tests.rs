use bytes::Bytes;

use super::{MODELS, Shape, refusal};
use crate::request::Request;

fn asked(service: &str, method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Request {
    let mut builder = http::Request::builder().method(method).uri(target).header("x-amz-date", "20260101T000000Z").header(
        "authorization",
        format!("AWS4-HMAC-SHA256 Credential=AKIA/20260101/eu-west-1/{service}/aws4_request, SignedHeaders=host, Signature=00"),
    );
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    let (parts, ()) = builder.body(()).unwrap().into_parts();
    Request::read(parts, Bytes::from(body.to_owned()))
}

/// The answer of the door, as `STATUS BODY`; empty where it lets the request in.
fn refused(request: &Request) -> String {
    refusal(request).map_or_else(String::new, |answer| {
        let kind = answer.headers.iter().find(|(name, _)| name == "x-amzn-errortype");
        let kind = kind.map(|(_, kind)| format!("{kind} ")).unwrap_or_default();
        format!("{} {kind}{}", answer.status, String::from_utf8_lossy(&answer.body))
    })
}

fn firehose(operation: &str, body: &str) -> String {
    let target = format!("Firehose_20150804.{operation}");
    refused(&asked("firehose", "POST", "/", &[("x-amz-target", &target)], body))
}

fn logs(operation: &str, body: &str) -> String {
    let target = format!("Logs_20140328.{operation}");
    refused(&asked("logs", "POST", "/", &[("x-amz-target", &target)], body))
}

fn iam(form: &str) -> String {
    // Messages hold the id of the request.
    let answer = refused(&asked("iam", "POST", "/", &[], &format!("{form}&Version=2010-05-08")));
    answer.split("<RequestId>").next().unwrap_or_default().replace("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n", "")
}

fn s3(method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> String {
    let mut headers = headers.to_vec();
    headers.push(("x-amz-content-sha256", "UNSIGNED-PAYLOAD"));
    let answer = refused(&asked("s3", method, target, &headers, body));
    let code = answer.split("<Code>").nth(1).and_then(|rest| rest.split("</Code>").next());
    code.unwrap_or(&answer).to_owned()
}

#[test]
fn every_pattern_of_the_table_compiles() {
    let mut compiled = 0;
    for shape in MODELS.services.values().flat_map(|model| model.shapes.values()) {
        if let Shape::String { pattern: Some(pattern), .. } = shape {
            let _ = pattern.matches("");
            compiled += 1;
        }
    }
    assert!(compiled > 50, "only {compiled}");
}

#[test]
fn every_shape_that_is_named_is_there() {
    for model in MODELS.services.values() {
        let mut named: Vec<&String> = Vec::new();
        for operation in model.operations.values() {
            named.extend(&operation.body);
            named.extend(operation.outside.iter().map(|outside| &outside.shape));
        }
        for shape in model.shapes.values() {
            match shape {
                Shape::Structure { members } => named.extend(members.values().map(|member| &member.shape)),
                Shape::List { item, .. } => named.push(item),
                Shape::Map { key, value, .. } => named.extend([key, value]),
                Shape::String { .. }
                | Shape::Integer { .. }
                | Shape::Double { .. }
                | Shape::Boolean {}
                | Shape::Timestamp {}
                | Shape::Blob { .. } => {}
            }
        }
        assert_eq!(named.into_iter().find(|name| !model.shapes.contains_key(*name)), None);
    }
}

#[test]
fn what_keeps_to_the_model_is_let_in() {
    assert_eq!(firehose("DescribeDeliveryStream", r#"{"DeliveryStreamName":"logs"}"#), "");
    assert_eq!(firehose("ListDeliveryStreams", r#"{"Limit":null}"#), "");
    assert_eq!(iam("Action=TagRole&RoleName=r&Tags.member.1.Key=k%C3%BC&Tags.member.1.Value="), "");
    assert_eq!(s3("GET", "/b?versions&max-keys=10&x-id=ListObjectVersions", &[], ""), "");
    assert_eq!(
        s3("PUT", "/b?tagging", &[], "<Tagging><TagSet><Tag><Key>a&amp;b</Key><Value/></Tag></TagSet></Tagging>"),
        ""
    );
    assert_eq!(refused(&asked("es", "GET", "/2021-01-01/opensearch/domain/logs/progress", &[], "")), "");
}

#[test]
fn a_json_service_names_every_constraint_that_is_broken() {
    assert_eq!(
        firehose("DescribeDeliveryStream", r#"{"DeliveryStreamName":"a b"}"#),
        r#"400 {"__type":"ValidationException","message":"1 validation error detected: Value 'a b' at 'deliveryStreamName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+"}"#
    );
    assert_eq!(
        logs("PutRetentionPolicy", r#"{"logGroupName":""}"#),
        r#"400 {"__type":"InvalidParameterException","message":"3 validation errors detected: Value '' at 'logGroupName' failed to satisfy constraint: Member must have length greater than or equal to 1; Value '' at 'logGroupName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\.\\-_/#A-Za-z0-9]+; Value null at 'retentionInDays' failed to satisfy constraint: Member must not be null"}"#
    );
}

#[test]
fn an_enum_a_range_and_a_list_are_kept() {
    let destination = |member: &str| {
        firehose(
            "UpdateDestination",
            &format!(
                r#"{{"DeliveryStreamName":"s","CurrentDeliveryStreamVersionId":"1","DestinationId":"d","AmazonopensearchserviceDestinationUpdate":{{{member}}}}}"#
            ),
        )
    };
    let path = "amazonopensearchserviceDestinationUpdate";
    assert_eq!(destination(r#""IndexRotationPeriod":"OneWeek""#), "");
    assert_eq!(
        destination(r#""IndexRotationPeriod":"Weekly""#),
        format!(
            r#"400 {{"__type":"ValidationException","message":"1 validation error detected: Value 'Weekly' at '{path}.indexRotationPeriod' failed to satisfy constraint: Member must satisfy enum value set: [NoRotation, OneHour, OneDay, OneWeek, OneMonth]"}}"#
        )
    );
    assert_eq!(
        destination(r#""RetryOptions":{"DurationInSeconds":7201}"#),
        format!(
            r#"400 {{"__type":"ValidationException","message":"1 validation error detected: Value '7201' at '{path}.retryOptions.durationInSeconds' failed to satisfy constraint: Member must have value less than or equal to 7200"}}"#
        )
    );
    assert_eq!(
        firehose("UntagDeliveryStream", r#"{"DeliveryStreamName":"s","TagKeys":["aws:x"]}"#),
        r#"400 {"__type":"ValidationException","message":"1 validation error detected: Value 'aws:x' at 'tagKeys.1.member' failed to satisfy constraint: Member must satisfy regular expression pattern: ^(?!aws:)[\\p{L}\\p{Z}\\p{N}_.:\\/=+\\-@%]*$"}"#
    );
}

#[test]
fn what_is_unknown_or_of_another_type_is_refused() {
    assert_eq!(
        firehose("ListDeliveryStreams", r#"{"Limit":"ten"}"#),
        r#"400 {"__type":"SerializationException","message":"the value of limit is of the wrong type"}"#
    );
    assert_eq!(
        firehose("ListDeliveryStreams", r#"{"Most":10}"#),
        r#"400 {"__type":"ValidationException","message":"Unknown parameter in input: \"most\""}"#
    );
    assert_eq!(
        firehose("ListDeliveryStreams", "[]"),
        r#"400 {"__type":"SerializationException","message":"the request body is not a JSON object"}"#
    );
}

#[test]
fn a_domain_s_name_is_kept_in_the_path_too() {
    assert_eq!(
        refused(&asked("es", "GET", "/2021-01-01/opensearch/domain/lo%20gs", &[], "")),
        r#"400 ValidationException {"message":"1 validation error detected: Value 'lo gs' at 'domainName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-z][a-z0-9\\-]+"}"#
    );
    assert_eq!(
        refused(&asked("es", "GET", "/2021-01-01/opensearch/domain/logs?pretty", &[], "")),
        r#"400 ValidationException {"message":"Unknown parameter in input: \"pretty\""}"#
    );
    assert_eq!(
        refused(&asked("es", "GET", "/2021-01-01/tags/", &[], "")),
        r#"400 ValidationException {"message":"1 validation error detected: Value null at 'arn' failed to satisfy constraint: Member must not be null"}"#
    );
}

#[test]
fn an_instance_type_is_checked_by_its_form_alone() {
    let create = |kind: &str| {
        let body = format!(r#"{{"DomainName":"logs","ClusterConfig":{{"InstanceType":"{kind}"}}}}"#);
        refused(&asked("es", "POST", "/2021-01-01/opensearch/domain", &[], &body))
    };
    assert_eq!(create("or2.large.search"), "");
    assert_eq!(
        create("t3.small"),
        r#"400 ValidationException {"message":"1 validation error detected: Value 't3.small' at 'clusterConfig.instanceType' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-z0-9][a-z0-9-]*\\.[a-z0-9]+\\.search"}"#
    );
}

#[test]
fn a_password_is_in_no_message() {
    let body = r#"{"DomainName":"logs","AdvancedSecurityOptions":{"MasterUserOptions":{"MasterUserName":"admin","MasterUserPassword":"short"}}}"#;
    assert_eq!(
        refused(&asked("es", "POST", "/2021-01-01/opensearch/domain", &[], body)),
        r#"400 ValidationException {"message":"1 validation error detected: Value at 'advancedSecurityOptions.masterUserOptions.masterUserPassword' failed to satisfy constraint: Member must have length greater than or equal to 8"}"#
    );
}

#[test]
fn iam_answers_in_its_own_form() {
    let error = |code: &str, message: &str| {
        format!(
            "400 <ErrorResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
        )
    };
    assert_eq!(
        iam("Action=GetRole&RoleName=a%2Fb"),
        error(
            "ValidationError",
            "1 validation error detected: Value &apos;a/b&apos; at &apos;roleName&apos; failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]+"
        )
    );
    assert_eq!(
        iam("Action=TagRole&RoleName=r&Tags.member.1.Value=v"),
        error(
            "ValidationError",
            "1 validation error detected: Value null at &apos;tags.1.member.key&apos; failed to satisfy constraint: Member must not be null"
        )
    );
    assert_eq!(
        iam("Action=GetRole&RoleName=r&Colour=red"),
        error("ValidationError", "Unknown parameter in input: &quot;colour&quot;")
    );
    assert_eq!(
        iam("Action=ListRoles&MaxItems=many"),
        error("MalformedInput", "the value of maxItems is of the wrong type")
    );
}

#[test]
fn an_error_in_xml_can_be_read_whatever_the_request_holds() {
    let answer = iam("Action=GetRole&RoleName=%01%00%0B%EF%BF%BF%09");
    let shown = "Value &apos;\u{fffd}\u{fffd}\u{fffd}\u{fffd}\t&apos; at &apos;roleName&apos;";
    assert!(answer.contains(shown), "{answer}");
    let mut builder = http::Request::builder().method("GET").uri("/b?versions&max-keys=%01");
    builder = builder.header("x-amz-date", "20260101T000000Z").header(
        "authorization",
        "AWS4-HMAC-SHA256 Credential=AKIA/20260101/eu-west-1/s3/aws4_request, SignedHeaders=host, Signature=00",
    );
    let (parts, ()) = builder.body(()).unwrap().into_parts();
    let answer = refused(&Request::read(parts, Bytes::new()));
    assert!(answer.contains("Provided value of max-keys") && !answer.contains('\u{1}'), "{answer}");
}

#[test]
fn a_plus_sign_is_no_part_of_a_number() {
    let wrong = "<Code>MalformedInput</Code><Message>the value of maxItems is of the wrong type</Message>";
    for number in ["%2B5", "+5", "inf", "0x5", ""] {
        let answer = iam(&format!("Action=ListRoles&MaxItems={number}"));
        assert!(answer.contains(wrong), "{number}: {answer}");
    }
    assert_eq!(iam("Action=ListRoles&MaxItems=5"), "");
    assert_eq!(s3("GET", "/b?versions&max-keys=%2B5", &[], ""), "InvalidArgument");
}

#[test]
fn what_is_given_twice_is_refused() {
    let twice = "Values &apos;5&apos;, &apos;6&apos; at &apos;maxItems&apos; failed to satisfy constraint: Member must stand there once";
    let answer = iam("Action=ListRoles&MaxItems=5&MaxItems=6");
    assert!(answer.contains(twice), "{answer}");
    assert_eq!(s3("GET", "/b?versions&max-keys=5&max-keys=many", &[], ""), "InvalidArgument");
    assert_eq!(s3("PUT", "/b", &[("x-amz-acl", "private"), ("x-amz-acl", "public-read")], ""), "InvalidArgument");
    assert_eq!(
        refused(&asked(
            "es",
            "GET",
            "/2021-01-01/tags/?arn=arn:aws:es:eu-west-1:000000000000:domain/logs&arn=x",
            &[],
            ""
        )),
        r#"400 ValidationException {"message":"1 validation error detected: Values 'arn:aws:es:eu-west-1:000000000000:domain/logs', 'x' at 'arn' failed to satisfy constraint: Member must stand there once"}"#
    );
}

#[test]
fn xml_is_in_s3_s_namespace_or_in_none() {
    let tagging = |root: &str, tag_set: &str| {
        let body = format!("<{root}><{tag_set}><Tag><Key>a</Key><Value/></Tag></TagSet></Tagging>");
        s3("PUT", "/b?tagging", &[], &body)
    };
    let own = "Tagging xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"";
    assert_eq!(tagging("Tagging", "TagSet"), "");
    assert_eq!(tagging(own, "TagSet"), "");
    assert_eq!(tagging("Tagging xmlns=\"urn:x\"", "TagSet"), "MalformedXML");
    assert_eq!(tagging(own, "TagSet xmlns=\"urn:x\""), "MalformedXML");
    assert_eq!(tagging("Tagging", "TagSet xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\""), "MalformedXML");
    assert_eq!(s3("PUT", "/b?tagging", &[], "<x:Tagging><TagSet/></x:Tagging>"), "MalformedXML");
    assert_eq!(s3("PUT", "/b?tagging", &[], &"<Tagging>".repeat(100_000)), "MalformedXML");
}

#[test]
fn s3_has_codes_of_its_own() {
    assert_eq!(
        s3("PUT", "/b?tagging", &[], "<Tagging><TagSet><Tag><Key>a</Key></Tag></TagSet></Tagging>"),
        "MalformedXML"
    );
    assert_eq!(s3("PUT", "/b?tagging", &[], "<Tagging><TagSet><Label/></TagSet></Tagging>"), "MalformedXML");
    assert_eq!(s3("PUT", "/b?tagging", &[], "<Tagging><TagSet>"), "MalformedXML");
    assert_eq!(s3("PUT", "/b?tagging", &[], "<Tags/>"), "MalformedXML");
    assert_eq!(s3("PUT", "/b?tagging", &[], ""), "MalformedXML");
    assert_eq!(
        s3("PUT", "/b?versioning", &[], "<VersioningConfiguration><Status>On</Status></VersioningConfiguration>"),
        "MalformedXML"
    );
    assert_eq!(s3("PUT", "/b", &[("x-amz-object-ownership", "Everybody")], ""), "InvalidArgument");
    assert_eq!(s3("PUT", "/b", &[("x-amz-colour", "red")], ""), "NotImplemented");
    assert_eq!(s3("GET", "/b?versions&max-keys=many", &[], ""), "InvalidArgument");
    assert_eq!(s3("GET", "/b?versions&colour=red", &[], ""), "NotImplemented");
}
