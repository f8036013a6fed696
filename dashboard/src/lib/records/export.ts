// What is shown, as a file.

import { records, type Row } from "$lib/api";
import { shown } from "./draft";

const PAGE = 1_000;

/** Read all records of a collection; `progress` is told how many there are so far. */
export async function readAll(
  collection: string,
  progress: (count: number) => void,
): Promise<Row[]> {
  const all = new Map<string, Row>();
  for (let offset = 0; ; offset += PAGE) {
    const { items } = await records.page(collection, { limit: PAGE, offset });
    // Records that came meanwhile push others to the next page: each is taken once.
    for (const row of items) all.set(row.id, row);
    progress(all.size);
    if (items.length < PAGE) return [...all.values()];
  }
}

export function toJson(rows: Row[], columns: string[]): string {
  return JSON.stringify(
    rows.map((row) => Object.fromEntries(columns.map((name) => [name, row[name]]))),
    null,
    2,
  );
}

export function toCsv(rows: Row[], columns: string[]): string {
  const lines = [columns, ...rows.map((row) => columns.map((name) => shown(row[name])))];
  return `${lines.map((cells) => cells.map(quoted).join(",")).join("\r\n")}\r\n`;
}

function quoted(text: string): string {
  // A spreadsheet runs what begins like a formula; a number may begin with a sign.
  const isFormula = /^[=+\-@\t\r]/.test(text) && Number.isNaN(Number(text));
  const plain = isFormula ? `'${text}` : text;
  return /[",\r\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
}

export function save(name: string, type: string, content: string | Blob): void {
  const url = URL.createObjectURL(
    content instanceof Blob ? content : new Blob([content], { type }),
  );
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
