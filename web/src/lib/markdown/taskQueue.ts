// Shares out work that must not hold up the page: typing and scrolling come between two turns.

/** Longest turn, in milliseconds of the clock. */
const TURN = 8;

const waiting = new Set<() => void>();
let timer: ReturnType<typeof setTimeout> | null = null;

let spent = 0;

/**
 * Runs `job` now, or in one of the next turns if this turn has had its share of such jobs already; the function
 * returned takes it off the list.
 */
export function runOrDefer(job: () => void): () => void {
  if (spent > TURN) return defer(job);
  if (spent === 0) setTimeout(() => (spent = 0));
  const begun = performance.now();
  job();
  spent += Math.max(performance.now() - begun, Number.EPSILON);
  return () => undefined;
}

/** Runs `job` in one of the next turns; the function returned takes it off the list. */
export function defer(job: () => void): () => void {
  waiting.add(job);
  timer ??= setTimeout(turn);
  return () => waiting.delete(job);
}

function turn(): void {
  timer = null;
  const end = performance.now() + TURN;
  for (const job of waiting) {
    waiting.delete(job);
    job();
    if (performance.now() > end) break;
  }
  if (waiting.size) timer = setTimeout(turn);
}

/** Resolves in a turn of its own, so that what comes before and what comes after are two tasks. */
export function nextTask(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}
