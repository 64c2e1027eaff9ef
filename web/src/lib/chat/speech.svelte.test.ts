// @vitest-environment jsdom
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Dictation, type SpeechRecognizer } from './Dictation.svelte.ts';
import { ReadAloud } from './ReadAloud.svelte.ts';

/** The browser's speech: says nothing, and tells what it was given. */
class Voice extends EventTarget {
  said: string[] = [];
  voices: unknown[] = ['a voice'];
  current: SpeechSynthesisUtterance | null = null;
  getVoices = () => this.voices;
  speak = (one: SpeechSynthesisUtterance) => {
    this.said.push(one.text);
    this.current = one;
  };
  cancel = vi.fn();
  end = () => this.current?.onend?.call(this.current, new Event('end') as SpeechSynthesisEvent);
}

let voice: Voice;
let reading: ReadAloud;

beforeEach(() => {
  class Utterance {
    text: string;
    constructor(text: string) {
      this.text = text;
    }
  }
  vi.stubGlobal('SpeechSynthesisUtterance', Utterance);
  voice = new Voice();
  reading = new ReadAloud(voice as unknown as SpeechSynthesis);
});

afterEach(() => vi.unstubAllGlobals());

test('an answer is read sentence by sentence, without its code', () => {
  reading.start(
    'm',
    '# Tides\n\nTwo **a day**. Why?\n\n```py\nx = 1\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |'
  );
  for (let n = 0; n < 4; n++) {
    expect(reading.message).toBe('m');
    voice.end();
  }
  expect(voice.said).toEqual(['Tides', 'Two a day.', 'Why?', 'a b', '1 2']);
  voice.end();
  expect(reading.message).toBeNull();
});

test('a stopped answer stays silent, and another takes its place', () => {
  reading.start('m', 'One. Two.');
  reading.start('n', 'Three.');
  expect([reading.message, voice.cancel.mock.calls.length]).toEqual(['n', 1]);
  reading.stop();
  voice.end();
  expect([reading.message, voice.said]).toEqual([null, ['One.', 'Three.']]);
});

test('a browser without voices reads nothing until it has one', () => {
  voice.voices = [];
  reading = new ReadAloud(voice as unknown as SpeechSynthesis);
  expect(reading.available).toBe(false);
  voice.voices = ['a voice'];
  voice.dispatchEvent(new Event('voiceschanged'));
  expect(reading.available).toBe(true);
  expect(new ReadAloud(undefined).available).toBe(false);
});

let recognizer: Recognizer;
class Recognizer implements SpeechRecognizer {
  continuous = false;
  lang = '';
  onresult: SpeechRecognizer['onresult'] = null;
  onerror: SpeechRecognizer['onerror'] = null;
  onend: SpeechRecognizer['onend'] = null;
  start = vi.fn();
  stop = vi.fn();
  abort = vi.fn();
  constructor() {
    // eslint-disable-next-line @typescript-eslint/no-this-alias -- the browser's object, for the test to drive
    recognizer = this;
  }
  hears(...results: [text: string, isFinal: boolean][]): void {
    this.onresult?.({
      resultIndex: 0,
      results: results.map(([transcript, isFinal]) => ({ isFinal, 0: { transcript } }))
    });
  }
}

test('whole phrases are taken, in the language of the page', () => {
  const dictation = new Dictation(Recognizer);
  const phrases: string[] = [];
  dictation.start('de', (phrase) => phrases.push(phrase), vi.fn());
  expect([recognizer.lang, recognizer.continuous, dictation.listening]).toEqual(['de', true, true]);
  recognizer.hears([' hello ', true], ['wor', false]);
  dictation.stop();
  recognizer.hears(['world', true]); // recognised after the end
  expect(phrases).toEqual(['hello', 'world']);
  expect(dictation.listening).toBe(false);
});

test('what is said last is dropped where its text has gone elsewhere', () => {
  const dictation = new Dictation(Recognizer);
  const onphrase = vi.fn();
  dictation.start('en', onphrase, vi.fn());
  dictation.abort();
  recognizer.hears(['late', true]);
  expect([onphrase.mock.calls, recognizer.abort.mock.calls.length]).toEqual([[], 1]);
});

test('a refused microphone and a failed service are told apart; silence is neither', () => {
  const dictation = new Dictation(Recognizer);
  const onproblem = vi.fn();
  dictation.start('en', vi.fn(), onproblem);
  for (const error of ['no-speech', 'aborted', 'network', 'not-allowed']) recognizer.onerror?.({ error });
  recognizer.onend?.();
  expect(onproblem.mock.calls).toEqual([['failed'], ['blocked']]);
  expect(dictation.listening).toBe(false);
});

test('without the browser’s recognition there is no dictation', () => {
  expect(new Dictation().available).toBe(false);
});
