"""Ways to get log records to Firehose, on one server.

`python python/benches/compare.py` prints rates and latencies; nothing is asserted. Each way runs in a process of its
own.

- article: one blocking PutRecordBatch of one record for each record, with python-json-logger, as in the article.
- watchtower: its way, on Firehose: a queue and a thread that calls boto3 with full batches (watchtower itself ships
  to CloudWatch Logs).
- queue: QueueHandler and QueueListener of the standard library in front of the article's handler.
- ekk: `FirehoseHandler` with `JsonFormatter`.
"""

from __future__ import annotations

import json
import logging
import logging.handlers
import os
import queue
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Callable

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "tests")]

FORMAT = "%(asctime)s %(name)s %(levelname)s %(message)s"
DATES = "%Y-%m-%dT%H:%M:%S%z"


class ArticleHandler(logging.StreamHandler):  # type: ignore[type-arg]
    """The article's handler in its own words' order: format, append, send what is there."""

    def __init__(self) -> None:
        import boto3

        super().__init__()
        self.firehose = boto3.client("firehose")
        self.batch: list[dict[str, bytes]] = []

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self.batch.append({"Data": self.format(record).encode("utf-8")})
            self.flush()
        except Exception:
            self.handleError(record)

    def flush(self) -> None:
        if getattr(self, "batch", None):
            self.firehose.put_record_batch(DeliveryStreamName="test", Records=self.batch)
            self.batch.clear()


class WatchtowerWay(logging.Handler):
    """A queue of records, a thread that collects a batch and sends it through boto3 as it is."""

    def __init__(self) -> None:
        import boto3

        super().__init__()
        self.firehose = boto3.client("firehose")
        self.queue: queue.Queue[Any] = queue.Queue()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        self.queue.put({"Data": self.format(record).encode("utf-8")})

    def run(self) -> None:
        batch: list[dict[str, bytes]] = []
        end = False
        while not end:
            item = self.queue.get()
            if item is None:
                end = True
            else:
                batch.append(item)
            if batch and (end or len(batch) == 500):
                self.firehose.put_record_batch(DeliveryStreamName="test", Records=batch)
                batch = []

    def close(self) -> None:
        self.queue.put(None)
        self.thread.join()
        super().close()


def json_formatter() -> logging.Formatter:
    from pythonjsonlogger.json import JsonFormatter

    return JsonFormatter(FORMAT, datefmt=DATES)


def article() -> tuple[logging.Handler, Callable[[], object]]:
    handler = ArticleHandler()
    handler.setFormatter(json_formatter())
    return handler, handler.flush


def watchtower() -> tuple[logging.Handler, Callable[[], object]]:
    handler = WatchtowerWay()
    handler.setFormatter(json_formatter())
    return handler, handler.close


def plain_queue() -> tuple[logging.Handler, Callable[[], object]]:
    inner, _ = article()
    waiting: queue.Queue[Any] = queue.Queue()
    listener = logging.handlers.QueueListener(waiting, inner)
    listener.start()
    return logging.handlers.QueueHandler(waiting), listener.stop


def ours() -> tuple[logging.Handler, Callable[[], object]]:
    import ekk

    handler = ekk.FirehoseHandler("test", queue_records=1_000_000, hook_sigterm=False)
    handler.setFormatter(ekk.JsonFormatter(FORMAT, DATES))
    return handler, lambda: handler.flush(300)


WAYS: dict[str, Callable[[], tuple[logging.Handler, Callable[[], object]]]] = {
    "article": article,
    "watchtower": watchtower,
    "queue": plain_queue,
    "ekk": ours,
}


def rate(way: str, count: int) -> dict[str, float]:
    """Logs so many records and waits until the last is at the server; records a second, and what the caller saw."""
    handler, finish = WAYS[way]()
    logger = logging.Logger("app")
    logger.addHandler(handler)
    logger.info("warm %d", 0)
    time.sleep(0.3)
    began = time.perf_counter()
    for number in range(count):
        logger.info("message %d of many, as an application would write it", number)
    logged = time.perf_counter() - began
    finish()
    done = time.perf_counter() - began
    return {"delivered": count / done, "logged": count / logged}


def latency(per_second: int, seconds: float, what: str, between: str) -> dict[str, float]:
    """Logs at a rate from a thread that sleeps or works in between; how long a call took, in microseconds."""
    handler, finish = ours()
    logger = logging.Logger("app")
    logger.addHandler(handler)
    if what == "emit without formatting":
        text = '{"asctime":"2020-05-11T14:44:44+0200","name":"app","levelname":"INFO","message":"as it is"}'

        class Ready(logging.Formatter):
            def format(self, record: logging.LogRecord) -> str:
                return text

        handler.setFormatter(Ready())
    logger.info("warm")
    finish()
    made = logger.makeRecord("app", logging.INFO, "app.py", 1, "message %d", (5,), None)
    took: list[float] = []
    # What the machine itself adds: the least that any handler with a queue does.
    floor: queue.Queue[Any] = queue.Queue()
    # In strokes of 5 ms at most, since no sleep is shorter than the scheduler lets it be.
    stroke = max(1, per_second // 200)
    pause = stroke / per_second
    following = time.perf_counter()
    end = following + seconds
    while following < end:
        for _ in range(stroke):
            if what == "logger call":
                began = time.perf_counter()
                logger.info("message %d of many, as an application would write it", 5)
                took.append(time.perf_counter() - began)
            elif what == "queue.Queue.put alone":
                began = time.perf_counter()
                floor.put(made)
                took.append(time.perf_counter() - began)
            else:
                began = time.perf_counter()
                handler.emit(made)
                took.append(time.perf_counter() - began)
        following += pause
        left = following - time.perf_counter()
        if between == "works":
            # A virtual machine that sleeps takes long to wake up, which is not the handler's doing.
            while time.perf_counter() < following:
                pass
        elif left > 0:
            time.sleep(left)
    finish()
    took.sort()
    at = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999, "max": 1.0}
    return {name: took[min(len(took) - 1, int(len(took) * share))] * 1e6 for name, share in at.items()}


def child(*words: str, url: str) -> Any:
    from conftest import ENVIRONMENT

    environment = {**os.environ, **ENVIRONMENT, "AWS_ENDPOINT_URL_FIREHOSE": url}
    done = subprocess.run([sys.executable, __file__, *words], env=environment, capture_output=True, text=True)
    if done.returncode or done.stderr:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout)


def main() -> None:
    from conftest import Firehose

    server = Firehose()
    for delay in (0.01, 0.0):
        server.set(forget=True, delay=delay)
        print(f"\nserver answers after {delay * 1000:.0f} ms")
        base = 0.0
        for way in WAYS:
            count = {"ekk": 100_000, "watchtower": 20_000}.get(way, 500 if delay else 2000)
            # The best of three: what else the machine does makes it only slower.
            runs = [child("rate", way, f"{count}", url=server.url) for _ in range(3)]
            best = max(runs, key=lambda one: float(one["delivered"]))
            base = base or best["delivered"]
            print(
                f"  {way:<11} {best['delivered']:>9,.0f} records/s delivered, {best['delivered'] / base:6.1f} times the"
                f" article's; {best['logged']:>9,.0f}/s logged"
            )
    server.set(forget=True, delay=0.01)
    print("\nekk, one thread, in microseconds")
    for what in ("queue.Queue.put alone", "emit without formatting", "emit", "logger call"):
        for per_second in (1_000, 10_000):
            for between in ("sleeps", "works"):
                result = child("latency", what, f"{per_second}", between, url=server.url)
                figures = ", ".join(f"{name} {value:,.1f}" for name, value in result.items())
                print(f"  {what:<24} at {per_second:>6,}/s, {between} in between: {figures}")
    server.stop()


if __name__ == "__main__":
    if sys.argv[1:2] == ["rate"]:
        print(json.dumps(rate(sys.argv[2], int(sys.argv[3]))))
        os._exit(0 if sys.stdout.flush() is None else 1)
    elif sys.argv[1:2] == ["latency"]:
        print(json.dumps(latency(int(sys.argv[3]), 10.0, sys.argv[2], sys.argv[4])))
        os._exit(0 if sys.stdout.flush() is None else 1)
    else:
        main()
