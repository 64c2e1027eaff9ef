// An append-only list whose versions share one array. Appending to the newest version costs O(1) and leaves
// every older version readable up to its own length.
// Invariant: of two versions that grew from the same one, only the later may be read beyond their common part.
// The parser keeps to it: what it tries out for an unfinished line is dropped before the next line is read.

export class Run<T> {
  static readonly #empty: Run<never> = new Run<never>([], 0);

  readonly #shared: T[];
  readonly length: number;

  private constructor(shared: T[], length: number) {
    this.#shared = shared;
    this.length = length;
  }

  static empty<T>(): Run<T> {
    return Run.#empty;
  }

  static of<T>(...values: T[]): Run<T> {
    return new Run(values, values.length);
  }

  /** This list and one value more. */
  plus(value: T): Run<T> {
    // The shared empty list must stay empty.
    const shared = this.length === 0 ? [] : this.#shared;
    shared.length = this.length;
    shared.push(value);
    return new Run(shared, this.length + 1);
  }

  last(): T | undefined {
    return this.#shared[this.length - 1];
  }

  /** A copy that stays as it is, without the last `drop` values. */
  toArray(drop = 0): T[] {
    return this.#shared.slice(0, this.length - drop);
  }
}
