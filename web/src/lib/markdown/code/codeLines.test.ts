// @vitest-environment jsdom
import { beforeAll, expect, test, vi } from 'vitest';
import { grammarFor, type Grammar } from './languages.ts';
import { CodeLines } from './codeLines.ts';

let python: Grammar;

beforeAll(async () => {
  python = (await grammarFor('python')) as Grammar;
});

function view() {
  const root = document.createElement('code');
  return { root, view: new CodeLines(root) };
}

const LINES = Array.from({ length: 3_000 }, (_, n) => `x_${String(n)} = "${String(n)}"  # line`);

test('the text is the lines, whole or partial, tokenElements or not', () => {
  const { root, view: lines } = view();
  lines.update(['a = 1', 'b'], true);
  expect(root.textContent).toBe('a = 1\nb');
  lines.use(python);
  lines.update(['a = 1', 'b = 2', ''], true);
  expect(root.textContent).toBe('a = 1\nb = 2\n');
  lines.update(['a = 1', 'b = 2'], false);
  expect(root.textContent).toBe('a = 1\nb = 2\n');
  lines.destroy();
});

test('the unfinished line is plain, and tokenElements once it is whole', () => {
  const { root, view: lines } = view();
  lines.use(python);
  lines.update(['return 1'], true);
  expect(root.querySelector('.k')).toBeNull();
  lines.update(['return 1', 'x'], true);
  expect(root.querySelector('.k')?.textContent.trim()).toBe('return');
  lines.destroy();
});

test('a finished line is not written again when more come', () => {
  const { root, view: lines } = view();
  lines.use(python);
  lines.update(['a = 1', 'b'], true);
  const first = root.querySelector('.stretch > span');
  lines.update(['a = 1', 'b = 2', 'c'], true);
  expect(root.querySelector('.stretch > span')).toBe(first);
  lines.destroy();
});

test('a long block that arrives whole is drawn and tokenElements in turns', async () => {
  const { root, view: lines } = view();
  lines.update(LINES, false);
  lines.use(python);
  await vi.waitFor(() => expect(root.querySelectorAll('.c')).toHaveLength(LINES.length), 20_000);
  expect(root.textContent).toBe(`${LINES.join('\n')}\n`);
  lines.destroy();
});

test('other lines than before are drawn afresh', () => {
  const { root, view: lines } = view();
  lines.update(['a', 'b'], false);
  lines.update(['a', 'c'], false);
  expect(root.textContent).toBe('a\nc\n');
  lines.update(['d'], false);
  expect(root.textContent).toBe('d\n');
  lines.destroy();
});

test('nothing is read as markup', () => {
  const { root, view: lines } = view();
  lines.use(python);
  lines.update(['<img src=x onerror=alert(1)> "<b>"', ''], true);
  expect(root.querySelector('img, b')).toBeNull();
  lines.destroy();
});

test('what is gone works no more', () => {
  vi.useFakeTimers();
  const { view: lines } = view();
  lines.update(LINES, false);
  lines.destroy();
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

test('a collapsed block shows its first lines, and hides those that are drawn later too', async () => {
  const { root, view: lines } = view();
  const hidden = () => root.querySelectorAll('[hidden=until-found]').length;
  lines.collapse(true);
  lines.update(LINES, false);
  await vi.waitFor(() => expect(root.textContent).toBe(`${LINES.join('\n')}\n`), 20_000);
  expect([root.children.length - hidden(), root.firstElementChild?.hasAttribute('hidden')]).toEqual([
    1,
    false
  ]);
  lines.collapse(false);
  expect(hidden()).toBe(0);
  lines.destroy();
});

test('every stretch knows how many lines it has, so that it can be skipped without moving anything', () => {
  const { root, view: lines } = view();
  const heights = () =>
    [...root.children].map((each) => (each as HTMLElement).style.getPropertyValue('--lines'));
  lines.update(LINES.slice(0, 100), true);
  expect(heights()).toEqual(['16', '48', '36']);
  lines.update([...LINES.slice(0, 112), ''], true);
  expect(heights().slice(0, 3)).toEqual(['16', '48', '48']);
  lines.update(LINES.slice(0, 113), false);
  expect(heights()).toEqual(['16', '48', '48', '1']);
  lines.destroy();
});
