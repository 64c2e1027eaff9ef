// Every word this folder shows by itself, in English; the page hands over its own language.

export interface MarkdownLabels {
  copy: string;
  copied: string;
  /** Name of a code block for screen readers. */
  code: (language: string) => string;
  table: string;
  task: (done: boolean) => string;
  /** Offer to load a picture from another computer. */
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
  imageFailed: (host) => `The image could not be shown here. Open it at ${host}`,
  diagramFailed: 'This diagram could not be drawn',
  formulaFailed: 'This formula could not be read',
  seam: 'The text was continued here'
};
