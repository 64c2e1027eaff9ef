// Groups models for the picker: local ones first, then by provider, then those that are unavailable.
import type { Strings } from '#lib/strings/en.ts';
import type { Model, Provider } from '#lib/wire/types.ts';
import { compactTokens } from '#lib/format/numbers.ts';

export interface ModelChoice {
  id: string;
  facts: string;
  /** Why it is unavailable; null when it can be used. */
  reason: string | null;
}

export interface ModelGroup {
  title: string;
  items: ModelChoice[];
}

const LOCAL = new Set(['local', 'ollama', 'llamacpp', 'lmstudio', 'vllm']);

export function groupModels(
  models: readonly Model[],
  providers: readonly Provider[],
  query: string,
  t: Strings
): ModelGroup[] {
  const needle = query.trim().toLowerCase();
  const titles = new Map(providers.map((provider) => [provider.name, provider.title]));
  const groups = new Map<string, ModelChoice[]>();
  const unusable: ModelChoice[] = [];
  for (const model of models) {
    if (needle && !`${model.id} ${model.name}`.toLowerCase().includes(needle)) continue;
    const reason = unavailableReason(model, t);
    const item = { id: model.id, facts: modelFacts(model, t), reason };
    if (reason) unusable.push(item);
    else {
      const title = LOCAL.has(model.provider)
        ? t.onThisMachine
        : (titles.get(model.provider) ?? model.provider);
      const group = groups.get(title);
      if (group) group.push(item);
      else groups.set(title, [item]);
    }
  }
  unusable.push(...providersWithoutKey(models, providers, needle, t));
  const usable = [...groups].map(([title, items]) => ({ title, items }));
  usable.sort((a, b) => Number(b.title === t.onThisMachine) - Number(a.title === t.onThisMachine));
  return unusable.length > 0 ? [...usable, { title: t.unavailable, items: unusable }] : usable;
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
      facts: title,
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
