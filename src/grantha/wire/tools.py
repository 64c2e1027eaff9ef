"""Tools as options hold them: functions, and what other kinds of tools become.

| kind at a vendor's API | here | what the model gets |
|---|---|---|
| function | `{"name", "description", "parameters", "strict"}` | the same |
| custom: takes free text | a function with one text, and its `origin` | a function |
| namespace: a group of functions | its functions by a joint name, each with its `origin` | functions |
| hosted: the vendor runs it | its kind, and its `origin` | itself at that vendor, else nothing |

`origin` never reaches a vendor. By it views give calls the form that clients know.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from grantha.chat import JsonDict, JsonObject
from grantha.wire import lenient_json
from grantha.wire.lenient_json import InvalidJson

Api = Literal["openai-chat", "openai-responses", "anthropic", "gemini"]
_INPUT = "input"  # the one parameter of a custom tool
_INPUT_SCHEMA: JsonDict = {
    "type": "object",
    "properties": {_INPUT: {"type": "string"}},
    "required": [_INPUT],
    "additionalProperties": False,
}


def custom_tool(name: str, description: str | None, given: JsonObject) -> JsonDict:
    """A tool that takes free text, as a function. The description states its grammar."""
    definition = _nested(given, "format").get("definition") or _nested(
        _nested(given, "format"), "grammar"
    ).get("definition")
    paragraphs = [
        description or "",
        f"The input must match this grammar:\n{definition}" if definition else "",
    ]
    return {
        "name": name,
        "description": "\n\n".join(text for text in paragraphs if text),
        "parameters": _INPUT_SCHEMA,
        "origin": {"kind": "custom", "tool": dict(given)},
    }


def namespaced_tool(namespace: str, function: JsonObject) -> JsonDict:
    """A function of a namespace."""
    origin = {"kind": "namespace", "namespace": namespace, "name": function["name"]}
    return {**function, "name": qualified_name(namespace, function["name"]), "origin": origin}


def hosted_tool(api: Api, given: JsonObject) -> JsonDict:
    """A tool that a vendor runs itself, or whose form only that vendor knows."""
    return {
        "name": hosted_tool_name(given),
        "origin": {"kind": "hosted", "api": api, "tool": dict(given)},
    }


def hosted_tool_name(given: JsonObject) -> str:
    """What a vendor calls a tool of its own: its type or, at Google, its only member."""
    return str(given.get("type") or next(iter(given), ""))


def qualified_name(namespace: str, name: str) -> str:
    """The name by which models call a function of a namespace."""
    return f"{namespace}{name}" if namespace.endswith("__") else f"{namespace}__{name}"


def functions(tools: Iterable[JsonObject]) -> list[JsonDict]:
    """The tools that a model of any vendor can call, without their origins."""
    return [
        {name: value for name, value in tool.items() if name != "origin"}
        for tool in tools
        if not _is_hosted(tool)
    ]


def hosted_tools(tools: Iterable[JsonObject], api: Api | None = None) -> list[JsonDict]:
    """The tools that a vendor runs itself, as they were given; of one API, or of all."""
    origins = [tool["origin"] for tool in tools if _is_hosted(tool)]
    return [dict(origin["tool"]) for origin in origins if api in {None, origin["api"]}]


def origin_of(tools: Sequence[JsonObject], name: str | None) -> JsonObject:
    """Where the tool of this name comes from; empty for plain functions."""
    found: JsonObject = next(
        (t["origin"] for t in tools if t["name"] == name and "origin" in t), {}
    )
    return found


def custom_arguments(text: str) -> str:
    """The arguments of a call of a custom tool, from its free text."""
    return json.dumps({_INPUT: text}, ensure_ascii=False)


def custom_input(arguments: str) -> str:
    """The free text of a call of a custom tool; a model may have left the object out."""
    try:
        decoded = lenient_json.loads(arguments)
    except InvalidJson:
        return arguments
    text = decoded.get(_INPUT) if isinstance(decoded, dict) else None
    return text if isinstance(text, str) else arguments


# ---- helpers below -------------------------------------------------------------------------------


def _is_hosted(tool: JsonObject) -> bool:
    return bool(tool.get("origin", {}).get("kind") == "hosted")


def _nested(body: JsonObject, name: str) -> Mapping[str, Any]:
    found = body.get(name)
    return found if isinstance(found, Mapping) else {}
