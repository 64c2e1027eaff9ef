import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { defer, runOrDefer } from './taskQueue.ts';

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.runAllTimers();
  vi.useRealTimers();
});

/** A job that takes `ms` of the clock. */
function work(ms: number, log: number[] = []): () => void {
  return () => {
    log.push(ms);
    vi.setSystemTime(Date.now() + ms);
    vi.spyOn(performance, 'now').mockReturnValue(performance.now() + ms);
  };
}

test('work is done in turns, with room between them', () => {
  const log: number[] = [];
  for (const ms of [5, 5, 5, 5]) defer(work(ms, log));
  expect(log).toHaveLength(0);
  vi.advanceTimersToNextTimer();
  expect(log).toHaveLength(2);
  vi.advanceTimersToNextTimer();
  expect(log).toHaveLength(4);
});

test('work that is taken off the list is not done', () => {
  const log: number[] = [];
  defer(work(1, log))();
  vi.runAllTimers();
  expect(log).toHaveLength(0);
});

test('a little work is done at once, much of it later', () => {
  const log: number[] = [];
  for (const ms of [6, 6, 6]) runOrDefer(work(ms, log));
  expect(log).toHaveLength(2);
  vi.runAllTimers();
  expect(log).toHaveLength(3);
});
