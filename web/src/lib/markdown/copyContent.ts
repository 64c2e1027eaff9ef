// What a selection of rendered text means on the clipboard: plain text and HTML that other programs understand.
// Formulas are copied once, as TeX; labels (bars of code blocks, seam notes, buttons) are no content; lists keep their
// markers and code its lines. Reads elements only: nothing here depends on how they were made.

export interface CopyContent {
  readonly text: string;
  readonly html: string;
}

/** Not part of the text. Components elsewhere mark theirs with `data-label`. */
export const LABELS = '[data-label], [role="note"], .bar, .gutter, .caret, .sr, button, summary, svg';
const FORMULA = '.formula, code.tex';
const BLOCKS = 'p, h1, h2, h3, h4, h5, h6, ul, ol, li, blockquote, table, thead, tbody, tr, th, td, pre, hr';
/** Elements that hold blocks. */
const WRAPPERS = 'div, section, article, figure, ul, ol, li, blockquote, table, thead, tbody, tr';
const INLINE = 'code, strong, em, del, sub, sup, kbd, mark, u, a, br';

/** The content of `range`, or null if there is none but labels, which browsers copy well by themselves. */
export function contentOfRange(range: Range): CopyContent | null {
  const whole = withWholeFormulas(range);
  const { commonAncestorContainer: node } = whole;
  const ancestor = node instanceof Element ? node : node.parentElement;
  if (!ancestor || ancestor.closest(LABELS)) return null;
  const fragment = document.createElement('div');
  const cleaner = new Cleaner(whole);
  const root = structureAround(ancestor);
  if (root) cleaner.add(root, fragment);
  else cleaner.addChildren(ancestor, fragment);
  return toContent(fragment);
}

/** The content of `elements`, one after the other. */
export function contentOfElements(elements: Iterable<Element>): CopyContent | null {
  const fragment = document.createElement('div');
  for (const element of elements) new Cleaner(null).addChildren(element, fragment);
  return toContent(fragment);
}

function toContent(fragment: Element): CopyContent | null {
  removeEmpty(fragment);
  const text = blocksText(fragment);
  return text === '' ? null : { text, html: fragment.innerHTML };
}

/** Half a formula is no TeX: ends inside one take in all of it. */
function withWholeFormulas(range: Range): Range {
  const whole = range.cloneRange();
  const start = elementOf(range.startContainer)?.closest(FORMULA);
  const end = elementOf(range.endContainer)?.closest(FORMULA);
  if (start) whole.setStartBefore(start);
  if (end) whole.setEndAfter(end);
  return whole;
}

function elementOf(node: Node): Element | null {
  return node instanceof Element ? node : node.parentElement;
}

/** The list, table or code block of which several items, cells or lines are selected. */
function structureAround(ancestor: Element): Element | null {
  if (ancestor.matches('ul, ol, table')) return ancestor;
  if (ancestor.matches('thead, tbody, tr')) return ancestor.closest('table');
  return ancestor.matches('pre, pre code, .stretch') ? ancestor.closest('pre') : null;
}

/** Copies selected nodes without what only this page needs: classes, styles, wrappers. */
class Cleaner {
  readonly #range: Range | null;

  constructor(range: Range | null) {
    this.#range = range;
  }

  addChildren(from: Node, into: Element): void {
    for (const child of from.childNodes) this.add(child, into);
  }

  add(node: Node, into: Element): void {
    if (this.#range && !this.#range.intersectsNode(node)) return;
    if (node instanceof Text) this.#addText(node, into);
    else if (node instanceof HTMLElement && !node.matches(LABELS)) this.#addElement(node, into);
  }

  #addElement(element: HTMLElement, into: Element): void {
    if (element.matches('pre')) addCode(this.#selectedText(element), into);
    else if (element.matches('ul, ol')) this.#addList(element, into);
    else if (!addReplaced(element, into)) {
      const made = copyOf(element);
      if (made) into.append(made);
      this.addChildren(element, made ?? into);
      if (made?.localName === 'li') unwrapParagraph(made);
    }
  }

  /** A very long list is rendered as several: here it is one again. */
  #addList(list: HTMLElement, into: Element): void {
    const before = into.lastElementChild;
    if (list.matches('.more') && before?.localName === list.localName) return this.addChildren(list, before);
    const made = document.createElement(list.localName);
    const items = [...list.children];
    const first = items.findIndex((item) => !this.#range || this.#range.intersectsNode(item));
    const start = list instanceof HTMLOListElement ? list.start + Math.max(0, first) : 1;
    if (start !== 1) made.setAttribute('start', String(start));
    into.append(made);
    this.addChildren(list, made);
  }

  #selectedText(element: Element): string {
    const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
    let text = '';
    while (walker.nextNode()) text += this.#dataOf(walker.currentNode as Text);
    return text;
  }

  /** Line ends in running text are spaces, unless they are shown as line ends. Space between blocks is none. */
  #addText(node: Text, into: Element): void {
    const text = this.#dataOf(node);
    if (text.trim() === '' && node.parentElement?.matches(WRAPPERS)) return;
    if (!keepsLines(node.parentElement)) return into.append(text.replace(/\s+/g, ' '));
    for (const [n, line] of text.split('\n').entries()) {
      if (n > 0) into.append(document.createElement('br'));
      into.append(line);
    }
  }

  #dataOf(node: Text): string {
    const range = this.#range;
    if (!range) return node.data;
    if (!range.intersectsNode(node)) return '';
    const end = node === range.endContainer ? range.endOffset : undefined;
    return node.data.slice(node === range.startContainer ? range.startOffset : 0, end);
  }
}

function keepsLines(element: Element | null): boolean {
  return element !== null && getComputedStyle(element).whiteSpace.startsWith('pre');
}

/** Adds what stands for an element whose children aren't its content; false if `element` is none. */
function addReplaced(element: HTMLElement, into: Element): boolean {
  if (element.matches(FORMULA)) addFormula(element, into);
  else if (element.matches('.diagram')) addCode(element.getAttribute('aria-label') ?? '', into);
  else if (element instanceof HTMLImageElement) addImage(element, into);
  else if (element instanceof HTMLInputElement) into.append(element.checked ? '[x] ' : '[ ] ');
  else return false;
  return true;
}

/** The element that stands for `element`, or null if it only groups others. */
function copyOf(element: HTMLElement): HTMLElement | null {
  if (element.matches('a[href]')) {
    const link = document.createElement('a');
    link.href = (element as HTMLAnchorElement).href;
    return link;
  }
  const kept = element.matches(`${BLOCKS}, ${INLINE}`) && element.localName !== 'a';
  if (kept) return document.createElement(element.localName);
  const holdsText = [...element.childNodes].some((node) => node instanceof Text && node.data.trim() !== '');
  return holdsText && element.matches('div') ? document.createElement('p') : null;
}

/** Other programs would put the paragraph of a short item into a line of its own. */
function unwrapParagraph(item: HTMLElement): void {
  const paragraphs = item.querySelectorAll(':scope > p');
  const [first] = paragraphs;
  if (first && paragraphs.length === 1) first.replaceWith(...first.childNodes);
}

function addFormula(element: HTMLElement, into: Element): void {
  const tex = (element.querySelector('annotation') ?? element).textContent.trim();
  if (!element.matches('.block')) return into.append(`$${tex}$`);
  const inside = into.matches('p, h1, h2, h3, h4, h5, h6, li, td, th');
  if (inside) return into.append(`$$${tex}$$`);
  const made = document.createElement('p');
  made.append(`$$${tex}$$`);
  into.append(made);
}

function addCode(text: string, into: Element): void {
  const pre = document.createElement('pre');
  const code = document.createElement('code');
  code.textContent = text.replace(/\n$/, '');
  pre.append(code);
  into.append(pre);
}

/** An image from elsewhere is shown from a copy of this page, which no other program can read. */
function addImage(image: HTMLImageElement, into: Element): void {
  const made = document.createElement('img');
  made.alt = image.alt;
  made.setAttribute('src', image.src.startsWith('blob:') ? image.title : image.src);
  into.append(made);
}

/** Ends of a selection often reach into the next block without taking anything of it. */
function removeEmpty(fragment: Element): void {
  for (const element of [...fragment.querySelectorAll(BLOCKS)].reverse()) {
    const cell = element.matches('td, th, hr');
    if (!cell && element.textContent === '' && !element.querySelector('img, hr')) element.remove();
  }
}

// ---- the same as plain text

function blocksText(container: Element, between = '\n\n'): string {
  const blocks: string[] = [];
  let run = '';
  const endRun = (): void => {
    const text = run.trim();
    if (text) blocks.push(text);
    run = '';
  };
  for (const node of container.childNodes) {
    if (node instanceof Element && node.matches(BLOCKS)) {
      endRun();
      blocks.push(blockText(node));
    } else run += inlineText(node);
  }
  endRun();
  return blocks.join(between);
}

function blockText(block: Element): string {
  switch (block.localName) {
    case 'pre':
      return block.textContent;
    case 'hr':
      return '---';
    case 'blockquote':
      return blocksText(block).replace(/^/gm, '> ');
    case 'ul':
    case 'ol':
      return [...block.children].map((item, n) => itemText(block, item, n)).join('\n');
    case 'table':
      return [...block.querySelectorAll('tr')].map(rowText).join('\n');
    default:
      return blocksText(block);
  }
}

function itemText(list: Element, item: Element, n: number): string {
  const marker = list instanceof HTMLOListElement ? `${String(list.start + n)}. ` : '- ';
  const text = blocksText(item, '\n');
  return marker + text.replace(/\n(?=.)/g, `\n${' '.repeat(marker.length)}`);
}

function rowText(row: Element): string {
  return [...row.children].map((cell) => blocksText(cell, ' ').replace(/\n/g, ' ')).join('\t');
}

function inlineText(node: Node): string {
  if (node instanceof Text) return node.data;
  if (node instanceof HTMLImageElement) return node.alt;
  if (node instanceof HTMLBRElement) return '\n';
  return [...node.childNodes].map(inlineText).join('');
}
