"""What is kept on disk: bounded, in order, whatever dies, and sent at the next start."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable

import pytest
from conftest import ENVIRONMENT, Firehose, until
from test_handler import log, notes, said, shown

import ekk

Make = Callable[..., ekk.FirehoseHandler]

AWAY = {"error": "ServiceUnavailableException", "status": 503}


def files(spool: Path) -> list[Path]:
    return sorted(spool.glob("*/*/*.jsonl"))


def on_disk(spool: Path) -> list[str]:
    return [json.loads(line)["message"] for path in files(spool) for line in path.read_text().splitlines()]


def leave(make: Make, firehose: Firehose, spool: Path, *messages: object, stream: str = "test") -> None:
    """Leaves records on disk, as a process that ends in an outage."""
    firehose.set(**AWAY)
    before = len(firehose.calls())
    handler = make(spool=str(spool), stream=stream, flush_seconds=0, backoff_seconds=30, backoff_max_seconds=30)
    log(handler, *messages)
    until(lambda: len(firehose.calls()) > before)
    handler.close()
    # What it had in the air would arrive after all.
    until(lambda: handler._worker is None)


def test_what_close_could_not_send_is_sent_at_the_next_start(
    make: Make, firehose: Firehose, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    firehose.set(**AWAY)
    handler = make(spool=str(tmp_path), flush_seconds=0.2)
    log(handler, *(f"{n}" for n in range(1200)))
    handler.close()
    until(lambda: handler._worker is None)
    assert on_disk(tmp_path) == [f"{n}" for n in range(1200)]
    assert shown(capfd.readouterr().err) == []
    assert handler.counts().spooled == 1200

    firehose.set()
    # Nothing has to be logged for it.
    again = make(spool=str(tmp_path))
    until(lambda: len(firehose.taken()) == 1200)
    assert firehose.taken() == [f"{n}" for n in range(1200)]
    again.close()
    assert again.counts().sent == 1200
    assert list(tmp_path.glob("*/*")) == []


def test_what_does_not_fit_is_spooled_and_sent_after_what_did(
    make: Make, firehose: Firehose, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    firehose.set(**AWAY)
    handler = make(spool=str(tmp_path), queue_records=100)
    log(handler, *(f"{n}" for n in range(5000)))
    assert handler.counts().spooled >= 4000
    firehose.set(refuse_share=0.05)
    log(handler, *(f"{n}" for n in range(5000, 6000)))
    assert handler.flush(20)
    assert sorted(firehose.taken(), key=int) == [f"{n}" for n in range(6000)]
    # From here on memory does again, and the disk is empty.
    assert files(tmp_path) == []
    spooled = handler.counts().spooled
    log(handler, "last")
    assert handler.flush()
    assert handler.counts().spooled == spooled
    assert shown(capfd.readouterr().err) == []
    assert handler.counts().waiting == 0


def test_an_outage_that_lasts_moves_memory_to_the_disk_in_order(make: Make, firehose: Firehose, tmp_path: Path) -> None:
    firehose.set(**AWAY)
    handler = make(spool=str(tmp_path), retry_seconds=0.2)
    log(handler, "a", "b")
    until(lambda: on_disk(tmp_path) == ["a", "b"])
    log(handler, "c")
    assert on_disk(tmp_path) == ["a", "b", "c"]
    firehose.set()
    assert handler.flush()
    log(handler, "d")
    assert handler.flush()
    assert firehose.taken() == ["a", "b", "c", "d"]
    assert on_disk(tmp_path) == []


def test_the_rest_of_memory_goes_before_what_is_on_disk(make: Make, firehose: Firehose, tmp_path: Path) -> None:
    firehose.set(hang=True)
    handler = make(spool=str(tmp_path), queue_records=10, flush_seconds=0.2)
    log(handler, *(f"{n}" for n in range(30)))
    handler.close()
    assert on_disk(tmp_path) == [f"{n}" for n in range(30)]


def test_the_spool_is_bounded_and_the_rest_is_shown(
    make: Make, firehose: Firehose, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    firehose.set(**AWAY)
    handler = make(spool=str(tmp_path), queue_records=1, spool_bytes=1_024_000)
    log(handler, *(f"{n:04d}" + "x" * 10_000 for n in range(200)))
    size = sum(path.stat().st_size for path in files(tmp_path))
    assert 1_000_000 < size <= 1_024_000
    captured = capfd.readouterr().err
    counts = handler.counts()
    assert "ekk: stream test: the spool is full; what does not fit follows" in notes(captured)
    assert len(shown(captured)) == counts.shown == 200 - counts.taken
    firehose.set()
    assert handler.flush(20)
    assert len(firehose.taken()) == counts.taken


def test_a_disk_that_cannot_be_written_costs_nothing_but_the_spool(
    make: Make,
    firehose: Firehose,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    firehose.set(hang=True)
    handler = make(spool=str(tmp_path), queue_records=1, batch_seconds=60)
    log(handler, "a", "b")
    assert on_disk(tmp_path) == ["b"]
    written = os.write

    def full(descriptor: int, data: bytes) -> int:
        # Half of it, as a disk that becomes full in the middle of a record.
        return written(descriptor, data[:10]) if b"message" in data and descriptor > 2 else written(descriptor, data)

    monkeypatch.setattr(os, "write", full)
    log(handler, "c")
    monkeypatch.undo()
    captured = capfd.readouterr().err
    assert shown(captured) == ["c"]
    assert notes(captured)[0].startswith("ekk: stream test: the spool cannot be written (only 10 of ")
    log(handler, "d")
    assert on_disk(tmp_path) == ["b", "d"]


def test_half_a_record_at_the_end_is_told_and_costs_itself_only(
    make: Make, firehose: Firehose, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    leave(make, firehose, tmp_path, "a", "b")
    (path,) = files(tmp_path)
    with path.open("ab") as file:
        file.write(b'{"asctime":"2020-05-11T12:4')
    firehose.set()
    again = make(spool=str(tmp_path))
    until(lambda: files(tmp_path) == [])
    assert firehose.taken() == ["a", "b"]
    captured = capfd.readouterr().err
    assert '{"asctime":"2020-05-11T12:4' in captured
    assert any("holds what is no whole record; it follows" in line for line in captured.splitlines())
    assert again.counts().shown == 1


def test_what_was_sent_of_a_segment_is_not_sent_again(make: Make, firehose: Firehose, tmp_path: Path) -> None:
    leave(make, firehose, tmp_path, *(f"{n}" for n in range(1500)))
    ok: dict[str, Any] = {}
    firehose.set(script=[ok, ok, {"hang": True}, {"hang": True}])
    second = make(spool=str(tmp_path), flush_seconds=0)
    until(lambda: len(firehose.taken()) == 1000)
    # Its third call hangs; the first two are marked as sent.
    until(lambda: second.counts().sent == 1000)
    second.close()
    firehose.set()
    make(spool=str(tmp_path))
    until(lambda: files(tmp_path) == [])
    taken = firehose.taken()
    assert taken[:1000] == [f"{n}" for n in range(1000)]
    # The call that hung has an unknown outcome, so that its records alone may come twice.
    assert list(dict.fromkeys(taken[1000:])) == [f"{n}" for n in range(1000, 1500)]


def test_the_spool_of_a_process_that_lives_is_left_alone(make: Make, firehose: Firehose, tmp_path: Path) -> None:
    firehose.set(**AWAY)
    first = make(spool=str(tmp_path), queue_records=1, backoff_seconds=30, backoff_max_seconds=30)
    log(first, "a", "b", "c")
    until(firehose.calls)
    assert on_disk(tmp_path) == ["b", "c"]
    firehose.set()
    second = make(spool=str(tmp_path))
    log(second, "other")
    assert second.flush()
    assert firehose.taken() == ["other"]
    assert on_disk(tmp_path) == ["b", "c"]


def test_streams_do_not_mix(make: Make, firehose: Firehose, tmp_path: Path) -> None:
    leave(make, firehose, tmp_path, "a", stream="..")
    firehose.set()
    other = make(spool=str(tmp_path), stream=".")
    log(other, "b")
    assert other.flush()
    assert firehose.taken() == ["b"]
    assert len(files(tmp_path)) == 1
    make(spool=str(tmp_path), stream="..")
    until(lambda: files(tmp_path) == [])
    assert firehose.taken() == ["b", "a"]


def test_old_and_new_are_sent_in_turns(make: Make, firehose: Firehose, tmp_path: Path) -> None:
    leave(make, firehose, tmp_path, *(f"old {n}" for n in range(2000)))
    firehose.set(delay=0.05)
    again = make(spool=str(tmp_path))
    log(again, *(f"new {n}" for n in range(2000)))
    assert again.flush()
    until(lambda: files(tmp_path) == [])
    starts = [messages[0].split()[0] for messages in firehose.messages()][1:]
    assert starts.index("new") < 3 and "old" in starts[starts.index("new") :]
    taken = firehose.taken()
    for kind in ("old", "new"):
        assert [message for message in taken if message.startswith(kind)] == [f"{kind} {n}" for n in range(2000)]


def test_a_segment_that_somebody_takes_away_holds_up_nothing(
    make: Make, firehose: Firehose, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    firehose.set(**AWAY)
    handler = make(spool=str(tmp_path), queue_records=1)
    log(handler, "a", "b")
    until(firehose.calls)
    files(tmp_path)[0].unlink()
    firehose.set()
    until(lambda: not handler._is_spooling)
    log(handler, "c")
    assert handler.flush()
    assert firehose.taken() == ["a", "c"]
    assert any("cannot be read" in line for line in said(capfd, 3))
    assert (handler.counts().lost, handler.counts().waiting) == (1, 0)


def test_a_spool_that_cannot_be_made_is_an_error_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError):
        ekk.FirehoseHandler("test", spool=str(tmp_path / "file"))


def test_a_killed_process_leaves_what_it_had_spooled(make: Make, firehose: Firehose, tmp_path: Path) -> None:
    firehose.set(**AWAY)
    program = f"""
import ekk, logging, os, signal
handler = ekk.FirehoseHandler("test", endpoint_url={firehose.url!r}, spool={str(tmp_path)!r}, queue_records=1)
logger = logging.Logger("app")
logger.addHandler(handler)
for n in range(1000):
    logger.info("%d", n)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", program], env=environment(), capture_output=True, timeout=60)
    assert done.returncode == -9
    # What was in memory is gone with it: one in the queue, and what the worker had taken from there.
    left = on_disk(tmp_path)
    assert len(left) >= 990 and left == [f"{n}" for n in range(1000 - len(left), 1000)]
    firehose.set()
    make(spool=str(tmp_path))
    until(lambda: files(tmp_path) == [])
    assert firehose.taken() == left


def environment() -> dict[str, str]:
    source = str(Path(ekk.__file__).parent.parent)
    return {**os.environ, **ENVIRONMENT, "PYTHONPATH": source}


def test_records_made_by_hand_survive_as_they_are(make: Make, firehose: Firehose, tmp_path: Path) -> None:
    leave(make, firehose, tmp_path, "line\u2028 \x85 \x0b \x1c end\r\n")
    firehose.set()
    make(spool=str(tmp_path))
    until(lambda: files(tmp_path) == [])
    assert firehose.taken() == ["line\u2028 \x85 \x0b \x1c end\r\n"]
