import { describe, expect, it, vi } from 'vitest';
import { Problem } from '#lib/wire/api.ts';
import type { ConversationRow, Message, Seam } from '#lib/wire/types.ts';
import { en } from '#lib/strings/en.ts';
import { de } from '#lib/strings/de.ts';
import { es } from '#lib/strings/es.ts';
import { fr } from '#lib/strings/fr.ts';
import {
  generationCost,
  formatDollars,
  compactTokens,
  formatDuration,
  formatSpeed,
  outputSpeed
} from '#lib/format/numbers.ts';
import { errorText } from '#lib/format/errors.ts';
import { actionForKey, keyCaps, type KeyPress } from './shortcuts.ts';
import { sendWithRetry } from './retrySend.ts';
import { searchCommands, splitMatch } from './commandSearch.ts';
import { groupByDate, visibleLines } from './conversationList.ts';
import { seamText } from '#lib/format/seams.ts';
import { SpeechChunks } from '#lib/format/speechChunks.ts';
import { fillDays, axisTicks } from '#lib/format/chartScale.ts';
import { textLengthAt, parseTrace, findGaps } from './trace.ts';
import { newestLeaf, buildTurns } from './messageTree.ts';

const at = (second: number): string => new Date(1_700_000_000_000 + second * 1000).toISOString();

function message(
  id: string,
  parent: string | null,
  role: 'user' | 'assistant',
  second = 0,
  model = 'a/b'
): Message {
  return {
    id,
    parent,
    role,
    parts: [{ type: 'text', text: id }],
    created_at: at(second),
    model: role === 'assistant' ? model : null,
    generation: null,
    status: role === 'assistant' ? 'done' : null,
    end: null,
    seams: [],
    citations: []
  };
}

describe('a conversation tree', () => {
  const tree = [
    message('q1', null, 'user'),
    message('a1', 'q1', 'assistant', 1),
    message('a1b', 'q1', 'assistant', 60),
    message('q2', 'a1', 'user', 70),
    message('a2', 'q2', 'assistant', 71),
    message('q2b', 'a1', 'user', 80),
    message('a2b', 'q2b', 'assistant', 81)
  ];

  it('is shown as the turns on the path to its leaf', () => {
    const turns = buildTurns(tree, 'a2');
    expect(turns.map((turn) => [turn.question?.id, turn.answers.map((one) => one.id)])).toEqual([
      ['q1', ['a1']],
      ['q2', ['a2']]
    ]);
  });

  it('knows all versions of a question and of an answer', () => {
    const turns = buildTurns(tree, 'a2');
    expect(turns[0]?.versions.map((one) => one.id)).toEqual(['a1', 'a1b']);
    expect(turns[1]?.questions.map((one) => one.id)).toEqual(['q2', 'q2b']);
  });

  it('lands at the newest tip below a chosen version', () => {
    expect(newestLeaf(tree, 'a1')).toBe('a2b');
    expect(newestLeaf(tree, 'a1b')).toBe('a1b');
  });

  it('stands answers of different models side by side only when they were asked for at once', () => {
    const pair = [
      message('q', null, 'user'),
      message('x', 'q', 'assistant', 1, 'a/x'),
      message('y', 'q', 'assistant', 1, 'a/y')
    ];
    expect(buildTurns(pair, 'y')[0]?.answers.map((one) => one.id)).toEqual(['x', 'y']);
    const later = [...pair.slice(0, 2), message('y', 'q', 'assistant', 1.2, 'a/y')];
    expect(buildTurns(later, 'y')[0]?.answers.map((one) => one.id)).toEqual(['y']);
  });

  it('ends, even when its parents form a loop', () => {
    const loop = [message('a', 'b', 'user'), message('b', 'a', 'assistant')];
    expect(buildTurns(loop, 'a').length).toBeLessThan(3);
    expect(newestLeaf(loop, 'a')).toBeTruthy();
  });
});

describe('sending', () => {
  const pause = (): Promise<void> => Promise.resolve();

  it('tries again with the same key while the network is away', async () => {
    const keys: string[] = [];
    const send = vi.fn(async (key: string) => {
      keys.push(key);
      if (keys.length < 3) throw new Problem(0, {});
      return 'sent';
    });
    expect(await sendWithRetry(send, 'k', pause)).toBe('sent');
    expect(keys).toEqual(['k', 'k', 'k']);
  });

  it('does not try again what the server has refused', async () => {
    const send = vi.fn(() => Promise.reject(new Problem(503, { code: 'missing_key' })));
    await expect(sendWithRetry(send, 'k', pause)).rejects.toThrow();
    expect(send).toHaveBeenCalledTimes(1);
  });
});

describe('numbers as people read them', () => {
  it('carry their units', () => {
    expect(formatDuration(312, 'en')).toBe('0.31 s');
    expect(formatDuration(14_230, 'en')).toBe('14.2 s');
    expect(formatDuration(185_000, 'en')).toBe('3 min 05 s');
    expect(formatDollars(0)).toBe('$0');
    expect(formatDollars(0.0011)).toBe('$0.0011');
    expect(compactTokens(0)).toBe('0');
    expect(compactTokens(32_768)).toBe('32k');
    expect(compactTokens(1_900_000)).toBe('1.9M');
  });

  it('stay unknown where nothing is known', () => {
    const model = {
      id: 'a/b',
      name: 'b',
      provider: 'a',
      capabilities: {},
      readiness: { state: 'ready' as const }
    };
    expect(generationCost({ input_tokens: 5, output_tokens: 5 }, model)).toBeNull();
    expect(generationCost(null, model)).toBeNull();
    expect(outputSpeed({})).toBeNull();
  });

  it('mark a speed that was counted in deltas as an estimate', () => {
    expect(formatSpeed({ value: 20, estimated: false }, 'en')).toBe('20');
    expect(outputSpeed({ tok_s: 20, deltas_s: 10 })).toEqual({ value: 20, estimated: false });
    expect(outputSpeed({ deltas_s: 10 })).toEqual({ value: 10, estimated: true });
    expect(formatSpeed({ value: 10, estimated: true }, 'en')).toBe('≈ 10');
  });

  it('have a row for every day, with answers or without', () => {
    const row = {
      generations: 2,
      errors: 0,
      stopped: 0,
      output_tokens: 5,
      cost_usd: null,
      first_text_p50_ms: 1,
      first_text_p95_ms: 1,
      tok_s_p50: 1
    };
    const days = fillDays([{ ...row, day: '2026-11-21' }], 3, Date.parse('2026-11-22T10:00:00Z'));
    expect(days.map((one) => [one.day, one.generations])).toEqual([
      ['2026-11-20', 0],
      ['2026-11-21', 2],
      ['2026-11-22', 0]
    ]);
    expect(days[0]?.first_text_p50_ms).toBeNull();
  });

  it('make round steps on an axis', () => {
    expect(axisTicks(210)).toEqual([0, 100, 200, 300]);
    expect(axisTicks(2, true)).toEqual([0, 1, 2]);
    expect(axisTicks(0)).toEqual([0, 1]);
  });
});

describe('a trace', () => {
  const records = parseTrace([
    [0, 'open', 0, 0],
    [100, 'part-start', 0, 0],
    [200, 'text-delta', 5, 1],
    [1900, 'open', 0, 0],
    [20, 'seam', 0, 0],
    [50, 'text-delta', 3, 1]
  ]);

  it('gives every record its id, over restarts', () => {
    expect(records.map((record) => record.id)).toEqual(['1-0', '1-1', '1-2', '2-0', '2-1', '2-2']);
  });

  it('shows the silences after the first text', () => {
    expect(findGaps(records).map((record) => record.gap)).toEqual([1900]);
  });

  it('knows how much text stood at every moment', () => {
    expect([0, 299, 300, 2000, 9999].map((ms) => textLengthAt(records, ms))).toEqual([0, 0, 5, 5, 8]);
  });
});

describe('the list', () => {
  const row = (id: string, updated: string, pinned = false): ConversationRow => ({
    id,
    title: id,
    pinned,
    origin: 'page',
    created_at: updated,
    updated_at: updated,
    status: null,
    generation: null,
    snippet: null
  });

  it('stands under headings by day, pinned first', () => {
    const today = new Date(2026, 10, 22);
    const rows = [
      row('p', new Date(2026, 1, 1).toISOString(), true),
      row('t', new Date(2026, 10, 22, 9).toISOString()),
      row('y', new Date(2026, 10, 21, 9).toISOString()),
      row('w', new Date(2026, 10, 16).toISOString()),
      row('m', new Date(2026, 10, 3).toISOString()),
      row('b', new Date(2026, 9, 31).toISOString()),
      row('c', new Date(2026, 9, 2).toISOString()),
      row('o', new Date(2025, 10, 21).toISOString())
    ];
    const headings = groupByDate(rows, today.toDateString()).flatMap((line) => line.heading ?? []);
    expect(headings).toEqual([
      'pinned',
      'today',
      'yesterday',
      'earlierThisWeek',
      'earlierThisMonth',
      '2026-10',
      '2025-11'
    ]);
  });

  it('makes only the rows near the view', () => {
    const rows = Array.from({ length: 10_000 }, (_, n) => row(`c${n}`, at(0)));
    const view = visibleLines(groupByDate(rows, new Date(0).toDateString()), 32, 100_000, 800);
    expect(view.lines.length).toBeLessThan(60);
    expect(view.total).toBeGreaterThan(320_000 - 1);
  });
});

describe('keys', () => {
  const press = (key: string, code: string, more: Partial<KeyPress> = {}): KeyPress => ({
    key,
    code,
    altKey: false,
    ctrlKey: false,
    metaKey: false,
    shiftKey: false,
    target: null,
    ...more
  });

  it('match Alt by the physical key, whatever it types', () => {
    expect(actionForKey(press('ñ', 'KeyN', { altKey: true }), {})).toBe('newChat');
  });

  it('take the command key of a Mac for Ctrl', () => {
    expect(actionForKey(press('k', 'KeyK', { metaKey: true }), {})).toBe('palette');
  });

  it('can be changed', () => {
    expect(actionForKey(press('b', 'KeyB', { altKey: true }), { newChat: 'Alt+KeyB' })).toBe('newChat');
  });

  it('are printed as they stand on the caps', () => {
    expect(keyCaps('Alt+Shift+KeyC')).toEqual(['Alt', 'Shift', 'C']);
    expect(keyCaps('Alt+ArrowDown')).toEqual(['Alt', '↓']);
  });
});

describe('speech', () => {
  it('comes in whole sentences', () => {
    const sentences = new SpeechChunks();
    expect(sentences.take('One is done. Two is n')).toBe('One is done.');
    expect(sentences.take('One is done. Two is not. And')).toBe('Two is not.');
    expect(sentences.take('One is done. Two is not. And this', true)).toBe('And this');
  });

  it('leaves out the signs of Markdown', () => {
    expect(new SpeechChunks().take('## A *head*\n\nText with `code`.\n\n', true)).toBe(
      'A head Text with code.'
    );
  });
});

describe('the palette', () => {
  const command = (title: string) => ({
    key: title,
    group: 'g',
    title,
    icon: '',
    shortcut: '',
    run: () => undefined
  });

  it('puts what begins with the words first', () => {
    const [group] = searchCommands([command('Where'), command('A repeat'), command('Regenerate')], 're');
    expect(group?.items.map((one) => one.title)).toEqual(['Regenerate', 'A repeat', 'Where']);
  });

  it('marks what matched', () => {
    expect(splitMatch('Regenerate', 'GEN').find((piece) => piece.hit)?.text).toBe('gen');
  });
});

describe('words', () => {
  it('name the variable of a missing key and the line that sets it', () => {
    const error = {
      code: 'missing_key',
      message: 'Anthropic has no key.',
      advice: 'Set ANTHROPIC_API_KEY and restart.'
    };
    const words = errorText(error, 'failed', false, 'Anthropic', en);
    expect(words.command).toBe('export ANTHROPIC_API_KEY=…');
  });

  it('say what changed at a seam, and how it was joined', () => {
    const seam: Seam = {
      reason: 'options',
      mode: 'prefix',
      model: 'a/b',
      options: { temperature: 0.9 },
      text_length: 1,
      changes: { temperature: [0.2, 0.9] }
    };
    expect(seamText(seam, en, 'en', (model) => model)).toEqual({
      what: 'temperature 0.2 → 0.9 from here',
      detail: 'Changed by you, exact continuation.'
    });
  });

  it.each([
    ['de', de],
    ['fr', fr],
    ['es', es]
  ])('are all translated in %s', (_, words) => {
    const same = Object.entries(words).filter(
      ([key, value]) => typeof value === 'string' && value.length > 14 && value === en[key as keyof typeof en]
    );
    expect(same).toEqual([]);
    expect(Object.keys(words.shortcuts)).toEqual(Object.keys(en.shortcuts));
  });
});
