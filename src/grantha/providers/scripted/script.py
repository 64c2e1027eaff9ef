"""Scripts: the steps of a scripted model, read from JSON or TOML. Knows no clock and no
provider.

A script is a table:

| key | meaning |
|---|---|
| `description` | one line about the script, for those who read it |
| `capabilities` | changes to the defaults: `prefix`, `temperature`, `reasoning`, ... |
| `rate` | deltas per second; 0 (the default) is as fast as possible |
| `begin` | seconds before the reply begins |
| `refuse` | an error instead of a reply: its class or code, or a table like an `error` step |
| `gate` | a file in the script folder with the number of deltas that may be sent so far, or `open` |
| `usage` | false: none is reported |
| `embedding` | a list of numbers: the vector of each text that is to be embedded |
| `steps` | the steps, in order |
| `attempts` | a list of such tables: the first call takes the first, ..., later ones the last |

A step is a table with one of these keys, and its further fields:

| step | further fields |
|---|---|
| `text`, `reasoning` | `split`: "words" (default), "chars", "whole"; `signature` |
| `repeat` | `count`, `start` (0): `{n}` stands for the number, so 100,000 deltas need one line |
| `tool` | name; `arguments` (a table or JSON text), `call_id` |
| `cite` | URL; `title`, `quoted` |
| `usage` | a table of token counts |
| `wait` | seconds |
| `gate` | waits until this file exists in the script folder |
| `error` | class or code; `message`, `advice`, `retry_after`, `native` |
| `finish` | a finish reason; `native` |
| `hang`, `truncate`, `reset` | true |

In texts `{temperature}`, `{top_p}` and `{max_tokens}` are replaced by the options in force, four
characters wide, so that a changed option doesn't move what follows. A script that doesn't finish
by itself ends with "stop".
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from grantha.chat import Capabilities, Options
from grantha.errors import BadRequest, GranthaError, by_code
from grantha.wire.lenient_json import InvalidJson, dumps, loads

DEFAULTS = Capabilities(tools=True, reasoning=True, images=True)
Split = Literal["words", "chars", "whole"]
_STEPS = (
    "text",
    "reasoning",
    "repeat",
    "tool",
    "cite",
    "usage",
    "wait",
    "gate",
    "error",
    "finish",
    "hang",
    "truncate",
    "reset",
)
_WORD = re.compile(r"\s*\S+\s?")
_OPTION = re.compile(r"\{(temperature|top_p|max_tokens)\}")
_COUNT = re.compile(r"count-(\d{1,7})(?:-at-(\d{1,6}))?")


@dataclass(frozen=True, slots=True)
class ScriptStep:
    """One step: its kind is the key that named it, `value` that key's value."""

    kind: str
    value: Any
    fields: Mapping[str, Any] = field(default_factory=dict)

    def fragments(self, options: Options) -> Iterator[str]:
        """The deltas of text or reasoning, with the options in force filled in."""
        if self.kind == "repeat":
            start = int(self.fields.get("start", 0))
            text = _fill_placeholders(str(self.value), options)
            for number in range(start, start + int(self.fields.get("count", 1))):
                yield text.replace("{n}", str(number))
            return
        yield from _split(
            _fill_placeholders(str(self.value), options), self.fields.get("split", "words")
        )

    @property
    def arguments(self) -> str:
        """A tool call's arguments as JSON text."""
        given = self.fields.get("arguments", {})
        return given if isinstance(given, str) else dumps(given).decode()


@dataclass(frozen=True, slots=True)
class Script:
    """One call's worth of steps; `attempts` replaces them, call by call."""

    steps: tuple[ScriptStep, ...] = ()
    description: str = ""
    capabilities: Capabilities = DEFAULTS
    rate: float = 0.0
    begin: float = 0.0
    refuse: Mapping[str, Any] | None = None
    gate: str | None = None
    usage: bool = True
    embedding: tuple[float, ...] = ()
    attempts: tuple[Script, ...] = ()

    def attempt(self, number: int) -> Script:
        """The script for the call of this number, from 0."""
        if not self.attempts:
            return self
        return self.attempts[min(number, len(self.attempts) - 1)]


def generated_script(name: str) -> Script | None:
    """The script of a name like `count-1000` or `count-1000-at-20` (deltas a second), or None."""
    match = _COUNT.fullmatch(name)
    if match is None:
        return None
    step = ScriptStep("repeat", "w{n} ", {"count": int(match[1])})
    return Script(
        (step,),
        "Counts",
        Capabilities(prefix=True, tools=True),
        rate=float(match[2] or 0),
    )


def read_script(path: Path) -> Script:
    """A script file. Raises `BadRequest` naming the file and what is wrong."""
    try:
        raw = path.read_bytes()
        body = tomllib.loads(raw.decode()) if path.suffix == ".toml" else loads(raw)
        return parse_script(body)
    except (
        InvalidJson,
        tomllib.TOMLDecodeError,
        UnicodeDecodeError,
        OSError,
        ValueError,
        TypeError,
    ) as error:
        raise BadRequest(f"The script {path.name!r} can't be used: {error}") from error


def parse_script(body: Mapping[str, Any]) -> Script:
    """A script from its table. Raises ValueError or TypeError naming the part that is wrong."""
    known = {item.name for item in fields(Script)}
    unknown = sorted(body.keys() - known)
    if unknown:
        raise ValueError(f"there is no key {unknown[0]!r}")
    values = dict(body)
    values["steps"] = tuple(_step(item) for item in body.get("steps", ()))
    values["embedding"] = tuple(float(number) for number in body.get("embedding", ()))
    values["attempts"] = tuple(parse_script(item) for item in body.get("attempts", ()))
    values["capabilities"] = changed_capabilities(DEFAULTS, body.get("capabilities", {}))
    if "refuse" in values:
        refuse = values["refuse"]
        values["refuse"] = refuse if isinstance(refuse, Mapping) else {"error": refuse}
        make_error(values["refuse"]["error"], values["refuse"])
    return Script(**values)


def changed_capabilities(capabilities: Capabilities, changes: Mapping[str, Any]) -> Capabilities:
    """A copy with the named facts replaced. Raises TypeError for a name that isn't one."""
    values = {item.name: getattr(capabilities, item.name) for item in fields(Capabilities)}
    return Capabilities(**{**values, **changes})


def make_error(name: str, described: Mapping[str, Any]) -> GranthaError:
    """The error of a class name or code. Raises ValueError for a name that is neither."""
    kind = by_code(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower())
    if kind is None:
        raise ValueError(f"there is no error {name!r}")
    return kind(
        described.get("message", f"The script says {name}"),
        advice=described.get("advice", ""),
        provider="scripted",
        retry_after=described.get("retry_after"),
        native=described.get("native"),
    )


def _step(item: Mapping[str, Any]) -> ScriptStep:
    kind = next((name for name in _STEPS if name in item), None)
    if kind is None:
        raise ValueError(f"a step has none of {', '.join(_STEPS)}")
    step = ScriptStep(kind, item[kind], {k: v for k, v in item.items() if k != kind})
    if kind == "error":
        make_error(step.value, step.fields)
    return step


def _split(text: str, how: Split) -> Iterator[str]:
    if how == "whole":
        yield text
    elif how == "chars":
        yield from text
    else:
        end = 0
        for match in _WORD.finditer(text):
            end = match.end()
            yield match[0]
        if end < len(text):
            yield text[end:]


def _fill_placeholders(text: str, options: Options) -> str:
    if "{" not in text:
        return text

    def shown(match: re.Match[str]) -> str:
        value = getattr(options, match[1])
        shown = (
            "none" if value is None else f"{value:.2f}" if isinstance(value, float) else f"{value}"
        )
        return f"{shown:>4}"[:4]

    return _OPTION.sub(shown, text)
