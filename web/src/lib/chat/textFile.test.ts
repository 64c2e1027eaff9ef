import { expect, test } from 'vitest';
import { decodeText, isDocument } from './textFile.ts';

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);

test('text is read in the encodings that files come in', () => {
  expect(decodeText(ascii('leaf,number\n1,2\n'))).toBe('leaf,number\n1,2\n');
  expect(decodeText(ascii('ग्रन्थ'))).toBe('ग्रन्थ');
  expect(decodeText(bytes(0xff, 0xfe, 0x61, 0, 0xe9, 0))).toBe('aé');
  expect(decodeText(bytes(0xfe, 0xff, 0, 0x61))).toBe('a');
  expect(decodeText(bytes(0x63, 0x61, 0x66, 0xe9))).toBe('café');
  expect(decodeText(bytes())).toBe('');
});

test('binary files are no text, whatever they are called', () => {
  expect(decodeText(ascii('%PDF-1.4\n1 0 obj\n'))).toBeNull();
  expect(decodeText(bytes(0x50, 0x4b, 0x03, 0x04, 0x14, 0x00))).toBeNull();
  expect(decodeText(bytes(0x7f, 0x45, 0x4c, 0x46, 0x02))).toBeNull();
});

test('documents are known by their first bytes', () => {
  expect(isDocument(ascii('%PDF-1.4\n1 0 obj\n'))).toBe(true);
  expect(isDocument(bytes(0x50, 0x4b, 0x03, 0x04, 0x14, 0x00))).toBe(true);
  expect(isDocument(bytes(0xd0, 0xcf, 0x11, 0xe0, 0xa1))).toBe(true);
  expect(isDocument(ascii('PK is a name'))).toBe(false);
  expect(isDocument(bytes())).toBe(false);
});
