import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Api } from '#lib/wire/api.ts';
import { Conversations, type Deleted } from './Conversations.svelte.ts';
import { CannedServer, row } from './testApi.ts';

const LIST = 'GET /api/conversations';
let server: CannedServer;
let list: Conversations;
const ids = (): string[] => list.rows.map((one) => one.id);

beforeEach(() => {
  vi.useFakeTimers();
  server = new CannedServer();
  list = new Conversations(new Api(server.fetch));
});

afterEach(() => void vi.useRealTimers());

test('pages are appended, and a row that is in both stands once', async () => {
  server.replies = {
    [LIST]: { items: [row('d', 4), row('c', 3)], next_cursor: 'x' },
    [`${LIST}?cursor`]: { items: [row('c', 3), row('b', 2)], next_cursor: null }
  };
  await list.load();
  expect([ids(), list.more]).toEqual([['d', 'c'], true]);
  await Promise.all([list.loadMore(), list.loadMore()]);
  expect([ids(), list.more]).toEqual([['d', 'c', 'b'], false]);
  expect(server.count(`${LIST}?cursor`)).toBe(1);
});

test('reloading the first page keeps the later ones', async () => {
  server.replies = {
    [LIST]: { items: [row('c', 3), row('b', 2)], next_cursor: 'x' },
    [`${LIST}?cursor`]: { items: [row('a', 1)], next_cursor: null }
  };
  await list.load();
  await list.loadMore();
  server.replies[LIST] = { items: [row('d', 4), row('c', 3)], next_cursor: 'y' };
  await list.load();
  expect(ids()).toEqual(['d', 'c', 'b', 'a']);
});

test('reloading drops what was deleted meanwhile', async () => {
  server.replies[LIST] = { items: [row('c', 3), row('b', 2), row('a', 1)], next_cursor: 'x' };
  await list.load();
  server.replies[LIST] = { items: [row('c', 3), row('a', 1)], next_cursor: 'x' };
  await list.load();
  expect(ids()).toEqual(['c', 'a']);
  server.replies[LIST] = { items: [row('c', 3)], next_cursor: null };
  await list.load();
  expect([ids(), list.more]).toEqual([['c'], false]);
});

test('a first page without any known row replaces the list, so that no hole stays in it', async () => {
  server.replies[LIST] = { items: [row('b', 2), row('a', 1)], next_cursor: null };
  await list.load();
  server.replies[LIST] = { items: [row('z', 9), row('y', 8)], next_cursor: 'x' };
  await list.load();
  expect([ids(), list.more]).toEqual([['z', 'y'], true]);
});

test('pushed changes move, rename, pin and remove rows', async () => {
  server.replies[LIST] = { items: [row('b', 2), row('a', 1)], next_cursor: null };
  await list.load();
  list.applyChange({ change: 'conversation', conversation: 'a', row: row('a', 3, { title: 'New title' }) });
  expect([ids(), list.row('a')?.title]).toEqual([['a', 'b'], 'New title']);
  list.applyChange({ change: 'conversation', conversation: 'b', row: row('b', 2, { pinned: true }) });
  expect(ids()).toEqual(['b', 'a']);
  list.applyChange({ change: 'conversation-deleted', conversation: 'b' });
  expect(ids()).toEqual(['a']);
});

test('conversations of API clients stay out of the sidebar', async () => {
  list.applyChange({ change: 'conversation', conversation: 'x', row: row('x', 1, { origin: 'api' }) });
  expect(ids()).toEqual([]);
});

test('each deleted conversation can be restored for ten seconds, in any order', async () => {
  server.replies = {
    [LIST]: { items: [row('c', 3), row('b', 2), row('a', 1)], next_cursor: null },
    'DELETE /api/conversations/a': '',
    'DELETE /api/conversations/b': '',
    'POST /api/conversations/a/restore': row('a', 1)
  };
  const undoable = () => list.deleted.map((one) => one.id);
  await list.load();
  await list.remove('a');
  vi.advanceTimersByTime(6_000);
  await list.remove('b');
  expect([ids(), undoable()]).toEqual([['c'], ['b', 'a']]);
  await list.undo(list.deleted[1] as Deleted);
  expect([ids(), undoable()]).toEqual([['c', 'a'], ['b']]);
  await list.remove('a');
  vi.advanceTimersByTime(6_000);
  expect(undoable()).toEqual(['a', 'b']);
  vi.advanceTimersByTime(4_000);
  expect(undoable()).toEqual([]);
});

test('a delete that the server refuses leaves the row', async () => {
  server.replies = {
    [LIST]: { items: [row('a', 1)], next_cursor: null },
    'DELETE /api/conversations/a': 507
  };
  await list.load();
  await expect(list.remove('a')).rejects.toThrow();
  expect([ids(), list.deleted]).toEqual([['a'], []]);
});
