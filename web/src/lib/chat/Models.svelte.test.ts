// @vitest-environment jsdom
import { expect, test } from 'vitest';
import { Api } from '#lib/wire/api.ts';
import type { Model } from '#lib/wire/types.ts';
import { Models } from './Models.svelte.ts';
import { CannedServer } from './testApi.ts';

function model(id: string, capabilities: Model['capabilities']): Model {
  return { id, name: id, provider: 'local', capabilities, readiness: { state: 'ready' } } as Model;
}

test('models that write no answers are not offered', async () => {
  const server = new CannedServer();
  const items = [
    model('local/vectors', { chat: false }),
    model('local/a', { chat: true }),
    model('local/b', {})
  ];
  server.replies = {
    'GET /api/models': { default: 'local/a', items },
    'GET /api/providers': { items: [] }
  };
  const models = new Models(new Api(server.fetch));
  await models.load();
  expect(models.items.map(({ id }) => id)).toEqual(['local/a', 'local/b']);
});
