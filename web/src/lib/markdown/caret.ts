// Keeps the caret at the live end of the rendered text. It is placed from outside, after rendering: as a property of
// blocks, it would make all of them depend on where the end is.

const INTO =
  'p, h1, h2, h3, h4, h5, h6, ul, ol, li, blockquote, table, thead, tbody, tr, td, th, figure, pre, code, .stretch, div';

/** Moves `caret` to the end of the text in `root`, into the element that the next word will go to. */
export function placeCaret(root: Element, caret: Element): void {
  let place = root;
  for (let last = lastDrawn(place, caret); last?.matches(INTO); last = lastDrawn(place, caret)) place = last;
  if (place.lastChild !== caret) place.append(caret);
}

/** The last element of `place`, if no text stands behind it. Cells that have not begun do not count. */
function lastDrawn(place: Element, caret: Element): Element | null {
  for (let node = place.lastChild; node; node = node.previousSibling) {
    if (node instanceof Element && node !== caret && !node.hasAttribute('data-unbegun')) return node;
    if (node instanceof Text && node.data.trim() !== '') return null;
  }
  return null;
}
