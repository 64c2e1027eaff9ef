// Mermaid, loaded when the first diagram is complete. Its strict mode leaves out scripts and links; what it draws is
// cleaned again by DOMPurify and goes into a shadow root, so that the styles of a drawing stay inside it.

import type { Config } from 'dompurify';
import { nextTurn } from './turns.ts';

const CLEAN: Config = {
  USE_PROFILES: { svg: true, svgFilters: true },
  FORBID_TAGS: ['a', 'image', 'foreignObject', 'script'],
  FORBID_ATTR: ['href', 'xlink:href'],
  RETURN_DOM_FRAGMENT: true
};
const LONGEST = 20_000;

let turn: Promise<unknown> = Promise.resolve();
let count = 0;

/** Loads what drawing needs; for a diagram that is still being written. */
export function prepareDiagrams(): void {
  // What goes wrong here goes wrong again where it is dealt with.
  Promise.all([import('mermaid'), import('dompurify')]).catch(() => undefined);
}

/** Draws `source` into `root`. Throws when it is no diagram. One at a time: Mermaid keeps its settings globally. */
export function drawDiagram(root: ShadowRoot, source: string, dark: boolean): Promise<void> {
  const drawn = turn.then(() => draw(root, source, dark));
  turn = drawn.catch(() => undefined);
  return drawn;
}

async function draw(root: ShadowRoot, source: string, dark: boolean): Promise<void> {
  if (source.length > LONGEST) throw new Error('The diagram is too long to draw.');
  const [{ default: mermaid }, { default: purify }] = await Promise.all([
    import('mermaid'),
    import('dompurify')
  ]);
  mermaid.initialize({
    startOnLoad: false,
    securityLevel: 'strict',
    theme: dark ? 'dark' : 'neutral',
    fontFamily: 'inherit',
    htmlLabels: false,
    suppressErrorRendering: true,
    maxTextSize: LONGEST,
    maxEdges: 500
  });
  // Loading, reading and drawing are three tasks of some length each: never one.
  await nextTurn();
  await mermaid.parse(source);
  await nextTurn();
  const { svg } = await mermaid.render(`diagram-${String(++count)}`, source);
  await nextTurn();
  const clean = purify.sanitize(svg, CLEAN) as unknown as DocumentFragment;
  for (const style of clean.querySelectorAll('style')) {
    // A style may fetch what an element may not.
    if (/url\(|@import|image-set/i.test(style.textContent)) style.remove();
  }
  root.replaceChildren(clean);
}
