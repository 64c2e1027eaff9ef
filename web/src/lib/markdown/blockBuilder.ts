// From parser state to blocks: what an open block looks like now, and what it is once it has ended.
// Invariant: finished blocks keep their identity; only the open one is rebuilt.

import { parseInline } from './inline.ts';
import type { Line } from './lines.ts';
import { AppendList } from './appendList.ts';
import type { Open, OpenList, OpenMath, OpenParagraph, State } from './parserState.ts';
import { type CellText, looksLikeHead, splitRow } from './table.ts';
import type { Align, Block, Cell, Item, Leaf, MathBlock, Paragraph, Row, Table } from './ast.ts';

/** All blocks of `state`. With `live`, more text may come: the open block is drawn as what it will become. */
export function toBlocks(state: State, live: boolean): Block[] {
  const blocks = state.done.toArray();
  if (state.open) blocks.push(...openBlocks(state.open, live));
  return blocks;
}

/** `state` with its open block closed. */
export function closeOpenBlock(state: State): State {
  if (!state.open) return state;
  const done = openBlocks(state.open, false).reduce((all, block) => all.plus(block), state.done);
  return { done, open: null };
}

function openBlocks(open: Open, live: boolean): Block[] {
  switch (open.kind) {
    case 'paragraph':
      return paragraphBlocks(open, live);
    case 'fence': {
      const { key, language } = open;
      const partial = live && open.partial;
      return [{ type: 'code', key, language, lines: open.lines.toArray(), partial, open: live }];
    }
    case 'indented': {
      const lines = open.lines.toArray(open.blanks);
      return [
        { type: 'code', key: open.key, language: '', lines, partial: live && open.partial, open: live }
      ];
    }
    case 'math':
      return live ? [openMath(open)] : [paragraph(open.lines.toArray(), false)];
    case 'quote':
      return [{ type: 'quote', key: open.key, blocks: toBlocks(open.inner, live) }];
    case 'list':
      return [
        {
          type: 'list',
          key: open.key,
          start: open.start,
          items: [...open.items.toArray(), toItem(open, live)]
        }
      ];
    case 'table': {
      return [{ type: 'table', key: open.key, head: open.head, rows: open.rows.toArray() }];
    }
  }
}

function paragraphBlocks(open: OpenParagraph, live: boolean): Block[] {
  const last = open.lines.last();
  if (!live || !last || !looksLikeHead(last)) return [paragraph(open.lines.toArray(), live)];
  const above = open.lines.toArray(1);
  return above.length ? [paragraph(above, false), provisionalTable(last)] : [provisionalTable(last)];
}

function provisionalTable(line: Line): Table {
  return { type: 'table', key: line.at, head: toRow(line, null, line.partial), rows: [] };
}

export function paragraph(lines: readonly Line[], live: boolean): Paragraph {
  return { type: 'paragraph', key: lines[0]?.at ?? 0, leaf: toLeaf(lines, live) };
}

function openMath(open: OpenMath): MathBlock {
  const tex = mathText(open.lines);
  // Half a closing delimiter isn't part of the formula.
  const shown = tex.endsWith(open.close.charAt(0)) ? tex.slice(0, -1).trimEnd() : tex;
  return { type: 'math', key: open.key, tex: shown, open: true };
}

/** The formula in `lines`, without the opening delimiter. */
export function mathText(lines: AppendList<Line>): string {
  const text = lines.toArray().map((line) => line.text);
  return text
    .join('\n')
    .replace(/^\s*(?:\$\$|\\\[)/, '')
    .trim();
}

/** The item being read, as it stands. */
export function toItem(list: OpenList, live: boolean): Item {
  const { key, done, spaced, inner } = list.current;
  return { key, done, spaced, blocks: toBlocks(inner, live) };
}

export function toLeaf(lines: readonly Line[], live: boolean): Leaf {
  let at = 0;
  const marks = lines.map((line) => {
    const mark = { at, source: line.at };
    at += line.text.length + 1;
    return mark;
  });
  const text = lines.map((line) => line.text).join('\n');
  return { inline: parseInline(text.trimEnd(), live), lines: marks };
}

/** The row on `line`. With `align`, it has exactly as many cells: GFM drops what is too much and fills up the rest. */
export function toRow(line: Line, align: readonly Align[] | null, live: boolean): Row {
  const texts = splitRow(line);
  const cells = texts.map((text, n) => cellOf(text, align?.[n] ?? null, live && n === texts.length - 1));
  if (!align) return { key: line.at, cells };
  while (cells.length < align.length) cells.push({ leaf: EMPTY, align: align[cells.length] ?? null });
  return { key: line.at, cells: cells.slice(0, align.length) };
}

const EMPTY: Leaf = { inline: [], lines: [] };

function cellOf(text: CellText, align: Align, live: boolean): Cell {
  return { leaf: { inline: parseInline(text.text, live), lines: [{ at: 0, source: text.at }] }, align };
}
