// What the block parser remembers between two lines: finished blocks, and the one block that is still open.
// Plain persistent values: a step makes a new state and leaves the old one readable, so that an unfinished line
// can be tried out and dropped again.

import type { Line } from './lines.ts';
import { AppendList } from './appendList.ts';
import type { Align, Block, Item, Row } from './ast.ts';

export interface State {
  readonly done: AppendList<Block>;
  readonly open: Open | null;
}

export const EMPTY_STATE: State = { done: AppendList.empty(), open: null };

export interface OpenParagraph {
  readonly kind: 'paragraph';
  readonly lines: AppendList<Line>;
}

export interface OpenFence {
  readonly kind: 'fence';
  readonly key: number;
  readonly mark: '`' | '~';
  readonly size: number;
  readonly indent: number;
  readonly language: string;
  readonly lines: AppendList<string>;
  readonly partial: boolean;
  /** Marks of the fence that is open inside a block of Markdown; 0 for none. */
  readonly inner: number;
}

export interface OpenIndented {
  readonly kind: 'indented';
  readonly key: number;
  readonly lines: AppendList<string>;
  /** Blank lines at the end of `lines`, which belong to the block only if more code follows. */
  readonly blanks: number;
  readonly partial: boolean;
}

export interface OpenMath {
  readonly kind: 'math';
  readonly key: number;
  readonly close: '$$' | '\\]';
  /** As written, with the opening delimiter: a formula that never ends falls back to a paragraph of these. */
  readonly lines: AppendList<Line>;
}

export interface OpenQuote {
  readonly kind: 'quote';
  readonly key: number;
  readonly inner: State;
}

export interface OpenItem {
  readonly key: number;
  readonly done: boolean | null;
  readonly spaced: boolean;
  readonly width: number;
  readonly inner: State;
  /** Nothing but its marker so far. */
  readonly bare: boolean;
}

export interface OpenList {
  readonly kind: 'list';
  readonly key: number;
  readonly mark: string;
  readonly start: number | null;
  readonly items: AppendList<Item>;
  readonly current: OpenItem;
  /** The line before was blank. */
  readonly blank: boolean;
}

export interface OpenTable {
  readonly kind: 'table';
  readonly key: number;
  readonly align: readonly Align[];
  readonly head: Row;
  readonly rows: AppendList<Row>;
}

export type Open = OpenParagraph | OpenFence | OpenIndented | OpenMath | OpenQuote | OpenList | OpenTable;
