// Files attached to a message: images as base64, everything else as text, which the server finds in documents. Checked
// when attached, sent with the message.
import { isImage, toSendableImage } from './imageConversion.ts';
import { decodeText, isDocument, SIGNATURE_LENGTH } from './textFile.ts';
import type { DocumentTextReply, FilePartBody, ImagePartBody, Part, SentPart } from '#lib/wire/types.ts';

export interface Attachment {
  key: string;
  name: string;
  part: Exclude<SentPart, { type: 'text' }>;
  /** URL of a thumbnail; only images have one. */
  preview: string | null;
  /** It was long text in the clipboard, not a file: it can go into the message after all. */
  pasted: boolean;
  /** A document whose end didn't fit. */
  truncated?: boolean;
}

/** Why a file can't be attached. */
export type AttachmentProblem = 'too-large' | 'not-text' | 'unreadable-image';

/** Of text; images of any size are scaled down. */
const MAX_TEXT_BYTES = 8 * 1024 * 1024;
let lastKey = 0;

/**
 * Reads a file so that the server will take it, or says why it can't be sent. Documents go through `convert`, whose
 * problems are thrown.
 */
export async function readAttachment(
  file: File,
  convert: (file: File) => Promise<DocumentTextReply>
): Promise<Attachment | AttachmentProblem> {
  const key = `${++lastKey}`;
  if (isImage(file)) {
    const image = await toSendableImage(file);
    if (!image) return 'unreadable-image';
    const part: ImagePartBody = {
      type: 'image',
      media_type: image.type,
      data: base64(new Uint8Array(await image.arrayBuffer()))
    };
    return { key, name: file.name || 'image', part, preview: URL.createObjectURL(image), pasted: false };
  }
  if (isDocument(new Uint8Array(await file.slice(0, SIGNATURE_LENGTH).arrayBuffer()))) {
    const { name, media_type, text, truncated } = await convert(file);
    const part: FilePartBody = { type: 'file', name, media_type, text };
    return { key, name, part, preview: null, pasted: false, truncated };
  }
  if (file.size > MAX_TEXT_BYTES) return 'too-large';
  const text = decodeText(new Uint8Array(await file.arrayBuffer()));
  if (text === null) return 'not-text';
  const part: FilePartBody = { type: 'file', name: file.name, media_type: file.type || 'text/plain', text };
  return { key, name: file.name, part, preview: null, pasted: false };
}

/** Long text from the clipboard, as a file. */
export function attachmentFromText(name: string, text: string): Attachment {
  const part: FilePartBody = { type: 'file', name, media_type: 'text/plain', text };
  return { key: `${++lastKey}`, name, part, preview: null, pasted: true };
}

/** An attachment again, from the part that was made of one. */
export function attachmentFromPart(part: Attachment['part']): Attachment {
  const key = `${++lastKey}`;
  if (part.type === 'file') return { key, name: part.name, part, preview: null, pasted: false };
  const preview = `data:${part.media_type};base64,${part.data}`;
  return { key, name: 'image', part, preview, pasted: false };
}

/**
 * A stored part as it can be sent again: images are fetched, since the server returns only their URL, and documents
 * that have no text go through `convert`.
 */
export async function toSentPart(
  part: Extract<Part, { type: 'image' | 'file' }>,
  convert: (file: File) => Promise<DocumentTextReply>
): Promise<SentPart> {
  if (part.type === 'file' && !part.url) {
    return { type: 'file', name: part.name, media_type: part.media_type, text: part.text };
  }
  const url = part.url ?? '';
  // Only the server may contact other hosts.
  const reply = await fetch(url.startsWith('/') ? url : `/api/remote-images?url=${encodeURIComponent(url)}`);
  if (!reply.ok) throw new Error(`HTTP ${reply.status}`);
  const bytes = await reply.blob();
  if (part.type === 'file') {
    const { name, media_type, text } = await convert(new File([bytes], part.name));
    return { type: 'file', name, media_type, text };
  }
  const data = base64(new Uint8Array(await bytes.arrayBuffer()));
  return { type: 'image', media_type: part.media_type || bytes.type, data };
}

function base64(bytes: Uint8Array): string {
  let text = '';
  // In chunks: spreading millions of arguments overflows the stack.
  for (let at = 0; at < bytes.length; at += 32_768) {
    text += String.fromCharCode(...bytes.subarray(at, at + 32_768));
  }
  return btoa(text);
}
