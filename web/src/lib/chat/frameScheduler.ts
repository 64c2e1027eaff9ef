// Renders at most once per frame while the page is visible. Hidden pages get no frames, so a slow timer takes over:
// otherwise the answer would not be there when the tab is shown again.
const HIDDEN_MS = 250;

const waiting = new Set<() => void>();
let frame = 0;
let timer: ReturnType<typeof setTimeout> | undefined;

/** Runs `job` once before the next frame, however often it was scheduled. */
export function scheduleFrame(job: () => void): void {
  const first = waiting.size === 0;
  waiting.add(job);
  if (!first) return;
  frame = requestAnimationFrame(run);
  timer = setTimeout(run, HIDDEN_MS);
}

function run(): void {
  cancelAnimationFrame(frame);
  clearTimeout(timer);
  const jobs = [...waiting];
  waiting.clear();
  for (const job of jobs) job();
}
