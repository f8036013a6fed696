// Which line of the table shows which record.
//
// A record that stays in sight keeps its line, and with it the focus and what is being typed. One that comes into sight
// gets the line of one that has gone: to make a line anew takes several times as long as to fill it with other values.

/** A record's id, or the place of one that is not here yet. */
type Key = string | number;

export interface Line {
  index: number;
  line: number;
}

export class Lines {
  #lineOf = new Map<Key, number>();
  #next = 0;

  /** Give each row from `first` to before `end` its line. */
  give(first: number, end: number, keyOf: (index: number) => Key): Line[] {
    const indexes = Array.from({ length: Math.max(0, end - first) }, (_, at) => first + at);
    const keys = indexes.map(keyOf);
    const free = this.#letGo(new Set(keys));
    return indexes.map((index, at) => {
      const key = keys[at]!;
      const line = this.#lineOf.get(key) ?? free[typeof key]?.pop() ?? this.#next++;
      this.#lineOf.set(key, line);
      return { index, line };
    });
  }

  /** Return the lines of what is wanted no more: those with a record, and those that wait for one. */
  #letGo(wanted: Set<Key>): Record<string, number[]> {
    const free: Record<string, number[]> = { string: [], number: [] };
    for (const [key, line] of this.#lineOf) {
      if (wanted.has(key)) continue;
      this.#lineOf.delete(key);
      free[typeof key]!.push(line);
    }
    return free;
  }
}
