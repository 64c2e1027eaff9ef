"""One example for each body and reply of the compatible APIs, by the name of its schema.

The tests send the bodies to a server, and hold all of them against the schemas; people copy them.
"""

from __future__ import annotations

from typing import Any

from grantha.chat import JsonDict

_CREATED = 1_772_366_400
_MODEL = "local/default"
_QUESTION: list[JsonDict] = [{"role": "user", "content": "Hello"}]
_GENERATION = "g_01m7zq4f5a8cgk3tvw7yhp"
_CONVERSATION = "conv_c_01m7zq4f3w9kxt5"
_ITEM: JsonDict = {
    "type": "message",
    "id": "item_m_01m7zq4f4t2s9hxe6bq1rd_0",
    "status": "completed",
    "role": "user",
    "content": [{"type": "input_text", "text": "Hello"}],
}
_TEXT = "Hello, world!"
_TIME = "2026-03-01T12:00:00Z"
_WEATHER_PARAMETERS: JsonDict = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
}
_WEATHER_TOOL: JsonDict = {"name": "get_weather", "description": "The weather of a city"}
_DETAILS: JsonDict = {
    "family": "local",
    "families": ["local"],
    "format": "",
    "parameter_size": "",
    "quantization_level": "",
}
_FINAL_COUNTS: JsonDict = {
    "done": True,
    "done_reason": "stop",
    "total_duration": 790_500_000,
    "prompt_eval_count": 4,
    "eval_count": 12,
}

EXAMPLES: dict[str, Any] = {
    "ChatRequest": {
        "model": _MODEL,
        "messages": [{"role": "system", "content": "Be brief."}, *_QUESTION],
        "temperature": 0.7,
        "max_completion_tokens": 200,
        "tools": [
            {"type": "function", "function": {**_WEATHER_TOOL, "parameters": _WEATHER_PARAMETERS}}
        ],
    },
    "ChatReply": {
        "id": f"chatcmpl-{_GENERATION}",
        "object": "chat.completion",
        "created": _CREATED,
        "model": _MODEL,
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": _TEXT,
                    "refusal": None,
                    "annotations": [],
                },
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 4,
            "completion_tokens": 12,
            "total_tokens": 16,
            "prompt_tokens_details": {"cached_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0},
        },
    },
    "ChatChunk": {
        "id": f"chatcmpl-{_GENERATION}",
        "object": "chat.completion.chunk",
        "created": _CREATED,
        "model": _MODEL,
        "choices": [
            {"index": 0, "delta": {"content": "Hello"}, "logprobs": None, "finish_reason": None}
        ],
    },
    "OpenAiError": {
        "error": {
            "message": "'n' must be 1: send several requests for several answers.",
            "type": "invalid_request_error",
            "param": None,
            "code": "bad_request",
        }
    },
    "OpenAiModels": {
        "object": "list",
        "data": [{"id": _MODEL, "object": "model", "created": _CREATED, "owned_by": "local"}],
    },
    "OpenAiModel": {"id": _MODEL, "object": "model", "created": _CREATED, "owned_by": "local"},
    "CompletionRequest": {
        "model": _MODEL,
        "prompt": "Say hello.",
        "temperature": 0.7,
        "max_tokens": 200,
    },
    "CompletionReply": {
        "id": f"cmpl-{_GENERATION}",
        "object": "text_completion",
        "created": _CREATED,
        "model": _MODEL,
        "choices": [{"index": 0, "text": _TEXT, "logprobs": None, "finish_reason": "stop"}],
        "usage": {
            "prompt_tokens": 4,
            "completion_tokens": 12,
            "total_tokens": 16,
            "prompt_tokens_details": {"cached_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0},
        },
    },
    "EmbeddingRequest": {"model": "openai/text-embedding-3-small", "input": ["Hello", "Goodbye"]},
    "EmbeddingReply": {
        "object": "list",
        "data": [
            {"object": "embedding", "index": 0, "embedding": [0.5, -0.25, 0.125]},
            {"object": "embedding", "index": 1, "embedding": [0.5, 0.25, -0.125]},
        ],
        "model": "openai/text-embedding-3-small",
        "usage": {"prompt_tokens": 3, "total_tokens": 3},
    },
    "ResponseRequest": {
        "model": _MODEL,
        "instructions": "Be brief.",
        "input": "Hello",
        "temperature": 0.7,
        "background": True,
        "tools": [{"type": "function", **_WEATHER_TOOL, "parameters": _WEATHER_PARAMETERS}],
    },
    "ResponseReply": {
        "id": f"resp_{_GENERATION}",
        "object": "response",
        "created_at": _CREATED,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "instructions": "Be brief.",
        "metadata": {},
        "model": _MODEL,
        "output": [
            {
                "type": "message",
                "id": f"item_{_GENERATION}_0",
                "status": "completed",
                "role": "assistant",
                "content": [
                    {"type": "output_text", "text": _TEXT, "annotations": [], "logprobs": []}
                ],
            }
        ],
        "parallel_tool_calls": True,
        "temperature": 0.7,
        "tool_choice": "auto",
        "tools": [],
        "top_p": None,
        "usage": {
            "input_tokens": 4,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": 12,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 16,
        },
    },
    "ResponseEvent": {
        "type": "response.output_text.delta",
        "sequence_number": 192,
        "item_id": f"item_{_GENERATION}_0",
        "output_index": 0,
        "content_index": 0,
        "delta": "Hello",
        "logprobs": [],
    },
    "ResponseDeleted": {"id": f"resp_{_GENERATION}", "object": "response", "deleted": True},
    "ResponseItems": {
        "object": "list",
        "data": [_ITEM],
        "first_id": "item_m_01m7zq4f4t2s9hxe6bq1rd_0",
        "last_id": "item_m_01m7zq4f4t2s9hxe6bq1rd_0",
        "has_more": False,
    },
    "ConversationRequest": {
        "metadata": {"topic": "greetings"},
        "items": [{"type": "message", "role": "user", "content": "Hello"}],
    },
    "ConversationUpdateRequest": {"metadata": {"topic": "greetings"}},
    "ConversationItemsRequest": {
        "items": [{"type": "message", "role": "user", "content": "Hello"}]
    },
    "OpenAiConversation": {
        "id": _CONVERSATION,
        "object": "conversation",
        "created_at": _CREATED,
        "metadata": {"topic": "greetings"},
    },
    "ConversationDeleted": {"id": _CONVERSATION, "object": "conversation.deleted", "deleted": True},
    "ResponseItem": _ITEM,
    "CompactionRequest": {"model": _MODEL, "input": "Hello"},
    "CompactionReply": {
        "id": f"resp_{_GENERATION}",
        "object": "response.compaction",
        "created_at": _CREATED,
        "output": [
            _ITEM,
            {
                "type": "compaction",
                "id": f"cmp_{_GENERATION}",
                "encrypted_content": "grantha:VGhlIHVzZXIgc2FpZCBoZWxsby4=",
            },
        ],
        "usage": {
            "input_tokens": 24,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": 6,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 30,
        },
    },
    "ResponseTokens": {"object": "response.input_tokens", "input_tokens": 24},
    "MessagesRequest": {
        "model": _MODEL,
        "max_tokens": 200,
        "system": "Be brief.",
        "messages": _QUESTION,
        "tools": [{**_WEATHER_TOOL, "input_schema": _WEATHER_PARAMETERS}],
    },
    "MessagesReply": {
        "id": f"msg_{_GENERATION}",
        "type": "message",
        "role": "assistant",
        "model": _MODEL,
        "content": [{"type": "text", "text": _TEXT}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 4,
            "output_tokens": 12,
            "cache_read_input_tokens": None,
            "cache_creation_input_tokens": None,
        },
    },
    "MessagesEvent": {
        "type": "content_block_delta",
        "index": 0,
        "delta": {"type": "text_delta", "text": "Hello"},
    },
    "AnthropicError": {
        "type": "error",
        "error": {"type": "invalid_request_error", "message": "'max_tokens' is missing."},
    },
    "CountRequest": {"model": _MODEL, "system": "Be brief.", "messages": _QUESTION},
    "CountReply": {"input_tokens": 24},
    "AnthropicModels": {
        "data": [
            {
                "type": "model",
                "id": _MODEL,
                "display_name": _MODEL,
                "created_at": "2026-03-01T00:00:00+00:00",
            }
        ],
        "has_more": False,
        "first_id": _MODEL,
        "last_id": _MODEL,
    },
    "AnthropicModel": {
        "type": "model",
        "id": _MODEL,
        "display_name": _MODEL,
        "created_at": "2026-03-01T00:00:00+00:00",
    },
    "OllamaChatRequest": {
        "model": _MODEL,
        "messages": _QUESTION,
        "options": {"temperature": 0.7, "num_predict": 200},
        "stream": False,
    },
    "OllamaChatReply": {
        "model": _MODEL,
        "created_at": _TIME,
        "message": {"role": "assistant", "content": _TEXT},
        **_FINAL_COUNTS,
    },
    "OllamaGenerateRequest": {"model": _MODEL, "prompt": "Hello", "stream": False},
    "OllamaGenerateReply": {
        "model": _MODEL,
        "created_at": _TIME,
        "response": _TEXT,
        **_FINAL_COUNTS,
    },
    "OllamaError": {"error": "'messages' holds nothing to answer. Send at least one user message."},
    "OllamaModels": {
        "models": [
            {
                "name": _MODEL,
                "model": _MODEL,
                "modified_at": "2026-03-01T00:00:00Z",
                "size": 0,
                "digest": "",
                "details": _DETAILS,
            }
        ]
    },
    "GeminiRequest": {
        "contents": [{"role": "user", "parts": [{"text": "Hello"}]}],
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "generationConfig": {"temperature": 0.7, "maxOutputTokens": 200},
        "tools": [
            {
                "functionDeclarations": [
                    {**_WEATHER_TOOL, "parametersJsonSchema": _WEATHER_PARAMETERS}
                ]
            }
        ],
    },
    "GeminiReply": {
        "candidates": [
            {
                "index": 0,
                "content": {"role": "model", "parts": [{"text": _TEXT}]},
                "finishReason": "STOP",
            }
        ],
        "modelVersion": _MODEL,
        "responseId": _GENERATION,
        "usageMetadata": {
            "promptTokenCount": 4,
            "candidatesTokenCount": 12,
            "totalTokenCount": 16,
        },
    },
    "GeminiArray": [
        {
            "candidates": [
                {
                    "index": 0,
                    "content": {"role": "model", "parts": [{"text": _TEXT}]},
                    "finishReason": "STOP",
                }
            ],
            "modelVersion": _MODEL,
            "responseId": _GENERATION,
        }
    ],
    "GeminiError": {
        "error": {
            "code": 400,
            "message": "'candidateCount' must be 1: send several requests for several answers.",
            "status": "INVALID_ARGUMENT",
        }
    },
    "GeminiCountRequest": {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]},
    "GeminiTokens": {"totalTokens": 4},
    "GeminiEmbeddingRequest": {"content": {"parts": [{"text": "Hello"}]}},
    "GeminiEmbedding": {"embedding": {"values": [0.5, -0.25, 0.125]}},
    "GeminiEmbeddingsRequest": {"requests": [{"content": {"parts": [{"text": "Hello"}]}}]},
    "GeminiEmbeddings": {"embeddings": [{"values": [0.5, -0.25, 0.125]}]},
    "GeminiModel": {
        "name": f"models/{_MODEL}",
        "displayName": _MODEL,
        "supportedGenerationMethods": ["generateContent", "countTokens"],
    },
    "GeminiModels": {
        "models": [
            {
                "name": f"models/{_MODEL}",
                "displayName": _MODEL,
                "supportedGenerationMethods": ["generateContent", "countTokens"],
            }
        ]
    },
    "OllamaEmbedRequest": {"model": "ollama/embeddinggemma", "input": ["Hello", "Goodbye"]},
    "OllamaEmbedReply": {
        "model": "ollama/embeddinggemma",
        "embeddings": [[0.5, -0.25, 0.125], [0.5, 0.25, -0.125]],
        "total_duration": 14_143_917,
        "prompt_eval_count": 3,
    },
    "OllamaEmbeddingRequest": {"model": "ollama/embeddinggemma", "prompt": "Hello"},
    "OllamaEmbeddingReply": {"embedding": [0.5, -0.25, 0.125]},
    "OllamaRunningModels": {
        "models": [
            {
                "name": _MODEL,
                "model": _MODEL,
                "size": 88_000_000,
                "digest": "",
                "details": _DETAILS,
                "expires_at": _TIME,
                "size_vram": 0,
                "context_length": 2048,
            }
        ]
    },
    "OllamaShowRequest": {"model": _MODEL},
    "OllamaShowReply": {
        "modelfile": "",
        "parameters": "",
        "template": "",
        "details": _DETAILS,
        "model_info": {
            "general.architecture": "local",
            "general.basename": _MODEL,
            "local.context_length": 2048,
        },
        "capabilities": ["completion"],
    },
    "OllamaVersion": {"version": "0.12.0", "grantha": "0.1.0"},
    "UiRequest": {
        "id": "a-chat",
        "messages": [
            {"id": "1", "role": "user", "parts": [{"type": "text", "text": "Hello"}]},
        ],
        "model": _MODEL,
        "temperature": 0.7,
    },
    "UiChunk": {"type": "text-delta", "id": "0", "delta": "Hello"},
    "UiError": {"error": "There is no model 'nobody'.", "code": "unknown_model"},
}
