use std::collections::BTreeSet;

use ekk::error::ErrorKind;
use ekk::resource::log_group::{BACKUP_STREAM, DESTINATION_STREAM, LogGroupSettings};
use ekk::resource::{Goal, Manage as _, Managed, Owner, Readiness, Settings as _, Verdict};
use ekk_emulator::{Effect, Fault, Moment, Service};

use crate::{Account, assert_settled, killed_at_every_call, managed, names, read, tags};

const NAME: &str = "/aws/kinesisfirehose/logs";

fn wanted() -> Managed<LogGroupSettings> {
    managed(LogGroupSettings {
        retention_days: Some(14),
        streams: BTreeSet::from([DESTINATION_STREAM.to_owned(), BACKUP_STREAM.to_owned()]),
        holds_nothing: false,
    })
}

async fn create(account: &Account) {
    LogGroupSettings::create(&account.session, &names(), &wanted()).await.expect("created");
}

async fn update(account: &Account, wanted: &Managed<LogGroupSettings>, pointers: &[&str]) {
    let before = read::<LogGroupSettings>(&account.session).await.expect("a log group");
    let pointers: Vec<String> = pointers.iter().map(|pointer| (*pointer).to_owned()).collect();
    LogGroupSettings::update(&account.session, &names(), &before, wanted, &pointers).await.expect("updated");
}

#[tokio::test]
async fn a_log_group_reads_back_as_it_was_made() {
    let account = Account::start().await;
    assert!(read::<LogGroupSettings>(&account.session).await.is_none());
    create(&account).await;
    let live = assert_settled(&account.session, &wanted()).await;
    assert_eq!(live.settings, wanted().settings);
}

#[tokio::test]
async fn a_group_whose_name_goes_on_is_another_one() {
    let account = Account::start().await;
    let logs = &account.session.aws.logs;
    logs.create_log_group().log_group_name(format!("{NAME}-other")).send().await.expect("created");
    assert!(read::<LogGroupSettings>(&account.session).await.is_none());
}

#[tokio::test]
async fn each_setting_takes_its_own_call() {
    let account = Account::start().await;
    create(&account).await;
    let mut wanted = wanted();
    wanted.settings.retention_days = Some(30);
    account.operations();
    update(&account, &wanted, &["/retention_days"]).await;
    assert_eq!(account.writes(), ["PutRetentionPolicy"]);
    assert_settled(&account.session, &wanted).await;

    let logs = &account.session.aws.logs;
    logs.delete_log_stream()
        .log_group_name(NAME)
        .log_stream_name(BACKUP_STREAM)
        .send()
        .await
        .expect("deleted by somebody");
    logs.create_log_stream().log_group_name(NAME).log_stream_name("theirs").send().await.expect("created by somebody");
    account.operations();
    update(&account, &wanted, &["/streams"]).await;
    assert_eq!(account.writes(), ["CreateLogStream"]);
    assert_settled(&account.session, &wanted).await;

    wanted.tags.insert("team".to_owned(), None);
    wanted.tags.insert("cost".to_owned(), Some("9".to_owned()));
    account.operations();
    update(&account, &wanted, &["/tags/team", "/tags/cost"]).await;
    assert_eq!(account.writes(), ["TagResource", "UntagResource"]);
    let live = assert_settled(&account.session, &wanted).await;
    assert_eq!(live.tags, tags(&[("cost", "9"), ("ekk:stack", "logs"), ("ekk:region", "eu-west-1")]));
}

#[tokio::test]
async fn a_run_killed_while_it_makes_a_log_group_is_finished_by_the_next() {
    killed_at_every_call(
        &wanted(),
        async |_| {},
        async |session| LogGroupSettings::create(session, &names(), &wanted()).await,
    )
    .await;
}

#[tokio::test]
async fn finishing_a_half_made_group_is_no_hazard() {
    let account = Account::start().await;
    let denied = Effect::Error { status: 400, code: "AccessDeniedException".to_owned(), message: "no".to_owned() };
    account.control().fault(Fault::on(Service::Logs, "PutRetentionPolicy", denied));
    LogGroupSettings::create(&account.session, &names(), &wanted()).await.expect_err("half-made");
    account.control().clear_faults();
    let live = read::<LogGroupSettings>(&account.session).await.expect("a log group");
    assert_eq!(live.owner, Owner::Ours);
    assert_eq!(LogGroupSettings::judge("/retention_days", &live.settings, &wanted().settings), Verdict::InPlace);
}

#[tokio::test]
async fn a_group_of_nobody_is_not_taken_by_a_create() {
    let account = Account::start().await;
    account.session.aws.logs.create_log_group().log_group_name(NAME).send().await.expect("created by somebody");
    let error = LogGroupSettings::create(&account.session, &names(), &wanted()).await.expect_err("nobody's");
    assert_eq!(error.kind, ErrorKind::Refused);
}

#[tokio::test]
async fn a_concurrent_change_is_waited_for() {
    let account = Account::start().await;
    let busy = || Effect::Error {
        status: 400,
        code: "OperationAbortedException".to_owned(),
        message: "A conflicting operation is currently in progress against this resource.".to_owned(),
    };
    for operation in ["CreateLogGroup", "PutRetentionPolicy", "CreateLogStream", "DeleteLogGroup"] {
        account.control().fault(Fault::on(Service::Logs, operation, busy()).first(2));
    }
    create(&account).await;
    let live = assert_settled(&account.session, &wanted()).await;
    LogGroupSettings::delete(&account.session, &names(), &live).await.expect("deleted");
    assert!(read::<LogGroupSettings>(&account.session).await.is_none());
}

#[tokio::test]
async fn a_deleted_group_is_gone_however_often_it_is_deleted() {
    let account = Account::start().await;
    create(&account).await;
    let live = assert_settled(&account.session, &wanted()).await;
    for _ in 0..2 {
        LogGroupSettings::delete(&account.session, &names(), &live).await.expect("deleted");
    }
    let gone = LogGroupSettings::readiness(&account.session, &names(), Goal::Gone).await.expect("an answer");
    assert_eq!(gone, Readiness::Ready);
}

#[tokio::test]
async fn a_missing_permission_to_tag_is_named() {
    let account = Account::start().await;
    account.control().deny("logs:TagResource");
    let error = LogGroupSettings::create(&account.session, &names(), &wanted()).await.expect_err("denied");
    assert!(error.hints.iter().any(|hint| hint.contains("logs:TagResource")), "{error:?}");
}

#[tokio::test]
async fn a_lost_answer_is_no_failure() {
    let account = Account::start().await;
    let lost = Effect::DropConnection(Moment::After);
    account.control().fault(Fault::on(Service::Logs, "CreateLogGroup", lost).first(1));
    create(&account).await;
    assert_settled(&account.session, &wanted()).await;
}
