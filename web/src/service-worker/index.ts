// Caches the page's own files, so that it opens offline. Never caches the API: a cached reply would be outdated.
// Files with a hash in their name are cached on first use; the page itself comes from the server when reachable.
import { immutable } from '$app/manifest';
import { self } from '$app/service-worker';

const CACHE = 'grantha-page';
const PAGE = '/';
const HASHED = '/_app/immutable/';
// Exports and images opened in a tab are navigations too: only the app's own routes get the cached page.
const SCREEN = /^\/(c\/[^/]+|usage|settings)?$/;

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
    // Every route is the same file: one copy serves all of them.
    if (reply.ok) await (await caches.open(CACHE)).put(PAGE, reply.clone());
    return reply;
  } catch (error) {
    const kept = await caches.match(PAGE);
    if (kept) return kept;
    throw error;
  }
}

/** Deletes files of earlier versions. The boot script is in no manifest and stays. */
async function forgetOld(): Promise<void> {
  const cache = await caches.open(CACHE);
  const now = new Set(immutable.map(({ path }) => new URL(path, self.location.origin + '/').pathname));
  for (const request of await cache.keys()) {
    const { pathname } = new URL(request.url);
    const old = pathname.startsWith(HASHED) && !pathname.includes('/boot.') && !now.has(pathname);
    if (old) await cache.delete(request);
  }
}
