// Copying from a conversation by hand: what is selected, as text and HTML, without labels; see copyContent.ts.
import { contentOfRange } from '#lib/markdown/copyContent.ts';

/** Answers a copy event if something of `thread` is selected. What is selected elsewhere is left out then. */
export function copySelection(event: ClipboardEvent, thread: Element): void {
  const selection = document.getSelection();
  const typing = event.target instanceof Element && event.target.closest('input, textarea');
  if (event.defaultPrevented || typing || !selection || selection.isCollapsed) return;
  const range = selection.getRangeAt(0).cloneRange();
  if (!range.intersectsNode(thread)) return;
  if (!thread.contains(range.startContainer)) range.setStart(thread, 0);
  if (!thread.contains(range.endContainer)) range.setEnd(thread, thread.childNodes.length);
  const content = contentOfRange(range);
  if (!content) return;
  event.clipboardData?.setData('text/plain', content.text);
  event.clipboardData?.setData('text/html', content.html);
  event.preventDefault();
}
