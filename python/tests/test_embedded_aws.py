"""The article's program and the handler against the embedded AWS of `ekk local`, with the article's stack up.

The command is the one that EKK_BINARY names, or that `cargo build` has made.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.httpsession import URLLib3Session
from conftest import REPOSITORY, record, until
from test_spool import environment

import ekk

STACK = REPOSITORY / "stacks" / "logging-test.yaml"
BINARY = Path(os.environ.get("EKK_BINARY", REPOSITORY / "target" / "debug" / "ekk"))

pytestmark = pytest.mark.long


def without_aws() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}


class LocalAws:
    """A stack on the embedded AWS."""

    def __init__(self, folder: Path) -> None:
        (folder / ".ekk").mkdir()
        self.folder = folder
        self.server = subprocess.Popen(
            [str(BINARY), "local"],
            cwd=folder,
            env=without_aws(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self.server.stdout is not None
        # The local AWS listens at http://127.0.0.1:43999; Ctrl-C ends it.
        self.url = self.server.stdout.readline().split()[5].rstrip(";")
        self.run("up", "-q", "--local", "--yes", str(STACK))
        status = json.loads(self.run("status", "--local", "-o", "json", str(STACK)))
        self.endpoint = status["stacks"][0]["endpoint"]

    def run(self, *words: str) -> str:
        done = subprocess.run(
            [str(BINARY), *words], cwd=self.folder, env=without_aws(), capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def variables(self) -> dict[str, str]:
        lines = [line.removeprefix("export ") for line in self.run("local", "env", "--all").splitlines()]
        return dict(line.split("=", 1) for line in lines)

    def documents(self) -> list[dict[str, Any]]:
        """Returns all documents of the stack's indexes."""
        variables = self.variables()
        credentials = Credentials(variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"])
        request = AWSRequest("GET", f"{self.endpoint}/logging-test-*/_search?size=10000")
        SigV4Auth(credentials, "es", variables["AWS_REGION"]).add_auth(request)
        answer = URLLib3Session().send(request.prepare())
        assert answer.status_code == 200, answer.text
        return [hit["_source"] for hit in json.loads(answer.text)["hits"]["hits"]]

    def backup(self) -> list[dict[str, Any]]:
        """Returns all records of the backup bucket."""
        variables = self.variables()
        s3 = boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name=variables["AWS_REGION"],
            aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
        )
        keys = [each["Key"] for each in s3.list_objects_v2(Bucket="logging-test-110520").get("Contents", [])]
        text = "".join(s3.get_object(Bucket="logging-test-110520", Key=key)["Body"].read().decode() for key in keys)
        return [json.loads(line) for line in text.splitlines()]

    def stop(self) -> None:
        self.server.terminate()
        self.server.wait(20)
        assert self.server.stdout is not None
        self.server.stdout.close()


def text_of(document: dict[str, Any]) -> str:
    return json.dumps(document, sort_keys=True)


@pytest.fixture(scope="module")
def local_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    assert BINARY.exists(), f"{BINARY} is not there: run `cargo build` first, or set EKK_BINARY"
    local_aws = LocalAws(tmp_path_factory.mktemp("local"))
    yield local_aws
    local_aws.stop()


def test_the_article_s_program_is_seen_on_the_console_by_the_commands_and_in_the_backup(local_aws: LocalAws) -> None:
    done = subprocess.run(
        [sys.executable, str(REPOSITORY / "examples" / "article.py")],
        env={**environment(), **local_aws.variables()},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, "")
    # Beside it botocore says at level INFO where it found credentials, as it did in the article.
    console = [line for line in map(json.loads, done.stderr.splitlines()) if line["name"] == "__main__"]
    assert [(line["levelname"], line["message"]) for line in console] == [
        ("INFO", "Hello from Python"),
        ("ERROR", "fake NameError"),
        ("ERROR", "fake NameError"),
    ]
    assert console[0]["order"] == 17
    assert console[2]["exc_info"].endswith("NameError: fake NameError")

    def of_the_program(documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [document for document in documents if document["name"] == "__main__"]

    # What is shipped is what the console shows, word for word. The index buffers for 3 seconds here, the backup for 15.
    until(lambda: len(of_the_program(local_aws.documents())) == 3, 60)
    found = of_the_program(local_aws.documents())
    assert sorted(found, key=text_of) == sorted(console, key=text_of)
    until(lambda: len(of_the_program(local_aws.backup())) == 3, 60)
    assert of_the_program(local_aws.backup()) == console
    lines = local_aws.run("logs", "--local", "-o", "json", str(STACK)).splitlines()
    logs = [json.loads(line)["record"] for line in lines]
    assert sorted(of_the_program(logs), key=text_of) == sorted(console, key=text_of)
    # For a person each record is one line, and its stack trace lies below it.
    shown = local_aws.run("logs", "--local", "--query", "name:__main__", str(STACK))
    records = [line.split(" ", 2)[2].split(maxsplit=1) for line in shown.splitlines() if not line.startswith(" ")]
    assert sorted(map(tuple, records)) == [
        ("ERROR", "__main__ fake NameError"),
        ("ERROR", "__main__ fake NameError"),
        ("INFO", "__main__ Hello from Python order=17"),
    ]
    assert shown.endswith("    NameError: fake NameError\n")

    # A record of its own takes the same path, and is gone from the index afterwards; its line is kept.
    proof = json.loads(local_aws.run("verify", "--local", "-o", "json", str(STACK)))
    assert [(hop["hop"], hop["state"]) for hop in proof["hops"]] == [
        ("accepted", "found"),
        ("index", "found"),
        ("backup", "found"),
    ]
    assert (proof["removed"], proof["exit"]) == (1, 0)
    assert of_the_program(local_aws.documents()) == found


def test_what_the_formatter_makes_of_anything_is_taken_by_the_index(
    local_aws: LocalAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in local_aws.variables().items():
        monkeypatch.setenv(name, value)
    handler = ekk.FirehoseHandler("logging-test", hook_sigterm=False)
    circle: list[Any] = []
    circle.append(circle)
    strange: list[dict[str, Any]] = [
        {"value_a": float("nan"), "value_b": 2**70, "value_c": circle, "value_d": {1, 2}},
        {"_id": "mine", "_source": {"_index": 1}, "": 0, ".dots.": 1, "text": "\ud800\x00\u2028"},
        {"deep": {"a": {"b": {"c": [{"d": None}]}}}, "at": handler, "error": ValueError("x")},
    ]
    for number in range(1200):
        extra = strange[number] if number < len(strange) else {"number": number}
        handler.handle(record(f"strange {number}", **extra))
    assert handler.flush(60)
    handler.close()
    assert handler.counts().sent == 1200
    expected = {f"strange {number}" for number in range(1200)}
    until(lambda: expected <= {document["message"] for document in local_aws.documents()}, 60)


def test_extra_as_strings_is_taken_whatever_came_before(local_aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in local_aws.variables().items():
        monkeypatch.setenv(name, value)
    handler = ekk.FirehoseHandler("logging-test", hook_sigterm=False)
    handler.setFormatter(ekk.JsonFormatter(extra="strings"))
    values: list[Any] = [5, "text", {"a": 1}, [1, {"d": None}], True, 0.5, None, "2020-05-11"]
    for number, value in enumerate(values):
        handler.handle(record(f"clash {number}", clash=value, **{"clash.inner": number, f"other.{number}": value}))
    handler.close()
    expected = {f"clash {number}" for number in range(len(values))}
    until(lambda: expected <= {document["message"] for document in local_aws.documents()}, 60)


def test_a_stream_that_is_not_there_is_said_and_nothing_is_lost(
    local_aws: LocalAws, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name, value in local_aws.variables().items():
        monkeypatch.setenv(name, value)
    handler = ekk.FirehoseHandler("no-such-stream", hook_sigterm=False)
    handler.handle(record("a"))
    handler.close(1)
    lines = capfd.readouterr().err.splitlines()
    assert lines[0].startswith("ekk: stream no-such-stream: ResourceNotFoundException: ")
    assert [json.loads(line)["message"] for line in lines if line.startswith("{")] == ["a"]
