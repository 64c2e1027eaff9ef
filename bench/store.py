"""The store at size: 10,000 conversations and 1,000,000 messages; listing, search, a tree, a start.

`python -m bench.store` fills a database of its own (about 700 MB, deleted at the end) and prints ms.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from bench import table
from grantha.chat import Options, TextPart
from grantha.engine.ids import new_id
from grantha.events import Open, Record, RecordId
from grantha.storage.base import (
    FILE_NAME,
    LOCAL_SUBJECT,
    GenerationStart,
    NewConversation,
    NewGeneration,
    NewMessage,
    SearchFilters,
)
from grantha.storage.sql import SqlStore

_CONVERSATION = (
    "INSERT INTO conversations (id, subject, title, title_by, pinned, origin, system_prompt, "
    "options, leaf, status, created_at, updated_at) "
    "VALUES (?,'local',?,'auto',0,'page','','{}',?,'done',?,?)"
)
_MESSAGE = (
    "INSERT INTO messages (id, conversation, parent, role, parts, text, seams, citations, "
    "status, created_at) VALUES (?,?,?,?,?,?,'[]','[]','done',?)"
)
_LENGTH = 30  # words of a message


def fill(path: Path, conversations: int, each: int) -> None:
    """Many conversations of equal length, with words as rare and as common as in a language."""
    chance = random.Random(7)  # the same database every time
    words = _words(chance)
    weights = [1 / (rank + 3) for rank in range(len(words))]
    writing = sqlite3.connect(path, isolation_level=None)
    writing.execute("PRAGMA synchronous=OFF")
    for number in range(conversations):
        if number % 500 == 0:
            writing.execute("BEGIN" if number == 0 else "COMMIT")
            if number:
                writing.execute("BEGIN")
        said = chance.choices(words, weights, k=each * _LENGTH)
        _conversation(writing, number, said, each)
    writing.execute("COMMIT")
    writing.close()


def _conversation(writing: sqlite3.Connection, number: int, said: list[str], each: int) -> None:
    conversation, parent, rows = f"c_{number:08d}", None, []
    for turn in range(each):
        text = " ".join(said[turn * _LENGTH : (turn + 1) * _LENGTH])
        message = f"m_{number:08d}_{turn:04d}"
        role = "assistant" if turn % 2 else "user"
        parts = f'[{{"text":"{text}","type":"text"}}]'
        rows.append((message, conversation, parent, role, parts, text, number))
        parent = message
    writing.execute(_CONVERSATION, (conversation, " ".join(said[:5]), parent, number, number))
    writing.executemany(_MESSAGE, rows)


def _words(chance: random.Random) -> list[str]:
    """The most common first."""
    return [f"{chance.choice('bcdfgklmnprstv')}{_word(number)}" for number in range(30_000)]


def _word(number: int) -> str:
    letters = []
    while True:
        number, digit = divmod(number, 20)
        letters.append("aeioubdfgklmnprstvyz"[digit])
        if not number:
            return "".join(letters)


async def program(store: SqlStore, repeat: int) -> list[list[object]]:
    """Rows: what, median ms, p95 ms, worst ms."""
    words = _words(random.Random(7))
    common, second, rare = words[0], words[1], words[20_000]

    async def listing() -> object:
        return await store.conversations(
            LOCAL_SUBJECT, query="", cursor=None, limit=50, origin="page"
        )

    def search(words: str, **filters: Any) -> Callable[[], Awaitable[object]]:
        async def searching() -> object:
            return await store.search(
                LOCAL_SUBJECT, words, SearchFilters(**filters), cursor=None, limit=50
            )

        return searching

    async def listed_search() -> object:
        return await store.conversations(
            LOCAL_SUBJECT, query=common, cursor=None, limit=50, origin="page"
        )

    async def tree() -> object:
        return await store.messages(LOCAL_SUBJECT, "c_00000500")

    calls: dict[str, Callable[[], Awaitable[object]]] = {
        "list, first page": listing,
        "search, the most common word": search(common),
        "search, a rare word": search(rare),
        "search, two common words": search(f"{common} {second}"),
        "search, the beginning of words": search(words[1000][:3]),
        "search, exact words": search(f'"{common} {second}"'),
        "search, the most common word, in old messages": search(common, until=10),
        "search, a word that is nowhere": search("qqqqqq"),
        "list of conversations with the most common word": listed_search,
        "one conversation's tree": tree,
        "start an answer": lambda: _start(store),
    }
    rows: list[list[object]] = []
    for what, call in calls.items():
        times = []
        for _ in range(max(repeat, 3) * 10):
            began = time.perf_counter()
            await call()
            times.append(1000 * (time.perf_counter() - began))
        rows.append([what, table.median(times), table.percentile(times, 0.95), max(times)])
    return rows


async def _start(store: SqlStore) -> object:
    conversation, question = new_id("c"), new_id("m")
    opening = (Record(RecordId(1, 0), 1, Open(None, "a/b")),)
    answer = NewGeneration(new_id("g"), new_id("m"), question, "a/b", Options(), opening)
    user_message = NewMessage(question, None, "user", (TextPart("Tell me a joke"),))
    new = NewConversation(conversation, "A joke", "page")
    return await store.start(
        LOCAL_SUBJECT, GenerationStart(conversation, (answer,), (user_message,), new)
    )


async def _measure(folder: Path, conversations: int, each: int, repeat: int) -> list[list[object]]:
    store = SqlStore(folder, "bench")
    await store.open()
    await store.aclose()
    await asyncio.to_thread(fill, folder / FILE_NAME, conversations, each)
    store = SqlStore(folder, "bench")
    await store.open()
    try:
        return await program(store, repeat)
    finally:
        await store.aclose()


def main() -> None:
    """The program."""
    given = table.arguments(main.__module__)
    conversations, each = (1000, 100) if given.quick else (10_000, 100)
    with tempfile.TemporaryDirectory(prefix="grantha-bench-") as folder:
        rows = table.run(lambda: _measure(Path(folder), conversations, each, given.repeat))
    title = f"Store with {conversations:,} conversations, {conversations * each:,} messages"
    table.show(title, ["what", "median, ms", "p95, ms", "worst, ms"], rows)


if __name__ == "__main__":
    main()
