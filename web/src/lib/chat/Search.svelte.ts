// The state of the search screen: what was searched for, and the hits so far. The address holds the query and the filters.
import type { Api, Problem } from '#lib/wire/api.ts';
import type { SearchHit } from '#lib/wire/types.ts';
import { daysBefore, searchPath, type SearchRequest } from './searchAddress.ts';

const PAGE = 50;
const KEPT_MS = 120_000;

/** Hits that stand below each other and are of one conversation. */
export interface HitGroup {
  key: string;
  hits: SearchHit[];
}

export class Search {
  hits = $state.raw<SearchHit[]>([]);
  /** Whose hits these are; null until the first reply. */
  shown = $state.raw<SearchRequest | null>(null);
  more = $state(false);
  loading = $state(false);
  problem = $state.raw<Problem | null>(null);
  /** How long the first page took, in ms. */
  took = $state(0);
  /** Where the list was scrolled to when it was left. */
  scrollTop = 0;
  readonly groups: HitGroup[] = $derived(groupHits(this.hits));
  readonly #api: Api;
  #cursor: string | null = null;
  #since: string | undefined;
  #number = 0;
  #at = 0;

  constructor(api: Api) {
    this.#api = api;
  }

  /** Searches again, unless these are the hits that were shown a moment ago. */
  async run(request: SearchRequest): Promise<void> {
    const now = Date.now();
    const number = ++this.#number; // the reply to an earlier search is dropped
    if (this.shown && searchPath(this.shown) === searchPath(request) && now - this.#at < KEPT_MS) {
      this.loading = false;
      this.problem = null;
      return;
    }
    this.scrollTop = 0;
    if (!request.q.trim()) {
      this.#show(request, [], null);
      this.loading = false;
      return;
    }
    this.loading = true;
    const since = request.days ? daysBefore(now, request.days) : undefined;
    try {
      const page = await this.#api.search(queryOf(request, since, null));
      if (number !== this.#number) return;
      this.#since = since;
      this.took = Date.now() - now;
      this.#show(request, page.items, page.next_cursor);
      this.#at = now;
    } catch (problem) {
      if (number === this.#number) this.problem = problem as Problem;
    }
    if (number === this.#number) this.loading = false;
  }

  /** The next page, at the end of the list. */
  async loadMore(): Promise<void> {
    const { shown } = this;
    if (!shown || !this.#cursor || this.loading) return;
    const number = this.#number;
    this.loading = true;
    try {
      const page = await this.#api.search(queryOf(shown, this.#since, this.#cursor));
      if (number !== this.#number) return;
      this.#show(shown, [...this.hits, ...page.items], page.next_cursor);
    } catch (problem) {
      if (number === this.#number) this.problem = problem as Problem;
    }
    if (number === this.#number) this.loading = false;
  }

  #show(request: SearchRequest, hits: SearchHit[], cursor: string | null): void {
    this.shown = request;
    this.hits = hits;
    this.#cursor = cursor;
    this.more = cursor !== null;
    this.problem = null;
  }
}

function queryOf(
  { q, model, role }: SearchRequest,
  since: string | undefined,
  cursor: string | null
): Record<string, string> {
  return {
    q,
    limit: String(PAGE),
    ...(model && { model }),
    ...(role && { role }),
    ...(since && { since }),
    ...(cursor && { cursor })
  };
}

function groupHits(hits: readonly SearchHit[]): HitGroup[] {
  const groups: HitGroup[] = [];
  for (const hit of hits) {
    const last = groups.at(-1);
    if (hit.message && last?.hits[0]?.message && last.hits[0].conversation === hit.conversation)
      last.hits.push(hit);
    else groups.push({ key: hit.message ?? hit.conversation, hits: [hit] });
  }
  return groups;
}
