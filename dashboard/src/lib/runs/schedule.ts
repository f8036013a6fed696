// What a cron expression means, in words; "" where it takes more than a few.

import { t, texting, type Key } from "$lib/i18n/index.svelte";

const NAMED: Record<string, string> = {
  "@hourly": "0 * * * *",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@weekly": "0 0 * * 0",
  "@monthly": "0 0 1 * *",
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *",
};
const DAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
const MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split(" ");

export function inWords(expression: string): string {
  const parts = (NAMED[expression.trim()] ?? expression).trim().toUpperCase().split(/\s+/);
  if (parts.length !== 5) return "";
  const [minute, hour, day, month, weekday] = parts as [string, string, string, string, string];
  const when = time(minute, hour);
  if (!when) return "";
  const isEveryDay = day === "*" && month === "*" && weekday === "*";
  if (isEveryDay) return /^\d+$/.test(hour) ? t("schedule.daily", { time: when }) : when;
  if (day === "*" && month === "*") {
    if (weekday === "1-5" || weekday === "MON-FRI") return t("schedule.workdays", { time: when });
    const names = weekday.split(",").map(dayName);
    return names.includes("") ? "" : t("schedule.on", { time: when, days: names.join(", ") });
  }
  if (!/^\d+$/.test(day) || weekday !== "*") return "";
  if (month === "*") return t("schedule.monthly", { time: when, day });
  const found = /^\d+$/.test(month) ? Number(month) : MONTHS.indexOf(month) + 1;
  if (!found) return "";
  const name = new Intl.DateTimeFormat(texting.language, { month: "long", timeZone: "UTC" }).format(
    Date.UTC(2026, found - 1, 1),
  );
  return t("schedule.yearly", { time: when, day, month: name });
}

function time(minute: string, hour: string): string {
  if (/^\d+$/.test(minute) && /^\d+$/.test(hour))
    return `${hour.padStart(2, "0")}:${minute.padStart(2, "0")}`;
  const step = /^\*\/(\d+)$/.exec(minute);
  if (hour === "*") {
    if (minute === "*") return every("minute", 1);
    if (step) return every("minute", Number(step[1]));
    if (/^\d+$/.test(minute)) return t("schedule.hourly", { minute });
  }
  const hours = /^\*\/(\d+)$/.exec(hour);
  if (hours && minute === "0") return every("hour", Number(hours[1]));
  return "";
}

function every(unit: "minute" | "hour", n: number): string {
  return t(`schedule.every.${unit}` as Key, { n });
}

/** Return the name of a weekday: `0` or `SUN` is Sunday. */
export function dayName(text: string): string {
  const index = /^[0-7]$/.test(text) ? Number(text) % 7 : DAYS.indexOf(text);
  if (index < 0) return "";
  // 4 January 2026 is a Sunday.
  return new Intl.DateTimeFormat(texting.language, { weekday: "long", timeZone: "UTC" }).format(
    Date.UTC(2026, 0, 4 + index),
  );
}
