"""The recorded replies in fixtures/wire, and the plain form in which their events are compared.

A fixture is a reply's bytes and, beside it, what they mean: `accepted`, `events` (adjacent texts
joined, a tool call's fragments joined), `usage` (the last), `finish` with `native` and, if it is named,
`stop_sequence`, or the code of a `failure`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grantha.errors import GranthaError
from grantha.events import (
    Accepted,
    Cited,
    Finished,
    ProviderNotice,
    Reasoning,
    Text,
    ToolCall,
    UpstreamEvent,
    UsageSeen,
)
from grantha.wire.lenient_json import loads
from grantha.wire.signatures import signature_owner
from grantha.wire.upstream.anthropic_decoder import anthropic_decoder, parse_anthropic_body
from grantha.wire.upstream.bedrock_decoder import bedrock_decoder, parse_bedrock_body
from grantha.wire.upstream.decoder import Decoder
from grantha.wire.upstream.gemini_decoder import gemini_decoder, parse_gemini_body
from grantha.wire.upstream.ollama_decoder import ollama_decoder, parse_ollama_body
from grantha.wire.upstream.openai_chat_decoder import chat_decoder, parse_chat_body
from grantha.wire.upstream.openai_chat_profile import DialectProfile
from grantha.wire.upstream.openai_responses_decoder import parse_responses_body, responses_decoder
from grantha.wire.upstream.vendor_errors import ErrorFactory, parse_error_report

ROOT = Path(__file__).parents[2] / "fixtures" / "wire"
ERROR_FACTORY = ErrorFactory("vendor", "model-x")
MARK = signature_owner("vendor", "model-x")

AnswerFold = Callable[[bytes], list[UpstreamEvent]]


@dataclass(frozen=True)
class Recorded:
    """One fixture."""

    dialect: str
    name: str
    body: bytes
    expected: dict[str, Any]
    is_body: bool

    def __str__(self) -> str:
        return f"{self.dialect}/{self.name}"

    def decoder(self) -> Decoder:
        """A fresh decoder with this fixture's settings."""
        return decoder_for(self.dialect, **self.expected.get("decoder", {}))


def decoder_for(dialect: str, **options: Any) -> Decoder:
    """A fresh decoder of a dialect."""
    prefix = options.get("prefix", "")
    match dialect:
        case "openai-chat":
            return chat_decoder(DialectProfile(**options), ERROR_FACTORY)
        case "anthropic":
            return anthropic_decoder(ERROR_FACTORY, prefix)
        case "gemini":
            return gemini_decoder(ERROR_FACTORY)
        case "ollama":
            return ollama_decoder(ERROR_FACTORY)
        case "openai-responses":
            return responses_decoder(ERROR_FACTORY)
        case "bedrock":
            return bedrock_decoder(ERROR_FACTORY, prefix)
        case _:
            raise AssertionError(dialect)


BODY_PARSERS: dict[str, AnswerFold] = {
    "openai-chat": lambda body: parse_chat_body(body, DialectProfile(), ERROR_FACTORY),
    "anthropic": lambda body: parse_anthropic_body(body, ERROR_FACTORY),
    "gemini": lambda body: parse_gemini_body(body, ERROR_FACTORY),
    "ollama": lambda body: parse_ollama_body(body, ERROR_FACTORY),
    "openai-responses": lambda body: parse_responses_body(body, ERROR_FACTORY),
    "bedrock": lambda body: parse_bedrock_body(body, ERROR_FACTORY),
}


def recorded() -> list[Recorded]:
    """Every fixture of a dialect."""
    found = []
    for path in sorted(ROOT.glob("*/*.expected.json")):
        expected = json.loads(path.read_text(encoding="utf-8"))
        name = path.name.removesuffix(".expected.json")
        body = next(p for p in path.parent.glob(f"{name}.*") if p != path)
        is_body = body.suffix == ".json" and not expected.get("streamed")
        found.append(Recorded(path.parent.name, name, body.read_bytes(), expected, is_body))
    return found


def decoded(decoder: Decoder, chunks: Iterable[bytes]) -> dict[str, Any]:
    """The events that a decoder makes of chunks, used as by a provider."""
    events: list[UpstreamEvent] = []
    for chunk in chunks:
        events += decoder.feed(chunk)
        if decoder.failure is not None or decoder.done:
            break
    try:
        events += decoder.finish()
    except GranthaError as error:
        events += decoder.feed(b"")
        return plain(events, error)
    return plain(events)


def plain(events: list[UpstreamEvent], error: GranthaError | None = None) -> dict[str, Any]:
    """Events in the form of the fixtures."""
    body: dict[str, Any] = {"events": []}
    calls: dict[int, dict[str, Any]] = {}
    for event in events:
        assert_whole(event)
        match event:
            case Accepted(model=model):
                body |= {"accepted": model} if model is not None else {}
            case Text() | Reasoning():
                _join(body["events"], event)
            case ToolCall():
                _call(body["events"], calls, event)
            case Cited(url=url, title=title, quoted=quoted):
                found = {"cite": url, "title": title, "quoted": quoted}
                body["events"].append(
                    {k: v for k, v in found.items() if v is not None or k == "cite"}
                )
            case ProviderNotice(code=code, details=details):
                body["events"].append({"notice": code, **details})
            case UsageSeen(usage=usage):
                body["usage"] = usage.to_json()
            case Finished(reason=reason, native=native, stop_sequence=stop_sequence):
                body["finish"], body["native"] = reason, native
                body |= {"stop_sequence": stop_sequence} if stop_sequence is not None else {}
    if error is not None:
        body["failure"] = error.code
    return body


def unmarked(signature: str) -> str:
    """As the vendor sent it: every decoder has to say whose it is."""
    assert MARK in signature
    return signature.replace(MARK, "", 1)


def assert_whole(event: UpstreamEvent) -> None:
    """No half of a surrogate pair may be anywhere in an event."""
    str(event).encode("utf-8")


def refused(status: int, body: bytes) -> dict[str, Any]:
    """What becomes of an error's body."""
    report = parse_error_report(loads(body))
    assert report is not None
    error = ERROR_FACTORY.from_report(report, status)
    text = [Text(report.failed_generation)] if report.failed_generation else []
    return plain([*text], error)


def matches(expected: dict[str, Any], actual: dict[str, Any]) -> bool:
    """Whether they are equal; `*` as an id matches any generated one."""
    wanted = {
        k: v for k, v in expected.items() if k not in {"about", "decoder", "status", "streamed"}
    }
    events = [
        {**got, "id": "*"} if want.get("id") == "*" and got.get("id") else got
        for want, got in zip(wanted["events"], actual["events"], strict=False)
    ] + actual["events"][len(wanted["events"]) :]
    return wanted == {**actual, "events": events}


def _join(found: list[dict[str, Any]], event: Text | Reasoning) -> None:
    key = "text" if isinstance(event, Text) else "reasoning"
    last = found[-1] if found else {}
    extra: dict[str, Any] = {}
    if isinstance(event, Text) and event.logprobs:
        extra["logprobs"] = list(event.logprobs)
    if isinstance(event, Reasoning) and event.signature:
        extra["signature"] = unmarked(event.signature)
    if key in last and "signature" not in last and not (extra and "logprobs" in last):
        last[key] += event.text
        last.update(extra)
    else:
        found.append({key: event.text, **extra})


def _beside_text(event: Cited | ProviderNotice) -> dict[str, Any]:
    if isinstance(event, ProviderNotice):
        return {"notice": event.code, **event.details}
    found = {"cite": event.url, "title": event.title, "quoted": event.quoted}
    return {k: v for k, v in found.items() if v is not None or k == "cite"}


def _call(found: list[dict[str, Any]], calls: dict[int, dict[str, Any]], event: ToolCall) -> None:
    call = calls.get(event.index)
    if call is None:
        call = calls[event.index] = {"tool": None, "id": None, "arguments": ""}
        found.append(call)
    call["tool"] = call["tool"] or event.name
    call["id"] = call["id"] or event.call_id
    call["arguments"] += event.arguments
    if event.signature:
        call["signature"] = unmarked(event.signature)
