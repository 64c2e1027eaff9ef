import { describe, expect, it, vi } from 'vitest';
import type { ReceivedFrame } from './transport.ts';
import { readEvents } from './sse.ts';

const STREAM = [
  'id: 0-0\nretry: 700\n\n',
  'data: {"kind":"hello","protocol":1,"heartbeat":10}\n\n',
  ': hb\n\n',
  'id: 1-0\ndata: {"id":"1-0","kind":"open","previous":null,"model":"a/b","at":1}\n\n',
  'id: 1-1\ndata: {"id":"1-1","kind":"text-delta","part":0,"text":"né 𝒜\\n","at":2}\n\n',
  'data: not json\n\n',
  'id: 1-2\ndata: {"id":"1-2","kind":"generation-end","ending":"done","text_length":1,"sha256":"","at":3}\n\n'
].join('');

function body(chunks: Uint8Array[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    }
  });
}

async function read(chunks: Uint8Array[]) {
  const frames: ReceivedFrame[] = [];
  let bytes = 0;
  const outcome = await readEvents(body(chunks), {
    onBytes: () => bytes++,
    onFrames: (more) => frames.push(...more)
  });
  return { outcome, frames, bytes };
}

describe('an event stream', () => {
  const whole = new TextEncoder().encode(STREAM);

  it('is read to its end record', async () => {
    const { outcome, frames } = await read([whole]);
    expect(outcome).toEqual({ kind: 'ended' });
    expect(frames.map((frame) => frame.kind)).toEqual(['hello', 'open', 'text-delta', 'generation-end']);
  });

  it('is left to the server to close, and cancelled only if that takes too long', async () => {
    vi.useFakeTimers();
    try {
      const cancel = vi.fn();
      const open = new ReadableStream<Uint8Array>({ start: (stream) => stream.enqueue(whole), cancel });
      const outcome = await readEvents(open, { onBytes: () => undefined, onFrames: () => undefined });
      expect(outcome).toEqual({ kind: 'ended' });
      expect(cancel).not.toHaveBeenCalled();
      await vi.runAllTimersAsync();
      expect(cancel).toHaveBeenCalledOnce();
    } finally {
      vi.useRealTimers();
    }
  });

  it('says the same at every split of its bytes', async () => {
    const { frames: expected } = await read([whole]);
    for (let at = 1; at < whole.length; at++) {
      const { frames } = await read([whole.slice(0, at), whole.slice(at)]);
      expect(frames).toEqual(expected);
    }
  });

  it('says the same one byte at a time', async () => {
    const { frames } = await read([...whole].map((byte) => Uint8Array.of(byte)));
    expect(frames).toEqual((await read([whole])).frames);
  });

  it('that ends without its end record has only been closed', async () => {
    const cut = new TextEncoder().encode(STREAM.slice(0, 200));
    expect((await read([cut])).outcome).toEqual({ kind: 'closed' });
  });

  it('counts a heartbeat as a byte, and as nothing to read', async () => {
    const { bytes, frames } = await read([new TextEncoder().encode(': hb\n\n')]);
    expect(bytes).toBe(1);
    expect(frames).toEqual([]);
  });
});
