// Lets the browser skip what is far from view. Long answers cost by what is on screen, then, not by their length.
// Only what has been laid out once is skipped, at the height it had: an estimate would move the text being read.

/** Makes elements skippable once their size is known. One for each drawn text. */
export class Virtualizer {
  readonly #sizes = new ResizeObserver((entries) => {
    for (const { target, borderBoxSize } of entries) {
      this.#sizes.unobserve(target);
      // A formula or diagram still to come will change the size.
      if (target.querySelector('[data-pending]')) {
        this.#waiting.add(target);
        continue;
      }
      if (!(target instanceof HTMLElement) || !borderBoxSize[0]?.blockSize) continue;
      if (target.querySelector('[role="note"]')) continue;
      target.style.containIntrinsicBlockSize = `auto ${String(borderBoxSize[0].blockSize)}px`;
      target.classList.add('virtualized');
    }
  });

  readonly #waiting = new Set<Element>();

  /** Something that was pending has been drawn. */
  ready(): void {
    for (const element of this.#waiting) this.#sizes.observe(element);
    this.#waiting.clear();
  }

  /** `element` will not change again. */
  virtualize(element: Element): void {
    this.#sizes.observe(element);
  }

  /** Gives up on what holds a note: notes stand in the margin, where a skippable element would cut them off. */
  spareNotes(root: Element): void {
    for (const note of root.querySelectorAll('.virtualized [role="note"]')) {
      note.closest('.virtualized')?.classList.remove('virtualized');
    }
  }

  destroy(): void {
    this.#sizes.disconnect();
  }
}
