// @vitest-environment jsdom
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Api, Problem } from '#lib/wire/api.ts';
import type { Conversation, Frame, Message, SentPart } from '#lib/wire/types.ts';
import type { GenerationSource } from './Answer.svelte.ts';
import { Chat } from './Chat.svelte.ts';
import { CannedServer, conversation } from './testApi.ts';

const READ = 'GET /api/conversations/c';
const START = 'POST /api/conversations/c/generations';
const CHANGE = 'PATCH /api/conversations/c';

let server: CannedServer;
let chat: Chat;

const settled = (ms = 200): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);
const words = (text: string): SentPart[] => [{ type: 'text', text }];
const shown = (): string[] => chat.messages.map((one) => one.id);

function message(id: string, parent: string | null, role: 'user' | 'assistant'): Message {
  return {
    id,
    parent,
    role,
    parts: [{ type: 'text', text: id }],
    created_at: new Date(0).toISOString(),
    model: role === 'assistant' ? 'a/b' : null,
    generation: role === 'assistant' ? `g-${id}` : null,
    status: role === 'assistant' ? 'done' : null,
    end: null,
    seams: [],
    citations: []
  };
}

const question = message('q', null, 'user');
const answer = message('a', 'q', 'assistant');
const other = message('b', 'q', 'assistant');
const answered = (...answers: Message[]): Conversation =>
  conversation('c', { messages: [question, ...answers], leaf: answers.at(-1)?.id ?? 'q' });
/** What the server replies when an answer begins; this one has ended by the time the reply arrives. */
const started = { ...answer, id: 'g-a', message: 'a' };

beforeEach(() => {
  vi.useFakeTimers();
  server = new CannedServer();
  server.replies = { [READ]: conversation('c') };
  chat = new Chat('c', new Api(server.fetch), {
    attach: () => ({ close: () => undefined, wake: () => undefined }),
    generation: () => Promise.reject(new Error('not asked for here'))
  });
});

afterEach(() => {
  chat.close();
  vi.useRealTimers();
});

test('a question on its way is not shown a second time by a change that is pushed meanwhile', async () => {
  const reply = Promise.withResolvers();
  server.replies = { [READ]: answered(answer), [START]: reply.promise };
  const sent = chat.send(words('q'));
  chat.refresh();
  await settled();
  expect([shown(), chat.outgoing !== null]).toEqual([[], true]);
  reply.resolve(started);
  await sent;
  expect([shown(), chat.outgoing]).toEqual([['q', 'a'], null]);
  await settled();
  expect(server.count(READ)).toBe(2);
});

test('a question stays on screen until it has been read, though the network fails in between', async () => {
  const reply = Promise.withResolvers();
  server.replies = { [READ]: answered(answer), [START]: reply.promise };
  const sent = chat.send(words('q'));
  server.reachable = false;
  reply.resolve(started);
  await settled();
  expect([shown(), chat.outgoing?.problem]).toEqual([[], null]);
  server.reachable = true;
  await settled(2000);
  await sent;
  expect([shown(), chat.outgoing, server.count(START)]).toEqual([['q', 'a'], null, 1]);
});

test('what is queued is sent although the answer before it ended before it was read', async () => {
  server.replies = { [READ]: answered(answer), [START]: started };
  void chat.send(words('q'));
  void chat.send(words('next'));
  expect(chat.queued).toHaveLength(1);
  await settled();
  expect([chat.queued.length, server.count(START)]).toEqual([0, 2]);
});

test('a reply that was overtaken by a later one is dropped', async () => {
  const late = Promise.withResolvers();
  server.replies[READ] = late.promise;
  const first = chat.load();
  server.replies[READ] = answered(answer);
  await chat.load();
  late.resolve(conversation('c'));
  await first;
  expect(shown()).toEqual(['q', 'a']);
});

test('a failure that was overtaken by a later read is no problem of the chat', async () => {
  const late = Promise.withResolvers();
  server.replies[READ] = late.promise;
  const first = chat.load();
  server.replies[READ] = answered(answer);
  await chat.load();
  late.reject(new Problem(404, {}));
  await first;
  expect([shown(), chat.missing, chat.problem]).toEqual([['q', 'a'], false, null]);
});

test('a version stays chosen though a reply from before the choice comes after it', async () => {
  server.replies[READ] = answered(answer, other);
  await chat.load();
  const late = Promise.withResolvers();
  const saved = Promise.withResolvers();
  server.replies = { [READ]: late.promise, [CHANGE]: saved.promise };
  const before = chat.load();
  const chosen = chat.selectVersion('a');
  late.resolve(answered(answer, other));
  await before;
  await settled();
  expect(chat.leaf).toBe('a');
  server.replies[READ] = { ...answered(answer, other), leaf: 'a' };
  saved.resolve(conversation('c'));
  await chosen;
  await settled();
  expect([chat.leaf, server.count(READ)]).toEqual(['a', 3]);
});

test('text that arrives leaves the questions above it untouched', async () => {
  const handlers: Parameters<GenerationSource['attach']>[1][] = [];
  const attach: GenerationSource['attach'] = (_generation, given) => {
    handlers.push(given);
    return { close: () => undefined, wake: () => undefined };
  };
  chat = new Chat('c', new Api(server.fetch), {
    attach,
    generation: () => Promise.reject(new Error('unused'))
  });
  server.replies[READ] = answered({ ...answer, parts: [], status: 'running' });
  await chat.load();
  const { turns } = chat;
  const frames: Frame[] = [
    { id: '1-0', kind: 'open', previous: null, model: 'a/b', at: 0 } as Frame,
    { id: '1-1', kind: 'part-start', part: 0, part_kind: 'text', at: 0 } as Frame,
    { id: '1-2', kind: 'text-delta', part: 0, text: 'Once', at: 0 } as Frame
  ];
  handlers[0]?.onFrames(frames);
  await settled();
  expect(chat.answer('a')?.parts.map((part) => part.text)).toEqual(['Once']);
  expect(chat.turns).toBe(turns);
});
