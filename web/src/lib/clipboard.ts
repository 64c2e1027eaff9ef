// Copies text. Browsers offer the clipboard API on secure origins only, and a server on a LAN often has plain HTTP:
// there, the older copy command takes over.

/** Rejects when the browser refuses. */
export async function copyText(text: string): Promise<void> {
  if (window.isSecureContext) return navigator.clipboard.writeText(text);
  if (!copyByCommand(text)) throw new Error('The browser refused to copy.');
}

/** Copies the selection of a temporary field, then gives focus and selection back. */
function copyByCommand(text: string): boolean {
  const focused = document.activeElement;
  const selection = document.getSelection();
  const ranges = Array.from({ length: selection?.rangeCount ?? 0 }, (_, n) => selection?.getRangeAt(n));
  const field = document.createElement('textarea');
  field.value = text;
  field.readOnly = true; // else phones open their keyboard
  field.className = 'sr';
  // Outside an open modal dialog, nothing can be focused.
  (document.querySelector('dialog[open]') ?? document.body).append(field);
  field.select();
  try {
    return document.execCommand('copy');
  } finally {
    field.remove();
    if (focused instanceof HTMLElement) focused.focus({ preventScroll: true });
    if (ranges.length > 0) selection?.removeAllRanges();
    for (const range of ranges) if (range) selection?.addRange(range);
  }
}
