// How much of a long list is rendered. Small additions are rendered at once, bulk ones (an old answer that is
// opened) in steps, so that no task gets long. Create it during component initialisation.

import { printing } from './printing.svelte.ts';
import { defer } from './taskQueue.ts';

export class IncrementalRender {
  readonly #count: () => number;
  readonly #step: number;
  /** The count that has been rendered; one step more may be rendered at any time. */
  #drawn = $state(0);

  constructor(count: () => number, step: number) {
    this.#count = count;
    this.#step = step;
    $effect(() => {
      const all = count();
      if (all > this.#drawn + step && !printing.active) return defer(() => (this.#drawn += step));
      this.#drawn = all;
      return undefined;
    });
  }

  /** How many to render now. */
  get shown(): number {
    return printing.active ? this.#count() : Math.min(this.#count(), this.#drawn + this.#step);
  }
}
