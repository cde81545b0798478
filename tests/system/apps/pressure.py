# SPDX-License-Identifier: MIT
"""Single processes that meet the pressure ladder.

    pressure.py watch ROUNDS  grows, gives all of it back when told, and ends after so many times
    pressure.py grow          grows until it is asked to stop, and then ends with 0
    pressure.py cache FILE    reads a large file, over and over, and holds nothing
    pressure.py deaf          watches many times, never reads, sends all the time, and grows a bit
    pressure.py wait          watches, and says each notice
"""

import os
import signal
import socket
import sys
import time

sys.path.insert(0, "/usr/share/pysbx/python")
import pysbx_pressure  # noqa: E402

MIB = 1 << 20
hoard = []


def say(*words):
    print(*words, flush=True)


def grow(limit=1 << 20):
    while len(hoard) < limit:
        hoard.append(bytearray(b"x" * MIB))
        time.sleep(0.1)


def watch(rounds):
    freed = []

    @pysbx_pressure.on_pressure
    def drop():
        freed.append(len(hoard))
        hoard.clear()
        say("freed", freed[-1], "MiB")
        if len(freed) == int(rounds):
            os._exit(0)

    say("watching", pysbx_pressure.start())
    grow()


def wait():
    pysbx_pressure.on_pressure(lambda: say("told"))
    say("watching", pysbx_pressure.start())
    grow(20)
    time.sleep(1000)


def leave(number, frame):
    say("asked to stop, holding", len(hoard), "MiB")
    os._exit(0)


def cache(path):
    with open(path, "wb") as file:
        for _ in range(128):
            file.write(os.urandom(4096) * 256)
    for _ in range(4):
        with open(path, "rb", buffering=0) as file:
            while file.read(MIB):
                pass
        say("read once more")


def deaf():
    held = []
    for _ in range(100):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(os.environ["MEMORY_PRESSURE_WATCH"])
        connection.setblocking(False)
        held.append(connection)
    say("connected")
    end = time.monotonic() + 5
    while time.monotonic() < end:
        for connection in held:
            try:
                connection.send(b"x" * 4096)
            except OSError:
                pass
        if len(hoard) < 30:
            hoard.append(bytearray(b"x" * MIB))
    say("still here")
    time.sleep(1000)


signal.signal(signal.SIGTERM, leave)
{"watch": watch, "wait": wait, "grow": grow, "cache": cache, "deaf": deaf}[sys.argv[1]](*sys.argv[2:])
