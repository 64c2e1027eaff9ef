// What the transports and the ladder say to each other. One reader, one log, one transport at a time.
import type { Problem } from './api.ts';
import type { Frame, Hello, Snapshot } from './types.ts';

export type Transport = 'sse' | 'websocket' | 'poll';

export type Arrival = Frame | Hello | Snapshot;

/** Where a transport puts what it reads. `read` is one read of the socket: what came together. */
export interface Sink {
  byte(): void;
  read(arrivals: Arrival[]): void;
}

/** Why one transport stopped reading. Only `ended` and `refused` are final. */
export type Outcome =
  | { kind: 'ended' }
  | { kind: 'closed' }
  | { kind: 'refused'; problem: Problem }
  | { kind: 'failed'; why: string }
  | { kind: 'busy' }
  /** This transport cannot be had here: something on the way forbids it. */
  | { kind: 'absent' };

/** Reads from after `after` until the log ends, the connection does, or `signal` fires. Never throws. */
export type Read = (
  generation: string,
  after: string | null,
  sink: Sink,
  signal: AbortSignal
) => Promise<Outcome>;

/** A line of JSON to an arrival; null for what is not JSON of a kind. */
export function arrivalOf(line: string): Arrival | null {
  try {
    const value: unknown = JSON.parse(line);
    const named = typeof value === 'object' && value !== null && 'kind' in value;
    return named ? (value as Arrival) : null;
  } catch {
    return null;
  }
}
