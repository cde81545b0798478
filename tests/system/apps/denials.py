# SPDX-License-Identifier: MIT
"""Makes calls that python-web refuses.

    denials.py once      several kinds, twice each; prints what came of them
    denials.py beat DIR  one kind for ever: appends what came of it, and when, to DIR/beats
    denials.py file DIR  the kinds of `once`, when DIR/go is there

sched_setscheduler(SCHED_BATCH) needs no privilege: it fails because of the filter alone. It is one
of those that pysbxd's own unit leaves to the profile.
"""

import ctypes
import errno
import os
import socket
import sys
import time

libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWUSER = 0x10000000


def said(result):
    return errno.errorcode[ctypes.get_errno()] if result < 0 else "made"


def alg():
    try:
        socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET, 0).close()
    except OSError as error:
        return errno.errorcode[error.errno]
    return "made"


def batch():
    try:
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    except OSError as error:
        return errno.errorcode[error.errno]
    return "made"


def leave():
    return libc.chroot(b"/tmp")


def once():
    for _ in range(2):
        print("chroot", said(leave()))
        print("alg", alg())
        print("unshare", said(libc.unshare(CLONE_NEWUSER)))
        print("batch", batch(), flush=True)


def beat(directory):
    with open(directory + "/beats", "a", buffering=1) as beats:
        while True:
            began = time.monotonic()
            word = batch()
            beats.write(f"{word} {1000 * (time.monotonic() - began):.0f}\n")
            time.sleep(0.1)


def wait_for(path):
    while not os.path.exists(path):
        time.sleep(0.05)


if sys.argv[1] == "once":
    once()
elif sys.argv[1] == "beat":
    beat(sys.argv[2])
else:
    print("ready", flush=True)
    wait_for(sys.argv[2] + "/go")
    once()
    time.sleep(600)
