// @vitest-environment jsdom
import { expect, test } from 'vitest';
import { showTooltip } from './tooltips.ts';

function tooltip(html: string, own: Record<string, string> = {}): string {
  document.body.innerHTML = html;
  const target = document.querySelector('svg, b') as Element;
  showTooltip({ target } as unknown as PointerEvent, own);
  return document.querySelector<HTMLElement>('button, a')?.title ?? '';
}

test.each([
  ['<button aria-label="Copy"><svg></svg></button>', 'Copy'],
  ['<button aria-label="Inspector" data-action="inspector"><svg></svg></button>', 'Inspector (Alt I)'],
  ['<button aria-label="Send" data-keys="Ctrl+Enter"><svg></svg></button>', 'Send (Ctrl Enter)'],
  [
    '<button aria-label="Send" data-tooltip="Send later" data-keys="Enter"><svg></svg></button>',
    'Send later (Enter)'
  ],
  [
    '<button aria-label="Live controls" data-action="controls"><svg></svg><span>0.7</span></button>',
    'Live controls (Alt T)'
  ],
  ['<a aria-label="Delete Own"><svg></svg></a>', 'Delete Own'],
  ['<button aria-label="Delete Own"><b>Delete</b></button>', ''],
  ['<button><svg></svg>Stop</button>', ''],
  ['<p aria-label="Text"><svg></svg></p>', '']
])('%s has the tooltip %j', (html, title) => {
  expect(tooltip(html)).toBe(title);
});

test('a key that the user has changed is the one that is named', () => {
  const html = '<button aria-label="Inspector" data-action="inspector"><svg></svg></button>';
  expect(tooltip(html, { inspector: 'Alt+KeyQ' })).toBe('Inspector (Alt Q)');
});
