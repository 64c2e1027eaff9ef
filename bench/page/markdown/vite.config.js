import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';

export default defineConfig({
  plugins: [svelte({ compilerOptions: { runes: undefined } })],
  // The component under test lives in another package: both must share one Svelte.
  resolve: { dedupe: ['svelte'] },
  build: { minify: !process.env.PROFILE, target: "es2023", assetsInlineLimit: 0, chunkSizeWarningLimit: 5000 },
  logLevel: 'warn'
});
