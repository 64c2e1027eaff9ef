import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { LiveSocket, type LiveChange } from './liveSocket.ts';
import type { ReceivedFrame, Sink } from './transport.ts';

/** A WebSocket whose server is the test. */
class FakeSocket {
  readyState = 0;
  onopen: (() => void) | null = null;
  onclose: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  readonly sent: Record<string, unknown>[] = [];

  send(text: string): void {
    this.sent.push(JSON.parse(text) as Record<string, unknown>);
  }
  close(): void {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.onclose?.();
  }
  accept(): void {
    this.readyState = 1;
    this.onopen?.();
  }
  receive(message: unknown): void {
    this.onmessage?.({ data: JSON.stringify(message) });
  }
}

let sockets: FakeSocket[];
let live: LiveSocket;
let resyncs: number;

const newest = (): FakeSocket => sockets.at(-1) as FakeSocket;
const never = new AbortController().signal;

function sink(): Sink & { frames: ReceivedFrame[]; bytes: number } {
  return {
    frames: [],
    bytes: 0,
    onBytes() {
      this.bytes++;
    },
    onFrames(frames) {
      this.frames.push(...frames);
    }
  };
}

beforeEach(() => {
  vi.useFakeTimers();
  sockets = [];
  resyncs = 0;
  live = new LiveSocket(() => {
    sockets.push(new FakeSocket());
    return newest() as unknown as WebSocket;
  });
  live.onResync = () => resyncs++;
});

afterEach(() => {
  live.stop();
  vi.useRealTimers();
});

test('a change that the server pushes is passed on', () => {
  const changes: LiveChange[] = [];
  live.onChange = (change) => changes.push(change);
  live.start();
  newest().accept();
  newest().receive({ type: 'change', change: 'message', conversation: 'c' });
  expect(changes.map((one) => [one.change, one.conversation])).toEqual([['message', 'c']]);
});

test('a lost socket is opened again with growing delays, and says that changes may have been missed', () => {
  live.start();
  newest().accept();
  expect(resyncs).toBe(0);
  newest().close();
  vi.advanceTimersByTime(400);
  expect(sockets).toHaveLength(2);
  newest().close();
  vi.advanceTimersByTime(400);
  expect(sockets).toHaveLength(2);
  vi.advanceTimersByTime(400);
  expect(sockets).toHaveLength(3);
  newest().accept();
  expect(resyncs).toBe(1);
});

test('a socket that is silent for longer than its heartbeats is given up', () => {
  const states: boolean[] = [];
  live.onState = (open) => states.push(open);
  live.start();
  newest().accept();
  newest().receive({ type: 'hello', heartbeat: 2 });
  vi.advanceTimersByTime(4_900);
  newest().receive({ type: 'heartbeat' });
  vi.advanceTimersByTime(4_900);
  expect(states).toEqual([true]);
  vi.advanceTimersByTime(200);
  expect(states).toEqual([true, false]);
});

test('a log is subscribed to, and its frames end with the end record', async () => {
  live.start();
  newest().accept();
  const to = sink();
  const reading = live.reader()('g', '1-4', to, never);
  await vi.advanceTimersByTimeAsync(0);
  expect(newest().sent).toEqual([{ type: 'subscribe', generation: 'g', after: '1-4' }]);
  newest().receive({ type: 'frame', generation: 'other', frame: { kind: 'text-delta', id: '1-5' } });
  newest().receive({ type: 'frame', generation: 'g', frame: { kind: 'text-delta', id: '1-5' } });
  newest().receive({ type: 'frame', generation: 'g', frame: { kind: 'generation-end', id: '1-6' } });
  expect(await reading).toEqual({ kind: 'ended' });
  expect(to.frames.map((frame) => frame.kind)).toEqual(['text-delta', 'generation-end']);
});

test('a log whose socket closes is reported closed, so that its reader comes back', async () => {
  live.start();
  newest().accept();
  const reading = live.reader()('g', null, sink(), never);
  await vi.advanceTimersByTimeAsync(0);
  newest().close();
  expect(await reading).toEqual({ kind: 'closed' });
});

test('an aborted reader unsubscribes', async () => {
  live.start();
  newest().accept();
  const abort = new AbortController();
  const reading = live.reader()('g', null, sink(), abort.signal);
  await vi.advanceTimersByTimeAsync(0);
  abort.abort();
  expect((await reading).kind).toBe('failed');
  expect(newest().sent.at(-1)).toEqual({ type: 'unsubscribe', generation: 'g' });
});

test('a reader waits for the socket, but not for ever', async () => {
  live.start();
  const late = live.reader(1_000)('g', null, sink(), never);
  await vi.advanceTimersByTimeAsync(1_100);
  expect((await late).kind).toBe('failed');
});

test('sockets that never open are given up as blocked, until one opens', async () => {
  live.start();
  newest().close();
  vi.advanceTimersByTime(1_000);
  newest().close();
  expect(live.blocked).toBe(true);
  expect(await live.reader()('g', null, sink(), never)).toEqual({ kind: 'unavailable' });
  vi.advanceTimersByTime(2_000);
  newest().accept();
  expect(live.blocked).toBe(false);
});

test('waking up replaces a socket that has been silent, and leaves a lively one alone', () => {
  live.start();
  newest().accept();
  live.wake();
  expect(sockets).toHaveLength(1);
  vi.advanceTimersByTime(11_000);
  live.wake();
  expect(sockets).toHaveLength(2);
});
