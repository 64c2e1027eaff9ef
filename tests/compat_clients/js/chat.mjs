// Drives the AI SDK's own chat and transport through one scenario; prints what the chat ends with.
// Called as: node chat.mjs SCENARIO '{"url": …, "model": …, "gate": file or null}'

import { renameSync, writeFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { AbstractChat, DefaultChatTransport, lastAssistantMessageIsCompleteWithToolCalls } from "ai";

const { url, model, gate } = JSON.parse(process.argv[3]);

/** The state that a framework's binding would make reactive. */
class State {
  status = "ready";
  error = undefined;
  constructor(messages = []) {
    this.messages = messages;
  }
  pushMessage = (message) => {
    this.messages = [...this.messages, message];
  };
  popMessage = () => {
    this.messages = this.messages.slice(0, -1);
  };
  replaceMessage = (index, message) => {
    this.messages = this.messages.with(index, structuredClone(message));
  };
  snapshot = (value) => structuredClone(value);
}

class Chat extends AbstractChat {
  constructor({ messages, ...init }) {
    super({ ...init, state: new State(messages) });
  }
}

const transport = (more = {}) =>
  new DefaultChatTransport({ api: `${url}/ai-sdk/chat`, body: { model }, ...more });
const chatOf = (id, more = {}) => new Chat({ id, transport: transport(), ...more });
const textOf = (chat) =>
  (chat.messages.at(-1)?.parts ?? [])
    .filter((part) => part.type === "text")
    .map((part) => part.text)
    .join("");
const allow = (pieces) => {
  writeFileSync(`${gate}.new`, `${pieces}`);
  renameSync(`${gate}.new`, gate);
};
const until = async (found) => {
  for (let left = 2000; !found(); left--) {
    if (!left) throw new Error("it took too long");
    await pause(10);
  }
};
const shown = (chat) => ({
  messages: chat.messages,
  text: textOf(chat),
  status: chat.status,
  error: chat.error?.message ?? null,
});

const scenarios = {
  async twice(id) {
    const chat = chatOf(id);
    await chat.sendMessage({ text: "One" });
    await chat.sendMessage({ text: "Two" });
    await chat.regenerate();
    return shown(chat);
  },

  async tools(id) {
    const chat = chatOf(id, {
      sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithToolCalls,
      onToolCall: ({ toolCall }) => {
        const { toolName: tool, toolCallId, input } = toolCall;
        void chat.addToolOutput({ tool, toolCallId, output: `12 degrees in ${input.city}` });
      },
    });
    await chat.sendMessage({ text: "Weather?" });
    await until(() => chat.status === "ready" && textOf(chat).includes("!"));
    return shown(chat);
  },

  async nothing(id) {
    const chat = chatOf(id);
    await chat.resumeStream();
    return shown(chat);
  },

  async another(id) {
    const first = chatOf(id);
    const sent = first.sendMessage({ text: "One" });
    allow(4);
    await until(() => textOf(first).length === 4);
    const second = chatOf(id, { messages: first.messages.slice(0, 1) });
    const resumed = second.resumeStream();
    await until(() => textOf(second).length === 4);
    allow("open");
    await Promise.all([sent, resumed]);
    return { ...shown(second), same: textOf(first) === textOf(second) };
  },

  /** The page was loaded while the second answer was written: its history ends with the first. */
  async history(id) {
    const first = chatOf(id, { transport: transport({ body: { model: "scripted/hello" } }) });
    await first.sendMessage({ text: "One" });
    const before = first.messages;
    const asking = chatOf(id, { messages: before });
    const sent = asking.sendMessage({ text: "Two" });
    allow(4);
    await until(() => textOf(asking).length === 4);
    const second = chatOf(id, { messages: before });
    const resumed = second.resumeStream();
    await until(() => textOf(second).length === 4);
    allow("open");
    await Promise.all([sent, resumed]);
    return { ...shown(second), before };
  },

  async cut(id) {
    let cut = null;
    const cutting = async (...request) => {
      const reply = await fetch(...request);
      if (cut !== null) return reply;
      const reader = reply.body.getReader();
      const body = new ReadableStream({
        start: (controller) => {
          cut = () => controller.error(new TypeError("network error"));
        },
        pull: async (controller) => {
          const { done, value } = await reader.read();
          done ? controller.close() : controller.enqueue(value);
        },
      });
      return new Response(body, reply);
    };
    const chat = chatOf(id, { transport: transport({ fetch: cutting }) });
    const sent = chat.sendMessage({ text: "One" });
    allow(4);
    await until(() => textOf(chat).length === 4);
    cut();
    await sent;
    const broken = chat.status;
    const resumed = chat.resumeStream();
    await until(() => chat.status === "streaming" && textOf(chat).length === 4);
    allow("open");
    await resumed;
    return { ...shown(chat), broken };
  },

  async leave(id) {
    const chat = chatOf(id);
    const sent = chat.sendMessage({ text: "One" });
    allow(4);
    await until(() => textOf(chat).length === 4);
    await chat.stop();
    await sent;
    allow("open");
    return shown(chat);
  },

  async stop(id) {
    const chat = chatOf(id);
    const sent = chat.sendMessage({ text: "One" });
    allow(4);
    await until(() => textOf(chat).length === 4);
    const reply = await fetch(`${url}/ai-sdk/chat/${encodeURIComponent(id)}/stop`, {
      method: "POST",
    });
    await sent;
    return { ...shown(chat), receipt: await reply.json() };
  },

  async once(id) {
    const chat = chatOf(id);
    await chat.sendMessage({ text: "One" });
    return shown(chat);
  },
};

const id = `a chat/${crypto.randomUUID()}`;
const found = await scenarios[process.argv[2]](id);
process.stdout.write(JSON.stringify({ id, ...found }));
