import { afterEach, describe, expect, it, vi } from 'vitest';
import { attachmentFromText, readAttachment, toSentPart } from './attachments.ts';
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

describe('a stored part that is sent again', () => {
  const read: string[] = [];
  const converted = { type: 'file', name: 'a.pdf', media_type: 'application/pdf', text: 'words' } as const;
  const convert = (): Promise<typeof converted & { pages: number; truncated: boolean }> =>
    Promise.resolve({ ...converted, pages: 1, truncated: false });

  afterEach(() => {
    vi.unstubAllGlobals();
    read.length = 0;
  });

  function serve(body: BlobPart, type: string): void {
    vi.stubGlobal('fetch', (url: string) => {
      read.push(url);
      return Promise.resolve(new Response(new Blob([body], { type })));
    });
  }

  it('is fetched by the server where another host has it', async () => {
    serve('GIF89a', 'image/gif');
    const part = { type: 'image', media_type: '', url: 'https://pictures.example/a?b' } as const;
    expect(await toSentPart(part, convert)).toEqual({
      type: 'image',
      media_type: 'image/gif',
      data: btoa('GIF89a')
    });
    expect(read).toEqual(['/api/remote-images?url=https%3A%2F%2Fpictures.example%2Fa%3Fb']);
  });

  it('is converted if it is a document without text', async () => {
    serve('%PDF-1.7', 'application/octet-stream');
    const part = { type: 'file', name: 'a.pdf', media_type: 'application/pdf', text: '' } as const;
    expect(await toSentPart({ ...part, url: '/api/messages/m/parts/0' }, convert)).toEqual(converted);
    expect(await toSentPart({ ...part, text: 'short' }, convert)).toEqual({ ...part, text: 'short' });
    expect(read).toEqual(['/api/messages/m/parts/0']);
  });
});
