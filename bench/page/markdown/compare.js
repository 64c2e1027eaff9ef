// What one update costs each contender, at several lengths of the text so far: node compare.js [contender ...]
// An update brings 8 tokens; at 200 tokens a second there are 25 of them.

import { writeFileSync } from 'node:fs';
import { open, workClock } from './browser.js';

const ALL = ['floor', 'marked-whole', 'marked-tail', 'markdown-it-tail', 'svelte-markdown', 'streamdown', 'grantha'];
const CASES = [
  ['mixed', 1_000],
  ['mixed', 10_000],
  ['mixed', 30_000],
  ['mixed', 100_000],
  ['code', 0],
  ['table', 0],
  ['list', 0]
];
const UPDATES = 60;
const TOKENS = 8;

async function measure(browser, contender, scenario, tokens) {
  const page = await browser.page({ contender, scenario, tokens: Math.max(tokens, 1_000) + UPDATES * TOKENS });
  try {
    const length = await page.evaluate(() => window.bench.length);
    const from = length - UPDATES * TOKENS * 4 - 8;
    await page.evaluate((end) => window.bench.prime(end), from);
    // Highlighting and fonts of the text so far are not what is measured.
    await page.waitForTimeout(3_000);
    const clock = await workClock(page);
    const before = await clock();
    const longest = await page.evaluate(([a, b, c]) => window.bench.updates(a, b, c), [from, UPDATES, TOKENS]);
    const after = await clock();
    const each = (name) => ((after[name] - before[name]) * 1000) / UPDATES;
    return {
      contender,
      scenario,
      tokens: Math.round(length / 4),
      ms: each('TaskDuration'),
      script: each('ScriptDuration'),
      layout: each('LayoutDuration') + each('RecalcStyleDuration'),
      longest,
      nodes: await page.evaluate(() => window.bench.nodes())
    };
  } finally {
    await page.close();
  }
}

const chosen = process.argv.slice(2).filter((name) => ALL.includes(name));
const browser = await open();
const results = [];
for (const [scenario, tokens] of CASES) {
  for (const contender of chosen.length ? chosen : ALL) {
    const result = await measure(browser, contender, scenario, tokens);
    results.push(result);
    const share = ((result.ms * 25) / 10).toFixed(0);
    console.log(
      `${scenario.padEnd(6)} ${String(result.tokens).padStart(7)} tokens  ${contender.padEnd(16)} ` +
        `${result.ms.toFixed(2).padStart(8)} ms/update = ${share.padStart(4)} % of a core ` +
        `(script ${result.script.toFixed(2)}, layout ${result.layout.toFixed(2)}; longest ${result.longest.toFixed(0)}; ${result.nodes} elements)`
    );
  }
}
await browser.close();
writeFileSync(new URL('./dist/compare.json', import.meta.url), JSON.stringify(results, null, 1));
