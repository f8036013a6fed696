// Where a text stops being JSON, and why: browsers say it in words of their own, and most of them without the place.

import { t, type Key } from "$lib/i18n/index.svelte";

export interface Fault {
  /** Where it is, as places in the text; there is at least one letter between, but for an empty text. */
  from: number;
  to: number;
  what: string;
}

type Bracket = "{" | "[";
const CLOSING = { "{": "}", "[": "]" } as const;
const SPACE = /[ \t\n\r]*/y;
const LITERAL = /^(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)$/;
const WORD = /[^\s,:[\]{}"]+/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[\da-fA-F]{4})/y;

/** What may come next: a value, one or the bracket's end, a name, one or the end, a colon, or what follows a value. */
type Next = "value" | "item" | "name" | "member" | "colon" | "rest";

/** Return what keeps a text from being JSON, nothing where it is. */
export function faultIn(text: string): Fault | undefined {
  try {
    JSON.parse(text);
    return undefined;
  } catch (error) {
    return new Reader(text).fault() ?? { ...span(text, 0), what: (error as Error).message };
  }
}

/** Return a fault with its place, as a person counts. */
export function inWords(text: string, fault: Fault): string {
  const before = text.slice(0, fault.from).split("\n");
  return t("json.at", {
    line: before.length,
    column: before.at(-1)!.length + 1,
    what: fault.what,
  });
}

/** Return a place of one letter, inside of the text. */
function span(text: string, from: number, to = from + 1): { from: number; to: number } {
  const end = Math.min(to, text.length);
  return { from: Math.max(0, Math.min(from, end - 1)), to: end };
}

class Reader {
  #at = 0;
  #open: Bracket[] = [];
  #found: Fault | undefined;

  constructor(private readonly text: string) {}

  fault(): Fault | undefined {
    let next = "value" as Next;
    let comma = 0;
    for (;;) {
      const before = this.#at;
      this.#match(SPACE);
      const letter = this.text[this.#at];
      if (letter === undefined) return this.#end(next, before);
      if (letter === "/") return this.#fail("json.comment", this.#at, this.#at + 2);
      const bracket = this.#open.at(-1);
      if (next === "rest") {
        if (!bracket) return this.#fail("json.rest", this.#at, this.text.length);
        if (letter === ",") {
          comma = this.#at++;
          next = bracket === "{" ? "name" : "value";
        } else if (letter === CLOSING[bracket]) this.#close();
        else if (letter === "}" || letter === "]")
          return this.#fail("json.bracket", this.#at, this.#at + 1, CLOSING[bracket]);
        else return this.#fail("json.comma", this.#at);
      } else if (next === "colon") {
        if (letter !== ":") return this.#fail("json.colon", this.#at);
        this.#at++;
        next = "value";
      } else if (letter === '"') {
        if (!this.#string()) return this.#found;
        next = next === "name" || next === "member" ? "colon" : "rest";
      } else if ((next === "member" && letter === "}") || (next === "item" && letter === "]")) {
        this.#close();
        next = "rest";
      } else if (bracket && letter === CLOSING[bracket] && this.#isAfterComma(next)) {
        return this.#fail("json.lastComma", comma);
      } else if (next === "name" || next === "member") {
        return this.#fail("json.name", this.#at, this.#word());
      } else if (letter === "{" || letter === "[") {
        this.#open.push(letter);
        this.#at++;
        next = letter === "{" ? "member" : "item";
      } else {
        const end = this.#word();
        if (!LITERAL.test(this.text.slice(this.#at, end)))
          return this.#fail(letter === "'" ? "json.quotes" : "json.value", this.#at, end);
        this.#at = end;
        next = "rest";
      }
    }
  }

  #isAfterComma(next: Next): boolean {
    return next === "name" || (next === "value" && this.#open.at(-1) === "[");
  }

  #close(): void {
    this.#open.pop();
    this.#at++;
  }

  #match(pattern: RegExp): boolean {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.text);
    if (found) this.#at = pattern.lastIndex;
    return found !== null;
  }

  /** Return where the word ends that stands here. */
  #word(): number {
    WORD.lastIndex = this.#at;
    return WORD.exec(this.text) ? WORD.lastIndex : this.#at + 1;
  }

  /** Read a text in quotes; false with a fault in it. */
  #string(): boolean {
    const begin = this.#at++;
    for (;;) {
      const letter = this.text[this.#at];
      if (letter === '"') {
        this.#at++;
        return true;
      }
      if (letter === undefined || letter === "\n") this.#fail("json.string", begin, this.#at);
      else if (letter === "\\") {
        if (this.#match(ESCAPE)) continue;
        this.#fail("json.escape", this.#at, this.#at + 2);
      } else if (letter < " ") this.#fail("json.control", this.#at);
      else {
        this.#at++;
        continue;
      }
      return false;
    }
  }

  #end(next: Next, at: number): Fault | undefined {
    const missing = [...this.#open].reverse().map((bracket) => CLOSING[bracket]);
    if (next === "rest" && !missing.length) return undefined;
    return this.#fail("json.end", Math.max(0, at - 1), at, missing.join(" "));
  }

  #fail(key: Key, from: number, to = from + 1, wanted = ""): Fault {
    this.#found = { ...span(this.text, from, to), what: t(key, { wanted }) };
    return this.#found;
  }
}
