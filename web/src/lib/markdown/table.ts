// Rows of a GFM table: where cells begin and end, and what the delimiter row says. Knows nothing of blocks.

import type { Line } from './lines.ts';
import type { Align } from './ast.ts';

export interface CellText {
  readonly text: string;
  /** Offset of `text` in the source. */
  readonly at: number;
}

/** The cells of one row. A pipe behind a backslash belongs to its cell, even inside code. */
export function splitRow(line: Line): CellText[] {
  const cells: CellText[] = [];
  const { text } = line;
  let from = /^\s*\|?/.exec(text)?.[0].length ?? 0;
  const end = text.trimEnd().length;
  for (let i = from; i < end; i++) {
    if (text[i] === '\\') i++;
    else if (text[i] === '|') {
      cells.push(cell(line, from, i));
      from = i + 1;
    }
  }
  if (from < end) cells.push(cell(line, from, end));
  return cells;
}

function cell(line: Line, from: number, to: number): CellText {
  const raw = line.text.slice(from, to);
  const text = raw.trimStart();
  return { text: text.trimEnd().replaceAll('\\|', '|'), at: line.at + from + raw.length - text.length };
}

const DELIMITER_ROW = /^ {0,3}\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$/;

/** Alignments, if `line` is the delimiter row of a table with `columns` columns. */
export function delimiterRow(line: Line, columns: number): Align[] | null {
  if (!DELIMITER_ROW.test(line.text) || !/[|:]/.test(line.text)) return null;
  const cells = splitRow(line);
  return cells.length === columns ? cells.map((each) => alignment(each.text)) : null;
}

function alignment(marks: string): Align {
  const left = marks.startsWith(':');
  const right = marks.endsWith(':');
  if (left && right) return 'center';
  return left ? 'left' : right ? 'right' : null;
}

/** Whether an unfinished line may become a delimiter row. */
export function isDelimiterSoFar(line: Line): boolean {
  return line.partial && /^[ \t|:-]*$/.test(line.text);
}

/** Whether a line looks so much like a table's head that it is shown as one before the delimiter row comes. */
export function looksLikeHead(line: Line): boolean {
  return /^ {0,3}\|[ \t]*[^\s|]/.test(line.text) && (line.partial || /\|.*\|[ \t]*$/.test(line.text));
}
