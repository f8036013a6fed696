// The texts, in the language of whoever looks. English is always there; the others are loaded when wanted.

import en from "./en";

export type Key = keyof typeof en;
export type Texts = Record<Key, string>;
export type Language = "en" | "de";

export const LANGUAGES: Record<Language, string> = { en: "English", de: "Deutsch" };
const KEY = "bakend.language";

class Texting {
  language = $state<Language>("en");
  texts = $state.raw<Texts>(en);

  async begin(): Promise<void> {
    const kept = localStorage.getItem(KEY);
    const wanted = kept ?? navigator.language.slice(0, 2);
    await this.#use(wanted === "de" ? "de" : "en");
  }

  async choose(language: Language): Promise<void> {
    localStorage.setItem(KEY, language);
    await this.#use(language);
  }

  async #use(language: Language): Promise<void> {
    this.texts = language === "de" ? (await import("./de")).default : en;
    this.language = language;
    document.documentElement.lang = language;
  }
}

export const texting = new Texting();

/**
 * Return a text with its values put in.
 *
 * `{name}` stands for a value. A text with ` | ` in it has two forms, for one and for several of `n`.
 */
export function t(key: Key, values: Record<string, string | number> = {}): string {
  let text = texting.texts[key];
  if ("n" in values && text.includes(" | ")) {
    text = text.split(" | ")[Number(values.n) === 1 ? 0 : 1]!;
  }
  return text.replace(/\{(\w+)\}/g, (whole, name) => {
    const value = values[name];
    return value === undefined ? whole : typeof value === "number" ? number(value) : value;
  });
}

const made = new Map<string, unknown>();

/** Return what formats in the language of now. It takes long to make, and is asked for in every line of a list. */
function formatter<T>(name: string, make: (language: Language) => T): T {
  const key = `${texting.language} ${name}`;
  if (!made.has(key)) made.set(key, make(texting.language));
  return made.get(key) as T;
}

export function number(value: number, digits = 0): string {
  return formatter(
    `number ${digits}`,
    (language) => new Intl.NumberFormat(language, { maximumFractionDigits: digits }),
  ).format(value);
}

export function bytes(value: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${number(value, unit && value < 100 ? 1 : 0)} ${units[unit]}`;
}

export function moment(value: string | number, style: "full" | "time" = "full"): string {
  const date = new Date(value);
  if (Number.isNaN(date.getTime())) return String(value);
  const time = {
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    hourCycle: "h23",
  } as const;
  const full = { dateStyle: "medium", timeStyle: "medium", hourCycle: "h23" } as const;
  return formatter(
    style,
    (language) => new Intl.DateTimeFormat(language, style === "time" ? time : full),
  ).format(date);
}

const STEPS: [Intl.RelativeTimeFormatUnit, number][] = [
  ["second", 60],
  ["minute", 60],
  ["hour", 24],
  ["day", 30],
  ["month", 12],
  ["year", Infinity],
];

/** Return how long ago something was, or in how long it will be. */
export function ago(value: string | number, now: number): string {
  let distance = (new Date(value).getTime() - now) / 1000;
  if (Math.abs(distance) < 5) return t("time.now");
  const format = formatter(
    "ago",
    (language) => new Intl.RelativeTimeFormat(language, { numeric: "auto", style: "short" }),
  );
  for (const [unit, size] of STEPS) {
    if (Math.abs(distance) < size) return format.format(Math.round(distance), unit);
    distance /= size;
  }
  return moment(value);
}

export function duration(ms: number): string {
  if (ms < 1000) return `${number(ms)} ms`;
  if (ms < 60_000) return `${number(ms / 1000, 1)} s`;
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 60) return `${minutes} min ${Math.round((ms % 60_000) / 1000)} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${minutes % 60} min`;
  return `${t("time.days", { n: Math.floor(hours / 24) })} ${hours % 24} h`;
}
