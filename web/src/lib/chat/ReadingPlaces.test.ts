// @vitest-environment jsdom
import { beforeEach, expect, test } from 'vitest';
import { ReadingPlaces } from './ReadingPlaces.ts';

beforeEach(() => sessionStorage.clear());

test('a place is there after a reload, and gone once the conversation is left at its end', () => {
  const places = new ReadingPlaces(sessionStorage);
  places.set('a', { message: 'm', offset: -40 });
  places.set('b', { message: 'n', offset: 3.5 });
  expect(new ReadingPlaces(sessionStorage).of('a')).toEqual({ message: 'm', offset: -40 });
  places.set('a', null);
  expect([places.of('a'), places.of('b')]).toEqual([null, { message: 'n', offset: 3.5 }]);
});

test('only the conversations that were left last are remembered', () => {
  const places = new ReadingPlaces(sessionStorage);
  for (let n = 0; n < 120; n++) places.set(String(n), { message: 'm', offset: n });
  places.set('20', { message: 'm', offset: 1 });
  places.set('120', { message: 'm', offset: 120 });
  expect([places.of('20')?.offset, places.of('21'), places.of('120')?.offset]).toEqual([1, null, 120]);
});

test('damaged storage is no storage', () => {
  sessionStorage.setItem('grantha.places', '{"a":');
  expect(new ReadingPlaces(sessionStorage).of('a')).toBeNull();
});
