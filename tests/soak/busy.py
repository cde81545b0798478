# SPDX-License-Identifier: MIT
"""How long the daemon takes to answer while one app forks and floods its log without end.

Times on an emulated processor say little, so those of the same machine at rest stand beside them.
"""

import os
import subprocess
import time

from ground import HERE, say
from supervisors import WORKER

IDLE = 20  # apps beside it
CALLS = 1000
PROCESSES = 64
METHODS = ("app.list", "daemon.info")
ANSWER_MSEC_MAX = 1000  # p99: somebody waits for it
PROBE = os.path.join(HERE, "rpc-probe")


def probe(ground, method):
    """Median and p99 of the calls, in ms."""
    request = f'{{"jsonrpc":"2.0","id":1,"method":"{method}"}}\n'.encode()
    out = subprocess.run((PROBE, ground.socket, "line", str(CALLS), "1"), input=request,
                         capture_output=True, check=True).stdout.split()
    return float(out[1]) / 1e3, float(out[2]) / 1e3


def run(ground, checks):
    for number in range(IDLE):
        ground.declare(f"idle{number:02}", ("sleep", "infinity"))
    ground.declare("bomb", (WORKER, "bomb", "1000000"), enabled=False,
                   limits={"pids": PROCESSES}, log={"target": "file"})
    ground.call("daemon.reload")
    for number in range(IDLE):
        ground.await_state(f"idle{number:02}", "running")
    quiet = {method: probe(ground, method) for method in METHODS}
    ground.start_program("bomb")
    time.sleep(5)
    busy = {method: probe(ground, method) for method in METHODS}
    ground.stop_program("bomb")
    say(f"  {'':<12} {'':<7} {'quiet':>8} {'busy':>8}  ratio   (ms)")
    for method in METHODS:
        for name, at_rest, under_load in zip(("median", "p99"), quiet[method], busy[method]):
            say(f"  {method:<12} {name:<7} {at_rest:8.2f} {under_load:8.2f}  "
                f"{under_load / at_rest:.1f}")
        checks.at_most(busy[method][1], ANSWER_MSEC_MAX, f"{method}, p99 in ms under load")
    for number in range(IDLE):
        checks.same(f"idle{number:02}", ground.app(f"idle{number:02}")["state"], "running")
