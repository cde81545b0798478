# SPDX-License-Identifier: MIT
"""A Flask app with good and bad manners, for WSGI servers."""

import json
import os
import sys
import time

from flask import Flask, Response, request

app = Flask(__name__)
hoard = []


def say(text):
    """The server's error log is our log: standard error, one write."""
    os.write(2, f"{text} in pid {os.getpid()}\n".encode())


@app.route("/")
def index():
    return "hello from flask\n"


@app.route("/pid")
def pid():
    return f"{os.getpid()}\n"


@app.route("/env")
def environment():
    return Response(json.dumps(dict(os.environ)), mimetype="application/json")


@app.route("/leak")
def leak():
    """Grows this worker for good, in steps of 4 MiB."""
    say("leaking")
    for _ in range(int(request.args["mb"]) // 4):
        hoard.append(b"x" * (4 << 20))
        time.sleep(0.005)
    return f"{len(hoard) * 4} MiB\n"


@app.route("/slow")
def slow():
    say("slow request")
    time.sleep(float(request.args["s"]))
    return "slow but done\n"


say("loaded")

if __name__ == "__main__":
    sys.exit("run it under a WSGI server: gunicorn flask_app:app")
