# SPDX-License-Identifier: MIT
"""Leaves daemons behind in every way an unprivileged process has, and then waits.

Children in a session of their own, double-forked, stopped, deaf to all that can be ignored.
"""

import os
import signal
import time


def daemon(stopped):
    if os.fork() != 0:
        return
    os.setsid()
    if os.fork() != 0:
        os._exit(0)
    for number in range(1, signal.NSIG):
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            pass
    if stopped:
        os.kill(os.getpid(), signal.SIGSTOP)
    while True:
        time.sleep(60)


for index in range(4):
    daemon(stopped=index % 2 == 1)
os.write(1, b"daemons are out\n")
while True:
    time.sleep(60)
