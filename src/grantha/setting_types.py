"""The types of settings that are text of a given format: addresses, origins, networks, tokens.

What a check raises completes the sentence "Set it to …".
"""

from __future__ import annotations

import ipaddress
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator


def is_http_url(text: str) -> bool:
    """Whether this is the address of something that speaks HTTP."""
    try:
        parts = urlsplit(text)
        _ = parts.port  # raises for what isn't a number
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and " " not in text


def _base_url(text: str) -> str:
    if not is_http_url(text):
        raise ValueError("an address, such as http://127.0.0.1:8080/v1")
    return text


def _server_url(text: str) -> str:
    if not is_http_url(text):
        raise ValueError("the address of a server, such as https://chat.example")
    return text


def _listen_address(text: str) -> str:
    if not text or any(sign in text for sign in "/[ ,") or text.count(":") == 1:
        raise ValueError("an address of this machine without scheme and port, such as 127.0.0.1")
    return text


def _token(text: str) -> str:
    # A header carries nothing else, and loses spaces at its ends.
    if not (text.isascii() and text.isprintable()) or text != text.strip():
        raise ValueError("plain letters, digits and signs, as from `openssl rand -hex 32`")
    return text


def _origin(text: str) -> str:
    if text != "*" and (not is_http_url(text) or urlsplit(text).path not in {"", "/"}):
        raise ValueError("origins of web pages, such as https://notes.example, or *")
    return text


def _host_name(text: str) -> str:
    name = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    if not name or any(sign in name for sign in "/ *") or name.count(":") == 1:
        raise ValueError("host names without scheme and port, such as chat.example")
    return text


def _network(text: str) -> str:
    try:
        ipaddress.ip_network(text)
    except ValueError as error:
        raise ValueError("addresses or networks, such as 127.0.0.1 or 10.0.0.0/8") from error
    return text


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


BaseUrl = Annotated[str, AfterValidator(_base_url)]
ServerUrl = Annotated[str, AfterValidator(_server_url)]
ListenAddress = Annotated[str, AfterValidator(_listen_address)]
Token = Annotated[str, AfterValidator(_token)]
WebOrigin = Annotated[str, AfterValidator(_origin)]
HostName = Annotated[str, AfterValidator(_host_name)]
Network = Annotated[str, AfterValidator(_network)]
LogLevel = Annotated[
    Literal["debug", "info", "warning", "error", "critical"], BeforeValidator(_lower)
]
