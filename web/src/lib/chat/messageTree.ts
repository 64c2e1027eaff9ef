// A conversation is a tree of messages, of which the screen shows one path. Pure functions.
import type { Message } from '#lib/wire/types.ts';

/** A question and the answers shown under it: one, or several side by side. */
export interface Turn {
  key: string;
  question: Message | null;
  /** All versions of the question, oldest first, this one among them. */
  questions: Message[];
  answers: Message[];
  /** All answers ever given to this question, oldest first. */
  versions: Message[];
}

function childrenOf(messages: readonly Message[]): Map<string | null, Message[]> {
  const children = new Map<string | null, Message[]>();
  for (const message of messages) {
    const siblings = children.get(message.parent);
    if (siblings) siblings.push(message);
    else children.set(message.parent, [message]);
  }
  return children;
}

/** From the first message to `leaf`; empty when the leaf is unknown. */
function pathTo(messages: readonly Message[], leaf: string | null): Message[] {
  const byId = new Map(messages.map((message) => [message.id, message]));
  const path: Message[] = [];
  let at = leaf === null ? undefined : byId.get(leaf);
  while (at) {
    path.push(at);
    byId.delete(at.id); // a cycle of parents would never end
    at = at.parent === null ? undefined : byId.get(at.parent);
  }
  return path.reverse();
}

/** The leaf reached from `id` by following the newest child each time. */
export function newestLeaf(messages: readonly Message[], id: string): string {
  const children = childrenOf(messages);
  let tip = id;
  for (let n = 0; n < messages.length; n++) {
    const next = children.get(tip)?.at(-1);
    if (!next) break;
    tip = next.id;
  }
  return tip;
}

/** The path as turns. Answers requested together are side by side until one of them is continued. */
export function buildTurns(messages: readonly Message[], leaf: string | null): Turn[] {
  const children = childrenOf(messages);
  const turns: Turn[] = [];
  for (const message of pathTo(messages, leaf)) {
    const last = turns.at(-1);
    if (message.role === 'user') {
      const questions = (children.get(message.parent) ?? []).filter((m) => m.role === 'user');
      turns.push({ key: message.id, question: message, questions, answers: [], versions: [] });
    } else if (message.role === 'assistant') {
      const versions = (children.get(message.parent) ?? []).filter((m) => m.role === 'assistant');
      if (last && last.answers.length === 0) Object.assign(last, { answers: [message], versions });
      else turns.push({ key: message.id, question: null, questions: [], answers: [message], versions });
    }
  }
  const tip = turns.at(-1);
  if (tip?.answers[0] && tip.answers[0].id === leaf) tip.answers = sideBySide(tip.answers[0], tip.versions);
  return turns;
}

/** Answers requested together have different models, and one time: the server stores them at once. */
function sideBySide(answer: Message, versions: Message[]): Message[] {
  const together = versions.filter((m) => m.created_at === answer.created_at);
  const models = new Set(together.map((m) => m.model));
  return models.size === together.length && together.length > 1 ? together : [answer];
}

/** The version before (-1) or after (1) the one shown, in the last turn that has several; null at the ends. */
export function adjacentVersion(turns: readonly Turn[], by: -1 | 1): string | null {
  const shown = versionOfKeys(turns);
  const turn = turnOfKeys(turns);
  if (!turn) return null;
  const all = turn.versions.length > 1 ? turn.versions : turn.questions;
  return all[all.findIndex((one) => one.id === shown) + by]?.id ?? null;
}

/** The message on screen that the keys for versions replace; null when nothing has several. */
export function versionOfKeys(turns: readonly Turn[]): string | null {
  const turn = turnOfKeys(turns);
  return (turn && (turn.versions.length > 1 ? turn.answers[0] : turn.question)?.id) ?? null;
}

function turnOfKeys(turns: readonly Turn[]): Turn | undefined {
  return turns.findLast((one) => one.versions.length > 1 || one.questions.length > 1);
}
