import { expect, test } from 'vitest';
import { modelName, modelNames } from './modelNames.ts';

test.each([
  ['anthropic/claude-haiku-4-5-20251001', 'Claude Haiku 4.5'],
  ['anthropic/claude-3-5-sonnet-20241022', 'Claude 3.5 Sonnet'],
  ['anthropic/claude-opus-4-20250514', 'Claude Opus 4'],
  ['bedrock/us.anthropic.claude-haiku-4-5-20251001-v1:0', 'Claude Haiku 4.5'],
  ['openai/gpt-5-mini', 'GPT-5 mini'],
  ['openai/gpt-4o-2024-08-06', 'GPT-4o'],
  ['openai/o4-mini', 'o4 mini'],
  ['openai/chatgpt-4o-latest', 'ChatGPT 4o'],
  ['groq/openai/gpt-oss-20b', 'GPT OSS 20B'],
  ['google/gemini-2.5-flash', 'Gemini 2.5 Flash'],
  ['google/gemma-3-27b-it', 'Gemma 3 27B'],
  ['mistral/mistral-large-latest', 'Mistral Large'],
  ['deepseek/deepseek-r1', 'DeepSeek R1'],
  ['ollama/qwen3:30b-a3b', 'Qwen3 30B A3B'],
  ['ollama/llama3.2:latest', 'Llama3.2'],
  ['local/smollm2-135m-instruct', 'SmolLM2 135M'],
  ['together/meta-llama/Llama-3.3-70B-Instruct-Turbo', 'Llama 3.3 70B Turbo'],
  ['scripted/tour', 'Tour'],
  ['local/latest', 'Latest'],
  ['local/my.model', 'My.model'],
  ['local/-', '-'],
  ['bare', 'Bare'],
  ['', '']
])('%s is read as %s', (id, name) => {
  expect(modelName(id)).toBe(name);
  expect(modelName(id, id.slice(id.indexOf('/') + 1))).toBe(name);
});

test('the server’s name goes before the id, unless it is only another id', () => {
  expect(modelName('anthropic/claude-haiku-4-5-20251001', 'Claude Haiku 4.5')).toBe('Claude Haiku 4.5');
  expect(modelName('local/mine', 'Qwen3-0.6B')).toBe('Qwen3-0.6B');
  expect(modelName('mistral/mistral-large-latest', 'mistral-large-2411')).toBe('Mistral Large');
});

test('two models of one provider never have the same name', () => {
  const named = (id: string) => ({ id, name: id, provider: id.split('/')[0] ?? '' });
  const ids = ['openai/gpt-5-2025-08-07', 'openai/gpt-5', 'azure/gpt-5', 'openai/gpt-5-mini'];
  expect([...modelNames(ids.map(named))]).toEqual([
    ['openai/gpt-5-2025-08-07', 'gpt-5-2025-08-07'],
    ['openai/gpt-5', 'gpt-5'],
    ['azure/gpt-5', 'GPT-5'],
    ['openai/gpt-5-mini', 'GPT-5 mini']
  ]);
});
