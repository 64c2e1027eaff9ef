// Files that a person adds to a message: images as base64, everything else as text. Nothing leaves before Send.
import type { FilePart, ImagePartBody, Part, SentPart } from '#lib/wire/types.ts';

export interface Attachment {
  key: string;
  name: string;
  part: Exclude<SentPart, { type: 'text' }>;
  /** URL of a thumbnail; only images have one. */
  preview: string | null;
}

const MAX_BYTES = 8 * 1024 * 1024;
let lastKey = 0;

/** Null when the file is too large to send. */
export async function readAttachment(file: File): Promise<Attachment | null> {
  if (file.size > MAX_BYTES) return null;
  const key = `${++lastKey}`;
  if (!file.type.startsWith('image/')) {
    const part: FilePart = {
      type: 'file',
      name: file.name,
      media_type: file.type || 'text/plain',
      text: await file.text()
    };
    return { key, name: file.name, part, preview: null };
  }
  const part: ImagePartBody = {
    type: 'image',
    media_type: file.type,
    data: base64(new Uint8Array(await file.arrayBuffer()))
  };
  return { key, name: file.name || 'image', part, preview: URL.createObjectURL(file) };
}

/** An attachment again, from the part that was made of one. */
export function attachmentFromPart(part: Attachment['part']): Attachment {
  const key = `${++lastKey}`;
  if (part.type === 'file') return { key, name: part.name, part, preview: null };
  return { key, name: 'image', part, preview: `data:${part.media_type};base64,${part.data}` };
}

/** A stored part as it can be sent again: images are fetched, since the server returns only their URL. */
export async function toSentPart(part: Extract<Part, { type: 'image' | 'file' }>): Promise<SentPart> {
  if (part.type === 'file') return part;
  const reply = await fetch(part.url);
  if (!reply.ok) throw new Error(`HTTP ${reply.status}`);
  const data = base64(new Uint8Array(await reply.arrayBuffer()));
  return { type: 'image', media_type: part.media_type, data };
}

function base64(bytes: Uint8Array): string {
  let text = '';
  // In chunks: spreading millions of arguments overflows the stack.
  for (let at = 0; at < bytes.length; at += 32_768) {
    text += String.fromCharCode(...bytes.subarray(at, at + 32_768));
  }
  return btoa(text);
}
