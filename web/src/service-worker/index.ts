// Keeps the page's own files for when the network is gone, so that it opens and shows what is going on.
// Never answers for the API: an answer from a cache would be a lie. Files with a hash in their name are kept
// from their first use; the page itself comes from the server whenever it can be reached.
import { immutable } from '$app/manifest';
import { self } from '$app/service-worker';

const CACHE = 'grantha-page';
const PAGE = '/';
const HASHED = '/_app/immutable/';
// A saved export or an opened image is a navigation too: only the page's own screens are the page.
const SCREEN = /^\/(c\/[^/]+|numbers|settings)?$/;

self.addEventListener('install', (event) => {
  event.waitUntil(
    caches
      .open(CACHE)
      .then((cache) => cache.add(PAGE))
      .then(() => self.skipWaiting())
  );
});

self.addEventListener('activate', (event) => {
  event.waitUntil(forgetOld().then(() => self.clients.claim()));
});

self.addEventListener('fetch', (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== 'GET' || url.origin !== self.location.origin) return;
  if (url.pathname.startsWith(HASHED)) event.respondWith(keep(request));
  else if (request.mode === 'navigate' && SCREEN.test(url.pathname)) event.respondWith(pageOf(request));
});

async function keep(request: Request): Promise<Response> {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(request);
  if (kept) return kept;
  const reply = await fetch(request);
  if (reply.ok) await cache.put(request, reply.clone());
  return reply;
}

async function pageOf(request: Request): Promise<Response> {
  try {
    const reply = await fetch(request);
    // Every screen is the same file: one copy serves all addresses.
    if (reply.ok) await (await caches.open(CACHE)).put(PAGE, reply.clone());
    return reply;
  } catch (error) {
    const kept = await caches.match(PAGE);
    if (kept) return kept;
    throw error;
  }
}

/** Files of earlier versions go; the start script, which is in no list, stays. */
async function forgetOld(): Promise<void> {
  const cache = await caches.open(CACHE);
  const now = new Set(immutable.map(({ path }) => new URL(path, self.location.origin + '/').pathname));
  for (const request of await cache.keys()) {
    const { pathname } = new URL(request.url);
    const old = pathname.startsWith(HASHED) && !pathname.includes('/boot.') && !now.has(pathname);
    if (old) await cache.delete(request);
  }
}
