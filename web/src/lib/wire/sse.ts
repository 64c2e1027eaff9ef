// Reads a log as Server-Sent Events over fetch. Never EventSource: that one can neither set headers nor
// survive a 503. At most three readers of this browser hold such a connection (see connectionSlots.ts).
import { createParser } from 'eventsource-parser';
import { problemOf } from './api.ts';
import { arrivalOf, type Arrival, type Outcome, type Read, type Sink } from './transport.ts';
import type { Slots } from './connectionSlots.ts';

/** A reader over `fetcher`; answers `busy` when the browser's share of connections is taken. */
export function sseReader(fetcher: typeof fetch, slots: Slots): Read {
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

async function readReply(reply: Response, sink: Sink): Promise<Outcome> {
  if (reply.status === 204) return { kind: 'ended' };
  if (!reply.ok) return { kind: 'refused', problem: await problemOf(reply) };
  if (!reply.body) return { kind: 'failed', why: 'no body' };
  return readEvents(reply.body, sink);
}

/** Every read of the body is handed on whole, so that what arrived together is seen together. */
export async function readEvents(body: ReadableStream<Uint8Array>, sink: Sink): Promise<Outcome> {
  let arrivals: Arrival[] = [];
  const parser = createParser({
    onEvent: (event) => {
      const arrival = arrivalOf(event.data);
      if (arrival) arrivals.push(arrival);
    }
  });
  const decoder = new TextDecoder();
  const reader = body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return { kind: 'closed' };
    sink.byte();
    parser.feed(decoder.decode(value, { stream: true }));
    if (arrivals.length === 0) continue;
    sink.read(arrivals);
    if (arrivals.some((arrival) => arrival.kind === 'generation-end')) {
      await reader.cancel().catch(() => undefined);
      return { kind: 'ended' };
    }
    arrivals = [];
  }
}
