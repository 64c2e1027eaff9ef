// Record ids (`epoch-seq`) and the cursor that proves no record was missed.
// Invariant: within an epoch the seq of a frame grows by exactly the records it holds; the next epoch
// begins with an open record numbered 0 that names the last id of the epoch before.
import type { Frame } from './types.ts';

export interface RecordId {
  epoch: number;
  seq: number;
}

/** Null for anything that is not `epoch-seq`. */
export function parseId(text: string): RecordId | null {
  const match = /^(\d{1,15})-(\d{1,15})$/.exec(text);
  return match ? { epoch: Number(match[1]), seq: Number(match[2]) } : null;
}

/** Negative when a comes before b. */
function compareIds(a: RecordId, b: RecordId): number {
  return a.epoch - b.epoch || a.seq - b.seq;
}

/** Before every record: reading after it gives the whole log. */
export const LOG_START = '0-0';

export type CursorResult = 'next' | 'old' | 'gap';

export class Cursor {
  /** The id of the last record that was taken; null asks for a snapshot first. */
  last: string | null;

  constructor(after: string | null) {
    this.last = after;
  }

  /** Whether the frame follows what was taken; moves on only when it does. */
  take(frame: Pick<Frame, 'id' | 'kind' | 'records'> & { previous?: string | null }): CursorResult {
    const id = parseId(frame.id);
    if (!id) return 'gap';
    const verdict = this.#judge(id, frame);
    if (verdict === 'next') this.last = frame.id;
    return verdict;
  }

  /** A snapshot holds everything up to its id. Older than what was taken: ignored. */
  jump(id: string): boolean {
    const to = parseId(id);
    const from = this.last ? parseId(this.last) : null;
    if (!to || (from && compareIds(to, from) < 0)) return false;
    this.last = id;
    return true;
  }

  #judge(id: RecordId, frame: { records?: number; kind: string; previous?: string | null }): CursorResult {
    const first = id.seq - (frame.records ?? 1) + 1;
    const last = this.last === null || this.last === LOG_START ? null : parseId(this.last);
    if (!last) return first === 0 ? 'next' : 'gap';
    if (compareIds(id, last) <= 0) return 'old';
    if (id.epoch === last.epoch) return first === last.seq + 1 ? 'next' : 'gap';
    return first === 0 && (frame.previous === undefined || frame.previous === this.last) ? 'next' : 'gap';
  }
}
