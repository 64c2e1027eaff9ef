// A single-page app: the server returns the same file for every URL.
export const ssr = false;
export const prerender = false;
