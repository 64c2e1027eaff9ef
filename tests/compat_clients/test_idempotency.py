"""A send that is repeated long after: its records are gone, its answer isn't."""

from __future__ import annotations

from typing import Any

import openai
import pytest

from tests.compat_clients.conftest import SCRIPTS, TEXT
from tests.server import MakeServer, Server, server_factory, until

__all__ = ["server_factory"]
KEYED = {"Idempotency-Key": "long-ago"}
HI: list[Any] = [{"role": "user", "content": "Hi"}]


def trimmed(server: Server, generation: str) -> bool | None:
    reply = server.call("GET", f"/api/generations/{generation}/events?after=1-0")
    return reply.status == 410 or None


@pytest.mark.parametrize("stream", [False, True])
def test_the_same_key_gives_the_same_answer_when_its_records_are_gone(
    server_factory: MakeServer, stream: bool
) -> None:
    server = server_factory({"GRANTHA_RECORD_TTL": "0"})
    server.script("everything", SCRIPTS["everything"])
    server.start()
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="any", max_retries=0) as client:

        def ask() -> tuple[str, str]:
            raw = client.chat.completions.with_raw_response.create(
                model="scripted/everything", messages=HI, stream=stream, extra_headers=KEYED
            )
            location = raw.headers["location"]
            reply: Any = raw.parse()
            if not stream:
                return location, str(reply.choices[0].message.content)
            return location, "".join(c.choices[0].delta.content or "" for c in reply if c.choices)

        before = ask()
        server.restart()  # it looks for old records when it starts
        generation = before[0].split("/")[3]
        until(lambda: trimmed(server, generation), "the records to be gone", hint=server.output)

        assert before[1] == TEXT
        assert ask() == before
