// The names of models as people read them: the server's where it knows one, otherwise the id made readable.
// Nothing else decides how a model is called. Ids are shown in tooltips and in settings.
import type { Model } from '#lib/wire/types.ts';

/** Names by id. Two models of one provider never have the same name: then their ids tell them apart. */
export function modelNames(
  models: readonly Pick<Model, 'id' | 'name' | 'provider'>[]
): ReadonlyMap<string, string> {
  const names = new Map(models.map(({ id, name }) => [id, modelName(id, name)]));
  const counts = new Map<string, number>();
  const keyOf = (id: string, provider: string): string => `${provider} ${names.get(id) ?? ''}`;
  for (const { id, provider } of models) {
    const key = keyOf(id, provider);
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  const doubled = models.filter(({ id, provider }) => (counts.get(keyOf(id, provider)) ?? 0) > 1);
  for (const { id } of doubled) names.set(id, ownPart(id));
  return names;
}

/** The name of a model; `known` is what the server calls it, which may be its id again. */
export function modelName(id: string, known = ''): string {
  const own = ownPart(id);
  return known !== own && /[\s\p{Lu}]/u.test(known) ? known : readable(own, id.startsWith('bedrock/'));
}

/** The id without the provider. */
function ownPart(id: string): string {
  return id.slice(id.indexOf('/') + 1);
}

const NOISE = new Set(['instruct', 'it', 'latest', 'gguf', 'hf']);
const SPELLED: Record<string, string> = {
  ai: 'AI',
  chatgpt: 'ChatGPT',
  codellama: 'CodeLlama',
  deepseek: 'DeepSeek',
  glm: 'GLM',
  gpt: 'GPT',
  minimax: 'MiniMax',
  moe: 'MoE',
  oss: 'OSS',
  qwq: 'QwQ',
  smollm: 'SmolLM',
  smollm2: 'SmolLM2',
  smollm3: 'SmolLM3',
  tts: 'TTS',
  vl: 'VL'
};
/** Sizes ("7b", "8x7b", "a3b", "e2b"), versions ("r1", "v3") and quantisations ("q4"). */
const UPPERCASE = /^(?:(?:\d+x)?\d+(?:\.\d+)?[bkmt]|[ae]\d+b|[qrv]\d+(?:\.\d+)*)$/;

/** "claude-haiku-4-5-20251001" as "Claude Haiku 4.5"; what isn't made of words comes back as it is. */
function readable(own: string, bedrock: boolean): string {
  const last = own.slice(own.lastIndexOf('/') + 1);
  // Bedrock adds a region, the maker and a revision: "us.anthropic.claude-opus-4-20250514-v1:0".
  const plain = bedrock
    ? last.replace(/^(?:[a-z0-9-]+\.)+(?=[a-z])/, '').replace(/-v\d+(?::\d+)?$/, '')
    : last;
  const bare = plain.replace(/[-@](?:20\d{6}|20\d\d-\d\d-\d\d)$/, ''); // the day of a snapshot
  const joined = bare.startsWith('claude') ? bare.replace(/(\d)-(\d)(?!\d)/g, '$1.$2') : bare;
  const words = joined.split(/[-_:\s]+/).filter(Boolean);
  const kept = words.filter((word, n) => n === 0 || !NOISE.has(word.toLowerCase()));
  const [first = '', second = ''] = kept;
  // OpenAI writes "GPT-5 mini" and "o4 mini".
  if (first === 'gpt' && /^\d/.test(second)) return ['GPT-' + second, ...kept.slice(2)].join(' ');
  if (/^o\d$/.test(first)) return kept.join(' ');
  return kept.map(spelled).join(' ') || own;
}

function spelled(word: string): string {
  if (/\p{Lu}/u.test(word)) return word;
  if (UPPERCASE.test(word)) return word.toUpperCase();
  return SPELLED[word] ?? `${word[0]?.toUpperCase() ?? ''}${word.slice(1)}`;
}
