"""What reading one chunk of an OpenAI stream costs, HTTP included: µs of CPU in the reading process.

    python -m bench.wire.chunks [socket] [bare] [grantha] [openai] [litellm]

Each reader runs in a process of its own against the same local source: once with chunks that come one by
one (20 streams at 150 a second), once as fast as they can be read. Each chunk is counted; medians of 3.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

TURNS = 3
MODES = {"one by one": (20, 300, 150), "in bulk": (1, 20_000, 0)}  # streams, chunks each, a second
SHOWN = {
    "socket": "uvloop alone",
    "bare": "aiohttp alone",
    "grantha": "Grantha",
    "openai": "the openai SDK",
    "litellm": "the litellm SDK",
}

Reader = Callable[[str], Awaitable[int]]


async def grantha() -> Reader:
    """Our provider, as the engine uses it."""
    from grantha.chat import Call, text_message
    from grantha.config import ProviderSettings, Settings
    from grantha.events import Text
    from grantha.providers.registry import Registry

    call = Call("m", (text_message("user", "Hello"),))
    made: dict[str, Any] = {}

    async def read(url: str) -> int:
        if url not in made:
            house = {"house": ProviderSettings(base_url=url)}
            made[url] = Registry(Settings(local_enabled=False, providers=house))
        upstream = await made[url].provider("house").open(call)
        count = 0
        async for batch in upstream:
            for event in batch:
                if type(event) is Text:
                    count += event.deltas
        return count

    return read


async def socket() -> Reader:
    """The lower bound: the event loop's callback for each read, without HTTP."""

    class Counting(asyncio.Protocol):
        def __init__(self) -> None:
            self.events = 0
            self.ended = asyncio.get_running_loop().create_future()

        def data_received(self, data: bytes) -> None:
            self.events += data.count(b"data: ")
            if data.endswith(b"0\r\n\r\n"):
                self.ended.set_result(None)

    async def read(url: str) -> int:
        parts = urlsplit(url)
        transport, counting = await asyncio.get_running_loop().create_connection(
            Counting, parts.hostname, parts.port
        )
        transport.write(f"POST {parts.path} HTTP/1.1\r\ncontent-length: 0\r\n\r\n".encode())
        await counting.ended
        transport.close()
        return counting.events - 2  # a stop and a [DONE] end it

    return read


async def bare() -> Reader:
    """What HTTP costs: aiohttp's bytes, counted and not looked at."""
    import aiohttp

    made: dict[str, Any] = {}

    async def read(url: str) -> int:
        if "session" not in made:
            made["session"] = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        session = made["session"]
        lines = 0
        async with session.post(url, data=b"{}") as response:
            while chunk := await response.content.readany():
                lines += chunk.count(b"\n")
        return lines // 2 - 2  # two a chunk; a stop and a [DONE] end it

    return read


async def openai() -> Reader:
    """The vendor's own client."""
    from openai import AsyncOpenAI

    made: dict[str, Any] = {}

    async def read(url: str) -> int:
        client = made.setdefault(url, AsyncOpenAI(api_key="k", base_url=url))
        stream = await client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "Hello"}], stream=True
        )
        return sum(
            [1 async for chunk in stream if chunk.choices and chunk.choices[0].delta.content]
        )

    return read


async def litellm() -> Reader:
    """Only where it is installed: it is none of our requirements."""
    acompletion = importlib.import_module("litellm").acompletion

    async def read(url: str) -> int:
        stream = await acompletion(
            model="openai/m",
            api_base=url,
            api_key="k",
            messages=[{"role": "user", "content": "Hello"}],
            stream=True,
        )
        return sum([1 async for chunk in stream if chunk.choices[0].delta.content])

    return read


READERS: dict[str, Callable[[], Awaitable[Reader]]] = {
    "socket": socket,
    "bare": bare,
    "grantha": grantha,
    "openai": openai,
    "litellm": litellm,
}


async def measure(name: str, port: int) -> dict[str, float]:
    """µs of CPU a chunk, by mode."""
    read = await READERS[name]()
    costs: dict[str, float] = {}
    for mode, (streams, chunks, rate) in MODES.items():
        url = f"http://127.0.0.1:{port}/{chunks}/deltas/{rate}"
        samples = []
        await asyncio.gather(*(read(url) for _ in range(streams)))  # connections and caches
        for _ in range(TURNS):
            started = time.process_time()
            counts = await asyncio.gather(*(read(url) for _ in range(streams)))
            spent = time.process_time() - started
            if counts != [chunks] * streams:
                raise SystemExit(f"{name} lost text: {counts}")
            samples.append(spent / (streams * chunks) * 1e6)
        costs[mode] = round(statistics.median(samples), 1)
    return costs


def main() -> None:
    """Starts the source and a process a reader; prints a table."""
    if sys.argv[1:2] == ["--measure"]:
        import uvloop

        print(json.dumps(uvloop.run(measure(sys.argv[2], int(sys.argv[3])))))
        return
    chosen = sys.argv[1:] or [
        n for n in READERS if n in {"socket", "bare", "grantha"} or importlib.util.find_spec(n)
    ]
    source = subprocess.Popen(
        [sys.executable, "-m", "bench.wire.source"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert source.stdout is not None
    assert source.stdin is not None
    try:
        port = source.stdout.readline().strip()
        print(f"{platform.machine()}, Python {platform.python_version()}; µs of CPU a chunk")
        print("| reader | " + " | ".join(MODES) + " |\n|---|" + "---|" * len(MODES))
        for name in chosen:
            command = [sys.executable, "-m", "bench.wire.chunks", "--measure", name, port]
            result = subprocess.run(command, capture_output=True, text=True, check=True)
            costs = json.loads(result.stdout)
            print(f"| {SHOWN[name]} | " + " | ".join(str(costs[mode]) for mode in MODES) + " |")
    finally:
        source.stdin.close()
        source.wait(10)


if __name__ == "__main__":
    main()
