// The facts at the top of the inspector: name, value, remark. Unknown values are called unknown, never 0.
import type { Strings } from '#lib/strings/en.ts';
import type { Trace } from '#lib/wire/types.ts';
import type { TransferSize } from '#lib/wire/transferSize.ts';
import { formatBytes, formatNumber, formatDuration, formatSpeed, outputSpeed } from './numbers.ts';
import { medianGap, type TraceRecord } from '#lib/chat/trace.ts';

export type NamedFact = [name: string, value: string, remark: string];

export function inspectorFacts(
  trace: Trace,
  records: readonly TraceRecord[],
  gaps: readonly TraceRecord[],
  received: TransferSize | null,
  t: Strings,
  locale: string
): NamedFact[] {
  const { timings } = trace;
  const time = (ms: number | undefined): string =>
    ms === undefined ? t.unknown : formatDuration(ms, locale);
  const gap = medianGap(records);
  const speed = outputSpeed(timings);
  return [
    [t.queuedFor, time(timings.queued_ms), ''],
    [t.connectedIn, time(timings.connect_ms), ''],
    [t.firstToken, time(timings.first_text_ms), ''],
    [t.duration, time(timings.duration_ms), ''],
    [
      t.speed,
      speed === null ? t.unknown : t.tokensPerSecond(formatSpeed(speed, locale)),
      gap === null ? '' : t.medianGap(`${Math.round(gap)} ms`)
    ],
    [t.records, formatNumber(records.length, locale), t.upTo(records.at(-1)?.id ?? '')],
    [
      t.gaps,
      gaps.length === 0 ? t.none : formatNumber(gaps.length, locale),
      gaps.length > 0 && timings.max_gap_ms !== undefined
        ? t.longest(formatDuration(timings.max_gap_ms, locale))
        : ''
    ],
    [t.attempts, formatNumber(trace.attempts, locale), ''],
    byteFact(trace, received, t, locale)
  ];
}

function byteFact(trace: Trace, received: TransferSize | null, t: Strings, locale: string): NamedFact {
  const { stored } = trace.bytes;
  return [
    t.bytes,
    stored === null ? t.unknown : formatBytes(stored, locale),
    received
      ? t.receivedAs(formatBytes(received.compressed, locale), formatBytes(received.plain, locale))
      : ''
  ];
}
