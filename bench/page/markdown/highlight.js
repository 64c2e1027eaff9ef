// What colouring 3,000 lines costs, and its longest single line, by three highlighters: node highlight.js
// Two rounds each: the first one pays for compiling the grammar, as a reader's first block does.

import { python } from '@codemirror/legacy-modes/mode/python';
import { typescript } from '@codemirror/legacy-modes/mode/javascript';
import { StringStream } from '@codemirror/streamparser';
import hljs from 'highlight.js';
import { createHighlighterCore } from 'shiki/core';
import { createJavaScriptRegexEngine } from 'shiki/engine/javascript';
import { INITIAL } from 'shiki/textmate';
import { corpus } from './corpus.js';

const PYTHON = corpus('code', 0).split('\n').slice(3, 3_003);
const TYPESCRIPT = PYTHON.map((_, n) => {
  const kinds = [
    `export function read${n}(text: string, limit = ${n}): readonly string[] { // part ${n}`,
    `  const found = text.split("${n}").filter((word) => word.length > ${n});`,
    `  if (found === undefined || found.length < ${n}) return [\`none of \${text}\`];`,
    '  return found;',
    '}',
    `interface Leaf${n} extends Page<number> { readonly n: ${n}; name?: string }`
  ];
  return kinds[n % kinds.length];
});
const LANGUAGES = { python: PYTHON, typescript: TYPESCRIPT };
const MODES = { python, typescript };
const THEME = { name: 'plain', type: 'light', settings: [{ settings: { foreground: '#000000', background: '#ffffff' } }] };

function clock(lines, one) {
  let longest = 0;
  const begun = performance.now();
  for (const line of lines) {
    const before = performance.now();
    one(line);
    longest = Math.max(longest, performance.now() - before);
  }
  return { total: performance.now() - begun, longest };
}

function report(name, language, round, { total, longest }) {
  const line = longest === null ? 'cannot go line by line' : `longest line ${longest.toFixed(1)} ms`;
  console.log(`${name.padEnd(14)} ${language.padEnd(11)} round ${round}: ${total.toFixed(0).padStart(5)} ms, ${line}`);
}

const shiki = await createHighlighterCore({
  themes: [THEME],
  langs: [import('shiki/langs/python.mjs'), import('shiki/langs/typescript.mjs')],
  engine: createJavaScriptRegexEngine()
});
shiki.setTheme('plain');

for (const [language, lines] of Object.entries(LANGUAGES)) {
  for (const round of [1, 2]) {
    const grammar = shiki.getLanguage(language);
    let stack = INITIAL;
    report('shiki', language, round, clock(lines, (line) => (stack = grammar.tokenizeLine2(line, stack, 500).ruleStack)));

    const begun = performance.now();
    hljs.highlight(lines.join('\n'), { language });
    report('highlight.js', language, round, { total: performance.now() - begun, longest: null });

    const mode = MODES[language];
    const state = mode.startState(4);
    report(
      'stream modes',
      language,
      round,
      clock(lines, (line) => {
        const stream = new StringStream(line, 4, 4);
        while (!stream.eol()) {
          stream.start = stream.pos;
          mode.token(stream, state);
        }
      })
    );
  }
}
shiki.dispose();
