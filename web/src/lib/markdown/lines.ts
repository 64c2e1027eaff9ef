// One line of source, as containers peel it: what is left of the text, where that stands, and in which column.
// Tabs count to the next multiple of four columns of the original line (CommonMark 0.31, section 2.2).

export interface Line {
  readonly text: string;
  /** Offset of `text` in the source, in UTF-16 units. */
  readonly at: number;
  /** Column of `text` in its original line; tabs are measured from there. */
  readonly column: number;
  /** More of this line may come. */
  readonly partial: boolean;
}

/** Columns of white space that `line` begins with. */
export function indentOf(line: Line): number {
  let column = line.column;
  for (let i = 0; i < line.text.length; i++) {
    const c = line.text[i];
    if (c === ' ') column++;
    else if (c === '\t') column += 4 - (column % 4);
    else break;
  }
  return column - line.column;
}

export function isBlank(line: Line): boolean {
  return line.text.trim() === '';
}

/** `line` without its first `columns` columns of white space; a tab that is cut leaves spaces. */
export function dropColumns(line: Line, columns: number): Line {
  const end = line.column + columns;
  let column = line.column;
  let i = 0;
  while (column < end && i < line.text.length) {
    const c = line.text[i];
    if (c === ' ') column++;
    else if (c === '\t') column += 4 - (column % 4);
    else break;
    i++;
  }
  const left = ' '.repeat(Math.max(0, column - end));
  return {
    ...line,
    text: left + line.text.slice(i),
    at: line.at + i - left.length,
    column: column - left.length
  };
}

/** `line` without its first `count` characters, none of which may be a tab. */
export function dropChars(line: Line, count: number): Line {
  return { ...line, text: line.text.slice(count), at: line.at + count, column: line.column + count };
}

/** `line` without the white space it begins with. */
export function trimStart(line: Line): Line {
  return dropColumns(line, indentOf(line));
}
