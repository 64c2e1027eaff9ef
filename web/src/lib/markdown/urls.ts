// Which addresses a text may point at. Everything else is shown as plain text, never as a link or a picture.
// Invariant: what leaves here begins with http:, https: or mailto:, or is an embedded bitmap.

const LINKS = new Set(['http:', 'https:', 'mailto:']);
const BITMAP = /^data:image\/(?:png|jpeg|gif|webp|avif);base64,[A-Za-z0-9+/=]+$/;

/** The normal form of a link's address, or null if it may not be followed. Relative ones lead nowhere here. */
export function safeLinkUrl(raw: string): string | null {
  const url = parse(raw);
  return url && LINKS.has(url.protocol) ? url.href : null;
}

/** The address of a picture: remote (never fetched unasked) or an embedded bitmap; null for anything else. */
export function safeImageUrl(raw: string): string | null {
  if (BITMAP.test(raw)) return raw;
  const url = parse(raw);
  return url && (url.protocol === 'http:' || url.protocol === 'https:') ? url.href : null;
}

/** Whether showing the picture needs no network. */
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
