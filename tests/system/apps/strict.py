# SPDX-License-Identifier: MIT
"""Tries what python-strict refuses, and what it leaves; prints JSON."""

import errno
import json
import os
import socket
import subprocess
import threading


def errno_of(action, *args):
    try:
        action(*args)
    except OSError as error:
        return errno.errorcode[error.errno]
    return "done"


def fork_and_talk():
    read, write = os.pipe()
    if os.fork() == 0:
        os.write(write, b"from a child")
        os._exit(0)
    os.wait()
    return os.read(read, 100).decode()


def in_a_thread():
    said = []
    thread = threading.Thread(target=said.append, args=("from a thread",))
    thread.start()
    thread.join()
    return said[0]


def listen_unbound():
    with socket.socket() as listener:
        listener.listen()
        listener.settimeout(1)
        return listener.getsockname()[1], errno_of(listener.accept)


def main():
    port, accepted = listen_unbound()
    with socket.socket() as bound, socket.socket() as connected:
        results = {
            "execv": errno_of(os.execv, "/usr/bin/true", ["true"]),
            "subprocess": errno_of(subprocess.run, ["/usr/bin/true"]),
            "fexecve": errno_of(os.execve, os.open("/usr/bin/true", os.O_RDONLY), ["true"], {}),
            "system": os.system("/usr/bin/true"),
            "bind": errno_of(bound.bind, ("127.0.0.1", 0)),
            "port": port,
            "accept": accepted,
            "connect": errno_of(connected.connect, ("127.0.0.1", 1)),
            "fork": fork_and_talk(),
            "thread": in_a_thread(),
        }
    print(json.dumps(results))


main()
