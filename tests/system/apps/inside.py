# SPDX-License-Identifier: MIT
"""Looks round from within the sandbox and prints what it saw as one JSON object.

    inside.py            who it is, what it sees, what it may write
    inside.py attempts   what the kernel answers to what a worker has no business with
    inside.py threads    what a Python program needs and must have: threads, pools, subprocesses

An attempt's value is the name of the errno it was answered with, or "allowed".
"""

import ctypes
import errno
import json
import os
import socket
import subprocess
import sys

libc = ctypes.CDLL(None, use_errno=True)

# x86-64 numbers of calls that libc wraps with checks of its own, or not at all.
SYS = {
    "ptrace": 101, "pivot_root": 155, "chroot": 161, "acct": 163, "mount": 165, "umount2": 166,
    "swapon": 167, "reboot": 169, "sethostname": 170, "init_module": 175, "quotactl": 179,
    "clock_settime": 227, "add_key": 248, "keyctl": 250, "unshare": 272, "perf_event_open": 298,
    "open_by_handle_at": 304, "setns": 308, "process_vm_readv": 310, "bpf": 321,
    "userfaultfd": 323, "io_uring_setup": 425, "open_tree": 428, "fsopen": 430, "clone3": 435,
    "personality": 135, "syslog": 103, "iopl": 172, "kexec_load": 246, "move_mount": 429,
}
CLONE_NEWUSER = 0x10000000
CLONE_NEWNS = 0x00020000
PTRACE_TRACEME, PTRACE_ATTACH, PTRACE_SEIZE = 0, 16, 0x4206
TIOCSTI, TIOCLINUX = 0x5412, 0x541C


def name_of(number):
    return errno.errorcode.get(number, str(number))


def call(name, *args):
    """The errno's name, or "allowed". Pointers are bytes, None or ctypes objects."""
    ctypes.set_errno(0)
    words = [ctypes.c_ulong(arg) if isinstance(arg, int) else arg for arg in args]
    result = libc.syscall(ctypes.c_long(SYS[name]), *words)
    return "allowed" if result != -1 else name_of(ctypes.get_errno())


def trying(action):
    try:
        action()
    except OSError as error:
        return name_of(error.errno)
    return "allowed"


def write_to(path):
    def action():
        with open(path, "w", encoding="ascii") as file:
            file.write("here I was")
    return trying(action)


def in_child(action):
    """Runs action in a forked child, for what changes the process that does it."""
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(write_end, action().encode())
        os._exit(0)
    os.close(write_end)
    answer = os.read(read_end, 100).decode()
    os.close(read_end)
    os.waitpid(pid, 0)
    return answer or "died"


def attach_to_child(request):
    """A process may trace its own child by the kernel's rules: only the filter can say no."""
    pid = os.fork()
    if pid == 0:
        os.execvp("sleep", ["sleep", "30"])
    answer = call("ptrace", request, pid, 0, 0)
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    return answer


def ioctl_terminal(request):
    master, slave = os.openpty()
    argument = ctypes.create_string_buffer(b"x", 8)
    ctypes.set_errno(0)
    result = libc.ioctl(slave, ctypes.c_ulong(request), argument)
    answer = "allowed" if result != -1 else name_of(ctypes.get_errno())
    os.close(master)
    os.close(slave)
    return answer


def open_socket(family, kind=socket.SOCK_STREAM, protocol=0):
    return trying(lambda: socket.socket(family, kind, protocol).close())


def status_of_self():
    with open("/proc/self/status", encoding="ascii") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


def open_fds():
    fds = {}
    for entry in os.listdir("/proc/self/fd"):
        try:
            fds[entry] = os.readlink("/proc/self/fd/" + entry)
        except OSError:  # the one that the listing itself used
            pass
    return fds


def list_of(path):
    try:
        return sorted(os.listdir(path))
    except OSError as error:
        return name_of(error.errno)


def look():
    status = status_of_self()
    here = os.getcwd()
    return {
        "uid": os.getresuid(), "gid": os.getresgid(), "groups": os.getgroups(),
        "caps": {key: status[key] for key in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")},
        "no_new_privs": status["NoNewPrivs"], "seccomp": status["Seccomp"],
        "umask": status["Umask"], "pid": os.getpid(), "session": os.getsid(0),
        "pids": [int(entry) for entry in os.listdir("/proc") if entry.isdigit()],
        "hostname": socket.gethostname(), "directory": here,
        "root": list_of("/"), "root_home": list_of("/root"), "dev": list_of("/dev"),
        "tmp": list_of("/tmp"), "shm": list_of("/dev/shm"), "srv": list_of("/srv"),
        "run": list_of("/run"), "sys": list_of("/sys"), "here": list_of(here),
        "fds": open_fds(), "environment": dict(os.environ),
        "cgroup": open("/proc/self/cgroup", encoding="ascii").read(),
        "oom_score_adj": int(open("/proc/self/oom_score_adj", encoding="ascii").read()),
        "namespaces": {ns: os.readlink("/proc/self/ns/" + ns)
                       for ns in ("pid", "mnt", "ipc", "uts", "cgroup", "net", "user")},
        "interfaces": [name for _, name in socket.if_nameindex()],
        "user_name": trying_name(),
        "mounts": open("/proc/self/mountinfo", encoding="ascii").read().splitlines(),
        "write": {
            "code": write_to(here + "/written"), "etc": write_to("/etc/written"),
            "usr": write_to("/usr/written"), "root": write_to("/written"),
            "dev": write_to("/dev/written"), "passwd": write_to("/etc/passwd"),
            "tmp": write_to("/tmp/written"), "shm": write_to("/dev/shm/written"),
            "null": write_to("/dev/null"),
        },
        "read": {
            "shadow": trying(lambda: open("/etc/shadow", "rb").close()),
            "pid1_environ": trying(lambda: open("/proc/1/environ", "rb").close()),
            "pid1_exe": trying(lambda: os.readlink("/proc/1/exe")),
            "kcore": trying(lambda: open("/proc/kcore", "rb").close()),
            "kmsg": trying(lambda: open("/dev/kmsg", "rb").close()),
            "sysrq": trying(lambda: open("/proc/sysrq-trigger", "wb").close()),
        },
        "cgroupfs": {"directories": [entry.name for entry in os.scandir("/sys/fs/cgroup")
                                     if entry.is_dir()]},
        "mknod": trying(lambda: os.mknod("/tmp/disk", 0o60600, os.makedev(8, 0))),
        "setuid": trying(lambda: os.setuid(0)),
        "kill_all": trying(lambda: os.kill(1, 9)),
    }


def trying_name():
    import pwd
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return None


def attempts():
    return {
        "mount": call("mount", b"none", b"/tmp", b"tmpfs", 0, None),
        "umount2": call("umount2", b"/tmp", 0),
        "bind": call("mount", b"/usr", b"/tmp", None, 4096, None),
        "remount_rw": call("mount", None, b"/usr", None, 32 | 4096, None),
        "open_tree": call("open_tree", -100, b"/", 1),
        "fsopen": call("fsopen", b"tmpfs", 0),
        "move_mount": call("move_mount", -100, b"/usr", -100, b"/tmp", 0),
        "pivot_root": call("pivot_root", b"/tmp", b"/tmp"),
        "chroot": call("chroot", b"/tmp"),
        "ptrace_traceme": in_child(lambda: call("ptrace", PTRACE_TRACEME, 0, 0, 0)),
        "ptrace_attach": attach_to_child(PTRACE_ATTACH),
        "ptrace_seize": attach_to_child(PTRACE_SEIZE),
        "ptrace_init": call("ptrace", PTRACE_ATTACH, 1, 0, 0),
        "process_vm_readv": call("process_vm_readv", 1, None, 0, None, 0, 0),
        "unshare_user": in_child(lambda: call("unshare", CLONE_NEWUSER)),
        "unshare_mount": in_child(lambda: call("unshare", CLONE_NEWNS)),
        "setns": in_child(lambda: call("setns", os.open("/proc/self/ns/mnt", os.O_RDONLY), 0)),
        "clone3": in_child(lambda: call("clone3", ctypes.create_string_buffer(88), 88)),
        "bpf": call("bpf", 5, ctypes.create_string_buffer(120), 120),
        "perf_event_open": call("perf_event_open", ctypes.create_string_buffer(128), 0, -1, -1, 0),
        "userfaultfd": call("userfaultfd", 1),
        "io_uring_setup": call("io_uring_setup", 4, ctypes.create_string_buffer(120)),
        "keyctl": call("keyctl", 0, -3, 1),
        "add_key": call("add_key", b"user", b"name", b"value", 5, -3),
        "open_by_handle_at": call("open_by_handle_at", -100, ctypes.create_string_buffer(64), 0),
        "init_module": call("init_module", None, 0, b""),
        "kexec_load": call("kexec_load", 0, 0, None, 0),
        "reboot": call("reboot", 0xfee1dead, 672274793, 0, None),
        "swapon": call("swapon", b"/tmp/none", 0),
        "sethostname": call("sethostname", b"other", 5),
        "clock_settime": call("clock_settime", 0, ctypes.create_string_buffer(16)),
        "syslog": call("syslog", 3, ctypes.create_string_buffer(64), 64),
        "acct": call("acct", None),
        "iopl": call("iopl", 3),
        "tiocsti": ioctl_terminal(TIOCSTI),
        "tiocsti_high_bits": ioctl_terminal(TIOCSTI | 1 << 32),
        "tioclinux": ioctl_terminal(TIOCLINUX),
        "af_alg": open_socket(38, socket.SOCK_SEQPACKET),
        "af_vsock": open_socket(40),
        "af_packet": open_socket(17, socket.SOCK_RAW),
        "raw_inet": open_socket(socket.AF_INET, socket.SOCK_RAW, 1),
        "af_unix": open_socket(socket.AF_UNIX),
        "af_inet": open_socket(socket.AF_INET),
        "af_inet6": open_socket(socket.AF_INET6),
    }


def thread_results():
    import threading
    results = []
    workers = [threading.Thread(target=lambda n=n: results.append(sum(range(n))))
               for n in (10, 100, 1000, 10000)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sorted(results)


def pool_results():
    import multiprocessing
    with multiprocessing.get_context("fork").Pool(2) as pool:
        return pool.map(abs, [-1, -2, -3])


def loop_result():
    import asyncio

    async def main():
        process = await asyncio.create_subprocess_exec(
            "echo", "from a child", stdout=subprocess.PIPE)
        output, _ = await process.communicate()
        return output.decode()
    return asyncio.run(main())


def threads():
    callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(lambda value: value + 1)
    import ssl
    import sqlite3
    import tempfile
    with tempfile.NamedTemporaryFile() as file:
        database = sqlite3.connect(file.name)
        database.execute("create table t (n)")
        database.execute("insert into t values (7)")
        stored = database.execute("select n from t").fetchone()[0]
        database.close()
    return {
        "threads": thread_results(), "pool": pool_results(), "loop": loop_result(),
        "shell": subprocess.check_output("echo $((6 * 7))", shell=True).decode().strip(),
        "callback": callback(41), "sqlite": stored, "random": len(ssl.RAND_bytes(16)),
        "cpus": len(os.sched_getaffinity(0)),
    }


SECTIONS = {"look": look, "attempts": attempts, "threads": threads}
print(json.dumps(SECTIONS[sys.argv[1] if len(sys.argv) > 1 else "look"]()), flush=True)
