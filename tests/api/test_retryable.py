"""Every error code means the same in every format: a reply as JSON, a stream, a vendor's API."""

from __future__ import annotations

import json
from typing import Any

import pytest

from grantha.errors import Fenced, GranthaError
from tests.server import Server
from tests.test_errors import LEAVES

# An owner that meets it stops writing without an end record: no client ever gets it.
SEEN_BY_CLIENTS = [kind for kind in LEAVES if kind is not Fenced]


@pytest.fixture
def failing(shared: Server, request: pytest.FixtureRequest) -> str:
    """A model that writes a word and fails; it can't be continued, so that this ends the answer."""
    code = request.param.code
    script = {
        "capabilities": {"prefix": False, "instruction": False},
        "steps": [{"text": "Well"}, {"error": code}],
    }
    (shared.scripts / f"fails-{code}.json").write_text(json.dumps(script))
    return f"scripted/fails-{code}"


@pytest.mark.parametrize(
    ("failing", "kind"),
    [(kind, kind) for kind in SEEN_BY_CLIENTS],
    indirect=["failing"],
    ids=[kind.code for kind in SEEN_BY_CLIENTS],
)
def test_json_replies_and_streams_agree_on_the_code_and_whether_to_retry(
    shared: Server, failing: str, kind: type[GranthaError]
) -> None:
    body = {"messages": [{"role": "user", "content": "Hi"}], "model": failing}

    def meaning(error: dict[str, Any]) -> tuple[str, bool]:
        return error["code"], error["retryable"]

    reply = shared.call("POST", "/chat/completions", body)
    streamed = shared.call("POST", "/chat/completions/stream", body)
    last = json.loads(streamed.body.decode().strip().rpartition("data: ")[2])
    snapshot = shared.call("GET", f"/api/generations/{last['generation']}").expect(200)
    found = [meaning(reply.expect(kind.http_status)), meaning(last["error"])]
    found += [meaning(snapshot["error"]), meaning(snapshot["end"]["error"])]
    assert found == [(kind.code, kind.retryable)] * 4

    vendor = shared.call("POST", "/v1/chat/completions", body)
    assert vendor.headers["x-should-retry"] == str(kind.retryable).lower()
