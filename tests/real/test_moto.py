"""ekk's role, bucket and log group on moto 5.2.5: made, read back as equal, changed one setting at a time, deleted.

The binary is the real one. moto has no Firehose that leads to OpenSearch, so the rest of the stack is on ekk's own local
AWS and stands there already: each file goes up there first. What is proved here is what moto answers for IAM, S3 and
CloudWatch Logs.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request

import botocore.exceptions
import pytest

import embedded
import engine
import proxy
from conftest import ACCOUNT, REGION, Ekk, changes, client
from localstack import free_port

START_SECONDS = 60
BUCKET = "logging-test-110520"
ROLE = "logging-test-firehose"
POLICY = "ekk-firehose"
LOG_GROUP = "/aws/kinesisfirehose/logging-test"
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/boundary"
OTHER_BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/other"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
# Every setting of the three kinds that the file knows.
FILE = f"""\
stack: logging-test
tags: {{ team: platform }}
bucket:
  name: {BUCKET}
  expire_days: 400
  abort_uploads_days: 7
  kms_key: {KEY}
role:
  name: {ROLE}
  path: /logs/
  permissions_boundary: {BOUNDARY}
error_log:
  retention_days: 14
"""
HAZARDS = ["delete-data", "replace", "widen-access"]
DOWN = ["--yes", "--delete-backup", "--allow", "delete-data", "stack.yaml"]
OWN_TAGS = {"ekk:stack": "logging-test", "ekk:region": REGION, "team": "platform"}


@contextlib.contextmanager
def moto_server(folder):
    """Runs moto while the context is open, for the account of the local AWS; yields its address."""
    port = free_port()
    with open(folder / "moto.log", "wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
            cwd=folder,
            env={"PATH": os.environ.get("PATH", os.defpath), "HOME": str(folder), "MOTO_ACCOUNT_ID": ACCOUNT},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        address = f"http://127.0.0.1:{port}"
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        until = time.monotonic() + START_SECONDS
        while True:
            with contextlib.suppress(OSError), direct.open(f"{address}/moto-api/", timeout=10):
                break
            if process.poll() is not None or time.monotonic() > until:
                text = (folder / "moto.log").read_text(errors="replace").strip()
                raise engine.Failed(f"moto does not answer: {text}")
            time.sleep(0.05)
        yield address
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=START_SECONDS)


class Mixed(Ekk):
    """The binary with IAM, S3, Logs and STS on moto, and everything else on the local AWS."""

    def __init__(self, binary, moto, everything_else, folder) -> None:
        super().__init__(binary, everything_else, folder)
        self.moto = moto
        self.elsewhere = Ekk(binary, everything_else, folder)
        for service in ("IAM", "S3", "CLOUDWATCH_LOGS", "STS"):
            self.environment[f"AWS_ENDPOINT_URL_{service}"] = moto

    def write(self, text: str) -> None:
        """Takes this file, and lets everything that is not on moto be as it says."""
        (self.folder / "stack.yaml").write_text(text)
        self.elsewhere("up", "--yes", *(f"--allow={hazard}" for hazard in HAZARDS), "stack.yaml").with_code(0)

    def converges(self, *allowed: str) -> list:
        """What the plan says is done; afterwards there is nothing to do. Returns what the plan said."""
        plan = self.plan("stack.yaml", *allowed, code=3)
        self.up("stack.yaml", *allowed)
        assert changes(self.plan("stack.yaml", code=0)) == []
        return changes(plan)

    def client(self, service: str):
        return client(service, self.moto)


@pytest.fixture(scope="module")
def servers(binary, for_the_run, tmp_path_factory):
    """moto behind a proxy that records, and the local AWS."""
    moto = for_the_run(moto_server(tmp_path_factory.mktemp("moto")))
    recorded = for_the_run(proxy.start(moto, via="moto"))
    return recorded.address, for_the_run(embedded.start(binary, tmp_path_factory.mktemp("embedded")))


@pytest.fixture
def ekk(binary, servers, tmp_path):
    """The binary; moto is empty, and the local AWS is as the file says. moto gives a new bucket the tags of a deleted one
    of that name, so it forgets all."""
    moto, everything_else = servers
    forget = urllib.request.Request(f"{moto}/moto-api/reset", method="POST")
    urllib.request.build_opener(urllib.request.ProxyHandler({})).open(forget, timeout=START_SECONDS).close()
    ekk = Mixed(binary, moto, everything_else, tmp_path)
    for address in servers:
        for name in ("boundary", "other"):
            allow_all = json.dumps({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}})
            with contextlib.suppress(client("iam", address).exceptions.EntityAlreadyExistsException):
                client("iam", address).create_policy(PolicyName=name, PolicyDocument=allow_all)
    ekk.write(FILE)
    return ekk


@pytest.fixture
def up(ekk):
    """The stack is up on both."""
    assert [(action, kind) for action, kind, _ in ekk.converges()] == [
        ("create", "role"),
        ("create", "bucket"),
        ("create", "log-group"),
    ]
    return ekk


def tags_of_bucket(ekk) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in ekk.client("s3").get_bucket_tagging(Bucket=BUCKET)["TagSet"]}


def tags_of_role(ekk) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in ekk.client("iam").get_role(RoleName=ROLE)["Role"]["Tags"]}


def log_group_arn() -> str:
    return f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{LOG_GROUP}"


def tags_of_log_group(ekk) -> dict[str, str]:
    return ekk.client("logs").list_tags_for_resource(resourceArn=log_group_arn())["tags"]


def test_every_setting_is_made_and_reads_back_as_equal(up):
    iam, s3, logs = up.client("iam"), up.client("s3"), up.client("logs")
    role = iam.get_role(RoleName=ROLE)["Role"]
    assert (role["Path"], role["PermissionsBoundary"]["PermissionsBoundaryArn"]) == ("/logs/", BOUNDARY)
    assert role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {"Service": "firehose.amazonaws.com"}
    policy = iam.get_role_policy(RoleName=ROLE, PolicyName=POLICY)["PolicyDocument"]
    assert f"arn:aws:s3:::{BUCKET}" in json.dumps(policy) and KEY in json.dumps(policy)
    assert all(s3.get_public_access_block(Bucket=BUCKET)["PublicAccessBlockConfiguration"].values())
    (rule,) = s3.get_bucket_encryption(Bucket=BUCKET)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY}
    assert "ekkTlsOnly" in s3.get_bucket_policy(Bucket=BUCKET)["Policy"]
    rules = s3.get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"]
    assert {rule.get("Expiration", {}).get("Days") for rule in rules} >= {400}
    assert {rule.get("AbortIncompleteMultipartUpload", {}).get("DaysAfterInitiation") for rule in rules} >= {7}
    (group,) = logs.describe_log_groups(logGroupNamePrefix=LOG_GROUP)["logGroups"]
    assert (group["logGroupName"], group["retentionInDays"]) == (LOG_GROUP, 14)
    streams = logs.describe_log_streams(logGroupName=LOG_GROUP)["logStreams"]
    assert sorted(stream["logStreamName"] for stream in streams) == ["BackupDelivery", "DestinationDelivery"]
    assert [tags_of_role(up), tags_of_bucket(up), tags_of_log_group(up)] == [OWN_TAGS] * 3


def edited(old: str, new: str) -> str:
    assert FILE.count(old) == 1
    return FILE.replace(old, new)


@pytest.mark.parametrize(
    "old, new, allowed, kinds",
    [
        ("retention_days: 14", "retention_days: 30", [], ["log-group"]),
        ("retention_days: 14", "retention_days: 7", ["--allow", "delete-data:log-group"], ["log-group"]),
        ("expire_days: 400", "expire_days: 500", [], ["bucket"]),
        ("  expire_days: 400\n", "", [], ["bucket"]),
        ("  expire_days: 400\n  abort_uploads_days: 7\n", "", [], ["bucket"]),
        ("abort_uploads_days: 7", "abort_uploads_days: 3", [], ["bucket"]),
        (f"  kms_key: {KEY}\n", "", [], ["role", "bucket"]),
        (BOUNDARY, OTHER_BOUNDARY, [], ["role"]),
        ("path: /logs/", "path: /other/", ["--allow", "replace"], ["role"]),
        ("team: platform", "team: data", [], ["role", "bucket", "log-group"]),
        ("team: platform", "cost: '7', owner: \"Zoë @ a/b: 1 + 1 = 2\"", [], ["role", "bucket", "log-group"]),
        ("team: platform", "team: null", [], ["role", "bucket", "log-group"]),
    ],
)
def test_a_changed_setting_converges(up, old, new, allowed, kinds):
    up.write(edited(old, new))
    assert [kind for _, kind, _ in up.converges(*allowed)] == kinds


def test_tags_of_others_stay(up):
    up.client("iam").tag_role(RoleName=ROLE, Tags=[{"Key": "theirs", "Value": "1"}])
    s3_tags = [{"Key": key, "Value": value} for key, value in (tags_of_bucket(up) | {"theirs": "1"}).items()]
    up.client("s3").put_bucket_tagging(Bucket=BUCKET, Tagging={"TagSet": s3_tags})
    up.client("logs").tag_resource(resourceArn=log_group_arn(), tags={"theirs": "1"})
    assert changes(up.plan("stack.yaml", code=0)) == []
    up.write(edited("team: platform", "team: data"))
    up.converges()
    expected = OWN_TAGS | {"team": "data", "theirs": "1"}
    assert [tags_of_role(up), tags_of_bucket(up), tags_of_log_group(up)] == [expected] * 3


def test_rules_statements_and_policies_of_others_stay(up):
    s3, iam = up.client("s3"), up.client("iam")
    theirs = {"ID": "theirs", "Status": "Enabled", "Filter": {"Prefix": "tmp/"}, "Expiration": {"Days": 1}}
    rules = s3.get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"]
    s3.put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration={"Rules": [*rules, theirs]})
    policy = json.loads(s3.get_bucket_policy(Bucket=BUCKET)["Policy"])
    # A list of one as a plain string, as people write it.
    statement = {
        "Sid": "Theirs", "Effect": "Deny", "Principal": "*", "Action": "s3:DeleteBucket", "Resource": f"arn:aws:s3:::{BUCKET}"
    }
    policy["Statement"].append(statement)
    s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(policy))
    iam.put_role_policy(RoleName=ROLE, PolicyName="theirs", PolicyDocument=json.dumps({
        "Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"}]
    }))
    assert changes(up.plan("stack.yaml", code=0)) == []
    # Both collections are written anew.
    s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps({**policy, "Statement": [statement]}))
    up.write(edited("expire_days: 400", "expire_days: 500"))
    assert [kind for _, kind, _ in up.converges()] == ["bucket"]
    rules = {rule["ID"]: rule for rule in s3.get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"]}
    assert rules["theirs"] == theirs and len(rules) > 1
    sids = [statement["Sid"] for statement in json.loads(s3.get_bucket_policy(Bucket=BUCKET)["Policy"])["Statement"]]
    assert "Theirs" in sids and "ekkTlsOnly" in sids
    assert iam.list_role_policies(RoleName=ROLE)["PolicyNames"] == [POLICY, "theirs"]


def test_policies_in_another_form_are_the_same_policies(up):
    """Lists of one as strings, members in another order: what moto stored as it was sent."""
    iam, s3 = up.client("iam"), up.client("s3")
    for document, put in [
        (
            iam.get_role_policy(RoleName=ROLE, PolicyName=POLICY)["PolicyDocument"],
            lambda text: iam.put_role_policy(RoleName=ROLE, PolicyName=POLICY, PolicyDocument=text),
        ),
        (
            iam.get_role(RoleName=ROLE)["Role"]["AssumeRolePolicyDocument"],
            lambda text: iam.update_assume_role_policy(RoleName=ROLE, PolicyDocument=text),
        ),
        (
            json.loads(s3.get_bucket_policy(Bucket=BUCKET)["Policy"]),
            lambda text: s3.put_bucket_policy(Bucket=BUCKET, Policy=text),
        ),
    ]:
        other = in_another_form(document)
        assert other != document
        put(json.dumps(other))
        assert changes(up.plan("stack.yaml", code=0)) == []


def in_another_form(document: dict) -> dict:
    def turned(value):
        if isinstance(value, list):
            return turned(value[0]) if len(value) == 1 else [turned(one) for one in reversed(value)]
        if isinstance(value, dict):
            return {key: turned(value[key]) for key in reversed(list(value))}
        return value

    def lengthened(value):
        """Where nothing was a list of one, strings become lists."""
        return {key: [one] if key in ("Action", "Resource") and isinstance(one, str) else one for key, one in value.items()}

    other = turned(document)
    if other == document:
        other["Statement"] = [lengthened(one) for one in document["Statement"]]
    return other


@pytest.mark.parametrize(
    "kind, drift",
    [
        ("role", lambda up: up.client("iam").delete_role_policy(RoleName=ROLE, PolicyName=POLICY)),
        (
            "role",
            lambda up: up.client("iam").update_assume_role_policy(
                RoleName=ROLE,
                PolicyDocument=json.dumps({
                    "Version": "2012-10-17",
                    "Statement": [
                        {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
                    ],
                }),
            ),
        ),
        ("role", lambda up: up.client("iam").delete_role_permissions_boundary(RoleName=ROLE)),
        ("bucket", lambda up: up.client("s3").delete_public_access_block(Bucket=BUCKET)),
        ("bucket", lambda up: up.client("s3").delete_bucket_encryption(Bucket=BUCKET)),
        ("bucket", lambda up: up.client("s3").delete_bucket_policy(Bucket=BUCKET)),
        ("bucket", lambda up: up.client("s3").delete_bucket_lifecycle(Bucket=BUCKET)),
        ("log-group", lambda up: up.client("logs").delete_retention_policy(logGroupName=LOG_GROUP)),
        (
            "log-group",
            lambda up: up.client("logs").delete_log_stream(logGroupName=LOG_GROUP, logStreamName="BackupDelivery"),
        ),
    ],
)
def test_what_somebody_took_away_comes_back(up, kind, drift):
    drift(up)
    assert [kind for _, kind, _ in up.converges("--allow", "delete-data")] == [kind]


def test_a_bucket_that_a_killed_run_left_without_tags_is_told_and_adopted(ekk):
    """moto ignores the tags in CreateBucket, so a kill before PutBucketTagging leaves such a bucket."""
    configuration = {
        "LocationConstraint": REGION,
        "Tags": [{"Key": "ekk:stack", "Value": "logging-test"}, {"Key": "ekk:region", "Value": REGION}],
    }
    ekk.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration=configuration)
    with pytest.raises(botocore.exceptions.ClientError, match="NoSuchTagSet"):
        ekk.client("s3").get_bucket_tagging(Bucket=BUCKET)
    refused = ekk("up", "--yes", "stack.yaml").with_code(4)
    assert "--adopt=bucket" in refused.out + refused.err
    ekk("up", "--yes", "--adopt=bucket", "--allow", "delete-data", "stack.yaml").with_code(0)
    assert changes(ekk.plan("stack.yaml", code=0)) == []
    assert tags_of_bucket(ekk) == OWN_TAGS


def test_a_lost_answer_to_every_create_is_survived(binary, servers, ekk):
    """Its own work is taken for its own, also where the bucket has no tags yet."""
    moto, everything_else = servers
    with proxy.start(moto, plan=proxy.Plan(1, (proxy.Rule(proxy.Cut.AFTER, nth=(1,)),))) as between:
        disturbed = Mixed(binary, between.address, everything_else, ekk.folder)
        disturbed.up("stack.yaml")
        print(between.told())
        assert any(line.startswith("s3 PUT bucket no. 1: cut after") for line in between.injected)
    assert changes(ekk.plan("stack.yaml", code=0)) == []


def test_down_leaves_nothing(up):
    # moto takes no notice of a statement's conditions, and so what denies all but TLS denies all objects.
    up.client("s3").delete_bucket_policy(Bucket=BUCKET)
    up.client("s3").put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    for body in (b"1", b"2"):
        up.client("s3").put_object(Bucket=BUCKET, Key="a/b c+d", Body=body)
    up.client("s3").delete_object(Bucket=BUCKET, Key="a/b c+d")
    up.client("s3").create_multipart_upload(Bucket=BUCKET, Key="unfinished")
    up.client("iam").attach_role_policy(RoleName=ROLE, PolicyArn=OTHER_BOUNDARY)
    up("down", *DOWN).with_code(0)
    assert BUCKET not in [bucket["Name"] for bucket in up.client("s3").list_buckets()["Buckets"]]
    assert up.client("iam").list_roles()["Roles"] == []
    assert up.client("logs").describe_log_groups()["logGroups"] == []
