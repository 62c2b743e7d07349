"""ekk's own local AWS in the foreground, as one more server of these tests. Standard library only."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import time
from typing import Iterator

START_SECONDS = 60


@dataclasses.dataclass(frozen=True)
class Running:
    """A local AWS that listens."""

    address: str
    """Such as `http://127.0.0.1:41234`."""


@contextlib.contextmanager
def start(ekk: str, folder: pathlib.Path) -> Iterator[Running]:
    """Runs `ekk local` while the context is open; `folder` takes its files."""
    # The folder that has `.ekk` is the one whose local AWS it is.
    home = folder / ".ekk" / "local"
    home.mkdir(parents=True)
    variables = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(folder)}
    if record := os.environ.get("EKK_RECORD"):
        variables["EKK_RECORD"] = record
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(
            [ekk, "local"], cwd=folder, env=variables, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        yield Running(f"http://127.0.0.1:{port(home, process)}")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=START_SECONDS)


def port(home: pathlib.Path, process: subprocess.Popen) -> int:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"the local AWS ended with {process.returncode}")
        # The file is there before it is whole.
        with contextlib.suppress(OSError, ValueError):
            card = json.loads((home / "server.json").read_text())
            if card["pid"] == process.pid:
                return card["port"]
        time.sleep(0.02)
    raise RuntimeError(f"the local AWS did not listen within {START_SECONDS} s")
