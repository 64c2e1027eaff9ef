// Wraps an adapter so that text files of the built page also stand packed beside themselves, as `name.br` and
// `name.gz`: the server sends those as they are. Must be the outermost wrapper, or a copy would be of an older file.
import type { Adapter } from '@sveltejs/kit';

/** Runs `inner`, then packs what it wrote into `pages`. */
export function packed(inner: Adapter, pages: string): Adapter {
  return {
    ...inner,
    async adapt(builder) {
      await inner.adapt(builder);
      await builder.compress(pages);
    }
  };
}
