# SPDX-License-Identifier: MIT
"""Writes past the page cache for a time, and prints the bytes a second that it got.

    writer.py FILE SECONDS
"""

import mmap
import os
import sys
import time

CHUNK = 64 << 10

path, seconds = sys.argv[1], float(sys.argv[2])
block = mmap.mmap(-1, CHUNK)  # page-aligned, as O_DIRECT wants it
block.write(b"w" * CHUNK)
fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_DIRECT, 0o600)

# What the throttle lets through at once after idling is not part of the rate.
for _ in range(16):
    os.pwrite(fd, block, 0)
started = time.monotonic()
written = 0
while time.monotonic() - started < seconds:
    os.pwrite(fd, block, written % (16 << 20))
    written += CHUNK
print(round(written / (time.monotonic() - started)), flush=True)
