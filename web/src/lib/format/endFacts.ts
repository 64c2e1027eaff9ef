// The numbers of an ended answer, in words. What the log does not say is left out or called unknown, never 0.
import type { Strings } from '#lib/strings/en.ts';
import type { GenerationEnd, Model } from '#lib/wire/types.ts';
import type { Answer } from '#lib/chat/Answer.svelte.ts';
import { costOf, dollars, number, seconds, speedOf } from './numbers.ts';

export function endedFacts(answer: Answer, model: Model | undefined, t: Strings, locale: string): string[] {
  const end = answer.end;
  if (!end) return [];
  const facts = answer.ended === 'stopped' ? stopFacts(answer, t, locale) : paceFacts(end, t, locale);
  const tokens = end.usage?.output_tokens;
  if (typeof tokens === 'number') facts.push(t.tokens(number(tokens, locale)));
  facts.push(...costFacts(answer, end, model, t));
  if (end.finish_reason === 'length') facts.push(t.cutByLength);
  if (end.finish_reason === 'content-filter') facts.push(t.filtered);
  if (facts.length === 0) facts.push(answer.hasText ? t[end.ending] : t.noCallMade);
  return facts;
}

function costFacts(answer: Answer, end: GenerationEnd, model: Model | undefined, t: Strings): string[] {
  const cost = costOf(end.usage, model);
  if (cost !== null) return [dollars(cost)];
  const costs = Boolean(model?.capabilities.output_price);
  return costs && answer.ended !== 'done' && answer.hasText ? [t.costUnknown] : [];
}

function paceFacts(end: GenerationEnd, t: Strings, locale: string): string[] {
  const first = end.timings?.first_text_ms;
  const speed = speedOf(end);
  return [
    ...(typeof first === 'number' ? [t.toFirstToken(seconds(first, locale))] : []),
    ...(speed === null ? [] : [t.tokensPerSecond(number(speed, locale))])
  ];
}

function stopFacts(answer: Answer, t: Strings, locale: string): string[] {
  const receipt = answer.end?.receipt;
  if (!receipt) return [];
  if (receipt.confirmed === false) return [t.notConfirmed];
  return typeof receipt.closed_ms === 'number' ? [t.closedIn(number(receipt.closed_ms, locale))] : [];
}
