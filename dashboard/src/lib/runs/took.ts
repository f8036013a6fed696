import type { Run } from "$lib/api";
import { duration } from "$lib/i18n/index.svelte";

/** Return how long a run has taken; "" where that is not known. */
export function took(run: Run): string {
  if (!run.startedAt || !run.endedAt) return "";
  return duration(new Date(run.endedAt).getTime() - new Date(run.startedAt).getTime());
}
