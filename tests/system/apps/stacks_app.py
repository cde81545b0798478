# SPDX-License-Identifier: MIT
"""A WSGI application that holds still where it is told to: GET /hold waits in the middle of a few
frames until somebody opens the pipe `go` for writing. SIGURG writes the stacks, as faulthandler sees
them, to the file `dump`. Both are in the directory of the environment variable STACKS_DATA."""

import faulthandler
import functools
import os
import signal

data = os.environ["STACKS_DATA"]
names = []


def wait_for_go(*ignored):
    with open(data + "/held", "w") as file:
        file.write("%d\n" % os.getpid())
    with open(data + "/go") as file:
        file.read()
    return b"went on\n"


class Größe:
    def halten(self, n):
        if n > 0:
            return self.halten(n - 1)
        return [functools.reduce(lambda a, b: wait_for_go(),
                                 [1, 2])
                for _ in range(1)][0]


def app(environ, start_response):
    body = b"hello\n"
    if environ["PATH_INFO"] == "/hold":
        faulthandler.register(signal.SIGURG, file=open(data + "/dump", "w"), all_threads=True)
        body = sorted([1], key=lambda n: names.append(Größe().halten(20)))[0] and names[0]
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
