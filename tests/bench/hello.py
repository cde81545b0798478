# SPDX-License-Identifier: MIT
"""A hello-world under gunicorn in a sandbox, and how many requests a second it answers (wrk)."""

import os
import resource
import shutil
import signal
import statistics
import subprocess
import time

from supervisors import DATA, ROOT, read

SECONDS = 4  # of requests
PORT = 8731
APP = """
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "12")])
    return [b"Hello world\\n"]
"""
GUNICORN = ("gunicorn", "--chdir", DATA, "--bind", f"127.0.0.1:{PORT}", "--workers", "1",
            "--log-level", "error", "hello:app")


def is_installed():
    return bool(shutil.which("wrk") and shutil.which("gunicorn"))


def prepare():
    os.makedirs(DATA)
    os.chmod(DATA, 0o755)
    with open(DATA + "/hello.py", "w", encoding="ascii") as file:
        file.write(APP)


def confined(options, command):
    if ROOT and "pids" not in read(ROOT + "/cgroup.controllers").split():
        limits = ("--pids", "max", "--nofile", str(resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    else:
        limits = ("--mem", "256M")
    place = ("--cgroup-root", ROOT) if ROOT else ()
    return ("pysbx", "run", "--quiet", *place, "--name", "bench-hello", *limits, "--restart", "never",
            *options, "--chdir", DATA, "--", *command)


def start(command, output=subprocess.DEVNULL):
    return subprocess.Popen(command, stdout=output, stderr=subprocess.DEVNULL, text=True)


def wrk(connections, seconds):
    command = ("wrk", "-t1", f"-c{connections}", f"-d{seconds}s", f"http://127.0.0.1:{PORT}/")
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def requests(command, stop=False):
    """A second, once it is warm. stop: the process that was started stands still meanwhile."""
    server = start(command)
    try:
        end = time.monotonic() + 60
        while "Requests/sec" not in wrk(1, 1):
            if server.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"gunicorn does not answer: {' '.join(command)}")
        if stop:
            server.send_signal(signal.SIGSTOP)
        out = wrk(4, SECONDS)
        if "Non-2xx" in out or "Requests/sec:" not in out:
            raise RuntimeError(f"errors: {out}")
        return float(out.split("Requests/sec:")[1].split()[0])
    finally:
        server.send_signal(signal.SIGCONT)
        server.send_signal(signal.SIGTERM)
        server.wait()


def measure(rounds, ways, look):
    """In each round one look at each way, of which each begins in turn."""
    values = {way: [] for way in ways}
    order = list(ways)
    for number in range(rounds):
        first = number % len(order)
        for way in order[first:] + order[:first]:
            values[way].append(look(way))
    return values


def report(what, unit, values, best, base):
    """best: max of what is better more, min of what is better less. base: the way to compare with."""
    bare = {way: best(row) for way, row in values.items()}
    print(f"\n{what}")
    print(f"{'':<12} {'median':>10} {'best':>10} {unit:<6} {'median':>8} {'best':>8}  of {base}")
    for way, row in values.items():
        middle = statistics.median(row) / statistics.median(values[base])
        print(f"{way:<12} {statistics.median(row):>10.1f} {bare[way]:>10.1f} {unit:<6} "
              f"{middle:>8.3f} {bare[way] / bare[base]:>8.3f}")
