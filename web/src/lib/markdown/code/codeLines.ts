// Draws the lines of one code block into an element and keeps up while they grow. Plain DOM instead of components:
// a block of 3,000 lines is 30,000 pieces, each of them written once and never looked at again.
// Invariant: the text of the element is always the lines joined by line ends, coloured or not; text is only ever
// set as text. No turn of work takes longer than SLICE, whatever arrives at once.

import { LineInks, type Piece } from './highlight.ts';
import type { Grammar } from './languages.ts';

/** Lines in one stretch, which the browser skips as a whole while it is out of view. */
const STRETCH = 48;
/** Longest turn of colouring, in milliseconds. */
const SLICE = 6;
/** Lines drawn in one turn when a long block arrives whole. */
const BATCH = 1_000;

export class LinesView {
  readonly #root: HTMLElement;
  #lines: readonly string[] = [];
  /** Lines whose end has been seen, and of these: drawn, and coloured. */
  #whole = 0;
  #drawn = 0;
  #coloured = 0;
  #elements: HTMLElement[] = [];
  #tail: HTMLElement | null = null;
  #inks: LineInks | null = null;
  #turn: ReturnType<typeof setTimeout> | null = null;

  constructor(root: HTMLElement) {
    this.#root = root;
  }

  /** Shows `lines`; with `partial`, the last of them may still grow and stays plain. */
  update(lines: readonly string[], partial: boolean): void {
    const whole = partial ? lines.length - 1 : lines.length;
    if (whole < this.#whole || lines[this.#whole - 1] !== this.#lines[this.#whole - 1]) this.#restart();
    this.#lines = lines;
    this.#whole = whole;
    this.#draw();
    if (this.#drawn === this.#whole) this.#drawTail(partial ? (lines[whole] ?? '') : '');
    this.#measure();
    this.#colour();
  }

  /** Begins to colour by `grammar`. To be called once at most. */
  use(grammar: Grammar): void {
    this.#inks = new LineInks(grammar);
    this.#colour();
  }

  destroy(): void {
    if (this.#turn !== null) clearTimeout(this.#turn);
    this.#turn = null;
    this.#inks = null;
  }

  #restart(): void {
    this.#root.replaceChildren();
    this.#elements = [];
    this.#drawn = this.#coloured = this.#whole = 0;
    this.#tail = null;
  }

  #draw(): void {
    if (this.#drawn < this.#whole) this.#tail?.remove();
    const end = Math.min(this.#whole, this.#drawn + BATCH);
    for (; this.#drawn < end; this.#drawn++) {
      const element = line(`${this.#lines[this.#drawn] ?? ''}\n`);
      this.#elements.push(element);
      this.#stretch(this.#drawn).append(element);
    }
    if (this.#drawn < this.#whole) this.#later();
  }

  /** The stretch that line `n` belongs to. */
  #stretch(n: number): HTMLElement {
    const last = this.#root.lastElementChild;
    if (last instanceof HTMLElement && n % STRETCH !== 0) return last;
    const stretch = document.createElement('span');
    stretch.className = 'stretch';
    stretch.style.setProperty('--lines', String(STRETCH));
    this.#root.append(stretch);
    return stretch;
  }

  /** Says how high the last stretch is, for when it is skipped. */
  #measure(): void {
    const last = this.#root.lastElementChild;
    const lines = this.#drawn + (this.#tail?.parentNode ? 1 : 0);
    if (last instanceof HTMLElement) last.style.setProperty('--lines', String(((lines - 1) % STRETCH) + 1));
  }

  #drawTail(text: string): void {
    if (text === '') return this.#tail?.remove();
    if (this.#tail?.firstChild instanceof Text) this.#tail.firstChild.data = text;
    else this.#tail = line(text);
    if (!this.#tail.parentNode) this.#stretch(this.#whole).append(this.#tail);
  }

  #later(): void {
    this.#turn ??= setTimeout(() => {
      this.#turn = null;
      this.#draw();
      this.#measure();
      this.#colour();
    });
  }

  /** Colours what is drawn, for as long as a turn may take; the rest follows in turns of its own. */
  #colour(): void {
    const inks = this.#inks;
    if (!inks) return;
    const end = performance.now() + SLICE;
    while (this.#coloured < this.#drawn) {
      const text = this.#lines[this.#coloured] ?? '';
      this.#elements[this.#coloured]?.replaceChildren(...coloured(inks.next(text)), '\n');
      this.#coloured++;
      if (performance.now() > end) return this.#later();
    }
  }
}

function line(text: string): HTMLElement {
  const element = document.createElement('span');
  element.append(document.createTextNode(text));
  return element;
}

function coloured(pieces: readonly Piece[]): (Node | string)[] {
  return pieces.map(({ text, ink }) => {
    if (!ink) return text;
    const span = document.createElement('span');
    span.className = ink;
    span.textContent = text;
    return span;
  });
}
