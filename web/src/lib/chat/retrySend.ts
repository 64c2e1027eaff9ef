// Sends with a key, and sends again with the same key while the network is away: never twice, whatever happens.
import { Problem, isRetryable } from '#lib/wire/api.ts';

const PAUSES_MS = [400, 1000, 2000, 4000];

/** Tries until a reply comes or the pauses are used up; throws the last problem. */
export async function sendWithRetry<T>(
  send: (key: string) => Promise<T>,
  key: string,
  pause: (ms: number) => Promise<void> = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
): Promise<T> {
  for (const ms of PAUSES_MS) {
    try {
      return await send(key);
    } catch (problem) {
      // A missing key, a full disk: the server has said why, and waiting changes nothing.
      if (!isRetryable(problem) || (problem instanceof Problem && problem.code !== 'offline')) throw problem;
      await pause(ms);
    }
  }
  return send(key);
}

/** A fresh key; `crypto.randomUUID` exists only on secure origins. */
export function newIdempotencyKey(): string {
  if (typeof crypto.randomUUID === 'function') return crypto.randomUUID();
  return [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, '0')).join('');
}
