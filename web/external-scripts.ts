// Wraps the static adapter so that the built page holds no inline script. SvelteKit starts the page with an
// inline <script>; the server's Content-Security-Policy (script-src 'self') refuses those. The same text is
// written to a file named by its hash instead. Invariant: after `adapt`, no <script> in the page has a body.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Adapter } from '@sveltejs/kit';

const INLINE_SCRIPT = /<script>([\s\S]*?)<\/script>/g;

/** Runs `inner`, then moves every inline script of `pages/fallback` into `<appDir>/immutable/boot.<hash>.js`. */
export function externalBoot(inner: Adapter, pages: string, fallback: string): Adapter {
  return {
    ...inner,
    async adapt(builder) {
      await inner.adapt(builder);
      const folder = `${builder.config.appDir}/immutable`;
      const file = join(pages, fallback);
      const html = readFileSync(file, 'utf8').replace(INLINE_SCRIPT, (_whole, body: string) => {
        const name = `boot.${createHash('sha256').update(body).digest('base64url').slice(0, 10)}.js`;
        mkdirSync(join(pages, folder), { recursive: true });
        writeFileSync(join(pages, folder, name), body);
        // Classic and blocking on purpose: the start code reads document.currentScript.
        return `<script src="/${folder}/${name}"></script>`;
      });
      writeFileSync(file, html);
    }
  };
}
