// Tooltips of icon buttons: their name, which only screen readers know, and their key.
import { DEFAULT_SHORTCUTS, keyCaps } from '#lib/chat/shortcuts.ts';

/** Gives the button under the pointer its tooltip. `own` holds the user's changes of shortcuts. */
export function showTooltip(event: PointerEvent, own: Record<string, string>): void {
  const button = (event.target as Element).closest<HTMLElement>('.btn.icon[aria-label]');
  if (!button) return;
  const { action } = button.dataset;
  const keys = action ? ({ ...DEFAULT_SHORTCUTS, ...own }[action] ?? '') : '';
  const name = button.getAttribute('aria-label') ?? '';
  button.title = keys ? `${name} (${keyCaps(keys).join(' ')})` : name;
}
