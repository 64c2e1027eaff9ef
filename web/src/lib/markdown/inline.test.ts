import { expect, test } from 'vitest';
import { parseInline } from './inline.ts';
import { sketch, inlineText } from './testUtils.ts';

function read(text: string): string {
  return sketch(parseInline(text, false));
}

test.each([
  ['H<sub>2</sub>O, x<sup>2</sup>', 'Hsub(2)O, xsup(2)'],
  ['<kbd>Ctrl</kbd>+<KBD>C</KBD>', 'kbd(Ctrl)+kbd(C)'],
  ['<b>bold <i>both</i></b>', 'strong(bold emphasis(both))'],
  ['one<br>two<br/>three', 'onebreak(\n)twobreak(\n)three'],
  ['<u>a</u> <mark>b</mark>', 'underline(a) mark(b)']
])('%j: tags that only shape text do so', (text, sketched) => {
  expect(read(text)).toBe(sketched);
});

test.each([
  'do you have <global-agent-instructions> in',
  '<channel>',
  '<div>x</div>',
  '<b onclick=x>y</b>',
  '<b>open',
  'shut</b>',
  '<!-- x -->',
  '<script>x</script>'
])('%j: all other HTML is text', (text) => {
  expect(read(text)).toBe(text);
});

test.each([
  ['见**中文（说明）**是', '见strong(中文（说明）)是'],
  ['**「重要」**です', 'strong(「重要」)です'],
  ['**重要：**说明', 'strong(重要：)说明'],
  ['这是**“重点”**内容', '这是strong(“重点”)内容'],
  ['**注意！**请看**《书》**。', 'strong(注意！)请看strong(《书》)。'],
  ['**(괄호)**은 *「예」*이다', 'strong((괄호))은 emphasis(「예」)이다'],
  ['~~（旧）~~新', 'strike(（旧）)新'],
  ['**复现：**10 轮', 'strong(复现：)10 轮'],
  ['**注意：**see', 'strong(注意：)see'],
  ['**Markdown（マークダウン）**は', 'strong(Markdown（マークダウン）)は']
])('%j: emphasis closes between characters that need no spaces', (text, sketched) => {
  expect(read(text)).toBe(sketched);
});

test.each([
  ['See https://a.example/b_c_d.', 'See link<https://a.example/b_c_d>(https://a.example/b_c_d).'],
  ['(https://a.example/x)', '(link<https://a.example/x>(https://a.example/x))'],
  ['https://a.example/(x)', 'link<https://a.example/(x)>(https://a.example/(x))'],
  ['www.a.example, and', 'link<http://www.a.example/>(www.a.example), and'],
  ['no.www.a.example', 'no.www.a.example']
])('%j: bare addresses are links, without the punctuation behind them', (text, sketched) => {
  expect(read(text)).toBe(sketched);
});

test('every node of text says where it stands', () => {
  const text = 'a **b *c* [d](https://x.example)** \\* e';
  const check = (inlines: ReturnType<typeof parseInline>): void => {
    for (const inline of inlines) {
      if (inline.type === 'text') expect(text.slice(inline.at).startsWith(inline.text)).toBe(true);
      if ('children' in inline) check(inline.children);
    }
  };
  check(parseInline(text, false));
});

test('text beyond any paragraph is shown as written', () => {
  const long = '**a** '.repeat(10_000);
  expect(inlineText(parseInline(long, false))).toBe(long);
});
