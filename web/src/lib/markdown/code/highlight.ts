// Colours code line by line. Four inks and one weight: k keyword, c comment, s string, n number, f name.
// Invariant: the pieces of a line, joined, are the line.

import { StringStream } from '@codemirror/streamparser';
import type { Grammar } from './languages.ts';

export type Ink = 'k' | 'c' | 's' | 'n' | 'f';

export interface Piece {
  readonly text: string;
  readonly ink: Ink | null;
}

/** Longer lines are data, not code: reading one could hold up the page. In UTF-16 units. */
const LONGEST_LINE = 2_000;
const INDENT = 4;

const INKS: readonly (readonly [RegExp, Ink | null])[] = [
  [/comment|quote/, 'c'],
  [/string|regexp|inserted|link|url/i, 's'],
  [/number|atom|bool|null|unit|color|escape/i, 'n'],
  [/keyword|operatorKeyword|modifier|heading|strong|deleted/i, 'k'],
  [/def|type|class|builtin|standard|tag|attribute|meta|function|label|namespace|special/i, 'f']
];

/** Reads the lines of one block in order; what a line means depends on those before it. */
export class LineInks {
  readonly #grammar: Grammar;
  readonly #state: unknown;

  constructor(grammar: Grammar) {
    this.#grammar = grammar;
    this.#state = grammar.startState?.(INDENT) ?? {};
  }

  next(line: string): Piece[] {
    if (line.length > LONGEST_LINE) return [{ text: line, ink: null }];
    if (line === '') this.#grammar.blankLine?.(this.#state, INDENT);
    const stream = new StringStream(line, INDENT, INDENT);
    const pieces: Piece[] = [];
    // A grammar may return empty tokens to change its state, but not for ever.
    let idle = 0;
    while (!stream.eol()) {
      stream.start = stream.pos;
      const style = this.#grammar.token(stream, this.#state);
      if (stream.pos > stream.start) idle = 0;
      else if (++idle > 10) stream.next();
      if (stream.pos > stream.start) add(pieces, stream.current(), inkOf(style));
    }
    return pieces;
  }
}

function inkOf(style: string | null): Ink | null {
  if (!style || style.startsWith('variable')) return style?.includes('standard') ? 'f' : null;
  return INKS.find(([names]) => names.test(style))?.[1] ?? null;
}

function add(pieces: Piece[], text: string, ink: Ink | null): void {
  const last = pieces.at(-1);
  if (last && (last.ink === ink || text.trim() === '')) {
    pieces[pieces.length - 1] = { text: last.text + text, ink: last.ink };
  } else pieces.push({ text, ink });
}
