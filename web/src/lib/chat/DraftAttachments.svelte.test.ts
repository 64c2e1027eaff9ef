import { describe, expect, it } from 'vitest';
import { attachmentFromText, readAttachment } from './attachments.ts';
import { DraftAttachments } from './DraftAttachments.svelte.ts';

const done = attachmentFromText('a.txt', 'words');

describe('files of a draft', () => {
  it('are named while they are read, and attached to their own conversation then', async () => {
    const drafts = new DraftAttachments();
    let end = (): void => undefined;
    const adding = drafts.add('c1', 'a.pdf', async () => {
      await new Promise<void>((resolve) => (end = resolve));
      return done;
    });
    expect(drafts.readings('c1').map((one) => one.name)).toEqual(['a.pdf']);
    expect(drafts.readings('c2')).toEqual([]);
    end();
    expect(await adding).toBe(done);
    expect(drafts.readings('c1')).toEqual([]);
    expect(drafts.of('c1')).toEqual([done]);
  });

  it('are dropped when their reading is cancelled, whatever comes of it', async () => {
    const drafts = new DraftAttachments();
    for (const end of [() => done, () => Promise.reject(new Error('aborted'))]) {
      let go = (): void => undefined;
      const adding = drafts.add('c1', 'a.pdf', async () => {
        await new Promise<void>((resolve) => (go = resolve));
        return end();
      });
      drafts.readings('c1')[0]?.abort.abort();
      go();
      expect(await adding).toBeNull();
      expect(drafts.of('c1')).toEqual([]);
    }
  });

  it('follow their draft to another conversation', async () => {
    const drafts = new DraftAttachments();
    let end = (): void => undefined;
    const adding = drafts.add('new', 'a.pdf', async () => {
      await new Promise<void>((resolve) => (end = resolve));
      return done;
    });
    const first = attachmentFromText('b.txt', 'more');
    drafts.put('c1', [first]);
    drafts.move('new', 'c1');
    expect(drafts.readings('c1').map((one) => one.name)).toEqual(['a.pdf']);
    end();
    await adding;
    expect([drafts.of('new'), drafts.of('c1')]).toEqual([[], [first, done]]);
  });

  it('throw the problem of a document that can’t be read', async () => {
    const drafts = new DraftAttachments();
    await expect(drafts.add('c1', 'a.pdf', () => Promise.reject(new Error('no text')))).rejects.toThrow();
    expect(drafts.readings('c1')).toEqual([]);
  });
});

describe('a document', () => {
  it('is sent as the text that the server found in it', async () => {
    const text = { type: 'file', name: 'a.pdf', media_type: 'application/pdf', text: 'words' } as const;
    const file = new File(['%PDF-1.7'], 'a.pdf');
    const one = await readAttachment(file, () => Promise.resolve({ ...text, pages: 1, truncated: true }));
    expect(one).toMatchObject({ name: 'a.pdf', part: text, truncated: true });
  });
});
