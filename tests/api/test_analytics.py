"""Numbers over HTTP: the summary, the inspector, the metrics."""

import sqlite3
import time
from contextlib import closing

from tests.server import MakeServer, Server, until


def test_the_summary_over_http_has_an_entry_for_today(shared: Server) -> None:
    made = shared.ask("scripted/count-20-at-400")
    shared.ended(made["id"])
    body = shared.call("GET", "/api/analytics/summary?days=2").expect(200)
    model = next(row for row in body["by_model"] if row["model"] == "scripted/count-20-at-400")
    assert model["generations"] == 1
    assert model["output_tokens"] == 20
    assert model["first_text_p50_ms"] >= 0
    assert model["tok_s_p50"] > 0
    assert body["by_day"][-1]["generations"] >= 1
    assert body["totals"]["generations"] >= 1


def test_a_running_server_adds_up_what_an_older_version_stored(server_factory: MakeServer) -> None:
    server = server_factory().start()
    made = [server.ask("scripted/hello") for _ in range(3)]
    for one in made:
        server.ended(one["id"])
    before = server.call("GET", "/api/analytics/summary").expect(200)
    server.terminate()
    with closing(sqlite3.connect(server.database)) as database, database:
        sums = set(database.execute("SELECT * FROM rollups"))
        database.execute("DELETE FROM rollups")
        database.execute("INSERT INTO rollup_backlog SELECT max(ended_at) + 1 FROM generations")
    server.start()
    assert server.call("GET", "/api/analytics/summary").expect(200) == before

    def added_up() -> bool:
        with closing(sqlite3.connect(server.database)) as database:
            return database.execute("SELECT before FROM rollup_backlog").fetchall() == [(0,)]

    until(added_up, "the backlog to be worked off", hint=server.output)
    assert server.call("GET", "/api/analytics/summary").expect(200) == before
    server.terminate()
    with closing(sqlite3.connect(server.database)) as database:
        assert set(database.execute("SELECT * FROM rollups")) == sums


def test_the_inspector_shows_segments_and_when_each_record_was_written(shared: Server) -> None:
    made = shared.ask(shared.gated_count("measured", 400), options={"temperature": 0.1})
    shared.allow("measured.gate", 20)
    until(lambda: shared.generation(made["id"])["text"], "the first text")
    shared.call("PATCH", f"/api/generations/{made['id']}", {"temperature": 1.2}).expect(200)
    shared.allow("measured.gate")
    ended = shared.ended(made["id"])
    found = shared.call("GET", f"/api/analytics/generations/{made['id']}").expect(200)
    assert found["generation"]["id"] == made["id"]
    assert found["timings"] == ended["end"]["timings"]
    assert {
        "queued_ms",
        "connect_ms",
        "first_text_ms",
        "duration_ms",
        "max_gap_ms",
        "stalls",
    } <= set(found["timings"])
    first, second = found["segments"]
    assert (first["offset"], first["options"], first["reason"]) == (0, {"temperature": 0.1}, None)
    assert (second["options"], second["reason"], second["mode"]) == (
        {"temperature": 1.2},
        "options",
        "prefix",
    )
    assert first["text_length"] == second["offset"] > 0
    assert first["text_length"] + second["text_length"] == len(ended["text"])
    assert 0 == first["start_ms"] < first["end_ms"] == second["start_ms"] < second["end_ms"]
    rows = found["trace"]
    assert rows[0][:2] == [0, "open"]
    assert rows[-1][1] == "generation-end"
    assert sum(row[2] for row in rows if row[1] == "text-delta") == len(ended["text"])
    assert sum(row[3] for row in rows if row[1] == "text-delta") == 400
    assert all(row[0] >= 0 for row in rows)
    assert found["bytes"]["text"] == len(ended["text"].encode())
    assert found["bytes"]["stored"] > found["bytes"]["text"]
    assert found["attempts"] == 2


def test_an_answer_whose_records_are_deleted_can_still_be_inspected(
    server_factory: MakeServer,
) -> None:
    server = server_factory({"GRANTHA_RECORD_TTL": "0"}).start()
    made = server.ask("scripted/count-50-at-500")
    server.ended(made["id"])
    before = server.call("GET", f"/api/analytics/generations/{made['id']}").expect(200)
    server.terminate()
    server.start()  # the first clean-up runs immediately

    def trimmed() -> bool:
        reply = server.call("GET", f"/api/generations/{made['id']}/events?after=1-2")
        return reply.status == 410

    until(trimmed, "the records to be deleted", hint=server.output)
    after = server.call("GET", f"/api/analytics/generations/{made['id']}").expect(200)
    for name in ("trace", "segments", "bytes", "attempts", "timings"):
        assert after[name] == before[name], name


def test_metrics_count_what_happened(server_factory: MakeServer) -> None:
    server = server_factory().start()
    for model in ("scripted/count-100-at-1000", "scripted/failing"):
        server.ended(server.ask(model)["id"])
    silent = server.ask("scripted/silent")
    server.call("GET", f"/api/generations/{silent['id']}/events?after=1-0&wait=0", headers=_POLL)
    values = _metrics(server)
    assert values["grantha_active_generations"] == 1
    server.call("POST", f"/api/generations/{silent['id']}/stop").expect(200)
    values = _metrics(server)
    ended = 'grantha_generations_ended_total{ending="%s",provider="scripted"}'
    assert values[ended % "done"] == 1
    assert values[ended % "failed"] == 1
    assert values[ended % "stopped"] == 1
    assert values['grantha_generations_started_total{provider="scripted"}'] == 3
    assert values['grantha_stops_total{confirmed="yes",provider="scripted"}'] == 1
    assert values["grantha_active_generations"] == 0
    assert values["grantha_storage_up"] == 1
    assert values["grantha_log_lag_seconds"] >= 0
    assert values["grantha_log_flush_window_seconds"] > 0
    assert values['grantha_attaches_total{resumed="yes",transport="ndjson"}'] == 1
    assert values['grantha_time_to_first_token_seconds_count{provider="scripted"}'] >= 2
    assert values['grantha_time_between_deltas_seconds_count{provider="scripted"}'] >= 1
    assert values['grantha_tokens_per_second_count{provider="scripted"}'] >= 1
    assert values['grantha_output_tokens_total{provider="scripted"}'] >= 100
    assert sum(v for k, v in values.items() if k.startswith("grantha_errors_total")) == 1
    assert values["process_resident_memory_bytes"] > 0
    assert time.time() > values["process_start_time_seconds"]


_POLL = {"Accept": "application/x-ndjson"}


def _metrics(server: Server) -> dict[str, float]:
    reply = server.call("GET", "/metrics")
    assert reply.status == 200
    assert reply.headers["content-type"].startswith("text/plain")
    lines = reply.body.decode().splitlines()
    return {
        name: float(value)
        for name, _, value in (line.rpartition(" ") for line in lines if not line.startswith("#"))
    }
