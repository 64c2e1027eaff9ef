"""The reference of the API as one HTML page, written from its OpenAPI description.

Without scripts, fonts or anything from elsewhere, so that it shows under a strict
Content-Security-Policy and on a machine without a network.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from html import escape
from typing import Any

from grantha.chat import JsonDict

_MAX_LEVELS = 6  # levels of a schema that are written out

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.6rem; } h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--line); }
summary { cursor: pointer; padding: .5rem 0; } summary code { font-size: 1rem; }
details { border-bottom: 1px solid var(--line); } details > div { padding: 0 0 1rem 1rem; }
b.method { display: inline-block; min-width: 4.5rem; }
pre { background: var(--soft); padding: .75rem; overflow-x: auto; font-size: .85rem; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
td, th { text-align: left; vertical-align: top; padding: .25rem .75rem .25rem 0; }
"""


def page(description: JsonDict) -> str:
    """The whole page."""
    title = escape(str(description["info"]["title"]))
    version = escape(str(description["info"]["version"]))
    about = escape(str(description["info"].get("summary", "")))
    body = "\n".join(_groups(description))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title} API</title><style>{_STYLE}</style></head><body>"
        f"<h1>{title} API <small>{version}</small></h1><p>{about} The description for programs is "
        f'<a href="/openapi.json">/openapi.json</a>.</p>\n{body}</body></html>'
    )


# ---- helpers below -------------------------------------------------------------------------------


def _groups(description: JsonDict) -> Iterator[str]:
    groups: dict[str, list[str]] = {}
    schemas = description.get("components", {}).get("schemas", {})
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            tag = (operation.get("tags") or ["other"])[0]
            groups.setdefault(tag, []).append(_operation(method, path, operation, schemas))
    for tag, operations in groups.items():
        yield f"<h2>{escape(tag[:1].upper() + tag[1:])}</h2>"
        yield from operations


def _operation(method: str, path: str, operation: JsonDict, schemas: JsonDict) -> str:
    said = str(operation.get("description", ""))
    first, _, rest = said.partition("\n")
    blocks = [f"<p>{escape(rest.strip())}</p>"] if rest.strip() else []
    blocks.append(_parameters(operation.get("parameters", [])))
    if "requestBody" in operation:
        blocks.append(f"<h4>Body</h4>{_contents(operation['requestBody'], schemas)}")
    blocks.append(_replies(operation["responses"], schemas))
    return (
        f'<details><summary><b class="method">{method.upper()}</b> '
        f"<code>{escape(path)}</code> {escape(first)}</summary>"
        f"<div>{''.join(blocks)}</div></details>"
    )


def _parameters(parameters: list[JsonDict]) -> str:
    if not parameters:
        return ""
    rows = "".join(
        f"<tr><td><code>{escape(p['name'])}</code></td><td>{escape(p['in'])}</td>"
        f"<td>{escape(_short(p.get('schema', {})))}</td>"
        f"<td>{escape(str(p.get('description', '')))}</td></tr>"
        for p in parameters
    )
    return f"<h4>Parameters</h4><table>{rows}</table>"


def _replies(replies: JsonDict, schemas: JsonDict) -> str:
    rows = []
    for status, reply in replies.items():
        shown = _contents(reply, schemas) if status.startswith("2") else ""
        rows.append(
            f"<tr><td><code>{escape(status)}</code></td>"
            f"<td>{escape(str(reply.get('description', '')))}{shown}</td></tr>"
        )
    return f"<h4>Replies</h4><table>{''.join(rows)}</table>"


def _contents(holder: JsonDict, schemas: JsonDict) -> str:
    blocks = []
    for media, content in holder.get("content", {}).items():
        blocks.append(f"<p><code>{escape(media)}</code></p>")
        schema = content.get("schema", {})
        if rendered := _rendered(schema, schemas, 0):
            blocks.append(f"<pre>{escape(rendered)}</pre>")
        for example in _examples(content, schema, schemas):
            text = json.dumps(example, indent=2, ensure_ascii=False)
            blocks.append(f"<p>For example</p><pre>{escape(text)}</pre>")
    return "".join(blocks)


def _examples(content: JsonDict, schema: JsonDict, schemas: JsonDict) -> list[Any]:
    found = [item.get("value") for item in content.get("examples", {}).values()]
    if "example" in content:
        found.append(content["example"])
    return found or list(_resolved(schema, schemas).get("examples", []))


def _rendered(schema: JsonDict, schemas: JsonDict, depth: int) -> str:
    """A schema as JSON with the types in place of the values."""
    schema = _resolved(schema, schemas)
    pad = "  " * (depth + 1)
    if schema.get("properties") and depth < _MAX_LEVELS:
        required = schema.get("required", [])
        lines = [
            f"{pad}{name}{'' if name in required else '?'}: {_rendered(value, schemas, depth + 1)}"
            for name, value in schema["properties"].items()
        ]
        return "{\n" + "\n".join(lines) + "\n" + "  " * depth + "}"
    if schema.get("type") == "array":
        return f"[{_rendered(schema.get('items', {}), schemas, depth)}]"
    if "contentSchema" in schema:
        return f"JSON, as text: {_rendered(schema['contentSchema'], schemas, depth)}"
    for union in ("anyOf", "oneOf"):
        if union in schema:
            return " | ".join(_rendered(item, schemas, depth) for item in schema[union])
    return _short(schema)


def _short(schema: JsonDict) -> str:
    if "anyOf" in schema:
        return " | ".join(_short(item) for item in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(json.dumps(value) for value in schema["enum"])
    if "const" in schema:
        return json.dumps(schema["const"])
    if "$ref" in schema:
        return str(schema["$ref"]).rsplit("/", 1)[-1]
    return str(schema.get("type", "any"))


def _resolved(schema: JsonDict, schemas: JsonDict) -> JsonDict:
    name = str(schema.get("$ref", "")).rsplit("/", 1)[-1]
    found: JsonDict = schemas.get(name, {}) if name else schema
    return found
