import { expect, test } from 'vitest';
import { MarkdownDocument } from './document.ts';
import { codeLineOf, NO_SEAMS, SeamLocator, startOf, withSeams, type SeamPosition } from './seamPlacement.ts';
import { inlineText } from './testUtils.ts';
import type { Block, Leaf } from './ast.ts';

function leavesOf(block: Block): Leaf[] {
  switch (block.type) {
    case 'paragraph':
    case 'heading':
      return [block.leaf];
    case 'quote':
      return block.blocks.flatMap(leavesOf);
    case 'list':
      return block.items.flatMap((item) => item.blocks.flatMap(leavesOf));
    case 'table':
      return [block.head, ...block.rows].flatMap((row) => row.cells.map((cell) => cell.leaf));
    default:
      return [];
  }
}

/** The words of `text`, with the seam marks in them. `|` in `marked` stands where the seam is. */
function marked(marked: string, streaming = false): string {
  const offset = marked.indexOf('¦');
  const text = marked.replace('¦', '');
  const { blocks } = new MarkdownDocument().update(text, streaming);
  const owners = new SeamLocator().update(blocks, [{ offset, id: 's' }]);
  return blocks
    .flatMap(leavesOf)
    .map((leaf) => inlineText(withSeams(leaf, owners.get(startOf(leaf)) ?? NO_SEAMS)))
    .join('\n');
}

test.each([
  ['One tw¦o three.', 'One tw‹s›o three.'],
  ['One **tw¦o** three.', 'One tw‹s›o three.'],
  ['One `tw¦o` three.', 'One two‹s› three.'],
  ['One\ntw¦o\nthree.', 'One\ntw‹s›o\nthree.'],
  ['# One tw¦o', 'One tw‹s›o'],
  ['- one\n- tw¦o\n  more', 'one\ntw‹s›o\nmore'],
  ['> - one\n>   tw¦o', 'one\ntw‹s›o'],
  ['| a | b |\n|---|---|\n| c | d¦e |', 'a\nb\nc\nd‹s›e'],
  ['A [li¦nk](https://x.example).', 'A li‹s›nk.'],
  ['A [link](https://x.exa¦mple).', 'A link‹s›.'],
  ['¦One', '‹s›One'],
  ['One.¦', 'One.‹s›']
])('%j: the mark stands where the segments meet', (text, words) => {
  expect(marked(text)).toBe(words);
});

test.each([
  ['One.\n\n¦', 'One.‹s›'],
  ['One.\n\n¦Two.', 'One.‹s›\nTwo.'],
  ['One.\n¦\nTwo.', 'One.‹s›\nTwo.'],
  ['- one\n- ¦two', 'one‹s›\ntwo']
])('%j: between blocks it stays with the text before, whatever comes', (text, words) => {
  expect(marked(text, true)).toBe(words);
  expect(marked(text, false)).toBe(words);
});

test('the line of a mark in code counts from the line behind the fence', () => {
  const text = 'Text.\n\n```py\none\ntwo\nthree\n```\n';
  const key = text.indexOf('```');
  expect(codeLineOf(text, key, text.indexOf('one'), 3)).toBe(0);
  expect(codeLineOf(text, key, text.indexOf('wo'), 3)).toBe(1);
  expect(codeLineOf(text, key, text.length, 3)).toBe(2);
});

test('the answer keeps its identity until a seam comes or moves to another block', () => {
  const document = new MarkdownDocument();
  const owners = new SeamLocator();
  const seams: SeamPosition[] = [{ offset: 3, id: 'a' }];
  const first = owners.update(document.update('One two', true).blocks, seams);
  expect(owners.update(document.update('One two three', true).blocks, [...seams])).toBe(first);
  expect(
    owners.update(document.update('One two three', true).blocks, [...seams, { offset: 9, id: 'b' }])
  ).not.toBe(first);
});
