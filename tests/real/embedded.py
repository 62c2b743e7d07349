"""ekk's own embedded AWS as a process of the tests, where a test needs what no third party offers."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import time

START_SECONDS = 60


@contextlib.contextmanager
def start(ekk: str, folder: pathlib.Path):
    """Runs `ekk local` while the context is open, and yields its address, such as `http://127.0.0.1:41234`."""
    # The folder that has `.ekk` is the one whose local AWS it is.
    home = folder / ".ekk" / "local"
    home.mkdir(parents=True)
    environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(folder)}
    if record := os.environ.get("EKK_RECORD"):
        environment["EKK_RECORD"] = record
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(
            [ekk, "local"], cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        yield f"http://127.0.0.1:{polled('the embedded AWS does not listen', lambda: port(home, process))}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=START_SECONDS)


def port(home: pathlib.Path, process: subprocess.Popen) -> "int | None":
    if process.poll() is not None:
        raise RuntimeError(f"the embedded AWS ended with {process.returncode}")
    with contextlib.suppress(OSError, ValueError):
        card = json.loads((home / "server.json").read_text())
        return card["port"] if card["pid"] == process.pid else None


def polled(failure: str, question):
    """Asks until there is an answer, and returns it."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if answer := question():
            return answer
        time.sleep(0.05)
    raise RuntimeError(f"{failure} within {START_SECONDS} s")
