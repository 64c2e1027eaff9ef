// The height that a phone's keyboard leaves. Chromium shrinks the page itself (`interactive-widget` in app.html);
// WebKit only shrinks the visual viewport and moves the page behind the keyboard.

/** Sets `--visible-height` on `root` while a keyboard covers a part of the page; returns how to stop. */
export function followVisibleHeight(
  viewport: Pick<VisualViewport, 'height' | 'scale' | 'addEventListener' | 'removeEventListener'> | null,
  root: HTMLElement,
  scrollToTop: () => void
): () => void {
  if (!viewport) return () => undefined;
  const update = (): void => {
    // Who has zoomed in sees a part of the page anyway.
    const covered = viewport.scale === 1 && viewport.height < root.clientHeight - 1;
    if (!covered) {
      root.style.removeProperty('--visible-height');
      return;
    }
    root.style.setProperty('--visible-height', `${String(viewport.height)}px`);
    scrollToTop(); // WebKit has moved the page up, as if it were still as high as the screen
  };
  viewport.addEventListener('resize', update);
  update();
  return () => viewport.removeEventListener('resize', update);
}
