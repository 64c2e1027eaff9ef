import adapter from '@sveltejs/adapter-static';
import { sveltekit } from '@sveltejs/kit/vite';
import { defineConfig } from 'vitest/config';
import { externalBoot } from './external-scripts.ts';
import { precompressed } from './precompress.ts';

const PAGES = '../src/grantha/static';
const SERVER = 'http://127.0.0.1:8000';

export default defineConfig(({ mode }) => ({
  plugins: [
    sveltekit({
      compilerOptions: { runes: true },
      adapter: precompressed(
        externalBoot(adapter({ pages: PAGES, fallback: 'index.html' }), PAGES, 'index.html'),
        PAGES
      ),
      // The fallback page is served under every path: relative asset addresses would break in /c/<id>.
      paths: { relative: false }
    })
  ],
  build: {
    target: 'es2023',
    // Inlined fonts would be data: addresses, which font-src 'self' refuses.
    assetsInlineLimit: 0,
    // Mermaid and the grammars of the highlighter are large, loaded on demand, and none of the first load.
    chunkSizeWarningLimit: 1000
  },
  server: {
    proxy: {
      '/api': SERVER,
      '/chat': SERVER,
      '/v1': SERVER,
      '/ws': { target: SERVER, ws: true }
    }
  },
  // Vitest would otherwise take Svelte's server build, which cannot mount.
  resolve: mode === 'test' ? { conditions: ['browser'] } : {},
  test: {
    include: ['src/**/*.test.ts', '*.test.ts'],
    environment: 'node',
    // A machine that is busy otherwise takes many times as long; what hangs is found all the same.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    coverage: {
      include: ['src/**/*.{ts,svelte}'],
      exclude: ['src/**/*.test.ts'],
      reporter: ['text-summary', 'html'],
      // Outside web/, where its own scripts would be linted.
      reportsDirectory: '../htmlcov/page'
    }
  }
}));
