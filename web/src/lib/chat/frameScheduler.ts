// Renders at most once per frame while the page is visible, and less often where a frame is expensive, so that the rest
// of the page stays quick. Hidden pages get no frames, so a slow timer takes over: otherwise the answer would not be there
// when the tab is shown again.
const HIDDEN_MS = 250;
/** Between the starts of two renders lies this much more time than one takes, layout and painting included. */
const REST = 12;
const MAX_GAP_MS = 100;

const waiting = new Set<() => void>();
let frame = 0;
let pause: ReturnType<typeof setTimeout> | undefined;
let timer: ReturnType<typeof setTimeout> | undefined;
/** When the next render may begin, by `performance.now()`. */
let next = 0;

/** Runs `job` once before one of the next frames, however often it was scheduled. */
export function scheduleFrame(job: () => void): void {
  const first = waiting.size === 0;
  waiting.add(job);
  if (!first) return;
  timer = setTimeout(run, HIDDEN_MS);
  const gap = next - performance.now();
  if (gap > 0) pause = setTimeout(request, gap);
  else request();
}

function request(): void {
  frame = requestAnimationFrame(run);
}

function run(): void {
  cancelAnimationFrame(frame);
  clearTimeout(pause);
  clearTimeout(timer);
  const begun = performance.now();
  const jobs = [...waiting];
  waiting.clear();
  for (const job of jobs) job();
  // The next task: the browser has laid out and painted by then.
  setTimeout(() => {
    next = begun + Math.min(MAX_GAP_MS, REST * (performance.now() - begun));
  });
}
