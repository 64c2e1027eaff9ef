// The sidebar's list: pages of rows from the server, kept up to date by the changes it pushes.
// The server deletes softly, so undo is a call, not a delayed delete.
import type { Api } from '#lib/wire/api.ts';
import type { LiveChange } from '#lib/wire/liveSocket.ts';
import type { ConversationRow } from '#lib/wire/types.ts';

const PAGE = 100;
const UNDO_MS = 10_000;

export interface Deleted {
  readonly id: string;
  readonly title: string;
}

export class Conversations {
  rows = $state.raw<ConversationRow[]>([]);
  loaded = $state(false);
  /** Deletions that can be undone, the last one first. */
  deleted = $state.raw<readonly Deleted[]>([]);
  more = $state(true);
  readonly #api: Api;
  #cursor: string | null = null;
  #loading: Promise<void> | null = null;

  constructor(api: Api) {
    this.#api = api;
  }

  row(id: string): ConversationRow | undefined {
    return this.rows.find((row) => row.id === id);
  }

  /** Loads the first page: on start, and after changes may have been missed. */
  async load(): Promise<void> {
    const page = await this.#api.conversations({ limit: PAGE });
    // eslint-disable-next-line svelte/prefer-svelte-reactivity -- local to this call
    const seen = new Set(page.items.map((row) => row.id));
    const last = page.items.at(-1);
    // Rows of later pages stay. One that would sort into this page and isn't there has been deleted.
    const later = last ? this.rows.filter((row) => !seen.has(row.id) && byRecency(last, row) < 0) : [];
    const connected = this.rows.some((row) => seen.has(row.id));
    if (page.next_cursor === null || !connected) {
      this.rows = sortRows(page.items);
      this.#cursor = page.next_cursor;
    } else this.rows = sortRows([...page.items, ...later]);
    this.more = this.#cursor !== null;
    this.loaded = true;
  }

  /** The next page, when the list is scrolled towards its end. */
  loadMore(): Promise<void> {
    if (!this.#cursor) return Promise.resolve();
    this.#loading ??= this.#nextPage(this.#cursor).finally(() => (this.#loading = null));
    return this.#loading;
  }

  async rename(id: string, title: string): Promise<void> {
    this.#put(await this.#api.change(id, { title }));
  }

  async pin(id: string, pinned: boolean): Promise<void> {
    this.#put(await this.#api.change(id, { pinned }));
  }

  async remove(id: string): Promise<void> {
    const title = this.row(id)?.title ?? '';
    await this.#api.remove(id);
    this.#removeRow(id);
    const one = { id, title };
    this.deleted = [one, ...this.deleted];
    setTimeout(() => this.#forget(one), UNDO_MS);
  }

  async undo(one: Deleted): Promise<void> {
    this.#forget(one);
    await this.restore(one.id);
  }

  async restore(id: string): Promise<void> {
    this.#put(await this.#api.restore(id));
  }

  #forget(one: Deleted): void {
    this.deleted = this.deleted.filter((other) => other !== one);
  }

  applyChange(change: LiveChange): void {
    if (change.change === 'conversation-deleted' && change.conversation) this.#removeRow(change.conversation);
    else if (change.row && change.row.origin === 'page') this.#put(change.row);
  }

  put(row: ConversationRow): void {
    this.#put(row);
  }

  #put(row: ConversationRow): void {
    const { id, title, pinned, origin, created_at, updated_at, status, generation } = row;
    const clean = { id, title, pinned, origin, created_at, updated_at, status, generation };
    this.rows = sortRows([{ ...clean, snippet: null }, ...this.rows.filter((other) => other.id !== id)]);
  }

  #removeRow(id: string): void {
    this.rows = this.rows.filter((row) => row.id !== id);
  }

  async #nextPage(cursor: string): Promise<void> {
    const page = await this.#api.conversations({ cursor, limit: PAGE });
    // eslint-disable-next-line svelte/prefer-svelte-reactivity -- local to this call
    const seen = new Set(this.rows.map((row) => row.id));
    this.rows = sortRows([...this.rows, ...page.items.filter((row) => !seen.has(row.id))]);
    this.#cursor = page.next_cursor;
    this.more = page.next_cursor !== null;
  }
}

function sortRows(rows: ConversationRow[]): ConversationRow[] {
  return rows.sort(byRecency);
}

/** Pinned rows first, then the most recently updated. */
function byRecency(a: ConversationRow, b: ConversationRow): number {
  if (a.pinned !== b.pinned) return a.pinned ? -1 : 1;
  return a.updated_at < b.updated_at ? 1 : a.updated_at > b.updated_at ? -1 : 0;
}
