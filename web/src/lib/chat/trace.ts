// Parses a trace (one row per record) for the inspector: ids, times, gaps, and the text length at any moment.
import type { Trace, TraceRow } from '#lib/wire/types.ts';

/** Gaps from this length on are marked, in ms. */
export const GAP_MS = 500;

export interface TraceRecord {
  id: string;
  kind: string;
  /** ms after the first record. */
  at: number;
  gap: number;
  codePoints: number;
  deltas: number;
  /** Code points of visible text up to and including this record. */
  textLength: number;
}

/** Computes id and time of every row. Each `open` record after the first starts the next epoch at 0. */
export function parseTrace(rows: readonly TraceRow[]): TraceRecord[] {
  let [at, epoch, seq, textLength] = [0, 1, -1, 0];
  return rows.map(([gap, kind, codePoints, deltas], n) => {
    if (n > 0) at += gap;
    if (kind === 'open' && n > 0) [epoch, seq] = [epoch + 1, -1];
    seq++;
    if (kind === 'text-delta') textLength += codePoints;
    return { id: `${epoch}-${seq}`, kind, at, gap: n > 0 ? gap : 0, codePoints, deltas, textLength };
  });
}

export function findGaps(records: readonly TraceRecord[]): TraceRecord[] {
  const first = records.findIndex((record) => record.codePoints > 0);
  return records.filter((record, n) => n > first && first >= 0 && record.gap >= GAP_MS);
}

/** Length of the visible text at a moment of the replay, in code points. */
export function textLengthAt(records: readonly TraceRecord[], ms: number): number {
  let [low, high] = [0, records.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((records[middle]?.at ?? 0) <= ms) low = middle + 1;
    else high = middle;
  }
  return records[low - 1]?.textLength ?? 0;
}

/** The median gap between two records with text, in ms; null with fewer than two. */
export function medianGap(records: readonly TraceRecord[]): number | null {
  const gaps = records
    .filter((record) => record.codePoints > 0)
    .slice(1)
    .map((record) => record.gap)
    .sort((a, b) => a - b);
  return gaps[gaps.length >> 1] ?? null;
}

export interface TimelineBar {
  x: number;
  height: number;
}

/** One bar per record, merged per pixel column, so that their number is bounded. */
export function timelineBars(records: readonly TraceRecord[], width: number, height: number): TimelineBar[] {
  const whole = records.at(-1)?.at || 1;
  const columns = new Map<number, number>();
  for (const record of records) {
    if (record.codePoints === 0) continue;
    const x = Math.round((record.at / whole) * width * 2) / 2;
    columns.set(x, (columns.get(x) ?? 0) + record.codePoints);
  }
  const most = Math.max(1, ...columns.values());
  return [...columns].map(([x, codePoints]) => ({
    x,
    height: 4 + (height - 4) * Math.sqrt(codePoints / most)
  }));
}

/** The log as it is exported, in JSON. */
export function exportTrace(trace: Trace): string {
  return JSON.stringify({ ...trace, records: parseTrace(trace.trace) }, null, 2);
}
