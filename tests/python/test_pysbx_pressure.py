# SPDX-License-Identifier: MIT
"""pysbx_pressure against made-up supervisors: a socket, a FIFO, a file. Run by `make check-unit`."""

import asyncio
import base64
import gc
import os
import socket
import sys
import tempfile
import threading
import time
import unittest

import pysbx_pressure

PATIENCE = 20


def wait_for(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("it did not come to it")
        time.sleep(0.01)


class Supervisor:
    """Listens as pysbx does."""

    def __init__(self, directory):
        self.path = os.path.join(directory, "pressure")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(8)
        self.listener.settimeout(PATIENCE)
        self.watchers = []

    def take(self):
        self.watchers.append(self.listener.accept()[0])
        self.watchers[-1].settimeout(PATIENCE)
        return self.watchers[-1]

    def close(self):
        for open_socket in [self.listener, *self.watchers]:
            open_socket.close()


class Case(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.supervisor = Supervisor(self.directory.name)
        self.addCleanup(self.supervisor.close)
        self.addCleanup(self.forget)
        self.calls = []
        pysbx_pressure.MIN_INTERVAL = 0.05
        self.watch(self.supervisor.path)

    def forget(self):
        pysbx_pressure.stop()
        pysbx_pressure._callbacks.clear()
        self.watch(None)

    def watch(self, path, write=None):
        for name, value in (("MEMORY_PRESSURE_WATCH", path), ("MEMORY_PRESSURE_WRITE", write)):
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value

    def record(self):
        self.calls.append(threading.current_thread())


class Watching(Case):
    def test_answers_each_notice_of_a_socket(self):
        pysbx_pressure.on_pressure(self.record)
        self.assertTrue(pysbx_pressure.start())
        watcher = self.supervisor.take()
        for count in (1, 2, 3):
            watcher.send(b"\n")
            wait_for(lambda: len(self.calls) == count)
            time.sleep(0.1)
        self.assertEqual(len(self.calls), 3)
        self.assertIsNot(self.calls[0], threading.main_thread())

    def test_answers_a_crowd_of_notices_once_or_twice(self):
        pysbx_pressure.MIN_INTERVAL = 1
        pysbx_pressure.on_pressure(self.record)
        pysbx_pressure.start()
        watcher = self.supervisor.take()
        for _ in range(50):
            watcher.send(b"\n")
        wait_for(lambda: self.calls)
        time.sleep(0.3)
        self.assertEqual(len(self.calls), 1)

    def test_watches_a_fifo(self):
        path = os.path.join(self.directory.name, "fifo")
        os.mkfifo(path)
        self.watch(path)
        pysbx_pressure.on_pressure(self.record)
        self.assertTrue(pysbx_pressure.start())
        with open(path, "wb") as fifo:
            fifo.write(b"pressure")
            fifo.flush()
            wait_for(lambda: self.calls)

    def test_writes_what_it_is_told_to(self):
        self.watch(self.supervisor.path, base64.b64encode(b"some 200000 2000000\0").decode())
        pysbx_pressure.start()
        self.assertEqual(self.supervisor.take().recv(100), b"some 200000 2000000\0")

    def test_writes_into_a_file_and_reads_nothing_of_it(self):
        path = os.path.join(self.directory.name, "memory.pressure")
        with open(path, "wb"):
            pass
        self.watch(path, base64.b64encode(b"some 1 2").decode())
        self.assertTrue(pysbx_pressure.start())
        with open(path, "rb") as file:
            self.assertEqual(file.read(), b"some 1 2")
        self.assertEqual(self.calls, [])

    def test_does_nothing_where_nobody_tells(self):
        for path in (None, "", "/dev/null"):
            self.watch(path)
            self.assertFalse(pysbx_pressure.start())

    def test_says_why_it_can_not_watch(self):
        for path, write in (("/nowhere/at/all", None), (self.supervisor.path, "=no base64=")):
            self.watch(path, write)
            with self.assertLogs("pysbx_pressure", "WARNING"):
                self.assertFalse(pysbx_pressure.start())

    def test_is_not_held_up_by_a_supervisor_that_takes_nobody(self):
        crowd = []
        self.addCleanup(lambda: [waiting.close() for waiting in crowd])
        try:
            while True:
                crowd.append(socket.socket(socket.AF_UNIX))
                crowd[-1].setblocking(False)
                crowd[-1].connect(self.supervisor.path)
        except BlockingIOError:
            pass
        with self.assertLogs("pysbx_pressure", "WARNING"):
            self.assertFalse(pysbx_pressure.start())

    def test_starts_once(self):
        self.assertTrue(pysbx_pressure.start())
        self.supervisor.take()
        self.assertTrue(pysbx_pressure.start())
        self.supervisor.listener.settimeout(0.2)
        with self.assertRaises(socket.timeout):
            self.supervisor.take()

    def test_ends_with_the_supervisor(self):
        pysbx_pressure.start()
        watch = pysbx_pressure._watch
        self.supervisor.take().close()
        wait_for(lambda: not watch.is_alive())
        self.assertEqual(self.calls, [])

    def test_stops_and_starts_again(self):
        pysbx_pressure.on_pressure(self.record)
        pysbx_pressure.start()
        watcher = self.supervisor.take()
        pysbx_pressure.stop()
        self.assertEqual(watcher.recv(1), b"")
        self.assertTrue(pysbx_pressure.start())
        self.supervisor.take().send(b"\n")
        wait_for(lambda: self.calls)

    def test_leaves_no_descriptor(self):
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(5):
            pysbx_pressure.start()
            pysbx_pressure.stop()
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)


class Answering(Case):
    def test_collects_garbage_and_survives_a_broken_callback(self):
        class Node:
            pass

        def broken():
            raise ValueError("broken")

        node = Node()
        node.itself = node
        del node
        pysbx_pressure.on_pressure(broken)
        pysbx_pressure.on_pressure(self.record)
        with self.assertLogs("pysbx_pressure", "ERROR"):
            pysbx_pressure.release()
        self.assertEqual(len(self.calls), 1)
        self.assertFalse(any(isinstance(thing, Node) for thing in gc.get_objects()))

    def test_gives_memory_back_to_the_kernel(self):
        if pysbx_pressure._malloc_trim is None:
            self.skipTest("no glibc")

        def resident():
            with open("/proc/self/statm") as file:
                return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

        # each below the size from which glibc maps memory of its own, and a pin on top of them
        blocks = [bytearray(60000) for _ in range(1000)]
        pin = bytearray(60000)
        full = resident()
        del blocks
        pysbx_pressure.release()
        self.assertLess(resident(), full - 40_000_000)
        self.assertEqual(len(pin), 60000)

    def test_is_a_decorator(self):
        @pysbx_pressure.on_pressure
        def mine():
            return 7

        self.assertEqual(mine(), 7)


class Loop(Case):
    def test_does_all_of_it_in_the_loop_that_runs(self):
        done = []

        @pysbx_pressure.on_pressure
        async def later():
            await asyncio.sleep(0)
            done.append(threading.current_thread())

        pysbx_pressure.on_pressure(self.record)

        async def main():
            self.assertTrue(pysbx_pressure.start())
            watcher = self.supervisor.take()
            watcher.send(b"\n")
            for _ in range(PATIENCE * 100):
                if done:
                    return
                await asyncio.sleep(0.01)

        asyncio.run(main())
        self.assertEqual(done, [threading.main_thread()])
        self.assertEqual(self.calls, [threading.main_thread()])

    def test_goes_on_without_a_loop_that_is_closed(self):
        async def main():
            pysbx_pressure.start()

        asyncio.run(main())
        pysbx_pressure.on_pressure(self.record)
        self.supervisor.take().send(b"\n")
        wait_for(lambda: self.calls)


class Forking(Case):
    def fork(self, body):
        """Returns when the child has ended, with its status."""
        pid = os.fork()
        if pid == 0:
            try:
                body()
                os._exit(0)
            except BaseException as error:
                print(error, file=sys.stderr)
                os._exit(1)
        return pid

    def status_of(self, pid):
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def test_watches_in_each_forked_worker(self):
        pysbx_pressure.on_pressure(self.record)
        pysbx_pressure.start()
        parent = self.supervisor.take()
        child = self.fork(lambda: wait_for(lambda: self.calls))
        self.supervisor.take().send(b"\n")
        self.assertEqual(self.status_of(child), 0)
        self.assertEqual(self.calls, [])
        parent.send(b"\n")
        wait_for(lambda: self.calls)

    def test_does_not_watch_in_a_child_of_one_that_does_not(self):
        pysbx_pressure.start()
        self.supervisor.take()
        pysbx_pressure.stop()
        child = self.fork(lambda: self.assertIsNone(pysbx_pressure._watch))
        self.assertEqual(self.status_of(child), 0)


if __name__ == "__main__":
    unittest.main()
