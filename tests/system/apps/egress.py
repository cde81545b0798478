# SPDX-License-Identifier: MIT
"""Says whom it can reach, by each way that a program has.

    egress.py ADDRESS PORT [ADDRESS PORT]...            once, to standard output
    egress.py --watch FILE ADDRESS PORT [...]           again and again, into FILE

    {"ADDRESS PORT": {"tcp": "ok", "fastopen": "EPERM", "udp": ..., "udp_connected": ...}, ...}
"""

import errno
import json
import os
import socket
import sys
import time


def try_way(kind, address, attempt):
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family, kind) as client:
        client.settimeout(10)
        try:
            attempt(client, address)
        except BlockingIOError:
            return "ok"  # a SYN without data is on its way
        except OSError as error:
            return errno.errorcode.get(error.errno, str(error))
    return "ok"


WAYS = {
    "tcp": (socket.SOCK_STREAM, lambda client, address: client.connect(address)),
    "fastopen": (socket.SOCK_STREAM,
                 lambda client, address: client.sendto(b"x", socket.MSG_FASTOPEN, address)),
    "udp": (socket.SOCK_DGRAM, lambda client, address: client.sendto(b"x", address)),
    "udp_connected": (socket.SOCK_DGRAM, lambda client, address: client.connect(address)),
}


def look(words):
    return {f"{host} {port}": {name: try_way(kind, (host, int(port)), attempt)
                               for name, (kind, attempt) in WAYS.items()}
            for host, port in zip(words[::2], words[1::2])}


if sys.argv[1] == "--watch":
    while True:
        with open(sys.argv[2] + ".new", "w") as file:
            json.dump(look(sys.argv[3:]), file)
        os.rename(sys.argv[2] + ".new", sys.argv[2])
        time.sleep(0.05)
print(json.dumps(look(sys.argv[1:])), flush=True)
