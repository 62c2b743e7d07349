"""A million records through a Firehose that refuses, throttles and goes away, with the spool: none lost."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Firehose
from test_spool import environment

PROGRAM = """
import json, logging, os, resource, sys, threading, time
import ekk

handler = ekk.FirehoseHandler(
    "test", endpoint_url=os.environ["FIREHOSE"], spool=os.environ["SPOOL"], queue_records=20_000,
    spool_bytes=1024**3, retry_seconds=2, backoff_seconds=0.005, backoff_max_seconds=1, request_seconds=5,
)
handler.setFormatter(logging.Formatter('{"thread": %(worker)d,"number": %(number)d,"message": "%(message)s"}'))
logger = logging.Logger("app")
logger.addHandler(handler)
logger.info("warm", extra={"worker": 0, "number": 0})
assert handler.flush(10)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
EACH = int(os.environ["EACH"])

def work(worker):
    for number in range(1 if worker == 0 else 0, EACH):
        logger.info("record %d of many", number, extra={"worker": worker, "number": number})

began = time.monotonic()
threads = [threading.Thread(target=work, args=(worker,)) for worker in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
logged = time.monotonic() - began
done = handler.flush(300)
handler.close()
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(json.dumps({"done": done, "logged": logged, "all": time.monotonic() - began, "grown": grown,
                  **handler.counts().__dict__}))
"""


@pytest.mark.long
def test_a_million_records_survive_refusals_throttling_and_an_outage(firehose: Firehose, tmp_path: Path) -> None:
    import json
    import time

    each = 250_000
    firehose.set(refuse_share=0.05, throttle_every=20, totals=True)
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        env={**environment(), "FIREHOSE": firehose.url, "SPOOL": str(tmp_path), "EACH": f"{each}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    time.sleep(3)
    # Its connections break in the middle, and for a while nobody listens.
    firehose.set(refuse_share=0.05, throttle_every=20, totals=True, away=6)
    output, error = process.communicate(timeout=500)
    assert process.returncode == 0, error
    result = json.loads(output)
    totals = firehose.get("totals")
    print(result, totals)
    assert (totals["taken"], totals["disordered"], totals["overtaken"]) == (4 * each, 0, 0)
    # What was in the air when the connection broke may have been taken: one batch.
    assert totals["twice"] <= 500
    assert totals["refused"] > 4 * each * 0.05 and totals["throttled"] > 100
    assert result["done"] and result["spooled"] > 100_000
    assert (result["taken"], result["shown"], result["lost"], result["waiting"]) == (4 * each, 0, 0, 0)
    # KiB. The queue, one segment of the spool, one batch and its answer.
    assert result["grown"] < 60_000
    assert "records are taken again" in error and "{" not in error
    assert list(tmp_path.glob("*/*")) == []
