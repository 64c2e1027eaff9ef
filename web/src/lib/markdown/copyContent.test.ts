// @vitest-environment jsdom
import { createRawSnippet, flushSync, mount, unmount } from 'svelte';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { contentOfElements, contentOfRange, type CopyContent } from './copyContent.ts';
import Markdown from './Markdown.svelte';
import { stubLayout } from './testUtils.ts';

let root: HTMLElement;
let component: Record<string, unknown> | undefined;

beforeEach(() => {
  stubLayout();
  root = document.createElement('div');
  document.body.append(root);
});

afterEach(() => {
  if (component) void unmount(component);
  component = undefined;
  root.remove();
  vi.unstubAllGlobals();
});

function show(text: string, offsets: number[] = []): void {
  const seam = createRawSnippet(() => ({ render: () => '<span role="note">continued here</span>' }));
  const seams = offsets.map((offset, n) => ({ id: String(n), offset }));
  const loadImage = () => Promise.reject(new Error('Nothing may be loaded here.'));
  component = mount(Markdown, { target: root, props: { text, streaming: false, seams, seam, loadImage } });
  flushSync();
}

async function formulas(count: number): Promise<void> {
  await vi.waitFor(() => expect(root.querySelectorAll('.katex')).toHaveLength(count), 20_000);
}

/** What is copied of a selection from the first occurrence of `from` to the end of `to`. */
function selected(from: string, to: string): CopyContent | null {
  const range = document.createRange();
  const first = textWith(from);
  const last = textWith(to);
  range.setStart(first, first.data.indexOf(from));
  range.setEnd(last, last.data.indexOf(to) + to.length);
  return contentOfRange(range);
}

function textWith(words: string): Text {
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  while (walker.nextNode())
    if ((walker.currentNode as Text).data.includes(words)) return walker.currentNode as Text;
  throw new Error(`${words} isn't there`);
}

function everything(): CopyContent | null {
  const range = document.createRange();
  range.selectNodeContents(root);
  return contentOfRange(range);
}

test('formulas are copied once, as TeX', async () => {
  show('So $x^2$ is\n\n$$\n\\frac{a}{b}\n$$\n\nalways.');
  await formulas(2);
  expect(everything()?.text).toBe('So $x^2$ is\n\n$$\\frac{a}{b}$$\n\nalways.');
  expect(everything()?.html).toBe('<p>So $x^2$ is</p><p>$$\\frac{a}{b}$$</p><p>always.</p>');
});

test('of a formula that is selected in part, all is copied', async () => {
  show('So $x^2+y$ is.');
  await formulas(1);
  const range = document.createRange();
  const inside = root.querySelector('.katex-html .mord') as Element;
  range.setStart(inside, 0);
  range.setEnd(textWith(' is.'), 4);
  expect(contentOfRange(range)?.text).toBe('$x^2+y$ is.');
});

test('bars of code, seam notes and the caret are not copied', () => {
  const text = 'One two.\n\n```py\na = 1\n\tb\n```\n\nEnd';
  show(text, [3, text.indexOf('\tb')]);
  expect(root.querySelectorAll('[role="note"]')).toHaveLength(2);
  expect(everything()).toEqual({
    text: 'One two.\n\na = 1\n\tb\n\nEnd',
    html: '<p>One two.</p><pre><code>a = 1\n\tb</code></pre><p>End</p>'
  });
});

test('lists keep their markers, their numbers and their depth', () => {
  show('3. one\n4. two\n   - in\n   - side\n5. three\n\nEnd');
  expect(everything()?.text).toBe('3. one\n4. two\n   - in\n   - side\n5. three\n\nEnd');
  expect(selected('two', 'three')).toEqual({
    text: '4. two\n   - in\n   - side\n5. three',
    html: '<ol start="4"><li>two<ul><li>in</li><li>side</li></ul></li><li>three</li></ol>'
  });
});

test('a list that is rendered as several is copied as one', async () => {
  const text = Array.from({ length: 70 }, (_, n) => `${String(n + 1)}. item ${String(n + 1)}`).join('\n');
  show(text);
  await vi.waitFor(() => {
    flushSync();
    expect(root.querySelectorAll('li')).toHaveLength(70);
  }, 20_000);
  expect(everything()?.text).toBe(text);
  expect(everything()?.html.match(/<ol/g)).toHaveLength(1);
});

test('words of one item or one line are words alone', () => {
  show('- some words here\n\n```\nlet x = 1\nlet y = 2\n```');
  expect(selected('words', 'words')?.text).toBe('words');
  expect(selected('x = 1', 'x = 1')?.text).toBe('x = 1');
  expect(selected('x = 1', 'let y')?.html).toBe('<pre><code>x = 1\nlet y</code></pre>');
});

test.each([
  ['- [x] done\n- [ ] open', '- [x] done\n- [ ] open'],
  ['| a | b |\n|---|---|\n| 1 | **2** |', 'a\tb\n1\t2'],
  ['> one\n> two\n\nthree', '> one two\n\nthree'],
  ['one  \ntwo\nthree', 'one\ntwo three'],
  ['# Head\n\n**bold** and `code`\n\n---\n\nEnd', 'Head\n\nbold and code\n\n---\n\nEnd'],
  ['- one\n\n  two\n- three', '- one\n  two\n- three']
])('%j is copied as %j', (text, copied) => {
  show(text);
  expect(everything()?.text).toBe(copied);
});

test('a link keeps its address, and nothing of this page goes along', () => {
  show('See **the [docs](https://example.org/a)**');
  expect(everything()?.html).toBe('<p>See <strong>the <a href="https://example.org/a">docs</a></strong></p>');
});

test('a block that the selection only touches is not copied', () => {
  show('One.\n\nTwo.');
  const range = document.createRange();
  range.setStart(textWith('One.'), 0);
  range.setEnd(root.querySelectorAll('p')[1] as Element, 0);
  expect(contentOfRange(range)).toEqual({ text: 'One.', html: '<p>One.</p>' });
});

test('labels alone are left to the browser', () => {
  show('```py\nx\n```');
  expect(selected('py', 'py')).toBeNull();
});

test('text whose lines are shown keeps them', () => {
  root.innerHTML = '<div style="white-space: pre-wrap">a\n  b</div>';
  expect(everything()).toEqual({ text: 'a\n  b', html: '<p>a<br>  b</p>' });
});

test('several texts of one answer follow one another', () => {
  show('One.');
  const both = contentOfElements([root, root]);
  expect(both?.html).toBe('<p>One.</p><p>One.</p>');
});
