use std::collections::BTreeSet;

use ekk::aws::Session;
use ekk::error::ErrorKind;
use ekk::policy::{self, Document, FirehoseGrants};
use ekk::resource::role::{DEFAULT_PATH, POLICY_NAME, RoleSettings};
use ekk::resource::{Goal, Manage as _, Managed, Owner, Read, Readiness, Settings as _};
use ekk::stack::{Names, Origin};
use ekk::target::Target;
use ekk_emulator::{Effect, Fault, Moment, Service};

use crate::{Account, assert_settled, killed_at_every_call, managed, names, read, tags};

const OTHERS: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:ListAllMyBuckets","Resource":"*"}}"#;

fn permissions(target: &Target, index: &str) -> Document {
    let grants = FirehoseGrants {
        bucket_arn: target.bucket_arn("logs"),
        bucket_key: None,
        domain_arn: target.domain_arn("logs"),
        index: index.to_owned(),
        log_group_arn: None,
        log_streams: BTreeSet::new(),
    };
    policy::firehose_permissions(&grants, target)
}

async fn wanted(account: &Account) -> Managed<RoleSettings> {
    managed(RoleSettings {
        path: DEFAULT_PATH.to_owned(),
        trust: policy::firehose_trust(),
        policy: Some(permissions(&account.target().await, "logs")),
        permissions_boundary: None,
    })
}

async fn create(session: &Session, wanted: &Managed<RoleSettings>) {
    RoleSettings::create(session, &names(), wanted).await.expect("created");
}

async fn update(account: &Account, wanted: &Managed<RoleSettings>, pointers: &[&str]) {
    let before = read::<RoleSettings>(&account.session).await.expect("a role");
    let pointers: Vec<String> = pointers.iter().map(|pointer| (*pointer).to_owned()).collect();
    RoleSettings::update(&account.session, &names(), &before, wanted, &pointers).await.expect("updated");
}

async fn put_foreign_policies(account: &Account) {
    let iam = &account.session.aws.iam;
    iam.put_role_policy()
        .role_name("logs-firehose")
        .policy_name("theirs")
        .policy_document(OTHERS)
        .send()
        .await
        .expect("an inline policy");
    let attached = iam.create_policy().policy_name("shared").policy_document(OTHERS).send().await.expect("a policy");
    let arn = attached.policy.and_then(|policy| policy.arn).expect("an ARN");
    iam.attach_role_policy().role_name("logs-firehose").policy_arn(arn).send().await.expect("attached");
}

#[tokio::test]
async fn a_role_reads_back_as_it_was_made() {
    let account = Account::start().await;
    assert!(read::<RoleSettings>(&account.session).await.is_none());
    let wanted = wanted(&account).await;
    create(&account.session, &wanted).await;
    let live = assert_settled(&account.session, &wanted).await;
    assert_eq!(live.settings, wanted.settings);
    assert_eq!(live.facts.arn, account.target().await.role_arn("/ekk/", "logs-firehose"));
    assert!(live.facts.created > 0);
    assert!(live.facts.other_policies.is_empty());
    assert!(account.session.role_was_written());
}

#[tokio::test]
async fn a_read_takes_four_calls() {
    let account = Account::start().await;
    create(&account.session, &wanted(&account).await).await;
    account.operations();
    read::<RoleSettings>(&account.session).await.expect("a role");
    let mut operations = account.operations();
    operations.sort();
    assert_eq!(operations, ["GetRole", "GetRolePolicy", "ListAttachedRolePolicies", "ListRolePolicies"]);
}

#[tokio::test]
async fn each_setting_takes_its_own_call() {
    let account = Account::start().await;
    let mut wanted = wanted(&account).await;
    create(&account.session, &wanted).await;
    let target = account.target().await;
    let iam = &account.session.aws.iam;
    let boundary = iam.create_policy().policy_name("boundary").policy_document(OTHERS).send().await.expect("a policy");
    let boundary = boundary.policy.and_then(|policy| policy.arn).expect("an ARN");

    wanted.settings.policy = Some(permissions(&target, "other"));
    account.operations();
    update(&account, &wanted, &["/policy/Statement/1"]).await;
    assert_eq!(account.writes(), ["PutRolePolicy"]);
    assert_settled(&account.session, &wanted).await;

    wanted.settings.trust = policy::parse(
        &wanted
            .settings
            .trust
            .text()
            .replace("\"Action\"", r#""Condition":{"StringEquals":{"sts:ExternalId":"000000000000"}},"Action""#),
    )
    .expect("a document");
    account.operations();
    update(&account, &wanted, &["/trust/Statement/0/Condition"]).await;
    assert_eq!(account.writes(), ["UpdateAssumeRolePolicy"]);
    assert_settled(&account.session, &wanted).await;

    wanted.settings.permissions_boundary = Some(boundary);
    account.operations();
    update(&account, &wanted, &["/permissions_boundary"]).await;
    assert_eq!(account.writes(), ["PutRolePermissionsBoundary"]);
    assert_settled(&account.session, &wanted).await;

    wanted.tags.insert("team".to_owned(), None);
    wanted.tags.insert("cost".to_owned(), Some("9".to_owned()));
    account.operations();
    update(&account, &wanted, &["/tags/team", "/tags/cost"]).await;
    assert_eq!(account.writes(), ["TagRole", "UntagRole"]);
    let live = assert_settled(&account.session, &wanted).await;
    assert_eq!(live.tags, tags(&[("cost", "9"), ("ekk:stack", "logs"), ("ekk:region", "eu-west-1")]));
}

#[tokio::test]
async fn policies_of_others_stay_and_are_named_until_the_role_goes() {
    let account = Account::start().await;
    let mut wanted = wanted(&account).await;
    create(&account.session, &wanted).await;
    put_foreign_policies(&account).await;
    wanted.settings.policy = Some(permissions(&account.target().await, "other"));
    update(&account, &wanted, &["/policy"]).await;
    let live = assert_settled(&account.session, &wanted).await;
    assert_eq!(live.facts.other_policies, ["theirs", "shared"]);

    RoleSettings::delete(&account.session, &names(), &live).await.expect("deleted");
    assert!(read::<RoleSettings>(&account.session).await.is_none());
    let gone = RoleSettings::readiness(&account.session, &names(), Goal::Gone).await.expect("an answer");
    assert_eq!(gone, Readiness::Ready);
    RoleSettings::delete(&account.session, &names(), &live).await.expect("gone is deleted");
}

#[tokio::test]
async fn a_run_killed_while_it_makes_a_role_is_finished_by_the_next() {
    let wanted = wanted(&Account::start().await).await;
    killed_at_every_call(&wanted, async |_| {}, async |session| RoleSettings::create(session, &names(), &wanted).await)
        .await;
}

#[tokio::test]
async fn a_role_that_another_run_made_is_ours_by_its_tags_alone() {
    let account = Account::start().await;
    let wanted = wanted(&account).await;
    create(&account.session, &wanted).await;
    create(&account.session, &wanted).await;
    assert_settled(&account.session, &wanted).await;

    let iam = &account.session.aws.iam;
    iam.untag_role().role_name("logs-firehose").tag_keys("ekk:stack").send().await.expect("untagged");
    let error = RoleSettings::create(&account.session, &names(), &wanted).await.expect_err("nobody's");
    assert_eq!(error.kind, ErrorKind::Refused);
    assert_eq!(read::<RoleSettings>(&account.session).await.expect("a role").owner, Owner::Nobody);
}

#[tokio::test]
async fn an_answer_that_passes_is_waited_for() {
    let account = Account::start().await;
    let error =
        |code: &str, message: &str| Effect::Error { status: 400, code: code.to_owned(), message: message.to_owned() };
    let control = account.control();
    control.fault(
        Fault::on(Service::Iam, "CreateRole", error("MalformedPolicyDocument", "Invalid principal in policy")).first(2),
    );
    control.fault(Fault::on(Service::Iam, "PutRolePolicy", error("NoSuchEntity", "not yet")).first(3));
    let wanted = wanted(&account).await;
    create(&account.session, &wanted).await;
    assert_settled(&account.session, &wanted).await;

    let malformed = error("MalformedPolicyDocument", "Syntax errors in policy.");
    control.fault(Fault::on(Service::Iam, "PutRolePolicy", malformed));
    account.operations();
    let live = read::<RoleSettings>(&account.session).await.expect("a role");
    let failed = RoleSettings::update(&account.session, &names(), &live, &wanted, &["/policy".to_owned()]).await;
    let message = failed.expect_err("refused").message;
    assert_eq!(message, "role logs-firehose: iam:PutRolePolicy: MalformedPolicyDocument: Syntax errors in policy.");
    assert_eq!(account.writes(), ["PutRolePolicy"]);
}

#[tokio::test]
async fn all_permissions_that_a_read_lacks_are_named() {
    let account = Account::start().await;
    account.control().deny("iam:GetRolePolicy");
    account.control().deny("iam:ListRolePolicies");
    let error = RoleSettings::read(&account.session, &names()).await.expect_err("denied");
    assert_eq!(error.kind, ErrorKind::Denied);
    assert_eq!(error.hints, ["allow iam:GetRolePolicy to the caller", "allow iam:ListRolePolicies to the caller"]);
}

#[tokio::test]
async fn a_missing_permission_to_tag_is_named() {
    let account = Account::start().await;
    account.control().deny("iam:TagRole");
    let wanted = wanted(&account).await;
    let error = RoleSettings::create(&account.session, &names(), &wanted).await.expect_err("denied");
    assert!(error.hints.iter().any(|hint| hint.contains("iam:TagRole")), "{error:?}");
}

#[tokio::test]
async fn an_existing_role_is_read_without_its_policies_and_never_needs_the_simulator() {
    let account = Account::start().await;
    let wanted = wanted(&account).await;
    create(&account.session, &wanted).await;
    let names = Names { role_origin: Origin::Existing, ..names() };
    account.operations();
    account.control().deny("iam:SimulatePrincipalPolicy");
    let Read::Present(live) = RoleSettings::read(&account.session, &names).await.expect("a read") else {
        panic!("it is there")
    };
    assert!(!account.operations().contains(&"GetRolePolicy".to_owned()));
    assert!(live.facts.unchecked.is_some());
    assert!(RoleSettings::check_existing(&live, &wanted.settings).is_empty());
}

#[tokio::test]
async fn the_inline_policy_is_ekks_own() {
    let account = Account::start().await;
    create(&account.session, &wanted(&account).await).await;
    let answer = account.session.aws.iam.list_role_policies().role_name("logs-firehose").send().await.expect("a list");
    assert_eq!(answer.policy_names, [POLICY_NAME]);
}

#[tokio::test]
async fn a_lost_answer_is_no_failure() {
    let account = Account::start().await;
    let lost = Effect::DropConnection(Moment::After);
    account.control().fault(Fault::on(Service::Iam, "CreateRole", lost).first(1));
    let wanted = wanted(&account).await;
    create(&account.session, &wanted).await;
    assert_settled(&account.session, &wanted).await;
}
