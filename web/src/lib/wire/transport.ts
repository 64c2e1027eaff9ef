// The contract between LogReader and the transports. One log, one transport at a time.
import type { Problem } from './api.ts';
import type { Frame, Hello, Snapshot } from './types.ts';

export type Transport = 'sse' | 'websocket' | 'poll';

export type ReceivedFrame = Frame | Hello | Snapshot;

/** Receives what a transport reads. `onFrames` gets what arrived in one read of the connection. */
export interface Sink {
  onBytes(): void;
  onFrames(frames: ReceivedFrame[]): void;
}

/** How a transport's read ended. Only `ended` and `refused` are final. */
export type ReadOutcome =
  | { kind: 'ended' }
  | { kind: 'closed' }
  | { kind: 'refused'; problem: Problem }
  | { kind: 'failed'; why: string }
  | { kind: 'busy' }
  /** This transport can't be used here: a proxy blocks it. */
  | { kind: 'unavailable' };

/** Reads from after `after` until the log ends, the connection does, or `signal` fires. Never throws. */
export type TransportReader = (
  generation: string,
  after: string | null,
  sink: Sink,
  signal: AbortSignal
) => Promise<ReadOutcome>;

/** Parses a line of JSON; null if it isn't an object with a `kind`. */
export function parseFrame(line: string): ReceivedFrame | null {
  try {
    const value: unknown = JSON.parse(line);
    const named = typeof value === 'object' && value !== null && 'kind' in value;
    return named ? (value as ReceivedFrame) : null;
  } catch {
    return null;
  }
}
