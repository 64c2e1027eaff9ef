// Dictation by the browser's own speech recognition, which may send the sound to the browser's maker. Whole phrases
// come out; what is still being recognised isn't shown.

/** What this page uses of the browser's class, which TypeScript doesn't know. */
export interface SpeechRecognizer {
  continuous: boolean;
  lang: string;
  onresult: ((event: RecognitionEvent) => void) | null;
  onerror: ((event: { error: string }) => void) | null;
  onend: (() => void) | null;
  start: () => void;
  stop: () => void;
  abort: () => void;
}

interface RecognitionEvent {
  resultIndex: number;
  results: ArrayLike<{ isFinal: boolean; 0?: { transcript: string } }>;
}

export type DictationProblem = 'blocked' | 'failed';

/** The browser's class; absent without a secure origin, which it needs. */
function browserRecognizer(): (new () => SpeechRecognizer) | undefined {
  const scope = globalThis as unknown as Record<string, (new () => SpeechRecognizer) | undefined>;
  return globalThis.isSecureContext
    ? (scope['SpeechRecognition'] ?? scope['webkitSpeechRecognition'])
    : undefined;
}

export class Dictation {
  listening = $state(false);
  readonly available: boolean;
  readonly #make: (new () => SpeechRecognizer) | undefined;
  #recognizer: SpeechRecognizer | null = null;

  constructor(make = browserRecognizer()) {
    this.#make = make;
    this.available = make !== undefined;
  }

  /** Listens until `stop`, or until the browser ends it after a silence. */
  start(
    language: string,
    onphrase: (text: string) => void,
    onproblem: (problem: DictationProblem) => void
  ): void {
    if (!this.#make || this.listening) return;
    const recognizer = new this.#make();
    recognizer.continuous = true;
    recognizer.lang = language;
    recognizer.onresult = ({ resultIndex, results }) => {
      for (const result of Array.from(results).slice(resultIndex)) {
        const phrase = result.isFinal ? (result[0]?.transcript.trim() ?? '') : '';
        if (phrase) onphrase(phrase);
      }
    };
    recognizer.onerror = ({ error }) => {
      if (error === 'not-allowed' || error === 'service-not-allowed') onproblem('blocked');
      else if (error !== 'no-speech' && error !== 'aborted') onproblem('failed');
    };
    recognizer.onend = () => {
      if (this.#recognizer === recognizer) this.#end();
    };
    this.#recognizer = recognizer;
    this.listening = true;
    recognizer.start();
  }

  /** Ends it; what was said until now still arrives. */
  stop(): void {
    this.#recognizer?.stop();
    this.#end();
  }

  /** Ends it and drops what was said last: its text has gone elsewhere. */
  abort(): void {
    if (this.#recognizer) this.#recognizer.onresult = null;
    this.#recognizer?.abort();
    this.#end();
  }

  #end(): void {
    this.#recognizer = null;
    this.listening = false;
  }
}
