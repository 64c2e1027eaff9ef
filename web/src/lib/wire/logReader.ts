// Reads one log to its end, whatever happens on the way: SSE, then WebSocket, then long polling.
//
// | what happens                                   | what follows                                        |
// |------------------------------------------------|-----------------------------------------------------|
// | no byte within 3 s of the request              | next transport, from the last id                    |
// | text arrives in bursts, far behind its stamps  | next transport, from the last id; the page says so  |
// | no free SSE connection in this browser         | WebSocket, nothing remembered                       |
// | a proxy blocks WebSockets                      | next transport, at once                             |
// | no byte for 2.5 heartbeats                     | same transport again, from the last id              |
// | a bare close, a failed connection              | same transport after a growing delay; then the next |
// | a record is missing                            | again from the last id; the second time, from the start|
// | page shown again, network back                 | again at once, unless a byte came within a heartbeat|
// | end record, 204                                | finished                                            |
// | 4xx                                            | finished, with the problem                          |
//
// Every record is delivered exactly once and in order: the cursor checks it.
import type { Problem } from './api.ts';
import { BurstDetector } from './burstDetector.ts';
import { Cursor, LOG_START } from './recordIds.ts';
import type { ReceivedFrame, ReadOutcome, TransportReader, Sink, Transport } from './transport.ts';
import type { Frame, Snapshot } from './types.ts';

export interface ConnectionState {
  transport: Transport;
  /** connecting: no byte yet. open: bytes are arriving. reconnecting: the connection was lost. */
  state: 'connecting' | 'open' | 'reconnecting';
  /** Why the previous transport was given up: text arrived in bursts, or not at all. */
  fallback: { transport: Transport; why: 'bursts' | 'silent'; lateMs: number; at: string | null } | null;
  /** When the last byte arrived, ms since 1970; 0 before the first. */
  lastByte: number;
}

export interface LogHandlers {
  onFrames(frames: (Frame | Snapshot)[]): void;
  /** Discard everything received so far: the whole log is sent again. */
  onRestart(): void;
  onConnection(link: ConnectionState): void;
  /** Called once, with the problem if the server refused. */
  onFinished(problem: Problem | null): void;
}

export interface TransportMemory {
  read(): Transport | null;
  write(transport: Transport): void;
}

export interface Transports {
  readers: Record<Transport, TransportReader>;
  memory: TransportMemory;
  firstByteMs?: number;
}

const FALLBACK_ORDER: Transport[] = ['sse', 'websocket', 'poll'];
const FIRST_BYTE_MS = 3000;
const PATIENCE = 2.5;
const PAUSES_MS = [0, 250, 500, 1000, 2000, 4000];
const FAILURES_BEFORE_NEXT = 2;

type ReadResult =
  ReadOutcome | { kind: 'silent' } | { kind: 'bursts'; lateMs: number } | { kind: 'gap' } | { kind: 'quiet' };

export class LogReader {
  readonly #transports: Transports;
  readonly #handlers: LogHandlers;
  readonly #generation: string;
  readonly #cursor: Cursor;
  #closed = false;
  #heartbeat = 10;
  #connection: ConnectionState;
  #abort: ((why: ReadResult) => void) | null = null;
  #wakeUp: (() => void) | null = null;
  #failures = 0;
  #gaps = 0;

  constructor(transports: Transports, generation: string, after: string | null, handlers: LogHandlers) {
    this.#transports = transports;
    this.#handlers = handlers;
    this.#generation = generation;
    this.#cursor = new Cursor(after);
    const transport = transports.memory.read() ?? 'sse';
    this.#connection = { transport, state: 'connecting', fallback: null, lastByte: 0 };
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

  /** Call it on visibilitychange, pageshow and online. */
  wake(): void {
    if (this.#wakeUp) this.#wakeUp();
    else if (Date.now() - this.#connection.lastByte > this.#heartbeat * 1000)
      this.#abort?.({ kind: 'quiet' });
  }

  async #run(): Promise<void> {
    let over = false;
    while (!this.#closed && !over) {
      const verdict = await this.#read(this.#connection.transport);
      if (this.#closed) return;
      over = await this.#follow(verdict);
    }
  }

  /** Acts on how a read ended; returns true when reading is over. */
  async #follow(verdict: ReadResult): Promise<boolean> {
    switch (verdict.kind) {
      case 'ended':
        this.#finish(null);
        return true;
      case 'refused':
        return this.#refused(verdict.problem);
      case 'busy':
        this.#setConnection({ transport: 'websocket', state: 'connecting' });
        return false;
      case 'unavailable':
        this.#setConnection({ transport: next(this.#connection.transport), state: 'connecting' });
        return false;
      case 'silent':
      case 'bursts':
        this.#fallBack(verdict.kind, verdict.kind === 'bursts' ? verdict.lateMs : 0);
        return false;
      case 'quiet':
        this.#setConnection({ state: 'reconnecting' });
        return false;
      case 'gap':
        if (++this.#gaps > 1) this.#startOver();
        await this.#reconnect();
        return false;
      default:
        await this.#reconnect();
        return false;
    }
  }

  async #refused(problem: Problem): Promise<boolean> {
    if (problem.status < 500) {
      this.#finish(problem);
      return true;
    }
    await this.#reconnect();
    return false;
  }

  async #reconnect(): Promise<void> {
    const pause = PAUSES_MS[Math.min(this.#failures, PAUSES_MS.length - 1)] ?? 0;
    this.#failures++;
    this.#setConnection({ state: this.#failures > 1 ? 'reconnecting' : this.#connection.state });
    if (this.#failures > FAILURES_BEFORE_NEXT)
      this.#setConnection({ transport: next(this.#connection.transport) });
    if (pause > 0) await this.#pause(pause * (0.75 + Math.random() / 2));
  }

  /** The same gap twice: only the whole log can fill it. */
  #startOver(): void {
    this.#gaps = 0;
    this.#cursor.last = LOG_START;
    this.#handlers.onRestart();
  }

  #pause(ms: number): Promise<void> {
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

  #fallBack(why: 'silent' | 'bursts', lateMs: number): void {
    const fallback = { transport: this.#connection.transport, why, lateMs, at: this.#cursor.last };
    const transport = next(this.#connection.transport);
    this.#setConnection({ transport, fallback, state: 'connecting' });
  }

  #finish(problem: Problem | null): void {
    this.#closed = true;
    this.#handlers.onFinished(problem);
  }

  async #read(transport: Transport): Promise<ReadResult> {
    const control = new AbortController();
    let early: ReadResult | null = null;
    const abort = (why: ReadResult): void => {
      early ??= why;
      control.abort();
    };
    this.#abort = abort;
    const watchdog = this.#watchdog(transport, abort);
    const sink = this.#frameSink(transport, watchdog, abort);
    const outcome = await this.#transports.readers[transport](
      this.#generation,
      this.#cursor.last,
      sink,
      control.signal
    );
    watchdog.stop();
    this.#abort = null;
    return early ?? outcome;
  }

  /** Aborts when the first byte, or the next one, takes too long. Long polls wait by design. */
  #watchdog(transport: Transport, abort: (why: ReadResult) => void): { onBytes(): void; stop(): void } {
    const firstMs = this.#transports.firstByteMs ?? FIRST_BYTE_MS;
    const patience = (): number => this.#heartbeat * PATIENCE * 1000;
    let timer = setTimeout(() => abort({ kind: 'silent' }), transport === 'poll' ? patience() : firstMs);
    return {
      onBytes: () => {
        clearTimeout(timer);
        timer = setTimeout(() => abort({ kind: 'quiet' }), patience());
      },
      stop: () => clearTimeout(timer)
    };
  }

  #frameSink(transport: Transport, watchdog: { onBytes(): void }, abort: (why: ReadResult) => void): Sink {
    const bursts = transport === 'sse' ? new BurstDetector() : null;
    let fresh = true;
    return {
      onBytes: () => {
        watchdog.onBytes();
        this.#connection.lastByte = Date.now();
        if (fresh) this.#opened(transport);
        fresh = false;
      },
      onFrames: (frames) => {
        if (this.#closed) return;
        const { taken, gap } = this.#accept(frames);
        if (taken.length > 0) {
          if (!gap) this.#gaps = 0;
          this.#failures = 0;
          this.#handlers.onFrames(taken);
        }
        if (gap) abort({ kind: 'gap' });
        else if (bursts?.read(frames)) abort({ kind: 'bursts', lateMs: bursts.lateMs });
      }
    };
  }

  #opened(transport: Transport): void {
    this.#setConnection({ state: 'open' });
    // Only a transport chosen because another one failed is worth remembering.
    if (this.#connection.fallback) this.#transports.memory.write(transport);
  }

  #accept(frames: ReceivedFrame[]): { taken: (Frame | Snapshot)[]; gap: boolean } {
    const taken: (Frame | Snapshot)[] = [];
    for (const frame of frames) {
      if (frame.kind === 'hello') {
        this.#heartbeat = frame.heartbeat || this.#heartbeat;
      } else if (frame.kind === 'snapshot') {
        if (this.#cursor.jump(frame.last_id)) taken.push(frame);
      } else if (frame.id) {
        const verdict = this.#cursor.take(frame);
        if (verdict === 'gap') return { taken, gap: true };
        if (verdict === 'next') taken.push(frame);
      }
    }
    return { taken, gap: false };
  }

  #setConnection(change: Partial<ConnectionState>): void {
    this.#connection = { ...this.#connection, ...change };
    this.#handlers.onConnection(this.#connection);
  }
}

function next(transport: Transport): Transport {
  return FALLBACK_ORDER[(FALLBACK_ORDER.indexOf(transport) + 1) % FALLBACK_ORDER.length] ?? 'sse';
}

const MEMORY_KEY = 'grantha.transport';
const MEMORY_MS = 24 * 60 * 60 * 1000;

/** Remembers for a day, in this browser, which transport worked. */
export function transportMemory(storage: Storage): TransportMemory {
  return {
    read() {
      const [transport, until] = (storage.getItem(MEMORY_KEY) ?? '').split('@');
      const known = FALLBACK_ORDER.find((rung) => rung === transport);
      return known && Number(until) > Date.now() ? known : null;
    },
    write: (transport) => storage.setItem(MEMORY_KEY, `${transport}@${Date.now() + MEMORY_MS}`)
  };
}

/** The SHA-256 of the text as hex, or null without Web Crypto (plain HTTP on another host). */
export async function sha256(text: string): Promise<string | null> {
  if (!globalThis.crypto?.subtle) return null;
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
