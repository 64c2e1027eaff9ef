import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { MarkdownDocument } from './document.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

function heapInMB(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed / 1e6;
}

test('parsed blocks do not keep the text of earlier updates alive', () => {
  const markdown = new MarkdownDocument();
  const before = heapInMB();
  let text = '';
  for (let n = 0; n < 4_000; n++) {
    text +=
      n % 9 === 0 ? '\n```js\nconst answer = await ask(question);\n```\n' : `\nParagraph ${n} of the text.\n`;
    markdown.update(text, true);
  }
  // 4,000 texts of 56 kB on average would be 220 MB.
  expect(heapInMB() - before).toBeLessThan(20);
  expect(markdown.update(text, false).blocks.length).toBeGreaterThan(100);
});
