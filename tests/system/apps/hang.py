# SPDX-License-Identifier: MIT
"""Hangs while it answers its health check: once, when the file $FLAG is there, in the way $HANG.

As WSGI `app`, as ASGI `async_app`; by itself: hang.py PORT, which starts several times faster.
"""

import os
import signal
import socket
import sys
import threading
import time


def deadlock():
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()


def loop():
    while True:
        pass


def recv():
    ours, theirs = socket.socketpair()
    ours.recv(1)
    theirs.close()


def sleep():
    time.sleep(3600)


def stop():
    os.kill(os.getpid(), signal.SIGSTOP)


def burn():
    """Others take all processor time there is; this one answers."""
    for _ in range(3):
        if os.fork() == 0:
            loop()


def fail():
    global status
    status = 500


HOW = {"deadlock": deadlock, "loop": loop, "recv": recv, "sleep": sleep, "stop": stop, "burn": burn,
       "fail": fail, "slow": fail}
status = 200


def answer():
    try:
        os.unlink(os.environ["FLAG"])
    except FileNotFoundError:
        return status
    os.write(2, b"from here on it hangs\n")
    HOW[os.environ["HANG"]]()
    return status


def app(environ, start_response):
    start_response(f"{answer()} Status", [("Content-Type", "text/plain")])
    return [b"answered\n"]


async def async_app(scope, receive, send):
    if scope["type"] != "http":
        return
    await send({"type": "http.response.start", "status": answer(), "headers": []})
    await send({"type": "http.response.body", "body": b"answered\n"})


if os.environ["HANG"] == "slow":
    time.sleep(8)

if __name__ == "__main__":
    from wsgiref.simple_server import make_server

    make_server("127.0.0.1", int(sys.argv[1]), app).serve_forever()
