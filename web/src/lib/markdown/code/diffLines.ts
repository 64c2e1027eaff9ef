// What a line of a diff does: it is added, removed, or tells where the next lines stand.

export type DiffLine = 'add' | 'remove' | 'place' | '';

export function diffLine(line: string): DiffLine {
  if (/^(?:@@|diff |index |\+\+\+ |--- |\+\+\+$|---$)/.test(line)) return 'place';
  if (line.startsWith('+')) return 'add';
  return line.startsWith('-') ? 'remove' : '';
}
