// At most one repaint a frame while the page is visible; a slow timer while it is not, since hidden pages get no
// frames and the answer must still be there, whole, when a person looks again.
const HIDDEN_MS = 250;

const waiting = new Set<() => void>();
let frame = 0;
let timer: ReturnType<typeof setTimeout> | undefined;

/** Runs `job` before the next frame is drawn, once, however often it was asked for. */
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
