// The numbers of an ended answer, in words. What the log does not say is left out or called unknown, never 0.
import type { Strings } from '#lib/strings/en.ts';
import type { Model } from '#lib/wire/types.ts';
import type { Answer } from './Answer.svelte.ts';
import { costOf, dollars, number, seconds, speedOf } from './facts.ts';

export function endedFacts(answer: Answer, model: Model | undefined, t: Strings, locale: string): string[] {
  const end = answer.end;
  if (!end) return [];
  const facts: string[] = [];
  const first = end.timings?.first_text_ms;
  if (answer.ended === 'stopped') facts.push(...stopFacts(answer, t, locale));
  else if (typeof first === 'number') facts.push(t.toFirstToken(seconds(first, locale)));
  const speed = speedOf(end);
  if (speed !== null && answer.ended !== 'stopped') facts.push(t.tokensPerSecond(number(speed, locale)));
  const tokens = end.usage?.output_tokens;
  if (typeof tokens === 'number') facts.push(t.tokens(number(tokens, locale)));
  const cost = costOf(end.usage, model);
  if (cost !== null) facts.push(dollars(cost));
  else if (answer.ended !== 'done' && answer.hasText && model?.capabilities.output_price)
    facts.push(t.costUnknown);
  if (end.finish_reason === 'length') facts.push(t.cutByLength);
  if (end.finish_reason === 'content-filter') facts.push(t.filtered);
  if (facts.length === 0) facts.push(answer.hasText ? t[end.ending] : t.noCallMade);
  return facts;
}

function stopFacts(answer: Answer, t: Strings, locale: string): string[] {
  const receipt = answer.end?.receipt;
  if (!receipt) return [];
  if (receipt.confirmed === false) return [t.notConfirmed];
  return typeof receipt.closed_ms === 'number' ? [t.closedIn(number(receipt.closed_ms, locale))] : [];
}
