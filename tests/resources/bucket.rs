use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    BucketLifecycleConfiguration, BucketLocationConstraint, BucketVersioningStatus, CreateBucketConfiguration,
    ExpirationStatus, LifecycleExpiration, LifecycleRule as S3Rule, LifecycleRuleFilter, Tag, Tagging,
    VersioningConfiguration,
};
use ekk::aws::Session;
use ekk::error::ErrorKind;
use ekk::policy;
use ekk::resource::bucket::{BucketEncryption, BucketSettings, LifecycleRule, contents};
use ekk::resource::{Goal, Manage as _, Managed, Owner, Read, Readiness, Settings as _, Verdict};
use ekk::stack::{Names, Origin};
use ekk::wait::{Event, Progress};
use ekk_emulator::{Effect, Fault, Moment, Service};

use crate::{Account, REGION, assert_settled, killed_at_every_call, managed, names, read, session};

const NAME: &str = "logs-000000000000";
const THEIRS: &str = r#"{"Version":"2012-10-17","Statement":{"Sid":"Theirs","Effect":"Deny","Principal":"*","Action":"s3:DeleteBucket","Resource":"arn:aws:s3:::logs-000000000000"}}"#;

fn wanted() -> Managed<BucketSettings> {
    managed(BucketSettings {
        region: REGION.to_owned(),
        public_access_blocked: true,
        encryption: BucketEncryption { algorithm: "AES256".to_owned(), kms_key: None },
        policy: policy::bucket_statements("arn:aws:s3:::logs-000000000000"),
        lifecycle: BTreeMap::from([(
            "ekk-expiry".to_owned(),
            LifecycleRule {
                prefix: "raw/".to_owned(),
                expire_days: Some(30),
                expire_noncurrent_days: Some(7),
                abort_uploads_days: Some(3),
            },
        )]),
        holds_nothing: false,
    })
}

async fn create(account: &Account) {
    BucketSettings::create(&account.session, &names(), &wanted()).await.expect("created");
}

async fn update(account: &Account, wanted: &Managed<BucketSettings>, pointers: &[&str]) {
    let before = read::<BucketSettings>(&account.session).await.expect("a bucket");
    let pointers: Vec<String> = pointers.iter().map(|pointer| (*pointer).to_owned()).collect();
    BucketSettings::update(&account.session, &names(), &before, wanted, &pointers).await.expect("updated");
}

async fn put(session: &Session, key: &str, body: &'static [u8]) {
    let body = ByteStream::from_static(body);
    session.aws.s3.put_object().bucket(NAME).key(key).body(body).send().await.expect("put");
}

async fn make_versioned(session: &Session) {
    let on = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    session.aws.s3.put_bucket_versioning().bucket(NAME).versioning_configuration(on).send().await.expect("versioned");
}

async fn make_by_hand(account: &Account) {
    let here = BucketLocationConstraint::from(REGION);
    let here = CreateBucketConfiguration::builder().location_constraint(here).build();
    account
        .session
        .aws
        .s3
        .create_bucket()
        .bucket(NAME)
        .create_bucket_configuration(here)
        .send()
        .await
        .expect("made by somebody");
}

fn give_to_another_account(account: &Account) {
    let now = account.control().now();
    account.control().world(|world| {
        world.s3.buckets.insert(NAME.to_owned(), ekk_emulator::s3::Bucket::new(REGION, "999999999999", now));
    });
}

async fn rule_ids(session: &Session) -> Vec<String> {
    let answer = session.aws.s3.get_bucket_lifecycle_configuration().bucket(NAME).send().await.expect("rules");
    answer.rules().iter().filter_map(|rule| rule.id().map(ToOwned::to_owned)).collect()
}

#[tokio::test]
async fn a_bucket_reads_back_as_it_was_made() {
    let account = Account::start().await;
    assert!(read::<BucketSettings>(&account.session).await.is_none());
    create(&account).await;
    let live = assert_settled(&account.session, &wanted()).await;
    assert_eq!(live.settings, wanted().settings);
}

#[tokio::test]
async fn a_read_takes_five_calls() {
    let account = Account::start().await;
    create(&account).await;
    account.operations();
    read::<BucketSettings>(&account.session).await.expect("a bucket");
    let mut operations = account.operations();
    operations.sort();
    assert_eq!(
        operations,
        [
            "GetBucketEncryption",
            "GetBucketLifecycleConfiguration",
            "GetBucketPolicy",
            "GetBucketTagging",
            "GetPublicAccessBlock"
        ]
    );
}

#[tokio::test]
async fn us_east_1_is_not_named_and_answers_twice() {
    let account = Account::start().await;
    let session = session(&account.emulator, "us-east-1").await;
    let names = Names { region: "us-east-1".to_owned(), ..names() };
    let mut wanted = wanted();
    wanted.settings.region = "us-east-1".to_owned();
    wanted.tags.insert("ekk:region".to_owned(), Some("us-east-1".to_owned()));
    for _ in 0..2 {
        BucketSettings::create(&session, &names, &wanted).await.expect("created");
    }
    let Read::Present(live) = BucketSettings::read(&session, &names).await.expect("a read") else {
        panic!("it is there")
    };
    assert_eq!(live.settings, wanted.settings);
    assert_eq!(live.owner, Owner::Ours);
}

#[tokio::test]
async fn what_others_put_on_the_bucket_stays() {
    let account = Account::start().await;
    create(&account).await;
    let s3 = &account.session.aws.s3;
    let mut wanted = wanted();
    let merged = policy::with_own_statements(Some(THEIRS), &wanted.settings.policy).expect("JSON").expect("statements");
    s3.put_bucket_policy().bucket(NAME).policy(merged).send().await.expect("a policy");
    let theirs = S3Rule::builder()
        .id("theirs")
        .status(ExpirationStatus::Enabled)
        .filter(LifecycleRuleFilter::builder().prefix("tmp/").build())
        .expiration(LifecycleExpiration::builder().days(1).build())
        .build()
        .expect("a rule");
    let rules = BucketLifecycleConfiguration::builder().rules(theirs).build().expect("rules");
    s3.put_bucket_lifecycle_configuration().bucket(NAME).lifecycle_configuration(rules).send().await.expect("rules");
    let mut tags: Vec<Tag> = s3.get_bucket_tagging().bucket(NAME).send().await.expect("tags").tag_set().to_vec();
    tags.push(Tag::builder().key("cost").value("9").build().expect("a tag"));
    let tagging = Tagging::builder().set_tag_set(Some(tags)).build().expect("tags");
    s3.put_bucket_tagging().bucket(NAME).tagging(tagging).send().await.expect("tagged");

    // Our rule is gone with their Put; it comes back beside theirs.
    wanted.tags.insert("team".to_owned(), Some("other".to_owned()));
    update(&account, &wanted, &["/lifecycle/ekk-expiry", "/tags/team"]).await;
    let live = assert_settled(&account.session, &wanted).await;
    assert_eq!(live.tags.get("cost").map(String::as_str), Some("9"));
    assert_eq!(rule_ids(&account.session).await, ["theirs", "ekk-expiry"]);

    wanted.settings.policy.clear();
    wanted.settings.lifecycle.clear();
    wanted.tags.insert("team".to_owned(), None);
    update(&account, &wanted, &["/policy/ekkTlsOnly", "/lifecycle/ekk-expiry", "/tags/team"]).await;
    let live = assert_settled(&account.session, &wanted).await;
    assert!(!live.tags.contains_key("team"));
    assert_eq!(rule_ids(&account.session).await, ["theirs"]);
    let policy = s3.get_bucket_policy().bucket(NAME).send().await.expect("a policy").policy.expect("a policy");
    assert!(policy.contains("Theirs"), "{policy}");
}

#[tokio::test]
async fn each_setting_takes_its_own_call() {
    let account = Account::start().await;
    create(&account).await;
    let mut wanted = wanted();
    let key = "arn:aws:kms:eu-west-1:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    wanted.settings.encryption = BucketEncryption { algorithm: "aws:kms".to_owned(), kms_key: Some(key.to_owned()) };
    account.writes();
    update(&account, &wanted, &["/encryption/algorithm", "/encryption/kms_key"]).await;
    assert_eq!(account.writes(), ["PutBucketEncryption"]);
    assert_settled(&account.session, &wanted).await;

    account.session.aws.s3.delete_public_access_block().bucket(NAME).send().await.expect("opened by somebody");
    assert!(!read::<BucketSettings>(&account.session).await.expect("a bucket").settings.public_access_blocked);
    account.writes();
    update(&account, &wanted, &["/public_access_blocked"]).await;
    assert_eq!(account.writes(), ["PutPublicAccessBlock"]);
    assert_settled(&account.session, &wanted).await;

    wanted.settings.lifecycle.clear();
    update(&account, &wanted, &["/lifecycle/ekk-expiry"]).await;
    assert_eq!(account.writes(), ["DeleteBucketLifecycle"]);
    assert_settled(&account.session, &wanted).await;

    account.session.aws.s3.delete_bucket_policy().bucket(NAME).send().await.expect("opened by somebody");
    account.writes();
    update(&account, &wanted, &["/policy/ekkTlsOnly"]).await;
    assert_eq!(account.writes(), ["PutBucketPolicy"]);
    assert_settled(&account.session, &wanted).await;
}

#[tokio::test]
async fn a_run_killed_while_it_makes_a_bucket_is_finished_by_the_next() {
    killed_at_every_call(
        &wanted(),
        async |_| {},
        async |session| BucketSettings::create(session, &names(), &wanted()).await,
    )
    .await;
}

#[tokio::test]
async fn a_lost_answer_is_no_failure() {
    let account = Account::start().await;
    let lost = Effect::DropConnection(Moment::After);
    account.control().fault(Fault::on(Service::S3, "CreateBucket", lost).first(1));
    create(&account).await;
    assert_settled(&account.session, &wanted()).await;
}

#[tokio::test]
async fn a_lost_answer_is_no_failure_where_the_server_ignores_the_tags_of_a_new_bucket() {
    let account = Account::start().await;
    account.control().world(|world| world.s3.ignores_tags_of_new_buckets = true);
    let lost = Effect::DropConnection(Moment::After);
    account.control().fault(Fault::on(Service::S3, "CreateBucket", lost).first(1));
    create(&account).await;
    assert_settled(&account.session, &wanted()).await;
}

#[tokio::test]
async fn finishing_a_half_made_bucket_is_no_hazard_but_expiry_in_a_used_one_is() {
    let account = Account::start().await;
    account.control().deny("s3:PutLifecycleConfiguration");
    BucketSettings::create(&account.session, &names(), &wanted()).await.expect_err("half-made");
    account.control().clear_faults();
    let judge = async || {
        let live = read::<BucketSettings>(&account.session).await.expect("a bucket");
        assert_eq!(live.owner, Owner::Ours);
        BucketSettings::judge("/lifecycle/ekk-expiry", &live.settings, &wanted().settings)
    };
    assert_eq!(judge().await, Verdict::InPlace);
    put(&account.session, "raw/1", b"x").await;
    assert!(matches!(judge().await, Verdict::InPlaceWith(_)));
}

#[tokio::test]
async fn a_name_of_another_account_is_said_so() {
    let account = Account::start().await;
    give_to_another_account(&account);
    // A denial of everything reads the same: S3 says no more.
    let text = "bucket logs-000000000000: it is another account's, or this caller may not look at it";
    let error = BucketSettings::read(&account.session, &names()).await.expect_err("another account's");
    assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Refused, text));
    assert_eq!(error.hints.len(), 2);
    let text = "bucket logs-000000000000: the name belongs to another account: bucket names are global; choose \
                another `bucket.name`";
    let error = BucketSettings::create(&account.session, &names(), &wanted()).await.expect_err("another account's");
    assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Refused, text));
}

#[tokio::test]
async fn all_permissions_that_a_read_lacks_are_named() {
    let account = Account::start().await;
    create(&account).await;
    account.control().deny("s3:GetBucketTagging");
    account.control().deny("s3:GetBucketPolicy");
    let error = BucketSettings::read(&account.session, &names()).await.expect_err("denied");
    assert_eq!(error.kind, ErrorKind::Denied);
    assert_eq!(error.hints, ["allow s3:GetBucketTagging to the caller", "allow s3:GetBucketPolicy to the caller"]);
    account.control().deny("s3:*");
    let error = BucketSettings::read(&account.session, &names()).await.expect_err("denied");
    assert_eq!((error.kind, error.hints.len()), (ErrorKind::Denied, 5));
}

#[tokio::test]
async fn a_missing_permission_to_tag_is_named() {
    let account = Account::start().await;
    account.control().deny("s3:TagResource");
    let error = BucketSettings::create(&account.session, &names(), &wanted()).await.expect_err("denied");
    assert!(error.hints.iter().any(|hint| hint.contains("s3:TagResource")), "{error:?}");
}

#[tokio::test]
async fn a_bucket_in_another_region_is_read_there() {
    let account = Account::start().await;
    create(&account).await;
    let elsewhere = session(&account.emulator, "eu-central-1").await;
    let Read::Present(live) = BucketSettings::read(&elsewhere, &names()).await.expect("a read") else {
        panic!("it is there")
    };
    assert_eq!(live.settings, wanted().settings);
    let mut here = wanted().settings;
    here.region = "eu-central-1".to_owned();
    assert!(matches!(BucketSettings::judge("/region", &live.settings, &here), Verdict::Impossible(_)));
}

#[tokio::test]
async fn a_bucket_of_nobody_is_not_taken_by_a_create() {
    let account = Account::start().await;
    make_by_hand(&account).await;
    let error = BucketSettings::create(&account.session, &names(), &wanted()).await.expect_err("nobody's");
    assert_eq!(error.kind, ErrorKind::Refused);
    assert_eq!(read::<BucketSettings>(&account.session).await.expect("a bucket").owner, Owner::Nobody);
}

#[tokio::test]
async fn a_conflicting_operation_is_waited_for() {
    let account = Account::start().await;
    let busy = || Effect::Error {
        status: 409,
        code: "OperationAborted".to_owned(),
        message: "A conflicting conditional operation is currently in progress against this resource.".to_owned(),
    };
    for operation in ["CreateBucket", "PutBucketPolicy", "DeleteBucket"] {
        account.control().fault(Fault::on(Service::S3, operation, busy()).first(2));
    }
    create(&account).await;
    let live = assert_settled(&account.session, &wanted()).await;
    BucketSettings::delete(&account.session, &names(), &live).await.expect("deleted");
    assert!(read::<BucketSettings>(&account.session).await.is_none());
}

#[tokio::test]
async fn a_deletion_removes_versions_markers_and_unfinished_uploads_and_tells_how_far_it_is() {
    let account = Account::start().await;
    let told = Arc::new(Mutex::new(Vec::new()));
    let mut session = session(&account.emulator, REGION).await;
    let sink = Arc::clone(&told);
    session.waiting.progress = Progress::new(move |_, event| {
        if let Event::Waiting { why, stage: _ } = event {
            sink.lock().expect("not poisoned").push(why);
        }
    });
    BucketSettings::create(&session, &names(), &wanted()).await.expect("created");
    make_versioned(&session).await;
    for number in 0..1010 {
        put(&session, &format!("raw/{number:04}"), b"record").await;
    }
    put(&session, "raw/0000", b"again").await;
    session.aws.s3.delete_object().bucket(NAME).key("raw/0001").send().await.expect("a marker");
    session.aws.s3.create_multipart_upload().bucket(NAME).key("raw/big").send().await.expect("an upload");

    let before = contents(&session, &names()).await.expect("contents");
    assert_eq!((before.objects, before.bytes, before.is_capped), (1011, 1010 * 6 + 5, false));
    let live = assert_settled(&session, &wanted()).await;
    BucketSettings::delete(&session, &names(), &live).await.expect("deleted");
    assert!(read::<BucketSettings>(&session).await.is_none());
    let gone = BucketSettings::readiness(&session, &names(), Goal::Gone).await.expect("an answer");
    assert_eq!(gone, Readiness::Ready);
    let last = told.lock().expect("not poisoned").last().cloned();
    assert_eq!(last.as_deref(), Some("emptying it; removed so far: 1012"));
    BucketSettings::delete(&session, &names(), &live).await.expect("gone is deleted");
}

#[tokio::test]
async fn what_firehose_flushes_late_goes_too() {
    let account = Account::start().await;
    create(&account).await;
    put(&account.session, "raw/1", b"x").await;
    let live = assert_settled(&account.session, &wanted()).await;
    account.control().fault(Fault::on(Service::S3, "DeleteBucket", Effect::Delay(Duration::from_millis(100))).first(1));
    let writer = session(&account.emulator, REGION).await;
    let names = names();
    let late = async {
        while !account.control().requests().iter().any(|request| request.operation == "DeleteObjects") {
            tokio::task::yield_now().await;
        }
        put(&writer, "raw/2", b"late").await;
    };
    let (deleted, ()) = tokio::join!(BucketSettings::delete(&account.session, &names, &live), late);
    deleted.expect("deleted");
    let rounds = account.writes().into_iter().filter(|operation| operation == "DeleteBucket").count();
    assert_eq!(rounds, 2, "the first found the bucket not empty");
    assert!(read::<BucketSettings>(&account.session).await.is_none());
}

#[tokio::test]
async fn an_object_that_may_not_go_is_named() {
    let account = Account::start().await;
    create(&account).await;
    put(&account.session, "raw/1", b"x").await;
    put(&account.session, "raw/2", b"x").await;
    account.control().world(|world| world.s3.locked.insert(format!("{NAME}/raw/2"), true));
    let live = assert_settled(&account.session, &wanted()).await;
    let error = BucketSettings::delete(&account.session, &names(), &live).await.expect_err("locked");
    assert_eq!(error.kind, ErrorKind::Denied);
    assert_eq!(
        error.message,
        "bucket logs-000000000000: s3:DeleteObjectVersion: AccessDenied: Access Denied because object protected by \
         object lock. (raw/2 and 0 others of 2)"
    );
}

#[tokio::test]
async fn a_deletion_killed_at_any_call_is_finished_by_the_next() {
    for moment in [Moment::Before, Moment::After] {
        let mut number = 1;
        loop {
            let account = Account::start().await;
            create(&account).await;
            put(&account.session, "raw/1", b"x").await;
            let live = assert_settled(&account.session, &wanted()).await;
            let run = session(&account.emulator, REGION).await;
            let reached = account.control().stall_at(number, moment);
            let names = names();
            let was_killed = tokio::select! {
                result = BucketSettings::delete(&run, &names, &live) => { result.expect("deleted"); false }
                _ = reached => true,
            };
            account.control().clear_faults();
            let next = session(&account.emulator, REGION).await;
            BucketSettings::delete(&next, &names, &live).await.expect("deleted");
            assert!(read::<BucketSettings>(&next).await.is_none());
            if !was_killed {
                assert!(number > 3, "list, delete and delete the bucket");
                break;
            }
            number += 1;
        }
    }
}

#[tokio::test]
async fn an_existing_bucket_costs_one_call_and_may_be_another_accounts() {
    let account = Account::start().await;
    let names = Names { bucket_origin: Origin::Existing, ..names() };
    let read = async || BucketSettings::read(&account.session, &names).await.expect("a read");
    assert_eq!(read().await, Read::Absent);
    make_by_hand(&account).await;
    account.operations();
    let Read::Present(live) = read().await else { panic!("it is there") };
    assert_eq!(account.operations(), ["HeadBucket"]);
    assert_eq!((live.settings.region.as_str(), live.facts.unchecked), (REGION, None));

    give_to_another_account(&account);
    let Read::Present(live) = read().await else { panic!("it is there") };
    assert!(live.facts.unchecked.is_some());
    assert!(BucketSettings::check_existing(&live, &wanted().settings).is_empty());
}

#[tokio::test]
async fn a_key_that_xml_cannot_hold_stands_in_nobody_s_way() {
    let account = Account::start().await;
    create(&account).await;
    for key in ["a\u{1}b", "a b+c", "ä&<", "plain"] {
        put(&account.session, key, b"x").await;
    }
    let bucket = ekk::objects::Bucket::of(&account.session, "logs-000000000000").await.expect("a bucket");
    let listed = bucket.list("", "").next().await.expect("a page").expect("objects");
    let keys: Vec<&str> = listed.iter().map(|object| object.key.as_str()).collect();
    assert_eq!(keys, ["a\u{1}b", "a b+c", "plain", "ä&<"]);
    let live = read::<BucketSettings>(&account.session).await.expect("a bucket");
    BucketSettings::delete(&account.session, &names(), &live).await.expect("it goes with all of them");
    assert_eq!(read::<BucketSettings>(&account.session).await, None);
}
