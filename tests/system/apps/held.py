# SPDX-License-Identifier: MIT
"""Serves HTTP on the socket that it was given (sd_listen_fds(3)), one request after the other.

    held.py HOST_PORT     a port of 127.0.0.1 on which somebody listens on the host

Says what it sees of the network. /turn tries to make a way out of that very connection, and later
answers say what came of it; /end ends it, with the status 3; /shut does so too, but shuts down the
socket before, for whoever else has it as well.
"""

import ctypes
import errno
import json
import os
import socket
import sys

if os.environ.get("LISTEN_FDS") != "1" or os.environ.get("LISTEN_PID") != str(os.getpid()):
    sys.exit(f"no socket for pid {os.getpid()}: {dict(os.environ)}")
listener = socket.socket(fileno=3)
listener.setblocking(True)
turned = None
print("serving", os.environ["LISTEN_FDNAMES"], flush=True)


def reach(address):
    with socket.socket() as client:
        client.settimeout(5)
        try:
            client.connect(address)
        except OSError as error:
            return errno.errorcode.get(error.errno, str(error))
    return "connected"


def turn(connection, port):
    """Lets go of a client, and connects the same socket to somebody else."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.connect(connection.fileno(), bytes(16), 16)  # AF_UNSPEC
    try:
        connection.connect(("127.0.0.1", port))
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))
    return "connected"


while True:
    client, _ = listener.accept()
    with client:
        client.setblocking(True)
        target = client.recv(4096).split(b" ")[1]
        if target == b"/shut":
            listener.shutdown(socket.SHUT_RDWR)
        if target in (b"/end", b"/shut"):
            os._exit(3)
        if target == b"/turn":
            turned = turn(client, int(sys.argv[1]))
            continue
        body = json.dumps({
            "turned": turned,
            "interfaces": [name for _, name in socket.if_nameindex()],
            "host": reach(("127.0.0.1", int(sys.argv[1]))),
        })
        client.sendall(f"HTTP/1.0 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
