"""A logging handler that ships records to Firehose: a bounded queue, one worker, nothing silently lost."""

from __future__ import annotations

import dataclasses
import json
import logging
import math
import os
import random
import re
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from ekk import lifecycle, spool
from ekk.formatter import RECORD_BYTES, JsonFormatter, shown
from ekk.sender import BATCH_BYTES, BATCH_RECORDS, Kind, Sender, Trouble

_STREAM = re.compile(r"[a-zA-Z0-9_.-]{1,64}")

#: What moves from memory to the disk while others wait for the lock, about a millisecond's worth.
_PIECE_BYTES = 1024 * 1024

#: In how many calls others have to get through until a record that is refused in each of them is given up.
_PASSED_OVER = 10


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
    """What the worker sends, where it is from, and how far that has come."""

    def __init__(self, records: list[bytes], sources: list[spool.Batch], is_own: bool) -> None:
        self.records = records
        #: Where it lies on the disk; empty for what is from memory.
        self.sources = sources
        self.is_own = is_own
        #: Whether somebody else has taken care of its records meanwhile.
        self.is_abandoned = False
        #: How many records a call may have, since some were too many.
        self.limit = BATCH_RECORDS
        self.failures = 0
        #: When something of it was last taken, at first when it began.
        self.progress = time.monotonic()
        #: How many of its first records were refused for too long, and in how many calls others got through since.
        self.doubted = 0
        self.passed_over = 0
        #: How many records the handler had sent after the last call with this batch.
        self.sent_before = 0


class _Lane:
    """One of the two parts of the spool: this process's own, and what those that are no more have left."""

    def __init__(self) -> None:
        #: A batch that was refused and waits to be sent again, while the other lane may have its turns.
        self.held: _Batch | None = None
        #: Until when this is left alone, and how often in a row it could not be read.
        self.not_before = 0.0
        self.failures = 0


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
        lifecycle.add(self)
        lifecycle.look_after_this_process()
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
        #: What is to be shown and not yet settled, and the threads that have a record of it in their hands.
        self._to_show: deque[bytes] = deque()
        self._showing: list[int] = []
        #: What finalizers log on the thread that works here, which may be in the middle of the queue.
        self._from_worker: deque[bytes] = deque()
        self._is_spooling = False
        self._own_lane, self._adopted_lane = _Lane(), _Lane()
        self._is_adopted_next = False
        self._stand_in = False
        self._worker: threading.Thread | None = None
        self._no_thread_before = 0.0
        self._is_closing = False
        self._flush_up_to = 0
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
        thread = lifecycle.thread
        if thread.sends:
            return
        try:
            try:
                line = self._line(record)
            except Exception as error:
                line = self._line_in_need(record, error)
            if thread.shows:
                # Standard error is a logger's: this is what is being shown, and counted there.
                if not _write_to_standard_error(line.decode("utf-8", "backslashreplace")):
                    with self._lock:
                        self._lost += 1
            elif thread.works_for is self:
                self._from_worker.append(line)
            else:
                self._put(line)
        except Exception:
            with self._lock:
                self._lost += 1
            self.handleError(record)

    def flush(self, timeout: float | None = None) -> bool:  # type: ignore[override]
        """Waits until all that was logged before is sent or shown; returns whether it was done in time.

        Args:
            timeout: Seconds; `flush_seconds` without it.
        """
        began = time.monotonic()
        if timeout is not None:
            return self._flush_until(began + timeout)
        try:
            return self._flush_until(began + lifecycle.left_at_end(self.flush_seconds))
        finally:
            lifecycle.add_to_end(began)

    def close(self, timeout: float | None = None) -> None:
        """Sends what was logged before, for `flush_seconds` at most; the rest goes to the spool or is shown."""
        began = time.monotonic()
        if timeout is not None:
            self._close_at(began + timeout)
        else:
            self._close_at(began + lifecycle.left_at_end(self.flush_seconds), began)

    def _flush_until(self, deadline: float) -> bool:
        with self._changed:
            self._begin_flush()
            target = self._flush_up_to
        return self._wait_until_settled(target, deadline)

    def _close_at(self, deadline: float, counts_since: float | None = None) -> None:
        with self._changed:
            was_closed = self._is_closed
            self._begin_close()
            # And not until there is nothing more, which is never as long as other threads log.
            target = self._flush_up_to
        try:
            if not was_closed:
                self._wait_until_settled(target, deadline)
        finally:
            # Before the rest is shown, which takes as long as standard error does.
            if counts_since is not None:
                lifecycle.add_to_end(counts_since)
            with self._changed:
                self._is_closed = True
                self._put_from_worker()
                self._changed.notify_all()
            self._divert()
            with self._changed:
                if self._spool is not None and not was_closed:
                    self._spool.close()
                # A worker that is in a call closes the connection when it has come back.
                is_idle = not self._has_worker() and not self._stand_in
                count = self._shown
            if is_idle:
                self._sender.close()
            if count and not was_closed:
                self._note("end", f"{count} records were not sent and stand on standard error")
            super().close()

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
        lifecycle.thread.works_for = self
        try:
            if self._spool is not None:
                self._adopt()
            while True:
                batch = self._next_batch(None)
                if batch is None:
                    return
                try:
                    self._deliver(batch, None)
                except Exception as error:
                    # A fault of this handler's own: nothing may be lost of it, and nobody be kept busy.
                    self._note("fault", f"{type(error).__name__}: {shown(error)}; it is tried again")
                    with self._changed:
                        self._take_back()
                    self._pause(self._backoff_max_seconds, None)
        finally:
            with self._changed:
                if self._worker is threading.current_thread():
                    self._worker = None
                    self._take_back()
                lifecycle.thread.works_for = None
                self._put_from_worker()
                self._changed.notify_all()
                is_closed = self._is_closed
            if is_closed:
                self._divert()
                self._sender.close()

    def _send_here(self, target: int, deadline: float) -> None:
        """Sends in this thread, where there cannot be another one."""
        thread = lifecycle.thread
        before, thread.works_for = thread.works_for, self
        try:
            with self._changed:
                self._take_back()
                self._flush_up_to = max(self._flush_up_to, target)
            while self._settled < target and time.monotonic() < deadline:
                batch = self._next_batch(deadline)
                if batch is None:
                    break
                self._deliver(batch, deadline)
        finally:
            with self._changed:
                self._take_back()
                thread.works_for = before
                self._stand_in = False
                self._put_from_worker()
                self._changed.notify_all()

    def _put_from_worker(self) -> None:
        while self._from_worker:
            self._put(self._from_worker.popleft())

    def _adopt(self) -> None:
        assert self._spool is not None
        try:
            with self._changed:
                # A handler that is closed takes nothing any more, since it would not send it.
                if not self._is_closing:
                    self._spool.adopt()
                adopted = self._spool.adopted_segments()
        except OSError as error:
            self._note("adopt", f"what an earlier process left in the spool cannot be read ({error})")
            return
        for segment in adopted:
            # Should it go, that says how many are lost.
            segment.left = spool.count(segment)

    def _take_back(self) -> None:
        """Puts what was being sent back to where it was, when its sender is no more."""
        if self._spool is not None:
            self._spool.rewind()
        self._own_lane.held = self._adopted_lane.held = None
        batch, self._sending = self._sending, None
        if batch is not None and not batch.sources and not batch.is_abandoned:
            batch.is_abandoned = True
            self._waiting.extendleft(reversed(batch.records))
            self._waiting_bytes += sum(map(len, batch.records))

    def _next_batch(self, deadline: float | None) -> _Batch | None:
        """Waits for something to send. With a deadline, or when closing, None as soon as there is nothing."""
        while True:
            with self._changed:
                self._put_from_worker()
                if self._is_closed:
                    return None
                now = time.monotonic()
                own, adopted = self._own_due(), self._adopted_due()
                if own <= now and not (adopted <= now and self._is_adopted_next):
                    self._is_adopted_next = True
                    if self._waiting:
                        self._sending = _Batch(self._take(), [], True)
                        return self._sending
                    lane = self._own_lane
                elif adopted <= now:
                    self._is_adopted_next = False
                    lane = self._adopted_lane
                else:
                    due = min(own, adopted)
                    if (due == math.inf and self._is_closing) or (deadline is not None and due >= deadline):
                        return None
                    if self._from_worker:
                        continue
                    if self._spool is None:
                        # What did not fit is long behind.
                        self._notes.discard("full")
                    self._changed.wait(None if due == math.inf else due - now)
                    continue
                if lane.held is not None:
                    self._sending, lane.held = lane.held, None
                    return self._sending
            batch = self._read(lane)
            if batch is not None:
                return batch

    def _own_due(self) -> float:
        """Returns when something of this process is to be sent: 0 for at once, infinity for nothing there."""
        count = len(self._waiting)
        if count == 0:
            # What is in the spool is newer than what is in memory, and older than what comes.
            return self._own_lane.not_before if self._is_spooling else math.inf
        if (
            count >= BATCH_RECORDS
            or self._waiting_bytes >= BATCH_BYTES
            or self._is_closing
            or self._is_spooling
            or self._flush_up_to > self._settled
        ):
            return 0.0
        return self._oldest + self._batch_seconds

    def _adopted_due(self) -> float:
        if self._spool is None or self._is_closing or not self._spool.has_adopted():
            return math.inf
        return self._adopted_lane.not_before

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

    def _read(self, lane: _Lane) -> _Batch | None:
        """Reads what is next in the spool; None where there is nothing, or it has to wait."""
        assert self._spool is not None
        is_own = lane is self._own_lane
        with self._changed:
            segment = self._spool.own_segment() if is_own else self._spool.adopted_segment()
            if segment is None:
                self._is_spooling = self._is_spooling and not is_own
                self._notes.discard("full")
                return None
        source = self._read_segment(segment, lane, BATCH_RECORDS, BATCH_BYTES)
        if source is None:
            return None
        with self._changed:
            batch = _Batch(source.records, [source], is_own)
            if source.records:
                self._sending = batch
                return batch
            self._finish(batch)
            return None

    def _read_segment(
        self, segment: spool.Segment, lane: _Lane, max_records: int, max_bytes: int
    ) -> spool.Batch | None:
        with self._changed:
            size = segment.size
        try:
            source = spool.read(segment, size, max_records, max_bytes)
        except FileNotFoundError as error:
            # Somebody has taken it away: what comes after it is not held up.
            with self._changed:
                source = spool.gone(segment)
                self._lost += source.count
            self._note("gone", f"{segment.path} cannot be read ({error}); {source.count} records are lost")
            return source
        except OSError as error:
            # Too many open files, a disk that is not there for a moment: the records are not lost.
            self._note("spool", f"{segment.path} cannot be read ({error}); it is tried again")
            with self._changed:
                lane.not_before = time.monotonic() + self._pause_after(lane.failures, Kind.PASSING)
                lane.failures += 1
            return None
        if lane.failures:
            lane.failures = 0
            with self._changed:
                self._notes.discard("spool")
        if source.torn:
            self._note("torn", f"{segment.path} holds what is no whole record; it follows")
            self._show(source.torn)
        return source

    def _deliver(self, batch: _Batch, deadline: float | None) -> None:
        """Sends a batch until all of it is taken or given up. In order, and only what was not taken again.

        One from the disk is left for the time of a pause, and comes back.
        """
        while batch.records:
            head = batch.records[: batch.limit]
            if deadline is None:
                outcome = self._sender.send(head)
            else:
                outcome = self._sender.send(head, max(0.0, deadline - time.monotonic()))
            refused = [head[index] for index in outcome.refused]
            taken = len(head) - len(refused)
            now = time.monotonic()
            hopeless: list[bytes] = []
            with self._changed:
                self._requests += 1
                self._refused += len(refused)
                self._sent += taken
                if batch.is_abandoned:
                    # Its records are shown or on disk; that some of them arrived nevertheless is at worst a duplicate.
                    return
                hopeless = self._doubt(batch, outcome.refused, len(head))
                batch.sent_before = self._sent
                batch.records = refused[len(hopeless) :] + batch.records[batch.limit :]
                self._settle(batch, taken)
            if taken:
                batch.progress, batch.failures = now, 0
            if outcome.trouble is None:
                self._recovered()
                batch.limit = max(batch.limit, min(len(batch.records), 2 * batch.limit))
                continue
            if hopeless:
                self._tell_of_refused(outcome.trouble)
                self._show(hopeless)
            if outcome.trouble.kind is Kind.INVALID:
                if len(head) > 1:
                    batch.limit = (len(head) + 1) // 2
                    continue
                self._tell_of_refused(outcome.trouble)
                if not self._set_aside(batch, 1):
                    return
                batch.failures += 1
                if batch.failures < 3:
                    continue
                # Perhaps it is not due to the records, and the service had better not be asked for each at once.
            elif not taken:
                self._tell(outcome.trouble)
            if batch.doubted or now - batch.progress >= self._retry_seconds:
                if not batch.sources:
                    self._give_up(batch)
                    return
                self._widen(batch)
            pause = self._pause_after(batch.failures, outcome.trouble.kind)
            batch.failures += 1
            if deadline is not None and time.monotonic() + pause >= deadline:
                return
            if self._hold(batch, pause) or not self._pause(pause, batch):
                return
        with self._changed:
            self._finish(batch)

    def _doubt(self, batch: _Batch, refused: Sequence[int], count: int) -> list[bytes]:
        """Looks at what became of the first records, which were refused for too long; returns those to be given up.

        As long as nothing is taken, it is not due to them. Nor in one call, since throttling picks at random.
        """
        if not batch.doubted:
            return []
        in_call = min(batch.doubted, count)
        still = sum(index < in_call for index in refused)
        batch.doubted -= in_call - still
        # In this call, or in the other lane's turn since the last one.
        is_other_lane = self._sent - (count - len(refused)) > batch.sent_before
        if count - in_call <= len(refused) - still and not is_other_lane:
            return []
        batch.passed_over += 1
        if still and batch.passed_over < _PASSED_OVER:
            return []
        batch.doubted -= still
        return [batch.records[index] for index in refused[:still]]

    def _widen(self, batch: _Batch) -> None:
        """Sends newer records along with what is refused for too long, so that it does not hold them up."""
        assert self._spool is not None
        if not batch.doubted:
            batch.doubted, batch.passed_over = len(batch.records), 0
        room = BATCH_RECORDS - len(batch.records)
        bytes_left = BATCH_BYTES - sum(map(len, batch.records))
        with self._changed:
            segment = None if batch.is_abandoned else self._spool.following(batch.sources[-1].segment)
        if segment is None or room <= 0 or bytes_left < RECORD_BYTES:
            return
        source = self._read_segment(segment, self._own_lane if batch.is_own else self._adopted_lane, room, bytes_left)
        if source is not None:
            batch.limit = BATCH_RECORDS
            with self._changed:
                batch.sources.append(source)
                batch.records = batch.records + source.records

    def _hold(self, batch: _Batch, seconds: float) -> bool:
        """Leaves a batch from the disk for so long, in which the other lane has its turns; returns whether it did."""
        with self._changed:
            if not batch.sources or batch.is_abandoned:
                return False
            lane = self._own_lane if batch.is_own else self._adopted_lane
            lane.held, self._sending = batch, None
            lane.not_before = time.monotonic() + (min(seconds, 0.5) if self._is_closing else seconds)
            return True

    def _pause_after(self, failures: int, kind: Kind) -> float:
        pause = min(self._backoff_max_seconds, self._backoff_seconds * 2.0 ** min(failures, 30))
        if kind is Kind.SETUP:
            pause = max(pause, min(1.0, self._backoff_max_seconds))
        # Half of it at random, so that many processes do not come back at once.
        return pause * random.uniform(0.5, 1.0)

    def _pause(self, seconds: float, batch: _Batch | None) -> bool:
        """Waits; a close that begins meanwhile cuts it short. Returns whether to go on."""
        with self._changed:
            was_closing = self._is_closing
            deadline = time.monotonic() + (min(seconds, 0.5) if was_closing else seconds)
            while self._is_closing is was_closing and not (self._is_closed or (batch and batch.is_abandoned)):
                left = deadline - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(left)
            return batch is None or not batch.is_abandoned

    def _give_up(self, batch: _Batch) -> None:
        """Ends the tries of a batch from memory; one from the disk is tried for ever."""
        if self._spool is not None:
            self._divert()
            return
        self._set_aside(batch, len(batch.records))
        with self._changed:
            self._finish(batch)

    def _set_aside(self, batch: _Batch, count: int) -> bool:
        """Shows the first records of a batch, which are not sent any more; False if somebody else has taken them."""
        with self._changed:
            if batch.is_abandoned:
                return False
            batch.doubted = max(0, batch.doubted - count)
            records, batch.records = batch.records[:count], batch.records[count:]
            if not batch.sources:
                self._to_show.extend(records)
        if batch.sources:
            self._show(records)
        else:
            self._show_and_settle()
        return True

    def _settle(self, batch: _Batch, count: int) -> None:
        # Those from the disk only when all of them are done, since it is all of them that are read again otherwise.
        if not batch.sources:
            self._settled += count
            self._changed.notify_all()

    def _finish(self, batch: _Batch) -> None:
        if self._sending is batch:
            self._sending = None
        if self._spool is not None and not batch.is_abandoned and not self._is_closed:
            for source in batch.sources:
                self._spool.commit(source.segment, source.size, source.count)
                if batch.is_own:
                    self._settled += source.count
            if batch.sources and batch.is_own and not self._spool.has_own():
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
            # As every pause, this one is cut short.
            self._own_lane.not_before = 0.0
            self._begin_flush()

    def _wait_until_settled(self, target: int, deadline: float) -> bool:
        """Waits until so many records are done with; sends them itself where nobody else does."""
        if lifecycle.thread.sends or lifecycle.thread.works_for is self:
            # It would wait for itself.
            return self._settled >= target
        with self._changed:
            while self._settled < target and (self._has_worker() or self._stand_in):
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._changed.wait(left)
            if self._settled >= target:
                return True
            self._stand_in = True
        self._send_here(target, deadline)
        return self._settled >= target

    def _divert(self) -> None:
        """Takes what is in memory and being sent out of there: to the spool, or to standard error."""
        trouble = None
        while True:
            with self._changed:
                batch = self._sending
                # What is being sent from the disk is on the disk.
                if batch is not None and (not batch.sources or self._is_closed):
                    batch.is_abandoned = True
                    self._sending = None
                    if not batch.sources:
                        self._waiting.extendleft(reversed(batch.records))
                        self._waiting_bytes += sum(map(len, batch.records))
                if not self._waiting:
                    break
                trouble = self._spool_newest_of_memory() if self._spool is not None else None
                if self._spool is None or trouble is not None:
                    self._to_show.extend(self._waiting)
                    self._waiting.clear()
                    self._waiting_bytes = 0
                    break
            # Who logs meanwhile gets the lock.
            time.sleep(0)
        if trouble:
            self._note("full", f"the spool {trouble}; what does not fit follows")
        self._show_and_settle()

    def _spool_newest_of_memory(self) -> str | None:
        """Moves a piece of what is in memory to the disk, in front of what is there; returns what was in the way."""
        assert self._spool is not None
        piece: deque[bytes] = deque()
        size = 0
        while self._waiting and (not piece or size + len(self._waiting[-1]) <= _PIECE_BYTES):
            piece.appendleft(self._waiting.pop())
            size += len(piece[0])
        trouble = None
        try:
            left = self._spool.put_before(list(piece))
            if left:
                trouble = "is full"
        except OSError as error:
            trouble, left = f"cannot be written ({error})", list(piece)
        if len(left) < len(piece):
            self._spooled += len(piece) - len(left)
            self._is_spooling = True
        self._waiting.extend(left)
        self._waiting_bytes += sum(map(len, left)) - size
        return trouble

    def _show_and_settle(self) -> None:
        """Shows what is given up, each record settled once it stands there.

        Whoever has begun goes on, so that the order stays; others wait for it, since the end of the process would take
        away what is in its hands, and take over when nothing was written for a second.
        """
        me = threading.get_ident()
        while self._begin_to_show(me):
            line: bytes | None = None
            try:
                while True:
                    with self._changed:
                        if not self._to_show:
                            break
                        line = self._to_show.popleft()
                    self._show((line,))
                    with self._changed:
                        self._settled += 1
                        line = None
                        self._changed.notify_all()
            finally:
                with self._changed:
                    if line is not None:
                        # Something like Ctrl-C came in between; twice is better than never.
                        self._to_show.appendleft(line)
                    self._showing.remove(me)
                    self._changed.notify_all()

    def _begin_to_show(self, me: int) -> bool:
        """Waits for other threads that show; returns whether there is something left to be shown by this one."""
        with self._changed:
            settled, deadline = -1, 0.0
            # What is in this thread's own hands comes back: this is a signal handler then.
            while any(thread != me for thread in self._showing):
                if self._settled != settled:
                    settled, deadline = self._settled, time.monotonic() + 1.0
                left = deadline - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(left)
            if not self._to_show:
                return False
            self._showing.append(me)
            return True

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
        else:
            text = f"{trouble.code}: {trouble.text}; somebody has to mend this, meanwhile it is tried again"
        self._note(f"trouble {trouble.code}", text)

    def _tell_of_refused(self, trouble: Trouble) -> None:
        self._note(
            f"trouble refused {trouble.code}", f"a record was refused, {trouble.code}: {trouble.text}; it follows"
        )

    def _recovered(self) -> None:
        with self._lock:
            left = {note for note in self._notes if not note.startswith("trouble ")}
            is_news = len(left) < len(self._notes)
            self._notes = left
        if is_news:
            _write_to_standard_error(f"ekk: stream {self.stream_name}: records are taken again\n")

    def _note(self, key: str, text: str) -> None:
        """Says something once, until what it is about has passed."""
        with self._lock:
            if key in self._notes:
                return
            self._notes.add(key)
        _write_to_standard_error(f"ekk: stream {self.stream_name}: {text}\n")

    # A fork.

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


def _refuse(name: str) -> object:
    raise ValueError(f"{name} is no JSON")


#: JSON has no NaN and no infinity, and an index refuses them. Not `decode`, which takes twice as long.
_scan: Callable[[str, int], tuple[object, int]] = json.JSONDecoder(parse_constant=_refuse).scan_once  # type: ignore[attr-defined]


def _is_document(text: str) -> bool:
    """Tells whether a text is a JSON object, and not only begins like one."""
    if not text.startswith("{"):
        return False
    try:
        end = _scan(text, 0)[1]
    except (ValueError, StopIteration, RecursionError):
        return False
    return end == len(text) or not text[end:].strip(" \t\r\n")


def _write_to_standard_error(text: str) -> bool:
    if sys.stderr is None:
        return False
    # Standard error may be redirected to a logger (Celery does), which would come back here.
    if not lifecycle.thread.shows:
        lifecycle.thread.shows = True
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
            return True
        except Exception:
            pass  # Closed, or in the middle of a write that a signal interrupted.
        finally:
            lifecycle.thread.shows = False
    if sys.__stderr__ is None:
        # It was closed when the process began, and what has its number now is somebody else's file.
        return False
    data = text.encode("utf-8", "backslashreplace")
    try:
        while data:
            data = data[os.write(2, data) :]
    except OSError:
        return False
    return True
