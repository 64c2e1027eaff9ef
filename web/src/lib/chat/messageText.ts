// Extracts from messages: their text, a blockquote of it, the last code block.
import { MarkdownDocument } from '#lib/markdown/document.ts';
import type { Block, Code } from '#lib/markdown/ast.ts';
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

/** The last code block, wherever it stands, without its fences; empty when there is none. */
export function lastCodeBlock(text: string): string {
  const { blocks } = new MarkdownDocument().update(text, false);
  const code = codeBlocks(blocks).at(-1);
  return code ? `${code.lines.join('\n')}\n` : '';
}

function codeBlocks(blocks: readonly Block[]): Code[] {
  return blocks.flatMap((block) => {
    if (block.type === 'code') return [block];
    if (block.type === 'quote') return codeBlocks(block.blocks);
    return block.type === 'list' ? block.items.flatMap((item) => codeBlocks(item.blocks)) : [];
  });
}
