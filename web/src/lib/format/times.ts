// Points in time, in the words of a language.

/** The day of a time in ms since 1970, as `Date.toDateString` writes it. */
export function dayOf(time: number): string {
  return new Date(time).toDateString();
}

/** "15:12" on the day `today` (see `dayOf`), "3 Nov, 15:12" in its year, else with the year. */
export function messageTime(iso: string, today: string, language: string): string {
  const at = new Date(iso);
  const clock = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' } as const;
  if (at.toDateString() === today) return at.toLocaleTimeString(language, clock);
  const sameYear = at.getFullYear() === new Date(today).getFullYear();
  return at.toLocaleString(language, {
    ...clock,
    day: 'numeric',
    month: 'short',
    ...(sameYear ? {} : { year: 'numeric' })
  });
}

/** Date and time in full: "Sunday 29 November 2026 at 15:12". */
export function fullTime(iso: string, language: string): string {
  return new Date(iso).toLocaleString(language, { dateStyle: 'full', timeStyle: 'short' });
}
