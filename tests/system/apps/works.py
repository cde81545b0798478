# SPDX-License-Identifier: MIT
"""What Python programs do, done inside: prints {NAME: "ok" or what went wrong} as one JSON object.

    works.py DIRECTORY     a writable directory; a PostgreSQL server listens in it
"""

import asyncio
import concurrent.futures
import ctypes
import fcntl
import io
import json
import mmap
import multiprocessing
import os
import pty
import select
import selectors
import shutil
import signal
import socket
import sqlite3
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
from multiprocessing import shared_memory

DIRECTORY = sys.argv[1]
libc = ctypes.CDLL(None, use_errno=True)


def square(number):
    return number * number


def threads():
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(square, range(100))) == 328350
    local, barrier = threading.local(), threading.Barrier(4)
    seen = []

    def meet():
        local.value = threading.get_native_id()
        barrier.wait(10)
        seen.append(local.value)
    several = [threading.Thread(target=meet) for _ in range(4)]
    for thread in several:
        thread.start()
    for thread in several:
        thread.join()
    assert len(set(seen)) == 4


def processes(method):
    context = multiprocessing.get_context(method)
    with context.Pool(2) as pool:
        assert pool.map(square, [1, 2, 3]) == [1, 4, 9]


def processes_fork():
    processes("fork")


def processes_spawn():
    processes("spawn")


def processes_forkserver():
    processes("forkserver")


def process_executor():
    with concurrent.futures.ProcessPoolExecutor(2) as pool:
        assert list(pool.map(square, range(5))) == [0, 1, 4, 9, 16]


def shared():
    lock, value = multiprocessing.Lock(), multiprocessing.Value("i", 0)
    queue = multiprocessing.Queue()

    def add():
        for _ in range(100):
            with lock:
                value.value += 1
        queue.put(os.getpid())
    several = [multiprocessing.Process(target=add) for _ in range(2)]
    for process in several:
        process.start()
    pids = {queue.get(timeout=30) for _ in several}
    for process in several:
        process.join()
    assert value.value == 200 and len(pids) == 2
    memory = shared_memory.SharedMemory(create=True, size=4096)
    memory.buf[:4] = b"word"
    again = shared_memory.SharedMemory(memory.name)
    assert bytes(again.buf[:4]) == b"word"
    again.close()
    memory.close()
    memory.unlink()


def subprocesses():
    assert subprocess.check_output("echo $((6 * 7)) | cat", shell=True) == b"42\n"
    done = subprocess.run([sys.executable, "-c", "import sys; sys.exit(len(sys.stdin.read()))"],
                          input=b"seven..", timeout=60, check=False, start_new_session=True)
    assert done.returncode == 7
    child = subprocess.Popen(["sleep", "600"])
    child.terminate()
    assert child.wait(30) == -signal.SIGTERM
    assert os.posix_spawnp("true", ["true"], os.environ) > 0
    assert os.waitstatus_to_exitcode(os.wait()[1]) == 0


async def serve_and_ask():
    async def echo(reader, writer):
        writer.write(await reader.readline())
        await writer.drain()
        writer.close()
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        for _ in range(3):
            reader, writer = await asyncio.open_connection("localhost", port)
            writer.write(b"line\n")
            assert await reader.readline() == b"line\n"
            writer.close()
    path = os.path.join(DIRECTORY, "echo.sock")
    server = await asyncio.start_unix_server(echo, path)
    async with server:
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(b"line\n")
        assert await reader.readline() == b"line\n"
        writer.close()
    child = await asyncio.create_subprocess_exec("cat", stdin=subprocess.PIPE,
                                                 stdout=subprocess.PIPE)
    output, _ = await child.communicate(b"through")
    assert output == b"through" and child.returncode == 0
    loop = asyncio.get_running_loop()
    assert await loop.run_in_executor(None, square, 12) == 144
    got = asyncio.Event()
    loop.add_signal_handler(signal.SIGUSR2, got.set)
    os.kill(os.getpid(), signal.SIGUSR2)
    await asyncio.wait_for(got.wait(), 30)


def asyncio_loop():
    asyncio.run(serve_and_ask())


def uvloop_loop():
    import uvloop
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    loop.run_until_complete(serve_and_ask())
    loop.close()


def gevent_pool():
    script = ("from gevent import monkey; monkey.patch_all()\n"
              "import gevent, socket, subprocess, time\n"
              "started = time.monotonic()\n"
              "gevent.joinall([gevent.spawn(time.sleep, 1) for _ in range(100)])\n"
              "assert time.monotonic() - started < 90\n"
              "assert subprocess.check_output(['echo', 'word']) == b'word\\n'\n"
              "assert socket.getaddrinfo('localhost', 80)\n")
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)


def numpy_linalg():
    import numpy
    matrix = numpy.arange(1.0, 65537.0).reshape(256, 256) + 1000 * numpy.eye(256)
    assert numpy.allclose(matrix @ numpy.linalg.inv(matrix), numpy.eye(256), atol=1e-6)
    with tempfile.NamedTemporaryFile(dir=DIRECTORY) as file:
        mapped = numpy.memmap(file.name, dtype="u4", mode="w+", shape=1024)
        mapped[:] = 7
        mapped.flush()
        assert int(mapped.sum()) == 7168


def pillow():
    from PIL import Image, ImageFilter
    image = Image.new("RGB", (256, 256), "navy").filter(ImageFilter.GaussianBlur(2))
    for kind in ("PNG", "JPEG", "GIF"):
        stored = io.BytesIO()
        image.resize((64, 64)).save(stored, kind)
        assert Image.open(io.BytesIO(stored.getvalue())).size == (64, 64)


def sqlite():
    path = os.path.join(DIRECTORY, "database")
    one, two = sqlite3.connect(path), sqlite3.connect(path)
    assert one.execute("pragma journal_mode=wal").fetchone() == ("wal",)
    one.execute("create table words (word)")
    with one:
        one.executemany("insert into words values (?)", [("one",), ("two",)])
    assert two.execute("select count(*) from words").fetchone() == (2,)
    one.close()
    two.close()


def tls():
    context = ssl.create_default_context()
    assert context.cert_store_stats()["x509_ca"] >= 0
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        pass
    assert outgoing.read()[:1] == b"\x16"  # a handshake begins
    assert len(ssl.RAND_bytes(32)) == 32


def postgres():
    import psycopg2
    connection = psycopg2.connect(host=DIRECTORY, user="app", dbname="app")
    connection.autocommit = True
    cursor = connection.cursor()
    cursor.execute("select 42")
    assert cursor.fetchall() == [("42",)]
    connection.close()


def file_locks():
    path = os.path.join(DIRECTORY, "lock")
    with open(path, "w", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        script = "import fcntl, sys\nfcntl.flock(open(sys.argv[1], 'w'), fcntl.LOCK_EX | 4)"
        other = subprocess.run([sys.executable, "-c", script, path], check=False,
                               stderr=subprocess.DEVNULL)
        assert other.returncode != 0  # it is held
        fcntl.lockf(file, fcntl.LOCK_UN)
        # F_OFD_SETLK: of the open file, not of the process
        fcntl.fcntl(file, 37, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))


def memory_maps():
    shared_map = mmap.mmap(-1, 1 << 16)
    if os.fork() == 0:
        shared_map[:5] = b"child"
        os._exit(0)
    os.wait()
    assert shared_map[:5] == b"child"
    shared_map.madvise(mmap.MADV_WILLNEED)
    with tempfile.TemporaryFile() as file:
        file.truncate(1 << 16)
        mapped = mmap.mmap(file.fileno(), 0)
        mapped[:4] = b"file"
        mapped.flush()
        assert file.read(4) == b"file"
    assert os.memfd_create("map") >= 0


def inotify():
    fd = libc.inotify_init1(os.O_NONBLOCK)
    path = os.path.join(DIRECTORY, "watched")
    os.mkdir(path)
    assert libc.inotify_add_watch(fd, path.encode(), 0x100) > 0  # IN_CREATE
    with open(os.path.join(path, "new"), "w", encoding="ascii"):
        pass
    assert select.select([fd], [], [], 30)[0] and b"new" in os.read(fd, 4096)
    os.close(fd)


def signals():
    got = []
    signal.signal(signal.SIGUSR1, lambda number, frame: got.append(number))
    os.kill(os.getpid(), signal.SIGUSR1)
    signal.raise_signal(signal.SIGUSR1)
    signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)
    assert got == [signal.SIGUSR1] * 3
    signal.signal(signal.SIGALRM, lambda number, frame: got.append(number))
    signal.setitimer(signal.ITIMER_REAL, 0.01)
    signal.pause()
    assert got[-1] == signal.SIGALRM
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    # to this thread: those of others' libraries have not blocked it
    signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)
    assert signal.sigtimedwait({signal.SIGUSR1}, 30).si_signo == signal.SIGUSR1
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1})
    child = os.fork()
    if child == 0:
        signal.pause()
    pidfd = os.pidfd_open(child)
    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    assert os.waitid(os.P_PIDFD, pidfd, os.WEXITED).si_status == signal.SIGKILL


def terminals():
    child, master = pty.fork()
    if child == 0:
        os.execlp("sh", "sh", "-c", "tty >/dev/null && stty -a | head -n 1")
    text = b""
    try:
        while chunk := os.read(master, 4096):
            text += chunk
    except OSError:  # the other end has closed
        pass
    os.waitpid(child, 0)
    assert b"speed" in text


def sockets():
    assert socket.getaddrinfo("localhost", 80)
    assert socket.if_nameindex()
    one, two = socket.socketpair()
    socket.send_fds(one, [b"x"], [1])
    assert len(socket.recv_fds(two, 1, 1)[1]) == 1
    selector = selectors.EpollSelector()
    selector.register(two, selectors.EVENT_READ)
    one.send(b"y")
    assert selector.select(30)
    server = socket.create_server(("", 0), reuse_port=True)
    server.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 1)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    client = socket.create_connection(server.getsockname())
    accepted, _ = server.accept()
    with tempfile.TemporaryFile() as file:
        file.write(b"sent")
        file.flush()
        assert os.sendfile(accepted.fileno(), file.fileno(), 0, 4) == 4
    assert client.recv(4) == b"sent"
    socket.create_server(("::1", 0), family=socket.AF_INET6).close()


def files():
    source = os.path.join(DIRECTORY, "tree")
    os.makedirs(os.path.join(source, "below"))
    with open(os.path.join(source, "below", "file"), "w", encoding="ascii") as file:
        file.write("word")
    os.chmod(os.path.join(source, "below"), 0o2775)
    shutil.copytree(source, source + "-copy")
    shutil.make_archive(source, "zip", source)
    os.rename(source, source + "-renamed")
    os.symlink("file", os.path.join(source + "-copy", "below", "link"))
    shutil.rmtree(source + "-copy")
    with tempfile.TemporaryDirectory() as scratch:
        assert os.statvfs(scratch).f_bavail >= 0


def foreign_functions():
    kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)
    assert kind(lambda number: number + 1)(41) == 42
    time.sleep(0.001)
    assert os.sched_getaffinity(0) and os.getloadavg and os.cpu_count()


CHECKS = (threads, processes_fork, processes_spawn, processes_forkserver, process_executor, shared,
          subprocesses, asyncio_loop, uvloop_loop, gevent_pool, numpy_linalg, pillow, sqlite, tls,
          postgres, file_locks, memory_maps, inotify, signals, terminals, sockets, files,
          foreign_functions)


def result_of(check):
    try:
        check()
    except BaseException as error:  # whatever it is, it is the result
        return f"{type(error).__name__}: {error}"
    return "ok"


if __name__ == "__main__":
    print(json.dumps({check.__name__: result_of(check) for check in CHECKS}), flush=True)
