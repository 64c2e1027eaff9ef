// Highlights code line by line. Four colours and one weight: k keyword, c comment, s string, n number, f name.
// Invariant: the tokens of a line, joined, are the line.

import { StringStream } from '@codemirror/streamparser';
import type { Grammar } from './languages.ts';

export type TokenClass = 'k' | 'c' | 's' | 'n' | 'f';

export interface Token {
  readonly text: string;
  readonly tokenClass: TokenClass | null;
}

/** Longer lines are data, not code: reading one could hold up the page. In UTF-16 units. */
const MAX_LINE_LENGTH = 2_000;
const INDENT = 4;

const TOKEN_CLASSES: readonly (readonly [RegExp, TokenClass | null])[] = [
  [/comment|quote/, 'c'],
  [/string|regexp|inserted|link|url/i, 's'],
  [/number|atom|bool|null|unit|color|escape/i, 'n'],
  [/keyword|operatorKeyword|modifier|heading|strong|deleted/i, 'k'],
  [/def|type|class|builtin|standard|tag|attribute|meta|function|label|namespace|special/i, 'f']
];

/** Reads the lines of one block in order; what a line means depends on those before it. */
export class LineHighlighter {
  readonly #grammar: Grammar;
  readonly #state: unknown;

  constructor(grammar: Grammar) {
    this.#grammar = grammar;
    this.#state = grammar.startState?.(INDENT) ?? {};
  }

  next(line: string): Token[] {
    if (line.length > MAX_LINE_LENGTH) return [{ text: line, tokenClass: null }];
    if (line === '') this.#grammar.blankLine?.(this.#state, INDENT);
    const stream = new StringStream(line, INDENT, INDENT);
    const tokens: Token[] = [];
    // A grammar may return empty tokens to change its state, but not for ever.
    let idle = 0;
    while (!stream.eol()) {
      stream.start = stream.pos;
      const style = this.#grammar.token(stream, this.#state);
      if (stream.pos > stream.start) idle = 0;
      else if (++idle > 10) stream.next();
      if (stream.pos > stream.start) add(tokens, stream.current(), classOf(style));
    }
    return tokens;
  }
}

function classOf(style: string | null): TokenClass | null {
  if (!style || style.startsWith('variable')) return style?.includes('standard') ? 'f' : null;
  return TOKEN_CLASSES.find(([names]) => names.test(style))?.[1] ?? null;
}

function add(tokens: Token[], text: string, tokenClass: TokenClass | null): void {
  const last = tokens.at(-1);
  if (last && (last.tokenClass === tokenClass || text.trim() === '')) {
    tokens[tokens.length - 1] = { text: last.text + text, tokenClass: last.tokenClass };
  } else tokens.push({ text, tokenClass });
}
