// Points in time, in the words of a language.

const CLOCK = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' } as const;
const DATE = { ...CLOCK, day: 'numeric', month: 'short' } as const;
const DAY = { day: 'numeric', month: 'long' } as const;
const KINDS = {
  clock: CLOCK,
  date: DATE,
  dateOfOtherYear: { ...DATE, year: 'numeric' },
  day: DAY,
  dayOfOtherYear: { ...DAY, year: 'numeric' },
  month: { month: 'long' },
  monthOfOtherYear: { month: 'long', year: 'numeric' },
  full: { dateStyle: 'full', timeStyle: 'short' }
} as const;

/** Making one takes the browser longer than rendering the message that needs it. */
const formats = new Map<string, Intl.DateTimeFormat>();

function format(at: Date, kind: keyof typeof KINDS, language: string): string {
  const key = `${language} ${kind}`;
  let found = formats.get(key);
  if (!found) formats.set(key, (found = new Intl.DateTimeFormat(language, KINDS[kind])));
  return found.format(at);
}

/** The day of a time in ms since 1970, as `Date.toDateString` writes it. */
export function dayOf(time: number): string {
  return new Date(time).toDateString();
}

/** "15:12" on the day `today` (see `dayOf`), "3 Nov, 15:12" in its year, else with the year. */
export function messageTime(iso: string, today: string, language: string): string {
  const at = new Date(iso);
  if (at.toDateString() === today) return format(at, 'clock', language);
  return format(at, isOfYear(at, today) ? 'date' : 'dateOfOtherYear', language);
}

/** "15:12". */
export function clockTime(iso: string, language: string): string {
  return format(new Date(iso), 'clock', language);
}

const DAY_MS = 24 * 60 * 60 * 1000;

/** "Today", "Yesterday", "24 November", before the year of `today` (see `dayOf`) with the year. */
export function dayName(
  iso: string,
  today: string,
  language: string,
  names: { today: string; yesterday: string }
): string {
  const at = new Date(iso);
  if (at.toDateString() === today) return names.today;
  // At noon, since days with a change of the clock are shorter or longer.
  if (at.toDateString() === dayOf(Date.parse(today) - DAY_MS / 2)) return names.yesterday;
  return format(at, isOfYear(at, today) ? 'day' : 'dayOfOtherYear', language);
}

function isOfYear(at: Date, today: string): boolean {
  return at.getFullYear() === new Date(today).getFullYear();
}

/** "October" for "2026-10" in the year of `today` (see `dayOf`), else "October 2025". */
export function monthName(month: string, today: string, language: string): string {
  const [year = 0, number = 1] = month.split('-').map(Number);
  const first = new Date(year, number - 1);
  const name = format(first, isOfYear(first, today) ? 'month' : 'monthOfOtherYear', language);
  // As a heading; in Spanish and French, months are written small elsewhere.
  return `${name[0]?.toLocaleUpperCase(language) ?? ''}${name.slice(1)}`;
}

/** Date and time in full: "Sunday 29 November 2026 at 15:12". */
export function fullTime(iso: string, language: string): string {
  return format(new Date(iso), 'full', language);
}
