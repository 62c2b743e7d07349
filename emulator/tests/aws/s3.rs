use aws_sdk_s3::{
    Client,
    error::ProvideErrorMetadata as _,
    primitives::ByteStream,
    types::{
        BucketLifecycleConfiguration, BucketLocationConstraint, BucketVersioningStatus, CompletedMultipartUpload,
        CompletedPart, CreateBucketConfiguration, Delete, ExpirationStatus, LifecycleExpiration, LifecycleRule,
        LifecycleRuleFilter, ObjectIdentifier, Tag, Tagging, VersioningConfiguration,
    },
};
use ekk_emulator::{Emulator, Options, Timing, s3};

use crate::{code, emulator, sdk};

fn client_in(emulator: &Emulator, region: &'static str) -> Client {
    Client::new(&sdk(emulator, region))
}

fn client(emulator: &Emulator) -> Client {
    client_in(emulator, "eu-west-1")
}

fn in_ireland() -> CreateBucketConfiguration {
    CreateBucketConfiguration::builder().location_constraint(BucketLocationConstraint::EuWest1).build()
}

async fn create(client: &Client) {
    client.create_bucket().bucket("logs").create_bucket_configuration(in_ireland()).send().await.unwrap();
}

async fn put(client: &Client, key: &str, body: &'static [u8]) {
    client.put_object().bucket("logs").key(key).body(ByteStream::from_static(body)).send().await.unwrap();
}

async fn version(client: &Client) {
    let enabled = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    client.put_bucket_versioning().bucket("logs").versioning_configuration(enabled).send().await.unwrap();
}

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build().unwrap()
}

#[tokio::test]
async fn a_bucket_is_created_where_its_endpoint_is() {
    let emulator = emulator().await;
    let ireland = client(&emulator);
    let create = |client: &Client| client.create_bucket().bucket("logs");
    assert_eq!(code(create(&ireland).send().await), "IllegalLocationConstraintException");
    let virginia = client_in(&emulator, "us-east-1");
    let elsewhere = create(&virginia).create_bucket_configuration(in_ireland()).send().await;
    assert_eq!(code(elsewhere), "IllegalLocationConstraintException");
    create(&ireland).create_bucket_configuration(in_ireland()).send().await.unwrap();
    let location = ireland.get_bucket_location().bucket("logs").send().await.unwrap();
    assert_eq!(location.location_constraint(), Some(&BucketLocationConstraint::EuWest1));
    let again = create(&ireland).create_bucket_configuration(in_ireland()).send().await;
    assert_eq!(code(again), "BucketAlreadyOwnedByYou");
}

#[tokio::test]
async fn only_us_east_1_lets_a_bucket_be_created_twice() {
    let emulator = emulator().await;
    let virginia = client_in(&emulator, "us-east-1");
    virginia.create_bucket().bucket("logs").send().await.unwrap();
    virginia.create_bucket().bucket("logs").send().await.unwrap();
    let configuration = CreateBucketConfiguration::builder().tags(tag("a", "b")).build();
    let tagged = virginia.create_bucket().bucket("logs").create_bucket_configuration(configuration).send().await;
    assert_eq!(code(tagged), "BucketAlreadyOwnedByYou");
}

#[tokio::test]
async fn a_bucket_of_another_account_is_taken_and_closed() {
    let emulator = emulator().await;
    let control = emulator.control();
    let foreign = s3::Bucket::new("eu-west-1", "999999999999", control.now());
    control.world(|world| world.s3.buckets.insert("logs", foreign));
    let client = client(&emulator);
    let create = client.create_bucket().bucket("logs").create_bucket_configuration(in_ireland()).send().await;
    assert_eq!(code(create), "BucketAlreadyExists");
    let head = client.head_bucket().bucket("logs").send().await.unwrap_err();
    assert_eq!(head.raw_response().unwrap().status().as_u16(), 403);
    assert_eq!(code(client.get_bucket_tagging().bucket("logs").send().await), "AccessDenied");
}

#[tokio::test]
async fn an_expected_owner_who_is_another_is_refused() {
    let emulator = emulator().await;
    let client = client(&emulator);
    create(&client).await;
    let tags = client.get_bucket_tagging().bucket("logs");
    assert_eq!(code(tags.clone().expected_bucket_owner("999999999999").send().await), "AccessDenied");
    assert_eq!(code(tags.expected_bucket_owner("000000000000").send().await), "NoSuchTagSet");
}

#[tokio::test]
async fn a_bucket_is_redirected_to_its_region() {
    let emulator = emulator().await;
    create(&client(&emulator)).await;
    let error = client_in(&emulator, "us-west-2").head_bucket().bucket("logs").send().await.unwrap_err();
    let answer = error.raw_response().unwrap();
    assert_eq!(answer.status().as_u16(), 301);
    assert_eq!(answer.headers().get("x-amz-bucket-region"), Some("eu-west-1"));
}

#[tokio::test]
async fn every_call_to_a_bucket_or_an_object_is_redirected_to_its_region() {
    let emulator = emulator().await;
    create(&client(&emulator)).await;
    put(&client(&emulator), "k", b"x").await;
    let calls = [
        ("GET", "/logs?list-type=2"),
        ("GET", "/logs?versions"),
        ("GET", "/logs?uploads"),
        ("GET", "/logs?tagging"),
        ("GET", "/logs?location"),
        ("DELETE", "/logs?lifecycle"),
        ("DELETE", "/logs"),
        ("HEAD", "/logs"),
        ("PUT", "/logs/k"),
        ("GET", "/logs/k"),
        ("HEAD", "/logs/k"),
        ("DELETE", "/logs/k"),
        ("POST", "/logs/k?uploads"),
        ("GET", "/logs/none"),
    ];
    for (method, target) in calls {
        let answer = signed(&emulator, "us-west-2", method, target, "", b"").await;
        assert!(answer.starts_with("HTTP/1.1 301 "), "{method} {target}: {answer}");
        assert!(answer.contains("x-amz-bucket-region: eu-west-1\r\n"), "{method} {target}: {answer}");
        let says_where = answer.contains("<Code>PermanentRedirect</Code>")
            && answer.contains("<Endpoint>logs.s3.eu-west-1.amazonaws.com</Endpoint><Bucket>logs</Bucket>");
        assert!(says_where || method == "HEAD", "{method} {target}: {answer}");
    }
    let kept = client(&emulator).get_object().bucket("logs").key("k").send().await.unwrap();
    assert_eq!(kept.body.collect().await.unwrap().into_bytes(), "x");
}

/// A call with headers and a body that no SDK sends, signed for a region.
async fn signed(emulator: &Emulator, region: &str, method: &str, target: &str, headers: &str, body: &[u8]) -> String {
    let head = format!(
        "{method} {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-amz-date: 20260101T000000Z\r\n\
         x-amz-content-sha256: UNSIGNED-PAYLOAD\r\ncontent-length: {}\r\nauthorization: AWS4-HMAC-SHA256 \
         Credential=AKIA/20260101/{region}/s3/aws4_request, SignedHeaders=host, Signature=00\r\n{headers}\r\n",
        body.len()
    );
    // Each character below U+0100 is one byte, so that a header can hold what is no UTF-8.
    let head: Vec<u8> = head.chars().map(|character| u8::try_from(character).unwrap()).collect();
    crate::server::raw_bytes(emulator, &[&head, body].concat()).await
}

#[tokio::test]
async fn a_header_with_other_bytes_than_ascii_is_not_taken_for_absent() {
    let emulator = emulator().await;
    create(&client(&emulator)).await;
    put(&client(&emulator), "k", b"x").await;
    let call = |method: &'static str, target: &'static str, header: String| {
        let emulator = &emulator;
        async move {
            let answer = signed(emulator, "eu-west-1", method, target, &format!("{header}\r\n"), b"").await;
            answer.get(9..12).unwrap_or_default().parse::<u16>().unwrap()
        }
    };
    // é in Latin-1, which is no UTF-8, and in UTF-8.
    for e in ["\u{e9}", "\u{c3}\u{a9}"] {
        assert_eq!(call("PUT", "/logs/new", format!("x-amz-acl: {e}")).await, 400);
        assert!(matches!(call("PUT", "/logs/k", format!("if-none-match: {e}")).await, 400 | 501));
        assert!(matches!(call("PUT", "/logs/k", format!("x-amz-meta-who: {e}")).await, 400 | 501));
        assert!(matches!(call("DELETE", "/logs/k", format!("if-match: \"{e}\"")).await, 400 | 412));
        let owner = format!("x-amz-expected-bucket-owner: 000000000000{e}");
        assert!(matches!(call("DELETE", "/logs/k", owner).await, 400 | 403));
        assert_eq!(call("PUT", "/logs/k", format!("x-amz-checksum-crc32: {e}")).await, 400);
        assert_eq!(call("GET", "/logs/k", format!("user-agent: {e}")).await, 200);
    }
    let kept = client(&emulator).get_object().bucket("logs").key("k").send().await.unwrap();
    assert_eq!(kept.body.collect().await.unwrap().into_bytes(), "x");
    assert_eq!(code(client(&emulator).head_object().bucket("logs").key("new").send().await), "NotFound");
}

#[tokio::test]
async fn a_key_that_xml_cannot_hold_is_a_reference_or_url_encoded() {
    let emulator = emulator().await;
    create(&client(&emulator)).await;
    version(&client(&emulator)).await;
    let get = |target: &'static str| signed(&emulator, "eu-west-1", "GET", target, "", b"");
    for target in ["/logs/a%01b/c%0D+%C3%BC%20", "/logs/a%01b/d"] {
        let answer = signed(&emulator, "eu-west-1", "PUT", target, "", b"x").await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
    let answer = signed(&emulator, "eu-west-1", "POST", "/logs/a%01u?uploads", "", b"").await;
    assert!(answer.contains("<Key>a&#x1;u</Key>"), "{answer}");

    let plain = get("/logs?list-type=2").await;
    assert!(plain.contains("<Key>a&#x1;b/c&#13;+ü </Key>") && !plain.contains('\u{1}'), "{plain}");
    let plain = get("/logs?versions&delimiter=/").await;
    assert!(plain.contains("<CommonPrefixes><Prefix>a&#x1;b/</Prefix></CommonPrefixes>"), "{plain}");
    let plain = get("/logs?uploads&prefix=a%01").await;
    assert!(plain.contains("<Prefix>a&#x1;</Prefix>") && plain.contains("<Key>a&#x1;u</Key>"), "{plain}");

    let url = get("/logs?list-type=2&encoding-type=url&prefix=a%01&start-after=a%01").await;
    for part in [
        "<Key>a%01b/c%0D%2B%C3%BC+</Key>",
        "<Prefix>a%01</Prefix>",
        "<StartAfter>a%01</StartAfter>",
        "<EncodingType>url</EncodingType>",
    ] {
        assert!(url.contains(part), "{part}: {url}");
    }
    let url = get("/logs?versions&encoding-type=url&delimiter=%01&max-keys=1").await;
    for part in
        ["<Delimiter>%01</Delimiter>", "<CommonPrefixes><Prefix>a%01</Prefix>", "<EncodingType>url</EncodingType>"]
    {
        assert!(url.contains(part), "{part}: {url}");
    }
    let url = get("/logs?versions&encoding-type=url&max-keys=1&key-marker=a%01").await;
    assert!(url.contains("<KeyMarker>a%01</KeyMarker>"), "{url}");
    assert!(url.contains("<NextKeyMarker>a%01b/c%0D%2B%C3%BC+</NextKeyMarker>"), "{url}");
    let url = get("/logs?uploads&encoding-type=url&prefix=a%01&key-marker=a%01").await;
    for part in
        ["<Key>a%01u</Key>", "<Prefix>a%01</Prefix>", "<KeyMarker>a%01</KeyMarker>", "<EncodingType>url</EncodingType>"]
    {
        assert!(url.contains(part), "{part}: {url}");
    }
    assert!(get("/logs?uploads&encoding-type=xml").await.contains("<Code>InvalidArgument</Code>"));
    let missing = get("/logs/a%01b?acl%01").await;
    assert!(missing.starts_with("HTTP/1.1 ") && !missing.contains('\u{1}'), "{missing}");
}

#[tokio::test]
async fn names_that_s3_refuses_are_refused() {
    let emulator = emulator().await;
    let client = client(&emulator);
    for name in ["Ab1", "ab", "a..b", "192.168.5.4", "xn--abc", "abc-s3alias", "abc-", "a_b", "a-000000000000-an"] {
        let create = client.create_bucket().bucket(name).create_bucket_configuration(in_ireland()).send().await;
        assert_eq!(code(create), "InvalidBucketName", "{name}");
    }
}

#[tokio::test]
async fn a_name_is_free_again_only_after_a_while() {
    let timing = Timing { bucket_settle: std::time::Duration::from_secs(30), ..Timing::instant() };
    let emulator = Emulator::start(Options::in_memory(timing)).await.unwrap();
    let client = client(&emulator);
    create(&client).await;
    client.delete_bucket().bucket("logs").send().await.unwrap();
    let early = client.create_bucket().bucket("logs").create_bucket_configuration(in_ireland()).send().await;
    assert_eq!(code(early), "OperationAborted");
    emulator.control().advance(std::time::Duration::from_secs(31));
    create(&client).await;
}

#[tokio::test]
async fn a_new_bucket_is_private_and_encrypted_and_has_no_more() {
    let emulator = emulator().await;
    let client = client(&emulator);
    let configuration = CreateBucketConfiguration::builder()
        .location_constraint(BucketLocationConstraint::EuWest1)
        .tags(tag("ekk:stack", "x + y"))
        .build();
    client.create_bucket().bucket("logs").create_bucket_configuration(configuration).send().await.unwrap();
    let block = client.get_public_access_block().bucket("logs").send().await.unwrap();
    let block = block.public_access_block_configuration.unwrap();
    assert_eq!((block.block_public_acls(), block.restrict_public_buckets()), (Some(true), Some(true)));
    let encryption = client.get_bucket_encryption().bucket("logs").send().await.unwrap();
    let rule = &encryption.server_side_encryption_configuration.unwrap().rules[0];
    assert_eq!(rule.apply_server_side_encryption_by_default().unwrap().sse_algorithm().as_str(), "AES256");
    let tags = client.get_bucket_tagging().bucket("logs").send().await.unwrap();
    assert_eq!(tags.tag_set()[0].value(), "x + y");
    assert_eq!(client.get_bucket_versioning().bucket("logs").send().await.unwrap().status(), None);
    assert_eq!(code(client.get_bucket_policy().bucket("logs").send().await), "NoSuchBucketPolicy");
    let lifecycle = client.get_bucket_lifecycle_configuration().bucket("logs").send().await;
    assert_eq!(code(lifecycle), "NoSuchLifecycleConfiguration");
    let controls = client.get_bucket_ownership_controls().bucket("logs").send().await.unwrap();
    assert_eq!(controls.ownership_controls().unwrap().rules()[0].object_ownership().as_str(), "BucketOwnerEnforced");
}

#[tokio::test]
async fn tagging_replaces_the_whole_set() {
    let emulator = emulator().await;
    let client = client(&emulator);
    create(&client).await;
    let set = |tags: Vec<Tag>| {
        let tagging = Tagging::builder().set_tag_set(Some(tags)).build().unwrap();
        client.put_bucket_tagging().bucket("logs").tagging(tagging).send()
    };
    set(vec![tag("a", "1")]).await.unwrap();
    set(vec![tag("b", "2")]).await.unwrap();
    let tags = client.get_bucket_tagging().bucket("logs").send().await.unwrap();
    assert_eq!(tags.tag_set().iter().map(Tag::key).collect::<Vec<_>>(), ["b"]);
    assert_eq!(code(set(vec![tag("a", "1"), tag("a", "2")]).await), "InvalidTag");
    assert_eq!(code(set(vec![tag("aws:a", "1")]).await), "InvalidTag");
}

#[tokio::test]
async fn a_policy_that_is_wrong_or_open_to_the_world_is_refused() {
    let emulator = emulator().await;
    let client = client(&emulator);
    create(&client).await;
    let policy = |resource: &str, effect: &str, condition: &str| {
        let text = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Sid":"ekk-tls","Effect":"{effect}","Principal":"*","Action":"s3:*","Resource":["{resource}"]{condition}}}]}}"#
        );
        client.put_bucket_policy().bucket("logs").policy(text).send()
    };
    let tls = r#","Condition":{"Bool":{"aws:SecureTransport":"false"}}"#;
    assert_eq!(code(policy("arn:aws:s3:::other/*", "Deny", tls).await), "MalformedPolicy");
    assert_eq!(code(policy("arn:aws:s3:::logs/*", "Allow", "").await), "AccessDenied");
    policy("arn:aws:s3:::logs/*", "Deny", tls).await.unwrap();
    let stored = client.get_bucket_policy().bucket("logs").send().await.unwrap();
    assert!(stored.policy().unwrap().contains(r#""Resource":"arn:aws:s3:::logs/*""#));
    client.delete_bucket_policy().bucket("logs").send().await.unwrap();
    assert_eq!(code(client.get_bucket_policy().bucket("logs").send().await), "NoSuchBucketPolicy");
}

#[tokio::test]
async fn lifecycle_rules_are_checked_and_come_back() {
    let emulator = emulator().await;
    let client = client(&emulator);
    create(&client).await;
    let put = |rules: Vec<LifecycleRule>| {
        let lifecycle = BucketLifecycleConfiguration::builder().set_rules(Some(rules)).build().unwrap();
        client.put_bucket_lifecycle_configuration().bucket("logs").lifecycle_configuration(lifecycle).send()
    };
    let rule = |id: &str, days: Option<i32>| {
        LifecycleRule::builder()
            .id(id)
            .status(ExpirationStatus::Enabled)
            .filter(LifecycleRuleFilter::builder().prefix("").build())
            .set_expiration(days.map(|days| LifecycleExpiration::builder().days(days).build()))
            .build()
            .unwrap()
    };
    assert_eq!(code(put(vec![rule("a", None)]).await), "InvalidRequest");
    assert_eq!(code(put(vec![rule("a", Some(0))]).await), "InvalidArgument");
    assert_eq!(code(put(vec![rule("a", Some(1)), rule("a", Some(2))]).await), "InvalidArgument");
    put(vec![rule("ekk-expire", Some(30)), rule("other", Some(2))]).await.unwrap();
    let stored = client.get_bucket_lifecycle_configuration().bucket("logs").send().await.unwrap();
    assert_eq!(stored.rules(), [rule("ekk-expire", Some(30)), rule("other", Some(2))]);
}

#[tokio::test]
async fn an_object_is_read_back_with_what_was_said_of_it() {
    let emulator = emulator().await;
    let client = client(&emulator);
    create(&client).await;
    let put = client.put_object().bucket("logs").key("a b/ü+%.json").content_type("application/json");
    let put = put.metadata("who", "me").body(ByteStream::from_static(b"hello")).send().await.unwrap();
    assert_eq!(put.e_tag(), Some("\"5d41402abc4b2a76b9719d911017c592\""));
    let get = || client.get_object().bucket("logs").key("a b/ü+%.json");
    let object = get().send().await.unwrap();
    assert_eq!((object.content_type(), object.metadata().unwrap()["who"].as_str()), (Some("application/json"), "me"));
    assert_eq!(object.body.collect().await.unwrap().into_bytes(), "hello");
    let part = get().range("bytes=1-2").send().await.unwrap();
    assert_eq!(part.content_range(), Some("bytes 1-2/5"));
    assert_eq!(part.body.collect().await.unwrap().into_bytes(), "el");
    let head = client.head_object().bucket("logs").key("a b/ü+%.json").send().await.unwrap();
    assert_eq!(head.content_length(), Some(5));
    let missing = client.get_object().bucket("logs").key("x").send().await;
    assert_eq!(code(missing), "NoSuchKey");
}

#[tokio::test]
async fn a_body_that_is_not_what_its_checksum_says_is_refused() {
    let emulator = emulator().await;
    let client = client(&emulator);
    create(&client).await;
    let put = || client.put_object().bucket("logs").key("x").body(ByteStream::from_static(b"hello"));
    assert_eq!(code(put().content_md5("1B2M2Y8AsgTpgAmY7PhCfg==").send().await), "BadDigest");
    assert_eq!(code(put().checksum_crc32("AAAAAA==").send().await), "BadDigest");
    let head = client.head_object().bucket("logs").key("x").send().await.unwrap_err();
    assert_eq!(head.raw_response().unwrap().status().as_u16(), 404);
}

#[tokio::test]
async fn conditions_make_a_lock() {
    let emulator = emulator().await;
    let client = client(&emulator);
    create(&client).await;
    let put = || client.put_object().bucket("logs").key("lock").body(ByteStream::from_static(b"me"));
    let etag = put().if_none_match("*").send().await.unwrap().e_tag.unwrap();
    assert_eq!(code(put().if_none_match("*").send().await), "PreconditionFailed");
    assert_eq!(code(put().if_match("\"other\"").send().await), "PreconditionFailed");
    put().if_match(&etag).send().await.unwrap();
    let delete = || client.delete_object().bucket("logs").key("lock");
    assert_eq!(code(delete().if_match("\"other\"").send().await), "PreconditionFailed");
    delete().if_match(&etag).send().await.unwrap();
    put().if_none_match("*").send().await.unwrap();
}

#[tokio::test]
async fn lists_come_in_pages_and_fold_at_the_delimiter() {
    let emulator = emulator().await;
    let client = client(&emulator);
    create(&client).await;
    for key in ["a/1", "a/2", "b", "c/1", "d&e"] {
        put(&client, key, b"x").await;
    }
    let list = || client.list_objects_v2().bucket("logs").delimiter("/");
    let mut found = Vec::new();
    let mut token = None;
    loop {
        let page = list().max_keys(2).set_continuation_token(token).send().await.unwrap();
        assert!(page.key_count().unwrap() <= 2);
        found.extend(page.contents().iter().filter_map(|object| object.key().map(str::to_owned)));
        found.extend(page.common_prefixes().iter().filter_map(|common| common.prefix().map(str::to_owned)));
        token = page.next_continuation_token().map(str::to_owned);
        if token.is_none() {
            break;
        }
    }
    found.sort();
    assert_eq!(found, ["a/", "b", "c/", "d&e"]);
    let below = client.list_objects_v2().bucket("logs").prefix("a/").send().await.unwrap();
    assert_eq!(below.key_count(), Some(2));
}

#[tokio::test]
async fn a_bucket_with_versions_is_emptied_version_by_version() {
    let emulator = emulator().await;
    let client = client(&emulator);
    create(&client).await;
    put(&client, "k0", b"before").await;
    version(&client).await;
    for key in ["k0", "k1", "k1", "k2"] {
        put(&client, key, b"x").await;
    }
    let marker = client.delete_object().bucket("logs").key("k1").send().await.unwrap();
    assert_eq!(marker.delete_marker(), Some(true));
    assert_eq!(code(client.get_object().bucket("logs").key("k1").send().await), "NoSuchKey");
    assert_eq!(code(client.delete_bucket().bucket("logs").send().await), "BucketNotEmpty");

    let mut seen = 0;
    let (mut key, mut id) = (None, None);
    loop {
        let page =
            client.list_object_versions().bucket("logs").max_keys(2).set_key_marker(key).set_version_id_marker(id);
        let page = page.send().await.unwrap();
        let versions = page.versions().iter().map(|version| (version.key(), version.version_id()));
        let markers = page.delete_markers().iter().map(|marker| (marker.key(), marker.version_id()));
        let objects: Vec<ObjectIdentifier> = versions
            .chain(markers)
            .map(|(key, id)| ObjectIdentifier::builder().key(key.unwrap()).version_id(id.unwrap()).build().unwrap())
            .collect();
        seen += objects.len();
        let delete = Delete::builder().set_objects(Some(objects)).quiet(true).build().unwrap();
        let deleted = client.delete_objects().bucket("logs").delete(delete).send().await.unwrap();
        assert!(deleted.errors().is_empty() && deleted.deleted().is_empty());
        (key, id) = (page.next_key_marker().map(str::to_owned), page.next_version_id_marker().map(str::to_owned));
        if page.is_truncated() != Some(true) {
            break;
        }
    }
    assert_eq!(seen, 6);
    client.delete_bucket().bucket("logs").send().await.unwrap();
}

#[tokio::test]
async fn a_locked_object_fails_alone() {
    let emulator = emulator().await;
    let client = client(&emulator);
    create(&client).await;
    put(&client, "free", b"x").await;
    put(&client, "held", b"x").await;
    emulator.control().world(|world| world.s3.locked.insert("logs/held", true));
    let objects = ["free", "held"].map(|key| ObjectIdentifier::builder().key(key).build().unwrap());
    let delete = Delete::builder().set_objects(Some(objects.to_vec())).build().unwrap();
    let result = client.delete_objects().bucket("logs").delete(delete).send().await.unwrap();
    assert_eq!(result.deleted()[0].key(), Some("free"));
    assert_eq!((result.errors()[0].key(), result.errors()[0].code()), (Some("held"), Some("AccessDenied")));
}

#[tokio::test]
async fn an_upload_in_parts_becomes_an_object_or_is_aborted() {
    let emulator = emulator().await;
    let client = client(&emulator);
    create(&client).await;
    let begin = || client.create_multipart_upload().bucket("logs").key("big").send();
    let id = begin().await.unwrap().upload_id.unwrap();
    let mut parts = Vec::new();
    for (number, body) in [(1, vec![b'a'; 5 << 20]), (2, b"end".to_vec())] {
        let part = client.upload_part().bucket("logs").key("big").upload_id(&id).part_number(number);
        let etag = part.body(ByteStream::from(body)).send().await.unwrap().e_tag.unwrap();
        parts.push(CompletedPart::builder().part_number(number).e_tag(etag).build());
    }
    let complete = |parts: Vec<CompletedPart>| {
        let upload = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        client.complete_multipart_upload().bucket("logs").key("big").upload_id(&id).multipart_upload(upload).send()
    };
    let backwards = parts.iter().rev().cloned().collect();
    assert_eq!(code(complete(backwards).await), "InvalidPartOrder");
    assert_eq!(code(client.delete_bucket().bucket("logs").send().await), "BucketNotEmpty");
    let done = complete(parts).await.unwrap();
    assert!(done.e_tag().unwrap().ends_with("-2\""));
    let head = client.head_object().bucket("logs").key("big").send().await.unwrap();
    assert_eq!(head.content_length(), Some((5 << 20) + 3));

    begin().await.unwrap();
    begin().await.unwrap();
    let first = client.list_multipart_uploads().bucket("logs").max_uploads(1).send().await.unwrap();
    assert_eq!(first.is_truncated(), Some(true));
    let next = client.list_multipart_uploads().bucket("logs").key_marker(first.next_key_marker().unwrap());
    let second = next.upload_id_marker(first.next_upload_id_marker().unwrap()).send().await.unwrap();
    assert_eq!((second.uploads().len(), second.is_truncated()), (1, Some(false)));
    for upload in first.uploads().iter().chain(second.uploads()) {
        let abort = client.abort_multipart_upload().bucket("logs").key("big").upload_id(upload.upload_id().unwrap());
        abort.clone().send().await.unwrap();
        assert_eq!(code(abort.send().await), "NoSuchUpload");
    }
}

#[tokio::test]
async fn bodies_survive_a_restart_and_none_is_left_behind() {
    let folder = tempfile::tempdir().unwrap();
    let options = || Options { state: Some(folder.path().to_owned()), ..Options::in_memory(Timing::instant()) };
    let bodies = || std::fs::read_dir(folder.path().join("bodies")).unwrap().count();
    let first = Emulator::start(options()).await.unwrap();
    create(&client(&first)).await;
    put(&client(&first), "k", b"one").await;
    put(&client(&first), "k", b"two").await;
    assert_eq!(bodies(), 1);
    first.stop().await;
    std::fs::write(folder.path().join("bodies/orphan"), "of a kill").unwrap();

    let second = Emulator::start(options()).await.unwrap();
    assert_eq!(bodies(), 1);
    let object = client(&second).get_object().bucket("logs").key("k").send().await.unwrap();
    assert_eq!(object.body.collect().await.unwrap().into_bytes(), "two");
}

#[tokio::test]
async fn what_is_not_emulated_is_said_so() {
    let emulator = emulator().await;
    let client = client(&emulator);
    create(&client).await;
    let error = client.get_bucket_acl().bucket("logs").send().await.unwrap_err();
    assert_eq!(error.code(), Some("NotImplemented"));
    assert_eq!(code(client.get_bucket_tagging().bucket("absent").send().await), "NoSuchBucket");
}

#[tokio::test]
async fn a_presigned_address_needs_no_header() {
    let emulator = emulator().await;
    let client = client(&emulator);
    create(&client).await;
    put(&client, "k", b"hello").await;
    let presigning = aws_sdk_s3::presigning::PresigningConfig::expires_in(std::time::Duration::from_secs(60)).unwrap();
    let get = client.get_object().bucket("logs").key("k").presigned(presigning).await.unwrap();
    let path = get.uri().split_once(&emulator.address().to_string()).unwrap().1;
    let answer =
        crate::server::raw(&emulator, &format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")).await;
    assert!(answer.ends_with("\r\n\r\nhello"), "{answer}");
}
