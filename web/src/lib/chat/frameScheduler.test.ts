// @vitest-environment jsdom
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

type Schedule = (job: () => void) => void;
let scheduleFrame: Schedule;
let runs: number[];
const began = (): void => void runs.push(performance.now());

/** Time that jobs have taken, in ms: the fake clock stands still while they run. */
let taken: number;

beforeEach(async () => {
  vi.useFakeTimers();
  vi.resetModules();
  ({ scheduleFrame } = await import('./frameScheduler.ts'));
  runs = [];
  taken = 0;
  const clock = performance.now.bind(performance);
  vi.spyOn(performance, 'now').mockImplementation(() => clock() + taken);
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

/** Schedules a job every 10 ms for a second. */
function second(job: () => void): void {
  for (let n = 0; n < 100; n++) {
    scheduleFrame(job);
    vi.advanceTimersByTime(10);
  }
}

test('a job that is scheduled several times runs once, in the next frame', () => {
  const job = vi.fn();
  scheduleFrame(job);
  scheduleFrame(job);
  expect(job).not.toHaveBeenCalled();
  vi.advanceTimersByTime(16);
  expect(job).toHaveBeenCalledTimes(1);
});

test('cheap jobs run in nearly every frame', () => {
  second(began);
  expect(runs.length).toBeGreaterThan(45);
});

test('expensive jobs leave most of the time to others, but go on', () => {
  second(() => {
    began();
    taken += 6;
  });
  expect(runs.length).toBeLessThan(16);
  expect(runs.length).toBeGreaterThan(8);
});

test('a hidden page, which gets no frames, is rendered by a timer', () => {
  vi.stubGlobal('requestAnimationFrame', () => 0);
  scheduleFrame(began);
  vi.advanceTimersByTime(249);
  expect(runs).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(runs).toHaveLength(1);
  vi.unstubAllGlobals();
});
