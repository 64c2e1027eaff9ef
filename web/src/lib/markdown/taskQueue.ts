// Splits work into short tasks, so that typing and scrolling are handled in between.

/** Longest task, in milliseconds. */
const TURN = 8;

const waiting = new Set<() => void>();
let timer: ReturnType<typeof setTimeout> | null = null;

let spent = 0;

/**
 * Runs `job` now, or in a later task if this one has used up its time; the returned function cancels it.
 */
export function runOrDefer(job: () => void): () => void {
  if (spent > TURN) return defer(job);
  if (spent === 0) setTimeout(() => (spent = 0));
  const begun = performance.now();
  job();
  spent += Math.max(performance.now() - begun, Number.EPSILON);
  return () => undefined;
}

/** Runs `job` in a later task; the returned function cancels it. */
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

/** Resolves in a new task, so that the code before and after it are two tasks. */
export function nextTask(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}
