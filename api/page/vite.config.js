import { readdirSync, readFileSync } from "node:fs";
import { defineConfig } from "vite";

/** The design tokens that our styles use, of the hundreds there are: every page would carry and compute the others for nothing. */
function usedTokens() {
  const uses = (text) => [...text.matchAll(/var\((--[\w-]+)/g)].map(([, name]) => name);
  return {
    name: "used-tokens",
    enforce: "pre",
    transform(code, id) {
      if (!id.includes("/design-tokens/dist/tokens.css")) return undefined;
      const styles = new URL("src/styles/", import.meta.url);
      const declared = new Map([...code.matchAll(/(--[\w-]+):\s*([^;]+);/g)].map(([, name, value]) => [name, value]));
      const used = new Set(readdirSync(styles).flatMap((file) => uses(readFileSync(new URL(file, styles), "utf8"))));
      for (const name of used) for (const inner of uses(declared.get(name) ?? "")) used.add(inner);
      return `:root{${[...declared].filter(([name]) => used.has(name)).map(([name, value]) => `${name}:${value}`).join(";")}}`;
    },
  };
}

/** The script fills the page: an empty one need not be painted before it has run. Browsers that do not know this paint it. */
function paintedOnce() {
  const handler = (html) => html.replace('<script type="module"', '<script type="module" blocking="render"');
  return { name: "painted-once", transformIndexHtml: { order: "post", handler } };
}

// Old clinic PCs are frozen at Chrome/Edge 109 and Firefox 115. No inlined assets: the page's CSP allows 'self' and nothing else.
export default defineConfig({
  base: "/",
  plugins: [usedTokens(), paintedOnce()],
  build: {
    target: ["chrome109", "firefox115", "safari15"],
    cssTarget: "chrome109",
    modulePreload: false,
    assetsInlineLimit: 0,
    outDir: "dist",
    emptyOutDir: true,
  },
});
