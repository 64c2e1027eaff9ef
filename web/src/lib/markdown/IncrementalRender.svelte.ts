// How much of a long list is drawn. What arrives bit by bit is drawn at once; what arrives in bulk (an old answer
// that is opened) is drawn in steps, so that no task gets long. To be made while a component is set up.

import { defer } from './taskQueue.ts';

export class IncrementalRender {
  readonly #count: () => number;
  readonly #step: number;
  /** What has been drawn for certain; one step beyond it may be drawn at any time. */
  #drawn = $state(0);

  constructor(count: () => number, step: number) {
    this.#count = count;
    this.#step = step;
    $effect(() => {
      const all = count();
      if (all > this.#drawn + step) return defer(() => (this.#drawn += step));
      this.#drawn = all;
      return undefined;
    });
  }

  /** How many to draw now. */
  get shown(): number {
    return Math.min(this.#count(), this.#drawn + this.#step);
  }
}
