// What is attached to the draft of each conversation. In this tab alone: files are too large for local storage.
import type { Attachment } from './attachments.ts';

export class DraftAttachments {
  #drafts = $state.raw<Record<string, Attachment[]>>({});

  /** In the order it was added; `new` is the conversation that does not exist yet. */
  of(conversation: string): Attachment[] {
    return this.#drafts[conversation] ?? [];
  }

  put(conversation: string, attachments: Attachment[]): void {
    this.#drafts = { ...this.#drafts, [conversation]: attachments };
  }
}
