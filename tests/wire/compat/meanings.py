"""Reads each view's bytes as a client would: checks the order it may rely on, and returns the meaning.

Two streams mean the same when these values are equal. Every reader here is stricter than the vendor's.
"""

from __future__ import annotations

import json
from typing import Any

from grantha.chat import JsonObject

Json = dict[str, Any]


def blocks(raw: bytes) -> list[Json]:
    """SSE blocks as {"event", "id", "data"}; the data decoded, save for `[DONE]`."""
    text = raw.decode()
    assert not text or text.endswith("\n\n"), text[-40:]
    found = []
    for block in text.split("\n\n")[:-1]:
        fields: Json = {"event": None, "id": None}
        for line in block.split("\n"):
            name, colon, value = line.partition(": ")
            assert colon, line
            assert name in {"id", "event", "data"}, line
            fields[name] = value
        data = fields["data"]
        fields["data"] = data if data == "[DONE]" else json.loads(data)
        found.append(fields)
    return found


def of_chat(raw: bytes) -> Json:
    """OpenAI Chat Completions."""
    *body, last = [block["data"] for block in blocks(raw)]
    assert last == "[DONE]"
    meaning: Json = {
        "text": "", "thoughts": "", "calls": [], "logprobs": [], "sources": [], "finish": None,
        "usage": None, "error": None,
    }  # fmt: skip
    chunks = [chunk for chunk in body if "error" not in chunk]
    for chunk in chunks:
        assert chunk["object"] == "chat.completion.chunk"
        assert len({c["id"] for c in chunks}) == 1
        if not chunk["choices"]:
            meaning["usage"] = chunk["usage"]
            continue
        assert meaning["finish"] is None, "nothing follows the reason"
        (choice,) = chunk["choices"]
        _chat_choice(choice, meaning, first=chunk is chunks[0])
    if errors := [chunk["error"] for chunk in body if "error" in chunk]:
        (meaning["error"],) = errors
        assert "error" in body[-1]
    return meaning


def _chat_choice(choice: Json, meaning: Json, first: bool) -> None:
    delta = choice["delta"]
    assert ("role" in delta) is first
    meaning["text"] += delta.get("content") or ""
    meaning["thoughts"] += delta.get("reasoning_content") or ""
    meaning["sources"] += delta.get("annotations") or []
    meaning["logprobs"] += (choice["logprobs"] or {}).get("content", [])
    for call in delta.get("tool_calls", []):
        if "id" in call:
            assert call["index"] == len(meaning["calls"])
            meaning["calls"].append([call["id"], call["function"]["name"], ""])
        meaning["calls"][call["index"]][2] += call["function"]["arguments"]
    meaning["finish"] = choice["finish_reason"]


def of_chat_reply(reply: JsonObject) -> Json:
    """The same of a reply that wasn't streamed."""
    (choice,) = reply["choices"]
    message = choice["message"]
    calls = [
        [call["id"], call["function"]["name"], call["function"]["arguments"]]
        for call in message.get("tool_calls", [])
    ]
    return {
        "text": message["content"] or "",
        "thoughts": message.get("reasoning_content", ""),
        "calls": calls,
        "logprobs": (choice["logprobs"] or {}).get("content", []),
        "sources": message["annotations"],
        "finish": choice["finish_reason"],
        "usage": reply["usage"],
        "error": None,
    }


def of_messages(raw: bytes) -> Json:
    """Anthropic Messages."""
    found = blocks(raw)
    for block in found:
        assert block["event"] == block["data"]["type"]
    events = [block["data"] for block in found]
    assert [e["type"] for e in events[:2]] == ["message_start", "ping"]
    content: list[Json] = []
    opened: set[int] = set()
    for event in events[2:]:
        kind = event["type"]
        if kind == "content_block_start":
            assert event["index"] == len(content), "blocks are numbered densely"
            assert not opened, "a block begins once the one before it has ended"
            content.append(dict(event["content_block"]))
            if content[-1]["type"] == "tool_use":
                content[-1]["input"] = ""
            opened.add(event["index"])
        elif kind == "content_block_delta":
            assert event["index"] in opened
            _messages_delta(content[event["index"]], event["delta"])
        elif kind == "content_block_stop":
            opened.remove(event["index"])
    assert not opened, "every block is closed"
    if events[-1]["type"] == "error":
        return {"content": content, "error": events[-1]["error"]}
    assert [e["type"] for e in events[-2:]] == ["message_delta", "message_stop"]
    stop = events[-2]["delta"]["stop_reason"]
    return {"content": content, "stop": stop, "usage": events[-2]["usage"]}


def _messages_delta(block: Json, delta: Json) -> None:
    match delta["type"]:
        case "text_delta":
            block["text"] += delta["text"]
        case "thinking_delta":
            block["thinking"] += delta["thinking"]
        case "signature_delta":
            block["signature"] = delta["signature"]
        case "input_json_delta":
            block["input"] += delta["partial_json"]
        case "citations_delta":
            block.setdefault("citations", []).append(delta["citation"])
        case other:
            raise AssertionError(other)


def of_messages_reply(reply: JsonObject) -> Json:
    """The same of a reply that wasn't streamed."""
    content = [{k: v for k, v in block.items() if v is not None} for block in reply["content"]]
    return {"content": content, "stop": reply["stop_reason"], "usage": reply["usage"]}


DELTAS = {
    "response.output_text.delta",
    "response.reasoning_summary_text.delta",
    "response.function_call_arguments.delta",
}


def of_responses(raw: bytes) -> Json:
    """OpenAI Responses: the events that aren't deltas, and the sum of the deltas."""
    events = [block["data"] for block in blocks(raw)]
    numbers = [event["sequence_number"] for event in events]
    assert numbers == sorted(set(numbers)), "they only grow"
    for block, event in zip(blocks(raw), events, strict=True):
        assert block["event"] == event["type"]
    texts: dict[str, str] = {}
    probable: dict[str, list[Json]] = {}
    others = []
    for event in events:
        if event["type"] in DELTAS:
            key = f"{event['type']}:{event['item_id']}"
            texts[key] = texts.get(key, "") + event["delta"]
            probable.setdefault(key, []).extend(event.get("logprobs", []))
        else:
            others.append(event)
    return {"texts": texts, "logprobs": probable, "others": others}


def of_ui(raw: bytes) -> Json:
    """AI SDK UI message chunks."""
    *chunks, last = [block["data"] for block in blocks(raw)]
    assert last == "[DONE]"
    assert [chunk["type"] for chunk in chunks[:2]] == ["start", "start-step"]
    texts: dict[str, str] = {}
    others = []
    opened: set[str] = set()
    for chunk in chunks:
        kind = chunk["type"]
        key = chunk.get("id") or chunk.get("toolCallId") or ""
        if kind in {"text-start", "reasoning-start", "tool-input-start"}:
            opened.add(key)
        if kind in {"text-delta", "reasoning-delta", "tool-input-delta"}:
            assert key in opened, chunk
            texts[key] = texts.get(key, "") + chunk.get("delta", chunk.get("inputTextDelta"))
        else:
            others.append(chunk)
        if kind in {"text-end", "reasoning-end", "tool-input-available", "tool-input-error"}:
            opened.remove(key)
    assert not opened
    assert chunks[-1]["type"] in {"finish", "abort", "error"}
    return {"texts": texts, "others": others}


def of_gemini(raw: bytes) -> Json:
    """Google's events."""
    *blocks, end = raw.decode().split("\r\n\r\n")
    assert end == ""
    chunks = [json.loads(block.removeprefix("data: ")) for block in blocks]
    return _gemini_chunks(chunks)


def of_gemini_array(raw: bytes) -> Json:
    """The same as one array."""
    return _gemini_chunks(json.loads(raw))


def _gemini_chunks(chunks: list[Json]) -> Json:
    meaning: Json = {"text": "", "thoughts": "", "signatures": [], "calls": [], "error": None}
    for chunk in chunks:
        assert "finishReason" not in meaning, "nothing follows the reason"
        assert meaning["error"] is None
        if "error" in chunk:
            meaning["error"] = chunk["error"]
            continue
        (candidate,) = chunk["candidates"]
        assert (candidate["index"], candidate["content"]["role"]) == (0, "model")
        for part in candidate["content"]["parts"]:
            if "thoughtSignature" in part:
                meaning["signatures"].append(part["thoughtSignature"])
            if "functionCall" in part:
                meaning["calls"].append(part["functionCall"])
            else:
                meaning["thoughts" if part.get("thought") else "text"] += part["text"]
        meaning |= {k: v for k, v in candidate.items() if k not in {"index", "content"}}
        meaning |= {k: v for k, v in chunk.items() if k != "candidates"}
    return meaning


def of_gemini_reply(reply: JsonObject) -> Json:
    """The same of a reply that wasn't streamed."""
    return _gemini_chunks([dict(reply)])


def of_ollama(raw: bytes) -> Json:
    """Ollama's lines."""
    lines = [json.loads(line) for line in raw.decode().split("\n")[:-1]]
    meaning: Json = {"text": "", "thoughts": "", "calls": [], "logprobs": []}
    meaning["error"] = lines[-1].get("error")
    for line in lines:
        if "error" in line:
            continue
        message = line["message"]
        meaning["text"] += message["content"]
        meaning["thoughts"] += message.get("thinking", "")
        meaning["calls"] += message.get("tool_calls", [])
        meaning["logprobs"] += line.get("logprobs", [])
    assert [line.get("done") for line in lines[:-1]] == [False] * (len(lines) - 1)
    if meaning["error"] is None:
        assert lines[-1]["done"] is True
        meaning |= {k: v for k, v in lines[-1].items() if k != "message"}
    return meaning


def of_ollama_reply(reply: JsonObject) -> Json:
    """The same of a reply that wasn't streamed."""
    message = reply["message"]
    return {
        "text": message["content"],
        "thoughts": message.get("thinking", ""),
        "calls": message.get("tool_calls", []),
        "logprobs": [],
        "error": None,
        **{k: v for k, v in reply.items() if k != "message"},
    }
