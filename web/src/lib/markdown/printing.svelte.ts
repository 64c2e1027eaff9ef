// Whether the page is being printed, or saved as PDF: then everything is drawn at once, not what is in view first.
import { flushSync } from 'svelte';

class Printing {
  active = $state(false);

  constructor() {
    if (typeof window === 'undefined') return;
    // The browser lays the paper out as soon as the handler returns.
    window.addEventListener('beforeprint', () => flushSync(() => (this.active = true)));
    window.addEventListener('afterprint', () => (this.active = false));
  }
}

/** Of the page: browsers print one page at a time, and whole. */
export const printing = new Printing();
