// Serves the built bench and opens it in Chromium; what the machine must offer is a Chromium binary.

import { existsSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join } from 'node:path';
import { chromium } from 'playwright-core';

const ROOT = process.env.BENCH_DIST ?? join(import.meta.dirname, 'dist');
const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.woff2': 'font/woff2' };
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--enable-precise-memory-info'];

export async function open() {
  const server = createServer((request, response) => {
    const path = join(ROOT, new URL(request.url, 'http://localhost').pathname);
    const file = existsSync(path) && statSync(path).isFile() ? path : join(ROOT, 'index.html');
    response.setHeader('content-type', TYPES[extname(file)] ?? 'application/octet-stream');
    response.end(readFileSync(file));
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
  const browser = await chromium.launch({ executablePath, args: FLAGS });
  const base = `http://127.0.0.1:${server.address().port}`;
  return {
    async page(query) {
      const page = await browser.newPage({ viewport: { width: 1024, height: 768 } });
      page.on('pageerror', (error) => console.error(String(error)));
      await page.goto(`${base}/?${new URLSearchParams(query)}`);
      await page.waitForFunction(() => window.bench);
      return page;
    },
    /** Seconds of CPU that all processes of the browser have used. */
    async cpu() {
      const session = await browser.newBrowserCDPSession();
      const { processInfo } = await session.send('SystemInfo.getProcessInfo');
      return processInfo.reduce((sum, process) => sum + process.cpuTime, 0);
    },
    async close() {
      await browser.close();
      server.close();
    }
  };
}

/** Reader of the main thread's own clock: seconds of CPU it has used, by kind of work, whatever else the machine does. */
export async function workClock(page) {
  const session = await page.context().newCDPSession(page);
  await session.send('Performance.enable', { timeDomain: 'threadTicks' });
  return async () => {
    const { metrics } = await session.send('Performance.getMetrics');
    return Object.fromEntries(metrics.map(({ name, value }) => [name, value]));
  };
}

/** Records the tasks of the main thread; the function returned ends it and gives those that took over 50 ms of CPU. */
export async function longTasks(page) {
  const session = await page.context().newCDPSession(page);
  const events = [];
  session.on('Tracing.dataCollected', ({ value }) => {
    for (const event of value) {
      if (event.name === 'thread_name' || event.tdur > 50_000 || event.name === 'begin') events.push(event);
    }
  });
  await session.send('Tracing.start', {
    traceConfig: { includedCategories: ['toplevel', 'blink.user_timing'], recordMode: 'recordContinuously' },
    transferMode: 'ReportEvents'
  });
  await page.evaluate(() => performance.mark('begin'));
  return async () => {
    const done = new Promise((resolve) => session.once('Tracing.tracingComplete', resolve));
    await session.send('Tracing.end');
    await done;
    const begin = events.find((event) => event.name === 'begin');
    return events
      .filter((event) => event.tid === begin.tid && event.pid === begin.pid && event.name.endsWith('RunTask'))
      .map((event) => ({ at: (event.ts - begin.ts) / 1e6, ms: event.tdur / 1000, wall: event.dur / 1000 }));
  };
}
