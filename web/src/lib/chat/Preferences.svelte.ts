// Settings of this browser: theme, language, presets, shortcuts, models, drafts. Kept in local storage, read once.
import type { CodeSettings } from '#lib/markdown/renderContext.ts';
import type { EnterKey } from './shortcuts.ts';
import type { Options } from '#lib/wire/types.ts';

export type Theme = 'system' | 'light' | 'dark';

export interface Preset {
  name: string;
  system_prompt: string;
  options: Options;
}

const PREFIX = 'grantha.';
const PLAIN_CODE: CodeSettings = { wrap: false, numbers: false, collapse: false };

export class Preferences {
  theme = $state<Theme>('system');
  language = $state<string | null>(null);
  presets = $state.raw<Preset[]>([]);
  /** Changed shortcuts: action name to a pattern such as "Alt+KeyN". */
  shortcuts = $state.raw<Record<string, string>>({});
  enterKey = $state<EnterKey>('auto');
  code = $state.raw<CodeSettings>(PLAIN_CODE);
  /** The sidebar is folded to a rail of icons. */
  sidebarFolded = $state(false);
  /** Ids of the models that the picker lists first, and of those that it leaves out. */
  favoriteModels = $state.raw<string[]>([]);
  hiddenModels = $state.raw<string[]>([]);
  readonly #storage: Storage;

  constructor(storage: Storage) {
    this.#storage = storage;
    this.theme = this.#read<Theme>('theme', 'system');
    this.language = this.#read<string | null>('language', null);
    this.enterKey = this.#read<EnterKey>('enterKey', 'auto');
    this.sidebarFolded = this.#read<boolean>('sidebarFolded', false);
    this.code = { ...PLAIN_CODE, ...this.#read<Partial<CodeSettings>>('code', {}) };
    this.presets = this.#read<Preset[]>('presets', []);
    this.shortcuts = this.#read<Record<string, string>>('shortcuts', {});
    this.favoriteModels = this.#read<string[]>('favoriteModels', []);
    this.hiddenModels = this.#read<string[]>('hiddenModels', []);
  }

  /** A favorite isn't hidden, and what is hidden is no favorite. */
  toggleFavorite(model: string): void {
    this.#setModels(toggled(this.favoriteModels, model), without(this.hiddenModels, model));
  }

  toggleHidden(model: string): void {
    this.#setModels(without(this.favoriteModels, model), toggled(this.hiddenModels, model));
  }

  setSidebarFolded(folded: boolean): void {
    this.sidebarFolded = folded;
    this.#write('sidebarFolded', folded);
  }

  setCode(code: CodeSettings): void {
    this.code = code;
    this.#write('code', code);
  }

  setEnterKey(enterKey: EnterKey): void {
    this.enterKey = enterKey;
    this.#write('enterKey', enterKey);
  }

  setTheme(theme: Theme): void {
    this.theme = theme;
    this.#write('theme', theme);
    if (theme === 'system') delete document.documentElement.dataset['theme'];
    else document.documentElement.dataset['theme'] = theme;
  }

  setLanguage(language: string): void {
    this.language = language;
    this.#write('language', language);
  }

  setPresets(presets: Preset[]): void {
    this.presets = presets;
    this.#write('presets', presets);
  }

  setShortcuts(shortcuts: Record<string, string>): void {
    this.shortcuts = shortcuts;
    this.#write('shortcuts', shortcuts);
  }

  /** The draft of a conversation; `new` for one that doesn't exist yet. */
  draft(conversation: string): string {
    return this.#read<string>(`draft.${conversation}`, '');
  }

  setDraft(conversation: string, text: string): void {
    if (text) this.#write(`draft.${conversation}`, text);
    else this.#storage.removeItem(`${PREFIX}draft.${conversation}`);
  }

  #setModels(favorites: string[], hidden: string[]): void {
    this.favoriteModels = favorites;
    this.hiddenModels = hidden;
    this.#write('favoriteModels', favorites);
    this.#write('hiddenModels', hidden);
  }

  #read<T>(name: string, otherwise: T): T {
    try {
      const text = this.#storage.getItem(PREFIX + name);
      return text === null ? otherwise : (JSON.parse(text) as T);
    } catch {
      return otherwise;
    }
  }

  #write(name: string, value: unknown): void {
    try {
      this.#storage.setItem(PREFIX + name, JSON.stringify(value));
    } catch {
      // Storage may be full or disabled; then the setting lasts until the page closes.
    }
  }
}

function without(list: readonly string[], one: string): string[] {
  return list.filter((other) => other !== one);
}

function toggled(list: readonly string[], one: string): string[] {
  return list.includes(one) ? without(list, one) : [...list, one];
}
