// The keyboard: which action a key press means. Alt is matched by physical key, so that every layout works.
// A pattern is "Ctrl+", "Alt+", "Shift+" before a `KeyboardEvent.code`, or one printed character.

export const DEFAULT_KEYS: Record<string, string> = {
  newChat: 'Alt+KeyN',
  search: '/',
  palette: 'Ctrl+KeyK',
  nextConversation: 'Alt+ArrowDown',
  earlierConversation: 'Alt+ArrowUp',
  nextVersion: 'Alt+ArrowRight',
  earlierVersion: 'Alt+ArrowLeft',
  nextMessage: 'j',
  earlierMessage: 'k',
  copyAnswer: 'Alt+KeyC',
  copyCode: 'Alt+Shift+KeyC',
  regenerate: 'Alt+KeyR',
  continue: 'Alt+KeyG',
  controls: 'Alt+KeyT',
  inspector: 'Alt+KeyI',
  model: 'Alt+KeyM',
  rename: 'F2',
  newest: 'End',
  keys: '?',
  stop: 'Escape'
};

/** Keys that type or move in a text field mean nothing else there. */
const NOT_WHILE_TYPING = /^(.|End)$/;

export interface KeyPress {
  key: string;
  code: string;
  altKey: boolean;
  ctrlKey: boolean;
  metaKey: boolean;
  shiftKey: boolean;
  target: EventTarget | null;
}

export function keyPattern(event: KeyPress): string {
  const mods = `${event.ctrlKey || event.metaKey ? 'Ctrl+' : ''}${event.altKey ? 'Alt+' : ''}`;
  if (!mods) return event.key.length === 1 ? event.key.toLowerCase() : event.key;
  return `${mods}${event.shiftKey ? 'Shift+' : ''}${event.code}`;
}

/** The action of a key press, or null. `own` holds what a person changed. */
export function actionForKey(event: KeyPress, own: Record<string, string>): string | null {
  const pattern = keyPattern(event);
  if (NOT_WHILE_TYPING.test(pattern) && isTyping(event.target)) return null;
  const keys = { ...DEFAULT_KEYS, ...own };
  return Object.keys(keys).find((action) => keys[action] === pattern) ?? null;
}

/** "Alt N", as printed on a key cap. */
export function keyCaps(pattern: string): string[] {
  return pattern.split('+').map((part) =>
    part
      .replace(/^Key|^Digit/, '')
      .replace(/^Arrow(.*)$/, (_, way: string) => ARROWS[way] ?? way)
      .replace('Escape', 'Esc')
      .replace(/^[a-z]$/, (letter) => letter.toUpperCase())
  );
}

const ARROWS: Record<string, string> = { Up: '↑', Down: '↓', Left: '←', Right: '→' };

function isTyping(target: EventTarget | null): boolean {
  if (typeof HTMLElement === 'undefined' || !(target instanceof HTMLElement)) return false;
  return target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName);
}
