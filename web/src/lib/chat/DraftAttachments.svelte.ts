// Attachments of each conversation's draft. Only in this tab: files are too large for local storage.
import type { Attachment } from './attachments.ts';

export class DraftAttachments {
  #drafts = $state.raw<Record<string, Attachment[]>>({});

  /** In the order they were added; `new` stands for a conversation that doesn't exist yet. */
  of(conversation: string): Attachment[] {
    return this.#drafts[conversation] ?? [];
  }

  put(conversation: string, attachments: Attachment[]): void {
    this.#drafts = { ...this.#drafts, [conversation]: attachments };
  }
}
