"""Chooses the proxy for a vendor, and translates failures to connect.

Proxies come from the environment. Only the fact that there is one gets into an
error: their addresses may hold passwords.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from grantha import errors
from grantha.errors import ProviderError
from grantha.tls_errors import describe_tls_error
from grantha.wire.upstream.vendor_errors import ErrorFactory

METADATA_HOSTS = frozenset({"metadata.google.internal", "169.254.169.254"})


class Proxies:
    """By the variables that most programs read, in upper or lower case."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._by_scheme: dict[str, str] = {}
        for scheme in ("http", "https"):
            # Uppercase HTTP_PROXY is read too: this isn't a CGI program, for which a request could set
            # it.
            found = variables.get(f"{scheme}_proxy") or variables.get(f"{scheme.upper()}_PROXY")
            if found:
                self._by_scheme[scheme] = found
        names = variables.get("no_proxy") or variables.get("NO_PROXY") or ""
        self._without = [name.strip().lstrip(".") for name in names.split(",") if name.strip()]

    def for_url(self, url: str) -> str | None:
        """The proxy for an address; None: it is reached directly."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        if host in METADATA_HOSTS:
            return None  # it identifies this machine; through a proxy it would identify the proxy
        for name in self._without:
            if name == "*" or host == name or host.endswith(f".{name}"):
                return None
        return self._by_scheme.get(parts.scheme)


def connection_error(error: Exception, error_factory: ErrorFactory, url: str) -> ProviderError:
    """A socket's error before the reply began, in our tree. Names the host, never the path or the
    key.
    """
    import aiohttp

    who, host = error_factory.provider, urlsplit(url).netloc.rpartition("@")[2]
    if isinstance(error, TimeoutError):
        stage = "to connect" if isinstance(error, aiohttp.ServerTimeoutError) else "to answer"
        return errors.TimedOut(f"{who} ({host}) took too long {stage}", provider=who)
    if isinstance(error, aiohttp.InvalidURL | aiohttp.NonHttpUrlClientError):
        return errors.Unreachable(
            f"The base URL of {who} isn't a usable URL",
            advice="Look at the settings.",
            provider=who,
        )
    if isinstance(error, aiohttp.ClientSSLError):
        what, advice = describe_tls_error(getattr(error, "certificate_error", error.__cause__))
        return errors.Unreachable(
            f"{who} ({host}) {what}",
            advice=advice,
            provider=who,
            native="tls",
        )
    if isinstance(error, aiohttp.ClientHttpProxyError | aiohttp.ClientProxyConnectionError):
        status = getattr(error, "status", None)
        failure = f"refused to connect (HTTP {status})" if status else "can't be reached"
        return errors.Unreachable(
            f"The proxy to {who} ({host}) {failure}",
            advice="Check HTTPS_PROXY and HTTP_PROXY; NO_PROXY names hosts to reach without it.",
            provider=who,
            native="proxy",
        )
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        what, advice = "has a name that can't be found", "Check the base URL and the network."
    elif isinstance(error, aiohttp.ClientConnectorError):
        what, advice = "can't be reached", "Check that it runs, its base URL, and the network."
    else:
        what, advice = "closed the connection without an answer", "Try again."
    return errors.Unreachable(f"{who} ({host}) {what}", advice=advice, provider=who)
