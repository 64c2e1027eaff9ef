// Where formulas stand in a line of text. Dollars are money more often than mathematics, so `$` is believed only
// when both ends look like a formula's; `$$`, `\(` and `\[` are believed as soon as they are closed.

export interface Formula {
  readonly tex: string;
  readonly display: boolean;
  /** Its closing delimiter has not come yet. */
  readonly open: boolean;
  /** Offset behind it. */
  readonly end: number;
}

const PROSE = /\s[\p{L}]{2,}[\s,.;:]/u;

/** The formula that begins at `at`, where `text` has `$` or a backslash. With `live`, one may still be open. */
export function formulaAt(text: string, at: number, live: boolean): Formula | null {
  if (text[at] === '$')
    return text[at + 1] === '$' ? between(text, at, '$$', true, live) : dollar(text, at, live);
  const opener = text[at + 1];
  if (opener !== '(' && opener !== '[') return null;
  return between(text, at, opener === '(' ? '\\)' : '\\]', opener === '[', live);
}

function between(text: string, at: number, close: string, display: boolean, live: boolean): Formula | null {
  const end = text.indexOf(close, at + 2);
  const tex = text.slice(at + 2, end < 0 ? undefined : end);
  // `\[sic\]` is an escaped bracket: words and nothing else.
  if (display && close === '\\]' && /^[\p{L}\s]*\p{L}{3}[\p{L}\s]*$/u.test(tex)) return null;
  if (end < 0) return live ? { tex, display, open: true, end: text.length } : null;
  return tex.trim() ? { tex: tex.trim(), display, open: false, end: end + close.length } : null;
}

function dollar(text: string, at: number, live: boolean): Formula | null {
  if (!opensFormula(text, at)) return null;
  const end = closingDollar(text, at + 1);
  if (end < 0) return live && mayBecomeFormula(text.slice(at + 1)) ? openDollar(text, at) : null;
  const tex = text.slice(at + 1, end);
  const closes = !/\s$/.test(tex) && !isWordLike(text[end + 1]);
  return closes && !tex.includes('`') && !isMoney(tex)
    ? { tex, display: false, open: false, end: end + 1 }
    : null;
}

function opensFormula(text: string, at: number): boolean {
  return /\S/.test(text[at + 1] ?? '') && !isWordLike(text[at - 1]);
}

function isWordLike(c: string | undefined): boolean {
  return c !== undefined && /[\p{L}\p{N}]/u.test(c);
}

function openDollar(text: string, at: number): Formula {
  return { tex: text.slice(at + 1), display: false, open: true, end: text.length };
}

function closingDollar(text: string, from: number): number {
  for (let i = from; i < text.length; i++) {
    if (text[i] === '\\') i++;
    else if (text[i] === '$') return i;
  }
  return -1;
}

/** A number followed by words: `$5 and 10$`. */
function isMoney(tex: string): boolean {
  return /^\d/.test(tex) && PROSE.test(`${withoutCommands(tex)} `);
}

function mayBecomeFormula(tex: string): boolean {
  return !/^\d/.test(tex) && !tex.includes('`') && !PROSE.test(withoutCommands(tex));
}

function withoutCommands(tex: string): string {
  return tex.replace(/\\[a-zA-Z]+(?:\{[^{}]*\})?/g, '');
}
