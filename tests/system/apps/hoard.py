# SPDX-License-Identifier: MIT
"""Takes memory in one of several ways, until it is killed.

    hoard.py WAY [PATH]
"""

import os
import sys
import threading
import time

MIB = 1 << 20
hoard = []


def take_slowly():
    while True:
        hoard.append(b"x" * MIB)
        time.sleep(0.05)


def take_fast():
    while True:
        hoard.append(b"x" * (4 * MIB))


def take_at_once():
    hoard.append(b"x" * (400 * MIB))


def take_small_ones():
    while True:
        hoard.append([len(hoard)])


def take_shared():
    with open("/dev/shm/hoard", "wb") as file:
        while True:
            file.write(b"x" * MIB)
            file.flush()
            time.sleep(0.01)


def take_in_a_child():
    child = os.fork()
    if child == 0:
        take_slowly()
    os.waitpid(child, 0)
    time.sleep(600)


def take_in_a_thread():
    threading.Thread(target=take_slowly, name="hoarder").start()
    time.sleep(600)


def hold_a_little():
    hoard.append(b"x" * (20 * MIB))
    time.sleep(600)


def read_a_file():
    """What a file leaves behind is page cache: it can all be taken back."""
    with open(sys.argv[2], "rb", buffering=0) as file:
        while file.read(MIB):
            pass
    os.write(2, b"read all of it\n")
    time.sleep(600)


WAYS = {
    "slowly": take_slowly,
    "fast": take_fast,
    "at-once": take_at_once,
    "small": take_small_ones,
    "shared": take_shared,
    "child": take_in_a_child,
    "thread": take_in_a_thread,
    "hold": hold_a_little,
    "file": read_a_file,
}

os.write(2, b"begins\n")
WAYS[sys.argv[1]]()
