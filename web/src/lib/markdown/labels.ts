// Every label that this folder draws by itself, in English; the page passes those of its language.

export interface MarkdownLabels {
  copy: string;
  copied: string;
  download: string;
  wrapLines: string;
  collapse: string;
  expand: string;
  showAllLines: (lines: number) => string;
  /** Accessible name of a code block. */
  code: (language: string) => string;
  table: string;
  task: (done: boolean) => string;
  /** On the button that loads an image from another host. */
  loadImage: (host: string) => string;
  loadingImage: (host: string) => string;
  /** The reason follows it. */
  imageFailed: (host: string) => string;
  imageBroken: string;
  openImage: (host: string) => string;
  tryAgain: string;
  diagramFailed: string;
  formulaFailed: string;
  seam: string;
}

export const ENGLISH_LABELS: MarkdownLabels = {
  copy: 'Copy',
  copied: 'Copied',
  download: 'Download',
  wrapLines: 'Wrap lines',
  collapse: 'Collapse',
  expand: 'Expand',
  showAllLines: (lines) => `Show all ${lines} lines`,
  code: (language) => (language ? `Code, ${language}` : 'Code'),
  table: 'Table',
  task: (done) => (done ? 'Done' : 'Not done'),
  loadImage: (host) => `Load image from ${host}`,
  loadingImage: (host) => `Loading image from ${host}…`,
  imageFailed: (host) => `Couldn’t load the image from ${host}.`,
  imageBroken: 'The image is damaged.',
  openImage: (host) => `Open on ${host}`,
  tryAgain: 'Try again',
  diagramFailed: 'Couldn’t draw this diagram',
  formulaFailed: 'Couldn’t render this formula',
  seam: 'The text continues here'
};
