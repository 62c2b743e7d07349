"""Servers on real sockets, and records that are easy to make."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

import ekk

HERE = Path(__file__).parent
REPOSITORY = HERE.parent.parent


class Firehose:
    """The scripted server of `firehose_server.py`."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "firehose_server.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())
        self.url = f"http://127.0.0.1:{self.port}"

    def set(self, **settings: Any) -> None:
        """Replaces what the server does."""
        data = json.dumps(settings).encode()
        with urllib.request.urlopen(urllib.request.Request(f"{self.url}/_control", data=data, method="POST")):
            pass

    def get(self, what: str) -> Any:
        """Returns what the server has seen."""
        with urllib.request.urlopen(f"{self.url}/_{what}") as answer:
            return json.load(answer)

    def calls(self) -> list[dict[str, Any]]:
        """Returns all calls of PutRecordBatch."""
        calls: list[dict[str, Any]] = self.get("calls")
        return calls

    def messages(self) -> list[list[str]]:
        """Returns the messages of each call."""
        return [[json.loads(record)["message"] for record in call["records"]] for call in self.calls()]

    def taken(self) -> list[str]:
        """Returns the messages that were taken, in the order in which they were."""
        return [
            json.loads(record)["message"]
            for call in self.calls()
            if call["status"] == 200
            for index, record in enumerate(call["records"])
            if index not in call["refused"]
        ]

    def stop(self) -> None:
        """Ends the server."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(10)


@pytest.fixture
def firehose() -> Iterator[Firehose]:
    server = Firehose()
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "AKIATEST",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}


@pytest.fixture
def make(firehose: Firehose) -> Iterator[Callable[..., ekk.FirehoseHandler]]:
    """Makes handlers that are quick to act and send to the scripted server."""
    made: list[ekk.FirehoseHandler] = []

    def maker(**arguments: Any) -> ekk.FirehoseHandler:
        settings: dict[str, Any] = {
            "stream": "test",
            "endpoint_url": firehose.url,
            "batch_seconds": 0.05,
            "backoff_seconds": 0.01,
            "backoff_max_seconds": 0.1,
            "hook_sigterm": False,
        }
        handler = ekk.FirehoseHandler(**{**settings, **arguments})
        made.append(handler)
        return handler

    yield maker
    for handler in made:
        handler.close(0)


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    """A logger of its own that passes nothing on."""
    logger = logging.Logger("app")
    yield logger
    logger.handlers.clear()


def record(message: object, *args: object, **attributes: Any) -> logging.LogRecord:
    """Makes a record as `logger.info(message, *args, extra=attributes)` would."""
    made = logging.Logger("app").makeRecord("app", logging.INFO, "app.py", 1, message, args, None)
    made.__dict__.update(attributes)
    return made


def until(condition: Callable[[], Any], seconds: float = 20.0) -> Any:
    """Waits until something is so, and returns it."""
    deadline = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        assert time.monotonic() < deadline, "it did not come to be so in time"
        time.sleep(0.01)
