// Scales and paths for the charts by day.

import type { DayStatistics } from '#lib/wire/types.ts';

export interface Series {
  name: string;
  color: string;
  values: (number | null)[];
}

/** Round ticks from 0 to at least `most`, at most five; with `whole`, only whole numbers. */
export function axisTicks(most: number, whole = false): number[] {
  if (!(most > 0)) return [0, 1];
  const rough = Math.max(most / 4, whole ? 1 : 0);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((n) => n * power).find((n) => n >= rough) ?? 10 * power;
  return Array.from({ length: Math.ceil(most / step) + 1 }, (_, n) => round(n * step));
}

/** Minimum and maximum of all known values; [0, 0] when there are none. */
export function valueRange(series: readonly Series[]): [number, number] {
  const known = series.flatMap((one) => one.values).filter((value) => value !== null);
  return known.length === 0 ? [0, 0] : [Math.min(...known), Math.max(...known)];
}

/** An SVG path through the known values; a gap in the values is a gap in the line. */
export function linePath(
  values: readonly (number | null)[],
  x: (n: number) => number,
  y: (value: number) => number
): string {
  let pen = 'M';
  return values
    .map((value, n) => {
      if (value === null) {
        pen = 'M';
        return '';
      }
      const step = `${pen}${x(n).toFixed(1)} ${y(value).toFixed(1)}`;
      pen = 'L';
      return step;
    })
    .join('');
}

function round(value: number): number {
  return Number(value.toPrecision(12));
}

/** One row for each of the last `count` days (UTC) up to `now`; days without answers have counts of 0. */
export function fillDays(rows: readonly DayStatistics[], count: number, now: number): DayStatistics[] {
  const known = new Map(rows.map((row) => [row.day, row]));
  return Array.from({ length: Math.max(2, count) }, (_, n) => {
    const day = new Date(now - (Math.max(2, count) - 1 - n) * DAY_MS).toISOString().slice(0, 10);
    return known.get(day) ?? { ...NOTHING, day };
  });
}

const DAY_MS = 24 * 60 * 60 * 1000;
const NOTHING = {
  generations: 0,
  errors: 0,
  stopped: 0,
  output_tokens: 0,
  cost_usd: null,
  first_text_p50_ms: null,
  first_text_p95_ms: null,
  tok_s_p50: null
};
