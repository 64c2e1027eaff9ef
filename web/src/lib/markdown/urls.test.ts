import { expect, test } from 'vitest';
import { safeLinkUrl, safeImageUrl } from './urls.ts';

test.each(['http://a.example', 'https://a.example/x?y#z', 'mailto:someone@a.example', ' HTTPS://A.example '])(
  '%j may be followed',
  (address) => {
    expect(safeLinkUrl(address)).toMatch(/^(?:https?|mailto):/);
  }
);

test.each([
  'javascript:alert(1)',
  'java\tscript:alert(1)',
  '\u0001javascript:alert(1)',
  'data:text/html,x',
  'blob:https://a.example/1',
  'file:///etc/passwd',
  '//a.example',
  '/local',
  '#here',
  'ftp://a.example',
  '',
  'https://'
])('%j may not', (address) => {
  expect(safeLinkUrl(address)).toBeNull();
  expect(safeImageUrl(address)).toBeNull();
});

test('a picture is remote or an embedded bitmap, never a context that could hold code', () => {
  expect(safeImageUrl('https://a.example/x.png')).toBe('https://a.example/x.png');
  expect(safeImageUrl('data:image/png;base64,AAAA')).toBe('data:image/png;base64,AAAA');
  expect(safeImageUrl('data:image/svg+xml;base64,AAAA')).toBeNull();
  expect(safeImageUrl('mailto:someone@a.example')).toBeNull();
});

test('a name that only looks like another shows its real letters', () => {
  expect(safeLinkUrl('https://аpple.example')).toBe('https://xn--pple-43d.example/');
});
