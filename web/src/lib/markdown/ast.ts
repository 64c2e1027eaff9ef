// The shape of parsed Markdown: plain frozen values, no behaviour.
// Invariant: a finished Block is never changed again, only replaced as a whole; `key` is the offset of its first
// character in the source, unique among siblings, and stays the same while the block grows or changes its kind.

/** Inline content. `at` is its offset in its Leaf. */
export type Inline =
  | { readonly type: 'text'; readonly at: number; readonly text: string }
  | { readonly type: 'break'; readonly at: number }
  | { readonly type: 'code'; readonly at: number; readonly text: string }
  | {
      readonly type: 'math';
      readonly at: number;
      readonly tex: string;
      readonly display: boolean;
      readonly open: boolean;
    }
  | Span
  /** `href` is null while the URL is incomplete, and when it isn't allowed. */
  | {
      readonly type: 'link';
      readonly at: number;
      readonly href: string | null;
      readonly children: readonly Inline[];
    }
  /** A bracket pair; a link once its label is defined anywhere in the text, brackets as written until then. */
  | {
      readonly type: 'reference';
      readonly at: number;
      readonly label: string;
      readonly after: string;
      readonly children: readonly Inline[];
    }
  | { readonly type: 'image'; readonly at: number; readonly src: string | null; readonly alt: string }
  | { readonly type: 'seam'; readonly at: number; readonly id: string };

export type SpanType = 'strong' | 'emphasis' | 'strike' | 'sub' | 'sup' | 'kbd' | 'mark' | 'underline';

export interface Span {
  readonly type: SpanType;
  readonly at: number;
  readonly children: readonly Inline[];
}

/** Text of one paragraph, heading or table cell, with the source offset of each of its lines. */
export interface Leaf {
  readonly inline: readonly Inline[];
  /** Offset in the leaf, and in the source, where each line begins; both ascending. */
  readonly lines: readonly { readonly at: number; readonly source: number }[];
}

export interface Paragraph {
  readonly type: 'paragraph';
  readonly key: number;
  readonly leaf: Leaf;
}

export interface Heading {
  readonly type: 'heading';
  readonly key: number;
  readonly level: 1 | 2 | 3 | 4 | 5 | 6;
  readonly leaf: Leaf;
}

export interface Code {
  readonly type: 'code';
  readonly key: number;
  /** First word of the info string, lower case; empty when none was given. */
  readonly language: string;
  readonly lines: readonly string[];
  /** The last of `lines` may still grow. */
  readonly partial: boolean;
  /** The closing fence has not been seen. */
  readonly open: boolean;
}

export interface MathBlock {
  readonly type: 'math';
  readonly key: number;
  readonly tex: string;
  readonly open: boolean;
}

export interface Quote {
  readonly type: 'quote';
  readonly key: number;
  readonly blocks: readonly Block[];
}

export interface Item {
  readonly key: number;
  /** null when the item is no task. */
  readonly done: boolean | null;
  /** A blank line stood before it. */
  readonly spaced: boolean;
  readonly blocks: readonly Block[];
}

export interface List {
  readonly type: 'list';
  readonly key: number;
  /** Number of the first item; null for bullets. */
  readonly start: number | null;
  readonly items: readonly Item[];
}

export type Align = 'left' | 'center' | 'right' | null;

export interface Cell {
  readonly leaf: Leaf;
  readonly align: Align;
}

export interface Row {
  readonly key: number;
  readonly cells: readonly Cell[];
}

export interface Table {
  readonly type: 'table';
  readonly key: number;
  readonly head: Row;
  readonly rows: readonly Row[];
}

export interface Rule {
  readonly type: 'rule';
  readonly key: number;
}

export type Block = Paragraph | Heading | Code | MathBlock | Quote | List | Table | Rule;
