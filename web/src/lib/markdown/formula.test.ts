import { expect, test } from 'vitest';
import { parseInline } from './inline.ts';
import { sketch } from './testUtils.ts';

test.each([
  ['$x^2$', 'math(x^2)'],
  ['so $x$, and', 'so math(x), and'],
  ['($x$)', '(math(x))'],
  ['$5x + 3 = y$', 'math(5x + 3 = y)'],
  ['$\\text{cost in } \\$$', 'math(\\text{cost in } \\$)'],
  ['$$x$$ in the line', 'math(x) in the line'],
  ['\\(x\\) and \\[y\\]', 'math(x) and math(y)'],
  ['**bold $x_1$ here**', 'strong(bold math(x_1) here)']
])('%j holds a formula', (text, sketched) => {
  expect(sketch(parseInline(text, false))).toBe(sketched);
});

test.each([
  '$5 and $10',
  'from $5 to 10$',
  'US$5 and US$6',
  '$5/$6',
  '$ x $',
  '$HOME and $PATH',
  '$HOME/$PATH',
  'a $ b',
  '$',
  '$$',
  'between `$a` and `$b`',
  '$20k of $1.5M, or $3',
  '$5-$10',
  '$100,000 (up from $50,000)',
  '**$5**/**$10**',
  '$0.15 per 1M tokens in, $0.60 out',
  '$5、$6 和 $7',
  'A$5, NZ$6 and 7$',
  '$3.50/$15.00'
])('%j holds none', (text) => {
  expect(sketch(parseInline(text, false))).not.toContain('math(');
});

test('a bracket escaped in front of words is a bracket', () => {
  expect(sketch(parseInline('\\[not a link\\](x)', false))).toBe('[not a link](x)');
});
