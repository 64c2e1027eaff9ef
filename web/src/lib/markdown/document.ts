// A text that grows, and the blocks it has so far. Finished lines are read once; the unfinished one is tried out
// on a state that is dropped again. Invariant: feeding a text in any pieces gives the same blocks as feeding it
// whole, and a block that is finished keeps its identity for as long as the text only grows.

import { safeLinkUrl } from './urls.ts';
import type { Line } from './lines.ts';
import { EMPTY_STATE, type State } from './parserState.ts';
import { parseLine, type Define } from './blockParser.ts';
import type { Block } from './ast.ts';
import { toBlocks, closeOpenBlock } from './blockBuilder.ts';

/** Addresses of defined labels, null for one that may not be followed. A new map whenever a label is added. */
export type Definitions = ReadonlyMap<string, string | null>;

/** Largest growth treated as streaming, and how much of the old text is compared then, in UTF-16 units. */
const MAX_STEP = 4_096;
const COMPARED = 512;

export interface Parsed {
  readonly blocks: readonly Block[];
  readonly definitions: Definitions;
}

export class MarkdownDocument {
  #text = '';
  /** Everything before this offset, all of it whole lines, is in `#state`. */
  #read = 0;
  #state: State = EMPTY_STATE;
  #definitions: Definitions = new Map();

  /** Blocks of `text`; cheap when `text` begins with the one before. With `streaming`, more may come. */
  update(text: string, streaming: boolean): Parsed {
    if (!this.#continues(text, streaming)) this.#restart();
    this.#text = text;
    this.#readLines();
    const rest = text.slice(this.#read);
    const line = { ...lineAt(rest, this.#read), partial: streaming };
    const state = rest === '' ? this.#state : parseLine(this.#state, line, this.#define);
    const blocks = streaming ? toBlocks(state, true) : toBlocks(closeOpenBlock(state), false);
    return { blocks, definitions: this.#definitions };
  }

  /**
   * Whether `text` begins with the text before. While text streams in, only the end of that is compared: comparing
   * all of it took a tenth of what an update of a long answer costs.
   */
  #continues(text: string, streaming: boolean): boolean {
    const before = this.#text;
    const grown = text.length - before.length;
    if (!streaming || grown > MAX_STEP) return text.startsWith(before);
    return grown >= 0 && text.endsWith(before.slice(-COMPARED), before.length);
  }

  #restart(): void {
    this.#read = 0;
    this.#state = EMPTY_STATE;
    this.#definitions = new Map();
  }

  #readLines(): void {
    for (;;) {
      const end = this.#text.indexOf('\n', this.#read);
      if (end < 0) return;
      const line = lineAt(ownCopy(this.#text.slice(this.#read, end)), this.#read);
      this.#state = parseLine(this.#state, line, this.#define);
      this.#read = end + 1;
    }
  }

  readonly #define: Define = (label, address) => {
    if (this.#definitions.has(label)) return;
    this.#definitions = new Map(this.#definitions).set(label, safeLinkUrl(address));
  };
}

/**
 * `text` in memory of its own. Engines implement a slice as a reference to its whole source: the blocks of a long
 * answer would keep every text it ever had alive, quadratic in its length.
 */
function ownCopy(text: string): string {
  return ` ${text}`.slice(1);
}

function lineAt(text: string, at: number): Line {
  return { text: text.endsWith('\r') ? text.slice(0, -1) : text, at, column: 0, partial: false };
}
