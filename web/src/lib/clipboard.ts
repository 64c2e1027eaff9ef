// Copies text. Browsers offer the clipboard API on secure origins only, and a server on a LAN often has plain HTTP:
// there, the older copy command takes over.

/** Copies `text`, and `html` for programs that take formatted text. Rejects when the browser refuses. */
export async function copyText(text: string, html?: string): Promise<void> {
  if (!window.isSecureContext) {
    if (!copyByCommand(text, html)) throw new Error('The browser refused to copy.');
  } else if (html === undefined) await navigator.clipboard.writeText(text);
  else {
    const blob = (type: string, data: string): Blob => new Blob([data], { type });
    const types = { 'text/plain': blob('text/plain', text), 'text/html': blob('text/html', html) };
    await navigator.clipboard.write([new ClipboardItem(types)]);
  }
}

/** Copies the selection of a temporary field, then gives focus and selection back. */
function copyByCommand(text: string, html?: string): boolean {
  const focused = document.activeElement;
  const selection = document.getSelection();
  const ranges = Array.from({ length: selection?.rangeCount ?? 0 }, (_, n) => selection?.getRangeAt(n));
  const field = document.createElement('textarea');
  field.value = text;
  field.readOnly = true; // else phones open their keyboard
  field.className = 'sr';
  field.addEventListener('copy', (event) => {
    event.clipboardData?.setData('text/plain', text);
    if (html !== undefined) event.clipboardData?.setData('text/html', html);
    event.preventDefault();
  });
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
