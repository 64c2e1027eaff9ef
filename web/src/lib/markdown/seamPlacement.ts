// Puts seam marks into parsed text. The parser knows nothing about them, so a seam never changes parsing, and a
// finished block is rendered again only if a seam falls into it.
// Rule: a seam belongs to the last leaf that begins before it, so that it never moves when more text comes.

import type { Block, Inline, Leaf, Row } from './ast.ts';

/** A place where two Segments meet: an offset into the source, in UTF-16 units. */
export interface SeamPosition {
  readonly offset: number;
  readonly id: string;
}

/** Seams by the start of the leaf or code block that holds them. */
export type SeamsByOwner = ReadonlyMap<number, readonly SeamPosition[]>;

export const NO_SEAMS: readonly SeamPosition[] = [];

/** Offset in the source where `leaf` begins: its name among all leaves. */
export function startOf(leaf: Leaf): number {
  return leaf.lines[0]?.source ?? -1;
}

/** Finds the leaf or code block of each seam. Returns the same map while nothing changes. */
export class SeamLocator {
  #owners: SeamsByOwner = new Map();

  update(blocks: readonly Block[], seams: readonly SeamPosition[]): SeamsByOwner {
    const owners = new Map<number, readonly SeamPosition[]>();
    for (const seam of seams) {
      // Before all text, it goes to the first that can hold it.
      const start = ownerIn(blocks, seam.offset) ?? ownerIn(blocks.slice(0, 1), Number.POSITIVE_INFINITY);
      if (start !== null) owners.set(start, [...(owners.get(start) ?? []), seam]);
    }
    if (!sameOwners(owners, this.#owners)) this.#owners = owners;
    return this.#owners;
  }
}

function sameOwners(a: SeamsByOwner, b: SeamsByOwner): boolean {
  if (a.size !== b.size) return false;
  return [...a].every(([start, seams]) => {
    const others = b.get(start);
    return others?.length === seams.length && seams.every((seam, n) => same(seam, others[n]));
  });
}

function same(a: SeamPosition, b: SeamPosition | undefined): boolean {
  return a.id === b?.id && a.offset === b.offset;
}

/** Start of the last leaf or code block among `blocks` that begins before `offset`; null if there is none. */
function ownerIn(blocks: readonly Block[], offset: number): number | null {
  return lastAnswer(blocks, offset, (block) => {
    switch (block.type) {
      case 'paragraph':
      case 'heading':
        return startOf(block.leaf);
      case 'code':
        return block.key;
      case 'quote':
        return ownerIn(block.blocks, offset);
      case 'list':
        return lastAnswer(block.items, offset, (item) => ownerIn(item.blocks, offset));
      case 'table':
        return lastAnswer([block.head, ...block.rows], offset, (row) => ownerAmongCells(row, offset));
      default:
        return null;
    }
  });
}

function ownerAmongCells(row: Row, offset: number): number | null {
  const starts = row.cells.map((cell) => startOf(cell.leaf));
  return starts.findLast((start) => start >= 0 && start < offset) ?? null;
}

/** The result of `ask` for the last of `parts` that yields one before `offset`; null if none does. */
function lastAnswer<T extends { readonly key: number }>(
  parts: readonly T[],
  offset: number,
  ask: (part: T) => number | null
): number | null {
  for (let n = countBefore(parts, offset) - 1; n >= 0; n--) {
    const answer = ask(parts[n] as T);
    if (answer !== null && answer < offset) return answer;
  }
  return null;
}

/** How many of `parts` begin before `offset`. */
function countBefore(parts: readonly { readonly key: number }[], offset: number): number {
  let low = 0;
  let high = parts.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((parts[middle]?.key ?? 0) < offset) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The text of `leaf` with `seams` in place. */
export function withSeams(leaf: Leaf, seams: readonly SeamPosition[]): readonly Inline[] {
  return seams.reduce(
    (inlines, { offset, id }) => inserted(inlines, { type: 'seam', at: placeIn(leaf, offset), id }),
    leaf.inline
  );
}

function placeIn(leaf: Leaf, offset: number): number {
  const n = Math.max(
    0,
    leaf.lines.findLastIndex((line) => line.source < offset)
  );
  const line = leaf.lines[n];
  if (!line) return 0;
  const end = leaf.lines[n + 1]?.at ?? Number.POSITIVE_INFINITY;
  return Math.max(line.at, Math.min(line.at + offset - line.source, end));
}

function inserted(inlines: readonly Inline[], seam: Inline): readonly Inline[] {
  const n = inlines.findLastIndex((inline) => inline.at < seam.at);
  const before = inlines[n];
  if (!before) return [seam, ...inlines];
  return [...inlines.slice(0, n), ...into(before, seam), ...inlines.slice(n + 1)];
}

function into(inline: Inline, seam: Inline): Inline[] {
  if ('children' in inline) return [{ ...inline, children: inserted(inline.children, seam) }];
  if (inline.type !== 'text') return [inline, seam];
  const cut = seam.at - inline.at;
  if (cut >= inline.text.length) return [inline, seam];
  const rest: Inline = { type: 'text', at: seam.at, text: inline.text.slice(cut) };
  return [{ ...inline, text: inline.text.slice(0, cut) }, seam, rest];
}

/** The line of a fenced block, counted from 0, that holds `offset`. The fence itself counts as the first line. */
export function codeLineOf(source: string, key: number, offset: number, lines: number): number {
  const breaks = source.slice(key, offset).split('\n').length - 1;
  return Math.max(0, Math.min(breaks - 1, lines - 1));
}
