// The URLs that a text may link to. Everything else is shown as plain text, never as a link or an image.
// Invariant: every URL returned begins with http:, https: or mailto:, or is a data: URL of a bitmap.

const LINKS = new Set(['http:', 'https:', 'mailto:']);
const BITMAP = /^data:image\/(?:png|jpeg|gif|webp|avif);base64,[A-Za-z0-9+/=]+$/;

/** The normalised URL of a link, or null if it isn't allowed. Relative URLs aren't. */
export function safeLinkUrl(raw: string): string | null {
  const url = parse(raw);
  return url && LINKS.has(url.protocol) ? url.href : null;
}

/** The URL of an image: remote (loaded only after a click) or an embedded bitmap; null for anything else. */
export function safeImageUrl(raw: string): string | null {
  if (BITMAP.test(raw)) return raw;
  const url = parse(raw);
  return url && (url.protocol === 'http:' || url.protocol === 'https:') ? url.href : null;
}

/** Whether showing the image needs no network. */
export function isDataUrl(address: string): boolean {
  return address.startsWith('data:');
}

function parse(raw: string): URL | null {
  try {
    return new URL(raw.trim());
  } catch {
    return null;
  }
}
