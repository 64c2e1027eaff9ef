import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  LogReader,
  transportMemory,
  sha256,
  type LogHandlers,
  type ConnectionState,
  type TransportMemory
} from './logReader.ts';
import { Problem } from './api.ts';
import { LOG_START } from './recordIds.ts';
import type { ReadOutcome, TransportReader, Sink, Transport } from './transport.ts';
import type { Frame } from './types.ts';

type Step = (sink: Sink, after: string | null, signal: AbortSignal) => Promise<ReadOutcome>;

const OPEN = { id: '1-0', kind: 'open', previous: null, model: 'a/b', at: 1000 } as Frame;
const END = {
  id: '1-3',
  kind: 'generation-end',
  ending: 'done',
  text_length: 2,
  sha256: '',
  at: 1300
} as Frame;
const delta = (seq: number, at = 1000 + seq, records?: number): Frame =>
  ({ id: `1-${seq}`, kind: 'text-delta', part: 0, text: 'x', at, ...(records ? { records } : {}) }) as Frame;

/** A transport that plays its steps, one a call; the last one again and again. */
function played(attempts: string[], name: string, steps: Step[]): TransportReader {
  let n = 0;
  return (_generation, after, sink, signal) => {
    attempts.push(`${name} ${after}`);
    const step = steps[Math.min(n++, steps.length - 1)];
    return step ? step(sink, after, signal) : Promise.resolve({ kind: 'failed', why: 'none' });
  };
}

const silent: Step = (_sink, _after, signal) =>
  new Promise((resolve) => {
    const given = (): void => resolve({ kind: 'failed', why: 'given up' });
    if (signal.aborted) given();
    signal.addEventListener('abort', given);
  });

const gives =
  (outcome: ReadOutcome, ...reads: Frame[][]): Step =>
  async (sink) => {
    for (const frames of reads) {
      sink.onBytes();
      sink.onFrames(frames);
      await Promise.resolve();
    }
    return outcome;
  };

function run(steps: Partial<Record<Transport, Step[]>>, remembered: Transport | null = null) {
  const attempts: string[] = [];
  const got: string[] = [];
  const links: ConnectionState[] = [];
  const written: Transport[] = [];
  const memory: TransportMemory = { read: () => remembered, write: (transport) => written.push(transport) };
  let finish: (problem: Problem | null) => void;
  const finished = new Promise<Problem | null>((resolve) => (finish = resolve));
  const handlers: LogHandlers = {
    onFrames: (frames) => got.push(...frames.map((frame) => frame.id)),
    onRestart: () => got.push('restart'),
    onConnection: (link) => links.push(link),
    onFinished: (problem) => finish(problem)
  };
  const readers = {
    sse: played(attempts, 'sse', steps.sse ?? []),
    websocket: played(attempts, 'websocket', steps.websocket ?? []),
    poll: played(attempts, 'poll', steps.poll ?? [])
  };
  const attachment = new LogReader({ readers, memory }, 'g_1', LOG_START, handlers);
  return { attempts, got, links, written, finished, attachment };
}

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

describe('an attachment', () => {
  it('reads the log from its start to its end record', async () => {
    const { finished, got, attempts } = run({
      sse: [gives({ kind: 'ended' }, [OPEN, delta(1)], [delta(2)], [END])]
    });
    expect(await finished).toBeNull();
    expect(got).toEqual(['1-0', '1-1', '1-2', '1-3']);
    expect(attempts).toEqual(['sse 0-0']);
  });

  it('comes back with its last id after a bare close', async () => {
    const { finished, got, attempts } = run({
      sse: [gives({ kind: 'closed' }, [OPEN, delta(1)]), gives({ kind: 'ended' }, [delta(2), END])]
    });
    await vi.runAllTimersAsync();
    await finished;
    expect(attempts).toEqual(['sse 0-0', 'sse 1-1']);
    expect(got).toEqual(['1-0', '1-1', '1-2', '1-3']);
  });

  it('changes to WebSocket when no byte comes within three seconds, and remembers it', async () => {
    const { finished, attempts, links, written } = run({
      sse: [silent],
      websocket: [gives({ kind: 'ended' }, [OPEN, delta(1), delta(2), END])]
    });
    await vi.advanceTimersByTimeAsync(2900);
    expect(attempts).toEqual(['sse 0-0']);
    await vi.advanceTimersByTimeAsync(200);
    await finished;
    expect(attempts).toEqual(['sse 0-0', 'websocket 0-0']);
    expect(links.at(-1)?.fallback).toMatchObject({ transport: 'sse', why: 'silent' });
    expect(written).toEqual(['websocket']);
  });

  it('goes down to long polls when WebSocket is silent as well', async () => {
    const { finished, attempts } = run({
      sse: [silent],
      websocket: [silent],
      poll: [gives({ kind: 'ended' }, [OPEN, delta(1), delta(2), END])]
    });
    await vi.advanceTimersByTimeAsync(6200);
    await finished;
    expect(attempts).toEqual(['sse 0-0', 'websocket 0-0', 'poll 0-0']);
  });

  it('leaves a connection whose text comes in bursts, and says how late it was', async () => {
    const bursts: Step = async (sink, _after, signal) => {
      const reads = [[OPEN], [delta(1, 2000), delta(2, 5000)], [delta(3, 5100), delta(4, 9200)]];
      for (const read of reads) {
        sink.onBytes();
        sink.onFrames(read);
      }
      return silent(sink, null, signal);
    };
    const last = { ...END, id: '1-5' } as Frame;
    const { finished, attempts, links } = run({
      sse: [bursts],
      websocket: [gives({ kind: 'ended' }, [last])]
    });
    await finished;
    expect(attempts).toEqual(['sse 0-0', 'websocket 1-4']);
    expect(links.at(-1)?.fallback).toMatchObject({ why: 'bursts', lateMs: 4100, at: '1-4' });
  });

  it('does not take catching up after an absence for a burst', async () => {
    const { finished, attempts } = run({
      sse: [gives({ kind: 'ended' }, [OPEN, delta(1, 2000), delta(2, 90_000)], [END])]
    });
    await finished;
    expect(attempts).toEqual(['sse 0-0']);
  });

  it('reads over WebSocket when the connections of this browser are taken, and remembers nothing', async () => {
    const { finished, attempts, written } = run({
      sse: [() => Promise.resolve({ kind: 'busy' })],
      websocket: [gives({ kind: 'ended' }, [OPEN, delta(1), delta(2), END])]
    });
    await finished;
    expect(attempts).toEqual(['sse 0-0', 'websocket 0-0']);
    expect(written).toEqual([]);
  });

  it('goes on to long polls at once where sockets are forbidden', async () => {
    const { finished, attempts } = run({
      sse: [() => Promise.resolve({ kind: 'busy' })],
      websocket: [() => Promise.resolve({ kind: 'unavailable' })],
      poll: [gives({ kind: 'ended' }, [OPEN, delta(1), delta(2), END])]
    });
    await finished;
    expect(attempts).toEqual(['sse 0-0', 'websocket 0-0', 'poll 0-0']);
  });

  it('waits for the first word as long as the server shows that it is there', async () => {
    const slow: Step = async (sink) => {
      sink.onBytes();
      sink.onFrames([OPEN]);
      for (let heartbeats = 0; heartbeats < 18; heartbeats++) {
        await new Promise((resolve) => setTimeout(resolve, 10_000));
        sink.onBytes();
      }
      sink.onFrames([delta(1), delta(2), END]);
      return { kind: 'ended' };
    };
    const { finished, attempts, got } = run({ sse: [slow] });
    await vi.advanceTimersByTimeAsync(180_000);
    expect(await finished).toBeNull();
    expect(attempts).toEqual(['sse 0-0']);
    expect(got).toEqual(['1-0', '1-1', '1-2', '1-3']);
  });

  it('gives up a connection that is quiet for two and a half heartbeats', async () => {
    const quiet: Step = async (sink, after, signal) => {
      sink.onBytes();
      sink.onFrames([OPEN]);
      return silent(sink, after, signal);
    };
    const { finished, attempts } = run({ sse: [quiet, gives({ kind: 'ended' }, [delta(1), delta(2), END])] });
    await vi.advanceTimersByTimeAsync(24_900);
    expect(attempts).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(200);
    await finished;
    expect(attempts).toEqual(['sse 0-0', 'sse 1-0']);
  });

  it('asks again from its last id when a record is missing, and for the whole log the second time', async () => {
    const { finished, attempts, got } = run({
      sse: [
        gives({ kind: 'closed' }, [OPEN, delta(2)]),
        gives({ kind: 'closed' }, [delta(2)]),
        gives({ kind: 'ended' }, [OPEN, delta(2, 1002, 2), END])
      ]
    });
    await vi.runAllTimersAsync();
    await finished;
    expect(attempts).toEqual(['sse 0-0', 'sse 1-0', 'sse 0-0']);
    expect(got).toEqual(['1-0', 'restart', '1-0', '1-2', '1-3']);
  });

  it('ends with the problem when the server refuses', async () => {
    const problem = new Problem(404, { code: 'not_found', detail: 'There is no such generation.' });
    const { finished } = run({ sse: [() => Promise.resolve({ kind: 'refused', problem })] });
    expect(await finished).toBe(problem);
  });

  it('comes back at once when the page wakes, instead of waiting out its pause', async () => {
    const failing: Step = () => Promise.resolve({ kind: 'failed', why: 'down' });
    const { attempts, attachment } = run({ sse: [failing], websocket: [failing], poll: [failing] });
    await vi.advanceTimersByTimeAsync(20_000);
    const before = attempts.length;
    attachment.wake();
    await vi.advanceTimersByTimeAsync(0);
    expect(attempts.length).toBe(before + 1);
    attachment.close();
  });

  it('begins with the transport that worked before', async () => {
    const { finished, attempts } = run(
      { websocket: [gives({ kind: 'ended' }, [OPEN, delta(1), delta(2), END])] },
      'websocket'
    );
    await finished;
    expect(attempts).toEqual(['websocket 0-0']);
  });

  it('reads nothing more once it is closed', async () => {
    const { attempts, got, attachment } = run({ sse: [silent] });
    attachment.close();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(attempts).toHaveLength(1);
    expect(got).toEqual([]);
  });
});

describe('the memory of what worked', () => {
  it('lasts a day', () => {
    const kept = new Map<string, string>();
    const storage = {
      getItem: (key: string) => kept.get(key) ?? null,
      setItem: (key: string, value: string) => kept.set(key, value)
    };
    const memory = transportMemory(storage as unknown as Storage);
    memory.write('poll');
    expect(memory.read()).toBe('poll');
    vi.advanceTimersByTime(25 * 60 * 60 * 1000);
    expect(memory.read()).toBeNull();
  });
});

it('the hash of a text is that of its UTF-8', async () => {
  expect(await sha256('नमस्ते')).toBe('ddb08d77c2d511947652161b35987022711aa216387b041dd459a03eb66a8304');
  expect(await sha256('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
});
