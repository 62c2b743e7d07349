"""A logging handler that ships records to Firehose: a bounded queue, one worker, nothing silently lost."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import random
import re
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable

from ekk import lifecycle, spool
from ekk.formatter import RECORD_BYTES, JsonFormatter, shown
from ekk.sender import BATCH_BYTES, BATCH_RECORDS, Kind, Sender, Trouble

_STREAM = re.compile(r"[a-zA-Z0-9_.-]{1,64}")

#: For how long a flush that ran out of time lets a close do without one: `logging.shutdown` calls both in a row.
_SAME_END = 1.0


@dataclasses.dataclass(frozen=True)
class Counts:
    """What became of the records of one handler in this process."""

    #: Taken from the application and queued or spooled.
    taken: int
    #: Accepted by Firehose, those that an earlier process had spooled among them.
    sent: int
    #: How often a record was not taken by a call; it is sent again then.
    refused: int
    #: Calls of PutRecordBatch.
    requests: int
    #: Written to standard error.
    shown: int
    #: Written to the spool.
    spooled: int
    #: In memory, or in this process's part of the spool.
    waiting: int
    #: Gone, since standard error could not be written either.
    lost: int


class _Batch:
    """What the worker is about to send, and where it is from."""

    def __init__(self, records: list[bytes], source: spool.Batch | None, is_own: bool) -> None:
        self.records = records
        self.source = source
        self.is_own = is_own
        #: Whether somebody else has taken care of its records meanwhile.
        self.is_abandoned = False
        #: Whether it is the rest of a segment that cannot be read.
        self.is_lost = False


class FirehoseHandler(logging.Handler):
    """Ships log records to an Amazon Data Firehose delivery stream.

    `emit` formats a record in the thread that logs it and puts it into a bounded queue. One worker thread sends. What
    does not fit, or cannot be sent in the end, goes to standard error as a console handler with the same formatter
    would show it, and is counted; or, with `spool`, to the disk, from where it is sent later. The formatter is a
    `JsonFormatter` until `setFormatter` says otherwise.

    Args:
        stream: The delivery stream's name.
        region: Its region; without it AWS_REGION or the AWS configuration decides.
        endpoint_url: Another address than AWS's own. AWS_ENDPOINT_URL_FIREHOSE is honoured, too.
        role_arn: A role to assume; its credentials are renewed before they expire.
        level: The least level that is shipped.
        batch_seconds: For how long a record waits for others to share a call with.
        queue_records: How many records may wait in memory.
        queue_bytes: How many bytes may wait in memory.
        retry_seconds: For how long a batch is tried, counted from the last time that something of it was taken.
        backoff_seconds: The first pause after a failure; it doubles, and up to half of it is left out at random.
        backoff_max_seconds: The longest pause.
        request_seconds: How long one call may take.
        flush_seconds: How long `flush` and `close`, and so the end of the process, may take.
        spool: A folder for what does not fit or cannot be sent; processes may share it.
        spool_bytes: How much this process may keep there.
        hook_sigterm: Whether to flush at SIGTERM where the default action stands; see docs/python.md.
    """

    def __init__(
        self,
        stream: str,
        region: str | None = None,
        endpoint_url: str | None = None,
        role_arn: str | None = None,
        *,
        level: int | str = logging.NOTSET,
        batch_seconds: float = 1.0,
        queue_records: int = 100_000,
        queue_bytes: int = 64 * 1024 * 1024,
        retry_seconds: float = 60.0,
        backoff_seconds: float = 0.1,
        backoff_max_seconds: float = 10.0,
        request_seconds: float = 30.0,
        flush_seconds: float = 5.0,
        spool: str | None = None,
        spool_bytes: int = 256 * 1024 * 1024,
        hook_sigterm: bool = True,
    ) -> None:
        if not _STREAM.fullmatch(stream):
            raise ValueError(f"a delivery stream's name is 1 to 64 of a-z, A-Z, 0-9, _, . and -, not {stream!r}")
        for name, value, least in (
            ("batch_seconds", batch_seconds, 0),
            ("queue_records", queue_records, 1),
            ("queue_bytes", queue_bytes, RECORD_BYTES),
            ("retry_seconds", retry_seconds, 0),
            ("backoff_seconds", backoff_seconds, 0.001),
            ("backoff_max_seconds", backoff_max_seconds, backoff_seconds),
            ("request_seconds", request_seconds, 0.1),
            ("flush_seconds", flush_seconds, 0),
            ("spool_bytes", spool_bytes, RECORD_BYTES),
        ):
            if not value >= least:
                raise ValueError(f"{name} is {least} or more, not {value!r}")
        super().__init__(level)
        self.stream_name = stream
        self.flush_seconds = flush_seconds
        self.formatter = JsonFormatter()
        self._json = JsonFormatter()
        self._sender_arguments = (stream, region, endpoint_url, role_arn, request_seconds)
        self._sender = Sender(*self._sender_arguments)
        self._batch_seconds = batch_seconds
        self._queue_records = queue_records
        self._queue_bytes = queue_bytes
        self._retry_seconds = retry_seconds
        self._backoff_seconds = backoff_seconds
        self._backoff_max_seconds = backoff_max_seconds
        self._spool = None if spool is None else _spool_at(spool, stream, spool_bytes)
        self._is_closed = False
        self._begin()
        lifecycle.handlers.add(self)
        if hook_sigterm:
            lifecycle.hook_sigterm()
        if self._spool is not None and self._spool.has_orphans():
            with self._changed:
                self._start_worker()

    def _begin(self) -> None:
        """Sets everything that belongs to one process."""
        # Reentrant: a signal handler or a finalizer may log in the middle of what this thread does with it.
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._oldest = 0.0
        self._sending: _Batch | None = None
        self._is_spooling = False
        self._is_adopted_next = False
        self._worker: threading.Thread | None = None
        self._no_thread_before = 0.0
        self._is_closing = False
        self._flush_up_to = 0
        self._flush_gave_up = -_SAME_END
        self._taken = self._settled = self._sent = self._refused = 0
        self._requests = self._shown = self._spooled = self._lost = 0
        self._notes: set[str] = set()

    # What the application calls.

    def handle(self, record: logging.LogRecord) -> bool:
        """Emits a record that the filters let through. Unlike other handlers' without a lock around the formatting."""
        passed = self.filter(record)
        if isinstance(passed, logging.LogRecord):  # Python 3.12 lets a filter replace the record.
            record = passed
        if passed:
            self.emit(record)
        return bool(passed)

    def emit(self, record: logging.LogRecord) -> None:
        """Formats and queues a record. Never waits for the network, never raises."""
        if lifecycle.thread.sends:
            return
        try:
            self._put(self._line(record))
        except Exception as error:
            try:
                self._put(self._line_in_need(record, error))
            except Exception:
                with self._lock:
                    self._lost += 1
                self.handleError(record)

    def flush(self, timeout: float | None = None) -> bool:  # type: ignore[override]
        """Waits until all that was logged before is sent or shown; returns whether it was done in time.

        Args:
            timeout: Seconds; `flush_seconds` without it.
        """
        seconds = self.flush_seconds if timeout is None else timeout
        if lifecycle.is_ending and self._gave_up_just_now():
            seconds = 0.0
        deadline = time.monotonic() + seconds
        with self._changed:
            self._begin_flush()
            target = self._flush_up_to
            done = self._wait_for_worker(deadline, lambda: self._settled >= target)
        if not done and not self._has_worker():
            done = self._send_here(deadline)
        if not done:
            self._flush_gave_up = time.monotonic()
        return done

    def close(self, timeout: float | None = None) -> None:
        """Sends what is left, for `flush_seconds` at most; the rest goes to the spool or to standard error."""
        with self._changed:
            if self._is_closed:
                super().close()
                return
            self._begin_close()
            seconds = self.flush_seconds if timeout is None else timeout
            if self._gave_up_just_now():
                seconds = 0.0
            deadline = time.monotonic() + seconds
            done = self._wait_for_worker(deadline, self._is_idle)
        if not done and not self._has_worker():
            self._send_here(deadline)
        with self._changed:
            self._is_closed = True
            self._divert()
            if self._spool is not None:
                self._spool.close()
            self._changed.notify_all()
            shown = self._shown
        if shown:
            self._note("end", f"{shown} records were not sent and stand on standard error")
        super().close()

    def _gave_up_just_now(self) -> bool:
        return time.monotonic() - self._flush_gave_up < _SAME_END

    def counts(self) -> Counts:
        """Returns what became of the records so far."""
        with self._lock:
            return Counts(
                taken=self._taken,
                sent=self._sent,
                refused=self._refused,
                requests=self._requests,
                shown=self._shown,
                spooled=self._spooled,
                waiting=self._taken - self._settled,
                lost=self._lost,
            )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.stream_name} ({logging.getLevelName(self.level)})>"

    # From a record to the queue.

    def _line(self, record: logging.LogRecord) -> bytes:
        text = self.format(record)
        if type(self.formatter) is not JsonFormatter and not _is_document(text):
            text = self._json.wrap(record, text)
        line = text.encode("utf-8", "backslashreplace")
        if b"\n" in line or b"\r" in line:
            # In JSON they can only stand between its parts.
            line = line.rstrip().replace(b"\n", b" ").replace(b"\r", b" ")
        return line + b"\n"

    def _line_in_need(self, record: logging.LogRecord, error: Exception) -> bytes:
        """The formatter has failed; its record is shipped nevertheless, and says why."""
        text = self._json.format_in_need(record, f"{type(error).__name__}: {shown(error)}")
        return text.encode("utf-8", "backslashreplace") + b"\n"

    def _put(self, line: bytes) -> None:
        size = len(line)
        if size > RECORD_BYTES:
            self._note("size", f"a record of {size} bytes is over Firehose's limit of 1,000 KiB")
            self._show((line,))
            return
        with self._lock:
            waiting = self._waiting
            trouble = None
            if self._is_closed:
                fits = False
            elif (
                not self._is_spooling
                and len(waiting) < self._queue_records
                and self._waiting_bytes + size <= self._queue_bytes
            ):
                waiting.append(line)
                self._waiting_bytes += size
                fits = True
                count = len(waiting)
                if count == 1:
                    self._oldest = time.monotonic()
                    self._changed.notify_all()
                elif count == BATCH_RECORDS or self._waiting_bytes - size < BATCH_BYTES <= self._waiting_bytes:
                    self._changed.notify_all()
            else:
                fits, trouble = self._append_to_spool(line)
            if fits:
                self._taken += 1
                if self._worker is None:
                    self._start_worker()
        if fits:
            return
        if trouble is not None:
            self._note("full", f"the spool cannot be written ({trouble}); what does not fit follows")
        elif not self._is_closed:
            self._note("full", f"the {'queue' if self._spool is None else 'spool'} is full; what does not fit follows")
        self._show((line,))

    def _append_to_spool(self, line: bytes) -> tuple[bool, OSError | None]:
        if self._spool is None:
            return False, None
        try:
            if not self._spool.append(line):
                return False, None
        except OSError as error:
            return False, error
        self._spooled += 1
        if not self._is_spooling:
            self._is_spooling = True
            self._changed.notify_all()
        return True, None

    # The worker.

    def _start_worker(self) -> None:
        if time.monotonic() < self._no_thread_before:
            return
        lifecycle.look_after_this_process()
        worker = threading.Thread(target=self._work, name=f"ekk-{self.stream_name}", daemon=True)
        self._worker = worker
        try:
            worker.start()
        except RuntimeError:
            # At the end of the interpreter, or at a limit of the system; `close` sends by itself then.
            self._worker = None
            self._no_thread_before = time.monotonic() + 1.0

    def _has_worker(self) -> bool:
        worker = self._worker
        return worker is not None and worker.is_alive()

    def _work(self) -> None:
        lifecycle.thread.sends = True
        try:
            if self._spool is not None:
                self._adopt()
            while True:
                batch = self._next_batch(None)
                if batch is None:
                    return
                self._deliver(batch, None)
        finally:
            with self._changed:
                if self._worker is threading.current_thread():
                    self._worker = None
                    self._take_back()
                self._changed.notify_all()

    def _send_here(self, deadline: float) -> bool:
        """Sends in this thread, where there cannot be another one."""
        if lifecycle.thread.sends:
            return False
        lifecycle.thread.sends = True
        try:
            with self._changed:
                self._take_back()
                self._flush_up_to = self._taken
            while time.monotonic() < deadline:
                batch = self._next_batch(deadline)
                if batch is None:
                    break
                self._deliver(batch, deadline)
            with self._changed:
                self._take_back()
                return self._is_idle()
        finally:
            lifecycle.thread.sends = False

    def _adopt(self) -> None:
        assert self._spool is not None
        try:
            with self._changed:
                # A handler that is closed takes nothing any more, since it would not send it.
                if not self._is_closing:
                    self._spool.adopt()
        except OSError as error:
            self._note("adopt", f"what an earlier process left in the spool cannot be read ({error})")

    def _take_back(self) -> None:
        """Puts what was being sent back to where it was, when its sender is no more."""
        batch, self._sending = self._sending, None
        if self._spool is not None:
            self._spool.rewind()
        if batch is not None and batch.source is None and not batch.is_abandoned:
            batch.is_abandoned = True
            self._waiting.extendleft(reversed(batch.records))
            self._waiting_bytes += sum(map(len, batch.records))

    def _next_batch(self, deadline: float | None) -> _Batch | None:
        """Waits for something to send. With a deadline, or when closing, None as soon as there is nothing."""
        while True:
            with self._changed:
                now = time.monotonic()
                due = self._due()
                own = due is not None and due <= now
                adopted = self._spool is not None and self._spool.has_adopted() and not self._is_closing
                if own and not (adopted and self._is_adopted_next):
                    self._is_adopted_next = True
                    if self._waiting:
                        self._sending = _Batch(self._take(), None, True)
                        return self._sending
                    assert self._spool is not None
                    segment, is_own = self._spool.own_segment(), True
                elif adopted:
                    assert self._spool is not None
                    self._is_adopted_next = False
                    segment, is_own = self._spool.adopted_segment(), False
                elif self._is_closing or deadline is not None:
                    return None
                else:
                    self._changed.wait(None if due is None else due - now)
                    continue
                if segment is None:
                    self._is_spooling = False
                    self._notes.discard("full")
                    continue
                size = segment.size
            batch = self._read_spool(segment, size, is_own)
            if batch is not None:
                return batch

    def _due(self) -> float | None:
        """Returns when something of this process is to be sent: 0 for at once, None for nothing there."""
        count = len(self._waiting)
        if count == 0:
            # What is in the spool is newer than what is in memory, and older than what comes.
            return 0.0 if self._is_spooling else None
        if (
            count >= BATCH_RECORDS
            or self._waiting_bytes >= BATCH_BYTES
            or self._is_closing
            or self._is_spooling
            or self._flush_up_to > self._settled
        ):
            return 0.0
        return self._oldest + self._batch_seconds

    def _take(self) -> list[bytes]:
        waiting = self._waiting
        if len(waiting) <= BATCH_RECORDS and self._waiting_bytes <= BATCH_BYTES:
            records = list(waiting)
            waiting.clear()
            self._waiting_bytes = 0
        else:
            records = []
            total = 0
            while waiting and len(records) < BATCH_RECORDS and total + len(waiting[0]) <= BATCH_BYTES:
                record = waiting.popleft()
                total += len(record)
                records.append(record)
            self._waiting_bytes -= total
        self._oldest = time.monotonic()
        return records

    def _read_spool(self, segment: spool.Segment, size: int, is_own: bool) -> _Batch | None:
        is_lost = False
        try:
            source = spool.read(segment, size, BATCH_RECORDS, BATCH_BYTES)
        except OSError as error:
            self._note("spool", f"{segment.path} cannot be read ({error})")
            # Somebody has taken it away, or the disk is broken: what comes after it is not held up.
            is_lost = True
            source = spool.Batch(segment, [], segment.size - segment.sent, [])
        if source.torn:
            self._note("torn", f"{segment.path} holds what is no whole record; it follows")
            self._show(source.torn)
        with self._changed:
            batch = _Batch(source.records, source, is_own)
            batch.is_lost = is_lost
            if source.records:
                self._sending = batch
                return batch
            self._finish(batch)
            return None

    def _deliver(self, batch: _Batch, deadline: float | None) -> None:
        """Sends a batch until all of it is taken or given up. In order, and only what was not taken again."""
        pending = batch.records
        limit = len(pending)
        failures = 0
        progress = time.monotonic()
        while pending:
            head = pending[:limit]
            outcome = self._sender.send(head)
            refused = [head[index] for index in outcome.refused]
            taken = len(head) - len(refused)
            now = time.monotonic()
            with self._changed:
                self._requests += 1
                self._refused += len(refused)
                if batch.is_abandoned:
                    # Its records are shown or on disk; that some of them arrived nevertheless is at worst a duplicate.
                    self._sent += taken
                    return
                self._sent += taken
                pending = refused + pending[limit:]
                batch.records = pending
                self._settle(batch, taken)
            if taken:
                progress, failures = now, 0
            if outcome.trouble is None:
                self._recovered()
                limit = max(limit, min(len(pending), 2 * limit))
                continue
            if outcome.trouble.kind is Kind.INVALID:
                if len(head) > 1:
                    limit = (len(head) + 1) // 2
                    continue
                self._tell(outcome.trouble)
                self._show(head)
                with self._changed:
                    pending = pending[1:]
                    batch.records = pending
                    self._settle(batch, 1)
                failures += 1
                if failures < 3:
                    continue
                # Perhaps it is not due to the records, and the service had better not be asked for each at once.
            elif not taken:
                self._tell(outcome.trouble)
            if now - progress >= self._retry_seconds and self._give_up(batch):
                return
            pause = self._pause_after(failures, outcome.trouble)
            failures += 1
            if deadline is not None and time.monotonic() + pause >= deadline:
                return
            if not self._pause(pause, batch):
                return
        with self._changed:
            self._finish(batch)

    def _pause_after(self, failures: int, trouble: Trouble) -> float:
        pause = min(self._backoff_max_seconds, self._backoff_seconds * 2.0 ** min(failures, 30))
        if trouble.kind is Kind.SETUP:
            pause = max(pause, min(1.0, self._backoff_max_seconds))
        # Half of it at random, so that many processes do not come back at once.
        return pause * random.uniform(0.5, 1.0)

    def _pause(self, seconds: float, batch: _Batch) -> bool:
        """Waits; a close that begins meanwhile cuts it short. Returns whether to go on."""
        with self._changed:
            was_closing = self._is_closing
            deadline = time.monotonic() + (min(seconds, 0.5) if was_closing else seconds)
            while not batch.is_abandoned and self._is_closing is was_closing:
                left = deadline - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(left)
            return not batch.is_abandoned

    def _give_up(self, batch: _Batch) -> bool:
        """Ends the tries of a batch from memory; one from the disk is tried for ever."""
        if batch.source is not None:
            return False
        if self._spool is None:
            with self._changed:
                if batch.is_abandoned:
                    return True
                self._settle(batch, len(batch.records))
                self._sending = None
                batch.is_abandoned = True
                self._changed.notify_all()
            self._show(batch.records)
        else:
            self._divert()
        return True

    def _settle(self, batch: _Batch, count: int) -> None:
        # Those from the disk only when all of them are done, since it is all of them that are read again otherwise.
        if batch.source is None:
            self._settled += count
            self._changed.notify_all()

    def _finish(self, batch: _Batch) -> None:
        if self._sending is batch:
            self._sending = None
        if batch.source is not None and self._spool is not None and not batch.is_abandoned and not self._is_closed:
            segment = batch.source.segment
            count = len(batch.source.records) + len(batch.source.torn)
            if batch.is_lost:
                count = segment.left
                self._lost += count
            self._spool.commit(segment, batch.source.size, count)
            if batch.is_own:
                self._settled += count
                if not self._spool.has_own():
                    self._is_spooling = False
                    self._notes.discard("full")
        self._changed.notify_all()

    # The end, and what cannot be sent.

    def _begin_flush(self) -> None:
        with self._changed:
            self._flush_up_to = self._taken
            if self._worker is None and self._settled < self._taken and not self._is_closed:
                self._start_worker()
            self._changed.notify_all()

    def _begin_close(self) -> None:
        with self._changed:
            self._is_closing = True
            self._begin_flush()

    def _is_idle(self) -> bool:
        return not self._waiting and not self._is_spooling and (self._sending is None or not self._sending.is_own)

    def _wait_for_worker(self, deadline: float, is_so: Callable[[], bool]) -> bool:
        """Waits until something is so; not where there is nobody who could make it so."""
        while not is_so():
            left = deadline - time.monotonic()
            if left <= 0 or not self._has_worker():
                return False
            self._changed.wait(left)
        return True

    def _divert(self) -> None:
        """Takes what is in memory and being sent out of there: to the spool, or to standard error."""
        with self._changed:
            records: list[bytes] = []
            trouble = None
            batch = self._sending
            # What is being sent from the disk is on the disk.
            if batch is not None and (batch.source is None or self._is_closed):
                batch.is_abandoned = True
                self._sending = None
                if batch.source is None:
                    records.extend(batch.records)
            records.extend(self._waiting)
            self._waiting.clear()
            self._waiting_bytes = 0
            if records and self._spool is not None:
                try:
                    left = self._spool.put_before(records)
                except OSError as error:
                    trouble = error
                    left = records
                if len(left) < len(records):
                    self._spooled += len(records) - len(left)
                    self._is_spooling = True
                records = left
            self._settled += len(records)
            self._changed.notify_all()
        if trouble is not None:
            self._note("full", f"the spool cannot be written ({trouble}); what does not fit follows")
        if records:
            self._show(records)

    def _show(self, lines: Iterable[bytes]) -> None:
        """Writes records to standard error, each in one piece."""
        for line in lines:
            written = _write_to_standard_error(line.decode("utf-8", "backslashreplace"))
            with self._lock:
                if written:
                    self._shown += 1
                else:
                    self._lost += 1

    def _tell(self, trouble: Trouble) -> None:
        if trouble.kind is Kind.PASSING:
            text = f"{trouble.code}: {trouble.text}; it is tried again"
        elif trouble.kind is Kind.INVALID:
            text = f"a record was refused, {trouble.code}: {trouble.text}; it follows"
        else:
            text = f"{trouble.code}: {trouble.text}; somebody has to mend this, meanwhile it is tried again"
        self._note(f"trouble {trouble.code}", text)

    def _recovered(self) -> None:
        if any(note.startswith("trouble ") for note in self._notes):
            with self._lock:
                self._notes = {note for note in self._notes if not note.startswith("trouble ")}
            _write_to_standard_error(f"ekk: stream {self.stream_name}: records are taken again\n")

    def _note(self, key: str, text: str) -> None:
        """Says something once, until what it is about has passed."""
        with self._lock:
            if key in self._notes:
                return
            self._notes.add(key)
        _write_to_standard_error(f"ekk: stream {self.stream_name}: {text}\n")

    # A fork.

    def _before_fork(self) -> None:
        self._forking = self._lock.acquire(timeout=2.0)

    def _after_fork_in_parent(self) -> None:
        if self._forking:
            self._lock.release()

    def _after_fork_in_child(self) -> None:
        # All that waits is the parent's, which sends it; its worker, connections and locks are not here.
        self._begin()
        self._sender = Sender(*self._sender_arguments)
        if self._spool is not None:
            self._spool.forget()


class KinesisFirehoseDeliveryStreamHandler(FirehoseHandler):
    """The article's handler: takes nothing and ships to the delivery stream `logging-test`."""

    def __init__(self) -> None:
        super().__init__("logging-test")


def _spool_at(path: str, stream: str, max_bytes: int) -> spool.Spool:
    return spool.Spool(os.fspath(path), stream, max_bytes)


#: JSON has no NaN and no infinity, and an index refuses them.
_document = json.JSONDecoder(parse_constant=lambda name: _refuse(name))


def _refuse(name: str) -> object:
    raise ValueError(f"{name} is no JSON")


def _is_document(text: str) -> bool:
    """Tells whether a text is a JSON object, and not only begins like one."""
    if not text.startswith("{"):
        return False
    try:
        _document.decode(text)
    except (ValueError, RecursionError):
        return False
    return True


def _write_to_standard_error(text: str) -> bool:
    # Standard error may be redirected to a logger (Celery does), which would come back here.
    if not lifecycle.thread.shows and sys.stderr is not None:
        lifecycle.thread.shows = True
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
            return True
        except Exception:
            pass  # Closed, or in the middle of a write that a signal interrupted.
        finally:
            lifecycle.thread.shows = False
    try:
        os.write(2, text.encode("utf-8", "backslashreplace"))
        return True
    except OSError:
        return False
