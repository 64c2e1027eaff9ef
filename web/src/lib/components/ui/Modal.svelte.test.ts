// @vitest-environment jsdom
import { createRawSnippet, flushSync, mount, unmount } from 'svelte';
import { afterEach, expect, test, vi } from 'vitest';
import Modal from './Modal.svelte';

const children = createRawSnippet(() => ({ render: () => '<p>Content</p>' }));

afterEach(() => document.body.replaceChildren());

function open(onclose: () => void): { dialog: HTMLDialogElement; end: () => void } {
  // jsdom has no modal dialogs; nothing here depends on what they do.
  HTMLDialogElement.prototype.showModal = () => undefined;
  const component = mount(Modal, { target: document.body, props: { label: 'Sheet', onclose, children } });
  flushSync();
  const dialog = document.querySelector('dialog');
  if (!dialog) throw new Error('no dialog');
  return { dialog, end: () => void unmount(component) };
}

test('it says that it was closed', () => {
  const onclose = vi.fn();
  const { dialog, end } = open(onclose);
  dialog.dispatchEvent(new Event('close'));
  expect(onclose).toHaveBeenCalledTimes(1);
  end();
});

test('a close event that comes after its end closes nothing', () => {
  const onclose = vi.fn();
  const { dialog, end } = open(onclose);
  end();
  dialog.dispatchEvent(new Event('close'));
  expect(onclose).not.toHaveBeenCalled();
});
