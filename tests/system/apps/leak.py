# SPDX-License-Identifier: MIT
"""A single process that grows steadily, and never ends by itself.

    leak.py [BYTES_PER_STEP]
"""

import os
import sys
import time

step = int(sys.argv[1]) if len(sys.argv) > 1 else 4 << 20
hoard = []
while True:
    hoard.append(b"x" * step)
    os.write(1, b"holding %d MiB\n" % (len(hoard) * step >> 20))
    time.sleep(0.01)
