use ekk::policy;
use ekk::resource::Kind;
use ekk::resource::role::description;
use ekk::stack::{Stray, Strays};
use ekk::strays::find;

use crate::{Account, REGION, names};

async fn make_role(account: &Account, name: &str, path: &str, described: Option<&str>, stack: &str) {
    let tag = |key: &str, value: &str| aws_sdk_iam::types::Tag::builder().key(key).value(value).build().expect("a tag");
    account
        .session
        .aws
        .iam
        .create_role()
        .role_name(name)
        .path(path)
        .set_description(described.map(ToOwned::to_owned))
        .assume_role_policy_document(policy::firehose_trust().text())
        .tags(tag("ekk:stack", stack))
        .tags(tag("ekk:region", REGION))
        .send()
        .await
        .expect("a role");
}

async fn make_log_group(account: &Account, name: &str, stack: &str) {
    account
        .session
        .aws
        .logs
        .create_log_group()
        .log_group_name(name)
        .tags("ekk:stack", stack)
        .tags("ekk:region", REGION)
        .send()
        .await
        .expect("a log group");
}

fn stray(kind: Kind, name: &str) -> Stray {
    Stray { kind, name: name.to_owned() }
}

#[tokio::test]
async fn what_is_ours_by_tags_and_named_no_more_is_found() {
    let account = Account::start().await;
    make_role(&account, "logs-firehose", "/ekk/", None, "logs").await;
    make_role(&account, "old-role", "/ekk/", Some(&description("logs", REGION)), "logs").await;
    make_role(&account, "old-adopted-role", "/ekk/deeper/", Some("by hand"), "logs").await;
    make_role(&account, "their-role", "/ekk/", Some(&description("other", REGION)), "other").await;
    make_role(&account, "elsewhere", "/", None, "logs").await;
    make_log_group(&account, "/aws/kinesisfirehose/logs", "logs").await;
    make_log_group(&account, "/aws/kinesisfirehose/old", "logs").await;
    make_log_group(&account, "/aws/kinesisfirehose/theirs", "other").await;
    account.operations();

    let strays = find(&account.session, &names()).await.expect("strays");
    assert_eq!(
        strays,
        Strays::Known(vec![
            stray(Kind::Role, "old-adopted-role"),
            stray(Kind::Role, "old-role"),
            stray(Kind::LogGroup, "/aws/kinesisfirehose/old"),
        ])
    );
    let mut operations = account.operations();
    operations.retain(|operation| operation != "GetCallerIdentity");
    operations.sort();
    assert_eq!(operations, ["GetResources", "ListRoleTags", "ListRoleTags", "ListRoles"]);
}

#[tokio::test]
async fn what_may_not_be_looked_up_is_unknown_and_says_why() {
    for (action, expected) in [
        ("tag:GetResources", "allow tag:GetResources to the caller"),
        ("iam:ListRoles", "allow iam:ListRoles to the caller"),
    ] {
        let account = Account::start().await;
        account.control().deny(action);
        let strays = find(&account.session, &names()).await.expect("an answer");
        assert_eq!(strays, Strays::Unknown(expected.to_owned()));
    }
}
