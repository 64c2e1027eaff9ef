"""One configured endpoint of a vendor: its address, key and facts, put together at start.

Made from a catalog row, `grantha.toml` and the environment's variables. The key stays inside: it
is in no repr, and leaves only as a request header.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from grantha.chat import Call, FilePart, ImagePart, TextPart, ToolResultPart
from grantha.embedding import EmbeddingCall
from grantha.errors import MissingKey, Unsupported
from grantha.providers.base import READY, Readiness
from grantha.setting_problems import shown
from grantha.setting_types import is_http_url
from grantha.wire.upstream.openai_chat_profile import DEFAULT_PROFILE, DialectProfile
from grantha.wire.upstream.vendor_errors import ErrorFactory


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`overrides` maps a model's id to changed capabilities; `variables` are the environment's."""

    name: str
    title: str
    base_url: str
    key: str | None = field(default=None, repr=False)
    key_variable: str | None = None  # None: needs no key
    key_page: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    profile: DialectProfile = DEFAULT_PROFILE
    overrides: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    default_model: str | None = None
    query: str = ""  # appended to every URL, such as Azure's api-version
    url_variable: str = ""  # named when there is no base URL
    joins_traces: bool = False  # a server of one's own, which may take part in the callers' traces
    assumed: bool = False  # nobody configured the address: it is the usual one on this machine

    @property
    def address(self) -> str:
        """The base URL as it may be shown: without a user's name and password."""
        parts = urlsplit(self.base_url)
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))

    def url(self, path: str) -> str:
        """The address of a path below the base."""
        return f"{self.base_url.rstrip('/')}/{path}{self.query}"

    def readiness(self) -> Readiness:
        """Whether the address and the key that it needs are there."""
        if not self.base_url:
            return Readiness(
                "off",
                f"{self.title} has no base URL",
                f"Set {self.url_variable}, then start Grantha again.",
                self.url_variable,
            )
        if not is_http_url(self.base_url):
            return Readiness(
                "off",
                f"{self.title} has the base URL {shown(self.base_url)}, which isn't an address",
                f"Set {self.url_variable} to one such as http://127.0.0.1:8080/v1, "
                "then start Grantha again.",
            )
        if self.key or self.key_variable is None:
            return READY
        return Readiness(
            "missing-key",
            f"{self.title} needs a key, and {self.key_variable} isn't set on this server",
            f"Set {self.key_variable}"
            + (f" (keys are made at {self.key_page})" if self.key_page else "")
            + ", then start Grantha again.",
            self.key_variable,
        )

    def error_factory(self, call: Call | EmbeddingCall | None = None) -> ErrorFactory:
        """Makes the errors of one call, quoting neither the key nor the conversation."""
        if call is None:
            return ErrorFactory(self.name, "", self._secrets())
        texts = call.texts if isinstance(call, EmbeddingCall) else tuple(_texts(call))
        return ErrorFactory(self.name, call.model, self._secrets(), texts)

    def _secrets(self) -> tuple[str, ...]:
        parts = urlsplit(self.base_url)
        known = (self.key, parts.password, *self.headers.values())
        return tuple(secret for secret in known if secret)


def raise_if_unusable(provider: str, readiness: Readiness) -> None:
    """Raises `MissingKey` or, for a provider that is off, `Unsupported`."""
    if readiness.state == "missing-key":
        raise MissingKey(readiness.reason, advice=readiness.advice, provider=provider)
    if readiness.state == "off":
        raise Unsupported(readiness.reason, advice=readiness.advice, provider=provider)


def _texts(call: Call) -> Iterable[str]:
    if call.prefix:
        yield call.prefix
    for message in call.messages:
        for part in message.parts:
            if isinstance(part, TextPart | FilePart | ToolResultPart):
                yield part.text
            if isinstance(part, ImagePart | FilePart) and part.url:
                yield part.url
