# SPDX-License-Identifier: MIT
"""Writes much to standard output, says on standard error when it is through, and exits.

    flood.py BYTES STATUS
"""

import os
import sys

size, status = int(sys.argv[1]), int(sys.argv[2])
line = b"%063d\n"
written = number = 0
while written < size:
    chunk = b"".join(line % (number + index) for index in range(64))
    os.write(1, chunk)
    written += len(chunk)
    number += 64
os.write(2, b"flood is over\n")
os._exit(status)
