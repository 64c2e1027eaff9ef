// One assistant message as it is shown: folds the frames of its log, knows its state, paints once a frame.
// Invents nothing: every word on screen came out of the fold. The text is proven by the hash of the end record.
import { sha256, type LinkState } from '#lib/wire/logReader.ts';
import { Fold, type OpenPart } from '#lib/wire/fold.ts';
import type { Problem } from '#lib/wire/api.ts';
import type {
  Citation,
  Fault,
  Frame,
  Generation,
  GenerationEnd,
  Message,
  Options,
  Seam,
  Snapshot
} from '#lib/wire/types.ts';
import { soon } from './frameScheduler.ts';

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

interface Attached {
  close(): void;
  wake(): void;
}

export interface Reading {
  attach(
    generation: string,
    handlers: {
      onFrames(frames: (Frame | Snapshot)[]): void;
      onRestart(): void;
      onLink(link: LinkState): void;
      onFinished(problem: Problem | null): void;
    }
  ): Attached;
  generation(id: string): Promise<Generation>;
}

/** Silence of the provider, in ms, that is worth a word. */
const SILENT_MS = 4000;
/** No byte at all, in ms: two and a half heartbeats. */
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
  error = $state.raw<Fault | null>(null);
  notice = $state.raw<{ code: string; message: string; details: Record<string, unknown> } | null>(null);
  link = $state.raw<LinkState | null>(null);
  /** Pieces the provider sent so far: close to tokens, and all that is known before the end. */
  pieces = $state(0);
  speed = $state<number | null>(null);
  hasText = $state(false);
  startedAt = $state(0);
  lastRecord = $state(0);
  awaySince = $state(0);
  /** The network was lost and is back; said for a moment. */
  back = $state(false);

  readonly #reading: Reading;
  #fold = new Fold();
  #attached: Attached | null = null;
  /** The log comes from its start: what was folded before gives way to it with the first frame. */
  #fresh = true;
  #skew = Infinity;
  #rate: { at: number; pieces: number }[] = [];
  // eslint-disable-next-line svelte/prefer-svelte-reactivity -- a cache: nothing is drawn from it
  readonly #places = new Map<Seam, number>();
  #closing: GenerationEnd | null = null;
  #onEnd: (answer: Answer) => void;

  constructor(reading: Reading, message: Message, onEnd: (answer: Answer) => void) {
    this.#reading = reading;
    this.#onEnd = onEnd;
    this.message = message.id;
    this.adopt(message);
  }

  /** Takes the server's view of the message; attaches when its generation runs and nobody reads it yet. */
  adopt(message: Message): void {
    const sameGeneration = message.generation === this.generation;
    if (sameGeneration && (this.#attached || this.ended)) return;
    this.generation = message.generation;
    this.model = message.model ?? '';
    this.startedAt = Date.parse(message.created_at);
    this.lastRecord = Date.now();
    if (message.status === 'running' && message.generation) {
      this.#follow(message.generation);
    } else {
      this.#load(message);
      this.ended = message.status === 'running' ? null : message.status;
      this.end = message.end;
      this.error = message.end?.error ?? null;
    }
  }

  get running(): boolean {
    return this.ended === null;
  }

  /** The state in words at a moment, for the article and its foot. */
  statusAt(now: number): ShownStatus {
    if (this.ended) return this.ended;
    if (this.cutOff(now)) return 'stalled';
    if (!this.hasText) return 'waiting';
    return now - this.lastRecord > SILENT_MS ? 'stalled' : 'writing';
  }

  /** Nothing reaches us, while the answer goes on at the server. */
  cutOff(now: number): boolean {
    if (this.awaySince > 0 && now - this.awaySince > AWAY_MS) return true;
    const last = this.link?.lastByte ?? 0;
    return last > 0 && now - last > CUT_OFF_MS;
  }

  elapsed(now: number): number {
    const skew = Number.isFinite(this.#skew) ? this.#skew : 0;
    return Math.max(0, now - skew - this.startedAt);
  }

  get text(): string {
    return this.#fold.text();
  }

  get seams(): Seam[] {
    return this.#fold.seams;
  }

  wake(): void {
    this.#attached?.wake();
  }

  detach(): void {
    this.#attached?.close();
    this.#attached = null;
  }

  #follow(generation: string): void {
    this.detach();
    this.#fresh = true;
    this.ended = null;
    this.end = null;
    this.error = null;
    this.#attached = this.#reading.attach(generation, {
      onFrames: (frames) => this.#take(frames),
      onRestart: () => (this.#fresh = true),
      onLink: (link) => this.#linked(link),
      onFinished: (problem) => this.#finished(problem)
    });
  }

  #linked(link: LinkState): void {
    if (link.state === 'away') this.awaySince ||= Date.now();
    else if (link.state === 'open') {
      if (this.awaySince > 0 && Date.now() - this.awaySince > AWAY_MS) this.#sayBack();
      this.awaySince = 0;
    }
    this.link = link;
  }

  #sayBack(): void {
    this.back = true;
    setTimeout(() => (this.back = false), 4000);
  }

  #take(frames: (Frame | Snapshot)[]): void {
    if (this.#fresh) this.#clear();
    for (const frame of frames) {
      if (frame.kind === 'snapshot') this.#restart(frame);
      else this.#apply(frame);
    }
    this.lastRecord = Date.now();
    soon(this.#paint);
  }

  #clear(): void {
    this.#fresh = false;
    this.#fold = new Fold();
    this.#places.clear();
    this.#rate = [];
    this.pieces = 0;
    this.speed = null;
  }

  #restart(snapshot: Snapshot): void {
    this.#fold = new Fold();
    this.#fold.load(snapshot);
    this.options = snapshot.options ?? {};
    this.model = snapshot.model;
    this.startedAt = Date.parse(snapshot.created_at) || this.startedAt;
    this.pieces = snapshot.usage?.output_tokens ?? 0;
    if (snapshot.end) this.#close(snapshot.end);
  }

  #apply(frame: Frame): void {
    this.#fold.apply(frame);
    this.#skew = Math.min(this.#skew, Date.now() - frame.at);
    if (frame.kind === 'text-delta' || frame.kind === 'reasoning-delta')
      this.#count(frame.at, frame.pieces ?? 1);
    else if (frame.kind === 'open' || frame.kind === 'seam') {
      this.model = frame.model;
      this.options = (frame.options as Options | undefined) ?? this.options;
      this.notice = null;
    } else if (frame.kind === 'notice') {
      this.notice = { code: frame.code, message: frame.message, details: frame.details ?? {} };
    } else if (frame.kind === 'generation-end') this.#close(frame);
  }

  #count(at: number, pieces: number): void {
    this.notice = null;
    this.pieces += pieces;
    this.#rate.push({ at, pieces });
    while (this.#rate.length > 2 && at - (this.#rate[0]?.at ?? at) > 5000) this.#rate.shift();
    const first = this.#rate[0];
    const span = first ? at - first.at : 0;
    const sum = this.#rate.reduce((total, entry) => total + entry.pieces, 0) - (first?.pieces ?? 0);
    this.speed = span > 400 ? sum / (span / 1000) : null;
  }

  /** The end is shown with the last text, never before it. */
  #close(end: GenerationEnd): void {
    this.#closing = end;
    void this.#prove(end);
  }

  /** What is shown must be what the server wrote; otherwise it is fetched whole. */
  async #prove(end: GenerationEnd): Promise<void> {
    const shown = await sha256(this.#fold.text());
    if (shown === null || shown === end.sha256 || !this.generation) return;
    const whole = await this.#reading.generation(this.generation).catch(() => null);
    if (!whole) return;
    this.#fold = new Fold();
    this.#fold.load(whole);
    soon(this.#paint);
  }

  #finished(problem: Problem | null): void {
    this.#attached = null;
    if (this.#closing) this.#paint();
    if (this.ended === null && this.generation) void this.#settle(this.generation, problem);
    this.#onEnd(this);
  }

  /** The log ended without its end record reaching us (204, 404, 410): ask how it went. */
  async #settle(generation: string, problem: Problem | null): Promise<void> {
    const whole = await this.#reading.generation(generation).catch(() => null);
    if (whole) {
      this.#fold = new Fold();
      this.#fold.load(whole);
      this.end = whole.end ?? null;
      this.error = whole.error ?? whole.end?.error ?? null;
      this.ended = whole.status === 'running' ? null : whole.status;
      if (whole.status === 'running') this.#follow(generation);
    } else {
      this.ended = 'failed';
      this.error = { code: problem?.code ?? 'not_found', message: problem?.message ?? '' };
    }
    soon(this.#paint);
  }

  #load(message: Message): void {
    this.#fold = new Fold();
    this.#fold.load({
      parts: message.parts,
      seams: message.seams ?? [],
      citations: message.citations ?? [],
      usage: message.end?.usage ?? null,
      end: message.end
    });
    this.#paint();
  }

  readonly #paint = (): void => {
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
    const end = this.#closing;
    if (!end) return;
    this.#closing = null;
    this.end = end;
    this.error = end.error ?? null;
    this.notice = null;
    this.ended = end.ending;
  };

  /** The seams whose mark stands in this text part. Counting is done once a seam: the text only grows. */
  #seamsIn(number: number): ShownSeam[] {
    const part = this.#fold.open[number];
    const start = this.#fold.starts[number] ?? 0;
    return this.#fold.seams.flatMap((seam, index) => {
      const at = seam.text_length - start;
      if (!part || at <= 0) return [];
      const offset = this.#places.get(seam) ?? utf16Offset(part.text, at);
      if (offset <= 0) return [];
      this.#places.set(seam, offset);
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
