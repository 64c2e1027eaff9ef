// Runs of `*`, `_` and `~`: which may open or close, and which belong together.
// Rules: CommonMark 0.31, section 6.2 ("process emphasis"); `~~` by GFM. Between CJK characters punctuation does
// not stop a run from opening or closing, as there are no spaces that could.

import type { Chain, Piece } from './inlineList.ts';
import type { SpanType } from './ast.ts';

export interface Run {
  readonly piece: Piece;
  readonly mark: '*' | '_' | '~';
  /** Marks still unused, and as written: the rule of three asks for the latter. */
  count: number;
  readonly length: number;
  readonly opens: boolean;
  readonly closes: boolean;
}

const SPACE = /^$|\s/;
const PUNCTUATION = /[\p{P}\p{S}]/u;
const CJK =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\u3000-\u303f\uff00-\uffef]/u;

/** Whether the run `text[from..to)` can open and close emphasis. */
export function flanks(text: string, from: number, to: number): { opens: boolean; closes: boolean } {
  const before = charBefore(text, from);
  const after = charAt(text, to);
  const left = leans(after, before);
  const right = leans(before, after);
  if (text[from] !== '_') return { opens: left, closes: right };
  return {
    opens: left && (!right || PUNCTUATION.test(before)),
    closes: right && (!left || PUNCTUATION.test(after))
  };
}

function leans(near: string, far: string): boolean {
  if (SPACE.test(near)) return false;
  return !PUNCTUATION.test(near) || SPACE.test(far) || PUNCTUATION.test(far) || CJK.test(far);
}

function charAt(text: string, at: number): string {
  const code = text.codePointAt(at);
  return code === undefined ? '' : String.fromCodePoint(code);
}

function charBefore(text: string, at: number): string {
  const low = at > 1 && /[\udc00-\udfff]/.test(text[at - 1] ?? '');
  return low ? text.slice(at - 2, at) : (text[at - 1] ?? '');
}

/** Matches the runs from `bottom` on and takes them off the list; spans replace them in the chain. */
export function matchRuns(chain: Chain, runs: Run[], bottom: number, live: boolean): void {
  const open: Run[] = [];
  // No opener of this kind is above this height: without it, a text of closers would cost O(n²).
  const floors = new Map<string, number>();
  for (const run of runs.splice(bottom)) {
    if (run.closes) closeWith(chain, open, floors, run);
    if (run.count > 0 && run.opens) open.push(run);
  }
  if (live) for (const run of open.reverse()) closeAtEnd(chain, run);
}

function closeWith(chain: Chain, open: Run[], floors: Map<string, number>, closer: Run): void {
  while (closer.count > 0) {
    const kind = `${closer.mark}${closer.opens}${closer.length % 3}${closer.mark === '~' ? closer.count : ''}`;
    const floor = Math.min(floors.get(kind) ?? 0, open.length);
    let n = open.length - 1;
    while (n >= floor && !fits(open[n] as Run, closer)) n--;
    if (n < floor) {
      floors.set(kind, open.length);
      return;
    }
    const opener = open[n] as Run;
    open.length = n + 1;
    wrap(chain, opener, closer);
    if (opener.count === 0) open.pop();
  }
}

function fits(opener: Run, closer: Run): boolean {
  if (opener.mark !== closer.mark) return false;
  if (closer.mark === '~') return opener.count === 2 && closer.count === 2;
  // The rule of three: `*a**b*` is no strong text.
  const both = opener.closes || closer.opens;
  return (
    !both || (opener.length + closer.length) % 3 !== 0 || (opener.length % 3 === 0 && closer.length % 3 === 0)
  );
}

function wrap(chain: Chain, opener: Run, closer: Run): void {
  const size = opener.count >= 2 && closer.count >= 2 ? 2 : 1;
  const children = chain.takeBetween(opener.piece, closer.piece);
  shorten(opener, size, 'end');
  const behind = opener.count > 0 ? opener.piece : null;
  const at = opener.piece.inline.at + opener.count;
  const span = { type: spanType(opener.mark, size), at, children };
  if (behind) chain.insertAfter(behind, span);
  else replace(chain, opener.piece, span);
  shorten(closer, size, 'start');
  if (closer.count === 0) chain.remove(closer.piece);
}

function replace(chain: Chain, piece: Piece, inline: Piece['inline']): void {
  chain.insertAfter(piece, inline);
  chain.remove(piece);
}

function shorten(run: Run, size: number, side: 'start' | 'end'): void {
  run.count -= size;
  const { inline } = run.piece;
  if (inline.type !== 'text') return;
  const at = side === 'start' ? inline.at + size : inline.at;
  run.piece.inline = { type: 'text', at, text: inline.text.slice(0, run.count) };
}

/** The end of a text that is still growing closes what is open. */
function closeAtEnd(chain: Chain, opener: Run): void {
  if (!opener.piece.next || (opener.mark === '~' && opener.count !== 2)) return;
  let children = chain.takeBetween(opener.piece, null);
  const { at } = opener.piece.inline;
  for (let left = opener.count; left > 0; left -= left >= 2 ? 2 : 1) {
    const size = left >= 2 ? 2 : 1;
    children = [{ type: spanType(opener.mark, size), at: at + left - size, children }];
  }
  const [span] = children;
  if (span) replace(chain, opener.piece, span);
}

function spanType(mark: Run['mark'], size: number): SpanType {
  if (mark === '~') return 'strike';
  return size === 2 ? 'strong' : 'emphasis';
}
