// Retries a request under one idempotency key while the network is down, so that it never takes effect twice.
import { Problem, isRetryable } from '#lib/wire/api.ts';

const PAUSES_MS = [400, 1000, 2000, 4000];

/** Retries until a reply arrives or the delays are used up; throws the last problem. */
export async function sendWithRetry<T>(
  send: (key: string) => Promise<T>,
  key: string,
  pause: (ms: number) => Promise<void> = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
): Promise<T> {
  for (const ms of PAUSES_MS) {
    try {
      return await send(key);
    } catch (problem) {
      // The server itself refused (missing key, full disk): waiting changes nothing.
      if (!isRetryable(problem) || (problem instanceof Problem && problem.code !== 'offline')) throw problem;
      await pause(ms);
    }
  }
  return send(key);
}

/** A random key. `crypto.randomUUID` exists only on secure origins. */
export function newIdempotencyKey(): string {
  if (typeof crypto.randomUUID === 'function') return crypto.randomUUID();
  return [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, '0')).join('');
}
