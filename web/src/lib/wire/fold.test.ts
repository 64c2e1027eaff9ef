import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it, test } from 'vitest';
import { codePoints, Fold } from './fold.ts';
import type { EventBody, Part } from './types.ts';

const FOLDER = new URL('../../../../fixtures/wire/fold/', import.meta.url);
const NAMES = readdirSync(FOLDER).filter((name) => name.endsWith('.json'));

interface Fixture {
  about: string;
  events: EventBody[];
  expected: Record<string, unknown> & { parts: Part[] };
}

function fixture(name: string): Fixture {
  return JSON.parse(readFileSync(new URL(name, FOLDER), 'utf8')) as Fixture;
}

function withoutKind(value: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).filter(([name]) => name !== 'kind'));
}

describe('the fold here gives what the fold of the server gives', () => {
  expect(NAMES.length).toBeGreaterThan(9);
  test.each(NAMES)('%s', (name) => {
    const { events, expected } = fixture(name);
    const fold = new Fold();
    for (const event of events) fold.apply(event);
    expect({
      parts: fold.parts(),
      text: fold.text(),
      text_length: fold.textLength,
      seams: fold.seams.map(withoutKind),
      citations: fold.citations.map(withoutKind),
      usage: fold.usage,
      ending: fold.end?.ending ?? null
    }).toEqual(expected);
  });
});

describe('a fold', () => {
  it('counts a surrogate pair as one code point', () => {
    expect(codePoints('a𝒜é')).toBe(3);
  });

  it('goes on from a snapshot as it would from the events', () => {
    const { events } = fixture('reasoning.json');
    const whole = new Fold();
    for (const event of events) whole.apply(event);
    const again = new Fold();
    again.load({ parts: whole.parts(), seams: [], citations: [], usage: null, end: null });
    expect(again.parts()).toEqual(whole.parts());
    expect(again.textLength).toBe(whole.textLength);
  });

  it('knows where each text part begins in the text of the whole answer', () => {
    const { events } = fixture('tool-calls.json');
    const fold = new Fold();
    for (const event of events) fold.apply(event);
    expect(fold.starts).toEqual([0, 9, 9, 9]);
  });
});
