import { describe, expect, it } from 'vitest';
import { Cursor, parseId, LOG_START } from './recordIds.ts';

describe('a record id', () => {
  it('has an epoch and a number', () => {
    expect(parseId('2-17')).toEqual({ epoch: 2, seq: 17 });
  });

  it.each(['', '1', '1-', '-1', '1-2-3', 'a-b', ' 1-2', '1-٣'])('is not %j', (text) => {
    expect(parseId(text)).toBeNull();
  });
});

describe('a cursor', () => {
  const delta = (id: string, records?: number) => ({
    id,
    kind: 'text-delta' as const,
    ...(records ? { records } : {})
  });
  const open = (id: string, previous: string | null) => ({ id, kind: 'open' as const, previous });

  it('takes the whole log from its start', () => {
    const cursor = new Cursor(LOG_START);
    expect(cursor.take(open('1-0', null))).toBe('next');
    expect(cursor.take(delta('1-1'))).toBe('next');
    expect(cursor.last).toBe('1-1');
  });

  it('counts the records that a frame holds', () => {
    const cursor = new Cursor('1-3');
    expect(cursor.take(delta('1-9', 6))).toBe('next');
    expect(cursor.take(delta('1-12', 2))).toBe('gap');
    expect(cursor.last).toBe('1-9');
  });

  it('passes over what it has', () => {
    const cursor = new Cursor('1-9');
    expect(cursor.take(delta('1-9'))).toBe('old');
    expect(cursor.take(delta('1-4', 3))).toBe('old');
  });

  it('sees a frame that overlaps what it has as a gap, since it cannot be cut', () => {
    expect(new Cursor('1-5').take(delta('1-7', 4))).toBe('gap');
  });

  it('goes on in the next epoch only from the record it stands at', () => {
    expect(new Cursor('1-57').take(open('2-0', '1-57'))).toBe('next');
    expect(new Cursor('1-55').take(open('2-0', '1-57'))).toBe('gap');
    expect(new Cursor('1-57').take(delta('2-1'))).toBe('gap');
  });

  it('never goes back to an older epoch', () => {
    expect(new Cursor('2-0').take(delta('1-99'))).toBe('old');
  });

  it('jumps to a snapshot that is newer, never to an older one', () => {
    const cursor = new Cursor('1-9');
    expect(cursor.jump('1-4')).toBe(false);
    expect(cursor.jump('1-40')).toBe(true);
    expect(cursor.last).toBe('1-40');
  });
});
