// Language names as models write them, and their grammars. Each grammar is loaded when a block of that language is
// first shown; unknown names are shown without highlighting.

import type { StreamParser } from '@codemirror/streamparser';

export type Grammar = StreamParser<unknown>;
type Load = () => Promise<unknown>;

/** A grammar by the name its module exports it under. */
function from<M extends object>(load: () => Promise<M>, name: keyof M): Load {
  return async () => (await load())[name];
}

const clike = () => import('@codemirror/legacy-modes/mode/clike');
const javascript = () => import('@codemirror/legacy-modes/mode/javascript');
const css = () => import('@codemirror/legacy-modes/mode/css');
const xml = () => import('@codemirror/legacy-modes/mode/xml');
const sql = () => import('@codemirror/legacy-modes/mode/sql');
const mllike = () => import('@codemirror/legacy-modes/mode/mllike');
const python = () => import('@codemirror/legacy-modes/mode/python');

const GRAMMARS: readonly (readonly [names: string, load: Load])[] = [
  ['js javascript mjs cjs jsx node', from(javascript, 'javascript')],
  ['ts typescript mts cts tsx', from(javascript, 'typescript')],
  ['json json5 jsonc jsonl', from(javascript, 'json')],
  ['py python python3 py3 pyi', from(python, 'python')],
  ['c h', from(clike, 'c')],
  ['cpp c++ cc cxx hpp cuda arduino', from(clike, 'cpp')],
  ['java', from(clike, 'java')],
  ['cs csharp c#', from(clike, 'csharp')],
  ['kt kotlin kts', from(clike, 'kotlin')],
  ['scala', from(clike, 'scala')],
  ['dart', from(clike, 'dart')],
  ['objc objectivec objective-c', from(clike, 'objectiveC')],
  ['glsl hlsl wgsl shader', from(clike, 'shader')],
  ['css', from(css, 'css')],
  ['scss', from(css, 'sCSS')],
  ['less', from(css, 'less')],
  ['html svelte vue xhtml', from(xml, 'html')],
  ['xml svg rss xsl', from(xml, 'xml')],
  ['sql', from(sql, 'standardSQL')],
  ['postgres postgresql psql pgsql plpgsql', from(sql, 'pgSQL')],
  ['mysql mariadb', from(sql, 'mySQL')],
  ['sqlite', from(sql, 'sqlite')],
  ['tsql mssql', from(sql, 'msSQL')],
  ['ml ocaml', from(mllike, 'oCaml')],
  ['fs fsharp f#', from(mllike, 'fSharp')],
  [
    'sh bash shell zsh console shellscript',
    from(() => import('@codemirror/legacy-modes/mode/shell'), 'shell')
  ],
  ['ps powershell ps1 pwsh', from(() => import('@codemirror/legacy-modes/mode/powershell'), 'powerShell')],
  ['go golang', from(() => import('@codemirror/legacy-modes/mode/go'), 'go')],
  ['rs rust', from(() => import('@codemirror/legacy-modes/mode/rust'), 'rust')],
  ['rb ruby', from(() => import('@codemirror/legacy-modes/mode/ruby'), 'ruby')],
  ['swift', from(() => import('@codemirror/legacy-modes/mode/swift'), 'swift')],
  ['lua', from(() => import('@codemirror/legacy-modes/mode/lua'), 'lua')],
  ['pl perl', from(() => import('@codemirror/legacy-modes/mode/perl'), 'perl')],
  ['r', from(() => import('@codemirror/legacy-modes/mode/r'), 'r')],
  ['jl julia', from(() => import('@codemirror/legacy-modes/mode/julia'), 'julia')],
  ['hs haskell', from(() => import('@codemirror/legacy-modes/mode/haskell'), 'haskell')],
  ['clj clojure edn', from(() => import('@codemirror/legacy-modes/mode/clojure'), 'clojure')],
  ['erl erlang', from(() => import('@codemirror/legacy-modes/mode/erlang'), 'erlang')],
  ['groovy gradle', from(() => import('@codemirror/legacy-modes/mode/groovy'), 'groovy')],
  ['pas pascal delphi', from(() => import('@codemirror/legacy-modes/mode/pascal'), 'pascal')],
  ['matlab octave m', from(() => import('@codemirror/legacy-modes/mode/octave'), 'octave')],
  ['tex latex', from(() => import('@codemirror/legacy-modes/mode/stex'), 'stex')],
  ['scheme racket lisp', from(() => import('@codemirror/legacy-modes/mode/scheme'), 'scheme')],
  ['yaml yml', from(() => import('@codemirror/legacy-modes/mode/yaml'), 'yaml')],
  ['toml', from(() => import('@codemirror/legacy-modes/mode/toml'), 'toml')],
  ['ini properties conf env', from(() => import('@codemirror/legacy-modes/mode/properties'), 'properties')],
  ['diff patch', from(() => import('@codemirror/legacy-modes/mode/diff'), 'diff')],
  ['dockerfile docker', from(() => import('@codemirror/legacy-modes/mode/dockerfile'), 'dockerFile')],
  ['nginx', from(() => import('@codemirror/legacy-modes/mode/nginx'), 'nginx')],
  ['cmake', from(() => import('@codemirror/legacy-modes/mode/cmake'), 'cmake')],
  ['proto protobuf', from(() => import('@codemirror/legacy-modes/mode/protobuf'), 'protobuf')],
  ['http', from(() => import('@codemirror/legacy-modes/mode/http'), 'http')],
  ['verilog systemverilog sv', from(() => import('@codemirror/legacy-modes/mode/verilog'), 'verilog')],
  ['vhdl', from(() => import('@codemirror/legacy-modes/mode/vhdl'), 'vhdl')],
  ['vb vbnet', from(() => import('@codemirror/legacy-modes/mode/vb'), 'vb')]
];

/** The grammar for `language`, or null when there is none or it could not be loaded. */
export async function grammarFor(language: string): Promise<Grammar | null> {
  const found = GRAMMARS.find(([names]) => names.split(' ').includes(language));
  if (!found) return null;
  try {
    return (await found[1]()) as Grammar;
  } catch {
    // Offline, or an old page after an update: the code is shown without highlighting.
    return null;
  }
}
