"""Where a download may connect to, when its address comes from a client of the API.

Decided for each address that a socket is opened to, so that names that resolve differently a second
time, redirects and addresses written as numbers are all checked. Only addresses of the public internet
are allowed, and the networks that the operator names.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
# All that is given out as global unicast. What lies outside is for one link, one site or no host at all,
# and not everything of it is on Python's lists.
_GLOBAL_IPV6 = ipaddress.ip_network("2000::/3")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address


class RefusedAddress(OSError):
    """The address isn't one that a download may connect to."""

    def __init__(self) -> None:
        # The same for every address of a host: only equal errors reach aiohttp's caller as they are.
        super().__init__("not a public address")


class Egress:
    """`networks` are allowed besides the public internet, as `10.0.0.0/8`.

    A proxy of the environment is the operator's own choice: it is connected to wherever it is, and
    decides itself what it connects to.
    """

    def __init__(self, networks: Iterable[str] = ()) -> None:
        self._networks = tuple(ipaddress.ip_network(network) for network in networks)
        self._proxies: frozenset[tuple[str, int]] = frozenset()

    def resolve_proxies(self) -> None:
        """Looks up the environment's proxies. Blocks; one that isn't found can't be connected to."""
        found: set[tuple[str, int]] = set()
        for scheme in ("http", "https"):
            parts = urlsplit(getproxies().get(scheme, ""))
            if not parts.hostname:
                continue
            port = parts.port or (443 if parts.scheme == "https" else 80)
            try:
                rows = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
            except OSError:
                continue
            found.update((str(row[4][0]), port) for row in rows)
        self._proxies = frozenset(found)

    def open_socket(self, address: tuple[Any, Any, int, str, tuple[Any, ...]]) -> socket.socket:
        """A socket for an address as `getaddrinfo` gives it. Raises `RefusedAddress`."""
        family, kind, protocol, _, place = address
        if place[:2] not in self._proxies and not self.allows(str(place[0])):
            raise RefusedAddress
        return socket.socket(family, kind, protocol)

    def allows(self, address: str) -> bool:
        """Whether an address, in numbers, may be connected to."""
        found = _embedded(ipaddress.ip_address(address.partition("%")[0]))
        if any(found in network for network in self._networks):
            return True
        if isinstance(found, ipaddress.IPv6Address) and found not in _GLOBAL_IPV6:
            return False
        return found.is_global and not found.is_multicast


def environment_proxy(scheme: str, host: str) -> str | None:
    """The environment's proxy for a host; None: it is reached straight."""
    return None if proxy_bypass(host) else getproxies().get(scheme)


def _embedded(address: _Address) -> _Address:
    """The IPv4 address that an IPv6 address stands for, else the address itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address
