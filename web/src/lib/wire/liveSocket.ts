// The tab's only WebSocket: pushes changes of conversations, and streams any number of logs.
// Reconnects with growing delays; subscriptions end with their socket, and their owner subscribes again.
import type { ReceivedFrame, ReadOutcome, TransportReader, Sink } from './transport.ts';
import type { LiveClientMessage, LiveMessage } from './schema.ts';

export type LiveChange = Omit<Extract<LiveMessage, { type: 'change' }>, 'type'>;

interface Subscription {
  sink: Sink;
  finish: (outcome: ReadOutcome) => void;
}

const FIRST_PAUSE_MS = 300;
const MAX_PAUSE_MS = 10_000;
const PATIENCE = 2.5;
const REFUSALS = 2;

export class LiveSocket {
  /** Called for every change; `onResync` when some may have been missed. */
  onChange: (change: LiveChange) => void = () => {};
  onResync: () => void = () => {};
  onState: (open: boolean) => void = () => {};

  readonly #connect: () => WebSocket;
  readonly #subscriptions = new Map<string, Subscription>();
  #socket: WebSocket | null = null;
  #started = false;
  #everOpen = false;
  #failedAttempts = 0;
  #retryDelay = FIRST_PAUSE_MS;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #watchdog: ReturnType<typeof setTimeout> | undefined;
  #heartbeat = 10;
  #lastByte = 0;
  readonly #openWaiters = new Set<(open: boolean) => void>();

  constructor(connect: () => WebSocket) {
    this.#connect = connect;
  }

  get open(): boolean {
    return this.#socket?.readyState === 1;
  }

  start(): void {
    this.#started = true;
    if (!this.#socket) this.#connectSocket();
  }

  stop(): void {
    this.#started = false;
    clearTimeout(this.#retryTimer);
    this.#socket?.close();
  }

  /** Call it after sleep or a change of network: an old socket may be dead without a close event. */
  wake(): void {
    if (!this.#started) return;
    if (this.open && Date.now() - this.#lastByte < this.#heartbeat * 1000) return;
    this.#retryDelay = FIRST_PAUSE_MS;
    const socket = this.#socket;
    this.#onClosed(socket);
    socket?.close();
    clearTimeout(this.#retryTimer);
    this.#connectSocket();
  }

  /** Several attempts failed and none ever succeeded: a proxy blocks WebSockets. */
  get blocked(): boolean {
    return !this.#everOpen && this.#failedAttempts >= REFUSALS;
  }

  /** A log transport over this socket. Returns `failed` when the socket doesn't open in time. */
  reader(openWithinMs = 3000): TransportReader {
    return async (generation, after, sink, signal) => {
      if (this.blocked) return { kind: 'unavailable' };
      if (!(await this.#whenOpen(openWithinMs))) return { kind: 'failed', why: 'the socket does not open' };
      if (signal.aborted) return { kind: 'failed', why: 'given up' };
      return new Promise<ReadOutcome>((resolve) => {
        const finish = (outcome: ReadOutcome): void => {
          if (this.#subscriptions.get(generation)?.finish === finish) this.#subscriptions.delete(generation);
          resolve(outcome);
        };
        this.#subscriptions.get(generation)?.finish({ kind: 'closed' });
        this.#subscriptions.set(generation, { sink, finish });
        this.#send({ type: 'subscribe', generation, after });
        signal.addEventListener('abort', () => {
          this.#send({ type: 'unsubscribe', generation });
          finish({ kind: 'failed', why: 'given up' });
        });
      });
    };
  }

  #connectSocket(): void {
    const socket = this.#connect();
    this.#socket = socket;
    socket.onopen = () => {
      this.#retryDelay = FIRST_PAUSE_MS;
      this.#failedAttempts = 0;
      this.#resetWatchdog();
      this.onState(true);
      this.#notifyWaiting(true);
      if (this.#everOpen) this.onResync();
      this.#everOpen = true;
    };
    socket.onmessage = (event) => this.#receive(String(event.data));
    socket.onclose = () => this.#onClosed(socket);
  }

  #onClosed(socket: WebSocket | null): void {
    if (!socket || this.#socket !== socket) return;
    this.#socket = null;
    clearTimeout(this.#watchdog);
    this.#failedAttempts++;
    this.onState(false);
    this.#notifyWaiting(false);
    for (const subscription of [...this.#subscriptions.values()]) subscription.finish({ kind: 'closed' });
    this.#subscriptions.clear();
    if (!this.#started) return;
    this.#retryTimer = setTimeout(() => this.#connectSocket(), this.#retryDelay * (0.75 + Math.random() / 2));
    this.#retryDelay = Math.min(this.#retryDelay * 2, MAX_PAUSE_MS);
  }

  #receive(text: string): void {
    this.#resetWatchdog();
    const message = JSON.parse(text) as LiveMessage;
    for (const subscription of this.#subscriptions.values()) subscription.sink.onBytes();
    if (message.type === 'hello') this.#heartbeat = message.heartbeat;
    else if (message.type === 'change') this.onChange(message);
    else if (message.type === 'frame') this.#frame(message.generation, message.frame);
    else if (message.type === 'error') this.#failed(message.generation);
    else if (message.type === 'gone') this.#subscriptions.get(message.generation)?.finish({ kind: 'ended' });
  }

  #failed(generation: string | undefined): void {
    if (generation)
      this.#subscriptions.get(generation)?.finish({ kind: 'failed', why: 'the server said so' });
  }

  #frame(generation: string, frame: ReceivedFrame): void {
    const subscription = this.#subscriptions.get(generation);
    if (!subscription) return;
    subscription.sink.onFrames([frame]);
    if (frame.kind === 'generation-end') subscription.finish({ kind: 'ended' });
  }

  #resetWatchdog(): void {
    this.#lastByte = Date.now();
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(() => this.#socket?.close(), this.#heartbeat * PATIENCE * 1000);
  }

  #whenOpen(withinMs: number): Promise<boolean> {
    if (this.open) return Promise.resolve(true);
    return new Promise((resolve) => {
      const done = (open: boolean): void => {
        clearTimeout(timer);
        this.#openWaiters.delete(done);
        resolve(open);
      };
      const timer = setTimeout(() => done(false), withinMs);
      this.#openWaiters.add(done);
    });
  }

  #notifyWaiting(open: boolean): void {
    for (const done of [...this.#openWaiters]) done(open);
  }

  #send(message: LiveClientMessage): void {
    if (this.open) this.#socket?.send(JSON.stringify(message));
  }
}

/** Opens a WebSocket to this origin's live channel. */
export function openLiveSocket(): WebSocket {
  return new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/api/live`);
}
