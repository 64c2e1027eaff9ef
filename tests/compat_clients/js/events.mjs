// Reads a log with the `eventsource` package. Its connection is cut in mid-answer, and it is left alone
// until the server tells it that nothing more can come; prints the frames in the order they came.
// Called as: node events.mjs URL GATE TEXT_LENGTH_TO_CUT_AT

import { renameSync, writeFileSync } from "node:fs";
import { EventSource } from "eventsource";

const [url, gate, length] = process.argv.slice(2);
const frames = [];
const lastEventIds = [];
let seen = 0;
let cut = null;

async function cutting(input, init) {
  lastEventIds.push(init.headers["Last-Event-ID"] ?? null);
  const reply = await fetch(input, init);
  if (cut !== null || reply.body === null) return reply;
  const reader = reply.body.getReader();
  const body = new ReadableStream({
    start: (controller) => {
      cut = () => controller.error(new TypeError("network error"));
    },
    pull: async (controller) => controller.enqueue((await reader.read()).value),
  });
  const cutReply = new Response(body, reply);
  Object.defineProperty(cutReply, "url", { value: reply.url });
  return cutReply;
}

const awake = setInterval(() => {}, 1000); // its timer of coming back doesn't keep node from ending
const source = new EventSource(url, { fetch: cutting });
source.onmessage = ({ data, lastEventId }) => {
  const frame = JSON.parse(data);
  frames.push({ ...frame, lastEventId });
  seen += (frame.text ?? "").length;
  if (lastEventIds.length === 1 && seen >= Number(length)) {
    cut();
    writeFileSync(`${gate}.new`, "open");
    renameSync(`${gate}.new`, gate);
  }
};
source.onerror = ({ code }) => {
  if (source.readyState !== EventSource.CLOSED) return;
  clearInterval(awake);
  process.stdout.write(JSON.stringify({ frames, lastEventIds, code: code ?? null }));
};
