"""Learns from a host's refusals which options a model lacks, and removes them from requests.

A refusal (HTTP 400 or 422) names the option in a vendor-specific form: in `param`, as the path of a
validation error, or in its message. Such an option is left out, or set to a value that is offered, and
the request is sent again; from then on it is so for that model. Only options that steer an answer are
ever left out: never tools, schemas, messages or images. Nothing is learnt from a value out of range,
which is the caller's mistake.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from grantha.chat import Options
from grantha.events import ProviderNotice
from grantha.wire.lenient_json import dumps, loads
from grantha.wire.tools import hosted_tool_name, hosted_tools
from grantha.wire.upstream.vendor_errors import ErrorReport

_Path: TypeAlias = tuple[str, ...]

_LIMITS = frozenset({"maxtokens", "maxcompletiontokens", "maxoutputtokens", "numpredict"})
# Options as vendors write them, without underscores and in lower case.
_OPTIONAL = frozenset(
    {
        "temperature", "topp", "topk", "minp", "typicalp", "presencepenalty", "frequencypenalty",
        "repetitionpenalty", "repeatpenalty", "logitbias", "logprobs", "toplogprobs", "seed",
        "randomseed", "stop", "stopsequences", "user", "metadata", "servicetier", "verbosity",
        "paralleltoolcalls", "promptcachekey", "safetyidentifier", "prediction", "reasoning",
        "reasoningeffort", "effort", "summary", "include", "thinking", "thinkingconfig",
        "thinkingbudget", "thinkinglevel", "includethoughts", "think", "includeusage",
        "streamoptions", "truncation", "reasoningformat", "includereasoning", "labels",
    }
)  # fmt: skip
_CONTAINERS = frozenset(
    {
        "generationConfig", "thinkingConfig", "inferenceConfig", "additionalModelRequestFields",
        "options", "reasoning", "text", "output_config", "stream_options",
    }
)  # fmt: skip
_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_WORD = r"[A-Za-z_][\w.]*"
# How vendors name the option that they refuse, the most certain forms first.
_NAMED = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"(?:parameter|argument|field|property|key|name|value|option)s?:? [`'\"\[]+({_WORD})",
        rf"[`'\"\[]({_WORD})[`'\"\]]",
        rf"(?:parameter|argument(?: supplied)?|property|option|model): ({_WORD})",
        rf"invalid ({_WORD})",
        rf"(?:^|[;\n] ?)({_WORD}): ",
        rf"({_WORD}) (?:is|are) (?:not|n't|only|no longer|deprecated|unsupported)",
        rf"({_WORD}) (?:does|do) ?n[o']t support",
    )
)
_OUT_OF_RANGE = re.compile(
    r"out of range|range:|between|less than|greater than|at least|at most|[<>≤≥]=? ?\d"
    r"|(?:minimum|maximum) (?:value|of)|must be (?:a|an) ",
    re.IGNORECASE,
)
_OFFERED = re.compile(
    r"(?:supported (?:values|parameters) are|must be one of|expected one of|one of)[:\s]+(.*)",
    re.IGNORECASE,
)
# Options that users set, by their vendors' names. Removing any other one doesn't change an answer.
_WRITTEN_AS: dict[str, frozenset[str]] = {
    "temperature": frozenset({"temperature"}),
    "top_p": frozenset({"topp"}),
    "stop": frozenset({"stop", "stopsequences"}),
    "seed": frozenset({"seed", "randomseed"}),
    "reasoning_effort": frozenset(
        {"reasoning", "reasoningeffort", "effort", "thinking", "thinkingconfig", "think"}
    ),
    "top_k": frozenset({"topk"}),
    "min_p": frozenset({"minp"}),
    "presence_penalty": frozenset({"presencepenalty"}),
    "frequency_penalty": frozenset({"frequencypenalty"}),
    "repetition_penalty": frozenset({"repetitionpenalty", "repeatpenalty"}),
    "logit_bias": frozenset({"logitbias"}),
    "logprobs": frozenset({"logprobs"}),
    "verbosity": frozenset({"verbosity"}),
}


@dataclass(slots=True)
class _Corrections:
    """What is known about one model."""

    left_out: set[_Path] = field(default_factory=set)
    limits: dict[_Path, int] = field(default_factory=dict)
    replaced: dict[tuple[_Path, str], str] = field(default_factory=dict)


class RefusedOptions:
    """The corrections of one host, by model; kept as long as the process lives."""

    def __init__(self) -> None:
        self._corrections: dict[str, _Corrections] = {}

    def learn(self, model: str, body: bytes, report: ErrorReport) -> bool:
        """Learns from a refusal of `body`; True if the request can be sent again."""
        sent = loads(body)
        if not isinstance(sent, dict):
            return False
        paths = dict(_options_in(sent))
        path = next(
            (found for name in _names(report) if (found := _find(name, paths)) is not None),
            None,
        )
        if path is None:
            return False
        corrections = self._corrections.setdefault(model, _Corrections())
        value = paths[path]
        if _plain(path[-1]) in _LIMITS:
            return _learn_limit(corrections, path, value, report.message)
        offered = _offered(report.message, value) if isinstance(value, str) else None
        if offered is not None and (path, offered) not in corrections.replaced:
            corrections.replaced[path, value] = offered
            return True
        if _is_number(value) and _OUT_OF_RANGE.search(report.message):
            return False
        corrections.left_out.add(path)
        return True

    def apply(self, model: str, body: bytes) -> bytes:
        """A request's body without the options that the model is known to refuse."""
        corrections = self._corrections.get(model)
        if corrections is None:
            return body
        sent = loads(body)
        for path in corrections.left_out:
            _remove(sent, path)
        for path, limit in corrections.limits.items():
            value = _value(sent, path)
            if _is_number(value) and value > limit:
                _set(sent, path, limit)
        for (path, refused), offered in corrections.replaced.items():
            if _value(sent, path) == refused:
                _set(sent, path, offered)
        return dumps(sent)

    def lacking(self, model: str) -> dict[str, Any]:
        """The capabilities that a model turned out not to have."""
        corrections = self._corrections.get(model)
        left_out = {_plain(path[-1]) for path in corrections.left_out} if corrections else set()
        names = {"temperature": "temperature", "topp": "top_p"}
        return {name: False for written, name in names.items() if written in left_out}


def notices(provider: str, model: str, options: Options, body: bytes) -> list[ProviderNotice]:
    """A notice for each option that a person set and each tool that the request doesn't hold."""
    names = [name for name in _WRITTEN_AS if _is_set(options, name)]
    hosted = [(hosted_tool_name(tool), tool) for tool in hosted_tools(options.tools)]
    if not names and not hosted:
        return []
    decoded = loads(body)
    given = decoded.get("tools") or []
    sent = {_plain(path[-1]) for path, _ in _options_in(decoded)}
    return [
        ProviderNotice(
            "option-dropped",
            f"The tool {name!r} doesn't run at {provider}, so it was left out.",
            {"option": "tools", "tool": name},
        )
        for name, tool in hosted
        if tool not in given
    ] + [
        ProviderNotice(
            "option-dropped",
            f"{model} at {provider} doesn't take {name!r}, so it was left out.",
            {"option": name},
        )
        for name in names
        if not sent & _WRITTEN_AS[name]
    ]


# ---- helpers below -------------------------------------------------------------------------------


def _is_set(options: Options, name: str) -> bool:
    value = getattr(options, name) if hasattr(options, name) else options.extra.get(name)
    if name == "reasoning_effort" and value == "none":
        return False  # "don't reason" holds for a model that can't reason anyway
    return value not in (None, (), {}, False) and not (name.endswith("_penalty") and value == 0)


def _options_in(body: Mapping[str, Any], above: _Path = ()) -> Iterator[tuple[_Path, Any]]:
    for name, value in body.items():
        plain = _plain(name)
        if plain in _OPTIONAL or plain in _LIMITS:
            yield (*above, name), value
        if name in _CONTAINERS and isinstance(value, Mapping):
            yield from _options_in(value, (*above, name))


def _names(report: ErrorReport) -> Iterator[str]:
    """The possible causes of a refusal, the most certain first."""
    if report.param:
        yield report.param
        return
    both = re.search(r"temperature.{1,9}top_?p.*(both|only one)", report.message, re.IGNORECASE)
    if both:
        yield "top_p"
    for pattern in _NAMED:
        for found in pattern.finditer(report.message):
            yield found[1]
    if re.search(r"\bpenalty\b", report.message, re.IGNORECASE):
        yield from ("presence_penalty", "frequency_penalty")


def _find(name: str, paths: Mapping[_Path, Any]) -> _Path | None:
    """The option in the body that a name means: `reasoning.summary`, `generation_config.top_k`."""
    steps = [_plain(step) for step in re.sub(r"\[\d*\]", "", name).split(".") if step]
    if steps[:1] == ["body"]:
        steps = steps[1:]
    for length in range(len(steps), 0, -1):
        ends = [path for path in paths if _plain(path[-1]) == steps[length - 1]]
        if ends:
            return max(ends, key=lambda path: _shared(path, steps[:length]))
    return None


def _shared(path: _Path, steps: list[str]) -> int:
    return sum(_plain(a) == b for a, b in zip(reversed(path), reversed(steps), strict=False))


def _learn_limit(corrections: _Corrections, path: _Path, value: Any, message: str) -> bool:
    if not _is_number(value):
        return False
    numbers = [int(text.replace(",", "")) for text in re.findall(r"\d[\d,]*", message)]
    allowed = [number for number in numbers if 16 <= number < value]
    if not allowed:
        return False
    corrections.limits[path] = max(allowed) - ("exclusive" in message)
    return True


def _offered(message: str, refused: str) -> str | None:
    """Of the efforts that a refusal offers the nearest to the one refused."""
    listed = _OFFERED.search(message)
    if listed is None or refused not in _EFFORTS:
        return None
    words = [word for word in re.findall(r"\w+", listed[1].lower()) if word in _EFFORTS]
    found = [word for word in words if word != refused]
    at = _EFFORTS.index(refused)
    return min(found, key=lambda word: abs(_EFFORTS.index(word) - at)) if found else None


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _value(body: Any, path: _Path) -> Any:
    for step in path:
        body = body.get(step) if isinstance(body, Mapping) else None
    return body


def _set(body: dict[str, Any], path: _Path, value: Any) -> None:
    for step in path[:-1]:
        body = body[step]
    body[path[-1]] = value


def _remove(body: dict[str, Any], path: _Path) -> None:
    inner = body.get(path[0])
    if len(path) == 1:
        body.pop(path[0], None)
    elif isinstance(inner, dict):
        _remove(inner, path[1:])
        if not inner:
            del body[path[0]]
