# SPDX-License-Identifier: MIT
"""The demo's application: an ordinary Flask app, with one request that leaks."""

import os

from flask import Flask

app = Flask(__name__)
hoard = []


@app.route("/")
def index():
    return f"hello from worker {os.getpid()}\n"


def attempt(what, act):
    try:
        act()
    except OSError as error:
        return f"{what}: {error.strerror}"
    return f"{what}: yes"


@app.route("/inside")
def inside():
    """What a request handler can do with the machine it runs on."""
    return "\n".join((
        f"uid: {os.getuid()}, processes in sight: {sum(name.isdigit() for name in os.listdir('/proc'))}",
        attempt("change my own code", lambda: open(__file__, "a").close()),
        attempt("list /root", lambda: os.listdir("/root")),
        attempt("read /etc/shadow", lambda: open("/etc/shadow").close()),
        attempt("write to /tmp", lambda: open("/tmp/note", "w").close()),
    )) + "\n"


@app.route("/leak")
def leak():
    """Keeps what it should let go, until somebody ends it."""
    print(f"worker {os.getpid()}: /leak begins to keep everything", flush=True)
    while True:
        hoard.append(b"x" * (4 << 20))
