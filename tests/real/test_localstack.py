"""ekk on LocalStack 2026.3.0 over a real OpenSearch 2.19.1: the article's stack goes up, converges, carries records and
goes down. Where LocalStack is not AWS, the tests say what ekk makes of it."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import time

import pytest

import localstack
import proxy
from conftest import ACCOUNT, HERE, REGION, ROOT, Ekk, changes, client

STACK = "logging-test"
FILE = "localstack.yaml"
BUCKET = "logging-test-110520"
LOG_GROUP = "/aws/kinesisfirehose/logging-test"
ALL = {"role", "bucket", "log-group", "domain", "index-template", "stream", "index-pattern"}
# A record can be searched for once the index is refreshed, by default after a second.
SEARCHABLE_SECONDS = 60


@pytest.fixture(scope="module")
def ekk(binary, aws_endpoint, tmp_path_factory):
    """The binary on LocalStack, in a folder with the stack's file."""
    folder = tmp_path_factory.mktemp("stack")
    (folder / FILE).write_text((HERE / FILE).read_text())
    return Ekk(binary, aws_endpoint, folder)


def edit(ekk: Ekk, old: str, new: str) -> None:
    """Changes the file in one place."""
    file = ekk.folder / FILE
    text = file.read_text()
    assert text.count(old) == 1, f"{old!r} in\n{text}"
    file.write_text(text.replace(old, new))


def converges(ekk: Ekk, expected: list[tuple]) -> None:
    """The file's change is planned as exactly that, done, and then there is nothing left to do. LocalStack would make
    a change that is only asked about, so nothing is asked."""
    plan = ekk.plan(FILE, "--no-dry-run", code=3)
    assert changes(plan) == expected
    report = ekk.up(FILE, "--no-dry-run")
    assert [(outcome["action"], outcome["kind"]) for outcome in report["outcomes"]] == [
        (action, kind) for action, kind, _ in expected
    ]
    assert report["fingerprint"] == plan["fingerprint"]
    assert changes(ekk.plan(FILE, code=0)) == []


@pytest.mark.story
class TestTheArticlesStack:
    """From nothing to nothing but the bucket, in this order."""

    def test_nothing_is_there_and_all_of_it_is_made(self, ekk):
        plan = ekk.plan(FILE, code=3)
        assert {(change["action"], change["kind"]) for change in plan["changes"]} == {("create", kind) for kind in ALL}
        assert plan["warnings"] == [
            "the documents and their snapshots lie on AWS's disks unencrypted",
            "the documents go between the nodes unencrypted",
            "one small node without a replica: writes stop when the disk is nearly full",
        ]
        report = ekk.up(FILE)
        assert {(outcome["action"], outcome["kind"]) for outcome in report["outcomes"]} == {
            ("create", kind) for kind in ALL
        }

    def test_the_second_plan_is_empty(self, ekk):
        plan = ekk.plan(FILE, code=0)
        assert changes(plan) == []
        assert {resource["kind"] for resource in plan["unchanged"]} == ALL
        assert plan["strays"] == []
        assert "Nothing to do: 7 resources are as the file says." in ekk("up", "--yes", FILE).with_code(0).out

    def test_every_resource_is_ready_and_carries_the_stacks_tags(self, ekk, aws_endpoint):
        state = ekk("status", "-o", "json", FILE).with_code(0).json()
        assert {(resource["kind"], resource["state"]) for resource in state["resources"]} == {
            (kind, "ready") for kind in ALL
        }
        own = {"ekk:stack": STACK, "ekk:region": REGION}
        assert tags(aws_endpoint) == {kind: own for kind in ("role", "bucket", "log-group", "domain", "stream")}

    def test_a_changed_buffer_is_changed_and_the_rest_of_the_destination_stays(self, ekk, aws_endpoint):
        before = destination(aws_endpoint)
        edit(ekk, "  retry_seconds: 300\n", "  retry_seconds: 300\n  buffer: { seconds: 90, mib: 5 }\n")
        expected = [("update", "stream", [("/buffer/seconds", 60, 90)])]
        assert changes(ekk.plan(FILE, code=3)) == expected
        ekk.up(FILE)
        # LocalStack's UpdateDestination replaces what AWS's merges, so whatever ekk left out is gone. It can leave out
        # one member only, since AWS's shape has none for it.
        assert before["BufferingHints"].pop("IntervalInSeconds") == 60
        assert before.pop("S3BackupMode") == "AllDocuments"
        after = destination(aws_endpoint)
        assert after["BufferingHints"].pop("IntervalInSeconds") == 90
        assert after == before

    def test_the_backup_mode_that_localstack_forgot_is_noticed_and_mended(self, ekk, aws_endpoint):
        # Without it LocalStack writes no backup any more.
        plan = ekk.plan(FILE, code=4)
        assert changes(plan) == [("replace", "stream", [("/backup/documents", "FailedDocumentsOnly", "AllDocuments")])]
        assert "--allow replace:stream" in ekk("up", "--yes", FILE).with_code(4).err
        assert "S3BackupMode" not in destination(aws_endpoint)
        ekk.up(FILE, "--allow", "replace:stream")
        assert changes(ekk.plan(FILE, code=0)) == []
        assert destination(aws_endpoint)["S3BackupMode"] == "AllDocuments"
        assert destination(aws_endpoint)["BufferingHints"]["IntervalInSeconds"] == 90

    def test_a_changed_retention_of_the_error_log_converges(self, ekk, aws_endpoint):
        edit(ekk, "retention_days: 14", "retention_days: 30")
        converges(ekk, [("update", "log-group", [("/retention_days", 14, 30)])])
        (group,) = client("logs", aws_endpoint).describe_log_groups(logGroupNamePrefix=LOG_GROUP)["logGroups"]
        assert group["retentionInDays"] == 30

    def test_a_new_tag_converges_on_everything_that_carries_tags(self, ekk, aws_endpoint):
        edit(ekk, f"stack: {STACK}\n", f"stack: {STACK}\ntags: {{ team: platform }}\n")
        kinds = ["role", "bucket", "log-group", "domain", "stream"]
        converges(ekk, [("update", kind, [("/tags/team", None, "platform")]) for kind in kinds])
        all_tags = {"ekk:stack": STACK, "ekk:region": REGION, "team": "platform"}
        assert tags(aws_endpoint) == {kind: all_tags for kind in kinds}

    def test_a_changed_template_converges_and_is_in_the_engine(self, ekk, opensearch):
        edit(ekk, "  time_field: asctime\n", "  time_field: asctime\n  fields: { levelname: keyword }\n")
        keyword = {"type": "keyword", "ignore_above": 8191}
        fields = [(f"/mappings/properties/levelname/{key}", None, keyword[key]) for key in sorted(keyword)]
        converges(ekk, [("update", "index-template", fields)])
        status, found = opensearch.get(f"/_index_template/{STACK}")
        assert status == 200
        (template,) = found["index_templates"]
        assert template["index_template"]["template"]["mappings"]["properties"]["levelname"] == keyword

    def test_a_changed_domain_converges(self, ekk, aws_endpoint):
        edit(ekk, "  instance_count: 1\n", "  instance_count: 1\n  tls_policy: Policy-Min-TLS-1-2-PFS-2023-10\n")
        before, after = "Policy-Min-TLS-1-2-2019-07", "Policy-Min-TLS-1-2-PFS-2023-10"
        converges(ekk, [("update", "domain", [("/endpoint/tls_policy", before, after)])])
        domain = client("opensearch", aws_endpoint).describe_domain(DomainName=STACK)["DomainStatus"]
        assert domain["DomainEndpointOptions"]["TLSSecurityPolicy"] == after

    def test_the_articles_record_and_pythons_default_time_are_found_and_backed_up(self, ekk, opensearch, aws_endpoint):
        articles = record("the article's", "%Y-%m-%dT%H:%M:%S+0000")
        assert articles["asctime"] == "2026-11-24T02:02:33+0000"
        # No date format of the engine's own reads it: without the template it would be text.
        default = record("Python's default", None)
        assert default["asctime"] == "2026-11-24 02:02:33,123"
        firehose = client("firehose", aws_endpoint)
        for one in (articles, default):
            line = json.dumps(one).encode() + b"\n"
            answer = firehose.put_record_batch(DeliveryStreamName=STACK, Records=[{"Data": line}])
            assert answer["FailedPutCount"] == 0

        found = searched(opensearch, {"match_all": {}}, 2)
        assert sorted((one["_source"] for one in found), key=str) == sorted((articles, default), key=str)
        # LocalStack knows no rotation: the index has no suffix.
        assert {one["_index"] for one in found} == {STACK}
        status, mapping = opensearch.get(f"/{STACK}/_mapping/field/asctime,levelname")
        assert status == 200
        types = {
            field: next(iter(one["mapping"].values()))["type"] for field, one in mapping[STACK]["mappings"].items()
        }
        assert types == {"asctime": "date", "levelname": "keyword"}
        # As a date, to the millisecond, and no other record with it.
        for one, since, until in (
            (articles, "2026-11-24T02:02:33.000Z", "2026-11-24T02:02:33.001Z"),
            (default, "2026-11-24T02:02:33.123Z", "2026-11-24T02:02:33.124Z"),
        ):
            (by_time,) = searched(opensearch, {"range": {"asctime": {"gte": since, "lt": until}}}, 1)
            assert by_time["_source"] == one

        assert sorted(backed_up(aws_endpoint), key=str) == sorted((articles, default), key=str)

    def test_what_is_in_the_domain_is_counted_before_it_goes(self, ekk):
        refused = ekk("down", "--yes", FILE).with_code(4)
        assert "delete-data: all documents and the automated snapshots are gone for good" in refused.out
        assert "--allow delete-data" in refused.err
        assert ekk.plan(FILE, code=0)["unchanged"]

    def test_down_deletes_all_but_the_bucket(self, ekk, aws_endpoint):
        down = ekk("down", "--yes", "--allow", "delete-data", "-o", "json", FILE).with_code(0)
        assert f"will be lost: domain {STACK}: 2 documents" in down.err
        report = down.json()
        assert {(outcome["action"], outcome["kind"]) for outcome in report["outcomes"]} == {
            ("delete", kind) for kind in ("role", "log-group", "domain", "stream")
        }
        assert report["done"]

        assert client("firehose", aws_endpoint).list_delivery_streams()["DeliveryStreamNames"] == []
        assert client("opensearch", aws_endpoint).list_domain_names()["DomainNames"] == []
        assert client("iam", aws_endpoint).list_roles(PathPrefix="/ekk/")["Roles"] == []
        assert client("logs", aws_endpoint).describe_log_groups(logGroupNamePrefix=LOG_GROUP)["logGroups"] == []
        buckets = client("s3", aws_endpoint).list_buckets()["Buckets"]
        assert [bucket["Name"] for bucket in buckets] == [BUCKET]
        assert len(backed_up(aws_endpoint)) == 2

        state = ekk("status", "-o", "json", FILE).with_code(0).json()
        assert {(resource["kind"], resource["state"]) for resource in state["resources"]} == {
            (kind, "ready" if kind == "bucket" else "absent") for kind in ALL
        }

    def test_a_second_down_has_nothing_to_do(self, ekk):
        assert changes(ekk.plan(FILE, "--destroy", code=0)) == []
        ekk("down", "--yes", FILE).with_code(0)

    def test_down_with_the_backup_takes_the_bucket_too(self, ekk, aws_endpoint):
        ekk("down", "--yes", "--allow", "delete-data", "--delete-backup", FILE).with_code(0)
        assert client("s3", aws_endpoint).list_buckets()["Buckets"] == []


@pytest.mark.story
class TestTheArticlesProgram:
    """examples/article.py as a process of its own, its records on the console, in the engine, and seen by ekk. LocalStack
    writes into the index without a suffix, so that ekk has to look there too."""

    LINES = ("Hello from Python", "fake NameError")

    @pytest.fixture(scope="class")
    @classmethod
    def up(cls, ekk, opensearch):
        # The engine is one for all domains, and keeps what a domain that went had in it.
        opensearch.call("DELETE", f"/{STACK}")
        # LocalStack knows no rotation, and Discover would not show an index that the pattern does not cover.
        text = (HERE / FILE).read_text().replace("index_pattern: logging-test-*", "index_pattern: logging-test*")
        (ekk.folder / "article.yaml").write_text(text)
        ekk.up("article.yaml")
        yield ekk
        down(ekk, "article.yaml")

    def test_its_records_are_on_the_console_and_in_the_engine(self, up, opensearch):
        environment = {**up.environment, "PYTHONPATH": str(ROOT / "python"), "AWS_DEFAULT_REGION": REGION}
        done = subprocess.run(
            [sys.executable, str(ROOT / "examples" / "article.py")],
            env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False,
        )
        assert done.returncode == 0, done.stderr
        # The root logger's handlers show what botocore says, too; what it says on the worker's thread is not shipped.
        told = [one for one in map(json.loads, done.stderr.splitlines()) if one["name"] == "__main__"]
        assert [one["message"] for one in told] == [self.LINES[0], self.LINES[1], self.LINES[1]]
        found = searched(opensearch, {"match_all": {}}, 3)
        assert sorted((one["_source"] for one in found), key=str) == sorted(told, key=str)

    def test_ekk_shows_them_by_the_stacks_name(self, up):
        ran = up("logs", "-o", "json", STACK).with_code(0)
        records = [json.loads(line) for line in ran.out.splitlines()]
        assert {one["index"] for one in records} == {STACK}
        assert [one["record"]["message"] for one in records][0] == self.LINES[0] and len(records) == 3

    def test_a_marked_record_passes_the_whole_path_and_is_removed(self, up, opensearch):
        report = json.loads(up("verify", "-o", "json", "article.yaml").with_code(0).out)
        assert [(hop["hop"], hop["state"]) for hop in report["hops"]] == [
            ("accepted", "found"), ("index", "found"), ("backup", "found"),
        ]
        assert (report["index"], report["removed"]) == (STACK, 1)
        assert len(searched(opensearch, {"match_all": {}}, 3)) == 3

    def test_the_doctor_finds_nothing_that_keeps_records_away(self, up):
        report = json.loads(up("doctor", "-o", "json", "article.yaml").out)
        errors = [one for one in report["findings"] if one["severity"] == "error"]
        assert (errors, report["exit"]) == ([], 0)


@pytest.mark.story
class TestAServerThatIgnoresTheDryRun:
    """LocalStack makes the change that it is only asked about."""

    FILE = "ignored.yaml"

    @pytest.fixture(scope="class")
    @classmethod
    def up(cls, ekk):
        (ekk.folder / cls.FILE).write_text(small("ignored"))
        ekk.up(cls.FILE)
        yield ekk
        down(ekk, cls.FILE)

    def test_it_is_noticed_and_what_it_did_is_told(self, up):
        (up.folder / self.FILE).write_text(small("ignored", "tls_policy: Policy-Min-TLS-1-2-PFS-2023-10"))
        ran = up("plan", "--exit-code", self.FILE).with_code(1)
        assert ran.out == ""
        assert ran.err == (
            "error (exit 1): domain ignored: es:UpdateDomainConfig: the server answered a dry run without its results: "
            "it ignores DryRun and has made the change: endpoint.tls_policy Policy-Min-TLS-1-2-2019-07 -> "
            "Policy-Min-TLS-1-2-PFS-2023-10\n"
            "  use --no-dry-run with this server; `ekk up --no-dry-run` with the former settings in the file takes "
            "the change back where AWS allows it\n"
        )

    def test_the_way_out_that_is_told_works(self, up):
        # As it said: the change is there.
        assert changes(up.plan(self.FILE, code=0)) == []
        (up.folder / self.FILE).write_text(small("ignored"))
        (change,) = up.plan(self.FILE, "--no-dry-run", code=3)["changes"]
        assert change["kind"] == "domain"
        assert any("--no-dry-run" in note for note in change["notes"]), change["notes"]
        up.up(self.FILE, "--no-dry-run")
        assert changes(up.plan(self.FILE, code=0)) == []


class TestAServerThatDoesNotEncrypt:
    """LocalStack takes each encryption that is asked for, and says afterwards that there is none."""

    def test_what_it_says_is_told_and_planned_again(self, ekk):
        file = "encrypted.yaml"
        (ekk.folder / file).write_text("stack: encrypted\n")
        try:
            ekk.up(file)
            plan = ekk.plan(file, "--no-dry-run", code=4)
            assert changes(plan) == [
                (
                    "update",
                    "domain",
                    [("/encryption_at_rest/enabled", False, True), ("/node_to_node_encryption", False, True)],
                ),
                (
                    "update",
                    "stream",
                    [("/encryption/enabled", False, True), ("/encryption/key_type", None, "AWS_OWNED_CMK")],
                ),
            ]
            ran = ekk("up", "--yes", "--no-dry-run", "--allow", "blue-green", file).with_code(1)
            assert "x stream encrypted: firehose:StartDeliveryStreamEncryption: InternalFailure: " in ran.out
        finally:
            down(ekk, file)


class TestAnEngineWithoutDashboards:
    """The same LocalStack, with nothing in front of the engine: only the index pattern cannot be made."""

    FILE = "bare.yaml"
    HINT = (
        "the engine itself answered: there is no Dashboards behind this endpoint, as there always is on AWS; look "
        "where AWS_ENDPOINT_URL leads"
    )

    @pytest.fixture
    def bare(self, binary, for_the_run, opensearch, tmp_path):
        server = for_the_run(localstack.start(f"http://{opensearch.address}", data_dir=tmp_path / "localstack"))
        (tmp_path / self.FILE).write_text(small("bare"))
        return Ekk(binary, for_the_run(proxy.start(server.address, via="localstack")).address, tmp_path)

    def test_each_up_makes_the_rest_and_says_at_once_why_the_pattern_is_missing(self, bare):
        # The first run makes the pattern, the next cannot know whether there is one.
        for action, done in (("create", ALL - {"index-pattern"}), ("settle", set())):
            began = time.monotonic()
            report = bare("up", "--yes", "-o", "json", self.FILE).with_code(1).json()
            # Not after the ten minutes that Dashboards may take to come up.
            assert time.monotonic() - began < 60
            outcomes = {outcome["kind"]: outcome for outcome in report["outcomes"]}
            failed = outcomes.pop("index-pattern")
            assert failed["action"] == action
            end = failed["end"]
            assert (end["end"], end["hints"], end["refused"]) == ("failed", [self.HINT], False)
            assert end["message"].startswith("index pattern bare-*: GET /_dashboards/api/")
            assert ": 400 no handler found for uri [/_dashboards/api/" in end["message"]
            assert set(outcomes) == done
            assert all(outcome["end"] == {"end": "done"} for outcome in outcomes.values()), outcomes
        assert f"\n  {self.HINT}\n" in bare("up", "--yes", self.FILE).with_code(1).out

        (change,) = bare.plan(self.FILE, code=3)["changes"]
        assert (change["action"], change["kind"]) == ("settle", "index-pattern")
        assert self.HINT in change["notes"][0]
        state = bare("status", "-o", "json", self.FILE).with_code(0).json()
        (pattern,) = [one for one in state["resources"] if one["kind"] == "index-pattern"]
        assert (pattern["state"], self.HINT in pattern["why"]) == ("unknown", True)
        # Nothing of that stands in the way of going down.
        down(bare, self.FILE)


def small(stack: str, domain: str = "") -> str:
    """A stack that LocalStack can hold to the letter: nothing of it encrypted."""
    more = f", {domain}" if domain else ""
    return (
        f"stack: {stack}\n"
        f"domain: {{ encryption: {{ at_rest: false, node_to_node: false }}{more} }}\n"
        "stream: { encryption: { type: none } }\n"
    )


def down(ekk: Ekk, file: str) -> None:
    ekk("down", "--yes", "--allow", "delete-data", "--delete-backup", file).with_code(0)


def tags(endpoint: str) -> dict[str, dict[str, str]]:
    """The tags of each resource of the article's stack, asked one by one."""
    pairs = {
        "role": client("iam", endpoint).list_role_tags(RoleName="logging-test-firehose")["Tags"],
        "bucket": client("s3", endpoint).get_bucket_tagging(Bucket=BUCKET)["TagSet"],
        "domain": client("opensearch", endpoint).list_tags(ARN=arn("es", f"domain/{STACK}"))["TagList"],
        "stream": client("firehose", endpoint).list_tags_for_delivery_stream(DeliveryStreamName=STACK)["Tags"],
    }
    found = {kind: {tag["Key"]: tag["Value"] for tag in of_one} for kind, of_one in pairs.items()}
    group = arn("logs", f"log-group:{LOG_GROUP}")
    found["log-group"] = client("logs", endpoint).list_tags_for_resource(resourceArn=group)["tags"]
    return found


def arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


def destination(endpoint: str) -> dict:
    """The stream's destination as LocalStack describes it."""
    described = client("firehose", endpoint).describe_delivery_stream(DeliveryStreamName=STACK)
    (found,) = described["DeliveryStreamDescription"]["Destinations"]
    return found["AmazonopensearchserviceDestinationDescription"]


def record(message: str, datefmt: str | None) -> dict:
    """A record with the article's fields and the time as Python's own formatter writes it, in UTC."""
    made = logging.LogRecord("app", logging.INFO, __file__, 1, message, None, None)
    made.created, made.msecs = 1795485753.123, 123.0
    formatter = logging.Formatter()
    formatter.converter = time.gmtime
    return {"asctime": formatter.formatTime(made, datefmt), "levelname": made.levelname, "message": message}


def searched(opensearch, query: dict, count: int) -> list[dict]:
    """The hits of a search in the index and its rotated ones, once there are so many."""
    until = time.monotonic() + SEARCHABLE_SECONDS
    while True:
        body = {"query": query, "size": 100}
        status, answer = opensearch.call("POST", f"/{STACK},{STACK}-*/_search", body)
        hits = answer["hits"]["hits"] if status == 200 else []
        if len(hits) == count:
            return hits
        assert time.monotonic() < until, f"{count} hits wanted: {status} {answer}"
        time.sleep(0.2)


def backed_up(endpoint: str) -> list[dict]:
    """The records in the backup bucket."""
    s3 = client("s3", endpoint)
    records = []
    for found in s3.list_objects_v2(Bucket=BUCKET).get("Contents", []):
        lines = s3.get_object(Bucket=BUCKET, Key=found["Key"])["Body"].read().decode()
        records += [json.loads(line) for line in lines.splitlines()]
    return records
