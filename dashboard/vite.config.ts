import { sveltekit } from "@sveltejs/kit/vite";
import { defineConfig, loadEnv } from "vite";

// `npm run dev` draws the pages itself, and asks a running `bak dev` for everything else.
export default defineConfig(({ mode }) => {
  const target = loadEnv(mode, ".", "BAKEND_").BAKEND_SERVER ?? "http://127.0.0.1:8080";
  return {
    plugins: [sveltekit()],
    server: {
      proxy: {
        "/api": { target, ws: true, changeOrigin: true },
        "/health": { target },
      },
    },
  };
});
