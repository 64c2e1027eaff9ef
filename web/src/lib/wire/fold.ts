// Builds the parts of an answer from the events of its log, in order: the mirror of `Fold` in events.py.
// fixtures/wire/fold keeps the two equal. Knows no transport and no Svelte. Cost per event is constant.
import type { Citation, EventBody, Generation, GenerationEnd, Part, PartKind, Seam, Usage } from './types.ts';

export interface OpenPart {
  kind: PartKind;
  text: string;
  callId: string;
  name: string;
  signature: string | undefined;
  durationMs: number | undefined;
  ended: boolean;
}

/** Code points, as Python counts them: a surrogate pair is one. */
export function codePoints(text: string): number {
  let pairs = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit >= 0xdc00 && unit <= 0xdfff) pairs++;
  }
  return text.length - pairs;
}

export class Fold {
  readonly open: OpenPart[] = [];
  textLength = 0;
  seams: Seam[] = [];
  citations: Citation[] = [];
  usage: Usage | null = null;
  end: GenerationEnd | null = null;
  /** Where each text part begins in the text of the whole answer, in code points. */
  readonly starts: number[] = [];

  /** Takes the next event; deltas for a part that never started, and unknown kinds, are ignored. */
  apply(event: EventBody): void {
    switch (event.kind) {
      case 'part-start':
        this.starts.push(this.textLength);
        this.open.push(opened(event.part_kind, '', event.call_id, event.name));
        break;
      case 'text-delta':
        this.#extend(event.part, event.text);
        this.textLength += codePoints(event.text);
        break;
      case 'reasoning-delta':
        this.#extend(event.part, event.text, event.signature);
        break;
      case 'tool-call':
        this.#extend(event.part, event.arguments, event.signature);
        break;
      case 'part-end':
        this.#endPart(event.part, event.duration_ms);
        break;
      default:
        this.#note(event);
    }
  }

  /** Starts over from a snapshot. Part numbers of later deltas go on from the parts it holds. */
  load(snapshot: Pick<Generation, 'parts' | 'seams' | 'citations' | 'usage' | 'end'>): void {
    this.open.length = 0;
    this.starts.length = 0;
    this.textLength = 0;
    for (const part of snapshot.parts) this.#restore(part);
    this.seams = [...snapshot.seams];
    this.citations = [...snapshot.citations];
    this.usage = snapshot.usage ?? null;
    this.end = snapshot.end ?? null;
  }

  /** The parts so far; empty text and reasoning parts are left out. */
  parts(): Part[] {
    return this.open.map(closed).filter((part) => part !== null);
  }

  /** All visible text so far, in order. */
  text(): string {
    return this.open.map((part) => (part.kind === 'text' ? part.text : '')).join('');
  }

  #restore(part: Part): void {
    this.starts.push(this.textLength);
    if (part.type === 'tool-call') {
      this.open.push({
        ...opened('tool-call', part.arguments, part.call_id, part.name),
        signature: part.signature
      });
    } else if (part.type === 'reasoning') {
      const { text, signature, duration_ms: durationMs } = part;
      this.open.push({ ...opened('reasoning', text), signature, durationMs });
    } else {
      const text = part.type === 'text' ? part.text : '';
      this.open.push(opened('text', text));
      this.textLength += codePoints(text);
    }
  }

  #extend(number: number, text: string, signature?: string): void {
    const part = this.open[number];
    if (!part) return;
    part.text += text;
    part.signature = signature ?? part.signature;
  }

  #endPart(number: number, durationMs: number | undefined): void {
    const part = this.open[number];
    if (!part) return;
    part.durationMs = durationMs;
    part.ended = true;
  }

  #note(event: EventBody): void {
    if (event.kind === 'usage') this.usage = event.usage;
    else if (event.kind === 'citation') this.citations = [...this.citations, event];
    else if (event.kind === 'seam') this.seams = [...this.seams, event];
    else if (event.kind === 'generation-end') {
      this.end = event;
      this.usage = event.usage ?? null;
    }
  }
}

function opened(kind: PartKind, text: string, callId = '', name = ''): OpenPart {
  return { kind, text, callId, name, signature: undefined, durationMs: undefined, ended: false };
}

function closed(part: OpenPart): Part | null {
  const { text, signature, durationMs } = part;
  if (part.kind === 'text') return text ? { type: 'text', text } : null;
  const signed = signature === undefined ? {} : { signature };
  if (part.kind === 'tool-call') {
    return { type: 'tool-call', call_id: part.callId, name: part.name, arguments: text || '{}', ...signed };
  }
  if (!text && !signature) return null;
  return {
    type: 'reasoning',
    text,
    ...signed,
    ...(durationMs === undefined ? {} : { duration_ms: durationMs })
  };
}
