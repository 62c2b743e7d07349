"""Records on disk, one a line, until Firehose has taken them. Decides nothing about when to send.

A folder of `PATH/STREAM.spool/` belongs to one process, which holds the lock in it. The folder of a process that is no
more is taken over by the next one that looks. Records lie in segments named `SEQUENCE-SENT.jsonl`: the first SENT bytes
of one have been sent. Nothing is forced to the disk but at the end: what was written outlives the process, not the
machine.
"""

from __future__ import annotations

import dataclasses
import io
import os
import re
import secrets
import socket
import time
from collections import deque
from collections.abc import Iterable
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

from ekk.formatter import RECORD_BYTES

#: A segment is deleted once it is sent, so this is how much longer than needed something stays on disk.
SEGMENT_BYTES = 4 * 1024 * 1024

#: The first segment; what is older but spooled later (what was in memory) goes before it.
_FIRST = 1_000_000_000

_NAME = re.compile(r"(\d{10})-(\d+)\.jsonl")


@dataclasses.dataclass(eq=False)
class Segment:
    """A file of records, the first `sent` bytes of which are done."""

    folder: Path
    sequence: int
    sent: int
    size: int
    path: Path
    #: How many records of it are not marked as sent; known only of those that this process wrote.
    left: int = 0
    #: What was read and not handed out yet.
    lines: deque[bytes] = dataclasses.field(default_factory=deque)


@dataclasses.dataclass
class Batch:
    """Records of one segment, and how many of its bytes they are."""

    segment: Segment
    records: list[bytes]
    size: int
    #: What is no whole record, and lay before or after them.
    torn: list[bytes]


class _Folder:
    """The segments of one process, in order, and the lock on them."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self.lock = lock
        self.segments: deque[Segment] = deque()

    def leave(self) -> None:
        """Gives the lock up; the folder goes when nothing is in it."""
        if not self.segments:
            (self.path / "lock").unlink(missing_ok=True)
            try:
                self.path.rmdir()
            except OSError:
                pass  # What else lies there is not ours.
        os.close(self.lock)


class Spool:
    """The records of one stream on disk. Its caller sees to it that one thread at a time is in it."""

    def __init__(self, path: str, stream: str, max_bytes: int) -> None:
        if fcntl is None:
            raise ValueError("spool needs a system with file locks (flock), which this one has not")
        # Not the bare name: `.` and `..` are names of streams, too.
        self._root = Path(path).absolute() / f"{stream}.spool"
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.access(self._root, os.W_OK | os.X_OK):
            raise PermissionError(f"spool {self._root} may not be written")
        self._max_bytes = max_bytes
        self._own: _Folder | None = None
        self._tail: int | None = None
        self._adopted: deque[_Folder] = deque()
        #: Bytes on disk, sent ones of a segment included.
        self.size = 0

    def has_own(self) -> bool:
        """Tells whether something of this process waits."""
        return self._own is not None and bool(self._own.segments)

    def has_adopted(self) -> bool:
        """Tells whether something of a process that is no more waits."""
        return bool(self._adopted)

    def has_orphans(self) -> bool:
        """Tells whether there is something to adopt, at a glance: it may belong to a process that lives."""
        return any(any(_segments(folder)) for folder in self._root.iterdir())

    def append(self, record: bytes) -> bool:
        """Writes a record after all others; False when the bound is reached. Raises OSError."""
        if self.size + len(record) > self._max_bytes:
            return False
        own = self._owned()
        if self._tail is None or own.segments[-1].size + len(record) > SEGMENT_BYTES:
            sequence = own.segments[-1].sequence + 1 if own.segments else _FIRST
            self._begin(own, sequence)
        assert self._tail is not None
        self._write(self._tail, own.segments[-1], record)
        return True

    def put_before(self, records: Iterable[bytes]) -> list[bytes]:
        """Writes records that are older than all others of this process; returns those that did not fit."""
        records = deque(records)
        if not records:
            return []
        own = self._owned()
        # Made in one piece before it is one of the segments, so that nothing is ever seen half.
        sequence = own.segments[0].sequence - 1 if own.segments else _FIRST
        segment = _new_segment(own.path, sequence)
        descriptor = _create(segment)
        try:
            while records and self.size + len(records[0]) <= self._max_bytes:
                try:
                    self._write(descriptor, segment, records[0])
                except OSError:
                    break
                records.popleft()
            os.fsync(descriptor)
        except OSError:
            pass  # A disk that cannot be forced has the records nevertheless.
        finally:
            os.close(descriptor)
            if segment.size:
                own.segments.appendleft(segment)
            else:
                segment.path.unlink(missing_ok=True)
        return list(records)

    def own_segment(self) -> Segment | None:
        """Returns the oldest segment of this process."""
        return self._own.segments[0] if self._own is not None and self._own.segments else None

    def rewind(self) -> None:
        """Forgets what was read and not marked as sent, so that it is read again."""
        for folder in [self._own, *self._adopted]:
            if folder is not None and folder.segments:
                folder.segments[0].lines.clear()

    def adopted_segment(self) -> Segment | None:
        """Returns the oldest segment of a process that is no more."""
        return self._adopted[0].segments[0] if self._adopted else None

    def commit(self, segment: Segment, size: int, count: int) -> None:
        """Marks the next bytes of a segment, which are so many records, as sent; it goes when all of them are."""
        segment.sent += size
        segment.left -= count
        folder = self._own if self._own is not None and segment in self._own.segments else self._adopted[0]
        if segment.sent < segment.size:
            # In the name, since a rename is whole or not at all. Where it fails, the next start sends them again.
            renamed = _path(segment.folder, segment.sequence, segment.sent)
            try:
                os.rename(segment.path, renamed)
                segment.path = renamed
            except OSError:
                pass
            return
        if folder is self._own and segment is folder.segments[-1] and self._tail is not None:
            os.close(self._tail)
            self._tail = None
        folder.segments.popleft()
        self.size -= segment.size
        try:
            segment.path.unlink(missing_ok=True)
        except OSError:
            pass
        if folder is not self._own and not folder.segments:
            self._adopted.popleft().leave()

    def adopt(self) -> None:
        """Takes over what processes that are no more have left."""
        assert fcntl is not None
        for path in sorted(self._root.iterdir()):
            if self._own is not None and path == self._own.path:
                continue
            if any(path == folder.path for folder in self._adopted):
                continue
            lock = _lock(path, os.O_RDWR)
            if lock is None:
                continue
            folder = _Folder(path, lock)
            folder.segments.extend(_segments(path))
            self.size += sum(segment.size for segment in folder.segments)
            if folder.segments:
                self._adopted.append(folder)
            else:
                folder.leave()

    def close(self) -> None:
        """Gives up all locks; what is left is sent by whoever comes next."""
        if self._tail is not None:
            try:
                os.fsync(self._tail)
            except OSError:
                pass
            os.close(self._tail)
            self._tail = None
        if self._own is not None:
            self._own.leave()
            self._own = None
        while self._adopted:
            self._adopted.popleft().leave()
        self.size = 0

    def forget(self) -> None:
        """Drops everything after a fork, since all of it is the parent's; its descriptors keep the locks."""
        for descriptor in [self._tail, *(folder.lock for folder in self._adopted)]:
            if descriptor is not None:
                os.close(descriptor)
        if self._own is not None:
            os.close(self._own.lock)
        self._own = None
        self._tail = None
        self._adopted = deque()
        self.size = 0

    def _owned(self) -> _Folder:
        while self._own is None:
            name = f"{socket.gethostname()}-{os.getpid()}-{time.time_ns()}-{secrets.token_hex(4)}"
            path = self._root / re.sub(r"[^\w.-]", "-", name)
            path.mkdir(mode=0o700)
            # Somebody who looks for orphans may have taken it in this moment; then it is another one.
            lock = _lock(path, os.O_RDWR | os.O_CREAT)
            if lock is not None:
                self._own = _Folder(path, lock)
        return self._own

    def _begin(self, own: _Folder, sequence: int) -> None:
        segment = _new_segment(own.path, sequence)
        descriptor = _create(segment)
        if self._tail is not None:
            os.close(self._tail)
        self._tail = descriptor
        own.segments.append(segment)

    def _write(self, descriptor: int, segment: Segment, record: bytes) -> None:
        try:
            written = os.write(descriptor, record)
            if written < len(record):
                raise OSError(f"only {written} of {len(record)} bytes could be written")
        except OSError:
            # The half of a record would swallow the next one.
            os.ftruncate(descriptor, segment.size)
            raise
        segment.size += len(record)
        segment.left += 1
        self.size += len(record)


def read(segment: Segment, size: int, max_records: int, max_bytes: int) -> Batch:
    """Reads the next records of a segment that is `size` bytes long by now. Raises OSError.

    Called by the one thread that sends, outside the handler's lock, so that nobody waits for the disk.
    """
    if not segment.lines:
        with open(segment.path, "rb") as file:
            file.seek(segment.sent)
            data = file.read(size - segment.sent)
        segment.lines.extend(io.BytesIO(data).readlines())
    records: list[bytes] = []
    torn: list[bytes] = []
    taken = total = 0
    while segment.lines and len(records) < max_records:
        line = segment.lines[0]
        is_whole = line.endswith(b"\n") and len(line) <= RECORD_BYTES
        if is_whole and total + len(line) > max_bytes:
            break
        segment.lines.popleft()
        taken += len(line)
        if is_whole:
            records.append(line)
            total += len(line)
        else:
            torn.append(line)
    return Batch(segment, records, taken, torn)


def _path(folder: Path, sequence: int, sent: int) -> Path:
    return folder / f"{sequence:010d}-{sent}.jsonl"


def _new_segment(folder: Path, sequence: int) -> Segment:
    return Segment(folder, sequence, 0, 0, _path(folder, sequence, 0))


def _create(segment: Segment) -> int:
    return os.open(segment.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)


def _segments(folder: Path) -> list[Segment]:
    found = []
    try:
        names = os.listdir(folder)
    except OSError:
        return []  # Gone meanwhile, or no folder.
    for name in names:
        match = _NAME.fullmatch(name)
        if match:
            size = (folder / name).stat().st_size
            found.append(Segment(folder, int(match[1]), int(match[2]), size, folder / name))
    return sorted(found, key=lambda segment: segment.sequence)


def _lock(folder: Path, flags: int) -> int | None:
    """Takes the lock of a folder; None when somebody else has it, or the folder goes meanwhile."""
    assert fcntl is not None
    try:
        descriptor = os.open(folder / "lock", flags, 0o600)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        same = os.stat(folder / "lock")
        mine = os.fstat(descriptor)
        if (same.st_dev, same.st_ino) == (mine.st_dev, mine.st_ino):
            return descriptor
    except OSError:
        pass
    os.close(descriptor)
    return None
