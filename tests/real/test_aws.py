"""The walk on AWS itself, from `up` to `down` of one stack with a name of its own; whatever happens, `down --delete-backup`
comes last. It is billed: docs/fidelity.md says what it costs and how it is run.

Without EKK_REAL_AWS=costs-money the same walk leads through the embedded AWS, so that it is known to work before somebody
pays for it; that proves nothing about AWS.
"""

import datetime
import gzip
import json
import os
import random
import re
import subprocess
import time
import urllib.error
import urllib.request
import uuid

import boto3
import botocore.auth
import botocore.awsrequest
import pytest

import embedded

IS_REHEARSAL = os.environ.get("EKK_REAL_AWS") != "costs-money"
# A domain takes 15-30 minutes, and now and then twice that.
UP_SECONDS = 90 * 60
# The backup is written every 300 s, the index every 60 s; Firehose is late at times.
ARRIVAL_SECONDS = 20 * 60

SPEC = """\
stack: {stack}
tags: {{ purpose: proof }}
index:
  fields: {{ run: keyword }}
stream:
  buffer: {{ seconds: 60, mib: 5 }}
error_log: {{ retention_days: 14 }}
"""


class Walk:
    """One stack, and the clients that look at it."""

    def __init__(self, binary, folder):
        self.binary = binary
        self.stack = f"ekk-proof-{random.SystemRandom().randrange(10**8):08}"
        self.file = folder / "stack.yaml"
        self.session = boto3.Session()
        self.region = self.session.region_name
        self.account = self.session.client("sts").get_caller_identity()["Account"]
        self.bucket = f"{self.stack}-{self.account}-{self.region}"
        self.run_id = str(uuid.uuid4())
        self.write(SPEC.format(stack=self.stack))

    def write(self, text):
        self.file.write_text(text)

    def ekk(self, *arguments, expected=0, seconds=UP_SECONDS):
        command = [self.binary, *arguments, str(self.file)]
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=seconds
        )
        print(f"\n$ {' '.join(command)}\n{done.stdout}(exit {done.returncode})", flush=True)
        assert done.returncode == expected, done.stdout
        return done.stdout

    def inside(self, path):
        """GETs a path of the domain, signed; returns status and JSON."""
        status = self.session.client("opensearch").describe_domain(DomainName=self.stack)["DomainStatus"]
        scheme = "http" if IS_REHEARSAL else "https"
        request = botocore.awsrequest.AWSRequest("GET", f"{scheme}://{status['Endpoint']}{path}")
        credentials = self.session.get_credentials().get_frozen_credentials()
        botocore.auth.SigV4Auth(credentials, "es", self.region).add_auth(request)
        try:
            with urllib.request.urlopen(
                urllib.request.Request(request.url, headers=dict(request.headers)), timeout=60
            ) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode("utf-8", "replace")

    def left(self):
        """What still carries the stack's tag, and the role, which that service does not know."""
        tagging = self.session.client("resourcegroupstaggingapi")
        pages = tagging.get_paginator("get_resources").paginate(TagFilters=[{"Key": "ekk:stack", "Values": [self.stack]}])
        found = [one["ResourceARN"] for page in pages for one in page["ResourceTagMappingList"]]
        iam = self.session.client("iam")
        try:
            return [*found, iam.get_role(RoleName=f"{self.stack}-firehose-{self.region}")["Role"]["Arn"]]
        except iam.exceptions.NoSuchEntityException:
            return found

    def clean_up(self):
        """Takes everything away, then says what is left and how it goes."""
        down = ["down", "--yes", "--allow", "delete-data", "--delete-backup"]
        try:
            self.ekk(*down)
        finally:
            until = time.monotonic() + 600
            # The service that finds tags shows for a while what has gone.
            while (left := self.left()) and time.monotonic() < until:
                time.sleep(1 if IS_REHEARSAL else 10)
            print("Left behind:" if left else "Nothing is left.", *left, sep="\n  ", flush=True)
            if left:
                command = f"AWS_REGION={self.region} ekk {' '.join(down)} stack.yaml"
                print(f"To delete it: echo 'stack: {self.stack}' > stack.yaml && {command}", flush=True)
        assert not left, left


@pytest.fixture(scope="module")
def place(binary, tmp_path_factory):
    """Points ekk and boto3 at the embedded AWS, where AWS itself is not asked for."""
    if not IS_REHEARSAL:
        yield
        return
    with embedded.start(binary, tmp_path_factory.mktemp("embedded")) as address, pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        patch.setenv("AWS_ENDPOINT_URL", address)
        patch.setenv("AWS_REGION", "us-east-1")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_ACCESS_KEY_ID", "rehearsal")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "rehearsal")
        yield


@pytest.fixture(scope="module")
def walk(binary, place, tmp_path_factory):
    walk = Walk(binary, tmp_path_factory.mktemp("walk"))
    print(f"\nThe stack is {walk.stack} in {walk.account}, {walk.region}.", flush=True)
    try:
        yield walk
    finally:
        walk.clean_up()


def polled(question, seconds, what):
    """Asks until there is an answer, and returns it."""
    until = time.monotonic() + seconds
    while True:
        answer = question()
        if answer is not None:
            return answer
        assert time.monotonic() < until, f"not within {seconds} s: {what}"
        time.sleep(1 if IS_REHEARSAL else 10)


pytestmark = pytest.mark.story


def test_the_stack_comes_up_and_the_second_plan_is_empty(walk):
    assert "7 created" in walk.ekk("up", "--yes")
    assert "Nothing to do" in walk.ekk("plan", "--exit-code")


@pytest.mark.parametrize(
    ("what", "before", "after", "shown"),
    [
        ("a buffer", "seconds: 60", "seconds: 120", "60 -> 120"),
        ("a retention", "retention_days: 14", "retention_days: 30", "14 -> 30"),
        ("a tag", "purpose: proof", "purpose: proved", "proof -> proved"),
        ("a template", "run: keyword", "run: keyword, duration_ms: float", "duration_ms"),
    ],
    ids=lambda value: value.replace(" ", "-") if value.startswith("a ") else "",
)
def test_a_change_converges(walk, what, before, after, shown):
    text = walk.file.read_text()
    assert before in text
    walk.write(text.replace(before, after))
    assert shown in walk.ekk("plan", "--exit-code", expected=3), what
    walk.ekk("up", "--yes")
    walk.ekk("plan", "--exit-code")


def test_records_are_found_with_their_time_as_a_date_and_stand_in_the_backup(walk):
    now = datetime.datetime.now(datetime.timezone.utc)
    of_the_article = {"asctime": now.strftime("%Y-%m-%dT%H:%M:%S%z"), "message": "the article's", "run": walk.run_id}
    of_python = {"asctime": now.strftime("%Y-%m-%d %H:%M:%S,123"), "message": "Python's default", "run": walk.run_id}
    records = [{"Data": (json.dumps(record) + "\n").encode()} for record in (of_the_article, of_python)]
    answer = walk.session.client("firehose").put_record_batch(DeliveryStreamName=walk.stack, Records=records)
    assert answer["FailedPutCount"] == 0, answer

    def found():
        status, body = walk.inside(f"/{walk.stack}-*/_search?q=run:%22{walk.run_id}%22&sort=asctime")
        assert status in (200, 404), body
        hits = body["hits"]["hits"] if status == 200 else []
        return hits if len(hits) == 2 else None

    hits = polled(found, ARRIVAL_SECONDS, "both records in the index")
    index = hits[0]["_index"]
    assert re.fullmatch(rf"{re.escape(walk.stack)}-\d{{4}}-w\d{{2}}", index), index
    status, mapping = walk.inside(f"/{index}/_mapping")
    assert (status, mapping[index]["mappings"]["properties"]["asctime"]["type"]) == (200, "date")

    def backed_up():
        s3 = walk.session.client("s3")
        text = b""
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=walk.bucket):
            for item in page.get("Contents", []):
                body = s3.get_object(Bucket=walk.bucket, Key=item["Key"])["Body"].read()
                text += gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body
        return text if text.count(walk.run_id.encode()) == 2 else None

    polled(backed_up, ARRIVAL_SECONDS, "both records in the backup")


def test_the_index_pattern_is_a_saved_object_of_dashboards(walk):
    status, body = walk.inside("/_dashboards/api/saved_objects/_find?type=index-pattern&per_page=100")
    assert status == 200, body
    patterns = {item["attributes"]["title"]: item["attributes"].get("timeFieldName") for item in body["saved_objects"]}
    assert patterns.get(f"{walk.stack}-*") == "asctime", patterns


def test_the_dry_run_tells_a_second_cluster_and_nothing_is_touched(walk):
    text = walk.file.read_text()
    walk.write(text + "domain: { instance_type: m7g.medium.search }\n")
    try:
        shown = walk.ekk("up", "--yes", expected=4)
        assert "AWS's dry run says" in shown and "--allow blue-green:domain" in shown
    finally:
        walk.write(text)
    walk.ekk("plan", "--exit-code")


def test_down_leaves_the_bucket_alone(walk):
    walk.ekk("down", "--yes", "--allow", "delete-data")
    expected = [f"arn:aws:s3:::{walk.bucket}"]
    polled(lambda: walk.left() == expected or None, 600, "only the bucket is left")
