"""One name, one thing.

A reader who meets a class or type alias of ours must not wonder which of two is meant: its name
belongs to no other of ours, and to none that is imported from a library.
"""

import ast
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2] / "src"

# One meaning in two places: a value, and its form on the other side of the API. The Python client imports
# nothing of the server's, and the description in OpenAPI needs a model of its own.
SAME_ON_BOTH_SIDES = {
    "ModelList": {"grantha.api.schemas.responses", "grantha.client.responses"},
    "Readiness": {"grantha.client.responses", "grantha.providers.base"},
}

# Too good a word for either side to give up. No module uses both: that is checked as well.
SHARED_WITH_A_LIBRARY = {
    "Message": "of a conversation; in starlette, one between server and application",
    "Text": "a provider's event; in rich, a styled line; in SQLAlchemy, a column",
}


@cache
def _modules() -> dict[str, ast.Module]:
    return {
        ".".join(path.relative_to(SOURCE).with_suffix("").parts): ast.parse(path.read_bytes())
        for path in sorted(SOURCE.rglob("*.py"))
    }


def _defined(module: ast.Module) -> Iterator[str]:
    """Classes, wherever they stand, and the aliases at the module's top, as `Step = Retry | Stop`."""
    for node in ast.walk(module):
        if isinstance(node, ast.ClassDef):
            yield node.name
    for statement in module.body:
        if isinstance(statement, ast.Assign | ast.AnnAssign):
            target = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
            if isinstance(target, ast.Name) and _is_of_a_type(target.id):
                yield target.id


def _is_of_a_type(name: str) -> bool:
    """`Step` and `_Step`, unlike `step` and `STEP`."""
    return name.strip("_")[:1].isupper() and not name.isupper()


def _imported(module: ast.Module) -> Iterator[str]:
    """Names from the standard library and other packages, as this module calls them."""
    for node in ast.walk(module):
        if isinstance(node, ast.ImportFrom) and not (node.module or "").startswith("grantha"):
            yield from (alias.asname or alias.name for alias in node.names)


def test_no_two_classes_share_a_name() -> None:
    homes = defaultdict(set)
    count: Counter[str] = Counter()
    for module, tree in _modules().items():
        for name in _defined(tree):
            homes[name].add(module)
            count[name] += 1

    shared = {name: homes[name] for name, times in count.items() if times > 1}
    assert shared == SAME_ON_BOTH_SIDES


def test_no_class_has_the_name_of_one_that_is_imported_from_a_library() -> None:
    modules = _modules()
    ours = {name for tree in modules.values() for name in _defined(tree)}

    borrowed = {
        f"{module}: {name}"
        for module, tree in modules.items()
        for name in set(_imported(tree)) & ours - set(SHARED_WITH_A_LIBRARY)
    }
    assert borrowed == set()


def test_no_module_uses_a_shared_name_in_both_meanings() -> None:
    for module, tree in _modules().items():
        from_library = set(_imported(tree)) & set(SHARED_WITH_A_LIBRARY)
        from_us = {
            alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("grantha")
            for alias in node.names
        }
        assert from_library & (from_us | set(_defined(tree))) == set(), module
