"""Real engines alone, one after another: what `ekk` asks of an engine, what a stack's records are promised, and the
emulator's answers to some 400 calls compared with the engine's own. The claims are in tests/engines/.
"""

from __future__ import annotations

import os
import re
import subprocess

import pytest

import conftest
import engine


@pytest.fixture(params=engine.ENGINES)
def alone(request):
    """One engine without security, for one test."""
    try:
        with engine.start(request.param) as running:
            yield running
    except engine.NotToBeHad as error:
        request.config.stash[conftest.NOT_PROVED].append(str(error))
        pytest.skip(str(error))


def test_what_is_promised_holds_and_the_emulator_answers_alike(alone):
    environment = {**os.environ, "EKK_REAL_ENGINES": f"{alone.name}@{alone.address}", "RUST_BACKTRACE": "0"}
    command = ["cargo", "test", "--quiet", "--locked", "-p", "ekk", "--test", "engines", "--", "--ignored"]
    done = subprocess.run(
        command, cwd=conftest.ROOT, env=environment, capture_output=True, text=True, timeout=1500, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\b[1-9]\d* passed", done.stdout), "no test of tests/engines/ ran"
