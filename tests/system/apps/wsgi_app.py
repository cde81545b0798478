# SPDX-License-Identifier: MIT
"""Plain WSGI without a framework: starts several times faster than Flask."""

import os
import time
from urllib.parse import parse_qs

hoard = []


def leak(query):
    """Grows this worker for good, in steps of 4 MiB."""
    os.write(2, b"leaking in pid %d\n" % os.getpid())
    for _ in range(int(query["mb"][0]) // 4):
        hoard.append(b"x" * (4 << 20))
        time.sleep(0.005)
    return f"{len(hoard) * 4} MiB\n"


def slow(query):
    os.write(2, b"slow request in pid %d\n" % os.getpid())
    time.sleep(float(query["s"][0]))
    return "slow but done\n"


ROUTES = {
    "/": lambda query: "hello from wsgi\n",
    "/pid": lambda query: f"{os.getpid()}\n",
    "/leak": leak,
    "/slow": slow,
}


def app(environ, start_response):
    route = ROUTES.get(environ["PATH_INFO"])
    if route is None:
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b"no such page\n"]
    body = route(parse_qs(environ["QUERY_STRING"])).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


os.write(2, b"loaded in pid %d\n" % os.getpid())
