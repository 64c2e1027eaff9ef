// Says what kind of block a line begins, by CommonMark 0.31 section 4 and 5 and the GFM rules for tables and tasks.
// Knows nothing of what came before; blockParser.ts decides whether a start counts. Two differences on purpose: raw HTML
// begins no block (it is shown as text), and `$$` or `\[` begin a display formula.

import { indentOf, isBlank, trimStart, type Line } from './lines.ts';

export interface FenceStart {
  readonly mark: '`' | '~';
  readonly size: number;
  readonly indent: number;
  readonly info: string;
}

export function fenceStart(line: Line): FenceStart | null {
  const match = /^( {0,3})(`{3,}(?=[^`]*$)|~{3,})(.*)$/.exec(line.text);
  if (!match) return null;
  const [, indent = '', marks = '', info = ''] = match;
  return { mark: marks[0] as '`' | '~', size: marks.length, indent: indent.length, info: info.trim() };
}

/** Whether `line` ends a fence of `size` or more `mark`s. */
export function isFenceEnd(line: Line, mark: string, size: number): boolean {
  const match = /^ {0,3}(`{3,}|~{3,})[ \t]*$/.exec(line.text);
  return match?.[1] !== undefined && match[1][0] === mark && match[1].length >= size;
}

export function headingStart(line: Line): { level: 1 | 2 | 3 | 4 | 5 | 6; content: Line } | null {
  const match = /^( {0,3}(#{1,6}))(?:[ \t]+|$)/.exec(line.text);
  if (!match?.[2]) return null;
  const from = (match[1] ?? '').length;
  const text = line.text
    .slice(from)
    .replace(/(?:^|[ \t]+)#+[ \t]*$/, '')
    .trimEnd();
  const content = trimStart({ ...line, text, at: line.at + from, column: line.column + from });
  return { level: match[2].length as 1, content };
}

export function isRule(line: Line): boolean {
  return /^ {0,3}(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,})$/.test(line.text);
}

/** Level of the heading that an underline makes of the paragraph above it. */
export function underlineLevel(line: Line): 1 | 2 | null {
  const match = /^ {0,3}(=+|-+)[ \t]*$/.exec(line.text);
  return match ? (match[1]?.[0] === '=' ? 1 : 2) : null;
}

export function isQuoteStart(line: Line): boolean {
  return /^ {0,3}>/.test(line.text);
}

export interface ListStart {
  /** Bullet, or the delimiter after the number: a list goes on only with the same one. */
  readonly mark: string;
  readonly number: number | null;
  /** Columns to the content of the item: what later lines must be indented by. */
  readonly width: number;
  readonly blank: boolean;
}

export function listStart(line: Line): ListStart | null {
  const match = /^( {0,3})([-+*]|(\d{1,9})[.)])(?=[ \t]|$)/.exec(line.text);
  if (!match?.[2]) return null;
  const marker = match[0].length;
  const rest = { ...line, text: line.text.slice(marker), column: line.column + marker };
  const spaces = indentOf(rest);
  const blank = isBlank(rest);
  return {
    mark: match[2].slice(-1),
    number: match[3] === undefined ? null : Number(match[3]),
    // Five or more columns: the content is an indented code block, one column after the marker.
    width: marker + (blank || spaces > 4 ? 1 : spaces),
    blank
  };
}

/**
 * A display formula: what closes it, and the whole formula if it ends on the same line. With text behind it, it is
 * a formula inside a paragraph and begins no block.
 */
export function mathStart(line: Line): { close: '$$' | '\\]'; tex: string | null } | null {
  const match = /^ {0,3}(\$\$|\\\[)(.*)$/.exec(line.text);
  if (match?.[2] === undefined) return null;
  const close = match[1] === '$$' ? '$$' : '\\]';
  const end = match[2].indexOf(close);
  if (end < 0) return { close, tex: null };
  const tex = match[2].slice(0, end).trim();
  return tex && match[2].slice(end + 2).trim() === '' ? { close, tex } : null;
}

export interface Definition {
  readonly label: string;
  readonly address: string;
}

const DEFINITION =
  /^ {0,3}\[((?!\^)(?:[^\\[\]]|\\.){1,999})\]:[ \t]*(?:<([^<>]*)>|([^\s<]\S*))(?:[ \t]+(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\([^()]*\)))?[ \t]*$/;
const DEFINITION_SO_FAR = /^ {0,3}\[(?!\^)(?:[^\\[\]]|\\.){1,999}\]:[ \t]*(?:\S*[ \t]*|\S+[ \t]+["'(].*)$/;

/** A link reference definition on one line. */
export function definition(line: Line): Definition | null {
  const match = DEFINITION.exec(line.text);
  if (!match?.[1]?.trim()) return null;
  return { label: labelKey(match[1]), address: match[2] ?? match[3] ?? '' };
}

/** Labels match without regard to case and runs of white space. */
export function labelKey(label: string): string {
  return label.trim().replace(/\s+/g, ' ').toLowerCase().toUpperCase();
}

const UNDECIDED =
  /^ {0,3}(?:[-*_=][-*_= \t]*|\+[ \t]*|\d{1,9}[.)]?[ \t]*|#{1,6}[ \t]*|>[ \t]*|`{1,2}|~{1,2}|\$|\\|\|[ \t]*|!?\[)?$/;

/**
 * Whether an unfinished line could still begin several kinds of block, so that showing it now would show
 * something that the next character takes back.
 */
export function isUndecided(line: Line): boolean {
  return line.partial && (isBlank(line) || UNDECIDED.test(line.text) || DEFINITION_SO_FAR.test(line.text));
}

/** Whether `line` ends a paragraph by beginning something else. */
export function interruptsParagraph(line: Line): boolean {
  if (isBlank(line)) return true;
  if (indentOf(line) > 3) return false;
  if (fenceStart(line) || headingStart(line) || isRule(line) || isQuoteStart(line) || mathStart(line))
    return true;
  const list = listStart(line);
  return list !== null && !list.blank && (list.number === null || list.number === 1);
}

/** Whether `line` begins a block where no paragraph of the same container is open; any list item does there. */
export function beginsBlock(line: Line): boolean {
  return interruptsParagraph(line) || (indentOf(line) < 4 && listStart(line) !== null);
}
