"""Every known host as a row of data. A new host that speaks a known dialect is one more row,
nothing else.

A row names the variables that vendors' own clients read, so that what is set for them works here
too. `grantha.toml` adds rows and changes them (`[providers.NAME]`), `GRANTHA_<PROVIDER>_BASE_URL`
moves one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from grantha.wire.upstream.openai_chat_profile import DEFAULT_PROFILE, DialectProfile

Dialect = Literal[
    "openai-chat", "openai-responses", "anthropic", "gemini", "ollama", "bedrock", "vertex", "azure"
]
DIALECTS: tuple[Dialect, ...] = (
    "openai-chat",
    "openai-responses",
    "anthropic",
    "gemini",
    "ollama",
    "bedrock",
    "vertex",
    "azure",
)


@dataclass(frozen=True, slots=True)
class Host:
    """One row. `base_url` empty: it must be configured, else the provider is off.

    `key_variables` and `url_variables` are environment variables, tried in this order; `keyless` hosts
    work without a key. `default_facts` are assumed of a model about which nothing else is known.
    `price_vendor` is the vendor's name in the price list; `model_prefixes` are what the names of the
    vendor's own models start with.
    """

    name: str
    title: str
    dialect: Dialect
    base_url: str = ""
    key_variables: tuple[str, ...] = ()
    url_variables: tuple[str, ...] = ()
    key_page: str = ""
    keyless: bool = False
    profile: DialectProfile = DEFAULT_PROFILE
    default_facts: Mapping[str, Any] = field(default_factory=dict)
    default_model: str | None = None
    price_vendor: str | None = None
    model_prefixes: tuple[str, ...] = ()
    list_path: str | None = "models"
    prefix_path: str | None = None  # where calls with a prefix go, if that is another place
    usual_port: int | None = None  # where it is looked for on this machine while no base URL is set
    owner: str | None = None  # whom its list names as the models' owner, which tells it from others
    credentials: str = ""  # what works besides a key, as the documentation names it


_TOOLS_FACTS = {"tools": True}
_PREFIX_FACTS = {"tools": True, "prefix": True}
_URL_FACTS = {"tools": True, "urls": True}
_DOCUMENT_FACTS = {"tools": True, "urls": True, "documents": True}
_OPEN_WEIGHTS = DialectProfile(think_tags=True)

# The options that hosts accept besides ours. Strict ones reject any other field with 400 or 422, and a
# conversation may have options that were meant for another host. Sources: the vendors' API references.
_PENALTIES = frozenset({"frequency_penalty", "presence_penalty", "parallel_tool_calls"})
_LOGPROBS = frozenset({"logprobs", "top_logprobs"})
_OPENAI = (
    _PENALTIES
    | _LOGPROBS
    | {"logit_bias", "metadata", "prediction", "prompt_cache_key", "safety_identifier"}
    | {"service_tier", "store", "user", "verbosity"}
)
_GROQ = _PENALTIES | {"include_reasoning", "reasoning_format", "service_tier", "user"}
_MISTRAL = _PENALTIES | {"prediction", "prompt_mode", "safe_prompt"}

_OPENAI_PROFILE = DialectProfile(
    max_tokens="max_completion_tokens", extra=_OPENAI, packed_embeddings=True, embedding_batch=2048
)

HOSTS: tuple[Host, ...] = (
    Host(
        "openai",
        "OpenAI",
        "openai-chat",
        "https://api.openai.com/v1",
        ("OPENAI_API_KEY",),
        ("OPENAI_BASE_URL",),
        "https://platform.openai.com/api-keys",
        profile=_OPENAI_PROFILE,
        default_facts=_DOCUMENT_FACTS,
        default_model="gpt-5-mini",
        price_vendor="openai",
        model_prefixes=("gpt-", "o1", "o3", "o4", "chatgpt-", "text-embedding-"),
    ),
    Host(
        "openai-responses",
        "OpenAI Responses",
        "openai-responses",
        "https://api.openai.com/v1",
        ("OPENAI_API_KEY",),
        ("OPENAI_BASE_URL",),
        "https://platform.openai.com/api-keys",
        profile=_OPENAI_PROFILE,
        default_facts=_DOCUMENT_FACTS,
        default_model="gpt-5-mini",
        price_vendor="openai",
    ),
    Host(
        "google",
        "Google AI Studio",
        "gemini",
        "https://generativelanguage.googleapis.com/v1beta",
        ("GOOGLE_API_KEY", "GEMINI_API_KEY"),
        ("GOOGLE_GEMINI_BASE_URL", "GEMINI_BASE_URL"),
        "https://aistudio.google.com/apikey",
        default_facts={**_DOCUMENT_FACTS, "images": True},
        default_model="gemini-2.5-flash",
        price_vendor="google",
        model_prefixes=("gemini-", "gemma-"),
    ),
    Host(
        "anthropic",
        "Anthropic",
        "anthropic",
        "https://api.anthropic.com",
        ("ANTHROPIC_API_KEY",),
        ("ANTHROPIC_BASE_URL",),
        "https://console.anthropic.com/settings/keys",
        default_facts={**_DOCUMENT_FACTS, "images": True},
        default_model="claude-sonnet-4-5",
        price_vendor="anthropic",
        model_prefixes=("claude-",),
    ),
    Host(
        "ollama",
        "Ollama",
        "ollama",
        "http://127.0.0.1:11434",
        ("OLLAMA_API_KEY",),
        ("OLLAMA_HOST",),
        keyless=True,
        default_facts={"prefix": True},
    ),
    Host(
        "openrouter",
        "OpenRouter",
        "openai-chat",
        "https://openrouter.ai/api/v1",
        ("OPENROUTER_API_KEY",),
        ("OPENROUTER_BASE_URL",),
        "https://openrouter.ai/settings/keys",
        profile=DialectProfile(
            terminal="finish",
            prefix="trailing",
            echo_reasoning="reasoning_details",
            reasoning_effort="reasoning",
            packed_embeddings=True,
            document_urls=True,
        ),
        default_facts=_DOCUMENT_FACTS,
        default_model="openrouter/auto",
        price_vendor="openrouter",
    ),
    Host(
        "azure",
        "Azure OpenAI",
        "azure",
        "",
        ("AZURE_OPENAI_API_KEY",),
        ("AZURE_OPENAI_ENDPOINT",),
        "https://portal.azure.com",
        profile=_OPENAI_PROFILE,
        default_facts=_URL_FACTS,
        price_vendor="azure",
    ),
    Host(
        "bedrock",
        "Amazon Bedrock",
        "bedrock",
        "",
        ("AWS_BEARER_TOKEN_BEDROCK",),
        ("AWS_ENDPOINT_URL_BEDROCK_RUNTIME",),
        "https://console.aws.amazon.com/bedrock",
        default_facts={"tools": True, "images": True, "documents": True},
        price_vendor="aws",
        credentials="AWS credentials",
    ),
    Host(
        "vertex",
        "Google Vertex AI",
        "vertex",
        "",
        ("GOOGLE_CLOUD_ACCESS_TOKEN",),
        ("GOOGLE_VERTEX_BASE_URL",),
        "https://console.cloud.google.com/apis/credentials",
        default_facts={**_DOCUMENT_FACTS, "images": True},
        default_model="gemini-2.5-flash",
        price_vendor="google",
        credentials="Google credentials",
    ),
    Host(
        "dashscope",
        "DashScope (Qwen)",
        "openai-chat",
        "https://dashscope.aliyuncs.com/compatible-mode/v1",
        ("DASHSCOPE_API_KEY",),
        ("DASHSCOPE_BASE_URL",),
        "https://bailian.console.aliyun.com/?tab=model#/api-key",
        profile=DialectProfile(prefix="partial", embedding_batch=10),
        default_facts=_URL_FACTS,
        default_model="qwen-plus",
        model_prefixes=("qwen",),
    ),
    Host(
        "deepseek",
        "DeepSeek",
        "openai-chat",
        "https://api.deepseek.com",
        ("DEEPSEEK_API_KEY",),
        ("DEEPSEEK_BASE_URL",),
        "https://platform.deepseek.com/api_keys",
        profile=DialectProfile(
            prefix="prefix", echo_reasoning="reasoning_content", extra=_PENALTIES | _LOGPROBS
        ),
        default_facts=_PREFIX_FACTS,
        default_model="deepseek-chat",
        price_vendor="deepseek",
        model_prefixes=("deepseek-",),
        prefix_path="beta/chat/completions",
    ),
    Host(
        "groq",
        "Groq",
        "openai-chat",
        "https://api.groq.com/openai/v1",
        ("GROQ_API_KEY",),
        ("GROQ_BASE_URL",),
        "https://console.groq.com/keys",
        profile=DialectProfile(
            max_tokens="max_completion_tokens",
            prefix="trailing",
            think_tags=True,
            terminal="finish",
            extra=_GROQ,
        ),
        default_facts=_URL_FACTS,
        default_model="llama-3.3-70b-versatile",
        price_vendor="groq",
    ),
    Host(
        "mistral",
        "Mistral",
        "openai-chat",
        "https://api.mistral.ai/v1",
        ("MISTRAL_API_KEY",),
        ("MISTRAL_BASE_URL",),
        "https://console.mistral.ai/api-keys",
        profile=DialectProfile(
            prefix="prefix",
            stream_options=False,
            seed="random_seed",
            any_tool="any",
            efforts=("none", "high"),
            dimensions="output_dimension",
            packed_embeddings=True,
            extra=_MISTRAL,
        ),
        default_facts={**_PREFIX_FACTS, "urls": True},
        default_model="mistral-small-latest",
        price_vendor="mistral",
        model_prefixes=("mistral-", "ministral-", "codestral-", "magistral-", "pixtral-"),
    ),
    Host(
        "xai",
        "xAI",
        "openai-chat",
        "https://api.x.ai/v1",
        ("XAI_API_KEY",),
        ("XAI_BASE_URL",),
        "https://console.x.ai",
        profile=DialectProfile(extra=_PENALTIES | _LOGPROBS | {"user"}),
        default_facts=_URL_FACTS,
        default_model="grok-4.3",
        price_vendor="x-ai",
        model_prefixes=("grok-",),
    ),
    Host(
        "together",
        "Together AI",
        "openai-chat",
        "https://api.together.xyz/v1",
        ("TOGETHER_API_KEY",),
        ("TOGETHER_BASE_URL",),
        "https://api.together.ai/settings/api-keys",
        profile=_OPEN_WEIGHTS,
        default_facts=_URL_FACTS,
        default_model="meta-llama/Llama-3.3-70B-Instruct-Turbo",
        price_vendor="together",
    ),
    Host(
        "moonshot",
        "Moonshot AI",
        "openai-chat",
        "https://api.moonshot.ai/v1",
        ("MOONSHOT_API_KEY",),
        ("MOONSHOT_BASE_URL",),
        "https://platform.moonshot.ai/console/api-keys",
        profile=DialectProfile(prefix="partial", echo_reasoning="reasoning_content"),
        default_facts=_PREFIX_FACTS,
        default_model="kimi-k2-0905-preview",
        price_vendor="moonshotai",
        model_prefixes=("kimi-", "moonshot-"),
    ),
    Host(
        "vllm",
        "vLLM",
        "openai-chat",
        "",
        ("VLLM_API_KEY",),
        ("VLLM_BASE_URL",),
        keyless=True,
        profile=DialectProfile(
            prefix="continue_final_message", think_tags=True, packed_embeddings=True
        ),
        default_facts=_PREFIX_FACTS,
        usual_port=8000,
        owner="vllm",
    ),
    Host(
        "lmstudio",
        "LM Studio",
        "openai-chat",
        "",
        ("LM_STUDIO_API_KEY",),
        ("LM_STUDIO_BASE_URL",),
        keyless=True,
        profile=_OPEN_WEIGHTS,
        default_facts=_TOOLS_FACTS,
        usual_port=1234,
        owner="organization_owner",
    ),
    Host(
        "llamacpp",
        "llama.cpp server",
        "openai-chat",
        "",
        ("LLAMACPP_API_KEY",),
        ("LLAMACPP_BASE_URL",),
        keyless=True,
        profile=DialectProfile(prefix="trailing", think_tags=True, packed_embeddings=True),
        default_facts=_PREFIX_FACTS,
        usual_port=8080,
        owner="llamacpp",
    ),
    Host(
        "litellm",
        "LiteLLM proxy",
        "openai-chat",
        "",
        ("LITELLM_API_KEY",),
        ("LITELLM_BASE_URL",),
        keyless=True,
        profile=_OPEN_WEIGHTS,
        default_facts=_TOOLS_FACTS,
    ),
)


def host_named(name: str) -> Host | None:
    """The row of this name."""
    return next((host for host in HOSTS if host.name == name), None)
