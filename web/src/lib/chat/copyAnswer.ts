// Copies an answer: as it was written for editors of Markdown, and as HTML for programs that take formatted text.
import { copyText } from '#lib/clipboard.ts';
import { contentOfElements } from '#lib/markdown/copyContent.ts';
import type { Answer } from './Answer.svelte.ts';

/** Rejects when the browser refuses. */
export function copyAnswer(answer: Answer): Promise<void> {
  const rendered = document.getElementById(`m-${answer.message}`)?.querySelectorAll('.prose') ?? [];
  return copyText(answer.text, contentOfElements(rendered)?.html);
}
