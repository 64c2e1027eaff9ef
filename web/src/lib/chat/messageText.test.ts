import { expect, test } from 'vitest';
import { lastCodeBlock } from './messageText.ts';

test.each([
  ['none', 'Only text with `code`.', ''],
  ['the last of two', '```py\na\n```\n\n```\nb\nc\n```\n\nEnd', 'b\nc\n'],
  ['inside an item', '1. Do:\n\n   ```sh\n   make\n   ```\n', 'make\n'],
  ['with shorter fences inside', '````md\n```py\na\n```\n````\n', '```py\na\n```\n'],
  ['with tildes', '~~~\na\n~~~\n', 'a\n']
])('the last code block: %s', (_, text, code) => {
  expect(lastCodeBlock(text)).toBe(code);
});
