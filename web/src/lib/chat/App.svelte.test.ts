// @vitest-environment jsdom
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { App } from './App.svelte.ts';
import { CannedServer, conversation, row } from './testApi.ts';

const LIST = 'GET /api/conversations';
const EVERYTHING = {
  [LIST]: { items: [row('c')], next_cursor: null },
  'GET /api/models': { items: [], default: null },
  'GET /api/providers': { items: [] },
  'GET /api/conversations/c': conversation('c', { title: 'Tides' }),
  'GET /healthz': {}
};

interface Socket {
  readyState: number;
  onopen: () => void;
  onclose: () => void;
  onmessage: (event: { data: string }) => void;
  send(): void;
  close(): void;
}

let server: CannedServer;
let sockets: Socket[];
let app: App;
let stop: () => void;

const settled = (): Promise<unknown> => vi.advanceTimersByTimeAsync(200);
const socket = (): Socket => sockets.at(-1) as Socket;

function open(): void {
  socket().readyState = 1;
  socket().onopen();
}

function push(message: unknown): void {
  socket().onmessage({ data: JSON.stringify(message) });
}

beforeEach(() => {
  vi.useFakeTimers();
  localStorage.clear();
  server = new CannedServer();
  server.replies = { ...EVERYTHING };
  sockets = [];
  app = new App(localStorage, server.fetch, () => {
    const one: Socket = {
      readyState: 0,
      onopen: () => undefined,
      onclose: () => undefined,
      onmessage: () => undefined,
      send: () => undefined,
      close() {
        this.readyState = 3;
        this.onclose();
      }
    };
    sockets.push(one);
    return one as unknown as WebSocket;
  });
  stop = () => undefined;
});

afterEach(() => {
  stop();
  vi.useRealTimers();
});

test('loads the list and the models, then listens for changes', async () => {
  stop = app.start();
  await settled();
  expect(app.conversations.rows.map((one) => one.id)).toEqual(['c']);
  expect(app.models.loaded).toBe(true);
  expect(sockets).toHaveLength(1);
  open();
  await settled();
  expect(server.count(LIST)).toBe(1);
});

test('a page opened while the server is away loads everything when it is back', async () => {
  server.reachable = false;
  stop = app.start();
  const chat = app.chat('c');
  app.current = chat;
  await settled();
  expect([app.conversations.loaded, chat.loaded]).toEqual([false, false]);
  socket().close();
  await settled();
  expect(app.offlineSince).toBeGreaterThan(0);
  server.reachable = true;
  await vi.advanceTimersByTimeAsync(1_000);
  open();
  await settled();
  expect([app.conversations.loaded, app.models.loaded, chat.loaded]).toEqual([true, true, true]);
  expect([chat.title, app.offlineSince]).toEqual(['Tides', 0]);
});

test('where WebSockets are blocked, everything is loaded over HTTP', async () => {
  server.reachable = false;
  stop = app.start();
  await settled();
  server.reachable = true;
  socket().close();
  await settled();
  expect(app.conversations.loaded).toBe(true);
  expect(app.offlineSince).toBe(0);
});

test('without a token the login form is shown, and no socket is opened until it is right', async () => {
  server.replies = { ...EVERYTHING, [LIST]: 401, 'POST /api/login': 401 };
  stop = app.start();
  await settled();
  expect([app.needsToken, sockets.length]).toEqual([true, 0]);
  await expect(app.unlock('wrong')).rejects.toThrow();
  expect(app.needsToken).toBe(true);
  server.replies = { ...EVERYTHING, 'POST /api/login': '' };
  await app.unlock('right');
  expect([app.needsToken, sockets.length]).toEqual([false, 1]);
});

test('a pushed change renames the open conversation and reloads it once', async () => {
  stop = app.start();
  await settled();
  open();
  const chat = app.chat('c');
  await settled();
  const change = { type: 'change', change: 'message', conversation: 'c', row: row('c', 5, { title: 'Ebb' }) };
  push(change);
  push(change);
  expect(chat.title).toBe('Ebb');
  await settled();
  expect(server.count('GET /api/conversations/c')).toBe(2);
});

test('old conversations leave the cache, the one on screen stays', async () => {
  const first = app.chat('c');
  app.current = first;
  for (let n = 0; n < 8; n++) app.chat(`other-${n}`);
  expect(app.chat('c')).toBe(first);
  const dropped = app.chat('other-7');
  for (let n = 0; n < 8; n++) app.chat(`more-${n}`);
  expect(app.chat('other-7')).not.toBe(dropped);
});

test('actions are registered by screens, and a closed screen does not remove those of the next', () => {
  const runs: string[] = [];
  const close = app.registerActions({ copy: () => runs.push('first') });
  app.registerActions({ copy: () => runs.push('second') });
  close();
  expect([app.runAction('copy'), app.runAction('nothing')]).toEqual([true, false]);
  expect(runs).toEqual(['second']);
});

test('what fails is shown for a moment instead of thrown', async () => {
  expect(await app.attempt(() => app.api.conversation('gone'))).toBe(false);
  expect(app.toast).toContain('404');
  vi.advanceTimersByTime(4_000);
  expect(app.toast).toBe('');
});

test('messages that wait become the draft when the tab closes', async () => {
  stop = app.start();
  await settled();
  const chat = app.chat('c');
  chat.queued = [[{ type: 'text', text: 'Later' }]];
  app.preferences.setDraft('c', 'Now');
  window.dispatchEvent(new Event('pagehide'));
  expect(app.preferences.draft('c')).toBe('Later\n\nNow');
});

test('answers that run are read at the start and after each change of one, once for several', async () => {
  const running = { id: 'g', conversation: 'c', title: 'Tides', message: 'a', model: 'a/b' };
  server.replies['GET /api/generations'] = { items: [running] };
  stop = app.start();
  await settled();
  expect(app.running.items.map((one) => one.id)).toEqual(['g']);
  open();
  server.replies['GET /api/generations'] = { items: [] };
  push({ type: 'change', change: 'generation', conversation: 'c', generation: 'g' });
  push({ type: 'change', change: 'generation', conversation: 'c', generation: 'h' });
  await settled();
  expect(app.running.items).toEqual([]);
  expect(server.count('GET /api/generations')).toBe(2);
});

test('a conversation that is deleted elsewhere stays on screen, is missing, and can be restored', async () => {
  stop = app.start();
  const chat = app.chat('c');
  await settled();
  open();
  await settled();
  expect([chat.loaded, chat.missing]).toEqual([true, false]);
  delete server.replies['GET /api/conversations/c'];
  push({ type: 'change', change: 'conversation-deleted', conversation: 'c' });
  await settled();
  expect([chat.title, chat.missing, app.conversations.rows]).toEqual(['Tides', true, []]);
  server.replies['GET /api/conversations/c'] = conversation('c', { title: 'Tides' });
  server.replies['POST /api/conversations/c/restore'] = row('c');
  await app.restoreChat(chat);
  expect([chat.missing, app.conversations.rows.map(({ id }) => id)]).toEqual([false, ['c']]);
});

test('what was typed for a deleted conversation goes behind the draft of a new one', () => {
  app.preferences.setDraft('new', 'Earlier');
  app.preferences.setDraft('c', 'And then?');
  app.moveDraftToNewChat('c');
  expect([app.preferences.draft('new'), app.preferences.draft('c')]).toEqual(['Earlier\n\nAnd then?', '']);
});
