// Shares three event-stream connections among all tabs of this browser. Over HTTP/1.1 a browser opens six
// connections to a host and queues the rest: without this, the tenth tab would hang and so would every call.
const SLOTS = 3;

export interface Slots {
  /** Resolves to a function that releases the slot, or to null when all are taken. */
  take(): Promise<(() => void) | null>;
}

/** Slots held as Web Locks, which the browser releases even when a tab crashes. */
export function sharedSlots(locks: LockManager | undefined = globalThis.navigator?.locks): Slots {
  return {
    async take() {
      // Without locks (plain HTTP on another host) tabs can't coordinate; the WebSocket is always safe.
      if (!locks) return null;
      for (let number = 0; number < SLOTS; number++) {
        const release = await tryLock(locks, `grantha-events-${number}`);
        if (release) return release;
      }
      return null;
    }
  };
}

function tryLock(locks: LockManager, name: string): Promise<(() => void) | null> {
  return new Promise((resolve) => {
    const held = locks.request(name, { ifAvailable: true }, (lock) => {
      if (!lock) {
        resolve(null);
        return undefined;
      }
      return new Promise<void>((release) => resolve(() => release()));
    });
    held.catch(() => resolve(null));
  });
}
