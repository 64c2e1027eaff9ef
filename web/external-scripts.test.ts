import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Builder } from '@sveltejs/kit';
import { expect, test } from 'vitest';
import { externalBoot } from './external-scripts.ts';

async function adapted(html: string): Promise<{ page: string; folder: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'boot-'));
  const writesThePage = {
    name: 'writes-the-page',
    adapt: () => writeFileSync(join(folder, 'index.html'), html)
  };
  await externalBoot(writesThePage, folder, 'index.html').adapt({ config: { appDir: '_app' } } as Builder);
  return { page: readFileSync(join(folder, 'index.html'), 'utf8'), folder };
}

test('an inline script becomes a file with the same text', async () => {
  const body = '\n  { const here = document.currentScript; }\n';
  const { page, folder } = await adapted(`<body><div><script>${body}</script></div></body>`);
  const src = /<script src="\/([^"]+)"><\/script>/.exec(page)?.[1];
  expect(src).toMatch(/^_app\/immutable\/boot\.[\w-]{10}\.js$/);
  expect(readFileSync(join(folder, src ?? ''), 'utf8')).toBe(body);
});

test('no script with a body is left in the page', async () => {
  const { page } = await adapted('<script>a()</script><p>text</p><script>b()</script>');
  expect(page).not.toMatch(/<script[^>]*>[^<]/);
  expect(page).toContain('<p>text</p>');
});
