// A record while it is edited: texts as they are typed, and what they mean.

import type { FieldDefinition, Row } from "$lib/api";
import { faultIn, inWords } from "$lib/code/json";
import { t } from "$lib/i18n/index.svelte";

/** What the input of a field holds: a text, except for a boolean. */
export type Draft = Record<string, string | boolean | null>;

/** Return what the inputs hold for a record. */
export function draftOf(
  fields: FieldDefinition[],
  row: Row | Record<string, unknown> | null,
): Draft {
  return Object.fromEntries(fields.map((field) => [field.name, typed(field, row?.[field.name])]));
}

function typed(field: FieldDefinition, value: unknown): string | boolean | null {
  if (value === null || value === undefined) return field.type === "boolean" ? null : "";
  if (field.type === "boolean") return Boolean(value);
  if (field.type === "json") return JSON.stringify(value, null, 2);
  return String(value);
}

/** Raised when what is typed has no meaning for its field. */
export class DraftError extends Error {}

/**
 * Return the value that an input stands for.
 *
 * @throws DraftError - it stands for none.
 */
export function meant(field: FieldDefinition, value: string | boolean | null): unknown {
  if (value === null || typeof value === "boolean") return value;
  if (value.trim() === "") return null;
  if (field.type === "integer" || field.type === "float") {
    const found = Number(value.trim().replace(",", "."));
    if (Number.isNaN(found)) throw new DraftError(t("records.noNumber"));
    return found;
  }
  if (field.type === "json") {
    const fault = faultIn(value);
    if (fault) throw new DraftError(t("records.noJson", { why: inWords(value, fault) }));
    return JSON.parse(value);
  }
  return value;
}

/** Return what has to be sent: of a record that is there only what has changed; and what has no meaning. */
export function changes(
  fields: FieldDefinition[],
  draft: Draft,
  before: Draft | null,
): { body: Record<string, unknown>; faults: Record<string, string> } {
  const body: Record<string, unknown> = {};
  const faults: Record<string, string> = {};
  for (const field of fields) {
    const value = draft[field.name] ?? null;
    if (before && before[field.name] === value) continue;
    try {
      const found = meant(field, value);
      if (before || found !== null) body[field.name] = found;
    } catch (error) {
      faults[field.name] = (error as Error).message;
    }
  }
  return { body, faults };
}

/** Return a value as a cell of a table shows it. */
export function shown(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (typeof value === "object") return JSON.stringify(value);
  return String(value);
}

/** Return a name for a record: the first text that it has, else its id. */
export function nameOf(fields: FieldDefinition[], row: Row): string {
  for (const field of fields) {
    const value = row[field.name];
    if ((field.type === "string" || field.type === "text") && typeof value === "string" && value) {
      return value.slice(0, 80);
    }
  }
  return row.id;
}
