# SPDX-License-Identifier: MIT
"""Writes numbered lines each time it is told to, and lives on.

    gap.py DIRECTORY

What is in go-N there, a number, is how many lines of 64 bytes it writes the Nth time. Then it makes
done-N.
"""

import os
import sys
import time

directory = sys.argv[1]
CHUNK = 1024


def wait_for(path):
    while True:
        try:
            with open(path) as file:
                text = file.read()
            if text.endswith("\n"):
                return int(text)
        except FileNotFoundError:
            pass
        time.sleep(0.05)


def write_whole(data):
    while data:
        data = data[os.write(1, data) :]


turn = 0
os.write(2, b"ready\n")
while True:
    count = wait_for(f"{directory}/go-{turn}")
    for first in range(0, count, CHUNK):
        last = min(first + CHUNK, count)
        write_whole(b"".join(b"gap %d line %052d\n" % (turn, n) for n in range(first, last)))
    open(f"{directory}/done-{turn}", "w").close()
    turn += 1
