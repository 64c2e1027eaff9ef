// Packs blocks into groups, so that a text of thousands of blocks is not walked through for every word that comes:
// full groups keep their identity. Invariant: the groups, joined, are the blocks.

import type { Block } from './tree.ts';

const SIZE = 32;

export interface Group {
  readonly key: number;
  readonly blocks: readonly Block[];
}

export class Grouping {
  #groups: readonly Group[] = [];

  update(blocks: readonly Block[]): readonly Group[] {
    const groups: Group[] = [];
    for (let from = 0; from < blocks.length; from += SIZE) {
      groups.push(this.#kept(blocks, from) ?? fresh(blocks, from));
    }
    this.#groups = groups;
    return groups;
  }

  /** The group of last time, if it is full and made of the same blocks. */
  #kept(blocks: readonly Block[], from: number): Group | null {
    const group = this.#groups[from / SIZE];
    const full = group?.blocks.length === SIZE && from + SIZE < blocks.length;
    return full && group.blocks.every((block, n) => block === blocks[from + n]) ? group : null;
  }
}

function fresh(blocks: readonly Block[], from: number): Group {
  return { key: blocks[from]?.key ?? 0, blocks: blocks.slice(from, from + SIZE) };
}
