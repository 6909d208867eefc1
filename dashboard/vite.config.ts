import { defineConfig } from "vite";

// The node serves these files under a policy that allows scripts and styles from itself only: nothing may be inlined.
export default defineConfig({
  base: "/",
  build: {
    outDir: "../orchestrator/dashboard/static",
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0,
    cssCodeSplit: false,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  // For work on the pages: `npx vite`, beside `triarch dev`.
  server: { proxy: { "/v1": "http://127.0.0.1:8101", "/health": "http://127.0.0.1:8101", "/openapi.json": "http://127.0.0.1:8101" } },
});
