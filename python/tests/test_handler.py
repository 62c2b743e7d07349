"""The handler against a Firehose that does what it is told, on a real socket."""

from __future__ import annotations

import io
import json
import logging
import os
import sys
import threading
import time
from typing import Any, Callable

import pytest
from conftest import Firehose, record, until

import ekk
from ekk import lifecycle

Make = Callable[..., ekk.FirehoseHandler]


def log(handler: ekk.FirehoseHandler, *messages: object) -> None:
    for message in messages:
        handler.handle(record(message))


def shown(captured: str) -> list[str]:
    """Returns the messages of the records that stand on standard error."""
    return [json.loads(line)["message"] for line in captured.splitlines() if line.startswith("{")]


def notes(captured: str) -> list[str]:
    return [line for line in captured.splitlines() if not line.startswith("{")]


def said(capfd: pytest.CaptureFixture[str], count: int) -> list[str]:
    """Waits for so many notes on standard error."""
    found: list[str] = []

    def enough() -> bool:
        found.extend(notes(capfd.readouterr().err))
        return len(found) >= count

    until(enough)
    return found


def test_records_arrive_one_a_line_in_their_order(make: Make, firehose: Firehose) -> None:
    handler = make()
    log(handler, "a", "b\nc", "d")
    assert handler.flush()
    (call,) = firehose.calls()
    assert call["stream"] == "test"
    assert [json.loads(line)["message"] for line in call["records"]] == ["a", "b\nc", "d"]
    assert all(line.count("\n") == 1 and line.endswith("}\n") for line in call["records"])
    assert "ekk/" in call["agent"]
    assert handler.counts() == ekk.Counts(taken=3, sent=3, refused=0, requests=1, shown=0, spooled=0, waiting=0, lost=0)


def test_a_call_has_500_records_at_most(make: Make, firehose: Firehose) -> None:
    handler = make(batch_seconds=60)
    log(handler, *(f"{n}" for n in range(1234)))
    assert handler.flush()
    assert [len(call["records"]) for call in firehose.calls()] == [500, 500, 234]
    assert firehose.taken() == [f"{n}" for n in range(1234)]


def test_a_call_has_4_000_000_bytes_at_most(make: Make, firehose: Firehose) -> None:
    handler = make(batch_seconds=60)
    handler.setFormatter(ekk.JsonFormatter(max_characters=1_000_000))
    log(handler, *(f"{n:06d}" + "x" * 899_900 for n in range(9)))
    assert handler.flush(20)
    sizes = [sum(len(line) for line in call["records"]) for call in firehose.calls()]
    assert [len(call["records"]) for call in firehose.calls()] == [4, 4, 1]
    assert max(sizes) <= 4_000_000
    assert [message[:6] for message in firehose.taken()] == [f"{n:06d}" for n in range(9)]


def test_a_record_waits_for_others_no_longer_than_it_is_told(make: Make, firehose: Firehose) -> None:
    handler = make(batch_seconds=0.2)
    log(handler, "warm")
    until(firehose.calls)
    began = time.monotonic()
    log(handler, "a")
    log(handler, "b")
    until(lambda: len(firehose.calls()) == 2)
    assert time.monotonic() - began >= 0.2
    assert firehose.messages() == [["warm"], ["a", "b"]]


def test_a_record_over_1000_kib_is_shown_and_counted(
    make: Make, firehose: Firehose, capfd: pytest.CaptureFixture[str]
) -> None:
    handler = make()
    handler.setFormatter(logging.Formatter('{"message":"%(message)s"}'))
    fits = "y" * (1_024_000 - len('{"message":""}\n'))
    log(handler, "x" * 1_024_000, fits, "b")
    assert handler.flush()
    assert firehose.taken() == [fits, "b"]
    captured = capfd.readouterr().err
    assert shown(captured) == ["x" * 1_024_000]
    assert notes(captured) == ["ekk: stream test: a record of 1024015 bytes is over Firehose's limit of 1,000 KiB"]
    assert handler.counts().shown == 1


def test_only_what_was_refused_is_sent_again_in_order_before_anything_newer(make: Make, firehose: Firehose) -> None:
    firehose.set(script=[{"refuse": [0, 2, 3], "delay": 0.2}, {"refuse": [1]}])
    handler = make(batch_seconds=60)
    log(handler, "a", "b", "c", "d", "e")
    assert not handler.flush(0)
    until(firehose.calls)
    log(handler, "f")
    assert handler.flush()
    assert firehose.messages() == [["a", "b", "c", "d", "e"], ["a", "c", "d"], ["c"], ["f"]]
    assert handler.counts().refused == 4


@pytest.mark.parametrize(
    "step",
    [
        {"error": "ServiceUnavailableException", "status": 503},
        {"error": "ThrottlingException", "status": 400},
        {"error": "InternalFailure", "status": 500},
        {"reset": True},
        {"refuse": [0, 1]},
    ],
)
def test_what_passes_by_itself_is_tried_again(
    make: Make, firehose: Firehose, step: dict[str, Any], capfd: pytest.CaptureFixture[str]
) -> None:
    firehose.set(script=[step, step, step])
    handler = make()
    log(handler, "a", "b")
    assert handler.flush()
    assert firehose.taken() == ["a", "b"]
    first, second = said(capfd, 2)
    assert first.startswith("ekk: stream test: ") and first.endswith("; it is tried again")
    assert second == "ekk: stream test: records are taken again"


def test_a_firehose_that_does_not_listen_is_waited_for(
    make: Make, firehose: Firehose, capfd: pytest.CaptureFixture[str]
) -> None:
    # Longer than a busy machine takes to make the client.
    firehose.set(away=2.5)
    handler = make()
    log(handler, "a", "b")
    assert handler.flush(20)
    first, second = said(capfd, 2)
    assert first.startswith("ekk: stream test: EndpointConnectionError: ") and first.endswith("; it is tried again")
    assert second == "ekk: stream test: records are taken again"
    assert firehose.taken() == ["a", "b"]


def test_an_answer_that_never_comes_is_given_up_and_the_batch_sent_again(make: Make, firehose: Firehose) -> None:
    firehose.set(hang=True)
    handler = make(request_seconds=0.3)
    log(handler, "a")
    time.sleep(0.5)
    firehose.set()
    assert handler.flush()
    assert firehose.taken() == ["a"]


def test_the_pauses_grow_and_are_never_the_same(make: Make, firehose: Firehose) -> None:
    firehose.set(script=[{"error": "ServiceUnavailableException", "status": 503}] * 6)
    handler = make(backoff_seconds=0.02, backoff_max_seconds=0.3)
    log(handler, "a")
    assert handler.flush(10)
    at = [call["at"] for call in firehose.calls()]
    pauses = [later - earlier for earlier, later in zip(at, at[1:])]
    for pause, longest in zip(pauses, [0.02, 0.04, 0.08, 0.16, 0.3, 0.3]):
        assert longest / 2 <= pause
    assert pauses[-1] > pauses[0]
    assert len({round(pause, 6) for pause in pauses}) == len(pauses)


@pytest.mark.parametrize(
    "code",
    ["ResourceNotFoundException", "AccessDeniedException", "ExpiredTokenException", "InvalidKMSResourceException"],
)
def test_what_somebody_has_to_mend_is_said_once_and_tried_again(
    make: Make, firehose: Firehose, code: str, capfd: pytest.CaptureFixture[str]
) -> None:
    firehose.set(error=code, message="as AWS says it")
    handler = make()
    log(handler, "a")
    until(lambda: len(firehose.calls()) >= 3)
    firehose.set()
    assert handler.flush()
    assert firehose.taken() == ["a"]
    assert said(capfd, 2) == [
        f"ekk: stream test: {code}: as AWS says it; somebody has to mend this, meanwhile it is tried again",
        "ekk: stream test: records are taken again",
    ]


def test_credentials_are_read_anew_after_they_were_refused(
    make: Make, firehose: Firehose, monkeypatch: pytest.MonkeyPatch
) -> None:
    firehose.set(error="ExpiredTokenException")
    handler = make()
    log(handler, "a")
    until(firehose.calls)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIANEW")
    firehose.set()
    assert handler.flush()
    assert firehose.calls()[-1]["key"] == "AKIANEW"


def test_missing_credentials_and_regions_are_said_and_nothing_is_lost(
    make: Make, firehose: Firehose, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    handler = make()
    log(handler, "a")
    (note,) = said(capfd, 1)
    assert note.startswith("ekk: stream test: NoRegionError: You must specify a region.")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    (note,) = said(capfd, 1)
    assert note.startswith("ekk: stream test: NoCredentialsError: Unable to locate credentials")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
    assert handler.flush()
    assert firehose.taken() == ["a"]


def test_a_role_is_assumed(make: Make, firehose: Firehose, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", firehose.url)
    handler = make(role_arn="arn:aws:iam::123456789012:role/shipper")
    log(handler, "a")
    assert handler.flush()
    assert [call["key"] for call in firehose.calls()] == ["ASIAROLE"]


def test_the_endpoint_of_the_environment_is_used(
    make: Make, firehose: Firehose, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_FIREHOSE", firehose.url)
    handler = make(endpoint_url=None)
    log(handler, "a")
    assert handler.flush()
    assert firehose.taken() == ["a"]


def test_a_batch_that_is_too_large_is_halved(make: Make, firehose: Firehose) -> None:
    firehose.set(most_bytes=5_000)
    handler = make(batch_seconds=60)
    log(handler, *(f"{n:03d}" + "x" * 300 for n in range(100)))
    assert handler.flush()
    assert [message[:3] for message in firehose.taken()] == [f"{n:03d}" for n in range(100)]
    assert handler.counts().shown == 0


def test_a_record_that_is_refused_by_itself_is_shown_and_the_rest_arrives(
    make: Make, firehose: Firehose, capfd: pytest.CaptureFixture[str]
) -> None:
    firehose.set(poison="bad")
    handler = make(batch_seconds=60)
    log(handler, *(f"{n}" if n != 5 else "bad" for n in range(20)))
    assert handler.flush()
    assert firehose.taken() == [f"{n}" for n in range(20) if n != 5]
    captured = capfd.readouterr().err
    assert shown(captured) == ["bad"]
    assert notes(captured)[0] == (
        "ekk: stream test: a record was refused, InvalidArgumentException: a record is not liked; it follows"
    )
    assert handler.counts().waiting == 0


def test_what_does_not_fit_into_the_queue_is_shown_and_counted_and_nobody_waits(
    make: Make, firehose: Firehose, capfd: pytest.CaptureFixture[str]
) -> None:
    firehose.set(hang=True)
    handler = make(queue_records=600, batch_seconds=60)
    log(handler, "first")
    handler.flush(0)
    until(lambda: not handler._waiting)
    began = time.monotonic()
    log(handler, *(f"{n}" for n in range(1000)))
    assert time.monotonic() - began < 5
    captured = capfd.readouterr().err
    assert shown(captured) == [f"{n}" for n in range(600, 1000)]
    assert notes(captured) == ["ekk: stream test: the queue is full; what does not fit follows"]
    counts = handler.counts()
    assert (counts.taken, counts.shown, counts.waiting) == (601, 400, 601)


def test_the_queue_is_bounded_in_bytes_too(make: Make, firehose: Firehose, capfd: pytest.CaptureFixture[str]) -> None:
    firehose.set(hang=True)
    handler = make(queue_bytes=1_024_000, batch_seconds=60)
    log(handler, *(f"{n:03d}" + "x" * 50_000 for n in range(40)))
    assert len(shown(capfd.readouterr().err)) >= 40 - 2 * 21
    assert handler._waiting_bytes <= 1_024_000


def test_what_cannot_be_sent_in_the_end_is_shown_as_the_console_would(
    make: Make, firehose: Firehose, capfd: pytest.CaptureFixture[str]
) -> None:
    firehose.set(error="ServiceUnavailableException", status=503)
    handler = make(retry_seconds=0.3)
    console = logging.StreamHandler(sys.stderr)
    console.setFormatter(handler.formatter)
    made = record("a")
    handler.handle(made)
    captured = until(lambda: [line for line in capfd.readouterr().err.splitlines() if line.startswith("{")])
    console.handle(made)
    assert captured == capfd.readouterr().err.splitlines()
    until(lambda: handler.counts().shown)
    counts = handler.counts()
    assert (counts.taken, counts.sent, counts.shown, counts.waiting) == (1, 0, 1, 0)
    firehose.set()
    log(handler, "b")
    assert handler.flush()
    assert firehose.taken() == ["b"]


def test_close_ends_in_its_time_and_shows_what_is_left(
    make: Make, firehose: Firehose, capfd: pytest.CaptureFixture[str]
) -> None:
    firehose.set(hang=True)
    handler = make(flush_seconds=0.5)
    log(handler, *(f"{n}" for n in range(700)))
    began = time.monotonic()
    handler.close()
    assert 0.4 < time.monotonic() - began < 5
    captured = capfd.readouterr().err
    assert shown(captured) == [f"{n}" for n in range(700)]
    assert notes(captured) == ["ekk: stream test: 700 records were not sent and stand on standard error"]


def test_close_waits_for_what_the_worker_is_still_showing(
    make: Make, firehose: Firehose, monkeypatch: pytest.MonkeyPatch
) -> None:
    firehose.set(delay=0.5)
    handler = make(batch_seconds=0.01)
    written: list[str] = []
    has_begun = threading.Event()

    class Slow(io.StringIO):
        def write(self, text: str) -> int:
            if threading.current_thread().name == "ekk-test":
                # Its call is over, and so is its work; what it has in its hands, it has.
                has_begun.set()
                time.sleep(0.3)
            else:
                assert has_begun.wait(10)
            written.append(text)
            return len(text)

    log(handler, *(f"{n}" for n in range(20)))
    until(lambda: handler._sending)
    monkeypatch.setattr(sys, "stderr", Slow())
    handler.close(0)
    monkeypatch.undo()
    assert sorted(map(int, shown("".join(written)))) == list(range(20))
    assert handler.counts().shown == 20


def test_a_flush_that_gave_up_takes_nothing_from_a_close(make: Make, firehose: Firehose) -> None:
    firehose.set(delay=0.5)
    handler = make(batch_seconds=5)
    log(handler, "a", "b")
    assert not handler.flush(0)
    handler.close(10)
    assert firehose.taken() == ["a", "b"]


def test_close_waits_for_what_was_logged_before_it_and_no_longer(make: Make, firehose: Firehose) -> None:
    handler = make(flush_seconds=30)
    stop = threading.Event()

    def run() -> None:
        number = 0
        while not stop.wait(0.0005):
            log(handler, f"{number}")
            number += 1

    thread = threading.Thread(target=run)
    thread.start()
    until(firehose.calls)
    began = time.monotonic()
    handler.close()
    took = time.monotonic() - began
    stop.set()
    thread.join()
    assert took < 10


def test_close_does_not_wait_out_a_pause(make: Make, firehose: Firehose) -> None:
    firehose.set(script=[{"error": "ServiceUnavailableException", "status": 503}])
    handler = make(backoff_seconds=30, backoff_max_seconds=30)
    log(handler, "a")
    until(firehose.calls)
    began = time.monotonic()
    handler.close()
    assert time.monotonic() - began < 4
    assert firehose.taken() == ["a"]


def test_what_is_logged_after_close_is_shown(make: Make, capfd: pytest.CaptureFixture[str]) -> None:
    handler = make()
    handler.close()
    log(handler, "late")
    assert shown(capfd.readouterr().err) == ["late"]
    handler.close()


def test_flush_says_whether_it_was_done_in_time(make: Make, firehose: Firehose) -> None:
    handler = make()
    assert handler.flush()
    firehose.set(delay=0.5)
    log(handler, "a")
    assert not handler.flush(0.1)
    assert handler.flush()


def test_only_what_the_worker_itself_logs_is_kept_out(
    make: Make, firehose: Firehose, monkeypatch: pytest.MonkeyPatch
) -> None:
    handler = make(batch_seconds=60)
    other = make(batch_seconds=60)
    botocore = logging.getLogger("botocore")
    monkeypatch.setattr(botocore, "level", logging.DEBUG)
    botocore.manager._clear_cache()  # type: ignore[attr-defined]
    botocore.addHandler(handler)
    botocore.addHandler(other)
    try:
        log(handler, "a")
        assert handler.flush()
        assert handler.counts().taken == 1
        assert other.counts().taken == 0
        logging.getLogger("botocore.session").debug("the application's own")
        assert handler.flush() and other.flush()
    finally:
        botocore.removeHandler(handler)
        botocore.removeHandler(other)
        botocore.manager._clear_cache()  # type: ignore[attr-defined]
    assert sorted(firehose.taken()) == ["a", "the application's own", "the application's own"]


def test_a_worker_that_dies_is_replaced_and_nothing_is_lost(
    make: Make, firehose: Firehose, monkeypatch: pytest.MonkeyPatch
) -> None:
    handler = make()
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    send = handler._sender.send

    def die(*_: object) -> object:
        handler._sender.send = send  # type: ignore[method-assign]
        raise SystemExit

    handler._sender.send = die  # type: ignore[method-assign,assignment]
    log(handler, "a", "b")
    until(lambda: handler._worker is None)
    log(handler, "c")
    assert handler.flush()
    assert firehose.taken() == ["a", "b", "c"]


def test_where_no_thread_can_start_close_sends_by_itself(
    make: Make, firehose: Firehose, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(_: object) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    handler = make()
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", start)
        log(handler, "a", "b")
        assert handler.flush()
        assert firehose.taken() == ["a", "b"]
        log(handler, "c")
        handler.close()
    assert firehose.taken() == ["a", "b", "c"]


def test_emit_never_raises(make: Make, firehose: Firehose, capfd: pytest.CaptureFixture[str]) -> None:
    class Broken(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            raise RuntimeError("broken")

    handler = make()
    handler.setFormatter(Broken())
    log(handler, "a")
    assert handler.flush()
    assert json.loads(firehose.calls()[0]["records"][0])["format_error"] == "RuntimeError: broken"
    handler._put = None  # type: ignore[method-assign,assignment]
    log(handler, "b")
    assert handler.counts().lost == 1
    assert "Logging error" in capfd.readouterr().err
    del handler._put


def test_text_of_another_formatter_becomes_the_message_of_a_document(make: Make, firehose: Firehose) -> None:
    handler = make()
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    handler.handle(record("100%\nsure", user=5))
    assert handler.flush()
    document = json.loads(firehose.calls()[0]["records"][0])
    assert document["message"] == "INFO 100%\nsure"
    assert (document["name"], document["user"]) == ("app", 5)


def test_json_on_several_lines_becomes_one(make: Make, firehose: Firehose) -> None:
    handler = make()
    handler.setFormatter(logging.Formatter('{\r\n  "message": "%(message)s"\n}\n'))
    log(handler, "a")
    assert handler.flush()
    assert firehose.calls()[0]["records"] == ['{    "message": "a" }\n']


def test_a_filter_may_drop_a_record(make: Make, firehose: Firehose) -> None:
    handler = make()
    handler.addFilter(lambda record: record.msg != "b")
    log(handler, "a", "b", "c")
    assert handler.flush()
    assert firehose.taken() == ["a", "c"]


class Redirected:
    """Standard error as a program has it that gives it to its loggers, as Celery does."""

    def __init__(self, handler: ekk.FirehoseHandler) -> None:
        self.handler = handler

    def write(self, text: str) -> None:
        log(self.handler, text)

    def flush(self) -> None: ...


def test_standard_error_that_is_a_logger_is_no_loop(
    make: Make, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    handler = make()
    handler.close()
    monkeypatch.setattr(sys, "stderr", Redirected(handler))
    log(handler, "a")
    assert len(shown(capfd.readouterr().err)) == 1


def test_what_the_worker_shows_stands_on_standard_error_though_that_is_a_logger(
    make: Make, firehose: Firehose, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    firehose.set(poison="bad")
    handler = make()
    monkeypatch.setattr(sys, "stderr", Redirected(handler))
    log(handler, "bad")
    assert handler.flush()
    log(handler, "fine")
    assert handler.flush()
    note, came_back = shown(capfd.readouterr().err)[:2]
    assert note.startswith("ekk: stream test: a record was refused, InvalidArgumentException")
    assert json.loads(came_back)["message"] == "bad"
    assert firehose.taken() == ["fine"]
    assert (handler.counts().shown, handler.counts().lost) == (1, 0)


def test_without_a_standard_error_what_cannot_be_shown_is_counted(
    make: Make, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    handler = make()
    handler.close()
    monkeypatch.setattr(sys, "stderr", None)
    log(handler, "a")
    assert shown(capfd.readouterr().err) == []
    assert (handler.counts().shown, handler.counts().lost) == (0, 1)


def test_many_threads_keep_the_order_of_each(make: Make, firehose: Firehose) -> None:
    firehose.set(refuse_share=0.05, totals=True)
    handler = make(batch_seconds=0.01, backoff_seconds=0.001)
    logger = logging.Logger("app")
    logger.addHandler(handler)

    # Not as `thread`, which a record has of its own.
    handler.setFormatter(logging.Formatter('{"thread": %(worker)d,"number": %(number)d}'))

    def run(worker: int) -> None:
        for number in range(2000):
            logger.info("m", extra={"worker": worker, "number": number})

    threads = [threading.Thread(target=run, args=(worker,)) for worker in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert handler.flush(30)
    totals = firehose.get("totals")
    assert (totals["taken"], totals["twice"], totals["disordered"], totals["overtaken"]) == (16000, 0, 0, 0)
    assert totals["refused"] > 500


def test_emit_does_not_hold_up_an_event_loop(make: Make, firehose: Firehose) -> None:
    import asyncio

    firehose.set(hang=True)
    handler = make()

    async def main() -> float:
        longest = 0.0
        for n in range(200):
            began = time.monotonic()
            log(handler, f"{n}")
            await asyncio.sleep(0)
            longest = max(longest, time.monotonic() - began)
        return longest

    # The call that hangs takes 30 seconds.
    assert asyncio.run(main()) < 3


def test_arguments_are_checked_at_once() -> None:
    with pytest.raises(ValueError, match="a delivery stream's name is 1 to 64 of"):
        ekk.FirehoseHandler("no/name")
    with pytest.raises(ValueError, match="queue_records is 1 or more, not 0"):
        ekk.FirehoseHandler("test", queue_records=0)
    with pytest.raises(ValueError, match="flush_seconds is 0 or more, not nan"):
        ekk.FirehoseHandler("test", flush_seconds=float("nan"))


def test_botocore_s_own_way_of_writing_is_the_fallback(
    make: Make, firehose: Firehose, monkeypatch: pytest.MonkeyPatch
) -> None:
    handler = make()
    log(handler, "a")
    assert handler.flush()
    handler._sender._writes_body = False
    events = handler._sender._client.meta.events
    events.unregister("before-call.firehose.PutRecordBatch", handler._sender._set_body)
    events.unregister("before-parse.firehose.PutRecordBatch", handler._sender._read_answer)
    firehose.set(script=[{"refuse": [0]}])
    log(handler, "b", "c")
    assert handler.flush()
    assert firehose.messages() == [["a"], ["b", "c"], ["b"]]


def test_flush_after_flushes_after_the_call_and_after_its_failure(make: Make, firehose: Firehose) -> None:
    handler = make(batch_seconds=60)

    @ekk.flush_after
    def lambda_handler(event: str, context: object) -> str:
        log(handler, event)
        if event == "bad":
            raise KeyError(event)
        return event.upper()

    assert lambda_handler("good", None) == "GOOD"
    assert firehose.taken() == ["good"]
    with pytest.raises(KeyError):
        lambda_handler("bad", None)
    assert firehose.taken() == ["good", "bad"]


def test_flush_after_works_on_coroutines(make: Make, firehose: Firehose) -> None:
    import asyncio

    handler = make(batch_seconds=60)

    @ekk.flush_after(seconds=3)
    async def answer() -> int:
        log(handler, "a")
        return 5

    assert asyncio.run(answer()) == 5
    assert firehose.taken() == ["a"]


def test_flush_after_leaves_nothing_to_a_process_that_may_never_wake(
    make: Make, firehose: Firehose, capfd: pytest.CaptureFixture[str]
) -> None:
    firehose.set(hang=True)
    handler = make(batch_seconds=60)

    class Context:
        def get_remaining_time_in_millis(self) -> int:
            return 550

    @ekk.flush_after
    def lambda_handler(event: str, context: Context) -> None:
        log(handler, event)

    began = time.monotonic()
    lambda_handler("a", Context())
    # And not for the five seconds that it is otherwise.
    assert 0.25 < time.monotonic() - began < 3
    assert shown(capfd.readouterr().err) == ["a"]
    assert handler.counts().waiting == 0


def test_all_handlers_flush_in_one_time(make: Make, firehose: Firehose) -> None:
    firehose.set(hang=True)
    for handler in [make(flush_seconds=1) for _ in range(4)]:
        log(handler, "a")
    began = time.monotonic()
    assert not lifecycle.flush_all()
    assert time.monotonic() - began < 3


@pytest.mark.parametrize("text", ["{} is missing", "{", "{}}", '{"a": NaN}', "{'a': 1}", "{" * 5000])
def test_text_that_only_begins_like_json_becomes_a_message(make: Make, firehose: Firehose, text: str) -> None:
    handler = make()
    handler.setFormatter(logging.Formatter("%(message)s"))
    log(handler, text)
    assert handler.flush()
    assert firehose.taken() == [text]


def test_an_error_of_a_formatter_that_cannot_be_shown_is_shown_nevertheless(make: Make, firehose: Firehose) -> None:
    class Bad(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    class Broken(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            raise Bad

    handler = make()
    handler.setFormatter(Broken())
    log(handler, "a")
    assert handler.flush()
    document = json.loads(firehose.calls()[0]["records"][0])
    assert document["message"] == "a"
    assert document["format_error"] == "Bad: <Bad that cannot be shown: RuntimeError>"


@pytest.mark.parametrize(
    "answer",
    [
        '{"FailedPutCount":1,"RequestResponses":[null]}',
        '{"FailedPutCount":1,"RequestResponses":["x"]}',
        '{"FailedPutCount":1,"RequestResponses":[{}]}',
        '{"FailedPutCount":1,"RequestResponses":[]}',
        '{"FailedPutCount":-1,"RequestResponses":[{"RecordId":"a"}]}',
        '{"FailedPutCount":"1"}',
        "{}",
        "[]",
        "[[]]",
        "null",
    ],
)
def test_an_answer_that_is_not_firehose_s_counts_as_nothing_taken(
    make: Make, firehose: Firehose, answer: str, capfd: pytest.CaptureFixture[str]
) -> None:
    firehose.set(script=[{"answer": answer}])
    handler = make()
    log(handler, "a")
    assert handler.flush()
    assert firehose.taken() == ["a"]
    assert said(capfd, 2)[0].startswith("ekk: stream test: UnknownAnswer: what answered is not Firehose's")
    assert (handler.counts().sent, handler.counts().refused) == (1, 1)


def test_a_fault_of_the_worker_itself_loses_nothing(
    make: Make, firehose: Firehose, capfd: pytest.CaptureFixture[str]
) -> None:
    handler = make()
    doubt = handler._doubt

    def fail(*_: Any) -> Any:
        handler._doubt = doubt  # type: ignore[method-assign]
        raise AttributeError("a fault")

    handler._doubt = fail  # type: ignore[method-assign,assignment]
    log(handler, "a")
    assert handler.flush()
    assert set(firehose.taken()) == {"a"}
    assert "ekk: stream test: AttributeError: a fault; it is tried again" in notes(capfd.readouterr().err)


def test_a_close_that_fails_shows_what_is_left(
    make: Make, firehose: Firehose, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def start(_: object) -> None:
        raise RuntimeError("can't start new thread")

    def fail(*_: Any) -> Any:
        raise KeyboardInterrupt

    handler = make()
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", start)
        log(handler, "a", "b")
        handler._sender.send = fail  # type: ignore[method-assign,assignment]
        with pytest.raises(KeyboardInterrupt):
            handler.close()
    assert shown(capfd.readouterr().err) == ["a", "b"]


def test_where_no_thread_can_start_a_flush_keeps_its_time(
    make: Make, firehose: Firehose, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(_: object) -> None:
        raise RuntimeError("can't start new thread")

    firehose.set(hang=True)
    handler = make()
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", start)
        log(handler, "a")
        began = time.monotonic()
        assert not handler.flush(1)
        # And not for the thirty seconds that a call may take.
        assert time.monotonic() - began < 8
    firehose.set()
    log(handler, "b")
    assert handler.flush()
    assert firehose.taken() == ["a", "b"]


def test_a_second_overflow_is_told_again(make: Make, firehose: Firehose, capfd: pytest.CaptureFixture[str]) -> None:
    firehose.set(delay=0.5)
    handler = make(queue_records=1, batch_seconds=0)
    log(handler, *"abcd")
    assert "ekk: stream test: the queue is full; what does not fit follows" in notes(capfd.readouterr().err)
    assert handler.flush()
    until(lambda: "full" not in handler._notes)
    log(handler, *"abcd")
    assert "ekk: stream test: the queue is full; what does not fit follows" in notes(capfd.readouterr().err)


def test_what_a_finalizer_logs_on_the_worker_s_thread_is_shipped(make: Make, firehose: Firehose) -> None:
    firehose.set(script=[{"error": "ServiceUnavailableException", "status": 503}])
    handler = make()
    pause_after = handler._pause_after

    def finalized(*arguments: Any) -> float:
        # In the middle of what the worker does with the queue, as the collector may run.
        with handler._lock:
            log(handler, "from the worker")
        return pause_after(*arguments)

    handler._pause_after = finalized  # type: ignore[method-assign,assignment]
    log(handler, "a")
    until(lambda: firehose.taken() == ["a", "from the worker"])


def test_the_notes_are_looked_at_under_the_lock(make: Make, firehose: Firehose) -> None:
    class Notes(set):  # type: ignore[type-arg]
        def __iter__(self) -> Any:
            assert handler._lock._is_owned()  # type: ignore[attr-defined]
            return super().__iter__()

    handler = make()
    handler._notes = Notes(["trouble x", "full"])
    handler._recovered()
    assert list(handler._notes) == ["full"]


def test_a_closed_handler_has_no_connection(make: Make, firehose: Firehose) -> None:
    def sockets() -> int:
        return len([name for name in os.listdir("/proc/self/fd") if is_socket(name)])

    def is_socket(name: str) -> bool:
        try:
            return os.readlink(f"/proc/self/fd/{name}").startswith("socket:")
        except OSError:
            return False

    before = sockets()
    handler = make()
    log(handler, "a")
    assert handler.flush()
    assert sockets() > before
    handler.close()
    until(lambda: sockets() == before)


class Context:
    """Lambda's, with little time left."""

    def get_remaining_time_in_millis(self) -> int:
        return 550


@pytest.mark.parametrize("way", ["method", "call", "name"])
def test_flush_after_finds_the_context_wherever_it_is(make: Make, firehose: Firehose, way: str) -> None:
    firehose.set(hang=True)
    handler = make(batch_seconds=60)

    class Application:
        @ekk.flush_after
        def method(self, event: str, context: Context) -> None:
            log(handler, event)

        @ekk.flush_after
        def __call__(self, event: str, context: Context) -> None:
            log(handler, event)

    @ekk.flush_after
    def by_name(event: str, context: Context) -> None:
        log(handler, event)

    began = time.monotonic()
    if way == "method":
        Application().method("a", Context())
    elif way == "call":
        Application()("a", Context())
    else:
        by_name(event="a", context=Context())
    assert 0.25 < time.monotonic() - began < 3


def test_flush_after_flushes_a_generator_at_its_end(make: Make, firehose: Firehose) -> None:
    import asyncio

    handler = make(batch_seconds=60)

    @ekk.flush_after
    def numbers() -> Any:
        log(handler, "began")
        got = yield 1
        log(handler, got)
        return 2

    generator = numbers()
    assert next(generator) == 1
    assert firehose.taken() == []
    with pytest.raises(StopIteration) as end:
        generator.send("sent")
    assert end.value.value == 2
    assert firehose.taken() == ["began", "sent"]

    @ekk.flush_after
    async def answers() -> Any:
        try:
            log(handler, (yield 1))
            yield 2
        except KeyError:
            log(handler, "thrown")
            yield 3

    async def use() -> list[int]:
        generator = answers()
        found = [await generator.__anext__(), await generator.asend("asent"), await generator.athrow(KeyError())]
        async for more in generator:
            found.append(more)
        return found

    assert asyncio.run(use()) == [1, 2, 3]
    assert firehose.taken()[2:] == ["asent", "thrown"]
