// @vitest-environment jsdom
import { expect, test, vi } from 'vitest';
import { followVisibleHeight } from './visibleHeight.ts';

class Viewport extends EventTarget {
  height = 800;
  scale = 1;

  resize(height: number, scale = 1): void {
    this.height = height;
    this.scale = scale;
    this.dispatchEvent(new Event('resize'));
  }
}

function start(viewport: Viewport | null) {
  const root = document.createElement('div');
  Object.defineProperty(root, 'clientHeight', { value: 800 });
  const scrollToTop = vi.fn();
  const stop = followVisibleHeight(viewport, root, scrollToTop);
  return { height: () => root.style.getPropertyValue('--visible-height'), scrollToTop, stop };
}

test('a keyboard that covers the page leaves it the height above, until it closes', () => {
  const viewport = new Viewport();
  const { height, scrollToTop, stop } = start(viewport);
  expect(height()).toBe('');
  viewport.resize(480);
  expect(height()).toBe('480px');
  expect(scrollToTop).toHaveBeenCalledTimes(1);
  viewport.resize(800);
  expect(height()).toBe('');
  stop();
  viewport.resize(480);
  expect(height()).toBe('');
});

test('zooming in is no keyboard', () => {
  const viewport = new Viewport();
  const { height, scrollToTop } = start(viewport);
  viewport.resize(400, 2);
  expect(height()).toBe('');
  expect(scrollToTop).not.toHaveBeenCalled();
});

test('a browser without a visual viewport keeps its own height', () => {
  expect(start(null).height()).toBe('');
});
