// Reads from the elements of a conversation which message is at the top of the view, and scrolls back to it.
import type { ReadingPlace } from '#lib/chat/ReadingPlaces.ts';

/** The message at the top of the view of `box`; null when there is none. */
export function findPlace(box: HTMLElement): ReadingPlace | null {
  const { top } = box.getBoundingClientRect();
  // Turns first: measuring inside one that is skipped off screen would make the browser lay it out.
  const turn = firstReaching([...box.querySelectorAll('.turn')], top);
  const article = firstReaching([...(turn?.querySelectorAll('article[id]') ?? [])], top);
  return article && { message: article.id.slice(2), offset: article.getBoundingClientRect().top - top };
}

/** The first of `elements`, which stand below each other, whose lower edge is below `top`. */
function firstReaching(elements: Element[], top: number): Element | null {
  let [low, high] = [0, elements.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((elements[middle]?.getBoundingClientRect().bottom ?? 0) > top) high = middle;
    else low = middle + 1;
  }
  return elements[low] ?? null;
}

/** The scroll position of `box` that has `place` where it was; null while its message isn't rendered. */
export function scrollTopOf(place: ReadingPlace, box: HTMLElement): number | null {
  const article = document.getElementById(`m-${place.message}`);
  if (!article) return null;
  const moved = article.getBoundingClientRect().top - box.getBoundingClientRect().top - place.offset;
  return box.scrollTop + moved;
}
