// @vitest-environment jsdom
import { flushSync, mount, unmount } from 'svelte';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { App, provideApp } from '#lib/chat/App.svelte.ts';
import { CannedServer, curatedModel, download, localModels } from '#lib/chat/testApi.ts';
import type { LocalModelList } from '#lib/wire/types.ts';
import LocalModelSettings from './LocalModelSettings.svelte';

vi.mock('$app/navigation', () => ({ goto: () => Promise.resolve() }));

const GB = 1e9;
// However busy the machine is.
const until = (check: () => void): Promise<void> => vi.waitFor(check, { timeout: 30_000 });
vi.setConfig({ testTimeout: 60_000 });

let root: HTMLElement;
let end: () => void;

/** The section as a server with this list makes it. */
async function show(list: LocalModelList, models: unknown[] = []): Promise<CannedServer> {
  const server = new CannedServer();
  server.replies = {
    'GET /api/local-models': list,
    'GET /api/models': { items: models, default: null },
    'GET /api/providers': { items: [] }
  };
  const app = new App(localStorage, server.fetch, () => new EventTarget() as WebSocket);
  await app.models.load();
  const section: typeof LocalModelSettings = (...given) => {
    provideApp(app);
    return LocalModelSettings(...given);
  };
  const component = mount(section, { target: root, context: new Map() });
  end = () => void unmount(component);
  await until(() => expect(root.querySelector('h3')).not.toBeNull());
  return server;
}

const text = (of: Element | null | undefined): string => of?.textContent.replace(/\s+/g, ' ').trim() ?? '';
const row = (title: string): Element =>
  [...root.querySelectorAll('li')].find((one) => text(one.querySelector('b')) === title) as Element;
const button = (name: string): HTMLButtonElement =>
  [...root.querySelectorAll('button')].find(
    (one) => (one.ariaLabel ?? text(one)).replace(/\s+/g, '') === name.replace(/\s+/g, '')
  ) as HTMLButtonElement;

beforeEach(() => {
  localStorage.clear();
  root = document.createElement('div');
  document.body.append(root);
});

afterEach(() => {
  end();
  root.remove();
});

test('a machine with too little memory is warned of, one sold with just enough is not', async () => {
  const items = [
    curatedModel('large', { title: 'Large', memory: 16 * GB }),
    curatedModel('small', { title: 'Small', memory: 8 * GB })
  ];
  await show(localModels({ items, memory: 7.7 * GB, free: 100 * GB }));
  expect(text(row('Large').querySelector('.warning'))).toBe(
    'This server has only 7.7 GB of memory; expect it to be slow or to fail.'
  );
  expect(row('Small').querySelector('.warning')).toBeNull();
});

test('a disk without room goes before the memory, and counts what has arrived', async () => {
  const items = [
    curatedModel('large', { title: 'Large', size: 3 * GB, memory: 16 * GB }),
    curatedModel('begun', { title: 'Begun', size: 3 * GB, partial: 2 * GB, memory: 4 * GB })
  ];
  await show(localModels({ items, memory: 8 * GB, free: 2 * GB }));
  expect(text(row('Large').querySelector('.warning'))).toBe('Doesn’t fit: 2 GB free on the server’s disk.');
  expect(row('Begun').querySelector('.warning')).toBeNull();
  expect(text(row('Begun').querySelector('.facts'))).toContain('2 GB of 3 GB');
});

test('without the engine that is said once, and no chat is offered', async () => {
  await show(localModels({ engine: false }), [
    {
      id: 'local/own.v2',
      capabilities: {},
      readiness: { state: 'off', reason: 'The engine isn’t installed' }
    }
  ]);
  expect(text(root.querySelector('.why'))).toContain('pip install "grantha[local]"');
  expect(root.querySelectorAll('.why, .warning')).toHaveLength(1);
  expect(button('Start a chat Own')).toBeUndefined();
  expect(button('Delete Own')).toBeDefined();
});

test('an installed model that cannot be used says why, and can only be deleted', async () => {
  await show(localModels(), [
    {
      id: 'local/own.v2',
      capabilities: {},
      readiness: { state: 'off', reason: 'It can’t be used', advice: 'Replace it.' }
    }
  ]);
  expect(text(row('Own').querySelector('.warning'))).toBe('It can’t be used. Replace it.');
  expect(button('Start a chat Own')).toBeUndefined();
});

test('only what Grantha has stored can be deleted', async () => {
  const own = {
    model: 'local/a',
    name: null,
    title: 'A',
    file: 'a.gguf',
    size: 1,
    origin: 'settings'
  } as const;
  await show(localModels({ installed: [own, { ...own, model: 'local/b', title: 'B', origin: 'package' }] }));
  expect(text(row('A').querySelector('.facts'))).toContain('from GRANTHA_LOCAL_MODELS');
  expect(text(row('B').querySelector('.facts'))).toContain('included with Grantha');
  expect(root.querySelector('.delete')).toBeNull();
});

test('a deletion has to be confirmed, and its refusal stands at the model alone', async () => {
  const server = await show(localModels());
  const call = 'DELETE /api/local-models/installed/own.v2';
  server.replies[call] = 409;
  button('Delete Own').click();
  await until(() => expect(document.activeElement).toBe(button('Cancel')));
  button('Cancel').click();
  await until(() => expect(document.activeElement).toBe(button('Delete Own')));
  expect(server.count(call)).toBe(0);
  button('Delete Own').click();
  flushSync();
  button('Delete Own').click();
  await until(() => expect(row('Own').querySelector('[role=alert]')).not.toBeNull());
  expect(root.querySelectorAll('[role=alert]')).toHaveLength(1);
  expect(server.count(call)).toBe(1);
});

test('a download from a URL has a row until its model is installed', async () => {
  const running = download({ title: 'new.gguf', received: 5, total: 9 });
  const server = await show(localModels({ download: running }));
  expect(row('new.gguf').querySelector('progress')?.value).toBe(5);
  const own = localModels().installed[0];
  if (!own) throw new Error('no model');
  // The file has its name a moment before the download has ended.
  server.replies['GET /api/local-models'] = localModels({
    download: running,
    installed: [{ ...own, title: 'New', file: 'new.gguf' }]
  });
  await until(() => expect(row('New')).toBeDefined());
  expect(row('new.gguf')).toBeUndefined();
});
