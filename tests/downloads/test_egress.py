"""Downloads by URL reach the public internet, the networks that are allowed, and nothing else."""

from __future__ import annotations

import socket

import pytest

from grantha.downloads.egress import Egress, RefusedAddress

PRIVATE = [
    "127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
    "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1%eth0", "fc00::1", "ff02::1",
    "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:7f00:1::",
    "::127.0.0.1", "::10.0.0.1", "fec0::1", "64:ff9b:1::a00:1", "4000::1",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_refused_however_they_are_written(address: str) -> None:
    assert not Egress().allows(address)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_public_addresses_are_allowed(address: str) -> None:
    assert Egress().allows(address)


def test_named_networks_are_allowed_and_no_others() -> None:
    egress = Egress(["10.1.0.0/16", "fd00::/8"])
    assert egress.allows("10.1.2.3")
    assert egress.allows("::ffff:10.1.2.3")
    assert egress.allows("fd00::1")
    assert not egress.allows("10.2.0.1")


def test_no_socket_is_opened_for_a_refused_address() -> None:
    info = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 80))
    with pytest.raises(RefusedAddress):
        Egress().open_socket(info)
    Egress(["127.0.0.1"]).open_socket(info).close()


def test_the_proxy_of_the_environment_may_be_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:3128")
    monkeypatch.delenv("https_proxy", raising=False)
    monkeypatch.delenv("HTTPS_PROXY", raising=False)
    egress = Egress()
    egress.resolve_proxies()
    info = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 3128))
    egress.open_socket(info).close()
    with pytest.raises(RefusedAddress):
        egress.open_socket((*info[:4], ("127.0.0.1", 3129)))
