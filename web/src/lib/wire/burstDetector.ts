// Tells a buffering proxy from a slow model. Records carry the server's timestamps: when two reads in a row each
// contain records with timestamps far apart, a proxy held them back. Needs no common clock.
import type { ReceivedFrame } from './transport.ts';

const LATE_MS = 1500;
const READS = 2;

export class BurstDetector {
  #reads = 0;
  #late = 0;
  /** The longest time that text was held back, in ms. */
  lateMs = 0;

  /** Adds one read; returns true when the connection should be given up. The first read, a replay, never counts. */
  read(frames: ReceivedFrame[]): boolean {
    const stamps = frames.flatMap((frame) => ('at' in frame ? [frame.at] : []));
    const span = stamps.length > 1 ? (stamps.at(-1) ?? 0) - (stamps[0] ?? 0) : 0;
    if (stamps.length > 0) this.#reads++;
    if (this.#reads <= 1) return false;
    this.#late = span >= LATE_MS ? this.#late + 1 : 0;
    this.lateMs = Math.max(this.lateMs, span);
    return this.#late >= READS;
  }
}
