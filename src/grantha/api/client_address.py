"""Who calls, behind proxies: the client's address and whether it came by HTTPS.

Forwarding headers are trusted only from the proxies in `trusted_proxies`: any other client could set
them to anything.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from starlette.datastructures import Headers
from starlette.types import Scope

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class TrustedProxies:
    """`networks` are addresses or networks, as `10.0.0.0/8`."""

    def __init__(self, networks: Iterable[str]) -> None:
        self._networks = tuple(ipaddress.ip_network(network) for network in networks)

    def client_address(self, scope: Scope) -> str:
        """The nearest address that isn't a trusted proxy's; "unknown" where there is none."""
        client = scope.get("client")
        address = _parse(client[0]) if client else None
        if address is None:
            return "unknown"
        # Each proxy appends the address it saw: only entries to the right of an untrusted one are reliable.
        for seen in reversed(_forwarded_for(scope)):
            if not self._trusts(address):
                break
            before = _parse(seen)
            if before is None:
                break
            address = before
        return str(address)

    def is_https(self, scope: Scope) -> bool:
        """Whether the client's own connection is encrypted."""
        if scope.get("scheme") in {"https", "wss"}:
            return True
        client = scope.get("client")
        address = _parse(client[0]) if client else None
        if address is None or not self._trusts(address):
            return False
        return Headers(scope=scope).get("x-forwarded-proto", "").strip().lower() == "https"

    def _trusts(self, address: Address) -> bool:
        return any(address in network for network in self._networks)


def _forwarded_for(scope: Scope) -> list[str]:
    values = Headers(scope=scope).getlist("x-forwarded-for")
    return [part.strip() for value in values for part in value.split(",")]


def _parse(text: str) -> Address | None:
    """An address, with or without a port; None for anything else."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
