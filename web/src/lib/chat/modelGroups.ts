// Groups models for the picker: favorites, local ones, then by provider, then those that are unavailable or hidden.
import type { Strings } from '#lib/strings/en.ts';
import type { Model, Provider } from '#lib/wire/types.ts';
import { compactTokens } from '#lib/format/numbers.ts';

export interface ModelChoice {
  id: string;
  name: string;
  facts: string;
  /** Why it is unavailable; null when it can be used. */
  reason: string | null;
}

export interface ModelGroup {
  title: string;
  items: ModelChoice[];
}

/** What decides how models are listed besides themselves. */
export interface ModelListing {
  nameOf: (id: string) => string;
  favorites: readonly string[];
  hidden: readonly string[];
  /** Lists hidden models as well, in a group of their own. */
  showHidden: boolean;
}

const LOCAL = new Set(['local', 'ollama', 'llamacpp', 'lmstudio', 'vllm']);

export function groupModels(
  models: readonly Model[],
  providers: readonly Provider[],
  query: string,
  listing: ModelListing,
  t: Strings
): ModelGroup[] {
  const needle = query.trim().toLowerCase();
  const titles = new Map(providers.map((provider) => [provider.name, provider.title]));
  const favorites: ModelChoice[] = [];
  const local: ModelChoice[] = [];
  const hosted = new Map<string, ModelChoice[]>();
  const unusable: ModelChoice[] = [];
  const hidden: ModelChoice[] = [];
  for (const model of models) {
    const name = listing.nameOf(model.id);
    if (needle && !`${model.id} ${name}`.toLowerCase().includes(needle)) continue;
    const reason = unavailableReason(model, t);
    const item = { id: model.id, name, facts: modelFacts(model, t), reason };
    if (listing.hidden.includes(model.id)) hidden.push(item);
    else if (reason) unusable.push(item);
    else if (listing.favorites.includes(model.id)) favorites.push(item);
    else if (LOCAL.has(model.provider)) local.push(item);
    else {
      const title = titles.get(model.provider) ?? model.provider;
      hosted.set(title, [...(hosted.get(title) ?? []), item]);
    }
  }
  unusable.push(...providersWithoutKey(models, providers, needle, t));
  return [
    { title: t.favorites, items: favorites },
    { title: t.onThisMachine, items: local },
    ...[...hosted].map(([title, items]) => ({ title, items })),
    { title: t.unavailable, items: unusable },
    { title: t.hiddenModels, items: listing.showHidden ? hidden : [] }
  ].filter(({ items }) => items.length > 0);
}

/** Providers without a key, whose models can't be listed. */
function providersWithoutKey(
  models: readonly Model[],
  providers: readonly Provider[],
  needle: string,
  t: Strings
): ModelChoice[] {
  const listed = new Set(models.map((model) => model.provider));
  return providers
    .filter((one) => !listed.has(one.name) && one.readiness.state === 'missing-key')
    .filter((one) => !needle || `${one.name} ${one.title}`.toLowerCase().includes(needle))
    .map(({ name, title, readiness }) => ({
      id: `${name}/…`,
      name: title,
      facts: '',
      reason: readiness.variable ? t.keyNotSet(readiness.variable) : readiness.reason || readiness.state
    }));
}

function unavailableReason(model: Model, t: Strings): string | null {
  const { state, variable, reason } = model.readiness;
  if (state === 'ready' || state === 'loading') return null;
  return state === 'missing-key' && variable ? t.keyNotSet(variable) : reason || state;
}

function modelFacts(model: Model, t: Strings): string {
  const { capabilities: able, readiness } = model;
  if (readiness.state === 'loading') {
    return readiness.progress === undefined
      ? t.loading
      : t.loadingPercent(Math.round(readiness.progress * 100));
  }
  return [
    able.reasoning ? t.reasoningCapability : '',
    able.images ? t.images : '',
    able.context_length ? compactTokens(able.context_length) : ''
  ]
    .filter(Boolean)
    .join(', ');
}
