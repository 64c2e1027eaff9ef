import { expect, test } from 'vitest';
import { Grouping } from './groups.ts';
import type { Rule } from './ast.ts';

const RULES: Rule[] = Array.from({ length: 100 }, (_, key) => ({ type: 'rule', key }));

test('the groups, joined, are the blocks', () => {
  for (const count of [0, 1, 31, 32, 33, 100]) {
    const groups = new Grouping().update(RULES.slice(0, count));
    expect(groups.flatMap((group) => group.parts)).toEqual(RULES.slice(0, count));
  }
});

test('full groups keep their identity while blocks are added', () => {
  const grouping = new Grouping();
  const before = grouping.update(RULES.slice(0, 80));
  const after = grouping.update(RULES);
  for (const n of [0, 1]) expect(after[n]).toBe(before[n]);
});

test('all but the last group are closed', () => {
  expect(new Grouping().update(RULES).map((group) => group.closed)).toEqual([true, true, true, false]);
  expect(new Grouping().update(RULES.slice(0, 32)).map((group) => group.closed)).toEqual([false]);
});

test('a group whose block was replaced is a new one', () => {
  const grouping = new Grouping();
  const before = grouping.update(RULES);
  const after = grouping.update(RULES.with(40, { type: 'rule', key: 40 }));
  expect(after[0]).toBe(before[0]);
  expect(after[1]).not.toBe(before[1]);
});
