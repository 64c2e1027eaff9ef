// A seam as text: what happened, then how the segments were joined. For margin notes and the inspector.
import type { Strings } from '#lib/strings/en.ts';
import type { Seam } from '#lib/wire/types.ts';
import { formatNumber, formatDuration } from './numbers.ts';

/** `nameOf` gives a model its name. */
export function seamText(
  seam: Seam,
  t: Strings,
  locale: string,
  nameOf: (model: string) => string
): { what: string; detail: string } {
  const mode = seam.mode === 'prefix' ? t.modePrefix : seam.mode === 'instruction' ? t.modeInstruction : '';
  switch (seam.reason) {
    case 'options':
      return {
        what: t.seamOptions(changesIn(seam, t, locale, nameOf)),
        detail: mode ? sentence(`${t.seamByYou} ${mode}`) : ''
      };
    case 'restart':
      return { what: t.seamRestart, detail: backIn(seam, t, locale) };
    case 'provider-lost':
      return { what: t.seamProvider, detail: mode ? sentence(mode) : t.nothingLost };
    case 'fallback':
      return { what: t.seamFallback(nameOf(seam.model)), detail: sentence(mode) };
    default:
      return { what: t.seamContinued, detail: sentence(mode) };
  }
}

function backIn(seam: Seam, t: Strings, locale: string): string {
  const downtime = seam.details?.['downtime_ms'];
  return typeof downtime === 'number' ? t.backIn(formatDuration(downtime, locale)) : t.nothingLost;
}

function changesIn(seam: Seam, t: Strings, locale: string, nameOf: (model: string) => string): string {
  return Object.entries(seam.changes ?? {})
    .map(([name, values]) => {
      const [from, to] = values.map((value) =>
        name === 'model' && typeof value === 'string' ? nameOf(value) : shown(value, t, locale)
      );
      return t.seamChange(t.optionNames[name] ?? name, from ?? '', to ?? '');
    })
    .join(', ');
}

function shown(value: unknown, t: Strings, locale: string): string {
  if (value === null || value === undefined) return t.modelDefault;
  if (typeof value !== 'number') return String(value);
  return Number.isInteger(value) ? formatNumber(value, locale) : value.toLocaleString(locale);
}

function sentence(text: string): string {
  return text ? `${text[0]?.toUpperCase()}${text.slice(1)}.` : '';
}
