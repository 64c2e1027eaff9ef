// Runs of `*`, `_` and `~`: which may open or close, and which belong together.
// Rules: CommonMark 0.31, section 6.2 ("process emphasis"); `~~` by GFM. Punctuation beside a CJK character, or of CJK
// itself, does not stop a run from opening or closing, as there are no spaces that could.

import type { InlineList, InlineNode } from './inlineList.ts';
import type { SpanType } from './ast.ts';

export interface DelimiterRun {
  readonly node: InlineNode;
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
export function flanking(text: string, from: number, to: number): { opens: boolean; closes: boolean } {
  const before = charBefore(text, from);
  const after = charAt(text, to);
  const left = isFlanking(after, before);
  const right = isFlanking(before, after);
  if (text[from] !== '_') return { opens: left, closes: right };
  return {
    opens: left && (!right || PUNCTUATION.test(before)),
    closes: right && (!left || PUNCTUATION.test(after))
  };
}

function isFlanking(near: string, far: string): boolean {
  if (SPACE.test(near)) return false;
  if (!PUNCTUATION.test(near) || CJK.test(near)) return true;
  return SPACE.test(far) || PUNCTUATION.test(far) || CJK.test(far);
}

function charAt(text: string, at: number): string {
  const code = text.codePointAt(at);
  return code === undefined ? '' : String.fromCodePoint(code);
}

function charBefore(text: string, at: number): string {
  const low = at > 1 && /[\udc00-\udfff]/.test(text[at - 1] ?? '');
  return low ? text.slice(at - 2, at) : (text[at - 1] ?? '');
}

/** Matches the runs from `bottom` on and takes them off the list; spans replace them in the list. */
export function matchDelimiters(list: InlineList, runs: DelimiterRun[], bottom: number, live: boolean): void {
  const open: DelimiterRun[] = [];
  // No opener of this kind is above this height: without it, a text of closers would cost O(n²).
  const floors = new Map<string, number>();
  for (const run of runs.splice(bottom)) {
    if (run.closes) closeWith(list, open, floors, run);
    if (run.count > 0 && run.opens) open.push(run);
  }
  if (live) for (const run of open.reverse()) closeAtEnd(list, run);
}

function closeWith(
  list: InlineList,
  open: DelimiterRun[],
  floors: Map<string, number>,
  closer: DelimiterRun
): void {
  while (closer.count > 0) {
    const kind = `${closer.mark}${closer.opens}${closer.length % 3}${closer.mark === '~' ? closer.count : ''}`;
    const floor = Math.min(floors.get(kind) ?? 0, open.length);
    let n = open.length - 1;
    while (n >= floor && !fits(open[n] as DelimiterRun, closer)) n--;
    if (n < floor) {
      floors.set(kind, open.length);
      return;
    }
    const opener = open[n] as DelimiterRun;
    open.length = n + 1;
    wrap(list, opener, closer);
    if (opener.count === 0) open.pop();
  }
}

function fits(opener: DelimiterRun, closer: DelimiterRun): boolean {
  if (opener.mark !== closer.mark) return false;
  if (closer.mark === '~') return opener.count === 2 && closer.count === 2;
  // The rule of three: `*a**b*` is no strong text.
  const both = opener.closes || closer.opens;
  return (
    !both || (opener.length + closer.length) % 3 !== 0 || (opener.length % 3 === 0 && closer.length % 3 === 0)
  );
}

function wrap(list: InlineList, opener: DelimiterRun, closer: DelimiterRun): void {
  const size = opener.count >= 2 && closer.count >= 2 ? 2 : 1;
  const children = list.takeBetween(opener.node, closer.node);
  shorten(opener, size, 'end');
  const behind = opener.count > 0 ? opener.node : null;
  const at = opener.node.inline.at + opener.count;
  const span = { type: spanType(opener.mark, size), at, children };
  if (behind) list.insertAfter(behind, span);
  else replace(list, opener.node, span);
  shorten(closer, size, 'start');
  if (closer.count === 0) list.remove(closer.node);
}

function replace(list: InlineList, node: InlineNode, inline: InlineNode['inline']): void {
  list.insertAfter(node, inline);
  list.remove(node);
}

function shorten(run: DelimiterRun, size: number, side: 'start' | 'end'): void {
  run.count -= size;
  const { inline } = run.node;
  if (inline.type !== 'text') return;
  const at = side === 'start' ? inline.at + size : inline.at;
  run.node.inline = { type: 'text', at, text: inline.text.slice(0, run.count) };
}

/** The end of a text that is still growing closes what is open. */
function closeAtEnd(list: InlineList, opener: DelimiterRun): void {
  if (!opener.node.next || (opener.mark === '~' && opener.count !== 2)) return;
  let children = list.takeBetween(opener.node, null);
  const { at } = opener.node.inline;
  for (let left = opener.count; left > 0; left -= left >= 2 ? 2 : 1) {
    const size = left >= 2 ? 2 : 1;
    children = [{ type: spanType(opener.mark, size), at: at + left - size, children }];
  }
  const [span] = children;
  if (span) replace(list, opener.node, span);
}

function spanType(mark: DelimiterRun['mark'], size: number): SpanType {
  if (mark === '~') return 'strike';
  return size === 2 ? 'strong' : 'emphasis';
}
