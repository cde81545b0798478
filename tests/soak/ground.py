# SPDX-License-Identifier: MIT
"""What the parts of `make soak` stand on: the machine's daemon, its apps, checks, the journal."""

import glob
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

from supervisors import DATA, Pysbxd, await_true, read

HERE = os.path.dirname(os.path.abspath(__file__))
WORKER = os.path.join(HERE, "soak-worker")
WEB_APPS = os.path.join(HERE, "apps")
INCIDENTS = "/var/lib/pysbx/incidents"
LOGS = "/var/log/pysbx"
KEEPERS = "/run/pysbx/sandbox"
STATE = "/run/pysbx/state.json"
DROPPED = "8b2affb327134b69a99b40a829ce8429"  # MESSAGE_ID of log-lines-dropped
WEB_PORT = 8077
REACTION_SEC = 120  # until the daemon, under load and emulated, has done one thing


def say(*words):
    print(*words, flush=True)


class Checks:
    """What was looked at: each is told as it is known, what failed once more at the end."""

    def __init__(self):
        self.failed = []

    def expect(self, holds, what):
        say("  ok  " if holds else "  FAIL", what)
        if not holds:
            self.failed.append(what)

    def at_most(self, value, most, what):
        self.expect(value <= most, f"{what}: {value:,} (at most {most:,})")

    def grown(self, what, before, after, margin):
        self.expect(after <= before + margin,
                    f"{what}: {before:,} -> {after:,} (may grow by {margin:,})")

    def same(self, what, value, expected):
        self.expect(value == expected, f"{what}: {value!r}"
                    + ("" if value == expected else f", not {expected!r}"))


def systemctl(*words):
    subprocess.run(("systemctl", *words), check=True, capture_output=True, timeout=REACTION_SEC)


class Ground(Pysbxd):
    """The daemon without any app, and what is asked of it."""

    def __init__(self):
        super().__init__(0)

    def prepare(self):
        self.clear()
        os.makedirs(DATA)
        os.chmod(DATA, 0o777)  # every app has a uid of its own
        systemctl("start", self.unit)
        self.await_answer()

    def clear(self):
        """As if it had never run here."""
        subprocess.run(("systemctl", "stop", self.unit, "pysbxd.socket"), check=False,
                       capture_output=True)
        subprocess.run(("systemctl", "stop", "pysbx-apps.scope"), check=False,
                       capture_output=True)
        await_true(lambda: not os.path.exists(self.scope), REACTION_SEC, "end of the scope")
        for path in (*glob.glob(self.configuration + "/*"), *glob.glob("/var/lib/pysbx/*"),
                     *glob.glob(LOGS + "/*"), *glob.glob(STATE + "*"), KEEPERS, DATA):
            if os.path.isdir(path):
                shutil.rmtree(path, ignore_errors=True)
            elif os.path.exists(path):
                os.remove(path)

    def await_answer(self):
        def answers():
            try:
                return self.call("daemon.info")["pid"] > 0
            except (OSError, ValueError):  # not there, or gone before it answered
                return False
        await_true(answers, REACTION_SEC, "an answer of the daemon")

    def apply(self, name, *command, **keys):
        """Declares it, and the daemon reads that."""
        self.declare(name, command, **keys)
        self.call("daemon.reload")

    def apps(self):
        return {app["name"]: app for app in self.call("app.list")["apps"]}

    def app(self, name):
        return self.call("app.get", name=name)

    def await_state(self, name, state, seconds=REACTION_SEC):
        await_true(lambda: self.app(name)["state"] == state, seconds, f"{name} is {state}")

    def cursor(self):
        """Of the newest event."""
        return self.call("events.subscribe")["cursor"]

    def incidents(self, name):
        return self.call("incident.list", app=name, limit=200)["incidents"]

    def worker_pids(self, name):
        """From the kernel, not from the daemon: it may be stopped."""
        pids = []
        for path in glob.glob(f"{self.scope}/{name}.slice/*/cgroup.procs"):
            pids += [int(pid) for pid in read(path).split()]
        return sorted(pids)


def is_alive(pid):
    try:
        return read(f"/proc/{pid}/stat").rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


# --- the journal ----------------------------------------------------------------------------------

def journal(since, *fields):
    subprocess.run(("journalctl", "--sync"), check=True)
    out = subprocess.run(("journalctl", "--quiet", "--no-pager", "--boot", "--all",
                          "--output=json", f"--since=@{since:.6f}", *fields),
                         check=True, capture_output=True, text=True).stdout
    return [json.loads(line) for line in out.splitlines()]


# --- a gunicorn, and somebody who asks it all the time --------------------------------------------

def apply_web(ground):
    ground.apply("web", "gunicorn", "-w", "2", "-k", "gthread", "--threads", "4",
                 "-b", f"127.0.0.1:{WEB_PORT}", "wsgi_app:app", directory=WEB_APPS)
    await_true(lambda: ask_web() is None, REACTION_SEC, "an answer of the web app")


def ask_web():
    """None, or what went wrong."""
    connection = http.client.HTTPConnection("127.0.0.1", WEB_PORT, timeout=10)
    try:
        connection.request("GET", "/")
        answer = connection.getresponse()
        body = answer.read()
        return None if answer.status == 200 and body else f"status {answer.status}"
    except OSError as error:
        return str(error)
    except http.client.HTTPException as error:
        return repr(error)
    finally:
        connection.close()


class Visitor(threading.Thread):
    """A request, again and again, each on a connection of its own."""

    PAUSE = 0.1

    def __init__(self):
        super().__init__(daemon=True)
        self.times, self.failures = [], []
        self.ended = threading.Event()

    def run(self):
        while not self.ended.wait(self.PAUSE):
            began = time.monotonic()
            failure = ask_web()
            if failure is None:
                self.times.append(time.monotonic() - began)
            else:
                self.failures.append(failure)

    def leave(self, checks, least):
        """Nothing that it has asked may have failed."""
        self.ended.set()
        self.join()
        slowest = max(self.times, default=0) * 1e3
        checks.expect(not self.failures and len(self.times) >= least,
                      f"{len(self.times):,} HTTP requests answered, {len(self.failures)} failed, "
                      f"slowest {slowest:.0f} ms {self.failures[:3] or ''}")


def end_on_sigterm():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
