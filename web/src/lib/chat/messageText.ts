// What is taken out of messages: their text, a quotation for the next one, the last piece of code.
import type { Part, SentPart } from '#lib/wire/types.ts';

/** The text of a message as it was written, without what is attached. */
export function messageText(parts: readonly (Part | SentPart)[]): string {
  return parts.map((part) => (part.type === 'text' ? part.text : '')).join('');
}

/** As a Markdown quotation, with room below it. */
export function blockquote(text: string): string {
  const lines = text.split('\n').map((line) => `> ${line}`);
  return `${lines.join('\n')}\n\n`;
}

/** The last fenced block, without its fences; empty when there is none. */
export function lastCodeBlock(text: string): string {
  return [...text.matchAll(/^```[^\n]*\n([\s\S]*?)^```/gm)].at(-1)?.[1] ?? '';
}
