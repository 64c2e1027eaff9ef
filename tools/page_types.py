"""Writes the page's types, web/src/lib/wire/schema.ts, from the API's own description.

`python tools/page_types.py`; with `--check` it changes nothing and fails when the file is behind.
Supports the part of JSON Schema that the description uses, and fails for anything else.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import httpx

from grantha.api.app import create_app
from grantha.api.openapi import compat
from grantha.config import Settings

Json = dict[str, Any]

FILE = Path(__file__).parents[1] / "web" / "src" / "lib" / "wire" / "schema.ts"
HEAD = """\
// The API's bodies, replies and events as the server describes them in /openapi.json.
// Written by tools/page_types.py (`make types`); what is changed here is lost.
"""
_PLAIN = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean"}


def types(schemas: Json) -> str:
    """One exported type for every schema of the native API, by name: the page speaks no other."""
    native = sorted(schemas.keys() - compat.schemas().keys())
    return "\n".join([HEAD, *(_named(name, schemas[name]) for name in native)])


async def described() -> Json:
    """The description of the server as this code would serve it."""
    app = create_app(Settings(local_enabled=False, scripted=True))
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
        reply = await client.get("/openapi.json")
    found: Json = reply.raise_for_status().json()
    return found


def main() -> int:
    """Writes, or checks."""
    current = types(asyncio.run(described())["components"]["schemas"])
    if "--check" not in sys.argv:
        FILE.write_text(current, encoding="utf-8")
    elif FILE.read_text(encoding="utf-8") != current:
        print(f"{FILE.name} is behind the server: run `make types`.", file=sys.stderr)
        return 1
    return 0


# ---- helpers below -------------------------------------------------------------------------------


def _named(name: str, schema: Json) -> str:
    said = " ".join(schema.get("description", "").split())
    note = f"/** {said} */\n" if said else ""
    if "properties" in schema:
        return f"{note}export interface {name} {_fields(schema, '')}\n"
    return f"{note}export type {name} = {_type(schema)};\n"


def _fields(schema: Json, pad: str) -> str:
    required = schema.get("required", [])
    lines = [
        f"{pad}  {name}{'' if name in required else '?'}: {_type(value, pad + '  ')};"
        for name, value in schema["properties"].items()
    ]
    return "\n".join(["{", *lines, f"{pad}}}"])


def _type(schema: Json, pad: str = "") -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    for key, sign in (("anyOf", " | "), ("oneOf", " | "), ("allOf", " & ")):
        if key in schema:
            return sign.join(_grouped(_type(one, pad), sign) for one in schema[key])
    if "const" in schema:
        return _literal(schema["const"])
    if "enum" in schema:
        return " | ".join(_literal(value) for value in schema["enum"])
    return _by_name(schema, pad)


def _by_name(schema: Json, pad: str) -> str:
    match schema.get("type"):
        case None:
            return "unknown"
        case "null":
            return "null"
        case "array" if "prefixItems" in schema:
            return f"[{', '.join(_type(one, pad) for one in schema['prefixItems'])}]"
        case "array":
            return f"{_grouped(_type(schema.get('items', {}), pad), '[]')}[]"
        case "object" if "properties" in schema:
            return _fields(schema, pad)
        case "object":
            values = schema.get("additionalProperties", True)
            return (
                f"Record<string, {_type(values, pad) if isinstance(values, dict) else 'unknown'}>"
            )
        case name:
            return _PLAIN[str(name)]


def _grouped(text: str, sign: str) -> str:
    """In brackets where operator precedence needs them."""
    return f"({text})" if any(f" {other} " in text for other in "|&" if other not in sign) else text


def _literal(value: Any) -> str:
    return f"'{value}'" if isinstance(value, str) else json.dumps(value)


if __name__ == "__main__":
    raise SystemExit(main())
