"""A stored row that can't be read costs what it holds: no list, no summary and no start with it."""

import sqlite3
from contextlib import closing
from typing import Any

import pytest

from tests.scripts import counted
from tests.server import MakeServer, Server, until

pytestmark = pytest.mark.faults
TEXT = [b"\xff"]
NUMBER = ["x", -1]
JSON = ['{"a":', '[{"type":"king"}]', b"\xff"]
SEAM = '{"reason":"x","mode":"y","model":"m","options":{},"text_length":0}'
# What each column of a row is damaged to.
COLUMNS: dict[str, dict[str, list[Any]]] = {
    "conversations": {
        **dict.fromkeys(("title", "origin", "system_prompt", "model", "status"), TEXT),
        **dict.fromkeys(("created_at", "updated_at"), NUMBER),
        "options": [*JSON, '{"temperature":"hot","stop":3}'],
    },
    "messages": {
        **dict.fromkeys(("role", "text", "model", "status"), TEXT),
        "created_at": NUMBER,
        "parts": [*JSON, '[{"type":"text","text":5}]', "7"],
        "seams": [*JSON, '[{"reason":5}]', "[7]"],
        "citations": [*JSON, '[{"part":"x"}]', "[" * 2000],
        "end": [*JSON, '{"ending":"done","text_length":"x"}', '{"a":Infinity}'],
    },
    "generations": {
        **dict.fromkeys(("model", "status"), TEXT),
        **dict.fromkeys(("epoch", "seq", "recoveries", "created_at", "abandon_after"), NUMBER),
        "options": [*JSON, '{"max_tokens":"x"}'],
        "end": [*JSON, '{"ending":"over"}'],
        "trace": [*JSON, '{"records":[7],"stored":"x"}', '{"records":7}'],
    },
    "records": {
        "at": NUMBER,
        "kind": TEXT,
        "payload": [*JSON, '{"part":"x","text":5}', '{"part":0,"text":null}', SEAM],
    },
}


def readable(server: Server, answer: dict[str, Any]) -> None:
    """Everything that reads rows answers."""
    conversation, generation = answer["conversation"], answer["id"]
    listed = server.call("GET", "/api/conversations?origin=all&limit=200").expect(200)["items"]
    assert conversation in {row["id"] for row in listed}
    for path in (
        "/api/analytics/summary",
        f"/api/analytics/generations/{generation}",
        f"/api/conversations/{conversation}",
        f"/api/conversations/{conversation}/export",
        f"/api/conversations/{conversation}/export?format=markdown",
        f"/api/generations/{generation}",
        f"/api/generations/{generation}/events",
        "/api/conversations?q=three",
        "/api/search?q=three",
    ):
        reply = server.call("GET", path)
        assert reply.status < 500, (path, reply.body)


def a_rich_answer(server: Server) -> dict[str, Any]:
    """An ended one with reasoning and a seam."""
    steps = [{"reasoning": "Hm. "}, {"text": "one two three four", "split": "words"}]
    model = server.script(
        "rich", {"gate": "rich.gate", "capabilities": {"prefix": True}, "steps": steps}
    )
    server.allow("rich.gate", 2)
    generation = server.ask(model)["id"]
    until(lambda: server.generation(generation)["text"] or None, "some text")
    server.call("PATCH", f"/api/generations/{generation}", {"temperature": 1.5}).expect(200)
    server.allow("rich.gate")
    return server.ended(generation)


@pytest.mark.parametrize("trimmed", [False, True])
def test_a_damaged_column_costs_only_what_it_holds(
    server_factory: MakeServer, *, trimmed: bool
) -> None:
    server = server_factory({"GRANTHA_RECORD_TTL": "0" if trimmed else "3600"}).start()
    answer = a_rich_answer(server)
    ids = {"conversations": answer["conversation"], "messages": answer["message"]}
    if trimmed:
        server.restart()
        events = f"/api/generations/{answer['id']}/events?after=1-0"
        until(lambda: server.call("GET", events).status == 410 or None, "the records to be trimmed")
    with closing(sqlite3.connect(server.database, isolation_level=None)) as database:
        for table, columns in COLUMNS.items():
            if trimmed and table == "records":
                continue
            key, number = ("generation", "seq") if table == "records" else ("id", "rowid")
            wanted = ids.get(table, answer["id"])
            for column, damages in columns.items():
                undamaged = database.execute(
                    f'SELECT "{column}", {number} FROM {table} WHERE {key} = ?',
                    (wanted,),
                ).fetchall()
                change = f'UPDATE {table} SET "{column}" = ? WHERE {key} = "{wanted}"'
                for damage in damages:
                    database.execute(change, (damage,))
                    readable(server, answer)
                if damages is TEXT:
                    database.execute(change.replace("?", "CAST(x'7bff' AS TEXT)"))
                    readable(server, answer)
                database.executemany(f"{change} AND {number} = ?", undamaged)
    assert server.generation(answer["id"]) == answer
    assert server.ended(server.ask("scripted/hello")["id"])["status"] == "done"
    assert "Traceback" not in server.output()


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
    readable(server, first)
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
