// Groups models for the picker: on this machine first, then by provider, then what cannot be used and why.
import type { Strings } from '#lib/strings/en.ts';
import type { Model, Provider } from '#lib/wire/types.ts';
import { roundTokens } from '#lib/format/numbers.ts';

export interface PickItem {
  id: string;
  facts: string;
  /** Why it cannot be used; null when it can. */
  reason: string | null;
}

export interface PickGroup {
  title: string;
  items: PickItem[];
}

const LOCAL = new Set(['local', 'ollama', 'llamacpp', 'lmstudio', 'vllm']);

export function pickable(
  models: readonly Model[],
  providers: readonly Provider[],
  query: string,
  t: Strings
): PickGroup[] {
  const wanted = query.trim().toLowerCase();
  const titles = new Map(providers.map((provider) => [provider.name, provider.title]));
  const groups = new Map<string, PickItem[]>();
  const unusable: PickItem[] = [];
  for (const model of models) {
    if (wanted && !`${model.id} ${model.name}`.toLowerCase().includes(wanted)) continue;
    const reason = reasonOf(model, t);
    const item = { id: model.id, facts: factsOf(model, t), reason };
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
  unusable.push(...keyless(models, providers, wanted, t));
  const usable = [...groups].map(([title, items]) => ({ title, items }));
  usable.sort((a, b) => Number(b.title === t.onThisMachine) - Number(a.title === t.onThisMachine));
  return unusable.length > 0 ? [...usable, { title: t.notUsable, items: unusable }] : usable;
}

/** Providers that cannot list their models yet: a missing key hides all of them. */
function keyless(
  models: readonly Model[],
  providers: readonly Provider[],
  wanted: string,
  t: Strings
): PickItem[] {
  const listed = new Set(models.map((model) => model.provider));
  return providers
    .filter((one) => !listed.has(one.name) && one.readiness.state === 'missing-key')
    .filter((one) => !wanted || `${one.name} ${one.title}`.toLowerCase().includes(wanted))
    .map(({ name, title, readiness }) => ({
      id: `${name}/…`,
      facts: title,
      reason: readiness.variable ? t.keyNotSet(readiness.variable) : readiness.reason || readiness.state
    }));
}

function reasonOf(model: Model, t: Strings): string | null {
  const { state, variable, reason } = model.readiness;
  if (state === 'ready' || state === 'loading') return null;
  return state === 'missing-key' && variable ? t.keyNotSet(variable) : reason || state;
}

function factsOf(model: Model, t: Strings): string {
  const { capabilities: able, readiness } = model;
  if (readiness.state === 'loading') {
    return readiness.progress === undefined
      ? t.loading
      : t.loadingPercent(Math.round(readiness.progress * 100));
  }
  return [
    able.reasoning ? t.reasons : '',
    able.images ? t.images : '',
    able.context_length ? roundTokens(able.context_length) : ''
  ]
    .filter(Boolean)
    .join(', ');
}
