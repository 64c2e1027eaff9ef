// KaTeX, loaded when the first formula is shown. It builds elements itself, no HTML text passes through here;
// commands that could reach outside (links, images, raw HTML) are refused by `trust: false`.

type Katex = typeof import('katex').default;

let loaded: Katex | null = null;

/** KaTeX if it is here already, so that a formula need not flicker through its source. */
export function loadedKatex(): Katex | null {
  return loaded;
}

export async function loadKatex(): Promise<Katex> {
  const [module] = await Promise.all([import('katex'), import('katex/dist/katex.min.css')]);
  loaded = module.default;
  return loaded;
}

/** Longest formula that is set, in UTF-16 units: beyond it, one formula could hold up the page. */
const MAX_LENGTH = 4_000;

/** `tex` as an element, or null if it cannot be read. */
export function formulaElement(katex: Katex, tex: string, display: boolean): HTMLElement | null {
  if (tex.length > MAX_LENGTH) return null;
  const root = document.createElement('span');
  try {
    katex.render(tex, root, {
      displayMode: display,
      trust: false,
      strict: false,
      maxExpand: 500,
      maxSize: 40
    });
    return root;
  } catch {
    return null;
  }
}
