// The one WebSocket of a tab: changes of this person's conversations, and any number of logs.
// Reconnects by itself with growing pauses; a subscription dies with its socket and its owner re-attaches.
import type { Arrival, Outcome, Read, Sink } from './transport.ts';
import type { ConversationRow } from './types.ts';

export interface Change {
  change: 'conversation' | 'conversation-deleted' | 'message' | 'generation' | 'models' | 'everything';
  conversation?: string;
  generation?: string;
  row?: ConversationRow;
}

interface Subscription {
  sink: Sink;
  finish: (outcome: Outcome) => void;
}

type ServerMessage =
  | { type: 'hello'; heartbeat?: number; boot?: string }
  | { type: 'frame'; generation: string; frame: Arrival }
  | { type: 'gone'; generation: string; code: string }
  | ({ type: 'change' } & Change)
  | { type: 'subscribed'; generation: string; status: string }
  | { type: 'error'; generation?: string }
  | { type: 'pong' | 'heartbeat' | 'stopped' };

const FIRST_PAUSE_MS = 300;
const LONGEST_PAUSE_MS = 10_000;
const PATIENCE = 2.5;
const REFUSALS = 2;

export class Live {
  /** Told of every change; `missed` says that some may have been lost before this moment. */
  onChange: (change: Change) => void = () => {};
  onMissed: () => void = () => {};
  onState: (open: boolean) => void = () => {};

  readonly #connect: () => WebSocket;
  readonly #subscriptions = new Map<string, Subscription>();
  #socket: WebSocket | null = null;
  #wanted = false;
  #everOpen = false;
  #refusals = 0;
  #pause = FIRST_PAUSE_MS;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #watch: ReturnType<typeof setTimeout> | undefined;
  #heartbeat = 10;
  #lastByte = 0;
  readonly #waiting = new Set<(open: boolean) => void>();

  constructor(connect: () => WebSocket) {
    this.#connect = connect;
  }

  get open(): boolean {
    return this.#socket?.readyState === 1;
  }

  start(): void {
    this.#wanted = true;
    if (!this.#socket) this.#dial();
  }

  stop(): void {
    this.#wanted = false;
    clearTimeout(this.#retry);
    this.#socket?.close();
  }

  /** After sleep or a change of network: an old socket may be dead without knowing it. */
  wake(): void {
    if (!this.#wanted) return;
    if (this.open && Date.now() - this.#lastByte < this.#heartbeat * 1000) return;
    this.#pause = FIRST_PAUSE_MS;
    const socket = this.#socket;
    this.#dropped(socket);
    socket?.close();
    clearTimeout(this.#retry);
    this.#dial();
  }

  /** Never once open in spite of several tries: something on the way forbids sockets. */
  get forbidden(): boolean {
    return !this.#everOpen && this.#refusals >= REFUSALS;
  }

  /** A reader of logs over this socket. Answers `failed` when the socket does not open in time. */
  reader(openWithinMs = 3000): Read {
    return async (generation, after, sink, signal) => {
      if (this.forbidden) return { kind: 'absent' };
      if (!(await this.#opened(openWithinMs))) return { kind: 'failed', why: 'the socket does not open' };
      if (signal.aborted) return { kind: 'failed', why: 'given up' };
      return new Promise<Outcome>((resolve) => {
        const finish = (outcome: Outcome): void => {
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

  #dial(): void {
    const socket = this.#connect();
    this.#socket = socket;
    socket.onopen = () => {
      this.#pause = FIRST_PAUSE_MS;
      this.#refusals = 0;
      this.#heard();
      this.onState(true);
      this.#tell(true);
      if (this.#everOpen) this.onMissed();
      this.#everOpen = true;
    };
    socket.onmessage = (event) => this.#receive(String(event.data));
    socket.onclose = () => this.#dropped(socket);
  }

  #dropped(socket: WebSocket | null): void {
    if (!socket || this.#socket !== socket) return;
    this.#socket = null;
    clearTimeout(this.#watch);
    this.#refusals++;
    this.onState(false);
    this.#tell(false);
    for (const subscription of [...this.#subscriptions.values()]) subscription.finish({ kind: 'closed' });
    this.#subscriptions.clear();
    if (!this.#wanted) return;
    this.#retry = setTimeout(() => this.#dial(), this.#pause * (0.75 + Math.random() / 2));
    this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE_MS);
  }

  #receive(text: string): void {
    this.#heard();
    const message = JSON.parse(text) as ServerMessage;
    for (const subscription of this.#subscriptions.values()) subscription.sink.byte();
    if (message.type === 'hello') this.#heartbeat = message.heartbeat ?? this.#heartbeat;
    else if (message.type === 'change') this.onChange(message);
    else if (message.type === 'frame') this.#frame(message.generation, message.frame);
    else if (message.type === 'error') this.#failed(message.generation);
    else if (message.type === 'gone') this.#subscriptions.get(message.generation)?.finish({ kind: 'ended' });
  }

  #failed(generation: string | undefined): void {
    if (generation)
      this.#subscriptions.get(generation)?.finish({ kind: 'failed', why: 'the server said so' });
  }

  #frame(generation: string, frame: Arrival): void {
    const subscription = this.#subscriptions.get(generation);
    if (!subscription) return;
    subscription.sink.read([frame]);
    if (frame.kind === 'generation-end') subscription.finish({ kind: 'ended' });
  }

  #heard(): void {
    this.#lastByte = Date.now();
    clearTimeout(this.#watch);
    this.#watch = setTimeout(() => this.#socket?.close(), this.#heartbeat * PATIENCE * 1000);
  }

  #opened(withinMs: number): Promise<boolean> {
    if (this.open) return Promise.resolve(true);
    return new Promise((resolve) => {
      const settle = (open: boolean): void => {
        clearTimeout(timer);
        this.#waiting.delete(settle);
        resolve(open);
      };
      const timer = setTimeout(() => settle(false), withinMs);
      this.#waiting.add(settle);
    });
  }

  #tell(open: boolean): void {
    for (const settle of [...this.#waiting]) settle(open);
  }

  #send(message: Record<string, unknown>): void {
    if (this.open) this.#socket?.send(JSON.stringify(message));
  }
}

/** Opens the socket of this site. */
export function liveSocket(): WebSocket {
  return new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/api/live`);
}
