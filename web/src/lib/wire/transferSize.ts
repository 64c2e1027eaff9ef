// Bytes of an answer's events received by this tab, compressed and uncompressed, from resource timings.

export interface TransferSize {
  compressed: number;
  plain: number;
}

/** Null when no stream of it ended in this tab: read over a WebSocket, in another tab, or still open. */
export function transferSize(generation: string): TransferSize | null {
  let compressed = 0;
  let plain = 0;
  for (const entry of performance.getEntriesByType('resource')) {
    if (!entry.name.includes(`/api/generations/${generation}/events`)) continue;
    const { encodedBodySize, decodedBodySize } = entry as PerformanceResourceTiming;
    compressed += encodedBodySize;
    plain += decodedBodySize;
  }
  return plain > 0 ? { compressed, plain } : null;
}

/** Calls back whenever more of this tab's transfers have ended. Returns what stops it. */
export function onTransfer(changed: () => void): () => void {
  // A browser lists a stream a moment after its last byte, which is when an answer is shown as done.
  const observer = new PerformanceObserver(changed);
  observer.observe({ type: 'resource' });
  return () => observer.disconnect();
}
