import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Api } from '#lib/wire/api.ts';
import { LocalModels } from './LocalModels.svelte.ts';
import { CannedServer, download, localModels } from './testApi.ts';

const LIST = 'GET /api/local-models';
let server: CannedServer;
let local: LocalModels;

beforeEach(() => {
  vi.useFakeTimers();
  server = new CannedServer();
  server.replies[LIST] = localModels();
  local = new LocalModels(new Api(server.fetch));
});

afterEach(() => void vi.useRealTimers());

test('the list is asked for again each second while a download runs and somebody looks', async () => {
  server.replies[LIST] = localModels({ download: download({ received: 1 }) });
  const leave = local.watch();
  await vi.advanceTimersByTimeAsync(3000);
  expect(server.count(LIST)).toBe(4);
  server.replies[LIST] = localModels({ download: download({ state: 'done', received: 9 }) });
  await vi.advanceTimersByTimeAsync(1000);
  expect(local.download?.state).toBe('done');
  await vi.advanceTimersByTimeAsync(5000);
  expect(server.count(LIST)).toBe(5);
  leave();
});

test('nothing is asked for once nobody looks any more', async () => {
  server.replies[LIST] = localModels({ download: download() });
  const leave = [local.watch(), local.watch()];
  await vi.advanceTimersByTimeAsync(0);
  leave[0]?.();
  await vi.advanceTimersByTimeAsync(1000);
  expect(server.count(LIST)).toBe(2);
  leave[1]?.();
  await vi.advanceTimersByTimeAsync(5000);
  local.refresh();
  expect(server.count(LIST)).toBe(2);
});

test('a deleted model is gone from the list', async () => {
  await local.load();
  expect(local.installed.map((model) => model.model)).toEqual(['local/own.v2']);
  server.replies['DELETE /api/local-models/installed/own.v2'] = '';
  server.replies[LIST] = localModels({ installed: [] });
  expect(await local.delete('local/own.v2')).toBe(true);
  expect([local.installed, local.problem]).toEqual([[], null]);
});

test('what the server refuses leaves the model and says why', async () => {
  await local.load();
  server.replies['DELETE /api/local-models/installed/own.v2'] = 409;
  expect(await local.delete('local/own.v2')).toBe(false);
  expect([local.installed.length, local.problem?.status]).toEqual([1, 409]);
});

test('a list that could not be loaded is no reason to keep the error of it', async () => {
  server.reachable = false;
  await local.load();
  expect(local.problem?.status).toBe(0);
  server.reachable = true;
  await local.load();
  expect([local.problem, local.loaded]).toEqual([null, true]);
});
