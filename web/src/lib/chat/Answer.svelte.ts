// One assistant message on screen: folds the frames of its log, derives its status, renders once per frame.
// Shows only what the fold produced; the hash in the end record verifies the text.
import { sha256, type ConnectionState } from '#lib/wire/logReader.ts';
import { Fold, type OpenPart } from '#lib/wire/fold.ts';
import type { Problem } from '#lib/wire/api.ts';
import type {
  Citation,
  ErrorObject,
  Frame,
  Generation,
  GenerationEnd,
  Message,
  Options,
  Seam,
  Snapshot
} from '#lib/wire/types.ts';
import { scheduleFrame } from './frameScheduler.ts';

export type ShownStatus = 'waiting' | 'writing' | 'stalled' | 'done' | 'stopped' | 'failed' | 'interrupted';

export interface ShownSeam {
  id: string;
  /** UTF-16 offset into the text of the part. */
  offset: number;
  seam: Seam;
}

export interface ShownPart {
  key: number;
  kind: OpenPart['kind'];
  text: string;
  name: string;
  durationMs: number | undefined;
  seams: ShownSeam[];
}

interface LogSubscription {
  close(): void;
  wake(): void;
}

export interface GenerationSource {
  attach(
    generation: string,
    handlers: {
      onFrames(frames: (Frame | Snapshot)[]): void;
      onRestart(): void;
      onConnection(connection: ConnectionState): void;
      onFinished(problem: Problem | null): void;
    }
  ): LogSubscription;
  generation(id: string): Promise<Generation>;
}

/** Silence of the provider, in ms, after which the answer counts as stalled. */
const SILENT_MS = 4000;
/** Time without any byte, in ms, after which the connection counts as lost: 2.5 heartbeats. */
const CUT_OFF_MS = 25_000;
const AWAY_MS = 2500;

export class Answer {
  readonly message: string;
  generation = $state<string | null>(null);
  model = $state('');
  options = $state.raw<Options>({});
  parts = $state.raw<ShownPart[]>([]);
  citations = $state.raw<Citation[]>([]);
  ended = $state<GenerationEnd['ending'] | null>(null);
  end = $state.raw<GenerationEnd | null>(null);
  error = $state.raw<ErrorObject | null>(null);
  notice = $state.raw<{ code: string; message: string; details: Record<string, unknown> } | null>(null);
  connection = $state.raw<ConnectionState | null>(null);
  /** Deltas received so far: close to the token count, which is only known at the end. */
  deltas = $state(0);
  speed = $state<number | null>(null);
  hasText = $state(false);
  startedAt = $state(0);
  lastRecord = $state(0);
  disconnectedSince = $state(0);
  /** The connection was lost and is back; shown for a moment. */
  reconnected = $state(false);

  readonly #source: GenerationSource;
  #fold = new Fold();
  #subscription: LogSubscription | null = null;
  /** The whole log is being sent again: the first frame discards what was folded before. */
  #restartPending = true;
  #clockSkew = Infinity;
  #recentDeltas: { at: number; deltas: number }[] = [];
  // eslint-disable-next-line svelte/prefer-svelte-reactivity -- a cache: nothing is drawn from it
  readonly #seamOffsets = new Map<Seam, number>();
  #pendingEnd: GenerationEnd | null = null;
  #onEnd: (answer: Answer) => void;

  constructor(source: GenerationSource, message: Message, onEnd: (answer: Answer) => void) {
    this.#source = source;
    this.#onEnd = onEnd;
    this.message = message.id;
    this.sync(message);
  }

  /** Takes over the server's version of the message; subscribes to its log when it is running. */
  sync(message: Message): void {
    const sameGeneration = message.generation === this.generation;
    if (sameGeneration && (this.#subscription || this.ended)) return;
    this.generation = message.generation;
    this.model = message.model ?? '';
    this.startedAt = Date.parse(message.created_at);
    this.lastRecord = Date.now();
    if (message.status === 'running' && message.generation) {
      this.#subscribe(message.generation);
    } else {
      this.#loadMessage(message);
      this.ended = message.status === 'running' ? null : message.status;
      this.end = message.end;
      this.error = message.end?.error ?? null;
    }
  }

  get running(): boolean {
    return this.ended === null;
  }

  /** The status to show at time `now`. */
  statusAt(now: number): ShownStatus {
    if (this.ended) return this.ended;
    if (this.isDisconnected(now)) return 'stalled';
    if (!this.hasText) return 'waiting';
    return now - this.lastRecord > SILENT_MS ? 'stalled' : 'writing';
  }

  /** Nothing is arriving, while the answer may continue on the server. */
  isDisconnected(now: number): boolean {
    if (this.disconnectedSince > 0 && now - this.disconnectedSince > AWAY_MS) return true;
    const last = this.connection?.lastByte ?? 0;
    return last > 0 && now - last > CUT_OFF_MS;
  }

  elapsed(now: number): number {
    const skew = Number.isFinite(this.#clockSkew) ? this.#clockSkew : 0;
    return Math.max(0, now - skew - this.startedAt);
  }

  get text(): string {
    return this.#fold.text();
  }

  get seams(): Seam[] {
    return this.#fold.seams;
  }

  wake(): void {
    this.#subscription?.wake();
  }

  detach(): void {
    this.#subscription?.close();
    this.#subscription = null;
  }

  #subscribe(generation: string): void {
    this.detach();
    this.#restartPending = true;
    this.ended = null;
    this.end = null;
    this.error = null;
    this.#subscription = this.#source.attach(generation, {
      onFrames: (frames) => this.#onFrames(frames),
      onRestart: () => (this.#restartPending = true),
      onConnection: (connection) => this.#onConnection(connection),
      onFinished: (problem) => this.#onFinished(problem)
    });
  }

  #onConnection(connection: ConnectionState): void {
    if (connection.state === 'reconnecting') this.disconnectedSince ||= Date.now();
    else if (connection.state === 'open') {
      if (this.disconnectedSince > 0 && Date.now() - this.disconnectedSince > AWAY_MS)
        this.#showReconnected();
      this.disconnectedSince = 0;
    }
    this.connection = connection;
  }

  #showReconnected(): void {
    this.reconnected = true;
    setTimeout(() => (this.reconnected = false), 4000);
  }

  #onFrames(frames: (Frame | Snapshot)[]): void {
    if (this.#restartPending) this.#clear();
    for (const frame of frames) {
      if (frame.kind === 'snapshot') this.#loadSnapshot(frame);
      else this.#apply(frame);
    }
    this.lastRecord = Date.now();
    scheduleFrame(this.#render);
  }

  #clear(): void {
    this.#restartPending = false;
    this.#fold = new Fold();
    this.#seamOffsets.clear();
    this.#recentDeltas = [];
    this.deltas = 0;
    this.speed = null;
  }

  #loadSnapshot(snapshot: Snapshot): void {
    this.#fold = new Fold();
    this.#fold.load(snapshot);
    this.options = snapshot.options ?? {};
    this.model = snapshot.model;
    this.startedAt = Date.parse(snapshot.created_at) || this.startedAt;
    this.deltas = snapshot.usage?.output_tokens ?? 0;
    if (snapshot.end) this.#setEnd(snapshot.end);
  }

  #apply(frame: Frame): void {
    this.#fold.apply(frame);
    this.#clockSkew = Math.min(this.#clockSkew, Date.now() - frame.at);
    if (frame.kind === 'text-delta' || frame.kind === 'reasoning-delta')
      this.#countDeltas(frame.at, frame.deltas ?? 1);
    else if (frame.kind === 'open' || frame.kind === 'seam') {
      this.model = frame.model;
      this.options = (frame.options as Options | undefined) ?? this.options;
      this.notice = null;
    } else if (frame.kind === 'notice') {
      this.notice = { code: frame.code, message: frame.message, details: frame.details ?? {} };
    } else if (frame.kind === 'generation-end') this.#setEnd(frame);
  }

  #countDeltas(at: number, deltas: number): void {
    this.notice = null;
    this.deltas += deltas;
    this.#recentDeltas.push({ at, deltas });
    while (this.#recentDeltas.length > 2 && at - (this.#recentDeltas[0]?.at ?? at) > 5000)
      this.#recentDeltas.shift();
    const first = this.#recentDeltas[0];
    const span = first ? at - first.at : 0;
    const sum = this.#recentDeltas.reduce((total, entry) => total + entry.deltas, 0) - (first?.deltas ?? 0);
    this.speed = span > 400 ? sum / (span / 1000) : null;
  }

  /** Kept until the next render, so that the end is never shown before the last text. */
  #setEnd(end: GenerationEnd): void {
    this.#pendingEnd = end;
    void this.#verifyText(end);
  }

  /** Compares the text's hash with the end record's; on a mismatch, the stored answer is fetched. */
  async #verifyText(end: GenerationEnd): Promise<void> {
    const shown = await sha256(this.#fold.text());
    if (shown === null || shown === end.sha256 || !this.generation) return;
    const stored = await this.#source.generation(this.generation).catch(() => null);
    if (!stored) return;
    this.#fold = new Fold();
    this.#fold.load(stored);
    scheduleFrame(this.#render);
  }

  #onFinished(problem: Problem | null): void {
    this.#subscription = null;
    if (this.#pendingEnd) this.#render();
    if (this.ended === null && this.generation) void this.#fetchEnding(this.generation, problem);
    this.#onEnd(this);
  }

  /** The log ended but its end record never arrived (204, 404, 410): fetches the outcome. */
  async #fetchEnding(generation: string, problem: Problem | null): Promise<void> {
    const stored = await this.#source.generation(generation).catch(() => null);
    if (stored) {
      this.#fold = new Fold();
      this.#fold.load(stored);
      this.end = stored.end ?? null;
      this.error = stored.error ?? stored.end?.error ?? null;
      this.ended = stored.status === 'running' ? null : stored.status;
      if (stored.status === 'running') this.#subscribe(generation);
    } else {
      this.ended = 'failed';
      this.error = { code: problem?.code ?? 'not_found', message: problem?.message ?? '' };
    }
    scheduleFrame(this.#render);
  }

  #loadMessage(message: Message): void {
    this.#fold = new Fold();
    this.#fold.load({
      parts: message.parts,
      seams: message.seams ?? [],
      citations: message.citations ?? [],
      usage: message.end?.usage ?? null,
      end: message.end
    });
    this.#render();
  }

  readonly #render = (): void => {
    const fold = this.#fold;
    this.parts = fold.open.map((part, key) => ({
      key,
      kind: part.kind,
      text: part.text,
      name: part.name,
      durationMs: part.durationMs,
      seams: part.kind === 'text' && fold.seams.length > 0 ? this.#seamsIn(key) : []
    }));
    this.hasText = fold.textLength > 0;
    this.citations = fold.citations;
    const end = this.#pendingEnd;
    if (!end) return;
    this.#pendingEnd = null;
    this.end = end;
    this.error = end.error ?? null;
    this.notice = null;
    this.ended = end.ending;
  };

  /** The seams inside text part `number`. Offsets are computed once per seam, since text only grows. */
  #seamsIn(number: number): ShownSeam[] {
    const part = this.#fold.open[number];
    const start = this.#fold.starts[number] ?? 0;
    return this.#fold.seams.flatMap((seam, index) => {
      const at = seam.text_length - start;
      if (!part || at <= 0) return [];
      const offset = this.#seamOffsets.get(seam) ?? utf16Offset(part.text, at);
      if (offset <= 0) return [];
      this.#seamOffsets.set(seam, offset);
      return [{ id: `${index}`, offset, seam }];
    });
  }
}

/** The UTF-16 offset after `points` code points, or -1 when the text is shorter. */
export function utf16Offset(text: string, points: number): number {
  if (points > text.length) return -1;
  let offset = 0;
  for (let n = 0; n < points; n++) {
    if (offset >= text.length) return -1;
    offset += (text.codePointAt(offset) ?? 0) > 0xffff ? 2 : 1;
  }
  return offset;
}
