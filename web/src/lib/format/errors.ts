// An error as text: a title, what happened, what is saved, and a shell command where one helps.
// Details come from the server's message; the title is ours.
import type { Strings } from '#lib/strings/en.ts';
import { Problem } from '#lib/wire/api.ts';
import type { ErrorObject } from '#lib/wire/types.ts';

export interface ErrorText {
  title: string;
  lines: string[];
  /** A shell command; empty when none helps. */
  command: string;
}

export function errorText(
  error: ErrorObject | null,
  status: 'failed' | 'interrupted',
  kept: boolean,
  provider: string,
  t: Strings
): ErrorText {
  const variable = error?.code === 'missing_key' ? variableIn(error) : null;
  if (variable) {
    return {
      title: t.missingKeyTitle(provider),
      lines: [t.setVariable(variable)],
      command: `export ${variable}=…`
    };
  }
  const said = [error?.message ?? '', error?.advice ?? ''].filter(Boolean).map(asSentence).join(' ');
  const lines = [...(kept ? [t.aboveSaved] : []), ...(said ? [said] : [])];
  return {
    title: status === 'interrupted' ? t.interruptedTitle : titleOf(error, kept, provider, t),
    lines,
    command: ''
  };
}

function titleOf(error: ErrorObject | null, kept: boolean, provider: string, t: Strings): string {
  switch (error?.code) {
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

/** The environment variable named in the server's message. */
function variableIn(error: ErrorObject): string | null {
  return /\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b/.exec(`${error.message} ${error.advice ?? ''}`)?.[0] ?? null;
}

/** What went wrong with a request, and what to do. */
export function problemText(problem: unknown): string {
  if (!(problem instanceof Problem)) return String(problem);
  return [problem.message, problem.advice].filter(Boolean).map(asSentence).join(' ');
}

/** With a full stop at its end, so that another sentence can follow. */
export function asSentence(text: string): string {
  return /[.!?…]$/.test(text) ? text : `${text}.`;
}
