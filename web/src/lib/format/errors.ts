// A fault in words for the reader: a title, what happened, what is kept, and a command where one helps.
// The server's own message names the thing; the title says it plainly.
import type { Strings } from '#lib/strings/en.ts';
import type { ErrorObject } from '#lib/wire/types.ts';

export interface FaultText {
  title: string;
  lines: string[];
  /** A line for a shell; empty where none helps. */
  command: string;
}

export function faultText(
  fault: ErrorObject | null,
  status: 'failed' | 'interrupted',
  kept: boolean,
  provider: string,
  t: Strings
): FaultText {
  const variable = fault?.code === 'missing_key' ? variableIn(fault) : null;
  if (variable) {
    return {
      title: t.missingKeyTitle(provider),
      lines: [t.setVariable(variable)],
      command: `export ${variable}=…`
    };
  }
  const said = [fault?.message ?? '', fault?.advice ?? ''].filter(Boolean).map(ended).join(' ');
  const lines = [...(kept ? [t.aboveKept] : []), ...(said ? [said] : [])];
  return {
    title: status === 'interrupted' ? t.interruptedTitle : titleOf(fault, kept, provider, t),
    lines,
    command: ''
  };
}

function titleOf(fault: ErrorObject | null, kept: boolean, provider: string, t: Strings): string {
  switch (fault?.code) {
    case 'missing_key':
      return t.missingKeyTitle(provider);
    case 'key_rejected':
    case 'access_denied':
      return t.keyRejectedTitle(provider);
    case 'rate_limited':
    case 'overloaded':
      return t.rateLimitedTitle(provider);
    case 'context_overflow':
      return t.contextTitle;
    case 'unreachable':
      return kept ? t.truncatedTitle : t.unreachableTitle(provider);
    case 'truncated':
      return t.truncatedTitle;
    default:
      return t.failedTitle;
  }
}

/** The environment variable that the server's words name. */
function variableIn(fault: ErrorObject): string | null {
  return /\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b/.exec(`${fault.message} ${fault.advice ?? ''}`)?.[0] ?? null;
}

function ended(text: string): string {
  return /[.!?…]$/.test(text) ? text : `${text}.`;
}
