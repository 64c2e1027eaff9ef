// What shortcuts and the command palette can do with the conversation on screen.
import { copyText } from '#lib/clipboard.ts';
import type { Action, App } from './App.svelte.ts';
import type { Chat } from './Chat.svelte.ts';
import { copyAnswer } from './copyAnswer.ts';
import { lastCodeBlock } from './messageText.ts';
import { adjacentVersion } from './messageTree.ts';

export function chatActions(app: App, chat: Chat): Record<string, Action> {
  async function copy(job: () => Promise<void>): Promise<void> {
    if (await app.attempt(job)) app.showToast(app.language.strings.copied);
  }
  function showVersion(by: -1 | 1): void {
    const version = adjacentVersion(chat.turns, by);
    if (version) void app.attempt(() => chat.selectVersion(version));
  }
  const idle = (): boolean => chat.running.length === 0;
  return {
    copyAnswer: () => {
      const answer = chat.lastAnswer;
      if (answer?.hasText) void copy(() => copyAnswer(answer));
    },
    copyCode: () => {
      const code = lastCodeBlock(chat.lastAnswer?.text ?? '');
      if (code) void copy(() => copyText(code));
    },
    regenerate: () => {
      const question = chat.turns.at(-1)?.question;
      if (question && idle()) void chat.regenerate(question.id);
    },
    continue: () => chat.lastAnswer && idle() && void chat.continue(chat.lastAnswer),
    inspector: () => {
      app.inspectedGeneration = app.inspectedGeneration ? null : (chat.lastAnswer?.generation ?? null);
    },
    nextVersion: () => showVersion(1),
    previousVersion: () => showVersion(-1)
  };
}
