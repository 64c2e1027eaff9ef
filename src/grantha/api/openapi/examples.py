"""One example for each body and reply of the API, by the name of its schema, for the description.

The tests hold them against the schemas; people copy them.
"""

from __future__ import annotations

from grantha.chat import JsonDict

_AT = "2026-03-01T12:00:00.000Z"
_USAGE: JsonDict = {"input_tokens": 4, "output_tokens": 12}
_END: JsonDict = {
    "ending": "done",
    "finish_reason": "stop",
    "native_finish_reason": "stop",
    "usage": _USAGE,
    "timings": {
        "first_text_ms": 180.2,
        "duration_ms": 790.5,
        "deltas": 12,
        "deltas_s": 18.0,
        "tok_s": 19.7,
    },
    "text_length": 13,
    "sha256": "315f5bdb76d078c43b8ac0064e4a0164612b1fce77c869345bfc94c75894edd3",
}
_LINE: JsonDict = {
    "id": "c_01m7zq4f3w9kxt5rbn2dh6",
    "title": "A greeting",
    "pinned": False,
    "origin": "page",
    "created_at": _AT,
    "updated_at": _AT,
    "status": "done",
    "generation": "g_01m7zq4f5a8cgk3tvw7yhp",
    "snippet": None,
}
_QUESTION: JsonDict = {
    "id": "m_01m7zq4f4t2s9hxe6bq1rd",
    "parent": None,
    "role": "user",
    "parts": [{"type": "text", "text": "Hello"}],
    "created_at": _AT,
    "model": None,
    "generation": None,
    "status": None,
    "end": None,
    "seams": [],
    "citations": [],
}
_ANSWER: JsonDict = {
    **_QUESTION,
    "id": "m_01m7zq4f4z6v3nkw8pc5ja",
    "parent": _QUESTION["id"],
    "role": "assistant",
    "parts": [{"type": "text", "text": "Hello, world!"}],
    "model": "local/default",
    "generation": _LINE["generation"],
    "status": "done",
    "end": _END,
}
_CONVERSATION: JsonDict = {
    **_LINE,
    "system_prompt": "",
    "options": {"temperature": 0.7},
    "model": None,
    "leaf": _ANSWER["id"],
    "messages": [_QUESTION, _ANSWER],
}
_GENERATION: JsonDict = {
    "id": _LINE["generation"],
    "conversation": _LINE["id"],
    "message": _ANSWER["id"],
    "parent": _QUESTION["id"],
    "status": "done",
    "model": "local/default",
    "options": {"temperature": 0.7},
    "last_id": "1-9",
    "text": "Hello, world!",
    "parts": _ANSWER["parts"],
    "seams": [],
    "citations": [],
    "usage": _USAGE,
    "timings": _END["timings"],
    "error": None,
    "created_at": _AT,
    "end": _END,
}
_HIT: JsonDict = {
    "conversation": _LINE["id"],
    "title": "A greeting",
    "origin": "page",
    "created_at": _AT,
    "message": _ANSWER["id"],
    "role": "assistant",
    "model": "local/default",
    "snippet": "Hello, \x02world\x03!",
}
_READY: JsonDict = {"state": "ready"}
_DOWNLOAD: JsonDict = {
    "state": "running",
    "name": "qwen3.5-4b",
    "title": "Qwen3.5 4B",
    "host": "models.example",
    "received": 812_646_400,
    "total": 2_740_937_888,
    "speed": 11_534_336.0,
    "error": None,
    "model": None,
}
_NUMBERS: JsonDict = {
    "generations": 12,
    "errors": 1,
    "stopped": 2,
    "output_tokens": 4211,
    "cost_usd": 0.0312,
    "first_text_p50_ms": 240.0,
    "first_text_p95_ms": 910.5,
    "tok_s_p50": 48.3,
}
_MESSAGES: JsonDict = {"messages": [{"role": "user", "content": "Tell me a joke"}]}

EXAMPLES: dict[str, JsonDict] = {
    # bodies
    "SimpleChatBody": {
        **_MESSAGES,
        "model": "local/default",
        "temperature": 0.7,
        "max_tokens": 200,
    },
    "ConversationBody": {"title": "A greeting", "pinned": True, "options": {"temperature": 0.7}},
    "GenerationBody": {"text": "Hello", "model": "local/default", "options": {"temperature": 0.7}},
    "ChangeBody": {"temperature": 1.2},
    "ContinueBody": {"options": {"max_tokens": 500}},
    "DownloadBody": {"name": "qwen3.5-4b"},
    "LoginBody": {"token": "the server's access token"},
    # replies
    "Problem": {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "There is no conversation 'c_unknown'.",
        "code": "not_found",
        "fault": "caller",
        "retryable": False,
    },
    "ConversationList": {"items": [_LINE], "next_cursor": None},
    "SearchReply": {"items": [_HIT], "next_cursor": None},
    "ConversationReply": _CONVERSATION,
    "GenerationReply": _GENERATION,
    "StartedReply": {
        **_GENERATION,
        "status": "running",
        "last_id": "1-0",
        "text": "",
        "parts": [],
        "usage": None,
        "timings": None,
        "end": None,
    },
    "RunningAnswersReply": {
        "items": [
            {
                "id": _LINE["generation"],
                "conversation": _LINE["id"],
                "title": _LINE["title"],
                "origin": "page",
                "message": _ANSWER["id"],
                "model": "local/default",
                "created_at": _AT,
            }
        ]
    },
    "FramesReply": {
        "frames": [
            {"id": "1-4", "kind": "text-delta", "part": 0, "text": "Hello, ", "at": 1772366400123},
            {"id": "1-5", "kind": "text-delta", "part": 0, "text": "world!", "at": 1772366400171},
        ],
        "last_id": "1-5",
        "status": "running",
        "at": 1772366400180,
    },
    "StopReply": {
        "generation": _LINE["generation"],
        "status": "stopped",
        "stopped": True,
        "closed_ms": 1.4,
        "confirmed": True,
        "deltas": 7,
    },
    "ChangeReply": {
        "applied": True,
        "mode": "prefix",
        "model": "local/default",
        "options": {"temperature": 1.2},
    },
    "ModelList": {
        "default": "local/default",
        "items": [
            {
                "id": "local/default",
                "name": "Built-in model",
                "provider": "local",
                "capabilities": {"context_length": 2048, "prefix": True, "images": False},
                "readiness": _READY,
            }
        ],
    },
    "LocalModelList": {
        "items": [
            {
                "name": "qwen3.5-4b",
                "title": "Qwen3.5 4B",
                "description": "The best answers for its size; many languages, tools, reasoning.",
                "license": "Apache-2.0",
                "source": "unsloth/Qwen3.5-4B-GGUF",
                "size": 2_740_937_888,
                "memory": 8_000_000_000,
                "partial": 812_646_400,
                "model": None,
            }
        ],
        "installed": [
            {
                "model": "local/qwen3-0.6b-q8_0",
                "name": "qwen3-0.6b",
                "title": "Qwen3 0.6B",
                "file": "Qwen3-0.6B-Q8_0.gguf",
                "size": 639_446_688,
                "origin": "data-folder",
            }
        ],
        "download": _DOWNLOAD,
        "free": 64_000_000_000,
        "memory": 16_000_000_000,
        "engine": True,
    },
    "DownloadReply": _DOWNLOAD,
    "ProviderList": {
        "items": [
            {
                "name": "openai",
                "title": "OpenAI",
                "dialect": "openai-chat",
                "readiness": {"state": "missing-key", "variable": "OPENAI_API_KEY"},
            }
        ]
    },
    "CheckReply": {
        "ok": True,
        "model": "local/default",
        "ttft_ms": 84.1,
        "error": None,
        "advice": None,
    },
    "DocumentTextReply": {
        "type": "file",
        "name": "minutes.pdf",
        "media_type": "application/pdf",
        "text": "[Page 1]\n\nMinutes of the meeting of 12 March",
        "pages": 1,
        "truncated": False,
    },
    "ImportReply": {
        "imported": 1,
        "conversations": [_LINE["id"]],
        "left_out": {"images": 1, "files": 0, "tool_calls": 2, "other": 0},
    },
    "SummaryReply": {
        "totals": _NUMBERS,
        "by_model": [{"model": "local/default", **_NUMBERS}],
        "by_day": [{"day": "2026-03-01", **_NUMBERS}],
    },
    "InspectionReply": {
        "generation": _GENERATION,
        "timings": _END["timings"],
        "segments": [
            {
                "offset": 0,
                "model": "local/default",
                "options": {"temperature": 0.7},
                "reason": None,
                "mode": None,
                "start_ms": 0,
                "end_ms": 790,
                "text_length": 13,
            }
        ],
        "trace": [[0, "open", 0, 1], [180, "text-delta", 7, 1], [610, "text-delta", 6, 1]],
        "bytes": {"text": 13, "stored": 402},
        "attempts": 1,
    },
    "HealthReply": {"status": "ok"},
    "ReadyReply": {
        "status": "ready",
        "durability": "FULL",
        "storage": {
            "ok": True,
            "version": "SQLite 3.51.3",
            "error": None,
            "folder": "/var/lib/grantha",
            "free": 64_000_000_000,
        },
        "sqlite": "3.51.3",
        "running": 0,
        "flush_window_ms": 40.0,
        "version": "0.1.0",
        "requires_token": False,
    },
    "SimpleChatReply": {
        "content": "Hello, world!",
        "role": "assistant",
        "model": "default",
        "provider": "local",
        "usage": _USAGE,
        "finish_reason": "stop",
        "ending": "done",
        "generation": _LINE["generation"],
    },
}
