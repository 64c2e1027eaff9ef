// Packs a long row of blocks or items into groups, so that it is not walked through for every word that comes: full
// groups keep their identity. Invariant: the groups, joined, are the parts.

export interface Group<T> {
  readonly key: number;
  readonly parts: readonly T[];
  /** Another group follows: this one will not change again. */
  readonly closed: boolean;
}

export const GROUP_SIZE = 32;

export class Grouping<T extends { readonly key: number }> {
  #groups: readonly Group<T>[] = [];

  update(parts: readonly T[]): readonly Group<T>[] {
    const groups: Group<T>[] = [];
    for (let from = 0; from < parts.length; from += GROUP_SIZE) {
      groups.push(this.#kept(parts, from) ?? fresh(parts, from));
    }
    this.#groups = groups;
    return groups;
  }

  /** The group of last time, if it was closed and is made of the same parts. */
  #kept(parts: readonly T[], from: number): Group<T> | null {
    const group = this.#groups[from / GROUP_SIZE];
    if (!group?.closed || from + GROUP_SIZE >= parts.length) return null;
    return group.parts.every((part, n) => part === parts[from + n]) ? group : null;
  }
}

function fresh<T extends { readonly key: number }>(parts: readonly T[], from: number): Group<T> {
  const end = from + GROUP_SIZE;
  return { key: parts[from]?.key ?? 0, parts: parts.slice(from, end), closed: end < parts.length };
}
