# SPDX-License-Identifier: MIT
"""Gives memory back when the supervisor says that it is short.

    import pysbx_pressure

    @pysbx_pressure.on_pressure
    def drop_caches():
        CACHE.clear()

    pysbx_pressure.start()

Works with every supervisor that speaks the protocol of https://systemd.io/PRESSURE/: pysbx,
systemd's MemoryPressureWatch=, container managers. MEMORY_PRESSURE_WATCH names a socket, a FIFO or
a PSI file of the kernel, and MEMORY_PRESSURE_WRITE what to write into it; where the first is
missing, start() does nothing and returns False.

Python 3.9 or later, standard library alone. A thread waits, and sleeps otherwise. On each notice the
callbacks run, then gc.collect(), then malloc_trim(0) where the C library is glibc: Python frees
objects, glibc keeps their pages, and only the last gives them back to the kernel.
"""

import asyncio
import base64
import ctypes
import gc
import inspect
import logging
import os
import select
import signal
import socket
import stat
import threading
import time

__all__ = ["on_pressure", "release", "start", "stop"]

MIN_INTERVAL = 1.0  # seconds between two answers: notices that come closer are one

_log = logging.getLogger("pysbx_pressure")
_callbacks = []
_watch = None  # of this process
_fork_hook = False


def on_pressure(callback):
    """Registers a function without parameters, or a coroutine function; also as a decorator."""
    _callbacks.append(callback)
    return callback


def start(loop=None):
    """Begins to watch; once more is no harm. Returns whether anybody will tell.

    With an asyncio loop (the one that runs, if start() is called from a coroutine) everything is
    done in the loop's own thread: callbacks may be coroutine functions, and no finalizer of an
    object that belongs to the loop runs elsewhere.

    A process that is forked later watches by itself, so a server that forks its workers may call
    this before or after; a loop is not taken along.
    """
    global _watch, _fork_hook
    if loop is None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            pass
    if _watch is not None and _watch.is_alive():
        if loop is not None:
            _watch.loop = loop
        return True
    fd = _open()
    if fd is None:
        return False
    _watch = _Watch(fd, loop)
    _watch.start()
    if not _fork_hook:
        os.register_at_fork(after_in_child=_after_fork)
        _fork_hook = True
    return True


def stop():
    """Ends the watching in this process."""
    global _watch
    if _watch is not None:
        _watch.stop()
        _watch = None


def release():
    """What a notice leads to, now: callbacks, gc.collect(), malloc_trim(0)."""
    for callback in list(_callbacks):
        try:
            if inspect.iscoroutinefunction(callback):
                asyncio.get_running_loop().create_task(_guarded(callback))
            else:
                callback()
        except Exception:  # one broken cache must not keep the others from being dropped
            _log.exception("callback %r", callback)
    gc.collect()
    _trim()


# --- the supervisor's side -------------------------------------------------------------------------


def _open():
    """A descriptor to wait on, or None; MEMORY_PRESSURE_WRITE has been written into it."""
    path = os.environ.get("MEMORY_PRESSURE_WATCH", "")
    if path in ("", "/dev/null"):
        return None
    try:
        text = base64.b64decode(os.environ.get("MEMORY_PRESSURE_WRITE", ""), validate=True)
        if stat.S_ISSOCK(os.stat(path).st_mode):
            fd = _connect(path)
        else:
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError) as error:
        _log.warning("%s: %s: this process will not be told when memory is short", path, error)
        return None
    try:
        if text:
            os.write(fd, text)
        os.set_blocking(fd, False)
    except OSError as error:
        _log.warning("%s: %s: this process will not be told when memory is short", path, error)
        os.close(fd)
        return None
    return fd


def _connect(path):
    """Never waits for long: a supervisor that has too many to take must not hold up the app."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(5)
        for attempt in range(20):
            try:
                connection.connect(path)
                return connection.detach()
            except BlockingIOError:  # its queue is full: many processes start at once
                if attempt == 19:
                    raise
                time.sleep(0.1)


class _Watch(threading.Thread):
    def __init__(self, fd, loop):
        super().__init__(name="pysbx_pressure", daemon=True)
        self.loop = loop
        self._fd = fd
        self._is_file = stat.S_ISREG(os.fstat(fd).st_mode)  # PSI: POLLPRI, and nothing to be read
        self._wake_read, self._wake_write = os.pipe()
        self.watching = True  # also in a forked child, where the thread itself is gone

    def run(self):
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())  # they are the main thread's
        poll = select.poll()
        poll.register(self._fd, select.POLLPRI if self._is_file else select.POLLIN)
        poll.register(self._wake_read, select.POLLIN)
        try:
            while self._wait(poll):
                self._answer()
                time.sleep(MIN_INTERVAL)
        finally:
            self.close()

    def _wait(self, poll):
        """False: there will be no more notices."""
        for fd, events in poll.poll():
            if fd == self._wake_read or events & (select.POLLERR | select.POLLNVAL):
                return False
        return self._is_file or self._drain()

    def _drain(self):
        try:
            while os.read(self._fd, 4096):
                pass
            return False  # the other end is closed
        except BlockingIOError:
            return True
        except OSError:
            return False

    def _answer(self):
        loop = self.loop
        try:
            if loop is not None and not loop.is_closed():
                loop.call_soon_threadsafe(release)
            else:
                release()
        except Exception:
            _log.exception("while giving memory back")

    def stop(self):
        if self.is_alive():
            os.write(self._wake_write, b"x")
            if threading.current_thread() is not self:
                self.join(MIN_INTERVAL + 1)

    def close(self):
        self.watching = False
        for fd in (self._fd, self._wake_read, self._wake_write):
            try:
                os.close(fd)
            except OSError:
                pass


def _after_fork():
    """Of the thread only its descriptors have come along: they are the parent's."""
    global _watch
    old, _watch = _watch, None
    if old is not None and old.watching:
        old.close()
        start()


# --- giving back -----------------------------------------------------------------------------------


async def _guarded(callback):
    try:
        await callback()
    except Exception:
        _log.exception("callback %r", callback)


def _find_trim():
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):  # no glibc
        return None
    trim.argtypes, trim.restype = [ctypes.c_size_t], ctypes.c_int
    return trim


_malloc_trim = _find_trim()


def _trim():
    if _malloc_trim is not None:
        _malloc_trim(0)
