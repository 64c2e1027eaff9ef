// Reads a log by long polls: each reply holds what is new since the cursor, one JSON a line, and closes.
// The last rung: slow to start, but it passes through anything that passes HTTP.
import { problemOf } from './api.ts';
import { arrivalOf, type Arrival, type Read, type Sink } from './transport.ts';

const WAIT_SECONDS = 20;

export function pollReader(fetcher: typeof fetch): Read {
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
        if (!reply.ok) return { kind: 'refused', problem: await problemOf(reply) };
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
  sink.byte();
  const arrivals: Arrival[] = body
    .split('\n')
    .map((line) => (line.trim() ? arrivalOf(line) : null))
    .filter((arrival) => arrival !== null);
  if (arrivals.length > 0) sink.read(arrivals);
  const last = arrivals.findLast((arrival) => arrival.kind === 'snapshot' || 'id' in arrival);
  return {
    last: last ? idOf(last) : null,
    ended: arrivals.some((arrival) => arrival.kind === 'generation-end')
  };
}

function idOf(arrival: Arrival): string | null {
  if (arrival.kind === 'hello') return null;
  return arrival.kind === 'snapshot' ? arrival.last_id : arrival.id;
}
