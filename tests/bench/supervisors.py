# SPDX-License-Identifier: MIT
"""pysbxd and supervisord behind one interface, for tests/bench/daemon.

Each has `count` idle programs from the start, and four that are started when they are measured:
"victim" is killed again and again, "crash" ends at once, "bomb" forks and writes log, "flood" writes
log as fast as it is taken.

Both are units of systemd, or with PYSBX_BENCH_CGROUP (a cgroup v2 directory that is theirs, see
tests/bench/host) processes in two leaves of that.
"""

import glob
import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import time
import xmlrpc.client

HERE = os.path.dirname(os.path.abspath(__file__))
WORKER = os.path.join(HERE, "bench-worker")
FLOOD_MIB = 48
LINE_BYTES = 100
DATA = "/srv/pysbx-bench"
FIFO = DATA + "/told"
CALM = 0.02  # seconds between two looks at a start
ROOT = os.environ.get("PYSBX_BENCH_CGROUP")  # None: systemd is PID 1
BOMB = 63  # processes of the bomb that nothing limits: as many as pysbx's limit leaves

IDLE = ("sleep", "infinity")
SPECIAL = {
    "victim": (WORKER, "started", FIFO),
    "crash": ("/bin/false",),
    "flood": (WORKER, "flood", FIFO, str(FLOOD_MIB)),
}


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def read(path):
    with open(path, encoding="ascii", errors="replace") as file:
        return file.read()


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def first_word(pid):
    """Of its command line; "" when it has gone."""
    try:
        return read(f"/proc/{pid}/cmdline").split("\0")[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def await_true(condition, seconds, what):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError(f"{what}: not within {seconds} s")
        time.sleep(CALM)


def private_memory(pid):
    """kB that the process has for itself alone."""
    fields = memory(pid)
    return fields["Private_Clean"] + fields["Private_Dirty"]


def memory(pid):
    """Rss, Pss, Private_* in kB."""
    lines = read(f"/proc/{pid}/smaps_rollup").splitlines()[1:]
    return {line.split(":")[0]: int(line.split()[1]) for line in lines}


def cgroup_processes(directory):
    try:
        return read(directory + "/cgroup.procs").split()
    except FileNotFoundError:
        return []


class Supervisor:
    unit = name = None
    process = None  # of ours, without systemd

    def __init__(self, count):
        self.count = count

    def spawn(self, *command):
        """In a leaf of ROOT that is named after it."""
        leaf = f"{ROOT}/{self.name}"
        os.makedirs(leaf, exist_ok=True)

        def enter():
            with open(leaf + "/cgroup.procs", "w", encoding="ascii") as file:
                file.write("0")

        with open(f"{DATA}/{self.name}.err", "wb") as errors:
            # pylint: disable=subprocess-popen-preexec-fn
            self.process = subprocess.Popen(command, preexec_fn=enter, stdout=errors, stderr=errors)

    def idle(self, number):
        return f"idle{number:04}"

    @property
    def pid(self):
        if self.process:
            return self.process.pid
        return int(run("systemctl", "show", "--property=MainPID", "--value", self.unit))

    def fds(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def cpu(self):
        """Seconds on a processor."""
        return int(read(f"/proc/{self.pid}/schedstat").split()[0]) / 1e9

    def switches(self):
        lines = read(f"/proc/{self.pid}/status").splitlines()
        return sum(int(line.split()[1]) for line in lines if "ctxt_switches" in line)

    def zombies(self):
        children = run("ps", "-o", "state=", "--ppid", str(self.pid))
        return children.count("Z")


class Pysbxd(Supervisor):
    name = "pysbxd"
    unit = "pysbxd.service"
    socket = "/run/pysbx/control.sock"
    protocol = "line"
    scope = ROOT + "/pysbx-apps" if ROOT else "/sys/fs/cgroup/pysbx.slice/pysbx-apps.scope"
    configuration = "/etc/pysbx/apps.d"
    settings = "/etc/pysbx/pysbxd.json"
    status_command = ("pysbx", "list")
    depth = 64  # calls under way at once on one connection

    def check(self):
        if not os.path.isdir(self.configuration):
            raise SystemExit("pysbx is not installed here")
        if os.listdir(self.configuration) or os.path.exists(self.scope):
            raise SystemExit(f"this machine has apps of its own: {self.configuration}")

    def prepare(self):
        if self.is_limited():
            idle = {"memory": "64M", "cpu": "50%", "pids": 16}
        else:
            idle = {"pids": "max", "nofile": resource.getrlimit(resource.RLIMIT_NOFILE)[1]}
            with open(self.settings, "w", encoding="ascii") as file:
                json.dump({"defaults": {"limits": idle}}, file)
        for number in range(self.count):
            self.declare(self.idle(number), IDLE, limits=idle)
        often = {"mode": "always", "max_restarts": "max"}
        files = {"target": "file", "rate": "max", "max_size": "1G"}
        self.declare("victim", SPECIAL["victim"], enabled=False, restart={**often, "stable": "100ms"})
        self.declare("crash", SPECIAL["crash"], enabled=False,
                    restart={**often, "backoff": "10ms", "backoff_max": "10ms", "stable": "1d"})
        limits = {"pids": BOMB + 1} if self.is_limited() else idle
        self.declare("bomb", (WORKER, "bomb", "1000000" if self.is_limited() else str(BOMB)),
                    enabled=False, limits=limits, log={"target": "file"})
        self.declare("flood", SPECIAL["flood"], enabled=False, log=files)

    def is_limited(self):
        """Not where cgroup v1 has the controllers."""
        return ROOT is None or "pids" in read(ROOT + "/cgroup.controllers").split()

    def declare(self, name, command, **keys):
        app = {"name": name, "command": command, "directory": DATA, **keys}
        if FIFO in command:
            app["isolation"] = {"writable": [DATA]}
        with open(f"{self.configuration}/{name}.json", "w", encoding="ascii") as file:
            json.dump(app, file)

    def start(self):
        """Returns when all idle programs run."""
        if ROOT:
            self.spawn("pysbxd", "--stderr", "--cgroup-root", ROOT)
            await_true(lambda: os.path.exists(self.socket), 60, "pysbxd's socket")
        else:
            run("systemctl", "start", self.unit)
        await_true(self._all_run, 1800, "pysbxd's apps")

    def _all_run(self):
        states = self.call("daemon.info")["states"]
        if states.get("failed", 0) + states.get("backoff", 0) > 0:
            said = read(f"{DATA}/{self.name}.err")[-2000:] if ROOT else ""
            raise RuntimeError(f"pysbxd's apps don't run: {states}\n{said}")
        return states.get("running", 0) >= self.count

    def call(self, method, **params):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(self.socket)
            request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
            client.sendall(json.dumps(request).encode() + b"\n")
            answer = json.loads(client.makefile().readline())
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    def request(self, name=None):
        """The bytes that ask for one program's state, or for all."""
        method, params = ("app.get", {"name": name}) if name else ("app.list", {})
        return json.dumps({"jsonrpc": "2.0", "id": 1, "method": method,
                           "params": params}).encode() + b"\n"

    def start_program(self, name):
        try:
            self.call("app.start", name=name)
        except RuntimeError:  # it had ended before it ran
            if name != "crash":
                raise

    def stop_program(self, name):
        self.call("app.stop", name=name)

    def pid_of(self, name):
        return self.call("app.get", name=name)["pid"]

    def cycles(self, name):
        return self.call("app.get", name=name)["restarts"]

    def log_lines(self, name):
        return count_lines(glob.glob(f"/var/log/pysbx/{name}*"))

    def launchers(self):
        pids = cgroup_processes(self.scope + "/init")
        return [int(pid) for pid in pids if first_word(pid) == "pysbx-launch"]

    def dying(self):
        lines = read(self.scope + "/cgroup.stat").splitlines()
        return int(dict(line.split() for line in lines)["nr_dying_descendants"])


class Supervisord(Supervisor):
    name = "supervisord"
    unit = "bench-supervisord.service"
    socket = "/run/bench-supervisord.sock"
    protocol = "http"
    depth = 1  # it does not take a request before the one before is answered
    logs = DATA + "/supervisord"
    configuration = DATA + "/supervisord.conf"
    status_command = ("supervisorctl", "-c", configuration, "status")

    def check(self):
        if not shutil.which("supervisord"):
            raise SystemExit("supervisord is not installed here: Debian's package `supervisor`")

    def prepare(self):
        os.makedirs(self.logs, exist_ok=True)
        sections = [
            # each of its children closes minfds descriptors, open or not: no more than it needs
            f"[supervisord]\nnodaemon=true\nminfds={max(1024, 6 * self.count)}\nminprocs=200\n"
            f"logfile={self.logs}/main.log\nchildlogdir={self.logs}\n"
            f"pidfile={self.logs}/pid\nlogfile_maxbytes=0",
            f"[unix_http_server]\nfile={self.socket}",
            f"[supervisorctl]\nserverurl=unix://{self.socket}",
            "[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory = "
            "supervisor.rpcinterface:make_main_rpcinterface",
        ]
        for number in range(self.count):
            sections.append(self._program(self.idle(number), IDLE, "autostart=true"))
        for name, command in {**SPECIAL, "bomb": (WORKER, "bomb", str(BOMB))}.items():
            sections.append(self._program(name, command, "autostart=false"))
        with open(self.configuration, "w", encoding="ascii") as file:
            file.write("\n\n".join(sections) + "\n")

    def _program(self, name, command, start):
        return (f"[program:{name}]\ncommand={' '.join(command)}\ndirectory={DATA}\n{start}\n"
                "startsecs=0\nautorestart=true\nuser=nobody\nredirect_stderr=true\n"
                f"stopasgroup=true\nkillasgroup=true\nstdout_logfile={self.logs}/{name}.log\n"
                f"stdout_logfile_maxbytes={0 if name == 'flood' else '10MB'}")

    def start(self):
        if ROOT:
            self.spawn("supervisord", "-c", self.configuration)
        else:
            run("systemd-run", "--quiet", f"--unit={self.unit}", "--property=LimitNOFILE=262144",
                "--property=TasksMax=infinity", "--property=KillMode=control-group",
                "supervisord", "-c", self.configuration)
        await_true(self._all_run, 1800, "supervisord's programs")

    def _all_run(self):
        """By the kernel's count: asking supervisord itself for all would slow it down."""
        leaf = f"{ROOT}/{self.name}" if ROOT else f"/sys/fs/cgroup/system.slice/{self.unit}"
        return len(cgroup_processes(leaf)) > self.count

    def _server(self):
        from supervisor.xmlrpc import SupervisorTransport  # Debian's package: where it is
        transport = SupervisorTransport(None, None, f"unix://{self.socket}")
        return xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport).supervisor

    def request(self, name=None):
        params, method = ((name,), "getProcessInfo") if name else ((), "getAllProcessInfo")
        body = xmlrpc.client.dumps(params, f"supervisor.{method}").encode()
        return (b"POST /RPC2 HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/xml\r\n"
                b"Connection: keep-alive\r\nContent-Length: %d\r\n\r\n" % len(body)) + body

    def start_program(self, name):
        self._server().startProcess(name, False)

    def stop_program(self, name):
        try:
            self._server().stopProcess(name)
        except xmlrpc.client.Fault:  # it had just ended
            if name != "crash":
                raise

    def pid_of(self, name):
        return self._server().getProcessInfo(name)["pid"]

    def cycles(self, name):
        return read(self.logs + "/main.log").count(f"spawned: '{name}'")

    def log_lines(self, name):
        return count_lines([f"{self.logs}/{name}.log"])


def count_lines(paths):
    lines = 0
    for path in paths:
        with open(path, "rb") as file:
            while chunk := file.read(1 << 20):
                lines += chunk.count(b"\n")
    return lines


def clean_up(both):
    """Nothing that was started stays, not even after a failure."""
    if ROOT:
        for supervisor in both:
            if supervisor.process and supervisor.process.poll() is not None:
                print(read(f"{DATA}/{supervisor.name}.err"), file=sys.stderr)
        with open(ROOT + "/cgroup.kill", "w", encoding="ascii") as file:
            file.write("1")
        for supervisor in both:
            if supervisor.process:
                supervisor.process.wait()
        await_true(lambda: "populated 0" in read(ROOT + "/cgroup.events"), 60, "the end of all")
        return
    for supervisor in both:
        subprocess.run(("systemctl", "stop", supervisor.unit), check=False, capture_output=True)
    subprocess.run(("systemctl", "stop", "pysbxd.socket", "pysbx-apps.scope"), check=False,
                   capture_output=True)
    for name in os.listdir(Pysbxd.configuration):
        os.remove(os.path.join(Pysbxd.configuration, name))
    shutil.rmtree(DATA, ignore_errors=True)
