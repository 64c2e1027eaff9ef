// What every component of one text needs and none of them changes: handed down as context, so that the recursion
// through blocks and spans passes only what differs.

import { createContext, type Snippet } from 'svelte';
import type { Definitions } from './document.ts';
import type { SeamPosition } from './seamPlacement.ts';
import type { MarkdownLabels } from './labels.ts';

/** How blocks of code are shown until the reader changes one. */
export interface CodeSettings {
  readonly wrap: boolean;
  readonly numbers: boolean;
  /** Long blocks that are there whole are collapsed. */
  readonly collapse: boolean;
}

export type LoadImage = (url: string, signal: AbortSignal) => Promise<Blob>;

export interface RenderContext {
  /** The whole text; seams in code are counted in it. */
  readonly source: string;
  readonly definitions: Definitions;
  readonly labels: MarkdownLabels;
  readonly code: CodeSettings;
  /** Seams inside the leaf or code block that begins at `start`. */
  readonly seamsAt: (start: number) => readonly SeamPosition[];
  readonly seam: Snippet<[id: string, where: 'line' | 'gutter']> | undefined;
  /** Lets the browser skip an element that won't change again while it is off screen. */
  readonly virtualize: (element: Element) => void;
  /** Call it when content marked `data-pending` has its final size. */
  readonly ready: () => void;
  readonly oncopy: (text: string) => void | Promise<void>;
  /** An image of another host. Rejects with an error whose message is for the reader. */
  readonly loadImage: LoadImage;
}

export const [getRenderContext, setRenderContext] = createContext<RenderContext>();
