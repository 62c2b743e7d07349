"""Connections that break, 5xx, throttling and slow answers between ekk and a server: each command does its work in one run
all the same, nothing is made twice and nothing is left.

EKK_FAULT_SEEDS=4,5,6 takes other seeds for the mixtures.
"""

from __future__ import annotations

import os

import pytest

import embedded
import proxy
from conftest import HERE, Ekk, changes, client

# The article's stack by names of its own: LocalStack keeps the tags of a log group that went, which the next one of that
# name, in another test, would carry.
STACK = "fault-test"
BUCKET = "fault-test-110520"
ROLE = "fault-test-firehose"
LOG_GROUP = "/aws/kinesisfirehose/fault-test"
ALL = ["bucket", "domain", "index-pattern", "index-template", "log-group", "role", "stream"]

# Each of these hits every operation that ekk calls, the first time that it calls it.
FIRST_OF_EACH = {
    "cut-before": proxy.Cut.BEFORE,
    "cut-after": proxy.Cut.AFTER,
    "cut-in-the-middle": proxy.Cut.MIDDLE,
    "500": proxy.ServerError(500),
    "502": proxy.ServerError(502),
    "503": proxy.ServerError(503),
    "throttled": proxy.Throttle.ONCE,
    "slow": proxy.Slow(0.5),
}
SEEDS = [int(seed) for seed in os.environ.get("EKK_FAULT_SEEDS", "1,2,3").split(",")]
DOWN = ["--yes", "--delete-backup", "--allow", "delete-data", "stack.yaml"]


FORGOTTEN = [("replace", "stream", [("/backup/documents", "FailedDocumentsOnly", "AllDocuments")])]


def cases():
    """On ekk's own emulator the mixtures alone: tests/converge/faults.rs has the rest in less time."""
    for name, effect in FIRST_OF_EACH.items():
        yield pytest.param("localstack", proxy.Plan(0, (proxy.Rule(effect, nth=(1,)),)), id=f"localstack-{name}")
    for server in ("localstack", "emulator"):
        for seed in SEEDS:
            yield pytest.param(server, proxy.mixture(seed, probability=0.3), id=f"{server}-mixture-{seed}")


@pytest.fixture(scope="session")
def emulator(binary, for_the_run, tmp_path_factory):
    """ekk's own local AWS, which records for itself, behind a proxy."""
    server = for_the_run(embedded.start(binary, tmp_path_factory.mktemp("embedded")))
    return for_the_run(proxy.start(server, lead_domains=True))


@pytest.fixture(scope="session")
def behind_localstack(localstack_server, for_the_run):
    """LocalStack behind a proxy."""
    return for_the_run(proxy.start(localstack_server.address, via="localstack", lead_domains=True))


@pytest.fixture
def between(request):
    """The proxy between ekk and a server."""
    running = request.getfixturevalue({"emulator": "emulator", "localstack": "behind_localstack"}[request.param])
    running.behind = request.param
    return running


@pytest.fixture
def ekk(binary, between, tmp_path):
    """The binary in a folder with the file; what a test that failed has left is taken away."""
    (tmp_path / "stack.yaml").write_text((HERE / "localstack.yaml").read_text().replace("logging-test", STACK))
    ekk = Ekk(binary, between.address, tmp_path)
    yield ekk
    between.plan = None
    ekk("down", *DOWN).with_code(0)


def edit(ekk: Ekk, old: str, new: str) -> None:
    file = ekk.folder / "stack.yaml"
    text = file.read_text()
    assert text.count(old) == 1
    file.write_text(text.replace(old, new))


def under(between: proxy.Running, plan: proxy.Plan) -> None:
    """From now on these faults, told anew."""
    between.injected.clear()
    between.troubles.clear()
    between.plan = plan


def undisturbed(between: proxy.Running) -> None:
    assert between.injected, "the plan put nothing in"
    print(between.told())
    between.plan = None


@pytest.mark.parametrize("between, plan", list(cases()), indirect=["between"])
def test_up_a_change_and_down_each_take_one_run(ekk, between, plan):
    under(between, plan)
    report = ekk.up("stack.yaml")
    assert sorted(outcome["kind"] for outcome in report["outcomes"]) == ALL
    undisturbed(between)
    assert changes(ekk.plan("stack.yaml", code=0)) == []

    edit(ekk, "retry_seconds: 300", "retry_seconds: 600")
    edit(ekk, "retention_days: 14", "retention_days: 30")
    edit(ekk, f"stack: {STACK}\n", f"stack: {STACK}\ntags: {{ team: platform }}\n")
    under(between, plan)
    ekk.up("stack.yaml", "--no-dry-run")
    undisturbed(between)
    if between.behind == "localstack":
        # Its UpdateDestination forgets the backup mode, which that call cannot carry, and so the stream is made anew.
        assert changes(ekk.plan("stack.yaml", code=4)) == FORGOTTEN
        under(between, plan)
        ekk.up("stack.yaml", "--allow", "replace:stream")
        undisturbed(between)
    assert changes(ekk.plan("stack.yaml", code=0)) == []

    under(between, plan)
    ekk("down", *DOWN).with_code(0)
    undisturbed(between)
    nothing_is_left(between.address)


@pytest.mark.parametrize("between", ["emulator"], indirect=True)
def test_what_does_not_pass_is_told_and_the_next_run_goes_on_from_there(ekk, between):
    never = proxy.Rule(proxy.ServerError(503), service="s3", operation="PUT bucket policy", probability=1.0)
    under(between, proxy.Plan(0, (never,), in_a_row=99))
    ended = ekk("up", "--yes", "stack.yaml").with_code(1)
    assert f"bucket {BUCKET}: s3:PutBucketPolicy: ServiceUnavailable: Service is unable to handle request." in ended.err
    assert len(between.injected) == 5
    undisturbed(between)
    report = ekk.up("stack.yaml")
    # What needs the bucket had to wait; the rest was done.
    assert sorted(outcome["kind"] for outcome in report["outcomes"]) == ["bucket", "stream"]
    assert changes(ekk.plan("stack.yaml", code=0)) == []


def nothing_is_left(address: str) -> None:
    """Asked of the server itself, and not of ekk."""
    assert ROLE not in [role["RoleName"] for role in client("iam", address).list_roles()["Roles"]]
    assert BUCKET not in [bucket["Name"] for bucket in client("s3", address).list_buckets()["Buckets"]]
    assert client("logs", address).describe_log_groups(logGroupNamePrefix=LOG_GROUP)["logGroups"] == []
    assert STACK not in client("firehose", address).list_delivery_streams()["DeliveryStreamNames"]
    domains = client("opensearch", address).list_domain_names()["DomainNames"]
    assert STACK not in [domain["DomainName"] for domain in domains]
