import { expect, test } from 'vitest';
import { Api, isRetryable, Problem } from './api.ts';

const PAGE = '<!doctype html><title>502 Bad Gateway</title>';

function answering(status: number, body: string): Api {
  return new Api(() =>
    Promise.resolve(new Response(body, { status, headers: { 'content-type': 'text/html' } }))
  );
}

async function problemOf(call: Promise<unknown>): Promise<Problem> {
  const problem = await call.then(
    () => null,
    (error: unknown) => error
  );
  if (!(problem instanceof Problem)) throw new Error(`not a problem: ${String(problem)}`);
  return problem;
}

// open-webui/open-webui#25712
test.each([
  [502, 'HTTP 502', 'offline', true],
  [504, 'HTTP 504', 'offline', true],
  [403, 'HTTP 403', 'unknown', false],
  [200, 'Something between this page and the server answered with a page of its own.', 'foreign_reply', false]
])("a proxy's page with status %i is reported in plain words", async (status, words, code, again) => {
  const api = answering(status, PAGE);
  for (const call of [api.create({}), api.conversation('c_1'), api.server()]) {
    const problem = await problemOf(call);
    expect([problem.status, problem.message, problem.code]).toEqual([status, words, code]);
    expect(isRetryable(problem)).toBe(again);
  }
});
