#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Creates an app and waits until it runs: create_app.py NAME DIRECTORY COMMAND [ARG...]"""

import os
import sys

from pysbx_panel import DEFAULT_PATH, Pysbx, PysbxError


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    app = {
        "name": sys.argv[1],
        "directory": sys.argv[2],
        "command": sys.argv[3:],
        "limits": {"memory": "192M", "cpu": "100%", "pids": 64},
    }
    with Pysbx(os.environ.get("PYSBX_SOCKET", DEFAULT_PATH)) as pysbx:
        try:
            applied = pysbx.call("app.apply", app=app)
            waited = pysbx.call("app.wait", name=app["name"], states=["running", "failed"], timeout="30s")
            if waited["state"] != "running":
                last = pysbx.call("app.get", name=app["name"])["last"] or {}
                sys.exit(f"{app['name']}: {waited['state']}: {last.get('sentence', 'no reason known')}")
        except PysbxError as error:
            sys.exit(f"{error.code}: {error.message}")
    print(f"{app['name']}: {'created' if applied['created'] else 'changed'}, {waited['state']}")


if __name__ == "__main__":
    main()
