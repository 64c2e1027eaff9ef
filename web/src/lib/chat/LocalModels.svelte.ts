// Models that the server's machine has or could have, and the download that the server runs. Polls the
// server each second while a download runs and the page shows it.
import { Problem, type Api } from '#lib/wire/api.ts';
import type { Download, DownloadBody, InstalledModel, LocalModel } from '#lib/wire/types.ts';

const INTERVAL_MS = 1000;

export class LocalModels {
  items = $state.raw<LocalModel[]>([]);
  installed = $state.raw<InstalledModel[]>([]);
  download = $state.raw<Download | null>(null);
  /** Room on the server's disk, in bytes. */
  free = $state<number | null>(null);
  /** The machine's memory, in bytes. */
  memory = $state<number | null>(null);
  /** Whether what runs the models is installed on the server. */
  engine = $state(true);
  loaded = $state(false);
  /** Why the last action, or loading the list, failed. */
  problem = $state.raw<Problem | null>(null);
  readonly #api: Api;
  #watchers = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #loading: Promise<void> | null = null;

  constructor(api: Api) {
    this.#api = api;
  }

  /** Keeps the state up to date until the returned function is called. */
  watch(): () => void {
    this.#watchers += 1;
    this.problem = null;
    void this.load();
    return () => {
      this.#watchers -= 1;
      if (this.#watchers === 0) clearTimeout(this.#timer);
    };
  }

  /** Something about models has changed on the server. */
  refresh(): void {
    if (this.#watchers > 0) void this.load();
  }

  /** Never throws: what failed is in `problem`. */
  load(): Promise<void> {
    this.#loading ??= this.#load().finally(() => (this.#loading = null));
    return this.#loading;
  }

  /** Whether it was started. */
  start(body: DownloadBody): Promise<boolean> {
    return this.#act(() => this.#api.startDownload(body));
  }

  resume(): Promise<boolean> {
    return this.#act(() => this.#api.resumeDownload());
  }

  pause(): Promise<boolean> {
    return this.#act(() => this.#api.pauseDownload());
  }

  remove(): Promise<boolean> {
    return this.#act(() => this.#api.removeDownload());
  }

  /** Deletes an installed model, by its id, from the server's disk. */
  delete(model: string): Promise<boolean> {
    return this.#act(() => this.#api.deleteLocalModel(model));
  }

  async #act(action: () => Promise<unknown>): Promise<boolean> {
    this.problem = null;
    try {
      await action();
    } catch (problem) {
      await this.load();
      this.problem = asProblem(problem);
      return false;
    }
    // A load that began before the action may hold the state from before it.
    await this.#loading;
    await this.load();
    return true;
  }

  async #load(): Promise<void> {
    clearTimeout(this.#timer);
    try {
      const found = await this.#api.localModels();
      this.items = found.items;
      this.installed = found.installed;
      this.download = found.download;
      this.free = found.free;
      this.memory = found.memory;
      this.engine = found.engine;
      this.loaded = true;
      // What an action was refused for stays shown; that the list couldn't be loaded doesn't.
      if (this.problem?.status === 0) this.problem = null;
    } catch (problem) {
      this.problem = asProblem(problem);
    }
    if (this.#watchers > 0 && this.download?.state === 'running')
      this.#timer = setTimeout(() => void this.load(), INTERVAL_MS);
  }
}

function asProblem(problem: unknown): Problem {
  return problem instanceof Problem ? problem : new Problem(0, { detail: String(problem) });
}
