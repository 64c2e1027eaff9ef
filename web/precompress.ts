// Wraps an adapter so that text files of the built page are also stored precompressed, as `name.br` and
// `name.gz`, which the server sends as they are. Must be the outermost wrapper, or a copy would be of an older file.
import type { Adapter } from '@sveltejs/kit';

/** Runs `inner`, then compresses what it wrote into `pages`. */
export function precompressed(inner: Adapter, pages: string): Adapter {
  return {
    ...inner,
    async adapt(builder) {
      await inner.adapt(builder);
      await builder.compress(pages);
    }
  };
}
