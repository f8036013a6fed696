import { sveltekit } from "@sveltejs/kit/vite";
import { defineConfig, loadEnv, type Plugin } from "vite";

/**
 * The editor's style-mod writes its rules into a <style>, which our policy forbids, and knows style sheets that are
 * made by script in shadow roots only: here it uses them in the document as well.
 */
const styleSheetsByScript: Plugin = {
  name: "style-sheets-by-script",
  transform(code, id) {
    if (!id.includes("/style-mod/src/")) return undefined;
    const condition = "!root.head && root.adoptedStyleSheets";
    if (!code.includes(condition)) this.error(`style-mod no longer has "${condition}"`);
    return { code: code.replace(condition, "root.adoptedStyleSheets"), map: null };
  },
};

// `npm run dev` draws the pages itself, and asks a running `bak dev` for everything else.
export default defineConfig(({ mode }) => {
  const target = loadEnv(mode, ".", "BAKEND_").BAKEND_SERVER ?? "http://127.0.0.1:8080";
  return {
    plugins: [styleSheetsByScript, sveltekit()],
    // Small parts go together: each costs the first screen a request, and the one file 300 bytes.
    build: { rollupOptions: { output: { experimentalMinChunkSize: 4_000 } } },
    server: {
      proxy: {
        "/api": { target, ws: true, changeOrigin: true },
        "/health": { target },
      },
    },
  };
});
