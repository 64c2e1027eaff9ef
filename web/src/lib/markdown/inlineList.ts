// The working list of the inline parser: a doubly linked list, so that wrapping any stretch of it into a span
// costs O(1). It turns into plain Inline arrays when the text has been read.

import { safeLinkUrl } from './urls.ts';
import type { Inline } from './ast.ts';

export interface InlineNode {
  inline: Inline;
  prev: InlineNode | null;
  next: InlineNode | null;
}

export class InlineList {
  first: InlineNode | null = null;
  last: InlineNode | null = null;

  add(inline: Inline): InlineNode {
    const node: InlineNode = { inline, prev: this.last, next: null };
    if (this.last) this.last.next = node;
    else this.first = node;
    this.last = node;
    return node;
  }

  remove(node: InlineNode): void {
    if (node.prev) node.prev.next = node.next;
    else this.first = node.next;
    if (node.next) node.next.prev = node.prev;
    else this.last = node.prev;
  }

  /** Takes out everything behind `from` and before `to` (null: to the end). */
  takeBetween(from: InlineNode, to: InlineNode | null): Inline[] {
    const first = from.next;
    if (!first || first === to) return [];
    const taken = collect(first, to);
    from.next = to;
    if (to) to.prev = from;
    else this.last = from;
    return taken;
  }

  insertAfter(node: InlineNode, inline: Inline): InlineNode {
    const added: InlineNode = { inline, prev: node, next: node.next };
    if (node.next) node.next.prev = added;
    else this.last = added;
    node.next = added;
    return added;
  }

  toInline(): Inline[] {
    return this.first ? collect(this.first, null) : [];
  }
}

/** The pieces from `first` up to `to`, neighbouring texts joined. */
function collect(first: InlineNode, to: InlineNode | null): Inline[] {
  const all: Inline[] = [];
  for (let node: InlineNode | null = first; node && node !== to; node = node.next) {
    const { inline } = node;
    const before = all.at(-1);
    if (inline.type === 'text' && before?.type === 'text' && before.at + before.text.length === inline.at) {
      all[all.length - 1] = { ...before, text: before.text + inline.text };
    } else if (inline.type !== 'text' || inline.text !== '') all.push(inline);
  }
  return all;
}

const BARE_ADDRESS = /(?<![\p{L}\p{N}_/@.-])(?:https?:\/\/|www\.)[^\s<>"]{1,2000}/giu;

/** `inlines` with bare web addresses made links (GFM's extended autolinks). With `live`, the last may be half. */
export function withBareLinks(inlines: readonly Inline[], live: boolean): Inline[] {
  return inlines.flatMap((inline, n): Inline[] => {
    const last = live && n === inlines.length - 1;
    if (inline.type === 'text') return /:\/\/|www\./i.test(inline.text) ? linked(inline, last) : [inline];
    if (!('children' in inline) || inline.type === 'link' || inline.type === 'reference') return [inline];
    return [{ ...inline, children: withBareLinks(inline.children, last) }];
  });
}

function linked(text: Inline & { type: 'text' }, live: boolean): Inline[] {
  const parts: Inline[] = [];
  let from = 0;
  for (const match of text.text.matchAll(BARE_ADDRESS)) {
    const shown = withoutTrail(match[0]);
    const at = match.index;
    const half = live && at + match[0].length === text.text.length;
    const href = safeLinkUrl(/^www\./i.test(shown) ? `http://${shown}` : shown);
    if (!href && !half) continue;
    if (at > from) parts.push({ type: 'text', at: text.at + from, text: text.text.slice(from, at) });
    const children: Inline[] = [{ type: 'text', at: text.at + at, text: shown }];
    parts.push({ type: 'link', at: text.at + at, href: half ? null : href, children });
    from = at + shown.length;
  }
  if (from < text.text.length) parts.push({ type: 'text', at: text.at + from, text: text.text.slice(from) });
  return parts;
}

/** Punctuation behind an address belongs to the sentence; so does a closing bracket that none opened. */
function withoutTrail(address: string): string {
  let shown = address;
  for (;;) {
    const trimmed = shown.replace(/[?!.,:;*_~'"]+$/, '');
    const unopened = trimmed.endsWith(')') && count(trimmed, ')') > count(trimmed, '(');
    const next = unopened ? trimmed.slice(0, -1) : trimmed;
    if (next === shown) return shown;
    shown = next;
  }
}

function count(text: string, c: string): number {
  return text.split(c).length - 1;
}
