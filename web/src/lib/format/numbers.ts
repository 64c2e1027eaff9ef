// Formats numbers for people: durations with units, money, token counts, bytes.
import type { Timings } from '#lib/wire/schema.ts';
import type { Model, Usage } from '#lib/wire/types.ts';

/** "0.31 s", "14.2 s", "3 min 05 s". */
export function formatDuration(ms: number, locale?: string): string {
  const s = ms / 1000;
  if (s >= 100) return `${Math.floor(s / 60)} min ${String(Math.floor(s % 60)).padStart(2, '0')} s`;
  const digits = s < 1 ? 2 : 1;
  return `${formatNumber(s, locale, digits)} s`;
}

/** Making one takes the browser longer than rendering what needs it. */
const formats = new Map<string, Intl.NumberFormat>();

export function formatNumber(value: number, locale?: string, digits = 0): string {
  const key = `${locale ?? ''} ${String(digits)}`;
  let format = formats.get(key);
  if (!format) {
    const options = { minimumFractionDigits: digits, maximumFractionDigits: digits };
    formats.set(key, (format = new Intl.NumberFormat(locale, options)));
  }
  return format.format(value);
}

/** "$0.0011", "$18.42", "$0". */
export function formatDollars(value: number): string {
  if (value === 0) return '$0';
  return `$${value.toFixed(value < 0.1 ? 4 : 2)}`;
}

/** "32k", "1M". */
export function compactTokens(value: number): string {
  if (value > 0 && value % 1024 === 0 && value < 1_000_000) return `${value / 1024}k`;
  if (value >= 1_000_000) return `${Math.round(value / 100_000) / 10}M`;
  return value >= 1000 ? `${Math.round(value / 1000)}k` : String(value);
}

export function formatBytes(value: number, locale?: string): string {
  return value < 1000 ? `${value} B` : `${formatNumber(value / 1000, locale, value < 100_000 ? 1 : 0)} kB`;
}

/** Sizes of files and memory: "98 MB", "2.7 GB", "8 GB". */
export function formatSize(value: number, locale?: string): string {
  const [scale, unit] = value >= 1e9 ? [1e9, 'GB'] : value >= 1e6 ? [1e6, 'MB'] : [1e3, 'kB'];
  const digits = unit === 'GB' && value < 1e11 ? 1 : 0;
  return `${(value / scale).toLocaleString(locale, { maximumFractionDigits: digits })} ${unit}`;
}

/** Cost in dollars: as billed by the provider, or computed from the model's prices; null when unknown. */
export function generationCost(usage: Usage | null | undefined, model: Model | undefined): number | null {
  if (!usage) return null;
  if (usage.cost_usd !== undefined) return usage.cost_usd;
  const { input_price: input, output_price: output } = model?.capabilities ?? {};
  if (typeof input !== 'number' || typeof output !== 'number') return null;
  if (usage.input_tokens === undefined || usage.output_tokens === undefined) return null;
  return (usage.input_tokens * input + usage.output_tokens * output) / 1_000_000;
}

export interface Speed {
  value: number;
  estimated: boolean;
}

/** Tokens per second while writing; estimated from deltas if the usage is unknown, null if nothing is known. */
export function outputSpeed(timings: Timings): Speed | null {
  if (timings.tok_s !== undefined) return { value: timings.tok_s, estimated: false };
  return timings.deltas_s === undefined ? null : { value: timings.deltas_s, estimated: true };
}

/** A number that isn't exact, marked as such. */
export function formatEstimate(value: number, locale: string): string {
  return `≈ ${formatNumber(value, locale)}`;
}

export function formatSpeed({ value, estimated }: Speed, locale: string): string {
  return estimated ? formatEstimate(value, locale) : formatNumber(value, locale);
}
