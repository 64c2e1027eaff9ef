// Renders the lines of one code block into an element while they grow. Plain DOM instead of components:
// a block of 3,000 lines is 30,000 tokens, each of them written once and never looked at again.
// Invariant: the text of the element is always the lines joined by line ends, highlighted or not; text is only ever
// set as text. No task takes longer than SLICE, whatever arrives at once.

import { LineHighlighter, type Token } from './highlight.ts';
import type { Grammar } from './languages.ts';

/** Lines per stretch, which the browser skips as a whole while it is off screen. */
const STRETCH = 48;
/** Lines of the first stretch, all that a collapsed block shows. */
const FIRST = 16;
/** Longest task of highlighting, in milliseconds. */
const SLICE = 6;
/** Lines rendered per task when a long block arrives whole. */
const BATCH = 1_000;

export class CodeLines {
  readonly #root: HTMLElement;
  readonly #classOf: (line: string) => string;
  #lines: readonly string[] = [];
  /** Complete lines, and of these: rendered, and highlighted. */
  #whole = 0;
  #drawn = 0;
  #highlighted = 0;
  #elements: HTMLElement[] = [];
  #tail: HTMLElement | null = null;
  #collapsed = false;
  #highlighter: LineHighlighter | null = null;
  #timer: ReturnType<typeof setTimeout> | null = null;

  /** `classOf` gives each finished line its class. */
  constructor(root: HTMLElement, classOf: (line: string) => string = () => '') {
    this.#root = root;
    this.#classOf = classOf;
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
    this.#highlight();
  }

  /** Starts highlighting with `grammar`. Call it at most once. */
  use(grammar: Grammar): void {
    this.#highlighter = new LineHighlighter(grammar);
    this.#highlight();
  }

  /** Hides all but the first lines, so that the browser's search still finds their text: it then fires `beforematch`. */
  collapse(collapsed: boolean): void {
    this.#collapsed = collapsed;
    for (const stretch of [...this.#root.children].slice(1)) hide(stretch, collapsed);
  }

  /** Where line `n` begins, in px below the top of the block. */
  topOf(n: number): number {
    return this.#elements[n]?.offsetTop ?? 0;
  }

  destroy(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#highlighter = null;
  }

  #restart(): void {
    this.#root.replaceChildren();
    this.#elements = [];
    this.#drawn = this.#highlighted = this.#whole = 0;
    this.#tail = null;
  }

  #draw(): void {
    if (this.#drawn < this.#whole) this.#tail?.remove();
    const end = Math.min(this.#whole, this.#drawn + BATCH);
    for (; this.#drawn < end; this.#drawn++) {
      const text = this.#lines[this.#drawn] ?? '';
      const element = line(`${text}\n`);
      const lineClass = this.#classOf(text);
      if (lineClass) element.className = lineClass;
      this.#elements.push(element);
      this.#stretch(this.#drawn).append(element);
    }
    if (this.#drawn < this.#whole) this.#later();
  }

  /** The stretch that line `n` belongs to. */
  #stretch(n: number): HTMLElement {
    const last = this.#root.lastElementChild;
    if (last instanceof HTMLElement && indexInStretch(n) !== 0) return last;
    const stretch = document.createElement('span');
    stretch.className = 'stretch';
    stretch.style.setProperty('--lines', String(n === 0 ? FIRST : STRETCH));
    stretch.style.setProperty('--before', String(n));
    if (last) hide(stretch, this.#collapsed);
    this.#root.append(stretch);
    return stretch;
  }

  /** Sets the height of the last stretch, for when it is skipped. */
  #measure(): void {
    const last = this.#root.lastElementChild;
    const lines = this.#drawn + (this.#tail?.parentNode ? 1 : 0);
    if (last instanceof HTMLElement) last.style.setProperty('--lines', String(indexInStretch(lines - 1) + 1));
  }

  #drawTail(text: string): void {
    if (text === '') return this.#tail?.remove();
    if (this.#tail?.firstChild instanceof Text) this.#tail.firstChild.data = text;
    else this.#tail = line(text);
    if (!this.#tail.parentNode) this.#stretch(this.#whole).append(this.#tail);
  }

  #later(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.#draw();
      this.#measure();
      this.#highlight();
    });
  }

  /** Highlights rendered lines for as long as one task may take; the rest follows in later tasks. */
  #highlight(): void {
    const highlighter = this.#highlighter;
    if (!highlighter) return;
    const end = performance.now() + SLICE;
    while (this.#highlighted < this.#drawn) {
      const text = this.#lines[this.#highlighted] ?? '';
      this.#elements[this.#highlighted]?.replaceChildren(...tokenElements(highlighter.next(text)), '\n');
      this.#highlighted++;
      if (performance.now() > end) return this.#later();
    }
  }
}

/** The place of line `n` in its stretch. */
function indexInStretch(n: number): number {
  return n < FIRST ? n : (n - FIRST) % STRETCH;
}

function hide(stretch: Element, hidden: boolean): void {
  if (hidden) stretch.setAttribute('hidden', 'until-found');
  else stretch.removeAttribute('hidden');
}

function line(text: string): HTMLElement {
  const element = document.createElement('span');
  element.append(document.createTextNode(text));
  return element;
}

function tokenElements(tokens: readonly Token[]): (Node | string)[] {
  return tokens.map(({ text, tokenClass }) => {
    if (!tokenClass) return text;
    const span = document.createElement('span');
    span.className = tokenClass;
    span.textContent = text;
    return span;
  });
}
