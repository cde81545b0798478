# SPDX-License-Identifier: MIT
"""Says what the network is like: its interfaces, whether loopback works, who answers outside.

    connect.py HOST_PORT     a port of 127.0.0.1 on which somebody listens on the host
"""

import errno
import json
import socket
import sys


def reach(address):
    with socket.socket() as client:
        client.settimeout(3)
        try:
            client.connect(address)
        except OSError as error:
            return errno.errorcode.get(error.errno, str(error))
    return "connected"


with socket.create_server(("127.0.0.1", 0)) as own:
    print(json.dumps({
        "interfaces": [name for _, name in socket.if_nameindex()],
        "own": reach(own.getsockname()),
        "host": reach(("127.0.0.1", int(sys.argv[1]))),
        "outside": reach(("192.0.2.1", 80)),
    }), flush=True)
