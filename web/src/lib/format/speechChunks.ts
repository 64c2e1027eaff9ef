// Splits text into whole sentences for screen readers and voices, without Markdown markup.
const END = /[.!?…。！？:;]["”’)\]]*\s|\n\n/g;

export class SpeechChunks {
  #from: number;

  constructor(from = 0) {
    this.#from = from;
  }

  /** The sentences completed since the last call; with `all`, also the unfinished rest. */
  take(text: string, all = false): string {
    const fresh = text.slice(this.#from);
    let cut = all ? fresh.length : 0;
    if (!all) for (const match of fresh.matchAll(END)) cut = match.index + match[0].length;
    this.#from += cut;
    return withoutMarkdown(fresh.slice(0, cut));
  }
}

/** Longest text for a voice at once, in characters. */
const LONGEST = 240;

/** The sentences of a whole text, without its code; long ones are split between words. */
export function speechSentences(text: string): string[] {
  return text
    .replace(FENCED, '\n')
    .split('\n')
    .filter((line) => /[\p{L}\p{N}]/u.test(line))
    .flatMap((line) => withoutMarkdown(line).match(SENTENCE) ?? [])
    .map((sentence) => sentence.trim())
    .filter(Boolean);
}

const FENCED = /```[\s\S]*?(?:```|$)/g;
const SENTENCE = new RegExp(
  `.{1,${LONGEST}}?(?:[.!?…]["”’)\\]]*(?=\\s|$)|[。！？]|$)|.{1,${LONGEST}}(?=\\s|$)|.{1,${LONGEST}}`,
  'gu'
);

function withoutMarkdown(text: string): string {
  return text
    .replace(FENCED, ' ')
    .replace(/[*_`#>|~]+/g, '')
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/\s+/g, ' ')
    .trim();
}
