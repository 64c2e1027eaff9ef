import { expect, test } from 'vitest';
import { harmless } from './diagram.ts';

test.each([
  'A[one<br/>two<br>three] --> B',
  'class A { <<interface>> }',
  'A <--> B',
  'A <|-- B',
  'A->>B: a < b and 3 <4',
  'A/B --> C',
  'section Dates: plan'
])('%j is handed on as it is', (source) => {
  expect(harmless(source)).toBe(source);
});

test.each([
  ['A["<img src=x onerror=alert(1)>"]', 'A["#lt;img src=x onerror=alert(1)>"]'],
  ['A["</p><SCRIPT>"]', 'A["#lt;/p>#lt;SCRIPT>"]'],
  ['A["<<img src=x>>"]', 'A["<#lt;img src=x>>"]'],
  ['A["<br onclick=x>"]', 'A["#lt;br onclick=x>"]'],
  ['A["<!-- x --><?x?>"]', 'A["#lt;!-- x -->#lt;?x?>"]']
])('%j: no other tag reaches the context', (source, safe) => {
  expect(harmless(source)).toBe(safe);
});

test.each([
  '%%{init: {"securityLevel": "loose", "themeCSS": "*{background:url(https://x.example)}"}}%%\nflowchart LR\nA-->B',
  '---\nconfig:\n  securityLevel: loose\n---\nflowchart LR\nA-->B'
])('%j: settings in a diagram are left out', (source) => {
  expect(harmless(source).trim()).toBe('flowchart LR\nA-->B');
});

test.each([
  'A@{ img: "https://x.example/a.png" }',
  'A@{ img: "https:x.example/a.png" }',
  'A@{ img: "//x.example/a.png" }',
  'A@{ img: "\\\\x.example/a.png" }',
  'A@{ img: "/\\x.example/a.png" }',
  'style A fill:url(https://x.example/a)',
  'style A fill:url(\\2f\\2f x.example/a)',
  'click A "javascript:alert(1)"'
])('%j: no address is left that a browser would follow', (source) => {
  expect(harmless(source)).not.toMatch(/(?:https?|javascript)\s*:|[/\\]{2}|\\2f/i);
});
