// A list whose numbers only grow, followed while somebody looks: the newest first, older ones when asked for.

import { untrack } from "svelte";
import { connection } from "./connection.svelte";
import type { Followed } from "./types";

const EVERY_MS = 2_000;
const FIRST = 200;
const KEPT = 5_000;

interface Numbered {
  seq: number;
}

type Load<T> = (
  query: { limit: number; after?: number; before?: number },
  signal: AbortSignal,
) => Promise<Followed<T>>;

export class Follower<T extends Numbered> {
  /** The newest first. */
  items = $state.raw<T[]>([]);
  error = $state.raw<unknown>();
  isLoaded = $state(false);
  isLive = $state(true);
  /** Whether the beginning of the list is here. */
  isComplete = $state(false);
  isGoingBack = $state(false);
  #next = 0;
  #isGoing = false;
  #begun?: Promise<void>;
  #load: Load<T>;
  #stop = new AbortController();

  /** To be made while a component is: begins anew when state that `load` reads changes. */
  constructor(load: Load<T>) {
    this.#load = load;
    $effect(() => {
      void connection.recoveries;
      const stop = new AbortController();
      this.#stop = stop;
      const first = load({ limit: FIRST }, stop.signal);
      untrack(() => {
        this.isLoaded = false;
        this.#begun = this.#begin(first, stop.signal);
      });
      const timer = setInterval(() => {
        if (this.isLive && this.isLoaded && !document.hidden && !connection.isLost) {
          void this.#go(stop.signal);
        }
      }, EVERY_MS);
      return () => {
        stop.abort();
        clearInterval(timer);
      };
    });
  }

  async #begin(first: Promise<Followed<T>>, signal: AbortSignal): Promise<void> {
    await this.#attempt(signal, async () => {
      const page = await first;
      if (signal.aborted) return;
      this.items = [...page.items].reverse();
      this.#next = page.next;
      this.isComplete = page.items.length < FIRST;
      this.isLoaded = true;
    });
  }

  async #go(signal: AbortSignal): Promise<void> {
    if (this.#isGoing) return;
    this.#isGoing = true;
    await this.#attempt(signal, async () => {
      const page = await this.#load({ limit: 500, after: this.#next }, signal);
      const last = this.items[0]?.seq ?? -1;
      const fresh = page.items.filter((item) => item.seq > last);
      if (signal.aborted || !fresh.length) return;
      this.#next = page.next;
      const all = [...fresh.reverse(), ...this.items];
      this.items = all.slice(0, KEPT);
      if (all.length > KEPT) this.isComplete = false;
    });
    this.#isGoing = false;
  }

  /** Read some that are older than what is here. */
  async older(): Promise<void> {
    if (this.isGoingBack) return;
    this.isGoingBack = true;
    await this.#begun; // what is shown may be what was wanted before
    const { signal } = this.#stop;
    const before = this.items.at(-1)?.seq;
    await this.#attempt(signal, async () => {
      if (!this.isLoaded || before === undefined) return;
      const page = await this.#load({ limit: FIRST, before }, signal);
      if (signal.aborted) return;
      this.items = [...this.items, ...page.items.reverse()];
      this.isComplete = page.items.length < FIRST;
    });
    this.isGoingBack = false;
  }

  async #attempt(signal: AbortSignal, what: () => Promise<void>): Promise<void> {
    try {
      await what();
      if (!signal.aborted) this.error = undefined;
    } catch (error) {
      if (!signal.aborted) this.error = error;
    }
  }
}
