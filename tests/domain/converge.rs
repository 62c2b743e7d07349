//! The life of a domain on the emulated AWS: made, changed, upgraded, deleted, and what gets in the way.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ekk::aws::{Aws, Connection, Session};
use ekk::preflight::{self, Deployment, DryRun, Preflight};
use ekk::resource::domain::{DedicatedMasters, DomainSettings};
use ekk::resource::{
    Condition, Goal, Hazard, Kind, Manage as _, Managed, Observed, Owner, Read, Readiness, Settings as _, Verdict,
};
use ekk::wait::{self, Deadline, Event, Progress};
use ekk_emulator::opensearch::ValidationFailure;
use ekk_emulator::request::Service;
use ekk_emulator::{Effect, Emulator, Fault, Moment, Options, Timing};
use serde_json::Value;

use crate::edges::{names, wanted};
use crate::scripted::waiting;

const ACCOUNT: &str = "000000000000";

struct Emulated {
    emulator: Emulator,
    session: Session,
    told: Arc<Mutex<Vec<Event>>>,
}

impl Emulated {
    async fn start(timing: Timing) -> Self {
        let emulator = Emulator::start(Options::in_memory(timing)).await.expect("a free port");
        let session = session(&emulator).await;
        let mut emulated = Self { emulator, session, told: Arc::default() };
        let told = Arc::clone(&emulated.told);
        emulated.session.waiting.progress =
            Progress::new(move |_, event| told.lock().expect("no test panicked").push(event));
        emulated
    }

    /// A domain that is made and settled.
    async fn with_domain(timing: Timing) -> Self {
        let emulated = Self::start(timing).await;
        DomainSettings::create(&emulated.session, &names(), &wanted(ACCOUNT)).await.expect("created");
        emulated.until(Goal::InForce).await;
        emulated.emulator.control().clear_requests();
        emulated
    }

    async fn until(&self, goal: Goal) {
        let question = async || DomainSettings::readiness(&self.session, &names(), goal).await;
        wait::until_ready(&self.session.waiting, Kind::Domain, "logs", question).await.expect("ready");
    }

    async fn read(&self) -> Observed<DomainSettings> {
        // A session of its own reads anew, as the next run does.
        match DomainSettings::read(&session(&self.emulator).await, &names()).await.expect("read") {
            Read::Present(observed) => *observed,
            other @ (Read::Absent | Read::Unknown(_)) => panic!("{other:?}"),
        }
    }

    async fn update(&self, after: &Managed<DomainSettings>) -> ekk::error::Result<()> {
        let before = self.read().await;
        let pointers = differences(&before.settings, &after.settings);
        DomainSettings::update(&self.session, &names(), &before, after, &pointers).await
    }

    fn count(&self, operation: &str) -> usize {
        let requests = self.emulator.control().requests();
        requests.iter().filter(|request| request.operation == operation).count()
    }

    fn stages_told(&self) -> Vec<(u32, u32)> {
        let told = self.told.lock().expect("no test panicked");
        told.iter()
            .filter_map(|event| match event {
                Event::Waiting { why: _, stage } => *stage,
                Event::Started
                | Event::Done(_)
                | Event::Failed(_)
                | Event::NotAttempted(_)
                | Event::StillUnderWay(_) => None,
            })
            .collect()
    }
}

async fn session(emulator: &Emulator) -> Session {
    let connection = Connection {
        region: Some("eu-west-1".to_owned()),
        local: Some(format!("http://{}", emulator.address())),
        ..Connection::default()
    };
    Session::new(Aws::connect(&connection).await.expect("clients"), waiting(Deadline::Never))
}

/// Pointers of what is wanted and not so; null is not managed.
fn differences(live: &DomainSettings, wanted: &DomainSettings) -> Vec<String> {
    fn compare(at: &str, live: &Value, wanted: &Value, found: &mut Vec<String>) {
        match (live, wanted) {
            (_, Value::Null) => {}
            (Value::Object(live), Value::Object(wanted)) => {
                for (key, wanted) in wanted {
                    compare(&format!("{at}/{key}"), live.get(key).unwrap_or(&Value::Null), wanted, found);
                }
            }
            (live, wanted) if live == wanted => {}
            (_, _) => found.push(at.to_owned()),
        }
    }
    let mut found = Vec::new();
    let json = |settings| serde_json::to_value(settings).expect("settings are JSON");
    compare("", &json(live), &json(wanted), &mut found);
    found
}

fn slow_stages() -> Timing {
    Timing { domain_stage: Duration::from_millis(30), ..Timing::instant() }
}

#[tokio::test]
async fn a_created_domain_is_what_was_wanted_and_ours() {
    let emulated = Emulated::start(slow_stages()).await;
    let after = wanted(ACCOUNT);
    DomainSettings::create(&emulated.session, &names(), &after).await.expect("created");
    assert!(matches!(emulated.read().await.condition, Condition::Changing(_)));
    emulated.until(Goal::InForce).await;
    let live = emulated.read().await;
    assert_eq!(differences(&live.settings, &after.settings), Vec::<String>::new());
    assert_eq!((live.owner, live.condition), (Owner::Ours, Condition::Settled));
    assert_eq!(live.facts.engine_version, ekk::resource::domain::PROVED_ENGINE);
    assert!(live.facts.endpoint.is_some_and(|endpoint| !endpoint.contains("://")));
    assert_eq!(emulated.count("CreateDomain"), 1);
    assert!(emulated.stages_told().len() > 1, "stages are told: {:?}", emulated.stages_told());
}

#[tokio::test]
async fn each_setting_is_changed_by_one_call_and_then_in_force() {
    let emulated = Emulated::with_domain(Timing::instant()).await;
    let mut after = wanted(ACCOUNT);
    let changes: [fn(&mut DomainSettings); 9] = [
        |wanted| wanted.cluster.instance_type = "m6g.large.search".to_owned(),
        |wanted| wanted.cluster.instance_count = 4,
        |wanted| wanted.cluster.availability_zones = 2,
        |wanted| {
            wanted.cluster.dedicated_masters =
                DedicatedMasters { enabled: true, instance_type: Some("m6g.large.search".to_owned()), count: Some(3) };
        },
        |wanted| wanted.volume.size_gib = Some(20),
        |wanted| wanted.volume.iops = Some(4000),
        |wanted| wanted.volume.throughput_mib = Some(250),
        |wanted| wanted.endpoint.tls_policy = "Policy-Min-TLS-1-2-PFS-2023-10".to_owned(),
        |wanted| {
            let arn = format!("arn:aws:es:eu-west-1:{ACCOUNT}:domain/logs");
            let both = [format!("arn:aws:iam::{ACCOUNT}:root"), "arn:aws:iam::999999999999:root".to_owned()];
            wanted.access_policy = Some(ekk::policy::domain_access(&arn, &both));
        },
    ];
    for change in changes {
        change(&mut after.settings);
        emulated.emulator.control().clear_requests();
        let pointers = differences(&emulated.read().await.settings, &after.settings);
        assert!(!pointers.is_empty());
        emulated.update(&after).await.unwrap_or_else(|error| panic!("{pointers:?}: {error}"));
        emulated.until(Goal::InForce).await;
        let live = emulated.read().await;
        assert_eq!(differences(&live.settings, &after.settings), Vec::<String>::new(), "{pointers:?}");
        assert_eq!(live.condition, Condition::Settled);
        assert_eq!(emulated.count("UpdateDomainConfig"), 1, "{pointers:?}");
    }
}

#[tokio::test]
async fn encryption_is_switched_on_by_one_call_and_never_off() {
    let emulated = Emulated::start(Timing::instant()).await;
    let encrypted = wanted(ACCOUNT);
    let mut plain = wanted(ACCOUNT);
    plain.settings.encryption_at_rest.enabled = false;
    plain.settings.node_to_node_encryption = false;
    DomainSettings::create(&emulated.session, &names(), &plain).await.expect("created");
    emulated.until(Goal::InForce).await;
    emulated.emulator.control().clear_requests();
    let before = emulated.read().await;
    assert_eq!(differences(&before.settings, &plain.settings), Vec::<String>::new());

    let both = vec!["/encryption_at_rest/enabled".to_owned(), "/node_to_node_encryption".to_owned()];
    assert_eq!(differences(&before.settings, &encrypted.settings), both);
    let answer = preflight::ask(&emulated.session, &names(), &before, &encrypted, &both).await.expect("a dry run");
    let on = DryRun { deployment: Deployment::BlueGreen, failures: Vec::new() };
    assert_eq!(answer, Preflight::Answer(on));
    emulated.emulator.control().clear_requests();
    emulated.update(&encrypted).await.expect("switched on");
    emulated.until(Goal::InForce).await;
    let live = emulated.read().await;
    assert_eq!(differences(&live.settings, &encrypted.settings), Vec::<String>::new());
    assert_eq!(emulated.count("UpdateDomainConfig"), 1);

    // What the table refuses (judge), AWS refuses, too.
    let answer = preflight::ask(&emulated.session, &names(), &live, &plain, &both).await.expect("a dry run");
    let refused = "ValidationException: Encryption at rest cannot be disabled once it is enabled".to_owned();
    assert_eq!(answer, Preflight::Answer(DryRun { deployment: Deployment::Undetermined, failures: vec![refused] }));
}

#[tokio::test]
async fn a_domain_in_change_is_read_as_it_was_asked_for() {
    let emulated = Emulated::with_domain(slow_stages()).await;
    let mut after = wanted(ACCOUNT);
    after.settings.volume.size_gib = Some(20);
    emulated.update(&after).await.expect("accepted");
    let live = emulated.read().await;
    assert!(matches!(live.condition, Condition::Changing(_)), "{:?}", live.condition);
    assert_eq!(differences(&live.settings, &after.settings), Vec::<String>::new());
}

#[tokio::test]
async fn a_domain_that_is_busy_is_waited_for() {
    let emulated = Emulated::with_domain(slow_stages()).await;
    let mut after = wanted(ACCOUNT);
    after.settings.volume.size_gib = Some(20);
    emulated.update(&after).await.expect("accepted");
    after.settings.volume.size_gib = Some(30);
    emulated.update(&after).await.expect("waited for and accepted");
    emulated.until(Goal::InForce).await;
    assert_eq!(differences(&emulated.read().await.settings, &after.settings), Vec::<String>::new());
}

#[tokio::test]
async fn a_stale_description_does_not_pass_for_in_force() {
    let emulated = Emulated::with_domain(Timing::instant()).await;
    let mut after = wanted(ACCOUNT);
    after.settings.volume.size_gib = Some(20);
    let before = emulated.read().await;
    let pointers = differences(&before.settings, &after.settings);
    let stale = Fault::on(Service::OpenSearch, "DescribeDomain", Effect::StaleRead).first(3);
    emulated.emulator.control().fault(stale);
    DomainSettings::update(&emulated.session, &names(), &before, &after, &pointers).await.expect("accepted");
    emulated.until(Goal::InForce).await;
    let live = emulated.read().await;
    assert_eq!(differences(&live.settings, &after.settings), Vec::<String>::new());
    assert_eq!(live.condition, Condition::Settled);
}

#[tokio::test]
async fn a_lost_answer_makes_no_second_domain() {
    let emulated = Emulated::start(Timing::instant()).await;
    let lost = Fault::on(Service::OpenSearch, "CreateDomain", Effect::DropConnection(Moment::After)).first(1);
    emulated.emulator.control().fault(lost);
    DomainSettings::create(&emulated.session, &names(), &wanted(ACCOUNT)).await.expect("created once");
    emulated.until(Goal::InForce).await;
    assert_eq!(emulated.read().await.owner, Owner::Ours);
}

#[tokio::test]
async fn the_domain_of_another_stack_is_not_taken_over() {
    let emulated = Emulated::with_domain(Timing::instant()).await;
    let mut theirs = names();
    theirs.stack = "other".to_owned();
    let mut after = wanted(ACCOUNT);
    after.tags.insert(ekk::resource::TAG_STACK.to_owned(), Some("other".to_owned()));
    after.settings.volume.size_gib = Some(50);
    let error = DomainSettings::create(&emulated.session, &theirs, &after).await.expect_err("not theirs");
    assert!(error.message.contains("belongs to stack logs in eu-west-1"), "{error}");
    assert_eq!(emulated.read().await.settings.volume.size_gib, Some(10));
}

#[tokio::test]
async fn the_dry_run_and_the_table_agree_and_nothing_changes() {
    let emulated = Emulated::with_domain(Timing::instant()).await;
    let before = emulated.read().await;
    let changes: [fn(&mut DomainSettings); 5] = [
        |wanted| wanted.cluster.instance_type = "m6g.large.search".to_owned(),
        |wanted| wanted.cluster.instance_count = 2,
        |wanted| wanted.volume.size_gib = Some(20),
        |wanted| wanted.endpoint.tls_policy = "Policy-Min-TLS-1-2-PFS-2023-10".to_owned(),
        |wanted| wanted.endpoint.enforce_https = false,
    ];
    for change in changes {
        let mut after = wanted(ACCOUNT);
        change(&mut after.settings);
        let pointers = differences(&before.settings, &after.settings);
        let answer = preflight::ask(&emulated.session, &names(), &before, &after, &pointers).await.expect("a dry run");
        let Preflight::Answer(DryRun { deployment, failures }) = answer else { panic!("{pointers:?}: {answer:?}") };
        let blue_green = pointers.iter().any(|pointer| {
            matches!(DomainSettings::judge(pointer, &before.settings, &after.settings),
                Verdict::InPlaceWith(note) if note.hazard == Hazard::BlueGreen)
        });
        let expected = if blue_green { Deployment::BlueGreen } else { Deployment::DynamicUpdate };
        assert_eq!((deployment, failures), (expected, Vec::new()), "{pointers:?}");
    }
    assert_eq!(emulated.read().await, before);
}

#[tokio::test]
async fn a_deleted_domain_is_gone_and_its_name_can_be_taken_again() {
    let timing = Timing { domain_delete: Duration::from_millis(50), ..Timing::instant() };
    let emulated = Emulated::with_domain(timing).await;
    let before = emulated.read().await;
    DomainSettings::delete(&emulated.session, &names(), &before).await.expect("deleting");
    assert_eq!(emulated.read().await.condition, Condition::Deleting);
    // At once, while the old one is on its way out.
    DomainSettings::create(&emulated.session, &names(), &wanted(ACCOUNT)).await.expect("waited and created");
    emulated.until(Goal::InForce).await;
    let before = emulated.read().await;
    DomainSettings::delete(&emulated.session, &names(), &before).await.expect("deleting");
    emulated.until(Goal::Gone).await;
    let found = DomainSettings::read(&session(&emulated.emulator).await, &names()).await.expect("read");
    assert_eq!(found, Read::Absent);
    DomainSettings::delete(&emulated.session, &names(), &before).await.expect("gone is success");
}

#[tokio::test]
async fn settings_change_before_the_engine_is_upgraded() {
    let emulated = Emulated::start(Timing::instant()).await;
    let mut after = wanted(ACCOUNT);
    after.settings.engine_version = Some("OpenSearch_2.17".to_owned());
    DomainSettings::create(&emulated.session, &names(), &after).await.expect("created");
    emulated.until(Goal::InForce).await;
    after.settings.engine_version = Some("OpenSearch_2.19".to_owned());
    after.settings.volume.size_gib = Some(20);
    emulated.update(&after).await.expect("changed and upgraded");
    emulated.until(Goal::InForce).await;
    let live = emulated.read().await;
    assert_eq!(differences(&live.settings, &after.settings), Vec::<String>::new());
    assert_eq!(live.facts.engine_version, "OpenSearch_2.19");
    let writes: Vec<String> = emulated
        .emulator
        .control()
        .requests()
        .iter()
        .filter(|request| request.is_write && request.service == Service::OpenSearch)
        .map(|request| request.operation.clone())
        .collect();
    assert_eq!(writes, ["CreateDomain", "UpdateDomainConfig", "UpgradeDomain", "UpgradeDomain"]);
}

fn no_capacity(emulated: &Emulated) {
    let failure = ValidationFailure {
        code: "InsufficientInstanceCapacity".to_owned(),
        message: "Insufficient capacity for m6g.large.search".to_owned(),
    };
    emulated.emulator.control().world(|world| {
        world.opensearch.failing_validations.insert("eu-west-1/logs".to_owned(), failure);
    });
}

#[tokio::test]
async fn a_failed_validation_is_told_at_once_and_by_every_later_run_until_it_is_given_up() {
    let emulated = Emulated::with_domain(Timing::instant()).await;
    no_capacity(&emulated);
    let mut after = wanted(ACCOUNT);
    after.settings.cluster.instance_type = "m6g.large.search".to_owned();
    let error = emulated.update(&after).await.expect_err("a failed validation");
    assert!(error.message.contains("InsufficientInstanceCapacity: Insufficient capacity"), "{error}");

    // The next run finds what was asked for, waits for it, and is told the same.
    let live = emulated.read().await;
    assert_eq!(differences(&live.settings, &after.settings), Vec::<String>::new());
    assert!(matches!(&live.condition, Condition::Changing(why) if why.contains("validation failed")), "{live:?}");
    let again = DomainSettings::readiness(&emulated.session, &names(), Goal::InForce).await.expect("an answer");
    assert!(matches!(&again, Readiness::Failed(why) if why.contains("InsufficientInstanceCapacity")), "{again:?}");

    // A corrected file does not help before the change is given up, and the message says how.
    let corrected = wanted(ACCOUNT);
    let error = emulated.update(&corrected).await.expect_err("stuck");
    assert!(error.message.contains("cancel-domain-config-change --domain-name logs"), "{error}");
    let client = &emulated.session.aws.opensearch;
    client.cancel_domain_config_change().domain_name("logs").send().await.expect("cancelled");
    let live = emulated.read().await;
    assert_eq!(differences(&live.settings, &corrected.settings), Vec::<String>::new());
    assert_eq!(live.condition, Condition::Settled);
}

#[tokio::test]
async fn a_creation_that_fails_its_validation_says_to_take_it_down() {
    let emulated = Emulated::start(Timing::instant()).await;
    no_capacity(&emulated);
    DomainSettings::create(&emulated.session, &names(), &wanted(ACCOUNT)).await.expect("accepted");
    let question = async || DomainSettings::readiness(&emulated.session, &names(), Goal::InForce).await;
    let error = wait::until_ready(&emulated.session.waiting, Kind::Domain, "logs", question).await.expect_err("failed");
    assert!(error.message.contains("InsufficientInstanceCapacity"), "{error}");
    assert!(error.message.contains("`ekk down`"), "{error}");
    let before = emulated.read().await;
    DomainSettings::delete(&emulated.session, &names(), &before).await.expect("deleting");
    emulated.until(Goal::Gone).await;
}

#[tokio::test]
async fn an_upgrade_that_lost_its_process_is_waited_for_and_not_sent_again() {
    let emulated = Emulated::start(slow_stages()).await;
    let mut after = wanted(ACCOUNT);
    after.settings.engine_version = Some("OpenSearch_2.17".to_owned());
    DomainSettings::create(&emulated.session, &names(), &after).await.expect("created");
    emulated.until(Goal::InForce).await;
    let client = &emulated.session.aws.opensearch;
    client.upgrade_domain().domain_name("logs").target_version("OpenSearch_2.19").send().await.expect("upgrading");
    emulated.emulator.control().clear_requests();
    let before = emulated.read().await;
    assert!(matches!(before.condition, Condition::Changing(_)), "{:?}", before.condition);
    after.settings.engine_version = Some("OpenSearch_2.19".to_owned());
    DomainSettings::update(&emulated.session, &names(), &before, &after, &["/engine_version".to_owned()])
        .await
        .expect("waited for");
    assert_eq!(emulated.read().await.facts.engine_version, "OpenSearch_2.19");
    assert_eq!(emulated.count("UpgradeDomain"), 0);
}

#[tokio::test]
async fn a_denied_call_names_its_permission() {
    let emulated = Emulated::with_domain(Timing::instant()).await;
    for (action, pointer) in [("es:UpdateDomainConfig", "/volume/size_gib"), ("es:AddTags", "/tags/team")] {
        emulated.emulator.control().deny(action);
        let before = emulated.read().await;
        let mut after = wanted(ACCOUNT);
        if pointer == "/volume/size_gib" {
            after.settings.volume.size_gib = Some(20);
        } else {
            after.tags.insert("team".to_owned(), Some("a".to_owned()));
        }
        let error = DomainSettings::update(&emulated.session, &names(), &before, &after, &[pointer.to_owned()])
            .await
            .expect_err("denied");
        assert_eq!(error.hints, vec![format!("allow {action} to the caller")]);
        emulated.emulator.control().clear_faults();
    }
}
