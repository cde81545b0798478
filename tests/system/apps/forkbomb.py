# SPDX-License-Identifier: MIT
"""A fork bomb: each process forks as fast as it can, for a bounded time.

    forkbomb.py SECONDS [ONCE]

With ONCE, the first fork that is refused ends the main process, as it would end most programs.
Without it, refusals are ignored and so are polite signals. It does nothing outside a sandbox: there
it could see init's children.
"""

import os
import signal
import sys
import time

deadline = time.monotonic() + float(sys.argv[1])
once = len(sys.argv) > 2

if len([entry for entry in os.listdir("/proc") if entry.isdigit()]) > 10:
    sys.exit("forkbomb.py: this is no sandbox")
if not once:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)

os.write(1, b"forking\n")
while time.monotonic() < deadline:
    try:
        if os.fork() == 0 and once:
            time.sleep(max(0.0, deadline - time.monotonic()))
            os._exit(0)
    except OSError:
        if once:
            raise
