// The stats of an ended answer as text. Unknown values are left out or called unknown, never 0.
import type { Strings } from '#lib/strings/en.ts';
import type { GenerationEnd, Model } from '#lib/wire/types.ts';
import type { Answer } from '#lib/chat/Answer.svelte.ts';
import {
  generationCost,
  formatDollars,
  formatNumber,
  formatDuration,
  formatSpeed,
  outputSpeed
} from './numbers.ts';

/** `brief` leaves out how fast it was. */
export function endFacts(
  answer: Answer,
  model: Model | undefined,
  t: Strings,
  locale: string,
  brief = false
): string[] {
  const end = answer.end;
  if (!end) return [];
  const facts: string[] = [];
  if (!brief)
    facts.push(...(answer.ended === 'stopped' ? stopFacts(answer, t, locale) : paceFacts(end, t, locale)));
  const tokens = end.usage?.output_tokens;
  if (typeof tokens === 'number') facts.push(t.tokens(formatNumber(tokens, locale)));
  facts.push(...costFacts(answer, end, model, t));
  if (end.finish_reason === 'length') facts.push(t.lengthLimitReached);
  if (end.finish_reason === 'content-filter') facts.push(t.contentFiltered);
  if (facts.length === 0) facts.push(answer.hasText ? t[end.ending] : t.nothingSent);
  return facts;
}

function costFacts(answer: Answer, end: GenerationEnd, model: Model | undefined, t: Strings): string[] {
  const cost = generationCost(end.usage, model);
  if (cost !== null) return [formatDollars(cost)];
  const costs = Boolean(model?.capabilities.output_price);
  return costs && answer.ended !== 'done' && answer.hasText ? [t.costUnknown] : [];
}

function paceFacts(end: GenerationEnd, t: Strings, locale: string): string[] {
  const first = end.timings?.first_text_ms;
  const speed = outputSpeed(end.timings ?? {});
  return [
    ...(typeof first === 'number' ? [t.toFirstToken(formatDuration(first, locale))] : []),
    ...(speed === null ? [] : [t.tokensPerSecond(formatSpeed(speed, locale))])
  ];
}

function stopFacts(answer: Answer, t: Strings, locale: string): string[] {
  const receipt = answer.end?.receipt;
  if (!receipt) return [];
  if (receipt.confirmed === false) return [t.notConfirmed];
  return typeof receipt.closed_ms === 'number' ? [t.closedIn(formatNumber(receipt.closed_ms, locale))] : [];
}
