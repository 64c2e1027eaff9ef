import { expect, test } from 'vitest';
import { MarkdownDocument } from './document.ts';
import { ANSWER, sketch, plainText } from './testUtils.ts';
import type { Block } from './ast.ts';

function live(text: string): readonly Block[] {
  return new MarkdownDocument().update(text, true).blocks;
}

/** The last paragraph of an unfinished text, as a sketch. */
function shown(text: string): string {
  const last = live(text).at(-1);
  return last?.type === 'paragraph' ? sketch(last.leaf.inline) : (last?.type ?? '');
}

// References are left out: whether brackets are one is known only when the label is defined, perhaps at the very end.
const STEADY = ANSWER.slice(0, ANSWER.indexOf('Setext is rare'));

test('no word that was shown is taken back or changed while the text arrives', () => {
  let before = '';
  for (let end = 1; end <= STEADY.length; end++) {
    const now = plainText(live(STEADY.slice(0, end)));
    expect(now.startsWith(before.trimEnd()), `after ${JSON.stringify(STEADY.slice(0, end).slice(-30))}`).toBe(
      true
    );
    before = now;
  }
});

test('no block changes its kind while the text arrives', () => {
  const kinds = new Map<number, string>();
  for (let end = 1; end <= STEADY.length; end++) {
    for (const { key, type } of live(STEADY.slice(0, end))) {
      expect(kinds.get(key) ?? type, `after ${JSON.stringify(STEADY.slice(0, end).slice(-30))}`).toBe(type);
      kinds.set(key, type);
    }
  }
});

test.each([
  ['a **bo', 'a strong(bo)'],
  ['a **bold*', 'a strong(bold)'],
  ['a **bold**', 'a strong(bold)'],
  ['a *it', 'a emphasis(it)'],
  ['a ***both', 'a emphasis(strong(both))'],
  ['a **bold *and', 'a strong(bold emphasis(and))'],
  ['a ~~gone', 'a strike(gone)'],
  ['a `co', 'a code(co)'],
  ['a `code`', 'a code(code)'],
  ['a **', 'a'],
  ['a \\', 'a'],
  ['a &am', 'a'],
  ['a <', 'a'],
  ['a <su', 'a'],
  ['H<sub>2', 'Hsub(2)'],
  ['see [Do', 'see link<>(Do)'],
  ['see [Docs]', 'see link<>(Docs)'],
  ['see [Docs](https://exa', 'see link<>(Docs)'],
  ['see [Docs](https://example.org "Ti', 'see link<>(Docs)'],
  ['see [Docs](https://example.org)', 'see link<https://example.org/>(Docs)'],
  ['see [**Do', 'see link<>(strong(Do))'],
  ['see ![a pic](https://exa', 'see image(a pic)'],
  ['at https://exa', 'at link<>(https://exa)'],
  ['so $x^', 'so open-math(x^)'],
  ['so \\(x^', 'so open-math(x^)']
])('unfinished %j shows as what it will become', (text, sketched) => {
  expect(shown(text)).toBe(sketched);
});

test.each([
  ['a * b', 'a * b'],
  ['2 ** 3', '2 ** 3'],
  ['snake_case', 'snake_case'],
  ['it costs $5 and', 'it costs $5 and'],
  ['from [1, 2', 'from [1, 2'],
  ['list[in', 'list[in'],
  ['a < b', 'a < b'],
  ['R&D', 'R&D'],
  ['a \\*star', 'a *star']
])('unfinished %j is no markup and shows as it is', (text, sketched) => {
  expect(shown(text)).toBe(sketched);
});

test.each([
  '#',
  '##',
  '-',
  '- ',
  '-  [',
  '- [ ]',
  '1',
  '1.',
  '12. ',
  '>',
  '`',
  '``',
  '---',
  '***',
  '|',
  '$',
  '=',
  '+'
])('a line that is only %j so far shows nothing', (start) => {
  expect(plainText(live(start))).toBe('');
  expect(plainText(live(`Before.\n\n${start}`)).trim()).toBe('Before.');
  expect(plainText(live(`Before.\n${start}`)).trim()).toBe('Before.');
});

test('half a table shows as a table: head, half a delimiter row, half a row', () => {
  for (const text of ['| a', '| a | b |', '| a | b |\n|--', '| a | b |\n|---|---|\n| 1']) {
    expect(live(text).map((block) => block.type)).toEqual(['table']);
  }
});

test('a head that no delimiter row follows becomes the paragraph it is', () => {
  expect(shown('| a | b |\nno table')).toBe('| a | b |\nno table');
});

test('an open fence is code from its first mark on, and its closing marks never show', () => {
  const code = (text: string) =>
    live(text).map((block) => (block.type === 'code' ? block.lines : block.type));
  expect(code('```')).toEqual([[]]);
  expect(code('```py')).toEqual([[]]);
  expect(code('```py\nx = 1')).toEqual([['x = 1']]);
  expect(code('```py\nx = 1\n``')).toEqual([['x = 1']]);
  expect(code('```py\nx = 1\n```')).toEqual([['x = 1']]);
});

test('the name of a language is shown when it is complete', () => {
  const language = (text: string) =>
    live(text).map((block) => (block.type === 'code' ? block.language : null));
  expect(language('```pyth')).toEqual(['']);
  expect(language('```python\n')).toEqual(['python']);
});

test('a display formula is one from its first mark on', () => {
  for (const text of ['$$\nx', '$$x', '\\[\nx', '$$\nx\n$']) {
    expect(live(text)).toMatchObject([{ type: 'math', open: true }]);
  }
  expect(live('$$\nx\n$$')).toMatchObject([{ type: 'math', open: false, tex: 'x' }]);
});
