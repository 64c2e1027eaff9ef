// The name of the file that a block of code becomes.

/** Extensions that are no name of their language themselves. */
const EXTENSIONS: readonly (readonly [names: string, extension: string])[] = [
  ['javascript node', 'js'],
  ['typescript', 'ts'],
  ['json5 jsonc', 'json'],
  ['python python3 py3', 'py'],
  ['c++ cc cxx cuda arduino', 'cpp'],
  ['csharp c#', 'cs'],
  ['kotlin', 'kt'],
  ['objc objectivec objective-c', 'm'],
  ['shader', 'glsl'],
  ['xhtml', 'html'],
  ['postgres postgresql psql pgsql plpgsql mysql mariadb sqlite tsql mssql', 'sql'],
  ['ocaml', 'ml'],
  ['fsharp f#', 'fs'],
  ['bash shell zsh console shellscript', 'sh'],
  ['powershell ps pwsh', 'ps1'],
  ['golang', 'go'],
  ['rust', 'rs'],
  ['ruby', 'rb'],
  ['perl', 'pl'],
  ['julia', 'jl'],
  ['haskell', 'hs'],
  ['clojure', 'clj'],
  ['erlang', 'erl'],
  ['gradle', 'groovy'],
  ['pascal delphi', 'pas'],
  ['matlab octave', 'm'],
  ['latex', 'tex'],
  ['scheme lisp', 'scm'],
  ['racket', 'rkt'],
  ['yml', 'yaml'],
  ['protobuf', 'proto'],
  ['verilog', 'v'],
  ['systemverilog', 'sv'],
  ['vbnet', 'vb'],
  ['markdown', 'md'],
  ['mermaid', 'mmd'],
  ['text plain plaintext output log', 'txt']
];

const WHOLE_NAMES: Record<string, string> = {
  dockerfile: 'Dockerfile',
  docker: 'Dockerfile',
  makefile: 'Makefile',
  make: 'Makefile',
  cmake: 'CMakeLists.txt',
  nginx: 'nginx.conf',
  env: '.env'
};

/** A first line that is a comment with nothing but a path: "# src/app.py", "<!-- index.html -->". */
const NAMED =
  /^\s*(?:#|\/\/|--|;|%|\/\*|<!--)\s*(?:[\w.-]+\/)*([\w-][\w.-]*\.[a-z]\w{0,9})\s*(?:\*\/|-->)?\s*$/i;

/** The name that the first line gives, else "code" with what files of this language end in. */
export function fileNameOf(language: string, lines: readonly string[]): string {
  const named = NAMED.exec(lines[0] ?? '')?.[1];
  if (named) return named;
  const whole = WHOLE_NAMES[language];
  if (whole) return whole;
  const extension = EXTENSIONS.find(([names]) => names.split(' ').includes(language))?.[1] ?? language;
  return `code.${/^[a-z]\w{0,9}$/.test(extension) ? extension : 'txt'}`;
}
