"""Records on disk, one a line, until Firehose has taken them. Decides nothing about when to send.

A folder of `PATH/STREAM.spool/` belongs to one process, which holds the lock in it. The folder of a process that is no
more is taken over by the next one that looks. Records lie in segments named `SEQUENCE-SENT.jsonl`: the first SENT bytes
of one have been sent. Nothing is forced to the disk but at the end: what was written outlives the process, not the
machine.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import itertools
import os
import re
import secrets
import socket
import time
from collections import deque
from collections.abc import Iterator
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
    #: How many records of it are not marked as sent; of an adopted one once `count` has been asked.
    left: int = 0
    #: How many bytes were handed out, sent ones among them; and how many records that are not marked as sent.
    handed: int = 0
    out: int = 0
    #: What was read and not handed out yet.
    lines: deque[bytes] = dataclasses.field(default_factory=deque)


@dataclasses.dataclass
class Batch:
    """The next records of one segment, and how many of its bytes they are."""

    segment: Segment
    records: list[bytes]
    size: int
    #: What is no whole record, and lay before or after them.
    torn: list[bytes]
    #: How many records that are, whole or not.
    count: int


class _Folder:
    """The segments of one process, in order, and the lock on them."""

    def __init__(self, path: Path, lock: int | None) -> None:
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
        self.let_go()

    def let_go(self) -> None:
        """Closes the lock, and so gives it up unless another process has inherited it."""
        if self.lock is not None:
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
        #: Whether a descriptor is being opened or closed in this moment, in which another thread may fork.
        self._is_moving = False
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
        try:
            return any(any(_segments(folder)) for folder in self._root.iterdir())
        except OSError:
            return False  # Gone meanwhile, or not to be read in this moment.

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

    def put_before(self, records: list[bytes]) -> list[bytes]:
        """Writes records that are older than all others of this process; returns those that did not fit."""
        room = self._max_bytes - self.size
        ends = list(itertools.takewhile(lambda end: end <= room, itertools.accumulate(map(len, records))))
        if not ends:
            return records
        own = self._owned()
        # Made in one piece before it is one of the segments, so that nothing is ever seen half.
        sequence = own.segments[0].sequence - 1 if own.segments else _FIRST
        segment = _new_segment(own.path, sequence)
        descriptor = _create(segment)
        try:
            written = os.write(descriptor, b"".join(records[: len(ends)]))
            segment.left = sum(end <= written for end in ends)
            segment.size = ends[segment.left - 1] if segment.left else 0
            if segment.size < written:
                # A disk that has become full; the half of a record would be taken for one.
                os.ftruncate(descriptor, segment.size)
        finally:
            os.close(descriptor)
            if segment.size:
                own.segments.appendleft(segment)
                self.size += segment.size
            else:
                segment.path.unlink(missing_ok=True)
        return records[segment.left :]

    def own_segment(self) -> Segment | None:
        """Returns the oldest segment of this process."""
        return self._own.segments[0] if self._own is not None and self._own.segments else None

    def rewind(self) -> None:
        """Forgets what was read and not marked as sent, so that it is read again."""
        for folder in [self._own, *self._adopted]:
            for segment in folder.segments if folder is not None else ():
                segment.lines.clear()
                segment.handed, segment.out = segment.sent, 0

    def adopted_segment(self) -> Segment | None:
        """Returns the oldest segment of a process that is no more."""
        return self._adopted[0].segments[0] if self._adopted else None

    def adopted_segments(self) -> list[Segment]:
        """Returns all segments of processes that are no more."""
        return [segment for folder in self._adopted for segment in folder.segments]

    def following(self, segment: Segment) -> Segment | None:
        """Returns the segment from which to read on after what was handed out of this one."""
        if segment.handed < segment.size:
            return segment
        own = self._own.segments if self._own is not None else ()
        after = itertools.dropwhile(
            lambda other: other is not segment, own if segment in own else self.adopted_segments()
        )
        return next(itertools.islice(after, 1, None), None)

    def commit(self, segment: Segment, size: int, count: int) -> None:
        """Marks the next bytes of a segment, which are so many records, as sent; it goes when all of them are."""
        segment.sent += size
        segment.left -= count
        segment.out -= count
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
        if folder is self._own and segment is folder.segments[-1]:
            self._end_tail()
        folder.segments.popleft()
        self.size -= segment.size
        try:
            segment.path.unlink(missing_ok=True)
        except OSError:
            pass
        if folder is not self._own and not folder.segments:
            with self._moving():
                self._adopted.popleft().leave()

    def adopt(self) -> None:
        """Takes over what processes that are no more have left; raises the last OSError, after all are seen to."""
        trouble = None
        for path in sorted(self._root.iterdir()):
            if self._own is not None and path == self._own.path:
                continue
            if any(path == folder.path for folder in self._adopted):
                continue
            try:
                with self._moving():
                    self._adopt_folder(path)
            except OSError as error:
                trouble = error
        if trouble is not None:
            raise trouble

    def _adopt_folder(self, path: Path) -> None:
        lock = _lock(path, os.O_RDWR)
        if lock is None:
            return
        folder = _Folder(path, lock)
        folder.segments.extend(_segments(path))
        self.size += sum(segment.size for segment in folder.segments)
        if folder.segments:
            self._adopted.append(folder)
        else:
            folder.leave()

    def close(self) -> None:
        """Forces what is left to the disk and gives up all locks; it is sent by whoever comes next."""
        self._end_tail()
        if self._own is not None:
            for segment in self._own.segments:
                _force(segment.path)
        with self._moving():
            if self._own is not None:
                self._own.leave()
                self._own = None
            while self._adopted:
                self._adopted.popleft().leave()
        self.size = 0

    def forget(self) -> None:
        """Drops everything after a fork, since all of it is the parent's; its descriptors keep the locks."""
        if self._is_moving:
            # What is known of them may be wrong.
            descriptors = _descriptors_below(self._root)
        else:
            folders = [folder for folder in [self._own, *self._adopted] if folder is not None]
            descriptors = [each for each in [self._tail, *(folder.lock for folder in folders)] if each is not None]
        for descriptor in descriptors:
            os.close(descriptor)
        self._own = None
        self._tail = None
        self._adopted = deque()
        self._is_moving = False
        self.size = 0

    @contextlib.contextmanager
    def _moving(self) -> Iterator[None]:
        self._is_moving = True
        try:
            yield
        finally:
            self._is_moving = False

    def _owned(self) -> _Folder:
        while self._own is None:
            name = f"{socket.gethostname()}-{os.getpid()}-{time.time_ns()}-{secrets.token_hex(4)}"
            path = self._root / re.sub(r"[^\w.-]", "-", name)
            path.mkdir(mode=0o700)
            with self._moving():
                try:
                    lock = _lock(path, os.O_RDWR | os.O_CREAT)
                except OSError:
                    _Folder(path, None).leave()
                    raise
                # Somebody who looks for orphans may have taken it in this moment; then it is another one.
                if lock is not None:
                    self._own = _Folder(path, lock)
        return self._own

    def _begin(self, own: _Folder, sequence: int) -> None:
        self._end_tail()
        segment = _new_segment(own.path, sequence)
        with self._moving():
            self._tail = _create(segment)
        own.segments.append(segment)

    def _end_tail(self) -> None:
        if self._tail is not None:
            with self._moving():
                os.close(self._tail)
                self._tail = None

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
            file.seek(segment.handed)
            data = file.read(size - segment.handed)
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
    segment.handed += taken
    segment.out += len(records) + len(torn)
    return Batch(segment, records, taken, torn, len(records) + len(torn))


def gone(segment: Segment) -> Batch:
    """Returns what is left of a segment that is there no more: nothing, and how many records that were."""
    batch = Batch(segment, [], segment.size - segment.handed, [], segment.left - segment.out)
    segment.handed, segment.out = segment.size, segment.left
    return batch


def count(segment: Segment) -> int:
    """Counts the records of a segment that are not marked as sent; 0 where it cannot be read."""
    try:
        with open(segment.path, "rb") as file:
            file.seek(segment.sent)
            return sum(1 for _ in file)
    except OSError:
        return 0


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
            try:
                size = (folder / name).stat().st_size
            except OSError:
                continue  # Sent and deleted meanwhile, or renamed, by the process to which it belongs.
            sent = int(match[2])
            found.append(Segment(folder, int(match[1]), sent, size, folder / name, handed=sent))
    return sorted(found, key=lambda segment: segment.sequence)


def _descriptors_below(folder: Path) -> list[int]:
    """Returns the descriptors of this process that are open in a folder, where the system tells."""
    found = []
    for name in os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else ():
        try:
            if Path(os.readlink(f"/proc/self/fd/{name}")).is_relative_to(folder.resolve()):
                found.append(int(name))
        except OSError:
            continue  # That of the listing itself.
    return found


def _force(path: Path) -> None:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError:
        pass  # A disk that cannot be forced has the records nevertheless.
    finally:
        os.close(descriptor)


def _lock(folder: Path, flags: int) -> int | None:
    """Takes the lock of a folder; None when somebody else has it, or the folder goes meanwhile. Raises OSError."""
    assert fcntl is not None
    try:
        descriptor = os.open(folder / "lock", flags, 0o600)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        same = os.stat(folder / "lock")
        mine = os.fstat(descriptor)
        if (same.st_dev, same.st_ino) == (mine.st_dev, mine.st_ino):
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        pass
    except OSError:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None
