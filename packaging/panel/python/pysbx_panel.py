# SPDX-License-Identifier: MIT
"""A client of pysbxd's control socket, for control panels. See pysbx-protocol(7).

    with Pysbx() as pysbx:
        pysbx.call("app.apply", app={"name": "blog", "command": ["gunicorn", "app:app"]})
        for event in pysbx.events(cursor=last_seen):
            ...

Python 3.9 or later, nothing but the standard library. One object is for one thread.
"""

import json
import socket
import time

DEFAULT_PATH = "/run/pysbx/control.sock"
LINE_MAX = 8 * 1024 * 1024  # bytes of one answer
RECONNECT_SECONDS = 1


class PysbxError(Exception):
    """The daemon refused, or can't be reached (code "unreachable").

    code is stable ("not-found", "denied", "invalid" ...), message is for people, path names the
    JSON value that is wrong, None if none is.
    """

    def __init__(self, code, message, path=None):
        super().__init__(message)
        self.code, self.message, self.path = code, message, path


class Pysbx:
    def __init__(self, path=DEFAULT_PATH, timeout=None):
        """timeout: seconds for one answer; None waits as long as it takes (a stop has its grace)."""
        self._path, self._timeout = path, timeout
        self._socket = self._stream = None
        self._last_id = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for thing in (self._stream, self._socket):
            if thing is not None:
                thing.close()
        self._socket = self._stream = None

    def call(self, method, /, **params):
        """One call: returns its result or raises PysbxError. After a lost connection the next call
        connects anew; whether the lost one was carried out is not known."""
        self._last_id += 1
        request = {"jsonrpc": "2.0", "id": self._last_id, "method": method, "params": params}
        line = json.dumps(request, allow_nan=False).encode() + b"\n"
        try:
            self._send(line)
            while True:
                answer = self._receive()
                if "method" not in answer and answer.get("id") in (self._last_id, None):
                    break
        except (OSError, ValueError) as error:
            self.close()
            raise PysbxError("unreachable", f"{self._path}: {error}") from error
        if "error" in answer:
            error = answer["error"]
            data = error.get("data") or {}
            raise PysbxError(data.get("code", "internal"), error.get("message", ""), data.get("path"))
        return answer["result"]

    def events(self, cursor=None, app=None):
        """All events after `cursor` (None: from now on), forever, over restarts of the daemon. Keep
        event["cursor"]: given again, nothing is missed. If something is lost all the same, because
        more happened than the daemon keeps, {"type": "missed", "missed": n} comes first: ask for
        the state anew then."""
        while True:
            with Pysbx(self._path) as watcher:
                try:
                    params = {"cursor": cursor, "app": app}
                    begin = watcher.call(
                        "events.subscribe", **{k: v for k, v in params.items() if v is not None}
                    )
                    cursor = begin["cursor"]
                    if begin["missed"]:
                        yield {"type": "missed", "missed": begin["missed"], "cursor": cursor}
                    while True:
                        message = watcher._receive()
                        if message.get("method") == "event":
                            cursor = message["params"]["cursor"]
                            yield message["params"]
                except PysbxError as error:
                    if error.code != "unreachable":
                        raise
                except (OSError, ValueError):
                    pass
            time.sleep(RECONNECT_SECONDS)

    def _send(self, line):
        if self._socket is None:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._socket.settimeout(self._timeout)
            self._socket.connect(self._path)
            self._stream = self._socket.makefile("rb")
        try:
            self._socket.sendall(line)
        except BrokenPipeError:
            pass  # whom the daemon refuses, it tells so before it hangs up: that can still be read

    def _receive(self):
        line = self._stream.readline(LINE_MAX)
        if not line.endswith(b"\n"):
            raise ConnectionError("the daemon closed the connection")
        return json.loads(line)
