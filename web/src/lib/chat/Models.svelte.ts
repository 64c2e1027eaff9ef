// The models and providers that the server offers, and why some are unavailable.
import type { Api } from '#lib/wire/api.ts';
import { modelName, modelNames } from '#lib/format/modelNames.ts';
import type { Model, Provider } from '#lib/wire/types.ts';

const LOADING_MS = 1500;

export class Models {
  /** The models that write answers; those for embeddings are for other programs. */
  items = $state.raw<Model[]>([]);
  providers = $state.raw<Provider[]>([]);
  default = $state<string | null>(null);
  loaded = $state(false);
  readonly #names = $derived(modelNames(this.items));
  readonly #api: Api;
  #reloadTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(api: Api) {
    this.#api = api;
  }

  find(id: string | null | undefined): Model | undefined {
    return this.items.find((model) => model.id === id);
  }

  /** What people read in place of a model's id, also of one that the server no longer offers. */
  nameOf(id: string): string {
    return this.#names.get(id) ?? modelName(id);
  }

  /** Whether models can run on the server itself. */
  get hasLocal(): boolean {
    return this.providers.some((one) => one.name === 'local');
  }

  isUsable(model: Model): boolean {
    return model.readiness.state === 'ready' || model.readiness.state === 'loading';
  }

  /** A ready model other than `id`: the default if possible. */
  alternativeTo(id: string): Model | undefined {
    const ready = this.items.filter((model) => model.readiness.state === 'ready' && model.id !== id);
    return ready.find((model) => model.id === this.default) ?? ready[0];
  }

  /** Loads both lists; polls while a model is still loading. */
  async load(): Promise<void> {
    const [models, providers] = await Promise.all([this.#api.models(), this.#api.providers()]);
    this.items = models.items.filter((model) => model.capabilities.chat !== false);
    this.default = models.default;
    this.providers = providers.items;
    this.loaded = true;
    clearTimeout(this.#reloadTimer);
    const loading = models.items.some((model) => model.readiness.state === 'loading');
    if (loading) this.#reloadTimer = setTimeout(() => void this.load().catch(() => undefined), LOADING_MS);
  }
}
