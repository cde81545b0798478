# SPDX-License-Identifier: MIT
"""A web app that dies or hangs when asked to: `app` for WSGI servers, `asgi` for ASGI ones.
"""

import ctypes
import os
import time

hoard = []


def leak():
    while True:
        hoard.append(b"x" * (1 << 20))
        time.sleep(0.005)


def crash():
    ctypes.string_at(0)


def block():
    """Waits, in a thread that has others to serve: an event loop's, or the only one there is."""
    time.sleep(3600)


ROUTES = {"/leak": leak, "/crash": crash, "/block": block}


def answer(path):
    if path in ROUTES:
        os.write(2, f"{path} in pid {os.getpid()}\n".encode())
        ROUTES[path]()
    return b"alive\n"


def app(environ, start_response):
    body = answer(environ["PATH_INFO"])
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


async def asgi(scope, receive, send):
    if scope["type"] == "lifespan":
        while (await receive())["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    body = answer(scope["path"])
    await send({"type": "http.response.start", "status": 200,
                "headers": [(b"content-length", str(len(body)).encode())]})
    await send({"type": "http.response.body", "body": body})
