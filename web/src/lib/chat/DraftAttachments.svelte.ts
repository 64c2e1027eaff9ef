// Attachments of each conversation's draft. Only in this tab: files are too large for local storage.
import type { Attachment } from './attachments.ts';

/** A file that is being read; a document takes the server seconds. */
export interface Reading {
  conversation: string;
  name: string;
  abort: AbortController;
}

export class DraftAttachments {
  #drafts = $state.raw<Record<string, Attachment[]>>({});
  #readings = $state.raw<Reading[]>([]);

  /** In the order they were added; `new` stands for a conversation that doesn't exist yet. */
  of(conversation: string): Attachment[] {
    return this.#drafts[conversation] ?? [];
  }

  put(conversation: string, attachments: Attachment[]): void {
    this.#drafts = { ...this.#drafts, [conversation]: attachments };
  }

  /** Moves attachments, and files that are being read, behind those of another draft. */
  move(from: string, to: string): void {
    this.#drafts = { ...this.#drafts, [to]: [...this.of(to), ...this.of(from)], [from]: [] };
    for (const one of this.#readings) if (one.conversation === from) one.conversation = to;
    this.#readings = [...this.#readings];
  }

  /** Files of the draft that aren't attachments yet. */
  readings(conversation: string): Reading[] {
    return this.#readings.filter((one) => one.conversation === conversation);
  }

  /** Runs `read`, which becomes an attachment at its end; null if it gave none or was cancelled meanwhile. */
  async add<T extends Attachment | string>(
    conversation: string,
    name: string,
    read: (signal: AbortSignal) => Promise<T>
  ): Promise<T | null> {
    const reading: Reading = { conversation, name, abort: new AbortController() };
    this.#readings = [...this.#readings, reading];
    try {
      const one = await read(reading.abort.signal);
      if (reading.abort.signal.aborted) return null;
      if (typeof one !== 'string') this.put(reading.conversation, [...this.of(reading.conversation), one]);
      return one;
    } catch (problem) {
      if (reading.abort.signal.aborted) return null;
      throw problem;
    } finally {
      this.#readings = this.#readings.filter((other) => other !== reading);
    }
  }
}
