// Mounts one contender and feeds it a growing text. Driven by compare.js and realtime.js through `window.bench`.

import { flushSync, mount } from 'svelte';
import '../../../web/src/lib/styles/tokens.css';
import { CHARS_PER_TOKEN, corpus } from './corpus.js';
import Host from './Host.svelte';

const CONTENDERS = {
  floor: () => import('./contenders/Floor.svelte'),
  'marked-whole': () => import('./contenders/MarkedWhole.svelte'),
  'marked-tail': () => import('./contenders/MarkedTail.svelte'),
  'markdown-it-tail': () => import('./contenders/MarkdownItTail.svelte'),
  'svelte-markdown': () => import('./contenders/SvelteMarkdown.svelte'),
  streamdown: () => import('./contenders/Streamdown.svelte'),
  grantha: () => import('./contenders/Grantha.svelte')
};

const scroller = document.querySelector('.scroll');
const query = new URLSearchParams(location.search);
const { default: Contender } = await CONTENDERS[query.get('contender')]();
const text = corpus(query.get('scenario'), Number(query.get('tokens') ?? 100_000));
const host = mount(Host, { target: document.querySelector('main'), props: { Contender } });

function show(end, streaming = true) {
  flushSync(() => host.set(text.slice(0, end), streaming));
  scroller.scrollTop = scroller.scrollHeight;
}

const frame = () => new Promise((done) => requestAnimationFrame(done));

window.bench = {
  length: text.length,
  nodes: () => document.querySelectorAll('main *').length,
  prime: (end) => show(end),
  /** Any text at all, as a finished one. */
  text: (any) => flushSync(() => host.set(any, false)),
  /** `count` updates of `tokens` tokens behind `from`, one a frame; the longest script part of one, in ms. */
  async updates(from, count, tokens) {
    let longest = 0;
    for (let n = 1; n <= count; n++) {
      await frame();
      const before = performance.now();
      show(from + n * tokens * CHARS_PER_TOKEN);
      longest = Math.max(longest, performance.now() - before);
    }
    await frame();
    return longest;
  },
  /** The whole text at `rate` tokens a second, arriving every `every` ms; resolves when it has all been shown. */
  async realtime(rate, every) {
    const begun = performance.now();
    for (let end = 0; end < text.length; ) {
      await new Promise((done) => setTimeout(done, every));
      end = Math.min(text.length, Math.floor(((performance.now() - begun) / 1000) * rate * CHARS_PER_TOKEN));
      await frame();
      show(end);
    }
    show(text.length, false);
    return { seconds: (performance.now() - begun) / 1000 };
  }
};
