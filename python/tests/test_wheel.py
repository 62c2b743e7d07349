"""One wheel holds the handler and the command, and either works from it alone."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import boto3
import pytest
from conftest import REPOSITORY

pytestmark = pytest.mark.long


def run(*command: str, **environment: str) -> str:
    done = subprocess.run(
        command,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=1200,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_one_wheel_has_the_handler_and_the_command(tmp_path: Path) -> None:
    # Of what `cargo build` has made; the profile of a release would take minutes longer and is the same wheel.
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    run(*pip, "wheel", "--no-deps", "--config-settings=build-args=--profile=dev", "-w", str(tmp_path), str(REPOSITORY))
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        names = packed.namelist()
        (metadata,) = (packed.read(name).decode() for name in names if name.endswith(".dist-info/METADATA"))
    sources = {path.relative_to(REPOSITORY / "python").as_posix() for path in (REPOSITORY / "python/ekk").glob("*.*")}
    assert {name for name in names if name.startswith("ekk/")} == sources
    assert "ekk/py.typed" in names
    assert [name for name in names if ".data/" in name and not name.endswith("/scripts/ekk")] == []
    assert [line for line in metadata.splitlines() if line.startswith("Requires-Dist:")] == [
        "Requires-Dist: boto3>=1.28"
    ]

    venv.create(tmp_path / "venv", with_pip=False)
    scripts = tmp_path / "venv" / "bin"
    python = str(scripts / "python")
    run(*pip, "--python", python, "install", "--quiet", "--no-index", "--no-deps", str(wheel))
    (version,) = (line.removeprefix("Version: ") for line in metadata.splitlines() if line.startswith("Version: "))
    assert run(str(scripts / "ekk"), "--version").split() == ["ekk", version]
    # boto3 is where these tests have it; the handler is the wheel's, and asks for no command.
    (scripts / "ekk").unlink()
    program = "import ekk; print(ekk.__file__, ekk.__version__); ekk.FirehoseHandler('x', hook_sigterm=False).close()"
    told = run(python, "-c", program, PYTHONPATH=str(Path(boto3.__file__).parent.parent)).split()
    assert (Path(told[0]).is_relative_to(tmp_path), told[1]) == (True, version)
