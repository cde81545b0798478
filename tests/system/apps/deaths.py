# SPDX-License-Identifier: MIT
"""Dies in one of many ways.

    deaths.py MODE DATA [ARGUMENT]

MODE is a function of this file; of most deaths the report has to name it. DATA is a directory that
it may write to.
"""

import ctypes
import errno
import faulthandler
import mmap
import os
import signal
import socket
import subprocess
import sys
import threading
import time

KIB, MIB = 1 << 10, 1 << 20


def say(text):
    os.write(1, f"{text}\n".encode())


def hold():
    """Goes on living, and says so."""
    say("done")
    while True:
        time.sleep(3600)


# --- memory ---------------------------------------------------------------------------------------


def leak_slowly():
    hoard = []
    while True:
        hoard.append(b"x" * (256 * KIB))
        time.sleep(0.03)


def leak_fast():
    hoard = []
    while True:
        hoard.append(b"x" * (4 * MIB))


def leak_at_once():
    return b"x" * (1024 * MIB)


def extend_bytearray():
    body = bytearray()
    while True:
        body += b"x" * (512 * KIB)
        time.sleep(0.005)


def leak_small_objects():
    rows = []
    while True:
        rows.append({"id": len(rows), "name": "x" * 200})


def list_generator():
    def generate():
        while True:
            yield b"x" * (200 * KIB)

    return list(generate())


def leak_malloc():
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    while True:
        block = libc.malloc(ctypes.c_size_t(MIB))
        libc.memset(ctypes.c_void_p(block), 1, ctypes.c_size_t(MIB))
        time.sleep(0.01)


def leak_numpy():
    import numpy

    arrays = []
    while True:
        arrays.append(numpy.arange(MIB // 8))
        time.sleep(0.01)


def leak_mmap():
    maps = []
    while True:
        maps.append(mmap.mmap(-1, 4 * MIB, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))
        maps[-1].write(b"x" * (4 * MIB))


def fill_shm(path="/dev/shm/frames"):
    frame = b"x" * MIB
    with open(path, "wb", buffering=0) as file:
        while True:
            file.write(frame)
            time.sleep(0.005)


def fill_tmp():
    fill_shm("/tmp/upload")


def read_upload():
    """Reads a file into memory that is larger than the limit."""
    with open(os.path.join(sys.argv[2], "large"), "rb") as file:
        return file.read()


def leak_in_thread():
    def export():
        rows = []
        while True:
            rows.append(b"x" * (512 * KIB))
            time.sleep(0.005)

    thread = threading.Thread(target=export, name="exporter")
    thread.start()
    thread.join()


def leak_among_threads():
    """One of nine threads leaks, the others wait or compute."""
    for number in range(7):
        threading.Thread(target=time.sleep, args=(3600,), name=f"idle-{number}").start()
    leak_in_thread()


def leak_in_child():
    """A master and a worker: the worker dies, and the master goes on."""
    if os.fork() == 0:
        leak_slowly()
    os.wait()
    hold()


def leak_in_four():
    """Four workers grow at once, together beyond the limit, and then hold what they have."""
    for _ in range(4):
        if os.fork() == 0:
            hoard = []
            for _ in range(26):
                hoard.append(b"x" * MIB)
                time.sleep(0.05)
            time.sleep(3600)
    hold()


def grow_to():
    """Grows to so many MiB, and holds them."""
    hoard = []
    for _ in range(int(sys.argv[3])):
        hoard.append(b"x" * MIB)
        time.sleep(0.02)
    say("ready")
    hold()


def import_heavy():
    with open("/tmp/heavy.py", "w", encoding="utf-8") as file:
        file.write("TABLE = {}\nfor i in range(10**9):\n    TABLE[i] = str(i) * 50\n")
    sys.path.insert(0, "/tmp")
    import heavy  # noqa: F401


# --- crashes --------------------------------------------------------------------------------------


def read_nowhere():
    ctypes.string_at(0)


def overflow_stack():
    faulthandler._stack_overflow()


def recurse():
    """Deep recursion through C: sorted() calls back."""
    sys.setrecursionlimit(10_000_000)

    def key(value):
        return sorted([value], key=key)

    key(0)


def read_truncated_map():
    path = os.path.join(sys.argv[2], "truncated")
    with open(path, "w+b") as file:
        file.truncate(MIB)
        view = mmap.mmap(file.fileno(), MIB)
        file.truncate(0)
        print(view[MIB // 2])


def abort():
    os.abort()


def divide():
    faulthandler._sigfpe()


def run_garbage():
    """Executes bytes that are no instruction."""
    page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(b"\x0f\x0b")
    address = ctypes.addressof(ctypes.c_char.from_buffer(page))
    ctypes.CFUNCTYPE(None)(address)()


def crash_in_child():
    """A worker crashes, and its master with an exit code of its own."""
    if os.fork() == 0:
        read_nowhere()
    sys.exit(70 + os.waitstatus_to_exitcode(os.wait()[1]) + signal.SIGSEGV)


# --- exits ----------------------------------------------------------------------------------------


def exit_with_code():
    sys.exit(int(sys.argv[3]))


def exit_with_words():
    sys.exit("no database is configured")


def exit_at_once():
    os._exit(137)


def raise_key_error():
    settings = {}
    return settings["SECRET_KEY"]


def raise_in_thread_and_exit():
    thread = threading.Thread(target=raise_key_error)
    thread.start()
    thread.join()
    sys.exit(4)


def import_missing():
    import no_such_module  # noqa: F401


def import_broken():
    with open("/tmp/broken.py", "w", encoding="utf-8") as file:
        file.write("from os import no_such_name\n")
    sys.path.insert(0, "/tmp")
    import broken  # noqa: F401


def import_syntax_error():
    with open("/tmp/unfinished.py", "w", encoding="utf-8") as file:
        file.write("def view(request)\n    return 1\n")
    sys.path.insert(0, "/tmp")
    import unfinished  # noqa: F401


def bind_used_port():
    listener = socket.create_server(("127.0.0.1", 0))
    socket.create_server(listener.getsockname())


def fail_subprocess():
    subprocess.run(["false"], check=True)


# --- signals --------------------------------------------------------------------------------------


def wait_for_signal():
    say("ready")
    while True:
        time.sleep(3600)


def kill_itself():
    os.kill(os.getpid(), int(sys.argv[3]))


# --- shortages ------------------------------------------------------------------------------------


def fork_bomb():
    while True:
        if os.fork() == 0:
            time.sleep(3600)


def start_threads():
    while True:
        threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()


def open_files():
    files = []
    while True:
        files.append(open("/dev/null", encoding="utf-8"))


def fill_disk():
    with open(os.path.join(sys.argv[3], "full"), "wb") as file:
        while True:
            file.write(b"x" * MIB)


def fill_small_tmp():
    with open("/tmp/full", "wb") as file:
        while True:
            file.write(b"x" * MIB)


# --- refused calls --------------------------------------------------------------------------------


def change_root():
    os.chroot("/tmp")


def ask_priority():
    os.getpriority(os.PRIO_PROCESS, 0)


# --- starts and stops -----------------------------------------------------------------------------


def crash_when_stopped():
    signal.signal(signal.SIGTERM, lambda *_: read_nowhere())
    wait_for_signal()


def leak_when_stopped():
    signal.signal(signal.SIGTERM, lambda *_: leak_fast())
    wait_for_signal()


def ignore_stop():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    wait_for_signal()


def when_told():
    """Waits for the file DATA/go, then dies as ARGUMENT says."""
    say("ready")
    while not os.path.exists(os.path.join(sys.argv[2], "go")):
        time.sleep(0.05)
    MODES[sys.argv.pop(3)]()


# --- what is no death -----------------------------------------------------------------------------


def read_large_file():
    for _ in range(2):
        with open(os.path.join(sys.argv[2], "large"), "rb", buffering=0) as file:
            while file.read(MIB):
                pass
    hold()


def churn_page_cache():
    path = os.path.join(sys.argv[2], f"churn-{os.getpid()}")
    for _ in range(4):
        with open(path, "wb", buffering=0) as file:
            for _ in range(48):
                file.write(b"x" * MIB)
        os.remove(path)
    hold()


def map_large_file():
    with open(os.path.join(sys.argv[2], "large"), "rb") as file:
        view = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        total = 0
        for at in range(0, len(view), mmap.PAGESIZE):
            total += view[at]
    hold()


def burn():
    end = time.monotonic() + 8
    while time.monotonic() < end:
        pass
    hold()


def start_slowly():
    time.sleep(12)
    hold()


def breathe():
    """Takes and gives back much memory, again and again, without coming near the limit."""
    for _ in range(20):
        body = b"x" * (24 * MIB)
        del body
    hold()


def many_children():
    for _ in range(12):
        subprocess.run(["true"], check=True)
    hold()


def refused_politely():
    """Falls back when a call is refused, as libraries do."""
    try:
        change_root()
    except OSError as error:
        assert error.errno == errno.EPERM
    hold()


# --- hangs ----------------------------------------------------------------------------------------


def deadlock():
    first, second = threading.Lock(), threading.Lock()

    def other():
        with second:
            time.sleep(0.5)
            first.acquire()

    with first:
        threading.Thread(target=other, daemon=True).start()
        time.sleep(0.2)
        second.acquire()


def spin():
    number = 0
    while True:
        number += 1


def receive():
    ours, _theirs = socket.socketpair()
    ours.recv(1)


def open_fifo():
    os.mkfifo("/tmp/fifo")
    os.open("/tmp/fifo", os.O_RDONLY)


def join_thread():
    thread = threading.Thread(target=time.sleep, args=(3600,), daemon=True)
    thread.start()
    thread.join()


def wait_for_child():
    if os.fork() == 0:
        time.sleep(3600)
    os.wait()


def crowd_processor():
    """Three others take all the processor time there is, and this one answers."""
    for _ in range(3):
        if os.fork() == 0:
            spin()


def write_much():
    """Writes to the disk, and waits for it, without end."""
    block = mmap.mmap(-1, 256 * KIB)
    block.write(b"x" * len(block))
    fd = os.open(os.path.join(sys.argv[2], "written"), os.O_WRONLY | os.O_CREAT | os.O_DIRECT)
    while True:
        os.pwrite(fd, block, 0)


def serve():
    """serve DATA HOW PORT: answers until it is asked for /hang, and then does HOW."""
    from wsgiref.simple_server import WSGIRequestHandler, make_server

    def app(environ, start_response):
        if environ["PATH_INFO"] == "/hang":
            MODES[sys.argv[3]]()
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"alive\n"]

    WSGIRequestHandler.log_message = lambda *_: None
    make_server("127.0.0.1", int(sys.argv[4]), app).serve_forever()


MODES = {name: value for name, value in list(globals().items()) if callable(value)}

if __name__ == "__main__":
    MODES[sys.argv[1]]()
