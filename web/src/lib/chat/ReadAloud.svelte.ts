// Reads answers aloud with the browser's own voices, sentence by sentence: browsers cut off long texts.
import { speechSentences } from '#lib/format/speechChunks.ts';

export class ReadAloud {
  /** The message that is being read. */
  message = $state<string | null>(null);
  /** The browser has a voice. */
  available = $state(false);
  readonly #synthesis: SpeechSynthesis | undefined;

  constructor(synthesis: SpeechSynthesis | undefined = globalThis.speechSynthesis) {
    this.#synthesis = synthesis;
    const look = (): void => void (this.available = (synthesis?.getVoices().length ?? 0) > 0);
    // Voices come late in some browsers; in others there is no such event.
    synthesis?.addEventListener?.('voiceschanged', look);
    look();
  }

  start(message: string, text: string): void {
    this.stop();
    this.message = message;
    this.#read(message, speechSentences(text));
  }

  stop(): void {
    if (this.message === null) return;
    this.message = null;
    this.#synthesis?.cancel();
  }

  #read(message: string, sentences: readonly string[]): void {
    if (this.message !== message) return;
    const [sentence, ...rest] = sentences;
    if (!sentence) return void (this.message = null);
    const utterance = new SpeechSynthesisUtterance(sentence);
    utterance.onend = () => this.#read(message, rest);
    utterance.onerror = () => this.message === message && this.stop();
    this.#synthesis?.speak(utterance);
  }
}
