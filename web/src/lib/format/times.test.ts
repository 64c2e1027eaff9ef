import { expect, test } from 'vitest';
import { fullTime, messageTime, monthName } from './times.ts';

const today = new Date(2026, 10, 29).toDateString();
const at = (...parts: [number, number, number, number, number]): string => new Date(...parts).toISOString();

test('a time has its date unless it is of today, and its year unless it is of this one', () => {
  expect(messageTime(at(2026, 10, 29, 0, 5), today, 'en-GB')).toBe('00:05');
  expect(messageTime(at(2026, 10, 28, 23, 59), today, 'en-GB')).toBe('28 Nov, 23:59');
  expect(messageTime(at(2025, 10, 29, 15, 12), today, 'en-GB')).toBe('29 Nov 2025, 15:12');
});

test('the tooltip has everything', () => {
  expect(fullTime(at(2026, 10, 29, 15, 12), 'en-GB')).toMatch(/^Sunday,? 29 November 2026.* 15:12$/);
});

test('a month has its year unless it is this one', () => {
  expect(monthName('2026-10', today, 'en')).toBe('October');
  expect(monthName('2025-1', today, 'en')).toBe('January 2025');
  expect(monthName('2026-10', today, 'fr')).toBe('Octobre');
});
