// What the transports and the ladder say to each other. One reader, one log, one transport at a time.
import type { Problem } from './api.ts';
import type { Frame, Hello, Snapshot } from './types.ts';

export type Transport = 'sse' | 'websocket' | 'poll';

export type ReceivedFrame = Frame | Hello | Snapshot;

/** Where a transport puts what it reads. `read` is one read of the socket: what came together. */
export interface Sink {
  onBytes(): void;
  onFrames(frames: ReceivedFrame[]): void;
}

/** Why one transport stopped reading. Only `ended` and `refused` are final. */
export type ReadOutcome =
  | { kind: 'ended' }
  | { kind: 'closed' }
  | { kind: 'refused'; problem: Problem }
  | { kind: 'failed'; why: string }
  | { kind: 'busy' }
  /** This transport cannot be had here: something on the way forbids it. */
  | { kind: 'unavailable' };

/** Reads from after `after` until the log ends, the connection does, or `signal` fires. Never throws. */
export type TransportReader = (
  generation: string,
  after: string | null,
  sink: Sink,
  signal: AbortSignal
) => Promise<ReadOutcome>;

/** A line of JSON to a frame; null for what is not JSON of a kind. */
export function parseFrame(line: string): ReceivedFrame | null {
  try {
    const value: unknown = JSON.parse(line);
    const named = typeof value === 'object' && value !== null && 'kind' in value;
    return named ? (value as ReceivedFrame) : null;
  } catch {
    return null;
  }
}
