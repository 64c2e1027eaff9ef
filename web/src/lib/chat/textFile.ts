// Tells text files from binary ones by their bytes: names and types are guesses of the operating system.

export const SIGNATURE_LENGTH = 5;
const DOCUMENTS = ['%PDF-', 'PK\x03\x04', '\xd0\xcf\x11\xe0'];

/** The text in `bytes` (UTF-8, UTF-16 with its mark, or Windows-1252); null when they are no text. */
export function decodeText(bytes: Uint8Array): string | null {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return new TextDecoder('utf-16le').decode(bytes);
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return new TextDecoder('utf-16be').decode(bytes);
  // A PDF may consist of ASCII and is no text nevertheless.
  if (String.fromCharCode(...bytes.subarray(0, SIGNATURE_LENGTH)) === '%PDF-') return null;
  if (bytes.some(isBinary)) return null;
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder('windows-1252').decode(bytes);
  }
}

/** Whether the server can perhaps read it: PDFs, present office files (ZIP archives) and old ones. */
export function isDocument(bytes: Uint8Array): boolean {
  const start = String.fromCharCode(...bytes.subarray(0, SIGNATURE_LENGTH));
  return DOCUMENTS.some((signature) => start.startsWith(signature));
}

/** Control characters that no text holds: all but tab, line ends, form feed and escape. */
function isBinary(byte: number): boolean {
  return byte < 0x09 || byte === 0x0b || (byte > 0x0d && byte < 0x20 && byte !== 0x1b);
}
