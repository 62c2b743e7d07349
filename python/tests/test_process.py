"""The end of a process in all its ways, forks, and what is logged in between: each in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import Firehose, until
from test_handler import Make, shown
from test_spool import environment, files, leave, on_disk

PREAMBLE = """
import logging, os, signal, sys, threading, time
import ekk

logger = logging.getLogger("app")
logger.setLevel(logging.INFO)

def ship(**arguments):
    settings = {"stream": "test", "endpoint_url": os.environ["FIREHOSE"], **arguments}
    handler = ekk.FirehoseHandler(**settings)
    logger.addHandler(handler)
    return handler

"""


def start(firehose: Firehose, program: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", PREAMBLE + program],
        env={**environment(), "FIREHOSE": firehose.url},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(firehose: Firehose, program: str) -> tuple[int, str]:
    """Runs a program to its end; returns its exit code and standard error."""
    process = start(firehose, program)
    _, error = process.communicate(timeout=60)
    return process.returncode, error


def test_a_program_that_ends_at_once_ships_its_line(firehose: Firehose) -> None:
    assert run(firehose, "ship(batch_seconds=60)\nlogger.info('a')") == (0, "")
    assert firehose.taken() == ["a"]


def test_a_program_that_fails_ships_its_line(firehose: Firehose) -> None:
    code, error = run(firehose, "ship(batch_seconds=60)\nlogger.info('a')\n1 / 0")
    assert code == 1 and "ZeroDivisionError" in error
    assert firehose.taken() == ["a"]


def test_what_is_logged_while_the_program_ends_is_shipped(firehose: Firehose) -> None:
    program = """
import atexit
atexit.register(lambda: logger.info("first to register, last to run"))
ship(batch_seconds=60)
atexit.register(lambda: logger.info("last to register, first to run"))
"""
    assert run(firehose, program) == (0, "")
    assert firehose.taken() == ["last to register, first to run", "first to register, last to run"]


def test_the_end_takes_no_longer_than_it_is_told(firehose: Firehose) -> None:
    firehose.set(hang=True)
    program = """
import atexit
began = []
# The first to register is the last to run, but for logging's own, which was registered before it.
logger.addHandler(type("Last", (logging.NullHandler,), {"close": lambda self: print(time.monotonic() - began[0])})())
ship(flush_seconds=2)
ship(flush_seconds=2)
logger.info("a")
atexit.register(lambda: began.append(time.monotonic()))
"""
    process = start(firehose, program)
    output, error = process.communicate(timeout=60)
    assert shown(error) == ["a", "a"]
    assert 1.9 < float(output) < 3.9


def test_sigterm_ships_and_ends_the_program_as_ever(firehose: Firehose) -> None:
    program = """
ship(batch_seconds=60)
logger.info("a")
print("ready", flush=True)
time.sleep(60)
"""
    process = start(firehose, program)
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    _, error = process.communicate(timeout=20)
    assert (process.returncode, error) == (-signal.SIGTERM, "")
    assert firehose.taken() == ["a"]


def test_sigterm_in_the_middle_of_logging_is_no_deadlock(firehose: Firehose) -> None:
    program = """
ship(flush_seconds=2)
print("ready", flush=True)
n = 0
while True:
    logger.info("%d", n)
    n += 1
"""
    for _ in range(3):
        process = start(firehose, program)
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
        assert process.returncode == -signal.SIGTERM


@pytest.mark.parametrize(
    "taken", ["signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))", "signal.signal(signal.SIGTERM, signal.SIG_IGN)"]
)
def test_sigterm_that_somebody_has_taken_stays_theirs(firehose: Firehose, taken: str) -> None:
    program = f"""
{taken}
before = signal.getsignal(signal.SIGTERM)
ship()
sys.exit(0 if signal.getsignal(signal.SIGTERM) is before else 1)
"""
    assert run(firehose, program) == (0, "")


def test_sigterm_is_left_alone_from_another_thread_and_on_request(firehose: Firehose) -> None:
    program = """
thread = threading.Thread(target=ship)
thread.start()
thread.join()
ship(hook_sigterm=False)
sys.exit(0 if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL else 1)
"""
    assert run(firehose, program) == (0, "")


def test_parent_and_child_of_a_fork_ship_their_own_once(firehose: Firehose) -> None:
    program = """
ship(batch_seconds=60)
logger.info("before")
children = []
for n in range(4):
    child = os.fork()
    if child == 0:
        logger.info("child %d", n)
        logging.shutdown()
        os._exit(0)
    children.append(child)
logger.info("parent")
for child in children:
    assert os.waitpid(child, 0)[1] == 0
"""
    assert run(firehose, program) == (0, "")
    assert sorted(firehose.taken()) == ["before", *(f"child {n}" for n in range(4)), "parent"]


def test_forks_in_the_middle_of_everything_are_no_deadlock(firehose: Firehose) -> None:
    program = """
handler = ship(batch_seconds=0.001)
stop = False
def busy(name):
    n = 0
    while not stop:
        logger.info("%s %d", name, n)
        n += 1
        time.sleep(0.0002)
threads = [threading.Thread(target=busy, args=(name,)) for name in "ab"]
for thread in threads:
    thread.start()
for n in range(30):
    child = os.fork()
    if child == 0:
        logger.info("child %d", n)
        logging.shutdown()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
stop = True
for thread in threads:
    thread.join()
"""
    assert run(firehose, program) == (0, "")
    taken = firehose.taken()
    assert len(taken) == len(set(taken))
    assert sorted(message for message in taken if message.startswith("child")) == sorted(
        f"child {n}" for n in range(30)
    )


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing_ships_what_its_children_log(firehose: Firehose, tmp_path: Path, method: str) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        PREAMBLE
        + f"""
import multiprocessing

def work(n):
    if {method!r} != "fork":
        ship(batch_seconds=60)
    logger.info("child %d", n)

if __name__ == "__main__":
    ship(batch_seconds=60)
    logger.info("parent")
    context = multiprocessing.get_context({method!r})
    children = [context.Process(target=work, args=(n,)) for n in range(3)]
    for child in children:
        child.start()
    for child in children:
        child.join()
        assert child.exitcode == 0
"""
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(program)],
        env={**environment(), "FIREHOSE": firehose.url},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(firehose.taken()) == ["child 0", "child 1", "child 2", "parent"]


def test_workers_that_were_forked_share_a_spool_and_the_next_start_sends_it(firehose: Firehose, tmp_path: Path) -> None:
    firehose.set(error="ServiceUnavailableException", status=503)
    program = f"""
ship(spool={str(tmp_path)!r}, flush_seconds=0.2, queue_records=1)
logger.info("master 0")
logger.info("master 1")
workers = []
for n in range(3):
    worker = os.fork()
    if worker == 0:
        for m in range(200):
            logger.info("worker %d %d", n, m)
        if n == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        logging.shutdown()
        os._exit(0)
    workers.append(worker)
for worker in workers:
    os.waitpid(worker, 0)
"""
    code, error = run(firehose, program)
    assert (code, shown(error)) == (0, [])
    left = on_disk(tmp_path)
    assert len({path.parent for path in files(tmp_path)}) == 4
    # All but what the killed one had in memory.
    assert len(left) >= 2 + 400 + 190
    firehose.set()
    code, error = run(
        firehose,
        f"handler = ship(spool={str(tmp_path)!r})\n"
        "while handler.counts().sent < " + str(len(left)) + ": time.sleep(0.01)\n",
    )
    assert (code, error) == (0, "")
    taken = firehose.taken()
    assert sorted(taken) == sorted(left)
    for name in ("master", "worker 1", "worker 2"):
        own = [message for message in taken if message.startswith(name)]
        assert own == sorted(own, key=lambda message: int(message.split()[-1]))
    assert list(tmp_path.glob("*/*")) == []


def test_a_child_that_outlives_its_parent_does_not_hold_the_parent_s_spool(firehose: Firehose, tmp_path: Path) -> None:
    firehose.set(error="ServiceUnavailableException", status=503)
    program = f"""
ship(spool={str(tmp_path)!r}, flush_seconds=0.1, queue_records=1)
logger.info("a")
logger.info("b")
if os.fork() == 0:
    sys.stdout.close()
    sys.stderr.close()
    os.close(1)
    os.close(2)
    time.sleep(20)
    os._exit(0)
"""
    code, _ = run(firehose, program)
    assert code == 0 and sorted(on_disk(tmp_path)) == ["a", "b"]
    firehose.set()
    assert run(firehose, f"handler = ship(spool={str(tmp_path)!r})\ntime.sleep(1)") == (0, "")
    assert sorted(firehose.taken()) == ["a", "b"]


def test_asyncio_ships_without_holding_up_its_loop(firehose: Firehose) -> None:
    firehose.set(delay=0.2)
    program = """
import asyncio
ship(batch_seconds=0.01)

async def job(n):
    for m in range(50):
        logger.info("%d %d", n, m)
        await asyncio.sleep(0.001)

async def main():
    await asyncio.gather(*(job(n) for n in range(10)))

began = time.monotonic()
asyncio.run(main())
assert time.monotonic() - began < 5
"""
    assert run(firehose, program) == (0, "")
    taken = firehose.taken()
    assert len(taken) == 500
    for n in range(10):
        assert [message for message in taken if message.startswith(f"{n} ")] == [f"{n} {m}" for m in range(50)]


def test_the_handler_imports_without_the_binary(firehose: Firehose) -> None:
    code, error = run(firehose, "import shutil\nassert sys.path\nprint(ekk.__version__, ekk.FirehoseHandler)")
    assert (code, error) == (0, "")


def test_memory_is_bounded_in_an_outage(firehose: Firehose) -> None:
    firehose.set(hang=True)
    program = """
import resource
sys.stderr = open(os.devnull, "w")
ship(queue_records=2000, flush_seconds=0)
logger.info("warm")
time.sleep(1)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for n in range(200_000):
    logger.info("%d %s", n, "x" * 100)
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
os._exit(0 if grown < 10_000 else 1)
"""
    assert run(firehose, program) == (0, "")


EXHAUST = """
import resource
def exhaust():
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    held = []
    try:
        while True:
            held.append(open(os.devnull))
    except OSError:
        return held
def free(held):
    for file in held:
        file.close()
"""


def test_too_many_open_files_lose_nothing_of_the_spool(make: Make, firehose: Firehose, tmp_path: Path) -> None:
    leave(make, firehose, tmp_path, *(f"{n}" for n in range(300)))
    firehose.set()
    program = f"""
{EXHAUST}
import ekk.spool
read = ekk.spool.read
def exhausted(*arguments):
    ekk.spool.read = read
    held = exhaust()
    threading.Timer(0.3, free, [held]).start()
    return read(*arguments)
# The worker begins with the handler.
ekk.spool.read = exhausted
handler = ship(spool={str(tmp_path)!r}, backoff_seconds=0.05, backoff_max_seconds=0.05)
while handler.counts().sent < 300:
    time.sleep(0.01)
assert handler.counts().lost == 0
"""
    code, error = run(firehose, program)
    assert code == 0, error
    assert "Too many open files" in error and "it is tried again" in error
    assert firehose.taken() == [f"{n}" for n in range(300)]
    assert files(tmp_path) == []


def test_too_many_open_files_show_what_cannot_be_spooled(firehose: Firehose, tmp_path: Path) -> None:
    firehose.set(hang=True)
    program = f"""
{EXHAUST}
handler = ship(spool={str(tmp_path)!r}, queue_records=1, batch_seconds=60, flush_seconds=0)
logger.info("a")
held = exhaust()
logger.info("b")
free(held)
names = os.listdir({str(tmp_path / "test.spool")!r})
assert names == [], names
logger.info("c")
"""
    code, error = run(firehose, program)
    assert code == 0, error
    assert shown(error) == ["b"]
    assert "ekk: stream test: the spool cannot be written ([Errno 24] Too many open files" in error
    assert on_disk(tmp_path) == ["a", "c"]


def test_what_is_given_up_is_shown_before_the_end(firehose: Firehose) -> None:
    firehose.set(error="ServiceUnavailableException", status=503)
    program = """
ship(retry_seconds=0, batch_seconds=1)
for n in range(500):
    logger.info("%d %s", n, "x" * 2000)
print(logger.handlers[0].flush(), flush=True)
"""
    process = start(firehose, program)
    # Nobody reads standard error until long after the worker has begun to show.
    until(firehose.calls)
    time.sleep(0.5)
    output, error = process.communicate(timeout=60)
    assert (process.returncode, output) == (0, "True\n")
    assert [message.split()[0] for message in shown(error)] == [f"{n}" for n in range(500)]


def test_a_standard_error_that_was_closed_at_the_beginning_is_no_file_of_the_program(
    firehose: Firehose, tmp_path: Path
) -> None:
    firehose.set(poison="bad")
    program = f"""
file = open({str(tmp_path / "data")!r}, "w")
assert file.fileno() == 2
handler = ship()
logger.info("bad")
handler.close()
assert (handler.counts().shown, handler.counts().lost) == (0, 1)
"""
    command = ["sh", "-c", 'exec "$@" 2>&-', "sh", sys.executable, "-c", PREAMBLE + program]
    done = subprocess.run(command, env={**environment(), "FIREHOSE": firehose.url}, timeout=60)
    assert done.returncode == 0
    assert (tmp_path / "data").read_text() == ""


LAST = """
class Last(logging.NullHandler):
    def close(self):
        print(time.monotonic() - began, flush=True)
# The first handler to be made is the last to be closed.
last = Last()
"""


@pytest.mark.parametrize(
    "before",
    [
        # An atexit function of somebody else that takes its time, and one that logs.
        "import atexit\natexit.register(time.sleep, 1.2)\nship(flush_seconds=1)\nlogger.info('a')",
        "import atexit\nship(flush_seconds=1)\natexit.register(logger.info, 'a')",
        "import atexit\natexit.register(logger.info, 'a')\nship(flush_seconds=1)",
        # Standard error that takes its time.
        """
class Slow:
    def write(self, text):
        time.sleep(0.002)
        sys.__stderr__.write(text)
    def flush(self): pass
sys.stderr = Slow()
for _ in range(4): ship(flush_seconds=1)
for n in range(300): logger.info("a")
""",
    ],
)
def test_the_end_waits_once_for_all(firehose: Firehose, before: str) -> None:
    firehose.set(hang=True)
    program = f"{LAST}\n{before}\nbegan = time.monotonic()"
    process = start(firehose, program)
    output, error = process.communicate(timeout=60)
    assert set(shown(error)) == {"a"}
    others = 1.2 if "time.sleep, 1.2" in before else 4 * 300 * 0.0025 if "Slow" in before else 0
    assert float(output) < 1 + others + 0.9


def test_the_end_waits_for_what_was_logged_before_it_and_not_for_threads_that_go_on(firehose: Firehose) -> None:
    firehose.set(delay=0.5)
    program = f"""
{LAST}
ship(flush_seconds=20)
def work():
    while True:
        logger.info("d")
        time.sleep(0.001)
threading.Thread(target=work, daemon=True).start()
time.sleep(0.5)
began = time.monotonic()
"""
    process = start(firehose, program)
    output, _ = process.communicate(timeout=60)
    assert float(output) < 8


def test_configuring_logging_in_the_middle_of_a_fork_is_no_deadlock(firehose: Firehose) -> None:
    firehose.set(hang=True)
    program = """
import logging.config
ship(flush_seconds=1)
logger.info("a")
time.sleep(0.5)
configures = threading.Thread(target=logging.config.dictConfig, args=({"version": 1},), daemon=True)
configures.start()
time.sleep(0.5)
child = os.fork()
if child == 0:
    logging.getLogger("other").warning("b")
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
configures.join(10)
assert not configures.is_alive()
os._exit(0)
"""
    code, error = run(firehose, program)
    assert code == 0, error


def test_handlers_made_in_the_middle_of_a_fork_are_no_deadlock(firehose: Firehose) -> None:
    # What is registered before ekk's own hooks, but after logging's, runs between them.
    hook = """
import logging, os, threading
makes = False
def make():
    if makes:
        thread = threading.Thread(target=lambda: ship(hook_sigterm=False))
        thread.start()
        thread.join(10)
        assert not thread.is_alive()
os.register_at_fork(before=make)
"""
    program = """
sys.setswitchinterval(1e-6)
stop = False
def keep_making():
    while not stop:
        ekk.FirehoseHandler("test", hook_sigterm=False)
makers = [threading.Thread(target=keep_making) for _ in range(3)]
for maker in makers:
    maker.start()
handler = ship(batch_seconds=60)
@ekk.flush_after(seconds=0)
def flushed(): pass
for n in range(30):
    makes = n == 7
    child = os.fork()
    if child == 0:
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    flushed()
stop = True
for maker in makers:
    maker.join()
other = threading.Thread(target=logger.info, args=("from another thread",), daemon=True)
other.start()
other.join(10)
assert not other.is_alive()
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", hook + PREAMBLE + program],
        env={**environment(), "FIREHOSE": firehose.url},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert firehose.taken() == ["from another thread"] * 2


def test_a_fork_in_the_moment_of_a_lock_does_not_leave_it_to_the_child(firehose: Firehose, tmp_path: Path) -> None:
    firehose.set(hang=True)
    program = f"""
handler = ship(spool={str(tmp_path)!r}, flush_seconds=0, queue_records=1)
flock = ekk.spool.fcntl.flock
children = []
def fork(descriptor, operation):
    flock(descriptor, operation)
    # Of another thread, as it would be.
    def run():
        child = os.fork()
        if child == 0:
            below = [name for name in os.listdir("/proc/self/fd") if {str(tmp_path)!r} in link(name)]
            os._exit(len(below))
        children.append(child)
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
def link(name):
    try:
        return os.readlink("/proc/self/fd/" + name)
    except OSError:
        return ""
ekk.spool.fcntl.flock = fork
logger.info("a")
logger.info("b")
assert [os.waitpid(child, 0)[1] for child in children] == [0]
"""
    code, error = run(firehose, program)
    assert code == 0, error
    assert on_disk(tmp_path) == ["a", "b"]


def test_a_fork_does_not_wait_for_the_first_call(firehose: Firehose) -> None:
    firehose.set(hang=True)
    program = """
handler = ship(batch_seconds=0)
logger.info("a")
while handler._sender._client is None:
    time.sleep(0.01)
time.sleep(0.2)
began = time.monotonic()
child = os.fork()
if child == 0:
    os._exit(0)
took = time.monotonic() - began
os.waitpid(child, 0)
handler.close(0)
os._exit(0 if took < 0.8 else 1)
"""
    assert run(firehose, program)[0] == 0


if os.environ.get("EKK_REAL_LOCALSTACK"):

    def test_localstack_takes_what_is_shipped() -> None:
        """On the address of a LocalStack in EKK_REAL_LOCALSTACK, with a stream of our own to a bucket of our own."""
        import boto3

        import ekk

        url = os.environ["EKK_REAL_LOCALSTACK"]
        arguments = {"endpoint_url": url, "region_name": "eu-west-1"}
        name = f"ekk-python-{os.getpid()}-{time.time_ns()}"
        s3 = boto3.client("s3", **arguments)
        firehose = boto3.client("firehose", **arguments)
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        firehose.create_delivery_stream(
            DeliveryStreamName=name[:64],
            ExtendedS3DestinationConfiguration={
                "RoleARN": "arn:aws:iam::000000000000:role/any",
                "BucketARN": f"arn:aws:s3:::{name}",
            },
        )
        handler = ekk.FirehoseHandler(name[:64], region="eu-west-1", endpoint_url=url, hook_sigterm=False)
        import logging

        logger = logging.Logger("app")
        logger.addHandler(handler)
        for n in range(1200):
            logger.info("%d", n)
        assert handler.flush(60)
        handler.close()
        assert handler.counts().sent == 1200

        def stored() -> str:
            keys = [each["Key"] for each in s3.list_objects_v2(Bucket=name).get("Contents", [])]
            return "".join(s3.get_object(Bucket=name, Key=key)["Body"].read().decode() for key in keys)

        until(lambda: stored().count("\n") == 1200, 60)
