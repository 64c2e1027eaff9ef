// Finds what the server's search found: the same words, in the text of a message or in a title.
// Words without quotes may be the beginnings of longer ones; text without spaces is matched by any part of it.

export interface Span {
  start: number;
  end: number;
}

export interface SearchTerms {
  required: RegExp[];
  excluded: RegExp[];
}

/** Scripts without spaces between words, and Hangul: each character stands for itself, as in the server's index. */
const UNSPACED =
  '\\u0e00-\\u0eff\\u1000-\\u109f\\u1100-\\u11ff\\u1780-\\u17ff\\u2e80-\\u2fdf\\u3005-\\u3007\\u3041-\\u30ff' +
  '\\u3105-\\u312f\\u3400-\\u4dbf\\u4e00-\\u9fff\\ua960-\\ua97f\\uac00-\\ud7ff\\uf900-\\ufaff\\uff66-\\uff9d' +
  '\\u{20000}-\\u{3ffff}';
const LETTER = `[[\\p{L}\\p{N}]--[${UNSPACED}]]`;
const BETWEEN = '[^\\p{L}\\p{N}]';
const TOKEN = new RegExp(`[[${UNSPACED}]&&[\\p{L}\\p{N}]]|${LETTER}+`, 'gv');
const IS_UNSPACED = new RegExp(`^[${UNSPACED}]`, 'v');
const ENDS_UNSPACED = new RegExp(`[${UNSPACED}]$`, 'v');
const TERM = /(-?)(?:"([^"]*)"?|(\S+))/g;
const MIN_PREFIX = 3;

/** Parses a query as the server does. In titles, words without quotes match anywhere (`inTitle`). */
export function parseTerms(query: string, inTitle = false): SearchTerms {
  const terms: SearchTerms = { required: [], excluded: [] };
  const plain = query.replace(/[“”„«»]/g, '"').replace(/\u2212/g, '-');
  for (const [, minus, quoted = '', word] of plain.matchAll(TERM)) {
    const excluded = minus === '-';
    const tokens = fold(word ?? quoted).folded.match(TOKEN);
    if (!tokens) continue;
    const prefix = word !== undefined && !excluded && isBeginning(tokens);
    terms[excluded ? 'excluded' : 'required'].push(termPattern(tokens, prefix, inTitle && prefix));
  }
  return terms;
}

function isBeginning(tokens: string[]): boolean {
  return (tokens.at(-1)?.length ?? 0) >= MIN_PREFIX;
}

/** Whether a text has all required terms and no excluded one. */
export function hasTerms(text: string, terms: SearchTerms): boolean {
  const { folded } = fold(text);
  const has = (term: RegExp): boolean => folded.search(term) >= 0;
  return terms.required.length > 0 && terms.required.every(has) && !terms.excluded.some(has);
}

/** Where the required terms stand in a text, in order; words next to each other are one span. */
export function findSpans(text: string, terms: SearchTerms): Span[] {
  const { folded, offsets } = fold(text);
  const spans = terms.required
    .flatMap((term) => [...folded.matchAll(term)])
    .map(({ 0: { length }, index }) => ({
      start: offsets?.[index] ?? index,
      end: offsets?.[index + length] ?? index + length
    }))
    .sort((a, b) => a.start - b.start || b.end - a.end);
  const merged: Span[] = [];
  for (const span of spans) {
    const last = merged.at(-1);
    if (last && (span.start <= last.end || /^[ \u00a0]+$/.test(text.slice(last.end, span.start))))
      last.end = Math.max(last.end, span.end);
    else merged.push(span);
  }
  return merged;
}

/** The span at the place where most of the query stands together. */
export function bestSpan(spans: readonly Span[]): Span | null {
  const NEAR = 160;
  const weight = (from: Span): number =>
    spans.reduce(
      (sum, span) =>
        span.start >= from.start && span.end <= from.start + NEAR ? sum + span.end - span.start : sum,
      0
    );
  let best: Span | null = null;
  let most = 0;
  for (const span of spans) {
    const found = weight(span);
    if (found > most) [best, most] = [span, found];
  }
  return best;
}

function termPattern(tokens: string[], prefix: boolean, anywhere: boolean): RegExp {
  const words = tokens.reduce((before, token) => {
    const apart = IS_UNSPACED.test(token) || ENDS_UNSPACED.test(before) ? '*' : '+';
    return before + BETWEEN + apart + token;
  });
  if (anywhere) return new RegExp(words, 'gv');
  const start = IS_UNSPACED.test(words) ? '' : `(?<!${LETTER})`;
  const end = prefix ? `${LETTER}*` : `(?!${LETTER})`;
  return new RegExp(start + words + (ENDS_UNSPACED.test(words) ? '' : end), 'gv');
}

/** Without case, accents and other widths. `offsets` are those of each character in `text`; null when they are the same. */
function fold(text: string): { folded: string; offsets: number[] | null } {
  // eslint-disable-next-line no-control-regex -- ASCII
  if (/^[\x00-\x7f]*$/.test(text)) return { folded: text.toLowerCase(), offsets: null };
  let folded = '';
  const offsets: number[] = [];
  let at = 0;
  for (const char of text) {
    const plain = IS_UNSPACED.test(char)
      ? char
      : char
          .toLowerCase()
          .normalize('NFKD')
          .replace(/\p{Mn}/gu, '')
          .replace('ß', 'ss')
          .replace('ς', 'σ');
    for (let n = 0; n < plain.length; n++) offsets.push(at);
    folded += plain;
    at += char.length;
  }
  offsets.push(at);
  return { folded, offsets };
}
