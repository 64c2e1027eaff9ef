// Every label that this folder draws by itself, in English; the page passes those of its language.

export interface MarkdownLabels {
  copy: string;
  copied: string;
  /** Accessible name of a code block. */
  code: (language: string) => string;
  table: string;
  task: (done: boolean) => string;
  /** On the button that loads an image from another host. */
  loadImage: (host: string) => string;
  imageFailed: (host: string) => string;
  diagramFailed: string;
  formulaFailed: string;
  seam: string;
}

export const ENGLISH_LABELS: MarkdownLabels = {
  copy: 'Copy',
  copied: 'Copied',
  code: (language) => (language ? `Code, ${language}` : 'Code'),
  table: 'Table',
  task: (done) => (done ? 'Done' : 'Not done'),
  loadImage: (host) => `Load image from ${host}`,
  imageFailed: (host) => `Couldn’t show the image. Open it on ${host}`,
  diagramFailed: 'Couldn’t draw this diagram',
  formulaFailed: 'Couldn’t render this formula',
  seam: 'The text continues here'
};
