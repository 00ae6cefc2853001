import { defineConfig } from "vite";

// Old clinic PCs are frozen at Chrome/Edge 109 and Firefox 115. No inlined assets: the page's CSP allows 'self' and nothing else.
export default defineConfig({
  base: "/",
  build: {
    target: ["chrome109", "firefox115", "safari15"],
    cssTarget: "chrome109",
    modulePreload: false,
    assetsInlineLimit: 0,
    outDir: "dist",
    emptyOutDir: true,
    rollupOptions: { output: { manualChunks: () => "page" } },
  },
});
