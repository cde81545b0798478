# SPDX-License-Identifier: MIT
"""As much of a PostgreSQL server as a client needs to see one row with one column: "42".

    postgres.py DIRECTORY     listens on the socket that libpq looks for there
"""

import os
import socket
import struct
import sys

PATH = os.path.join(sys.argv[1], ".s.PGSQL.5432")
PARAMETERS = {"server_version": "15.0", "client_encoding": "UTF8", "DateStyle": "ISO, MDY",
              "integer_datetimes": "on", "standard_conforming_strings": "on"}


def message(kind, body):
    return kind + struct.pack("!i", len(body) + 4) + body


READY = message(b"Z", b"I")
HELLO = (message(b"R", struct.pack("!i", 0)) +
         b"".join(message(b"S", f"{name}\0{value}\0".encode())
                  for name, value in PARAMETERS.items()) +
         message(b"K", struct.pack("!ii", 1, 1)) + READY)
ROW = (message(b"T", struct.pack("!h", 1) + b"word\0" + struct.pack("!ihihih", 0, 0, 25, -1, -1, 0)) +
       message(b"D", struct.pack("!hi", 1, 2) + b"42") + message(b"C", b"SELECT 1\0") + READY)


def serve(client):
    length = struct.unpack("!i", client.recv(4, socket.MSG_WAITALL))[0]
    client.recv(length - 4, socket.MSG_WAITALL)
    client.sendall(HELLO)
    while kind := client.recv(1):
        length = struct.unpack("!i", client.recv(4, socket.MSG_WAITALL))[0]
        client.recv(length - 4, socket.MSG_WAITALL)
        if kind == b"Q":
            client.sendall(ROW)


listener = socket.socket(socket.AF_UNIX)
listener.bind(PATH)
os.chmod(PATH, 0o777)
listener.listen()
print("listening", flush=True)
while True:
    serve(listener.accept()[0])
