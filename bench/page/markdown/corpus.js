// Texts to stream, made from a fixed seed: the same bytes on every machine. A token is counted as four characters.

export const CHARS_PER_TOKEN = 4;

function random(seed) {
  let state = seed;
  return () => {
    state = (state * 1664525 + 1013904223) % 4294967296;
    return state / 4294967296;
  };
}

const WORDS =
  'the a leaf of palm is cut dried and polished before any line can be written on it because ink would run along the grain a steel point therefore draws each letter while lampblack later fills what was cut this order keeps edges sharp for centuries when numbers hold the stack together nothing shown is ever lost even if one cord breaks and another reader begins again from the last page'.split(
    ' '
  );

function sentence(next, marked) {
  const words = Array.from({ length: 8 + Math.floor(next() * 14) }, () => WORDS[Math.floor(next() * WORDS.length)]);
  if (marked) {
    const n = Math.floor(next() * words.length);
    const kind = Math.floor(next() * 6);
    const wrap = ['**%**', '*%*', '`%`', '[%](https://example.org/%)', '~~%~~', '$x_% + 1$'][kind];
    words[n] = wrap.replaceAll('%', words[n]);
  }
  const text = words.join(' ');
  return text[0].toUpperCase() + text.slice(1) + '. ';
}

function paragraph(next) {
  return Array.from({ length: 3 + Math.floor(next() * 4) }, () => sentence(next, next() < 0.6)).join('').trim() + '\n\n';
}

function codeLine(next, n) {
  const a = WORDS[Math.floor(next() * WORDS.length)];
  const b = WORDS[Math.floor(next() * WORDS.length)];
  return [
    `    ${a}_${n} = read("${b}", limit=${n})  # ${a} ${b}`,
    `    if ${a}_${n} is None or len(${b}) > ${n}:`,
    `        return {"${a}": ${b}, "n": ${n}}`,
    `def ${a}_${n}(${b}: str, count: int = ${n}) -> list[str]:`,
    `    for ${a} in range(${n}):`,
    ''
  ][Math.floor(next() * 6)];
}

function code(next, lines) {
  return '```python\n' + Array.from({ length: lines }, (_, n) => codeLine(next, n)).join('\n') + '\n```\n\n';
}

function table(next, rows) {
  const row = () =>
    `| ${WORDS[Math.floor(next() * WORDS.length)]} | ${Math.floor(next() * 1e4)} | ${sentence(next, true).trim()} |\n`;
  return '| Name | Count | What it says |\n|:--|--:|---|\n' + Array.from({ length: rows }, row).join('') + '\n';
}

function list(next, items) {
  let text = '';
  for (let n = 1; n <= items; n++) {
    text += `${n}. ${sentence(next, true)}\n`;
    for (let m = 0; m < Math.floor(next() * 3); m++) {
      text += `   - ${sentence(next, true)}\n`;
      if (next() < 0.3) text += `     - ${sentence(next, false)}\n`;
    }
  }
  return text + '\n';
}

function formula() {
  return '$$\n\\int_0^\\infty e^{-x^2}\\,dx = \\frac{\\sqrt{\\pi}}{2}\n$$\n\n';
}

function mixed(next, chars) {
  let text = '';
  for (let n = 1; text.length < chars; n++) {
    text += `## Part ${n}\n\n` + paragraph(next) + paragraph(next) + list(next, 5) + paragraph(next);
    if (n % 2 === 0) text += code(next, 40);
    if (n % 3 === 0) text += table(next, 8);
    if (n % 4 === 0) text += formula();
    if (n % 5 === 0) text += `> ${paragraph(next)}`;
  }
  return text;
}

/** The text of a scenario, about `tokens` tokens of it; scenarios of one block end when the block ends. */
export function corpus(scenario, tokens) {
  const next = random(7);
  const chars = tokens * CHARS_PER_TOKEN;
  if (scenario === 'code') return 'A program.\n\n' + code(next, 3_000);
  if (scenario === 'table') return 'A table.\n\n' + table(next, 600);
  if (scenario === 'list') return 'A list.\n\n' + list(next, 500);
  if (scenario === 'everything') {
    const diagram = '```mermaid\nflowchart LR\n  A[Leaf] --> B{Cord?}\n  B -->|yes| C[Book]\n  B -->|no| D[Heap]\n```\n\n';
    return (
      mixed(next, chars / 4) + code(next, 3_000) + table(next, 300) + diagram + list(next, 300) + mixed(next, chars / 3)
    );
  }
  return mixed(next, chars);
}
