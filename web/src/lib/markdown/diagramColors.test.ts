import { expect, test } from 'vitest';
import { hexOf, themeVariables, type DiagramColors } from './diagramColors.ts';

test.each([
  ['color(srgb 0.04 0.5 1)', '#0a80ff'],
  ['color(srgb -0.01 1.2 4.1e-7)', '#00ff00'],
  ['color(srgb 0 0 0 / 0.5)', '#000000'],
  ['rgb(10, 11, 255)', '#0a0bff']
])('%s is %s', (color, hex) => {
  expect(hexOf(color)).toBe(hex);
});

test('every colour that Mermaid gets is one that it can compute with', () => {
  const colors = new Proxy({ dark: false } as DiagramColors, {
    get: (_, name) => (name === 'dark' ? true : '#123456')
  });
  const { darkMode, dropShadow, pieOpacity, xyChart, ...given } = themeVariables(colors);
  expect([darkMode, dropShadow, pieOpacity]).toEqual([true, 'none', '1']);
  expect(xyChart).toEqual({
    backgroundColor: '#123456',
    plotColorPalette: '#123456, #123456, #123456, #123456'
  });
  expect(new Set(Object.values(given))).toEqual(new Set(['#123456']));
  expect(given).toHaveProperty('pie12');
  expect(given).toHaveProperty('cScale0');
});
