// Reads a log as Server-Sent Events over fetch. Never EventSource: that one can neither set headers nor
// survive a 503. At most three readers of this browser hold such a connection (see connectionSlots.ts).
import { createParser } from 'eventsource-parser';
import { readProblem } from './api.ts';
import {
  parseFrame,
  type ReceivedFrame,
  type ReadOutcome,
  type TransportReader,
  type Sink
} from './transport.ts';
import type { Slots } from './connectionSlots.ts';

const CLOSE_PATIENCE_MS = 2000;

/** The SSE transport over `fetcher`; returns `busy` when all connection slots are taken. */
export function sseReader(fetcher: typeof fetch, slots: Slots): TransportReader {
  return async (generation, after, sink, signal) => {
    const release = await slots.take();
    if (!release) return { kind: 'busy' };
    try {
      const query = after ? `?after=${after}` : '';
      const reply = await fetcher(`/api/generations/${generation}/events${query}`, {
        headers: { Accept: 'text/event-stream' },
        cache: 'no-store',
        signal
      });
      return await readReply(reply, sink);
    } catch (error) {
      return { kind: 'failed', why: String(error) };
    } finally {
      release();
    }
  };
}

async function readReply(reply: Response, sink: Sink): Promise<ReadOutcome> {
  if (reply.status === 204) return { kind: 'ended' };
  if (!reply.ok) return { kind: 'refused', problem: await readProblem(reply) };
  if (!reply.body) return { kind: 'failed', why: 'no body' };
  return readEvents(reply.body, sink);
}

/** Frames of one read are delivered together, so that bursts can be detected. */
export async function readEvents(body: ReadableStream<Uint8Array>, sink: Sink): Promise<ReadOutcome> {
  let frames: ReceivedFrame[] = [];
  const parser = createParser({
    onEvent: (event) => {
      const frame = parseFrame(event.data);
      if (frame) frames.push(frame);
    }
  });
  const decoder = new TextDecoder();
  const reader = body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return { kind: 'closed' };
    sink.onBytes();
    parser.feed(decoder.decode(value, { stream: true }));
    if (frames.length === 0) continue;
    sink.onFrames(frames);
    if (frames.some((frame) => frame.kind === 'generation-end')) {
      void readToClose(reader);
      return { kind: 'ended' };
    }
    frames = [];
  }
}

/** The server closes after the last record. A browser lists no size for a stream that was cancelled before. */
async function readToClose(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
  const giveUp = setTimeout(() => void reader.cancel().catch(() => undefined), CLOSE_PATIENCE_MS);
  try {
    while (!(await reader.read()).done);
  } catch {
    // The connection broke, or the page left: nothing more was wanted of it.
  } finally {
    clearTimeout(giveUp);
  }
}
