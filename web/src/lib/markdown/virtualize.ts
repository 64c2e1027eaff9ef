// Lets the browser skip off-screen content, so that a long answer costs what is on screen, not its length.
// Only content that has been laid out is skipped, at its measured height: an estimate would move the text being read.

/** Makes elements skippable once their size is known. One instance per rendered text. */
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

  /** Pending content has its final size: measures again. */
  ready(): void {
    for (const element of this.#waiting) this.#sizes.observe(element);
    this.#waiting.clear();
  }

  /** Marks `element` as final. */
  virtualize(element: Element): void {
    this.#sizes.observe(element);
  }

  /** Exempts elements that hold a note: notes stand in the margin, where containment would clip them. */
  spareNotes(root: Element): void {
    for (const note of root.querySelectorAll('.virtualized [role="note"]')) {
      note.closest('.virtualized')?.classList.remove('virtualized');
    }
  }

  destroy(): void {
    this.#sizes.disconnect();
  }
}
