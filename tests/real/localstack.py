"""LocalStack as one process of the tests: installed into the cache, started on a free port in a private folder, stopped
without a trace. Standard library only.

    python tests/real/localstack.py install
    python tests/real/localstack.py run --backend http://127.0.0.1:9201

2026.3.0 is the last release that needs no account. It wants Python 3.13 and the dependencies of its own day; the pins in
localstack.txt were resolved as of 2026-03-28. What cannot be had raises `NotToBeHad`.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import dataclasses
import fcntl
import glob
import hashlib
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

from engine import Failed, NotToBeHad, cache

PART = "LocalStack 2026.3.0"

LOCK = pathlib.Path(__file__).with_name("localstack.txt")

# Its gateway would listen on every interface whatever GATEWAY_LISTEN says, and its S3 keep its folders in one place
# below /tmp whatever TMPDIR says.
MAIN = """
import functools, sys
from twisted.internet import endpoints
endpoints.TCP4ServerEndpoint = functools.partial(endpoints.TCP4ServerEndpoint, interface="127.0.0.1")
from localstack.services.s3 import provider
provider.DEFAULT_S3_TMP_DIR = sys.argv.pop()
from localstack.runtime.main import main
main()
"""

# Up within 10 s on an idle machine with two cores.
START_SECONDS = 180
STOP_SECONDS = 20


@dataclasses.dataclass(frozen=True)
class Running:
    """A LocalStack that answers."""

    address: str
    """Such as `http://127.0.0.1:41234`."""
    version: str
    """As it says itself."""
    log: pathlib.Path
    """What it wrote."""


def install() -> pathlib.Path:
    """Returns the Python that has LocalStack; installs it first where it is not in the cache. Whole or not at all: a
    folder without its marker is made anew."""
    found = python_313()
    pins = LOCK.read_bytes()
    key = hashlib.sha256(pins + str(found).encode()).hexdigest()[:12]
    cache().mkdir(parents=True, exist_ok=True)
    folder = cache() / f"localstack-{key}"
    python, marker = folder / "bin" / "python", folder / "whole"
    with open(cache() / "localstack.lock", "w", encoding="utf-8") as turns:
        fcntl.flock(turns, fcntl.LOCK_EX)
        # A venv leads to the Python that made it, which may be gone.
        if marker.exists() and python.exists():
            return python
        shutil.rmtree(folder, ignore_errors=True)
        run([found, "-m", "venv", str(folder)], "the venv could not be made")
        # The pins are the whole closure, so that nothing newer than they slips in.
        arguments = ["install", "--quiet", "--disable-pip-version-check", "--no-deps", "--requirement", str(LOCK)]
        run([str(python), "-m", "pip", *arguments], "pip could not install it")
        marker.touch()
    return python


def python_313() -> str:
    """Returns a Python 3.13 that works. A shim of pyenv may be on the PATH and fail, so each is tried."""
    pyenv = os.environ.get("PYENV_ROOT") or str(pathlib.Path.home() / ".pyenv")
    candidates = [sys.executable, "python3.13", *sorted(glob.glob(f"{pyenv}/versions/3.13*/bin/python"), reverse=True)]
    probe = "import sys, ensurepip, venv; sys.exit(0 if sys.version_info[:2] == (3, 13) else 1)"
    for candidate in candidates:
        path = shutil.which(candidate)
        if path is None:
            continue
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            tried = subprocess.run([path, "-c", probe], stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
            if tried.returncode == 0:
                return path
    raise NotToBeHad(PART, "it needs Python 3.13 with venv and pip; none on PATH or in pyenv works")


def run(command: list[str], failure: str) -> None:
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=1800)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotToBeHad(PART, f"{failure}: {error}") from error
    if done.returncode != 0:
        raise NotToBeHad(PART, f"{failure}: {last_line(done.stderr or done.stdout)}")


def last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    # pip puts its notices after the error.
    errors = [line for line in lines if line.startswith("ERROR")]
    return (errors or lines or ["it wrote nothing"])[-1]


@contextlib.contextmanager
def start(backend, data_dir=None, port=None, public=None):
    """Runs LocalStack while the context is open, and yields it as `Running`.

    `backend` is the address of the OpenSearch that all domains lead to. `data_dir` takes its files, and is a folder of
    its own that goes away with it when none is named. `public` is the `host:port` that domains' endpoints name, where
    another process stands in front of it.
    """
    python = install()
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(data_dir or stack.enter_context(tempfile.TemporaryDirectory(prefix="localstack-")))
        for name in ("home", "tmp", "cache"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        port = port or free_port()
        log = folder / "log"
        with open(log, "wb") as output:
            # A session of its own, so that what it starts itself is ended with it.
            process = subprocess.Popen(
                [str(python), "-c", MAIN, str(folder / "s3")],
                cwd=folder,
                env=environment(folder, port, backend, public),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with_parent,
            )
        stack.callback(stop, process)
        address = f"http://127.0.0.1:{port}"
        yield Running(address, wait_until_healthy(process, address, log), log)


def environment(folder: pathlib.Path, port: int, backend: str, public: str | None) -> dict[str, str]:
    """Nothing of the caller's: neither its proxies nor its AWS settings."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(folder / "home"),
        "TMPDIR": str(folder / "tmp"),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "FILESYSTEM_ROOT": str(folder / "filesystem"),
        "PYTHONUNBUFFERED": "1",
        "GATEWAY_LISTEN": f"127.0.0.1:{port}",
        "LOCALSTACK_HOST": public or f"127.0.0.1:{port}",
        "LOCALSTACK_ACKNOWLEDGE_ACCOUNT_REQUIREMENT": "1",
        "OPENSEARCH_ENDPOINT_STRATEGY": "path",
        "OPENSEARCH_CUSTOM_BACKEND": backend,
        "DNS_ADDRESS": "0",
        "SKIP_SSL_CERT_DOWNLOAD": "1",
        "DISABLE_EVENTS": "1",
    }


def wait_until_healthy(process: subprocess.Popen, address: str, log: pathlib.Path) -> str:
    """Polls its health; returns its version."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if process.poll() is not None:
            raise Failed(f"{PART} ended with {process.returncode}: {last_line(log.read_text(errors='replace'))}")
        with contextlib.suppress(OSError, ValueError):
            with direct.open(f"{address}/_localstack/health", timeout=10) as answer:
                return json.load(answer)["version"]
        time.sleep(0.1)
    raise Failed(f"{PART} did not answer within {START_SECONDS} s: {last_line(log.read_text(errors='replace'))}")


def stop(process: subprocess.Popen) -> None:
    """Ends it and all that it started, kindly at first."""
    for order, seconds in ((signal.SIGTERM, STOP_SECONDS), (signal.SIGKILL, STOP_SECONDS)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, order)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            # Its own end has to be taken, or the group lives on in a zombie.
            process.poll()
            try:
                os.killpg(process.pid, 0)
            except (ProcessLookupError, PermissionError):
                return
            time.sleep(0.05)
    raise Failed(f"{PART} (process group {process.pid}) does not end")


def die_with_parent() -> None:
    """Makes the kernel end it with a test run that is killed and can end nothing itself. Linux has this only."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def free_port() -> int:
    """Returns a port that is free now, below those that systems give to outgoing connections."""
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def main() -> int:
    parser = argparse.ArgumentParser(description="Installs and runs the LocalStack of the tests.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("install", help="install it into the cache and say which Python has it")
    running = verbs.add_parser("run", help="run it until interrupted")
    running.add_argument("--backend", required=True, metavar="URL", help="the OpenSearch behind all domains")
    running.add_argument("--port", type=int, help="a free one without this")
    running.add_argument("--data-dir", metavar="DIR", help="a folder that goes away with it without this")
    asked = parser.parse_args()
    try:
        if asked.verb == "install":
            print(install())
            return 0
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        with start(asked.backend, asked.data_dir, asked.port) as server:
            print(f"LocalStack {server.version} listens at {server.address}", flush=True)
            with contextlib.suppress(KeyboardInterrupt):
                signal.pause()
    except (NotToBeHad, Failed) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
