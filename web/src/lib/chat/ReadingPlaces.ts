// Where the reader was in each conversation, kept for this tab: Back and a reload return to it.
// A conversation that was left at its end has no place, since it is followed from there.

/** A message, and how far its top was below the top of the view, in CSS pixels. */
export interface ReadingPlace {
  readonly message: string;
  readonly offset: number;
}

const KEY = 'grantha.places';
const MAX_PLACES = 100;

export class ReadingPlaces {
  readonly #storage: Storage;

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  of(conversation: string): ReadingPlace | null {
    return this.#read().get(conversation) ?? null;
  }

  /** Without a place, the conversation opens at its end. */
  set(conversation: string, place: ReadingPlace | null): void {
    const places = this.#read();
    places.delete(conversation);
    if (place) places.set(conversation, place);
    const newest = [...places].slice(-MAX_PLACES);
    try {
      this.#storage.setItem(KEY, JSON.stringify(newest));
    } catch {
      // Storage may be full or disabled; then conversations open at their end.
    }
  }

  #read(): Map<string, ReadingPlace> {
    try {
      return new Map(JSON.parse(this.#storage.getItem(KEY) ?? '[]') as [string, ReadingPlace][]);
    } catch {
      return new Map();
    }
  }
}
