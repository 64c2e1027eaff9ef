import { expect, test } from 'vitest';
import { AppendList } from './appendList.ts';

test('an older version keeps its own values when a newer one grows', () => {
  const one = AppendList.of('a');
  const two = one.plus('b');
  const three = two.plus('c');
  expect(three.toArray()).toEqual(['a', 'b', 'c']);
  expect(two.toArray()).toEqual(['a', 'b']);
  expect(one.last()).toBe('a');
});

test('what was tried out is gone once another value takes its place', () => {
  const base = AppendList.of('a');
  base.plus('tried');
  expect(base.plus('b').toArray()).toEqual(['a', 'b']);
});

test('the empty list stays empty', () => {
  const empty = AppendList.empty<string>();
  empty.plus('a');
  expect(empty.toArray()).toEqual([]);
  expect(AppendList.empty<string>().plus('b').toArray()).toEqual(['b']);
});

test('a copy leaves out what it is asked to', () => {
  expect(AppendList.of(1, 2, 3).toArray(2)).toEqual([1]);
});
