// The answers that the server is writing, of all conversations and versions. Read again after each change of one.
import type { Api } from '#lib/wire/api.ts';
import type { RunningAnswer } from '#lib/wire/types.ts';

const REFRESH_MS = 120;

export class RunningAnswers {
  items = $state.raw<RunningAnswer[]>([]);
  readonly #api: Api;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #newest = 0;

  constructor(api: Api) {
    this.#api = api;
  }

  /** Several changes at a time, such as answers side by side, cost one request. */
  refresh(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.load().catch(() => undefined), REFRESH_MS);
  }

  async load(): Promise<void> {
    const number = ++this.#newest;
    const { items } = await this.#api.running();
    if (number === this.#newest) this.items = items;
  }
}
