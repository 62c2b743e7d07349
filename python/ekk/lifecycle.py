"""When handlers have to be flushed or made anew: the end of the process, SIGTERM, a fork, the end of a Lambda call."""

from __future__ import annotations

import atexit
import contextlib
import functools
import inspect
import os
import signal
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from typing import Any, Callable, TypeVar, overload

_Function = TypeVar("_Function", bound=Callable[..., Any])

#: Every handler that was made in this process. Never changed but replaced, so that who goes through it needs no lock.
_handlers: tuple[weakref.ref[Any], ...] = ()
_adding = threading.Lock()

#: Held while a boto3 client is made, see `without_fork`.
creating = threading.Lock()

#: For how long the end of the process has waited for handlers until now; None before it.
_waited_at_end: float | None = None

#: The process in which the end of the process is looked after.
_looked_after: int | None = None


class _Thread(threading.local):
    #: Whether this thread is in a call of Firehose, so that what it logs is kept out of the loop.
    sends = False
    #: Whether this thread writes to standard error for a handler, which may itself be redirected to a logger.
    shows = False
    #: The handler whose records this thread sends, in a call or between two.
    works_for: Any = None
    #: Whether this thread forks and holds `creating`.
    forks = False


thread = _Thread()


def add(handler: Any) -> None:
    """Looks after a handler for as long as it lives."""
    global _handlers
    with _adding:
        _handlers = (*(reference for reference in _handlers if reference() is not None), weakref.ref(handler))


def handlers() -> list[Any]:
    """Returns every handler that is alive in this process."""
    return [handler for handler in [reference() for reference in _handlers] if handler is not None]


@contextlib.contextmanager
def without_fork() -> Iterator[None]:
    """Lets a fork of another thread wait, for a second at most; and waits for one that is there, for as long."""
    held = creating
    is_taken = held.acquire(timeout=1.0)
    try:
        yield
    finally:
        if is_taken:
            held.release()


def flush_all(seconds: float | None = None) -> bool:
    """Flushes all handlers at once; returns whether all were done in time (each one's own without `seconds`)."""
    at_once = handlers()
    began = time.monotonic()
    for handler in at_once:
        handler._begin_flush()
    done = True
    for handler in at_once:
        allowed = left_at_end(handler.flush_seconds) if seconds is None else seconds
        done = handler._flush_until(began + allowed) and done
    add_to_end(began)
    return done


def close_all() -> None:
    """Closes all handlers at once; waits no longer than the longest `flush_seconds` of them."""
    at_once = handlers()
    began = time.monotonic()
    for handler in at_once:
        handler._begin_close()
    for handler in at_once:
        handler._close_at(began + left_at_end(handler.flush_seconds))
    add_to_end(began)


def begin_end() -> None:
    """Says that the process ends: from here on all waiting for one handler or another counts together."""
    global _waited_at_end
    if _waited_at_end is None:
        _waited_at_end = 0.0


def left_at_end(seconds: float) -> float:
    """Returns how many of so many seconds are left, if the process ends; otherwise all of them."""
    return seconds if _waited_at_end is None else max(0.0, seconds - _waited_at_end)


def add_to_end(began: float) -> None:
    """Counts what was waited since then, if the process ends."""
    global _waited_at_end
    if _waited_at_end is not None:
        _waited_at_end += time.monotonic() - began


def look_after_this_process() -> None:
    """Sees to it that handlers are flushed at the end of this process; called by whoever makes one or a worker."""
    global _looked_after
    if _looked_after == os.getpid():
        return
    _looked_after = os.getpid()
    # `logging.shutdown` closes the handlers later still, so that what is logged in between is not too late.
    atexit.register(_at_exit)
    # Children of multiprocessing that were forked end without atexit (before Python 3.13).
    process = sys.modules.get("multiprocessing.process")
    if process is not None and getattr(process, "parent_process", lambda: None)() is not None:
        import multiprocessing.util

        multiprocessing.util.Finalize(None, _at_end_of_child, exitpriority=-100)


def _at_exit() -> None:
    begin_end()
    flush_all()


def _at_end_of_child() -> None:
    begin_end()
    close_all()


def hook_sigterm() -> None:
    """Flushes at SIGTERM, where nobody else has taken it; only the main thread may ask."""
    if threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _on_sigterm)


def _on_sigterm(number: int, _frame: Any) -> None:
    begin_end()
    try:
        close_all()
    finally:
        # The process ends as it would have without us, and its parent sees the same.
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)


@overload
def flush_after(function: _Function) -> _Function: ...


@overload
def flush_after(*, seconds: float | None = None) -> Callable[[_Function], _Function]: ...


def flush_after(function: _Function | None = None, *, seconds: float | None = None) -> Any:
    """Flushes all handlers after each call of a function; for AWS Lambda, which freezes the process between two.

    What is not sent in time goes the way of what cannot be sent: to the spool, or to standard error, which is
    CloudWatch Logs on Lambda. Where an argument of the call is a Lambda context, a quarter of a second of its time is
    left over.

    Args:
        function: A function, a method, a coroutine function or a generator; the last is flushed at its end.
        seconds: How long to flush at most; without it each handler's own `flush_seconds`.
    """
    if function is None:
        return functools.partial(flush_after, seconds=seconds)
    wrapped: Callable[..., Any] = function

    if inspect.isasyncgenfunction(function):

        @functools.wraps(wrapped)
        async def flushing_async_generator(*args: Any, **kwargs: Any) -> Any:
            inner = wrapped(*args, **kwargs)
            try:
                # There is no `yield from` for these: what is sent and thrown in has to be passed on by hand.
                step = inner.__anext__()
                while True:
                    try:
                        item = await step
                    except StopAsyncIteration:
                        return
                    try:
                        step = inner.asend((yield item))
                    except GeneratorExit:
                        await inner.aclose()
                        raise
                    except BaseException as error:
                        step = inner.athrow(error)
            finally:
                await _settle_all_in_a_thread(_allowed(seconds, args, kwargs))

        return flushing_async_generator

    if inspect.iscoroutinefunction(function):

        @functools.wraps(wrapped)
        async def flushing_coroutine(*args: Any, **kwargs: Any) -> Any:
            try:
                return await wrapped(*args, **kwargs)
            finally:
                await _settle_all_in_a_thread(_allowed(seconds, args, kwargs))

        return flushing_coroutine

    if inspect.isgeneratorfunction(function):

        @functools.wraps(wrapped)
        def flushing_generator(*args: Any, **kwargs: Any) -> Any:
            try:
                return (yield from wrapped(*args, **kwargs))
            finally:
                _settle_all(_allowed(seconds, args, kwargs))

        return flushing_generator

    @functools.wraps(wrapped)
    def flushing(*args: Any, **kwargs: Any) -> Any:
        try:
            return wrapped(*args, **kwargs)
        finally:
            _settle_all(_allowed(seconds, args, kwargs))

    return flushing


async def _settle_all_in_a_thread(seconds: float | None) -> None:
    import asyncio

    await asyncio.get_running_loop().run_in_executor(None, _settle_all, seconds)


def _settle_all(seconds: float | None) -> None:
    if not flush_all(seconds):
        for handler in handlers():
            handler._divert()


def _allowed(seconds: float | None, args: tuple[Any, ...], kwargs: dict[str, Any]) -> float | None:
    # A method has itself in front, and a call by name has the context anywhere.
    for argument in (*args, *kwargs.values()):
        try:
            left = max(0.0, argument.get_remaining_time_in_millis() / 1000 - 0.25)
        except Exception:
            continue  # No context.
        if isinstance(left, float):
            default: float = max((handler.flush_seconds for handler in handlers()), default=0.0)
            return min(left, default if seconds is None else seconds)
    return seconds


def _before_fork() -> None:
    # No lock of a handler: this comes before the hook of logging, which waits for whoever configures it, who waits for
    # handlers. And not for ever.
    thread.forks = creating.acquire(timeout=1.0)


def _after_fork_in_parent() -> None:
    if thread.forks:
        thread.forks = False
        creating.release()


def _after_fork_in_child() -> None:
    global _adding, creating, _waited_at_end
    # Who held them is not here.
    _adding, creating = threading.Lock(), threading.Lock()
    _waited_at_end = None
    thread.sends = thread.shows = thread.forks = False
    thread.works_for = None
    for handler in handlers():
        handler._after_fork_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
