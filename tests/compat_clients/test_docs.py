"""`docs/compatible-apis.md` is true: its programs run, and its table says what the views carry."""

from __future__ import annotations

import base64
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from grantha.errors import BadRequest
from grantha.wire.compat import (
    ai_sdk_view,
    anthropic_view,
    gemini_input,
    gemini_view,
    ollama_view,
    openai_chat_view,
    openai_responses_input,
    openai_responses_view,
)
from tests.compat_clients import node
from tests.compat_clients.conftest import PNG, TEXT, CompatServer
from tests.wire.compat.logs import end_of, everything, frames_of, numbered
from tests.wire.compat.test_merging import STREAMS
from tools import clients_table

PAGE = Path(__file__).parents[2] / "docs" / "compatible-apis.md"
DEADLINE = 120.0  # seconds


def programs(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def here(program: str, compat_server: CompatServer) -> str:
    """The program as a reader would change it: its server and model."""
    return (
        program.replace("http://127.0.0.1:8000", compat_server.url)
        .replace("local/default", "scripted/everything")
        .replace("openai/text-embedding-3-small", "scripted/hello")
    )


def printed(command: list[str], folder: Path, **more: str) -> str:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("LLM_")}
    done = subprocess.run(
        command,
        cwd=folder,
        env={**plain, **more},
        capture_output=True,
        timeout=DEADLINE,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


@pytest.mark.parametrize("number", range(len(programs("python"))))
def test_every_python_program_prints_the_answer(
    number: int, compat_server: CompatServer, tmp_path: Path
) -> None:
    program = here(programs("python")[number], compat_server)
    vector = "3\n"  # the length of one
    expected = vector if "embeddings.create" in program else TEXT
    assert printed([sys.executable, "-X", "utf8", "-c", program], tmp_path) == expected


def test_the_javascript_program_prints_the_answer(compat_server: CompatServer) -> None:
    (program,) = programs("js")
    command = [str(node.NODE), "--input-type=module", "-e", here(program, compat_server)]
    assert printed(command, node.HERE) == TEXT + "\n"


@pytest.mark.slow
def test_llm_answers_by_its_configuration(compat_server: CompatServer, tmp_path: Path) -> None:
    (configuration,) = programs("yaml")
    (tmp_path / "extra-openai-models.yaml").write_text(here(configuration, compat_server))
    (command,) = [program for program in programs("sh") if program.startswith("llm ")]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    own = {"LLM_USER_PATH": str(tmp_path), "LLM_LOAD_PLUGINS": "", "OPENAI_API_KEY": "any"}
    assert printed(["sh", "-c", command], tmp_path, PATH=path, **own) == TEXT + "\n"


@pytest.mark.client("curl", "streams")
def test_curl_gets_a_stream_that_is_done(compat_server: CompatServer, tmp_path: Path) -> None:
    (command,) = [program for program in programs("sh") if program.startswith("curl ")]
    assert printed(["sh", "-c", here(command, compat_server)], tmp_path).endswith(
        "data: [DONE]\n\n"
    )


# ---- the table -----------------------------------------------------------------------------------

URL = f"data:image/png;base64,{PNG}"
DOC = "data:text/plain;base64,SGk="
BASE64 = {"type": "base64", "media_type": "image/png", "data": PNG}
VIEWS = {
    "Chat Completions": "chat", "Responses": "responses", "Messages": "messages",
    "AI SDK": "ui", "Gemini": "gemini", "Ollama": "ollama",
}  # fmt: skip
REPLIES = {
    "chat": openai_chat_view, "responses": openai_responses_view, "messages": anthropic_view,
    "gemini": gemini_view, "ollama": ollama_view,
}  # fmt: skip
READ: dict[str, Callable[[dict[str, Any]], Any]] = {
    "chat": openai_chat_view.parse_request,
    "responses": openai_responses_input.parse_request,
    "messages": anthropic_view.parse_request,
    "ui": ai_sdk_view.parse_request,
    "gemini": lambda body: gemini_input.parse_request(body, "m", stream=False)[0],
    "ollama": ollama_view.parse_request,
}


def user(**more: Any) -> dict[str, Any]:
    return {"max_tokens": 5, "messages": [{"role": "user", **more}]}


def minimal_body(endpoint: str, **more: Any) -> dict[str, Any]:
    parts = [{"type": "text", "text": "Hi"}]
    return {"input": "Hi", **user(content="Hi", parts=parts), **contents(text="Hi"), **more}


def contents(**part: Any) -> dict[str, Any]:
    return {"contents": [{"parts": [part]}]}


IMAGES: dict[str, dict[str, Any]] = {
    "chat": user(content=[{"type": "image_url", "image_url": {"url": URL}}]),
    "responses": {
        "input": [{"role": "user", "content": [{"type": "input_image", "image_url": URL}]}]
    },
    "messages": user(content=[{"type": "image", "source": BASE64}]),
    "ui": user(parts=[{"type": "file", "mediaType": "image/png", "url": URL}]),
    "gemini": contents(inlineData={"mimeType": "image/png", "data": PNG}),
    "ollama": user(content="", images=[PNG]),
}
DOCUMENTS: dict[str, dict[str, Any]] = {
    "chat": user(content=[{"type": "file", "file": {"filename": "a.txt", "file_data": DOC}}]),
    "responses": {
        "input": [{"role": "user", "content": [
            {"type": "input_file", "filename": "a.txt", "file_data": DOC}]}]
    },
    "messages": user(
        content=[{"type": "document", "source": {"type": "text", "data": "Hi"}}]
    ),
    "ui": user(parts=[{"type": "file", "mediaType": "text/plain", "url": DOC}]),
    "gemini": contents(inlineData={"mimeType": "text/plain", "data": "SGk="}),
}  # fmt: skip
FORMS: dict[str, dict[str, Any]] = {
    "chat": {"response_format": {"type": "json_object"}},
    "responses": {"text": {"format": {"type": "json_object"}}},
    "messages": {"output_config": {"format": {"type": "json_schema", "schema": {"a": 1}}}},
    "gemini": {"generationConfig": {"responseMimeType": "application/json"}},
    "ollama": {"format": "json"},
}
EFFORTS: dict[str, dict[str, Any]] = {
    "chat": {"reasoning_effort": "low"},
    "responses": {"reasoning": {"effort": "low"}},
    "messages": {"output_config": {"effort": "low"}},
    "ui": {"reasoning": "low"},
    "gemini": {"generationConfig": {"thinkingConfig": {"thinkingLevel": "LOW"}}},
    "ollama": {"think": "low"},
}
TOOLS: dict[str, dict[str, Any]] = {
    "chat": {"tools": [{"type": "function", "function": {"name": "look"}}]},
    "responses": {"tools": [{"type": "function", "name": "look"}]},
    "messages": {"tools": [{"name": "look", "input_schema": {}}]},
    "ui": {"tools": {"look": {"inputSchema": {}}}},
    "gemini": {"tools": [{"functionDeclarations": [{"name": "look"}]}]},
    "ollama": {"tools": [{"type": "function", "function": {"name": "look"}}]},
}
COMES_BACK = {
    "chat": "`Location`", "responses": "`starting_after`", "messages": "`Location`",
    "ui": "`…/stream`", "gemini": "`Location`", "ollama": "`Location`",
}  # fmt: skip


def shown(endpoint: str) -> str:
    events = everything()
    records = numbered([*events, end_of(events)])
    return b"".join([STREAMS[endpoint]().frames(batch) for batch in frames_of(records)]).decode()


def has_part(endpoint: str, bodies: dict[str, dict[str, Any]], kind: str) -> bool:
    if endpoint not in bodies:
        return False
    parts = READ[endpoint](bodies[endpoint]).messages[0].parts
    return [part.type for part in parts] == [kind]


def has_option(endpoint: str, members: dict[str, dict[str, Any]], name: str) -> bool:
    options = READ[endpoint](minimal_body(endpoint, **members.get(endpoint, {}))).options
    return bool(getattr(options, name))


FEATURES: dict[str, Callable[[str], bool]] = {
    "streams": lambda endpoint: "Hello world" in shown(endpoint),
    "non-streaming": lambda endpoint: endpoint in REPLIES,
    "reasoning": lambda endpoint: "Let me think." in shown(endpoint),
    "reasoning signatures, echoed": lambda endpoint: (
        "proof" in shown(endpoint) or base64.b64encode(b"proof").decode() in shown(endpoint)
    ),
    "tool calls": lambda endpoint: "call_x" in shown(endpoint),
    "client tools": lambda endpoint: has_option(endpoint, TOOLS, "tools"),
    "sources": lambda endpoint: "https://a.example/" in shown(endpoint),
    "log probabilities": lambda endpoint: '"logprob"' in shown(endpoint),
    "usage": lambda endpoint: (
        # 7, of which 2 came from the cache: the Messages API doesn't count those.
        re.search(
            r'"(input_t|prompt_t|promptT|prompt_eval_c)(okens|okenCount|ount)":'
            r'(7\b|5,.*"cache_read_input_tokens":2\b)',
            shown(endpoint),
        )
        is not None
    ),
    "images": lambda endpoint: has_part(endpoint, IMAGES, "image"),
    "text documents": lambda endpoint: has_part(endpoint, DOCUMENTS, "file"),
    "structured output": lambda endpoint: has_option(endpoint, FORMS, "response_format"),
    "reasoning effort": lambda endpoint: has_option(endpoint, EFFORTS, "reasoning_effort"),
}


def table() -> str:
    lines = ["| | " + " | ".join(VIEWS) + " |", "|---" * (len(VIEWS) + 1) + "|"]
    for name, holds in FEATURES.items():
        cells = ["yes" if holds(endpoint) else "no" for endpoint in VIEWS.values()]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    lines.append("| resumes by | " + " | ".join(COMES_BACK[d] for d in VIEWS.values()) + " |")
    return "\n".join(lines)


def test_the_table_of_clients_is_that_of_their_tests() -> None:
    text = PAGE.read_text()
    assert clients_table.with_table(text) == text, "run: python tools/clients_table.py"


def test_the_table_of_views_and_features_is_true() -> None:
    found = re.search(r"<!-- table: .*? -->\n(.*?)\n?<!-- end", PAGE.read_text(), re.DOTALL)
    assert found is not None
    assert found[1] == table(), f"docs/compatible-apis.md should hold:\n{table()}"


def test_what_the_page_calls_refused_is_refused() -> None:
    for body in ({"n": 2}, {"modalities": ["audio"]}):
        with pytest.raises(BadRequest):
            openai_chat_view.parse_request(minimal_body("chat", **body))
