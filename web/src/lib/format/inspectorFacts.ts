// The facts at the head of the inspector: name, value, and a remark. Unknown is said, never 0.
import type { Strings } from '#lib/strings/en.ts';
import type { Trace } from '#lib/wire/types.ts';
import { received } from '#lib/wire/transferSize.ts';
import { bytes, number, seconds } from './numbers.ts';
import { medianGap, type TraceRecord } from '#lib/chat/trace.ts';

export type NamedFact = [name: string, value: string, remark: string];

export function inspectorFacts(
  trace: Trace,
  records: readonly TraceRecord[],
  silences: readonly TraceRecord[],
  t: Strings,
  locale: string
): NamedFact[] {
  const { timings } = trace;
  const time = (ms: number | undefined): string => (ms === undefined ? t.unknown : seconds(ms, locale));
  const gap = medianGap(records);
  const speed = timings.tok_s;
  return [
    [t.queuedFor, time(timings.queued_ms), ''],
    [t.connectedIn, time(timings.connect_ms), ''],
    [t.firstToken, time(timings.first_text_ms), ''],
    [t.lasted, time(timings.duration_ms), ''],
    [
      t.speed,
      speed === undefined ? t.unknown : t.tokensPerSecond(number(speed, locale)),
      gap === null ? '' : t.halfOfGaps(`${Math.round(gap)} ms`)
    ],
    [t.records, number(records.length, locale), t.upTo(records.at(-1)?.id ?? '')],
    [
      t.silences,
      silences.length === 0 ? t.none : number(silences.length, locale),
      silences.length > 0 && timings.max_gap_ms !== undefined
        ? t.longest(seconds(timings.max_gap_ms, locale))
        : ''
    ],
    [t.attempts, number(trace.attempts, locale), ''],
    byteFact(trace, t, locale)
  ];
}

function byteFact(trace: Trace, t: Strings, locale: string): NamedFact {
  const { stored } = trace.bytes;
  const came = received(trace.generation.id);
  return [
    t.bytes,
    stored === null ? t.unknown : bytes(stored, locale),
    came ? t.receivedAs(bytes(came.packed, locale), bytes(came.plain, locale)) : ''
  ];
}
