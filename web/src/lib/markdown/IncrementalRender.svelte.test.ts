// @vitest-environment jsdom
import { flushSync } from 'svelte';
import { expect, test, vi } from 'vitest';
import { IncrementalRender } from './IncrementalRender.svelte.ts';

function incremental(first: number) {
  let count = $state(first);
  let shown: IncrementalRender | undefined;
  const end = $effect.root(() => {
    shown = new IncrementalRender(() => count, 10);
  });
  flushSync();
  return {
    grow: (to: number) => {
      count = to;
      flushSync();
    },
    shown: () => shown?.shown,
    end
  };
}

test('what arrives bit by bit is shown at once', () => {
  const list = incremental(0);
  for (let n = 1; n < 50; n++) {
    list.grow(n);
    expect(list.shown()).toBe(n);
  }
  list.end();
});

test('what arrives in bulk is shown in steps, and all of it in the end', async () => {
  const list = incremental(95);
  expect(list.shown()).toBe(10);
  await vi.waitFor(() => {
    flushSync();
    expect(list.shown()).toBe(95);
  }, 20_000);
  list.grow(96);
  expect(list.shown()).toBe(96);
  list.end();
});

test('a list that gets shorter shows what is left', () => {
  const list = incremental(8);
  list.grow(3);
  expect(list.shown()).toBe(3);
  list.grow(9);
  expect(list.shown()).toBe(9);
  list.end();
});
