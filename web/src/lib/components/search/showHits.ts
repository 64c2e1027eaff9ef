// Marks hits in the text of messages with the browser's own highlights, which leave the elements as they are.
import { LABELS } from '#lib/markdown/copyContent.ts';
import { bestSpan, findSpans, type SearchTerms } from '#lib/chat/searchTerms.ts';

const TEXTS = '.question-text, .prose';
const BLOCKS = 'p, li, td, th, h1, h2, h3, h4, h5, h6, pre, dt, dd, figure';

/** Marks all hits in `articles`; the best place of `current` stands out. Returns that place, if there is one. */
export function showHits(
  articles: readonly HTMLElement[],
  terms: SearchTerms,
  current: HTMLElement | null
): Range | null {
  const found: Range[] = [];
  let best: Range | null = null;
  for (const article of articles) {
    for (const text of article.querySelectorAll<HTMLElement>(TEXTS)) {
      const { nodes, content } = textOf(text);
      const spans = findSpans(content, terms);
      const chosen = article === current && !best ? bestSpan(spans) : null;
      for (const span of spans) {
        const range = rangeOf(nodes, span.start, span.end);
        if (!range) continue;
        if (span === chosen) best = range;
        else found.push(range);
      }
    }
  }
  setHighlight('hit', found);
  setHighlight('hit-current', best ? [best] : []);
  return best;
}

export function hideHits(): void {
  setHighlight('hit', []);
  setHighlight('hit-current', []);
}

interface TextNode {
  node: Text;
  start: number;
}

/** The text of an element and where its nodes begin in it; a line break between blocks. */
function textOf(root: HTMLElement): { nodes: TextNode[]; content: string } {
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT, (node) => {
    if (!(node instanceof Element)) return NodeFilter.FILTER_ACCEPT;
    return node.matches(LABELS) ? NodeFilter.FILTER_REJECT : NodeFilter.FILTER_SKIP;
  });
  const nodes: TextNode[] = [];
  let content = '';
  let block: Element | null = null;
  while (walker.nextNode()) {
    const node = walker.currentNode as Text;
    const inside: Element | null = node.parentElement?.closest(BLOCKS) ?? root;
    if (block && inside !== block) content += '\n';
    block = inside;
    nodes.push({ node, start: content.length });
    content += node.data;
  }
  return { nodes, content };
}

function rangeOf(nodes: readonly TextNode[], start: number, end: number): Range | null {
  const from = nodes.findLast((one) => one.start <= start);
  const to = nodes.findLast((one) => one.start < end);
  if (!from || !to) return null;
  const range = document.createRange();
  range.setStart(from.node, Math.min(start - from.start, from.node.length));
  range.setEnd(to.node, Math.min(end - to.start, to.node.length));
  return range;
}

function setHighlight(name: string, ranges: Range[]): void {
  if (typeof Highlight === 'undefined') return; // Firefox before 140: the message is scrolled to all the same
  if (ranges.length > 0) CSS.highlights.set(name, new Highlight(...ranges));
  else CSS.highlights.delete(name);
}
