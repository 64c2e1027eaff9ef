import { expect, test } from 'vitest';
import { bestSpan, findSpans, hasTerms, parseTerms } from './searchTerms.ts';

function found(text: string, query: string, inTitle = false): string[] {
  return findSpans(text, parseTerms(query, inTitle)).map(({ start, end }) => text.slice(start, end));
}

test.each([
  ['A crème brûlée, of course.', 'CREME brul', ['crème brûlée']],
  ['The lowest water of the month', 'low water', ['lowest water']],
  ['slow water', 'low', []],
  ['low, to high', 'lo to', ['to']],
  ['潮汐表是怎么计算的', '汐表', ['汐表']],
  ['学校: 학교에서 배웠다', '교에', ['교에']],
  ['用Python写的', 'python写', ['Python写']],
  ['用Python写的', 'yth', []],
  ['𠮷野家', '野', ['野']],
  ['ตารางน้ำขึ้นน้ำลง', 'น้ำลง', ['น้ำลง']],
  ['Zu\u0308rich and Zürich', 'zurich', ['Zu\u0308rich', 'Zürich']],
  ['Große Straße', 'grosse STRAẞE', ['Große Straße']],
  ['grosse Strasse', 'Große Stra', ['grosse Strasse']],
  ['ｃａｆｅ １２３', 'Cafe', ['ｃａｆｅ']],
  ['Cafe', 'ｃａｆｅ', ['Cafe']],
  ['Οδος', 'ΟΔΟΣ', ['Οδος']],
  ['a.b.c(d)', '"b c"', ['b.c']],
  ['The water is low. Low water!', '“low water”', ['Low water']],
  ['snake_case and 1.5', 'case', ['case']],
  ['(a|b)*', '(a|b)*', ['a|b']]
])('%s is marked for %s', (text, query, spans) => {
  expect(found(text, query)).toEqual(spans);
});

test('titles are matched anywhere, as the server matches them', () => {
  expect(found('Hochzürich', 'zurich', true)).toEqual(['zürich']);
  expect(found('Hochzürich', '"zurich"', true)).toEqual([]);
});

test('a text has all required terms and no excluded one', () => {
  const has = (query: string): boolean => hasTerms('At low water the quay dries.', parseTerms(query));
  expect(['water low', '"low water"', 'wat', 'low −tide', '-tide low'].map(has)).not.toContain(false);
  expect(['tide', '"water low"', 'low -quay', 'low -"low water"', '', '-tide', '?'].map(has)).not.toContain(
    true
  );
});

test('the best place has most of the query', () => {
  const text = `Low. ${'x '.repeat(200)}The low and brackish water. ${'x '.repeat(200)}Water.`;
  const spans = findSpans(text, parseTerms('low water'));
  expect(spans).toHaveLength(4);
  expect(bestSpan(spans)).toEqual(spans[1]);
  expect(bestSpan([])).toBeNull();
});
