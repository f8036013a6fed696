// Which columns a collection shows, and in which order; kept in this browser.

import type { FieldDefinition } from "$lib/api";

const SYSTEM = ["createdAt", "updatedAt"];
const HIDDEN_AT_FIRST = ["updatedAt"];

interface Kept {
  order: string[];
  hidden: string[];
}

export class Columns {
  #key: string;
  #kept = $state.raw<Kept>({ order: [], hidden: HIDDEN_AT_FIRST });
  #fields: () => FieldDefinition[];

  constructor(collection: string, fields: () => FieldDefinition[]) {
    this.#key = `bakend.columns.${collection}`;
    this.#fields = fields;
    try {
      const kept = JSON.parse(localStorage.getItem(this.#key) ?? "null");
      if (kept) this.#kept = kept;
    } catch {
      // What cannot be read is as if nothing had been chosen.
    }
  }

  /** All of them, in the order chosen; new ones stand where the definition has them. */
  get all(): string[] {
    const known = [...this.#fields().map((field) => field.name), ...SYSTEM];
    const ordered = this.#kept.order.filter((name) => known.includes(name));
    return [...ordered, ...known.filter((name) => !ordered.includes(name))];
  }

  get shown(): string[] {
    return this.all.filter((name) => !this.#kept.hidden.includes(name));
  }

  isShown(name: string): boolean {
    return !this.#kept.hidden.includes(name);
  }

  toggle(name: string): void {
    const hidden = this.isShown(name)
      ? [...this.#kept.hidden, name]
      : this.#kept.hidden.filter((each) => each !== name);
    this.#keep({ ...this.#kept, hidden });
  }

  move(name: string, by: number): void {
    const order = [...this.all];
    const from = order.indexOf(name);
    const to = Math.max(0, Math.min(order.length - 1, from + by));
    order.splice(to, 0, ...order.splice(from, 1));
    this.#keep({ ...this.#kept, order });
  }

  reset(): void {
    this.#keep({ order: [], hidden: HIDDEN_AT_FIRST });
  }

  #keep(kept: Kept): void {
    this.#kept = kept;
    localStorage.setItem(this.#key, JSON.stringify(kept));
  }
}
