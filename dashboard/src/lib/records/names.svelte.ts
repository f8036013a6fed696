// What the ids of other records stand for, asked for when they have been in view for a moment.

import { SvelteMap } from "svelte/reactivity";
import { ApiError, records, users } from "$lib/api";
import { catalog } from "$lib/shell/catalog.svelte";
import { nameOf } from "./draft";

/** So that what is scrolled past is not asked for. */
const IN_VIEW_MS = 120;
const AT_ONCE = 4;
const KEPT = 5_000;

/** Return what a record says first, or the address of a user. */
export async function nameFor(collection: string, id: string): Promise<string> {
  if (collection === "users") return (await users.get(id)).email;
  return nameOf(catalog.fields(collection), await records.get(collection, id));
}

class Names {
  /** By collection and id; null for what is not there. */
  #known = new SvelteMap<string, string | null>();
  #waiting = new Map<string, () => Promise<string>>();
  #asking = 0;

  /** Return the name, null if there is no such record, undefined as long as that is not known. */
  of(collection: string, id: string): string | null | undefined {
    return this.#known.get(`${collection}/${id}`);
  }

  /** Have a name asked for, if it is not known; the returned function says that it is not wanted any more. */
  want(collection: string, id: string): () => void {
    const key = `${collection}/${id}`;
    const timer = setTimeout(() => {
      if (this.#known.has(key)) return;
      this.#waiting.set(key, () => nameFor(collection, id));
      void this.#work();
    }, IN_VIEW_MS);
    return () => {
      clearTimeout(timer);
      this.#waiting.delete(key);
    };
  }

  forget(): void {
    this.#known.clear();
  }

  async #work(): Promise<void> {
    if (this.#asking >= AT_ONCE) return;
    this.#asking += 1;
    for (const [key, ask] of this.#waiting) {
      this.#waiting.delete(key);
      if (this.#known.size >= KEPT) this.#known.clear();
      try {
        this.#known.set(key, await ask());
      } catch (error) {
        // Without a connection it is asked again when it comes into view the next time.
        if (error instanceof ApiError && error.status === 404) this.#known.set(key, null);
      }
    }
    this.#asking -= 1;
  }
}

export const names = new Names();
