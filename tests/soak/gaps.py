# SPDX-License-Identifier: MIT
"""Nobody supervises for a while: the daemon is stopped, or hangs. What do the workers notice, and
what does it miss?

Meanwhile a web app is asked all the time, four writers flood their logs, one says little, and one
worker dies. Afterwards every line is in the log or counted as dropped, the death is explained, and
the others are the processes that they were.
"""

import json
import os
import re
import select
import signal
import socket
import time

from ground import (DROPPED, LOGS, REACTION_SEC, WORKER, Visitor, apply_web, is_alive, journal, say,
                    systemctl)
from supervisors import DATA, await_true, read, run

FLOOD_BYTES = 1 << 30  # of all writers together, while the daemon is stopped
FLOOD_SEC = 1800  # if it takes longer than that, on top of the daemon's time, it is held up
HANG_FLOOD_BYTES = 4 << 20
WRITERS = 4
LINE_BYTES = 64
RING_BYTES = 256 << 10  # LAUNCH_RING_BYTES
FEW_LINES = 1000  # they fit
WATCHDOG_SEC = 30  # of the unit
SHORT_HANG_SEC = 20  # the daemon tells systemd every 15 to 22 s that it is well
MEMORY_MARGIN = 4 << 20  # of all launchers together, when they have told what they kept


def line(number):
    """As the worker writes it."""
    return f"line {number:058}"


class Worker:
    """An app with a directory, through which it is told what to do."""

    def __init__(self, ground, name, mode, *words):
        self.ground, self.name = ground, name
        self.directory = f"{DATA}/{name}"
        os.mkdir(self.directory)
        os.chmod(self.directory, 0o777)
        ground.declare(name, (WORKER, mode, self.directory, *words),
                       isolation={"writable": [self.directory]}, limits={"memory": "64M"},
                       log={"target": "file", "rate": "max", "max_size": "100M"})
        self.lines = self.logged = 0
        self.pids, self.restarts = [], 0

    def path(self, name):
        return f"{self.directory}/{name}"

    def note(self):
        """What is to be as it was."""
        self.pids = self.ground.worker_pids(self.name)
        self.restarts = self.ground.app(self.name)["restarts"]

    def write(self, lines, seconds):
        log = f"{LOGS}/{self.name}.log"
        self.lines = lines
        self.logged = os.stat(log).st_size if os.path.exists(log) else 0
        if os.path.exists(self.path("done")):
            os.remove(self.path("done"))
        with open(self.path("part"), "w", encoding="ascii") as file:
            file.write(f"{lines} {seconds:.0f}\n")
        os.rename(self.path("part"), self.path("go"))

    def await_written(self, seconds):
        await_true(lambda: os.path.exists(self.path("done")), seconds,
                   f"{self.name}, held up, has written")

    def die(self):
        with open(self.path("die"), "w", encoding="ascii"):
            pass

    def logged_lines(self):
        """What has come since write()."""
        with open(f"{LOGS}/{self.name}.log", encoding="ascii") as file:
            file.seek(self.logged)
            return file.read().splitlines()

    def check_untouched(self, checks):
        checks.same(f"{self.name}: processes", self.ground.worker_pids(self.name), self.pids)
        app = self.ground.app(self.name)
        checks.same(f"{self.name}: state and restarts", (app["state"], app["restarts"]),
                    ("running", self.restarts))

    def check_log(self, checks, since):
        """The newest lines are there without a hole, and the others are counted by the daemon."""
        last = line(self.lines - 1)
        await_true(lambda: self.logged_lines()[-1:] == [last], REACTION_SEC,
                   f"the last line of {self.name}")
        kept = self.logged_lines()
        told = [entry["MESSAGE"] for entry in
                journal(since, f"MESSAGE_ID={DROPPED}", f"PYSBX_APP={self.name}")]
        dropped = sum(int(re.search(r"(\d+) (?:log )?lines?\b", text)[1]) for text in told)
        first = self.lines - len(kept)
        expected = [line(number) for number in range(first, self.lines)]
        checks.expect(kept[1:] == expected[1:] and (kept[0] == expected[0] or dropped > 0 and
                                                    expected[0].endswith(kept[0])),
                      f"{self.name}: the last {len(kept):,} of {self.lines:,} lines, in order")
        checks.same(f"{self.name}: lines kept and dropped", len(kept) + dropped, self.lines)
        if dropped:
            checks.expect(len(kept) * LINE_BYTES >= RING_BYTES - LINE_BYTES,
                          f"{self.name}: what fits is kept: {told}")


class Crew:
    """A web app and its visitor, writers, and one that will die."""

    def __init__(self, ground):
        self.ground = ground
        self.writers = [Worker(ground, f"writer{n}", "write") for n in range(WRITERS)]
        self.quiet = Worker(ground, "quiet", "write")
        self.mortal = Worker(ground, "mortal", "wait", "segv")
        apply_web(ground)
        self.all = [*self.writers, self.quiet, self.mortal]
        for worker in self.all:
            ground.await_state(worker.name, "running")
        self.die_once()
        self.visitor = Visitor()
        self.visitor.start()

    def die_once(self):
        """A restart to be remembered."""
        self.mortal.die()
        await_true(lambda: self.ground.app("mortal")["restarts"] == 1, REACTION_SEC, "a restart")
        self.ground.await_state("mortal", "running")

    def note(self):
        self.since = time.time()
        for worker in self.all:
            worker.note()
        self.web = self.ground.worker_pids("web")
        self.cursor = self.ground.cursor()
        self.deaths = len(self.ground.incidents("mortal"))
        self.kept_memory = self.memory()

    def memory(self):
        """Of launchers and anchor, with what they keep."""
        return int(read(self.ground.scope + "/init/memory.current"))

    def kill_mortal(self):
        pids = self.ground.worker_pids("mortal")
        self.mortal.die()
        await_true(lambda: not any(map(is_alive, pids)), REACTION_SEC, "the death of mortal")

    def check(self, checks):
        """The daemon is back."""
        for worker in (*self.writers, self.quiet):
            worker.check_untouched(checks)
            worker.check_log(checks, self.since)
        checks.same("web: processes", self.ground.worker_pids("web"), self.web)
        await_true(lambda: len(self.ground.incidents("mortal")) > self.deaths, REACTION_SEC,
                   "an incident of mortal")
        self.ground.await_state("mortal", "running")
        incidents = self.ground.incidents("mortal")
        checks.same("mortal: incidents", len(incidents), self.deaths + 1)
        checks.same("mortal: cause", incidents[0]["cause"], "signal")
        checks.same("mortal: restarts", self.ground.app("mortal")["restarts"],
                    self.mortal.restarts + 1)
        checks.expect(self.ground.cursor() > self.cursor,
                      f"events go on: cursor {self.cursor} -> {self.ground.cursor()}")
        checks.grown("memory of the launchers, bytes", self.kept_memory, self.memory(),
                     MEMORY_MARGIN)


def run_stopped(ground, checks, seconds):
    crew = Crew(ground)
    crew.note()
    lines = FLOOD_BYTES // WRITERS // LINE_BYTES
    began = time.monotonic()
    systemctl("stop", ground.unit)
    for writer in crew.writers:
        writer.write(lines, seconds * 0.9)
    crew.quiet.write(FEW_LINES, seconds / 2)
    time.sleep(seconds / 2)
    crew.kill_mortal()
    checks.at_most(crew.memory() - crew.kept_memory,
                   len(crew.all) * (2 * RING_BYTES) + MEMORY_MARGIN,
                   "what the launchers keep meanwhile, bytes")
    time.sleep(max(0, began + seconds - time.monotonic()))
    for writer in (*crew.writers, crew.quiet):
        writer.await_written(FLOOD_SEC)
    checks.same("the daemon's pid", ground.pid, 0)
    say(f"  stopped for {time.monotonic() - began:.0f} s, "
        f"{WRITERS * lines * LINE_BYTES:,} bytes of log written")
    systemctl("start", ground.unit)
    ground.await_answer()
    crew.check(checks)
    crew.visitor.leave(checks, int(seconds))


# --- hangs ----------------------------------------------------------------------------------------

def watchdog_stamp(ground):
    return run("systemctl", "show", "--property=WatchdogTimestampMonotonic", "--value", ground.unit)


def await_watchdog(ground):
    """The daemon has just said that it is well: from now on it has WATCHDOG_SEC."""
    old = watchdog_stamp(ground)
    await_true(lambda: watchdog_stamp(ground) != old, 2 * WATCHDOG_SEC, "a sign of life")


def ask_on(client, method):
    client.sendall(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method}).encode() + b"\n")


def busy_crew(crew):
    """What happens while the daemon hangs."""
    for writer in crew.writers:
        writer.write(HANG_FLOOD_BYTES // WRITERS // LINE_BYTES, 0)
    crew.quiet.write(FEW_LINES, 5)
    crew.kill_mortal()
    for writer in (*crew.writers, crew.quiet):
        writer.await_written(REACTION_SEC)


def hang_shortly(ground, checks, crew):
    pid = ground.pid
    crew.note()
    await_watchdog(ground)
    began = time.monotonic()
    os.kill(pid, signal.SIGSTOP)
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(ground.socket)
            ask_on(client, "daemon.info")
            busy_crew(crew)
            checks.expect(not select.select([client], [], [], 0)[0], "nobody answers meanwhile")
            time.sleep(max(0, began + SHORT_HANG_SEC - time.monotonic()))
            os.kill(pid, signal.SIGCONT)
            answer = json.loads(client.makefile().readline())
    finally:
        os.kill(pid, signal.SIGCONT)
    checks.same("who answers in the end", answer["result"]["pid"], pid)
    say(f"  hung for {time.monotonic() - began:.0f} s")
    crew.check(checks)
    checks.same("the daemon's process", ground.pid, pid)


def hang_for_good(ground, checks, crew):
    pid = ground.pid
    crew.note()
    restarts = int(run("systemctl", "show", "--property=NRestarts", "--value", ground.unit))
    began = time.monotonic()
    os.kill(pid, signal.SIGSTOP)
    busy_crew(crew)
    await_true(lambda: ground.pid not in (0, pid), 3 * WATCHDOG_SEC, "a new daemon")
    ground.await_answer()
    say(f"  a new daemon after {time.monotonic() - began:.0f} s")
    crew.check(checks)
    checks.same("restarts of the daemon",
                int(run("systemctl", "show", "--property=NRestarts", "--value", ground.unit)),
                restarts + 1)
    checks.expect(journal(crew.since, f"UNIT={ground.unit}", "UNIT_RESULT=watchdog"),
                  "systemd says that it was the watchdog")


def run_hangs(ground, checks):
    crew = Crew(ground)
    hang_shortly(ground, checks, crew)
    hang_for_good(ground, checks, crew)
    crew.visitor.leave(checks, SHORT_HANG_SEC)
