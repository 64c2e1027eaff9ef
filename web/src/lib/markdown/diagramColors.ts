// The page's colours for Mermaid, which computes others from them and therefore needs them as hexadecimal numbers.

const TOKENS = [
  'paper',
  'paper-sunk',
  'paper-press',
  'raised',
  'ink',
  'ink-2',
  'ink-3',
  'line',
  'line-control',
  'accent',
  'accent-wash',
  'stalled-wash',
  'failed',
  'failed-wash',
  'interrupted-wash',
  'seam-wash',
  'chart-1',
  'chart-2',
  'chart-3',
  'chart-4'
] as const;

export type DiagramColors = Record<(typeof TOKENS)[number], string> & { readonly dark: boolean };

/** The colours in force now. */
export function readColors(): DiagramColors {
  const probe = document.createElement('span');
  document.body.append(probe);
  const style = getComputedStyle(probe);
  const read = (token: string): string => {
    // Mixed with itself, a colour of whatever notation becomes one of sRGB.
    probe.style.color = `color-mix(in srgb, var(--${token}), var(--${token}))`;
    return hexOf(style.color);
  };
  const colors = Object.fromEntries(TOKENS.map((token) => [token, read(token)]));
  probe.remove();
  return { ...colors, dark: isDark(colors['paper'] ?? '') } as DiagramColors;
}

/** "#0a0b0c" for what browsers return of a colour: "color(srgb 0.04 0.04 0.05)" or "rgb(10, 11, 12)". */
export function hexOf(color: string): string {
  const scale = color.startsWith('color(') ? 255 : 1;
  const parts = (color.match(/-?\d*\.?\d+(?:e-?\d+)?/g) ?? []).slice(0, 3);
  const bytes = parts.map((part) => Math.max(0, Math.min(255, Math.round(Number(part) * scale))));
  return `#${bytes.map((byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

function isDark(hex: string): boolean {
  return Number.parseInt(hex.slice(1, 3), 16) < 128;
}

/** Variables of Mermaid's theme "base". */
export function themeVariables(c: DiagramColors): Record<string, unknown> {
  const washes = [
    c['accent-wash'],
    c['seam-wash'],
    c['stalled-wash'],
    c['interrupted-wash'],
    c['failed-wash']
  ];
  const charts = [c['chart-1'], c['chart-2'], c['chart-3'], c['chart-4']];
  /** Colours that text stands on. */
  const fills = charts.map((color) => mixed(color, c.paper));
  return {
    darkMode: c.dark,
    background: c.paper,
    textColor: c.ink,
    titleColor: c.ink,
    lineColor: c['ink-3'],
    arrowheadColor: c['ink-3'],
    primaryColor: c['paper-sunk'],
    primaryTextColor: c.ink,
    primaryBorderColor: c['line-control'],
    secondaryColor: c['accent-wash'],
    secondaryTextColor: c.ink,
    secondaryBorderColor: c['line-control'],
    tertiaryColor: c.paper,
    tertiaryTextColor: c.ink,
    tertiaryBorderColor: c.line,
    edgeLabelBackground: c.paper,
    dropShadow: 'none',
    // sequence
    actorBkg: c['paper-sunk'],
    actorBorder: c['line-control'],
    actorLineColor: c['line-control'],
    activationBkgColor: c['accent-wash'],
    activationBorderColor: c.accent,
    sequenceNumberColor: c.paper,
    noteBkgColor: c['stalled-wash'],
    noteBorderColor: c['line-control'],
    noteTextColor: c.ink,
    // Gantt
    sectionBkgColor: c['paper-sunk'],
    sectionBkgColor2: c['paper-sunk'],
    altSectionBkgColor: c.paper,
    excludeBkgColor: c['paper-press'],
    taskBkgColor: c['accent-wash'],
    taskBorderColor: c.accent,
    activeTaskBkgColor: c['seam-wash'],
    activeTaskBorderColor: c['chart-2'],
    doneTaskBkgColor: c['paper-press'],
    doneTaskBorderColor: c['line-control'],
    critBkgColor: c['failed-wash'],
    critBorderColor: c.failed,
    todayLineColor: c.failed,
    vertLineColor: c['ink-3'],
    gridColor: c.line,
    taskTextClickableColor: c.accent,
    // classes and entities
    rowOdd: c.paper,
    rowEven: c['paper-sunk'],
    attributeBackgroundColorOdd: c.paper,
    attributeBackgroundColorEven: c['paper-sunk'],
    labelBackgroundColor: c.paper,
    compositeBackground: c.paper,
    errorBkgColor: c['failed-wash'],
    errorTextColor: c.failed,
    // pie, and what else is told apart by colour
    ...numbered('pie', 1, 12, fills),
    pieTitleTextColor: c.ink,
    pieLegendTextColor: c.ink,
    pieSectionTextColor: c.ink,
    pieStrokeColor: c.paper,
    pieOuterStrokeColor: c.line,
    pieOpacity: '1',
    ...numbered('cScale', 0, 11, washes),
    ...numbered('cScaleLabel', 0, 11, [c.ink]),
    ...numbered('fillType', 0, 7, washes),
    ...numbered('git', 0, 7, fills),
    ...numbered('gitInv', 0, 7, [c.paper]),
    ...numbered('gitBranchLabel', 0, 7, [c.ink]),
    commitLabelColor: c['ink-2'],
    commitLabelBackground: c['paper-sunk'],
    ...numbered('venn', 1, 8, fills),
    xyChart: { backgroundColor: c.paper, plotColorPalette: charts.join(', ') }
  };
}

/** Halfway between two colours. */
function mixed(one: string, other: string): string {
  const half = (at: number): string => {
    const sum = Number.parseInt(one.slice(at, at + 2), 16) + Number.parseInt(other.slice(at, at + 2), 16);
    return Math.round(sum / 2)
      .toString(16)
      .padStart(2, '0');
  };
  return `#${half(1)}${half(3)}${half(5)}`;
}

/** `name1` to `name9`, with `values` in turn. */
function numbered(name: string, from: number, to: number, values: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    Array.from({ length: to - from + 1 }, (_, n) => [`${name}${from + n}`, values[n % values.length] ?? ''])
  );
}
