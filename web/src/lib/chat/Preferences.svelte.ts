// What a person chose for this browser: theme, language, presets, drafts. Kept in local storage, read once.
import type { Options } from '#lib/wire/types.ts';

export type Theme = 'system' | 'light' | 'dark';

export interface Preset {
  name: string;
  system_prompt: string;
  options: Options;
}

const PREFIX = 'grantha.';

export class Preferences {
  theme = $state<Theme>('system');
  language = $state<string | null>(null);
  presets = $state.raw<Preset[]>([]);
  /** Changed keys: action name to a pattern such as "Alt+KeyN". */
  keys = $state.raw<Record<string, string>>({});
  readonly #storage: Storage;

  constructor(storage: Storage) {
    this.#storage = storage;
    this.theme = this.#read<Theme>('theme', 'system');
    this.language = this.#read<string | null>('language', null);
    this.presets = this.#read<Preset[]>('presets', []);
    this.keys = this.#read<Record<string, string>>('keys', {});
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

  setKeys(keys: Record<string, string>): void {
    this.keys = keys;
    this.#write('keys', keys);
  }

  /** The unsent text of a conversation; `new` for the one that does not exist yet. */
  draft(conversation: string): string {
    return this.#read<string>(`draft.${conversation}`, '');
  }

  setDraft(conversation: string, text: string): void {
    if (text) this.#write(`draft.${conversation}`, text);
    else this.#storage.removeItem(`${PREFIX}draft.${conversation}`);
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
      // A full or forbidden storage loses a preference, nothing more.
    }
  }
}
