"""Large JSON is read item by item, and in windows: what is found doesn't depend on where they end."""

import json
import random
import re
from typing import Any

import pytest

from grantha.api.http import bodies
from grantha.api.http.json_items import JsonItems
from grantha.errors import BadRequest

_SIMPLE = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[\[{,\]}]', re.DOTALL)


@pytest.mark.parametrize("window", [1, 2, 3, 5, 8, 1000])
def test_any_window_finds_the_same_strings_and_brackets(window: int) -> None:
    choice = random.Random(window)
    for _ in range(5000):
        body = bytes(choice.choice(b'"\\a[{,]} ') for _ in range(choice.randrange(14)))
        found = [at for at, _, _ in bodies.scan(body, 99, 99, window=window)]
        assert found == [match.start() for match in _SIMPLE.finditer(body)], body


def test_a_text_that_no_endpoint_accepts_is_refused_before_it_is_decoded() -> None:
    def scanned(length: int) -> list[tuple[int, int, int]]:
        body = b'"' + b"x" * length + b'"'
        return list(bodies.scan(body, 9, 9, window=10, max_string=100))

    assert scanned(90) == [(0, ord('"'), 0)]
    with pytest.raises(BadRequest, match="more than 100 bytes"):
        scanned(200)


@pytest.mark.parametrize(
    "document",
    [
        [],
        [1, "a,]b", [2, [3]], {"items": [4]}, None],
        {"items": []},
        {"a": "items", "items": [{"x": [1]}, 2], "z": {"items": [9]}},
        {"a": [1, 2], "b": {"items": [5]}, "items": ["\\", '"', "]"]},
    ],
)
@pytest.mark.parametrize("indent", [None, 2])
def test_items_are_those_of_the_list(document: Any, indent: int | None) -> None:
    body = json.dumps(document, indent=indent).encode()
    items = JsonItems(body, "items", 20)
    whole = document if isinstance(document, list) else document["items"]
    assert list(items) == whole
    empty: Any = [] if isinstance(document, list) else {**document, "items": []}
    assert items.outline == empty


@pytest.mark.parametrize(
    "body",
    [
        b"[1,,2]",
        b"[1,]",
        b"[,1]",
        b"[1",
        b"[1]]",
        b"[1}",
        b'{"items":[1]',
        b"[1 2]",
        b'["a]',
        b"nope",
    ],
)
def test_what_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest, match="JSON"):
        list(JsonItems(body, "items", 20))


def test_a_document_without_the_list_has_no_items() -> None:
    items = JsonItems(b'{"other": [1]}', "items", 20)
    assert (items.outline, list(items)) == ({"other": [1]}, [])


def test_what_stands_beside_the_items_is_bounded() -> None:
    """A single conversation is a document of its own, and longer than what belongs to a list."""
    text = b'"' + b"x" * 70_000 + b'"'
    assert JsonItems(b'{"other": [' + text + b"]}", "items", 20).outline == {
        "other": ["x" * 70_000]
    }
    with pytest.raises(BadRequest, match="beside its list of items"):
        JsonItems(b'{"items": [], "other": ' + text + b"}", "items", 20)
    with pytest.raises(BadRequest, match="no list of items"):
        JsonItems(b'{"other": "' + b"x" * (16 << 20) + b'"}', "items", 20)
