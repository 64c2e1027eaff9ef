import { expect, test } from 'vitest';
import { LineHighlighter } from './highlight.ts';
import { grammarFor } from './languages.ts';

async function inked(language: string, ...lines: string[]) {
  const grammar = await grammarFor(language);
  if (!grammar) throw new Error(`no grammar for ${language}`);
  const highlighter = new LineHighlighter(grammar);
  return lines.map((line) => highlighter.next(line));
}

test.each([
  ['python', 'def add(a): return a + 12  # sum', { k: 'def', f: 'add', n: '12', c: '# sum' }],
  ['ts', 'const name: string = "x"; // why', { k: 'const', s: '"x"', c: '// why' }],
  ['rust', 'fn main() { let x = 5; } // end', { k: 'fn', n: '5', c: '// end' }],
  ['sql', "SELECT a FROM b WHERE c = 'd'", { k: 'SELECT', s: "'d'" }],
  ['bash', 'echo "hi" # say', { s: '"hi"', c: '# say' }],
  ['json', '{"a": 1, "b": true}', { n: '1' }],
  ['html', '<p class="x">text</p>', { s: '"x"' }],
  ['yaml', 'key: 12 # note', { c: '# note' }]
])('%s has its highlighter', async (language, line, wanted) => {
  const [tokens = []] = await inked(language, line);
  for (const [tokenClass, text] of Object.entries(wanted)) {
    expect(
      tokens.filter((piece) => piece.tokenClass === tokenClass).map((piece) => piece.text.trim())
    ).toContain(text);
  }
});

test('the tokens of a line, joined, are the line', async () => {
  const lines = ['def f():', '    """A text', '    over lines."""', '', '\treturn [x for x in "é☃"]  '];
  const read = await inked('py', ...lines);
  expect(read.map((tokens) => tokens.map((piece) => piece.text).join(''))).toEqual(lines);
});

test('what a line means depends on those before it', async () => {
  const read = await inked('python', '"""', 'return 5', '"""', 'return 5');
  expect(read[1]?.[0]?.tokenClass).toBe('s');
  expect(read[3]?.[0]?.tokenClass).toBe('k');
});

test('a line too long to be code stays plain', async () => {
  const long = 'return 1; '.repeat(500);
  expect(await inked('ts', long)).toEqual([[{ text: long, tokenClass: null }]]);
});

test.each(['', 'nosuchlanguage', '__proto__', 'constructor', 'js ts'])('%j has no grammar', async (name) => {
  expect(await grammarFor(name)).toBeNull();
});
