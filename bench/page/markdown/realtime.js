// A whole answer at the speed it would come: node realtime.js [contender] [scenario] [tokens] [tokens per second]
// Says what share of one core the page's main thread and the whole browser took, and every task over 50 ms. All by
// CPU time, so that other work on the machine does not count.

import { longTasks, open, workClock } from './browser.js';

const [contender = 'grantha', scenario = 'everything', tokens = '100000', rate = '200'] = process.argv.slice(2);
/** The server sends what has come every 40 ms. */
const EVERY_MS = 40;

const browser = await open();
const page = await browser.page({ contender, scenario, tokens });
const seconds = (await page.evaluate(() => window.bench.length)) / 4 / Number(rate);
page.setDefaultTimeout((seconds + 120) * 1000);
const work = await workClock(page);
const tasks = await longTasks(page);
const before = { page: await work(), all: await browser.cpu() };
const result = await page.evaluate(([r, e]) => window.bench.realtime(r, e), [Number(rate), EVERY_MS]);
const after = { page: await work(), all: await browser.cpu() };

const share = (used) => `${((used / result.seconds) * 100).toFixed(1)} %`;
console.log(`${contender}, ${scenario}: ${Math.round(seconds * rate)} tokens in ${result.seconds.toFixed(0)} s`);
console.log(`main thread ${share(after.page.TaskDuration - before.page.TaskDuration)} of a core`);
console.log(`whole browser, drawing in software included, ${share(after.all - before.all)} of a core`);
console.log(`elements ${await page.evaluate(() => window.bench.nodes())}`);
const long = await tasks();
console.log(`tasks over 50 ms of CPU: ${long.length}`);
for (const { at, ms } of long) console.log(`  ${ms.toFixed(0)} ms at ${at.toFixed(1)} s`);
await browser.close();
