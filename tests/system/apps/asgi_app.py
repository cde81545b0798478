# SPDX-License-Identifier: MIT
"""Plain ASGI without a framework, for uvicorn and hypercorn."""

import asyncio
import os
from urllib.parse import parse_qs


hoard = []


async def lifespan(receive, send):
    while True:
        message = await receive()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def answer(path, query):
    if path == "/":
        return 200, "hello from asgi\n"
    if path == "/pid":
        return 200, f"{os.getpid()}\n"
    if path == "/thread":  # the loop's default executor: a thread of its own
        result = await asyncio.get_running_loop().run_in_executor(None, sum, range(1000))
        return 200, f"{result}\n"
    if path == "/leak":
        for _ in range(int(query["mb"][0]) // 4):
            hoard.append(b"x" * (4 << 20))
            await asyncio.sleep(0.005)
        return 200, f"{len(hoard) * 4} MiB\n"
    if path == "/slow":
        os.write(2, b"slow request in pid %d\n" % os.getpid())
        await asyncio.sleep(float(query["s"][0]))
        return 200, "slow but done\n"
    return 404, "no such page\n"


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
        return
    if scope["type"] != "http":
        raise ValueError(scope["type"])
    status, text = await answer(scope["path"], parse_qs(scope["query_string"].decode()))
    body = text.encode()
    await send({
        "type": "http.response.start",
        "status": status,
        "headers": [(b"content-type", b"text/plain"),
                    (b"content-length", str(len(body)).encode())],
    })
    await send({"type": "http.response.body", "body": body})
