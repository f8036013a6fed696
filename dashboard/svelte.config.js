import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import adapter from "@sveltejs/adapter-static";
import { vitePreprocess } from "@sveltejs/vite-plugin-svelte";

const MADE_FROM = ["package-lock.json", "svelte.config.js", "vite.config.ts", "finish.js"];

/** What the build is made from names it: the same sources give the same bytes, wherever and whenever. */
function digest() {
  const hash = createHash("sha256");
  for (const file of [...MADE_FROM, ...filesBelow("src"), ...filesBelow("static")]) {
    hash.update(file).update("\0").update(readFileSync(file)).update("\0");
  }
  return hash.digest("hex").slice(0, 16);
}

/** @param {string} folder @returns {string[]} */
function filesBelow(folder) {
  return readdirSync(folder, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      return entry.isDirectory() ? filesBelow(path) : [path];
    });
}

/** SvelteKit announces pages to screen readers in an element with a style of its own, which our policy forbids. */
const announcerWithoutStyle = {
  name: "announcer-without-style",
  /** @param {{ content: string, filename?: string }} file */
  markup: ({ content, filename }) =>
    filename?.endsWith("generated/root.svelte")
      ? { code: content.replace(/(id="svelte-announcer"[^>]*?)\sstyle="[^"]*"/, "$1") }
      : undefined,
};

/** @type {import('@sveltejs/kit').Config} */
export default {
  preprocess: [announcerWithoutStyle, vitePreprocess()],
  kit: {
    adapter: adapter({ pages: "build", assets: "build", fallback: "index.html" }),
    paths: { base: "/_", relative: false },
    version: { name: digest(), pollInterval: 300_000 },
  },
};
