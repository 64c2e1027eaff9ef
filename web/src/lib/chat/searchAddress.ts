// Addresses of searches and of their hits.
import type { SearchHit } from '#lib/wire/types.ts';

export const PERIODS = [1, 7, 31, 365] as const;
const DAY_MS = 24 * 60 * 60 * 1000;

/** A query and its filters as they stand in the address; empty means any. `days` back from now. */
export interface SearchRequest {
  q: string;
  model: string;
  role: '' | 'user' | 'assistant';
  days: number | null;
}

/** The address of a search. */
export function searchPath({ q, model, role, days }: SearchRequest): string {
  const given = Object.entries({ q, model, role, days: days ? String(days) : '' });
  const parameters = new URLSearchParams(given.filter(([, value]) => value !== ''));
  return parameters.size > 0 ? `/search?${parameters}` : '/search';
}

/** The search that an address stands for. */
export function searchRequest(parameters: Pick<URLSearchParams, 'get'>): SearchRequest {
  const role = parameters.get('role');
  return {
    q: parameters.get('q') ?? '',
    model: parameters.get('model') ?? '',
    role: role === 'user' || role === 'assistant' ? role : '',
    days: PERIODS.find((days) => String(days) === parameters.get('days')) ?? null
  };
}

/** The address of a hit: its conversation, at its message. */
export function hitPath(hit: Pick<SearchHit, 'conversation' | 'message'>, q: string): string {
  const { conversation, message } = hit;
  return message ? `/c/${conversation}?${new URLSearchParams({ message, q })}` : `/c/${conversation}`;
}

/** The time `days` before `now`, which is in ms since 1970. */
export function daysBefore(now: number, days: number): string {
  return new Date(now - days * DAY_MS).toISOString();
}
