// Lays conversations out as lines of known height under date headings, and finds those near the viewport.
import type { ConversationRow } from '#lib/wire/types.ts';

type Heading = 'pinned' | 'today' | 'yesterday' | 'earlierThisWeek' | 'earlierThisMonth';
/** A heading by its name, or a month such as "2026-10". */
export type GroupHeading = Heading | Month;
export type Month = `${number}-${number}`;
export type ListLine =
  | { key: string; heading: GroupHeading; row: null; units: number }
  | { key: string; heading: null; row: ConversationRow; units: number };

const OVERSCAN = 8;

/** Rows under date headings. `today` is a date string. */
export function groupByDate(rows: readonly ConversationRow[], today: string): ListLine[] {
  const lines: ListLine[] = [];
  let last: GroupHeading | null = null;
  const midnight = new Date(today);
  for (const row of rows) {
    const heading = headingOf(row, midnight);
    // With clocks that differ, a row may belong under an earlier heading: it stays where it sorts.
    if (heading !== last) lines.push({ key: `${heading}:${row.id}`, heading, row: null, units: 1.375 });
    last = heading;
    lines.push({ key: row.id, heading: null, row, units: 1 });
  }
  return lines;
}

/** The lines within and near the viewport, with their positions in px. */
export function visibleLines(
  lines: readonly ListLine[],
  unit: number,
  top: number,
  height: number
): { total: number; lines: (ListLine & { top: number })[] } {
  const shown: (ListLine & { top: number })[] = [];
  let at = 0;
  for (const line of lines) {
    const size = line.units * unit;
    if (at + size > top - OVERSCAN * unit && at < top + height + OVERSCAN * unit)
      shown.push({ ...line, top: at });
    at += size;
  }
  return { total: at, lines: shown };
}

const DAY_MS = 24 * 60 * 60 * 1000;

function headingOf(row: ConversationRow, midnight: Date): GroupHeading {
  if (row.pinned) return 'pinned';
  const at = new Date(row.updated_at);
  const age = midnight.getTime() - at.getTime();
  if (age <= 0) return 'today';
  if (age <= DAY_MS) return 'yesterday';
  if (age <= 7 * DAY_MS) return 'earlierThisWeek';
  const month = monthOf(at);
  return month === monthOf(midnight) ? 'earlierThisMonth' : month;
}

function monthOf(at: Date): Month {
  return `${at.getFullYear()}-${at.getMonth() + 1}`;
}
