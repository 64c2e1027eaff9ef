// Mermaid, loaded when the first diagram is complete. Its strict mode leaves out scripts and links; what it draws is
// cleaned again by DOMPurify and goes into a shadow root, so that the styles of a drawing stay inside it.

import type { Config } from 'dompurify';
import { themeVariables, type DiagramColors } from './diagramColors.ts';
import { nextTask } from './taskQueue.ts';

const CLEAN: Config = {
  USE_PROFILES: { svg: true, svgFilters: true },
  FORBID_TAGS: ['a', 'image', 'foreignObject', 'script'],
  FORBID_ATTR: ['href', 'xlink:href'],
  RETURN_DOM_FRAGMENT: true
};
const MAX_LENGTH = 20_000;

let turn: Promise<unknown> = Promise.resolve();
let count = 0;

/** Preloads what drawing needs, while the diagram is still being written. */
export function prepareDiagrams(): void {
  // A failure repeats, and is handled, in `draw`.
  Promise.all([import('mermaid'), import('dompurify')]).catch(() => undefined);
}

/** Draws `source` into `root`. Rejects when it isn't a diagram. One at a time: Mermaid's settings are global. */
export function drawDiagram(root: ShadowRoot, source: string, colors: DiagramColors): Promise<void> {
  const drawn = turn.then(() => draw(root, source, colors));
  turn = drawn.catch(() => undefined);
  return drawn;
}

/** Zero width: addresses and tags look the same with it, and are none. */
const GAP = '\u200b';

/**
 * `source` with nothing in it that could run or fetch. Mermaid measures by writing labels, styles and pictures into the
 * page as they are, before anything could clean them; what is drawn is cleaned, but that would be too late.
 */
export function harmless(source: string): string {
  return (
    source
      // Settings: they could switch strict mode off, or bring styles of their own.
      .replace(/^\s*---\s*\n[\s\S]*?\n\s*---\s*\n/, '')
      .replace(/%%\{[\s\S]*?\}%%/g, '')
      // Tags but `<br>`; `<<interface>>` is none.
      .replace(/<<\w+>>|<br\s*\/?>|<(?=[a-z/!?])/gi, (found) => (found === '<' ? '#lt;' : found))
      // Addresses, also the short form without a scheme, and CSS escapes that would spell one.
      .replace(/\b(https?|wss?|ftp|file|data|blob|javascript)(?=\s*:)/gi, `$1${GAP}`)
      .replace(/([/\\])(?=[/\\])/g, `$1${GAP}`)
      .replace(/\\(?=[\da-f])/gi, '')
  );
}

async function draw(root: ShadowRoot, source: string, colors: DiagramColors): Promise<void> {
  if (source.length > MAX_LENGTH) throw new Error('The diagram is too long to draw.');
  const [{ default: mermaid }, { default: purify }] = await Promise.all([
    import('mermaid'),
    import('dompurify')
  ]);
  mermaid.initialize({
    startOnLoad: false,
    securityLevel: 'strict',
    theme: 'base',
    themeVariables: themeVariables(colors),
    // The newer look has shadows and gradients.
    look: 'classic',
    // Half transparent, a label would be struck through by its own line.
    themeCSS: '.edgeLabel rect { opacity: 1 }',
    fontFamily: 'inherit',
    htmlLabels: false,
    layout: 'dagre',
    suppressErrorRendering: true,
    maxTextSize: MAX_LENGTH,
    maxEdges: 500
  });
  // Loading, reading and drawing are three tasks of some length each: never one.
  await nextTask();
  const text = harmless(source);
  await mermaid.parse(text);
  await nextTask();
  const { svg } = await mermaid.render(`diagram-${String(++count)}`, text);
  await nextTask();
  const clean = purify.sanitize(svg, CLEAN) as unknown as DocumentFragment;
  dropFetches(clean);
  root.replaceChildren(clean);
}

const FETCH = /@import[^;]*;?|(?:image-set|src)\([^)]*\)|url\((?!\s*["']?#)[^)]*\)/gi;

/** Styles and attributes may point into the drawing, and nowhere else. */
function dropFetches(context: DocumentFragment): void {
  for (const element of context.querySelectorAll('*')) {
    if (element.localName === 'style') element.textContent = element.textContent.replace(FETCH, 'none');
    for (const { name, value } of [...element.attributes]) {
      if (value.search(FETCH) >= 0) element.removeAttribute(name);
    }
  }
}
