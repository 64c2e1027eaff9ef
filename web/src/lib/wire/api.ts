// The native API over fetch. Turns problem+json into `Problem`; knows nothing about the UI.
// A start or continue carries an Idempotency-Key, so that trying again can never send twice.
import type {
  ChangeReply,
  CheckReply,
  Conversation,
  ConversationBody,
  ConversationList,
  DocumentTextReply,
  Download,
  DownloadBody,
  Generation,
  ImportReply,
  LocalModelList,
  ModelList,
  Options,
  ProviderList,
  RunningAnswersReply,
  SearchReply,
  ServerState,
  StartBody,
  Started,
  StopReply,
  Summary,
  Trace
} from './types.ts';

/** An error reply of the server; status 0 when there was no reply at all. */
export class Problem extends Error {
  readonly status: number;
  readonly code: string;
  readonly advice: string;
  readonly retryAfter: number | undefined;
  readonly body: Record<string, unknown>;

  constructor(status: number, body: Record<string, unknown>) {
    super(String(body['detail'] ?? body['title'] ?? `HTTP ${status}`));
    this.status = status;
    this.body = body;
    this.code = String(body['code'] ?? (status === 0 ? 'offline' : 'unknown'));
    this.advice = String(body['advice'] ?? '');
    this.retryAfter = typeof body['retry_after'] === 'number' ? body['retry_after'] : undefined;
  }
}

/** Statuses that a gateway returns while the server behind it is down. */
const GATEWAY = new Set([502, 503, 504]);

/** Whether a retry under the same idempotency key may succeed. */
export function isRetryable(problem: unknown): boolean {
  return problem instanceof Problem && (problem.status === 0 || GATEWAY.has(problem.status));
}

export class Api {
  readonly #fetch: typeof fetch;
  /** Called on every 401, so that the page can show the login form. */
  onUnauthorized: () => void = () => {};

  constructor(fetcher: typeof fetch = (input, init) => fetch(input, init)) {
    this.#fetch = fetcher;
  }

  conversations(query: { cursor?: string | null; limit?: number }): Promise<ConversationList> {
    const search = new URLSearchParams({ origin: 'page', limit: String(query.limit ?? 50) });
    if (query.cursor) search.set('cursor', query.cursor);
    return this.#json('GET', `/api/conversations?${search}`);
  }

  search(query: Record<string, string>): Promise<SearchReply> {
    return this.#json('GET', `/api/search?${new URLSearchParams(query)}`);
  }

  conversation(id: string): Promise<Conversation> {
    return this.#json('GET', `/api/conversations/${id}`);
  }

  create(body: ConversationBody): Promise<Conversation> {
    return this.#json('POST', '/api/conversations', body);
  }

  change(id: string, body: ConversationBody): Promise<Conversation> {
    return this.#json('PATCH', `/api/conversations/${id}`, body);
  }

  remove(id: string): Promise<void> {
    return this.#json('DELETE', `/api/conversations/${id}`);
  }

  restore(id: string): Promise<Conversation> {
    return this.#json('POST', `/api/conversations/${id}/restore`);
  }

  start(id: string, body: StartBody, key: string): Promise<Started> {
    return this.#json('POST', `/api/conversations/${id}/generations`, body, { 'Idempotency-Key': key });
  }

  continue(
    generation: string,
    body: { model?: string; options?: Options },
    key: string
  ): Promise<Generation> {
    return this.#json('POST', `/api/generations/${generation}/continue`, body, { 'Idempotency-Key': key });
  }

  stop(generation: string): Promise<StopReply> {
    return this.#json('POST', `/api/generations/${generation}/stop`);
  }

  changeOptions(generation: string, change: Options & { model?: string }): Promise<ChangeReply> {
    return this.#json('PATCH', `/api/generations/${generation}`, change);
  }

  running(): Promise<RunningAnswersReply> {
    return this.#json('GET', '/api/generations');
  }

  generation(id: string): Promise<Generation> {
    return this.#json('GET', `/api/generations/${id}`);
  }

  models(): Promise<ModelList> {
    return this.#json('GET', '/api/models');
  }

  localModels(): Promise<LocalModelList> {
    return this.#json('GET', '/api/local-models');
  }

  startDownload(body: DownloadBody): Promise<Download> {
    return this.#json('POST', '/api/local-models/download', body);
  }

  resumeDownload(): Promise<Download> {
    return this.#json('POST', '/api/local-models/download/resume');
  }

  pauseDownload(): Promise<Download> {
    return this.#json('POST', '/api/local-models/download/pause');
  }

  removeDownload(): Promise<void> {
    return this.#json('DELETE', '/api/local-models/download');
  }

  /** Deletes an installed model, `local/NAME`, from the server's disk. */
  deleteLocalModel(model: string): Promise<void> {
    return this.#json(
      'DELETE',
      `/api/local-models/installed/${encodeURIComponent(model.replace(/^local\//, ''))}`
    );
  }

  providers(): Promise<ProviderList> {
    return this.#json('GET', '/api/providers');
  }

  check(provider: string): Promise<CheckReply> {
    return this.#json('POST', `/api/providers/${provider}/check`);
  }

  server(): Promise<ServerState> {
    return this.#json('GET', '/readyz', undefined, {}, [503]);
  }

  /** Whether the server can be reached at all. */
  async isReachable(): Promise<boolean> {
    const reply = await this.#fetch('/healthz', { cache: 'no-store' }).catch(() => null);
    return reply?.ok ?? false;
  }

  trace(generation: string): Promise<Trace> {
    return this.#json('GET', `/api/analytics/generations/${generation}`);
  }

  summary(days: number): Promise<Summary> {
    return this.#json('GET', `/api/analytics/summary?days=${days}`);
  }

  login(token: string): Promise<void> {
    return this.#json('POST', '/api/login', { token });
  }

  logout(): Promise<void> {
    return this.#json('POST', '/api/logout');
  }

  /** Conversations of an export, which may be a ZIP archive. */
  import(file: File): Promise<ImportReply> {
    return this.#json('POST', '/api/import', file);
  }

  /** The text of a PDF or office file. */
  async documentText(file: File, signal: AbortSignal): Promise<DocumentTextReply> {
    const path = `/api/documents/text?${new URLSearchParams({ name: file.name })}`;
    const reply = await this.#send(path, { method: 'POST', body: file, signal });
    return (await reply.json().catch(noReply)) as DocumentTextReply;
  }

  /** An image of another host, fetched by the server. */
  async remoteImage(url: string, signal: AbortSignal): Promise<Blob> {
    const reply = await this.#send(`/api/remote-images?${new URLSearchParams({ url })}`, { signal });
    return reply.blob().catch(noReply);
  }

  async #json<T>(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
    acceptedStatuses: number[] = []
  ): Promise<T> {
    const init: RequestInit = { method, headers: { Accept: 'application/json', ...headers } };
    if (body instanceof Blob) init.body = body;
    else if (body !== undefined) {
      init.headers = { ...init.headers, 'Content-Type': 'application/json' };
      init.body = JSON.stringify(body);
    }
    const reply = await this.#send(path, init, acceptedStatuses);
    const text = await reply.text().catch(noReply);
    try {
      return (text ? JSON.parse(text) : undefined) as T;
    } catch {
      throw foreignReply(reply.status);
    }
  }

  async #send(path: string, init: RequestInit, acceptedStatuses: number[] = []): Promise<Response> {
    const reply = await this.#fetch(path, init).catch(noReply);
    if (!reply.ok && !acceptedStatuses.includes(reply.status)) throw await this.#problem(reply, path);
    return reply;
  }

  async #problem(reply: Response, path: string): Promise<Problem> {
    if (reply.status === 401 && path !== '/api/login') this.onUnauthorized();
    return readProblem(reply);
  }
}

/** A reply whose body was cut off counts as no reply, too, so that the call is retried. */
function noReply(error: unknown): never {
  throw new Problem(0, { detail: String(error) });
}

/** A successful reply that isn't the server's own: a proxy's page, or one to sign in at. */
function foreignReply(status: number): Problem {
  return new Problem(status, {
    code: 'foreign_reply',
    detail: 'Something between this page and the server answered with a page of its own.',
    advice: 'Reload the page; you may have to sign in again.'
  });
}

/** Reads a refused reply; never throws, whatever its body is. */
export async function readProblem(reply: Response): Promise<Problem> {
  const text = await reply.text().catch(() => '');
  try {
    return new Problem(reply.status, JSON.parse(text) as Record<string, unknown>);
  } catch {
    const title = `HTTP ${reply.status} ${reply.statusText}`.trim();
    return new Problem(reply.status, { title, ...(GATEWAY.has(reply.status) ? { code: 'offline' } : {}) });
  }
}
