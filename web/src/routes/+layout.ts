// One page for every address, drawn in the browser: the server answers with the same file everywhere.
export const ssr = false;
export const prerender = false;
