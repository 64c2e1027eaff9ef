// Style sheets and components meet by names that no compiler checks: a renamed one only loses its look.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const SOURCE = join(import.meta.dirname, '../..');
const files = readdirSync(SOURCE, { recursive: true, encoding: 'utf8' })
  .filter((name) => /\.(svelte|ts|css|html)$/.test(name) && !name.includes('.test.'))
  .map((name) => ({ name, text: readFileSync(join(SOURCE, name), 'utf8').replace(/\/\*.*?\*\//gs, '') }));
const sheets = files.filter(({ name }) => name.endsWith('.css'));
const markup = files.filter(({ name }) => !name.endsWith('.css')).map(({ text }) => text);

function found(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map((match) => match[1] ?? '');
}

test('every custom property that is read is set somewhere, or has a fallback', () => {
  const set = new Set(
    files.flatMap(({ text }) => found(text, /(?:style:|['"]|[{;\s])(--[\w-]+)(?:\s*:|['"=])/g))
  );
  const unset = files.flatMap(({ name, text }) =>
    found(text, /var\((--[\w-]+)\)/g)
      .filter((property) => !set.has(property))
      .map((property) => `${property} in ${name}`)
  );
  expect(set.size).toBeGreaterThan(50);
  expect(unset).toEqual([]);
});

test('every class of a style sheet is the class of an element', () => {
  const words = new Set(markup.flatMap((text) => found(text, /([\w-]+)/g)));
  const unused = sheets.flatMap(({ name, text }) =>
    found(text.replace(/\{[^{}]*\}/g, ' '), /\.([a-zA-Z][\w-]*)/g)
      .filter((one) => !words.has(one))
      .map((one) => `.${one} in ${name}`)
  );
  expect(unused).toEqual([]);
});
