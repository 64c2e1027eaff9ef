// Reads the text of one paragraph, heading or cell into Inline values: CommonMark 0.31 section 6, strikethrough and
// bare links by GFM, formulas, and a handful of tags that only shape text. Any other HTML is text.
// With `live`, the text may go on: markup that is still open shows as what it will become, and an end that could
// become several things is held back. Invariant: `at` of everything returned is an offset into the given text.

import { safeLinkUrl, safeImageUrl } from './urls.ts';
import { destinationAt, isDestinationSoFar, labelAt } from './linkDestination.ts';
import { flanking, matchDelimiters, type DelimiterRun } from './emphasis.ts';
import { entityAt, isEntitySoFar, unescaped } from './entities.ts';
import { formulaAt } from './formula.ts';
import { InlineList, withBareLinks, type InlineNode } from './inlineList.ts';
import { labelKey } from './blockStarts.ts';
import type { Inline, SpanType } from './ast.ts';

/** Beyond this, in UTF-16 units, a paragraph is no prose and is shown as written. */
const MAX_LENGTH = 50_000;

const PLAIN = /[^\\`$*_~[\]!<&\n]+/y;
const RUN = /\*+|_+|~+|`+/y;
const TAG = /<(\/?)(sub|sup|kbd|mark|strong|b|em|i|del|s|ins|u|br)\s*\/?>/iy;
const AUTOLINK = /<([A-Za-z][A-Za-z0-9+.-]{1,31}:[^\s<>]*)>/y;
const MAIL = /<([\w.!#$%&'*+/=?^`{|}~-]{1,64}@[\w-]+(?:\.[\w-]+)+)>/y;

const TAGS: Readonly<Record<string, SpanType>> = {
  sub: 'sub',
  sup: 'sup',
  kbd: 'kbd',
  mark: 'mark',
  strong: 'strong',
  b: 'strong',
  em: 'emphasis',
  i: 'emphasis',
  del: 'strike',
  s: 'strike',
  ins: 'underline',
  u: 'underline'
};
const ANGLE_WORDS = [...Object.keys(TAGS), 'br', 'http', 'https', 'mailto'];

export function parseInline(source: string, live: boolean): readonly Inline[] {
  if (source.length > MAX_LENGTH) return [{ type: 'text', at: 0, text: source }];
  const text = live ? withoutUndecidedEnd(source) : source;
  return withBareLinks(new InlineParser(text, live).toInline(), live);
}

function withoutUndecidedEnd(text: string): string {
  const run = /(\\*)(?:[*_~]+|`+)$/.exec(text);
  let end = text.length;
  if (run) end = run.index + (run[1] ?? '').length + ((run[1] ?? '').length % 2);
  else if (/(?<!\\)(?:\\\\)*(?:\\|\[)$/.test(text)) end -= text.endsWith('![') ? 2 : 1;
  const angle = /<(\/?)([a-z]*)$/i.exec(text);
  if (angle && ANGLE_WORDS.some((word) => word.startsWith((angle[2] ?? '').toLowerCase()))) end = angle.index;
  const half = /<(?:https?:|mailto:)[^\s<>]*$/i.exec(text);
  if (half) end = half.index;
  const entity = /&[#\w]{0,32}$/.exec(text);
  if (entity && isEntitySoFar(entity[0])) end = entity.index;
  return text.slice(0, end).trimEnd();
}

/** Something that waits for its counterpart: a bracket or a tag. */
interface Opener {
  readonly kind: '[' | '![' | SpanType;
  readonly node: InlineNode;
  /** Runs read before it; those behind it belong inside. */
  readonly bottom: number;
  /** Offset behind it. */
  readonly from: number;
  /** A link holds no links: brackets around one are inert. */
  inert: boolean;
}

class InlineParser {
  readonly #text: string;
  readonly #live: boolean;
  readonly #list = new InlineList();
  readonly #runs: DelimiterRun[] = [];
  #openers: Opener[] = [];
  #at = 0;
  /** Sizes of backtick runs that nothing closes: without them, a text of odd runs would cost O(n²). */
  readonly #unclosed = new Set<number>();

  constructor(text: string, live: boolean) {
    this.#text = text;
    this.#live = live;
  }

  toInline(): Inline[] {
    while (this.#at < this.#text.length) this.#read();
    this.#end();
    return this.#list.toInline();
  }

  #read(): void {
    const plain = this.#match(PLAIN);
    if (plain) this.#add(plain[0]);
    else if (!this.#readMarked(this.#text[this.#at] ?? '')) this.#add(this.#text[this.#at] ?? '');
  }

  /** Reads the markup that begins with `c`; false if it is none, and stands for itself. */
  #readMarked(c: string): boolean {
    switch (c) {
      case '\\':
        return this.#formula() || this.#escape();
      case '$':
        return this.#formula() || this.#lastDollar();
      case '`':
        return this.#code();
      case '\n':
        return this.#newline();
      case '<':
        return this.#autolink() || this.#tag();
      case '&':
        return this.#entity();
      default:
        return this.#bracket(c) || this.#run();
    }
  }

  #bracket(c: string): boolean {
    if (c === '[') return this.#open('[', 1);
    if (c === ']') return this.#closeBracket();
    return c === '!' && this.#text[this.#at + 1] === '[' && this.#open('![', 2);
  }

  #match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#at;
    return pattern.exec(this.#text);
  }

  /** Adds text that stands at the reading place as written. */
  #add(text: string): InlineNode {
    const node = this.#list.add({ type: 'text', at: this.#at, text });
    this.#at += text.length;
    return node;
  }

  #put(inline: Inline, end: number): true {
    this.#list.add(inline);
    this.#at = end;
    return true;
  }

  #escape(): boolean {
    const next = this.#text[this.#at + 1] ?? '';
    if (next === '\n') return this.#put({ type: 'break', at: this.#at }, this.#at + 2);
    if (!/[!-/:-@[-`{-~]/.test(next)) return false;
    return this.#put({ type: 'text', at: this.#at + 1, text: next }, this.#at + 2);
  }

  #formula(): boolean {
    const found = formulaAt(this.#text, this.#at, this.#live);
    if (!found) return false;
    const { tex, display, open, end } = found;
    return this.#put(
      { type: 'math', at: this.#at, tex: open ? tex.replace(/\$$/, '') : tex, display, open },
      end
    );
  }

  /** A dollar at the live end may open a formula: held back. */
  #lastDollar(): boolean {
    if (!this.#live || this.#at < this.#text.length - 1) return false;
    this.#at++;
    return true;
  }

  #code(): boolean {
    const marks = this.#match(RUN)?.[0] ?? '';
    const from = this.#at + marks.length;
    const end = this.#unclosed.has(marks.length) ? -1 : closingBackticks(this.#text, from, marks.length);
    if (end < 0) this.#unclosed.add(marks.length);
    if (end >= 0 || (this.#live && from < this.#text.length)) {
      const text = codeText(this.#text.slice(from, end < 0 ? undefined : end));
      return this.#put(
        { type: 'code', at: this.#at, text },
        end < 0 ? this.#text.length : end + marks.length
      );
    }
    this.#add(marks);
    return true;
  }

  #newline(): boolean {
    const last = this.#list.last?.inline;
    const spaces = last?.type === 'text' ? last.text.length - last.text.trimEnd().length : 0;
    if (last?.type === 'text' && spaces && this.#list.last) {
      this.#list.last.inline = { ...last, text: last.text.trimEnd() };
    }
    if (spaces >= 2) return this.#put({ type: 'break', at: this.#at }, this.#at + 1);
    this.#add('\n');
    return true;
  }

  #entity(): boolean {
    const found = entityAt(this.#text, this.#at);
    return (
      found !== null && this.#put({ type: 'text', at: this.#at, text: found.text }, this.#at + found.length)
    );
  }

  #run(): boolean {
    const marks = this.#match(RUN)?.[0];
    if (!marks) return false;
    const { opens, closes } = flanking(this.#text, this.#at, this.#at + marks.length);
    const node = this.#add(marks);
    const { length } = marks;
    this.#runs.push({ node, mark: marks[0] as DelimiterRun['mark'], count: length, length, opens, closes });
    return true;
  }

  #autolink(): boolean {
    const match = this.#match(AUTOLINK) ?? this.#match(MAIL);
    if (!match?.[1]) return false;
    const href = safeLinkUrl(match[1].includes(':') ? match[1] : `mailto:${match[1]}`);
    const shown: Inline = { type: 'text', at: this.#at + 1, text: match[1] };
    return this.#put({ type: 'link', at: this.#at, href, children: [shown] }, this.#at + match[0].length);
  }

  #open(kind: Opener['kind'], length: number): true {
    const node = this.#add(this.#text.slice(this.#at, this.#at + length));
    this.#openers.push({ kind, node, bottom: this.#runs.length, from: this.#at, inert: false });
    return true;
  }

  #tag(): boolean {
    const match = this.#match(TAG);
    if (!match) return false;
    const [whole, slash, name = ''] = match;
    if (name.toLowerCase() === 'br')
      return this.#put({ type: 'break', at: this.#at }, this.#at + whole.length);
    const type = TAGS[name.toLowerCase()] as SpanType;
    if (!slash) return this.#open(type, whole.length);
    const opener = this.#takeOpener((each) => each.kind === type);
    if (!opener) return false;
    this.#wrap(opener, (children) => ({ type, at: opener.node.inline.at, children }), false);
    this.#at += whole.length;
    return true;
  }

  /** The nearest opener of its kind; those opened since are left as text. */
  #takeOpener(suits: (opener: Opener) => boolean): Opener | null {
    const n = this.#openers.findLastIndex(suits);
    if (n < 0) return null;
    const opener = this.#openers[n] as Opener;
    this.#openers.length = n;
    return opener;
  }

  /** Puts everything behind `opener` into what `make` makes of it. */
  #wrap(opener: Opener, make: (children: Inline[]) => Inline, live: boolean): void {
    matchDelimiters(this.#list, this.#runs, opener.bottom, live);
    const children = this.#list.takeBetween(opener.node, null);
    this.#list.insertAfter(opener.node, make(children));
    this.#list.remove(opener.node);
  }

  #closeBracket(): boolean {
    const opener = this.#takeOpener((each) => each.kind === '[' || each.kind === '![');
    if (!opener || opener.inert) return false;
    const behind = this.#at + 1;
    const found = destinationAt(this.#text, behind);
    if (found) return this.#link(opener, found.address, found.end);
    const rest = this.#text.slice(behind);
    if (this.#live && isDestinationSoFar(rest) && isLinkSoFar(this.#text, opener)) {
      return this.#link(opener, null, this.#text.length);
    }
    return opener.kind === '[' && this.#reference(opener, behind);
  }

  #link(opener: Opener, address: string | null, end: number): true {
    const { at } = opener.node.inline;
    if (opener.kind === '![') {
      const alt = unescaped(this.#text.slice(opener.from, this.#at));
      const src = address === null ? null : safeImageUrl(address);
      this.#wrap(opener, () => ({ type: 'image', at, src, alt }), false);
    } else {
      const href = address === null ? null : safeLinkUrl(address);
      this.#wrap(opener, (children) => ({ type: 'link', at, href, children }), false);
      for (const each of this.#openers) if (each.kind === '[') each.inert = true;
    }
    this.#at = end;
    return true;
  }

  #reference(opener: Opener, behind: number): boolean {
    const inside = this.#text.slice(opener.from, this.#at);
    const full = labelAt(this.#text, behind);
    const label = labelKey(full?.label ? full.label : inside);
    if (!label || label.length > 999 || /(?<!\\)[[\]]/.test(label)) return false;
    const { at } = opener.node.inline;
    const end = full?.end ?? behind;
    const after = this.#text.slice(this.#at, end);
    this.#wrap(opener, (children) => ({ type: 'reference', at, label, after, children }), false);
    this.#at = end;
    return true;
  }

  #end(): void {
    if (this.#live) {
      for (const opener of this.#openers.reverse()) this.#closeAtEnd(opener);
    }
    matchDelimiters(this.#list, this.#runs, 0, this.#live);
  }

  #closeAtEnd(opener: Opener): void {
    const { kind, node, from } = opener;
    const { at } = node.inline;
    if (kind === '![') {
      const alt = this.#text.slice(from);
      this.#wrap(opener, () => ({ type: 'image', at, src: null, alt }), false);
    } else if (kind === '[') {
      if (opener.inert || !isLinkSoFar(this.#text, opener)) return;
      this.#wrap(opener, (children) => ({ type: 'link', at, href: null, children }), true);
    } else this.#wrap(opener, (children) => ({ type: kind, at, children }), true);
  }
}

/** Whether an unclosed bracket is more likely a link than an interval, a citation or an index. */
function isLinkSoFar(text: string, opener: Opener): boolean {
  if (opener.kind === '![') return true;
  return (
    /^[\p{L}`*_]/u.test(text.slice(opener.from)) && !/[\p{L}\p{N}_)\]]/u.test(text[opener.from - 2] ?? '')
  );
}

function closingBackticks(text: string, from: number, size: number): number {
  for (const match of text.slice(from).matchAll(/`+/g)) {
    if (match[0].length === size) return from + match.index;
  }
  return -1;
}

/** Line ends become spaces; one space on both sides protects backticks and goes. */
function codeText(raw: string): string {
  const text = raw.replaceAll('\n', ' ');
  return /^ .*[^ ].* $/.test(text) || /^ [^ ] $/.test(text) ? text.slice(1, -1) : text;
}
