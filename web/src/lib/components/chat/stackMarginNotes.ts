// Keeps the margin notes of an answer from overlapping: a note that would cover the previous one, or the model's name
// above all of them, moves down.
// Does nothing where notes are inline. Measures only after layout.
import type { Attachment } from 'svelte/attachments';

/** Pixels between two notes. */
const GAP = 6;
const moved = new WeakMap<HTMLElement, number>();

export const stackMarginNotes: Attachment<HTMLElement> = (note) => {
  const answer = note.closest('article');
  if (!answer) return;
  const watching = new ResizeObserver(() => stack(answer));
  watching.observe(answer);
  return () => {
    watching.disconnect();
    stack(answer);
  };
};

function stack(answer: HTMLElement): void {
  const notes = [...answer.querySelectorAll<HTMLElement>('.seam .note')];
  const places = notes.map((note) => {
    const { top, height } = note.getBoundingClientRect();
    const inMargin = getComputedStyle(note).position === 'absolute';
    return { note, top: top - (moved.get(note) ?? 0), height, inMargin };
  });
  const header = answer.querySelector('.answer-header');
  const named = header !== null && getComputedStyle(header).position === 'absolute';
  let end = named ? header.getBoundingClientRect().bottom : -Infinity;
  for (const { note, top, height, inMargin } of places) {
    const down = inMargin ? Math.max(0, end + GAP - top) : 0;
    if (down !== (moved.get(note) ?? 0)) {
      note.style.translate = down ? `0 ${down}px` : '';
      moved.set(note, down);
    }
    end = top + down + height;
  }
}
