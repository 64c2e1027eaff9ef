// Reads one log to its end, whatever happens on the way: the ladder SSE, WebSocket, long poll.
//
// | what happens                                   | what follows                                        |
// |------------------------------------------------|-----------------------------------------------------|
// | no byte within 3 s of asking                   | next rung, from the last id                         |
// | reads bring bursts far behind their stamps     | next rung, from the last id; the reader is told     |
// | no free SSE connection in this browser         | WebSocket, nothing remembered                       |
// | sockets are forbidden on the way               | next rung, at once                                  |
// | no byte for 2.5 heartbeats                     | same rung again, from the last id                   |
// | a bare close, a failed connection              | same rung again, with a growing pause; then the next|
// | a record is missing                            | again from the last id; the second time, from the start|
// | page shown again, network back                 | again at once, unless a byte came within a heartbeat|
// | end record, 204                                | finished                                            |
// | 4xx                                            | finished, with the problem                          |
//
// Every record is handed on exactly once and in order: the cursor proves it.
import type { Problem } from './api.ts';
import { Bursts } from './burstDetector.ts';
import { Cursor, START } from './recordIds.ts';
import type { Arrival, Outcome, Read, Sink, Transport } from './transport.ts';
import type { Frame, Snapshot } from './types.ts';

export interface LinkState {
  transport: Transport;
  /** joining: asked, nothing came yet. open: bytes come. away: trying to come back. */
  state: 'joining' | 'open' | 'away';
  /** Why the last rung was left, once: text came in bursts, or not at all. */
  left: { transport: Transport; why: 'bursts' | 'silent'; lateMs: number; at: string | null } | null;
  /** When the last byte came, ms since 1970; 0 before the first. */
  lastByte: number;
}

export interface AttachHandlers {
  onFrames(frames: (Frame | Snapshot)[]): void;
  /** What came so far is void: the whole log comes again. */
  onRestart(): void;
  onLink(link: LinkState): void;
  /** Called once; with the problem when the server refused. */
  onFinished(problem: Problem | null): void;
}

export interface Memory {
  read(): Transport | null;
  write(transport: Transport): void;
}

export interface Ladder {
  readers: Record<Transport, Read>;
  memory: Memory;
  firstByteMs?: number;
}

const RUNGS: Transport[] = ['sse', 'websocket', 'poll'];
const FIRST_BYTE_MS = 3000;
const PATIENCE = 2.5;
const PAUSES_MS = [0, 250, 500, 1000, 2000, 4000];
const FAILURES_BEFORE_NEXT = 2;

type Verdict =
  Outcome | { kind: 'silent' } | { kind: 'bursts'; lateMs: number } | { kind: 'gap' } | { kind: 'quiet' };

export class Attachment {
  readonly #ladder: Ladder;
  readonly #handlers: AttachHandlers;
  readonly #generation: string;
  readonly #cursor: Cursor;
  #closed = false;
  #heartbeat = 10;
  #link: LinkState;
  #abort: ((why: Verdict) => void) | null = null;
  #wakeUp: (() => void) | null = null;
  #failures = 0;
  #gaps = 0;

  constructor(ladder: Ladder, generation: string, after: string | null, handlers: AttachHandlers) {
    this.#ladder = ladder;
    this.#handlers = handlers;
    this.#generation = generation;
    this.#cursor = new Cursor(after);
    const transport = ladder.memory.read() ?? 'sse';
    this.#link = { transport, state: 'joining', left: null, lastByte: 0 };
    void this.#run();
  }

  get lastId(): string | null {
    return this.#cursor.last;
  }

  /** Stops reading. The generation goes on. */
  close(): void {
    this.#closed = true;
    this.#abort?.({ kind: 'closed' });
    this.#wakeUp?.();
  }

  /** To be called on visibilitychange, pageshow and online. */
  wake(): void {
    if (this.#wakeUp) this.#wakeUp();
    else if (Date.now() - this.#link.lastByte > this.#heartbeat * 1000) this.#abort?.({ kind: 'quiet' });
  }

  async #run(): Promise<void> {
    let over = false;
    while (!this.#closed && !over) {
      const verdict = await this.#read(this.#link.transport);
      if (this.#closed) return;
      over = await this.#follow(verdict);
    }
  }

  /** Decides what comes next; true when nothing does. */
  async #follow(verdict: Verdict): Promise<boolean> {
    switch (verdict.kind) {
      case 'ended':
        this.#finish(null);
        return true;
      case 'refused':
        return this.#refused(verdict.problem);
      case 'busy':
        this.#show({ transport: 'websocket', state: 'joining' });
        return false;
      case 'absent':
        this.#show({ transport: next(this.#link.transport), state: 'joining' });
        return false;
      case 'silent':
      case 'bursts':
        this.#climb(verdict.kind, verdict.kind === 'bursts' ? verdict.lateMs : 0);
        return false;
      case 'quiet':
        this.#show({ state: 'away' });
        return false;
      case 'gap':
        if (++this.#gaps > 1) this.#startOver();
        await this.#comeBack();
        return false;
      default:
        await this.#comeBack();
        return false;
    }
  }

  async #refused(problem: Problem): Promise<boolean> {
    if (problem.status < 500) {
      this.#finish(problem);
      return true;
    }
    await this.#comeBack();
    return false;
  }

  async #comeBack(): Promise<void> {
    const pause = PAUSES_MS[Math.min(this.#failures, PAUSES_MS.length - 1)] ?? 0;
    this.#failures++;
    this.#show({ state: this.#failures > 1 ? 'away' : this.#link.state });
    if (this.#failures > FAILURES_BEFORE_NEXT) this.#show({ transport: next(this.#link.transport) });
    if (pause > 0) await this.#rest(pause * (0.75 + Math.random() / 2));
  }

  /** The same hole twice: only the whole log can fill it. */
  #startOver(): void {
    this.#gaps = 0;
    this.#cursor.last = START;
    this.#handlers.onRestart();
  }

  #rest(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const go = (): void => {
        clearTimeout(timer);
        this.#wakeUp = null;
        resolve();
      };
      const timer = setTimeout(go, ms);
      this.#wakeUp = go;
    });
  }

  #climb(why: 'silent' | 'bursts', lateMs: number): void {
    const left = { transport: this.#link.transport, why, lateMs, at: this.#cursor.last };
    const transport = next(this.#link.transport);
    this.#show({ transport, left, state: 'joining' });
  }

  #finish(problem: Problem | null): void {
    this.#closed = true;
    this.#handlers.onFinished(problem);
  }

  async #read(transport: Transport): Promise<Verdict> {
    const control = new AbortController();
    let early: Verdict | null = null;
    const abort = (why: Verdict): void => {
      early ??= why;
      control.abort();
    };
    this.#abort = abort;
    const clock = this.#clock(transport, abort);
    const sink = this.#sink(transport, clock, abort);
    const outcome = await this.#ladder.readers[transport](
      this.#generation,
      this.#cursor.last,
      sink,
      control.signal
    );
    clock.stop();
    this.#abort = null;
    return early ?? outcome;
  }

  /** Gives up when the first byte, or the next one, is too long in coming. A poll waits by design. */
  #clock(transport: Transport, abort: (why: Verdict) => void): { byte(): void; stop(): void } {
    const firstMs = this.#ladder.firstByteMs ?? FIRST_BYTE_MS;
    const patience = (): number => this.#heartbeat * PATIENCE * 1000;
    let timer = setTimeout(() => abort({ kind: 'silent' }), transport === 'poll' ? patience() : firstMs);
    return {
      byte: () => {
        clearTimeout(timer);
        timer = setTimeout(() => abort({ kind: 'quiet' }), patience());
      },
      stop: () => clearTimeout(timer)
    };
  }

  #sink(transport: Transport, clock: { byte(): void }, abort: (why: Verdict) => void): Sink {
    const bursts = transport === 'sse' ? new Bursts() : null;
    let fresh = true;
    return {
      byte: () => {
        clock.byte();
        this.#link.lastByte = Date.now();
        if (fresh) this.#opened(transport);
        fresh = false;
      },
      read: (arrivals) => {
        if (this.#closed) return;
        const { taken, gap } = this.#take(arrivals);
        if (taken.length > 0) {
          if (!gap) this.#gaps = 0;
          this.#failures = 0;
          this.#handlers.onFrames(taken);
        }
        if (gap) abort({ kind: 'gap' });
        else if (bursts?.read(arrivals)) abort({ kind: 'bursts', lateMs: bursts.lateMs });
      }
    };
  }

  #opened(transport: Transport): void {
    this.#show({ state: 'open' });
    // Only a rung that was reached because another failed is worth remembering.
    if (this.#link.left) this.#ladder.memory.write(transport);
  }

  #take(arrivals: Arrival[]): { taken: (Frame | Snapshot)[]; gap: boolean } {
    const taken: (Frame | Snapshot)[] = [];
    for (const arrival of arrivals) {
      if (arrival.kind === 'hello') {
        this.#heartbeat = arrival.heartbeat || this.#heartbeat;
      } else if (arrival.kind === 'snapshot') {
        if (this.#cursor.jump(arrival.last_id)) taken.push(arrival);
      } else if (arrival.id) {
        const verdict = this.#cursor.take(arrival);
        if (verdict === 'gap') return { taken, gap: true };
        if (verdict === 'next') taken.push(arrival);
      }
    }
    return { taken, gap: false };
  }

  #show(change: Partial<LinkState>): void {
    this.#link = { ...this.#link, ...change };
    this.#handlers.onLink(this.#link);
  }
}

function next(transport: Transport): Transport {
  return RUNGS[(RUNGS.indexOf(transport) + 1) % RUNGS.length] ?? 'sse';
}

const MEMORY_KEY = 'grantha.transport';
const MEMORY_MS = 24 * 60 * 60 * 1000;

/** Remembers for a day, in this browser, which rung worked. */
export function rememberedIn(storage: Storage): Memory {
  return {
    read() {
      const [transport, until] = (storage.getItem(MEMORY_KEY) ?? '').split('@');
      const known = RUNGS.find((rung) => rung === transport);
      return known && Number(until) > Date.now() ? known : null;
    },
    write: (transport) => storage.setItem(MEMORY_KEY, `${transport}@${Date.now() + MEMORY_MS}`)
  };
}

/** The SHA-256 of the text as hex, or null where the browser gives no crypto (plain http elsewhere). */
export async function sha256(text: string): Promise<string | null> {
  if (!globalThis.crypto?.subtle) return null;
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
