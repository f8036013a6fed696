// Records found by what they say, newest first, as many as are shown.
//
// Lists of records know limit and offset only, so that pages are read and looked through here, one after the other,
// until enough are found. What was read is kept: who types on goes on from there. A source that finds by itself,
// as that of the users does, is asked anew for each text.

import { records, users, type FieldDefinition } from "$lib/api";
import { nameOf } from "./draft";

/** How many are shown. */
export const SHOWN = 50;
const FIRST_PAGE = 100;
const PAGE = 1_000;
const KEPT = 100_000;

export interface Found {
  id: string;
  name: string;
}

interface Source {
  /** Whether a page has only what was wanted; where it has not, that is looked for here. */
  finds: boolean;
  page(
    wanted: string,
    query: { limit: number; offset: number; count?: boolean },
    signal: AbortSignal,
  ): Promise<{ items: Found[]; total: number }>;
}

/** Return where the records of a collection, or the users, come from. */
export function sourceOf(collection: string, fields: () => FieldDefinition[]): Source {
  if (collection === "users") {
    return {
      finds: true,
      async page(search, { limit }, signal) {
        const { items, total } = await users.page({ limit, search }, signal);
        return { items: items.map(({ id, email }) => ({ id, name: email })), total };
      },
    };
  }
  return {
    finds: false,
    async page(_wanted, query, signal) {
      const { items, total } = await records.page(collection, query, signal);
      return { items: items.map((row) => ({ id: row.id, name: nameOf(fields(), row) })), total };
    },
  };
}

export class Search {
  found = $state.raw<Found[]>([]);
  error = $state.raw<unknown>();
  /** How many were looked through so far, of how many there are. */
  searched = $state(0);
  total = $state(0);
  isGoing = $state(false);
  /** Whether there is nothing more to be looked through. */
  isComplete = $state(false);

  #wanted = "";
  #read = new Map<string, Found>();
  /** Up to where in the list `#read` goes; beyond what is kept, the search may be further. */
  #keptTo = 0;
  #source: Source;
  #stop?: AbortController;

  constructor(source: Source) {
    this.#source = source;
  }

  /** Look for a text, or with an empty one for the newest. */
  look(text: string): void {
    const wanted = text.trim().toLowerCase();
    const isNew = wanted !== this.#wanted;
    this.#wanted = wanted;
    if (isNew && this.#source.finds) this.#forget();
    if (isNew && !this.#source.finds) {
      this.searched = this.#keptTo;
      this.isComplete = this.#keptTo > 0 && this.#keptTo >= this.total;
      this.found = this.#fitting(this.#read.values());
    }
    void this.#go();
  }

  /** Give up, and forget what was read: the next time it may be another. */
  stop(): void {
    this.#stop?.abort();
    this.#stop = undefined;
    this.isGoing = false;
    this.#wanted = "";
    this.#forget();
  }

  #forget(): void {
    this.#read.clear();
    this.#keptTo = this.searched = this.total = 0;
    this.isComplete = false;
    this.found = [];
    this.error = undefined;
  }

  /** Read page after page as long as something is missing; typing on changes what is, and begins no second run. */
  async #go(): Promise<void> {
    if (this.isGoing) return;
    const stop = (this.#stop = new AbortController());
    this.isGoing = true;
    try {
      while (!stop.signal.aborted && this.#isShort()) await this.#next(stop.signal);
      if (!stop.signal.aborted) this.error = undefined;
    } catch (error) {
      if (!stop.signal.aborted) this.error = error;
    }
    if (!stop.signal.aborted) this.isGoing = false;
  }

  #isShort(): boolean {
    if (this.isComplete || this.found.length >= SHOWN) return false;
    return this.searched === 0 || this.#wanted !== "";
  }

  async #next(signal: AbortSignal): Promise<void> {
    const wanted = this.#wanted;
    const offset = this.searched;
    const limit = this.#source.finds ? SHOWN : offset ? PAGE : FIRST_PAGE;
    const query = { limit, offset, count: offset === 0 || undefined };
    const { items, total } = await this.#source.page(wanted, query, signal);
    if (signal.aborted) return;
    // Another text began at another place, or is asked for by itself.
    if (offset !== this.searched || (this.#source.finds && wanted !== this.#wanted)) return;
    // Records that came meanwhile push others to the next page: each is taken once.
    const fresh = items.filter((each) => !this.#read.has(each.id));
    this.searched += items.length;
    if (offset === 0) this.total = total;
    this.total = Math.max(this.total, this.searched);
    this.isComplete = this.#source.finds || items.length < limit;
    if (this.#read.size < KEPT) {
      for (const each of fresh) this.#read.set(each.id, each);
      this.#keptTo = this.searched;
    }
    this.found = [...this.found, ...this.#fitting(fresh)].slice(0, SHOWN);
  }

  /** Return those that fit, up to as many as are shown. */
  #fitting(these: Iterable<Found>): Found[] {
    const fitting: Found[] = [];
    for (const each of these) {
      if (!this.#fits(each)) continue;
      fitting.push(each);
      if (fitting.length === SHOWN) break;
    }
    return fitting;
  }

  #fits({ id, name }: Found): boolean {
    if (!this.#wanted || this.#source.finds) return true;
    return `${name} ${id}`.toLowerCase().includes(this.#wanted);
  }
}
