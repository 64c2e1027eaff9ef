"""SQL of the analytics: counts, speed and cost of the generations that ended since a time.

Computed from the stored end records. A percentile is the nearest rank: the smallest value that at
least that share of the values doesn't exceed. What no end record states is NULL, never 0.
"""

from __future__ import annotations

from sqlalchemy import Connection, TextClause, text

from grantha.storage.base import AnalyticsGroup, AnalyticsSummary

_QUERY = """
WITH ended AS (
  SELECT {key} AS key, status,
    json_extract("end", '$.timings.first_text_ms') AS ttft,
    json_extract("end", '$.timings.tok_s') AS tok_s,
    json_extract("end", '$.usage.output_tokens') AS tokens,
    json_extract("end", '$.usage.cost_usd') AS cost
  FROM generations
  -- json_extract fails on JSON that is damaged, and with it the whole summary
  WHERE subject = :subject AND ended_at >= :since AND ("end" IS NULL OR json_valid("end"))
), ranked AS (
  SELECT *,
    row_number() OVER (PARTITION BY key, ttft IS NULL ORDER BY ttft) AS ttft_rank,
    count(ttft) OVER (PARTITION BY key) AS ttft_count,
    row_number() OVER (PARTITION BY key, tok_s IS NULL ORDER BY tok_s) AS tok_s_rank,
    count(tok_s) OVER (PARTITION BY key) AS tok_s_count
  FROM ended
)
SELECT key, count(*) AS generations,
  sum(status IN ('failed', 'interrupted')) AS errors,
  sum(status = 'stopped') AS stopped,
  sum(tokens) AS output_tokens,
  sum(cost) AS cost_usd,
  max(CASE WHEN ttft_rank = (ttft_count * 50 + 99) / 100 THEN ttft END) AS ttft_p50_ms,
  max(CASE WHEN ttft_rank = (ttft_count * 95 + 99) / 100 THEN ttft END) AS ttft_p95_ms,
  max(CASE WHEN tok_s_rank = (tok_s_count * 50 + 99) / 100 THEN tok_s END) AS tok_s_p50
FROM ranked GROUP BY key ORDER BY {order}
"""
_TOTALS = text(_QUERY.format(key="''", order="1"))
_BY_MODEL = text(_QUERY.format(key="model", order="generations DESC, key"))
_BY_DAY = text(_QUERY.format(key="date(ended_at / 1000, 'unixepoch')", order="key"))
_EMPTY = AnalyticsGroup("", 0, 0, 0)


def summary(connection: Connection, subject: str, since: int) -> AnalyticsSummary:
    """See `Store.analytics`."""

    def rows(query: TextClause) -> tuple[AnalyticsGroup, ...]:
        found = connection.execute(query, {"subject": subject, "since": since})
        return tuple(AnalyticsGroup(**row) for row in found.mappings())

    totals = rows(_TOTALS)
    return AnalyticsSummary(totals[0] if totals else _EMPTY, rows(_BY_MODEL), rows(_BY_DAY))
