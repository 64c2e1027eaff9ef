// The catalog in use. English is bundled; other languages are loaded on demand.
import { en, type Strings } from './en.ts';

export const LANGUAGES: Record<string, string> = {
  en: 'English',
  de: 'Deutsch',
  fr: 'Français',
  es: 'Español'
};

const CATALOGS: Record<string, () => Promise<Strings>> = {
  de: async () => (await import('./de.ts')).de,
  fr: async () => (await import('./fr.ts')).fr,
  es: async () => (await import('./es.ts')).es
};

export class Language {
  code = $state('en');
  strings = $state.raw<Strings>(en);

  constructor(wanted: string) {
    void this.use(wanted);
  }

  /** Takes a BCP 47 tag; a language without a catalog is English. */
  async use(wanted: string): Promise<void> {
    const code = wanted.slice(0, 2).toLowerCase();
    const catalog = CATALOGS[code];
    this.strings = catalog ? await catalog() : en;
    this.code = catalog ? code : 'en';
    document.documentElement.lang = this.code;
  }
}
