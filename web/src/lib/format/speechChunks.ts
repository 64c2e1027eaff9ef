// Splits growing text into whole sentences for screen readers, without Markdown markup.
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

function withoutMarkdown(text: string): string {
  return text
    .replace(/```[\s\S]*?(?:```|$)/g, ' ')
    .replace(/[*_`#>|~]+/g, '')
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/\s+/g, ' ')
    .trim();
}
