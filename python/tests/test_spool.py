"""What is kept on disk: bounded, in order, whatever dies, and sent at the next start."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable

import pytest
from conftest import ENVIRONMENT, Firehose, until
from test_handler import log, notes, said, shown

import ekk
from ekk import spool

Make = Callable[..., ekk.FirehoseHandler]

AWAY = {"error": "ServiceUnavailableException", "status": 503}


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*/*/*.jsonl"))


def on_disk(folder: Path) -> list[str]:
    return [json.loads(line)["message"] for path in files(folder) for line in path.read_text().splitlines()]


def leave(make: Make, firehose: Firehose, folder: Path, *messages: object, stream: str = "test") -> None:
    """Leaves records on disk, as a process that ends in an outage."""
    firehose.set(**AWAY)
    before = len(firehose.calls())
    handler = make(spool=str(folder), stream=stream, flush_seconds=0, backoff_seconds=30, backoff_max_seconds=30)
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
    until(lambda: again.counts().sent == 1200)
    again.close()
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


@pytest.mark.parametrize("count", [1, 30])
def test_a_record_that_is_always_refused_holds_up_the_others_no_longer_than_it_may(
    make: Make, firehose: Firehose, tmp_path: Path, capfd: pytest.CaptureFixture[str], count: int
) -> None:
    firehose.set(refuse_text="bad")
    handler = make(spool=str(tmp_path), retry_seconds=0.3)
    log(handler, *["bad"] * count)
    # While nothing else is there, it may as well be an outage.
    until(lambda: on_disk(tmp_path) == ["bad"] * count)
    for number in range(2000):
        log(handler, f"{number}")
        time.sleep(0.001)
        if handler.counts().shown:
            break
    assert handler.flush(10)
    assert firehose.taken() == [f"{n}" for n in range(number + 1)]
    captured = capfd.readouterr().err
    assert shown(captured) == ["bad"] * count
    note = "ekk: stream test: a record was refused, ServiceUnavailableException: Slow down.; it follows"
    assert note in captured.splitlines()
    assert (handler.counts().waiting, handler.counts().shown) == (0, count)
    until(lambda: files(tmp_path) == [])
    log(handler, "last")
    assert handler.flush()


def test_a_record_that_is_always_refused_does_not_hold_up_the_next_start(
    make: Make, firehose: Firehose, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    leave(make, firehose, tmp_path, "a", "bad", "b")
    leave(make, firehose, tmp_path, "c")
    firehose.set(refuse_text="bad")
    handler = make(spool=str(tmp_path), retry_seconds=0.3)
    log(handler, "new")
    # Though what is older is not done with, and tried again and again.
    assert handler.flush(10)
    assert "new" in firehose.taken()
    for number in range(2000):
        log(handler, f"{number}")
        time.sleep(0.001)
        if not files(tmp_path):
            break
    assert handler.flush(10)
    assert [message for message in firehose.taken() if message in ("a", "b")] == ["a", "b"]
    assert "c" in firehose.taken()
    until(lambda: list(tmp_path.glob("*/*")) == [] or handler.counts().shown)


def test_a_pause_of_what_an_earlier_process_left_holds_up_nothing_new(
    make: Make, firehose: Firehose, tmp_path: Path
) -> None:
    leave(make, firehose, tmp_path, "bad")
    firehose.set(refuse_text="bad")
    before = len(firehose.calls())
    handler = make(spool=str(tmp_path), backoff_seconds=30, backoff_max_seconds=30)
    until(lambda: len(firehose.calls()) > before)
    log(handler, "new")
    assert handler.flush()
    assert firehose.taken() == ["new"]
    handler.close(0)
    assert on_disk(tmp_path) == ["bad"]


def test_an_outage_makes_nothing_of_the_spool_be_given_up(
    make: Make, firehose: Firehose, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    firehose.set(refuse_share=1)
    handler = make(spool=str(tmp_path), retry_seconds=0.1, backoff_max_seconds=0.02)
    log(handler, *(f"{n}" for n in range(50)))
    until(lambda: len(on_disk(tmp_path)) == 50)
    log(handler, *(f"{n}" for n in range(50, 100)))
    before = handler.counts().requests
    until(lambda: handler.counts().requests > before + 40)
    # What is refused for long is refused at random when it comes back, as others are.
    firehose.set(refuse_share=0.3)
    assert handler.flush(20)
    assert sorted(firehose.taken(), key=int) == [f"{n}" for n in range(100)]
    assert shown(capfd.readouterr().err) == []


def test_a_segment_of_an_earlier_process_that_goes_is_counted(
    make: Make, firehose: Firehose, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    leave(make, firehose, tmp_path, "a", "b", "c")
    leave(make, firehose, tmp_path, "d")
    (path,) = [path for path in files(tmp_path) if path.read_text().count("\n") == 3]
    handler = make(spool=str(tmp_path), batch_seconds=0)
    read = spool.read

    def vanish(segment: spool.Segment, *arguments: Any) -> spool.Batch:
        path.unlink(missing_ok=True)
        return read(segment, *arguments)

    handler.close(0)
    firehose.set()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(spool, "read", vanish)
        handler = make(spool=str(tmp_path))
        until(lambda: firehose.taken() == ["d"])
    assert handler.counts().lost == 3
    assert any(line.endswith("3 records are lost") for line in capfd.readouterr().err.splitlines())


def test_a_segment_that_goes_while_somebody_looks_is_no_error(make: Make, tmp_path: Path) -> None:
    folder = tmp_path / "test.spool" / "other"
    folder.mkdir(parents=True)
    (folder / "lock").touch()
    # Listed, and not there.
    (folder / "1000000000-0.jsonl").symlink_to("gone")
    handler = make(spool=str(tmp_path))
    assert handler.flush()


def test_memory_moves_to_the_disk_in_pieces_that_hold_up_nobody_for_long(
    make: Make, firehose: Firehose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    firehose.set(hang=True)
    handler = make(spool=str(tmp_path), batch_seconds=60)
    log(handler, "first")
    assert not handler.flush(0)
    until(lambda: not handler._waiting)
    log(handler, *(f"{n:06d}" + "x" * 1000 for n in range(5000)))
    pieces: list[int] = []
    put_before = spool.Spool.put_before

    def put(self: spool.Spool, records: list[bytes]) -> list[bytes]:
        pieces.append(sum(map(len, records)))
        return put_before(self, records)

    def in_between(_: float) -> None:
        assert not handler._lock._is_owned()  # type: ignore[attr-defined]
        log(handler, f"newer {len(pieces)}")

    monkeypatch.setattr(spool.Spool, "put_before", put)
    monkeypatch.setattr(time, "sleep", in_between)
    handler._divert()
    monkeypatch.undo()
    assert len(pieces) > 4 and max(pieces) <= 1024 * 1024
    left = on_disk(tmp_path)
    assert left[0] == "first"
    assert [message[:6] for message in left[1:5001]] == [f"{n:06d}" for n in range(5000)]
    assert left[5001:] == [f"newer {n}" for n in range(1, len(pieces) + 1)]


def test_a_disk_that_becomes_full_in_the_middle_of_the_rest_costs_what_does_not_fit(
    make: Make,
    firehose: Firehose,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    firehose.set(hang=True)
    handler = make(spool=str(tmp_path), batch_seconds=60)
    log(handler, *(f"{n}" for n in range(100)))
    written = os.write

    def full(descriptor: int, data: bytes) -> int:
        return written(descriptor, data[: len(data) // 2] if len(data) > 5000 else data)

    monkeypatch.setattr(os, "write", full)
    handler.close(0)
    monkeypatch.undo()
    left, told = on_disk(tmp_path), shown(capfd.readouterr().err)
    assert 40 < len(left) < 60
    assert left + told == [f"{n}" for n in range(100)]
    assert (handler.counts().spooled, handler.counts().shown) == (len(left), len(told))
