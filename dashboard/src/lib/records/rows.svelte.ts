// The records of one collection as a long list of which only a part is here.
//
// The list is newest first, and a record is kept by its place counted from the *end*: that place stays when newer
// records come, so that nothing that is shown moves or is asked for again.

import { records, type Row } from "$lib/api";
import type { RealtimeEvent } from "$lib/api/realtime.svelte";

const PAGE = 100;
const KEPT = 2_000;
const RELOAD_MS = 700;
const QUEUED = 500;
const ASK_EVERY_MS = 80;
/** How many stand out as new or changed; where everything changes, nothing would. */
const FRESH = 8;

export class Rows {
  total = $state(0);
  error = $state.raw<unknown>();
  isLoaded = $state(false);
  /** How many came live since they were last looked at. */
  arrived = $state(0);
  /** Goes up whenever something that is shown may be another. */
  version = $state(0);

  /** The first row that is in sight, as the table says. */
  top = 0;
  /** By how many rows what is in sight has moved down, since the table last asked. */
  moved = 0;

  #rows = new Map<number, Row>();
  #places = new Map<string, number>();
  #asked = new Set<number>();
  #fresh = new Set<string>();
  /** What was deleted here, until realtime tells of it. */
  #deleted = new Set<string>();
  #wait: ReturnType<typeof setTimeout> | undefined;
  /** Whether something has been wanted since it was last asked for. */
  #isWanted = false;
  #reload: ReturnType<typeof setTimeout> | undefined;
  #queue: RealtimeEvent[] = [];
  #frame = 0;
  #age = 0;
  #shown: [number, number] = [0, 0];

  constructor(readonly collection: string) {}

  /** Return the record at a place of the list; undefined as long as it is not here. */
  at(index: number): Row | undefined {
    void this.version;
    return this.#rows.get(this.total - 1 - index);
  }

  find(id: string): Row | undefined {
    void this.version;
    const place = this.#places.get(id);
    return place === undefined ? undefined : this.#rows.get(place);
  }

  isFresh(id: string): boolean {
    return this.#fresh.has(id);
  }

  /** Read the beginning of the list anew. */
  async load(): Promise<void> {
    const age = ++this.#age;
    try {
      const page = await records.page(this.collection, {
        limit: PAGE,
        offset: 0,
        count: true,
      });
      if (age !== this.#age) return;
      this.#clear();
      this.total = page.total;
      this.#put(0, page.items);
      this.error = undefined;
      this.isLoaded = true;
      this.arrived = this.moved = 0;
      this.want(...this.#shown);
    } catch (error) {
      if (age === this.#age) this.error = error;
    }
  }

  /** Say what is to be seen: what of it is missing is asked for, but not all that one only scrolls past. */
  want(first: number, end: number): void {
    this.#shown = [first, end];
    this.#isWanted = this.#wait !== undefined;
    if (this.#isWanted) return;
    const missing: number[] = [];
    for (let index = first; index < Math.min(end, this.total); index += 1) {
      if (!this.#rows.has(this.total - 1 - index)) missing.push(index);
    }
    if (!missing.length) return;
    for (const index of missing) void this.#ask(index);
    this.#wait = setTimeout(() => {
      this.#wait = undefined;
      if (this.#isWanted) this.want(...this.#shown);
    }, ASK_EVERY_MS);
  }

  async #ask(index: number): Promise<void> {
    // Pages end at places counted from the end as well, so that the same ones are asked for after new records came.
    const place = this.total - 1 - index;
    const page = Math.floor(place / PAGE);
    if (this.#asked.has(page)) return;
    this.#asked.add(page);
    const age = this.#age;
    const before = this.total;
    const newest = Math.min((page + 1) * PAGE, before);
    try {
      const { items } = await records.page(this.collection, {
        offset: before - newest,
        limit: newest - page * PAGE,
      });
      if (age !== this.#age) return;
      for (const [at, row] of items.entries()) this.#keep(newest - 1 - at, row);
      if (this.#isShown(this.total - newest, this.total - page * PAGE)) this.version += 1;
      this.#forget();
    } catch (error) {
      if (age === this.#age) this.error = error;
    } finally {
      this.#asked.delete(page);
    }
  }

  /** Take what realtime tells; several at once are shown together. */
  take(event: RealtimeEvent): void {
    this.#queue.push(event);
    // A page that nobody sees draws nothing, and what waits for that would grow without end.
    if (this.#queue.length >= QUEUED) this.#apply();
    else this.#frame ||= requestAnimationFrame(() => this.#apply());
  }

  #apply(): void {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    const queue = this.#queue;
    this.#queue = [];
    for (const event of queue) {
      const row = event.payload as Row;
      if (event.type.endsWith(".created")) this.#create(row);
      else if (event.type.endsWith(".updated")) this.#update(row);
      else this.#remove(row.id);
    }
    this.version += 1;
    this.#forget();
  }

  #create(row: Row): void {
    if (this.#places.has(row.id)) return;
    this.#keep(this.total, row);
    this.total += 1;
    this.moved += 1;
    this.arrived += 1;
    this.#mark(row.id);
  }

  #update(row: Row): void {
    const place = this.#places.get(row.id);
    if (place === undefined) return;
    if (JSON.stringify(this.#rows.get(place)) !== JSON.stringify(row)) this.#mark(row.id);
    this.#rows.set(place, row);
  }

  #remove(id: string): void {
    if (this.#deleted.delete(id)) return;
    const gone = this.#places.get(id);
    // Where it was is not known, nor whether the list that is here was read before or after.
    if (gone === undefined) return this.#reloadSoon();
    if (this.total - 1 - gone < this.top) this.moved -= 1;
    this.total -= 1;
    const kept = [...this.#rows];
    this.#clear();
    for (const [place, row] of kept) {
      if (place !== gone) this.#keep(place > gone ? place - 1 : place, row);
    }
  }

  #reloadSoon(): void {
    this.#reload ??= setTimeout(() => {
      this.#reload = undefined;
      void this.load();
    }, RELOAD_MS);
  }

  /** Take what was made or changed here, ahead of the event that will tell of it. */
  saved(row: Row): void {
    if (this.#places.has(row.id)) this.#update(row);
    else this.#create(row);
    this.version += 1;
  }

  deleted(id: string): void {
    if (!this.#places.has(id)) return;
    this.#remove(id);
    this.#deleted.add(id);
    this.version += 1;
  }

  #put(first: number, items: Row[]): void {
    for (const [at, row] of items.entries()) this.#keep(this.total - 1 - first - at, row);
    this.version += 1;
  }

  #keep(place: number, row: Row): void {
    this.#rows.set(place, row);
    this.#places.set(row.id, place);
  }

  #isShown(first: number, end: number): boolean {
    return first < this.#shown[1] && end > this.#shown[0];
  }

  #mark(id: string): void {
    if (this.#fresh.size >= FRESH) return;
    this.#fresh.add(id);
    setTimeout(() => this.#fresh.delete(id), 2_500);
  }

  #clear(): void {
    this.#rows.clear();
    this.#places.clear();
  }

  /** Let go of what is far away from what is shown. */
  #forget(): void {
    if (this.#rows.size <= KEPT) return;
    const [first, end] = this.#shown;
    const middle = this.total - 1 - (first + end) / 2;
    for (const [place, row] of this.#rows) {
      if (Math.abs(place - middle) <= KEPT / 2) continue;
      this.#rows.delete(place);
      this.#places.delete(row.id);
    }
  }
}
