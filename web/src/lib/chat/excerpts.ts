// What a person takes out of an answer: a quotation for the next message, the last piece of code.

/** As a Markdown quotation, with room below it. */
export function quoted(text: string): string {
  const lines = text.split('\n').map((line) => `> ${line}`);
  return `${lines.join('\n')}\n\n`;
}

/** The last fenced block, without its fences; empty when there is none. */
export function lastCode(text: string): string {
  return [...text.matchAll(/^```[^\n]*\n([\s\S]*?)^```/gm)].at(-1)?.[1] ?? '';
}
