// What the page shows about a download: how much has arrived, how fast, and how long it will take.
import type { Strings } from '#lib/strings/en.ts';
import type { Download } from '#lib/wire/types.ts';
import { formatSize } from './numbers.ts';

/** Below this speed, in bytes per second, nothing seems to arrive. */
const SILENT = 1000;

export function downloadFacts(download: Download, t: Strings, locale: string): string[] {
  const { received, total, speed, state } = download;
  const size = formatSize(received, locale);
  const facts = [total === null ? size : t.downloadOf(size, formatSize(total, locale))];
  if (state !== 'running') return [t.downloadStates[state], ...facts];
  if (speed === null) return facts;
  if (speed < SILENT) return [...facts, t.waitingForData];
  facts.push(t.perSecond(formatSize(speed, locale)));
  if (total !== null) facts.push(t.timeLeft(timeLeft((total - received) / speed)));
  return facts;
}

/** Rounded, because the speed changes: "40 s", "3 min", "2 h 10 min". */
function timeLeft(seconds: number): string {
  if (seconds < 55) return `${Math.max(5, Math.ceil(seconds / 5) * 5)} s`;
  const minutes = Math.ceil(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
