// Keyboard shortcuts: maps a key press to an action. With Alt, the physical key counts, so every layout works.
// A pattern is "Ctrl+", "Alt+", "Shift+" before a `KeyboardEvent.code`, or one printed character.

export const DEFAULT_SHORTCUTS: Record<string, string> = {
  newChat: 'Alt+KeyN',
  search: '/',
  palette: 'Ctrl+KeyK',
  nextConversation: 'Alt+ArrowDown',
  previousConversation: 'Alt+ArrowUp',
  nextVersion: 'Alt+ArrowRight',
  previousVersion: 'Alt+ArrowLeft',
  nextMessage: 'j',
  previousMessage: 'k',
  copyAnswer: 'Alt+KeyC',
  copyCode: 'Alt+Shift+KeyC',
  regenerate: 'Alt+KeyR',
  continue: 'Alt+KeyG',
  controls: 'Alt+KeyT',
  inspector: 'Alt+KeyI',
  model: 'Alt+KeyM',
  sidebar: 'Alt+KeyB',
  rename: 'F2',
  jumpToLatest: 'End',
  shortcuts: '?',
  stop: 'Escape'
};

/** Plain characters and End are no shortcuts inside text fields. */
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

/**
 * The action of a key press, or null. `own` holds the user's changes. On a Mac, Alt types characters and moves by words,
 * so in a text field it is left to the system.
 */
export function actionForKey(event: KeyPress, own: Record<string, string>, mac = isMac()): string | null {
  const pattern = keyPattern(event);
  if (isTyping(event.target) && (NOT_WHILE_TYPING.test(pattern) || (mac && pattern.startsWith('Alt+'))))
    return null;
  const keys = { ...DEFAULT_SHORTCUTS, ...own };
  return Object.keys(keys).find((action) => keys[action] === pattern) ?? null;
}

/** What Enter does in a message: send, start a new line, or whatever suits the device. */
export type EnterKey = 'auto' | 'send' | 'newline';

/** Whether the key belongs to an input method. Safari ends a composition before its last keydown, which has code 229. */
export function isComposing(event: KeyboardEvent): boolean {
  return event.isComposing || event.keyCode === 229;
}

/** Whether the key sends the message: Ctrl+Enter (⌘ on a Mac) always, Enter unless it should start a new line. */
export function isSendKey(event: KeyboardEvent, enterKey: EnterKey): boolean {
  if (event.key !== 'Enter' || event.shiftKey || event.altKey || isComposing(event)) return false;
  if (event.ctrlKey || event.metaKey || enterKey === 'send') return true;
  // Keyboards on touch screens have no Shift+Enter: Enter would be the only way to start a new line.
  return enterKey === 'auto' && !matchMedia('(hover: none) and (pointer: coarse)').matches;
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

function isMac(): boolean {
  return typeof navigator !== 'undefined' && /^(?:Mac|iP)/.test(navigator.platform);
}

function isTyping(target: EventTarget | null): boolean {
  if (typeof HTMLElement === 'undefined' || !(target instanceof HTMLElement)) return false;
  return target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName);
}
