import { expect, test } from 'vitest';
import { modelName } from '#lib/format/modelNames.ts';
import { en } from '#lib/strings/en.ts';
import type { Model, Provider } from '#lib/wire/types.ts';
import { groupModels, type ModelListing } from './modelGroups.ts';

const READY = { state: 'ready' } as Model['readiness'];
const NO_KEY = { state: 'missing-key', variable: 'OPENAI_API_KEY' } as Model['readiness'];

function model(id: string, readiness = READY): Model {
  return { id, name: id, provider: id.split('/')[0] ?? '', capabilities: {}, readiness } as Model;
}

const MODELS = [
  model('anthropic/claude-haiku-4-5'),
  model('local/smollm2-135m-instruct'),
  model('openai/gpt-5', NO_KEY)
];
const PROVIDERS = [
  { name: 'anthropic', title: 'Anthropic', readiness: READY },
  { name: 'google', title: 'Google AI Studio', readiness: { ...NO_KEY, variable: 'GEMINI_API_KEY' } }
] as Provider[];

function grouped(query = '', more: Partial<ModelListing> = {}): [string, string[]][] {
  const listing = { nameOf: modelName, favorites: [], hidden: [], showHidden: false, ...more };
  return groupModels(MODELS, PROVIDERS, query, listing, en).map(({ title, items }) => [
    title,
    items.map(({ name }) => name)
  ]);
}

test('local models come first, then those of each provider, then what is unavailable', () => {
  expect(grouped()).toEqual([
    ['On this machine', ['SmolLM2 135M']],
    ['Anthropic', ['Claude Haiku 4.5']],
    ['Unavailable', ['GPT-5', 'Google AI Studio']]
  ]);
});

test('favorites stand above all, as long as they can be used', () => {
  const favorites = ['anthropic/claude-haiku-4-5', 'openai/gpt-5'];
  expect(grouped('', { favorites })).toEqual([
    ['Favorites', ['Claude Haiku 4.5']],
    ['On this machine', ['SmolLM2 135M']],
    ['Unavailable', ['GPT-5', 'Google AI Studio']]
  ]);
});

test('hidden models are left out until they are asked for', () => {
  const hidden = ['openai/gpt-5', 'anthropic/claude-haiku-4-5'];
  expect(grouped('claude', { hidden })).toEqual([]);
  expect(grouped('', { hidden, showHidden: true }).at(-1)).toEqual(['Hidden', ['Claude Haiku 4.5', 'GPT-5']]);
});

test('a model is found by its name and by its id', () => {
  expect(grouped('haiku 4.5')).toEqual([['Anthropic', ['Claude Haiku 4.5']]]);
  expect(grouped('haiku-4-5')).toEqual([['Anthropic', ['Claude Haiku 4.5']]]);
});
