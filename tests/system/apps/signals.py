# SPDX-License-Identifier: MIT
"""Says which signals arrive. INT ends it with status 5, TERM with 6, QUIT with 7.

    signals.py [deaf]     deaf: INT and TERM are said and otherwise ignored, and a child that left
                          the session does the same
"""

import os
import signal
import sys
import time

ENDS = {signal.SIGINT: 5, signal.SIGTERM: 6, signal.SIGQUIT: 7}
deaf = "deaf" in sys.argv[1:]


def on_signal(number, frame):
    os.write(1, b"got %s\n" % signal.Signals(number).name.encode())
    if number in ENDS and not deaf:
        os._exit(ENDS[number])


for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH, signal.SIGTTIN,
               signal.SIGTTOU, signal.SIGINT, signal.SIGTERM, signal.SIGQUIT):
    signal.signal(number, on_signal)
if deaf and os.fork() == 0:
    os.setsid()
os.write(1, b"ready\n")
while True:
    time.sleep(60)
