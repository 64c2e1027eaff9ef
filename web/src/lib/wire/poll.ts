// Reads a log by long polls: each reply holds what is new since the cursor, one JSON a line, and closes.
// The last resort: slow to start, but it works wherever HTTP does.
import { readProblem } from './api.ts';
import { parseFrame, type ReceivedFrame, type TransportReader, type Sink } from './transport.ts';

const WAIT_SECONDS = 20;

export function pollReader(fetcher: typeof fetch): TransportReader {
  return async (generation, after, sink, signal) => {
    let cursor = after;
    try {
      for (;;) {
        const query = new URLSearchParams({ wait: String(WAIT_SECONDS) });
        if (cursor) query.set('after', cursor);
        const reply = await fetcher(`/api/generations/${generation}/events?${query}`, {
          headers: { Accept: 'application/x-ndjson' },
          cache: 'no-store',
          signal
        });
        if (reply.status === 204) return { kind: 'ended' };
        if (!reply.ok) return { kind: 'refused', problem: await readProblem(reply) };
        const taken = take(await reply.text(), sink);
        if (taken.ended) return { kind: 'ended' };
        cursor = taken.last ?? cursor;
      }
    } catch (error) {
      return { kind: 'failed', why: String(error) };
    }
  };
}

function take(body: string, sink: Sink): { last: string | null; ended: boolean } {
  sink.onBytes();
  const frames: ReceivedFrame[] = body
    .split('\n')
    .map((line) => (line.trim() ? parseFrame(line) : null))
    .filter((frame) => frame !== null);
  if (frames.length > 0) sink.onFrames(frames);
  const last = frames.findLast((frame) => frame.kind === 'snapshot' || 'id' in frame);
  return {
    last: last ? idOf(last) : null,
    ended: frames.some((frame) => frame.kind === 'generation-end')
  };
}

function idOf(frame: ReceivedFrame): string | null {
  if (frame.kind === 'hello') return null;
  return frame.kind === 'snapshot' ? frame.last_id : frame.id;
}
