# SPDX-License-Identifier: MIT
"""Thousands of deaths of workers: what do they leave behind?

Apps crash in parallel, in all ways, and are started again at once; one more has children that die.
All is measured while none of them runs: after a warm-up, when the daemon's ring of events is full,
and at the end. Only what grows in between is a leak.
"""

import glob
import os
import subprocess
import time

from ground import INCIDENTS, KEEPERS, LOGS, STATE, WORKER, say
from supervisors import memory, read

RING_EVENTS = 10000  # EVENT_RING_EVENTS
WAYS = ("exit",) * 9 + ("segv",) * 5 + ("kill",) * 5 + ("oom",)
CAUSES = {"exit": "exit", "segv": "signal", "kill": "signal", "oom": "oom"}
KEPT = 200  # INCIDENT_STORE_KEEP: incidents of an app
STALLED_SEC = 300  # without a single death
LOOKS = 5  # on the way
SETTLE_SEC = 60  # until the kernel has let go of cgroups

# What may be more at the end than after the warm-up.
MARGIN_FDS = 2
MARGIN_WATCHES = 2
MARGIN_RSS_KIB = 1024
MARGIN_LAUNCHER_KIB = 64
MARGIN_STATE_BYTES = 4096
MARGIN_LOG_BYTES = 1 << 20  # a file is rotated when it has reached its size
MARGIN_MOUNTS = 2
MARGIN_KERNEL_KIB = 16 << 10
DYING_MAX = 20  # cgroups that the kernel still has pages of
LOG_BYTES = 256 << 10


def names():
    return [f"{way}{number:02}" for number, way in enumerate(WAYS)]


def declare(ground):
    ground.apply("stays", "sleep", "infinity")  # keeps the scope
    ground.apply("parent", WORKER, "parent", limits={"memory": "32M"}, enabled=False)
    for number, way in enumerate(WAYS):
        log = {"target": "file", "max_size": LOG_BYTES, "keep": 2} if number % 2 else {}
        ground.declare(f"{way}{number:02}", (WORKER, "die", way), enabled=False,
                       limits={"memory": "16M", "pids": 16}, log=log,
                       restart={"mode": "always", "max_restarts": "max", "backoff": "10ms",
                                "backoff_max": "10ms", "stable": "1d"})
    ground.call("daemon.reload")
    ground.await_state("stays", "running")


def start(ground):
    for name in ("parent", *names()):
        ground.start_program(name)


def calm_down(ground):
    """None of them runs, and the kernel has forgotten what it can forget."""
    for name in ("parent", *names()):
        ground.call("app.stop", name=name)
    rest = time.monotonic() + SETTLE_SEC
    while time.monotonic() < rest:
        subprocess.run("sync; echo 3 >/proc/sys/vm/drop_caches; "
                       f"echo 512M >{ground.scope}/memory.reclaim", shell=True, check=False,
                       stderr=subprocess.DEVNULL)
        time.sleep(1)
        if ground.dying() <= DYING_MAX // 4:
            break


def deaths(ground):
    return sum(app["restarts"] for app in ground.apps().values())


def children_states(ground):
    """The states of all processes below the daemon, the launchers and the anchor."""
    parents = {ground.pid, *(int(pid) for pid in read(ground.scope + "/init/cgroup.procs").split())}
    lines = subprocess.run(("ps", "-eo", "ppid=,stat="), check=True, capture_output=True,
                           text=True).stdout.splitlines()
    return [line.split()[1] for line in lines if int(line.split()[0]) in parents]


def watches(pid):
    count = 0
    for path in glob.glob(f"/proc/{pid}/fdinfo/*"):
        try:
            count += read(path).count("inotify wd:")
        except OSError:  # closed in between
            pass
    return count


def size_below(path):
    size = 0
    for directory, _, files in os.walk(path):
        for file in files:
            try:
                size += os.stat(os.path.join(directory, file)).st_size
            except FileNotFoundError:  # rotated away
                pass
    return size


def kernel_kib():
    """What the kernel holds for itself and can't give back."""
    fields = {line.split(":")[0]: int(line.split()[1])
              for line in read("/proc/meminfo").splitlines()}
    return sum(fields[key] for key in ("SUnreclaim", "KernelStack", "PageTables", "Percpu"))


def resident(pid):
    """kB; 0 when it has gone."""
    try:
        return memory(pid)["Rss"]
    except (FileNotFoundError, ProcessLookupError):
        return 0


def look(ground):
    pid = ground.pid
    return {
        "deaths": deaths(ground),
        "events": ground.cursor(),
        "fds": ground.fds(),
        "watches": watches(pid),
        "rss": resident(pid),
        "launchers": len(ground.launchers()),
        "launcher": max(map(resident, ground.launchers()), default=0),
        "keepers": len(os.listdir(KEEPERS)),
        "zombies": sum("Z" in state for state in children_states(ground)),
        "cgroups": sum(len(below) for _, below, _ in os.walk(ground.scope)),
        "dying": ground.dying(),
        "incidents": max(len(os.listdir(path)) for path in glob.glob(INCIDENTS + "/*")),
        "state": os.stat(STATE).st_size,
        "logs": size_below(LOGS),
        "mounts": read("/proc/self/mountinfo").count("\n"),
        "daemon_mounts": read(f"/proc/{pid}/mountinfo").count("\n"),
        "kernel": kernel_kib(),
    }


class Watcher:
    """Waits for deaths, and tells now and then what there is."""

    def __init__(self, ground, count):
        self.ground = ground
        self.began = time.monotonic()
        self.step = max(count // LOOKS, 1)
        self.next_look = self.step

    def tell(self):
        seen = look(self.ground)
        say(f"  {time.monotonic() - self.began:6.0f} s: {seen['deaths']:6} deaths, "
            f"{seen['events']:6} events, daemon {seen['rss']:6} kB, {seen['fds']} fds, "
            f"{seen['cgroups']} cgroups and {seen['dying']} dying, kernel {seen['kernel']} kB")
        return seen

    def wait(self, enough):
        """Until enough() of the number of deaths."""
        last, changed = None, time.monotonic()
        while not enough(now := deaths(self.ground)):
            if now != last:
                last, changed = now, time.monotonic()
            if time.monotonic() - changed > STALLED_SEC:
                raise RuntimeError(f"nothing has died for {STALLED_SEC} s: {self.ground.apps()}")
            if now >= self.next_look:
                self.tell()
                self.next_look = now + self.step
            time.sleep(2)


def compare(checks, before, after):
    more = after["deaths"] - before["deaths"]
    for key, what, margin in (
            ("fds", "descriptors of the daemon", MARGIN_FDS),
            ("watches", "inotify watches of the daemon", MARGIN_WATCHES),
            ("rss", "resident memory of the daemon, kB", MARGIN_RSS_KIB),
            ("launcher", "resident memory of the largest launcher, kB", MARGIN_LAUNCHER_KIB),
            ("launchers", "launchers", 0),
            ("keepers", "sockets of launchers", 0),
            ("cgroups", "cgroups below the scope", 0),
            ("state", "bytes of the state file", MARGIN_STATE_BYTES),
            ("logs", "bytes of log files", MARGIN_LOG_BYTES),
            ("mounts", "mounts of the machine", MARGIN_MOUNTS),
            ("daemon_mounts", "mounts that the daemon sees", MARGIN_MOUNTS),
            ("kernel", "memory that the kernel can't give back, kB", MARGIN_KERNEL_KIB)):
        checks.grown(what, before[key], after[key], margin)
    checks.same("zombies", after["zombies"], 0)
    checks.at_most(after["dying"], DYING_MAX, "dying cgroups")
    checks.at_most(after["incidents"], KEPT, "incidents kept of an app")
    say(f"  the daemon's memory: {(after['rss'] - before['rss']) * 1024 / more:+.1f} bytes a death")


def run(ground, checks, count, events=RING_EVENTS):
    """events: how many the warm-up takes; with fewer than the ring holds, the ring grows on."""
    watcher = Watcher(ground, count)
    declare(ground)
    pid = ground.pid
    start(ground)
    watcher.wait(lambda _: ground.cursor() >= events)
    calm_down(ground)
    say("  the warm-up is over, and nothing runs:")
    before = watcher.tell()
    start(ground)
    watcher.wait(lambda now: now >= before["deaths"] + count)
    calm_down(ground)
    after = watcher.tell()
    checks.same("the daemon's process", ground.pid, pid)
    checks.expect(after["deaths"] >= before["deaths"] + count,
                  f"{after['deaths'] - before['deaths']:,} deaths after the warm-up")
    compare(checks, before, after)
    for name in names():
        causes = {row["cause"] for row in ground.incidents(name)}
        checks.same(f"causes of {name}", causes, {CAUSES[name[:-2]]})
    checks.same("processes of the app that nobody killed", len(ground.worker_pids("stays")), 1)
