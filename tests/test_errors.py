"""The error tree: every code is one class's, and an error comes back as what it was."""

from __future__ import annotations

import pytest

from grantha import errors
from grantha.errors import GranthaError, by_code, error_from_json

TREE = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, GranthaError)
]
LEAVES = [kind for kind in TREE if "code" in vars(kind)]
GROUPS = {"GranthaError", "CallerError", "ProviderError", "ServerError"}


def test_only_the_classes_that_group_others_have_no_code() -> None:
    assert {kind.__name__ for kind in TREE} - {kind.__name__ for kind in LEAVES} == GROUPS


def test_no_two_classes_share_a_code() -> None:
    assert len({kind.code for kind in LEAVES}) == len(LEAVES)


@pytest.mark.parametrize("kind", LEAVES, ids=lambda kind: kind.code)
def test_an_error_comes_back_from_json_as_what_it_was(kind: type[GranthaError]) -> None:
    error = kind("What happened", advice="Do this.", provider="x", retry_after=2.5, native="n1")
    assert by_code(kind.code) is kind
    again = error_from_json(error.to_json())
    assert type(again) is kind
    assert again.to_json() == error.to_json()
    assert (again.http_status, again.retryable) == (kind.http_status, kind.retryable)


@pytest.mark.parametrize("code", [None, "", "no_such_code", 7])
def test_a_code_that_is_unknown_is_an_internal_error(code: object) -> None:
    assert by_code(code) is None
    assert error_from_json({"code": code, "message": "m"}).code == "internal"
