// @vitest-environment jsdom
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Virtualizer } from './virtualize.ts';

// jsdom lays nothing out: the test says what was measured, and when.
let observed: Set<Element>;
let measure: (height: number) => void;

beforeEach(() => {
  observed = new Set();
  vi.stubGlobal(
    'ResizeObserver',
    class {
      constructor(callback: (entries: unknown[]) => void) {
        measure = (blockSize) =>
          callback([...observed].map((target) => ({ target, borderBoxSize: [{ blockSize }] })));
      }
      observe(element: Element): void {
        observed.add(element);
      }
      unobserve(element: Element): void {
        observed.delete(element);
      }
      disconnect(): void {
        observed.clear();
      }
    }
  );
});

afterEach(() => {
  vi.unstubAllGlobals();
});

function element(html: string): HTMLElement {
  const div = document.createElement('div');
  div.innerHTML = html;
  return div;
}

test('what has been laid out may be skipped, at the height it had', () => {
  const group = element('<p>text</p>');
  const virtualizer = new Virtualizer();
  virtualizer.virtualize(group);
  expect(group.classList).not.toContain('virtualized');
  measure(120);
  expect(group.classList).toContain('virtualized');
  expect(observed.size).toBe(0);
});

test('what has never had a height is not skipped', () => {
  const group = element('<p>text</p>');
  new Virtualizer().virtualize(group);
  measure(0);
  expect(group.classList).not.toContain('virtualized');
});

test('a pending formula holds its group back until it is drawn', () => {
  const group = element('<p><code data-pending>x</code></p>');
  const virtualizer = new Virtualizer();
  virtualizer.virtualize(group);
  measure(120);
  virtualizer.ready();
  measure(120);
  expect(group.classList).not.toContain('virtualized');
  group.querySelector('code')?.removeAttribute('data-pending');
  virtualizer.ready();
  measure(130);
  expect(group.classList).toContain('virtualized');
});

test('what holds a note is never skipped, nor what gets one later', () => {
  const early = element('<p><span role="note"></span></p>');
  const late = element('<p></p>');
  const virtualizer = new Virtualizer();
  for (const group of [early, late]) virtualizer.virtualize(group);
  measure(120);
  expect(early.classList).not.toContain('virtualized');
  late.firstElementChild?.append(element('<span role="note"></span>'));
  const root = element('');
  root.append(late);
  virtualizer.spareNotes(root);
  expect(late.classList).not.toContain('virtualized');
});
