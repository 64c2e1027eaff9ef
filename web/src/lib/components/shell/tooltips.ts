// Tooltips of icon buttons: their name, which only screen readers know, and their key.
import { DEFAULT_SHORTCUTS, keyCaps } from '#lib/chat/shortcuts.ts';

/**
 * Gives the icon button under the pointer its tooltip. `data-action` names the shortcut, `data-keys` keys that are none
 * of those; `data-tooltip` replaces the name. `own` holds the user's changes of shortcuts.
 */
export function showTooltip(event: PointerEvent, own: Record<string, string>): void {
  const button = (event.target as Element).closest<HTMLElement>('button, a');
  const name = button?.dataset['tooltip'] ?? button?.getAttribute('aria-label');
  if (!button || !name || hasVisibleName(button)) return;
  const { action, keys: fixed } = button.dataset;
  const keys = action ? { ...DEFAULT_SHORTCUTS, ...own }[action] : fixed;
  button.title = keys ? `${name} (${keyCaps(keys).join(' ')})` : name;
}

function hasVisibleName(button: HTMLElement): boolean {
  return !button.dataset['tooltip'] && /\p{L}/u.test(button.textContent);
}
