// Text with marked places, as parts to render.
import type { Span } from '#lib/chat/searchTerms.ts';

export interface MarkedPart {
  text: string;
  marked: boolean;
}

/** The server puts matches between two control characters. Matches with a space between them become one. */
export function snippetParts(snippet: string): MarkedPart[] {
  /* eslint-disable no-control-regex -- these are the marks */
  const joined = snippet.replace(/\u0003( ?)\u0002/g, '$1');
  const parts = joined.split(/\u0002([^\u0003]*)\u0003/);
  return parts
    .map((text, n) => ({ text: text.replace(/[\u0002\u0003]/g, ''), marked: n % 2 === 1 }))
    .filter(({ text }) => text !== '');
  /* eslint-enable no-control-regex */
}

export function markedParts(text: string, spans: readonly Span[]): MarkedPart[] {
  const parts: MarkedPart[] = [];
  let at = 0;
  for (const { start, end } of spans) {
    parts.push(
      { text: text.slice(at, start), marked: false },
      { text: text.slice(start, end), marked: true }
    );
    at = end;
  }
  return [...parts, { text: text.slice(at), marked: false }].filter((part) => part.text !== '');
}
