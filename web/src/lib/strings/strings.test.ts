import { expect, test } from 'vitest';
import { de } from './de.ts';
import { en } from './en.ts';
import { es } from './es.ts';
import { fr } from './fr.ts';

function texts(catalog: object): string[] {
  return Object.values(catalog).flatMap((value: unknown) =>
    typeof value === 'string' ? [value] : typeof value === 'object' && value ? texts(value) : []
  );
}

test.each(Object.entries({ de, en, es, fr }))('no text of %s is the name of a function', (_, catalog) => {
  expect(texts(catalog).filter((text) => /^[a-z]+[A-Z][A-Za-z]*$/.test(text))).toEqual([]);
});
