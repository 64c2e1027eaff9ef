"""What a WebSocket client makes the server keep is bounded, also below the level of messages."""

from __future__ import annotations

import json
import time

import pytest

from tests.faults.resources import resident
from tests.faults.web_sockets import connected
from tests.server import DEADLINE, MakeServer, Server

pytestmark = pytest.mark.faults
PING = b"\x89\xfd" + bytes(4) + b"x" * 125
PONG = b"\x8a\x7d" + b"x" * 125
FRAGMENT = b"\x00\x81" + bytes(4) + b"x"
FIRST_FRAGMENT = b"\x01\x80" + bytes(4)


def test_pings_of_a_client_that_reads_nothing_are_not_kept(server_factory: MakeServer) -> None:
    server = server_factory({"GRANTHA_HEARTBEAT": "600"}).start()
    before = resident(server)
    with connected(server.port) as one:
        for _ in range(400):
            one.sendall(PING * 1000)  # 52 MB in all
        assert resident(server) - before < 40_000_000
        # What was kept is answered, the last ping included, and the socket still works.
        one.sendall(b"\x89\x81" + bytes(4) + b"y")
        received = b""
        end = time.monotonic() + DEADLINE
        while b"\x8a\x01y" not in received[-200:]:
            assert time.monotonic() < end, "the last ping wasn't answered"
            received += one.recv(65536)
        # How many the kernel's buffers hold differs from machine to machine, but not all of them.
        assert received.count(PONG) < 400_000


def test_fragments_take_no_more_than_their_message(server: Server) -> None:
    before = resident(server)
    with connected(server.port) as one:
        one.sendall(FIRST_FRAGMENT)
        for _ in range(90):
            one.sendall(FRAGMENT * 10_000)
        assert resident(server) - before < 40_000_000


def test_snapshots_of_long_answers_are_held_one_at_a_time(server: Server) -> None:
    long = server.script("long", {"steps": [{"repeat": "x" * 2000 + " ", "count": 1000}]})
    made = [server.ask(long)["id"] for _ in range(40)]
    for generation in made:
        server.ended(generation)
    before = resident(server)
    with connected(server.port) as one:
        for generation in made:
            subscribe = json.dumps({"type": "subscribe", "generation": generation}).encode()
            one.sendall(b"\x81" + bytes([0x80 | len(subscribe)]) + bytes(4) + subscribe)
        end = time.monotonic() + 3
        while time.monotonic() < end:  # nothing is read meanwhile
            assert resident(server) - before < 60_000_000
            time.sleep(0.05)
