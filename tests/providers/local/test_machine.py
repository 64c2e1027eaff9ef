"""The share of the machine that a child process gets."""

import os
import sys

import pytest

from grantha.providers.local import machine


def test_keys_of_the_server_are_not_passed_on() -> None:
    given = {"PATH": "/bin", "OPENAI_API_KEY": "sk-secret", "GRANTHA_TOKEN": "secret"}
    passed = machine.environment(given)
    assert passed["PATH"] == "/bin"
    assert "secret" not in "".join(passed.values())


def test_at_least_one_thread_computes_and_no_more_than_there_are_cores() -> None:
    assert 1 <= machine.threads() <= (os.cpu_count() or 1)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what a process holds")
def test_a_process_holds_memory_and_a_missing_one_is_unknown() -> None:
    held = machine.resident_bytes(os.getpid())
    assert held is not None
    assert held > 1_000_000
    assert machine.resident_bytes(2**22 + 1) is None
