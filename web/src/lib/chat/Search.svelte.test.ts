import { beforeEach, expect, test } from 'vitest';
import { Api } from '#lib/wire/api.ts';
import type { SearchHit } from '#lib/wire/types.ts';
import { Search } from './Search.svelte.ts';
import { hitPath, searchPath, searchRequest } from './searchAddress.ts';
import { CannedServer } from './testApi.ts';

const SEARCH = 'GET /api/search';
let server: CannedServer;
let search: Search;

function hit(message: string | null, conversation = 'c'): SearchHit {
  return {
    conversation,
    message,
    title: conversation,
    origin: 'page',
    created_at: '2026-01-01T00:00:00.000Z',
    role: message ? 'user' : null,
    model: null,
    snippet: message
  };
}

function request(q: string): ReturnType<typeof searchRequest> {
  return searchRequest(new URLSearchParams({ q }));
}

beforeEach(() => {
  server = new CannedServer();
  search = new Search(new Api(server.fetch));
});

test('pages are appended, and hits of one conversation stand together', async () => {
  server.replies = {
    [SEARCH]: { items: [hit(null), hit('m3'), hit('m2')], next_cursor: 'x' },
    [`${SEARCH}?cursor`]: { items: [hit('m1'), hit('m0', 'd')], next_cursor: null }
  };
  await search.run(request('tide'));
  expect(search.more).toBe(true);
  await Promise.all([search.loadMore(), search.loadMore()]);
  expect(search.groups.map(({ hits }) => hits.map((one) => one.message))).toEqual([
    [null],
    ['m3', 'm2', 'm1'],
    ['m0']
  ]);
  expect([search.more, server.count(`${SEARCH}?cursor`)]).toEqual([false, 1]);
});

test('a late reply never replaces hits that are shown again', async () => {
  server.replies[SEARCH] = { items: [hit('shown')], next_cursor: null };
  await search.run(request('ti'));
  let reply: (page: unknown) => void = () => undefined;
  server.replies[SEARCH] = new Promise((resolve) => (reply = resolve));
  const late = search.run(request('tide'));
  await search.run(request('ti'));
  reply({ items: [hit('late')], next_cursor: null });
  await late;
  expect([search.hits.map((one) => one.message), search.loading]).toEqual([['shown'], false]);
});

test('a late reply never replaces a newer one', async () => {
  let reply: (page: unknown) => void = () => undefined;
  server.replies[SEARCH] = new Promise((resolve) => (reply = resolve));
  const late = search.run(request('ti'));
  server.replies[SEARCH] = { items: [hit('new')], next_cursor: null };
  await search.run(request('tide'));
  reply({ items: [hit('old')], next_cursor: null });
  await late;
  expect([search.hits.map((one) => one.message), search.loading]).toEqual([['new'], false]);
  await search.run(request(''));
  expect(search.hits).toEqual([]);
});

test('a search that was shown a moment ago is shown again, and a failed one tried again', async () => {
  server.replies[SEARCH] = 503;
  await search.run(request('tide'));
  expect([search.problem?.status, search.loading]).toEqual([503, false]);
  server.replies[SEARCH] = { items: [hit('m')], next_cursor: null };
  await search.run(request('tide'));
  expect(search.problem).toBeNull();
  await search.run(request('tide'));
  expect(server.count(SEARCH)).toBe(2);
});

test('an address stands for its search', () => {
  const path = searchPath({ q: 'a&b', model: 'x/y', role: 'user', days: 7 });
  expect(path).toBe('/search?q=a%26b&model=x%2Fy&role=user&days=7');
  expect(searchPath(searchRequest(new URLSearchParams(path.slice(8))))).toBe(path);
  expect(searchPath(searchRequest(new URLSearchParams('role=system&days=3')))).toBe('/search');
  expect(hitPath(hit(null), 'q')).toBe('/c/c');
});
