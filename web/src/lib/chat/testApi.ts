// A server of canned replies for tests of the state classes: `Api` runs for real, only `fetch` is replaced.
import type { Conversation, ConversationRow, Download, LocalModel, LocalModelList } from '#lib/wire/types.ts';

export function row(id: string, minute = 0, more: Partial<ConversationRow> = {}): ConversationRow {
  const time = new Date(Date.UTC(2026, 0, 1, 0, minute)).toISOString();
  return {
    id,
    title: id,
    pinned: false,
    origin: 'page',
    created_at: time,
    updated_at: time,
    status: null,
    generation: null,
    snippet: null,
    ...more
  };
}

export function conversation(id: string, more: Partial<Conversation> = {}): Conversation {
  return {
    ...row(id),
    model: null,
    system_prompt: '',
    options: {},
    leaf: null,
    messages: [],
    ...more
  } as Conversation;
}

/** Replies by "METHOD path"; a number stands for that status, a promise for a reply that comes late. */
export class CannedServer {
  readonly calls: string[] = [];
  replies: Record<string, unknown> = {};
  reachable = true;

  readonly fetch: typeof fetch = async (input, init) => {
    const url = new URL(String(input), 'http://127.0.0.1');
    const call = `${init?.method ?? 'GET'} ${url.pathname}${url.searchParams.has('cursor') ? '?cursor' : ''}`;
    this.calls.push(call);
    if (!this.reachable) throw new TypeError('Failed to fetch');
    const reply = await this.replies[call];
    if (typeof reply === 'number') return new Response('{}', { status: reply });
    if (reply === undefined) return new Response('{}', { status: 404 });
    return new Response(JSON.stringify(reply), { status: 200 });
  };

  count(call: string): number {
    return this.calls.filter((one) => one === call).length;
  }
}

/** A server's local models: one of a person's own, and nothing to download unless it is given. */
export function localModels(more: Partial<LocalModelList> = {}): LocalModelList {
  return {
    items: [],
    installed: [
      { model: 'local/own.v2', name: null, title: 'Own', file: 'own.v2.gguf', size: 5, origin: 'data-folder' }
    ],
    download: null,
    free: null,
    memory: null,
    engine: true,
    ...more
  };
}

export function curatedModel(name: string, more: Partial<LocalModel> = {}): LocalModel {
  return {
    name,
    title: name,
    description: '',
    license: 'Apache-2.0',
    source: '',
    size: 1,
    memory: 1,
    partial: 0,
    model: null,
    ...more
  };
}

/** A running download of a URL. */
export function download(more: Partial<Download> = {}): Download {
  return {
    state: 'running',
    name: null,
    title: 'own.gguf',
    host: 'models.example',
    received: 0,
    total: 9,
    speed: null,
    error: null,
    model: null,
    ...more
  };
}
