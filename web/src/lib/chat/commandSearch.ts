// Searches the command palette: matches at the start of a title rank first, then at the start of a word.

export interface Command {
  key: string;
  group: string;
  title: string;
  /** Found as well, after what the title has. */
  keywords?: string;
  icon: string;
  shortcut: string;
  /** Why it is unavailable; empty when it isn't. */
  reason?: string;
  run: () => void;
}

const MAX_PER_GROUP = 8;
const WORST = 3;

export function searchCommands(
  commands: readonly Command[],
  query: string
): { title: string; items: Command[] }[] {
  const wanted = query.trim().toLowerCase();
  const groups = new Map<string, { command: Command; rank: number }[]>();
  for (const command of commands) {
    let rank = rankOf(command.title.toLowerCase(), wanted);
    if (rank < 0 && command.keywords?.toLowerCase().includes(wanted)) rank = WORST;
    if (rank < 0) continue;
    const group = groups.get(command.group) ?? [];
    group.push({ command, rank });
    groups.set(command.group, group);
  }
  return [...groups].map(([title, items]) => ({
    title,
    items: items
      .sort((a, b) => a.rank - b.rank)
      .slice(0, MAX_PER_GROUP)
      .map((item) => item.command)
  }));
}

/** Splits a title around the first match of the query, to highlight it. */
export function splitMatch(title: string, query: string): { text: string; hit: boolean }[] {
  const wanted = query.trim().toLowerCase();
  const at = wanted ? title.toLowerCase().indexOf(wanted) : -1;
  if (at < 0) return [{ text: title, hit: false }];
  return [
    { text: title.slice(0, at), hit: false },
    { text: title.slice(at, at + wanted.length), hit: true },
    { text: title.slice(at + wanted.length), hit: false }
  ].filter((piece) => piece.text);
}

function rankOf(title: string, wanted: string): number {
  if (!wanted || title.startsWith(wanted)) return 0;
  const at = title.indexOf(wanted);
  if (at < 0) return -1;
  return /[\s/-]/.test(title[at - 1] ?? '') ? 1 : 2;
}
