// What follows a closing bracket: `(address "title")`, `[label]` or nothing. CommonMark 0.31, section 6.3.

import { unescaped } from './entities.ts';

const ADDRESS =
  /\(\s*(?:<((?:[^<>\n\\]|\\.)*)>|(?!<)((?:[^\s()\\]|\\.|\((?:[^\s()\\]|\\.|\([^\s()]*\))*\))*))/y;
const TITLE_AND_END = /(?:\s+(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\((?:[^()\\]|\\.)*\)))?\s*\)/y;
const SO_FAR = /^\((?:\s*(?:<[^<>\n]*>?|[^\s<]\S*)?|\s*\S+\s+(?:["'(][^\n]*)?)$/;
const LABEL = /\[((?:[^\\[\]]|\\.){0,999})\]/y;

/** The address in round brackets at `at`, and the offset behind them. Titles are read and dropped. */
export function destinationAt(text: string, at: number): { address: string; end: number } | null {
  ADDRESS.lastIndex = at;
  const match = ADDRESS.exec(text);
  if (!match) return null;
  TITLE_AND_END.lastIndex = ADDRESS.lastIndex;
  if (!TITLE_AND_END.test(text)) return null;
  return { address: unescaped(match[1] ?? match[2] ?? ''), end: TITLE_AND_END.lastIndex };
}

/** Whether `rest`, which ends the text so far, may still become a destination or a label. */
export function isDestinationSoFar(rest: string): boolean {
  return rest === '' || SO_FAR.test(rest) || /^\[[^\]\n]*$/.test(rest);
}

/** The label in square brackets at `at`; empty for `[]`. */
export function labelAt(text: string, at: number): { label: string; end: number } | null {
  LABEL.lastIndex = at;
  const match = LABEL.exec(text);
  return match ? { label: match[1] ?? '', end: LABEL.lastIndex } : null;
}
