// @vitest-environment jsdom
import { createRawSnippet, flushSync, mount, tick, unmount } from 'svelte';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import Markdown from './Markdown.svelte';
import type { CodeSettings, LoadImage } from './renderContext.ts';
import type { SeamPosition } from './seamPlacement.ts';
import { ANSWER, HOSTILE, stubLayout } from './testUtils.ts';

interface Given {
  text: string;
  streaming?: boolean;
  seams?: SeamPosition[];
  seam?: ReturnType<typeof createRawSnippet<[string, 'line' | 'gutter']>>;
  oncopy?: (text: string) => void;
  loadImage?: LoadImage;
  code?: CodeSettings;
}

let shown: { root: HTMLElement; set: (given: Given) => void; end: () => void } | null = null;

function show(given: Given) {
  const root = document.createElement('div');
  document.body.append(root);
  const loadImage: LoadImage = () => Promise.reject(new Error('Nothing may be loaded here.'));
  const props = $state({ streaming: false, loadImage, ...given });
  const component = mount(Markdown, { target: root, props });
  flushSync();
  const set = (next: Given) => {
    Object.assign(props, next);
    flushSync();
  };
  shown = { root, set, end: () => void unmount(component) };
  return shown;
}

beforeEach(stubLayout);

afterEach(() => {
  shown?.end();
  shown?.root.remove();
  vi.unstubAllGlobals();
});

const ALLOWED = new Set(
  (
    'div p h1 h2 h3 h4 h5 h6 ul ol li blockquote hr figure pre code span button input table thead tbody tr th td ' +
    'a strong em del br sub sup kbd mark u svg use'
  ).split(' ')
);
const ALLOWED_ATTRIBUTES =
  /^(?:class|style|title|href|target|rel|type|role|tabindex|start|scope|disabled|hidden|dir)$|^aria-|^data-(?:unbegun|pending)$/;

test.each(HOSTILE)('%j becomes harmless elements only, half-written or whole', (text) => {
  const { root, set } = show({ text: '', streaming: true });
  // Tokens of three characters, then the end.
  for (let end = 3; end < text.length + 6; end += 3) {
    set({ text: text.slice(0, end), streaming: end <= text.length + 2 });
    for (const element of root.querySelectorAll('.prose *')) {
      expect(ALLOWED).toContain(element.localName);
      for (const { name, value } of element.attributes) {
        expect(name).toMatch(ALLOWED_ATTRIBUTES);
        expect(name === 'style' && /url|expression/i.test(value)).toBe(false);
      }
      if (element.localName === 'use') expect(element.getAttribute('href')).toMatch(/^#[a-z]+$/);
      if (element instanceof HTMLAnchorElement) {
        expect(element.href).toMatch(/^(?:https?:|mailto:)/);
        expect(element.rel).toBe('noopener noreferrer nofollow');
        expect(element.target).toBe('_blank');
      }
    }
  }
});

test('a finished block keeps its elements while text arrives', () => {
  const { root, set } = show({ text: '', streaming: true });
  set({ text: '# One\n\nTwo **three**.\n\n```py\nx = 1\n```\n\nFour', streaming: true });
  const elements = [...root.querySelectorAll('h1, p:first-of-type, figure, .stretch > span')];
  set({ text: '# One\n\nTwo **three**.\n\n```py\nx = 1\n```\n\nFour and five\n\n- six', streaming: true });
  expect([...root.querySelectorAll('h1, p:first-of-type, figure, .stretch > span')].slice(0, 4)).toEqual(
    elements.slice(0, 4)
  );
  expect(elements.every((element) => element.isConnected)).toBe(true);
});

test('a growing paragraph is appended to, not replaced', () => {
  const { root, set } = show({ text: 'One **two** th', streaming: true });
  const strong = root.querySelector('strong');
  set({ text: 'One **two** three four', streaming: true });
  expect(root.querySelector('strong')).toBe(strong);
  expect(root.querySelector('p')?.textContent).toBe('One two three four');
});

test.each([
  ['the last paragraph', 'One two', 'two'],
  ['an item', '- one\n- two', 'two'],
  ['the last line of code', '```py\nx = one', 'one']
])('a selection in %s stays while text arrives behind it', async (_, text, word) => {
  const { root, set } = show({ text, streaming: true });
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  let node = walker.nextNode() as Text;
  while (!node.data.includes(word)) node = walker.nextNode() as Text;
  const selection = document.getSelection();
  selection?.setBaseAndExtent(node, node.data.indexOf(word) + word.length, node, node.data.indexOf(word));
  for (const more of [' th', ' three', ' three four']) {
    set({ text: text + more, streaming: true });
    await tick();
    expect(root.textContent).toContain(`${word}${more}`);
    expect(selection?.toString()).toBe(word);
  }
  selection?.removeAllRanges();
});

test('lists, quotes and tables run from the side of their text, code and formulas from the left', () => {
  const { root } = show({ text: '- א\n\n> ב\n\n| ג |\n|---|\n\n```\nx\n```\n\n$x$' });
  const directions = ['ul', 'blockquote', 'table', 'figure', '.tex'].map(
    (selector) => root.querySelector<HTMLElement>(selector)?.dir
  );
  expect(directions).toEqual(['auto', 'auto', 'auto', 'ltr', 'ltr']);
  // The direction of a list is not found in elements that have their own.
  expect(root.querySelector('li')?.querySelector('[dir]')).toBeNull();
});

test.each([
  ['One tw', 'p'],
  ['# One', 'h1'],
  ['- one\n- two', 'li:last-child > p'],
  ['> one', 'blockquote > p'],
  ['```py\nx = 1\ny', '.stretch'],
  ['```py\nx = 1\n', '.stretch'],
  ['| a | b |\n|---|---|\n| 1', 'tbody td:first-child'],
  ['| a | b', 'th:last-child']
])('while %j is written, the caret stands where the next word goes: %s', async (text, place) => {
  const { root, set } = show({ text, streaming: true });
  await tick();
  const carets = root.querySelectorAll('.caret');
  expect(carets).toHaveLength(1);
  expect(carets[0]?.parentElement?.matches(place)).toBe(true);
  expect(carets[0]?.parentElement?.lastChild).toBe(carets[0]);
  set({ text, streaming: false });
  expect(root.querySelector('.caret')).toBeNull();
});

test('a link shows where it leads and leaks nothing', () => {
  const { root } = show({ text: '[docs](https://example.org/a) and [local](/x)' });
  const [link] = root.querySelectorAll('a');
  expect(link?.title).toBe('https://example.org/a');
  expect(link?.rel).toBe('noopener noreferrer nofollow');
  expect(root.querySelectorAll('a')).toHaveLength(1);
  expect(root.textContent).toContain('docs and local');
});

test('a reference becomes a link when its definition arrives, and only its block is touched', () => {
  const { root, set } = show({ text: 'See [spec].\n\nOther.\n', streaming: true });
  const other = root.querySelectorAll('p')[1];
  expect(root.textContent).toContain('[spec]');
  set({ text: 'See [spec].\n\nOther.\n\n[spec]: https://example.org/spec\n', streaming: true });
  expect(root.querySelector('a')?.href).toBe('https://example.org/spec');
  expect(root.textContent).not.toContain('[');
  expect(root.querySelectorAll('p')[1]).toBe(other);
});

/** Images that arrive when the test says so. */
function held() {
  const calls: {
    url: string;
    signal: AbortSignal;
    arrive: (blob: Blob) => void;
    fail: (why: Error) => void;
  }[] = [];
  const loadImage: LoadImage = (url, signal) =>
    new Promise((arrive, fail) => calls.push({ url, signal, arrive, fail }));
  const revoked: string[] = [];
  vi.stubGlobal(
    'URL',
    class extends URL {
      static override createObjectURL = () => `blob:${calls.length}`;
      static override revokeObjectURL = (url: string) => url && revoked.push(url);
    }
  );
  return { calls, loadImage, revoked };
}

const LEAF = '![a leaf](https://pictures.example/leaf.png)';

test('a remote image is a button that names the host, and loads after a click', async () => {
  const { calls, loadImage, revoked } = held();
  const { root, end } = show({ text: LEAF, loadImage });
  const button = root.querySelector('button');
  expect(button?.textContent).toContain('a leaf');
  expect(button?.textContent).toContain('Load image from pictures.example');
  expect([calls.length, root.querySelector('img')]).toEqual([0, null]);
  button?.click();
  button?.click();
  flushSync();
  expect(calls.map((call) => call.url)).toEqual(['https://pictures.example/leaf.png']);
  expect(root.querySelector('button')?.textContent).toContain('Loading image from pictures.example…');
  calls[0]?.arrive(new Blob());
  await vi.waitFor(() => expect(root.querySelector('img')?.getAttribute('src')).toBe('blob:1'));
  expect(root.querySelector('img')?.alt).toBe('a leaf');
  end();
  shown = null;
  root.remove();
  expect([revoked, calls[0]?.signal.aborted]).toEqual([['blob:1'], true]);
});

test('an image that fails says why, can be tried again, and can be opened on its host', async () => {
  const { calls, loadImage } = held();
  const { root } = show({ text: LEAF, loadImage });
  root.querySelector('button')?.click();
  calls[0]?.fail(new Error('The image took too long to arrive.'));
  await vi.waitFor(() => expect(root.textContent).toContain('The image took too long to arrive.'));
  expect(root.querySelector('a')?.href).toBe('https://pictures.example/leaf.png');
  root.querySelector('button')?.click();
  flushSync();
  expect(root.textContent).not.toContain('too long');
  calls[1]?.arrive(new Blob());
  await vi.waitFor(() => expect(root.querySelector('img')).not.toBeNull());
  root.querySelector('img')?.dispatchEvent(new Event('error'));
  flushSync();
  expect(root.textContent).toContain('The image is damaged.');
  expect(root.querySelector('img')).toBeNull();
});

test('an image that isn’t wanted any more is no longer loaded, and never shown', async () => {
  const { calls, loadImage, revoked } = held();
  const { root, set } = show({ text: LEAF, loadImage });
  root.querySelector('button')?.click();
  set({ text: '![a tree](https://pictures.example/tree.png)', loadImage });
  expect(calls[0]?.signal.aborted).toBe(true);
  calls[0]?.arrive(new Blob());
  await tick();
  expect([root.querySelector('img'), revoked]).toEqual([null, []]);
  expect(root.querySelector('button')?.textContent).toContain('a tree');
});

test('an embedded image is shown at once', () => {
  const { root } = show({ text: '![dot](data:image/png;base64,AAAA)' });
  expect(root.querySelector('img')?.getAttribute('src')).toBe('data:image/png;base64,AAAA');
});

test('Copy hands over the code as written, without colours and marks', () => {
  const oncopy = vi.fn();
  const text = '```py\nx = "1"\n\n\ty\n```\n';
  const { root } = show({ text, oncopy, seams: [{ offset: 10, id: 's' }] });
  root.querySelector<HTMLButtonElement>('.bar .copy')?.click();
  expect(oncopy).toHaveBeenCalledWith('x = "1"\n\n\ty');
});

const SETTINGS = { wrap: false, numbers: false, collapse: false };
const LONG_CODE = `\`\`\`py\n${'x = 1\n'.repeat(40)}\`\`\`\n`;

test('a collapsed block keeps all its text, and opens by its button, by what is found in it, or not at all', () => {
  const { root, set } = show({ text: LONG_CODE, code: { ...SETTINGS, collapse: true } });
  const reveals = vi.fn();
  root.addEventListener('reveal', reveals);
  const collapsed = () => root.querySelector('.collapsed') !== null;
  const press = (name: string) => root.querySelector<HTMLElement>(`[aria-label="${name}"]`)?.click();
  expect(collapsed()).toBe(true);
  expect(root.querySelector('code')?.textContent).toBe('x = 1\n'.repeat(40));
  expect(root.querySelector('.all')?.textContent).toBe('Show all 40 lines');
  root.querySelector<HTMLElement>('.all')?.click();
  expect(collapsed()).toBe(false);
  expect(document.activeElement).toBe(root.querySelector('pre'));
  press('Collapse');
  expect(collapsed()).toBe(true);
  press('Expand');
  expect(collapsed()).toBe(false);
  press('Collapse');
  const body = root.querySelector('.body') as HTMLElement;
  body.scrollTop = 90; // what the browser's search does
  body.dispatchEvent(new Event('scroll'));
  expect(collapsed()).toBe(false);
  expect(reveals).toHaveBeenCalledTimes(3);
  set({ text: `${LONG_CODE}\n\`\`\`py\n${'y\n'.repeat(24)}\`\`\`\n`, code: { ...SETTINGS, collapse: true } });
  expect(root.querySelectorAll('[aria-expanded]')).toHaveLength(1);
});

test('hidden lines of a collapsed block are opened by what the browser finds in them', () => {
  Object.defineProperty(HTMLElement.prototype, 'onbeforematch', { configurable: true, value: null });
  try {
    const { root } = show({ text: LONG_CODE, code: { ...SETTINGS, collapse: true } });
    const hidden = () => [...root.querySelectorAll('.stretch')].map((one) => one.getAttribute('hidden'));
    expect(hidden()).toEqual([null, 'until-found']);
    expect(root.querySelector('.clipped')).toBeNull();
    expect(root.querySelector('code')?.textContent).toBe('x = 1\n'.repeat(40));
    root.querySelector('[hidden]')?.dispatchEvent(new Event('beforematch', { bubbles: true }));
    expect(hidden()).toEqual([null, null]);
    root.querySelector<HTMLElement>('[aria-label="Collapse"]')?.click();
    expect(hidden()).toEqual([null, 'until-found']);
  } finally {
    Reflect.deleteProperty(HTMLElement.prototype, 'onbeforematch');
  }
});

test('a block that is being written isn’t collapsed when it ends', () => {
  const code = { ...SETTINGS, collapse: true };
  const { root, set } = show({ text: LONG_CODE.slice(0, 100), streaming: true, code });
  set({ text: LONG_CODE, streaming: false, code });
  expect(root.querySelector('[aria-expanded=true]')).not.toBeNull();
});

test('lines wrap by the setting, and in one block by its button', () => {
  const { root } = show({ text: '```\na\n```\n\n```\nb\n```\n', code: { ...SETTINGS, wrap: true } });
  const wrapped = () => [...root.querySelectorAll('figure')].map((one) => one.classList.contains('wrap'));
  expect(wrapped()).toEqual([true, true]);
  root.querySelector<HTMLElement>('[aria-label="Wrap lines"]')?.click();
  flushSync();
  expect(wrapped()).toEqual([false, true]);
});

test('line numbers are no part of the text, and count on from stretch to stretch', () => {
  const oncopy = vi.fn();
  const { root } = show({
    text: `\`\`\`\n${'x\n'.repeat(100)}\`\`\`\n`,
    code: { ...SETTINGS, numbers: true },
    oncopy
  });
  const stretches = [...root.querySelectorAll<HTMLElement>('.numbered .stretch')];
  expect(stretches.map((one) => one.style.getPropertyValue('--before'))).toEqual(['0', '16', '64']);
  expect(root.querySelector('code')?.textContent).toBe('x\n'.repeat(100));
});

test('lines of a diff are marked as added, removed, or where they are', () => {
  const { root } = show({ text: '```diff\n--- a\n+++ b\n@@ -1 +1 @@\n-x\n+y\n z\n---\n```\n' });
  const classes = [...root.querySelectorAll('.diff .stretch > span')].map((line) => line.className);
  expect(classes).toEqual(['place', 'place', 'place', 'remove', 'add', '', 'place']);
});

test('a block is saved as a file with a fitting name', async () => {
  const saved: Blob[] = [];
  const names: string[] = [];
  vi.stubGlobal('URL', {
    createObjectURL: (blob: Blob) => (saved.push(blob), 'blob:x'),
    revokeObjectURL: () => undefined
  });
  vi.spyOn(HTMLAnchorElement.prototype, 'click').mockImplementation(function (this: HTMLAnchorElement) {
    names.push(this.download);
  });
  const { root } = show({ text: '```ts\nlet x;\n```\n' });
  root.querySelector<HTMLElement>('[aria-label="Download"]')?.click();
  expect(names).toEqual(['code.ts']);
  expect(await saved[0]?.text()).toBe('let x;\n');
  vi.restoreAllMocks();
});

test('seams are drawn by the snippet, in the line and beside code', () => {
  const seam = createRawSnippet<[string, 'line' | 'gutter']>((id, where) => ({
    render: () => `<i>${id()} ${where()}</i>`
  }));
  const text = 'One two.\n\n```py\na\nb\n```\n';
  const { root } = show({
    text,
    seam,
    seams: [
      { offset: 3, id: 'first' },
      { offset: text.indexOf('b'), id: 'second' }
    ]
  });
  expect(root.querySelector('p')?.textContent).toBe('Onefirst line two.');
  expect(root.querySelector('.gutter i')?.textContent).toBe('second gutter');
  expect(root.querySelector('pre i')).toBeNull();
  expect(root.querySelector<HTMLElement>('.gutter')?.style.getPropertyValue('--line')).toBe('1');
});

test('without a snippet a seam is a mark that is named and holds no text', () => {
  const { root } = show({ text: 'One two.', seams: [{ offset: 3, id: 's' }] });
  const mark = root.querySelector('[role="note"]');
  expect(mark?.getAttribute('aria-label')).toBeTruthy();
  expect(root.textContent.trim()).toBe('One two.');
});

test('a long list is numbered through and keeps its items while it grows', async () => {
  const item = (n: number) => `${String(n)}. item ${String(n)}\n`;
  const items = (count: number) => Array.from({ length: count }, (_, n) => item(n + 3)).join('');
  const { root, set } = show({ text: items(80), streaming: true });
  await vi.waitFor(() => {
    flushSync();
    expect(root.querySelectorAll('li')).toHaveLength(80);
  }, 20_000);
  expect([...root.querySelectorAll('ol')].map((list) => list.start)).toEqual([3, 35, 67]);
  const elements = [...root.querySelectorAll('li')];
  set({ text: items(82), streaming: true });
  expect([...root.querySelectorAll('li')].slice(0, 80)).toEqual(elements);
});

test('a task says whether it is done, and cannot be ticked', () => {
  const { root } = show({ text: '- [x] one\n- [ ] two' });
  const boxes = [...root.querySelectorAll('input')];
  expect(boxes.map((box) => [box.checked, box.disabled])).toEqual([
    [true, true],
    [false, true]
  ]);
});

test('a formula is set by KaTeX once it is closed, and shown as written if it cannot be read', async () => {
  const { root, set } = show({ text: 'So $x^', streaming: true });
  expect(root.querySelector('.tex')?.textContent).toBe('x^');
  set({ text: 'So $x^2$ and $\\frac{$.', streaming: true });
  await vi.waitFor(() => expect(root.querySelectorAll('.katex')).toHaveLength(1), 20_000);
  expect(root.querySelector('.tex')?.textContent).toBe('\\frac{');
  const set1 = root.querySelector('.katex');
  set({ text: 'So $x^2$ and $\\frac{$. More', streaming: true });
  expect(root.querySelector('.katex')).toBe(set1);
});

test('every part of an answer finds its element', () => {
  const { root } = show({ text: ANSWER });
  const found = (selector: string) => root.querySelectorAll(selector).length;
  expect(found('h1')).toBe(2);
  expect(found('li')).toBe(9);
  expect(found('tbody tr')).toBe(2);
  expect(found('figure.code')).toBe(2);
  expect(found('sub')).toBe(1);
  expect(found('td.right')).toBe(2);
});
