// An append-only list whose versions share one array. Appending to the newest version costs O(1) and leaves
// every older version readable up to its own length.
// Invariant: of two versions that grew from the same one, only the later may be read beyond their common part.
// The parser keeps to it: what it tries out for an unfinished line is dropped before the next line is read.

export class AppendList<T> {
  static readonly #empty: AppendList<never> = new AppendList<never>([], 0);

  readonly #shared: T[];
  readonly length: number;

  private constructor(shared: T[], length: number) {
    this.#shared = shared;
    this.length = length;
  }

  static empty<T>(): AppendList<T> {
    return AppendList.#empty;
  }

  static of<T>(...values: T[]): AppendList<T> {
    return new AppendList(values, values.length);
  }

  /** This list with `value` appended. */
  plus(value: T): AppendList<T> {
    // The shared empty list must stay empty.
    const shared = this.length === 0 ? [] : this.#shared;
    shared.length = this.length;
    shared.push(value);
    return new AppendList(shared, this.length + 1);
  }

  last(): T | undefined {
    return this.#shared[this.length - 1];
  }

  /** A copy that stays as it is, without the last `drop` values. */
  toArray(drop = 0): T[] {
    return this.#shared.slice(0, this.length - drop);
  }
}
