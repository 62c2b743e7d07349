"""What the tests of this folder share: ekk's binary, and third-party servers that stay up for the whole run.

    python -m pytest tests/real

A part that is not to be had on this machine skips the tests that need it; the end of the run has one line for each.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import subprocess
import sys

import boto3
import botocore.config
import pytest

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE))

import engine  # noqa: E402
import front  # noqa: E402
import localstack  # noqa: E402
import proxy  # noqa: E402

REGION = "eu-west-1"
ACCOUNT = "000000000000"
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
# An `up` takes seconds here; one that hangs must not hang the run.
COMMAND_SECONDS = 300

NOT_PROVED = pytest.StashKey()
FAILED = pytest.StashKey()


def pytest_configure(config):
    config.stash[NOT_PROVED] = []
    config.addinivalue_line("markers", "story: tests of one class that go on where the one before ended")


def pytest_terminal_summary(terminalreporter, config):
    for line in config.stash[NOT_PROVED]:
        terminalreporter.write_line(line)


def pytest_runtest_makereport(item, call):
    if call.excinfo is not None and not call.excinfo.errisinstance(pytest.skip.Exception):
        item.parent.stash.setdefault(FAILED, item.name)


def pytest_runtest_setup(item):
    before = item.parent.stash.get(FAILED, None)
    if before is not None and item.get_closest_marker("story"):
        pytest.skip(f"{before} failed")


@pytest.fixture(scope="session")
def for_the_run(request):
    """Enters a context until the end of the run, or skips what needs it where its part is not to be had."""
    with contextlib.ExitStack() as stack:

        def enter(context):
            try:
                return stack.enter_context(context)
            except engine.NotToBeHad as error:
                if str(error) not in request.config.stash[NOT_PROVED]:
                    request.config.stash[NOT_PROVED].append(str(error))
                pytest.skip(str(error))

        yield enter


@pytest.fixture(scope="session")
def binary():
    """The ekk that is tested: EKK_BIN, else the one that `cargo build` makes."""
    path = pathlib.Path(os.environ.get("EKK_BIN") or ROOT / "target" / "debug" / "ekk").resolve()
    assert path.is_file(), f"there is no {path}: run `cargo build` or set EKK_BIN"
    return str(path)


@pytest.fixture(scope="session")
def opensearch(for_the_run, tmp_path_factory):
    """A real OpenSearch 2.19.1, as `engine.Running`."""
    return for_the_run(engine.start("OpenSearch_2.19.1", data_dir=tmp_path_factory.mktemp("engine")))


@pytest.fixture(scope="session")
def with_dashboards(for_the_run, opensearch, binary, tmp_path_factory):
    """The same engine behind the front that serves Dashboards."""
    return for_the_run(front.start(f"http://{opensearch.address}", binary, tmp_path_factory.mktemp("front")))


@pytest.fixture(scope="session")
def public():
    """`host:port` under which LocalStack is to be reached; None is its own. What stands before it overrides this."""
    return None


@pytest.fixture(scope="session")
def localstack_server(for_the_run, with_dashboards, public, tmp_path_factory):
    """LocalStack, whose domains lead to the real OpenSearch, as `localstack.Running`."""
    folder = tmp_path_factory.mktemp("localstack")
    return for_the_run(localstack.start(with_dashboards.address, data_dir=folder, public=public))


@pytest.fixture(scope="session")
def aws_endpoint(for_the_run, localstack_server):
    """The address that ekk takes for AWS: a proxy that records what passes where EKK_RECORD says so."""
    return for_the_run(proxy.start(localstack_server.address, via="localstack")).address


@dataclasses.dataclass(frozen=True)
class Ran:
    """What a command came to."""

    code: int
    out: str
    err: str

    def with_code(self, code: int) -> Ran:
        """The same, when it ended with this exit code."""
        assert self.code == code, f"exit {self.code} instead of {code}\n{self.out}\n{self.err}"
        return self

    def json(self):
        """The one stack of `-o json`."""
        document = json.loads(self.out)
        assert document["format"] == 1
        (stack,) = document["stacks"]
        return stack


class Ekk:
    """The binary, on one server."""

    def __init__(self, binary: str, endpoint: str, folder: pathlib.Path) -> None:
        self.binary = binary
        self.folder = folder
        # Nothing of the caller's: neither proxies nor AWS settings.
        self.environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(folder),
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            **KEYS,
        }

    def __call__(self, *arguments: str) -> Ran:
        done = subprocess.run(
            [self.binary, *arguments],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def plan(self, file: str, *arguments: str, code: int):
        """The plan of a file; `code` is 0 for nothing to do, 3 for changes, 4 for what `up` would refuse."""
        return self("plan", "--exit-code", "-o", "json", *arguments, file).with_code(code).json()

    def up(self, file: str, *arguments: str):
        """The report of an `up` that did everything."""
        report = self("up", "--yes", "-o", "json", *arguments, file).with_code(0).json()
        assert report["done"] and all(outcome["end"] == {"end": "done"} for outcome in report["outcomes"]), report
        return report


def client(service: str, endpoint: str):
    """A boto3 client of one service of that server."""
    return boto3.client(
        service,
        region_name=REGION,
        endpoint_url=endpoint,
        aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
        config=botocore.config.Config(s3={"addressing_style": "path"}, proxies={}),
    )


def changes(plan) -> list[tuple]:
    """What a plan would do: action, kind and, for each field, pointer, before and after."""
    return [
        (
            change["action"],
            change["kind"],
            [(field["pointer"], field["before"], field["after"]) for field in change["fields"]],
        )
        for change in plan["changes"]
    ]
