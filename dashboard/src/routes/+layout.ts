import { texting } from "$lib/i18n/index.svelte";
import { choice } from "$lib/shell/theme.svelte";

// The server sends files and data; all pages are drawn here.
export const ssr = false;
export const prerender = false;

export async function load(): Promise<void> {
  choice.begin();
  await texting.begin();
}
