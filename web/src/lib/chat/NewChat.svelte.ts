// A conversation that doesn't exist yet: what was chosen for it on the start screen.
import type { Options, SentPart } from '#lib/wire/types.ts';
import type { App } from './App.svelte.ts';
import type { Chat } from './Chat.svelte.ts';

/** Statuses of a request that fails again however often it is sent. */
const REFUSED = new Set([400, 413, 415, 422]);

export class NewChat {
  models = $state.raw<string[]>([]);
  systemPrompt = $state('');
  options = $state.raw<Options>({});

  /** Creates it on the server; nothing is sent yet. */
  async create(app: App): Promise<Chat> {
    const [model] = this.models;
    const chat = await app.createChat({
      ...(model && this.models.length === 1 ? { model } : {}),
      system_prompt: this.systemPrompt,
      options: this.options
    });
    chat.models = this.models;
    this.systemPrompt = '';
    this.options = {};
    return chat;
  }

  /**
   * Sends the first question. When the server will never accept it, the conversation is deleted again and the message
   * becomes the draft of the start screen, with its attachments; resolves to false then.
   */
  async sendFirst(app: App, chat: Chat, parts: SentPart[]): Promise<boolean> {
    await chat.send(parts);
    const refused = chat.outgoing;
    const problem = refused?.problem;
    if (!problem || !REFUSED.has(problem.status) || chat.messages.length > 0) return true;
    chat.drop(refused); // else it would be on screen beside the toast until the start screen is back
    await app.attempt(() => app.discardChat(chat));
    app.restoreDraft('new', parts);
    app.showToast([problem.message, problem.advice].filter(Boolean).join(' '));
    return false;
  }
}
