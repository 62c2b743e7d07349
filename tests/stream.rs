//! The delivery stream, end to end over real HTTP against a small Firehose that is as strict as AWS where it matters
//! here: versions, states, roles that have not spread, tags, and updates that merge.

mod stand_in;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ekk::aws::Session;
use ekk::error::ErrorKind;
use ekk::resource::stream::{
    Backup, Buffer, DIRECT_PUT, Logging, OPENSEARCH_SERVICE, StreamEncryption, StreamSettings,
};
use ekk::resource::{Condition, Goal, Manage as _, Managed, Observed, Owner, Read, Readiness, TAG_REGION, TAG_STACK};
use ekk::wait::{Deadline, Event, Progress};
use serde_json::{Value, json};
use stand_in::{Answer, Came, Fate, StandIn, names};

/// What the small Firehose knows.
#[derive(Default)]
struct Firehose {
    stream: Option<Value>,
    tags: BTreeMap<String, String>,
    /// How many calls that name a role are refused yet.
    role_spreads_after: u32,
    /// What such a refusal says.
    refusal: String,
    /// Describes that still show the state before the last change.
    states_left: u32,
    /// Calls that delete by force.
    forced: u32,
    /// How old the role is by IAM's clock, in seconds; `None` where IAM may not be asked.
    role_age: Option<i64>,
    /// IAM's own clock.
    iam_date: Option<String>,
}

const ROLE: &str = "arn:aws:iam::000000000000:role/ekk/logs-firehose";

fn refused(code: &str, message: &str) -> Answer {
    let body = json!({"__type": code, "message": message}).to_string();
    Answer::json(400, &body)
}

fn answered(body: &Value) -> Answer {
    Answer::json(200, &body.to_string())
}

fn merged(into: &mut Value, update: &Value) {
    match (into.as_object_mut(), update.as_object()) {
        (Some(into), Some(update)) => {
            for (key, value) in update {
                merged(into.entry(key).or_insert(Value::Null), value);
            }
        }
        _ => *into = update.clone(),
    }
}

impl Firehose {
    fn answer(&mut self, came: &Came) -> Answer {
        let body: Value = serde_json::from_slice(&came.body).unwrap_or_default();
        let operation = came.target().rsplit('.').next().unwrap_or_default().to_owned();
        match operation.as_str() {
            "CreateDeliveryStream" => self.create(&body),
            "DescribeDeliveryStream" => self.describe(),
            "DeleteDeliveryStream" => self.delete(&body),
            "UpdateDestination" => self.update(&body),
            "StartDeliveryStreamEncryption" => {
                let key = body["DeliveryStreamEncryptionConfigurationInput"].clone();
                self.encrypt("ENABLING", key)
            }
            "StopDeliveryStreamEncryption" => self.encrypt("DISABLING", json!({})),
            "ListTagsForDeliveryStream" => self.list_tags(&body),
            "TagDeliveryStream" => {
                for tag in body["Tags"].as_array().expect("tags") {
                    self.tag(tag);
                }
                answered(&json!({}))
            }
            "UntagDeliveryStream" => {
                for key in body["TagKeys"].as_array().expect("keys") {
                    self.tags.remove(key.as_str().expect("a key"));
                }
                answered(&json!({}))
            }
            _ if came.body.starts_with(b"Action=GetRole") => self.role(),
            _ => refused("UnknownOperationException", &operation),
        }
    }

    fn role(&self) -> Answer {
        let Some(age) = self.role_age else {
            let body = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>";
            return Answer::new(403, "text/xml", body.to_owned());
        };
        let created = jiff::Timestamp::now() - Duration::from_secs(age.unsigned_abs());
        let body = format!(
            "<GetRoleResponse><GetRoleResult><Role><Path>/ekk/</Path><RoleName>logs-firehose</RoleName><RoleId>A</RoleId>\
             <Arn>{ROLE}</Arn><CreateDate>{created}</CreateDate></Role></GetRoleResult></GetRoleResponse>"
        );
        Answer { date: self.iam_date.clone(), ..Answer::new(200, "text/xml", body) }
    }

    fn tag(&mut self, tag: &Value) {
        let text = |value: &Value| value.as_str().expect("a string").to_owned();
        self.tags.insert(text(&tag["Key"]), text(&tag["Value"]));
    }

    fn list_tags(&self, body: &Value) -> Answer {
        if self.stream.is_none() {
            return refused("ResourceNotFoundException", "no such stream");
        }
        // Two a page, so that paging is followed.
        let after = body["ExclusiveStartTagKey"].as_str().unwrap_or_default().to_owned();
        let mut rest = self.tags.iter().filter(|(key, _)| **key > after);
        let page: Vec<Value> = rest.by_ref().take(2).map(|(key, value)| json!({"Key": key, "Value": value})).collect();
        answered(&json!({"Tags": page, "HasMoreTags": rest.next().is_some()}))
    }

    fn role_is_refused(&mut self) -> Option<Answer> {
        self.role_spreads_after = self.role_spreads_after.checked_sub(1)?;
        Some(refused("InvalidArgumentException", &self.refusal))
    }

    fn create(&mut self, body: &Value) -> Answer {
        if self.stream.is_some() {
            return refused("ResourceInUseException", "the name is taken");
        }
        if let Some(refused) = self.role_is_refused() {
            return refused;
        }
        let mut live = body["AmazonopensearchserviceDestinationConfiguration"].clone();
        live["S3DestinationDescription"] = live["S3Configuration"].take();
        live.as_object_mut().expect("an object").remove("S3Configuration");
        live["S3DestinationDescription"]["EncryptionConfiguration"] = json!({"NoEncryptionConfig": "NoEncryption"});
        let encryption = match &body["DeliveryStreamEncryptionConfigurationInput"] {
            Value::Null => json!({"Status": "DISABLED"}),
            input => json!({"Status": "ENABLED", "KeyType": input["KeyType"], "KeyARN": input["KeyARN"]}),
        };
        for tag in body["Tags"].as_array().into_iter().flatten() {
            self.tag(tag);
        }
        self.states_left = 1;
        self.stream = Some(json!({
            "DeliveryStreamName": body["DeliveryStreamName"],
            "DeliveryStreamARN": "arn:aws:firehose:eu-west-1:000000000000:deliverystream/logs",
            "DeliveryStreamStatus": "CREATING",
            "DeliveryStreamType": body["DeliveryStreamType"],
            "DeliveryStreamEncryptionConfiguration": encryption,
            "VersionId": "1",
            "Destinations": [{
                "DestinationId": "destinationId-000000000001",
                "AmazonopensearchserviceDestinationDescription": live,
            }],
            "HasMoreDestinations": false,
        }));
        answered(&json!({"DeliveryStreamARN": "arn:aws:firehose:eu-west-1:000000000000:deliverystream/logs"}))
    }

    fn describe(&mut self) -> Answer {
        let Some(stream) = &mut self.stream else { return refused("ResourceNotFoundException", "no such stream") };
        let shown = answered(&json!({"DeliveryStreamDescription": stream}));
        // Each state between is shown at least once.
        if self.states_left > 0 {
            self.states_left -= 1;
            return shown;
        }
        if stream["DeliveryStreamStatus"] == "DELETING" {
            self.stream = None;
            self.tags.clear();
            return shown;
        }
        if stream["DeliveryStreamStatus"] == "CREATING" {
            stream["DeliveryStreamStatus"] = json!("ACTIVE");
        }
        let encryption = &mut stream["DeliveryStreamEncryptionConfiguration"]["Status"];
        match encryption.as_str() {
            Some("ENABLING") => *encryption = json!("ENABLED"),
            Some("DISABLING") => *encryption = json!("DISABLED"),
            _ => {}
        }
        shown
    }

    fn delete(&mut self, body: &Value) -> Answer {
        let Some(stream) = &mut self.stream else { return refused("ResourceNotFoundException", "no such stream") };
        if stream["DeliveryStreamStatus"] == "CREATING" {
            return refused("ResourceInUseException", "being created");
        }
        if stream["DeliveryStreamStatus"] == "DELETING_FAILED" && body["AllowForceDelete"] != true {
            return refused("ResourceInUseException", "the grant cannot be retired");
        }
        self.forced += u32::from(body["AllowForceDelete"] == true);
        stream["DeliveryStreamStatus"] = json!("DELETING");
        self.states_left = 1;
        answered(&json!({}))
    }

    fn update(&mut self, body: &Value) -> Answer {
        let Some(stream) = &self.stream else { return refused("ResourceNotFoundException", "no such stream") };
        if body["CurrentDeliveryStreamVersionId"] != stream["VersionId"] {
            return refused("ConcurrentModificationException", "another version");
        }
        if let Some(refused) = self.role_is_refused() {
            return refused;
        }
        let Some(stream) = &mut self.stream else { return refused("ResourceNotFoundException", "no such stream") };
        let mut update = body["AmazonopensearchserviceDestinationUpdate"].clone();
        let s3 = update["S3Update"].take();
        update.as_object_mut().expect("an object").remove("S3Update");
        let live = &mut stream["Destinations"][0]["AmazonopensearchserviceDestinationDescription"];
        merged(live, &update);
        merged(&mut live["S3DestinationDescription"], &s3);
        self.next_version();
        answered(&json!({}))
    }

    fn next_version(&mut self) {
        if let Some(stream) = &mut self.stream {
            let version: u32 = stream["VersionId"].as_str().expect("a version").parse().expect("a number");
            stream["VersionId"] = json!((version + 1).to_string());
        }
    }

    fn encrypt(&mut self, status: &str, mut key: Value) -> Answer {
        let Some(stream) = &mut self.stream else { return refused("ResourceNotFoundException", "no such stream") };
        if stream["DeliveryStreamStatus"] != "ACTIVE" {
            return refused("ResourceInUseException", "not active");
        }
        key["Status"] = json!(status);
        stream["DeliveryStreamEncryptionConfiguration"] = key;
        self.states_left = 1;
        self.next_version();
        answered(&json!({}))
    }
}

struct Rig {
    firehose: Arc<Mutex<Firehose>>,
    stand_in: StandIn,
}

impl Rig {
    async fn start(firehose: Firehose) -> Self {
        let firehose = Arc::new(Mutex::new(firehose));
        let behind = Arc::clone(&firehose);
        let stand_in = StandIn::start(move |came| behind.lock().expect("a lock").answer(came)).await;
        Self { firehose, stand_in }
    }

    async fn session(&self) -> Session {
        self.stand_in.session().await
    }

    fn with<T>(&self, look: impl FnOnce(&mut Firehose) -> T) -> T {
        look(&mut self.firehose.lock().expect("a lock"))
    }

    fn calls(&self, operation: &str) -> usize {
        self.stand_in.came().iter().filter(|came| came.target().ends_with(operation)).count()
    }

    async fn read(&self) -> Read<StreamSettings> {
        StreamSettings::read(&self.session().await, &names()).await.expect("an answer")
    }

    async fn present(&self) -> Observed<StreamSettings> {
        match self.read().await {
            Read::Present(observed) => *observed,
            Read::Absent => panic!("absent"),
            Read::Unknown(why) => panic!("unknown: {why}"),
        }
    }

    async fn reached(&self, goal: Goal) {
        let session = self.session().await;
        for _ in 0..10 {
            match StreamSettings::readiness(&session, &names(), goal).await.expect("an answer") {
                Readiness::Ready => return,
                Readiness::Pending { why: _, stage: _ } => {}
                Readiness::Failed(why) => panic!("{why}"),
            }
        }
        panic!("never reached");
    }

    async fn created(&self) {
        StreamSettings::create(&self.session().await, &names(), &wanted()).await.expect("created");
        self.reached(Goal::InForce).await;
    }
}

fn wanted() -> Managed<StreamSettings> {
    let tag = |key: &str, value: &str| (key.to_owned(), Some(value.to_owned()));
    Managed {
        settings: StreamSettings {
            source: DIRECT_PUT.into(),
            destination: OPENSEARCH_SERVICE.into(),
            role_arn: ROLE.into(),
            domain_arn: "arn:aws:es:eu-west-1:000000000000:domain/logs".into(),
            index: "logs".into(),
            rotation: "OneWeek".into(),
            retry_seconds: 300,
            buffer: Buffer { seconds: 60, mib: 5 },
            document_ids: "FIREHOSE_DEFAULT".into(),
            backup: Backup {
                documents: "AllDocuments".into(),
                bucket_arn: "arn:aws:s3:::logs-bucket".into(),
                prefix: String::new(),
                error_prefix: String::new(),
                buffer: Buffer { seconds: 300, mib: 5 },
                compression: "UNCOMPRESSED".into(),
            },
            logging: Logging {
                enabled: true,
                log_group: Some("/aws/kinesisfirehose/logs".into()),
                destination_stream: Some("DestinationDelivery".into()),
                backup_stream: Some("BackupDelivery".into()),
            },
            encryption: StreamEncryption { enabled: true, key_type: Some("AWS_OWNED_CMK".into()), key_arn: None },
        },
        tags: [tag(TAG_STACK, "logs"), tag(TAG_REGION, "eu-west-1"), tag("team", "platform")].into(),
    }
}

#[tokio::test]
async fn a_stream_lives() {
    let rig = Rig::start(Firehose::default()).await;
    assert_eq!(rig.read().await, Read::Absent);
    StreamSettings::create(&rig.session().await, &names(), &wanted()).await.expect("created");
    assert_eq!(rig.present().await.condition, Condition::Changing("CREATING".into()));
    rig.reached(Goal::InForce).await;
    let live = rig.present().await;
    assert_eq!(live.settings, wanted().settings);
    assert_eq!((&live.owner, &live.condition), (&Owner::Ours, &Condition::Settled));
    assert_eq!(live.tags.len(), 3, "all pages of tags");

    type Change = (&'static str, fn(&mut StreamSettings));
    let changes: [Change; 14] = [
        ("/role_arn", |after| after.role_arn.push('2')),
        ("/domain_arn", |after| after.domain_arn.push('2')),
        ("/index", |after| after.index = "other".into()),
        ("/rotation", |after| after.rotation = "NoRotation".into()),
        ("/retry_seconds", |after| after.retry_seconds = 0),
        ("/buffer/seconds", |after| after.buffer.seconds = 0),
        ("/document_ids", |after| after.document_ids = "NO_DOCUMENT_ID".into()),
        ("/backup/bucket_arn", |after| after.backup.bucket_arn.push('2')),
        ("/backup/prefix", |after| after.backup.prefix = "a/".into()),
        ("/backup/error_prefix", |after| after.backup.error_prefix = "b/".into()),
        ("/backup/compression", |after| after.backup.compression = "GZIP".into()),
        ("/logging/log_group", |after| after.logging.log_group = Some("/other".into())),
        ("/encryption/key_type", |after| {
            after.encryption.key_type = Some("CUSTOMER_MANAGED_CMK".into());
            after.encryption.key_arn = Some("arn:aws:kms:eu-west-1:000000000000:key/k".into());
        }),
        ("/encryption/enabled", |after| {
            after.encryption = StreamEncryption { enabled: false, key_type: None, key_arn: None };
        }),
    ];
    let mut after = wanted();
    for (pointer, change) in changes {
        let before = rig.present().await;
        change(&mut after.settings);
        let session = rig.session().await;
        StreamSettings::update(&session, &names(), &before, &after, &[pointer.to_owned()]).await.expect("updated");
        rig.reached(Goal::InForce).await;
        assert_eq!(rig.present().await.settings, after.settings, "{pointer}");
    }
    assert_eq!((rig.calls("UpdateDestination"), rig.calls("StartDeliveryStreamEncryption")), (12, 1));

    let before = rig.present().await;
    StreamSettings::delete(&rig.session().await, &names(), &before).await.expect("deleted");
    rig.reached(Goal::Gone).await;
    StreamSettings::delete(&rig.session().await, &names(), &before).await.expect("deleted again");
    assert_eq!(rig.with(|firehose| firehose.forced), 0);
}

#[tokio::test]
async fn tags_are_set_and_removed_and_those_of_others_stay() {
    let rig = Rig::start(Firehose::default()).await;
    rig.created().await;
    rig.with(|firehose| firehose.tags.insert("cost".into(), "9".into()));
    let before = rig.present().await;
    let mut after = wanted();
    after.tags.insert("team".into(), None);
    after.tags.insert("stage".into(), Some("test".into()));
    let pointers = ["/tags/team".to_owned(), "/tags/stage".to_owned()];
    StreamSettings::update(&rig.session().await, &names(), &before, &after, &pointers).await.expect("updated");
    let tags = rig.present().await.tags;
    assert_eq!(tags.get("cost").map(String::as_str), Some("9"));
    assert_eq!(tags.get("stage").map(String::as_str), Some("test"));
    assert!(!tags.contains_key("team"));
    assert_eq!(rig.calls("UpdateDestination"), 0);
}

#[tokio::test]
async fn a_role_that_has_not_spread_is_waited_for_and_said_so() {
    let refusal = "Firehose is unable to assume role. Please check the role provided.".to_owned();
    let rig = Rig::start(Firehose { role_spreads_after: 5, refusal, ..Firehose::default() }).await;
    let told = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&told);
    let mut session = rig.session().await;
    session.waiting.progress = Progress::new(move |_, event| sink.lock().expect("a lock").push(event));
    StreamSettings::create(&session, &names(), &wanted()).await.expect("created in the end");
    let told = told.lock().expect("a lock");
    assert_eq!(told.len(), 5);
    assert_eq!(told[1], Event::Waiting { why: "waiting for IAM (attempt 3, 0 s)".into(), stage: None });
    assert_eq!(rig.calls("CreateDeliveryStream"), 6);
}

#[tokio::test]
async fn a_refusal_that_speaks_of_no_role_is_tried_three_times() {
    let refusal = "Interval must be at most 900".to_owned();
    let rig = Rig::start(Firehose { role_spreads_after: 99, refusal, ..Firehose::default() }).await;
    let error = StreamSettings::create(&rig.session().await, &names(), &wanted()).await.expect_err("refused");
    assert_eq!(
        error.message,
        "stream logs: firehose:CreateDeliveryStream: InvalidArgumentException: Interval must be at most 900"
    );
    assert_eq!(rig.calls("CreateDeliveryStream"), 3);
}

/// A session whose minute of patience takes no time.
async fn impatient(rig: &Rig) -> Session {
    let mut session = rig.session().await;
    session.waiting.pace.role_spread_least = Duration::ZERO;
    session.waiting.pace.role_spread_most = Duration::from_millis(100);
    session
}

fn never_spreads(role_age: Option<i64>) -> Firehose {
    let refusal = "Firehose is unable to assume role".to_owned();
    Firehose { role_spreads_after: u32::MAX, refusal, role_age, ..Firehose::default() }
}

#[tokio::test]
async fn after_the_least_time_an_old_role_is_at_fault() {
    let rig = Rig::start(never_spreads(Some(86_400))).await;
    let error = StreamSettings::create(&impatient(&rig).await, &names(), &wanted()).await.expect_err("refused");
    assert!(error.message.ends_with("InvalidArgumentException: Firehose is unable to assume role"), "{error}");
    assert!(error.hints[0].contains(ROLE), "{:?}", error.hints);
    assert_eq!(rig.calls("CreateDeliveryStream"), 1);
}

#[tokio::test]
async fn a_role_whose_age_nobody_may_ask_for_gets_the_least_time() {
    let rig = Rig::start(never_spreads(None)).await;
    StreamSettings::create(&impatient(&rig).await, &names(), &wanted()).await.expect_err("refused");
    assert_eq!(rig.calls("CreateDeliveryStream"), 1);
}

#[tokio::test]
async fn a_role_that_this_run_wrote_or_a_young_one_gets_the_most_time() {
    let rig = Rig::start(never_spreads(Some(86_400))).await;
    let session = impatient(&rig).await;
    session.note_role_written();
    StreamSettings::create(&session, &names(), &wanted()).await.expect_err("refused in the end");
    assert!(rig.calls("CreateDeliveryStream") > 3);
    let rig = Rig::start(never_spreads(Some(0))).await;
    StreamSettings::create(&impatient(&rig).await, &names(), &wanted()).await.expect_err("refused in the end");
    assert!(rig.calls("CreateDeliveryStream") > 3);
}

#[tokio::test]
async fn the_age_of_a_role_goes_by_iams_own_clock() {
    // By this machine's clock the role was made just now.
    let iam_date = Some("Fri, 01 Jan 2100 00:00:00 GMT".to_owned());
    let rig = Rig::start(Firehose { iam_date, ..never_spreads(Some(0)) }).await;
    StreamSettings::create(&impatient(&rig).await, &names(), &wanted()).await.expect_err("refused");
    assert_eq!(rig.calls("CreateDeliveryStream"), 1);
}

#[tokio::test]
async fn without_waiting_a_role_that_has_not_spread_is_still_under_way() {
    let rig = Rig::start(never_spreads(None)).await;
    let mut session = rig.session().await;
    session.waiting.deadline = Deadline::Now;
    let error = StreamSettings::create(&session, &names(), &wanted()).await.expect_err("left");
    assert_eq!(error.kind, ErrorKind::StillUnderWay);
    assert_eq!(rig.calls("CreateDeliveryStream"), 1);
}

#[tokio::test]
async fn a_lost_answer_to_create_and_update_is_met() {
    let rig = Rig::start(Firehose::default()).await;
    rig.stand_in.meet("POST", "CreateDeliveryStream", Fate::AnswerLost);
    rig.created().await;
    assert_eq!(rig.calls("CreateDeliveryStream"), 2);
    let before = rig.present().await;
    let mut after = wanted();
    after.settings.index = "other".into();
    rig.stand_in.meet("POST", "UpdateDestination", Fate::AnswerLost);
    StreamSettings::update(&rig.session().await, &names(), &before, &after, &["/index".into()]).await.expect("updated");
    assert_eq!(rig.present().await.settings, after.settings);
}

#[tokio::test]
async fn a_name_that_somebody_else_took_is_not_taken_over() {
    let rig = Rig::start(Firehose::default()).await;
    rig.created().await;
    rig.with(|firehose| firehose.tags.clear());
    let error = StreamSettings::create(&rig.session().await, &names(), &wanted()).await.expect_err("taken");
    assert!(error.message.contains("ResourceInUseException"), "{error}");
}

#[tokio::test]
async fn a_concurrent_change_is_met_by_describing_again() {
    let rig = Rig::start(Firehose::default()).await;
    rig.created().await;
    let before = rig.present().await;
    rig.with(Firehose::next_version);
    let race = refused("ConcurrentModificationException", "another version");
    rig.stand_in.meet("POST", "UpdateDestination", Fate::Answered(race));
    let mut after = wanted();
    after.settings.retry_seconds = 60;
    let pointers = ["/retry_seconds".to_owned()];
    StreamSettings::update(&rig.session().await, &names(), &before, &after, &pointers).await.expect("updated");
    assert_eq!(rig.present().await.settings, after.settings);
    assert_eq!(rig.calls("UpdateDestination"), 2);
}

#[tokio::test]
async fn a_create_waits_for_a_stream_that_is_being_deleted() {
    let rig = Rig::start(Firehose::default()).await;
    rig.created().await;
    let before = rig.present().await;
    StreamSettings::delete(&rig.session().await, &names(), &before).await.expect("deleted");
    assert_eq!(rig.present().await.condition, Condition::Deleting);
    rig.created().await;
    assert_eq!(rig.present().await.settings, wanted().settings);
}

#[tokio::test]
async fn a_stream_that_failed_is_broken_and_cleaned_up() {
    let rig = Rig::start(Firehose::default()).await;
    for (status, forced) in [("CREATING_FAILED", 0), ("DELETING_FAILED", 1)] {
        rig.created().await;
        rig.with(|firehose| {
            let stream = firehose.stream.as_mut().expect("a stream");
            stream["DeliveryStreamStatus"] = json!(status);
            stream["FailureDescription"] = json!({"Type": "KMS_ACCESS_DENIED", "Details": "no grant"});
        });
        let before = rig.present().await;
        assert_eq!(before.condition, Condition::Broken(format!("{status}: KMS_ACCESS_DENIED: no grant")));
        StreamSettings::delete(&rig.session().await, &names(), &before).await.expect("deleted");
        rig.reached(Goal::Gone).await;
        assert_eq!(rig.with(|firehose| firehose.forced), forced, "{status}");
    }
}

#[tokio::test]
async fn deleting_waits_for_the_creation_to_end() {
    let rig = Rig::start(Firehose::default()).await;
    StreamSettings::create(&rig.session().await, &names(), &wanted()).await.expect("created");
    let before = rig.present().await;
    rig.with(|firehose| firehose.states_left = 3);
    StreamSettings::delete(&rig.session().await, &names(), &before).await.expect("deleted");
    rig.reached(Goal::Gone).await;
}

#[tokio::test]
async fn encryption_that_fails_says_why() {
    let rig = Rig::start(Firehose::default()).await;
    rig.created().await;
    let before = rig.present().await;
    let mut after = wanted();
    after.settings.encryption.key_type = Some("CUSTOMER_MANAGED_CMK".into());
    after.settings.encryption.key_arn = Some("arn:aws:kms:eu-west-1:000000000000:key/k".into());
    let pointers = ["/encryption/key_type".to_owned()];
    let refusal = refused("InvalidKMSResourceException", "the key is disabled");
    rig.stand_in.meet("POST", "StartDeliveryStreamEncryption", Fate::Answered(refusal));
    let error = StreamSettings::update(&rig.session().await, &names(), &before, &after, &pointers).await;
    let error = error.expect_err("refused");
    assert_eq!(
        error.message,
        "stream logs: firehose:StartDeliveryStreamEncryption: InvalidKMSResourceException: the key is disabled"
    );
}
