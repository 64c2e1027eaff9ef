"""A stored row that can't be read costs what it holds: no list, no summary and no start with it."""

import sqlite3
from contextlib import closing
from itertools import product

import pytest

from tests.scripts import counted
from tests.server import MakeServer, Server, until

pytestmark = pytest.mark.faults
DAMAGE = [
    "UPDATE {} SET {} = '{{\"a\":'",
    "UPDATE {} SET {} = '7'",
    "UPDATE {} SET {} = '[7]'",
    "UPDATE {} SET {} = '{{\"a\":Infinity}}'",
    'UPDATE {} SET {} = \'[{{"type":"king"}}]\'',
]
COLUMNS = [
    ("conversations", "options"),
    ("messages", "parts"),
    ("messages", "seams"),
    ("messages", "citations"),
    ("messages", '"end"'),
    ("generations", "options"),
    ("generations", '"end"'),
    ("generations", "trace"),
    ("records", "payload"),
]


def readable(server: Server, conversation: str, generation: str) -> None:
    """Everything that reads rows answers."""
    listed = server.call("GET", "/api/conversations?limit=200").expect(200)["items"]
    assert conversation in {row["id"] for row in listed}
    for path in (
        "/api/analytics/summary",
        f"/api/analytics/generations/{generation}",
        f"/api/conversations/{conversation}",
        f"/api/conversations/{conversation}/export",
        f"/api/generations/{generation}",
        f"/api/generations/{generation}/events",
        "/api/conversations?q=script",
    ):
        reply = server.call("GET", path)
        assert reply.status < 500, (path, reply.body)


def test_a_damaged_column_costs_only_what_it_holds(server_factory: MakeServer) -> None:
    server = server_factory().start()
    answers = []
    damages = list(product(COLUMNS, DAMAGE))
    for _ in damages:
        conversation = server.conversation()
        generation = server.ask("scripted/hello", conversation=conversation)["id"]
        server.ended(generation)
        answers.append((conversation, generation))
    server.terminate()
    with closing(sqlite3.connect(server.database)) as database:
        for ((table, column), damage), (conversation, generation) in zip(
            damages, answers, strict=True
        ):
            owner = {"conversations": "id", "records": "generation"}.get(table, "conversation")
            wanted = generation if table == "records" else conversation
            database.execute(
                damage.format(table, column) + f" WHERE {owner} = ?",
                (wanted,),
            )
        database.commit()
    server.start()
    for conversation, generation in answers:
        readable(server, conversation, generation)
    assert server.ended(server.ask("scripted/hello")["id"])["status"] == "done"


def test_values_that_nothing_can_use_cost_only_themselves(server_factory: MakeServer) -> None:
    server = server_factory().start()
    first = server.ask("scripted/hello")
    server.ended(first["id"])
    server.terminate()
    image = '[{"type":"image","media_type":"text/html\\r\\nX: 1","data":"\u00e9"}]'
    with closing(sqlite3.connect(server.database)) as database:
        database.execute('UPDATE conversations SET options = \'{"temperature":"hot","stop":3}\'')
        database.execute("UPDATE conversations SET created_at = -9e15, updated_at = 9e15")
        database.execute("UPDATE messages SET created_at = 9e15, parts = ?", (image,))
        database.commit()
    server.start()
    readable(server, first["conversation"], first["id"])
    (message, *_) = server.call("GET", f"/api/conversations/{first['conversation']}").json()[
        "messages"
    ]
    assert server.call("GET", message["parts"][0]["url"]).status == 404
    again = server.ask("scripted/hello", conversation=first["conversation"])
    assert server.ended(again["id"])["status"] == "done"


def test_a_damaged_row_of_the_journal_ends_its_answer_as_interrupted(
    server_factory: MakeServer,
) -> None:
    server = server_factory().start()
    generation = server.ask("scripted/count-5000-at-100")["id"]
    until(lambda: len(server.generation(generation)["text"]) > 200, "some text")
    server.kill()
    with closing(sqlite3.connect(server.database)) as database:
        database.execute(
            "INSERT INTO journal (tick, owner, body) "
            "SELECT 1 + (SELECT coalesce(max(tick), 0) FROM journal), owner, ? "
            "FROM generations WHERE id = ?",
            (f'[["{generation}",1,9', generation),
        )
        database.commit()
    server.start()
    ended = server.ended(generation)
    assert ended["status"] == "interrupted"
    assert "can't be read" in ended["end"]["error"]["message"]
    assert len(ended["text"]) > 20
    assert counted(5000).startswith(ended["text"])
