// The block parser: one line in, a new state out. Containers (quotes, list items) peel their prefix and hand the
// rest to a state of their own, so a list of a thousand items costs as much per line as a paragraph.
// Invariant: parseLine never looks back at source text, and an unfinished line never changes what is finished.
// Source of the rules: CommonMark 0.31, section 5 and its parsing strategy; GFM for tables and tasks.

import { dropChars, dropColumns, indentOf, isBlank, trimStart, type Line } from './lines.ts';
import { AppendList } from './appendList.ts';
import * as starts from './blockStarts.ts';
import {
  EMPTY_STATE,
  type OpenFence,
  type OpenIndented,
  type OpenItem,
  type OpenList,
  type OpenMath,
  type OpenParagraph,
  type OpenQuote,
  type OpenTable,
  type State
} from './parserState.ts';
import { delimiterRow, isDelimiterSoFar, looksLikeHead, splitRow } from './table.ts';
import type { Block } from './ast.ts';
import { closeOpenBlock, toItem, toLeaf, mathText, paragraph, toRow } from './blockBuilder.ts';

/** Where link reference definitions go: label (see `labelKey`) and address. The first one of a label counts. */
export type Define = (label: string, address: string) => void;

export function parseLine(state: State, line: Line, define: Define): State {
  const { open } = state;
  switch (open?.kind) {
    case 'fence':
      return inFence(state, open, line);
    case 'math':
      return inMath(state, open, line, define);
    case 'indented':
      return inIndented(state, open, line, define);
    case 'quote':
      return inQuote(state, open, line, define);
    case 'list':
      return inList(state, open, line, define);
    case 'table':
      return inTable(state, open, line, define);
    case 'paragraph':
      return inParagraph(state, open, line, define);
    default:
      return begin(state, line, define);
  }
}

function finished(state: State, block: Block): State {
  return { done: state.done.plus(block), open: null };
}

/** A line that belongs to no open block. */
function begin(state: State, line: Line, define: Define): State {
  if (starts.isUndecided(line) || isBlank(line)) return state;
  const key = line.at;
  if (indentOf(line) > 3) {
    const lines = AppendList.of(dropColumns(line, 4).text);
    return { ...state, open: { kind: 'indented', key, lines, blanks: 0, partial: line.partial } };
  }
  const fence = starts.fenceStart(line);
  if (fence) {
    const { mark, size, indent } = fence;
    // A half-written name would flicker through other languages.
    const language = line.partial ? '' : languageOf(fence.info);
    const open: OpenFence = {
      kind: 'fence',
      key,
      mark,
      size,
      indent,
      language,
      lines: AppendList.empty(),
      partial: false,
      inner: 0
    };
    return { ...state, open };
  }
  const heading = starts.headingStart(line);
  if (heading) {
    const leaf = toLeaf([heading.content], line.partial);
    return finished(state, { type: 'heading', key, level: heading.level, leaf });
  }
  if (starts.isRule(line)) return finished(state, { type: 'rule', key });
  return beginContainer(state, line, define) ?? beginText(state, line, define);
}

function languageOf(info: string): string {
  return /^[^\s{]*/.exec(info)?.[0].toLowerCase() ?? '';
}

function beginContainer(state: State, line: Line, define: Define): State | null {
  if (starts.isQuoteStart(line)) {
    return {
      ...state,
      open: { kind: 'quote', key: line.at, inner: parseLine(EMPTY_STATE, unquoted(line), define) }
    };
  }
  const list = starts.listStart(line);
  if (!list) return null;
  const { mark, number } = list;
  const current = itemFrom(line, list, false, define);
  return {
    ...state,
    open: {
      kind: 'list',
      key: line.at,
      mark,
      start: number,
      items: AppendList.empty(),
      current,
      blank: false
    }
  };
}

function beginText(state: State, line: Line, define: Define): State {
  const math = starts.mathStart(line);
  if (math) {
    if (math.tex !== null) return finished(state, { type: 'math', key: line.at, tex: math.tex, open: false });
    return { ...state, open: { kind: 'math', key: line.at, close: math.close, lines: AppendList.of(line) } };
  }
  const link = starts.definition(line);
  if (link) {
    if (!line.partial) define(link.label, link.address);
    return state;
  }
  return { ...state, open: { kind: 'paragraph', lines: AppendList.of(trimStart(line)) } };
}

function inFence(state: State, open: OpenFence, line: Line): State {
  if (line.partial) {
    // It may become the closing fence: held back, or the marks would show for a moment.
    if (/^ {0,3}[`~]+[ \t]*$/.test(line.text) && line.text.trim()[0] === open.mark) return state;
    if (line.text === '') return state;
  } else if (open.inner === 0 && starts.isFenceEnd(line, open.mark, open.size)) {
    const { key, language } = open;
    return finished(state, {
      type: 'code',
      key,
      language,
      lines: open.lines.toArray(),
      partial: false,
      open: false
    });
  }
  const text = dropColumns(line, Math.min(open.indent, indentOf(line))).text;
  const inner = innerFence(open, line);
  return { ...state, open: { ...open, lines: open.lines.plus(text), partial: line.partial, inner } };
}

/**
 * Models write blocks of code into a block of Markdown without making its fence longer. By CommonMark, the end of the
 * first of them would end it; here each fence with a language has an end of its own. How many marks the open one has.
 */
function innerFence(open: OpenFence, line: Line): number {
  if (open.inner > 0) return starts.isFenceEnd(line, open.mark, open.inner) ? 0 : open.inner;
  if (!/^(?:markdown|md|mdx)$/.test(open.language)) return 0;
  const fence = starts.fenceStart(line);
  return fence?.mark === open.mark && fence.info && fence.size >= open.size ? fence.size : 0;
}

function inIndented(state: State, open: OpenIndented, line: Line, define: Define): State {
  const blank = isBlank(line);
  if (line.partial && blank) return state;
  if (!blank && indentOf(line) < 4) return begin(closeOpenBlock(state), line, define);
  const lines = open.lines.plus(dropColumns(line, 4).text);
  return { ...state, open: { ...open, lines, blanks: blank ? open.blanks + 1 : 0, partial: line.partial } };
}

function inMath(state: State, open: OpenMath, line: Line, define: Define): State {
  // TeX knows no blank line inside a formula; without this rule a stray `$$` would swallow the rest of the text.
  if (isBlank(line)) return line.partial ? state : closeOpenBlock(state);
  const end = line.text.indexOf(open.close);
  if (end < 0) return { ...state, open: { ...open, lines: open.lines.plus(line) } };
  const tex = mathText(open.lines.plus({ ...line, text: line.text.slice(0, end) }));
  const next = finished(state, { type: 'math', key: open.key, tex, open: false });
  const rest = trimStart(dropChars(line, end + 2));
  return isBlank(rest) ? next : begin(next, rest, define);
}

function unquoted(line: Line): Line {
  const inside = dropChars(line, line.text.indexOf('>') + 1);
  return dropColumns(inside, Math.min(1, indentOf(inside)));
}

function inQuote(state: State, open: OpenQuote, line: Line, define: Define): State {
  if (starts.isQuoteStart(line)) {
    return { ...state, open: { ...open, inner: parseLine(open.inner, unquoted(line), define) } };
  }
  if (starts.isUndecided(line)) return state;
  const inner = lazily(open.inner, line);
  return inner ? { ...state, open: { ...open, inner } } : begin(closeOpenBlock(state), line, define);
}

/** Text that continues an open paragraph although the container prefix is missing (CommonMark's lazy continuation). */
function lazily(state: State, line: Line): State | null {
  const { open } = state;
  if (starts.beginsBlock(line)) return null;
  if (open?.kind === 'paragraph') {
    return { ...state, open: { ...open, lines: open.lines.plus(trimStart(line)) } };
  }
  if (open?.kind === 'quote') {
    const inner = lazily(open.inner, line);
    return inner && { ...state, open: { ...open, inner } };
  }
  if (open?.kind !== 'list') return null;
  const inner = lazily(open.current.inner, line);
  return inner && { ...state, open: { ...open, current: { ...open.current, inner } } };
}

function itemFrom(line: Line, list: starts.ListStart, spaced: boolean, define: Define): OpenItem {
  let content = dropListPrefix(line, list.width);
  const task = /^\[([ xX])\][ \t]+(?=\S)/.exec(content.text);
  if (task) content = dropChars(content, 4);
  // A task's box while it is being written.
  const held = line.partial && /^\[(?:[ xX]\]?[ \t]*)?$/.test(content.text);
  return {
    key: line.at,
    done: task ? task[1] !== ' ' : null,
    spaced,
    width: list.width,
    inner: held ? EMPTY_STATE : parseLine(EMPTY_STATE, content, define),
    bare: list.blank
  };
}

function dropListPrefix(line: Line, width: number): Line {
  const marker = /^ {0,3}(?:[-+*]|\d{1,9}[.)])/.exec(line.text)?.[0].length ?? 0;
  return dropColumns(dropChars(line, marker), width - marker);
}

function inList(state: State, open: OpenList, line: Line, define: Define): State {
  const { current } = open;
  if (isBlank(line)) return line.partial ? state : { ...state, open: afterBlank(open, line, define) };
  if (indentOf(line) >= current.width) {
    const inner = parseLine(current.inner, dropColumns(line, current.width), define);
    return { ...state, open: { ...open, current: { ...current, inner, bare: false }, blank: false } };
  }
  if (starts.isUndecided(line)) return state;
  const narrow = narrowed(open, line);
  if (narrow) return inList(state, narrow, line, define);
  const list = starts.isRule(line) ? null : starts.listStart(line);
  if (list && list.mark === open.mark && (list.number === null) === (open.start === null)) {
    const item = toItem(open, false);
    const next = itemFrom(line, list, open.blank, define);
    return { ...state, open: { ...open, items: open.items.plus(item), current: next, blank: false } };
  }
  const inner = open.blank ? null : lazily(current.inner, line);
  if (inner) return { ...state, open: { ...open, current: { ...current, inner } } };
  return begin(closeOpenBlock(state), line, define);
}

function afterBlank(open: OpenList, line: Line, define: Define): OpenList {
  const { current } = open;
  const inner = parseLine(current.inner, { ...line, text: '' }, define);
  // An item may begin with one blank line, not with two.
  const width = current.bare ? Number.POSITIVE_INFINITY : current.width;
  return { ...open, current: { ...current, inner, width }, blank: true };
}

/**
 * Models indent what is inside an item by as much as they did for the first one, under `10.` as under `1.`.
 * CommonMark would end the list there; here the item takes the smaller indent.
 */
function narrowed(open: OpenList, line: Line): OpenList | null {
  const indent = indentOf(line);
  const inner = starts.listStart(line);
  const belongs = inner ? inner.mark !== open.mark : starts.fenceStart(line) !== null;
  if (indent < 2 || !belongs || open.start === null) return null;
  return { ...open, current: { ...open.current, width: indent } };
}

function inTable(state: State, open: OpenTable, line: Line, define: Define): State {
  if (line.partial && /^[ \t]*\|?[ \t]*$/.test(line.text)) return state;
  if (starts.isUndecided(line)) return state;
  if (starts.interruptsParagraph(line)) return begin(closeOpenBlock(state), line, define);
  const row = toRow(line, open.align, line.partial);
  return { ...state, open: { ...open, rows: open.rows.plus(row) } };
}

function inParagraph(state: State, open: OpenParagraph, line: Line, define: Define): State {
  const last = open.lines.last() as Line;
  if (isDelimiterSoFar(line) && looksLikeHead(last)) return state;
  if (starts.isUndecided(line)) return state;
  const table = tableUnder(last, line);
  if (table) return { ...beforeTable(state, open), open: table };
  const level = starts.underlineLevel(line);
  if (level) {
    const lines = open.lines.toArray();
    return finished(state, { type: 'heading', key: lines[0]?.at ?? 0, level, leaf: toLeaf(lines, false) });
  }
  if (starts.interruptsParagraph(line)) return begin(closeOpenBlock(state), line, define);
  return { ...state, open: { ...open, lines: open.lines.plus(trimStart(line)) } };
}

function tableUnder(head: Line, line: Line): OpenTable | null {
  if (line.partial || !head.text.includes('|')) return null;
  const columns = splitRow(head).length;
  const align = delimiterRow(line, columns);
  return (
    align && { kind: 'table', key: head.at, align, head: toRow(head, align, false), rows: AppendList.empty() }
  );
}

/** Lines above the head of a table stay a paragraph of their own. */
function beforeTable(state: State, open: OpenParagraph): State {
  const above = open.lines.toArray(1);
  return above.length ? finished(state, paragraph(above, false)) : state;
}
