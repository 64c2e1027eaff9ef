// The trace of one generation for the inspector, loaded once and again when the answer has ended.
import type { Api } from '#lib/wire/api.ts';
import type { Trace } from '#lib/wire/types.ts';
import { parseTrace, type TraceRecord } from './trace.ts';

export class Inspection {
  trace = $state.raw<Trace | null>(null);
  records = $state.raw<TraceRecord[]>([]);
  failed = $state(false);
  readonly #api: Api;
  readonly generation: string;

  constructor(api: Api, generation: string) {
    this.#api = api;
    this.generation = generation;
  }

  async load(): Promise<void> {
    try {
      const trace = await this.#api.trace(this.generation);
      this.records = parseTrace(trace.trace);
      this.trace = trace;
      this.failed = false;
    } catch {
      this.failed = true;
    }
  }
}
