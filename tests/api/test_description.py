"""The description of the API is true: schemas, examples, and every reply of a real server."""

import json
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

import httpx
import jsonschema_rs
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from grantha.api.app import create_app
from grantha.api.openapi import compat as vendors
from grantha.api.openapi.examples import EXAMPLES
from grantha.api.routes import login
from grantha.api.schemas import requests, responses
from grantha.config import Settings
from grantha.events import Event
from tests.api.conftest import TOKEN
from tests.server import DEADLINE, Server
from tools import page_types

KINDS = {field.default for cls in get_args(Event) for field in fields(cls) if field.name == "kind"}
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]


@pytest.fixture(scope="session")
def described(shared: Server) -> dict[str, Any]:
    return shared.call("GET", "/openapi.json").expect(200)


def _operations(described: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, method, operation)
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    ]


def _calls() -> list[tuple[str, str]]:
    """Every call that the app describes, known before a server runs."""
    app = create_app(Settings(local_enabled=False, scripted=True))
    described = app._app._app._app.openapi()  # type: ignore[attr-defined]  # behind three middlewares
    return [(method.upper(), path) for path, method, _ in _operations(described)]


@pytest.fixture(scope="session")
def api(shared: Server) -> Any:
    return schemathesis.openapi.from_url(f"{shared.url}/openapi.json")


@pytest.fixture(scope="session")
def real(shared: Server) -> dict[str, str]:
    """Ids that exist, for paths where invented ones only give a 404."""
    made = shared.ask("scripted/count-20")
    shared.ended(made["id"])
    return {
        "conversation": made["conversation"],
        "generation": made["id"],
        "message": made["message"],
        "response": f"resp_{made['id']}",
        "chat": made["conversation"],
        "name": "scripted",
        "model": "scripted/hello",
    }


@pytest.mark.parametrize(("method", "path"), _calls())
def test_whatever_is_sent_the_reply_is_documented_and_no_server_error(
    api: Any, real: dict[str, str], method: str, path: str
) -> None:
    @settings(
        max_examples=12,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=api[path][method].as_strategy(), known=st.booleans())
    def send(case: Any, known: bool) -> None:
        if known:
            names = case.path_parameters.keys() & real.keys()
            case.path_parameters.update({name: real[name] for name in names})
            if isinstance(case.body, dict):
                case.body["model"] = real["model"]
        case.call_and_validate(checks=CHECKS, timeout=DEADLINE)

    send()


def test_every_example_fits_its_schema(described: dict[str, Any]) -> None:
    schemas = {
        name: found
        for module in (responses, requests, login)
        for name, found in vars(module).items()
        if isinstance(found, type) and issubclass(found, BaseModel)
    } | vendors.schemas()
    for name, sample in (EXAMPLES | vendors.EXAMPLES).items():
        TypeAdapter(schemas[name]).validate_python(sample)
        assert described["components"]["schemas"][name]["examples"] == [sample]


def test_every_call_has_a_description_and_every_json_body_an_example(
    described: dict[str, Any],
) -> None:
    for path, method, operation in _operations(described):
        assert operation.get("description"), (method, path)
        if path == "/api/import":
            continue
        holders = [reply for status, reply in operation["responses"].items() if status < "300"]
        if "requestBody" in operation:
            holders.append(operation["requestBody"])
        for holder in holders:
            schema = holder.get("content", {}).get("application/json", {}).get("schema", {})
            for named in schema.get("anyOf", [schema] if schema else []):
                name = named["$ref"].rsplit("/", 1)[-1]
                assert described["components"]["schemas"][name].get("examples"), (path, name)


def test_the_reference_is_one_page_without_scripts_or_foreign_addresses(
    shared: Server, described: dict[str, Any]
) -> None:
    reply = shared.call("GET", "/docs")
    page = reply.body.decode()
    assert reply.status == 200
    assert "script-src 'self'" in reply.headers["content-security-policy"]
    assert "<script" not in page
    assert not re.findall(r'(?:src|href)="(?!/openapi\.json)[^"]*"', page)
    for path in described["paths"]:
        assert path in page


def test_every_call_but_the_public_ones_wants_the_token(
    guarded: Server, described: dict[str, Any]
) -> None:
    free = {"/healthz", "/api/login", "/api/logout"}
    for path, method, _ in _operations(described):
        reply = guarded.call(method.upper(), re.sub(r"\{\w+(:path)?\}", "x", path))
        if path in free:
            assert reply.status in {200, 204, 400}, (path, reply.status)
        else:
            assert reply.status == 401, (method, path, reply.status)
    for path in ("/docs", "/openapi.json", "/chat/completion", "/api/nothing"):
        assert guarded.call("GET", path).status == 401
        token = {"Authorization": f"Bearer {TOKEN}"}
        assert guarded.call("GET", path, headers=token).status in {200, 404, 405}


def test_the_types_of_the_page_are_those_of_the_description(described: dict[str, Any]) -> None:
    written = page_types.FILE.read_text(encoding="utf-8")
    assert page_types.types(described["components"]["schemas"]) == written, "run: make types"


def test_every_kind_of_event_is_described_as_it_is_written(described: dict[str, Any]) -> None:
    schema = {"$ref": "#/components/schemas/Event", "components": described["components"]}
    check = jsonschema_rs.validator_for(schema)
    seen = set()
    for event in _logged():
        if event["kind"] in KINDS:
            seen.add(event["kind"])
            check.validate(event)
            assert not check.is_valid({"kind": event["kind"]}), "nothing is asked of this kind"
    assert seen == KINDS


def _logged() -> Iterator[dict[str, Any]]:
    for file in (Path(__file__).parents[2] / "fixtures" / "wire" / "fold").glob("*.json"):
        yield from json.loads(file.read_text(encoding="utf-8"))["events"]


async def test_the_description_names_every_route_of_the_app(client: httpx.AsyncClient) -> None:
    found = (await client.get("/openapi.json")).json()["paths"]
    for path in ("/api/conversations", "/chat/completions/stream", "/v1/chat/completions"):
        assert path in found
