// A schedule of backups as a form has it, and as the server does. Times are the server's.

export type Rhythm = "off" | "daily" | "weekly" | "own";

export interface Plan {
  rhythm: Rhythm;
  /** `03:00`. */
  time: string;
  /** 0 is Sunday. */
  day: number;
  own: string;
}

const WORDS: Record<string, string> = { "@daily": "0 0 * * *", "@weekly": "0 0 * * 0" };
const PLAIN = /^(\d{1,2}) (\d{1,2}) \* \* (\*|[0-7])$/;

export function planOf(schedule: string | null): Plan {
  const plan: Plan = { rhythm: "off", time: "03:00", day: 0, own: schedule ?? "0 3 * * *" };
  if (!schedule) return plan;
  const found = PLAIN.exec(WORDS[schedule] ?? schedule.replace(/\s+/g, " "));
  if (!found) return { ...plan, rhythm: "own" };
  const [, minute, hour, day] = found as unknown as [string, string, string, string];
  return {
    ...plan,
    rhythm: day === "*" ? "daily" : "weekly",
    time: `${hour.padStart(2, "0")}:${minute.padStart(2, "0")}`,
    day: day === "*" ? 0 : Number(day) % 7,
  };
}

/** Whether the config file has no say: a variable, .env or a flag comes before it. */
export function isFixed(source: string): boolean {
  return source === ".env" || source.startsWith("BAKEND_") || source.startsWith("flag ");
}

export function scheduleOf({ rhythm, time, day, own }: Plan): string | null {
  if (rhythm === "off") return null;
  if (rhythm === "own") return own.trim();
  const [hour, minute] = time.split(":").map(Number) as [number, number];
  return `${minute} ${hour} * * ${rhythm === "daily" ? "*" : day}`;
}
