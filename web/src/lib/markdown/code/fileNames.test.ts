import { expect, test } from 'vitest';
import { fileNameOf } from './fileNames.ts';

test.each([
  ['python', 'print(1)', 'code.py'],
  ['tsx', '', 'code.tsx'],
  ['c#', '', 'code.cs'],
  ['dockerfile', 'FROM scratch', 'Dockerfile'],
  ['', 'anything', 'code.txt'],
  ['../../etc/passwd', '', 'code.txt'],
  ['a-language-of-its-own', '', 'code.txt'],
  ['python', '# src/tide_tables/app.py', 'app.py'],
  ['js', '// index.mjs', 'index.mjs'],
  ['html', '<!-- pages/about.html -->', 'about.html'],
  ['css', '/* main.css */', 'main.css'],
  ['python', '# Prints e.g. a table', 'code.py'],
  ['python', '#!/usr/bin/env python3', 'code.py'],
  ['sh', '# ../../.bashrc', 'code.sh']
])('a block of %s that begins with %j is saved as %s', (language, line, name) => {
  expect(fileNameOf(language, [line, 'more.txt'])).toBe(name);
});
