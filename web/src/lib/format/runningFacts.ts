// The status line of a running answer: what is happening and, when nothing is, which side is silent.
import type { Strings } from '#lib/strings/en.ts';
import type { Answer, ShownStatus } from '#lib/chat/Answer.svelte.ts';
import { formatDuration, formatEstimate, formatNumber } from './numbers.ts';

export interface Fact {
  key: string;
  text: string;
  /** Hidden where there is little room. */
  wide?: boolean;
}

export function stateText(
  answer: Answer,
  status: ShownStatus,
  now: number,
  t: Strings,
  locale: string
): string {
  if (answer.reconnected) return t.reconnected;
  if (status === 'stalled') {
    const network = answer.isDisconnected(now);
    const since = network ? answer.connection?.lastByte || answer.disconnectedSince : answer.lastRecord;
    const time = wholeSeconds(now - (since || now), locale);
    return network ? t.serverSilent(time) : noticeWords(answer, t, locale) || t.modelSilent(time);
  }
  const notice = noticeWords(answer, t, locale);
  if (notice) return notice;
  if (status === 'writing') return t.writing;
  return answer.parts.some((part) => part.kind === 'reasoning' && part.text) ? t.reasoning : t.waiting;
}

export function runningFacts(
  answer: Answer,
  status: ShownStatus,
  now: number,
  t: Strings,
  locale: string
): Fact[] {
  if (status === 'stalled' && answer.isDisconnected(now)) {
    return [
      { key: 'goes-on', text: t.continuesOnServer, wide: true },
      { key: 'trying', text: t.reconnecting, wide: true }
    ];
  }
  if (status === 'stalled') return [{ key: 'kept', text: t.textSaved, wide: true }];
  const facts: Fact[] = [{ key: 'elapsed', text: formatDuration(answer.elapsed(now), locale) }];
  // Together, so that none moves when another comes.
  if (status === 'writing' && answer.speed !== null) {
    facts.push({ key: 'speed', text: t.tokensPerSecond(formatEstimate(answer.speed, locale)) });
    facts.push({ key: 'tokens', text: t.tokens(formatEstimate(answer.deltas, locale)), wide: true });
  }
  if (answer.connection?.fallback) {
    const over = answer.connection.transport === 'poll' ? t.overPoll : t.overWebSocket;
    if (answer.connection.transport !== 'sse') facts.push({ key: 'over', text: over, wide: true });
  }
  return facts;
}

/** The server's latest notice as text; empty when there is none. */
function noticeWords(answer: Answer, t: Strings, locale: string): string {
  const notice = answer.notice;
  if (!notice) return '';
  switch (notice.code) {
    case 'accepted':
      return '';
    case 'retrying': {
      const error = notice.details['error'] as { code?: string } | undefined;
      const pause = notice.details['delay_ms'];
      // Only a wait requested by the provider is shown; our own backoff is short.
      return error?.code === 'rate_limited' && typeof pause === 'number'
        ? t.retryWait(wholeSeconds(pause, locale))
        : t.retrying;
    }
    default:
      return notice.message;
  }
}

function wholeSeconds(ms: number, locale: string): string {
  return `${formatNumber(Math.max(0, Math.round(ms / 1000)), locale)} s`;
}
