# SPDX-License-Identifier: MIT
"""WSGI under python-strict: / answers, /try opens a port and starts programs, or tries to (JSON)."""

import errno
import json
import os
import socket
import subprocess


def errno_of(action, *args):
    try:
        action(*args)
    except OSError as error:
        return errno.errorcode[error.errno]
    return "done"


def listen_elsewhere():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()


def listen_by_path():
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("/tmp/listener")
        listener.listen()


def attempts():
    return {
        "listen": errno_of(listen_elsewhere),
        "listen_unix": errno_of(listen_by_path),
        "subprocess": errno_of(subprocess.run, ["/usr/bin/true"]),
        "execv": errno_of(os.execv, "/usr/bin/true", ["true"]),
    }


def app(environ, start_response):
    body = "hello from strict\n"
    if environ["PATH_INFO"] == "/try":
        body = json.dumps(attempts())
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body.encode()]
