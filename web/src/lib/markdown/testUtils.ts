// What the tests of this folder share: texts to read, and a plain form of what a reader would see.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { vi } from 'vitest';
import type { Block, Inline } from './ast.ts';

function fixture(name: string): string {
  return readFileSync(join(import.meta.dirname, '../../../../fixtures/markdown', name), 'utf8');
}

/** An answer with everything that models write. */
export const ANSWER = fixture('answer.md');

/** Texts that try to run something, or to fetch something. */
export const HOSTILE = JSON.parse(fixture('hostile.json')) as string[];

/** What browsers have and jsdom doesn't; nothing may depend on what these would report. */
export function stubLayout(): void {
  class Unseen {
    observe(): void {}
    unobserve(): void {}
    disconnect(): void {}
  }
  vi.stubGlobal('ResizeObserver', Unseen);
  vi.stubGlobal('matchMedia', () => new EventTarget());
  Element.prototype.scrollIntoView = () => undefined; // jsdom has none
}

/** The words a reader sees, without any markup. */
export function plainText(blocks: readonly Block[]): string {
  return blocks.map(wordsOfBlock).join('\n');
}

function wordsOfBlock(block: Block): string {
  switch (block.type) {
    case 'paragraph':
    case 'heading':
      return inlineText(block.leaf.inline);
    case 'code':
      return block.lines.join('\n');
    case 'math':
      return block.tex;
    case 'quote':
      return plainText(block.blocks);
    case 'list':
      return block.items.map((item) => plainText(item.blocks)).join('\n');
    case 'table':
      return [block.head, ...block.rows]
        .map((row) => row.cells.map((cell) => inlineText(cell.leaf.inline)).join('\t'))
        .join('\n');
    case 'rule':
      return '';
  }
}

export function inlineText(inlines: readonly Inline[]): string {
  return inlines.map(wordsOfInline).join('');
}

function wordsOfInline(inline: Inline): string {
  switch (inline.type) {
    case 'text':
    case 'code':
      return inline.text;
    case 'math':
      return inline.tex;
    case 'break':
      return '\n';
    case 'image':
      return inline.alt;
    case 'seam':
      return `‹${inline.id}›`;
    case 'reference':
      return `[${inlineText(inline.children)}${inline.after}`;
    default:
      return inlineText(inline.children);
  }
}

/** `inlines` as one line that shows their structure: `strong(word) code(x)`. */
export function sketch(inlines: readonly Inline[]): string {
  return inlines
    .map((inline) => {
      if (inline.type === 'text') return inline.text;
      if (inline.type === 'math') return `${inline.open ? 'open-' : ''}math(${inline.tex})`;
      if (inline.type === 'link') return `link<${inline.href ?? ''}>(${sketch(inline.children)})`;
      if ('children' in inline) return `${inline.type}(${sketch(inline.children)})`;
      return `${inline.type}(${wordsOfInline(inline)})`;
    })
    .join('');
}
