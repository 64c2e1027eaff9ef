// Bytes of an answer's events received by this tab, compressed and uncompressed, from resource timings.

/** Null when no stream of it ended in this tab: read over a WebSocket, in another tab, or still open. */
export function transferSize(generation: string): { packed: number; plain: number } | null {
  let packed = 0;
  let plain = 0;
  for (const entry of performance.getEntriesByType('resource')) {
    if (!entry.name.includes(`/api/generations/${generation}/events`)) continue;
    const { encodedBodySize, decodedBodySize } = entry as PerformanceResourceTiming;
    packed += encodedBodySize;
    plain += decodedBodySize;
  }
  return plain > 0 ? { packed, plain } : null;
}
