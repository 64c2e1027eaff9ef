// What the events of an answer weighed on their way to this tab, as the browser counted it: packed and unpacked.

/** Null when none of its streams ended here: read by a socket, in another tab, or still open. */
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
