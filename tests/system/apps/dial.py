# SPDX-License-Identifier: MIT
"""Connects to a unix socket for each line that a file gets, and says what came of it.

    dial.py SOCKET TURNS     TURNS: connects once for each file TURNS.1, TURNS.2 and so on, in turn
"""

import os
import socket
import sys
import time

path, turns = sys.argv[1:]
for turn in (1, 2):
    while not os.path.exists(f"{turns}.{turn}"):
        time.sleep(0.01)
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(path)
            print("answer", turn, client.recv(100).decode(), flush=True)
        except OSError as error:
            print("failure", turn, error.strerror, flush=True)
