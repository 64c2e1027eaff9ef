// Extracts from messages: their text, a blockquote of it, the last code block.
import type { Part, SentPart } from '#lib/wire/types.ts';

/** The text of a message, without its attachments. */
export function messageText(parts: readonly (Part | SentPart)[]): string {
  return parts.map((part) => (part.type === 'text' ? part.text : '')).join('');
}

/** `text` as a Markdown blockquote, followed by a blank line. */
export function blockquote(text: string): string {
  const lines = text.split('\n').map((line) => `> ${line}`);
  return `${lines.join('\n')}\n\n`;
}

/** The last fenced block, without its fences; empty when there is none. */
export function lastCodeBlock(text: string): string {
  return [...text.matchAll(/^```[^\n]*\n([\s\S]*?)^```/gm)].at(-1)?.[1] ?? '';
}
